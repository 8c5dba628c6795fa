"""All of the shared data and pydicom's folders: what they open as, against plain pydicom.

A folder or file of the shared data that is in no row fails, so that none is forgotten.
"""

from __future__ import annotations

import re
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pydicom.data
import pytest
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder

from ctviewer.core.errors import InputError
from ctviewer.dicom import load_volume, scan

# folder: for each series in the order of preference: modality, slices, plane, spacing in mm, use, codes of the notices
MISSING = ["missing-slices"]
ROWS: dict[str, list[tuple[str, int, str, float | None, str, list[str]]]] = {
    "covid_ct_md/P001": [("CT", 148, "axial", 2.0, "volume", [])],
    "covid_ct_md/normal001": [("CT", 154, "axial", 2.0, "volume", [])],
    "lung_pet_ct_dx_A0002/series_B70f": [("CT", 30, "axial", 8.0, "volume", [])],
    "lung_pet_ct_dx_A0002/series_B40f": [("CT", 30, "axial", 8.0, "volume", [])],
    "lidc_0003/slices": [("CT", 11, "axial", 2.5, "volume", ["padding"])],
    "enhanced_ct": [("CT", 2, "axial", 10.0, "volume", [])],
    "geometry_faults/sliceincrement/001": [
        ("CT", 4, "axial", 5.0, "slices-only", ["missing-slices", "opposite-direction"])
    ],
    "geometry_faults/sliceincrement/002": [
        ("CT", 4, "axial", 0.7497, "slices-only", ["missing-slices", "gantry-tilt", "opposite-direction"])
    ],
    "geometry_faults/gantrytilting/001": [("CT", 4, "axial", 4.8515, "sheared", ["gantry-tilt", "opposite-direction"])],
    "geometry_faults/notavolume/001": [("CT", 4, "axial", None, "slices-only", ["one-position"])],
    "geometry_faults/sliceorientation/001": [
        ("MR", 2, "axial", 4.4, "volume", ["series-split"]),
        ("MR", 2, "sagittal", 3.3, "volume", ["series-split"]),
    ],
}
PYDICOM_ROWS = {
    "77654033/CT2": [("CT", 4, "axial", 1.25, "slices-only", ["missing-slices", "opposite-direction", "padding"])],
    "98892001/CT5N": [("CT", 5, "axial", 2.5, "volume", ["padding"])],
    "98892001/CT2N": [
        ("CT", 1, "coronal", None, "slices-only", ["series-split", "non-square-pixels"]),
        ("CT", 1, "sagittal", None, "slices-only", ["series-split", "non-square-pixels"]),
    ],
    "98892003/MR1": [("MR", 1, "sagittal", None, "slices-only", [])] * 3,
}

# file of `encodings` (a part of its name): unit and codes, or the end of the refusal. One slice each, opened alone.
EXACT = ["padding", "single-slice"]
ENCODED: dict[str, list[str] | str] = {
    r"CTImage.*_1.2.840.10008.1.2(.1|.2|.5|.1.99)?.dcm": EXACT,
    r"CTImage.*_1.2.840.10008.1.2.4.(57|70|80|90).dcm": EXACT,
    r"CTImage.*_1.2.840.10008.1.2.4.(81|91).dcm": ["lossy-compression", "padding", "single-slice"],
    r"CTImage.*_1.2.840.10008.1.2.4.(50|51|53|55).dcm": ["lossy-compression", "single-slice"],
    "no-pixel-data.dcm": "This is a structured report, which has no images.",
    "no-pixel-spacing.dcm": "Colour images cannot be shown yet.",
}
ELSEWHERE = r"encodings/CT0012.*|covid19_ct_seg/.*|.*\.(xml|csv|md|npz)"  # multi-frame, pictures, no images


