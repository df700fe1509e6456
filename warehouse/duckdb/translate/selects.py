"""SELECT: its list, grouping, HAVING, QUALIFY, DISTINCT, ORDER BY and LIMIT.

A SELECT that aggregates becomes two: the inner one groups and aggregates, the outer one computes everything else from
the keys and aggregates, so that GoogleSQL's rules of what may be read after grouping hold by construction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from warehouse.duckdb.translate import typed as t
from warehouse.duckdb.translate.comparisons import condition
from warehouse.duckdb.translate.expressions import only
from warehouse.duckdb.translate.grouping import GroupedScope, aggregates_in, grouped_scope, windows_in
from warehouse.duckdb.translate.scope import Named, Relation, Scope, field_sql
from warehouse.duckdb.translate.sources import from_clause
from warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse.duckdb.translate.text import quoted
from warehouse.duckdb.translate.typed import Typed
from warehouse.suggest import did_you_mean
from warehouse.types import Column, struct_of

CLAUSES = ("with_", "expressions", "from_", "joins", "where", "group", "having", "qualify", "windows", "order", "limit")


@dataclass(slots=True)
class Parts:
    """A SELECT's clauses as DuckDB's texts."""

    items: list[Named]
    tail: str
    order: list["OrderKey"] = field(default_factory=list)
    limit: str = ""
    distinct: bool = False


def select(node: exp.Select, outer: Scope, *, unordered: bool = False) -> Relation:
    """A SELECT as DuckDB's text."""
    only(node, outer, *CLAUSES, "offset", "distinct", "kind", "operation_modifiers")
    base = Scope(outer.script, outer)
    source = from_clause(node, base)
    if not source and any(node.args.get(name) for name in ("where", "group", "having", "order", "limit", "qualify")):
        clause = next(name for name in ("where", "group", "having", "order", "limit", "qualify") if node.args.get(name))
        if clause not in ("order", "limit"):
            wrong(outer.script.text, node, f"a SELECT without FROM cannot have {clause.upper()}")
    for window in node.args.get("windows") or ():
        base.windows[window.name.casefold()] = window
    where = node.args.get("where")
    if where is not None:
        if any(aggregates_in(where.this)):
            wrong(outer.script.text, where, "WHERE cannot hold an aggregate function", "write HAVING")
        if any(windows_in(where.this)):
            wrong(outer.script.text, where, "WHERE cannot hold a window function", "write QUALIFY")
        source += f" WHERE {condition(where.this, base, 'WHERE')}"
    return _rendered(node, _parts(node, base, source), base, unordered=unordered)


def _parts(node: exp.Select, base: Scope, source: str) -> Parts:
    scope: Scope = base
    if node.args.get("group") or _aggregates(node):
        scope = grouped_scope(node, base)
    elif node.args.get("having"):
        wrong(base.script.text, node.args["having"], "HAVING needs GROUP BY or an aggregate", "write WHERE")
    items = expanded(node, scope)
    scope.aliases = {item.name.casefold(): item.value for item in items if item.name}
    conditions = []
    if node.args.get("having"):
        conditions.append(f" WHERE {condition(node.args['having'].this, scope, 'HAVING')}")
    if node.args.get("qualify"):
        if not any(True for part in [*node.expressions, node.args["qualify"].this] for _ in windows_in(part)):
            unsupported(base.script.text, node.args["qualify"], "QUALIFY without a window function", "write WHERE")
        conditions.append(f" QUALIFY {condition(node.args['qualify'].this, scope, 'QUALIFY')}")
    distinct = bool(node.args.get("distinct"))
    if distinct and node.args["distinct"].args.get("on"):
        unsupported(base.script.text, node, "DISTINCT ON")
    order = ordering(node.args.get("order"), scope, [item.value for item in items])
    if isinstance(scope, GroupedScope):
        source = f" FROM ({scope.inner(source)}) AS {scope.own}"
    return Parts(items, source + "".join(conditions), order, limits(node, base), distinct)


def _aggregates(node: exp.Select) -> bool:
    parts = [*node.expressions, *(node.args[name] for name in ("having", "qualify", "order") if node.args.get(name))]
    return any(True for part in parts for _ in aggregates_in(part))


