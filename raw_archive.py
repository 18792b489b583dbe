"""What was answered, kept as it came: tables can be rebuilt from it without asking anyone again.

    <dataset>/<settlement day>/<sha256>.gz               a body, compressed
    <dataset>/<settlement day>/<known_at>-<hash>.json    a reading: a window, and what answered it, in order

The day is the one in which the window starts; a body that serves several windows is kept once a run. A
reading is written when its window was read to the end: after its bodies, before its rows go to the store. So
a reading always has its bodies, and the store has no row that the archive lacks. What a crash leaves behind
is a body that no reading names, or a reading whose rows the next run asks for again: both are harmless.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from domain.errors import BrokenAnswer, Refused, SourceError, StoreError
from domain.settlement import settlement_date
from domain.windows import Window
from sources.dataset import Answer, Dataset, FileReading
from stores.objects import REMOTE, Folder, open_folder
from utils import Setting, without_password

if TYPE_CHECKING:
    from sources.transport import Body, Client

T = TypeVar("T")

ABOUT = "ABOUT.txt"
_ABOUT_TEXT = b"""What gridledger was answered, as it came (its setting RAW_ARCHIVE).

<dataset>/<settlement day>/<sha256>.gz             a body, compressed with gzip
<dataset>/<settlement day>/<known_at>-<hash>.json  a window that was read, and the bodies that answered it

