"""Functions of GoogleSQL that DuckDB lacks, written in Python.

Translated SQL calls them by names such as `googlesql_json_set`. They are registered in a newly opened DuckDB once it
misses one, since DuckDB then imports numpy, which takes 0.2 s. A view that calls one needs them wherever it is read.
"""

import re
import threading
from contextlib import suppress

from warehouse_refresh.warehouse.duckdb.client import duckdb

PREFIX = "googlesql_"
_MISSING = re.compile(rf"Scalar Function with name ({PREFIX}\w+) does not exist")
_registering = threading.Lock()


class Refusal(ValueError):
    """A function cannot tell GoogleSQL's answer. Even SAFE makes no NULL of it."""


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Register the functions that are not there yet, for all connections of this DuckDB. A transaction that has begun
    before may not see them."""
    from duckdb.func import FunctionNullHandling

    from warehouse_refresh.warehouse.duckdb.python_functions.by_name import FUNCTIONS

    with _registering, connection.cursor() as own:  # an error would end a transaction of the connection
        for name, (function, kind) in FUNCTIONS.items():
            with suppress(duckdb.CatalogException):  # it is there
                own.create_function(name, function, None, kind, null_handling=FunctionNullHandling.SPECIAL)


def is_missing(error: duckdb.Error) -> bool:
    """Whether the error says that one of the functions is not there."""
    found = _MISSING.search(str(error))
    if found is None:
        return False
    from warehouse_refresh.warehouse.duckdb.python_functions.by_name import FUNCTIONS

    return found[1] in FUNCTIONS
