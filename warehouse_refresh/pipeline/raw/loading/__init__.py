"""Load raw tables from the databases that their settings name."""
