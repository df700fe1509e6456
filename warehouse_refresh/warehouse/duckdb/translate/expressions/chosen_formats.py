"""Formats that are no literal, but literals put together (`'%Y' || '-%m'`), or a choice of them (`IF(x, '%Y', '%m')`).

A format is taken apart when the query is translated, so a call with a choice of formats becomes a choice of calls.
"""

from collections.abc import Iterator

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import bare, name_of


def constant_text(node: exp.Expr, scope: Scope) -> str | None:
    """The text of a literal, or of literals with || or CONCAT between them; None for anything else."""
    node = bare(node)
    if isinstance(node, exp.DPipe):
        parts = list(node.flatten())
    elif name_of(node) == "CONCAT":
        parts = node.expressions
    else:
        found = scope.compile(node).literal if isinstance(node, exp.Literal | exp.RawString | exp.Concat) else None
        return found if isinstance(found, str) else None
    texts = [constant_text(part, scope) for part in parts]
    return "".join(filter(None, texts)) if None not in texts else None


def choice_of_calls(node: exp.Expr, parts: list[exp.Expr]) -> exp.Expr | None:
    """`IF(x, f(a, …), f(b, …))` for a call `f(IF(x, a, b), …)`, with CASE alike; None for any other call."""
    chosen = bare(parts[0]) if parts else None
    if not isinstance(chosen, exp.If | exp.Case):
        return None
    choice = chosen.copy()
    for branch in list(_branches(choice)):
        call = node.copy()
        call.set("expressions", [branch.copy(), *(part.copy() for part in parts[1:])])
        branch.replace(call)
    return choice


def _branches(choice: exp.Expr) -> Iterator[exp.Expr]:
    for part in choice.args.get("ifs") or [choice]:
        yield part.args["true"]
    for key in ("false", "default"):
        if choice.args.get(key):
            yield choice.args[key]
