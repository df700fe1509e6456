"""Writes docs/googlesql.md from shapes.txt, and known.txt: `python -m tests.warehouse.googlesql.page`.

What is refused and what is rejected is told by the translation alone; that the rest has GoogleSQL's answer is what
test_shapes.py holds.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.warehouse.googlesql.compare import asked
from tests.warehouse.googlesql.known import key_of, known, said_of, write
from tests.warehouse.googlesql.oracle import Oracle
from tests.warehouse.googlesql.shapes import Shape, by_topic, shapes
from tests.warehouse.googlesql.tables import TABLE_COLUMNS, TABLES
from warehouse_refresh.warehouse import Planner, offline_planner
from warehouse_refresh.warehouse.errors import OnlyBigQuery, SqlError, UnsupportedSql
from warehouse_refresh.warehouse.sql.query import parse_query

PAGE = Path(__file__).parents[3] / "docs" / "googlesql.md"
HEAD = """# GoogleSQL on the embedded engine

<!-- Written by `python -m tests.warehouse.googlesql.page` from tests/warehouse/googlesql/shapes.txt: do not edit. -->

Scripts are written in GoogleSQL, BigQuery's dialect. On DuckDB, a query gives the answer that BigQuery would give, or
it is refused before it runs, with the reason, the line, and what to write instead. A few refusals need the data (a
letter whose capital is two letters): those come while the query runs.

A plan binds the translated query: DuckDB checks it over empty tables with the columns that the scripts before it make,
and compares the result's columns. A translation that DuckDB does not take is refused as a bug of this tool.
The promise may not be kept everywhere yet. We asked two thousand queries that were written without a look at these
tests. Of the first thousand three broke it: `JOIN … USING` in a pipe lost columns, a JOIN by OFFSET was called wrong,
and a RENAME that GoogleSQL rejects was answered. These kinds are fixed. Of the second thousand none broke it, and nine
were refused. An early version broke the promise for 200 of 7,223 queries that others had written.

The tests ask each of the {count} query shapes below of DuckDB and of Google's own reference engine, over tables with
NULLs, extremes and odd text, and compare columns, types, values and order. What is not known to be equal is refused.

A refusal is one of three, and says which:

- **wrong**: BigQuery does not accept it either. The message says what is wrong (`there is no column nmae`).
- **only BigQuery**: valid, but nothing else can answer it. The message starts with `only BigQuery has`, and says what
  to write instead.
- **not yet**: valid, and missing here so far. The message says `the embedded engine does not know … yet`, and where
  there is one, what to write instead. A text that the parser cannot read, and that is not certainly wrong, is of this
  kind too: its syntax error ends with `If BigQuery takes it, this tool cannot read it yet`.

On BigQuery the first kind stops a script, and so does a text that the parser cannot read: its tables are not known.

| topic | same answer | not yet | only BigQuery | wrong |
| --- | --- | --- | --- | --- |
{rows}

What is stored follows BigQuery too: a NULL array is stored as an empty one, an array with a NULL element is an error,
every column needs a name, and two names that differ only by case are an error.

Where the reference engine and BigQuery's documentation differ, the documentation counts, since scripts run on BigQuery:

- An array that a function generates has at most 1,048,575 elements; the reference engine stops at 16,000.
- CONCAT, `||`, REPLACE, STRING_AGG and ARRAY_TO_STRING may make texts of more than 1 MB, which the reference engine
  does not; REPEAT, LPAD and RPAD may not in either.
- PARSE_DATE and its kin take %F, %T and %k, as on BigQuery.
- A SUM of FLOAT64 may differ in its last digits. On BigQuery, too, they depend on the order in which rows are added.
- PERCENTILE_CONT between two values may differ in its last digit.
- STDDEV, VARIANCE, CORR and COVAR of numbers that are very large, or very different in size, may differ from the
  eighth digit on. A covariance that is nearly 0 may be another small number.
- ARRAY_FILTER, ARRAY_TRANSFORM, ARRAY_INCLUDES and their kin, and UNNEST of several arrays, are GoogleSQL's and are
  answered here. BigQuery's documentation does not name them, so a script that runs there may not use them.
