"""Aggregate functions.

https://cloud.google.com/bigquery/docs/reference/standard-sql/aggregate_functions
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.coercion import coerce
from warehouse_refresh.warehouse.duckdb.translate.expressions.arithmetic import (
    MEAN_OF_LARGE,
    SUM_OF_LARGE,
    UNSCALED,
    within_bignumeric,
)
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, no_signature
from warehouse_refresh.warehouse.duckdb.translate.expressions.intervals import PARTS, put_together, quotient
from warehouse_refresh.warehouse.duckdb.translate.expressions.statistics import (
    COUNTED,
    EXACT_STATISTICS,
    PARTS_OF_PRODUCT,
    SPREAD,
    UNITS,
    WHOLE,
)
from warehouse_refresh.warehouse.duckdb.translate.literals import string
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    AggregateCall,
    Chain,
    FunctionCall,
    Literal,
    Node,
    Over,
    SortKey,
    Star,
    Struct,
)
from warehouse_refresh.warehouse.duckdb.translate.queries.grouping import aggregates_in, windows_in
from warehouse_refresh.warehouse.duckdb.translate.queries.ordering import order_keys, ordering, row_count
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import is_volatile, sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed, picked
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse.sql.coercion import is_groupable, same
from warehouse_refresh.warehouse.types import (
    BIGNUMERIC,
    BOOL,
    BYTES,
    FLOAT64,
    INT64,
    INTERVAL,
    NUMERIC,
    STRING,
    SqlType,
    array_of,
    struct_of,
)
from warehouse_refresh.warehouse.types import Column as TableColumn


@dataclass(slots=True)
class Call:
    """An aggregate call taken apart. `where` and `over` say over which rows it runs: those that PIVOT picks, or a
    window. `safe` asks for NULL where the aggregate itself fails, not where an argument does."""

    name: str
    values: list[Typed]
    distinct: bool = False
    nulls: str = ""
    order: list[SortKey] = field(default_factory=list)
    limit: int | None = None
    having: tuple[str, Typed] | None = None
    star: bool = False
    where: Node | None = None
    over: Over | None = None
    safe: bool = False

    def over_rows(self, name: str, *arguments: Node, where: Node | None = None) -> Node:
        """DuckDB's aggregate of this name over the call's rows, of these only those for which `where` holds."""
        if self.having is not None:
            return self._over_extreme_rows(name, arguments, where)
        tests = tuple([test for test in (self.where, where) if test is not None])
        both = Chain("AND", tests) if tests else None
        return AggregateCall(name, arguments, self.distinct, order=tuple(self.order), where=both, over=self.over)

    def _over_extreme_rows(self, name: str, arguments: tuple[Node, ...], where: Node | None) -> Node:
        """The aggregate over the rows of HAVING MAX or MIN, which are collected first."""
        side, by = self.having or ("", self.values[0])
        value = Literal(True) if isinstance(arguments[0], Star) else arguments[0]
        row = Struct((("y", by.node), ("v", value), ("w", where or Literal(True))))
        rows = AggregateCall("list", (row,), order=tuple(self.order), where=sql("{y} IS NOT NULL", y=by.node))
        found = sql(_EXTREME_FLOAT % side if by.type == FLOAT64 else _EXTREME % side, rows=rows)
        if self.distinct:
            found = sql("list_distinct({x})", x=found)
        if name == "list":
            return sql("CASE WHEN len({x}) > 0 THEN {x} END", x=found)
        return FunctionCall("list_aggregate", (found, Literal(name), *arguments[1:]))


_EXTREME = (
    "list_transform([coalesce({rows}, [])], lambda r_: list_transform([list_%s(list_transform(r_, lambda e_: e_.y))],"
    " lambda m_: list_transform(list_filter(r_, lambda e_: e_.y = m_ AND e_.w), lambda e_: e_.v))[1])[1]"
)
_EXTREME_FLOAT = _EXTREME.replace(  # NaN is the largest and the smallest, and equal to nothing
    "AND e_.w", "AND e_.w AND NOT list_contains(list_transform(r_, lambda i_: isnan(i_.y)), true)"
)


def taken_apart(node: exp.Expr, scope: Scope, where: Node | None, over: Over | None, *, safe: bool) -> Call:
    """The arguments and modifiers of an aggregate call: sqlglot nests the modifiers around the last argument."""
    found = Call(name_of(node), [], where=where, over=over, safe=safe)
    orders: list[exp.Expr] = []
    for part in node.expressions:
        inner = _without_modifiers(part, scope, found, orders)
        if isinstance(inner, exp.Distinct):
            found.distinct = True
            values = [_without_modifiers(value, scope, found, orders) for value in inner.expressions]
            found.values += [scope.compile(value) for value in values]
        elif isinstance(inner, exp.Star):
            found.star = True
        else:
            found.values.append(scope.compile(inner))
    for order in orders:
        found.order += ordering(order, scope, [])
    return found


def _without_modifiers(node: exp.Expr, scope: Scope, call: Call, orders: list[exp.Expr]) -> exp.Expr:
    """The argument itself, the modifiers around it put into `call`."""
    while isinstance(node, exp.Limit | exp.Order | exp.IgnoreNulls | exp.RespectNulls | exp.HavingMax):
        if isinstance(node, exp.Limit):
            call.limit = row_count(node.expression, scope, "LIMIT")
        elif isinstance(node, exp.Order):
            orders.append(node)
        elif isinstance(node, exp.HavingMax):
            call.having = ("max" if node.args.get("max") else "min"), scope.compile(node.expression)
        else:
            call.nulls = "IGNORE" if isinstance(node, exp.IgnoreNulls) else "RESPECT"
        if not node.this:
            wrong(scope.script.text, node, f"syntax error: {call.name} takes an argument before its modifiers")
        node = node.this
    return node


Handler = Callable[[exp.Expr, Scope, Call], Typed]
"""Compiles an aggregate call: the call, the names that it sees, the call taken apart."""


def aggregate(node: exp.Expr, scope: Scope, *, where: Node | None = None, over: Over | None = None) -> Typed:
    """An aggregate call over the rows of `scope` for which `where` holds, or over a window. Raises SqlError,
    UnsupportedSql."""
    safe = isinstance(node, exp.SafeFunc)
    node = node.this if safe else node
    _check_parts(node, scope, over)
    call = taken_apart(node, scope, where, over, safe=safe)
    if call.having is not None and where is not None:
        unsupported(scope.script.text, node, "HAVING in an aggregate of PIVOT")
    if call.having is not None:
        _check_having(node, scope, call, call.having[1])
    if (call.order or call.limit is not None) and call.name not in ("ARRAY_AGG", "STRING_AGG", "ARRAY_CONCAT_AGG"):
        wrong(scope.script.text, node, f"{call.name} does not take ORDER BY or LIMIT")
    if call.nulls and call.name not in ("ARRAY_AGG", "APPROX_QUANTILES"):
        unsupported(scope.script.text, node, f"{call.nulls} NULLS in {call.name}")
    handler = AGGREGATES.get(call.name)
    if handler is None:
        unsupported(scope.script.text, node, call.name)
    if over is not None:
        _check_window(node, scope, call, over)
    return handler(node, scope, call)


def _check_parts(node: exp.Expr, scope: Scope, over: Over | None) -> None:
    """Raises SqlError for what must be computed before the aggregate."""
    if over is None and any(True for part in node.expressions for _ in aggregates_in(part)):
        wrong(scope.script.text, node, "an aggregate function cannot hold another one", "aggregate in a subquery first")
    if any(True for part in node.expressions for _ in windows_in(part)):
        reason = "an aggregate function cannot hold a window function"
        wrong(scope.script.text, node, reason, "compute the window function in a subquery first")


_WITHOUT_HAVING = ("CORR", "COVAR_POP", "COVAR_SAMP", "GROUPING")


def _check_having(node: exp.Expr, scope: Scope, call: Call, by: Typed) -> None:
    """Raises SqlError, UnsupportedSql for what HAVING MAX or MIN does not take."""
    if by.type.element is not None or by.type.name in ("STRUCT", "GEOGRAPHY"):
        wrong(scope.script.text, node, f"HAVING MAX and MIN do not take {by.type}")
    if by.type.name == "JSON" or call.name in _WITHOUT_HAVING or call.name.startswith("APPROX_"):
        unsupported(scope.script.text, node, f"HAVING MAX or MIN of {by.type} in {call.name}")
    if call.distinct and call.name == "ARRAY_AGG" and call.nulls != "IGNORE":
        unsupported(scope.script.text, node, "ARRAY_AGG(DISTINCT … HAVING …)", "add IGNORE NULLS")


def _check_window(node: exp.Expr, scope: Scope, call: Call, over: Over) -> None:
    """Raises SqlError, UnsupportedSql for what an aggregate over a window does not take."""
    if call.limit is not None:
        wrong(scope.script.text, node, f"{call.name} … OVER does not take LIMIT")
    if call.distinct and (over.order or over.frame):
        wrong(scope.script.text, node, f"{call.name}(DISTINCT …) OVER takes neither ORDER BY nor a frame")
    if (call.order and call.name not in ("COUNT", "SUM")) or (call.distinct and call.name.endswith("_AGG")):
        unsupported(scope.script.text, node, f"DISTINCT or ORDER BY in {call.name} … OVER")


def one(node: exp.Expr, scope: Scope, call: Call, *kinds: SqlType) -> Typed:
    """The only argument, as the first of these types that it coerces to; of any type if none is given."""
    if len(call.values) != 1 or call.star:
        wrong(scope.script.text, node, f"{call.name} takes one argument")
    value = call.values[0]
    if not kinds:
        return value
    for kind in kinds:
        if same(value.type, kind):
            return value if not value.is_null else as_type(node, scope, call.name, value, kind)
    for kind in kinds:
        found = coerce(value, kind)
        if found is not None:
            return found
    return no_signature(node, scope, call.name, call.values)


def count(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    if call.star and call.values:
        wrong(scope.script.text, node, "COUNT(*) takes nothing but the star")
    if call.star:
        return Typed(call.over_rows("count", Star()), INT64)
    value = one(node, scope, call)
    if call.distinct and not is_groupable(value.type):
        unsupported(scope.script.text, node, f"COUNT DISTINCT of {value.type}", "count TO_JSON_STRING of it")
    return Typed(call.over_rows("count", value.node), INT64)


def count_if(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call, BOOL)
    return Typed(call.over_rows("count", sql("CASE WHEN {x} THEN 1 END", x=value.node)), INT64)


# Google adds in a wider type, in which no sum of doubles overflows on its way: where DuckDB's sum does, the values are
# added again as 2^-64 of themselves, which rounds nothing that counts there.
_SMALL = "{x} * 5.421010862427522e-20"
_SUM = (
    "CASE WHEN isfinite({x}) OR NOT isfinite({s}) THEN {x} WHEN abs({s}) >= 9.745314011399999e288"
    " THEN error('double overflow') ELSE {s} * 1.8446744073709552e19 END"
)
_AVG = (  # the mean of an infinity and numbers depends on the order in which Google has them: infinite or NaN
    "(CASE WHEN isfinite({x}) OR isnan({s}) OR {n} < 2 THEN {x} WHEN isinf({s})"
    " THEN error('the embedded engine cannot tell the mean of infinite numbers: this needs BigQuery')"
    " ELSE {s} * 1.8446744073709552e19 END)"
)


def sum_(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    if _of_intervals(call):
        return Typed(put_together(_interval_sums(node, scope, call)), INTERVAL)
    value = one(node, scope, call, INT64, NUMERIC, BIGNUMERIC, FLOAT64)
    if value.type == BIGNUMERIC:
        template = within_bignumeric("{x}", "SUM")
        return Typed(
            sql(f"TRY({template})" if call.safe else template, x=call.over_rows("sum", value.node)), BIGNUMERIC
        )
    if value.type == NUMERIC and not call.distinct:
        return _of_large(call, value.node, SUM_OF_LARGE)
    if value.type == NUMERIC:
        template = f"TRY({_NUMERIC_OF_UNITS})" if call.safe else _NUMERIC_OF_UNITS
        return Typed(sql(template, x=call.over_rows("sum", sql(_UNITS, x=value.node))), NUMERIC)
    total, template = call.over_rows("sum", value.node), f"CAST({{x}} AS {duckdb_type(value.type)})"
    small = {}
    if value.type == FLOAT64:
        template, small = _SUM, {"s": call.over_rows("sum", sql(_SMALL, x=value.node))}
    return Typed(sql(f"TRY({template})" if call.safe else f"({template})", x=total, **small), value.type)


# Of distinct ones, as whole numbers of any size.
_UNITS = "CAST(replace(CAST({x} AS VARCHAR), '.', '') AS BIGNUM)"
_NUMERIC_OF_UNITS = (
    "CAST(regexp_replace(regexp_replace(CAST({x} AS VARCHAR), '^(-?)([0-9]{{1,9}})$', '\\1000000000\\2'),"
    " '([0-9]{{9}})$', '.\\1') AS DECIMAL(38,9))"
)

# A sum of NUMERIC may pass the range on its way. DuckDB's sum fails then, so numbers from 1e20 on are added apart.
_IS_LARGE = "{x} NOT BETWEEN '-1e20'::DECIMAL(38,9) AND '1e20'::DECIMAL(38,9)"
_LARGE = {
    "s": f"CASE WHEN {_IS_LARGE} THEN {{x}} - trunc({{x}}) ELSE {{x}} END",
    "h": f"CASE WHEN {_IS_LARGE} THEN CAST(trunc({{x}}) AS HUGEINT) END",
}
"""Small numbers and what large ones have after the point, and the whole parts of large ones."""


def _of_large(call: Call, value: Node, template: str, **more: Node) -> Typed:
    """The template with the sums that _LARGE describes."""
    sums = {letter: call.over_rows("sum", sql(part, x=value)) for letter, part in _LARGE.items()}
    return Typed(sql(f"TRY({template})" if call.safe else f"({template})", **sums, **more), NUMERIC)


def avg(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    if _of_intervals(call):
        count = sql("nullif({x}, 0)", x=call.over_rows("count", call.values[0].node))
        return Typed(quotient(_interval_sums(node, scope, call), count), INTERVAL)
    value = one(node, scope, call, NUMERIC, BIGNUMERIC, INT64, FLOAT64)
    rows = call.over_rows("count", value.node)
    if value.type == BIGNUMERIC:
        return Typed(
            sql("googlesql_bignumeric_mean({x}, {n})", x=call.over_rows("sum", value.node), n=rows), BIGNUMERIC
        )
    if value.type == NUMERIC:
        return _mean_of_numeric(call, value.node, rows)
    found = call.over_rows("avg", value.node)
    if value.type == FLOAT64:
        return Typed(sql(_AVG, x=found, s=call.over_rows("avg", sql(_SMALL, x=value.node)), n=rows), FLOAT64)
    return Typed(found, FLOAT64)


def _mean_of_numeric(call: Call, value: Node, rows: Node) -> Typed:
    if not call.distinct:
        return _of_large(call, value, MEAN_OF_LARGE, n=rows)
    mean = sql("googlesql_bignumeric_mean({x}, {n})", x=call.over_rows("sum", sql(_UNITS, x=value)), n=rows)
    return Typed(sql(_NUMERIC_OF_UNITS, x=mean), NUMERIC)


def _of_intervals(call: Call) -> bool:
    return len(call.values) == 1 and call.values[0].type == INTERVAL


def _interval_sums(node: exp.Expr, scope: Scope, call: Call) -> list[Node]:
    """The sums of the months, of the days and of the microseconds."""
    if call.distinct or call.safe:
        unsupported(
            scope.script.text,
            node,
            f"{'SAFE.' if call.safe else ''}{call.name} of {'DISTINCT ' if call.distinct else ''}INTERVAL",
        )
    return [call.over_rows("sum", sql(part, x=call.values[0].node)) for part in PARTS]


def extreme(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call)
    if value.type.name in ("STRUCT", "JSON", "GEOGRAPHY"):
        return no_signature(node, scope, call.name, call.values)
    if value.type.element is not None:
        unsupported(scope.script.text, node, f"{call.name} of {value.type}")
    found = call.over_rows(call.name.lower(), value.node)
    if value.type != FLOAT64:
        return Typed(found, value.type)
    has_nan = call.over_rows("bool_or", sql("isnan({x})", x=value.node))
    return Typed(sql("(CASE WHEN coalesce({n}, false) THEN 'nan'::DOUBLE ELSE {x} END)", n=has_nan, x=found), FLOAT64)


def any_value(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call)
    if call.having is None:
        # GoogleSQL may choose NULL only where all are NULL … or not: any row will do.
        return picked(value, lambda node: call.over_rows("any_value", node))
    side, by = call.having
    if by.type.element is not None or by.type.name in ("STRUCT", "JSON"):
        return no_signature(node, scope, f"HAVING {side.upper()}", [by])
    if by.type == FLOAT64 and (call.over is not None or call.where is not None):
        unsupported(scope.script.text, node, f"{call.name} by FLOAT64 over a window or in PIVOT")
    if by.type == FLOAT64:
        return Typed(sql("({x})[1]", x=call.over_rows("list", value.node)), value.type)
    plain = replace(call, having=None)
    return picked(value, lambda node: plain.over_rows(f"arg_{side}_null", node, by.node))


def by_extreme(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    if len(call.values) != 2:
        wrong(scope.script.text, node, f"{call.name} takes two arguments")
    call.having = ("max" if call.name == "MAX_BY" else "min"), call.values.pop()
    return any_value(node, scope, call)


def array_agg(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call)
    if value.type.element is not None:
        wrong(scope.script.text, node, "an array cannot hold arrays", "aggregate a STRUCT that holds it")
    if call.distinct and not is_groupable(value.type):
        unsupported(scope.script.text, node, f"ARRAY_AGG(DISTINCT …) of {value.type}")
    if call.where is not None and call.nulls != "IGNORE":
        wrong(scope.script.text, node, "ARRAY_AGG in PIVOT needs IGNORE NULLS")
    _check_order(node, scope, call, value)
    found = _items(call, value, without_nulls=call.nulls == "IGNORE")
    return Typed(_limited(found, call.limit), array_of(value.type))


def _items(call: Call, value: Typed, *, without_nulls: bool) -> Node:
    where = sql("{x} IS NOT NULL", x=value.node) if without_nulls else None
    if not _is_sorted_later(call, value):
        return call.over_rows("list", value.node, where=where)
    direction, _, nulls = call.order[0].direction.partition(" ")
    found = replace(call, order=[]).over_rows("list", value.node, where=where)
    template = _SORTED_FLOATS if value.type == FLOAT64 else "list_sort({x}, {direction}, {nulls})"
    return sql(template, x=found, direction=Literal(direction), nulls=Literal(nulls))


_SORTED_FLOATS = (  # NaN comes before all numbers
    "list_transform(list_sort(list_transform({x}, lambda v: {{'is_number': NOT isnan(v), 'v': v}}), {direction},"
    " {nulls}), lambda pair: pair.v)"
)


def _limited(array: Node, limit: int | None) -> Node:
    if limit == 0:  # no value at all
        return sql("CASE WHEN false THEN {x} END", x=array)
    return sql(f"({{x}})[:{limit}]", x=array) if limit is not None else array


def _check_order(node: exp.Expr, scope: Scope, call: Call, value: Typed) -> None:
    """Raises SqlError where DISTINCT leaves no one value to sort by."""
    if call.distinct and any(key.value != value.node for key in call.order):
        wrong(scope.script.text, node, f"{call.name}(DISTINCT x ORDER BY y): y must be x")
    if _is_sorted_later(call, value) and value.type == FLOAT64 and call.nulls != "IGNORE":
        what = f"{call.name}(DISTINCT x ORDER BY x) of a FLOAT64 that may fail"
        unsupported(scope.script.text, node, what, "add IGNORE NULLS, which a table needs anyway")


def _is_sorted_later(call: Call, value: Typed) -> bool:
    """Whether the distinct values are sorted after they are collected: of what is volatile, which is all that may fail,
    DuckDB does not see that the values and the key are the same. Those of HAVING are collected in any order."""
    return call.distinct and bool(call.order) and (call.having is not None or is_volatile(value.node))


def string_agg(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    if len(call.values) not in (1, 2):
        wrong(scope.script.text, node, "STRING_AGG takes one or two arguments")
    value = call.values[0]
    if value.type == BYTES:
        return _bytes_agg(node, scope, call)
    value = as_type(node, scope, "STRING_AGG", value, STRING)
    separator = call.values[1] if len(call.values) == 2 else string(",")
    if not isinstance(separator.literal, str):
        unsupported(scope.script.text, node, "STRING_AGG with a separator that is not a literal")
    _check_order(node, scope, call, value)
    if call.limit is None and not _is_sorted_later(call, value):
        return Typed(call.over_rows("string_agg", value.node, separator.node), STRING)
    items = _limited(_items(call, value, without_nulls=True), call.limit)
    return Typed(sql("array_to_string({x}, {s})", x=items, s=separator.node), STRING)


def _bytes_agg(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    """STRING_AGG of BYTES: by way of hexadecimal digits, which join alike."""
    value = call.values[0]
    separator = as_type(node, scope, "STRING_AGG", call.values[1], BYTES) if len(call.values) == 2 else None
    if separator is not None and (not isinstance(separator.node, Literal) or separator.is_null):
        unsupported(scope.script.text, node, "STRING_AGG with a separator that is not a literal")
    _check_order(node, scope, call, value)
    items = _limited(_items(call, value, without_nulls=True), call.limit)
    template = "from_hex(array_to_string(list_transform({x}, lambda b_: hex(b_)), {s}))"
    written = separator.node.value if separator is not None and isinstance(separator.node, Literal) else b","
    digits = written.hex().upper() if isinstance(written, bytes) else ""
    return Typed(sql(template, x=items, s=Literal(digits)), BYTES)


def array_concat_agg(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call)
    if value.type.element is None:
        return no_signature(node, scope, call.name, call.values)
    _check_order(node, scope, call, value)
    arrays = _limited(_items(call, value, without_nulls=True), call.limit)
    return Typed(sql("flatten({x})", x=arrays), value.type)


def logical(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    value = one(node, scope, call, BOOL)
    return Typed(call.over_rows("bool_and" if call.name == "LOGICAL_AND" else "bool_or", value.node), BOOL)


def bits(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    return Typed(call.over_rows(call.name.lower(), one(node, scope, call, INT64).node), INT64)


STATISTICS = {
    "STDDEV": "stddev_samp",
    "STDDEV_SAMP": "stddev_samp",
    "STDDEV_POP": "stddev_pop",
    "VARIANCE": "var_samp",
    "VAR_SAMP": "var_samp",
    "VAR_POP": "var_pop",
    "CORR": "corr",
    "COVAR_POP": "covar_pop",
    "COVAR_SAMP": "covar_samp",
}


# `z` is 0, or NaN if a value is NaN or infinite: then so is the result. DuckDB's result overflows where Google's, which
# is computed in a wider type, does not.
_STATISTIC = (
    "(CASE WHEN {x} IS NULL THEN NULL WHEN isfinite({x}) OR isnan({z}) THEN {x} + {z} ELSE error('the embedded engine"
    " cannot compute a variance of numbers of this size: this needs BigQuery') END)"
)
# DuckDB gives NaN for one pair, and for numbers whose squares are too large or too small for a double.
_CORR = (
    "(CASE WHEN {n} < 2 THEN NULL WHEN isfinite({x}) OR isnan({z}) OR {same} THEN {x} + {z} ELSE error('the embedded"
    " engine cannot compute a correlation of numbers of this size: this needs BigQuery') END)"
)


def statistic(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    """Variances and the like: NaN where a value is NaN or infinite."""
    if len(call.values) != (2 if call.name.startswith("CO") else 1):
        wrong(scope.script.text, node, f"wrong number of arguments for {call.name}")
    if NUMERIC in [value.type for value in call.values] and FLOAT64 not in [value.type for value in call.values]:
        return _exact_statistic(node, scope, call)
    if BIGNUMERIC in [value.type for value in call.values]:
        unsupported(scope.script.text, node, f"{call.name} of BIGNUMERIC", "convert with CAST(… AS FLOAT64)")
    values = [as_type(node, scope, call.name, value, FLOAT64).node for value in call.values]
    found = call.over_rows(STATISTICS[call.name], *values)
    zeros = call.over_rows("sum", Chain("+", tuple([sql("({v} * 0e0)", v=value) for value in values])))
    if call.name != "CORR":
        return Typed(sql(_STATISTIC, x=found, z=zeros), FLOAT64)
    pairs = call.over_rows("regr_count", *values)
    return Typed(sql(_CORR, n=pairs, x=found, z=zeros, same=_one_value(call, *values)), FLOAT64)


def _exact_statistic(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    """Variances and the like of NUMERIC: from exact sums, so that no digit is lost where a variance is small."""
    if call.distinct:
        unsupported(scope.script.text, node, f"{call.name} DISTINCT of NUMERIC", "convert with CAST(… AS FLOAT64)")
    values = [sql(COUNTED, x=as_type(node, scope, call.name, value, NUMERIC).node) for value in call.values]
    where = Chain("AND", tuple([sql("{x} IS NOT NULL", x=value) for value in values]))
    rows = call.over_rows("count", Star(), where=where)
    pairs = [(values[0], values[-1])]
    if call.name == "CORR":
        pairs += [(values[0], values[0]), (values[1], values[1])]
    spreads = [_spread(call, one, other, rows, where) for one, other in pairs]
    template = f"({EXACT_STATISTICS[STATISTICS[call.name]]})"
    return Typed(sql(template, **dict(zip("abc", spreads, strict=False)), n=rows), FLOAT64)


def _spread(call: Call, one: Node, other: Node, rows: Node, where: Node) -> Node:
    """The sum of the products of both values' distances from their means, as SPREAD has it."""
    parts = [sql(part, x=value) for value in (one, other) for part in (WHOLE, UNITS)]
    factors = dict(zip("abcd", parts, strict=True))
    products = {
        letter: call.over_rows("sum", sql(part, **factors), where=where) for letter, part in PARTS_OF_PRODUCT.items()
    }
    x, y = (sql(UNSCALED, x=call.over_rows("sum", value, where=where)) for value in (one, other))
    return sql(SPREAD, x=x, y=y, n=rows, **products)


