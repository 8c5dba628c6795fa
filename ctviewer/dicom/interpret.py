"""Applying what a reader states about a series that does not say it itself (`core.interpretation`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.geometry import Geometry
from ctviewer.core.interpretation import HEAD_FIRST, ORIENTATION, SPACING, STATED, VALUES, Interpretation
from ctviewer.core.layout import volume_use
from ctviewer.core.series import Notice, Series, Severity, SliceRef
from ctviewer.dicom.formats.build import position_of
from ctviewer.dicom.formats.grid import GridSource, Rounded, after_loading
from ctviewer.dicom.formats.pictures import PictureSource
from ctviewer.dicom.stack import Stack

_ANSWERED = {VALUES: "values-unknown", SPACING: "no-spacing", ORIENTATION: "no-positions"}


def interpret(series: Series, stated: Interpretation) -> Series:
    """The series with a reader's statement applied: only to what the files leave open, never against them.

    Hounsfield units make it a CT series. Distances alone give areas, not volumes: without an orientation nothing says that
    the slices are parallel and in order. With an order stated the slices lie along z, from 0 at the feet. `series` is as
    `scan` found it, never one that was interpreted before.
    """
    stack = series.private
    if not isinstance(stack, Stack) or not series.questions:
        return series
    spacing, between = _distances(series, stated)
    known = {
        VALUES: stated.unit is not None,
        SPACING: spacing is not None,
        ORIENTATION: bool(stated.order) and spacing is not None and between is not None,
    }
    answered = {question: known[question] and question in series.questions for question in known}
    if not any(answered.values()) and between == series.slice_spacing:
        return series
    backwards = answered[ORIENTATION] and stated.order == HEAD_FIRST
    slices = series.slices[::-1] if backwards else series.slices
    origins = _origins(slices, between) if answered[ORIENTATION] and between is not None else stack.geometry.origins
    geometry = replace(stack.geometry, pixel_spacing=spacing, origins=origins)
    scale = (stated.slope, stated.intercept) if answered[VALUES] else (1.0, 0.0)
    use, why = volume_use(geometry)
    return replace(
        series,
        key=series.key + _suffix(scale),
        modality="CT" if answered[VALUES] and stated.unit == "HU" else series.modality,
        slices=tuple(replace(one, position=position_of(geometry, index)) for index, one in enumerate(slices)),
        plane=geometry.plane,
        shown_from_last=geometry.is_shown_from_last,
        pixel_spacing=spacing,
        slice_spacing=geometry.slice_spacing or between,
        notices=(*_statements(stated, answered, between != series.slice_spacing), *_still(series.notices, answered)),
        questions=tuple(question for question in series.questions if not answered[question]),
        use=use,
        use_reason=why,
        private=_restated(stack, geometry, stated.unit if answered[VALUES] else None, scale, backwards),
    )


def _distances(series: Series, stated: Interpretation) -> tuple[tuple[float, float] | None, float | None]:
    """Pixel and slice spacing in mm: the files' own, else the stated ones."""
    spacing, between = series.pixel_spacing, series.slice_spacing
    if SPACING in series.questions:
        spacing = stated.pixel_spacing or spacing
    if ORIENTATION in series.questions and between is None:  # files with places say themselves how far these are apart
        between = stated.slice_spacing
    return spacing, between


def _suffix(scale: tuple[float, float]) -> str:
    """What is kept of a series belongs to its values: under another scale it is another series."""
    return "" if scale == (1.0, 0.0) else f"~{scale[0]:g}x{scale[1]:+g}"


def _origins(slices: Sequence[SliceRef], between: float) -> NDArray[np.float64]:
    """`[slices, 3]` LPS mm, z rising from 0: by the numbers of the slices where they have some, so that a hole stays one."""
    numbers = [one.instance_number for one in slices]
    places = np.arange(len(slices), dtype=np.float64)
    if all(number is not None for number in numbers) and len(numbers) > 1:
        found = np.abs(np.array(numbers, np.float64) - float(numbers[0] or 0))
        steps = np.diff(found)
        if steps.min() > 0:
            places = found / float(np.median(steps))
    return np.column_stack([np.zeros((len(slices), 2)), places * between])


def _restated(stack: Stack, geometry: Geometry, unit: str | None, scale: tuple[float, float], backwards: bool) -> Stack:
    order = slice(None, None, -1) if backwards else slice(None)
    rounded = Rounded()  # of its own: the same slices may have had other indices, and their values another scale
    sources = [
        replace(one, index=index, scale=_both(one.scale, scale), rounded=rounded)
        if isinstance(one, GridSource | PictureSource)
        else one
        for index, one in enumerate(stack.sources[order])
    ]
    return replace(
        stack,
        geometry=geometry,
        sources=tuple(sources),
        slope=stack.slope[order] * scale[0],
        intercept=stack.intercept[order] * scale[0] + scale[1],
        unit=stack.unit if unit is None else unit,
        afterwards=None if stack.afterwards is None else after_loading(rounded),
    )


def _both(first: tuple[float, float], then: tuple[float, float]) -> tuple[float, float]:
    """Slope and intercept of one scaling after another."""
    return first[0] * then[0], first[1] * then[0] + then[1]


def _statements(stated: Interpretation, answered: dict[str, bool], distance: bool) -> Iterator[Notice]:
    """What rests on the reader's word, in a sentence each."""
    by = f"Stated by the reader on {stated.stated_on}" if stated.stated_on else "Stated by the reader"
    texts = [
        stated.values_text if answered[VALUES] else "",
        stated.spacing_text if answered[SPACING] or distance else "",
        stated.order_text if answered[ORIENTATION] else "",
    ]
    for text in texts:
        if text:
            yield Notice(STATED, Severity.WARNING, f"{by}, not by the file: {text}.")


def _still(notices: Sequence[Notice], answered: dict[str, bool]) -> Iterator[Notice]:
    """The notices whose question is still open."""
    gone = {_ANSWERED[question] for question, done in answered.items() if done}
    return (one for one in notices if one.code not in gone)
