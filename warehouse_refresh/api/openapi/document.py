"""The OpenAPI 3.1 document, made from the raw tables as they are: one operation per table to append, one to describe.

https://spec.openapis.org/oas/v3.1.1.html
"""

import csv
import io
import json
from collections.abc import Collection, Mapping
from typing import Any

from warehouse_refresh import __version__
from warehouse_refresh.api.openapi.types import answer_schema, body_schema, example, query_schema
from warehouse_refresh.api.paths import table_path
from warehouse_refresh.api.problems import KINDS, MEDIA_TYPE
from warehouse_refresh.api.settings import ApiSettings
from warehouse_refresh.pipeline.outcomes import Failure, State
from warehouse_refresh.pipeline.project.selectors import FORMS, SELECTOR
from warehouse_refresh.warehouse.types import Column, has_values

Json = dict[str, Any]
ALWAYS = ("uri-too-long", "rate-limited", "headers-too-large", "internal-error", "overloaded")
WAREHOUSE = ("warehouse-unavailable", "warehouse-refused", "quota-exceeded")
PREFECT = ("prefect-unavailable", "deployment-missing")
BODY = ("body-too-large", "request-timeout", "forbidden-origin")
APPEND = (
    *BODY,
    *("bad-request", "invalid-json", "invalid-key", "unknown-table", "loaded-table", "key-in-use", "too-many-rows"),
    *("too-many-values", "unsupported-media-type", "invalid-rows", "key-reused", "outcome-unknown"),
)
_LINES: Json = {"type": "string", "description": "CSV with a header, or a JSON object in each line"}
REQUEST_ID = {"X-Request-ID": {"$ref": "#/components/headers/RequestId"}}
EXTRA_HEADERS: dict[int, tuple[str, Json, bool]] = {
    401: ("WWW-Authenticate", {"type": "string", "const": "Bearer"}, True),
    409: ("Retry-After", {"type": "integer", "minimum": 1}, False),  # `loaded-table` is not over by waiting
    415: ("Accept-Post", {"type": "string"}, False),
    429: ("Retry-After", {"type": "integer", "minimum": 1}, True),
    503: ("Retry-After", {"type": "integer", "minimum": 1}, False),
}


