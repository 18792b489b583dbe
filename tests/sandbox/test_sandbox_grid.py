"""The synthetic series: the same in every way of asking, and like a grid."""

import os
import subprocess
import sys
import unittest
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.calendar import day_number, period_start, to_instant
from sandbox.frequency import FrequencySeries
from sandbox.grid import Columns, build_grid
from sandbox.wind_solar import TYPES, WindSolarSeries

NOW = to_instant("2024-11-15T00:00:00Z")
DAY_S = 86_400
# They may have no rows in a window of a few days.
RARE = {"bm_units", "system_warnings"}
DEMO_DAYS = (date(2024, 3, 31), date(2024, 10, 27))


def at(text: str) -> int:
    """Epoch seconds of a datetime text, by the standard library."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def same(one: Columns, other: Columns) -> bool:
    """Tell whether two tables are equal to the last bit."""
    return list(one) == list(other) and all(_equal(one[n], other[n]) for n in one)


def _equal(one: NDArray[Any], other: NDArray[Any]) -> bool:
    # A value that is not told is NaN in numbers and None elsewhere.
    return np.array_equal(one, other, equal_nan=one.dtype == np.float64)


def between(columns: Columns, axis: str, first: int, last: int) -> Columns:
    """The rows of a table inside an inclusive window."""
    inside = (columns[axis] >= first) & (columns[axis] <= last)
    return {name: values[inside] for name, values in columns.items()}


def autocorrelation(values: NDArray[np.float64], lag: int) -> float:
    """Pearson's coefficient of a series with itself, some rows later."""
    return float(np.corrcoef(values[:-lag], values[lag:])[0, 1])


class Purity(unittest.TestCase):
    def test_a_window_is_a_part_of_every_wider_window(self) -> None:
        first, last = at("2024-05-03T13:37:00"), at("2024-05-06T02:11:00")
        for name, series in build_grid(11).items():
            for axis in series.axes:
                # All publications: by publish time the newest of each row depends on the window.
                wide = series.rows(axis, first - 9 * DAY_S, last + 9 * DAY_S, NOW, every=True)
                asked = series.rows(axis, first, last, NOW, every=True)
                with self.subTest(series=name, axis=axis):
                    if name not in RARE:
                        self.assertGreater(len(asked[axis]), 0)
                    self.assertTrue(same(asked, between(wide, axis, first, last)))

    def test_order_of_asking_does_not_matter(self) -> None:
        windows = [(at(f"2024-06-{day:02d}"), at(f"2024-06-{day + 1:02d}")) for day in range(1, 9)]
        both = build_grid(11), build_grid(11)
        for name in both[0]:
            forward, backward = both[0][name], both[1][name]
            axis = forward.axes[0]
            ahead = [forward.rows(axis, *window, NOW) for window in windows]
            back = [backward.rows(axis, *window, NOW) for window in reversed(windows)]
            for one, other in zip(ahead, reversed(back), strict=True):
                self.assertTrue(same(one, other))

    def test_seeds_differ(self) -> None:
        both = build_grid(1), build_grid(2)
        for name in both[0]:
            one, other = both[0][name], both[1][name]
            days = 4_000 if name == "bm_units" else 8
            window = (one.axes[0], at("2024-06-09") - days * DAY_S, at("2024-06-09"), NOW)
            with self.subTest(series=name):
                self.assertFalse(same(one.rows(*window), other.rows(*window)))

    def test_another_process_another_zone_another_hash_seed(self) -> None:
        program = (
            "import hashlib; from sandbox.grid import build_grid\n"
            f"rows = lambda s: s.rows(s.axes[0], {at('2024-10-26')}, {at('2024-10-28')}, {NOW})\n"
            "text = [v.tolist() for s in build_grid(7).values() for v in rows(s).values()]\n"
            "print(hashlib.sha256(repr(text).encode()).hexdigest())"
        )
        digests = set()
        for hash_seed, zone in (("1", "Asia/Tokyo"), ("2", "America/Lima")):
            environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": zone}
            answer = subprocess.run(
                [sys.executable, "-c", program],
                cwd=Path(__file__).parents[2],
                env=environment,
                capture_output=True,
                check=True,
            )
            digests.add(answer.stdout)
        self.assertEqual(len(digests), 1)


