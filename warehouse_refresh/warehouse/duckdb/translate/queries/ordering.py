"""ORDER BY, LIMIT and OFFSET.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#order_by_clause
"""

from collections.abc import Callable, Mapping, Sequence
from operator import add, mul, sub

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, only
from warehouse_refresh.warehouse.duckdb.translate.nodes import Literal, Node, SortKey, let
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import bare, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.types import INT64


def ordering(node: exp.Expr | None, scope: Scope, outputs: Sequence[Typed] | None) -> list[SortKey]:
    """ORDER BY's keys, with NULL and NaN where GoogleSQL has them. `outputs` are the columns that a number names: of an
    aggregate's ORDER BY there are none, and in OVER (None) a literal is a value like any other."""
    keys: list[SortKey] = []
    for part in node.expressions if node is not None else ():
        only(part, scope, "this", "desc", "nulls_first")
        value = _order_value(part.this, scope, outputs)
        if value.type.element is not None:
            unsupported(scope.script.text, part, f"ORDER BY of {value.type}")
        if value.type.name == "JSON":
            unsupported(scope.script.text, part, "ORDER BY of JSON")
        if value.type.name in ("STRUCT", "GEOGRAPHY"):
            wrong(scope.script.text, part, f"ORDER BY cannot sort {value.type}")
        if not isinstance(value.node, Literal):  # sorts nothing, and DuckDB would take a number for a position
            keys += order_keys(value, desc=bool(part.args.get("desc")), nulls_first=bool(part.args.get("nulls_first")))
    return keys


def order_keys(value: Typed, *, desc: bool, nulls_first: bool) -> list[SortKey]:
    """One sort key: NaN comes right after NULL, before all numbers, as the smallest."""
    direction = f"{'DESC' if desc else 'ASC'} NULLS {'FIRST' if nulls_first else 'LAST'}"
    nodes = [value.node]
    if value.type.name == "FLOAT64":
        nodes.insert(0, sql("(NOT isnan({x}))", x=value.node))
    return [SortKey(node, direction, value.node) for node in nodes]


def _order_value(node: exp.Expr, scope: Scope, outputs: Sequence[Typed] | None) -> Typed:
    if outputs is None:
        return scope.compile(node)
    node = bare(node)
    position = position_of(node)
    if position is not None:
        if not 1 <= position <= len(outputs):
            wrong(scope.script.text, node, f"ORDER BY {position}: there are {len(outputs)} columns")
        return outputs[position - 1]
    # In OVER and in aggregates, where there are no columns to name, GROUP BY's expressions are not found again.
    value = scope.compile_whole(node) if outputs else scope.compile(node)
    if is_literal(node, value):
        wrong(scope.script.text, node, "ORDER BY cannot sort by a literal")
    return value


def position_of(node: exp.Expr) -> int | None:
    """The number of an item of SELECT, in GROUP BY and ORDER BY; None for anything else."""
    if isinstance(node, exp.HexString):
        return int(str(node.this), 16)
    is_number = isinstance(node, exp.Literal) and not node.args.get("is_string") and str(node.this).isdigit()
    return int(str(node.this)) if is_number else None


def is_literal(node: exp.Expr, value: Typed) -> bool:
    """Whether neither GROUP BY nor ORDER BY takes it; a typed literal, such as DATE '2024-01-01', is none."""
    if isinstance(node, exp.Interval):  # of INTERVAL 1 DAY sqlglot makes INTERVAL '1' DAY, with no place for the text
        return isinstance(node.this, exp.Literal) and "start" in node.this.meta
    if isinstance(node, exp.Array | exp.Struct | exp.Tuple):
        return bool(value.parts) and _is_written_out(value)
    return isinstance(node, _LITERALS) and (value.literal is not None or isinstance(value.node, Literal))


def _is_written_out(value: Typed) -> bool:
    """Whether it is a literal to GoogleSQL. A STRUCT with a NULL, which has no type of its own, is none."""
    if not value.parts:
        return value.literal is not None
    holds_null = value.type.element is None and any(part.is_null for part in value.parts)
    return not holds_null and all(map(_is_written_out, value.parts))


_LITERALS = (exp.Literal, exp.Null, exp.Boolean, exp.ByteString, exp.RawString, exp.Neg, exp.Concat, exp.HexString)


def limits(node: exp.Expr, scope: Scope) -> tuple[Node | None, Node | None]:
    """LIMIT and OFFSET, None for what is not there."""
    found: dict[str, Node] = {}
    for name in ("limit", "offset"):
        clause = node.args.get(name)
        if clause is None:
            continue
        if clause.args.get("offset") or (name == "offset" and not node.args.get("limit")):
            wrong(scope.script.text, clause, "OFFSET stands after LIMIT", "write LIMIT 10 OFFSET 5")
        if not isinstance(clause, exp.Limit | exp.Offset):
            unsupported(scope.script.text, node, type(clause).__name__.upper(), "write LIMIT")
        found[name] = _rows(clause.expression, scope, name.upper())
    return found.get("limit"), found.get("offset")


_COUNTED = (
    "(CASE WHEN {n} IS NULL THEN error('Limit requires non-null count and offset')"
    " WHEN {n} < 0 THEN error('Limit requires non-negative count and offset') ELSE {n} END)"
)


def _rows(node: exp.Expr, scope: Scope, clause: str) -> Node:
    """The number of LIMIT or OFFSET: an expression without names of columns."""
    if node.find(exp.Query):
        wrong(scope.script.text, node, f"{clause} takes a constant, and no query")
    number = _constant(node, scope)
    if number is not None:
        return Literal(row_count(node, scope, clause))
    value = as_type(node, scope, clause, scope.apart().compile(node), INT64)
    if value.is_null:
        wrong(scope.script.text, node, f"{clause} cannot be NULL")
    return let(value.node, lambda count: sql(_COUNTED, n=count))


def row_count(node: exp.Expr, scope: Scope, clause: str) -> int:
    """The number of a LIMIT: a literal, or computed from literals."""
    found = _constant(node, scope)
    if found is None:
        unsupported(scope.script.text, node, f"{clause} that is not a number", "write a number")
    if found < 0:
        wrong(scope.script.text, node, f"{clause} cannot be negative")
    return found


def _constant(node: exp.Expr, scope: Scope) -> int | None:
    """The value of an expression of integer literals, +, - and *; None for any other."""
    node = bare(node)
    if isinstance(node, exp.Add | exp.Sub | exp.Mul):
        one, other = _constant(node.this, scope), _constant(node.expression, scope)
        return None if one is None or other is None else _COMPUTED[type(node)](one, other)
    value = scope.apart().compile(node).literal
    return value if isinstance(value, int) else None


_COMPUTED: Mapping[type[exp.Expr], Callable[[int, int], int]] = {exp.Add: add, exp.Sub: sub, exp.Mul: mul}
