"""SELECT: its list, grouping, HAVING, QUALIFY, DISTINCT, ORDER BY and LIMIT.

A SELECT that aggregates becomes two: the inner one groups and aggregates, the outer one computes everything else from
the keys and aggregates, so that GoogleSQL's rules of what may be read after grouping hold by construction.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate import syntax
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import boolean, only
from warehouse_refresh.warehouse.duckdb.translate.functions.windows import merged
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    Chain,
    Field,
    FromItem,
    Item,
    Node,
    Select,
    SortKey,
    Star,
    reads,
    rebuilt,
)
from warehouse_refresh.warehouse.duckdb.translate.nodes import Column as ColumnNode
from warehouse_refresh.warehouse.duckdb.translate.queries.grouping import (
    GroupedScope,
    aggregates_in,
    check_no_windows,
    grouped_scope,
    is_aggregate,
    list_items,
    windows_in,
)
from warehouse_refresh.warehouse.duckdb.translate.queries.ordering import is_literal, limits, ordering
from warehouse_refresh.warehouse.duckdb.translate.queries.relations import unique, without_literals
from warehouse_refresh.warehouse.duckdb.translate.queries.sources import from_clause
from warehouse_refresh.warehouse.duckdb.translate.queries.stars import (
    is_field_of,
    is_of_pipe,
    is_of_values,
    is_star_of_value,
    replaced,
    star,
    star_of,
    starred,
    struct_star,
)
from warehouse_refresh.warehouse.duckdb.translate.queries.window_keys import with_plain_windows
from warehouse_refresh.warehouse.duckdb.translate.scope import Known, Named, Output, Range, Relation, Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of_item, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed, struct_value
from warehouse_refresh.warehouse.sql.coercion import is_groupable
from warehouse_refresh.warehouse.sql.rewriting.pipes import PIPE
from warehouse_refresh.warehouse.types import Column, struct_of

CLAUSES = ("with_", "expressions", "from_", "joins", "where", "group", "having", "qualify", "windows", "order", "limit")


def select(node: exp.Select, outer: Scope, *, unordered: bool = False) -> Relation:
    """A SELECT. `unordered` leaves its order to the reader, in `Relation.order`."""
    only(node, outer, *CLAUSES, "offset", "distinct", "kind", "operation_modifiers")
    base = Scope(outer.script, outer)
    bare = Select((), from_clause(node, base))
    if bare.source is None:
        _check_without_from(node, outer)
    for window in node.args.get("windows") or ():
        _name_window(window, base)
    where = node.args.get("where")
    if where is not None:
        if any(aggregates_in(where.this)):
            wrong(outer.script.text, where, "WHERE cannot hold an aggregate function", "write HAVING")
        check_no_windows(where.this, outer, "WHERE")
        bare = replace(bare, where=boolean(where.this, base, "WHERE"))
    return _listed(node, base, bare, unordered=unordered)


def _name_window(window: exp.Expr, scope: Scope) -> None:
    """WINDOW name AS (…): its specification may name only those before it."""
    name, alias = window.name.casefold(), window.args.get("alias")
    if name in scope.windows:
        wrong(scope.script.text, window, f"two windows are named {window.name}")
    if alias is not None and alias.name.casefold() not in scope.windows:
        wrong(scope.script.text, window, f"there is no window {alias.name} before this one")
    merged(window, scope)
    scope.windows[name] = window


_NEEDING_FROM = ("where", "group", "having", "qualify", "windows", "order", "distinct")


def _check_without_from(node: exp.Select, scope: Scope) -> None:
    """Raises SqlError for what needs rows of a FROM clause."""
    if clause := next((name for name in _NEEDING_FROM if node.args.get(name)), ""):
        wrong(scope.script.text, node, f"a SELECT without FROM cannot have {clause.upper().removesuffix('S')}")
    for part in node.expressions:
        for kind, found in (("an aggregate", aggregates_in(part)), ("a window", windows_in(part))):
            if (call := next(found, None)) is not None:
                reason = f"a SELECT without FROM cannot have {kind} function"
                wrong(scope.script.text, call, reason, "add FROM with the table whose rows it reads")


def _listed(node: exp.Select, base: Scope, bare: Select, *, unordered: bool) -> Relation:
    """The SELECT of which `bare` has FROM and WHERE."""
    _check_pipe(node, base)
    _check_aggregates(node, base)
    scope: Scope = base
    if node.args.get("group") or _aggregates(node):
        scope = grouped_scope(node, base)
    elif node.args.get("having"):
        wrong(base.script.text, node.args["having"], "HAVING needs GROUP BY or an aggregate", "write WHERE")
    items = expanded(node, scope)
    if not _is_pipe(node):  # |> ORDER BY knows no items of SELECT
        scope.set_aliases(items)
    if isinstance(scope, GroupedScope):
        _let_aggregates_see_aliases(node, scope)
    having = scope.has_rows() if isinstance(scope, GroupedScope) and scope.sets else None
    if node.args.get("having"):
        check_no_windows(node.args["having"].this, scope, "HAVING")
        condition = boolean(node.args["having"].this, scope, "HAVING")
        having = condition if having is None else Chain("AND", (having, condition))
    qualify = _qualify(node, scope)
    if node.args.get("distinct") and node.args["distinct"].args.get("on"):
        unsupported(base.script.text, node, "DISTINCT ON")
    order = ordering(node.args.get("order"), scope, [item.value for item in items])
    if isinstance(scope, GroupedScope):
        bare = Select((), FromItem(scope.inner(bare), scope.own), having)
    limit, offset = limits(node, base)
    bare = replace(bare, qualify=qualify, limit=limit, offset=offset, distinct=bool(node.args.get("distinct")))
    return _relation(node, scope, bare, _values(node, scope, items), order, unordered=unordered)


def _check_aggregates(node: exp.Select, scope: Scope) -> None:
    """Raises SqlError for an aggregate in HAVING or ORDER BY of a SELECT that neither groups nor aggregates."""
    if node.args.get("group") or any(True for part in node.expressions for _ in aggregates_in(part)):
        return
    for name in ("having", "order"):
        if node.args.get(name) and (found := next(aggregates_in(node.args[name]), None)):
            reason = (
                f"{name.upper().replace('ORDER', 'ORDER BY')} takes an aggregate only after GROUP BY, or beside one"
            )
            wrong(scope.script.text, found, reason, "aggregate in the SELECT list, or add GROUP BY")


def _let_aggregates_see_aliases(node: exp.Select, scope: GroupedScope) -> None:
    """Within an aggregate of HAVING or ORDER BY an item's name comes before a column of the tables too.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#alias_visibility"""
    clauses = _clauses(node, "having", "order")[len(node.expressions) :]
    names = {
        column.parts[0].name.casefold(): column
        for part in clauses
        for call in aggregates_in(part)
        for column in call.find_all(exp.Column)
    }
    for item in list_items(node, scope) if names else ():
        name = item.name.casefold()
        column = names.get(name)
        if column is None:
            continue
        if name in scope.doubled:
            wrong(scope.script.text, column, f"column {item.name} is ambiguous", "give each column its own name")
        if any(aggregates_in(item.node)):
            reason, hint = "an aggregate function cannot hold another one", "write the table before the column's name"
            wrong(scope.script.text, column, reason, f"{item.name} is the item of SELECT: {hint}")
        scope.base.aliases[name] = item.of(scope.base)


