"""DuckDB's SQL as a small tree. Only `render` makes text of it, so nothing has to be searched in text or escaped twice.

Most expressions are written as templates over these nodes: see `templates`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

from warehouse_refresh.warehouse.duckdb.translate.text import bytes_sql, quoted, string_sql


class Node:
    """A part of a DuckDB statement. Equal nodes mean the same."""

    __slots__ = ()

    @property
    def cheap(self) -> bool:
        """Whether it costs nothing to compute the node twice. A cheap node cannot fail either."""
        return False

    def write(self, out: "Writer") -> None:
        """Append the node's text."""
        raise NotImplementedError


class Writer:
    """The text of a statement while it is put together."""

    __slots__ = ("count", "texts", "trying", "variables")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.variables: dict[int, tuple[Variable, str]] = {}  # with each one itself, since a number may be used again
        self.count = 0
        self.trying = False

    def listed(self, nodes: Sequence[Node], separator: str = ", ") -> None:
        """Append several nodes."""
        for index, node in enumerate(nodes):
            if index:
                self.texts.append(separator)
            node.write(self)

    def new_name(self) -> str:
        """A name for a lambda's parameter that no other one of the statement has."""
        self.count += 1
        return f"v{self.count}_"

    def bound(self, values: Sequence[Node], variables: "Sequence[Variable]", body: Node) -> None:
        """Append `body`, in which the variables stand for the values."""
        name = self.new_name()
        self.texts.append("list_transform([")
        if len(values) == 1:
            values[0].write(self)
            self.variables[id(variables[0])] = variables[0], name
        else:
            Struct(tuple((f"f{index}", value) for index, value in enumerate(values))).write(self)
            for index, variable in enumerate(variables):
                self.variables[id(variable)] = variable, f"{name}.f{index}"
        self.texts.append(f"], lambda {name}: ")
        body.write(self)
        self.texts.append(")[1]")


def render(node: Node) -> str:
    """The node as DuckDB's text."""
    out = Writer()
    node.write(out)
    return "".join(out.texts)


# Values


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A constant, and the DuckDB type to read it as ("": the type that DuckDB gives it)."""

    value: str | int | float | bytes | None
    type: str = ""

    @property
    def cheap(self) -> bool:
        return True

    def write(self, out: Writer) -> None:
        suffix = f"::{self.type}" if self.type else ""
        out.texts.append(f"{_literal_text(self.value)}{suffix}")


def _literal_text(value: str | float | bytes | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return bytes_sql(value)
    if isinstance(value, str):
        return string_sql(value)
    return repr(value) if 0 <= value < inf else f"'{value!r}'"


@dataclass(frozen=True, slots=True)
class Column(Node):
    """A column of a FROM item, by the item's alias; with "" for the alias, of the only item that there is."""

    table: str
    name: str

    @property
    def cheap(self) -> bool:
        return True

    def write(self, out: Writer) -> None:
        out.texts.append(f"{self.table}.{quoted(self.name)}" if self.table else quoted(self.name))


@dataclass(frozen=True, slots=True)
class Variable(Node):
    """A lambda's parameter, named when it is written. Each is one object; all are equal, since two expressions that
    differ in nothing else mean the same."""

    @property
    def cheap(self) -> bool:
        return True

    def write(self, out: Writer) -> None:
        out.texts.append(out.variables[id(self)][1])


@dataclass(frozen=True, slots=True)
class Field(Node):
    """A field of a struct."""

    struct: Node
    name: str

    @property
    def cheap(self) -> bool:
        return self.struct.cheap

    def write(self, out: Writer) -> None:
        if _is_path(self.struct):
            self.struct.write(out)
            out.texts.append(f".{quoted(self.name)}")
        else:
            out.texts.append("struct_extract(")
            self.struct.write(out)
            out.texts.append(f", {string_sql(self.name)})")


def _is_path(node: Node) -> bool:
    while isinstance(node, Field):
        node = node.struct
    return isinstance(node, Column | Variable)


