"""The battery against the reference's worked trace, NESO's examples, and plain loops."""

from __future__ import annotations

import csv
import importlib.util
import math
import random
import unittest
from pathlib import Path

import numpy as np

from domain.battery import (
    STRATEGIES,
    Battery,
    Periods,
    Recovery,
    Simulation,
    availability,
    by_period,
    energy_window,
    power_needed,
    running_requirement,
    simulate,
)
from domain.errors import UsageError
from domain.integration import integrate
from domain.response import response_mw

RECORDED = (
    Path(__file__).resolve().parents[3] / "shared" / "samples" / "gb" / "gb_london_1s_one_hour.csv"
)


def loop(
    pieces: list[tuple[float, float]],
    battery: Battery,
    soc: float,
) -> list[tuple[float, float]]:
    """(delivered MW, stored MWh) of (seconds, wanted MW) pieces, as section 2 writes the recursion."""
    stored = soc * battery.energy_mwh
    lowest, highest = battery.soc_min * battery.energy_mwh, battery.soc_max * battery.energy_mwh
    found = []
    for seconds, wanted in pieces:
        h = seconds / 3600
        limited = min(max(wanted, -battery.charge_mw), battery.discharge_mw)
        power = 0.0
        if limited > 0:
            power = min(limited, (stored - lowest) * battery.eta_discharge / h)
            stored -= power * h / battery.eta_discharge
        elif limited < 0:
            power = -min(-limited, (highest - stored) / (battery.eta_charge * h))
            stored -= power * h * battery.eta_charge
        found.append((power, stored))
    return found


class WorkedTrace(unittest.TestCase):
    """Reference 2.1: 10 MW, 10 MWh, 0.9 each way, 5 to 95 %, start 50 %, dr both ways, 15 minutes."""

    run_: Simulation
    figures: Periods

    @classmethod
    def setUpClass(cls) -> None:
        battery = Battery(10, 10, 10, 0.9, 0.9, 0.05, 0.95)
        asked = response_mw([49.80, 49.8925, 49.80, 50.20, 50.00], "dr", 10.0)
        times, edges = [0, 900, 1800, 2700, 3600], [0, 1800, 3600, 4500]
        cls.run_ = simulate(times, asked, edges, battery, soc_start=0.5, hold_s=900)
        cls.figures = by_period(cls.run_)

    def close(self, found: object, expected: list[float]) -> None:
        values = np.asarray(found, dtype=float).tolist()
        self.assertEqual(len(values), len(expected))
        for value, right in zip(values, expected, strict=True):
            self.assertAlmostEqual(value, right, delta=1e-6)

    def test_each_step(self) -> None:
        self.close(self.run_.wanted_mw, [10, 5, 10, -10, 0])
        self.close(self.run_.delivered_mw, [10, 5, 1.2, -10, 0])
        self.close(self.run_.stored_mwh, [2.222222, 0.833333, 0.5, 2.75, 2.75])
        self.assertEqual(self.run_.energy_limited.tolist(), [False, False, True, False, False])

    def test_totals(self) -> None:
        figures = self.figures
        for found, expected in (
            (figures.discharge_mwh, 4.05),
            (figures.charge_mwh, 2.5),
            (figures.requested_discharge_mwh, 6.25),
            (figures.non_delivery_mwh, 2.2),
            (figures.energy_limited_mwh, 2.2),
            (figures.power_limited_mwh, 0.0),
            (figures.losses_mwh, 0.70),
            (figures.cycles, 0.3275),
            (figures.limit_s, 900),
        ):
            self.close([float(found.sum())], [expected])
        share = figures.non_delivery_discharge_mwh.sum() / figures.requested_discharge_mwh.sum()
        self.close([share], [0.352])

    def test_means_and_states_of_charge(self) -> None:
        figures = self.figures
        self.close(figures.delivered_mw, [7.5, -4.4, 0.0])
        self.close(figures.requested_mw, [7.5, 0.0, 0.0])
        self.close(figures.soc_start, [0.5, 0.083333, 0.275])
        self.close(figures.soc_end, [0.083333, 0.275, 0.275])
        self.close(figures.soc_min, [0.083333, 0.05, 0.275])
        self.close(figures.soc_max, [0.5, 0.275, 0.275])
        self.close(figures.coverage, [1.0, 1.0, 1.0])


