"""Rules for refreshes: accepted ones happen, one builds at a time, and what goes wrong has a cause."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

from tests.campaign.history import History, Note, Span

TOLERANCE = 0.05
"""Seconds by which the times of two processes may differ."""
CHANCE_SECONDS = 20.0
"""How long a run may take to look at those that wait, on a busy machine."""
DEAD_SECONDS = 240.0
"""How long a run may seem to go on whose process was killed: it is heard of every 10 s, and 90 s are too long."""
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
CAUSES = ("broken", "full", "held", "stopped")
"""What may make a refresh fail: a broken script, a full disk, the file held by another, a process that was stopped."""


def accepted_runs_are_followed_by_a_refresh(history: History) -> Iterator[str]:
    """The run that an accepted request gets starts after it and ends; or, if it never starts, another one that builds
    what was asked for does, and is not broken off."""
    runs = {run.facts["id"]: run for run in history.note("run")}
    closing = {note.facts["run"] for note in history.note("closing")}
    others = [run for run in runs.values() if run.facts["id"] not in closing]
    for asked in _first_asks(history):
        run = runs.get(_in_its_place(asked.facts["run"], runs))
        if run is None:
            yield f"{_shown(asked)} was accepted, and Prefect does not know its run {asked.facts['run']}"
        elif not _follows(run, asked) and not (run.facts["start"] is None and _replaced(others, asked)):
            yield f"{_shown(asked)} was accepted, and no refresh followed: its run is {_run_shown(run)}"


def the_same_key_gets_the_same_run(history: History) -> Iterator[str]:
    """Whoever asks again with the same key, at whichever API, gets the run of the first time, or what replaced it."""
    runs = {run.facts["id"]: run for run in history.note("run")}
    found: dict[str, set[str]] = defaultdict(set)
    for asked in _accepted(history):
        if asked.facts["key"]:
            found[asked.facts["key"]].add(_in_its_place(asked.facts["run"], runs))
    for key, got in found.items():
        if len(got) > 1:
            yield f"key {key} got {len(got)} runs: {', '.join(sorted(got))}"


def one_refresh_builds_at_a_time(history: History) -> Iterator[str]:
    """No two refreshes build tables at the same time."""
    spans = sorted(_building(history))
    latest: tuple[float, float, str] | None = None
    for span in spans:
        if latest and latest[2] != span[2] and span[0] < latest[1] - TOLERANCE:
            yield f"{span[2]} built from {span[0]:.3f} on, while {latest[2]} built until {latest[1]:.3f}"
        if latest is None or span[1] > latest[1]:
            latest = span


def every_run_ends(history: History) -> Iterator[str]:
    """At the end no run is under way or waits."""
    for run in history.note("run"):
        if run.facts["type"] not in ENDED:
            yield f"{_run_shown(run)} has not ended"


def only_killed_runs_are_crashed(history: History) -> Iterator[str]:
    """A run whose process lives is never marked Crashed."""
    for run in history.note("run"):
        if run.facts["type"] == "CRASHED" and not _killed(history, run):
            yield f"{_run_shown(run)} was marked Crashed, and nobody killed it"


def killed_runs_end_soon(history: History) -> Iterator[str]:
    """A run whose process was killed ends, so that the next one may begin; time without a server does not count."""
    runs = {run.facts["id"]: run for run in history.note("run")}
    for kill in history.note("kill"):
        for run in [runs[name] for name in kill.facts["runs"] if name in runs]:
            end = run.facts["end"] or float("inf")
            away = sum(it.overlap(kill.at, end) for kind in ("away", "stopped") for it in history.span(kind))
            if run.facts["attempts"] and end - kill.at - away > DEAD_SECONDS:
                yield f"{_run_shown(run)} was killed at {kill.at:.3f}, and seemed to go on"


def only_cancelled_runs_are_cancelled(history: History) -> Iterator[str]:
    """A run ends Cancelled only if somebody cancels it, or another run does its work."""
    cancelled = {note.facts["run"] for note in history.note("cancel")}
    for run in history.note("run"):
        if run.facts["type"] == "CANCELLED" and run.facts["id"] not in cancelled:
            yield f"{_run_shown(run)} was cancelled, and nobody asked for that"


def failures_have_a_cause(history: History) -> Iterator[str]:
    """A refresh fails only if a script is broken or something is in its way."""
    for run in history.note("run"):
        begin, end = _begin(history, run), run.facts["end"] or float("inf")
        if run.facts["type"] == "FAILED" and not _caused(history, CAUSES, begin, end):
            yield f"{_run_shown(run)} failed without a cause"
    for command in history.span("command"):
        code, causes = command.facts.get("code", 0), (*CAUSES, *_more_causes(command))
        if (
            code > 0
            and not _caused(history, causes, command.begin, command.end)
            and not _says_cancelled(history, command)
        ):
            yield f"{command.facts['words']} at {command.begin:.3f} ended with {code}: {command.facts['said']}"


def _says_cancelled(history: History, command: Span) -> bool:
    """Whether the command ended because its run was cancelled, and says so."""
    said = command.facts["said"]
    cancelled = [note for note in history.note("cancel") if command.begin <= note.at <= command.end]
    return "the run was cancelled in Prefect" in said and any(note.facts["run"] in said for note in cancelled)


def at_most_one_run_waits(history: History) -> Iterator[str]:
    """Runs do not pile up: when a run begins, one that waits is given up if another that waits builds all of it. A run
    of a schedule takes no other's place, since Prefect may delete it."""
    for note in history.note("waiting"):
        for run, other in permutations(note.facts["runs"], 2):
            since = max(run["due"], other["due"])
            lasts = run["of_a_schedule"] or not other["of_a_schedule"]
            if lasts and _covers(other["select"], run["select"]) and _had_its_chance(history, since, note.at):
                yield f"{run['id']} waited at {note.at:.3f}, and so did {other['id']}, which builds all of it"