'python3 run.py replay --to STORE' rebuilds the tables from here. The providers' licences hold here, too.
"""
# Level 9 takes three times as long for a hundredth of the size.
_LEVEL = 6
_READING = re.compile(
    r"(\w+)/(\d{4}-\d\d-\d\d)/(\d{8}T\d{6}\.\d{6}Z)-([0-9a-f]{16})\.json", re.ASCII
)
_NEVER = datetime.min.replace(tzinfo=UTC)


def folder_address(value: str) -> str:
    """A parser of addresses of folders; empty for none."""
    parts = urlsplit(value)
    if "://" in value and (
        parts.scheme not in REMOTE or not parts.netloc or set("@:?#") & set(value.split("://")[1])
    ):
        raise ValueError(
            "it must be a folder, s3://BUCKET/PATH or gs://BUCKET/PATH; credentials never stand in it"
        )
    return value


SETTINGS = (
    Setting(
        "RAW_ARCHIVE",
        "",
        folder_address,
        "Where every answer is kept as it came, for 'replay': a folder, s3://BUCKET/PATH or "
        "gs://BUCKET/PATH; empty for nowhere.",
        shown=without_password,
    ),
)


@dataclass(frozen=True)
class Kept:
    """A body in the archive: its file there; SHA-256 and size [bytes] before compression."""

    file: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Exchange:
    """What was asked and what came. ``path`` and ``params`` as sent to the provider's base address.

    Of a download, whose address the provider named, ``address`` is the SHA-256 and ``path`` is for people:
    such addresses may carry a signature.
    """

    path: str
    params: dict[str, str]
    address: str
    status: int
    body: Kept
    retrieved_at: datetime
    synthetic: bool


@dataclass(frozen=True)
class Input:
    """A file of a folder that was read: its name there and when it was modified."""

    name: str
    modified_ns: int
    body: Kept


@dataclass(frozen=True)
class Reading:
    """One window of a dataset that was read to the end at ``read_at`` by the run of ``known_at``.

    ``learnt_s`` are the widest windows that paths had turned out to allow before it began. A dataset of
    files has ``files`` (those that were new), the others have ``exchanges``.
    """

    dataset: str
    scope: str
    start: datetime
    end: datetime
    known_at: datetime
    read_at: datetime
    synthetic: bool
    learnt_s: dict[str, float] = field(default_factory=dict)
    exchanges: tuple[Exchange, ...] = ()
    files: tuple[Input, ...] = ()

    @property
    def window(self) -> Window:
        return Window(self.start, self.end)

    @property
    def key(self) -> str:
        """Dataset and scope as people write it."""
        return f"{self.dataset} {self.scope}".rstrip()


@dataclass(frozen=True)
class Name:
    """What the file of a reading is called; ``known_at`` sorts as time does."""

    dataset: str
    day: date
    known_at: str
    hash: str
    file: str


class Archive:
    """Bodies and readings in a folder. Safe to share between threads."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.address = folder.address

    # --- keeping ------------------------------------------------------------------------------

    def claim(self) -> None:
        """Say in the folder what it is; raises StoreError where nothing can be written there."""
        self._folder.write(ABOUT, _ABOUT_TEXT)

    def put(self, place: str, content: bytes) -> Kept:
        """Keep a body in ``place``; raises SourceError where that cannot be done."""
        digest = hashlib.sha256(content).hexdigest()
        kept = Kept(f"{place}/{digest}.gz", digest, len(content))
        with self._or_fail():
            self._folder.write(kept.file, gzip.compress(content, _LEVEL, mtime=0))
        return kept

    def put_file(self, place: str, file: IO[bytes]) -> Kept:
        """Keep what stands in a file, which may be larger than memory; raises as ``put`` does."""
        with self._or_fail(), tempfile.TemporaryDirectory(prefix="gridledger-") as folder:
            packed = Path(folder, "body.gz")
            with packed.open("wb") as raw, gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as target:
                file.seek(0)
                digest, size = hashlib.sha256(), 0
                while chunk := file.read(2**20):
                    digest.update(chunk)
                    size += len(chunk)
                    target.write(chunk)
            kept = Kept(f"{place}/{digest.hexdigest()}.gz", digest.hexdigest(), size)
            self._folder.take(kept.file, packed)
        return kept

    def put_reading(self, reading: Reading) -> None:
        """Keep a reading, whose bodies are kept already; raises as ``put`` does."""
        import msgspec

        content = msgspec.json.format(msgspec.json.encode(reading), indent=1)
        known_at = f"{reading.known_at:%Y%m%dT%H%M%S.%fZ}"
        name = f"{known_at}-{_short(content)}.json"
        with self._or_fail():
            self._folder.write(f"{_place(reading.dataset, reading.window)}/{name}", content)

    @contextlib.contextmanager
    def _or_fail(self) -> Iterator[None]:
        try:
            yield
        except (StoreError, OSError) as trouble:
            raise SourceError(
                f"the answer could not be kept in RAW_ARCHIVE, so nothing of it was stored ({_said(trouble)}); "
                "the next run asks again."
            ) from None

    # --- reading ------------------------------------------------------------------------------

    def names(self) -> list[Name]:
        """All readings, run after run; none where there is no archive."""
        found = [
            Name(match[1], date.fromisoformat(match[2]), match[3], match[4], file)
            for file in self._folder.names()
            if (match := _READING.fullmatch(file))
        ]
        return sorted(found, key=lambda name: (name.known_at, name.file))

    def runs(self, names: Iterable[Name]) -> Iterator[list[tuple[Name, Reading | None]]]:
        """The readings of each run in the order in which they came; None for one that cannot be read."""
        for _, run in groupby(names, key=lambda name: name.known_at):
            found = [(name, self._reading(name)) for name in run]
            yield sorted(found, key=lambda each: each[1].read_at if each[1] else _NEVER)

    def _reading(self, name: Name) -> Reading | None:
        import msgspec

        content = self._folder.read(name.file) or b""
        if _short(content) != name.hash:
            return None
        try:
            return msgspec.json.decode(content, type=Reading)
        except msgspec.ValidationError:
            return None

    def take(self, kept: Kept) -> bytes:
        """A body; raises BrokenAnswer where it is missing or not what was kept."""
        file = io.BytesIO()
        self.take_file(kept, file)
        return file.getvalue()

    def take_file(self, kept: Kept, file: IO[bytes]) -> None:
        """Write a body to a file; raises as ``take`` does."""
        try:
            with self._folder.open(kept.file) as packed, gzip.GzipFile(fileobj=packed) as source:
                shutil.copyfileobj(source, file, 2**20)
        except FileNotFoundError:
            raise BrokenAnswer(f"{kept.file} is missing in {self.address}") from None
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise self._damaged(kept) from None
        file.seek(0)
        if hashlib.file_digest(file, "sha256").hexdigest() != kept.sha256:  # type: ignore[arg-type]
            raise self._damaged(kept)

    def _damaged(self, kept: Kept) -> BrokenAnswer:
        return BrokenAnswer(f"{kept.file} in {self.address} is not what was kept: it was damaged")


def open_archive(address: str) -> Archive | None:
    """The archive at an address, ready to be written; None for an empty one.

    Raises UsageError where its driver is not installed, StoreError where nothing can be written there.
    """
    if not address:
        return None
    archive = archive_at(address)
    archive.claim()
    return archive


@cache
def archive_at(address: str) -> Archive:
    """The archive at an address, one a process; raises UsageError where its driver is not installed."""
    return Archive(open_folder(address))


