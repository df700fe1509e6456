"""Files with rows, loaded by `initialise`, on every engine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from warehouse_refresh.pipeline.raw.db_init import Filled, NotConfirmed, initialise
from warehouse_refresh.pipeline.raw.seeds import read_seed
from warehouse_refresh.warehouse import Append, Warehouse
from warehouse_refresh.warehouse.names import TableName

X = TableName("raw", "x")


def fill(warehouse: Warehouse, folder: Path, content: str, confirm: Any = None) -> Filled:
    path = folder / "x.csv"
    path.write_text(content)
    seeds = [read_seed(X, path)]
    return initialise(warehouse, folder / "db_init", ["raw"], seeds=seeds, confirm_replacing=confirm)


def rows(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    return sorted(warehouse.first_rows(X, 99))


def test_a_file_is_loaded_and_again_once_it_has_changed(warehouse: Warehouse, tmp_path: Path) -> None:
    assert fill(warehouse, tmp_path, "id,name\n1,a\n2,\n") == Filled([X], [], [])
    assert rows(warehouse) == [(1, "a"), (2, None)]
    assert fill(warehouse, tmp_path, "id,name\n1,a\n2,\n") == Filled([], [X], [])
    assert fill(warehouse, tmp_path, "id,name\n3,c\n") == Filled([X], [], [])
    assert rows(warehouse) == [(3, "c")]
    assert fill(warehouse, tmp_path, "id\n") == Filled([X], [], [])
    assert (rows(warehouse), [column.name for column in warehouse.columns(X)]) == ([], ["id"])


def test_a_script_may_create_tables_in_a_dataset_that_no_folder_has(warehouse: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "db_init").mkdir()
    script = tmp_path / "db_init/sources.sql"
    script.write_text(
        "CREATE TABLE crm.people (id INT64); CREATE SCHEMA IF NOT EXISTS shop; CREATE TABLE shop.orders (id INT64)"
    )
    people, orders = TableName("crm", "people"), TableName("shop", "orders")
    assert initialise(warehouse, tmp_path / "db_init", ["raw"]).created == [people, orders]
    assert [warehouse.columns(table)[0].name for table in (people, orders)] == ["id", "id"]


def test_rows_that_were_posted_are_not_lost(warehouse: Warehouse, tmp_path: Path) -> None:
    fill(warehouse, tmp_path, "id\n1\n")
    warehouse.append(X, [Append([{"id": 7}])])
    assert fill(warehouse, tmp_path, "id\n2\n") == Filled([], [], [X])
    assert rows(warehouse) == [(1,), (7,)]

    def refuse(full: Mapping[TableName, int]) -> None:
        assert full == {X: 2}
        raise NotConfirmed

    with pytest.raises(NotConfirmed):
        fill(warehouse, tmp_path, "id\n2\n", refuse)
    assert rows(warehouse) == [(1,), (7,)]
    assert fill(warehouse, tmp_path, "id\n2\n", lambda _: None) == Filled([X], [], [])
    assert rows(warehouse) == [(2,)]


class Posting:
    """The warehouse, to whose table X somebody posts a row while a file is loaded."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._warehouse, name)

    def append(self, table: TableName, appends: Sequence[Append]) -> Any:
        self._warehouse.append(X, [Append([{"id": 7}])])
        return self._warehouse.append(table, appends)


def test_a_row_that_is_posted_while_a_file_is_loaded_is_not_lost(warehouse: Warehouse, tmp_path: Path) -> None:
    fill(warehouse, tmp_path, "id\n1\n")
    posting: Any = Posting(warehouse)
    assert fill(posting, tmp_path, "id\n2\n") == Filled([], [], [X])
    assert rows(warehouse) == [(1,), (7,)]
    assert fill(warehouse, tmp_path, "id\n2\n") == Filled([], [], [X]), "not loaded by another start either"


def test_a_table_that_was_there_before_is_left_alone(warehouse: Warehouse, tmp_path: Path) -> None:
    from warehouse_refresh.warehouse.sql.parser import parse_script

    warehouse.run_script(parse_script("CREATE TABLE raw.x (id INT64) AS SELECT 5"))
    assert fill(warehouse, tmp_path, "id\n1\n") == Filled([], [X], [])
    assert rows(warehouse) == [(5,)]
