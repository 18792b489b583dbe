"""frequency_quality, _events and _histogram on samples made by hand, and on the recorded hour."""

from __future__ import annotations

import csv
import random
import unittest
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd

from domain.quality import Event, events, judge
from domain.settlement import day_window, days_window
from domain.tables import conform
from domain.windows import Window
from products import frequency_events, frequency_histogram, frequency_quality

RECORDED = (
    Path(__file__).resolve().parents[3] / "shared" / "samples" / "gb" / "gb_london_1s_one_hour.csv"
)
SUMMER, SHORT = date(2024, 7, 1), date(2024, 3, 31)
MODULES = (frequency_quality, frequency_events, frequency_histogram)
Samples = dict[float, float]


def steady(seconds: int, cadence: int = 15) -> Samples:
    """Samples that move a little all the time, so that nothing is flat or straight."""
    rng = random.Random(1)
    return {float(s): 50 + rng.randrange(-9, 10) / 1000 for s in range(0, seconds, cadence)}


def found(samples: Samples, seconds: int = 1800, cadence: int = 15) -> list[Event]:
    judged = judge(list(samples), list(samples.values()), cadence)
    return events(judged, 0, seconds, cadence_s=cadence)


def frame_of(samples: dict[datetime, float]) -> pd.DataFrame:
    times = pd.Series(list(samples), dtype="datetime64[us, UTC]")
    return pd.DataFrame({"measurement_time": times, "frequency_hz": list(samples.values())})


def computed(
    module: object, samples: dict[datetime, float], window: Window, cadence: int = 15
) -> pd.DataFrame:
    product = module.PRODUCT  # type: ignore[attr-defined]
    rows = product.compute(frame_of(samples), window=window, frequency_cadence_s=cadence)
    conformed = conform(product.table, rows, "test")
    assert not conformed.unknown and not len(conformed.older)
    return conformed.frame


class Verdicts(unittest.TestCase):
    def test_implausible(self) -> None:
        values = [0.0, 44.999, 45.0, 55.0, 55.001, float("nan"), -50.0]
        judged = judge(range(7), values, 1)
        self.assertEqual(judged.implausible.tolist(), [True, True, False, False, True, True, True])
        self.assertEqual(judged.questionable.tolist(), [False, False, True, True] + [False] * 3)

    def test_a_spike_is_single_far_and_between_neighbours_that_agree(self) -> None:
        for values, spike in (
            ([50.0, 50.4, 50.0], True),
            ([50.0, 49.6, 50.04], True),
            ([50.0, 50.3, 50.0], False),  # not more than 0.3
            ([50.0, 50.4, 50.1], False),  # neighbours disagree
            ([50.0, 50.4, 50.4, 50.0], False),  # two samples
            ([50.0, 49.6, 49.2], False),  # a real event is steep
        ):
            judged = judge([15 * n for n in range(len(values))], values, 15)
            with self.subTest(values=values):
                self.assertEqual(judged.spike.any(), spike)
        apart = judge([0, 60, 75], [50.0, 50.4, 50.0], 15)
        self.assertFalse(apart.spike.any())


