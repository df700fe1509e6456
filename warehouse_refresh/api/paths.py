"""The paths of the API itself. A raw table with such a name is reached at /tables/<table>."""

RESERVED = frozenset({"run", "health", "schema", "metrics", "tables", "catalogue"})


def table_path(name: str) -> str:
    """The shortest path that reaches the raw table."""
    return f"/tables/{name}" if name in RESERVED else f"/{name}"
