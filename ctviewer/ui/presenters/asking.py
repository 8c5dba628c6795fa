"""What files do not say and the reader may state: asked once, kept in the work store, applied silently the next time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from PySide6.QtCore import QObject, Signal

from ctviewer.core.errors import StorageError
from ctviewer.core.interpretation import ORIENTATION, SPACING, VALUES, Interpretation
from ctviewer.core.series import Catalog, Series
from ctviewer.core.volume import Volume
from ctviewer.core.words import enumerated
from ctviewer.dicom import by_preference, interpret
from ctviewer.library import WorkStore
from ctviewer.ui.session import Session

_WORDS = {
    VALUES: "what its values mean",
    SPACING: "how large its pixels are",
    ORIENTATION: "how its slices lie in the patient",
}


@dataclass(frozen=True)
class Question:
    """What to ask of one series.

    Attributes:
        series: as the scan found it, nothing applied.
        stated: what the reader stated before; all None where nothing.
        values: lowest and highest value that the file holds in the slice on screen; None before there is one.
    """

    series: Series
    stated: Interpretation
    values: tuple[float, float] | None


class AskingPresenter(QObject):
    """Applies what was stated of series, and asks where nothing was.

    Args:
        session: what is open.
        store: keeps what was stated.
        reopen: shows a series in the place of another one, by key; given by the opening presenter.
    """

    asked = Signal(str)  # one sentence about the series that was just chosen; empty where there is nothing to ask
    answerable = Signal(bool)  # whether the open series has something to state
    failed = Signal(str)  # one sentence

    def __init__(
        self,
        session: Session,
        store: WorkStore,
        reopen: Callable[[str, Series], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._store, self._reopen = session, store, reopen
        self._scanned: dict[str, tuple[Series, Interpretation]] = {}  # by the key of what was made of them
        session.series_changed.connect(self._on_series)

    def apply_kept(self, catalog: Catalog) -> Catalog:
        """The catalog of a scan with all that was stated earlier applied, in the order of preference then."""
        self._scanned = {}
        made = tuple(self._applied(series, self._kept(series)) for series in catalog.series)
        if all(new is old for new, old in zip(made, catalog.series, strict=True)):
            return catalog
        return by_preference(replace(catalog, series=made))

    def question(self) -> Question | None:
        """What there is to ask of the open series; None where its files say all."""
        series = self._session.series
        found = self._scanned.get(series.key) if series is not None else None
        if found is None:
            return None
        volume = self._session.volume
        if (
            volume is not None and volume.series is not series
        ):  # the image before, until this one's first slice is there
            volume = None
        return Question(*found, _file_values(volume, self._session.index, found[1]))

    def state(self, stated: Interpretation) -> None:
        """The reader stated something of the open series: keep it, and show the series by it."""
        series = self._session.series
        found = self._scanned.get(series.key) if series is not None else None
        if series is None or found is None:
            return
        stated = replace(stated, stated_on=date.today().isoformat())
        try:
            self._store.save_statement(found[0].key, stated)
        except StorageError as error:
            self.failed.emit(str(error))
        self._reopen(series.key, self._applied(found[0], stated))

    def state_hounsfield(self) -> None:
        """The short answer: the values are Hounsfield units as they are."""
        question = self.question()
        if question is not None:
            self.state(replace(question.stated, unit="HU", slope=1.0, intercept=0.0))

    def _kept(self, series: Series) -> Interpretation:
        if not series.questions:
            return Interpretation()
        try:
            return self._store.load_statement(series.key) or Interpretation()
        except StorageError as error:
            self.failed.emit(str(error))
            return Interpretation()

    def _applied(self, series: Series, stated: Interpretation) -> Series:
        if not series.questions:
            return series
        made = series if stated == Interpretation() else interpret(series, stated)
        self._scanned[made.key] = (series, stated)
        return made

    def _on_series(self, series: Series | None) -> None:
        self.answerable.emit(series is not None and series.key in self._scanned)
        text = ""
        if series is not None and VALUES in series.questions and series.key in self._scanned:
            words = enumerated([_WORDS[question] for question in series.questions])
            text = f"{series.transfer_syntax.partition(',')[0]} does not say {words}."
        self.asked.emit(text)


def _file_values(volume: Volume | None, index: int, stated: Interpretation) -> tuple[float, float] | None:
    """Lowest and highest value of a slice as the file holds them, before what was stated is applied."""
    if volume is None or not volume.loaded[index] or volume.failed[index]:
        return None
    values = volume.hu(index)[volume.valid(index)]
    if not values.size:
        return None
    slope, intercept = (stated.slope, stated.intercept) if volume.unit == "HU" else (1.0, 0.0)
    ends = sorted(((float(end) - intercept) / slope) for end in (values.min(), values.max()))
    return ends[0], ends[1]
