"""Words of the command line of `ctviewer reproduce`."""

from __future__ import annotations

import argparse


def count(text: str) -> int:
    """A number from 1 on."""
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return value
