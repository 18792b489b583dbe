"""What monitoring reads: how the store stands and how the last runs ended, as Prometheus reads it.

Every run is a process of its own, so a counter would begin anew with each of them: all figures are
gauges. What describes the data comes from the ledger and is there for all datasets after any run;
what describes a run comes from ``runs.jsonl`` and stays until the next run of that command.
"""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from domain.drift import tells_of_drift
from domain.errors import StoreError, UsageError
from domain.ledger import Events, State
from domain.settlement import ONE_DAY, day_window, settlement_date
from domain.windows import parse_instant
from utils import VERSION, Setting, Settings, last_runs, log, whole_number, write_whole

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Gauge, Metric

    from holes import Day
    from products.product import Product
    from sources.dataset import Dataset
    from stores.ledger import Standing
    from stores.sql import SqlStore

FILE = "metrics.prom"
# A command whose last good run lies further back counts as one that never came to its end.
RUNS_LOOKED_AT = 1000
# Complete, or with holes that have figures of their own: either way the run did its work.
CAME_TO_ITS_END = (0, 3)


def _port(value: str) -> int | None:
    return whole_number(1, 65_535)(value) if value else None


def _address(value: str) -> str:
    if not value or " " in value:
        raise ValueError("it must be an address of this machine, such as 127.0.0.1 or 0.0.0.0")
    return value


SETTINGS = (
    Setting(
        "METRICS_PORT",
        "",
        _port,
        "Port on which 'schedule' serves the metrics to Prometheus; none if empty.",
    ),
    Setting(
        "METRICS_ADDRESS",
        "127.0.0.1",
        _address,
        "Address on which 'schedule' serves the metrics; the default lets nobody in from outside.",
    ),
)


@dataclass(frozen=True)
class Meaning:
    """What a metric says, and the labels that its series differ in."""

    text: str
    labels: tuple[str, ...] = ()


