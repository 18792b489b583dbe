"""Bid-offer acceptances: the control room asks a unit to leave its plan for a while."""

from __future__ import annotations

import numpy as np

from sandbox.calendar import (
    PERIOD_S,
    periods_in_day,
    settlement_period,
    start_of_day,
)
from sandbox.elexon.base import HOUR_S, DailySeries, spread
from sandbox.elexon.units import COUNT, Fleet, day_index, period_of
from sandbox.grid import Columns
from sandbox.noise import chance, uniform

# Ramp, hold, ramp back.
_PIECES = 3
_RAMP_S = 300


class AcceptanceSeries(DailySeries):
    """The ramp points of all acceptances, three straight pieces each.

    Columns `time_from`, `time_to`, `level_from_mw`, `level_to_mw`, `period_from`, `period_to`,
    `acceptance`, `acceptance_time`, `so_flag`, `stor_flag`, `ng_unit`, `bm_unit`, `publish_time`.
    Told a minute after it was accepted. A few units share a number with another unit.
    """

    name = "bid_offer_acceptances"
    axes: tuple[str, ...] = ("time_from",)
    identity: tuple[str, ...] = ("ng_unit", "acceptance", "time_from")
    reach_s = 3 * HOUR_S
    ahead_s = HOUR_S
    versioned = False

    def __init__(self, seed: int, fleet: Fleet) -> None:
        self.fleet = fleet
        super().__init__(seed)

    def make_day(self, day: int) -> Columns:
        """Return the pieces of the acceptances that begin on a settlement day."""
        count = 90 + int(110 * chance(self.seed, "boalf/count", day))
        index = day_index(day, count)
        minutes = periods_in_day(day) * PERIOD_S // 60
        # Sorted, so that numbers rise with time.
        when = np.sort((minutes * uniform(self.seed, "boalf/when", index)).astype(np.int64))
        begin = start_of_day(day) + when * 60
        hold = 60 * spread(self.seed, "boalf/hold", index, 4.0, 40.0).astype(np.int64)
        unit = (np.arange(count) * 7 + day) % COUNT
        levels = self.fleet.levels(period_of(begin))
        plan = levels[np.arange(count), unit]
        capacity = np.array([one.capacity_mw for one in self.fleet.units])[unit]
        wanted = spread(self.seed, "boalf/level", index, 0.1, 0.9) * capacity
        wanted = np.rint(np.where(plan < 0, -wanted, wanted)).astype(np.int64)
        number = index.copy()
        # One in twenty carries the number of the one before, which is another unit's.
        shared = uniform(self.seed, "boalf/shared", index) < 0.05
        shared[0] = False
        number[shared] -= 1
        corners = np.stack(
            [begin, begin + _RAMP_S, begin + _RAMP_S + hold, begin + 2 * _RAMP_S + hold]
        )
        points = np.stack([plan, wanted, wanted, plan])
        time_from, time_to = corners[:-1].T.reshape(-1), corners[1:].T.reshape(-1)
        row = np.repeat(np.arange(count), _PIECES)
        accepted = (begin - 120)[row]
        return {
            "cell": np.arange(len(row), dtype=np.int64),
            "time_from": time_from,
            "time_to": time_to,
            "level_from_mw": points[:-1].T.reshape(-1),
            "level_to_mw": points[1:].T.reshape(-1),
            "period_from": settlement_period(time_from),
            "period_to": settlement_period(time_to),
            "acceptance": number[row] % 1_000_000,
            "acceptance_time": accepted,
            "so_flag": (uniform(self.seed, "boalf/so", index) < 0.3)[row],
            "stor_flag": np.full(len(row), chance(self.seed, "boalf/stor", day) < 0.1),
            "ng_unit": self.fleet.ng[unit][row],
            "bm_unit": self.fleet.elexon[unit][row],
            "publish_time": accepted + 60,
        }
