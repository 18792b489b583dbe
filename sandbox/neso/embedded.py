"""Forecasts of embedded wind and sun: one file, replaced every hour, and its yearly archives."""

from __future__ import annotations

from datetime import date

import numpy as np

from sandbox.calendar import (
    DAY_S,
    PERIOD_S,
    day_number,
    day_text,
    instant_texts,
    settlement_day,
    settlement_period,
    start_of_day,
)
from sandbox.grid import Columns, take
from sandbox.neso.demand import HOUR_S, Demand
from sandbox.neso.tables import Table
from sandbox.noise import Floats, Instants, smooth

FIRST_YEAR = 2019
FIRST_START = start_of_day(day_number(date(FIRST_YEAR, 1, 1)))
# The file of an hour comes at 25 past and begins with the half hour that began on the hour.
ISSUED_S = 25 * 60 + 3
AHEAD_S = 14 * DAY_S
# From this year on the archive is two tables of the datastore that meet in the middle of June.
HALVES_FROM = 2026
_KINDS = {
    "DATE_GMT": "timestamp",
    "TIME_GMT": "text",
    "SETTLEMENT_DATE": "timestamp",
    "SETTLEMENT_PERIOD": "int4",
    "EMBEDDED_WIND_FORECAST": "int4",
    "EMBEDDED_WIND_CAPACITY": "int4",
    "EMBEDDED_SOLAR_FORECAST": "int4",
    "EMBEDDED_SOLAR_CAPACITY": "int4",
}


class Embedded:
    """Each hour's forecast of 14 days; what was last foretold of a period stays in the archive."""

    def __init__(self, seed: int, demand: Demand) -> None:
        self.seed = seed
        self.demand = demand

    def current(self, now: int) -> Table:
        """Return the file that stands there at `now`."""
        hour = newest_hour(now)
        starts = np.arange(hour, hour + AHEAD_S, PERIOD_S, dtype=np.int64)
        return self._table(starts, np.full(len(starts), hour, dtype=np.int64))

    def archive(self, first_day: int, end_day: int, now: int) -> Table:
        """Return an archive of the settlement days [first_day, end_day), up to the current file."""
        first = start_of_day(first_day)
        end = min(start_of_day(end_day), newest_hour(now))
        starts = np.arange(first, max(end, first), PERIOD_S, dtype=np.int64)
        return self._table(starts, starts // HOUR_S * HOUR_S)

    def values(self, starts: Instants, hours: Instants) -> Columns:
        """Return what the files of some hours say of some periods, in whole MW."""
        capacity = self.demand.wind_capacity(starts), self.demand.solar_capacity(starts)
        wind = capacity[0] * self.demand.wind(starts) * self._error("wind", starts, hours)
        solar = capacity[1] * self.demand.solar(starts) * self._error("solar", starts, hours)
        return {
            "embedded_wind_forecast_mw": np.floor(np.minimum(wind, capacity[0])),
            "embedded_wind_capacity_mw": capacity[0],
            "embedded_solar_forecast_mw": np.floor(np.minimum(solar, capacity[1])),
            "embedded_solar_capacity_mw": capacity[1],
        }

    def rows(self, first: int, last: int, now: int, *, every: bool) -> Columns:
        """Return the truth: the newest forecast of each period, or each of them."""
        newest = newest_hour(now)
        low, high = max(first, FIRST_START), min(last, newest + AHEAD_S - 1)
        starts = np.arange(-(-low // PERIOD_S), high // PERIOD_S + 1).astype(np.int64) * PERIOD_S
        hours = np.minimum(starts // HOUR_S * HOUR_S, newest)
        if every:
            reach = AHEAD_S // HOUR_S
            starts = np.repeat(starts, reach)
            hours = np.repeat(hours, reach) - np.tile(np.arange(reach), len(hours)) * HOUR_S
            held = starts < hours + AHEAD_S
            starts, hours = starts[held][::-1], hours[held][::-1]
        columns: Columns = {"start_time": starts} | self.values(starts, hours)
        columns["publish_time"] = hours + ISSUED_S
        order = np.lexsort((columns["publish_time"], columns["start_time"]))
        return take(columns, order)

    def _error(self, name: str, starts: Instants, hours: Instants) -> Floats:
        ahead = np.maximum(starts - hours, 0)
        # Each hour's file wanders through noise of its own: a shift no other hour shares.
        noise = smooth(self.seed, f"neso/{name}-error", 4 * HOUR_S, starts + hours * 100)
        return np.asarray(1.0 + (0.04 + 0.3 * np.sqrt(ahead / AHEAD_S)) * noise)

    def _table(self, starts: Instants, hours: Instants) -> Table:
        # The stamp is the END of the period: 18:30 is settlement period 39 of a summer's day.
        ends = starts + PERIOD_S
        days = settlement_day(starts).tolist()
        columns = {
            "DATE_GMT": [f"{day_text(day)}T00:00:00" for day in (ends // DAY_S).tolist()],
            "TIME_GMT": [text[11:16] for text in instant_texts(ends)],
            "SETTLEMENT_DATE": [f"{day_text(day)}T00:00:00" for day in days],
            "SETTLEMENT_PERIOD": list(map(str, settlement_period(starts).tolist())),
        }
        values = self.values(starts, hours)
        for name, column in zip(list(_KINDS)[4:], values.values(), strict=True):
            columns[name] = list(map(str, column.astype(np.int64).tolist()))
        return Table(columns, _KINDS, "EMBEDDED_WIND_FORECAST")


def newest_hour(now: int) -> int:
    """Return the hour of the newest file at `now`."""
    return (now - ISSUED_S) // HOUR_S * HOUR_S
