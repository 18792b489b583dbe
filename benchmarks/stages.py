"""Our stages beside their floors, and the whole: functions that run in a child of ``bench``."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import floors
from benchmarks.measure import Row, peak_mb, seconds
from domain.settlement import day_window, days_in, days_window
from domain.windows import Window, format_instant
from utils import start_log

Params = dict[str, str]


def requests_of(
    window: Window, settings: Mapping[str, str]
) -> tuple[str, list[tuple[Window, Params]]]:
    """The address, the windows and the parameters that a first fetch of frequency asks."""
    from fetch_data import find_datasets, plan
    from sources.elexon_rows import JsonRows

    (dataset,) = find_datasets(["frequency"])
    read = dataset.read
    assert isinstance(read, JsonRows)
    return settings["ELEXON_BASE_URL"] + read.path, [
        (
            asked,
            {
                read.start: format_instant(asked.start),
                read.end: format_instant(asked.end - timedelta(seconds=1)),
            },
        )
        for asked in plan(dataset, "", window, {}, datetime.now(UTC), by_name=True, again=False)
    ]


def fetch_stages(window: Window, folder: Path, settings: dict[str, str]) -> list[Row]:
    """Transport, decoding and writing; leaves ``grid.db`` and its floor ``plain.db`` behind."""
    from domain.tables import to_arrow
    from fetch_data import SETTINGS, find_datasets
    from sources.dataset import Answer
    from sources.elexon_rows import JsonRows
    from sources.transport import Client
    from storage import open_store, write_answer
    from utils import load_settings

    start_log(folder, logging.ERROR)
    (dataset,) = find_datasets(["frequency"])
    url, asked = requests_of(window, settings)
    params = [p for _, p in asked]
    bodies = floors.download(url, params)  # also fills the sandbox's cache
    client = Client(dataset.provider, load_settings(SETTINGS, settings))
    path = url.removeprefix(client.base_url)
    read = dataset.read
    assert isinstance(read, JsonRows)
    answers = [read.rows(dataset.table, body, "benchmark") for body in bodies]
    tables = [to_arrow(dataset.table, answer.frame) for answer in answers]

    def transport() -> None:
        for p in params:
            client.get(dataset.key, path, p, lambda body: body)

    def decode() -> None:
        for body in bodies:
            read.rows(dataset.table, body, "benchmark")

    def write() -> None:
        for file in folder.glob("grid.db*"):
            file.unlink()
        with open_store(f"sqlite:///{folder / 'grid.db'}") as store:
            for (span, _), answer in zip(asked, answers, strict=True):
                write_answer(
                    store, dataset, "", span, Answer(answer, 0, 0, True), datetime.now(UTC)
                )

    return [
        Row("transport", seconds(lambda: floors.download(url, params)), seconds(transport)),
        Row("JSON to rows", seconds(lambda: floors.to_arrays(bodies)), seconds(decode)),
        Row("write", seconds(lambda: floors.insert(folder / "plain.db", tables)), seconds(write)),
    ]


def product_stages(window: Window, folder: Path) -> list[Row]:
    """Reading back, computing and publishing, from what ``fetch_stages`` left."""
    import pyarrow as pa

    import process_data
    from products.average_power import PRODUCT
    from storage import open_store, tables

    start_log(folder, logging.ERROR)
    days = days_in(window)
    starts = range(0, len(days), process_data.DAYS_AT_ONCE)
    parts = [days[at : at + process_data.DAYS_AT_ONCE] for at in starts]
    spans = [days_window(part[0], part[-1]) for part in parts]
    texts = [(format_instant(span.start), format_instant(span.end)) for span in spans]
    output = folder / "published"
    assumptions: dict[str, Any] = {"response_service": "droop", "battery_power_mw": 1.0}

    with open_store(f"sqlite:///{folder / 'grid.db'}") as store:
        inputs = [store.read_table(tables()["frequency"], span) for span in spans]
        arrays = [
            (f["measurement_time"].astype("int64").to_numpy(), f["frequency_hz"].to_numpy())
            for f in inputs
        ]

        def read_alone() -> None:
            for _ in floors.read_back(folder / "plain.db", texts):
                pass

        def read() -> None:
            for span in spans:
                store.read_table(tables()["frequency"], span)

        def compute_alone() -> None:
            for times, hertz in arrays:
                floors.half_hour_means(times, hertz)

        def compute() -> None:
            for frame, span in zip(inputs, spans, strict=True):
                PRODUCT.compute(frame, window=span, **assumptions)

        def publish() -> None:
            shutil.rmtree(output, ignore_errors=True)
            process_data.process(
                [PRODUCT.key], str(days[0]), str(days[-1]), store=store, OUTPUT_DIR=str(output)
            )

        publish()  # computes and stores; from now on only files are missing
        rows = store.read_table(PRODUCT.table, window)
        of_days = []
        for day in days:
            inside = rows["period_start"].between(*_ends(day_window(day)), inclusive="left")
            of_days.append((str(day), pa.Table.from_pandas(rows[inside], preserve_index=False)))

        return [
            Row("read back", seconds(read_alone), seconds(read)),
            Row("compute", seconds(compute_alone), seconds(compute)),
            Row(
                "publish",
                seconds(lambda: floors.write_csv(folder / "plain", of_days)),
                seconds(publish),
            ),
        ]


def _ends(window: Window) -> tuple[datetime, datetime]:
    return window.start, window.end


def measure_whole(window: Window, folder: Path, settings: dict[str, str]) -> dict[str, float]:
    """Sandbox to SQLite to average_power to CSV, as the job does it; libraries loaded before."""
    import pandas  # noqa: F401
    import pyarrow.compute  # noqa: F401

    import fetch_data
    import process_data

    start_log(folder, logging.ERROR)
    days = days_in(window)
    first, last = str(days[0]), str(days[-1])
    stored: list[int] = []

    def whole() -> None:
        place = folder / str(len(stored))
        ours: dict[str, Any] = {
            "STORE_URL": f"sqlite:///{place / 'grid.db'}",
            "OUTPUT_DIR": str(place),
            **settings,
        }
        report = fetch_data.fetch(["frequency"], first, last, **ours)
        (done,) = process_data.process(["average_power"], first, last, **ours)
        assert not done.failures and done.computed == done.published == len(days)
        stored.append(sum(entry.rows for entry in report.entries))

    taken = seconds(whole)
    return {"seconds": taken, "rows": stored[0], "peak_mb": peak_mb()}


def measure_day(day: str, folder: Path, settings: dict[str, str]) -> list[tuple[str, float]]:
    """The daily job for one day into a new store, nothing loaded before: seconds by stage."""
    marks = [("start", time.perf_counter())]

    def mark(stage: str) -> None:
        marks.append((stage, time.perf_counter()))

    import fetch_data
    import process_data
    from domain.settlement import parse_range
    from job import all_settings
    from storage import open_store
    from utils import load_settings

    start_log(folder, logging.ERROR)
    ours = {
        "STORE_URL": f"sqlite:///{folder / 'grid.db'}",
        "OUTPUT_DIR": str(folder),
        "REPORT_DAYS": "0",
    }
    loaded = load_settings(all_settings(), {**settings, **ours})
    window, now = parse_range(day), datetime.now(UTC)
    datasets = fetch_data.find_datasets(loaded["DATASETS"])
    mark("import and settings")
    with open_store(loaded["STORE_URL"]) as store:
        mark("open a new store")
        wanted = fetch_data.each_scope(datasets, loaded, lambda *_: window)
        fetch_data.fetch_windows(wanted, store, loaded, now, by_name=True)
        mark("fetch, check and store")
        products = process_data.find_products(loaded["PRODUCTS"])
        wanted_products = [(product, window) for product in products]
        done = process_data.process_windows(wanted_products, store, loaded, now)
        mark("compute, store and publish")
        fetch_data.fetch_windows(wanted, store, loaded, now, by_name=True)
        process_data.process_windows(wanted_products, store, loaded, now)
        mark("all of it again, nothing to do")
    stages = [(name, at - marks[n][1]) for n, (name, at) in enumerate(marks[1:])]
    return stages + [(f"of these {part.product.key}", part.seconds) for part in done]


def measure_naive(window: Window, folder: Path, settings: dict[str, str]) -> dict[str, float]:
    """The common way over the same windows; libraries loaded before."""
    import pandas  # noqa: F401
    import requests  # noqa: F401

    url, asked = requests_of(window, settings)
    begin = time.perf_counter()
    rows = floors.naive(url, [p for _, p in asked], folder)
    return {"seconds": time.perf_counter() - begin, "rows": rows, "peak_mb": peak_mb()}
