"""What the series of Elexon share: settlement days made on demand, versions, holes, repeated rows."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sandbox.calendar import (
    DAY_S,
    LAST_INSTANT,
    PERIOD_S,
    day_of,
    periods_in_day,
    settlement_day,
    start_of_day,
)
from sandbox.grid import HISTORY_STARTS, QUIET_DAYS, Columns, join, take
from sandbox.noise import Floats, Instants, chance, uniform

HOUR_S = 3_600
Mask = NDArray[np.bool_]
_QUIET = np.array(sorted(QUIET_DAYS), dtype=np.int64)
# How far back the newest row is looked for; warnings are rare.
_LOOK_BACK_DAYS = (2, 40, 400)


class DailySeries:
    """A series that is made one settlement day at a time and remembered.

    `make_day` returns every publication of a day's rows in order of `cell` and `publish_time`,
    where `cell` numbers what is published (it is not handed out). The columns in `identity` name
    it; of its publications the last counts.
    """

    name: str = ""
    axes: tuple[str, ...] = ("start_time",)
    identity: tuple[str, ...] = ("start_time",)
    settled_after_s: int = 3 * DAY_S
    #: How long after the start of its day a row may still lie, beyond the day, on any axis.
    reach_s: int = HOUR_S
    #: How long before it lies on an axis a row may be published.
    ahead_s: int = 0
    #: Whether anything is ever published again.
    versioned: bool = True
    #: Days that are remembered.
    kept_days: int = 512

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._day = lru_cache(maxsize=self.kept_days)(self.make_day)
        self._none: Columns | None = None

    def make_day(self, day: int) -> Columns:
        """Return every publication of the rows of a settlement day."""
        raise NotImplementedError

    def known_day(self, day: int, now: int, *, every: bool) -> Columns:
        """Return a day's rows; a series with many versions may leave out what is not asked for."""
        return self._day(day)

    def newest(self, axis: str, now: int) -> int:
        """Return the newest instant on an axis that is published at `now`."""
        for days in _LOOK_BACK_DAYS:
            found = self.rows(axis, now - days * DAY_S, now + self.ahead_s, now, every=True)[axis]
            if len(found):
                return int(found.max())
        return now

    def rows(self, axis: str, first: int, last: int, now: int, *, every: bool = False) -> Columns:
        """Return the rows from `first` to `last` (both inclusive) published by `now`."""
        first, last = max(first, HISTORY_STARTS), min(last, now + self.ahead_s, LAST_INSTANT)
        parts = []
        if first <= last:
            begin = day_of(max(first - self.reach_s, HISTORY_STARTS))
            for day in range(begin, day_of(last) + 1):
                part = self._asked(self.known_day(day, now, every=every), axis, first, last, now)
                if not every and self.versioned:
                    part = take(part, _last_of_each(part["cell"]))
                parts.append(part)
        columns = join(parts) if parts else self._empty()
        columns.pop("cell")
        # Most series come in order; sorting a year of them costs more than looking.
        values = columns[axis]
        if bool((values[1:] < values[:-1]).any()):
            columns = take(columns, np.argsort(values, kind="stable"))
        return columns

    def repeats(self, columns: Columns) -> NDArray[np.int64]:
        """Return 2 for the rows of the few spans that are sent twice, 1 for all others."""
        times = columns[self.axes[0]]
        days = settlement_day(times)
        twice = uniform(self.seed, f"{self.name}/repeat-day", days) < 1 / 12
        twice &= uniform(self.seed, f"{self.name}/repeat", times // (2 * HOUR_S)) < 0.12
        twice &= ~np.isin(days, _QUIET)
        return 1 + twice.astype(np.int64)

    def _asked(self, columns: Columns, axis: str, first: int, last: int, now: int) -> Columns:
        inside = (columns[axis] >= first) & (columns[axis] <= last)
        inside &= columns["publish_time"] <= now
        return dict(columns) if bool(inside.all()) else take(columns, inside)

    def _empty(self) -> Columns:
        if self._none is None:
            day = self._day(day_of(HISTORY_STARTS + DAY_S))
            self._none = take(day, np.zeros(len(day["cell"]), dtype=np.bool_))
        return dict(self._none)


class CellSeries(DailySeries):
    """A grid of slots of equal length, each with one row of every kind (fuel, provider) or one row.

    Holes are cells that are never published: single ones (`cell_holes`, the share of days with
    some), all kinds of some slots (`outages`) and whole days (`day_holes`).
    """

    step_s: int = PERIOD_S
    kind_column: str | None = None
    cell_holes: float = 1 / 10
    outages: float = 0.0
    day_holes: float = 0.0

    def kinds(self, day: int) -> tuple[str, ...]:
        """Return the kinds there are on a day."""
        return ("",)

    def slots(self, day: int) -> Instants:
        """Return the starts of the slots of a settlement day."""
        count = periods_in_day(day) * (PERIOD_S // self.step_s)
        return np.arange(count, dtype=np.int64) * self.step_s + start_of_day(day)

    def versions(self, day: int, starts: Instants) -> list[tuple[Instants, Columns, Mask]]:
        """Return the publications of a day: when, with which values, of which cells.

        All arrays have one line per slot and one column per kind.
        """
        raise NotImplementedError

    def never(self, day: int) -> Mask:
        """Mark the cells (slot, kind) of a day that are never published."""
        slots, kinds = len(self.slots(day)), len(self.kinds(day))
        mask = np.zeros((slots, kinds), dtype=np.bool_)
        if day in QUIET_DAYS:
            return mask
        if self._chance("holes", day) < self.cell_holes:
            for n in range(1 + int(4 * self._chance("hole-count", day))):
                slot = int(slots * self._chance("hole-at", day, n))
                kind = int(kinds * self._chance("hole-kind", day, n))
                mask[slot : slot + 1 + int(3 * self._chance("hole-length", day, n)), kind] = True
        if self._chance("outage", day) < self.outages:
            slot = int(slots * self._chance("outage-at", day))
            mask[slot : slot + 2 + int(6 * self._chance("outage-length", day))] = True
        if self._chance("no-day", day) < self.day_holes:
            mask[:] = True
        return mask

    def holes(self, first: int, last: int) -> Columns:
        """Return the cells from `first` to `last` (both inclusive) that are never published."""
        times, names = [], []
        first, last = max(first, HISTORY_STARTS), min(last, LAST_INSTANT)
        for day in range(day_of(first), day_of(last) + 1) if first <= last else ():
            slot, kind = np.nonzero(self.never(day))
            times.append(self.slots(day)[slot])
            names.append(np.array(self.kinds(day))[kind])
        columns: Columns = {"start_time": np.concatenate([np.zeros(0, np.int64), *times])}
        if self.kind_column is not None:
            columns[self.kind_column] = np.concatenate([np.zeros(0, "U1"), *names])
        asked = (columns["start_time"] >= first) & (columns["start_time"] <= last)
        return take(columns, asked)

    def make_day(self, day: int) -> Columns:
        """Return every publication of the cells of a settlement day."""
        starts, kinds = self.slots(day), self.kinds(day)
        shape = (len(starts), len(kinds))
        there = ~self.never(day)
        cell = np.arange(shape[0] * shape[1], dtype=np.int64).reshape(shape)
        parts = []
        for when, values, which in self.versions(day, starts):
            told = there & which
            part: Columns = {"cell": cell[told]}
            part["start_time"] = np.broadcast_to(starts[:, None], shape)[told]
            if self.kind_column is not None:
                part[self.kind_column] = np.broadcast_to(np.array(kinds)[None, :], shape)[told]
            part.update({name: table[told] for name, table in values.items()})
            part["publish_time"] = np.broadcast_to(when, shape)[told]
            parts.append(part)
        columns = join(parts)
        if len(parts) > 1:
            columns = take(columns, np.lexsort((columns["publish_time"], columns["cell"])))
        return columns

    def _chance(self, label: str, *index: int) -> float:
        return chance(self.seed, f"{self.name}/{label}", *index)


def draw(seed: int, label: str, index: Instants, share: float) -> Mask:
    """Mark a share of the indices."""
    return np.asarray(uniform(seed, label, index) < share)


def spread(seed: int, label: str, index: Instants, low: float, high: float) -> Floats:
    """Return a number between `low` and `high` for each index."""
    return np.asarray(low + (high - low) * uniform(seed, label, index))


def whole(values: Floats) -> Instants:
    """Return values rounded to integers."""
    return np.rint(values).astype(np.int64)


def texts(values: list[str | None]) -> NDArray[np.object_]:
    """Return texts, or None, as a column."""
    column = np.empty(len(values), dtype=np.object_)
    column[:] = values
    return column


def _last_of_each(cell: Instants) -> Mask:
    last = np.ones(len(cell), dtype=np.bool_)
    last[:-1] = cell[1:] != cell[:-1]
    return last
