"""The tools that people would pick instead, each in an environment of its own, with the same project to build."""

import base64
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from benchmarks.generate import RAW_TABLE, Reads, script_sql

HERE = Path(__file__).parent
ENVIRONMENTS = Path(".data/peers")

FUSION = "fusion"
"""dbt 2.0, which is written in Rust."""
_FUSIONS_DUCKDB = "@duckdb/node-bindings-linux-x64@1.5.6-r.1"
"""The wheel lacks DuckDB's library, and downloads it from where not every machine gets to; this package has it."""
_ITS_SHA512 = "IXcrZJE6kEqM0Z4wwdVnGBHX/frOS33VPNAwDXQ/Q+Fs84b058Qe94chrCCIcNJlG8Y3UHIUU4eBeCQxW5mN1Q=="
_RAW = f"""
import duckdb
connection = duckdb.connect()
connection.execute("ATTACH 'before.duckdb' AS made (STORAGE_VERSION 'v1.0.0')")
connection.execute("USE made")
connection.execute("CREATE SCHEMA raw")
connection.execute("CREATE TABLE {RAW_TABLE} AS SELECT id, 'category ' || id % 7 AS category, id % 97 AS value "
                   "FROM range(1, {{rows}} + 1) AS r(id)")
"""
_DBT_PROJECT = """
name: benchmark
version: "1.0"
profile: benchmark
models:
  +materialized: table
  +schema: tmp
"""
_DBT_PROFILES = """
benchmark:
  target: dev
  outputs:
    dev: {type: duckdb, path: warehouse.duckdb, threads: 8}
"""
_DBT_SOURCES = """
sources:
  - name: raw
    tables:
      - name: events
"""
_DBT_SCHEMA = "{% macro generate_schema_name(name, node) %}{{ name or target.schema }}{% endmacro %}"
_SQLMESH_CONFIG = """
gateways:
  local:
    connection: {type: duckdb, database: warehouse.duckdb, concurrent_tasks: 8}
default_gateway: local
model_defaults: {dialect: duckdb, start: 2026-01-01}
disable_anonymized_analytics: true
"""


def python_of(peer: str) -> Path:
    """The Python of the peer's environment, which is made of its locked requirements if it is not there."""
    environment = (ENVIRONMENTS / peer).resolve()
    python = environment / "bin" / "python"
    if not (environment / "ready").exists():
        print(f"installing {peer} into {environment}", flush=True)
        requirements = HERE / f"{peer}.txt"
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}") or "uv"
        subprocess.run([uv, "venv", "--quiet", "--clear", environment], check=True)
        subprocess.run([uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", requirements], check=True)
        if peer == FUSION:
            _add_duckdb(environment / "lib")
        (environment / "ready").touch()
    return python


def why_not(peer: str) -> str | None:
    """Why the peer cannot be measured on this machine; None when it can."""
    if peer != FUSION or (ENVIRONMENTS / FUSION / "ready").exists():
        return None
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return "DuckDB's library for it is known for Linux on x86_64 only"
    return None if shutil.which("npm") else "npm is needed to install DuckDB's library for it"


def _add_duckdb(folder: Path) -> None:
    """Put DuckDB's library where Fusion looks for it."""
    with tempfile.TemporaryDirectory() as temporary:
        words = ["npm", "pack", "--silent", "--pack-destination", temporary, _FUSIONS_DUCKDB]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        [package] = Path(temporary).glob("*.tgz")
        if base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode() != _ITS_SHA512:
            raise SystemExit(f"{_FUSIONS_DUCKDB} is not what it was: its SHA-512 differs")
        with tarfile.open(package) as files:
            files.extract("package/libduckdb.so", temporary, filter="data")
        shutil.copy(Path(temporary) / "package" / "libduckdb.so", folder)


def write_dbt(folder: Path, reads: Reads, rows: int) -> None:
    """The project for dbt and for Fusion: a model for each script, over the same raw table."""
    write(folder / "dbt_project.yml", _DBT_PROJECT)
    write(folder / "profiles.yml", _DBT_PROFILES)
    write(folder / "models" / "sources.yml", _DBT_SOURCES)
    write(folder / "macros" / "schema.sql", _DBT_SCHEMA)
    for table, sources in reads.items():
        references = [_dbt_reference(source) for source in sources]
        write(folder / "models" / f"{table.partition('.')[2]}.sql", script_sql(table, references))
    _fill(folder, rows)


def write_sqlmesh(folder: Path, reads: Reads, rows: int) -> None:
    """The project for SQLMesh: a model for each script, over the same raw table."""
    write(folder / "config.yaml", _SQLMESH_CONFIG)
    for table, sources in reads.items():
        model = f"MODEL (name {table}, kind FULL);\n{script_sql(table, sources)}"
        write(folder / "models" / f"{table.partition('.')[2]}.sql", model)
    _fill(folder, rows)


def reset(folder: Path) -> None:
    """A warehouse that has the raw table alone. What a peer keeps between runs to be faster stays."""
    shutil.copy(folder / "before.duckdb", folder / "warehouse.duckdb")


def _dbt_reference(table: str) -> str:
    dataset, _, name = table.partition(".")
    return f"{{{{ source('raw', '{name}') }}}}" if dataset == "raw" else f"{{{{ ref('{name}') }}}}"


def _fill(folder: Path, rows: int) -> None:
    """Write the raw table into a file that each peer's DuckDB can open, whichever version it has."""
    subprocess.run([sys.executable, "-c", _RAW.format(rows=rows)], cwd=folder, check=True)


def write(path: Path, text: str) -> None:
    """Write a file of a project, and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.lstrip())
