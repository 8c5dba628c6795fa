"""The main window: widgets, presenters and commands put together. What happens is decided in the presenters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QByteArray, Qt, QTimer, QUrl
from PySide6.QtGui import QCloseEvent, QDesktopServices, QDragEnterEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import QApplication, QLabel, QMainWindow

from ctviewer.core.printing import PageSize
from ctviewer.core.series import Catalog, Notice, Series, Severity
from ctviewer.core.volume import Volume
from ctviewer.core.volume_cache import VolumeCache
from ctviewer.core.windowing import PRESETS, Voi
from ctviewer.dicom import analysis_candidate
from ctviewer.jobs import JobRunner
from ctviewer.ui import dialogs, theme
from ctviewer.ui.actions import connect, make_actions
from ctviewer.ui.binders.asking import AskingBinder
from ctviewer.ui.binders.correcting import CorrectingBinder
from ctviewer.ui.binders.exporting import ExportingBinder
from ctviewer.ui.binders.files import FilesBinder
from ctviewer.ui.binders.findings import FindingsBinder
from ctviewer.ui.binders.image import ImageBinder, series_name, suits_better, window_text
from ctviewer.ui.binders.information import InformationBinder
from ctviewer.ui.binders.licences import LicencesBinder
from ctviewer.ui.binders.models import ModelsBinder
from ctviewer.ui.binders.results import ResultsBinder
from ctviewer.ui.binders.slice_answers import SliceAnswersBinder
from ctviewer.ui.binders.stating import StatingBinder
from ctviewer.ui.binders.status import StatusBinder
from ctviewer.ui.binders.training import TrainingBinder
from ctviewer.ui.binders.words import WordsBinder
from ctviewer.ui.layout import build_parts
from ctviewer.ui.menus import build_menus, build_toolbar, fill_file_windows
from ctviewer.ui.panels.common import grey_image
from ctviewer.ui.presenters.analysing import AnalysingPresenter, Phase
from ctviewer.ui.presenters.asking import AskingPresenter
from ctviewer.ui.presenters.correcting import CorrectingPresenter
from ctviewer.ui.presenters.exporting import ExportingPresenter
from ctviewer.ui.presenters.models import ModelsPresenter
from ctviewer.ui.presenters.opening import OpeningPresenter
from ctviewer.ui.presenters.reading import ReadingPresenter
from ctviewer.ui.presenters.reporting import ReportingPresenter
from ctviewer.ui.presenters.training import TrainingPresenter
from ctviewer.ui.services import Services
from ctviewer.ui.session import Session
from ctviewer.ui.viewport import Tool

WELCOME = "Drop a folder of CT slices here, or open one with Ctrl+O."
NOT_SHOWN = "This series cannot be shown."
_PRELOAD_AFTER_MS = 1500  # the reader has the first image; now the models' libraries may come
_JOIN_SECONDS = 15.0
PAPERS = tuple(size.value for size in PageSize)


class MainWindow(QMainWindow):
    """One window, one open series."""

    def __init__(self, services: Services, jobs: JobRunner) -> None:
        super().__init__()
        self.setObjectName("main_window")
        self.setWindowTitle("ctviewer")
        self.resize(1280, 800)
        self.setAcceptDrops(True)
        self.services = services
        self._jobs = jobs
        self.session = Session(self)
        self.volumes = VolumeCache(services.preferences().memory_bytes)
        self.opening = OpeningPresenter(self.session, jobs, self.volumes, self)
        self.analysing = AnalysingPresenter(self.session, jobs, services.analyse, self)
        self.reading = ReadingPresenter(self.session, jobs, services.store, self)
        self.correcting = CorrectingPresenter(self.session, self.analysing, self.reading, services.lesion_classes, self)
        self.reporting = ReportingPresenter(self.session, self.analysing, self.reading, jobs, services, self)
        self.exporting = ExportingPresenter(self.session, self.analysing, self.reading, jobs, services, self)
        self.parts = build_parts()
        self.setCentralWidget(self.parts.splitter)
        self.actions_ = make_actions(self, self.parts.centre)
        recent = build_menus(self, self.actions_)
        self._preset_button = build_toolbar(self, self.actions_)
        self._status = self._make_status()
        self.image = ImageBinder(self.session, self.parts.view, self.parts.strip, self)
        self.results = ResultsBinder(self.session, self.analysing, self.correcting, self.parts, services, self)
        self.findings = FindingsBinder(self.session, self.analysing, self.correcting, self.parts, services, self)
        self.editing = CorrectingBinder(self.session, self.correcting, self.findings, self.parts, self.actions_, self)
        self.exports = ExportingBinder(
            *(self.session, self.reporting, self.exporting, services, self.parts.messages, self.actions_, self)
        )
        self.slice_answers = SliceAnswersBinder(
            self.session, self.analysing, self.parts, self.actions_["rois"], services, self
        )
        self.stating = StatingBinder(
            self.session, self.analysing, self.reading, self.parts.result.reader_class, self.actions_, services, self
        )
        self.words = WordsBinder(self.session, self.reading, self.parts, self.actions_["key_image"], self)
        self.status = StatusBinder(
            self.session, self.analysing, self.reading, self.actions_, self._status, services.device_text(), self
        )
        self.files = FilesBinder(self.session, self.opening, services, self.parts.messages, recent, self)
        self.asking = AskingPresenter(self.session, services.store, self.opening.replace_series, self)
        self.questions = AskingBinder(self.asking, self.parts.messages, self.actions_["state"], self)
        self.information = InformationBinder(self.session, self.opening, self.volumes, jobs, services, self)
        self.training = TrainingPresenter(services.training, self)
        self.fine_tuning = TrainingBinder(self.training, services, jobs, self.parts.messages, self)
        self.choosing = ModelsPresenter(services, self)
        self.models = ModelsBinder(self.choosing, self)
        self.licences = LicencesBinder(self.analysing, self.choosing, self.parts.licences, services, self)
        self._bind_presenters()
        self._bind_commands()
        self._bind_panels()
        self._apply_preferences()
        self.parts.view.set_message(WELCOME)
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.setInterval(_PRELOAD_AFTER_MS)
        self._idle.timeout.connect(self._preload)
        self._idle.start()

    # Building

    def _make_status(self) -> QLabel:
        """The line at the foot of the window."""
        line = QLabel()
        line.setTextFormat(Qt.TextFormat.PlainText)
        line.setContentsMargins(8, 2, 8, 2)
        self.statusBar().addWidget(line, 1)
        self.statusBar().setSizeGripEnabled(False)
        return line

    def _bind_presenters(self) -> None:
        opening, analysing, reading = self.opening, self.analysing, self.reading
        opening.place_for = self._leave_for
        opening.answered = self.asking.apply_kept
        opening.scanning.connect(self.parts.series.set_scanning)
        opening.thumbnail_made.connect(self._show_thumbnail)
        opening.notices_changed.connect(self._show_notices)
        opening.failed.connect(self._on_open_failed)
        opening.fully_loaded.connect(self._on_loaded)
        reading.ready.connect(self._on_reading)
        analysing.finished.connect(reading.add_result)
        for changed in (self.choosing.changed, self.training.models_changed):
            changed.connect(self.results.refresh)
            changed.connect(self.licences.refresh)
            changed.connect(self.stating.refresh_classes)
            changed.connect(self.correcting.refresh_classes)
        self.choosing.changed.connect(self.training.look_anew)
        self.training.models_changed.connect(self.models.refresh)
        self.models.study_requested.connect(self.show_path)
        for source in (opening.said, analysing.said, self.reporting.said):
            source.connect(self.parts.messages.say)
        for source in (reading.failed, self.reporting.failed):
            source.connect(lambda text: self.parts.messages.say(text, Severity.DANGER))
        self.session.catalog_changed.connect(self._show_catalog)
        self.session.series_changed.connect(self._on_series)
        self.session.volume_changed.connect(self._on_volume)
        self.session.window_changed.connect(lambda window: self._preset_button.setText(window_text(window)))

    def _bind_commands(self) -> None:
        session, view, services = self.session, self.parts.view, self.services
        tools = (Tool.WINDOW, Tool.PAN, Tool.ZOOM)
        connect(
            self.actions_,
            [
                *((f"preset_{n}", lambda w=w: session.set_window(w)) for n, w in enumerate(PRESETS, 1)),
                ("open_folder", self.files.ask_folder),
                ("open_file", self.files.ask_file),
                ("report", self.reporting.write),
                ("quit", self.close),
                ("undo", self.reading.undo),
                ("redo", self.reading.redo),
                ("key_image", lambda on: self.reading.set_key_image(session.index, on)),
                ("previous_slice", lambda: session.step(-1)),
                ("next_slice", lambda: session.step(1)),
                ("first_slice", lambda: session.go_to_position(0)),
                ("last_slice", lambda: session.go_to_position(session.slice_count - 1)),
                ("previous_series", lambda: self.opening.neighbour(-1)),
                ("next_series", lambda: self.opening.neighbour(1)),
                ("next_ranked", lambda: self.results.step_rank(1)),
                ("previous_ranked", lambda: self.results.step_rank(-1)),
                ("cine", self.image.set_cine),
                *((f"tool_{tool.name.lower()}", lambda on, t=tool: self._choose_tool(t, on)) for tool in tools),
                ("fit", view.fit),
                ("actual_size", view.zoom_one_to_one),
                ("reset", self._reset_view),
                ("flip_h", lambda: view.set_flips(not view.flips[0], view.flips[1])),
                ("flip_v", lambda: view.set_flips(view.flips[0], not view.flips[1])),
                ("invert", view.set_inverted),
                ("histogram", lambda: dialogs.show_histogram(self, session)),
                ("information", self.information.show_information),
                ("state", self.questions.show_dialog),
                ("memory", self.information.show_memory),
                ("bars", self.parts.strip.set_visible_bars),
                ("overlay", self._show_overlay),
                ("graphics", view.set_graphics_visible),
                ("marks", self._show_marks),
                ("panels", self._show_panels),
                ("theme", self._set_light),
                ("window_file", self._window_of_file),
                ("analyse", self._analyse),
                ("cancel", self.analysing.cancel),
                *((f"paper_{p.lower()}", lambda on, p=p: self._choose_paper(p, on)) for p in PAPERS),
                ("auto_analyse", lambda on: services.set_preference(auto_analyse=on)),
                ("accept_class", self.stating.accept),
                ("next_class", self.stating.step),
                ("models", self.models.show_dialog),
                ("fine_tune", self.fine_tuning.show_dialog),
                ("keys", lambda: dialogs.show_keys(self, self.actions_)),
                ("about", lambda: dialogs.show_about(self)),
                ("log", lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(services.log_folder)))),
            ],
        )
        for name in ("tool_window", "bars", "overlay", "graphics", "marks", "panels"):
            self.actions_[name].setChecked(True)

    def _bind_panels(self) -> None:
        parts = self.parts
        parts.series.series_activated.connect(self._open_key)
        parts.series.cancel_requested.connect(self.opening.cancel_scan)
        parts.notices.slice_requested.connect(self.session.go_to)
        parts.result.analyse_requested.connect(self.actions_["analyse"].trigger)
        parts.result.cancel_requested.connect(self.analysing.cancel)
        parts.result.model_requested.connect(self.actions_["models"].trigger)
        parts.findings.opacity_changed.connect(self._set_opacity)
        parts.findings.overlay_toggled.connect(self.actions_["overlay"].setChecked)
        self.image.cine_stopped.connect(lambda: self.actions_["cine"].setChecked(False))
        parts.view.maximise_requested.connect(self.actions_["panels"].toggle)
        parts.comment.escape_pressed.connect(parts.view.setFocus)
        parts.result.reader_class.left.connect(parts.view.setFocus)

    def _apply_preferences(self) -> None:
        preferences = self.services.preferences()
        self.restoreGeometry(QByteArray.fromBase64(preferences.geometry.encode("ascii", "ignore")))
        self.actions_["theme"].setChecked(preferences.light)
        self.actions_[f"paper_{preferences.page.lower()}"].setChecked(True)
        self.actions_["auto_analyse"].setChecked(preferences.auto_analyse)
        self.parts.findings.set_overlay(True, preferences.overlay_opacity)
        self.parts.view.set_overlay_opacity(preferences.overlay_opacity)

    # Opening

    def open_path(self, path: Path) -> None:
        """Open a folder or file; what was open stays until something readable is found."""
        self.files.open_path(path)

    def show_path(self, path: Path) -> None:
        """Open a folder or file that was asked for in another window, and come before that."""
        self.open_path(path)
        self.raise_()
        self.activateWindow()

    def _open_key(self, key: str) -> None:
        catalog, current = self.session.catalog, self.session.series
        series = next((s for s in catalog.series if s.key == key), None) if catalog else None
        if series is not None and (current is None or current.key != key):
            self.opening.open_series(series)

    def _leave_for(self, series: Series) -> tuple[int, Voi | None] | None:
        self.analysing.show(None)
        return self.reading.place_for(series)

    def _on_open_failed(self, text: str) -> None:
        self.parts.messages.say(text, Severity.DANGER, (("Open another folder…", self.files.ask_folder),))

    def _on_series(self, series: Series | None) -> None:
        self.parts.series.set_current(series.key if series else "")
        self.parts.view.set_message("Loading…" if series else WELCOME)

    def _on_volume(self, volume: Volume | None) -> None:
        self.parts.view.set_message("" if volume else NOT_SHOWN if self.session.series else WELCOME)
        fill_file_windows(self._preset_button, volume.windows if volume else (), self.session.set_window)
        if volume is not None:
            self.parts.view.setFocus()

    def _on_loaded(self) -> None:
        self.reading.series_loaded()

    def _on_reading(self, reading: object) -> None:
        """The slices were recognised: show what was kept, start what was asked for meanwhile or by the setting."""
        latest = self.reading.reading.latest if self.reading.reading else None
        if self.analysing.state.phase is Phase.WAITING:
            self.analysing.series_loaded()
        elif latest is not None:
            self.analysing.show(latest.result)
        elif self.services.preferences().auto_analyse:
            self.analysing.start(loaded=True)

    def _show_catalog(self, catalog: Catalog | None) -> None:
        self.parts.series.set_series(catalog.series if catalog else ())

    def _show_thumbnail(self, key: str, pixels: NDArray[np.uint8]) -> None:
        self.parts.series.set_thumbnail(key, grey_image(pixels))

    def _show_notices(self, notices: tuple[Notice, ...]) -> None:
        self.parts.notices.set_notices(notices)

    # Looking

    def _choose_tool(self, tool: Tool, on: bool) -> None:
        if on:
            self.parts.view.set_tool(tool)
            self.correcting.leave()

    def _show_overlay(self, on: bool) -> None:
        self.parts.view.set_overlay_visible(on)
        self.parts.findings.set_overlay(on, self.services.preferences().overlay_opacity)

    def _show_marks(self, on: bool) -> None:
        self.parts.view.set_marks_visible(on)

    def _show_panels(self, on: bool) -> None:
        self.parts.left.setVisible(on)
        self.parts.right.setVisible(on)

    def _set_light(self, on: bool) -> None:
        app = QApplication.instance()
        if isinstance(app, QApplication):
            theme.apply_theme(app, "light" if on else "dark")
        self.services.set_preference(light=on)

    def _set_opacity(self, opacity: float) -> None:
        self.parts.view.set_overlay_opacity(opacity)
        self.services.set_preference(overlay_opacity=opacity)

    def _window_of_file(self) -> None:
        if self.session.volume is not None:
            self.session.set_window(self.session.volume.initial_window)

    def _reset_view(self) -> None:
        self.actions_["invert"].setChecked(False)
        self.parts.view.reset_view()
        self._window_of_file()

    # Analysis and report

    def _analyse(self) -> None:
        """Analyse the open series, and say so where another one of the study suits the models better."""
        catalog, series = self.session.catalog, self.session.series
        better = analysis_candidate(catalog, series) if catalog and series else None
        if better is not None and series is not None and suits_better(better, series):
            text = f"{series_name(series)} is analysed. {series_name(better)} suits the models better."
            self.parts.messages.say(text, Severity.INFO, (("Analyse that one", lambda: self._analyse_other(better)),))
        self.analysing.start(self.opening.complete)

    def _analyse_other(self, series: Series) -> None:
        self.parts.messages.clear()
        self.opening.open_series(series)
        self.analysing.start(loaded=False)

    def _preload(self) -> None:
        """Get the models' libraries ready when nothing else is to do: the first image never waits for them."""
        if self._jobs.active:
            self._idle.start()
        else:
            self._jobs.start("preload", self.services.preload, background=True)

    def _choose_paper(self, page: str, on: bool) -> None:
        if on:
            self.services.set_preference(page=page)

    # Qt's own events

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc gives the focus back to the image, ends cine and puts the brush away."""
        if event.key() == Qt.Key.Key_Escape:
            self.correcting.leave()
            self.actions_["cine"].setChecked(False)
            self.parts.view.setFocus()
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take local folders and files."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open the first local folder or file."""
        self.files.drop(event.mimeData(), event.acceptProposedAction)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Save, a stroke under way too; ask only where something could not be saved. Then end all work."""
        self.parts.view.end_stroke()
        if not self.fine_tuning.may_close() or (not self.reading.save() and not dialogs.close_anyway(self)):
            event.ignore()
            return
        self.fine_tuning.shut_down()
        self.models.shut_down()
        self.services.set_preference(geometry=self.saveGeometry().toBase64().toStdString())
        self.reading.close()
        self.image.set_cine(False)
        self._idle.stop()
        self._jobs.shutdown(_JOIN_SECONDS)
        self.services.store.close()
        event.accept()
