"""Find out whether a port of this machine is free, and which program uses it."""

import errno
import shutil
import socket
import subprocess


def taken(host: str, port: int) -> str | None:
    """The reason why the port cannot be used, as words that follow "port 4200 "; None if it is free."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"is taken by {_listener(port)}"
        return f"of {host} cannot be used: {error.strerror}"
    return None


def _listener(port: int) -> str:
    """The program that listens on the port, with its process id, as far as this user may see them."""
    found = _printed("lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-t").split()
    if not found:
        return "another program"
    return f"process {found[0]} ({_printed('ps', '-o', 'args=', '-p', found[0]).strip()[:100]})"


def _printed(program: str, *arguments: str) -> str:
    path = shutil.which(program)
    if path is None:
        return ""
    return subprocess.run([path, *arguments], capture_output=True, text=True, check=False).stdout  # noqa: S603 (fixed words, a number)
