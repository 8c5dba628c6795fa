"""The restriction of a model's licence, told when it is first used, with the way to a model without one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject

from ctviewer.core.series import Severity
from ctviewer.core.words import enumerated
from ctviewer.ui.message_bar import MessageBar
from ctviewer.ui.presenters.analysing import AnalysingPresenter, AnalysisState, Phase
from ctviewer.ui.presenters.models import ModelsPresenter
from ctviewer.ui.services import ModelCard, Services

UNDERSTOOD = "Understood"
SWITCH_ONE, SWITCH_ALL = "Use an unrestricted model", "Use unrestricted models"
_SHOWN_IN = (Phase.WAITING, Phase.RUNNING, Phase.DONE)


@dataclass(frozen=True)
class Told:
    """What there is to tell of the models in use.

    Attributes:
        text: names, licences and restrictions; each restriction once.
        keys: of the models.
        free: keys of models without a restriction that do the same tasks.
    """

    text: str
    keys: tuple[str, ...]
    free: tuple[str, ...]


def to_tell(cards: Sequence[ModelCard], understood: Iterable[str]) -> Told | None:
    """What a reader has not read yet of the models in use; None for nothing."""
    known = frozenset(understood)
    those = [card for card in cards if card.active and card.restriction and card.key not in known]
    if not those:
        return None
    parts = []
    for licence, restriction in dict.fromkeys((card.licence, card.restriction) for card in those):
        same = [card for card in those if (card.licence, card.restriction) == (licence, restriction)]
        names = enumerated([f"{card.title} {card.version}" for card in same])
        parts.append(f"{names} ({licence}): {restriction}")
    free = [unrestricted(card, cards) for card in those]
    return Told(" ".join(parts), tuple(card.key for card in those), tuple(one.key for one in free if one is not None))


def unrestricted(card: ModelCard, cards: Iterable[ModelCard]) -> ModelCard | None:
    """The model without a restriction that does the same task: the newest that comes with the program; None for none."""
    same = [one for one in cards if one.task == card.task and not one.restriction]
    return max(same, key=lambda one: (not one.made_here, _numbers(one.version)), default=None)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


class LicencesBinder(QObject):
    """Tells restrictions in a bar of their own, which stays until the reader has answered.

    Args:
        analysing: whose start is the first use.
        models: to change to others.
        bar: for this alone.
        services: which models are in use, and what was read before.
    """

    def __init__(
        self,
        analysing: AnalysingPresenter,
        models: ModelsPresenter,
        bar: MessageBar,
        services: Services,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._analysing, self._models, self._bar, self._services = analysing, models, bar, services
        self._phase = Phase.IDLE
        analysing.changed.connect(self._on_state)

    def refresh(self) -> None:
        """Other models are in use: what was told of those before is taken back."""
        self._bar.clear()
        if self._analysing.busy:
            self._tell()

    def _on_state(self, state: AnalysisState) -> None:
        before, self._phase = self._phase, state.phase
        kept = state.result is not None and not self._services.is_current(state.result)
        if state.phase in _SHOWN_IN and before not in _SHOWN_IN and not kept:
            self._tell()

    def _tell(self) -> None:
        told = to_tell(self._models.listing()[0], self._services.preferences().understood)
        if told is None:
            return
        actions = [(UNDERSTOOD, lambda: self._understand(told))]
        if told.free:
            actions.append((SWITCH_ONE if len(told.keys) == 1 else SWITCH_ALL, lambda: self._switch(told)))
        self._bar.say(told.text, Severity.WARNING, tuple(actions))

    def _understand(self, told: Told) -> None:
        self._bar.clear()
        before = self._services.preferences().understood
        self._services.set_preference(understood=tuple(dict.fromkeys((*before, *told.keys))))

    def _switch(self, told: Told) -> None:
        self._bar.clear()
        for key in told.free:
            self._models.activate(key)
