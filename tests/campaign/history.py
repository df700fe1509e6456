"""What happened in a campaign, as lines of JSON: written while it runs, read by the checker.

A line is a note (something that happened at one moment) or one end of a span (something that took time, such as a
request). All times are seconds of the monotonic clock; what others tell in the time of day is turned into it.
"""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

Facts = Mapping[str, Any]


class Recorder:
    """Appends lines to the file at `path`. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self._spans = count(1)
        self._epoch = time.time() - time.monotonic()

    def note(self, kind: str, **facts: Any) -> None:
        """Something happened now."""
        self._write({"note": kind, **facts})

    def begin(self, kind: str, **facts: Any) -> int:
        """Something begins now; answers the number to `end` it with."""
        number = next(self._spans)
        self._write({"begin": kind, "span": number, **facts})
        return number

    def end(self, number: int, **facts: Any) -> None:
        """What has this number ends now."""
        self._write({"end": number, **facts})

    @contextmanager
    def span(self, kind: str, **facts: Any) -> Iterator[dict[str, Any]]:
        """Something takes as long as the block; what the block puts into the dict is noted at its end."""
        number = self.begin(kind, **facts)
        found: dict[str, Any] = {}
        try:
            yield found
        finally:
            self.end(number, **found)

    def moment(self, time_of_day: float) -> float:
        """The monotonic time of a time of day (seconds since 1970)."""
        return time_of_day - self._epoch

    def close(self) -> None:
        """Write nothing more."""
        with self._lock:
            self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        with self._lock:
            if not self._file.closed:
                self._file.write(json.dumps({"at": time.monotonic(), **line}) + "\n")
                self._file.flush()


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened at one moment."""

    at: float
    facts: Facts


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took time; `end` is infinite if it never ended."""

    begin: float
    end: float
    facts: Facts

    def overlap(self, begin: float, end: float) -> float:
        """How many seconds of the span lie between two moments."""
        return max(0.0, min(self.end, end) - max(self.begin, begin))


@dataclass(frozen=True)
class History:
    """All that happened, by kind, each kind in the order in which it began."""

    notes: Mapping[str, list[Note]] = field(default_factory=dict)
    spans: Mapping[str, list[Span]] = field(default_factory=dict)

    def note(self, kind: str) -> list[Note]:
        """All notes of a kind."""
        return self.notes.get(kind, [])

    def span(self, kind: str) -> list[Span]:
        """All spans of a kind."""
        return self.spans.get(kind, [])

    def overlapping(self, kind: str, begin: float, end: float) -> list[Span]:
        """The spans of a kind that lie at least partly between two moments."""
        return [span for span in self.span(kind) if span.begin <= end and span.end >= begin]

    @cached_property
    def requests(self) -> dict[str, list[Span]]:
        """The attempts of each request for rows, by the request's name."""
        found: dict[str, list[Span]] = defaultdict(list)
        for attempt in self.span("rows"):
            found[attempt.facts["request"]].append(attempt)
        return found

    @cached_property
    def raw(self) -> dict[str, list[list[Any]]]:
        """The rows of each raw table at the end, in the order in which they were stored."""
        return {note.facts["table"]: note.facts["rows"] for note in self.note("raw")}


def read(lines: Iterable[str]) -> History:
    """The history that these lines tell. Raises ValueError for a line that is not one of a history's."""
    notes: dict[str, list[Note]] = defaultdict(list)
    begun: dict[int, dict[str, Any]] = {}
    ended: dict[int, dict[str, Any]] = {}
    for line in lines:
        said = json.loads(line)
        if "note" in said:
            notes[said["note"]].append(Note(said["at"], said))
        elif "begin" in said:
            begun[said["span"]] = said
        else:
            ended[said["end"]] = said
    spans: dict[str, list[Span]] = defaultdict(list)
    for number, said in begun.items():
        end = ended.get(number, {"at": float("inf")})
        facts = {**said, **{name: value for name, value in end.items() if name not in ("at", "end")}}
        spans[said["begin"]].append(Span(said["at"], end["at"], facts))
    return History(notes, spans)
