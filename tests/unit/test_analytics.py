"""Wind and solar figures against the worked numbers of grid-domain §5, plain loops and other libraries."""

from __future__ import annotations

import itertools
import math
import random
import statistics
import unittest

import numpy as np
import pandas as pd

from domain import analytics
from domain.droughts import constantly_below, droughts, mean_below

NAN = float("nan")
POWER = [10.0, 20.0, 30.0, 0.0]
SHARES = [0.30, 0.08, 0.05, 0.09, 0.25, 0.07, 0.40]


class Energy(unittest.TestCase):
    def test_worked_capacity_factor(self) -> None:
        """[10, 20, 30, 0] MW in half hours are 30 MWh; of 40 MW that is 30 / 80."""
        self.assertEqual(analytics.energy(POWER, 0.5), 30.0)
        self.assertEqual(analytics.capacity_factor(POWER, 40.0, 0.5), 0.375)
        self.assertEqual(analytics.full_load_hours(0.375), 3285.0)

    def test_a_gap_is_not_zero(self) -> None:
        """Without the last half hour 30 MWh in 1.5 h of 40 MW: 30 / 60."""
        self.assertEqual(analytics.energy([*POWER[:3], NAN], 0.5), 30.0)
        self.assertEqual(analytics.capacity_factor([*POWER[:3], NAN], 40.0, 0.5), 0.5)
        self.assertTrue(math.isnan(analytics.energy([NAN, NAN], 0.5)))
        self.assertTrue(math.isnan(analytics.capacity_factor([NAN], 40.0)))

    def test_covered_hours_and_a_capacity_that_grows(self) -> None:
        """10 MW for 15 min and 20 MW for 30: 12.5 MWh of 20 x 0.25 + 40 x 0.5 = 25 MWh."""
        self.assertEqual(analytics.capacity_factor([10, 20], [20, 40], [0.25, 0.5]), 0.5)

    def test_capacity_that_is_not_known_counts_nowhere(self) -> None:
        self.assertEqual(analytics.capacity_factor([10.0, 20.0], [40.0, NAN]), 0.25)


class Distribution(unittest.TestCase):
    def test_quantiles_are_numpys_where_all_weigh_the_same(self) -> None:
        values = np.random.default_rng(3).normal(size=101)
        levels = [0.0, 0.01, 0.1, 0.37, 0.5, 0.99, 1.0]
        for weights in (None, np.full(101, 0.4)):
            found = analytics.quantiles(values, levels, weights)
            np.testing.assert_allclose(found, np.quantile(values, levels), atol=1e-12)

    def test_a_weight_is_so_many_values(self) -> None:
        draw = np.random.default_rng(4)
        values, weights = draw.normal(size=30), draw.integers(1, 9, 30)
        weights[7] = 1
        levels = [0.0, 0.1, 0.5, 0.93, 1.0]
        np.testing.assert_allclose(
            analytics.quantiles(values, levels, weights),
            np.quantile(np.repeat(values, weights), levels),
            atol=1e-12,
        )

    def test_what_weighs_nothing_or_is_unknown_counts_nowhere(self) -> None:
        self.assertEqual(analytics.quantiles([1.0, 9.0, NAN, 3.0], [0.5], [1, 0, 1, 1])[0], 2.0)
        self.assertTrue(np.isnan(analytics.quantiles([NAN], [0.5])).all())

    def test_duration_curve(self) -> None:
        exceeded, power = analytics.duration_curve([*POWER, NAN])
        self.assertEqual(power.tolist(), [30.0, 20.0, 10.0, 0.0])
        self.assertEqual(exceeded.tolist(), [0.125, 0.375, 0.625, 0.875])

    def test_profile_by_group(self) -> None:
        groups = pd.DataFrame({"month": [1, 1, 2, 1, 1], "period": [1, 2, 1, 1, 2]})
        found = analytics.profile([4.0, NAN, 7.0, 8.0, 5.0], groups, (0.5,))
        self.assertEqual(found.values.tolist(), [[1, 1, 2, 6, 6], [1, 2, 1, 5, 5], [2, 1, 1, 7, 7]])

    def test_profile_is_weighted_by_coverage(self) -> None:
        groups = pd.DataFrame({"period": [1, 1, 1]})
        found = analytics.profile([10.0, 40.0, 99.0], groups, (), [1.0, 0.5, 0.0])
        self.assertEqual(found.values.tolist(), [[1.0, 2.0, 20.0]])


