"""Random projects: scripts that read each other and raw tables, and a map that may be anything."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

RAW_TABLES = ["raw.orders", "raw.people"]
_NAMES = ["a", "b", "c_d", "e", "Mixed", "x1", "my-table", "zé"]
_JUNK = ["tmp.gone", "final.nowhere", "raw.nothing", *RAW_TABLES]
_SHAPES: list[Callable[[str, list[str]], str]] = [
    lambda first, rest: f"SELECT t.x FROM {first} AS t" + "".join(f"\nCROSS JOIN {other}" for other in rest),
    lambda first, rest: f"SELECT x FROM {first}" + "".join(f"\nUNION ALL SELECT x FROM {other}" for other in rest),
    lambda first, rest: (
        f"SELECT x FROM {first}"
        + (f"\nWHERE {' AND '.join(f'x IN (SELECT x FROM {other})' for other in rest)}" if rest else "")
    ),
    lambda first, rest: (
        "WITH "
        + ", ".join(f"w{number} AS (SELECT x FROM {other})" for number, other in enumerate([first, *rest]))
        + "\nSELECT x FROM w0 -- not from `tmp.gone`\n"
        + "".join(f"UNION DISTINCT SELECT x FROM w{number}\n" for number in range(1, len(rest) + 1))
    ),
]


@dataclass(frozen=True)
class RandomProject:
    """What each script's table reads, the scripts' texts, and the map's text (None: there is no map)."""

    reads: dict[str, list[str]]
    scripts: dict[str, str]
    map: str | None

    def write(self, folder: Path) -> None:
        """Write it into an empty folder."""
        (folder / "db_init").mkdir()
        creations = "".join(f"CREATE OR REPLACE TABLE {table} (x INT64);\n" for table in RAW_TABLES)
        (folder / "db_init" / "raw.sql").write_text(creations)
        for table in RAW_TABLES:
            self._write(folder / "res" / table.replace(".", "/"), "")
        for table, text in self.scripts.items():
            self._write(folder / "res" / f"{table.replace('.', '/')}.sql", text)
        if self.map is not None:
            self._write(folder / "res" / "dependencies.toml", self.map)

    def _write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


@st.composite
def projects(draw: st.DrawFn) -> RandomProject:
    """A project whose scripts can be built one after the other, with any map."""
    count = draw(st.integers(1, 7))
    names = draw(st.permutations(_NAMES))[:count]
    tables = [f"{draw(st.sampled_from(['tmp', 'final', 'mart']))}.{name}" for name in names]
    reads: dict[str, list[str]] = {}
    for number, table in enumerate(tables):
        choice = st.sampled_from([*RAW_TABLES, *tables[:number]])
        reads[table] = draw(st.lists(choice, min_size=1, max_size=4, unique=True))
    scripts = {table: draw(_sql(reads[table])) for table in tables}
    return RandomProject(reads, scripts, draw(st.none() | _maps(tables)))


@st.composite
def _sql(draw: st.DrawFn, reads: list[str]) -> str:
    first, *rest = [f"`{read}`" for read in reads]
    shape = draw(st.sampled_from(_SHAPES))
    return shape(first, rest)


@st.composite
def _maps(draw: st.DrawFn, tables: list[str]) -> str:
    """A map of valid TOML with any tables and dependencies, in any of TOML's ways to write it."""
    keys = draw(st.lists(st.sampled_from([*tables, "tmp.gone", "old.gone"]), unique=True))
    dependencies = st.lists(st.sampled_from([*tables, *_JUNK]), max_size=4)
    entries = {key: draw(dependencies) for key in keys}
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    style = draw(st.sampled_from([_sections, _dotted, _inline]))
    text = "# the head\n\n" + style(entries, draw(st.booleans()))
    return text.removesuffix("\n" if draw(st.booleans()) else "").replace("\n", newline)


def _sections(entries: dict[str, list[str]], wide: bool) -> str:
    lines = []
    for dataset in dict.fromkeys(table.split(".")[0] for table in entries):
        lines.append(f"[{dataset}] # of {dataset}")
        for table, dependencies in entries.items():
            if table.split(".")[0] == dataset:
                lines += [f"# about {table}", f'"{table.split(".")[1]}" = {_list(dependencies, wide)} # {table}']
        lines.append("\n# a word between")
    return "\n".join(lines) + "\n"


def _dotted(entries: dict[str, list[str]], wide: bool) -> str:
    pairs = [(table.split("."), dependencies) for table, dependencies in entries.items()]
    return "".join(f'{dataset}."{name}" = {_list(dependencies, wide)}\n' for (dataset, name), dependencies in pairs)


def _inline(entries: dict[str, list[str]], wide: bool) -> str:
    datasets: dict[str, list[str]] = {}
    for table, dependencies in entries.items():
        dataset, name = table.split(".")
        datasets.setdefault(dataset, []).append(f'"{name}" = {_list(dependencies, wide=False)}')
    return "".join(f"{dataset} = {{{', '.join(pairs)}}}{' # wide' * wide}\n" for dataset, pairs in datasets.items())


def _list(items: list[str], wide: bool) -> str:
    if not wide:
        return "[" + ", ".join(f'"{item}"' for item in items) + "]"
    return "[\n" + "".join(f'  "{item}", # why {item}\n' for item in items) + "]"


