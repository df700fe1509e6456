"""`refresh source add`: settings files for the tables that a database has."""

from argparse import Namespace

from warehouse_refresh.pipeline.raw.loading.adding import add_sources
from warehouse_refresh.pipeline.settings import read_settings


def run(options: Namespace) -> int:
    """Write the files, and print which."""
    added = add_sources(read_settings(), options.where)
    for path in added.written:
        print(f"wrote {path}")
    for table, reason in added.left.items():
        print(f"left {table} out: {reason}")
    if added.variable:
        print(f"refresh.toml has a new connection; set the variable {added.variable} to the URL before `refresh load`")
    elif added.connection:
        print(f"refresh.toml has a new connection, {added.connection}: `refresh load` reads it")
    return 0
