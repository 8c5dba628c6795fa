"""A folder of tiny bundles, and generated data laid out as the real data is."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from ctviewer.core.geometry import Geometry
from ctviewer.dicom import SeriesAttributes, load_volume, scan, write_ct_series


@pytest.fixture
def bundles(make_classifier, make_detector, tmp_path):
    """A classifier and a detector in one folder."""
    folder = tmp_path / "bundles"
    for made in (make_classifier(), make_detector()):
        shutil.copytree(made.folder, folder / made.metadata.name)
    return folder


@pytest.fixture
def data(tmp_path, volume_of, chest_hu):
    """`covid_ct_md` with generated chests in place of patients, and a series that is no chest."""

    def write(folder, stored, **attributes):
        geometry = volume_of(stored).geometry
        facts = {"patient_name": "Secret^Name", "patient_id": "ID-1", "series_number": 1} | attributes
        write_ct_series(
            folder, stored, attributes=SeriesAttributes(**facts),
            geometry=Geometry(stored.shape, geometry.origins, pixel_spacing=geometry.pixel_spacing),
        )  # fmt: skip

    root = tmp_path / "data"
    for seed, name in enumerate(("P001", "normal001")):
        write(root / "covid_ct_md" / name, chest_hu(12, 96, seed))
    write(root / "elsewhere", np.full((3, 64, 64), 40, np.int16))
    volume = _volume(root / "covid_ct_md" / "P001")
    lines = ["sop_instance_uid,z_mm,infection"]
    for i, ref in enumerate(volume.series.slices):
        lines.append(f"{ref.sop_instance_uid},{i},{int(3 <= i < 8)}")
    (root / "covid_ct_md" / "P001_slice_labels.csv").write_text("\n".join(lines))
    return root


def _volume(folder):
    *_, done = scan(folder)
    return load_volume(done.value.series[0])
