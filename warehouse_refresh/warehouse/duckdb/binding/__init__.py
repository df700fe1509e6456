"""Binds translated queries over empty tables, so that what DuckDB would reject is refused before anything runs."""
