"""What leaves the window as files, to places the reader chooses: the report, findings as JSON or as a training set."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QAction, QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from ctviewer.core.series import Severity
from ctviewer.ui.actions import connect
from ctviewer.ui.message_bar import MessageBar
from ctviewer.ui.presenters.exporting import ExportingPresenter
from ctviewer.ui.presenters.reporting import ReportingPresenter
from ctviewer.ui.services import Services
from ctviewer.ui.session import Session


class ExportingBinder(QObject):
    """Asks where to, and tells what was written.

    Args:
        session: which series is open.
        reporting: writes the report.
        exporting: writes findings.
        services: where reports go by themselves.
        messages: where it is told.
        actions: "report_as", "save_findings" and "export_training" are connected here.
        window: asks.
    """

    def __init__(
        self,
        session: Session,
        reporting: ReportingPresenter,
        exporting: ExportingPresenter,
        services: Services,
        messages: MessageBar,
        actions: dict[str, QAction],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._session, self._reporting, self._exporting = session, reporting, exporting
        self._services, self._messages, self._window = services, messages, window
        asked = (
            ("report_as", self.ask_report),
            ("save_findings", self.ask_findings),
            ("export_training", self.ask_training_set),
        )
        connect(actions, asked)
        reporting.written.connect(self._tell_report)
        exporting.written.connect(self._tell_training_set)
        exporting.saved.connect(self._tell_findings)
        exporting.said.connect(messages.say)
        exporting.failed.connect(lambda text: messages.say(text, Severity.DANGER))

    def ask_report(self) -> None:
        """Let the reader choose the report's place."""
        series = self._session.series
        if series is None:
            return
        proposed = self._services.preferences().report_folder / self._services.report_name(series)
        chosen, _ = QFileDialog.getSaveFileName(self._window, "Write report as", str(proposed), "PDF (*.pdf)")
        if chosen:
            self._reporting.write_to(Path(chosen))

    def ask_findings(self) -> None:
        """Let the reader choose the file of the findings."""
        if self._session.series is None:
            return
        report = self._services.preferences().report_folder / self._services.report_name(self._session.series)
        proposed = report.with_name(f"{report.stem.replace('report', 'findings')}.json")
        chosen, _ = QFileDialog.getSaveFileName(self._window, "Save findings as", str(proposed), "JSON (*.json)")
        if chosen:
            self._exporting.save_findings(Path(chosen))

    def ask_training_set(self) -> None:
        """Let the reader choose the training set's folder."""
        start = self._services.preferences().report_folder.parent
        title = "Choose a folder for the training set"
        chosen = QFileDialog.getExistingDirectory(self._window, title, str(start if start.is_dir() else Path.home()))
        if chosen:
            self._exporting.write_to(Path(chosen))

    def _tell_report(self, path: Path) -> None:
        actions = (("Open", lambda: _reveal(path)), ("Show folder", lambda: _reveal(path.parent)))
        self._messages.say(f"The report was written to {path}", Severity.INFO, actions)

    def _tell_findings(self, path: Path) -> None:
        told = f"The findings were saved to {path}. The file names the patient."
        self._messages.say(told, Severity.INFO, (("Show folder", lambda: _reveal(path.parent)),))

    def _tell_training_set(self, folder: Path, text: str) -> None:
        told = f"{text} The training set is in {folder} and names places on this computer; patients stand as codes."
        self._messages.say(told, Severity.INFO, (("Show folder", lambda: _reveal(folder)),))


def _reveal(target: Path) -> bool:
    return QDesktopServices.openUrl(QUrl.fromLocalFile(str(target)))
