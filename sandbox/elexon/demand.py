"""Initial demand outturn per settlement period, national and of the transmission system, in MW."""

from __future__ import annotations

import numpy as np

from sandbox.calendar import DAY_S, PERIOD_S
from sandbox.elexon.base import HOUR_S, CellSeries, Mask, draw, spread, whole
from sandbox.elexon.fuels import FUELS, PowerPlants
from sandbox.grid import Columns
from sandbox.noise import Instants

STATION_LOAD_MW = 500
_SIGNED = [n for n, fuel in enumerate(FUELS) if fuel.startswith("INT") or fuel == "PS"]


class DemandSeries(CellSeries):
    """Columns `start_time`, `indo_mw`, `itsdo_mw`, `publish_time`.

    What all fuels generate is the national demand; the system's demand adds the power stations' own
    load, pumping and exports. Published at the end of the period; on one day in twelve some values
    are restated at 06:00 UTC of the next day.
    """

    name = "demand_outturn"
    axes: tuple[str, ...] = ("start_time", "publish_time")
    reach_s = 2 * DAY_S
    cell_holes = 1 / 12

    def __init__(self, seed: int, plants: PowerPlants) -> None:
        self.plants = plants
        super().__init__(seed)

    def is_restated(self, day: int) -> bool:
        """Tell whether some values of a settlement day are published again."""
        return self._chance("restated", day) < 1 / 12

    def versions(self, day: int, starts: Instants) -> list[tuple[Instants, Columns, Mask]]:
        """Return both demands at the end of each period, and what is restated."""
        power = self.plants.half_hours(day)
        national = power.sum(axis=1)[:, None]
        hidden = STATION_LOAD_MW - np.minimum(power[:, _SIGNED], 0).sum(axis=1)[:, None]
        every = np.ones(national.shape, dtype=np.bool_)
        first: Columns = {"indo_mw": national, "itsdo_mw": national + hidden}
        told = [(starts[:, None] + PERIOD_S, first, every)]
        if self.is_restated(day):
            index = starts[:, None]
            change = whole(spread(self.seed, "demand_outturn/change", index, -260.0, 260.0))
            drawn = draw(self.seed, "demand_outturn/drawn", index, 0.2) & (change != 0)
            again: Columns = {"indo_mw": national + change, "itsdo_mw": national + hidden + change}
            when = np.full((1, 1), (day + 1) * DAY_S + 6 * HOUR_S, dtype=np.int64)
            told.append((when, again, drawn))
        return told
