"""What OpenAPI cannot say, for schemathesis: a row comes in the query or in the body, never in both.

REFRESH_ROWS_IN says in which of the two this run of schemathesis sends it.
"""

import os
from typing import Any

import schemathesis


@schemathesis.hook
def before_load_schema(_: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Leave the other one out of the document; the table of bad requests sends both."""
    for operations in raw_schema["paths"].values():
        append = operations.get("post", {})
        if "requestBody" not in append:
            continue
        if os.environ["REFRESH_ROWS_IN"] == "query":
            del append["requestBody"]
        else:
            append["parameters"] = [it for it in append["parameters"] if it.get("in") != "query"]
