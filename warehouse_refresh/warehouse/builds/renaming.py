"""A query over other tables: the names of some tables in its text are replaced, and nothing else."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sqlglot import exp

from warehouse_refresh.warehouse.errors import Place, SqlError
from warehouse_refresh.warehouse.functions import parse_function
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import function_bodies, query_tree, span_of, tables_in
from warehouse_refresh.warehouse.sql.preamble import Assignment, read_preamble
from warehouse_refresh.warehouse.sql.query import Call, Function, Query, parse_query

Names = Mapping[TableName, TableName]
"""The table to read in place of each."""


@dataclass(frozen=True, slots=True)
class _Edit:
    """The characters from `start` up to `end` become `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Renamed:
    """A query whose text names other tables. `located` finds the place in the text as it was written."""

    query: Query
    text: str
    edits: tuple[_Edit, ...] = ()

    def located(self, error: SqlError) -> SqlError:
        """The error with its place in the text as it was written."""
        if error.place is None or not self.edits:
            return error
        return type(error)(error.reason, hint=error.hint, place=_original(self.text, self.edits, error.place))


def renamed(query: Query, names: Names, function_as: Names | None = None) -> Renamed:
    """The query with other tables in place of those of `names`, also where its functions read them and where a wildcard
    stands for them, and other functions in place of those of `function_as`. Raises SqlError where it names a table that
    cannot be replaced."""
    query = replace(query, wildcards=tuple((one, _members(tables, names)) for one, tables in query.wildcards))
    wanted = {read.table for read in query.names if query.is_own(read.project)} & names.keys()
    functions = function_as or {}
    if not wanted and functions.keys().isdisjoint(function.name for function in query.functions):
        return Renamed(query, query.text)
    merged = "".join(map(max, query.preamble or query.text, query.text))
    edits = tuple(sorted([*_table_edits(query, merged, names), *_call_edits(query.calls, functions)], key=_start))
    new = parse_query(_edited(query.text, edits), None, _edited(query.preamble, edits))
    new = new.with_default(query.default).within(query.own)
    new = new.given({variable.name.casefold(): variable for variable in query.variables})
    called = functions_as(query.functions, functions, {table: names[table] for table in wanted}, query.own)
    new = new.calling({function.name: function for function in called})
    if left := [read for read in new.names if read.table in wanted and new.is_own(read.project)]:
        raise SqlError(
            f"an environment cannot read its own {left[0].table} here",
            hint="only tables after FROM and JOIN can be replaced",
        )
    return Renamed(replace(new, listed=query.listed, wildcards=query.wildcards), query.text, edits)


def _members(members: Iterable[TableName], names: Names) -> tuple[TableName, ...]:
    """The tables that a wildcard stands for, in their order."""
    return tuple(names.get(member, member) for member in members)


def functions_as(
    functions: Iterable[Function], names: Names, tables: Names | None = None, own: str = ""
) -> list[Function]:
    """The functions under other names, also where they call each other, and with other `tables` of the project `own` in
    their bodies."""
    return [_function_as(function, names, tables or {}, own) for function in functions]


def _function_as(function: Function, names: Names, tables: Names, own: str) -> Function:
    name = names.get(function.name, function.name)
    head = _Edit(*function.head, f"CREATE FUNCTION `{name.dataset}`.`{name.name}`")
    bodies = [] if function.language else function_bodies(function.sql)
    found = [(node, tables.get(TableName(node.db, node.name))) for tree in bodies for node in tables_in(tree)]
    own_tables = [
        _table_edit(function.sql, node, other) for node, other in found if other and node.catalog in ("", own)
    ]
    edits = tuple(sorted([head, *_call_edits(function.calls, names), *own_tables], key=_start))
    return parse_function(_edited(function.text, edits), name.dataset)


def _start(edit: _Edit) -> int:
    return edit.start


def _call_edits(calls: Iterable[Call], names: Names) -> Iterator[_Edit]:
    for call in calls:
        if not call.project and (name := names.get(call.name)) is not None:
            yield _Edit(call.start, call.end, f"`{name.dataset}`.`{name.name}`")


def _table_edits(query: Query, merged: str, names: Names) -> Iterator[_Edit]:
    trees = [query_tree(query.text, query.default), *function_bodies(query.preamble, query.default)]
    texts = [*((merged, 0, tree) for tree in trees), *_values(query)]
    for text, longer, node in ((text, longer, node) for text, longer, tree in texts for node in tables_in(tree)):
        other = names.get(TableName(node.db, node.name)) if query.is_own(node.catalog) else None
        if other is not None:
            yield _table_edit(text, node, other, longer)


def _table_edit(text: str, node: exp.Table, other: TableName, longer: int = 0) -> _Edit:
    start, last = span_of(text, node)
    return _Edit(start - longer, last + 1 - longer, f"`{other.dataset}`.`{other.name}`")


def _values(query: Query) -> Iterator[tuple[str, int, exp.Query]]:
    """The values of DECLARE and SET as queries: the text of each, by how many characters it is longer before the value,
    and its tree."""
    for part in read_preamble(query.preamble) if query.preamble else ():
        if isinstance(part, Assignment) and part.value:
            yield part.value, len(part.value) - len(query.preamble), query_tree(part.value, query.default)


def _edited(text: str, edits: tuple[_Edit, ...]) -> str:
    """The text with the edits made; where it has blanks, since the name stands in the other text, more blanks."""
    for edit in reversed(edits):
        if text:
            is_here = bool(text[edit.start : edit.end].strip())
            text = text[: edit.start] + (edit.text if is_here else " " * len(edit.text)) + text[edit.end :]
    return text


def _original(text: str, edits: tuple[_Edit, ...], place: Place) -> Place:
    """The place in the text for a place in the edited one. No edit has a line break."""
    starts = [0, *(index + 1 for index, character in enumerate(text) if character == "\n")]
    if place.line > len(starts):
        return place
    start = starts[place.line - 1]
    end = starts[place.line] if place.line < len(starts) else len(text)
    column = place.column - 1
    for edit in (edit for edit in edits if start <= edit.start < end):
        at = edit.start - start
        if column <= at:
            break
        column = max(at, column - len(edit.text) + edit.end - edit.start)
    return Place(place.line, column + 1, place.length)
