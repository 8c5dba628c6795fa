"""The figures of a card: by the data they were measured on, each with its n."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ctviewer.core.words import counted
from ctviewer.models.markdown import plain, table
from ctviewer.models.metadata import Metric

_HEAD = ("Figure", "Value", "95 % interval", "n")


def figures_text(metrics: Sequence[Metric], notes: Mapping[str, str]) -> str:
    """A part for each set of data, in the order of the figures, with the note on it; notes on sets without figures last.

    Args:
        metrics: of the bundle.
        notes: sentences by `Metric.data`.
    """
    sets = dict.fromkeys([*(one.data for one in metrics), *notes])
    return "\n\n".join(_part(name, [m for m in metrics if m.data == name], notes.get(name, "")) for name in sets)


def fold_models_note(folds: int, patients: int) -> str:
    """Whose figures they are, where the shipped model learned from everyone that figures could be made of.

    Args:
        folds: of the cross-validation.
        patients: in it.
    """
    return (
        f"These are figures of the fold models, not of the model in this bundle: {counted(folds, 'model')}, each trained and "
        f"its settings chosen without the patients that it was measured on, so that each of {counted(patients, 'patient')} was "
        "measured once. The model in this bundle learned from all of them by the same recipe and cannot be measured on them."
    )


def _part(name: str, metrics: Sequence[Metric], note: str) -> str:
    parts = [f"### {_begun(plain(name))}"]
    parts += [plain(note)] if note else []
    parts += [table(_HEAD, [_row(one) for one in metrics])] if metrics else []
    return "\n\n".join(parts)


def _row(x: Metric) -> tuple[str, ...]:
    interval = "-" if x.low is None or x.high is None else f"{x.low:.3f} to {x.high:.3f}"
    return x.name, f"{x.value:.3f}", interval, f"{x.n} {_one(x.unit) if x.n == 1 else x.unit}"


def _one(units: str) -> str:
    """The unit of a single one: a patient of "patients", a study of "studies"."""
    return f"{units[:-3]}y" if units.endswith("studies") else units.removesuffix("s")


def _begun(text: str) -> str:
    """With a capital at its beginning."""
    return text[:1].upper() + text[1:]
