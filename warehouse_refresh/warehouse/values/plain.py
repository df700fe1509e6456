"""Values for people and for JSON, as BigQuery shows them."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

from warehouse_refresh.warehouse.types import JSON, SqlType
from warehouse_refresh.warehouse.values.reading import numeric_text, to_json


def plain(value: Any, kind: SqlType) -> Any:
    """The value as JSON has it: NUMERIC as a text, so that no digit is lost, and without zeros at its end."""
    if value is None:
        return None
    if kind == JSON:
        return json.loads(value)
    if isinstance(value, Decimal):
        return numeric_text(value)
    if kind.element is not None:
        return [plain(each, kind.element) for each in value]
    if kind.name == "STRUCT":
        return {field.name: plain(value.get(field.name), field.type) for field in kind.fields}
    return str(value) if isinstance(value, timedelta) else to_json(value, kind)
