"""The catalogue as a document: `catalogue.json`, for the pages here and for other programs.

docs/catalogue.md explains it, and `catalogue.schema.json` beside it is its JSON schema.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

VERSION = 1
"""Raised by one when a field is renamed or taken away. New fields do not raise it."""

Kind = Literal["table", "view", "source"]
CheckKind = Literal["unique", "not_null", "accepted_values", "references", "row_count", "fresh", "query"]


class CheckEntry(Struct, frozen=True):
    """What must be true of a table."""

    rule: Annotated[str, Meta(description="in words, such as `unique: id`")]
    severity: Literal["error", "warning"]
    kind: Annotated[CheckKind, Meta(description="query: one in res/checks")] = "query"
    columns: tuple[str, ...] = ()
    values: Annotated[tuple[Any, ...], Meta(description="those that are accepted")] = ()
    to: Annotated[str, Meta(description="the column that is referred to, such as raw.orders.id")] = ""


class ColumnEntry(Struct, frozen=True):
    """A column, with the columns that its values come from and those that are computed from it."""

    name: str
    type: Annotated[str, Meta(description="in GoogleSQL, such as ARRAY<INT64>")]
    mode: Literal["NULLABLE", "REQUIRED", "REPEATED"]
    description: str = ""
    comes_from: Annotated[tuple[str, ...], Meta(description="columns, such as raw.orders.id")] = ()
    read_by: Annotated[tuple[str, ...], Meta(description="columns, such as final.products.id")] = ()
    personal: Annotated[bool, Meta(description="its values are never shown")] = False
    null_share: Annotated[float | None, Meta(description="of its values, from 0 to 1; only with --profile")] = None


class FirstRows(Struct, frozen=True):
    """Some rows of a table, as texts; a text that is long is cut."""

    columns: tuple[str, ...]
    rows: Annotated[tuple[tuple[str | None, ...], ...], Meta(description="null is NULL")]
    hidden: Annotated[tuple[str, ...], Meta(description="the columns that are left out")] = ()


class TableEntry(Struct, frozen=True):
    """A table: one that a script builds, a view, or a source, which no script builds."""

    name: Annotated[str, Meta(description="such as tmp.variants")]
    kind: Kind
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    file: Annotated[str, Meta(description="its script, from the project's folder on")] = ""
    sql: str = ""
    columns: Annotated[tuple[ColumnEntry, ...], Meta(description="empty: they are not known")] = ()
    reads: Annotated[tuple[str, ...], Meta(description="the tables that its script reads")] = ()
    read_by: Annotated[tuple[str, ...], Meta(description="the tables whose scripts read it")] = ()
    build: Annotated[tuple[str, ...], Meta(description="how it is built by date, in words; empty: as a whole")] = ()
    storage: Annotated[tuple[str, ...], Meta(description="how it is stored, in words")] = ()
    checks: tuple[CheckEntry, ...] = ()
    tests: Annotated[tuple[str, ...], Meta(description="the names of its script's tests")] = ()
    rows: Annotated[int | None, Meta(description="how many there are; only with --profile")] = None
    private: Annotated[bool, Meta(description="its rows are never shown")] = False
    first_rows: Annotated[FirstRows | None, Meta(description="only with --rows")] = None
    loaded_from: Annotated[str, Meta(description="the connection that its rows are loaded from; empty: none")] = ""
    console: Annotated[str, Meta(description="the address of its page in BigQuery's console")] = ""
    rows_path: Annotated[str, Meta(description="where the API takes its rows; empty: it takes none")] = ""

    @property
    def dataset(self) -> str:
        """The part of its name before the first dot."""
        return self.name.partition(".")[0]

    @property
    def short_name(self) -> str:
        """Its name without the dataset."""
        return self.name.partition(".")[2]


class Catalogue(Struct, frozen=True):
    """All tables of a project: sources first, then each table after those that it reads."""

    version: int
    project: str
    tables: tuple[TableEntry, ...]


def as_json(catalogue: Catalogue) -> bytes:
    """The document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(catalogue), indent=1)


def document_schema() -> dict[str, Any]:
    """The document's JSON schema: https://json-schema.org"""
    schema = msgspec.json.schema(Catalogue)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "The tables of a project", **schema}
