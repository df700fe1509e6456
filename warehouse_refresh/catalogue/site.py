"""Write the catalogue into a folder that any web server can serve, or a browser open."""

import json
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from warehouse_refresh.catalogue.document import Catalogue, as_json, document_schema
from warehouse_refresh.catalogue.openlineage import Naming, event_lines
from warehouse_refresh.catalogue.pages import FOLDER, Pages
from warehouse_refresh.pipeline.project.problems import Problem, Refused

DOCUMENT, SCHEMA, EVENTS = "catalogue.json", "catalogue.schema.json", "openlineage.ndjson"


def write_site(catalogue: Catalogue, folder: Path, naming: Naming | None = None) -> int:
    """Write the pages, the document, its schema and the events into `folder`. Returns the number of files. Pages of
    tables that are gone are removed; other files stay. Without a `naming` the events have the project's name.

    The pages are complete before the first old one is replaced. Raises Refused if the folder holds something else, or
    cannot be written."""
    try:
        _is_ours(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".catalogue-", dir=folder) as place:
            count = _write(catalogue, Path(place), naming or Naming(catalogue.project))
            _replace(Path(place), folder)
    except OSError as error:
        raise Refused([Problem(folder, None, f"the pages cannot be written: {error.strerror or error}")]) from error
    return count


def _is_ours(folder: Path) -> None:
    """Raises Refused for a folder whose first page somebody else wrote."""
    if (folder / "index.html").exists() and not (folder / DOCUMENT).exists():
        hint = "choose an empty folder, such as site/"
        raise Refused([Problem(folder, None, "there is an index.html in it that this tool did not write", hint)])


def _write(catalogue: Catalogue, place: Path, naming: Naming) -> int:
    (place / FOLDER).mkdir()
    (place / DOCUMENT).write_bytes(as_json(catalogue))
    (place / SCHEMA).write_text(json.dumps(document_schema(), indent=1))
    (place / EVENTS).write_text("".join(f"{line}\n" for line in event_lines(catalogue, naming, datetime.now(UTC))))
    count = 3
    for name, content in Pages(catalogue).all():
        (place / name).write_bytes(content)
        count += 1
    return count


def _replace(place: Path, folder: Path) -> None:
    """Move the new files into the folder: first the pages that the first page leads to."""
    old = place / "old"
    if (folder / FOLDER).exists():
        (folder / FOLDER).rename(old)
    (place / FOLDER).rename(folder / FOLDER)
    for name in ("index.html", SCHEMA, EVENTS, DOCUMENT):
        (place / name).replace(folder / name)
    shutil.rmtree(old, ignore_errors=True)
