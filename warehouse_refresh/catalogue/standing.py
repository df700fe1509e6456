"""How the tables stand in the warehouse now, for pages that a server shows."""

from collections.abc import Collection
from datetime import datetime

from msgspec import Struct

from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.tables.changes.standing import standings
from warehouse_refresh.warehouse import Warehouse
from warehouse_refresh.warehouse.names import TableName


class TableStanding(Struct, frozen=True, omit_defaults=True):
    """Why a build would give another table ("": it would not), whether the last refresh of the table has not published
    it, the run that published it last ("": not known), and when (None: not recorded)."""

    stale: str = ""
    is_failed: bool = False
    run: str = ""
    published: datetime | None = None


def table_standings(project: Project, warehouse: Warehouse) -> dict[str, TableStanding]:
    """How each table that a script builds stands, by its name. Raises WarehouseError."""
    found = standings(project, warehouse)
    published = _published(warehouse, found.keys())
    return {
        str(table): TableStanding(one.stale, one.is_failed, one.run, published.get(table))
        for table, one in found.items()
    }


def _published(warehouse: Warehouse, tables: Collection[TableName]) -> dict[TableName, datetime]:
    """When each of the tables was published last. Publications are looked up until all are found."""
    found: dict[TableName, datetime] = {}
    missing = set(tables)
    for publication in warehouse.publications():
        found |= dict.fromkeys(missing & set(publication.tables), publication.at)
        missing -= found.keys()
        if not missing:
            break
    return found
