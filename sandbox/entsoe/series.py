"""The items of the platform by market day, and their truth as tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.calendar import market_day_of, start_of_market_day
from sandbox.entsoe import exchange, market
from sandbox.entsoe.balancing import BALANCING
from sandbox.entsoe.curves import Curve, SlotItem, coupled_zones, load_step
from sandbox.entsoe.days import Day, Quirks
from sandbox.entsoe.market import IDA_TOLD, MARKET
from sandbox.entsoe.power import IN, OUT, POWER, generation_curves
from sandbox.entsoe.zones import BY_KEY, FIRST_DAY, QUARTER_S, ZONES
from sandbox.grid import Columns
from sandbox.noise import Floats, Instants

# Values are made for some days at once: the cost of a curve is in the calls, not in the slots.
_BLOCK_DAYS = 8
# Hours after midnight are the longest that a day-ahead item is told before its day.
_NEWEST_DAYS = 1


def _auction(key: str, seats: tuple[int, ...], contract: str) -> SlotItem:
    """Return an auction's prices; which of them a day has is told by its seat."""
    intraday = contract == "A07"
    return SlotItem(
        key,
        ("price",),
        lambda zone: [market.price_curve(zone, seat, contract) for seat in seats],
        lambda *of: np.zeros((0, 0)),
        load_step,
        fields=("price.amount",),
        clean=intraday,
        scopes=coupled_zones if intraday else lambda: [zone.key for zone in ZONES],
        is_open=market.intraday_open if intraday else lambda zone, day: BY_KEY[zone].is_open(day),
    )


ITEMS = {
    item.key: item
    for item in (
        *POWER,
        *MARKET,
        *BALANCING,
        _auction("prices", (0,), "A01"),
        _auction("intraday", (1, 2, 3), "A07"),
    )
}
AUCTIONS = ("prices", "intraday")


@dataclass(frozen=True)
class Lane:
    """Curves that make one row per slot: constant columns, and columns with the curve's place."""

    labels: tuple[tuple[str, Any], ...]
    values: tuple[tuple[str, int | None], ...]
    sign: int = 1


def seats_of(item: str, scope: str) -> tuple[int, ...]:
    """Return the auctions of an item in the order of documents; 0 where there is only one."""
    if item == "intraday":
        return (3, 2, 1)
    return BY_KEY[scope].seats if item == "prices" else (0,)


def open_days(item: SlotItem, scope: str, first: int, last: int, now: int) -> list[int]:
    """Return the market days with data that hold the instants from `first` to `last`."""
    # Prices of tomorrow are told today, nothing is told before that.
    newest = market_day_of(max(now, 0)) + _NEWEST_DAYS
    opened = start_of_market_day(FIRST_DAY)
    if last < opened or first > last:
        return []
    until = min(last, start_of_market_day(newest))
    numbers = range(market_day_of(max(first, opened)), market_day_of(until) + 1)
    return [number for number in numbers if item.is_open(scope, number)]


