"""Functions with fixed types: which of a function's signatures a call means.

https://cloud.google.com/bigquery/docs/reference/standard-sql/functions-reference#function_calls
"""

from collections.abc import Sequence
from dataclasses import dataclass

from warehouse_refresh.warehouse.sql.coercion import Value, coerces, same, takes_any_type
from warehouse_refresh.warehouse.types import SqlType, parse_type


@dataclass(frozen=True, slots=True)
class Signature:
    """The types that a function takes, how many of them a call must have, and the type that it gives."""

    takes: tuple[SqlType, ...]
    needs: int
    gives: SqlType

    def described(self, name: str) -> str:
        """As documentation has it: `SUBSTR(STRING, INT64, [INT64])`."""
        parts = [f"[{kind}]" if i >= self.needs else str(kind) for i, kind in enumerate(self.takes)]
        return f"{name}({', '.join(parts)})"


def read_signature(text: str) -> Signature:
    """A signature from text such as `STRING INT64 [INT64] -> STRING`. Raises ValueError."""
    left, _, right = text.partition("->")
    words = left.split()
    takes = tuple(parse_type(word.strip("[]")) for word in words)
    return Signature(takes, sum(1 for word in words if not word.startswith("[")), parse_type(right.strip()))


def chosen(values: Sequence[Value], signatures: Sequence[Signature]) -> int | None:
    """The index of the signature that asks for the fewest coercions, the first of several; None if none fits."""
    costs = [(cost, index) for index, each in enumerate(signatures) if (cost := _cost(values, each)) is not None]
    return min(costs)[1] if costs else None


Cost = tuple[int, int, int, int]
"""How many values are coerced and how far: those that are no literals, and after them the literals."""


def _cost(values: Sequence[Value], signature: Signature) -> Cost | None:
    """How far the values are from what the signature takes; None if it does not take them."""
    if not signature.needs <= len(values) <= len(signature.takes):
        return None
    pairs = list(zip(values, signature.takes, strict=False))
    first = signature.takes[0].name if signature.takes else ""
    if first in ("NUMERIC", "BIGNUMERIC") and not any(value.type.name == first for value in values):
        return None  # of literals alone these functions are not chosen
    if not all(coerces(value, kind) for value, kind in pairs):
        return None
    coerced = [(value, kind) for value, kind in pairs if not takes_any_type(value) and not same(value.type, kind)]
    others, literals = (
        [_FAR.get(kind.name, 2) for value, kind in coerced if (value.literal is not None) is is_literal]
        for is_literal in (False, True)
    )
    return len(others), sum(others), len(literals), sum(literals)


_FAR = {"FLOAT64": 1, "BIGNUMERIC": 3}
"""How far a type is from those that coerce to it; 2 for any other."""
