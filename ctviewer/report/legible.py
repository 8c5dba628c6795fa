"""Characters that no font here can show: they stand as codes, and the report says so. Never as boxes."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection
from dataclasses import replace

from ctviewer.report.document import ReportDocument
from ctviewer.report.wording import Wording

Missing = Callable[[str], Collection[str]]
_CODES_NAMED = 12


def coded(text: str, missing: Missing) -> tuple[str, str]:
    """The text with each character that cannot be shown as "[U+5C71]", and those characters in order, with repeats."""
    lost = frozenset(missing(text))
    if not lost:
        return text, ""
    shown = "".join(f"[U+{ord(c):04X}]" if c in lost else c for c in text)
    return shown, "".join(c for c in text if c in lost)


def with_codes(document: ReportDocument, missing: Missing) -> ReportDocument:
    """A report that the fonts here can show.

    Args:
        document: the report.
        missing: gives the characters of a text that no font here can show (`ctviewer.pdf.missing_characters`).
    """
    lost: dict[str, str] = {}

    def shown(field: str, text: str) -> str:
        text, characters = coded(text, missing)
        if characters:
            lost[field] = lost.get(field, "") + characters
        return text

    series = document.series
    patient, study = series.patient, series.study
    patient = replace(patient, name=shown("name", patient.name), patient_id=shown("patient_id", patient.patient_id))
    study = replace(
        study,
        accession=shown("accession", study.accession),
        description=shown("description", study.description),
        referring=shown("referring", study.referring),
    )
    series = replace(series, patient=patient, study=study, description=shown("description", series.description))
    return replace(
        document,
        series=series,
        question=shown("question", document.question),
        comment=shown("comment", document.comment),
        reader_class=shown("reader_class", document.reader_class),
        lesions=tuple(replace(row, label=shown("lesion_class", row.label)) for row in document.lesions),
        unshown=tuple(lost.items()),
    )


def unshown_notes(document: ReportDocument, words: Wording) -> tuple[str, ...]:
    """One sentence per field with characters that cannot be shown: how many, their codes, their scripts."""
    return tuple(_note(field, characters, words) for field, characters in document.unshown)


def _note(field: str, characters: str, words: Wording) -> str:
    distinct = tuple(dict.fromkeys(characters))
    codes = ", ".join(f"U+{ord(c):04X}" for c in distinct[:_CODES_NAMED])
    if len(distinct) > _CODES_NAMED:
        codes += ", \N{HORIZONTAL ELLIPSIS}"
    n = len(characters)
    count = words.one_character if n == 1 else words.characters.format(n=n)
    scripts = ", ".join(sorted({_script(c) for c in distinct}))
    return words.unshown.format(count=count, field=words.fields[field], codes=codes, scripts=scripts)


def _script(character: str) -> str:
    """The script's name, from the first word of the character's own ("HANGUL SYLLABLE GA")."""
    name = unicodedata.name(character, "")
    return name.split()[0].capitalize() if name else "private or unassigned"
