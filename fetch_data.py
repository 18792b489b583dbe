"""Stage 1: plan windows, skip what the ledger proves, fetch, conform, write.

>>> import tempfile, fetch_data, storage
>>> from sandbox import Sandbox                      # stands in for the provider here
>>> with Sandbox(now="2024-11-15T00:00:00Z") as api, tempfile.TemporaryDirectory() as folder:
...     store = storage.open_store(f"sqlite:///{folder}/grid.db")
...     with store:
...         report = fetch_data.fetch(["wind_solar"], "2024-10-27", store=store, **api.settings())
...         print(report.entries[0].state, report.entries[0].rows)
complete 150
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

from asking import Asked, answers, written
from domain.errors import (
    ClusterLost,
    GivenUp,
    GridledgerError,
    SchemaError,
    SourceError,
    StoreError,
    UsageError,
)
from domain.keys import find
from domain.ledger import Entry, State, failed, is_due
from domain.settlement import (
    ONE_DAY,
    day_window,
    days_in,
    days_window,
    parse_range,
    settlement_date,
)
from domain.windows import Window
from executors import SETTINGS as EXECUTOR_SETTINGS
from executors import Cluster, open_cluster
from raw_archive import SETTINGS as ARCHIVE_SETTINGS
from raw_archive import Archive, open_archive
from sources import DATASETS
from sources import SETTINGS as SOURCE_SETTINGS
from sources.dataset import Answer, Dataset, FileReading, Provider
from storage import SETTINGS as STORE_SETTINGS
from storage import open_store
from stores.sql import SqlStore
from utils import Locked, Setting, Settings, load_settings, log, several, whole_number

SETTINGS = (
    *STORE_SETTINGS,
    Setting(
        "DATASETS",
        "core",
        several(name for d in DATASETS for name in (*d.groups, d.key)),
        "Datasets of the daily job: keys and groups.",
    ),
    Setting(
        "CATCH_UP_DAYS",
        "30",
        whole_number(1, 3660),
        "How many days back the daily job looks for what is missing or was revised.",
    ),
    *EXECUTOR_SETTINGS,
    *ARCHIVE_SETTINGS,
    *SOURCE_SETTINGS,
)

Wanted = tuple[Dataset, str, Window]
# Told about progress: windows done, windows in all, and the dataset and scope of the last one.
Progress = Callable[[int, int, "Fetched"], None]


@dataclass
class Fetched:
    """What a fetch did for one dataset and scope: the days asked about and how they stand now.

    ``done`` of ``windows`` were asked, in ``requests``; ``given_up`` of them were not sent any more.
    ``skipped`` names the settings it would need. ``rejected`` and ``notes`` are of files: what could not
    be read, and what was odd.
    """

    dataset: Dataset
    scope: str
    window: Window
    entries: dict[date, Entry] = field(default_factory=dict)
    windows: int = 0
    done: int = 0
    requests: int = 0
    changed: int = 0
    bytes: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)
    given_up: int = 0
    rejected: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    locked: bool = False
    skipped: str = ""

    @property
    def key(self) -> str:
        """Dataset and scope as people write it."""
        return f"{self.dataset.key} {self.scope}".rstrip()

    @property
    def ended(self) -> str:
        """Why the provider has nothing more of this, where the window reaches so far; else empty."""
        published = self.dataset.published(self.scope)
        return published.why if days_in(self.window)[-1] >= published.until else ""


@dataclass
class FetchReport:
    """One ``Fetched`` a dataset, and how many requests and retries it took in all."""

    fetched: list[Fetched]
    requests: int = 0
    retries: int = 0

    @property
    def entries(self) -> list[Entry]:
        """The ledger entries of all days asked about."""
        return [entry for part in self.fetched for entry in part.entries.values()]


def find_datasets(words: Iterable[str]) -> list[Dataset]:
    """Datasets by key, alias or group, in the order asked; UsageError with near matches."""
    return list(dict.fromkeys(d for word in words for d in find(word, _by_name(), "dataset")))


@cache
def _by_name() -> dict[str, tuple[Dataset, ...]]:
    names: dict[str, tuple[Dataset, ...]] = {}
    for dataset in DATASETS:
        for group in dataset.groups:
            names[group] = (*names.get(group, ()), dataset)
    return names | {name: (d,) for d in DATASETS for name in (d.key, *d.aliases)}


def fetch(
    keys: Iterable[str],
    start: str,
    end: str | None = None,
    *,
    store: SqlStore | None = None,
    again: bool = False,
    **overrides: str,
) -> FetchReport:
    """Fetch datasets for a range of settlement days (both ends included) or UTC instants.

    What the ledger proves is not asked again, unless ``again``. Without ``store`` the configured one
    is opened; ``overrides`` are settings by name. A window that fails is in the report, never an
    exception. Raises UsageError for an unknown key or a range that is malformed or has not begun.
    """
    settings = load_settings(SETTINGS, overrides)
    now = datetime.now(UTC)
    window = parse_range(start, end)
    if window.start > now:
        raise UsageError(f"{start} has not begun yet: there is nothing to fetch.")
    wanted = each_scope(find_datasets(keys), settings, lambda *_: window)
    opening = contextlib.nullcontext(store) if store else open_store(settings["STORE_URL"])
    with opening as opened, open_cluster(settings) as cluster:
        return fetch_windows(
            wanted, opened, settings, now, by_name=True, again=again, cluster=cluster
        )


def each_scope(
    datasets: Iterable[Dataset], settings: Settings, window: Callable[[Dataset, str], Window]
) -> list[Wanted]:
    """Datasets with each of their scopes and the window to look at."""
    return [(d, scope, window(d, scope)) for d in datasets for scope in d.scopes(settings)]


def catch_up_window(
    dataset: Dataset, scope: str, store: SqlStore, catch_up_days: int, now: datetime
) -> Window:
    """Yesterday and every day before it that the unattended job should look at again.

    That is back to the first day that the ledger knows, at most ``catch_up_days``; the ledger then
    says which of them are worth asking. Just yesterday for a dataset that was never fetched.
    """
    yesterday = settlement_date(now) - ONE_DAY
    known = store.known_days(dataset.key, scope)
    earliest = yesterday - (catch_up_days - 1) * ONE_DAY
    first = min(max(known[0], earliest), yesterday) if known else yesterday
    return days_window(first, yesterday)


def plan(
    dataset: Dataset,
    scope: str,
    window: Window,
    entries: Mapping[date, Entry],
    now: datetime,
    *,
    by_name: bool,
    again: bool,
) -> list[Window]:
    """The windows to ask: due days of ``window``, neighbours joined up to the widest allowed."""
    windows: list[Window] = []
    published = dataset.published(scope)
    days = days_in(window)
    if not dataset.table.time:  # a list as it stands says nothing of earlier days
        days = [day for day in days[-1:] if day >= settlement_date(now) - ONE_DAY]
    for day in days:
        entry = entries.get(day)
        due = is_due(entry, day, dataset.lag, dataset.revisions, now, by_name=by_name)
        part = window.common(day_window(day))
        if part is None or part.start >= now or day not in published:
            continue
        if not due and not again:
            continue
        if (
            windows
            and windows[-1].end == part.start
            and (part.end - windows[-1].start <= dataset.widest)
        ):
            windows[-1] = Window(windows[-1].start, part.end)
        else:
            windows.append(part)
    return windows


def fetch_windows(
    wanted: Sequence[Wanted],
    store: SqlStore,
    settings: Settings,
    now: datetime,
    *,
    by_name: bool,
    again: bool = False,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
    cluster: Cluster | None = None,
) -> FetchReport:
    """Fetch each dataset's window as far as the ledger does not prove it; see ``fetch``.

    Requests run in threads, or on the workers of a ``cluster``. Every answer is written in a transaction
    of its own: by this thread, or by the worker where the store takes several writers. When ``stop`` is
    set, what is under way is finished and the rest is left to the next run. Raises UsageError or
    StoreError where nothing can be kept in RAW_ARCHIVE; then nobody was asked.
    """
    archive = open_archive(settings["RAW_ARCHIVE"])
    with contextlib.ExitStack() as held:
        parts = [Fetched(*one) for one in wanted]
        locked = _lock_all({part.dataset.key for part in parts}, store, held)
        tasks: list[tuple[Fetched, Window]] = []
        for part in parts:
            part.locked = part.dataset.key in locked
            part.skipped = ", ".join(part.dataset.lacking(settings))
            if part.locked or part.skipped:
                continue
            days = days_in(part.window)
            entries = store.entries(part.dataset.key, days[0], days[-1], part.scope)
            part.entries = {day: entry for (_, day), entry in entries.items()}
            if isinstance(part.dataset.read, FileReading):
                folder = settings[part.dataset.read.folder_setting]
                _read_folder(part, folder, store, now, archive)
                continue
            windows = plan(
                part.dataset,
                part.scope,
                part.window,
                part.entries,
                now,
                by_name=by_name,
                again=again,
            )
            part.windows = len(windows)
            tasks += [(part, window) for window in windows]
        report = FetchReport(parts)
        if tasks:
            turns = answers(tasks, store, settings, now, stop or threading.Event(), cluster)
            with contextlib.closing(turns):
                _take_all(turns, len(tasks), report, store, now, progress)
        return report


def _read_folder(
    part: Fetched, root: Path, store: SqlStore, now: datetime, archive: Archive | None
) -> None:
    """Read a dataset's new files; no request is made, so it needs neither thread nor client."""
    from read_files import read_new_files

    begin = time.perf_counter()
    try:
        done = read_new_files(part.dataset, root, part.window, store, now, archive)
    except (SourceError, SchemaError) as trouble:
        _note_failure(part, part.window, trouble, store, now)
    else:
        part.entries.update(
            {d: e for d, e in done.entries.items() if day_window(d).common(part.window)}
        )
        part.changed, part.bytes = done.changed, done.bytes
        part.rejected, part.notes = done.rejected, done.notes
    part.seconds = time.perf_counter() - begin


