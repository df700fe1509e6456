"""The raw tables: the scripts and files that fill them, and their columns."""