class Frequency(unittest.TestCase):
    series: FrequencySeries
    quarter: Columns

    @classmethod
    def setUpClass(cls) -> None:
        cls.series = FrequencySeries(7)
        cls.quarter = cls.series.rows("time", at("2024-01-01"), at("2024-04-01") - 1, NOW)

    def test_looks_like_a_grid(self) -> None:
        hertz = self.quarter["frequency_hz"]
        self.assertAlmostEqual(float(hertz.mean()), 50.0, delta=0.01)
        self.assertTrue(0.05 < float(hertz.std()) < 0.07, hertz.std())
        self.assertTrue(49.3 < float(hertz.min()) < 49.65, hertz.min())
        self.assertTrue(50.2 < float(hertz.max()) < 50.6, hertz.max())
        self.assertGreater(autocorrelation(hertz, 1), 0.95)
        self.assertLess(autocorrelation(hertz, 240), 0.3)

    def test_three_decimals(self) -> None:
        texts = [repr(value) for value in self.quarter["frequency_hz"][:5_000].tolist()]
        self.assertLessEqual(max(len(text.partition(".")[2]) for text in texts), 3)

    def test_stands_on_the_quarter_minutes(self) -> None:
        self.assertEqual(set((self.quarter["time"] % 60).tolist()), {0, 15, 30, 45})
        self.assertTrue(bool((np.diff(self.quarter["time"]) > 0).all()))

    def test_steps_at_the_half_hour_are_larger_than_between(self) -> None:
        time, hertz = self.quarter["time"], self.quarter["frequency_hz"]
        step = np.abs(np.diff(hertz))
        boundary = time[1:] % 1_800 == 0
        self.assertGreater(step[boundary].mean(), 1.5 * step[~boundary].mean())

    def test_some_days_have_gaps_and_exactly_those_miss_samples(self) -> None:
        # Winter: a settlement day is a UTC day.
        first = day_number(date(2024, 1, 1))
        counts = np.bincount(self.quarter["time"] // DAY_S - first, minlength=90)[:90]
        with_gaps = [bool(self.series.gaps(first + n)) for n in range(90)]
        self.assertEqual([bool(count < 5_760) for count in counts], with_gaps)
        self.assertTrue(3 <= sum(with_gaps) <= 30, sum(with_gaps))

    def test_demo_days_and_their_neighbours_are_whole(self) -> None:
        for seed in range(40):
            series = FrequencySeries(seed)
            for day in DEMO_DAYS:
                for shift in (-1, 0, 1):
                    number = day_number(day) + shift
                    self.assertEqual(series.gaps(number), [])
                    self.assertEqual(series.repeated_batches(number), [])
        for day, samples in zip(DEMO_DAYS, (5_520, 6_000), strict=True):
            start = period_start(day_number(day), 1)
            rows = self.series.rows("time", start, start + samples * 15 - 1, NOW)
            self.assertEqual(len(rows["time"]), samples)
            self.assertEqual(set(self.series.repeats(rows).tolist()), {1})

    def test_some_days_repeat_a_batch(self) -> None:
        count = self.series.repeats(self.quarter)
        self.assertEqual(set(count.tolist()), {1, 2})
        self.assertLess(float((count == 2).mean()), 0.01)

    def test_samples_arrive_in_batches_of_two_minutes(self) -> None:
        noon = at("2024-03-31T12:00:00")
        for later, newest in ((0, -15), (119, -15), (120, 105)):
            rows = self.series.rows("time", noon - 600, noon + 600, noon + later)
            self.assertEqual(int(rows["time"][-1]), noon + newest)


class WindSolar(unittest.TestCase):
    series: WindSolarSeries
    year: Columns

    @classmethod
    def setUpClass(cls) -> None:
        cls.series = WindSolarSeries(7)
        cls.year = cls.series.rows("start_time", at("2023-11-01"), at("2024-10-31") - 1, NOW)

    def values(self, kind: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        chosen = self.year["psr_type"] == kind
        return self.year["start_time"][chosen], self.year["quantity_mw"][chosen]

    def test_solar_follows_the_almanac(self) -> None:
        # Sunrise and sunset at Birmingham in UTC, and the half hours that must be dark or lit.
        for day, sunrise, sunset in (
            ("2024-06-20", "03:45", "20:33"),
            ("2023-12-21", "08:15", "15:56"),
            ("2024-03-20", "06:14", "18:23"),
        ):
            rise, fall = at(f"{day}T{sunrise}:00"), at(f"{day}T{sunset}:00")
            start, power = self.values("Solar")
            midnight = at(day)
            today = (start >= midnight) & (start < midnight + DAY_S)
            dark = today & ((start + 1_800 < rise - 900) | (start > fall + 900))
            lit = today & (start > rise + 1_800) & (start + 1_800 < fall - 1_800)
            with self.subTest(day=day):
                self.assertEqual(set(power[dark].tolist()), {0.0})
                self.assertGreater(float(power[lit].min()), 0.0)

    def test_solar_peaks_at_noon_and_in_summer(self) -> None:
        start, power = self.values("Solar")
        slot = start % DAY_S // 1_800
        by_slot = np.array([power[slot == n].mean() for n in range(48)])
        centre = float((by_slot * (np.arange(48) + 0.5)).sum() / by_slot.sum() / 2)
        # Solar noon at 1.5 degrees west is at 12:06 UTC in the mean of a year.
        self.assertAlmostEqual(centre, 12.1, delta=0.25)
        june = power[(start >= at("2024-06-01")) & (start < at("2024-07-01"))].mean()
        december = power[(start >= at("2023-12-01")) & (start < at("2024-01-01"))].mean()
        self.assertGreater(june, 4 * december)
        self.assertTrue(0.08 < power.mean() / 13_000 < 0.13)
        self.assertTrue(8_000 < power.max() < 13_000)

    def test_wind_is_plausible(self) -> None:
        for kind, capacity, least, most in (
            ("Wind Onshore", 14_000, 0.22, 0.38),
            ("Wind Offshore", 15_000, 0.35, 0.52),
        ):
            _, power = self.values(kind)
            with self.subTest(kind=kind):
                self.assertTrue(power.min() > 0 and power.max() < capacity)
                self.assertTrue(least < power.mean() / capacity < most, power.mean() / capacity)
                self.assertGreater(autocorrelation(power, 12), 0.8)
                self.assertTrue(0.4 < autocorrelation(power, 48) < 0.9)

    def test_demo_days_are_whole(self) -> None:
        for seed in range(40):
            series = WindSolarSeries(seed)
            for day, periods in zip(DEMO_DAYS, (46, 50), strict=True):
                start = period_start(day_number(day), 1)
                rows = series.rows("start_time", start, start + periods * 1_800 - 1, NOW)
                self.assertEqual(len(rows["start_time"]), periods * len(TYPES))

    def test_a_few_days_miss_rows_and_some_get_them_late(self) -> None:
        never, late = 0, 0
        for n in range(366):
            day = day_number(date(2023, 11, 1)) + n
            pairs, is_late = self.series.missing(day)
            if pairs and is_late:
                late += 1
            elif pairs:
                never += 1
            for start, kind in pairs:
                rows = self.series.rows("start_time", start, start, NOW)
                self.assertEqual(kind in rows["psr_type"].tolist(), is_late)
        self.assertTrue(3 <= never <= 25 and 3 <= late <= 25, (never, late))

    def test_first_publication_lag(self) -> None:
        first = self.series.rows(
            "start_time", at("2024-10-27T10:00"), at("2024-10-27T16:00"), NOW, every=True
        )
        fresh = first["revision"] == 1
        lag = (first["publish_time"] - first["start_time"])[fresh]
        self.assertTrue(int(lag.min()) >= 2.4 * 3_600 and int(lag.max()) <= 2.6 * 3_600)

    def test_one_settlement_day_in_four_is_revised(self) -> None:
        first = day_number(date(2023, 1, 1))
        revised = [first + n for n in range(600) if self.series.is_revised(first + n)]
        twice = [day for day in revised if self.series.is_revised_twice(day)]
        self.assertTrue(0.18 < len(revised) / 600 < 0.32)
        self.assertTrue(0.2 < len(twice) / len(revised) < 0.5)

    def test_a_revision_appears_at_its_time_and_changes_values(self) -> None:
        first = day_number(date(2024, 6, 1))
        day = next(first + n for n in range(90) if self.series.is_revised_twice(first + n))
        start = period_start(day, 1)
        window = ("start_time", start, start + DAY_S - 1)
        midnight = int(datetime(1970, 1, 1, tzinfo=UTC).timestamp()) + day * DAY_S
        evening = int(timedelta(hours=17).total_seconds())
        before, after, last = (
            self.series.rows(*window, midnight + days * DAY_S + evening + margin)
            for days, margin in ((1, -1), (1, 600), (4, 600))
        )
        self.assertEqual(set(before["revision"].tolist()), {1})
        self.assertEqual(len(before["start_time"]), len(after["start_time"]))
        for earlier, later in ((before, after), (after, last)):
            newer = later["revision"] > earlier["revision"]
            self.assertTrue(0 < newer.sum() < len(newer))
            changed = earlier["quantity_mw"] != later["quantity_mw"]
            self.assertTrue(np.array_equal(changed, newer))
            self.assertTrue(bool((later["publish_time"] > earlier["publish_time"])[newer].all()))
        history = self.series.rows(*window, NOW, every=True)
        self.assertEqual(len(history["revision"]), int(last["revision"].sum()))


if __name__ == "__main__":
    unittest.main()
