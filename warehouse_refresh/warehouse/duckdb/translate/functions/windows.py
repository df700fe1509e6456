"""Window functions.

https://cloud.google.com/bigquery/docs/reference/standard-sql/window-function-calls
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.coercion import coerce
from warehouse_refresh.warehouse.duckdb.translate.expressions.arithmetic import UNSCALED
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, common, no_signature, only
from warehouse_refresh.warehouse.duckdb.translate.expressions.comparisons import UNORDERED
from warehouse_refresh.warehouse.duckdb.translate.functions.aggregates.aggregates import AGGREGATES, aggregate
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    AggregateCall,
    Column,
    Literal,
    Node,
    Over,
    Select,
    SortKey,
    Star,
    Struct,
    walk,
)
from warehouse_refresh.warehouse.duckdb.translate.queries.grouping import windows_in
from warehouse_refresh.warehouse.duckdb.translate.queries.ordering import ordering
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import bare, name_of, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.sql.coercion import is_groupable
from warehouse_refresh.warehouse.types import FLOAT64, INT64, NUMERIC, SqlType

RANKS = frozenset({"ROW_NUMBER", "RANK", "DENSE_RANK", "PERCENT_RANK", "CUME_DIST"})
_MAY_FAIL = frozenset({"NTILE", "NTH_VALUE", "PERCENTILE_CONT", "PERCENTILE_DISC"})
"""The navigation functions for which SAFE may matter."""
WITHOUT_FRAME = RANKS | {"LAG", "LEAD", "NTILE", "PERCENTILE_CONT", "PERCENTILE_DISC"}
# The aggregates that are known to give GoogleSQL's answer over a window too.
OVER_WINDOWS = frozenset(
    {"COUNT", "COUNTIF", "SUM", "AVG", "MIN", "MAX", "LOGICAL_AND", "LOGICAL_OR", "STRING_AGG", "ARRAY_AGG"}
    | {"ARRAY_CONCAT_AGG"}
    | {"BIT_AND", "BIT_OR", "BIT_XOR", "ANY_VALUE"}
    | {"STDDEV", "STDDEV_SAMP", "STDDEV_POP", "VARIANCE", "VAR_SAMP", "VAR_POP", "CORR", "COVAR_POP", "COVAR_SAMP"}
)


def window(node: exp.Expr, scope: Scope) -> Typed:
    """function(…) OVER (…)"""
    only(node, scope, "this", "partition_by", "order", "spec", "alias", "over")
    inner, nulls = node.this, ""
    if isinstance(inner, exp.IgnoreNulls | exp.RespectNulls):
        nulls, inner = ("IGNORE" if isinstance(inner, exp.IgnoreNulls) else "RESPECT"), inner.this
    call, is_safe = inner, isinstance(inner, exp.SafeFunc)
    inner = inner.this if is_safe else inner
    name = name_of(inner)
    node = merged(node, scope)
    _check_parts(node, inner, scope)
    if node.args.get("spec") and name in WITHOUT_FRAME:
        wrong(scope.script.text, node, f"{name} takes no frame in OVER", "take ROWS or RANGE out")
    over = _over(node, scope)
    if name in RANKS:
        return rank(node, scope, inner, over)
    if is_safe and name in _MAY_FAIL:
        unsupported(scope.script.text, node, f"SAFE.{name} … OVER")
    if name in NAVIGATION:
        return NAVIGATION[name](node, scope, inner, nulls, over)
    if nulls:
        unsupported(scope.script.text, node, f"{nulls} NULLS in {name}")
    if name in AGGREGATES and name in OVER_WINDOWS:
        return aggregate(call, scope, over=over)
    return unsupported(scope.script.text, node, f"{name or inner.sql('bigquery')} … OVER")


def _over(node: exp.Expr, scope: Scope) -> Over:
    order = order_by(node, scope)
    frame, parts = frame_sql(node, scope, order), partition(node, scope)
    if frame.startswith("RANGE") and any(sign.isdigit() for sign in frame):
        order = _without_overflow(node, scope, order)
        nan, order = order[:-1], order[-1:]  # NaN is near no number: it is a part of its own
        if nan and "UNBOUNDED" in frame:
            hint = "write a large number in place of UNBOUNDED"
            unsupported(scope.script.text, node, "RANGE with a number and UNBOUNDED over FLOAT64", hint)
        parts = (*parts, *[key.key for key in nan])
    return Over(parts, order, frame)


def _check_parts(node: exp.Expr, inner: exp.Expr, scope: Scope) -> None:
    """Raises SqlError for a window function within another one, and for DISTINCT with ORDER BY."""
    if node.args.get("order") and any(isinstance(part, exp.Distinct) for part in inner.expressions):
        wrong(scope.script.text, node, f"{name_of(inner)}(DISTINCT …) OVER takes neither ORDER BY nor a frame")
    if any(isinstance(part, exp.HavingMax) for part in inner.expressions):
        wrong(scope.script.text, node, f"{name_of(inner)} … OVER takes no HAVING", "compute it in a subquery")
    for part in [*inner.expressions, *(node.args.get("partition_by") or ()), node.args.get("order")]:
        if part is not None and (found := next(windows_in(part), None)):
            reason = "a window function cannot hold another one"
            wrong(scope.script.text, found, reason, "compute one in a subquery first")


def rank(node: exp.Expr, scope: Scope, inner: exp.Expr, over: Over) -> Typed:
    """ROW_NUMBER(), RANK() and the like"""
    name = name_of(inner)
    if name != "ROW_NUMBER" and not node.args.get("order"):
        wrong(scope.script.text, node, f"{name} needs ORDER BY in OVER")
    if inner.expressions:
        wrong(scope.script.text, node, f"{name} takes no arguments")
    kind = FLOAT64 if name in ("PERCENT_RANK", "CUME_DIST") else INT64
    return Typed(AggregateCall(name.lower(), over=over), kind)


def merged(node: exp.Expr, scope: Scope) -> exp.Expr:
    """The window with what its name stands for (OVER w, OVER (w …)) written out."""
    alias = node.args.get("alias")
    if alias is None:
        return node
    if node.args.get("partition_by"):
        reason = "OVER with a named window takes no PARTITION BY"
        wrong(scope.script.text, node, reason, "write it in the named window")
    named = scope.windows.get(alias.name.casefold())
    if named is None:
        wrong(scope.script.text, node, f"there is no window {alias.name}")
    base = merged(named, scope) if named.args.get("alias") else named
    found = node.copy()
    found.set("alias", None)
    _check_added(node, alias.name, base, scope)
    for part in ("partition_by", "order", "spec"):
        if base.args.get(part):
            found.set(part, base.args[part])
    return found


def _check_added(node: exp.Expr, name: str, base: exp.Expr, scope: Scope) -> None:
    """Raises SqlError for what OVER (name …) cannot add to the window `base` of that name."""
    if base.args.get("spec") and (node.args.get("order") or node.args.get("spec")):
        reason = f"window {name} has a frame, so OVER can add nothing to it"
        wrong(scope.script.text, node, reason, f"write OVER {name}, or name a window without ROWS and RANGE")
    if base.args.get("order") and node.args.get("order"):
        wrong(scope.script.text, node, f"window {name} already has ORDER BY")


def partition(node: exp.Expr, scope: Scope) -> tuple[Node, ...]:
    """PARTITION BY"""
    found = []
    for part in node.args.get("partition_by") or ():
        value = scope.compile(part)
        if _holds_float64(value.type):
            wrong(scope.script.text, part, f"PARTITION BY does not take {value.type}", "convert it with CAST")
        if not is_groupable(value.type):
            unsupported(scope.script.text, part, f"PARTITION BY {value.type}")
        found.append(value.node)
    return tuple(found)


def _holds_float64(kind: SqlType) -> bool:
    if kind.element is not None:
        return _holds_float64(kind.element)
    return kind == FLOAT64 or any(_holds_float64(field.type) for field in kind.fields)


def order_by(node: exp.Expr, scope: Scope) -> tuple[SortKey, ...]:
    """ORDER BY"""
    return tuple(ordering(node.args.get("order"), scope, None))


def frame_sql(node: exp.Expr, scope: Scope, order: Sequence[SortKey]) -> str:
    """ROWS or RANGE BETWEEN … AND …, in a window with this ORDER BY."""
    spec = node.args.get("spec")
    if spec is None:
        return ""
    only(spec, scope, "kind", "start", "start_side", "end", "end_side")
    kind = str(spec.args["kind"]).upper()
    if kind == "GROUPS":
        wrong(scope.script.text, spec, "a frame is of ROWS or RANGE")
    if not node.args.get("order") and kind == "RANGE":
        wrong(scope.script.text, node, "a RANGE frame needs ORDER BY")
    if spec.args.get("start") is None:
        wrong(scope.script.text, node, "syntax error: a frame needs its bounds", "write ROWS 1 PRECEDING")
    sides = _side(spec, "start"), _side(spec, "end") if spec.args.get("end") else "CURRENT ROW"
    if not set(sides) <= set(_SIDES):
        wrong(scope.script.text, spec, "syntax error: each bound of a frame needs a direction", "write 1 PRECEDING")
    if sides[0] == "UNBOUNDED FOLLOWING" or sides[1] == "UNBOUNDED PRECEDING" or _place(sides[0]) > _place(sides[1]):
        wrong(scope.script.text, spec, f"a frame cannot go from {sides[0]} to {sides[1]}", "write its start first")
    key = INT64
    if kind == "RANGE" and any(isinstance(spec.args.get(side), exp.Expr) for side in ("start", "end")):
        key = _range_key(node, scope, order)
    start, end = (_bound(spec, scope, side, key, text) for side, text in zip(("start", "end"), sides, strict=True))
    return f"{kind} BETWEEN {start} AND {end}"


def _without_overflow(node: exp.Expr, scope: Scope, order: tuple[SortKey, ...]) -> tuple[SortKey, ...]:
    """DuckDB adds a frame's bounds to the key, which may leave the range of its type: a NUMERIC is counted in units of
    its ninth digit, as `_bound` counts."""
    kind = _range_key(node, scope, order)
    if kind.name not in _WIDER:
        return order
    return tuple([SortKey(sql(_WIDER[kind.name], x=key.key), key.direction, key.value) for key in order])


_WIDER = {"INT64": "CAST({x} AS HUGEINT)", "NUMERIC": UNSCALED}


_SIDES = ("UNBOUNDED PRECEDING", "PRECEDING", "CURRENT ROW", "FOLLOWING", "UNBOUNDED FOLLOWING")


def _side(spec: exp.Expr, side: str) -> str:
    """What a bound is, without its number: one of _SIDES."""
    bound, direction = spec.args.get(side), str(spec.args.get(f"{side}_side") or "").upper()
    return direction if isinstance(bound, exp.Expr) else f"{str(bound).upper()} {direction}".strip()


def _place(side: str) -> int:
    return _SIDES.index(side)


def _range_key(node: exp.Expr, scope: Scope, order: Sequence[SortKey]) -> SqlType:
    """The type of the only ORDER BY key, which a RANGE with a number adds to."""
    keys = node.args["order"].expressions
    if len(keys) > 1:
        wrong(scope.script.text, node, "a RANGE frame with a number needs one ORDER BY key")
    kind = scope.compile(keys[0].this).type
    if kind.name not in ("INT64", "NUMERIC", "BIGNUMERIC", "FLOAT64"):
        hint = "sort by a number such as UNIX_DATE(day) or UNIX_SECONDS(ts)"
        wrong(scope.script.text, keys[0], f"a RANGE frame with a number does not sort by {kind}", hint)
    if not order or kind.name == "BIGNUMERIC":
        unsupported(scope.script.text, node, f"RANGE with a number over {'a constant' if not order else kind}")
    return kind


def _bound(spec: exp.Expr, scope: Scope, side: str, key: SqlType, text: str) -> str:
    """One bound of a frame, its number as the type `key`."""
    bound = spec.args.get(side)
    if not isinstance(bound, exp.Expr):
        return text
    value = scope.compile(bound)
    if value.is_null:
        wrong(scope.script.text, bound, "a frame's bound cannot be NULL")
    if not isinstance(value.literal, int | float | Decimal) or isinstance(value.literal, bool):
        unsupported(scope.script.text, bound, "a frame's bound that is not a number", "write the number")
    if coerce(value, key) is None:
        wrong(scope.script.text, bound, f"a frame's bound is {value.type} and should be {key}")
    if value.literal < 0:
        wrong(scope.script.text, bound, "a frame's bound cannot be negative")
    number = int(Decimal(str(value.literal)) * 10**9) if key == NUMERIC else value.literal
    return f"{number} {text}"


def lead_lag(node: exp.Expr, scope: Scope, inner: exp.Expr, nulls: str, over: Over) -> Typed:
    """LAG(x [, n [, default]]), LEAD(…)"""
    name = name_of(inner)
    if nulls:
        wrong(scope.script.text, node, f"{name} does not take {nulls} NULLS")
    if not node.args.get("order"):
        wrong(scope.script.text, node, f"{name} needs ORDER BY in OVER")
    values = [scope.compile(part) for part in inner.expressions]
    if not 1 <= len(values) <= 3:
        wrong(scope.script.text, node, f"{name} takes one to three arguments")
    kind, value = values[0].type, values[0]
    if len(values) == 3:
        kind, (value, default) = common(node, scope, name, [values[0], values[2]])
        if not _is_constant(values[2].node):
            wrong(scope.script.text, inner.expressions[2], f"the third argument of {name} must be constant")
    offset = values[1].literal if len(values) > 1 else 1
    if isinstance(offset, int) and offset < 0:
        wrong(scope.script.text, inner.expressions[1], f"{name} takes no negative number of rows")
    if not isinstance(offset, int):
        unsupported(scope.script.text, node, f"{name} by a number of rows that is not a literal")
    last = (default.node,) if len(values) == 3 else ()
    return Typed(AggregateCall(name.lower(), (value.node, Literal(offset), *last), over=over), kind)


_RANDOM = (sql("random()"), sql("CAST(uuid() AS VARCHAR)"))


def _is_constant(node: Node) -> bool:
    """Whether the value is the same in each row."""
    return not any(isinstance(part, Column | Select) or part in _RANDOM for part in walk(node))


def nth(node: exp.Expr, scope: Scope, inner: exp.Expr, nulls: str, over: Over) -> Typed:
    """FIRST_VALUE(x), LAST_VALUE(x), NTH_VALUE(x, n), with IGNORE NULLS"""
    name = name_of(inner)
    parts, nulls = _without_nulls(inner, nulls)
    if not node.args.get("order"):
        wrong(scope.script.text, node, f"{name} needs ORDER BY in OVER")
    values = [scope.compile(part) for part in parts]
    if len(values) != (2 if name == "NTH_VALUE" else 1):
        wrong(scope.script.text, node, f"wrong number of arguments for {name}")
    if name != "NTH_VALUE":
        _check_not_null(parts[0], name, scope)
    position: tuple[Node, ...] = ()
    if name == "NTH_VALUE":
        if not isinstance(values[1].literal, int) or values[1].literal < 1:
            unsupported(scope.script.text, node, "NTH_VALUE by a number that is not a literal above 0")
        position = (Literal(values[1].literal),)
    found = AggregateCall(name.lower(), (values[0].node, *position), ignore_nulls=nulls == "IGNORE", over=over)
    return Typed(found, values[0].type)


def _without_nulls(call: exp.Expr, nulls: str) -> tuple[list[exp.Expr], str]:
    """The call's arguments, and IGNORE or RESPECT, which may stand within it or behind."""
    parts = list(call.expressions)
    if parts and isinstance(parts[-1], exp.IgnoreNulls | exp.RespectNulls):
        nulls = "IGNORE" if isinstance(parts[-1], exp.IgnoreNulls) else "RESPECT"
        parts[-1] = parts[-1].this
    return parts, nulls


