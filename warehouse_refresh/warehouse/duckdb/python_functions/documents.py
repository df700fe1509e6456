"""JSON documents: what changes them, what converts their scalars, and their text.

https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

Path = tuple[str | int, ...]
"""The way to a part of a document: names of members and indexes of elements."""

_MOST_ELEMENTS = 1_000_000
"""https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions#json_set"""


# Reading and writing


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two members with one name the first counts."""
    return dict(reversed(pairs))


def _decoder(wide: Callable[[str], float], decimal: Callable[[str], float]) -> json.JSONDecoder:
    """Reads numbers with a point by `decimal`, and whole ones that neither INT64 nor UINT64 holds by `wide`."""

    def integer(text: str) -> int | float:
        return int(text) if len(text) < 19 or -(2**63) <= int(text) < 2**64 else wide(text)

    return json.JSONDecoder(
        parse_int=integer, parse_float=decimal, parse_constant=no_number, object_pairs_hook=_first_of_each
    )


def _rounded(text: str) -> float:
    found = float(text)
    if math.isinf(found):
        raise ValueError(f"number overflow parsing '{text}'")
    return found


def _exact(text: str) -> float:
    found = _rounded(text)
    is_short = len(text) < 16 and "e" not in text and "E" not in text
    if not is_short and Decimal(repr(found)) != Decimal(text):
        raise ValueError(f"Input number: {text} cannot round-trip through string representation")
    return found


def no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


read = _decoder(float, float).decode
"""The document of a JSON text."""
_STRICT = {"exact": _decoder(_exact, _exact), "round": _decoder(_rounded, _rounded)}
ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_ODD_FLOAT = re.compile(r"\d{16}\.0")


def written(document: Any) -> str:
    """The document as GoogleSQL writes it: sorted members, no blanks."""
    text = ENCODER.encode(document)
    return _with_odd_floats(document) if ".0" in text and _ODD_FLOAT.search(text) else text


def _with_odd_floats(document: Any) -> str:
    if isinstance(document, float):
        return float_text(document)
    if isinstance(document, list):
        return f"[{','.join(map(_with_odd_floats, document))}]"
    if isinstance(document, dict):
        members = [f"{_with_odd_floats(name)}:{_with_odd_floats(document[name])}" for name in sorted(document)]
        return f"{{{','.join(members)}}}"
    return ENCODER.encode(document)


def float_text(number: float) -> str:
    """A number of a document: Python writes those from 1e15 to 1e16 without an exponent."""
    text = repr(number)
    if not 1e15 <= abs(number) < 1e16:
        return text
    digits = text.lstrip("-").removesuffix(".0").rstrip("0")
    return f"{'-' if number < 0 else ''}{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e+15"


def parsed(text: str | None, mode: str | None) -> str | None:
    """PARSE_JSON(text, wide_number_mode)"""
    if text is None or mode is None:
        return None
    if mode not in _STRICT:
        raise ValueError(f"Invalid `wide_number_mode` specified for PARSE_JSON: {mode}")
    try:
        found = written(_STRICT[mode].decode(text))
        found.encode()
    except UnicodeEncodeError as error:
        raise ValueError("Invalid input to PARSE_JSON: half of a surrogate pair") from error
    except ValueError as error:
        raise ValueError(f"Invalid input to PARSE_JSON: {error}") from error
    return found


def parsed_literal(text: str) -> str:
    """A document that stands in a query, as GoogleSQL keeps it. Raises ValueError."""
    return written(_STRICT["round"].decode(text))


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\[\]|\{\}|[\[{]|[\]}]|,|:|[^\[\]{},:"]+')


def pretty(text: str | None) -> str | None:
    """JSON without blanks, laid out over lines. Numbers stay as they are written."""
    if text is None:
        return None
    pieces, line = [], "\n"
    for token in _TOKEN.findall(text):
        if token in ("[", "{"):
            line += "  "
            pieces += [token, line]
        elif token in ("]", "}"):
            line = line[:-2]
            pieces += [line, token]
        else:
            pieces += [token, {",": line, ":": " "}.get(token, "")]
    return "".join(pieces)


# Paths

_STEP = re.compile(r'\.([\w:\s-]+)|\."((?:[^"\\]|\\.)*)"|\[\s*(\d+)\s*\]', re.DOTALL)


@lru_cache(1000)
def steps(path: str, function: str) -> Path:
    """The steps of a path. Raises ValueError."""
    if not path.startswith("$"):
        raise ValueError(f"Invalid input to {function}: JSONPath must start with '$'")
    found: list[str | int] = []
    position = 1
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise ValueError(f"Invalid input to {function}: Invalid token in JSONPath at: {path[position:]}")
        plain, quoted, index = match.groups()
        found.append(int(index) if index is not None else quoted if plain is None else plain)
        position = match.end()
    return tuple(found)


MISSING = object()


def found_at(document: Any, path: Path) -> Any:
    """What stands at the path; MISSING where nothing does."""
    for step in path:
        if not _has(document, step):
            return MISSING
        document = document[step]
    return document


def _has(document: Any, step: str | int) -> bool:
    if isinstance(step, str):
        return isinstance(document, dict) and step in document
    return isinstance(document, list) and step < len(document)


def _replaced(document: Any, path: Path, value: Any, *, create: bool) -> Any:
    """The document with the value at the path. If the path leads through a scalar, the document stays the same."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if document is None and create:
        document = {} if isinstance(step, str) else []
    if isinstance(step, str) and isinstance(document, dict):
        if create or step in document:
            document[step] = _replaced(document.get(step), rest, value, create=create)
    elif isinstance(step, int) and isinstance(document, list):
        if step < len(document):
            document[step] = _replaced(document[step], rest, value, create=create)
        elif create:
            _extend(document, step, "JSON_SET")
            document.append(_replaced(None, rest, value, create=True))
    return document


