"""The floor: the shortest script that does what `refresh build` does, with nothing checked and nothing shown.

python -m benchmarks.floor FOLDER
"""

import sys
import tomllib
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from pathlib import Path

import duckdb
import sqlglot

folder = Path(sys.argv[1])
declared = tomllib.loads((folder / "res" / "dependencies.toml").read_text())
needed = {f"{dataset}.{name}": reads for dataset, tables in declared.items() for name, reads in tables.items()}
scripts = {f"{p.parent.name}.{p.stem}": p for p in (folder / "res").glob("*/*.sql")}
connection = duckdb.connect(folder / ".data" / "warehouse.duckdb")
for dataset in {table.partition(".")[0] for table in scripts}:
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {dataset}")


def build(table: str) -> str:
    sql = sqlglot.transpile(scripts[table].read_text(), read="bigquery", write="duckdb")[0]
    connection.cursor().execute(f"CREATE OR REPLACE TABLE {table} AS {sql}")
    return table


sorter = TopologicalSorter({t: [r for r in needed.get(t, []) if r in scripts] for t in scripts})
sorter.prepare()
running: set[Future[str]] = set()
with ThreadPoolExecutor(8) as pool:
    while sorter.is_active():
        running |= {pool.submit(build, table) for table in sorter.get_ready()}
        done, running = wait(running, return_when=FIRST_COMPLETED)
        sorter.done(*(future.result() for future in done))
print(f"{len(scripts)} tables built")
