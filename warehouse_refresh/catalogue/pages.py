"""The catalogue as pages of HTML: one with all tables, and one for each table and each column.

The pages need no server and no other host: their links are relative, and their style and script are files beside them.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from importlib.resources import files
from urllib.parse import quote

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from warehouse_refresh.catalogue.document import Catalogue, ColumnEntry, TableEntry, as_json
from warehouse_refresh.catalogue.pictures import Box, Edges, around, drawn
from warehouse_refresh.catalogue.posting import example_address
from warehouse_refresh.catalogue.sql import highlighted

FOLDER = "catalogue"
"""The folder of all pages but the first one."""
ASSETS = ("style.css", "search.js", "picture.js", "icon.svg")
LIVE_ASSETS = ("live.js", "form.js", "runs.js", "state.js", "rows.js")
_STEPS = 2
_MANY = 300
"""With more tables than this, the first page lists only their names: it stays below 100 KB with 1,000 tables."""
_ALL_STEPS = 50


@dataclass(frozen=True, slots=True)
class Served:
    """The API serves the pages: they may ask it. `needs_token`: it answers only who sends its token; `first_rows`: it
    shows rows of tables."""

    needs_token: bool
    first_rows: bool = False


class Pages:
    """The pages of a catalogue, each with its path below the first one's folder. Without `served` they need no
    server."""

    def __init__(self, catalogue: Catalogue, served: Served | None = None) -> None:
        self._catalogue, self._served = catalogue, served
        self._tables = {table.name: table for table in catalogue.tables}
        self._environment = Environment(
            loader=PackageLoader("warehouse_refresh.catalogue"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {
            "grouped": lambda number: f"{number:,}",
            "breakable": _breakable,
            "percent": _percent,
        }

    @property
    def names(self) -> Collection[str]:
        """The names of all tables."""
        return self._tables.keys()

    def entry(self, table: str) -> TableEntry:
        """What the catalogue says of a table. Raises KeyError."""
        return self._tables[table]

    def all(self) -> Iterator[tuple[str, bytes]]:
        """Every file: its path and its content."""
        for path in self._makers:
            yield path, self.file(path)

    def file(self, path: str) -> bytes:
        """The content of one file. Raises KeyError for a path that is none of them."""
        return self._makers[path]()

    @cached_property
    def _makers(self) -> dict[str, Callable[[], bytes]]:
        """By the path of each file, what makes it."""
        makers: dict[str, Callable[[], bytes]] = {"index.html": self.first, f"{FOLDER}/index.js": self.search_index}
        makers |= {f"{FOLDER}/{name}": partial(asset, name) for name in ASSETS + (LIVE_ASSETS if self._served else ())}
        if self._served:
            makers |= {f"{FOLDER}/runs.html": self.runs, f"{FOLDER}/reads.js": self.reads}
            makers[f"{FOLDER}/catalogue.json"] = partial(as_json, self._catalogue)
        for table in self._tables.values():
            makers[f"{FOLDER}/{file_name(table.name)}"] = partial(self.table, table)
            for column in table.columns:
                name = f"{table.name}.{column.name}"
                makers[f"{FOLDER}/{file_name(name)}"] = partial(self.column, table, column)
        return makers

    def first(self) -> bytes:
        """The page with all tables."""
        datasets: dict[str, list[TableEntry]] = {}
        for table in sorted(self._catalogue.tables, key=lambda table: table.name):
            datasets.setdefault(table.dataset, []).append(table)
        return self._page(
            "first.html", f"{FOLDER}/", datasets=datasets, count=len(self._tables), is_long=len(self._tables) > _MANY
        )

    def table(self, table: TableEntry) -> bytes:
        """A table's page."""
        picture = drawn(
            around(table.name, self._reads, self._readers, _STEPS),
            self._reads,
            partial(_box, self._table_boxes, table.name),
            f"what {table.name} reads, and what reads it",
        )
        sql = highlighted(table.sql, table.reads, lambda name: link(name, ""))
        address = example_address(table) if table.rows_path else ""
        return self._page("table.html", "", table=table, picture=picture, sql=sql, address=address)

    def column(self, table: TableEntry, column: ColumnEntry) -> bytes:
        """A column's page."""
        name = f"{table.name}.{column.name}"
        columns = around(name, self._origins, self._column_readers, _ALL_STEPS)
        picture = drawn(
            columns,
            self._origins,
            partial(_box, self._column_boxes, name),
            f"where {name} comes from, and what is computed from it",
        )
        return self._page("column.html", "", table=table, column=column, picture=picture)

    def search_index(self) -> bytes:
        """A script with what the search looks through: each table's name, description and columns."""
        entries = [
            [table.name, table.description, [column.name for column in table.columns]]
            for table in self._catalogue.tables
        ]
        return b"const CATALOGUE = " + msgspec.json.encode(entries) + b";\n"

    def runs(self) -> bytes:
        """The page with the last runs, which its script gets from the API."""
        return self._page("runs.html", "", loads=any(table.loaded_from for table in self._catalogue.tables))

    def reads(self) -> bytes:
        """A script with the tables that each table reads, to tell which ones a run waited for."""
        return b"export const READS = " + msgspec.json.encode(self._reads) + b";\n"

    def _page(self, template: str, base: str, **values: object) -> bytes:
        """`base` is the way from the page to the folder of the others."""
        home = "" if base else "../"
        values |= {"project": self._catalogue.project, "base": base, "home": f"{home}index.html"}
        values |= {"served": self._served}
        return self._environment.get_template(template).render(link=lambda name: link(name, base), **values).encode()

    @cached_property
    def _table_boxes(self) -> Mapping[str, Box]:
        return {name: Box(name, table.kind, link(name, "")) for name, table in self._tables.items()}

    @cached_property
    def _column_boxes(self) -> Mapping[str, Box]:
        kinds = {f"{table.name}.{one.name}": table.kind for table in self._tables.values() for one in table.columns}
        return {name: Box(name, kind, link(name, "")) for name, kind in kinds.items()}

    @cached_property
    def _reads(self) -> Edges:
        return {table.name: table.reads for table in self._tables.values()}

    @cached_property
    def _readers(self) -> Edges:
        return {table.name: table.read_by for table in self._tables.values()}

    @cached_property
    def _origins(self) -> Mapping[str, tuple[str, ...]]:
        return {name: column.comes_from for name, column in self._columns()}

    @cached_property
    def _column_readers(self) -> Mapping[str, tuple[str, ...]]:
        return {name: column.read_by for name, column in self._columns()}

    def _columns(self) -> Iterator[tuple[str, ColumnEntry]]:
        for table in self._tables.values():
            for column in table.columns:
                yield f"{table.name}.{column.name}", column


