"""What every engine promises of a table that is built, and to which rows are posted as well."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.engines.conftest import Connect
from warehouse_refresh.warehouse import Append, BuildContext, Row, TableBuild, Warehouse
from warehouse_refresh.warehouse.builds.posted import NO_EARLIER, Posted
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query

ITEMS = TableName("raw", "items")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def loaded(*rows: str, more: str = "") -> TableBuild:
    """A build of the table with such rows: `1, 'a'`."""
    listed = " UNION ALL ".join(f"SELECT {row}, CAST(NULL AS TIMESTAMP) AS posted_at{more}" for row in rows)
    query = parse_query(listed.replace(",", " AS x,", 1))
    return TableBuild(ITEMS, query, known_as="0123456789abcdef", posted=Posted("posted_at", ("x",)))


def posted(*numbers: int | None) -> list[Append]:
    rows: list[Row] = [{"x": number, "word": f"posted {number}", "posted_at": NOW} for number in numbers]
    return [Append(rows)]


@pytest.fixture
def warehouse(connect: Connect) -> Iterator[Warehouse]:
    """Rows 1 and 2 were loaded, then 2 and 3 were posted."""
    with connect() as opened:
        opened.create_datasets(["raw"])
        run, build = BuildContext("first"), loaded("1, 'a' AS word", "2, 'b'")
        opened.stage(build, (), run)
        opened.publish([build], run)
        opened.append(ITEMS, posted(2, 3))
        yield opened


def words(warehouse: Warehouse) -> list[str]:
    return sorted(row[1] for row in warehouse.first_rows(ITEMS, 100))


def test_publishing_keeps_what_is_posted_also_after_it_was_staged(warehouse: Warehouse) -> None:
    assert words(warehouse) == ["a", "b", "posted 2", "posted 3"]
    run, build = BuildContext("second", keep_previous=True), loaded("1, 'c' AS word", "4, 'd'", more=", 7 AS extra")
    posted_then = ", ".join(["3", "'posted 3'", "TIMESTAMP '2026-01-02 00:00:00+00'", "NULL"])
    staged = replace(build, query=parse_query(f"{build.query.text} UNION ALL SELECT {posted_then}"))
    warehouse.stage(staged, (), run)
    warehouse.append(ITEMS, posted(4, 5, None))
    warehouse.publish([staged], run)
    assert words(warehouse) == ["c", "d", "posted 2", "posted 3", "posted 5", "posted None"]
    assert [column.name for column in warehouse.columns(ITEMS)][-1] == "extra"
    assert warehouse.records()[ITEMS].published_as == build.fingerprint
    warehouse.append(ITEMS, posted(6))
    assert warehouse.records()[ITEMS].published_as == build.fingerprint
    [publication, *_] = warehouse.publications()
    assert warehouse.roll_back(publication, [ITEMS], BuildContext("back")) == {ITEMS: NO_EARLIER}
    third, last = loaded("6, 'e' AS word"), BuildContext("third")
    warehouse.stage(third, (), last)
    warehouse.publish([third], last)
    assert words(warehouse) == ["e", "posted 2", "posted 3", "posted 5", "posted None"]
    assert [column.name for column in warehouse.columns(ITEMS)] == ["x", "word", "posted_at"]
