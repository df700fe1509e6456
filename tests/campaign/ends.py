"""Rules for ends: nothing hangs, and nothing is left over."""

from collections.abc import Iterator

from tests.campaign.history import History

REQUEST_SECONDS = 45.0
"""The API waits up to 30 s for the file or for Prefect; the rest is for a busy machine."""
COMMAND_SECONDS = 240.0
"""A refresh in a terminal waits for those before it."""


def requests_end_in_time(history: History) -> Iterator[str]:
    """Each request is answered within its bound; time for which processes were stopped does not count."""
    for kind in ("rows", "ask"):
        for request in history.span(kind):
            bound = REQUEST_SECONDS + request.facts.get("wait", 0)
            if _seconds_awake(history, request.begin, request.end) > bound:
                seconds = request.end - request.begin
                yield f"request {request.facts['request']} to {request.facts['api']} took {seconds:.1f} s"


def commands_end_in_time(history: History) -> Iterator[str]:
    """Each refresh in a terminal ends."""
    for command in history.span("command"):
        if _seconds_awake(history, command.begin, command.end) > COMMAND_SECONDS:
            yield f"{command.facts['words']} at {command.begin:.3f} took {command.end - command.begin:.1f} s"


def programs_go_on(history: History) -> Iterator[str]:
    """No server, worker or API ends by itself."""
    for died in history.note("died"):
        yield f"{died.facts['name']} ended by itself before {died.at:.3f}, with exit code {died.facts['code']}"


def the_campaign_makes_no_mistake(history: History) -> Iterator[str]:
    """What the campaign itself does goes well."""
    for mistake in history.note("mistake"):
        yield mistake.facts["error"]


def nothing_is_left(history: History) -> Iterator[str]:
    """At the end no process, no file beside the warehouse's own, and no slot is left over."""
    notes = history.note("end")
    if len(notes) != 1:
        yield "the campaign did not come to its end"
    for note in notes:
        for kind in ("processes", "files", "slots"):
            for left in note.facts[kind]:
                yield f"left over: {kind} {left}"


def _seconds_awake(history: History, begin: float, end: float) -> float:
    stopped = sum(stop.overlap(begin, end) for stop in history.span("stopped"))
    return end - begin - stopped
