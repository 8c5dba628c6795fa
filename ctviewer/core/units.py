"""Units of values, as files code them, in the words of the reader."""

from __future__ import annotations

_SHOWN = {
    # Rescale Type (PS3.3 C.11.1.1.2)
    "OD": "OD/1000",
    "MGML": "mg/mL",
    "Z_EFF": "Z eff",
    "ED": "10\N{SUPERSCRIPT TWO}\N{SUPERSCRIPT THREE} e/mL",
    "EDW": "e density / water",
    "HU_MOD": "modified HU",
    "PCT": "%",
    # Units of positron emission (PS3.3 C.8.9.1.1.3)
    "CNTS": "counts",
    "NONE": "",
    "CM2": "cm\N{SUPERSCRIPT TWO}",
    "CM2ML": "cm\N{SUPERSCRIPT TWO}/mL",
    "PCNT": "%",
    "CPS": "counts/s",
    "BQML": "Bq/mL",
    "MGMINML": "mg/min/mL",
    "UMOLMINML": "\N{MICRO SIGN}mol/min/mL",
    "MLMING": "mL/min/g",
    "MLG": "mL/g",
    "1CM": "1/cm",
    "UMOLML": "\N{MICRO SIGN}mol/mL",
    "PROPCNTS": "~counts",
    "PROPCPS": "~counts/s",
    "MLMINML": "mL/min/mL",
    "MLML": "mL/mL",
    "GML": "g/mL (SUV)",
    "STDDEV": "standard deviations",
}


def unit_text(unit: str) -> str:
    """How a unit is shown: "BQML" is "Bq/mL"; one that is not coded stays as it is."""
    return _SHOWN.get(unit.upper(), unit)
