"""Text from files: character sets (PS3.3 C.12.1.1.2) and cleaning for display."""

from __future__ import annotations

import unicodedata

from pydicom import charset

_LONGEST = 200
_DELIMITERS = {ord(character) for character in "\\^="}


def decode(raw: bytes, specific_character_set: bytes) -> str:
    """Bytes of a text value as a string; never fails: what no stated character set can decode is tried as UTF-8, Latin-1."""
    raw = raw.rstrip(b" \0")
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii")
    names = [part.strip().decode("ascii", "replace") for part in specific_character_set.split(b"\\")]
    codecs = [charset.python_encoding[name] for name in names if name and name in charset.python_encoding]
    if len(names) > 1 or b"\x1b" in raw:
        return charset.decode_bytes(raw, ["iso8859", *codecs] if not names[0] else codecs or ["iso8859"], _DELIMITERS)
    for codec in (*codecs, "utf-8"):
        try:
            return raw.decode(codec)
        except (UnicodeDecodeError, LookupError):
            continue
    return raw.decode("latin-1")


def clean(text: str) -> str:
    """Text safe to show in one line: no control, bidirectional-override or unassigned characters, at most 200 of them."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(" " if c in "\t\r\n\f" else c for c in text if _shows(c))
    text = text.strip()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def visible(name: str, instead: str = "\N{REPLACEMENT CHARACTER}") -> str:
    """The name of a file or folder, safe to show in one line at any length: what cannot be shown is replaced.

    Bytes of a name that are no text in the system's encoding (Python's lone surrogates) are among that.
    """
    if name.isascii() and name.isprintable():
        return name
    return "".join(one if _shows(one) and one not in "\t\r\n\f" else instead for one in name)


def _shows(character: str) -> bool:
    if character in "\t\r\n\f\u200c\u200d":  # white space; joiners that Persian and Indic names need
        return True
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn")
