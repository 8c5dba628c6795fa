"""The second page: what pre-flight found, before anything is trained."""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from ctviewer.core.events import Progress
from ctviewer.core.words import counted
from ctviewer.training.preflight.report import PreflightReport, Severity, to_lines
from ctviewer.ui.finetune import pages
from ctviewer.ui.finetune.preflight_findings import FindingsPanel, SeverityMark, verdict
from ctviewer.ui.finetune.preflight_tables import CountsPanel, EstimatePanel, ShortcutsPanel, WidthsPanel
from ctviewer.ui.finetune.widgets import clear, lay_out_page, note, say
from ctviewer.ui.panels.common import ElidedLabel, Panel

_BEGINS = "The check begins…"
_NOT_YET = "Nothing was checked yet."
_WHILE = "Everything is read once, and nothing is written into the folders. You can go on reading meanwhile."


class PreflightPage(pages.PreflightPage):
    """Shows a check while it runs and its report; ready when no error stands and each doubt has its tick."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._report: PreflightReport | None = None
        self._was_ready = False
        self._verdict, self._counted = ElidedLabel(_NOT_YET), note()
        self._mark = QHBoxLayout()
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(6)
        self._bar.setAccessibleName("Progress of the check")
        self._bar.hide()
        self._problem = note("", "danger")
        self.copy_button = QPushButton("Copy as &text")
        self.copy_button.setAutoDefault(False)
        self.copy_button.setToolTip("The whole report; it names studies and patients")
        self.findings, self.counts, self.widths = FindingsPanel(), CountsPanel(), WidthsPanel()
        self.shortcuts, self.estimate = ShortcutsPanel(), EstimatePanel()
        self._body = QWidget()
        self._lay_out()
        self.findings.changed.connect(self._follow)
        self.findings.study_requested.connect(self.study_requested)
        self.copy_button.clicked.connect(self._copy)
        self._follow()

    def _lay_out(self) -> None:
        font = self._verdict.font()
        font.setBold(True)
        self._verdict.setFont(font)
        head = Panel("Verdict")
        line = QHBoxLayout()
        line.addLayout(self._mark)
        line.addWidget(self._verdict, 1)
        head.header.addWidget(self.copy_button)
        head.body.addLayout(line)
        for widget in (self._counted, self._bar, self._problem):
            head.body.addWidget(widget)
        left, right = (self.findings, self.shortcuts), (self.counts, self.widths, self.estimate)
        lay_out_page(self, head, self._body, left, right)

    @property
    def ready(self) -> bool:
        """Whether nothing stands against the run."""
        return self._report is not None and not self._report.blocked and not self.findings.open_doubts

    def set_progress(self, progress: Progress | None) -> None:
        """The check goes on; None: it does not."""
        self._bar.setVisible(progress is not None)
        if progress is None:
            return
        self._report = None
        say(self._problem, "")
        self._bar.setRange(0, progress.total)
        self._bar.setValue(progress.done)
        of = f" ({progress.done} of {progress.total})" if progress.total else ""
        self._verdict.setText(f"{progress.stage}{of}" if progress.stage else _BEGINS)
        self._follow()

    def set_report(self, report: PreflightReport) -> None:
        """The check is done."""
        self._report = report
        self._bar.hide()
        say(self._problem, "")
        for panel in (self.findings, self.counts, self.widths, self.shortcuts, self.estimate):
            panel.set_report(report)
        self._follow()

    def set_problem(self, text: str) -> None:
        """The check could not be done."""
        self._report = None
        self._bar.hide()
        self._verdict.setText("The data could not be checked." if text else _NOT_YET)
        say(self._problem, text)
        self._follow()

    def _follow(self) -> None:
        """Verdict and readiness, as ticks are set."""
        report = self._report
        clear(self._mark)
        self._body.setVisible(report is not None)
        self.copy_button.setVisible(report is not None)
        if report is None:
            say(self._counted, "" if self._bar.isHidden() else _WHILE)
        else:
            severity, text = verdict(report, self.findings.open_doubts)
            self._mark.addWidget(SeverityMark(severity))
            self._verdict.setText(text)
            say(self._counted, _counted(report))
        if self.ready != self._was_ready:
            self._was_ready = self.ready
            self.ready_changed.emit(self.ready)

    def _copy(self) -> None:
        if self._report is not None:
            QGuiApplication.clipboard().setText("\n".join(to_lines(self._report)))


def _counted(report: PreflightReport) -> str:
    notes = sum(one.severity is Severity.INFO for one in report.findings)
    errors = len(report.findings) - notes - len(report.doubts)
    many = [
        f"{errors} {'error' if errors == 1 else 'errors'}",
        f"{len(report.doubts)} {'doubt' if len(report.doubts) == 1 else 'doubts'}",
    ]
    return (
        f"{counted(report.studies, report.unit)} of {counted(report.patients, 'patient')} were looked at: {', '.join(many)}, "
        f"{notes} {'note' if notes == 1 else 'notes'}."
    )
