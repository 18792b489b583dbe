"""Ten years: a simulated year of the British core group, and the arithmetic of 2016 to today.

``bench`` runs it after the frequency path; ``--write`` puts the figures into docs/scale.md.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import console
from benchmarks.measure import in_child, peak_mb, printed_by, record, sandbox_settings
from domain.settlement import ONE_DAY, days_in, days_window
from sources import DATASETS
from sources.dataset import Dataset
from sources.elexon_rows import JsonRows
from utils import PROJECT, start_log

LAST_DAY = date(2024, 12, 31)
HISTORY_FROM = date(2016, 1, 1)
BRITISH = ("elexon", "carbon_intensity", "neso")
# What is added to the store for ``coverage`` on ten years.
TEN_YEARS = days_window(date(2015, 1, 1), date(2024, 12, 31))


@dataclass(frozen=True)
class Filled:
    """One backfill: what came, what it took."""

    rows: int
    requests: int
    megabytes: float
    store_mb: float
    seconds: float
    peak_mb: float
    again_requests: int
    again_s: float
    by_dataset: dict[str, tuple[int, int, float]]  # rows, requests, MB


def core() -> list[Dataset]:
    """The British part of the core group."""
    return [d for d in DATASETS if "core" in d.groups and d.provider.key in BRITISH]


def main(days: int, *, write: bool = False) -> int:
    """Backfill ``days`` days up to the end of 2024 and a quarter of them, print, and write the page."""
    with tempfile.TemporaryDirectory() as place, sandbox_settings() as settings:
        folder = Path(place)
        year = in_child(fill, days, folder / "year", settings)
        quarter = in_child(fill, max(days // 4, 1), folder / "quarter", settings)
        ten_years = in_child(make_ten_years, folder / "ten")
        coverage_s = sorted(_coverage(folder / "ten") for _ in range(3))[1]
    measured = printed_by(lambda: _show(year, quarter, days, ten_years, coverage_s))
    arithmetic = printed_by(lambda: _show_arithmetic(year, days))
    if write:
        record("backfill", measured, "scale.md")
        record("arithmetic", arithmetic, "scale.md")
    return 0


def fill(days: int, folder: Path, settings: Mapping[str, str]) -> Filled:
    """Backfill in this process, then once more; without products, whose cost is another page."""
    import pyarrow.csv  # noqa: F401

    import fetch_data
    from storage import open_store
    from utils import load_settings

    start_log(folder, logging.CRITICAL)
    window = days_window(LAST_DAY - (days - 1) * ONE_DAY, LAST_DAY)
    url = f"sqlite:///{folder / 'grid.db'}"
    loaded = load_settings(fetch_data.SETTINGS, {**settings, "STORE_URL": url})
    wanted = fetch_data.each_scope(core(), loaded, lambda *_: window)

    def once() -> tuple[fetch_data.FetchReport, float]:
        with open_store(url) as store:
            begin = time.perf_counter()
            report = fetch_data.fetch_windows(
                wanted, store, loaded, datetime.now(UTC), by_name=False
            )
            return report, time.perf_counter() - begin

    report, taken = once()
    peak = peak_mb()
    again, again_s = once()
    return Filled(
        rows=sum(part.changed for part in report.fetched),
        requests=report.requests,
        megabytes=sum(part.bytes for part in report.fetched) / 1e6,
        store_mb=sum(file.stat().st_size for file in folder.glob("grid.db*") if file.is_file())
        / 1e6,
        seconds=taken,
        peak_mb=peak,
        again_requests=again.requests,
        again_s=again_s,
        by_dataset={
            part.key: (part.changed, part.requests, part.bytes / 1e6) for part in report.fetched
        },
    )


def make_ten_years(folder: Path) -> int:
    """A store whose ledger knows ten years of the core group; returns how many entries it has."""
    from domain.ledger import Entry, State
    from domain.settlement import day_window
    from storage import open_store

    folder.mkdir(parents=True)
    days = days_in(TEN_YEARS)
    asked = datetime(2025, 1, 10, tzinfo=UTC)
    with open_store(f"sqlite:///{folder / 'grid.db'}") as store, store.transaction():
        for dataset in core():
            for number, day in enumerate(days):
                state = State.PARTIAL if number % 97 == 0 else State.COMPLETE
                store.record(
                    Entry(
                        dataset.key, "", day, day_window(day), state, dataset.rows_a_day,
                        dataset.rows_a_day, 1.0, 1, asked, asked, 1,
                    )
                )  # fmt: skip
    return len(days) * len(core())


def _coverage(folder: Path) -> float:
    """Wall seconds of the command ``coverage`` on that store, the start of Python included."""
    keys = [dataset.key for dataset in core()]
    ours = {"STORE_URL": f"sqlite:///{folder / 'grid.db'}", "OUTPUT_DIR": str(folder)}
    words = ["coverage", *keys, "--start", "2015-01-01", "--end", str(LAST_DAY)]
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, str(PROJECT / "main.py"), *words],
        env={**os.environ, **ours},
        check=False,
        capture_output=True,
    )
    return time.perf_counter() - begin


def _show(year: Filled, quarter: Filled, days: int, entries: int, coverage_s: float) -> None:
    rows: list[list[Any]] = [
        [key, f"{rows:,}", f"{requests:,}", round(megabytes, 1)]
        for key, (rows, requests, megabytes) in year.by_dataset.items()
    ]
    header = ("dataset", "rows", "requests", "MB")
    console.show(f"Backfill of {days} days of the British core group", header, rows)
    facts: list[list[Any]] = [
        ["rows", f"{year.rows:,}"],
        ["seconds", round(year.seconds, 1)],
        ["rows a second", f"{year.rows / year.seconds:,.0f}"],
        ["requests", f"{year.requests:,}"],
        ["answers [MB]", round(year.megabytes, 1)],
        ["store [MB]", round(year.store_mb, 1)],
        [f"peak memory, {days} days [MB]", round(year.peak_mb)],
        [f"peak memory, {max(days // 4, 1)} days [MB]", round(quarter.peak_mb)],
        ["second run: requests", year.again_requests],
        ["second run: seconds", round(year.again_s, 2)],
        [f"'coverage' on ten years, {entries:,} entries [s]", round(coverage_s, 2)],
    ]
    console.show("In all", ("what", "measured"), facts)


def _show_arithmetic(year: Filled, days: int) -> None:
    """Requests, hours and bytes of 2016 to today; bytes of what was not measured are estimated."""
    today = date.today()
    span = days_window(HISTORY_FROM, today - ONE_DAY)
    measured_bytes = year.megabytes * 1e6 / max(year.rows, 1)
    rows: list[list[Any]] = []
    for dataset in sorted(
        (d for d in DATASETS if d.provider.key in BRITISH and d.priority < 90),
        key=lambda d: d.priority,
    ):
        first = max(HISTORY_FROM, dataset.available_from)
        length = (today - first).days if dataset.table.time else 1
        requests = sum(_requests(dataset, length))
        came = year.by_dataset.get(dataset.key)
        a_row = came[2] * 1e6 / came[0] if came and came[0] else measured_bytes
        count = dataset.rows_a_day * length
        hours = requests / dataset.provider.requests_per_s / 3600
        rows.append(
            [
                dataset.key, f"{requests:,}", round(hours, 2), f"{count / 1e6:,.1f}",
                f"{count * a_row / 1e9:,.2f}{'' if came else ' (estimated)'}",
                f"{count * year.store_mb * 1e6 / max(year.rows, 1) / 1e9:,.2f}",
            ]
        )  # fmt: skip
    header = (
        "dataset",
        "requests",
        "hours at the polite rate",
        "million rows",
        "answers [GB]",
        "store [GB]",
    )
    console.show(f"{HISTORY_FROM} to {today} ({len(days_in(span)):,} days)", header, rows)


def _requests(dataset: Dataset, days: int) -> Iterator[int]:
    """How many requests each window of so many days takes."""
    widest = max(dataset.widest // timedelta(days=1), 1)
    window = days_window(LAST_DAY - (widest - 1) * ONE_DAY, LAST_DAY)
    each = len(dataset.read.parts(window)) if isinstance(dataset.read, JsonRows) else 1
    for _ in range(0, days, widest):
        yield each


if __name__ == "__main__":
    with contextlib.redirect_stderr(io.StringIO()):
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 28))
