"""Years in one command, and holes mended: ``backfill`` and ``repair``, with the products that follow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

import fetch_data
import process_data
import progress
from domain.settlement import ONE_DAY, days_in, days_window, settlement_date
from domain.windows import Window
from job import Job, Report
from products.product import Product
from sources.dataset import Dataset

if TYPE_CHECKING:
    from fetch_data import FetchReport, Wanted


def repair(job: Job, keys: list[str], first: date | None, last: date | None) -> Report:
    """Ask for exactly the holes, and for what the revision schedule says is due.

    Between ``first`` and ``last``; without them between the first and the last day that the ledger
    knows of each dataset. Holes are asked at once, however often they were asked before.
    """
    wanted = [
        (dataset, scope, days_window(first or known[0], last or known[1]))
        for dataset, scope, known in _known(job, keys)
        if (first or known[0]) <= (last or known[1])
    ]
    return _fetch_and_follow(job, wanted, by_name=True)


def backfill(job: Job, keys: list[str], first: date, last: date | None) -> Report:
    """Ask for all days from ``first`` to ``last`` (yesterday) that the ledger does not know.

    What was answered in part or without rows is left to its schedule, so that a second run makes no
    request; ``repair`` asks for it at once.
    """
    end = last or settlement_date(job.now) - ONE_DAY
    window = days_window(first, end)
    datasets = fetch_data.find_datasets(keys or job.settings["DATASETS"])
    wanted = fetch_data.each_scope(datasets, job.settings, lambda *_: window)
    return _fetch_and_follow(job, wanted, by_name=False)


def _known(job: Job, keys: list[str]) -> Iterator[tuple[Dataset, str, tuple[date, date]]]:
    """Datasets and scopes that the ledger knows, with the first and the last day of each."""
    for dataset in fetch_data.find_datasets(keys or job.settings["DATASETS"]):
        for scope in dataset.scopes(job.settings):
            known = job.store.known_days(dataset.key, scope)
            if known:
                yield dataset, scope, known


def _fetch_and_follow(job: Job, wanted: list[Wanted], *, by_name: bool) -> Report:
    """Fetch, then compute and publish the days of products that are missing or stale by it."""
    with progress.table() as told:
        done = fetch_data.fetch_windows(
            wanted,
            job.store,
            job.settings,
            job.now,
            by_name=by_name,
            progress=told,
            cluster=job.cluster,
        )
    processed = process_data.process_windows(
        list(_followers(job, done)), job.store, job.settings, job.now, cluster=job.cluster
    )
    report = Report(done.fetched, processed, done.requests, done.retries)
    report.list_holes(job.now)
    return report


def _followers(job: Job, done: FetchReport) -> Iterator[tuple[Product, Window]]:
    """The daily products of what was fetched, each with the span of days that it may concern.

    What is issued once does not follow: nobody could have had that forecast then.
    """
    for product in process_data.find_products(job.settings["PRODUCTS"]):
        behind = process_data.datasets_behind(product)
        spans = [part.window for part in done.fetched if part.dataset.key in behind]
        if spans and product.issued_before_end is None:
            start, end = min(s.start for s in spans), max(s.end for s in spans)
            clock = product.clock(job.settings)
            # A month is made of all its days: what changed on one of them concerns its last.
            whole = product.span(days_in(Window(start, end), clock)[-1], clock)
            yield product, Window(start, whole.end)
