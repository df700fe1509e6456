"""CSV files, read by DuckDB: values as strict as those of files in res/raw/, and a fault with its file and line.

An empty value is NULL, in quotes too. The first line has the names.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence

import duckdb

from warehouse_refresh.origins import OriginError
from warehouse_refresh.origins.files.places import NOT_UTF8, File, pattern
from warehouse_refresh.origins.files.texts import fault, first_fitting, strict
from warehouse_refresh.warehouse.duckdb.translate.text import quoted, string_sql
from warehouse_refresh.warehouse.types import Column, SqlType
from warehouse_refresh.warehouse.values.invalid import InvalidValue
from warehouse_refresh.warehouse.values.reading import from_text, iso

_LONGEST = 16 * 2**20  # bytes of a line
_SEPARATORS = ",;\t"


def check_names(file: File, names: Sequence[str]) -> None:
    """Raise OriginError unless the file has these columns, in whatever order."""
    own = names_of(file)
    if missing := [name for name in names if name not in own]:
        raise OriginError(f"{file.name}:1: there is no column {missing[0]}, which others of these files have")
    if new := [name for name in own if name not in names]:
        raise OriginError(f"{file.name}:1: there is a column {new[0]}, which others of these files have not")


def names_of(file: File) -> list[str]:
    """The names in the first line. Raises OriginError."""
    return _header(file)[0]


def rows_sql(file: File, columns: Sequence[Column]) -> str:
    """The query of the file's rows, with an error in place of a value that is none of its type."""
    listed = ", ".join(f"{strict(quoted(it.name), it.type)} AS {quoted(it.name)}" for it in columns)
    return f"SELECT {listed} FROM {_texts(file)}"


def guess(reader: duckdb.DuckDBPyConnection, files: Sequence[File], names: Sequence[str]) -> Mapping[str, SqlType]:
    """The first type that takes all values, for each of these columns."""
    rows = " UNION ALL BY NAME ".join(f"SELECT * FROM {_texts(file)}" for file in files)
    return first_fitting(reader, rows, names, lambda name, type_: (fault(quoted(name), type_), quoted(name)))


def faults(file: File, columns: Sequence[Column]) -> Iterator[str]:
    """What is wrong in the file, and where. One value after the other: only for a file that DuckDB has refused."""
    names, separator = _header(file)
    line, types = 1, {it.name: it.type for it in columns}
    try:
        with file.text() as text:
            lines = csv.reader(text, delimiter=separator, strict=True)
            for row in lines:
                if NOT_UTF8.search("".join(row)):
                    yield f"{file.name}:{line}: the text is not UTF-8"
                elif line > 1 and row:
                    yield from _faults_in(f"{file.name}:{line}", dict(zip(names, row, strict=False)), types)
                    if len(row) != len(names):
                        counts = f"{len(row)} values, and the first line {len(names)} names"
                        yield f"{file.name}:{line}: the line has {counts}"
                line = lines.line_num + 1
    except csv.Error as error:
        yield f"{file.name}:{line}: this is not CSV: {error}"


def _faults_in(place: str, row: Mapping[str, str], types: Mapping[str, SqlType]) -> Iterator[str]:
    for name, type_ in types.items():
        try:
            if text := row.get(name):
                from_text(iso(text, type_), type_)
        except InvalidValue as error:
            if error.code != "not-exact":  # a FLOAT64 is the nearest number
                yield f"{place}: {name}: {error}"


def _texts(file: File) -> str:
    """DuckDB's table function of the file, all values texts."""
    names, separator = _header(file)
    columns = ", ".join(f"{string_sql(name)}: 'VARCHAR'" for name in names)
    return (
        f"read_csv({pattern(file.local())}, columns = {{{columns}}}, auto_detect = false, header = true, nullstr = '',"
        f" delim = {string_sql(separator)}, quote = '\"', escape = '\"', strict_mode = true,"
        f" compression = '{'gzip' if file.is_gzip else 'none'}', max_line_size = {_LONGEST},"
        f" buffer_size = {_LONGEST})"
    )


def _header(file: File) -> tuple[list[str], str]:
    """The names, and the separator: the first one of these that the first line has."""
    try:
        with file.text() as text:
            first = text.readline(_LONGEST)
            separator = next((each for each in _SEPARATORS if each in first), ",")
            text.seek(0)
            names = next(csv.reader(text, delimiter=separator, strict=True), [])
    except csv.Error as error:
        raise OriginError(f"{file.name}:1: this is not CSV: {error}") from error
    if NOT_UTF8.search(first):
        raise OriginError(f"{file.name}:1: the text is not UTF-8")
    if not any(names):
        raise OriginError(f"{file.name} is empty: its first line has to name the columns")
    if twice := [name for name in names if names.count(name) > 1]:
        raise OriginError(f"{file.name}:1: two columns are named {twice[0]}")
    return names, separator
