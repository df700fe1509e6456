"""Values as DuckDB's client takes and gives them, where they are not those of the column's type in Python."""

from collections.abc import Sequence
from decimal import Context, Decimal
from typing import Any

from warehouse_refresh.warehouse.duckdb.translate.text import quoted, string_sql
from warehouse_refresh.warehouse.sql.literals import BIGNUMERIC_SCALE
from warehouse_refresh.warehouse.types import Column, SqlType

_WIDE = Context(prec=100)


def units_of(value: Decimal | int) -> str:
    """A BIGNUMERIC as DuckDB holds it: in units of its last digit."""
    return str(int(Decimal(value).scaleb(BIGNUMERIC_SCALE, _WIDE)))


def of_decimals(value: str, type_: SqlType) -> str:
    """DuckDB's SQL of a value of which each BIGNUMERIC is still a DECIMAL."""
    if not _holds_bignumeric(type_):
        return value
    if type_.element is not None:
        return f"list_transform({value}, lambda e: {of_decimals('e', type_.element)})"
    if type_.name == "STRUCT":
        fields = [
            f"{quoted(field.name)} := {of_decimals(f'struct_extract({value}, {string_sql(field.name)})', field.type)}"
            for field in type_.fields
        ]
        return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({', '.join(fields)}) END"
    whole, fraction = (f"split_part(CAST({value} AS VARCHAR), '.', {part})" for part in (1, 2))
    return f"CAST({whole} || rpad({fraction}, {BIGNUMERIC_SCALE}, '0') AS BIGNUM)"


def rows_of(columns: Sequence[Column], rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The client's rows, with each BIGNUMERIC as a Decimal."""
    if not any(_holds_bignumeric(column.type) for column in columns):
        return rows
    return [tuple([_read(column.type, value) for column, value in zip(columns, row, strict=True)]) for row in rows]


def _holds_bignumeric(type_: SqlType) -> bool:
    if type_.element is not None:
        return _holds_bignumeric(type_.element)
    return type_.name == "BIGNUMERIC" or any(_holds_bignumeric(field.type) for field in type_.fields)


def _read(type_: SqlType, value: Any) -> Any:
    if value is None or not _holds_bignumeric(type_):
        return value
    if type_.element is not None:
        return [_read(type_.element, item) for item in value]
    if type_.name == "STRUCT":
        return {name: _read(field.type, item) for (name, item), field in zip(value.items(), type_.fields, strict=True)}
    return _plain(Decimal(value).scaleb(-BIGNUMERIC_SCALE, _WIDE))


def _plain(number: Decimal) -> Decimal:
    """The number without zeros at its end."""
    short = number.normalize(_WIDE)
    return short.quantize(Decimal(1), context=_WIDE) if short == short.to_integral_value() else short
