"""A year of the British core group under faults: in the end the tables are the truth, the ledger the holes.

The ordinary run takes five weeks around the long day, with a hole in each dataset; the nightly one 2024.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

import backfill
import fetch_data
import holes
import job
from domain.settlement import ONE_DAY, days_window
from domain.windows import Window, format_instant
from sandbox import Fault, Sandbox
from sandbox.faults import KINDS
from tests.integration import truths
from tests.integration.conftest import World, instant

SHARE = 0.05
MOST_ROUNDS = 8
# `revised` invents what was never published, and no client could tell; a plain ban has tests of its own.
FAULTS = [kind for kind in KINDS if kind not in ("revised", "429")]


@dataclass(frozen=True)
class Past:
    """Days that are fetched in two goes, long enough apart that values are restated in between."""

    first: date
    middle: date
    last: date
    early: str
    late: str

    @property
    def span(self) -> tuple[str, str]:
        window = days_window(self.first, self.last)
        return format_instant(window.start), format_instant(window.end)


WEEKS = Past(
    date(2024, 9, 26),
    date(2024, 10, 12),
    date(2024, 10, 28),
    "2024-10-16T12:00:00Z",
    "2024-11-08T12:00:00Z",
)
YEAR = Past(
    date(2024, 1, 1),
    date(2024, 7, 5),
    date(2024, 12, 31),
    "2024-07-10T12:00:00Z",
    "2025-01-10T12:00:00Z",
)


def mixed(share: float) -> list[Fault]:
    """Every kind alike, ``share`` of the answers in all."""
    each = share / len(FAULTS)
    pauses = {"429-retry-after": 0.0}
    return [
        # Of a list the first fault that hits is the only one: later ones need a larger part.
        Fault(kind, each / (1 - n * each), seconds=pauses.get(kind, 0.05))
        for n, kind in enumerate(FAULTS)
    ]


@pytest.fixture
def core(world: World, impatient: None) -> Iterator[World]:
    world.overrides |= {
        "DATASETS": ",".join(truths.CORE),
        "PRODUCTS": "",
        "CARBON_INTENSITY_REQUESTS_PER_S": "1000",
    }
    yield world


def fill(world: World, first: date, last: date, now: str, **changed: str) -> job.Report:
    world.sandbox.now = now
    with world.store() as store:
        one = job.Job("backfill", store, world.settings(**changed), instant(now))
        return backfill.backfill(one, [], first, last)


def mend(world: World, now: str) -> job.Report:
    world.sandbox.now = now
    with world.store() as store:
        one = job.Job("repair", store, world.settings(), instant(now))
        return backfill.repair(one, [], None, None)


def named_holes(world: World, first: date, last: date, now: str) -> dict[str, dict[str, str]]:
    """What `coverage` says: of each dataset the days that are not complete, and why."""
    found: dict[str, dict[str, str]] = {}
    with world.store() as store:
        for dataset in fetch_data.find_datasets(truths.CORE):
            days = holes.days_of(dataset, "", store, first, last, instant(now))
            found[dataset.key] = {
                str(day.day): re.sub(r" again and again| \(\d+ times\)", "", day.why)
                for day in days
                if day.why
            }
    return found


def true_holes(world: World, past: Past, last: date) -> dict[str, dict[str, str]]:
    end = format_instant(days_window(last, last).end)
    return {key: truths.holes(world.sandbox, key, past.span[0], end) for key in truths.CORE}


def until_only_true_holes(world: World, past: Past, last: date, now: str) -> tuple[int, str]:
    """Repair, an hour later each time, until nothing is missing but what nobody has; returns rounds."""
    expected = true_holes(world, past, last)
    for round_ in range(1, MOST_ROUNDS + 1):
        now = format_instant(instant(now) + timedelta(hours=1))
        report = mend(world, now)
        clean = not report.failures and not any(p.given_up for p in report.fetched)
        if clean and named_holes(world, past.first, last, now) == expected:
            return round_, now
    assert named_holes(world, past.first, last, now) == expected
    raise AssertionError(report.failures)


def live_through(world: World, past: Past) -> None:
    """Fetch in two goes with 5 % faults, then hold everything against the sandbox's account."""
    world.sandbox.faults = mixed(SHARE)
    fill(world, past.first, past.middle, past.early)
    rounds = [until_only_true_holes(world, past, past.middle, past.early)[0]]
    fill(world, past.first, past.last, past.late)
    more, now = until_only_true_holes(world, past, past.last, past.late)
    hit = [request for request in world.sandbox.requests if request.fault]
    asked = len(world.sandbox.requests)
    print(f"\n{asked} answers, {len(hit)} spoilt; rounds of repair: {[*rounds, more]}")
    assert len(hit) / asked > SHARE / 2
    world.sandbox.now = now
    assert_equal_to_truth(world, past)


