"""Do a refresh once more, where it has lost a database from which it had read some of its tables."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from warehouse_refresh.warehouse.errors import WarehouseError

_WAITS = (1, 2, 5, 10, 20)  # seconds


@dataclass(frozen=True, slots=True)
class Done:
    """What to print after a refresh, its exit code, and whether it has lost a database."""

    text: str
    code: int
    was_lost: bool


def until_whole(refresh: Callable[[], Done], say: Callable[[str], None]) -> int:
    """Do the refresh, and again after each of the waits if it loses a database. Print what the last one says, and
    answer its exit code. Raises what the first one raises."""
    done, waits = refresh(), iter(_WAITS)
    while done.was_lost and (wait := next(waits, None)) is not None:
        say(f"{done.text}\nA database was lost: loading once more, in {wait} s.")
        time.sleep(wait)
        try:
            done = refresh()
        except WarehouseError as error:
            done = Done(str(error), 1, was_lost=True)
    print(done.text)
    return done.code
