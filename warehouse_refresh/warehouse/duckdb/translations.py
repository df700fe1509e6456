"""Cache the translations of queries, so that a build does not translate again what planning has translated."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from warehouse_refresh.warehouse import QueryPlan, errors
from warehouse_refresh.warehouse.duckdb.types import stored_type
from warehouse_refresh.warehouse.errors import Place, SqlError, TableNotFound, TranslationFault
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.query import Query
from warehouse_refresh.warehouse.types import Column, columns_as_json, columns_from_json, has_values

if TYPE_CHECKING:
    from warehouse_refresh.warehouse.duckdb.binding.binder import Binder

Columns = Callable[[TableName], tuple[Column, ...]]
Tables = Mapping[TableName, tuple[Column, ...]]


@dataclass(frozen=True, slots=True)
class Translation:
    """A query in DuckDB's SQL, as a table stores its result, or the reason why no table can; the columns of the result
    ("" where one has no name); and the columns of the tables that it was translated for."""

    sql: str | SqlError
    columns: tuple[Column, ...]
    read: Tables

    def stored_sql(self) -> str:
        """The query as a table stores its result. Raises SqlError for columns that a table cannot have."""
        if isinstance(self.sql, SqlError):
            raise self.sql
        return self.sql

    @property
    def stored_columns(self) -> tuple[Column, ...]:
        """The columns of a table that stores the result, as DuckDB then describes it."""
        return tuple(Column(column.name, stored_type(column.type)) for column in self.columns)


class Translations:
    """The last translation of each text, used again as long as the tables that it reads have the same columns. The
    `cache` keeps them for the next process."""

    def __init__(self, cache: SqlCache | None = None) -> None:
        self._cache = cache
        self._kept: dict[str, Translation] = {}
        self._answers: dict[str, Translation] = {}
        self._unconfirmed: dict[str, tuple[Translation, Callable[[], None]]] = {}
        self._binder: Binder | None = None

    def of(self, query: Query, columns: Columns) -> Translation:
        """The query's translation for tables with these `columns`, which DuckDB takes. Raises SqlError, and what
        `columns` raises."""
        made = self._begun(query, columns)
        self._confirm(query)
        return made

    def answer(self, query: Query, columns: Columns) -> tuple[tuple[Column, ...], str]:
        """The columns of the query's answer, and the DuckDB query that gives it. Raises SqlError, and what `columns`
        raises."""
        key = f"answer\n{_key(query)}"
        made = self._answers.get(key) or (recall(self._cache, key) if self._cache else None)
        if made is None or not _is_made_for(made.read, columns):
            made = _translate_answer(query, columns)
            if self._cache:
                note(self._cache, key, made)
        self._answers[key] = made
        return made.columns, made.stored_sql()

    def plan(self, query: Query, columns: Columns) -> QueryPlan:
        """What the query would do; DuckDB looks at it while others are planned. Raises SqlError, and what `columns`
        raises."""
        return QueryPlan(self._begun(query, columns).columns, confirm=partial(self._confirm, query))

    def _begun(self, query: Query, columns: Columns) -> Translation:
        key = _key(query)
        kept = self._kept.get(key) or (recall(self._cache, key) if self._cache else None)
        if kept is None or not _is_made_for(kept.read, columns):
            kept = self._translated(query, key, columns)
            if not isinstance(kept.sql, SqlError):
                self._unconfirmed[key] = kept, self._bound_by().begin(kept)
        self._kept[key] = kept
        return kept

    def _translated(self, query: Query, key: str, columns: Columns) -> Translation:
        """A new translation. Raises SqlError; what was wrong before, over tables with the same columns, is still."""
        found = recall_fault(self._cache, key) if self._cache else None
        if found is not None and _is_made_for(found[1], columns):
            raise found[0]
        read: dict[TableName, tuple[Column, ...]] = {}
        try:
            return _translate(query, columns, read)
        except SqlError as fault:
            if self._cache and not isinstance(fault.__cause__, TableNotFound):  # a table may be there next time
                note_fault(self._cache, key, fault, read)
            raise

    def _confirm(self, query: Query) -> None:
        """Wait until DuckDB has looked at the query's last translation, and keep it for the next process. Raises
        TranslationFault, with the query's place, if DuckDB does not take it."""
        key = _key(query)
        if key not in self._unconfirmed:
            return
        made, confirm = self._unconfirmed[key]
        try:
            confirm()
        except TranslationFault as fault:
            raise TranslationFault(fault.reason, hint=fault.hint, place=query.start) from fault
        self._unconfirmed.pop(key, None)
        if self._cache:
            note(self._cache, key, made)

    def close(self) -> None:
        """Release the tables in memory that translations were checked over."""
        if self._binder is not None:
            self._binder.close()
            self._binder = None

    def _bound_by(self) -> "Binder":
        if self._binder is None:
            from warehouse_refresh.warehouse.duckdb.binding.binder import Binder

            self._binder = Binder()
        return self._binder


