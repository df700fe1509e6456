"""Carries out the actions of a plan: refreshes by every way, scripts broken and put right, and faults."""

import errno
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from tempfile import NamedTemporaryFile
from typing import IO

import httpx

from tests.campaign.history import Recorder
from tests.campaign.plan import PROCESSES, Action
from tests.campaign.prefect_facts import PrefectFacts
from tests.campaign.site import Site, wait_until_answers

SCHEDULE_SECONDS = 5.0
CLI_SECONDS = 300.0
HANDS_SECONDS, VICTIM_SECONDS = 120.0, 20.0
FILLER_BYTES = 64 * 1024


class _Busy(Exception):
    """Another action has a process in hand."""


class Doer:
    """Does actions, each in the thread that calls `do`. `disk` is a small disk that may be filled."""

    def __init__(self, site: Site, prefect: PrefectFacts, recorder: Recorder, seed: int, disk: Path | None) -> None:
        self._site, self._prefect, self._recorder, self._disk = site, prefect, recorder, disk
        self.deployment = prefect.deployment()
        self._random = Random(f"{seed} doer")
        self._editions: dict[str, int] = defaultdict(lambda: 1)
        self._scripts: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._hands = {name: threading.Lock() for name in PROCESSES}
        self._commands: set[int] = set()
        self._ways: dict[str, Callable[[Action], None]] = {
            "refresh": self._refresh,
            "edit": self._edit,
            "break": self._break,
            "kill": self._kill,
            "stop": self._stop,
            "asleep": self._stop,
            "away": self._kill,
            "hold": self._hold,
            "fill": self._fill,
            "schedule": self._schedule,
            "cancel": self._cancel,
        }

    def do(self, action: Action) -> None:
        """Do it. What cannot be done now, since a process that it needs is away, is noted as left out."""
        try:
            self._ways[action.what](action)
        except (httpx.HTTPError, _Busy) as error:
            self._recorder.note("left out", what=action.what, how=action.how, why=repr(error))

    def _refresh(self, action: Action) -> None:
        select = [word for selector in action.select for word in ("--select", selector)]
        if action.how in ("build", "run"):
            self.command("warehouse_refresh.commands.main", action.how, *select)
        elif action.how == "trigger":
            run = self._prefect.trigger(self.deployment["id"], list(action.select))
            self._recorder.note("trigger", run=run)
        else:
            words = ["prefect", "deployment", "run", self._prefect.name_of(self.deployment)]
            self._site.popen(*words).wait(CLI_SECONDS)

    def command(self, module: str, *words: str) -> int:
        """Refresh with a command of this project's; answers its exit code."""
        with self._recorder.span("command", words=" ".join(words)) as found:
            process = self._site.popen(module, *words, output=subprocess.PIPE)
            self._commands.add(process.pid)
            said, found["built"] = [], []
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line.decode(errors="replace"))
                if said[-1].startswith("✓"):
                    found["built"].append(time.monotonic())
            found["code"] = process.wait()
            found["said"] = "".join(said)[-1000:]
            process.stdout.close()
            self._commands.discard(process.pid)
        return int(found["code"])

    def _edit(self, action: Action) -> None:
        with self._scripts[action.how]:
            self._next_edition(action.how)

    def _break(self, action: Action) -> None:
        table, breakage = action.how.split()
        with self._scripts[table], self._recorder.span("broken", table=table):
            self._site.edit(table, self._editions[table], breakage)
            self._site.sleep(action.seconds)
            self._next_edition(table)

    def _next_edition(self, table: str) -> None:
        self._editions[table] += 1
        self._site.edit(table, self._editions[table], None)

    def _kill(self, action: Action) -> None:
        if action.how in ("flow", "command"):
            self._kill_one_that_refreshes(action)
            return
        names = PROCESSES if action.how == "all" else (action.how,)
        with self._only(names), ExitStack() as away:
            if "server" in names:
                away.enter_context(self._recorder.span("away"))
            if action.how == "all":
                self._site.kill_all()
            else:
                self._site.kill(action.how)
            self._site.sleep(action.seconds)
            for name in names:
                self._site.start(name)
            if "server" in names:
                wait_until_answers(f"{self._prefect.url}/health")

    def _kill_one_that_refreshes(self, action: Action) -> None:
        """Kill a process that refreshes, as soon as there is one; then it may be at anything."""
        deadline = time.monotonic() + VICTIM_SECONDS
        while not (victims := self._living(action.how)) and time.monotonic() < deadline:
            self._site.sleep(0.5)
        self._site.sleep(action.seconds / 2)
        if victims := self._living(action.how):
            process = self._random.choice([*victims])
            self._site.kill_some(action.how, {process: victims[process]})

    def _stop(self, action: Action) -> None:
        if action.how == "flow":
            self._stop_processes(action, self._living("flow"))
            return
        with self._only(PROCESSES if action.how == "all" else (action.how,)):
            if action.how == "all":
                self._stop_processes(action, self._site.processes())
            else:
                self._stop_processes(action, self._site.of(action.how))

    def _stop_processes(self, action: Action, processes: dict[int, str]) -> None:
        if processes:
            with self._site.stopped(action.how, processes):
                self._site.sleep(action.seconds)

    def _hold(self, action: Action) -> None:
        path = self._site.folder / ".data/warehouse.duckdb"
        words = ["tests.campaign.holder", action.how, str(path), str(action.seconds)]
        process = self._site.popen(*words, output=subprocess.PIPE)
        assert process.stdout is not None
        with process.stdout:
            if process.stdout.readline() == b"held\n":
                with self._recorder.span("held", by=action.how):
                    process.wait()
            process.wait()

    def _fill(self, action: Action) -> None:
        if self._disk is None:
            self._recorder.note("left out", what="fill", how="disk", why="there is no small disk")
            return
        with self._recorder.span("full"), NamedTemporaryFile(dir=self._disk, buffering=0) as filler:
            _fill(filler)
            self._site.sleep(action.seconds)

    def _schedule(self, action: Action) -> None:
        schedule = self._prefect.start_schedule(self.deployment["id"], SCHEDULE_SECONDS)
        self._site.sleep(action.seconds)
        while not self._ended(schedule):
            time.sleep(1)

    def _ended(self, schedule: str) -> bool:
        try:
            self._prefect.end_schedule(self.deployment["id"], schedule)
        except httpx.HTTPError:
            return False
        return True

    def _cancel(self, _: Action) -> None:
        for run in self._prefect.runs("RUNNING")[:1]:
            self._recorder.note("cancel", run=run["id"])
            self._prefect.cancel(run["id"])

    def _living(self, kind: str) -> dict[int, str]:
        found = self._site.processes()
        wanted = {pid for pid, run in found.items() if run} if kind == "flow" else self._commands
        return {pid: found[pid] for pid in sorted(wanted) if pid in found}

    @contextmanager
    def _only(self, names: tuple[str, ...]) -> Iterator[None]:
        """Nobody else kills, stops or starts these processes during the block. Raises _Busy if one is not up."""
        with ExitStack() as held:
            for name in sorted(names):
                if not self._hands[name].acquire(timeout=HANDS_SECONDS if len(names) > 1 else 0):
                    raise _Busy(f"{name} is killed, stopped or started already")
                held.callback(self._hands[name].release)
            yield


def _fill(file: IO[bytes]) -> None:
    """Write to a file until the disk is full."""
    try:
        while True:
            file.write(bytes(FILLER_BYTES))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
