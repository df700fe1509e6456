"""Column lineage: from which columns of the tables that a script reads each column of its result is computed.

A STRUCT's field and an ARRAY's element count as the whole column. Columns in JOIN, WHERE, GROUP BY and ORDER BY do not
count: they decide which rows there are and in which order, not what a value is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from sqlglot import exp

from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.problems import Problem, Refused
from warehouse_refresh.pipeline.project.reads import read_edges
from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.preamble import Assignment, read_preamble
from warehouse_refresh.warehouse.sql.query import Query, parse_query


@dataclass(frozen=True, order=True, slots=True)
class ColumnName:
    """A column of a table, printed `tmp.variants.sku`."""

    table: TableName
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


Origins = frozenset[ColumnName]
Pair = tuple[ColumnName, ColumnName]


@dataclass(slots=True)
class Joins:
    """How a query joins the tables that it reads: the pairs of columns that it says are equal, and in `first` the
    tables of the first item of each FROM; that of the whole query is the last one."""

    pairs: set[Pair] = field(default_factory=set)
    first: list[TableName] = field(default_factory=list)


NO_ORIGINS: Origins = frozenset()


class Lineage:
    """The origins of the columns of scripts' tables, in the tables that the scripts read.

    `columns` has the column names of tables that no script builds, as far as they are known.
    """

    def __init__(self, scripts: Mapping[TableName, Script], columns: Mapping[TableName, list[str]]) -> None:
        self._scripts, self._columns = scripts, dict(columns)
        self._own = next((script.query.own for script in scripts.values()), "")
        self._found: dict[TableName, dict[str, Origins]] = {}

    def of(self, table: TableName) -> dict[str, Origins]:
        """The origins of each column of `table`, in the order of its columns. Columns of a table that no script builds
        have no origins. Raises Refused for a script that is nested too deeply."""
        if table not in self._scripts:
            return dict.fromkeys(self._columns.get(table, ()), NO_ORIGINS)
        if table not in self._found:
            # Upstream first: a long chain of scripts is no deep recursion.
            missing = {*self._order.upstream(table), table} - self._found.keys()
            for needed in sorted(missing, key=self._places.__getitem__):
                self._found[needed] = {}  # for a script that reads its own table
                self._found[needed] = self._origins_in_script(self._scripts[needed])
        return self._found[table]

    def joins(self, table: TableName) -> Joins:
        """How the script of `table` joins the tables that it reads. Subqueries in expressions do not count."""
        query, found = self._scripts[table].query, Joins()
        _Query(self, {}, None, replace(self._names_of(query), joins=found)).columns_of(query.tree)
        return found

    @cached_property
    def _order(self) -> Graph:
        return Graph(read_edges(self._scripts))

    @cached_property
    def _places(self) -> dict[TableName, int]:
        """The place of each table in the order."""
        return {table: place for place, table in enumerate(self._order.order)}

    def _origins_in_script(self, script: Script) -> dict[str, Origins]:
        try:
            columns = _Query(self, {}, None, self._names_of(script.query)).columns_of(script.query.tree)
        except RecursionError as error:
            reason = "the SQL is nested too deeply to find out where its columns come from"
            raise Refused([Problem(script.path, None, reason, "give its inner parts names in WITH queries")]) from error
        names = [column.name for column in script.query.listed or columns]
        if len(names) != len(columns):
            names = [column.name for column in columns]
        return {name: column.origins for name, column in zip(names, columns, strict=True)}

    def _names_of(self, query: Query) -> "_Names":
        """The variables and functions that the query may name; those of its preamble in their order."""
        files = (function for function in query.functions if function.language is None)
        names = _Names({}, {str(file.name).casefold(): _created(file.sql) for file in files}, dict(query.wildcards))
        for part in read_preamble(query.preamble):
            if isinstance(part, Assignment):
                value = _Query(self, {}, None, names).columns_of(parse_query(part.value).tree) if part.value else ()
                names.variables[part.name.casefold()] = _joined(column.origins for column in value)
            elif part.language is None:
                function = _created(part.text)
                names.functions[function.this.this.name.casefold()] = function
        return names

    def table_of(self, node: exp.Table) -> TableName:
        """The table that a script names. The dataset of another project's table begins with that project's name."""
        is_own = node.catalog in ("", self._own)
        return TableName(node.db if is_own else f"{node.catalog}.{node.db}", node.name)

    def from_item(self, table: TableName, alias: str, matching: Sequence[TableName] = ()) -> "_FromItem":
        """The table as an item of FROM; one such as raw.events_* with the tables that match, where they are known."""
        origins: dict[str, Origins] = {}
        for one in matching or [table]:
            for name in self.of(one):
                origins[name] = origins.get(name, NO_ORIGINS) | {ColumnName(one, name)}
        columns = [_OutputColumn(name, found) for name, found in origins.items()]
        return _FromItem(alias, columns, unknown_table=table if not columns else None)


@dataclass(frozen=True, slots=True)
class _Names:
    """What a query may name besides columns: variables, with the origins of their values; functions, by their folded
    names; wildcard tables, with those that match. `joins` collects how tables are joined, if somebody asks."""

    variables: dict[str, Origins]
    functions: dict[str, exp.Expr]
    wildcards: Mapping[TableName, Sequence[TableName]]
    joins: Joins | None = None


def _created(text: str) -> exp.Expr:
    """The syntax tree of a CREATE FUNCTION."""
    [statement] = parse_script(text)
    return statement.tree


@dataclass(frozen=True, slots=True)
class _OutputColumn:
    """A column of a query's result."""

    name: str
    origins: Origins


