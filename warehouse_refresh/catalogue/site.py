"""Write the catalogue into a folder that any web server can serve, or a browser open."""

import json
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from warehouse_refresh.catalogue.dbt import Place, catalog, manifest
from warehouse_refresh.catalogue.document import Catalogue, as_json, document_schema
from warehouse_refresh.catalogue.openlineage import Naming, event_lines
from warehouse_refresh.catalogue.pages import FOLDER, Pages
from warehouse_refresh.pipeline.project.problems import Problem, Refused

DOCUMENT, SCHEMA, EVENTS = "catalogue.json", "catalogue.schema.json", "openlineage.ndjson"
DBT = ("dbt/manifest.json", "dbt/catalog.json")


def write_site(catalogue: Catalogue, folder: Path, place: Place) -> int:
    """Write the pages, the document, its schema, the events and dbt's artifacts into `folder`; `place` is where the
    tables are. Returns the number of files. Pages of tables that are gone are removed; other files stay.

    The pages are complete before the first old one is replaced. Raises Refused if the folder holds something else, or
    cannot be written."""
    try:
        _is_ours(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".catalogue-", dir=folder) as new:
            count = _write(catalogue, Path(new), place)
            _replace(Path(new), folder)
    except OSError as error:
        raise Refused([Problem(folder, None, f"the pages cannot be written: {error.strerror or error}")]) from error
    return count


def _is_ours(folder: Path) -> None:
    """Raises Refused for a folder whose first page somebody else wrote."""
    if (folder / "index.html").exists() and not (folder / DOCUMENT).exists():
        hint = "choose an empty folder, such as site/"
        raise Refused([Problem(folder, None, "there is an index.html in it that this tool did not write", hint)])


def _write(catalogue: Catalogue, new: Path, place: Place) -> int:
    (new / FOLDER).mkdir()
    (new / DOCUMENT).write_bytes(as_json(catalogue))
    (new / SCHEMA).write_text(json.dumps(document_schema(), indent=1))
    count = 2 + _write_for_others(catalogue, new, place)
    for name, content in Pages(catalogue).all():
        (new / name).write_bytes(content)
        count += 1
    return count


def _write_for_others(catalogue: Catalogue, new: Path, place: Place) -> int:
    """What other tools read. Returns the number of files."""
    at = datetime.now(UTC)
    own = place.database
    naming = Naming(place.adapter, f"{own}.") if own else Naming(catalogue.project)
    (new / EVENTS).write_text("".join(f"{line}\n" for line in event_lines(catalogue, naming, at)))
    for name, made in zip(DBT, (manifest, catalog), strict=True):
        (new / name).parent.mkdir(exist_ok=True)
        (new / name).write_text(json.dumps(made(catalogue, place, at)))
    return 1 + len(DBT)


def _replace(new: Path, folder: Path) -> None:
    """Move the new files into the folder: first the pages that the first page leads to."""
    old = new / "old"
    if (folder / FOLDER).exists():
        (folder / FOLDER).rename(old)
    (new / FOLDER).rename(folder / FOLDER)
    for name in ("index.html", SCHEMA, EVENTS, *DBT, DOCUMENT):
        (folder / name).parent.mkdir(exist_ok=True)
        (new / name).replace(folder / name)
    shutil.rmtree(old, ignore_errors=True)