def _check_not_null(node: exp.Expr, name: str, scope: Scope) -> None:
    """Raises SqlError for NULL and CAST(NULL AS …), and UnsupportedSql for SAFE_CAST of a literal: GoogleSQL rejects it
    if the cast fails."""
    inner, is_safe = bare(node), False
    while isinstance(inner, exp.Cast | exp.TryCast):
        is_safe = is_safe or isinstance(inner, exp.TryCast)
        inner = bare(inner.this)
    if isinstance(inner, exp.Null):
        wrong(scope.script.text, node, f"the argument of {name} cannot be NULL")
    if is_safe and scope.compile(inner).literal is not None:
        unsupported(scope.script.text, node, f"SAFE_CAST of a literal in {name}", "write its value")


def ntile(node: exp.Expr, scope: Scope, inner: exp.Expr, nulls: str, over: Over) -> Typed:  # noqa: ARG001
    """NTILE(n)"""
    values = [scope.compile(part) for part in inner.expressions]
    if len(values) != 1 or not isinstance(values[0].literal, int) or values[0].literal < 1:
        wrong(scope.script.text, node, "NTILE takes one number above 0")
    if not node.args.get("order"):
        wrong(scope.script.text, node, "NTILE needs ORDER BY in OVER")
    return Typed(AggregateCall("ntile", (Literal(values[0].literal),), over=over), INT64)


