"""Says whether a history is legal: every rule is a plain function from the history to what breaks it.

`python -m tests.campaign.checker HISTORY` judges a file again.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.campaign import ends, rows, runs, tables
from tests.campaign.history import History, read

Rule = Callable[[History], Iterator[str]]

RULES: tuple[Rule, ...] = (
    rows.acknowledged_rows_are_stored_once,
    rows.refused_rows_are_not_stored,
    rows.rows_of_lost_answers_are_whole_and_at_most_once,
    rows.rows_are_as_they_were_sent,
    rows.answers_fit_their_requests,
    rows.keyed_requests_are_answered_in_the_end,
    tables.tables_are_whole,
    tables.tables_are_equal_to_their_query_over_a_state_of_raw,
    tables.tables_hold_what_was_stored_before_and_nothing_sent_later,
    tables.tables_were_built_by_a_run,
    tables.tables_are_of_a_script_that_was_there,
    tables.the_last_refresh_shows_every_row,
    runs.accepted_runs_are_followed_by_a_refresh,
    runs.the_same_key_gets_the_same_run,
    runs.one_refresh_builds_at_a_time,
    runs.every_run_ends,
    runs.only_killed_runs_are_crashed,
    runs.killed_runs_end_soon,
    runs.only_cancelled_runs_are_cancelled,
    runs.failures_have_a_cause,
    runs.at_most_one_run_waits,
    ends.requests_end_in_time,
    ends.commands_end_in_time,
    ends.programs_go_on,
    ends.the_campaign_makes_no_mistake,
    ends.nothing_is_left,
)


def violations(history: History) -> dict[str, list[str]]:
    """What breaks each rule, by the rule's name; rules that hold are left out."""
    found = {rule.__name__: list(rule(history)) for rule in RULES}
    return {name: broken for name, broken in found.items() if broken}


def main(path: str) -> int:
    """Print what breaks the rules in the history at `path`, and answer the exit code."""
    with Path(path).open(encoding="utf-8") as lines:
        found = violations(read(lines))
    for name, broken in found.items():
        print(name, *broken, sep="\n  ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
