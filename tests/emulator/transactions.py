"""Multi-statement transactions as BigQuery has them; runs in the emulator's own virtual environment.

The emulator runs a script as one piece, by copies of tables: it takes no query parameters there, and two scripts never
meet. Here each script is a transaction of DuckDB's on a cursor of its own, and others run between its statements. So
DuckDB gives what BigQuery promises (https://cloud.google.com/bigquery/docs/transactions): a transaction reads a
snapshot, two that UPDATE one row cannot both be committed, two that only INSERT can. Narrower than the service:
BigQuery lets no two transactions update rows of one table, DuckDB lets them update different rows.

Only what this project sends: DECLARE without a default, SET of one ARRAY of STRUCTs of STRINGs, BEGIN, DML, COMMIT
and a last SELECT. Without BEGIN TRANSACTION a text is not a script here.
"""

import asyncio
import copy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from bqemulator.api.routes import jobs as routes
from bqemulator.domain.errors import DomainError
from bqemulator.jobs.executor import JOB_RESULTS
from bqemulator.scripting.ast import DeclareStmt, SetStmt
from bqemulator.scripting.parser import parse_script


class Aborted(Exception):
    """Another transaction has changed a row that this one changes."""


@dataclass
class Script:
    """A script of one project under way: `parameters` are the request's and the variables', `context` is the
    emulator's with a cursor of the script's own."""

    project: str
    job_id: str
    parameters: list[dict[str, Any]]
    context: Any

    async def step(self, statement: Any) -> None:
        """Run one statement."""
        if isinstance(statement, DeclareStmt):
            return
        if isinstance(statement, SetStmt):
            table = await self._execute(f"SELECT {statement.source_expr} AS value")
            self.parameters.append(array_parameter(statement.targets[0], table.to_pylist()[0]["value"] or []))
            return
        control = re.fullmatch(r"(BEGIN|COMMIT|ROLLBACK) TRANSACTION", statement.sql.strip())
        if control:
            self.context.engine.execute(control[1])
        else:
            await self._execute(statement.sql)

    async def _execute(self, sql: str) -> Any:
        for name in (parameter["name"] for parameter in self.parameters):
            sql = re.sub(rf"UNNEST\({name}\)", f"UNNEST(@{name})", sql)
        used = [parameter for parameter in self.parameters if f"@{parameter['name']}" in sql]
        await routes.execute_query_job(self.project, self.job_id, sql, used, self.context)
        return JOB_RESULTS[self.job_id]


def is_transaction(text: str) -> bool:
    """Whether the text is run by `run_transaction`."""
    return "BEGIN TRANSACTION" in text


async def run_transaction(
    project: str, job_id: str, text: str, parameters: list[dict[str, Any]], context: Any, seconds: float
) -> None:
    """Carry the script out, all or nothing, in about so many seconds, the emulator's own work included. Raises Aborted
    on a conflict."""
    clock = asyncio.get_running_loop().time
    began, statements = clock(), parse_script(text).statements
    with _own_cursor(context) as own, _conflicts():
        script = Script(project, job_id, list(parameters), own)
        for number, statement in enumerate(statements, 1):
            await asyncio.sleep(began + seconds * number / len(statements) - clock())
            await script.step(statement)


@contextmanager
def _own_cursor(context: Any) -> Iterator[Any]:
    """The context with a cursor of its own, whose open transaction is rolled back at the end."""
    engine = copy.copy(context.engine)
    engine._connection = context.engine.connection.cursor()
    engine._connection.execute("SET TimeZone = 'UTC'")
    try:
        yield replace(context, engine=engine)
    finally:
        engine._connection.close()


@contextmanager
def _conflicts() -> Iterator[None]:
    try:
        yield
    except DomainError as error:
        if "onflict" in error.message:
            raise Aborted(error.message) from error
        raise
    except Exception as error:
        if "onflict" in str(error):
            raise Aborted(str(error)) from error
        raise


def array_parameter(name: str, rows: list[dict[str, str]]) -> dict[str, Any]:
    """A variable as the query parameter of the same value."""
    fields = [{"name": field, "type": {"type": "STRING"}} for field in ("f0", "f1")]
    values = [{"structValues": {field: {"value": value} for field, value in row.items()}} for row in rows]
    return {
        "name": name,
        "parameterType": {"type": "ARRAY", "arrayType": {"type": "STRUCT", "structTypes": fields}},
        "parameterValue": {"arrayValues": values},
    }
