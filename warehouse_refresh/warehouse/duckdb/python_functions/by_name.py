"""All functions in Python by their names in DuckDB, each with the DuckDB type of its result.

They take DuckDB's values, NULL as None, and JSON as text. They raise ValueError, whose text the user sees. A FLOAT64 is
returned as text, since DuckDB takes Python's NaN for NULL.

A `Refusal` must stay an error in DuckDB's TRY, which catches whatever a function raises. So it is a value that DuckDB
cannot take, of a type that is named after the reason.
"""

from collections.abc import Callable, Mapping
from typing import Any

from warehouse_refresh.warehouse.duckdb.python_functions import (
    PREFIX,
    Refusal,
    binary,
    decimals,
    documents,
    fingerprints,
    formats,
    patterns,
    texts,
    written_documents,
)


def _shown(name: str) -> str:
    """The function or operator of GoogleSQL that calls the function."""
    part = name.removeprefix("bytes_").removeprefix("big").removeprefix("numeric_")
    return decimals.CALLED_BY.get(part, part.upper())


class _RefusalType(type):
    """A type that DuckDB shows as its reason."""

    reason: str

    def __repr__(cls) -> str:
        return cls.reason


def _refused(reason: str) -> Any:
    """A value that DuckDB cannot take."""
    return _RefusalType("Refused", (), {"reason": reason})()


def _called(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as DuckDB calls it: with a signature of which it infers no types, and its name in its errors."""

    def called(*values: Any) -> Any:
        try:
            return function(*values)
        except Refusal as error:
            return _refused(f"in {_shown(name)}: {error}")
        except RecursionError:
            reason = "the embedded engine has no room for a document of so many levels"
            return _refused(f"in {_shown(name)}: {reason}")
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
    **written_documents.FUNCTIONS,
}
FUNCTIONS: Mapping[str, tuple[Callable[..., Any], str]] = {
    f"{PREFIX}{name}": (_called(name, function), kind) for name, (function, kind) in _ALL.items()
}
"""DuckDB does not keep them alive: they must stay here as long as the process runs."""
