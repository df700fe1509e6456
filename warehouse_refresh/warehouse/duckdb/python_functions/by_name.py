"""All functions in Python by their names in DuckDB, each with the DuckDB type of its result.

They take DuckDB's values, NULL as None, and JSON as text. They raise ValueError, whose text the user sees. A FLOAT64 is
returned as text, since DuckDB takes Python's NaN for NULL.
"""

from collections.abc import Callable, Mapping
from typing import Any

from warehouse_refresh.warehouse.duckdb.python_functions import (
    PREFIX,
    binary,
    decimals,
    documents,
    fingerprints,
    formats,
    patterns,
    texts,
)


def _shown(name: str) -> str:
    """The function or operator of GoogleSQL that calls the function."""
    part = name.removeprefix("bytes_").removeprefix("big").removeprefix("numeric_")
    return decimals.CALLED_BY.get(part, part.upper())


def _called(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as DuckDB calls it: with a signature of which it infers no types, and its name in its errors."""

    def called(*values: Any) -> Any:
        try:
            return function(*values)
        except RecursionError as error:
            reason = "the embedded engine has no room for a document of so many levels"
            raise ValueError(f"in {_shown(name)}: {reason}") from error
        except ValueError as error:
            raise ValueError(f"in {_shown(name)}: {error}") from error

    return called


_ALL = {
    **binary.FUNCTIONS,
    **decimals.FUNCTIONS,
    **documents.FUNCTIONS,
    **fingerprints.FUNCTIONS,
    **formats.FUNCTIONS,
    **patterns.FUNCTIONS,
    **texts.FUNCTIONS,
}
FUNCTIONS: Mapping[str, tuple[Callable[..., Any], str]] = {
    f"{PREFIX}{name}": (_called(name, function), kind) for name, (function, kind) in _ALL.items()
}
"""DuckDB does not keep them alive: they must stay here as long as the process runs."""
