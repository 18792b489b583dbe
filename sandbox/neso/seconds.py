"""System frequency every second: a file a month, written while it is sent.

At the seconds of the 15-second series the two agree, also where that series lost its samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sandbox.calendar import DAY_S, day_number, day_text
from sandbox.frequency import CADENCE_S, FrequencySeries
from sandbox.grid import HISTORY_STARTS, QUIET_DAYS, Columns
from sandbox.neso.demand import HOUR_S
from sandbox.noise import Floats, Instants, chance, uniform

FIRST_YEAR = 2016
# A month's file comes on the fifth of the next, at ten in the morning.
_PUBLISHED_S = 4 * DAY_S + 10 * HOUR_S
# From this year on the stamps are written 2020-01-01T00:00:00Z, before 2016-01-01 00:00:00.
ZULU_FROM = 2020
_RIPPLE_HZ = 0.006
HEADER = b"dtm,f\n"


class Seconds:
    """One value a second in UTC, with a few seeded gaps."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._coarse = FrequencySeries(seed)
        self._day = lru_cache(maxsize=4)(self._make_day)

    def gaps(self, utc_day: int) -> list[tuple[int, int]]:
        """Return the half-open spans of a UTC day that no file holds."""
        if utc_day in QUIET_DAYS or chance(self.seed, "neso/seconds", utc_day) >= 1 / 15:
            return []
        spans = []
        for n in range(1 + int(3 * chance(self.seed, "neso/seconds/count", utc_day))):
            length = 1 + int(900 * chance(self.seed, "neso/seconds/length", utc_day, n) ** 2)
            room = DAY_S - length
            start = int(room * chance(self.seed, "neso/seconds/start", utc_day, n))
            spans.append((utc_day * DAY_S + start, utc_day * DAY_S + start + length))
        return spans

    def length(self, month: int) -> int:
        """Return the length of a month's file in bytes without writing it."""
        days = range(*month_days(month))
        width = _width(month)
        return len(HEADER) + width * sum(int(self._kept(day).sum()) for day in days)

    def chunks(self, month: int) -> Iterator[bytes]:
        """Yield a month's file a day at a time."""
        yield HEADER
        for day in range(*month_days(month)):
            yield self._encode(day)

    def rows(self, first: int, last: int, now: int) -> Columns:
        """Return the truth of the months published by `now`."""
        low, high = max(first, HISTORY_STARTS), min(last, published_to(now) - 1)
        parts: list[tuple[Instants, Floats]] = [(np.zeros(0, np.int64), np.zeros(0))]
        for day in range(low // DAY_S, high // DAY_S + 1):
            times, hertz = self._day(day)
            inside = (times >= low) & (times <= high)
            parts.append((times[inside], hertz[inside]))
        return {
            "time": np.concatenate([times for times, _ in parts]),
            "frequency_hz": np.concatenate([hertz for _, hertz in parts]),
        }

    def holes(self, first: int, last: int) -> Instants:
        """Return the seconds that no file ever holds."""
        low, high = max(first, HISTORY_STARTS), last
        parts = [np.zeros(0, dtype=np.int64)]
        for day in range(low // DAY_S, high // DAY_S + 1):
            if self.gaps(day):
                times = np.flatnonzero(~self._kept(day)) + day * DAY_S
                parts.append(times[(times >= low) & (times <= high)])
        return np.concatenate(parts)

    def _kept(self, utc_day: int) -> NDArray[np.bool_]:
        kept = np.ones(DAY_S, dtype=np.bool_)
        for start, end in self.gaps(utc_day):
            kept[start - utc_day * DAY_S : end - utc_day * DAY_S] = False
        return kept

    def _make_day(self, utc_day: int) -> tuple[Instants, Floats]:
        today = self._coarse.undisturbed(utc_day)
        nodes = np.append(today, self._coarse.undisturbed(utc_day + 1)[:1])
        seconds = np.arange(DAY_S, dtype=np.int64)
        node = seconds // CADENCE_S
        share = (seconds - node * CADENCE_S) / CADENCE_S
        times = seconds + utc_day * DAY_S
        # The ripple dies away towards the samples of the coarse series, which stay as they are.
        ripple = _RIPPLE_HZ * (2.0 * uniform(self.seed, "neso/seconds/ripple", times) - 1.0)
        hertz = nodes[node] * (1.0 - share) + nodes[node + 1] * share
        hertz = np.round(hertz + 4.0 * share * (1.0 - share) * ripple, 3)
        kept = self._kept(utc_day)
        return times[kept], hertz[kept]

    def _encode(self, utc_day: int) -> bytes:
        times, hertz = self._day(utc_day)
        zulu = int(day_text(utc_day)[:4]) >= ZULU_FROM
        letters = np.empty((len(times), 28 if zulu else 27), dtype=np.uint8)
        letters[:, :10] = np.frombuffer(day_text(utc_day).encode(), dtype=np.uint8)
        letters[:, 10] = ord("T" if zulu else " ")
        letters[:, 11:19] = _clock()[times - utc_day * DAY_S]
        tail = np.frombuffer(b"Z,00.000\n" if zulu else b",00.000\n", dtype=np.uint8)
        letters[:, 19:] = tail
        first = 21 if zulu else 20
        left = np.round(hertz * 1_000.0).astype(np.int64)
        for place in (5, 4, 3, 1, 0):
            letters[:, first + place] = left % 10 + ord("0")
            left //= 10
        return letters.tobytes()


def month_of(instant: int) -> int:
    """Return the month that holds an instant, counted from January of year 0."""
    year, month = map(int, day_text(instant // DAY_S).split("-")[:2])
    return year * 12 + month - 1


def month_days(month: int) -> tuple[int, int]:
    """Return the first day of a month and that of the next."""
    first, end = (day_number(date(m // 12, m % 12 + 1, 1)) for m in (month, month + 1))
    return first, end


def published_at(month: int) -> int:
    """Return the instant at which a month's file appears."""
    return month_days(month)[1] * DAY_S + _PUBLISHED_S


def months(now: int) -> range:
    """Return the months whose files are there at `now`."""
    newest = month_of(now) - 1
    if published_at(newest) > now:
        newest -= 1
    return range(FIRST_YEAR * 12, newest + 1)


def published_to(now: int) -> int:
    """Return the instant up to which seconds are published at `now`."""
    there = months(now)
    return month_days(there[-1])[1] * DAY_S if there else HISTORY_STARTS


def _width(month: int) -> int:
    return 28 if month // 12 >= ZULU_FROM else 27


@lru_cache(maxsize=1)
def _clock() -> NDArray[np.uint8]:
    """Return HH:MM:SS of every second of a day, a row of letters each."""
    seconds = np.arange(DAY_S)
    letters = np.tile(np.frombuffer(b"00:00:00", dtype=np.uint8), (DAY_S, 1))
    for place, numbers in ((0, seconds // 3_600), (3, seconds // 60 % 60), (6, seconds % 60)):
        letters[:, place] += (numbers // 10).astype(np.uint8)
        letters[:, place + 1] += (numbers % 10).astype(np.uint8)
    return letters
