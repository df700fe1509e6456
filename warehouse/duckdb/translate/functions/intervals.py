"""INTERVAL, and + and - with dates and times.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#interval_type
"""

from sqlglot import exp

from warehouse.duckdb.translate.expressions import as_type, handles, only
from warehouse.duckdb.translate.functions.units import MICROSECONDS, MONTHS, unit_of
from warehouse.duckdb.translate.scope import Scope
from warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse.duckdb.translate.typed import INT64, INTERVAL, Typed


@handles(exp.Interval)
def interval(node: exp.Expr, scope: Scope) -> Typed:
    """INTERVAL n DAY, INTERVAL '1-2' YEAR TO MONTH"""
    only(node, scope, "this", "unit")
    unit = node.args.get("unit")
    if isinstance(unit, exp.IntervalSpan):
        return _interval_range(node, scope, unit)
    if unit is None:
        wrong(scope.script.text, node, "INTERVAL needs a date part")
    part = unit_of(unit, scope)
    return Typed(interval_sql(count_of(node, scope), part, node, scope), INTERVAL)


def count_of(node: exp.Expr, scope: Scope) -> str:
    inner = node.this
    if isinstance(inner, exp.Literal) and inner.args.get("is_string"):
        text = str(inner.this).strip()
        if not text.lstrip("+-").isdigit():
            unsupported(scope.script.text, node, f"INTERVAL of {text!r}")
        return f"({int(text)}::BIGINT)"
    return as_type(node, scope, "INTERVAL", scope.compile(inner), INT64).sql


def interval_sql(count: str, part: str, node: exp.Expr, scope: Scope) -> str:
    """That many of a unit as an INTERVAL."""
    if part in MONTHS:
        return f"to_months(({count} * {MONTHS[part]})::INTEGER)"
    if part in ("DAY", "WEEK"):
        return f"to_days(({count} * {7 if part == 'WEEK' else 1})::INTEGER)"
    if part in MICROSECONDS:
        return f"to_microseconds({count} * {MICROSECONDS[part]})"
    return wrong(scope.script.text, node, f"INTERVAL does not take {part}")


_SPANS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")


def _interval_range(node: exp.Expr, scope: Scope, unit: exp.Expr) -> Typed:
    first, last = _SPANS.index(unit.this.name.upper()), _SPANS.index(unit.expression.name.upper())
    parts = interval_parts(str(node.this.this), first, last) if isinstance(node.this, exp.Literal) else None
    if parts is None:
        unsupported(scope.script.text, node, f"this INTERVAL … {_SPANS[first]} TO {_SPANS[last]}")
    months, days, microseconds = parts
    return Typed(f"(to_months({months}) + to_days({days}) + to_microseconds({microseconds}))", INTERVAL)


def interval_parts(text: str, first: int, last: int) -> tuple[int, int, int] | None:
    """Months, days and microseconds of a text such as '1-2 3 4:5:6.7', of which the parts first … last are there."""
    words = text.split()
    values = [0] * 6
    expected = [span for span in (range(2), range(2, 3), range(3, 6)) if set(span) & set(range(first, last + 1))]
    if len(words) != len(expected):
        return None
    micros = 0
    for word, span in zip(words, expected, strict=True):
        sign = -1 if word.startswith("-") else 1
        pieces = word.lstrip("+-").replace("-", ":").split(":")
        slots = [slot for slot in span if first <= slot <= last]
        if len(pieces) != len(slots):
            return None
        for slot, piece in zip(slots, pieces, strict=True):
            whole, _, fraction = piece.partition(".")
            if not whole.isdigit() or (fraction and not fraction.isdigit()) or (fraction and slot != 5):
                return None
            values[slot] = sign * int(whole)
            micros += sign * int(fraction[:6].ljust(6, "0") or 0) if fraction else 0
    seconds = values[3] * 3600 + values[4] * 60 + values[5]
    return values[0] * 12 + values[1], values[2], seconds * 1_000_000 + micros
