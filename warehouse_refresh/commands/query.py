"""`refresh query "SELECT …"`: the answer to a query in GoogleSQL. Nothing is changed."""

import sys
from argparse import Namespace
from pathlib import Path

from warehouse_refresh.commands.project.plan import human_dollars
from warehouse_refresh.commands.terminal.answer import SHOWN, print_answer
from warehouse_refresh.commands.variables import settings_of
from warehouse_refresh.pipeline.project.problems import Problem, Refused
from warehouse_refresh.pipeline.project.reading import project_in
from warehouse_refresh.pipeline.project.variables import unknown_in
from warehouse_refresh.pipeline.settings import cost, human_bytes
from warehouse_refresh.warehouse import connect
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.sql.definition import parse_definition
from warehouse_refresh.warehouse.sql.query import Query, parse_query
from warehouse_refresh.warehouse.urls import project_of

NAME = Path("query")


def run(options: Namespace) -> int:
    """Print the answer; on BigQuery first, on standard error, the bytes that the query reads. Answers the exit code.
    Raises Refused for wrong SQL, WarehouseError."""
    settings = settings_of(options)
    text = sys.stdin.read() if options.sql == "-" else options.sql
    start = None
    try:
        query = _query(text).with_default(settings.layout.default_of(""))
        query = query.within(project_of(settings.warehouse_url)).given(settings.variables)
        start = query.start
        if query.calls:
            query = query.calling({name: one.function for name, one in project_in(settings).functions.items()})
        for unknown in unknown_in(query, settings.variables):
            raise unknown
        with connect(settings.warehouse_url) as warehouse:
            plan = warehouse.plan(query, {})
            if plan.bytes_processed is not None:
                price = human_dollars(cost(plan.bytes_processed, settings.price_per_tib))
                print(f"reads {human_bytes(plan.bytes_processed)}, {price}", file=sys.stderr)
            answer = warehouse.fetch(query, options.limit or (None if options.csv or options.json else SHOWN + 1))
    except SqlError as error:
        raise Refused([Problem(NAME, error.place or start, error.reason, error.hint, text=text)]) from error
    print_answer(answer, "", options)
    return 0


def _query(text: str) -> Query:
    definition = parse_definition(text)
    if definition.name:
        raise SqlError("nothing is created here", hint="write the SELECT alone", place=definition.place)
    return parse_query(definition.query_text, preamble=definition.preamble)
