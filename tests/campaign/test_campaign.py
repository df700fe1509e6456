"""A short campaign: a few kills and faults of every kind that a minute allows, and no rule is broken."""

from pathlib import Path

import pytest

from tests.campaign.campaign import Campaign, Settings
from tests.campaign.checker import violations
from tests.campaign.history import read
from tests.campaign.plan import LONG, SHORT, kinds, plan

SEED = 7


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="it finds its processes in /proc, as Linux has it")
def test_a_short_campaign_breaks_no_rule(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    site = tmp_path / "site"
    site.mkdir()
    Campaign(site, history, Settings(SEED, 6.0, SHORT, clients=3, client_pause=0.2, askers=1, asker_pause=4.0)).run()
    with history.open(encoding="utf-8") as lines:
        told = read(lines)
    assert violations(told) == {}, f"seed {SEED}, history {history}"
    assert told.note("kill")
    assert {201, 422} <= {attempt.facts["status"] for attempt in told.span("rows")}


def test_the_same_seed_is_the_same_plan() -> None:
    assert plan(7, 600, LONG) == plan(7, 600, LONG)
    assert plan(7, 600, LONG) != plan(8, 600, LONG)


def test_a_long_campaign_plans_a_hundred_kills() -> None:
    assert kinds(plan(1, 45 * 60, LONG))["kill"] >= 110
