"""Demand, weather, dispatch and prices of a zone as pure functions of (seed, instant)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sandbox.calendar import DAY_S, market_offset
from sandbox.entsoe.climates import CLIMATES, FLEETS
from sandbox.noise import Floats, Instants, octaves, uniform
from sandbox.wind_solar import solar_height

HOUR_S = 3_600
_YEAR_S = 365.2425 * DAY_S
# Demand over a working day by local hour, and how much of a weekend each hour of a week is.
_DAY_SHAPE = (
    *(-0.75, -0.9, -1.0, -1.0, -0.95, -0.75, -0.3, 0.3, 0.65, 0.75, 0.8, 0.9, 0.95),
    *(0.85, 0.7, 0.6, 0.6, 0.75, 0.9, 0.8, 0.5, 0.15, -0.25, -0.55, -0.75),
)
_WEEK_HOURS = (0.0, 6.0, 117.0, 126.0, 140.0, 150.0, 164.0, 168.0)
_WEEKEND = (0.5, 0.0, 0.0, 0.75, 0.7, 1.0, 0.9, 0.5)

_WIND_LAYERS = ((96 * HOUR_S, 0.62), (30 * HOUR_S, 0.42), (9 * HOUR_S, 0.22), (3 * HOUR_S, 0.10))
_OWN_LAYERS = ((60 * HOUR_S, 0.55), (12 * HOUR_S, 0.35), (2 * HOUR_S, 0.14))
_CLOUD_LAYERS = ((72 * HOUR_S, 0.55), (10 * HOUR_S, 0.35), (2 * HOUR_S, 0.18))
_DEMAND_LAYERS = ((60 * HOUR_S, 0.55), (7 * HOUR_S, 0.3), (HOUR_S, 0.15))
_SLOW_LAYERS = ((240 * HOUR_S, 0.6), (40 * HOUR_S, 0.3), (5 * HOUR_S, 0.1))
_FAST_LAYERS = ((20 * HOUR_S, 0.5), (3 * HOUR_S, 0.35), (1_800, 0.15))


@dataclass(frozen=True)
class Hours:
    """The state of a zone at some instants; power in MW, shares between 0 and 1."""

    zone: str
    instants: Instants
    load: Floats
    sun: Floats
    onshore: Floats
    offshore: Floats
    #: Demand that wind and sun leave, as a share of mean demand.
    residual: Floats


def hours(seed: int, zone: str, instants: Instants) -> Hours:
    """Return the state of a zone at instants (the middles of slots)."""
    climate = CLIMATES[zone]
    load = _demand(seed, zone, instants)
    cloud = 0.66 + octaves(seed, f"entsoe/{zone}/cloud", _CLOUD_LAYERS, instants)
    height = solar_height(instants, climate.latitude, climate.longitude)
    sun = 0.85 * np.maximum(height, 0.0) ** 1.2 * np.clip(cloud, 0.16, 1.0)
    blow = 0.85 * octaves(seed, f"entsoe/{zone}/wind", _WIND_LAYERS, instants)
    blow += 0.10 * np.cos(2.0 * np.pi * (instants / _YEAR_S) - 0.3)
    own = {
        kind: 0.45 * octaves(seed, f"entsoe/{zone}/wind/{kind}", _OWN_LAYERS, instants)
        for kind in ("onshore", "offshore")
    }
    onshore = 0.80 * _share(0.33 + 0.52 * (blow + own["onshore"]))
    offshore = 0.92 * _share(0.44 + 0.55 * (blow + own["offshore"]))
    weather = climate.solar * sun + climate.onshore * onshore + climate.offshore * offshore
    residual = (load - weather) / climate.demand[0]
    return Hours(zone, instants, load, sun, onshore, offshore, np.asarray(residual))


def load_mw(state: Hours) -> Floats:
    """Return the load, to ten kilowatts in Germany and whole megawatts elsewhere."""
    return rounded(state.load, 2 if state.zone == "DE_LU" else 0)


def generation_mw(seed: int, state: Hours, psr: str) -> Floats:
    """Return what the plants of one type feed in."""
    manner, low, high, decimals = FLEETS[state.zone][psr]
    label = f"entsoe/{state.zone}/{psr}"
    match manner:
        case "solar":
            power = high * state.sun
        case "onshore":
            power = high * state.onshore
        case "offshore":
            power = high * state.offshore
        case "daily":
            day = state.instants // DAY_S
            power = low + (high - low) * uniform(seed, label, day)
        case "pumped":
            power = high * np.clip(_need(seed, state, psr) - 0.35, 0.0, 1.0)
        case "follows":
            middle = CLIMATES[state.zone].middle
            level = 0.5 + 0.7 * (state.residual - middle)
            level += 0.06 * octaves(seed, label, _FAST_LAYERS, state.instants)
            power = low + (high - low) * _share(level)
        case _:
            wander = 0.5 + 0.5 * octaves(seed, label, _SLOW_LAYERS, state.instants)
            power = low + (high - low) * wander
    return rounded(power, decimals)


def consumption_mw(seed: int, state: Hours, psr: str) -> Floats:
    """Return what the plants of one type draw from the grid, a positive number."""
    high, decimals = FLEETS[state.zone][psr][2:]
    if psr == "B10":
        power = 0.9 * high * np.clip(0.25 - _need(seed, state, psr), 0.0, 1.0)
    elif psr == "B16":
        # Inverters and transformers at night.
        power = np.where(state.sun > 0.0, 0.0, 1.3)
    else:
        power = 55.0 * np.maximum(0.07 - state.onshore, 0.0)
    return rounded(power, decimals)


def price(seed: int, state: Hours, seat: int) -> Floats:
    """Return day-ahead prices of an auction per MWh; sequence 2 ripples around the first."""
    climate = CLIMATES[state.zone]
    away = state.residual - climate.middle
    amount = 75.0 + climate.slope * away + 60.0 * np.minimum(away + 0.42, 0.0)
    amount += 14.0 * octaves(seed, f"entsoe/{state.zone}/price", _SLOW_LAYERS, state.instants)
    if seat == 2:
        amount += 5.0 * octaves(seed, f"entsoe/{state.zone}/price/2", _FAST_LAYERS, state.instants)
    # Bids stand at zero: prices rest there while they change their sign.
    return rounded(np.sign(amount) * np.maximum(np.abs(amount) - 2.0, 0.0), 2)


def rounded(power: Floats, decimals: int) -> Floats:
    """Return numbers as they are published; there is no negative zero."""
    return np.asarray(np.round(power, decimals) + 0.0, dtype=np.float64)


def _demand(seed: int, zone: str, instants: Instants) -> Floats:
    mean, season, day, weekend, noise = CLIMATES[zone].demand
    local = instants + market_offset(instants)
    hour = (local % DAY_S) / HOUR_S
    # 1970-01-01 was a Thursday.
    week_hour = ((local + 3 * DAY_S) % (7 * DAY_S)) / HOUR_S
    power = mean + season * np.cos(2.0 * np.pi * ((instants / _YEAR_S) - 0.04))
    power += day * np.interp(hour, np.arange(25.0), np.array(_DAY_SHAPE))
    power -= weekend * np.interp(week_hour, np.array(_WEEK_HOURS), np.array(_WEEKEND))
    power += noise * octaves(seed, f"entsoe/{zone}/demand", _DEMAND_LAYERS, instants)
    return np.asarray(power)


def _need(seed: int, state: Hours, psr: str) -> Floats:
    """Return how much storage is wanted: 1 at the tightest hours, below 0 when there is plenty."""
    away = state.residual - CLIMATES[state.zone].middle
    noise = 0.12 * octaves(seed, f"entsoe/{state.zone}/{psr}", _FAST_LAYERS, state.instants)
    return np.asarray(0.3 + 1.1 * away + noise)


def _share(level: Floats) -> Floats:
    # Bent towards 0 and 1 instead of clipped: a real fleet never stands at one value for hours.
    share = 1.0 - _bent(1.0 - _bent(level))
    return np.asarray(share * share * (3.0 - 2.0 * share))


def _bent(level: Floats) -> Floats:
    return np.asarray((level + np.sqrt(level * level + 0.03)) / 2.0)
