"""The columns of the raw tables, as the scripts in db_init/ create them."""

from sqlglot import exp

from warehouse_refresh.pipeline.project.problems import sql_problem
from warehouse_refresh.pipeline.raw.init_scripts import Declared, InitScripts, Tables
from warehouse_refresh.warehouse import Planner, offline_planner
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.parser import place_of
from warehouse_refresh.warehouse.sql.query import Statement, parse_query
from warehouse_refresh.warehouse.sql.syntax_errors import too_deep
from warehouse_refresh.warehouse.sql.type_syntax import column_of
from warehouse_refresh.warehouse.types import Column


def declared_columns(scripts: InitScripts, cache: SqlCache | None = None) -> Declared:
    """Find the columns of the tables that the scripts create. No script is run."""
    problems, wrong = [*scripts.problems], set[TableName]()
    planner = offline_planner(cache)
    found: Tables = {}
    for path, statements in scripts.statements.items():
        for statement in statements:
            try:
                _follow(statement, found, planner)
            except SqlError as error:
                problems.append(sql_problem(path, error))
                wrong |= {statement.target} if statement.target else set()
    return Declared(found, problems, wrong)


def _follow(statement: Statement, found: Tables, planner: Planner) -> None:
    """Update `found` by a statement that changes the columns of its table. Raises SqlError."""
    target, tree = statement.target, statement.tree
    if target is None or isinstance(tree, exp.Insert | exp.Update | exp.Delete | exp.Merge | exp.TruncateTable):
        return
    columns = _created(statement, found, planner) if isinstance(tree, exp.Create) else None
    found.pop(target, None)
    if columns:
        found[target] = columns


def _created(statement: Statement, known: Tables, planner: Planner) -> tuple[Column, ...] | None:
    """The columns of a CREATE TABLE: as listed with their types, or else those of its query."""
    tree = statement.tree
    listed = tree.this.expressions if isinstance(tree.this, exp.Schema) else []
    definitions = [item for item in listed if isinstance(item, exp.ColumnDef)]
    if definitions and all(definition.args.get("kind") for definition in definitions):
        return tuple(_column(statement, definition) for definition in definitions)
    if isinstance(tree.expression, exp.Query):
        try:
            query = parse_query(tree.expression.sql("bigquery")).within(statement.own)
            plan = planner.plan(query, known)
            plan.confirm()
        except RecursionError as error:
            raise statement.located(too_deep()) from error
        except SqlError as error:  # its place is in the text that sqlglot wrote, not in the file
            raise statement.located(type(error)(error.reason, hint=error.hint)) from error
        return plan.columns
    return None


def _column(statement: Statement, definition: exp.ColumnDef) -> Column:
    try:
        return column_of(definition)
    except ValueError as error:
        raise SqlError(str(error), place=place_of(statement.text, definition)) from error
