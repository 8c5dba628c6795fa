"""Installed bundles, the active one of each task, and what happens when it is gone."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch

from ctviewer.core.errors import BundleError
from ctviewer.models.bundle import WEIGHTS, Bundle, save_bundle
from ctviewer.models.metadata import Metadata
from ctviewer.models.registry import Registry
from ctviewer.models.training_run import TrainingRun


def install(folder: Path, metadata: Metadata, version: str) -> Bundle:
    """Weights are of no matter here."""
    return save_bundle(
        folder / f"tiny-{version}", dataclasses.replace(metadata, version=version), {"w": torch.zeros(1)}
    )


@pytest.fixture
def registry(tmp_path: Path, metadata: Metadata) -> Registry:
    for version in ("0.9.0", "0.10.0"):
        install(tmp_path / "shipped", metadata, version)
    return Registry([tmp_path / "own", tmp_path / "shipped"], tmp_path / "settings" / "active.json")


def test_newest_version_is_active_without_a_choice(registry: Registry) -> None:
    active = registry.active("study_classifier")
    assert active is not None and active.metadata.version == "0.10.0"
    assert registry.active("one_shot") is None


def test_a_choice_holds_and_is_reversible(registry: Registry, tmp_path: Path) -> None:
    old, new = registry.scan()[0]
    registry.activate(old)
    again = Registry([tmp_path / "shipped"], tmp_path / "settings" / "active.json")
    assert again.active("study_classifier") == old
    again.activate(new)
    assert registry.active("study_classifier") == new


def test_a_choice_that_is_gone_is_told_and_not_replaced(registry: Registry) -> None:
    old, _ = registry.scan()[0]
    registry.activate(old)
    shutil.rmtree(old.folder)
    with pytest.raises(BundleError, match=r"tiny-classifier 0\.9\.0 is not installed"):
        registry.active("study_classifier")


def test_damaged_bundles_are_listed_and_the_rest_still_works(registry: Registry) -> None:
    _, new = registry.scan()[0]
    (new.folder / WEIGHTS).write_bytes(b"")
    bundles, problems = registry.scan()
    assert [b.metadata.version for b in bundles] == ["0.9.0"]
    assert len(problems) == 1 and str(new.folder) in problems[0]


def test_only_damaged_bundles_are_an_error(tmp_path: Path, metadata: Metadata) -> None:
    bundle = install(tmp_path, metadata, "1.0.0")
    (bundle.folder / WEIGHTS).write_bytes(b"")
    with pytest.raises(BundleError, match="SHA-256 differs"):
        Registry([tmp_path], tmp_path / "active.json").active("study_classifier")


def test_the_first_folder_counts_for_equal_versions(registry: Registry, tmp_path: Path, metadata: Metadata) -> None:
    mine = install(tmp_path / "own", metadata, "0.10.0")
    assert registry.active("study_classifier") == mine
    assert len(registry.scan()[0]) == 2


@pytest.mark.parametrize("text", ["", "[]", "{", '{"study_classifier": 5}'])
def test_an_unreadable_choice_is_no_choice(registry: Registry, tmp_path: Path, text: str) -> None:
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "active.json").write_text(text)
    active = registry.active("study_classifier")
    assert active is not None and active.metadata.version == "0.10.0"


def test_half_written_folders_and_absent_ones_are_passed_over(tmp_path: Path, metadata: Metadata) -> None:
    bundle = install(tmp_path, metadata, "1.0.0")
    shutil.copytree(bundle.folder, tmp_path / ".tiny.part")
    registry = Registry([tmp_path, tmp_path / "absent"], tmp_path / "active.json")
    assert len(registry.scan()[0]) == 1


def flagged(folder: Path, metadata: Metadata, name: str, **changes: object) -> Bundle:
    made = dataclasses.replace(metadata, name=name, **changes)
    return save_bundle(folder / f"{name}-{made.version}", made, {"w": torch.zeros(1)})


def test_the_default_is_used_where_nobody_chose_and_no_child_takes_its_place(
    tmp_path: Path, metadata: Metadata, run: TrainingRun
) -> None:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    registry = Registry([own, shipped], tmp_path / "active.json")
    phantom = flagged(shipped, metadata, "phantom", version="3.0.0")
    assert registry.active("study_classifier") == registry.default("study_classifier") == phantom
    default = flagged(shipped, metadata, "patients", version="1.0.0", default=True, restriction="Not for sale.")
    assert registry.active("study_classifier") == default
    child = flagged(own, metadata, "patients", version="1.1.0", run=run, parent=default.key)
    assert registry.active("study_classifier") == default
    newer = flagged(shipped, metadata, "patients", version="1.2.0", default=True)
    assert registry.active("study_classifier") == newer
    registry.activate(child)
    assert registry.active("study_classifier") == child
    assert registry.default("study_classifier") == newer, "whatever was chosen"
    assert registry.roll_back("study_classifier") == newer, "what was in use without a choice comes back"


def test_the_default_of_one_task_says_nothing_of_another(tmp_path: Path, metadata: Metadata) -> None:
    flagged(tmp_path, metadata, "patients", default=True)
    registry = Registry([tmp_path], tmp_path / "active.json")
    assert registry.default("one_shot") is None


def test_a_damaged_default_is_told_and_no_licence_that_restricts_takes_its_place(
    tmp_path: Path, metadata: Metadata
) -> None:
    default = flagged(tmp_path, metadata, "patients", default=True)
    phantom = flagged(tmp_path, metadata, "phantom", version="0.1.0")
    flagged(tmp_path, metadata, "simulated", version="2.0.0", restriction="Not for sale.")
    (default.folder / WEIGHTS).write_bytes(b"")
    registry = Registry([tmp_path], tmp_path / "active.json")
    assert registry.default("study_classifier") == phantom
    assert any(str(default.folder) in problem for problem in registry.scan()[1])
