"""Folders of files by address: one on a disk, or a bucket of S3 or Google Cloud Storage.

Credentials are the platform's own (environment, profile, service account); none stands in an address.
Whatever is written appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from domain.errors import GridledgerError, StoreError, UsageError
from utils import PROJECT, write_whole, written_whole

# The scheme of an address, the package that speaks it, and the extra that brings the package.
REMOTE = {"s3": ("s3fs", "s3"), "gs": ("gcsfs", "gcs")}
# How long a server may stay silent, and how often it is tried again [s, attempts]; what the libraries do
# by default adds up to half an hour.
CONNECT_S, SILENT_S = 10, 30
ATTEMPTS = 3
# However patient they are, a call ends after so long, one with a file later: they can wait for ever for the
# permission to send one.
CALL_S, SLOWEST_BYTES_PER_S = 300, 100_000
# Where a stand-in of Google Cloud Storage listens; the client library's own variable.
EMULATOR = "STORAGE_EMULATOR_HOST"
# By class, because every library has a tree of its own and only one of them is installed.
_NO_CREDENTIALS = {
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound",
    "GoogleAuthError",
}  # fmt: skip
# Neither listings nor credentials of a while ago.
_FRESH = {"use_listings_cache": False, "skip_instance_cache": True}
_NO_ANSWER = {"HTTPClientError", "ClientConnectionError", "ConnectionError", "TimeoutError"}


class Folder(ABC):
    """Files below one address, by names with slashes; raises StoreError where it cannot be used."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Write a file over the one that was there."""

    @abstractmethod
    def take(self, name: str, file: Path) -> None:
        """Write a file of any size from one on the disk."""

    @abstractmethod
    def open(self, name: str) -> IO[bytes]:
        """A file to read; raises FileNotFoundError where it is not there. From a bucket it comes whole."""

    @abstractmethod
    def names(self, under: str = "") -> list[str]:
        """All files below a folder, sorted, as names that the other methods take.

        Names that begin with a point are left out. Raises UsageError where there is no such bucket.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, whether it is there or not."""

    def read(self, name: str) -> bytes | None:
        """A file's content; None where it is not there."""
        try:
            with self.open(name) as file:
                return file.read()
        except FileNotFoundError:
            return None


def open_folder(address: str) -> Folder:
    """The folder at ``s3://BUCKET/PATH``, ``gs://BUCKET/PATH`` or a path (relative to the project).

    Raises UsageError for an address of another kind or one whose driver is not installed, StoreError
    without credentials.
    """
    if "://" not in address:
        return _Disk((PROJECT / Path(address).expanduser()).resolve())
    scheme, bucket = urlsplit(address).scheme, urlsplit(address).netloc
    if scheme not in REMOTE or not re.fullmatch(r"[\w.-]+", bucket):
        # What cannot be a bucket may be a password.
        raise UsageError(
            f"{scheme}://… is no folder: write a path, s3://BUCKET/PATH or gs://BUCKET/PATH. Credentials "
            "never stand in an address."
        )
    return _Bucket(address)


