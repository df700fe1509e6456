"""Files with rows beside the names of sources: `res/raw/orders.csv` (or `.ndjson`, `.parquet`) fills `raw.orders`.

The columns' types are those of `orders.toml` beside it, else the first of GoogleSQL's that takes all values:

    [columns]
    id = { type = "INT64", mode = "REQUIRED" }

It is the table's settings file, which may say more: see pipeline/tables/settings.py.

An empty value of a CSV file is NULL. Values are read as strictly as those that are posted to the API. A Parquet file
has types itself: settings say what else a column may be without a change of its values.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from warehouse_refresh.pipeline.project.files import check_is_file, is_there, listed, name_problem, read_text
from warehouse_refresh.pipeline.project.problems import Problem, Refused, sql_problem
from warehouse_refresh.pipeline.project.toml_places import place_in
from warehouse_refresh.pipeline.tables.contract import wanted_type
from warehouse_refresh.pipeline.tables.files import SEEDS, SettingsFile
from warehouse_refresh.warehouse import Row
from warehouse_refresh.warehouse.errors import Place, SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import Column, SqlType, parse_type
from warehouse_refresh.warehouse.values.csv_text import CsvText, InvalidCsv, Line, Record, lines_of
from warehouse_refresh.warehouse.values.invalid import InvalidValue
from warehouse_refresh.warehouse.values.json_text import InvalidJson, Object, offsets_of, parse_json
from warehouse_refresh.warehouse.values.reading import from_json, from_text, iso

if TYPE_CHECKING:  # it imports DuckDB, which knowing that there is no Parquet file does not need
    from warehouse_refresh.warehouse.values.parquet import ParquetColumn, ParquetFile

MOST_PROBLEMS = 20
_GUESSES = tuple(map(SqlType, ("INT64", "NUMERIC", "FLOAT64", "BOOL", "DATE", "DATETIME", "TIMESTAMP")))
_AS_TEXT = ("DATE", "DATETIME", "TIMESTAMP")
_STRING, _JSON = SqlType("STRING"), SqlType("JSON")
_NAME = re.compile(r"[A-Za-z_]\w{0,299}", re.ASCII)
# https://cloud.google.com/bigquery/docs/schemas#column_names
_RESERVED = re.compile("_TABLE_|_FILE_|_PARTITION|_ROW_TIMESTAMP|__ROOT__|_COLIDENTIFIER|_CHANGE_", re.IGNORECASE)


@dataclass(frozen=True)
class Seed:
    """A source with its rows: the file, its columns, and a hash of the file and its settings. A Parquet file's rows are
    not read yet: `parquet` says how."""

    table: TableName
    path: Path
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    digest: str
    parquet: "ParquetFile | None" = None

    @property
    def row_count(self) -> int:
        """How many rows the file has."""
        return len(self.rows) if self.parquet is None else self.parquet.row_count

    def read(self) -> "Seed":
        """This seed, which is read already."""
        return self

    def check_unchanged(self) -> None:
        """Raise Refused if a Parquet file is no longer what was read. Others were read at once."""
        if self.parquet is not None and _digest(_hash(self.path), self.columns) != self.digest:
            reason = "the file has changed while it was loaded"
            raise Refused([Problem(self.path, None, reason, "run this again, once it is whole")])


@dataclass(frozen=True)
class KnownSeed:
    """A file with rows that was read before and has not changed since; `read` reads it again."""

    table: TableName
    path: Path
    digest: str

    def read(self) -> Seed:
        """The seed. Raises Refused."""
        return read_seed(self.table, self.path)


class Rows(Sequence[Row]):
    """Rows that are stored as columns: a million dicts would take a gigabyte."""

    def __init__(self, columns: Mapping[str, Sequence[Any]], count: int) -> None:
        self._columns, self._count = columns, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(self._count))]
        return {name: values[index] for name, values in self._columns.items()}


@dataclass(frozen=True, slots=True)
class _Text:
    """A file's text: the names of its columns, their values (texts in CSV, JSON values in NDJSON), and the place of
    each row."""

    path: Path
    is_csv: bool
    csv: CsvText
    names: list[str]
    values: Sequence[Sequence[Any]]
    rows: Sequence[Record | Line]

    def place(self, row: int, name: str) -> Place:
        """The place of the row's value in this column."""
        found = self.rows[row]
        if isinstance(found, Record):
            return self.csv.place(found, self.names.index(name))
        return Place(found.number, dict(offsets_of(found.text)).get(name, 0) + 1)


