"""The types of SQLite's columns as GoogleSQL's. SQLite has a type for each value, and a column only declares one: the
declared type decides, and a value that does not fit it is refused. docs/load.md has this as a table for people.

https://www.sqlite.org/datatype3.html
"""

import re
from collections.abc import Iterator

from warehouse_refresh.origins import NotReadable, OriginColumn
from warehouse_refresh.warehouse.duckdb.translate.text import quoted
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
    Column,
    SqlType,
)

_NAMES: tuple[tuple[str, SqlType], ...] = (
    ("BOOL", BOOL),
    ("TIMESTAMP", TIMESTAMP),
    ("DATETIME", DATETIME),
    (r"DATE$", DATE),
    (r"TIME$", TIME),
    (".*INT", INT64),
    (".*(CHAR|CLOB|TEXT)", STRING),
    ("STRING|JSON|UUID|GUID|ENUM", STRING),
    (".*BLOB|.*BINARY|BYTEA", BYTES),
    (".*(REAL|FLOA|DOUB)", FLOAT64),
    ("NUM|DEC|MONEY", NUMERIC),
)
"""The beginning of a declared type, and what it stands for: SQLite's own rules, and the names that others give."""
_WIDEST = 38  # digits of a DECIMAL of DuckDB
_WHOLE = 2**53  # up to here FLOAT64 holds all whole numbers
_MOMENT = "[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6}0*)?)?)?"
_FORMS = {
    "DATE": ("[0-9]{4}-[0-9]{2}-[0-9]{2}", "2024-03-01"),
    "DATETIME": (_MOMENT, "2024-03-01 10:30:00, without a zone"),
    "TIMESTAMP": (f"{_MOMENT}(Z|[+-][0-9]{{2}}:[0-9]{{2}})?", "2024-03-01 10:30:00, in UTC or with +01:00"),
    "TIME": ("[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6}0*)?)?", "10:30:00"),
}
"""What texts of dates and times look like: https://www.sqlite.org/lang_datefunc.html#time_values"""


def reading_of(name: str, declared: str, wanted: SqlType | None) -> OriginColumn:
    """How a column is read of which SQLite says that it was `declared` so; `wanted` is the type that the settings say,
    if they do. Raises NotReadable."""
    type_ = wanted or _type_of(name, declared)
    if type_ not in (*(type_ for _, type_ in _NAMES), BIGNUMERIC):
        raise NotReadable(f"a value of SQLite cannot be {type_}: write STRING, and CAST it in a script")
    value, bad, reason = _value(quoted(name), type_, _scale(declared))
    x = identifier(name)
    # Not a constant, so SQLite does not compute it before the first row: it overflows only where it is reached.
    error = f"abs(-9223372036854775807 - ({x} IS NOT NULL))"
    sql = f"CASE WHEN {misfit(x, type_)} THEN {error} ELSE {_given(x, type_)} END"
    return OriginColumn(Column(name, type_), sql, value, bad and f"{quoted(name)} IS NOT NULL AND ({bad})", reason)


def identifier(name: str) -> str:
    """The name in SQLite's SQL."""
    return '"' + name.replace('"', '""') + '"'


def comes_as(type_: SqlType) -> str:
    """A literal of the storage class that all values of such a column come with. A text comes as its bytes."""
    return {"INT64": "0", "BOOL": "0", "FLOAT64": "0.0"}.get(type_.name, "x''")


def is_text(type_: SqlType) -> bool:
    """Whether values of this type come as texts."""
    return comes_as(type_) == "x''" and type_ != BYTES


def misfit(x: str, type_: SqlType) -> str:
    """SQL that is true where the value of `x` is nothing that the type can hold, whatever it says."""
    kind = f"typeof({x})"
    if type_ == FLOAT64:
        return f"{kind} IN ('text', 'blob') OR {kind} = 'integer' AND {x} NOT BETWEEN -{_WHOLE} AND {_WHOLE}"
    if type_ == BOOL:
        return f"{kind} <> 'null' AND NOT ({kind} = 'integer' AND {x} IN (0, 1))"
    if type_ == STRING:
        return f"{kind} = 'blob'"
    if type_ in (NUMERIC, BIGNUMERIC):
        text = f"{kind} = 'text' AND {x} GLOB '*[eE]*'"
        return f"{kind} = 'blob' OR {text} OR {kind} = 'real' AND CAST({_digits(x)} AS REAL) <> {x}"
    held = "integer" if type_ == INT64 else "blob" if type_ == BYTES else "text"
    return f"{kind} NOT IN ('{held}', 'null')"