def _key(query: Query) -> str:
    """The cache key: the text with its preamble, what its wildcard tables stand for, the values of its parameters, the
    texts of the functions that it calls, its default dataset, the columns that it lists, and the own project if the
    text names any project, since the tables depend on it."""
    names_projects = any(read.project for read in query.names)
    text = f"{query.preamble}\n{query.text}" if query.preamble else query.text
    for wildcard, members in query.wildcards:
        text += f"\n{wildcard}: {', '.join(map(str, members))}"
    if query.variables or query.functions:
        text += f"\n{query.values_text}"
    if query.default:
        text += f"\ndefault {query.default}"
    for column in query.listed:
        text += f"\n{column.text}"
    return f"{query.own}\n{text}" if names_projects else text


def _is_made_for(read: Tables, columns: Columns) -> bool:
    """Whether all tables still have the columns that they had when they were read."""
    try:
        return all(columns(table) == known for table, known in read.items())
    except TableNotFound:
        return False


def _translate(query: Query, columns: Columns, read: dict[TableName, tuple[Column, ...]]) -> Translation:
    """The query's translation; `read` gets the columns of each table that was looked up."""

    def noted(table: TableName) -> tuple[Column, ...]:
        if table not in read:
            read[table] = columns(table)
        return read[table]

    from warehouse_refresh.warehouse.duckdb.translate.entry import answer, within_reach
    from warehouse_refresh.warehouse.duckdb.translate.nodes import render
    from warehouse_refresh.warehouse.duckdb.translate.queries.storing import stored

    with within_reach(query.start):
        relation = answer(query, noted)
        try:
            sql: str | SqlError = render(stored(relation))
        except SqlError as error:
            sql = error
    required = [column.required for column in query.listed] or [False] * len(relation.columns)
    pairs = zip(relation.columns, required, strict=True)
    return Translation(sql, tuple(Column(column.name, column.type, needed) for column, needed in pairs), read)


def _translate_answer(query: Query, columns: Columns) -> Translation:
    """The translation of a query whose result is not stored."""
    from warehouse_refresh.warehouse.duckdb.translate.entry import answer_sql

    read: dict[TableName, tuple[Column, ...]] = {}

    def noted(table: TableName) -> tuple[Column, ...]:
        return read.setdefault(table, columns(table))

    found, sql = answer_sql(query, noted)
    return Translation(sql, found, read)


def note(cache: SqlCache, key: str, made: Translation) -> None:
    """Note the translation, unless its result cannot be stored or its types cannot be read again."""
    if isinstance(made.sql, str) and _can_be_noted(made.columns, *made.read.values()):
        columns, read = columns_as_json(made.columns), _tables_as_json(made.read)
        cache.note("duckdb", key, {"sql": made.sql, "columns": columns, "read": read})


def recall(cache: SqlCache, key: str) -> Translation | None:
    """The translation that `note` has noted, maybe in an earlier process."""
    noted = cache.recall("duckdb", key)
    if noted is None:
        return None
    return Translation(noted["sql"], columns_from_json(noted["columns"]), _tables_from_json(noted["read"]))


def note_fault(cache: SqlCache, key: str, fault: SqlError, read: Tables) -> None:
    """Note what is wrong with a query over these tables."""
    if _can_be_noted(*read.values()):
        place = astuple(fault.place) if fault.place else None
        error = [type(fault).__name__, fault.reason, fault.hint, place]
        cache.note("fault", key, {"error": error, "read": _tables_as_json(read)})


def recall_fault(cache: SqlCache, key: str) -> tuple[SqlError, Tables] | None:
    """The fault that `note_fault` has noted, and the tables."""
    noted = cache.recall("fault", key)
    if noted is None:
        return None
    kind, reason, hint, place = noted["error"]
    error: SqlError = getattr(errors, kind)(reason, hint=hint, place=Place(*place) if place else None)
    return error, _tables_from_json(noted["read"])


def _can_be_noted(*tables: tuple[Column, ...]) -> bool:
    return all(has_values(column.type) for columns in tables for column in columns)


def _tables_as_json(tables: Tables) -> list[Any]:
    return [[table.dataset, table.name, columns_as_json(columns)] for table, columns in tables.items()]


def _tables_from_json(tables: Iterable[Any]) -> dict[TableName, tuple[Column, ...]]:
    return {TableName(dataset, name): columns_from_json(columns) for dataset, name, columns in tables}