def _lock_all(keys: set[str], store: SqlStore, held: contextlib.ExitStack) -> set[str]:
    """Lock what is free; returns the keys that another run holds."""
    locked = set()
    for key in sorted(keys):
        try:
            held.enter_context(store.lock(key))
        except Locked:
            locked.add(key)
            log.warning("%s: locked by another run, skipped", key)
    return locked


def _take_all(
    turns: Iterable[tuple[Fetched, Window, Asked]],
    total: int,
    report: FetchReport,
    store: SqlStore,
    now: datetime,
    progress: Progress | None,
) -> None:
    """Take the answers and failures as they come, and count what they cost."""
    requests: dict[tuple[str, Provider], Counter[str]] = {}
    retries: Counter[tuple[str, Provider]] = Counter()
    for done, (part, window, asked) in enumerate(turns, start=1):
        _take(part, window, asked, store, now)
        part.done += 1
        # Counts of one asker only grow, and may arrive in another order: the larger is the newer.
        by = (asked.asker, part.dataset.provider)
        requests[by] = requests.get(by, Counter()) | asked.requests_of
        retries |= Counter({by: asked.retries})
        part.requests = sum(of[part.dataset.key] for of in requests.values())
        if progress:
            progress(done, total, part)
    report.requests = sum(of.total() for of in requests.values())
    report.retries = retries.total()


