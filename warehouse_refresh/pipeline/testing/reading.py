"""Read the tests of a project, and find all that is wrong with them, before any is run."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from warehouse_refresh.pipeline.check import Checked
from warehouse_refresh.pipeline.project.files import is_there, listed
from warehouse_refresh.pipeline.project.problems import Problem, Refused
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reads import reads_of
from warehouse_refresh.pipeline.project.scripts import dataset_folders
from warehouse_refresh.pipeline.project.variables import Variables, given_as_json
from warehouse_refresh.pipeline.raw.sources import Sources
from warehouse_refresh.pipeline.settings_file import SettingError
from warehouse_refresh.pipeline.tables.reading import read_settings
from warehouse_refresh.pipeline.testing.cases import TOLERANCE, Case, Cases, Columns, Expected, Keys, place_of
from warehouse_refresh.pipeline.testing.files import EXPECTED, KEYS, test_files
from warehouse_refresh.pipeline.testing.rows import ENDINGS, Written, plain, rows_in_file, rows_in_toml, typed_rows
from warehouse_refresh.warehouse import Given
from warehouse_refresh.warehouse.errors import Place
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.suggest import did_you_mean

Rows = tuple[dict[str, Any], ...]


class CaseKeys(Struct, frozen=True, forbid_unknown_fields=True):
    """What a file says of one test. `columns` are those to compare; without it, those that an expected row names."""

    script: str | tuple[str, ...] = ()
    given: dict[str, Rows] = {}
    expected: Rows | None = None
    error: str = ""
    columns: tuple[str, ...] = ()
    now: datetime | None = None
    variables: dict[str, Any] = {}
    in_order: bool = False
    tolerance: Annotated[float, Meta(ge=0)] = TOLERANCE


@dataclass
class _Reading:
    """Collects the tests and what is wrong with them. `tables` has the columns of all tables that are known."""

    project: Project
    tables: Mapping[TableName, Columns]
    cases: list[Case] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    not_run: set[TableName] = field(default_factory=set)
    may_expect_nothing: bool = False

    @cached_property
    def scripts(self) -> dict[str, TableName]:
        """The tables of scripts, by their names as people write them."""
        return {str(table): table for table in self.project.scripts}

    @cached_property
    def unreadable(self) -> set[str]:
        """The names of the tables whose scripts cannot be read."""
        return set(map(str, self.project.unreadable))


@dataclass(frozen=True)
class _Test:
    """A test as it is written: its name, its file, the keys under which it stands there, what they say, and the rows in
    files of their own."""

    name: str
    path: Path
    keys: Keys
    says: CaseKeys
    rows: Mapping[str, Written] = field(default_factory=dict)

    def place(self, *keys: str | int) -> Place | None:
        """Where these keys stand; None for a folder without a file for them."""
        return place_of(self.path, (*self.keys, *keys))

    def problem(self, keys: Keys, reason: str, hint: str = "") -> Problem:
        """A problem at the line of these keys."""
        return Problem(self.path, self.place(*keys), f"the test {self.name}: {reason}", hint)

    def written(self) -> dict[str, tuple[Keys, Written]]:
        """The given rows, by the table's name."""
        here = {
            name: (("given", name), rows_in_toml(self.path, (*self.keys, "given", name), rows))
            for name, rows in self.says.given.items()
        }
        return {**here, **{name: ((), rows) for name, rows in self.rows.items() if name != EXPECTED}}

    def expected(self) -> Written | None:
        """The expected rows, if there are any."""
        if self.says.expected is None:
            return self.rows.get(EXPECTED)
        return rows_in_toml(self.path, (*self.keys, EXPECTED), self.says.expected)


def read_cases(
    project: Project,
    sources: Sources,
    checked: Checked,
    cache: SqlCache | None = None,
    *,
    may_expect_nothing: bool = False,
) -> Cases:
    """All tests of the project; the types of their values are those that the check of the scripts has found. A test of
    which nothing is expected is an error, or with `may_expect_nothing` a new one, to be recorded."""
    planned = {table: plan.columns for table, plan in checked.plans.items()}
    reading = _Reading(project, {**sources.columns, **planned}, may_expect_nothing=may_expect_nothing)
    for beside, path in test_files(dataset_folders(project.folder / project.layout.res)):
        try:
            for test in _tests_in(path, cache):
                _add(reading, beside, test)
        except Refused as refused:
            reading.problems += refused.problems
    return Cases(tuple(reading.cases), tuple(reading.problems), frozenset(reading.not_run))


def names_of_tests(project: Project, cache: SqlCache | None = None) -> dict[str, list[str]]:
    """The names of the tests of each script's table. A file that is wrong has none: `refresh test` says why."""
    found: dict[str, list[str]] = {}
    for beside, path in test_files(dataset_folders(project.folder / project.layout.res)):
        with suppress(Refused):
            for test in _tests_in(path, cache):
                for table in _named_scripts(test, beside):
                    found.setdefault(table, []).append(test.name)
    return found


def _named_scripts(test: _Test, beside: TableName) -> list[str]:
    """The tables whose scripts the test runs, as it names them."""
    says = test.says.script
    return [says] if says and isinstance(says, str) else list(says) or [str(beside)]


