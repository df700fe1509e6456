"""`refresh schema`: the JSON schema of the settings files beside scripts, for editors."""

import json
from argparse import Namespace

from warehouse_refresh.pipeline.tables.schema import settings_schema


def run(options: Namespace) -> int:  # noqa: ARG001 (it has none)
    """Print the schema, and answer the exit code."""
    print(json.dumps(settings_schema(), indent=2))
    return 0
