"""The production engine: BigQuery, through Google's own client. Importing it takes a second, so do it when needed."""

from dataclasses import replace

from warehouse_refresh.warehouse.bigquery.engine import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.settings import parse_url
from warehouse_refresh.warehouse.builds.projects import OtherProject
from warehouse_refresh.warehouse.sql.cache import SqlCache

__all__ = ["BigQueryWarehouse", "open_bigquery"]


def open_bigquery(url: str, cache: SqlCache | None = None, other: OtherProject | None = None) -> BigQueryWarehouse:
    """The warehouse at `bigquery://PROJECT?location=…`, with the tables of the `other` project; nothing is opened yet.
    Raises WarehouseError."""
    return BigQueryWarehouse(replace(parse_url(url), other=other), cache=cache)
