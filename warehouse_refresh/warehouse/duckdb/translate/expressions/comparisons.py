"""Comparisons and predicates: what is true, false and NULL in GoogleSQL.

https://cloud.google.com/bigquery/docs/reference/standard-sql/operators#comparison_operators
"""

import math
from collections.abc import Sequence

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.coercion import coerced
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, common, no_signature, only
from warehouse_refresh.warehouse.duckdb.translate.expressions.days import by_midnight, within_days
from warehouse_refresh.warehouse.duckdb.translate.literals import null
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    Chain,
    Field,
    FromItem,
    FunctionCall,
    Item,
    Literal,
    Node,
    Select,
    each,
    is_correlated,
    let,
    let_all,
)
from warehouse_refresh.warehouse.duckdb.translate.nodes import Column as ColumnNode
from warehouse_refresh.warehouse.duckdb.translate.queries.relations import reread, with_types
from warehouse_refresh.warehouse.duckdb.translate.queries.subqueries import listed, one_column
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import unread, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.types import field_names
from warehouse_refresh.warehouse.sql.coercion import NUMBERS, coerces, is_groupable, same, supertype, takes_any_type
from warehouse_refresh.warehouse.sql.literals import EMPTY
from warehouse_refresh.warehouse.types import BOOL, BYTES, FLOAT64, STRING, SqlType, array_of

UNORDERED = {"ARRAY", "STRUCT", "JSON", "GEOGRAPHY"}
SIGNS: dict[type[exp.Expr], str] = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
# NaN is equal to nothing and neither above nor below anything; DuckDB has it equal to itself and above all else.
NAN_AWARE = {
    "=": "CASE WHEN isnan({a}) AND {b} IS NOT NULL THEN false ELSE {a} = {b} END",
    "<>": "CASE WHEN isnan({a}) AND {b} IS NOT NULL THEN true ELSE {a} <> {b} END",
}
NAN_BELOW = "CASE WHEN isnan({a}) AND {b} IS NOT NULL OR isnan({b}) AND {a} IS NOT NULL THEN false ELSE {a} %s {b} END"


_COMPARISONS = (*SIGNS, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is, exp.In, exp.Between, exp.Like, exp.Not)


def check_operands(node: exp.Expr, scope: Scope, *operands: exp.Expr) -> None:
    """Raises SqlError for an operand that is a comparison or NOT, and not in parentheses.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/operators#operator_precedence"""
    for operand in operands:
        if isinstance(operand, _COMPARISONS):
            reason = "a comparison or NOT within another comparison must stand in parentheses"
            wrong(scope.script.text, node, f"syntax error: {reason}", "write (a = b) = c, (a IS NULL) = b, a = (NOT b)")


def comparison(node: exp.Expr, scope: Scope) -> Typed:
    """x = y and the like."""
    check_operands(node, scope, node.this, node.expression)
    one, other = scope.compile(node.this), scope.compile(node.expression)
    if isinstance(node.this.unnest(), exp.Null) or isinstance(node.expression.unnest(), exp.Null):
        wrong(scope.script.text, node, f"operands of {SIGNS[type(node)]} cannot be literal NULL", "write IS NULL")
    return compared(node, scope, SIGNS[type(node)], one, other)


def compared(node: exp.Expr, scope: Scope, sign: str, one: Typed, other: Typed) -> Typed:
    """Two values compared."""
    if one.is_null and other.is_null:
        return Typed(null(BOOL).node, BOOL)
    kind, (a, b) = common(node, scope, f"operator {sign}", [one, other])
    if kind.name == "STRUCT" and sign in ("=", "<>"):
        return struct_equality(node, scope, sign, a, b)
    if kind.element is not None and sign in ("=", "<>"):
        found = let_all([a.node, b.node], lambda nodes: _array_equality(node, scope, nodes, kind))
        return Typed(found if sign == "=" else sql("(NOT {x})", x=found), BOOL)
    if kind.name in UNORDERED:
        if kind.element is not None or kind.name == "JSON":
            unsupported(scope.script.text, node, f"{sign} for {kind}", "compare TO_JSON_STRING of both")
        return no_signature(node, scope, f"operator {sign}", [one, other])
    return Typed(_comparison(sign, a.node, b.node, kind), BOOL)


