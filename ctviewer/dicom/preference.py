"""Which series opens by itself, and which one an analysis takes."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from ctviewer.core.geometry import Plane
from ctviewer.core.kernels import is_lung_kernel
from ctviewer.core.series import Catalog, Series, VolumeUse

_DERIVED = re.compile(r"mpr|mip|minip|reformat|projection|average|3d|screen|dose", re.IGNORECASE)


def preference(series: Series) -> tuple[object, ...]:
    """Sorting key: readable, CT, no scout, original, axial, at several positions first; then the most slices."""
    return (
        not series.readable,
        series.modality != "CT",
        not series.uid,  # other formats after DICOM: what they say of themselves is little
        series.is_localizer,
        not series.is_original,
        bool(_DERIVED.search("\\".join(series.image_type[2:]))),
        series.plane is not Plane.AXIAL,
        series.slice_spacing is None,  # one position over time (bolus monitoring), or no positions
        -len(series.slices),
        -series.rows * series.columns,
        series.number if series.number is not None else math.inf,
        series.key,
    )


def by_preference(catalog: Catalog) -> Catalog:
    """The catalog in the order of preference, after something about its series was stated."""
    return replace(catalog, series=tuple(sorted(catalog.series, key=preference)))


def has_lung_kernel(series: Series) -> bool:
    """Whether the kernel, or else the description, is one for lungs."""
    return is_lung_kernel(series.kernel) or "lung" in series.description.lower()


def analysis_candidate(catalog: Catalog, of: Series) -> Series | None:
    """The thinnest lung-kernel original axial CT in the study of a series; without a lung kernel, the thinnest; None without CT.

    Thin means a small distance between slices as well as a small thickness; series of fewer than ten slices come last,
    and of the others those with holes or repetitions.
    """
    fit = [
        series
        for series in catalog.series
        if series.study_key == of.study_key
        and (series.uid or of.study.uid)  # files that name no study may be of different patients
        and series.readable
        and series.modality == "CT"
        and series.is_original
        and series.plane is Plane.AXIAL
    ]
    return min(fit, key=_analysis_key, default=None)


def _analysis_key(series: Series) -> tuple[object, ...]:
    thickness = max(series.thickness or 0.0, series.slice_spacing or 0.0) or math.inf
    return (
        len(series.slices) < 10,
        not has_lung_kernel(series),
        series.use is VolumeUse.SLICES_ONLY,
        thickness,
        -len(series.slices),
        series.key,
    )
