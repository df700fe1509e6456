"""Files with rows beside the names of sources: `res/raw/orders.csv` or `orders.ndjson` fills the table `raw.orders`.

The columns' types are those of `orders.toml` beside it, else the first of GoogleSQL's that takes all values:

    [columns]
    id = { type = "INT64", mode = "REQUIRED" }

An empty value of a CSV file is NULL. Values are read as strictly as those that are posted to the API.
"""

import csv
import hashlib
import io
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warehouse_refresh.pipeline.project.files import listed, read_text
from warehouse_refresh.pipeline.project.problems import Problem, Refused, sql_problem
from warehouse_refresh.warehouse import Row
from warehouse_refresh.warehouse.errors import Place, SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import Column, SqlType, parse_type
from warehouse_refresh.warehouse.values.invalid import InvalidValue
from warehouse_refresh.warehouse.values.json_text import InvalidJson, Object, parse_json
from warehouse_refresh.warehouse.values.reading import from_json, from_text

ENDINGS = (".csv", ".ndjson")
MOST_PROBLEMS = 20
_GUESSES = tuple(map(SqlType, ("INT64", "NUMERIC", "FLOAT64", "BOOL", "DATE", "DATETIME", "TIMESTAMP")))
_AS_TEXT = ("DATE", "DATETIME", "TIMESTAMP")
_STRING = SqlType("STRING")
_NAME = re.compile(r"[A-Za-z_]\w{0,299}", re.ASCII)
_SPACED = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d+)?)(?: ?(UTC|Z|[+-]\d\d(?::?\d\d)?))?")


@dataclass(frozen=True)
class Seed:
    """A source with its rows: the file, its columns, and a hash of the file and its settings."""

    table: TableName
    path: Path
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    digest: str


@dataclass(frozen=True, slots=True)
class _Record:
    """A row as the file has it, and its line: texts in a CSV file, JSON values in an NDJSON file."""

    line: int
    values: Mapping[str, Any]


def seed_files(folders: Iterable[Path]) -> dict[TableName, Path]:
    """The files with rows in these folders of sources. An empty file has none: it only names a source."""
    paths = [path for folder in folders for path in listed(folder) if path.suffix.lower() in ENDINGS]
    return {TableName(path.parent.name, path.stem): path for path in paths if path.is_file() and path.stat().st_size}


def read_seed(table: TableName, path: Path) -> Seed:
    """Read a file. Raises Refused with up to MOST_PROBLEMS of its problems."""
    try:
        text = read_text(path)
        settings = path.with_suffix(".toml")
        declared = _declared(settings) if settings.exists() else {}
    except SqlError as error:
        raise Refused([sql_problem(path, error)]) from error
    problems: list[Problem] = []
    is_csv = path.suffix.lower() == ".csv"
    names, records = _csv(path, text, problems) if is_csv else _ndjson(path, text, problems)
    problems += _wrong_names(settings, declared, names)
    if problems:
        raise Refused(problems[:MOST_PROBLEMS])
    columns = tuple(declared.get(name) or Column(name, _guess(name, records, is_csv=is_csv)) for name in names)
    rows = [_row(path, record, columns, problems, is_csv=is_csv) for record in records]
    if problems:
        raise Refused(problems[:MOST_PROBLEMS])
    return Seed(table, path, columns, rows, _digest(text, columns))


def seed_columns(table: TableName, path: Path, cache: SqlCache | None = None) -> tuple[Column, ...]:
    """The columns of a file with rows; a file that the `cache` knows is not read again. Raises Refused."""
    settings = path.with_suffix(".toml")
    contents = [each.read_bytes() for each in (path, settings) if each.is_file()]
    key = hashlib.sha256(b"\0".join(contents)).hexdigest()
    noted = cache.recall("seed", key) if cache else None
    if noted is not None:
        return tuple(Column(name, parse_type(kind), required) for name, kind, required in noted)
    columns = read_seed(table, path).columns
    if cache:
        cache.note("seed", key, [[column.name, str(column.type), column.required] for column in columns])
    return columns


def _declared(path: Path) -> dict[str, Column]:
    """The columns that the settings give a type. Raises SqlError."""
    try:
        document = tomllib.loads(read_text(path))
        _only_keys(document, ("columns",))
        return {name: _column(name, settings) for name, settings in document.get("columns", {}).items()}
    except ValueError as error:
        raise SqlError(f"{path.name}: {error}", hint='write id = { type = "INT64" } under [columns]') from error


def _column(name: str, settings: Any) -> Column:
    if not isinstance(settings, dict):
        raise ValueError(f"the settings of {name} are no table")  # noqa: TRY004 (a fault of the file)
    _only_keys(settings, ("type", "mode"))
    mode = settings.get("mode", "NULLABLE")
    if mode not in ("NULLABLE", "REQUIRED"):
        raise ValueError(f"the mode of {name} is {mode!r}: write NULLABLE or REQUIRED")
    return Column(name, parse_type(str(settings.get("type", "STRING"))), required=mode == "REQUIRED")


