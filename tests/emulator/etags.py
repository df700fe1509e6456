"""Conditional requests: a table is changed only if it is as `If-Match` says, which the emulator does not look at.

A view is deleted as a table is. Each version of a table has an etag of its own, as the service gives it. Runs in the
emulator's virtual environment.
"""

from typing import Any

from bqemulator.api.routes import tables
from bqemulator.storage.sql_identifiers import quoted_table_ref
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

router = APIRouter()


@router.patch("/bigquery/v2/projects/{project}/datasets/{dataset}/tables/{table}")
async def patch(project: str, dataset: str, table: str, request: Request) -> Any:
    await request.body()  # what follows is not interrupted by another request
    context, wanted = request.app.state.context, request.headers.get("if-match")
    found = context.catalog.get_table(project, dataset, table)
    if found is not None and wanted not in (None, found.etag):
        message = "Precondition Failed"
        error = {"code": 412, "message": message, "errors": [{"reason": "conditionNotMet", "message": message}]}
        return JSONResponse({"error": error}, status_code=412)
    return await tables.patch_table(project, dataset, table, request, context)


@router.delete("/bigquery/v2/projects/{project}/datasets/{dataset}/tables/{table}")
async def delete(project: str, dataset: str, table: str, request: Request) -> Any:
    context = request.app.state.context
    found = context.catalog.get_table(project, dataset, table)
    if found is None or found.table_type != "VIEW":
        return await tables.delete_table(project, dataset, table, context)
    context.engine.execute(f"DROP VIEW IF EXISTS {quoted_table_ref(project, dataset, table)}")
    context.catalog.delete_table(project, dataset, table)
    return Response(status_code=204)
