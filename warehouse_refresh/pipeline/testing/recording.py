"""Write what came of tests as what they expect, for review: in the files of the tests, whose comments stay."""

import csv
import io
import tomllib
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import msgspec
import tomlkit
from tomlkit.exceptions import ConvertError, TOMLKitError
from tomlkit.items import Array, Date, InlineTable

from warehouse_refresh.pipeline.project.files import read_text
from warehouse_refresh.pipeline.project.problems import Problem, Refused
from warehouse_refresh.pipeline.tables.files import TESTS
from warehouse_refresh.pipeline.testing.comparing import Difference, Values, differences
from warehouse_refresh.pipeline.testing.files import EXPECTED, KEYS
from warehouse_refresh.pipeline.testing.literals import toml_text, toml_value
from warehouse_refresh.pipeline.testing.rows import Written, rows_in_file, rows_in_toml, typed_rows
from warehouse_refresh.pipeline.testing.running import Result
from warehouse_refresh.warehouse.types import Column
from warehouse_refresh.warehouse.values.reading import to_json

_UNWRITABLE = "the rows that came cannot be written here"
_NO_NULL = "TOML cannot say JSON's null, nor numbers of any length"


def can_be_recorded(result: Result) -> bool:
    """Whether rows came of a test that expects rows, and they are not written in it."""
    return result.got is not None and (bool(result.differences) or result.case.is_new)


def record(result: Result) -> None:
    """Write the rows that came of a test in its file. Raises Refused for rows that the file cannot say."""
    folder = _folder(result.case.path)
    if folder is None or _says_expected(folder / KEYS):
        _record_in_toml(result, result.case.path)
    else:
        _record_in_folder(result, folder)


def _folder(path: Path) -> Path | None:
    """The folder of a test that is one."""
    if path.name.endswith(TESTS):
        return None
    return path if path.is_dir() else path.parent


def _says_expected(keys: Path) -> bool:
    return keys.is_file() and EXPECTED in tomllib.loads(read_text(keys))


def _record_in_toml(result: Result, path: Path) -> None:
    old = read_text(path)
    lines = old.replace("\r\n", "\n")
    keys = (result.case.name,) if path.name.endswith(TESTS) else ()
    try:
        document = tomlkit.parse(lines)
        edited = document[keys[0]] if keys else document
        _edit(edited, result)
        _pad_dates(edited[EXPECTED])
        new = _with_blanks_of(lines, tomlkit.dumps(document))
        test = tomllib.loads(new)
    except ConvertError as error:
        raise _refused(result, _UNWRITABLE, _NO_NULL) from error
    except (TOMLKitError, tomllib.TOMLDecodeError, LookupError) as error:
        raise _refused(result, f"the file cannot be edited: {error}") from error
    rows = test[keys[0]][EXPECTED] if keys else test[EXPECTED]
    _check(result, rows_in_toml(path, (*keys, EXPECTED), rows), _NO_NULL)
    path.write_bytes((new.replace("\n", "\r\n") if lines != old else new).encode())


