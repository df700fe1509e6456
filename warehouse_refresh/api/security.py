"""API_TOKEN: if it is set, a request that appends rows or that starts or reads a run must send it. https://www.rfc-editor.org/rfc/rfc6750"""

import hmac
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from warehouse_refresh.api.problems import ApiProblem


def needs_token(connection: ASGIConnection[Any, Any, Any, Any], __: BaseRouteHandler) -> None:
    """A guard of Litestar. Raises ApiProblem if a token is set and the request does not send it."""
    token: str = connection.app.state.token
    given = connection.headers.get("authorization", "")
    scheme, _, credentials = given.partition(" ")
    matches = hmac.compare_digest(credentials.strip().encode(), token.encode())
    if token and not (matches and scheme.lower() == "bearer"):
        challenge = {"WWW-Authenticate": "Bearer"}
        raise ApiProblem("unauthorized", "Send the header Authorization: Bearer <token>.", headers=challenge)
