"""What the plants produce, and what of it is measured, predicted and curtailed.

Every value is a pure function of (seed, plant, instant); what is missing on a day is a function of
the day alone. Powers are kW, instants epoch seconds, live samples epoch milliseconds.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sandbox.calendar import DAY_S
from sandbox.noise import Floats, Instants, chance, octaves, uniform
from sandbox.vpp.clock import HOUR_S, QUARTER_S
from sandbox.vpp.fleet import Plant
from sandbox.wind_solar import solar_height

HORIZON_S = 48 * HOUR_S
VERSION_ROWS = HORIZON_S // QUARTER_S + 1

DARK_HOURS = (8, 14)
REDISPATCH_HOURS = (10, 12)
SOLAR_REDISPATCH_S = (11 * HOUR_S, 11 * HOUR_S + 2_700)
_GUST_S = 20 * 60

_WIND = ((96 * HOUR_S, 0.62), (30 * HOUR_S, 0.42), (9 * HOUR_S, 0.22))
_SITE = ((12 * HOUR_S, 0.30), (2 * HOUR_S, 0.14), (900, 0.05), (180, 0.03))
_CLOUD = ((72 * HOUR_S, 0.55), (10 * HOUR_S, 0.35), (1_800, 0.15), (240, 0.05))
_ERROR = ((6 * HOUR_S, 0.8), (5_400, 0.4))


class Infeed:
    """The power of a fleet under one seed; without `dirt` nothing is missing and no clock drifts.

    With `late_final` the final production of the late plant has arrived after all.
    """

    def __init__(
        self, seed: int, plants: tuple[Plant, ...], *, dirt: bool, late_final: bool = False
    ) -> None:
        self.seed = seed
        self.plants = plants
        self.dirt = dirt
        self.late_final = late_final
        self._wind = [plant for plant in plants if plant.technology == "wind"]
        self._means = lru_cache(maxsize=4096)(self._make_means)

    def late(self, day: int) -> Plant | None:
        """Return the plant without a final production on a UTC day, measured live as always."""
        return self._wind[day % len(self._wind)] if self.dirt else None

    def dark(self, day: int) -> Plant | None:
        """Return the plant that has neither final production nor live values in DARK_HOURS."""
        return self._wind[(day + 1) % len(self._wind)] if self.dirt else None

    def redispatched(self, plant: Plant, day: int) -> tuple[int, int] | None:
        """Return the half-open span of a UTC day in which the plant is curtailed, if it is."""
        if plant == self._wind[(day + 1) % len(self._wind)]:
            first, last = (hour * HOUR_S for hour in REDISPATCH_HOURS)
        elif plant.index == 1:
            first, last = SOLAR_REDISPATCH_S
        else:
            return None
        return day * DAY_S + first, day * DAY_S + last

    def has_final(self, plant: Plant, day: int) -> bool:
        """Tell whether the final production of a UTC day is ever delivered."""
        if plant == self.late(day):
            return self.late_final
        return plant != self.dark(day)

    def gust(self, day: int) -> tuple[int, int]:
        """Return the span of a UTC day in which the first plant exceeds its capacity."""
        start = day * DAY_S + 15 * HOUR_S + int(6 * HOUR_S * chance(self.seed, "vpp/gust", day))
        return start, start + _GUST_S

    def holes(self, plant: Plant, day: int) -> list[tuple[int, int]]:
        """Return the spans of a UTC day from which no live sample of the plant arrives."""
        if not self.dirt:
            return []
        spans = []
        label = f"vpp/hole/{plant.asset_id}"
        # 36 minutes empty at least one quarter hour, wherever they lie and the last value is held.
        length = 36 * 60 + int(24 * 60 * chance(self.seed, f"{label}/long", day))
        start = int((DAY_S - length) * chance(self.seed, f"{label}/when", day))
        spans.append((day * DAY_S + start, day * DAY_S + start + length))
        for n in range(10):
            length = 120 + int(420 * chance(self.seed, f"{label}/short", day, n))
            start = int((DAY_S - length) * chance(self.seed, f"{label}/begin", day, n))
            spans.append((day * DAY_S + start, day * DAY_S + start + length))
        if plant.index == 0:
            first, last = self.gust(day)
            spans = [span for span in spans if span[1] <= first or span[0] >= last]
        if plant == self.dark(day):
            spans.append(
                (day * DAY_S + DARK_HOURS[0] * HOUR_S, day * DAY_S + DARK_HOURS[1] * HOUR_S)
            )
        return spans

    def potential(self, plant: Plant, instants: Instants) -> Floats:
        """Return what the plant could feed in at each instant, before any curtailment."""
        name = plant.asset_id
        if plant.technology == "solar":
            cloud = 0.68 + octaves(self.seed, f"vpp/{name}/cloud", _CLOUD, instants)
            # The sun of the British sandbox, ten degrees of longitude to the east.
            height = np.maximum(solar_height(instants + 2_760), 0.0)
            return np.asarray(plant.capacity_kw * 1.1 * height * np.clip(cloud, 0.12, 0.93))
        blow = 0.48 + 0.40 * octaves(self.seed, "vpp/wind", _WIND, instants)
        blow += 0.55 * octaves(self.seed, f"vpp/{name}/wind", _SITE, instants)
        share = np.clip(blow, 0.0, 1.0)
        power = share * share * (3.0 - 2.0 * share)
        if plant.index == 0:
            for day in range(int(instants.min()) // DAY_S, int(instants.max()) // DAY_S + 1):
                first, last = self.gust(day)
                power = np.where((instants >= first) & (instants < last), 1.006, power)
        return np.asarray(plant.capacity_kw * power)

    def actual(self, plant: Plant, instants: Instants) -> Floats:
        """Return what the plant feeds in at each instant; redispatch leaves two per cent of it."""
        power = self.potential(plant, instants)
        for day in range(int(instants.min()) // DAY_S, int(instants.max()) // DAY_S + 1):
            span = self.redispatched(plant, day)
            if span is not None:
                cut = (instants >= span[0]) & (instants < span[1])
                power = np.where(cut, 0.02 * power, power)
        return power

    def live(self, plant: Plant, start: int, end: int) -> list[tuple[int, float]]:
        """Return the live samples of [start, end) as (epoch ms, kW), oldest first."""
        minutes = np.arange(-(-start // 60), -(-end // 60), dtype=np.int64)
        label = f"vpp/live/{plant.asset_id}"
        millis = minutes * 60_000
        if self.dirt:
            millis += (45_000 * uniform(self.seed, f"{label}/jitter", minutes)).astype(np.int64)
        seconds = millis // 1_000
        power = self.actual(plant, seconds)
        capacity = plant.capacity_kw
        power = power * (1.0 + 0.006 * (uniform(self.seed, f"{label}/noise", minutes) - 0.5))
        own = capacity * (0.001 + 0.003 * uniform(self.seed, f"{label}/own", minutes))
        power = np.where(power < 0.004 * capacity, power - own, power)
        kept = np.ones(len(minutes), dtype=np.bool_)
        if self.dirt:
            kept &= uniform(self.seed, f"{label}/lost", minutes) >= 0.01
        for day in range(start // DAY_S, (end - 1) // DAY_S + 1):
            for first, last in self.holes(plant, day):
                kept &= (seconds < first) | (seconds >= last)
        return list(zip(millis[kept].tolist(), np.round(power[kept], 3).tolist(), strict=True))

    def final(self, plant: Plant, day: int) -> list[tuple[int, float]]:
        """Return the final production of a UTC day as (quarter hour, kW); never below 0."""
        starts = np.arange(day * DAY_S, (day + 1) * DAY_S, QUARTER_S, dtype=np.int64)
        minutes = np.arange(day * DAY_S + 30, (day + 1) * DAY_S, 60, dtype=np.int64)
        power = self.actual(plant, minutes).reshape(-1, 15).mean(axis=1)
        return list(zip(starts.tolist(), np.round(power, 3).tolist(), strict=True))

    def forecast(self, plant: Plant, version: int) -> tuple[float, ...]:
        """Return the 193 values of a version: one per quarter hour from the version to 48 h on.

        The forecast knows nothing of redispatch; its error grows with the horizon.
        """
        starts = np.arange(version, version + HORIZON_S + 1, QUARTER_S, dtype=np.int64)
        days = range(int(starts[0]) // DAY_S, int(starts[-1]) // DAY_S + 1)
        means = np.concatenate([self._means(plant, day) for day in days])
        begin = (version - days[0] * DAY_S) // QUARTER_S
        expected = means[begin : begin + VERSION_ROWS]
        reach = plant.capacity_kw * (0.02 + 0.10 * np.sqrt((starts - version) / HORIZON_S))
        error = octaves(self.seed, f"vpp/{plant.asset_id}/error", _ERROR, starts + 5 * version)
        if plant.technology == "solar":
            error = error * 2.0 * expected / plant.capacity_kw
        values = np.clip(expected + reach * error, 0.0, plant.capacity_kw)
        return tuple(np.round(values, 1).tolist())

    def versions(self, plant: Plant, day: int) -> list[int]:
        """Return the forecast versions for a delivery day, the UTC and the Berlin one.

        Every plant: 00:00, 06:00 and 12:00 of the day before, then every hour from 20:00 on. The
        first plant: every quarter hour from 21:30 of the day before, so that each quarter hour has
        its latest tradeable version. The fourth: every quarter hour from 06:00 to 12:00 as well.
        """
        midnight = day * DAY_S
        hours = [-24, -18, -12, *range(-4, 24)]
        found = {midnight + hour * HOUR_S for hour in hours}
        if plant.index == 0:
            found |= set(range(midnight - 10 * QUARTER_S, midnight + DAY_S, QUARTER_S))
        if plant.index == 3:
            found |= set(range(midnight + 6 * HOUR_S, midnight + 12 * HOUR_S, QUARTER_S))
        return sorted(found)

    def _make_means(self, plant: Plant, day: int) -> Floats:
        minutes = np.arange(day * DAY_S + 90, (day + 1) * DAY_S, 180, dtype=np.int64)
        return np.asarray(self.potential(plant, minutes).reshape(-1, 5).mean(axis=1))
