"""GoogleSQL as DuckDB's SQL."""

from collections.abc import Callable

import duckdb
from sqlglot import ErrorLevel, exp
from sqlglot.errors import UnsupportedError

from warehouse.errors import UnsupportedSql
from warehouse.googlesql import Query, Statement
from warehouse.names import TableName
from warehouse.types import Column, SqlType, parse_type

Columns = Callable[[TableName], tuple[Column, ...]]

_DUCKDB_OF = {
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE",
    "NUMERIC": "DECIMAL(38, 9)",
    "BOOL": "BOOLEAN",
    "STRING": "VARCHAR",
    "BYTES": "BLOB",
    "DATE": "DATE",
    "TIME": "TIME",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMP": "TIMESTAMP WITH TIME ZONE",
    "JSON": "JSON",
    "INTERVAL": "INTERVAL",
}


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Make what translated SQL needs, once for each time that a file is opened; all cursors of `connection` see it."""
    connection.execute("SET GLOBAL TimeZone = 'UTC'")


def translate(query: Query, columns: Columns) -> str:  # noqa: ARG001
    """One DuckDB query whose answer is GoogleSQL's. Raises UnsupportedSql, SqlError."""
    return _sql(query.tree)


def translate_statement(statement: Statement, columns: Columns) -> list[str]:  # noqa: ARG001
    """The DuckDB statements that do what one of a db_init script does. Raises UnsupportedSql, SqlError."""
    tree = statement.tree
    typed = isinstance(tree, exp.Create) and isinstance(tree.this, exp.Schema) and tree.expression is not None
    if not typed:
        return [_sql(tree)]
    create = tree.copy()
    create.set("expression", None)
    return [_sql(create), f"INSERT INTO {_sql(tree.this.this)} {_sql(tree.expression)}"]


def duckdb_type(type_: SqlType) -> str:
    """The type in DuckDB's CREATE TABLE. Raises UnsupportedSql."""
    if type_.element is not None:
        return f"{duckdb_type(type_.element)}[]"
    if type_.name == "STRUCT":
        return f"STRUCT({', '.join(f'{quoted(field.name)} {duckdb_type(field.type)}' for field in type_.fields)})"
    if type_.name not in _DUCKDB_OF:
        raise UnsupportedSql(f"the embedded engine has no {type_.name}", hint="this needs BigQuery")
    return _DUCKDB_OF[type_.name]


def googlesql_type(description: str) -> SqlType:
    """The GoogleSQL type of a column that DuckDB describes so."""
    tree = exp.DataType.build(description, dialect="duckdb")
    return _without_parameters(parse_type(tree.sql("bigquery")))


def quoted(name: str) -> str:
    """A name as DuckDB's identifier."""
    return '"' + name.replace('"', '""') + '"'


def _without_parameters(type_: SqlType) -> SqlType:
    if type_.element is not None:
        return SqlType("ARRAY", element=_without_parameters(type_.element))
    fields = tuple(Column(field.name, _without_parameters(field.type)) for field in type_.fields)
    return SqlType(type_.name, fields=fields)


def _sql(tree: exp.Expr) -> str:
    try:
        return tree.sql("duckdb", unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise UnsupportedSql(str(error), hint="this needs BigQuery") from error
