"""Which columns hold personal values: those that settings mark, and those that are computed from them."""

from collections.abc import Mapping

from warehouse_refresh.pipeline.project.lineage import ColumnName, Lineage
from warehouse_refresh.pipeline.tables.files import SettingsFile
from warehouse_refresh.warehouse.names import TableName


def is_personal(column: ColumnName, lineage: Lineage, settings: Mapping[TableName, SettingsFile]) -> bool:
    """Whether the column is marked with `personal = true`, or is not marked and computed from one that is personal."""
    waiting, seen = [column], {column}
    while waiting:
        one = waiting.pop()
        file = settings.get(one.table)
        said = file.says.column(one.column).personal if file is not None else None
        if said:
            return True
        origins = lineage.of(one.table).get(one.column, frozenset()) if said is None else frozenset()
        waiting += origins - seen
        seen |= origins
    return False
