"""`*` in a SELECT list, with its EXCEPT, REPLACE and RENAME.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#select_
"""

from dataclasses import replace

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import only
from warehouse_refresh.warehouse.duckdb.translate.nodes import Field
from warehouse_refresh.warehouse.duckdb.translate.scope import Known, Named, Scope, Source, by_name, fields_of
from warehouse_refresh.warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.sql.rewriting.pipes import HERE
from warehouse_refresh.warehouse.suggest import did_you_mean


def is_star_of_value(node: exp.Expr) -> bool:
    """Whether it is `.*` of an expression that is no path of names."""
    return isinstance(node, exp.Dot) and isinstance(node.expression, exp.Star)


def starred(node: exp.Expr, scope: Scope) -> list[Named] | None:
    """What `*`, `table.*` or `struct.*` stands for, its EXCEPT, REPLACE and RENAME aside; None for any other item."""
    if isinstance(node, exp.Star):
        if not scope.sources and not scope.listed:
            wrong(scope.script.text, node, "SELECT * needs FROM")
        return scope.listed if is_of_pipe(node) else scope.columns()
    if isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
        path = [node.args[key].name for key in ("catalog", "db", "table") if node.args.get(key)]
        for source in scope.sources if len(path) == 1 else ():
            if source.alias.casefold() == path[0].casefold() and source.element is None and not source.missing:
                return [part for c in source.columns for part in ([c] if c.fields is None else fields_of(c.value))]
        return struct_star(node, scope, scope.resolve(node, path))
    return None


def is_of_pipe(star: exp.Expr) -> bool:
    """Whether the star was written for a pipe operator."""
    return any(part.name == HERE for part in star.args.get("except_") or ())


def is_field_of(column: Named, source: Source) -> bool:
    """Whether the column is a field of the source's elements."""
    node = column.value.node
    return source.element is not None and isinstance(node, Field) and node.struct == source.element.node


def is_of_values(scope: Scope) -> bool:
    """Whether a pipe is a single UNNEST or table of values, with nothing beside it."""
    if not scope.is_of_values or len(scope.sources) != 1 or scope.sources[0].element is None:
        return False
    element = scope.sources[0].element.node
    return all(column.value.node == element for column in scope.listed)


def star_of(node: exp.Expr) -> exp.Expr:
    """The star of an item, with its EXCEPT, REPLACE and RENAME."""
    if isinstance(node, exp.Star):
        return node
    found: exp.Expr = node.expression if isinstance(node, exp.Dot) else node.this
    return found


def struct_star(node: exp.Expr, scope: Scope, value: Typed) -> list[Named]:
    """A struct's fields."""
    if value.type.name != "STRUCT":
        wrong(scope.script.text, node, f".* needs a STRUCT, not {value.type}")
    return fields_of(value)


def star(node: exp.Expr, scope: Scope, columns: list[Named]) -> list[Named]:
    """`*` with its EXCEPT, REPLACE and RENAME."""
    only(node, scope, "except_", "replace", "rename")
    columns = without_excepted(node, scope, columns)
    new = replaced(node)
    columns = [
        c if c.name.casefold() in new else replace(c, value=scope.seen(node, c.value, [c.name])) for c in columns
    ]
    for part in node.args.get("replace") or ():
        if not any(column.name.casefold() == part.alias.casefold() for column in columns):
            wrong(scope.script.text, part, f"REPLACE: there is no column {part.alias}")
        if sum(column.name.casefold() == part.alias.casefold() for column in columns) > 1:
            wrong(scope.script.text, part, f"REPLACE: column {part.alias} is ambiguous")
        if sum(part.alias.casefold() == other.alias.casefold() for other in node.args["replace"]) > 1:
            wrong(scope.script.text, part, f"REPLACE names column {part.alias} twice")
        value = scope.compile_whole(part.this)
        names = {part.alias.casefold()}
        columns = [_given(c, value) if c.name.casefold() in names else c.without(names) for c in columns]
    return renamed(node, scope, columns)


def _given(column: Named, value: Typed) -> Named:
    """The column with a new value, which is no row of FROM."""
    known = Known.ITSELF if column.known == Known.FIELDS else column.known
    return Named(column.name, value, known=known)


def renamed(node: exp.Expr, scope: Scope, columns: list[Named]) -> list[Named]:
    """The columns with the names that |> RENAME gives them: all at once, so that two may change places."""
    names = dict[str, str]()
    for part in node.args.get("rename") or ():
        old = part.this.name.casefold()
        if any(old in (source.alias.casefold(), source.offset.casefold()) for source in scope.sources):
            reason = f"RENAME: {part.this.name} is a table's alias, and not only a column"
            wrong(scope.script.text, part, reason, "write |> SELECT with the column and its new name")
        known = [column for column in by_name(scope.listed) if column.name.casefold() == old]
        if not known or not any(column.name.casefold() == old for column in columns):
            wrong(scope.script.text, part, f"RENAME: there is no column {part.this.name}")
        if len(known) > 1:
            wrong(scope.script.text, part, f"RENAME: column {part.this.name} is ambiguous")
        if old in names:
            wrong(scope.script.text, part, f"RENAME names column {part.this.name} twice")
        names[old] = part.alias
    return [replace(column, name=names.get(column.name.casefold(), column.name)) for column in columns]


def without_excepted(node: exp.Expr, scope: Scope, columns: list[Named]) -> list[Named]:
    """The columns without those that EXCEPT names."""
    for part in node.args.get("except_") or ():
        name = part.name
        if name == HERE:
            continue
        if isinstance(part, exp.Column) and part.args.get("table"):
            unsupported(scope.script.text, part, "EXCEPT of a column whose name holds a dot", "name the others")
        if not any(column.name.casefold() == name.casefold() for column in columns):
            hint = did_you_mean(name, [column.name for column in columns if column.name])
            wrong(scope.script.text, node, f"EXCEPT: there is no column {name}", hint)
        names = {name.casefold()}
        columns = [column.without(names) for column in columns if column.name.casefold() not in names]
        if not columns:
            wrong(scope.script.text, node, "EXCEPT leaves no column of *", "take both out")
    return columns


def replaced(node: exp.Expr) -> set[str]:
    """The names that REPLACE gives new values."""
    return {part.alias.casefold() for part in node.args.get("replace") or ()}
