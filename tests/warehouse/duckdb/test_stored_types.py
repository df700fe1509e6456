"""The type of a stored column is known without asking DuckDB, and without the parser."""

import subprocess
import sys
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Write
from warehouse_refresh.warehouse.duckdb import types
from warehouse_refresh.warehouse.duckdb.types import duckdb_type, googlesql_type, stored_type
from warehouse_refresh.warehouse.types import Column, SqlType, array_of, parse_type, struct_of

SCALARS = ["INT64", "FLOAT64", "NUMERIC", "BOOL", "STRING", "BYTES", "DATE", "TIME", "DATETIME", "TIMESTAMP", "JSON"]
scalars = st.sampled_from(
    [*SCALARS, "INTERVAL", "STRING(5)", "BYTES(3)", "NUMERIC(10)", "NUMERIC(10, 2)", "BIGNUMERIC"]
).map(parse_type)


def structs(types: st.SearchStrategy[SqlType]) -> st.SearchStrategy[SqlType]:
    names = st.sampled_from(["", "a", "A", "b c", 'say "x"', "_field_2", "a, b", "x)(", "select"])
    return st.lists(st.builds(Column, names, types), min_size=1, max_size=3).map(lambda fields: struct_of(*fields))


def nested(types: st.SearchStrategy[SqlType]) -> st.SearchStrategy[SqlType]:
    return structs(types) | types.filter(lambda type_: type_.element is None).map(array_of)


@given(st.recursive(scalars, nested, max_leaves=6))
def test_it_is_what_duckdb_describes(type_: SqlType) -> None:
    assert stored_type(type_) == googlesql_type(duckdb_type(type_))


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


@given(st.recursive(scalars, nested, max_leaves=6))
def test_what_duckdb_describes_is_read_as_the_parser_reads_it(
    connection: duckdb.DuckDBPyConnection, type_: SqlType
) -> None:
    connection.execute(f"CREATE OR REPLACE TABLE it (x {duckdb_type(type_)})")
    [(text,)] = connection.execute("SELECT column_type FROM (DESCRIBE it)").fetchall()
    assert types.simply_read(text) == types.parsed(text)


@pytest.mark.parametrize("text", ["BIGINT[3]", "MAP(VARCHAR, BIGINT)", "ENUM('a', 'b')", "STRUCT(a BIT)", "UUID[]"])
def test_other_types_of_duckdb_are_left_to_the_parser(text: str) -> None:
    assert types.simply_read(text) is None


def test_a_build_of_known_scripts_with_nested_columns_imports_neither_the_parser_nor_all_of_duckdb(
    write: Write,
) -> None:
    write(
        {
            "res/tmp/a.sql": "SELECT [STRUCT(1 AS x, ['a'] AS y)] AS z, NUMERIC '1' AS n",
            "res/tmp/b.sql": "SELECT z, n FROM tmp.a",
            "res/dependencies.toml": '[tmp]\nb = ["tmp.a"]\n',
        }
    )
    code = (
        "import sys; from warehouse_refresh.commands.main import main; assert main(['build']) == 0;"
        "print('sqlglot' in sys.modules, 'duckdb' in sys.modules, 'importlib.metadata' in sys.modules)"
    )
    for expected in ("True True True", "False False False"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.split("\n")[-2] == expected
