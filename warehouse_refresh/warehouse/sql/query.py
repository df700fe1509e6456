"""Queries and statements in GoogleSQL: their texts, and the tables, parameters and functions that they name.

Importing the parser takes longer than a refresh of eight scripts from the cache. So it is imported only for texts that
are not in the cache.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from warehouse_refresh.warehouse.errors import Place, SqlError, place_at
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.types import SqlType

if TYPE_CHECKING:
    from sqlglot import exp

    from warehouse_refresh.warehouse.sql.cache import SqlCache


_BEFORE = re.compile(r"(?:\s|--[^\n]*+|\#[^\n]*+|/\*.*?\*/)*+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Read:
    """A table that a query reads: the place where the text first names it, and the project in that name ("": none)."""

    table: TableName
    place: Place
    project: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter, `@name`, and the place where the text first names it."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Variable:
    """The value of a query parameter, in the Python types of `warehouse.Row`, and its type in GoogleSQL."""

    name: str
    type: SqlType
    value: Any

    def __str__(self) -> str:
        return f"@{self.name} {self.type} {self.value!r}"


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function whose name has a dataset, such as `d.f(x)`. `start` and `end` are the offsets of the name in
    the text, and `project` is the project in the name ("": none)."""

    name: TableName
    start: int
    end: int
    place: Place
    project: str = ""


@dataclass(frozen=True, slots=True)
class Function:
    """A function that a file creates with CREATE FUNCTION. warehouse/functions.py reads these files.

    `text` is the whole text, `sql` the text without the options after the body. `head` and `body` are offsets in the
    text, start and end: `head` of CREATE … with the name, `body` of what the body's brackets contain. `arguments` are
    the types of its arguments, as text. `names` and `calls` are the tables and functions that its body names. If it is
    written in another language than SQL, `language` is the place where it says so, and there is no body.
    """

    name: TableName
    text: str
    sql: str
    head: tuple[int, int]
    body: tuple[int, int]
    arguments: tuple[str, ...] = ()
    names: tuple[Read, ...] = ()
    calls: tuple[Call, ...] = ()
    language: Place | None = None


@dataclass(frozen=True, slots=True)
class ListedColumn:
    """A column in the list before AS in CREATE TABLE or CREATE VIEW. `kind` is its type as text ("" in a view, which
    has the query's types), `required` whether it is NOT NULL, and `text` its whole text, in one line."""

    name: str
    kind: str
    required: bool
    text: str
    place: Place


@dataclass(frozen=True)
class Query:
    """One query: its text as written, and in `names` the tables that it names, each once, in the order of the text. A
    table's dataset is "" if the text names none. In the project `own`, `own.tmp.a` is the table `tmp.a`.

    `preamble` is the DECLARE, SET and CREATE TEMP FUNCTION before the query, with blanks for the rest of the script.

    `wildcards` has the tables that match each wildcard table of the text, such as `raw.events_*`.

    `parameters` are the query parameters that the text names. `variables` are the values of those that have one:
    https://cloud.google.com/bigquery/docs/parameterized-queries

    `calls` are the calls of functions whose names have a dataset. `functions` are those of them that files of the
    project create, and the functions that these call in turn, each after those that it calls. The query also reads the
    tables that its functions read.

    `default` is the dataset of tables that the text names without one; "" if there are none.

    `listed` are the columns of CREATE … (a, b) AS: the result has their names and types. Empty without a list.
    """

    text: str
    names: tuple[Read, ...]
    own: str = ""
    preamble: str = ""
    wildcards: tuple[tuple[TableName, tuple[TableName, ...]], ...] = ()
    parameters: tuple[Parameter, ...] = ()
    variables: tuple[Variable, ...] = ()
    calls: tuple[Call, ...] = ()
    functions: tuple[Function, ...] = ()
    listed: tuple[ListedColumn, ...] = ()
    default: str = ""

    def within(self, project: str) -> "Query":
        """The same query, as a query of that project."""
        return self if self.own == project else replace(self, own=project)

    def with_default(self, dataset: str) -> "Query":
        """The same query, with this dataset for tables that the text names without one. "" changes nothing."""
        if not dataset or all(read.table.dataset for read in self.names):
            return self
        first: dict[tuple[str, TableName], Read] = {}
        for read in self.names:
            table = TableName(read.table.dataset or dataset, read.table.name)
            first.setdefault((read.project, table), replace(read, table=table))
        return replace(self, names=tuple(first.values()), default=dataset)

    def given(self, values: Mapping[str, Variable]) -> "Query":
        """The same query with the values of its parameters. The keys of `values` are case-folded names."""
        if not self.parameters:
            return self
        names = dict.fromkeys(parameter.name.casefold() for parameter in self.parameters)
        return replace(self, variables=tuple(values[name] for name in names if name in values))

    def calling(self, known: Mapping[TableName, Function]) -> "Query":
        """The same query with the functions of `known` that it calls. These must not call each other in a circle."""
        found: dict[TableName, Function] = {}
        reads = list(self.names)
        for call in self.calls:
            function = known.get(call.name) if self.is_own(call.project) else None
            if function is not None:
                called = _with_called(function, known, self.own)
                found |= called
                reads += [replace(read, place=call.place) for one in called.values() for read in one.names]
        first: dict[tuple[str, TableName], Read] = {}
        for read in reads:
            first.setdefault((read.project, read.table), read)
        return replace(self, names=tuple(first.values()), functions=tuple(found.values())) if found else self

    @property
    def values_text(self) -> str:
        """A text that differs whenever the values of its parameters or the texts of its functions differ. "" if it has
        neither."""
        return "\n".join([*map(str, self.variables), *(function.text for function in self.functions)])

    def matched(self, known: Iterable[TableName]) -> "Query":
        """The same query with the tables of `known` that match its wildcard tables:
        https://cloud.google.com/bigquery/docs/querying-wildcard-tables"""
        wild = {read.table for read in self.names if self.is_own(read.project) and read.table.name.endswith("*")}
        if not wild:
            return self
        tables = sorted(known)
        return replace(
            self, wildcards=tuple((one, tuple(filter(partial(_matches, one), tables))) for one in sorted(wild))
        )

    def is_own(self, project: str) -> bool:
        """Whether a table belongs to the query's own project, if the text names it with `project` ("": with none)."""
        return project in ("", self.own)

    @cached_property
    def reads(self) -> tuple[Read, ...]:
        """The tables of its own project that the query reads, each once. A wildcard table counts as the tables that
        match it, or as itself if none does. Raises SqlError for a table without a dataset."""
        first: dict[TableName, Read] = {}
        members = dict(self.wildcards)
        for read in self.names:
            if not read.table.dataset:
                raise SqlError(
                    f"{read.table.name} is neither a WITH query nor a table with its dataset",
                    hint=f"write `dataset.{read.table.name}`, or name the dataset in refresh.toml: [datasets] default",
                    place=read.place,
                )
            if self.is_own(read.project):
                for table in members.get(read.table) or (read.table,):
                    first.setdefault(table, read if table == read.table else replace(read, table=table))
        return tuple(first.values())

    @cached_property
    def tables(self) -> frozenset[TableName]:
        """The tables of `reads`. Raises SqlError for a table without a dataset."""
        return frozenset([read.table for read in self.reads])

    @property
    def start_offset(self) -> int:
        """How many characters stand before its first word."""
        before = _BEFORE.match(self.text)
        return before.end() if before else 0

    @property
    def start(self) -> Place:
        """Where its first word stands."""
        return place_at(self.text, self.start_offset, self.start_offset)

    @property
    def tree(self) -> "exp.Query":
        """The syntax tree. Each call parses the text again: to keep the trees of a thousand scripts would take 100
        MB."""
        from warehouse_refresh.warehouse.sql.parser import query_tree

        return query_tree(self.text, self.default)