_RUN, _DATASET, _PRODUCT = ("command",), ("dataset", "scope"), ("product",)
IN_PROGRESS = "gridledger_run_in_progress"
METRICS: Mapping[str, Meaning] = {
    "gridledger_last_run_start_timestamp_seconds": Meaning("When the last run began.", _RUN),
    "gridledger_last_success_timestamp_seconds": Meaning(
        "When a run last came to its end, with or without holes (exit code 0 or 3).", _RUN
    ),
    "gridledger_last_run_duration_seconds": Meaning("How long the last run took.", _RUN),
    "gridledger_last_run_exit_code": Meaning("Exit code of the last run.", _RUN),
    "gridledger_last_run_requests": Meaning("Requests that the last run made.", _RUN),
    "gridledger_last_run_retries": Meaning("Requests of them that were repetitions.", _RUN),
    "gridledger_last_run_received_bytes": Meaning(
        "Bytes that the last run read from answers and files.", _RUN
    ),
    "gridledger_last_run_rows": Meaning("Rows that were new or changed in the last run.", _RUN),
    "gridledger_last_run_failures": Meaning("What went wrong in the last run.", _RUN),
    "gridledger_last_run_holes": Meaning("Days that the last run listed as holes.", _RUN),
    "gridledger_dataset_daily": Meaning("1 where the daily job fetches it (DATASETS).", _DATASET),
    "gridledger_dataset_last_answer_timestamp_seconds": Meaning(
        "When the provider last gave a good answer.", _DATASET
    ),
    "gridledger_dataset_last_run_requests": Meaning(
        "Requests that the last run that looked at it made, for all scopes together.", ("dataset",)
    ),
    "gridledger_dataset_last_run_received_bytes": Meaning(
        "Bytes that the last run that looked at it read.", _DATASET
    ),
    "gridledger_dataset_last_run_rows": Meaning(
        "Rows that were new or changed in the last run that looked at it.", _DATASET
    ),
    "gridledger_dataset_last_run_failures": Meaning(
        "What went wrong in the last run that looked at it.", _DATASET
    ),
    "gridledger_dataset_coverage_ratio": Meaning(
        "Mean coverage of the due days among the last CATCH_UP_DAYS.", _DATASET
    ),
    "gridledger_dataset_coverage_min_ratio": Meaning(
        "Lowest coverage of a due day among the last CATCH_UP_DAYS.", _DATASET
    ),
    "gridledger_dataset_holes": Meaning(
        "Due days among the last CATCH_UP_DAYS that are neither complete nor confirmed.", _DATASET
    ),
    "gridledger_dataset_drifts": Meaning(
        "Days among the last CATCH_UP_DAYS whose ledger note tells of drift.", _DATASET
    ),
    "gridledger_dataset_last_drift_timestamp_seconds": Meaning(
        "When one of those days was last asked for.", _DATASET
    ),
    "gridledger_dataset_newest_row_timestamp_seconds": Meaning(
        "Time of the newest row of the newest day that has rows.", _DATASET
    ),
    "gridledger_dataset_lag_seconds": Meaning(
        "How long after a day's end its last rows are declared to appear; none for events, of which a "
        "day may have no rows.",
        _DATASET,
    ),
    "gridledger_dataset_rows": Meaning("Rows stored, as the ledger counts them.", _DATASET),
    "gridledger_dataset_entries": Meaning(
        "Days that the ledger knows, by state.", (*_DATASET, "state")
    ),
    "gridledger_product_newest_day_timestamp_seconds": Meaning(
        "End of the newest day that has rows.", _PRODUCT
    ),
    "gridledger_product_rows": Meaning("Rows stored, as the ledger counts them.", _PRODUCT),
    "gridledger_product_stale": Meaning(
        "Days whose files are older than what was computed last.", _PRODUCT
    ),
    "gridledger_product_waiting": Meaning(
        "Days that lacked an input in the last run that looked at it.", _PRODUCT
    ),
    "gridledger_product_last_run_rows": Meaning(
        "Rows computed in the last run that looked at it.", _PRODUCT
    ),
    "gridledger_product_last_run_failures": Meaning(
        "What went wrong in the last run that looked at it.", _PRODUCT
    ),
    "gridledger_store_info": Meaning(
        "1; kind of store, and whether its data is live or synthetic.", ("kind", "origin")
    ),
    "gridledger_store_size_bytes": Meaning("Size of the store on disk."),
    "gridledger_build_info": Meaning(
        "1; what runs here.", ("version", "python", "schema_version")
    ),
    IN_PROGRESS: Meaning("1 while 'schedule' runs the job; served over HTTP only."),
}  # fmt: skip


