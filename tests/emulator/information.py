"""What the views of INFORMATION_SCHEMA say of a table, as far as this project asks; runs in the emulator's own virtual
environment, whose views lack what it forgets of tables.

Only `ASSERT NOT EXISTS (SELECT … FROM a view WHERE table_name IN UNNEST([…]) AND (a condition)) AND …`, and
`SELECT "dataset" AS dataset, table_name, "view" AS said_by FROM a view WHERE table_name IN UNNEST(@tables) AND (a
condition) UNION DISTINCT …`: whether the condition holds for a table is decided here, by the view's name. A condition
over columns that begins otherwise than with their descriptions is about policy tags alone.
"""

import json
import re
from typing import Any

from bqemulator.domain.errors import InvalidQueryError

from tests.emulator.mending import kept_of

_NONE = re.compile(
    r"NOT EXISTS \(SELECT 1 FROM `([^`]+)`\.`([^`]+)`\.INFORMATION_SCHEMA\.(\w+) AS found"
    r" WHERE table_name IN UNNEST\((\[.*?\])\) AND \((IFNULL)?"
)


_ROWS = re.compile(
    r'SELECT "(\w+)" AS dataset, table_name, "(\w*)" AS said_by FROM `([^`]+)`\.`[^`]+`\.INFORMATION_SCHEMA\.(\w+)'
    r" AS found WHERE table_name IN UNNEST\(@tables\) AND \("
)


def is_question(text: str) -> bool:
    """Whether the query is one that `answer_to` answers."""
    return _ROWS.match(text) is not None


def answer_to(text: str, parameters: list[dict[str, Any]], context: Any) -> str:
    """A query over no table, with the rows that the question has."""
    [names] = [[one["value"] for one in each["parameterValue"]["arrayValues"]] for each in parameters]
    rows = [
        f"SELECT {json.dumps(dataset)} AS dataset, {json.dumps(name)} AS table_name, {json.dumps(said_by)} AS said_by"
        for dataset, said_by, project, view in _ROWS.findall(text)
        for name in names
        if (table := context.catalog.get_table(project, dataset, name)) is not None
        and _is_found(view, said_by != "", table, context)
    ]
    return " UNION DISTINCT ".join(rows) or "SELECT '' AS dataset, '' AS table_name, '' AS said_by LIMIT 0"


def _is_found(view: str, is_set: bool, table: Any, context: Any) -> bool:
    if view == "TABLES":
        return (table.table_type not in ("TABLE", "CLONE")) == is_set
    return _has_row(view, table, context)


def is_assertion(text: str) -> bool:
    """Whether the statement is one that `check` carries out."""
    return text.startswith("ASSERT NOT EXISTS (")


def check(text: str, context: Any) -> None:
    """Carry out the assertion. Raises InvalidQueryError if it does not hold."""
    for project, dataset, view, names, is_of_descriptions in _NONE.findall(text):
        for name in json.loads(names):
            table = context.catalog.get_table(project, dataset, name)
            is_of_tags = view == "COLUMN_FIELD_PATHS" and not is_of_descriptions
            if table is not None and (_is_tagged(table) if is_of_tags else _has_row(view, table, context)):
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


def _is_tagged(table: Any) -> bool:
    return any(getattr(field, "policy_tags", ()) for field in table.schema_.fields)


def _is_said(field: Any) -> bool:
    return bool(field.description or getattr(field, "policy_tags", ()) or any(map(_is_said, field.fields or ())))
