"""What can be measured of BigQuery without it: requests, and rows with keys, over the tests' emulator with slow jobs.

    python -m benchmarks.bigquery [--scripts 100 1000] [--clients 1000]

Each job takes two seconds, as many of BigQuery's do; where there are more than a hundred scripts, only the emulator's
own time, which changes no number of requests. Requests are those of the first refresh, of a second one of all tables,
and of one of what is stale, which is nothing then.
Rows: each client posts one row with an Idempotency-Key, waits for the answer, and posts the next one.
"""

import argparse
import os
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
import uuid
from collections import Counter
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.generate import generate
from benchmarks.posting import Posted, answer_times, api, post_request
from benchmarks.prefect_server import PROJECT
from tests.emulator import running_emulator
from tests.emulator.proxy import Recorded, running_proxy

JOB_SECONDS = 2.0
KINDS = ("dry runs", "jobs", "waits for jobs", "others")


def main() -> None:
    """Print both tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--scripts", type=int, nargs="+", default=[100])
    options.add_argument("--clients", type=int, default=1000)
    options.add_argument("--seconds", type=float, default=30.0)
    asked = options.parse_args()
    print(f"| requests of a refresh | {' | '.join(KINDS)} | all |\n|{' --- |' * (len(KINDS) + 2)}")
    for name, scripts in {
        "the demonstration, 8 scripts": 8,
        **{f"{count:,} scripts": count for count in asked.scripts},
    }.items():
        for which, found in requests(scripts).items():
            print(f"| {name}: {which} | {' | '.join(str(found[kind]) for kind in KINDS)} | {found.total()} |")
    posted = keyed_rows(asked.clients, asked.seconds)
    print("\n| rows with a key, one in a request | rows/s | p50 ms | p99 ms |\n| --- | --- | --- | --- |")
    print(f"| {asked.clients:,} clients | {posted.rows_per_second:.0f} | {posted.p50:,.0f} | {posted.p99:,.0f} |")


def requests(scripts: int) -> dict[str, Counter[str]]:
    """How many requests of each kind each refresh sends, with so many scripts (8: the demonstration)."""
    found, pace = {}, JOB_SECONDS if scripts <= 100 else 0.0
    with TemporaryDirectory() as folder, running_emulator() as emulator, running_proxy(emulator) as proxy:
        if scripts == 8:
            for name in ("res", "db_init"):
                shutil.copytree(PROJECT / name, Path(folder) / name)
        else:
            generate("random", scripts, Path(folder))
        environment = {**os.environ, "PYTHONPATH": str(PROJECT), "WAREHOUSE_URL": _warehouse(emulator, proxy.url, pace)}
        commands = {"init": ["init"], "first": ["build"], "again": ["build"], "nothing changed": ["build", "stale"]}
        for which, command in commands.items():
            proxy.recorded.clear()
            words = [sys.executable, "-m", "warehouse_refresh.commands.main", *command]
            subprocess.run(words, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
            found[which] = Counter(map(_kind, proxy.recorded))
    del found["init"]
    return found


def keyed_rows(clients: int, seconds: float) -> Posted:
    """Have that many clients post rows with keys for so long."""
    settings = {"API_MAX_CONNECTIONS": str(2 * clients)}
    with TemporaryDirectory() as folder, running_emulator() as emulator:
        settings["WAREHOUSE_URL"] = _warehouse(emulator, emulator, pace=0)
        with api(Path(folder), settings) as address:
            _set_pace(emulator, settings["WAREHOUSE_URL"], JOB_SECONDS)
            request = partial(_keyed_request, address)
            answer_times(address, request, clients, 3 * JOB_SECONDS)  # to warm up
            started = time.perf_counter()
            times = sorted(answer_times(address, request, clients, seconds))
            took = time.perf_counter() - started
    p50, p99 = statistics.median(times) * 1000, times[int(len(times) * 0.99)] * 1000
    return Posted(len(times) / took, p50, p99)


def _keyed_request(address: str) -> bytes:
    """A request that posts one row with a key of its own."""
    path = "/products?id=1&name=product&category_id=4&type=product"
    return post_request(address, path, f"Idempotency-Key: {uuid.uuid4()}\r\n")


def _warehouse(emulator: str, endpoint: str, pace: float = JOB_SECONDS) -> str:
    """The URL of a project of its own, whose jobs take so many seconds."""
    url = f"bigquery://benchmark-{secrets.token_hex(4)}?endpoint={endpoint}"
    _set_pace(emulator, url, pace)
    return url


def _set_pace(emulator: str, url: str, seconds: float) -> None:
    project = url.removeprefix("bigquery://").partition("?")[0]
    asked = urllib.request.Request(f"{emulator}/emulator/pace?project={project}&seconds={seconds}", method="POST")
    urllib.request.urlopen(asked).close()


def _kind(request: Recorded) -> str:
    if request.method == "POST" and re.search(r"/(jobs|queries)(\?|$)", request.path):
        return "dry runs" if request.body.get("configuration", {}).get("dryRun") else "jobs"
    return "waits for jobs" if re.search("/(jobs|queries)/", request.path) else "others"


if __name__ == "__main__":
    main()
