"""Write other tables into a query's text: stand-ins for tables that do not exist yet, so that BigQuery can dry-run it,
and the places of tables that are staged.

The lines of the text stay the same, so a place in BigQuery's error can be found in the script."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from warehouse_refresh.warehouse.bigquery.schema import quoted, type_sql
from warehouse_refresh.warehouse.errors import Place, SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import (
    function_bodies,
    is_without_dataset,
    query_tree,
    span_of,
    tables_in,
)
from warehouse_refresh.warehouse.sql.query import Query
from warehouse_refresh.warehouse.types import Column


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the characters from `start` up to `end` by `text`, which has no line break."""

    start: int
    end: int
    text: str


Instead = Mapping[TableName, str]
"""By table, what to write in its place in FROM: a path or a subquery in brackets, in one line."""


def stand_ins_in(tables: Mapping[TableName, Sequence[Column]]) -> Instead:
    """Queries without rows, which have the columns of these tables."""
    return {table: f"({_no_rows(columns)})" for table, columns in tables.items()}


def query_edits(query: Query, instead: Instead) -> list[Edit]:
    """The edits that replace tables of a query, in the order of the text. Raises SqlError for a wildcard that stands
    for tables of several datasets, as in an environment that has some of them."""
    for wildcard, members in query.wildcards:
        if other := next((member for member in members if member.dataset != wildcard.dataset), None):
            place = next(read.place for read in query.names if read.table == wildcard)
            raise SqlError(
                f"{wildcard} stands for {other}, too, and BigQuery finds the tables of one dataset only",
                hint="name the tables instead, one after the other: UNION ALL BY NAME",
                place=place,
            )
    text = "".join(map(max, query.preamble or query.text, query.text))
    return table_edits(text, _trees(query), query, instead)


def dataset_edits(query: Query, instead: Collection[TableName]) -> list[Edit]:
    """The edits that write the dataset before each table that the text names without one, but for those of `instead`.
    A view must name it, whatever a job says of a default dataset."""
    trees = _trees(query) if query.default else []
    return [
        _dataset_edit("".join(map(max, query.preamble or query.text, query.text)), node)
        for tree in trees
        for node in tables_in(tree)
        if is_without_dataset(node) and TableName(node.db, node.name) not in instead
    ]


def value_reading(text: str, query: Query, instead: Instead) -> str:
    """A value of the query's preamble, as a query that reads other tables in place of those of `instead`, and has the
    dataset before each other one that is named without it."""
    tree = query_tree(text, query.default)
    plain = [node for node in tables_in(tree) if is_without_dataset(node)]
    named = [_dataset_edit(text, node) for node in plain if TableName(node.db, node.name) not in instead]
    return edited(text, sorted([*named, *table_edits(text, [tree], query, instead)], key=lambda edit: edit.start))


def _dataset_edit(text: str, node: exp.Table) -> Edit:
    start, last = span_of(text, node)
    return Edit(start, last + 1, f"{quoted(node.db)}.{quoted(node.name)}")


def _trees(query: Query) -> list[exp.Expr]:
    return [query.tree, *function_bodies(query.preamble, query.default)]


def table_edits(text: str, trees: Iterable[exp.Expr], query: Query, instead: Instead) -> list[Edit]:
    """The edits that replace tables in the trees of a text, in the order of the text."""
    edits = []
    for node in [node for tree in trees for node in tables_in(tree)]:
        other = instead.get(TableName(node.db, node.name)) if query.is_own(node.catalog) else None
        if other is not None:
            start, last = span_of(text, node)
            name = quoted(node.name)
            alias = "" if node.alias or other.endswith(f".{name}") else f" AS {name}"
            edits.append(Edit(start, last + 1, f"{other}{alias}"))
    return sorted(edits, key=lambda edit: edit.start)


def edited(text: str, edits: Sequence[Edit]) -> str:
    """The text with the edits made."""
    for edit in reversed(edits):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def original_place(text: str, edits: Sequence[Edit], place: Place) -> Place:
    """The place in the original text for BigQuery's place in the edited one."""
    start = 0
    for _ in range(place.line - 1):
        start = text.find("\n", start) + 1
    end = text.find("\n", start)
    here = [edit for edit in edits if start <= edit.start and (end < 0 or edit.start < end)]
    before = sum(len(edit.text) - (edit.end - edit.start) for edit in edits if edit.start < start)
    line = edited(text, edits)[start + before :].partition("\n")[0]
    column = _characters_before(line, place.column - 1)
    for edit in here:
        at = edit.start - start
        if column < at:
            break
        column = max(at, column - len(edit.text) + (edit.end - edit.start))
    return Place(place.line, column + 1, place.length)


def _characters_before(line: str, columns: int) -> int:
    """How many characters of the line fill this many columns. In GoogleSQL a tab fills up to eight."""
    column = 0
    for i, character in enumerate(line):
        if column >= columns:
            return i
        column += 8 - column % 8 if character == "\t" else 1
    return len(line)


def _no_rows(columns: Sequence[Column]) -> str:
    nulls = (f"CAST(NULL AS {type_sql(column.type)}) AS {quoted(column.name)}" for column in columns)
    return f"SELECT {', '.join(nulls)} LIMIT 0"
