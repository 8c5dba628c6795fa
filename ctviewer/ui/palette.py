"""Colours that carry meaning, as Qt's: lesion classes (`core.palette`), attention, lesion area, severity."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QColor

from ctviewer.core.palette import class_colour
from ctviewer.core.series import Severity
from ctviewer.ui import theme


def lesion_colour(label: str, classes: Sequence[str]) -> QColor:
    """Colour of a lesion class; grey for a label that is not in `classes`.

    Args:
        label: class name.
        classes: all lesion classes of the model, in the bundle's order.
    """
    return QColor(*class_colour(label, classes))


def attention_colour() -> QColor:
    """The one accent colour: the model's attention, and nothing else."""
    return QColor(theme.colours().accent)


def area_colour() -> QColor:
    """Colour of the lesion area lane, all classes together."""
    return QColor(theme.colours().area)


def severity_colour(severity: Severity) -> QColor:
    """Colour of a notice; red only for danger."""
    c = theme.colours()
    return QColor({Severity.INFO: c.info, Severity.WARNING: c.warning, Severity.DANGER: c.danger}[severity])


def severity_icon(severity: Severity) -> str:
    """Name of the icon of a notice (see `theme.icon`)."""
    return "info" if severity is Severity.INFO else "warning"


def blend(low: QColor, high: QColor, share: float) -> QColor:
    """Colour between `low` (share 0) and `high` (share 1), opaque."""
    t = min(1.0, max(0.0, share))
    return QColor.fromRgbF(
        low.redF() + (high.redF() - low.redF()) * t,
        low.greenF() + (high.greenF() - low.greenF()) * t,
        low.blueF() + (high.blueF() - low.blueF()) * t,
    )