def assert_equal_to_truth(world: World, past: Past) -> None:
    for table in truths.CORE:
        expected = truths.true(world.sandbox, table, *past.span)
        found = truths.stored(world.database, table)
        assert len(next(iter(found.values()))) == len(next(iter(expected.values()))), table
        assert truths.differences(found, expected) == [], table
        assert truths.off_calendar(world.database, table) == 0
        published = set(truths.rows(truths.true(world.sandbox, table, *past.span, every=True)))
        old = truths.rows(truths.stored(world.database, f"{table}_history"))
        assert len(set(old)) == len(old), f"{table}: a version stands twice in history"
        assert set(old) <= published, f"{table}: history holds what nobody published"
        assert not set(old) & set(truths.rows(found)), f"{table}: old and new at once"


@pytest.mark.timeout(120)
def test_weeks_of_faults_end_in_the_truth(core: World) -> None:
    assert all(true_holes(core, WEEKS, WEEKS.last).values()), "a hole in each dataset"
    live_through(core, WEEKS)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_a_year_of_faults_ends_in_the_truth(core: World) -> None:
    live_through(core, YEAR)


# --- order and workers -----------------------------------------------------------------------------


def in_pieces(world: World, first: date, last: date, seed: int, workers: int) -> None:
    """Fetch the days in stretches of random length, dataset by dataset, in random order."""
    rng = random.Random(seed)
    wanted: list[tuple[fetch_data.Dataset, str, Window]] = []
    for dataset in fetch_data.find_datasets(truths.CORE):
        day = first
        while day <= last:
            until = min(day + rng.randrange(5) * ONE_DAY, last)
            wanted.append((dataset, "", days_window(day, until)))
            day = until + ONE_DAY
    rng.shuffle(wanted)
    world.sandbox.now = WEEKS.late
    with world.store() as store:
        for n in range(0, len(wanted), 3):
            done = fetch_data.fetch_windows(
                wanted[n : n + 3],
                store,
                world.settings(FETCH_WORKERS=str(workers)),
                instant(WEEKS.late),
                by_name=True,
            )
            assert not [line for part in done.fetched for line in part.failures]


def hashes_of_orders(
    root: Path, sandbox: Sandbox, first: date, last: date, orders: Sequence[int]
) -> set[str]:
    sandbox.now, sandbox.faults = WEEKS.late, [Fault("duplicates", probability=0.5)]
    found = set()
    for workers in (1, 2, 8):
        for seed in orders:
            world = World(root / f"{workers}-{seed}", sandbox)
            world.overrides |= {
                "DATASETS": ",".join(truths.CORE),
                "PRODUCTS": "",
                "CARBON_INTENSITY_REQUESTS_PER_S": "1000",
            }
            if seed:
                in_pieces(world, first, last, seed, workers)
            else:
                fill(world, first, last, WEEKS.late, FETCH_WORKERS=str(workers))
            found.add(truths.content_hash(world.database))
    return found


@pytest.mark.timeout(120)
def test_any_order_and_any_number_of_workers_give_the_same_content(
    tmp_path: Path, sandbox: Sandbox, clean_environment: None
) -> None:
    first, last = date(2024, 10, 25), date(2024, 10, 28)
    assert len(hashes_of_orders(tmp_path, sandbox, first, last, [0, 1])) == 1


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_any_order_of_a_quarter_gives_the_same_content(
    tmp_path: Path, sandbox: Sandbox, clean_environment: None
) -> None:
    first, last = date(2024, 8, 1), date(2024, 10, 28)
    assert len(hashes_of_orders(tmp_path, sandbox, first, last, [0, 1])) == 1
