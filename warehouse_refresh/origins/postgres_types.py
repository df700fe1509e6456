"""PostgreSQL's types as GoogleSQL's: each value exactly, or refused. docs/load.md has this as a table for people.

https://www.postgresql.org/docs/current/datatype.html
"""

from collections.abc import Mapping
from dataclasses import dataclass

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
    array_of,
)

_PLAIN: Mapping[str, SqlType] = {
    **dict.fromkeys(("int2", "int4", "int8"), INT64),
    **dict.fromkeys(("float4", "float8"), FLOAT64),
    "bool": BOOL,
    "bytea": BYTES,
    "date": DATE,
    "time": TIME,
    "timestamp": DATETIME,
    "timestamptz": TIMESTAMP,
    **dict.fromkeys(("text", "varchar", "uuid"), STRING),
}
"""Types that the driver gives as what they are. A uuid is half as long as its text."""
_AS_TEXT = frozenset(
    (
        *("bpchar", "name", "char", "citext", "xml", "json", "jsonb", "timetz", "interval", "bit", "varbit"),
        *("inet", "cidr", "macaddr", "macaddr8", "hstore", "ltree", "tsvector", "pg_lsn"),
        *("point", "line", "lseg", "box", "path", "polygon", "circle"),
    )
)
_AS_INTEGERS = frozenset(("oid", "xid", "cid"))
_DAYS = "BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"
_BAD: Mapping[str, tuple[str, str]] = {
    "DATE": (f"{{x}} NOT {_DAYS}", "infinite, or outside of the years 1 to 9999"),
    "TIME": ("{x} >= TIME '24:00:00'", "24:00:00"),
    # The driver adds thirty years to a moment. Infinity becomes one before our era by that, and so does a late one.
    "DATETIME": (f"CAST({{x}} AS DATE) NOT {_DAYS}", "infinite, or outside of the years 1 to 9999"),
    "TIMESTAMP": (f"CAST({{x}} AS DATE) NOT {_DAYS}", "infinite, or outside of the years 1 to 9999"),
}
_NO_ARRAY = "arrays with a NULL in them, with several dimensions, or that do not begin at 1"
_WIDEST = 38  # digits of a DECIMAL of DuckDB


@dataclass(frozen=True, slots=True)
class Kind:
    """A column's type as PostgreSQL's catalogue has it, after its domains are resolved: the name, the type modifier
    (-1: none), and `typtype`, which is "e" for an enum and "r" or "m" for a range. `is_array` says that these are those
    of the elements."""

    name: str
    modifier: int = -1
    category: str = "b"
    is_array: bool = False

    def __str__(self) -> str:
        return f"{self.name}[]" if self.is_array else self.name


def reading_of(name: str, kind: Kind, wanted: SqlType | None) -> OriginColumn:
    """How a column of this kind is read; `wanted` is the type that the settings say, if they do. Raises NotReadable."""
    if wanted == STRING and not kind.is_array:
        return _column(name, STRING, f"{_identifier(name)}::text")
    found = _array(name, kind) if kind.is_array else _scalar(name, kind)
    if wanted is None or wanted == found.column.type:
        return found
    if kind.name in ("numeric", "money") and not kind.is_array and wanted in (INT64, NUMERIC):
        return _of_numeric(name, _money_as_numeric(name, kind), wanted, 0 if wanted == INT64 else 9)
    other = found.column.type if kind.is_array else f"{found.column.type} or STRING"
    raise NotReadable(f"it is {kind}, and cannot be {wanted}: write {other}, or CAST it in a script")


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _column(name: str, type_: SqlType, sql: str) -> OriginColumn:
    """A column that comes as DuckDB's own type for it, or one that only is narrower."""
    x = quoted(name)
    bad, values = _BAD.get(type_.name, ("", ""))
    return OriginColumn(Column(name, type_), sql, f"CAST({x} AS {duckdb_type(type_)})", bad.format(x=x), values)


