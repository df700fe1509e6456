"""`refresh init`: datasets and raw tables."""

from argparse import Namespace

from flows.db_init import initialise
from flows.scripts import read_datasets
from flows.settings import read_settings
from warehouse.url import connect, project_of


def run(options: Namespace) -> int:
    """Create what is missing, say what was done, and answer the exit code."""
    settings = read_settings()
    datasets = read_datasets(settings.folder / "res")
    with connect(settings.warehouse_url) as warehouse:
        own = project_of(settings.warehouse_url)
        done = initialise(warehouse, settings.folder / "db_init", datasets, own=own, replace=options.replace)
    for table in done.created:
        print(f"created {table}")
    if done.kept:
        print(f"kept {', '.join(map(str, done.kept))}: they have rows; --replace would replace them")
    return 0
