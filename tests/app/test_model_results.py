"""What the window's list of models knows of a version: its run, the comparison kept, how often the hold-out was seen."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ctviewer.app import comparisons
from ctviewer.app.folders import data_folder
from ctviewer.app.models import installed
from ctviewer.app.runs import runs_folder
from ctviewer.app.services import AppServices
from ctviewer.app.training import looks_at
from ctviewer.core.errors import InputError
from ctviewer.models.bundle import Bundle, load_bundle
from ctviewer.models.training_run import HoldOut
from ctviewer.training.comparison import Comparison, Difference, Sides, write_comparison
from ctviewer.training.run_folder import COMPARISON, FINISHED, RunState, write_state

TASK = "study_classifier"


def changed(bundle: Bundle, **changes) -> Bundle:
    """A copy beside it under another version."""
    folder = bundle.folder.with_name(f"{bundle.metadata.name}-{changes['version']}")
    shutil.copytree(bundle.folder, folder)
    path = folder / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return load_bundle(folder)


@pytest.fixture
def base(classifier) -> Bundle:
    folder = data_folder() / "bundles" / "base"
    shutil.copytree(classifier.folder, folder)
    return load_bundle(folder)


@pytest.fixture
def child(base) -> Bundle:
    return changed(base, version="0.2.0", parent=base.key)


@pytest.fixture
def services():
    made = AppServices()
    yield made
    made.store.close()


def compared(old: str, new: str) -> Comparison:
    figure = Difference("log loss", 0.5, 0.4, -0.2, -0.1, True, 9)
    return Comparison(old, new, ("a", "b"), "a", 9, 9, 0.5, 0.5, (figure,), Sides(5, 1, 2, 1), (), (), (), None, None)


def test_a_version_that_no_training_made_has_nothing_to_compare(services, base, child):
    installed().activate(child)
    found = services.model_result(base.key)
    assert found.comparison is None and found.parent == "" and found.folder == Path()
    with pytest.raises(InputError, match="not installed"):
        services.model_result("nothing 1.0.0")


def test_without_its_run_the_comparison_that_is_kept_is_shown(services, base, child):
    installed().activate(base)
    assert services.model_result(child.key).comparison is None
    comparisons.keep(child, base, compared(base.key, child.key))
    found = services.model_result(child.key)
    assert found.comparison == compared(base.key, child.key) and found.folder == Path()
    assert (found.key, found.parent, found.active, found.looks) == (child.key, base.key, False, 0)
    shutil.rmtree(base.folder)
    assert services.model_result(child.key).comparison is None, "its parent is gone"


def test_the_run_that_made_a_version_is_found(services, base, child):
    folder = runs_folder() / "20261122-run"
    folder.mkdir(parents=True)
    write_state(folder, RunState(FINISHED, bundle=str(child.folder)))
    write_comparison(folder / COMPARISON, compared(base.key, child.key))
    found = services.model_result(child.key)
    assert found.folder == folder and found.comparison is not None


def test_the_list_names_parents_and_choosing_can_be_undone(services, base, child):
    installed().activate(base)
    cards = {card.key: card for card in services.models()[0]}
    assert cards[child.key].parent == base.key and not cards[child.key].active and cards[base.key].active
    services.activate_model(child.key)
    assert services.model_before(TASK) == base.key
    assert {card.key for card in services.models()[0] if card.active and card.task == TASK} == {child.key}
    assert services.model_result(child.key).active
    assert services.roll_back_model(TASK) == base.key
    assert {card.key for card in services.models()[0] if card.active and card.task == TASK} == {base.key}


def test_where_nothing_was_chosen_there_is_nothing_to_go_back_to(services, base):
    assert services.model_before(TASK) == ""
    with pytest.raises(InputError, match="no earlier model"):
        services.roll_back_model(TASK)


def test_looks_count_the_run_itself(child):
    assert looks_at(child) == 0
    held = (HoldOut("test", 9, 9, "", {"training": 2, "comparison": 1}), HoldOut("external:Ulm", 3, 3))
    run = SimpleNamespace(holdouts=held)
    assert looks_at(replace(child, metadata=replace(child.metadata, run=run))) == 4
