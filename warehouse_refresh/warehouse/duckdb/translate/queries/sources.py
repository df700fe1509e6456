"""FROM: tables, WITH queries, subqueries, UNNEST and joins.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#from_clause
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NoReturn

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import boolean, only
from warehouse_refresh.warehouse.duckdb.translate.expressions.comparisons import compared
from warehouse_refresh.warehouse.duckdb.translate.functions.known import workaround_of
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    Chain,
    Column,
    FromItem,
    InParentheses,
    Item,
    Join,
    Literal,
    Name,
    Node,
    Select,
    Star,
    walk,
)
from warehouse_refresh.warehouse.duckdb.translate.queries.grouping import check_no_windows
from warehouse_refresh.warehouse.duckdb.translate.queries.items.pivots import pivot
from warehouse_refresh.warehouse.duckdb.translate.queries.items.unnesting import unnest, unnested
from warehouse_refresh.warehouse.duckdb.translate.queries.items.wildcards import wildcard
from warehouse_refresh.warehouse.duckdb.translate.scope import (
    Known,
    Named,
    Output,
    Relation,
    Scope,
    Script,
    Source,
    by_name,
    offset_of,
)
from warehouse_refresh.warehouse.duckdb.translate.syntax import (
    PREFIX,
    foreign_source,
    only_bigquery,
    place_of,
    unread,
    unsupported,
    wrong,
)
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.errors import SqlError, TableNotFound
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.coercion import plain, supertype
from warehouse_refresh.warehouse.sql.parser import is_metadata, is_one_name, span_of
from warehouse_refresh.warehouse.sql.rewriting.pipes import HERE
from warehouse_refresh.warehouse.types import Column as TableColumn


def from_clause(node: exp.Select, scope: Scope) -> Node | None:
    """The FROM clause, its names put into `scope`; None if there is none."""
    clause = node.args.get("from_")
    if clause is None:
        return None
    found = item(clause.this, scope)
    joins = [*joins_of(clause.this), *(node.args.get("joins") or ())]
    _check_nested(joins, scope)
    for join in joins:
        found = joined(found, join, scope)
    _check_aliases(scope.sources, [clause, *joins], scope)
    return found


def _check_aliases(sources: list[Source], parts: list[exp.Expr], scope: Scope) -> None:
    """Raises SqlError for an alias that two items of FROM have. `parts` are what was written."""
    names = [name.casefold() for source in sources for name in (source.alias, source.offset) if name]
    for name in names if len(set(names)) < len(names) else ():
        if names.count(name) > 1:
            items = [item for part in parts for item in part.find_all(exp.Table, exp.Subquery, exp.Unnest)]
            last = next((item for item in reversed(items) if item.alias_or_name.casefold() == name), parts[0])
            wrong(scope.script.text, last, f"two items of FROM have the alias {name}", "give each its own alias")


def _check_nested(joins: list[exp.Expr], scope: Scope) -> None:
    """Raises SqlError for `t JOIN u JOIN w ON … ON …` beside a JOIN of an array that has no condition.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#sequential_joins"""
    flat = list(_in_sequence(joins))
    nested = [join for join in flat if _has_condition(join) and _is_nested(join)]
    bare = [join for join in flat if not _has_condition(join) and join.args.get("kind") != "CROSS"]
    if nested and bare:
        reason = "beside `a JOIN b JOIN c ON … ON …` every join needs ON or USING"
        wrong(scope.script.text, nested[0], reason, "write parentheses: a JOIN (b JOIN c ON …) ON …")


def _in_sequence(joins: list[exp.Expr]) -> Iterator[exp.Expr]:
    """The joins, with those that sqlglot hangs on an UNNEST before them."""
    for join in joins:
        yield join
        if isinstance(join.this, exp.Unnest):
            yield from _in_sequence(joins_of(join.this))


def _is_nested(join: exp.Expr) -> bool:
    return not isinstance(join.this, exp.Unnest) and bool(joins_of(join.this))


def _has_condition(join: exp.Expr) -> bool:
    return bool(join.args.get("on") or join.args.get("using"))


def joins_of(node: exp.Expr) -> list[exp.Expr]:
    """sqlglot hangs the joins after some items on the item itself."""
    return list(node.args.get("joins") or ()) if isinstance(node, exp.Table | exp.Unnest | exp.Subquery) else []


