"""What to know before a version takes the place of the one in use: sentences for whoever decides. Needs no torch."""

from __future__ import annotations

from ctviewer.core.words import counted
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import ONE_SHOT
from ctviewer.training.comparison import BETTER, OPEN, WORSE, Comparison, Difference

_MOST_NAMED = 3


def activation_doubts(bundle: Bundle, used: Bundle | None, comparison: Comparison | None) -> tuple[str, ...]:
    """Reasons to think twice; none where the new version is shown to be better and nothing else is worse.

    Args:
        bundle: to be activated.
        used: in use for the same task now; None for none.
        comparison: of the two, whichever of them was called the new one; None where they were not compared.
    """
    if used is None or used.metadata.weights_sha256 == bundle.metadata.weights_sha256:
        return ()
    told = [_other_classes(bundle, used)] if _tells(bundle) != _tells(used) else []
    one_shot = bundle.metadata.task == ONE_SHOT
    if comparison is None:
        what = "slices" if one_shot else "studies"
        text = f"{bundle.key} was not compared with {used.key}, which is in use, on the same {what}."
        return (*told, f"{text} Nothing shows that it is better.")
    turn = -1.0 if comparison.old == bundle.key else 1.0
    told += _about_differences(comparison, turn)
    if comparison.regression is not None:
        told += _about_fixed_set(comparison.regression, turn)
    elif bundle.metadata.parent == used.key and not one_shot:  # the fixed set is of studies
        told.append("It was not compared with its parent on the fixed set against forgetting.")
    return tuple(told)


def _tells(bundle: Bundle) -> tuple[set[str], set[str]]:
    """Classes of studies or outlines, and of slices."""
    return set(bundle.metadata.classes), set(bundle.metadata.image_classes)


def _other_classes(bundle: Bundle, used: Bundle) -> str:
    mine, theirs = (_named(one) for one in (bundle, used))
    return f"{bundle.key} tells other things apart ({mine}) than {used.key} ({theirs})."


def _named(bundle: Bundle) -> str:
    m = bundle.metadata
    outlined = ", ".join(m.classes[1:] if m.task == ONE_SHOT else m.classes)
    return f"{outlined}; slices: {', '.join(m.image_classes)}" if m.image_classes else outlined


def _about_differences(comparison: Comparison, turn: float) -> list[str]:
    """The main figure, where it is not shown to be better, and all that got worse."""
    main, told = comparison.main, []
    of = f"on {counted(main.patients, 'patient')}"
    if _is_worse(main, turn):
        told.append(f"It is worse than what is in use: the difference of {main.name} {of} is {_told(main, turn)}.")
    elif main.verdict == OPEN:
        why = "" if main.low is None else ": the interval includes zero"
        told.append(
            f"The difference of {main.name} {of} is {_told(main, turn)}{why}, so that it is not shown to be better than "
            "what is in use."
        )
    worse = [one for one in comparison.differences if one.name != main.name and _is_worse(one, turn)]
    if worse:
        named = "; ".join(f"{one.name} {_told(one, turn)}" for one in worse[:_MOST_NAMED])
        more = f"; and {len(worse) - _MOST_NAMED} more" if len(worse) > _MOST_NAMED else ""
        told.append(f"Some figures are worse than those of what is in use: {named}{more}.")
    return told


def _about_fixed_set(fixed: Comparison, turn: float) -> list[str]:
    worse = [one for one in fixed.differences if _is_worse(one, turn)]
    lost = fixed.sides.new_right if turn < 0 else fixed.sides.old_right
    if not worse and not lost:
        return []
    named = "; ".join(f"{one.name} {_told(one, turn)}" for one in worse[:_MOST_NAMED])
    if not lost:
        return [f"On the fixed set of phantoms no right answer was lost, but some figures are worse: {named}."]
    now, then = ("is", "was") if lost == 1 else ("are", "were")
    wrong = f"{lost} of {fixed.studies} studies {now} answered wrong now that {then} right before"
    figures = f"; {named}" if named else ""
    return [f"On the fixed set of phantoms something was forgotten: {wrong}{figures}."]


def _is_worse(one: Difference, turn: float) -> bool:
    return one.verdict == (WORSE if turn > 0 else BETTER)


def _told(one: Difference, turn: float) -> str:
    """Such as +0.031 (95 % interval -0.020 to +0.080), from what is in use to what is to be activated."""
    text = f"{turn * one.difference:+.3f}"
    if one.low is None or one.high is None:
        return f"{text} (without an interval)"
    low, high = sorted((turn * one.low, turn * one.high))
    return f"{text} (95 % interval {low:+.3f} to {high:+.3f})"
