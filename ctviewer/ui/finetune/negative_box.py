"""Which of some classes means that nothing was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QComboBox, QWidget

from ctviewer.ui.finetune.widgets import compact_combo


class NegativeBox(QComboBox):
    """What was stated stays as long as there is such a class; else it is left to the base model, or to the names.

    Args:
        by_name: says which of some classes it is where nobody else does; "" for none.
    """

    def __init__(self, by_name: Callable[[tuple[str, ...]], str] | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        compact_combo(self)
        self.setAccessibleName("Class without a finding")
        self._by_name = by_name
        self._names: tuple[str, ...] = ()
        self._base = self._stated = ""
        self.activated.connect(lambda _row: self._keep())
        self._fill()

    def set_names(self, names: Sequence[str]) -> None:
        """The classes that there are."""
        self._names = tuple(names)
        self._fill()

    def set_base(self, negative: str) -> None:
        """The class that means "no finding" to the base model; "" for none."""
        self._base = negative
        self._fill()

    def state(self, negative: str) -> None:
        """Show what an earlier run was told."""
        self._stated = negative
        self._fill()

    @property
    def stated(self) -> str:
        """Class name; "" leaves it to the base model, or to the names."""
        return self._stated if not self._names or self._stated in self._names else ""

    def _keep(self) -> None:
        self._stated = str(self.currentData() or "")

    def _fill(self) -> None:
        self.clear()
        self.addItem(self._left_open(), "")
        for name in self._names:
            self.addItem(name, name)
        self.setCurrentIndex(max(0, self.findData(self._stated)))

    def _left_open(self) -> str:
        if self._base in self._names:
            return f"as in the base model ({self._base})"
        named = self._by_name(self._names) if self._by_name is not None else ""
        return f"by its name ({named})" if named else "none of them"