def item(node: exp.Expr, scope: Scope) -> Node:
    """One FROM item, its names put into `scope`."""
    alias = node.args.get("alias")
    if alias is not None and alias.args.get("columns") and not isinstance(node, exp.Unnest):
        wrong(scope.script.text, node, "an alias in FROM names no columns", "name them in the query, with AS")
    if isinstance(node, exp.Table):
        return table(node, scope)
    if isinstance(node, exp.Subquery | exp.Paren) and (isinstance(node.this, exp.Table) or joins_of(node.this)):
        return _joins_in_parentheses(node, scope)
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
        only(node, scope, "this", "alias", "pivots", "joins", "sample")
        relation = scope.compiler.query(node.this, scope.outer())
        is_piped = node.alias == HERE or (not node.alias and not node.args.get("pivots") and relation.ranges)
        if not is_piped:
            return _pivoted(node, scope, relation, node.alias)
        sample = node.args.get("sample")
        return scope.add_pipe(_sampled(sample, scope, relation) if sample else relation)
    if isinstance(node, exp.Unnest):
        return unnest(node, scope)
    return unread(scope.script.text, node)


def _joins_in_parentheses(node: exp.Expr, scope: Scope) -> Node:
    """(a JOIN b ON …)"""
    only(node, scope, "this")
    if not joins_of(node.this):
        wrong(scope.script.text, node, "a table in parentheses needs a JOIN", "take the parentheses out")
    with scope.alone():
        found = item(node.this, scope)
        for join in joins_of(node.this):
            if isinstance(join.this, exp.Table) and _is_after_comma(join.this, scope):
                wrong(scope.script.text, join, "parentheses in FROM hold no comma", "write CROSS JOIN")
            found = joined(found, join, scope)
    return InParentheses(found)


def table(node: exp.Table, scope: Scope) -> Node:
    """A table, a WITH query, or a path into an array of an earlier item."""
    _check_name(node, scope)
    alias = node.alias or node.name
    known = scope.queries.get(node.name.casefold()) if not node.db else None
    if known is not None:
        return _pivoted(node, scope, known, alias)
    dataset = node.db or scope.script.default
    if not dataset:
        reason = f"{node.name} is neither a WITH query nor a table with its dataset"
        wrong(scope.script.text, node, reason, f"write `dataset.{node.name}`")
    first = node.catalog or node.db
    if node.db and scope.has_range(first) and not is_one_name(node):
        return unnested(node, scope, _array_of_item(node, scope, first), node.alias or node.name, None)
    name = TableName(dataset, node.name)
    if name.name.endswith("*"):
        return _pivoted(node, scope, wildcard(node, name, scope.script), node.alias)
    columns = _columns_of(name, node, scope.script)
    stored = Relation(Name((CATALOGUE, name.dataset, name.name)), tuple(map(_stored, columns)))
    found = _pivoted(node, scope, stored, alias, is_weak=_is_weak(node))
    scope.sources[-1].dataset = "" if node.alias or node.args.get("pivots") else node.db
    return found


def _array_of_item(node: exp.Table, scope: Scope, first: str) -> Typed:
    """`o.lines` after `FROM tmp.orders AS o`. Such an alias comes before a dataset of the same name."""
    try:
        return scope.resolve(node, [*([node.catalog] if node.catalog else []), node.db, node.name])
    except SqlError as error:
        written = f"`{_full_name(node, node.name)}`"
        hint = f"if this is a table, write {written}: {first} is the alias of another item of FROM"
        raise SqlError(error.reason, hint=hint, place=error.place) from error


def _is_weak(node: exp.Table) -> bool:
    """Whether a column `age` comes before the table that `` FROM `tmp.age` `` names: published scripts that BigQuery
    runs need it. For `FROM tmp.age`, and with an alias, the name is the table's row:
    https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#range_variables"""
    return not node.alias and is_one_name(node)


def _columns_of(name: TableName, node: exp.Table, script: Script) -> tuple[TableColumn, ...]:
    try:
        return script.columns(name)
    except TableNotFound as error:
        raise SqlError(str(error), place=place_of(script.text, node)) from error