class HalfHours(unittest.TestCase):
    """Reference 2.2 and 2.3: what the store is asked is the same integral that average_power takes."""

    TIMES = (0, 15, 30, 45, 600, 1200, 1500)
    POWER = (2, 2, 2, 2, -1, -1, 4)
    LARGE = Battery(100, 100, 1000)

    def mean(self, hold_s: float) -> tuple[float, float]:
        run = simulate(self.TIMES, self.POWER, [0, 1800], self.LARGE, hold_s=hold_s)
        found = by_period(run)
        return float(found.delivered_mw[0]), float(found.coverage[0])

    def test_held_for_a_minute(self) -> None:
        mean, coverage = self.mean(60)
        self.assertAlmostEqual(mean, 1.157895, delta=1e-6)
        self.assertAlmostEqual(coverage, 285 / 1800, delta=1e-12)

    def test_held_until_the_next(self) -> None:
        self.assertAlmostEqual(self.mean(1800)[0], 0.833333, delta=1e-6)

    def test_what_is_covered_may_mislead(self) -> None:
        # 10 MW for 15 minutes, then nothing; of the first half the samples of 7.5 minutes are missing.
        times = [*range(450, 1800, 15)]
        power = [10.0 if second < 900 else 0.0 for second in times]
        found = by_period(simulate(times, power, [0, 1800], self.LARGE, hold_s=15))
        self.assertAlmostEqual(found.delivered_mw[0], 10 / 3, delta=1e-6)
        self.assertAlmostEqual(found.coverage[0], 0.75, delta=1e-12)

    def test_the_order_of_averaging_and_of_the_curve_matters(self) -> None:
        asked = response_mw([49.8, 50.2], "dr", 1.0)
        found = by_period(simulate([0, 900], asked, [0, 1800], self.LARGE, hold_s=900))
        energies = (found.discharge_mwh[0], found.charge_mwh[0], found.delivered_mw[0])
        for value, right in zip(energies, (0.25, 0.25, 0.0), strict=True):
            self.assertAlmostEqual(value, right, delta=1e-12)

    def recorded(self) -> list[float]:
        with RECORDED.open(encoding="utf-8") as file:
            return [float(row["f_hz"]) for row in csv.DictReader(file)]

    @unittest.skipUnless(RECORDED.exists(), "the recorded hour is not here")
    def test_the_recorded_hour_every_15_s_and_from_its_mean_frequency(self) -> None:
        hertz = self.recorded()
        expected = {  # mean share of both half hours: every 15th sample, and the wrong way
            "dc": ((0.011681, 0.009097), (0.009731, 0.007849)),
            "dm": ((0.096085, 0.043313), (0.021179, 0.017083)),
            "dr": ((0.233532, 0.181943), (0.194615, 0.156976)),
        }
        halves = [float(np.mean(hertz[:1800])), float(np.mean(hertz[1800:]))]
        for service, (sparse, wrong) in expected.items():
            asked = response_mw(hertz[::15], service, 1.0)
            run = simulate(range(0, 3600, 15), asked, [0, 1800, 3600], self.LARGE, hold_s=15)
            of_mean = response_mw(halves, service, 1.0)
            for half in (0, 1):
                with self.subTest(service=service, half=half):
                    found = by_period(run).delivered_mw[half]
                    self.assertAlmostEqual(found, sparse[half], delta=6e-7)
                    # A mean has more digits than the 1e-6 Hz to which the curve rounds.
                    self.assertAlmostEqual(of_mean[half], wrong[half], delta=5e-6)

    @unittest.skipUnless(RECORDED.exists(), "the recorded hour is not here")
    def test_the_recorded_hour(self) -> None:
        hertz = self.recorded()
        expected = {  # mean share, low MWh, high MWh of both half hours
            "dc": ((0.011891, 0.009110), (0.006633, 0.004954), (0.000688, 0.000399)),
            "dm": ((0.098034, 0.044207), (0.050514, 0.022972), (0.001497, 0.000869)),
            "dr": ((0.235483, 0.182206), (0.131498, 0.099084), (0.013756, 0.007982)),
        }
        for service, (means, low, high) in expected.items():
            asked = response_mw(hertz, service, 1.0)
            run = simulate(range(3600), asked, [0, 1800, 3600], self.LARGE, hold_s=1)
            found = by_period(run)
            for name, values in (
                ("delivered_mw", means),
                ("discharge_mwh", low),
                ("charge_mwh", high),
            ):
                for half in (0, 1):
                    with self.subTest(service=service, name=name, half=half):
                        value = float(getattr(found, name)[half])
                        self.assertAlmostEqual(value, values[half], delta=6e-7)


