"""What pre-flight found, a row each: errors, doubts with a tick to accept, notes; studies are links."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QEvent, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ctviewer.core.words import counted
from ctviewer.training.preflight.report import Finding, PreflightReport, Severity
from ctviewer.ui import theme
from ctviewer.ui.finetune.widgets import clear
from ctviewer.ui.panels.common import Panel, role_label
from ctviewer.ui.theme import SPACE

_ICON = 16
_FEW, _MOST = 6, 200  # studies named at first, and at the most
_MORE = "more"
_NAMES = {Severity.ERROR: "Error", Severity.DOUBT: "Doubt", Severity.INFO: "Note"}


class SeverityMark(QWidget):
    """The icon of a severity; errors and doubts also differ in their word."""

    def __init__(self, severity: Severity) -> None:
        super().__init__()
        self._severity = severity
        self.setFixedSize(QSize(_ICON, _ICON))

    def paintEvent(self, event: QPaintEvent) -> None:
        """As the notices of the reading window are marked."""
        c = theme.colours()
        colour = {Severity.ERROR: c.danger, Severity.DOUBT: c.warning, Severity.INFO: c.info}[self._severity]
        painter = QPainter(self)
        theme.draw_icon(
            painter, "info" if self._severity is Severity.INFO else "warning", QRect(0, 0, _ICON, _ICON), colour
        )
        painter.end()


class FindingRow(QWidget):
    """One finding.

    Signals:
        ticked: a doubt was accepted, or is not any more.
        study_requested: name of a study that was clicked.
    """

    ticked = Signal()
    study_requested = Signal(str)

    def __init__(self, finding: Finding, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.finding = finding
        self.setAccessibleName(f"{_NAMES[finding.severity]}: {finding.text}")
        self.tick = QCheckBox("I have seen this and accept it")
        self.tick.setAccessibleDescription(finding.text)
        self.tick.setVisible(finding.severity is Severity.DOUBT)
        self.tick.toggled.connect(self.ticked)
        text = role_label(finding.text, "", wrap=True)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._links = QLabel()
        self._links.setWordWrap(True)
        self._links.setTextFormat(Qt.TextFormat.RichText)
        self._links.setProperty("role", "small")
        self._links.setAccessibleName("Studies")
        self._links.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByKeyboard | Qt.TextInteractionFlag.LinksAccessibleByMouse
        )
        self._links.linkActivated.connect(self._follow)
        self._links.setVisible(bool(finding.studies))
        self._name_studies(_FEW)
        box = QVBoxLayout()
        box.setSpacing(SPACE // 4)
        for widget in (text, self._links, self.tick):
            box.addWidget(widget)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, SPACE // 4, 0, SPACE // 2)
        row.addWidget(SeverityMark(finding.severity), 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(box, 1)

    @property
    def accepted(self) -> bool:
        """Whether this stands against nothing."""
        return self.finding.severity is Severity.INFO or (
            self.finding.severity is Severity.DOUBT and self.tick.isChecked()
        )

    def changeEvent(self, event: QEvent) -> None:
        """Links have the colour of the theme that they were made in."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            text = self._links.text()
            self._links.clear()  # the same text again would be left as it is
            self._links.setText(text)

    def _name_studies(self, most: int) -> None:
        studies = self.finding.studies
        links = [f'<a href="{number}">{escape(study)}</a>' for number, study in enumerate(studies[:most])]
        rest = len(studies) - len(links)
        if rest and most < _MOST:
            links.append(f'<a href="{_MORE}">{rest} more…</a>')
        elif rest:
            links.append(f"and {rest} more")
        self._links.setText(", ".join(links))

    def _follow(self, link: str) -> None:
        if link == _MORE:
            self._name_studies(_MOST)
        else:
            self.study_requested.emit(self.finding.studies[int(link)])


class FindingsPanel(Panel):
    """All findings of a report, errors first.

    Signals:
        changed: a tick was set or taken away.
        study_requested: name of a study that was clicked.
    """

    changed = Signal()
    study_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Findings", parent)
        self._rows: list[FindingRow] = []
        self._list = QVBoxLayout()
        self._list.setSpacing(0)
        self._none = role_label("Nothing was found that speaks against these data.", "", wrap=True)
        self.body.addWidget(self._none)
        self.body.addLayout(self._list)
        self.body.addStretch(1)

    @property
    def rows(self) -> tuple[FindingRow, ...]:
        """As they stand, errors first."""
        return tuple(self._rows)

    @property
    def open_doubts(self) -> int:
        """Doubts without a tick."""
        return sum(row.finding.severity is Severity.DOUBT and not row.accepted for row in self._rows)

    def set_report(self, report: PreflightReport) -> None:
        """Show what a report says; ticks are not taken over: each report is read anew."""
        clear(self._list)
        self._rows = [FindingRow(finding) for finding in report.findings]
        for row in self._rows:
            row.ticked.connect(self.changed)
            row.study_requested.connect(self.study_requested)
            self._list.addWidget(row)
        self._none.setVisible(not self._rows)


def verdict(report: PreflightReport, open_doubts: int) -> tuple[Severity, str]:
    """How grave it is, and what that means for the run, in one or two sentences."""
    errors = sum(one.severity is Severity.ERROR for one in report.findings)
    if errors:
        what = "1 error stands" if errors == 1 else f"{errors} errors stand"
        return Severity.ERROR, f"{what} against this run. Mend the data or the choice, and check again."
    if open_doubts:
        what = "1 doubt wants" if open_doubts == 1 else f"{open_doubts} doubts want"
        return Severity.DOUBT, f"Nothing blocks this run; {what} your tick."
    many = f"{counted(report.studies, report.unit)} can be used." if not report.doubts else "All doubts are accepted."
    return Severity.INFO, f"Nothing stands against this run. {many}"
