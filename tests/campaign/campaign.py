"""One campaign: everything is started, used, broken and put right for a while, then brought to rest and looked at."""

import os
import random
import shutil
import socket
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import httpx

from tests.campaign import project
from tests.campaign.clients import Client
from tests.campaign.doer import Doer
from tests.campaign.history import Recorder
from tests.campaign.plan import Action, Pace, plan
from tests.campaign.prefect_facts import PrefectFacts
from tests.campaign.site import Program, Site, wait_until_answers
from tests.campaign.watcher import look_at, note_runs, watch_runs, watch_tables
from warehouse_refresh.warehouse import connect

ROOT = Path(__file__).parents[2]
ACTIONS_AT_ONCE = 40
REST_SECONDS = 420.0
"""How long runs may take to come to their ends once all is quiet."""
FINISH_SECONDS = 120.0
"""How long clients try to get definite answers once all is quiet."""
DISK_BYTES = 256 * 1024 * 1024
EXPECTED = {
    "scripts.json",
    "scripts.json.draft",
    *(f"warehouse.duckdb{end}" for end in ("", ".lock", ".turn", ".refresh")),
}
"""What may be left in the folder of the warehouse."""
UNDER_WAY = ("SCHEDULED", "PENDING", "RUNNING", "CANCELLING", "PAUSED")


@dataclass(frozen=True, slots=True)
class Settings:
    """How long a campaign lasts, how many clients take part, and how long each rests between requests, in seconds."""

    seed: int
    seconds: float
    pace: Pace
    clients: int = 6
    client_pause: float = 0.3
    askers: int = 2
    asker_pause: float = 12.0


