"""Response curves against the reference's worked table."""

from __future__ import annotations

import unittest

import numpy as np

from domain.errors import UsageError
from domain.response import SERVICES, response_mw, response_share

# Reference, section 1.2: frequency, then the share under DC, DM, DR, FCR, unsigned droop, EFR narrow.
WORKED = (
    (49.4000, 1, 1, 1, 1, 1, 1),
    (49.5000, 1, 1, 1, 1, 1, 1),
    (49.6500, 0.525, 1, 1, 1, 0.70, 0.690722),
    (49.8000, 0.05, 1, 1, 1, 0.40, 0.381443),
    (49.8925, 0.025, 0.12125, 0.5, 0.5375, 0.215, 0.190722),
    (49.9850, 0, 0, 0, 0.075, 0.03, 0),
    (50.0000, 0, 0, 0, 0, 0, 0),
    (50.0150, 0, 0, 0, -0.075, 0.03, 0),
    (50.1000, -0.022973, -0.05, -0.459459, -0.5, 0.20, -0.175258),
    (50.2000, -0.05, -1, -1, -1, 0.40, -0.381443),
    (50.3000, -0.366667, -1, -1, -1, 0.60, -0.587629),
    (50.6000, -1, -1, -1, -1, 1, -1),
)
FREQUENCIES = [row[0] for row in WORKED]


def share(frequency_hz: float, service: str) -> float:
    return float(response_share([frequency_hz], service)[0])


class WorkedTable(unittest.TestCase):
    def check(self, service: str, column: int) -> None:
        shares = response_share(FREQUENCIES, service)
        for row, found in zip(WORKED, shares, strict=True):
            with self.subTest(service=service, frequency=row[0]):
                self.assertLess(abs(float(found) - row[column]), 1e-6)

    def test_dynamic_containment(self) -> None:
        self.check("dc", 1)

    def test_dynamic_moderation(self) -> None:
        self.check("dm", 2)

    def test_dynamic_regulation(self) -> None:
        self.check("dr", 3)

    def test_frequency_containment_reserve(self) -> None:
        self.check("fcr", 4)

    def test_enhanced_frequency_response_narrow(self) -> None:
        self.check("efr_narrow", 6)

    def test_droop_is_the_unsigned_column_with_a_sign(self) -> None:
        for row, found in zip(WORKED, response_share(FREQUENCIES, "droop"), strict=True):
            signed = row[5] if row[0] < 50 else -row[5]
            formula = min(abs(row[0] - 50) / 0.5, 1) * (1 if row[0] < 50 else -1)
            with self.subTest(frequency=row[0]):
                self.assertLess(abs(float(found) - signed), 1e-6)
                self.assertLess(abs(float(found) - formula), 1e-6)

    def test_the_figures_beside_the_table(self) -> None:
        self.assertAlmostEqual(share(49.75, "dc"), 0.208333, delta=1e-6)
        self.assertAlmostEqual(share(50.011, "fcr"), -0.055, delta=1e-6)
        self.assertAlmostEqual(share(49.75, "efr_narrow"), 0.484536, delta=1e-6)
        self.assertAlmostEqual(share(49.75, "efr_wide"), 0.444444, delta=1e-6)
        self.assertEqual(share(49.95, "efr_wide"), 0.0)
        self.assertEqual(share(50.5, "efr_wide"), -1.0)

    def test_how_long_full_power_lasts(self) -> None:
        hours = {"dc": 0.25, "dm": 0.5, "dr": 1.0, "efr_wide": 0.25, "efr_narrow": 0.25}
        for key, sustained in hours.items():
            with self.subTest(service=key):
                self.assertEqual(SERVICES[key].sustain_h, sustained)


class Edges(unittest.TestCase):
    def test_nothing_up_to_the_deadband_edge_exactly(self) -> None:
        self.assertNotEqual(50.015 - 50, 0.015)  # the trap: binary fractions
        for service in ("dc", "dm", "dr"):
            for frequency in (49.985, 49.99, 50.01, 50.015):
                with self.subTest(service=service, frequency=frequency):
                    self.assertEqual(share(frequency, service), 0.0)

    def test_a_ramp_from_zero_beyond_the_deadband(self) -> None:
        for service, slope in (("dc", 0.05 / 0.185), ("dm", 0.05 / 0.085), ("dr", 1 / 0.185)):
            with self.subTest(service=service):
                self.assertAlmostEqual(share(50.016, service), -slope * 0.001, delta=1e-9)
                self.assertAlmostEqual(share(49.984, service), slope * 0.001, delta=1e-9)

    def test_fcr_steps_to_the_full_deviation_behind_its_insensitivity(self) -> None:
        self.assertEqual(share(50.010, "fcr"), 0.0)
        self.assertEqual(share(49.990, "fcr"), 0.0)
        self.assertAlmostEqual(share(49.989, "fcr"), 0.055, delta=1e-9)

    def test_droop_has_no_deadband(self) -> None:
        self.assertAlmostEqual(share(49.999, "droop"), 0.002, delta=1e-9)

    def test_every_service_is_symmetric_bounded_and_monotonic(self) -> None:
        deviations = [n / 1000 for n in range(0, 1001)]
        for service in SERVICES:
            low = response_share([50 - d for d in deviations], service)
            high = response_share([50 + d for d in deviations], service)
            with self.subTest(service=service):
                self.assertEqual(low.tolist(), (-high + 0.0).tolist())
                self.assertTrue((np.diff(low) >= 0).all())
                self.assertEqual((low.min(), low.max()), (0.0, 1.0))

    def test_no_negative_zero(self) -> None:
        around = [49.985, 49.99, 50.0, 50.001, 50.005, 50.01, 50.015]
        for service in SERVICES:
            for values in (response_share(around, service), response_mw(around, service, 10.0)):
                with self.subTest(service=service):
                    self.assertFalse((np.signbit(values) & (values == 0)).any())

    def test_no_samples_give_no_values(self) -> None:
        self.assertEqual(response_share([], "dc").tolist(), [])


class Power(unittest.TestCase):
    def test_power_is_the_share_of_the_contracted_power(self) -> None:
        found = response_mw([49.65, 50.3, 50.0], "dc", 20.0)
        for value, expected in zip(found, (10.5, -7.333333, 0.0), strict=True):
            self.assertAlmostEqual(float(value), expected, delta=2e-5)

    def test_a_direction_answers_one_side_only(self) -> None:
        frequencies = [49.8, 50.0, 50.2]
        for direction, expected in (("low", [9, 0, 0]), ("high", [0, 0, -9]), ("both", [9, 0, -9])):
            found = response_mw(frequencies, "dr", 9.0, direction)
            with self.subTest(direction=direction):
                self.assertEqual(found.tolist(), expected)
                self.assertFalse((np.signbit(found) & (found == 0)).any())
        with self.assertRaises(UsageError) as caught:
            response_mw([50.0], "dr", 1.0, "up")
        self.assertIn("low, high, both", str(caught.exception))

    def test_an_unknown_service_is_named_with_those_there_are(self) -> None:
        with self.assertRaises(UsageError) as caught:
            response_mw([50.0], "efr", 1.0)
        message = str(caught.exception)
        self.assertIn("'efr'", message)
        for service in ("droop", "dc", "dm", "dr", "fcr"):
            self.assertIn(service, message)


if __name__ == "__main__":
    unittest.main()
