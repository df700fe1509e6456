"""The command `refresh`. Each subcommand's module is imported when that subcommand runs."""

import argparse
import atexit
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from warehouse_refresh import __version__
from warehouse_refresh.commands.imports import kept
from warehouse_refresh.commands.terminal.streams import make_lenient, output_fault

_COMMANDS = "warehouse_refresh.commands"
_BUILDING, _PROJECT = f"{_COMMANDS}.building", f"{_COMMANDS}.project"
_RAW, _SERVICES = f"{_COMMANDS}.raw", f"{_COMMANDS}.services"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Returns the exit code: 0 done, 1 a script failed, 2 refused before anything ran."""
    make_lenient()
    options = _parser().parse_args(arguments)
    if not _entered(options.project_dir):
        return 2
    with kept():
        command = import_module(options.module)
    _end_on_sigterm_as_on_ctrl_c()
    return _exit_code(_run(command, options), is_report=options.is_report)


def as_process() -> None:
    """Run the command line, and end the process with its exit code.

    At the end of a process Python waits for threads, such as Prefect's that send the last events, calls what is
    registered for the end, and frees all objects. The last takes 6 to 20 ms, and 45 with Prefect; here nobody waits.
    """
    code = main()
    wait_for_threads, call_registered = getattr(threading, "_shutdown", None), getattr(atexit, "_run_exitfuncs", None)
    if wait_for_threads is None or call_registered is None:  # another Python may have other names for them
        sys.exit(code)
    wait_for_threads()
    call_registered()  # such as those that delete temporary folders
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _entered(folder: str | None) -> bool:
    """Make the project's folder the working folder; without one, stay. Says why if it cannot be."""
    try:
        os.chdir(folder if folder is not None else ".")
    except OSError as error:
        print(f"error: --project-dir {folder}: {error.strerror}", file=sys.stderr)
        return False
    return True


def _run(command: ModuleType, options: argparse.Namespace) -> int:
    try:
        return int(command.run(options))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        code = next((code for kind, code in _exit_codes().items() if isinstance(error, kind)), None)
        if code is None:
            raise
        print(_message(error), file=sys.stderr)
        return code


def _exit_code(code: int, *, is_report: bool) -> int:
    """The exit code of a command that returned `code`, after its output was written or lost.

    A command that changes something keeps its code. A command that only reports fails if its report cannot be written,
    unless the reader has seen enough (`refresh plan | head`).
    """
    fault = output_fault()
    if fault is None or (is_report and isinstance(fault, BrokenPipeError)):
        return code
    print(f"the output could not be written, and the rest of it is lost: {fault.strerror}", file=sys.stderr)
    return 2 if is_report else code