@dataclass(frozen=True)
class Thing:
    """What stands at a path: a file with these bytes, or a folder, a pipe, a link to nowhere, a link to itself."""

    path: str
    kind: str
    content: bytes

    def put(self, folder: Path) -> None:
        """Put it there, unless something else is in its way."""
        path = folder / self.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if self.kind == "file" and not path.is_fifo():  # writing to a pipe would wait for a reader
                path.write_bytes(self.content)
            elif self.kind == "folder":
                path.mkdir()
            elif self.kind == "pipe" and not self.path.startswith(".data") and not self.path.endswith(".new"):
                os.mkfifo(path)  # what only this project writes is nobody's pipe
            elif "link" in self.kind:
                path.symlink_to("gone" if self.kind == "broken link" else path.name)
        except OSError:
            return


_ODD_NAMES = [
    *("a.sql", "b.sql", "A.sql", "a.SQL", "a.b.sql", "x;y.sql", ".sql", "..sql", "é.sql", " .sql", "a b.sql", "-.sql"),
    *(
        "a'b.sql",
        "`.sql",
        "\n.sql",
        "\udcff.sql",
        "%.sql",
        "a.txt",
        "raw.sql",
        "select.sql",
        "dependencies.toml",
        "*.sql",
    ),
]
_ODD_FOLDERS = ["res/tmp", "res/raw", "res/final", "res/my-data", "res/é", "res", "res/tmp/old", "db_init", "db_init/a"]
_ODD_PLACES = [
    *("res", "res/tmp", "res/raw", "res/final", "db_init", ".data", ".data/scripts.json", "res/dependencies.toml"),
    *("res/dependencies.toml.new", ".data/warehouse.duckdb"),
]
_ODD_SQL = [
    *("SELECT 1 AS x", "SELECT x FROM tmp.a", "SELECT x FROM `my-shop.tmp.a`", "SELECT x FROM `others.tmp`.b", ""),
    *("SELECT x FROM raw.t", "SELECT x FROM raw.t_*", "SELECT x FROM a.b.c.d.e", "SELECT x FROM `a`", "SELECT 1 AS é"),
    *("SELECT x FROM `.tmp.a`", "SELECT x FROM ``", "SELECT x FROM `tmp..a`", "SELECT", ";", "--", "SELECT '", "\0"),
    *("CREATE TABLE raw.t AS SELECT 1 AS x", "CREATE TABLE `q.raw.t` (x INT64)", "DROP TABLE raw.t", "FROM tmp.a"),
    *("CREATE SCHEMA `p.raw`", "SELECT (SELECT AS STRUCT 1) AS x, * FROM tmp.INFORMATION_SCHEMA.TABLES", "SELECT @x"),
    *(
        "{{ x }}",
        "SELECT x FROM tmp.a, tmp.a.x, a.x.y",
        "WITH w AS (SELECT x FROM w) SELECT x FROM w",
        "(SELECT 1 AS x)",
    ),
    *("DECLARE x INT64; SELECT x", "SELECT x FROM ML.PREDICT(MODEL tmp.m, TABLE tmp.a)", "BEGIN SELECT 1; END"),
    *(
        f"SELECT {'(' * 300}1{')' * 300} AS x",
        f"SELECT {' OR '.join(['x = 1'] * 1500)} AS y FROM raw.t",
        "\ufeffSELECT 1",
    ),
    *(f"SELECT {'NOT ' * 1500}TRUE AS x", f"CREATE TABLE raw.t AS SELECT {'-' * 1}{'- ' * 1500}1 AS x"),
]


def things() -> st.SearchStrategy[list[Thing]]:
    """What may stand in a folder that somebody takes for a project."""
    names = st.builds("{}/{}".format, st.sampled_from(_ODD_FOLDERS), st.sampled_from(_ODD_NAMES))
    paths = names | names | names | st.sampled_from(_ODD_PLACES)
    texts = st.sampled_from(_ODD_SQL).map(lambda text: text.encode("utf-8", "surrogateescape"))
    contents = texts | texts | st.binary(max_size=20)
    kinds = st.sampled_from(["file"] * 8 + ["folder", "pipe", "broken link", "link to itself"])
    return st.lists(st.builds(Thing, paths, kinds, contents), max_size=8)


def odd_maps() -> st.SearchStrategy[str]:
    """A map that is TOML, or nearly: values of any kind, lists within lists, tables of tables."""
    words = st.sampled_from(["tmp", "a", "b", '"tmp.a"', '""', '"é"', "1", "'raw'", '"a\\nb"'])
    keys = words | st.builds("{}.{}".format, words, words)
    scalars = st.sampled_from(
        ['"tmp.a"', '"tmp.b"', '"x"', '""', "1", "1.5", "true", "2024-01-01", "'''tmp.a'''", "inf"]
    )
    values = st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
            | st.lists(inner, max_size=2).map(
                lambda items: "[\n  # why\n" + "".join(f"  {it},\n" for it in items) + "]"
            )
            | st.builds("{{{} = {}}}".format, keys, inner)
        ),
        max_leaves=5,
    )
    deep = st.sampled_from([f"a = {'[' * 2000}{']' * 2000}", f"a = {'{a = ' * 1500}1{'}' * 1500}"])
    lines = (
        st.builds("{} = {}".format, keys, values)
        | st.builds("{} = {}".format, keys, values)
        | st.builds("[{}]".format, keys)
        | st.builds("[[{}]]".format, keys)
        | st.sampled_from(["# a word", "", "[tmp]", 'b = ["tmp.a"]', "=", "[", '"'])
        | deep
    )
    return st.lists(lines, max_size=6).map(lambda found: "\n".join(found) + "\n")
