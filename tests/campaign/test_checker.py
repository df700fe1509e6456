"""The checker can fail: a small history is legal, and each way to spoil it is found by the rule that it breaks."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.campaign.checker import RULES, violations
from tests.campaign.history import History, read
from tests.campaign.small_history import Line, small_history

Spoil = Callable[[list[Line]], None]


def find(lines: list[Line], kind: str, **facts: Any) -> Line:
    """The first note of a kind, or the first beginning of a span, that has these facts."""
    for line in lines:
        if kind in (line.get("note"), line.get("begin")) and facts.items() <= line.items():
            return line
    raise AssertionError(f"no {kind} with {facts}")


def end_of(lines: list[Line], begin: Line) -> Line:
    return next(line for line in lines if line.get("end") == begin["span"] and "note" not in line)


def answer(lines: list[Line], request: str, **facts: Any) -> None:
    """Change the answers to all attempts of a request."""
    for begin in [line for line in lines if "begin" in line and line.get("request") == request]:
        end_of(lines, begin).update(facts)


def raw(lines: list[Line], table: str) -> list[Any]:
    rows: list[Any] = find(lines, "raw", table=table)["rows"]
    return rows


def first_row(lines: list[Line], table: str) -> Line:
    row: Line = find(lines, "look", table=table)["rows"][0]
    return row


def a_row_is_gone(lines: list[Line]) -> None:
    del raw(lines, "events")[-1]


def a_row_is_there_twice(lines: list[Line]) -> None:
    raw(lines, "events").append(raw(lines, "events")[-1])


def a_refused_row_is_stored(lines: list[Line]) -> None:
    raw(lines, "orders").append([300, "c2", 3, ""])


def a_row_that_nobody_took_is_stored(lines: list[Line]) -> None:
    raw(lines, "orders").append([500, "c2", 3, ""])


def a_lost_row_is_stored_twice(lines: list[Line]) -> None:
    raw(lines, "orders").append(raw(lines, "orders")[-1])


def half_of_a_batch_is_stored(lines: list[Line]) -> None:
    answer(lines, "stored", status=0)
    del raw(lines, "events")[-1]


def a_value_is_another(lines: list[Line]) -> None:
    raw(lines, "events")[-1][3] = "changed"


def a_bad_row_is_accepted(lines: list[Line]) -> None:
    answer(lines, "bad", status=201)


def a_good_row_is_a_bug(lines: list[Line]) -> None:
    answer(lines, "long", status=500)


def a_key_stays_without_an_answer(lines: list[Line]) -> None:
    answer(lines, "lost, then stored", status=0)


def a_table_vanishes(lines: list[Line]) -> None:
    lines.append({"at": 47, "note": "look", "table": "final.last", "rows": None})


def a_table_has_a_row_of_an_older_build(lines: list[Line]) -> None:
    first_row(lines, "tmp.events_parts")["built"] = 13


def a_table_is_doubled(lines: list[Line]) -> None:
    find(lines, "look", table="final.last")["rows"] *= 2


def a_table_skips_a_row_in_the_middle(lines: list[Line]) -> None:
    first_row(lines, "tmp.events_total").update(n=3, total=4)


def a_table_counts_rows_that_are_gone(lines: list[Line]) -> None:
    first_row(lines, "tmp.orders_total").update(n=3)


def a_build_misses_rows_that_were_acknowledged(lines: list[Line]) -> None:
    first_row(lines, "tmp.events_total").update(n=2, total=6, mix=1 ^ 5)


def a_build_sees_rows_that_are_sent_later(lines: list[Line]) -> None:
    find(lines, "rows", request="lost")["at"] = 57


def a_table_is_built_by_nobody(lines: list[Line]) -> None:
    first_row(lines, "tmp.slow")["built"] = 45.5


def a_table_is_of_an_old_edition(lines: list[Line]) -> None:
    lines.append({"at": 8, "note": "wrote", "table": "tmp.slow", "edition": 2, "breakage": None})


def a_table_is_of_an_edition_that_never_was(lines: list[Line]) -> None:
    first_row(lines, "tmp.slow")["edition"] = 7


def the_last_refresh_leaves_out_a_row(lines: list[Line]) -> None:
    raw(lines, "orders").append([700, "c2", 3, ""])
    find(lines, "rows", request="nobody there")["rows"] = [[700, "c2", 3, ""]]
    answer(lines, "nobody there", status=0)


def an_accepted_run_never_starts(lines: list[Line]) -> None:
    find(lines, "run", id="a").update(start=None, type="CRASHED", created=44, end=46)
    lines.append({"at": 45, "note": "kill", "name": "worker", "runs": []})
    find(lines, "ask", request="plain")["at"] = 44


def an_accepted_run_had_started_before(lines: list[Line]) -> None:
    find(lines, "run", id="a").update(start=9)


def an_accepted_run_is_unknown(lines: list[Line]) -> None:
    lines.remove(find(lines, "run", id="a"))


def a_key_gets_another_run(lines: list[Line]) -> None:
    end_of(lines, find(lines, "ask", request="closing"))["run"] = "closing"
    find(lines, "ask", request="closing")["key"] = "run-k"


def two_build_at_once(lines: list[Line]) -> None:
    end = end_of(lines, find(lines, "command"))
    end.update(built=[42.5, 52])


def a_run_goes_on_for_ever(lines: list[Line]) -> None:
    find(lines, "run", id="failed").update(type="RUNNING", end=None)


def a_living_run_is_crashed(lines: list[Line]) -> None:
    find(lines, "kill")["runs"] = ["another"]


def a_dead_run_seems_to_go_on(lines: list[Line]) -> None:
    find(lines, "run", id="killed")["end"] = 600


def a_run_is_cancelled_by_nobody(lines: list[Line]) -> None:
    find(lines, "cancel")["run"] = "another"


def a_run_fails_without_a_cause(lines: list[Line]) -> None:
    find(lines, "broken")["at"] = 36


def a_command_fails_without_a_cause(lines: list[Line]) -> None:
    end_of(lines, find(lines, "command"))["code"] = 1


def runs_pile_up(lines: list[Line]) -> None:
    find(lines, "waiting")["runs"].append({"id": "surplus", "due": 95, "select": ["tmp.slow"], "of_a_schedule": False})
    find(lines, "waiting").update(at=190)
    find(lines, "waiting")["runs"][0]["due"] = 101
    lines.append({**find(lines, "run", id="a"), "id": "begun since", "start": 150, "end": 160})


def a_request_hangs(lines: list[Line]) -> None:
    find(lines, "stopped")["at"] = 98


def a_request_never_ends(lines: list[Line]) -> None:
    lines.remove(end_of(lines, find(lines, "rows", request="long")))


def a_command_never_ends(lines: list[Line]) -> None:
    end_of(lines, find(lines, "command"))["at"] = 1000


def the_worker_ends_by_itself(lines: list[Line]) -> None:
    lines.append({"at": 90, "note": "died", "name": "worker", "code": 1})


def the_campaign_errs(lines: list[Line]) -> None:
    lines.append({"at": 90, "note": "mistake", "error": "KeyError"})


def a_process_is_left(lines: list[Line]) -> None:
    find(lines, "end")["processes"] = ["17 python -m warehouse_refresh.api"]


def a_slot_is_left(lines: list[Line]) -> None:
    find(lines, "end")["slots"] = ["1 of deployment:7"]


def the_campaign_breaks_off(lines: list[Line]) -> None:
    lines.remove(find(lines, "end"))


SPOILT: dict[str, list[Spoil]] = {
    "acknowledged_rows_are_stored_once": [a_row_is_gone, a_row_is_there_twice],
    "refused_rows_are_not_stored": [a_refused_row_is_stored, a_row_that_nobody_took_is_stored],
    "rows_of_lost_answers_are_whole_and_at_most_once": [a_lost_row_is_stored_twice, half_of_a_batch_is_stored],
    "rows_are_as_they_were_sent": [a_value_is_another],
    "answers_fit_their_requests": [a_bad_row_is_accepted, a_good_row_is_a_bug],
    "keyed_requests_are_answered_in_the_end": [a_key_stays_without_an_answer],
    "tables_are_whole": [a_table_vanishes, a_table_has_a_row_of_an_older_build, a_table_is_doubled],
    "tables_are_equal_to_their_query_over_a_state_of_raw": [
        a_table_skips_a_row_in_the_middle,
        a_table_counts_rows_that_are_gone,
    ],
    "tables_hold_what_was_stored_before_and_nothing_sent_later": [
        a_build_misses_rows_that_were_acknowledged,
        a_build_sees_rows_that_are_sent_later,
    ],
    "tables_were_built_by_a_run": [a_table_is_built_by_nobody],
    "tables_are_of_a_script_that_was_there": [
        a_table_is_of_an_old_edition,
        a_table_is_of_an_edition_that_never_was,
    ],
    "the_last_refresh_shows_every_row": [the_last_refresh_leaves_out_a_row],
    "accepted_runs_are_followed_by_a_refresh": [
        an_accepted_run_never_starts,
        an_accepted_run_had_started_before,
        an_accepted_run_is_unknown,
    ],
    "the_same_key_gets_the_same_run": [a_key_gets_another_run],
    "one_refresh_builds_at_a_time": [two_build_at_once],
    "every_run_ends": [a_run_goes_on_for_ever],
    "only_killed_runs_are_crashed": [a_living_run_is_crashed],
    "killed_runs_end_soon": [a_dead_run_seems_to_go_on],
    "only_cancelled_runs_are_cancelled": [a_run_is_cancelled_by_nobody],
    "failures_have_a_cause": [a_run_fails_without_a_cause, a_command_fails_without_a_cause],
    "at_most_one_run_waits": [runs_pile_up],
    "requests_end_in_time": [a_request_hangs, a_request_never_ends],
    "commands_end_in_time": [a_command_never_ends],
    "programs_go_on": [the_worker_ends_by_itself],
    "the_campaign_makes_no_mistake": [the_campaign_errs],
    "nothing_is_left": [a_process_is_left, a_slot_is_left, the_campaign_breaks_off],
}
WAYS = [(rule, spoil) for rule, ways in SPOILT.items() for spoil in ways]


def told(lines: list[Line]) -> History:
    return read(json.dumps(line) for line in lines)


def test_the_small_history_is_legal() -> None:
    assert violations(told(small_history())) == {}


def a_new_run_is_crashed(lines: list[Line], deployment: str | None, code: int) -> None:
    """A run that began in the last moment of `refresh run`, whose kill names no run."""
    run = {**find(lines, "run", id="a"), "id": "new", "type": "CRASHED", "message": "no sign of life"}
    lines.append({**run, "created": 84, "start": 84.1, "end": 174, "deployment": deployment})
    lines.append({"at": 80, "begin": "command", "span": 9999, "words": "run"})
    lines.append({"at": 84.3, "note": "kill", "name": "command", "runs": []})
    lines.append({"at": 84.4, "end": 9999, "built": [], "code": code, "said": ""})


def test_a_command_may_be_killed_before_the_campaign_knows_its_run() -> None:
    lines = small_history()
    a_new_run_is_crashed(lines, deployment=None, code=-9)
    assert "only_killed_runs_are_crashed" not in violations(told(lines))


@pytest.mark.parametrize(("deployment", "code"), [(None, 0), ("warehouse", -9)])
def test_only_the_run_of_a_killed_command_is_excused(deployment: str | None, code: int) -> None:
    lines = small_history()
    a_new_run_is_crashed(lines, deployment=deployment, code=code)
    assert "only_killed_runs_are_crashed" in violations(told(lines))


@pytest.mark.parametrize(("rule", "spoil"), WAYS, ids=lambda it: getattr(it, "__name__", ""))
def test_a_spoilt_history_is_found_by_its_rule(rule: str, spoil: Spoil) -> None:
    lines = small_history()
    spoil(lines)
    assert rule in violations(told(lines))


def test_there_is_a_spoilt_history_for_every_rule() -> None:
    assert SPOILT.keys() == {rule.__name__ for rule in RULES}
