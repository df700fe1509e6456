"""What the views of INFORMATION_SCHEMA say of a table, as far as this project asks; runs in the emulator's own virtual
environment, whose views lack what it forgets of tables.

Only `ASSERT NOT EXISTS (SELECT … FROM a view WHERE table_name IN UNNEST([…]) AND (a condition)) AND …`: whether the
condition holds for a table is decided here, by the view's name.
"""

import json
import re
from typing import Any

from bqemulator.domain.errors import InvalidQueryError

from tests.emulator.mending import kept_of

_NONE = re.compile(
    r"NOT EXISTS \(SELECT 1 FROM `([^`]+)`\.`([^`]+)`\.INFORMATION_SCHEMA\.(\w+) AS found"
    r" WHERE table_name IN UNNEST\((\[.*?\])\) AND \("
)


def is_assertion(text: str) -> bool:
    """Whether the statement is one that `check` carries out."""
    return text.startswith("ASSERT NOT EXISTS (")


def check(text: str, context: Any) -> None:
    """Carry out the assertion. Raises InvalidQueryError if it does not hold."""
    for project, dataset, view, names in _NONE.findall(text):
        for name in json.loads(names):
            table = context.catalog.get_table(project, dataset, name)
            if table is not None and _has_row(view, table, context):
                raise InvalidQueryError(f"Assertion failed: {text.rpartition(' AS ')[2]}")


def _has_row(view: str, table: Any, context: Any) -> bool:
    if view == "TABLES":
        return True
    if view == "TABLE_OPTIONS":
        kept = {name: value for name, value in kept_of(table).items() if name != "rangePartitioning"}
        return bool(table.description or table.labels or table.friendly_name or any(kept.values()))
    if view == "COLUMNS":
        return bool(table.time_partitioning or table.clustering or kept_of(table).get("rangePartitioning"))
    if view == "COLUMN_FIELD_PATHS":
        return any(map(_is_said, table.schema_.fields))
    return bool(context.row_access.list_for_table(table.project_id, table.dataset_id, table.table_id))


def _is_said(field: Any) -> bool:
    return bool(field.description or getattr(field, "policy_tags", ()) or any(map(_is_said, field.fields or ())))
