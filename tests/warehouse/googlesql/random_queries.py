"""Random queries over random tables.

GoogleSQL determines the answer of each: what depends on the order of rows (windows, LIMIT, ARRAY_AGG) sorts by columns
that are another value in each row, or by all columns; sums are exact; nothing fails.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import strategies as st

from tests.warehouse.googlesql.random_tables import COLUMNS, ROW
from tests.warehouse.googlesql.random_values import CONSTANTS, FORMS, KINDS, SCALARS, ZONES

T = TypeVar("T")
Schema = Mapping[str, Sequence[str]]
"""The columns of each table that a query may read."""


@dataclass(frozen=True, slots=True)
class Value:
    """A column: how an expression names it, and its type."""

    sql: str
    kind: str


@dataclass(frozen=True, slots=True)
class Rows:
    """A FROM clause or a query: its text, its columns, and what to sort its rows by so that their order is determined
    (None if nothing does). No RIGHT or FULL JOIN may follow what ends in a comma join."""

    sql: str
    values: tuple[Value, ...]
    keys: tuple[str, ...] | None
    after_comma: bool = False

    @property
    def scalars(self) -> list[Value]:
        """The columns that can be sorted by."""
        return [value for value in self.values if value.kind in SCALARS]


def keys_of(values: Sequence[Value], unique: Sequence[str] = ()) -> tuple[str, ...] | None:
    """Keys for rows of which these columns are unique: all columns if there are none, since equal rows may change
    places."""
    if unique:
        return tuple(unique)
    return tuple(value.sql for value in values) if all(value.kind in SCALARS for value in values) else None


class Maker:
    """Makes queries. `size` is what is left of subqueries to make."""

    def __init__(self, draw: st.DrawFn, schema: Schema, size: int) -> None:
        self.draw, self.schema, self.size = draw, schema, size
        self.named: dict[str, Rows] = {}
        self.names = 0

    # choices

    def pick(self, items: Sequence[T]) -> T:
        return self.draw(st.sampled_from(items))

    def number(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def chance(self, percent: int) -> bool:
        """Whether something happens that does so percent of the time; the simplest query has none of these."""
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def some(self, items: Sequence[T], least: int = 1, most: int = 3) -> list[T]:
        found = self.draw(st.lists(st.sampled_from(range(len(items))), min_size=least, max_size=most, unique=True))
        return [items[index] for index in found]

    def name(self, prefix: str = "a") -> str:
        self.names += 1
        return f"{prefix}{self.names}"

    def smaller(self) -> bool:
        """Whether there is room for one more subquery; it is then taken."""
        if self.size <= 0:
            return False
        self.size -= 1
        return True

    # expressions

    def value(self, kind: str, values: Sequence[Value], depth: int = 1) -> str:
        """An expression of a type over these columns."""
        known = [value.sql for value in values if value.kind == kind]
        if depth <= 0 or (known and self.chance(50)):
            return self.pick(known) if known and self.chance(85) else self.constant(kind)
        if self.chance(12) and self.smaller():
            found = self.subquery(kind, values)
            if found:
                return found
        return self.filled(self.pick(FORMS[kind]), values, depth)

    def computed(self, kind: str, values: Sequence[Value]) -> str:
        """An expression that is no literal: neither GROUP BY nor ORDER BY takes one."""
        return self.filled(self.pick(FORMS[kind]), values, 1)

    def constant(self, kind: str) -> str:
        return f"CAST(NULL AS {kind})" if self.chance(8) else self.pick(CONSTANTS[kind])

    def filled(self, form: str, values: Sequence[Value], depth: int) -> str:
        """The form with expressions in its holes."""
        before, mark, rest = form.partition("{")
        if not mark:
            return before
        hole, _, after = rest.partition("}")
        inner = self.pick(ZONES) if hole == "ZONE" else self.value(hole, values, depth - 1)
        return f"{before}{inner}{self.filled(after, values, depth)}"

    def subquery(self, kind: str, values: Sequence[Value]) -> str:
        """A subquery as an expression, which reads the columns around it; "" if there is none of the type."""
        rows = self.around(values)
        seen = [*rows.values, *values]
        where = f" WHERE {self.condition(rows.values, values)}" if self.chance(80) else ""
        if kind == "BOOL":
            if self.chance(50):
                return f"{self.pick(['', 'NOT '])}EXISTS(SELECT 1 FROM {rows.sql}{where})"
            inner = self.pick(["INT64", "STRING", "DATE", "NUMERIC", "FLOAT64"])
            listed = f"(SELECT {self.value(inner, rows.values)} FROM {rows.sql}{where})"
            return f"({self.value(inner, values)} {self.pick(['IN', 'NOT IN'])} {listed})"
        if kind.startswith("ARRAY<") and rows.keys is not None:
            element = kind[6:-1]
            order = self.order(rows)
            if element == ROW:
                listed = f"AS STRUCT {self.value('INT64', seen)} AS x, {self.value('STRING', seen)} AS y"
            else:
                listed = self.value(element, seen)
            return f"ARRAY(SELECT {listed} FROM {rows.sql}{where}{order})"
        if kind in SCALARS and rows.keys is not None and self.chance(50):
            return f"(SELECT {self.value(kind, seen)} FROM {rows.sql}{where}{self.order(rows)} LIMIT 1)"
        if kind == "INT64":
            call = self.pick(
                ["COUNT(*)", f"COUNT({self.value('STRING', seen)})", f"SUM(MOD({self.value(kind, seen)}, 50))"]
            )
            return f"(SELECT {call} FROM {rows.sql}{where})"
        if kind in SCALARS:
            return f"(SELECT {self.pick(['MIN', 'MAX'])}({self.value(kind, seen)}) FROM {rows.sql}{where})"
        return ""

    def around(self, values: Sequence[Value]) -> Rows:
        """What a subquery reads: a table, an array of the query around it, or rows that a condition of it chooses."""
        arrays = [value for value in values if value.kind.startswith("ARRAY<")]
        how = self.pick(["table", "table", "table", "array", "chosen"])
        if how == "array" and arrays:
            return self.elements(self.pick(arrays), values)
        rows = self.table()
        if how == "chosen" and rows.values:
            alias = self.name()
            listed = [Value(self.name("c"), value.kind) for value in rows.values]
            items = ", ".join(f"{old.sql} AS {new.sql}" for old, new in zip(rows.values, listed, strict=True))
            names = {old.sql: new.sql for old, new in zip(rows.values, listed, strict=True)}
            keys = tuple(names.get(key, key) for key in rows.keys) if rows.keys is not None else None
            query = f"SELECT {items} FROM {rows.sql} WHERE {self.condition(rows.values, values)}"
            return self.aliased(f"({query}) AS {alias}", alias, Rows(query, tuple(listed), keys))
        return rows

    def elements(self, array: Value, values: Sequence[Value]) -> Rows:
        """The elements of an array of the query around."""
        alias, place = self.name("e"), self.name("o")
        listed = array.sql if self.chance(60) else self.value(array.kind, values)
        found = self.values_of(alias, array.kind[6:-1])
        return Rows(f"UNNEST({listed}) AS {alias} WITH OFFSET AS {place}", (*found, Value(place, "INT64")), (place,))

    @staticmethod
    def values_of(alias: str, element: str) -> list[Value]:
        """What an element of an array is read as: itself, and a struct's fields."""
        fields = [Value(f"{alias}.x", "INT64"), Value(f"{alias}.y", "STRING")] if element == ROW else []
        return [*fields, Value(alias, element)]

    def condition(self, left: Sequence[Value], right: Sequence[Value]) -> str:
        """A condition between two sets of columns, which holds for some rows."""
        pairs = [(a, b) for a in left for b in right if a.kind == b.kind and a.kind in SCALARS]
        if not pairs or self.chance(15):
            return self.value("BOOL", [*left, *right])
        one, other = self.pick(pairs)
        test = f"{one.sql} {self.pick(['=', '=', '=', '<', '>=', '!='])} {other.sql}"
        return f"{test} {self.pick(['AND', 'OR'])} {self.value('BOOL', [*left, *right])}" if self.chance(25) else test

    def order(self, rows: Rows) -> str:
        """ORDER BY … that determines the order of these rows, which have keys."""
        parts = [self.sort_key(self.pick(rows.scalars).sql)] if rows.scalars and self.chance(60) else []
        if rows.scalars and self.chance(20):
            parts.append(self.sort_key(self.computed(self.pick(SCALARS), rows.values)))
        parts += [self.sort_key(key) for key in rows.keys or ()]
        return f" ORDER BY {', '.join(parts)}" if parts else ""

    def sort_key(self, sql: str) -> str:
        return f"{sql}{self.pick(['', '', ' DESC', ' ASC', ' NULLS LAST', ' DESC NULLS FIRST'])}"

    # FROM

    def table(self) -> Rows:
        """A table, a WITH query, or a query in parentheses."""
        alias = self.name()
        if self.named and self.chance(50):
            name = self.pick(sorted(self.named))
            known = self.named[name]
            return self.aliased(f"{name} AS {alias}", alias, known)
        if self.chance(25) and self.smaller():
            query = self.pick([self.query, self.query, self.with_query, self.piped_whole])()
            return self.aliased(f"({query.sql}) AS {alias}", alias, query)
        if self.chance(8) and self.smaller():
            return self.structs(alias)
        name = self.pick(sorted(self.schema))
        values = tuple(Value(f"{alias}.{column}", COLUMNS[column]) for column in self.schema[name])
        sample = " TABLESAMPLE SYSTEM (100 PERCENT)" if self.chance(3) else ""
        return Rows(f"{self.pick([name, name, f'`{name}`'])} AS {alias}{sample}", values, (f"{alias}.id",))

    def with_query(self) -> Rows:
        """A query with WITH before it: the name may be that of another one outside, which it hides."""
        first = self.query()
        name = self.pick([self.name("w"), *self.named])
        before = dict(self.named)
        self.named[name] = first
        query = self.query()
        self.named = before
        return Rows(f"WITH {name} AS ({first.sql}) {query.sql}", query.values, query.keys)

    def structs(self, alias: str) -> Rows:
        """A query whose rows are structs."""
        rows = self.source()
        x, y = self.value("INT64", rows.values), self.value("STRING", rows.values)
        form = self.pick(["AS STRUCT {x} AS x, {y} AS y", f"AS VALUE CAST(STRUCT({{x}}, {{y}}) AS {ROW})"])
        sql = f"(SELECT {form.format(x=x, y=y)} FROM {rows.sql}{self.where(rows)}) AS {alias}"
        return Rows(sql, tuple(self.values_of(alias, ROW)), None)

    def aliased(self, sql: str, alias: str, rows: Rows) -> Rows:
        values = tuple(Value(f"{alias}.{value.sql}", value.kind) for value in rows.values)
        return Rows(sql, values, tuple(f"{alias}.{key}" for key in rows.keys) if rows.keys is not None else None)

    def source(self) -> Rows:
        """A FROM clause's content."""
        rows = self.table()
        for _ in range(self.number(0, 2) if self.chance(65) else 0):
            rows = self.joined(rows)
        return rows

    def joined(self, left: Rows) -> Rows:
        """A join after what is there."""
        arrays = [value for value in left.values if value.kind.startswith("ARRAY<")]
        how = self.pick(["on", "on", "using", "cross", "nested", "parentheses", "array", "array"])
        if how == "array" and arrays:
            return self.with_array(left, self.pick(arrays))
        right = self.table()
        both = (*self.both(left, right), left.after_comma)
        if how == "cross":
            comma = self.chance(50)
            return Rows(
                f"{left.sql}{', ' if comma else ' CROSS JOIN '}{right.sql}", *both[:2], comma or left.after_comma
            )
        words = ["JOIN", "INNER JOIN", "LEFT JOIN", "LEFT OUTER JOIN"]
        word = self.pick(words if left.after_comma else [*words, "RIGHT JOIN", "FULL JOIN", "FULL OUTER JOIN"])
        if how == "using" and (shared := self.shared(left, right)):
            return Rows(f"{left.sql} {word} {right.sql} USING ({', '.join(shared)})", *both)
        if how in ("nested", "parentheses"):
            third = self.table()
            inner = self.condition(third.values, right.values)
            second = self.pick(["JOIN", "LEFT JOIN", "FULL JOIN"])
            right_sql = f"{right.sql} {second} {third.sql} ON {inner}"
            if how == "parentheses":
                right_sql = f"({right_sql})"
            joined = Rows("", *self.both(right, third))
            both = (*self.both(left, joined), left.after_comma)
            return Rows(f"{left.sql} {word} {right_sql} ON {self.condition(joined.values, left.values)}", *both)
        return Rows(f"{left.sql} {word} {right.sql} ON {self.condition(right.values, left.values)}", *both)

    @staticmethod
    def both(left: Rows, right: Rows) -> tuple[tuple[Value, ...], tuple[str, ...] | None]:
        keys = (*left.keys, *right.keys) if left.keys is not None and right.keys is not None else None
        return (*left.values, *right.values), keys

    def shared(self, left: Rows, right: Rows) -> list[str]:
        """Columns that stand once on either side, and can be compared."""
        names = [[value.sql.rpartition(".")[2] for value in rows.values] for rows in (left, right)]
        kinds = {value.sql.rpartition(".")[2]: value.kind for value in left.values}
        common = [
            name
            for name in sorted({*names[0]} & {*names[1]})
            if names[0].count(name) == names[1].count(name) == 1 and kinds[name] in SCALARS and name in COLUMNS
        ]
        return self.some(common, 1, 2) if common else []

    def with_array(self, left: Rows, array: Value) -> Rows:
        """UNNEST of an array of the left side."""
        alias, place = self.name("e"), self.name("o")
        element = array.kind[6:-1]
        listed = array.sql if self.chance(60) else self.value(array.kind, left.values)
        offset = f" WITH OFFSET AS {place}" if self.chance(60) else ""
        values = self.values_of(alias, element)
        own = tuple(value.sql for value in values if value.kind in SCALARS)
        if offset:
            values.append(Value(place, "INT64"))
            own = (place,)
        word = self.pick([", ", " CROSS JOIN ", " LEFT JOIN ", " JOIN "])
        on = ""
        if "LEFT" in word:
            on = f" ON {self.condition(values, left.values)}" if self.chance(50) else ""
        elif word == " JOIN ":
            on = f" ON {self.condition(values, left.values)}"
        path = listed if listed == array.sql and word == ", " and self.chance(50) else f"UNNEST({listed})"
        keys = (*left.keys, *own) if left.keys is not None else None
        comma = word == ", " or left.after_comma
        return Rows(f"{left.sql}{word}{path} AS {alias}{offset}{on}", (*left.values, *values), keys, comma)

    # queries

    def query(self, kinds: Sequence[str] = ()) -> Rows:
        """A query with columns of these types, or of any. Its columns are named as in `Rows.values`."""
        if kinds:
            return self.select(kinds)
        forms = (
            ["select"] * 5 + ["grouped"] * 4 + ["set", "set", "named", "pivot", "unpivot", "distinct", "sets", "star"]
        )
        how = self.pick(forms)
        if how in ("set", "named") and self.smaller():
            return self.set_operation() if how == "set" else self.set_by_name()
        return {
            "grouped": self.grouped,
            "pivot": self.pivoted,
            "unpivot": self.unpivoted,
            "distinct": self.distinct,
            "sets": self.grouping_sets,
            "star": self.starred,
        }.get(how, self.select)()

    def where(self, rows: Rows, percent: int = 45) -> str:
        return f" WHERE {self.value('BOOL', rows.values, 2)}" if self.chance(percent) else ""

    def kinds(self, most: int = 3) -> list[str]:
        return [self.pick(KINDS) for _ in range(self.number(1, most))]

    def limited(self, order: Rows) -> str:
        """ORDER BY with LIMIT, sometimes."""
        if order.keys is None or not self.chance(25):
            return ""
        limit = f" LIMIT {self.number(0, 5)}{self.pick(['', ' OFFSET 1'])}" if self.chance(60) else ""
        return f"{self.order(order)}{limit}"

    def select(self, kinds: Sequence[str] = ()) -> Rows:
        """SELECT of expressions, with windows and QUALIFY."""
        rows = self.source()
        items, values = list[str](), list[Value]()
        for kind in kinds or self.kinds():
            if rows.keys is not None and not kinds and self.chance(30):
                sql, kind = self.window(rows)
            else:
                sql = self.value(kind, rows.values, 2)
            values.append(Value(self.name("c"), kind))
            items.append(f"{sql} AS {values[-1].sql}")
        unique = list[str]()
        if rows.keys and not kinds and self.chance(60):
            for key in rows.keys:
                kind = next(value.kind for value in rows.values if value.sql == key)
                values.append(Value(self.name("k"), kind))
                items.append(f"{key} AS {values[-1].sql}")
                unique.append(values[-1].sql)
        where = self.where(rows)
        qualify = ""
        calls = [
            value for item, value in zip(items, values, strict=True) if " OVER (" in item and value.kind == "INT64"
        ]
        if calls and self.chance(25):
            qualify = f" QUALIFY {self.pick(calls).sql} {self.pick(['=', '<', '>=', 'IS NOT DISTINCT FROM'])} 1"
        elif rows.keys is not None and self.chance(20):
            call, kind = self.window(rows, self.pick(["INT64", "INT64", "BOOL"]))
            qualify = (
                f" QUALIFY {call}"
                if kind == "BOOL"
                else f" QUALIFY {call} {self.pick(['=', '<', '>='])} {self.number(0, 3)}"
            )
            where = where or " WHERE TRUE"
        listed, windows = self.by_name(", ".join(items)) if self.chance(30) else (", ".join(items), "")
        sql = f"SELECT {listed} FROM {rows.sql}{where}{qualify}{windows}"
        return Rows(sql + self.limited(rows), tuple(values), keys_of(values, unique))

    def by_name(self, items: str) -> tuple[str, str]:
        """The items with a name for the first window, and the WINDOW clause."""
        start = items.find(" OVER (") + 7
        if start < 7 or "(SELECT" in items:  # the window may be that of a subquery
            return items, ""
        end = closed(items, start)
        whole, name = items[start:end], self.name("win")
        part, order, rest = whole.partition(" ORDER BY ")
        if order and part.startswith("PARTITION BY") and self.chance(50):
            return f"{items[:start]}{name} ORDER BY {rest}{items[end:]}", f" WINDOW {name} AS ({part})"
        if self.chance(30):
            other = self.name("win")
            return f"{items[: start - 1]}{other}{items[end + 1 :]}", f" WINDOW {name} AS ({whole}), {other} AS {name}"
        return f"{items[: start - 1]}{name}{items[end + 1 :]}", f" WINDOW {name} AS ({whole})"

    def starred(self) -> Rows:
        """SELECT * of a table, with EXCEPT and REPLACE."""
        table, alias = self.pick(sorted(self.schema)), self.name()
        names = self.schema[table]
        values = [Value(f"{alias}.{name}", COLUMNS[name]) for name in names]
        gone = self.some([name for name in names if name != "id"], 0, 3)
        kept = [name for name in names if name not in gone]
        changed = self.some([name for name in kept if name != "id"], 0, 2)
        star = self.pick(["*", f"{alias}.*"]) + (f" EXCEPT ({', '.join(gone)})" if gone else "")
        if changed:
            star += f" REPLACE ({', '.join(f'{self.value(COLUMNS[name], values)} AS {name}' for name in changed)})"
        rows = Rows(f"{table} AS {alias}", tuple(values), (f"{alias}.id",))
        sql = f"SELECT {star} FROM {rows.sql}{self.where(rows)}"
        return Rows(sql + self.limited(rows), tuple(Value(name, COLUMNS[name]) for name in kept), ("id",))

    def distinct(self) -> Rows:
        rows = self.source()
        values, items = list[Value](), list[str]()
        for kind in [self.pick(SCALARS) for _ in range(self.number(1, 3))]:
            values.append(Value(self.name("c"), kind))
            items.append(f"{self.value(kind, rows.values)} AS {values[-1].sql}")
        found = Rows("", tuple(values), keys_of(values))
        sql = f"SELECT DISTINCT {', '.join(items)} FROM {rows.sql}{self.where(rows)}"
        return Rows(sql + self.limited(found), found.values, found.keys)

    def group_keys(self, rows: Rows, most: int = 2) -> list[Value]:
        """What to group by."""
        found = list[Value]()
        for _ in range(self.number(1, most)):
            known = self.pick(rows.scalars) if rows.scalars else None
            parts = self.parts(rows)
            if known is not None and self.chance(65):
                found.append(known)
            elif parts and self.chance(50):
                found.append(self.pick(parts))
            else:
                kind = self.pick(SCALARS)
                found.append(Value(self.computed(kind, rows.values), kind))
        return list({value.sql: value for value in found}.values())

    @staticmethod
    def parts(rows: Rows) -> list[Value]:
        """Fields of structs and elements of arrays."""
        found = [Value(f"{value.sql}.x", "INT64") for value in rows.values if value.kind == ROW]
        found += [Value(f"{value.sql}.y", "STRING") for value in rows.values if value.kind == ROW]
        arrays = [value for value in rows.values if value.kind in ("ARRAY<INT64>", "ARRAY<STRING>")]
        return found + [Value(f"{value.sql}[SAFE_OFFSET(0)]", value.kind[6:-1]) for value in arrays]

    def grouped(self) -> Rows:
        """SELECT … GROUP BY keys: written again, by alias or by number; or without keys."""
        rows = self.source()
        keys = [] if self.chance(20) else self.group_keys(rows)
        aggregates = [self.aggregate(rows) for _ in range(self.number(0 if keys else 1, 2))]
        listed = [key for key in keys if self.chance(85)] or keys[:1]
        values = [Value(self.name("k"), key.kind) for key in listed] + [
            Value(self.name("c"), kind) for _, kind in aggregates
        ]
        items = [f"{key.sql} AS {value.sql}" for key, value in zip(listed, values, strict=False)]
        items += [f"{sql} AS {value.sql}" for (sql, _), value in zip(aggregates, values[len(listed) :], strict=True)]
        by = list[str]()
        for key in keys:
            number = listed.index(key) if key in listed else -1
            by.append(self.pick([key.sql, key.sql, values[number].sql, str(number + 1)]) if number >= 0 else key.sql)
        all_ = listed == keys and aggregates and self.chance(15) and all("." in key.sql for key in keys)
        group = f" GROUP BY {'ALL' if all_ else ', '.join(by)}" if keys else ""
        having = f" HAVING {self.having(rows, listed)}" if self.chance(25) else ""
        found = Rows("", tuple(values), keys_of(values, [v.sql for v in values[: len(keys)]] if listed == keys else ()))
        sql = f"SELECT {', '.join(items)} FROM {rows.sql}{self.where(rows)}{group}{having}"
        return Rows(sql + self.limited(found), found.values, found.keys)

    def having(self, rows: Rows, keys: Sequence[Value]) -> str:
        sql, kind = self.aggregate(rows)
        test = sql if kind == "BOOL" else f"{sql} IS NOT NULL"
        if kind in ("INT64", "FLOAT64", "NUMERIC"):
            test = f"{sql} {self.pick(['>', '<=', '='])} {self.number(0, 3)}"
        simple = [key for key in keys if "(" not in key.sql]
        return f"{test} OR {self.value('BOOL', simple)}" if simple and self.chance(25) else test

    def grouping_sets(self) -> Rows:
        """GROUP BY ROLLUP, CUBE, GROUPING SETS"""
        rows = self.source()
        keys = self.group_keys(rows, 3)
        texts = [key.sql for key in keys]
        form = self.pick(["ROLLUP", "CUBE", "GROUPING SETS"])
        listed = ", ".join(texts)
        if form == "GROUPING SETS":
            sets = [f"({', '.join(self.some(texts, 0, 2))})" for _ in range(self.number(1, 3))]
            listed = ", ".join([f"({listed})", *sets])
        aggregates = [self.aggregate(rows) for _ in range(self.number(1, 2))]
        if len(texts) == 1 and self.chance(40):  # of several keys that are NULL the reference engine mixes up the sets
            aggregates.append((f"GROUPING({self.pick(texts)})", "INT64"))
        values = [Value(self.name("k"), key.kind) for key in keys] + [
            Value(self.name("c"), kind) for _, kind in aggregates
        ]
        items = [
            f"{sql} AS {value.sql}"
            for sql, value in zip([*texts, *(sql for sql, _ in aggregates)], values, strict=True)
        ]
        sql = f"SELECT {', '.join(items)} FROM {rows.sql}{self.where(rows)} GROUP BY {form} ({listed})"
        return Rows(sql, tuple(values), keys_of(values))

    def set_operation(self) -> Rows:
        word = self.pick(["UNION ALL", "UNION ALL", "UNION DISTINCT", "INTERSECT DISTINCT", "EXCEPT DISTINCT"])
        allowed = KINDS if word == "UNION ALL" else SCALARS
        kinds = [self.pick(allowed) for _ in range(self.number(1, 3))]
        parts = [
            self.query([self.weaker(kind) if number else kind for kind in kinds]) for number in range(self.number(2, 3))
        ]
        values = parts[0].values
        sql = f" {word} ".join(f"({part.sql})" for part in parts)
        found = Rows(sql, values, keys_of(values))
        return Rows(sql + self.limited(found), values, found.keys)

    def set_by_name(self) -> Rows:
        """Set operations BY NAME, of queries with some columns in common."""
        mode = self.pick(["", "FULL ", "LEFT ", "INNER ", "FULL OUTER ", "LEFT OUTER "])
        word = self.pick(["UNION ALL", "UNION DISTINCT", "INTERSECT DISTINCT", "EXCEPT DISTINCT"])
        kinds = {self.name("n"): self.pick(SCALARS) for _ in range(3)}
        names = list(kinds)
        first = names[: self.number(1, 2)]
        second = self.some(first, len(first), len(first)) if not mode else self.some(names, 1, 3)
        if not mode.startswith("FULL") and not set(first) & set(second):
            second = [*second, first[0]]
        listed = {"F": [*first, *(n for n in second if n not in first)], "I": [n for n in first if n in second]}
        columns = listed.get(mode[:1], first)
        on = f" ON ({', '.join(columns)})" if mode.startswith("INNER") and self.chance(30) else ""
        parts = [self.renamed({name: kinds[name] for name in part}) for part in (first, second)]
        values = tuple(Value(name, kinds[name]) for name in columns)
        how = f"{mode}{word} {self.pick(['BY NAME', 'BY NAME', 'STRICT CORRESPONDING' if not mode else 'BY NAME'])}"
        found = Rows(f"{parts[0]} {how}{on} {parts[1]}", values, keys_of(values))
        return Rows(found.sql + self.limited(found), values, found.keys)

    def renamed(self, kinds: Mapping[str, str]) -> str:
        """A query whose columns have these names and types."""
        query, alias = self.select(list(kinds.values())), self.name()
        pairs = zip(query.values, kinds, strict=True)
        return f"SELECT {', '.join(f'{value.sql} AS {name}' for value, name in pairs)} FROM ({query.sql}) AS {alias}"

    def weaker(self, kind: str) -> str:
        """A type that coerces to this one."""
        return self.pick([kind, *{"FLOAT64": ["INT64", "NUMERIC"], "NUMERIC": ["INT64"]}.get(kind, [])])

    def pivoted(self) -> Rows:
        """PIVOT of a query with one column for the rows, one for the columns, and values."""
        rows = self.source()
        subject = self.pick(["INT64", "STRING", "BOOL", "DATE"])
        key, column, number, text = (self.name("p") for _ in range(4))
        key_kind = self.pick(SCALARS)
        inner = (
            f"SELECT {self.value(key_kind, rows.values)} AS {key}, {self.value(subject, rows.values)} AS {column},"
            f" MOD({self.value('INT64', rows.values)}, 100) AS {number}, {self.value('STRING', rows.values)} AS {text}"
            f" FROM {rows.sql}{self.where(rows)}"
        )
        calls = [
            (f"SUM({number})", "INT64"),
            ("COUNT(*)", "INT64"),
            (f"MAX({text})", "STRING"),
            (f"COUNTIF({number} > 0)", "INT64"),
            (f"MIN(IF({number} > 1, {text}, NULL))", "STRING"),
            (f"COUNT(DISTINCT {text})", "INT64"),
            (f"STRING_AGG({text}, '+' ORDER BY {text}, {number})", "STRING"),
        ]
        chosen = [(*call, self.name("m")) for call in self.some(calls, 1, 2)]
        places = [(self.constant(subject), self.name("v")) for _ in range(self.number(1, 3))]
        plain = {"INT64": ["1", "2", "10"], "STRING": ["'a'", "'b'", "'abc'"]}.get(subject)
        if plain and self.chance(40):  # their columns are named after them
            places = [(value, value.strip("'")) for value in self.some(plain)]
        listed = ", ".join(f"{sql} AS {alias}" for sql, _, alias in chosen)
        values = [Value(key, key_kind)] if self.reads_none(chosen, key) else []
        values += [Value(text, "STRING")] if self.reads_none(chosen, text) else []
        values += [Value(number, "INT64")] if self.reads_none(chosen, number) else []
        columns = [Value(f"{alias}_{place}", kind) for _, place in places for _, kind, alias in chosen]
        found = self.name()
        within = ", ".join(value if alias == value.strip("'") else f"{value} AS {alias}" for value, alias in places)
        sql = f"SELECT * FROM ({inner}) PIVOT ({listed} FOR {column} IN ({within})) AS {found}"
        ordered = [Value(key, key_kind), Value(number, "INT64"), Value(text, "STRING")]
        kept = [value for value in ordered if value in values]
        return Rows(sql, (*kept, *columns), keys_of([*kept, *columns], [v.sql for v in kept]))

    @staticmethod
    def reads_none(calls: Sequence[tuple[str, str, str]], name: str) -> bool:
        return not any(f"{name}{end}" in sql for sql, _, _ in calls for end in (")", " ", ","))

    def unpivoted(self) -> Rows:
        rows = self.source()
        kind = self.pick(SCALARS)
        read = dict.fromkeys(self.value(kind, rows.values) for _ in range(self.number(1, 3)))  # no column twice
        names = [self.name("u") for _ in read]
        key, value, label = self.name("k"), self.name("v"), self.name("l")
        key_kind = self.pick(KINDS)
        listed = ", ".join(f"{sql} AS {name}" for sql, name in zip(read, names, strict=True))
        inner = f"SELECT {self.value(key_kind, rows.values)} AS {key}, {listed} FROM {rows.sql}{self.where(rows)}"
        nulls = self.pick(["", " INCLUDE NULLS", " EXCLUDE NULLS"])
        if len(names) == 2 and self.chance(50):
            second = self.name("v")
            as_ = self.pick(["", " AS 'both'"])
            items = f"({names[0]}, {names[1]}){as_}"
            sql = f"SELECT * FROM ({inner}) UNPIVOT{nulls} (({value}, {second}) FOR {label} IN ({items}))"
            both = (Value(key, key_kind), Value(value, kind), Value(second, kind), Value(label, "STRING"))
            return Rows(sql, both, keys_of(both))
        labels = [f"{name} AS '{name}!'" if self.chance(30) else name for name in names]
        sql = f"SELECT * FROM ({inner}) UNPIVOT{nulls} ({value} FOR {label} IN ({', '.join(labels)}))"
        values = (Value(key, key_kind), Value(value, kind), Value(label, "STRING"))
        return Rows(sql, values, keys_of(values))

    # aggregates and windows

    def aggregate(self, rows: Rows) -> tuple[str, str]:
        """A call of an aggregate function with its type."""
        values = rows.values
        kind = self.pick(SCALARS)
        x = self.value(kind, values)
        number = f"MOD({self.value('INT64', values)}, 100)"
        exact = [value.sql for value in values if value.sql.rpartition(".")[2] == "f"] or [f"{number} * 0.5"]
        money = [value.sql for value in values if value.kind == "NUMERIC" and "." in value.sql] or ["NUMERIC '0.1'"]
        flag = self.value("BOOL", values)
        text = self.value("STRING", values)
        plain = [
            ("COUNT(*)", "INT64"),
            (f"COUNT({x})", "INT64"),
            (f"COUNT(DISTINCT {x})", "INT64"),
            (f"COUNTIF({flag})", "INT64"),
            (f"SUM({number})", "INT64"),
            (f"SUM(DISTINCT {number})", "INT64"),
            (f"SUM({self.pick(exact)})", "FLOAT64"),
            (f"SUM({self.pick(money)})", "NUMERIC"),
            (f"AVG({self.pick(money)})", "NUMERIC"),
            (f"AVG({number})", "FLOAT64"),
            (f"MIN({x})", kind),
            (f"MAX({x})", kind),
            (f"LOGICAL_AND({flag})", "BOOL"),
            (f"LOGICAL_OR({flag})", "BOOL"),
            (f"BIT_XOR({self.value('INT64', values)})", "INT64"),
            (f"STRING_AGG(DISTINCT {text}, ';' ORDER BY {text} DESC)", "STRING"),
            (f"MAX({x} HAVING MIN {number})", kind),
            (f"ARRAY_LENGTH(ARRAY_AGG(DISTINCT {x} IGNORE NULLS))", "INT64"),
            (f"SUM(IF({flag}, {number}, NULL))", "INT64"),
        ]
        if rows.keys is None or self.chance(60):
            return self.pick(plain)
        order = self.order(rows)
        limit = self.pick(["", "", " LIMIT 2", " LIMIT 1"])
        a = self.value("ARRAY<INT64>", values)
        separator = self.pick(["", ", '+'"])
        ordered = [
            (f"STRING_AGG({text}{separator}{order}{limit})", "STRING"),
            (f"ARRAY_AGG({self.value('INT64', values)} IGNORE NULLS{order}{limit})", "ARRAY<INT64>"),
            (f"ARRAY_AGG({text} IGNORE NULLS{order}{limit})", "ARRAY<STRING>"),
            (f"ARRAY_AGG(STRUCT({number} AS x, {text} AS y){order}{limit})", f"ARRAY<{ROW}>"),
            (f"ARRAY_CONCAT_AGG({a}{order}{limit})", "ARRAY<INT64>"),
            (f"ARRAY_AGG({x}{order}{limit})[SAFE_OFFSET(0)]", kind),
        ]
        return self.pick(ordered)

    def window(self, rows: Rows, kind: str = "") -> tuple[str, str]:
        """A window function with its type: this one, if one is asked for. The rows have keys."""
        values = rows.values
        part = f"PARTITION BY {self.partition(rows)}" if self.chance(60) else ""
        order = self.order(rows).strip()
        if not order:
            return f"COUNT(*) OVER ({part})", "INT64"
        whole = " ".join(filter(None, [part, order]))
        number = f"MOD({self.value('INT64', values)}, 100)"
        scalar = self.pick(SCALARS)
        x = self.value(scalar, values)
        frame = self.frame()
        nulls = self.pick(["", " IGNORE NULLS"])
        loose = f"{part} ORDER BY {self.sort_key(number)}" if self.chance(50) else whole
        span = f"{self.number(0, 2)} PRECEDING AND {self.number(0, 2)} FOLLOWING"
        found = [
            (f"ROW_NUMBER() OVER ({whole})", "INT64"),
            (f"{self.pick(['RANK', 'DENSE_RANK'])}() OVER ({loose})", "INT64"),
            (f"NTILE({self.number(1, 4)}) OVER ({whole})", "INT64"),
            (f"COUNT({x}) OVER ({whole}{frame})", "INT64"),
            (f"SUM({number}) OVER ({whole}{frame})", "INT64"),
            (f"SUM({number}) OVER ({part} ORDER BY {number} RANGE BETWEEN {span})", "INT64"),
            (f"COUNT(DISTINCT {x}) OVER ({part})", "INT64"),
            (f"COUNTIF({self.value('BOOL', values)}) OVER ({whole}{frame})", "INT64"),
            (f"LAG({number}, {self.number(1, 2)}{self.pick(['', ', -1'])}) OVER ({whole})", "INT64"),
            (f"LOGICAL_OR({self.value('BOOL', values)}) OVER ({whole}{frame})", "BOOL"),
            (f"LEAD({self.value('BOOL', values)}) OVER ({whole})", "BOOL"),
            (f"{self.pick(['PERCENT_RANK', 'CUME_DIST'])}() OVER ({loose})", "FLOAT64"),
            (f"AVG({number}) OVER ({whole}{frame})", "FLOAT64"),
            (f"{self.pick(['LAG', 'LEAD'])}({x}) OVER ({whole})", scalar),
            (
                f"{self.pick(['FIRST_VALUE', 'LAST_VALUE'])}({x}{nulls}) OVER ({whole}{frame})",
                scalar,
            ),
            (f"NTH_VALUE({x}, 2) OVER ({whole}{frame})", scalar),
            (f"{self.pick(['MIN', 'MAX'])}({x}) OVER ({whole}{frame})", scalar),
            (f"STRING_AGG({self.value('STRING', values)}, ',') OVER ({whole}{frame})", "STRING"),
            (f"PERCENTILE_CONT({number}, 0.5) OVER ({part})", "FLOAT64"),
            (f"PERCENTILE_DISC({x}, 0.4) OVER ({part})", scalar),
        ]
        fitting = [call for call in found if call[1] == kind] if kind else found
        return self.pick(fitting)

    def partition(self, rows: Rows) -> str:
        allowed = [kind for kind in SCALARS if kind != "FLOAT64"]
        known = [value.sql for value in rows.values if value.kind in allowed]
        if known and self.chance(75):
            return self.pick(known)
        return self.value(self.pick(allowed), rows.values)

    def frame(self) -> str:
        starts = ["UNBOUNDED PRECEDING", f"{self.number(0, 3)} PRECEDING", "CURRENT ROW", "1 FOLLOWING"]
        ends = ["1 PRECEDING", "CURRENT ROW", f"{self.number(1, 3)} FOLLOWING", "UNBOUNDED FOLLOWING"]
        start, end = self.number(0, 3), self.number(0, 3)
        places = {0: -9, 1: -1, 2: 0, 3: 1}
        if places[start] > {0: -1, 1: 0, 2: 1, 3: 9}[end]:
            return ""
        forms = ["", "", f" ROWS BETWEEN {starts[start]} AND {ends[end]}", " ROWS UNBOUNDED PRECEDING"]
        forms.append(" RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW")
        return self.pick(forms)

    # whole statements

    def statement(self) -> str:
        """A query with WITH before it, sometimes, and an ORDER BY at its end."""
        clauses = list[str]()
        recursive = self.chance(12)
        if recursive:
            clauses.append(self.recursion())
        for _ in range(self.number(0, 2) if self.chance(35) else 0):
            query = self.query()
            name = self.name("w")
            clauses.append(f"{name} AS ({query.sql})")
            self.named[name] = query
        query = self.piped() if self.chance(25) else self.query()
        head = f"WITH {'RECURSIVE ' if recursive else ''}{', '.join(clauses)} " if clauses else ""
        return head + query.sql

    def growing(self) -> str:
        """A WITH query that reads itself, and whose rows hold an array that grows."""
        name, alias = self.name("w"), self.name()
        inner = [Value(f"{alias}.n", "INT64"), Value(f"{alias}.a", "ARRAY<INT64>")]
        grown = f"ARRAY_CONCAT({alias}.a, [MOD({self.value('INT64', inner)}, 10)])"
        values = (Value("n", "INT64"), Value("a", "ARRAY<INT64>"))
        self.named[name] = Rows("", values, ("n",))
        start, most = self.pick(["[0]", "ARRAY<INT64>[]", "GENERATE_ARRAY(1, 2)"]), self.number(1, 6)
        join = self.pick([f"{name} AS {alias}", f"(SELECT * FROM {name} WHERE n < 5) AS {alias}"])
        step = f"SELECT {alias}.n + 1, {grown} FROM {join} WHERE {alias}.n < {most}"
        return f"{name} AS (SELECT 1 AS n, {start} AS a UNION ALL {step})"

    def recursion(self) -> str:
        """A WITH query that reads itself."""
        if self.chance(25):
            return self.growing()
        name = self.name("w")
        alias = self.name()
        rows = self.table()
        start = self.value("STRING", [])
        word = self.pick(["UNION ALL", "UNION ALL", "UNION DISTINCT"])
        values = (Value("n", "INT64"), Value("s", "STRING"))
        inner = [Value(f"{alias}.n", "INT64"), Value(f"{alias}.s", "STRING")]
        base = self.pick(
            [f"SELECT 1 AS n, {start} AS s", f"SELECT id AS n, CAST(id AS STRING) AS s FROM {sorted(self.schema)[1]}"]
        )
        limit = f"LENGTH({alias}.s) < 40 AND {alias}.n < {self.number(2, 6)}"
        join = self.pick(
            [f"{name} AS {alias}", f"{name} AS {alias} JOIN {rows.sql} ON {self.condition(rows.values, inner)}"]
        )
        text = self.pick(
            [f"{alias}.s", f"CONCAT({alias}.s, 'x')", f"LEFT(COALESCE({self.value('STRING', inner)}, ''), 30)"]
        )
        self.named[name] = Rows("", values, keys_of(values))
        return f"{name} AS ({base} {word} SELECT {alias}.n + 1, {text} FROM {join} WHERE {limit})"

    def piped_whole(self) -> Rows:
        """FROM … |> … |> SELECT …: all of its columns have names of their own."""
        rows = self.piped()
        sql, values = _select(self, rows)
        return Rows(rows.sql + sql, values.values, values.keys)

    def piped(self) -> Rows:
        """FROM … |> …"""
        rows = self.source()
        sql = f"FROM {rows.sql}"
        for _ in range(self.number(1, 4)):
            step = self.pick(PIPES)
            text, rows = step(self, rows)
            sql += text
        return Rows(sql, rows.values, rows.keys)


