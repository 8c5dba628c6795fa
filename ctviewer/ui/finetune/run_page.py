"""The page of a run: what it does, how far it is, its curves, and Pause, Stop, Cancel."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ctviewer.core.events import Progress
from ctviewer.core.words import amount_text, counted, duration_text
from ctviewer.ui import theme
from ctviewer.ui.finetune.curves import CurvePlot, Line
from ctviewer.ui.finetune.history import FoldCurves, RunHistory
from ctviewer.ui.finetune.pages import Page
from ctviewer.ui.finetune.state import STEERABLE, Phase, TrainingState, fold_text
from ctviewer.ui.panels.common import DASH, ElidedLabel, role_label

_FACTS = ("Time left", "Step", "Epoch", "Fold", "Memory", "Device", "Studies")
_MOST_MESSAGES = 3
_PERMILLE = 1000
_DATA = "Studies"  # of the facts: scans where slices are learned from
_KINDS = {"": "smoothed", "lesions": "lesions, smoothed", "images": "classes of slices, smoothed"}
_LOSS = "loss"  # how the name of a figure of validation ends that belongs to the losses


class RunPage(Page):
    """Shows a run; its buttons say what is wanted, the presenter decides."""

    heading = "Training"
    next_text = "&Compare"

    pause_requested = Signal()
    stop_requested = Signal()
    cancel_requested = Signal()
    resume_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state, self._history = TrainingState(), RunHistory()
        self._question: QMessageBox | None = None
        self._messages: deque[str] = deque(maxlen=_MOST_MESSAGES)
        self._text = role_label("", "", wrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._doing = ElidedLabel("", "small")
        self._doing.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._said = role_label("", "small", wrap=True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(6)
        self._bar.setRange(0, _PERMILLE)
        self._bar.setAccessibleName("Progress of the whole run")
        self._facts = {name: ElidedLabel(DASH) for name in _FACTS}
        self._steps = CurvePlot("Loss of each step", "step", whole=True)
        self._epochs = CurvePlot("Loss of each epoch (dotted: the best so far)", "epoch", whole=True)
        self._data_name = role_label(_DATA, "small")
        self._metrics = CurvePlot("Figures of the validation data", "epoch", (0.0, 1.0), whole=True)
        self._pause = _button("&Pause", "Write a checkpoint and end the process; its memory is free. Resume goes on.")
        self._resume = _button("&Resume", "Go on from the last checkpoint")
        self._stop = _button("&Stop and keep the best", "End training now; the best state so far becomes a model")
        self._cancel = _button("Cancel and keep &nothing", "End training and remove this run")
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._lay_out()
        self._pause.clicked.connect(self.pause_requested)
        self._resume.clicked.connect(self.resume_requested)
        self._stop.clicked.connect(self.stop_requested)
        self._cancel.clicked.connect(self._ask_cancel)
        self.set_state(self._state)

    @property
    def ready(self) -> bool:
        """Whether there is something to compare."""
        return self._state.phase is Phase.FINISHED and self._state.result is not None

    def set_state(self, state: TrainingState) -> None:
        """What it does, and which buttons can do something."""
        before, self._state = self._state, state
        had_focus = any(one.hasFocus() for one in (self._pause, self._stop, self._resume, self._cancel))
        if state.phase is Phase.STARTING and before.phase not in (Phase.STARTING, Phase.RUNNING):
            self._messages.clear()
            self._said.setText("")
        self._text.setText(state.text)
        self._text.setProperty("role", "danger" if state.phase is Phase.FAILED else "")
        self._text.style().polish(self._text)
        if had_focus:  # Qt would hand it on, in the end to the button that destroys
            self.setFocus()
        steerable = state.phase in STEERABLE
        self._pause.setVisible(not state.resumable)
        self._pause.setEnabled(steerable)
        self._resume.setVisible(state.resumable)
        self._stop.setEnabled(steerable)
        self._cancel.setEnabled((state.active and state.phase is not Phase.CANCELLING) or state.resumable)
        if had_focus or self.hasFocus():
            (self._resume if state.resumable else self._pause if steerable else self).setFocus()
        if not self._cancel.isEnabled():
            self._drop_question()
        self._show_facts()
        self.ready_changed.emit(self.ready)

    def set_progress(self, progress: Progress | None) -> None:
        """What is done between steps: reading studies, computing features, chunks of slices."""
        if progress is None:
            self._doing.setText("")
            return
        count = f": {progress.done} of {progress.total}" if progress.total else "…"
        self._doing.setText(f"{progress.stage}{count}")
        if self._state.phase is Phase.STARTING:
            self._bar.setRange(0, progress.total)
            self._bar.setValue(progress.done)

    def add_message(self, text: str) -> None:
        """One sentence of the run; the last few stay."""
        self._messages.append(text)
        self._said.setText("\n".join(self._messages))

    def set_history(self, history: RunHistory) -> None:
        """Curves and figures as they are now."""
        self._history = history
        self._show_facts()
        self._show_curves(history)

    # Building

    def _lay_out(self) -> None:
        facts = QHBoxLayout()
        facts.setSpacing(3 * theme.SPACE)
        for names in (_FACTS[:2], _FACTS[2:4], _FACTS[4:6], _FACTS[6:]):
            form = QFormLayout()
            form.setHorizontalSpacing(theme.SPACE)
            form.setVerticalSpacing(theme.SPACE // 2)
            for name in names:
                label = self._data_name if name == _DATA else role_label(name, "small")
                label.setBuddy(self._facts[name])
                form.addRow(label, self._facts[name])
            facts.addLayout(form, 1)
        plots = QGridLayout()
        plots.setSpacing(theme.SPACE)
        plots.addWidget(self._steps, 0, 0, 1, 2)
        plots.addWidget(self._epochs, 1, 0)
        plots.addWidget(self._metrics, 1, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self._pause)
        buttons.addWidget(self._resume)
        buttons.addWidget(self._stop)
        buttons.addWidget(self._doing, 1)
        buttons.addWidget(self._cancel)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(theme.SPACE)
        box.addWidget(self._text)
        box.addWidget(self._bar)
        box.addLayout(facts)
        box.addLayout(plots, 1)
        box.addWidget(self._said)
        box.addLayout(buttons)

    # Showing

    def _show_facts(self) -> None:
        history = self._history
        step, begun = history.step, history.begun
        told = dict.fromkeys(_FACTS, DASH)
        folds = begun.folds if begun is not None else 1
        if begun is not None:
            device = "CPU" if begun.device == "cpu" else begun.device
            told["Device"] = f"{device}, {begun.precision}"
            told[_DATA] = f"{begun.train} train, {begun.validation} validation, {begun.test} test"
            self._data_name.setText(counted(2, begun.unit).removeprefix("2 ").capitalize())
            told["Fold"] = fold_text(history.fold, folds)
        done = 0.0
        if step is not None:
            left = step.seconds_left if self._state.active else None
            told["Time left"] = DASH if left is None else duration_text(left)
            told["Step"] = f"{step.step} of {step.steps}"
            told["Epoch"] = str(step.epoch)
            told["Memory"] = amount_text(step.memory)
            done = (step.fold + step.step / max(step.steps, 1)) / max(folds, 1)
        epochs = history.current.epochs
        if epochs:
            told["Epoch"] = f"{max(epochs[-1].epoch, step.epoch if step else 0)} of {epochs[-1].epochs}"
        for name, text in told.items():
            self._facts[name].setText(text)
            said = self._data_name.text() if name == _DATA else name
            self._facts[name].setAccessibleName(f"{said}: {text}")
        if step is not None or self._state.phase is not Phase.STARTING:
            self._bar.setRange(0, _PERMILLE)
            self._bar.setValue(_PERMILLE if self._state.phase is Phase.FINISHED else round(_PERMILLE * done))

    def _show_curves(self, history: RunHistory) -> None:
        fold = history.current
        kinds = fold.kinds
        steps = [Line("each step" if kind == "" else "", x, y, faint=True) for kind, (x, y, _) in kinds.items()]
        steps += [Line(_KINDS.get(kind, kind), x, y, points=x.size == 1) for kind, (x, _, y) in kinds.items()]
        self._steps.set_lines(steps)
        others = [one for number, one in history.folds.items() if number != history.fold]
        faint = [Line("", one.losses[0], one.losses[2], faint=True) for one in others]
        epoch, training, validation = fold.losses
        best = fold.best
        lines = [
            *faint,
            Line("training", epoch, training, points=True),
            Line("validation", epoch, validation, points=True),
        ]
        lines += [Line(name, *points, points=True) for name, points in fold.metrics.items() if name.endswith(_LOSS)]
        self._epochs.set_lines(lines, best.epoch if best else None)
        earlier = [Line("", *points, faint=True) for one in others for points in _figures(one).values()]
        metrics = [Line(name, *points, points=True) for name, points in _figures(fold).items()]
        self._metrics.set_lines((*earlier, *metrics), best.epoch if best else None)

    # Asking

    def _ask_cancel(self) -> None:
        """Cancelling destroys work: ask first. The run goes on meanwhile."""
        box = QMessageBox(
            QMessageBox.Icon.Warning,
            "Cancel training",
            "Cancel this training and keep nothing?\nIts checkpoints are removed, and no model is made.",
            parent=self,
        )
        lose = box.addButton("&Cancel and keep nothing", QMessageBox.ButtonRole.DestructiveRole)
        keep = box.addButton("&Go back", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        self._drop_question()
        self._question = box
        box.buttonClicked.connect(lambda button: self.cancel_requested.emit() if button is lose else None)
        box.finished.connect(self._drop_question)
        box.open()

    def _drop_question(self) -> None:
        """The run ended meanwhile, or it was answered."""
        question, self._question = self._question, None
        if question is not None:
            question.close()
            question.deleteLater()


def _figures(fold: FoldCurves) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Figures that lie between 0 and 1, by name: losses stand with the losses."""
    return {name: points for name, points in fold.metrics.items() if not name.endswith(_LOSS)}


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAccessibleDescription(tip)
    button.setAutoDefault(False)
    return button
