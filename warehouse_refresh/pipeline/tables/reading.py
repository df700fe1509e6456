"""Read a settings file strictly: TOML into a class of msgspec.

A file that is right takes one call of `msgspec.convert`, which stops at the first fault. Only then `_faults` looks for
all of them, each with the key that it belongs to.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

import msgspec

from warehouse_refresh.pipeline.project.dependency_map import toml_problem
from warehouse_refresh.pipeline.project.files import read_text
from warehouse_refresh.pipeline.project.problems import Problem, Refused, sql_problem
from warehouse_refresh.pipeline.project.toml_places import place_in
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.suggest import did_you_mean

T = TypeVar("T")
_OWN_WORDS = re.compile(r"(?!Expected |Invalid |Object )(.*?)(?: - at `[^`]*`)?", re.DOTALL)
_NAMES = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    NoneType: "",
    datetime: "a date and time",
}
_HINT = "docs/tables.md has all settings, with examples"


class _Fault(NamedTuple):
    """A wrong value: its keys in the file, the reason, and a hint what to do."""

    keys: tuple[str | int, ...]
    reason: str
    hint: str


def read_settings(path: Path, kind: type[T], cache: SqlCache | None = None) -> T:
    """The settings in the file at `path`, as an object of the class `kind` (a msgspec Struct). A text that the `cache`
    knows is not parsed again. Raises Refused with all that is wrong."""
    try:
        text = read_text(path).replace("\r\n", "\n")
    except SqlError as error:
        raise Refused([sql_problem(path, error)]) from error
    document = _document(path, text, cache)
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        faults = _faults(document, kind, ())
        raise Refused(
            [Problem(path, place_in(text, fault.keys), fault.reason, fault.hint) for fault in faults]
        ) from error


def _document(path: Path, text: str, cache: SqlCache | None) -> dict[str, Any]:
    noted = cache.recall("settings", text) if cache else None
    if noted is not None:
        return dict(noted)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Refused([toml_problem(path, text, error, _HINT)]) from error
    except RecursionError as error:
        raise Refused([Problem(path, None, "values are nested too deeply in this file", _HINT)]) from error
    if cache and _is_json(document):
        cache.note("settings", text, document)
    return document


def _is_json(document: dict[str, Any]) -> bool:
    """Whether the cache can keep it: TOML has dates, and JSON has none."""
    try:
        json.dumps(document)
    except TypeError:
        return False
    return True


def _faults(value: Any, kind: Any, keys: tuple[str | int, ...]) -> Iterator[_Fault]:
    """All faults of a value, each at the innermost value that is wrong."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        chosen = _alternative(value, kind)
        found = [fault for key, part, of in _parts(value, chosen) for fault in _faults(part, of, (*keys, key))]
        found += _wrong_keys(value, chosen, keys)
        yield from found or [_own_fault(value, kind, keys, error)]


def _alternative(value: Any, kind: Any) -> Any:
    """The member of a union that a value of this form is meant for; any other type as it is, without annotations."""
    if get_origin(kind) is Annotated:
        return _alternative(value, get_args(kind)[0])
    if get_origin(kind) not in (Union, UnionType):
        return kind
    members = [_alternative(value, member) for member in get_args(kind)]
    return next((member for member in members if _has_form(value, member)), None)


def _has_form(value: Any, kind: Any) -> bool:
    if isinstance(value, dict):
        return _is_struct(kind) or get_origin(kind) is dict
    return isinstance(value, list) and get_origin(kind) in (tuple, list)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _parts(value: Any, kind: Any) -> Iterator[tuple[str | int, Any, Any]]:
    """What a value consists of: each key, with its value and the type that it must have."""
    if not _has_form(value, kind):
        return
    if _is_struct(kind):
        types = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
        yield from ((key, part, types[key]) for key, part in value.items() if key in types)
    elif isinstance(value, dict):
        yield from ((key, part, get_args(kind)[1]) for key, part in value.items())
    else:
        yield from ((index, part, get_args(kind)[0]) for index, part in enumerate(value))


def _wrong_keys(value: Any, kind: Any, keys: tuple[str | int, ...]) -> Iterator[_Fault]:
    """The keys that a Struct does not have, and those that it needs."""
    if not isinstance(value, dict) or not _is_struct(kind):
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    known = sorted(fields)
    for key in value:
        if key not in fields:
            hint = did_you_mean(key, known) or f"what may stand here: {', '.join(known)}"
            yield _Fault((*keys, key), f"there is no setting {key}{_within(keys)}", hint)
    for key, field in fields.items():
        if field.required and key not in value:
            yield _Fault(keys, f"{key} is missing{_within(keys)}", f"it takes {_words(field.type)}")


def _own_fault(value: Any, kind: Any, keys: tuple[str | int, ...], error: msgspec.ValidationError) -> _Fault:
    """The fault of a value that is wrong by itself: the words of its class, or else what it is and what it must be. A
    class raises ValueError("what is wrong: what to do"), which may have the `path` of the keys in the file."""
    own = _OWN_WORDS.fullmatch(str(error))
    if own:
        reason, _, hint = own[1].partition(": ")
        first = reason.partition(" ")[0]
        inner = (*keys, first) if first in value else keys
        return _Fault(getattr(error.__cause__, "path", inner), reason, hint or _HINT)
    name = next((key for key in reversed(keys) if isinstance(key, str)), "the file")
    what = f"the value {keys[-1] + 1} of {name}" if keys and isinstance(keys[-1], int) else name
    return _Fault(keys, f"{what} is {_shown(value)}", f"it takes {_words(kind)}")


def _within(keys: tuple[str | int, ...]) -> str:
    names = [str(key) for key in keys if isinstance(key, str)]
    return f" in {'.'.join(names)}" if names else ""


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a table of keys"
    if isinstance(value, list):
        return "a list"
    return json.dumps(value, ensure_ascii=False, default=str)


def _words(kind: Any) -> str:
    """The values that a type allows, in words for people."""
    origin, members = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _words(members[0]) + _bounds(members[1])
    if origin is Literal:
        return " or ".join(map(json.dumps, members))
    if origin in (Union, UnionType):
        return " or ".join(filter(None, dict.fromkeys(map(_words, members))))
    if origin in (tuple, list):
        return f"a list [{_words(members[0])}, …]"
    if origin is dict:
        return f"{{ NAME = {_words(members[1])} }}"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(json.dumps(member.value) for member in kind)
    if _is_struct(kind):
        return f"{{ {', '.join(f'{field.encode_name} = …' for field in msgspec.structs.fields(kind))} }}"
    return _NAMES.get(kind, "another value")


def _bounds(meta: Any) -> str:
    """` above 0`, ` of at least 1`, or the description of a text's pattern."""
    if meta.pattern and meta.description:
        return f" ({meta.description})"
    if meta.gt is not None:
        return f" above {meta.gt}"
    return f" of at least {meta.ge}" if meta.ge is not None else ""
