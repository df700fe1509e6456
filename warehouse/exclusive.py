"""One refresh of a warehouse at a time, however it was started: what the engines say of it alike."""

import os
import socket


def holder(who: str) -> str:
    """What others read of the refresh that `who` has begun in this process."""
    return f"{who} on {socket.gethostname()}, process {os.getpid()}"


def waits_for(holder: str) -> str:
    """What a refresh says while it waits for the one of `holder`, which may be empty."""
    return f"another refresh is under way ({holder or 'it says not whose'}); this one starts when it has ended"
