"""Projects of any size: scripts as people write them, over raw tables and over each other.

`python -m benchmarks.generate FOLDER --scripts 1000`
"""

import argparse
import random
from pathlib import Path

from flows.sync import sync_map, write_map

DATASETS = ("stage", "tmp", "mart", "final")
ROWS = 20
_RAW_COLUMNS = "id INT64, parent_id INT64, name STRING, amount FLOAT64, created DATE"


def generate(folder: Path, scripts: int, *, raw_tables: int = 30, seed: int = 1) -> None:
    """Write res/ and db_init/ into `folder`: each script reads one to four of what comes before it."""
    choice = random.Random(seed)
    raw = [f"raw.source_{number:02}" for number in range(raw_tables)]
    for table in raw:
        _write(folder / "res" / table.replace(".", "/"), "")
        _write(folder / "db_init" / f"{table.removeprefix('raw.')}.sql", _raw_script(table, choice))
    tables: list[str] = []
    for number in range(scripts):
        dataset = DATASETS[number * len(DATASETS) // scripts]
        before = tables[-200:] if tables and choice.random() < 0.8 else raw
        first, *rest = choice.sample(before, min(len(before), choice.randint(1, 4)))
        tables.append(f"{dataset}.table_{number:04}")
        _write(folder / "res" / dataset / f"table_{number:04}.sql", _script(first, rest, choice))
    path = folder / "res" / "dependencies.toml"
    write_map(path, sync_map(folder / "res", path)[1])


def _raw_script(table: str, choice: random.Random) -> str:
    rows = (
        f"SELECT {row}, {choice.randrange(ROWS)}, 'name {row}', {choice.randrange(100)}.5, DATE '2026-01-{row:02}'"
        for row in range(1, ROWS + 1)
    )
    return f"CREATE OR REPLACE TABLE {table} ({_RAW_COLUMNS}) AS\n" + "\nUNION ALL ".join(rows) + ";\n"


def _script(first: str, rest: list[str], choice: random.Random) -> str:
    joins = "".join(f"\nLEFT JOIN joined_{number} ON joined_{number}.id = main.id" for number in range(len(rest)))
    queries = ",\n".join(f"joined_{number} AS (\n{_joined(table, choice)})" for number, table in enumerate(rest))
    amounts = " + ".join(["main.amount", *(f"IFNULL(joined_{number}.amount, 0)" for number in range(len(rest)))])
    return (
        f"-- One row per id of {first}.\n"
        + (f"WITH {queries}\n" if rest else "")
        + "SELECT\n  main.id,\n  main.parent_id,\n  UPPER(TRIM(main.name)) AS name,\n"
        + f"  {amounts} AS amount,\n  DATE_ADD(main.created, INTERVAL {choice.randint(1, 9)} DAY) AS created\n"
        + f"FROM `{first}` AS main{joins}\nWHERE main.id > {choice.randrange(3)}\n"
    )


def _joined(table: str, choice: random.Random) -> str:
    amount = choice.choice(["SUM(amount)", "MAX(amount)", "SUM(IF(amount > 10, amount, 0))"])
    return f"  SELECT id, {amount} AS amount\n  FROM `{table}`\n  GROUP BY id\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write a project of many scripts.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scripts", type=int, default=1000)
    options = parser.parse_args()
    generate(options.folder, options.scripts)
