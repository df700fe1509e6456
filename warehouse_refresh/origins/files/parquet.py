"""Parquet files: they have types themselves, and settings say what else a column may be without a change of its
values."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from warehouse_refresh.origins import NotReadable, OriginError
from warehouse_refresh.origins.files.places import File
from warehouse_refresh.warehouse.types import Column, SqlType
from warehouse_refresh.warehouse.values.parquet import (
    InvalidParquet,
    ParquetColumn,
    bad_values,
    parquet_columns,
    read_columns,
)

_MOST_FAULTS = 20


def columns_of(file: File) -> list[ParquetColumn]:
    """The file's columns. Raises OriginError."""
    try:
        return parquet_columns(file.local())
    except InvalidParquet as error:
        raise OriginError(f"{file.name}: {error.reason}") from error


def type_of(own: ParquetColumn, wanted: SqlType | None) -> SqlType:
    """The type that holds the column's values. Raises NotReadable."""
    try:
        if wanted is not None:
            own.check(wanted)
        return wanted or own.inferred()
    except InvalidParquet as error:
        way = f": {error.hint}" if error.hint else ""
        raise NotReadable(f"{error.reason.removeprefix(f'{own.name}: ')}{way}") from error


def rows_sql(file: File, columns: Sequence[Column], kinds: Mapping[str, object]) -> str:
    """The query of the file's rows. Raises OriginError with the values that their types do not hold, each with its
    row, and for a file that has other columns than these `kinds` say."""
    own = {it.name: it for it in columns_of(file)}
    if {name: it.kind for name, it in own.items()} != kinds:
        odd = [name for name in {**own, **kinds} if name not in own or own[name].kind != kinds.get(name)]
        raise OriginError(f"{file.name}: {odd[0]} is another column than in others of these files, or one has it not")
    pairs = [(own[it.name], it) for it in columns]
    try:
        if bad := list(islice(_bad(file, pairs), _MOST_FAULTS)):
            raise OriginError("\n".join(bad))
        return read_columns(file.local(), pairs).sql
    except InvalidParquet as error:
        raise OriginError(f"{file.name}: {error.reason}") from error


def _bad(file: File, pairs: Sequence[tuple[ParquetColumn, Column]]) -> Iterator[str]:
    for it in bad_values(file.local(), pairs, _MOST_FAULTS):
        yield f"{file.name}: row {it.row}: {it.column}: {it.detail}"
