"""Wildcard tables: `raw.events_*` is all tables whose names begin so, one after the other.

https://cloud.google.com/bigquery/docs/querying-wildcard-tables
"""

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    Column,
    FromItem,
    Item,
    Literal,
    Name,
    Node,
    Select,
    SetOperation,
)
from warehouse_refresh.warehouse.duckdb.translate.scope import Output, Relation, Script
from warehouse_refresh.warehouse.duckdb.translate.syntax import place_of, unsupported
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.coercion import plain
from warehouse_refresh.warehouse.types import STRING
from warehouse_refresh.warehouse.types import Column as TableColumn

SUFFIX = "_TABLE_SUFFIX"


def wildcard(node: exp.Table, name: TableName, script: Script) -> Relation:
    """The tables of a wildcard as one relation, with the hidden column _TABLE_SUFFIX. It has the columns of the table
    whose name sorts last (BigQuery: of the table created last). A column that another table lacks is NULL there. Raises
    SqlError if no table matches, UnsupportedSql if a column's types differ."""
    members = script.wildcards.get(name, ())
    if not members:
        raise SqlError(f"no table matches {name}", place=place_of(script.text, node))
    columns = {member: script.columns(member) for member in members}
    shown = columns[members[-1]]
    suffix = script.alias()
    outputs = tuple(Output(column.name, column.name, plain(column.type)) for column in shown)
    parts = [_part(node, script, member, columns[member], shown, (name, suffix)) for member in members]
    query = parts[0] if len(parts) == 1 else SetOperation("UNION ALL", tuple(parts))
    return Relation(query, outputs, hidden=(Output(SUFFIX, suffix, STRING),))


def _part(
    node: exp.Table,
    script: Script,
    member: TableName,
    columns: tuple[TableColumn, ...],
    shown: tuple[TableColumn, ...],
    suffix: tuple[TableName, str],
) -> Node:
    """One of the tables, with the columns that are shown."""
    alias = script.alias()
    known = {column.name.casefold(): column for column in columns}
    items: list[Node] = []
    for column in shown:
        found = known.get(column.name.casefold())
        kind = duckdb_type(plain(column.type))
        if found is not None and plain(found.type) != plain(column.type):
            unsupported(
                script.text, node, f"{column.name}, which is {found.type} in {member} and {column.type} in another"
            )
        value = sql(f"CAST({{x}} AS {kind})", x=Column(alias, found.name)) if found else Literal(None, kind)
        items.append(Item(value, column.name))
    items.append(Item(Literal(member.name.removeprefix(suffix[0].name[:-1])), suffix[1]))
    source = FromItem(Name((CATALOGUE, member.dataset, member.name)), alias)
    return Select(tuple(items), source)
