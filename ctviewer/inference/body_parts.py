"""Which part of the body a file says it shows: often by hand, in many languages, and not seldom wrong."""

from __future__ import annotations

import re

from ctviewer.core.series import Series

_CHEST = re.compile(
    r"chest|thora[xck]|tora[xck]|lung|pulmo|poumon|brust|petto|pecho|peito|mediast|heart|cardi|coron|herz|rib(s|cage)?\b"
    r"|sternum|whole.?body|ganzk|corps.?entier|trunk|\bcap\b|\btap\b|t-d3000|t-28000|51185008|39607008",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"head|brain|skull|cranium|cerebr|sch(ä|ae?)del|kopf|hirn|cr[aâ]ne|t[êe]te\b|cabeza|encef|sinus|orbit|dental|jaw"
    r"|neck|hals\b|\bcou\b|cuello|larynx|abd|bauch|vent(er|re)\b|liver|leber|foie|hepat|kidney|niere|renal|pancrea|spleen"
    r"|colon|uro(gram|graphy)|bladder|pelvi[sc]|becken|bassin|[cl][ -]?spine|lumbar|lenden|cervical"
    r"|hip\b|hüfte|knee|knie\b|genou|foot|fuß|ankle|hand\b|wrist|elbow|shoulder|extremit|\bleg|femur|tibia",
    re.IGNORECASE,
)


def other_part(series: Series) -> str:
    """The word by which a file names a part of the body other than the chest; "" where it names the chest too, or none.

    Args:
        series: BodyPartExamined, ProtocolName and SeriesDescription are read, in this order.
    """
    if names_chest(series):
        return ""
    found = next((match for match in map(_OTHER.search, _texts(series)) if match), None)
    return _word(found) if found else ""


def names_chest(series: Series) -> bool:
    """Whether a file says somewhere that it shows the chest."""
    return any(_CHEST.search(text) for text in _texts(series))


def _texts(series: Series) -> tuple[str, ...]:
    return series.body_part, series.protocol, series.description


def _word(match: re.Match[str]) -> str:
    """The whole word around a match: nothing else of a free text, which may hold a name."""
    text, start, end = match.string, match.start(), match.end()
    while start and text[start - 1].isalpha():
        start -= 1
    while end < len(text) and text[end].isalpha():
        end += 1
    return text[start:end]