def _check_name(node: exp.Table, scope: Scope) -> None:
    """Raises UnsupportedSql for anything but the names that a table of the scripts' own project may have."""
    if node.args.get("version"):
        hint = "keep the old rows in a table of their own"
        only_bigquery(scope.script.text, node, "FOR SYSTEM_TIME AS OF", hint)
    only(node, scope, "this", "db", "catalog", "alias", "joins", "pivots", "sample")
    if isinstance(node.this, exp.Dot):
        unsupported(scope.script.text, node, "a path of four names in FROM")
    if not isinstance(node.this, exp.Identifier):
        _refuse_function(node, scope)
    if is_metadata(node):
        foreign_source(scope.script.text, node, _full_name(node, node.name), _OF_BIGQUERY)
    if node.catalog and scope.has_range(node.catalog) and not is_one_name(node):
        return
    check_project(node, node.catalog, scope.script)


_KEEP = "keep what the scripts need of it in a raw table"
_OF_BIGQUERY = (
    f"it describes what BigQuery holds and does: {_KEEP}, or leave the script out where you use DuckDB (--exclude)"
)
_FAMILIES = ("", "ML", "AI")
"""What stands before the names of BigQuery's own table functions: https://cloud.google.com/bigquery/docs/table-functions"""


def _refuse_function(node: exp.Table, scope: Scope) -> NoReturn:
    """Raises ForeignSource for a table function, such as EXTERNAL_QUERY, ML.PREDICT or somebody's own."""
    call = node.this
    written = call.name if isinstance(call, exp.Anonymous) else type(call).__name__.upper()
    name = _full_name(node, written.removeprefix(PREFIX).removesuffix("$"))
    if name.rpartition(".")[0].upper() in _FAMILIES:
        foreign_source(scope.script.text, node, name.upper(), workaround_of(name.upper()) or _KEEP)
    hint = "write the query that it stands for"
    foreign_source(scope.script.text, node, f"the table function {name}", hint)


def _full_name(node: exp.Table, name: str) -> str:
    return ".".join(part for part in (node.catalog, node.db, name) if part)


def check_project(node: exp.Expr, project: str, script: Script) -> None:
    """Raises UnsupportedSql for a name of another project than the script's own; "" stands for that one."""
    if project not in ("", script.own):
        what = f"{_full_name(node, node.name)}, a table of another project" if isinstance(node, exp.Table) else project
        foreign_source(script.text, node, what, _KEEP)


def _stored(column: TableColumn) -> Output:
    """A stored column: a NUMERIC(10, 2) is read as a NUMERIC."""
    cast = "DECIMAL(38,9)" if column.type.name == "NUMERIC" and column.type.parameters else ""
    return Output(column.name, column.name, plain(column.type), cast=cast)


def _pivoted(node: exp.Expr, scope: Scope, relation: Relation, alias: str, *, is_weak: bool = False) -> Node:
    """The relation, with PIVOT or UNPIVOT if there is one, as an item of FROM."""
    pivots = node.args.get("pivots") or []
    if node.args.get("sample"):
        relation = _sampled(node.args["sample"], scope, relation)
    if not pivots:
        return scope.add(relation, alias, is_weak=is_weak)
    if len(pivots) > 1:
        unsupported(scope.script.text, node, "several PIVOTs of one table")
    return scope.add(pivot(pivots[0], scope, relation, alias), pivots[0].alias or "")


def _sampled(node: exp.Expr, scope: Scope, relation: Relation) -> Relation:
    """TABLESAMPLE SYSTEM (10 PERCENT): BigQuery takes blocks of rows by chance, here each row is taken by chance.
    https://cloud.google.com/bigquery/docs/table-sampling"""
    only(node, scope, "method", "percent")
    percent = scope.compile(node.args["percent"]).literal if node.args.get("percent") else None
    method = node.args.get("method")
    if method is None or method.name.upper().removeprefix(PREFIX.upper()) not in _METHODS:
        wrong(scope.script.text, node, "TABLESAMPLE needs a method", "write SYSTEM (10 PERCENT)")
    if not isinstance(percent, int | float) or not 0 <= percent <= 100:
        wrong(scope.script.text, node, "TABLESAMPLE takes a percentage from 0 to 100", "write SYSTEM (10 PERCENT)")
    taken = sql("random() * 100 < {p}", p=Literal(percent))
    query = Select((Star(),), FromItem(relation.query, scope.script.alias()), taken)
    return replace(relation, query=query)


