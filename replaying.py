"""``replay``: tables, history and ledger rebuilt from the archive of what was answered, without a network.

Every reading goes the way it went first: the same reader, whose questions the archive answers, then the same
write, known since the moment of its run. Readings follow each other as the runs did, so that in an empty store
rows, history and what the ledger knows of the answers come out as they were. What the ledger knew of failures
is not in the archive; a day that only failed is asked again by the next run.

A store that has answers already keeps them: of a reading only those days are written that the store does not
know from as late, or later. So a second replay changes nothing, and one that was stopped goes on.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Annotated, Any, TypeVar

import typer

import console
from domain.errors import (
    BrokenAnswer,
    Refused,
    SchemaError,
    SourceError,
    StoreMismatch,
    UsageError,
)
from domain.ledger import Entry, State
from domain.settlement import day_window, days_in, parse_range
from domain.windows import Window
from job import Report, open_job, read_settings
from look import examples
from utils import log

if TYPE_CHECKING:
    import pandas as pd

    from raw_archive import Archive, Exchange, Name, Reading
    from sources.dataset import Answer, Dataset
    from sources.transport import Body
    from stores.ledger import InputFile
    from stores.sql import SqlStore

T = TypeVar("T")

app = typer.Typer()


@app.command(
    "replay",
    epilog=examples(
        "replay --to sqlite:///output/rebuilt.db",
        "replay --to postgresql://grid@localhost/grid frequency --start 2024-10-01 --end 2024-10-31",
        "replay --to sqlite:///there.db --from s3://bucket/raw",
    ),
)
def replay(
    target_url: Annotated[str, typer.Option("--to", metavar="STORE", help="Store to fill.")],
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY...]", help="Datasets and groups; all.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", metavar="A", help="First settlement day.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", metavar="B", help="Last settlement day, included.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--from", metavar="ARCHIVE", help="Instead of RAW_ARCHIVE.")
    ] = None,
) -> int:
    """Rebuild tables, history and ledger from what was answered, without the network.

    A range takes whole answers that touch it. What the store knows from as late or later stays; failures
    are not rebuilt. Products follow with 'process'.
    """
    import fetch_data
    from raw_archive import archive_at

    window = _window(start, end)
    overrides = {"STORE_URL": target_url} | ({"RAW_ARCHIVE": source} if source else {})
    address = read_settings(**overrides)["RAW_ARCHIVE"]
    if not address:
        raise UsageError("there is no archive: set RAW_ARCHIVE, or name one with --from.")
    archive = archive_at(address)
    wanted = {dataset.key for dataset in fetch_data.find_datasets(keys or [])}
    names = [name for name in archive.names() if not wanted or name.dataset in wanted]
    names = [name for name in names if not window or _may_touch(name, window)]
    if not names:
        raise UsageError(
            f"{archive.address} holds no answer of what was asked: correct the address, the keys or the range."
        )
    with open_job("replay", **overrides) as job:
        with console.progress("replay") as progress:
            done = replay_readings(archive, names, job.store, window, progress)
        header = ("dataset", "answers", "known already", "damaged", "rows new or changed")
        rows = [
            [key, part.readings, part.known, len(part.failures), part.changed]
            for key, part in sorted(done.items())
        ]
        console.show(f"Replayed from {archive.address}", header, rows)
        failures = [line for part in done.values() for line in part.failures]
        for line in failures[:20]:
            console.say(f"! {line}")
        if len(failures) > 20:
            console.say(f"! and {len(failures) - 20} more, in the log")
        console.say("Products are not part of it: 'process' computes them.")
        code = 3 if failures else 0
        job.record(code, Report())
        return code


def _window(start: str | None, end: str | None) -> Window | None:
    if end and not start:
        raise UsageError("--end without --start: say where the range begins.")
    return parse_range(start, end) if start else None


def _may_touch(name: Name, window: Window) -> bool:
    """Whether the window of a reading that begins on its day can reach into the range.

    Files always do: whatever days a run asked about, they may hold any.
    """
    from sources import BY_KEY
    from sources.dataset import FileReading

    dataset = BY_KEY.get(name.dataset)
    if dataset is None or isinstance(dataset.read, FileReading):
        return True
    begin = day_window(name.day)
    return begin.start < window.end and begin.end + dataset.widest > window.start


# --- replaying ------------------------------------------------------------------------------------


@dataclass
class Replayed:
    """What became of a dataset's readings; ``known`` of them the store had already."""

    readings: int = 0
    known: int = 0
    changed: int = 0
    failures: list[str] = field(default_factory=list)


