"""What the units planned, offered and generated: PN, BOD and B1610."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sandbox.calendar import DAY_S, PERIOD_S, periods_in_day, start_of_day
from sandbox.elexon.base import HOUR_S, DailySeries, spread, texts
from sandbox.elexon.runs import LAST_RUN_DAYS, RUNS, run_moment
from sandbox.elexon.units import COUNT, Fleet
from sandbox.grid import Columns, join
from sandbox.noise import Floats, Instants, smooth, uniform


class _UnitSeries(DailySeries):
    """A series of units and periods."""

    kept_days = 16
    versioned = False

    def __init__(self, seed: int, fleet: Fleet) -> None:
        self.fleet = fleet
        super().__init__(seed)

    def _starts(self, day: int) -> Instants:
        return np.arange(periods_in_day(day), dtype=np.int64) * PERIOD_S + start_of_day(day)

    def _units(self, columns: Columns, unit: Instants) -> Columns:
        columns["ng_unit"] = self.fleet.ng[unit]
        columns["bm_unit"] = self.fleet.elexon[unit]
        return columns


class NotificationSeries(_UnitSeries):
    """Final physical notifications: straight pieces of each unit's plan.

    Columns `start_time`, `time_from`, `time_to`, `level_from_mw`, `level_to_mw`, `ng_unit`,
    `bm_unit` (None for some), `publish_time`. A period has one piece, or two where the unit turns
    inside it. Told an hour before the period starts.
    """

    name = "physical_notifications"
    axes: tuple[str, ...] = ("time_from", "start_time")
    identity: tuple[str, ...] = ("ng_unit", "time_from")
    ahead_s = HOUR_S

    def make_day(self, day: int) -> Columns:
        """Return the pieces of a settlement day, by unit and time."""
        starts = self._starts(day)
        corners = np.append(starts, starts[-1] + PERIOD_S)
        levels = self.fleet.levels(corners)
        # [unit, period], so that a unit's pieces stand together.
        start = np.tile(starts, COUNT)
        unit = np.repeat(np.arange(COUNT), len(starts))
        low, high = levels[:-1].T.reshape(-1), levels[1:].T.reshape(-1)
        index = start * COUNT + unit
        turns = uniform(self.seed, "pn/turns", index) < 0.25
        turn = 60 * (1 + (28 * uniform(self.seed, "pn/turn", index)).astype(np.int64))
        pieces = np.where(turns, 2, 1)
        row = np.repeat(np.arange(len(start)), pieces)
        second = np.zeros(len(row), dtype=np.bool_)
        second[1:] = row[1:] == row[:-1]
        first_of_two = np.zeros(len(row), dtype=np.bool_)
        first_of_two[:-1] = second[1:]
        middle = start[row] + turn[row]
        columns: Columns = {
            "cell": np.arange(len(row), dtype=np.int64),
            "start_time": start[row],
            "time_from": np.where(second, middle, start[row]),
            "time_to": np.where(first_of_two, middle, start[row] + PERIOD_S),
            # A unit that turns reaches its new level at the turn and stays there.
            "level_from_mw": np.where(second, high[row], low[row]),
            "level_to_mw": high[row],
        }
        self._units(columns, unit[row])
        columns["publish_time"] = start[row] - HOUR_S
        return columns


class BidOfferSeries(_UnitSeries):
    """Bids and offers of the units that take part: a pair on either side of the plan.

    Columns `start_time`, `time_to`, `level_from_mw`, `level_to_mw`, `pair`, `offer_gbp_per_mwh`,
    `bid_gbp_per_mwh`, `ng_unit`, `bm_unit`, `publish_time`. Told an hour before the period starts.
    """

    name = "bid_offers"
    identity: tuple[str, ...] = ("ng_unit", "start_time", "pair")
    ahead_s = HOUR_S
    _PAIRS = (-1, 1, 2)

    def make_day(self, day: int) -> Columns:
        """Return the pairs of a settlement day."""
        starts = self._starts(day)
        taking_part = np.flatnonzero(np.arange(COUNT) % 2 == 0)
        shape = (len(starts), len(taking_part), len(self._PAIRS))
        start = np.broadcast_to(starts[:, None, None], shape).reshape(-1)
        unit = np.broadcast_to(taking_part[None, :, None], shape).reshape(-1)
        pair = np.broadcast_to(np.array(self._PAIRS)[None, None, :], shape).reshape(-1)
        capacity = np.array([one.capacity_mw for one in self.fleet.units])[unit]
        level = np.rint(np.sign(pair) * capacity / 2.0).astype(np.int64)
        price = spread(self.seed, "bod/price", (start // DAY_S) * COUNT + unit, 20.0, 160.0)
        columns: Columns = {
            "cell": np.arange(len(start), dtype=np.int64),
            "start_time": start,
            "time_to": start + PERIOD_S,
            "level_from_mw": level,
            "level_to_mw": level,
            "pair": pair,
            "offer_gbp_per_mwh": np.round(price + 30.0 * pair, 2),
            "bid_gbp_per_mwh": np.round(price + 30.0 * pair - 18.0, 2),
        }
        self._units(columns, unit)
        columns["publish_time"] = start - HOUR_S
        return columns


class MeteredSeries(_UnitSeries):
    """Metered energy per unit and period, restated by every settlement run.

    Columns `start_time`, `end_time`, `ng_unit` (None for most), `bm_unit`, `run`, `quantity_mwh`,
    `publish_time`. Only the newest run of a day is served; `every` returns all.
    """

    name = "individual_generation"
    axes: tuple[str, ...] = ("start_time", "end_time")
    identity: tuple[str, ...] = ("bm_unit", "start_time")
    settled_after_s = LAST_RUN_DAYS * DAY_S
    versioned = True

    def known_day(self, day: int, now: int, *, every: bool) -> Columns:
        """Return all runs of a day, or only the one in force: six times fewer rows."""
        told = [n for n, (_, age) in enumerate(RUNS) if run_moment(day, age) <= now]
        runs = (told if every else told[-1:]) or [0]
        parts = [self._run(day, run) for run in runs]
        if len(parts) == 1:
            return parts[0]
        columns = join(parts)
        order = np.lexsort((columns["publish_time"], columns["cell"]))
        return {name: values[order] for name, values in columns.items()}

    def make_day(self, day: int) -> Columns:
        """Return the first run of a settlement day."""
        return self._run(day, 0)

    def _run(self, day: int, run: int) -> Columns:
        starts = self._starts(day)
        name, age = RUNS[run]
        quantity = self._quantity(starts, run).reshape(-1)
        start = np.repeat(starts, COUNT)
        unit = np.tile(np.arange(COUNT), len(starts))
        names = [u.elexon or f"2__SYNTH{u.number:03d}" for u in self.fleet.units]
        known = texts([u.ng if u.number % 3 == 0 else None for u in self.fleet.units])
        return {
            "cell": np.arange(len(start), dtype=np.int64),
            "start_time": start,
            "end_time": start + PERIOD_S,
            "bm_unit": np.array(names)[unit],
            "ng_unit": known[unit],
            "run": np.full(len(start), name),
            "quantity_mwh": quantity,
            "publish_time": np.full(len(start), run_moment(day, age), dtype=np.int64),
        }

    def _quantity(self, starts: Instants, run: int) -> Floats:
        """Return energy per period and unit: the plan's mean power, missed a little, restated."""
        middles = starts + PERIOD_S // 2
        energy = self.fleet.levels(middles).astype(np.float64) * 0.5
        missed = np.stack(
            [smooth(self.seed, f"metered/{n}", 2 * HOUR_S, middles) for n in range(COUNT)], axis=1
        )
        energy = energy * (1.0 + 0.03 * missed)
        index = starts[:, None] * COUNT + np.arange(COUNT)
        for later in range(1, run + 1):
            label = f"metered/{RUNS[later][0]}"
            changed = uniform(self.seed, f"{label}/drawn", index) < 0.3 / later
            factor = spread(self.seed, f"{label}/factor", index, 0.985, 1.015)
            energy = np.where(changed, energy * factor, energy)
        return _three_decimals(energy)


def _three_decimals(values: Floats) -> NDArray[np.float64]:
    # Adding zero turns -0.0 into 0.0.
    return np.asarray(np.round(values, 3) + 0.0, dtype=np.float64)