def seed_files(folders: Iterable[Path]) -> tuple[dict[TableName, Path], list[Problem]]:
    """The files with rows in these folders of sources, and what is wrong with their names. An empty file has no rows:
    it only names a source."""
    found: dict[TableName, Path] = {}
    problems: list[Problem] = []
    for path in (path for folder in folders for path in listed(folder) if path.suffix.lower() in SEEDS):
        if path.is_file() and not path.stat().st_size:
            continue
        table = TableName(path.parent.name, path.stem)
        other = next((other for known, other in found.items() if str(known).casefold() == str(table).casefold()), None)
        if wrong := name_problem(table, path):
            problems.append(wrong)
        elif other is not None:
            problems.append(Problem(path, None, f"{other.name} fills {table}, too", "delete one of them"))
        else:
            found[table] = path
    return found, problems


def read_seed(table: TableName, path: Path) -> Seed:
    """Read a file. Raises Refused with up to MOST_PROBLEMS of its problems."""
    settings = path.with_suffix(".toml")
    is_parquet = path.suffix.lower() == ".parquet"
    try:
        check_is_file(path)
        text = "" if is_parquet else read_text(path)
        declared = _declared(settings) if is_there(settings) else {}
    except SqlError as error:
        raise Refused([sql_problem(path, error)]) from error
    if is_parquet:
        return _read_parquet(table, path, declared)
    file, problems = _csv(path, text) if path.suffix.lower() == ".csv" else _ndjson(path, text)
    problems += _wrong_names(path, declared, file.names)
    if not file.names and not problems:
        problems.append(Problem(path, Place(1), "there are no columns", "name them, or empty the file"))
    _refuse(problems)
    found = [_typed_column(file, index, declared.get(name), problems) for index, name in enumerate(file.names)]
    _refuse(sorted(problems, key=lambda problem: problem.place.line if problem.place else 0))
    columns = tuple(column for column, _ in found)
    rows = Rows({column.name: values for column, values in found}, len(file.rows))
    return Seed(table, path, columns, rows, _digest(text, columns))


def _read_parquet(table: TableName, path: Path, declared: Mapping[str, Column]) -> Seed:
    from warehouse_refresh.warehouse.values.parquet import InvalidParquet, bad_values, parquet_columns, read_columns

    try:
        before = _hash(path)
        own = parquet_columns(path)
        names = [column.name for column in own]
        _refuse([*bad_names(path, names), *_wrong_names(path, declared, names)])
        pairs = _typed(path, own, declared)
        bad = bad_values(path, pairs, MOST_PROBLEMS)
        _refuse([Problem(path, None, f"row {it.row}: {it.column}: {it.detail}") for it in bad])
        file = read_columns(path, pairs)
    except InvalidParquet as error:
        raise Refused([Problem(path, None, error.reason, error.hint)]) from error
    seed = Seed(table, path, file.columns, (), _digest(before, file.columns), file)
    seed.check_unchanged()
    return seed


def _typed(
    path: Path, own: Sequence["ParquetColumn"], declared: Mapping[str, Column]
) -> list[tuple["ParquetColumn", Column]]:
    """Each column of the file with the table's. Raises Refused."""
    from warehouse_refresh.warehouse.values.parquet import InvalidParquet

    pairs: list[tuple[ParquetColumn, Column]] = []
    problems: list[Problem] = []
    for column in own:
        wanted = declared.get(column.name)
        try:
            if wanted is not None:
                column.check(wanted.type)
            pairs.append((column, wanted or Column(column.name, column.inferred())))
        except InvalidParquet as error:
            problems.append(Problem(path, None, error.reason, error.hint))
    problems += [problem for _, column in pairs for problem in _bad_fields(path, column)]
    _refuse(problems)
    return pairs


def _bad_fields(path: Path, column: Column) -> Iterator[Problem]:
    """A problem for each wrong field name of a STRUCT, or of an ARRAY of them."""
    fields = (column.type.element or column.type).fields
    yield from bad_names(path, [field.name for field in fields], f" in {column.name}")
    for field in fields:
        yield from _bad_fields(path, field)


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise Refused(list(problems[:MOST_PROBLEMS]))


