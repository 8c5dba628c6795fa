"""A chest on disk and tiny models of random weights, installed and active for this user."""

from __future__ import annotations

import pytest

from ctviewer.core.geometry import Geometry
from ctviewer.dicom import SeriesAttributes, write_ct_series


@pytest.fixture
def write_chest(tmp_path, volume_of, chest_hu):
    """Write a chest as a DICOM folder."""

    def make(slices=12, **attributes):
        stored = chest_hu(slices, 96)
        volume = volume_of(stored)
        folder = tmp_path / "opened" / f"chest{slices}{attributes.get('modality', '')}"
        geometry = Geometry(stored.shape, volume.geometry.origins, pixel_spacing=volume.geometry.pixel_spacing)
        facts = {"patient_name": "Phantom^Chest", "patient_id": "P-1", "series_number": 3} | attributes
        write_ct_series(folder, stored, geometry=geometry, attributes=SeriesAttributes(**facts))
        return folder

    return make


@pytest.fixture
def chest_folder(write_chest):
    return write_chest()


@pytest.fixture
def tiny_models(make_classifier, make_detector, private_folders, tmp_path):
    """A classifier and a detector in this user's own bundles folder, both active."""
    import shutil

    from ctviewer.app.folders import data_folder
    from ctviewer.app.models import installed
    from ctviewer.models.bundle import load_bundle

    found = []
    for made in (make_classifier(), make_detector()):
        target = data_folder() / "bundles" / made.metadata.name
        shutil.copytree(made.folder, target)
        found.append(load_bundle(target))
    for bundle in found:
        installed().activate(bundle)
    return tuple(found)
