"""Queries that nobody has written by hand: on which of them the two engines disagree."""

import os
import re
from collections.abc import Callable, Iterable

from wasmtime import Trap, WasmtimeError

from tests.warehouse.googlesql.compare import Outcome, asked, outcome, tried
from tests.warehouse.googlesql.engine import Engine
from tests.warehouse.googlesql.oracle import Oracle, Rejected
from warehouse_refresh.warehouse.errors import SqlError, UnsupportedSql
from warehouse_refresh.warehouse.types import SqlType

SEED = int(os.environ.get("SWEEP_SEED", "1"))
"""What the slow sweeps pick at random: with another seed they ask other queries."""
SIZE = float(os.environ.get("SWEEP_SIZE", "1"))
"""How many queries the slow sweeps ask: 1 is a few minutes of each."""

Pair = tuple[Oracle, Engine]
REFUSED_EARLY = "GoogleSQL accepts it, but we say"


def sized(count: int) -> int:
    """So many queries, or as many times more or less as was asked for."""
    return max(1, round(count * SIZE))


def agree(queries: Iterable[str], judge: Callable[[str, Pair], Outcome], pair: Pair) -> None:
    """Fail with all that is different."""
    outcomes = ((sql, judge(sql, pair)) for sql in queries)
    found = [f"{sql}\n{outcome.detail}" for sql, outcome in outcomes if outcome.kind == "different"]
    assert not found, "\n".join(found)


CHOSEN = re.compile(
    r"\b(?:RAND|GENERATE_UUID|LIMIT|OVER|QUALIFY|TABLESAMPLE|DISTINCT ON|ANY_VALUE|\w+_AGG|ARRAY\s*\("
    r"|(?:FIRST|LAST|NTH)_VALUE)",
    re.IGNORECASE,
)
"""What takes some rows of many, or in the order in which they come, or gives another value each time."""
ROWS = re.compile(r"(\d+) rows, should be \1;")
EITHER = re.compile(r"\b(?:AND|OR)\b", re.IGNORECASE)
"""What may leave out its other side: GoogleSQL does not say which one it computes first."""
OF_THE_ORACLE = re.compile(r"is neither a WITH query nor a table with its dataset|a DATE has no field one")
"""What only Google's engine as it runs here accepts: its tables have no dataset, so `d.one` in a query is `one`."""


def determined(sql: str, pair: Pair) -> Outcome:
    """`verdict` on what GoogleSQL determines: the values that a query takes from rows in no order may be others, and an
    error on one side of AND or OR may never be computed."""
    found = verdict(sql, pair)
    is_excused = (
        (ROWS.match(found.detail) and CHOSEN.search(sql))
        or (EITHER.search(sql) and fails_late(sql, pair[0]))
        or OF_THE_ORACLE.search(found.detail)
    )
    return Outcome("same") if found.kind == "different" and is_excused else found


def verdict(sql: str, pair: Pair) -> Outcome:
    """What came of the query, whatever the order of its rows; FLOAT64 is compared to 14 digits. A query that ends
    Google's engine has no answer to be compared."""
    oracle, engine = pair
    try:
        expected = asked(sql, oracle)
    except (Trap, WasmtimeError):
        oracle.renew()
        return Outcome("refused", "Google's engine crashed")
    except KeyError:
        return Outcome("refused", "Google's engine answers with a type that BigQuery does not have")
    return outcome("", expected, tried(sql, engine), rough=True)


def fails_late(sql: str, oracle: Oracle) -> bool:
    """Whether Google's engine rejects the query only as it runs: where no row asks for it, it does not."""
    found = asked(sql, oracle)
    return isinstance(found, Rejected) and not found.analysis


def typed(sql: str, pair: Pair) -> Outcome:
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
