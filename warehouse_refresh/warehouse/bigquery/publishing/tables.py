"""Put staged tables in the places of the published ones.

A table is replaced by a clone of the staged one, by one statement. Of many tables, a script replaces several, one after
the other, so that there are fewer requests: https://cloud.google.com/bigquery/docs/multi-statement-queries
"""

import dataclasses
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from google.cloud import bigquery

from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.bigquery import names
from warehouse_refresh.warehouse.bigquery.building import replace
from warehouse_refresh.warehouse.bigquery.building.builder import Builder
from warehouse_refresh.warehouse.bigquery.building.storage import describe_columns, partition_of
from warehouse_refresh.warehouse.bigquery.datasets import Datasets
from warehouse_refresh.warehouse.bigquery.parts.records import PartRecords, may_have_records
from warehouse_refresh.warehouse.bigquery.publishing.built import between, changed_at
from warehouse_refresh.warehouse.bigquery.publishing.plain import assertion, assertion_of_readers
from warehouse_refresh.warehouse.bigquery.publishing.records import Beside
from warehouse_refresh.warehouse.bigquery.publishing.stager import Stager
from warehouse_refresh.warehouse.bigquery.schema import column_of, quoted, type_sql
from warehouse_refresh.warehouse.builds.posted import Posted
from warehouse_refresh.warehouse.errors import Cancelled, NotAllowed, Transient, Unavailable, WarehouseError
from warehouse_refresh.warehouse.names import TableName

_AT_ONCE = 16
"""How many jobs replace tables at the same time."""
_IN_A_SCRIPT = 8
"""How many tables one script replaces at most: what was seen of a table before must still be true then."""
Item = tuple[TableBuild, Beside]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Placed:
    """A table or view that was put in its place: between which moments, by time.monotonic(), its name, and when it was
    changed last, as the record has it; no name if that is not known."""

    first: float
    last: float
    name: TableName | None = None
    changed: str = ""


@dataclass(frozen=True, slots=True)
class _Ran:
    """Between which moments statements ran: by time.monotonic(), and by BigQuery's clock if it said so."""

    first: float
    last: float
    at: tuple[datetime, datetime] | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """How a staged table gets into its place. `old` is the table there, `new` the staged one; `is_simple` if the
    statement may be one of a script, which another try repeats as a whole; `is_unasked` if nobody has asked for the row
    access policies of the old one: a script asserts that it has none. `clone` is what a clone will be like."""

    build: TableBuild
    place: Beside
    old: bigquery.Table | None
    new: bigquery.Table
    sql: str
    destination: bigquery.TableReference | None = None
    clone: bigquery.Table | None = None
    is_simple: bool = False
    is_unasked: bool = False

    @property
    def made(self) -> str:
        """What tells this content of the table from others that the run has staged."""
        return self.place.fingerprint if self.build.parts is None else f"{self.place.fingerprint} {self.new.created}"


