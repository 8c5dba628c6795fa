"""What the study classifier says, by which model, with which doubt; and the button that starts it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from ctviewer.core.doubt import Doubt, doubt_of
from ctviewer.core.events import Progress
from ctviewer.core.findings import (
    RESEARCH_USE,
    UNVERIFIED,
    AnalysisResult,
    Lungs,
    ModelInfo,
    Provenance,
    StudyClassification,
    Suitability,
)
from ctviewer.ui import palette, theme
from ctviewer.ui.panels.common import ElidedLabel, Panel, role_label
from ctviewer.ui.panels.probability_bars import ProbabilityBars
from ctviewer.ui.panels.reader_class import ReaderClass
from ctviewer.ui.panels.series_panel import ProgressLine

NOTHING_OPEN = "Open a chest CT to analyse it."
NOT_ANALYSED = "This series has not been analysed."
STALE = "Made by a model or settings that are no longer active. Analyse again to renew it."


def provenance_text(provenance: Provenance) -> str:
    """All that made a result, a line each, for the tool tip."""
    models = [
        f"{m.name} {m.version} ({m.task}), SHA-256 {m.sha256[:12]}…, {m.licence}"
        + (f". {m.restriction}" if m.restriction else "")
        for m in provenance.models
    ]
    settings = [f"{name}: {value}" for name, value in provenance.settings]
    machine = f"{provenance.device}, {provenance.precision}, {provenance.seconds:.0f} s"
    return "\n".join([*models, machine, f"{provenance.program}, {provenance.finished}", *settings])


def lungs_text(lungs: Lungs | None) -> str:
    """How large the lungs are, in words; "" where it is not known. Measured on masks, so told as a measurement."""
    if lungs is None or lungs.total_ml is None:
        return ""
    sides = ""
    if lungs.right_ml is not None and lungs.left_ml is not None:
        sides = f" (right {lungs.right_ml:.0f}, left {lungs.left_ml:.0f})"
    return f"Lungs {lungs.total_ml:.0f} mL{sides}, measured on the model's masks, findings included."


def _without_classifier(result: AnalysisResult) -> str:
    rest = (
        "lesions only" if result.slice_classes is None else "slice classes and lesions say nothing of the whole study"
    )
    return f"No study classifier is in use; {rest}."


def _trained(model: ModelInfo) -> str:
    """What a model was trained on, as a sentence; "" where it does not say."""
    trained = model.trained_on[:1].upper() + model.trained_on[1:].rstrip(".")
    return f"{trained}." if trained else ""


def _doubt(model: ModelInfo) -> list[str]:
    """What a model was trained on and what it is not for, sentence by sentence."""
    limits = [sentence.rstrip(".") + "." for sentence in model.limits.split(". ") if sentence]
    return [sentence for sentence in (_trained(model), *limits) if sentence]


def _first_doubts(models: tuple[ModelInfo, ...], told: str) -> str:
    """The two foremost sentences of each model, none twice: the findings need the room, the tool tip has all.

    Args:
        models: that took part.
        told: a sentence that stands elsewhere in the panel.
    """
    first = dict.fromkeys(sentence for model in models for sentence in _doubt(model)[:2])
    return " ".join(sentence for sentence in first if sentence != told)


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
        self._bars = ProbabilityBars(palette.attention_colour)
        self._trained: QLabel = role_label("", "warning", wrap=True)
        self._interval: QLabel = role_label("", "small", wrap=True)
        self._lungs: QLabel = role_label("", "small", wrap=True)
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
            self._trained,
            self._interval,
            self.reader_class,
            self._lungs,
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
            status="" if result.classification else _without_classifier(result),
            warning=stale,
            suitability=result.suitability,
            classification=result.classification,
            models=result.provenance.models,
            button="Analyse again" if stale else "",
            lungs=lungs_text(result.lungs),
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
        lungs: str = "",
    ) -> None:
        """Give each part its text; parts without one are hidden."""
        models = models or ((classification.model,) if classification else ())
        warnings = [warning, *(suitability.warnings if suitability else ())]
        doubt = doubt_of(classification) if classification else None
        trained = _trained(classification.model) if classification and doubt and not doubt.on_patients else ""
        texts = {
            self._status: status,
            self._error: error,
            self._trained: trained,
            self._interval: doubt.reason if doubt else "",
            self._warnings: "\n".join(w for w in warnings if w),
            self._model: " · ".join(f"{m.name} {m.version}" for m in models),
            self._limits: _first_doubts(models, trained),
            self._lungs: lungs,
        }
        for label, text in texts.items():
            label.setText(text)
            label.setVisible(bool(text))
        self._limits.setToolTip("\n\n".join(f"{m.name}\n{' '.join(_doubt(m))}" for m in models))
        self._model.set_details("")
        self._show_bars(classification, doubt)
        self._research.setVisible(bool(models))
        self._details.setVisible(bool(models))
        self._progress.set_progress(progress)
        self._button.setText(button)
        self._button.setVisible(bool(button))

    def _show_bars(self, told: StudyClassification | None, doubt: Doubt | None) -> None:
        pairs = zip(told.model.classes, told.probabilities, strict=True) if told else ()
        self._bars.set_rows(tuple(pairs), told.negative_class if told else "", doubt.intervals if doubt else ())
        self._bars.setVisible(told is not None)