def _comparison(sign: str, a: Node, b: Node, kind: SqlType) -> Node:
    """Two values of one type compared."""
    found = None
    if kind.name == "DATE":
        found = within_days(a, b, b) if sign == "=" else by_midnight(sign, a, b)
    if found is not None:
        return found
    if kind.name == "FLOAT64" and not (sign in ("=", "<>") and (_is_number(a) or _is_number(b))):
        return sql(f"({NAN_AWARE.get(sign) or NAN_BELOW % sign})", a=a, b=b)
    return sql(f"({{a}} {sign} {{b}})", a=a, b=b)


def _is_number(node: Node) -> bool:
    """Whether it is a literal, or a parameter's value, that is not NaN."""
    return isinstance(node, Literal) and isinstance(node.value, float) and not math.isnan(node.value)


_EQUAL_ARRAYS = (
    "CASE WHEN {a} IS NULL OR {b} IS NULL THEN NULL::BOOLEAN WHEN len({a}) <> len({b}) THEN false"
    " WHEN list_contains({r}, false) THEN false WHEN list_count({r}) < len({r}) THEN NULL::BOOLEAN ELSE true END"
)


def _array_equality(node: exp.Expr, scope: Scope, arrays: Sequence[Node], kind: SqlType) -> Node:
    """Element by element; NULL if a comparison is NULL and none differs. The arrays must be cheap."""
    element = kind.element or kind
    one, other = arrays

    def equal(index: Node) -> Node:
        sides = [Typed(sql("({a})[{i}]", a=array, i=index), element) for array in (one, other)]
        return compared(node, scope, "=", *sides).node

    results = each(sql("range(1, len({a}) + 1)", a=one), equal)
    return let(results, lambda found: sql(_EQUAL_ARRAYS, a=one, b=other, r=found))


def struct_equality(node: exp.Expr, scope: Scope, sign: str, one: Typed, other: Typed) -> Typed:
    """Field by field; NULL if a field's comparison is NULL and none differs."""

    def equality(sides: list[Typed]) -> Node:
        pairs = zip(*map(_fields, sides), strict=True)
        return Chain("AND", tuple([compared(node, scope, "=", a, b).node for a, b in pairs]))

    if all(side.parts or side.node.cheap for side in (one, other)):
        found = equality([one, other])
    else:
        found = let_all([one.node, other.node], lambda nodes: equality([Typed(each, one.type) for each in nodes]))
    return Typed(found if sign == "=" else sql("(NOT {x})", x=found), BOOL)


def _fields(struct: Typed) -> list[Typed]:
    if struct.parts:
        return list(struct.parts)
    pairs = zip(field_names(struct.type), struct.type.fields, strict=True)
    return [Typed(Field(struct.node, name), field.type) for name, field in pairs]


def distinct_from(node: exp.Expr, scope: Scope) -> Typed:
    """x IS [NOT] DISTINCT FROM y: here NaN is not distinct from NaN, as in DuckDB."""
    check_operands(node, scope, node.this, node.expression)
    kind, (a, b) = common(node, scope, "IS DISTINCT FROM", [scope.compile(node.this), scope.compile(node.expression)])
    if not is_groupable(kind):
        unsupported(scope.script.text, node, f"IS DISTINCT FROM for {kind}")
    word = "IS NOT DISTINCT FROM" if isinstance(node, exp.NullSafeEQ) else "IS DISTINCT FROM"
    return Typed(sql(f"({{a}} {word} {{b}})", a=a.node, b=b.node), BOOL)


def is_unknown(node: exp.Expr) -> bool:
    """Whether it is the UNKNOWN of IS UNKNOWN: see `_mark_unknown`."""
    return isinstance(node, exp.Column) and node.name.upper() == "UNKNOWN" and not node.args.get("table")


