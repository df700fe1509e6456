"""Read how DuckDB describes the type of a column."""

import re
from functools import lru_cache

from warehouse_refresh.warehouse.duckdb.types import DUCKDB_OF
from warehouse_refresh.warehouse.types import Column, SqlType, array_of, parse_type, struct_of

_GOOGLESQL_OF = {
    **{duckdb: googlesql for googlesql, duckdb in DUCKDB_OF.items()},
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",  # as DuckDB describes it
}


@lru_cache(1000)
def googlesql_type(description: str) -> SqlType:
    """The GoogleSQL type of a column that DuckDB describes so; the description itself, where GoogleSQL has none."""
    return read(description) or parsed(description)


def read(description: str) -> SqlType | None:
    """The type, if it is one of those that `duckdb_type` writes. The parser takes a tenth of a second to import."""
    if description in _GOOGLESQL_OF:
        return SqlType(_GOOGLESQL_OF[description])
    if decimal := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", description):
        return _without_default_scale(SqlType("NUMERIC", (int(decimal[1]), int(decimal[2]))))
    if description.endswith("[]"):
        element = read(description[:-2])
        return array_of(element) if element is not None else None
    if not description.startswith("STRUCT(") or not description.endswith(")"):
        return None
    fields = [_field(text) for text in _split(description.removeprefix("STRUCT(").removesuffix(")"))]
    known = [field for field in fields if field is not None]
    return struct_of(*known) if len(known) == len(fields) else None


def _field(text: str) -> Column | None:
    """A field of a STRUCT: its name, in quotes if it needs them, and its type."""
    found = re.fullmatch(r'(?:"((?:[^"]|"")*)"|(\w+)) (.*)', text, re.DOTALL)
    type_ = read(found[3]) if found else None
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
