"""The types of MySQL and MariaDB as GoogleSQL's: each value exactly, or refused. docs/load.md has this as a table.

https://dev.mysql.com/doc/refman/8.4/en/data-types.html, https://mariadb.com/kb/en/data-types/
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
)

_INTEGERS = frozenset(("tinyint", "smallint", "mediumint", "int", "bigint", "year", "bit"))
_BYTES = frozenset(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"))
_TEXTS = frozenset(
    (
        *("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set", "json"),
        *("uuid", "inet4", "inet6"),
    )
)
_MOMENTS: Mapping[str, SqlType] = {"date": DATE, "datetime": DATETIME, "timestamp": TIMESTAMP}
_DAYS = "BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"
_WIDEST = 38  # digits of a DECIMAL of DuckDB


@dataclass(frozen=True, slots=True)
class Kind:
    """A column's type as the database's catalogue has it: the name, whether it is unsigned, how many bits or digits it
    has, and how many of these after the point."""

    name: str
    is_unsigned: bool = False
    precision: int = 0
    scale: int = 0

    def __str__(self) -> str:
        return f"{self.name} unsigned" if self.is_unsigned else self.name


def reading_of(name: str, kind: Kind, wanted: SqlType | None) -> OriginColumn:
    """How a column of this kind is read; `wanted` is the type that the settings say, if they do. Raises NotReadable."""
    if wanted == STRING and kind.name not in _BYTES:
        return _text(name, kind)
    type_ = _type_of(kind)
    if wanted is None or wanted == type_:
        return _column(name, kind, type_)
    is_whole = kind.name in _INTEGERS or kind.name == "decimal"
    if (is_whole and wanted in (INT64, NUMERIC)) or (kind.name in _INTEGERS and wanted == BOOL):
        return _column(name, kind, wanted)
    raise NotReadable(f"it is {kind}, and cannot be {wanted}: write {type_} or STRING, or CAST it in a script")


def _type_of(kind: Kind) -> SqlType:
    if kind.name in _INTEGERS:
        is_wide = (kind.name == "bigint" and kind.is_unsigned) or (kind.name == "bit" and kind.precision > 63)
        return NUMERIC if is_wide else INT64
    if kind.name == "decimal":
        return _decimal(kind)
    if kind.name in ("float", "double"):
        return FLOAT64
    if kind.name in _BYTES:
        return BYTES
    if kind.name in _TEXTS:
        return STRING
    if kind.name in _MOMENTS:
        return _MOMENTS[kind.name]
    if kind.name == "time":
        return TIME
    raise NotReadable(f"GoogleSQL has no type for {kind}: leave it out (exclude), or write a query that CASTs it")


def _decimal(kind: Kind) -> SqlType:
    """NUMERIC where the digits fit, else BIGNUMERIC."""
    if kind.precision - kind.scale <= 29 and kind.scale <= 9:
        return NUMERIC
    if kind.precision <= _WIDEST:
        return BIGNUMERIC
    raise NotReadable(
        f"decimal({kind.precision}, {kind.scale}) has more than {_WIDEST} digits: give it the type STRING"
    )


def _identifier(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _text(name: str, kind: Kind) -> OriginColumn:
    x = _identifier(name)
    written = f"BIN({x} + 0)" if kind.name == "bit" else x
    return OriginColumn(Column(name, STRING), f"CONVERT({written} USING utf8mb4) COLLATE utf8mb4_bin", quoted(name))


def _column(name: str, kind: Kind, type_: SqlType) -> OriginColumn:
    """The value comes as text. A FLOAT would come with six digits, and BIT and BYTES come as what is no text."""
    if type_ == STRING:
        return _text(name, kind)
    x, held = _identifier(name), quoted(name)
    if type_ == BYTES:
        return OriginColumn(Column(name, type_), f"HEX({x})", f"unhex({held})")
    sql = f"CAST({x} AS DOUBLE)" if type_ == FLOAT64 else f"{x} + 0" if kind.name == "bit" else x
    value, bad, reason = _value(held, kind, type_)
    return OriginColumn(Column(name, type_), sql, value, bad and f"{held} IS NOT NULL AND ({bad})", reason)


def _value(held: str, kind: Kind, type_: SqlType) -> tuple[str, str, str]:
    """The value, what is true of a text that is none, and which these are."""
    target = duckdb_type(type_)
    value, fails = f"CAST({held} AS {target})", f"TRY_CAST({held} AS {target}) IS NULL"
    if type_ == BOOL:
        return f"{held} = '1'", f"{held} NOT IN ('0', '1')", "neither 0 nor 1"
    if type_ == INT64:
        fraction = f" OR regexp_matches({held}, '[.]0*[1-9]')" if kind.name == "decimal" else ""
        return value, fails + fraction, "too large, or no whole numbers"
    if type_ in (NUMERIC, BIGNUMERIC):
        digits = f"DECIMAL({_WIDEST},{9 if type_ == NUMERIC else kind.scale})"
        cut = f" OR regexp_matches({held}, '[.][0-9]{{9}}0*[1-9]')" if type_ == NUMERIC and kind.scale > 9 else ""
        return f"CAST({held} AS {digits})", f"TRY_CAST({held} AS {digits}) IS NULL{cut}", "too large, or too long"
    if type_ == TIME:
        return value, f"NOT regexp_matches({held}, '^([01][0-9]|2[0-3]):')", "negative, or 24 hours and more"
    if type_ == FLOAT64:
        return value, "", ""
    zone = " || '+00'" if type_ == TIMESTAMP else ""
    moment = f"{held}{zone}"
    bad = f"TRY_CAST({moment} AS {target}) IS NULL OR TRY_CAST(left({held}, 10) AS DATE) NOT {_DAYS}"
    return f"CAST({moment} AS {target})", bad, "with a year, month or day of zero"