def _had_its_chance(history: History, since: float, until: float) -> bool:
    """Whether a run of the deployment began between two moments, undisturbed and long enough ago."""
    begun = [run.facts["start"] for run in history.note("run") if run.facts["deployment"] and run.facts["start"]]
    return any(
        since + CHANCE_SECONDS < start < until - CHANCE_SECONDS
        and not _caused(history, ("stopped", "away"), since, until)
        and not any(since <= kill.at <= until for kill in history.note("kill"))
        for start in begun
    )


def _in_its_place(run: str, runs: Mapping[str, Note]) -> str:
    """The run that does the work of another in its place, as its tag says; else itself."""
    while run in runs and runs[run].facts["covered_by"]:
        run = runs[run].facts["covered_by"][-1]
    return run


def _accepted(history: History) -> list[Span]:
    return [asked for asked in history.span("ask") if asked.facts.get("status") in (200, 202)]


def _first_asks(history: History) -> Iterator[Span]:
    """The accepted requests; of those with one key the first, from the moment at which the key was first sent."""
    first: dict[str, float] = {}
    for asked in history.span("ask"):
        if asked.facts["key"]:
            first.setdefault(asked.facts["key"], asked.begin)
    seen = set()
    for asked in _accepted(history):
        key = asked.facts["key"]
        if not key:
            yield asked
        elif key not in seen:
            seen.add(key)
            yield Span(first[key], asked.end, asked.facts)


def _follows(run: Note, asked: Span) -> bool:
    facts = run.facts
    started_after = facts["start"] is not None and facts["start"] >= asked.begin
    return started_after and facts["type"] in ENDED and _covers(facts["select"], asked.facts["select"])


def _replaced(others: Iterable[Note], asked: Span) -> bool:
    return any(_follows(other, asked) and other.facts["type"] in ("COMPLETED", "FAILED") for other in others)


def _covers(built: Sequence[str], wanted: Sequence[str]) -> bool:
    return not built or (bool(wanted) and set(wanted) <= set(built))


def _building(history: History) -> Iterator[tuple[float, float, str]]:
    """When each refresh surely built tables: from the first to the last sign of it, and who it is."""
    tasks: dict[str, list[tuple[float, float]]] = defaultdict(list)
    again = {run.facts["id"] for run in history.note("run") if run.facts["attempts"] > 1}
    for task in history.note("task"):
        if task.facts["state"] in ("Completed", "Staged") and task.facts["run"] not in again:
            tasks[f"run {task.facts['run']}"].append((task.facts["begin"], task.facts["end"]))
    for command in history.span("command"):
        if command.facts.get("built") and command.facts["words"].startswith("build"):  # the others have tasks
            name = f"{command.facts['words']} at {command.begin:.3f}"
            tasks[name].append((min(command.facts["built"]), max(command.facts["built"])))
    for name, times in tasks.items():
        yield min(begin for begin, _ in times), max(end for _, end in times), name


def _begin(history: History, run: Note) -> float:
    """When a run began to read scripts: in a terminal, before Prefect heard of it."""
    begin = float(run.facts["start"] or run.facts["created"])
    commands = [] if run.facts["deployment"] else history.overlapping("command", begin, begin)
    return min([begin, *(it.begin for it in commands if it.facts["words"].startswith("run"))])


def _killed(history: History, run: Note) -> bool:
    """Whether the run's process was killed, or, while it had none yet, its worker was."""
    begin, end = run.facts["created"], run.facts["end"] or float("inf")
    kills = [kill for kill in history.note("kill") if begin <= kill.at <= end + TOLERANCE]
    mine = any(run.facts["id"] in kill.facts["runs"] for kill in kills)
    return mine or any(kill.facts["name"] in ("worker", "all") for kill in kills) or _command_killed(history, run)


def _command_killed(history: History, run: Note) -> bool:
    """Whether the run is that of a `refresh run` that was killed: in its first moments the campaign does not know yet
    which run a command has."""
    return run.facts.get("deployment", "") is None and any(
        command.facts.get("code") == -9 and command.begin <= run.facts["created"] <= command.end + TOLERANCE
        for command in history.span("command")
        if command.facts["words"].startswith("run")
    )


def _caused(history: History, kinds: Iterable[str], begin: float, end: float) -> bool:
    return any(history.overlapping(kind, begin, end) for kind in kinds)


def _more_causes(command: Span) -> list[str]:
    return ["away"] if command.facts["words"].startswith("run") else []


def _shown(asked: Span) -> str:
    facts = asked.facts
    return f"POST /run {facts['select'] or ''} at {asked.begin:.3f} ({facts['api']}, request {facts['request']})"


def _run_shown(run: Note) -> str:
    facts: Any = run.facts
    return f"{facts['id']} {facts['type']} from {facts['start']} to {facts['end']}: {facts['message']}"
