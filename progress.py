"""How far a command is: bars and tables on a terminal, and a file for whoever watches from outside."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import console
from utils import log, write_whole

if TYPE_CHECKING:
    from fetch_data import Fetched, Progress

# How often a log that nobody watches is told, and how often a file.
TELL_LOG_EVERY_S, TELL_FILE_EVERY_S = 30.0, 1.0
# What a watched command is at; a command that fetches nothing more goes on with its products.
STARTING, FETCHING, COMPUTING = "starting", "fetching", "computing"


@dataclass(frozen=True)
class Gauge:
    """How far a dataset is, and how long it still takes."""

    key: str
    done: int
    windows: int
    rows: int
    requests: int
    megabytes: float
    rows_per_s: float
    left_s: float

    HEADER = ("dataset", "windows", "rows", "requests", "MB", "rows/s", "time left")

    def cells(self) -> list[str]:
        left = f"{int(self.left_s // 3600)}:{int(self.left_s // 60 % 60):02}:{int(self.left_s % 60):02}"
        return [
            self.key,
            f"{self.done}/{self.windows}",
            f"{self.rows:,}",
            f"{self.requests:,}",
            f"{self.megabytes:.1f}",
            f"{self.rows_per_s:,.0f}",
            left,
        ]


class Meter:
    """Told of every window that is done; keeps a gauge a dataset and shows them now and then."""

    def __init__(self, show: Callable[[list[Gauge]], None], every_s: float) -> None:
        self.done = self.total = 0
        self._show = show
        self._every_s = every_s
        self._begin = self._shown = time.monotonic()
        self._parts: dict[str, Fetched] = {}

    def __call__(self, done: int, total: int, part: Fetched) -> None:
        self.done, self.total = done, total
        self._parts[part.key] = part
        if done == total or time.monotonic() - self._shown >= self._every_s:
            self._shown = time.monotonic()
            self._show(self.gauges())

    def gauges(self) -> list[Gauge]:
        """Of each dataset of which a window is done."""
        return [self._gauge(each) for each in self._parts.values()]

    def _gauge(self, part: Fetched) -> Gauge:
        elapsed = max(time.monotonic() - self._begin, 1e-3)
        return Gauge(
            part.key,
            part.done,
            part.windows,
            part.changed,
            part.requests,
            part.bytes / 1e6,
            part.changed / elapsed,
            elapsed / part.done * (part.windows - part.done),
        )


@contextlib.contextmanager
def bar(what: str) -> Iterator[Progress | None]:
    """One bar on a terminal; nothing elsewhere, where the log's lines tell the same."""
    with console.progress(what) as shown, _told_too(shown) as progress:
        yield progress


@contextlib.contextmanager
def table() -> Iterator[Progress | None]:
    """A live table of gauges on a terminal, lines of the log elsewhere."""
    if not sys.stderr.isatty():
        with _told_too(Meter(_log, TELL_LOG_EVERY_S)) as progress:
            yield progress
        return
    with console.live(Gauge.HEADER) as show:
        drawn = Meter(lambda gauges: show([gauge.cells() for gauge in gauges]), 0.5)
        with _told_too(drawn) as progress:
            yield progress


def _log(gauges: list[Gauge]) -> None:
    for gauge in gauges:
        if gauge.done < gauge.windows or gauge.windows == 1:
            log.info(
                "progress: %s",
                ", ".join(map(" ".join, zip(Gauge.HEADER, gauge.cells(), strict=True))),
            )


# --- a file that is watched -----------------------------------------------------------------------

# Of the command line: where this process tells how far it is. Empty: nowhere.
_watched: list[Path] = []


def tell_to(path: Path) -> None:
    """From now on tell a file (JSON, whole at any time) how far this process is."""
    _watched[:] = [path]
    _write(STARTING)


def ended(exit_code: int) -> None:
    """Tell the watched file, where there is one, how the process ends; what was told before stays."""
    for path in _watched:
        told = read(path)
        _write(**{**told, "exit_code": exit_code})


def read(path: Path) -> dict[str, Any]:
    """What a file was told last; a file that is not there was told nothing.

    ``stage``, windows ``done`` of ``total``, ``gauges`` (fields of ``Gauge``), and ``exit_code``, None as
    long as the process runs.
    """
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        told = {}
    nothing: dict[str, Any] = {
        "stage": STARTING,
        "done": 0,
        "total": 0,
        "gauges": [],
        "exit_code": None,
    }
    return nothing | (told if isinstance(told, dict) else {})


@contextlib.contextmanager
def _told_too(shown: Progress | None) -> Iterator[Progress | None]:
    """``shown``, and the watched file beside it."""
    if not _watched:
        yield shown
        return

    def write(gauges: list[Gauge], stage: str = FETCHING) -> None:
        _write(stage, meter.done, meter.total, [asdict(gauge) for gauge in gauges])

    meter = Meter(write, TELL_FILE_EVERY_S)

    def both(done: int, total: int, part: Fetched) -> None:
        meter(done, total, part)
        if shown:
            shown(done, total, part)

    yield both
    write(meter.gauges(), COMPUTING)


def _write(
    stage: str,
    done: int = 0,
    total: int = 0,
    gauges: object = (),
    exit_code: int | None = None,
) -> None:
    told = {"stage": stage, "done": done, "total": total, "gauges": gauges, "exit_code": exit_code}
    for path in _watched:
        try:
            write_whole(path, json.dumps(told).encode())
        except OSError as trouble:  # the work goes on, whether or not anybody can watch it
            log.warning("%s could not be written: %s", path.name, trouble.strerror)
            _watched.clear()
