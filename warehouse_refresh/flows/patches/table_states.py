"""The last state of a built table says at once that there is no result. Read from Prefect 3.9.1.

Before a table is built, Prefect asks the last state of each dependency for its result, with a coroutine in another
thread: 0.9 ms. It also makes a record of each table's own result, with a name for a file that is never written: 0.7 ms.
Tables have no result.
"""

from functools import cache
from typing import Any

import prefect.results
from prefect.client.schemas.objects import State, StateType
from prefect.serializers import PickleSerializer
from prefect.states import Completed


class _TableBuilt(State[None]):
    def result(self, *_arguments: object, **_options: object) -> None:
        """None, and without a look for it."""


def built_state(message: str, name: str, *, is_patched: bool) -> State[Any]:
    """The last state, with this name, of a task run that has built its table."""
    record = _no_result() if is_patched else None
    if record is None:
        return Completed(message=message, name=name)
    return _TableBuilt(type=StateType.COMPLETED, name=name, message=message, data=record)


@cache
def _no_result() -> Any:
    """A record that there is no result; None if this Prefect has no such records."""
    try:
        metadata = prefect.results.ResultRecordMetadata(storage_key="none", serializer=PickleSerializer())  # type: ignore[attr-defined]
        return prefect.results.ResultRecord(result=None, metadata=metadata)  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        return None
