"""``doctor``: is everything in place for a night without anyone watching?"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from domain.errors import GridledgerError
from domain.settlement import LONDON, ONE_DAY, day_window, settlement_date
from domain.windows import Window
from utils import Settings

if TYPE_CHECKING:
    from sources.dataset import Dataset, Provider

FINE, MIND, WRONG = "fine", "mind", "WRONG"
FREE_BYTES_NEEDED = 2 * 10**9
CLOCK_TOLERANCE_S = 120


@dataclass(frozen=True)
class Finding:
    """One thing looked at: ``verdict`` is fine, mind or WRONG."""

    what: str
    verdict: str
    detail: str


def examine(settings: Settings, *, live: bool, now: datetime) -> Iterator[Finding]:
    """Look at Python, disk, clock, store and every provider; ``live`` also asks for real rows."""
    from sources import DATASETS, PROVIDERS

    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", FINE if sys.version_info >= (3, 11) else WRONG, version)
    yield _time_zone()
    yield _disk(settings)
    yield _store(settings)
    yield from _missing_settings(settings)
    for provider in (provider for provider in PROVIDERS if provider.base_url):
        yield from _reachable(provider, settings)
        if live and not any(d.lacking(settings) for d in DATASETS if d.provider == provider):
            yield _live(provider, settings, now)


def _time_zone() -> Finding:
    summer = datetime(2024, 7, 1, tzinfo=UTC).astimezone(LONDON)
    right = summer.utcoffset() == timedelta(hours=1)
    return Finding("time zones", FINE if right else WRONG, "Europe/London changes its clocks")


def _disk(settings: Settings) -> Finding:
    folder = settings["OUTPUT_DIR"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as trouble:
        return Finding("disk", WRONG, f"OUTPUT_DIR cannot be used: {trouble.strerror}")
    verdict = FINE if free > FREE_BYTES_NEEDED else MIND
    return Finding("disk", verdict, f"{free / 1e9:.1f} GB free where OUTPUT_DIR lies")


def _store(settings: Settings) -> Finding:
    from storage import open_store

    try:
        with open_store(settings["STORE_URL"]) as store, store.transaction():
            kind = store.origin or "empty"
            return Finding("store", FINE, f"{store.location()} opens for writing ({kind})")
    except GridledgerError as trouble:
        return Finding("store", WRONG, str(trouble))


def _missing_settings(settings: Settings) -> Iterator[Finding]:
    """Which datasets are skipped for want of a setting."""
    from sources import DATASETS

    lacking: dict[str, list[str]] = {}
    for dataset in DATASETS:
        for key in dataset.lacking(settings):
            lacking.setdefault(key, []).append(dataset.key)
    for key, datasets in lacking.items():
        yield Finding(key, MIND, f"is not set; skipped without it: {', '.join(datasets)}")


def _reachable(provider: Provider, settings: Settings) -> Iterator[Finding]:
    """Any HTTP answer proves the way there; its Date header proves our clock."""
    import requests

    from sources.transport import USER_AGENT

    address = settings[f"{provider.key.upper()}_BASE_URL"]
    try:
        answer = requests.get(address, headers={"User-Agent": USER_AGENT}, timeout=10)
    except requests.RequestException as trouble:
        detail = f"{address} does not answer ({type(trouble).__name__}); 'demo' works without it"
        yield Finding(provider.title, WRONG, detail)
        return
    yield Finding(provider.title, FINE, f"{address} answers")
    if "Date" in answer.headers:
        off = time.time() - parsedate_to_datetime(answer.headers["Date"]).timestamp()
        verdict = FINE if abs(off) < CLOCK_TOLERANCE_S else WRONG
        yield Finding("clock", verdict, f"{off:+.0f} s against {provider.title}")


def _live(provider: Provider, settings: Settings, now: datetime) -> Finding:
    """One small request, as wide as we believe it may be, held against the declaration."""
    from sources import DATASETS
    from sources.dataset import FileReading
    from sources.transport import Client

    dataset = min((d for d in DATASETS if d.provider == provider), key=_rows_of_a_request)
    end = day_window(settlement_date(now) - 2 * ONE_DAY).end
    window = Window(end - dataset.widest, end)
    scopes = dataset.scopes(settings)
    if not scopes:
        named = dataset.scopes_setting or "what is set"
        return Finding(f"{dataset.key}, live", MIND, f"not asked: {named} names nothing to ask for")
    try:
        assert not isinstance(dataset.read, FileReading)
        answer = dataset.read(dataset, scopes[0], window, Client(provider, settings))
    except GridledgerError as trouble:
        return Finding(f"{dataset.key}, live", WRONG, str(trouble))
    rows = answer.rows
    told = f"{len(rows.frame)} rows of {dataset.widest.days} days, all declared columns there"
    if rows.unknown:
        return Finding(f"{dataset.key}, live", MIND, f"{told}; unknown: {', '.join(rows.unknown)}")
    return Finding(f"{dataset.key}, live", FINE if len(rows.frame) else MIND, told)


def _rows_of_a_request(dataset: Dataset) -> tuple[int, int]:
    return dataset.priority, dataset.rows_a_day * dataset.widest.days
