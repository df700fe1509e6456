"""FROM: tables, WITH queries, subqueries, UNNEST and joins.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#from_clause
"""

import re

from sqlglot import exp

from warehouse.duckdb.translate import typed as t
from warehouse.duckdb.translate.coercion import supertype
from warehouse.duckdb.translate.comparisons import compared, condition
from warehouse.duckdb.translate.expressions import only
from warehouse.duckdb.translate.scope import EXPRESSIONS, Named, Relation, Scope, Script, Source, field_sql
from warehouse.duckdb.translate.syntax import place_of, unsupported, wrong
from warehouse.duckdb.translate.text import quoted, table_sql
from warehouse.duckdb.translate.typed import INT64, Typed, plain
from warehouse.errors import SqlError, TableNotFound
from warehouse.names import TableName
from warehouse.sql.parser import is_metadata
from warehouse.types import Column


def from_clause(node: exp.Select, scope: Scope) -> str:
    """The FROM clause, its names put into `scope`; "" if there is none."""
    clause = node.args.get("from_")
    if clause is None:
        return ""
    sql = item(clause.this, scope)
    for join in [*joins_of(clause.this), *(node.args.get("joins") or ())]:
        sql += joined(join, scope)
    return f" FROM {sql}"


def joins_of(node: exp.Expr) -> list[exp.Expr]:
    """sqlglot hangs the joins after some items on the item itself."""
    return list(node.args.get("joins") or ()) if isinstance(node, exp.Table | exp.Unnest) else []


def item(node: exp.Expr, scope: Scope) -> str:
    """One FROM item as DuckDB's text, its names put into `scope`."""
    if isinstance(node, exp.Table):
        return table(node, scope)
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
        only(node, scope, "this", "alias", "pivots")
        relation = EXPRESSIONS["query"](node.this, scope.outer())
        return _pivoted(node, scope, relation, node.alias)
    if isinstance(node, exp.Unnest):
        return unnest(node, scope)
    if isinstance(node, exp.Subquery | exp.Paren) and isinstance(node.this, exp.Table):
        only(node, scope, "this")
        inner = item(node.this, scope)
        return f"({inner}{''.join(joined(join, scope) for join in joins_of(node.this))})"
    return unsupported(scope.script.text, node, f"{type(node).__name__} in FROM")


def table(node: exp.Table, scope: Scope) -> str:
    """A table, a WITH query, or a path into an array of an earlier item."""
    _check_name(node, scope)
    alias = node.alias or node.name
    if not node.db:
        known = scope.queries.get(node.name.casefold())
        if known is None:
            wrong(
                scope.script.text,
                node,
                f"{node.name} is neither a WITH query nor a table with its dataset",
                f"write `dataset.{node.name}`",
            )
        return _pivoted(node, scope, known, alias)
    if scope.has_range(node.db):
        value = scope.resolve(node, [node.db, node.name])
        return unnested(node, scope, value, node.alias or node.name, None)
    name = TableName(node.db, node.name)
    try:
        columns = scope.script.columns(name)
    except TableNotFound as error:
        raise SqlError(str(error), place=place_of(scope.script.text, node)) from error
    named = tuple(Named(column.name, _stored(column)) for column in columns)
    return _pivoted(node, scope, Relation(table_sql(name), named), alias)


def _check_name(node: exp.Table, scope: Scope) -> None:
    """Raises UnsupportedSql for anything but the names that a table of the scripts' own project may have."""
    only(node, scope, "this", "db", "catalog", "alias", "joins", "pivots")
    if isinstance(node.this, exp.Dot):
        unsupported(scope.script.text, node, "path of four names in FROM")
    if not isinstance(node.this, exp.Identifier):
        unsupported(scope.script.text, node, "table functions")
    if is_metadata(node):
        unsupported(scope.script.text, node, node.name)
    if node.catalog and scope.has_range(node.catalog):
        unsupported(scope.script.text, node, "path of three names in FROM")
    check_project(node, node.catalog, scope.script)


def check_project(node: exp.Expr, project: str, script: Script) -> None:
    """Raises UnsupportedSql for a name of another project than the script's own; "" stands for that one."""
    if project not in ("", script.own):
        unsupported(script.text, node, f"tables of another project ({project})")


def _stored(column: Column) -> Typed:
    """A stored column: a NUMERIC(10, 2) is read as a NUMERIC."""
    if column.type.name == "NUMERIC" and column.type.parameters:
        return Typed(f"CAST(<>{quoted(column.name)} AS DECIMAL(38,9))", t.NUMERIC)
    return Typed(quoted(column.name), plain(column.type))


def _pivoted(node: exp.Expr, scope: Scope, relation: Relation, alias: str) -> str:
    """The relation, with PIVOT or UNPIVOT if there is one, as an item of FROM."""
    pivots = node.args.get("pivots") or []
    if not pivots:
        return add(scope, relation, alias)
    if len(pivots) > 1:
        unsupported(scope.script.text, node, "several PIVOTs of one table")
    relation = EXPRESSIONS["pivot"](pivots[0], scope, relation, alias)
    return add(scope, relation, pivots[0].alias or "")


def add(scope: Scope, relation: Relation, alias: str) -> str:
    """Put a relation into the scope; gives its DuckDB text with an alias of its own."""
    own = scope.script.alias()
    columns = [Named(c.name, reference(own, c.value)) for c in relation.columns]
    if relation.is_value:
        scope.sources.append(value_source(alias, columns[0].value))
    else:
        scope.sources.append(Source(alias, columns))
    inner = relation.sql if relation.is_name else f"({relation.sql})"
    return f"{inner} AS {own}"