_METHODS = ("SYSTEM", "BERNOULLI", "RESERVOIR")


def joined(left: Node, node: exp.Expr, scope: Scope) -> Node:
    """What is in FROM so far, with a join after it."""
    side, kind = _side_and_kind(node, scope)
    has_condition = _has_condition(node)
    if kind == "CROSS" and has_condition and not isinstance(node.this, exp.Unnest):
        reason = "CROSS JOIN takes no ON or USING"
        wrong(scope.script.text, node, reason, "write each condition right after the table of its own JOIN")
    before = _Side(list(scope.sources), list(scope.listed))
    is_nested = has_condition and _is_nested(node)
    right = _nested(node, scope) if is_nested else item(node.this, scope)
    if not has_condition and (kind == "CROSS" or not (side or kind)):
        if not kind and isinstance(node.this, exp.Table) and not _may_stand_alone(node.this, scope, before.sources):
            reason = "JOIN needs ON or USING"
            wrong(scope.script.text, node, reason, "write ON and a condition after it, or CROSS JOIN")
        found: Node = Join(left, "CROSS JOIN", right)
        for join in joins_of(node.this) if isinstance(node.this, exp.Unnest) else ():
            found = joined(found, join, scope)
        return found
    lateral = isinstance(right, FromItem) and right.lateral
    if lateral and side in ("RIGHT", "FULL"):
        unsupported(scope.script.text, node, f"{side} JOIN with an array of its left side")
    condition = _join_condition(node, scope, before, side, lateral=lateral)
    holds_query = any(isinstance(part, Select) for part in walk(condition))
    if isinstance(right, FromItem) and lateral and holds_query:
        right, condition = _filtered(right, condition), sql("true")
    both = Join(left, f"{side} JOIN".strip(), right, condition)
    return _as_query(both, scope) if side and holds_query and not lateral else both


def _as_query(both: Join, scope: Scope) -> FromItem:
    """The join as a query of its own: DuckDB fails with an internal error where a join by `<` or `<>` has an outer join
    in it whose condition holds a subquery."""
    own = scope.script.alias()
    names = {column: f"c{index}" for index, column in enumerate(dict.fromkeys(scope.stored()))}
    scope.read_by(lambda node: Column(own, names[node]) if isinstance(node, Column) and node in names else node)
    return FromItem(Select(tuple([Item(column, name) for column, name in names.items()]), both), own)


def _filtered(right: FromItem, condition: Node) -> FromItem:
    """The array's rows for which the condition holds: DuckDB takes no subquery in the condition of a LATERAL join."""
    rows = FromItem(right.query, right.alias)
    return FromItem(Select((Star(),), rows, condition), right.alias, lateral=True)


def _side_and_kind(node: exp.Expr, scope: Scope) -> tuple[str, str]:
    """The words before JOIN. Raises SqlError for those of other dialects."""
    if node.args.get("method"):
        method = str(node.args["method"]).upper()
        wrong(scope.script.text, node, f"{method} JOIN is not GoogleSQL", "write JOIN … USING (…) with its columns")
    only(node, scope, "this", "side", "kind", "on", "using", "pivots")
    side, kind = str(node.args.get("side") or "").upper(), str(node.args.get("kind") or "").upper()
    if kind not in ("", "INNER", "CROSS", "OUTER") or side not in ("", "LEFT", "RIGHT", "FULL"):
        wrong(scope.script.text, node, f"{side} {kind} JOIN is not GoogleSQL")
    return side, kind


def _is_after_comma(table: exp.Table, scope: Scope) -> bool:
    start, _ = span_of(scope.script.text, table)
    return scope.script.text[:start].rstrip().endswith(",")


def _may_stand_alone(table: exp.Table, scope: Scope, before: list[Source]) -> bool:
    """Whether a comma stands before it, or it is an array of an earlier item. sqlglot reads JOIN like a comma."""
    if any(source.alias.casefold() == table.db.casefold() for source in before):
        return True
    start, _ = span_of(scope.script.text, table)
    return not _AFTER_JOIN.search(scope.script.text, max(0, start - 2_000), start)


