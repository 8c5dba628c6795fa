from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset

from ctviewer.core.events import Done
from ctviewer.core.geometry import Geometry
from ctviewer.core.series import Catalog, Notice, Series
from ctviewer.dicom import SeriesAttributes, load_volume, scan, write_ct_series

SHAPE = (7, 12, 16)
PLANES = {
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "axial prone": ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)),
    "axial feet up": ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0)),  # normal points to the feet
    "coronal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
    "oblique": ((1.0, 0.0, 0.0), (0.0, np.sqrt(0.5), np.sqrt(0.5))),
}


@dataclass
class Written:
    """A synthetic series on disk: what went in, and where it is."""

    folder: Path
    paths: list[Path]
    stored: np.ndarray
    geometry: Geometry


@pytest.fixture
def geometry() -> Callable[..., Geometry]:
    def make(plane: str = "axial", shape: tuple[int, int, int] = SHAPE, step: float = 2.5, **changes) -> Geometry:
        row, column = PLANES[plane]
        normal = np.cross(row, column)
        origins = np.array([-50.0, -60.0, 30.0]) + np.outer(np.arange(shape[0]) * step, normal)
        facts = {"row_cosines": row, "column_cosines": column, "pixel_spacing": (0.8, 0.8)} | changes
        return Geometry(shape, origins, **facts)

    return make


@pytest.fixture
def written(tmp_path: Path, geometry) -> Callable[..., Written]:
    """Write a series in which each pixel of each slice has its own value."""

    def make(
        name: str = "series", plane: str = "axial", shape=SHAPE, dtype=np.int16, step=2.5, compress=None, **attributes
    ) -> Written:
        place = geometry(plane, shape, step)
        stored = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
        folder = tmp_path / "opened" / name
        paths = write_ct_series(
            folder, stored, geometry=place, attributes=SeriesAttributes(**attributes), compress=compress
        )
        return Written(folder, paths, stored, place)

    return make


@pytest.fixture
def edit() -> Callable[..., None]:
    """Change attributes of files in place: keyword = value (None deletes), or a function of data set and index."""

    def change(paths, function: Callable[[FileDataset, int], None] | None = None, **values) -> None:
        for index, path in enumerate([paths] if isinstance(paths, Path) else paths):
            dataset = pydicom.dcmread(path)
            for keyword, value in values.items():
                if value is None:
                    del dataset[keyword]
                else:
                    setattr(dataset, keyword, value)
            if function:
                function(dataset, index)
            dataset.save_as(path)

    return change


@pytest.fixture
def catalog() -> Callable[[Path], Catalog]:
    def read(path: Path) -> Catalog:
        *_, last = scan(path)
        assert isinstance(last, Done)
        return last.value

    return read


@pytest.fixture
def only(catalog) -> Callable[[Path], Series]:
    """The one series below a path."""

    def read(path: Path) -> Series:
        (series,) = catalog(path).series
        return series

    return read


@pytest.fixture
def volume_of(only):
    return lambda path: load_volume(only(path))


@pytest.fixture
def notice_of() -> Callable[[Series | Catalog, str], Notice]:
    """The notice with a code; fails when there is none or more than one."""

    def find(holder: Series | Catalog, code: str) -> Notice:
        (found,) = [notice for notice in holder.notices if notice.code == code]
        return found

    return find