def _only_keys(found: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in found:
        if key not in known:
            raise ValueError(f"there is no setting {key}; {did_you_mean(key, known) or ', '.join(known)}")


def _wrong_names(settings: Path, declared: Mapping[str, Column], names: Sequence[str]) -> Iterator[Problem]:
    for name in declared:
        if name not in names:
            yield Problem(settings, None, f"the file has no column {name}", did_you_mean(name, names))


def _csv(path: Path, text: str, problems: list[Problem]) -> tuple[list[str], list[_Record]]:
    first = text.partition("\n")[0]
    separator = next((each for each in ",;\t" if each in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    records: list[_Record] = []
    try:
        names = next(reader, [])
        problems += _bad_names(path, names)
        for values in reader:
            if len(values) == len(names):
                records.append(_Record(reader.line_num, dict(zip(names, values, strict=True))))
            elif values:
                reason = f"the line has {len(values)} values, and the first line {len(names)} names"
                problems.append(Problem(path, Place(reader.line_num), reason, "quote values that hold a separator"))
    except csv.Error as error:
        problems.append(Problem(path, Place(reader.line_num), f"this is not CSV: {error}", "quotes end before a comma"))
        names = []
    return names, records


def _ndjson(path: Path, text: str, problems: list[Problem]) -> tuple[list[str], list[_Record]]:
    records = []
    names: dict[str, None] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = parse_json(line)
        except (InvalidJson, InvalidValue) as error:
            problems.append(Problem(path, Place(number), f"this is not JSON: {error}", "write one object in each line"))
            continue
        if isinstance(value, Object):
            names.update(dict.fromkeys(value))
            records.append(_Record(number, value))
        else:
            problems.append(Problem(path, Place(number), "this line is no object", 'write {"name": value, …}'))
    problems += _bad_names(path, list(names))
    return list(names), records


def _bad_names(path: Path, names: Sequence[str]) -> Iterator[Problem]:
    """https://cloud.google.com/bigquery/docs/schemas#column_names"""
    folded: set[str] = set()
    for name in names:
        if not _NAME.fullmatch(name):
            hint = "write letters, digits and _, and begin with a letter"
            yield Problem(path, Place(1), f"{name!r} cannot be a column's name", hint)
        elif name.casefold() in folded:
            yield Problem(path, Place(1), f"two columns are named {name}", "rename one of them")
        folded.add(name.casefold())


def _guess(name: str, records: Sequence[_Record], *, is_csv: bool) -> SqlType:
    """The first type that takes all values of the column."""
    values = [value for record in records if (value := record.values.get(name)) is not None and value != ""]
    if not values:
        return _STRING
    if not is_csv and any(isinstance(value, list | dict) for value in values):
        return SqlType("JSON")
    return next((kind for kind in _GUESSES if all(_takes(kind, value, is_csv=is_csv) for value in values)), _STRING)


def _takes(kind: SqlType, value: Any, *, is_csv: bool) -> bool:
    if not is_csv and type(value) is str and kind.name not in _AS_TEXT:  # in JSON "1" is a text
        return False
    try:
        _value(value, kind, is_csv=is_csv)
    except InvalidValue:
        return False
    return True


def _value(value: Any, kind: SqlType, *, is_csv: bool) -> Any:
    """The value for a column of that type. Raises InvalidValue."""
    return from_text(_iso(value, kind), kind) if is_csv else from_json(_iso(value, kind), kind)


def _row(path: Path, record: _Record, columns: Sequence[Column], problems: list[Problem], *, is_csv: bool) -> Row:
    row: dict[str, Any] = {}
    for column in columns:
        value = record.values.get(column.name)
        try:
            is_null = value is None or (is_csv and value == "")
            row[column.name] = _null(column) if is_null else _value(value, column.type, is_csv=is_csv)
        except InvalidValue as error:
            if len(problems) < MOST_PROBLEMS:
                problems.append(Problem(path, Place(record.line), f"{column.name}: {error}"))
    return row


def _null(column: Column) -> Any:
    if column.required:
        raise InvalidValue("missing", "the column is REQUIRED, and the value is empty")
    return [] if column.type.element is not None else None


def _iso(value: Any, kind: SqlType) -> Any:
    """A moment in ISO 8601, also if it is written as databases write it: `2026-11-02 09:30:00+00`."""
    if kind.name == "BOOL" and isinstance(value, str):
        return value.lower() if value.lower() in ("true", "false") else value
    found = _SPACED.fullmatch(value) if kind.name in ("DATETIME", "TIMESTAMP") and isinstance(value, str) else None
    if found is None:
        return value
    zone = (found[3] or "").replace("UTC", "Z")
    if re.fullmatch(r"[+-]\d\d", zone):
        zone += ":00"
    elif re.fullmatch(r"[+-]\d{4}", zone):
        zone = f"{zone[:3]}:{zone[3:]}"
    return f"{found[1]}T{found[2]}{zone}"


def _digest(text: str, columns: Sequence[Column]) -> str:
    shape = [(column.name, str(column.type), column.mode) for column in columns]
    return hashlib.sha256(f"{shape}\n{text}".encode()).hexdigest()[:32]