def _with_called(function: Function, known: Mapping[TableName, Function], own: str) -> dict[TableName, Function]:
    """The function, after all functions that it calls."""
    found: dict[TableName, Function] = {}
    for call in function.calls:
        if call.name in known and call.project in ("", own):
            found |= _with_called(known[call.name], known, own)
    return {**found, function.name: function}


def _matches(wildcard: TableName, table: TableName) -> bool:
    return table.dataset == wildcard.dataset and table.name.startswith(wildcard.name[:-1]) and table != wildcard


_AFTER_CREATE = len("CREATE") + 1


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a script. `target` is the table that it creates or changes (None: it does neither), and
    `project` the project in that table's name ("": none). `start` is the statement's place in the script. For `own`,
    see Query. `inserted` counts the characters that `parser.with_or_replace` added after CREATE."""

    text: str
    tree: "exp.Expr"
    target: TableName | None
    start: Place
    project: str = ""
    own: str = ""
    inserted: int = 0

    def located(self, error: SqlError) -> SqlError:
        """The same error with its place in the script. An error without a place gets the statement's start."""
        if error.place is None:
            return type(error)(error.reason, hint=error.hint, place=self.start)
        column = error.place.column
        if error.place.line == 1:
            column += self.start.column - 1 - min(self.inserted, max(0, column - _AFTER_CREATE))
        place = Place(self.start.line + error.place.line - 1, column, error.place.length)
        return type(error)(error.reason, hint=error.hint, place=place)


def blanked(text: str, start: int, end: int) -> str:
    """The text with blanks from `start` up to `end`, so that all other characters keep their places."""
    return text[:start] + re.sub(r"\S", " ", text[start:end]) + text[end:]


def parse_query(text: str, cache: "SqlCache | None" = None, preamble: str = "") -> Query:
    """Read a text that must be one query, and its preamble. A text that is in the `cache` is not parsed again. Raises
    SqlError."""
    key = f"{preamble}\n{text}" if preamble else text
    noted = cache.recall("names", key) if cache else None
    if noted is not None:
        names = tuple(Read(TableName(*name), Place(*place), project) for name, place, project in noted["names"])
        parameters = tuple(Parameter(name, Place(*place)) for name, place in noted["parameters"])
        calls = tuple(call_from_json(call) for call in noted["calls"])
        return Query(text, names, preamble=preamble, parameters=parameters, calls=calls)
    from warehouse_refresh.warehouse.sql.calls import calls_in
    from warehouse_refresh.warehouse.sql.parser import names_in, parameters_in

    names, parameters = names_in(text, preamble), parameters_in(text, preamble)
    calls = (*calls_in(preamble), *calls_in(text))
    if cache:
        reads = [[[it.table.dataset, it.table.name], _place(it.place), it.project] for it in names]
        more = {"parameters": [[it.name, _place(it.place)] for it in parameters], "calls": list(map(astuple, calls))}
        cache.note("names", key, {"names": reads, **more})
    return Query(text, names, preamble=preamble, parameters=parameters, calls=calls)


def _place(place: Place) -> list[int]:
    return [place.line, place.column, place.length]


def call_from_json(noted: Sequence[Any]) -> Call:
    """The Call that the cache holds as the JSON of `astuple(call)`."""
    name, start, end, place, project = noted
    return Call(TableName(*name), start, end, Place(*place), project)
