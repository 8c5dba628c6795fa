"""DICOM names, dates and times as a reader expects them. Patient data: never logged."""

from __future__ import annotations

_GROUPS = 3  # alphabetic, ideographic, phonetic (PS3.5 6.2.1.1)
_COMPONENTS = 5  # family, given, middle, prefix, suffix


def person_name(value: str) -> str:
    """A DICOM PN as "Family, Given Middle", each group of it ("Yamada, Tarou = 山田, 太郎").

    A value without "^" stays as it is. Control characters are dropped.
    """
    clean = "".join(c for c in value if c.isprintable())
    groups = [_group(g) for g in clean.split("=")[:_GROUPS]]
    return " = ".join(g for g in groups if g)


def _group(group: str) -> str:
    if "^" not in group:
        return group.strip()
    parts = [part.strip() for part in group.split("^")]
    family, given, middle, prefix, suffix = (parts + [""] * _COMPONENTS)[:_COMPONENTS]
    rest = " ".join(p for p in (prefix, given, middle, suffix) if p)
    return ", ".join(p for p in (family, rest) if p)


def date_text(value: str) -> str:
    """A DICOM DA ("20240131", also the old "2024.01.31") as ISO "2024-01-31"; anything else as it is."""
    digits = value.strip().replace(".", "")
    if len(digits) == 8 and digits.isascii() and digits.isdigit():
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    return "".join(c for c in value if c.isprintable()).strip()


def time_text(value: str) -> str:
    """A DICOM TM ("134502.12") as "13:45"; anything else as it is."""
    digits = value.strip().replace(":", "")[:4]
    if len(digits) == 4 and digits.isascii() and digits.isdigit():
        return f"{digits[:2]}:{digits[2:]}"
    return "".join(c for c in value if c.isprintable()).strip()
