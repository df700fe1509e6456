"""Run tests of scripts, each over its own rows."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

from warehouse_refresh.pipeline.project.problems import Problem, sql_problem
from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.pipeline.testing.cases import Case, Expected
from warehouse_refresh.pipeline.testing.comparing import Difference, Values, differences
from warehouse_refresh.warehouse import Answer, Given, Scratch
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.query import Query
from warehouse_refresh.warehouse.types import Column

Scripts = Mapping[TableName, Script]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a test: why it failed (empty: it passed), the rows that differ, with their columns, the answer of
    its last script (None: an error), and of that the columns that are compared."""

    case: Case
    seconds: float
    failure: str = ""
    columns: tuple[Column, ...] = ()
    differences: tuple[Difference, ...] = ()
    problem: Problem | None = None
    answer: Answer | None = None
    got: tuple[Values, ...] | None = None

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.failure


def run_cases(
    cases: Iterable[Case], scripts: Scripts, make: Callable[[], Scratch], at_once: int, cache: SqlCache | None = None
) -> Iterator[Result]:
    """The results of the tests, in their order, up to so many at once, each thread with a scratch of its own. Raises
    WarehouseError for any error but those of SQL."""
    free: SimpleQueue[Scratch] = SimpleQueue()
    made = [make() for _ in range(at_once)]
    for scratch in made:
        free.put(scratch)

    def run(case: Case) -> Result:
        scratch = free.get()
        try:
            return run_case(case, scripts, scratch, cache)
        finally:
            free.put(scratch)

    try:
        with ThreadPoolExecutor(at_once, thread_name_prefix="test") as pool:
            yield from pool.map(run, cases)
    finally:
        for scratch in made:
            scratch.close()


def run_case(case: Case, scripts: Scripts, scratch: Scratch, cache: SqlCache | None = None) -> Result:
    """The result of a test. Raises WarehouseError for any error but those of SQL."""
    started = time.monotonic()
    tables = dict(case.given)
    answer = Answer((), ())
    for table in case.scripts:
        try:
            query = query_of(case, scripts[table], cache)
            answer = scratch.answer(query, {read.table: tables[read.table] for read in query.reads})
        except SqlError as error:
            return _of_error(case, scripts[table], error, time.monotonic() - started)
        tables[table] = Given(case.made[table], _as_rows(case.made[table], answer))
    return _of_answer(case, answer, time.monotonic() - started)


def query_of(case: Case, script: Script, cache: SqlCache | None = None) -> Query:
    """The script's query with the variables and at the moment of the test. Raises SqlError."""
    query = script.query.given(case.variables)
    if case.now is None:
        return query
    from warehouse_refresh.pipeline.testing.clock import at_moment  # imports the parser

    return at_moment(query, case.now, cache)


def _as_rows(columns: tuple[Column, ...], answer: Answer) -> list[dict[str, object]]:
    names = [column.name for column in columns]
    return [dict(zip(names, row, strict=True)) for row in answer.rows]


def _of_error(case: Case, script: Script, error: SqlError, seconds: float) -> Result:
    if case.error and case.error.casefold() in error.reason.casefold():
        return Result(case, seconds)
    problem = sql_problem(script.path, error)
    failure = f"{script.table} fails: {error.reason}"
    if case.error:
        failure = f"another error was expected, with the words {case.error!r}: {failure}"
    return Result(case, seconds, failure, problem=problem)


def _of_answer(case: Case, answer: Answer, seconds: float) -> Result:
    if case.expected is None:
        failure = f"the error {case.error!r} was expected, and {case.table} gave {len(answer.rows)} rows"
        return Result(case, seconds, failure, answer=answer)
    expected = case.expected
    got = _compared(case, expected, answer)
    wanted = [tuple(row.get(column.name) for column in expected.columns) for row in expected.rows]
    found = differences(expected.columns, wanted, got, case.tolerance, in_order=case.in_order)
    failure = _said(found, len(wanted), len(got)) if found else ""
    return Result(case, seconds, failure, expected.columns, tuple(found), answer=answer, got=tuple(got))


def _compared(case: Case, expected: Expected, answer: Answer) -> list[Values]:
    """The rows that came, with the columns that are compared."""
    names = [column.name for column in case.made[case.table]]
    at = [names.index(column.name) for column in expected.columns]
    return [tuple(row[index] for index in at) for row in answer.rows]


def _said(found: list[Difference], wanted: int, got: int) -> str:
    counts = "" if wanted == got else f"; {wanted} rows were expected, and {got} came"
    return f"{len(found)} {'row differs' if len(found) == 1 else 'rows differ'}{counts}"
