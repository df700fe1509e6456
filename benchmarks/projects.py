"""One project of a size, with all the commands that are measured on it: ours, the floor's, the peers'."""

import json
import shutil
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.commands import Command, floor, refresh, run
from benchmarks.generate import generate
from benchmarks.peers import FUSION, HERE, python_of, reset, write_dbt, write_sqlmesh

LARGE = 1000
"""From this size on, what is read before anything is built is measured too."""
PEERS = ("dbt", FUSION, "sqlmesh", "prefect")
_ROWS = 100
_PATIENCE_SECONDS = 120
_OURS = ("floor", "refresh build", "refresh run")
_OURS_LARGE = (
    "refresh build --select stale",
    "refresh check",
    "refresh build, new scripts",
    "refresh check, new scripts",
)
_OF_PEERS = {
    "dbt": ["dbt run"],
    FUSION: ["Fusion's dbt run"],
    "sqlmesh": ["sqlmesh plan"],
    "prefect": ["empty tasks"],
}
_OF_PEERS_LARGE = {
    "dbt": ["dbt parse"],
    FUSION: ["Fusion's dbt compile", "Fusion's dbt parse", "Fusion's dbt run, nothing changed"],
}


def names(size: int, peers: Sequence[str]) -> list[str]:
    """What is measured for a project of `size` scripts, in the order in which it is."""
    wanted = [*_OURS, *(_OURS_LARGE if size >= LARGE else ())]
    for peer in peers:
        wanted += _OF_PEERS[peer] + (_OF_PEERS_LARGE.get(peer, []) if size >= LARGE else [])
    return wanted


def commands(size: int, folder: Path, server: dict[str, str], peers: Sequence[str]) -> dict[str, Command]:
    """Write the project into `folder`, as each tool wants it, and have everything run once, so that caches are warm."""
    ours = folder / "refresh"
    reads = generate("random", size, ours, _ROWS)
    run(refresh("init", ours))
    recorded = _Recorded(server["PREFECT_API_URL"], size)
    through_prefect = replace(refresh("run", ours), environment=server, before=recorded.before, after=recorded.after)
    found = [floor(ours), refresh("build", ours), through_prefect, _stale(ours), refresh("check", ours)]
    found += [_forgetful(refresh(word, ours)) for word in ("build", "check")]
    if "dbt" in peers:
        write_dbt(folder / "dbt", reads, _ROWS)
        found += _dbt(folder / "dbt")
    if FUSION in peers:
        write_dbt(folder / FUSION, reads, _ROWS)
        found += _fusion(folder / FUSION)
    if "prefect" in peers:
        words: list[str | Path] = [sys.executable, HERE / "empty_tasks.py", str(size)]
        empty = Command("empty tasks", words, folder, server, before=recorded.before, after=recorded.settle)
        found.append(empty)
    if "sqlmesh" in peers:
        write_sqlmesh(folder / "sqlmesh", reads, _ROWS)
        found.append(_sqlmesh(folder / "sqlmesh"))
    of_name = {command.name: command for command in found}
    wanted = {name: of_name[name] for name in names(size, peers)}
    for command in wanted.values():
        command.before()
        run(command)
        command.after()
    return wanted


def _forgetful(command: Command) -> Command:
    """The command where nobody has read the scripts before."""
    notes = command.folder / ".data" / "scripts.json"
    return replace(command, name=f"{command.name}, new scripts", before=lambda: notes.unlink(missing_ok=True))


def _stale(folder: Path) -> Command:
    """A refresh where nothing has changed since the last one, which the command before it in turn was."""
    return replace(
        refresh("build", folder),
        name="refresh build --select stale",
        words=[*refresh("build", folder).words, "--select", "stale"],
    )


def _dbt(folder: Path) -> list[Command]:
    dbt = python_of("dbt").parent / "dbt"
    quiet = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DBT_PROFILES_DIR": "."}
    return [
        Command("dbt run", [dbt, "run"], folder, quiet, lambda: reset(folder)),
        Command("dbt parse", [dbt, "parse", "--no-partial-parse"], folder, quiet),
    ]


def _fusion(folder: Path) -> list[Command]:
    """It keeps what it knows in target/, which every command writes; the state to compare with is a copy."""
    dbt = python_of(FUSION).parent / "dbt"
    quiet = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DBT_PROFILES_DIR": "."}
    changed: list[str | Path] = [dbt, "run", "--select", "state:modified", "--state", "built"]

    def keep() -> None:
        shutil.copytree(folder / "target", folder / "built", dirs_exist_ok=True)

    return [
        Command("Fusion's dbt run", [dbt, "run"], folder, quiet, lambda: reset(folder), keep),
        Command("Fusion's dbt compile", [dbt, "compile"], folder, quiet),
        Command("Fusion's dbt parse", [dbt, "parse"], folder, quiet),
        Command("Fusion's dbt run, nothing changed", changed, folder, quiet),
    ]


def _sqlmesh(folder: Path) -> Command:
    sqlmesh = python_of("sqlmesh").parent / "sqlmesh"
    words = [str(sqlmesh), "plan", "--auto-apply", "--no-prompts"]
    return Command("sqlmesh plan", words, folder, {"MAX_FORK_WORKERS": "2"}, lambda: reset(folder))


class _Recorded:
    """Sees to it that every task run of a refresh is on record, as completed, when the refresh returns."""

    def __init__(self, url: str, scripts: int) -> None:
        self._url, self._scripts, self._runs, self._events = url, scripts, 0, 0

    def before(self) -> None:
        self._runs, self._events = self._count_runs(), self._count_events()

    def after(self) -> None:
        recorded = self._count_runs() - self._runs - 1  # the last one publishes
        if recorded != self._scripts:
            raise SystemExit(f"refresh run returned with {recorded} of {self._scripts} task runs on record")
        self.settle()

    def settle(self) -> None:
        """Wait until the server has stored the events of what has just run, so that this does not disturb what is
        measured next. It does so within half a minute, which takes it 2 to 6 seconds for 1,000 tasks."""
        if self._scripts < LARGE:
            return
        deadline, last, stored = time.monotonic() + _PATIENCE_SECONDS, -1, self._count_events()
        while stored != last or stored < self._events + self._scripts:  # each task run has one event at least
            if time.monotonic() > deadline:
                raise SystemExit(f"the server has not stored all events after {_PATIENCE_SECONDS} s")
            time.sleep(3)
            last, stored = stored, self._count_events()

    def _count_runs(self) -> int:
        return int(self._post("task_runs/count", {"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}))

    def _count_events(self) -> int:
        of_task_runs = {"filter": {"event": {"prefix": ["prefect.task-run"]}}, "limit": 1}
        return int(self._post("events/filter", of_task_runs)["total"])

    def _post(self, path: str, content: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"{self._url}/{path}", json.dumps(content).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)