def is_(node: exp.Expr, scope: Scope) -> Typed:
    """x IS NULL, x IS TRUE, x IS FALSE, x IS UNKNOWN"""
    check_operands(node, scope, node.this)
    value = scope.compile(node.this)
    if isinstance(node.expression, exp.Null):
        return Typed(sql("({x} IS NULL)", x=value.node), BOOL)
    if not isinstance(node.expression, exp.Boolean):
        if not is_unknown(node.expression):
            unread(scope.script.text, node.expression)
        return Typed(sql("({x} IS NULL)", x=as_type(node, scope, "IS UNKNOWN", value, BOOL).node), BOOL)
    value = as_type(node, scope, "IS TRUE", value, BOOL)
    return Typed(sql(f"({{x}} IS {'TRUE' if node.expression.this else 'FALSE'})", x=value.node), BOOL)


def between(node: exp.Expr, scope: Scope) -> Typed:
    """x BETWEEN y AND z"""
    only(node, scope, "this", "low", "high")
    check_operands(node, scope, node.this, node.args["low"], node.args["high"])
    values = [scope.compile(node.args[part]) for part in ("this", "low", "high")]
    kind, (value, low, high) = common(node, scope, "BETWEEN", values)
    if kind.element is not None:
        unsupported(scope.script.text, node, f"BETWEEN for {kind}")
    if kind.name == "JSON":
        unsupported(scope.script.text, node, "BETWEEN for JSON", "compare values of it, such as INT64(json)")
    if kind.name in UNORDERED:
        return no_signature(node, scope, "BETWEEN", values)
    nodes = [value.node, low.node, high.node]
    if kind.name == "FLOAT64":
        return Typed(_float_between(nodes) if value.node.cheap else let_all(nodes, _float_between), BOOL)
    found = within_days(nodes[0], nodes[1], nodes[2]) if kind.name == "DATE" else None
    return Typed(found or sql("({x} BETWEEN {low} AND {high})", x=nodes[0], low=nodes[1], high=nodes[2]), BOOL)


def _float_between(nodes: list[Node]) -> Node:
    value, low, high = nodes
    return Chain("AND", (_comparison(">=", value, low, FLOAT64), _comparison("<=", value, high, FLOAT64)))


def in_(node: exp.Expr, scope: Scope) -> Typed:
    """x IN (…), x IN UNNEST(array), x IN (SELECT …)"""
    only(node, scope, "this", "expressions", "query", "unnest")
    check_operands(node, scope, node.this)
    value = scope.compile(node.this)
    if node.args.get("query"):
        return in_query(node, scope, value)
    if node.args.get("unnest"):
        return in_array(node, scope, value)
    if not node.expressions:
        wrong(scope.script.text, node, "syntax error: IN takes at least one value", "write FALSE for none")
    values = [scope.compile(part) for part in node.expressions]
    kind, (first, *rest) = common(node, scope, "IN", [value, *values])
    if kind.name in ("FLOAT64", "STRUCT", "ARRAY"):
        return Typed(_in_one_by_one(node, scope, first, rest), BOOL)
    if kind.name == "JSON":
        unsupported(scope.script.text, node, "IN for JSON", "compare TO_JSON_STRING of them")
    if kind.name in UNORDERED:
        return no_signature(node, scope, "IN", [value, *values])
    listed = FunctionCall("", tuple([other.node for other in rest]))
    return Typed(sql("({x} IN {list})", x=first.node, list=listed), BOOL)


def _in_one_by_one(node: exp.Expr, scope: Scope, value: Typed, others: list[Typed]) -> Node:
    """x IN (…) of a type that DuckDB compares otherwise: as x = y OR x = z."""

    def tests(one: Typed, rest: list[Typed]) -> Node:
        return Chain("OR", tuple([compared(node, scope, "=", one, other).node for other in rest]))

    if value.node.cheap or len(others) == 1:
        return tests(value, others)
    nodes = [value.node, *(other.node for other in others)]
    return let_all(
        nodes, lambda found: tests(Typed(found[0], value.type), [Typed(each, value.type) for each in found[1:]])
    )


