"""The settings of a table: the keys of `res/tmp/variants.toml`, beside `variants.sql`, and of `res/raw/orders.toml`.

docs/tables.md explains each key, and `refresh schema` prints them as a JSON schema for editors.
"""

from datetime import UTC, date, datetime
from itertools import chain
from typing import Annotated, Literal

from msgspec import Meta, Struct

from warehouse_refresh.pipeline.checks.declared import Checks
from warehouse_refresh.pipeline.tables.partitions.grain import ByDate, Grain
from warehouse_refresh.warehouse.builds.parts import Point, Ranges
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.storage import Partition, Storage
from warehouse_refresh.warehouse.types import DATE, DATETIME, INT64, TIMESTAMP, SqlType

_MOST_PARTITIONS = 10_000  # https://cloud.google.com/bigquery/quotas#partitioned_tables
_INGESTION = ("_PARTITIONTIME", "_PARTITIONDATE")
_POLICY_TAG = r"^projects/[^/]+/locations/[^/]+/taxonomies/[^/]+/policyTags/[^/]+$"

Text = Annotated[str, Meta(description="what it means, for people")]
Tag = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+$", description="letters, digits, _, . and -")]
Days = Annotated[float, Meta(gt=0)]
PolicyTag = Annotated[
    str, Meta(pattern=_POLICY_TAG, description="projects/PROJECT/locations/PLACE/taxonomies/NUMBER/policyTags/NUMBER")
]
Mode = Literal["NULLABLE", "REQUIRED", "REPEATED"]
Unit = Literal["HOUR", "DAY", "MONTH", "YEAR"]


