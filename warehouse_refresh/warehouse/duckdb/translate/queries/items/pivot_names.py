"""The names of PIVOT's columns for values that have no alias.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#pivot_operator
"""

from collections.abc import Iterator
from decimal import Context, Decimal

from warehouse_refresh.warehouse.duckdb.translate.nodes import Literal, Node, Struct
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.types import SqlType

NAMED = ("STRING", "INT64", "NUMERIC", "BIGNUMERIC", "BOOL", "DATE")
_EMPTY = "_empty_string_value"


def names_of(value: Typed) -> tuple[str, str] | None:
    """The name that a value gives its columns after an aggregate's alias, and the one that it gives alone. None if it
    is no literal."""
    if not all(isinstance(node, Literal) for node, _ in leaves(value.node, value.type)):
        return None
    parts = [_text(node.value, kind) for node, kind in leaves(value.node, value.type) if isinstance(node, Literal)]
    name, first = "_".join(parts), next(leaves(value.node, value.type))[1]
    if parts[0] == _EMPTY:
        return name, name[1:]
    return name, f"_{name}" if name[0].isdigit() and first.name != "STRING" else name


def leaves(node: Node, type_: SqlType) -> Iterator[tuple[Node, SqlType]]:
    """The value, or those in a struct that is written out, with their types."""
    if isinstance(node, Struct):
        for (_, value), field in zip(node.fields, type_.fields, strict=True):
            yield from leaves(value, field.type)
    else:
        yield node, type_


def _text(value: object, kind: SqlType) -> str:
    if value is None:
        return "NULL"
    if kind.name == "BOOL":
        return str(value).lower()
    if kind.name == "DATE":
        return str(value).lstrip("0").replace("-", "_")
    if kind.name == "STRING":
        return str(value) or _EMPTY
    places = 38 if kind.name == "BIGNUMERIC" else 0  # DuckDB holds it in units of its last digit
    return _number(Decimal(str(value)).scaleb(-places, Context(prec=99)))


def _number(value: Decimal) -> str:
    """-1.50 is minus_1_point_5."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "minus_").replace(".", "_point_")
