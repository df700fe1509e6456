"""Regular expressions of RE2, which BigQuery uses, where DuckDB's own functions do not say enough.

https://cloud.google.com/bigquery/docs/reference/standard-sql/string_functions#regexp_extract
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

import re2

from warehouse_refresh.warehouse.duckdb.python_functions import Refusal

Text = TypeVar("Text", str, bytes)


@lru_cache(1000)
def compiled(pattern: str | bytes) -> Any:
    """The pattern, for the bytes of a text. Raises ValueError."""
    options = re2.Options()
    options.log_errors = False
    if isinstance(pattern, bytes):
        options.encoding = re2.Options.Encoding.LATIN1
    try:
        return re2.compile(_data(pattern), options)
    except re2.error as error:
        raise ValueError(f"Cannot parse regular expression: {error.args[0].decode(errors='replace')}") from error


def _extracting(pattern: str | bytes) -> Any:
    """A pattern with one group at most. Raises ValueError."""
    found = compiled(pattern)
    if found.groups > 1:
        raise ValueError(
            "Regular expressions passed into extraction functions must not have more than 1 capturing group"
        )
    return found


def _data(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _like(text: Text, data: bytes) -> Text:
    """The bytes as what the text is."""
    return data.decode() if isinstance(text, str) else data


def _matches(pattern: str | bytes, text: str | bytes) -> Iterator[Any]:
    """The matches as BigQuery finds them: after an empty one a character is skipped; the text is the end."""
    found, data, place = _extracting(pattern), _data(text), 0
    while place < len(data) or place == 0:
        match = found.search(data, place)
        if match is None:
            return
        yield match
        place = match.end()
        if match.start() == match.end():
            place += 1
            while isinstance(text, str) and place < len(data) and data[place] & 0xC0 == 0x80:
                place += 1


def _nth(text: str | bytes, pattern: str | bytes, position: int, occurrence: int) -> Any:
    """The match in what is left of the text from the position on; None without one."""
    if position < 1:
        raise ValueError("Position must be positive")
    if occurrence < 1:
        raise ValueError("Occurrence must be positive")
    if position > max(len(text), 1):
        _extracting(pattern)
        return None
    return next(islice(_matches(pattern, text[position - 1 :]), occurrence - 1, None), None)


def regexp_extract(
    text: Text | None, pattern: Text | None, position: int | None, occurrence: int | None
) -> Text | None:
    """REGEXP_EXTRACT(text, pattern, position, occurrence)"""
    if text is None or pattern is None or position is None or occurrence is None:
        return None
    match = _nth(text, pattern, position, occurrence)
    found = None if match is None else match.group(match.re.groups)
    return None if found is None else _like(text, found)


def regexp_extract_all(text: Text | None, pattern: Text | None) -> list[Text] | None:
    """REGEXP_EXTRACT_ALL(text, pattern): "" for a group that is left out"""
    if text is None or pattern is None:
        return None
    return [_like(text, match.group(match.re.groups) or b"") for match in _matches(pattern, text)]


def regexp_instr(
    text: Text | None, pattern: Text | None, position: int | None, occurrence: int | None, after: int | None
) -> int | None:
    """REGEXP_INSTR(text, pattern, position, occurrence, after): `after` is 1 for the end of the match, else 0"""
    if text is None or pattern is None or position is None or occurrence is None or after is None:
        return None
    if after not in (0, 1):
        raise ValueError("Invalid return_position_after_match.")
    match = _nth(text, pattern, position, occurrence)
    if match is None or not pattern:
        return 0
    if match.start() == match.end():
        raise Refusal("the embedded engine cannot say where BigQuery sees an empty match: this needs BigQuery")
    place = match.span(match.re.groups)[after]
    return 0 if place < 0 else position + len(_like(text, match.string[:place]))


def regexp_contains(text: Text | None, pattern: Text | None) -> bool | None:
    """REGEXP_CONTAINS(text, pattern)"""
    if text is None or pattern is None:
        return None
    return compiled(pattern).search(_data(text)) is not None


FUNCTIONS: Mapping[str, tuple[Callable[..., Any], str]] = {
    "regexp_contains": (regexp_contains, "BOOLEAN"),
    "regexp_extract": (regexp_extract, "VARCHAR"),
    "regexp_extract_bytes": (regexp_extract, "BLOB"),
    "regexp_extract_all": (regexp_extract_all, "VARCHAR[]"),
    "regexp_extract_all_bytes": (regexp_extract_all, "BLOB[]"),
    "regexp_instr": (regexp_instr, "BIGINT"),
}
