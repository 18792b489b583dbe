"""The day-ahead forecast of metered wind: one file a morning, and all mornings before it."""

from __future__ import annotations

from datetime import date

import numpy as np

from sandbox.calendar import (
    DAY_S,
    PERIOD_S,
    day_number,
    day_texts,
    instant_texts,
    settlement_day,
    settlement_period,
    start_of_day,
)
from sandbox.grid import Columns
from sandbox.neso.demand import HOUR_S
from sandbox.neso.tables import Table
from sandbox.noise import Floats, Instants, octaves
from sandbox.wind_solar import CAPACITY_MW, WindSolarSeries

FIRST_DAY = day_number(date(2018, 4, 1))
# At half past eight the forecast of the next settlement day replaces that of the present one.
ISSUED_S = 8 * HOUR_S + 30 * 60
# By how much a day-ahead forecast misses what the wind then does, as a share of it.
_MISSES = ((40 * HOUR_S, 0.12), (11 * HOUR_S, 0.07), (2 * HOUR_S, 0.03))
# All that ever blows in ``sandbox.wind_solar``, which does not grow as real fleets do.
_FLEET_MW = CAPACITY_MW["Wind Onshore"] + CAPACITY_MW["Wind Offshore"]
_KINDS = {
    "Datetime_GMT": "text",
    "Date": "date",
    "Settlement_period": "int4",
    "Capacity": "int4",
    "Incentive_forecast": "int4",
}


class DayAheadWind:
    """46, 48 or 50 periods of one settlement day, stamped with their start."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._output = WindSolarSeries(seed)

    def current(self, now: int) -> Table:
        """Return the file of the newest morning."""
        day = newest_day(now)
        return self._table(start_of_day(day), start_of_day(day + 1), issued=False)

    def history(self, now: int) -> Table:
        """Return all days before the current file's."""
        return self._table(start_of_day(FIRST_DAY), start_of_day(newest_day(now)), issued=True)

    def rows(self, first: int, last: int, now: int) -> Columns:
        """Return the truth as a table."""
        low = max(first, start_of_day(FIRST_DAY))
        high = min(last, start_of_day(newest_day(now) + 1) - 1)
        starts = np.arange(-(-low // PERIOD_S), high // PERIOD_S + 1).astype(np.int64) * PERIOD_S
        return {
            "start_time": starts,
            "capacity_mw": self._capacity(starts),
            "incentive_forecast_mw": self._forecast(starts),
            "publish_time": _issued(starts),
        }

    def _capacity(self, starts: Instants) -> Floats:
        return _FLEET_MW + 5.0 * np.floor((starts / DAY_S - FIRST_DAY) / 14.0)

    def _forecast(self, starts: Instants) -> Floats:
        missed = octaves(self.seed, "neso/metered-wind", _MISSES, starts)
        wind = self._output.wind_mw(starts + PERIOD_S // 2) * (1.0 + missed)
        return np.floor(np.clip(wind, 0.0, self._capacity(starts)))

    def _table(self, first: int, end: int, *, issued: bool) -> Table:
        starts = np.arange(first, max(end, first), PERIOD_S, dtype=np.int64)
        columns = {
            "Datetime_GMT": instant_texts(starts),
            "Date": day_texts(settlement_day(starts)),
            "Settlement_period": list(map(str, settlement_period(starts).tolist())),
            "Capacity": list(map(str, self._capacity(starts).astype(np.int64).tolist())),
            "Incentive_forecast": list(map(str, self._forecast(starts).astype(np.int64).tolist())),
        }
        kinds = dict(_KINDS)
        if issued:
            # Only the history says when a day was foretold.
            columns["Forecast_Timestamp"] = [text[:19] for text in instant_texts(_issued(starts))]
            kinds["Forecast_Timestamp"] = "timestamp"
        return Table(columns, kinds, "Incentive_forecast")


def newest_day(now: int) -> int:
    """Return the settlement day of the file that stands there at `now`."""
    return (now - ISSUED_S) // DAY_S + 1


def _issued(starts: Instants) -> Instants:
    return (settlement_day(starts) - 1) * DAY_S + ISSUED_S
