"""How a table is stored: what a script's CREATE TABLE and the settings file beside it say. BigQuery applies all of it;
DuckDB the descriptions and `required`, and its answers are the same without the rest."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Partition:
    """Partitions by a column: of DAY, HOUR, MONTH or YEAR, or by ranges of integers (start, end, step). Without a
    column, by the time of storing: https://cloud.google.com/bigquery/docs/partitioned-tables"""

    column: str = ""
    unit: str = "DAY"
    integers: tuple[int, int, int] | None = None

    def __str__(self) -> str:
        column = self.column or "the time of storing"
        return f"{column} in ranges {self.integers}" if self.integers else f"{column} ({self.unit})"


@dataclass(frozen=True, slots=True)
class Storage:
    """A table's or view's options:
    https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#table_option_list

    `column_descriptions` and `policy_tags` have pairs of a column and its text. A build fails if a column of `required`
    has a NULL. A table expires `expires_after_days` after it was built last.
    """

    partition: Partition | None = None
    cluster_by: tuple[str, ...] = ()
    description: str = ""
    friendly_name: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    partition_expiration_days: float | None = None
    require_partition_filter: bool = False
    expires_after_days: float | None = None
    column_descriptions: tuple[tuple[str, str], ...] = ()
    required: tuple[str, ...] = ()
    policy_tags: tuple[tuple[str, str], ...] = ()


PLAIN = Storage()
