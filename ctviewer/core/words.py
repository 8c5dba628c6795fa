"""Small pieces of sentences."""

from __future__ import annotations

from collections.abc import Sequence


def counted(count: int, one: str) -> str:
    """For instance "1 slice", "12 slices", "12 studies"; "series" stays as it is."""
    if count == 1 or one.endswith("s"):
        return f"{count} {one}"
    return f"{count} {one[:-1]}ies" if one.endswith("y") else f"{count} {one}s"


def duration_text(seconds: float) -> str:
    """A time as a reader takes it: "under a minute", "12 min", "3 h 20 min", "1.5 days"."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "under a minute"
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours / 24:.1f} days"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def amount_text(size: int) -> str:
    """Bytes as a reader takes them: "850 MB", "12.5 GB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def enumerated(words: Sequence[str]) -> str:
    """For instance "values, distances and orientation"."""
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def share_text(share: float) -> str:
    """A share (0 to 1) in percent: one decimal below ten, so that small ones do not vanish ("62 %", "1.2 %", "<0.1 %")."""
    percent = 100 * share
    if 0 < percent < 0.05:
        return "<0.1 %"
    return f"{percent:.0f} %" if percent >= 9.95 or percent == 0 else f"{percent:.1f} %"
