"""Functions that are defined by a signature and a template."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import duckdb
import pytest

from tests.warehouse.googlesql.engine import Engine, plain
from warehouse_refresh.warehouse.duckdb.python_functions import register
from warehouse_refresh.warehouse.duckdb.translate.functions.calls import DEFINITIONS
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import Definition
from warehouse_refresh.warehouse.duckdb.translate.nodes import Column, render
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.types import duckdb_type

ALL = {
    (definition.names[0], definition.signature): definition for found in DEFINITIONS.values() for definition in found
}


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as found:
        register(found)
        yield found


@pytest.mark.parametrize("definition", ALL.values(), ids=lambda definition: definition.names[0])
def test_a_function_gives_the_type_that_its_signature_says(
    connection: duckdb.DuckDBPyConnection, definition: Definition
) -> None:
    kinds = dict(zip("abcdefgh", definition.signature.takes, strict=False))
    call = render(sql(definition.template, **{name: Column("t", name) for name in kinds}))
    columns = ", ".join([*(f"NULL::{duckdb_type(kind)} AS {name}" for name, kind in kinds.items()), "1 AS z"])
    [(found,)] = connection.execute(f"SELECT typeof({call}) FROM (SELECT {columns}) AS t").fetchall()
    assert plain(found) == plain(duckdb_type(definition.signature.gives))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("PARSE_DATE('%F', '2024-01-31')", date(2024, 1, 31)),
        ("PARSE_DATETIME('%F %T', '2024-01-31 10:20:30')", datetime(2024, 1, 31, 10, 20, 30)),  # noqa: DTZ001
        ("PARSE_TIMESTAMP('%FT%T%Ez', '2024-01-31T10:20:30+02:00')", datetime(2024, 1, 31, 8, 20, 30, tzinfo=UTC)),
        ("PARSE_DATETIME('%F %k', '2024-01-31  7')", datetime(2024, 1, 31, 7)),  # noqa: DTZ001
        ("FORMAT_TIME('%k|%l|%P', TIME '15:00:00')", "15| 3|pm"),
        (r"TO_BASE32(b'abcde\xFF')", "MFRGGZDF74======"),
        ("TO_BASE32(b'')", ""),
        ("TO_BASE32(CAST(NULL AS BYTES))", None),
        ("FROM_BASE32('MFRGGZDF74======')", b"abcde\xff"),
        ("FORMAT_TIME('%k|%l|%P', TIME '00:00:00')", " 0|12|am"),
    ],
)
def test_formats_and_codings_that_bigquery_has_and_the_reference_engine_has_not(
    pair: tuple[object, Engine], expression: str, value: object
) -> None:
    assert pair[1].answer(f"SELECT {expression} AS x").rows == [(value,)]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'the blue house', 'Blue house'", True),
        ("'the red house', 'blue'", False),
        (r"'\u2168 day', 'IX'", True),
        ("'GRÖSSE', 'größe'", True),
        ("(23, NULL, 41), '41'", True),
        ("(23, NULL, 41), '35'", None),
        ("('abc', ['def', 'jkl'], 'xyz'), 'jk'", True),
        ("['a', NULL], 'b'", None),
        ("CAST([] AS ARRAY<STRING>), 'a'", False),
        ("DATE '2024-02-01', '-02-'", True),
        ("TIMESTAMP '2024-02-01 10:00:00+00', '10:00:00+00'", True),
        ("CAST(NULL AS STRUCT<a STRING>), 'a'", None),
    ],
)
def test_a_text_is_found_in_a_value_and_its_parts_whatever_the_case(
    pair: tuple[object, Engine], expression: str, value: object
) -> None:
    """As BigQuery's documentation of CONTAINS_SUBSTR says, which the reference engine has not."""
    assert pair[1].answer(f"SELECT CONTAINS_SUBSTR({expression}) AS x").rows == [(value,)]


_NUMBERS = "UNNEST([NULL, NULL, 1, 1, 1, 4, 5, 6, 7, 8, 9, 10]) AS x"
_FRUITS = "UNNEST(['apple', 'apple', 'pear', 'pear', 'pear', 'banana', NULL]) AS x"


@pytest.mark.parametrize(
    ("query", "value"),
    [
        (f"SELECT APPROX_QUANTILES(x, 2) FROM {_NUMBERS}", [1, 5, 10]),
        (f"SELECT APPROX_QUANTILES(x, 100)[OFFSET(90)] FROM {_NUMBERS}", 9),
        (f"SELECT APPROX_QUANTILES(x, 1) FROM {_NUMBERS}", [1, 10]),
        (f"SELECT APPROX_QUANTILES(DISTINCT x, 2) FROM {_NUMBERS}", [1, 6, 10]),
        (f"SELECT APPROX_QUANTILES(x, 2 RESPECT NULLS) FROM {_NUMBERS}", [None, 4, 10]),
        (f"SELECT APPROX_QUANTILES(DISTINCT x, 2 RESPECT NULLS) FROM {_NUMBERS}", [None, 6, 10]),
        (f"SELECT APPROX_QUANTILES(x, 2) FROM {_NUMBERS} WHERE x > 10", None),
        ("SELECT APPROX_QUANTILES(f, 2)[OFFSET(1)] FROM d.numbers", 0.0),
        (f"SELECT APPROX_TOP_COUNT(x, 2) FROM {_FRUITS}", [("pear", 3), ("apple", 2)]),
        (f"SELECT APPROX_TOP_COUNT(x, 9)[OFFSET(1)].count FROM {_FRUITS}", 2),
        (f"SELECT APPROX_TOP_COUNT(x, 9) FROM {_FRUITS} WHERE x IS NULL", [(None, 1)]),
        (f"SELECT APPROX_TOP_COUNT(x, 9) FROM {_FRUITS} WHERE FALSE", None),
    ],
)
def test_approximate_functions_that_the_reference_engine_has_not_are_exact(
    pair: tuple[object, Engine], query: str, value: object
) -> None:
    assert pair[1].answer(query).rows == [(value,)]