@dataclass(frozen=True, slots=True)
class Array(Node):
    """An array of these elements, of a DuckDB type such as BIGINT[] ("" for the one that it has by itself)."""

    elements: tuple[Node, ...]
    type: str

    @property
    def cheap(self) -> bool:
        return all(element.cheap for element in self.elements)

    def write(self, out: Writer) -> None:
        out.texts.append("[")
        out.listed(self.elements)
        out.texts.append(f"]::{self.type}" if self.type else "]")


@dataclass(frozen=True, slots=True)
class Struct(Node):
    """A struct of these fields."""

    fields: tuple[tuple[str, Node], ...]

    @property
    def cheap(self) -> bool:
        return all(value.cheap for _, value in self.fields)

    def write(self, out: Writer) -> None:
        for index, (name, value) in enumerate(self.fields):
            out.texts.append(f"{', ' if index else '{'}{string_sql(name)}: ")
            value.write(out)
        out.texts.append("}")


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """Several values with an operator between them, such as AND; in parentheses."""

    operator: str
    values: tuple[Node, ...]

    def write(self, out: Writer) -> None:
        out.texts.append("(")
        out.listed(self.values, f" {self.operator} ")
        out.texts.append(")")


@dataclass(frozen=True, slots=True)
class FunctionCall(Node):
    """`name(a, b)` of any number of arguments; without a name, a list in parentheses."""

    name: str
    arguments: tuple[Node, ...]

    def write(self, out: Writer) -> None:
        out.texts.append(f"{self.name}(")
        out.listed(self.arguments)
        out.texts.append(")")


@dataclass(frozen=True, slots=True)
class Case(Node):
    """CASE WHEN … THEN … ELSE … END; in parentheses."""

    branches: tuple[tuple[Node, Node], ...]
    default: Node

    def write(self, out: Writer) -> None:
        out.texts.append("(CASE")
        for test, value in self.branches:
            out.texts.append(" WHEN ")
            test.write(out)
            out.texts.append(" THEN ")
            value.write(out)
        out.texts.append(" ELSE ")
        self.default.write(out)
        out.texts.append(" END)")


# Values that are computed once, or for each element


@dataclass(frozen=True, slots=True)
class Let(Node):
    """`body`, in which each variable stands for one of the values. Call `let` or `let_all` to create one."""

    values: tuple[Node, ...]
    variables: tuple[Variable, ...]
    body: Node

    def write(self, out: Writer) -> None:
        out.bound(self.values, self.variables, self.body)


def let(value: Node, body: Callable[[Node], Node]) -> Node:
    """The node `body(value)`, with the value computed only once."""
    return let_all([value], lambda values: body(values[0]))


def let_all(values: Sequence[Node], body: Callable[[list[Node]], Node]) -> Node:
    """The node `body(values)`, with each value computed only once."""
    costly = [value for value in values if not value.cheap]
    if not costly:
        return body(list(values))
    variables = tuple([Variable() for _ in costly])
    places = iter(variables)
    return Let(tuple(costly), variables, body([value if value.cheap else next(places) for value in values]))


@dataclass(frozen=True, slots=True)
class Each(Node):
    """An array with `body` for each element, or with `list_filter` for a function, with those elements for which `body`
    is true; the variable stands for the element. Call `each` to create one of the first kind."""

    array: Node
    variable: Variable
    body: Node
    function: str = "list_transform"

    def write(self, out: Writer) -> None:
        name = out.new_name()
        out.variables[id(self.variable)] = self.variable, name
        out.texts.append(f"{self.function}(")
        self.array.write(out)
        out.texts.append(f", lambda {name}: ")
        self.body.write(out)
        out.texts.append(")")


def each(array: Node, body: Callable[[Node], Node]) -> Node:
    """An array with `body(element)` for each element. Nodes in the body must be cheap or depend on the element."""
    variable = Variable()
    return Each(array, variable, body(variable))


@dataclass(frozen=True, slots=True)
class Attempt(Node):
    """NULL where the value fails. What may fail outside of it must be computed before, with `let`."""

    value: Node

    def write(self, out: Writer) -> None:
        around, out.trying = out.trying, True
        out.texts.append("TRY(")
        self.value.write(out)
        out.texts.append(")")
        out.trying = around


