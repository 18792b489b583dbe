"""The plants and generating units of a zone: made of what is installed, each with a code and a name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sandbox.entsoe import model
from sandbox.entsoe.climates import FLEETS
from sandbox.noise import Floats, Instants, chance, octaves

# Types with units of their own, and the size of a unit in MW; the rest is many small ones.
_SIZES = {
    "B02": 600.0,
    "B04": 430.0,
    "B05": 700.0,
    "B07": 300.0,
    "B10": 250.0,
    "B12": 220.0,
    "B14": 1_000.0,
    "B18": 400.0,
}
_NAMES = {
    "B02": "Brown Hill",
    "B04": "Côte à Gaz",
    "B05": "Black Quay",
    "B07": "Shale Moor",
    "B10": "Upper Lake",
    "B12": "Lower Dam",
    "B14": "Großer Kern",
    "B18": "Sea Bank",
}
_MOST_UNITS = 12
_LAYERS = ((30 * 3_600, 0.5), (4 * 3_600, 0.3))


@dataclass(frozen=True)
class Unit:
    """A generating unit, or a plant of one or two of them; `share` is its part of its type."""

    eic: str
    name: str
    psr: str
    nominal_mw: float
    share: float


@lru_cache(maxsize=256)
def installed_mw(zone: str, psr: str, year: int) -> float:
    """Return what is installed of a type in a year: always more than ever runs."""
    return round(FLEETS[zone][psr][2] * (1.05 + 0.02 * chance(0, f"installed/{zone}/{psr}", year)))


@lru_cache(maxsize=256)
def units(zone: str) -> tuple[Unit, ...]:
    """Return the generating units of a zone."""
    found = []
    for psr in FLEETS[zone]:
        high = FLEETS[zone][psr][2]
        size = _SIZES.get(psr, 0.0)
        if not size or high < 100:
            continue
        count = min(_MOST_UNITS, max(1, round(high / size)))
        for number in range(1, count + 1):
            nominal = round(high / count, 1)
            found.append(_unit(zone, psr, number, "U", f"Unit {number}", nominal, 1.0 / count))
    return tuple(found)


@lru_cache(maxsize=256)
def plants(zone: str) -> tuple[Unit, ...]:
    """Return the production units of a zone: two neighbouring generating units each, or one."""
    found = []
    for psr in dict.fromkeys(unit.psr for unit in units(zone)):
        mine = [unit for unit in units(zone) if unit.psr == psr]
        for at in range(0, len(mine), 2):
            pair = mine[at : at + 2]
            nominal = round(sum(unit.nominal_mw for unit in pair), 1)
            share = sum(unit.share for unit in pair)
            found.append(_unit(zone, psr, at // 2 + 1, "P", f"Plant {at // 2 + 1}", nominal, share))
    return tuple(found)


def _unit(
    zone: str, psr: str, number: int, letter: str, name: str, nominal: float, share: float
) -> Unit:
    eic = f"99W-{zone.replace('_', '')[:6]}{psr}{letter}{number:02}".ljust(15, "-") + "X"
    return Unit(eic, f"{_NAMES[psr]} {zone} {name}", psr, nominal, share)


def unit_mw(seed: int, zone: str, starts: Instants, step_s: int) -> Floats:
    """Return what each unit feeds in, units by slots: together not far from what their type does."""
    state = model.hours(seed, zone, starts + step_s // 2)
    by_type: dict[str, Floats] = {}
    found = []
    for unit in units(zone):
        if unit.psr not in by_type:
            by_type[unit.psr] = model.generation_mw(seed, state, unit.psr)
        swing = 1.0 + 0.2 * octaves(seed, f"unit/{unit.eic}", _LAYERS, starts)
        power = np.minimum(by_type[unit.psr] * unit.share * swing, unit.nominal_mw)
        found.append(np.round(np.maximum(power, 0.0), 1) + 0.0)
    return np.stack(found) if found else np.zeros((0, len(starts)))