def _tests_in(path: Path, cache: SqlCache | None) -> Iterator[_Test]:
    """The tests in a file, or the one in a folder. Raises Refused."""
    if path.is_dir():
        keys = path / KEYS
        says = read_settings(keys, CaseKeys, cache) if is_there(keys) else CaseKeys()
        files = [each for each in listed(path) if each.suffix in ENDINGS]
        others = [each for each in listed(path) if each not in files and each != keys]
        if others:
            hint = f"a test has files TABLE.csv or .ndjson, expected.csv or .ndjson, and {KEYS}"
            raise Refused([Problem(each, None, "this is no file of a test", hint) for each in others])
        yield _Test(path.name, keys if keys.exists() else path, (), says, {f.stem: rows_in_file(f) for f in files})
        return
    says_of: dict[str, CaseKeys] = read_settings(path, dict[str, CaseKeys], cache)
    for name, says in says_of.items():
        yield _Test(name, path, (name,), says)


def _add(reading: _Reading, beside: TableName, test: _Test) -> None:
    """Add the test, or what is wrong with it."""
    scripts = _scripts(reading, beside, test)
    if not scripts:
        return
    reads = {read for table in scripts for read in reads_of(reading.project.scripts[table])}
    if any(table not in reading.tables for table in {*scripts, *reads}):
        reading.not_run |= {table for table in scripts if table in reading.project.scripts}
        return
    found: list[Problem] = []
    given = _given(reading, test, scripts, reads - set(scripts), found)
    expected = _expected(reading, test, scripts[-1], found)
    variables = _variables(reading, test, scripts, found)
    reading.problems += found
    if not found:
        says = test.says
        made = {table: reading.tables[table] for table in scripts}
        now = says.now if says.now is None or says.now.tzinfo else says.now.replace(tzinfo=UTC)
        is_new = test.expected() is None and not says.error
        more = (expected, says.error, now, variables, says.in_order, says.tolerance, is_new)
        reading.cases.append(Case(test.name, test.path, test.keys, scripts, given, made, *more))


def _scripts(reading: _Reading, beside: TableName, test: _Test) -> tuple[TableName, ...]:
    """The tables whose scripts the test runs; none if it names one that is not there."""
    names = _named_scripts(test, beside)
    known, unreadable = reading.scripts, reading.unreadable
    for name in names:
        if name not in known and name not in unreadable:
            hint = did_you_mean(name, known) or 'name the script beside which it stands, or write script = "tmp.NAME"'
            reading.problems.append(test.problem(("script",), f"there is no script of {name}", hint))
    return tuple(known[name] for name in names) if all(name in known for name in names) else ()


def _given(
    reading: _Reading, test: _Test, scripts: tuple[TableName, ...], reads: set[TableName], problems: list[Problem]
) -> dict[TableName, Given]:
    """All tables that the scripts read and do not make; those of which the test says nothing are empty."""
    given = {table: Given(reading.tables[table]) for table in sorted(reads)}
    known = {str(table): table for table in given}
    for name, (keys, written) in test.written().items():
        if name not in known:
            of = " and ".join(map(str, scripts))
            made = name in map(str, scripts)
            reason = f"{name} is made by the test's own script" if made else f"{of} does not read {name}"
            hint = did_you_mean(name, known) or f"what it reads: {', '.join(known) or 'nothing'}"
            place = test.place(*keys) if keys else None
            path = test.path if keys else written.path
            problems.append(Problem(path, place, f"the test {test.name}: {reason}", hint))
        else:
            columns = reading.tables[known[name]]
            given[known[name]] = Given(columns, typed_rows(written, columns, known[name], problems))
    return given


def _expected(reading: _Reading, test: _Test, table: TableName, problems: list[Problem]) -> Expected | None:
    written = test.expected()
    is_new = reading.may_expect_nothing and written is None and not test.says.error
    if (written is None) == (not test.says.error) and not is_new:
        reason = "nothing is expected of it" if written is None else "it expects rows and an error"
        hint = 'write expected = [{ id = 1 }], or error = "…"; `refresh test --record` writes the rows that come'
        problems.append(test.problem((), reason, hint if written is None else "leave out one"))
    columns = {column.name: column for column in reading.tables[table]}
    for index, name in enumerate(test.says.columns):
        if name not in columns:
            hint = did_you_mean(name, columns) or f"it has {', '.join(columns)}"
            problems.append(test.problem(("columns", index), f"{table} has no column {name}", hint))
    if is_new:
        compared = tuple(column for name, column in columns.items() if name in (test.says.columns or columns))
        return Expected(compared, ())
    if written is None:
        return None
    rows = typed_rows(written, reading.tables[table], table, problems)
    names = {*test.says.columns} or ({*written.names} if written.rows else {*columns})
    compared = tuple(column for name, column in columns.items() if name in names)
    problems += [
        test.problem(("columns",), f"{name} is expected, and not listed here", f"add {name}")
        for name in written.names
        if name in columns and name not in names
    ]
    return Expected(compared, rows)


def _variables(reading: _Reading, test: _Test, scripts: tuple[TableName, ...], problems: list[Problem]) -> Variables:
    """The values of all variables: those of the project, and the bounds of the first partition of a table by date, but
    for what the test says."""
    from json import dumps

    from warehouse_refresh.warehouse.values.json_text import parse_json

    bounds = [variable for table in scripts for variable in reading.project.scripts[table].query.variables]
    known = {**reading.project.check.variables, **{variable.name.casefold(): variable for variable in bounds}}
    found = dict(known)
    for name, value in test.says.variables.items():
        try:
            found |= given_as_json(known, {name: parse_json(dumps(plain(value)))})
        except SettingError as error:
            problems.append(test.problem(("variables", name), str(error)))
    return found
