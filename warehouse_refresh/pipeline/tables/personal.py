"""Which columns hold personal values: those that settings mark, and those that are computed from them."""

from collections.abc import Mapping

from warehouse_refresh.pipeline.project.lineage.columns import ColumnName, Lineage
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.tables.files import SettingsFile
from warehouse_refresh.warehouse.names import TableName


def settings_files(project: Project) -> dict[TableName, SettingsFile]:
    """The settings files of all tables that have one."""
    of_scripts = {table: script.settings for table, script in project.scripts.items() if script.settings}
    return {**project.raw_settings, **of_scripts}


class Personal:
    """The personal columns: those marked with `personal = true`, all of a table marked with `private = true`, and those
    that are not marked and computed from one that is personal."""

    def __init__(self, lineage: Lineage, settings: Mapping[TableName, SettingsFile]) -> None:
        self._lineage, self._settings = lineage, settings
        self._known: dict[ColumnName, bool] = {}

    def __contains__(self, column: ColumnName) -> bool:
        if column not in self._known:
            self._known[column] = self._look(column)
        return self._known[column]

    def _look(self, column: ColumnName) -> bool:
        """Go from column to column, up to those that are marked or known."""
        waiting, seen = [column], {column}
        while waiting:
            one = waiting.pop()
            said = self._known.get(one, self._marked(one))
            if said:
                return True
            origins = self._lineage.of(one.table).get(one.column, frozenset()) if said is None else frozenset()
            waiting += origins - seen
            seen |= origins
        return False

    def _marked(self, column: ColumnName) -> bool | None:
        """What the settings say of a column; None: nothing."""
        file = self._settings.get(column.table)
        if file is None:
            return None
        marked = file.says.column(column.column).personal
        return True if marked is None and file.says.private else marked
