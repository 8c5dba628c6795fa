"""Every file that comes with pydicom, one by one: what it opens as, or the words of its refusal.

A file that is in no table fails, so that none is forgotten when pydicom brings new ones.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest
from pydicom.data import get_charset_files, get_testdata_files

from ctviewer.core.errors import InputError
from ctviewer.core.series import VolumeUse
from ctviewer.dicom import load_volume, scan

ROOT = Path(pydicom.data.__file__).parent
FILES = sorted(
    str(Path(name).relative_to(ROOT).as_posix())
    for name in {*get_testdata_files(), *get_charset_files()}
    if Path(name).is_file() and Path(name).is_relative_to(ROOT)  # others were downloaded by hand
)

# name (a pattern): modality, size, unit, codes of the notices. All are single slices: never a volume.
OPENED: dict[str, tuple[str, tuple[int, int], str, list[str]]] = {
    "test_files/693_J2KI.dcm": ("CT", (512, 512), "HU", ["lossy-compression", "padding", "single-slice"]),
    "test_files/CT_small.dcm": ("CT", (128, 128), "HU", ["padding", "single-slice"]),
    "test_files/J2K_pixelrep_mismatch.dcm": ("CT", (512, 512), "HU", ["single-slice"]),
    r"test_files/MR_small(_\w+)?.dcm": ("MR", (64, 64), "", []),
    "test_files/examples_overlay.dcm": ("MR", (300, 484), "", ["overlay-planes"]),
    r"test_files/dicomdirtests/77654033/CR\d/\d+": ("CR", (16, 16), "OD", ["no-positions", "no-spacing"]),
    r"test_files/dicomdirtests/77654033/CT2/\d+": ("CT", (16, 16), "HU", ["padding", "single-slice"]),
    r"test_files/dicomdirtests/98892001/CT5N/\d+": ("CT", (16, 16), "HU", ["padding", "single-slice"]),
    r"test_files/dicomdirtests/98892001/CT2N/\d+": ("CT", (16, 16), "", ["non-square-pixels"]),  # scouts
    r"test_files/dicomdirtests/98892003/MR\d+/\d+": ("MR", (16, 16), "", []),
}

SCREEN = "holds no images that can be shown. Secondary captures (pictures of a screen) cannot be shown yet."
COLOUR = "holds no images that can be shown. Colour images cannot be shown yet."
DOSE = "holds no images that can be shown. Dose distributions cannot be shown yet."
PLAN = "holds no images that can be shown. This is a radiotherapy plan, which has no images."
REPORT = "holds no images that can be shown. This is a structured report, which has no images."
INCOMPLETE = "cannot be opened: its header is incomplete."
OTHER = "is not a DICOM file."

# name (a pattern): how the one sentence ends
REFUSED: dict[str, str] = {
    r"charset_files/chr(Arab|Fren|FrenMulti|Germ|Greek|H31|H32|Hbrw|I2|Russ|X1|X2).dcm": SCREEN,
    r"charset_files/chr(JapMulti|JapMultiExplicitIR6|KoreanMulti).dcm": "This series has no pixels.",
    r"charset_files/chrSQEncoding1?.dcm": INCOMPLETE,
    "charset_files/FileInfo.txt": OTHER,
    r"test_files/SC_.*.dcm": SCREEN,
    r"test_files/(GDCMJ2K_TextGBR|JPEG-lossy|JPEG2000-embedded-sequence-delimiter|JPEG2000|JPGExtended).dcm": SCREEN,
    r"test_files/(JPEGLSNearLossless_\d+|image_dfl).dcm": SCREEN,
    r"test_files/(examples_(jpeg2k|palette|rgb_color|ybr_color)|ExplVR_BigEnd).dcm": COLOUR,
    r"test_files/(badVR|rtdose\w*).dcm": DOSE,
    r"test_files/(rtplan|ExplVR_BigEndNoMeta|ExplVR_LitEndNoMeta).dcm": PLAN,
    r"test_files/(reportsi|reportsi_with_empty_number_tags|test-SR).dcm": REPORT,
    "test_files/rtstruct.dcm": "Contours of a radiotherapy plan cannot be shown yet.",
    r"test_files/liver_(expb_)?1frame.dcm": "Segmentations cannot be shown yet.",
    "test_files/waveform_ecg.dcm": "This series has no pixels.",
    "test_files/MR_truncated.dcm": "cannot be opened: it ends in the middle of the pixels.",
    "test_files/rtplan_truncated.dcm": "cannot be opened: it ends in the middle of the header.",
    r"test_files/(UN_sequence|meta_missing_tsyntax).dcm": "cannot be opened: its header is malformed.",
    r"test_files/(empty_charset_LEI|nested_priv_SQ|no_meta_group_length|priv_SQ).dcm": INCOMPLETE,
    "test_files/no_meta.dcm": "cannot be opened: it is not DICOM, in spite of its name.",  # one byte too many in front
    r"test_files/dicomdirtests/TINY_ALPHA/PT000000/ST000000/SE000000/IM\w+": "cannot be opened: it has no pixels.",
    r"test_files/.*(README(.txt)?|\.json|\.dump|\.icc)": OTHER,
}

# Tables of contents (and a compressed file): what they lead to is not beside them here; test_containers goes further.
CONTAINERS = r"test_files/(dicomdirtests/(TINY_ALPHA/)?DICOMDIR[\w.-]*|zipMR.gz)"


def _row(table: dict, name: str):
    found = [row for pattern, row in table.items() if re.fullmatch(pattern, name)]
    assert len(found) <= 1, f"{name} is in the table twice"
    return found[0] if found else None


@pytest.fixture
def alone(tmp_path):
    """The file in a folder of its own, so that no neighbour comes along."""

    def copy(name: str) -> Path:
        return Path(shutil.copy(ROOT / name, tmp_path / Path(name).name))

    return copy


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_pydicoms(name, alone):
    opened, refused = _row(OPENED, name), _row(REFUSED, name)
    container = re.fullmatch(CONTAINERS, name) is not None
    assert (opened is not None) + (refused is not None) + container == 1, f"{name} must be in one table"
    if opened is not None:
        _opens(alone(name), *opened)
    elif refused is not None:
        path = alone(name)
        with pytest.raises(InputError) as caught:
            list(scan(path))
        assert str(caught.value).startswith(str(path)) and str(caught.value).endswith(refused)


def _opens(path: Path, modality: str, size: tuple[int, int], unit: str, codes: list[str]) -> None:
    *_, last = scan(path)
    (series,) = last.value.series
    volume = load_volume(series)
    assert (series.modality, volume.stored.shape, volume.unit) == (modality, (1, *size), unit)
    assert [notice.code for notice in series.notices] == codes
    assert series.use is VolumeUse.SLICES_ONLY and series.use_reason == "there is one slice only"
    dataset = pydicom.dcmread(path)
    assert np.array_equal(volume.stored[0], dataset.pixel_array), "another decoder's values, bit by bit"
    stated = dataset.get("ImagePositionPatient")
    assert series.slices[0].position == (None if not stated else tuple(map(float, stated)))
    spacing = dataset.get("PixelSpacing")
    assert series.pixel_spacing == (None if not spacing else tuple(map(float, spacing)))
    slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
    assert np.array_equal(volume.hu(0), dataset.pixel_array * np.float32(slope) + np.float32(intercept))


def test_each_row_is_used():
    patterns = [*OPENED, *REFUSED, CONTAINERS]
    assert [p for p in patterns if not any(re.fullmatch(p, name) for name in FILES)] == []
