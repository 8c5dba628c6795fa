"""The card of a bundle, `README.md`, in the sections that Hugging Face's model cards have."""

from __future__ import annotations

from ctviewer.core.findings import RESEARCH_USE
from ctviewer.models.card_run import evaluation_text, training_text
from ctviewer.models.markdown import Code, plain, table
from ctviewer.models.metadata import ONE_SHOT, Metadata, Metric, Preprocessing


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
    licence = "".join(sign for sign in m.licence.lower() if sign.isalnum() or sign in ".-+") or "other"
    front = f"---\nlicense: {licence}\nlibrary_name: ctviewer\ntags: [medical, computed-tomography]\n---\n"
    body = "\n".join(f"## {title}\n\n{text}\n" for title, text in sections)
    return f"{front}\n# {plain(m.title)}\n\nVersion {m.version}, {plain(m.trained_on)}. {RESEARCH_USE}\n\n{body}"


def _details(m: Metadata) -> str:
    rows = [
        ("Bundle", f"{m.name} {m.version}"),
        ("Parent", m.parent or "none"),
        ("Task", m.task.replace("_", " ")),
        ("Classes", ", ".join(m.classes)),
        *([("Lesions among them", ", ".join(m.lesion_classes))] if m.lesion_classes else []),
        *([("Classes of slices", ", ".join(m.image_classes))] if m.image_classes else []),
        ("Licence", m.licence),
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
    parts += [] if m.run is None else [training_text(m.run)]
    parts += [table(("Setting", "Value"), list(m.recipe.items()))]
    return "\n\n".join(parts)


def _evaluation(m: Metadata) -> str:
    head = ("Figure", "Value", "95 % interval", "n", "Measured on")
    text = "Intervals are bootstraps over the unit under n, never over slices of one study."
    parts = [f"{text} {plain(m.probabilities)}".strip()]
    if m.run is not None and m.run.holdouts:
        parts.append(evaluation_text(m.run, "scan" if m.task == ONE_SHOT else "study"))
    return "\n\n".join([*parts, table(head, [_metric(x) for x in m.metrics])])


def _metric(x: Metric) -> tuple[str, ...]:
    interval = "-" if x.low is None or x.high is None else f"{x.low:.3f} to {x.high:.3f}"
    return x.name, f"{x.value:.3f}", interval, f"{x.n} {x.unit}", x.data


def _technical(m: Metadata) -> str:
    p = m.preprocessing
    rows = [
        ("Window", f"{p.window_width:g} / {p.window_centre:g} HU (width / centre), to 0..1"),
        ("Input", f"padded to a square, {p.size}x{p.size}, centre crop {p.crop}x{p.crop}"),
        ("Mean, std", _statistics(p)),
        ("Slices", "patient axes (columns to the left, rows to posterior), head to feet"),
        *((f"net: {k}", v) for k, v in m.net.items()),
        _threshold(m),
        ("Weights (safetensors, float16), SHA-256", Code(m.weights_sha256)),
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
