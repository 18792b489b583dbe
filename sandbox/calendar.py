"""The sandbox's own clocks: British settlement days and periods, Central European market days.

It shares nothing with the project and uses no time zone database, so that an error in either is
seen when the two meet. Instants are whole seconds since 1970-01-01T00:00:00Z, settlement days are
counted in days since 1970-01-01, periods are numbered from 1. Good for 1996 to 2099: before that,
Britain's rule was another one.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Instants = NDArray[np.int64]

FIRST_YEAR, LAST_YEAR = 1996, 2099
DAY_S = 86_400
PERIOD_S = 1_800
PERIODS_AT_MOST = 50
_EPOCH = date(1970, 1, 1)


def last_sunday(year: int, month: int) -> date:
    """Return the last Sunday of a month that has 31 days (March and October do)."""
    last = date(year, month, 31)
    return last.replace(day=31 - (last.weekday() + 1) % 7)


def day_number(day: date) -> int:
    """Return the days from 1970-01-01 to `day`."""
    return (day - _EPOCH).days


def _changes() -> Instants:
    days = [
        last_sunday(year, month) for year in range(FIRST_YEAR, LAST_YEAR + 1) for month in (3, 10)
    ]
    return np.array([day_number(day) * DAY_S + 3_600 for day in days], dtype=np.int64)


# Starts and ends of summer time in turn: after an odd number of them it is summer.
_CHANGES = _changes()
FIRST_INSTANT = day_number(date(FIRST_YEAR, 1, 2)) * DAY_S
LAST_INSTANT = day_number(date(LAST_YEAR, 12, 30)) * DAY_S


def utc_offset(instants: Instants) -> Instants:
    """Return how far British time is ahead of UTC at each instant, in seconds (0 or 3600)."""
    passed = np.searchsorted(_CHANGES, instants, side="right")
    return (passed % 2).astype(np.int64) * 3_600


def day_start(days: Instants) -> Instants:
    """Return the instant of British midnight at the start of each settlement day."""
    # Clocks change at 01:00 UTC, never between the two possible midnights, 23:00 and 00:00 UTC.
    midnights = days * DAY_S
    return midnights - utc_offset(midnights)


def settlement_day(instants: Instants) -> Instants:
    """Return the settlement day (days since 1970-01-01) that holds each instant."""
    return (instants + utc_offset(instants)) // DAY_S


def settlement_period(instants: Instants) -> Instants:
    """Return the settlement period (1 to 46, 48 or 50) that holds each instant."""
    return (instants - day_start(settlement_day(instants))) // PERIOD_S + 1


def market_offset(instants: Instants) -> Instants:
    """Return how far Central European time is ahead of UTC at each instant (3600 or 7200)."""
    # All of Europe changes its clocks at the same instant, 01:00 UTC.
    return utc_offset(instants) + 3_600


def market_day(instants: Instants) -> Instants:
    """Return the CET/CEST day (days since 1970-01-01) that holds each instant."""
    return (instants + market_offset(instants)) // DAY_S


def market_day_start(days: Instants) -> Instants:
    """Return the instant of CET/CEST midnight at the start of each market day."""
    # 22:00 or 23:00 UTC of the day before; the clocks change neither between nor at them.
    midnights = days * DAY_S
    return midnights - market_offset(midnights - 3_600)


def market_day_of(instant: int) -> int:
    """Return the market day that holds one instant."""
    return int(market_day(one(instant))[0])


def start_of_market_day(day: int) -> int:
    """Return the instant at which one market day starts."""
    return int(market_day_start(one(day))[0])


def one(number: int) -> Instants:
    """Return a single instant or day as the array that the functions of this module take."""
    return np.array([number], dtype=np.int64)


def start_of_day(day: int) -> int:
    """Return the instant at which one settlement day starts."""
    return int(day_start(one(day))[0])


def day_of(instant: int) -> int:
    """Return the settlement day that holds one instant."""
    return int(settlement_day(one(instant))[0])


def periods_in_day(day: int) -> int:
    """Return how many settlement periods a settlement day has: 46, 48 or 50."""
    return (start_of_day(day + 1) - start_of_day(day)) // PERIOD_S


def period_start(day: int, period: int) -> int:
    """Return the instant at which a settlement period starts; the period must exist that day."""
    if not 1 <= period <= periods_in_day(day):
        raise ValueError(f"settlement day {day_text(day)} has no period {period}")
    return start_of_day(day) + (period - 1) * PERIOD_S


@lru_cache(maxsize=8192)
def day_text(day: int) -> str:
    """Return a settlement day as `YYYY-MM-DD`."""
    return date.fromordinal(_EPOCH.toordinal() + day).isoformat()


def instant_texts(instants: Instants) -> list[str]:
    """Return instants as `YYYY-MM-DDTHH:MM:SSZ`."""
    if not len(instants):
        return []
    # Formatting each instant on its own costs more than all else: the digits are looked up.
    days = instants // DAY_S
    first = int(days.min())
    letters = np.empty((len(instants), 20), dtype=np.uint8)
    letters[:, :10] = _date_letters(first, int(days.max()))[days - first]
    letters[:, 10:] = _clock_letters()[instants - days * DAY_S]
    text = letters.tobytes().decode("ascii")
    return [text[at : at + 20] for at in range(0, len(text), 20)]


def day_texts(days: Instants) -> list[str]:
    """Return settlement days as `YYYY-MM-DD`."""
    return [day_text(day) for day in days.tolist()]


def _date_letters(first: int, last: int) -> NDArray[np.uint8]:
    text = "".join(day_text(day) for day in range(first, last + 1))
    return np.frombuffer(text.encode("ascii"), dtype=np.uint8).reshape(-1, 10)


@lru_cache(maxsize=1)
def _clock_letters() -> NDArray[np.uint8]:
    seconds = np.arange(DAY_S)
    letters = np.tile(np.frombuffer(b"T00:00:00Z", dtype=np.uint8), (DAY_S, 1))
    for place, numbers in ((1, seconds // 3_600), (4, seconds // 60 % 60), (7, seconds % 60)):
        letters[:, place] += (numbers // 10).astype(np.uint8)
        letters[:, place + 1] += (numbers % 10).astype(np.uint8)
    return letters


_DATETIME = re.compile(
    r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,7})?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII
)


def parse_datetime(text: str) -> datetime:
    """Read a date or datetime as the APIs accept it, a missing offset meaning UTC.

    Raises ValueError for any other form. The answer is an aware datetime in UTC.
    """
    match = _DATETIME.fullmatch(text)
    if match is None:
        raise ValueError(f"not a datetime: {text!r}")
    if match.group(3) and len(match.group(3)) > 7:
        text = text.replace(match.group(3), match.group(3)[:7])
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def to_instant(moment: str | datetime) -> int:
    """Return a datetime (or its text) as whole epoch seconds, rounding down."""
    if isinstance(moment, str):
        moment = parse_datetime(moment)
    if moment.tzinfo is None:
        raise ValueError("a datetime needs a time zone")
    return int(moment.timestamp() // 1)