class Rules(unittest.TestCase):
    """Reference 1.3: the state-of-energy rules with NESO's own examples."""

    def test_running_requirement(self) -> None:
        self.assertEqual(
            running_requirement([2, 0, 0, 0, 0, 0, 0, 0], 50), [50, 48, 48, 48, 48, 50, 50, 50]
        )

    def test_running_requirement_with_the_cap(self) -> None:
        self.assertEqual(
            running_requirement([30, 0, 0, 0, 0, 0, 0, 0, 0], 50),
            [50, 20, 20, 20, 20, 30, 40, 50, 50],
        )

    def test_energy_to_start_with(self) -> None:
        self.assertEqual(energy_window(100, 40, 40), (40, 60))

    def test_power_kept_for_recovery(self) -> None:
        for low, high, sustain_h, needed in (
            (41, 41, 0.5, 49.2),  # fits a unit of 50 MW
            (42, 42, 0.5, 50.4),  # does not
            (50, 20, 0.25, 52),
            (10, 10, 1, 14),
            (10, 0, 1, 10),
        ):
            with self.subTest(low=low, high=high):
                self.assertAlmostEqual(power_needed(low, high, sustain_h), needed, delta=1e-9)

    def test_availability(self) -> None:
        battery = Battery(50, 50, 100)
        # Two periods at full power, then quiet, in one block: 50 MWh are required of each period.
        times = [n * 1800.0 for n in range(8)]
        run = simulate(
            times,
            [50, 0, 0, 0, 0, 0, 0, 0],
            [*times, 8 * 1800.0],
            battery,
            soc_start=0.5,
            hold_s=1800,
        )
        figures = by_period(run)
        found = availability(run, figures, ["a"] * 8, 50, 50).tolist()
        # 25 MWh are gone: required are 50, 25, 25, 25, 25, 35, 45, 50 and 25 are there.
        self.assertEqual(found, [True, True, True, True, True, False, False, False])
        # A new block asks for everything at once.
        found = availability(run, figures, ["a"] * 4 + ["b"] * 4, 50, 50).tolist()
        self.assertEqual(found, [True] * 4 + [False] * 4)
        # Only low frequency is contracted, and little of it.
        self.assertTrue(availability(run, figures, ["a"] * 8, 20, 0).all())


class Strategies(unittest.TestCase):
    BATTERY = Battery(50, 50, 100, 0.9, 0.9)

    def half_hours(self, asked: list[float], recovery: Recovery, soc: float = 0.5) -> Simulation:
        times = [n * 1800.0 for n in range(len(asked))]
        edges = [*times, len(asked) * 1800.0]
        return simulate(
            times, asked, edges, self.BATTERY, soc_start=soc, hold_s=1800, recovery=recovery
        )

    def test_none_leaves_the_store_where_it_is(self) -> None:
        run = self.half_hours([20, 0, 0], Recovery())
        self.assertAlmostEqual(run.first_mwh[-1], 50 - 10 / 0.9)
        self.assertEqual(run.recovery_mw.tolist(), [0, 0, 0])

    def test_next_takes_back_at_most_so_much_a_period(self) -> None:
        # 10 MWh out cost 11.111 of the store, 12.346 MWh of charging; 10 of them in the next period.
        run = self.half_hours([20, 0, 0, 0], Recovery("next", most_mwh=10))
        needed = 10 / 0.9 / 0.9
        expected = [0, -20, -(needed - 10) * 2, 0]
        for value, right in zip(run.recovery_mw.tolist(), expected, strict=True):
            self.assertAlmostEqual(value, right, delta=1e-9)
        self.assertAlmostEqual(run.first_mwh[-1], 50, delta=1e-9)
        self.assertAlmostEqual(by_period(run).recovery_mwh.sum(), -needed, delta=1e-9)

    def test_target_waits_for_its_deadband(self) -> None:
        recovery = Recovery("target", target=0.5, deadband=0.05, most_mwh=100)
        run = self.half_hours([0, 0], recovery, soc=0.54)
        self.assertEqual(run.recovery_mw.tolist(), [0, 0])
        run = self.half_hours([0, 0], recovery, soc=0.56)
        self.assertAlmostEqual(run.recovery_mw[0], 6 * 0.9 * 2, delta=1e-9)
        self.assertAlmostEqual(run.first_mwh[1], 50, delta=1e-9)
        self.assertEqual(run.recovery_mw[1], 0)

    def test_recovery_never_exceeds_power(self) -> None:
        recovery = Recovery("target", target=0.9, most_mwh=1000)
        self.assertEqual(self.half_hours([0], recovery, soc=0.1).recovery_mw.tolist(), [-50])

    def test_what_power_cannot_give_is_counted_as_such(self) -> None:
        run = self.half_hours([80], Recovery())
        figures = by_period(run)
        self.assertAlmostEqual(figures.power_limited_mwh[0], 15)
        self.assertAlmostEqual(figures.energy_limited_mwh[0], 0)
        self.assertAlmostEqual(figures.non_delivery_discharge_mwh[0], 15)


