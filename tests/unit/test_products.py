"""Products on inputs made by hand, against figures computed by hand or with plain loops."""

from __future__ import annotations

import inspect
import random
import unittest
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import job
from domain.response import response_mw
from domain.settlement import day_window, days_window, period_window, settlement_columns
from domain.tables import Table, conform
from domain.windows import Window
from products import PRODUCTS, average_power, battery_power, wind_solar_summary
from products.product import Product
from sources import DATASETS
from sources.elexon import WIND_SOLAR
from utils import load_settings

SHORT, LONG, SUMMER = date(2024, 3, 31), date(2024, 10, 27), date(2024, 7, 1)
FLOATS = tuple(c.name for c in average_power.PRODUCT.table.columns if c.dtype == "float")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def frequency(samples: dict[datetime, float]) -> pd.DataFrame:
    """A frame with the dtypes that a store returns."""
    times = pd.Series(list(samples), dtype="datetime64[us, UTC]")
    return pd.DataFrame({"measurement_time": times, "frequency_hz": list(samples.values())})


def every(seconds: int, window: Window, hz: float) -> dict[datetime, float]:
    """Equal samples from a minute before the window to its end."""
    start = window.start - timedelta(seconds=60)
    count = int((window.end - start).total_seconds()) // seconds
    return {start + timedelta(seconds=seconds * n): hz for n in range(count)}


def powers(
    samples: dict[datetime, float], window: Window, service: str = "droop", mw: float = 1.0
) -> pd.DataFrame:
    return average_power.compute(
        frequency(samples), window=window, response_service=service, battery_power_mw=mw
    )


def only(frame: pd.DataFrame) -> dict[str, Any]:
    assert len(frame) == 1, frame
    return dict(frame.iloc[0])


