"""Text from files: character sets (PS3.3 C.12.1.1.2) and cleaning for display."""

from __future__ import annotations

import re
import unicodedata

from pydicom import charset

_LONGEST = 200
_DELIMITERS = {ord(character) for character in "\\^="}
_BREAKS = "\t\r\n\f\u2028\u2029"
_TERM = re.compile(r"ISO[ _.-]*(2022)?[ _.-]*IR[ _.-]*(\d{1,3})", re.IGNORECASE)


def decode(raw: bytes, specific_character_set: bytes) -> str:
    """Bytes of a text value as a string; never fails: what no stated character set can decode is tried as UTF-8, Latin-1.

    Escape sequences are obeyed also where the set that they switch to is not stated.
    """
    raw = raw.rstrip(b" \0")
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii")
    names = specific_character_set.decode("ascii", "replace").split("\\")
    codecs = [codec for codec in map(_codec, names) if codec]
    if b"\x1b" in raw:
        switched = [codec for escape, codec in charset.CODES_TO_ENCODINGS.items() if escape in raw]
        first = [] if names[0].strip() and codecs else ["iso8859"]
        return charset.decode_bytes(raw, list(dict.fromkeys((*first, *codecs, *switched))), _DELIMITERS)
    for codec in (*codecs, "utf-8"):
        try:
            return raw.decode(codec)
        except (UnicodeDecodeError, LookupError):
            continue
    return raw.decode("latin-1")


def _codec(term: str) -> str:
    """Python's codec of a defined term (PS3.3 C.12.1.1.2), also where it is misspelt as writers do; "" where there is none."""
    found = _TERM.fullmatch(term.strip())
    name = f"{'ISO 2022 IR' if found[1] else 'ISO_IR'} {found[2]}" if found else term.strip()
    return charset.python_encoding.get(name, "") if name else ""


def clean(text: str) -> str:
    """Text safe to show in one line: no control, bidirectional-override or unassigned characters, at most 200 of them."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(" " if c in _BREAKS else c for c in text if _shows(c))
    text = text.strip()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def visible(name: str, instead: str = "\N{REPLACEMENT CHARACTER}") -> str:
    """The name of a file or folder, safe to show in one line at any length: what cannot be shown is replaced.

    Bytes of a name that are no text in the system's encoding (Python's lone surrogates) are among that.
    """
    if name.isascii() and name.isprintable():
        return name
    return "".join(one if _shows(one) and one not in _BREAKS else instead for one in name)


def _shows(character: str) -> bool:
    if character in (*_BREAKS, "\u200c", "\u200d"):  # white space; joiners that Persian and Indic names need
        return True
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn")
