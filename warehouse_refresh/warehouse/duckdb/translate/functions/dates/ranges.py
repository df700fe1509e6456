"""RANGE<DATE>, RANGE<DATETIME> and RANGE<TIMESTAMP> within a query: no table of DuckDB's holds one.

DuckDB has a struct of both ends, -infinity and infinity for what is unbounded, so that ranges compare as in GoogleSQL.

https://cloud.google.com/bigquery/docs/reference/standard-sql/range-functions
"""

from collections.abc import Callable

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.coercion import coerce
from warehouse_refresh.warehouse.duckdb.translate.functions.dates.date_arithmetic import interval_of, length_of, step_of
from warehouse_refresh.warehouse.duckdb.translate.functions.dates.date_parts import unit_of, units_of
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import (
    MOST_ELEMENTS,
    TOO_MANY,
    Functions,
    argument,
)
from warehouse_refresh.warehouse.duckdb.translate.literals import constant, integer
from warehouse_refresh.warehouse.duckdb.translate.nodes import Literal, Node, Struct
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql, unless_null
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse.sql.literals import READERS, Constant, Moment
from warehouse_refresh.warehouse.types import BOOL, DATE, DATETIME, TIMESTAMP, SqlType, array_of

ENDS = {f"RANGE<{kind}>": kind for kind in (DATE, DATETIME, TIMESTAMP)}
"""What the ends of each type of ranges are."""
_OPEN = {"start": "-infinity", "end": "infinity"}


def range_type(node: exp.DataType) -> SqlType | None:
    """The type, if it is one of ranges."""
    if node.this != exp.DataType.Type.RANGE or len(node.expressions) != 1:
        return None
    name = f"RANGE<{node.expressions[0].sql('bigquery').upper()}>"
    return SqlType(name) if name in ENDS else None


def to_range(node: exp.Expr, scope: Scope, value: Typed, kind: SqlType) -> Typed:
    """CAST(x AS RANGE<DATE>), RANGE<DATE> '[2024-01-01, UNBOUNDED)'. Raises SqlError, UnsupportedSql."""
    if value.is_null:
        return Typed(sql(f"CAST(NULL AS {duckdb_type(kind)})"), kind)
    if value.type == kind:
        return value
    if not isinstance(value.literal, str) or isinstance(node, exp.TryCast):
        unsupported(scope.script.text, node, f"CAST AS {kind} of what is no literal", "write RANGE(start, end)")
    return _literal(node, scope, value.literal, kind)


def _literal(node: exp.Expr, scope: Scope, text: str, kind: SqlType) -> Typed:
    ends = text[1:-1].split(", ") if text.startswith("[") and text.endswith(")") else []
    if len(ends) != 2 or any(end != end.strip() for end in ends):
        hint = "write '[start, end)', with a blank after the comma"
        wrong(scope.script.text, node, f"{text!r} is not a {kind}", hint)
    start, end = (_end(node, scope, end, kind) for end in ends)
    nodes = [constant(start) if start else _unbounded(kind, "start"), constant(end) if end else _unbounded(kind, "end")]
    made = Struct(tuple(zip(_OPEN, nodes, strict=True)))
    if start and end and _is_known_to_follow(start, end) is False:
        wrong(scope.script.text, node, f"{text!r} does not start before it ends")
    return Typed(sql(f"({_CHECKED})", x=made) if kind.name == "RANGE<TIMESTAMP>" else made, kind)


def _is_known_to_follow(start: Constant, end: Constant) -> bool | None:
    """Whether one end lies before the other; None for moments of different zones."""
    if isinstance(start, Moment) and isinstance(end, Moment):
        return start.clock < end.clock if start.zone == end.zone else None
    return bool(start < end)  # type: ignore[operator]


def _end(node: exp.Expr, scope: Scope, text: str, kind: SqlType) -> Constant | None:
    """One end of a range as it is written; None if it is unbounded."""
    if text.upper() in ("UNBOUNDED", "NULL"):
        return None
    found = READERS[ENDS[kind.name].name](text)
    if found is None:
        wrong(scope.script.text, node, f"{text!r} is not a {ENDS[kind.name]}")
    return found