def percentile(node: exp.Expr, scope: Scope, inner: exp.Expr, nulls: str, over: Over) -> Typed:
    """PERCENTILE_CONT(x, p), PERCENTILE_DISC(x, p)"""
    name = name_of(inner)
    parts, nulls = _without_nulls(inner, nulls)
    if node.args.get("order"):
        wrong(scope.script.text, node, f"{name} takes no ORDER BY in OVER", "it sorts by its first argument")
    values = [scope.compile(part) for part in parts]
    number = _fraction(values[1]) if len(values) == 2 else None
    if number is None or not 0 <= number <= 1:
        wrong(scope.script.text, node, f"{name} takes a value and a literal from 0 to 1")
    kinds = values[0].type, values[1].type
    if name == "PERCENTILE_CONT" and kinds == (NUMERIC, NUMERIC):
        hint = "write the second argument as a FLOAT64: 0.5"
        unsupported(scope.script.text, node, "PERCENTILE_CONT of two NUMERIC", hint)
    if kinds[0].name in UNORDERED:
        return no_signature(node, scope, name, values)
    if name == "PERCENTILE_DISC":
        return _discrete(values[0], number, over, respect=nulls == "RESPECT")
    fraction, value = Literal(float(number)), as_type(node, scope, name, values[0], FLOAT64)
    if nulls == "RESPECT":
        return _continuous_of_nulls(value, fraction, over)
    if kinds[0] == FLOAT64:
        return _float_percentile(value.node, fraction, over)
    return Typed(AggregateCall("quantile_cont", (value.node, fraction), over=over), FLOAT64)


