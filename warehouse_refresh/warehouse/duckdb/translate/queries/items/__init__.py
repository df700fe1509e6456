"""Items of FROM that are more than a table: wildcards, pivots, arrays as rows."""
