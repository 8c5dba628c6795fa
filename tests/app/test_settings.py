"""Settings survive versions, damage and hand editing."""

from __future__ import annotations

import json
import os
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ctviewer.app import settings as module
from ctviewer.app.settings import Settings, load_settings, save_settings, settings_path
from ctviewer.core.errors import StorageError

FULL = Settings(
    theme="light",
    analyse_automatically=True,
    device="cpu",
    page_size="Letter",
    overlay_opacity=0.5,
    memory_budget_mb=2048,
    window_geometry="AdnQ",
    understood=("infection-lesions 1.0.0",),
    unknown={"later": [1, {"x": None}]},
)


def test_defaults_without_a_file():
    assert load_settings() == (Settings(), "")
    assert not settings_path().exists()


def test_round_trip():
    save_settings(FULL)
    assert load_settings() == (FULL, "")
    assert os.name != "posix" or settings_path().stat().st_mode & 0o077 == 0


def test_the_round_trip_test_covers_each_field():
    unset = [
        f.name for f in fields(Settings) if f.name != "version" and getattr(FULL, f.name) == getattr(Settings(), f.name)
    ]
    assert unset == []


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe\x00", b"[1]", b"null", b'"x"', b"[" * 100_000])
def test_a_damaged_file_is_moved_aside(damage):
    settings_path().write_bytes(damage)
    loaded, sentence = load_settings()
    assert loaded == Settings()
    aside = settings_path().with_name("settings.json.damaged-1")
    assert aside.read_bytes() == damage
    assert str(aside) in sentence
    assert sentence.count(".") >= 1
    assert not settings_path().exists()


def test_the_second_damaged_file_does_not_replace_the_first():
    for text in ("{1", "{2"):
        settings_path().write_text(text)
        load_settings()
    kept = sorted(p.read_text() for p in settings_path().parent.glob("*.damaged-*"))
    assert kept == ["{1", "{2"]


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("theme", "pink"),
        ("analyse_automatically", 1),
        ("device", None),
        ("page_size", ["A4"]),
        ("overlay_opacity", float("nan")),
        ("overlay_opacity", -0.1),
        ("overlay_opacity", "0.4"),
        ("window_geometry", 5),
        ("understood", "infection-lesions 1.0.0"),
        ("understood", [1]),
    ],
)
def test_one_bad_value_costs_that_value_alone(name, bad):
    save_settings(FULL)
    raw = json.loads(settings_path().read_text(encoding="utf-8"))
    settings_path().write_text(json.dumps({**raw, name: bad}), encoding="utf-8")
    loaded, sentence = load_settings()
    assert loaded == replace(FULL, **{name: getattr(Settings(), name)})
    assert sentence.endswith(f"replaced by defaults: {name}.")


def test_unknown_keys_are_written_back():
    settings_path().write_text(json.dumps({"theme": "light", "from_tomorrow": {"a": 1}}))
    loaded, sentence = load_settings()
    assert (loaded.theme, sentence) == ("light", "")
    save_settings(replace(loaded, theme="dark"))
    assert json.loads(settings_path().read_text())["from_tomorrow"] == {"a": 1}


def test_a_file_key_cannot_replace_the_reserved_ones():
    settings_path().write_text(json.dumps({"unknown": 5, "version": 1}))
    assert load_settings()[0] == Settings()


def test_a_newer_version_stays_a_newer_version():
    settings_path().write_text(json.dumps({"version": 99, "theme": "light"}))
    loaded, sentence = load_settings()
    assert (loaded.theme, sentence) == ("light", "")
    save_settings(loaded)
    assert json.loads(settings_path().read_text())["version"] == 99


@pytest.mark.parametrize("version", [0, -1, "2", None, True, 1.5])
def test_a_senseless_version_is_taken_for_this_one(version):
    settings_path().write_text(json.dumps({"version": version, "theme": "light"}))
    assert load_settings()[0] == Settings(theme="light")


def test_migrations_run_in_order(monkeypatch):
    monkeypatch.setattr(module, "VERSION", 3)
    monkeypatch.setattr(module, "_MIGRATIONS", {})

    @module.migration(1)
    def _dark_was_a_flag(old):
        return {**{k: v for k, v in old.items() if k != "dark"}, "look": "dark" if old["dark"] else "light"}

    @module.migration(2)
    def _look_became_theme(old):
        return {**{k: v for k, v in old.items() if k != "look"}, "theme": old["look"]}

    settings_path().write_text(json.dumps({"version": 1, "dark": False}))
    loaded, _ = load_settings()
    assert (loaded.theme, loaded.version, dict(loaded.unknown)) == ("light", 3, {})


def test_each_older_version_has_its_migration():
    assert set(module._MIGRATIONS) == set(range(1, module.VERSION))


def test_an_unreadable_file_is_left_alone():
    settings_path().mkdir()
    loaded, sentence = load_settings()
    assert loaded == Settings()
    assert "cannot be read" in sentence
    assert settings_path().is_dir()


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="could not be written"):
        save_settings(Settings(), tmp_path / "file" / "settings.json")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@hypothesis_settings(max_examples=40)
@given(
    st.dictionaries(st.sampled_from([f.name for f in fields(Settings)]) | st.text(max_size=8), json_values, max_size=8)
)
def test_any_object_loads_and_saves(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("settings") / "settings.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    loaded, _ = load_settings(path)
    save_settings(loaded, path)
    again, sentence = load_settings(path)
    assert sentence == ""
    assert repr(again) == repr(loaded)
