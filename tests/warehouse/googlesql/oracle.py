"""Google's own analyzer and reference engine, from the package zetasql: executes GoogleSQL over tables handed to it.

The package's Python layer loses TIMESTAMP values and NULL arrays, so this speaks the protobuf messages underneath.
"""

import ctypes
import fcntl
import re
import tempfile
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from functools import cache
from pathlib import Path
from typing import Any

import wasmtime
from zetasql.core import wasm_client
from zetasql.core.exceptions import ServerError
from zetasql.wasi import get_wasm_path
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.proto import options_pb2 as options
from zetasql.wasi._pb2.zetasql.public import options_pb2 as public_options

from tests.warehouse.googlesql.values import Answer, Interval, Json
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.types import Column, SqlType, array_of, struct_of

KINDS = {
    2: "INT64",
    5: "BOOL",
    7: "FLOAT64",
    8: "STRING",
    9: "BYTES",
    10: "DATE",
    19: "TIMESTAMP",
    20: "TIME",
    21: "DATETIME",
    22: "GEOGRAPHY",
    23: "NUMERIC",
    24: "BIGNUMERIC",
    26: "JSON",
    27: "INTERVAL",
}
# Not in BigQuery: finer timestamps, lateral column references, and what GoogleSQL itself keeps as experiments.
NOT_IN_BIGQUERY = {"FEATURE_TIMESTAMP_NANOS", "FEATURE_TIMESTAMP_PICOS", "FEATURE_TIMESTAMP_PRECISION"}


TABLE = re.compile(r"`(\w+\.\w+)`|\b(\w+\.\w+)\b")


class Rejected(Exception):
    """GoogleSQL does not accept the query, or running it fails. `analysis` tells the first from the second."""

    def __init__(self, message: str, *, analysis: bool) -> None:
        super().__init__(message)
        self.analysis = analysis


class Oracle:
    """The reference engine with a set of tables."""

    def __init__(self) -> None:
        self._client = _client()
        self._options = _analyzer_options(self._client)
        self._catalog = 0
        self._names: dict[str, str] = {}
        self._tables: Mapping[TableName, str] = {}

    def load(self, tables: Mapping[TableName, str]) -> dict[TableName, Answer]:
        """Make the tables, each the answer of a GoogleSQL query that may read those before it; gives the answers."""
        self._tables = tables
        request = service.RegisterCatalogRequest()
        request.simple_catalog.name = "root"
        request.simple_catalog.builtin_function_options.language_options.CopyFrom(self._options.language_options)
        self._names = {}
        answers: dict[TableName, Answer] = {}
        self._catalog = self._register(request)
        for name, query in tables.items():
            columns, data = self._evaluate(TABLE.sub(self._plain_name, query))
            plain = name.name if all(name.name != other.name for other in answers) else f"{name.dataset}_{name.name}"
            table = request.simple_catalog.table.add(name=plain, serialization_id=len(answers) + 1)
            for column in columns:
                table.column.add(name=column.name, type=column.type)
            request.table_content[plain].CopyFrom(data)
            self._names[str(name)] = plain
            answers[name] = _answer(columns, data)
            self._catalog = self._register(request)
        return answers

    def renew(self) -> None:
        """Start the engine again, which a query may end, with the same tables."""
        _client.cache_clear()
        self._client = _client()
        self.load(self._tables)

    def answer(self, sql: str, given: Mapping[str, str] | None = None) -> Answer:
        """The query's result. `given` has an expression for the value of each query parameter. Raises Rejected."""
        parameters = {name: self._constant(text) for name, text in (given or {}).items()}
        return _answer(*self._evaluate(TABLE.sub(self._plain_name, sql), parameters))

    def kinds(self, sql: str) -> list[SqlType]:
        """The types of the query's columns, which is not run. Raises Rejected."""
        prepared = self._prepare(TABLE.sub(self._plain_name, sql), {})
        self._unprepare(prepared)
        return [_type(column.type) for column in prepared.columns]

    def _constant(self, expression: str) -> tuple[Any, Any]:
        """The type and the value of an expression."""
        [column], content = self._evaluate(f"SELECT {expression}")
        return column.type, content.table_data.row[0].cell[0]

    def _plain_name(self, match: re.Match[str]) -> str:
        """Contents are found only for tables outside any dataset: `raw.t` is t here."""
        return self._names.get(match[1] or match[2], match[0])

    def _register(self, request: Any) -> int:
        del request.descriptor_pool_list.definitions[:]
        request.descriptor_pool_list.definitions.add().builtin.SetInParent()
        response = self._call("RegisterCatalog", request, service.RegisterResponse)
        return int(response.registered_id)

    def _evaluate(self, sql: str, parameters: Mapping[str, tuple[Any, Any]] | None = None) -> tuple[Any, Any]:
        prepared = self._prepare(sql, parameters or {})
        evaluate = service.EvaluateQueryRequest(prepared_query_id=prepared.prepared_query_id)
        for name, (_, value) in (parameters or {}).items():
            evaluate.params.add(name=name, value=value)
        try:
            content = self._call("EvaluateQuery", evaluate, service.EvaluateQueryResponse).content
        except ServerError as error:
            raise Rejected(error.raw_error, analysis=False) from error
        finally:
            self._unprepare(prepared)
        return prepared.columns, content

    def _prepare(self, sql: str, parameters: Mapping[str, tuple[Any, Any]]) -> Any:
        """The query, analysed. Raises Rejected."""
        prepare = service.PrepareQueryRequest(sql=sql, registered_catalog_id=self._catalog)
        prepare.options.CopyFrom(self._options)
        for name, (kind, _) in parameters.items():
            prepare.options.query_parameters.add(name=name, type=kind)
        prepare.descriptor_pool_list.definitions.add().builtin.SetInParent()
        try:
            return self._call("PrepareQuery", prepare, service.PrepareQueryResponse).prepared
        except ServerError as error:
            raise Rejected(error.raw_error, analysis=True) from error

    def _unprepare(self, prepared: Any) -> None:
        request = service.UnprepareQueryRequest(prepared_query_id=prepared.prepared_query_id)
        self._call("UnprepareQuery", request, None)

    def _call(self, method: str, request: Any, response: Any) -> Any:
        return _call(self._client, method, request, response)


