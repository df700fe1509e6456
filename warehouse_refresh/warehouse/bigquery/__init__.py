"""The production engine: BigQuery, through Google's own client. Importing it takes a second, so do it when needed."""

from warehouse_refresh.warehouse.bigquery.engine import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.settings import parse_url
from warehouse_refresh.warehouse.sql.cache import SqlCache

__all__ = ["BigQueryWarehouse", "open_bigquery"]


def open_bigquery(url: str, cache: SqlCache | None = None) -> BigQueryWarehouse:
    """The warehouse at `bigquery://PROJECT?location=…`; nothing is opened yet. Raises WarehouseError."""
    return BigQueryWarehouse(parse_url(url), cache=cache)
