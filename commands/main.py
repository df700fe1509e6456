"""The command `refresh`. Each subcommand's module is imported when that subcommand runs."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from commands.imports import kept
from commands.terminal.streams import make_lenient, output_fault


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Returns the exit code: 0 done, 1 a script failed, 2 refused before anything ran."""
    make_lenient()
    options = _parser().parse_args(arguments)
    with kept():
        command = import_module(options.module)
    _end_on_sigterm_as_on_ctrl_c()
    return _exit_code(_run(command, options), is_report=options.is_report)


def _run(command: ModuleType, options: argparse.Namespace) -> int:
    try:
        return int(command.run(options))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        message = _message_for_people(error)
        if message is None:
            raise
        print(message, file=sys.stderr)
        return 2


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


def _message_for_people(error: Exception) -> str | None:
    """The message for an error that the user can fix; None for a bug."""
    from flows.local.server import NoServer
    from flows.pools import NotDeployed
    from pipeline.contract import ProjectNameError
    from pipeline.project.db_init import NotConfirmed
    from pipeline.project.problems import Refused, counted
    from pipeline.project.selectors import SelectionError
    from pipeline.settings import SettingError
    from warehouse.errors import WarehouseError

    if isinstance(error, Refused):
        return f"{error}\n\n{counted(len(error.problems), 'problem')}; nothing was run"
    users = (SelectionError, SettingError, ProjectNameError, NoServer, NotConfirmed, NotDeployed, WarehouseError)
    if isinstance(error, users):
        return f"error: {error}"
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="refresh", description="Build the warehouse's tables from the scripts in res/."
    )
    parser.set_defaults(is_report=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    init = commands.add_parser("init", help="create the datasets, and the raw tables from db_init/")
    init.set_defaults(module="commands.init")
    init.add_argument("--replace", action="store_true", help="replace raw tables that have rows, too; asks first")
    init.add_argument("--yes", action="store_true", help="do not ask, for --replace without a terminal")

    run = commands.add_parser("run", help="refresh through Prefect: recorded, and shown in its UI")
    run.set_defaults(module="commands.run")
    build = commands.add_parser("build", help="refresh here and now, without a server")
    build.set_defaults(module="commands.build")
    plan = commands.add_parser("plan", help="show what a refresh would do: order, columns, and on BigQuery the cost")
    plan.set_defaults(module="commands.plan", is_report=True)
    plan.add_argument("--json", action="store_true", help="print the plan for machines")
    for command in (run, build, plan):
        command.add_argument(
            "--select",
            nargs="+",
            action="extend",
            default=[],
            metavar="TABLE",
            help="only these tables: tmp.variants, +tmp.variants (and what it is built from), tmp.variants+ (and what"
            " is built from it), tmp.*",
        )
    for command in (run, build):
        command.add_argument("--in-order", action="store_true", help="one table after the other")

    check = commands.add_parser("check", help="find what is wrong with the scripts and the map, without running any")
    check.set_defaults(module="commands.check", is_report=True)
    check.add_argument("--live", action="store_true", help="take the raw tables' columns from the warehouse")
    check.add_argument("--strict", action="store_true", help="exit with 1 if there are warnings")
    check.add_argument("--json", action="store_true", help="print the problems for machines")

    sync = commands.add_parser("sync", help="write the dependency map from the SQL")
    sync.set_defaults(module="commands.sync")
    sync.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the map would change")
    graph = commands.add_parser("graph", help="show what is built from what, as Mermaid")
    graph.set_defaults(module="commands.graph", is_report=True)
    kind = graph.add_mutually_exclusive_group()
    kind.add_argument("--svg", metavar="FILE", help="write the picture as SVG")
    kind.add_argument("--columns", metavar="TABLE", help="show where each column of the table comes from")
    deploy = commands.add_parser("deploy", help="create or update Prefect's work pools, deployments and automations")
    deploy.set_defaults(module="commands.deploy")
    deploy.add_argument(
        "--take-over", action="store_true", help="deploy also where the deployment belongs to another folder"
    )
    server = commands.add_parser("server", help="start a Prefect server in the background, if none answers")
    server.set_defaults(module="commands.server")
    serve = commands.add_parser("serve", help="run Prefect's server, a worker and the API here, until Ctrl-C")
    serve.set_defaults(module="commands.serve", only_worker=False)
    worker = commands.add_parser("worker", help="run what the deployments ask for here, until Ctrl-C")
    worker.set_defaults(module="commands.serve", only_worker=True)
    stop = commands.add_parser("stop", help="end what was started in the background of this folder")
    stop.set_defaults(module="commands.stop")
    doctor = commands.add_parser("doctor", help="say what is set up, what is missing, and how to fix it")
    doctor.set_defaults(module="commands.doctor", is_report=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
