"""GoogleSQL's functions, by topic; importing them registers them."""

from warehouse.duckdb.translate.functions import (
    aggregates,
    arrays,
    date_arithmetic,
    date_formats,
    date_parts,
    date_values,
    dates,
    intervals,
    json,
    numbers,
    strings,
    windows,
)

__all__ = [
    "aggregates",
    "arrays",
    "date_arithmetic",
    "date_formats",
    "date_parts",
    "date_values",
    "dates",
    "intervals",
    "json",
    "numbers",
    "strings",
    "windows",
]