Step = Callable[[Maker, Rows], tuple[str, Rows]]


def _where(maker: Maker, rows: Rows) -> tuple[str, Rows]:
    return f" |> WHERE {maker.value('BOOL', rows.values, 2)}", rows


def _extend(maker: Maker, rows: Rows) -> tuple[str, Rows]:
    if rows.keys is not None and maker.chance(40):
        sql, kind = maker.window(rows)
    else:
        kind = maker.pick(KINDS)
        sql = maker.value(kind, rows.values, 2)
    added = Value(maker.name("x"), kind)
    return f" |> EXTEND {sql} AS {added.sql}", Rows("", (*rows.values, added), rows.keys, rows.after_comma)


def _select(maker: Maker, rows: Rows) -> tuple[str, Rows]:
    values = [Value(maker.name("c"), kind) for kind in maker.kinds()]
    items = [f"{maker.value(value.kind, rows.values)} AS {value.sql}" for value in values]
    return f" |> SELECT {', '.join(items)}", Rows("", tuple(values), keys_of(values))


def _aggregate(maker: Maker, rows: Rows) -> tuple[str, Rows]:
    keys = maker.group_keys(rows) if maker.chance(80) else []
    aggregates = [maker.aggregate(rows) for _ in range(maker.number(1, 2))]
    calls = [Value(maker.name("c"), kind) for _, kind in aggregates]
    by = [Value(maker.name("k"), key.kind) for key in keys]
    listed = ", ".join(f"{sql} AS {value.sql}" for (sql, _), value in zip(aggregates, calls, strict=True))
    group = ", ".join(f"{key.sql} AS {value.sql}" for key, value in zip(keys, by, strict=True))
    text = f" |> AGGREGATE {listed}{' GROUP BY ' + group if group else ''}"
    values = (*by, *calls)
    return text, Rows("", values, keys_of(values, [value.sql for value in by]))


