"""GoogleSQL on DuckDB, held to Google's own reference engine."""
