"""Folders of files by address: one on a disk, or a bucket of S3 or Google Cloud Storage.

Credentials are the platform's own (environment, profile, service account); none stands in an address.
Whatever is written appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from domain.errors import StoreError, UsageError
from utils import PROJECT, write_whole

# The scheme of an address, the package that speaks it, and the extra that brings the package.
REMOTE = {"s3": ("s3fs", "s3"), "gs": ("gcsfs", "gcs")}


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
        """A file to read; raises FileNotFoundError where it is not there."""

    @abstractmethod
    def names(self, under: str = "") -> list[str]:
        """All files below a folder, sorted, as names that the other methods take."""

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

    Raises UsageError for an address of another kind or one whose driver is not installed.
    """
    scheme = urlsplit(address).scheme if "://" in address else ""
    if not scheme:
        return _Disk((PROJECT / Path(address).expanduser()).resolve())
    if scheme not in REMOTE or not urlsplit(address).netloc:
        raise UsageError(
            f"{address} is no folder: write a path, s3://BUCKET/PATH or gs://BUCKET/PATH."
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
        target = self._path / name
        with self._our_errors(name):
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = Path(tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".tmp")[1])
            try:
                shutil.copyfile(file, beside)
                beside.chmod(0o644)
                beside.replace(target)
            finally:
                beside.unlink(missing_ok=True)

    def open(self, name: str) -> IO[bytes]:
        with self._our_errors(name):
            return (self._path / name).open("rb")

    def names(self, under: str = "") -> list[str]:
        with self._our_errors(under):
            found = (p for p in (self._path / under).rglob("*") if p.is_file())
            return sorted(p.relative_to(self._path).as_posix() for p in found if p.name[0] != ".")

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
                f"{self.address}/{name} cannot be used ({trouble.strerror}): check its permissions and "
                "the room on its disk."
            ) from None


class _Bucket(Folder):
    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._fs = _filesystem(urlsplit(address).scheme)

    def write(self, name: str, content: bytes) -> None:
        with self._our_errors():
            self._fs.pipe_file(f"{self.address}/{name}", content)

    def take(self, name: str, file: Path) -> None:
        with self._our_errors():
            self._fs.put_file(str(file), f"{self.address}/{name}")

    def open(self, name: str) -> IO[bytes]:
        with self._our_errors():
            opened: IO[bytes] = self._fs.open(f"{self.address}/{name}", "rb")
            return opened

    def names(self, under: str = "") -> list[str]:
        root = self.address.partition("://")[2] + "/"
        with self._our_errors():
            self._fs.invalidate_cache()
            found = self._fs.find(f"{root}{under}")
        return sorted(name.removeprefix(root) for name in found)

    def remove(self, name: str) -> None:
        with self._our_errors(), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(f"{self.address}/{name}")

    @contextlib.contextmanager
    def _our_errors(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except Exception as trouble:  # each library has a tree of its own
            said = str(trouble).splitlines()[0] if str(trouble) else type(trouble).__name__
            raise StoreError(
                f"{self.address} cannot be used ({said}): check the address and the credentials of this "
                "machine."
            ) from trouble


def _filesystem(scheme: str) -> Any:
    package, extra = REMOTE[scheme]
    try:
        import fsspec

        return fsspec.filesystem(scheme, use_listings_cache=False)
    except ImportError:
        raise UsageError(
            f"{scheme}:// needs {package}, which is not installed: type "
            f"'python3 run.py --install-deps {extra}' first."
        ) from None
