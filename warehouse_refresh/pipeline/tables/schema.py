"""The JSON schema of settings files, by which editors complete and check them: https://json-schema.org"""

from typing import Any

import msgspec

from warehouse_refresh.pipeline.tables.settings import TableSettings


def settings_schema() -> dict[str, Any]:
    """The schema of a table's settings file."""
    schema = msgspec.json.schema(TableSettings)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "The settings of a table", **schema}
