"""Activating and going back: a history that only grows, files of older versions, damage, and two processes."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ctviewer.core.errors import BundleError, InputError, StorageError
from ctviewer.models.bundle import METADATA, WEIGHTS, Bundle, save_bundle
from ctviewer.models.metadata import Metadata
from ctviewer.models.registry import Registry, children, taken_versions
from ctviewer.models.training_run import TrainingRun

TASK = "study_classifier"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own"


@pytest.fixture
def registry(tmp_path: Path, own: Path) -> Registry:
    return Registry([own, tmp_path / "shipped"], own / "active.json")


@pytest.fixture
def versions(tmp_path: Path, own: Path, metadata: Metadata, run: TrainingRun) -> list[Bundle]:
    """One that is shipped, and three that training made of it."""
    shipped = save_bundle(tmp_path / "shipped" / "tiny-1.0.0", _version(metadata, "1.0.0"), {"w": torch.zeros(1)})
    made = [shipped]
    for i, version in enumerate(("1.1.0", "1.2.0", "1.3.0"), 1):
        m = dataclasses.replace(_version(metadata, version), run=run, parent=shipped.key)
        made.append(save_bundle(own / f"tiny-{version}", m, {"w": torch.full((1,), float(i))}))
    return made


def _version(metadata: Metadata, version: str) -> Metadata:
    return dataclasses.replace(metadata, version=version)


def test_what_training_made_is_not_used_before_somebody_says_so(registry: Registry, versions: list[Bundle]) -> None:
    assert registry.active(TASK) == versions[0]
    registry.activate(versions[3])
    assert registry.active(TASK) == versions[3]


def test_what_training_made_takes_no_damaged_models_place(registry: Registry, versions: list[Bundle]) -> None:
    (versions[0].folder / WEIGHTS).write_bytes(b"")
    with pytest.raises(BundleError, match="SHA-256 differs"):
        registry.active(TASK)
    shutil.rmtree(versions[0].folder)
    assert registry.active(TASK) is None
    registry.activate(versions[1])
    assert registry.active(TASK) == versions[1]


def test_rolling_back_goes_one_step_at_a_time_to_what_was_there_before_any_choice(
    registry: Registry, versions: list[Bundle]
) -> None:
    for bundle in versions[1:]:
        registry.activate(bundle)
    assert [registry.roll_back(TASK) for _ in range(3)] == [versions[2], versions[1], versions[0]]
    assert registry.active(TASK) == versions[0] and registry.before(TASK) is None
    with pytest.raises(InputError, match="no earlier model"):
        registry.roll_back(TASK)
    assert [one.act for one in registry.history(TASK)] == ["found"] + ["activated"] * 3 + ["rolled back"] * 3


def test_after_going_back_another_choice_leads_back_to_where_one_was(
    registry: Registry, versions: list[Bundle]
) -> None:
    registry.activate(versions[1])
    registry.activate(versions[2])
    registry.roll_back(TASK)
    registry.activate(versions[3])
    before = registry.before(TASK)
    assert before is not None and before.key == versions[1].key
    assert registry.roll_back(TASK) == versions[1]
    assert registry.roll_back(TASK) == versions[0]


def test_activating_what_is_active_is_no_step(registry: Registry, versions: list[Bundle]) -> None:
    registry.activate(versions[1])
    registry.activate(versions[1])
    assert registry.roll_back(TASK) == versions[0]


def test_tasks_have_histories_of_their_own(registry: Registry, versions: list[Bundle], own: Path) -> None:
    m = dataclasses.replace(
        versions[0].metadata, task="one_shot", name="finder", negative_class="", lesion_classes=("some",),
        preprocessing=dataclasses.replace(versions[0].metadata.preprocessing, crop=64),
    )  # fmt: skip
    finders = [
        save_bundle(own / f"finder-{v}", _version(m, v), {"w": torch.zeros(1)}) for v in ("1.0.0", "1.1.0")
    ]  # fmt: skip
    registry.activate(finders[0])
    registry.activate(versions[1])
    assert registry.roll_back("one_shot") == finders[1]
    assert registry.active(TASK) == versions[1]


@pytest.mark.parametrize("harm", ["gone", "damaged", "exchanged"])
def test_what_cannot_be_gone_back_to_is_told_and_nothing_changes(
    registry: Registry, versions: list[Bundle], harm: str
) -> None:
    registry.activate(versions[1])
    registry.activate(versions[2])
    folder = versions[1].folder
    if harm == "damaged":
        (folder / WEIGHTS).write_bytes(b"x")
    else:
        shutil.rmtree(folder)
    if harm == "exchanged":
        save_bundle(folder, versions[1].metadata, {"w": torch.full((1,), 9.0)})
    words = "weights are others" if harm == "exchanged" else "not installed or is damaged"
    with pytest.raises(BundleError, match=rf"tiny-classifier 1\.1\.0 .*{words}.*Nothing was changed; .*1\.0\.0"):
        registry.roll_back(TASK)
    assert registry.active(TASK) == versions[2]


def test_a_version_whose_weights_were_exchanged_is_not_used(registry: Registry, versions: list[Bundle]) -> None:
    registry.activate(versions[1])
    shutil.rmtree(versions[1].folder)
    save_bundle(versions[1].folder, versions[1].metadata, {"w": torch.full((1,), 9.0)})
    with pytest.raises(BundleError, match="weights are others"):
        registry.active(TASK)


def test_a_choice_of_an_older_program_is_kept_and_gone_back_to(
    registry: Registry, versions: list[Bundle], own: Path
) -> None:
    (own / "active.json").write_text(json.dumps({TASK: versions[1].key}))
    assert registry.active(TASK) == versions[1] and registry.before(TASK) is None
    registry.activate(versions[2])
    assert registry.roll_back(TASK) == versions[1]


def test_an_older_program_may_choose_in_between(registry: Registry, versions: list[Bundle], own: Path) -> None:
    registry.activate(versions[1])
    data = json.loads((own / "active.json").read_text())
    assert data[TASK] == versions[1].key  # what it reads
    (own / "active.json").write_text(json.dumps({**data, TASK: versions[3].key}))
    assert registry.roll_back(TASK) == versions[1]
    assert registry.roll_back(TASK) == versions[0]


@pytest.mark.parametrize("text", ["{", "[]", '{"study_classifier": 5}', '{"history": 3}', '{"history": [{"task": 1}]}'])
def test_a_damaged_file_is_told_and_kept(registry: Registry, versions: list[Bundle], own: Path, text: str) -> None:
    (own / "active.json").write_text(text)
    assert any("active.json is damaged" in one for one in registry.scan()[1])
    registry.activate(versions[1])
    assert registry.active(TASK) == versions[1] and registry.scan()[1] == ()
    assert [path.read_text() for path in own.glob("active-damaged-*.json")] == [text]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only(registry: Registry, versions: list[Bundle], own: Path) -> None:
    own.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="could not be written"):
            registry.activate(versions[1])
    finally:
        own.chmod(0o700)


def test_a_folder_that_cannot_be_made(tmp_path: Path, versions: list[Bundle]) -> None:
    (tmp_path / "file").write_text("")
    registry = Registry([tmp_path / "shipped"], tmp_path / "file" / "active.json")
    with pytest.raises(StorageError, match="could not be written"):
        registry.activate(versions[0])


def test_two_processes_lose_no_choice(registry: Registry, versions: list[Bundle], own: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ctviewer.models.registry import Registry;"
        "own, shipped, *keys = sys.argv[1:]; r = Registry([Path(own), Path(shipped)], Path(own) / 'active.json');"
        "found = {b.key: b for b in r.scan()[0]}; sys.stdin.readline();"
        "[r.activate(found[k]) for _ in range(10) for k in keys]"
    )
    pairs = [(versions[0].key, versions[1].key), (versions[2].key, versions[3].key)]
    arguments = [sys.executable, "-c", code, str(own), str(tmp_path / "shipped")]
    processes = [subprocess.Popen([*arguments, *pair], stdin=subprocess.PIPE, text=True) for pair in pairs]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert sum(one.act == "activated" for one in registry.history(TASK)) == 40
    assert registry.active(TASK) is not None


def test_children_are_known_by_the_weights_of_their_parent(versions: list[Bundle], own: Path) -> None:
    assert children(versions[0], versions) == tuple(versions[1:])
    other = dataclasses.replace(versions[1].metadata.run, parent_sha256="f" * 64)
    m = dataclasses.replace(versions[1].metadata, version="1.4.0", run=other)
    stranger = save_bundle(own / "tiny-1.4.0", m, {"w": torch.zeros(1)})
    assert stranger not in children(versions[0], [*versions, stranger])


def test_versions_leave_traces(versions: list[Bundle], own: Path, registry: Registry) -> None:
    name = "tiny-classifier"
    assert max(taken_versions(name, [own])) == (1, 3, 0)
    registry.activate(versions[3])
    shutil.rmtree(versions[3].folder)
    assert max(taken_versions(name, [own])) == (1, 3, 0)  # it was active once
    (own / f"{name}-1.7.0").mkdir()
    (own / f"{name.upper()}-1.6.0").write_text("")
    (versions[2].folder / METADATA).write_bytes(b'{"parent": "tiny-classifier 1.9.0", "name": "\xff')
    assert {(1, 6, 0), (1, 7, 0), (1, 9, 0)} <= taken_versions(name, [own])
    assert taken_versions("tiny-class", [own]) == set()  # another name that begins alike
    assert taken_versions(name, [own / "absent"]) == set()