def read_seeds(folders: Iterable[Path], cache: SqlCache | None = None) -> list[Seed | KnownSeed]:
    """Read all files with rows in these folders of sources, but for those that the `cache` knows: of these it makes a
    hash only. Raises Refused with the problems of all of them."""
    files, problems = seed_files(folders)
    seeds: list[Seed | KnownSeed] = []
    for table, path in files.items():
        try:
            seeds.append(_read_or_known(table, path, cache))
        except Refused as refused:
            problems += refused.problems
    if problems:
        raise Refused(problems)
    return seeds


def _read_or_known(table: TableName, path: Path, cache: SqlCache | None) -> Seed | KnownSeed:
    key = _key(path)
    digest = cache.recall("rows", key) if cache else None
    if digest is not None:
        return KnownSeed(table, path, digest)
    seed = read_seed(table, path)
    if _key(path) != key:  # somebody writes it: what was read may end in the middle of a value
        _refuse([Problem(path, None, "the file has changed while it was read", "run this again, once it is whole")])
    if cache:
        cache.note("rows", key, seed.digest)
    return seed


def _key(path: Path) -> str:
    """A hash of the file's and its settings' bytes. Raises Refused if one cannot be read."""
    settings = path.with_suffix(".toml")
    hashes = [path.suffix, _hash(path), *([_hash(settings)] if is_there(settings) else [])]
    return hashlib.sha256("\0".join(hashes).encode()).hexdigest()


def seed_columns(table: TableName, path: Path, cache: SqlCache | None = None) -> tuple[Column, ...]:
    """The columns of a file with rows; a file that the `cache` knows is not read again. Raises Refused."""
    key = _key(path)
    noted = cache.recall("seed", key) if cache else None
    if noted is not None:
        return tuple(Column(name, parse_type(kind), required) for name, kind, required in noted)
    columns = read_seed(table, path).columns
    if cache:
        cache.note("seed", key, [[column.name, str(column.type), column.required] for column in columns])
    return columns


