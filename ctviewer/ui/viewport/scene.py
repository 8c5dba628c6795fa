"""What one viewport shows, as plain state: the widget fills it, the painter reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from ctviewer.core.findings import Roi
from ctviewer.core.overlays import OverlayPlane
from ctviewer.core.units import unit_text
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import PRESETS, Voi
from ctviewer.ui.viewport.overlay import OverlayShape
from ctviewer.ui.viewport.slice_text import (
    HoverInfo,
    StackNames,
    cursor_place_text,
    stack_names,
    value_text,
    window_text,
)
from ctviewer.ui.viewport.transform import ViewTransform, pixel_aspect, reading_flips

# Room kept for text that changes under the cursor, so that nothing jumps while it moves.
_WIDEST_VALUE = " -88888"
_WIDEST_PLACE = "x -888.8 y -888.8 z -8888.8 mm"


class SliceState(Enum):
    """Whether the present slice can be shown."""

    READY = "ready"
    LOADING = "loading"
    FAILED = "failed"


@dataclass
class Scene:
    """State of a viewport.

    Attributes:
        volume: what is shown.
        names: of its slices.
        index: volume index of the present slice.
        window: the display window, or a table of the file.
        inverted: by the reader; MONOCHROME1 comes on top of it.
        lesions: overlay by volume index.
        rois: regions that a one-shot model looked at, by volume index.
        rois_visible: whether they are drawn; the reader asks for them.
        roi_under_cursor: which of them is told in full.
        graphics_visible: whether overlay planes of the file are drawn.
        opacity: of the lesions' fill, 0..1.
        selected: lesion that stands out.
        marks_visible: whether text, scale bar and overlay are drawn over the image; the mark of lossy compression stays.
        banner_left, banner_right: texts of the frame above the image; never hidden.
        banner_danger: whether the frame is a red warning.
        message: quiet text in the middle.
        show_pixels: sharp pixels instead of smooth ones at 4x and more.
        transform: where the image lies.
        hover: what is under the cursor.
    """

    volume: Volume | None = None
    names: StackNames = field(default_factory=StackNames)
    index: int = 0
    window: Voi = PRESETS[0]
    inverted: bool = False
    lesions: Mapping[int, Sequence[OverlayShape]] = field(default_factory=dict)
    overlay_visible: bool = True
    rois: Mapping[int, Sequence[Roi]] = field(default_factory=dict)
    rois_visible: bool = False
    roi_under_cursor: Roi | None = None
    graphics_visible: bool = True
    opacity: float = 0.25
    selected: int | None = None
    marks_visible: bool = True
    banner_left: tuple[str, ...] = ()
    banner_right: tuple[str, ...] = ()
    banner_danger: bool = False
    message: str = ""
    show_pixels: bool = False
    transform: ViewTransform = field(default_factory=lambda: ViewTransform(1, 1))
    hover: HoverInfo | None = None

    def show(self, volume: Volume | None) -> None:
        """Another volume: its middle slice in its own window, without lesions; the reader's other choices stay."""
        self.volume, self.lesions, self.selected, self.hover = volume, {}, None, None
        self.rois, self.roi_under_cursor = {}, None
        self.names = StackNames()
        if volume is not None:
            self.names = stack_names(volume.geometry)
            self.index, self.window = volume.middle, volume.initial_window
            _, rows, columns = volume.stored.shape
            flip_h, flip_v = reading_flips(volume.geometry)
            aspect = pixel_aspect(volume.geometry.pixel_spacing)
            self.transform = ViewTransform(rows, columns, aspect, flip_h=flip_h, flip_v=flip_v)

    @property
    def state(self) -> SliceState:
        """Of the present slice; READY without a volume."""
        if self.volume is None:
            return SliceState.READY
        if self.volume.failed[self.index]:
            return SliceState.FAILED
        return SliceState.READY if self.volume.loaded[self.index] else SliceState.LOADING

    @property
    def shown_index(self) -> int | None:
        """Volume index of the pixels on screen: the nearest loaded slice while the present one loads; None for none."""
        if self.volume is None or self.state is SliceState.FAILED:
            return None
        if self.state is SliceState.READY:
            return self.index
        ready = np.flatnonzero(self.volume.loaded & ~self.volume.failed)
        return int(ready[np.argmin(np.abs(ready - self.index))]) if ready.size else None

    @property
    def shapes(self) -> Sequence[OverlayShape]:
        """Outlines on the present slice; none while it cannot be seen."""
        hidden = not (self.overlay_visible and self.marks_visible) or self.state is not SliceState.READY
        return () if hidden else self.lesions.get(self.index, ())

    @property
    def shown_rois(self) -> Sequence[Roi]:
        """Regions of interest on the present slice; none while it cannot be seen."""
        hidden = not (self.rois_visible and self.marks_visible) or self.state is not SliceState.READY
        return () if hidden else self.rois.get(self.index, ())

    @property
    def graphics(self) -> tuple[OverlayPlane, ...]:
        """Overlay planes on the present slice; none while it cannot be seen."""
        hidden = not (self.graphics_visible and self.marks_visible) or self.state is not SliceState.READY
        return () if hidden or self.volume is None else self.volume.overlays.get(self.index, ())

    @property
    def lossy_mark(self) -> str:
        """What stands on the image for as long as a slice is shown that was compressed with loss; never hidden."""
        index = self.shown_index
        return "" if self.volume is None or index is None else self.volume.series.lossy_mark(index)

    @property
    def _is_named(self) -> bool:
        """Whether the present slice has a number in the file; else its name is its place, which is told anyway."""
        slices = self.volume.series.slices if self.volume else ()
        return bool(slices) and slices[self.index].instance_number is not None

    def notice(self) -> str:
        """Text in the middle of the image: what is wrong with the present slice, else the message."""
        volume = self.volume
        if volume is None or self.state is SliceState.READY:
            return self.message
        number = self.names.numbers[self.index]
        if self.state is SliceState.FAILED:
            name = f" ({volume.citation(self.index)})" if self._is_named else ""
            return f"Slice {number}{name} could not be decoded: there is no image of it"
        shown = self.shown_index
        if shown is None:
            return f"Loading slice {number}"
        return f"Loading slice {number}\n(slice {self.names.numbers[shown]} is shown dimmed)"

    def edge_letters(self) -> tuple[str, str, str, str]:
        """Orientation letters at the left, right, top and bottom edge, as flipped."""
        left, right, top, bottom = self.names.letters
        if self.transform.flip_h:
            left, right = right, left
        if self.transform.flip_v:
            top, bottom = bottom, top
        return left, right, top, bottom

    def fixed_info(self) -> tuple[str, ...]:
        """Texts below the image that the cursor does not change."""
        volume = self.volume
        if volume is None:
            return ()
        texts = [window_text(self.window)]
        if self.inverted:
            texts.append("inverted")
        texts.append(f"slice {self.names.numbers[self.index]}/{volume.slice_count}")
        texts += [volume.citation(self.index)] if self._is_named else []
        return tuple(texts)

    def cursor_info(self) -> tuple[tuple[str, str], ...]:
        """Texts that follow the cursor, each with the widest text that its place has to hold."""
        volume, hover = self.volume, self.hover
        if volume is None:
            return ()
        place = self.names.places[self.index]
        widest = place if volume.geometry.pixel_spacing is None else _WIDEST_PLACE
        if hover is not None and hover.position is not None:
            place = cursor_place_text(hover.position)
        value = "" if hover is None else value_text(hover)
        places = ((place, widest),) if place else ()
        return (*places, (value, unit_text(volume.unit) + _WIDEST_VALUE))
