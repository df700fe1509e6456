"""What every engine promises of descriptions of tables that no build makes."""

import pytest

from tests.engines.conftest import Connect
from warehouse_refresh.warehouse import Warehouse
from warehouse_refresh.warehouse.errors import TableNotFound
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.storage import Storage

ITEMS = TableName("raw", "items")


def descriptions(warehouse: Warehouse) -> dict[str, str]:
    return {column.name: column.description for column in warehouse.columns(ITEMS)}


def test_a_table_and_its_columns_are_described_and_what_is_not_said_stays(
    warehouse: Warehouse, connect: Connect
) -> None:
    warehouse.run_script(parse_script("CREATE TABLE raw.items (x INT64, y STRING) AS SELECT 1 AS x, 'a' AS y"))
    warehouse.describe(ITEMS, Storage(description="it's all", column_descriptions=(("x", "a number"), ("z", "none"))))
    warehouse.describe(ITEMS, Storage(column_descriptions=(("y", "a word"),)))
    with connect() as other:
        assert descriptions(other) == {"x": "a number", "y": "a word"}
        assert other.first_rows(ITEMS, 2) == [(1, "a")]


def test_a_table_that_is_not_there_is_not_described(warehouse: Warehouse) -> None:
    with pytest.raises(TableNotFound):
        warehouse.describe(ITEMS, Storage(description="nothing"))