def what_fits(type_: SqlType) -> str:
    """What the values of such a column have to be, for people."""
    if type_.name in _FORMS:
        return f"they have to be texts such as {_FORMS[type_.name][1]}"
    return {
        "INT64": "they have to be whole numbers",
        "FLOAT64": "they have to be numbers, and whole ones within 2^53",
        "BOOL": "they have to be 0 or 1",
        "STRING": "they have to be texts in UTF-8",
        "BYTES": "they have to be blobs",
    }.get(type_.name, "they have to be numbers of at most 15 digits")


def _type_of(name: str, declared: str) -> SqlType:
    for pattern, type_ in _NAMES:
        if re.match(pattern, declared.partition("(")[0].strip(), re.IGNORECASE):
            return _decimal(declared) if type_ == NUMERIC else type_
    what = f"SQLite says no more than {declared} of it" if declared else "SQLite knows no type of it"
    raise NotReadable(f'{what}: give it one, {name} = {{ type = "STRING" }} in [columns]')


def _decimal(declared: str) -> SqlType:
    """NUMERIC where the declared digits fit, else BIGNUMERIC."""
    precision, scale = _declared_digits(declared)
    if precision - scale <= 29 and scale <= 9:
        return NUMERIC
    if precision <= _WIDEST:
        return BIGNUMERIC
    raise NotReadable(f"{declared} has more than {_WIDEST} digits: give it the type STRING")


def _declared_digits(declared: str) -> tuple[int, int]:
    found = re.search(r"\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", declared)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def _scale(declared: str) -> int:
    """Digits after the point of a BIGNUMERIC."""
    return max(_declared_digits(declared)[1], 9)


def _digits(x: str) -> str:
    """A real number as a text. Up to 15 digits SQLite writes and reads exactly; no number has two such texts."""
    return f"printf('%.15g', {x})"


def _given(x: str, type_: SqlType) -> str:
    """The value that is handed on."""
    if type_ == FLOAT64:
        return f"CAST({x} AS REAL)"
    if type_ in (NUMERIC, BIGNUMERIC):
        return f"CAST(CASE typeof({x}) WHEN 'real' THEN {_digits(x)} ELSE {x} END AS BLOB)"
    if type_ == STRING:
        short, long = f"CAST({x} AS TEXT)", f"printf('%!.17g', {x})"
        real = f"CASE WHEN CAST({short} AS REAL) = {x} THEN {short} ELSE {long} END"
        return f"CAST(CASE typeof({x}) WHEN 'real' THEN {real} ELSE {short} END AS BLOB)"
    return f"CAST({x} AS BLOB)" if is_text(type_) else x


def _value(held: str, type_: SqlType, scale: int) -> tuple[str, str, str]:
    """The value in DuckDB's SQL, what is true of a text that is none, and which these are."""
    target = duckdb_type(type_)
    if type_ in (NUMERIC, BIGNUMERIC):
        after = 9 if type_ == NUMERIC else scale
        digits = f"DECIMAL({_WIDEST},{after})"
        return f"CAST({held} AS {digits})", " OR ".join(_no_decimal(held, digits, after)), "too large, or too long"
    if type_.name not in _FORMS:
        return f"CAST({held} AS {target})", "", ""
    form, example = _FORMS[type_.name]
    zone = f"CASE WHEN length({held}) = 10 THEN ' 00:00+00' WHEN {held} ~ '.*:.*[Z+-].*' THEN '' ELSE '+00' END"
    moment = f"{held} || {zone}" if type_ == TIMESTAMP else held
    bad = f"NOT regexp_full_match({held}, '{form}') OR TRY_CAST({moment} AS {target}) IS NULL OR {held} < '0001'"
    if type_ == TIME:
        bad = f"NOT regexp_full_match({held}, '{form}') OR TRY_CAST({held} AS TIME) IS NULL OR {held} >= '24'"
    return f"CAST({moment} AS {target})", bad, f"they have to be texts such as {example}"


def _no_decimal(held: str, digits: str, after: int) -> Iterator[str]:
    small = "DECIMAL(38, 37)"  # the digits before the exponent are one before the point
    kept = f"TRY_CAST(TRY_CAST({held} AS {digits}) AS {small})"
    yield f"NOT regexp_full_match({held}, '[+-]?[0-9]*[.]?[0-9]+(e[+-][0-9]+)?')"
    yield f"TRY_CAST({held} AS {digits}) IS NULL"
    yield f"regexp_matches({held}, '[.][0-9]{{{after}}}0*[1-9][0-9]*$')"
    yield f"contains({held}, 'e-') AND ({kept} = 0 OR TRY_CAST({held} AS {small}) IS DISTINCT FROM {kept})"
