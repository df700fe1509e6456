"""Work for an Execution, without a warehouse."""

from collections.abc import Callable, Collection, Mapping, Sequence

from warehouse_refresh.pipeline.outcomes import CheckResult
from warehouse_refresh.pipeline.running.execution import Progress
from warehouse_refresh.warehouse import Built, Published
from warehouse_refresh.warehouse.names import TableName


class OnlyBuilt:
    """Work that builds with a function, checks nothing and publishes nothing. It stands for a warehouse, where only the
    order of the tables counts."""

    def __init__(self, build: Callable[[TableName], Built]) -> None:
        self._build = build
        self.blocked: Mapping[TableName, str] = {}

    def build(self, table: TableName, _progress: Progress) -> Built:
        """Build it."""
        return self._build(table)

    def must_stage(self, _table: TableName) -> bool:
        """No table is."""
        return False

    def stage(self, table: TableName, _staged: Collection[TableName]) -> Built:
        """Build it."""
        return self._build(table)

    def check(self, _table: TableName) -> Sequence[CheckResult]:
        """No checks."""
        return ()

    def check_rest(self) -> Sequence[CheckResult]:
        """No checks."""
        return ()

    def publish(self, _tables: Sequence[TableName]) -> Published:
        """Nothing is published."""
        return Published(0.0)

    def discard(self, _keep: Collection[TableName]) -> None:
        """Nothing was staged."""

    def costs(self, built: Sequence[Built]) -> Sequence[Built]:
        """They cost nothing."""
        return built

    def note_failed(self, _tables: Sequence[TableName]) -> None:
        """Nothing is recorded."""
