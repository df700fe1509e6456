"""Functions that look at each element of an array: those with a lambda, and those that search a value.

GoogleSQL has them, and Spanner and Bigtable document them: https://cloud.google.com/spanner/docs/array_functions
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, common, no_signature
from warehouse_refresh.warehouse.duckdb.translate.expressions.comparisons import compared
from warehouse_refresh.warehouse.duckdb.translate.functions.arrays.arrays import element_of, of_one_type, the_array
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import Functions, argument
from warehouse_refresh.warehouse.duckdb.translate.literals import null
from warehouse_refresh.warehouse.duckdb.translate.nodes import AggregateCall, Node, Select, Struct, each, let, walk
from warehouse_refresh.warehouse.duckdb.translate.queries.grouping import aggregates_in
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import bare, name_of, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.sql.literals import EMPTY
from warehouse_refresh.warehouse.types import BOOL, INT64, array_of

Body = Callable[[Typed, Typed], Node]
"""What is made of an element and its offset."""


def for_each(array: Typed, body: Body) -> Node:
    """An array with what `body` makes of each element; NULL for a NULL array."""
    kind = element_of(array)

    def at(items: Node, place: Node) -> Node:
        element = sql("({a})[{i} + 1]", a=items, i=place)
        return let(element, lambda item: body(Typed(item, kind), Typed(place, INT64)))

    return let(array.node, lambda items: each(sql("range(len({a}))", a=items), lambda place: at(items, place)))


@contextmanager
def _named(scope: Scope, values: dict[str, Typed]) -> Iterator[None]:
    """The names stand for the values meanwhile."""
    around = scope.lambdas
    scope.lambdas = around | values
    yield
    scope.lambdas = around


def _called(function: exp.Lambda, scope: Scope, element: Typed, place: Typed) -> Typed:
    """The value of a lambda. Raises SqlError, UnsupportedSql."""
    names = [parameter.name.casefold() for parameter in function.expressions]
    if len(set(names)) < len(names) or not 1 <= len(names) <= 2:
        wrong(scope.script.text, function, "the lambda takes an element, or an element and its offset")
    if scope.is_safe:
        unsupported(scope.script.text, function, "SAFE before a call with a lambda")
    if any(True for _ in aggregates_in(function.this)):
        wrong(scope.script.text, function, "a lambda cannot hold an aggregate function")
    with _named(scope, dict(zip(names, (element, place), strict=False))):
        value = scope.compile(function.this)
    if any(isinstance(part, Select | AggregateCall) for part in walk(value.node)):
        hint = "write ARRAY(SELECT … FROM UNNEST(array) AS x)"
        unsupported(scope.script.text, function, "query or aggregate within a lambda", hint)
    return value


Wanted = exp.Lambda | Typed
"""What is searched in an array: elements for which a lambda holds, or those that equal a value."""


def _test(node: exp.Expr, scope: Scope, wanted: Wanted) -> Body:
    """Whether an element is one of those."""
    if isinstance(wanted, Typed):
        return lambda element, _: compared(node, scope, "=", element, wanted).node
    name = name_of(node)
    return lambda element, place: as_type(node, scope, name, _called(wanted, scope, element, place), BOOL).node


def _unless_no_value(wanted: Wanted, found: Node) -> Node:
    """What was found; NULL where the value that is searched is NULL."""
    return sql("CASE WHEN {v} IS NOT NULL THEN {x} END", v=wanted.node, x=found) if isinstance(wanted, Typed) else found


def _array_and(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> tuple[Typed, Wanted]:
    """The array, and what is searched in it. Raises SqlError, UnsupportedSql."""
    if len(parts) != 2:
        wrong(scope.script.text, node, f"wrong number of arguments for {name_of(node)}")
    if not isinstance(parts[1], exp.Lambda):
        return of_one_type(node, scope, argument(parts[0], scope), argument(parts[1], scope))
    if isinstance(bare(parts[0]), exp.Null):
        wrong(scope.script.text, node, f"{name_of(node)} does not take NULL without a type", "write CAST(NULL AS …)")
    [array] = the_array(node, scope, parts[:1])
    if array.literal is EMPTY:
        wrong(scope.script.text, node, f"{name_of(node)} does not take [] without a type", "write ARRAY<INT64>[]")
    return array, parts[1]


def parameter(node: exp.Expr, scope: Scope) -> Typed:
    """A parameter of a lambda: sqlglot makes no column of it."""
    return scope.resolve(node, [node.name])


def transform(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_TRANSFORM(a, e -> …): what the lambda gives for each element"""
    array, function = _array_and(node, scope, parts)
    if not isinstance(function, exp.Lambda):
        wrong(scope.script.text, node, "ARRAY_TRANSFORM takes a lambda", "write e -> e + 1")
    kinds = []

    def body(element: Typed, place: Typed) -> Node:
        value = _called(function, scope, element, place)
        kinds.append(value.type)
        return value.node

    found = for_each(array, body)
    if kinds[0].element is not None:
        wrong(scope.script.text, node, "an array cannot hold arrays", "let the lambda give a STRUCT")
    return Typed(found, array_of(kinds[0]))


