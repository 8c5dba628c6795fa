"""Brush, eraser, classes and review: the presenter's state to image, bar and commands, and their intents back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QAction

from ctviewer.core.findings import Verdict
from ctviewer.core.read_findings import finding_name
from ctviewer.core.series import Severity
from ctviewer.ui.actions import connect
from ctviewer.ui.binders.findings import FindingsBinder
from ctviewer.ui.layout import Parts
from ctviewer.ui.palette import lesion_colour
from ctviewer.ui.panels.edit_bar import EditBarView
from ctviewer.ui.presenters.correcting import CorrectingPresenter, Hand, HandState, ReviewState
from ctviewer.ui.session import Session
from ctviewer.ui.viewport import Brush

_TOOLS = {Hand.BRUSH: "tool_brush", Hand.ERASER: "tool_eraser"}
_SELECTED = ("accept", "reject", "remove_finding", "erase_slice")
_WITH_READING = ("new_finding", "tool_brush", "tool_eraser", "reviewed_slice", "reviewed_study")


class CorrectingBinder(QObject):
    """Keeps the tools, their bar and their commands in step with what the reader's hand holds.

    Args:
        session: which slice is shown.
        correcting: decides.
        findings: knows the colours.
        parts: the window's widgets.
        actions: its commands are connected and enabled here.
        parent: owner.
    """

    def __init__(
        self,
        session: Session,
        correcting: CorrectingPresenter,
        findings: FindingsBinder,
        parts: Parts,
        actions: dict[str, QAction],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._session, self._correcting, self._findings = session, correcting, findings
        self._parts, self._actions = parts, actions
        self._lane: tuple[int, ...] = ()
        session.volume_changed.connect(lambda _volume: self._forget_lane())
        view, bar = parts.view, parts.edit_bar
        view.stroke_made.connect(correcting.stroke)
        view.resize_requested.connect(correcting.resize)
        view.refused.connect(correcting.refuse)
        bar.class_chosen.connect(correcting.choose_class)
        bar.size_requested.connect(correcting.resize)
        bar.done.connect(correcting.leave)
        bar.left.connect(view.setFocus)
        parts.review.toggled.connect(correcting.set_reviewed_here)
        correcting.hand_changed.connect(self._show_hand)
        correcting.selected_changed.connect(lambda _id: self._enable())
        correcting.findings_changed.connect(lambda _found: self._on_findings())
        correcting.review_changed.connect(self._show_review)
        correcting.said.connect(self._say)
        correcting.asked.connect(self._ask)
        self._connect()
        self._show_review(correcting.review())
        self._enable()

    def _connect(self) -> None:
        c = self._correcting
        connect(
            self._actions,
            [
                ("accept", lambda: c.judge_selected(Verdict.ACCEPTED)),
                ("reject", lambda: c.judge_selected(Verdict.REJECTED)),
                ("new_finding", c.begin),
                ("tool_brush", lambda on: self._take(Hand.BRUSH, on)),
                ("tool_eraser", lambda on: self._take(Hand.ERASER, on)),
                ("smaller_brush", lambda: c.resize(-1)),
                ("larger_brush", lambda: c.resize(1)),
                ("next_lesion_class", c.next_class),
                ("remove_finding", c.remove),
                ("erase_slice", c.erase_here),
                ("reviewed_slice", c.set_reviewed_here),
                ("reviewed_study", c.set_reviewed_study),
            ],
        )

    def _take(self, hand: Hand, on: bool) -> None:
        if on:
            self._correcting.take(hand)
            self._show_hand(self._correcting.state)  # where it was refused the command is not checked either

    def _forget_lane(self) -> None:
        """The strip begins anew with each volume."""
        self._lane = ()
        self._show_review(self._correcting.review())

    def _say(self, text: str) -> None:
        """Beside the tool where it can be seen: a message above the image would move it under the brush."""
        bar = self._parts.edit_bar
        (bar.say if bar.isVisible() else self._parts.messages.say)(text)
        self._reveal_bar()

    def _reveal_bar(self) -> None:
        """The column scrolls: what the tool does must not stand below its edge. Once the bar has its size."""
        bar = self._parts.edit_bar
        if bar.isVisible():
            QTimer.singleShot(0, bar, lambda: self._parts.right.ensureWidgetVisible(bar, 0, 0))

    def _ask(self, text: str, word: str, act: Callable[[], object]) -> None:
        def answer() -> None:
            self._parts.messages.clear()
            act()

        self._parts.messages.say(text, Severity.WARNING, ((word, answer),))

    # What is shown

    def _show_hand(self, state: HandState) -> None:
        view = self._parts.view
        tool = _TOOLS.get(state.hand, f"tool_{view.tool.name.lower()}")
        self._actions[tool].setChecked(True)
        if state.hand is Hand.NONE:
            view.set_brush(None)
            self._parts.edit_bar.show_view(None)
        else:
            colour = lesion_colour(state.label, self._findings.colours_with(state.label))
            view.set_brush(Brush(state.size, colour, state.hand is Hand.ERASER))
            bar = EditBarView(self._title(state), self._size_text(state.size), state.choices, state.label)
            taken = self._parts.edit_bar.isHidden()
            self._parts.edit_bar.show_view(bar)
            if taken:
                self._reveal_bar()
        self._enable()

    def _on_findings(self) -> None:
        self._parts.edit_bar.say("")
        self._show_hand(self._correcting.state)

    def _title(self, state: HandState) -> str:
        if state.begins:
            return f"Draw a new finding: {state.label}"
        tool = "Brush" if state.hand is Hand.BRUSH else "Eraser"
        if self._correcting.selected is None:
            return f"{tool}: press on a finding"
        return f"{tool}: finding {finding_name(self._correcting.selected)}"

    def _size_text(self, size: int) -> str:
        volume = self._session.volume
        spacing = volume.geometry.pixel_spacing if volume is not None else None
        return f"{size} px" if spacing is None else f"{size * min(spacing):.1f} mm"

    def _show_review(self, state: ReviewState) -> None:
        self._parts.review.show_state(state.here, state.stale, len(state.slices), state.count)
        self._show_lane(state.slices)
        for name, on in (("reviewed_slice", state.here), ("reviewed_study", state.whole)):
            action = self._actions[name]
            action.blockSignals(True)  # the tick is an answer, no intent
            action.setChecked(on)
            action.blockSignals(False)
        self._enable()

    def _show_lane(self, slices: tuple[int, ...]) -> None:
        strip, session = self._parts.strip, self._session
        if session.volume is None or strip.maximum() + 1 != session.slice_count or slices == self._lane:
            return
        self._lane = slices
        marked = np.zeros(session.slice_count, bool)
        marked[list(slices)] = True
        strip.set_reviewed(marked[session.display_order] if slices else None)

    def _enable(self) -> None:
        correcting = self._correcting
        chosen, holding = correcting.selected is not None, correcting.state.hand is not Hand.NONE
        enabled = dict.fromkeys(_SELECTED, chosen)
        enabled |= dict.fromkeys(_WITH_READING, correcting.desk is not None)
        enabled |= dict.fromkeys(("smaller_brush", "larger_brush"), holding)
        enabled |= {"next_lesion_class": chosen or correcting.state.begins}
        for name, on in enabled.items():
            self._actions[name].setEnabled(on)
