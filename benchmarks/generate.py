"""Projects of any size and shape, to measure on: res/, db_init/ and the map, in a folder.

    python -m benchmarks.generate random 1000 FOLDER [--rows 100]

wide: every script reads the raw table. deep: each script reads the one before it. random: each reads up to three of
those before it, as real projects do.
"""

import argparse
import json
import random
from collections.abc import Mapping
from pathlib import Path

SHAPES = ("wide", "deep", "random")
RAW_TABLE = "raw.events"
SEED = 8
_PART = 1_000_000

Reads = Mapping[str, list[str]]
"""The tables that each script's table is made from."""


def generate(shape: str, scripts: int, folder: Path, rows: int = 100) -> Reads:
    """Write the project into `folder`, which is made; its raw table has `rows` rows, above a million whole millions.
    Answers what reads what."""
    reads = dict(zip(*_graph(shape, scripts), strict=True))
    for name in ("res/raw", "res/tmp", "db_init"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "res" / "raw" / "events").touch()
    (folder / "db_init" / "events.sql").write_text(raw_sql(rows))
    for table, sources in reads.items():
        (folder / "res" / f"{table.replace('.', '/')}.sql").write_text(script_sql(table, sources))
    lines = [f"{table.removeprefix('tmp.')} = {_listed(sources)}" for table, sources in reads.items()]
    (folder / "res" / "dependencies.toml").write_text("\n".join(["[tmp]", *lines, ""]))
    return reads


def script_sql(table: str, sources: list[str]) -> str:
    """A script of the kind that people write: a WITH query, a join, a function, a GROUP BY."""
    joins = "".join(f"\nLEFT JOIN {source} AS s{index} USING (id)" for index, source in enumerate(sources[1:], start=1))
    values = " + ".join(f"COALESCE(s{index}.value, 0)" for index in range(len(sources)))
    return f"""-- {table}: one row per id
WITH joined AS (
  SELECT id, s0.category, MOD({values}, 97) AS value
  FROM {sources[0]} AS s0{joins}
)
SELECT id, category, SUM(value) AS value, COUNT(*) AS entries
FROM joined
WHERE value IS NOT NULL
GROUP BY id, category
"""


def raw_sql(rows: int) -> str:
    """The script of db_init/ that fills the raw table. An array has at most a million elements."""
    times, part = (rows // _PART, _PART) if rows > _PART else (1, rows)
    return f"""CREATE OR REPLACE TABLE {RAW_TABLE} (id INT64, category STRING, value INT64) AS
WITH ids AS (
  SELECT part * {part} + place AS id
  FROM UNNEST(GENERATE_ARRAY(0, {times - 1})) AS part, UNNEST(GENERATE_ARRAY(1, {part})) AS place
)
SELECT id, CONCAT('category ', CAST(MOD(id, 7) AS STRING)), MOD(id, 97)
FROM ids
"""


def _graph(shape: str, scripts: int) -> tuple[list[str], list[list[str]]]:
    tables = [f"tmp.t{number:05}" for number in range(scripts)]
    pick = random.Random(SEED)
    sources: list[list[str]] = []
    for number in range(scripts):
        before = {"wide": [], "deep": tables[max(0, number - 1) : number], "random": tables[:number]}[shape]
        chosen = pick.sample(before, min(len(before), 1 if shape == "deep" else pick.randrange(4)))
        sources.append(sorted(chosen) or [RAW_TABLE])
    return tables, sources


def _listed(tables: list[str]) -> str:
    return json.dumps(tables)  # a list of strings is written alike in TOML


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("scripts", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=100)
    options = parser.parse_args()
    generate(options.shape, options.scripts, options.folder, options.rows)
    print(f"{options.folder}: {options.scripts} scripts, {options.shape}")


if __name__ == "__main__":
    main()
