"""What the names in a query mean.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#scope_rules
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from itertools import count
from typing import TYPE_CHECKING

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate import nodes as n
from warehouse_refresh.warehouse.duckdb.translate.syntax import foreign_source, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed, struct_value
from warehouse_refresh.warehouse.duckdb.types import duckdb_type, field_names
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.literals import LiteralValue
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import Column, SqlType, struct_of

if TYPE_CHECKING:
    from warehouse_refresh.warehouse.duckdb.translate.compiler import Compiler
    from warehouse_refresh.warehouse.duckdb.translate.queries.preamble import Function

Columns = Callable[[TableName], tuple[Column, ...]]

# https://cloud.google.com/bigquery/docs/querying-partitioned-tables#query_an_ingestion-time_partitioned_table and
# https://cloud.google.com/bigquery/docs/querying-wildcard-tables#filtering_selected_tables_using_table_suffix
_PSEUDO_COLUMNS = frozenset({"_PARTITIONTIME", "_PARTITIONDATE", "_TABLE_SUFFIX", "_FILE_NAME"})


class Known(Enum):
    """What is known by its own name of a column of FROM."""

    ITSELF = "itself"
    FIELDS = "fields"
    """Of an element of UNNEST: its own name is the alias of the item."""
    NOTHING = "nothing"
    """Of a column that a pipe hands on, and whose name was its table's alias, too: only `*` stands for it."""


@dataclass(frozen=True, slots=True)
class Named:
    """A value with its name in GoogleSQL ("" if it has none)."""

    name: str
    value: Typed
    fields: "tuple[Named, ...] | None" = None
    """Of a row that is a STRUCT: those of its fields for which `*` stands."""
    known: Known = Known.ITSELF
    """What its name, or the names of its fields, may be read by."""

    def without(self, names: Collection[str]) -> "Named":
        """The column, as a row without its fields of these names, in small letters."""
        if self.fields is None:
            return self
        return replace(self, fields=tuple([field for field in self.fields if field.name.casefold() not in names]))


def by_name(listed: Iterable[Named]) -> Iterator[Named]:
    """What is known by its own name: columns, and fields of rows."""
    for column in listed:
        if column.known == Known.ITSELF:
            yield column
        elif column.known == Known.FIELDS:
            yield from column.fields or ()


def written_out(listed: Iterable[Named]) -> list[Named]:
    """What `*` stands for: columns, and fields of rows."""
    return [part for column in listed for part in ((column,) if column.fields is None else column.fields)]


@dataclass(frozen=True, slots=True)
class Output:
    """A column of a table or query: its name in GoogleSQL ("" if it has none), the one that it has in DuckDB, and its
    type. A query's column may be a literal or be written out, like a value. `cast` is the DuckDB type that it is read
    as, "" where that is its own. `fields`: see Named; here they are their names in DuckDB.
    `is_hidden`: nothing is known by its name."""

    name: str
    column: str
    type: SqlType
    literal: LiteralValue = None
    parts: tuple[Typed, ...] = ()
    cast: str = ""
    fields: tuple[str, ...] | None = None
    is_hidden: bool = False

    def of(self, alias: str) -> Typed:
        """The column as a value, read by the alias of the table or query ("" if there is no other)."""
        node: n.Node = n.Column(alias, self.column)
        return Typed(sql(f"CAST({{x}} AS {self.cast})", x=node) if self.cast else node, self.type)

    def named(self, alias: str, hidden: Collection[str] = ()) -> Named:
        """The column with its name. The fields of a row are known to `*` only. `hidden`: names that are not known any
        more, in small letters."""
        value = self.of(alias)
        known = Known.NOTHING if self.is_hidden or self.name.casefold() in hidden else Known.ITSELF
        return self.kept(Named(self.name, value, tuple(fields_of(value)) if self.fields is not None else None, known))

    def kept(self, row: Named) -> Named:
        """The row, with those of its fields that this column hands on."""
        if row.fields is None or self.fields is None:
            return row
        names = zip(field_names(self.type), row.fields, strict=True)
        return replace(row, fields=tuple([field for name, field in names if name in self.fields]))