IN_ARRAY = (
    "(CASE WHEN {a} IS NULL OR len({a}) = 0 THEN false WHEN {x} IS NULL THEN NULL::BOOLEAN WHEN %slist_contains({a},"
    " {x}) THEN true WHEN len(list_filter({a}, lambda e_: e_ IS NULL)) > 0 THEN NULL::BOOLEAN ELSE false END)"
)


def in_array(node: exp.Expr, scope: Scope, value: Typed) -> Typed:
    """x IN UNNEST(array)"""
    source = scope.compile(node.args["unnest"].expressions[0])
    if source.type.element is None:
        wrong(scope.script.text, node, f"UNNEST takes an array, not {'NULL' if source.is_null else source.type}")
    kind = _kind_in(value, source)
    if kind is None or kind.element is not None:
        return no_signature(node, scope, "IN UNNEST", [value, Typed(source.node, source.type.element)])
    if kind.name in ("JSON", "GEOGRAPHY"):
        unsupported(scope.script.text, node, f"{value.type} IN UNNEST({source.type})")
    found = as_type(node, scope, "IN UNNEST", value, kind)
    source = coerced(source, array_of(kind))
    if kind.name in ("STRUCT", "ARRAY"):
        return in_elements(node, scope, found, source)
    nan = "NOT isnan({x}) AND " if kind.name == "FLOAT64" else ""
    return Typed(sql(IN_ARRAY % nan, a=source.node, x=found.node), BOOL)


def _kind_in(value: Typed, array: Typed) -> SqlType | None:
    """The type to compare in, of x IN UNNEST(array): the elements of an array that is not written out stay what they
    are."""
    element = array.type.element
    if element is None or array.literal is EMPTY:
        return value.type
    if array.parts:
        kind = supertype([value, *array.parts])
        return kind if kind is not None and coerces(array, array_of(kind)) else None
    return element if coerces(value, element) else None


_IN_ELEMENTS = (
    "CASE WHEN {a} IS NULL OR len({a}) = 0 THEN false WHEN list_contains({r}, true) THEN true"
    " WHEN list_count({r}) < len({r}) THEN NULL::BOOLEAN ELSE false END"
)


def in_elements(node: exp.Expr, scope: Scope, value: Typed, array: Typed) -> Typed:
    """Whether the value is equal to an element, compared one by one."""
    kind = value.type

    def test(nodes: Sequence[Node]) -> Node:
        one, elements = nodes
        results = each(elements, lambda item: compared(node, scope, "=", Typed(one, kind), Typed(item, kind)).node)
        return let(results, lambda found: sql(_IN_ELEMENTS, a=elements, r=found))

    return Typed(let_all([value.node, array.node], test), BOOL)


def in_query(node: exp.Expr, scope: Scope, value: Typed) -> Typed:
    """x IN (SELECT …)"""
    relation, column = one_column(node, scope)
    found = reread(column, "q$")
    kind, (one, _) = common(node, scope, "IN", [_of_its_type(value), Typed(found.node, found.type)])
    if not _may_be_in(value, found.type):
        left = "NULL" if value.is_null else str(value.type)
        wrong(scope.script.text, node, f"IN (SELECT …) does not compare {left} with {found.type}", "write a CAST")
    if kind.name in ("JSON", "GEOGRAPHY"):
        unsupported(scope.script.text, node, f"IN (SELECT …) of {kind}", "write EXISTS with a condition")
    query = with_types(relation, [kind])
    if kind.name in ("STRUCT", "ARRAY"):
        item = Typed(ColumnNode("q$", column.column), kind)
        return in_elements(node, scope, one, listed(query, item))
    if kind.name == "FLOAT64":
        own = sql(_WITHOUT_NAN.replace("NAN", "'nan here'"), x=one.node)
        items = (Item(sql(_WITHOUT_NAN.replace("NAN", "'nan there'"), x=ColumnNode("q$", column.column)), "c"),)
        return Typed(_in_rows(own, Select(items, FromItem(query, "q$")), Typed(ColumnNode("q$", "c"), STRING)), BOOL)
    return Typed(_in_rows(one.node, query, Typed(ColumnNode("q$", column.column), kind)), BOOL)


