"""What training starts from: an installed model, its encoder or backbone, ImageNet weights from a file, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFormLayout, QWidget

from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT
from ctviewer.training.config import ONE_SHOT_SIZE, ModelConfig
from ctviewer.ui.finetune.services import BaseModel
from ctviewer.ui.finetune.widgets import PathField, add_row, ask_file, choose, combo_of, note, say
from ctviewer.ui.panels.common import Panel, plain_tip
from ctviewer.ui.theme import SPACE

BASE, DOMAIN, IMAGENET, SCRATCH = "base", "domain", "imagenet", "scratch"
_STARTS = {
    CLASSIFIER: (
        (BASE, "An installed model goes on learning (recommended)"),
        (DOMAIN, "The slice encoder of an installed model, with a new head"),
        (IMAGENET, "An encoder trained on ImageNet, from a file of this computer"),
        (SCRATCH, "Nothing: random weights"),
    ),
    ONE_SHOT: (
        (BASE, "An installed model goes on learning (recommended)"),
        (DOMAIN, "The backbone of an installed model, all else new"),
        (IMAGENET, "A backbone trained on ImageNet, from a file of this computer"),
        (SCRATCH, "Nothing: random weights"),
    ),
}
_ENCODERS = {
    CLASSIFIER: (
        ("resnet50", "ResNet50"),
        ("resnet18", "ResNet18"),
        ("googlenet", "GoogLeNet"),
        ("mobilenet_v3", "MobileNetV3"),
        ("convnext_tiny", "ConvNeXt-Tiny"),
    ),
    ONE_SHOT: (
        ("resnet50", "ResNet50"),
        ("resnet18", "ResNet18"),
        ("resnext50", "ResNeXt50-32x4d"),
        ("resnext101", "ResNeXt101-32x8d (as in the paper)"),
    ),
}
_LEVELS = (
    ("pyramid", "Several, for lesions of all sizes (recommended)"),
    ("single", "One, of stride 32 (as in the paper)"),
)
_SIZES = (("256", "256 x 256 pixels"), ("384", "384 x 384 pixels"), ("512", "512 x 512 pixels"))
_NONE_INSTALLED = {
    CLASSIFIER: "No study classifier is installed: choose another start.",
    ONE_SHOT: "No model is installed that this can start from: choose another start.",
}
_AGGREGATORS = (
    ("lstm_attention", "LSTM and attention (as in the paper)"),
    ("attention", "Attention alone"),
    ("lstm", "LSTM alone (no attention to show)"),
    ("max_pool", "Maximum over slices"),
)
_LEVELS_KEY = "levels"  # of `ModelConfig.net`
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
        self._installed: tuple[BaseModel, ...] = ()
        self._task = CLASSIFIER
        self._classes: tuple[str, ...] = ()
        self._outlined: tuple[str, ...] = ()
        self.start = combo_of("Start from", _STARTS[CLASSIFIER])
        self.base = combo_of("Base model", ())
        self.weights = PathField("File of ImageNet weights", ask_file("File of ImageNet weights", _WEIGHTS))
        self.weights.field.setPlaceholderText("torchvision's own cache")
        self.encoder = combo_of("Slice encoder", _ENCODERS[CLASSIFIER])
        self.aggregator = combo_of("How slices are put together", _AGGREGATORS)
        self.levels = combo_of("Maps that lesions are looked for on", _LEVELS)
        self.input_size = combo_of("Size of a slice", _SIZES)
        choose(self.input_size, str(ONE_SHOT_SIZE))
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
            ("&Maps", self.levels),
            ("Si&ze", self.input_size),
        ):
            add_row(self._form, text, field)
        self.body.addLayout(self._form)
        for label in (self._about, self._fit, self._limits):
            self.body.addWidget(label)
        for combo in (self.start, self.base, self.encoder, self.aggregator, self.levels, self.input_size):
            combo.activated.connect(self._on_choice)
        self.weights.chosen.connect(self._on_choice)
        self._refresh()

    # What the page says

    def set_task(self, task: str) -> None:
        """Which kind of model is trained; what was chosen stays where the other kind has it too."""
        if task == self._task:
            return
        self._task = task
        for combo, choices in ((self.start, _STARTS[task]), (self.encoder, _ENCODERS[task])):
            chosen = str(combo.currentData())
            combo.clear()
            for key, text in choices:
                combo.addItem(text, key)
            choose(combo, chosen)
        self._fill_bases()
        self._refresh()

    def set_bases(self, bases: Sequence[BaseModel]) -> None:
        """Installed models of all tasks, the active ones first; what was chosen stays where it is still there."""
        self._installed = tuple(bases)
        self._fill_bases()
        self._refresh()

    def set_classes(self, classes: Sequence[str], outlined: Sequence[str] = ()) -> None:
        """The classes of the data: whether the last layers of the base can be kept depends on them."""
        self._classes, self._outlined = tuple(classes), tuple(outlined)
        self._refresh()

    def set_model(self, model: ModelConfig) -> None:
        """Show what an earlier run was told."""
        for combo, key in (
            (self.start, model.start),
            (self.encoder, model.encoder),
            (self.aggregator, model.aggregator),
            (self.levels, str(model.net.get(_LEVELS_KEY, _LEVELS[0][0]))),
        ):
            if combo.findData(key) >= 0:
                choose(combo, key)
        if self._task == ONE_SHOT:
            if self.input_size.findData(str(model.size)) < 0:
                self.input_size.addItem(f"{model.size} x {model.size} pixels", str(model.size))
            choose(self.input_size, str(model.size))
        self._fill_bases()
        if self.base.findData(model.base) >= 0:
            choose(self.base, model.base)
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
        if self._task == ONE_SHOT:
            size = int(self.input_size.currentData())
            net = {name: value for name, value in model.net.items() if name != _LEVELS_KEY}
            net |= {_LEVELS_KEY: str(self.levels.currentData())} if start in (IMAGENET, SCRATCH) else {}
            model = replace(model, net=net, size=size, crop=size)
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
            return _NONE_INSTALLED[self._task]
        weights = self.weights.text
        if start == IMAGENET and weights and not Path(weights).is_file():
            return "The file of ImageNet weights is not there."
        return ""

    # Inside

    def _on_choice(self, _what: object) -> None:
        self._fill_bases()
        self._refresh()
        self.changed.emit()

    def _fill_bases(self) -> None:
        """Models of the task; a one-shot model may have the backbone of another kind of model."""
        chosen = self.base.currentData()
        lends = self._task == ONE_SHOT and self.start.currentData() == DOMAIN
        self._bases = tuple(one for one in self._installed if (one.lends if lends else one.task == self._task))
        self.base.clear()
        for one in self._bases:
            self.base.addItem(f"{one.title} {one.key.rpartition(' ')[2]}{' (in use)' if one.active else ''}", one.key)
        self.base.setCurrentIndex(max(0, self.base.findData(chosen)) if self._bases else -1)

    def _refresh(self) -> None:
        start, base = self.start.currentData(), self.chosen_base
        one_shot, new = self._task == ONE_SHOT, self.start.currentData() in (IMAGENET, SCRATCH)
        shown = {
            self.base: start in (BASE, DOMAIN),
            self.weights: start == IMAGENET,
            self.encoder: new,
            self.aggregator: not one_shot and start != BASE,
            self.levels: one_shot and new,
            self.input_size: one_shot and start != BASE,
        }
        for field, is_shown in shown.items():
            self._form.setRowVisible(field, is_shown)
        self.base.setToolTip(plain_tip(self.base.currentText()))
        say(self._about, "" if base is None else about(base))
        say(self._limits, "" if base is None else base.limits)
        say(self._fit, head_text(str(start), base, self._classes, self._outlined))


def about(base: BaseModel) -> str:
    """What a base model was trained on, under which licence it is, and what it tells apart."""
    told = f"{base.trained_on[:1].upper()}{base.trained_on[1:]}. " if base.trained_on else ""
    licence = f"Licence, of its children too: {base.licence}. " if base.licence else ""
    restriction = f"{base.restriction} " if base.restriction else ""
    outlines = f"Outlines: {', '.join(base.outlined)}. " if base.outlined else ""
    apart = f"Tells apart: {', '.join(base.classes)}." if base.classes else "Tells no classes of slices."
    return f"{told}{licence}{restriction}{outlines}{apart}"


def head_text(start: str, base: BaseModel | None, classes: Sequence[str], outlined: Sequence[str] = ()) -> str:
    """What becomes of the last layers, in words; "" while the classes of the data are not known.

    Args:
        start: what training starts from.
        base: the base model.
        classes: of the data: of studies, or of slices.
        outlined: in the data of a one-shot model.
    """
    if start in (IMAGENET, SCRATCH):
        return "Nothing has been learned from CT yet: this takes many studies." if start == SCRATCH else ""
    if base is None or not (classes or outlined) or start == DOMAIN:
        return ""
    pairs = ((outlined, base.outlined), (classes, base.classes))
    new = [name for mine, its in pairs for name in mine if name not in its]
    if not new:
        return "Your labels have its classes: all that it learned is kept and goes on learning."
    layers = "the last layers for them are" if base.outlined else "its last layer is"
    return f"Your labels have classes that it does not know ({', '.join(new)}): {layers} learned anew."
