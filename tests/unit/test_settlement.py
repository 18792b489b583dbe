"""The settlement calendar against published rows and a calendar made of rules alone."""

from __future__ import annotations

import unittest
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache

import pandas as pd

from domain.errors import UsageError
from domain.settlement import (
    day_window,
    days_in,
    days_window,
    efa_block,
    parse_day,
    parse_range,
    period_grid,
    period_window,
    periods_in,
    settlement_columns,
    settlement_date,
    settlement_period,
)
from domain.windows import Window, parse_instant

HALF_HOUR = timedelta(minutes=30)
ONE_DAY = timedelta(days=1)

# Reference, section 4: UTC instant, settlement date and period, EFA date and block.
PUBLISHED = (
    ("2025-01-15T00:00:00", "2025-01-15", 1, "2025-01-15", 1),
    ("2025-01-15T23:59:59", "2025-01-15", 48, "2025-01-16", 1),
    ("2025-07-01T22:59:45", "2025-07-01", 48, "2025-07-02", 1),
    ("2025-07-01T23:00:00", "2025-07-02", 1, "2025-07-02", 1),
    ("2025-03-30T00:59:59", "2025-03-30", 2, "2025-03-30", 1),
    ("2025-03-30T01:00:00", "2025-03-30", 3, "2025-03-30", 1),
    ("2025-03-30T22:30:00", "2025-03-30", 46, "2025-03-31", 1),
    ("2025-10-25T23:00:00", "2025-10-26", 1, "2025-10-26", 1),
    ("2025-10-26T00:30:00", "2025-10-26", 4, "2025-10-26", 1),
    ("2025-10-26T01:00:00", "2025-10-26", 5, "2025-10-26", 1),
    ("2025-10-26T23:30:00", "2025-10-26", 50, "2025-10-27", 1),
    ("2019-08-09T15:53:49", "2019-08-09", 34, "2019-08-09", 5),
)


