"""Checks of one's own: `res/checks/orphans.sql` is a query that returns the rows that are wrong.

It belongs to the tables that it reads. A file beside it, `orphans.toml`, may say more:

    description = "Every item belongs to a variant."
    severity = "warning"
    at_most = 5
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from warehouse_refresh.pipeline.checks.declared import Rows
from warehouse_refresh.pipeline.checks.queries import MOST_EXAMPLES, quoted
from warehouse_refresh.pipeline.checks.results import and_examples, examples_text, verdict
from warehouse_refresh.pipeline.outcomes import CheckResult
from warehouse_refresh.pipeline.project.files import is_sql, listed, read_text
from warehouse_refresh.pipeline.project.problems import Problem, Refused, Severity, counted, sql_problem
from warehouse_refresh.pipeline.project.scripts import CHECKS, FunctionScript, Script
from warehouse_refresh.pipeline.tables.reading import read_settings
from warehouse_refresh.warehouse import Answer, TableBuild
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.definition import parse_definition
from warehouse_refresh.warehouse.sql.query import Query, parse_query
from warehouse_refresh.warehouse.types import Column


class OwnSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file beside a check says. `at_most` is how many rows may be wrong."""

    description: str = ""
    severity: Severity = Severity.ERROR
    at_most: Annotated[Rows, Meta(description="how many rows may be wrong")] = 0


@dataclass(frozen=True, slots=True)
class OwnCheck:
    """A check in a file. Its script builds nothing: the table has the name of the file, in a dataset `checks` that is
    none."""

    script: Script
    says: OwnSettings

    @property
    def name(self) -> str:
        """`checks/orphans`."""
        return f"{CHECKS}/{self.script.table.name}"


def read_own_checks(
    folder: Path,
    project: str,
    default: str,
    functions: Mapping[TableName, FunctionScript],
    cache: SqlCache | None = None,
) -> tuple[dict[TableName, OwnCheck], list[Problem]]:
    """The checks in `folder`, and what is wrong with their files. `project` and `functions` are the scripts', and
    `default` is the dataset of tables that a check names without one ("": none)."""
    found: dict[TableName, OwnCheck] = {}
    problems: list[Problem] = []
    called = {name: one.function for name, one in functions.items()}
    paths = listed(folder)
    for path in paths:
        table = TableName(CHECKS, path.stem)
        try:
            if is_sql(path.name):
                query = _query(read_text(path), cache).with_default(default).within(project).calling(called)
                found[table] = OwnCheck(Script(path, TableBuild(table, query)), OwnSettings())
        except SqlError as error:
            problems.append(sql_problem(path, error))
    scripts = {path.stem for path in paths if is_sql(path.name)}
    for path in paths:
        table = TableName(CHECKS, path.stem)
        if path.suffix == ".toml" and table in found:
            try:
                found[table] = replace(found[table], says=read_settings(path, OwnSettings, cache))
            except Refused as refused:
                problems += refused.problems
        elif path.suffix == ".toml" and path.stem not in scripts:
            reason = f"these are settings of a check, and there is no {path.stem}.sql beside them"
            problems.append(Problem(path, None, reason, "write it, or delete this file"))
    return found, problems


def _query(text: str, cache: SqlCache | None) -> Query:
    """Raises SqlError, also for a script that creates something."""
    definition = parse_definition(text, cache)
    if definition.name:
        hint = "write the SELECT alone; it returns the rows that are wrong"
        raise SqlError("a check creates nothing", hint=hint, place=definition.place)
    return parse_query(definition.query_text, cache, definition.preamble)


def counting(query: Query, columns: Sequence[Column]) -> Query:
    """A query for one row: how many rows the `query` has, as `broken`, and up to MOST_EXAMPLES of them, as `examples`.
    `columns` are those of the query."""
    shown = ", ".join(f"it.{quoted(column.name)} AS {quoted(column.name)}" for column in columns)
    before = f"SELECT COUNT(*) AS broken, ARRAY_AGG(STRUCT({shown}) LIMIT {MOST_EXAMPLES}) AS examples FROM (\n"
    after = "\n) AS it"
    # The preamble has a blank for each character of the query.
    preamble = query.preamble and f"{' ' * (len(before) - 1)}\n{query.preamble}\n{' ' * (len(after) - 1)}"
    return replace(query, text=before + query.text + after, preamble=preamble)


def read_own_answer(
    check: OwnCheck, path: str, tables: tuple[TableName, ...], columns: Sequence[Column], answer: Answer
) -> CheckResult:
    """The result of a check, from the answer to its `counting` query; `path` is its file, from the project's folder
    on."""
    [(broken, rows)] = answer.rows
    examples = examples_text(rows or (), [column.name for column in columns])
    what = f" ({check.says.description.rstrip('.')})" if check.says.description else ""
    found = f"{path}{what} finds {counted(broken, 'row')}"
    allowed = f" (at most {check.says.at_most:,} may)" if check.says.at_most else ""
    result = verdict(check.says.severity, passed=broken <= check.says.at_most)
    message = f"{found}{allowed}{and_examples(broken, examples)}"
    return CheckResult(check.name, result, message, broken, None, examples, check.script.query.text.strip(), tables)
