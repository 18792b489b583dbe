"""The German clock of the VPP files: Berlin days, quarter hours and the spellings of a time.

It shares nothing with the project and uses no time zone database. Instants are whole seconds since
1970-01-01T00:00:00Z, days are counted in days since 1970-01-01.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

from sandbox.calendar import DAY_S, day_number, last_sunday

HOUR_S = 3_600
QUARTER_S = 900
ZONES = ("UTC", "Europe/Berlin")


@lru_cache(maxsize=256)
def _summer(year: int) -> tuple[int, int]:
    march, october = (day_number(last_sunday(year, month)) * DAY_S for month in (3, 10))
    return march + HOUR_S, october + HOUR_S


def berlin_offset(instant: int) -> int:
    """Return how far Berlin is ahead of UTC at an instant, in seconds (3600 or 7200)."""
    first, last = _summer(moment(instant).year)
    return 2 * HOUR_S if first <= instant < last else HOUR_S


def day_start(day: int, zone: str = "UTC") -> int:
    """Return the instant at which a day of a zone (one of ZONES) starts."""
    if zone not in ZONES:
        raise ValueError(f"no delivery zone {zone!r}; known: {', '.join(ZONES)}")
    if zone == "UTC":
        return day * DAY_S
    # Clocks change at 01:00 UTC, after either of the two possible midnights, 22:00 and 23:00 UTC.
    return day * DAY_S - berlin_offset(day * DAY_S - 2 * HOUR_S)


def quarter_hours(day: int, zone: str = "UTC") -> range:
    """Return the starts of the quarter hours of a delivery day: 92, 96 or 100 of them."""
    return range(day_start(day, zone), day_start(day + 1, zone), QUARTER_S)


def moment(instant: int) -> datetime:
    """Return an instant as an aware datetime in UTC."""
    return datetime.fromtimestamp(instant, UTC)


def berlin(instant: int) -> datetime:
    """Return an instant as an aware datetime with the offset of Berlin."""
    offset = timezone(timedelta(seconds=berlin_offset(instant)))
    return datetime.fromtimestamp(instant, offset)


def day_date(day: int) -> date:
    """Return a day number as a date."""
    return moment(day * DAY_S).date()


def iso_z(instant: int) -> str:
    """Return `2024-10-27T00:30:00Z`."""
    return f"{moment(instant):%Y-%m-%dT%H:%M:%SZ}"


def compact(instant: int) -> str:
    """Return `20241027T003000Z`, which a file name can hold on every system."""
    return f"{moment(instant):%Y%m%dT%H%M%SZ}"


def utc_text(instant: int) -> str:
    """Return `2024-10-27 00:30:00 UTC`, the spelling of the grid operators' files."""
    return f"{moment(instant):%Y-%m-%d %H:%M:%S} UTC"


def day_text(day: int) -> str:
    """Return a day number as `20241027`."""
    return f"{day_date(day):%Y%m%d}"
