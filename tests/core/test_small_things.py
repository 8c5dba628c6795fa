"""Errors, events, paths, paper and colours: small, and relied upon everywhere."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from ctviewer.core import errors, events, palette
from ctviewer.core.paths import resources
from ctviewer.core.printing import PageSize, text_width_px


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.CtviewerError, 1),
        (errors.DeviceError, 1),
        (errors.InputError, 2),
        (errors.DecodeError, 2),
        (errors.BundleError, 2),
        (errors.StorageError, 2),
    ],
)
def test_exit_codes(error, code):
    assert error("x").exit_code == code
    assert issubclass(error, errors.CtviewerError)


def test_events_are_equal_by_value_and_frozen():
    assert events.Progress("Reading", 1, 2) == events.Progress("Reading", 1, 2)
    with pytest.raises(FrozenInstanceError):
        events.Message("x").text = "y"
    assert events.Done().value is None


def test_resources_are_there():
    assert (resources() / "fonts" / "OFL.txt").is_file()


def test_paper():
    assert PageSize("A4").size_mm == (210.0, 297.0)
    assert PageSize("Letter").size_mm == (215.9, 279.4)
    assert text_width_px(PageSize.A4) == 672


def test_class_colours_differ_and_none_is_attentions():
    classes = [f"c{i}" for i in range(6)]
    colours = [palette.class_colour(c, classes) for c in classes]
    assert len({*colours, palette.ATTENTION, palette.UNKNOWN_CLASS}) == 8
    assert palette.class_colour("c1", classes) == palette.class_colour("c1", classes[:2])
    assert palette.class_colour("other", classes) == palette.UNKNOWN_CLASS
    assert palette.class_colour("c", [*classes, "c"]) == colours[0]
