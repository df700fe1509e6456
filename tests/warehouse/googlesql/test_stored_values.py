"""What a column of any type stores, whichever way a value comes into it, is what a cast to its type gives: rounded to
its scale, or rejected."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.warehouse.googlesql.compare import asked
from tests.warehouse.googlesql.engine import value_of
from tests.warehouse.googlesql.oracle import Oracle, Rejected
from tests.warehouse.googlesql.stored_values import columns
from tests.warehouse.googlesql.sweeps import SEED, sized
from tests.warehouse.googlesql.values import key
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.types import SqlType

TABLE = TableName("raw", "t")
WAYS = (
    "CREATE OR REPLACE TABLE raw.t (a {kind}, b INT64); INSERT INTO raw.t (a, b) VALUES ({value}, 1)",
    "CREATE OR REPLACE TABLE raw.t (a {kind}, b INT64); INSERT INTO raw.t (b, a) SELECT 1, {value}",
    "CREATE OR REPLACE TABLE raw.t (a {kind} DEFAULT {value}, b INT64); INSERT INTO raw.t (b) VALUES (1)",
    "CREATE OR REPLACE TABLE raw.t (b INT64, a {kind} DEFAULT {value}); INSERT INTO raw.t VALUES (1, DEFAULT)",
    "CREATE OR REPLACE TABLE raw.t (a {kind}, b INT64) AS SELECT {value}, 1",
)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(tmp_path_factory.mktemp("stored") / "warehouse.duckdb") as found:
        found.create_datasets(["raw"])
        yield found


def stored(warehouse: DuckDBWarehouse, script: str) -> Any:
    """The column's value after the script, as the tests compare them; None if the script was rejected."""
    try:
        warehouse.run_script(parse_script(script))
    except SqlError:
        return None
    return the_value(warehouse)


def the_value(warehouse: DuckDBWarehouse) -> Any:
    [row] = warehouse.first_rows(TABLE, 1)
    names = [column.name for column in warehouse.columns(TABLE)]
    at = names.index("a")
    return key(value_of(warehouse.columns(TABLE)[at].type, row[at]))


def as_stored(kind: SqlType, value: Any) -> Any:
    """The value with [] for each NULL array; raises ValueError for an array that holds NULL."""
    if kind.element is not None:
        items = [as_stored(kind.element, item) for item in value or ()]
        if None in items:
            raise ValueError
        return items
    if kind.fields and value is not None:
        return tuple(as_stored(field.type, item) for field, item in zip(kind.fields, value, strict=True))
    return value


def expected(oracle: Oracle, kind: SqlType, value: str) -> Any:
    """What the column holds by GoogleSQL; None if it does not take the value."""
    answer = asked(f"SELECT CAST({value} AS {kind}) AS a", oracle)
    if isinstance(answer, Rejected):
        return None
    try:
        return key(as_stored(kind, answer.rows[0][0]))
    except ValueError:
        return None


def check(oracle: Oracle, warehouse: DuckDBWarehouse, kind: SqlType, value: str) -> list[str]:
    """The ways that store something else, each with what they store."""
    wanted = expected(oracle, kind, value)
    scripts = [way.format(kind=kind, value=value) for way in WAYS]
    found = {script: stored(warehouse, script) for script in scripts}
    return [f"{script}\nstores {got}, should be {wanted}" for script, got in found.items() if got != wanted]


def test_a_column_stores_what_a_cast_to_its_type_gives(pair: Any, warehouse: DuckDBWarehouse) -> None:
    faults = [fault for kind, value in columns(4, 10) for fault in check(pair[0], warehouse, kind, value)]
    assert not faults, "\n".join(faults)


@pytest.mark.slow
def test_a_column_stores_what_a_cast_to_its_type_gives_for_more(pair: Any, warehouse: DuckDBWarehouse) -> None:
    faults = [fault for kind, value in columns(SEED, sized(600)) for fault in check(pair[0], warehouse, kind, value)]
    assert not faults, "\n".join(faults)