def _rendered(node: exp.Select, parts: Parts, scope: Scope, *, unordered: bool) -> Relation:
    kind = str(node.args.get("kind") or "").upper()
    items = parts.items
    if kind == "STRUCT":
        value = t.struct_sql(
            [item.value for item in items], struct_of(*(Column(item.name, item.value.type) for item in items))
        )
        items = [Named("", value)]
    elif kind == "VALUE":
        if len(items) != 1:
            wrong(scope.script.text, node, "SELECT AS VALUE takes one column")
        items = [Named("", items[0].value)]
    elif kind:
        unsupported(scope.script.text, node, f"SELECT AS {kind}")
    if parts.distinct:
        _check_distinct(node, scope, items)
    names = unique([item.name for item in items])
    texts = [f"{item.value.sql} AS {quoted(name)}" for item, name in zip(items, names, strict=True)]
    columns = tuple(
        Named(item.name, Typed(quoted(name), item.value.type, item.value.literal, item.value.parts))
        for item, name in zip(items, names, strict=True)
    )
    order: tuple[str, ...] = ()
    if unordered and parts.order and not parts.distinct:
        texts += [f"{key.expression} AS o_{index}" for index, key in enumerate(parts.order)]
        order = tuple(f"o_{index}{key.direction}" for index, key in enumerate(parts.order))
    word = "SELECT DISTINCT" if parts.distinct else "SELECT"
    keys = "" if order and not parts.limit else _order_by(parts, node, scope, items)
    return Relation(f"{word} {', '.join(texts)}{parts.tail}{keys}{parts.limit}", columns, bool(kind), order)


def _check_distinct(node: exp.Select, scope: Scope, items: Sequence[Named]) -> None:
    for item in items:
        if item.value.type.name in ("JSON", "GEOGRAPHY"):
            wrong(scope.script.text, node, f"SELECT DISTINCT cannot have a column of type {item.value.type}")
        if item.value.type.element is not None or item.value.type.name == "STRUCT":
            unsupported(scope.script.text, node, f"SELECT DISTINCT of {item.value.type}")


def _order_by(parts: Parts, node: exp.Select, scope: Scope, items: Sequence[Named]) -> str:
    if not parts.order:
        return ""
    if parts.distinct:
        outputs = {item.value.sql for item in items}
        for key in parts.order:
            if key.value not in outputs:
                wrong(
                    scope.script.text, node.args["order"], "ORDER BY after SELECT DISTINCT must name a selected column"
                )
    return f" ORDER BY {', '.join(map(str, parts.order))}"


def unique(names: Sequence[str]) -> list[str]:
    """Names for DuckDB: each one there, and different without regard to case."""
    found: list[str] = []
    taken: set[str] = set()
    for index, name in enumerate(names):
        own = name if name and name.casefold() not in taken else f"{name}_{index}_"
        taken.add(own.casefold())
        found.append(own)
    return found


def expanded(node: exp.Select, scope: Scope) -> list[Named]:
    """The SELECT list, `*` written out."""
    found: list[Named] = []
    for part in node.expressions:
        if isinstance(part, exp.Star):
            found += star(part, scope, _all_columns(part, scope))
        elif isinstance(part, exp.Column) and isinstance(part.this, exp.Star):
            path = [part.args[key].name for key in ("catalog", "db", "table") if part.args.get(key)]
            found += star(part.this, scope, _columns_of(part, scope, path))
        elif isinstance(part, exp.Dot) and isinstance(part.expression, exp.Star):
            found += star(part.expression, scope, fields_of(part, scope, scope.compile(part.this)))
        else:
            found.append(named(part, scope))
    if not found:
        wrong(scope.script.text, node, "the SELECT list is empty")
    return found


def named(node: exp.Expr, scope: Scope) -> Named:
    """One item of a SELECT list, with the name that GoogleSQL gives it."""
    if isinstance(node, exp.Alias):
        return Named(node.alias, scope.compile_whole(node.this))
    if isinstance(node, exp.Aliases):
        unsupported(scope.script.text, node, "several aliases of one item")
    inner = node
    name = ""
    if isinstance(inner, exp.Column | exp.Dot):
        last = inner.this if isinstance(inner, exp.Column) else inner.expression
        name = last.name if isinstance(last, exp.Identifier) else ""
    return Named(name, scope.compile_whole(node))


def _all_columns(node: exp.Expr, scope: Scope) -> list[Named]:
    if isinstance(scope, GroupedScope):
        return [Named(c.name, scope.seen(node, c.value, [c.name])) for c in scope.base.columns()]
    if not scope.sources:
        wrong(scope.script.text, node, "SELECT * needs FROM")
    return scope.columns()


def _columns_of(node: exp.Expr, scope: Scope, path: list[str]) -> list[Named]:
    """table.* or struct.*"""
    base = scope.base if isinstance(scope, GroupedScope) else scope
    if len(path) == 1:
        for source in base.sources:
            if source.alias.casefold() == path[0].casefold() and source.element is None:
                if isinstance(scope, GroupedScope):
                    return [Named(c.name, scope.seen(node, c.value, [c.name])) for c in source.columns]
                return list(source.columns)
    return fields_of(node, scope, scope.resolve(node, path))


