"""The states of a table in a refresh, the kinds of failure and the results of checks, as Prefect's records, the
terminal and the API show them."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from warehouse_refresh.warehouse.names import TableName


class State(Enum):
    """The state of a table in a refresh. Records of old runs contain the values, so do not rename them."""

    WAITING = "waiting"
    BUILDING = "building"
    STAGED = "staged"  # built beside the published table, and its checks passed
    BUILT = "built"  # and published
    BUILT_BEFORE = "built before"  # and published, by an earlier attempt of the same run
    FAILED = "failed"
    BLOCKED = "blocked"  # staged, and not published
    NOT_RUN = "not run"


class Publishing(Enum):
    """When readers see the tables of a refresh. TOGETHER: all healthy tables, at its end. ALL: all tables or none, at
    its end. EACH: each table as soon as it is built and has passed its checks."""

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
    Failure.LOST: "The refresh's process ended before the table was published.",
    Failure.BUG: "A bug in the refresh: its log in Prefect has the rest.",
    Failure.UNKNOWN: "The table was not built; Prefect shows why.",
}


class Verdict(Enum):
    """The result of a check. WARNING: it failed, but blocks nothing."""

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of a check. `name` is the check, and `message` what it found, in words. `broken` is how many of the
    `rows` that were checked break it (None: it checks the whole table). `examples` has up to five of these rows, as
    text, and `query` is GoogleSQL that shows all of them. `tables` are the tables that a failure blocks (empty: the
    checked one)."""

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
    def about(self) -> str:
        """The tables that a failure blocks: `raw.products, raw.variants`."""
        return ", ".join(map(str, self.tables))

    @property
    def command(self) -> str:
        """The command that shows the rows."""
        import shlex  # only what has failed needs it

        return f"refresh query {shlex.quote(self.query)}"


def counts_of(checks: Collection[CheckResult]) -> dict[Verdict, int]:
    """How many of the checks have each verdict, without those that none has."""
    verdicts = [check.verdict for check in checks]
    return {verdict: verdicts.count(verdict) for verdict in Verdict if verdict in verdicts}
