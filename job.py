"""The job: fetch (stage 1), then process (stage 2), storing and publishing on the way (stage 3)."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import console
import progress
from domain.errors import GridledgerError, StoreError, UsageError
from domain.ledger import State
from domain.settlement import ONE_DAY, settlement_date
from domain.windows import Window, format_instant
from metrics import SETTINGS as METRICS_SETTINGS
from utils import (
    Setting,
    SettingError,
    Settings,
    choice,
    load_settings,
    log,
    record_run,
    start_log,
    time_of_day,
    unknown_settings,
    whole_number,
)

if TYPE_CHECKING:
    from executors import Cluster
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
    retries: int = 0
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
                self.holes.append(f"{part.key} {day}: {state}{covered}")

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
            or any(part.rejected for part in self.fetched)
            or any(part.locked for part in self.parts)
            or any(part.held_open for part in self.processed)
        )
        return 3 if trouble else 0


SETTINGS = (
    Setting(
        "SCHEDULE_AT",
        "06:00",
        time_of_day,
        "When 'schedule' starts the daily job (HH:MM, Europe/London).",
    ),
    Setting(
        "LOG_FORMAT",
        "text",
        choice("text", "json"),
        "How the log is written, on the console and in task_log.log: text, or json (an object a line).",
    ),
    Setting(
        "REPORT_DAYS",
        "7",
        whole_number(0, 366),
        "Of so many of the newest days that it looked at a run writes report.html where it lacks, if the "
        "plotting extra is installed; 0: none.",
    ),
    *METRICS_SETTINGS,
)


def all_settings() -> list[Setting]:
    """Every declared setting, in the order of config.env."""
    import fetch_data
    import process_data

    return list(dict.fromkeys((*fetch_data.SETTINGS, *process_data.SETTINGS, *SETTINGS)))


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
    job: Job, window: Window | None, only: list[str], stop: threading.Event | None = None
) -> Report:
    """Fetch, then process, then say how things stand; the whole daily job.

    ``window`` None is the unattended form: what the ledger says is missing, back from yesterday.
    ``only`` names datasets and products; empty means those of the settings. When ``stop`` is set, the
    windows under way are finished and the rest is left to the next run.
    """
    import fetch_data
    import process_data
    import reporting

    store, settings, now = job.store, job.settings, job.now
    datasets, products = what_to_run(settings, only)

    def span(dataset: Dataset, scope: str) -> Window:
        days = settings["CATCH_UP_DAYS"]
        return window or fetch_data.catch_up_window(dataset, scope, store, days, now)

    wanted = fetch_data.each_scope(datasets, settings, span)
    with progress.bar("fetch") as told:
        fetched = fetch_data.fetch_windows(
            wanted,
            store,
            settings,
            now,
            by_name=window is not None,
            progress=told,
            stop=stop,
            cluster=job.cluster,
        )
    yesterday = settlement_date(now) - ONE_DAY
    spans = [(p, window or process_data.all_days(p, store, yesterday)) for p in products]
    to_process = [(product, days) for product, days in spans if days]
    processed = process_data.process_windows(to_process, store, settings, now, stop, job.cluster)
    report = Report(fetched.fetched, processed, fetched.requests, fetched.retries)
    report.list_holes(now)
    if not (stop and stop.is_set()):  # the next run sees that they are old
        reporting.write_reports(job, report)
    return report


def what_to_run(settings: Settings, only: list[str]) -> tuple[list[Dataset], list[Product]]:
    """Datasets and products of a run; a product named in ``only`` brings all that it is made of."""
    import fetch_data
    import process_data
    from products import BY_KEY

    if not only:
        products = process_data.find_products(settings["PRODUCTS"])
        return fetch_data.find_datasets(settings["DATASETS"]), products
    named = [BY_KEY[key] for key in only if key in BY_KEY]
    words = [key for key in only if key not in BY_KEY]
    behind = {key for product in named for key in process_data.products_behind(product)}
    products = [product for key, product in BY_KEY.items() if key in behind]
    inputs = {key for product in named for key in process_data.datasets_behind(product)}
    try:
        datasets = fetch_data.find_datasets([*words, *sorted(inputs)])
    except UsageError as problem:
        raise UsageError(f"{problem} Products are {', '.join(BY_KEY)}.") from None
    return datasets, products


def refuse_future(window: Window) -> None:
    """UsageError for a window whose last day has not begun."""
    today = settlement_date(datetime.now(UTC))
    last = settlement_date(window.end) - ONE_DAY
    if last > today:
        raise UsageError(f"{last} has not begun yet: the newest day there can be is {today}.")


@dataclass(frozen=True)
class Job:
    """One command that does something: its store, its settings, and the moment it began.

    Its windows and days are worked on by the ``cluster``, or where there is none by threads.
    """

    name: str
    store: SqlStore
    settings: Settings
    now: datetime
    clock: float = field(default_factory=time.monotonic)
    cluster: Cluster | None = None

    def finish(self, report: Report) -> int:
        """Print the summary, keep the run record, return the exit code."""
        summarise(report)
        code = report.exit_code
        self.record(code, report)
        console.say(f"exit code {code}: {EXIT_CODES[code]}")
        if code == 1:
            console.say("To look around without a network: python3 run.py demo")
        return code

    def record(self, code: int, report: Report, error: str = "") -> None:
        """Log the end, append it to the run records that ``status`` shows, write the metrics."""
        _record(self.name, self.settings, self.now, self.clock, code, report, error, self.store)


def _record(
    name: str,
    settings: Settings,
    now: datetime,
    clock: float,
    code: int,
    report: Report,
    error: str,
    store: SqlStore | None,
) -> None:
    """See ``Job.record``; without a store where it could not even be opened."""
    import metrics

    record = {
        "started": format_instant(now),
        "command": name,
        "seconds": round(time.monotonic() - clock, 1),
        "requests": report.requests,
        "retries": report.retries,
        "bytes": sum(part.bytes for part in report.fetched),
        "rows": sum(part.changed for part in report.fetched),
        "failures": len(report.failures) or int(bool(error)),
        "holes": len(report.holes),
        "exit_code": code,
        "error": error,
        "datasets": {
            part.key: _told(
                requests=part.requests,
                bytes=part.bytes,
                rows=part.changed,
                failures=len(part.failures),
            )
            for part in report.fetched
            if not (part.locked or part.skipped)
        },
        "products": {
            part.product.key: _told(
                rows=part.rows, waiting=len(part.waiting), failures=len(part.failures)
            )
            for part in report.processed
            if not part.locked
        },
    }
    log.info(
        "%s ends with exit code %d (%s)",
        name,
        code,
        EXIT_CODES[code],
        extra={key: record[key] for key in ("command", "exit_code", "seconds", "error")},
    )
    try:
        record_run(settings["OUTPUT_DIR"], record)
    except OSError as trouble:
        log.warning("the run could not be recorded in runs.jsonl: %s", trouble.strerror)
    try:
        metrics.write(store, settings, now)
    except OSError as trouble:
        log.warning("%s could not be written: %s", metrics.FILE, trouble.strerror)
    except Exception:  # the run did its work, whatever becomes of the figures about it
        log.exception("%s could not be written for an unforeseen reason", metrics.FILE)


def _told(**counts: int) -> dict[str, int]:
    """What there is to tell; a run has a line, and most datasets had nothing due."""
    return {name: count for name, count in counts.items() if count}


@contextlib.contextmanager
def open_job(name: str, **overrides: str) -> Iterator[Job]:
    """Settings, log, open store and the moment of the run, for commands that do something.

    Raises SettingError for a wrong setting, StoreError where folder or store cannot be used.
    """
    from executors import open_cluster
    from storage import open_store

    settings = read_settings(**overrides)
    folder = settings["OUTPUT_DIR"]
    try:
        # On a terminal the progress bar and the summary tell the story; the file has every line.
        level = logging.WARNING if sys.stderr.isatty() else logging.INFO
        start_log(folder, level, settings["LOG_FORMAT"])
    except OSError as trouble:
        raise StoreError(
            f"OUTPUT_DIR={folder.name} cannot be written ({trouble.strerror}): check its permissions "
            "or set another folder."
        ) from None
    log.info("%s begins", name)
    now, clock = datetime.now(UTC), time.monotonic()
    try:
        opened = open_store(settings["STORE_URL"])
    except GridledgerError as trouble:
        _record(name, settings, now, clock, trouble.exit_code, Report(), str(trouble), None)
        raise
    with opened as store, open_cluster(settings, console.say) as cluster:
        job = Job(name, store, settings, now, clock, cluster)
        try:
            yield job
        except KeyboardInterrupt:
            job.record(130, Report())
            raise
        except GridledgerError as trouble:
            job.record(trouble.exit_code, Report(), str(trouble))
            raise
        except Exception as surprise:
            job.record(1, Report(), f"an unforeseen {type(surprise).__name__}")
            raise


def summarise(report: Report) -> None:
    """One line a dataset and product, then what needs attention."""
    rows = [
        _line(part.key, part, part.changed)
        for part in report.fetched
        if not part.skipped and (part.entries or not part.ended)
    ]
    rows += [_line(part.product.key, part, part.rows) for part in report.processed]
    header = ("key", "days", "rows", "new", "coverage", "state", "seconds")
    console.show("Datasets and products", header, rows)
    attention = [*report.failures, *_given_up(report), *report.holes, *_notes(report)]
    attention += [
        f"{path.name} is held open: its new content is beside it"
        for part in report.processed
        for path in part.held_open
    ]
    attention += [f"rejected {line}" for part in report.fetched for line in part.rejected]
    for lacking in dict.fromkeys(part.skipped for part in report.fetched if part.skipped):
        keys = dict.fromkeys(p.dataset.key for p in report.fetched if p.skipped == lacking)
        console.say(f"skipped for want of {lacking}: {', '.join(keys)}")
    for why in dict.fromkeys(part.ended for part in report.fetched if part.ended):
        ended = [part.key for part in report.fetched if part.ended == why]
        console.say(f"{why}: {', '.join(ended)}")
    for line in attention[:20]:
        console.say(f"! {line}")
    if len(attention) > 20:
        console.say(f"! and {len(attention) - 20} more, in the log")
    if any(part.rejected for part in report.fetched):
        console.say("What is rejected is not used: correct the file, which is then read again.")


def _notes(report: Report) -> Iterator[str]:
    """What was odd, once for all the days of a dataset that it concerns."""
    for part in report.fetched:
        if not (part.dataset.table.time or part.entries or part.windows or part.skipped):
            yield f"{part.key}: a list as it stands now; ask for yesterday or today"
        yield from (f"{part.key}: {note}" for note in part.notes)
        days: dict[str, list[date]] = {}
        for day, entry in part.entries.items() if not part.failures else ():
            if entry.note:
                days.setdefault(entry.note, []).append(day)
        for note, listed in days.items():
            more = f" and {len(listed) - 1} more days" if len(listed) > 1 else ""
            yield f"{part.key} {min(listed)}{more}: {note}"


def _given_up(report: Report) -> Iterator[str]:
    for part in report.fetched:
        if part.given_up > 1:
            yield f"{part.key}: {part.given_up} windows in all were not asked any more"


def _line(key: str, part: Fetched | Processed, new: int) -> list[object]:
    entries = list(part.entries.values())
    coverage = sum(entry.coverage for entry in entries) / len(entries) if entries else 0.0
    return [
        key,
        len(entries),
        sum(entry.rows for entry in entries),
        new,
        f"{coverage:.1%}",
        "locked" if part.locked else _states(entry.state for entry in entries),
        round(part.seconds, 1),
    ]


def _states(states: Iterable[State]) -> str:
    counted: dict[State, int] = {}
    for state in states:
        counted[state] = counted.get(state, 0) + 1
    if not counted:
        return "nothing due"
    return " ".join(str(s) if len(counted) == 1 else f"{n} {s}" for s, n in counted.items())
