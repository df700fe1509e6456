"""Random queries in which names hide each other: the same few for columns, aliases, tables and elements of arrays.

Most of them are wrong in GoogleSQL, too: both engines must say so, or agree on what each name means.
"""

from collections.abc import Iterator
from random import Random

TABLES = {
    "(SELECT 1 AS a, 2 AS b UNION ALL SELECT 3, 1 UNION ALL SELECT NULL, 2)": ("{}.a", "{}.b"),
    "(SELECT 2 AS b, 5 AS c UNION ALL SELECT 1, 3 UNION ALL SELECT 1, NULL)": ("{}.b", "{}.c"),
    "(SELECT STRUCT(1 AS a, 2 AS b) AS s, [1, 2] AS a UNION ALL SELECT (3, 4), [])": (
        "{}.s.a",
        "{}.s.b",
        "{}.a[SAFE_OFFSET(0)]",
    ),
    """(SELECT JSON '{"a": 1}' AS j, INTERVAL 1 DAY AS v, 1 AS a UNION ALL SELECT NULL, NULL, 2)""": (
        *("INT64({}.j.a)", "EXTRACT(DAY FROM {}.v)", "{}.a"),
    ),
    "(SELECT DATE '2024-01-31' AS d, 3 AS b, [STRUCT(1 AS a, 2 AS b)] AS c)": ("EXTRACT(DAY FROM {}.d)", "{}.b"),
}
"""Queries to select from, with how to name their columns after an alias."""
NAMES = ("a", "b", "c", "t", "u", "x")
ALIASES = ("t", "u", "x", "t", "u", "x", "a")
STARS = ("*", "t.*", "u.*", "x.*", "* EXCEPT (b)", "* REPLACE (1 AS a)", "t.* EXCEPT (a)", "t.s.*", "s.*")
KEYS = ("1", "1, 2", "1, 2, 3", "ALL", "ALL", "ALL", "a", "b", "t", "ROLLUP(a, b)")
SIDES = ("JOIN", "LEFT JOIN", "FULL JOIN", "RIGHT JOIN", "CROSS JOIN")
LONGEST = 900


def queries(seed: int, count: int) -> Iterator[str]:
    """So many queries. Their rows have no order: what they sort by may be equal."""
    made = _Maker(Random(seed))
    for _ in range(count):
        sql = made.query(0)
        while len(sql) > LONGEST:
            sql = made.query(0)
        yield f"SELECT * FROM ({sql})"


