"""Stage 1 for folders: read every file once, list what was rejected, keep the ledger.

A file is known by its name and hash. What is new or changed is read whole, in batches, each in one
transaction with its rows, its ledger entries and its line in ``input_files``. A file of which something
was rejected is tried again in every run, because the contract that it lacked may have come; what is
rejected as before is not said again.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from domain.errors import SchemaError, SourceError
from domain.ledger import Entry
from domain.settlement import days_in
from domain.tables import conform
from domain.windows import Window
from raw_archive import Archive, FilesRecorder
from sources.dataset import Answer, Dataset, FileReading
from sources.vpp_files import ASSETS, Plants, plants
from sources.vpp_formats import Reject, Rows
from storage import write_files
from stores.ledger import InputFile
from stores.sql import SqlStore
from utils import log

# Enough to make transactions rare, few enough to keep a batch small in memory.
ROWS_AT_ONCE = 200_000
# A folder that holds a file of this name was made by the sandbox.
SYNTHETIC_MARK = "SYNTHETIC.txt"
# Personal data that shifted cells may bring into a message.
_EMAIL = re.compile(r"[^\s'\",;:]+@[^\s'\",;:]+")


@dataclass
class FilesRead:
    """What reading a folder did for one dataset."""

    entries: dict[date, Entry] = field(default_factory=dict)
    files: int = 0
    changed: int = 0
    bytes: int = 0
    rejected: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_new_files(
    dataset: Dataset,
    root: Path,
    window: Window,
    store: SqlStore,
    now: datetime,
    archive: Archive | None = None,
) -> FilesRead:
    """Read what is new under ``root`` and bring the entries of the window's days up to date.

    What is new goes to the ``archive`` first. Raises SourceError where the folder does not exist or the
    archive cannot be written.
    """
    if not root.is_dir():
        raise SourceError(
            f"VPP_DIR={root.name} is no folder, so nothing of {dataset.key} was read: correct the setting."
        )
    assert isinstance(dataset.read, FileReading)
    done = FilesRead()
    synthetic = (root / SYNTHETIC_MARK).exists()
    recorder = FilesRecorder(archive, dataset, window, now, synthetic) if archive else None
    known = plants(store.read_table(ASSETS))
    batch = _Batch()
    odd: dict[str, list[str]] = {}
    for file, rows, body in _new_files(dataset, dataset.read, root, store, known):
        batch.files.append((file, rows))
        if rows:
            if recorder and file.sha256:
                recorder.note(file.name, file.modified_ns, body)
            done.files += 1
            done.bytes += file.size
            for note in rows.notes:
                odd.setdefault(note, []).append(file.name)
            done.rejected += [f"{file.name}{_line(r)}: {r.reason}" for r in rows.rejects]
        if batch.rows >= ROWS_AT_ONCE:
            if recorder:
                recorder.keep()
            _store(dataset, batch, [], store, synthetic, now, done)
            batch = _Batch()
    if recorder:
        recorder.keep()
    _store(dataset, batch, days_in(window), store, synthetic, now, done)
    done.notes = [f"no file is named {pattern}" for pattern in _absent(dataset.read, root)]
    for line in done.rejected:
        log.warning("%s: rejected %s", dataset.key, line)
    for note, files in odd.items():
        log.info("%s: %s in %d files, first in %s", dataset.key, note, len(files), files[0])
    if done.files:
        log.info("%s: %d files, %d rows new or changed", dataset.key, done.files, done.changed)
    return done


def _absent(reading: FileReading, root: Path) -> list[str]:
    """Patterns of which there is no file, nor one of the same reader's other patterns."""
    patterns: dict[Any, list[str]] = {}
    for pattern, read in reading.readings if reading.expected else ():
        patterns.setdefault(read, []).append(pattern)
    return [
        first
        for first, *others in patterns.values()
        if not any(next(root.glob(pattern), None) for pattern in (first, *others))
    ]


def _line(reject: Reject) -> str:
    return f" line {reject.line}" if reject.line else ""


@dataclass
class _Batch:
    """Files read and not yet stored; ``rows`` is None where only a file's time changed."""

    files: list[tuple[InputFile, Rows | None]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(file.rows for file, rows in self.files if rows)


def _new_files(
    dataset: Dataset, reading: FileReading, root: Path, store: SqlStore, known: Plants
) -> Iterator[tuple[InputFile, Rows | None, bytes]]:
    """Files not read yet, or changed since, or saying something else now, with rows and content."""
    before, rejected = store.input_files(dataset.key), store.rejected_rows(dataset.key)
    for pattern, read in reading.readings:
        for path in sorted(root.glob(pattern)):
            name = path.relative_to(root).as_posix()
            old, as_before = before.get(name), rejected.get(name, [])
            file, rows, body = _read(path, name, read, known, None if as_before else old)
            if rows is None:
                if old and file.modified_ns != old.modified_ns:
                    yield file, None, body
                continue
            found = [(reject.line, reject.reason) for reject in rows.rejects]
            if old and old.sha256 == file.sha256 and Counter(found) == Counter(as_before):
                if file.modified_ns != old.modified_ns:
                    yield replace(old, modified_ns=file.modified_ns), None, body
                continue
            yield file, rows, body


def _read(
    path: Path,
    name: str,
    read: Callable[[str, bytes, Plants], Rows],
    known: Plants,
    old: InputFile | None,
) -> tuple[InputFile, Rows | None, bytes]:
    """A file, its rows and its content; no rows where it is the ``old`` one, at most with another time."""
    file, body = InputFile(name, "", 0, 0, 0), b""
    try:
        stat = path.stat()
        if old and (old.size, old.modified_ns) == (stat.st_size, stat.st_mtime_ns):
            return old, None, body
        body = path.read_bytes()
        digest = hashlib.sha256(body).hexdigest()
        if old and old.sha256 == digest:
            return replace(old, modified_ns=stat.st_mtime_ns), None, body
        file = InputFile(name, digest, len(body), stat.st_mtime_ns, 0)
        rows = read(path.name, body, known)
    except SchemaError as problem:
        rows = Rows({}, [Reject(None, f"the whole file, because {problem}")])
    except OSError as trouble:
        said = f"the whole file, because it cannot be opened ({trouble.strerror})"
        rows = Rows({}, [Reject(None, said)])
    rows.rejects = [replace(r, reason=_EMAIL.sub("…@…", r.reason)) for r in rows.rejects]
    return replace(file, rows=len(next(iter(rows.columns.values()), []))), rows, body


def _store(
    dataset: Dataset,
    batch: _Batch,
    days: list[date],
    store: SqlStore,
    synthetic: bool,
    now: datetime,
    done: FilesRead,
) -> None:
    joined: dict[str, list[Any]] = {name: [] for name in dataset.table.names}
    for _, read in batch.files:
        for name, column in (read.columns if read else {}).items():
            joined[name].extend(column)
    # Of two files that contradict each other the later name counts.
    rows = conform(dataset.table, joined, dataset.key, later_wins=True)
    rejects = {
        file.name: [(reject.line, reject.reason) for reject in read.rejects]
        for file, read in batch.files
        if read
    }
    answer = Answer(rows, 0, 0, synthetic)
    files = [file for file, _ in batch.files]
    entries, changed = write_files(store, dataset, answer, files, rejects, days, now)
    done.entries.update({entry.day: entry for entry in entries})
    done.changed += changed
