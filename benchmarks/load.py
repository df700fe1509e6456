"""A large table from PostgreSQL into DuckDB: `refresh load` and the ways that people would take instead.

python -m benchmarks.load [--rows 1000000] [--rounds 3] [--only dlt ...]

The ways take turns, so that what else the machine does falls on all of them. Memory is that of all processes of a way
at one time, without the server's, whose processor seconds stand beside those of the way: both share the machine. What
cannot be installed here is left out, and said so.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import duckdb

from benchmarks.commands import BIN, Command, run
from benchmarks.peers import python_of
from tests.origins.servers import Database, programs, start_postgres, stop_postgres

_TABLE = """
CREATE TYPE state AS ENUM ('new', 'paid', 'on hold', 'sent');
CREATE UNLOGGED TABLE items AS SELECT
    i AS id, (i * 7919 % 100000)::int4 AS customer, (i * 31 % 100)::int2 AS pieces,
    round((i * 13 % 100000) / 100.0, 2)::numeric(12, 2) AS price, i * 0.37::float8 AS weight, i % 3 = 0 AS paid,
    'product ' || (i % 5000) || ' ' || md5(i::text) AS name,
    CASE WHEN i % 10 = 0 THEN NULL ELSE 'note ' || (i % 77) END AS note,
    (ARRAY['new', 'paid', 'on hold', 'sent'])[i % 4 + 1]::state AS state,
    jsonb_build_object('k', i % 100, 'v', 'x' || i % 10) AS doc, md5(i::text)::uuid AS uid,
    date '2024-01-01' + (i % 365)::int4 AS day, timestamptz '2024-01-01' + i * interval '1 second' AS updated_at