def replay_readings(
    archive: Archive,
    names: list[Name],
    store: SqlStore,
    window: Window | None = None,
    progress: Callable[[int, int, Reading], None] | None = None,
) -> dict[str, Replayed]:
    """Write the readings of ``names`` that touch ``window`` to a store, run after run; returns it by dataset.

    A reading that is damaged, or that this version cannot read, is a failure of its dataset; the others go
    on. Raises Locked where a run is writing to one of the tables.
    """
    done = {name.dataset: Replayed() for name in names}
    with contextlib.ExitStack() as held:
        for key in sorted(done):
            held.enter_context(store.lock(key))
        known = {key: _Known(store, key) for key in done}
        number = 0
        for run in archive.runs(names):
            for name, reading in run:
                number += 1
                part = done[name.dataset]
                if reading is None:
                    _fail(
                        part,
                        f"{archive.address}/{name.file} is damaged, or of another version of gridledger: "
                        "the answer was left out.",
                    )
                elif reading.files or not window or reading.window.common(window):
                    _replay(reading, archive, store, known[name.dataset], part)
                    if progress:
                        progress(number, len(names), reading)
    return done


def _replay(
    reading: Reading, archive: Archive, store: SqlStore, known: _Known, part: Replayed
) -> None:
    from sources import BY_KEY
    from sources.dataset import FileReading

    part.readings += 1
    dataset = BY_KEY.get(reading.dataset)
    try:
        if dataset is None:
            raise SourceError("this version has no such dataset")
        if isinstance(dataset.read, FileReading):
            changed = _replay_files(dataset, reading, archive, store, known)
        else:
            changed = _replay_answer(dataset, reading, archive, store, known)
    except (SourceError, SchemaError, StoreMismatch) as trouble:
        said = str(trouble).rstrip(".")
        _fail(part, f"{reading.key} {reading.window}: {said}; the answer was left out.")
        return
    if changed is None:
        part.known += 1
        return
    part.changed += changed
    log.info("%s %s: %d rows new or changed", reading.key, reading.window, changed)


def _fail(part: Replayed, line: str) -> None:
    part.failures.append(line)
    log.error("%s", line)


def _replay_answer(
    dataset: Dataset, reading: Reading, archive: Archive, store: SqlStore, known: _Known
) -> int | None:
    """Read and write what was answered; None where the store has it."""
    from sources.dataset import FileReading
    from storage import write_answer

    assert not isinstance(dataset.read, FileReading)
    windows = known.lacking(reading, listed=not dataset.table.time)
    if not windows:
        return None
    answer = dataset.read(dataset, reading.scope, reading.window, Replayer(archive, reading))
    changed = 0
    for window in windows:
        kept = answer if window == reading.window else _cut(dataset, answer, window)
        changed += write_answer(store, dataset, reading.scope, window, kept, reading.known_at)[1]
    return changed


