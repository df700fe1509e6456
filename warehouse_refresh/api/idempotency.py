"""The header Idempotency-Key: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/"""

import re
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from litestar.datastructures import Headers

from warehouse_refresh.api.problems import ApiProblem, retry_after

T = TypeVar("T", bound=Hashable)
USABLE = re.compile(r"[!-~]{1,255}")


def idempotency_key(headers: Headers) -> str | None:
    """The request's key, if it has one. Raises ApiProblem for several, and for one that is not 1 to 255 visible
    ASCII characters."""
    given = headers.getall("idempotency-key", [])
    if not given:
        return None
    if len(given) > 1 or not USABLE.fullmatch(given[0]):
        raise ApiProblem(
            "invalid-key", "Send one Idempotency-Key of 1 to 255 visible ASCII characters, such as a UUID."
        )
    return given[0]


@contextmanager
def claimed(key: T, in_use: set[T]) -> Iterator[None]:
    """Have `key` in the set `in_use` inside the block. Raises ApiProblem if it is there already: another request with
    that key is under way in this process."""
    if key in in_use:
        raise ApiProblem("key-in-use", "Wait for the first request's answer.", headers=retry_after(1))
    in_use.add(key)
    try:
        yield
    finally:
        in_use.remove(key)
