"""What the checks of a table found: read from the answer to its query, and said in words."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from warehouse_refresh.pipeline.checks.declared import (
    AcceptedValues,
    Check,
    Declared,
    Fresh,
    Limited,
    NotNull,
    References,
    RowCount,
    Unique,
)
from warehouse_refresh.pipeline.checks.queries import MOST_EXAMPLES, Subject, rows_text
from warehouse_refresh.pipeline.outcomes import CheckResult, Verdict
from warehouse_refresh.pipeline.project.problems import Severity, counted
from warehouse_refresh.warehouse import Answer
from warehouse_refresh.warehouse.values.reading import numeric_text

_SHOWN = 60


def read_answer(
    subject: Subject, checks: Sequence[Declared], answer: Answer, published_rows: int | None = None
) -> Iterator[CheckResult]:
    """The results of `checks`, from the answer to their query. `published_rows` is how many rows the published table
    has, None if there is none."""
    row = dict(zip((column.name for column in answer.columns), answer.rows[0], strict=True))
    for number, declared in enumerate(checks):
        check = declared.check
        if isinstance(check, RowCount):
            yield _row_count(subject, declared, check, row["n"], published_rows)
        elif isinstance(check, Fresh):
            yield _fresh(subject, declared, check, row[f"latest_{number}"], row["now"])
        else:
            examples = row.get(f"examples_{number}") or ()
            yield _of_rows(subject, declared, check, row[f"broken_{number}"], row["n"], examples)


def name_of(declared: Declared) -> str:
    """The check in a few words: `unique id`, `row_count`."""
    return " ".join([str(declared.path[1]), ", ".join(declared.columns)]).strip()


def examples_text(examples: Sequence[Mapping[str, Any]], alone: Collection[str] = ()) -> tuple[str, ...]:
    """Rows as text: `id "A1", sku 4`; only the value of a row's one column if it is one of `alone`."""
    return tuple(
        ", ".join(
            value_text(value) if len(row) == 1 and name in alone else f"{name} {value_text(value)}"
            for name, value in row.items()
        )
        for row in examples
    )


def value_text(value: Any) -> str:
    """A value as people read it, cut to a line."""
    text = _text(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def verdict(severity: Severity, *, passed: bool) -> Verdict:
    """What comes of a check of that severity."""
    if passed:
        return Verdict.PASSED
    return Verdict.WARNING if severity is Severity.WARNING else Verdict.FAILED


def and_examples(broken: int, examples: Sequence[str]) -> str:
    """`: "A1", "A2", …`, to follow a reason; "" without examples. "…" means that there may be more."""
    shown = list(dict.fromkeys(examples))
    apart = "; " if any(", " in example for example in shown) else ", "
    more = ["…"] if broken > len(examples) >= MOST_EXAMPLES else []
    return f": {apart.join([*shown, *more])}" if shown else ""


def _of_rows(
    subject: Subject,
    declared: Declared,
    check: Unique | NotNull | AcceptedValues | References,
    broken: int,
    rows: int,
    rows_shown: Sequence[Mapping[str, Any]],
) -> CheckResult:
    examples = examples_text(rows_shown, declared.columns)
    have = "has" if broken == 1 else "have"
    checked = counted(rows, "new row" if subject.bounds else "row")
    found = f"{broken:,} of {checked} of {subject.table} {have} {_fault(declared, check)}"
    message = f"{found}{_tolerance(check)}{and_examples(broken, examples)}"
    passed = check.tolerates(broken, rows)
    query = rows_text(replace(subject, bounds=""), declared)  # for people, who have no @start
    result = verdict(check.severity, passed=passed)
    return CheckResult(name_of(declared), result, message, broken, rows, examples, query)


def _fault(declared: Declared, check: Check) -> str:
    """The fault of a row, to follow the word `has`."""
    columns = " and ".join(declared.columns)
    if isinstance(check, Unique):
        return f"the same {columns} as another row"
    if isinstance(check, NotNull):
        return f"no {columns}"
    if isinstance(check, References):
        return f"{_a(columns)} that is no {check.to}"
    assert isinstance(check, AcceptedValues)  # noqa: S101 (for mypy)
    shown = [value_text(value) for value in check.values[:5]]
    return f"{_a(columns)} other than {', '.join([*shown, *(['…'] if len(check.values) > 5 else [])])}"


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _tolerance(check: Limited) -> str:
    """How many rows may break it, in brackets; "" if none may."""
    if isinstance(check, NotNull) and check.at_least is not None:
        return f" ({_percent(check.at_least)} must have one)"
    if isinstance(check.at_most, float):
        return f" (at most {_percent(check.at_most)} may)"
    return f" (at most {check.at_most:,} may)" if check.at_most else ""


def _row_count(
    subject: Subject, declared: Declared, check: RowCount, rows: int, published_rows: int | None
) -> CheckResult:
    found = f"{subject.table} has {counted(rows, 'row')}"
    wrong = wrong_count(check, rows, published_rows)
    result = verdict(check.severity, passed=not wrong)
    return CheckResult(name_of(declared), result, found + wrong, rows=rows, query=rows_text(subject, declared))


def wrong_count(check: RowCount, rows: int, published: int | None, *, may_grow: bool = False) -> str:
    """What is wrong with a number of rows, to follow `has 3 rows`; "" if it is right. What is still missing from one
    that `may_grow` is not wrong."""
    if check.at_least is not None and rows < check.at_least and not may_grow and (rows or not check.or_none):
        return f", and must have at least {check.at_least:,}{' or none' if check.or_none else ''}"
    if check.at_most is not None and rows > check.at_most:
        return f", and may have at most {check.at_most:,}"
    if check.change_at_most is not None and published and not check.takes_change(published, rows):
        return f", and the published one {published:,}: it may change by at most {_percent(check.change_at_most)}"
    return ""


def _fresh(subject: Subject, declared: Declared, check: Fresh, latest: date | None, now: datetime) -> CheckResult:
    query = rows_text(subject, declared)
    if latest is None:
        result, message = verdict(check.severity, passed=False), f"{subject.table} has no {check.column} at all"
        return CheckResult(name_of(declared), result, message, query=query)
    age = now - _moment(latest)
    passed = age <= check.longest
    message = f"the latest {check.column} of {subject.table} is {_text(latest)}, {_duration(age)} ago"
    wrong = "" if passed else f": it may be at most {check.within} old"
    return CheckResult(name_of(declared), verdict(check.severity, passed=passed), message + wrong, query=query)


def _moment(value: date) -> datetime:
    """The moment of a DATE, a DATETIME or a TIMESTAMP; what has no zone is in UTC, and a day begins at midnight."""
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _duration(age: timedelta) -> str:
    """`3 days`, `5 hours`, `12 minutes`."""
    seconds = max(0, int(age.total_seconds()))
    for word, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size:
            return counted(seconds // size, word)
    return counted(seconds, "second")


def _percent(share: float) -> str:
    return f"{numeric_text(Decimal(repr(float(share))) * 100)} %"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool) or value is None:
        return str(value).upper() if value is not None else "NULL"
    return numeric_text(value) if isinstance(value, Decimal) else str(value)
