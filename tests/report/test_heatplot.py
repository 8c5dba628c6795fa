from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ctviewer.core.findings import SliceScore
from ctviewer.core.geometry import Plane
from ctviewer.report import heatplot
from ctviewer.report.heatplot import HeatLanes


def lanes(lengths: np.ndarray | None, area: np.ndarray | None = None, **changes: object) -> HeatLanes:
    values: dict[str, object] = {
        "lengths": lengths,
        "score": SliceScore.ATTENTION,
        "strength": 1.0,
        "stands_out": True,
        "area": area,
        "area_unit": "mm2",
        "plane": Plane.AXIAL,
        "marked": (),
        "first": "Im 1",
        "last": "Im 9",
    }
    return HeatLanes(**(values | changes))  # type: ignore[arg-type] # a test's shorthand


def drawn(what: HeatLanes) -> np.ndarray:
    picture = heatplot.draw(what)
    assert picture is not None
    with Image.open(io.BytesIO(picture.png)) as image:
        return np.array(image)


def heights(image: np.ndarray, colour: tuple[int, int, int], count: int) -> list[int]:
    """Height in pixels of each of `count` bars of one colour."""
    edges = np.linspace(150, 2100 - 60, count + 1)
    middles = ((edges[:-1] + edges[1:]) / 2).astype(int)
    return [int((image[:, x] == colour).all(axis=-1).sum()) for x in middles]


def test_the_scale_is_fixed() -> None:
    assert heatplot.fraction(np.array([0.0, 1.0, 8.0, 50.0]), SliceScore.ATTENTION) == pytest.approx(
        [0, 1 / np.log2(9), 1, 1]
    )
    assert heatplot.fraction(np.array([0.3]), SliceScore.PROBABILITY) == pytest.approx([0.3])


@pytest.mark.parametrize("count", [2, 40, 800])
def test_bars_stand_in_their_places(count: int) -> None:
    lengths = np.full(count, 1.0)
    lengths[count // 2] = 8.0
    found = heights(drawn(lanes(lengths)), (201, 128, 0), count)
    assert found[count // 2] > 2.5 * found[0]
    assert found[count // 2] == max(found)
    assert min(found) > 80


def test_nothing_stands_out_is_grey() -> None:
    image = drawn(lanes(np.full(20, 1.0), stands_out=False))
    assert heights(image, (158, 165, 173), 20)[3] > 80
    assert not (image == (201, 128, 0)).all(axis=-1).any()


def test_colour_strength_follows_the_probability() -> None:
    image = drawn(lanes(np.full(20, 1.0), strength=0.5))
    assert heights(image, (180, 146, 86), 20)[3] > 80


def test_slices_not_looked_at_are_pale() -> None:
    area = np.full(10, 400.0)
    area[2] = np.nan
    found = heights(drawn(lanes(None, area)), (31, 127, 191), 10)
    assert found[2] == 0 and found[3] > 15
    assert heights(drawn(lanes(None, area)), (241, 243, 245), 10)[2] > 100


def test_ranks_of_neighbours_do_not_overlap() -> None:
    image = drawn(lanes(np.full(300, 1.0), marked=((1, 100), (2, 101), (3, 102))))
    row = (image[12] == (40, 46, 54)).all(axis=-1)
    assert np.count_nonzero(np.diff(row.astype(int)) == 1) == 3


def test_no_lane_no_plot() -> None:
    assert heatplot.draw(lanes(None)) is None


def test_each_slice_class_has_a_lane_of_its_own_on_a_scale_of_0_to_1() -> None:
    likely, unlikely = np.full(40, 0.1), np.full(40, 0.2)
    likely[25], likely[:5] = 0.9, np.nan
    plain = drawn(lanes(np.full(40, 1.0), np.zeros(40)))
    image = drawn(lanes(np.full(40, 1.0), np.zeros(40), classes=(("CP", unlikely), ("COVID-19", likely))))
    assert image.shape[0] - plain.shape[0] == 2 * (90 + 44)
    found = heights(image, (90, 99, 109), 40)
    assert found[25] - found[10] == pytest.approx(0.8 * 90, abs=2)
    assert found[2] == pytest.approx(0.2 * 90, abs=2)  # of the lane that was looked at; the other is pale
    alone = heatplot.draw(lanes(None, None, classes=(("COVID-19", likely),)))
    assert alone is not None and alone.height == 80 + 64 + 90 + 44
