"""Files of NESO's data portal: downloaded once a run, kept on disk without a name, read in blocks.

A resource's address redirects to a presigned one on another host. Nothing is kept between runs.
"""

from __future__ import annotations

import codecs
import csv
import io
import tempfile
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

from domain.errors import BrokenAnswer, SchemaError, SourceError
from domain.windows import Window
from sources.neso_packages import Resource

if TYPE_CHECKING:
    import pyarrow as pa

    from sources.dataset import Asker

# Bounds what is on disk at once: some dozen months of frequency, or every small file there is.
KEPT_BYTES = 2**30
# Read at a time: a day and a half of seconds, a fifth of the memory of Python objects for it.
BLOCK_BYTES = 4 * 2**20
LARGEST_UNPACKED = 4 * 2**30


class Shelf:
    """The files of one run, each downloaded once however many windows want it.

    What was used least recently gives way once more than ``KEPT_BYTES`` are held.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fetching: dict[Any, threading.Lock] = {}
        self._files: OrderedDict[Any, CsvFile] = OrderedDict()

    def file(self, client: Asker, dataset: str, resource: Resource) -> tuple[CsvFile, int]:
        """The file, and how many bytes it took to get it now: 0 where it was there already.

        Raises as ``Client.download`` does; SourceError where the disk has no room for it.
        """
        key = (resource.id, resource.modified)
        with self._lock:
            fetching = self._fetching.setdefault(key, threading.Lock())
        with fetching:
            with self._lock:
                if key in self._files:
                    self._files.move_to_end(key)
                    client.reuse(resource.url)
                    return self._files[key], 0
            file = _download(client, dataset, resource)
            with self._lock:
                self._files[key] = file
                while (
                    len(self._files) > 1 and sum(f.size for f in self._files.values()) > KEPT_BYTES
                ):
                    self._files.popitem(last=False)
            return file, file.size


def _download(client: Asker, dataset: str, resource: Resource) -> CsvFile:
    # Nameless: it is gone with its last user, also when the process is killed.
    file: IO[bytes] = tempfile.TemporaryFile(prefix="gridledger-")  # noqa: SIM115
    try:
        client.download(dataset, resource.url, file, WholeCsv())
        if _starts(file).startswith(b"PK"):
            file = unpacked(file, resource.name)
        return CsvFile(file, resource.name)
    except OSError as trouble:
        raise SourceError(
            f"the file '{resource.name}' of NESO could not be written to "
            f"{tempfile.gettempdir()} ({trouble.strerror}); free some space or set TMPDIR to another "
            "folder, the next run asks again."
        ) from None


def _starts(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read(4096)


class WholeCsv:
    """Whether what was downloaded is a whole CSV file, or an archive; raises BrokenAnswer where not.

    A file that ends within a line was cut, unless it comes like that again.
    """

    def __init__(self) -> None:
        self._unended = -1

    def __call__(self, file: IO[bytes]) -> None:
        start = _starts(file)
        if not start:
            raise BrokenAnswer("an empty file")
        if start.startswith(b"PK"):
            return
        if start.lstrip().startswith((b"<", b"{")):
            raise BrokenAnswer("not a CSV file")
        decoder = codecs.getincrementaldecoder("utf-8")()
        file.seek(0)
        try:
            while chunk := file.read(2**20):
                decoder.decode(chunk)
                start = chunk
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise BrokenAnswer("a garbled file") from None
        if not start.endswith(b"\n") and self._unended != file.tell():
            self._unended = file.tell()
            raise BrokenAnswer("a file that ends within a line")


def unpacked(packed: IO[bytes], name: str) -> IO[bytes]:
    """The one CSV file in an archive, within a size limit."""
    try:
        with zipfile.ZipFile(packed) as archive:
            members = [m for m in archive.infolist() if m.filename.lower().endswith(".csv")]
            if len(members) != 1 or members[0].file_size > LARGEST_UNPACKED:
                raise SchemaError(
                    f"the archive '{name}' of NESO does not hold exactly one CSV file of at most "
                    f"{LARGEST_UNPACKED >> 30} GiB; nothing of it was stored."
                )
            file = tempfile.TemporaryFile(prefix="gridledger-")  # noqa: SIM115
            left = members[0].file_size
            with archive.open(members[0]) as member:
                while chunk := member.read(min(2**20, left)):
                    file.write(chunk)
                    left -= len(chunk)
            return file
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as trouble:
        raise SchemaError(
            f"the archive '{name}' of NESO cannot be unpacked ({trouble}); nothing of it was stored."
        ) from None


class CsvFile:
    """A CSV file on disk, read in blocks of lines by any number of threads.

    Remembers which span of time each block holds, so that the next window reads only its own.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._spans: dict[int, tuple[datetime, datetime]] = {}
        self.name = name
        self.size = file.seek(0, io.SEEK_END)
        file.seek(0)
        header = file.readline(2**16)
        (self.columns,) = csv.reader([header.decode("utf-8-sig", "replace").strip()])
        self._blocks = list(_cut(file, file.tell(), name))

    def rows(
        self, moments: Callable[[pa.Table], pa.Array], window: Window
    ) -> Iterator[tuple[pa.Table, pa.Array]]:
        """Lines within the window as columns of text, and their moments; no lines at first.

        ``moments`` finds the moment of each line. Raises SchemaError for lines that are not CSV.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        yield (
            pa.table({name: pa.array([], pa.string()) for name in self.columns}),
            pa.array([], pa.timestamp("us", "UTC")),
        )
        for begin, length in self._blocks:
            span = self._spans.get(begin)
            if span and not (span[0] < window.end and window.start <= span[1]):
                continue
            lines = self._read(begin, length)
            times = moments(lines)
            found = pc.min_max(times).as_py()
            self._spans[begin] = (found["min"], found["max"])
            inside = pc.and_(
                pc.greater_equal(times, pa.scalar(window.start, times.type)),
                pc.less(times, pa.scalar(window.end, times.type)),
            )
            yield lines.filter(inside), times.filter(inside)

    def _read(self, begin: int, length: int) -> pa.Table:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        with self._lock:
            self._file.seek(begin)
            lines = self._file.read(length)
        try:
            return arrow_csv.read_csv(
                pa.BufferReader(lines),
                arrow_csv.ReadOptions(column_names=self.columns, use_threads=False),
                # Text as it stands: what is no number or no time must be seen, not become empty.
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(self.columns, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            ).combine_chunks()
        except pa.ArrowInvalid as trouble:
            raise SchemaError(
                f"the file '{self.name}' of NESO has lines that do not fit its header "
                f"({trouble}); nothing of this window was stored."
            ) from None


def _cut(file: IO[bytes], begin: int, name: str) -> Iterator[tuple[int, int]]:
    """(begin, length) of blocks of whole lines from ``begin`` to the end."""
    while chunk := file.read(BLOCK_BYTES):
        whole = len(chunk) if len(chunk) < BLOCK_BYTES else chunk.rfind(b"\n") + 1
        if not whole:
            raise SchemaError(
                f"the file '{name}' of NESO has a line of more than {BLOCK_BYTES >> 20} MiB, which no "
                "CSV of it has; nothing of it was stored."
            )
        if chunk[:whole].strip():
            yield begin, whole
        begin += whole
        file.seek(begin)
