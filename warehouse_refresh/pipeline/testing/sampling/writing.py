"""Write a test with given rows into the file beside a script; `recording.py` then adds what comes."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import ConvertError

from warehouse_refresh.pipeline.project.files import read_text
from warehouse_refresh.pipeline.project.problems import Problem, Refused
from warehouse_refresh.pipeline.tables.files import TESTS
from warehouse_refresh.pipeline.testing.literals import toml_text, toml_value
from warehouse_refresh.warehouse import Given
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.types import Column

_NAME = "a sample"


def add_test(script: Path, given: Mapping[TableName, Given], *, needs_now: bool) -> tuple[Path, str]:
    """Add a test at the end of the file of the script's tests, and answer that file and the test's name. Raises Refused
    for a value that TOML cannot say."""
    path = script.with_name(f"{script.stem}{TESTS}")
    old = read_text(path) if path.exists() else ""
    taken = set(tomlkit.parse(old))
    name = next(name for number in range(1, len(taken) + 2) if (name := _numbered(number)) not in taken)
    try:
        rows = [_of_table(table, rows) for table, rows in given.items()]
    except ConvertError as error:
        hint = "leave it out of the sample: write the test by hand, as a folder with files of rows"
        raise Refused([Problem(path, None, "TOML cannot say JSON's null, which a row holds", hint)]) from error
    moment = f"now = {datetime.now(UTC).replace(microsecond=0).isoformat().replace('+00:00', 'Z')}\n"
    test = f"[{tomlkit.key(name).as_string()}]\n{moment if needs_now else ''}{''.join(rows)}"
    path.write_text(f"{old.rstrip()}\n\n{test}" if old.strip() else test, encoding="utf-8")
    return path, name


def _numbered(number: int) -> str:
    return _NAME if number == 1 else f"{_NAME} ({number})"


def _of_table(table: TableName, given: Given) -> str:
    rows = "".join(f"  {toml_text(_row(row, given.columns))},\n" for row in given.rows)
    return f"given.{tomlkit.key(str(table)).as_string()} = [\n{rows}]\n"


def _row(row: Mapping[str, Any], columns: tuple[Column, ...]) -> dict[str, Any]:
    values = ((column, row.get(column.name)) for column in columns)
    return {column.name: toml_value(value, column.type) for column, value in values if value not in (None, [])}
