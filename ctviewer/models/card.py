"""The card of a bundle, `README.md`, in the sections that Hugging Face's model cards have."""

from __future__ import annotations

from collections.abc import Sequence

from ctviewer.core.findings import RESEARCH_USE
from ctviewer.models.metadata import Metadata, Metric


def card(m: Metadata) -> str:
    """Write the card from the metadata alone, so that the two cannot differ."""
    sections = (
        ("Model details", _details(m)),
        ("Uses", f"**Intended use.** {m.intended_use}\n\n**Out of scope.** {m.out_of_scope}\n\n{RESEARCH_USE}"),
        ("Bias, risks and limitations", m.limits),
        ("How to get started with the model", _start(m)),
        ("Training details", _training(m)),
        ("Evaluation", _evaluation(m)),
        ("Technical specifications", _technical(m)),
    )
    front = f"---\nlicense: {m.licence.lower()}\nlibrary_name: ctviewer\ntags: [medical, computed-tomography]\n---\n"
    body = "\n".join(f"## {title}\n\n{text}\n" for title, text in sections)
    return f"{front}\n# {m.title}\n\nVersion {m.version}, {m.trained_on}. {RESEARCH_USE}\n\n{body}"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    head, *rest = rows
    lines = [head, tuple("---" for _ in head), *rest]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _details(m: Metadata) -> str:
    rows = [
        ("Name", "Value"),
        ("Bundle", f"`{m.name}` {m.version}"),
        ("Parent", m.parent or "none"),
        ("Task", m.task.replace("_", " ")),
        ("Classes", ", ".join(m.classes)),
        ("Licence", m.licence),
    ]
    return _table(rows)


def _start(m: Metadata) -> str:
    limits = m.input_limits
    return (
        f"Copy this folder where the program finds model bundles; `ctviewer models` lists it. It takes "
        f"{', '.join(limits.modalities)} series, {' or '.join(limits.planes)}, of {limits.slices[0]} to "
        f"{limits.slices[1]} slices, {limits.slice_spacing_mm[0]:g} to {limits.slice_spacing_mm[1]:g} mm apart, and "
        f"says nothing about others."
    )


def _training(m: Metadata) -> str:
    counts = _table([("Data", "n"), *((k, str(v)) for k, v in m.training_data.counts.items())])
    recipe = _table([("Setting", "Value"), *((k, str(v)) for k, v in m.recipe.items())])
    hashes = "\n".join(f"- {split}: `{value}`" for split, value in m.training_data.sha256.items())
    return f"{m.training_data.summary}\n\n{counts}\n\nSHA-256 of what was used:\n\n{hashes}\n\n{recipe}"


def _evaluation(m: Metadata) -> str:
    head = ("Figure", "Value", "95 % interval", "n", "Measured on")
    table = _table([head, *(_metric(x) for x in m.metrics)])
    text = "Intervals are bootstraps over the unit under n, never over slices of one study."
    return f"{text} {m.probabilities}\n\n{table}".replace("  ", " ")


def _metric(x: Metric) -> tuple[str, ...]:
    interval = "-" if x.low is None or x.high is None else f"{x.low:.3f} to {x.high:.3f}"
    return x.name, f"{x.value:.3f}", interval, f"{x.n} {x.unit}", x.data


def _technical(m: Metadata) -> str:
    p = m.preprocessing
    rows = [
        ("Name", "Value"),
        ("Window", f"{p.window_width:g} / {p.window_centre:g} HU (width / centre), to 0..1"),
        ("Input", f"padded to a square, {p.size}x{p.size}, centre crop {p.crop}x{p.crop}"),
        ("Mean, std", f"{', '.join(f'{v:g}' for v in p.mean)}; {', '.join(f'{v:g}' for v in p.std)}"),
        ("Slices", "patient axes (columns to the left, rows to posterior), head to feet"),
        *((f"net: {k}", str(v)) for k, v in m.net.items()),
        _threshold(m),
        ("Weights", f"safetensors, float16, SHA-256 `{m.weights_sha256}`"),
    ]
    return _table(rows)


def _threshold(m: Metadata) -> tuple[str, str]:
    if m.task == "detector":
        return "Threshold", f"an instance is shown from score {m.thresholds.detection_score:.3f} on"
    return "Threshold", f"a study is positive from finding probability {m.thresholds.finding_probability:.3f} on"
