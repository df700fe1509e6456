"""Rows for people, as CSV, and as JSON."""

import csv
import json
import sys
from argparse import Namespace
from typing import Any

from warehouse_refresh.warehouse import Answer
from warehouse_refresh.warehouse.values.plain import plain

SHOWN = 20
"""How many rows people get, if they do not say."""


def print_answer(answer: Answer, title: str, options: Namespace) -> None:
    """Print the rows as the options `csv` and `json` say, else as a table as wide as the terminal."""
    if options.json:
        print(json.dumps([dict(zip(names_of(answer), row, strict=True)) for row in _values(answer)], indent=2))
    elif options.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names_of(answer))
        writer.writerows([_csv_text(value) for value in row] for row in _values(answer))
    else:
        _print_table(answer, title, options.limit or SHOWN)


def names_of(answer: Answer) -> list[str]:
    """The columns' names; a column without one gets BigQuery's, such as `f0_`."""
    return [column.name or f"f{number}_" for number, column in enumerate(answer.columns)]


def _values(answer: Answer) -> list[list[Any]]:
    kinds = [column.type for column in answer.columns]
    return [[plain(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in answer.rows]


def _csv_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _print_table(answer: Answer, title: str, limit: int) -> None:
    from rich.console import Console

    from warehouse_refresh.commands.terminal.view import rows_table

    console = Console()
    console.print(rows_table(title, names_of(answer), list(answer.rows[:limit]), console.width))
    if len(answer.rows) > limit:
        print(f"the first {limit} rows; --limit shows more")