class ColumnSettings(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A column: its meaning, and the type and mode that it must have. "" and None: not set."""

    description: Text = ""
    type: Annotated[str, Meta(description="the type of GoogleSQL that the query gives, such as INT64")] = ""
    mode: Annotated[Mode | None, Meta(description="REQUIRED: a build with a NULL in it fails")] = None
    personal: Annotated[
        bool | None, Meta(description="no page shows its values, and fakes take their place in tests")
    ] = None


class PartitionSettings(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Partitions by a column: of a unit of time, or of ranges of integers from `start` up to `end`, `step` wide."""

    column: Annotated[str, Meta(description="a column of the query, or _PARTITIONTIME: the time of building")]
    type: Annotated[Unit | None, Meta(description="how much time is in a partition; else a DAY")] = None
    start: int | None = None
    end: int | None = None
    step: Annotated[int, Meta(ge=1)] | None = None
    expires_after_days: Annotated[Days | None, Meta(description="BigQuery deletes older partitions")] = None

    def __post_init__(self) -> None:
        """Raises ValueError for keys that do not go together."""
        said = [self.start, self.end, self.step]
        if said == [None, None, None]:
            return
        if self.start is None or self.end is None or self.step is None:
            raise ValueError("ranges of integers need start, end and step: such as start = 0, end = 1000, step = 10")
        if self.type is not None or self.expires_after_days is not None:
            raise ValueError("ranges of integers have neither type nor expires_after_days: delete these keys")
        if self.end <= self.start:
            raise ValueError("the ranges end before they start: write a larger end")
        ranges = -((self.start - self.end) // self.step)
        if ranges > _MOST_PARTITIONS:
            raise ValueError(f"{ranges:,} ranges are more than BigQuery's {_MOST_PARTITIONS:,}: write a larger step")


class StorageSettings(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """How BigQuery stores the table."""

    partition_by: Annotated[str | PartitionSettings | None, Meta(description="a column, or more than that")] = None
    cluster_by: Annotated[tuple[str, ...], Meta(description="up to four columns")] = ()
    require_partition_filter: Annotated[bool, Meta(description="refuse queries that read all partitions")] = False
    expires_after_days: Annotated[Days | None, Meta(description="so long after its last build")] = None
    labels: Annotated[dict[str, str], Meta(description="for the bill and for searching")] = {}
    policy_tags: Annotated[dict[str, PolicyTag], Meta(description="who may see a column, by its name")] = {}

    def __post_init__(self) -> None:
        """Raises ValueError for what BigQuery would refuse, whatever the columns."""
        if len(self.cluster_by) > 4:
            raise ValueError("cluster_by has more than four columns: BigQuery takes four, so leave some out")
        if len(set(self.cluster_by)) < len(self.cluster_by):
            raise ValueError("cluster_by names a column twice: delete one of them")
        if self.require_partition_filter and self.partition_by is None:
            raise ValueError("require_partition_filter needs partitions: write partition_by, or delete it")
        if self.labels and (wrong := next(filter(_is_no_label, chain(*self.labels.items())), None)):
            raise ValueError(
                f"labels cannot hold {wrong!r}: write small letters, digits, _ and -, up to 63 of them, and begin the"
                " name with a letter"
            )


class BuildSettings(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A table that is built by date, or by ranges of ids: its query computes the rows from @start up to @end."""

    by: Annotated[
        Literal["hour", "day", "month", "range"],
        Meta(description="how long a partition is, or range: it has `step` ids"),
    ]
    column: Annotated[str, Meta(description="the column that says which partition a row is in")]
    start: Annotated[str | int, Meta(description="the first moment, or id, of the table, of the type of the column")]
    step: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="so many ids are a range")] = None
    until: Annotated[
        Annotated[str, Meta(pattern=r"^[^.`]+\.[^.`]+\.[^.`]+$")] | None,
        Meta(description="the column of a raw table that has the highest id, such as raw.orders.id"),
    ] = None
    lookback: Annotated[int, Meta(ge=0, description="so many partitions before the current one are built again")] = 0
    batch: Annotated[int, Meta(ge=1, description="up to so many partitions are built by one query")] = 1
    mode: Annotated[
        Literal["replace", "merge"], Meta(description="merge: a row replaces the one with the same key")
    ] = "replace"
    key: Annotated[tuple[str, ...], Meta(description="the columns that tell rows apart, to merge them")] = ()
    reads_itself: Annotated[bool, Meta(description="the query reads the table's own rows before @start")] = False

    def __post_init__(self) -> None:
        """Raises ValueError for a start that is no point of time, or one without the hours that partitions need, and
        for keys that do not go together."""
        if self.by == "range" and (not isinstance(self.start, int) or self.step is None):
            raise ValueError('by = "range" takes ids: write numbers as start and step, such as start = 0, step = 1000')
        if self.by != "range" and (isinstance(self.start, int) or self.step is not None or self.until is not None):
            raise ValueError('start as a number, step and until are for by = "range": write it, or a date as start')
        if not isinstance(self.point, datetime) and self.by == "hour":
            raise ValueError('start is a date, and partitions of an hour need a time: write "2024-01-31T00:00:00Z"')
        if (self.mode == "merge") != bool(self.key):
            raise ValueError('rows are merged by a key: write both mode = "merge" and, such as, key = ["id"]')
        if self.reads_itself and (self.batch > 1 or self.key):
            raise ValueError("a table that reads itself is built one partition after the other: delete batch and merge")

    @property
    def point(self) -> Point:
        """The start as a value."""
        if isinstance(self.start, int):
            return self.start
        try:
            return date.fromisoformat(self.start) if len(self.start) < 12 else datetime.fromisoformat(self.start)
        except ValueError as error:
            raise ValueError(
                f'start is {self.start!r}, which is no date: write "2024-01-31", "2024-01-31T00:00:00" for a DATETIME,'
                ' or "2024-01-31T00:00:00Z" for a TIMESTAMP'
            ) from error

    @property
    def kind(self) -> SqlType:
        """The type of the start, which is that of the column, of @start and of @end."""
        point = self.point
        if isinstance(point, int):
            return INT64
        if not isinstance(point, datetime):
            return DATE
        return TIMESTAMP if point.tzinfo else DATETIME

    @property
    def by_date(self) -> ByDate:
        """The partitions that the table has."""
        point = self.point
        if isinstance(point, datetime) and point.tzinfo:
            point = point.astimezone(UTC)
        grain = Ranges(point, self.step or 1) if isinstance(point, int) else Grain(self.by)
        return ByDate(grain, self.column, point, self.lookback, self.batch, self.key, self.reads_itself)

    @property
    def source(self) -> tuple[TableName, str] | None:
        """The table and its column of `until`."""
        if self.until is None:
            return None
        table, _, column = self.until.rpartition(".")
        return TableName.parse(table), column


class SourceSettings(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Where a raw table comes from: a table of a database, a query there, or files. `refresh load` reads it."""

    connection: Annotated[str, Meta(description="the name of a section [connections.NAME] of refresh.toml")] = ""
    table: Annotated[str, Meta(description="the table there, such as public.products")] = ""
    query: Annotated[str, Meta(description="instead of a table: a query in the database's own SQL")] = ""
    file: Annotated[
        str, Meta(description="instead of a table: a file's path from the project on, gs://… or s3://…; several with *")
    ] = ""
    file_column: Annotated[str, Meta(description="a column for the name of the file that a row comes from")] = ""
    posted_column: Annotated[
        str, Meta(description="lets rows be posted, too: a column that has when each was, NULL in what was loaded")
    ] = ""
    exclude: Annotated[tuple[str, ...], Meta(description="columns that are not read")] = ()
    mask: Annotated[
        dict[str, Literal["hash"] | Annotated[int, Meta(ge=0)]],
        Meta(description="columns that are stored as a hash, or as so many first characters"),
    ] = {}
    changes: Annotated[
        Literal["block", "take"], Meta(description="what a load does when a column is gone or has another type")
    ] = "block"
    mode: Annotated[
        Literal["replace", "append", "merge"],
        Meta(description="whether a load reads all rows, or those that are new, or also those that have changed"),
    ] = "replace"
    cursor: Annotated[str, Meta(description="the column that grows with each new row, or each change")] = ""
    key: Annotated[tuple[str, ...], Meta(description="the columns that tell rows apart")] = ()
    overlap: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="how much of what was read before is read again: seconds, or numbers"),
    ] = None
    deletes_every: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="after so many hours a load looks which rows are gone; 0 for each load"),
    ] = None

    def __post_init__(self) -> None:
        """Raises ValueError for keys that do not go together."""
        self._check_place()
        if self.posted_column and self.mode == "replace":
            raise ValueError('posted_column is for mode = "append" or "merge": a load of all rows leaves no others')
        if self.file:
            self._check_file()
            return
        if self.mode == "replace" and (self.cursor or self.key or self.overlap is not None):
            raise ValueError('cursor, key and overlap are for mode = "append" or "merge": write it, or delete them')
        if self.mode != "replace" and not (self.cursor and self.key):
            raise ValueError(f'mode = "{self.mode}" needs a cursor and a key: cursor = "updated_at", key = ["id"]')
        if self.deletes_every is not None and self.mode != "merge":
            raise ValueError('deletes_every is for mode = "merge": other loads find no deleted rows')
        if unread := [name for name in (self.cursor, *self.key) if name in self.exclude or self.cursor in self.mask]:
            raise ValueError(f"{unread[0]} is needed as it is: take it out of exclude and mask")

    def _check_place(self) -> None:
        if [bool(self.table), bool(self.query), bool(self.file)].count(True) != 1:
            way = 'write table = "public.products", or query = "…", or file = "data/products.csv"'
            raise ValueError(f"a source is either a table or a query or files: {way}")
        if not self.file and not self.connection:
            raise ValueError('a table or a query is in a database: write connection = "shop"')
        if both := sorted({*self.exclude} & self.mask.keys()):
            raise ValueError(f"{both[0]} is in exclude and in mask: delete one of them")

    def _check_file(self) -> None:
        if (
            self.mode == "merge"
            or self.cursor
            or self.key
            or self.overlap is not None
            or self.deletes_every is not None
        ):
            raise ValueError('files are read whole, or with mode = "append" each file once: delete the other keys')
        if self.mode == "append" and not self.file_column:
            raise ValueError(
                'mode = "append" reads each file once: write file_column = "file", which says what was read'
            )


