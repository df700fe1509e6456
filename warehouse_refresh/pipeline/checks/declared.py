"""The section `[checks]` of a table's settings file: what must be true of its rows.

    [checks]
    where = "created_on >= DATE_SUB(CURRENT_DATE(), INTERVAL 3 DAY)"   # check only these rows; else all
    unique = ["id", ["product_id", "sku"]]                             # two keys
    not_null = ["id", { column = "inventory_count", at_least = 0.95 }]
    accepted_values = { type = ["product", "sample"] }
    references = { product_id = "tmp.products.id" }
    row_count = { at_least = 1, change_at_most = 0.5 }
    fresh = { column = "updated_at", within = "24h" }

Each has a long form, which also takes a severity and a tolerance:

    unique = [{ columns = ["product_id", "sku"], severity = "warning", at_most = 5 }]
    accepted_values = { type = { values = ["product", "sample"], at_most = 0.01 } }
    references = { product_id = { to = "tmp.products.id", severity = "warning" } }

`at_most` is how many rows may break a check: a whole number of rows, or a share of the rows that are checked, between
0 and 1. A check that fails is an error, and keeps the table from being published; with `severity = "warning"` it does
not.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Annotated, Any, cast

from msgspec import Meta, Struct

from warehouse_refresh.pipeline.project.problems import Severity
from warehouse_refresh.warehouse.names import TableName

Path = tuple[str | int, ...]
Name = Annotated[str, Meta(min_length=1)]
Value = Annotated[Any, Meta(extra_json_schema={"type": ["string", "number", "boolean"]})]
Rows = Annotated[int, Meta(ge=0)]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Limited(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A check that rows can break. `at_most` so many may: a whole number is rows, anything else a share of the rows."""

    severity: Severity = Severity.ERROR
    at_most: Annotated[Rows | float, Meta(description="how many rows may break it: a number, or a share of them")] = 0

    def __post_init__(self) -> None:
        if isinstance(self.at_most, float) and not 0 < self.at_most < 1:
            raise ValueError("a share is between 0 and 1: write at_most = 0.05, or a whole number of rows")

    def tolerates(self, broken: int, rows: int) -> bool:
        """Whether `broken` of the `rows` that were checked may break it. 0.05 of 20 rows is 1, exactly."""
        return broken <= (_exactly(self.at_most) * rows if isinstance(self.at_most, float) else self.at_most)


