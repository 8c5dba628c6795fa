"""The name of what is made, and what it is trained on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFormLayout, QLineEdit, QWidget

from ctviewer.ui.finetune.services import BaseModel
from ctviewer.ui.finetune.widgets import add_row, note, say
from ctviewer.ui.panels.common import Panel
from ctviewer.ui.theme import SPACE

_MOST = 64  # characters of a bundle's name


class VersionPanel(Panel):
    """Title of the new version, and the device.

    Signals:
        changed: something else is given.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("New version", parent)
        self._base: BaseModel | None = None
        self.title_field = QLineEdit()
        self.title_field.setMaxLength(80)
        self.device_box = QComboBox()
        self._kept = note()
        form = QFormLayout()
        form.setHorizontalSpacing(SPACE)
        form.setVerticalSpacing(SPACE // 2)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        add_row(form, "&Name", self.title_field)
        add_row(form, "&Device", self.device_box)
        self.body.addLayout(form)
        self.body.insertWidget(0, self._kept)
        self.title_field.textChanged.connect(self._on_title)
        self.device_box.activated.connect(lambda _row: self.changed.emit())
        self._refresh()

    def set_base(self, base: BaseModel | None) -> None:
        """What it will be a version of; None for a model of its own."""
        self._base = base
        self.title_field.setPlaceholderText("" if base is None else base.title)
        self._refresh()

    def set_devices(self, devices: Sequence[tuple[str, str]]) -> None:
        """Name for the configuration, and words; what was chosen stays where it is still there."""
        chosen = self.device_box.currentData()
        self.device_box.clear()
        for name, words in devices:
            self.device_box.addItem(words, name)
        self.device_box.setCurrentIndex(max(0, self.device_box.findData(chosen)))

    def set_given(self, title: str, device: str) -> None:
        """Show what an earlier run was told."""
        self.title_field.setText(title)
        self.device_box.setCurrentIndex(max(0, self.device_box.findData(device)))

    @property
    def title(self) -> str:
        """For the window; "" for the base's."""
        return self.title_field.text().strip()

    @property
    def name(self) -> str:
        """Of the bundle, made from the title; "" for the base's."""
        return slug(self.title) if self.title else ""

    @property
    def device(self) -> str:
        """Name for the configuration."""
        return str(self.device_box.currentData() or "auto")

    @property
    def problem(self) -> str:
        """Why this cannot be; "" where it can."""
        if self.title and not self.name:
            return "The name of the new version needs a letter or a digit."
        if not self.title and self._base is None:
            return "Give the new model a name."
        return ""

    def _on_title(self, _text: str) -> None:
        self._refresh()
        self.changed.emit()

    def _refresh(self) -> None:
        parent = "" if self._base is None else self._base.key.rpartition(" ")[0]
        name = self.name or parent
        what = f"a new version of {name}" if name and name == parent else f"a model of its own, {name}" if name else ""
        stays = " The model it starts from stays as it is." if self._base is not None else ""
        say(self._kept, f"It becomes {what}.{stays} It is not in use before you activate it." if what else "")


def slug(title: str) -> str:
    """A title as the name of a bundle: lower case letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_MOST].rstrip("-")