def _fraction(value: Typed) -> Decimal | None:
    """The number that a literal is; None for another expression."""
    if isinstance(value.literal, int | float):
        return Decimal(value.literal)
    if value.type != NUMERIC or not isinstance(value.node, Literal) or value.node.value is None:
        return None
    return Decimal(str(value.node.value))


def _discrete(value: Typed, number: Decimal, over: Over, *, respect: bool) -> Typed:
    """PERCENTILE_DISC(x, p): of n values the one in place p * n, rounded up. The double 0.2 is a little more than that,
    so of 5 values it is the second one: DuckDB multiplies decimals exactly."""
    fraction = sql(f"'{number:.25f}'::DECIMAL(26,25)")
    if value.type != FLOAT64 and not respect:
        return Typed(AggregateCall("quantile_disc", (value.node, fraction), over=over), value.type)
    ranked = sql(_RANKED_FLOAT if value.type == FLOAT64 else _RANKED, v=value.node)
    row: Node = Struct((("k", ranked), ("v", value.node)))
    if not respect:
        row = sql("CASE WHEN {v} IS NOT NULL THEN {r} END", v=value.node, r=row)
    found = AggregateCall("quantile_disc", (row, fraction), over=over)
    return Typed(sql("struct_extract({x}, 'v')", x=found), value.type)


