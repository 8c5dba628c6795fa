"""The lesions of an analysis as a table: what each cell says and how columns sort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QFont

from ctviewer.core.findings import Lesion, Verdict, probability_text
from ctviewer.core.read_findings import Origin, ReadFinding, finding_name
from ctviewer.core.words import share_text
from ctviewer.ui import palette, theme
from ctviewer.ui.panels.common import DASH, plain_tip

LESION_ROLE = int(Qt.ItemDataRole.UserRole) + 1
SORT_ROLE = LESION_ROLE + 1
VERDICT_ROLE = LESION_ROLE + 2
SECOND_ROLE = LESION_ROLE + 3  # second line of a cell
THIRD_ROLE = LESION_ROLE + 4  # third line
EDITED_ROLE = LESION_ROLE + 5  # whether the reader drew or corrected it

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


class Column(IntEnum):
    """Columns in order."""

    CLASS = 0
    SLICES = 1
    VOLUME = 2
    DIAMETER = 3
    HU = 4
    SIDE = 5
    SCORE = 6
    GROUND_GLASS = 7
    CONSOLIDATION = 8
    LUNGS = 9
    STATE = 10


HEADERS = {
    Column.CLASS: (
        "Finding",
        "Lesion class as the model names it; below it the side and the image numbers, then its share of both lungs",
    ),
    Column.SLICES: ("Im", "First and last slice, by the file's image numbers"),
    Column.VOLUME: (
        "mL / mm",
        "Volume in millilitres; below it the longest axial diameter in millimetres, then ground glass (GG) by HU",
    ),
    Column.DIAMETER: ("mm", "Longest axial diameter in millimetres"),
    Column.HU: ("HU", "Mean Hounsfield units"),
    Column.SIDE: ("Side", "Side of the patient: R right, L left"),
    Column.SCORE: (
        "Score / HU",
        "The model's score, 0 to 1; below it the mean in Hounsfield units, then consolidation (C) by HU",
    ),
    Column.GROUND_GLASS: ("GG", "Ground glass by HU: share from −750 to −300, measured and not predicted"),
    Column.CONSOLIDATION: ("C", "Consolidation by HU: share above −300, measured and not predicted"),
    Column.LUNGS: ("% lungs", "Its volume as a share of both lungs, by the model's masks"),
    Column.STATE: ("", "Accepted or rejected"),
}
_UNNUMBERED = "slice "  # what `Series.image_name` begins with where the file numbers no images
_SIDES = {"right": "R", "left": "L", "both": "R+L", "": DASH}


class FindingsModel(QAbstractTableModel):
    """One row per lesion, in the order given; verdicts change without a reset, so the selection stays."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lesions: tuple[Lesion, ...] = ()
        self._classes: tuple[str, ...] = ()
        self._names: tuple[str, ...] = ()
        self._verdicts: dict[int, Verdict] = {}
        self._changed: dict[int, ReadFinding] = {}

    def set_findings(self, findings: Sequence[ReadFinding], classes: Sequence[str], names: Sequence[str]) -> None:
        """Show findings as the reader left them; where they are the same ones, rows and selection stay.

        Args:
            findings: the rows.
            classes: as in `set_lesions`.
            names: likewise.
        """
        lesions = tuple(finding.lesion for finding in findings)
        verdicts = {finding.lesion.lesion_id: finding.verdict for finding in findings}
        self._changed = {f.lesion.lesion_id: f for f in findings if f.origin is not Origin.MODEL}
        same = [lesion.lesion_id for lesion in lesions] == [lesion.lesion_id for lesion in self._lesions]
        if same and lesions and self._names == tuple(names):
            self._lesions, self._classes = lesions, tuple(classes)
            self.set_verdicts(verdicts)
        else:
            self.set_lesions(lesions, classes, names, verdicts)

    def set_lesions(
        self, lesions: Sequence[Lesion], classes: Sequence[str], names: Sequence[str], verdicts: Mapping[int, Verdict]
    ) -> None:
        """Replace all rows.

        Args:
            lesions: the rows.
            classes: the model's lesion classes in order, for colours.
            names: short name of each slice by volume index ("45"); where it is too short, the volume index + 1 stands.
            verdicts: by lesion id; missing means pending.
        """
        self.beginResetModel()
        self._lesions, self._classes, self._names = tuple(lesions), tuple(classes), tuple(names)
        self._verdicts = dict(verdicts)
        self.endResetModel()

    def set_verdicts(self, verdicts: Mapping[int, Verdict]) -> None:
        """Show what the reader said; lesions that are not in it are pending."""
        self._verdicts = dict(verdicts)
        if self._lesions:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._lesions) - 1, len(Column) - 1))

    def verdict(self, lesion_id: int) -> Verdict:
        """What the reader said of a lesion."""
        return self._verdicts.get(lesion_id, Verdict.PENDING)

    def row_of(self, lesion_id: int) -> int:
        """Row of a lesion, -1 where there is none."""
        return next((row for row, lesion in enumerate(self._lesions) if lesion.lesion_id == lesion_id), -1)

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Number of lesions."""
        return 0 if parent.isValid() else len(self._lesions)

    def columnCount(self, parent: Index = _ROOT) -> int:
        """Number of columns."""
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Short titles, long ones as tool tips."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        title, tip = HEADERS[Column(section)]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(Column(section))
        return {Qt.ItemDataRole.DisplayRole: title, Qt.ItemDataRole.ToolTipRole: tip}.get(Qt.ItemDataRole(role))

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """What a cell says and how it looks."""
        if not index.isValid():
            return None
        lesion, column = self._lesions[index.row()], Column(index.column())
        verdict = self.verdict(lesion.lesion_id)
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(lesion, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self.describe(lesion))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return verdict.value if column is Column.STATE else self._text(lesion, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == SORT_ROLE:
            return self._key(lesion, column)
        if role == Qt.ItemDataRole.DecorationRole and column is Column.CLASS:
            return palette.lesion_colour(lesion.label, self._classes)
        if role == Qt.ItemDataRole.ForegroundRole and verdict is Verdict.REJECTED:
            return QColor(theme.colours().faint)
        if role == Qt.ItemDataRole.FontRole and verdict is Verdict.REJECTED and column is not Column.STATE:
            return _struck()
        if role == SECOND_ROLE:
            return self._second(lesion, column)
        if role == THIRD_ROLE:
            return self._third(lesion, column)
        if role == EDITED_ROLE:
            return column is Column.CLASS and lesion.lesion_id in self._changed
        return {LESION_ROLE: lesion, VERDICT_ROLE: verdict}.get(role)

    def describe(self, lesion: Lesion) -> str:
        """A lesion in full, for tool tips."""
        facts = (
            f"volume {_number(lesion.volume_ml, 2)} mL",
            f"longest axial diameter {_number(lesion.diameter_mm, 1)} mm",
            f"mean {_number(lesion.mean_hu, 0)} HU",
            f"measured by HU, not predicted: ground glass {_share(lesion.ground_glass)}, "
            f"consolidation {_share(lesion.consolidation)}",
            f"of both lungs {_share(lesion.lung_share)}",
            f"side {lesion.side or 'unknown'}",
            f"score {self._score(lesion, 3)}",
        )
        head = f"{finding_name(lesion.lesion_id)}. {lesion.label}, {self._cited(lesion)}"
        return "\n".join((head, *facts, self._said(lesion.lesion_id)))

    def _said(self, lesion_id: int) -> str:
        """The reader's word on a finding, and what the reader did to it."""
        changed, verdict = self._changed.get(lesion_id), self.verdict(lesion_id).value
        if changed is None:
            return verdict
        if changed.origin is Origin.DRAWN:
            return str(changed.origin.value)
        before = f" (the model said {changed.model_label})" if changed.model_label else ""
        return f"{verdict}, {changed.origin.value}{before}"

    def _score(self, lesion: Lesion, decimals: int = 0) -> str:
        """The model's score; nothing for what the reader drew."""
        changed = self._changed.get(lesion.lesion_id)
        if changed is not None and changed.origin is Origin.DRAWN:
            return DASH
        return f"{lesion.score:.{decimals}f}" if decimals else probability_text(lesion.score)

    def slice_range(self, lesion: Lesion) -> str:
        """First and last slice by their names, the smaller number first."""
        ends = (
            [self._name(i).removeprefix(_UNNUMBERED) for i in (lesion.slices[0], lesion.slices[-1])]
            if lesion.slices
            else []
        )
        if all(e.isdecimal() for e in ends):
            ends.sort(key=int)
        return DASH.join(dict.fromkeys(ends)) or DASH

    def _cited(self, lesion: Lesion) -> str:
        """The range with what it counts: images by the file's numbers, else slices as they are shown."""
        unnumbered = any(self._name(index).startswith(_UNNUMBERED) for index in lesion.slices)
        return f"{_UNNUMBERED if unnumbered else 'Im '}{self.slice_range(lesion)}"

    def _name(self, index: int) -> str:
        return self._names[index] if 0 <= index < len(self._names) else str(index + 1)

    def _text(self, lesion: Lesion, column: Column) -> str:
        match column:
            case Column.CLASS:
                return lesion.label
            case Column.SLICES:
                return self.slice_range(lesion)
            case Column.VOLUME:
                return _number(lesion.volume_ml, 1 if (lesion.volume_ml or 0) < 100 else 0)
            case Column.DIAMETER:
                return _number(lesion.diameter_mm, 0)
            case Column.HU:
                return _number(lesion.mean_hu, 0)
            case Column.SIDE:
                return _SIDES.get(lesion.side, lesion.side)
            case Column.SCORE:
                return self._score(lesion)
            case Column.GROUND_GLASS:
                return _share(lesion.ground_glass)
            case Column.CONSOLIDATION:
                return _share(lesion.consolidation)
            case Column.LUNGS:
                return _share(lesion.lung_share)
        return ""

    def _second(self, lesion: Lesion, column: Column) -> str:
        if column is Column.CLASS:
            side = f"{_SIDES[lesion.side]} · " if lesion.side in ("right", "left", "both") else ""
            return f"{side}{self._cited(lesion)}"
        below = {Column.VOLUME: Column.DIAMETER, Column.SCORE: Column.HU}.get(column)
        return "" if below is None else self._text(lesion, below)

    def _third(self, lesion: Lesion, column: Column) -> str:
        """Measured shares, each with its name; empty where it is not known."""
        shares = {
            Column.CLASS: (lesion.lung_share, "{} lungs"),
            Column.VOLUME: (lesion.ground_glass, "GG {}"),
            Column.SCORE: (lesion.consolidation, "C {}"),
        }
        share, form = shares.get(column, (None, ""))
        return "" if share is None else form.format(share_text(share))

    @property
    def has_shares(self) -> bool:
        """Whether any lesion has a third line; results of older versions have none."""
        return any(x.ground_glass is not None or x.lung_share is not None for x in self._lesions)

    def _key(self, lesion: Lesion, column: Column) -> float | str:
        """What a column sorts by; unknown values come below all known ones."""
        unknown = float("-inf")
        order = list(Verdict)
        keys: dict[Column, float | str] = {
            Column.CLASS: lesion.label,
            Column.SLICES: float(lesion.slices[0]) if lesion.slices else unknown,
            Column.VOLUME: unknown if lesion.volume_ml is None else lesion.volume_ml,
            Column.DIAMETER: unknown if lesion.diameter_mm is None else lesion.diameter_mm,
            Column.HU: unknown if lesion.mean_hu is None else lesion.mean_hu,
            Column.SIDE: lesion.side,
            Column.SCORE: lesion.score,
            Column.GROUND_GLASS: unknown if lesion.ground_glass is None else lesion.ground_glass,
            Column.CONSOLIDATION: unknown if lesion.consolidation is None else lesion.consolidation,
            Column.LUNGS: unknown if lesion.lung_share is None else lesion.lung_share,
            Column.STATE: float(order.index(self.verdict(lesion.lesion_id))),
        }
        return keys[column]


def _share(share: float | None) -> str:
    return DASH if share is None else share_text(share)


def _number(value: float | None, decimals: int) -> str:
    """A number with a true minus sign; a dash where it is unknown."""
    return DASH if value is None else f"{value:.{decimals}f}".replace("-", "−")


def _struck() -> QFont:
    font = QFont()
    font.setPixelSize(theme.SMALL_PX)
    font.setStrikeOut(True)
    return font


def _alignment(column: Column) -> Qt.AlignmentFlag:
    left = column in (Column.CLASS, Column.SIDE)
    return (Qt.AlignmentFlag.AlignLeft if left else Qt.AlignmentFlag.AlignRight) | Qt.AlignmentFlag.AlignVCenter
