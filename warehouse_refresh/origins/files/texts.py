"""Texts as values of GoogleSQL's types, read as strictly as those that are posted, in DuckDB's SQL.

warehouse/values/reading.py does the same in Python, one value after the other.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import duckdb

from warehouse_refresh.origins import NotReadable
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse.types import (
    BIGNUMERIC,
    BOOL,
    BYTES,
    DATE,
    DATETIME,
    FLOAT64,
    INT64,
    NUMERIC,
    STRING,
    TIME,
    TIMESTAMP,
    SqlType,
)

GUESSES = (INT64, NUMERIC, FLOAT64, BOOL, DATE, DATETIME, TIMESTAMP)
"""The types that a column of texts may have, the best one first; STRING if it is none of them."""
KNOWN = (*GUESSES, BIGNUMERIC, STRING, BYTES, TIME)
_SAMPLE = 2000
_DAY, _CLOCK = "[0-9]{4}-[0-9]{2}-[0-9]{2}", "[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?"
_ZONE = "(Z| ?UTC|[+-](0[0-9]|1[0-3])(:?[0-5][0-9])?|[+-]14(:?00)?)"
_FORMS: Mapping[str, str] = {
    "INT64": "-?(0|[1-9][0-9]*)",
    "NUMERIC": "-?(0|[1-9][0-9]*)([.][0-9]+)?",
    "BIGNUMERIC": "-?(0|[1-9][0-9]*)([.][0-9]+)?",
    "FLOAT64": "-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?|NaN|-?Infinity",
    "BOOL": "(?i)true|false",
    "DATE": _DAY,
    "TIME": _CLOCK,
    "DATETIME": f"{_DAY}[T ]{_CLOCK}",
    "TIMESTAMP": f"{_DAY}[T ]{_CLOCK}{_ZONE}",
}
_DIGITS = {"NUMERIC": 9, "BIGNUMERIC": 18}  # after the point; a DECIMAL of DuckDB has 38 in all


def known(name: str, type_: SqlType) -> SqlType:
    """The type without its parameters. Raises NotReadable for one that no text is read as."""
    plain = SqlType(type_.name)
    if plain not in KNOWN or type_.element is not None:
        raise NotReadable(f"{name} cannot be {type_} in a file of texts: write STRING, and CAST it in a script")
    return plain


def value(x: str, type_: SqlType) -> str:
    """The value of a text for which `fault` is not true."""
    if type_ == BYTES:
        return f"try(from_base64({x}))"
    if type_.name in _DIGITS:
        return f"CAST({x} AS DECIMAL(38, {_DIGITS[type_.name]}))"
    if type_ == TIMESTAMP:
        return f"CAST({_in_zone(x)} AS TIMESTAMPTZ)"
    return x if type_ == STRING else f"CAST({x} AS {duckdb_type(type_)})"


def fault(x: str, type_: SqlType) -> str:
    """What is true of a text that is no value of the type; NULL or false for NULL."""
    return f"({' OR '.join(_faults(x, type_))})"


def strict(x: str, type_: SqlType) -> str:
    """The value of a text, or an error."""
    return f"CASE WHEN {fault(x, type_)} THEN error('no {type_}: ' || {x}) ELSE {value(x, type_)} END"


def first_fitting(
    reader: duckdb.DuckDBPyConnection, rows: str, names: Sequence[str], tests: Callable[[str, SqlType], tuple[str, str]]
) -> dict[str, SqlType]:
    """For each column the first type that takes all values of these rows. `tests` are for a column and a type what is
    true of a bad value, and the value. The first rows say which types are left, so that all rows are asked little."""
    left = {name: list(GUESSES) for name in names}
    for part in (f"(SELECT * FROM ({rows}) LIMIT {_SAMPLE})", f"({rows})"):
        asked = [(name, type_) for name, types in left.items() for type_ in types]
        if not asked:
            break
        listed = (tests(name, type_) for name, type_ in asked)
        counts = ", ".join(f"count_if({bad}), count({found})" for bad, found in listed)
        [found] = reader.execute(f"SELECT {counts} FROM {part}").fetchall()
        for (name, type_), bad, count in zip(asked, found[::2], found[1::2], strict=True):
            if bad or (not count and not part.startswith("(SELECT * FROM (")):
                left[name].remove(type_)
    return {name: types[0] if types else STRING for name, types in left.items()}


def _faults(x: str, type_: SqlType) -> Iterator[str]:
    if type_ == STRING:
        yield f"contains({x}, chr(0))"
        return
    if type_ == BYTES:
        yield f"coalesce(to_base64({value(x, type_)}) <> {x}, {x} IS NOT NULL)"
        return
    yield f"NOT regexp_full_match({x}, '{_FORMS[type_.name]}')"
    tried = value(x, type_).replace("CAST(", "TRY_CAST(", 1)  # not try(…), which takes rows one by one after an error
    yield f"{x} IS NOT NULL AND {tried} IS NULL"
    if type_.name in _DIGITS:
        yield f"regexp_matches({x}, '[.][0-9]{{{_DIGITS[type_.name]}}}0*[1-9]')"
    if type_ == FLOAT64:
        yield f"isinf({tried}) AND NOT {x} LIKE '%Infinity'"
        yield f"{tried} = 0 AND regexp_matches({x}, '^[^eE]*[1-9]')"
    if type_ in (DATE, DATETIME, TIMESTAMP):
        yield f"{x} < '0001'"
        yield f"TRY_CAST({tried} AS DATE) NOT BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"
    if type_ == TIME:
        yield f"{x} >= '24'"


def _in_zone(x: str) -> str:
    return f"regexp_replace({x}, ' ?UTC$', 'Z')"
