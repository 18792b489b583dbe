"""System frequency: a sample every 15 seconds in Hz, with events, gaps and repeated batches."""

from __future__ import annotations

from functools import lru_cache
from math import exp

import numpy as np
from numpy.typing import NDArray

from sandbox.calendar import DAY_S, LAST_INSTANT, PERIOD_S, day_of, settlement_day, start_of_day
from sandbox.grid import HISTORY_STARTS, QUIET_DAYS, Columns, join, take
from sandbox.noise import Floats, Instants, chance, octaves, uniform

CADENCE_S = 15
# The samples of two minutes arrive together when the two minutes are over.
BATCH_S = 120

_LAYERS = ((5_400, 0.042), (1_200, 0.078), (360, 0.068), (90, 0.028), (15, 0.008))
_STEP_HZ = 0.085
_EVENT_S = 2_700
# A lost infeed reaches its lowest point in two samples and is mended in about twenty minutes.
_EVENT_SHAPE = np.array(
    [0.55, 0.95, *(exp(-s / 480.0) for s in range(0, _EVENT_S - 30, CADENCE_S))], dtype=np.float64
)
# Generators move to their new schedules at the half hour; control brings the jump back in minutes.
_STEP_SHAPE = np.array(
    [0.5, *(exp(-s / 240.0) for s in range(0, PERIOD_S - CADENCE_S, CADENCE_S))], dtype=np.float64
)


class FrequencySeries:
    """Frequency samples on the :00/:15/:30/:45 grid (columns `time`, `frequency_hz`)."""

    axes: tuple[str, ...] = ("time",)
    identity: tuple[str, ...] = ("time",)
    settled_after_s = BATCH_S

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._day = lru_cache(maxsize=512)(self._make_day)

    def newest(self, axis: str, now: int) -> int:
        """Return the newest sample time published at `now`, epoch seconds."""
        return now // BATCH_S * BATCH_S - CADENCE_S

    def rows(self, axis: str, first: int, last: int, now: int, *, every: bool = False) -> Columns:
        """Return the samples from `first` to `last` (both inclusive) published by `now`."""
        first = max(first, HISTORY_STARTS)
        last = min(last, self.newest(axis, now))
        if last < first:
            return {"time": np.zeros(0, np.int64), "frequency_hz": np.zeros(0)}
        days = [self._day(day) for day in range(first // DAY_S, last // DAY_S + 1)]
        columns = join(days)
        low = int(np.searchsorted(columns["time"], first, side="left"))
        high = int(np.searchsorted(columns["time"], last, side="right"))
        return {name: values[low:high] for name, values in columns.items()}

    def repeats(self, columns: Columns) -> NDArray[np.int64]:
        """Return 2 for the samples of a batch that is sent twice, 1 for all others."""
        times = columns["time"]
        count = np.ones(len(times), dtype=np.int64)
        for day in np.unique(settlement_day(times)).tolist():
            for start, end in self.repeated_batches(day):
                count[(times >= start) & (times < end)] = 2
        return count

    def gaps(self, day: int) -> list[tuple[int, int]]:
        """Return the half-open spans of a settlement day from which no sample was ever received."""
        if day in QUIET_DAYS:
            return []
        spans = []
        if chance(self.seed, "frequency/gaps", day) < 1 / 8:
            for n in range(1 + int(3 * chance(self.seed, "frequency/gap-count", day))):
                samples = 2 + int(40 * chance(self.seed, "frequency/gap-length", day, n))
                spans.append(self._span(day, "frequency/gap-start", n, samples))
        if chance(self.seed, "frequency/outage", day) < 1 / 45:
            samples = 480 + int(720 * chance(self.seed, "frequency/outage-length", day))
            spans.append(self._span(day, "frequency/outage-start", 0, samples))
        return spans

    def holes(self, first: int, last: int) -> Columns:
        """Return the `time` of the samples from `first` to `last` that were never received."""
        first, last = max(first, HISTORY_STARTS), min(last, LAST_INSTANT)
        days = range(day_of(first), day_of(last) + 1) if first <= last else ()
        spans = sorted(span for day in days for span in self.gaps(day))
        times = [np.arange(start, end, CADENCE_S, dtype=np.int64) for start, end in spans]
        # Two gaps of a day may overlap.
        missing = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *times]))
        return {"time": missing[(missing >= first) & (missing <= last)]}

    def repeated_batches(self, day: int) -> list[tuple[int, int]]:
        """Return the half-open spans of a settlement day whose samples are sent twice."""
        if day in QUIET_DAYS or chance(self.seed, "frequency/repeats", day) >= 1 / 9:
            return []
        batches = 1 + int(4 * chance(self.seed, "frequency/repeat-count", day))
        return [self._span(day, "frequency/repeat-start", 0, batches * BATCH_S // CADENCE_S)]

    def events(self, utc_day: int) -> list[tuple[int, float]]:
        """Return the sudden changes that begin on a UTC day, as (instant, change in Hz)."""
        found = []
        for label, often, least, most in (("low", 0.18, -0.32, -0.44), ("high", 0.07, 0.24, 0.34)):
            if chance(self.seed, f"frequency/{label}-event", utc_day) < often:
                slot = int(
                    DAY_S // CADENCE_S * chance(self.seed, f"frequency/{label}-when", utc_day)
                )
                share = chance(self.seed, f"frequency/{label}-size", utc_day)
                found.append((utc_day * DAY_S + slot * CADENCE_S, least + (most - least) * share))
        return found

    def _span(self, day: int, label: str, n: int, samples: int) -> tuple[int, int]:
        start, end = start_of_day(day), start_of_day(day + 1)
        room = (end - start) // CADENCE_S - samples
        begin = start + int(room * chance(self.seed, label, day, n)) * CADENCE_S
        return begin, begin + samples * CADENCE_S

    def undisturbed(self, utc_day: int) -> Floats:
        """Return every sample of a UTC day, also those that were never received."""
        times = np.arange(utc_day * DAY_S, (utc_day + 1) * DAY_S, CADENCE_S, dtype=np.int64)
        return np.asarray(np.round(50.0 + self._deviation(times, utc_day), 3))

    def _make_day(self, utc_day: int) -> Columns:
        times = np.arange(utc_day * DAY_S, (utc_day + 1) * DAY_S, CADENCE_S, dtype=np.int64)
        hertz = self.undisturbed(utc_day)
        kept = np.ones(len(times), dtype=np.bool_)
        for day in {day_of(int(times[0])), day_of(int(times[-1]))}:
            for start, end in self.gaps(day):
                kept &= (times < start) | (times >= end)
        return take({"time": times, "frequency_hz": hertz}, kept)

    def _deviation(self, times: Instants, utc_day: int) -> Floats:
        deviation = octaves(self.seed, "frequency", _LAYERS, times)
        boundary = times // PERIOD_S
        # Most contracts turn over on the hour, so the jump at the half hour is the smaller one.
        size = _STEP_HZ * (2.0 * uniform(self.seed, "frequency/step", boundary) - 1.0)
        size *= np.where(boundary % 2 == 0, 1.0, 0.6)
        deviation += size * _STEP_SHAPE[(times - boundary * PERIOD_S) // CADENCE_S]
        for start, change in self.events(utc_day - 1) + self.events(utc_day):
            since = (times - start) // CADENCE_S
            inside = (since >= 0) & (since < len(_EVENT_SHAPE))
            deviation[inside] += change * _EVENT_SHAPE[since[inside]]
        return deviation
