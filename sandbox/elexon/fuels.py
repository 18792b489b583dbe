"""Generation by fuel: the synthetic power plants in five minutes and in half hours, in MW."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import numpy as np

from sandbox.calendar import DAY_S, PERIOD_S, day_number, periods_in_day, start_of_day, utc_offset
from sandbox.elexon.base import HOUR_S, CellSeries, Mask, draw, spread, whole
from sandbox.grid import Columns
from sandbox.noise import Floats, Instants, octaves
from sandbox.wind_solar import WindSolarSeries

# INT* and PS may be negative: exports and pumping.
FUELS = (
    "BIOMASS", "CCGT", "COAL", "INTELEC", "INTEW", "INTFR", "INTGRNL", "INTIFA2", "INTIRL",
    "INTNED", "INTNEM", "INTNSL", "INTVKL", "NPSHYD", "NUCLEAR", "OCGT", "OIL", "OTHER", "PS",
    "WIND",
)  # fmt: skip
COAL_ENDS = day_number(date(2024, 10, 1))
SAMPLE_S = 300

# What a cable carries at most, in MW.
_CABLES = {
    "INTELEC": 1_000.0, "INTEW": 500.0, "INTFR": 2_000.0, "INTGRNL": 500.0, "INTIFA2": 1_000.0,
    "INTIRL": 450.0, "INTNED": 1_000.0, "INTNEM": 1_000.0, "INTNSL": 1_400.0, "INTVKL": 1_400.0,
}  # fmt: skip
# Level and swing of the fuels that mind neither demand nor wind.
_STEADY = {
    "BIOMASS": (1_900.0, 900.0), "NPSHYD": (480.0, 320.0), "NUCLEAR": (4_600.0, 500.0),
    "OTHER": (260.0, 120.0),
}  # fmt: skip
_SLOW = ((60 * HOUR_S, 0.7), (11 * HOUR_S, 0.25), (HOUR_S, 0.05))
_CABLE = ((40 * HOUR_S, 0.5), (8 * HOUR_S, 0.4), (2 * HOUR_S, 0.2))
_RIPPLE = ((6 * HOUR_S, 900.0), (2 * HOUR_S, 400.0), (900, 90.0))
_HOURS = (0.0, 4.0, 7.0, 9.0, 12.0, 16.0, 18.0, 20.0, 22.0, 24.0)
_SHAPE_MW = (
    -5_200.0,
    -6_900.0,
    -1_800.0,
    1_700.0,
    1_300.0,
    1_900.0,
    5_200.0,
    3_300.0,
    -800.0,
    -5_200.0,
)
# Of what wind and solar generate, this much is on the transmission network or hidden in demand.
_METERED_WIND = 0.92
_EMBEDDED_SOLAR = 0.85
_YEAR_S = 365.2425 * DAY_S
_LEAST_CCGT_MW = 700.0


class PowerPlants:
    """All fuels at once, because gas fills what the others leave of the demand."""

    def __init__(self, seed: int, wind: WindSolarSeries) -> None:
        self.seed = seed
        self.wind = wind
        self.day = lru_cache(maxsize=1_024)(self._make_day)
        self.half_hours = lru_cache(maxsize=1_024)(self._make_half_hours)

    def _make_half_hours(self, day: int) -> Instants:
        samples = self.day(day)
        return whole(samples.reshape(-1, PERIOD_S // SAMPLE_S, len(FUELS)).mean(axis=1))

    def _make_day(self, day: int) -> Instants:
        count = periods_in_day(day) * (PERIOD_S // SAMPLE_S)
        middles = np.arange(count, dtype=np.int64) * SAMPLE_S + start_of_day(day) + SAMPLE_S // 2
        power = {fuel: np.zeros(count) for fuel in FUELS}
        for fuel, (level, swing) in _STEADY.items():
            power[fuel] = level + swing * octaves(self.seed, f"fuel/{fuel}", _SLOW, middles)
        for fuel, most in _CABLES.items():
            share = 0.25 + octaves(self.seed, f"fuel/{fuel}", _CABLE, middles)
            power[fuel] = most * np.clip(share, -1.0, 1.0)
        power["WIND"] = _METERED_WIND * self.wind.wind_mw(middles)
        local = (middles + utc_offset(middles)) % DAY_S / HOUR_S
        pumped = np.interp(
            local, (0, 1, 5, 6, 15, 18, 20, 21), (-700, -1_400, -1_200, 0, 0, 1_300, 500, 0)
        )
        power["PS"] = pumped * (0.7 + 0.3 * octaves(self.seed, "fuel/PS", _SLOW, middles))
        demand = self._demand(middles, local)
        if day < COAL_ENDS:
            power["COAL"] = np.clip((demand - 33_000.0) * 0.12, 0.0, 1_900.0)
        power["OCGT"] = np.clip((demand - 37_000.0) * 0.15, 0.0, 600.0)
        rest = demand - sum(power.values())
        power["CCGT"] = np.clip(rest, _LEAST_CCGT_MW, 29_000.0)
        power["OIL"] = np.clip((rest - 29_000.0) * 0.1, 0.0, 150.0)
        return whole(np.stack([power[fuel] for fuel in FUELS], axis=1))

    def _demand(self, middles: Instants, local: Floats) -> Floats:
        """Return the demand that the transmission network sees."""
        winter = np.cos(2.0 * np.pi * (middles - 18 * DAY_S) / _YEAR_S)
        # 1970-01-01 was a Thursday.
        weekend = ((middles + utc_offset(middles)) // DAY_S + 3) % 7 >= 5
        level = 29_500.0 + 5_400.0 * winter + np.interp(local, _HOURS, _SHAPE_MW)
        level = level - 2_400.0 * weekend + octaves(self.seed, "demand", _RIPPLE, middles)
        return np.asarray(level - _EMBEDDED_SOLAR * self.wind.solar_mw(middles))


class FuelSeries(CellSeries):
    """Columns `start_time`, `fuel_type`, `generation_mw`, `publish_time`, one publication per value.

    Half hours are the rounded mean of their six samples when they are first published, at their
    end; on one day in six some are restated at 10:00 UTC of the next day.
    """

    axes: tuple[str, ...] = ("start_time", "publish_time")
    identity: tuple[str, ...] = ("start_time", "fuel_type")
    reach_s = 2 * DAY_S
    kind_column = "fuel_type"
    outages = 1 / 40

    def __init__(self, seed: int, name: str, plants: PowerPlants, step_s: int) -> None:
        self.name = name
        self.plants = plants
        self.step_s = step_s
        self.versioned = step_s == PERIOD_S
        # A day of samples has 5,760 rows.
        self.kept_days = 400 if self.versioned else 24
        super().__init__(seed)

    def kinds(self, day: int) -> tuple[str, ...]:
        """Return the fuels of a day: coal ended with September 2024."""
        return FUELS if day < COAL_ENDS else tuple(fuel for fuel in FUELS if fuel != "COAL")

    def is_restated(self, day: int) -> bool:
        """Tell whether some values of a settlement day are published again."""
        return self.versioned and self._chance("restated", day) < 1 / 6

    def versions(self, day: int, starts: Instants) -> list[tuple[Instants, Columns, Mask]]:
        """Return the values at the end of each slot, and what is restated."""
        columns = [FUELS.index(fuel) for fuel in self.kinds(day)]
        samples = self.plants.half_hours(day) if self.versioned else self.plants.day(day)
        first = samples[:, columns]
        every = np.ones(first.shape, dtype=np.bool_)
        told = [(starts[:, None] + self.step_s, {"generation_mw": first}, every)]
        if self.is_restated(day):
            index = starts[:, None] * 32 + np.arange(len(columns))
            factor = spread(self.seed, f"{self.name}/factor", index, 0.97, 1.03)
            again = whole(first * factor)
            drawn = draw(self.seed, f"{self.name}/drawn", index, 0.12) & (again != first)
            when = np.full((1, 1), (day + 1) * DAY_S + 10 * HOUR_S, dtype=np.int64)
            told.append((when, {"generation_mw": again}, drawn))
        return told
