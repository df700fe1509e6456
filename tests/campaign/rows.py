"""Rules for rows: answered 201 means there exactly once, refused not at all, a lost answer at most once."""

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import Enum

from tests.campaign.history import History, Span

LOST, NOBODY = 0, -1
"""What a client notes instead of a status: the answer was lost on its way; nobody took the request."""
SEED = 0
"""The id of the row that each raw table begins with."""


class Outcome(Enum):
    """What the answers to a request promise."""

    STORED = "stored"
    REFUSED = "refused"
    UNKNOWN = "unknown"


def outcome(attempts: Sequence[Span]) -> Outcome:
    """What the answers to all attempts of one request promise together."""
    if any(attempt.facts.get("status") == 201 for attempt in attempts):
        return Outcome.STORED
    return Outcome.UNKNOWN if any(map(_is_unknown, attempts)) else Outcome.REFUSED


def acknowledged_rows_are_stored_once(history: History) -> Iterator[str]:
    """A row that was answered 201 is in raw exactly once."""
    for name, table, counts in _counts(history, Outcome.STORED):
        if wrong := {row: count for row, count in counts.items() if count != 1}:
            yield f"request {name} was answered 201, and raw.{table} has its rows so often: {wrong}"


def refused_rows_are_not_stored(history: History) -> Iterator[str]:
    """Of a request that was refused, no row is in raw."""
    for name, table, counts in _counts(history, Outcome.REFUSED):
        if wrong := {row: count for row, count in counts.items() if count}:
            yield f"request {name} was refused, and raw.{table} has its rows so often: {wrong}"


def rows_of_lost_answers_are_whole_and_at_most_once(history: History) -> Iterator[str]:
    """Where the answer was lost, all rows of the request are in raw once, or none is."""
    for name, table, counts in _counts(history, Outcome.UNKNOWN):
        if len(set(counts.values())) > 1 or max(counts.values()) > 1:
            yield f"the answer to request {name} was lost, and raw.{table} has its rows so often: {dict(counts)}"


def rows_are_as_they_were_sent(history: History) -> Iterator[str]:
    """Raw holds nothing but the rows that were sent, with their values."""
    sent = {
        (attempts[0].facts["table"], row[0]): row
        for attempts in history.requests.values()
        for row in attempts[0].facts["rows"]
    }
    for table, rows in history.raw.items():
        for row in rows:
            if row[0] != SEED and sent.get((table, row[0])) != row:
                yield f"raw.{table} has {row}, and what was sent is {sent.get((table, row[0]))}"


def answers_fit_their_requests(history: History) -> Iterator[str]:
    """Good rows are stored or refused for a passing reason; bad ones are never stored; nothing is answered 500."""
    for name, attempts in history.requests.items():
        for attempt in attempts:
            status = attempt.facts.get("status", LOST)
            legal = {201, 409, 429, 503} if attempt.facts["good"] else {422, 429, 503}
            if status not in legal | {LOST, NOBODY}:
                kind = "good" if attempt.facts["good"] else "bad"
                yield f"request {name} with {kind} rows was answered {status} {attempt.facts.get('code', '')}"


def keyed_requests_are_answered_in_the_end(history: History) -> Iterator[str]:
    """A request with a key whose answer is lost is sent again until the answer is definite, and in the end it is."""
    for name, attempts in history.requests.items():
        last = attempts[-1].facts.get("status")
        if attempts[0].facts["key"] and outcome(attempts) is Outcome.UNKNOWN and last != 422:
            yield f"request {name} has a key, was sent {len(attempts)} times, and its last answer is {last}"


def _counts(history: History, wanted: Outcome) -> Iterator[tuple[str, str, dict[int, int]]]:
    """For each request with that outcome: its name, the table, and how often each of its rows is in raw."""
    stored = {table: Counter(row[0] for row in rows) for table, rows in history.raw.items()}
    for name, attempts in history.requests.items():
        if outcome(attempts) is wanted:
            table = attempts[0].facts["table"]
            yield name, table, {row[0]: stored[table][row[0]] for row in attempts[0].facts["rows"]}


def _is_unknown(attempt: Span) -> bool:
    return attempt.facts.get("status", LOST) in (LOST, 500) or attempt.facts.get("code") == "outcome-unknown"