def _take(part: Fetched, window: Window, asked: Asked, store: SqlStore, now: datetime) -> None:
    """Write one answer, or note one failure, and log it."""
    key, outcome = part.key, asked.outcome
    part.seconds += asked.seconds
    if isinstance(outcome, Answer):
        outcome = written(store, part.dataset, part.scope, window, outcome, now)
    if isinstance(outcome, StoreError):
        raise outcome
    if isinstance(outcome, GridledgerError):
        _note_failure(part, window, outcome, store, now)
        return
    part.entries.update({entry.day: entry for entry in outcome.entries})
    part.changed += outcome.changed
    part.bytes += outcome.bytes
    log.info(
        "%s %s: %d rows, %d new or changed, %s, %.1f s",
        key,
        window,
        outcome.rows,
        outcome.changed,
        ", ".join(sorted({str(entry.state) for entry in outcome.entries})),
        asked.seconds,
        extra={**_labels(part), "rows": outcome.rows, "changed": outcome.changed},
    )
    for note in sorted({entry.note for entry in outcome.entries if entry.note}):
        log.warning("%s %s: %s", key, window, note, extra=_labels(part))


def _labels(part: Fetched) -> dict[str, str]:
    """By which a log in JSON can be searched."""
    return {"dataset": part.dataset.key, "scope": part.scope}


def _note_failure(
    part: Fetched, window: Window, trouble: Exception, store: SqlStore, now: datetime
) -> None:
    for_good = isinstance(trouble, GivenUp | ClusterLost)
    if not for_good or not part.given_up:  # say it once, not for every window
        part.failures.append(f"{part.key} {window}: {trouble}")
        log.error("%s %s: %s", part.key, window, trouble, extra=_labels(part))
    part.given_up += for_good
    said = str(trouble)
    entries = [
        failed(part.dataset.key, part.scope, day, part.entries.get(day), now, said)
        for day in days_in(window)
    ]

    def record() -> None:
        for entry in entries:
            store.record(entry)

    store.atomically(record)
    part.entries.update({entry.day: entry for entry in entries})


def holes(part: Fetched, now: datetime) -> list[tuple[date, State]]:
    """Days of a fetch on which data that was due is not there."""
    found: list[tuple[date, State]] = []
    published = part.dataset.published(part.scope)
    if part.skipped:
        return found
    for day in days_in(part.window):
        entry = part.entries.get(day)
        state = entry.state if entry else State.DUE
        if state is State.NOT_DUE or day not in published:
            continue
        if entry is None and (
            day_window(day).end + part.dataset.lag > now or not part.dataset.table.time
        ):
            continue
        if state.hole:
            found.append((day, state))
    return found
