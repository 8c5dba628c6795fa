"""What the command line states of files that do not say it: `--values`, `--spacing`, `--order` (`cli._add_statements`)."""

from __future__ import annotations

import argparse
from dataclasses import replace

from ctviewer.core.errors import InputError
from ctviewer.core.interpretation import ORIENTATION, SPACING, VALUES, Interpretation, parse_spacing, parse_values
from ctviewer.core.series import Catalog, Series
from ctviewer.core.words import enumerated
from ctviewer.dicom import by_preference, interpret

_WORDS = {VALUES: "what their values mean", SPACING: "distances", ORIENTATION: "the orientation of their slices"}


def statement(options: argparse.Namespace) -> Interpretation | None:
    """What the options state; None where they state nothing.

    Raises:
        InputError: an option is not understood.
    """
    values = parse_values(options.values) if options.values else Interpretation()
    spacing = parse_spacing(options.spacing) if options.spacing else Interpretation()
    stated = replace(
        values,
        pixel_spacing=spacing.pixel_spacing,
        slice_spacing=spacing.slice_spacing,
        order=options.order or "",
    )
    return None if stated == Interpretation() else stated


def apply_statement(catalog: Catalog, stated: Interpretation | None) -> Catalog:
    """The catalog with a statement applied to all series that leave it open.

    Raises:
        InputError: there is none, or the statement is not enough for what it says.
    """
    if stated is None:
        return catalog
    asked = {question for series in catalog.series for question in series.questions}
    wanted = {
        VALUES: stated.unit is not None,
        SPACING: stated.pixel_spacing is not None,
        ORIENTATION: bool(stated.order),
    }
    for question, is_stated in wanted.items():
        if is_stated and question not in asked:
            raise InputError(
                f"The files in {catalog.root} state {_WORDS[question]} themselves; that cannot be changed."
            )
    made = tuple(interpret(series, stated) for series in catalog.series)
    if stated.order and not any(
        ORIENTATION in old.questions and ORIENTATION not in new.questions
        for old, new in zip(catalog.series, made, strict=True)
    ):
        raise InputError("--order needs all distances, between the slices too: give --spacing ROWxCOLUMNxSLICE.")
    return by_preference(replace(catalog, series=made))


def hint(series: Series) -> str:
    """How to state what a series leaves open."""
    options = {VALUES: "--values", SPACING: "--spacing", ORIENTATION: "--order"}
    named = ", ".join(options[question] for question in series.questions)
    return f"The files leave open {enumerated([_WORDS[question] for question in series.questions])}; if you know it, state it by {named}."
