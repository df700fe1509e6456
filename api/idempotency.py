"""The header Idempotency-Key: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/"""

import re

from litestar.datastructures import Headers

from api.problems import ApiProblem

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