class Gaps(unittest.TestCase):
    def test_in_a_gap_energy_is_held_and_nothing_is_asked(self) -> None:
        battery = Battery(10, 10, 10)
        run = simulate([0, 1200], [6, 6], [0, 1800, 3600], battery, hold_s=60)
        figures = by_period(run)
        self.assertAlmostEqual(figures.discharge_mwh[0], 0.2)
        self.assertAlmostEqual(figures.coverage[0], 120 / 1800)
        self.assertAlmostEqual(figures.soc_end[0], 0.48)
        self.assertEqual(figures.coverage[1], 0)
        self.assertTrue(math.isnan(figures.delivered_mw[1]))
        self.assertAlmostEqual(figures.soc_min[1], 0.48)
        self.assertEqual(figures.discharge_mwh[1], 0)

    def test_no_samples_at_all(self) -> None:
        figures = by_period(simulate([], [], [0, 1800], Battery(1, 1, 1)))
        self.assertEqual((figures.coverage[0], figures.soc_end[0]), (0, 0.5))


class Refusals(unittest.TestCase):
    def test_impossible_batteries(self) -> None:
        for arguments in (
            (1, 1, 0),
            (-1, 1, 1),
            (1, 1, 1, 0),
            (1, 1, 1, 1, 1.1),
            (1, 1, 1, 1, 1, 0.9, 0.1),
            (1, 1, 1, 1, 1, 0, 2),
        ):
            with self.subTest(arguments=arguments), self.assertRaises(UsageError):
                Battery(*arguments)

    def test_a_start_outside_the_limits(self) -> None:
        with self.assertRaises(UsageError):
            simulate([0], [0], [0, 1800], Battery(1, 1, 1, 1, 1, 0.2, 0.8), soc_start=0.1)

    def test_a_target_outside_the_limits(self) -> None:
        with self.assertRaises(UsageError):
            simulate(
                [0], [0], [0, 1800], Battery(1, 1, 1, soc_max=0.8), recovery=Recovery("target", 0.9)
            )

    def test_an_unknown_strategy_is_named_with_those_there_are(self) -> None:
        with self.assertRaises(UsageError) as caught:
            Recovery("often")
        for word in ("often", "none", "target", "next"):
            self.assertIn(word, str(caught.exception))


