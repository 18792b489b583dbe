"""battery_response on samples made by hand, against hand figures."""

from __future__ import annotations

import random
import unittest
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from domain.errors import UsageError
from domain.settlement import day_window, days_window, efa_block
from domain.tables import conform
from domain.windows import Window
from products import average_power, battery_response

SHORT, LONG, SUMMER = date(2024, 3, 31), date(2024, 10, 27), date(2024, 7, 1)
DEFAULTS = {
    setting.key.lower(): setting.parse(setting.default) for setting in battery_response.SETTINGS
}


def frequency(samples: dict[datetime, float]) -> pd.DataFrame:
    times = pd.Series(list(samples), dtype="datetime64[us, UTC]")
    return pd.DataFrame({"measurement_time": times, "frequency_hz": list(samples.values())})


def auctions(*rows: tuple[str, str, str, float, float]) -> pd.DataFrame:
    """(delivery start, end, service, cleared MW, price) rows with the dtypes of the store."""
    names = ["delivery_start", "delivery_end", "service", "cleared_volume_mw"]
    frame = pd.DataFrame(rows, columns=[*names, "clearing_price_gbp_per_mw_per_h"])
    for name in names[:2]:
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
    return frame


def every(seconds: int, window: Window, hz: float) -> dict[datetime, float]:
    start = window.start - timedelta(seconds=60)
    count = int((window.end - start).total_seconds()) // seconds
    return {start + timedelta(seconds=seconds * n): hz for n in range(count)}


def rows_of(
    samples: dict[datetime, float], window: Window, prices: pd.DataFrame | None = None, **kw: Any
) -> pd.DataFrame:
    given = DEFAULTS | {"response_service": "dr"} | kw
    sold = auctions() if prices is None else prices
    result = battery_response.compute(frequency(samples), sold, window=window, **given)
    found = conform(battery_response.PRODUCT.table, result, "test")
    assert not found.unknown and not len(found.older)
    return found.frame


