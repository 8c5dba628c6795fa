"""Colours that carry meaning, the same on the screen, in the report and in pictures; safe for colour blindness.

Lesion classes take the colours of Okabe and Ito (https://jfly.uni-koeln.de/color/) by their order in the model's class
list. Orange is left out of them: it belongs to attention. Vermilion comes last, since red means danger.
"""

from __future__ import annotations

from collections.abc import Sequence

Rgb = tuple[int, int, int]

ATTENTION: Rgb = (230, 159, 0)
UNKNOWN_CLASS: Rgb = (154, 161, 168)
_LESIONS: tuple[Rgb, ...] = (
    (86, 180, 233),
    (0, 158, 115),
    (204, 121, 167),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
)


def class_colour(label: str, classes: Sequence[str]) -> Rgb:
    """Colour of a lesion class by its place in `classes`, the bundle's order; grey for a label that is not in it."""
    return _LESIONS[list(classes).index(label) % len(_LESIONS)] if label in classes else UNKNOWN_CLASS