def _check_pipe(node: exp.Select, scope: Scope) -> None:
    """Raises SqlError for aggregates and windows that a pipe operator does not take. A SELECT that was
    written for an operator has a comment with the operator's name."""
    comment = next((comment for comment in node.comments or () if comment.startswith(PIPE)), "").removeprefix(PIPE)
    operator, _, keys = comment.partition(" ")
    if operator == "AGGREGATE":
        for key in (syntax.bare(item.unalias()) for item in node.expressions[: int(keys)]):
            if is_literal(key, scope.compile(key)):
                wrong(scope.script.text, key, "GROUP BY cannot hold a literal", "take it out, or name a column")
        _check_aggregated(node.expressions[int(keys) :], scope)
    elif operator and (call := next((call for part in node.expressions for call in aggregates_in(part)), None)):
        wrong(scope.script.text, call, f"|> {operator} takes no aggregate function", "write |> AGGREGATE")


def _check_aggregated(items: list[exp.Expr], scope: Scope) -> None:
    """Raises SqlError for an item of |> AGGREGATE that is more than aggregates."""
    for item in items:
        if call := next(windows_in(item), None):
            wrong(scope.script.text, call, "|> AGGREGATE takes no window function", "write |> EXTEND after it")
        if not any(True for _ in aggregates_in(item)):
            wrong(scope.script.text, item, "|> AGGREGATE takes aggregates only", "write it after GROUP BY")
        for column in item.find_all(exp.Column):
            if not _is_in_aggregate(column, item):
                wrong(scope.script.text, column, f"{column.name} is not aggregated", "write it after GROUP BY")


def _is_in_aggregate(node: exp.Expr, item: exp.Expr) -> bool:
    """Whether a part of an item stands in an aggregate function, or in a subquery."""
    while node is not item and node.parent is not None:
        node = node.parent
        if is_aggregate(node) or isinstance(node, exp.Query):
            return True
    return False


