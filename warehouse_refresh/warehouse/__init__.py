"""Where SQL runs: one protocol, implemented by DuckDB and BigQuery, and `connect(url)`, which chooses between them.

Knows nothing of Prefect, HTTP or res/. An engine is imported when its URL is connected to: BigQuery's client takes a
second to import.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol, Self

from warehouse_refresh.warehouse.builds.normal_form import normal_form
from warehouse_refresh.warehouse.builds.parts import PartRecord, Parts
from warehouse_refresh.warehouse.builds.posted import Posted
from warehouse_refresh.warehouse.builds.projects import OtherProject
from warehouse_refresh.warehouse.builds.records import BuildRecord, Inputs
from warehouse_refresh.warehouse.extras import needs_extra
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Function, Query, Statement
from warehouse_refresh.warehouse.storage import PLAIN, Storage
from warehouse_refresh.warehouse.types import Column
from warehouse_refresh.warehouse.urls import duckdb_path, memory_of, split, wrong

if TYPE_CHECKING:
    from warehouse_refresh.warehouse.sql.cache import SqlCache
    from warehouse_refresh.warehouse.values.parquet import ParquetFile

DEFAULT_URL = "duckdb:///.data/warehouse.duckdb"

Row = Mapping[str, Any]
"""Values by column name: int, float, Decimal, bool, str, bytes, date, time; DATETIME is a naive datetime, TIMESTAMP an
aware one, JSON its text, INTERVAL and GEOGRAPHY the text that CAST reads, ARRAY a list, STRUCT a dict, NULL None. A
column left out has its default value, NULL if it has none."""

_ROWS_AT_ONCE = 10_000


def batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Parts of many rows, each small enough for one statement."""
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        yield rows[start : start + _ROWS_AT_ONCE]