class BatteryResponse(unittest.TestCase):
    def test_constant_low_frequency_empties_the_store(self) -> None:
        # 49.8925 Hz asks half of 4 MW. 2 MWh x 50 % at 80 %: 0.8 MWh, so 24 minutes of 2 MW.
        window = day_window(SUMMER)
        found = rows_of(
            every(15, window, 49.8925),
            window,
            battery_power_mw=4.0,
            battery_discharge_efficiency=0.8,
            battery_recovery="none",
        )
        first, second = found.iloc[0], found.iloc[1]
        self.assertEqual(len(found), 48)
        for name, value in (
            ("requested_mw", 2.0),
            ("delivered_mw", 1.6),
            ("discharge_mwh", 0.8),
            ("response_discharge_mwh", 0.8),
            ("charge_mwh", 0.0),
            ("losses_mwh", 0.2),
            ("non_delivery_mwh", 0.2),
            ("energy_limited_mwh", 0.2),
            ("power_limited_mwh", 0.0),
            ("non_delivery_share", 0.2),
            ("seconds_at_limit", 360.0),
            ("soc_start", 0.5),
            ("soc_end", 0.0),
            ("equivalent_full_cycles", 0.2),
            ("coverage", 1.0),
        ):
            with self.subTest(column=name):
                self.assertAlmostEqual(float(first[name]), value, delta=1e-9)
        self.assertEqual((second["delivered_mw"], second["non_delivery_share"]), (0.0, 1.0))
        self.assertEqual(second["seconds_at_limit"], 1800.0)

    def test_calendar_of_days_of_46_48_and_50_periods(self) -> None:
        for day, periods in ((SHORT, 46), (SUMMER, 48), (LONG, 50)):
            window = day_window(day)
            found = rows_of(every(60, window, 50.0), window)
            with self.subTest(day=day):
                self.assertEqual(list(found["settlement_period"]), list(range(1, periods + 1)))
                for row in found.itertuples():
                    efa_day, block = efa_block(row.period_start.to_pydatetime())
                    self.assertEqual((row.efa_date.date(), row.efa_block), (efa_day, block))

    def test_each_day_starts_anew_and_equals_the_day_alone(self) -> None:
        rng = random.Random(3)
        both = days_window(SUMMER, SUMMER + timedelta(days=1))
        samples = {t: rng.gauss(50, 0.1) for t in every(15, both, 0.0) if rng.random() > 0.05}
        together = rows_of(samples, both)
        for day in (SUMMER, SUMMER + timedelta(days=1)):
            window = day_window(day)
            reach = window.start - timedelta(seconds=60)
            near = {t: hz for t, hz in samples.items() if reach <= t < window.end}
            part = together[together["settlement_date"] == pd.Timestamp(day)]
            pd.testing.assert_frame_equal(
                part.reset_index(drop=True), rows_of(near, window), check_exact=True
            )
            self.assertEqual(part["soc_start"].iloc[0], 0.5)

    def test_within_a_day_the_store_carries_over_and_energy_balances(self) -> None:
        rng = random.Random(4)
        window = day_window(LONG)
        samples = {t: rng.gauss(50, 0.1) for t in every(15, window, 0.0) if rng.random() > 0.3}
        for recovery in ("none", "target", "next"):
            found = rows_of(samples, window, battery_recovery=recovery)
            with self.subTest(recovery=recovery):
                self.assertEqual(list(found["soc_end"])[:-1], list(found["soc_start"])[1:])
                kept = (found["soc_end"] - found["soc_start"]) * DEFAULTS["battery_energy_mwh"]
                lost = found["charge_mwh"] - found["discharge_mwh"] - kept
                self.assertLess((lost - found["losses_mwh"]).abs().max(), 1e-9)
                self.assertTrue((found["losses_mwh"] >= 0).all())

    def test_a_store_without_limits_equals_average_power(self) -> None:
        rng = random.Random(5)
        window = day_window(SUMMER)
        samples = {t: rng.gauss(50, 0.1) for t in every(15, window, 0.0) if rng.random() > 0.2}
        found = rows_of(samples, window, battery_energy_mwh=10_000.0, battery_recovery="none")
        plain = average_power.compute(
            frequency(samples), window=window, response_service="dr", battery_power_mw=1.0
        )
        for mine, theirs in (
            ("requested_mw", "average_power_mw"),
            ("delivered_mw", "average_power_mw"),
            ("discharge_mwh", "discharge_mwh"),
            ("charge_mwh", "charge_mwh"),
            ("coverage", "coverage"),
        ):
            self.assertLess((found[mine] - plain[theirs]).abs().max(), 1e-9, mine)

    def test_periods_that_are_hardly_covered_claim_nothing(self) -> None:
        window = day_window(SUMMER)
        quiet = window.start + timedelta(minutes=30)
        samples = {t: 49.9 for t in every(15, window, 0.0) if t < quiet + timedelta(minutes=5)}
        found = rows_of(samples, window)
        part, none = found.iloc[1], found.iloc[2]
        self.assertAlmostEqual(part["coverage"], (300 + 45) / 1800, delta=1e-9)
        for name in ("requested_mw", "delivered_mw", "available", "revenue_gbp"):
            self.assertTrue(pd.isna(part[name]), name)
            self.assertTrue(pd.isna(none[name]), name)
        self.assertGreater(part["discharge_mwh"], 0)
        self.assertTrue(pd.isna(none["discharge_mwh"]))
        self.assertEqual(none["soc_start"], none["soc_end"])

    def test_implausible_samples_count_as_missing(self) -> None:
        window = day_window(SUMMER)
        good = every(15, window, 49.9)
        bad = good | {window.start + timedelta(seconds=600): 0.0}
        change = rows_of(good, window)["delivered_mw"] - rows_of(bad, window)["delivered_mw"]
        self.assertLess(change.abs().max(), 1e-9)

    def test_a_direction_answers_one_side_only(self) -> None:
        window = day_window(SUMMER)
        samples = every(15, window, 50.1)
        low = rows_of(samples, window, response_direction="low", battery_recovery="none")
        self.assertEqual(low["charge_mwh"].sum(), 0)
        high = rows_of(samples, window, response_direction="high", battery_recovery="none")
        self.assertGreater(high["charge_mwh"].sum(), 0)

    def test_available_only_with_the_required_energy(self) -> None:
        window = day_window(SUMMER)
        samples = every(15, window, 50.0)
        # dr, 1 MW, an hour: 1 MWh out and 1 MWh in, which 2 MWh with losses cannot hold.
        self.assertFalse(rows_of(samples, window)["available"].any())
        self.assertTrue(rows_of(samples, window, battery_energy_mwh=2.5)["available"].all())
        self.assertTrue(rows_of(samples, window, response_direction="high")["available"].all())
        self.assertTrue(rows_of(samples, window, response_sustain_minutes=30.0)["available"].all())

    def test_a_contradiction_of_settings_is_said(self) -> None:
        window = day_window(SUMMER)
        with self.assertRaises(UsageError):
            rows_of({}, window, battery_soc_min=0.6)


