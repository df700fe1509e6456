"""The parts of the tool that are installed only where they are wanted: the extras in pyproject.toml."""

from collections.abc import Iterator
from contextlib import contextmanager

from warehouse_refresh.warehouse.errors import WarehouseError


class NotInstalled(WarehouseError):
    """A package is missing; the message names the extra that brings it."""


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Around imports of packages that the extra brings. Raises NotInstalled where one is missing: `what` needs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"{what} needs the extra {extra} ({error.name}), which is not installed:"
            f" pip install 'warehouse-refresh[{extra}]'"
        ) from error