# NULL comes first, then NaN.
_RANKED = "CASE WHEN {v} IS NULL THEN 0 ELSE 2 END"
_RANKED_FLOAT = "CASE WHEN {v} IS NULL THEN 0 WHEN isnan({v}) THEN 1 ELSE 2 END"

# NaN is the smallest number, in DuckDB the largest: it is taken for -Infinity, which must not be there as well.
_PERCENTILE = (
    "(CASE WHEN {x} IS NULL THEN NULL WHEN NOT {nan} OR {x} > '-inf'::DOUBLE AND NOT isnan({x}) THEN {x}"
    " WHEN {low} THEN error('the embedded engine cannot sort NaN and -Infinity: this needs BigQuery')"
    " ELSE 'nan'::DOUBLE END)"
)


def _float_percentile(value: Node, fraction: Node, over: Over, *, lowest: str = "isnan({v})") -> Typed:
    """The percentile of FLOAT64s, those for which `lowest` holds as the smallest."""
    number = sql(f"CASE WHEN {lowest} THEN '-inf'::DOUBLE ELSE {{v}} END", v=value)
    found = AggregateCall("quantile_cont", (number, fraction), over=over)
    has_nan = AggregateCall("bool_or", (sql("isnan({v})", v=value),), over=over)
    has_low = AggregateCall("bool_or", (sql("{v} = '-inf'::DOUBLE", v=value),), over=over)
    return Typed(sql(_PERCENTILE, x=found, nan=has_nan, low=has_low), FLOAT64)


