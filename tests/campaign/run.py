"""`python -m tests.campaign.run`: a long campaign, its history in a file, and the judgement of it."""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.campaign.campaign import Campaign, Settings
from tests.campaign.checker import violations
from tests.campaign.history import History, read
from tests.campaign.plan import LONG


def main() -> int:
    """Run one, print what it came to, and answer the exit code: 1 if a rule was broken."""
    options = _options()
    for asked_to_stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked_to_stop, signal.default_int_handler)
    for name in list(os.environ):
        if name.startswith(("PREFECT_", "REFRESH_", "WAREHOUSE_", "API_")):
            del os.environ[name]
    folder = Path(tempfile.mkdtemp(prefix="refresh-campaign-"))
    history = folder / "history.jsonl"
    site = folder / "site"
    site.mkdir()
    print(f"seed {options.seed}, history {history}", flush=True)
    Campaign(site, history, Settings(options.seed, options.minutes * 60, LONG)).run()
    with history.open(encoding="utf-8") as lines:
        told = read(lines)
    found = violations(told)
    print(*summary(told, found), sep="\n")
    return 1 if found else 0


def summary(history: History, found: dict[str, list[str]]) -> list[str]:
    """What happened and what was wrong with it, as lines."""
    rows = Counter(str(it.facts.get("status")) for it in history.span("rows"))
    asks = Counter(str(it.facts.get("status")) for it in history.span("ask"))
    kills = Counter(kill.facts["name"] for kill in history.note("kill"))
    runs = Counter(run.facts["type"] for run in history.note("run"))
    commands = Counter(f"{it.facts['words'].split()[0]} {it.facts.get('code')}" for it in history.span("command"))
    faults = Counter({kind: len(history.span(kind)) for kind in ("stopped", "held", "full", "away", "broken")})
    stored = {table: len(stored) for table, stored in history.raw.items()}
    lines = [
        f"requests with rows: {_counted(rows)}",
        f"POST /run: {_counted(asks)}",
        f"rows stored: {stored}",
        f"kills: {_counted(kills)}",
        f"other faults: {_counted(faults)}",
        f"runs of Prefect's: {_counted(runs)}",
        f"refreshes in a terminal, with exit codes: {_counted(commands)}",
        f"looks at tables: {len(history.note('look'))}, in vain {len(history.note('blind'))}",
        f"violations: {sum(map(len, found.values()))}",
    ]
    return lines + [f"  {name}: {it}" for name, broken in found.items() for it in broken]


def _counted(counter: Counter[str]) -> str:
    each = ", ".join(f"{name} {count}" for name, count in sorted(counter.items()))
    return f"{sum(counter.values())} ({each})"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.run", description=__doc__)
    parser.add_argument("--minutes", type=float, default=45.0)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the plan of an earlier campaign again")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
