"""PIVOT and UNPIVOT.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#pivot_operator
"""

from sqlglot import exp

from warehouse.duckdb.translate import typed as t
from warehouse.duckdb.translate.coercion import coerce
from warehouse.duckdb.translate.expressions import common
from warehouse.duckdb.translate.functions.windows import put_over
from warehouse.duckdb.translate.scope import EXPRESSIONS, Named, Relation, Scope
from warehouse.duckdb.translate.selects import unique
from warehouse.duckdb.translate.sources import add
from warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse.duckdb.translate.text import quoted, string_sql
from warehouse.duckdb.translate.typed import STRING, Typed


def pivot(node: exp.Pivot, scope: Scope, relation: Relation, alias: str) -> Relation:
    """A relation with PIVOT or UNPIVOT as a new one."""
    inner = Scope(scope.script, scope.parent, scope.queries)
    source = add(inner, relation, alias)
    if len(node.args.get("fields") or ()) != 1:
        unsupported(scope.script.text, node, "this form of PIVOT")
    if node.args.get("unpivot"):
        return _unpivoted(node, inner, source)
    return _pivoted(node, inner, source)


EXPRESSIONS["pivot"] = pivot


def _pivoted(node: exp.Pivot, scope: Scope, source: str) -> Relation:
    field = node.args["fields"][0]
    subject = scope.compile(field.this)
    used = {column.name.casefold() for part in [field.this, *node.expressions] for column in part.find_all(exp.Column)}
    columns = [column for column in scope.columns() if column.name.casefold() not in used]
    found = [Named(column.name, column.value) for column in columns]
    for item in field.expressions:
        value, name = _value(item, scope)
        same = coerce(value, subject.type)
        if same is None:
            wrong(scope.script.text, item, f"PIVOT: {value.type} cannot be compared with {subject.type}")
        for part in node.expressions:
            call = part.unalias()
            prefix = part.alias if isinstance(part, exp.Alias) else ""
            if not prefix and len(node.expressions) > 1:
                wrong(scope.script.text, part, "each of several PIVOT expressions needs an alias")
            result: Typed = EXPRESSIONS["aggregate"](call, scope)
            if " FILTER (" in result.sql or "list_transform" in result.sql:
                unsupported(scope.script.text, part, "this aggregate in PIVOT")
            sql = put_over(result.sql, f"FILTER (WHERE {subject.sql} IS NOT DISTINCT FROM {same.sql})")
            found.append(Named(f"{prefix}_{name}" if prefix else name, Typed(sql, result.type)))
    names = unique([column.name for column in found])
    texts = [f"{column.value.sql} AS {quoted(name)}" for column, name in zip(found, names, strict=True)]
    keys = ", ".join(column.value.sql for column in columns)
    sql = f"SELECT {', '.join(texts)} FROM {source}{f' GROUP BY {keys}' if keys else ''}"
    return Relation(sql, _outputs(found, names))


def _outputs(found: list[Named], names: list[str]) -> tuple[Named, ...]:
    pairs = zip(found, names, strict=True)
    return tuple(Named(column.name, Typed(quoted(name), column.value.type)) for column, name in pairs)


def _value(item: exp.Expr, scope: Scope) -> tuple[Typed, str]:
    """A PIVOT value and the name that it gives its columns."""
    node = item.this if isinstance(item, exp.PivotAlias | exp.Alias) else item
    value = scope.compile(node)
    if isinstance(item, exp.PivotAlias | exp.Alias):
        return value, item.args["alias"].name
    if isinstance(value.literal, str) and value.type == STRING and value.literal.replace("_", "a").isidentifier():
        return value, value.literal
    if isinstance(value.literal, int) and value.literal >= 0:
        return value, f"_{value.literal}"
    return unsupported(scope.script.text, item, "PIVOT value without an alias", "write AS and a name after it")


def _unpivoted(node: exp.Pivot, scope: Scope, source: str) -> Relation:
    field = node.args["fields"][0]
    if len(node.expressions) != 1 or any(isinstance(item.unalias(), exp.Tuple) for item in field.expressions):
        unsupported(scope.script.text, node, "UNPIVOT of several columns at once")
    values, labels = [], []
    for item in field.expressions:
        labelled = isinstance(item, exp.PivotAlias | exp.Alias)
        column = item.this if labelled else item
        label = item.args["alias"] if labelled else None
        if labelled and not (isinstance(label, exp.Literal) and label.args.get("is_string")):
            unsupported(scope.script.text, item, "UNPIVOT name that is not a STRING")
        values.append(scope.compile(column))
        labels.append(label.name if label is not None else column.name)
    used = {
        (item.this if isinstance(item, exp.PivotAlias | exp.Alias) else item).name.casefold()
        for item in field.expressions
    }
    kind, found = common(node, scope, "UNPIVOT", values)
    if any(not t.same(value.type, kind) for value in values):
        wrong(scope.script.text, node, "UNPIVOT: the columns must have one type")
    others = [column for column in scope.columns() if column.name.casefold() not in used]
    pairs = ", ".join(
        f"{{'v': {value.sql}, 'k': {string_sql(label)}}}" for value, label in zip(found, labels, strict=True)
    )
    texts = "".join(f"{column.value.sql} AS c{index}, " for index, column in enumerate(others))
    keep = "" if node.args.get("include_nulls") else " WHERE u.s.v IS NOT NULL"
    outputs = [Named(column.name, Typed(f"u.c{index}", column.value.type)) for index, column in enumerate(others)]
    outputs.append(Named(node.expressions[0].name, Typed("u.s.v", kind)))
    outputs.append(Named(field.this.name, Typed("u.s.k", STRING)))
    names = unique([column.name for column in outputs])
    listed = ", ".join(f"{column.value.sql} AS {quoted(name)}" for column, name in zip(outputs, names, strict=True))
    sql = f"SELECT {listed} FROM (SELECT {texts}unnest([{pairs}]) AS s FROM {source}) AS u{keep}"
    return Relation(sql, _outputs(outputs, names))