class _Maker:
    """Makes queries. `seen` has for each query around the next one what its columns may be called."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.seen: list[list[str]] = []

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def pick(self, *items: str) -> str:
        return self.random.choice(items)

    def column(self) -> str:
        match self.random.randrange(20):
            case 0 | 1:
                return self.pick("a", "b", "c")
            case 2:
                return self.pick("t", "u", "x", "s.a", "x.s.b", "1", "NULL", "(t).a", "TO_JSON_STRING(x)")
        return self.pick(*[name for names in self.seen for name in names] or ["1"])

    def expression(self, depth: int) -> str:
        if depth > 2 or self.chance(70):
            return self.column()
        one, other = self.expression(depth + 1), self.expression(depth + 1)
        forms = (
            f"{one} + {other}",
            f"{self.pick('SUM', 'MAX', 'COUNT', 'ANY_VALUE', 'ABS', 'ABS', 'COALESCE', 'COALESCE')}({one})",
            f"SUM({one}) OVER ({self.pick('', f'PARTITION BY {other}', f'ORDER BY {other}')})",
            f"IF({self.condition(depth + 1)}, {one}, {other})",
            f"({self.query(depth + 1, one=True)})",
            f"ARRAY_LENGTH(ARRAY({self.query(depth + 1, one=True)}))",
            f"(SELECT {self.pick('SUM', 'COUNT')}({one}) FROM UNNEST([1, 2]) AS {self.pick('a', 'b', 'x')})",
            f"STRUCT({one} AS a, {other} AS b).{self.pick('a', 'b')}",
        )
        return self.pick(*forms)

    def condition(self, depth: int) -> str:
        one = self.expression(depth + 1)
        match self.random.randrange(6):
            case 0:
                return f"EXISTS({self.query(depth + 1, one=True)})"
            case 1:
                return f"{one} IN ({self.query(depth + 1, one=True)})"
        return f"{one} {self.pick('=', '<', '<>', 'IS DISTINCT FROM')} {self.expression(depth + 1)}"

    def item(self, depth: int) -> str:
        """An item of FROM, which what follows sees."""
        alias = self.pick(*ALIASES)
        if any(name.startswith(f"{alias}.") for name in self.seen[-1]) and self.chance(85):
            alias = self.pick("t", "u", "x", "z", "y")
        columns: tuple[str, ...]
        match self.random.randrange(12):
            case 0:
                return (
                    f"UNNEST([1, 2]) AS {self.pick('a', 'b', 'x')}{self.pick('', ' WITH OFFSET', ' WITH OFFSET AS c')}"
                )
            case 1:
                return f"UNNEST([STRUCT(1 AS a, 2 AS b), (3, 4)]){self.pick('', ' AS x', ' AS a')}"
            case 2 | 3 if depth < 2:
                source, columns = f"({self.query(depth + 1)})", ("{}.a", "{}.b")
            case _:
                source, columns = self.random.choice(list(TABLES.items()))
        self.seen[-1] += [column.format(alias) for column in columns]
        return f"{source} {self.pick('AS ', '')}{alias}"

    def sources(self, depth: int) -> str:
        found = self.item(depth)
        for _ in range(self.random.choice((0, 0, 0, 1, 1, 2))):
            match self.random.randrange(6):
                case 0:
                    found += f", {self.item(depth)}"
                case 1:
                    found += f" {self.pick(*SIDES[:4])} {self.item(depth)} USING ({self.pick('b', 'a', 'a, b')})"
                case 2 | 3 | 4:
                    found += f" {self.pick(*SIDES[:2])} {self.item(depth)} ON {self.condition(2)}"
                case _:
                    found += f", {self.pick('t', 'x', 'u')}.{self.pick('a', 'c')}{self.pick('', ' AS e', ' AS b')}"
        return found

    def selected(self, depth: int) -> str:
        if self.chance(12):
            return self.pick(*STARS)
        alias = f" {self.pick('AS ', '')}{self.pick(*NAMES)}" if self.chance(50) else ""
        return self.expression(depth) + alias

    def query(self, depth: int, *, one: bool = False) -> str:
        """A query, of one column if that is wanted."""
        self.seen.append([])
        sources = self.sources(depth)
        items = [self.selected(depth) for _ in range(1 if one else self.random.randint(1, 3))]
        sql = f"SELECT {self.pick('', '', '', 'DISTINCT ')}{', '.join(items)} FROM {sources}"
        if self.chance(30):
            sql += f" WHERE {self.condition(depth + 1)}"
        sql += self.grouped(depth)
        if self.chance(50 if depth == 0 else 15):
            sql += f" ORDER BY {self.pick('1', '1', '1, 2', 'a', 'b', self.expression(depth + 1))}"
        self.seen.pop()
        if depth == 0 and self.chance(12):
            name = self.pick("t", "u", "x")
            other = self.pick("", f", {next(iter(TABLES))} AS t", f" JOIN {next(iter(TABLES))} AS u USING (b)")
            sql = f"WITH {name} AS ({sql}) SELECT {self.selected(2)}, {self.selected(2)} FROM {name}{other}"
        return sql

    def grouped(self, depth: int) -> str:
        """GROUP BY with HAVING, or QUALIFY, or neither."""
        if self.chance(8):
            return f" QUALIFY ROW_NUMBER() OVER (ORDER BY {self.expression(depth + 1)}) > 0"
        if self.chance(80):
            return ""
        path = self.expression(depth + 1)
        keys = self.pick(
            "1", "1, 2", "1, 2, 3", "ALL", "ALL", "ALL", path, "a", "b", "t", "ROLLUP(a, b)", f"a, {self.column()}"
        )
        having = f" HAVING {self.condition(depth + 1)}" if self.chance(40) else ""
        return f" GROUP BY {keys}{having}"
