"""Pictures of slices for print: window, square pixels, orientation letters, scale bar, lossy mark, lesion contours."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ctviewer.core.findings import Instance
from ctviewer.core.masks import BoxMask
from ctviewer.core.palette import Rgb
from ctviewer.core.read_findings import finding_name
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import Voi, window_lut
from ctviewer.report import drawing
from ctviewer.report.document import Picture

PRINT_PX = 1024  # longest side: 300 dpi at the width of half a page
_OUTLINE_PX = 3
_WHITE: Rgb = (255, 255, 255)
_LOSSY = "lossy compressed"
_BARS_MM = (100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0)
_BAR_SHARE = 0.35  # of the picture's width at most


def grey(volume: Volume, index: int, window: Voi) -> NDArray[np.uint8]:
    """One slice `[rows, columns]` as shown on the screen: through the rescale and the window; black where not decoded."""
    if volume.failed[index] or not volume.loaded[index]:
        return np.zeros(volume.stored.shape[1:], np.uint8)
    lut = window_lut(
        window,
        float(volume.slope[index]),
        float(volume.intercept[index]),
        signed=volume.signed,
        invert=volume.inverted,
        padding=volume.padding,
    )
    return np.asarray(lut[volume.stored[index].view(np.uint16)])


def print_size(volume: Volume) -> tuple[int, int]:
    """Width and height in print pixels: right proportions in mm, and whole multiples where pixels are square.

    A whole multiple repeats each pixel, so the printed grey levels are the slice's own.
    """
    rows, columns = volume.stored.shape[1:]
    dr, dc = volume.geometry.pixel_spacing or (1.0, 1.0)
    if abs(dr - dc) <= 1e-4 * dr:
        factor = max(1, round(PRINT_PX / max(rows, columns)))
        return columns * factor, rows * factor
    scale = PRINT_PX / max(rows * dr, columns * dc)
    return max(1, round(columns * dc * scale)), max(1, round(rows * dr * scale))


def picture(volume: Volume, index: int, window: Voi) -> Image.Image:
    """The slice in print size with letters, scale bar and lossy mark, mode "L"."""
    size = print_size(volume)
    image = Image.fromarray(grey(volume, index, window), "L")
    whole = size[0] % image.width == 0 and size[1] % image.height == 0
    image = image.resize(size, Image.Resampling.NEAREST if whole else Image.Resampling.BILINEAR)
    marks = Image.new("RGBA", size, (0, 0, 0, 0))
    _annotate(ImageDraw.Draw(marks), volume, index, size)
    image.paste(marks.convert("L"), mask=marks.getchannel("A"))
    return image


def with_contours(image: Image.Image, volume: Volume, instances: list[tuple[int, Instance, Rgb]]) -> Picture:
    """A slice picture with the outline and number of each lesion.

    Args:
        image: from `picture`.
        volume: where it comes from.
        instances: lesion id, outline on this slice, colour.
    """
    pixels = np.array(image.convert("RGB"))
    shape = (volume.stored.shape[1], volume.stored.shape[2])
    labels: dict[int, tuple[Rgb, int, int]] = {}
    for lesion_id, instance, colour in instances:
        top, left, inside = _printed(instance.mask, shape, image.size)
        height, width = inside.shape
        pixels[top : top + height, left : left + width][_outline(inside)] = colour
        rows, columns = np.nonzero(inside)
        labels[lesion_id] = (colour, left + int(columns.max(initial=0)), top + int(rows.min(initial=height)))
    marked = Image.fromarray(pixels)
    draw = ImageDraw.Draw(marked)
    for lesion_id, (colour, x, y) in labels.items():
        size = _text_px(image.size)
        at = (min(x + 4, image.width - size), max(y, size))
        drawing.text(draw, at, finding_name(lesion_id), size=size, fill=colour, anchor="ls", halo=True)
    return drawing.png(marked)


def _printed(mask: BoxMask, shape: tuple[int, int], size: tuple[int, int]) -> tuple[int, int, NDArray[np.bool_]]:
    """A mask in print pixels: top and left of its box, widened by what an outline needs, and the box `[height, width]`."""
    sy, sx = size[1] / shape[0], size[0] / shape[1]
    room = (math.ceil(_OUTLINE_PX / sy) + 1, math.ceil(_OUTLINE_PX / sx) + 1)
    top, left = max(0, mask.top - room[0]), max(0, mask.left - room[1])
    bottom, right = min(shape[0], mask.top + mask.height + room[0]), min(shape[1], mask.left + mask.width + room[1])
    box = np.zeros((bottom - top, right - left), bool)
    box[mask.top - top :, mask.left - left :][: mask.height, : mask.width] = mask.array()
    y0, x0, y1, x1 = round(top * sy), round(left * sx), round(bottom * sy), round(right * sx)
    scaled = Image.fromarray(box).resize((max(1, x1 - x0), max(1, y1 - y0)), Image.Resampling.NEAREST)
    return y0, x0, np.asarray(scaled)


def _outline(inside: NDArray[np.bool_], width: int = _OUTLINE_PX) -> NDArray[np.bool_]:
    """A line around a mask, drawn just outside of it so that the lesion itself stays visible."""
    grown = np.pad(inside, width)
    for _ in range(width):
        step = grown.copy()
        step[1:] |= grown[:-1]
        step[:-1] |= grown[1:]
        step[:, 1:] |= grown[:, :-1]
        step[:, :-1] |= grown[:, 1:]
        grown = step
    return np.asarray(grown[width:-width, width:-width] & ~inside)


def _text_px(size: tuple[int, int]) -> int:
    return max(12, round(max(size) * 0.034))


def _annotate(draw: ImageDraw.ImageDraw, volume: Volume, index: int, size: tuple[int, int]) -> None:
    width, height = size
    px = _text_px(size)
    gap = px // 2
    left, right, top, bottom = volume.geometry.edge_letters()
    places = (
        (left, (gap, height / 2), "lm"),
        (right, (width - gap, height / 2), "rm"),
        (top, (width / 2, gap), "mt"),
        (bottom, (width / 2, height - gap), "ms"),
    )
    for letters, at, anchor in places:
        if letters:
            drawing.text(draw, at, letters, size=px, fill=_WHITE, anchor=anchor, halo=True)
    if volume.failed[index]:
        drawing.text(
            draw,
            (width / 2, height / 2),
            "this slice could not be decoded",
            size=px,
            fill=_WHITE,
            anchor="mm",
            halo=True,
        )
    if volume.series.lossy_mark(index):
        drawing.text(draw, (gap, height - gap), _LOSSY, size=round(px * 0.8), fill=_WHITE, anchor="ls", halo=True)
    _scale_bar(draw, volume, size, px)


def _scale_bar(draw: ImageDraw.ImageDraw, volume: Volume, size: tuple[int, int], px: int) -> None:
    spacing = volume.geometry.pixel_spacing
    if spacing is None:
        return
    width, height = size
    px_per_mm = width / (volume.stored.shape[2] * spacing[1])
    mm = next((b for b in _BARS_MM if b * px_per_mm <= _BAR_SHARE * width), _BARS_MM[-1])
    mm = min(mm, 50.0)
    length, gap = mm * px_per_mm, px // 2
    x1, y = width - gap - px * 0.3, height - gap - px * 0.3
    x0, tick = x1 - length, px * 0.3
    for colour, line in (((0, 0, 0), max(6, px // 5)), (_WHITE, max(2, px // 12))):
        draw.line((x0, y, x1, y), fill=colour, width=line)
        for x in (x0, x1):
            draw.line((x, y - tick, x, y + tick), fill=colour, width=line)
    words = f"{mm / 10:g} cm" if mm >= 10 else f"{mm:g} mm"
    drawing.text(draw, ((x0 + x1) / 2, y - tick), words, size=round(px * 0.85), fill=_WHITE, anchor="ms", halo=True)