@dataclass(frozen=True, slots=True)
class Range:
    """An item of FROM within a pipe, for the operators after it: its alias; its columns, each with the output that has
    it; the output of its element, for an UNNEST; the columns that no output has; and the name of its offset."""

    alias: str
    columns: tuple[tuple[str, Output], ...]
    element: Output | None
    missing: frozenset[str] = frozenset()
    offset: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """A query, or the name of a table or of a WITH query, with its columns."""

    query: n.Node
    columns: tuple[Output, ...]
    is_value: bool = False
    """Whether its rows are values, not rows of columns: SELECT AS STRUCT."""
    order: tuple[tuple[str, str], ...] = ()
    """Where it leaves the order to its reader: the columns to sort by, each with its direction."""
    hidden: tuple[Output, ...] = ()
    """Columns that `*` leaves out."""
    ranges: tuple[Range, ...] = ()
    """Of a part of a pipe: the items of its FROM."""

    def aliases(self, column: Output) -> set[str]:
        """The aliases of these items, in small letters, but for those that stand for the column itself."""
        named = [(part.alias, part.element) for part in self.ranges]
        named += [(part.offset, part.columns[-1][1]) for part in self.ranges if part.offset]
        return {alias.casefold() for alias, own in named if own is None or own.column != column.column} - {""}


@dataclass(slots=True)
class Source:
    """An item of FROM: its alias, its columns, and for an UNNEST the element itself."""

    alias: str
    columns: list[Named]
    element: Typed | None = None
    hidden: tuple[Named, ...] = ()
    """Columns that `*` leaves out: _TABLE_SUFFIX."""
    is_weak: bool = False
    """Whether a column of the alias's name comes before it."""
    offset: str = ""
    """The name of an UNNEST's offset."""
    dataset: str = ""
    """The dataset of a table without an alias: its columns may be read as dataset.table.column."""
    missing: frozenset[str] = frozenset()
    """Columns that GoogleSQL knows by the alias, and that the query does not have any more: after |> DROP, |> SET."""

    def row(self) -> Typed:
        """The range variable as a value: the element, or a STRUCT of the columns."""
        if self.element is not None:
            return self.element
        kind = struct_of(*(Column(column.name, column.value.type) for column in self.columns))
        return struct_value([column.value for column in self.columns], kind)

    def listed(self) -> list[Named]:
        """Its columns; the elements of an UNNEST are one, whatever their fields are."""
        if self.element is None or self.element.type.name != "STRUCT":
            return self.columns
        count = len(self.element.type.fields)
        row = Named(self.alias, self.element, tuple(self.columns[:count]), Known.FIELDS)
        return [row, *self.columns[count:]]

    def forget(self, names: set[str]) -> None:
        """Leave out the names of columns that USING has made one with others: elements and offsets are columns."""
        if self.offset.casefold() in names:
            self.offset = ""
        if self.alias.casefold() in names and self.element is not None and self.element.type.name != "STRUCT":
            self.alias = ""


def value_source(alias: str, element: Typed) -> Source:
    """A range variable that is a value: a struct's fields are its columns."""
    if element.type.name != "STRUCT":
        return Source(alias, [Named(alias, element)], element)
    return Source(alias, fields_of(element), element)


def fields_of(value: Typed) -> list[Named]:
    """A STRUCT's fields."""
    names = zip(field_names(value.type), value.type.fields, strict=True)
    return [Named(field.name, Typed(n.Field(value.node, name), field.type)) for name, field in names]


class Script:
    """What one translation shares: the compiler, the text, the tables, the project that their names may have, a supply
    of names, and the query's parameters, and the variables and functions of the preamble, by their folded names."""

    def __init__(self, compiler: "Compiler", text: str, columns: Columns, own: str) -> None:
        self.compiler, self.text, self.columns, self.own = compiler, text, columns, own
        # No column of BigQuery's has a name with $; the aliases of a query may: those that stand in it are avoided.
        self._prefix = "t$"
        while self._prefix in text:
            self._prefix += "$"
        self._numbers = count(1)
        self.parameters: dict[str, Typed] = {}
        self.variables: dict[str, Typed] = {}
        self.functions: dict[str, Function] = {}
        self.with_queries: dict[str, n.Node] = {}
        self.wildcards: dict[TableName, tuple[TableName, ...]] = {}
        self.default = ""
        """The dataset of tables that are named without one."""

    def alias(self) -> str:
        """A name that nothing else in the translated text has."""
        return f"{self._prefix}{next(self._numbers)}"


