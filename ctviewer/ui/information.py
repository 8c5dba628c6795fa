"""All there is to know of the open series, beside the reading: facts, range of values, warnings with their slices."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import QEvent, QUrl, Signal
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QTextBrowser, QVBoxLayout, QWidget

from ctviewer.core.findings import RESEARCH_USE
from ctviewer.core.series import Severity
from ctviewer.core.summary import Concern, SeriesSummary, SliceMention, ValueRange
from ctviewer.core.summary_text import concern_lines, details, facts, title
from ctviewer.ui import palette, theme
from ctviewer.ui.theme import SMALL_PX, SPACE

NOTHING = "No series is open."
_SLICE = "slice"  # scheme of the links
_MOST_LINKS = 60
_SIZE = (620, 600)
_ORDER = (Severity.DANGER, Severity.WARNING, Severity.INFO)


class InformationDialog(QDialog):
    """Not modal; its owner fills it with `show_series` whenever something changes.

    Signals:
        slice_requested: volume index of a slice that was clicked.
        shown: it came on screen, or will soon: what it shows is worth computing.
    """

    slice_requested = Signal(int)
    shown = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Series information")
        self.resize(*_SIZE)
        self._content: tuple[SeriesSummary, ValueRange | None, tuple[Concern, ...], tuple[Concern, ...]] | None = None
        self._text = QTextBrowser()
        self._text.setOpenLinks(False)
        self._text.setAccessibleName("Series information")
        self._text.anchorClicked.connect(self._follow)
        note = QLabel(f"No patient data, but for what descriptions and file names may hold. {RESEARCH_USE}")
        note.setProperty("role", "small")
        note.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.addWidget(self._text, 1)
        layout.addWidget(note)
        layout.addWidget(self._buttons())
        self._draw()

    def _buttons(self) -> QDialogButtonBox:
        box = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy_button = box.addButton("&Copy as text", QDialogButtonBox.ButtonRole.ActionRole)
        self.copy_button.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text))
        box.rejected.connect(self.close)
        return box

    def show_series(
        self,
        summary: SeriesSummary | None,
        values: ValueRange | None = None,
        extra: Sequence[Concern] = (),
        folder: Sequence[Concern] = (),
    ) -> None:
        """Show a series.

        Args:
            summary: the series; None for none.
            values: the range of its values; None while it is not known.
            extra: what came up while it was loaded.
            folder: what concerns no single series.
        """
        self._content = None if summary is None else (summary, values, tuple(extra), tuple(folder))
        self._draw()

    @property
    def text(self) -> str:
        """What is shown, as `ctviewer info` prints it."""
        if self._content is None:
            return NOTHING
        summary, values, extra, folder = self._content
        lines = [title(summary), *details(summary, values, extra)]
        for one in folder:
            lines += concern_lines(one)
        return "\n".join(lines)

    def showEvent(self, event: QShowEvent) -> None:
        """Tell that it is looked at."""
        super().showEvent(event)
        self.shown.emit()

    def changeEvent(self, event: QEvent) -> None:
        """Another theme has other colours."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._draw()

    def _follow(self, link: QUrl) -> None:
        if link.scheme() == _SLICE:
            self.slice_requested.emit(int(link.path()))

    def _draw(self) -> None:
        if self._content is None:
            self._text.setPlainText(NOTHING)
            return
        summary, values, extra, folder = self._content
        rows = facts(summary, values)
        if values is None and summary.readable:
            at = next((i for i, (label, _) in enumerate(rows) if label == "unit"), len(rows) - 1)
            rows.insert(at + 1, ("values", "measured when all slices are loaded"))
        every = sorted((*summary.warnings, *extra), key=lambda one: _ORDER.index(one.severity))
        bar = self._text.verticalScrollBar()
        place = bar.value()
        self._text.setHtml(
            f"<p><b>{escape(title(summary))}</b></p>{_notes(every)}{_table(rows)}"
            f"{_notes(folder, 'Other files of this folder')}"
        )
        bar.setValue(place)


def _table(rows: Sequence[tuple[str, str]]) -> str:
    muted = theme.colours().muted
    cells = "".join(
        f'<tr><td style="color:{muted}; padding:1px {2 * SPACE}px 1px 0; white-space:nowrap">{escape(label)}</td>'
        f'<td style="padding:1px 0">{escape(text)}</td></tr>'
        for label, text in rows
    )
    return f'<table cellspacing="0" style="margin-top:{SPACE}px">{cells}</table>'


def _notes(found: Sequence[Concern], heading: str = "") -> str:
    if not found:
        return ""
    told = f'<p style="color:{theme.colours().muted}">{escape(heading)}</p>' if heading else ""
    return told + "".join(_note(one) for one in found)


def _note(one: Concern) -> str:
    """Text with a coloured word before it, red for danger alone, then the slices as links."""
    colour = palette.severity_colour(one.severity).name()
    word = "" if one.severity is Severity.INFO else f'<b style="color:{colour}">{one.severity.value}</b>&nbsp; '
    style = f' style="color:{theme.colours().muted}"' if one.severity is Severity.INFO else ""
    links = [_link(each) for each in one.slices[:_MOST_LINKS]] or [escape(name) for name in one.files[:_MOST_LINKS]]
    rest = max(len(one.slices), len(one.files)) - len(links)
    more = f" and {rest} more" if rest else ""
    listed = f'<br><span style="font-size:{SMALL_PX}px">{", ".join(links)}{more}</span>' if links else ""
    return f"<p{style}>{word}{escape(one.text)}{listed}</p>"


def _link(one: SliceMention) -> str:
    place = f" ({one.place})" if one.place else ""
    return f'<a href="{_SLICE}:{one.index}">{escape(one.citation)}</a>{place}'