def _order(maker: Maker, rows: Rows) -> tuple[str, Rows]:
    if rows.keys is None or not (order := maker.order(rows)):
        return "", rows
    return f" |>{order} |> LIMIT {maker.number(0, 6)}", rows


def _distinct(maker: Maker, rows: Rows) -> tuple[str, Rows]:
    if len(rows.scalars) < len(rows.values) or any("." in value.sql for value in rows.values):
        return _where(maker, rows)
    return " |> DISTINCT", Rows("", rows.values, keys_of(rows.values))


def _join(maker: Maker, rows: Rows) -> tuple[str, Rows]:
    right = maker.table()
    word = maker.pick(["JOIN", "LEFT JOIN"] if rows.after_comma else ["JOIN", "LEFT JOIN", "FULL JOIN", "RIGHT JOIN"])
    text = f" |> {word} {right.sql} ON {maker.condition(right.values, rows.values)}"
    return text, Rows("", *maker.both(rows, right), rows.after_comma)


def _plain(rows: Rows) -> list[Value]:
    """The columns that no table's name stands before, each there once."""
    names = [value.sql for value in rows.values]
    return [value for value in rows.values if value.sql.isidentifier() and names.count(value.sql) == 1]


def _free(rows: Rows) -> list[Value]:
    """The columns that an operator may change or drop: no element of an UNNEST, and nothing that the order needs."""
    made = [value for value in _plain(rows) if value.sql[0] in "cxk"]
    return [value for value in made if value.sql not in (rows.keys or ())]


