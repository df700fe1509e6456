"""What the catalogue asks of every engine: the first rows of a table, how many there are, and how many NULLs."""

import pytest

from tests.catalogue.catalogues import of_tables
from tests.engines.conftest import Connect
from warehouse_refresh.catalogue.document import ColumnEntry, FirstRows, TableEntry
from warehouse_refresh.catalogue.first_rows import first_rows, with_first_rows
from warehouse_refresh.catalogue.profiling import profiled
from warehouse_refresh.warehouse import Warehouse
from warehouse_refresh.warehouse.errors import TableNotFound
from warehouse_refresh.warehouse.sql.parser import parse_script

NAMES = ("id", "price", "moment", "tags", "pair", "email")
TYPES = ("INT64", "NUMERIC", "TIMESTAMP", "ARRAY<STRING>", "STRUCT<x INT64, y STRING>", "STRING")
COLUMNS = tuple(
    ColumnEntry(name, kind, "REPEATED" if name == "tags" else "NULLABLE", personal=name == "email")
    for name, kind in zip(NAMES, TYPES, strict=True)
)
ITEMS = TableEntry("raw.items", "source", columns=COLUMNS)
SCRIPT = f"""
CREATE TABLE raw.items ({", ".join(map(" ".join, zip(NAMES, TYPES, strict=True)))}, unknown INT64);
INSERT INTO raw.items VALUES
  (9007199254740993, NUMERIC '1.50', TIMESTAMP '2026-11-28 12:00:00+00', ['a', '<b>'], STRUCT(1, 'é'), 'anna@example.com', 1);
"""  # noqa: E501
LONG = "x" * 1_000


def test_rows_are_texts_without_what_is_personal_or_unknown(warehouse: Warehouse) -> None:
    warehouse.run_script(parse_script(SCRIPT))
    row = ("9007199254740993", "1.5", "2026-11-28T12:00:00Z", '["a","<b>"]', '{"x":1,"y":"é"}')
    assert first_rows(ITEMS, warehouse, 5) == FirstRows(NAMES[:-1], (row,), ("email", "unknown"))
    warehouse.run_script(parse_script(f"INSERT INTO raw.items (email) VALUES ('{LONG}'), ('{LONG}')"))
    shown = TableEntry("raw.items", "source", columns=(ColumnEntry("email", "STRING", "NULLABLE"),))
    found = first_rows(shown, warehouse, 2).rows
    assert len(found) == 2
    assert max(len(text or "") for (text,) in found) == 200
    with pytest.raises(TableNotFound):
        first_rows(TableEntry("raw.nothing", "source"), warehouse, 5)


def test_all_tables_get_their_rows_and_their_profile(warehouse: Warehouse, connect: Connect) -> None:
    warehouse.run_script(parse_script(SCRIPT))
    warehouse.run_script(parse_script("INSERT INTO raw.items (id) VALUES (1)"))
    private, nothing = TableEntry("raw.items", "source", private=True), TableEntry("tmp.nothing", "table")
    with connect() as other:
        made = with_first_rows(profiled(of_tables(ITEMS, private, nothing), other), other, 1)
    assert [table.rows for table in made.tables] == [2, 2, None]
    assert [column.null_share for column in made.tables[0].columns] == [0, 0.5, 0.5, None, 0.5, 0.5]
    assert [table.first_rows is not None for table in made.tables] == [True, False, False]