def _qualify(node: exp.Select, scope: Scope) -> Node | None:
    clause = node.args.get("qualify")
    if clause is None:
        return None
    if not any(True for part in [*node.expressions, clause.this] for _ in windows_in(part)):
        unsupported(scope.script.text, clause, "QUALIFY without a window function", "write WHERE")
    return boolean(clause.this, scope, "QUALIFY")


def _aggregates(node: exp.Select) -> bool:
    return any(True for part in _clauses(node, "having", "qualify", "order") for _ in aggregates_in(part))


def _has_windows(node: exp.Select) -> bool:
    return any(True for part in _clauses(node, "qualify", "order") for _ in windows_in(part))


def _clauses(node: exp.Select, *names: str) -> list[exp.Expr]:
    """The SELECT list, and those of the clauses that are there."""
    return [*node.expressions, *(node.args[name] for name in names if node.args.get(name))]


def _values(node: exp.Select, scope: Scope, items: list[Named]) -> list[Named]:
    """The items, made one value by SELECT AS STRUCT and SELECT AS VALUE."""
    kind = str(node.args.get("kind") or "").upper()
    if kind == "STRUCT":
        type_ = struct_of(*(Column(item.name, item.value.type) for item in items))
        value = struct_value([item.value for item in items], type_)
        return [Named("", Typed(value.node, type_))]  # what it is made of coerces no further: a STRUCT(…) would
    if kind == "VALUE":
        if len(items) != 1:
            wrong(scope.script.text, node, "SELECT AS VALUE takes one column")
        return [Named("", items[0].value)]
    if kind:
        unsupported(scope.script.text, node, f"SELECT AS {kind}")
    return items


def _relation(
    node: exp.Select, scope: Scope, bare: Select, items: Sequence[Named], order: Sequence[SortKey], *, unordered: bool
) -> Relation:
    if bare.distinct:
        _check_distinct(node, scope, items)
        if order and not _names_items(node.args["order"], items, order):
            return _sorted_distinct(node, scope, items, bare)
    names = unique([*(item.name for item in items), *(f"o_{index}" for index in range(len(order)))])
    listed = [Item(item.value.node, name) for item, name in zip(items, names, strict=False)]
    columns = tuple(_output(item, name) for item, name in zip(items, names, strict=False))
    if _has_windows(node) or any(node.args.get(name) for name in _AFTER_ITEMS):
        columns = without_literals(columns)
    is_value = _is_values(node, scope)
    if is_value:
        columns = tuple([replace(column, name="") for column in columns])
    sorted_by: tuple[tuple[str, str], ...] = ()
    if unordered and order and not bare.distinct:
        hidden = list(zip(order, names[len(items) :], strict=True))
        listed += [Item(key.key, name) for key, name in hidden]
        sorted_by = tuple((name, key.direction) for key, name in hidden)
        order = order if bare.limit is not None else ()
    found = replace(bare, items=tuple(listed), order=tuple(order))
    query = with_plain_windows(found, scope.script) if _has_windows(node) else found
    return Relation(query, columns, is_value, sorted_by, ranges=_ranges(node, scope, items, columns))


_AFTER_ITEMS = ("distinct", "having", "qualify", "order", "limit", "offset")
"""The clauses that GoogleSQL runs after it has computed the items: what they hand on is no literal any more."""


def _ranges(node: exp.Select, scope: Scope, items: Sequence[Named], columns: Sequence[Output]) -> tuple[Range, ...]:
    """The items of FROM that the operators of a pipe after this one know."""
    if not any(isinstance(part, exp.Star) and is_of_pipe(part) for part in node.expressions):
        return ()
    changed = {name for part in node.expressions if isinstance(part, exp.Star) for name in replaced(part)}
    pairs = list(zip(items, columns, strict=True))
    outputs = {item.value.node: output for item, output in reversed(pairs) if item.name.casefold() not in changed}
    found = []
    for source in scope.sources:
        element = outputs.get(source.element.node) if source.element is not None else None
        if source.element is not None and element is None:
            continue
        own = [column for column in source.columns if not is_field_of(column, source)]
        read = tuple([(c.name, outputs[c.value.node]) for c in own if c.value.node in outputs])
        missing = {c.name.casefold() for c in own if c.value.node not in outputs} | source.missing
        offset = "" if source.offset.casefold() in missing else source.offset
        found.append(Range(source.alias, read, element, frozenset(missing), offset))
    return tuple(found)


def _output(item: Named, name: str) -> Output:
    """The item as a column that has the name in DuckDB."""
    value, fields = item.value, None
    if item.fields is not None:
        fields = tuple([field.value.node.name for field in item.fields if isinstance(field.value.node, Field)])
    is_hidden = item.known == Known.NOTHING
    return Output(item.name, name, value.type, value.literal, value.parts, fields=fields, is_hidden=is_hidden)


