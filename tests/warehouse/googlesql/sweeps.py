"""Queries that nobody has written by hand: on which of them the two engines disagree."""

from wasmtime import Trap, WasmtimeError

from tests.warehouse.googlesql.compare import Outcome, asked, outcome, tried
from tests.warehouse.googlesql.engine import Engine
from tests.warehouse.googlesql.oracle import Oracle, Rejected

REFUSED_EARLY = "GoogleSQL accepts it, but we say"


def verdict(sql: str, pair: tuple[Oracle, Engine]) -> Outcome:
    """What came of the query, whatever the order of its rows; FLOAT64 is compared to 14 digits. A query that ends
    Google's engine has no answer to be compared."""
    oracle, engine = pair
    try:
        expected = asked(sql, oracle)
    except (Trap, WasmtimeError):
        oracle.renew()
        return Outcome("refused", "Google's engine crashed")
    return outcome("", expected, tried(sql, engine), rough=True)


def fails_late(sql: str, oracle: Oracle) -> bool:
    """Whether Google's engine rejects the query only as it runs: where no row asks for it, it does not."""
    found = asked(sql, oracle)
    return isinstance(found, Rejected) and not found.analysis