def _unbounded(kind: SqlType, side: str) -> Node:
    return Literal(_OPEN[side], duckdb_type(ENDS[kind.name]))


_NOT_BEFORE = "error('Range start element must be smaller than range end element')"
_CHECKED = f"CASE WHEN ({{x}}).start < ({{x}}).end THEN {{x}} ELSE {_NOT_BEFORE} END"


def made_range(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """RANGE(start, end): NULL is unbounded"""
    values = [argument(part, scope) for part in parts]
    kinds = {value.type for value in values if not value.is_null}
    if len(values) != 2 or len(kinds) != 1 or f"RANGE<{min(kinds, key=str)}>" not in ENDS:
        wrong(scope.script.text, node, "RANGE takes two values of one type: DATE, DATETIME or TIMESTAMP")
    kind = SqlType(f"RANGE<{kinds.pop()}>")
    nodes = [
        _unbounded(kind, side) if value.is_null else sql("coalesce({x}, {o})", x=value.node, o=_unbounded(kind, side))
        for value, side in zip(values, _OPEN, strict=True)
    ]
    return Typed(sql(f"({_CHECKED})", x=Struct(tuple(zip(_OPEN, nodes, strict=True)))), kind)


def _ranges(node: exp.Expr, scope: Scope, parts: list[exp.Expr], count: int) -> list[Typed]:
    """The arguments of which the first ones must be ranges of one type. Raises SqlError."""
    values = [argument(part, scope) for part in parts]
    kinds = {value.type for value in values[:count]}
    if len(values) < count or len(kinds) != 1 or values[0].type.name not in ENDS or values[0].is_null:
        found = ", ".join("NULL" if value.is_null else str(value.type) for value in values)
        wrong(scope.script.text, node, f"{name_of(node)} does not take ({found})", "it takes ranges of one type")
    return values


def _of_one(template: str, gives: Callable[[SqlType], SqlType]) -> Callable[..., Typed]:
    """A function of one range."""

    def found(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
        values = _ranges(node, scope, parts, 1)
        if len(values) != 1:
            wrong(scope.script.text, node, f"{name_of(node)} takes one range")
        return Typed(sql(template, x=values[0].node), gives(values[0].type))

    return found


def _of_two(template: str, gives: Callable[[SqlType], SqlType]) -> Callable[..., Typed]:
    """A function of two ranges."""

    def found(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
        values = _ranges(node, scope, parts, 2)
        if len(values) != 2:
            wrong(scope.script.text, node, f"{name_of(node)} takes two ranges")
        nodes = [value.node for value in values]
        return Typed(unless_null(nodes, lambda n: sql(template, x=n[0], y=n[1])), gives(values[0].type))

    return found


_OVERLAP = "(({x}).start < ({y}).end AND ({y}).start < ({x}).end)"
_COMMON = "{{'start': greatest(({x}).start, ({y}).start), 'end': least(({x}).end, ({y}).end)}}"
_NO_OVERLAP = "error('The ranges do not overlap: ask RANGE_OVERLAPS before RANGE_INTERSECT')"
_HOLDS_RANGE = "(({x}).start <= ({y}).start AND ({y}).end <= ({x}).end)"
_HOLDS = "({y} >= ({x}).start AND {y} < ({x}).end)"


def contains(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """RANGE_CONTAINS(range, value), RANGE_CONTAINS(range, range)"""
    values = _ranges(node, scope, parts, 1)
    if len(values) != 2:
        wrong(scope.script.text, node, "RANGE_CONTAINS takes a range, and a value or another range")
    if values[1].type.name in ENDS:
        return _of_two(_HOLDS_RANGE, lambda _: BOOL)(node, scope, parts)
    value = coerce(values[1], ENDS[values[0].type.name])
    if value is None:
        wrong(scope.script.text, node, f"RANGE_CONTAINS does not take ({values[0].type}, {values[1].type})")
    return Typed(unless_null([values[0].node, value.node], lambda n: sql(_HOLDS, x=n[0], y=n[1])), BOOL)


# Each part is counted from the start of the range: a month after 31 January is 29 February, two are 31 March.
_PARTS = (
    "(CASE WHEN isinf(({x}).start) OR isinf(({x}).end) THEN error('input RANGE cannot have UNBOUNDED endpoints')"
    f" WHEN (epoch_us(({{x}}).end) - epoch_us(({{x}}).start)) // {{n}} >= {MOST_ELEMENTS} THEN {TOO_MANY} ELSE"
    " list_filter(list_transform(range((epoch_us(({x}).end) - epoch_us(({x}).start)) // {n} + 2), lambda i_:"
    " {{'start': CAST(({x}).start + i_ * {s} AS KIND), 'end': CAST(({x}).start + (i_ + 1) * {s} AS KIND)}}),"
    " lambda p_: WITHIN) END)"
)
_CUT = "list_transform({x}, lambda p_: {{'start': p_.start, 'end': least(p_.end, ({r}).end)}})"


def parts_of_range(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """GENERATE_RANGE_ARRAY(range, INTERVAL n unit [, include_last_partial_range])"""
    step = parts[1] if len(parts) in (2, 3) else None
    unit = step.args.get("unit") if isinstance(step, exp.Interval) else None
    if step is None or unit is None or isinstance(unit, exp.IntervalSpan):
        unsupported(scope.script.text, node, "GENERATE_RANGE_ARRAY by another step than INTERVAL n unit")
    found = _ranges(node, scope, [parts[0]], 1)[0]
    is_whole = len(parts) == 3 and not _is_true(parts[2])
    if is_whole and not (isinstance(parts[2], exp.Boolean)):
        unsupported(scope.script.text, node, "GENERATE_RANGE_ARRAY with a last part that is not TRUE or FALSE")
    end, part, number = ENDS[found.type.name], unit_of(unit, scope), step_of(node, scope, step.this)
    if number < 0 or part not in units_of(end.name) or part.startswith(("WEEK(", "ISO")):
        unsupported(scope.script.text, node, f"GENERATE_RANGE_ARRAY of {end} by {number} {part}")
    span = interval_of(node, scope, integer(number).node, part)
    within = "p_.end <= ({r}).end" if is_whole else "p_.start < ({r}).end"
    template = _PARTS.replace("KIND", duckdb_type(end)).replace("WITHIN", within.replace("{r}", "{x}"))
    length = Literal(length_of(number, part))

    def made(range_: Node) -> Node:
        cut = sql(template, x=range_, n=length, s=span)
        return cut if is_whole else sql(_CUT, x=cut, r=range_)

    return Typed(unless_null([found.node], lambda n: made(n[0])), array_of(found.type))


def _is_true(node: exp.Expr) -> bool:
    return isinstance(node, exp.Boolean) and bool(node.this)


def _ends_of(kind: SqlType) -> SqlType:
    return ENDS[kind.name]


def _bool(_: SqlType) -> SqlType:
    return BOOL


def _same(kind: SqlType) -> SqlType:
    return kind


_BOUNDED = "CASE WHEN {x} IS NULL OR isinf(({x}).%s) THEN NULL ELSE ({x}).%s END"

FUNCTIONS: Functions = {
    "RANGE": made_range,
    "RANGE_START": _of_one(f"({_BOUNDED % ('start', 'start')})", _ends_of),
    "RANGE_END": _of_one(f"({_BOUNDED % ('end', 'end')})", _ends_of),
    "RANGE_IS_START_UNBOUNDED": _of_one("isinf(({x}).start)", _bool),
    "RANGE_IS_END_UNBOUNDED": _of_one("isinf(({x}).end)", _bool),
    "RANGE_CONTAINS": contains,
    "RANGE_OVERLAPS": _of_two(_OVERLAP, _bool),
    "RANGE_INTERSECT": _of_two(f"(CASE WHEN {_OVERLAP} THEN {_COMMON} ELSE {_NO_OVERLAP} END)", _same),
    "GENERATE_RANGE_ARRAY": parts_of_range,
}
