"""Random projects: scripts that read each other and raw tables, and a map that may be anything."""

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