class AveragePower(unittest.TestCase):
    PERIOD = period_window(SUMMER, 21)

    def within(self, seconds_hz: dict[float, float], **kwargs: Any) -> dict[str, Any]:
        """The figures of one period; samples are given in seconds from its start."""
        start = self.PERIOD.start
        samples = {start + timedelta(seconds=s): hz for s, hz in sorted(seconds_hz.items())}
        return only(powers(samples, self.PERIOD, **kwargs))

    def assert_figures(self, row: dict[str, Any], **expected: float) -> None:
        for name, value in expected.items():
            self.assertAlmostEqual(float(row[name]), value, delta=1e-12, msg=name)

    def test_constant_low_frequency_on_days_of_46_48_and_50_periods(self) -> None:
        for day, periods in ((SHORT, 46), (SUMMER, 48), (LONG, 50)):
            window = day_window(day)
            found = powers(every(15, window, 49.75), window)
            with self.subTest(day=day):
                self.assertEqual(list(found["settlement_period"]), list(range(1, periods + 1)))
                self.assertEqual({f"{d:%Y-%m-%d}" for d in found["settlement_date"]}, {f"{day}"})
                for name, value in (
                    ("average_power_mw", 0.5),
                    ("average_discharge_mw", 0.5),
                    ("average_charge_mw", 0.0),
                    ("average_activity_mw", 0.5),
                    ("discharge_mwh", 0.25),
                    ("charge_mwh", 0.0),
                    ("coverage", 1.0),
                    ("samples", 120),
                ):
                    self.assertEqual(set(found[name]), {value}, name)
                self.assertEqual(set(found["service"]), {"droop"})

    def test_high_frequency_charges(self) -> None:
        row = self.within(dict.fromkeys(range(0, 1800, 15), 50.25), mw=10.0)
        self.assert_figures(
            row,
            average_power_mw=-5.0,
            average_discharge_mw=0.0,
            average_charge_mw=5.0,
            average_activity_mw=5.0,
            discharge_mwh=0.0,
            charge_mwh=2.5,
        )

    def test_samples_become_power_before_they_are_averaged(self) -> None:
        # Mean frequency is 50 Hz, which would say that nothing happened.
        samples = {s: 49.8 if s < 900 else 50.2 for s in range(0, 1800, 15)}
        self.assert_figures(
            self.within(samples, service="dr"),
            average_power_mw=0.0,
            average_discharge_mw=0.5,
            average_charge_mw=0.5,
            average_activity_mw=1.0,
            discharge_mwh=0.25,
            charge_mwh=0.25,
        )
        # Mean frequency is 49.9 Hz: dm 0.05, but half the time at 49.8 Hz is worth 0.5.
        samples = {s: 49.8 if s < 900 else 50.0 for s in range(0, 1800, 15)}
        row = self.within(samples, service="dm", mw=2.0)
        self.assert_figures(row, average_power_mw=1.0, discharge_mwh=0.5, charge_mwh=0.0)

    def test_means_are_weighted_by_time(self) -> None:
        # Every second at 49.75 Hz for ten minutes, then every minute at 50 Hz for twenty.
        samples = dict.fromkeys(range(600), 49.75) | dict.fromkeys(range(600, 1800, 60), 50.0)
        row = self.within(samples)
        self.assert_figures(row, average_power_mw=0.5 / 3, discharge_mwh=0.5 / 6, coverage=1.0)
        self.assertEqual(row["samples"], 620)

    def test_a_sample_is_held_for_a_minute_at_most(self) -> None:
        samples = {s: 49.75 for s in range(0, 1800, 15) if not 600 < s < 1200}
        row = self.within(samples)
        covered = 1 - (600 - 60) / 1800
        self.assert_figures(
            row, coverage=covered, average_power_mw=0.5, discharge_mwh=0.25 * covered
        )
        self.assertEqual(row["samples"], 120 - 39)

    def test_a_gap_of_a_minute_is_none(self) -> None:
        row = self.within(dict.fromkeys(range(0, 1800, 60), 49.75))
        self.assert_figures(row, coverage=1.0, discharge_mwh=0.25)

    def test_below_half_coverage_figures_are_empty(self) -> None:
        enough = self.within(dict.fromkeys(range(0, 841, 15), 49.75))
        self.assert_figures(enough, coverage=0.5, average_power_mw=0.5, discharge_mwh=0.125)
        less = self.within(dict.fromkeys(range(0, 826, 15), 49.75))
        self.assert_figures(less, coverage=885 / 1800)
        self.assertEqual(less["samples"], 56)
        for name in FLOATS:
            if name != "coverage":
                with self.subTest(column=name):
                    self.assertTrue(np.isnan(less[name]))

    def test_no_samples_give_rows_that_say_so(self) -> None:
        found = powers({}, day_window(SHORT))
        self.assertEqual(len(found), 46)
        self.assertEqual((set(found["coverage"]), set(found["samples"])), ({0.0}, {0}))
        self.assertTrue(found["average_power_mw"].isna().all())

    def test_the_minute_before_the_window_counts(self) -> None:
        later = dict.fromkeys(range(30, 1800, 15), 50.0)
        row = self.within({-30: 49.5, **later})
        self.assert_figures(row, coverage=1.0, discharge_mwh=30 / 3600)
        self.assertEqual(row["samples"], 118)
        row = self.within({-45: 49.5, **later})
        self.assert_figures(row, coverage=1785 / 1800, discharge_mwh=15 / 3600)
        for seconds in (-60, -61):
            row = self.within({seconds: 49.5, **later})
            self.assert_figures(row, coverage=1770 / 1800, discharge_mwh=0.0)

    def test_the_look_back_brings_that_minute(self) -> None:
        self.assertEqual(
            dict(average_power.PRODUCT.look_back), {"frequency": timedelta(seconds=60)}
        )

    def test_implausible_samples_count_as_missing(self) -> None:
        good = dict.fromkeys(range(0, 1800, 15), 49.75)
        for hz in (0.0, 99.0, -50.0, 44.999, 55.001, float("nan")):
            with self.subTest(hz=hz):
                row = self.within(good | {600: hz, 900: hz})
                self.assert_figures(
                    row, average_power_mw=0.5, discharge_mwh=0.25, charge_mwh=0.0, coverage=1.0
                )
                self.assertEqual(row["samples"], 118)

    def test_a_run_of_implausible_samples_is_a_gap(self) -> None:
        row = self.within({s: 0.0 if 600 < s < 1200 else 49.75 for s in range(0, 1800, 15)})
        self.assert_figures(row, coverage=0.7, average_power_mw=0.5, discharge_mwh=0.175)

    def test_the_edges_of_the_plausible_band_are_plausible(self) -> None:
        row = self.within({s: 45.0 if s < 900 else 55.0 for s in range(0, 1800, 15)})
        self.assertEqual(row["samples"], 120)
        self.assert_figures(row, average_power_mw=0.0, average_activity_mw=1.0)

    def test_no_negative_zero(self) -> None:
        for hz in (50.0, 49.75, 50.25, 50.0000000001):
            window = self.PERIOD
            found = powers(every(15, window, hz), window)
            for name in FLOATS:
                values = found[name].to_numpy()
                with self.subTest(hz=hz, column=name):
                    self.assertFalse((np.signbit(values) & (values == 0)).any())

    def test_two_days_together_equal_each_day_alone_bit_for_bit(self) -> None:
        for change in (SHORT, LONG):
            rng = random.Random(change.toordinal())
            first, last = change - timedelta(days=1), change
            both = days_window(first, last)
            samples = {
                moment + timedelta(milliseconds=rng.choice((0, 0, 250))): rng.gauss(50, 0.08)
                for moment in every(15, both, 0.0)
                if rng.random() > 0.1
            }
            together = powers(samples, both, "dr", 7.0)
            for day in (first, last):
                window = day_window(day)
                reach = window.start - timedelta(seconds=60)
                near = {t: hz for t, hz in samples.items() if reach <= t < window.end}
                alone = powers(near, window, "dr", 7.0)
                begins = together["period_start"]
                part = together[(begins >= window.start) & (begins < window.end)]
                with self.subTest(day=day):
                    self.assertEqual(len(part), len(alone))
                    for name in FLOATS:
                        self.assertEqual(
                            part[name].to_numpy().tobytes(), alone[name].to_numpy().tobytes(), name
                        )

    def test_the_sum_of_discharge_and_charge_equals_a_loop_over_samples(self) -> None:
        rng = random.Random(11)
        window = self.PERIOD
        samples = {t: rng.gauss(50, 0.1) for t in every(15, window, 0.0) if t >= window.start}
        up = down = 0.0
        for hz in samples.values():  # every 15 s without a gap: each sample is worth 15 s
            power = 3.0 * min(abs(hz - 50) / 0.5, 1) * (1 if hz < 50 else -1)
            up += max(power, 0.0) * 15 / 3600
            down += max(-power, 0.0) * 15 / 3600
        row = only(powers(samples, window, mw=3.0))
        self.assertAlmostEqual(row["discharge_mwh"], up, delta=1e-5)
        self.assertAlmostEqual(row["charge_mwh"], down, delta=1e-5)
        self.assertAlmostEqual(row["average_power_mw"], (up - down) / 0.5, delta=1e-5)


