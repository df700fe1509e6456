"""What no test of scripts reaches: scripts without a test, columns that none compares, branches of CASE and IF."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.pipeline.testing.branches import REACHED, Branch, branches
from warehouse_refresh.pipeline.testing.cases import Case, Columns
from warehouse_refresh.pipeline.testing.prepare import Ready
from warehouse_refresh.pipeline.testing.running import run_case
from warehouse_refresh.warehouse import Scratch
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache


@dataclass(frozen=True, slots=True)
class Covered:
    """How much of a script its tests reach. `columns` and `branches` are those that they do not reach. Of the branches
    `unknown` it cannot be told, since the script does not run with an error in them."""

    script: Script
    tests: int
    columns: tuple[str, ...]
    columns_in_all: int
    branches: tuple[Branch, ...]
    unknown: tuple[Branch, ...]
    branches_in_all: int

    @property
    def table(self) -> TableName:
        """The table of the script."""
        return self.script.table


def coverage(ready: Ready, scratch: Scratch, cache: SqlCache | None = None) -> Iterator[Covered]:
    """What the tests reach of each script that was chosen. Runs the tests of a script once for each branch."""
    for table in sorted(ready.tables):
        script = ready.project.scripts[table]
        cases = [case for case in ready.cases if table in case.scripts]
        compared = {column.name for case in cases if case.table == table for column in _compared(case)}
        names = [column.name for column in ready.checked.plans[table].columns] if table in ready.checked.plans else []
        found = branches(script.query)
        reached = {branch: _is_reached(branch, script, cases, ready, scratch, cache) for branch in found}
        yield Covered(
            script,
            len(cases),
            tuple(name for name in names if name not in compared),
            len(names),
            tuple(branch for branch, is_reached in reached.items() if is_reached is False),
            tuple(branch for branch, is_reached in reached.items() if is_reached is None),
            len(found),
        )


def _compared(case: Case) -> Columns:
    return case.expected.columns if case.expected else ()


def _is_reached(
    branch: Branch, script: Script, cases: Iterable[Case], ready: Ready, scratch: Scratch, cache: SqlCache | None
) -> bool | None:
    """Whether one of the tests fails if the branch does; None if a test fails for another reason."""
    marked = replace(script, build=replace(script.build, query=branch.query))
    scripts = {**ready.project.scripts, script.table: marked}
    is_known = True
    for case in cases:
        result = run_case(replace(case, error=REACHED, expected=None), scripts, scratch, cache)
        if result.passed:
            return True
        is_known = is_known and (result.problem is None or bool(case.error))
    return False if is_known else None
