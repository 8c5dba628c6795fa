"""A run's configuration as a TOML file: read strictly, with every fault named by its key, and written so that it is read back equal.

Needs no torch.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ctviewer.core.errors import InputError
from ctviewer.core.files import reason, write_bytes
from ctviewer.models.metadata import ONE_SHOT
from ctviewer.training.config import ONE_SHOT_SIZE, SCHEMA, RunConfig
from ctviewer.training.config_check import check
from ctviewer.training.recipes import RECIPES, Recipe

_MOST_BYTES = 1 << 20
_WORDS = ("title", "explanation")  # of a recipe: said to a person, and of no effect
_FITTING = 0.6  # of a name's letters, for a guess at what was meant
_SETS = ("lesions", "images")


def read_config(path: Path) -> RunConfig:
    """Read a configuration; what it leaves out has its default. Relative paths in it become absolute.

    The recipe says what is trained, where `task` does not; sets of a one-shot run are tables `[[lesions]]` and `[[images]]`.
    `recipe` is the name of a recipe, or a table with that `name` and the values that are to differ from it.

    Raises:
        InputError: the file cannot be read, is no TOML, or holds a key or value that is not known; the text names it.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} could not be read: {reason(error)}.") from error
    if len(raw) > _MOST_BYTES:
        raise InputError(f"{path} is larger than a configuration can be.")
    try:
        data = tomllib.loads(raw.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8.") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path} is no TOML file: {str(error) or 'it is nested too deeply'}.") from error
    try:
        config = _placed(from_table(data), path)
        check(config)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return config


def from_table(data: Mapping[str, Any]) -> RunConfig:
    """A configuration from what a TOML file holds; paths stay as they are.

    Raises:
        InputError: a key or a type of value is not known; the text names the key.
    """
    rest = dict(data)
    schema = rest.pop("schema", SCHEMA)
    if schema != SCHEMA:
        raise InputError(f"it is of schema {schema!r}, and this program knows schema {SCHEMA}.")
    usual = RECIPES["one-shot-tuned"] if rest.get("task") == ONE_SHOT else RunConfig.recipe
    recipe = _recipe(rest.pop("recipe", usual.name), usual)
    for name in _SETS:
        if isinstance(rest.get(name), Mapping):
            raise InputError(f"{name} must be a list of tables: write [[{name}]] above each set.")
    task = rest.setdefault("task", recipe.task)
    if task == ONE_SHOT and isinstance(model := rest.get("model", {}), Mapping):
        rest["model"] = _one_shot_size(model)
    made = _filled(RunConfig, {**rest, "data": rest.get("data", {})}, "", skip=("recipe",))
    config: RunConfig = dataclasses.replace(made, recipe=recipe)
    return config


def write_config(path: Path, config: RunConfig) -> None:
    """Write a configuration with all its values, so that a later version of the program, with other defaults, reads the same.

    Raises:
        InputError: it holds a path that no text can hold.
        StorageError: the place cannot be written.
    """
    try:
        data = to_text(config).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError("A path of the configuration holds bytes that are no text: rename the folder.") from error
    write_bytes(path, data)


def to_text(config: RunConfig) -> str:
    """The configuration as TOML."""
    lines = [f"schema = {SCHEMA}"]
    tables: dict[str, Any] = {"data": config.data, "model": config.model, "recipe": config.recipe}
    apart = (*tables, *_SETS)
    lines += _pairs({f.name: getattr(config, f.name) for f in dataclasses.fields(config) if f.name not in apart})
    for name in _SETS:
        for one in getattr(config, name):
            lines += ["", f"[[{name}]]", *_pairs(dataclasses.asdict(one))]
    for name, table in tables.items():
        values = {f.name: getattr(table, f.name) for f in dataclasses.fields(table)}
        if isinstance(table, Recipe) and table.name in RECIPES:
            known = RECIPES[table.name]
            values = {k: v for k, v in values.items() if k not in _WORDS or v != getattr(known, k)}
        lines += ["", f"[{name}]", *_pairs(values)]
    return "\n".join(lines) + "\n"


def _recipe(told: Any, usual: Recipe) -> Recipe:
    """From a name, or a table that begins with one."""
    if isinstance(told, str):
        return _named(told)
    if not isinstance(told, Mapping):
        raise InputError("recipe must be the name of a recipe or a table.")
    name = told.get("name", usual.name)
    if not isinstance(name, str):
        raise InputError("recipe.name must be a text.")
    fields = {f.name for f in dataclasses.fields(Recipe)}
    base = Recipe(name, "", "") if name not in RECIPES and fields <= set(told) else _named(name)
    recipe: Recipe = _filled(Recipe, told, "recipe", base)
    return recipe