def wind_solar(rows: list[tuple[datetime, str, float, date]]) -> pd.DataFrame:
    data = {
        "startTime": [f"{start:%Y-%m-%dT%H:%M:%SZ}" for start, _, _, _ in rows],
        "psrType": [kind for _, kind, _, _ in rows],
        "quantity": [mw for _, _, mw, _ in rows],
        "publishTime": ["2024-11-05T00:00:00Z"] * len(rows),
        "settlementDate": [f"{day}" for _, _, _, day in rows],
        "settlementPeriod": [
            (start - day_window(day).start) // timedelta(minutes=30) + 1
            for start, _, _, day in rows
        ],
    }
    return conform(WIND_SOLAR, data, "w").frame


def day_rows(day: date, kind: str, values: list[float]) -> list[tuple[datetime, str, float, date]]:
    start = day_window(day).start
    return [(start + n * timedelta(minutes=30), kind, mw, day) for n, mw in enumerate(values)]


class WindSolarSummary(unittest.TestCase):
    def summary(
        self, rows: list[tuple[datetime, str, float, date]], window: Window
    ) -> dict[tuple[str, str], dict[str, Any]]:
        frame = wind_solar_summary.compute(wind_solar(rows), window=window)
        found = {}
        for _, row in frame.iterrows():
            found[f"{row['settlement_date']:%Y-%m-%d}", str(row["psr_type"])] = dict(row)
        self.assertEqual(len(found), len(frame))
        return found

    def test_equal_to_plain_loops_on_the_long_day(self) -> None:
        rng = random.Random(5)
        kinds = ("Solar", "Wind Onshore", "Wind Offshore")
        rows = []
        for kind in kinds:
            rows += day_rows(LONG, kind, [round(rng.uniform(0, 9000), 3) for _ in range(50)])
        rng.shuffle(rows)
        found = self.summary(rows, day_window(LONG))
        self.assertEqual(len(found), 3)
        for kind in kinds:
            energy, count = 0.0, 0
            lowest = highest = None
            for start, of_kind, mw, _ in sorted(rows):
                if of_kind != kind:
                    continue
                energy, count = energy + mw * 0.5, count + 1
                lowest = (mw, start) if lowest is None or mw < lowest[0] else lowest
                highest = (mw, start) if highest is None or mw > highest[0] else highest
            row = found["2024-10-27", kind]
            with self.subTest(kind=kind):
                self.assertEqual((row["periods"], count, row["coverage"]), (50, 50, 1.0))
                self.assertAlmostEqual(row["energy_mwh"], energy, delta=1e-6)
                self.assertAlmostEqual(row["mean_mw"], energy / 25, delta=1e-6)
                self.assertEqual((row["minimum_mw"], row["minimum_at"]), lowest)
                self.assertEqual((row["maximum_mw"], row["maximum_at"]), highest)
                self.assertEqual(row["period_start"], at("2024-10-26T23:00"))

    def test_coverage_is_the_share_of_46_48_or_50_periods(self) -> None:
        for day, due in ((SHORT, 46), (SUMMER, 48), (LONG, 50)):
            found = self.summary(day_rows(day, "Solar", [10.0] * 20), day_window(day))
            row = found[f"{day}", "Solar"]
            with self.subTest(day=day):
                self.assertEqual(row["periods"], 20)
                self.assertAlmostEqual(row["coverage"], 20 / due, delta=1e-15)
                self.assertEqual((row["energy_mwh"], row["mean_mw"]), (100.0, 10.0))

    def test_of_equal_extremes_the_first_counts(self) -> None:
        values = [5.0, 1.0, 9.0, 1.0, 9.0] + [5.0] * 43
        rows = day_rows(SUMMER, "Solar", values)
        for order in (rows, rows[::-1]):
            row = self.summary(order, day_window(SUMMER))["2024-07-01", "Solar"]
            self.assertEqual(row["minimum_at"], at("2024-06-30T23:30"))
            self.assertEqual(row["maximum_at"], at("2024-07-01T00:00"))

    def test_a_type_seen_on_one_day_only_has_a_row_for_that_day_only(self) -> None:
        next_day = SUMMER + timedelta(days=1)
        rows = day_rows(SUMMER, "Solar", [1.0] * 48) + day_rows(next_day, "Solar", [2.0] * 48)
        rows += day_rows(next_day, "Wind Onshore", [4.0] * 48)
        found = self.summary(rows, days_window(SUMMER, next_day))
        self.assertEqual(
            {key: row["energy_mwh"] for key, row in found.items()},
            {
                ("2024-07-01", "Solar"): 24.0,
                ("2024-07-02", "Solar"): 48.0,
                ("2024-07-02", "Wind Onshore"): 96.0,
            },
        )

    def test_days_outside_the_window_are_left_out(self) -> None:
        rows = day_rows(SUMMER, "Solar", [1.0] * 48)
        rows += day_rows(SUMMER + timedelta(days=1), "Solar", [2.0] * 48)
        self.assertEqual(list(self.summary(rows, day_window(SUMMER))), [("2024-07-01", "Solar")])

    def test_days_together_equal_each_day_alone(self) -> None:
        rng = random.Random(8)
        days = [SHORT - timedelta(days=1), SHORT, SHORT + timedelta(days=1)]
        rows = []
        for day in days:
            for kind in ("Solar", "Wind Onshore"):
                values = [rng.uniform(0, 5000) for _ in range(46 if day == SHORT else 48)]
                rows += day_rows(day, kind, values)
        together = self.summary(rows, days_window(days[0], days[-1]))
        alone: dict[tuple[str, str], dict[str, Any]] = {}
        for day in days:
            alone |= self.summary([row for row in rows if row[3] == day], day_window(day))
        self.assertEqual(together, alone)


