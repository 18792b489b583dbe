"""The job: fetch (stage 1), then process (stage 2), storing and publishing on the way (stage 3)."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import console
from domain.errors import UsageError
from domain.ledger import State
from domain.settlement import ONE_DAY, settlement_date
from domain.windows import Window, format_instant
from utils import (
    Setting,
    SettingError,
    Settings,
    load_settings,
    log,
    record_run,
    start_log,
    unknown_settings,
)

if TYPE_CHECKING:
    from fetch_data import Fetched
    from process_data import Processed
    from products.product import Product
    from sources.dataset import Dataset
    from stores.sql import SqlStore

EXIT_CODES = {
    0: "complete",
    1: "failed, nothing new",
    2: "usage or configuration",
    3: "partial or holes, which are listed",
    4: "all that was asked is locked by another run",
    130: "interrupted; what was finished stays",
}


@dataclass
class Report:
    """What one run of the job did."""

    fetched: list[Fetched] = field(default_factory=list)
    processed: list[Processed] = field(default_factory=list)
    requests: int = 0
    holes: list[str] = field(default_factory=list)

    @property
    def parts(self) -> list[Fetched | Processed]:
        """Everything that was worked on."""
        return [*self.fetched, *self.processed]

    @property
    def failures(self) -> list[str]:
        """What went wrong, one sentence each."""
        return [line for part in self.parts for line in part.failures]

    def list_holes(self, now: datetime) -> None:
        """Name every day on which data that was due is not there."""
        from fetch_data import holes

        for part in self.fetched:
            for day, state in holes(part, now):
                entry = part.entries.get(day)
                covered = f", {entry.coverage:.1%} covered" if entry and entry.rows else ""
                self.holes.append(f"{part.dataset.key} {day}: {state}{covered}")

    @property
    def exit_code(self) -> int:
        """See ``EXIT_CODES``."""
        if self.parts and all(part.locked for part in self.parts):
            return 4
        anything_new = any(part.changed for part in self.fetched) or any(
            part.computed or part.published for part in self.processed
        )
        if self.failures and not anything_new:
            return 1
        trouble = (
            self.failures
            or self.holes
            or any(part.locked for part in self.parts)
            or any(part.held_open for part in self.processed)
        )
        return 3 if trouble else 0


def all_settings() -> list[Setting]:
    """Every declared setting, in the order of config.env."""
    import fetch_data
    import process_data

    return list(dict.fromkeys((*fetch_data.SETTINGS, *process_data.SETTINGS)))


def read_settings(**overrides: str) -> Settings:
    """All settings of this run; SettingError where one is wrong."""
    settings = load_settings(all_settings(), overrides)
    for key in unknown_settings(all_settings()):
        if key == "BMRS_API_KEY":
            log.warning("BMRS_API_KEY is ignored: the Elexon API needs no key any more")
        else:
            raise SettingError(f"config.local.env holds {key}, which is no setting of gridledger.")
    if "BMRS_API_KEY" in os.environ:
        log.warning("BMRS_API_KEY is ignored: the Elexon API needs no key any more")
    return settings


def run_job(
    store: SqlStore,
    settings: Settings,
    now: datetime,
    window: Window | None,
    only: list[str],
) -> Report:
    """Fetch, then process, then say how things stand; the whole daily job.

    ``window`` None is the unattended form: what the ledger says is missing, back from yesterday.
    """
    import fetch_data
    import process_data

    datasets, products = what_to_run(settings, only)
    wanted = [
        (d, window or fetch_data.catch_up_window(d, store, settings["CATCH_UP_DAYS"], now))
        for d in datasets
    ]
    with console.progress("fetch") as progress:
        fetched = fetch_data.fetch_windows(
            wanted, store, settings, now, by_name=window is not None, progress=progress
        )
    yesterday = settlement_date(now) - ONE_DAY
    to_process = []
    for product in products:
        span = window or process_data.all_days(product, store, yesterday)
        if span:
            to_process.append((product, span))
    processed = process_data.process_windows(to_process, store, settings, now)
    report = Report(fetched.fetched, processed, fetched.requests)
    report.list_holes(now)
    return report


def what_to_run(settings: Settings, only: list[str]) -> tuple[list[Dataset], list[Product]]:
    """Datasets and products of a run; a product named in ``only`` brings its inputs."""
    import fetch_data
    import process_data

    if not only:
        products = process_data.find_products(settings["PRODUCTS"])
        return fetch_data.find_datasets(settings["DATASETS"]), products
    product_keys = process_data.by_key()
    products = [product_keys[key] for key in only if key in product_keys]
    words = [key for key in only if key not in product_keys]
    inputs = [key for product in products for key in product.inputs]
    try:
        datasets = fetch_data.find_datasets([*words, *inputs])
    except UsageError as problem:
        raise UsageError(f"{problem} Products are {', '.join(product_keys)}.") from None
    return datasets, products


@contextlib.contextmanager
def open_job(name: str, **overrides: str) -> Iterator[tuple[SqlStore, Settings, datetime]]:
    """Settings, log, open store and the moment of the run, for commands that do something."""
    from storage import open_store

    settings = read_settings(**overrides)
    # On a terminal the progress bar and the summary tell the story; the file has every line.
    start_log(settings["OUTPUT_DIR"], logging.WARNING if sys.stderr.isatty() else logging.INFO)
    log.info("%s begins", name)
    with open_store(settings["STORE_URL"]) as store:
        yield store, settings, datetime.now(UTC)


def finish(command: str, report: Report, settings: Settings, now: datetime, began: float) -> int:
    """Print the summary, keep the run record, return the exit code."""
    summarise(report)
    code = report.exit_code
    record_run(
        settings["OUTPUT_DIR"],
        {
            "started": format_instant(now),
            "command": command,
            "seconds": round(time.monotonic() - began, 1),
            "requests": report.requests,
            "rows": sum(part.changed for part in report.fetched),
            "exit_code": code,
            "holes": len(report.holes),
        },
    )
    log.info("%s ends with exit code %d (%s)", command, code, EXIT_CODES[code])
    console.say(f"exit code {code}: {EXIT_CODES[code]}")
    if code == 1:
        console.say("To look around without a network: python3 run.py demo")
    return code


def summarise(report: Report) -> None:
    """One line a dataset and product, then what needs attention."""
    rows: list[list[object]] = []
    for part in report.fetched:
        entries = list(part.entries.values())
        stored = sum(entry.rows for entry in entries)
        due = sum(entry.expected for entry in entries)
        coverage = min(stored / due, 1.0) if due else 0.0
        state = "locked" if part.locked else _states(entry.state for entry in entries)
        rows.append(
            [
                part.dataset.key,
                len(entries),
                stored,
                part.changed,
                f"{coverage:.1%}",
                state,
                round(part.seconds, 1),
            ]
        )
    for done in report.processed:
        entries = list(done.entries.values())
        stored = sum(entry.rows for entry in entries)
        coverage = sum(entry.coverage for entry in entries) / len(entries) if entries else 0.0
        state = "locked" if done.locked else _states(entry.state for entry in entries)
        rows.append(
            [
                done.product.key,
                len(entries),
                stored,
                done.rows,
                f"{coverage:.1%}",
                state,
                round(done.seconds, 1),
            ]
        )
    header = ("key", "days", "rows", "new", "coverage", "state", "seconds")
    console.show("Datasets and products", header, rows)
    notes = {e.note for part in report.fetched for e in part.entries.values() if e.note}
    attention = [*report.failures, *report.holes, *sorted(notes - set(report.failures))]
    attention += [
        f"{path.name} is held open: its new content is beside it"
        for done in report.processed
        for path in done.held_open
    ]
    for line in attention[:20]:
        console.say(f"! {line}")
    if len(attention) > 20:
        console.say(f"! and {len(attention) - 20} more, in the log")


def _states(states: Iterable[State]) -> str:
    counted: dict[State, int] = {}
    for state in states:
        counted[state] = counted.get(state, 0) + 1
    if not counted:
        return "nothing due"
    return " ".join(str(s) if len(counted) == 1 else f"{n} {s}" for s, n in counted.items())
