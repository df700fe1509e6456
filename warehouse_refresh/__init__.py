"""Runs a company's SQL scripts in the right order, in parallel, on BigQuery or DuckDB, through Prefect."""
