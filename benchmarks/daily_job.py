"""``bench``: each stage of the frequency path beside its floor, then the whole beside the naive way.

Everything is measured in one run, with the same libraries, on the same synthetic bodies, which a
sandbox in another process serves over loopback. Prints a table and writes ``output/bench.json``.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import console
from benchmarks.measure import Row, in_child, printed_by, record, sandbox_settings
from benchmarks.stages import (
    fetch_stages,
    measure_day,
    measure_naive,
    measure_whole,
    product_stages,
)
from domain.settlement import ONE_DAY, days_in, days_window
from utils import PROJECT, write_whole

LAST_DAY = date(2024, 12, 31)
# A day on which the sandbox withholds nothing, so that the ledger can prove it.
PROVEN_DAY = "2024-03-31"
NAIVE_DAYS = 28
LIBRARIES = ("msgspec", "numpy", "pandas", "pyarrow", "requests")


def main(days: int, *, write: bool = False) -> int:
    """Measure on ``days`` days up to the end of 2024, print, and write ``output/bench.json``.

    ``write`` puts what is printed into docs/performance.md too.
    """
    window = days_window(LAST_DAY - (days - 1) * ONE_DAY, LAST_DAY)
    with tempfile.TemporaryDirectory() as place, sandbox_settings() as settings:
        folder = Path(place)
        start = _start_up(folder / "start", settings)
        rows = in_child(fetch_stages, window, folder / "stages", settings)
        rows += in_child(product_stages, window, folder / "stages")
        whole = in_child(measure_whole, window, folder / "whole", settings)
        quarter_days = days_in(window)[-max(days // 4, 1) :]
        quarter_window = days_window(quarter_days[0], quarter_days[-1])
        quarter = in_child(measure_whole, quarter_window, folder / "quarter", settings)
        day = in_child(measure_day, PROVEN_DAY, folder / "day", settings)
        few = days_in(window)[-NAIVE_DAYS:]
        few_window = days_window(few[0], few[-1])
        naive = in_child(measure_naive, few_window, folder / "naive", settings)
    naive["days"], naive["scale"] = len(few), days / len(few)
    naive["seconds"] *= naive["scale"]
    report = {
        "days": days,
        "rows": whole["rows"],
        "start_s": start,
        "day_s": dict(day),
        "stages": [{**asdict(row), "ratio": row.ratio} for row in rows],
        "floors_s": sum(row.floor_s for row in rows),
        "whole": whole,
        "quarter": {**quarter, "days": len(quarter_days)},
        "naive": naive,
        "versions": {
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            **{name: version(name) for name in LIBRARIES},
        },
    }
    printed = printed_by(lambda: _show(report, rows))
    if write:
        record("frequency path", printed)
    write_whole(PROJECT / "output" / "bench.json", (json.dumps(report, indent=1) + "\n").encode())
    return 0


def _show(report: dict[str, Any], rows: list[Row]) -> None:
    whole, quarter, naive = report["whole"], report["quarter"], report["naive"]
    took, floor = whole["seconds"], report["floors_s"]
    cells: list[list[object]] = [[r.stage, r.floor_s, r.ours_s, r.ratio] for r in rows]
    cells += [
        ["the whole, against the sum of floors", floor, took, took / floor],
        [f"the naive way, {naive['days']} days scaled", "", naive["seconds"], ""],
    ]
    title = f"Frequency path, {report['days']} days, {report['rows']:,} rows"
    console.show(title, ("stage", "floor [s]", "ours [s]", "ratio"), cells)
    facts: list[list[object]] = [
        ["rows a second, from request to CSV", round(report["rows"] / took)],
        ["naive / ours", naive["seconds"] / took],
        [f"peak memory, {report['days']} days [MB]", round(whole["peak_mb"])],
        [f"peak memory, {quarter['days']} days [MB]", round(quarter["peak_mb"])],
        ["--help [s], must be below 0.5", report["start_s"]["help"]],
        ["a run with nothing to do [s], must be below 1", report["start_s"]["idle"]],
    ]
    console.say()
    console.show("The whole", ("what", "measured"), facts)
    console.say()
    stages = [[name, round(taken, 3)] for name, taken in report["day_s"].items()]
    console.show("The daily job for one day of the core group", ("stage", "seconds"), stages)


# --- start-up -------------------------------------------------------------------------------------


def _start_up(folder: Path, settings: Mapping[str, str]) -> dict[str, float]:
    """Wall seconds of ``--help`` and of a run that finds its day proven, the median of five each."""
    run = ("run", "--date", PROVEN_DAY)
    _command(run, folder, settings)
    return {
        name: statistics.median(_command(words, folder, settings) for _ in range(5))
        for name, words in (("help", ("--help",)), ("idle", run))
    }


def _command(words: tuple[str, ...], folder: Path, settings: Mapping[str, str]) -> float:
    ours = {
        "STORE_URL": f"sqlite:///{folder / 'grid.db'}",
        "OUTPUT_DIR": str(folder),
        "REPORT_DAYS": "0",
    }
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, str(PROJECT / "main.py"), *words],
        env={**os.environ, **settings, **ours},
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - begin
