"""What the study classifier says, by which model, with which doubt; and the button that starts it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from ctviewer.core.events import Progress
from ctviewer.core.findings import (
    RESEARCH_USE,
    UNVERIFIED,
    AnalysisResult,
    ModelInfo,
    Provenance,
    StudyClassification,
    Suitability,
    probability_text,
)
from ctviewer.ui import palette, theme
from ctviewer.ui.panels.common import ElidedLabel, Panel, role_label
from ctviewer.ui.panels.reader_class import ReaderClass
from ctviewer.ui.panels.series_panel import ProgressLine

NOTHING_OPEN = "Open a chest CT to analyse it."
NOT_ANALYSED = "This series has not been analysed."
STALE = "Made by a model or settings that are no longer active. Analyse again to renew it."
_ROW_PX = 20


class ProbabilityBars(QWidget):
    """One quiet bar with its number per class, in the model's order; the scale is always 0 to 1."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[tuple[str, float], ...] = ()
        self._negative = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_classification(self, classification: StudyClassification | None) -> None:
        """Show the probabilities of one classification; None for none."""
        pairs = zip(classification.model.classes, classification.probabilities, strict=True) if classification else ()
        self._rows = tuple(pairs)
        self._negative = classification.negative_class if classification else ""
        text = ", ".join(f"{name} {probability_text(p)}" for name, p in self._rows)
        self.setAccessibleName(text)
        self.setToolTip("\n".join(f"{name}: {p:.3f}" for name, p in self._rows))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """One row per class."""
        return QSize(180, _ROW_PX * len(self._rows))

    def minimumSizeHint(self) -> QSize:
        """Narrow, but all rows."""
        return QSize(120, _ROW_PX * len(self._rows))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Name, bar, number; the negative class in grey, the others in the accent colour."""
        c, painter = theme.colours(), QPainter(self)
        number_width = painter.fontMetrics().horizontalAdvance("0.000")
        name_width = min(self.width() * 2 // 5, 120)
        left, right = name_width + 6, self.width() - number_width - 6
        flags = Qt.AlignmentFlag.AlignVCenter
        for row, (name, p) in enumerate(self._rows):
            top = row * _ROW_PX
            painter.setPen(QColor(c.text))
            elided = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, name_width)
            painter.drawText(0, top, name_width, _ROW_PX, int(flags | Qt.AlignmentFlag.AlignLeft), elided)
            painter.fillRect(left, top + 7, right - left, 6, QColor(c.window))
            colour = QColor(c.muted) if name == self._negative else palette.attention_colour()
            painter.fillRect(left, top + 7, round((right - left) * p), 6, colour)
            painter.drawText(
                right, top, self.width() - right, _ROW_PX, int(flags | Qt.AlignmentFlag.AlignRight), probability_text(p)
            )
        painter.end()


def provenance_text(provenance: Provenance) -> str:
    """All that made a result, a line each, for the tool tip."""
    models = [f"{m.name} {m.version} ({m.task}), SHA-256 {m.sha256[:12]}…, {m.licence}" for m in provenance.models]
    settings = [f"{name}: {value}" for name, value in provenance.settings]
    machine = f"{provenance.device}, {provenance.precision}, {provenance.seconds:.0f} s"
    return "\n".join([*models, machine, f"{provenance.program}, {provenance.finished}", *settings])


def _doubt(model: ModelInfo) -> list[str]:
    """What a model was trained on and what it is not for, sentence by sentence."""
    trained = model.trained_on[:1].upper() + model.trained_on[1:].rstrip(".")
    limits = [sentence.rstrip(".") + "." for sentence in model.limits.split(". ") if sentence]
    return [f"{trained}.", *limits] if trained else limits


def _first_doubts(models: tuple[ModelInfo, ...]) -> str:
    """The two foremost sentences of each model, none twice: the findings need the room, the tool tip has all."""
    return " ".join(dict.fromkeys(sentence for model in models for sentence in _doubt(model)[:2]))


class ResultPanel(Panel):
    """The answer about the study. One of its `show_...` methods says all that it shows.

    Signals:
        analyse_requested: start, or try again.
        cancel_requested: stop the analysis that runs.
        model_requested: the reader wants the model's card and limits.

    Attributes:
        reader_class: what the reader says, below what the model says; shown where a series is open.
    """

    analyse_requested = Signal()
    cancel_requested = Signal()
    model_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Analysis", parent)
        self._status: QLabel = role_label("", "small", wrap=True)
        self._error: QLabel = role_label("", "danger", wrap=True)
        self._progress = ProgressLine()
        self._bars = ProbabilityBars()
        self.reader_class = ReaderClass()
        self.reader_class.hide()
        self._model = ElidedLabel("", "small")
        self._limits: QLabel = role_label("", "small", wrap=True)
        self._warnings: QLabel = role_label("", "warning", wrap=True)
        self._research: QLabel = role_label(f"{UNVERIFIED}. {RESEARCH_USE}", "small", wrap=True)
        self._button = QPushButton("Analyse")
        theme.set_icon(self._button, "analyse")
        self._details = QToolButton()
        theme.set_icon(self._details, "info")
        self._details.setToolTip("The model, its figures and its limits")
        self._details.setAccessibleName("About the model")
        self.header.addWidget(self._details)
        inner = QVBoxLayout()
        inner.setSpacing(theme.SPACE // 2)
        parts = (
            self._progress,
            self._status,
            self._error,
            self._bars,
            self.reader_class,
            self._warnings,
            self._model,
            self._limits,
            self._research,
        )
        for part in parts:
            inner.addWidget(part)
        inner.addWidget(self._button, alignment=Qt.AlignmentFlag.AlignLeft)
        self.body.addLayout(inner)
        self._progress.cancel_requested.connect(self.cancel_requested)
        self._button.clicked.connect(self.analyse_requested)
        self._details.clicked.connect(self.model_requested)
        self.show_empty()

    def show_empty(self) -> None:
        """Nothing is open."""
        self._arrange(status=NOTHING_OPEN)

    def show_ready(self) -> None:
        """A series is open and not analysed."""
        self._arrange(status=NOT_ANALYSED, button="Analyse")

    def show_running(
        self,
        progress: Progress | None,
        suitability: Suitability | None = None,
        classification: StudyClassification | None = None,
    ) -> None:
        """An analysis runs; what is known so far is shown with it. Without progress the line says so."""
        self._arrange(
            progress=progress or Progress("Starting", 0, 0), suitability=suitability, classification=classification
        )

    def set_progress(self, progress: Progress) -> None:
        """Move the progress line alone, while an analysis runs."""
        self._progress.set_progress(progress)

    def show_abstained(self, suitability: Suitability) -> None:
        """The models do not speak about this series: reasons in words, no number."""
        reasons = "\n".join(suitability.reasons)
        self._arrange(status=f"Not analysed: this series is not what the model was made for.\n{reasons}", button="")

    def show_failed(self, sentence: str) -> None:
        """The analysis ended with an error."""
        self._arrange(error=sentence, button="Try again")

    def show_result(self, result: AnalysisResult, stale: str = "") -> None:
        """A finished analysis.

        Args:
            result: what to show.
            stale: why it no longer stands for the active model and settings (`STALE` says it in general); "" where it does.
        """
        self._arrange(
            status="" if result.classification else "No study classifier is in use; lesions only.",
            warning=stale,
            suitability=result.suitability,
            classification=result.classification,
            models=result.provenance.models,
            button="Analyse again" if stale else "",
        )
        tip = provenance_text(result.provenance)
        self._model.set_details(tip)
        self._bars.setToolTip(f"{self._bars.toolTip()}\n{tip}".strip())

    def _arrange(
        self,
        *,
        status: str = "",
        error: str = "",
        warning: str = "",
        button: str = "",
        progress: Progress | None = None,
        suitability: Suitability | None = None,
        classification: StudyClassification | None = None,
        models: tuple[ModelInfo, ...] = (),
    ) -> None:
        """Give each part its text; parts without one are hidden."""
        models = models or ((classification.model,) if classification else ())
        warnings = [warning, *(suitability.warnings if suitability else ())]
        texts = {
            self._status: status,
            self._error: error,
            self._warnings: "\n".join(w for w in warnings if w),
            self._model: " · ".join(f"{m.name} {m.version}" for m in models),
            self._limits: _first_doubts(models),
        }
        for label, text in texts.items():
            label.setText(text)
            label.setVisible(bool(text))
        self._limits.setToolTip("\n\n".join(f"{m.name}\n{' '.join(_doubt(m))}" for m in models))
        self._model.set_details("")
        self._bars.set_classification(classification)
        self._bars.setVisible(classification is not None)
        self._research.setVisible(bool(models))
        self._details.setVisible(bool(models))
        self._progress.set_progress(progress)
        self._button.setText(button)
        self._button.setVisible(bool(button))
