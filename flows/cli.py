"""The command `refresh`. Each subcommand's module is imported when that subcommand runs."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and answer its exit code: 0 done, 1 a script failed, 2 refused before anything ran."""
    options = _parser().parse_args(arguments)
    command = import_module(options.module)
    _stop_tidily_when_told_to()
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


def _stop_tidily_when_told_to() -> None:
    """Let SIGTERM (from a supervisor, a container, `kill`) end the work as Ctrl-C does: the warehouse's jobs too."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _message_for_people(error: Exception) -> str | None:
    """What to tell the user of an error that is theirs to mend; None for a bug."""
    from flows.problems import Refused
    from flows.select import SelectionError
    from flows.server import NoServer
    from flows.settings import SettingError
    from warehouse.errors import WarehouseError

    if isinstance(error, Refused):
        count = len(error.problems)
        return f"{error}\n\n{count} {'problem' if count == 1 else 'problems'}; nothing was run"
    if isinstance(error, SelectionError | SettingError | NoServer | WarehouseError):
        return f"error: {error}"
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="refresh", description="Build the warehouse's tables from the scripts in res/."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    init = commands.add_parser("init", help="create the datasets, and the raw tables from db_init/")
    init.set_defaults(module="flows.init_command")
    init.add_argument("--replace", action="store_true", help="replace raw tables that have rows, too")

    run = commands.add_parser("run", help="refresh through Prefect: recorded, and shown in its UI")
    run.set_defaults(module="flows.run_command")
    build = commands.add_parser("build", help="refresh here and now, without a server")
    build.set_defaults(module="flows.build_command")
    for command in (run, build):
        command.add_argument(
            "--select",
            nargs="+",
            action="extend",
            default=[],
            metavar="TABLE",
            help="only these tables: tmp.variants, +tmp.variants (and what it is built from), tmp.variants+ (and what"
            " is built from it), tmp.*",
        )
        command.add_argument("--in-order", action="store_true", help="one table after the other")
    return parser


if __name__ == "__main__":
    sys.exit(main())
