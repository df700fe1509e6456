"""The grammar of `--select`, `?select=` and the flow's parameter: which tables to build, much as dbt users know it.

tmp.variants       a table; `*`, `?`, `[ab]` and `[!ab]` stand for characters: tmp.v*
path:res/tmp       the scripts in this folder, or that match this path
tag:daily          the tables whose settings have this tag; `*` and so on as above
changed            the tables whose script or settings differ from what has built them
stale              also those that read something that has changed since, as far as can be known
failed             the tables that the last refresh of them has not published
git:main           the tables whose files differ from those at this commit
+tmp.variants      also all tables that it is built from; 2+tmp.variants goes two steps back
tmp.variants+      also all tables that are built from it; tmp.variants+1 goes one step forward
tmp.*,+final.a     only the tables that both parts name
not:tmp.variants   not these tables, whatever else is selected
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NoReturn

from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.suggest import did_you_mean

FORMS = (
    "tmp.variants, tmp.v*, path:res/tmp, tag:daily, changed, stale, failed, git:main, with + or 2+ before, with + or "
    "+2 after; several parts with commas for the tables that all of them name; not: before it leaves tables out"
)
# Of ASCII only letters, digits and _-.*?[]! may stand in a name, and / in a path, too. The regular expressions are
# JavaScript's too.
_OTHERS = r'\u0000-\u0020"-)+,:->@\\^`{-\u007f'
_ANY, _PLAIN, _PATH = f"[^{_OTHERS}/]", rf"[^{_OTHERS}/.*?\[]", f"path:[^{_OTHERS}]+"
_TAG = f"tag:{_ANY}+"
_GIT = "git:"
_STATES = "changed|stale|failed"
_COMMIT = f"{_GIT}[A-Za-z0-9_][A-Za-z0-9_./~^-]*"
_TABLES = rf"{_PLAIN}+\.{_ANY}+|{_PLAIN}*[*?\[]{_ANY}*"
_PART = rf"(?:([0-9]{{0,3}})\+)?({_PATH}|{_TAG}|{_COMMIT}|{_STATES}|{_TABLES})(?:\+([0-9]{{0,3}}))?"
_NOT = "not:"
PART = re.compile(_PART)
SELECTOR = re.compile(rf"(?:{_NOT})?{_PART}(?:,{_PART})*")
"""One selector."""


class SelectionError(Exception):
    """A selector that selects nothing. The message of `select` begins with NOTHING_SELECTED of contract.py."""


def unknown_state(word: str) -> NoReturn:
    """Raise SelectionError for what no file says."""
    raise SelectionError(
        f"--select {word}: what is {word} is known only to build, run and plan, which look into the warehouse"
    )


def is_found_out(selectors: Iterable[str]) -> bool:
    """Whether a selector names tables by what is found out of them: then it may select none."""
    return any(_is_state(part) for text in selectors for word in text.split() for part in word.split(","))


def _is_state(part: str) -> bool:
    found = PART.fullmatch(part.removeprefix(_NOT))
    return found is not None and bool(re.fullmatch(_STATES, found[2]) or found[2].startswith(_GIT))


@dataclass(frozen=True, slots=True)
class Named:
    """What selectors can name tables by, beside their names: the path of each one's script, as `path:` names it, and
    their tags. `found` answers the tables that are `changed`, `stale`, `failed` or `git:…`; it raises
    SelectionError."""

    files: Mapping[TableName, str] = field(default_factory=dict)
    tags: Mapping[TableName, Collection[str]] = field(default_factory=dict)
    found: Callable[[str], Collection[TableName]] = unknown_state


def select(graph: Graph, selectors: Iterable[str], named: Named = Named()) -> Graph:
    """The part of `graph` that the `selectors` name together; all of it if there are none, or only such with `not:`.

    One string may hold several selectors, separated
    by blanks. An empty string is an error, since it usually comes from a variable that is not set. A selector that
    selects nothing is an error, too, unless what it selects is found out (`stale`). Raises SelectionError.
    """
    texts = list(selectors)
    if empty := [text for text in texts if not text.removeprefix(_NOT).strip(" \t\n+")]:
        raise SelectionError(
            f"--select {empty[0]!r} selects nothing: name a table or a pattern (tmp.*), or leave --select out"
        )
    words = [word for text in texts for word in text.split()]
    without = left_out(graph, texts, named)
    wanted = [word for word in words if not word.startswith(_NOT)]
    chosen = (_Tables(graph, named).named(wanted) if wanted else set(graph.dependencies)) - without
    if words and not chosen and not is_found_out(words):
        raise SelectionError(f"--select {' '.join(words)}: nothing is left to build; leave out less")
    return graph.only(chosen) if words else graph


def left_out(graph: Graph, selectors: Iterable[str], named: Named = Named()) -> set[TableName]:
    """The tables that the `selectors` leave out with `not:`. See `select`, also for what is raised."""
    words = [word for text in selectors for word in text.split() if word.startswith(_NOT)]
    return _Tables(graph, named).named(word.removeprefix(_NOT) for word in words)


def covers(built: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether a run that selects `built` surely builds all that `wanted` selects, in any graph."""
    built_in, built_out = _taken_apart(built)
    wanted_in, wanted_out = _taken_apart(wanted)
    return built_out <= wanted_out and (not built_in or (bool(wanted_in) and wanted_in <= built_in))


