"""Whether a series is what a model was made for. Outside its limits no number is shown; doubt is a warning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.anatomy import AERATED_LUNG_HU, look_at_chest
from ctviewer.core.findings import Check, Suitability
from ctviewer.core.geometry import Plane
from ctviewer.core.layout import layout_of
from ctviewer.core.units import unit_text
from ctviewer.core.volume import Volume
from ctviewer.models.metadata import InputLimits

_LEAST_LUNG = 0.04  # of the body's pixels: a chest with most of its lung filled still has it, a head or pelvis has none
_LITTLE_LUNG = 0.10
_THICK_MM = 4.0
_TISSUE_ABOVE_HU = -300.0
_LEAST_HU = -1024.0  # scanners fill what lies outside their circle with -2000 or less, and do not always say so
_SLICES_LOOKED_AT = 24
_PIXEL_STEP = 4


def check_all(volume: Volume, limits: Iterable[InputLimits]) -> Suitability:
    """Check a series against several models; what two of them say alike is said once."""
    checks: dict[Check, None] = {}
    for each in limits:
        checks.update(dict.fromkeys(check(volume, each).checks))
    return Suitability(tuple(checks))


def check(volume: Volume, limits: InputLimits) -> Suitability:
    """Check a series against the limits of one model.

    Args:
        volume: all slices loaded or failed.
        limits: of the model's bundle.

    Returns:
        One `Check` per thing looked at, in a fixed order; values are looked at only where they are in Hounsfield units.
    """
    checks = [step(volume, limits) for step in _CHECKS]
    if volume.unit == "HU":
        checks += _check_values(volume, limits)
    return Suitability(tuple(checks))


def _modality(volume: Volume, limits: InputLimits) -> Check:
    found, wanted = volume.series.modality or "not stated", " or ".join(limits.modalities)
    good = volume.series.modality in limits.modalities
    return _judge("modality", good, f"The modality is {found}; the model takes {wanted}.")


def _unit(volume: Volume, _limits: InputLimits) -> Check:
    found = f"The values are in {unit_text(volume.unit)}" if volume.unit else "The unit of the values is not stated"
    return _judge("unit", volume.unit == "HU", f"{found}; the model takes Hounsfield units (HU).")


def _original(volume: Volume, limits: InputLimits) -> Check:
    good = not volume.series.is_localizer and (volume.series.is_original or not limits.original_only)
    found = "a localizer" if volume.series.is_localizer else "original" if volume.series.is_original else "derived"
    return _judge("image type", good, f"The images are {found}; the model takes original images.")


def _plane(volume: Volume, limits: InputLimits) -> Check:
    plane, wanted = volume.geometry.plane, " or ".join(limits.planes)
    if plane is Plane.UNKNOWN:
        return Check(
            "orientation", "abstain", f"The orientation is not stated in the files; the model takes {wanted} slices."
        )
    return _judge(
        "orientation", plane.value in limits.planes, f"The slices are {plane.value}; the model takes {wanted}."
    )


def _slices(volume: Volume, limits: InputLimits) -> Check:
    failed = int(volume.failed.sum())
    count, (low, high) = volume.slice_count - failed, limits.slices
    text = f"There {'is 1 slice' if count == 1 else f'are {count} slices'}; the model takes {low} to {high}."
    if not low <= count <= high:
        return Check("number of slices", "abstain", text)
    if failed:
        return Check(
            "number of slices", "warn", f"{failed} of {volume.slice_count} slices could not be read and are left out."
        )
    return Check("number of slices", "ok", text)


def _spacing(volume: Volume, limits: InputLimits) -> Check:
    step, (low, high) = volume.geometry.slice_spacing, limits.slice_spacing_mm
    wanted = f"the model takes {low:g} to {high:g} mm"
    if step is None:
        return Check("slice spacing", "abstain", f"The distance between slices is not known; {wanted}.")
    text = f"The distance between slices is {step:.2f} mm; {wanted}."
    if not low <= step <= high:
        return Check("slice spacing", "abstain", text)
    if step > _THICK_MM:
        return Check(
            "slice spacing",
            "warn",
            f"The distance between slices is {step:.2f} mm; above {_THICK_MM:g} mm small findings may be missed.",
        )
    return Check("slice spacing", "ok", text)


def _gaps(volume: Volume, _limits: InputLimits) -> Check:
    """Whether each part of the patient is there once: none twice, no holes, nothing shifted."""
    step, layout = volume.geometry.slice_spacing, layout_of(volume.geometry)
    if layout.repeated.any():
        text = "Several slices lie at the same position; the model takes one slice for each."
        return Check("gaps", "abstain", text)
    if step is not None and not volume.geometry.is_regular():
        text = (
            f"The distances between slices are uneven: up to {layout.gaps.max():.2f} mm where most are {step:.2f} mm; "
        )
        return Check("gaps", "warn", text + "slices may be missing.")
    if layout.shifted.any():
        count = int(layout.shifted.sum())
        text = f"{count} of {volume.slice_count} slices are shifted sideways against the others."
        return Check("gaps", "warn", text)
    return Check("gaps", "ok", "The distances between slices are even.")


def _tilt(volume: Volume, _limits: InputLimits) -> Check:
    tilt = layout_of(volume.geometry).tilt
    if tilt:
        text = f"The gantry was tilted by {tilt:.1f} degrees; findings may be joined less well from slice to slice."
        return Check("gantry tilt", "warn", text)
    return Check("gantry tilt", "ok", "The gantry was not tilted.")


def _field(volume: Volume, limits: InputLimits) -> Check:
    spacing, (low, high) = volume.geometry.pixel_spacing, limits.field_of_view_mm
    wanted = f"the model takes {low:g} to {high:g} mm"
    if spacing is None:
        return Check(
            "field of view", "abstain", f"The pixel spacing, and with it the field of view, is not known; {wanted}."
        )
    side = max(volume.stored.shape[1] * spacing[0], volume.stored.shape[2] * spacing[1])
    return _judge("field of view", low <= side <= high, f"The field of view is {side:.0f} mm; {wanted}.")


def _contrast(volume: Volume, _limits: InputLimits) -> Check:
    if volume.series.contrast_agent:
        return Check("contrast", "warn", "A contrast agent was given; dense vessels may be taken for findings.")
    return Check("contrast", "ok", "No contrast agent is stated.")


def _lossy(volume: Volume, _limits: InputLimits) -> Check:
    if volume.series.lossy:
        return Check("compression", "warn", "The images were compressed with loss; fine texture may be missing.")
    return Check("compression", "ok", "No lossy compression is stated.")


_CHECKS: tuple[Callable[[Volume, InputLimits], Check], ...] = (
    _modality, _unit, _original, _plane, _slices, _spacing, _gaps, _tilt, _field, _contrast, _lossy,
)  # fmt: skip


def _check_values(volume: Volume, limits: InputLimits) -> Iterator[Check]:
    """Whether the values look like Hounsfield units, of a chest."""
    values = _sample(volume)
    if not values.size:
        yield Check("values", "abstain", f"There is no value of {_LEAST_HU:g} HU or more.")
        return
    air = float(np.percentile(values, 1))
    low, high = limits.air_hu
    yield _judge(
        "air",
        low <= air <= high,
        f"The lowest values are near {air:.0f} HU; air must be between {low:g} and {high:g} HU.",
    )
    body = values[values > _TISSUE_ABOVE_HU]
    tissue = float(np.median(body)) if body.size else float("nan")
    low, high = limits.tissue_hu
    found = f"Soft tissue is near {tissue:.0f} HU" if body.size else "There is no soft tissue"
    yield _judge("soft tissue", low <= tissue <= high, f"{found}; it must be between {low:g} and {high:g} HU.")
    lung = look_at_chest(volume).lung_fraction
    span = f"between {AERATED_LUNG_HU[0]:g} and {AERATED_LUNG_HU[1]:g} HU"
    text = f"{lung:.0%} of the body is aerated lung ({span}); at least {_LEAST_LUNG:.0%} are needed."
    outcome = "abstain" if lung < _LEAST_LUNG else "warn" if lung < _LITTLE_LUNG else "ok"
    yield Check("lungs", outcome, text)


def _sample(volume: Volume) -> NDArray[np.float32]:
    """Values in HU from evenly spread slices that could be read; padding left out, declared or not."""
    usable = np.flatnonzero(volume.loaded & ~volume.failed)
    parts = []
    for index in usable[:: max(1, -(-len(usable) // _SLICES_LOOKED_AT))]:
        thin = (slice(None, None, _PIXEL_STEP), slice(None, None, _PIXEL_STEP))
        parts.append(volume.hu(int(index))[thin][volume.valid(int(index))[thin]])
    values = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    return np.asarray(values[values >= _LEAST_HU])


def _judge(name: str, good: bool, text: str) -> Check:
    return Check(name, "ok" if good else "abstain", text)
