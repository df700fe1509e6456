"""GoogleSQL's functions, by topic; importing them registers them."""

from warehouse.duckdb.translate.functions import aggregates, numbers, strings, windows

__all__ = ["aggregates", "numbers", "strings", "windows"]