def _may_be_in(value: Typed, kind: SqlType) -> bool:
    """Whether IN (SELECT …) compares the types: it takes less than `=` does, and NULL is an INT64 there."""
    if value.is_null:
        return kind.name in NUMBERS
    if kind.name == "STRUCT":
        return all(
            (takes_any_type(part) and not part.is_null) or same(part.type, field.type)
            for part, field in zip(_fields(value), kind.fields, strict=True)
        )
    return {value.type.name, kind.name} != {"DATE", "DATETIME"} or takes_any_type(value)


def _of_its_type(value: Typed) -> Typed:
    """The left side of IN (SELECT …), where a literal coerces no further than its type: but NULL does."""
    return value if takes_any_type(value) else Typed(value.node, value.type)


def _in_rows(value: Node, query: Node, item: Typed) -> Node:
    """Whether a query of one column has the value. If the query reads columns of one around it, its rows are collected
    first: of `x IN (…)` DuckDB takes a NULL among the rows of one outer row for one among those of all, where a part of
    the query may fail."""
    if not is_correlated(query):
        return sql("({x} IN ({q}))", x=value, q=query)
    return sql(IN_ARRAY % "", a=listed(query, item, distinct=True).node, x=value)


_WITHOUT_NAN = "(CASE WHEN isnan({x}) THEN NAN ELSE CAST({x} + 0.0::DOUBLE AS VARCHAR) END)"
"""Texts that are equal where the numbers are: NaN is equal to nothing, and -0.0 to 0.0."""


def like(node: exp.Expr, scope: Scope) -> Typed:
    """x LIKE y, x LIKE ANY (…), x LIKE ALL (…)"""
    only(node, scope, "this", "expression", "negate")
    check_operands(node, scope, node.this, node.expression)
    value = scope.compile(node.this)
    other = node.expression
    if isinstance(other, exp.Any | exp.All):
        patterns = other.this.expressions if isinstance(other.this, exp.Tuple) else [other.this.unnest()]
        if not patterns:
            wrong(scope.script.text, node, "LIKE ANY and LIKE ALL take at least one pattern")
        if any(isinstance(pattern, exp.Query | exp.Unnest) for pattern in patterns):
            unsupported(scope.script.text, node, "LIKE ANY of a query or an array")
        word = "OR" if isinstance(other, exp.Any) else "AND"
        compiled = [scope.compile(pattern) for pattern in patterns]
        if len(compiled) > 1 and any(map(_is_broken, compiled)):  # an error only for a row that none before decides
            unsupported(scope.script.text, node, "a pattern that ends with a single backslash", "write it twice")
        tests = [_like(node, scope, value, pattern) for pattern in compiled]
        if node.args.get("negate"):
            tests = [sql("(NOT {x})", x=test) for test in tests]
        return Typed(Chain(word, tuple(tests)), BOOL)
    pattern = scope.compile(other)
    if value.is_null or pattern.is_null:
        wrong(scope.script.text, node, "operands of LIKE cannot be literal NULL")
    found = _like(node, scope, value, pattern)
    return Typed(sql("(NOT {x})", x=found) if node.args.get("negate") else found, BOOL)


def _is_broken(pattern: Typed) -> bool:
    """Whether a pattern ends with a backslash that escapes nothing."""
    return isinstance(pattern.literal, str) and (len(pattern.literal) - len(pattern.literal.rstrip("\\"))) % 2 == 1


def _like(node: exp.Expr, scope: Scope, value: Typed, pattern: Typed) -> Node:
    if BYTES in (value.type, pattern.type) and all(coerces(side, BYTES) for side in (value, pattern)):
        sides = [coerced(side, BYTES).node for side in (value, pattern)]
        return FunctionCall("googlesql_bytes_like", tuple(sides))
    texts: Sequence[Typed] = [as_type(node, scope, "LIKE", side, STRING) for side in (value, pattern)]
    if _is_broken(pattern):
        wrong(scope.script.text, node, "a LIKE pattern cannot end with a single backslash")
    return sql("({a} LIKE {b} ESCAPE '\\')", a=texts[0].node, b=texts[1].node)