class BatteryPower(unittest.TestCase):
    def compute(self, samples: dict[datetime, float], window: Window) -> pd.DataFrame:
        return battery_power.compute(
            frequency(samples), window=window, response_service="dc", battery_power_mw=100.0
        )

    def test_one_row_per_plausible_sample_of_the_window(self) -> None:
        window = Window(at("2024-07-01T10:00"), at("2024-07-01T10:01"))
        samples = {
            at("2024-07-01T09:59:45"): 49.65,
            at("2024-07-01T10:00:00"): 49.65,
            at("2024-07-01T10:00:15"): 0.0,
            at("2024-07-01T10:00:30"): 50.3,
            at("2024-07-01T10:00:45"): 50.01,
            at("2024-07-01T10:01:00"): 49.65,
        }
        found = self.compute(samples, window)
        self.assertEqual([f"{t:%S}" for t in found["measurement_time"]], ["00", "30", "45"])
        self.assertEqual(list(found["frequency_hz"]), [49.65, 50.3, 50.01])
        for value, expected in zip(found["battery_power_mw"], (52.5, -36.6667, 0.0), strict=True):
            self.assertAlmostEqual(value, expected, delta=1e-4)
        self.assertEqual(set(found["service"]), {"dc"})
        self.assertFalse(np.signbit(found["battery_power_mw"].iloc[-1]))

    def test_the_input_is_left_as_it_was(self) -> None:
        window = day_window(SUMMER)
        given = frequency(every(900, window, 49.9) | {window.start: 0.0})
        before = given.copy(deep=True)
        for product in (battery_power, average_power):
            product.compute(given, window=window, response_service="dm", battery_power_mw=1.0)
            pd.testing.assert_frame_equal(given, before)