class Events(unittest.TestCase):
    def test_nothing_happens(self) -> None:
        self.assertEqual(found(steady(1800)), [])

    def test_an_excursion_with_its_nadir_slope_and_area(self) -> None:
        samples = steady(1800) | {600.0: 49.79, 615.0: 49.6, 630.0: 49.7, 645.0: 49.85}
        before = samples[585.0]
        event = found(samples)[0]
        self.assertEqual((event.kind, event.start_s, event.end_s), ("low", 600, 645))
        self.assertEqual((event.extreme_hz, event.extreme_s), (49.6, 615))
        self.assertEqual((event.samples, event.cut), (3, False))
        steps = ((49.79 - before) / 15, (49.6 - 49.79) / 15, (49.7 - 49.6) / 15)
        steepest = max(steps, key=abs)
        self.assertAlmostEqual(event.slope_hz_per_s or 0, steepest, delta=1e-12)
        self.assertAlmostEqual(event.area_hz_s or 0, 15 * (0.21 + 0.4 + 0.3), delta=1e-9)

    def test_the_limit_itself_is_inside(self) -> None:
        self.assertEqual(found(steady(1800) | {600.0: 49.8, 900.0: 50.2}), [])

    def test_two_excursions_need_half_a_minute_between_them(self) -> None:
        near = steady(1800) | {600.0: 49.78, 615.0: 49.82, 630.0: 49.78}
        self.assertEqual([(e.start_s, e.end_s) for e in found(near)], [(600, 645)])
        apart = steady(1800) | {600.0: 49.78, 615.0: 49.82, 630.0: 49.83, 645.0: 49.78}
        self.assertEqual([(e.start_s, e.end_s) for e in found(apart)], [(600, 615), (645, 660)])

    def test_high_and_low_are_two(self) -> None:
        both = steady(1800) | {600.0: 49.78, 615.0: 50.22}
        self.assertEqual([e.kind for e in found(both)], ["low", "high"])

    def test_a_gap_ends_an_excursion(self) -> None:
        samples = {s: hz for s, hz in steady(1800).items() if not 600 < s < 720}
        samples |= {600.0: 49.7, 720.0: 49.7}
        listed = [(e.kind, e.start_s, e.end_s) for e in found(samples)]
        self.assertEqual(listed, [("low", 600, 660), ("gap", 615, 720), ("low", 720, 735)])

    def test_gaps(self) -> None:
        samples = {s: hz for s, hz in steady(1800).items() if not 300 < s < 360 and s < 1700}
        gaps = found(samples)
        self.assertEqual(
            [(e.kind, e.start_s, e.end_s, e.samples, e.cut) for e in gaps],
            [("gap", 315, 360, 3, False), ("gap", 1710, 1800, 6, True)],
        )
        late = {s: hz for s, hz in steady(1800).items() if s >= 90}
        self.assertEqual([(e.start_s, e.end_s, e.cut) for e in found(late)], [(0, 90, True)])
        self.assertEqual(len(found({})), 1)
        self.assertEqual((found({})[0].samples, found({})[0].cut), (120, True))

    def test_flat_runs(self) -> None:
        flat = {float(s): 50.001 for s in range(300, 361, 15)}
        event = found(steady(1800) | flat)[0]
        self.assertEqual((event.kind, event.extreme_hz), ("flat", 50.001))
        self.assertLessEqual((event.start_s, -event.end_s), (300, -360))
        shorter = {float(s): 50.0111 for s in range(300, 346, 15)}
        self.assertEqual(found(steady(1800) | shorter), [])

    def test_straight_lines(self) -> None:
        line = {float(s): round(50.02 + (s - 300) * 0.0001, 6) for s in range(300, 391, 15)}
        event = found(steady(1800) | line)[0]
        self.assertEqual((event.kind, event.start_s, event.end_s), ("ramp", 300, 390))
        self.assertAlmostEqual(event.slope_hz_per_s or 0, 0.0001, delta=1e-9)

    def test_faulty_samples_that_follow_each_other_are_one_event(self) -> None:
        samples = steady(1800) | {600.0: 0.0, 615.0: 0.0, 900.0: 51.0}
        listed = [(e.kind, e.start_s, e.end_s, e.samples) for e in found(samples)]
        self.assertEqual(
            listed,
            [
                ("gap", 600, 630, 2),
                ("implausible", 600, 630, 2),
                ("gap", 900, 915, 1),
                ("spike", 900, 915, 1),
            ],
        )

    @unittest.skipUnless(RECORDED.exists(), "the recorded hour is not here")
    def test_the_recorded_hour(self) -> None:
        with RECORDED.open(encoding="utf-8") as file:
            values = [float(row["f_hz"]) for row in csv.DictReader(file)]
        judged = judge(range(3600), values, 1)
        fill, low = events(judged, 0, 3600, cadence_s=1)
        self.assertEqual((fill.kind, fill.start_s, fill.samples), ("ramp", 0, 161))
        self.assertEqual((low.kind, low.extreme_hz, low.extreme_s), ("low", 49.787442, 323))
        start = datetime(2024, 7, 1, 10, tzinfo=UTC)
        samples = {start + timedelta(seconds=n): hz for n, hz in enumerate(values)}
        rows = computed(frequency_quality, samples, day_window(SUMMER), 1)
        hour = rows[rows["samples"] > 0]
        self.assertEqual(hour["seconds_outside_49_8_50_2"].sum(), 14)
        self.assertEqual(hour["seconds_outside_deadband"].sum(), 3249)
        self.assertEqual(hour["minimum_hz"].min(), 49.787442)
        self.assertEqual(hour["maximum_hz"].max(), 50.083481)
        self.assertAlmostEqual(hour["mean_hz"].mean(), 49.952478, delta=1e-6)


