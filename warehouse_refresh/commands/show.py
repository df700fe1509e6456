"""`refresh show tmp.x`: rows of a table, as it is in the warehouse."""

from argparse import Namespace

from warehouse_refresh.commands.terminal.answer import SHOWN, print_answer
from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.pipeline.settings import RefreshSettings, of_environment, read_settings
from warehouse_refresh.warehouse import Answer, Warehouse, connect
from warehouse_refresh.warehouse.errors import TableNotFound
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.suggest import did_you_mean


def run(options: Namespace) -> int:
    """Print the rows, and answer the exit code. Raises SelectionError for a table that is not there, WarehouseError."""
    settings = of_environment(read_settings(), options.env)
    try:
        table = TableName.parse(options.table)
    except ValueError as error:
        raise SelectionError(f"{options.table} is not a table's name: write dataset.table") from error
    with _connected(settings) as warehouse:
        try:
            columns = warehouse.columns(table)
        except TableNotFound as error:
            raise SelectionError(f"there is no table {table}; {_hint(warehouse, table)}") from error
        everything = warehouse.row_count(table) if options.csv or options.json else SHOWN + 1
        rows = warehouse.first_rows(table, options.limit or everything)
    print_answer(Answer(columns, rows), str(table), options)
    if not (options.csv or options.json):
        print("".join(f"{column.name}: {column.description}\n" for column in columns if column.description), end="")
    return 0


def _connected(settings: RefreshSettings) -> Warehouse:
    """The warehouse as the environment sees it, if one is asked for."""
    if not settings.environment:
        return connect(settings.warehouse_url)
    from warehouse_refresh.pipeline.tables.environments import environment_of  # imports what builds tables

    return environment_of(settings)


def _hint(warehouse: Warehouse, table: TableName) -> str:
    known = list(map(str, warehouse.tables(table.dataset)))
    return did_you_mean(str(table), known) or f"`refresh build {table}` builds it, if a script does"
