"""Parts of a STRING that holds a JSON document. Numbers stay as they are written, and the text may be broken.

https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from warehouse_refresh.warehouse.duckdb.python_functions.documents import (
    ENCODER,
    MISSING,
    Path,
    found_at,
    no_number,
    steps,
)


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


class _Members(dict[str, Any]):
    """An object, and its members as they are written. Of two with one name a path leads to the first."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(reversed(pairs))
        self.pairs = pairs


_DECODER = json.JSONDecoder(
    parse_int=_Number, parse_float=_Number, parse_constant=no_number, object_pairs_hook=_Members
)


def _part(text: str | None, path: str | None) -> Any:
    """What stands at the path; None where nothing does, or where the text is no document."""
    if text is None or path is None:
        return None
    try:
        found = found_at(_DECODER.decode(text), steps(path, "JSON"))
    except ValueError:
        return _part_of_broken(text, steps(path, "JSON"))
    return None if found is MISSING else found


# A text that is no document: GoogleSQL reads it only up to the end of the part that it looks for.

_BLANKS = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(
    r"""(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+|(?!\.))(?:[eE][-+]?[0-9]+)?)|(?P<word>true|false|null)"""
    r"""|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
)
_WORDS = {"true": True, "false": False, "null": None}


class _ReachedError(Exception):
    """The part was read to its end."""

    def __init__(self, part: Any) -> None:
        self.part = part


def _part_of_broken(text: str, path: Path) -> Any:
    try:
        _read(text, 0, path)
    except _ReachedError as reached:
        return reached.part
    except (ValueError, IndexError):
        return None
    return None


def _read(text: str, start: int, path: Path | None) -> tuple[Any, int]:
    """The value that starts there, and where it ends. `path` leads from it to the part; None if it is not in it. Raises
    _ReachedError, and ValueError or IndexError where the text breaks off."""
    value: Any
    start = _after_blanks(text, start)
    if text[start] == "{":
        value, end = _members(text, start + 1, path)
    elif text[start] == "[":
        value, end = _elements(text, start + 1, path)
    else:
        value, end = _scalar(text, start)
    if path == ():
        raise _ReachedError(value)
    return value, end


def _members(text: str, at: int, path: Path | None) -> tuple[_Members, int]:
    pairs: list[tuple[str, Any]] = []
    at = _after_blanks(text, at)
    while text[at] != "}":
        name, at = _scalar(text, _after_comma(text, at) if pairs else at)
        at = _after_blanks(text, at)
        if text[at] != ":" or type(name) is not str:
            raise ValueError(text)
        value, at = _read(text, at + 1, _rest(path, name))
        pairs.append((name, value))
        at = _after_blanks(text, at)
    return _Members(pairs), at + 1


def _elements(text: str, at: int, path: Path | None) -> tuple[list[Any], int]:
    found: list[Any] = []
    at = _after_blanks(text, at)
    while text[at] != "]":
        value, at = _read(text, _after_comma(text, at) if found else at, _rest(path, len(found)))
        found.append(value)
        at = _after_blanks(text, at)
    return found, at + 1


def _rest(path: Path | None, step: str | int) -> Path | None:
    """The path from a member or an element, if it leads there."""
    return path[1:] if path and path[0] == step and type(path[0]) is type(step) else None


def _after_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _after_comma(text: str, at: int) -> int:
    if text[at] != ",":
        raise ValueError(text)
    return _after_blanks(text, at + 1)


def _scalar(text: str, at: int) -> tuple[Any, int]:
    found = _SCALAR.match(text, at)
    if found is None:
        raise ValueError(text)
    if found["number"]:
        return _Number(found["number"]), found.end()
    if found["word"]:
        return _WORDS[found["word"]], found.end()
    quoted = found["text"]
    if quoted[0] == "'":
        inner = quoted[1:-1].replace("\\'", "'").replace('"', '\\"')
        quoted = f'"{inner}"'
    return json.loads(quoted), found.end()


# What GoogleSQL calls


def _as_written(part: Any) -> str:
    """The text of a part, without blanks."""
    if isinstance(part, _Number):
        return str(part)
    if isinstance(part, list):
        return f"[{','.join(map(_as_written, part))}]"
    if isinstance(part, _Members):
        return f"{{{','.join(f'{ENCODER.encode(name)}:{_as_written(value)}' for name, value in part.pairs)}}}"
    return ENCODER.encode(part)


def _scalar_as_written(part: Any) -> str | None:
    if part is None or isinstance(part, list | dict):
        return None
    return ENCODER.encode(part) if isinstance(part, bool) else str(part)


def text_query(text: str | None, path: str | None) -> str | None:
    """JSON_QUERY(text, path)"""
    part = _part(text, path)
    return None if part is None else _as_written(part)


def text_value(text: str | None, path: str | None) -> str | None:
    """JSON_VALUE(text, path)"""
    return _scalar_as_written(_part(text, path))


def text_query_array(text: str | None, path: str | None) -> list[str] | None:
    """JSON_QUERY_ARRAY(text, path)"""
    part = _part(text, path)
    return [_as_written(item) for item in part] if isinstance(part, list) else None


def text_value_array(text: str | None, path: str | None) -> list[str | None] | None:
    """JSON_VALUE_ARRAY(text, path)"""
    part = _part(text, path)
    if not isinstance(part, list) or any(isinstance(item, list | dict) for item in part):
        return None
    return [_scalar_as_written(item) for item in part]


FUNCTIONS: Mapping[str, tuple[Callable[..., Any], str]] = {
    "text_query": (text_query, "VARCHAR"),
    "text_value": (text_value, "VARCHAR"),
    "text_query_array": (text_query_array, "VARCHAR[]"),
    "text_value_array": (text_value_array, "VARCHAR[]"),
}
