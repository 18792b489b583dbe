"""Outages of units, plants and borders: documents with revisions, some cancelled, some withdrawn.

What a document says is available, not what is missing. A resource has at most one outage of a cell
of time; it may last into the next ones, so a long outage is found on every day that it touches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from sandbox.calendar import DAY_S
from sandbox.entsoe import exchange
from sandbox.entsoe.units import Unit, plants, units
from sandbox.entsoe.zones import BY_KEY
from sandbox.noise import chance

CELL_S = 20 * DAY_S
# The longest outage, but for one resource of each scope that is away for most of a year.
_LONGEST_S = 45 * DAY_S
_YEAR_S = 365 * DAY_S
ACTIVE, CANCELLED, WITHDRAWN = "A05", "A09", "A13"
PLANNED, FORCED = "A53", "A54"
# Only some reasons come with words.
REASON_TEXTS = {"B20": "External Factors"}
_REASONS = {PLANNED: "B19", FORCED: "B18"}


@dataclass(frozen=True)
class Outage:
    """A revision of an outage. `steps` are (start, available MW), each until the next one."""

    mrid: str
    revision: int
    status: str
    business: str
    reason: str
    created: int
    start: int
    end: int
    unit: Unit
    steps: tuple[tuple[int, float], ...]


def resources(item: str, scope: str) -> tuple[Unit, ...]:
    """Return what can be out of service: generating units, plants, or two lines of a border."""
    if item == "outages_generation":
        return units(scope)
    if item == "outages_production":
        return plants(scope)
    border = exchange.border_of(scope)
    name = "-".join(exchange.ends(scope))
    return tuple(
        Unit(
            f"99T-{name.replace('_', '')[:9]}L{number}".ljust(15, "-") + "X",
            f"{name} line {number}",
            "B21",
            border.mw,
            0.5,
        )
        for number in (1, 2)
    )


def revisions(
    seed: int, item: str, scope: str, first: int, end: int, now: int
) -> list[list[Outage]]:
    """Return the outages that overlap [first, end), each with all revisions told by `now`."""
    found = []
    for place, unit in enumerate(resources(item, scope)):
        for cell in range((first - _LONGEST_S) // CELL_S, (max(end, first + 1) - 1) // CELL_S + 1):
            found.append(_outage(seed, item, scope, unit, cell))
        if place == 0:
            years = range((first - _YEAR_S) // _YEAR_S, (end - 1) // _YEAR_S + 1)
            found += [_long(item, scope, unit, year) for year in years]
    told = [[one for one in each if one.created <= now] for each in found]
    chosen = [each for each in told if each and each[-1].start < end and each[-1].end > first]
    # A closed zone has no new outages.
    return [each for each in chosen if _open(scope, each[-1].start)]


def current(
    seed: int, item: str, scope: str, first: int, end: int, now: int, *, withdrawn: bool = False
) -> list[Outage]:
    """Return the newest revisions of the outages of a window, as the platform lists them."""
    latest = [each[-1] for each in revisions(seed, item, scope, first, end, now)]
    kept = [each for each in latest if (each.status == WITHDRAWN) == withdrawn]
    return sorted(kept, key=lambda each: (each.start, each.mrid))


def _open(scope: str, instant: int) -> bool:
    day = instant // DAY_S
    if ">" in scope:
        return exchange.border_of(scope).is_scheduled(day)
    return BY_KEY[scope].is_open(day)


@lru_cache(maxsize=16_384)
def _outage(seed: int, item: str, scope: str, unit: Unit, cell: int) -> tuple[Outage, ...]:
    """Return all revisions of the outage of a cell, oldest first; none in half of the cells."""
    return tuple(_draw(seed, item, scope, unit, cell))


def _draw(seed: int, item: str, scope: str, unit: Unit, cell: int) -> Iterator[Outage]:
    label = f"outage/{item}/{scope}/{unit.eic}"

    def drawn(name: str) -> float:
        return chance(seed, f"{label}/{name}", cell)

    if drawn("happens") < 0.5:
        return
    planned = drawn("planned") < 0.6
    start = cell * CELL_S + int(drawn("start") * CELL_S) // 900 * 900
    length = _LONGEST_S if drawn("long") < 0.05 else 10 * DAY_S if planned else 2 * DAY_S
    end = start + max(3_600, int(drawn("length") * length) // 900 * 900)
    count = 1 + int(3 * drawn("revisions"))
    fate = drawn("fate")
    status = CANCELLED if fate < 0.12 else WITHDRAWN if fate < 0.18 else ACTIVE
    business = PLANNED if planned else FORCED
    mrid = hashlib.blake2b(f"{label}/{cell}".encode(), digest_size=8).hexdigest()
    # A planned one is told ten days ahead and changed until it begins, a forced one as it happens.
    first_told = start - 10 * DAY_S if planned else start + 1_800
    for revision in range(1, count + 1):
        created = first_told + (revision - 1) * (3 * DAY_S if planned else 7_200)
        last = revision == count
        # A revision ends later than the one before.
        until = end if last else start + max(3_600, (end - start) * revision // count // 900 * 900)
        left = round(unit.nominal_mw * 0.5 * drawn(f"left-{revision}"), 1)
        middle = start + (until - start) // 2 // 900 * 900
        steps = [(start, left)]
        if drawn("stages") < 0.4 and middle > start:
            steps.append((middle, round((left + unit.nominal_mw) / 2.0, 1)))
        told = status if last else ACTIVE
        yield Outage(
            mrid,
            revision,
            told,
            business,
            _REASONS[business],
            created,
            start,
            until,
            unit,
            tuple(steps),
        )


def _long(item: str, scope: str, unit: Unit, year: int) -> tuple[Outage, ...]:
    """Return the one outage that lasts most of a year: it stands in every window."""
    start = year * _YEAR_S + 10 * DAY_S
    mrid = hashlib.blake2b(f"long/{item}/{scope}/{year}".encode(), digest_size=8).hexdigest()
    # A line takes little of its border away.
    left = round(0.9 * unit.nominal_mw, 1) if ">" in scope else 0.0
    steps = ((start, left),)
    end = start + 340 * DAY_S
    return (Outage(mrid, 3, ACTIVE, PLANNED, "B20", start - 60 * DAY_S, start, end, unit, steps),)
