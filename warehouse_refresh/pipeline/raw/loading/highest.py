"""The highest id that a load brings, which is asked before anything is loaded: tables by ranges of ids go up to it."""

from typing import TYPE_CHECKING

from warehouse_refresh.origins import Since, Snapshot
from warehouse_refresh.warehouse.names import TableName

if TYPE_CHECKING:
    from warehouse_refresh.pipeline.raw.loading.planning import LoadPlan


def highest_of(plan: "LoadPlan", table: TableName, name: str, first: int) -> int | None:
    """The highest value from `first` on of the column of that name, at the moment at which the table is loaded; None if
    there is none. Only this column is read. Raises OriginError."""
    from warehouse_refresh.origins.landing import highest  # imports DuckDB

    one = plan.tables[table]
    column = next(it for it in plan.described[table].columns if it.column.name.casefold() == name.casefold())

    def read(snapshot: Snapshot) -> int | None:
        with snapshot.reading(one.relation, (column,), Since(column.column.name, str(first), is_number=True)) as rows:
            return highest(rows, column)

    return plan.moments[one.place].read(read)
