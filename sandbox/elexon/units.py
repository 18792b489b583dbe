"""The fleet: forty invented BM units, their reference data and what each of them does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.calendar import DAY_S, PERIOD_S, one
from sandbox.elexon.base import HOUR_S, texts
from sandbox.grid import HISTORY_STARTS, Columns, take
from sandbox.noise import Floats, Instants, chance, smooth, uniform

COUNT = 40
# Fuel (None: not told), whether demand, capacity from and to in MW.
_KINDS: tuple[tuple[str | None, bool, float, float], ...] = (
    ("CCGT", False, 380.0, 900.0),
    ("WIND", False, 60.0, 600.0),
    ("NUCLEAR", False, 500.0, 620.0),
    ("BIOMASS", False, 90.0, 640.0),
    ("NPSHYD", False, 20.0, 120.0),
    ("PS", False, 150.0, 300.0),
    (None, False, 20.0, 100.0),
    (None, True, 40.0, 350.0),
)
_GSP_GROUPS = (("_A", "Eastern"), ("_C", "London"), ("_K", "South Wales"), ("_P", "North Scotland"))


@dataclass(frozen=True)
class Unit:
    """One invented unit. `elexon` is None where the provider knows only the other name."""

    number: int
    ng: str
    elexon: str | None
    fuel: str | None
    demand: bool
    capacity_mw: float
    known_time: int


class Fleet:
    """All units of one seed. Arrays of the fleet have one column per unit."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.units = tuple(self._unit(n) for n in range(COUNT))
        self.ng = np.array([unit.ng for unit in self.units])
        self.elexon = texts([unit.elexon for unit in self.units])

    def _unit(self, n: int) -> Unit:
        fuel, demand, low, high = _KINDS[n % len(_KINDS)]
        capacity = round(low + (high - low) * chance(self.seed, "unit/capacity", n), 0)
        letter = "E" if n % 5 == 4 else "T"
        # Two of them have no Elexon name, and one is also named by another rule.
        elexon = None if n in (7, 23) else f"{letter}_SYNTH-{n + 1}"
        born = HISTORY_STARTS + int(chance(self.seed, "unit/known", n) * 365) * DAY_S
        return Unit(n, f"SYNTH-{n + 1}", elexon, fuel, demand, capacity, born)

    def levels(self, instants: Instants) -> NDArray[np.int64]:
        """Return what each unit plans at each instant, in whole MW (one line per instant)."""
        table = np.empty((len(instants), COUNT), dtype=np.int64)
        for unit in self.units:
            slow = smooth(self.seed, f"unit/{unit.number}/slow", 17 * HOUR_S, instants)
            quick = smooth(self.seed, f"unit/{unit.number}/quick", 3 * HOUR_S, instants)
            share: Floats = np.clip(0.45 + 0.9 * slow + 0.25 * quick, 0.0, 1.0)
            if unit.fuel == "PS":
                share = np.clip(slow + quick, -1.0, 1.0)
            if unit.fuel == "NUCLEAR":
                share = 0.92 + 0.05 * slow
            sign = -1.0 if unit.demand else 1.0
            table[:, unit.number] = np.rint(sign * unit.capacity_mw * share)
        return table


class UnitSeries:
    """The reference list. Columns are those of the answer in snake_case and `known_time`.

    It has no history: whatever unit is known at `now` is served, in the order of their names.
    """

    axes: tuple[str, ...] = ("known_time",)
    identity: tuple[str, ...] = ("ng_unit",)
    settled_after_s = 0

    def __init__(self, fleet: Fleet) -> None:
        units = fleet.units
        capacity = np.array([unit.capacity_mw for unit in units])
        demand = np.array([unit.demand for unit in units])
        losses = uniform(fleet.seed, "unit/losses", np.arange(COUNT, dtype=np.int64)) * 0.06 - 0.03
        groups = [_GSP_GROUPS[n % 4] if n % 5 == 4 else None for n in range(COUNT)]
        kilowatts = np.where(demand, -capacity, -0.01 * capacity)
        output = np.where(demand, 0.0, capacity)
        self._columns: Columns = {
            "ng_unit": fleet.ng,
            "bm_unit": fleet.elexon,
            "eic": texts(
                [f"48WSYNTH{unit.number:04d}--X" if unit.fuel else None for unit in units]
            ),
            "fuel_type": texts([unit.fuel for unit in units]),
            "party_name": texts([f"Synthetic Power {unit.number % 9} Ltd" for unit in units]),
            "unit_type": np.array([(unit.elexon or "T")[0] for unit in units]),
            "name": texts([f"Synthetic unit {unit.number + 1}" for unit in units]),
            "party": texts([f"SYNTH{unit.number % 9}" for unit in units]),
            "demand_capacity": _three(kilowatts),
            "generation_capacity": _three(output),
            "flag": np.where(demand, "C", "P"),
            "losses": texts([f"{value:.7f}" for value in losses.tolist()]),
            "import_capability": _three(0.4 * kilowatts),
            "export_capability": _three(0.4 * output),
            "gsp_group": texts([group[0] if group else None for group in groups]),
            "gsp_group_name": texts([group[1] if group else None for group in groups]),
            "known_time": np.array([unit.known_time for unit in units], dtype=np.int64),
        }
        order = np.argsort(self._columns["known_time"], kind="stable")
        self._columns = take(self._columns, order)

    def newest(self, axis: str, now: int) -> int:
        """Return when the last unit known at `now` became known."""
        return min(int(self._columns[axis].max()), now)

    def rows(self, axis: str, first: int, last: int, now: int, *, every: bool = False) -> Columns:
        """Return the units that became known from `first` to `last` (both inclusive)."""
        known = self._columns[axis]
        return take(self._columns, (known >= first) & (known <= min(last, now)))

    def repeats(self, columns: Columns) -> NDArray[np.int64]:
        """Return 1 for every unit."""
        return np.ones(len(columns["ng_unit"]), dtype=np.int64)


def _three(values: Floats) -> NDArray[np.object_]:
    # Capacities are texts in the real answer.
    return texts([f"{value:.3f}" for value in (values + 0.0).tolist()])


def period_of(instants: Instants) -> Instants:
    """Return the start of the half hour that holds each instant."""
    return instants // PERIOD_S * PERIOD_S


def day_index(day: int, count: int) -> Instants:
    """Return numbers for the events of a day that no other day has."""
    return one(day) * 10_000 + np.arange(count, dtype=np.int64)
