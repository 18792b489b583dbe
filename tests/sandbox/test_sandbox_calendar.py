"""The sandbox's own calendar against the time zone database, around every clock change."""

import unittest
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from sandbox import calendar

LONDON = ZoneInfo("Europe/London")
YEARS = range(2016, 2028)
# Published by the government for 2016 to 2027: start and end of summer time, day of the month.
CHANGE_DAYS = {
    2016: (27, 30),
    2017: (26, 29),
    2018: (25, 28),
    2019: (31, 27),
    2020: (29, 25),
    2021: (28, 31),
    2022: (27, 30),
    2023: (26, 29),
    2024: (31, 27),
    2025: (30, 26),
    2026: (29, 25),
    2027: (28, 31),
}


def change_days() -> list[tuple[date, int]]:
    """Every day of a clock change with the number of its periods."""
    found = []
    for year, (march, october) in CHANGE_DAYS.items():
        found += [(date(year, 3, march), 46), (date(year, 10, october), 50)]
    return found


def midnight(day: date) -> datetime:
    """British midnight at the start of a day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=LONDON).astimezone(UTC)


class ClockChanges(unittest.TestCase):
    def test_last_sundays(self) -> None:
        for year, (march, october) in CHANGE_DAYS.items():
            with self.subTest(year=year):
                self.assertEqual(calendar.last_sunday(year, 3), date(year, 3, march))
                self.assertEqual(calendar.last_sunday(year, 10), date(year, 10, october))

    def test_days_around_every_change(self) -> None:
        for change, periods in change_days():
            for shift in (-2, -1, 0, 1, 2):
                day = change + timedelta(days=shift)
                number = calendar.day_number(day)
                expected = periods if shift == 0 else 48
                with self.subTest(day=day):
                    self.assertEqual(calendar.periods_in_day(number), expected)
                    self.assertEqual(calendar.start_of_day(number), midnight(day).timestamp())

    def test_every_half_hour_around_every_change(self) -> None:
        for change, _ in change_days():
            first = datetime(change.year, change.month, change.day, tzinfo=UTC) - timedelta(days=1)
            moments = [first + timedelta(minutes=30 * n) for n in range(3 * 48)]
            instants = np.array([int(m.timestamp()) for m in moments], dtype=np.int64)
            local = [m.astimezone(LONDON) for m in moments]
            starts = [midnight(each.date()) for each in local]
            with self.subTest(change=change):
                self.assertEqual(
                    calendar.utc_offset(instants).tolist(),
                    [round((each.utcoffset() or timedelta()).total_seconds()) for each in local],
                )
                self.assertEqual(
                    calendar.day_texts(calendar.settlement_day(instants)),
                    [each.date().isoformat() for each in local],
                )
                self.assertEqual(
                    calendar.settlement_period(instants).tolist(),
                    [
                        (m - start) // timedelta(minutes=30) + 1
                        for m, start in zip(moments, starts, strict=True)
                    ],
                )

    def test_last_second_before_a_change(self) -> None:
        spring = int(datetime(2024, 3, 31, 1, tzinfo=UTC).timestamp())
        offsets = calendar.utc_offset(np.array([spring - 1, spring], dtype=np.int64))
        self.assertEqual(offsets.tolist(), [0, 3600])
        autumn = int(datetime(2024, 10, 27, 1, tzinfo=UTC).timestamp())
        offsets = calendar.utc_offset(np.array([autumn - 1, autumn], dtype=np.int64))
        self.assertEqual(offsets.tolist(), [3600, 0])

    def test_there_and_back(self) -> None:
        for change, periods in change_days():
            day = calendar.day_number(change)
            for period in range(1, periods + 1):
                instant = calendar.period_start(day, period)
                self.assertEqual(calendar.day_of(instant), day)
                place = calendar.settlement_period(calendar.one(instant)).tolist()
                self.assertEqual(place, [period])
            with self.assertRaises(ValueError):
                calendar.period_start(day, periods + 1)


class Texts(unittest.TestCase):
    def test_instants(self) -> None:
        moments = [
            datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC),
            datetime(2016, 1, 1, tzinfo=UTC),
            datetime(2027, 12, 31, 9, 8, 7, tzinfo=UTC),
        ]
        instants = np.array([int(m.timestamp()) for m in moments], dtype=np.int64)
        expected = ["2024-02-29T23:59:59Z", "2016-01-01T00:00:00Z", "2027-12-31T09:08:07Z"]
        self.assertEqual(calendar.instant_texts(instants), expected)
        self.assertEqual(calendar.instant_texts(instants[:0]), [])

    def test_accepted_forms(self) -> None:
        noon = datetime(2026, 5, 6, 12, tzinfo=UTC)
        for text in (
            "2026-05-06T12:00Z",
            "2026-05-06T12:00:00Z",
            "2026-05-06T12:00",
            "2026-05-06T13:00:00+01:00",
            "2026-05-06T12:00:00.0000000Z",
        ):
            with self.subTest(text=text):
                self.assertEqual(calendar.parse_datetime(text), noon)
        self.assertEqual(calendar.parse_datetime("2026-05-06"), datetime(2026, 5, 6, tzinfo=UTC))

    def test_refused_forms(self) -> None:
        # A plus sign that was not escaped arrives as a space.
        for text in (
            "",
            "yesterday",
            "2026-13-01",
            "2026-05-06T25:00Z",
            "2026-05-06T13:00:00 01:00",
            "06/05/2026",
            "2026-05-06 12:00",
        ):
            with self.subTest(text=text), self.assertRaises(ValueError):
                calendar.parse_datetime(text)

    def test_a_naive_datetime_is_no_instant(self) -> None:
        with self.assertRaises(ValueError):
            calendar.to_instant(datetime(2026, 5, 6))


if __name__ == "__main__":
    unittest.main()
