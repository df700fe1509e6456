"""Queries and statements in GoogleSQL: their texts, and the tables that they name.

Importing the parser takes longer than a refresh of eight known scripts, so it is imported only for texts that the
cache does not know.
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
    """A table that a query reads, where its text names it first, and the project that it names with it ("": none)."""

    table: TableName
    place: Place
    project: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter, `@name`, where a text names it first."""

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
    """A call of a function by a name with its dataset, such as `d.f(x)`: the name, where its characters start and end
    in the text, its place, and the project that it is named with ("": none)."""

    name: TableName
    start: int
    end: int
    place: Place
    project: str = ""


@dataclass(frozen=True, slots=True)
class Function:
    """A function that a file creates with CREATE FUNCTION; see warehouse/functions.py, which reads them.

    `sql` is its text without the options after its body. `head` are the characters of CREATE … and its name, `body`
    those within the brackets of its body, each from and up to. `arguments` are the types of its arguments, as text.
    `names` and `calls` are those of its body. `language` is where it names another language than SQL: then it has no
    body here."""

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
    """A column in the list that CREATE TABLE or CREATE VIEW has before AS: its name; its type as text, "" in a view's
    list, which takes the query's; whether it is NOT NULL; its text, in one line; its place."""

    name: str
    kind: str
    required: bool
    text: str
    place: Place


@dataclass(frozen=True)
class Query:
    """One query: its text, as written, and the tables that it names, each once, in the order of the text (the dataset
    is "" where the text names none). Within the project `own`, `own.tmp.a` is the table `tmp.a`.

    `wildcards` has for each wildcard table that it names, such as `raw.events_*`, the tables that match.

    `preamble` has the DECLARE, SET and CREATE TEMP FUNCTION before it, with blanks in place of the rest of the script.

    `parameters` are the query parameters that the text names, and `variables` the values of those that have one:
    https://cloud.google.com/bigquery/docs/parameterized-queries

    `calls` are the calls of functions with a dataset, and `functions` those of them that the project has as files, with
    the functions that these call, each after what it calls. What a function reads is read by its caller.

    `default` is the dataset of the tables that its text names without one; "" if it names none so.

    `listed` are the columns that CREATE … (a, b) AS lists: the result has their names and types. Empty without a list.
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
        """The same query as one of that project."""
        return self if self.own == project else replace(self, own=project)

    def with_default(self, dataset: str) -> "Query":
        """The same query, where a name without a dataset is one of this dataset; with "" it stays without."""
        if not dataset or all(read.table.dataset for read in self.names):
            return self
        first: dict[tuple[str, TableName], Read] = {}
        for read in self.names:
            table = TableName(read.table.dataset or dataset, read.table.name)
            first.setdefault((read.project, table), replace(read, table=table))
        return replace(self, names=tuple(first.values()), default=dataset)

    def given(self, values: Mapping[str, Variable]) -> "Query":
        """The same query with the values of its parameters, found by their folded names."""
        if not self.parameters:
            return self
        names = dict.fromkeys(parameter.name.casefold() for parameter in self.parameters)
        return replace(self, variables=tuple(values[name] for name in names if name in values))

    def calling(self, known: Mapping[TableName, Function]) -> "Query":
        """The same query with the `known` functions that it calls. They do not call each other in a circle."""
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
        """The values of its parameters and the texts of its functions as a text that differs where they differ; "" if
        it has none."""
        return "\n".join([*map(str, self.variables), *(function.text for function in self.functions)])

    def matched(self, known: Iterable[TableName]) -> "Query":
        """The same query with the `known` tables that its wildcard tables stand for:
        https://cloud.google.com/bigquery/docs/querying-wildcard-tables"""
        wild = {read.table for read in self.names if self.is_own(read.project) and read.table.name.endswith("*")}
        if not wild:
            return self
        tables = sorted(known)
        return replace(
            self, wildcards=tuple((one, tuple(filter(partial(_matches, one), tables))) for one in sorted(wild))
        )

    def is_own(self, project: str) -> bool:
        """Whether a table that the text names with this project ("": with none) is one of the query's own project."""
        return project in ("", self.own)

    @cached_property
    def reads(self) -> tuple[Read, ...]:
        """The tables of its own project that the query reads, each once; for a wildcard table those that match, or the
        name itself if none does. Raises SqlError for a table without its dataset."""
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
                    first.setdefault(table, replace(read, table=table))
        return tuple(first.values())

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
        """The syntax tree, parsed anew: the trees of a thousand scripts would take 100 MB."""
        from warehouse_refresh.warehouse.sql.parser import query_tree

        return query_tree(self.text, self.default)


def _with_called(function: Function, known: Mapping[TableName, Function], own: str) -> dict[TableName, Function]:
    """The function after all that it calls."""
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
    """One statement of a script, with the table that it creates or changes (None for any other statement), where in
    the script's text it starts, and the project that the text names with that table. Of `own`, see Query. `inserted` is
    the number of characters after CREATE that the script does not have (see `parser.with_or_replace`)."""

    text: str
    tree: "exp.Expr"
    target: TableName | None
    start: Place
    project: str = ""
    own: str = ""
    inserted: int = 0

    def located(self, error: SqlError) -> SqlError:
        """An error in this statement, with its place in the script: the statement's start if it had none."""
        if error.place is None:
            return type(error)(error.reason, hint=error.hint, place=self.start)
        column = error.place.column
        if error.place.line == 1:
            column += self.start.column - 1 - min(self.inserted, max(0, column - _AFTER_CREATE))
        place = Place(self.start.line + error.place.line - 1, column, error.place.length)
        return type(error)(error.reason, hint=error.hint, place=place)


def blanked(text: str, start: int, end: int) -> str:
    """The text with blanks from `start` up to `end`: what is left keeps its place."""
    return text[:start] + re.sub(r"\S", " ", text[start:end]) + text[end:]


def parse_query(text: str, cache: "SqlCache | None" = None, preamble: str = "") -> Query:
    """Read a text that must be one query, and its preamble; what the `cache` knows is not parsed again. Raises
    SqlError."""
    key = f"{preamble}\n{text}" if preamble else text
    noted = cache.recall("names", key) if cache else None
    if noted is not None:
        names = tuple(Read(TableName(*name), Place(*place), project) for name, place, project in noted["names"])
        parameters = tuple(Parameter(name, Place(*place)) for name, place in noted["parameters"])
        calls = tuple(call_from_json(call) for call in noted["calls"])
        return Query(text, names, preamble=preamble, parameters=parameters, calls=calls)
    from warehouse_refresh.warehouse.sql.parser import names_in, parameters_in
    from warehouse_refresh.warehouse.sql.tokens import calls_in

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
    """The call that `astuple` has made a note of."""
    name, start, end, place, project = noted
    return Call(TableName(*name), start, end, Place(*place), project)
