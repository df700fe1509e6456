"""The statements of a db_init script: CREATE SCHEMA, CREATE TABLE, INSERT, and what clears up before them.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language
"""

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.tables.declared import definition_sql
from warehouse_refresh.warehouse.duckdb.translate.coercion import coerce
from warehouse_refresh.warehouse.duckdb.translate.nodes import FromItem, FunctionCall, Item, Node, Select, render
from warehouse_refresh.warehouse.duckdb.translate.queries.relations import reread, unique
from warehouse_refresh.warehouse.duckdb.translate.queries.sources import check_project
from warehouse_refresh.warehouse.duckdb.translate.queries.storing import check_name, stored_value
from warehouse_refresh.warehouse.duckdb.translate.scope import Output, Relation, Scope, Script
from warehouse_refresh.warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.text import quoted, schema_sql, table_sql
from warehouse_refresh.warehouse.errors import SqlError, TableNotFound
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.coercion import plain
from warehouse_refresh.warehouse.sql.type_syntax import column_of
from warehouse_refresh.warehouse.types import Column

_CONSTRAINTS = (exp.NotNullColumnConstraint, exp.DefaultColumnConstraint, exp.Properties)


def translated(tree: exp.Expr, script: Script) -> list[str]:
    """The DuckDB statements for one of GoogleSQL's. Raises SqlError, UnsupportedSql."""
    if isinstance(tree, exp.Create) and tree.args.get("kind") == "SCHEMA":
        return [f"CREATE SCHEMA IF NOT EXISTS {schema_sql(_schema(tree, script))}"]
    if isinstance(tree, exp.Create) and tree.args.get("kind") == "TABLE":
        return _create(tree, script)
    if isinstance(tree, exp.Insert):
        return _insert(tree, script)
    if isinstance(tree, exp.Drop) and tree.args.get("kind") == "TABLE" and len(tree.args["tables"]) == 1:
        return [f"DROP TABLE {'IF EXISTS ' if tree.args.get('exists') else ''}{_name(tree.args['tables'][0], script)}"]
    if isinstance(tree, exp.TruncateTable) and len(tree.expressions) == 1:
        return [f"DELETE FROM {_name(tree.expressions[0], script)}"]
    if isinstance(tree, exp.Query):
        return [render(script.compiler.query(tree, Scope(script)).query)]
    return unsupported(script.text, tree, f"{script.text.split(maxsplit=1)[0].upper()} statement")


def listed_columns(tree: exp.Expr, script: Script) -> tuple[Column, ...] | None:
    """The columns that a CREATE TABLE lists, none if it takes those of its query; None for any other statement."""
    if not isinstance(tree, exp.Create) or tree.args.get("kind") != "TABLE":
        return None
    return tuple(_columns(tree.this, script)) if isinstance(tree.this, exp.Schema) else ()


def _schema(tree: exp.Create, script: Script) -> str:
    """sqlglot reads `` `project.dataset` `` as one name."""
    project, _, dataset = tree.this.db.rpartition(".")
    check_project(tree, project or tree.this.catalog, script)
    return str(dataset)


def _name(node: exp.Expr, script: Script) -> str:
    if not isinstance(node, exp.Table) or not node.db:
        wrong(script.text, node, "a table's name needs its dataset", "write dataset.table")
    check_project(node, node.catalog, script)
    return table_sql(TableName(node.db, node.name))


def _create(tree: exp.Create, script: Script) -> list[str]:
    for name, value in tree.args.items():
        if value and name not in ("this", "kind", "replace", "exists", "expression", "properties"):
            unsupported(script.text, tree, f"{name.upper()} in CREATE TABLE")
    schema = tree.this if isinstance(tree.this, exp.Schema) else None
    table = _name(schema.this if schema is not None else tree.this, script)
    word = "CREATE OR REPLACE TABLE" if tree.args.get("replace") else "CREATE TABLE"
    word += " IF NOT EXISTS" if tree.args.get("exists") else ""
    if tree.expression is None:
        if schema is None:
            wrong(script.text, tree, "CREATE TABLE needs columns or AS")
        if not schema.expressions:
            unsupported(script.text, schema, "a table without columns", "list its columns")
        return [f"{word} {table} ({_definitions(schema, script)})"]
    relation = script.compiler.query(tree.expression, Scope(script))
    if schema is None:
        return [f"{word} {table} AS {_as_columns(relation, [_column(c) for c in relation.columns], script, tree)}"]
    declared = _columns(schema, script)
    return [
        f"{word} {table} ({_definitions(schema, script)})",
        f"INSERT INTO {table} {_as_columns(relation, declared, script, tree)}",
    ]


def _column(found: Output) -> Column:
    if not found.name:
        raise SqlError("a column of the result has no name", hint="give it one with AS")
    check_name(found.name, found.type)
    return Column(found.name, found.type)


