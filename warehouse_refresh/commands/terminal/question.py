"""A question to whoever sits at the terminal."""

import sys
from argparse import Namespace

from warehouse_refresh.pipeline.raw.db_init import NotConfirmed
from warehouse_refresh.pipeline.settings import RefreshSettings


def ask(question: str, without_terminal: str) -> None:
    """Show the question, and wait for yes or no. Raises NotConfirmed for anything but yes, and, with the other message,
    if nobody can be asked."""
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise NotConfirmed(without_terminal)
    print(question)
    try:
        answer = input("Go on? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise NotConfirmed("nothing was changed")


def ask_for_production(settings: RefreshSettings, options: Namespace) -> None:
    """Ask before tables are built in production, if a setting says so and no option. Raises NotConfirmed."""
    if settings.guard_production and not (settings.environment or options.production):
        ask(
            f"this builds in production: {settings.warehouse_url}",
            "nothing was built: `guard_production` is set. Say --production, or --env NAME to build in an environment",
        )
