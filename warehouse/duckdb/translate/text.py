"""DuckDB's SQL as text: names, literals, expressions that are used twice."""

from warehouse.names import TableName

CATALOGUE = "warehouse"
"""What DuckDB calls the file."""


def quoted(name: str) -> str:
    """A name as DuckDB's identifier."""
    return '"' + name.replace('"', '""') + '"'


def schema_sql(dataset: str) -> str:
    """A dataset as DuckDB's schema, with the catalogue: `system.x` alone would be a table of DuckDB's own."""
    return f"{quoted(CATALOGUE)}.{quoted(dataset)}"


def table_sql(table: TableName) -> str:
    """A table's name, with its dataset and the catalogue."""
    return f"{schema_sql(table.dataset)}.{quoted(table.name)}"


def string_sql(text: str) -> str:
    """A text as DuckDB's literal."""
    if "\0" in text:
        return "(" + " || chr(0) || ".join(string_sql(part) for part in text.split("\0")) + ")"
    return "'" + text.replace("'", "''") + "'"


def is_simple(sql: str) -> bool:
    """Short and cheap enough to be written twice."""
    return len(sql) < 80 and "(" not in sql and "v_." not in sql


def bind(template: str, /, **arguments: str) -> str:
    """The template with its arguments put in, where one that is used twice is computed once."""
    shared = {n: sql for n, sql in arguments.items() if template.count("{" + n + "}") > 1 and not is_simple(sql)}
    if not shared:
        return template.format(**arguments)
    places = {name: f"v_.{name}" for name in shared}
    body = template.format(**{**arguments, **places})
    fields = ", ".join(f"'{name}': {sql}" for name, sql in shared.items())
    return f"list_transform([{{{fields}}}], lambda v_: {body})[1]"


def attempt(sql: str) -> str:
    """NULL where the expression fails. DuckDB's TRY takes no `error(…)`, so that becomes NULL by itself."""
    index = sql.find("error(")
    while index >= 0:
        end = closing(sql, index + len("error"))
        sql = f"{sql[:index]}NULL{sql[end + 1 :]}"
        index = sql.find("error(", index)
    return f"TRY({sql})"


def closing(sql: str, start: int) -> int:
    """Where the parenthesis that opens at `start` closes; quotes are skipped."""
    depth, index = 0, start
    while index < len(sql):
        char = sql[index]
        if char in "'\"":
            index = sql.index(char, index + 1)
        depth += (char == "(") - (char == ")")
        if depth == 0 and char == ")":
            return index
        index += 1
    raise AssertionError(sql)


def bytes_sql(data: bytes) -> str:
    """Bytes as DuckDB's literal."""
    return "'" + "".join(f"\\x{byte:02X}" for byte in data) + "'::BLOB"
