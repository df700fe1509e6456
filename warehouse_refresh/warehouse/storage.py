"""How a table is stored: what a script's CREATE TABLE says beside its query. BigQuery applies it; DuckDB has no use for
it, and its answers are the same without."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Partition:
    """Partitions by a column: of DAY, HOUR, MONTH or YEAR, or by ranges of integers (start, end, step). Without a
    column, by the time of storing: https://cloud.google.com/bigquery/docs/partitioned-tables"""

    column: str = ""
    unit: str = "DAY"
    integers: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Storage:
    """A table's or view's options:
    https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#table_option_list"""

    partition: Partition | None = None
    cluster_by: tuple[str, ...] = ()
    description: str = ""
    friendly_name: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    partition_expiration_days: float | None = None
    require_partition_filter: bool = False


PLAIN = Storage()