class Campaign:
    """A campaign in an empty `folder`; the history is written to `history`."""

    def __init__(self, folder: Path, history: Path, settings: Settings) -> None:
        self.recorder, self._settings, self._folder = Recorder(history), settings, folder
        ports = dict(zip(("server", "api-1", "api-2"), free_ports(settings.seed, 3), strict=True))
        self._url = f"duckdb:///{folder}/.data/warehouse.duckdb"
        self._prefect = PrefectFacts(f"http://127.0.0.1:{ports['server']}/api")
        self._apis = {name: f"http://127.0.0.1:{ports[name]}" for name in ("api-1", "api-2")}
        self._site = Site(
            folder,
            self.recorder,
            PREFECT_API_URL=self._prefect.url,
            PREFECT_HOME=str(folder / "prefect"),
            WAREHOUSE_URL="duckdb:///.data/warehouse.duckdb",
            PYTHONUNBUFFERED="1",
        )
        self._site.programs["server"] = Program(["prefect", "server", "start", "--port", str(ports["server"])])
        for name in self._apis:
            self._site.programs[name] = Program(["warehouse_refresh.api"], {"API_PORT": str(ports[name])})
        self._doer: Doer
        self._give_up = threading.Event()

    def run(self) -> None:
        """Carry it out, from the first start to the last look."""
        settings = self._settings
        self.recorder.note("settings", seed=settings.seed, seconds=settings.seconds)
        with small_disk(self._folder / ".data", self.recorder) as disk:
            try:
                self._start(disk)
                self._fire(plan(settings.seed, settings.seconds, settings.pace))
                self._rest()
                self._end()
            finally:
                self._site.destroy()
                self.recorder.close()

    def _start(self, disk: Path | None) -> None:
        site = self._site
        for name in ("prefect.yaml", "prefect.toml"):
            shutil.copy(ROOT / name, self._folder / name)
        site.write(project.files())
        site.start("server")
        for table in project.SCRIPTS:
            site.edit(table, 1, None)
        site.run("warehouse_refresh.commands.main", "init")
        for name in self._apis:
            site.start(name)
        wait_until_answers(f"{self._prefect.url}/health")
        site.run("warehouse_refresh.commands.main", "deploy")
        self._doer = Doer(site, self._prefect, self.recorder, self._settings.seed, disk)
        pool = self._doer.deployment["work_pool_name"]
        site.programs["worker"] = Program(["prefect", "worker", "start", "--pool", pool, "--type", "process"])
        site.start("worker")
        assert self._doer.command("warehouse_refresh.commands.main", "build") == 0, "the first refresh failed"
        for url in self._apis.values():
            wait_until_answers(f"{url}/health/live")

    def _fire(self, actions: list[Action]) -> None:
        """Let everything happen for as long as the settings say."""
        settings, site = self._settings, self._site
        clients = [
            Client(n, settings.seed, self._apis, self.recorder) for n in range(settings.clients + settings.askers)
        ]
        over = site.over
        jobs: list[Callable[[], None]] = [
            lambda: watch_tables(self._url, self.recorder, settings.seed, over, 0.3),
            lambda: watch_runs(self._prefect, site, 2.0),
            *(
                lambda it=it: it.send_rows(over, self._give_up, settings.client_pause)
                for it in clients[: settings.clients]
            ),
            *(lambda it=it: it.ask_for_refreshes(over, settings.asker_pause) for it in clients[settings.clients :]),
        ]
        with ThreadPoolExecutor(len(jobs) + ACTIONS_AT_ONCE) as threads:
            begun = [threads.submit(job) for job in jobs]
            started = time.monotonic()
            try:
                for action in actions:
                    site.sleep(started + action.at - time.monotonic())
                    begun.append(threads.submit(self._doer.do, action))
                site.sleep(started + settings.seconds - time.monotonic())
            finally:
                over.set()
            self._see_through(begun)
        for client in clients:
            client.close()

    def _see_through(self, begun: list[Future[None]]) -> None:
        """Wait for everything that was begun, and note what went wrong in the campaign itself."""
        giving_up = threading.Timer(FINISH_SECONDS, self._give_up.set)
        giving_up.start()
        wait(begun)
        giving_up.cancel()
        for error in filter(None, (future.exception() for future in begun)):
            self.recorder.note("mistake", error="".join(traceback.format_exception(error)))

    def _rest(self) -> None:
        """Let the runs that are under way end; then refresh everything once more, and look at every table."""
        self._wait_for_runs()
        for url in self._apis.values():
            wait_until_answers(f"{url}/health/ready")  # it may have been killed at the last moment
        with closing(Client(99, self._settings.seed, self._apis, self.recorder)) as client:
            last = client.ask("closing", [])
        self.recorder.note("closing", run=last)
        self._wait_for_runs(last)
        with connect(self._url) as warehouse:
            for table in project.SHAPES:
                look_at(warehouse, table, self.recorder, closing=True)
        note_runs(self._prefect, self.recorder)

    def _wait_for_runs(self, last: str | None = None) -> None:
        """Wait until all runs have ended, or the last one has; not for ever."""
        deadline = time.monotonic() + REST_SECONDS
        while time.monotonic() < deadline:
            self._site.revive()
            with suppress(httpx.HTTPError):
                left = [run["id"] for run in self._prefect.runs(*UNDER_WAY)]
                if not left or (last and last not in left):
                    return
            time.sleep(0.5)

    def _end(self) -> None:
        """End everything as a person does, and note what is left over."""
        slots = self._prefect.slots(self._doer.deployment)
        self._site.end_all()
        processes = [f"{pid} {_words(pid)}" for pid in self._site.processes()]
        data = self._folder / ".data"
        with duckdb.connect(data / "warehouse.duckdb") as connection:
            for table in project.RAW:
                columns = ", ".join(project.COLUMNS)
                rows = connection.execute(f"SELECT {columns} FROM raw.{table} ORDER BY rowid").fetchall()
                self.recorder.note("raw", table=table, rows=rows)
        files = sorted(path.name for path in data.iterdir() if path.name not in EXPECTED)
        self.recorder.note("end", processes=processes, files=files, slots=slots)


@contextmanager
def small_disk(folder: Path, recorder: Recorder) -> Iterator[Path | None]:
    """Make `folder` a disk of its own, which can be filled; None where that is not allowed."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "refresh-campaign", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    recorder.note("disk", small=mounted)
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


def free_ports(seed: int, count: int) -> list[int]:
    """Ports that nobody listens on, and that no connection gets by chance: a killed process gets its own again."""
    chosen: list[int] = []
    numbers = random.Random(f"{seed} {os.getpid()}")
    while len(chosen) < count:
        port = numbers.randrange(20_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            chosen.append(port)
    return chosen


def _words(pid: int) -> Any:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