@cache
def last_sunday(year: int, month: int) -> date:
    """March and October both have 31 days."""
    last = date(year, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def at(day: date, hour: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def wall_clock(instant: datetime) -> datetime:
    """British local time without a zone: an hour ahead between the two last Sundays, 01:00 UTC."""
    begin, end = at(last_sunday(instant.year, 3), 1), at(last_sunday(instant.year, 10), 1)
    ahead = timedelta(hours=1) if begin <= instant < end else timedelta()
    return instant.replace(tzinfo=None) + ahead


def local_midnight(day: date) -> datetime:
    return next(
        each
        for each in (at(day) - timedelta(hours=1), at(day))
        if wall_clock(each) == datetime(day.year, day.month, day.day)
    )


def half_hours(first: date, last: date) -> Iterator[tuple[datetime, date, int]]:
    """Walk the days: each half hour with its settlement day and a counter that starts anew at 1."""
    instant, counter = local_midnight(first), 0
    day = first
    while True:
        here = wall_clock(instant).date()
        if here > last:
            return
        counter = 1 if here != day else counter + 1
        day = here
        yield instant, day, counter
        instant += HALF_HOUR


def changes() -> Iterator[tuple[date, int]]:
    for year in range(2016, 2028):
        yield last_sunday(year, 3), 46
        yield last_sunday(year, 10), 50


class PublishedRows(unittest.TestCase):
    def test_every_row_of_the_reference(self) -> None:
        for text, day, period, efa_day, block in PUBLISHED:
            instant = datetime.fromisoformat(text).replace(tzinfo=UTC)
            with self.subTest(instant=text):
                self.assertEqual(settlement_date(instant), date.fromisoformat(day))
                self.assertEqual(settlement_period(instant), period)
                self.assertEqual(efa_block(instant), (date.fromisoformat(efa_day), block))

    def test_every_row_of_the_reference_as_columns(self) -> None:
        times = pd.Series(pd.to_datetime([row[0] for row in PUBLISHED], utc=True))
        columns = settlement_columns(times)
        days = [f"{day:%Y-%m-%d}" for day in columns["settlement_date"]]
        self.assertEqual(days, [row[1] for row in PUBLISHED])
        self.assertEqual(list(columns["settlement_period"]), [row[2] for row in PUBLISHED])

    def test_the_rule_gives_the_dates_known_from_elsewhere(self) -> None:
        self.assertEqual(last_sunday(2024, 3), date(2024, 3, 31))
        self.assertEqual(last_sunday(2024, 10), date(2024, 10, 27))
        self.assertEqual(last_sunday(2025, 3), date(2025, 3, 30))
        self.assertEqual(last_sunday(2025, 10), date(2025, 10, 26))


class EveryClockChange(unittest.TestCase):
    def test_days_have_46_48_or_50_periods(self) -> None:
        for change, periods in changes():
            for shift in (-1, 0, 1):
                day = change + shift * ONE_DAY
                with self.subTest(day=day):
                    self.assertEqual(periods_in(day), 48 if shift else periods)
                    window = day_window(day)
                    self.assertEqual(window.start, local_midnight(day))
                    self.assertEqual(window.end, local_midnight(day + ONE_DAY))

    def test_every_half_hour_of_the_three_days(self) -> None:
        for change, _ in changes():
            with self.subTest(change=change):
                for instant, day, period in half_hours(change - ONE_DAY, change + ONE_DAY):
                    self.assertEqual(settlement_date(instant), day)
                    self.assertEqual(settlement_period(instant), period)
                    last_moment = instant + HALF_HOUR - timedelta(microseconds=1)
                    self.assertEqual(settlement_period(last_moment), period)
                    self.assertEqual(
                        period_window(day, period), Window(instant, instant + HALF_HOUR)
                    )
                    shifted = wall_clock(instant) + timedelta(hours=1)
                    block = (shifted.date(), shifted.hour // 4 + 1)
                    self.assertEqual(efa_block(instant), block)

    def test_the_grid_and_the_columns_agree_with_the_walk(self) -> None:
        for change, _ in changes():
            first, last = change - ONE_DAY, change + ONE_DAY
            expected = list(half_hours(first, last))
            grid = period_grid(days_window(first, last))
            with self.subTest(change=change):
                self.assertEqual(rows(grid), expected)
                times = pd.Series([i for i, _, _ in expected], dtype="datetime64[us, UTC]")
                columns = pd.DataFrame({"period_start": times, **settlement_columns(times)})
                self.assertEqual(rows(columns), expected)

    def test_block_1_lasts_three_hours_in_march_and_five_in_october(self) -> None:
        for change, periods in changes():
            blocks = [
                efa_block(instant)
                for instant, _, _ in half_hours(change - ONE_DAY, change + ONE_DAY)
            ]
            with self.subTest(change=change):
                self.assertEqual(blocks.count((change, 1)), {46: 6, 50: 10}[periods])
                self.assertEqual(blocks.count((change, 2)), 8)


def rows(frame: pd.DataFrame) -> list[tuple[datetime, date, int]]:
    return list(
        zip(
            frame["period_start"].dt.to_pydatetime(),
            frame["settlement_date"].dt.date,
            frame["settlement_period"].tolist(),
            strict=True,
        )
    )


class PeriodGrid(unittest.TestCase):
    def test_only_periods_that_start_in_the_window(self) -> None:
        window = parse_range("2024-10-27T00:10Z", "2024-10-27T01:40Z")
        self.assertEqual(
            rows(period_grid(window)),
            [
                (parse_instant("2024-10-27T00:30:00Z"), date(2024, 10, 27), 4),
                (parse_instant("2024-10-27T01:00:00Z"), date(2024, 10, 27), 5),
                (parse_instant("2024-10-27T01:30:00Z"), date(2024, 10, 27), 6),
            ],
        )

    def test_a_window_within_one_period_has_none(self) -> None:
        window = parse_range("2024-10-27T00:10Z", "2024-10-27T00:20Z")
        self.assertEqual(rows(period_grid(window)), [])

    def test_dtypes_are_those_of_tables(self) -> None:
        grid = period_grid(parse_range("2024-10-27"))
        self.assertEqual(str(grid["period_start"].dtype), "datetime64[us, UTC]")
        self.assertEqual(str(grid["settlement_date"].dtype), "datetime64[s]")
        self.assertEqual(str(grid["settlement_period"].dtype), "int64")


class PeriodWindow(unittest.TestCase):
    def test_first_and_last_period_of_the_long_day(self) -> None:
        day = date(2025, 10, 26)
        self.assertEqual(str(period_window(day, 1)), "2025-10-25T23:00:00Z/2025-10-25T23:30:00Z")
        self.assertEqual(str(period_window(day, 50)), "2025-10-26T23:30:00Z/2025-10-27T00:00:00Z")

    def test_a_period_the_day_does_not_have_is_refused(self) -> None:
        for day, period in (
            (date(2025, 10, 26), 51),
            (date(2025, 3, 30), 47),
            (date(2025, 1, 15), 49),
            (date(2025, 1, 15), 0),
            (date(2025, 1, 15), -1),
        ):
            with self.subTest(day=day, period=period), self.assertRaises(UsageError) as caught:
                period_window(day, period)
            self.assertIn(str(period), str(caught.exception))


class DaysIn(unittest.TestCase):
    def test_every_day_the_window_touches(self) -> None:
        for start, end, days in (
            ("2024-10-26T23:00Z", "2024-10-28T00:00Z", ["2024-10-27"]),
            ("2024-10-26T22:59Z", "2024-10-28T00:00Z", ["2024-10-26", "2024-10-27"]),
            ("2024-10-26T23:00Z", "2024-10-28T00:01Z", ["2024-10-27", "2024-10-28"]),
            ("2024-03-31T22:59Z", "2024-03-31T23:00Z", ["2024-03-31"]),
            ("2024-03-31T23:00Z", "2024-03-31T23:30Z", ["2024-04-01"]),
            ("2024-02-28T12:00Z", "2024-03-01T12:00Z", ["2024-02-28", "2024-02-29", "2024-03-01"]),
        ):
            with self.subTest(start=start, end=end):
                window = Window(parse_instant(start), parse_instant(end))
                self.assertEqual([str(day) for day in days_in(window)], days)

    def test_days_window_holds_whole_days(self) -> None:
        window = days_window(date(2024, 3, 30), date(2024, 3, 31))
        self.assertEqual(str(window), "2024-03-30T00:00:00Z/2024-03-31T23:00:00Z")


class ParseRange(unittest.TestCase):
    def test_days_are_settlement_days_both_included(self) -> None:
        self.assertEqual(
            str(parse_range("2024-03-30", "2024-03-31")),
            "2024-03-30T00:00:00Z/2024-03-31T23:00:00Z",
        )
        self.assertEqual(
            str(parse_range("2024-10-26", "2024-10-27")),
            "2024-10-25T23:00:00Z/2024-10-28T00:00:00Z",
        )

    def test_one_day_alone_is_that_day(self) -> None:
        self.assertEqual(
            str(parse_range("2024-07-01")), "2024-06-30T23:00:00Z/2024-07-01T23:00:00Z"
        )

    def test_instants_are_utc_and_the_end_is_excluded(self) -> None:
        window = parse_range("2024-07-01T10:00", "2024-07-01T11:00Z")
        self.assertEqual(window, Window(at(date(2024, 7, 1), 10), at(date(2024, 7, 1), 11)))
        self.assertNotIn(at(date(2024, 7, 1), 11), window)

    def test_offsets_are_turned_into_utc(self) -> None:
        window = parse_range("2024-07-01T11:00+01:00", "2024-07-01T06:30-05:00")
        self.assertEqual(str(window), "2024-07-01T10:00:00Z/2024-07-01T11:30:00Z")

    def test_a_day_and_an_instant_may_be_mixed(self) -> None:
        self.assertEqual(
            str(parse_range("2024-07-01", "2024-07-01T12:00Z")),
            "2024-06-30T23:00:00Z/2024-07-01T12:00:00Z",
        )
        self.assertEqual(
            str(parse_range("2024-07-01T12:00Z", "2024-07-02")),
            "2024-07-01T12:00:00Z/2024-07-02T23:00:00Z",
        )

    def test_a_lone_instant_is_refused(self) -> None:
        with self.assertRaisesRegex(UsageError, "2024-07-01T12:00Z"):
            parse_range("2024-07-01T12:00Z")

    def test_reversed_or_empty_is_refused(self) -> None:
        for start, end in (
            ("2024-07-02", "2024-07-01"),
            ("2024-07-01T12:00Z", "2024-07-01T12:00Z"),
            ("2024-07-01T12:00Z", "2024-07-01T11:59Z"),
            ("2024-07-02", "2024-07-01T12:00Z"),
        ):
            with self.subTest(start=start, end=end), self.assertRaisesRegex(UsageError, start):
                parse_range(start, end)

    def test_malformed_texts_are_refused_and_named(self) -> None:
        for text in (
            "yesterday", "", "2024-13-01", "2023-02-29", "2024-10-32", "27/10/2024", "2024-7-1",
            "2024", "2024-10", "2024-10-27T25:00Z", "2024-10-27T10:00Q", "10:00",
        ):  # fmt: skip
            for pair in ((text, "2024-12-31"), ("1999-01-01", text)):
                with self.subTest(pair=pair), self.assertRaises(UsageError) as caught:
                    parse_range(*pair)
                self.assertIn(f"'{text}'", str(caught.exception))

    def test_a_day_is_written_in_one_way(self) -> None:
        self.assertEqual(parse_day("2024-10-27"), date(2024, 10, 27))
        for text in ("20241027", "2024-W43-7", "2024W437"):
            with self.subTest(text=text), self.assertRaises(UsageError):
                parse_day(text)

    def test_outside_1990_to_2100_is_refused(self) -> None:
        for text in ("1989-12-31", "2101-01-01", "0001-01-01", "9999-12-31"):
            with self.subTest(text=text), self.assertRaisesRegex(UsageError, "1990 to 2100"):
                parse_range(text, text)
            with self.subTest(text=text), self.assertRaisesRegex(UsageError, "1990 to 2100"):
                parse_range(f"{text}T00:00Z", f"{text}T01:00Z")
        self.assertEqual(periods_in(parse_day("1990-01-01")), 48)
        self.assertEqual(days_in(parse_range("2100-12-31")), [date(2100, 12, 31)])


class Windows(unittest.TestCase):
    def test_other_zones_naive_ends_and_reversed_ends_are_refused(self) -> None:
        noon = at(date(2024, 7, 1), 12)
        summer = timezone(timedelta(hours=1))
        for start, end in (
            (noon.astimezone(summer), noon + ONE_DAY),
            (noon.replace(tzinfo=None), noon.replace(tzinfo=None) + ONE_DAY),
            (noon, noon),
            (noon, noon - HALF_HOUR),
        ):
            with self.subTest(start=start, end=end), self.assertRaises(ValueError):
                Window(start, end)

    def test_pieces_lose_and_double_nothing(self) -> None:
        window = parse_range("2024-10-25", "2024-10-29")
        pieces = list(window.pieces(timedelta(days=2)))
        self.assertEqual(pieces[0].start, window.start)
        self.assertEqual(pieces[-1].end, window.end)
        self.assertEqual([p.end for p in pieces[:-1]], [p.start for p in pieces[1:]])
        self.assertEqual([p.hours for p in pieces], [48.0, 48.0, 25.0])

    def test_common_part(self) -> None:
        one = parse_range("2024-07-01T00:00Z", "2024-07-01T12:00Z")
        two = parse_range("2024-07-01T06:00Z", "2024-07-01T18:00Z")
        after = parse_range("2024-07-01T12:00Z", "2024-07-01T13:00Z")
        self.assertEqual(str(one.common(two)), "2024-07-01T06:00:00Z/2024-07-01T12:00:00Z")
        self.assertIsNone(one.common(after))


if __name__ == "__main__":
    unittest.main()
