"""Time integrals against worked figures and a loop over single seconds."""

from __future__ import annotations

import itertools
import math
import random
import unittest

import numpy as np

from domain.integration import Integrals, integrate

# Reference, section 2.2: seconds from the start of a half hour, and megawatts.
TIMES = [0, 15, 30, 45, 600, 1200, 1500]
POWERS = [2, 2, 2, 2, -1, -1, 4]
FIELDS = (
    "mean", "mean_positive", "mean_negative", "positive", "negative", "samples", "coverage",
)  # fmt: skip


def second_by_second(
    times: list[int], values: list[float], edges: list[int], hold_s: int, min_coverage: float
) -> list[dict[str, float]]:
    """The same figures by walking through every single second of every interval."""
    figures = []
    for start, end in itertools.pairwise(edges):
        covered, up, down = 0, [], []
        for second in range(start, end):
            before = [n for n, t in enumerate(times) if second - hold_s < t <= second]
            if before:
                covered += 1
                value = values[before[-1]]
                up.append(max(value, 0.0))
                down.append(max(-value, 0.0))
        known = covered > 0 and covered / (end - start) >= min_coverage
        over = covered if known else math.nan
        figures.append(
            {
                "mean": (math.fsum(up) - math.fsum(down)) / over,
                "mean_positive": math.fsum(up) / over,
                "mean_negative": math.fsum(down) / over,
                "positive": math.fsum(up) / 3600 if known else math.nan,
                "negative": math.fsum(down) / 3600 if known else math.nan,
                "samples": sum(start <= t < end for t in times),
                "coverage": covered / (end - start),
            }
        )
    return figures


def irregular(rng: random.Random, start: int, end: int) -> tuple[list[int], list[float]]:
    """Samples at irregular whole seconds with gaps of up to four minutes."""
    times, values = [], []
    at = start + rng.randrange(20)
    while at < end:
        times.append(at)
        values.append(round(rng.uniform(-10, 10), 4) if rng.random() > 0.1 else 0.0)
        at += rng.choice((1, 7, 15, 15, 15, 59, 60, 61, 240))
    return times, values


def bits(found: Integrals, interval: slice) -> list[bytes]:
    return [np.ascontiguousarray(getattr(found, name)[interval]).tobytes() for name in FIELDS]


class WorkedFigures(unittest.TestCase):
    def test_time_weighted_mean_and_its_energy(self) -> None:
        found = integrate(TIMES, POWERS, [0, 1800], hold_s=1800)
        self.assertAlmostEqual(float(found.mean[0]), 0.833333, delta=5e-7)
        self.assertAlmostEqual(float(found.positive[0] - found.negative[0]), 0.416667, delta=5e-7)
        self.assertEqual(float(found.coverage[0]), 1.0)
        self.assertEqual(int(found.samples[0]), 7)

    def test_held_for_a_minute(self) -> None:
        found = integrate(TIMES, POWERS, [0, 1800], hold_s=60, min_coverage=0)
        self.assertAlmostEqual(float(found.mean[0]), 1.157895, delta=5e-7)
        self.assertAlmostEqual(float(found.coverage[0]), 285 / 1800, delta=1e-12)
        self.assertAlmostEqual(
            float(found.positive[0] - found.negative[0]), 330 / 3600, delta=1e-12
        )

    def test_below_the_minimum_nothing_is_claimed_but_coverage_is(self) -> None:
        found = integrate(TIMES, POWERS, [0, 1800], hold_s=60, min_coverage=0.5)
        for name in ("mean", "mean_positive", "mean_negative", "positive", "negative"):
            with self.subTest(field=name):
                self.assertTrue(math.isnan(float(getattr(found, name)[0])))
        self.assertAlmostEqual(float(found.coverage[0]), 0.158333, delta=5e-7)
        self.assertEqual(int(found.samples[0]), 7)

    def test_the_minimum_itself_is_enough(self) -> None:
        exactly = integrate([0], [3.0], [0, 120], hold_s=60, min_coverage=0.5)
        self.assertEqual(float(exactly.mean[0]), 3.0)
        less = integrate([0], [3.0], [0, 121], hold_s=60, min_coverage=0.5)
        self.assertTrue(math.isnan(float(less.mean[0])))

    def test_the_minimum_is_half_and_the_hold_a_minute_unless_said(self) -> None:
        found = integrate([0, 60], [3.0, 5.0], [0, 240])
        self.assertEqual(float(found.coverage[0]), 0.5)
        self.assertEqual(float(found.mean[0]), 4.0)