# NULL comes first. Between NULL and a number a percentile is the number.
_CONTINUOUS = (
    "(CASE WHEN {p} * ({n} - 1) <= {n} - {c} - 1 THEN NULL WHEN {p} * ({n} - 1) < {n} - {c} THEN"
    " CASE WHEN {nan} THEN 'nan'::DOUBLE ELSE {l} END ELSE {x} END)"
)


def _continuous_of_nulls(value: Typed, fraction: Node, over: Over) -> Typed:
    """PERCENTILE_CONT(x, p RESPECT NULLS)"""
    rows, known = (AggregateCall("count", (counted,), over=over) for counted in (Star(), value.node))
    least = AggregateCall("min", (value.node,), over=over)
    has_nan = AggregateCall("bool_or", (sql("isnan({v})", v=value.node),), over=over)
    found = _float_percentile(value.node, fraction, over, lowest="{v} IS NULL OR isnan({v})")
    return Typed(sql(_CONTINUOUS, p=fraction, n=rows, c=known, l=least, nan=has_nan, x=found.node), FLOAT64)


NAVIGATION: Mapping[str, Callable[[exp.Expr, Scope, exp.Expr, str, Over], Typed]] = {
    "LAG": lead_lag,
    "LEAD": lead_lag,
    "FIRST_VALUE": nth,
    "LAST_VALUE": nth,
    "NTH_VALUE": nth,
    "NTILE": ntile,
    "PERCENTILE_CONT": percentile,
    "PERCENTILE_DISC": percentile,
}
"""The functions that read other rows of the window: the call with OVER, the names that it sees, the call itself,
IGNORE, RESPECT or "" for its NULLs, and the window."""