def _one_value(call: Call, first: Node, second: Node) -> Node:
    """Whether one side of all pairs has one value only."""
    tests = []
    for value, other in ((first, second), (second, first)):
        where = sql("{o} IS NOT NULL", o=other)
        least, most = (call.over_rows(name, value, where=where) for name in ("min", "max"))
        tests.append(sql("{a} = {b}", a=least, b=most))
    return Chain("OR", tuple(tests))


def quantiles(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    """APPROX_QUANTILES(x, n): n + 1 values, the smallest, those that n equal parts end with. They are exact here.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/approximate_aggregate_functions#approx_quantiles"""
    value, parts = _value_and_number(node, scope, call)
    _check_sortable(node, scope, call, value)
    call.order = order_keys(value, desc=False, nulls_first=True)
    found = _items(call, value, without_nulls=call.nulls != "RESPECT")
    places = (
        "CASE WHEN len({x}) > 0 THEN list_transform(range({n} + 1), lambda i_:"
        " ({x})[greatest(1, (i_ * len({x}) + {n} - 1) // {n})]) END"
    )
    return Typed(sql(f"({places})", x=found, n=Literal(parts)), array_of(value.type))


_MOST = (
    "(list_transform(list_sort(list_transform(map_entries({h}), lambda e_: {{'c': -e_.value::BIGINT, 'v': e_.key}})"
    " || CASE WHEN {n} > 0 THEN [{{'c': -{n}, 'v': NULL}}] ELSE [] END), lambda e_: {{'value': e_.v, 'count': -e_.c}})"
    "[:%s])"
)


def most_frequent(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    """APPROX_TOP_COUNT(x, n): the n values that occur most, each with its count. They are exact here.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/approximate_aggregate_functions#approx_top_count"""
    value, most = _value_and_number(node, scope, call)
    if not is_groupable(value.type) or call.distinct:
        no_signature(node, scope, f"{call.name}{' DISTINCT' if call.distinct else ''}", [value])
    counts = call.over_rows("histogram", value.node)
    nulls = call.over_rows("count", sql("CASE WHEN {x} IS NULL THEN 1 END", x=value.node))
    kind = array_of(struct_of(TableColumn("value", value.type), TableColumn("count", INT64)))
    found = sql(_MOST % most, h=sql("coalesce({h}, MAP {{}})", h=counts), n=nulls)
    return Typed(sql("CASE WHEN {n} > 0 THEN {x} END", n=call.over_rows("count", Star()), x=found), kind)


def _value_and_number(node: exp.Expr, scope: Scope, call: Call) -> tuple[Typed, int]:
    """The arguments of a call such as APPROX_QUANTILES(x, 100)."""
    if len(call.values) != 2:
        wrong(scope.script.text, node, f"{call.name} takes two arguments")
    value, number = call.values
    if not isinstance(number.literal, int) or number.literal < 1:
        wrong(scope.script.text, node, f"the second argument of {call.name} must be a positive integer literal")
    return value, number.literal


def _check_sortable(node: exp.Expr, scope: Scope, call: Call, value: Typed) -> None:
    if value.type.element is not None or value.type.name in ("STRUCT", "JSON", "GEOGRAPHY"):
        no_signature(node, scope, call.name, [value])


def approximate_count(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    """APPROX_COUNT_DISTINCT: the exact count is within any promise."""
    if call.star:
        wrong(scope.script.text, node, "* is an argument of COUNT only", "name a column")
    call.distinct = True
    return count(node, scope, call)


def grouping_(node: exp.Expr, scope: Scope, call: Call) -> Typed:
    """GROUPING where nothing is grouped; otherwise see `GroupedScope`."""
    if call.safe:
        wrong(scope.script.text, node, "SAFE does not stand before GROUPING")
    return Typed(sql("grouping({x})::BIGINT", x=one(node, scope, call).node), INT64)


AGGREGATES: Mapping[str, Handler] = {
    "COUNT": count,
    "COUNTIF": count_if,
    "SUM": sum_,
    "AVG": avg,
    "MIN": extreme,
    "MAX": extreme,
    "ANY_VALUE": any_value,
    "MAX_BY": by_extreme,
    "MIN_BY": by_extreme,
    "ARRAY_AGG": array_agg,
    "STRING_AGG": string_agg,
    "ARRAY_CONCAT_AGG": array_concat_agg,
    "LOGICAL_AND": logical,
    "LOGICAL_OR": logical,
    "BIT_AND": bits,
    "BIT_OR": bits,
    "BIT_XOR": bits,
    "GROUPING": grouping_,
    "APPROX_COUNT_DISTINCT": approximate_count,
    "APPROX_QUANTILES": quantiles,
    "APPROX_TOP_COUNT": most_frequent,
    **dict.fromkeys(STATISTICS, statistic),
}
"""The aggregate functions that the embedded engine has, by name."""
