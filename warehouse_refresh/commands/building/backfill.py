"""`refresh backfill`: partitions of tables by date, and all that is built from them."""

import uuid
from argparse import Namespace
from contextlib import nullcontext
from datetime import UTC, datetime

from warehouse_refresh.commands.project.plan import human_dollars
from warehouse_refresh.commands.terminal.output import as_json, exit_code, say_for, shown
from warehouse_refresh.commands.terminal.question import ask
from warehouse_refresh.commands.variables import settings_of
from warehouse_refresh.pipeline.outcomes import Publishing
from warehouse_refresh.pipeline.project.reading import sql_cache
from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.pipeline.refresh import RefreshPlan, plan_refresh, start_refresh
from warehouse_refresh.pipeline.running.execution import Execution, ignore, run_here
from warehouse_refresh.pipeline.settings import RefreshSettings, cost, human_bytes
from warehouse_refresh.pipeline.tables.partitions.asked import Asked, moment_of, span_of
from warehouse_refresh.pipeline.tables.partitions.backfill import backfill_of, need_by_date
from warehouse_refresh.warehouse import BuildContext, connect
from warehouse_refresh.warehouse.names import TableName


def run(options: Namespace) -> int:
    """Say what is built, ask if it has a price, build it, and answer the exit code.

    Nobody is asked with `--yes`. Raises SelectionError for a table that is not built by date, NotConfirmed, and what
    `refresh build` raises.
    """
    settings, say = settings_of(options), say_for(options)
    asked = Asked(span=span_of(options.first, options.last), again=_again(options.again))
    selectors = options.tables if options.only else [f"{table}+" for table in options.tables]
    with sql_cache(settings.folder) as cache, connect(settings.warehouse_url, cache) as warehouse:
        plan = plan_refresh(settings, selectors, warehouse, cache, asked)
    need_by_date(plan, options.tables)
    for name in options.tables:
        _need_partitions(plan, name, f"from {options.first} to {options.last}")
    for table, due in plan.due.items():
        say("\n  ".join([str(table), *due.lines()]))
    if asked.again:
        say(f"if this is interrupted, go on with --again {asked.again.isoformat()}")
    if plan.bytes_processed and not options.yes:
        _ask(plan.bytes_processed, settings)
    with start_refresh(settings, selectors, "`refresh backfill`", say, asked=asked) as refresh:
        work = backfill_of(refresh, BuildContext(run=uuid.uuid4().hex, keep_previous=settings.keep_previous))
        with nullcontext(ignore) if options.json else shown(refresh.plan.graph) as report:
            execution = Execution(
                refresh.plan.graph, work, report, Publishing.EACH, refresh.plan.owners, refresh.source_checks
            )
            run_here(refresh.plan.graph, execution, settings.workers, refresh.expected)
    runs, message = execution.runs.values(), execution.summary()
    checks, succeeded = execution.source_checks, execution.succeeded
    print(as_json(runs, checks, message, settings, succeeded=succeeded) if options.json else message)
    return exit_code(runs, succeeded=succeeded)


def _need_partitions(plan: RefreshPlan, name: str, span: str) -> None:
    """Raises SelectionError if the table has no partitions in the span."""
    if not plan.due[TableName.parse(name)].count:
        raise SelectionError(f"{name} has no partitions {span}: it has those from its `start` up to now")


def _again(text: str | None) -> datetime | None:
    """Before when a partition must have been built to be built again; "" is now. Raises SettingError."""
    if text == "":
        return datetime.now(UTC)
    return None if text is None else moment_of(text)


def _ask(bytes_processed: int, settings: RefreshSettings) -> None:
    """Ask whether it may read so much. Raises NotConfirmed."""
    price = human_dollars(cost(bytes_processed, settings.price_per_tib))
    reads = f"this reads up to {human_bytes(bytes_processed)}, {price}"
    ask(reads, f"nothing was changed. {reads}; to do it, say `refresh backfill --yes`")