# Calls over several rows


@dataclass(frozen=True, slots=True)
class SortKey(Node):
    """A key of ORDER BY. `value` is what the query sorts by: the key itself may be a test of it."""

    key: Node
    direction: str
    value: Node

    def write(self, out: Writer) -> None:
        self.key.write(out)
        out.texts.append(f" {self.direction}")


@dataclass(frozen=True, slots=True)
class Over(Node):
    """A window: OVER (PARTITION BY … ORDER BY … frame)."""

    partition: tuple[Node, ...] = ()
    order: tuple[SortKey, ...] = ()
    frame: str = ""

    def write(self, out: Writer) -> None:
        out.texts.append(" OVER (")
        if self.partition:
            out.texts.append("PARTITION BY ")
            out.listed(self.partition)
        if self.order:
            out.texts.append(" ORDER BY ")
            out.listed(self.order)
        out.texts.append(f" {self.frame})" if self.frame else ")")


@dataclass(frozen=True, slots=True)
class AggregateCall(Node):
    """A call of an aggregate or window function: `name([DISTINCT] arguments [IGNORE NULLS] [ORDER BY …])`, over the
    rows for which `where` holds, in the window `over`."""

    name: str
    arguments: tuple[Node, ...] = ()
    distinct: bool = False
    ignore_nulls: bool = False
    order: tuple[SortKey, ...] = ()
    where: Node | None = None
    over: Over | None = None

    def write(self, out: Writer) -> None:
        in_parentheses = self.where is not None or self.over is not None
        out.texts.append(f"{'(' if in_parentheses else ''}{self.name}({'DISTINCT ' if self.distinct else ''}")
        out.listed(self.arguments)
        if self.ignore_nulls:
            out.texts.append(" IGNORE NULLS")
        if self.order:
            out.texts.append(" ORDER BY ")
            out.listed(self.order)
        out.texts.append(")")
        if self.where is not None:
            out.texts.append(" FILTER (WHERE ")
            self.where.write(out)
            out.texts.append(")")
        if self.over is not None:
            self.over.write(out)
        if in_parentheses:
            out.texts.append(")")


# Queries


@dataclass(frozen=True, slots=True)
class Name(Node):
    """The name of a table, or of a WITH query."""

    parts: tuple[str, ...]

    def write(self, out: Writer) -> None:
        out.texts.append(".".join(map(quoted, self.parts)))


@dataclass(frozen=True, slots=True)
class Star(Node):
    """`*`, or `alias.*`."""

    table: str = ""

    def write(self, out: Writer) -> None:
        out.texts.append(f"{self.table}.*" if self.table else "*")


@dataclass(frozen=True, slots=True)
class Item(Node):
    """A value of a SELECT list with its alias."""

    value: Node
    alias: str

    def write(self, out: Writer) -> None:
        self.value.write(out)
        out.texts.append(f" AS {quoted(self.alias)}")


@dataclass(frozen=True, slots=True)
class Select(Node):
    """A SELECT, clause by clause."""

    items: tuple[Node, ...]
    source: Node | None = None
    where: Node | None = None
    group: tuple[Node, ...] = ()
    qualify: Node | None = None
    order: tuple[SortKey, ...] = ()
    limit: Node | None = None
    offset: Node | None = None
    distinct: bool = False

    def write(self, out: Writer) -> None:
        out.texts.append("SELECT DISTINCT " if self.distinct else "SELECT ")
        out.listed(self.items)
        for word, clause in ((" FROM ", self.source), (" WHERE ", self.where)):
            _write_clause(out, word, clause)
        if self.group:
            out.texts.append(" GROUP BY ")
            out.listed(self.group)
        _write_clause(out, " QUALIFY ", self.qualify)
        if self.order:
            out.texts.append(" ORDER BY ")
            out.listed(self.order)
        _write_clause(out, " LIMIT ", self.limit)
        _write_clause(out, " OFFSET ", self.offset)


