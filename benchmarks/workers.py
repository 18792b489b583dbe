"""Windows a second against a provider that takes 100 ms for an answer: threads, and workers of Dask.

Run as ``python -m benchmarks.workers [--write]``; it needs the extra ``dask``. Each worker is a process with
one thread. Starting them is not measured: a cluster is started once a run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator

import console
import fetch_data
from benchmarks.measure import printed_by, record, sandbox_settings
from sandbox import Fault

FIRST, LAST = "2023-01-01", "2024-06-30"
LATENCY_S = 0.1
WORKERS = (1, 2, 4)


def main() -> None:
    """Fetch the same windows six times, and print windows a second."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true", help="put the figures into docs/")
    asked = parser.parse_args()
    with sandbox_settings(Fault("slow", seconds=LATENCY_S)) as settings:
        rows = list(_measured(settings))
    header = ("executor", "workers", "windows", "seconds", "windows/s", "times one thread")
    title = f"wind_solar from {FIRST} to {LAST}, {LATENCY_S * 1000:.0f} ms an answer"
    printed = printed_by(lambda: console.show(title, header, rows))
    if asked.write:
        record("workers", printed)


def _measured(settings: dict[str, str]) -> Iterator[list[object]]:
    from distributed import LocalCluster

    one = 0.0
    _fetch(settings, max(WORKERS))  # once before: libraries are loaded and the provider is warm
    for count in WORKERS:
        taken, windows = _fetch(settings, count)
        one = one or taken
        yield ["threads", count, *_figures(windows, taken, one)]
    for count in WORKERS:
        with LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs="CRITICAL",
        ) as cluster:
            at = {"EXECUTOR": "dask", "DASK_SCHEDULER": cluster.scheduler_address}
            # Once before: workers import the project at their first task.
            _fetch(settings | at, count)
            taken, windows = _fetch(settings | at, count)
        yield ["dask", count, *_figures(windows, taken, one)]


def _fetch(settings: dict[str, str], workers: int) -> tuple[float, int]:
    """Seconds that an empty store takes to be filled, and how many windows that were."""
    with tempfile.TemporaryDirectory() as folder:
        place = {"STORE_URL": f"sqlite:///{folder}/grid.db", "OUTPUT_DIR": folder}
        begin = time.perf_counter()
        report = fetch_data.fetch(
            ["wind_solar"], FIRST, LAST, **settings, **place, FETCH_WORKERS=str(workers)
        )
        taken = time.perf_counter() - begin
    (part,) = report.fetched
    assert part.done == part.windows == part.requests and not part.failures
    return taken, part.windows


def _figures(windows: int, taken: float, one: float) -> list[object]:
    return [windows, round(taken, 1), round(windows / taken, 1), round(one / taken, 1)]


if __name__ == "__main__":
    main()