class Figures:
    """A registry in which a metric appears with its first value: what is not known is not there."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry

        self.registry: CollectorRegistry = CollectorRegistry()
        self._gauges: dict[str, Gauge] = {}

    def set(self, name: str, value: float | datetime | None, *labels: str) -> None:
        """Set ``gridledger_<name>`` of these labels; an instant as seconds since 1970, None not at all."""
        from prometheus_client import Gauge

        if value is None:
            return
        if name not in self._gauges:
            full = f"gridledger_{name}"
            meaning = METRICS[full]
            self._gauges[name] = Gauge(full, meaning.text, meaning.labels, registry=self.registry)
        gauge = self._gauges[name].labels(*labels) if labels else self._gauges[name]
        gauge.set(value.timestamp() if isinstance(value, datetime) else value)


def write(store: SqlStore | None, settings: Settings, now: datetime) -> None:
    """Write ``metrics.prom`` into OUTPUT_DIR, whole or not at all; OSError where it cannot be.

    Without a store, or with one that cannot be read, it has the figures of the runs alone.
    """
    from prometheus_client import generate_latest

    folder: Path = settings["OUTPUT_DIR"]
    figures = collect(store, settings, last_runs(folder, RUNS_LOOKED_AT), now)
    write_whole(folder / FILE, generate_latest(figures.registry))


def collect(
    store: SqlStore | None, settings: Settings, runs: Iterable[Mapping[str, Any]], now: datetime
) -> Figures:
    """All figures at ``now``; ``runs`` are the run records, oldest first."""
    from stores.sql import SCHEMA_VERSION

    figures = Figures()
    figures.set("build_info", 1, VERSION, platform.python_version(), str(SCHEMA_VERSION))
    _tell_runs(figures, list(runs))
    if store:
        try:
            _tell_store(figures, store, settings, now)
        except StoreError as trouble:
            log.warning("%s lacks figures of the store: %s", FILE, trouble)
    return figures


def _tell_runs(figures: Figures, runs: list[Mapping[str, Any]]) -> None:
    """The last run of each command, and of each dataset and product the last that looked at it."""
    for command, run in {run["command"]: run for run in runs}.items():
        figures.set("last_run_start_timestamp_seconds", parse_instant(run["started"]), command)
        figures.set("last_run_duration_seconds", run["seconds"], command)
        for name in ("exit_code", "requests", "retries", "rows", "failures", "holes"):
            figures.set(f"last_run_{name}", run.get(name), command)
        figures.set("last_run_received_bytes", run.get("bytes"), command)
    came_to_their_end = [run for run in runs if run["exit_code"] in CAME_TO_ITS_END]
    for command, run in {run["command"]: run for run in came_to_their_end}.items():
        end = parse_instant(run["started"]) + timedelta(seconds=run["seconds"])
        figures.set("last_success_timestamp_seconds", end, command)
    for name, told in _looked_at("datasets", runs):
        dataset, _, scope = name.partition(" ")
        figures.set("dataset_last_run_requests", told.get("requests", 0), dataset)
        figures.set("dataset_last_run_received_bytes", told.get("bytes", 0), dataset, scope)
        for figure in ("rows", "failures"):
            figures.set(f"dataset_last_run_{figure}", told.get(figure, 0), dataset, scope)
    for product, told in _looked_at("products", runs):
        for figure in ("rows", "failures"):
            figures.set(f"product_last_run_{figure}", told.get(figure, 0), product)
        figures.set("product_waiting", told.get("waiting", 0), product)


def _looked_at(
    kind: str, runs: Iterable[Mapping[str, Any]]
) -> Iterable[tuple[str, Mapping[str, int]]]:
    """What the last run that looked at it did for each dataset or product."""
    return {name: told for run in runs for name, told in run.get(kind, {}).items()}.items()


def _tell_store(figures: Figures, store: SqlStore, settings: Settings, now: datetime) -> None:
    from fetch_data import find_datasets
    from holes import days_of
    from products import BY_KEY as products
    from sources import BY_KEY as datasets

    figures.set("store_info", 1, urlsplit(store.url).scheme, store.origin or "empty")
    figures.set("store_size_bytes", store.size_bytes())
    standings = {(one.key, one.scope): one for one in store.standings()}
    daily = {
        (dataset.key, scope)
        for dataset in find_datasets(settings["DATASETS"])
        for scope in dataset.scopes(settings)
        # What was never fetched for want of a setting is not missed; what was, and stops, is.
        if (dataset.key, scope) in standings or not dataset.lacking(settings)
        if settlement_date(now) - ONE_DAY in dataset.published(scope)
    }
    for key, scope in sorted(standings.keys() | daily):
        standing = standings.get((key, scope))
        if standing and key in products:
            _tell_product(figures, products[key], standing, settings)
        elif key in datasets:
            dataset, is_daily = datasets[key], (key, scope) in daily
            figures.set("dataset_daily", is_daily, key, scope)
            if standing:
                _tell_dataset(figures, dataset, standing, store)
            first, last = _days_to_look_at(standing, settings, now)
            known = None if is_daily or not standing else standing.last
            days = days_of(dataset, scope, store, first, min(last, known or last), now)
            _tell_days(figures, key, scope, list(days))


def _days_to_look_at(
    standing: Standing | None, settings: Settings, now: datetime
) -> tuple[date, date]:
    """The first and the last day that the daily job would look at."""
    yesterday = settlement_date(now) - ONE_DAY
    earliest = yesterday - (settings["CATCH_UP_DAYS"] - 1) * ONE_DAY
    first = min(max(standing.first, earliest), yesterday) if standing else yesterday
    return first, yesterday


def _tell_days(figures: Figures, key: str, scope: str, days: list[Day]) -> None:
    """Coverage and holes of the due days among these, and their drift."""
    due = [day for day in days if day.state not in (State.NOT_DUE, State.NOT_PUBLISHED)]
    if due:
        coverages = [day.coverage for day in due]
        figures.set("dataset_coverage_ratio", sum(coverages) / len(due), key, scope)
        figures.set("dataset_coverage_min_ratio", min(coverages), key, scope)
        figures.set("dataset_holes", sum(day.state.hole for day in due), key, scope)
    drifting = [day for day in days if tells_of_drift(day.note)]
    figures.set("dataset_drifts", len(drifting), key, scope)
    if drifting:
        last = max(day.asked_at for day in drifting)
        figures.set("dataset_last_drift_timestamp_seconds", parse_instant(last), key, scope)


def _tell_dataset(figures: Figures, dataset: Dataset, standing: Standing, store: SqlStore) -> None:
    """What the ledger has of all its days, and the newest row."""
    key, scope, table = standing.key, standing.scope, dataset.table
    figures.set("dataset_last_answer_timestamp_seconds", standing.answered_at, key, scope)
    for state, days in standing.days.items():
        figures.set("dataset_entries", days, key, scope, str(state))
    if not table.time:  # a list as it stands is counted anew every day
        figures.set("dataset_rows", store.size(table).rows, key, scope)
        return
    figures.set("dataset_rows", standing.rows, key, scope)
    if not isinstance(dataset.completeness, Events):
        figures.set("dataset_lag_seconds", dataset.lag.total_seconds(), key, scope)
    if standing.newest:
        newest = store.newest(table, day_window(standing.newest), scope)
        figures.set("dataset_newest_row_timestamp_seconds", newest, key, scope)


def _tell_product(
    figures: Figures, product: Product, standing: Standing, settings: Settings
) -> None:
    figures.set("product_rows", standing.rows, product.key)
    figures.set("product_stale", standing.unpublished, product.key)
    if standing.newest:
        end = day_window(standing.newest, product.clock(settings)).end
        figures.set("product_newest_day_timestamp_seconds", end, product.key)


# --- over HTTP ------------------------------------------------------------------------------------


class Page:
    """What is served: ``metrics.prom`` as it stands, and whether a run is under way.

    The file is read anew for every scrape, so that runs of other processes show as well and the store
    stays with the thread that opened it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._running = False

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """Say that a run is under way."""
        self._running = True
        try:
            yield
        finally:
            self._running = False

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily
        from prometheus_client.parser import text_string_to_metric_families

        yield GaugeMetricFamily(IN_PROGRESS, METRICS[IN_PROGRESS].text, value=self._running)
        with contextlib.suppress(FileNotFoundError):  # nothing has run here yet
            yield from text_string_to_metric_families(self._path.read_text(encoding="utf-8"))


@contextlib.contextmanager
def served(settings: Settings) -> Iterator[Page]:
    """Serve the metrics on METRICS_PORT, where one is set, as long as the block lasts.

    Raises UsageError where address or port cannot be had.
    """
    page = Page(settings["OUTPUT_DIR"] / FILE)
    address, port = settings["METRICS_ADDRESS"], settings["METRICS_PORT"]
    if port is None:
        yield page
        return
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry()
    registry.register(page)
    try:
        server, thread = start_http_server(port, address, registry)
    except OSError as trouble:
        raise UsageError(
            f"METRICS_PORT={port} on {address} cannot be used ({trouble.strerror}): choose a free port, "
            "or leave it empty."
        ) from None
    try:
        yield page
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
