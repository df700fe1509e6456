"""A small history that is legal, as the lines that a recorder writes, with a time for everything that may happen."""

from functools import reduce
from itertools import count
from operator import xor
from typing import Any

from tests.campaign.project import PARTS, SCRIPTS, SHAPES

Line = dict[str, Any]

EVENTS: list[list[Any]] = [[0, "seed", 1, ""], [100, "c1", 5, ""], [208, "c1", 7, "a"], [201, "c1", -2, "b"]]
ORDERS: list[list[Any]] = [[0, "seed", 1, ""], [400, "c2", 9, ""]]
RUN = {"deployment": "d", "select": [], "attempts": 1, "message": "", "type": "COMPLETED", "covered_by": []}


def small_history() -> list[Line]:
    """The lines, in no order of time; each call makes new ones."""
    spans = count(1)

    def span(kind: str, begin: float, end: float, facts: Line, **found: Any) -> list[Line]:
        number = next(spans)
        return [{"at": begin, "begin": kind, "span": number, **facts}, {"at": end, "end": number, **found}]

    def rows(name: str, table: str, sent: list[Any], begin: float, end: float, status: int, **facts: Any) -> list[Line]:
        asked = {"request": name, "api": "api-1", "table": table, "rows": sent, "key": None, "good": True, **facts}
        return span("rows", begin, end, asked, status=status, code="")

    def ask(name: str, begin: float, run: str, **facts: Any) -> list[Line]:
        asked = {"request": name, "api": "api-2", "key": None, "select": [], "wait": 0, **facts}
        return span("ask", begin, begin + 1, asked, status=202, code="", run=run)

    return [
        *({"at": 0, "note": "wrote", "table": table, "edition": 1, "breakage": None} for table in SCRIPTS),
        *rows("lost, then stored", "events", EVENTS[1:2], 1, 1.5, 0, key="k"),
        *rows("lost, then stored", "events", EVENTS[1:2], 2, 2.5, 201, key="k"),
        *rows("stored", "events", EVENTS[2:], 3, 3.5, 201),
        *rows("bad", "orders", [[300, "c2", 3, ""]], 3, 3.5, 422, good=False),
        *rows("lost", "orders", ORDERS[1:], 4, 4.5, 0),
        *rows("nobody there", "orders", [[500, "c2", 3, ""]], 5, 5.1, -1),
        *ask("plain", 10, "a"),
        *ask("keyed", 10, "a", key="run-k", select=["tmp.slow"]),
        *ask("keyed", 25, "a", key="run-k", select=["tmp.slow"]),
        _run("a", 10.5, 12, 20),
        *(_task("a", table, 13, 19) for table in SCRIPTS),
        _run("killed", 21, 22, 26, type="CRASHED"),
        {"at": 25, "note": "kill", "name": "flow", "runs": ["killed"]},
        *span("broken", 28, 40, {"table": "tmp.events_total"}),
        _run("failed", 29, 30, 35, type="FAILED"),
        *span("command", 41, 45, {"words": "build"}, code=0, built=[42.5, 44], said=""),
        *_looks(46, 42),
        {"at": 47, "note": "cancel", "run": "cancelled"},
        _run("cancelled", 46, 47, 48, type="CANCELLED"),
        {"at": 48, "note": "waiting", "runs": [{"id": "closing", "due": 47, "select": [], "of_a_schedule": False}]},
        _run("covered", 5, None, 6, covered_by=["a"]),
        *ask("covered", 5, "covered"),
        {"at": 49, "note": "closing", "run": "closing"},
        *ask("closing", 48.5, "closing"),
        _run("closing", 49, 50, 55),
        *(_task("closing", table, 51, 54) for table in SCRIPTS),
        *_looks(56, 52, closing=True),
        *span("stopped", 60, 100, {"name": "all", "runs": []}),
        *rows("long", "events", [[600, "c1", 1, ""]], 59, 110, 503),
        {"at": 120, "note": "raw", "table": "events", "rows": [list(row) for row in EVENTS]},
        {"at": 120, "note": "raw", "table": "orders", "rows": [list(row) for row in ORDERS]},
        {"at": 121, "note": "end", "processes": [], "files": [], "slots": []},
    ]


def _run(name: str, created: float, start: float | None, end: float, **facts: Any) -> Line:
    return {"at": 119, "note": "run", "id": name, "created": created, "start": start, "end": end, **RUN, **facts}


def _task(run: str, table: str, begin: float, end: float) -> Line:
    return {"at": 119, "note": "task", "run": run, "table": table, "state": "Completed", "begin": begin, "end": end}


def _looks(at: float, built: float, *, closing: bool = False) -> list[Line]:
    """What every table holds when it was built at `built` from all rows."""
    events, orders = _total(EVENTS), _total(ORDERS)
    made = {"edition": 1, "built": built}
    ways = {"events": events, "orders": orders, "parts": events}
    sums = {f"{raw}_{name}": value for raw, way in ways.items() for name, value in {**way, "built": built}.items()}
    by_part = [{"part": part, **_total([row for row in EVENTS if row[0] % PARTS == part])} for part in (0, 1, 4)]
    rows = {
        "tmp.events_total": [events],
        "tmp.orders_total": [orders],
        "tmp.slow": [{**orders, "work": 1}],
        "tmp.events_parts": by_part,
        "final.report": [sums],
        "final.last": [{name: value for name, value in sums.items() if name.startswith("orders")}],
    }
    return [
        {
            "at": at,
            "note": "look",
            "table": table,
            "rows": [{name: {**made, **row}[name] for name in SHAPES[table]} for row in found],
            "closing": closing,
        }
        for table, found in rows.items()
    ]


def _total(rows: list[list[Any]]) -> Line:
    numbers = [row[2] for row in rows]
    return {"n": len(rows), "total": sum(numbers), "mix": reduce(xor, numbers, 0)}