def select(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_FILTER(a, e -> …), ARRAY_FIND_ALL(a, value or lambda): the elements for which it holds"""
    array, wanted = _array_and(node, scope, parts)
    if name_of(node) == "ARRAY_FILTER" and not isinstance(wanted, exp.Lambda):
        wrong(scope.script.text, node, "ARRAY_FILTER takes a lambda", "write e -> e > 1")
    found = _where(array, _test(node, scope, wanted), lambda element, _: element.node)
    return Typed(_unless_no_value(wanted, found), array.type)


def offsets(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_OFFSETS(a, value or lambda): where the elements stand for which it holds"""
    array, wanted = _array_and(node, scope, parts)
    found = _where(array, _test(node, scope, wanted), lambda _, place: place.node)
    return Typed(_unless_no_value(wanted, found), array_of(INT64))


def _where(array: Typed, test: Body, value: Body) -> Node:
    """The values of those elements for which the test holds."""
    pairs = for_each(array, lambda e, i: Struct((("v", value(e, i)), ("k", test(e, i)))))
    return sql("list_transform(list_filter({x}, lambda r_: coalesce(r_.k, false)), lambda r_: r_.v)", x=pairs)


_ANY = "(CASE WHEN {x} IS NOT NULL THEN coalesce(list_bool_or({x}), false) END)"
_ALL = "(CASE WHEN {x} IS NOT NULL THEN coalesce(list_bool_and({x}), true) END)"


def includes(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_INCLUDES(a, value or lambda): whether it holds for an element"""
    array, wanted = _array_and(node, scope, parts)
    found = sql(_ANY, x=for_each(array, _test(node, scope, wanted)))
    return Typed(_unless_no_value(wanted, found), BOOL)


def includes_several(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """ARRAY_INCLUDES_ANY(a, b), ARRAY_INCLUDES_ALL(a, b): whether a has an element of b, or all of them"""
    if len(parts) != 2:
        wrong(scope.script.text, node, f"wrong number of arguments for {name_of(node)}")
    values = [argument(part, scope) for part in parts]
    if all(value.is_null for value in values):
        values = [Typed(null(array_of(INT64)).node, array_of(INT64))] * 2
    kind, (array, searched) = common(node, scope, name_of(node), values)
    if kind.element is None:
        return no_signature(node, scope, name_of(node), values)

    def among(items: Typed) -> Body:
        return lambda value, _: sql(_ANY, x=for_each(items, lambda e, _: compared(node, scope, "=", e, value).node))

    template = _ANY if name_of(node) == "ARRAY_INCLUDES_ANY" else _ALL
    found = let(array.node, lambda items: sql(template, x=for_each(searched, among(Typed(items, array.type)))))
    return Typed(sql("CASE WHEN {a} IS NOT NULL THEN {x} END", a=array.node, x=found), BOOL)


FUNCTIONS: Functions = {
    "ARRAY_TRANSFORM": transform,
    "ARRAY_FILTER": select,
    "ARRAY_FIND_ALL": select,
    "ARRAY_OFFSETS": offsets,
    "ARRAY_INCLUDES": includes,
    "ARRAY_INCLUDES_ANY": includes_several,
    "ARRAY_INCLUDES_ALL": includes_several,
}
