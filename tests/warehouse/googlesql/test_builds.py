"""Every shape of shapes.txt built into a table of a DuckDB file: its columns have GoogleSQL's types, its rows are those
that the reference engine answers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.warehouse.googlesql.compare import difference
from tests.warehouse.googlesql.engine import load, value_of
from tests.warehouse.googlesql.oracle import Oracle, Rejected
from tests.warehouse.googlesql.shapes import Shape, shapes
from tests.warehouse.googlesql.tables import TABLES
from tests.warehouse.googlesql.values import Answer
from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE
from warehouse_refresh.warehouse.duckdb.types import field_names
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.types import Column, SqlType, array_of, struct_of

TABLE = TableName("tmp", "t")
# Why a table cannot hold what a query answers: https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types
NOT_STORED = (
    "has no name",
    "a table cannot have the ",
    "two columns of the result are named",
    "NULL element",
    "GEOGRAPHY",
)


@pytest.fixture(scope="module")
def warehouse(pair: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBWarehouse]:
    """A warehouse with the tables of tables.py."""
    path = tmp_path_factory.mktemp("builds") / "warehouse.duckdb"
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{path}' AS {CATALOGUE}; USE {CATALOGUE}")
        for name in TABLES:
            load(connection, name, pair[0].answer(f"SELECT * FROM {name}"))
    with DuckDBWarehouse(Path(path)) as found:
        found.create_datasets(["tmp"])
        yield found


def check(shape: Shape, oracle: Oracle, warehouse: DuckDBWarehouse) -> str:
    """What came of the shape: "same", or why it was not built. Fails if the table holds something else."""
    sql = named(shape)
    try:
        expected = oracle.answer(sql)
    except Rejected:
        return "rejected"
    try:
        warehouse.build(TableBuild(TABLE, parse_query(sql)), BuildContext("run"))
    except SqlError as error:
        return next((reason for reason in NOT_STORED if reason in str(error)), "refused")
    columns = warehouse.columns(TABLE)
    rows = without_intervals(Answer(columns, list(warehouse.fetch(parse_query("SELECT * FROM tmp.t"), None).rows))).rows
    found = Answer(columns, [tuple(value_of(c.type, v) for c, v in zip(columns, row, strict=True)) for row in rows])
    outcome = difference("", stored(expected), found, rough=shape.rough)
    assert outcome.kind == "same", f"{shape.sql}\n{outcome.detail}"
    return outcome.kind


def named(shape: Shape) -> str:
    """The shape's query; that of an expression with a name for it, as a table needs one."""
    return shape.sql if shape.sql == shape.text else f"SELECT {shape.text} AS x FROM d.one"


def stored(answer: Answer) -> Answer:
    """The answer as BigQuery stores it: a NULL array as an empty one, a field without a name as _field_1."""
    kinds = [column.type for column in answer.columns]
    columns = tuple(Column(column.name, stored_kind(column.type)) for column in answer.columns)
    rows = [tuple(as_stored(kind, value) for kind, value in zip(kinds, row, strict=True)) for row in answer.rows]
    return without_intervals(Answer(columns, rows))


def stored_kind(kind: SqlType) -> SqlType:
    if kind.element is not None:
        return array_of(stored_kind(kind.element))
    names = zip(field_names(kind), kind.fields, strict=True)
    return struct_of(*(Column(name, stored_kind(field.type)) for name, field in names)) if kind.fields else kind


def as_stored(kind: SqlType, value: Any) -> Any:
    if kind.element is not None:
        return [as_stored(kind.element, item) for item in value or []]
    if kind.name == "STRUCT" and value is not None:
        return tuple(as_stored(field.type, item) for field, item in zip(kind.fields, value, strict=True))
    return value


def without_intervals(answer: Answer) -> Answer:
    """The answer with NULL for each INTERVAL: the driver adds up its parts."""
    hidden = ["INTERVAL" in str(column.type) for column in answer.columns]
    rows = [tuple(None if hide else value for hide, value in zip(hidden, row, strict=True)) for row in answer.rows]
    return replace(answer, rows=rows)


def test_some_shapes_are_stored_as_googlesql_answers_them(pair: Any, warehouse: DuckDBWarehouse) -> None:
    for shape in shapes()[::100]:
        check(shape, pair[0], warehouse)


@pytest.mark.slow
def test_every_shape_is_stored_as_googlesql_answers_it(pair: Any, warehouse: DuckDBWarehouse) -> None:
    outcomes = Counter(check(shape, pair[0], warehouse) for shape in shapes())
    assert outcomes["same"] > len(shapes()) / 3, outcomes
