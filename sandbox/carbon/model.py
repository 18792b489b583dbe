"""The generation mix of Britain and its regions, and the carbon that it means, per half hour."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from sandbox.calendar import DAY_S, PERIOD_S, day_number, day_text, utc_offset
from sandbox.grid import QUIET_DAYS
from sandbox.noise import Floats, Instants, octaves, smooth, uniform
from sandbox.wind_solar import solar_height

HOUR_S = 3_600
FIRST_START = day_number(date(2017, 9, 12)) * DAY_S
# Forecasts reach two days ahead and are made anew every half hour.
AHEAD_S = 48 * HOUR_S
ACTUAL_AFTER_S = 15 * 60
FUELS = ("biomass", "coal", "imports", "gas", "nuclear", "other", "hydro", "solar", "wind")
# gCO2/kWh.
FACTORS = (120, 937, 210, 394, 0, 300, 0, 0, 0)
BANDS = ("very low", "low", "moderate", "high", "very high")
GB = 18
# id, operator and short name as they are spelled, and what the region has little of.
REGIONS = (
    (1, "Scottish Hydro Electric Power Distribution", "North Scotland", "coal imports gas nuclear"),
    (2, "SP Distribution", "South Scotland", "coal imports gas biomass"),
    (3, "Electricity North West", "North West England", "coal hydro"),
    (4, "NPG North East", "North East England", "coal gas hydro"),
    (5, "NPG Yorkshire", "Yorkshire", "nuclear imports hydro"),
    (6, "SP Manweb", "North Wales & Merseyside", "coal biomass"),
    (7, "WPD South Wales", "South Wales", "nuclear imports biomass"),
    (8, "WPD West Midlands", "West Midlands", "hydro wind"),
    (9, "WPD East Midlands", "East Midlands", "nuclear hydro"),
    (10, "UKPN East", "East England", "coal hydro"),
    (11, "WPD South West", "South West England", "imports coal"),
    (12, "SSE South", "South England", "nuclear hydro coal"),
    (13, "UKPN London", "London", "hydro nuclear wind"),
    (14, "UKPN South East", "South East England", "biomass hydro coal"),
    (15, "England", "England", "hydro"),
    (16, "Scotland", "Scotland", "coal imports gas"),
    (17, "Wales", "Wales", "nuclear biomass"),
    (GB, "GB", "GB", ""),
)

_SLOW = ((240 * HOUR_S, 0.6), (40 * HOUR_S, 0.4))
_FAST = ((30 * HOUR_S, 0.5), (6 * HOUR_S, 0.35), (HOUR_S, 0.15))
_WIND = ((96 * HOUR_S, 0.6), (30 * HOUR_S, 0.4), (9 * HOUR_S, 0.2))
_LITTLE = 0.02
# Upper bounds of the first four bands in 2017; they fall as the grid gets cleaner.
_BOUNDS = np.array([80.0, 170.0, 260.0, 360.0])
_BOUNDS_FALL = 0.95


class Model:
    """Shares and intensities as pure functions of (seed, start of the half hour, region)."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def power(self, starts: Instants) -> Floats:
        """Return the power of each fuel in GW, one row per fuel."""
        middle = starts + PERIOD_S // 2
        hour = ((middle + utc_offset(middle)) % DAY_S) / HOUR_S
        demand = 31.0 + 4.0 * np.cos(2.0 * np.pi * (middle / (365.2425 * DAY_S) - 0.04))
        demand -= 5.5 * np.cos(2.0 * np.pi * (hour - 4.0) / 24.0)
        years = (middle - FIRST_START) / (365.2425 * DAY_S)
        cloud = np.clip(0.6 + self._noise("cloud", _FAST, middle), 0.12, 1.0)
        wind = np.clip(0.4 + 0.35 * self._noise("wind", _WIND, middle), 0.03, 0.9)
        parts = {
            "biomass": 2.2 + 0.7 * self._noise("biomass", _SLOW, middle),
            "coal": np.maximum(2.4 - 0.36 * years, 0.0)
            * (1.0 + self._noise("coal", _SLOW, middle)),
            "imports": np.maximum(3.5 + 4.0 * self._noise("imports", _FAST, middle), 0.0),
            "nuclear": 5.2 - 0.15 * years + 0.6 * self._noise("nuclear", _SLOW, middle),
            "other": 0.25 + 0.1 * self._noise("other", _FAST, middle),
            "hydro": 0.5 + 0.35 * self._noise("hydro", _SLOW, middle),
            "solar": (9.0 + 0.9 * years) * np.maximum(solar_height(middle), 0.0) * cloud,
            "wind": (12.0 + 1.2 * years) * wind,
        }
        parts = {fuel: np.maximum(gigawatts, 0.0) for fuel, gigawatts in parts.items()}
        parts["gas"] = np.maximum(demand - sum(parts.values()), 0.8)
        return np.stack([parts[fuel] for fuel in FUELS])

    def mix(self, starts: Instants, region: int = GB) -> Floats:
        """Return the exact shares in per cent, one row per fuel."""
        power = self.power(starts)
        if region != GB:
            little = REGIONS[region - 1][3].split()
            drawn = uniform(self.seed, f"carbon/region/{region}", np.arange(len(FUELS)))
            weight = [
                _LITTLE if f in little else 0.4 + 1.6 * d for f, d in zip(FUELS, drawn, strict=True)
            ]
            power = power * np.array(weight)[:, None]
        return np.asarray(100.0 * power / power.sum(axis=0))

    def shown_mix(self, starts: Instants, region: int | None = None) -> Floats:
        """Return the shares as they are published: of Britain, or of a region with its zeros."""
        shares = np.round(self.mix(starts, region or GB), 1) + 0.0
        if region is not None:
            shares[:, self.zeroed(starts, region)] = 0.0
        return np.asarray(shares)

    def forecast(self, starts: Instants, now: int, region: int | None = None) -> Instants:
        """Return the newest forecast at `now`; what was foretold before is not kept."""
        # The last forecast of a period is that of its start.
        issued = np.minimum(now // PERIOD_S * PERIOD_S, starts)
        spread = 0.03 + 0.25 * np.sqrt(np.maximum(starts - issued, 0) / AHEAD_S)
        label = f"carbon/error/{region or GB}"
        # Each forecast errs along a path of its own.
        noise = smooth(self.seed, label, 6 * HOUR_S, starts + issued * 20)
        found = np.round(self._carbon(starts, region or GB) * (1.0 + spread * noise))
        if region is not None:
            found[self.zeroed(starts, region)] = 0.0
        return found.astype(np.int64)

    def actual(self, starts: Instants) -> Instants:
        """Return the estimated actual intensity."""
        noise = self._noise("actual", _FAST, starts)
        return np.round(self._carbon(starts, GB) * (1.0 + 0.08 * noise)).astype(np.int64)

    def told(self, starts: Instants, now: int) -> NDArray[np.bool_]:
        """Mark the periods whose actual intensity is known at `now`."""
        return (starts + PERIOD_S + ACTUAL_AFTER_S <= now) & ~self.untold(starts)

    def untold(self, starts: Instants) -> NDArray[np.bool_]:
        """Mark the periods whose actual intensity stays null for ever."""
        drawn = uniform(self.seed, "carbon/untold", starts // PERIOD_S) < 1 / 150
        return np.asarray(drawn & ~_quiet(starts))

    def zeroed(self, starts: Instants, region: int) -> NDArray[np.bool_]:
        """Mark the rows of a region in which everything is zero."""
        drawn = uniform(self.seed, f"carbon/zeroed/{region}", starts // PERIOD_S) < 1 / 200
        return np.asarray(drawn & ~_quiet(starts))

    def index(self, starts: Instants, intensity: Instants) -> list[str]:
        """Return the words for intensities; the bands change with the year."""
        years = np.array([int(day_text(day)[:4]) for day in (starts // DAY_S).tolist()])
        found = np.zeros(len(starts), dtype=np.int64)
        for year in np.unique(years).tolist():
            bounds = np.round(_BOUNDS * _BOUNDS_FALL ** (year - 2017))
            mine = years == year
            found[mine] = np.searchsorted(bounds, intensity[mine], side="left")
        return [BANDS[band] for band in found.tolist()]

    def _carbon(self, starts: Instants, region: int) -> Floats:
        return np.asarray(np.array(FACTORS, dtype=np.float64) @ self.mix(starts, region) / 100.0)

    def _noise(self, label: str, layers: tuple[tuple[int, float], ...], at: Instants) -> Floats:
        return octaves(self.seed, f"carbon/{label}", layers, at)


def _quiet(starts: Instants) -> NDArray[np.bool_]:
    return np.isin(starts // DAY_S, list(QUIET_DAYS))