class Revenue(unittest.TestCase):
    """Reference 1.4: DCL on 2022-07-15, block 1: 37.00 GBP/MW/h x 10 MW x 4 h = 1,480 GBP."""

    DAY = date(2022, 7, 15)
    BLOCK = ("2022-07-14T22:00Z", "2022-07-15T02:00Z")

    def revenue(self, prices: pd.DataFrame, **kw: Any) -> pd.Series:
        window = day_window(self.DAY)
        given = {"response_service": "dc", "battery_power_mw": 10.0, "battery_energy_mwh": 50.0}
        found = rows_of(every(15, window, 50.0), window, prices, **(given | kw))
        return found["revenue_gbp"]

    def test_the_recorded_block(self) -> None:
        # Six of its eight half hours lie in the settlement day: the block begins at 23:00 before.
        found = self.revenue(auctions((*self.BLOCK, "DCL", 828.0, 37.0)), response_direction="low")
        self.assertEqual(found.notna().sum(), 6)
        self.assertAlmostEqual(found.sum(), 1480 * 6 / 8, delta=1e-9)

    def test_the_whole_block(self) -> None:
        prices = auctions((*self.BLOCK, "DCL", 828.0, 37.0))
        block = Window(*(datetime.fromisoformat(text) for text in self.BLOCK))
        given = {"response_service": "dc", "response_direction": "low", "battery_power_mw": 10.0}

        def revenue(samples: dict[datetime, float], **kw: Any) -> float:
            plan = battery_response.Plan.of(**(DEFAULTS | given | kw))
            rows, _ = battery_response.respond(frequency(samples), prices, block, plan)
            return float(rows["revenue_gbp"].sum())

        quiet = every(15, block, 50.0)
        self.assertAlmostEqual(revenue(quiet, battery_energy_mwh=50.0), 1480.0, delta=1e-6)
        # 1 MWh out of 2.5 in the first period: 1.5 is required of the next three and there, then
        # recovery is due, 0.5 a period, and without any the last four of eight periods are not paid.
        low = {t: 49.5 for t in quiet if block.start <= t < block.start + timedelta(minutes=6)}
        perfect = {"battery_charge_efficiency": 1.0, "battery_discharge_efficiency": 1.0}
        some = revenue(quiet | low, battery_energy_mwh=5.0, battery_recovery="none", **perfect)
        self.assertAlmostEqual(some, 1480.0 * 5 / 8, delta=1e-6)

    def test_response_energy_volume(self) -> None:
        # Reference 1.3: 20 MW of DCL are 5 MWh; 40 MW of DR both ways take a store of 80.
        given = {"response_service": "dc", "response_direction": "low", "battery_power_mw": 20.0}
        plan = battery_response.Plan.of(**(DEFAULTS | given))
        self.assertEqual((plan.response_mwh("low"), plan.response_mwh("high")), (5.0, 0.0))
        both = {"response_service": "dr", "battery_power_mw": 40.0}
        both |= {"battery_charge_efficiency": 1.0, "battery_discharge_efficiency": 1.0}
        self.assertEqual(battery_response.Plan.of(**(DEFAULTS | both)).energy_needed_mwh, 80.0)

    def test_both_directions_need_both_prices(self) -> None:
        low = (*self.BLOCK, "DCL", 828.0, 37.0)
        self.assertEqual(self.revenue(auctions(low)).notna().sum(), 0)
        found = self.revenue(auctions(low, (*self.BLOCK, "DCH", 587.0, 2.95)))
        self.assertAlmostEqual(found.sum(), (37 + 2.95) * 10 * 3, delta=1e-9)

    def test_no_revenue_without_energy_without_price_or_outside_the_auctions(self) -> None:
        low = (*self.BLOCK, "DCL", 828.0, 37.0)
        found = self.revenue(auctions(low), response_direction="low", battery_energy_mwh=2.0)
        self.assertEqual(found.sum(), 0)
        self.assertEqual(found.notna().sum(), 6)
        self.assertEqual(self.revenue(auctions()).notna().sum(), 0)
        nothing = auctions((*self.BLOCK, "DCL", 0.0, 0.0))
        self.assertEqual(self.revenue(nothing, response_direction="low").notna().sum(), 0)
        other = self.revenue(auctions(low), response_service="fcr", response_direction="low")
        self.assertEqual(other.notna().sum(), 0)


if __name__ == "__main__":
    unittest.main()
