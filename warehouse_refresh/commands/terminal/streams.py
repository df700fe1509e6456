"""Standard output and error that never raise: a build goes on when its report cannot be written.

A terminal without the character ✓, a reader that has gone (`refresh build | head -1`), a full disk, output that was
closed (`>&-`): the work goes on, and what cannot be written is dropped.
"""

import codecs
import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PLAIN = {"✓": "+", "✗": "x", "–": "-", "·": ".", "▸": ">", "…": "...", "└": "`", "├": "|", "│": "|", "─": "-"}


class _Stream(io.FileIO):
    """A file descriptor that is written to until its first fault, which is kept; what comes after it is dropped."""

    fault: OSError | None = None

    def write(self, data: "Buffer", /) -> int:
        """Write all of `data`, waiting for a slow reader; answer how many bytes that are."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest and self.fault is None:
                written = super().write(rest)
                if written is None:  # somebody made it non-blocking
                    select.select([], [self], [])
                else:
                    rest = rest[written:]
        except OSError as error:
            self.fault = error.with_traceback(None)  # it would keep all that its callers have in their hands
        return size


def make_lenient() -> None:
    """Let `print` never raise from here on. Streams that another program has replaced stay."""
    _open_closed()
    codecs.register_error("plain", _plainly)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _lenient(sys.stdout, 1)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _lenient(sys.stderr, 2)


def output_fault() -> OSError | None:
    """The first error of standard output; None if there was none so far."""
    sys.stdout.flush()
    stream = getattr(sys.stdout, "buffer", None)
    return stream.fault if isinstance(stream, _Stream) else None


def _lenient(stream: TextIO | None, descriptor: int) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        _Stream(descriptor, "w", closefd=False),  # as Python itself does, with -u
        encoding=stream.encoding if stream else "utf-8",
        errors="plain",
        line_buffering=descriptor == 2 or bool(stream and stream.line_buffering),
        write_through=isinstance(stream, io.TextIOWrapper) and stream.write_through,
    )


def _open_closed() -> None:
    """Give closed standard streams to the null device. Else the next file that is opened, the warehouse's for one,
    would get their number, and be written into by whoever prints."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """Something like the characters that cannot be encoded."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(character, "?") for character in error.object[error.start : error.end]), error.end
