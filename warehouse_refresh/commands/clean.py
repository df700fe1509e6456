"""`refresh clean`: drop what no script builds any more."""

import sys
from argparse import Namespace

from warehouse_refresh.commands.terminal.question import ask
from warehouse_refresh.pipeline.project.files import res_folder
from warehouse_refresh.pipeline.project.problems import Refused, errors_in
from warehouse_refresh.pipeline.project.reading import project_in, sql_cache
from warehouse_refresh.pipeline.raw.init_scripts import read_init_scripts
from warehouse_refresh.pipeline.refresh import waiting_turn
from warehouse_refresh.pipeline.settings import RefreshSettings, read_settings
from warehouse_refresh.pipeline.tables.leftovers import leftovers, views_left
from warehouse_refresh.warehouse import Warehouse, connect
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName


def run(options: Namespace) -> int:
    """Ask, drop each table and view, and answer the exit code: 0, or 1 if one could not be dropped.

    Nobody is asked with `--yes`. Raises Refused for a project with errors, NotConfirmed, WarehouseError.
    """
    settings = read_settings()
    res_folder(settings.folder, settings.layout.res)
    with connect(settings.warehouse_url) as warehouse:
        asked = _left(warehouse, settings)
        if not asked:
            print("nothing is left over: a script builds each table")
            return 0
        reads = warehouse.view_reads()
        broken = [f"{view} reads {table}, and cannot be read without it" for view, table in views_left(reads, asked)]
        if options.yes:
            print("\n".join(broken), end="\n" if broken else "")
        else:
            _ask(asked, broken)
        with waiting_turn(warehouse, "`refresh clean`", print):
            still = _left(warehouse, settings)  # another refresh may have ended meanwhile
            in_order = sorted(asked, key=lambda table: (table not in reads, table))  # no view outlives its table
            dropped = [_is_dropped(warehouse, table) for table in in_order if table in still]
    return 0 if all(dropped) else 1


def _left(warehouse: Warehouse, settings: RefreshSettings) -> list[TableName]:
    """The left-over tables. Raises Refused if the project has errors: an unreadable script may build one of them."""
    with sql_cache(settings.folder) as cache:
        project = project_in(settings, cache)
    created = read_init_scripts(settings.folder / settings.layout.db_init, project.own)
    if errors := errors_in([*project.problems, *created.problems]):
        raise Refused(errors)
    return leftovers(warehouse, project)


def _ask(tables: list[TableName], broken: list[str]) -> None:
    """Ask whether these tables may be dropped. Raises NotConfirmed."""
    ask(
        "\n  ".join(["no script builds these any more, and they are dropped:", *map(str, tables)])
        + "".join(f"\n{line}" for line in broken),
        f"nothing was changed. No script builds {', '.join(map(str, tables))} any more; to drop what is left over, say"
        " `refresh clean --yes`" + "".join(f"\n{line}" for line in broken),
    )


def _is_dropped(warehouse: Warehouse, table: TableName) -> bool:
    try:
        warehouse.drop(table)
    except WarehouseError as error:
        print(f"error: {table} was not dropped: {error}", file=sys.stderr)
        return False
    print(f"dropped {table}")
    return True
