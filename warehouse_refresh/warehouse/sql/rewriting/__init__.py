"""GoogleSQL, rewritten so that sqlglot can read it."""
