"""The shipped fonts, and which characters no font on this machine can show."""

from __future__ import annotations

import functools
import unicodedata

from PySide6.QtGui import QFont, QFontDatabase, QGuiApplication, QRawFont

from ctviewer.core.paths import resources

_PREFERRED = ("Noto Sans", "Inter", "DejaVu Sans", "Helvetica", "Arial")
_PROBE_PT = 10.0
_NO_INK = ("Cc", "Cf", "Zs", "Zl", "Zp")
# Scripts whose letters change shape or place: a font that has the letters but no rules for them shows nothing sound.
# First word of the character's Unicode name -> the writing system a font must declare.
_WITH_RULES = {
    "SYRIAC": QFontDatabase.WritingSystem.Syriac,
    "THAANA": QFontDatabase.WritingSystem.Thaana,
    "DEVANAGARI": QFontDatabase.WritingSystem.Devanagari,
    "BENGALI": QFontDatabase.WritingSystem.Bengali,
    "GURMUKHI": QFontDatabase.WritingSystem.Gurmukhi,
    "GUJARATI": QFontDatabase.WritingSystem.Gujarati,
    "ORIYA": QFontDatabase.WritingSystem.Oriya,
    "TAMIL": QFontDatabase.WritingSystem.Tamil,
    "TELUGU": QFontDatabase.WritingSystem.Telugu,
    "KANNADA": QFontDatabase.WritingSystem.Kannada,
    "MALAYALAM": QFontDatabase.WritingSystem.Malayalam,
    "SINHALA": QFontDatabase.WritingSystem.Sinhala,
    "TIBETAN": QFontDatabase.WritingSystem.Tibetan,
    "MYANMAR": QFontDatabase.WritingSystem.Myanmar,
    "KHMER": QFontDatabase.WritingSystem.Khmer,
    "NKO": QFontDatabase.WritingSystem.Nko,
}


@functools.cache
def load_fonts() -> tuple[str, ...]:
    """Load all of resources/fonts into this process, once; the family names loaded.

    Raises:
        RuntimeError: there is no QGuiApplication yet (Qt would crash).
    """
    if not isinstance(QGuiApplication.instance(), QGuiApplication):
        raise RuntimeError("fonts need a QGuiApplication")
    folder = resources() / "fonts"
    families: dict[str, None] = {}
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in (".ttf", ".otf")) if folder.is_dir() else []
    for file in files:
        number = QFontDatabase.addApplicationFont(str(file))
        if number >= 0:
            families.update(dict.fromkeys(QFontDatabase.applicationFontFamilies(number)))
    return tuple(families)


def print_font(text: str, size_pt: float) -> QFont:
    """The report's font, with every family behind it that `text` needs.

    Qt's own choice of a substitute is not always one that has the character; the list makes it certain.
    """
    main = _main_family()
    families = dict.fromkeys([main])
    families.update(dict.fromkeys(f for c in _unusual(text) if (f := _family_for(c)) is not None))
    font = QFont()
    font.setFamilies(list(families))
    font.setPointSizeF(size_pt)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return font


def missing_characters(text: str) -> frozenset[str]:
    """The characters of `text` that no font here can show."""
    load_fonts()
    return frozenset(c for c in _unusual(text) if _family_for(c) is None)


def _unusual(text: str) -> list[str]:
    """The distinct characters beyond ASCII that leave ink, in order of code; private and unassigned ones are among them."""
    return sorted(c for c in set(text) if not c.isascii() and unicodedata.category(c) not in _NO_INK)


@functools.cache
def _main_family() -> str:
    shipped, present = load_fonts(), set(QFontDatabase.families())
    return next((f for f in (*_PREFERRED, *shipped) if f in shipped), None) or next(
        (f for f in _PREFERRED if f in present), QFont().family()
    )


@functools.cache
def _family_for(character: str) -> str | None:
    """A family that shows a character: the main one, else the first in the alphabet; None where there is none."""
    name = unicodedata.name(character, "")
    system = _WITH_RULES.get(name.split()[0]) if name else None
    if system is not None:
        families = QFontDatabase.families(system)
    else:
        families = [_main_family(), *sorted(QFontDatabase.families())]
    return next((f for f in families if _supports(f, character)), None)


def _supports(family: str, character: str) -> bool:
    raw = _raw(family)
    return raw is not None and raw.supportsCharacter(ord(character))


@functools.cache
def _raw(family: str) -> QRawFont | None:
    if QFontDatabase.isPrivateFamily(family) or not QFontDatabase.isSmoothlyScalable(family):
        return None
    font = QFont(family)
    font.setPointSizeF(_PROBE_PT)
    raw = QRawFont.fromFont(font)
    return raw if raw.isValid() and raw.familyName() == family else None
