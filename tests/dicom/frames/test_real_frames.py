from __future__ import annotations

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames

from ctviewer.dicom import load_volume


@pytest.mark.parametrize(
    "name", ["enhanced_ct/eCT_Supplemental.dcm", "encodings/CT0012.fragmented_no_bot_jpeg_baseline.51.dcm"]
)
def test_perfusion_map(shared_data, tmp_path, only, name):
    """Two frames from feet to head; their normal points to the feet, and they are no Hounsfield units."""
    path = tmp_path / "IM.dcm"
    path.write_bytes((shared_data / name).read_bytes())
    series = only(path)
    assert [(one.frame, one.position[2]) for one in series.slices] == [(1, -149.0), (0, -159.0)]
    assert series.pixel_spacing == pytest.approx((0.388672, 0.388672)) and series.slice_spacing == 10.0
    assert series.image_type == ("DERIVED", "PRIMARY", "PERFUSION", "RCBF") and not series.is_original
    volume = load_volume(series)
    assert volume.unit != "HU" and list(volume.intercept) == [-1024, -1024]
    for index, frame in enumerate((1, 0)):
        assert np.array_equal(volume.stored[index], _frames(path)[frame])


def _frames(path) -> list[np.ndarray]:
    dataset = pydicom.dcmread(path)
    if not dataset.file_meta.TransferSyntaxUID.is_compressed:
        return list(dataset.pixel_array)
    return [imagecodecs.jpeg8_decode(frame) for frame in generate_frames(dataset.PixelData, number_of_frames=2)]
