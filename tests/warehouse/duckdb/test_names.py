"""Names that may be a column or a table. The reference engine has no tables in back-ticks, so it is not asked."""

import pytest

from warehouse_refresh.warehouse import offline_planner
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.types import INT64, Column, struct_of

AGE = {TableName("tmp", "age"): (Column("age", INT64), Column("id", INT64))}
ROW = struct_of(*AGE[TableName("tmp", "age")])


def columns(sql: str) -> tuple[Column, ...]:
    return offline_planner().plan(parse_query(sql), AGE).columns


@pytest.mark.parametrize("table", ["`tmp.age`", "`p.tmp.age`", "`p.tmp`.age"])
def test_a_column_comes_before_a_table_of_its_name_in_back_ticks(table: str) -> None:
    query = parse_query(f"SELECT age, age.id, age + 1 AS next FROM {table} WHERE age < 5").within("p")
    assert [column.type for column in offline_planner().plan(query, AGE).columns] == [INT64] * 3


@pytest.mark.parametrize("table", ["tmp.age", "`tmp`.`age`", "`tmp.age` AS age"])
def test_any_other_table_is_its_row(table: str) -> None:
    assert columns(f"SELECT age AS x FROM {table}") == (Column("x", ROW),)
    with pytest.raises(SqlError, match=r"operator < does not take STRUCT<age INT64, id INT64>, INT64") as caught:
        columns(f"SELECT age FROM {table} WHERE age < 5")
    assert "write age.age for the column" in caught.value.hint


@pytest.mark.parametrize("clause", ["SELECT SUM(age) AS x FROM tmp.age", "SELECT age + 1 AS x FROM tmp.age"])
def test_a_row_in_place_of_its_column_is_told_wherever_it_stands(clause: str) -> None:
    with pytest.raises(SqlError) as caught:
        columns(clause)
    assert caught.value.hint == "age is a row of its table: write age.age for the column, or give the table an alias"


def test_using_takes_no_column_of_its_table_s_name() -> None:
    with pytest.raises(SqlError, match="USING: age is a table here, not a column"):
        columns("SELECT a.id FROM tmp.age AS a JOIN tmp.age USING (age)")


def test_a_table_in_back_ticks_without_a_column_of_its_name_is_its_row() -> None:
    table = {TableName("tmp", "old"): AGE[TableName("tmp", "age")]}
    assert offline_planner().plan(parse_query("SELECT old AS x FROM `tmp.old`"), table).columns == (Column("x", ROW),)
