"""Names of tables and columns."""

import re
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


_RESERVED = (
    "_TABLE_|_FILE_|_PARTITION|_ROW_TIMESTAMP|__ROOT__|_COLIDENTIFIER|_CHANGE_(?:SEQUENCE_NUMBER|TYPE|TIMESTAMP)"
)
_RESERVED_NAME = re.compile(_RESERVED, re.IGNORECASE)
_PLAIN_NAME = re.compile(rf"(?!{_RESERVED})\w{{1,300}}", re.IGNORECASE | re.ASCII)
_NOT_IN_NAMES = re.compile(r"""[!"$()*,./;?@\[\\\]^`{}~\x00-\x1f\x7f]""")


def why_unstorable(column: str, *, is_field: bool = False) -> str:
    """Why no table of BigQuery has a column, or a field of a STRUCT, of this name; "" if one may. Letters of all
    languages, blanks and some signs are allowed: https://cloud.google.com/bigquery/docs/schemas#column_names"""
    if _PLAIN_NAME.fullmatch(column):
        return ""
    if not is_field and (reserved := _RESERVED_NAME.match(column)):
        return f"its name begins with {reserved[0]}, which BigQuery keeps for its own columns"
    if len(column) > 300:
        return "its name has more than 300 characters"
    found = _NOT_IN_NAMES.search(column)
    return f"its name has {found[0]!r}, which BigQuery does not allow in names" if found else ""
