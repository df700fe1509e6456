"""Write the settings files of raw tables for the tables that a database has."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from warehouse_refresh.origins import Limits, Relation, Snapshot, has_types, is_of_files, open_files, open_snapshot
from warehouse_refresh.pipeline.project.files import name_problem, res_folder
from warehouse_refresh.pipeline.raw.loading.sources import address_of, limits_of
from warehouse_refresh.pipeline.raw.seeds import bad_names
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.pipeline.settings_file import NAME, SettingError
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName

_FILE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Added:
    """What was written, and the tables that have no file, each with the reason. `connection` is one that is new in
    refresh.toml, and `variable` is to be set to its URL, unless that stands there."""

    written: list[Path]
    left: dict[str, str]
    connection: str = ""
    variable: str = ""


def add_sources(settings: RefreshSettings, where: str) -> Added:
    """Write a settings file for each table of a database that has none. `where` is the URL of the database, or the name
    of a connection of refresh.toml; for a URL, refresh.toml gets a connection with the database's name. No file that is
    there changes otherwise. `where` may also be a path of files, which make one table. Raises SettingError,
    WarehouseError."""
    folder = res_folder(settings.folder, settings.layout.res) / settings.layout.raw
    if where not in settings.connections and is_of_files(where):
        with open_files(Path.cwd()) as files:
            text = _of_files(files, where)
        folder.mkdir(parents=True, exist_ok=True)
        return _write(folder, {_table_of(where): text})
    name = where if where in settings.connections else _name(where)
    known = settings.connections.get(name)
    if "://" in where and known is not None:
        raise SettingError(f"{NAME} has a connection {name} already: name it instead of the URL")
    url, limits = (address_of(name, known), limits_of(known)) if known else (where, Limits())
    with open_snapshot(url, limits) as snapshot:
        texts = dict(_texts(snapshot, name))
    folder.mkdir(parents=True, exist_ok=True)
    added = _write(folder, texts)
    if known:
        return added
    is_file = where.startswith(_FILE)
    variable = "" if is_file else f"{name.upper()}_URL"
    line = f"url = {json.dumps(where)}" if is_file else f'url_from = "{variable}"'
    path = settings.folder / NAME
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{before}\n[connections.{name}]\n{line}\n".lstrip("\n"), encoding="utf-8")
    return Added(added.written, added.left, name, variable)


def _name(url: str) -> str:
    """A name for the connection: that of the database, or of its file."""
    path = unquote(urlsplit(url).path).strip("/") if "://" in url else ""
    found = re.sub(r"\W+", "_", Path(path).stem if url.startswith(_FILE) else path, flags=re.ASCII)
    if not found:
        raise SettingError(
            "write the URL of a database, postgresql://user@host/database, mysql://… or sqlite:///path/to/file, the"
            " name of a connection, or the path of a file that ends in .csv, .ndjson or .parquet"
        )
    return found if re.match("[A-Za-z_]", found) else f"_{found}"


def _texts(snapshot: Snapshot, connection: str) -> Iterator[tuple[str, str]]:
    """The text of the file for each table of the database, or what is wrong with the table, after a `!`."""
    for table in snapshot.tables():
        try:
            yield table, _text(snapshot, connection, table)
        except WarehouseError as error:
            yield table, f"!{error}"


def _text(snapshot: Snapshot, connection: str, table: str) -> str:
    found = snapshot.describe(Relation(table), {})
    odd = {it.column.name: "BigQuery has no such name" for it in found.columns}
    names = list(odd)
    odd = {name: reason for name, reason in odd.items() if any(bad_names(Path(NAME), [name]))}
    left = {**found.refused, **odd}
    if len(odd) == len(names):
        return "!no column can be read"
    lines = [f"    {json.dumps(name)}, # {reason.partition(': ')[0]}" for name, reason in left.items()]
    exclude = ["exclude = [", *lines, "]"] if left else []
    source = ["[source]", f"connection = {json.dumps(connection)}", f"table = {json.dumps(table)}"]
    return "\n".join([*source, *exclude, ""])


def _table_of(where: str) -> str:
    """A name for the table of such files: what all of them begin with, or else that of their folder."""
    path = PurePosixPath(where)
    names = [path.name.partition(".")[0], *(part.name for part in path.parents)]
    found = (re.sub(r"\W+", "_", re.split(r"[*?\[]", name)[0], flags=re.ASCII).strip("_") for name in names)
    name = next(filter(None, found), "files")
    return name if re.match("[A-Za-z_]", name) else f"_{name}"


def _of_files(files: Snapshot, where: str) -> str:
    """The settings of the table. Types of texts stand in them, so that they stay the same."""
    found = files.describe(Relation(file=where), {})
    source = ["[source]", f"file = {json.dumps(where)}"]
    if left := [f"    {json.dumps(name)}, # {reason.partition(': ')[0]}" for name, reason in found.refused.items()]:
        source += ["exclude = [", *left, "]"]
    if has_types(where):
        return "\n".join([*source, ""])
    types = [f'{json.dumps(it.column.name)} = {{ type = "{it.column.type}" }}' for it in found.columns]
    return "\n".join([*source, "", "[columns]", *types, ""])


def _write(folder: Path, texts: dict[str, str]) -> Added:
    """Write the files; a table of a schema has its own name, or with its schema's before it if two have that name."""
    written, left = list[Path](), dict[str, str]()
    short = [table.rpartition(".")[2].casefold() for table in texts]
    for table, text in texts.items():
        last = table.rpartition(".")[2]
        name = last if short.count(last.casefold()) == 1 else table.replace(".", "_")
        path = folder / f"{name}.toml"
        if text.startswith("!"):
            left[table] = text.removeprefix("!")
        elif name_problem(TableName(folder.name, name), path):
            left[table] = "its name is none for a table: load it into another one with a query"
        elif found := [other.name for other in folder.iterdir() if other.stem.casefold() == name.casefold()]:
            left[table] = f"there is {found[0]}"
        else:
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return Added(written, left)
