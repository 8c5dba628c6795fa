"""A chest on disk and tiny models of random weights, installed and active for this user."""

from __future__ import annotations

import pytest

from ctviewer.app.cli import main
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


@pytest.fixture
def run(capsys):
    """Run the command line; exit code, what it printed, what it said on standard error."""

    def act(*arguments):
        code = main([str(a) for a in arguments])
        told = capsys.readouterr()
        assert "Traceback" not in told.out + told.err
        return code, told.out, told.err

    return act


@pytest.fixture
def check_against():
    """Compare a value with its documented schema: every key is known, every required one there, types fit."""
    return _check_against


def _check_against(schema, value, where="result.json"):
    """The few keywords of JSON Schema that ours uses."""
    if "const" in schema:
        assert value == schema["const"], where
    if "enum" in schema:
        assert value in schema["enum"], where
    names = {
        bool: "boolean",
        dict: "object",
        list: "array",
        str: "string",
        int: "integer",
        float: "number",
        type(None): "null",
    }
    kinds = schema.get("type", names[type(value)])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    assert names[type(value)] in kinds or (type(value) is int and "number" in kinds), where
    if isinstance(value, list):
        assert schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)), where
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        assert set(schema.get("required", ())) <= set(value), where
        for name, part in value.items():
            assert name in known or isinstance(others, dict), f"{where}.{name}"  # a key is documented, or of a mapping
            _check_against(known.get(name, others), part, f"{where}.{name}")
    elif isinstance(value, list):
        for number, part in enumerate(value):
            _check_against(schema["items"], part, f"{where}[{number}]")