def _extend(array: list[Any], length: int, function: str) -> None:
    """Fill the array with nulls up to the length."""
    if length >= _MOST_ELEMENTS:
        raise ValueError(f"Invalid input to {function}: Exceeded maximum array size of {_MOST_ELEMENTS}")
    array.extend([None] * (length - len(array)))


# What makes and changes documents. Values come as JSON texts.


def json_object(names: list[str | None] | None, values: list[str] | None) -> str:
    """JSON_OBJECT(names, values)"""
    if names is None or values is None:
        raise ValueError(
            f"Invalid input to JSON_OBJECT: The {'keys' if names is None else 'values'} array cannot be NULL"
        )
    if len(names) != len(values):
        raise ValueError("Invalid input to JSON_OBJECT: The number of keys and values must match")
    if None in names:
        raise ValueError("Invalid input to JSON_OBJECT: A key cannot be NULL")
    return written(_first_of_each([(str(name), read(value)) for name, value in zip(names, values, strict=True)]))


def json_set(document: str | None, create: bool | None, *pairs: str) -> str | None:
    """JSON_SET(document, path, value, …, create_if_missing)"""
    if document is None or create is None:
        return document
    found = read(document)
    for path, value in zip(pairs[::2], pairs[1::2], strict=True):
        if path is not None:
            found = _replaced(found, steps(path, "JSON_SET"), read(value), create=create)
    return written(found)


def json_remove(document: str | None, *paths: str | None) -> str | None:
    """JSON_REMOVE(document, path, …)"""
    if document is None:
        return None
    found = read(document)
    for path in paths:
        if path is not None:
            _remove(found, steps(path, "JSON_REMOVE"))
    return written(found)


def _remove(document: Any, path: Path) -> None:
    if not path:
        raise ValueError("The JSONPath cannot be '$'")
    if found_at(document, path) is not MISSING:
        del found_at(document, path[:-1])[path[-1]]


def json_array_append(document: str | None, each: bool | None, *triples: Any) -> str | None:
    """JSON_ARRAY_APPEND(document, path, value, …, append_each_element): with each value whether it is an array."""
    return _with_elements("JSON_ARRAY_APPEND", _appended, document, each, triples)


def json_array_insert(document: str | None, each: bool | None, *triples: Any) -> str | None:
    """JSON_ARRAY_INSERT(document, path, value, …, insert_each_element): with each value whether it is an array."""
    return _with_elements("JSON_ARRAY_INSERT", _inserted, document, each, triples)


def _with_elements(
    function: str, put: Callable[[Any, Path, list[Any]], Any], document: str | None, each: bool | None, triples: Any
) -> str | None:
    if document is None or each is None:
        return document
    found = read(document)
    for path, text, is_array in zip(triples[::3], triples[1::3], triples[2::3], strict=True):
        if path is not None:
            value = read(text)
            found = put(found, steps(path, function), (value or []) if each and is_array else [value])
    return written(found)