def _call(client: wasm_client.WasmClient, method: str, request: Any, response: Any) -> Any:
    """WasmClient's own call copies byte by byte; this one copies in one go."""
    data = request.SerializeToString()
    pointer, size_pointer = client.allocate_bytes(max(1, len(data))), client.allocate_bytes(4)
    try:
        ctypes.memmove(_address(client) + pointer, data, len(data))
        answer = client.exports[f"ZetaSqlLocalService_{method}"](client.store, pointer, len(data), size_pointer)
        if not answer:
            raise ServerError.from_error_string(client.get_last_error())
        size = int.from_bytes(ctypes.string_at(_address(client) + size_pointer, 4), "little")
        found = ctypes.string_at(_address(client) + answer, size)
        client.free_bytes(answer)
    finally:
        client.free_bytes(pointer)
        client.free_bytes(size_pointer)
    return response.FromString(found) if response is not None else None


def _address(client: wasm_client.WasmClient) -> int:
    """Where the engine's memory starts; asked for anew each time, since it may grow."""
    return ctypes.addressof(client.memory.data_ptr().contents)


@cache
def _client() -> wasm_client.WasmClient:
    """The engine: compiled once per machine (20 to 60 s, kept in wasmtime's cache), one compiler at a time."""
    with (Path(tempfile.gettempdir()) / "zetasql-compile.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wasm_client.Config = _cached_config
        return wasm_client.WasmClient(get_wasm_path())


def _cached_config() -> wasmtime.Config:
    config = wasmtime.Config()
    config.cache = True
    return config


def _analyzer_options(client: wasm_client.WasmClient) -> Any:
    languages = _call(
        client,
        "GetLanguageOptions",
        service.LanguageOptionsRequest(maximum_features=True),
        options.LanguageOptionsProto,
    )
    unwanted = {public_options.LanguageFeature.Value(name) for name in NOT_IN_BIGQUERY}
    features = [feature for feature in languages.enabled_language_features if feature not in unwanted]
    del languages.enabled_language_features[:]
    languages.enabled_language_features.extend(features)
    languages.product_mode = public_options.PRODUCT_EXTERNAL
    found = _call(client, "GetAnalyzerOptions", service.AnalyzerOptionsRequest(), options.AnalyzerOptionsProto)
    found.language_options.CopyFrom(languages)
    found.default_timezone = "UTC"
    return found


def _answer(columns: Any, content: Any) -> Answer:
    named = tuple(Column("" if c.name.startswith("$") else c.name, _type(c.type)) for c in columns)
    rows = [
        tuple(_value(column.type, cell) for column, cell in zip(named, row.cell, strict=True))
        for row in content.table_data.row
    ]
    return Answer(named, rows)


def _type(proto: Any) -> SqlType:
    if proto.type_kind == 16:
        return array_of(_type(proto.array_type.element_type))
    if proto.type_kind == 17:
        return struct_of(*(Column(f.field_name, _type(f.field_type)) for f in proto.struct_type.field))
    return SqlType(KINDS[proto.type_kind])


def _value(kind: SqlType, proto: Any) -> Any:
    which = proto.WhichOneof("value")
    if which is None:
        return None
    found = getattr(proto, which)
    if kind.element is not None:
        return [_value(kind.element, element) for element in found.element]
    if kind.name == "STRUCT":
        return tuple(_value(field.type, cell) for field, cell in zip(kind.fields, found.field, strict=True))
    return READERS.get(kind.name, lambda plain: plain)(found)


def _scaled(data: bytes, scale: int) -> Decimal:
    return Decimal(int.from_bytes(data, "little", signed=True)).scaleb(-scale, Context(prec=100))


def _time(bits: int) -> time:
    nanos, seconds = bits & ((1 << 30) - 1), bits >> 30
    return time((seconds >> 12) & 31, (seconds >> 6) & 63, seconds & 63, nanos // 1000)


def _datetime(found: Any) -> datetime:
    bits = found.bit_field_datetime_seconds
    day = date(bits >> 26, (bits >> 22) & 15, (bits >> 17) & 31)
    return datetime.combine(day, time((bits >> 12) & 31, (bits >> 6) & 63, bits & 63, found.nanos // 1000))


def _timestamp(found: Any) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=found.seconds, microseconds=found.nanos // 1000)


def _interval(data: bytes) -> Interval:
    """IntervalValue's own layout: microseconds, days, then months and nanoseconds in one word, little-endian."""
    micros = int.from_bytes(data[0:8], "little", signed=True)
    days = int.from_bytes(data[8:12], "little", signed=True)
    word = int.from_bytes(data[12:16], "little")
    months = word >> 13 & ((1 << 18) - 1)
    return Interval(-months if word >> 31 else months, days, micros)


READERS: dict[str, Any] = {
    "NUMERIC": lambda data: _scaled(data, 9),
    "BIGNUMERIC": lambda data: _scaled(data, 38),
    "DATE": lambda days: date(1970, 1, 1) + timedelta(days=days),
    "TIME": _time,
    "DATETIME": _datetime,
    "TIMESTAMP": _timestamp,
    "JSON": Json,
    "INTERVAL": _interval,
}