class Ramps(unittest.TestCase):
    def test_worked(self) -> None:
        """Worst −30 MW in 30 min, which is −75 % of 40 MW."""
        change = analytics.ramps(POWER, 1)
        self.assertEqual(float(np.nanmin(change)), -30.0)
        self.assertEqual(float(np.nanmin(change)) / 40.0, -0.75)

    def test_never_across_a_gap(self) -> None:
        """Both ends are known, what lies between is not."""
        found = analytics.ramps([1.0, 2.0, NAN, 4.0, 5.0, 6.0, 8.0], 2)
        self.assertTrue(np.isnan(found[:5]).all())
        self.assertEqual(found[5:].tolist(), [2.0, 3.0])

    def test_longer_than_the_series(self) -> None:
        self.assertTrue(np.isnan(analytics.ramps([1.0, 2.0], 8)).all())
        self.assertEqual(len(analytics.ramps([1.0, 2.0], 8)), 2)


class Together(unittest.TestCase):
    wind = (3.0, 1.0, 4.0, 1.5, 5.0, NAN, 2.0)
    sun = (2.0, 7.0, 1.0, 8.0, NAN, 8.0, 1.0)
    both = ((3.0, 2.0), (1.0, 7.0), (4.0, 1.0), (1.5, 8.0), (2.0, 1.0))

    def test_correlation_of_what_both_have(self) -> None:
        a, b = zip(*self.both, strict=True)
        self.assertAlmostEqual(
            analytics.pearson(self.wind, self.sun), statistics.correlation(a, b), places=12
        )
        # Ranks 4 1 5 2 3 and 3 4 1.5 5 1.5; equal values share their rank.
        ranks = [4, 1, 5, 2, 3], [3, 4, 1.5, 5, 1.5]
        self.assertAlmostEqual(
            analytics.spearman(self.wind, self.sun), statistics.correlation(*ranks), places=12
        )

    def test_nothing_is_made_of_a_constant_or_of_two_pairs(self) -> None:
        self.assertTrue(math.isnan(analytics.pearson([1, 1, 1], [1, 2, 3])))
        self.assertTrue(math.isnan(analytics.pearson([1, 2, NAN], [1, 2, 3])))

    def test_complementarity(self) -> None:
        a, b = zip(*self.both, strict=True)
        together = statistics.pstdev([x + y for x, y in self.both])
        apart = statistics.pstdev(a) + statistics.pstdev(b)
        self.assertAlmostEqual(
            analytics.complementarity(self.wind, self.sun), 1 - together / apart, places=12
        )
        self.assertEqual(analytics.complementarity([1, 2, 3], [2, 4, 6]), 0.0)

    def test_share_of_time_with_little_of_both(self) -> None:
        found = analytics.share_both_below([0.05, 0.05, 0.3, NAN], [0.02, 0.3, 0.02, 0.0], 0.1)
        self.assertAlmostEqual(found, 1 / 3)

    def test_means_of_whole_groups(self) -> None:
        found = analytics.means_of([1.0, 3.0, NAN, 9.0], [0, 0, 1, 1])
        self.assertEqual(found[0], 2.0)
        self.assertTrue(math.isnan(found[1]))

    def test_anomalies_have_no_season(self) -> None:
        found = analytics.anomalies([1.0, 3.0, 10.0, 30.0, 7.0], [0, 0, 1, 1, 2])
        self.assertEqual(found[:4].tolist(), [-1.0, 1.0, -10.0, 10.0])
        self.assertTrue(math.isnan(found[4]), "alone in its group")


