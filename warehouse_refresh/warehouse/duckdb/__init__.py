"""The embedded engine: GoogleSQL, translated, on one DuckDB file."""
