"""Names of tables."""

from typing import NamedTuple

OWN_DATASET = "_warehouse"
"""The dataset of this project's own tables. BigQuery hides datasets whose name begins with an underscore:
https://cloud.google.com/bigquery/docs/datasets#dataset-naming"""


class TableName(NamedTuple):
    """A table in a dataset, printed `tmp.variants`. A tuple, since a refresh of a thousand scripts looks names up
    200,000 times, and Python hashes and compares tuples faster than a class's own fields."""

    dataset: str
    name: str

    def __str__(self) -> str:
        return f"{self.dataset}.{self.name}"

    @classmethod
    def parse(cls, text: str) -> "TableName":
        """Read `tmp.variants`. Raises ValueError for anything but two non-empty parts."""
        dataset, dot, name = text.partition(".")
        if not (dataset and dot and name) or "." in name:
            raise ValueError(f"{text!r} is not a table's name: write dataset.table")
        return cls(dataset, name)

    def folded(self) -> "TableName":
        """The same name without regard to case, to tell names apart that people would confuse."""
        return TableName(self.dataset.casefold(), self.name.casefold())
