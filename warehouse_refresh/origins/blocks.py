"""Secrets that are kept in Prefect: https://docs.prefect.io/v3/concepts/blocks

The only module here that knows Prefect, as BigQuery's client knows its blocks of credentials.
"""

import json
from typing import Any

from warehouse_refresh.warehouse.errors import WarehouseError


def secret_of(name: str) -> str:
    """The text in Prefect's block `secret/name`. Raises WarehouseError; no message has any part of the text."""
    from prefect.blocks.system import Secret  # slow to import, and seldom needed

    blocks: Any = Secret  # its annotations leave out what its decorator adds
    try:
        value = blocks.load(name, _sync=True).get()
    except Exception as error:  # of the server, its client, or the block: the user does the same about each
        raise WarehouseError(
            f"Prefect's block secret/{name} cannot be read ({type(error).__name__}): save it in the server that"
            " PREFECT_API_URL names"
        ) from None
    if isinstance(value, dict):  # it reads a text that is JSON
        return json.dumps(value)
    if not isinstance(value, str) or not value:
        raise WarehouseError(f"Prefect's block secret/{name} has no text")
    return value