class Products(unittest.TestCase):
    def day(self, seed: int = 1, spread: float = 0.08) -> dict[datetime, float]:
        rng = random.Random(seed)
        window = days_window(SUMMER, SUMMER + timedelta(days=1))
        start, count = window.start - timedelta(seconds=60), 2 * 5760 + 4
        return {
            start + timedelta(seconds=15 * n): round(rng.gauss(50, spread), 3)
            for n in range(count)
            if rng.random() > 0.02
        }

    def test_against_plain_loops(self) -> None:
        samples = self.day()
        window = day_window(SUMMER)
        rows = computed(frequency_quality, samples, window)
        ordered = sorted(samples.items())
        outside = deadband = covered = error = 0.0
        judged = judge([t.timestamp() for t, _ in ordered], [hz for _, hz in ordered], 15)
        usable = [pair for pair, good in zip(ordered, judged.usable, strict=True) if good]
        for n, (moment, hz) in enumerate(usable):
            after = usable[n + 1][0] if n + 1 < len(usable) else window.end
            until = min(after, moment + timedelta(seconds=60), window.end)
            seconds = (until - max(moment, window.start)).total_seconds()
            if seconds <= 0:
                continue
            covered += seconds
            outside += seconds * (hz < 49.8 or hz > 50.2)
            deadband += seconds * (hz < 49.985 or hz > 50.015)
            error += seconds * (hz - 50) / 50
        self.assertAlmostEqual(rows["seconds_outside_49_8_50_2"].sum(), outside, delta=1e-6)
        self.assertAlmostEqual(rows["seconds_outside_deadband"].sum(), deadband, delta=1e-6)
        self.assertAlmostEqual(rows["coverage"].sum() * 1800, covered, delta=1e-6)
        self.assertAlmostEqual(rows["time_error_s"].sum(), error, delta=1e-6)
        bins = computed(frequency_histogram, samples, window)
        self.assertAlmostEqual(bins["seconds"].sum(), covered, delta=1e-6)
        self.assertAlmostEqual(bins["share"].sum(), 1.0, delta=1e-9)
        beyond = bins[(bins["deviation_mhz"] < -200) | (bins["deviation_mhz"] >= 210)]
        self.assertLessEqual(beyond["seconds"].sum(), outside + 1e-6)

    def test_a_bin_holds_its_lower_edge(self) -> None:
        window = day_window(SUMMER)
        values = (49.99, 49.999, 50.0, 50.009, 50.01)
        samples = {window.start + timedelta(seconds=15 * n): hz for n, hz in enumerate(values)}
        bins = computed(frequency_histogram, samples, window)
        counted = dict(zip(bins["deviation_mhz"], bins["seconds"], strict=True))
        self.assertEqual(counted, {-10: 30.0, 0: 30.0, 10: 60.0})

    def test_each_day_equals_the_day_alone(self) -> None:
        samples = self.day(2, 0.1)
        both = days_window(SUMMER, SUMMER + timedelta(days=1))
        for module in MODULES:
            together = computed(module, samples, both)
            parts = []
            for day in (SUMMER, SUMMER + timedelta(days=1)):
                window = day_window(day)
                reach = window.start - timedelta(seconds=60)
                near = {t: hz for t, hz in samples.items() if reach <= t < window.end}
                parts.append(computed(module, near, window))
            alone = pd.concat(parts, ignore_index=True)
            with self.subTest(product=module.PRODUCT.key):
                pd.testing.assert_frame_equal(together, alone, check_exact=True)

    def test_no_samples(self) -> None:
        window = day_window(SHORT)
        rows = computed(frequency_quality, {}, window)
        self.assertEqual(len(rows), 46)
        self.assertEqual(rows["gap_seconds"].tolist(), [1800.0] * 46)
        self.assertTrue(rows["seconds_outside_deadband"].isna().all())
        self.assertEqual(len(computed(frequency_histogram, {}, window)), 0)
        listed = computed(frequency_events, {}, window)
        self.assertEqual(list(listed["kind"]), ["gap"])
        self.assertEqual(listed["duration_s"].iloc[0], 23 * 3600)

    def test_an_event_over_midnight_is_cut(self) -> None:
        both = days_window(SUMMER, SUMMER + timedelta(days=1))
        midnight = day_window(SUMMER).end
        rng = random.Random(1)
        start, count = both.start, int(both.length.total_seconds()) // 15
        samples = {
            start + timedelta(seconds=15 * n): 50 + rng.randrange(-9, 10) / 1000
            for n in range(count)
        }
        for n in range(-2, 2):
            samples[midnight + timedelta(seconds=15 * n)] = 49.7 + n / 1000
        listed = computed(frequency_events, samples, both)
        self.assertEqual(list(listed["kind"]), ["low", "low"])
        self.assertEqual(list(listed["cut"]), [True, True])
        self.assertEqual(list(listed["duration_s"]), [30.0, 30.0])


if __name__ == "__main__":
    unittest.main()