def _with_blanks_of(old: str, new: str) -> str:
    """The new text, in which lines that differ only in blanks are as before: tomlkit drops the one after a date."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    was, now = (["".join(line.split()) for line in lines] for lines in (before, after))
    for at, its, length in SequenceMatcher(None, was, now, autojunk=False).get_matching_blocks():
        after[its : its + length] = before[at : at + length]
    return "".join(after)


def _pad_dates(item: Any) -> None:
    """Put the blank before a bracket that tomlkit drops after a date."""
    values = list(item.values()) if isinstance(item, Mapping) else item if isinstance(item, list) else []
    if isinstance(item, InlineTable) and values and isinstance(values[-1], Date):
        values[-1].trivia.trail = " "
    for value in values:
        _pad_dates(value)


def _edit(test: Any, result: Result) -> None:
    """Change the rows that differ, and leave the others as they are written."""
    rows = test.get(EXPECTED)
    if rows:
        _edit_rows(rows, result)
    else:
        test.pop(EXPECTED, None)
        test[EXPECTED] = _array(_row(values, result.columns) for values in result.got or ())
    named = {name for row in test[EXPECTED] for name in row}
    if test[EXPECTED] and "columns" not in test and len(named) < len(result.columns):
        test["columns"] = [column.name for column in result.columns]  # else those without a value are not compared


def _edit_rows(rows: Any, result: Result) -> None:
    for difference in result.differences:
        if difference.expected is not None and difference.got is not None:
            _edit_row(rows[difference.at], difference, result.columns)
    gone = [each.at for each in result.differences if each.got is None]
    for index in sorted(gone, reverse=True):
        del rows[index]
    for each in result.differences:
        if each.expected is None and each.got is not None:
            _append(rows, _row(each.got, result.columns))


def _edit_row(row: Any, difference: Difference, columns: tuple[Column, ...]) -> None:
    new = _row(difference.got or (), columns)
    for index in difference.wrong:
        name = columns[index].name
        if name in new:
            row[name] = tomlkit.value(toml_text(new[name]))
        else:
            row.pop(name, None)


def _append(rows: Any, row: Mapping[str, Any]) -> None:
    if isinstance(rows, Array):
        rows.append(tomlkit.value(toml_text(row)))
    else:  # [[test.expected]]
        table = tomlkit.table()
        for name, value in row.items():
            table[name] = tomlkit.value(toml_text(value))
        rows.append(table)


def _array(rows: Iterable[Mapping[str, Any]]) -> Array:
    lines = "".join(f"\n  {toml_text(row)}," for row in rows)
    array = tomlkit.value(f"[{lines}\n]" if lines else "[]")
    assert isinstance(array, Array)  # noqa: S101 (for mypy)
    return array


def _row(values: Values, columns: tuple[Column, ...]) -> dict[str, Any]:
    """The row as TOML has it; a column left out is NULL."""
    return {
        column.name: toml_value(value, column.type)
        for column, value in zip(columns, values, strict=True)
        if value is not None or column.type.element is not None
    }


def _record_in_folder(result: Result, folder: Path) -> None:
    """Write expected.csv where there is one and it can say the rows, else expected.ndjson."""
    old = folder / f"{EXPECTED}.csv"
    if old.exists() and not _has_empty_text(result):
        old.write_text(_csv(result), encoding="utf-8")
        _check(result, rows_in_file(old), "")
        return
    new = folder / f"{EXPECTED}.ndjson"
    new.write_text("".join(f"{line}\n" for line in _json_lines(result)), encoding="utf-8")
    _check(result, rows_in_file(new), "")
    old.unlink(missing_ok=True)


def _has_empty_text(result: Result) -> bool:
    """Whether a text is empty: in CSV it would be NULL."""
    return any(value == "" for row in result.got or () for value in row)


def _csv(result: Result) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(column.name for column in result.columns)
    for row in _as_json(result):
        writer.writerow("" if value is None else _csv_text(value) for value in row.values())
    return written.getvalue()


def _csv_text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _json_lines(result: Result) -> list[str]:
    return [msgspec.json.encode(row).decode() for row in _as_json(result)]


def _as_json(result: Result) -> list[dict[str, Any]]:
    columns = result.columns
    return [
        {column.name: to_json(value, column.type) for column, value in zip(columns, row, strict=True)}
        for row in _kept_in_order(result)
    ]


def _kept_in_order(result: Result) -> list[Values]:
    """The rows that came: where they are as expected, in the order in which they are written, so that a review shows
    only what differs."""
    changed = {each.at: each.got for each in result.differences if each.expected is not None}
    rows = result.case.expected.rows if result.case.expected else ()
    written = [tuple(row.get(column.name) for column in result.columns) for row in rows]
    kept = [changed.get(at, row) for at, row in enumerate(written)]
    return [row for row in [*kept, *(each.got for each in result.differences if each.expected is None)] if row]


def _check(result: Result, written: Written, hint: str) -> None:
    """Raise Refused if the test would not pass with the rows as they are written."""
    problems: list[Problem] = []
    case = result.case
    read = typed_rows(written, case.made[case.table], case.table, problems)
    rows = [tuple(row.get(column.name) for column in result.columns) for row in read]
    got = result.got or ()
    if problems or differences(result.columns, rows, got, case.tolerance, in_order=case.in_order):
        raise _refused(result, _UNWRITABLE, hint)


def _refused(result: Result, reason: str, hint: str = "") -> Refused:
    case = result.case
    hint = hint and f"{hint}: make the test a folder with {EXPECTED}.ndjson"
    return Refused([Problem(case.path, case.place, f"the test {case.name}: {reason}", hint)])