def reference(alias: str, value: Typed) -> Typed:
    """A relation's column, seen from outside: no literal any more."""
    sql = value.sql.replace("<>", f"{alias}.") if "<>" in value.sql else f"{alias}.{value.sql}"
    return Typed(sql, value.type)


def value_source(alias: str, element: Typed) -> Source:
    """A range variable that is a value: a struct's fields are its columns."""
    if element.type.name == "STRUCT":
        names = zip(t.field_names(element.type), element.type.fields, strict=True)
        columns = [Named(field.name, Typed(field_sql(element.sql, name), field.type)) for name, field in names]
    else:
        columns = [Named(alias, element)]
    return Source(alias, columns, element)


def unnest(node: exp.Unnest, scope: Scope) -> str:
    """UNNEST(array) [AS x] [WITH OFFSET [AS i]]"""
    only(node, scope, "expressions", "alias", "offset", "joins", "explode_array")
    if len(node.expressions) != 1:
        unsupported(scope.script.text, node, "UNNEST of several arrays")
    value = scope.compile(node.expressions[0])
    alias = node.args.get("alias")
    columns = (alias.args.get("columns") or []) if alias else []
    name = columns[0].name if columns else (node.alias or "")
    offset = node.args.get("offset")
    place = offset.name if isinstance(offset, exp.Identifier) else "offset" if offset else None
    return unnested(node, scope, value, name, place)


def unnested(node: exp.Expr, scope: Scope, value: Typed, alias: str, offset: str | None) -> str:
    """An array's elements as rows, its names put into `scope`."""
    if value.type.element is None:
        wrong(
            scope.script.text,
            node,
            f"UNNEST takes an array, not {value.type}",
            "name an ARRAY, or make one: SPLIT(…), […]",
        )
    own = scope.script.alias()
    source = value_source(alias, Typed(f"{own}.v", value.type.element))
    if offset is not None:
        source.columns.append(Named(offset, Typed(f"{own}.o", INT64)))
    word = "LATERAL " if _depends(value.sql, scope) else ""
    scope.sources.append(source)
    return f"{word}(SELECT unnest({value.sql}) AS v, unnest(range(len({value.sql}))) AS o) AS {own}"


def _depends(sql: str, scope: Scope) -> bool:
    """Whether the text refers to an item of this FROM."""
    own = {
        name
        for source in scope.sources
        for column in source.columns
        for name in re.findall(r"\bt\d+\b", column.value.sql)
    }
    own |= {name for source in scope.sources if source.element for name in re.findall(r"\bt\d+\b", source.element.sql)}
    return bool(own & set(re.findall(r"\bt\d+\b", sql)))


def joined(node: exp.Expr, scope: Scope) -> str:
    """A join as DuckDB's text."""
    only(node, scope, "this", "side", "kind", "on", "using", "pivots")
    side, kind = str(node.args.get("side") or "").upper(), str(node.args.get("kind") or "").upper()
    if kind not in ("", "INNER", "CROSS", "OUTER") or side not in ("", "LEFT", "RIGHT", "FULL"):
        wrong(scope.script.text, node, f"{side} {kind} JOIN is not GoogleSQL")
    left = list(scope.sources)
    right = item(node.this, scope)
    words = f" {side} JOIN " if side else " JOIN "
    if kind == "CROSS" or not (side or kind or node.args.get("on") or node.args.get("using")):
        return f" CROSS JOIN {right}{_more(node, scope)}"
    if right.startswith("LATERAL") and side in ("RIGHT", "FULL"):
        unsupported(scope.script.text, node, f"{side} JOIN with an array of its left side")
    if node.args.get("using"):
        return f"{words}{right} ON {using(node, scope, left, side)}"
    if not node.args.get("on"):
        if isinstance(node.this, exp.Unnest) or right.startswith("LATERAL"):
            return f"{words}{right} ON true"
        reason = f"{side or 'INNER'} JOIN needs ON or USING"
        wrong(scope.script.text, node, reason, "write ON and a condition after it, or CROSS JOIN")
    return f"{words}{right} ON {condition(node.args['on'], scope, 'ON')}"


def _more(node: exp.Expr, scope: Scope) -> str:
    return "".join(joined(join, scope) for join in joins_of(node.this)) if isinstance(node.this, exp.Unnest) else ""


def using(node: exp.Expr, scope: Scope, left: list[Source], side: str) -> str:
    """JOIN … USING (a, b): one column each, which is the left one, the right one, or whichever is there."""
    right = [source for source in scope.sources if source not in left]
    tests = []
    for name in (part.name for part in node.args["using"]):
        one, other = (_only_column(node, scope, sources, name) for sources in (left, right))
        tests.append(compared(node, scope, "=", one, other).sql)
        kind = supertype([one, other]) or one.type
        both = f"coalesce({one.sql}, {other.sql})"
        merged = {"RIGHT": other, "FULL": Typed(both, kind)}.get(side, one)
        scope.merged[name.casefold()] = Named(name, merged)
    return " AND ".join(tests)


def _only_column(node: exp.Expr, scope: Scope, sources: list[Source], name: str) -> Typed:
    merged = scope.merged.get(name.casefold())
    if merged is not None and any(source in sources for source in scope.sources[:1]):
        return merged.value
    found = [c.value for source in sources for c in source.columns if c.name.casefold() == name.casefold()]
    if len(found) != 1:
        problem = "is on neither" if not found else "is ambiguous on one"
        wrong(scope.script.text, node, f"USING: column {name} {problem} side of the join")
    return found[0]
