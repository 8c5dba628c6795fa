"""The card of a bundle, `README.md`, in the sections that Hugging Face's model cards have."""

from __future__ import annotations

from ctviewer.core.findings import RESEARCH_USE
from ctviewer.core.words import duration_text
from ctviewer.models.card_figures import figures_text
from ctviewer.models.card_run import evaluation_text, training_text
from ctviewer.models.markdown import Code, plain, table
from ctviewer.models.metadata import HARDWARE, ONE_SHOT, SECONDS, SEED, Metadata, Preprocessing

_NOT_RECORDED = "not recorded"


def card(m: Metadata) -> str:
    """Write the card from the metadata alone, so that the two cannot differ."""
    sections = (
        ("Model details", _details(m)),
        (
            "Uses",
            f"**Intended use.** {plain(m.intended_use)}\n\n**Out of scope.** {plain(m.out_of_scope)}\n\n{RESEARCH_USE}",
        ),
        ("Bias, risks and limitations", plain(m.limits)),
        ("How to get started with the model", _start(m)),
        ("Training details", _training(m)),
        ("Evaluation", _evaluation(m)),
        ("Technical specifications", _technical(m)),
    )
    licence = (
        "".join(sign for sign in m.licence.lower().replace(" ", "-") if sign.isalnum() or sign in ".-+") or "other"
    )
    front = f"---\nlicense: {licence}\nlibrary_name: ctviewer\ntags: [medical, computed-tomography]\n---\n"
    restricted = f"**Licence {plain(m.licence)}.** {plain(m.restriction)}\n\n" if m.restriction else ""
    body = "\n".join(f"## {title}\n\n{text}\n" for title, text in sections)
    opening = f"Version {m.version}, {plain(m.trained_on)}. {RESEARCH_USE}"
    return f"{front}\n# {plain(m.title)}\n\n{opening}\n\n{restricted}{body}"


def _details(m: Metadata) -> str:
    rows = [
        ("Bundle", f"{m.name} {m.version}"),
        ("Parent", m.parent or "none"),
        ("Task", m.task.replace("_", " ")),
        ("Classes", ", ".join(m.classes)),
        *([("Lesions among them", ", ".join(m.lesion_classes))] if m.lesion_classes else []),
        *([("Classes of slices", ", ".join(m.image_classes))] if m.image_classes else []),
        ("Licence", m.licence),
        ("Restriction", m.restriction or "none beyond the licence"),
        ("Used where nobody has chosen a model", "yes" if m.default else "no"),
    ]
    return table(("Name", "Value"), rows)


def _start(m: Metadata) -> str:
    limits = m.input_limits
    return (
        f"Copy this folder where the program finds model bundles; `ctviewer models` lists it. It takes "
        f"{plain(', '.join(limits.modalities))} series, {plain(' or '.join(limits.planes))}, of {limits.slices[0]} to "
        f"{limits.slices[1]} slices, {limits.slice_spacing_mm[0]:g} to {limits.slice_spacing_mm[1]:g} mm apart, and "
        f"says nothing about others."
    )


def _training(m: Metadata) -> str:
    data = m.training_data
    hashes = "\n".join(f"- {plain(split)}: `{plain(value)}`" for split, value in data.sha256.items())
    parts = [plain(data.summary), table(("Data", "n"), list(data.counts.items()))]
    parts += [f"SHA-256 of what was used:\n\n{hashes}"]
    parts += [training_text(m.run)] if m.run is not None else [_took(m)]
    settings = [(name, value) for name, value in m.recipe.items() if m.run is not None or name not in _TOOK]
    parts += [table(("Setting", "Value"), settings)]
    return "\n\n".join(parts)


_TOOK = (HARDWARE, SECONDS, SEED)


def _took(m: Metadata) -> str:
    """What computed, for how long, and from which seed; of a training run its own record says it."""
    seconds = m.recipe.get(SECONDS)
    time = duration_text(seconds) if isinstance(seconds, int | float) else _NOT_RECORDED
    rows = [("Hardware", m.recipe.get(HARDWARE, _NOT_RECORDED)), ("Time", time)]
    if not any(name.endswith(SEED) for name in m.recipe):  # stages may each have their own, among the settings
        rows.append(("Seed", _NOT_RECORDED))
    elif SEED in m.recipe:
        rows.append(("Seed", m.recipe[SEED]))
    return table(("Training", "Value"), rows)


def _evaluation(m: Metadata) -> str:
    parts = [
        "Intervals are bootstraps over the unit under n, never over slices of one study; of a share of 0 or 1, where there is "
        "one, it is the exact binomial one over that unit."
    ]
    parts += [plain(m.probabilities)] if m.probabilities else []
    if m.calibration is not None:
        parts.append(_calibration(m))
    if m.run is not None and m.run.holdouts:
        parts.append(evaluation_text(m.run, "scan" if m.task == ONE_SHOT else "study"))
    return "\n\n".join([*parts, figures_text(m.metrics, m.figure_notes)])


def _calibration(m: Metadata) -> str:
    """What the probabilities were checked on."""
    c = m.calibration
    assert c is not None  # the caller looked
    counts = ", ".join(f"{plain(name)} {count}" for name, count in c.patients.items())
    kind = "patients' own studies, as they were scanned" if c.real else "no patients' own studies"
    fitted = f" {plain(c.method)}" if c.method else ""
    return (
        f"**Calibration.** Checked on {plain(c.data)} ({kind}); patients of each class: {counts or 'not known'}. "
        f"Expected calibration error {c.ece:.3f}.{fitted}"
    )


def _technical(m: Metadata) -> str:
    p = m.preprocessing
    rows = [
        ("Window", f"{p.window_width:g} / {p.window_centre:g} HU (width / centre), to 0..1"),
        ("Input", f"padded to a square, {p.size}x{p.size}, centre crop {p.crop}x{p.crop}"),
        ("Mean, std", _statistics(p)),
        ("Slices", "patient axes (columns to the left, rows to posterior), head to feet"),
        *((f"net: {k}", v) for k, v in m.net.items()),
        _threshold(m),
        ("Weights (safetensors), SHA-256", Code(m.weights_sha256)),
    ]
    return table(("Name", "Value"), rows)


def _statistics(p: Preprocessing) -> str:
    if p.per_image:
        return "each slice by its own mean and standard deviation"
    return f"{', '.join(f'{v:g}' for v in p.mean)}; {', '.join(f'{v:g}' for v in p.std)}"


def _threshold(m: Metadata) -> tuple[str, str]:
    if m.task == ONE_SHOT:
        return "Threshold", f"an instance is shown from score {m.thresholds.detection_score:.3f} on"
    return "Threshold", f"a study is positive from finding probability {m.thresholds.finding_probability:.3f} on"
