"""GoogleSQL's functions, by topic; importing them registers them."""

from warehouse.duckdb.translate.functions import (
    aggregates,
    arrays,
    date_formats,
    dates,
    json,
    numbers,
    strings,
    windows,
)

__all__ = ["aggregates", "arrays", "date_formats", "dates", "json", "numbers", "strings", "windows"]
