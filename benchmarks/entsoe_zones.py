"""All zones of ENTSO-E: a month of load, generation and prices through the client into SQLite.

Run as ``python -m benchmarks.entsoe_zones [--write]``; docs/performance.md holds the outcome. First at
the pace that the platform is asked, with its limit of 400 requests a minute in force, as the sandbox
counts them; then without either, which leaves the work. entsoe-py is measured beside it where
``GRIDLEDGER_ENTSOE_PY`` names a Python that has it.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import console
from benchmarks.entsoe_beside import show
from benchmarks.entsoe_cases import NOW
from benchmarks.measure import in_child, peak_mb, printed_by, record
from domain.settlement import days_window
from domain.zones import LIVE
from utils import start_log

KEYS = ("entsoe_load", "entsoe_generation", "entsoe_day_ahead_prices")
WEEK = date(2025, 10, 20), date(2025, 10, 26)
MONTH = date(2025, 10, 1), date(2025, 10, 31)
TWO_MONTHS = date(2025, 9, 1), date(2025, 10, 31)
# For memory over a longer range; the largest are among them.
SOME = LIVE[: len(LIVE) // 3]
MOST_A_MINUTE = 400
_SPAWN = get_context("spawn")


@dataclass(frozen=True)
class Seen:
    """What the sandbox saw: when it was asked [s], what it answered, its processor seconds."""

    moments: list[float]
    statuses: Counter[int]
    cpu_s: float

    def most_in(self, length_s: float) -> int:
        """Most requests in any span of so many seconds."""
        return most_in(self.moments, length_s)


def most_in(moments: Sequence[float], length_s: float) -> int:
    """Most of some moments, in order, in any half-open span of a length."""
    return max((bisect_left(moments, at + length_s) - n for n, at in enumerate(moments)), default=0)


@dataclass(frozen=True)
class Filled:
    """A fetch into an empty store, and once more into the full one."""

    rows: int
    requests: int
    retries: int
    failures: int
    megabytes: float
    store_mb: float
    seconds: float
    cpu_s: float
    peak_mb: float
    states: Counter[str]
    answered: int
    again_requests: int
    again_s: float
    by_dataset: dict[str, tuple[int, int, float]]


class Platform:
    """The sandbox in a process of its own."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.settings: dict[str, str] = pipe.recv()

    def seen(self) -> Seen:
        """What it has seen since the start."""
        self._pipe.send("seen")
        seen: Seen = self._pipe.recv()
        return seen

    def lift_limit(self) -> None:
        """From now on it may be asked at any pace."""
        self._pipe.send("lift")
        self._pipe.recv()


@contextlib.contextmanager
def platform(*, whole: bool = False) -> Iterator[Platform]:
    """Serve the sandbox; ``whole`` has a value in every Point, which entsoe-py needs."""
    ours, its = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_serve, args=(its, whole), daemon=True)
    process.start()
    try:
        yield Platform(ours)
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, whole: bool) -> None:
    from sandbox import Sandbox
    from sandbox.gates import Gates

    moments: list[float] = []

    class Counting(Gates):
        def refuse(self, *asked: Any, **more: Any) -> Any:
            moments.append(time.monotonic())
            return super().refuse(*asked, **more)

    with Sandbox(now=NOW) as api:
        api.gates = Counting(api.answers.catalogue.providers)
        if whole:
            _fill_points(api.answers.services["entsoe"])
        pipe.send(api.settings())
        while asked := pipe.recv():
            if asked == "lift":
                api.limits = {"entsoe": None}
                pipe.send(None)
            else:
                statuses = Counter(request.status for request in api.requests)
                pipe.send(Seen(sorted(moments), statuses, time.process_time()))


def _fill_points(entsoe: Any) -> Any:
    from sandbox.entsoe.days import Name, Quirks

    class Whole(Quirks):
        def nulls(self, name: Name, curves: int) -> int | None:
            return None

    entsoe.series.quirks = Whole(entsoe.series.seed)
    return entsoe


# --- the measured process -------------------------------------------------------------------------