@dataclass(frozen=True, slots=True)
class TableBuild:
    """A table to build, and the query whose result it gets; or a view of the query. `storage` is how it is stored. An
    option of a table is a field here, too: the pipeline hands this on as it is, and each engine applies it. `parts` is
    what is built now of a table by date; such a table is staged and published, and no `build` makes it. `inputs` are
    recorded with the table once it is built, and so is what each query of its last builds `took`, in seconds, the last
    one last. `posted` tells the rows that others store in the table: publishing it keeps them, also those that were
    stored since it was staged. `copy_of` is a table that holds the query's result already, built with the same
    options: an engine may copy that one in place of running the query."""

    table: TableName
    query: Query
    is_view: bool = False
    storage: Storage = PLAIN
    parts: Parts | None = None
    inputs: Inputs | None = field(default=None, compare=False)
    known_as: str = ""
    copy_of: TableName | None = None
    took: tuple[float, ...] = field(default=(), compare=False)
    posted: Posted | None = None

    @property
    def steps(self) -> int:
        """In how many queries the table is built: one for each batch of a table by date."""
        return len(self.parts.batches) if self.parts is not None else 1

    def after(self, seconds: float) -> Self:
        """The same build, once the table has been built in so many seconds."""
        if self.copy_of is not None:  # the next build will run the query
            return self
        return replace(self, took=(*self.took, seconds / max(self.steps, 1)))

    @property
    def fingerprint(self) -> str:
        """16 hex digits that differ where the query, its variables or functions, or the table's options differ. Neither
        are comments and layout such differences, nor which parts are built. A build that only stands for another one
        has the fingerprint that it is `known_as`."""
        if self.known_as:
            return self.known_as
        query = self.query
        written = [query.preamble, query.text, *(function.text for function in query.functions)]
        listed = [normal_form(column.text) for column in query.listed]
        names = (query.own, query.default, query.wildcards)
        texts = (names, list(map(normal_form, written)), list(map(str, query.variables)), listed)
        return sha256(repr((self.is_view, self.storage, texts)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Built:
    """A table that was built: its rows (None for a view), and the cost of building it. Bytes and link are None on
    DuckDB, and what it has cost also where it is asked for many tables at once (`Warehouse.costs`). Of a table by date,
    so many `partitions` were built. Its jobs have `waited` for so many seconds until the engine began them; None if
    nobody knows, or if that says nothing of its capacity."""

    rows: int | None
    seconds: float
    bytes_processed: int | None = None
    bytes_billed: int | None = None
    slot_milliseconds: int | None = None
    cache_hit: bool | None = None
    job_link: str | None = None
    partitions: int | None = None
    waited: float | None = None

    @property
    def amount(self) -> str:
        """`1,234 rows`; `1,234 rows, 3 partitions built` for a table by date; or `view`."""
        rows = [f"{self.rows:,} rows"] if self.rows is not None else []
        if self.partitions is not None:
            rows.append(f"{self.partitions:,} partition{'s' if self.partitions != 1 else ''} built")
        return ", ".join(rows) or "view"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a query: its columns ("" for one without a name), and rows of values as in `Row`."""

    columns: tuple[Column, ...]
    rows: Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class BuildContext:
    """The run that builds. Calls with the same `run`, `attempt` and table are the same job: it runs only once. What it
    replaces is kept for `roll_back` if `keep_previous` says so, or if the engine does it by itself. `tables` are all
    that it builds, if that is known."""

    run: str
    attempt: int = 1
    labels: Mapping[str, str] = field(default_factory=dict)
    keep_previous: bool = False
    tables: Collection[TableName] = ()

    @property
    def version(self) -> str:
        """The version of the tables that it publishes."""
        return f"{self.run}/{self.attempt}"


@dataclass(frozen=True, slots=True)
class Staged:
    """A table that a run has built beside the published one: the fingerprint of its `TableBuild`, and whether the run
    has published it since."""

    fingerprint: str
    is_published: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """Tables that were published together. `window` is for how many seconds readers could find some of them new and
    others old: 0 on DuckDB."""

    seconds: float
    window: float = 0.0


@dataclass(frozen=True, slots=True)
class Publication:
    """Tables that a run has published together, in the order of their dependencies, and when."""

    run: str
    at: datetime
    tables: tuple[TableName, ...]


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """What a query would do: the columns of its result, and the bytes that it would read (None: the engine has no such
    figure). `estimate` says that a table it reads does not exist yet, so that the bytes are a lower bound.

    `confirm` waits until the engine has looked at the query, too, and raises SqlError if it refuses it. Until then
    other queries can be planned. A build confirms by itself.
    """

    columns: tuple[Column, ...]
    bytes_processed: int | None = None
    estimate: bool = False
    confirm: Callable[[], None] = field(default=lambda: None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Append:
    """Rows to store, all or none. With a `key`, they are stored once however often they are sent in 30 days;
    `fingerprint` tells the same request from another one with that key."""

    rows: Sequence[Row]
    key: str | None = None
    fingerprint: str = ""


class Outcome(Enum):
    """The result of an Append."""

    STORED = "stored"
    REPLAYED = "replayed"  # the same key and fingerprint: stored before
    KEY_REUSED = "key reused"  # the same key with another fingerprint: nothing stored


@dataclass(frozen=True, slots=True)
class Given:
    """A table that a query finds instead of the warehouse's: its columns, and its rows. A column left out is NULL."""

    columns: tuple[Column, ...]
    rows: Sequence[Row] = ()


class Scratch(Protocol):
    """Answers queries over given rows, and reads no table of a warehouse."""

    def answer(self, query: Query, given: Mapping[TableName, Given]) -> Answer:
        """The whole answer of the query. `given` has all tables that it reads. Raises SqlError."""

    def close(self) -> None:
        """Release what is held. The object is not used again."""


class Planner(Protocol):
    """Says what queries would do, without running them. Safe to use from several threads."""

    @property
    def plans_at_once(self) -> int:
        """How many threads should call `plan` at the same time."""

    def plan(self, query: Query, stand_ins: Mapping[TableName, tuple[Column, ...]]) -> QueryPlan:
        """What the query would do. `stand_ins` are the columns of tables that do not exist yet, or that will have other
        columns by then. Raises SqlError, with the place in the query's text if the engine names it; so does the
        plan's `confirm`."""


class Warehouse(Planner, Protocol):
    """Where tables live and SQL runs. Safe to use from several threads; every method may raise WarehouseError.

    tests/engines/ runs one suite of these promises on each engine.
    """

    @property
    def builds_at_first(self) -> int:
        """How many tables a refresh gives the engine to build at first; more, once it begins each without delay."""

    def tables(self, dataset: str) -> list[TableName]:
        """The dataset's tables, sorted; none if the dataset does not exist."""

    def built_tables(self, dataset: str) -> list[TableName]:
        """The dataset's tables and views, sorted, like `tables`, but without kinds that no build creates (external
        tables, snapshots, materialized views)."""

    def view_reads(self) -> Mapping[TableName, frozenset[TableName]]:
        """The tables that each view of the warehouse reads, as far as the view can be read."""

    def drop(self, table: TableName) -> None:
        """Drop a table or a view at once; nothing happens if there is none."""

    def drop_dataset(self, name: str) -> None:
        """Drop a dataset that is empty but for functions of files; nothing happens if there is none, or if anything
        else is in it."""

    def columns(self, table: TableName) -> tuple[Column, ...]:
        """The table's columns, in order. Raises TableNotFound."""

    def row_count(self, table: TableName) -> int:
        """How many rows the table has. Raises TableNotFound."""

    def first_rows(self, table: TableName, limit: int) -> list[tuple[Any, ...]]:
        """Up to `limit` rows, in no promised order, for people to look at. Raises TableNotFound."""

    def fetch(
        self, query: Query, limit: int | None, staged: Collection[TableName] = (), context: BuildContext | None = None
    ) -> Answer:
        """Up to `limit` rows of the query's answer (None: all), in the query's order. The query reads the staged
        version of those tables of `staged` that the run of `context` has staged and not published since, and the
        published version of all others. Raises SqlError."""

    def create_datasets(self, datasets: Iterable[str]) -> None:
        """Create the datasets that do not exist yet."""

    def create_functions(self, functions: Iterable[Function]) -> None:
        """Create the functions, in this order, or replace those that have changed. DuckDB needs none. Their datasets
        must exist. Raises SqlError."""

    def refresh_lock(self, holder: str, on_wait: Callable[[str], None]) -> AbstractContextManager[None]:
        """Hold the warehouse's lock for refreshes inside the block. Only one process has it at a time, on any machine.

        `holder` tells others whose refresh this is. If another process has the lock, `on_wait` is called once with its
        `holder` ("" if unknown), and the call waits. On BigQuery, a process that could not renew its lease in time
        loses the lock: `build` then raises WarehouseError, and the next holder cancels its jobs."""

    def run_script(self, statements: Sequence[Statement], *, together: bool = False) -> None:
        """Run statements (CREATE TABLE, INSERT, …) one after the other, in one transaction where the engine can.

        With `together`, a process that dies leaves all of them to the engine or none; an error may have no place."""

    def build(self, build: TableBuild, context: BuildContext) -> Built:
        """Replace the table atomically: readers see the old table or the new one. Raises SqlError; the old table is
        unchanged then."""

    def storage_changes(self, build: TableBuild) -> list[str]:
        """Lines for people: which options of the stored table a build would change, and which options of
        `build.storage` this engine ignores."""

    def stage(self, build: TableBuild, staged: Collection[TableName], context: BuildContext) -> Built:
        """Build the table beside the published one, for `publish`. Readers see no change, and no method that lists
        tables shows it. The query reads the tables of `staged` as `fetch` does. A view is staged as a view. An earlier
        staged version of the table by this run is replaced. With `parts`, only the rows of these parts are computed;
        queries that read the staged table see it with all of its rows. Raises SqlError, also for a row outside the
        parts."""

    def publish(self, builds: Sequence[TableBuild], context: BuildContext) -> Published:
        """Let readers see these tables, which this run has staged, in place of the old ones; `builds` are in the order
        of their dependencies.

        DuckDB does this in one transaction. On BigQuery the run's intent is recorded first: if the process dies in the
        middle, the next `recover` completes the rest. Raises WarehouseError; on DuckDB nothing is published then."""

    def staged(self, context: BuildContext) -> Mapping[TableName, Staged]:
        """The tables that earlier attempts of this run have staged or published."""

    def discard(self, context: BuildContext, keep: Collection[TableName] = ()) -> None:
        """Drop the tables that this run has staged and not published, except those of `keep`."""

    def recover(self, keep: str, say: Callable[[str], None]) -> None:
        """Clear up after refreshes that died: complete each publication that was cut off, and drop all staged tables
        except those of the run `keep`. The caller must hold the refresh lock. `say` gets a line for each publication
        that was completed."""

    def describe(self, table: TableName, storage: Storage) -> None:
        """Give a table that no build makes, and its columns, the descriptions and labels of `storage`. What it does not
        say stays; DuckDB has no labels. Raises TableNotFound."""

    def partitions(self, table: TableName) -> Sequence[PartRecord]:
        """What is recorded of the partitions of a table that is there and was built by date; none for another one.
        Raises WarehouseError where the engine cannot build tables by date."""

    @property
    def made_by(self) -> str:
        """What computes the tables: the engine, with its version where it has one."""

    def records(self) -> Mapping[TableName, BuildRecord]:
        """What is recorded of the tables that runs have built and that are there since; also of those that a run did
        not publish. A table that something else has changed since has no fingerprint here, as far as the engine can
        tell."""

    def durations(self) -> Mapping[TableName, tuple[float, ...]]:
        """What is recorded of the seconds that a query took in the last builds of each table, the last one last. This
        is one quick question to the engine."""

    def versions(self, tables: Collection[TableName]) -> Mapping[TableName, str]:
        """For tables that no build makes, texts that differ once their rows may differ. Those that are not there, that
        are no tables, or of which this cannot be known are left out."""

    def costs(self, built: Sequence[Built]) -> Sequence[Built]:
        """These tables that were built, in their order, with what building them has cost where that was not known at
        once. It raises nothing: what cannot be found out stays unknown."""

    def note_failed(self, tables: Collection[TableName]) -> None:
        """Record that a run wanted to build these tables, and has not published them."""

    def publications(self) -> Iterator[Publication]:
        """The publications of the last days, the last one first; a rollback is one, too. Each is looked up when it is
        asked for."""

    def roll_back(
        self, publication: Publication, tables: Collection[TableName], context: BuildContext
    ) -> Mapping[TableName, str]:
        """Let readers see these of the publication's tables as they were before it, in the way of `publish`. A table
        that was not there before is gone then. To be called by whoever holds the refresh lock.

        Returns the tables that stay as they are, each with the reason. What is taken away becomes the previous version:
        to roll back once more brings it back."""

    def append(self, table: TableName, appends: Sequence[Append]) -> list[Outcome]:
        """Store rows durably, and return one outcome for each Append. Raises TableNotFound or InvalidRow, after which
        nothing is stored, or OutcomeUnknown if some or all rows may be stored.

        DuckDB stores all rows of a call in one transaction. BigQuery takes several jobs for more than 8 MB of rows.
        Each job stores all of its rows or none; if a later one fails, the error is OutcomeUnknown."""

    def load(self, table: TableName, file: "ParquetFile") -> None:
        """Load all rows of the file into the table, or none. The table must be empty and have the file's columns. On
        BigQuery this is a load job, which costs nothing."""

    def offer(self, table: TableName, file: "ParquetFile") -> None:
        """Let queries read the file's rows as `table`, a name of this project's own dataset, until `drop`. Only
        BigQuery copies them, by a load job."""

    def load_rows(self, table: TableName, rows: Sequence[Row]) -> None:
        """Give the table, which is empty and which nobody reads yet, these rows; if this fails, some may be stored. On
        BigQuery this is a load job, unless a column's type is one that Parquet files do not hold exactly."""

    def __enter__(self) -> Self:
        """The warehouse itself, closed at the end of the `with` block."""

    def __exit__(self, *error: object) -> None:
        """Close."""

    def cancel(self) -> None:
        """Stop all work that this object has started; the threads that wait for it get Cancelled."""

    def close(self) -> None:
        """Close connections and files. Do not use the object afterwards."""


def connect(url: str, cache: "SqlCache | None" = None) -> Warehouse:
    """The warehouse at `url`, `duckdb:///path/to/file` or `bigquery://PROJECT?location=…`; nothing is opened yet.

    After `duckdb:///` comes a path from the working folder; after `duckdb:////` one from the root; after the path maybe
    `?project=…&memory=…` (see `project_of` and `memory_of`). The engine uses `cache` to store what it knows of SQL
    texts: translations, and columns of results. Raises WarehouseError for a URL that names no warehouse, and
    NotInstalled where BigQuery's client is missing.
    """
    scheme = split(url).scheme
    if scheme == "duckdb":
        from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse

        return DuckDBWarehouse(duckdb_path(url), cache=cache, memory=memory_of(url))
    if scheme == "bigquery":
        with needs_extra("bigquery", "a warehouse on BigQuery"):
            from warehouse_refresh.warehouse.bigquery import open_bigquery

        return open_bigquery(url, cache)
    raise wrong(url, "write duckdb:///path/to/file or bigquery://PROJECT?location=…")


def connect_across(url: str, other: OtherProject, cache: "SqlCache | None" = None) -> Warehouse:
    """The warehouse at `url`, which is on BigQuery, with the tables of the `other` project in it, as `connect` makes
    one. Raises WarehouseError, and NotInstalled where BigQuery's client is missing."""
    with needs_extra("bigquery", "a warehouse on BigQuery"):
        from warehouse_refresh.warehouse.bigquery import open_bigquery

    return open_bigquery(url, cache, other)


def offline_planner(cache: "SqlCache | None" = None) -> Planner:
    """A planner that needs no warehouse: it knows only the tables that it gets as stand-ins. It raises UnsupportedSql
    for a query that only BigQuery can run."""
    from warehouse_refresh.warehouse.duckdb.offline import OfflinePlanner

    return OfflinePlanner(cache)


def scratches(cache: "SqlCache | None" = None) -> Callable[[], Scratch]:
    """Makes scratches in memory, each for one thread at a time. They share their translations."""
    from warehouse_refresh.warehouse.duckdb.binding.scratch import DuckDBScratch
    from warehouse_refresh.warehouse.duckdb.translations import Translations

    return partial(DuckDBScratch, Translations(cache))
