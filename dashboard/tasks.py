"""Work that a page starts: a process of its own, which outlives page and tab.

In ``OUTPUT_DIR/dashboard`` a task has three files: ``ID.json`` says what was started, ``ID.progress.json``
how far it is and how it ended (told by the process itself), ``ID.log`` has what it printed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import progress
from domain.errors import StoreError, UsageError
from domain.settlement import days_window, parse_day
from domain.windows import format_instant, parse_instant
from fetch_data import find_datasets
from job import EXIT_CODES, refuse_future
from utils import PROJECT, Settings, write_whole

# The commands that a page may start, and which of them take keys and need days.
COMMANDS = ("fetch", "backfill", "repair", "run")
_WITH_KEYS, _WITH_DAYS = ("fetch", "backfill", "repair"), ("fetch", "backfill", "run")
KEPT = 50
# Clocks are set now and then; no other process has the same id within seconds.
_SAME_START_S = 10.0
_LAST_BYTES = 64 * 1024
_FILE = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}\.json")


def listing(words: Sequence[str], most: int = 3) -> str:
    """Words for people, of many only the first.

    >>> listing(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Started:
    """What was started: the words and days that were asked, the process, and when it began."""

    id: str
    command: str
    words: tuple[str, ...]
    first: str
    last: str
    began: str
    pid: int
    born: float

    @property
    def title(self) -> str:
        """What it does, for people."""
        days = " to ".join(dict.fromkeys(filter(None, (self.first, self.last))))
        return " ".join(filter(None, [self.command, listing(self.words), days]))


@dataclass(frozen=True)
class Task:
    """A task as it stands: what was started, what its process told last, and whether it lives.

    ``gauges`` have the fields of ``progress.Gauge``; ``done`` of ``total`` windows are done.
    """

    started: Started
    stage: str
    done: int
    total: int
    gauges: list[Mapping[str, Any]]
    exit_code: int | None
    running: bool
    log: Path

    @property
    def began(self) -> datetime:
        return parse_instant(self.started.began)

    @property
    def died(self) -> bool:
        """Whether the process is gone without a word."""
        return not self.running and self.exit_code is None

    @property
    def state(self) -> str:
        """How it stands, for people."""
        if self.running:
            return self.stage
        if self.exit_code is None:
            return "ended without a word: it was killed, or the machine went down"
        return EXIT_CODES.get(self.exit_code, f"ended with exit code {self.exit_code}")

    @property
    def rows(self) -> int:
        """Rows that are new or changed."""
        return sum(gauge["rows"] for gauge in self.gauges)

    def left_s(self, now: datetime) -> float | None:
        """How long fetching still takes, if it goes on as it did [s]; None where nothing is done yet."""
        elapsed = (now - self.began).total_seconds()
        return elapsed / self.done * (self.total - self.done) if self.done else None


def arguments(
    command: str, words: Sequence[str], first: date | None, last: date | None
) -> list[str]:
    """What main.py is called with; words are keys, aliases or groups of datasets.

    Raises UsageError for a command that no page may start, an unknown word, days that are missing, lie
    the wrong way round or have not begun.
    """
    if command not in COMMANDS:
        raise UsageError(f"'{command}' is nothing that a page may start.")
    if command in _WITH_KEYS:
        if not words:
            raise UsageError("Choose at least one dataset or group.")
        find_datasets(words)
    elif words:
        raise UsageError(f"'{command}' takes no datasets.")
    if command in _WITH_DAYS and not (first and last):
        raise UsageError("Choose the first and the last day.")
    if first and last:
        if last < first:
            raise UsageError(f"The range is reversed: {first} comes after {last}.")
        refuse_future(days_window(first, last))
    days = (("--start", first), ("--end", last))
    given = [text for name, day in days if day for text in (name, parse_day(str(day)).isoformat())]
    return [command, *words, *given]


_children: list[subprocess.Popen[bytes]] = []


def start(
    settings: Settings,
    command: str,
    words: Sequence[str],
    first: date | None = None,
    last: date | None = None,
) -> Task:
    """Start a command over datasets and days; it goes on whatever becomes of the page.

    Raises UsageError for what cannot be asked, StoreError where OUTPUT_DIR cannot be written.
    """
    import psutil

    asked = arguments(command, words, first, last)
    folder, now = _folder(settings), datetime.now(UTC)
    id = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _forget_old(folder)
        with _log_of(folder, id).open("wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    str(PROJECT / "main.py"),
                    f"--progress={_progress_of(folder, id)}",
                    *asked,
                ],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _children.append(process)
        started = Started(
            id,
            command,
            tuple(words),
            str(first or ""),
            str(last or ""),
            format_instant(now),
            process.pid,
            psutil.Process(process.pid).create_time(),
        )
        write_whole(_state_of(folder, id), json.dumps(asdict(started)).encode())
    except OSError as trouble:
        raise StoreError(
            f"The task could not be started ({trouble.strerror}): OUTPUT_DIR must be writable."
        ) from None
    return _task(folder, started)


def listed(settings: Settings) -> list[Task]:
    """All tasks, the newest first."""
    for child in list(_children):  # one that ended is asked after, or it stays in the process table
        if child.poll() is not None:
            _children.remove(child)
    folder = _folder(settings)
    return [_task(folder, started) for started in _newest_first(folder)]


def stop(task: Task) -> None:
    """Ask a task to end; what it finished stays."""
    import psutil

    if task.running:
        try:
            psutil.Process(task.started.pid).terminate()
        except psutil.Error:
            return  # it ended by itself meanwhile


def last_lines(task: Task, count: int = 15) -> list[str]:
    """The last lines of its log, tracebacks left out: those are for the log file."""
    try:
        with task.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return _TRACEBACK.sub(
        "(an unforeseen fault; the log file has the details)\n", text
    ).splitlines()[-count:]


_TRACEBACK = re.compile(
    r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*.*\n?", re.MULTILINE
)


def _folder(settings: Settings) -> Path:
    folder: Path = settings["OUTPUT_DIR"]
    return folder / "dashboard"


def _state_of(folder: Path, id: str) -> Path:
    return folder / f"{id}.json"


def _log_of(folder: Path, id: str) -> Path:
    return folder / f"{id}.log"


def _progress_of(folder: Path, id: str) -> Path:
    return folder / f"{id}.progress.json"


def _newest_first(folder: Path) -> list[Started]:
    found = []
    for path in sorted(folder.glob("*.json"), reverse=True):
        if _FILE.fullmatch(path.name):
            with contextlib.suppress(
                OSError, ValueError, TypeError, KeyError
            ):  # not as we write it
                said = json.loads(path.read_bytes())
                found.append(Started(**{**said, "words": tuple(said["words"])}))
    return found


def _task(folder: Path, started: Started) -> Task:
    # Looked at in this order: who is gone told all there was to tell.
    running = _lives(started)
    told: dict[str, Any] = progress.read(_progress_of(folder, started.id))
    running = running and told["exit_code"] is None
    return Task(
        started,
        **{name: told[name] for name in ("stage", "done", "total", "gauges", "exit_code")},
        running=running,
        log=_log_of(folder, started.id),
    )


def _lives(started: Started) -> bool:
    import psutil

    try:
        process = psutil.Process(started.pid)
        same = abs(process.create_time() - started.born) < _SAME_START_S
        return same and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _forget_old(folder: Path) -> None:
    """Remove the files of all but the newest tasks; one that runs is kept however old."""
    for started in _newest_first(folder)[KEPT:]:
        if not _lives(started):
            for of in (_state_of, _progress_of, _log_of):
                of(folder, started.id).unlink(missing_ok=True)
