"""A dry run of a query whose tables do not all exist yet: stand-ins are written into its text, line by line as it is,
so that the places in BigQuery's errors still lead to the script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from warehouse.bigquery.schema import quoted, type_sql
from warehouse.errors import Place, SqlError
from warehouse.googlesql import Query, table_nodes
from warehouse.names import TableName
from warehouse.types import Column


@dataclass(frozen=True, slots=True)
class Edit:
    """The characters from `start` up to `end` of a text are replaced by `text`, which has no line break."""

    start: int
    end: int
    text: str


def stand_in_edits(query: Query, stand_ins: Mapping[TableName, Sequence[Column]]) -> list[Edit]:
    """What to write in place of the tables that the stand-ins are for, in the order of the text."""
    edits = []
    for node in table_nodes(query.tree):
        columns = stand_ins.get(TableName(node.db, node.name))
        if columns is not None:
            start, end = span(node)
            alias = "" if node.alias else f" AS {quoted(node.name)}"
            edits.append(Edit(start, end, f"({_no_rows(columns)}){alias}"))
    return sorted(edits, key=lambda edit: edit.start)


def edited(text: str, edits: Sequence[Edit]) -> str:
    """The text with the edits made."""
    for edit in reversed(edits):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def original_place(text: str, edits: Sequence[Edit], place: Place) -> Place:
    """Where in the text stands what is at this place of the edited text."""
    line_start = sum(len(line) for line in text.splitlines(keepends=True)[: place.line - 1])
    offset = line_start + place.column - 1
    for edit in edits:
        if edit.start < line_start:
            continue
        if offset < edit.start:
            break
        grown = len(edit.text) - (edit.end - edit.start)
        offset = edit.start if offset < edit.start + len(edit.text) else offset - grown
    return Place(place.line, max(offset - line_start, 0) + 1, place.length)


def with_original_place(error: SqlError, text: str, edits: Sequence[Edit]) -> SqlError:
    """The error with its place in the text as people know it."""
    if error.place is None or not edits:
        return error
    return SqlError(error.reason, hint=error.hint, place=original_place(text, edits, error.place))


def _no_rows(columns: Sequence[Column]) -> str:
    nulls = (f"CAST(NULL AS {type_sql(column.type)}) AS {quoted(column.name)}" for column in columns)
    return f"SELECT {', '.join(nulls)} LIMIT 0"
