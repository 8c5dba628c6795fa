"""The one-shot model's word on slices in the real window: lane, panel and regions, apart from the study's class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from ctviewer.core.analysis_events import SliceSegmented, StudyClassified
from ctviewer.core.events import Done, Event
from ctviewer.core.findings import Lungs, Roi, SliceClasses, SliceScore
from ctviewer.core.volume import Volume
from ctviewer.ui.panels.slice_class_panel import NOT_LOOKED_AT
from ctviewer.ui.services import StudyClasses
from ctviewer.ui.strip.heat_strip import WIDTH

NAMES = ("control", "CP", "COVID-19")
HOT = 8


def logits_of(index: int) -> tuple[float, ...]:
    return (-4.0, -1.0, 3.0) if index == HOT else (4.0, -5.0, -6.0)


def rois_of(index: int) -> tuple[Roi, ...]:
    return (
        Roi(index, (16.0, 24.0, 26.0, 34.0), "ground glass", 0.9, 0.8, 0.1),
        Roi(index, (36.0, 20.0, 50.0, 44.0), "lung", 0.2, 0.2, 0.9),
    )


@dataclass
class OneShot:
    """The scripted analysis of the other tests, by a model that tells classes of slices too."""

    scripted: object
    alone: bool = False

    def __call__(self, volume: Volume) -> Iterator[Event]:
        for event in self.scripted(volume):
            if isinstance(event, SliceSegmented):
                i = event.slice_index
                yield replace(event, class_logits=logits_of(i), rois=rois_of(i))
            elif isinstance(event, Done):
                yield Done(self._told(volume, event.value))
            elif not (self.alone and isinstance(event, StudyClassified)):
                yield event

    def _told(self, volume, result):
        logits = np.array([logits_of(i) for i in range(volume.slice_count)])
        rois = tuple(roi for i in range(volume.slice_count) for roi in rois_of(i))
        told = SliceClasses(result.provenance.models[-1], NAMES, "control", logits)
        classification = None if self.alone else result.classification
        return replace(
            result, classification=classification, slice_classes=told, rois=rois, lungs=Lungs(9.0, 8.0, 17.0)
        )


@pytest.fixture
def one_shot(services, monkeypatch):
    services.analysis = OneShot(services.analysis)
    monkeypatch.setattr(services, "slice_classes", lambda: StudyClasses(NAMES, "control", exclusive=False))
    return services.analysis


@pytest.fixture
def analysed(one_shot, ready, qtbot):
    with qtbot.waitSignal(ready.analysing.finished, timeout=10_000):
        ready.actions_["analyse"].trigger()
    return ready


def test_lane_and_panel_tell_the_slice_on_show(analysed):
    parts = analysed.parts
    analysed.session.go_to(HOT)
    assert parts.slice_class.isVisible()
    assert parts.slice_class._bars.accessibleName() == "control 0.02, A CP 0.27, B COVID-19 0.95"
    position = analysed.session.position_of(HOT)
    assert [line.strip() for line in parts.strip.hover_text(position)[-3:]] == [
        *("control 0.02", "A CP 0.27", "B COVID-19 0.95")
    ]
    analysed.session.go_to(2)
    assert parts.slice_class._bars.accessibleName() == "control 0.98, A CP <0.01, B COVID-19 <0.01"
    assert parts.slice_class._where.text() == analysed.session.volume.series.image_name(2)


def test_the_answer_about_the_study_is_the_classifiers_alone(analysed):
    assert analysed.parts.result._bars.accessibleName() == "no finding 0.10, infection-like 0.90"
    assert analysed.parts.result._lungs.text().startswith("Lungs 17 mL (right 9, left 8)")
    assert analysed.results._ranked_by is SliceScore.ATTENTION


def test_regions_are_off_until_their_key_is_pressed(analysed, qapp):
    view, action = analysed.parts.view, analysed.actions_["rois"]
    analysed.session.go_to(HOT)
    assert not action.isChecked() and action.isEnabled() and view._scene.shown_rois == ()
    QTest.keyClick(view, Qt.Key.Key_O, Qt.KeyboardModifier.ShiftModifier)
    assert action.isChecked() and tuple(view._scene.shown_rois) == rois_of(HOT)
    analysed.session.go_to(HOT + 1)
    assert tuple(view._scene.shown_rois) == rois_of(HOT + 1)
    QTest.keyClick(view, Qt.Key.Key_Space)
    assert view._scene.shown_rois == ()
    QTest.keyClick(view, Qt.Key.Key_Space)
    QTest.keyClick(view, Qt.Key.Key_O, Qt.KeyboardModifier.ShiftModifier)
    assert view._scene.shown_rois == ()


def test_the_command_stands_in_the_view_menu(ready):
    menu = next(m for m in ready.menuBar().actions() if m.text() == "&View").menu()
    assert ready.actions_["rois"] in menu.actions()
    assert not ready.actions_["rois"].isEnabled()  # nothing was analysed


def test_room_for_the_lane_is_made_when_the_analysis_starts_not_while_it_runs(one_shot, ready, qtbot):
    widths, strip = [], ready.parts.strip
    assert strip.sizeHint().width() == WIDTH
    one_shot.scripted.before_step = lambda _step: widths.append(strip.sizeHint().width())
    with qtbot.waitSignal(ready.analysing.finished, timeout=10_000):
        ready.actions_["analyse"].trigger()
        widths.append(strip.sizeHint().width())
    assert set(widths) == {strip.sizeHint().width()} and widths[0] > WIDTH


def test_while_it_runs_what_is_known_is_shown(one_shot, ready, qtbot):
    ready.session.go_to(2)
    state = ready.analysing
    with qtbot.waitSignal(state.finished, timeout=10_000):
        ready.actions_["analyse"].trigger()
        assert ready.parts.slice_class.isVisible()
        assert ready.parts.slice_class._note.text() == NOT_LOOKED_AT
        with qtbot.waitSignal(state.marked, timeout=10_000) as marked:
            pass
        index = marked.args[0]
        assert state.state.class_logits[index].tolist() == list(logits_of(index))
        assert state.state.rois[index] == rois_of(index)
    assert ready.parts.slice_class._note.text() != NOT_LOOKED_AT


def test_the_one_shot_model_alone_gives_the_main_lane_to_lesion_area(one_shot, ready, qtbot):
    one_shot.alone = True
    with qtbot.waitSignal(ready.analysing.finished, timeout=10_000):
        ready.actions_["analyse"].trigger()
    data = ready.parts.strip._data
    assert data.score is SliceScore.LESION_AREA and data.title == "Lesion area" and data.area is None
    assert "say nothing of the whole study" in ready.parts.result._status.text()
    assert ready.parts.strip.hover_text(ready.session.position_of(HOT))[2].startswith("lesion area ")


def test_another_series_takes_lane_panel_and_regions_away(analysed, open_and_wait, write_study, tmp_path):
    analysed.actions_["rois"].setChecked(True)
    open_and_wait(analysed, write_study(tmp_path / "opened" / "other", seed=3))
    parts = analysed.parts
    assert not parts.slice_class.isVisible() and parts.strip.sizeHint().width() == WIDTH
    assert parts.view._scene.shown_rois == () and not analysed.actions_["rois"].isEnabled()


def test_a_kept_result_comes_back_with_all_of_it(analysed, open_and_wait, write_study, study, tmp_path):
    open_and_wait(analysed, write_study(tmp_path / "opened" / "other", seed=3))
    open_and_wait(analysed, study)
    analysed.session.go_to(HOT)
    assert analysed.parts.slice_class._bars.accessibleName() == "control 0.02, A CP 0.27, B COVID-19 0.95"
    assert analysed.actions_["rois"].isEnabled()


def test_a_result_without_slice_classes_shows_none(ready, qtbot):
    with qtbot.waitSignal(ready.analysing.finished, timeout=10_000):
        ready.actions_["analyse"].trigger()
    assert not ready.parts.slice_class.isVisible() and ready.parts.strip.sizeHint().width() == WIDTH


def test_findings_keep_their_ids_while_scrolling(analysed):
    table, view = analysed.parts.findings, analysed.parts.view
    ids = []
    for index in (HOT - 1, HOT, HOT + 1):
        analysed.session.go_to(index)
        ids.append({shape.lesion_id for shape in view._scene.shapes})
    assert ids == [{1}, {1}, {1}] and table._model.row_of(1) == 0