def _taken_apart(selectors: Iterable[str]) -> tuple[set[str], set[str]]:
    words = {word for selector in selectors for word in selector.split()}
    left_out = {word for word in words if word.startswith(_NOT)}
    return words - left_out, left_out


class _Tables:
    """The tables that selectors can name."""

    def __init__(self, graph: Graph, named: Named) -> None:
        self._graph, self._files, self._tags, self._found = graph, named.files, named.tags, named.found

    def named(self, selectors: Iterable[str]) -> set[TableName]:
        """The tables that at least one of the selectors names. Raises SelectionError if one of them names none."""
        return {table for selector in selectors for table in self._of(selector)}

    def _of(self, selector: str) -> set[TableName]:
        parts = [PART.fullmatch(part) for part in selector.split(",")]
        read = [part for part in parts if part]
        if len(read) < len(parts):
            raise SelectionError(f"--select {selector}: {self._nothing(selector)}")
        chosen = set.intersection(*(self._of_part(selector, part) for part in read))
        if not (chosen or is_found_out([selector])):
            raise SelectionError(f"--select {selector}: no table is in all of its parts")
        return chosen

    def _of_part(self, selector: str, part: re.Match[str]) -> set[TableName]:
        before, pattern, after = part.groups()
        is_state = _is_state(pattern)
        tables = self._graph.dependencies
        if is_state:
            chosen = {*self._found(pattern)} & tables.keys()
        else:
            chosen = {table for table in tables if self._matches(table, pattern)}
        if not (chosen or is_state):
            raise SelectionError(f"--select {selector}: {self._nothing(pattern)}")
        upstream = [self._graph.upstream(table, _steps(before)) for table in chosen if before is not None]
        downstream = [self._graph.downstream(table, _steps(after)) for table in chosen if after is not None]
        return chosen.union(*upstream, *downstream)

    def _matches(self, table: TableName, pattern: str) -> bool:
        if pattern.startswith("tag:"):
            return any(fnmatchcase(tag, pattern.removeprefix("tag:")) for tag in self._tags.get(table, ()))
        if not pattern.startswith("path:"):
            return fnmatchcase(str(table), pattern)
        path, file = pattern.removeprefix("path:").removeprefix("./").rstrip("/"), self._files.get(table, "")
        return file.startswith(f"{path}/") or fnmatchcase(file, path)

    def _nothing(self, pattern: str) -> str:
        if "tag:" in pattern:
            tags = sorted({f"tag:{tag}" for tags in self._tags.values() for tag in tags})
            hint = did_you_mean(pattern.strip("+"), tags) or f"there are {', '.join(tags) or 'no tags'}"
            return f"no table has the tag of {pattern}; {hint}"
        names = [f"path:{file}" for file in self._files.values()] if pattern.startswith("path:") else None
        known = names if names is not None else map(str, self._graph.dependencies)
        hint = did_you_mean(pattern.strip("+"), known) or "`refresh graph` shows all tables"
        return f"no script builds {pattern}; {hint}"


def _steps(written: str) -> int | None:
    return int(written) if written else None
