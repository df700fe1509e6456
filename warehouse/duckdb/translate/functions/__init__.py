"""GoogleSQL's functions, by topic; importing them registers them."""

from warehouse.duckdb.translate.functions import aggregates, arrays, dates, numbers, strings, windows

__all__ = ["aggregates", "arrays", "dates", "numbers", "strings", "windows"]
