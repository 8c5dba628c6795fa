"""Whether the values of a series are Hounsfield units of a chest: what its pixels say, whatever its file says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.findings import Check
from ctviewer.core.geometry import Plane
from ctviewer.core.thorax import LUNG_HU, Thorax, look
from ctviewer.core.volume import Volume
from ctviewer.core.words import share_text
from ctviewer.inference.body_parts import names_chest, other_part
from ctviewer.models.metadata import InputLimits

BODY_PART = "body part"
_TISSUE_ABOVE_HU = -300.0
_LEAST_HU = -1024.0  # scanners fill what lies outside their circle with -2000 or less, and do not always say so
_SLICES_LOOKED_AT = 24
_PIXEL_STEP = 4
_LEVELS = 256  # as many as a picture of 8 bits has; a scanner's values take a thousand and more
_LEVELS_NEED = 5_000  # values, before few levels mean anything
_FILLED_SHARE = 0.2  # of the least lung: so much of it in both halves and through many slices is a lung nearly filled
_FILLED_TRACES = 0.5
_ONE_SIDED = 0.1
_EDGE_MM, _EDGE_SHARE = 120.0, 0.5  # a scan of another part that takes in the apices or bases of the lungs


@dataclass(frozen=True)
class Seen:
    """What a series' pixels show, for whatever limits it is judged by; looked at once.

    Attributes:
        air: first percentile of the values in HU, NaN where there is none that could be HU.
        tissue: median of those above -300 HU, NaN where there is none.
        levels: how many different values were met; None where too few were looked at.
        thorax: None where slices are not axial or lie nobody knows how.
    """

    air: float
    tissue: float
    levels: int | None
    thorax: Thorax | None


def see(volume: Volume) -> Seen | None:
    """Look at the pixels of a series; None where they are not in Hounsfield units."""
    if volume.unit != "HU":
        return None
    values = _sample(volume)
    if not values.size:
        return Seen(float("nan"), float("nan"), None, None)
    body = values[values > _TISSUE_ABOVE_HU]
    return Seen(
        air=float(np.percentile(values, 1)),
        tissue=float(np.median(body)) if body.size else float("nan"),
        levels=int(np.unique(values).size) if values.size >= _LEVELS_NEED else None,
        thorax=look(volume) if volume.geometry.plane is Plane.AXIAL else None,
    )


def value_checks(volume: Volume, seen: Seen, limits: InputLimits) -> Iterator[Check]:
    """Whether the values look like Hounsfield units and, if they do, whether they are of a chest."""
    if np.isnan(seen.air):
        yield Check("values", "abstain", f"There is no value of {_LEAST_HU:g} HU or more.")
        return
    scale = [_air(seen, limits), _soft_tissue(seen, limits)]
    yield from scale
    yield _levels(seen)
    if seen.thorax is None or any(check.outcome == "abstain" for check in scale):
        return  # where lungs would lie and how dense they would be is not known
    lungs = _lungs(seen.thorax, limits)
    yield lungs
    yield _body_part(volume, lungs, bool(_ends(seen.thorax)) and limits.whole_lungs)
    if lungs.outcome != "abstain":
        yield _coverage(seen.thorax, limits)
        yield _position(seen.thorax)
    if limits.bone_share:
        yield _bone(seen.thorax, limits)
    yield _noise(seen.thorax, limits)


def _air(seen: Seen, limits: InputLimits) -> Check:
    low, high = limits.air_hu
    text = f"The lowest values are near {seen.air:.0f} HU; air must be between {low:g} and {high:g} HU."
    return Check("air", "ok" if low <= seen.air <= high else "abstain", text)


def _soft_tissue(seen: Seen, limits: InputLimits) -> Check:
    low, high = limits.tissue_hu
    found = "There is no soft tissue" if np.isnan(seen.tissue) else f"Soft tissue is near {seen.tissue:.0f} HU"
    text = f"{found}; it must be between {low:g} and {high:g} HU."
    return Check("soft tissue", "ok" if low <= seen.tissue <= high else "abstain", text)


def _levels(seen: Seen) -> Check:
    if seen.levels is None or seen.levels > _LEVELS:
        return Check("values", "ok", "The values are as fine as a scanner's.")
    text = (
        f"The values take only {seen.levels} levels, as those of pictures do (a scanner's take more than {_LEVELS}); "
    )
    return Check("values", "warn", text + "their contrast may have been changed and their ends cut off.")


def _lungs(thorax: Thorax, limits: InputLimits) -> Check:
    found, (low, high) = thorax.lung_ml, limits.lung_ml
    span = f"(between {LUNG_HU[0]:g} and {LUNG_HU[1]:g} HU)"
    wanted = f"the model takes {low:g} to {high:g} mL"
    smaller = min(thorax.right_ml, thorax.left_ml)
    if found > high:
        return Check("lungs", "abstain", f"{found:.0f} mL of aerated lung {span} are more than lungs hold; {wanted}.")
    if found < low:
        if smaller >= _FILLED_SHARE * low / 2 and thorax.traces >= _FILLED_TRACES:
            text = f"Only {found:.0f} mL of aerated lung {span} were found, on both sides: the lungs may be nearly filled; "
            return Check("lungs", "warn", f"{text}below {low:g} mL the model has little to go by.")
        return Check(
            "lungs", "abstain", f"No lungs were found: {found:.0f} mL inside the body are aerated {span}; {wanted}."
        )
    if smaller < _ONE_SIDED * found:
        side = "right" if thorax.right_ml > thorax.left_ml else "left"
        text = (
            f"Nearly all aerated lung lies on the {side}: {smaller:.0f} of {found:.0f} mL lie on the other side, below "
        )
        return Check("lungs", "warn", f"{text}{share_text(_ONE_SIDED)}; a lung may be filled, or missing.")
    return Check("lungs", "ok", f"{found:.0f} mL of aerated lung {span} were found; {wanted}.")


def stated_part(volume: Volume) -> Check:
    """What the file says, where the pixels cannot be asked."""
    if other := other_part(volume.series):
        text = f'The file calls the part of the body "{other}"; the model takes chests.'
        return Check(BODY_PART, "abstain", text)
    said = (
        "says that it shows the chest" if names_chest(volume.series) else "does not say which part of the body it shows"
    )
    return Check(BODY_PART, "ok", f"The file {said}.")


def _body_part(volume: Volume, lungs: Check, cut_off: bool) -> Check:
    """What the file says beside what the pixels say: these count."""
    other, chest = other_part(volume.series), names_chest(volume.series)
    if lungs.outcome == "abstain":
        if not chest:
            return stated_part(volume)
        text = (
            "The file says that it shows the chest, but lungs like those of a chest were not found; the pixels count."
        )
        return Check(BODY_PART, "abstain", text)
    if other:
        text = f'The file calls the part of the body "{other}", but lungs were found; the pixels count.'
        return Check(BODY_PART, "warn", text)
    if chest:
        return Check(BODY_PART, "ok", "The file says that it shows the chest, and lungs were found.")
    if lungs.outcome == "ok" and not cut_off:
        return Check(BODY_PART, "ok", "The file does not say which part of the body it shows; lungs were found.")
    text = "The file does not say which part of the body it shows; lungs were found, but not as in a whole chest."
    return Check(BODY_PART, "warn", text)


def _coverage(thorax: Thorax, limits: InputLimits) -> Check:
    """How much of the lungs is there."""
    height, ends = thorax.height_mm, _ends(thorax)
    if height < limits.lung_height_mm:
        text = f"Lung is seen over {height:.0f} mm; the model takes {limits.lung_height_mm:g} mm or more."
        return Check("coverage", "abstain", text)
    part = f"in {share_text(thorax.share)} of the series"
    if ends and height < _EDGE_MM and thorax.share < _EDGE_SHARE:
        text = f"Only an edge of the lungs is there: {height:.0f} mm, {part}, cut off at {ends}; "
        return Check(
            "coverage", "abstain", f"{text}at least {_EDGE_MM:g} mm, or {share_text(_EDGE_SHARE)}, are needed."
        )
    if ends and limits.whole_lungs:
        text = f"The lungs are cut off at {ends}: the model judges only the {height:.0f} mm that are there."
        return Check("coverage", "warn", text)
    if thorax.cut_aside and limits.whole_lungs:
        text = "The lungs reach the edge of the images: what lies beyond it is not judged."
        return Check("coverage", "warn", text)
    return Check("coverage", "ok", f"Lung is seen over {height:.0f} mm, {part}.")


def _ends(thorax: Thorax) -> str:
    """Where lungs go on beyond the series, in words."""
    cut = (("the upper end", thorax.cut_above), ("the lower end", thorax.cut_below))
    return " and ".join(text for text, is_cut in cut if is_cut)


def _position(thorax: Thorax) -> Check:
    if thorax.standing:
        text = "The body is deeper than wide: the slices seem to be coronal, sagittal or turned, though the file says axial."
        return Check("position", "abstain", text)
    if thorax.spine_in_front:
        text = "The spine lies in front of the lungs: the images seem to be upside down against what the file says."
        return Check("position", "abstain", text)
    return Check("position", "ok", "Body and spine lie as the file says.")


def _bone(thorax: Thorax, limits: InputLimits) -> Check:
    text = f"{share_text(thorax.bone_share)} of the body is bone; at least {share_text(limits.bone_share)} is needed"
    if thorax.bone_share < limits.bone_share:
        return Check("bone", "abstain", f"{text}: this may be a test object.")
    return Check("bone", "ok", f"{text}.")


def _noise(thorax: Thorax, limits: InputLimits) -> Check:
    if thorax.noise_hu is None:
        return Check("noise", "ok", "The noise of soft tissue could not be measured.")
    text = f"The noise of soft tissue is {thorax.noise_hu:.0f} HU"
    if thorax.noise_hu > limits.noise_hu:
        text += (
            f"; above {limits.noise_hu:g} HU the model has seen nothing like it, and noise may be taken for findings."
        )
        return Check("noise", "warn", text)
    return Check("noise", "ok", f"{text}; the model takes up to {limits.noise_hu:g} HU.")


def _sample(volume: Volume) -> NDArray[np.float32]:
    """Values in HU from evenly spread slices that could be read; padding left out, declared or not."""
    usable = np.flatnonzero(volume.loaded & ~volume.failed)
    parts = []
    for index in usable[:: max(1, -(-len(usable) // _SLICES_LOOKED_AT))]:
        thin = (slice(None, None, _PIXEL_STEP), slice(None, None, _PIXEL_STEP))
        parts.append(volume.hu(int(index))[thin][volume.valid(int(index))[thin]])
    values = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    return np.asarray(values[values >= _LEAST_HU])