def _place(dataset: str, window: Window) -> str:
    return f"{dataset}/{settlement_date(window.start)}"


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _said(trouble: Exception) -> str:
    return getattr(trouble, "strerror", None) or str(trouble).rstrip(".")


# --- recording ------------------------------------------------------------------------------------


def read_and_keep(
    dataset: Dataset, scope: str, window: Window, client: Client, address: str, now: datetime
) -> Answer:
    """Read a window, and keep what was answered in the archive at ``address``, if there is one.

    Raises as ``dataset.read`` does; SourceError where the answer could not be kept.
    """
    assert not isinstance(dataset.read, FileReading)
    if not address:
        return dataset.read(dataset, scope, window, client)
    archive = archive_at(address)
    recorder = Recorder(client, archive, _place(dataset.key, window))
    learnt_s = {path: widest.total_seconds() for path, widest in recorder.learnt.items()}
    answer = dataset.read(dataset, scope, window, recorder)
    client.learnt.update(recorder.learnt)
    archive.put_reading(
        Reading(
            dataset.key,
            scope,
            window.start,
            window.end,
            now,
            datetime.now(UTC),
            answer.synthetic,
            learnt_s,
            tuple(recorder.exchanges),
        )
    )
    return answer


class Recorder:
    """A client for one window, in one thread, that keeps every answer that is worth something.

    What a run makes only once is part of every window that it served.
    """

    def __init__(self, client: Client, archive: Archive, place: str) -> None:
        self._client = client
        self._archive = archive
        self._place = place
        # What other windows learn meanwhile must not change what this one asks.
        self.learnt = dict(client.learnt)
        self.exchanges: list[Exchange] = []
        self._downloads: dict[str, Exchange] = client.once("downloads that were kept", dict)

    def get(
        self, dataset: str, path: str, params: Mapping[str, str], decode: Callable[[bytes], T]
    ) -> tuple[T, Body]:
        try:
            result, body = self._client.get(dataset, path, params, decode)
        except Refused as refusal:
            if refusal.status != 200:
                self._note(path, params, refusal.status, refusal.body)
            raise
        self._note(path, params, 200, body.content, synthetic=body.synthetic)
        return result, body

    def _note(
        self,
        path: str,
        params: Mapping[str, str],
        status: int,
        body: bytes,
        *,
        synthetic: bool = False,
    ) -> None:
        kept = self._archive.put(self._place, self._client.without_token(body))
        self.exchanges.append(
            Exchange(path, dict(params), "", status, kept, datetime.now(UTC), synthetic)
        )

    def download(
        self, dataset: str, address: str, file: IO[bytes], check: Callable[[IO[bytes]], None]
    ) -> bool:
        synthetic = self._client.download(dataset, address, file, check)
        kept = self._archive.put_file(self._place, file)
        path = urlsplit(address).path
        exchange = Exchange(path, {}, hashed(address), 200, kept, datetime.now(UTC), synthetic)
        self._downloads[address] = exchange
        self.exchanges.append(exchange)
        return synthetic

    def reuse(self, address: str) -> None:
        self.exchanges.append(self._downloads[address])

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        def recorded() -> tuple[T, list[Exchange]]:
            before = len(self.exchanges)
            return make(), self.exchanges[before:]

        made, exchanges = self._client.once(("recorded", key), recorded)
        self.exchanges += [each for each in exchanges if each not in self.exchanges]
        return made


def hashed(address: str) -> str:
    """What stands for an address that may carry a signature."""
    return hashlib.sha256(address.encode()).hexdigest()


class FilesRecorder:
    """Keeps the files of a folder that were read for one dataset, and a reading for each batch of them."""

    def __init__(
        self, archive: Archive, dataset: Dataset, window: Window, now: datetime, synthetic: bool
    ) -> None:
        self._archive = archive
        self._dataset = dataset
        self._window = window
        self._now = now
        self._synthetic = synthetic
        self._files: list[Input] = []

    def note(self, name: str, modified_ns: int, body: bytes) -> None:
        """Keep one file; raises SourceError where that cannot be done."""
        kept = self._archive.put(_place(self._dataset.key, self._window), body)
        self._files.append(Input(name, modified_ns, kept))

    def keep(self) -> None:
        """Keep the reading of what was noted since the last one; raises as ``note`` does."""
        self._archive.put_reading(
            Reading(
                self._dataset.key,
                "",
                self._window.start,
                self._window.end,
                self._now,
                datetime.now(UTC),
                self._synthetic,
                files=tuple(self._files),
            )
        )
        self._files = []
