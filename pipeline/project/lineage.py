"""Where each column comes from. A STRUCT's field and an ARRAY's element count as the column that they are in.

What decides only whether a row is there, or in which order (JOIN, WHERE, GROUP BY, ORDER BY), is no origin of a value.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sqlglot import exp

from pipeline.project.graph import Graph
from pipeline.project.problems import Problem, Refused
from pipeline.project.project import read_edges
from pipeline.project.scripts import Script
from warehouse.names import TableName


@dataclass(frozen=True, order=True, slots=True)
class ColumnName:
    """A column of a table, printed `tmp.variants.sku`."""

    table: TableName
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


Origins = frozenset[ColumnName]
NOTHING: Origins = frozenset()


class Lineage:
    """The origins of the columns of scripts' tables, in the tables that the scripts read.

    `columns` are the names of the columns of the tables that no script builds, as far as they are known.
    """

    def __init__(self, scripts: Mapping[TableName, Script], columns: Mapping[TableName, list[str]]) -> None:
        self._scripts, self._names = scripts, dict(columns)
        self._own = next((script.query.own for script in scripts.values()), "")
        self._found: dict[TableName, dict[str, Origins]] = {}

    def of(self, table: TableName) -> dict[str, Origins]:
        """The origins of each column of `table`, in order: none for a table that no script builds. Raises Refused for
        a script that is nested too deeply."""
        if table not in self._scripts:
            return dict.fromkeys(self._names.get(table, ()), NOTHING)
        if table not in self._found:
            for needed in self._order.only([*self._order.upstream(table), table]).order:  # no call in a call in a call
                if needed not in self._found:
                    self._found[needed] = self._of_script(self._scripts[needed])
        return self._found[table]

    @cached_property
    def _order(self) -> Graph:
        return Graph(read_edges(self._scripts))

    def _of_script(self, script: Script) -> dict[str, Origins]:
        try:
            made = _Query(self, {}, None).made_by(script.query.tree)
        except RecursionError as error:
            reason = "the SQL is nested too deeply to tell where its columns come from"
            raise Refused([Problem(script.path, None, reason, "give its inner parts names in WITH queries")]) from error
        return {column.name: column.origins for column in made}

    def named(self, node: exp.Table) -> TableName:
        """The table that a script names; one of another project with that project's name."""
        is_own = node.catalog in ("", self._own)
        return TableName(node.db if is_own else f"{node.catalog}.{node.db}", node.name)

    def item(self, table: TableName, alias: str) -> "_Item":
        """The table as an item of FROM."""
        columns = [_Made(name, frozenset({ColumnName(table, name)})) for name in self.of(table)]
        return _Item(alias, columns, open_table=table if not columns else None)


@dataclass(frozen=True, slots=True)
class _Made:
    """A column that a query makes."""

    name: str
    origins: Origins


@dataclass(slots=True)
class _Item:
    """An item of FROM: its columns; the `element` of an UNNEST; the table if nobody knows its columns."""

    alias: str
    columns: list[_Made]
    element: Origins | None = None
    open_table: TableName | None = None

    def named(self, name: str) -> Origins | None:
        """The origins of its column of that name; None if it has none."""
        found = [column.origins for column in self.columns if column.name.casefold() == name.casefold()]
        if found:
            return _joined(found)
        if self.open_table is not None:
            return frozenset({ColumnName(self.open_table, name)})
        return None

    def whole(self) -> Origins:
        """The origins of the item as one value."""
        return _joined(column.origins for column in self.columns) if self.element is None else self.element


