"""What handlers ask of their operands."""

from collections.abc import Sequence

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.coercion import coerce, coerced
from warehouse_refresh.warehouse.duckdb.translate.nodes import Literal, Node
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql, unless_null
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse.sql.coercion import supertype
from warehouse_refresh.warehouse.sql.literals import literal_coerces
from warehouse_refresh.warehouse.types import BOOL, BYTES, SqlType


def only(node: exp.Expr, scope: Scope, *known: str) -> None:
    """Refuse a node that carries anything but these arguments."""
    for name, value in node.args.items():
        if value and name not in known:
            unsupported(scope.script.text, node, f"{name.strip('_').upper()} in {type(node).__name__.upper()}")


_MAY_TAKE = {
    "GREATEST": ("ARRAY", "JSON"),
    "LEAST": ("ARRAY", "JSON"),
    "TIME": ("DATE",),
    **dict.fromkeys(("BIT_AND", "BIT_OR", "BIT_XOR"), ("BYTES",)),
    **dict.fromkeys(("MAX", "MIN"), ("JSON",)),
    "GENERATE_ARRAY": ("BIGNUMERIC",),
}
"""Types that a function of GoogleSQL takes and that are missing here."""


def no_signature(node: exp.Expr, scope: Scope, what: str, values: Sequence[Typed]) -> Typed:
    """GoogleSQL's error for operands of the wrong types. Raises UnsupportedSql where GoogleSQL may take them."""
    if any(_may_take(what, value) for value in values):
        found = ", ".join(str(value.type) for value in values)
        unsupported(scope.script.text, node, f"{what} of {found}")
    if not values:
        wrong(scope.script.text, node, f"{what} needs arguments")
    kinds = ", ".join("NULL" if value.is_null else str(value.type) for value in values)
    wrong(scope.script.text, node, f"{what} does not take {kinds}", _way_out(node, scope))


def _may_take(what: str, value: Typed) -> bool:
    """Whether GoogleSQL's function may take the value. A text is BYTES, too, where a function takes only these."""
    kinds = _MAY_TAKE.get(what, ())
    return value.type.name in kinds or ("BYTES" in kinds and literal_coerces(value.literal, BYTES))


def _way_out(node: exp.Expr, scope: Scope) -> str:
    """What to write instead: a table's name comes before a column of the same name."""
    for name in (part.name for part in node.find_all(exp.Column) if not part.args.get("table")):
        if scope.is_row_with(name):
            return f"{name} is a row of its table: write {name}.{name} for the column, or give the table an alias"
    return "convert with CAST"


def common(node: exp.Expr, scope: Scope, what: str, values: Sequence[Typed]) -> tuple[SqlType, list[Typed]]:
    """The values as their common supertype. Raises SqlError where there is none."""
    kind = supertype(values)
    if kind is None:
        no_signature(node, scope, what, values)
        raise AssertionError
    return kind, [coerced(value, kind) for value in values]


def as_type(node: exp.Expr, scope: Scope, what: str, value: Typed, kind: SqlType) -> Typed:
    """The value as that type. Raises SqlError where GoogleSQL does not coerce it."""
    found = coerce(value, kind)
    return found if found is not None else no_signature(node, scope, what, [value])


class BadConstantError(Exception):
    """GoogleSQL does not take this constant, such as a format: an error once it is computed. See `fails`."""


def fails(kind: SqlType, reason: str, *given: Node) -> Typed:
    """A call with a constant that is wrong, whatever else it is given: an error, once it is computed, unless one of
    those is NULL."""
    failure = sql(f"CAST(CAST(error({{m}}) AS VARCHAR) AS {duckdb_type(kind)})", m=Literal(reason))
    return Typed(unless_null(list(given), lambda _: failure), kind)


def boolean(node: exp.Expr, scope: Scope, what: str) -> Node:
    """A condition, which must be BOOL. Raises SqlError."""
    return as_type(node, scope, what, scope.compile(node), BOOL).node
