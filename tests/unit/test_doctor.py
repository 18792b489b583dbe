"""What ``doctor`` says where there is nothing to ask a provider for."""

from __future__ import annotations

import unittest
from datetime import UTC, datetime

import doctor
from sources.entsoe import ENTSOE


class Live(unittest.TestCase):
    def test_without_a_zone_nothing_is_asked_and_the_reason_said(self) -> None:
        settings = {"ENTSOE_ZONES": (), "ENTSOE_BORDERS": (), "ENTSOE_API_TOKEN": "x"}
        found = doctor._live(ENTSOE, settings, datetime(2024, 11, 1, tzinfo=UTC))
        self.assertEqual(found.verdict, doctor.MIND)
        self.assertEqual(found.detail, "not asked: ENTSOE_ZONES names nothing to ask for")


if __name__ == "__main__":
    unittest.main()