def _scalar(name: str, kind: Kind) -> OriginColumn:
    x = _identifier(name)
    if kind.name in _PLAIN:
        return _column(name, _PLAIN[kind.name], x)
    if kind.name in _AS_TEXT or kind.category in ("e", "r", "m"):
        return _column(name, STRING, f"{x}::text")
    if kind.name in _AS_INTEGERS:
        return _column(name, INT64, f"{x}::text::int8")
    if kind.name in ("numeric", "money"):
        return _numeric(name, kind)
    raise NotReadable(f"GoogleSQL has no type for {kind}: leave it out (exclude), or write a query that CASTs it")


def _money_as_numeric(name: str, kind: Kind) -> str:
    return f"{_identifier(name)}::numeric" if kind.name == "money" else _identifier(name)


def _numeric(name: str, kind: Kind) -> OriginColumn:
    """NUMERIC where the declared digits fit, else BIGNUMERIC. Without declared digits NUMERIC, if each value is one."""
    x = _money_as_numeric(name, kind)
    if kind.modifier < 0:
        return _of_numeric(name, x, NUMERIC, 9)
    precision, scale = _digits(kind.modifier)
    before, after = max(precision - scale, 0), max(scale, 0)
    if before <= 29 and after <= 9:
        return _of_numeric(name, x, NUMERIC, 9)
    if before + after <= _WIDEST:
        return _of_numeric(name, x, BIGNUMERIC, after)
    raise NotReadable(f"numeric({precision}, {scale}) has more than {_WIDEST} digits: give it the type STRING")


def _digits(modifier: int) -> tuple[int, int]:
    """https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/numeric.c (numeric_typmod_scale)"""
    packed = modifier - 4
    return packed >> 16 & 0xFFFF, ((packed & 0x7FF) ^ 1024) - 1024


def _of_numeric(name: str, x: str, type_: SqlType, scale: int) -> OriginColumn:
    """The value comes as text, and in place of one with more digits a mark, which is no number for DuckDB. Its digits
    are looked at first, since that takes the server less time."""
    held = "BIGINT" if type_ == INT64 else f"DECIMAL({_WIDEST},{scale})"
    sql = f"CASE WHEN scale({x}) > {scale} AND {x} <> round({x}, {scale}) THEN '!' ELSE {x}::text END"
    bad = f"{quoted(name)} IS NOT NULL AND TRY_CAST({quoted(name)} AS {held}) IS NULL"
    reason = f"NaN, infinite, too large, or have more than {scale} digits after the point"
    return OriginColumn(Column(name, type_), sql, f"CAST({quoted(name)} AS {held})", bad, reason)


def _array(name: str, kind: Kind) -> OriginColumn:
    """One dimension that begins at 1, without NULL in it: an array of GoogleSQL has no other. Any other one comes as an
    array of NULL. A NULL becomes an empty array, as BigQuery stores it."""
    x, element = _identifier(name), _PLAIN.get(kind.name)
    as_text = element is None and (kind.name in _AS_TEXT or kind.category == "e" or kind.name == "numeric")
    if element is None and not as_text:
        raise NotReadable(f"GoogleSQL has no type for {kind}: leave it out (exclude), or write a query that CASTs it")
    type_ = array_of(element or STRING)
    own = f"{x}::text[]" if as_text else x
    of = f"{own if as_text else kind.name + '[]'}"
    nothing = f"ARRAY[NULL]::{'text[]' if as_text else of}"
    sql = f"CASE WHEN array_ndims({x}) > 1 OR array_lower({x}, 1) <> 1 THEN {nothing} ELSE {own} END"
    held = quoted(name)
    inner, values = _BAD.get((element or STRING).name, ("", ""))
    bad = f"list_count({held}) <> len({held})"
    if inner:
        bad += f" OR list_bool_or(list_transform({held}, lambda e: {inner.format(x='e')}))"
    value = f"coalesce(CAST({held} AS {duckdb_type(type_)}), [])"
    return OriginColumn(Column(name, type_), sql, value, bad, f"{_NO_ARRAY}{f'; or {values}' if inner else ''}")
