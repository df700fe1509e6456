"""Regular expressions.

https://cloud.google.com/bigquery/docs/reference/standard-sql/string_functions#regexp_contains
"""

import re

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import (
    Definitions,
    Functions,
    argument,
    by_name,
    define,
)
from warehouse_refresh.warehouse.duckdb.translate.nodes import Literal
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.types import INT64, STRING, array_of

DEFINITIONS: Definitions = by_name(
    define("REGEXP_CONTAINS", "STRING STRING -> BOOL", "regexp_matches({a}, {b})"),
    define("REGEXP_REPLACE", "STRING STRING STRING -> STRING", "regexp_replace({a}, {b}, {c}, 'g')"),
)


def pattern_of(node: exp.Expr, scope: Scope, value: Typed) -> str:
    """A regular expression, which must stand in the text, since how many groups it has decides what it means."""
    if not isinstance(value.literal, str):
        unsupported(scope.script.text, node, f"{name_of(node)} with a pattern that is not a literal")
    return value.literal


def groups(pattern: str) -> int:
    """How many capturing groups a pattern of RE2 has."""
    count, index, in_class = 0, 0, False
    while index < len(pattern):
        char = pattern[index]
        if char == "\\":
            index += 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            index += pattern[index + 1 : index + 2] in ("]",)
        elif char == "(":
            rest = pattern[index + 1 : index + 4]
            count += not rest.startswith("?") or rest.startswith(("?P<", "?<"))
        index += 1
    return count


_PARTS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
"""Escapes, classes and single characters of a pattern."""


def has_place(pattern: str) -> bool:
    """Whether a pattern says where in the text it matches, as ^ does."""
    return any(part in ("^", "$", r"\A", r"\b", r"\B", r"\z") for part in _PARTS.findall(pattern))


def checked_groups(node: exp.Expr, scope: Scope, pattern: str) -> int:
    """0 or 1: which group is meant. More than one group is GoogleSQL's error."""
    found = groups(pattern)
    if found > 1:
        wrong(scope.script.text, node, "the pattern has more than one capturing group", "write (?:…) for the others")
    if found and ("?" in pattern or "|" in pattern or "*" in pattern):
        optional = pattern.rstrip("$").endswith((")?", ")*")) or "|" in pattern or ")?" in pattern or ")*" in pattern
        if optional:
            unsupported(scope.script.text, node, "REGEXP_EXTRACT of a group that may be left out of the match")
    return found


def regexp_extract(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """REGEXP_EXTRACT(value, pattern [, position [, occurrence]]): the group, or all of the match; NULL without one."""
    values = [argument(part, scope) for part in parts]
    if not 2 <= len(values) <= 4:
        wrong(scope.script.text, node, "REGEXP_EXTRACT takes two to four arguments")
    value = as_type(node, scope, "REGEXP_EXTRACT", values[0], STRING)
    pattern = pattern_of(node, scope, values[1])
    group = checked_groups(node, scope, pattern)
    more = [item.literal for item in values[2:]]
    if any(not isinstance(item, int) or item < 1 for item in more):
        unsupported(scope.script.text, node, "REGEXP_EXTRACT with a position that is not a literal above 0")
    start, nth = [*more, 1, 1][:2]
    if start != 1:
        unsupported(scope.script.text, node, "REGEXP_EXTRACT from a position", "cut the text with SUBSTR first")
    template = f"(regexp_extract_all({{a}}, {{p}}, {group})[{nth}])"
    if nth == 1:
        template = f"(CASE WHEN regexp_matches({{a}}, {{p}}) THEN regexp_extract({{a}}, {{p}}, {group}) END)"
    return Typed(sql(template, a=value.node, p=Literal(pattern)), STRING)


def regexp_extract_all(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """REGEXP_EXTRACT_ALL(value, pattern)"""
    values = [argument(part, scope) for part in parts]
    if len(values) != 2:
        wrong(scope.script.text, node, "REGEXP_EXTRACT_ALL takes two arguments")
    value = as_type(node, scope, "REGEXP_EXTRACT_ALL", values[0], STRING)
    pattern = pattern_of(node, scope, values[1])
    group = checked_groups(node, scope, pattern)
    found = sql(f"regexp_extract_all({{a}}, {{p}}, {group})", a=value.node, p=Literal(pattern))
    return Typed(found, array_of(STRING))


def regexp_instr(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """REGEXP_INSTR(value, pattern)"""
    values = [as_type(node, scope, "REGEXP_INSTR", argument(part, scope), STRING) for part in parts]
    if len(values) != 2:
        unsupported(scope.script.text, node, "REGEXP_INSTR with a position")
    pattern = pattern_of(node, scope, values[1])
    if groups(pattern):
        unsupported(scope.script.text, node, "REGEXP_INSTR of a group")
    if has_place(pattern):
        unsupported(scope.script.text, node, "REGEXP_INSTR of a pattern with ^, $ or the like")
    template = "(CASE WHEN NOT regexp_matches({a}, {p}) THEN 0 ELSE strpos({a}, regexp_extract({a}, {p})) END)"
    return Typed(sql(template, a=values[0].node, p=Literal(pattern)), INT64)


FUNCTIONS: Functions = {
    "REGEXP_EXTRACT": regexp_extract,
    "REGEXP_SUBSTR": regexp_extract,
    "REGEXP_EXTRACT_ALL": regexp_extract_all,
    "REGEXP_INSTR": regexp_instr,
}
