"""`refresh graph`: what is built from what, as a picture; where columns come from, and what reads them."""

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from warehouse_refresh.commands.selection import selection
from warehouse_refresh.pipeline.project.lineage.columns import ColumnName, Lineage
from warehouse_refresh.pipeline.project.lineage.impact import impact_of
from warehouse_refresh.pipeline.project.lineage.picture import dataset_mermaid, mermaid, picture_of, svg
from warehouse_refresh.pipeline.project.problems import Problem, Refused, counted
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reading import project_in, sql_cache
from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.pipeline.raw.sources import declared_sources
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.warehouse.suggest import did_you_mean


def run(options: Namespace) -> int:
    """Print the picture, write it to a file, or print where a table's columns come from; answer the exit code."""
    settings = read_settings()
    with sql_cache(settings.folder) as cache:
        project = project_in(settings, cache)
    if options.columns:
        print("\n".join(_columns(project, options.columns)))
    elif options.readers:
        print("\n".join(_readers(project, options.readers)))
    elif options.svg:
        target = Path(options.svg)
        _write(target, svg(picture_of(project, selection(options)), target.parent))
        print(f"wrote {options.svg}")
    else:
        draw = dataset_mermaid if options.datasets else mermaid
        print(draw(picture_of(project, selection(options))))
    return 0


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise Refused([Problem(path, None, f"the picture cannot be written: {error.strerror}")]) from error


def _columns(project: Project, name: str) -> Iterator[str]:
    """A tree for each column of a script's table, down to the tables that no script builds."""
    tables = {str(table): table for table in project.graph.order}
    if name not in tables:
        hint = did_you_mean(name, tables) or "`refresh graph` shows all tables"
        raise SelectionError(f"--columns {name}: no script builds {name}; {hint}")
    sources = declared_sources(project).columns
    known = {table: [column.name for column in columns] for table, columns in sources.items()}
    lineage = Lineage(project.scripts, known)
    for column in lineage.of(tables[name]):
        yield f"{name}.{column}"
        yield from _origins(lineage, ColumnName(tables[name], column))


def _readers(project: Project, name: str) -> Iterator[str]:
    """What breaks without a column, script by script."""
    impact = impact_of(project, declared_sources(project), name)
    for problem in impact.problems:
        yield f"{problem}\n"
    for column in impact.lost:
        yield f"{column} goes with it"
    for table in impact.not_built:
        yield f"{table} is not built: a table that it reads is not"
    failing = counted(len(impact.problems), "script")
    yield f"without {name}: {failing} cannot run" if impact.problems else f"without {name}: every script still runs"


def _origins(lineage: Lineage, column: ColumnName) -> Iterator[str]:
    """The lines below a column's. Where a column comes from is shown once, at its first line."""
    shown: set[ColumnName] = set()
    waiting = _branches(lineage, column, "")
    while waiting:
        origin, lead, is_last = waiting.pop()
        is_repeated = origin in shown and bool(lineage.of(origin.table).get(origin.column))
        yield f"{lead}{'└─' if is_last else '├─'} {origin}{' (see above)' if is_repeated else ''}"
        if not is_repeated:
            shown.add(origin)
            waiting += _branches(lineage, origin, f"{lead}{'   ' if is_last else '│  '}")


def _branches(lineage: Lineage, column: ColumnName, lead: str) -> list[tuple[ColumnName, str, bool]]:
    """The origins of a column, the first one at the end, each with what stands before it and whether it is the last."""
    origins = sorted(lineage.of(column.table).get(column.column, ()))
    return [(origin, lead, origin == origins[-1]) for origin in reversed(origins)]