def _columns(schema: exp.Schema, script: Script) -> list[Column]:
    columns = []
    for part in schema.expressions:
        if not isinstance(part, exp.ColumnDef):
            unsupported(script.text, part, f"{part.sql('bigquery')} in CREATE TABLE")
        kinds = [constraint.args["kind"] for constraint in part.args.get("constraints") or ()]
        if any(not isinstance(kind, _CONSTRAINTS) for kind in kinds):
            unsupported(script.text, part, "a column's constraint other than NOT NULL and DEFAULT")
        columns.append(column_of(part))
        check_name(columns[-1].name, columns[-1].type)
    if len(unique([column.name for column in columns])) != len({column.name.casefold() for column in columns}):
        wrong(script.text, schema, "two columns have one name")
    return columns


def _definitions(schema: exp.Schema, script: Script) -> str:
    pairs = zip(schema.expressions, _columns(schema, script), strict=True)
    return ", ".join(definition_sql(column, _default(part, column, script)) for part, column in pairs)


def _default(part: exp.ColumnDef, column: Column, script: Script) -> str:
    """https://cloud.google.com/bigquery/docs/default-values"""
    found = part.find(exp.DefaultColumnConstraint)
    if found is None:
        return ""
    if found.find(exp.Query):
        wrong(script.text, found, f"the default of column {column.name} cannot be a query", "write the value itself")
    value = Scope(script).compile(found.this)
    given = coerce(value, plain(column.type))
    if given is None:
        wrong(script.text, found, f"column {column.name} is {column.type}, its default is {value.type}")
    written = render(stored_value(given.node, column.type))
    if ", lambda " in written:
        hint = "write the value itself, or give it in each INSERT"
        unsupported(script.text, found, f"a default of the column {column.name} that is computed like this", hint)
    return f" DEFAULT {written}"


def _as_columns(relation: Relation, columns: list[Column], script: Script, node: exp.Expr) -> str:
    """The query's columns, one after the other, as a table's columns of these types."""
    if len(relation.columns) != len(columns):
        wrong(script.text, node, f"the query gives {len(relation.columns)} columns, the table has {len(columns)}")
    items = []
    for found, column in zip(relation.columns, columns, strict=True):
        value = coerce(reread(found, "q$"), plain(column.type))
        if value is None:
            wrong(script.text, node, f"column {column.name} is {column.type}, the query gives {found.type}")
        items.append(Item(stored_value(value.node, column.type), column.name))
    return render(Select(tuple(items), FromItem(relation.query, "q$")))


def _known(target: exp.Table, script: Script) -> tuple[Column, ...]:
    try:
        return script.columns(TableName(target.db, target.name))
    except TableNotFound as error:
        wrong(script.text, target, str(error))


def _insert(tree: exp.Insert, script: Script) -> list[str]:
    for name, value in tree.args.items():
        if value and name not in ("this", "expression"):
            unsupported(script.text, tree, f"{name.upper()} in INSERT")
    schema = tree.this if isinstance(tree.this, exp.Schema) else None
    target = schema.this if schema is not None else tree.this
    table = _name(target, script)
    known = {c.name.casefold(): c for c in _known(target, script)}
    names = [part.name for part in schema.expressions] if schema is not None else [c.name for c in known.values()]
    for name in names:
        if name.casefold() not in known:
            wrong(script.text, tree, f"{target.sql('bigquery')} has no column {name}")
    columns = [known[name.casefold()] for name in names]
    listed = ", ".join(quoted(column.name) for column in columns)
    if isinstance(tree.expression, exp.Values):
        return [f"INSERT INTO {table} ({listed}) {_values(tree.expression, columns, script)}"]
    relation = script.compiler.query(tree.expression, Scope(script))
    return [f"INSERT INTO {table} ({listed}) {_as_columns(relation, columns, script, tree)}"]


def _values(node: exp.Values, columns: list[Column], script: Script) -> str:
    scope = Scope(script)
    rows = []
    for row in node.expressions:
        parts = row.expressions if isinstance(row, exp.Tuple) else [row]
        if len(parts) != len(columns):
            wrong(script.text, row, f"the row has {len(parts)} values for {len(columns)} columns")
        values: list[Node] = []
        for part, column in zip(parts, columns, strict=True):
            if isinstance(part, exp.Var) and part.name.upper() == "DEFAULT":
                values.append(sql("DEFAULT"))
                continue
            value = scope.compile(part)
            found = coerce(value, plain(column.type))
            if found is None:
                wrong(script.text, part, f"column {column.name} is {column.type}, the value is {value.type}")
            values.append(stored_value(found.node, column.type))
        rows.append(render(FunctionCall("", tuple(values))))
    return f"VALUES {', '.join(rows)}"
