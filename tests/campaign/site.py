"""The processes of a campaign: started, killed, stopped and found again by a mark in their environment."""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

from tests.campaign import project
from tests.campaign.history import Recorder

MARK = "REFRESH_CAMPAIGN"
FLOW_RUN = "PREFECT__FLOW_RUN_ID"
STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Program:
    """A module of Python's that stays, with its arguments and the settings that only it has."""

    words: Sequence[str]
    settings: Mapping[str, str] = field(default_factory=dict)


class Site:
    """A project's folder and the processes that work on it; `programs` may be started by their names."""

    def __init__(self, folder: Path, recorder: Recorder, **settings: str) -> None:
        self.folder, self.recorder = folder, recorder
        self.programs: dict[str, Program] = {}
        self._mark = uuid.uuid4().hex
        self.environment = {**os.environ, **settings, MARK: self._mark}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._awake = threading.RLock()
        self.over = threading.Event()

    def write(self, files: Mapping[str, str]) -> None:
        """Put files of the project into their places, texts by path, each at once."""
        for path, text in files.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f".{target.name}.draft")
            draft.write_text(text, encoding="utf-8")
            draft.replace(target)

    def edit(self, table: str, edition: int, breakage: str | None) -> None:
        """Put an edition of a table's script into its place."""
        self.recorder.note("wrote", table=table, edition=edition, breakage=breakage)
        self.write({project.path_of(table): project.text_of(table, edition, breakage)})

    def run(self, *words: str) -> str:
        """What a command of Python's prints; it must succeed."""
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, name: str) -> None:
        """Start one of `programs`."""
        program = self.programs[name]
        with self._awake, (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = self.popen(*program.words, output=log, settings=program.settings)

    def popen(
        self, *words: str, output: int | IO[bytes] = subprocess.DEVNULL, settings: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        """Start a module of Python's in a process group of its own, marked as one of the campaign's."""
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=self.folder,
            env={**self.environment, **(settings or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def kill(self, name: str) -> None:
        """Kill one program as `kill -9` does, not those that it started."""
        with self._awake:
            process = self._processes.pop(name)
            self.kill_some(name, {process.pid: ""})
            process.wait()

    def kill_some(self, name: str, processes: Mapping[int, str]) -> None:
        """Kill these processes; the values are the flow runs that they run, if they run one."""
        self.recorder.note("kill", name=name, runs=[run for run in processes.values() if run])
        self._signal(processes, signal.SIGKILL)

    def kill_all(self) -> None:
        """Kill every process at once, as when the power fails."""
        with self._awake:
            self.kill_some("all", self.processes())
            self.destroy()

    def destroy(self) -> None:
        """Kill every process, and what it starts meanwhile, until there is none."""
        with self._awake:
            while living := self.processes():  # what is starting another one may do so until it is dead
                self._signal(living, signal.SIGKILL)
                for process in self._processes.values():
                    process.wait()
            self._processes.clear()

    def revive(self) -> None:
        """Start again what has ended although nobody killed it, and note that."""
        with self._awake:
            for name, process in list(self._processes.items()):
                if process.poll() is not None:
                    self.recorder.note("died", name=name, code=process.returncode)
                    self.start(name)

    def end_all(self) -> None:
        """Ask every program to end, the server last, and wait for it."""
        self.revive()
        for name in sorted(self._processes, key=lambda name: name == "server"):
            self._processes[name].terminate()
            with suppress(subprocess.TimeoutExpired):
                self._processes[name].wait(STOP_SECONDS)

    @contextmanager
    def stopped(self, name: str, processes: Mapping[int, str]) -> Iterator[None]:
        """Let these processes do nothing during the block."""
        with self.recorder.span("stopped", name=name, runs=[run for run in processes.values() if run]):
            self._signal(processes, signal.SIGSTOP)
            try:
                yield
            finally:
                self._signal(processes, signal.SIGCONT)

    def processes(self) -> dict[int, str]:
        """The campaign's processes, with the flow run that each runs (empty for the others)."""
        found = {}
        for path in Path("/proc").iterdir():
            if path.name.isdigit() and (environment := _environment(path)).get(MARK) == self._mark:
                found[int(path.name)] = environment.get(FLOW_RUN, "")
        return found

    def of(self, name: str) -> dict[int, str]:
        """The process of that name, as `processes` has it; none if it was killed."""
        process = self._processes.get(name)
        return {process.pid: ""} if process else {}

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the end of the campaign."""
        self.over.wait(seconds)

    @staticmethod
    def _signal(processes: Mapping[int, str], number: signal.Signals) -> None:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, number)


def wait_until_answers(url: str, patience: float = 600.0) -> None:
    """Wait until somebody answers 200 at `url`. Raises TimeoutError."""
    deadline = time.monotonic() + patience
    while not answers(url):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{url} did not answer within {patience:g} s")
        time.sleep(0.1)


def answers(url: str) -> bool:
    """Whether somebody answers 200 at `url` now."""
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _environment(process: Path) -> dict[str, str]:
    try:
        if "Z" in (process / "stat").read_text().rpartition(")")[2].split()[:1]:
            return {}
        parts = (process / "environ").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return {}
    pairs = (part.decode(errors="replace").partition("=") for part in parts)
    return {name: value for name, _, value in pairs}
