"""Runs a company's SQL scripts in the right order, in parallel, on BigQuery or DuckDB, through Prefect."""

__version__ = "0.1.0"
"""As in pyproject.toml. The image has the files of this package, and no metadata that could be asked for it."""
