"""API_TOKEN: if it is set, a request that appends rows or that starts or reads a run must send it.

Programs send it as https://www.rfc-editor.org/rfc/rfc6750 says, and browsers as a password, whatever the user is:
https://www.rfc-editor.org/rfc/rfc7617. Only the catalogue's pages ask a browser for it.
"""

import base64
import binascii
import hmac
from typing import Any

from litestar.connection import ASGIConnection

from warehouse_refresh.api.problems import ApiProblem

FROM_A_PAGE = ("x-requested-with", "catalogue")
"""The header of a request that a page of the catalogue sends."""


async def needs_token(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """A hook that Litestar runs before a handler. Raises ApiProblem if a token is set and the request does not send it.

    For a guard Litestar copies the handler, which takes a thirtieth of a request's processor time; what is not async it
    would run in a thread, which takes a fifth."""
    name, value = FROM_A_PAGE
    check_token(connection, is_page=connection.app.state.pages_ask and connection.headers.get(name) == value)


def check_token(connection: ASGIConnection[Any, Any, Any, Any], *, is_page: bool) -> None:
    """Raises ApiProblem if a token is set and the request does not send it. For a page a browser asks its user."""
    token: str = connection.app.state.token
    given = _credentials(connection.headers.get("authorization", ""))
    if token and not hmac.compare_digest(given.encode(), token.encode()):
        challenge = 'Basic realm="catalogue", charset="UTF-8"' if is_page else "Bearer"
        detail = "Send the header Authorization: Bearer <token>."
        raise ApiProblem("unauthorized", detail, headers={"WWW-Authenticate": challenge})


def _credentials(header: str) -> str:
    """The token of an Authorization header; "" if there is none."""
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    return _password(credentials) if scheme.lower() == "basic" else ""


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
