"""Load, generation and prices of the zones by market day, and their truth as tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.calendar import market_day_of, start_of_market_day
from sandbox.entsoe import model
from sandbox.entsoe.days import LAG_S, Day, Quirks
from sandbox.entsoe.zones import BY_KEY, ZONES, Zone
from sandbox.grid import Columns
from sandbox.noise import Floats, Instants

OUT, IN = "out", "in"
# Values are made for some days at once: the cost of a curve is in the calls, not in the slots.
_BLOCK_DAYS = 8


@dataclass(frozen=True)
class Lane:
    """Curves that make one row per slot: constant columns, and columns with the curve's place."""

    labels: tuple[tuple[str, Any], ...]
    values: tuple[tuple[str, int | None], ...]


def generation_curves(zone: Zone) -> list[tuple[str, str]]:
    """Return (side, psr type) of a zone's generation in the order of its documents."""
    out = [(OUT, psr) for psr in model.CONSUMERS[zone.key]]
    into = [(IN, psr) for psr in model.FLEETS[zone.key]]
    return out + into if zone.key == "DE_LU" else into + out


def open_days(zone: Zone, first: int, last: int, now: int) -> list[int]:
    """Return the market days with data that hold the instants from `first` to `last`."""
    # Prices of tomorrow are told today, nothing is told before that.
    newest = market_day_of(max(now, 0)) + 1
    opened = start_of_market_day(zone.begins)
    if last < opened or first > last:
        return []
    until = min(last, start_of_market_day(newest))
    numbers = range(market_day_of(max(first, opened)), market_day_of(until) + 1)
    return [number for number in numbers if zone.is_open(number)]


