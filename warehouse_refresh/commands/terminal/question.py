"""A question to whoever sits at the terminal."""

import sys
from argparse import Namespace

from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.warehouse.urls import is_shared


class NotConfirmed(Exception):
    """Something would have been deleted, changed or paid for, and nobody agreed; the message says what."""


def ask(question: str, without_terminal: str) -> None:
    """Show the question, and wait for yes or no. Raises NotConfirmed for anything but yes, and, with the other message,
    if nobody can be asked."""
    if not somebody_is_there():
        raise NotConfirmed(without_terminal)
    print(question)
    try:
        answer = input("Go on? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise NotConfirmed("nothing was changed")


def somebody_is_there() -> bool:
    """Whether somebody sits at a terminal, and can be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def ask_for_production(settings: RefreshSettings, options: Namespace) -> None:
    """Ask before tables are built in production, unless an option or the settings say not to. Without a setting only
    somebody at a terminal is asked, and only where others use the warehouse, too. Raises NotConfirmed."""
    if settings.environment or options.production or settings.guard_production is False:
        return
    if settings.guard_production or (somebody_is_there() and is_shared(settings.warehouse_url)):
        ask(
            f"this builds in production: {settings.warehouse_url}\n--env NAME builds beside it; --production, or"
            " guard_production = false in refresh.toml, does not ask",
            "nothing was built: `guard_production` is set. Say --production, or --env NAME to build in an environment",
        )
