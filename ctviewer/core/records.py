"""Frozen dataclasses as JSON and back, strictly: what `dataclasses.asdict` and `json.dumps` wrote, or a reason why not."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from ctviewer.core.errors import InputError
from ctviewer.core.files import reason, write_bytes

T = TypeVar("T")


def read_record(kind: type[T], data: object, name: str = "it", *, finite: bool = True) -> T:
    """Make a dataclass of a JSON object.

    Fields may be dataclasses, tuples, mappings with text keys, enums (by value), text, numbers, truth values, any of
    them or None, and `Any`. A whole number does where a number with a fraction is wanted, and nothing else is converted.

    Args:
        kind: the dataclass.
        data: what `json.loads` gave.
        name: of the whole, for the text of the error.
        finite: whether NaN and infinities are refused.

    Raises:
        ValueError: a missing, unknown or ill-typed field; the text is a clause that follows "because".
    """
    return _record(kind, data, name, "", finite)


@dataclasses.dataclass(frozen=True)
class Format:
    """How files of one kind say what they are.

    Attributes:
        schema: "ctviewer.comparison".
        version: that this program reads and writes.
        name: of such a thing, for texts: "comparison".
    """

    schema: str
    version: int
    name: str

    def to_json(self, record: Any) -> dict[str, Any]:
        """A dataclass as plain dicts and lists for `json.dumps`, under its heading."""
        return {"schema": self.schema, "version": self.version, **dataclasses.asdict(record)}

    def from_json(self, kind: type[T], data: object) -> T:
        """The inverse of `to_json`.

        Raises:
            ValueError: it is something else or incomplete; the text is a clause after "because".
        """
        if not isinstance(data, dict) or data.get("schema") != self.schema:
            raise ValueError(f"it holds no {self.name}")
        if data.get("version") != self.version:
            raise ValueError(f"it has version {data.get('version')!r} and this program reads version {self.version}")
        return read_record(kind, {name: value for name, value in data.items() if name not in ("schema", "version")})

    def write(self, path: Path, record: Any) -> None:
        """Write a file, atomically, readable by its owner alone.

        Raises:
            StorageError: it cannot be written.
        """
        write_bytes(path, (json.dumps(self.to_json(record), allow_nan=False) + "\n").encode())

    def read(self, path: Path, make: Callable[[object], T]) -> T:
        """Read a file.

        Args:
            path: of it.
            make: something of its JSON, or raises ValueError as `from_json` does.

        Raises:
            InputError: it cannot be read or used; the text names the file and the reason.
        """
        try:
            return make(json.loads(path.read_bytes()))
        except OSError as error:
            raise InputError(f"{path} could not be read: {reason(error)}.") from error
        except (ValueError, RecursionError) as error:  # JSON and Unicode errors are ValueErrors too
            unread = isinstance(error, json.JSONDecodeError | UnicodeError | RecursionError)
            because = "it is not valid JSON" if unread else error
            raise InputError(f"The {self.name} {path} cannot be used because {because}.") from error


def _record(kind: type[T], data: object, name: str, prefix: str, finite: bool) -> T:
    if not isinstance(data, dict):
        raise ValueError(f"{name} is not an object")
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type] # the caller gives a dataclass
    unknown = sorted(set(data) - set(fields))
    missing = sorted(
        field
        for field, f in fields.items()
        if field not in data and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    )
    if unknown or missing:
        what = f"has the unknown field {unknown[0]!r}" if unknown else f"lacks the field {missing[0]!r}"
        raise ValueError(f"{name} {what}")
    return kind(**{field: _value(hints[field], value, prefix + field, finite) for field, value in data.items()})


def _value(hint: Any, value: object, where: str, finite: bool) -> Any:
    """Check one JSON value against a type, and make tuples of lists."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _record(hint, value, where, f"{where}.", finite)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return None if value is None else _value(inner[0], value, where, finite)
    if origin is tuple:
        return _tuple(inner, value, where, finite)
    if origin is Mapping:
        if not isinstance(value, dict):
            raise ValueError(f"{where} is not an object")
        return {key: _value(inner[1], item, f"{where}.{key}", finite) for key, item in value.items()}
    if hint is Any:
        return value
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum(hint, value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = _as_float(value, where)
    if type(value) is not hint or (finite and isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{where} is {value!r} and should be a {hint.__name__}")
    return value


def _as_float(value: int, where: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{where} is a number with too many digits") from None


def _enum(kind: type[Enum], value: object, where: str) -> Enum:
    try:
        return kind(value)
    except ValueError:
        raise ValueError(
            f"{where} is {value!r} and should be one of {', '.join(str(one.value) for one in kind)}"
        ) from None


def _tuple(inner: tuple[Any, ...], value: object, where: str, finite: bool) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{where} is not a list")
    kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
    if len(kinds) != len(value):
        raise ValueError(f"{where} has {len(value)} values and should have {len(kinds)}")
    pairs = enumerate(zip(kinds, value, strict=True))
    return tuple(_value(kind, item, f"{where}[{i}]", finite) for i, (kind, item) in pairs)
