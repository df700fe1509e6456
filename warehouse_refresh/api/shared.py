"""Answers that all who ask at about the same time share."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Answer = TypeVar("Answer")


class Shared(Generic[Key, Answer]):
    """For each key an answer that `find` finds: it is asked once however many want it, and the answer is handed out for
    `seconds`. So is an exception."""

    def __init__(self, find: Callable[[Key], Awaitable[Answer]], seconds: float) -> None:
        self._find, self._seconds = find, seconds
        self._found: dict[Key, tuple[float, asyncio.Future[Answer]]] = {}

    async def get(self, key: Key) -> Answer:
        """The answer, which may be `seconds` old. Raises what `find` raises."""
        self._forget()
        if key not in self._found:
            looking = asyncio.ensure_future(self._find(key))
            looking.add_done_callback(_take_exception)
            self._found[key] = (time.monotonic(), looking)
        return await asyncio.shield(self._found[key][1])

    def _forget(self) -> None:
        since = time.monotonic() - self._seconds
        self._found = {key: one for key, one in self._found.items() if one[0] > since or not one[1].done()}


def _take_exception(looking: "asyncio.Future[Answer]") -> None:
    """Read the exception: if nobody waits for it any more, asyncio would log it."""
    if not looking.cancelled():
        looking.exception()
