"""What a database says in the errors of its driver, and whether the same may work at another time."""

import re

from warehouse_refresh.origins import LONGER, ConnectionLost, OriginError, TimedOut

_TOO_LONG = "due to statement timeout"
_LATE = re.compile(f"{_TOO_LONG}|lock timeout")
_LOST = re.compile(
    "server closed the connection|terminating connection|could not (receive|send) data|no connection to the server"
    "|the database system is|too many (clients|connections)|remaining connection slots|connection pointer is NULL"
    "|SSL (SYSCALL|connection has been closed)|Connection (refused|reset|timed out)|No such file or directory"
    "|invalid snapshot identifier|(No route to host|Network is unreachable)"
)


def reason_of(text: str) -> str:
    """PostgreSQL's own words in an error of the driver's, or of whoever read its stream."""
    found = text.partition("ERROR:")[2] or text.partition("FATAL:")[2] or text.rpartition("[libpq] ")[2]
    return " ".join(re.split("\nQuery|\n\tThis probably means", found or text)[0].split())


def fault_of(text: str, where: str = "") -> OriginError:
    """The error of a PostgreSQL with this text of the driver's; `where` is put before its words."""
    kind = TimedOut if _LATE.search(text) else ConnectionLost if _LOST.search(text) else OriginError
    hint = f": {LONGER}" if _TOO_LONG in text else ""
    return kind(f"{where}: {reason_of(text)}{hint}" if where else f"{reason_of(text)}{hint}")
