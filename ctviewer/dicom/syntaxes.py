"""Transfer syntaxes: which can be read, and what they are called."""

from __future__ import annotations

from pydicom.uid import UID

from ctviewer import codecs

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
_NEWER_NAMES = {  # than pydicom's dictionary
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
}
UNCOMPRESSED = frozenset({IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN})


def is_supported(syntax: str) -> bool:
    """Whether pixels of this transfer syntax can be decoded."""
    return syntax in UNCOMPRESSED or syntax in codecs.SUPPORTED


def syntax_name(syntax: str) -> str:
    """The name of a transfer syntax as PS3.6 gives it, or its UID where it has none."""
    if not syntax:
        return "unknown transfer syntax"
    return _NEWER_NAMES.get(syntax) or UID(syntax).name


def short_name(syntax: str) -> str:
    """The name without its explanations: "JPEG Lossless"."""
    return syntax_name(syntax).partition(",")[0].partition(" (")[0].removesuffix(" Image Compression")
