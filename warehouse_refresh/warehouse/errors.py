"""Errors of a warehouse: a class for each thing that a caller can do about it.

Messages are for the people who run this tool, and for logs. They contain no credentials. An engine's own words
may repeat SQL and values of rows, so the API shows only the messages of TableNotFound and InvalidRow, which are ours
and contain neither.
"""

from dataclasses import dataclass

from warehouse_refresh.warehouse.names import TableName


class WarehouseError(Exception):
    """Any fault of a warehouse that is not a bug."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a SQL text a fault stands: line and column from 1, length in characters."""

    line: int
    column: int = 1
    length: int = 1


def place_at(text: str, start: int, end: int) -> Place:
    """The place of the characters from `start` to `end`, both counted from 0, both included."""
    line_start = text.rfind("\n", 0, start) + 1
    return Place(text.count("\n", 0, start) + 1, start - line_start + 1, end - start + 1)


class SqlError(WarehouseError):
    """The SQL is wrong: running it again would not help. Unless it is an UnsupportedSql, it is wrong on BigQuery, too.

    `reason` says what is wrong, `hint` (may be empty) what to write instead, `place` where in the text.
    """

    def __init__(self, reason: str, *, hint: str = "", place: Place | None = None) -> None:
        super().__init__(f"{reason}: {hint}" if hint else reason)
        self.reason, self.hint, self.place = reason, hint, place


class UnsupportedSql(SqlError):
    """GoogleSQL that BigQuery answers, or may answer, and the embedded engine does not yet."""


class OnlyBigQuery(UnsupportedSql):
    """Valid GoogleSQL that no other engine can answer as BigQuery does; the hint says what to write instead."""


class ForeignSource(OnlyBigQuery):
    """Something to read from that only BigQuery has. However many scripts read it, it is one fault."""


class TranslationFault(UnsupportedSql):
    """The embedded engine's translation of the query is wrong: a bug of ours, noticed before anything ran."""


class TableNotFound(WarehouseError):
    """The table does not exist."""

    def __init__(self, table: TableName) -> None:
        super().__init__(f"there is no table {table}")
        self.table = table


class NotAllowed(WarehouseError):
    """The account may not do this; the message names the role that is missing."""


class OverBudget(WarehouseError):
    """The query would read more bytes than the settings allow."""


class InvalidRow(WarehouseError):
    """The engine would not store a row, although its values are of the columns' types."""


class Transient(WarehouseError):
    """A passing fault (lock held elsewhere, quota of the moment, connection lost): the same call may succeed later.

    `retry_after` is how many seconds to wait first; `limited` is true for a quota (HTTP 429), false for
    an outage (503).
    """

    def __init__(self, message: str, *, retry_after: float = 1.0, limited: bool = False) -> None:
        super().__init__(message)
        self.retry_after, self.limited = retry_after, limited


class Unavailable(WarehouseError):
    """Nothing works until somebody fixes the cause (a full disk, a damaged file); the message names it.

    `fault` names it without a path, so that anybody may read it: "its disk is full".
    """

    def __init__(self, message: str, fault: str) -> None:
        super().__init__(message)
        self.fault = fault


class OutcomeUnknown(Transient):
    """The request may have been carried out: the connection broke before an answer."""


class Cancelled(WarehouseError):
    """The work was stopped because somebody asked for it."""
