"""What OpenAPI cannot say, for schemathesis: a row is given in the query or in the body, never in both."""

from typing import Any

import schemathesis
from schemathesis.core import NOT_SET


@schemathesis.hook
def filter_case(_: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Leave out what has both; the table of bad requests has it."""
    return not case.query or case.body is NOT_SET