@dataclass(slots=True)
class _FromItem:
    """An item of FROM. `element` has the origins of an UNNEST's elements. `unknown_table` is set for a table whose
    columns are not known: it is assumed to have each column that the query names."""

    alias: str
    columns: list[_OutputColumn]
    element: Origins | None = None
    unknown_table: TableName | None = None

    def origins_of(self, name: str) -> Origins | None:
        """The origins of its column of that name; None if it has none."""
        found = [column.origins for column in self.columns if column.name.casefold() == name.casefold()]
        if found:
            return _joined(found)
        if self.unknown_table is not None and name.upper() != "_TABLE_SUFFIX":
            return frozenset({ColumnName(self.unknown_table, name)})
        return None

    def whole(self) -> Origins:
        """The origins of the item as one value."""
        return _joined(column.origins for column in self.columns) if self.element is None else self.element


@dataclass
class _Query:
    """A scope of names: the WITH queries, the items of FROM, and the scope of the `outer` query."""

    lineage: Lineage
    with_queries: dict[str, list[_OutputColumn]]
    outer: "_Query | None"
    names: _Names
    items: list[_FromItem] = field(default_factory=list)

    def columns_of(self, tree: exp.Query) -> list[_OutputColumn]:
        """The columns of the result of the query `tree`."""
        inner = _Query(self.lineage, dict(self.with_queries), self.outer, self.names)
        for query in tree.args["with_"].expressions if tree.args.get("with_") else ():
            inner.with_queries[query.alias.casefold()] = inner.columns_of(query.this)
        if isinstance(tree, exp.SetOperation):
            match = _matched_by_name if tree.args.get("by_name") else _union_columns
            return match(tree, inner.columns_of(tree.left), inner.columns_of(tree.right))
        if isinstance(tree, exp.Subquery):
            return inner.columns_of(tree.this)
        for node in _from_items(tree):
            inner.items.append(inner._item(node))
        if self.names.joins is not None:
            inner._note_joins(tree, self.names.joins)
        return [column for projection in tree.selects for column in inner._output_columns(projection)]

    def _note_joins(self, select: exp.Expr, found: Joins) -> None:
        found.first += sorted({origin.table for item in self.items[:1] for origin in item.whole()})[:1]
        pairs = ((one, other) for one, other in self._equal(select) if len(one) == len(other) == 1)
        found.pairs |= {(left, right) for one, other in pairs for left in one for right in other}

    def _equal(self, select: exp.Expr) -> Iterator[tuple[Origins, Origins]]:
        """The origins of what WHERE and ON say is equal, and of the columns of USING."""
        joins = select.args.get("joins") or ()
        for condition in (select.args.get("where"), *(join.args.get("on") for join in joins)):
            for node in condition.find_all(exp.EQ) if condition is not None else ():
                if node.parent_select is select:
                    yield self._origins(node.left), self._origins(node.right)
        for name in {column.name for join in joins for column in join.args.get("using") or ()}:
            found = [origins for item in self.items if (origins := item.origins_of(name)) is not None]
            yield from ((found[0], other) for other in found[1:])

    def _item(self, node: exp.Expr) -> _FromItem:
        if isinstance(node, exp.Unnest):
            return self._unnest(node.expressions, node)
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            item = self._table(node)
        else:
            inner = node.find(exp.Query)
            item = _FromItem(node.alias, self.columns_of(inner) if inner is not None else [])
        for pivot in node.args.get("pivots") or ():
            columns = list(self._pivoted(pivot, item))
            element = None if columns or item.unknown_table else item.whole()
            item = _FromItem(pivot.alias or item.alias, columns, element, item.unknown_table)
        return item

    def _pivoted(self, pivot: exp.Pivot, item: _FromItem) -> Iterator[_OutputColumn]:
        """The columns that PIVOT or UNPIVOT makes of an item; none if those of the item are not known."""
        if item.element is not None or item.unknown_table is not None or len(pivot.args.get("fields") or ()) != 1:
            return
        names = {column.name.casefold() for part in _read_by(pivot) for column in part.find_all(exp.Column)}
        yield from (column for column in item.columns if column.name.casefold() not in names)
        over = _Query(self.lineage, self.with_queries, self, self.names, [item])
        yield from over._unpivot_columns(pivot) if pivot.args.get("unpivot") else over._pivot_columns(pivot)

    def _pivot_columns(self, pivot: exp.Pivot) -> Iterator[_OutputColumn]:
        """A column for each value and aggregate. The column after FOR does not count: it decides which rows."""
        for value in pivot.args["fields"][0].expressions:
            for part in pivot.expressions:
                name = _pivot_name(value, part.alias)
                yield _OutputColumn(name, self._origins(part.unalias()))

    def _unpivot_columns(self, pivot: exp.Pivot) -> Iterator[_OutputColumn]:
        """The columns of values, each from one column of each item after IN, and that of the items' names."""
        field = pivot.args["fields"][0]
        read = [
            _listed(item.this if isinstance(item, exp.PivotAlias | exp.Alias) else item) for item in field.expressions
        ]
        for name, columns in zip(_listed(pivot.expressions[0]), zip(*read, strict=False), strict=False):
            yield _OutputColumn(name.name, _joined(map(self._origins, columns)))
        yield _OutputColumn(field.this.name, NO_ORIGINS)

    def _table(self, node: exp.Table) -> _FromItem:
        known = self.with_queries.get(node.name.casefold()) if not node.db else None
        if known is not None:
            return _FromItem(node.alias_or_name, known)
        if any(item.alias.casefold() == node.db.casefold() for item in self.items):
            return self._unnest([exp.column(node.name, table=node.db)], node)
        table = self.lineage.table_of(node)
        return self.lineage.from_item(table, node.alias_or_name, self.names.wildcards.get(table, ()))

    def _unnest(self, arrays: list[exp.Expr], node: exp.Expr) -> _FromItem:
        """The elements of arrays; their fields, if they are STRUCTs, have the arrays' origins."""
        alias = node.args.get("alias")
        name = alias.columns[0].name if alias is not None and alias.columns else node.alias
        offset = node.args.get("offset")
        columns = [_OutputColumn(offset.name, NO_ORIGINS)] if isinstance(offset, exp.Identifier) else []
        aliased = [part for array in arrays for part in array.expressions if isinstance(part, exp.Alias)]
        if not name:  # of several arrays each has an alias
            columns += [_OutputColumn(part.alias, self._origins(part.this)) for part in aliased]
        return _FromItem(name, columns, _joined(map(self._origins, arrays)))

    def _output_columns(self, node: exp.Expr) -> Iterator[_OutputColumn]:
        if not node.is_star:
            yield _OutputColumn(node.alias_or_name, self._origins(node))
            return
        star = node if isinstance(node, exp.Star) else node.this
        excepted = {column.name.casefold() for column in star.args.get("except_") or ()}
        replaced = {alias.alias.casefold(): alias for alias in star.args.get("replace") or ()}
        renamed = {alias.this.name.casefold(): alias.alias for alias in star.args.get("rename") or ()}
        for column in self._columns_of_star(node):
            name = column.name.casefold()
            if name in renamed:
                yield _OutputColumn(renamed[name], column.origins)
                continue
            if name in replaced:
                yield _OutputColumn(column.name, self._origins(replaced[name]))
            elif name not in excepted:
                yield column

    def _columns_of_star(self, node: exp.Expr) -> Iterator[_OutputColumn]:
        """The columns that `*` or `item.*` stands for."""
        path = [part.name.casefold() for part in node.parts[:-1]] if isinstance(node, exp.Column) else []
        for item in self.items:
            if path in ([], [item.alias.casefold()]):
                yield from item.columns
                if item.element is not None or item.unknown_table is not None:
                    yield _OutputColumn("*", item.origins_of("*") or item.whole())

    def _origins(self, node: exp.Expr) -> Origins:
        """The origins of an expression's value."""
        if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
            return self._origins_of_path([part.name for part in node.parts])
        if isinstance(node, exp.Query):
            inner = _Query(self.lineage, self.with_queries, self, self.names)
            return _joined(column.origins for column in inner.columns_of(node))
        if isinstance(node, exp.Anonymous) and (function := self.names.functions.get(_called(node))) is not None:
            return self._origins_of_call(function, node)
        if isinstance(node, exp.Order):  # inside an aggregate function: ARRAY_AGG(x ORDER BY y)
            return self._origins(node.this)
        return _joined(self._origins(child) for child in node.iter_expressions())

    def _origins_of_call(self, function: exp.Expr, call: exp.Anonymous) -> Origins:
        """The origins of what the function's body computes from the arguments, and reads in subqueries."""
        names = [parameter.name.casefold() for parameter in function.this.expressions]
        given = dict(zip(names, map(self._origins, call.expressions), strict=False))
        inside = _Names(given, self.names.functions, self.names.wildcards)
        return _Query(self.lineage, {}, None, inside)._origins(function.expression)

    def _origins_of_path(self, path: list[str]) -> Origins:
        """The origins of a dotted name. It begins with an item of FROM or with a column of one, and fields may follow.
        A name that this query does not have is looked up in the outer query, then among the variables:
        https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#scope_rules
        Any other one is taken for a field of an UNNEST's elements."""
        for scope in self._scopes():
            if (found := scope._named(path)) is not None:
                return found
        if path[0].casefold() in self.names.variables:
            return self.names.variables[path[0].casefold()]
        elements = ([item.element for item in scope.items if item.element is not None] for scope in self._scopes())
        return _joined(next(filter(None, elements), ()))

    def _scopes(self) -> "Iterator[_Query]":
        """This query and those around it."""
        yield self
        if self.outer is not None:
            yield from self.outer._scopes()

    def _named(self, path: list[str]) -> Origins | None:
        for item in self.items:
            if item.alias.casefold() == path[0].casefold():
                named = item.origins_of(path[1]) if len(path) > 1 else None
                return item.whole() if named is None else named
        found = [origins for item in self.items if (origins := item.origins_of(path[0])) is not None]
        return _joined(found) if found else None


