"""Session to image and strip, and their intents back."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QImage

from ctviewer.core.people import person_name
from ctviewer.core.series import Patient, Series
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import PRESETS, Voi, Window, window_lut
from ctviewer.ui.panels.common import grey_image
from ctviewer.ui.session import Session
from ctviewer.ui.strip.heat_strip import HeatStrip
from ctviewer.ui.viewport import SliceView, slice_text
from ctviewer.ui.viewport.transform import pixel_aspect

PREVIEW_PX = 128
_CINE_MS = 1000 // 12


def window_text(window: Voi) -> str:
    """How a window is named in the toolbar: the preset's name, or width and level, or the table's name."""
    if isinstance(window, Window):
        for preset in PRESETS:
            if (preset.width, preset.centre, preset.function) == (window.width, window.centre, window.function):
                return preset.name
    return slice_text.window_text(window)


def preview(volume: Volume, index: int, window: Voi) -> QImage | None:
    """A small picture of a slice in a window, about `PREVIEW_PX` wide; None while it is not loaded."""
    if not volume.loaded[index] or volume.failed[index]:
        return None
    small = _reduced(volume.stored[index], volume.geometry.pixel_spacing)
    lut = window_lut(
        window,
        float(volume.slope[index]),
        float(volume.intercept[index]),
        signed=volume.signed,
        invert=volume.inverted,
        padding=volume.padding,
    )
    return grey_image(lut[small.view(np.uint16)])


def _reduced(stored: np.ndarray, spacing: tuple[float, float] | None) -> np.ndarray:
    """Some of the pixels of a slice, in the proportions of the patient."""
    step = max(1, stored.shape[1] // PREVIEW_PX)
    places = []
    for count, stretch in zip(stored.shape, pixel_aspect(spacing), strict=True):
        shown = min(max(1, round(-(-count // step) * stretch)), 4 * PREVIEW_PX)
        places.append(np.arange(shown) * count // shown)
    return np.ascontiguousarray(stored[np.ix_(*places)])


def series_name(series: Series) -> str:
    """A series in a sentence: number, kernel and slice distance."""
    number = f"Series {series.number}" if series.number is not None else "This series"
    facts = [series.kernel, f"{series.slice_spacing:.1f} mm" if series.slice_spacing else ""]
    told = ", ".join(fact for fact in facts if fact)
    return f"{number} ({told})" if told else number


def suits_better(candidate: Series, series: Series) -> bool:
    """Whether the series chosen for the models differs from this one in anything that matters to them."""

    def facts(one: Series) -> tuple[object, ...]:
        return one.kernel, one.slice_spacing, one.thickness, len(one.slices), one.use

    return candidate.key != series.key and facts(candidate) != facts(series)


def analysis_window(volume: Volume) -> Voi:
    """The window in which findings of the lung are seen: the lung preset for HU, else the volume's own."""
    return PRESETS[0] if volume.unit == "HU" else volume.initial_window


class ImageBinder(QObject):
    """Keeps view and strip on the session's slice and window.

    Signals:
        cine_stopped: the reader moved to another slice while cine ran.
    """

    cine_stopped = Signal()

    def __init__(self, session: Session, view: SliceView, strip: HeatStrip, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._view, self._strip = session, view, strip
        self._stepping = False
        self._cine = QTimer(self)
        self._cine.setInterval(_CINE_MS)
        self._cine.timeout.connect(self._next_frame)
        session.volume_changed.connect(self._show_volume)
        session.slice_changed.connect(self._show_slice)
        session.window_changed.connect(view.set_window)
        session.slices_loaded.connect(self._show_loaded)
        view.window_changed.connect(session.set_window)
        view.slice_requested.connect(session.step)
        view.slice_jump_requested.connect(session.go_to)
        strip.position_requested.connect(session.go_to_position)
        strip.step_requested.connect(session.step)
        strip.set_captions(self._captions)
        strip.set_preview(self._preview)

    def _show_volume(self, volume: Volume | None) -> None:
        session = self._session
        self._view.set_volume(volume)
        if volume is None:
            self._strip.set_slices(0)
            self._view.set_banner((), ())
            return
        names = [volume.series.image_name(int(i)) for i in session.display_order]
        self._strip.set_slices(volume.slice_count, names)
        self._strip.set_loaded(volume.loaded[session.display_order])
        self._view.set_banner(*banner(volume.series))

    def _show_slice(self, index: int) -> None:
        self._view.set_slice(index)
        self._strip.set_position(self._session.position)
        if self._cine.isActive() and not self._stepping:
            self._cine.stop()
            self.cine_stopped.emit()

    def _show_loaded(self, indices: tuple[int, ...]) -> None:
        volume = self._session.volume
        if volume is None:
            return
        self._strip.set_loaded(volume.loaded[self._session.display_order])
        for index in indices:
            self._view.slice_loaded(index)

    def _captions(self, position: int) -> tuple[str, ...]:
        volume = self._session.volume
        if volume is None:
            return ()
        index = self._session.index_at(position)
        place = volume.geometry.place_of(index)  # as it stands on the image
        return (f"Slice {position + 1} of {volume.slice_count}", f"{volume.citation(index)}  {place}".strip())

    def _preview(self, position: int) -> QImage | None:
        volume = self._session.volume
        return None if volume is None else preview(volume, self._session.index_at(position), self._session.window)

    # Cine

    def set_cine(self, running: bool) -> None:
        """Run through the slices, or stop."""
        if running and self._session.volume is not None:
            self._cine.start()
        else:
            self._cine.stop()

    def _next_frame(self) -> None:
        session = self._session
        if session.slice_count:
            self._stepping = True
            session.go_to_position((session.position + 1) % session.slice_count)
            self._stepping = False


def banner(series: Series) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Lines in the upper corners: patient on the left, study and series on the right."""
    patient = series.patient
    left: tuple[str, ...] = (person_name(patient.name) or "no name", f"ID {patient.patient_id or 'none'}")
    if patient == Patient() and not series.uid:  # NIfTI and the like: the file's name is all there is
        left = ("no patient is named in the file",)
    number = "" if series.number is None else f"Se {series.number}  "
    right = (series.study.description, f"{number}{series.description}".strip())
    return tuple(line for line in left if line), tuple(line for line in right if line)