def _set(maker: Maker, rows: Rows) -> tuple[str, Rows]:
    if not (free := _free(rows)):
        return _extend(maker, rows)
    changed = maker.pick(free)
    kind = maker.pick(KINDS)
    values = tuple(Value(value.sql, kind) if value == changed else value for value in rows.values)
    sql = f" |> SET {changed.sql} = {maker.value(kind, rows.values)}"
    return sql, Rows("", values, rows.keys, rows.after_comma)


def _drop(maker: Maker, rows: Rows) -> tuple[str, Rows]:
    free = _free(rows)
    if not free or len(rows.values) < 2:
        return _where(maker, rows)
    gone = maker.pick(free)
    return f" |> DROP {gone.sql}", Rows("", tuple(v for v in rows.values if v != gone), rows.keys, rows.after_comma)


def _rename(maker: Maker, rows: Rows) -> tuple[str, Rows]:
    if not (free := _free(rows)):
        return _extend(maker, rows)
    old, new = maker.pick(free), maker.name("x")
    values = tuple(Value(new, value.kind) if value == old else value for value in rows.values)
    return f" |> RENAME {old.sql} AS {new}", Rows("", values, rows.keys, rows.after_comma)


def _as(maker: Maker, rows: Rows) -> tuple[str, Rows]:
    if any("." in value.sql for value in rows.values) or len(_plain(rows)) < len(rows.values):
        return _extend(maker, rows)
    alias = maker.name()
    return f" |> AS {alias}", maker.aliased("", alias, rows)


