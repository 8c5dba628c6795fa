"""Whether a series is what a model was made for. Outside its limits no number is shown; doubt is a warning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ctviewer.core.findings import Check, Suitability
from ctviewer.core.geometry import Plane
from ctviewer.core.kernels import is_sharp_kernel
from ctviewer.core.layout import layout_of
from ctviewer.core.units import unit_text
from ctviewer.core.volume import Volume
from ctviewer.inference.chest_checks import BODY_PART, Seen, see, stated_part, value_checks
from ctviewer.models.metadata import InputLimits


def check_all(volume: Volume, limits: Iterable[InputLimits]) -> Suitability:
    """Check a series against several models; what two of them say alike is said once."""
    seen = see(volume)
    checks: dict[Check, None] = {}
    for each in limits:
        checks.update(dict.fromkeys(_checks(volume, each, seen)))
    return Suitability(tuple(checks))


def check(volume: Volume, limits: InputLimits) -> Suitability:
    """Check a series against the limits of one model.

    Args:
        volume: all slices loaded or failed.
        limits: of the model's bundle.

    Returns:
        One `Check` per thing looked at, in a fixed order; values are looked at only where they are in Hounsfield units.
    """
    return Suitability(tuple(_checks(volume, limits, see(volume))))


def _checks(volume: Volume, limits: InputLimits, seen: Seen | None) -> Iterator[Check]:
    yield from (step(volume, limits) for step in _STATED)
    yield _contrast(volume, limits, seen)
    found = [] if seen is None else list(value_checks(volume, seen, limits))
    yield from found
    if all(one.name != BODY_PART for one in found):
        yield stated_part(volume)


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
    if step > limits.thick_mm:
        text = (
            f"The distance between slices is {step:.2f} mm; above {limits.thick_mm:g} mm small findings may be missed."
        )
        return Check("slice spacing", "warn", text)
    return Check("slice spacing", "ok", text)


def _thickness(volume: Volume, limits: InputLimits) -> Check:
    """Thickness where it is more than the distance: slices that overlap are told apart from thin ones."""
    thickness, step = volume.series.thickness, volume.geometry.slice_spacing
    if thickness is None or not thickness > 0:
        return Check("slice thickness", "ok", "The thickness of the slices is not stated.")
    text = f"The slices are {thickness:.2f} mm thick"
    if thickness > limits.thick_mm and not (step is not None and step > limits.thick_mm):  # that is said already
        return Check("slice thickness", "warn", f"{text}; above {limits.thick_mm:g} mm small findings may be missed.")
    return Check("slice thickness", "ok", f"{text}.")


def _kernel(volume: Volume, limits: InputLimits) -> Check:
    kernel = volume.series.kernel.partition("\\")[0]
    if is_sharp_kernel(kernel) and not limits.sharp_kernels:
        text = f"The kernel {kernel} is a sharp one; the model learned from smoother images."
        return Check("kernel", "warn", text)
    return Check("kernel", "ok", f"The kernel is {kernel}." if kernel else "The kernel is not stated.")


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


def _contrast(volume: Volume, limits: InputLimits, seen: Seen | None) -> Check:
    """By the file, and by how bright the vessels between the lungs are: contrast medium often goes unsaid."""
    stated = bool(volume.series.contrast_agent)
    vessels = seen.thorax.vessel_hu if seen is not None and seen.thorax is not None else None
    bright = vessels is not None and vessels > limits.vessel_hu
    measured = (
        "" if vessels is None else f"Vessels between the lungs reach {vessels:.0f} HU (limit {limits.vessel_hu:g} HU)"
    )
    if bright:
        said = (
            "a contrast agent was given"
            if stated
            else "contrast seems to have been given, though the file does not say so"
        )
        return Check("contrast", "warn", f"{measured}: {said}; dense vessels may be taken for findings.")
    if stated:
        tail = f" {measured}." if measured else ""
        text = f"A contrast agent was given; dense vessels may be taken for findings.{tail}"
        return Check("contrast", "warn", text)
    return Check(
        "contrast", "ok", f"{measured}; no contrast agent is stated." if measured else "No contrast agent is stated."
    )


def _lossy(volume: Volume, _limits: InputLimits) -> Check:
    if volume.series.lossy:
        return Check("compression", "warn", "The images were compressed with loss; fine texture may be missing.")
    return Check("compression", "ok", "No lossy compression is stated.")


_STATED: tuple[Callable[[Volume, InputLimits], Check], ...] = (
    _modality, _unit, _original, _plane, _slices, _spacing, _thickness, _gaps, _tilt, _field, _kernel, _lossy,
)  # fmt: skip


def _judge(name: str, good: bool, text: str) -> Check:
    return Check(name, "ok" if good else "abstain", text)
