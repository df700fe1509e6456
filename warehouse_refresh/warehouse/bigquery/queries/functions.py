"""Functions that the project has as files: created on BigQuery, and stood in for as a query is planned.

A dry run must not depend on what was created before, so there each function is a temporary one of another name.
https://cloud.google.com/bigquery/docs/user-defined-functions
"""

import hashlib
import re
from collections.abc import Iterable

from warehouse_refresh.warehouse.bigquery.queries.edits import Edit, Instead, edited, table_edits
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import function_bodies
from warehouse_refresh.warehouse.sql.query import Call, Function, Query


def temporary_functions(query: Query, instead: Instead) -> str:
    """What to write before the query so that it needs no function of the project: a CREATE TEMP FUNCTION for each,
    which reads other tables instead of those of the project."""
    return "".join(f"{_temporary(function, query, instead)};\n" for function in query.functions)


def call_edits(calls: Iterable[Call], query: Query) -> list[Edit]:
    """The edits that call the temporary functions."""
    known = {function.name for function in query.functions}
    return [
        Edit(call.start, call.end, _temporary_name(call.name))
        for call in calls
        if call.name in known and query.is_own(call.project)
    ]


def create_sql(function: Function, path: str, instead: Instead) -> str:
    """The statement that creates the function under this name, with `mark` in its body, which reads other tables in
    place of those of `instead`."""
    edits = [Edit(*function.head, f"CREATE OR REPLACE FUNCTION {path}")]
    if function.language is None:
        body = function.body[0]
        trees = function_bodies(function.sql) if instead else ()
        edits += [Edit(body, body, mark(function)), *table_edits(function.sql, trees, Query("", ()), instead)]
    return edited(function.text, sorted(edits, key=lambda edit: edit.start))


def mark(function: Function) -> str:
    """A comment that tells the function as it is now from what it was before. BigQuery keeps a body as it is written:
    https://cloud.google.com/bigquery/docs/reference/rest/v2/routines#resource"""
    return f"/* refresh {hashlib.sha256(function.text.encode()).hexdigest()[:16]} */ "


def is_marked(body: str) -> bool:
    """Whether the body is that of a function that a file has created."""
    return re.search(r"/\* refresh [0-9a-f]{16} \*/", body) is not None


def _temporary(function: Function, query: Query, instead: Instead) -> str:
    header = Edit(*function.head, f"CREATE TEMP FUNCTION {_temporary_name(function.name)}")
    trees = [] if function.language else function_bodies(function.sql)
    tables = table_edits(function.sql, trees, query, instead)
    edits = sorted([header, *tables, *call_edits(function.calls, query)], key=lambda edit: edit.start)
    return edited(function.sql, edits).strip().rstrip(";")


def _temporary_name(name: TableName) -> str:
    return f"`{name.dataset}__{name.name}`"