FROM generate_series(1::int8, {rows}) AS i;
ANALYZE items
"""
_TYPES = {
    **dict.fromkeys(("id", "customer", "pieces"), "BIGINT"),
    "price": "DECIMAL(38, 9)",
    "weight": "DOUBLE",
    "paid": "BOOLEAN",
    **dict.fromkeys(("name", "note", "state", "doc", "uid"), "VARCHAR"),
    "day": "DATE",
    "updated_at": "TIMESTAMPTZ",
}
_FROM_COPY = f"""
import duckdb
connection = duckdb.connect("warehouse.duckdb")
connection.execute("CREATE SCHEMA raw")
connection.execute("CREATE TABLE raw.items AS SELECT * FROM read_csv('/dev/stdin', header = false, columns = {_TYPES})")
"""
_CONNECTORX = """
import sys
import connectorx
import duckdb
items = connectorx.read_sql(sys.argv[1], "SELECT * FROM items", return_type="arrow", partition_on="id", partition_num=2)
connection = duckdb.connect("warehouse.duckdb")
connection.execute("CREATE SCHEMA raw")
connection.execute("CREATE TABLE raw.items AS SELECT * FROM items")
"""
_DLT = """
import sys
import dlt
from dlt.sources.sql_database import sql_table
place = dlt.destinations.duckdb("warehouse.duckdb")
pipeline = dlt.pipeline("load", pipelines_dir="dlt", dataset_name="raw", destination=place)
pipeline.run(sql_table(sys.argv[1], table="items", backend="pyarrow", chunk_size=50_000), write_disposition="replace")
"""
_EXTENSION = """
import sys
import duckdb
connection = duckdb.connect("warehouse.duckdb")
connection.execute("INSTALL postgres; LOAD postgres")
connection.execute("CREATE SCHEMA raw; ATTACH '' AS shop (TYPE postgres, READ_ONLY)")
connection.execute("CREATE TABLE raw.items AS SELECT * FROM shop.public.items")
"""


def ours(folder: Path, shop: Database) -> Command:
    """`refresh load` in a project with one raw table."""
    files = {
        "refresh.toml": '[connections.shop]\nurl_from = "SHOP_URL"\n',
        "res/dependencies.toml": "",
        "res/raw/items.toml": '[source]\nconnection = "shop"\ntable = "items"\n',
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    environment = {"SHOP_URL": shop.url, "WAREHOUSE_URL": "duckdb:///warehouse.duckdb"}
    return Command("refresh load", [BIN / "refresh", "load"], folder, environment)


def copied(folder: Path, shop: Database) -> Command:
    """What COPY writes as CSV, piped into DuckDB: what pg_dump does, in a form that DuckDB reads."""
    (folder / "load.py").write_text(_FROM_COPY)
    psql = programs()
    assert psql is not None
    line = '"$0" -X -c "COPY items TO STDOUT (FORMAT csv)" "$1" | exec "$2" load.py'
    words: list[str | Path] = ["sh", "-c", line, psql / "psql", shop.url, BIN / "python"]
    return Command("COPY into DuckDB", words, folder)


def _peer(name: str, peer: str, script: str) -> Callable[[Path, Database], Command]:
    def command(folder: Path, shop: Database) -> Command:
        (folder / "load.py").write_text(script)
        host = shop.url.partition("host=")[2].partition("&")[0]
        words: list[str | Path] = [python_of(peer), "load.py", f"postgresql://shop@localhost/postgres?host={host}"]
        return Command(name, words, folder, {"PGHOST": host, "PGUSER": "shop", "PGDATABASE": "postgres"})

    return command


def _extension(folder: Path, shop: Database) -> Command:
    with duckdb.connect() as connection:
        connection.execute("INSTALL postgres")
    (folder / "load.py").write_text(_EXTENSION)
    host = shop.url.partition("host=")[2].partition("&")[0]
    environment = {"PGHOST": host, "PGUSER": "shop", "PGDATABASE": "postgres"}
    return Command("DuckDB's postgres extension", [BIN / "python", "load.py"], folder, environment)


WAYS: dict[str, Callable[[Path, Database], Command]] = {
    "refresh": ours,
    "copy": copied,
    "connectorx": _peer("ConnectorX", "connectorx", _CONNECTORX),
    "dlt": _peer("dlt", "dlt", _DLT),
    "extension": _extension,
}


def commands(folder: Path, shop: Database, only: list[str]) -> Iterator[Command]:
    """The ways that this machine can take."""
    for name, made in WAYS.items():
        if only and name not in only:
            continue
        (folder / name).mkdir()
        try:
            yield made(folder / name, shop)
        except (OSError, subprocess.CalledProcessError, duckdb.Error) as error:
            print(f"LEFT OUT: {name} cannot be installed here: {error}", flush=True)


def _spent(server: Path) -> float:
    """The processor seconds that a server has spent, also in those of its processes that have ended."""
    main = (server / "data/postmaster.pid").read_text().split()[0]
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            fields = (folder / "stat").read_text().rpartition(")")[2].split()  # a name may have blanks
            if folder.name == main:
                ticks += sum(map(int, fields[11:15]))
            elif fields[1] == main:
                ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _measured(command: Command, rows: int, server: Path) -> tuple[float, float, float, float]:
    for path in (command.folder / "warehouse.duckdb", command.folder / "dlt"):
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)
    started, before = time.monotonic(), _spent(server)
    used = run(command, with_others=True)
    seconds, of_server = time.monotonic() - started, _spent(server) - before
    with duckdb.connect(command.folder / "warehouse.duckdb", read_only=True) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM raw.items").fetchall()
    assert count == rows, f"{command.name} has loaded {count} rows"
    return rows / seconds, used.processor, of_server, used.megabytes


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], choices=WAYS)
    options = parser.parse_args()
    server = start_postgres()
    try:
        shop = Database(server, "postgres")
        shop.run(_TABLE.format(rows=options.rows))
        with tempfile.TemporaryDirectory() as folder:
            wanted = list(commands(Path(folder), shop, options.only))
            rounds = [[_measured(command, options.rows, server) for command in wanted] for _ in range(options.rounds)]
    finally:
        stop_postgres(server)
    print(f"{options.rows:,} rows\n\n|  | rows/s | against refresh load | processor seconds | of the server | MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for number, command in enumerate(wanted):
        found = zip(*(taken[number] for taken in rounds), strict=True)
        speed, processor, of_server, megabytes = map(statistics.median, found)
        ratio = statistics.median(taken[number][0] / taken[0][0] for taken in rounds)
        print(f"| {command.name} | {speed:,.0f} | {ratio:.2f} | {processor:.1f} | {of_server:.1f} | {megabytes:.0f} |")


if __name__ == "__main__":
    main()
