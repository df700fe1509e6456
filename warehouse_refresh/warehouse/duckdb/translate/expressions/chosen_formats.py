"""Formats that are no literal, but literals put together (`'%Y' || '-%m'`), or a choice of them (`IF(x, '%Y', '%m')`).

A format is taken apart when the query is translated, so a call with a choice of formats becomes a choice of calls.
"""

from collections.abc import Iterator

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import bare, name_of
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed


def constant_text(node: exp.Expr, value: Typed, scope: Scope) -> str | None:
    """The text of an expression with this value: a literal, or literals with || or CONCAT between them; None for
    anything else."""
    if isinstance(value.literal, str):
        return value.literal
    node = bare(node)
    if not isinstance(node, exp.DPipe) and name_of(node) != "CONCAT":
        return None
    parts = list(node.flatten()) if isinstance(node, exp.DPipe) else node.expressions
    texts = [constant_text(part, scope.compile(part), scope) for part in parts]
    return "".join(filter(None, texts)) if None not in texts else None


def choice_of_calls(node: exp.Expr, parts: list[exp.Expr], place: int = 0) -> exp.Expr | None:
    """`IF(x, f(a, …), f(b, …))` for a call `f(IF(x, a, b), …)`, with CASE alike; None for any other call. `place` is
    that of the format among the call's arguments."""
    chosen = bare(parts[place]) if len(parts) > place else None
    if not isinstance(chosen, exp.If | exp.Case):
        return None
    choice = chosen.copy()
    branches = list(_branches(choice))
    if all(isinstance(bare(branch), exp.Null) for branch in branches):
        return None  # such a choice is an INT64
    for branch in branches:
        call = node.copy()
        call.set("expressions", [(branch if at == place else part).copy() for at, part in enumerate(parts)])
        branch.replace(call)
    return choice


def _branches(choice: exp.Expr) -> Iterator[exp.Expr]:
    for part in choice.args.get("ifs") or [choice]:
        if part.args.get("true"):
            yield part.args["true"]
    for key in ("false", "default"):
        if choice.args.get(key):
            yield choice.args[key]