class AgainstTheLoop(unittest.TestCase):
    """Random requests through small stores, which hit their limits all the time."""

    def check(
        self,
        battery: Battery,
        start: float,
        samples: list[tuple[int, float]],
        strategy: str,
        target: float,
        deadband: float,
        most_mwh: float,
    ) -> None:
        """``samples`` are (seconds to the next, MW); ``start`` and ``target`` shares of what is usable."""
        usable = battery.soc_max - battery.soc_min
        soc, aim = (
            min(battery.soc_min + share * usable, battery.soc_max) for share in (start, target)
        )
        steps = [seconds for seconds, _ in samples]
        times = [float(sum(steps[:n])) for n in range(len(steps))]
        asked = [power for _, power in samples]
        recovery = Recovery(strategy, aim, deadband, most_mwh)
        edges = [n * 1800.0 for n in range(5)]
        run = simulate(times, asked, edges, battery, soc_start=soc, hold_s=60, recovery=recovery)
        figures = by_period(run)
        pieces = list(zip(run.seconds.tolist(), run.wanted_mw.tolist(), strict=True))
        by_hand = loop(pieces, battery, soc)
        self.assertEqual(len(by_hand), len(pieces))
        for n, (power, stored) in enumerate(by_hand):
            self.assertAlmostEqual(run.delivered_mw[n], power, delta=1e-6)
            self.assertAlmostEqual(run.stored_mwh[n], stored, delta=1e-8)
        # Within limits.
        self.assertTrue((run.delivered_mw <= battery.discharge_mw).all())
        self.assertTrue((run.delivered_mw >= -battery.charge_mw).all())
        self.assertTrue((np.abs(run.delivered_mw) <= np.abs(run.wanted_mw) + 1e-12).all())
        self.assertTrue((run.stored_mwh >= battery.floor_mwh).all())
        self.assertTrue((run.stored_mwh <= battery.ceiling_mwh).all())
        # What goes in and does not come out is stored or lost.
        kept = run.first_mwh[1:] - run.first_mwh[:-1]
        lost = figures.charge_mwh - figures.discharge_mwh - kept
        np.testing.assert_allclose(figures.losses_mwh, lost, atol=1e-9)
        self.assertTrue((figures.losses_mwh >= 0).all())
        np.testing.assert_allclose(
            figures.non_delivery_mwh,
            figures.power_limited_mwh + figures.energy_limited_mwh,
            atol=1e-9,
        )
        self.assertTrue((figures.non_delivery_mwh >= -1e-12).all())
        # Recovery keeps to its cap.
        self.assertTrue((np.abs(run.recovery_mw) * 0.5 <= recovery.most_mwh + 1e-12).all())
        # What is asked is what average_power would say.
        plain = integrate(times, asked, edges, hold_s=60, min_coverage=0)
        np.testing.assert_allclose(figures.requested_mw, plain.mean, atol=1e-9)
        np.testing.assert_allclose(figures.coverage, plain.coverage, atol=1e-12)

    def test_many_batteries(self) -> None:
        for seed in range(60):
            rng = random.Random(seed)
            battery = Battery(
                rng.uniform(0, 30),
                rng.uniform(0, 30),
                rng.uniform(0.5, 60),
                rng.uniform(0.5, 1),
                rng.uniform(0.5, 1),
                rng.uniform(0, 0.3),
                rng.uniform(0.7, 1),
            )
            samples = [
                (rng.choice([1, 15, 15, 15, 60, 300]), rng.choice([0, 1, 1]) * rng.uniform(-40, 40))
                for _ in range(150)
            ]
            with self.subTest(seed=seed):
                self.check(
                    battery,
                    rng.random(),
                    samples,
                    rng.choice(STRATEGIES),
                    rng.random(),
                    rng.uniform(0, 0.1),
                    rng.uniform(0, 10),
                )

    @unittest.skipUnless(importlib.util.find_spec("hypothesis"), "hypothesis is not installed")
    def test_any_battery(self) -> None:
        from hypothesis import given, settings
        from hypothesis import strategies as st

        share, efficiency = st.floats(0, 1), st.floats(0.5, 1)
        batteries = st.builds(
            Battery,
            st.floats(0, 30),
            st.floats(0, 30),
            st.floats(0.5, 60),
            efficiency,
            efficiency,
            st.floats(0, 0.3),
            st.floats(0.7, 1),
        )
        powers = st.floats(-40, 40) | st.sampled_from([0.0, 30.0, -30.0])
        samples = st.lists(st.tuples(st.sampled_from([1, 15, 60, 300, 1800]), powers), max_size=40)
        anything = given(
            batteries,
            share,
            samples,
            st.sampled_from(STRATEGIES),
            share,
            st.floats(0, 0.1),
            st.floats(0, 10),
        )
        settings(max_examples=50, deadline=None, database=None)(anything(self.check))()


if __name__ == "__main__":
    unittest.main()
