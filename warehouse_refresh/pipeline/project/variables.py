"""Variables of the project: values for the query parameters (`@name`) of its scripts.

refresh.toml declares each one with a type and a value. The command line, and then the parameters of a run, may give it
another value of that type.

[variables]
day = 2026-01-31                                # DATE, as TOML has it; so are INT64, FLOAT64, BOOL, STRING, DATETIME
limits = [10, 20]                               # ARRAY<INT64>
price = { type = "NUMERIC", value = "1.50" }    # any other type
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, time
from functools import partial
from typing import Any

from warehouse_refresh.pipeline.settings_file import SettingError
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.sql.query import Query, Variable
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import (
    BOOL,
    DATE,
    DATETIME,
    FLOAT64,
    INT64,
    STRING,
    TIME,
    TIMESTAMP,
    SqlType,
    array_of,
    parse_type,
)

Variables = Mapping[str, Variable]
"""By the folded name: GoogleSQL does not tell @Day from @day."""

BOUNDS = ("start", "end")
"""The parameters of a table that is built by date: it computes the rows from @start up to @end."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TYPES: Mapping[type, SqlType] = {
    bool: BOOL,
    int: INT64,
    float: FLOAT64,
    str: STRING,
    datetime: DATETIME,
    date: DATE,
    time: TIME,
}
_NO_PARAMETERS = frozenset({"JSON", "INTERVAL", "GEOGRAPHY", "STRUCT"})


def read_variables(section: Mapping[str, Any], where: str) -> Variables:
    """The variables that a section `[variables]` declares. Raises SettingError, which begins with `where`."""
    found: dict[str, Variable] = {}
    for name, written in section.items():
        if not _NAME.fullmatch(name):
            raise SettingError(f"{where}: {name!r} cannot be a variable's name: it takes letters, digits and _")
        if name.casefold() in found:
            raise SettingError(f"{where}: the variable {name} is declared twice: upper and lower case are the same")
        found[name.casefold()] = _declared(name, written, where)
    return found


def given_as_text(variables: Variables, settings: Iterable[str]) -> Variables:
    """Other values for some of the variables, each written `name=value`. Raises SettingError."""
    given: dict[str, Variable] = {}
    for setting in settings:
        name, is_there, text = setting.partition("=")
        if not is_there:
            raise SettingError(f"--var {setting}: write --var name=value")
        variable = _known(variables, name, f"--var {name}")
        if not text and variable.type != STRING:
            raise SettingError(f"--var {setting}: write a value of type {variable.type} after =")
        given[name.casefold()] = _with_value(variable, partial(_of_text, text), f"--var {name}")
    return given


def _of_text(text: str, type_: SqlType) -> Any:
    from warehouse_refresh.warehouse.values.reading import from_text  # takes time to import

    return from_text(text, type_)


def given_as_json(variables: Variables, values: Mapping[str, Any]) -> Variables:
    """Other values for some of the variables, as `parse_json` returns them. Raises SettingError."""
    given: dict[str, Variable] = {}
    for name, value in values.items():
        variable = _known(variables, name, f"the variable {name}")
        given[name.casefold()] = _with_value(variable, partial(_of_json, value), f"the variable {name}")
    return given


def as_json(variables: Variables) -> dict[str, Any]:
    """The values in JSON's types, by name."""
    if not variables:
        return {}  # without an import that takes time
    from warehouse_refresh.warehouse.values.reading import to_json

    return {variable.name: to_json(variable.value, variable.type) for variable in variables.values()}


def unknown_in(query: Query, variables: Variables, known: Collection[str] = ()) -> Iterator[SqlError]:
    """An error for each parameter of the query that is no variable, and none of the other `known` names."""
    for parameter in query.parameters:
        if parameter.name.casefold() not in variables.keys() | {*known}:
            hint = _hint(variables, parameter.name)
            if parameter.name.casefold() in BOUNDS:
                hint += "; tables that are built by date have it: docs/by-date.md"
            yield SqlError(f"there is no variable @{parameter.name}", hint=hint, place=parameter.place)


def _known(variables: Variables, name: str, where: str) -> Variable:
    if name.casefold() in variables:
        return variables[name.casefold()]
    raise SettingError(f"{where}: there is no variable of this name; {_hint(variables, name)}")


def _hint(variables: Variables, name: str) -> str:
    names = [variable.name for variable in variables.values()]
    declared = f"there are {', '.join(names)}: " if names else ""
    return did_you_mean(name, names) or f"{declared}declare it under [variables] in refresh.toml"


def _with_value(variable: Variable, read: Callable[[SqlType], Any], where: str) -> Variable:
    from warehouse_refresh.warehouse.values.invalid import InvalidValue

    try:
        value = read(variable.type)
    except InvalidValue as error:
        raise SettingError(f"{where}: {error.detail}") from error
    return replace(variable, value=value)


def _declared(name: str, written: object, where: str) -> Variable:
    from warehouse_refresh.warehouse.values.json_text import parse_json

    label = f"{where}: variables.{name}"
    if isinstance(written, dict):
        if wrong := sorted(set(written) ^ {"type", "value"}):
            named = ", ".join(f"{key} is {'no key of a variable' if key in written else 'missing'}" for key in wrong)
            raise SettingError(f'{label}: {named}: write {{ type = "NUMERIC", value = "1.5" }}')
        kind, value = _type(written["type"], label), written["value"]
    else:
        kind, value = _type_of(written, label), written
    return _with_value(Variable(name, kind, None), partial(_of_json, parse_json(json.dumps(_plain(value)))), label)


def _type(text: object, where: str) -> SqlType:
    try:
        kind = parse_type(str(text))
    except ValueError as error:
        raise SettingError(f"{where}: {error}") from error
    if (kind.element or kind).name in _NO_PARAMETERS:
        raise SettingError(f"{where}: a variable cannot be of type {kind}: make it a STRING, and convert it in the SQL")
    return kind


def _type_of(value: object, where: str) -> SqlType:
    """The type of a value as TOML has it."""
    if isinstance(value, list):
        kinds = {_type_of(each, where) for each in value}
        if len(kinds) == 1 and not any(kind.element for kind in kinds):
            return array_of(*kinds)
        raise SettingError(f'{where}: write {{ type = "ARRAY<STRING>", value = […] }}: its elements have not one type')
    if isinstance(value, datetime) and value.tzinfo:
        return TIMESTAMP
    return _TYPES[type(value)]


def _plain(value: object) -> object:
    """The value as JSON has it."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if value - value == 0 else str(value).replace("inf", "Infinity").replace("nan", "NaN")
    return value.isoformat() if isinstance(value, date | time) else value


def _of_json(value: object, kind: SqlType) -> Any:
    from warehouse_refresh.warehouse.values.invalid import InvalidValue
    from warehouse_refresh.warehouse.values.reading import from_json

    if value is None:
        raise InvalidValue("invalid-value", "a variable cannot be NULL")
    return from_json(value, kind)
