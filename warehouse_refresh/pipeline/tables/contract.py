"""Compare a table's settings with the columns of its query's result, before anything is built."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from warehouse_refresh.pipeline.project.problems import Problem
from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.pipeline.tables.files import SettingsFile
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.storage import PLAIN, Partition, Storage
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import Column, SqlType, array_of, parse_type

_TIMES = {"DATE": ("DAY", "MONTH", "YEAR"), "TIMESTAMP": ("HOUR", "DAY", "MONTH", "YEAR")}
_TIMES["DATETIME"] = _TIMES["TIMESTAMP"]
# https://cloud.google.com/bigquery/docs/clustered-tables#cluster_column_types
_CLUSTERED = ("STRING", "INT64", "NUMERIC", "BIGNUMERIC", "BOOL", "DATE", "DATETIME", "TIMESTAMP", "GEOGRAPHY", "RANGE")
_KEYS = ("INT64", "STRING", "BYTES", "BOOL", "NUMERIC", "BIGNUMERIC", "DATE", "TIME", "DATETIME", "TIMESTAMP")
"""The types of a key's columns: those of which a value equals itself, and no other one."""

Keys = tuple[str | int, ...]


def contract_problems(script: Script, columns: Sequence[Column]) -> Iterator[Problem]:
    """The contradictions between a script's settings and the columns of its query's result."""
    if script.settings is None and script.build.storage == PLAIN:
        return
    planned = {column.name: column for column in columns}
    if script.settings is not None:
        yield from declared_problems(script.settings, planned, f"the query of {script.table}")
        yield from _of_partitions(script.settings, planned, f"the query of {script.table}")
    found = _of_views(script.build.storage) if script.build.is_view else _of_storage(script.build.storage, planned)
    for keys, reason, hint in found:
        if script.settings is not None and _says(script.settings, keys):
            yield script.settings.problem(keys, reason, hint)
        else:
            yield Problem(script.path, script.query.start, reason, hint)


def raw_problems(
    files: Mapping[TableName, SettingsFile], known: Mapping[TableName, Sequence[Column]]
) -> Iterator[Problem]:
    """The contradictions between the settings of tables that no script builds and their columns, if these are
    `known`."""
    for table, file in files.items():
        if file.says.storage != type(file.says.storage)():
            reason = f"no script builds {table}, so that its storage is set where it is created"
            yield file.problem(("storage",), reason, "delete this section")
        if table in known:
            yield from declared_problems(file, {column.name: column for column in known[table]}, str(table))


def _of_partitions(file: SettingsFile, planned: Mapping[str, Column], who: str) -> Iterator[Problem]:
    """What is wrong with the column that a table is built by."""
    build = file.says.build
    if build is None:
        return
    if build.column not in planned:
        hint = did_you_mean(build.column, planned) or f"its columns: {', '.join(planned)}"
        yield file.problem(("build", "column"), f"{who} has no column {build.column}", hint)
    elif planned[build.column].type != build.kind:
        reason = f"{build.column} is of the type {planned[build.column].type}, and start is a {build.kind}"
        yield file.problem(
            ("build", "start"),
            reason,
            'such as "2024-01-31", "2024-01-31T00:00:00" for a DATETIME, "2024-01-31T00:00:00Z" for a TIMESTAMP, and'
            ' 0 for an INT64, with by = "range"',
        )
    for index, name in enumerate(build.key):
        if name not in planned:
            yield file.problem(("build", "key", index), f"{who} has no column {name}", _like(name, planned))
        elif planned[name].type.name not in _KEYS:
            reason = f"{name} is {planned[name].type}, and such values cannot be a key"
            yield file.problem(("build", "key", index), reason, f"name columns of {', '.join(_KEYS)}")


def _says(file: SettingsFile, keys: Keys) -> bool:
    """Whether the file says this option, and not the script's CREATE statement."""
    return keys[0] == "columns" or bool(getattr(file.says.storage, str(keys[1])))


def declared_problems(file: SettingsFile, planned: Mapping[str, Column], who: str) -> Iterator[Problem]:
    """A problem for each column of a settings file that differs from the `planned` ones, which `who` has."""
    for name, text in file.says.columns.items():
        if isinstance(text, str) and name in planned:
            continue  # only a description
        said = file.says.column(name)
        keys: Keys = ("columns", name)
        if name not in planned:
            hint = did_you_mean(name, planned) or f"its columns: {', '.join(planned)}"
            yield file.problem(keys, f"{who} has no column {name}", hint)
            continue
        try:
            wanted = wanted_type(said.type, said.mode)
        except ValueError as error:
            yield file.problem((*keys, "type"), str(error), "write a type of GoogleSQL, such as INT64 or ARRAY<STRING>")
            continue
        found = planned[name].type
        if wanted is not None and str(wanted).casefold() != str(found).casefold():
            reason = f"{name} is {wanted} here, and {who} has {found}"
            yield file.problem(
                (*keys, "type"), reason, f"CAST it in the SQL that creates the table, or write {found} here"
            )
        elif (said.mode == "REPEATED") != (found.element is not None) and said.mode is not None:
            is_array = f"{name} is {found}, which is {'an' if found.element else 'no'} array"
            hint = f'write mode = "{"REPEATED" if found.element else "NULLABLE"}", or leave the mode out'
            yield file.problem((*keys, "mode"), f"{is_array}, and its mode is {said.mode} here", hint)