class Tables:
    """The published tables, which staged ones replace."""

    def __init__(self, datasets: Datasets, builder: Builder, stager: Stager) -> None:
        self._datasets, self._builder, self._stager = datasets, builder, stager
        self._part_records = PartRecords(datasets)
        self._looking = threading.Lock()
        # Of the present publication, whether BigQuery's time of a table lies within its statement's.
        self._is_within: bool | None = None

    def replace(self, items: Sequence[Item], context: BuildContext) -> list[Placed]:
        """Put each staged table in its place. If one cannot be, the others are, and then its error is raised."""
        self._is_within = None
        size = max(1, min(_IN_A_SCRIPT, -(-len(items) // _AT_ONCE)))
        groups = [items[start : start + size] for start in range(0, len(items), size)]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="publish") as pool:
            done = list(pool.map(lambda group: self._replace_some(group, context), groups))
        return list(_or_raise(one for some in done for one in some))

    def _replace_some(self, items: Sequence[Item], context: BuildContext) -> list[Placed | WarehouseError]:
        plain = [item for item in items if self._is_plain(*item)] if len(items) > 1 else []
        ran = self._run_plain(plain, context) if len(plain) > 1 else None
        if ran is None:
            return self._replace_after_looks(items, context, asserts=len(plain) < 2 <= len(items))
        done = [_tried(partial(self._placed_plain, build.table, ran)) for build, _ in plain]
        others = [item for item in items if item not in plain]
        return [*done, *self._replace_after_looks(others, context, asserts=len(others) > 1)]

    def _is_plain(self, build: TableBuild, place: Beside) -> bool:
        """Whether a clone may replace the table if nothing is set on it still, and has all that is to be set."""
        known = self._stager.becomes_plain(place) if build.posted is None and build.parts is None else None
        if known is None:
            return False
        old, new = known
        return self._builder.sets_nothing(old, _clone(new, self._reference(build.table)), build.storage)

    def _run_plain(self, items: Sequence[Item], context: BuildContext) -> _Ran | None:
        """Replace tables on which nothing is set by one script, which fails if something is by now. None if it failed,
        or if this account may not see what is set."""
        old = {build.table: known[0] for build, place in items if (known := self._stager.becomes_plain(place))}
        there = [table for table in old.values() if table is not None]
        if not all(self._datasets.sees_policies(table.reference) for table in there):
            return None
        missing = [table for table, found in old.items() if found is None]
        check = assertion(self._datasets.settings.project_of, old.keys() - {*missing}, missing)
        clones = [self._clone_sql(build.table, place) for build, place in items]
        made = "\n".join([check, *(place.fingerprint for _, place in items)])
        return self._run_script(items, [check, *clones], made, context)

    def _placed_plain(self, table: TableName, ran: _Ran) -> Placed:
        """A table that a clone has replaced, and on which nothing was to be set."""
        changed = between(*ran.at) if ran.at and self._is_changed_within(table, ran.at) else self._changed_at(table)
        return Placed(ran.first, ran.last, table, changed)

    def _is_changed_within(self, table: TableName, at: tuple[datetime, datetime]) -> bool:
        """Whether BigQuery says of a table that it was changed while its statement ran. One table tells it of all that
        are published: then nobody need look at each of them for the record."""
        with self._looking:
            if self._is_within is None:
                modified = self._datasets.table(table).modified
                self._is_within = modified is not None and at[0] <= modified <= at[1]
            return self._is_within

    def _changed_at(self, table: TableName) -> str:
        return changed_at(self._datasets.table(table))

    def _replace_after_looks(
        self, items: Sequence[Item], context: BuildContext, *, asserts: bool
    ) -> list[Placed | WarehouseError]:
        """Look at each table, and replace it. If `asserts`, the script that does so for several asserts that those have
        no row access policies which had none when they were staged; if it fails, each of them is asked."""

        def step_of(build: TableBuild, place: Beside, *, asks: bool) -> _Step | WarehouseError:
            return _tried(partial(self._step, build, place, context, asks=asks))

        steps = [step_of(*item, asks=not (asserts and self._stager.had_no_policies(item[1]))) for item in items]
        simple = [step for step in steps if isinstance(step, _Step) and step.is_simple]
        together = self._run_together(simple, context) if len(simple) > 1 else None
        if together is None:
            unasked = [isinstance(step, _Step) and step.is_unasked for step in steps]
            steps = [
                step_of(*item, asks=True) if again else step
                for item, step, again in zip(items, steps, unasked, strict=True)
            ]

        def placed(step: _Step | WarehouseError) -> Placed | WarehouseError:
            if isinstance(step, WarehouseError):
                return step
            return _tried(partial(self._placed, step, together if step.is_simple else None, context))

        return list(map(placed, steps))

    def _placed(self, step: _Step, ran: _Ran | None, context: BuildContext) -> Placed:
        """Run the step, unless it was run at some time, and set what is said about the table."""
        ran, table = ran or self._run_alone(step, context), step.build.table
        if step.is_simple and self._builder.sets_nothing(
            step.old, _clone(step.new, self._reference(table)), step.build.storage
        ):
            return self._placed_plain(table, ran)
        return Placed(ran.first, ran.last, table, changed_at(self._described(step)))

    def _run_alone(self, step: _Step, context: BuildContext) -> _Ran:
        config = self._datasets.config(self._datasets.labels(step.build.table, context))
        name = names.publish_name(step.place.run, step.build.table, step.made)
        at = None
        if step.is_simple:
            at = self._datasets.jobs.repeat(name, step.sql, config)
        else:
            if step.destination is not None:
                config.destination = step.destination
                config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE_DATA
            self._datasets.jobs.finish(name, step.sql, config)
        ended = time.monotonic()
        return _Ran(ended, ended, at)

    def _run_together(self, steps: Sequence[_Step], context: BuildContext) -> _Ran | None:
        items = [(step.build, step.place) for step in steps]
        unasked = [step.build.table for step in steps if step.is_unasked]
        check = [assertion_of_readers(self._datasets.settings.project_of, unasked)] if unasked else []
        made = "\n".join([*check, *(step.made for step in steps)])
        return self._run_script(items, [*check, *(step.sql for step in steps)], made, context)

    def _run_script(
        self, items: Sequence[Item], statements: Sequence[str], made: str, context: BuildContext
    ) -> _Ran | None:
        """Publish the tables by one script, and tell it from others by what is `made`. Returns between which moments it
        ran; None if it failed, which one of its statements may be to blame for: then each is run alone, those that
        were done too, which changes nothing."""
        began, (build, place) = time.monotonic(), items[0]
        labels = self._datasets.labels(build.table, context)
        del labels["table"]
        name = names.publish_name(place.run, build.table, made)
        try:
            at = self._datasets.jobs.repeat(name, ";\n".join(statements), self._datasets.config(labels))
        except (Transient, Unavailable, Cancelled):
            raise
        except WarehouseError:
            return None
        return _Ran(began, time.monotonic(), at)

    def _step(self, build: TableBuild, place: Beside, context: BuildContext, *, asks: bool) -> _Step:
        """Look at the table as it is, and find out how the staged one gets into its place. A protected table keeps its
        protections: it gets the rows by a query, which costs as much as reading them. If it `asks`, it is known whether
        the table has row access policies; else only a script may replace it that asserts that it has none."""
        found, new = self._datasets.table_or_none(build.table), self._stager.table(place)
        path, beside = self._datasets.path(build.table), self._datasets.path(place.name)
        if build.parts is None and may_have_records(found):
            self._part_records.forget(build.table)
        old = found if found is not None and found.table_type == "TABLE" else None
        goes = found is not None and (old is None or _cannot_become(old, new))
        if old is not None and not goes and old.clustering_fields != new.clustering_fields:
            self._datasets.labels(build.table, context)  # raises if the lease is lost
            old.clustering_fields = new.clustering_fields
            old = self._datasets.change(old, ["clustering_fields"])
        if build.posted is not None and found is not None and _has(found, build.posted.column):
            if old is None or goes:
                reason = "rows are posted to it, and its partitions would change: leave them as they are"
                raise WarehouseError(f"{build.table} cannot be published: {reason}")
            return _Step(build, place, old, new, _around_posted(build.posted, old, new, path, beside))
        asks = asks or goes or (old is not None and any(replace.tagged(old.schema)))
        if old is not None and asks and self._may_be_protected(build.table, old, new):
            old = self._datasets.change(old, describe_columns(old, build.storage))
            return _Step(build, place, old, new, f"SELECT * FROM {beside}", destination=old.reference)
        drop = f"DROP {found.table_type} IF EXISTS {path}; " if found is not None and goes else ""
        clone = _clone(new, self._reference(build.table))
        sql = drop + self._clone_sql(build.table, place)
        unasked = old is not None and not asks
        return _Step(build, place, old, new, sql, clone=clone, is_simple=not drop, is_unasked=unasked)

    def _clone_sql(self, table: TableName, place: Beside) -> str:
        return f"CREATE OR REPLACE TABLE {self._datasets.path(table)} CLONE {self._datasets.path(place.name)}"

    def _reference(self, table: TableName) -> bigquery.TableReference:
        return self._datasets.reference(table.dataset).table(table.name)

    def _described(self, step: _Step) -> bigquery.Table:
        """The published table, with what the script says about it and what it had before. One request does for a clone,
        of which it is known what it is like."""
        storage, told = step.build.storage, None
        if step.clone is not None:
            told = self._builder.put_back_unseen(step.old, step.clone, storage)
        return told or self._builder.put_back(step.old, self._datasets.table(step.build.table), storage)

    def _may_be_protected(self, name: TableName, old: bigquery.Table, new: bigquery.Table) -> bool:
        """Whether the table has protections, or may have some that this account may not see."""
        try:
            return bool(self._builder.protections(name, old))
        except NotAllowed:
            result = [dataclasses.replace(column_of(field), required=False) for field in new.schema]
            if not replace.has_columns(old, result):
                raise
            return True


def _tried(run: Callable[[], T]) -> T | WarehouseError:
    try:
        return run()
    except WarehouseError as error:
        return error


def _or_raise(done: Iterable[T | WarehouseError]) -> Iterator[T]:
    """What was done, or the first error."""
    for one in done:
        if isinstance(one, WarehouseError):
            raise one
        yield one


def _clone(table: bigquery.Table, reference: bigquery.TableReference) -> bigquery.Table:
    """What a clone of the table has of it: its columns and its layout."""
    of_clone = ("schema", "timePartitioning", "rangePartitioning", "clustering")
    known = {name: value for name, value in table.to_api_repr().items() if name in of_clone}
    return bigquery.Table.from_api_repr({"tableReference": reference.to_api_repr(), "type": "TABLE", **known})


def _has(table: bigquery.Table, column: str) -> bool:
    return any(field.name == column for field in table.schema)


def _around_posted(posted: Posted, old: bigquery.Table, new: bigquery.Table, path: str, beside: str) -> str:
    """The script that gives the table at `path` the rows of the one `beside`, and lets its posted rows stay, also those
    that are stored meanwhile: an INSERT does not conflict with the transaction, which does not see it.
    https://cloud.google.com/bigquery/docs/transactions#transaction_concurrency"""
    before, now = {field.name for field in old.schema}, {field.name for field in new.schema}
    added = [column_of(field) for field in new.schema if field.name not in before]
    lost = [field.name for field in old.schema if field.name not in now]
    column, listed = quoted(posted.column), ", ".join(quoted(field.name) for field in new.schema)
    same, came = posted.same_key(quoted), f"SELECT 1 FROM {beside} AS came WHERE came.{column} IS NULL"
    statements = [
        *(f"ALTER TABLE {path} ADD COLUMN IF NOT EXISTS {quoted(it.name)} {type_sql(it.type)}" for it in added),
        "BEGIN TRANSACTION",
        f"DELETE FROM {path} AS had WHERE had.{column} IS NULL OR EXISTS ({came} AND {same})",
        f"INSERT INTO {path} ({listed}) SELECT {listed} FROM {beside} AS came WHERE came.{column} IS NULL",
        "COMMIT TRANSACTION",
        *(f"ALTER TABLE {path} DROP COLUMN IF EXISTS {quoted(name)}" for name in lost),
    ]
    return ";\n".join(statements)


def _cannot_become(old: bigquery.Table, new: bigquery.Table) -> bool:
    """Whether BigQuery does not replace the one by the other: see `needs_new_table`."""
    columns = {field.name for field in old.schema}
    return partition_of(old) != partition_of(new) or not columns.issuperset(new.clustering_fields or ())
