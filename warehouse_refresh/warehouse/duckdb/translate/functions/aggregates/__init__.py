"""Aggregate functions of GoogleSQL in DuckDB's SQL."""
