"""Forecasts that are issued again and again: wind power, and the loss of load."""

from __future__ import annotations

import numpy as np

from sandbox.calendar import DAY_S, PERIOD_S, one
from sandbox.elexon.base import HOUR_S, DailySeries, whole
from sandbox.grid import QUIET_DAYS, Columns
from sandbox.noise import Instants, octaves, uniform
from sandbox.wind_solar import WindSolarSeries

_ISSUED_MINUTES = np.array([210, 330, 510, 630, 750, 990, 1_170, 1_410], dtype=np.int64)
_FORECAST_HOURS = 73
_ERROR = ((30 * HOUR_S, 0.7), (6 * HOUR_S, 0.4))
# Hours ahead of the publication for which the risk is told.
_HORIZONS = np.array([1, 2, 4, 8, 12], dtype=np.int64)


class WindForecastSeries(DailySeries):
    """Columns `publish_time`, `start_time` (hours), `generation_mw`; nothing is ever restated.

    Up to eight issues a UTC day, each over 73 hours from 20:00 UTC of the day before it. One issue
    in thirty is never made.
    """

    name = "wind_forecasts"
    axes: tuple[str, ...] = ("publish_time", "start_time")
    identity: tuple[str, ...] = ("publish_time", "start_time")
    reach_s = 3 * DAY_S
    ahead_s = 2 * DAY_S
    versioned = False

    def __init__(self, seed: int, wind: WindSolarSeries) -> None:
        self.wind = wind
        super().__init__(seed)

    def make_day(self, day: int) -> Columns:
        """Return the issues of a UTC day."""
        issued = day * DAY_S + 60 * _ISSUED_MINUTES
        made = uniform(self.seed, "windfor/made", issued) >= 1 / 30
        if day in QUIET_DAYS:
            made[:] = True
        issued = issued[made]
        hours = (day * DAY_S - 4 * HOUR_S) + HOUR_S * np.arange(_FORECAST_HOURS, dtype=np.int64)
        issue, start = np.repeat(issued, len(hours)), np.tile(hours, len(issued))
        ahead = np.clip((start - issue) / DAY_S, 0.05, 3.0)
        # Each issue errs in its own way, the more the further it looks.
        wrong = octaves(self.seed, "windfor/error", _ERROR, start + issue * 7)
        power = 0.9 * self.wind.wind_mw(start + HOUR_S // 2) * (1.0 + 0.16 * ahead * wrong)
        return {
            "cell": np.arange(len(issue), dtype=np.int64),
            "publish_time": issue,
            "start_time": start,
            "generation_mw": whole(np.maximum(power, 0.0)),
        }


class LossOfLoadSeries(DailySeries):
    """Columns `publish_time`, `commencing_time`, `start_time`, `loss_of_load_probability` (0 to 1),
    `margin_mw`: 48 issues a UTC day, each for five periods up to twelve hours ahead.
    """

    name = "loss_of_load"
    axes: tuple[str, ...] = ("publish_time", "start_time")
    identity: tuple[str, ...] = ("publish_time", "start_time")
    ahead_s = 13 * HOUR_S
    reach_s = DAY_S
    versioned = False

    def make_day(self, day: int) -> Columns:
        """Return the issues of a UTC day."""
        issued = one(day) * DAY_S + PERIOD_S * np.arange(48, dtype=np.int64)
        issue, ahead = np.repeat(issued, len(_HORIZONS)), np.tile(_HORIZONS * HOUR_S, 48)
        start = issue + ahead
        margin = self._margin(start) + 120.0 * octaves(
            self.seed, "lolpdrm/error", ((HOUR_S, 1.0),), start + issue * 5
        ) * (ahead / HOUR_S)
        margin = np.round(margin, 3)
        # One in a thousand at 3 GW, and certain where nothing is left.
        risk = np.clip(10.0 ** (-np.clip(margin, 0.0, 12_000.0) / 1_000.0), 0.0, 1.0)
        return {
            "cell": np.arange(len(issue), dtype=np.int64),
            "publish_time": issue,
            "commencing_time": issue,
            "start_time": start,
            "loss_of_load_probability": np.round(risk, 12),
            "margin_mw": margin,
        }

    def _margin(self, start: Instants) -> Instants:
        winter = np.cos(2.0 * np.pi * (start - 18 * DAY_S) / (365.2425 * DAY_S))
        evening = np.exp(-(((start % DAY_S) / HOUR_S - 17.5) ** 2) / 8.0)
        slow = octaves(self.seed, "lolpdrm/margin", ((48 * HOUR_S, 1_500.0),), start)
        return np.asarray(8_200.0 - 2_600.0 * winter - 2_400.0 * evening + slow)