def _appended(document: Any, path: Path, elements: list[Any]) -> Any:
    array = found_at(document, path)
    if isinstance(array, list):
        array.extend(elements)
    elif array is None and elements:
        return _replaced(document, path, elements, create=False)
    return document


def _inserted(document: Any, path: Path, elements: list[Any]) -> Any:
    array = found_at(document, path[:-1]) if path else MISSING
    if not path or not isinstance(path[-1], int) or not elements or not (array is None or isinstance(array, list)):
        return document
    changed = array or []
    _extend(changed, path[-1], "JSON_ARRAY_INSERT")
    changed[path[-1] : path[-1]] = elements
    return _replaced(document, path[:-1], changed, create=False)


def json_strip_nulls(document: str | None, path: str | None, arrays: bool | None, empty: bool | None) -> str | None:
    """JSON_STRIP_NULLS(document, path, include_arrays, remove_empty)"""
    if document is None or path is None or arrays is None or empty is None:
        return document
    found, place = read(document), steps(path, "JSON_STRIP_NULLS")
    part = found_at(found, place)
    if part is MISSING:
        return document
    return written(_replaced(found, place, _stripped(part, arrays=arrays, empty=empty), create=False))


def _stripped(document: Any, *, arrays: bool, empty: bool) -> Any:
    if isinstance(document, dict):
        inner = {name: _stripped(value, arrays=arrays, empty=empty) for name, value in document.items()}
        kept: Any = {name: value for name, value in inner.items() if value is not None}
    elif isinstance(document, list):
        items = [_stripped(value, arrays=arrays, empty=empty) for value in document]
        kept = [value for value in items if value is not None] if arrays else _kept(document, items)
    else:
        return document
    return None if empty and not kept and (arrays or isinstance(document, dict)) else kept


def _kept(before: list[Any], after: list[Any]) -> list[Any]:
    """The elements after stripping: where arrays keep their elements, those that became empty stay so."""
    return [type(old)() if new is None and old is not None else new for old, new in zip(before, after, strict=True)]


def json_keys(document: str | None, depth: int | None, mode: str | None) -> list[str] | None:
    """JSON_KEYS(document, max_depth, mode)"""
    if document is None or mode is None:
        return None
    if depth is not None and depth <= 0:
        raise ValueError("max_depth must be positive.")
    if mode.lower() not in ("strict", "lax", "lax recursive"):
        raise ValueError("Invalid JSON mode specified")
    arrays = {"strict": 0, "lax": 1}.get(mode.lower(), math.inf)
    return sorted(_keys(read(document), "", math.inf if depth is None else depth, arrays))


def _keys(document: Any, before: str, depth: float, arrays: float) -> set[str]:
    found: set[str] = set()
    if isinstance(document, dict) and depth > 0:
        for name, value in document.items():
            key = before + _path_name(name)
            found |= {key} | _keys(value, f"{key}.", depth - 1, arrays)
    elif isinstance(document, list):
        found = set().union(*(_keys_in_array(item, before, depth, arrays) for item in document))
    return found


def _keys_in_array(item: Any, before: str, depth: float, arrays: float) -> set[str]:
    if arrays == 0 or (arrays == 1 and isinstance(item, list)):
        return set()
    return _keys(item, before, depth, arrays)


def _path_name(name: str) -> str:
    escaped = json.dumps(name, ensure_ascii=False)
    return escaped if "." in name or escaped[1:-1] != name else name


def json_flatten(document: str | None) -> list[str] | None:
    """JSON_FLATTEN(document): the elements of the arrays in it, of any depth"""
    return None if document is None else [written(item) for item in _flat(read(document))]


def _flat(document: Any) -> list[Any]:
    return [part for item in document for part in _flat(item)] if isinstance(document, list) else [document]


# Scalars of documents

_DECIMAL = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*", re.ASCII)
_OTHER_FLOAT = re.compile(r"\s*[-+]?(?:nan|inf|infinity|0x[0-9a-f]+(?:\.[0-9a-f]*)?(?:p[-+]?\d+)?)\s*", re.ASCII | re.I)


