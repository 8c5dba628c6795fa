from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtGui import QFontDatabase, QFontInfo

from ctviewer.pdf import fonts, load_fonts, missing_characters

pytestmark = pytest.mark.usefixtures("qapp")
UNASSIGNED = "\U000e0fff"


def test_shipped_fonts_are_loaded_once_and_used() -> None:
    families = load_fonts()
    assert families and load_fonts() is families
    assert set(families) <= set(QFontDatabase.families())
    assert QFontInfo(fonts.print_font("text", 9)).family() in families


def test_latin_and_punctuation_are_never_missing() -> None:
    text = "Müller, Jürgen \N{EN DASH} 5 \N{MULTIPLICATION SIGN} 3 mm\N{SUPERSCRIPT TWO} \N{MINUS SIGN}600 · Łódź Ковалёв Ελλάς"
    assert missing_characters(text) == frozenset()


def test_what_leaves_no_ink_is_never_missing() -> None:
    assert missing_characters("a\u200d\u200f\u00a0\u2068\tb\n") == frozenset()


def test_a_character_that_nobody_has_is_missing() -> None:
    assert missing_characters(f"a\ue0ff{UNASSIGNED}") <= {"\ue0ff", UNASSIGNED}
    assert missing_characters("\U000105c0") == {"\U000105c0"}


def test_a_script_with_shaping_rules_needs_a_font_that_declares_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_supports", lambda family, character: True)
    monkeypatch.setattr(fonts.QFontDatabase, "families", lambda *system: [] if system else ["Any"])
    fonts._family_for.cache_clear()
    try:
        assert missing_characters("aक山") == {"क"}
    finally:
        fonts._family_for.cache_clear()


def test_the_font_of_a_text_has_a_family_for_each_character() -> None:
    text = "abc \N{CYRILLIC CAPITAL LETTER KA} \N{HEBREW LETTER ALEF}"
    families = fonts.print_font(text, 9).families()
    for character in set(text) - missing_characters(text) - {" "}:
        assert any(fonts._supports(family, character) for family in families)


def test_fonts_before_an_application_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts.QGuiApplication, "instance", lambda: None)
    with pytest.raises(RuntimeError, match="QGuiApplication"):
        load_fonts.__wrapped__()


def test_licence_travels_with_the_fonts() -> None:
    folder = Path(fonts.resources()) / "fonts"
    assert any("OFL" in file.name or "LICENSE" in file.name for file in folder.rglob("*"))