def _reference(dataset: pydicom.FileDataset, frame: int) -> np.ndarray:
    """The values by pydicom, through GDCM where it can."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_compressed:
        values = dataset.pixel_array
        return values if values.ndim == 2 else values[frame]
    plugin = "gdcm" if "gdcm" in get_decoder(syntax).available_plugins else ""
    return get_decoder(syntax).as_array(dataset, index=frame, decoding_plugin=plugin)[0]


def _compare(series, every: int) -> None:
    """Slices against plain pydicom: values bit by bit, positions, and the order along the normal."""
    volume = load_volume(series)
    assert not volume.failed.any()
    for index, ref in enumerate(series.slices):
        if index % every == 0:
            assert np.array_equal(volume.stored[index], _reference(pydicom.dcmread(ref.path), ref.frame))
    geometry = volume.geometry
    assert np.array_equal(geometry.origins, [ref.position for ref in series.slices])
    assert (np.diff(geometry.origins @ np.cross(geometry.row_cosines, geometry.column_cosines)) >= 0).all()


def _check(folder: Path, rows, every: int = 1) -> None:
    *_, last = scan(folder)
    found = [
        (s.modality, len(s.slices), s.plane.value, s.slice_spacing, s.use.value, [n.code for n in s.notices])
        for s in last.value.series
    ]
    expected = [(*row[:3], row[3] if row[3] is None else pytest.approx(row[3], abs=1e-3), *row[4:]) for row in rows]
    assert found == expected
    for series in last.value.series:
        _compare(series, every)


@pytest.mark.parametrize("name", ROWS)
def test_a_folder_of_the_shared_data(shared_data, name):
    _check(shared_data / name, ROWS[name], every=12 if "covid" in name else 1)


@pytest.mark.parametrize("name", PYDICOM_ROWS)
def test_a_folder_of_pydicoms(name):
    _check(Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests" / name, PYDICOM_ROWS[name])


def _encodings(folder: Path) -> list[Path]:
    return sorted(
        path for path in (folder / "encodings").iterdir() if not re.fullmatch(ELSEWHERE, f"encodings/{path.name}")
    )


def test_each_encoding_alone(shared_data, tmp_path):
    plain = pydicom.dcmread(next(p for p in _encodings(shared_data) if p.name.endswith("1.2.840.10008.1.2.1.dcm")))
    for path in _encodings(shared_data):
        (expected,) = [row for pattern, row in ENCODED.items() if re.fullmatch(pattern, path.name)]
        alone = tmp_path / path.stem / "image.dcm"
        alone.parent.mkdir()
        alone.write_bytes(path.read_bytes())
        if isinstance(expected, str):
            with pytest.raises(InputError, match=re.escape(expected)):
                list(scan(alone))
            continue
        *_, last = scan(alone)
        (series,) = last.value.series
        assert [notice.code for notice in series.notices] == expected, path.name
        volume, dataset = load_volume(series), pydicom.dcmread(alone)
        assert volume.stored.shape == (1, 512, 512) and volume.unit == "HU"
        if not re.search(
            r"4\.(51|53|55)\.dcm$", path.name
        ):  # 12 bits and progressive: pydicom and GDCM have no decoder
            assert np.array_equal(volume.stored[0], _reference(dataset, 0)), path.name
        truth = plain.pixel_array.astype(np.float32) - 1024
        if expected is EXACT:
            assert np.array_equal(volume.hu(0), truth), path.name
        else:
            assert np.abs(volume.hu(0) - truth)[truth > -2500].mean() < 20


def test_nothing_of_the_shared_data_is_forgotten(shared_data):
    for path in shared_data.rglob("*"):
        name = path.relative_to(shared_data).as_posix()
        if path.is_dir() or re.fullmatch(ELSEWHERE, name):
            continue
        in_encodings = name.startswith("encodings/") and any(re.fullmatch(p, path.name) for p in ENCODED)
        assert in_encodings or any(name.startswith(f"{folder}/") for folder in ROWS), f"{name} is in no row"


def test_the_multi_frame_file_of_encodings(shared_data, only):
    (path,) = (shared_data / "encodings").glob("CT0012*")
    series = only(path)
    assert (len(series.slices), series.plane.value, series.use.value) == (2, "axial", "volume") and series.lossy
    volume, dataset = load_volume(series), pydicom.dcmread(path)  # GDCM refuses its 12 bits
    for index, ref in enumerate(series.slices):
        frame = imagecodecs.jpeg8_decode(get_frame(dataset.PixelData, ref.frame, number_of_frames=2))
        assert np.array_equal(volume.stored[index], frame)


def test_pictures_are_listed_as_what_they_are(shared_data):
    *_, last = scan(shared_data / "covid19_ct_seg")
    assert [len(series.slices) for series in last.value.series] == [1247] * 3
    for series in last.value.series:
        assert series.use.value == "slices-only" and series.slice_spacing is None and series.pixel_spacing is None
        assert {"no-positions", "no-spacing"} <= {notice.code for notice in series.notices}
