"""Rows as people write them in tests, read strictly by the types of the table's columns."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any

from warehouse_refresh.pipeline.project.files import read_text
from warehouse_refresh.pipeline.project.problems import Problem, Refused, sql_problem
from warehouse_refresh.pipeline.project.toml_places import place_in
from warehouse_refresh.warehouse import Row
from warehouse_refresh.warehouse.errors import Place, SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import Column, SqlType
from warehouse_refresh.warehouse.values.csv_text import CsvText, InvalidCsv, lines_of
from warehouse_refresh.warehouse.values.invalid import InvalidValue
from warehouse_refresh.warehouse.values.json_text import Object, parse_json
from warehouse_refresh.warehouse.values.reading import from_json, from_text

ENDINGS = (".csv", ".ndjson")


@dataclass(frozen=True)
class Written:
    """Rows as they stand in a file: their columns' names, in the order of the file, and for each row its values by
    name. `read` makes a value of a type of one; `place` says where the value of a row and a column stands."""

    path: Path
    names: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    read: Callable[[Any, SqlType], Any]
    place: Callable[[int, str], Place | None]


def rows_in_toml(path: Path, keys: tuple[str | int, ...], rows: Iterable[Mapping[str, Any]]) -> Written:
    """The rows in a TOML file, under these keys."""
    read = [parse_json(json.dumps(plain(row))) for row in rows]
    names = list(dict.fromkeys(name for row in read for name in row))

    def place(row: int, name: str) -> Place:
        return place_in(read_text(path).replace("\r\n", "\n"), (*keys, row, name))

    return Written(path, names, read, from_json, place)


def rows_in_file(path: Path) -> Written:
    """The rows in a CSV or NDJSON file. Raises Refused."""
    try:
        text = read_text(path)
        return _csv(path, text) if path.suffix == ".csv" else _ndjson(path, text)
    except SqlError as error:
        raise Refused([sql_problem(path, error)]) from error
    except InvalidCsv as error:
        raise Refused([Problem(path, error.place, f"this is not CSV: {error.detail}")]) from error


def typed_rows(written: Written, columns: Sequence[Column], of: TableName, problems: list[Problem]) -> tuple[Row, ...]:
    """The rows with values of the columns' types; adds what is wrong to `problems`. A column left out is NULL."""
    known = {column.name: column for column in columns}
    unknown = [name for name in written.names if name not in known]
    for name in unknown:
        row = next((index for index, row in enumerate(written.rows) if name in row), 0)
        hint = did_you_mean(name, known) or f"it has {', '.join(known)}"
        problems.append(Problem(written.path, written.place(row, name), f"{of} has no column {name}", hint))
    empty: dict[str, Any] = {column.name: [] if column.type.element else None for column in columns}
    return tuple(
        {**empty, **dict(_values(written, number, row, known, problems))} for number, row in enumerate(written.rows)
    )


def _values(
    written: Written, number: int, row: Mapping[str, Any], known: Mapping[str, Column], problems: list[Problem]
) -> Iterable[tuple[str, Any]]:
    for name, value in row.items():
        if name in known and value is not None:
            try:
                yield name, written.read(value, known[name].type)
            except InvalidValue as error:
                place = written.place(number, name)
                problems.append(Problem(written.path, place, f"{name} is {known[name].type}: {error.detail}"))


def plain(value: object) -> object:
    """A TOML value as JSON has it."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return value if value - value == 0 else str(value).replace("inf", "Infinity").replace("nan", "NaN")
    return value.isoformat() if isinstance(value, date | time) else value


def _csv(path: Path, text: str) -> Written:
    csv = CsvText(text)
    records = [record for record in csv.records() if not record.blank]
    names = records[0].values if records else []
    for record in records[1:]:
        if len(record.values) != len(names):
            reason = f"this line has {len(record.values)} values, and the first one {len(names)} names"
            raise SqlError(reason, place=Place(record.line, 1))

    def place(row: int, name: str) -> Place:
        record = records[row + 1] if name in names and len(records) > row + 1 else records[0]
        return csv.place(record, names.index(name))

    rows = [{name: value or None for name, value in zip(names, record.values, strict=True)} for record in records[1:]]
    return Written(path, names, rows, from_text, place)


def _ndjson(path: Path, text: str) -> Written:
    lines = list(lines_of(text))
    rows = []
    for line in lines:
        try:
            found = parse_json(line.text)
        except InvalidValue as error:
            raise SqlError(f"this is not JSON: {error.detail}", place=Place(line.number, 1)) from error
        if not isinstance(found, Object):
            raise SqlError("this line is no object", hint='write {"id": 1}', place=Place(line.number, 1))
        rows.append(found)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return Written(path, names, rows, from_json, lambda row, _: Place(lines[row].number, 1))
