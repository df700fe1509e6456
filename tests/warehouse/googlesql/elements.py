"""Random queries over rows that are values: elements of UNNEST and rows of SELECT AS STRUCT, joined, piped, and
selected by `*`.

Many are wrong in GoogleSQL, too: both engines must say so, or agree on which columns there are.
"""

from collections.abc import Iterator
from random import Random

NUMBERS = "UNNEST([1, 2])"
STRUCTS = "UNNEST([STRUCT(1 AS id, 'a' AS n), (2, 'b')])"
OTHERS = "UNNEST([STRUCT(2 AS id, 20 AS v)])"
ARRAYS = {NUMBERS: (), STRUCTS: ("id", "n"), OTHERS: ("id", "v")}
"""Arrays, with the fields of their elements."""
QUERIES = {
    "(SELECT 1 AS id, 'c' AS v)": ("id", "v"),
    "(SELECT AS STRUCT 2 AS id, 'd' AS w)": ("id", "w"),
    "(SELECT AS VALUE 2)": (),
    "(SELECT AS VALUE STRUCT(1 AS id, 3 AS n))": ("id", "n"),
    f"(SELECT * FROM {STRUCTS})": ("id", "n"),
    f"(SELECT e FROM {STRUCTS} AS e)": ("e",),
    "(SELECT 1 AS x UNION ALL SELECT 2)": ("x",),
    f"(FROM {STRUCTS} AS e)": ("e", "id"),
    f"(FROM {NUMBERS} AS y |> WHERE y > 1)": ("y",),
}
"""Queries in FROM, with their columns."""
NAMES = ("id", "id", "n", "v", "x", "y", "offset", "l", "r", "k")
ALIASES = ("l", "r", "x", "y", "id", "k")
SIDES = ("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")


def queries(seed: int, count: int) -> Iterator[str]:
    """So many queries, each row of which is made of columns."""
    made = _Maker(Random(seed))
    for _ in range(count):
        yield made.query()


class _Maker:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.seen: list[str] = []  # aliases
        self.columns: list[str] = []

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def pick(self, *items: str) -> str:
        return self.random.choice(items)

    def query(self) -> str:
        self.seen, self.columns = [], []
        start = self.sources()
        if self.chance(50):
            sql = f"SELECT {self.items()} FROM {start}"
            return sql + (f" WHERE {self.condition()}" if self.chance(15) else "")
        sql = f"FROM {start}"
        for _ in range(self.random.randint(1, 3)):
            sql += f" |> {self.operator()}"
        return sql

    def sources(self) -> str:
        found = self.item()
        for _ in range(self.random.choice((0, 0, 1, 1, 1, 2))):
            found += self.join()
        return found

    def item(self) -> str:
        alias = self.pick(*[name for name in ALIASES if name not in self.seen] or ALIASES)
        self.seen.append(alias)
        written = f" {self.pick('AS ', '')}{alias}" if self.chance(85) else ""
        is_query = self.chance(35)
        source, columns = self.random.choice(list((QUERIES if is_query else ARRAYS).items()))
        self.columns += columns or [alias]
        offset = "" if is_query else self.pick(*[""] * 6, " WITH OFFSET", " WITH OFFSET AS k", " WITH OFFSET AS id")
        return f"{source}{written}{offset}"

    def name(self) -> str:
        """A column's name, which is probably there."""
        return self.pick(*self.columns) if self.chance(75) else self.pick(*NAMES, *self.seen)

    def join(self) -> str:
        match self.random.randrange(8):
            case 0:
                return f", {self.item()}"
            case 1:
                return f" CROSS JOIN {self.item()}"
            case 2:
                return f" {self.pick(*SIDES)} {self.item()} ON {self.condition()}"
        names = self.name() if self.chance(90) else "id, n"
        return f" {self.pick(*SIDES)} {self.item()} USING ({names})"

    def value(self) -> str:
        alias = self.pick(*self.seen)
        match self.random.randrange(10):
            case 0 | 1 | 2:
                return self.name()
            case 3 | 4 | 5 | 6:
                return f"{alias}.{self.name()}"
            case 7:
                return f"TO_JSON_STRING({alias})"
        return alias

    def condition(self) -> str:
        sign = self.pick("=", "<", "IS NOT DISTINCT FROM")
        return f"{self.value()} {sign} {self.pick(self.value(), '1', self.value())}"

    def items(self) -> str:
        return ", ".join(self.selected() for _ in range(self.random.choice((1, 1, 2))))

    def selected(self) -> str:
        alias = self.pick(*self.seen)
        match self.random.randrange(9):
            case 0 | 1 | 2:
                return "*"
            case 3:
                return f"{alias}.*"
            case 4:
                return f"* EXCEPT ({self.name()})"
            case 5:
                return f"* REPLACE (1 AS {self.name()})"
        return self.value() + (f" AS {self.pick(*NAMES)}" if self.chance(40) else "")

    def operator(self) -> str:
        if self.chance(20):
            return self.join().replace(",", "CROSS JOIN", 1).strip()
        if self.chance(8):
            self.seen.append(self.pick(*ALIASES))
            return f"AS {self.seen[-1]}"
        name, alias = self.name(), self.pick(*self.seen)
        forms = (
            f"SELECT {self.items()}",
            f"EXTEND {self.value()} AS {self.pick(*NAMES)}",
            f"EXTEND {self.value()} AS {self.pick(*NAMES)}",
            f"EXTEND {alias}.*",
            f"SET {name} = {self.value()}",
            f"DROP {name}",
            f"RENAME {name} AS {self.pick(*NAMES)}",
            f"WHERE {self.condition()}",
            f"AGGREGATE COUNT(*) AS c GROUP BY {self.value()}",
            f"AGGREGATE MAX({self.value()}) AS m",
            f"{self.pick('UNION ALL', 'EXCEPT DISTINCT', 'INTERSECT DISTINCT')} ({self.other()})",
            f"ORDER BY {self.value()}",
            self.pick("DISTINCT", "SELECT DISTINCT *", "LIMIT 5", "EXTEND 1 AS one", f"SELECT {alias}.*"),
        )
        return self.pick(*forms)

    def other(self) -> str:
        return self.pick("SELECT 2", "SELECT 2, 'b'", "SELECT 1 AS id", *[query[1:-1] for query in QUERIES])
