"""Rules for tables: each is whole, and equal to its query over a state of raw while the run that built it was on."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import xor
from typing import Any

from tests.campaign.history import History, Note
from tests.campaign.project import Claim, claims
from tests.campaign.rows import SEED

TOLERANCE = 0.1
"""Seconds by which the times of two processes may differ."""


def tables_are_equal_to_their_query_over_a_state_of_raw(history: History) -> Iterator[str]:
    """What a table counts and sums are the first n rows of raw, for some n."""
    states = {table: _States.of(rows) for table, rows in history.raw.items()}
    for look, claim in _claims(history):
        if problem := states[claim.raw].problem(claim):
            yield f"{look.facts['table']} at {look.at:.3f} {problem}"


def tables_are_whole(history: History) -> Iterator[str]:
    """A table that was there once is there for ever, and has the rows of one build."""
    seen = set()
    for look in history.note("look"):
        table = look.facts["table"]
        if look.facts["rows"] is None:
            if table in seen:
                yield f"{table} at {look.at:.3f} is gone"
            continue
        seen.add(table)
        try:
            claims(table, look.facts["rows"])
        except ValueError as error:
            yield f"{table} at {look.at:.3f} is torn: {error}"


def tables_hold_what_was_stored_before_and_nothing_sent_later(history: History) -> Iterator[str]:
    """A build sees all rows that were acknowledged before it began, and no row that was sent after it was seen."""
    times = {table: _Times.of(history, table) for table in history.raw}
    for look, claim in _claims(history):
        least, most = times[claim.raw].bounds(claim.built - TOLERANCE, look.at)
        if not least <= claim.n <= most:
            yield (
                f"{look.facts['table']} at {look.at:.3f} has the first {claim.n} rows of raw.{claim.raw},"
                f" built at {claim.built:.3f}: at least {least} and at most {most} are right"
            )


def tables_were_built_by_a_run(history: History) -> Iterator[str]:
    """The moment at which a table says that it was built lies within a refresh, as does that of its sources."""
    windows = _windows(history)
    for look, claim in _claims(history):
        if not any(begin - TOLERANCE <= claim.built <= end + TOLERANCE for begin, end in windows):
            yield f"{look.facts['table']} at {look.at:.3f} was built at {claim.built:.3f}, while no refresh was on"


def tables_are_of_a_script_that_was_there(history: History) -> Iterator[str]:
    """The edition that built a table was in its place at some moment of the refresh that built it."""
    windows = _windows(history)
    for look in history.note("look"):
        for row in look.facts["rows"] or []:
            table, edition, built = look.facts["table"], row["edition"], row["built"]
            ours = [begin for begin, end in windows if begin - TOLERANCE <= built <= end + TOLERANCE]
            since, until = _in_place(history, table, edition)
            if ours and not (since <= built and until >= min(ours) - TOLERANCE):
                there = f"from {since:.3f} to {until:.3f}"
                yield f"{table} built at {built:.3f} is of edition {edition}, which was there {there}"


def the_last_refresh_shows_every_row(history: History) -> Iterator[str]:
    """When all is quiet, a refresh builds every table from all rows."""
    for look, claim in _claims(history):
        if look.facts.get("closing") and claim.n != len(history.raw[claim.raw]):
            yield f"{look.facts['table']} has {claim.n} of {len(history.raw[claim.raw])} rows after the last refresh"


@dataclass(frozen=True)
class _States:
    """The sums over the first n rows of a raw table, for every n."""

    totals: Sequence[int]
    mixes: Sequence[int]

    @classmethod
    def of(cls, rows: Sequence[Sequence[Any]]) -> "_States":
        numbers = [row[2] for row in rows]
        return cls([0, *accumulate(numbers)], [0, *accumulate(numbers, xor)])

    def problem(self, claim: Claim) -> str:
        if not 0 <= claim.n < len(self.totals):
            return f"counts {claim.n} rows of raw.{claim.raw}, which has {len(self.totals) - 1} in the end"
        wanted = self.totals[claim.n], self.mixes[claim.n]
        if (claim.total, claim.mix) != wanted:
            return f"sums the first {claim.n} rows of raw.{claim.raw} to {claim.total}, {claim.mix}: they are {wanted}"
        return ""


@dataclass(frozen=True)
class _Times:
    """When the rows of a raw table were acknowledged and sent, by their places in it."""

    acknowledged: Sequence[tuple[float, int]]
    """Moments, and how many rows a build that begins then must see."""
    sent: Sequence[tuple[float, int]]
    """Moments, and how many rows may be there when no row that was sent later is."""

    @classmethod
    def of(cls, history: History, table: str) -> "_Times":
        place = {row[0]: index for index, row in enumerate(history.raw[table]) if row[0] != SEED}
        known, sent = [], []
        for attempts in history.requests.values():
            rows = [place[row[0]] for row in attempts[0].facts["rows"] if row[0] in place]
            if attempts[0].facts["table"] == table and rows:
                known += [(it.end, max(rows) + 1) for it in attempts if it.facts.get("status") == 201]
                sent.append((attempts[0].begin, min(rows)))
        known.sort()
        sent.sort()
        most = list(accumulate((at for _, at in reversed(sent)), min))[::-1]
        least = list(accumulate((at for _, at in known), max))
        return cls(
            [(moment, count) for (moment, _), count in zip(known, least, strict=True)],
            [(moment, count) for (moment, _), count in zip(sent, most, strict=True)],
        )

    def bounds(self, built: float, seen: float) -> tuple[int, float]:
        """The least and the most rows that a table may hold that was built at one moment and seen at another."""
        before = bisect_left(self.acknowledged, (built, 0))
        after = bisect_left(self.sent, (seen, 0))
        least = self.acknowledged[before - 1][1] if before else 0
        return least, self.sent[after][1] if after < len(self.sent) else float("inf")


def _claims(history: History) -> Iterator[tuple[Note, Claim]]:
    """What every table that was looked at says of itself; torn ones are another rule's."""
    for look in history.note("look"):
        if look.facts["rows"] is not None:
            try:
                yield from ((look, claim) for claim in claims(look.facts["table"], look.facts["rows"]))
            except ValueError:
                continue


def _windows(history: History) -> list[tuple[float, float]]:
    """When a refresh was on: a run of Prefect's, or a command."""
    runs = [(run.facts["start"], run.facts["end"] or float("inf")) for run in history.note("run") if run.facts["start"]]
    return runs + [(command.begin, command.end) for command in history.span("command")]


def _in_place(history: History, table: str, edition: int) -> tuple[float, float]:
    """From when until when an edition of a script was in its place; from infinity if it never was."""
    since, until = float("inf"), float("inf")
    for wrote in history.note("wrote"):
        if wrote.facts["table"] == table:
            if wrote.facts["edition"] == edition and not wrote.facts["breakage"]:
                since = wrote.at
            elif since < float("inf") and until == float("inf"):
                until = wrote.at
    return since, until