class Droughts(unittest.TestCase):
    def test_worked_cbt(self) -> None:
        """τ 0.10 for two half hours: steps 2 to 4, 1.5 h, 0.04 C MWh short."""
        found = droughts(SHARES, 100.0, 0.5, 0.10, 1.0, "CBT")
        self.assertEqual(found[["first", "after", "hours"]].values.tolist(), [[1, 4, 1.5]])
        self.assertAlmostEqual(found["deficit_mwh"][0], 0.04 * 100.0)
        self.assertAlmostEqual(found["mean_share"][0], 0.22 / 3)

    def test_vmbt_merges_a_short_break(self) -> None:
        """The mean of steps 2 to 6 is 0.108: one event at τ 0.11, where CBT sees the break of 0.25."""
        self.assertEqual(mean_below(SHARES, 0.11, 2), [(1, 6)])
        self.assertEqual(constantly_below(SHARES, 0.11, 2), [(1, 4)])

    def test_a_gap_ends_a_drought(self) -> None:
        dull = [0.01, 0.01, 0.01, NAN, 0.01, 0.01]
        self.assertEqual(constantly_below(dull, 0.1, 2), [(0, 3), (4, 6)])
        self.assertEqual(mean_below(dull, 0.1, 2), [(0, 3), (4, 6)])
        self.assertEqual(mean_below(dull, 0.1, 3), [(0, 3)])

    def test_at_the_threshold_is_not_below(self) -> None:
        self.assertEqual(constantly_below([0.1, 0.1], 0.1, 1), [])
        self.assertEqual(mean_below([0.1, 0.1, 0.1], 0.1, 1), [])

    def test_vmbt_is_what_trying_every_time_finds(self) -> None:
        """Longest first, the earliest of equals, by hand over all times of a few hundred series."""
        draw = random.Random(5)
        for _ in range(200):
            series = [draw.choice([0.02, 0.05, 0.11, 0.2, 0.4, NAN]) for _ in range(14)]
            self.assertEqual(mean_below(series, 0.15, 2), _by_hand(series, 0.15, 2), series)

    def test_none_is_an_empty_frame(self) -> None:
        found = droughts([0.5, 0.5], 100.0, 0.5, 0.1, 1.0, "VMBT")
        self.assertEqual(len(found), 0)
        self.assertIn("deficit_mwh", found.columns)


def _by_hand(series: list[float], threshold: float, least: int) -> list[tuple[int, int]]:
    taken: list[tuple[int, int]] = []
    for length in range(len(series), least - 1, -1):
        for first in range(len(series) - length + 1):
            span = (first, first + length)
            part = series[first : first + length]
            free = all(span[1] <= a or span[0] >= b for a, b in taken)
            if free and not any(map(math.isnan, part)) and sum(part) / length < threshold - 1e-9:
                taken.append(span)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(sorted(taken)))
    return sorted(taken)


class Forecasts(unittest.TestCase):
    observed, forecast = (10.0, 20.0, 30.0, 40.0), (12.0, 18.0, 33.0, 35.0)

    def test_worked(self) -> None:
        found = analytics.forecast_errors(self.forecast, self.observed, [8, 10, 20, 30], 50.0)
        expected = {
            "pairs": 4, "bias": -0.5, "mae": 3.0, "rmse": 10.5**0.5, "nmae_capacity": 0.06,
            "nmae_mean": 0.12, "reference_mae": 8.0, "skill_mae": 0.625,
        }  # fmt: skip
        for name, value in expected.items():
            self.assertAlmostEqual(found[name], value, msg=name)
        self.assertEqual(round(found["rmse"], 4), 3.2404)
        self.assertEqual(round(found["skill_rmse"], 4), 0.6283)

    def test_what_is_unknown_counts_nowhere(self) -> None:
        found = analytics.forecast_errors([*self.forecast, 7.0], [*self.observed, NAN], [NAN] * 5)
        self.assertEqual((found["pairs"], found["mae"]), (4, 3.0))
        self.assertTrue(math.isnan(found["skill_mae"]) and math.isnan(found["nmae_capacity"]))


class Regular(unittest.TestCase):
    def test_times_that_are_not_of_the_grid_stay_out(self) -> None:
        found = analytics.regular([-1800, 1800, 2000, 5400], [1, 2, 3, 4], 0, 5400, 1800)
        self.assertTrue(math.isnan(found[0]) and math.isnan(found[2]))
        self.assertEqual(found[1], 2.0)


if __name__ == "__main__":
    unittest.main()
