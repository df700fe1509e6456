"""Subqueries that only take elements of an array, such as `(SELECT value FROM UNNEST(a) WHERE key = 'x')`, as calls on
the array.

DuckDB joins each correlated subquery with the rows around it. A script with thirty of them, as those over Google
Analytics' events have, would take it seconds to plan, and one with sixty longer than anybody waits.
"""

from collections.abc import Callable
from dataclasses import dataclass

from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    AggregateCall,
    Array,
    Case,
    Column,
    Each,
    FromItem,
    Item,
    Literal,
    Node,
    Over,
    Select,
    SetOperation,
    Variable,
    With,
    let,
    rebuilt,
    walk,
)
from warehouse_refresh.warehouse.duckdb.translate.templates import Filled, is_random, sql

UNNEST = "unnest({a})"
_TOO_MANY = "error('Scalar subquery produced more than one element')"


@dataclass(frozen=True, slots=True)
class Elements:
    """The elements of an array that a query takes, and its value for each of them."""

    taken: Node
    value: Callable[[Node], Node]
    is_first: bool
    """Whether it takes the first one only: LIMIT 1."""

    def one(self) -> Node:
        """The value for the only element; NULL for none, an error for two."""
        return let(self.taken, self._one_of)

    def _one_of(self, taken: Node) -> Node:
        none = (sql("coalesce(len({l}), 0) = 0", l=taken), Literal(None))
        two = () if self.is_first else ((sql("len({l}) > 1", l=taken), sql(_TOO_MANY)),)
        return Case((none, *two), let(sql("({l})[1]", l=taken), self.value))

    def all(self, element_type: str) -> Node:
        """The values of all elements, as an array of this type."""
        variable = Variable()
        values = Each(self.taken, variable, self.value(variable))
        return sql("coalesce({l}, {none})", l=values, none=Array((), element_type))

    def any(self) -> Node:
        """Whether it takes any element."""
        return sql("(coalesce(len({l}), 0) > 0)", l=self.taken)


def elements_of(query: Node) -> Elements | None:
    """What the query takes of an array; None for a query that does more."""
    if not isinstance(query, Select) or len(query.items) != 1 or not isinstance(query.items[0], Item):
        return None
    if query.group or query.qualify or query.order or query.offset or query.distinct or not _is_one(query.limit):
        return None
    array, alias = _array_in(query.source)
    value, where = query.items[0].value, query.where
    if array is None or not all(_is_plain(part, alias) for part in (value, where) if part is not None):
        return None
    element = Column(alias, "v")

    def of(node: Node) -> Callable[[Node], Node]:
        return lambda given: rebuilt(node, lambda part: given if part == element else part)

    if where is None:
        return Elements(array, of(value), query.limit is not None)
    variable = Variable()
    taken = Each(array, variable, of(where)(variable), "list_filter")
    return Elements(taken, of(value), query.limit is not None)


def _is_one(limit: Node | None) -> bool:
    return limit is None or (isinstance(limit, Literal) and limit.value == 1)


def _array_in(source: Node | None) -> tuple[Node | None, str]:
    """The array of a FROM that has nothing but its UNNEST, without an offset, and its alias; None for any other."""
    if not isinstance(source, FromItem) or not isinstance(source.query, Select) or source.query.source is not None:
        return None, ""
    match source.query.items:
        case (Item(value=Filled() as value),) if value.template.text == UNNEST:
            return value.arguments[0], source.alias
    return None, ""


def _is_plain(node: Node, alias: str) -> bool:
    """Whether the node can stand in a lambda: it holds no query, and reads of the UNNEST nothing but the element."""
    for part in walk(node):
        if isinstance(part, Select | SetOperation | With | AggregateCall | Over):
            return False
        if isinstance(part, Column) and part.table == alias and part.name != "v":
            return False
    return not is_random(node)