def _write_clause(out: Writer, word: str, clause: Node | None) -> None:
    if clause is not None:
        out.texts.append(word)
        clause.write(out)


@dataclass(frozen=True, slots=True)
class SetOperation(Node):
    """Queries with UNION ALL or the like between them."""

    word: str
    queries: tuple[Node, ...]

    def write(self, out: Writer) -> None:
        out.texts.append("(")
        out.listed(self.queries, f") {self.word} (")
        out.texts.append(")")


@dataclass(frozen=True, slots=True)
class With(Node):
    """A query with the WITH queries that it may read, by name."""

    queries: tuple[tuple[str, Node], ...]
    body: Node
    recursive: bool = False

    def write(self, out: Writer) -> None:
        out.texts.append("WITH RECURSIVE " if self.recursive else "WITH ")
        for index, (name, query) in enumerate(self.queries):
            out.texts.append(f"{', ' if index else ''}{quoted(name)} AS (")
            query.write(out)
            out.texts.append(")")
        out.texts.append(" ")
        self.body.write(out)


@dataclass(frozen=True, slots=True)
class FromItem(Node):
    """A table or query in FROM with its alias. `lateral` lets it read the items before it."""

    query: Node
    alias: str
    lateral: bool = False

    def write(self, out: Writer) -> None:
        out.texts.append("LATERAL " if self.lateral else "")
        if isinstance(self.query, Name):
            self.query.write(out)
        else:
            out.texts.append("(")
            self.query.write(out)
            out.texts.append(")")
        out.texts.append(f" AS {self.alias}")


@dataclass(frozen=True, slots=True)
class Join(Node):
    """Two FROM items joined, by words such as LEFT JOIN; without a condition for CROSS JOIN."""

    left: Node
    words: str
    right: Node
    condition: Node | None = None

    def write(self, out: Writer) -> None:
        self.left.write(out)
        out.texts.append(f" {self.words} ")
        self.right.write(out)
        _write_clause(out, " ON ", self.condition)


@dataclass(frozen=True, slots=True)
class InParentheses(Node):
    """A join, or a query, in parentheses; an item of FROM as it is, since DuckDB takes no parentheses around it."""

    inner: Node

    def write(self, out: Writer) -> None:
        is_item = isinstance(self.inner, FromItem)
        out.texts.append("" if is_item else "(")
        self.inner.write(out)
        out.texts.append("" if is_item else ")")


def reads(node: Node, tables: set[str]) -> bool:
    """Whether the node reads a column of one of the FROM items with these aliases."""
    return any(isinstance(part, Column) and part.table in tables for part in walk(node))


def is_correlated(query: Node) -> bool:
    """Whether a query reads columns of a query around it."""
    parts = list(walk(query))
    own = {part.alias for part in parts if isinstance(part, FromItem)}
    return any(isinstance(part, Column) and part.table and part.table not in own for part in parts)


def walk(node: Node) -> Iterator[Node]:
    """The node and all nodes in it."""
    left: list[object] = [node]
    while left:
        found = left.pop()
        if isinstance(found, tuple):
            left.extend(found)
        elif isinstance(found, Node):
            yield found
            names: Iterable[str] = found.__slots__
            left.extend([getattr(found, name) for name in names])


def rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """The node with `change` of each node in it, from the outside in: what `change` gives back as another one is not
    looked into."""
    found = change(node)
    if found is not node:
        return found
    names: Iterable[str] = node.__slots__
    parts = [getattr(node, name) for name in names]
    changed = [_rebuilt_part(part, change) for part in parts]
    return node if all(one is other for one, other in zip(parts, changed, strict=True)) else type(node)(*changed)


def _rebuilt_part(part: object, change: Callable[[Node], Node]) -> object:
    if isinstance(part, Node):
        return rebuilt(part, change)
    if isinstance(part, tuple):
        changed = tuple([_rebuilt_part(each, change) for each in part])
        return part if all(one is other for one, other in zip(part, changed, strict=True)) else changed
    return part