def document(
    tables: Mapping[str, tuple[Column, ...]],
    settings: ApiSettings,
    said: Mapping[str, str] | None = None,
    loaded: Collection[str] = (),
) -> Json:
    """The document for these raw tables under these settings. `said` has what tables are, by their names.
    Rows cannot be posted to those of `loaded`."""
    bearer = bool(settings.token.get_secret_value())
    paths = {
        table_path(name): _table(name, columns, bearer, (said or {}).get(name, "")) for name, columns in tables.items()
    }
    for name in loaded:
        del paths[table_path(name)]["post"]
    schemas = {f"row.{name}": answer_schema(columns) for name, columns in tables.items()}
    return {
        "openapi": "3.1.1",
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "info": {
            "title": "Warehouse API",
            "version": __version__,
            "description": "Append rows to the raw tables, and ask for a refresh of what is built from them.",
        },
        "tags": [{"name": "runs"}, {"name": "tables"}, {"name": "service"}],
        "paths": {**_own_paths(bearer), **paths},
        "components": {
            "schemas": {"problem": _problem(), "run": _run(), "table": _described(), **schemas},
            "headers": {"RequestId": {"required": True, "schema": {"type": "string"}}},
            "parameters": {"key": _key_parameter(), "request_id": _request_id_parameter()},
            **({"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}} if bearer else {}),
        },
    }


def _own_paths(bearer: bool) -> Json:
    run_schema = {"$ref": "#/components/schemas/run"}
    run = {"application/json": {"schema": run_schema}}
    ended = {"Location": _header({"type": "string"}), "Preference-Applied": _header({"type": "string"})}
    accepted = {**ended, "Preference-Applied": _header({"type": "string"}, required=False)}
    ok = _json_answer({"type": "object", "required": ["status"], "properties": {"status": {"const": "ok"}}})
    plain = {"get": _operation("get_metrics", "service", "Metrics for Prometheus", _text("text/plain"))}
    page = {"get": _operation("get_schema_page", "service", "These pages", _text("text/html"))}
    self = {"get": _operation("get_schema", "service", "This document", _json_answer({"type": "object"}), WAREHOUSE)}
    ask = _operation(
        "ask_for_run",
        "runs",
        "Ask for a refresh that starts after this request",
        {
            "200": {"description": "The run, ended", "headers": {**REQUEST_ID, **ended}, "content": run},
            "202": {"description": "The run, which will start", "headers": {**REQUEST_ID, **accepted}, "content": run},
        },
        (
            "bad-request",
            "invalid-key",
            "key-in-use",
            "key-reused",
            "invalid-selection",
            "invalid-variables",
            "invalid-json",
            "unsupported-media-type",
            *BODY,
            *PREFECT,
        ),
        bearer=bearer,
    )
    ask["parameters"] += [_select_parameter(), _load_parameter(), _prefer_parameter()]
    ask["parameters"].append({"$ref": "#/components/parameters/key"})
    ask["requestBody"] = {
        "description": "Other values for variables of refresh.toml",
        "required": False,
        "content": {"application/json": {"schema": _variables(), "example": {"variables": {}}}},
    }
    runs = {"type": "object", "required": ["runs"], "properties": {"runs": {"type": "array", "items": run_schema}}}
    listed = _operation("list_runs", "runs", "The last runs", _json_answer(runs), PREFECT, bearer=bearer)
    events = {"text/event-stream": {"schema": {"type": "string"}}}
    show = _operation(
        "show_run",
        "runs",
        "What became of a run, per table",
        {
            "200": {"description": "The run", "headers": REQUEST_ID, "content": {**run, **events}},
        },
        ("unknown-run", *PREFECT),
        bearer=bearer,
    )
    show["parameters"].append(
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
    )
    return {
        "/run": {"get": listed, "post": ask},
        "/run/{id}": {"get": show},
        "/health/live": {"get": _operation("get_live", "service", "Is the process there?", ok)},
        "/health/ready": {"get": _operation("get_ready", "service", "Can it work?", ok, ("not-ready",))},
        "/metrics": plain,
        "/schema": page,
        "/schema/openapi.json": self,
    }


def _table(name: str, every_column: tuple[Column, ...], bearer: bool, description: str) -> Json:
    columns = tuple(column for column in every_column if has_values(column.type))
    row = {"$ref": f"#/components/schemas/row.{name}"}
    rows = {"type": "array", "minItems": 1, "items": row}
    replayed = {"Idempotency-Replayed": _header({"const": "true"}, required=False)}
    stored = {
        "description": "Stored durably: the row, or the rows if they came in a body",
        "headers": {**REQUEST_ID, **replayed},
        "content": {"application/json": {"schema": {"oneOf": [row, rows]}, "example": _shown(columns)}},
    }
    append = _operation(
        f"append_{name}", "tables", f"Append to raw.{name}", {"201": stored}, (*APPEND, *WAREHOUSE), bearer=bearer
    )
    append["parameters"] += [{"$ref": "#/components/parameters/key"}, *(_parameter(column) for column in columns)]
    append["requestBody"] = {
        "description": "Rows to store, all or none, instead of attributes in the query",
        "required": False,
        "content": {
            "application/json": {"schema": body_schema(columns), "example": [_shown(columns)]},
            "application/x-ndjson": {"schema": _LINES, "example": json.dumps(_shown(columns)) + "\n"},
            "text/csv": {"schema": _LINES, "example": _csv(columns)},
        },
    }
    described = _json_answer({"$ref": "#/components/schemas/table"})
    faults = ("unknown-table", *WAREHOUSE)
    describe = _operation(f"describe_{name}", "tables", f"The columns of raw.{name}", described, faults)
    of_table = {"description": description} if description else {}
    return {"post": {**append, **of_table}, "get": {**describe, **of_table}}


def _csv(columns: tuple[Column, ...]) -> str:
    """The example as CSV: its header and one row."""
    written = io.StringIO(newline="")
    shown = _shown(columns)
    values = [it if isinstance(it, str) else json.dumps(it) for it in shown.values()]
    csv.writer(written).writerows([list(shown), values])
    return written.getvalue()


def _shown(columns: tuple[Column, ...]) -> Json:
    return {column.name: example(column.type) for column in columns}


def _parameter(column: Column) -> Json:
    """An attribute in the query. None is required of OpenAPI's clients, which may send a body instead."""
    required = "REQUIRED in a row. " if column.required and not column.default else ""
    return {
        "name": column.name,
        "in": "query",
        "required": False,
        "description": f"{column.type}. {required}{column.description}".strip(),
        "schema": query_schema(column.type),
        "example": example(column.type),
    }


def _operation(
    name: str, tag: str, summary: str, answers: Json, codes: tuple[str, ...] = (), *, bearer: bool = False
) -> Json:
    every = (*ALWAYS, *codes, *(["unauthorized"] if bearer else []))
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "parameters": [{"$ref": "#/components/parameters/request_id"}],
        "responses": {**answers, **_errors(every)},
        **({"security": [{"bearer": []}]} if bearer else {}),
    }


def _errors(codes: tuple[str, ...]) -> Json:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(KINDS[code][0], []).append(code)
    return {str(status): _error(status, sorted(names)) for status, names in sorted(by_status.items())}


def _error(status: int, codes: list[str]) -> Json:
    headers: Json = dict(REQUEST_ID)
    if status in EXTRA_HEADERS:
        name, schema, required = EXTRA_HEADERS[status]
        headers[name] = _header(schema, required=required)
    one_of = {"allOf": [{"$ref": "#/components/schemas/problem"}, {"properties": {"code": {"enum": codes}}}]}
    return {
        "description": "; ".join(f"{code}: {KINDS[code][1]}" for code in codes),
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": one_of}},
    }


def _problem() -> Json:
    text = {"type": "string"}
    fault = {
        "type": "object",
        "required": ["attribute", "code", "detail"],
        "properties": {
            "row": {"type": "integer", "minimum": 0, "description": "which of many rows, counted from 0"},
            "line": {"type": "integer", "minimum": 1, "description": "of a body of lines"},
            "column": {"type": "integer", "minimum": 1, "description": "in that line, in characters"},
            **dict.fromkeys(("attribute", "code", "detail"), text),
        },
    }
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            **dict.fromkeys(("type", "title", "detail", "request_id"), text),
            "code": {"enum": sorted(KINDS)},
            "status": {"type": "integer"},
            "errors": {"type": "array", "items": fault, "description": "every fault, up to the first 1,000"},
            "missing": {"type": "array", "items": {"type": "object", "properties": {"what": text}}},
        },
    }


