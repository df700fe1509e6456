"""What is done in a campaign and when: made from a seed, and so the same for the same seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.campaign.project import BREAKAGES, FRAGILE, SCRIPTS

SELECTIONS: tuple[list[str], ...] = ([], [], [], ["tmp.slow"], ["tmp.*"], ["+final.report"])
PROCESSES = ("api-1", "api-2", "worker", "server")


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do, `at` seconds after the start: `what` with `how`; `seconds` is how long it lasts."""

    at: float
    what: str
    how: str = ""
    seconds: float = 0.0
    select: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things happen: seconds between two of a kind, on average. `faults` and `refreshes` are weights, by
    what and how."""

    refresh: float
    fault: float
    edit: float
    faults: dict[tuple[str, str], float]
    refreshes: dict[str, float]
    longest: float = 8.0
    """The most seconds that a fault lasts, but for a machine asleep."""


LONG = Pace(
    refresh=11,
    fault=8,
    edit=20,
    faults={
        ("kill", "api-1"): 8,
        ("kill", "api-2"): 8,
        ("kill", "flow"): 12,
        ("kill", "command"): 10,
        ("kill", "worker"): 5,
        ("kill", "server"): 2,
        ("kill", "all"): 1.5,
        ("stop", "api-1"): 3,
        ("stop", "flow"): 3,
        ("stop", "worker"): 1,
        ("stop", "server"): 1,
        ("stop", "all"): 2,
        ("asleep", "all"): 0.5,
        ("away", "server"): 0.5,
        ("hold", "reader"): 3,
        ("hold", "writer"): 3,
        ("fill", "disk"): 3,
        ("schedule", "quick"): 1,
        ("cancel", "run"): 2,
    },
    refreshes={"build": 4, "run": 2, "trigger": 4, "deployment run": 1},
)
SHORT = Pace(
    refresh=4,
    fault=1.5,
    edit=5,
    faults={
        ("kill", "api-1"): 3,
        ("kill", "api-2"): 3,
        ("kill", "command"): 3,
        ("stop", "api-1"): 1,
        ("hold", "reader"): 1,
        ("hold", "writer"): 1,
        ("fill", "disk"): 1,
    },
    refreshes={"build": 3, "run": 1, "trigger": 1},
    longest=2.0,
)


def plan(seed: int, seconds: float, pace: Pace) -> list[Action]:
    """What to do in a campaign of so many seconds, in order of time."""
    random = Random(seed)
    actions = [
        *(_refresh(random, at, pace) for at in _moments(random, seconds, pace.refresh)),
        *(_fault(random, at, pace) for at in _moments(random, seconds, pace.fault)),
        *(_edit(random, at, pace) for at in _moments(random, seconds, pace.edit)),
    ]
    return sorted(actions, key=lambda action: action.at)


def _moments(random: Random, seconds: float, between: float) -> list[float]:
    """Moments that are `between` seconds apart on average, none in the last tenth."""
    moments, at = [], random.uniform(0, between)
    while at < seconds * 0.9:
        moments.append(at)
        at += random.uniform(0.3, 1.7) * between
    return moments


def _refresh(random: Random, at: float, pace: Pace) -> Action:
    [how] = random.choices([*pace.refreshes], [*pace.refreshes.values()])
    return Action(at, "refresh", how, select=tuple(random.choice(SELECTIONS)))


def _fault(random: Random, at: float, pace: Pace) -> Action:
    [(what, how)] = random.choices([*pace.faults], [*pace.faults.values()])
    lasts = {"asleep": (95.0, 110.0), "away": (95.0, 110.0), "schedule": (20.0, 60.0)}
    return Action(at, what, how, random.uniform(*lasts.get(what, (0.0, pace.longest))))


def _edit(random: Random, at: float, pace: Pace) -> Action:
    if random.random() < 0.5:
        return Action(at, "edit", random.choice([*SCRIPTS]))
    breakage = random.choice([*BREAKAGES])
    return Action(at, "break", f"{random.choice(FRAGILE)} {breakage}", random.uniform(0, 2 * pace.longest))


def kinds(actions: Sequence[Action]) -> dict[str, int]:
    """How many there are of each kind of action."""
    found: dict[str, int] = {}
    for action in actions:
        found[action.what] = found.get(action.what, 0) + 1
    return found