def _check_distinct(node: exp.Select, scope: Scope, items: Sequence[Named]) -> None:
    for item in items:
        if not is_groupable(item.value.type):
            unsupported(scope.script.text, node, f"SELECT DISTINCT of {item.value.type}", "select TO_JSON_STRING of it")


def _names_items(clause: exp.Expr, items: Sequence[Named], order: Sequence[SortKey]) -> bool:
    """Whether each key of ORDER BY is an item of SELECT by its name or number."""
    plain = all(isinstance(part.this, exp.Column | exp.Dot | exp.Literal) for part in clause.expressions)
    return plain and {key.value for key in order} <= {item.value.node for item in items}


def _sorted_distinct(node: exp.Select, scope: Scope, items: Sequence[Named], bare: Select) -> Relation:
    """SELECT DISTINCT with ORDER BY of expressions: an outer query sorts, which sees only what is selected. Raises
    SqlError, UnsupportedSql.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#select_distinct"""
    clause = node.args["order"]
    if node.args.get("kind"):
        unsupported(scope.script.text, clause, "ORDER BY of an expression after SELECT DISTINCT AS STRUCT")
    if any(True for found in (aggregates_in(clause), windows_in(clause)) for _ in found):
        reason = "ORDER BY after SELECT DISTINCT takes no aggregate and no window function"
        wrong(scope.script.text, clause, reason, "select it with an alias, and sort by that")
    found = _relation(node, scope, replace(bare, limit=None, offset=None), items, (), unordered=False)
    own = scope.script.alias()
    outputs = [column.of(own) for column in found.columns]
    pairs = zip([item.value.node for item in items], outputs, strict=True)
    known = {value: output.node for value, output in pairs if _is_column(value, scope)}
    scope.set_aliases([Named(column.name, output) for column, output in zip(found.columns, outputs, strict=True)])

    def seen(part: Node) -> Node:
        return known.get(part, part)

    keys = ordering(clause, scope, outputs)
    order = [SortKey(rebuilt(key.key, seen), key.direction, rebuilt(key.value, seen)) for key in keys]
    tables = {scope.own} if isinstance(scope, GroupedScope) else scope.tables()
    if any(reads(key.key, tables) for key in order):
        wrong(scope.script.text, clause, "ORDER BY after SELECT DISTINCT reads a column that is not selected")
    source = FromItem(found.query, own)
    query = Select((Star(own),), source, order=tuple(order), limit=bare.limit, offset=bare.offset)
    return replace(found, query=query)


def _is_column(value: Node, scope: Scope) -> bool:
    """Whether an item is a column of FROM or a field of one, and not computed from it."""
    if isinstance(scope, GroupedScope):
        value = next((grouped for grouped, key in scope.keys.items() if key.node == value), value)
    return isinstance(value, ColumnNode | Field) or any(column.value.node == value for column in scope.listed)


def expanded(node: exp.Select, scope: Scope) -> list[Named]:
    """The SELECT list, `*` written out."""
    found: list[Named] = []
    for part in node.expressions:
        if is_star_of_value(part):
            columns: list[Named] | None = _fields(part, scope)
        else:
            columns = starred(part, scope.base if isinstance(scope, GroupedScope) else scope)
        found += [named(part, scope)] if columns is None else star(star_of(part), scope, columns)
    if not found:
        wrong(scope.script.text, node, "the SELECT list is empty")
    return found


def _fields(node: exp.Expr, scope: Scope) -> list[Named]:
    """What `.*` of an expression stands for: keys of GROUP BY, if it names the fields, or fields of what is grouped."""
    if isinstance(scope, GroupedScope) and (columns := scope.keys_of(node)):
        return columns
    return struct_star(node, scope, scope.compile_whole(node.this))


def named(node: exp.Expr, scope: Scope) -> Named:
    """One item of a SELECT list, with the name that GoogleSQL gives it."""
    if isinstance(node, exp.Aliases):
        unsupported(scope.script.text, node, "several aliases of one item")
    return Named(name_of_item(node), scope.compile_whole(node.unalias()))


def _is_values(node: exp.Select, scope: Scope) -> bool:
    """Whether the rows are values: SELECT AS STRUCT or AS VALUE, or a pipe of values with nothing put beside them."""
    return bool(node.args.get("kind")) or (_is_pipe(node) and not replaced(node.expressions[0]) and is_of_values(scope))


def _is_pipe(node: exp.Select) -> bool:
    """Whether it is written for an operator of a pipe that hands on the columns that there are."""
    first = node.expressions[0] if len(node.expressions) == 1 else None
    return isinstance(first, exp.Star) and is_of_pipe(first)
