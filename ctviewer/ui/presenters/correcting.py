"""Correcting findings: which one is selected, what the reader's hand holds, and what a stroke does. Kept by the reading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from PySide6.QtCore import QObject, Signal

from ctviewer.core import editing
from ctviewer.core.editing import Edit
from ctviewer.core.findings import Verdict
from ctviewer.core.read_findings import FindingReader, ReadFinding
from ctviewer.core.reading import ReadAnalysis, Reading
from ctviewer.core.volume import Volume
from ctviewer.ui.presenters.analysing import AnalysingPresenter
from ctviewer.ui.presenters.reading import ReadingPresenter
from ctviewer.ui.session import Session
from ctviewer.ui.viewport.brush import Stroke, next_size

FALLBACK_CLASS = "lesion"  # where neither a model nor the reader has named any
NOT_YET = "The slices are still being recognised; findings can be edited when they are."
NOTHING_SELECTED = "Select a finding to edit it, or press N to draw a new one."
HIDDEN = "Findings are hidden: show them (O, or Space for all marks) to edit them."


class Hand(Enum):
    """What the left button does to findings."""

    NONE = "none"
    BRUSH = "brush"
    ERASER = "eraser"


@dataclass(frozen=True)
class HandState:
    """What the reader's hand holds.

    Attributes:
        hand: the tool.
        begins: whether the next stroke begins a new finding.
        label: class of the finding that is begun or selected; "" for none.
        size: diameter in shorter sides of a pixel.
        choices: classes to choose from.
    """

    hand: Hand = Hand.NONE
    begins: bool = False
    label: str = ""
    size: int = 8
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReviewState:
    """How far the series is reviewed.

    Attributes:
        here: whether the slice on show is reviewed completely.
        stale: whether that was said beside an earlier analysis than the one on show.
        slices: volume indices of the slices that are.
        count: slices that can be: those that could be decoded.
    """

    here: bool = False
    stale: bool = False
    slices: tuple[int, ...] = ()
    count: int = 0

    @property
    def whole(self) -> bool:
        """Whether the whole series is."""
        return 0 < self.count == len(self.slices)


class CorrectingPresenter(QObject):
    """Owns selection, tool and the findings as the reader left them.

    Args:
        session: what is open.
        analysing: which result is on show.
        reading: keeps what is changed, with undo.
        classes: the lesion classes of the active model.
    """

    findings_changed = Signal(object)  # tuple[ReadFinding, ...]
    selected_changed = Signal(object)  # lesion id | None
    hand_changed = Signal(object)  # HandState
    review_changed = Signal(object)  # ReviewState
    said = Signal(str)  # one sentence
    asked = Signal(str, str, object)  # one sentence, the word on its button, what that does

    def __init__(
        self,
        session: Session,
        analysing: AnalysingPresenter,
        reading: ReadingPresenter,
        classes: Callable[[], tuple[str, ...]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._analysing, self._reading, self._ask_classes = session, analysing, reading, classes
        self._reader: FindingReader | None = None
        self._classes: tuple[str, ...] | None = None  # asking reads the bundles: once for each series
        self._new_label = ""
        self.findings: tuple[ReadFinding, ...] = ()
        self.selected: int | None = None
        self.state = HandState()
        session.volume_changed.connect(self._on_volume)
        session.slice_changed.connect(lambda _index: self._tell_review())
        analysing.changed.connect(lambda _state: self._refresh())
        reading.changed.connect(lambda _reading: self._refresh())

    # What is on show

    @property
    def analysis(self) -> ReadAnalysis | None:
        """The analysis on show with what the reader said of it; None without one."""
        result, reading = self._analysing.state.result, self._reading.reading
        if result is None:
            return None
        latest = reading.latest if reading is not None else None
        return latest if latest is not None and latest.result is result else ReadAnalysis(result)

    @property
    def desk(self) -> Reading | None:
        """What is edited: the reading, without its analyses where none is on show; None before it is there."""
        reading, result = self._reading.reading, self._analysing.state.result
        if reading is None:
            return None
        latest = reading.latest
        return reading if latest is not None and latest.result is result else reading.without_analyses()

    def finding(self, lesion_id: int | None) -> ReadFinding | None:
        """A finding by its id."""
        return next((found for found in self.findings if found.lesion.lesion_id == lesion_id), None)

    def choices(self) -> tuple[str, ...]:
        """Lesion classes: the active model's, then others that stand in this series; never none."""
        if self._classes is None:
            self._classes = self._ask_classes()
        here = (label for f in self.findings for label in (f.model_label, f.lesion.label) if label)
        own = (self._new_label,) if self._new_label else ()
        return tuple(dict.fromkeys((*self._classes, *here, *own))) or (FALLBACK_CLASS,)

    def review(self) -> ReviewState:
        """How far the series is reviewed."""
        desk, volume = self.desk, self._session.volume
        if desk is None or volume is None:
            return ReviewState()
        reviewed, shown = desk.marks.reviewed, desk.latest.identity if desk.latest is not None else ""
        seen = reviewed.get(desk.slice_digests[self._session.index])
        done = tuple(i for i, digest in enumerate(desk.slice_digests) if digest in reviewed)
        return ReviewState(seen is not None, seen not in (None, shown), done, int((~volume.failed).sum()))

    def refresh_classes(self) -> None:
        """Another model may be active: ask for its classes when they are needed."""
        self._classes = None
        self._tell_hand()

    def _on_volume(self, volume: Volume | None) -> None:
        self._reader = FindingReader(volume) if volume is not None else None
        self._classes, self._new_label = None, ""
        self.leave()
        self.select(None)
        self._refresh()

    def _refresh(self) -> None:
        found = () if self._reader is None else self._reader.read(self._reading.reading, self.analysis)
        if found != self.findings:
            self.findings = found
            self.findings_changed.emit(found)
        if self.selected is not None and self.finding(self.selected) is None:
            self.select(None)
        self._tell_hand()
        self._tell_review()

    def _tell_review(self) -> None:
        self.review_changed.emit(self.review())

    # Selection and verdicts

    def select(self, lesion_id: int | None) -> None:
        """Make one finding stand out; the brush then edits it."""
        if lesion_id != self.selected:
            self.selected = lesion_id
            self.selected_changed.emit(lesion_id)
        if lesion_id is not None:
            self._new_label = ""
        self._tell_hand()

    def judge(self, lesion_id: int, verdict: Verdict) -> None:
        """Accept, reject or reopen a finding; a drawn one is removed where it is rejected."""
        self._do(lambda desk: editing.judge(desk, lesion_id, verdict))

    def judge_selected(self, verdict: Verdict) -> None:
        """Accept or reject the selected finding; the same again reopens it."""
        found = self.finding(self.selected)
        if found is not None:
            self.judge(found.lesion.lesion_id, Verdict.PENDING if found.verdict is verdict else verdict)

    def remove(self, lesion_id: int | None = None) -> None:
        """Remove a drawn finding, or reject one of the model; the selected one by default."""
        target = self.selected if lesion_id is None else lesion_id
        if target is not None:
            self._do(lambda desk: editing.remove(desk, target))

    def erase_here(self, lesion_id: int | None = None) -> None:
        """Take a finding off the slice on show; the selected one by default."""
        target = self.selected if lesion_id is None else lesion_id
        if target is not None:
            self._do(lambda desk: editing.erase_slice(desk, target, self._session.index))

    def relabel(self, lesion_id: int, label: str) -> None:
        """Give a finding another class."""
        self._do(lambda desk: editing.relabel(desk, lesion_id, label), merge=f"class of {lesion_id}")

    # The hand

    def take(self, hand: Hand) -> None:
        """Take brush or eraser, or put it away."""
        if hand is Hand.NONE:
            self.leave()
        elif self._ready():
            self._new_label = self._new_label if hand is Hand.BRUSH else ""
            self._tell_hand(hand=hand)

    def begin(self, label: str = "") -> None:
        """Take the brush: its next stroke begins a new finding of this class, by default the class used last."""
        if self._ready():
            found = self.finding(self.selected)
            self._new_label = label or (found.lesion.label if found is not None else "") or self.choices()[0]
            self.select(None)  # nothing stands out while a new one waits for its first stroke
            self._tell_hand(hand=Hand.BRUSH)

    def leave(self) -> None:
        """Put the tool away."""
        if self.state.hand is not Hand.NONE or self._new_label:
            self._new_label = ""
            self._tell_hand(hand=Hand.NONE)

    def resize(self, steps: int) -> None:
        """Make brush and eraser larger or smaller."""
        self._tell_hand(size=next_size(self.state.size, steps))

    def choose_class(self, label: str) -> None:
        """The class of the finding that is begun, else of the selected one."""
        if self._new_label:
            self._new_label = label
            self._tell_hand()
        elif self.selected is not None:
            self.relabel(self.selected, label)

    def next_class(self) -> None:
        """The next class in order, for what `choose_class` concerns."""
        choices, now = self.choices(), self.state.label
        if self._new_label or self.selected is not None:
            self.choose_class(choices[(choices.index(now) + 1) % len(choices)] if now in choices else choices[0])

    def stroke(self, stroke: Stroke) -> None:
        """What a stroke does: it begins a finding, or changes the selected one, or the one that it began on."""
        desk = self.desk
        if desk is None:
            self.said.emit(NOT_YET)
            return
        if self._new_label and not stroke.erase:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            label = self._new_label
            edit = self._do(lambda d: editing.draw(d, label, stroke.index, stroke.mask, now, stroke.take))
            if edit is not None and edit.label:
                self.select(edit.lesion_id)
            return
        target = self.selected if self.selected is not None else self._under(desk, stroke)
        if target is None:
            self.said.emit(NOTHING_SELECTED)
            return
        self.select(target)
        if stroke.erase:
            self._do(lambda d: editing.erase(d, target, stroke.index, stroke.mask))
        else:
            self._do(lambda d: editing.paint(d, target, stroke.index, stroke.mask, stroke.take))

    def refuse(self) -> None:
        """A stroke was begun where findings are hidden."""
        self.said.emit(HIDDEN)

    @staticmethod
    def _under(desk: Reading, stroke: Stroke) -> int | None:
        """The smallest finding under the stroke's first pixel."""
        row, column = stroke.start
        hits = []
        for lesion_id in editing.findings_on(desk, stroke.index):
            mask = editing.mask_on(desk, lesion_id, stroke.index)
            y, x = (row - mask.top, column - mask.left) if mask is not None else (-1, -1)
            if mask is not None and 0 <= y < mask.height and 0 <= x < mask.width and mask.array()[y, x]:
                hits.append((mask.area, lesion_id))
        return min(hits)[1] if hits else None

    def _ready(self) -> bool:
        if self._reading.reading is None and self._session.volume is not None:
            self.said.emit(NOT_YET)
        return self._reading.reading is not None

    def _tell_hand(self, hand: Hand | None = None, size: int | None = None) -> None:
        """Tell what the hand holds where that is new; `hand` and `size` change it."""
        found = self.finding(self.selected)
        label = self._new_label or (found.lesion.label if found is not None else "")
        hand = self.state.hand if hand is None else hand
        choices = self.choices() if hand is not Hand.NONE else ()
        state = HandState(hand, bool(self._new_label), label, self.state.size if size is None else size, choices)
        if state != self.state:
            self.state = state
            self.hand_changed.emit(state)

    # Review

    def set_reviewed_here(self, on: bool) -> None:
        """Mark the slice on show as completely reviewed, or no longer."""
        self._review((self._session.index,), on, "on this slice")

    def set_reviewed_study(self, on: bool) -> None:
        """Mark all slices, or none."""
        self._review(tuple(range(self._session.slice_count)), on, "in this series")

    def _review(self, indices: tuple[int, ...], on: bool, where: str) -> None:
        desk = self.desk
        if desk is None:
            self.said.emit(NOT_YET)
            return
        failed = [i for i in indices if self._session.volume is not None and self._session.volume.failed[i]]
        indices = tuple(i for i in indices if i not in failed)
        waiting = editing.pending(desk, indices) if on else ()
        if waiting:
            count = "1 finding" if len(waiting) == 1 else f"{len(waiting)} findings"
            verb = "is" if len(waiting) == 1 else "are"
            text = f"{count} {where} {verb} not judged yet. Accept or reject first: what is reviewed completely is learned from."
            word = "Accept and mark" if len(waiting) == 1 else "Accept all and mark"
            self.asked.emit(text, word, lambda: self._do(lambda d: editing.review(d, indices, True, accept=True)))
            self._tell_review()
            return
        if failed and on:
            self.said.emit("Slices that could not be decoded are not marked as reviewed.")
        self._do(lambda d: editing.review(d, indices, on))

    def _do(self, make: Callable[[Reading], Edit | None], merge: str = "") -> Edit | None:
        """Make an edit and keep it; tells what the reader has to know of it."""
        desk = self.desk
        if desk is None:
            self.said.emit(NOT_YET)
            return None
        edit = make(desk)
        if edit is not None and edit.label:
            self._reading.edit_findings(desk, edit, merge)
        if edit is not None and edit.words:
            self.said.emit(edit.words)
        return edit