class Edges(unittest.TestCase):
    def test_a_sample_holds_across_an_edge(self) -> None:
        found = integrate([80], [6.0], [0, 100, 200], hold_s=60, min_coverage=0)
        self.assertEqual(found.coverage.tolist(), [0.2, 0.4])
        self.assertEqual(found.mean.tolist(), [6.0, 6.0])
        self.assertEqual(found.samples.tolist(), [1, 0])
        self.assertAlmostEqual(float(found.positive[1]), 6 * 40 / 3600, delta=1e-15)

    def test_a_sample_may_hold_across_several_edges(self) -> None:
        found = integrate([5], [1.0], [0, 10, 20, 30, 40], hold_s=30, min_coverage=0)
        self.assertEqual(found.coverage.tolist(), [0.5, 1.0, 1.0, 0.5])

    def test_a_sample_on_an_edge_belongs_to_the_interval_it_opens(self) -> None:
        found = integrate([50, 100], [1.0, 9.0], [0, 100, 200], hold_s=60, min_coverage=0)
        self.assertEqual(found.samples.tolist(), [1, 1])
        self.assertEqual(found.coverage.tolist(), [0.5, 0.6])
        self.assertEqual(found.mean.tolist(), [1.0, 9.0])

    def test_a_sample_before_the_first_edge_is_carried_in_up_to_the_hold(self) -> None:
        for before, covered in ((0, 60), (1, 59), (30, 30), (59, 1), (60, 0), (61, 0)):
            found = integrate([1000 - before], [4.0], [1000, 1100], hold_s=60, min_coverage=0)
            with self.subTest(before=before):
                self.assertEqual(float(found.coverage[0]), covered / 100)
                self.assertEqual(int(found.samples[0]), int(before == 0))
                mean = float(found.mean[0])
                self.assertTrue(mean == 4.0 if covered else math.isnan(mean))

    def test_a_carried_sample_ends_where_the_next_begins(self) -> None:
        found = integrate([990, 1010], [4.0, -4.0], [1000, 1100], hold_s=60, min_coverage=0)
        self.assertEqual(float(found.coverage[0]), 0.7)
        self.assertAlmostEqual(float(found.mean[0]), (4 * 10 - 4 * 60) / 70, delta=1e-12)

    def test_samples_outside_all_intervals_count_for_nothing(self) -> None:
        alone = integrate([10], [1.0], [0, 60], min_coverage=0)
        beside = integrate([-500, 10, 60, 700], [9.0, 1.0, 9.0, 9.0], [0, 60], min_coverage=0)
        self.assertEqual(bits(alone, slice(None)), bits(beside, slice(None)))


class Gaps(unittest.TestCase):
    def test_no_samples_at_all(self) -> None:
        found = integrate([], [], [0, 1800, 3600])
        self.assertEqual(found.coverage.tolist(), [0.0, 0.0])
        self.assertEqual(found.samples.tolist(), [0, 0])
        for name in ("mean", "mean_positive", "mean_negative", "positive", "negative"):
            with self.subTest(field=name):
                self.assertTrue(np.isnan(getattr(found, name)).all())

    def test_nothing_is_claimed_without_cover_even_where_no_minimum_is_asked(self) -> None:
        found = integrate([], [], [0, 1800], min_coverage=0)
        self.assertTrue(math.isnan(float(found.mean[0])))
        self.assertTrue(math.isnan(float(found.positive[0])))

    def test_an_interval_without_samples_among_others(self) -> None:
        found = integrate([0, 250], [2.0, 4.0], [0, 100, 200, 300], hold_s=60, min_coverage=0)
        self.assertEqual(found.coverage.tolist(), [0.6, 0.0, 0.5])
        self.assertEqual(float(found.mean[0]), 2.0)
        self.assertTrue(math.isnan(float(found.mean[1])))
        self.assertEqual(float(found.mean[2]), 4.0)

    def test_samples_out_of_order_or_twice_are_refused(self) -> None:
        for times in ([10, 0], [0, 0]):
            with self.subTest(times=times), self.assertRaises(ValueError):
                integrate(times, [1.0, 2.0], [0, 60])


class PseudoRandom(unittest.TestCase):
    EDGES = (600, 900, 1200, 1260, 1800)

    def test_equal_to_a_loop_over_seconds(self) -> None:
        for seed in range(6):
            rng = random.Random(seed)
            times, values = irregular(rng, 500, 1900)
            hold, minimum = rng.choice((20, 60, 120)), rng.choice((0.0, 0.5, 0.9))
            found = integrate(times, values, list(self.EDGES), hold_s=hold, min_coverage=minimum)
            expected = second_by_second(times, values, list(self.EDGES), hold, minimum)
            for n, figures in enumerate(expected):
                for name, figure in figures.items():
                    with self.subTest(seed=seed, interval=n, field=name):
                        value = float(getattr(found, name)[n])
                        if math.isnan(figure):
                            self.assertTrue(math.isnan(value))
                        else:
                            self.assertAlmostEqual(value, figure, delta=1e-9)

    def test_net_is_positive_less_negative(self) -> None:
        times, values = irregular(random.Random(1), 500, 1900)
        found = integrate(times, values, list(self.EDGES), min_coverage=0)
        net = found.mean * found.coverage * np.diff(self.EDGES) / 3600
        np.testing.assert_allclose(net, found.positive - found.negative, rtol=0, atol=1e-12)
        self.assertTrue((found.positive > 0).all() and (found.negative > 0).all())

    def test_together_or_apart_gives_the_same_bits(self) -> None:
        start = 1_711_843_200  # of the size that real times have
        for seed in range(20):
            rng = random.Random(seed)
            times, values = irregular(rng, start - 60, start + 5400)
            edges = [start, start + 1800, start + 3600, start + 5400]
            together = integrate(times, values, edges)
            for n in range(3):
                low, high = edges[n] - 60, edges[n + 1]
                near = [k for k, t in enumerate(times) if low <= t < high]
                apart = integrate(
                    [times[k] for k in near], [values[k] for k in near], edges[n : n + 2]
                )
                with self.subTest(seed=seed, interval=n):
                    self.assertEqual(bits(together, slice(n, n + 1)), bits(apart, slice(None)))


if __name__ == "__main__":
    unittest.main()