def fields_of(node: exp.Expr, scope: Scope, value: Typed) -> list[Named]:
    """A struct's fields."""
    if value.type.name != "STRUCT":
        wrong(scope.script.text, node, f".* needs a STRUCT, not {value.type}")
    names = zip(t.field_names(value.type), value.type.fields, strict=True)
    return [Named(f.name, Typed(field_sql(value.sql, name), f.type)) for name, f in names]


def star(node: exp.Expr, scope: Scope, columns: list[Named]) -> list[Named]:
    """`*` with its EXCEPT and REPLACE."""
    only(node, scope, "except_", "replace")
    for name in (part.name for part in node.args.get("except_") or ()):
        if not any(column.name.casefold() == name.casefold() for column in columns):
            hint = did_you_mean(name, [column.name for column in columns if column.name])
            wrong(scope.script.text, node, f"EXCEPT: there is no column {name}", hint)
        columns = [column for column in columns if column.name.casefold() != name.casefold()]
    for part in node.args.get("replace") or ():
        if not any(column.name.casefold() == part.alias.casefold() for column in columns):
            wrong(scope.script.text, part, f"REPLACE: there is no column {part.alias}")
        value = scope.compile(part.this)
        columns = [Named(c.name, value) if c.name.casefold() == part.alias.casefold() else c for c in columns]
    return columns


@dataclass(frozen=True, slots=True)
class OrderKey:
    """A sort key: DuckDB's text of what is sorted by and of the direction, and the text of the value sorted."""

    expression: str
    direction: str
    value: str

    def __str__(self) -> str:
        return self.expression + self.direction


def ordering(node: exp.Expr | None, scope: Scope, outputs: Sequence[Typed]) -> list[OrderKey]:
    """ORDER BY's keys as DuckDB's texts, NULLs and NaN where GoogleSQL has them."""
    keys: list[OrderKey] = []
    for part in node.expressions if node is not None else ():
        only(part, scope, "this", "desc", "nulls_first")
        value = _order_value(part.this, scope, outputs)
        if value.type.element is not None:
            unsupported(scope.script.text, part, f"ORDER BY of {value.type}")
        if value.type.name == "JSON":
            unsupported(scope.script.text, part, "ORDER BY of JSON")
        if value.type.name in ("STRUCT", "GEOGRAPHY"):
            wrong(scope.script.text, part, f"ORDER BY cannot sort {value.type}")
        keys += order_keys(value, desc=bool(part.args.get("desc")), nulls_first=bool(part.args.get("nulls_first")))
    return keys


def order_keys(value: Typed, *, desc: bool, nulls_first: bool) -> list[OrderKey]:
    """One sort key: NaN comes right after NULL, before all numbers, as the smallest."""
    nulls = f" {'DESC' if desc else 'ASC'} NULLS {'FIRST' if nulls_first else 'LAST'}"
    texts = [value.sql]
    if value.type.name == "FLOAT64":
        texts.insert(0, f"(NOT isnan({value.sql}))")
    return [OrderKey(text, nulls, value.sql) for text in texts]


def _order_value(node: exp.Expr, scope: Scope, outputs: Sequence[Typed]) -> Typed:
    if isinstance(node, exp.Literal) and not node.args.get("is_string") and str(node.this).isdigit():
        position = int(node.this)
        if not 1 <= position <= len(outputs):
            wrong(scope.script.text, node, f"ORDER BY {position}: there are {len(outputs)} columns")
        return outputs[position - 1]
    if isinstance(node, exp.Literal | exp.Null | exp.Boolean):
        wrong(scope.script.text, node, "ORDER BY cannot sort by a literal")
    # In OVER and in aggregates, where there are no columns to name, GROUP BY's expressions are not found again.
    return scope.compile_whole(node) if outputs else scope.compile(node)


def limits(node: exp.Expr, scope: Scope) -> str:
    """LIMIT and OFFSET"""
    sql = ""
    for name in ("limit", "offset"):
        clause = node.args.get(name)
        if clause is None:
            continue
        if clause.args.get("offset") or (name == "offset" and not node.args.get("limit")):
            wrong(scope.script.text, clause, "OFFSET stands after LIMIT", "write LIMIT 10 OFFSET 5")
        if not isinstance(clause, exp.Limit | exp.Offset):
            unsupported(scope.script.text, node, type(clause).__name__.upper(), "write LIMIT")
        value = scope.compile(clause.expression)
        if isinstance(value.literal, int) and value.literal < 0:
            wrong(scope.script.text, clause, f"{name.upper()} cannot be negative")
        if not isinstance(value.literal, int):
            unsupported(scope.script.text, clause, f"{name.upper()} that is not a number", "write a number")
        sql += f" {name.upper()} {value.literal}"
    return sql
