"""What a refresh did, in JSON's types: a row for each table, and one for each check.

Prefect's artifacts have these rows, and so has what `refresh build --json` prints.
"""

from collections.abc import Collection, Iterable
from typing import Any

from warehouse_refresh.pipeline.outcomes import CheckResult, Verdict
from warehouse_refresh.pipeline.running.execution import TableRun
from warehouse_refresh.pipeline.settings import cost


def document(
    runs: Collection[TableRun],
    source_checks: Iterable[CheckResult],
    message: str,
    price_per_tib: float,
    *,
    succeeded: bool,
) -> dict[str, Any]:
    """What a refresh did: whether every table was built and published, the summary, its tables and their checks."""
    return {
        "succeeded": succeeded,
        "message": message,
        "tables": table_rows(runs, price_per_tib),
        "checks": check_rows(runs, source_checks),
    }


def table_rows(runs: Iterable[TableRun], price_per_tib: float) -> list[dict[str, Any]]:
    """One row for each table. `cost` is in USD, at the price of a TiB (2**40 bytes) billed."""
    return [_row(run, price_per_tib) for run in runs]


def check_rows(runs: Iterable[TableRun], source_checks: Iterable[CheckResult] = ()) -> list[dict[str, Any]]:
    """One row for each check of the runs' tables and of their sources, those that failed first, with up to five of the
    rows that break it, and the command that shows all if they are published."""
    order = [Verdict.FAILED, Verdict.WARNING, Verdict.PASSED]
    of_sources = [(check.about, check, True) for check in source_checks]
    of_tables = [(str(run.table), check, check.verdict is Verdict.WARNING) for run in runs for check in run.checks]
    found = sorted([*of_sources, *of_tables], key=lambda one: (order.index(one[1].verdict), one[0]))
    return [_check_row(*one) for one in found]


def _check_row(table: str, check: CheckResult, is_published: bool) -> dict[str, Any]:
    return {
        "table": table,
        "check": check.name,
        "result": check.verdict.value,
        "broken": check.broken,
        "rows": check.rows,
        "found": check.message,
        "examples": "\n".join(check.examples) or None,
        "see": check.command if check.query and check.broken and is_published else None,
    }


def _row(run: TableRun, price_per_tib: float) -> dict[str, Any]:
    built = run.built
    billed = built.bytes_billed if built else None
    return {
        "table": str(run.table),
        "state": run.state.value,
        "rows": built.rows if built else None,
        "partitions": built.partitions if built else None,
        "bytes": built.bytes_processed if built else None,
        "cost": round(cost(billed, price_per_tib), 6) if billed is not None else None,
        "seconds": round(built.seconds, 3) if built else None,
        "checks": run.checks_text or None,
        "job": built.job_link if built else None,
        "failure": run.failure.value if run.failure else None,
        "error": run.reason or None,
    }
