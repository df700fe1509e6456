"""The states of a table in a refresh, and the kinds of failure, as Prefect's records, the terminal and the API show
them."""

from enum import Enum


class State(Enum):
    """The state of a table in a refresh."""

    WAITING = "waiting"
    BUILDING = "building"
    BUILT = "built"
    BUILT_BEFORE = "built before"  # by an earlier attempt of the same run
    FAILED = "failed"
    NOT_RUN = "not run"


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
    Failure.NOT_RUN: "A table that it is built from was not built.",
    Failure.LOST: "The refresh's process ended before the table was built.",
    Failure.BUG: "A bug in the refresh: its log in Prefect has the rest.",
    Failure.UNKNOWN: "The table was not built; Prefect shows why.",
}
