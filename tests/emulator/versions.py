"""Tables as they were before a clone replaced them; runs in the emulator's own virtual environment.

BigQuery keeps each version of a table for seven days, and a clone may be made of one:
https://cloud.google.com/bigquery/docs/table-clones-create#create_a_table_clone_from_data_at_a_previous_time
Here only those versions are kept that a clone has replaced.
"""

import time
from dataclasses import dataclass
from typing import Any

from bqemulator.domain.errors import InvalidQueryError
from bqemulator.storage.sql_identifiers import quoted_table_ref

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Version:
    """A table until a moment, in microseconds: its entry in the catalog and its rows; neither if it was not there."""

    until: int
    entry: Any
    rows: str


VERSIONS: dict[Key, list[Version]] = {}


def remember(key: Key, entry: Any, context: Any) -> None:
    """Keep the table, which is going to be replaced."""
    versions = VERSIONS.setdefault(key, [])
    rows = quoted_table_ref(key[0], key[1], f"{key[2]}_before_{len(versions)}")
    if entry is not None:
        context.engine.execute(f"CREATE OR REPLACE TABLE {rows} AS FROM {quoted_table_ref(*key)}")
    versions.append(Version(time.time_ns() // 1000, entry, rows))


def at(key: Key, moment: int, context: Any) -> Version:
    """The table as it was at the moment, in microseconds."""
    current = Version(0, context.catalog.get_table(*key), quoted_table_ref(*key))
    found = next((version for version in VERSIONS.get(key, ()) if version.until > moment), current)
    if found.entry is None:
        raise InvalidQueryError("Not found: Table {}:{}.{} at the requested time".format(*key))
    return found
