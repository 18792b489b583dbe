"""Wind and solar output per settlement period in MW, with late, missing and revised rows."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sandbox.calendar import DAY_S, LAST_INSTANT, PERIOD_S, day_of, period_start, periods_in_day
from sandbox.grid import HISTORY_STARTS, QUIET_DAYS, Columns, join, take
from sandbox.noise import Floats, Instants, chance, octaves, uniform

HOUR_S = 3_600
TYPES = ("Wind Onshore", "Wind Offshore", "Solar")
CAPACITY_MW = {"Wind Onshore": 14_000.0, "Wind Offshore": 15_000.0, "Solar": 13_000.0}
_BUSINESS = ("Wind generation", "Wind generation", "Solar generation")

# First published about two and a half hours after the period starts, a few minutes apart.
LAG_S = 2 * HOUR_S + 28 * 60
LAG_SPREAD_S = 240
REVISED_AT_S = 17 * HOUR_S
LAST_REVISION_DAYS = 4

_WIND_LAYERS = ((96 * HOUR_S, 0.62), (30 * HOUR_S, 0.42), (9 * HOUR_S, 0.22), (3 * HOUR_S, 0.10))
_OWN_LAYERS = ((60 * HOUR_S, 0.55), (12 * HOUR_S, 0.35), (2 * HOUR_S, 0.14))
_CLOUD_LAYERS = ((72 * HOUR_S, 0.55), (10 * HOUR_S, 0.35), (2 * HOUR_S, 0.18))
_LATITUDE, _LONGITUDE = 52.5, -1.5
_YEAR_S = 365.2425 * DAY_S


class WindSolarSeries:
    """Half-hourly output of three types, and every publication of it.

    Columns: `start_time` and `publish_time` in epoch seconds, `psr_type`, `business_type`,
    `quantity_mw` (mean power of the period), `revision` from 1, `document` (one number per period).
    """

    axes: tuple[str, ...] = ("start_time", "publish_time")
    identity: tuple[str, ...] = ("start_time", "psr_type")
    settled_after_s = (LAST_REVISION_DAYS + 2) * DAY_S

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._day = lru_cache(maxsize=2048)(self._make_day)

    def newest(self, axis: str, now: int) -> int:
        """Return the newest instant on an axis published at `now`, epoch seconds."""
        return now if axis == "publish_time" else (now - LAG_S) // PERIOD_S * PERIOD_S

    def rows(self, axis: str, first: int, last: int, now: int, *, every: bool = False) -> Columns:
        """Return the rows from `first` to `last` (both inclusive) published by `now`."""
        last = min(last, now)
        reach = self.settled_after_s if axis == "publish_time" else 0
        first_day = day_of(max(first - reach, HISTORY_STARTS))
        last_day = max(day_of(max(last, HISTORY_STARTS)), first_day)
        columns = join([self._day(day) for day in range(first_day, last_day + 1)])
        asked = (columns[axis] >= max(first, HISTORY_STARTS)) & (columns[axis] <= last)
        columns = take(columns, asked & (columns["publish_time"] <= now))
        if not every:
            columns = take(columns, _newest_of_each(columns))
        return take(columns, np.argsort(columns[axis], kind="stable"))

    def repeats(self, columns: Columns) -> NDArray[np.int64]:
        """Return 1 for every row: this series is never sent twice."""
        return np.ones(len(columns["start_time"]), dtype=np.int64)

    def is_revised(self, day: int) -> bool:
        """Tell whether values of a settlement day are published again at D+1 17:00 UTC."""
        return chance(self.seed, "wind_solar/revised", day) < 1 / 4

    def is_revised_twice(self, day: int) -> bool:
        """Tell whether values of a settlement day are published again at D+4 17:00 UTC as well."""
        return self.is_revised(day) and chance(self.seed, "wind_solar/again", day) < 1 / 3

    def missing(self, day: int) -> tuple[list[tuple[int, str]], bool]:
        """Return the (start, type) pairs not published in time, and if D+1 17:00 brings them."""
        if day in QUIET_DAYS or chance(self.seed, "wind_solar/missing", day) >= 1 / 18:
            return [], False
        count = 1 + int(6 * chance(self.seed, "wind_solar/missing-count", day))
        pairs = set()
        for n in range(count):
            period = 1 + int(
                periods_in_day(day) * chance(self.seed, "wind_solar/missing-at", day, n)
            )
            kind = TYPES[int(3 * chance(self.seed, "wind_solar/missing-type", day, n))]
            pairs.add((period_start(day, period), kind))
        return sorted(pairs), chance(self.seed, "wind_solar/late", day) < 1 / 2

    def holes(self, first: int, last: int) -> Columns:
        """Return the (start_time, psr_type) from `first` to `last` that are never published."""
        first, last = max(first, HISTORY_STARTS), min(last, LAST_INSTANT)
        found: list[tuple[int, str]] = []
        for day in range(day_of(first), day_of(last) + 1) if first <= last else ():
            pairs, late = self.missing(day)
            found += [pair for pair in pairs if not late and first <= pair[0] <= last]
        return {
            "start_time": np.array([start for start, _ in found], dtype=np.int64),
            "psr_type": np.array([kind for _, kind in found], dtype="U13"),
        }

    def _make_day(self, day: int) -> Columns:
        periods = periods_in_day(day)
        starts = np.arange(periods, dtype=np.int64) * PERIOD_S + period_start(day, 1)
        first_values = np.stack(
            [self._output(kind, starts + PERIOD_S // 2) for kind in TYPES], axis=1
        )
        start = np.repeat(starts, len(TYPES))
        kind = np.tile(np.arange(len(TYPES)), periods)
        value = _kilowatts(first_values.reshape(-1))
        jitter = uniform(self.seed, "wind_solar/lag", start)
        lag = LAG_S + (LAG_SPREAD_S * jitter).astype(np.int64)
        again = (LAG_SPREAD_S * jitter).astype(np.int64) + REVISED_AT_S

        absent = np.zeros(len(start), dtype=np.bool_)
        pairs, late = self.missing(day)
        for moment, name in pairs:
            absent |= (start == moment) & (kind == TYPES.index(name))
        next_day = (day + 1) * DAY_S + again
        revision = np.ones(len(start), dtype=np.int64)
        first_time = np.where(absent, next_day, start + lag)
        parts = [_rows(start, kind, value, first_time, revision, ~absent | late)]
        moments = [(1, self.is_revised(day)), (LAST_REVISION_DAYS, self.is_revised_twice(day))]
        for days, happens in moments:
            if happens:
                label = f"wind_solar/revision-{days}"
                index = start * len(TYPES) + kind
                drawn = uniform(self.seed, f"{label}/drawn", index) < 0.35
                factor = 0.94 + 0.12 * uniform(self.seed, f"{label}/factor", index)
                changed = _kilowatts(np.where(drawn & ~absent, value * factor, value))
                differs = changed != value
                revision = revision + differs.astype(np.int64)
                value = changed
                when = (day + days) * DAY_S + again
                parts.append(_rows(start, kind, value, when, revision, differs))
        columns = join(parts)
        order = np.lexsort((columns["publish_time"], columns.pop("kind"), columns["start_time"]))
        return take(columns, order)

    def wind_mw(self, instants: Instants) -> Floats:
        """Return the output of both kinds of wind at each instant, as it was before revisions."""
        return self._output("Wind Onshore", instants) + self._output("Wind Offshore", instants)

    def solar_mw(self, instants: Instants) -> Floats:
        """Return the output of the sun at each instant, as it was before revisions."""
        return self._output("Solar", instants)

    def _output(self, kind: str, middle: Instants) -> Floats:
        season = 2.0 * np.pi * (middle / _YEAR_S)
        if kind == "Solar":
            cloud = 0.66 + octaves(self.seed, "cloud", _CLOUD_LAYERS, middle)
            height = np.maximum(solar_height(middle), 0.0)
            return np.asarray(0.86 * CAPACITY_MW[kind] * height**1.2 * np.clip(cloud, 0.16, 1.0))
        blow = 0.85 * octaves(self.seed, "wind", _WIND_LAYERS, middle)
        blow += 0.45 * octaves(self.seed, f"wind/{kind}", _OWN_LAYERS, middle)
        blow += 0.10 * np.cos(season - 0.3)
        level = (0.38 if kind == "Wind Onshore" else 0.46) + 0.55 * blow
        # Bent towards 0 and 1 instead of clipped: a real fleet never stands at one value for hours.
        share = 1.0 - _bent(1.0 - _bent(level))
        ceiling = 0.84 if kind == "Wind Onshore" else 0.92
        return np.asarray(ceiling * CAPACITY_MW[kind] * share * share * (3.0 - 2.0 * share))


def _bent(level: Floats) -> Floats:
    return np.asarray((level + np.sqrt(level * level + 0.03)) / 2.0)


def _kilowatts(megawatts: Floats) -> Floats:
    return np.asarray(np.round(megawatts, 3), dtype=np.float64)


def solar_height(
    instants: Instants, latitude: float = _LATITUDE, longitude: float = _LONGITUDE
) -> Floats:
    """Return the sine of the sun's elevation, by default over the middle of England (night < 0)."""
    year = 2.0 * np.pi * ((instants / _YEAR_S) % 1.0)
    # 1970-01-01 is day 1 of its year, so that the spring equinox lies 79 days after the epoch.
    turn = year - 2.0 * np.pi * 79.5 / 365.2425
    declination = np.deg2rad(23.44) * np.sin(turn)
    clock_minutes = 9.87 * np.sin(2.0 * turn) - 7.53 * np.cos(turn) - 1.5 * np.sin(turn)
    hours = (instants % DAY_S) / HOUR_S + longitude / 15.0 + clock_minutes / 60.0
    angle = (hours - 12.0) * np.pi / 12.0
    north = np.deg2rad(latitude)
    height = np.sin(north) * np.sin(declination)
    return np.asarray(height + np.cos(north) * np.cos(declination) * np.cos(angle))


def _rows(
    start: Instants,
    kind: Instants,
    value: Floats,
    when: Instants,
    revision: Instants,
    kept: NDArray[np.bool_],
) -> Columns:
    columns: Columns = {
        "start_time": start,
        "kind": kind,
        "psr_type": np.array(TYPES)[kind],
        "business_type": np.array(_BUSINESS)[kind],
        "quantity_mw": value,
        "publish_time": when,
        "revision": revision,
        "document": 20_000_000 + (start - HISTORY_STARTS) // PERIOD_S,
    }
    return take(columns, kept)


def _newest_of_each(columns: Columns) -> NDArray[np.bool_]:
    """Mark the last row of each (start, type); rows must be ordered by start, type, publication."""
    start, kind = columns["start_time"], columns["psr_type"]
    last = np.ones(len(start), dtype=np.bool_)
    last[:-1] = (start[1:] != start[:-1]) | (kind[1:] != kind[:-1])
    return last
