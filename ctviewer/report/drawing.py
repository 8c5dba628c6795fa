"""Small helpers to draw on pictures with pillow: the program's font, text with a halo, PNG."""

from __future__ import annotations

import functools
import io

from PIL import Image, ImageDraw, ImageFont

from ctviewer.core.palette import Rgb
from ctviewer.core.paths import resources
from ctviewer.report.document import Picture

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_REGULAR = ("Regular", "")


@functools.lru_cache(maxsize=32)
def font(size: int) -> Font:
    """The shipped font in `size` pixels; pillow's own where it is absent."""
    folder = resources() / "fonts"
    files = sorted(f for f in folder.rglob("*") if f.suffix in (".ttf", ".otf")) if folder.is_dir() else []
    for word in _REGULAR:
        for file in files:
            if word in file.stem and "Italic" not in file.stem:
                return ImageFont.truetype(str(file), size)
    return ImageFont.load_default(size)


def text(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    words: str,
    *,
    size: int,
    fill: Rgb,
    anchor: str,
    halo: bool = False,
) -> None:
    """Draw text; with a halo it is readable on any grey. `anchor` as pillow names it ("mm", "ls", ...)."""
    width = max(2, size // 10) if halo else 0
    draw.text(at, words, fill=fill, font=font(size), anchor=anchor, stroke_width=width, stroke_fill=(0, 0, 0))


def png(image: Image.Image) -> Picture:
    """A picture as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)  # read again at once; the PDF packs it itself
    return Picture(buffer.getvalue(), image.width, image.height)