class Series:
    """All days of one seed; each is made once and kept for a while."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.quirks = Quirks(seed)
        self._day = lru_cache(maxsize=1_024)(self._make_day)
        self._block = lru_cache(maxsize=32)(self._make_block)

    def day(self, zone: Zone, item: str, day: int, seat: int = 0) -> Day:
        """Return a market day of "load", "generation" or an auction's "prices"."""
        return self._day(zone.key, item, day, seat)

    def days(
        self, zone: Zone, item: str, first: int, last: int, now: int, seat: int = 0
    ) -> list[Day]:
        """Return the market days that hold the instants from `first` to `last` (inclusive)."""
        return [self.day(zone, item, n, seat) for n in open_days(zone, first, last, now)]

    def _make_day(self, key: str, item: str, number: int, seat: int) -> Day:
        zone = BY_KEY[key]
        step_s = zone.price_step_s(seat, number) if item == "prices" else zone.step_s(number)
        all_starts, all_values = self._block(key, item, number // _BLOCK_DAYS, step_s, seat)
        bounds = start_of_market_day(number), start_of_market_day(number + 1)
        mine = slice(*np.searchsorted(all_starts, bounds).tolist())
        starts, values = all_starts[mine], all_values[:, mine]
        told = starts + step_s + LAG_S
        if item == "prices":
            told = np.full(len(starts), self.quirks.told_prices(key, number, seat), dtype=np.int64)
        day = self.quirks.dress((key, item, number), starts, told, values)
        if item == "generation":
            for place, curve in enumerate(generation_curves(zone)):
                # Reservoirs are told in a TimeSeries for every day.
                day.fresh[place, 0] = curve == (IN, "B12")
        return day

    def _make_block(
        self, key: str, item: str, block: int, step_s: int, seat: int
    ) -> tuple[Instants, Floats]:
        """Return the slots of a block of market days, and their values by curve."""
        first = block * _BLOCK_DAYS
        bounds = start_of_market_day(first), start_of_market_day(first + _BLOCK_DAYS)
        starts = np.arange(*bounds, step_s, dtype=np.int64)
        state = model.hours(self.seed, key, starts + step_s // 2)
        if item == "prices":
            return starts, model.price(self.seed, state, seat)[None, :]
        if item == "load":
            return starts, model.load_mw(state)[None, :]
        curves = generation_curves(BY_KEY[key])
        return starts, np.stack([self._generation(state, *curve) for curve in curves])

    def _generation(self, state: model.Hours, side: str, psr: str) -> Floats:
        make = model.generation_mw if side == IN else model.consumption_mw
        return make(self.seed, state, psr)

    # --- the truth -----------------------------------------------------------

    def rows(self, item: str, first: int, last: int, now: int, *, every: bool) -> Columns:
        """Return what was told by `now` of the slots from `first` to `last`, oldest first."""
        parts: list[Columns] = []
        for place, zone in enumerate(ZONES):
            for seat in sorted(zone.seats) if item == "prices" else (0,):
                for day in self.days(zone, item, first, last, now, seat):
                    for number, lane in enumerate(_lanes(zone, item, seat)):
                        for rows in _told(day, lane, now, every=every):
                            rows["order"] = np.full(len(rows["time"]), place * 64 + number)
                            rows["zone"] = np.full(len(rows["time"]), zone.key)
                            parts.append(rows)
        columns = _joined(parts, _lanes(ZONES[0], item, 1)[0])
        inside = (columns["time"] >= first) & (columns["time"] <= last)
        order = np.lexsort((columns["publish_time"], columns.pop("order"), columns["time"]))
        kept = order[inside[order]]
        return {name: values[kept] for name, values in columns.items()}


def _lanes(zone: Zone, item: str, seat: int) -> list[Lane]:
    if item == "load":
        return [Lane((), (("load_mw", 0),))]
    if item == "prices":
        labels = (("sequence", seat or 1), ("currency", zone.currency))
        return [Lane(labels, (("price", 0),))]
    places = {curve: place for place, curve in enumerate(generation_curves(zone))}
    return [
        Lane(
            (("psr_type", psr),),
            (("generation_mw", places[IN, psr]), ("consumption_mw", places.get((OUT, psr)))),
        )
        for psr in model.FLEETS[zone.key]
    ]


def _told(day: Day, lane: Lane, now: int, *, every: bool) -> Iterator[Columns]:
    """Yield the rows of a lane as they are in force at `now`, or of each publication."""
    visible = day.told <= now
    told: Instants = day.told
    former: list[Floats] | None = None
    known: tuple[list[Floats], Instants] | None = None
    for since, values in day.versions:
        if since > now:
            break
        masked = np.where(day.kept, values, np.nan)
        nothing = np.full(len(day.starts), np.nan)
        mine = [nothing if place is None else masked[place] for _, place in lane.values]
        changed = visible
        if former is not None:
            differs = [_differ(one, other) for one, other in zip(mine, former, strict=True)]
            changed = visible & np.logical_or.reduce(differs)
            told = np.where(changed, since, told)
        if every:
            yield _rows(day, lane, mine, told, changed)
        former, known = mine, (mine, told)
    if known is not None and not every:
        yield _rows(day, lane, *known, visible)


def _rows(
    day: Day, lane: Lane, values: list[Floats], told: Instants, which: NDArray[np.bool_]
) -> Columns:
    which = which & ~np.logical_and.reduce([np.isnan(each) for each in values])
    count = int(which.sum())
    columns: Columns = {
        "time": day.starts[which],
        "resolution_minutes": np.full(count, day.step_s // 60, dtype=np.int64),
    }
    columns |= {name: np.full(count, label) for name, label in lane.labels}
    columns |= {name: each[which] for (name, _), each in zip(lane.values, values, strict=True)}
    columns["publish_time"] = told[which]
    return columns


def _joined(parts: list[Columns], lane: Lane) -> Columns:
    names = ["zone", "time", "resolution_minutes", *(name for name, _ in lane.labels)]
    names += [*(name for name, _ in lane.values), "publish_time", "order"]
    if not parts:
        empty = {"zone": np.dtype("U8"), "psr_type": np.dtype("U8"), "currency": np.dtype("U8")}
        whole = {"time", "resolution_minutes", "sequence", "publish_time", "order"}
        return {
            name: np.zeros(0, empty.get(name, np.dtype(np.int64 if name in whole else np.float64)))
            for name in names
        }
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _differ(one: Floats, other: Floats) -> NDArray[np.bool_]:
    return np.asarray((one != other) & ~(np.isnan(one) & np.isnan(other)))
