"""`refresh init`: datasets and raw tables."""

from argparse import Namespace

from flows.db_init import initialise
from flows.scripts import read_datasets
from flows.settings import read_settings
from warehouse.url import connect


def run(options: Namespace) -> int:
    """Create what is missing, say what was done, and answer the exit code."""
    settings = read_settings()
    warehouse = connect(settings.warehouse_url)
    try:
        done = initialise(
            warehouse, settings.folder / "db_init", read_datasets(settings.folder / "res"), replace=options.replace
        )
    finally:
        warehouse.close()
    for table in done.created:
        print(f"created {table}")
    for table in done.kept:
        print(f"kept {table}: it has rows (--replace would replace it)")
    return 0
