"""The command line as its user sees it: what it prints, its exit codes, and that nothing is touched when it refuses."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT, Write, free_port
from tests.operation.installation import wait_for
from warehouse_refresh.commands.main import main
from warehouse_refresh.flows.local import background
from warehouse_refresh.flows.local.serve import NAME
from warehouse_refresh.pipeline.contract import names_of
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName

GOOD = {
    "res/raw/orders": "",
    "res/tmp/a.sql": "SELECT id FROM `raw.orders`",
    "res/tmp/c.sql": "SELECT 1 AS x",
    "res/final/b.sql": "SELECT id FROM `tmp.a`",
    "res/dependencies.toml": '[final]\nb = ["tmp.a"]\n',
    "db_init/orders.sql": "CREATE OR REPLACE TABLE raw.orders (id INT64) AS SELECT 1 UNION ALL SELECT 2",
}


def refresh(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "warehouse_refresh.commands.main", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_build_prints_a_plain_line_for_each_table_and_the_summary(write: Write) -> None:
    write(GOOD)
    assert refresh("init").stdout == "created raw.orders\n"
    done = refresh("build")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert sorted(line.split()[1:4] for line in lines[:3]) == [
        ["final.b", "built", "2"],
        ["tmp.a", "built", "2"],
        ["tmp.c", "built", "1"],
    ]
    assert lines[-1] == "3 of 3 tables built and published"
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("command", ["init", "check", "plan", "graph", "sync", "build"])
def test_a_command_that_has_nothing_to_complain_of_does_not(command: str, write: Write) -> None:
    write(GOOD)
    refresh("init")
    done = refresh(command)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_failing_script_ends_with_exit_code_1_and_the_rest_is_built(write: Write) -> None:
    write({**GOOD, "res/tmp/a.sql": "SELECT CAST('x' AS INT64) AS id FROM `raw.orders`"})
    refresh("init")
    done = refresh("build")
    assert done.returncode == 1
    assert "failed: tmp.a: res/tmp/a.sql" in done.stdout
    assert "not run: final.b: waits for tmp.a" in done.stdout
    assert "1 of 3 tables built" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def break_map(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "res/dependencies.toml").write_text(text)

    return write


def remove_script(folder: Path) -> None:
    (folder / "res/tmp/a.sql").unlink()


def remove_map(folder: Path) -> None:
    (folder / "res/dependencies.toml").unlink()


def misspell(folder: Path) -> None:
    (folder / "res/tmp/a.sql").write_text("SELECT id FROM `raw.oders`")


def circle(folder: Path) -> None:
    (folder / "res/tmp/a.sql").write_text("SELECT id FROM `final.b`")
    break_map('[final]\nb = ["tmp.a"]\n[tmp]\na = ["final.b"]\n')(folder)


REFUSED = {
    "a cycle": (circle, "final.b -> tmp.a -> final.b"),
    "an unknown name in the map": (break_map('[final]\nb = ["tmp.a", "tmp.zz"]\n'), "final.b depends on tmp.zz"),
    "an unknown name in the SQL": (misspell, "did you mean raw.orders?"),
    "a missing script": (remove_script, "final.b reads tmp.a, which is neither a script nor a source"),
    "a missing map": (remove_map, "there is no dependency map"),
    "an undeclared dependency": (break_map(""), "final.b reads tmp.a, but dependencies.toml does not list it"),
    "broken TOML": (break_map("[final\n"), "this is not TOML"),
}


@pytest.mark.parametrize("command", ["build", "run"])
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_succeed_is_refused_with_exit_code_2_and_nothing_is_touched(
    write: Write, capsys: pytest.CaptureFixture[str], name: str, command: str
) -> None:
    folder = write(GOOD)
    assert main(["init"]) == 0
    spoil, message = REFUSED[name]
    spoil(folder)
    assert main([command]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert "nothing was run" in printed
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.tables("tmp") == warehouse.tables("final") == []


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["build", "--select", "tmp.aa"], {}, "error: --select tmp.aa: no script builds tmp.aa; did you mean tmp.a?"),
        (["build"], {"REFRESH_WORKERS": "none"}, "error: REFRESH_WORKERS is 'none'"),
        (["build"], {"WAREHOUSE_URL": "mysql://x"}, "error: WAREHOUSE_URL is 'mysql://x': write duckdb:///"),
        (["build"], {"WAREHOUSE_URL": "duckdb:///res"}, "error: WAREHOUSE_URL is 'duckdb:///res': that is a folder"),
        (["build", "--select", "final.b"], {}, "build it first: --select +tmp.a"),
        (["deploy"], {}, "error: there is no prefect.yaml in "),
        (["deploy"], {"REFRESH_PROJECT": "my/shop"}, "error: REFRESH_PROJECT is 'my/shop': set REFRESH_PROJECT to"),
        (["run"], {"PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api"}, "error: no Prefect server answers at"),
    ],
)
def test_a_mistake_is_one_clear_message_without_a_stack_trace(
    write: Write, arguments: list[str], environment: dict[str, str], message: str
) -> None:
    write(GOOD)
    assert refresh("init").returncode == 0
    done = refresh(*arguments, **environment)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "nanobind" not in done.stderr


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_what_is_served_already_is_not_served_again(write: Write, command: str) -> None:
    write(GOOD)
    with background.held(NAME):
        done = refresh(command)
    assert done.returncode == 1
    assert done.stderr == f"error: serve runs already: process {os.getpid()}; `refresh stop` ends it\n"


def test_a_folder_that_cannot_hold_the_files_of_serve_is_one_clear_message(write: Write) -> None:
    write({".data": "not a folder"})
    done = refresh("worker")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert ".data" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bug_is_no_users_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("warehouse_refresh.commands.services.stop.run", run)
    with pytest.raises(ZeroDivisionError):
        main(["stop"])


@pytest.mark.parametrize("command", ["check", "build"])
def test_a_mistake_is_reported_without_waiting_for_prefect(write: Write, command: str) -> None:
    write({**GOOD, "res/tmp/a.sql": "SELECT"})
    code = (
        "import sys; from warehouse_refresh.commands.main import main;"
        f"print(main(['{command}']), 'prefect' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True)
    assert done.stdout.splitlines()[-1] == "2 False"


def test_a_process_ends_with_its_exit_code_and_what_was_registered_for_its_end(write: Write) -> None:
    write({**GOOD, "res/tmp/a.sql": "SELECT"})
    code = (
        "import atexit, sys; from warehouse_refresh.commands.main import as_process;"
        "atexit.register(print, 'cleared up'); sys.argv[1:] = ['check']; as_process()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1] == "cleared up"


def test_a_process_waits_for_its_threads_before_it_ends(write: Write) -> None:
    write(GOOD)
    code = (
        "import sys, threading; from warehouse_refresh.commands.main import as_process;"
        "at_the_end = lambda: (threading.main_thread().join(), print('sent'));"
        "threading.Thread(target=at_the_end).start(); sys.argv[1:] = ['check']; as_process()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "sent")


def test_each_command_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    def helped(*arguments: str) -> str:
        with pytest.raises(SystemExit, match="0"):
            main([*arguments, "--help"])
        return " ".join(capsys.readouterr().out.split())

    listed = re.findall(r"`refresh (\w+)` \|", (ROOT / "README.md").read_text())
    assert {"init", "run", "serve", "worker", "stop"} <= set(listed)
    for command in listed:
        assert command in helped()
        assert re.search(r"\[-h\].*\. (positional arguments|options):", helped(command))


@pytest.mark.usefixtures("folder")
def test_in_a_folder_without_a_project_the_user_is_told_where_to_go(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build"]) == 2
    assert "run this in the project's folder" in capsys.readouterr().err


def test_a_broken_db_init_script_is_told_with_its_line(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        {
            **GOOD,
            "db_init/orders.sql": "CREATE TABLE raw.a (id INT64);\n\nCREATE TABLE raw.orders (id INT64) AS SELEC 1",
        }
    )
    assert main(["init"]) == 2
    assert "error: db_init/orders.sql:3:1: " in capsys.readouterr().err


def test_hundreds_of_scripts_in_more_folders_need_no_change_of_code(write: Write) -> None:
    files = {
        f"res/layer_{layer}/t{index}.sql": f"SELECT n + 1 AS n FROM `layer_{layer - 1}.t{index}`"
        for layer in range(1, 6)
        for index in range(40)
    }
    files |= {f"res/layer_0/t{index}.sql": "SELECT id AS n FROM `raw.orders`" for index in range(40)}
    lines = [
        f"[layer_{layer}]\n" + "".join(f't{index} = ["layer_{layer - 1}.t{index}"]\n' for index in range(40))
        for layer in range(1, 6)
    ]
    write({**GOOD, **files, "res/dependencies.toml": GOOD["res/dependencies.toml"] + "\n".join(lines)})
    assert main(["init"]) == 0
    assert main(["build"]) == 0
    with connect(DEFAULT_URL) as warehouse:
        assert sorted(warehouse.first_rows(TableName("layer_5", "t39"), 10)) == [(6,), (7,)]


def test_run_goes_through_prefect_and_shows_rows_and_the_runs_address(write: Write, prefect_server: str) -> None:
    write(GOOD)
    refresh("init")
    done = refresh("run", PREFECT_API_URL=prefect_server)
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 of 3 tables built" in done.stdout
    assert f"in Prefect: {prefect_server.removesuffix('/api')}/runs/flow-run/" in done.stdout
    assert "final.b" in done.stdout.split("3 of 3 tables built and published")[1]


def test_a_run_in_a_terminal_says_that_it_is_alive(write: Write, prefect_server: str) -> None:
    """Else the run of a process that was killed would stay Running for ever."""
    write(GOOD)
    refresh("init")
    [address] = [
        line for line in refresh("run", PREFECT_API_URL=prefect_server).stdout.splitlines() if "Prefect" in line
    ]
    run = f"prefect.flow-run.{address.rpartition('/')[2]}"
    wanted = {"filter": {"event": {"name": ["prefect.flow-run.heartbeat"]}, "resource": {"id": [run]}}}
    found = wait_for(lambda: httpx.post(f"{prefect_server}/events/filter", json=wanted).json()["events"])
    related = {resource["prefect.resource.role"]: resource["prefect.resource.name"] for resource in found[0]["related"]}
    assert related["flow"] == names_of(Path()).flow


def test_run_ends_with_exit_code_1_when_a_script_fails(write: Write, prefect_server: str) -> None:
    write({**GOOD, "res/tmp/c.sql": "SELECT CAST('x' AS INT64) AS x"})
    refresh("init")
    done = refresh("run", PREFECT_API_URL=prefect_server)
    assert done.returncode == 1
    assert "failed: tmp.c" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_run_in_a_terminal_stops_when_it_is_cancelled_in_prefect(write: Write, prefect_server: str) -> None:
    """No worker ends it: it has to look by itself."""
    endless = (
        "SELECT COUNT(*) AS n FROM UNNEST(GENERATE_ARRAY(1, 1000000)) AS a, UNNEST(GENERATE_ARRAY(1, 1000000)) AS b"
        " WHERE MOD(a + b, 7) = 3"
    )
    write({**GOOD, "res/tmp/c.sql": endless})
    refresh("init")
    command = [sys.executable, "-m", "warehouse_refresh.commands.main", "run"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_API_URL": prefect_server}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        flow = {"flows": {"name": {"any_": [names_of(Path()).flow]}}}
        running = flow | {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}
        [run] = wait_for(lambda: httpx.post(f"{prefect_server}/flow_runs/filter", json=running).json())
        cancelling = {"state": {"type": "CANCELLING"}}
        httpx.post(f"{prefect_server}/flow_runs/{run['id']}/set_state", json=cancelling).raise_for_status()
        printed, complaints = process.communicate(timeout=600)
    assert (process.returncode, complaints) == (1, "")
    assert printed.endswith("the run was cancelled in Prefect\n")
    ended = httpx.get(f"{prefect_server}/flow_runs/{run['id']}").json()["state"]
    assert (ended["type"], ended["message"]) == ("CANCELLED", "the run was cancelled in Prefect")