@dataclass
class _Query:
    """A query with the names that it sees: WITH queries, the items of its FROM, those of the query around it."""

    lineage: Lineage
    with_queries: dict[str, list[_Made]]
    around: "_Query | None"
    items: list[_Item] = field(default_factory=list)

    def made_by(self, tree: exp.Query) -> list[_Made]:
        """The columns that the query `tree` makes."""
        inner = _Query(self.lineage, dict(self.with_queries), self.around)
        for query in tree.args["with_"].expressions if tree.args.get("with_") else ():
            inner.with_queries[query.alias.casefold()] = inner.made_by(query.this)
        if isinstance(tree, exp.SetOperation):
            return _side_by_side(inner.made_by(tree.left), inner.made_by(tree.right))
        if isinstance(tree, exp.Subquery):
            return inner.made_by(tree.this)
        for node in _from_items(tree):
            inner.items.append(inner._item(node))
        return [made for projection in tree.selects for made in inner._projected(projection)]

    def _item(self, node: exp.Expr) -> _Item:
        if isinstance(node, exp.Unnest):
            return self._unnest(node.expressions, node)
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            item = self._table(node)
        else:
            inner = node.find(exp.Query)
            item = _Item(node.alias, self.made_by(inner) if inner is not None else [])
        if node.args.get("pivots"):
            return _Item(node.args["pivots"][0].alias or item.alias, [], item.whole())
        return item

    def _table(self, node: exp.Table) -> _Item:
        known = self.with_queries.get(node.name.casefold()) if not node.db else None
        if known is not None:
            return _Item(node.alias_or_name, known)
        if any(item.alias.casefold() == node.db.casefold() for item in self.items):
            return self._unnest([exp.column(node.name, table=node.db)], node)
        return self.lineage.item(self.lineage.named(node), node.alias_or_name)

    def _unnest(self, arrays: list[exp.Expr], node: exp.Expr) -> _Item:
        """The elements of arrays; their fields, if they are STRUCTs, have the arrays' origins."""
        alias = node.args.get("alias")
        name = alias.columns[0].name if alias is not None and alias.columns else node.alias
        offset = node.args.get("offset")
        numbers = [_Made(offset.name, NOTHING)] if isinstance(offset, exp.Identifier) else []
        return _Item(name, numbers, _joined(map(self._origins, arrays)))

    def _projected(self, node: exp.Expr) -> Iterator[_Made]:
        if not node.is_star:
            yield _Made(node.alias_or_name, self._origins(node))
            return
        star = node if isinstance(node, exp.Star) else node.this
        excepted = {column.name.casefold() for column in star.args.get("except_") or ()}
        replaced = {alias.alias.casefold(): alias for alias in star.args.get("replace") or ()}
        for made in self._starred(node):
            name = made.name.casefold()
            if name in replaced:
                yield _Made(made.name, self._origins(replaced[name]))
            elif name not in excepted:
                yield made

    def _starred(self, node: exp.Expr) -> Iterator[_Made]:
        """The columns that `*` or `item.*` stands for."""
        path = [part.name.casefold() for part in node.parts[:-1]] if isinstance(node, exp.Column) else []
        for item in self.items:
            if path in ([], [item.alias.casefold()]):
                yield from item.columns
                if item.element is not None or item.open_table is not None:
                    yield _Made("*", item.named("*") or item.whole())

    def _origins(self, node: exp.Expr) -> Origins:
        """The origins of an expression's value."""
        if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
            return self._resolved([part.name for part in node.parts])
        if isinstance(node, exp.Query):
            return _joined(made.origins for made in _Query(self.lineage, self.with_queries, self).made_by(node))
        if isinstance(node, exp.Order):  # inside an aggregate function: ARRAY_AGG(x ORDER BY y)
            return self._origins(node.this)
        return _joined(self._origins(child) for child in node.iter_expressions())

    def _resolved(self, path: list[str]) -> Origins:
        """A path is an item or one of its columns, then fields; else it is a name of the query around:
        https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#scope_rules"""
        for item in self.items:
            if item.alias.casefold() == path[0].casefold():
                named = item.named(path[1]) if len(path) > 1 else None
                return item.whole() if named is None else named
        found = [origins for item in self.items if (origins := item.named(path[0])) is not None]
        if found:
            return _joined(found)
        elements = [item.element for item in self.items if item.element is not None]
        return self.around._resolved(path) if self.around is not None else _joined(elements)


def _from_items(select: exp.Expr) -> Iterator[exp.Expr]:
    if select.args.get("from_") is not None:
        yield select.args["from_"].this
    for join in select.args.get("joins") or ():
        yield join.this


def _side_by_side(left: list[_Made], right: list[_Made]) -> list[_Made]:
    """The columns of a UNION: the first query's names, both queries' origins."""
    return [_Made(one.name, one.origins | other.origins) for one, other in zip(left, right, strict=False)]


def _joined(origins: Iterable[Origins]) -> Origins:
    return frozenset[ColumnName]().union(*origins)
