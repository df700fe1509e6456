"""A script's query as BigQuery runs it: its variables, its functions, and tables that are not published yet."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from google.cloud.bigquery import SchemaField
from sqlglot import exp

from warehouse_refresh.warehouse import QueryPlan
from warehouse_refresh.warehouse.bigquery.building.storage import partition_of
from warehouse_refresh.warehouse.bigquery.datasets import Datasets
from warehouse_refresh.warehouse.bigquery.queries.edits import (
    Edit,
    Instead,
    dataset_edits,
    edited,
    original_place,
    query_edits,
    stand_ins_in,
)
from warehouse_refresh.warehouse.bigquery.queries.functions import call_edits, temporary_functions
from warehouse_refresh.warehouse.bigquery.queries.variables import has_variables, text_of, variable_edits
from warehouse_refresh.warehouse.bigquery.schema import column_of, quoted
from warehouse_refresh.warehouse.bigquery.storing.parameters import Value
from warehouse_refresh.warehouse.errors import NotAllowed, SqlError, TableNotFound
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.coercion import AnyValue, as_listed
from warehouse_refresh.warehouse.sql.literals import NULL
from warehouse_refresh.warehouse.sql.query import Query, Read
from warehouse_refresh.warehouse.types import Column


class Queries:
    """Writes queries for BigQuery, and remembers the columns of those that it planned."""

    def __init__(self, datasets: Datasets, cache: SqlCache | None = None) -> None:
        self._datasets, self._cache = datasets, cache
        # By the query's text and the values of its parameters; a refresh plans before it builds.
        self._planned: dict[tuple[str, str], tuple[Column, ...]] = {}

    def plan(self, query: Query, stand_ins: Mapping[TableName, tuple[Column, ...]]) -> QueryPlan:
        with self.alone(query, stand_ins) as sql:
            schema, bytes_processed = self._planned_as(query, sql, stand_ins)
        columns = tuple(map(column_of, schema))
        if query.listed:
            columns = tuple(as_listed(query.listed, _values(query, columns)))
        self._planned[text_of(query), query.values_text] = columns
        in_functions = any(read.table in stand_ins for function in query.functions for read in function.names)
        estimate = in_functions or bool(query_edits(query, stand_ins_in(stand_ins)))
        return QueryPlan(columns, bytes_processed, estimate=estimate)

    def _planned_as(
        self, query: Query, sql: str, stand_ins: Mapping[TableName, tuple[Column, ...]]
    ) -> tuple[Sequence[SchemaField], int | None]:
        """The schema of the result, and the bytes that the query reads. A refresh needs no bytes: it dry runs no query
        that it has planned before over tables with the same columns."""
        known = self._known_as(query, sql, stand_ins)
        noted = self._cache.recall("bigquery", known) if self._cache is not None and known else None
        if noted is not None:
            return [SchemaField.from_api_repr(field) for field in noted], None
        job = self._datasets.jobs.dry_run(sql, parameters(query))
        if self._cache is not None and known:
            self._cache.note("bigquery", known, [field.to_api_repr() for field in job.schema or ()])
        return job.schema or (), job.total_bytes_processed

    def _known_as(self, query: Query, sql: str, stand_ins: Mapping[TableName, tuple[Column, ...]]) -> str:
        """A text that differs where a dry run may answer something else; "" where nobody knows, and outside of a
        refresh."""
        if self._cache is None or self._datasets.seen is None or query.wildcards:
            return ""
        settings = self._datasets.settings
        texts = [settings.project, settings.location, sql, query.values_text]
        for read in (*query.names, *(read for function in query.functions for read in function.names)):
            found = None
            if not query.is_own(read.project):
                return ""
            if read.table not in stand_ins:
                with suppress(TableNotFound, NotAllowed):
                    found = self._datasets.look(read.table)
                if found is None or found.table_type != "TABLE":
                    return ""
                texts.append(repr((read.table, [field.to_api_repr() for field in found.schema])))
                texts.append(f"{found.require_partition_filter} {partition_of(found)}")
        return "\n".join(texts)

    @contextmanager
    def alone(
        self,
        query: Query,
        stand_ins: Mapping[TableName, tuple[Column, ...]],
        places: Mapping[TableName, TableName] | None = None,
    ) -> Iterator[str]:
        """The query as SQL that needs neither the tables that have stand-ins nor the project's functions, and reads
        staged tables in their `places`. BigQuery's errors in the block get their places in the script."""
        instead = {**self._elsewhere(query), **stand_ins_in(stand_ins), **self._paths(places or {})}
        text = text_of(query)
        calls = [edit for edit in call_edits(query.calls, query) if text[edit.start : edit.end].strip()]
        others = self.edits(query, {**stand_ins, **self._staged_columns(query, places or {})}, instead)
        edits = sorted([*calls, *others], key=lambda edit: edit.start)
        before = temporary_functions(query, instead)
        with places_of(text, edits, lines_before=before.count("\n")):
            yield before + edited(text, edits)

    def _elsewhere(self, query: Query) -> dict[TableName, str]:
        """The paths of tables of the query and its functions that are in another project than its jobs."""
        names = [*query.names, *(read for function in query.functions for read in function.names)]
        return self._datasets.elsewhere(names, query.own)

    def _paths(self, places: Mapping[TableName, TableName]) -> dict[TableName, str]:
        """The staged tables' paths in SQL."""
        return {table: self._datasets.path(place) for table, place in places.items()}

    def _staged_columns(
        self, query: Query, places: Mapping[TableName, TableName]
    ) -> dict[TableName, tuple[Column, ...]]:
        """The columns of staged tables, as far as a query with variables needs them."""
        return {table: self._datasets.columns(place) for table, place in places.items()} if has_variables(query) else {}

    def edits(
        self, query: Query, known: Mapping[TableName, tuple[Column, ...]], instead: Instead | None = None
    ) -> list[Edit]:
        """What to write in place of the query's variables, of the tables of `instead` and of those in another project,
        and of its tables without a dataset, in the order of the text. `known` are columns of tables that it reads.
        Raises SqlError."""
        instead = {**self._elsewhere(query), **(instead or {})}
        edits = [
            *query_edits(query, instead),
            *self._variable_edits(query, known, instead),
            *dataset_edits(query, instead),
        ]
        return sorted(edits, key=lambda edit: edit.start)

    def _variable_edits(
        self, query: Query, stand_ins: Mapping[TableName, tuple[Column, ...]], instead: Instead
    ) -> list[Edit]:
        """What to write in place of the query's variables. A column of the same name would win, so the columns of all
        tables that it reads are looked at first. Raises SqlError."""
        if not has_variables(query):
            return []
        columns: list[Column] = []
        for read in query.names:
            known = stand_ins.get(read.table) if query.is_own(read.project) else None
            columns += known if known is not None else self._columns_in_sql(read, query)
        return variable_edits(query, columns, instead)

    def _columns_in_sql(self, read: Read, query: Query) -> tuple[Column, ...]:
        """The columns of whatever a query names, a wildcard table too; none if it is not there, as the query's own dry
        run will say."""
        written = ".".join(map(quoted, filter(None, (read.project, *read.table))))
        path = self._datasets.elsewhere([read], query.own).get(read.table, written)
        with suppress(SqlError, TableNotFound):
            return tuple(map(column_of, self._datasets.jobs.dry_run(f"SELECT * FROM {path}").schema or ()))
        return ()

    def staged_edits(
        self, query: Query, places: Mapping[TableName, TableName], others: Instead | None = None
    ) -> tuple[str, list[Edit]]:
        """The edits with which the query reads staged tables, and `others`, in the order of the text; and what to write
        before it, if a function that it calls reads tables."""
        instead = {**self._elsewhere(query), **self._paths(places), **(others or {})}
        edits = self.edits(query, self._staged_columns(query, places), instead)
        before = ""
        if any(function.names for function in query.functions):  # those exist only once their tables are published
            text = text_of(query)
            edits += [edit for edit in call_edits(query.calls, query) if text[edit.start : edit.end].strip()]
            before = temporary_functions(query, instead)
        return before, sorted(edits, key=lambda edit: edit.start)

    def result(self, query: Query, sql: str) -> tuple[Column, ...]:
        """The columns of the query's result, by a dry run of `sql` if it was not planned."""
        planned = self._planned.get((text_of(query), query.values_text))
        if planned is None:
            planned = tuple(map(column_of, self._datasets.jobs.dry_run(sql, parameters(query)).schema or ()))
        return planned

    def columns(self, query: Query) -> tuple[Column, ...]:
        """The columns of the query's result, by a plan if it was not planned."""
        return self._planned.get((text_of(query), query.values_text)) or self.plan(query, {}).columns


def _values(query: Query, columns: Sequence[Column]) -> list[AnyValue]:
    """The values that the query selects, as far as a dry run tells: it says INT64 for the literal NULL."""
    selected = [node.unalias() for node in query.tree.selects]
    literals = [NULL if isinstance(node, exp.Null) else None for node in selected]
    known = literals if len(literals) == len(columns) else [None] * len(columns)
    return [AnyValue(column.type, literal) for column, literal in zip(columns, known, strict=True)]


def parameters(query: Query) -> list[Value]:
    return [Value(variable.name, variable.type, variable.value) for variable in query.variables]


@contextmanager
def places_of(text: str, edits: Sequence[Edit] = (), lines_before: int = 0) -> Iterator[None]:
    """Raise BigQuery's SqlError with its place in the script as it was written."""
    try:
        yield
    except SqlError as error:
        if error.place is None:
            raise
        line = error.place.line - lines_before
        place = original_place(text, edits, dataclasses.replace(error.place, line=line)) if line > 0 else None
        raise SqlError(error.reason, hint=error.hint, place=place) from error