def _one_shot_size(model: Mapping[str, Any]) -> dict[str, Any]:
    """The model's table with the size that a one-shot model has where nobody says one, and no crop."""
    size = model.get("size", ONE_SHOT_SIZE)
    return {"size": size, "crop": size, **model}


def _named(name: str) -> Recipe:
    if name not in RECIPES:
        raise InputError(f"the recipe {name!r} is not known; there are {', '.join(RECIPES)}.")
    return RECIPES[name]


def _placed(config: RunConfig, path: Path) -> RunConfig:
    """With absolute paths."""
    here = path.absolute().parent

    def place(text: str) -> str:
        return text and str(here / Path(text).expanduser())

    data = dataclasses.replace(config.data, folder=place(config.data.folder), labels=place(config.data.labels))
    model = dataclasses.replace(config.model, weights=place(config.model.weights))
    lesions, images = (
        tuple(dataclasses.replace(one, folder=place(one.folder), table=place(one.table)) for one in sets)
        for sets in (config.lesions, config.images)
    )
    return dataclasses.replace(config, data=data, model=model, lesions=lesions, images=images)


def _filled(kind: Any, table: Any, where: str, base: Any = None, skip: tuple[str, ...] = ()) -> Any:
    """An instance of a dataclass from a table, each value by the field's type."""
    if not isinstance(table, Mapping):
        raise InputError(f"{where} must be a table.")
    hints = typing.get_type_hints(kind)
    names = [f.name for f in dataclasses.fields(kind) if f.name not in skip]
    values = {}
    for name, value in table.items():
        key = f"{where}.{name}".lstrip(".")
        if name not in names:
            near = difflib.get_close_matches(name, names, 1, _FITTING)
            raise InputError(f"the key {key} is not known{f'; is {near[0]} meant?' if near else '.'}")
        values[name] = _value(hints[name], value, key)
    if base is not None:
        return dataclasses.replace(base, **values)
    for field in dataclasses.fields(kind):
        needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if needed and field.name not in values:
            if field.type == "str":
                values[field.name] = ""
            else:
                raise InputError(f"{field.name} is missing.")
    return kind(**values)


def _value(hint: Any, value: Any, key: str) -> Any:
    """The value as the field's type wants it; a whole number will do for a fraction, a truth value for no number."""
    if dataclasses.is_dataclass(hint):
        return _filled(hint, value, key)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return _list(inner, value, key)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise InputError(f"{key} must be a table.")
        return {name: _value(inner[1], one, f"{key}.{name}") for name, one in value.items()}
    kinds = inner if origin in (types.UnionType, typing.Union) else (hint,)
    if type(value) in kinds:
        return value
    if type(value) is int and float in kinds:
        try:
            return float(value)
        except OverflowError:
            raise InputError(f"{key} is larger than such a number can be.") from None
    lists = [kind for kind in kinds if typing.get_origin(kind) is tuple]
    if lists and isinstance(value, list):
        return _list(typing.get_args(lists[0]), value, key)
    told = " or ".join(dict.fromkeys(_KINDS.get(kind, "a list of numbers") for kind in kinds))
    raise InputError(f"{key} must be {told}, and is {_shown(value)}.")


_KINDS = {str: "a text in quotes", int: "a whole number", float: "a number", bool: "true or false"}


def _list(inner: tuple[Any, ...], value: Any, key: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise InputError(f"{key} must be a list, and is {_shown(value)}.")
    if Ellipsis in inner:
        inner = (inner[0],) * len(value)
    if len(value) != len(inner):
        raise InputError(f"{key} must have {len(inner)} values, and has {len(value)}.")
    return tuple(_value(kind, one, f"{key}[{n}]") for n, (kind, one) in enumerate(zip(inner, value, strict=True), 1))


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    return toml(value) if isinstance(value, str | int | float) else str(value)  # a time


def _pairs(values: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {toml(value)}" for name, value in values.items()]


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_quoted(name)} = {toml(one)}" for name, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    return f"[{', '.join(toml(one) for one in value)}]"


def _quoted(text: str) -> str:
    """A basic string of TOML: quotes, backslashes and control characters escaped."""
    escaped = ("\\" + c if c in '"\\' else f"\\u{ord(c):04x}" if ord(c) < 0x20 or ord(c) == 0x7F else c for c in text)
    return f'"{"".join(escaped)}"'