TABLES: dict[str, Table] = {d.key: d.table for d in DATASETS} | {p.key: p.table for p in PRODUCTS}


def made_up(table: Table, window: Window) -> pd.DataFrame:
    """Half-hourly rows that fit a table, whichever it is."""
    start = window.start - timedelta(minutes=30)
    times = [start + n * timedelta(minutes=30) for n in range(int(window.hours * 2) + 1)]
    stamps = pd.Series(times, dtype="datetime64[us, UTC]")
    calendar = settlement_columns(stamps)
    made: dict[str, Any] = {}
    for column in table.columns:
        values: Any = {
            "time": stamps,
            "date": calendar["settlement_date"],
            "float": 49.9 if column.unit == "Hz" else 1.0,
            "int": 1,
            "text": "contract" if column.name == "kind" else "x",
            "decimal": "1.00",
        }[column.dtype]
        made[column.spelling] = calendar.get(column.name, values)
    frame = pd.DataFrame({name: pd.Series(v, index=stamps.index) for name, v in made.items()})
    return conform(table, frame, "made up").frame


def defaults(product: Product) -> dict[str, Any]:
    parsed = {setting.key: setting.parse(setting.default) for setting in product.settings}
    return {name: parsed[name.upper()] for name in product.assumptions}


class EveryProduct(unittest.TestCase):
    def test_keys_are_unique_and_no_dataset(self) -> None:
        names = [name for d in DATASETS for name in (d.key, *d.aliases)]
        keys = [product.key for product in PRODUCTS]
        self.assertEqual(len(keys), len(set(keys)))
        self.assertEqual(set(keys) & set(names), set())
        self.assertEqual([p.table.name for p in PRODUCTS], keys)

    def test_inputs_are_datasets_or_products(self) -> None:
        for product in PRODUCTS:
            with self.subTest(product=product.key):
                self.assertTrue(product.inputs)
                self.assertLessEqual(set(product.inputs), set(TABLES) - {product.key})
                self.assertLessEqual(set(product.look_back), set(product.inputs))

    def test_every_assumption_has_a_setting_and_every_setting_is_one(self) -> None:
        for product in PRODUCTS:
            with self.subTest(product=product.key):
                settings = [setting.key for setting in product.settings]
                used = {name.upper() for name in product.assumptions} | {product.clock_setting}
                self.assertEqual(sorted(settings), sorted(used - {""}))
                self.assertIn("window", inspect.signature(product.compute).parameters)

    def test_what_is_computed_fits_the_declared_table(self) -> None:
        for product in PRODUCTS:
            for day in (SHORT, date(2024, 10, 31) if product.monthly else LONG):
                clock = product.clock({s.key: s.default for s in product.settings})
                window = product.span(day, clock)
                inputs = [made_up(TABLES[key], window) for key in product.frames]
                frame = product.compute(*inputs, window=window, **defaults(product))
                with self.subTest(product=product.key, day=day):
                    self.assertEqual(set(frame.columns), set(product.table.names))
                    rows = conform(product.table, frame, f"{day}")
                    self.assertEqual((rows.unknown, len(rows.older)), ((), 0))
                    self.assertGreater(len(rows.frame), 0)
                    times = rows.frame[product.table.time]
                    self.assertTrue(((times >= window.start) & (times < window.end)).all())

    def test_a_run_of_one_brings_what_it_is_made_of_in_an_order_that_works(self) -> None:
        settings = load_settings(job.all_settings(), folder=Path("nowhere"), environment={})
        for product in PRODUCTS:
            datasets, products = job.what_to_run(settings, [product.key])
            at_hand = {dataset.key for dataset in datasets}
            for each in products:
                with self.subTest(product=product.key, made_of=each.key):
                    self.assertLessEqual(set(each.inputs), at_hand)
                at_hand.add(each.key)
            self.assertIs(products[-1], product)

    def test_units_are_in_the_names(self) -> None:
        endings = {"MW": "_mw", "MWh": "_mwh", "Hz": "_hz"}
        for table in TABLES.values():
            for column in table.columns:
                ending = endings.get(column.unit)
                if ending:
                    with self.subTest(table=table.name, column=column.name):
                        self.assertTrue(column.name.endswith(ending))

    def test_the_curve_in_the_product_is_the_one_of_the_domain(self) -> None:
        window = period_window(SUMMER, 21)
        for setting in average_power.PRODUCT.settings:
            if setting.key == "RESPONSE_SERVICE":
                self.assertEqual(setting.parse(setting.default), "droop")
        row = only(powers(every(15, window, 49.6), window, "fcr", 5.0))
        self.assertEqual(row["average_power_mw"], float(response_mw([49.6], "fcr", 5.0)[0]))
        self.assertEqual(row["average_power_mw"], 5.0)


if __name__ == "__main__":
    unittest.main()
