"""The DuckDB types that hold GoogleSQL's, and the values of those that hold them otherwise."""

import re
from collections.abc import Sequence
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

from warehouse_refresh.warehouse.duckdb.translate.text import quoted, string_sql
from warehouse_refresh.warehouse.errors import OnlyBigQuery, UnsupportedSql
from warehouse_refresh.warehouse.sql.literals import BIGNUMERIC_SCALE
from warehouse_refresh.warehouse.types import SCALARS, Column, SqlType, array_of, parse_type, struct_of

DUCKDB_OF = {
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE",
    "NUMERIC": "DECIMAL(38,9)",
    "BIGNUMERIC": "BIGNUM",  # in units of 1e-38
    "BOOL": "BOOLEAN",
    "STRING": "VARCHAR",
    "BYTES": "BLOB",
    "DATE": "DATE",
    "TIME": "TIME",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMP": "TIMESTAMPTZ",
    "JSON": "JSON",
    "INTERVAL": "INTERVAL",
}
"""The type of DuckDB's that holds each of GoogleSQL's."""


_RANGES = {
    f"RANGE<{kind}>": f'STRUCT("start" {DUCKDB_OF[kind]}, "end" {DUCKDB_OF[kind]})'
    for kind in ("DATE", "DATETIME", "TIMESTAMP")
}
"""What holds a range within a query: no table has one."""
_GOOGLESQL_OF = {
    **{duckdb: googlesql for googlesql, duckdb in DUCKDB_OF.items()},
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",  # as DuckDB describes it
}


def duckdb_type(type_: SqlType) -> str:
    """The DuckDB type that holds a GoogleSQL type. Raises UnsupportedSql."""
    if type_.element is not None:
        return f"{duckdb_type(type_.element)}[]"
    if type_.name == "STRUCT":
        fields = zip(field_names(type_), type_.fields, strict=True)
        return f"STRUCT({', '.join(f'{quoted(name)} {duckdb_type(field.type)}' for name, field in fields)})"
    if type_.name in _RANGES:
        return _RANGES[type_.name]
    if type_.name not in SCALARS:
        raise UnsupportedSql(f"GoogleSQL has no type {type_}", hint="give the table's column another type")
    if type_.name not in DUCKDB_OF:
        if type_.name == "GEOGRAPHY":
            raise OnlyBigQuery("only BigQuery has GEOGRAPHY", hint="keep the longitude and latitude as FLOAT64")
        raise UnsupportedSql(f"the embedded engine does not know {type_.name} yet", hint="BigQuery runs it")
    if type_.name == "NUMERIC" and type_.parameters:
        precision, scale = (*type_.parameters, 0)[:2]
        return f"DECIMAL({precision},{scale})"
    return DUCKDB_OF[type_.name]


def stored_type(type_: SqlType) -> SqlType:
    """The type of a column that stores values of `type_`: what `googlesql_type` makes of its DuckDB type, without the
    parser. Raises UnsupportedSql."""
    if type_.element is not None:
        return array_of(stored_type(type_.element))
    if type_.name == "STRUCT":
        fields = zip(field_names(type_), type_.fields, strict=True)
        return struct_of(*(Column(name, stored_type(field.type)) for name, field in fields))
    duckdb_type(type_)
    parameters = (*type_.parameters, 0)[:2] if type_.name == "NUMERIC" and type_.parameters else ()
    return SqlType(type_.name, () if parameters == (38, 9) else parameters)


@lru_cache(1000)
def googlesql_type(description: str) -> SqlType:
    """The GoogleSQL type of a column that DuckDB describes so; the description itself, where GoogleSQL has none."""
    return simply_read(description) or parsed(description)


def simply_read(description: str) -> SqlType | None:
    """The type, if it is one of those that `duckdb_type` writes. The parser takes a tenth of a second to import."""
    if description in _GOOGLESQL_OF:
        return SqlType(_GOOGLESQL_OF[description])
    if decimal := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", description):
        return _without_default_scale(SqlType("NUMERIC", (int(decimal[1]), int(decimal[2]))))
    if description.endswith("[]"):
        element = simply_read(description[:-2])
        return array_of(element) if element is not None else None
    if not description.startswith("STRUCT(") or not description.endswith(")"):
        return None
    fields = [_field(text) for text in _split(description.removeprefix("STRUCT(").removesuffix(")"))]
    known = [field for field in fields if field is not None]
    return struct_of(*known) if len(known) == len(fields) else None


def _field(text: str) -> Column | None:
    """A field of a STRUCT: its name, in quotes if it needs them, and its type."""
    found = re.fullmatch(r'(?:"((?:[^"]|"")*)"|(\w+)) (.*)', text, re.DOTALL)
    type_ = simply_read(found[3]) if found else None
    return Column(found[2] or found[1].replace('""', '"'), type_) if found and type_ is not None else None


def _split(text: str) -> list[str]:
    """The parts between the commas that stand in no brackets and in no quotes."""
    parts, depth = [""], 0
    for piece in re.findall(r'"(?:[^"]|"")*"|, |[^",]|.', text, re.DOTALL):
        depth += (piece == "(") - (piece == ")")
        if piece == ", " and not depth:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def parsed(description: str) -> SqlType:
    """The type as sqlglot reads it; the description itself, where GoogleSQL has none."""
    from sqlglot import exp
    from sqlglot.errors import ParseError

    try:
        tree = exp.DataType.build(description, dialect="duckdb")
        for part in tree.find_all(exp.DataType):
            if part.this == exp.DataType.Type.BIGNUM:
                part.set("this", exp.DataType.Type.BIGDECIMAL)
        return _without_default_scale(parse_type(tree.sql("bigquery")))
    except (ParseError, ValueError):
        return SqlType(description)


def _without_default_scale(type_: SqlType) -> SqlType:
    if type_.element is not None:
        return array_of(_without_default_scale(type_.element))
    if type_.name == "STRUCT":
        return struct_of(*(Column(field.name, _without_default_scale(field.type)) for field in type_.fields))
    return SqlType(type_.name, () if type_.parameters in ((38, 9), ()) else type_.parameters)


def field_names(type_: SqlType) -> list[str]:
    """The names that a struct's fields have in DuckDB, where they must be there and differ without regard to case.
    BigQuery too stores a field without a name as _field_1."""
    given = {field.name.casefold() for field in type_.fields}
    taken: set[str] = set()
    names = []
    for index, field in enumerate(type_.fields, 1):
        name = field.name
        if not name or name.casefold() in taken:
            name = f"_field_{index}"
            while name.casefold() in given:
                name += "_"
        taken.add(name.casefold())
        names.append(name)
    return names


def identical(one: SqlType, other: SqlType) -> bool:
    """Whether DuckDB holds both types alike: the names of their fields are equal too. Raises UnsupportedSql."""
    return duckdb_type(one) == duckdb_type(other)


# Values as DuckDB's client takes and gives them

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