- A STRING parameter is read as a date or a time beside a parameter of such a type, as beside a column. The reference
  engine rejects two parameters of these types.
- An ARRAY<STRING> parameter is not read as an ARRAY<DATE>, nor a STRING parameter as a date by EXTRACT: write CAST.
- Of equal values that look different (0.0 and -0.0, 24 hours and a day), MAX, MIN, ANY_VALUE and UNION DISTINCT may
  give another one. On BigQuery, too, it depends on the order of rows.
- BigQuery does not promise which operands of AND, OR, IN, LIKE ANY and BETWEEN it computes: an error in one that does
  not decide (`x = 1 OR ERROR('…')`) is raised by the reference engine, and here not always.

## What is refused

{refused}
"""


KINDS = ("same", "not yet", "only BigQuery", "wrong")
ALL = "**all**"
TABLE_HEAD = ("| written | kind | told |", "| --- | --- | --- |")


def kind_of(shape: Shape, planner: Planner) -> tuple[str, str]:
    """What becomes of a shape, by the translation alone (one of KINDS), and why."""
    try:
        planner.plan(parse_query(shape.sql), TABLE_COLUMNS).confirm()
    except OnlyBigQuery as error:
        return "only BigQuery", str(error)
    except UnsupportedSql as error:
        return "not yet", str(error)
    except SqlError as error:
        return "wrong", str(error)
    return "same", ""


@dataclass(frozen=True, slots=True)
class Topic:
    """What the page says of a topic: how many of its shapes are of each of KINDS, and the lines of those refused."""

    counts: tuple[int, ...]
    refused: tuple[str, ...]


def topic_of(told: Iterable[tuple[Shape, tuple[str, str]]]) -> Topic:
    """What the page says of the shapes, with the kind of each, and why."""
    found = list(told)
    counts = Counter(kind for _, (kind, _) in found)
    refused = [
        f"| `{_cell(shape.text)}` | {kind} | {_cell(why)} |"
        for shape, (kind, why) in found
        if kind in ("not yet", "only BigQuery")
    ]
    return Topic(tuple(counts[kind] for kind in KINDS), tuple(refused))


def topics() -> dict[str, Topic]:
    """All that the page says, by topic."""
    planner = offline_planner()  # one for all: each has a DuckDB of its own
    return {topic: topic_of((shape, kind_of(shape, planner)) for shape in found) for topic, found in by_topic().items()}


def page(found: Mapping[str, Topic]) -> str:
    """The page that says this."""
    total = tuple(map(sum, zip(*(topic.counts for topic in found.values()), strict=True)))
    counts = {name: topic.counts for name, topic in found.items()} | {ALL: total}
    rows = [f"| {name} | {' | '.join(map(str, each))} |" for name, each in counts.items()]
    parts = [
        "\n".join([f"### {name}", "", *TABLE_HEAD, *topic.refused]) for name, topic in found.items() if topic.refused
    ]
    return HEAD.format(count=sum(total), rows="\n".join(rows), refused="\n\n".join(parts))


def written() -> dict[str, Topic]:
    """What the page says now."""
    head, _, refused = PAGE.read_text(encoding="utf-8").partition("## What is refused")
    rows = re.findall(r"^\| ([^|*]+) \| (\d+(?: \| \d+)*) \|$", head, re.MULTILINE)
    parts = (part.strip().split("\n") for part in refused.split("\n### ")[1:])
    lines = {name: tuple(found[1 + len(TABLE_HEAD) :]) for name, *found in parts}
    return {name: Topic(tuple(map(int, counts.split(" | "))), lines.get(name, ())) for name, counts in rows}


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("`", "'").split())


def ask_what_is_new() -> None:
    """Ask Google's engine of the shapes that known.txt does not name, and forget what is no shape any more."""
    oracle = Oracle()
    oracle.load(TABLES)
    before = known()
    write({key_of(shape): before.get(key_of(shape)) or said_of(shape, asked(shape.sql, oracle)) for shape in shapes()})


if __name__ == "__main__":
    PAGE.write_text(page(topics()), encoding="utf-8")
    ask_what_is_new()