class Series:
    """All days of one seed; each is made once and kept for a while."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.quirks = Quirks(seed)
        self._day = lru_cache(maxsize=1_024)(self._make_day)
        self._block = lru_cache(maxsize=32)(self._make_block)

    def day(self, scope: str, item: str, day: int, seat: int = 0) -> Day:
        """Return a market day of an item, of auctions that of one seat."""
        return self._day(scope, item, day, seat)

    def days(
        self, scope: str, item: str, first: int, last: int, now: int, seat: int = 0
    ) -> list[Day]:
        """Return the market days that hold the instants from `first` to `last` (inclusive)."""
        return [
            self.day(scope, item, n, seat) for n in open_days(ITEMS[item], scope, first, last, now)
        ]

    def told_auction(self, scope: str, item: str, day: int, seat: int) -> int:
        """Return when the prices of an auction for a day are told."""
        if item == "intraday":
            return start_of_market_day(day) + IDA_TOLD[seat]
        return self.quirks.told_prices(scope, day, seat)

    def _make_day(self, scope: str, key: str, number: int, seat: int) -> Day:
        item, step_s = ITEMS[key], _step_s(key, scope, number, seat)
        all_starts, all_values = self._block(scope, key, number // _BLOCK_DAYS, step_s, seat)
        bounds = start_of_market_day(number), start_of_market_day(number + 1)
        mine = slice(*np.searchsorted(all_starts, bounds).tolist())
        starts, values = all_starts[mine], all_values[:, mine]
        if key in AUCTIONS:
            when = self.told_auction(scope, key, number, seat)
            told = np.full(len(starts), when, dtype=np.int64)
        else:
            told = item.told_at(number, starts, step_s)
        if item.clean:
            kept = np.ones(values.shape, np.bool_) if item.cuts is None else item.cuts(values)
            if key == "intraday":
                kept = kept & market.in_auction(seat, starts)
            fresh = np.zeros(values.shape, np.bool_)
            if item.each_run:
                fresh[:, 1:] = kept[:, 1:] & ~kept[:, :-1]
                fresh[:, 0] = True
            return self.quirks.plain(starts, told, values, kept, fresh)
        day = self.quirks.dress((scope, key, number), starts, told, values, restates=item.told >= 0)
        if key == "generation":
            for place, curve in enumerate(generation_curves(scope)):
                # Reservoirs are told in a TimeSeries for every day.
                day.fresh[place, 0] = curve == (IN, "B12")
        return day

    def _make_block(
        self, scope: str, key: str, block: int, step_s: int, seat: int
    ) -> tuple[Instants, Floats]:
        """Return the slots of a block of market days, and their values by curve."""
        first = block * _BLOCK_DAYS
        bounds = start_of_market_day(first), start_of_market_day(first + _BLOCK_DAYS)
        starts = np.arange(*bounds, step_s, dtype=np.int64)
        if key == "prices":
            return starts, market.price_values(self.seed, scope, starts, step_s, seat)
        if key == "intraday":
            return starts, market.intraday_values(self.seed, scope, starts, step_s, seat)
        return starts, ITEMS[key].values(self.seed, scope, starts, step_s)

    # --- the truth -----------------------------------------------------------

    def rows(
        self,
        keys: tuple[str, ...],
        first: int,
        last: int,
        now: int,
        *,
        every: bool,
        scope: str | None = None,
    ) -> Columns:
        """Return what was told by `now` of the slots from `first` to `last`, oldest first."""
        parts: list[Columns] = []
        order = 0
        for key in keys:
            item = ITEMS[key]
            for place in item.scopes() if scope is None else [scope]:
                for seat in sorted(seats_of(key, place)):
                    lanes = lanes_of(key, place, seat)
                    for day in self.days(place, key, first, last, now, seat):
                        for number, lane in enumerate(lanes):
                            for rows in told_rows(day, lane, now, every=every):
                                count = len(rows["time"])
                                rows["order"] = np.full(count, order + number)
                                parts.append(rows | _scope_columns(item, place, count))
                    order += len(lanes)
        item = ITEMS[keys[0]]
        sample = item.scopes()[0] if scope is None else scope
        columns = _joined(parts, lanes_of(item.key, sample, 1), _scope_columns(item, sample, 0))
        if keys[0] in ("load", "generation", "prices"):
            columns["resolution_minutes"] = columns.pop("resolution_s") // 60
        inside = (columns["time"] >= first) & (columns["time"] <= last)
        ordered = np.lexsort((columns["publish_time"], columns.pop("order"), columns["time"]))
        kept = ordered[inside[ordered]]
        return {name: values[kept] for name, values in columns.items()}


def _step_s(key: str, scope: str, number: int, seat: int) -> int:
    if key == "prices":
        return BY_KEY[scope].price_step_s(seat, number)
    return QUARTER_S if key == "intraday" else ITEMS[key].step_s(scope, number)


def _scope_columns(item: SlotItem, scope: str, count: int) -> Columns:
    if not item.border:
        return {"zone": np.full(count, scope)}
    origin, target = exchange.ends(scope)
    return {
        "border": np.full(count, scope),
        "from_zone": np.full(count, origin),
        "to_zone": np.full(count, target),
    }


def lanes_of(key: str, scope: str, seat: int) -> list[Lane]:
    """Return the rows that a slot of an item makes in the truth."""
    if key == "generation":
        places = {curve: place for place, curve in enumerate(generation_curves(scope))}
        return [
            Lane(
                (("psr_type", psr),),
                (("generation_mw", at), ("consumption_mw", places.get((OUT, psr)))),
            )
            for (side, psr), at in places.items()
            if side == IN
        ]
    if key in AUCTIONS:
        contract = "A01" if key == "prices" else "A07"
        return [_lane(market.price_curve(scope, seat, contract), ("price",), 0)]
    item = ITEMS[key]
    curves = item.curves(scope)
    return [_lane(curve, item.columns, at * len(item.columns)) for at, curve in enumerate(curves)]


def _lane(curve: Curve, columns: tuple[str, ...], place: int) -> Lane:
    labels = tuple((name, value) for name, value in curve.labels if name != "businessType")
    values = tuple((name, place + at) for at, name in enumerate(columns))
    return Lane(labels, values, curve.sign)


def told_rows(day: Day, lane: Lane, now: int, *, every: bool) -> Iterator[Columns]:
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
        mine = [
            nothing if place is None else lane.sign * masked[place] + 0.0
            for _, place in lane.values
        ]
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
        "resolution_s": np.full(count, day.step_s, dtype=np.int64),
    }
    columns |= {name: np.full(count, label) for name, label in lane.labels}
    columns |= {name: each[which] for (name, _), each in zip(lane.values, values, strict=True)}
    columns["publish_time"] = told[which]
    return columns


def _joined(parts: list[Columns], lanes: list[Lane], scope: Columns) -> Columns:
    if parts:
        names = [*scope, *(name for name in parts[0] if name not in scope)]
        return {name: np.concatenate([part[name] for part in parts]) for name in names}
    empty: Columns = dict(scope)
    whole = np.zeros(0, np.int64)
    empty |= {"time": whole, "resolution_s": whole}
    for lane in lanes[:1]:
        empty |= {name: np.full(0, label) for name, label in lane.labels}
        empty |= {name: np.zeros(0) for name, _ in lane.values}
    return empty | {"publish_time": whole, "order": whole}


def _differ(one: Floats, other: Floats) -> NDArray[np.bool_]:
    return np.asarray((one != other) & ~(np.isnan(one) & np.isnan(other)))
