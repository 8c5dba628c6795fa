"""The class of the study as the reader states it: between the reading, the model's answer and the control that shows both."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction

from ctviewer.core.errors import StorageError
from ctviewer.core.findings import StudyClassification
from ctviewer.core.label import class_name
from ctviewer.ui.panels.reader_class import ReaderClass, ReaderClassView
from ctviewer.ui.presenters.analysing import AnalysingPresenter
from ctviewer.ui.presenters.reading import ReadingPresenter
from ctviewer.ui.services import Services, StudyClasses
from ctviewer.ui.session import Session

_WITHOUT_MODEL = 6  # classes used before that are offered where no model gives any


class StatingBinder(QObject):
    """Shows what can be stated and what was, and sends what the reader says.

    Args:
        session: what is open.
        analysing: the model's answer.
        reading: keeps the class.
        control: shows it.
        actions: "accept_class" and "next_class" are enabled here.
        services: the active model's classes, and classes stated before.
    """

    def __init__(
        self,
        session: Session,
        analysing: AnalysingPresenter,
        reading: ReadingPresenter,
        control: ReaderClass,
        actions: dict[str, QAction],
        services: Services,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._analysing, self._reading = session, analysing, reading
        self._control, self._actions, self._services = control, actions, services
        self._model = StudyClasses()
        self._known: tuple[str, ...] = ()
        reading.ready.connect(lambda _reading: self.refresh_classes())
        reading.changed.connect(lambda _reading: self._show())
        analysing.changed.connect(lambda _state: self._on_analysis())
        session.volume_changed.connect(lambda _volume: self._show())
        control.chosen.connect(self.choose)
        control.cleared.connect(lambda: self._state(()))
        control.typed.connect(self._take_typed)
        self._show()

    def refresh_classes(self) -> None:
        """Ask for the active model's classes and those stated before, anew: it reads the bundles, so not for each change."""
        self._model = self._services.study_classes()
        try:
            self._known = self._services.store.stated_classes()
        except StorageError:  # told when the reading is kept
            self._known = ()
        self._show()

    # What the reader asks for

    def accept(self) -> None:
        """State what the model says."""
        told = self._told
        if told is not None:
            self._state(told.answer)

    def choose(self, name: str) -> None:
        """State a class; where several may be there, add it or take it away."""
        stated = self._stated
        if self._model.exclusive or name == self._model.negative_class or name not in self._choices():
            self._state((name,))
        elif name in stated:
            self._state(tuple(one for one in stated if one != name))
        else:
            self._state((*(one for one in stated if one != self._model.negative_class), name))

    def step(self) -> None:
        """State the next of the classes; the first where nothing is stated, and after the last."""
        choices, stated = self._choices(), self._stated
        if choices:
            at = choices.index(stated[0]) + 1 if stated and stated[0] in choices else 0
            self._state((choices[at % len(choices)],), merge="class")

    def _take_typed(self, text: str) -> None:
        name = class_name(text, (*self._choices(), *self._known))
        if name:
            self.choose(name)

    def _state(self, classes: tuple[str, ...], merge: str = "") -> None:
        self._reading.state_classes(classes, self._told, merge)

    # What is shown

    @property
    def _told(self) -> StudyClassification | None:
        return self._analysing.state.classification

    @property
    def _stated(self) -> tuple[str, ...]:
        reading = self._reading.reading
        return reading.label.classes if reading is not None and reading.label is not None else ()

    def _choices(self) -> tuple[str, ...]:
        """The active model's classes, or where there is none those used before; then what else is stated or said."""
        offered = self._model.classes or self._known[:_WITHOUT_MODEL]
        told = self._told.answer if self._told is not None else ()
        return tuple(dict.fromkeys((*offered, *told, *self._stated)))

    def _on_analysis(self) -> None:
        told = self._told
        if told is not None and self._model.classes != told.model.classes and not self._analysing.busy:
            self.refresh_classes()  # another model was activated since
        else:
            self._show()

    def _show(self) -> None:
        reading, told = self._reading.reading, self._told
        label = reading.label if reading is not None else None
        answer = told.answer if told is not None else ()
        choices = self._choices()
        self._control.setVisible(self._session.volume is not None)
        self._control.show_view(
            ReaderClassView(
                choices=choices,
                stated=self._stated,
                answer=answer,
                origin="" if label is None else f"{label.origin[:1].upper()}{label.origin[1:]}.",
                known=self._known,
                enabled=reading is not None,
            )
        )
        offered = reading is not None and bool(answer) and set(answer) != set(self._stated)
        self._actions["accept_class"].setEnabled(offered)
        self._actions["next_class"].setEnabled(reading is not None and bool(choices))