def _union(maker: Maker, rows: Rows) -> tuple[str, Rows]:
    if any("." in value.sql for value in rows.values) or not rows.scalars or len(rows.values) > 4:
        return _where(maker, rows)
    word = maker.pick(["UNION ALL", "UNION ALL", "UNION DISTINCT", "INTERSECT DISTINCT", "EXCEPT DISTINCT"])
    if word != "UNION ALL" and len(rows.scalars) < len(rows.values):
        word = "UNION ALL"
    parts = [maker.select([value.kind for value in rows.values]).sql for _ in range(maker.number(1, 2))]
    return f" |> {word} {', '.join(f'({part})' for part in parts)}", Rows("", rows.values, keys_of(rows.values))


def _window(maker: Maker, rows: Rows) -> tuple[str, Rows]:
    if rows.keys is None:
        return _where(maker, rows)
    sql, kind = maker.window(rows)
    added = Value(maker.name("x"), kind)
    return f" |> EXTEND {sql} AS {added.sql}", Rows("", (*rows.values, added), rows.keys, rows.after_comma)


def _same(maker: Maker, rows: Rows) -> tuple[str, Rows]:
    """Operators that change no row."""
    return maker.pick([" |> TABLESAMPLE SYSTEM (100 PERCENT)", " |> ASSERT TRUE, 'never'", " |> WHERE TRUE"]), rows