def lax_int64(value: Any) -> int | None:
    """A document as INT64; None if it is not a number in that range."""
    if isinstance(value, str):
        match = _DECIMAL.fullmatch(value)
        number = Decimal(match[1]) if match else None
    elif isinstance(value, bool | int | float):
        number = Decimal(value)
    else:
        number = None
    if number is None or not number.is_finite() or number.adjusted() > 20:
        return None
    found = int(number.to_integral_value(ROUND_HALF_UP))
    return found if -(2**63) <= found < 2**63 else None


def _float_or_none(value: Any) -> float | None:
    """A document as FLOAT64; None if it is not a number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str):
        return None
    if _DECIMAL.fullmatch(value):
        return float(value)
    if not _OTHER_FLOAT.fullmatch(value):
        return None
    return float.fromhex(value) if "0x" in value.lower() else float(value)


def lax_float64(value: Any) -> str | None:
    """A document as FLOAT64, in Python's spelling; None if it is not a number."""
    found = _float_or_none(value)
    return None if found is None else repr(found)


def lax_bool(value: Any) -> bool | None:
    """A document as BOOL; None if it is neither true nor false."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return bool(value) if isinstance(value, bool | int | float) else None


def lax_string(value: Any) -> str | None:
    """A document as STRING; None for arrays, objects and null."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return float_text(value).removesuffix(".0") if value else "0"
    return written(value) if isinstance(value, bool | int) else None


def _int64(value: Any) -> int:
    if isinstance(value, float) and value.is_integer() and -(2**63) <= value < 2**63:
        return int(value)
    if isinstance(value, float) or (isinstance(value, int) and value >= 2**63):
        raise ValueError(f"The provided JSON number: {written(value)} cannot be converted to an int64")
    if isinstance(value, bool) or not isinstance(value, int):
        raise _no("an integer")
    return value


def _float64(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _no("a number")
    return repr(float(value))


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _no("a boolean")
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise _no("a string")
    return value


def _no(kind: str) -> ValueError:
    return ValueError(f"The provided JSON input is not {kind}")


def _of_document(convert: Callable[[Any], Any]) -> Callable[[str | None], Any]:
    return lambda text: None if text is None else convert(read(text))


def _of_elements(convert: Callable[[Any], Any], *, strict: bool) -> Callable[[str | None], Any]:
    def converted(text: str | None) -> list[Any] | None:
        found = None if text is None else read(text)
        if isinstance(found, list):
            return [convert(item) for item in found]
        if text is not None and strict:
            raise _no("an array")
        return None

    return converted


FUNCTIONS: Mapping[str, tuple[Callable[..., Any], str]] = {
    "to_json_string": (_of_document(written), "VARCHAR"),
    "pretty_json": (pretty, "VARCHAR"),
    "parse_json": (parsed, "JSON"),
    "json_object": (json_object, "JSON"),
    "json_set": (json_set, "JSON"),
    "json_remove": (json_remove, "JSON"),
    "json_array_append": (json_array_append, "JSON"),
    "json_array_insert": (json_array_insert, "JSON"),
    "json_strip_nulls": (json_strip_nulls, "JSON"),
    "json_keys": (json_keys, "VARCHAR[]"),
    "json_flatten": (json_flatten, "JSON[]"),
    "lax_int64": (_of_document(lax_int64), "BIGINT"),
    "lax_float64": (_of_document(lax_float64), "VARCHAR"),
    "lax_bool": (_of_document(lax_bool), "BOOLEAN"),
    "lax_string": (_of_document(lax_string), "VARCHAR"),
    "lax_int64_array": (_of_elements(lax_int64, strict=False), "BIGINT[]"),
    "lax_float64_array": (_of_elements(lax_float64, strict=False), "VARCHAR[]"),
    "lax_bool_array": (_of_elements(lax_bool, strict=False), "BOOLEAN[]"),
    "lax_string_array": (_of_elements(lax_string, strict=False), "VARCHAR[]"),
    "int64_array": (_of_elements(_int64, strict=True), "BIGINT[]"),
    "float64_array": (_of_elements(_float64, strict=True), "VARCHAR[]"),
    "bool_array": (_of_elements(_bool, strict=True), "BOOLEAN[]"),
    "string_array": (_of_elements(_string, strict=True), "VARCHAR[]"),
}
