"""Findings as the reader left them to table and image, and what the reader says of them back."""

from __future__ import annotations

from functools import partial

import numpy as np
from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtWidgets import QMenu, QWidget

from ctviewer.core.findings import AnalysisResult, Instance, Lesion, Verdict
from ctviewer.core.read_findings import Origin, ReadFinding, finding_name, shown_classes
from ctviewer.ui.layout import Parts
from ctviewer.ui.palette import lesion_colour
from ctviewer.ui.presenters.analysing import AnalysingPresenter, AnalysisState, Phase
from ctviewer.ui.presenters.correcting import CorrectingPresenter, Hand
from ctviewer.ui.services import Services
from ctviewer.ui.session import Session
from ctviewer.ui.viewport import OverlayShape

Shapes = dict[int, tuple[OverlayShape, ...]]


class FindingsBinder(QObject):
    """Shows findings in table and image, with a menu on each."""

    def __init__(
        self,
        session: Session,
        analysing: AnalysingPresenter,
        correcting: CorrectingPresenter,
        parts: Parts,
        services: Services,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._session, self._analysing, self._correcting, self._parts = session, analysing, correcting, parts
        self._detector_classes, self._window = services.detector_classes, window
        self._classes: tuple[str, ...] | None = None  # of the active model: asking reads and verifies the bundles
        self._marked: Shapes = {}  # by the run that goes on
        self._shapes: Shapes = {}
        session.volume_changed.connect(lambda _volume: self._show_state(analysing.state))
        analysing.changed.connect(self._show_state)
        analysing.marked.connect(self._mark)
        correcting.findings_changed.connect(lambda _found: self._show())
        correcting.selected_changed.connect(self._show_selected)
        parts.findings.lesion_activated.connect(self.go_to_lesion)
        parts.findings.verdict_requested.connect(correcting.judge)
        parts.findings.removal_requested.connect(correcting.remove)
        parts.findings.menu_requested.connect(self.show_menu)
        parts.view.lesion_clicked.connect(self.select_lesion)
        parts.view.menu_requested.connect(self.show_menu)
        self._show_state(analysing.state)

    @property
    def lesions(self) -> tuple[Lesion, ...]:
        """What the table shows."""
        return tuple(finding.lesion for finding in self._correcting.findings)

    def colours(self) -> tuple[str, ...]:
        """The classes whose order gives the colours."""
        result = self._analysing.state.result
        told = result.detector_classes if result is not None else ()
        if not told:
            if self._classes is None:
                self._classes = self._detector_classes()
            told = self._classes
        return shown_classes(told, self._correcting.findings)

    def colours_with(self, label: str) -> tuple[str, ...]:
        """Likewise, with a class that the reader is about to draw."""
        known = self.colours()
        return known if not label or label in known else (*known, label)

    # What is shown

    def _show_state(self, state: AnalysisState) -> None:
        self._marked = {}
        if state.phase is not Phase.RUNNING:
            self._classes = None
        self._show()

    def _mark(self, index: int, instances: tuple[Instance, ...]) -> None:
        classes = self.colours()
        shapes = tuple(
            OverlayShape(i.label, 0, i.mask, lesion_colour(i.label, classes), Verdict.PENDING) for i in instances
        )
        self._marked = {**self._marked, index: shapes}
        self._show_shapes()

    def _show(self) -> None:
        volume, found = self._session.volume, self._correcting.findings
        names = [volume.series.image_name(i).removeprefix("Im ") for i in range(volume.slice_count)] if volume else []
        classes = self.colours() if found else ()
        self._parts.findings.set_findings(found, classes, names)
        self._parts.findings.set_note(self._no_lesions(self._analysing.state.result))
        shapes: dict[int, list[OverlayShape]] = {}
        for one in found:
            for i in one.lesion.instances:
                colour = lesion_colour(i.label, classes)
                shape = OverlayShape(i.label, one.lesion.lesion_id, i.mask, colour, _state(one))
                shapes.setdefault(i.slice_index, []).append(shape)
        self._shapes = {index: tuple(some) for index, some in shapes.items()}
        self._show_shapes()
        self._show_selected(self._correcting.selected)

    def _show_shapes(self) -> None:
        """A new mapping each time: the view compares it with what it shows."""
        both = {i: (*self._shapes.get(i, ()), *self._marked.get(i, ())) for i in {*self._shapes, *self._marked}}
        self._parts.view.set_lesions(both)

    def _show_selected(self, lesion_id: int | None) -> None:
        self._parts.view.set_selected_lesion(lesion_id)
        self._parts.findings.set_current(lesion_id)

    def _no_lesions(self, result: AnalysisResult | None) -> str:
        """What stands in the empty table."""
        if self._session.volume is None:
            return "None yet."
        if result is None:
            return "The lesions follow the classification." if self._analysing.busy else "Not analysed."
        return (
            "No lesion was marked." if np.isfinite(result.lesion_area).any() else "No slice was searched for lesions."
        )

    # What the reader asks for

    def select_lesion(self, lesion_id: int | None) -> None:
        """Highlight a finding in image and table."""
        self._correcting.select(lesion_id)

    def go_to_lesion(self, lesion_id: int) -> None:
        """Select a finding and show its largest slice."""
        found = self._correcting.finding(lesion_id)
        if found is not None:
            self.select_lesion(lesion_id)
            self._session.go_to(found.lesion.largest_slice)

    def show_menu(self, at: QPoint, lesion_id: int | None) -> None:
        """What can be done with a finding, or where there is none."""
        if self._correcting.desk is None:
            return
        menu = QMenu(self._window)
        menu.setObjectName("findings_menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        found = self._correcting.finding(lesion_id)
        if found is not None:
            self.select_lesion(found.lesion.lesion_id)
            self._fill_for(menu, found)
            menu.addSeparator()
        begin = menu.addMenu("&New finding")
        for name in self._correcting.choices():
            begin.addAction(_plain(name)).triggered.connect(partial(self._begin, name))
        here = menu.addAction("Slice &reviewed completely")
        here.setCheckable(True)
        here.setChecked(self._correcting.review().here)
        here.triggered.connect(self._correcting.set_reviewed_here)
        menu.popup(at)

    def _fill_for(self, menu: QMenu, found: ReadFinding) -> None:
        lesion_id, correcting = found.lesion.lesion_id, self._correcting
        title = menu.addAction(_plain(f"{finding_name(lesion_id)}  {found.lesion.label}"))
        title.setEnabled(False)
        if found.origin is not Origin.DRAWN:
            for verdict, text in ((Verdict.ACCEPTED, "&Accept"), (Verdict.REJECTED, "Re&ject")):
                action = menu.addAction(text)
                action.setCheckable(True)
                action.setChecked(found.verdict is verdict)
                action.triggered.connect(lambda _=False, v=verdict: correcting.judge_selected(v))
        classes = menu.addMenu("&Class")
        for name in correcting.choices():
            action = classes.addAction(_plain(name))
            action.setCheckable(True)
            action.setChecked(name == found.lesion.label)
            action.triggered.connect(lambda _=False, n=name: correcting.relabel(lesion_id, n))
        menu.addAction("Edit with the &brush").triggered.connect(lambda: correcting.take(Hand.BRUSH))
        menu.addAction("&Erase in it").triggered.connect(lambda: correcting.take(Hand.ERASER))
        off = menu.addAction("Take &off this slice")
        off.setEnabled(self._session.index in found.lesion.slices)
        off.triggered.connect(lambda: correcting.erase_here(lesion_id))
        if found.origin is Origin.DRAWN:
            menu.addAction("Re&move").triggered.connect(lambda: correcting.remove(lesion_id))

    def _begin(self, name: str, _checked: bool = False) -> None:
        self._correcting.begin(name)


def _plain(text: str) -> str:
    """A text in a menu as it is: an ampersand in it is no mark of a key."""
    return text.replace("&", "&&")


def _state(found: ReadFinding) -> Verdict:
    """How it is marked on the image: the reader's own drawing needs no tick."""
    return Verdict.PENDING if found.origin is Origin.DRAWN else found.verdict
