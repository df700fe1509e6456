"""A table by date over many rows: one full build, and a backfill of all days, in time and memory; the same by peers.

python -m benchmarks.by_date [--rows 10000000] [--days 1000] [--rounds 3] [--peers dbt sqlmesh]

The commands take turns, so that what else the machine does falls on all of them.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import duckdb

from benchmarks.commands import BIN, Command, run
from benchmarks.peers.by_date import dbt, sqlmesh

_SQL = """
SELECT DATE(seen) AS day, page, COUNT(*) AS views, COUNT(DISTINCT visitor) AS visitors
FROM `raw.events`
WHERE DATE(seen) >= @start AND DATE(seen) < @end
GROUP BY day, page
"""
_WHOLE = """
SELECT DATE(seen) AS day, page, COUNT(*) AS views, COUNT(DISTINCT visitor) AS visitors
FROM `raw.events`
GROUP BY day, page
"""
_FIRST = date(2020, 1, 1)


def project(folder: Path, rows: int, days: int) -> None:
    """A project with `tmp.days_1` and `tmp.days_31`, by date in batches of 1 and 31 days, and `tmp.whole`, which is
    not by date; and its raw events, in the order of their time."""
    (folder / "res/tmp").mkdir(parents=True)
    (folder / "res/raw").mkdir()
    (folder / "res/raw/events").touch()
    (folder / "res/dependencies.toml").touch()
    (folder / "res/tmp/whole.sql").write_text(_WHOLE)
    for batch in (1, 31):
        build = f'[build]\nby = "day"\ncolumn = "day"\nstart = "{_FIRST}"\nbatch = {batch}\n'
        (folder / f"res/tmp/days_{batch}.sql").write_text(_SQL)
        (folder / f"res/tmp/days_{batch}.toml").write_text(build)
    (folder / ".data").mkdir()
    write_events(folder / ".data/warehouse.duckdb", rows, days)


def write_events(file: Path, rows: int, days: int) -> None:
    """The raw events as a file that the DuckDB of each peer can open."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"SET TimeZone = 'UTC'; ATTACH '{file}' AS made (STORAGE_VERSION 'v1.0.0'); USE made")
        connection.execute("CREATE SCHEMA raw")
        connection.execute(
            "CREATE TABLE raw.events AS SELECT id, id % 50 AS page, (hash(id) % 5000)::BIGINT AS visitor,"
            f" TIMESTAMPTZ '{_FIRST} 00:00:00+00' + to_microseconds(id * {86_400_000_000 * days // rows})"
            f" AS seen FROM range({rows}) AS numbers(id)"
        )


def commands(folder: Path, rows: int, days: int, peers: Collection[str]) -> Iterator[Command]:
    """What is measured: each builds the same rows."""
    project(folder, rows, days)
    last = _FIRST + timedelta(days=days - 1)
    yield Command("full build, not by date", [BIN / "refresh", "build", "tmp.whole"], folder)
    for batch in (31, 1):
        words = ["backfill", f"tmp.days_{batch}", "--from", str(_FIRST), "--to", str(last), "--again"]
        yield Command(f"backfill, batch = {batch}", [BIN / "refresh", *words], folder)
    yield Command("one day again", [BIN / "refresh", *words[:3], str(last), *words[4:]], folder)
    for name, made in (("dbt", dbt), ("sqlmesh", sqlmesh)):
        if name in peers:
            write_events(folder / name / "before.duckdb", rows, days)
            whole = partial(need_all, folder / name / "warehouse.duckdb", rows)
            yield replace(made(folder / name, _FIRST, days), after=whole)


def need_all(file: Path, rows: int) -> None:
    """Raises SystemExit if a peer has not built what the table is to have."""
    with duckdb.connect(file, read_only=True) as connection:
        [(found,)] = connection.execute("SELECT sum(views) FROM tmp.days").fetchall()
    if found != rows:
        raise SystemExit(f"{file}: tmp.days has {found} of {rows} events")


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="*", choices=["dbt", "sqlmesh"], default=["dbt", "sqlmesh"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        wanted = list(commands(Path(name), options.rows, options.days, options.peers))
        rounds = [[_measured(command) for command in wanted] for _ in range(options.rounds)]
    print(f"{options.rows:,} rows, {options.days:,} days\n\n|  | wall seconds | processor seconds | MB |")
    print("| --- | --- | --- | --- |")
    for number, command in enumerate(wanted):
        wall, processor, megabytes = map(statistics.median, zip(*(taken[number] for taken in rounds), strict=True))
        print(f"| {command.name} | {wall:.2f} | {processor:.2f} | {megabytes:.0f} |")


def _measured(command: Command) -> tuple[float, float, float]:
    command.before()
    started = time.monotonic()
    used = run(command)
    seconds = time.monotonic() - started
    command.after()
    return seconds, used.processor, used.megabytes


if __name__ == "__main__":
    main()
