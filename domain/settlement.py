"""The British settlement calendar: days, periods, EFA blocks, clock changes.

A settlement day is a local day in Europe/London; its periods are half hours of *elapsed* time from
local midnight, so there are 46 on the short day in March and 50 on the long day in October. EFA
days run from 23:00 to 23:00 local in six blocks that follow the wall clock (block 1 lasts 3 hours
in March and 5 in October).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from domain.errors import UsageError
from domain.windows import Window, parse_instant

if TYPE_CHECKING:
    import pandas as pd

LONDON = ZoneInfo("Europe/London")
PERIOD = timedelta(minutes=30)
QUARTER, QUARTER_H = timedelta(minutes=15), 0.25
ONE_DAY = timedelta(days=1)


def day_window(day: date, clock: tzinfo = LONDON) -> Window:
    """The UTC window of one settlement day, or of the day of another clock.

    >>> print(day_window(date(2024, 10, 27)))
    2024-10-26T23:00:00Z/2024-10-28T00:00:00Z
    """
    return Window(_midnight(day, clock), _midnight(day + ONE_DAY, clock))


def _midnight(day: date, clock: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=clock).astimezone(UTC)


def periods_in(day: date) -> int:
    """How many settlement periods the day has: 46, 48 or 50."""
    return day_window(day).length // PERIOD


def settlement_date(instant: datetime) -> date:
    """The settlement day that holds the instant."""
    return instant.astimezone(LONDON).date()


def settlement_period(instant: datetime) -> int:
    """The settlement period (from 1) that holds the instant, counted in elapsed half hours.

    >>> settlement_period(datetime(2025, 10, 26, 1, 0, tzinfo=UTC))
    5
    """
    return (instant - day_window(settlement_date(instant)).start) // PERIOD + 1


def period_window(day: date, period: int) -> Window:
    """The UTC window of one settlement period; UsageError where the day has no such period."""
    if not 1 <= period <= periods_in(day):
        raise UsageError(f"{day} has settlement periods 1 to {periods_in(day)}, not {period}.")
    start = day_window(day).start + (period - 1) * PERIOD
    return Window(start, start + PERIOD)


def efa_block(instant: datetime) -> tuple[date, int]:
    """The EFA date and block (1 to 6) of an instant, by the local wall clock.

    >>> efa_block(datetime(2019, 8, 9, 15, 53, 49, tzinfo=UTC))
    (datetime.date(2019, 8, 9), 5)
    """
    wall = instant.astimezone(LONDON).replace(tzinfo=None) + timedelta(hours=1)
    return wall.date(), wall.hour // 4 + 1


def days_in(window: Window, clock: tzinfo = LONDON) -> list[date]:
    """Every settlement day, or day of another clock, that the window touches, in order."""
    first = window.start.astimezone(clock).date()
    last = (window.end - timedelta(microseconds=1)).astimezone(clock).date()
    return [first + ONE_DAY * n for n in range((last - first).days + 1)]


def days_window(first: date, last: date, clock: tzinfo = LONDON) -> Window:
    """The window of the days ``first`` to ``last``, both included."""
    return Window(day_window(first, clock).start, day_window(last, clock).end)


def month_window(day: date, clock: tzinfo = LONDON) -> Window:
    """The window of the whole month that a day of the clock lies in.

    >>> print(month_window(date(2024, 3, 31)))
    2024-03-01T00:00:00Z/2024-03-31T23:00:00Z
    """
    first = day.replace(day=1)
    return days_window(first, (first + 31 * ONE_DAY).replace(day=1) - ONE_DAY, clock)


def period_grid(window: Window) -> pd.DataFrame:
    """The settlement periods that start in the window.

    Returns one row a period: ``period_start`` (UTC), ``settlement_date`` (midnight, no zone) and
    ``settlement_period``.
    """
    import pandas as pd

    anchor = day_window(settlement_date(window.start)).start
    first = anchor - (anchor - window.start) // PERIOD * PERIOD
    starts = pd.Series(
        pd.date_range(first, window.end, freq="30min", inclusive="left", unit="us"),
        name="period_start",
    )
    return pd.DataFrame({"period_start": starts, **settlement_columns(starts)})


def quarter_hours(window: Window) -> pd.DatetimeIndex:
    """The starts (UTC) of the quarter hours of a window that begins on one."""
    import pandas as pd

    return pd.date_range(window.start, window.end, freq="15min", inclusive="left", unit="us")


def local_dates(times: pd.Series[pd.Timestamp], clock: tzinfo) -> pd.Series:
    """The day of the clock (midnight, no zone) that each UTC time lies in."""
    wall = times.dt.tz_convert(clock).dt.tz_localize(None)
    days: pd.Series = wall.dt.normalize().astype("datetime64[s]")
    return days


def settlement_columns(times: pd.Series[pd.Timestamp]) -> dict[str, pd.Series]:
    """``settlement_date`` and ``settlement_period`` of a column of UTC times."""
    midnight = times.dt.tz_convert("Europe/London").dt.normalize()
    elapsed = times - midnight.dt.tz_convert("UTC")
    return {
        "settlement_date": midnight.dt.tz_localize(None).astype("datetime64[s]"),
        "settlement_period": elapsed // PERIOD + 1,
    }


def efa_columns(times: pd.Series[pd.Timestamp]) -> dict[str, pd.Series]:
    """``efa_date`` and ``efa_block`` of a column of UTC times, by the local wall clock."""
    import pandas as pd

    wall = times.dt.tz_convert("Europe/London").dt.tz_localize(None) + pd.Timedelta(hours=1)
    return {
        "efa_date": wall.dt.normalize().astype("datetime64[s]"),
        "efa_block": (wall.dt.hour // 4 + 1).astype("int64"),
    }


def period_starts(dates: pd.Series, periods: pd.Series) -> pd.Series:
    """The start (UTC) of settlement periods, given by a column of days (texts or dates) and one of numbers."""
    import pandas as pd

    days = dates.astype(str).str[:10]
    known = {day: day_window(date.fromisoformat(day)).start for day in days.unique()}
    return days.map(known).astype("datetime64[us, UTC]") + pd.to_timedelta(
        (periods - 1) * 30, "min"
    )


def parse_day(text: str) -> date:
    """Read ``YYYY-MM-DD`` (1990 to 2100); UsageError for anything else."""
    try:
        if len(text) != 10:  # other ISO forms of a date are easily mistaken
            raise ValueError
        day = datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise UsageError(f"'{text}' is not a day: write it as 2024-10-27.") from None
    if not 1990 <= day.year <= 2100:
        raise UsageError(f"{text} lies outside 1990 to 2100, where there is nothing to ask for.")
    return day


def parse_range(start: str, end: str | None = None) -> Window:
    """The window between two texts: days are settlement days, both included; instants are UTC.

    ``end`` defaults to ``start`` where that is a day. Raises UsageError for a malformed or reversed
    pair.

    >>> print(parse_range("2024-03-31", "2024-03-31"))
    2024-03-31T00:00:00Z/2024-03-31T23:00:00Z
    >>> print(parse_range("2024-03-31T10:00Z", "2024-03-31T11:00Z"))
    2024-03-31T10:00:00Z/2024-03-31T11:00:00Z
    """
    if end is None:
        if not _is_day(start):
            raise UsageError(f"'{start}' is an instant: say where the window ends too.")
        end = start
    begin = day_window(parse_day(start)).start if _is_day(start) else parse_instant(start)
    finish = day_window(parse_day(end)).end if _is_day(end) else parse_instant(end)
    if finish <= begin:
        raise UsageError(f"the range is reversed or empty: {start} comes after {end}.")
    return Window(begin, finish)


def _is_day(text: str) -> bool:
    return len(text) <= 10 and ":" not in text
