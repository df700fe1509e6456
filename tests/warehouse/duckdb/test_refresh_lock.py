"""One refresh at a time on a DuckDB file."""

from pathlib import Path

import pytest

from tests.processes import Child, child
from warehouse_refresh.warehouse import connect
from warehouse_refresh.warehouse.errors import WarehouseError

REFRESH = """
import sys
from warehouse_refresh.warehouse import connect
with connect(sys.argv[1]).refresh_lock("the test", lambda holder: print("waits for", holder, flush=True)):
    print("refreshes", flush=True)
    sys.stdin.readline()
"""


def test_a_second_refresh_waits_and_starts_when_the_first_has_ended(tmp_path: Path) -> None:
    url = f"duckdb:///{tmp_path}/a.duckdb"
    with child(REFRESH, url) as first:
        assert first.hear() == "refreshes"
        _second_waits_for(first, url)


def _second_waits_for(first: Child, url: str) -> None:
    with child(REFRESH, url) as second:
        assert second.hear() == "waits for the test"
        first.tell()
        assert second.hear() == "refreshes"


def test_a_refresh_that_was_killed_holds_nobody_up(tmp_path: Path) -> None:
    url = f"duckdb:///{tmp_path}/a.duckdb"
    with child(REFRESH, url) as first:
        assert first.hear() == "refreshes"
        first.kill()
        with connect(url).refresh_lock("another", pytest.fail):
            pass


def test_refreshes_of_two_warehouses_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with child(REFRESH, f"duckdb:///{tmp_path}/a.duckdb") as first:
        assert first.hear() == "refreshes"
        with connect(f"duckdb:///{tmp_path}/b.duckdb").refresh_lock("another", pytest.fail):
            pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(WarehouseError, match="cannot be opened"),
        connect(f"duckdb:///{tmp_path}/file/a.duckdb").refresh_lock("another", pytest.fail),
    ):
        pass