def wanted_type(text: str, mode: str | None) -> SqlType | None:
    """The type that a column's settings say, None if they say none. `STRING` with the mode REPEATED is an array of it.
    Raises ValueError for a text that is no type."""
    if not text:
        return None
    kind = parse_type(text.upper() if text.isalnum() else text)
    return array_of(kind) if mode == "REPEATED" and kind.element is None else kind


def own_columns(script: Script) -> tuple[Column, ...]:
    """The columns that a table by date reads from itself: those whose types its settings say, and the one by which it
    is built. None if it does not read itself, or if no types are said."""
    says = script.settings.says if script.settings is not None else None
    build = says.build if says is not None else None
    if says is None or build is None or not build.reads_itself:
        return ()
    found: dict[str, Column] = {}
    for name in says.columns:
        said = says.column(name)
        with suppress(ValueError):  # `declared_problems` has it
            if (kind := wanted_type(said.type, said.mode)) is not None:
                found[name] = Column(name, kind)
    return tuple({build.column: Column(build.column, build.kind), **found}.values()) if found else ()


def _of_views(storage: Storage) -> Iterator[tuple[Keys, str, str]]:
    """The options that a view cannot have."""
    hint = "delete it, or make the view a table"
    for name in ("partition_by", "cluster_by", "require_partition_filter", "expires_after_days", "policy_tags"):
        if getattr(storage, "partition" if name == "partition_by" else name):
            yield ("storage", name), f"a view holds no rows, so it has no {name}", hint
    for name in storage.required:
        yield ("columns", name, "mode"), f"a view holds no rows, so {name} cannot be REQUIRED in it", hint


def _of_storage(storage: Storage, planned: Mapping[str, Column]) -> Iterator[tuple[Keys, str, str]]:
    """What BigQuery would refuse about partitions, clusters and policy tags."""
    if storage.partition is not None and storage.partition.column:
        yield from _of_partition(storage.partition, planned)
    for index, name in enumerate(storage.cluster_by):
        yield from _of_cluster(("storage", "cluster_by", index), name, planned)
    for name, _ in storage.policy_tags:
        if name not in planned:
            yield ("storage", "policy_tags", name), f"policy_tags names {name}, {_NOT_THERE}", _like(name, planned)


_NOT_THERE = "which the query does not give"


def _of_partition(partition: Partition, planned: Mapping[str, Column]) -> Iterator[tuple[Keys, str, str]]:
    """https://cloud.google.com/bigquery/docs/partitioned-tables"""
    keys = ("storage", "partition_by")
    column = planned.get(partition.column)
    if column is None:
        yield keys, f"partition_by names {partition.column}, {_NOT_THERE}", _like(partition.column, planned)
        return
    kind = column.type.name
    if partition.integers is not None:
        if kind != "INT64":
            yield keys, f"{column.name} is {column.type}, and ranges of integers need INT64", "name another column"
    elif kind == "INT64":
        hint = f'write partition_by = {{ column = "{column.name}", start = 0, end = 1000, step = 10 }}'
        yield keys, f"{column.name} is INT64, and its partitions are ranges of integers", hint
    elif kind not in _TIMES:
        hint = "name a column of DATE, DATETIME, TIMESTAMP or INT64"
        yield keys, f"{column.name} is {column.type}, and BigQuery has no partitions by that", hint
    elif partition.unit not in _TIMES[kind]:
        hint = f"write one of {', '.join(_TIMES[kind])}"
        yield keys, f"{column.name} is a DATE, and has no partitions by {partition.unit}", hint


def _of_cluster(keys: Keys, name: str, planned: Mapping[str, Column]) -> Iterator[tuple[Keys, str, str]]:
    column = planned.get(name)
    if column is None:
        yield keys, f"cluster_by names {name}, {_NOT_THERE}", _like(name, planned)
    elif column.type.name not in _CLUSTERED:
        hint = f"name a column of {', '.join(_CLUSTERED[:-1])} or {_CLUSTERED[-1]}"
        yield keys, f"{name} is {column.type}, and BigQuery cannot cluster by that", hint


def _like(name: str, planned: Mapping[str, Column]) -> str:
    return did_you_mean(name, planned) or f"its columns: {', '.join(planned)}"