def _cut(dataset: Dataset, answer: Answer, window: Window) -> Answer:
    """The part of an answer that lies in a window."""
    time = dataset.table.time

    def inside(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[(frame[time] >= window.start) & (frame[time] < window.end)]

    rows = replace(
        answer.rows,
        frame=inside(answer.rows.frame).reset_index(drop=True),
        older=inside(answer.rows.older),
    )
    return replace(answer, rows=rows)


def _replay_files(
    dataset: Dataset, reading: Reading, archive: Archive, store: SqlStore, known: _Known
) -> int | None:
    """Lay out the files that were read, and read them; None where the store has them."""
    from read_files import SYNTHETIC_MARK, read_new_files

    if known.has_files(reading):
        return None
    with tempfile.TemporaryDirectory(prefix="gridledger-") as name:
        root = Path(name)
        for file in reading.files:
            inside = PurePosixPath(file.name)
            if inside.is_absolute() or ".." in inside.parts:
                raise BrokenAnswer(f"the archive names a file outside of its folder ({file.name})")
            path = root / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w+b") as target:
                archive.take_file(file.body, target)
            os.utime(path, ns=(file.modified_ns, file.modified_ns))
        if reading.synthetic:
            (root / SYNTHETIC_MARK).touch()
        return read_new_files(dataset, root, reading.window, store, reading.known_at).changed


class _Known:
    """What a store knew of a dataset when the replay began."""

    def __init__(self, store: SqlStore, key: str) -> None:
        self._entries: dict[tuple[str, date], Entry] = store.entries(key)
        self._files: dict[str, InputFile] = store.input_files(key)

    def lacking(self, reading: Reading, *, listed: bool) -> list[Window]:
        """The parts of the reading's window of which the store knew nothing as late as the reading.

        A list (``listed``) is as it stood last, whatever day it was asked for.
        """
        days = days_in(reading.window)
        late = {
            day
            for (scope, day), entry in self._entries.items()
            if scope == reading.scope and _as_late(entry, reading)
        }
        if listed:
            return [] if late else [reading.window]
        windows: list[Window] = []
        for day in days:
            part = reading.window.common(day_window(day))
            if day in late or part is None:
                continue
            if windows and windows[-1].end == part.start:
                windows[-1] = Window(windows[-1].start, part.end)
            else:
                windows.append(part)
        return windows

    def has_files(self, reading: Reading) -> bool:
        """Whether the store knew these files as they were then, or of a later state of the folder."""
        newest = max((e.asked_at for e in self._entries.values() if not _bare(e)), default=None)
        if newest is None or newest < _stored(reading.known_at):
            return False
        if newest > _stored(reading.known_at):
            return True
        before = self._files
        return all(
            file.name in before and before[file.name].sha256 == file.body.sha256
            for file in reading.files
        )


def _as_late(entry: Entry, reading: Reading) -> bool:
    return not _bare(entry) and entry.asked_at >= _stored(reading.known_at)


def _bare(entry: Entry) -> bool:
    """Whether the entry tells only that a window failed, and of no answer."""
    return entry.state is State.FAILED and not entry.answers and not entry.version


def _stored(moment: datetime) -> datetime:
    """A moment as the ledger keeps it."""
    return moment.replace(microsecond=0)


class Replayer:
    """What readers ask in place of a provider: it answers from one reading and never from the network."""

    def __init__(self, archive: Archive, reading: Reading) -> None:
        self._archive = archive
        self.learnt = {path: timedelta(seconds=s) for path, s in reading.learnt_s.items()}
        self._made: dict[Hashable, Any] = {}
        self._exchanges: dict[object, deque[Exchange]] = {}
        for exchange in reading.exchanges:
            asked = exchange.address or _question(exchange.path, exchange.params)
            self._exchanges.setdefault(asked, deque()).append(exchange)

    def get(
        self, dataset: str, path: str, params: Mapping[str, str], decode: Callable[[bytes], T]
    ) -> tuple[T, Body]:
        """The archived answer to the same question; raises as ``Client.get`` does."""
        from sources.transport import Body

        exchange = self._answer(_question(path, params), path)
        content = self._archive.take(exchange.body)
        if exchange.status != 200:
            raise Refused(content.decode("utf-8", "replace"), exchange.status, content)
        return decode(content), Body(content, exchange.synthetic)

    def download(
        self, dataset: str, address: str, file: IO[bytes], check: Callable[[IO[bytes]], None]
    ) -> bool:
        """Write the archived file, which was checked when it came."""
        from raw_archive import hashed

        exchange = self._answer(hashed(address), "a file's address")
        file.seek(0)
        file.truncate()
        self._archive.take_file(exchange.body, file)
        return exchange.synthetic

    def reuse(self, address: str) -> None:
        """Nothing is asked twice here."""

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Made for each reading, because each brings the answers that it had."""
        if key not in self._made:
            self._made[key] = make()
        made: T = self._made[key]
        return made

    def _answer(self, asked: object, path: str) -> Exchange:
        left = self._exchanges.get(asked)
        if not left:
            raise BrokenAnswer(
                f"the archive holds no answer to {path}: this version asks otherwise than the one that kept it"
            )
        return left.popleft() if len(left) > 1 else left[0]


def _question(path: str, params: Mapping[str, str]) -> tuple[str, frozenset[tuple[str, str]]]:
    return path, frozenset(params.items())