def _called(call: exp.Anonymous) -> str:
    """The folded name of a function, with its dataset if the call names one."""
    around = call.parent if isinstance(call.parent, exp.Dot) and call.parent.expression is call else None
    before = [part.name for part in around.this.find_all(exp.Identifier)] if around is not None else []
    return ".".join([*before[-1:], *call.name.split(".")[-2:]]).casefold()


def _read_by(pivot: exp.Pivot) -> list[exp.Expr]:
    """The expressions of PIVOT or UNPIVOT that name columns of its input, which its result does not have."""
    field = pivot.args["fields"][0]
    return field.expressions if pivot.args.get("unpivot") else [field.this, *pivot.expressions]


def _pivot_name(value: exp.Expr, prefix: str) -> str:
    """The name of a column that PIVOT makes of a value:
    https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#rules_for_pivot_column"""
    name = value.alias or value.name or value.sql("bigquery")
    if prefix:
        return f"{prefix}_{name}"
    return f"_{name}" if name[:1].isdigit() else name


def _listed(node: exp.Expr) -> list[exp.Expr]:
    """A column, or the columns of a list in parentheses."""
    return list(node.expressions) if isinstance(node, exp.Tuple) else [node]


def _from_items(select: exp.Expr) -> Iterator[exp.Expr]:
    if select.args.get("from_") is not None:
        yield select.args["from_"].this
    for join in select.args.get("joins") or ():
        yield join.this


