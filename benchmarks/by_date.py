"""A table by date over many rows: one full build, and a backfill of all days, in time and memory.

python -m benchmarks.by_date [--rows 10000000] [--days 1000] [--rounds 3]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb

from benchmarks.commands import BIN, Command, run

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
    with duckdb.connect(folder / ".data/warehouse.duckdb") as connection:
        connection.execute("SET TimeZone = 'UTC'; CREATE SCHEMA raw")
        connection.execute(
            "CREATE TABLE raw.events AS SELECT id, id % 50 AS page, hash(id) % 5000 AS visitor,"
            f" TIMESTAMPTZ '{_FIRST} 00:00:00+00' + to_microseconds(id * {86_400_000_000 * days // rows})"
            f" AS seen FROM range({rows}) AS numbers(id)"
        )


def commands(folder: Path, days: int) -> Iterator[Command]:
    """What is measured: each builds the same rows."""
    last = _FIRST + timedelta(days=days - 1)
    yield Command("full build, not by date", [BIN / "refresh", "build", "tmp.whole"], folder)
    for batch in (31, 1):
        words = ["backfill", f"tmp.days_{batch}", "--from", str(_FIRST), "--to", str(last), "--again"]
        yield Command(f"backfill, batch = {batch}", [BIN / "refresh", *words], folder)
    yield Command("one day again", [BIN / "refresh", *words[:3], str(last), *words[4:]], folder)


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project(folder, options.rows, options.days)
        print(f"{options.rows:,} rows, {options.days:,} days\n\n|  | wall seconds | processor seconds | MB |")
        print("| --- | --- | --- | --- |")
        for command in commands(folder, options.days):
            taken = [_measured(command) for _ in range(options.rounds)]
            medians = [statistics.median(column) for column in zip(*taken, strict=True)]
            print(f"| {command.name} | {medians[0]:.2f} | {medians[1]:.2f} | {medians[2]:.0f} |", flush=True)


def _measured(command: Command) -> tuple[float, float, float]:
    started = time.monotonic()
    used = run(command)
    return time.monotonic() - started, used.processor, used.megabytes


if __name__ == "__main__":
    main()
