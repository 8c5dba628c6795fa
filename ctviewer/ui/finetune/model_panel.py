"""What training starts from: an installed model, its encoder, ImageNet weights from a file, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFormLayout, QWidget

from ctviewer.training.config import ModelConfig
from ctviewer.ui.finetune.services import BaseModel
from ctviewer.ui.finetune.widgets import PathField, add_row, ask_file, note, say
from ctviewer.ui.panels.common import Panel, plain_tip
from ctviewer.ui.theme import SPACE

BASE, DOMAIN, IMAGENET, SCRATCH = "base", "domain", "imagenet", "scratch"
_STARTS = (
    (BASE, "An installed model goes on learning (recommended)"),
    (DOMAIN, "The slice encoder of an installed model, with a new head"),
    (IMAGENET, "An encoder trained on ImageNet, from a file of this computer"),
    (SCRATCH, "Nothing: random weights"),
)
_ENCODERS = (
    ("resnet50", "ResNet50"),
    ("resnet18", "ResNet18"),
    ("googlenet", "GoogLeNet"),
    ("mobilenet_v3", "MobileNetV3"),
    ("convnext_tiny", "ConvNeXt-Tiny"),
)
_AGGREGATORS = (
    ("lstm_attention", "LSTM and attention (as in the paper)"),
    ("attention", "Attention alone"),
    ("lstm", "LSTM alone (no attention to show)"),
    ("max_pool", "Maximum over slices"),
)
_WEIGHTS = "Weights of torchvision (*.pth *.pt *.safetensors);;All files (*)"


class ModelPanel(Panel):
    """Start, base model, and the parts of a new net.

    Signals:
        changed: something else is chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Model to start from", parent)
        self._bases: tuple[BaseModel, ...] = ()
        self._classes: tuple[str, ...] = ()
        self.start = _combo("Start from", _STARTS)
        self.base = _combo("Base model", ())
        self.weights = PathField("File of ImageNet weights", ask_file("File of ImageNet weights", _WEIGHTS))
        self.weights.field.setPlaceholderText("torchvision's own cache")
        self.encoder = _combo("Slice encoder", _ENCODERS)
        self.aggregator = _combo("How slices are put together", _AGGREGATORS)
        self._about = note()
        self._fit = note()
        self._limits = note("", "warning")
        self._form = QFormLayout()
        self._form.setHorizontalSpacing(SPACE)
        self._form.setVerticalSpacing(SPACE // 2)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for text, field in (
            ("&Start", self.start),
            ("&Base model", self.base),
            ("Wei&ghts", self.weights),
            ("&Encoder", self.encoder),
            ("&Head", self.aggregator),
        ):
            add_row(self._form, text, field)
        self.body.addLayout(self._form)
        for label in (self._about, self._fit, self._limits):
            self.body.addWidget(label)
        for combo in (self.start, self.base, self.encoder, self.aggregator):
            combo.activated.connect(self._on_choice)
        self.weights.chosen.connect(self._on_choice)
        self._refresh()

    # What the page says

    def set_bases(self, bases: Sequence[BaseModel]) -> None:
        """Installed study classifiers, the active one first; what was chosen stays where it is still there."""
        chosen = self.base.currentData()
        self._bases = tuple(bases)
        self.base.clear()
        for one in self._bases:
            self.base.addItem(f"{one.title} {one.key.rpartition(' ')[2]}{' (in use)' if one.active else ''}", one.key)
        self.base.setCurrentIndex(max(0, self.base.findData(chosen)) if self._bases else -1)
        self._refresh()

    def set_classes(self, classes: Sequence[str]) -> None:
        """The classes of the data: whether the head of the base can be kept depends on them."""
        self._classes = tuple(classes)
        self._refresh()

    def set_model(self, model: ModelConfig) -> None:
        """Show what an earlier run was told."""
        for combo, key in (
            (self.start, model.start),
            (self.base, model.base),
            (self.encoder, model.encoder),
            (self.aggregator, model.aggregator),
        ):
            at = combo.findData(key)
            if at >= 0:
                combo.setCurrentIndex(at)
        self.weights.set_text(model.weights)
        self._refresh()

    # What the page asks

    @property
    def chosen_base(self) -> BaseModel | None:
        """The base model; None where the start has none, or none is installed."""
        if self.start.currentData() not in (BASE, DOMAIN):
            return None
        return next((one for one in self._bases if one.key == self.base.currentData()), None)

    def changed_model(self, model: ModelConfig) -> ModelConfig:
        """The configuration with what is chosen here."""
        start = str(self.start.currentData())
        base = self.chosen_base
        return replace(
            model,
            start=start,
            base="" if base is None else base.key,
            weights=self.weights.text if start == IMAGENET else "",
            encoder=str(self.encoder.currentData()),
            aggregator=str(self.aggregator.currentData()),
        )

    @property
    def problem(self) -> str:
        """Why training cannot go on with this; "" where it can."""
        start = self.start.currentData()
        if start in (BASE, DOMAIN) and self.chosen_base is None:
            return "No study classifier is installed: choose another start."
        weights = self.weights.text
        if start == IMAGENET and weights and not Path(weights).is_file():
            return "The file of ImageNet weights is not there."
        return ""

    # Inside

    def _on_choice(self, _what: object) -> None:
        self._refresh()
        self.changed.emit()

    def _refresh(self) -> None:
        start, base = self.start.currentData(), self.chosen_base
        shown = {
            self.base: start in (BASE, DOMAIN),
            self.weights: start == IMAGENET,
            self.encoder: start in (IMAGENET, SCRATCH),
            self.aggregator: start != BASE,
        }
        for field, is_shown in shown.items():
            self._form.setRowVisible(field, is_shown)
        self.base.setToolTip(plain_tip(self.base.currentText()))
        say(self._about, "" if base is None else about(base))
        say(self._limits, "" if base is None else base.limits)
        say(self._fit, head_text(str(start), base, self._classes))


def about(base: BaseModel) -> str:
    """What a base model was trained on, under which licence it is, and what it tells apart."""
    told = f"{base.trained_on[:1].upper()}{base.trained_on[1:]}. " if base.trained_on else ""
    licence = f"Licence: {base.licence}. " if base.licence else ""
    return f"{told}{licence}Tells apart: {', '.join(base.classes)}."


def head_text(start: str, base: BaseModel | None, classes: Sequence[str]) -> str:
    """What becomes of the last layer, in words; "" while the classes of the data are not known."""
    if start in (IMAGENET, SCRATCH):
        return "Nothing has been learned from CT yet: this takes many studies." if start == SCRATCH else ""
    if base is None or not classes or start == DOMAIN:
        return ""
    if set(classes) <= set(base.classes):
        return "Your labels have its classes: all that it learned is kept and goes on learning."
    new = [name for name in classes if name not in base.classes]
    return f"Your labels have classes that it does not know ({', '.join(new)}): its last layer is learned anew."


def _combo(name: str, choices: Sequence[tuple[str, str]]) -> QComboBox:
    combo = QComboBox()
    combo.setAccessibleName(name)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(12)
    for key, text in choices:
        combo.addItem(text, key)
    return combo
