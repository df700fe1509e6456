"""A question to whoever sits at the terminal."""

import sys

from warehouse_refresh.pipeline.raw.db_init import NotConfirmed


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
