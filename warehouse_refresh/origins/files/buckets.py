"""Files in buckets, `gs://bucket/path` and `s3://bucket/path`: listed, and copied to this machine when they are read.

The environment has the credentials, as Google's and Amazon's own tools take them, unless they are given:
https://developmentseed.org/obstore/latest/authentication/
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import from_url

from warehouse_refresh.origins import OriginError
from warehouse_refresh.origins.files.places import WILD, File

_CHUNK = 4 * 2**20
_OPTIONS = ("access_key_id", "secret_access_key", "session_token", "region", "endpoint_url")
_RETRIES: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=60)}


@dataclass(frozen=True, slots=True)
class BucketFile(File):
    """A file in a bucket; `path` is where its copy will be. Its version is the ETag."""

    store: Any = None
    key: str = ""

    def local(self) -> Path:
        if not self.path.exists():
            with faults(self.name):
                self._copy()
        return self.path

    def check_unchanged(self) -> None:
        """The copy stays what it is."""

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)

    def _copy(self) -> None:
        found = obstore.get(self.store, self.key)
        if found.meta["e_tag"] != self.version or found.meta["size"] != self.size:
            raise OriginError(f"{self.name} has changed while it was read: load it again, once it is whole")
        part = self.path.with_suffix(".part")
        with part.open("wb") as file:
            for chunk in found.stream(min_chunk_size=_CHUNK):
                file.write(chunk)
        part.rename(self.path)


def find_in_bucket(copies: Path, where: str, credentials: str) -> list[File]:
    """The files, sorted by name, which have their copies in a folder. In each part of the path *, ? and [ may stand,
    and ** for any number of parts. `credentials` are JSON, or "". Raises OriginError."""
    scheme, _, rest = where.partition("://")
    bucket, _, pattern = rest.partition("/")
    if not bucket or not pattern:
        raise OriginError(f"write {scheme}://bucket/path/to/files")
    with faults(where):
        store = _store(f"{scheme}://{bucket}", credentials)
        parts = pattern.split("/")
        found = {key: meta for key, meta in _listed(store, pattern) if _matches(key.split("/"), parts)}
    return [
        BucketFile(f"{scheme}://{bucket}/{key}", copies / str(number), meta["size"], meta["e_tag"], store, key)
        for number, (key, meta) in enumerate(sorted(found.items()))
    ]


def _store(url: str, credentials: str) -> Any:
    """The bucket. Raises OriginError for credentials that are none; it has no part of them."""
    if not credentials:
        return from_url(url, retry_config=_RETRIES)
    is_google = url.startswith("gs:")
    try:
        options: Any = {"service_account_key": credentials} if is_google else _options(credentials)
        return from_url(url, config=options, retry_config=_RETRIES)
    except (BaseError, TypeError, ValueError):
        way = "the JSON of a service account's key" if is_google else f"a JSON object with {', '.join(_OPTIONS)}"
        raise OriginError(f"{url}: the secret block has no credentials that this bucket takes: save {way}") from None


def _options(credentials: str) -> Any:
    """The options of S3. Raises ValueError for others: some make the store panic."""
    said = json.loads(credentials)
    if not isinstance(said, dict) or not said.keys() <= {*_OPTIONS}:
        raise ValueError
    return said


def _listed(store: Any, pattern: str) -> Iterator[tuple[str, Any]]:
    """All objects in the folder that the fixed part of the pattern names, or the one object."""
    if not WILD & set(pattern):
        try:
            yield pattern, obstore.head(store, pattern)
        except FileNotFoundError:
            return
        return
    fixed = takewhile(lambda part: not WILD & set(part), PurePosixPath(pattern).parent.parts)
    for batch in obstore.list(store, prefix="/".join(fixed) or None):
        yield from ((meta["path"], meta) for meta in batch)


def _matches(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return _matches(parts, wanted[1:]) or (len(parts) > 1 and _matches(parts[1:], wanted))
    return bool(parts) and fnmatchcase(parts[0], wanted[0]) and _matches(parts[1:], wanted[1:])


@contextmanager
def faults(name: str) -> Iterator[None]:
    """Turn the errors of the store in the block into OriginError."""
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        raise OriginError(f"{name}: there is no such file or bucket") from error
    except (BaseError, PermissionError, OSError, ValueError) as error:
        text = " ".join(str(error).partition("\n\nDebug source")[0].split())
        raise OriginError(f"{name} cannot be read: {text}") from error