class _Disk(Folder):
    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path

    def write(self, name: str, content: bytes) -> None:
        with self._our_errors(name):
            write_whole(self._path / name, content)

    def take(self, name: str, file: Path) -> None:
        with (
            self._our_errors(name),
            file.open("rb") as content,
            written_whole(self._path / name) as target,
        ):
            shutil.copyfileobj(content, target, 1 << 20)

    def open(self, name: str) -> IO[bytes]:
        with self._our_errors(name):
            return (self._path / name).open("rb")

    def names(self, under: str = "") -> list[str]:
        found = []
        with self._our_errors(under), contextlib.suppress(FileNotFoundError):
            for folder, _, files in os.walk(self._path / under, onerror=_raised):
                found += [Path(folder, name) for name in files if name[0] != "."]
        return sorted(path.relative_to(self._path).as_posix() for path in found)

    def remove(self, name: str) -> None:
        with self._our_errors(name):
            (self._path / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _our_errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as trouble:
            raise StoreError(
                f"{f'{self.address}/{name}'.rstrip('/')} cannot be used ({trouble.strerror}): check its "
                "permissions and the room on its disk."
            ) from None


def _raised(trouble: OSError) -> None:
    raise trouble


class _Bucket(Folder):
    """Objects below a prefix; every write is one upload, which becomes visible when it is whole."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        with self._our_errors():
            self._fs = _filesystem(urlsplit(address).scheme)

    def write(self, name: str, content: bytes) -> None:
        with self._our_errors():
            self._call("pipe_file", f"{self.address}/{name}", content, size=len(content))

    def take(self, name: str, file: Path) -> None:
        with self._our_errors():
            size = file.stat().st_size
            self._call("put_file", str(file), f"{self.address}/{name}", size=size)

    def open(self, name: str) -> IO[bytes]:
        with self._our_errors(absent=True):
            return BytesIO(self._call("cat_file", f"{self.address}/{name}"))

    def names(self, under: str = "") -> list[str]:
        root = self.address.partition("://")[2] + "/"
        try:
            with self._our_errors(absent=True):
                found = [n.removeprefix(root) for n in self._call("find", f"{root}{under}")]
        except FileNotFoundError:  # of a folder that is not there nothing would be found
            raise UsageError(self._no_bucket()) from None
        return sorted(name for name in found if not name.rpartition("/")[2].startswith("."))

    def remove(self, name: str) -> None:
        with self._our_errors(absent=True), contextlib.suppress(FileNotFoundError):
            self._call("rm_file", f"{self.address}/{name}")

    def _call(self, method: str, *arguments: Any, size: int = 0) -> Any:
        from fsspec.asyn import sync

        seconds = CALL_S + size // SLOWEST_BYTES_PER_S
        return sync(self._fs.loop, getattr(self._fs, f"_{method}"), *arguments, timeout=seconds)

    def _no_bucket(self) -> str:
        return f"there is no bucket for {self.address}: make it, or correct the address."

    @contextlib.contextmanager
    def _our_errors(self, *, absent: bool = False) -> Iterator[None]:
        """``absent`` lets the error pass that says that something is not there."""
        try:
            yield
        except GridledgerError:
            raise
        except FileNotFoundError:
            if absent:
                raise
            raise StoreError(self._no_bucket()) from None
        except Exception as trouble:  # each library has a tree of its own
            raise StoreError(f"{self.address} cannot be used: {_sentence(trouble)}") from None


def _sentence(trouble: Exception) -> str:
    """What went wrong and what to do; of the library's words at most a line, and no address."""
    kinds = {kind.__name__ for kind in type(trouble).__mro__}
    said = str(trouble).strip()
    if kinds & _NO_CREDENTIALS:
        return (
            "this machine has no valid credentials for it. Set up those of the environment, a profile or a "
            "service account."
        )
    refused = getattr(trouble, "code", None) in (401, 403) or said.startswith("Forbidden")
    if refused or isinstance(trouble, PermissionError):
        return "access was refused. Grant this machine's credentials the right to it."
    if kinds & _NO_ANSWER:
        return "no server answered. Check the network and the address, and start again."
    line = re.sub(r"\S+://\S+", "…", said.splitlines()[0]) if said else type(trouble).__name__
    return f"the server said '{line[:200]}'. Check the address and the rights of this machine."


def _filesystem(scheme: str) -> Any:
    """What speaks to the buckets of a scheme."""
    package, extra = REMOTE[scheme]
    for name in (package, "fsspec"):  # what matters comes as an error
        logging.getLogger(name).addHandler(logging.NullHandler())
    try:
        return _s3() if scheme == "s3" else _google()
    except ImportError:
        raise UsageError(
            f"{scheme}:// needs {package}, which is not installed: type "
            f"'python3 run.py --install-deps {extra}' first."
        ) from None


def _s3() -> Any:
    from s3fs import S3FileSystem

    patience = {
        "connect_timeout": CONNECT_S,
        "read_timeout": SILENT_S,
        "retries": {"mode": "standard", "total_max_attempts": ATTEMPTS},
    }
    files = S3FileSystem(**_FRESH, config_kwargs=patience)
    files.retries = 1  # around those
    return files


def _google() -> Any:
    # Else every process asks for a kind of bucket that ours are not, and waits for a minute.
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    from aiohttp import ClientTimeout
    from gcsfs import GCSFileSystem

    return GCSFileSystem(
        token="anon" if os.environ.get(EMULATOR) else "google_default",
        **_FRESH,
        requests_timeout=ClientTimeout(sock_connect=CONNECT_S, sock_read=SILENT_S),
    )
