"""Regular expressions.

https://cloud.google.com/bigquery/docs/reference/standard-sql/string_functions#regexp_contains
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, no_signature
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import (
    Definitions,
    Functions,
    argument,
    by_name,
    by_signature,
    define,
)
from warehouse_refresh.warehouse.duckdb.translate.literals import integer
from warehouse_refresh.warehouse.duckdb.translate.nodes import FunctionCall
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of
from warehouse_refresh.warehouse.duckdb.translate.templates import sql, unless_null
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.types import BOOL, BYTES, INT64, STRING, SqlType, array_of

DEFINITIONS: Definitions = by_name(
    define("REGEXP_REPLACE", "STRING STRING STRING -> STRING", "regexp_replace({a}, {b}, {c}, 'g')"),
    define("REGEXP_REPLACE", "BYTES BYTES BYTES -> BYTES", "googlesql_bytes_regexp_replace({a}, {b}, {c})"),
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """What matters of a pattern that is surely a valid one: how many capturing groups it has, whether all of them take
    part in every match, and whether a match may be empty."""

    groups: int
    always: bool
    empty: bool


_PARTS = re.compile(
    r"\\[dDwWsSbBAznrtfv\W]|\[\^?\]?(?:\\[dDwWsSnrtfv\W]|[^\]\\\[])*\]|\((?:\?:|\?P?<\w+>)?|\(\?[imsU]+\)"
    r"|[*+?]\??|\{\d{1,3}(?:,\d{0,3})?\}\??|[^\\\[{}*+?]",
    re.DOTALL,
)
"""The parts of patterns that RE2 surely takes."""
_QUANTIFIERS = "*+?{"


@lru_cache(1000)
def pattern_of(text: str) -> Pattern | None:
    """The pattern of RE2, for those that are simple enough to be surely valid."""
    parts = _PARTS.findall(text)
    if "".join(parts) != text or any(map(_is_odd, ["(", *parts], parts)):
        return None
    return _read(parts)


def _is_odd(before: str, part: str) -> bool:
    """Whether there is nothing to repeat, or a count that RE2 may not take."""
    if part[0] not in _QUANTIFIERS or part == "{":
        return False
    least, _, most = part.strip("{}?").partition(",")
    is_reversed = part[0] == "{" and most != "" and int(least) > int(most)
    return is_reversed or before[0] in "(|^$" + _QUANTIFIERS or before in (r"\b", r"\B", r"\A", r"\z")


@dataclass(slots=True)
class _Open:
    """An open group, as far as it was read: how many capturing groups are in it, whether it is a choice of several,
    whether this one of them takes characters, and whether all before it do."""

    captures: bool = False
    groups: int = 0
    is_choice: bool = False
    takes: bool = False
    before_take: bool = True

    @property
    def all_take(self) -> bool:
        return self.takes and self.before_take

    def begin_another(self) -> None:
        """After a |."""
        self.is_choice, self.before_take, self.takes = True, self.all_take, False

    def close(self, around: "_Open", *, may_be_left_out: bool) -> bool:
        """Add the group to the one around it. Returns whether all groups in it take part whenever that one does."""
        inner = self.groups + self.captures
        around.groups += inner
        around.takes = around.takes or (self.all_take and not may_be_left_out)
        return not (self.groups and self.is_choice) and not (inner and may_be_left_out)


_NO_CHARACTERS = frozenset({"^", "$", r"\A", r"\b", r"\B", r"\z"})


def _read(parts: Sequence[str]) -> Pattern | None:
    """What the parts of a pattern make; None if its parentheses do not match."""
    opened, always = [_Open()], True
    for part, after in pairwise([*parts, " "]):
        may_be_left_out = after[0] in "*?" or after.startswith("{0")
        if part[0] == "(" and part[-1] != ")":  # no (?i)
            opened.append(_Open(captures=part != "(?:"))
        elif part == "|":
            opened[-1].begin_another()
        elif part == ")" and len(opened) == 1:
            return None
        elif part == ")":
            always = opened.pop().close(opened[-1], may_be_left_out=may_be_left_out) and always
        elif part[0] not in "(" + _QUANTIFIERS and part not in _NO_CHARACTERS:
            opened[-1].takes = opened[-1].takes or not may_be_left_out
    [whole, *unclosed] = opened
    if unclosed:
        return None
    return Pattern(whole.groups, always and not (whole.groups and whole.is_choice), not whole.all_take)


def _arguments(node: exp.Expr, scope: Scope, parts: list[exp.Expr], most: int) -> tuple[SqlType, list[Typed]]:
    """The type of the text, STRING or BYTES, and the arguments: text, pattern, and whole numbers; 1 for those that are
    left out."""
    values = [argument(part, scope) for part in parts]
    name = name_of(node)
    if not 2 <= len(values) <= most:
        no_signature(node, scope, name, values)
    kind = BYTES if any(value.type == BYTES for value in values[:2]) else STRING
    texts = [as_type(node, scope, name, value, kind) for value in values[:2]]
    numbers = [as_type(node, scope, name, value, INT64) for value in values[2:]]
    return kind, [*texts, *numbers, *[integer(1)] * (most - len(values))]


def _native(kind: SqlType, pattern: Typed) -> Pattern | None:
    """The pattern, if DuckDB's own functions give BigQuery's answer with it."""
    if kind != STRING or not isinstance(pattern.literal, str):
        return None
    found = pattern_of(pattern.literal)
    return found if found is not None and found.always and found.groups < 2 else None


def _in_python(name: str, kind: SqlType, values: Sequence[Typed], gives: SqlType) -> Typed:
    suffix = "_bytes" if kind == BYTES and gives in (BYTES, array_of(BYTES)) else ""
    return Typed(FunctionCall(f"googlesql_{name}{suffix}", tuple(value.node for value in values)), gives)


def regexp_contains(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """REGEXP_CONTAINS(value, pattern)"""
    kind, values = _arguments(node, scope, parts, 2)
    literal = values[1].literal
    if kind == BYTES or (isinstance(literal, str) and pattern_of(literal) is None):
        return _in_python("regexp_contains", kind, values, BOOL)
    return Typed(sql("regexp_matches({a}, {p})", a=values[0].node, p=values[1].node), BOOL)


_EXTRACT = "(CASE WHEN regexp_matches({a}, {p}) THEN regexp_extract({a}, {p}, <group>) END)"


def regexp_extract(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """REGEXP_EXTRACT(value, pattern [, position [, occurrence]]): the group, or all of the match; NULL without one."""
    kind, values = _arguments(node, scope, parts, 4)
    pattern = _native(kind, values[1])
    if pattern is None or [value.literal for value in values[2:]] != [1, 1]:
        return _in_python("regexp_extract", kind, values, kind)
    template = _EXTRACT.replace("<group>", str(pattern.groups))
    return Typed(sql(template, a=values[0].node, p=values[1].node), STRING)


def regexp_extract_all(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """REGEXP_EXTRACT_ALL(value, pattern)"""
    kind, values = _arguments(node, scope, parts, 2)
    pattern = _native(kind, values[1])
    if pattern is None or pattern.empty:
        return _in_python("regexp_extract_all", kind, values, array_of(kind))
    template = f"regexp_extract_all({{a}}, {{p}}, {pattern.groups})"
    return Typed(sql(template, a=values[0].node, p=values[1].node), array_of(STRING))


def regexp_instr(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """REGEXP_INSTR(value, pattern [, position [, occurrence [, after]]])"""
    kind, values = _arguments(node, scope, parts, 5)
    if len(parts) < 5:
        values[4] = integer(0)
    return _in_python("regexp_instr", kind, values, INT64)


def regexp_replace(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """REGEXP_REPLACE(value, pattern, text): NULL if one of them is, whatever the pattern is."""
    values = [argument(part, scope) for part in parts]
    found = by_signature(node, scope, "REGEXP_REPLACE", DEFINITIONS["REGEXP_REPLACE"], values)
    pattern = values[1].literal
    if isinstance(pattern, str) and pattern_of(pattern) is not None:
        return found
    return Typed(unless_null([value.node for value in values], lambda _: found.node), found.type)


FUNCTIONS: Functions = {
    "REGEXP_REPLACE": regexp_replace,
    "REGEXP_CONTAINS": regexp_contains,
    "REGEXP_EXTRACT": regexp_extract,
    "REGEXP_SUBSTR": regexp_extract,
    "REGEXP_EXTRACT_ALL": regexp_extract_all,
    "REGEXP_INSTR": regexp_instr,
}