def _hash(path: Path) -> str:
    """A hash of the file's bytes. Raises Refused if it cannot be read."""
    try:
        check_is_file(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except SqlError as error:
        raise Refused([sql_problem(path, error)]) from error
    except OSError as error:
        reason = f"the file cannot be read: {error.strerror}"
        raise Refused([Problem(path, None, reason, "see its permissions")]) from error


def _declared(path: Path) -> dict[str, Column]:
    """The columns that the table's settings give a type or a mode; a mode alone is that of a STRING. Raises Refused."""
    from warehouse_refresh.pipeline.tables.reading import read_settings  # imports msgspec
    from warehouse_refresh.pipeline.tables.settings import TableSettings

    file = SettingsFile(path, read_settings(path, TableSettings))
    found: dict[str, Column] = {}
    for name in file.says.columns:
        said = file.says.column(name)
        try:
            kind = wanted_type(said.type or ("STRING" if said.mode else ""), said.mode)
        except ValueError as error:
            raise Refused([file.problem(("columns", name, "type"), str(error), "write a type of GoogleSQL")]) from error
        if kind is not None:
            found[name] = Column(name, kind, required=said.mode == "REQUIRED")
    return found


def _wrong_names(path: Path, declared: Mapping[str, Column], names: Sequence[str]) -> Iterator[Problem]:
    file = path.with_suffix(".toml")
    for name in sorted(declared.keys() - set(names)):
        place = place_in(read_text(file), ("columns", name))
        yield Problem(file, place, f"the file has no column {name}", did_you_mean(name, names))


def _csv(path: Path, text: str) -> tuple[_Text, list[Problem]]:
    separator = next((each for each in ",;\t" if each in text.partition("\n")[0]), ",")
    csv = CsvText(text, separator)
    names: list[str] = []
    rows, values, problems = [], [], list[Problem]()
    try:
        for number, record in enumerate(csv.records()):
            if number == 0:
                names = record.values
                problems += bad_names(path, names)
            elif not record.blank and len(record.values) == len(names):
                rows.append(Record(record.line, record.start, []))
                values.append(record.values)
            elif not record.blank or len(names) == 1:
                problems.append(_bad_line(path, csv, record, len(names)))
            if len(problems) >= MOST_PROBLEMS:
                break
    except InvalidCsv as error:
        hint = "quote the value, and write each quote in it twice"
        problems.append(Problem(path, error.place, f"this is not CSV: {error}", hint))
    by_column = list(zip(*values, strict=True)) or [()] * len(names)
    return _Text(path, True, csv, names, by_column, rows), problems


def _bad_line(path: Path, csv: CsvText, record: Record, width: int) -> Problem:
    if record.blank:
        hint = 'write "" for NULL, or delete the line'
        return Problem(path, Place(record.line), "a blank line may be NULL, or no row", hint)
    count = csv.count(record)
    reason = f"the line has {count} values, and the first line {width} names"
    return Problem(path, csv.place(record, min(width, count - 1)), reason, "quote values that hold a separator")


def _ndjson(path: Path, text: str) -> tuple[_Text, list[Problem]]:
    rows, values, problems = [], [], list[Problem]()
    names: dict[str, None] = {}
    for line in lines_of(text):
        place, hint = Place(line.number), "write one object in each line"
        try:
            value = parse_json(line.text)
        except InvalidJson as error:
            problems.append(Problem(path, Place(line.number, error.column), f"this is not JSON: {error}", hint))
            continue
        if not isinstance(value, Object):
            problems.append(Problem(path, place, "this line is no object", 'write {"name": value, …}'))
        elif value.repeated:
            problems.append(Problem(path, place, f"the line names {value.repeated} twice", hint))
        else:
            names.update(dict.fromkeys(value))
            rows.append(line)
            values.append(value)
    problems += bad_names(path, list(names))
    by_column = [[value.get(name) for value in values] for name in names]
    return _Text(path, False, CsvText(""), list(names), by_column, rows), problems


def bad_names(path: Path, names: Sequence[str], where: str = "") -> Iterator[Problem]:
    """A problem of the file for each name that no column can have:
    https://cloud.google.com/bigquery/docs/schemas#column_names"""
    place = None if path.suffix.lower() == ".parquet" else Place(1)
    folded: set[str] = set()
    for name in names:
        if not _NAME.fullmatch(name):
            hint = "write letters, digits and _, and begin with a letter"
            yield Problem(path, place, f"{name!r} cannot be a column's name{where}", hint)
        elif _RESERVED.match(name):
            yield Problem(path, place, f"BigQuery keeps names like {name} for itself{where}", "rename the column")
        elif name.casefold() in folded:
            yield Problem(path, place, f"two columns are named {name}{where}", "rename one of them")
        folded.add(name.casefold())


def _typed_column(
    file: _Text, index: int, declared: Column | None, problems: list[Problem]
) -> tuple[Column, Sequence[Any]]:
    """The column and its values: of the declared type, else of the first type that takes all values."""
    name, values = file.names[index], file.values[index]
    if declared is None:
        for kind in _guesses(values, is_csv=file.is_csv):
            column = Column(name, kind)
            with suppress(InvalidValue):
                return column, list(map(_reader(column, is_csv=file.is_csv), values))
        declared = Column(name, _STRING)
    read = _reader(declared, is_csv=file.is_csv)
    found, bad = list[Any](), 0
    for row, value in enumerate(values):
        try:
            found.append(read(value))
        except InvalidValue as error:
            problems.append(Problem(file.path, file.place(row, name), f"{name}: {error}"))
            bad += 1
        if bad >= MOST_PROBLEMS:
            break
    return declared, found


def _guesses(values: Sequence[Any], *, is_csv: bool) -> Sequence[SqlType]:
    """The types that a column of such values may have, the best one first."""
    some = next((value for value in values if value is not None and value != ""), None)
    if some is None:
        return ()
    if is_csv:
        return _GUESSES
    if any(isinstance(value, list | dict) for value in values):
        return (_JSON,)
    if any(type(value) is str and value for value in values):  # in JSON "1" is a text
        return [kind for kind in _GUESSES if kind.name in _AS_TEXT]
    return _GUESSES


def _reader(column: Column, *, is_csv: bool) -> Callable[[Any], Any]:
    """Reads a value of the file for the column; raises InvalidValue."""
    kind, read = column.type, from_text if is_csv else from_json
    is_written_otherwise = kind.name in ("BOOL", "DATETIME", "TIMESTAMP")

    def value_of(value: Any) -> Any:
        if value is None or (is_csv and value == ""):
            return _null(column)
        return read(iso(value, kind) if is_written_otherwise else value, kind)

    return value_of


def _null(column: Column) -> Any:
    if column.required:
        raise InvalidValue("missing", "the column is REQUIRED, and the value is empty")
    return [] if column.type.element is not None else None


def _digest(text: str, columns: Sequence[Column]) -> str:
    shape = [(column.name, str(column.type), column.mode) for column in columns]
    return hashlib.sha256(f"{shape}\n{text}".encode()).hexdigest()[:32]
