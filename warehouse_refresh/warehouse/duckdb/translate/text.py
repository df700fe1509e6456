"""How names, constants and the places of errors are written in DuckDB's SQL.

A translated query says `error('<mark>' || 'division by zero')`: the mark is the place of the division in the script.
"""

import re
import threading
from collections.abc import Callable, Sequence

from warehouse_refresh.warehouse.errors import Place
from warehouse_refresh.warehouse.names import TableName

CATALOGUE = "warehouse"
"""What DuckDB calls the file."""


def quoted(name: str) -> str:
    """A name as DuckDB's identifier."""
    return '"' + name.replace('"', '""') + '"'


def schema_sql(dataset: str, catalogue: str = CATALOGUE) -> str:
    """A dataset as DuckDB's schema, with the catalogue: `system.x` alone would be a table of DuckDB's own."""
    return f"{quoted(catalogue)}.{quoted(dataset)}"


def table_sql(table: TableName, catalogue: str = CATALOGUE) -> str:
    """A table's name, with its dataset and the catalogue."""
    return f"{schema_sql(table.dataset, catalogue)}.{quoted(table.name)}"


def string_sql(text: str) -> str:
    """A text as DuckDB's literal."""
    if "\0" in text:
        return "(" + " || chr(0) || ".join(string_sql(part) for part in text.split("\0")) + ")"
    return "'" + text.replace("'", "''") + "'"


def bytes_sql(data: bytes) -> str:
    """Bytes as DuckDB's literal."""
    return "'" + "".join(f"\\x{byte:02X}" for byte in data) + "'::BLOB"


# The marks of places

Where = Callable[[], Place | None]
"""Finds a place, once it is needed."""
_SIGN = "\x1f"
_MARK = re.compile(rf"{_SIGN}(\d+):(\d+):(\d+){_SIGN}")
_MARKING = re.compile(rf"'{_SIGN}[\d:]+{_SIGN}' \|\| |\\u001f[\d:]+\\u001f")
REFUSAL = "the embedded engine cannot"
"""What an error says that comes of this engine, not of the query: such an error never becomes NULL."""
_REFUSING = '"error_message":"'


class _Compiling(threading.local):
    """What this thread compiles at the moment."""

    where: Where | None = None


COMPILING = _Compiling()


def marked(pieces: Sequence[str | int], where: Where) -> list[str | int]:
    """The pieces of a template, the place in the message of each `error(…)`."""
    place = where()
    if place is None:
        return list(pieces)
    start = f"error('{_SIGN}{place.line}:{place.column}:{place.length}{_SIGN}' || "
    return [piece.replace("error(", start) if isinstance(piece, str) else piece for piece in pieces]


def refusing(message: str) -> str:
    """A template that fails with the message, a literal, within TRY too. TRY catches the errors of values alone
    (https://duckdb.org/docs/stable/sql/expressions/try), and this one is of DuckDB's parser."""
    document = f'{{"error":true,"error_type":"refused",{_REFUSING}{message[1:-1]}"}}'
    return f"""CAST(json_deserialize_sql('{document}') AS "NULL")"""


def marked_within_try(pieces: Sequence[str | int], where: Where) -> list[str | int]:
    """The pieces of a template, the place in the message of each `refusing(…)`."""
    place = where()
    if place is None:
        return list(pieces)
    mark = f"\\u001f{place.line}:{place.column}:{place.length}\\u001f"
    return [piece.replace(_REFUSING, _REFUSING + mark) if isinstance(piece, str) else piece for piece in pieces]


def unmarked(sql: str) -> str:
    """A translated query without marks: a view is read by other scripts, in which the places mean nothing."""
    return _MARKING.sub("", sql)


def read_mark(message: str) -> tuple[str, Place | None]:
    """The message without its mark, and the place that the mark names."""
    found = _MARK.search(message)
    if found is None:
        return message, None
    line, column, length = map(int, found.groups())
    return message[: found.start()] + message[found.end() :], Place(line, column, length)