def _box(known: Mapping[str, Box], here: str, name: str) -> Box:
    """The box of a name in the picture around `here`. A name without a page leads nowhere."""
    return Box(name, "here") if name == here else known.get(name) or Box(name, "source")


@lru_cache(maxsize=16_384)  # each name is on many pages
def link(name: str, base: str) -> str:
    """The address of the page of a table or a column, from a page whose way to the others is `base`."""
    return base + quote(file_name(name))


def file_name(name: str) -> str:
    """The name of the file of the page of a table or a column. A column's name may hold any character."""
    return f"{name.replace('%', '%25').replace('/', '%2F')}.html"


def _percent(share: float) -> str:
    """A share in percent. What is not quite none, or not quite all, does not look as if it were."""
    if 0 < share < 0.001:
        return "<0.1 %"
    return ">99.9 %" if 0.999 < share < 1 else f"{share:.1%}".replace("%", " %")


def _breakable(text: str) -> Markup:
    """A name or a type, with places where a line may end: after its dots, brackets and underscores."""
    pieces = re.split(r"(?<=[._<])(?=\w)", text)
    return Markup("<wbr>").join(map(escape, pieces))


def asset(name: str) -> bytes:
    """A file that the pages need, such as style.css."""
    return (files("warehouse_refresh.catalogue") / "assets" / name).read_bytes()
