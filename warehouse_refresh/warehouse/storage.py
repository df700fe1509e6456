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


def storage_words(storage: Storage) -> list[str]:
    """How a table is stored, for people, each option in a few words; descriptions are left out."""
    days = storage.partition_expiration_days
    said = {
        f"partitions by {storage.partition}": storage.partition,
        f"a partition expires after {days or 0:g} days": days,
        f"clusters by {', '.join(storage.cluster_by)}": storage.cluster_by,
        "queries must name partitions": storage.require_partition_filter,
        f"expires {storage.expires_after_days or 0:g} days after its last build": storage.expires_after_days,
        f"labels {', '.join(f'{name}={value}' for name, value in storage.labels)}": storage.labels,
        f"policy tags on {', '.join(name for name, _ in storage.policy_tags)}": storage.policy_tags,
        f"no NULL in {', '.join(storage.required)}": storage.required,
    }
    return [words for words, value in said.items() if value]
