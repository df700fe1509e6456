"""Functions that DuckDB lacks and Python computes: see `warehouse.duckdb.python_functions`."""
