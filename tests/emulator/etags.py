"""Conditional requests: a table is changed only if it is as `If-Match` says, which the emulator does not look at.

It gives each version of a table an etag of its own, as the service does. Runs in the emulator's virtual environment.
"""

from typing import Any

from bqemulator.api.routes import tables
from fastapi import APIRouter, Request
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