def _end_on_sigterm_as_on_ctrl_c() -> None:
    """SIGTERM comes from a supervisor, a container or `kill`; it cancels the warehouse's jobs too."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _exit_codes() -> dict[type[Exception], int]:
    """The errors that the user can fix, each with its exit code. All others are bugs.

    They are imported when a command has failed, so that no command waits for them.
    """
    from warehouse_refresh.commands.terminal.question import NotConfirmed
    from warehouse_refresh.flows.local.background import AlreadyRunning
    from warehouse_refresh.flows.local.serve import NotServed
    from warehouse_refresh.flows.local.server import NoServer
    from warehouse_refresh.flows.pools import NotDeployed
    from warehouse_refresh.pipeline.contract import ProjectNameError
    from warehouse_refresh.pipeline.project.problems import Refused
    from warehouse_refresh.pipeline.project.selectors import SelectionError
    from warehouse_refresh.pipeline.settings_file import SettingError
    from warehouse_refresh.warehouse.errors import WarehouseError

    return {
        AlreadyRunning: 1,
        NotServed: 1,
        NoServer: 2,
        NotConfirmed: 2,
        NotDeployed: 2,
        ProjectNameError: 2,
        Refused: 2,
        SelectionError: 2,
        SettingError: 2,
        WarehouseError: 2,
    }


def _message(error: Exception) -> str:
    from warehouse_refresh.pipeline.project.problems import Refused, counted

    if isinstance(error, Refused):
        return f"{error}\n\n{counted(len(error.problems), 'problem')}; nothing was run"
    return f"error: {error}"


_FOLDER = "the project's folder; else the working folder"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="refresh", description="Build the warehouse's tables from the scripts in res/."
    )
    parser.add_argument(
        "--version", action="version", version=f"refresh {__version__}", help="print the version, and end"
    )
    parser.add_argument("--project-dir", metavar="FOLDER", help=_FOLDER)
    parser.set_defaults(is_report=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, what: str, package: str = _COMMANDS) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
        added.add_argument("--project-dir", default=argparse.SUPPRESS, metavar="FOLDER", help=_FOLDER)
        added.set_defaults(module=f"{package}.{name}")
        return added

    init = add("init", "create the datasets, and the raw tables from db_init/ and from files with rows", _RAW)
    init.add_argument("--replace", action="store_true", help="replace raw tables that have rows, too; asks first")
    init.add_argument("--yes", action="store_true", help="do not ask, for --replace without a terminal")

    load = add("load", "load raw tables from the databases and files that their settings name", _RAW)
    _add_selection(load)
    load.add_argument("--full", action="store_true", help="all rows, also of tables that take only what has changed")
    load.add_argument("--json", action="store_true", help="print what was done for machines, at the end")

    source = add("source", "write settings files for the tables that a database has, or for files", _RAW)
    source.add_argument("action", choices=["add"], help="write a file for each table that has none")
    source.add_argument(
        "where",
        metavar="URL",
        help="postgresql://host/database, mysql://…, sqlite:///FILE, files, or a connection of refresh.toml",
    )

    clean = add("clean", "drop the tables and views that no script builds any more; asks first")
    clean.add_argument("--yes", action="store_true", help="do not ask")
    rollback = add("rollback", "let readers see tables as they were before the last refresh; asks first")
    rollback.add_argument("tables", nargs="*", metavar="TABLE", help="only these; else all that it published together")
    rollback.add_argument("--yes", action="store_true", help="do not ask")
    run = add("run", "refresh through Prefect: recorded, and shown in its UI", _BUILDING)
    build = add("build", "refresh in this process, without a server", _BUILDING)
    plan = add("plan", "show what a refresh would do: order, columns, and on BigQuery the cost", _PROJECT)
    plan.set_defaults(is_report=True)
    plan.add_argument("--json", action="store_true", help="print the plan for machines")
    for command in (run, build, plan):
        command.add_argument("--load", action="store_true", help="with the raw tables that come from a database")
        command.add_argument("--env", metavar="NAME", help="in this environment; reads what it lacks from production")
        _add_selection(command)
        _add_variables(command)
        command.add_argument("--full", action="store_true", help="build tables by date anew, with all their partitions")
    for command in (run, build):
        command.add_argument("--production", action="store_true", help="do not ask whether to build in production")
        command.add_argument("--in-order", action="store_true", help="one table after the other")
        command.add_argument("--json", action="store_true", help="print what was done for machines, at the end")

    backfill = add("backfill", "build partitions of tables by date, and all that is built from them", _BUILDING)
    backfill.add_argument("tables", nargs="+", metavar="TABLE", help="such as tmp.events")
    backfill.add_argument("--from", dest="first", required=True, metavar="DATE", help="the first day, hour or id")
    backfill.add_argument("--to", dest="last", required=True, metavar="DATE", help="the last one")
    backfill.add_argument("--only", action="store_true", help="not what is built from them")
    again = "also those that are built already; with a TIME: before it"
    backfill.add_argument("--again", nargs="?", const="", metavar="TIME", help=again)
    backfill.add_argument("--yes", action="store_true", help="do not ask whether the price is right, on BigQuery")
    backfill.add_argument("--json", action="store_true", help="print what was done for machines, at the end")
    _add_variables(backfill)

    env = add("env", "list, compare, promote or drop environments: tables built with --env", _PROJECT)
    env.add_argument("action", choices=["list", "diff", "promote", "drop"])
    env.add_argument("name", nargs="?", metavar="NAME", help="which environment")
    env.add_argument("--yes", action="store_true", help="do not ask, to promote or drop")
    diff = add("diff", "show how a table differs in an environment, or from another table", _PROJECT)
    diff.set_defaults(is_report=True)
    diff.add_argument("table", metavar="TABLE", help="as it was, such as tmp.variants")
    diff.add_argument("--env", metavar="NAME", help="compare it with the environment's")
    diff.add_argument("--with", dest="other", metavar="TABLE", help="compare it with another table")
    diff.add_argument("--from", dest="where", metavar="FILE|URL", help="compare it with another warehouse's")
    diff.add_argument("--key", nargs="+", default=[], metavar="COLUMN", help="what tells rows apart")
    _add_variables(diff)
    for command in (env, diff):
        command.add_argument("--markdown", action="store_true", help="as a comment for a review")

    show = add("show", "show rows of a table")
    show.add_argument("table", metavar="TABLE", help="such as tmp.variants")
    show.add_argument("--env", metavar="NAME", help="as it is in this environment")
    query = add("query", "answer a query in GoogleSQL, without changing anything")
    query.add_argument("sql", metavar="SQL", help="the query, or - for standard input")
    _add_variables(query)
    for command in (show, query):
        command.set_defaults(is_report=True)
        command.add_argument(
            "--limit", type=_count, metavar="N", help="at most so many rows; else 20, with --csv or --json all"
        )
        form = command.add_mutually_exclusive_group()
        form.add_argument("--csv", action="store_true", help="print CSV")
        form.add_argument("--json", action="store_true", help="print a JSON array of objects")

    check = add("check", "find what is wrong with the scripts and the map, without running any", _PROJECT)
    check.set_defaults(is_report=True)
    _add_variables(check)
    check.add_argument("--live", action="store_true", help="take the raw tables' columns from the warehouse")
    check.add_argument("--strict", action="store_true", help="exit with 1 if there are warnings")
    check.add_argument("--json", action="store_true", help="print the problems for machines")

    test = add("test", "run the unit tests of scripts, over rows of their own", _PROJECT)
    test.set_defaults(is_report=True)
    _add_selection(test)
    _add_variables(test)
    test.add_argument("-k", dest="named", default="", metavar="NAME", help="only tests with this in their names")
    test.add_argument("--on-warehouse", action="store_true", help="run them in the warehouse; reads no table there")
    test.add_argument("--junit", metavar="FILE", help="write the results as JUnit XML, too")
    test.add_argument("--record", action="store_true", help="write the rows that come as those that are expected")
    test.add_argument(
        "--coverage", action="store_true", help="show which scripts, columns and branches no test reaches"
    )
    test.add_argument("--sample", metavar="TABLE", help="write a test of this table's script, from real rows")
    test.add_argument("--rows", type=_count, default=20, metavar="N", help="with --sample: of so many rows; else 20")
    test.add_argument("--sql", action="store_true", help="run nothing; print the queries, with the given rows in them")

    new = add("new", "create a small project that runs at once", _PROJECT)
    new.add_argument("folder", metavar="FOLDER", help="where; its name is the project's name")
    new.add_argument("--example", choices=["by-date"], help="with files that show this, too: docs/by-date.md")
    sync = add("sync", "write the dependency map from the SQL", _PROJECT)
    sync.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the map would change")
    add("schema", "print the JSON schema of the settings files beside scripts, for editors", _PROJECT)
    graph = add("graph", "show what is built from what, as Mermaid", _PROJECT)
    graph.set_defaults(is_report=True)
    _add_selection(graph)
    kind = graph.add_mutually_exclusive_group()
    kind.add_argument("--svg", metavar="FILE", help="write the picture as SVG, with links to the scripts")
    kind.add_argument("--columns", metavar="TABLE", help="show where each column of the table comes from")
    kind.add_argument("--readers", metavar="COLUMN", help="show what breaks without a column, such as raw.orders.id")
    graph.add_argument("--datasets", action="store_true", help="one box for each dataset")
    docs = add("docs", "write pages with all tables, their columns and where these come from", _PROJECT)
    docs.add_argument("--output", default="site", metavar="FOLDER", help="where to; else site/")
    docs.add_argument(
        "--profile", action="store_true", help="with each table's rows and the share of NULLs, as they are"
    )
    docs.add_argument(
        "--rows", type=_count, metavar="N", help="with the first N rows of each table, without personal columns"
    )
    deploy = add("deploy", "create or update Prefect's work pools, deployments and automations", _SERVICES)
    deploy.add_argument(
        "--take-over", action="store_true", help="deploy also where the deployment belongs to another folder"
    )
    add("server", "start a Prefect server in the background, if none answers", _SERVICES)
    serve = add("serve", "run Prefect's server, a worker and the API on this machine, until Ctrl-C", _SERVICES)
    serve.set_defaults(only_worker=False)
    worker = add(
        "worker", "run what the deployments ask for on this machine, until Ctrl-C; Prefect's server must run", _SERVICES
    )
    worker.set_defaults(module=f"{_SERVICES}.serve", only_worker=True)
    add("api", "run the API alone, until Ctrl-C", _SERVICES)
    add("stop", "end what was started in this folder: `refresh serve`, `worker` and `server`", _SERVICES)
    doctor = add("doctor", "say what is set up, what is missing, and how to fix it")
    doctor.set_defaults(is_report=True)
    return parser


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows")
    return int(text)


_FORMS = (
    "tmp.variants, tmp.v*, path:res/tmp, tag:daily, changed, stale, failed, git:main; +tmp.variants (and what it is"
    " built from), tmp.variants+ (and what is built from it), 2+tmp.variants (up to two steps back); a,b (what both"
    " name); @FILE (the names in a file)"
)


def _add_selection(command: argparse.ArgumentParser) -> None:
    """Give the command the options that choose tables: see commands/selection.py."""
    command.add_argument("tables", nargs="*", metavar="TABLE", help=f"only these tables: {_FORMS}")
    for name, what in (("--select", "the same"), ("--exclude", "not these tables, in the same forms")):
        command.add_argument(name, nargs="+", action="extend", default=[], metavar="TABLE", help=what)


def _add_variables(command: argparse.ArgumentParser) -> None:
    """Give the command the option that sets variables: see commands/variables.py."""
    what = "another value for a variable of refresh.toml"
    command.add_argument("--var", action="append", default=[], metavar="NAME=VALUE", help=what)


if __name__ == "__main__":
    as_process()