def _union_columns(_: exp.SetOperation, left: list[_OutputColumn], right: list[_OutputColumn]) -> list[_OutputColumn]:
    """The columns of a UNION: the first query's names, both queries' origins."""
    return [_OutputColumn(one.name, one.origins | other.origins) for one, other in zip(left, right, strict=False)]


def _matched_by_name(
    tree: exp.SetOperation, left: list[_OutputColumn], right: list[_OutputColumn]
) -> list[_OutputColumn]:
    """The columns of a UNION … BY NAME:
    https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#by_name_or_corresponding"""
    found: dict[str, _OutputColumn] = {}
    for column in [*left, *right]:
        known = found.get(column.name.casefold(), _OutputColumn(column.name, NO_ORIGINS))
        found[column.name.casefold()] = _OutputColumn(known.name, known.origins | column.origins)
    names = [{column.name.casefold() for column in columns} for columns in (left, right)]
    side, listed = (
        str(tree.args.get("side") or "").upper(),
        [part.name.casefold() for part in tree.args.get("on") or ()],
    )
    kept = names[0] | names[1] if side == "FULL" else names[0] if side == "LEFT" else names[0] & names[1]
    return [found[name] for name in listed or found if name in kept]


def _joined(origins: Iterable[Origins]) -> Origins:
    return frozenset[ColumnName]().union(*origins)