def _sorted_groups(maker: Maker, rows: Rows) -> tuple[str, Rows]:
    key, call = maker.group_keys(rows, 1)[0], maker.aggregate(rows)
    values = (Value(maker.name("k"), key.kind), Value(maker.name("c"), call[1]))
    text = f" |> AGGREGATE {call[0]} AS {values[1].sql} GROUP AND ORDER BY {key.sql} AS {values[0].sql}"
    return text, Rows("", values, keys_of(values, [values[0].sql]))


def _pivot(maker: Maker, rows: Rows) -> tuple[str, Rows]:
    """SELECT of three columns, and PIVOT of them."""
    key, by, number = (maker.name("c") for _ in range(3))
    items = f"{maker.value('STRING', rows.values)} AS {key}, {maker.value('STRING', rows.values)} AS {by}"
    items += f", MOD({maker.value('INT64', rows.values)}, 50) AS {number}"
    names = [maker.name("x") for _ in range(maker.number(1, 2))]
    listed = ", ".join(f"{maker.constant('STRING')} AS {name}" for name in names)
    text = f" |> SELECT {items} |> PIVOT (SUM({number}) FOR {by} IN ({listed}))"
    values = (Value(key, "STRING"), *(Value(name, "INT64") for name in names))
    return text, Rows("", values, keys_of(values, [key]))


PIPES: tuple[Step, ...] = (
    *(_where, _where, _extend, _extend, _select, _aggregate, _aggregate, _order, _distinct, _join),
    *(_set, _drop, _rename, _as, _union, _window, _same, _sorted_groups, _pivot),
)


def closed(text: str, start: int) -> int:
    """Where the parenthesis closes that is open at `start`."""
    depth, quote = 0, ""
    for place in range(start, len(text)):
        if quote:
            quote = "" if text[place] == quote and text[place - 1] != "\\" else quote
        elif text[place] in "'\"":
            quote = text[place]
        else:
            depth += (text[place] == "(") - (text[place] == ")")
            if depth < 0:
                return place
    return len(text)


@st.composite
def statements(draw: st.DrawFn, schema: Schema, size: int = 3) -> str:
    """A query over tables with these columns."""
    return Maker(draw, schema, size).statement()
