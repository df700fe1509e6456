"""`refresh init`: datasets and raw tables."""

import sys
from argparse import Namespace
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from warehouse_refresh.commands.terminal.question import ask
from warehouse_refresh.pipeline.project.files import res_folder
from warehouse_refresh.pipeline.project.problems import Problem, Severity
from warehouse_refresh.pipeline.project.scripts import read_datasets, source_folders
from warehouse_refresh.pipeline.raw.db_init import Rows, describe_sources, initialise
from warehouse_refresh.pipeline.raw.seeds import read_seeds
from warehouse_refresh.pipeline.refresh import waiting_turn
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.warehouse import connect
from warehouse_refresh.warehouse.sql.cache import open_cache
from warehouse_refresh.warehouse.urls import project_of

_NOTES = Path(".data/files.json")
"""Notes of its own: those about scripts would be forgotten by a command that does not use them."""


def run(options: Namespace) -> int:
    """Create missing datasets and raw tables, and print what was done. Returns the exit code. Raises NotConfirmed."""
    settings = read_settings()
    res = res_folder(settings.folder, settings.layout.res)
    datasets = read_datasets(res, settings.layout.raw)
    with open_cache(settings.folder / _NOTES) as cache:
        seeds = read_seeds(source_folders(res, settings.layout.raw), cache)
    confirm = (_agreed if options.yes else _ask) if options.replace else None
    with (
        connect(settings.warehouse_url) as warehouse,
        waiting_turn(warehouse, "`refresh init`", print) if seeds else nullcontext(),  # two must not load one file
    ):
        own = project_of(settings.warehouse_url)
        folder = settings.folder / settings.layout.db_init
        done = initialise(warehouse, folder, datasets, own=own, seeds=seeds, confirm_replacing=confirm)
        describe_sources(warehouse, source_folders(res, settings.layout.raw), _say_wrong)
    for table in done.created:
        print(f"created {table}")
    if done.kept:
        print(f"kept {', '.join(map(str, done.kept))}: they have rows; --replace would replace them")
    for table in done.changed:
        print(f"kept {table}: its file has changed, but rows were posted since it was loaded; --replace replaces them")
    return 0


def _say_wrong(problem: Problem) -> None:
    """Say what is wrong, as a warning, since it stops nothing here: `check` and a refresh call it an error."""
    problem = replace(problem, severity=Severity.WARNING)
    print(f"{problem}\n  the table's descriptions stay as they are", file=sys.stderr)


def _agreed(_full: Rows) -> None:
    """`--yes` was said."""


def _ask(full: Rows) -> None:
    """Ask whether the rows of these tables may be deleted. Raises NotConfirmed."""
    tables = [f"{table} ({rows:,} {'row' if rows == 1 else 'rows'})" for table, rows in full.items()]
    lines = "\n  ".join(tables)
    ask(
        f"--replace deletes the rows of these tables, and fills them from db_init/:\n  {lines}",
        f"--replace would delete the rows of {', '.join(tables)}; nothing was changed. If that is meant, say"
        " `refresh init --replace --yes`",
    )
