"""What settings files say, in words."""

from collections.abc import Iterator
from typing import Any

from warehouse_refresh.catalogue.document import CheckEntry
from warehouse_refresh.pipeline.checks.declared import (
    AcceptedValues,
    Checks,
    Declared,
    Fresh,
    NotNull,
    References,
    RowCount,
    Unique,
)
from warehouse_refresh.pipeline.tables.settings import BuildSettings


def build_words(build: BuildSettings) -> Iterator[str]:
    """How a table is built by date, or by ranges of ids."""
    yield f"by {f'ranges of {build.step:,}' if build.step else build.by} of {build.column}, from {build.start} on"
    if build.lookback:
        yield f"again: the current {build.by} and the {build.lookback} before it"
    if build.key:
        yield f"a row replaces the one with the same {', '.join(build.key)}"
    if build.reads_itself:
        yield "each is built from those before it"


def check_entries(checks: Checks) -> Iterator[CheckEntry]:
    """What a settings file says must be true of its table."""
    where = f", where {checks.where}" if checks.where else ""
    for declared in checks.listed():
        said = {"columns": declared.columns, **_as_data(declared)}
        yield CheckEntry(_rule(declared) + where, declared.check.severity.value, **said)


def _as_data(declared: Declared) -> dict[str, Any]:
    """What programs ask about a check, as fields of its entry."""
    match declared.check:
        case Unique():
            return {"kind": "unique"}
        case NotNull():
            return {"kind": "not_null"}
        case AcceptedValues(values=values):
            return {"kind": "accepted_values", "values": tuple(map(_plain, values))}
        case References(to=to):
            return {"kind": "references", "to": to}
        case RowCount():
            return {"kind": "row_count"}
        case Fresh():
            return {"kind": "fresh"}


def _plain(value: object) -> object:
    """A value as JSON has it: moments of TOML are texts."""
    return value if isinstance(value, str | int | float | bool) else str(value)


def _rule(declared: Declared) -> str:
    """A check in words."""
    names = ", ".join(declared.columns)
    match declared.check:
        case Unique():
            return f"unique: {names}"
        case NotNull(at_least=None):
            return f"not null: {names}"
        case NotNull(at_least=share):
            return f"not null: {names}, in {share:.1%} of the rows at least"
        case AcceptedValues(values=values):
            return f"{names} is one of {', '.join(map(str, values))}"
        case References(to=to):
            return f"{names} is in {to}"
        case RowCount() as count:
            return f"rows: {', '.join(_limits(count))}"
        case Fresh(within=within):
            return f"{names} is at most {within} old"


def _limits(count: RowCount) -> Iterator[str]:
    if count.at_least is not None:
        yield f"at least {count.at_least:,}{' or none' if count.or_none else ''}"
    if count.at_most is not None:
        yield f"at most {count.at_most:,}"
    if count.change_at_most is not None:
        yield f"a change of {count.change_at_most:.1%} at most"
