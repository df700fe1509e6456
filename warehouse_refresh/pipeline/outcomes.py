"""The states of a table in a refresh, the kinds of failure and what came of a check, as Prefect's records, the terminal
and the API show them."""

from dataclasses import dataclass
from enum import Enum

from warehouse_refresh.warehouse.names import TableName


class State(Enum):
    """The state of a table in a refresh. The values stand in records of old runs."""

    WAITING = "waiting"
    BUILDING = "building"
    STAGED = "staged"  # built beside the published table, and its checks passed
    BUILT = "built"  # and published
    BUILT_BEFORE = "built before"  # and published, by an earlier attempt of the same run
    FAILED = "failed"
    BLOCKED = "blocked"  # staged, and not published
    NOT_RUN = "not run"


class Publishing(Enum):
    """When readers see the tables of a refresh: what is healthy, together, at its end; all tables or none; or each
    table as soon as it is built and has passed its checks."""

    TOGETHER = "together"
    ALL = "all"
    EACH = "each"


class Failure(Enum):
    """Why a table was not built: the value is a code for programs, `sentence` is for people.

    Neither contains rows, SQL or file names, so both may be shown to anybody.
    """

    QUERY = "query-failed"
    OVER_BUDGET = "over-budget"
    NOT_ALLOWED = "not-allowed"
    UNAVAILABLE = "warehouse-unavailable"
    WAREHOUSE = "warehouse-failed"
    CANCELLED = "cancelled"
    CHECK = "check-failed"
    NOT_PUBLISHED = "not-published"
    NOT_RUN = "not-run"
    LOST = "lost"
    BUG = "bug"
    UNKNOWN = "unknown"

    @property
    def sentence(self) -> str:
        """The sentence to show to people."""
        return _SENTENCES[self]


_SENTENCES = {
    Failure.QUERY: "The script's query failed: its SQL is wrong, or the data is not what it expects.",
    Failure.OVER_BUDGET: "The query would read more bytes than the settings allow.",
    Failure.NOT_ALLOWED: "The warehouse does not let the refresh's account do this.",
    Failure.UNAVAILABLE: "The warehouse could not be used at that time.",
    Failure.WAREHOUSE: "The warehouse could not build the table.",
    Failure.CANCELLED: "Somebody stopped the refresh.",
    Failure.CHECK: "The table was built, and not published: a check of it, or of a table it is built from, failed.",
    Failure.NOT_PUBLISHED: "The table was built, and could not be published; readers find the old one.",
    Failure.NOT_RUN: "A table that it is built from was not built.",
    Failure.LOST: "The refresh's process ended before the table was built.",
    Failure.BUG: "A bug in the refresh: its log in Prefect has the rest.",
    Failure.UNKNOWN: "The table was not built; Prefect shows why.",
}


class Verdict(Enum):
    """What came of a check. A warning has failed, too, and blocks nothing."""

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of a check: `name` says which one, `message` what it found, in words. `broken` of the `rows` that were
    checked break it (None: it is a check of the whole table). `examples` has up to five of them, as text, and `query`
    is a query in GoogleSQL that shows all. `tables` are those that it blocks if it has failed; none: the one that is
    checked."""

    name: str
    verdict: Verdict
    message: str
    broken: int | None = None
    rows: int | None = None
    examples: tuple[str, ...] = ()
    query: str = ""
    tables: tuple[TableName, ...] = ()

    def __str__(self) -> str:
        return f"{self.message}; see them with: {self.command}" if self.query and self.broken else self.message

    @property
    def command(self) -> str:
        """The command that shows the rows."""
        import shlex  # only what has failed needs it

        return f"refresh query {shlex.quote(self.query)}"