class Unique(Limited, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No two rows have the same values in these columns. A row with a NULL in one of them is like no other."""

    columns: Annotated[tuple[Name, ...], Meta(min_length=1)]

    def __post_init__(self) -> None:
        super().__post_init__()
        _each_once(self.columns)


class NotNull(Limited, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The column has a value in all rows, or `at_least` in this share of them."""

    column: Name
    at_least: Annotated[float, Meta(ge=0, le=1, description="the share of rows that have a value")] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.at_least is not None and self.at_most:
            raise ValueError("write at_least, the share with a value, or at_most, the rows without one: not both")

    def tolerates(self, broken: int, rows: int) -> bool:
        """As Limited.tolerates."""
        if self.at_least is None:
            return super().tolerates(broken, rows)
        return rows - broken >= _exactly(self.at_least) * rows


class AcceptedValues(Limited, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The column has one of these values, or NULL."""

    values: Annotated[tuple[Value, ...], Meta(min_length=1)]

    def __post_init__(self) -> None:
        super().__post_init__()
        _are_values(self.values)


class References(Limited, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of another table has the column's value in `to`, a `dataset.table.column`. NULL refers to nothing, and is
    right."""

    to: Name

    def __post_init__(self) -> None:
        super().__post_init__()
        _target(self.to)

    @property
    def target(self) -> tuple[TableName, str]:
        """The table and the column that are referred to."""
        return _target(self.to)


class RowCount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many rows the table has, or each new partition of a table by date. `change_at_most` compares it with the
    published table: 0.5 allows half as many more or less."""

    at_least: Rows | None = None
    or_none: Annotated[bool, Meta(description="no row at all is right, too: for days on which nothing happens")] = False
    at_most: Rows | None = None
    change_at_most: Annotated[float, Meta(ge=0)] | None = None
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        if self.at_least is None and self.at_most is None and self.change_at_most is None:
            raise ValueError("write at_least, at_most or change_at_most")
        if self.or_none and (self.at_least or 0) < 2:
            raise ValueError("or_none goes with an at_least of 2 or more: any other number of rows is right without it")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least is more than at_most: no number of rows is right")
        if self.change_at_most is not None and not math.isfinite(self.change_at_most):
            raise ValueError("write a share, such as 0.5")

    def takes_change(self, before: int, rows: int) -> bool:
        """Whether the table may have `rows` rows after `before`. Any number may follow an empty table."""
        if self.change_at_most is None or not before:
            return True
        return abs(rows - before) <= _exactly(self.change_at_most) * before


class Fresh(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The latest value of a column of moments or dates is at most `within` old, such as "24h" (s, m, h, d or w)."""

    column: Name
    within: Name
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        _duration(self.within)

    @property
    def longest(self) -> timedelta:
        """`within` as a duration."""
        return _duration(self.within)


Check = Unique | NotNull | AcceptedValues | References | RowCount | Fresh


@dataclass(frozen=True, slots=True)
class Declared:
    """A check, and the keys that lead to it in the file, such as ("checks", "unique", 0)."""

    path: Path
    check: Check

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that it reads."""
        match self.check:
            case Unique(columns=columns):
                return columns
            case NotNull(column=column) | Fresh(column=column):
                return (column,)
            case RowCount():
                return ()
        return (str(self.path[-1]),)


class Misdeclared(ValueError):
    """A short form that its long form refuses; `path` leads to it, as in Declared."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path


class Checks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `[checks]`, as written; `listed` has each check in its long form."""

    where: Annotated[Name, Meta(description="a condition in GoogleSQL: only these rows are checked")] | None = None
    unique: tuple[Name | Annotated[tuple[Name, ...], Meta(min_length=1)] | Unique, ...] = ()
    not_null: tuple[Name | NotNull, ...] = ()
    accepted_values: dict[Name, Annotated[tuple[Value, ...], Meta(min_length=1)] | AcceptedValues] = {}
    references: dict[Name, Name | References] = {}
    row_count: RowCount | None = None
    fresh: Fresh | None = None

    def __post_init__(self) -> None:
        for _ in self.listed():  # the long forms have the rules
            pass

    def listed(self) -> Iterator[Declared]:
        """Each check in its long form, in the order of the fields above. Only reading the section raises Misdeclared,
        for a short form that its long form refuses; msgspec then raises its ValidationError from it."""
        for number, key in enumerate(self.unique):
            yield _declared(("checks", "unique", number), key, _key)
        for number, column in enumerate(self.not_null):
            yield _declared(("checks", "not_null", number), column, lambda it: NotNull(column=it))
        for column, values in self.accepted_values.items():
            yield _declared(("checks", "accepted_values", column), values, lambda it: AcceptedValues(values=it))
        for column, to in self.references.items():
            yield _declared(("checks", "references", column), to, lambda it: References(to=it))
        if self.row_count is not None:
            yield Declared(("checks", "row_count"), self.row_count)
        if self.fresh is not None:
            yield Declared(("checks", "fresh"), self.fresh)


def _declared(path: Path, written: Any, long: Callable[[Any], Check]) -> Declared:
    """The check in its long form. Raises Misdeclared."""
    try:
        return Declared(path, cast("Check", written) if isinstance(written, Struct) else long(written))
    except ValueError as error:
        raise Misdeclared(path, str(error)) from error


def _key(written: str | tuple[str, ...]) -> Unique:
    return Unique(columns=(written,) if isinstance(written, str) else written)


def _exactly(share: float) -> Fraction:
    """The share as it was written: 0.1 is a tenth, which no float is."""
    return Fraction(repr(float(share)))


def _each_once(columns: tuple[str, ...]) -> None:
    folded = [column.casefold() for column in columns]
    twice = [column for column in columns if folded.count(column.casefold()) > 1]
    if twice:
        raise ValueError(f"the key has the column {twice[0]} twice: delete one of them")


def _are_values(values: tuple[Any, ...]) -> None:
    for value in values:
        if not isinstance(value, str | int | float | date | datetime | time):
            raise ValueError(f"{value!r} is no single value: write texts, numbers, true or false, dates or times")  # noqa: TRY004
        if isinstance(value, float) and math.isnan(value):
            raise ValueError("nan is equal to nothing, so that it cannot be an accepted value")


def _target(text: str) -> tuple[TableName, str]:
    parts = text.split(".")
    if len(parts) != 3 or not all(parts):
        raise ValueError(f"{text!r} is not a column of a table: write dataset.table.column")
    return TableName(parts[0], parts[1]), parts[2]


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,5})([smhdw])", text)
    longest = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not longest:
        raise ValueError(f'{text!r} is no duration: write a number up to 99999 and s, m, h, d or w, such as "24h"')
    return longest
