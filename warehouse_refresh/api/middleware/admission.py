"""Refuse requests before the application sees them: too many at once, paths that are too long, pages of other sites."""

import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

from litestar.types import HTTPScope

from warehouse_refresh.api.middleware.client_address import client_key
from warehouse_refresh.api.problems import ApiProblem, retry_after

MAX_CLIENTS = 10_000
MAX_PATH = 2_048  # bytes; Litestar remembers a thousand paths
UNLIMITED = "/health/"  # health checks must work while the API is overloaded
HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
ELSEWHERE = frozenset({"cross-site", "same-site"})


class RateLimit:
    """A token bucket for each client: `per_second` requests a second, and bursts of the same number."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = per_second, max(1.0, per_second), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_for(self, client: str) -> float:
        """Take a token: 0, or the seconds until there is one."""
        now = self._clock()
        tokens, since = self._buckets.pop(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._rate
        self._buckets[client] = (tokens - 1 if wait == 0 else tokens, now)
        if len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return wait


class Admission:
    """Lets a request pass or says why not. `host` is the address that the API listens on."""

    def __init__(self, rate_limit: float, most_at_once: int, origins: frozenset[str], host: str) -> None:
        self._limit = RateLimit(rate_limit) if rate_limit else None
        self._most, self._origins, self._local = most_at_once, origins, host in LOCAL_HOSTS

    def refusal(self, scope: HTTPScope, client: str, at_work: int) -> ApiProblem | None:
        """The reason to refuse the request, None to let it pass. `at_work` counts open requests, including this one."""
        if len(scope.get("raw_path") or b"") > MAX_PATH:
            return ApiProblem("uri-too-long", f"A path has at most {MAX_PATH} bytes.")
        if not scope["path"].startswith(UNLIMITED):
            if wait := self._limit.wait_for(client_key(client)) if self._limit else 0:
                return ApiProblem("rate-limited", "Slow down a little.", headers=retry_after(wait))
            if at_work > self._most:
                return ApiProblem("overloaded", "Too many requests are under way.", headers=retry_after(1))
        if scope["method"] not in HARMLESS and not self._from_here(scope):
            detail = "A page of another site asked for this. API_ALLOWED_ORIGINS names the sites that may."
            return ApiProblem("forbidden-origin", detail)
        return None

    def _from_here(self, scope: HTTPScope) -> bool:
        """False if the browser's headers say that a page of another site sent the request. Programs send no such
        headers.

        https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Origin
        """
        origins = _values(scope, b"origin")
        if not origins:
            return not ELSEWHERE & set(_values(scope, b"sec-fetch-site"))
        return all(origin in self._origins or self._own(origin, scope) for origin in origins)

    def _own(self, origin: str, scope: HTTPScope) -> bool:
        """Whether the origin is the host of the request. If the API listens on this machine only, it must be a local
        name too, against DNS rebinding:
        https://developer.chrome.com/blog/local-network-access"""
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        own = [parts.netloc.lower()] == [host.lower() for host in _values(scope, b"host")]
        return own and (not self._local or parts.hostname in LOCAL_HOSTS)


def _values(scope: HTTPScope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for given, value in scope["headers"] if given == name]
