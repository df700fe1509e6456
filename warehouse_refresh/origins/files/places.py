"""Which files a pattern stands for, and whether they stay as they are."""

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from tempfile import mkdtemp
from typing import TextIO

from warehouse_refresh.origins import OriginError
from warehouse_refresh.warehouse.duckdb.translate.text import string_sql
from warehouse_refresh.warehouse.extras import needs_extra

NOT_UTF8 = re.compile("[\udc80-\udcff]")
BUCKETS = ("gs://", "s3://")
_CHUNK = 2**20
WILD = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class File:
    """A file: its name as the settings would write it, where it is, how many bytes it has, and its version: when that
    stays the same, so do the bytes."""

    name: str
    path: Path
    size: int
    version: str

    @property
    def form(self) -> str:
        """The ending of the name, without that of gzip."""
        path = Path(self.name)
        return (Path(path.stem) if self.is_gzip else path).suffix.lower()

    @property
    def is_gzip(self) -> bool:
        """Whether it is packed."""
        return self.name.lower().endswith(".gz")

    def local(self) -> Path:
        """Where the bytes are on this machine."""
        return self.path

    def forget(self) -> None:
        """Say that the bytes were read."""

    def check_unchanged(self) -> None:
        """Raise OriginError if the file is not what it was when it was found."""
        try:
            is_same = _version(self.path) == self.version
        except OSError:
            is_same = False
        if not is_same:
            raise OriginError(f"{self.name} has changed while it was read: load it again, once it is whole")

    def check_whole(self) -> None:
        """Raise OriginError for a packed file that has lost something: DuckDB does not look at its checksum."""
        if self.is_gzip:
            with self._faults(), gzip.open(self.local()) as file:
                while file.read(_CHUNK):
                    pass

    @contextmanager
    def text(self) -> Iterator[TextIO]:
        """The text, with its line ends. Bytes that are no UTF-8 are such as NOT_UTF8 finds. Raises OriginError."""
        path = self.local()
        with self._faults(), gzip.open(path) if self.is_gzip else path.open("rb") as file:
            yield TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise OriginError(f"{self.name} is no whole file of gzip: {error}") from error
        except OSError as error:
            raise OriginError(f"{self.name} cannot be read: {error.strerror}") from error


def pattern(path: Path) -> str:
    """The path as DuckDB's functions take it, where some characters stand for others."""
    return string_sql(re.sub(r"([*?\[])", r"[\1]", str(path.absolute())))


def find(folder: Path, where: str, copies: Path, credentials: str = "") -> list[File]:
    """The files, sorted by name; `where` is a path from the folder on, or in a bucket, and may have *, **, ? and [.
    Files of buckets have copies in a folder of their own in `copies`, and may need `credentials`. Raises OriginError,
    and NotInstalled."""
    if where.startswith(BUCKETS):
        with needs_extra("buckets", "reading files of buckets"):
            from warehouse_refresh.origins.files.buckets import find_in_bucket
        found = find_in_bucket(Path(mkdtemp(dir=copies)), where, credentials)
    else:
        found = _local(folder, where)
    if not found:
        what = "no file matches" if WILD & set(where) else "there is no file"
        raise OriginError(f"{what} {where}")
    return found


def _local(folder: Path, where: str) -> list[File]:
    files: list[File] = []
    for path in sorted(_paths(folder, where)):
        name = str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
        try:
            files.append(File(name, path, path.stat().st_size, _version(path)))
        except OSError as error:
            raise OriginError(f"{name} cannot be read: {error.strerror}") from error
    return files


def _paths(folder: Path, where: str) -> Iterator[Path]:
    path = folder / where
    if not WILD & set(where):
        return iter([path] if path.is_file() else [])
    start = Path(path.anchor)
    return (one for one in start.glob(str(path.relative_to(start))) if one.is_file())


def _version(path: Path) -> str:
    found = path.stat()
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ino}"