def fill(days: tuple[date, date], zones: str, settings: Mapping[str, str], folder: Path) -> Filled:
    """Fetch zones in this process, then once more."""
    import fetch_data
    from storage import open_store
    from utils import load_settings

    start_log(folder, logging.CRITICAL)
    url = f"sqlite:///{folder / 'grid.db'}"
    chosen = {**settings, "ENTSOE_ZONES": zones, "STORE_URL": url}
    loaded = load_settings(fetch_data.SETTINGS, chosen)
    datasets = fetch_data.find_datasets(KEYS)
    wanted = fetch_data.each_scope(datasets, loaded, lambda *_: days_window(*days))

    def once() -> tuple[fetch_data.FetchReport, float]:
        with open_store(url) as store:
            begin = time.perf_counter()
            report = fetch_data.fetch_windows(
                wanted, store, loaded, datetime.now(UTC), by_name=False
            )
            return report, time.perf_counter() - begin

    before = time.process_time()
    report, taken = once()
    cpu, peak = time.process_time() - before, peak_mb()
    again, again_s = once()
    parts = report.fetched
    return Filled(
        rows=sum(part.changed for part in parts),
        requests=report.requests,
        retries=report.retries,
        failures=sum(len(part.failures) for part in parts),
        megabytes=sum(part.bytes for part in parts) / 1e6,
        store_mb=sum(file.stat().st_size for file in folder.glob("grid.db*") if file.is_file())
        / 1e6,
        seconds=taken,
        cpu_s=cpu,
        peak_mb=peak,
        states=Counter(str(entry.state) for entry in report.entries),
        answered=len({part.scope for part in parts if part.changed}),
        again_requests=again.requests,
        again_s=again_s,
        by_dataset={
            key: (
                sum(part.changed for part in parts if part.dataset.key == key),
                max(part.requests for part in parts if part.dataset.key == key),
                sum(part.bytes for part in parts if part.dataset.key == key) / 1e6,
            )
            for key in KEYS
        },
    )


# --- the whole ------------------------------------------------------------------------------------


def main(*, write: bool) -> int:
    """Measure and print; ``write`` puts what is printed into docs/performance.md too."""
    printed = printed_by(_measure)
    if write:
        record("entsoe zones", printed)
    return 0


def _measure() -> None:
    from sandbox.entsoe import Platform as Model

    with tempfile.TemporaryDirectory() as place:
        root = Path(place)

        def filled(
            days: tuple[date, date], name: str, settings: Mapping[str, str], zones: str = "all"
        ) -> Filled:
            return in_child(fill, days, zones, settings, root / name)

        with platform() as served:
            paced = filled(MONTH, "paced", served.settings)
            seen = served.seen()
            served.lift_limit()
            unhurried = {**served.settings, "ENTSOE_REQUESTS_PER_S": "1000"}
            month = filled(MONTH, "month", unhurried)
            week = filled(WEEK, "week", unhurried)
            longer = filled(TWO_MONTHS, "longer", unhurried, ",".join(SOME))
            _show(paced, seen, week, month, longer)
            console.say()
            with platform(whole=True) as filled_up:
                model = _fill_points(Model(7))
                show(served.settings, filled_up.settings, model, root)


def _show(paced: Filled, seen: Seen, week: Filled, month: Filled, longer: Filled) -> None:
    rows: list[list[object]] = [
        [key, f"{count:,}", requests, round(megabytes, 1)]
        for key, (count, requests, megabytes) in paced.by_dataset.items()
    ]
    days = f"{MONTH[0]} to {MONTH[1]}"
    console.show(
        f"{len(LIVE)} live zones, of which the sandbox has data of {paced.answered}: {days}",
        ("dataset", "rows", "requests", "MB"),
        rows,
    )
    console.say()
    refused = sum(count for status, count in seen.statuses.items() if status != 200)
    minute = seen.most_in(60)
    pace = paced.requests / 6
    facts: list[list[object]] = [
        ["requests, as the sandbox counts them", len(seen.moments)],
        ["of these refused (429 or other)", refused],
        [f"most requests in any 60 s, at most {MOST_A_MINUTE}", minute],
        ["most requests in any 10 s (400 a minute are 66)", seen.most_in(10)],
        ["failed windows", paced.failures],
        *([f"days {state}", f"{n:,}"] for state, n in paced.states.most_common()),
        ["rows", f"{paced.rows:,}"],
        ["seconds, at 6 requests a second", round(paced.seconds, 1)],
        ["of these the pace alone", round(pace, 1)],
        ["seconds without pace and limit, documents made before", round(month.seconds, 1)],
        ["rows a second of these", f"{month.rows / month.seconds:,.0f}"],
        ["CPU seconds, at the pace", round(paced.cpu_s, 1)],
        ["CPU seconds, without", round(month.cpu_s, 1)],
        ["rows a CPU second", f"{month.rows / month.cpu_s:,.0f}"],
        ["CPU seconds of the sandbox while at the pace", round(seen.cpu_s, 1)],
        ["peak memory, a week [MB]", round(week.peak_mb)],
        ["peak memory, a month [MB]", round(month.peak_mb)],
        [f"peak memory, two months of {len(SOME)} zones [MB]", round(longer.peak_mb)],
        ["store [MB]", round(month.store_mb, 1)],
        ["second run: requests", paced.again_requests],
        ["second run: seconds", round(paced.again_s, 2)],
    ]
    console.show("In all", ("what", "measured"), facts)
    met = "met" if minute <= MOST_A_MINUTE and not refused else "NOT met"
    console.say(f"Aim: within {MOST_A_MINUTE} requests a minute: {met}")


if __name__ == "__main__":
    sys.exit(main(write="--write" in sys.argv))