class TableSettings(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A table's settings file."""

    description: Text = ""
    owner: Annotated[str, Meta(description="whom to ask when it fails")] = ""
    tags: Annotated[tuple[Tag, ...], Meta(description="names to select tables by: tag:daily")] = ()
    private: Annotated[bool, Meta(description="no page shows its rows: all of its columns are personal")] = False
    columns: Annotated[dict[str, str | ColumnSettings], Meta(description="descriptions, or more than that")] = {}
    storage: StorageSettings = StorageSettings()
    build: Annotated[BuildSettings | None, Meta(description="for a table that is built by date")] = None
    source: Annotated[SourceSettings | None, Meta(description="for a raw table: the database it comes from")] = None
    checks: Checks = Checks()

    def column(self, name: str) -> ColumnSettings:
        """The settings of a column; empty ones if the file does not name it."""
        said = self.columns.get(name, "")
        return ColumnSettings(said) if isinstance(said, str) else said


def _is_no_label(text: str) -> bool:
    is_plain = text.replace("_", "a").replace("-", "a").isalnum() or not text
    return len(text) > 63 or not is_plain or text != text.lower()


def storage_of(says: TableSettings) -> Storage:
    """How the table is stored, as the warehouse takes it."""
    storage = says.storage
    described = {name: said if isinstance(said, str) else said.description for name, said in says.columns.items()}
    return Storage(
        partition=_partition(storage.partition_by),
        cluster_by=storage.cluster_by,
        description=says.description,
        labels=tuple(storage.labels.items()),
        partition_expiration_days=_expiration(storage.partition_by),
        require_partition_filter=storage.require_partition_filter,
        expires_after_days=storage.expires_after_days,
        column_descriptions=tuple((name, text) for name, text in described.items() if text),
        required=tuple(name for name, said in says.columns.items() if _is_required(said)),
        policy_tags=tuple(storage.policy_tags.items()),
    )


def _is_required(said: str | ColumnSettings) -> bool:
    return not isinstance(said, str) and said.mode == "REQUIRED"


def _partition(said: str | PartitionSettings | None) -> Partition | None:
    if said is None:
        return None
    settings = PartitionSettings(said) if isinstance(said, str) else said
    column = "" if settings.column.upper() in _INGESTION else settings.column
    if settings.start is not None and settings.end is not None and settings.step is not None:
        return Partition(column, integers=(settings.start, settings.end, settings.step))
    return Partition(column, settings.type or "DAY")


def _expiration(said: str | PartitionSettings | None) -> float | None:
    return said.expires_after_days if isinstance(said, PartitionSettings) else None