def _run() -> Json:
    text, moment = {"type": ["string", "null"]}, {"type": ["string", "null"], "format": "date-time"}
    number, moments = {"type": ["integer", "null"]}, ("created", "started", "ended")
    table = {
        "type": "object",
        "properties": {
            "table": {"type": "string"},
            "state": {"enum": [state.value for state in State]},
            "failure": {"enum": [*(failure.value for failure in Failure), None], "description": "why it is not built"},
            "error": {**text, "description": "the same as a sentence; Prefect has the details"},
            **dict.fromkeys(("rows", "partitions", "bytes"), number),
            "cost": {"type": ["number", "null"], "description": "what BigQuery bills for its query, in US dollars"},
            "seconds": {"type": ["number", "null"]},
            "checks": {**text, "description": "how many of its checks passed or failed", "examples": ["2 passed"]},
            "job": {**text, "format": "uri", "description": "its job in BigQuery's console"},
        },
    }
    return {
        "type": "object",
        "required": ["id", "name", "state", "message", "select", "variables", "load", *moments, "seconds"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "name": {"type": "string"},
            "state": {"type": "string", "examples": ["Scheduled", "Running", "Completed", "Failed"]},
            "message": text,
            "select": {"type": "array", "items": {"type": "string"}, "description": "empty: everything"},
            "variables": {"type": "object", "description": "the values that were given or used, by name"},
            "load": {"type": "boolean", "description": "whether raw tables are loaded from their databases first"},
            **dict.fromkeys(moments, moment),
            "seconds": {"type": "number"},
            "tables": {"type": "array", "items": table},
        },
    }


def _variables() -> Json:
    values = {"type": "object", "description": "by the variable's name, in the form of GET /<table>'s types"}
    return {
        "type": "object",
        "required": ["variables"],
        "properties": {"variables": values},
        "additionalProperties": False,
    }


def _described() -> Json:
    text = {"type": "string"}
    mode = {"enum": ["NULLABLE", "REQUIRED", "REPEATED"]}
    properties = {**dict.fromkeys(("name", "type", "description"), text), "mode": mode, "default": {"type": "boolean"}}
    column = {"type": "object", "required": list(properties), "properties": properties}
    columns = {"type": "array", "items": column}
    return {"type": "object", "required": ["table", "columns"], "properties": {"table": text, "columns": columns}}


def _key_parameter() -> Json:
    schema = {"type": "string", "pattern": "^[!-~]{1,255}$"}
    return {"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema}


def _request_id_parameter() -> Json:
    schema = {"type": "string"}
    description = "1 to 64 of A-Z a-z 0-9 . _ - come back in the answer; else the API makes an id"
    return {"name": "X-Request-ID", "in": "header", "required": False, "description": description, "schema": schema}


def _select_parameter() -> Json:
    return {
        "name": "select",
        "in": "query",
        "required": False,
        "description": f"{FORMS}; without it, everything is built",
        "schema": {"type": "array", "items": {"type": "string", "pattern": f"^{SELECTOR.pattern}$"}},
        "example": ["tmp.variants+"],
    }


def _load_parameter() -> Json:
    return {
        "name": "load",
        "in": "query",
        "required": False,
        "description": "true: raw tables that come from a database are loaded first; select may name them, too",
        "schema": {"enum": ["true", "false"]},
        "example": "true",
    }


def _prefer_parameter() -> Json:
    return {"name": "Prefer", "in": "header", "required": False, "schema": {"type": "string"}, "example": "wait=30"}


def _header(schema: Json, *, required: bool = True) -> Json:
    return {"required": required, "schema": schema}


def _json_answer(schema: Json) -> Json:
    return {"200": {"description": "", "headers": REQUEST_ID, "content": {"application/json": {"schema": schema}}}}


def _text(media_type: str) -> Json:
    return {"200": {"description": "", "headers": REQUEST_ID, "content": {media_type: {"schema": {"type": "string"}}}}}