class Scope:
    """The names that an expression sees: those of its own FROM, then those around it."""

    is_safe = False
    """Whether they are those of a call with SAFE."""

    def __init__(
        self, script: Script, parent: "Scope | None" = None, queries: Mapping[str, Relation] | None = None
    ) -> None:
        self.script, self.parent = script, parent
        self.queries: dict[str, Relation] = dict(queries if queries is not None else parent.queries if parent else {})
        self.sources: list[Source] = []
        self.listed: list[Named] = []
        self.windows: dict[str, exp.Expr] = {}
        self.aliases: dict[str, Typed] = {}
        self.doubled: set[str] = set()  # the aliases that several items have
        self.lambdas: dict[str, Typed] = {}
        self.is_of_values = True  # of a pipe: its rows may still be values, and are columns from some operator on

    def set_aliases(self, items: Sequence[Named]) -> None:
        """Let the clauses after SELECT read its items by their names."""
        names = [item.name.casefold() for item in items if item.name]
        self.aliases = {item.name.casefold(): item.value for item in items if item.name}
        self.doubled = {name for name in names if names.count(name) > 1} if len(self.aliases) < len(names) else set()

    def aliased(self, node: exp.Expr, path: Sequence[str]) -> Typed | None:
        """The value of a path that starts with the name of an item of SELECT."""
        name = path[0].casefold()
        if name not in self.aliases:
            return None
        if name in self.doubled:
            wrong(self.script.text, node, f"column {path[0]} is ambiguous", "give each column its own name")
        value = self.aliases[name]  # a column, whatever it was computed from: NULL as an item is an INT64 here
        return self.fields(node, Typed(value.node, value.type), path[1:])

    @property
    def compiler(self) -> "Compiler":
        """The translation's compiler."""
        return self.script.compiler

    def outer(self) -> "Scope":
        """What a subquery in FROM sees: the names around this query, not its siblings'."""
        return Scope(self.script, self.parent, self.queries)

    def apart(self) -> "Scope":
        """What a WITH query sees: the WITH queries before it, the arguments of the function in whose body it is, and no
        columns."""
        outermost = self
        while outermost.parent is not None:
            outermost = outermost.parent
        return Scope(self.script, outermost if outermost.lambdas else None, self.queries)

    def has_range(self, alias: str) -> bool:
        """Whether the alias is one of a FROM item here or around."""
        name = alias.casefold()
        here = any(source.alias.casefold() == name for source in self.sources)
        return here or (self.parent is not None and self.parent.has_range(alias))

    def is_row(self, name: str) -> bool:
        """Whether the name is an item of FROM, as a row of columns."""
        found = (source for source in self.sources if source.alias.casefold() == name.casefold())
        return any(source.element is None and not source.is_weak for source in found)

    def is_row_with(self, name: str) -> bool:
        """Whether the name is an item of FROM, as a row that has a column of the same name."""
        alias = name.casefold()
        for source in self.sources:
            if source.alias.casefold() == alias and source.element is None and not source.is_weak:
                return any(column.name.casefold() == alias for column in source.columns)
        return False

    def add(self, relation: Relation, alias: str, *, is_weak: bool = False) -> n.Node:
        """Put a table or query into the scope; gives it as an item of FROM, with an alias of its own. `is_weak`: see
        Source."""
        own = self.script.alias()
        columns = [column.named(own, relation.aliases(column)) for column in relation.columns]
        pseudo = tuple(Named(column.name, column.of(own)) for column in relation.hidden)
        source = Source(alias, columns, hidden=pseudo, is_weak=is_weak)
        self.put(value_source(alias, columns[0].value) if relation.is_value else source)
        return n.FromItem(relation.query, own)

    def add_pipe(self, relation: Relation) -> n.Node:
        """Put a part of a pipe into the scope: its tables are known by their aliases as before."""
        own = self.script.alias()
        self.is_of_values = relation.is_value
        rows = dict[str, Named]()
        for part in relation.ranges:
            columns = [Named(name, output.of(own)) for name, output in part.columns]
            source = Source(part.alias, [], missing=part.missing)
            if part.element is not None:
                source = value_source(part.alias, part.element.of(own))
                row = source.listed()[0]
                rows[part.element.column] = part.element.kept(replace(row, name=row.name or part.element.name))
            source.columns += columns
            source.offset = part.offset
            self.sources.append(source)
        self.listed += [rows.get(output.column) or output.named(own) for output in relation.columns]
        return n.FromItem(relation.query, own)

    def put(self, source: Source) -> None:
        """Put an item of FROM after those that are there."""
        self.sources.append(source)
        self.listed += source.listed()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The items that are put into the scope here see each other only; afterwards they stand after the others."""
        sources, listed = self.sources, self.listed
        self.sources, self.listed = [], []
        yield
        self.sources, self.listed = [*sources, *self.sources], [*listed, *self.listed]

    @property
    def is_correlated(self) -> bool:
        """Whether it may read columns of a query around this one."""
        around = self.parent
        while around is not None and not around.sources:
            around = around.parent
        return around is not None

    def tables(self) -> set[str]:
        """The aliases in DuckDB of the items of this FROM."""
        return {column.table for column in self.stored()}

    def stored(self) -> Iterator[n.Column]:
        """The columns in DuckDB of the items of this FROM."""
        return (part for value in self._seen() for part in n.walk(value.node) if isinstance(part, n.Column))

    def _seen(self) -> Iterator[Typed]:
        """The values that the names of this FROM stand for."""
        yield from (column.value for column in self.listed)
        for source in self.sources:
            yield from (column.value for column in (*source.columns, *source.hidden))
            if source.element is not None:
                yield source.element

    def read_by(self, change: Callable[[n.Node], n.Node]) -> None:
        """Read the columns of this FROM by other nodes: what `change` makes of each part of theirs."""

        def changed(value: Typed) -> Typed:
            return Typed(n.rebuilt(value.node, change), value.type)

        def read(column: Named) -> Named:
            fields = column.fields and tuple([read(field) for field in column.fields])
            return Named(column.name, changed(column.value), fields, column.known)

        self.listed = [read(column) for column in self.listed]
        for source in self.sources:
            source.columns = [read(column) for column in source.columns]
            source.hidden = tuple([read(column) for column in source.hidden])
            source.element = changed(source.element) if source.element is not None else None

    def columns(self) -> list[Named]:
        """What `*` stands for: the columns of all items, those of USING once and before the others of its join."""
        return written_out(self.listed)

    def resolve(self, node: exp.Expr, path: Sequence[str]) -> Typed:
        """The value of a path: a column or range variable, then fields. Raises SqlError."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.find(node, path)
            if found is not None:
                return scope.outside(node, found, path)
            scope = scope.parent
        variable = self.script.variables.get(path[0].casefold())
        if variable is not None:
            return self.fields(node, variable, path[1:])
        if path[-1].upper() in _PSEUDO_COLUMNS:
            foreign_source(
                self.script.text,
                node,
                f"the pseudo-column {path[-1].upper()}",
                "give the table a column of its own for the day, and filter by that",
            )
        return wrong(self.script.text, node, f"there is no column {'.'.join(path)}", self._closest(path[0]))

    def seen(self, node: exp.Expr, value: Typed, path: Sequence[str]) -> Typed:  # noqa: ARG002 (a grouped scope asks)
        """A column of the tables as this scope has it."""
        return value

    def outside(self, node: exp.Expr, found: Typed, path: Sequence[str]) -> Typed:  # noqa: ARG002 (a grouped scope asks)
        """The value as this scope's readers see it."""
        return found

    def find(self, node: exp.Expr, path: Sequence[str]) -> Typed | None:
        """The value of a path among this scope's own names."""
        name = path[0].casefold()
        if name in self.lambdas:
            return self.fields(node, self.lambdas[name], path[1:])
        if (item := self.aliased(node, path)) is not None:
            return item
        ranges = [source for source in self.sources if source.alias.casefold() == name]
        if len(ranges) > 1:
            wrong(
                self.script.text, node, f"{path[0]} is ambiguous: two tables have that alias", "give each its own alias"
            )
        found = [column.value for column in by_name(self.listed) if column.name.casefold() == name]
        if found and len(path) == 1 and ranges and ranges[0].is_weak:
            ranges = []
        elif offset := offset_of(self.sources, name):
            return self.fields(node, offset, path[1:])
        if ranges:
            return self._in_range(node, ranges[0], path)
        if len(found) > 1:
            wrong(
                self.script.text, node, f"column {path[0]} is ambiguous", f"write the table before it: table.{path[0]}"
            )
        hidden = [column.value for source in self.sources for column in source.hidden if column.name.casefold() == name]
        found = found or hidden[:1]
        return self.fields(node, found[0], path[1:]) if found else self._of_dataset(node, path)

    def _of_dataset(self, node: exp.Expr, path: Sequence[str]) -> Typed | None:
        """The value of dataset.table.column."""
        for source in self.sources if len(path) > 1 else ():
            if source.dataset == path[0] and source.alias == path[1]:
                return self._in_range(node, source, path[1:])
        return None

    def _in_range(self, node: exp.Expr, source: Source, path: Sequence[str]) -> Typed:
        if source.missing and (len(path) == 1 or path[1].casefold() in source.missing):
            what = f"{'.'.join(path)}, by its table's alias, after a pipe operator that changes or drops it"
            unsupported(self.script.text, node, what, "select it under a name of its own before")
        if len(path) == 1:
            return source.row()
        if source.element is not None:
            return self.fields(node, source.element, path[1:])
        readable = [*(column for column in source.columns if column.known == Known.ITSELF), *source.hidden]
        found = [column.value for column in readable if column.name.casefold() == path[1].casefold()]
        if len(found) > 1:
            wrong(self.script.text, node, f"column {path[0]}.{path[1]} is ambiguous")
        if not found:
            names = [column.name for column in source.columns if column.name]
            hint = did_you_mean(path[1], names) or f"its columns are {', '.join(names)}"
            wrong(self.script.text, node, f"{path[0]} has no column {path[1]}", hint)
        return self.fields(node, found[0], path[2:])

    def fields(self, node: exp.Expr, value: Typed, names: Sequence[str]) -> Typed:
        """The field of a field … of a struct. Raises SqlError."""
        for name in names:
            value = self.field(node, value, name)
        return value

    def field(self, node: exp.Expr, value: Typed, name: str) -> Typed:
        """A struct's field, by name. Raises SqlError."""
        if value.type.name == "JSON":
            if name.endswith("\\") and not isinstance(node, exp.Bracket):
                unsupported(self.script.text, node, "the name of a member that ends in a backslash", "write ['…']")
            return Typed(sql("json_extract({x}, {path})", x=value.node, path=n.Literal(json_key(name))), value.type)
        if value.type.name != "STRUCT":
            wrong(self.script.text, node, f"a {value.type} has no field {name}", "only a STRUCT has fields")
        found = [i for i, known in enumerate(value.type.fields) if known.name.casefold() == name.casefold()]
        if not found:
            fields = [known.name for known in value.type.fields if known.name]
            hint = did_you_mean(name, fields) or f"its fields are {', '.join(fields) or 'all without names'}"
            wrong(self.script.text, node, f"{value.type} has no field {name}", hint)
        if len(found) > 1:
            wrong(self.script.text, node, f"field {name} is ambiguous in {value.type}")
        kind = value.type.fields[found[0]].type
        read: n.Node = n.Field(value.node, field_names(value.type)[found[0]])
        if not isinstance(value.node, n.Column | n.Field):  # of a constant NULL DuckDB forgets the field's type
            read = sql(f"CAST({{x}} AS {duckdb_type(kind)})", x=read)
        return Typed(read, kind)

    def _closest(self, name: str) -> str:
        columns = [column.name for column in by_name(self.listed) if column.name]
        tables = [source.alias for source in self.sources if source.alias]
        known = f"the tables here are named {', '.join(tables)}" if tables else "there is no FROM to take it from"
        return did_you_mean(name, [*columns, *tables]) or known

    def compile_whole(self, node: exp.Expr) -> Typed:
        """A whole item of SELECT or ORDER BY."""
        return self.compile(node)

    def compile(self, node: exp.Expr) -> Typed:
        """An expression, typed. Raises SqlError, UnsupportedSql."""
        return self.compiler.expression(node, self)


def offset_of(sources: Sequence[Source], name: str) -> Typed | None:
    """The value of an UNNEST's offset, which comes before columns of the same name like any alias of FROM."""
    for source in sources:
        if source.offset.casefold() == name:
            return source.columns[-1].value
    return None


def json_key(name: str) -> str:
    """The JSON path to a member."""
    return '$."' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
