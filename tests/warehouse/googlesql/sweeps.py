"""Queries that nobody has written by hand: on which of them the two engines disagree."""

from wasmtime import Trap, WasmtimeError

from tests.warehouse.googlesql.compare import Outcome, asked, outcome, tried
from tests.warehouse.googlesql.engine import Engine
from tests.warehouse.googlesql.oracle import Oracle, Rejected
from warehouse_refresh.warehouse.errors import SqlError, UnsupportedSql
from warehouse_refresh.warehouse.types import SqlType

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


def typed(sql: str, pair: tuple[Oracle, Engine]) -> Outcome:
    """What the two engines say of the query before it runs: whether they take it, and the types of its columns."""
    oracle, engine = pair
    expected: list[SqlType] | Rejected
    try:
        expected = oracle.kinds(sql)
    except Rejected as error:
        expected = error
    try:
        found = engine.kinds(sql)
    except UnsupportedSql as error:
        return Outcome("refused", str(error))
    except SqlError as error:
        if isinstance(expected, Rejected) or fails_late(sql, oracle):
            return Outcome("both reject", str(error))
        return Outcome("different", f"{REFUSED_EARLY}: {error}")
    if isinstance(expected, Rejected):
        return Outcome("different", f"GoogleSQL rejects it: {expected}")
    ours, theirs = [str(kind) for kind in found], [str(kind) for kind in expected]
    return Outcome("same") if ours == theirs else Outcome("different", f"{ours}, should be {theirs}")