_AFTER_JOIN = re.compile(r"\bJOIN\s*\Z", re.IGNORECASE)


def _nested(node: exp.Expr, scope: Scope) -> Node:
    """`t JOIN u JOIN w ON … ON …`: the joins that come before t's own condition, which see u and w only."""
    for inner in [node.this, *(join.this for join in node.this.find_all(exp.Join))]:
        is_path = isinstance(inner, exp.Table) and scope.has_range(inner.db) and not is_one_name(inner)
        if isinstance(inner, exp.Unnest) or is_path:
            unsupported(scope.script.text, node, "a nested join with an array")
    for join in node.this.find_all(exp.Join):
        if not _has_condition(join):
            unsupported(scope.script.text, join, "CROSS JOIN within a nested join", "write parentheses")
    with scope.alone():
        found = item(node.this, scope)
        for join in joins_of(node.this):
            found = joined(found, join, scope)
    return InParentheses(found)


@dataclass(frozen=True, slots=True)
class _Side:
    """What is known on one side of a join."""

    sources: list[Source]
    listed: list[Named]


def _join_condition(node: exp.Expr, scope: Scope, left: _Side, side: str, *, lateral: bool) -> Node:
    """The condition of a join."""
    if node.args.get("using"):
        return using(node, scope, left, side)
    if node.args.get("on"):
        check_no_windows(node.args["on"], scope, "ON")
        return boolean(node.args["on"], scope, "ON")
    if side in ("RIGHT", "FULL") or (not lateral and not isinstance(node.this, exp.Unnest)):
        reason = f"{side or 'INNER'} JOIN needs ON or USING"
        wrong(scope.script.text, node, reason, "write ON and a condition after it, or CROSS JOIN")
    return sql("true")


def using(node: exp.Expr, scope: Scope, left: _Side, side: str) -> Node:
    """JOIN … USING (a, b): one column each, which is the left one, the right one, or whichever is there."""
    right = _Side(scope.sources[len(left.sources) :], scope.listed[len(left.listed) :])
    for one_side in (left, right):
        _check_aliases(one_side.sources, [node], scope)
    tests, merged = list[Node](), list[Named]()
    for name in {part.name.casefold(): part.name for part in node.args["using"]}.values():
        one, other = (_only_column(node, scope, columns, name) for columns in (left, right))
        tests.append(compared(node, scope, "=", one, other).node)
        kind = supertype([one, other]) or one.type
        both = sql("coalesce({a}, {b})", a=one.node, b=other.node)
        merged.append(Named(name, {"RIGHT": other, "FULL": Typed(both, kind)}.get(side, one)))
    names = {column.name.casefold() for column in merged}
    scope.listed = [*merged, *_others(scope.listed, names)]
    for source in scope.sources:
        source.forget(names)
    return Chain("AND", tuple(tests))


def _is_of_structs(source: Source) -> bool:
    """Whether the name of an UNNEST stands for structs, beside the names of their fields."""
    return source.element is not None and source.element.type.name == "STRUCT"


def _others(listed: list[Named], names: set[str]) -> list[Named]:
    """The columns that have other names, and all rows, without their fields of these names."""
    kept = (c for c in listed if c.known == Known.FIELDS or c.name.casefold() not in names)
    return [column.without(names) for column in kept]


def _only_column(node: exp.Expr, scope: Scope, side: _Side, name: str) -> Typed:
    found = [column.value for column in by_name(side.listed) if column.name.casefold() == name.casefold()]
    elements = [s.element for s in side.sources if s.element is not None and s.alias.casefold() == name.casefold()]
    if (alias := offset_of(side.sources, name.casefold()) or next(iter(elements), None)) is not None:
        found = [alias]
    if scope.is_row(name):
        reason = f"USING: {name} is a table here, not a column"
        wrong(scope.script.text, node, reason, "give the table an alias")
    if any(source.alias.casefold() == name.casefold() and _is_of_structs(source) for source in scope.sources):
        unsupported(scope.script.text, node, f"USING ({name}), the elements of an array", "write ON and an equation")
    if len(found) != 1:
        problem = "is on neither" if not found else "is ambiguous on one"
        wrong(scope.script.text, node, f"USING: column {name} {problem} side of the join")
    return found[0]
