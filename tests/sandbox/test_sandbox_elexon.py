"""The synthetic data of Elexon: whole where nothing is missing, told twice where it says so."""

import unittest
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from sandbox import Sandbox
from sandbox.calendar import to_instant
from sandbox.elexon.base import CellSeries
from sandbox.elexon.prices import SystemPriceSeries
from sandbox.elexon.runs import RUNS
from sandbox.grid import Columns, Holed, build_grid, first_of_each, join

LONDON = ZoneInfo("Europe/London")
NOW = "2025-02-15T00:00:00Z"
NOW_S = to_instant(NOW)
GRIDS = {
    "generation_outturn": 1_800,
    "fuel_instructions": 300,
    "demand_outturn": 1_800,
    "market_index": 1_800,
    "system_prices": 1_800,
    "netbsad": 1_800,
}


def bounds(day: date) -> tuple[datetime, datetime]:
    """The settlement day by the standard library's time zones."""
    start = datetime(day.year, day.month, day.day, tzinfo=LONDON)
    after = day + timedelta(days=1)
    return start.astimezone(UTC), datetime(
        after.year, after.month, after.day, tzinfo=LONDON
    ).astimezone(UTC)


class Case(unittest.TestCase):
    sandbox: Sandbox

    @classmethod
    def setUpClass(cls) -> None:
        cls.sandbox = Sandbox(now=NOW)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.sandbox.close()

    def truth(self, series: str, start: Any, end: Any, **more: Any) -> Columns:
        columns: Columns = self.sandbox.truth(series, start, end, **more)["columns"]
        return columns

    def history(self, series: str, start: Any, end: Any) -> Columns:
        columns: Columns = self.sandbox.history(series, start, end)["columns"]
        return columns


class Whole(Case):
    def test_days_of_clock_changes_have_every_cell(self) -> None:
        for day, periods, fuels in (
            (date(2024, 3, 31), 46, 20),
            (date(2024, 10, 27), 50, 19),
            (date(2024, 3, 30), 48, 20),
        ):
            kinds = {"generation_outturn": fuels, "fuel_instructions": 6 * fuels, "market_index": 2}
            for name in GRIDS:
                rows = self.truth(name, *bounds(day))
                with self.subTest(day=day, series=name):
                    count = len(rows["start_time"])
                    self.assertEqual(count, periods * kinds.get(name, 1))

    def test_coal_ends_with_september_2024(self) -> None:
        for day, fuels in ((date(2024, 9, 30), 20), (date(2024, 10, 1), 19)):
            found = set(self.truth("generation_outturn", *bounds(day))["fuel_type"].tolist())
            self.assertEqual((len(found), "COAL" in found), (fuels, fuels == 20))

    def test_rows_and_holes_make_up_the_grid(self) -> None:
        first, last = to_instant("2023-04-20T00:00Z"), to_instant("2023-06-19T00:00Z")
        for name, step in GRIDS.items():
            span = (first, last) if step > 300 else (first, first + 16 * 86_400)
            series: Any = self.sandbox.answers.grid[name]
            rows = series.rows("start_time", span[0], span[1] - 1, NOW_S)
            holes = series.holes(span[0], span[1] - 1)
            kinds = {"market_index": 2, "generation_outturn": 20, "fuel_instructions": 20}
            cells = (span[1] - span[0]) // step * kinds.get(name, 1)
            with self.subTest(series=name):
                self.assertGreater(len(holes["start_time"]), 0)
                self.assertEqual(len(rows["start_time"]) + len(holes["start_time"]), cells)
                both = [
                    set(zip(*(t[n].tolist() for n in holes), strict=True)) for t in (rows, holes)
                ]
                self.assertFalse(both[0] & both[1])
                self.assertEqual(len(both[0]), len(rows["start_time"]), "no cell twice")

    def test_holes_of_the_older_series(self) -> None:
        day = "2024-01-01T00:00Z", "2024-03-01T00:00Z"
        for name, cells in (("frequency", 60 * 5_760), ("wind_solar", 60 * 144)):
            rows = next(iter(self.truth(name, *day).values()))
            holes = next(iter(self.sandbox.holes(name, *day)["columns"].values()))
            self.assertEqual(len(rows) + len(holes), cells)
            self.assertGreater(len(holes), 0)

    def test_quiet_days_have_no_hole_with_any_seed(self) -> None:
        for seed in range(25):
            for series in build_grid(seed).values():
                if isinstance(series, Holed):
                    for day in (date(2024, 3, 31), date(2024, 10, 27)):
                        first, last = (int(one.timestamp()) for one in bounds(day))
                        found = series.holes(first - 86_400, last + 86_399)
                        self.assertEqual(len(next(iter(found.values()))), 0)

    def test_some_day_of_the_market_is_missing(self) -> None:
        # Winter: a settlement day is a UTC day.
        starts = self.truth("market_index", "2023-11-01", "2024-03-30")["start_time"]
        days = np.unique(starts.astype("datetime64[D]"))
        self.assertTrue(1 <= 150 - len(days) <= 12, len(days))


class Values(Case):
    def test_half_hours_are_the_mean_of_their_samples(self) -> None:
        day = bounds(date(2024, 10, 27))
        samples = self.truth("fuel_instructions", *day)
        halves = self.history("generation_outturn", *day)
        first = first_of_each(halves, ("start_time", "fuel_type"))
        told = {name: values[first] for name, values in halves.items()}
        period = samples["start_time"].astype(np.int64) // 1_800 * 1_800
        for fuel in ("WIND", "CCGT", "INTFR", "PS"):
            power = samples["generation_mw"][samples["fuel_type"] == fuel]
            when = period[samples["fuel_type"] == fuel]
            mine = told["generation_mw"][told["fuel_type"] == fuel]
            expected = [power[when == start].mean() for start in np.unique(when)]
            self.assertEqual(len(mine), 50)
            self.assertLessEqual(float(np.abs(mine - np.array(expected)).max()), 0.5)

    def test_fuels_and_demand_agree(self) -> None:
        day = bounds(date(2024, 3, 31))
        fuels, demand = self.truth("generation_outturn", *day), self.truth("demand_outturn", *day)
        total = np.array(
            [
                fuels["generation_mw"][fuels["start_time"] == start].sum()
                for start in demand["start_time"]
            ]
        )
        self.assertLess(float(np.abs(total - demand["indo_mw"]).mean()), 200.0)
        self.assertTrue(bool((demand["itsdo_mw"] > demand["indo_mw"]).all()))
        wind = fuels["generation_mw"][fuels["fuel_type"] == "WIND"]
        other = self.truth("wind_solar", *day)
        both = [
            other["quantity_mw"][other["psr_type"] == f"Wind {n}"] for n in ("Onshore", "Offshore")
        ]
        self.assertGreater(float(np.corrcoef(wind, both[0] + both[1])[0, 1]), 0.97)

    def test_values_are_plausible(self) -> None:
        year = "2023-05-10", "2023-07-10"
        fuels = self.truth("generation_outturn", "2023-12-10", "2024-01-10")
        for fuel, low, high in (
            ("NUCLEAR", 3_000, 6_500), ("WIND", 0, 25_000), ("CCGT", 300, 30_000),
            ("INTFR", -2_100, 2_100), ("PS", -2_000, 2_000), ("COAL", 0, 2_500),
        ):  # fmt: skip
            power = fuels["generation_mw"][fuels["fuel_type"] == fuel]
            self.assertTrue(
                low <= power.min() <= power.max() <= high, (fuel, power.min(), power.max())
            )
        demand = self.truth("demand_outturn", *year)["indo_mw"]
        self.assertTrue(13_000 < demand.min() < demand.max() < 45_000)
        prices = self.truth("system_prices", *year)
        self.assertTrue(-200 < prices["sell_gbp_per_mwh"].min() < 30)
        self.assertTrue(100 < prices["sell_gbp_per_mwh"].max() < 500)
        self.assertTrue(np.array_equal(prices["sell_gbp_per_mwh"], prices["buy_gbp_per_mwh"]))
        parts = ("offer_mwh", "bid_mwh", "adjustment_sell_mwh", "adjustment_buy_mwh")
        total = sum(prices[name] for name in parts)
        self.assertLess(float(np.abs(total - prices["niv_mwh"]).max()), 1e-9)
        market = self.truth("market_index", *year)
        second = market["provider"] == "N2EXMIDP"
        self.assertGreater(float((market["volume_mwh"][second] == 0).mean()), 0.9)

    def test_what_identifies_a_row_does(self) -> None:
        for name, series in self.sandbox.answers.grid.items():
            axis = series.axes[0]
            start = 0 if name == "bm_units" else NOW_S - 9 * 86_400
            rows = series.rows(axis, start, NOW_S, NOW_S)
            keys = set(zip(*(rows[each].tolist() for each in series.identity), strict=True))
            with self.subTest(series=name):
                self.assertEqual(len(keys), len(rows[axis]))
                self.assertGreater(len(keys), 0)


class Published(Case):
    def test_nothing_is_served_before_it_is_published(self) -> None:
        for name, series in self.sandbox.answers.grid.items():
            axis = series.axes[0]
            rows = series.rows(axis, NOW_S - 9 * 86_400, NOW_S + 3 * 86_400, NOW_S, every=True)
            if "publish_time" in rows and len(rows[axis]):
                with self.subTest(series=name):
                    self.assertLessEqual(int(rows["publish_time"].max()), NOW_S)

    def test_windows_join(self) -> None:
        a, b, c = (to_instant(f"2024-03-{day}T11:07:13Z") for day in (28, 30, 31))
        again = build_grid(7)
        for name, series in build_grid(7).items():
            axis = series.axes[0]
            parts = [series.rows(axis, *w, NOW_S) for w in ((b + 1, c), (a, b))]
            joined, whole = join(parts[::-1]), again[name].rows(axis, a, c, NOW_S)
            for column, values in whole.items():
                with self.subTest(series=name, column=column):
                    self.assertEqual(repr(values.tolist()), repr(joined[column].tolist()))

    def test_half_hours_are_told_at_their_end_and_some_again(self) -> None:
        rows = self.history("generation_outturn", "2024-05-01", "2024-06-01")
        lag = (rows["publish_time"] - rows["start_time"]).astype(np.int64)
        again = lag != 1_800
        self.assertTrue(0.001 < again.mean() < 0.05, again.mean())
        self.assertTrue(bool((lag[again] > 3_600).all()))
        now = self.truth("generation_outturn", "2024-05-01", "2024-06-01")
        self.assertEqual(len(now["start_time"]), len(rows["start_time"]) - again.sum())
        samples = self.history("fuel_instructions", "2024-05-01", "2024-05-03")
        lag = (samples["publish_time"] - samples["start_time"]).astype(np.int64)
        self.assertEqual(set(lag.tolist()), {300})

    def test_system_prices_are_made_again_by_each_run(self) -> None:
        series = SystemPriceSeries(7, self.sandbox.answers.grid["market_index"].market)  # type: ignore[attr-defined]
        start = to_instant("2023-06-05T23:00Z")
        window = ("start_time", start, start + 86_399)
        first = series.rows(*window, start + 3 * 86_400)
        last = series.rows(*window, start + 500 * 86_400)
        self.assertLessEqual(int((first["publish_time"] - first["start_time"]).max()), 3_600)
        self.assertEqual(len(set(last["publish_time"].tolist())), 1)
        changed = float((first["niv_mwh"] != last["niv_mwh"]).mean())
        self.assertTrue(0.2 < changed < 0.9, changed)
        every = series.rows(*window, start + 500 * 86_400, every=True)
        self.assertEqual(len(every["start_time"]), 7 * len(first["start_time"]))

    def test_metered_energy_has_the_run_of_its_age(self) -> None:
        series = self.sandbox.answers.grid["individual_generation"]
        start = to_instant("2024-01-10T00:00Z")
        before: Columns | None = None
        # The ages at which somebody looked, and what he saw.
        for age, run in (
            (5, None),
            (14, "II"),
            (35, "SF"),
            (80, "R1"),
            (165, "R2"),
            (300, "R3"),
            (430, "RF"),
        ):
            rows = series.rows("start_time", start, start + 86_399, start + age * 86_400)
            self.assertEqual(set(rows["run"].tolist()), {run} - {None})
            if before is not None and len(before["run"]):
                moved = before["quantity_mwh"] != rows["quantity_mwh"]
                self.assertTrue(0 < moved.mean() < 0.5)
                change = np.abs(before["quantity_mwh"] - rows["quantity_mwh"])
                self.assertLess(float(change.max()), 15.0)
            before = rows
        self.assertEqual([name for name, _ in RUNS], ["II", "SF", "R1", "R2", "R3", "RF"])

    def test_forecasts_and_messages(self) -> None:
        day = "2024-10-27T00:00Z", "2024-10-28T00:00Z"
        wind = self.truth("wind_forecasts", *day)
        self.assertEqual(len(wind["start_time"]), 584)
        self.assertEqual(str(wind["start_time"].min()), "2024-10-26T20:00:00")
        self.assertEqual(len(set(self.truth("loss_of_load", *day)["publish_time"].tolist())), 48)
        self.assertEqual(len(self.truth("temperature", *day)["date"]), 1)
        month = self.truth("remit", "2024-10-01", "2024-11-01")
        counts = np.unique(month["mrid"].astype(str), return_counts=True)[1]
        self.assertGreater(int(counts.max()), 3)
        self.assertGreater(int((counts == 1).sum()), 50)
        warned = self.truth("system_warnings", "2024-01-01", "2025-01-01")["publish_time"]
        self.assertTrue(60 < len({each.date() for each in warned.tolist()}) < 200)

    def test_units(self) -> None:
        units = self.truth("bm_units", "2016-01-01", NOW)
        self.assertEqual(len(units["ng_unit"]), 40)
        self.assertEqual(sum(each is None for each in units["bm_unit"].tolist()), 2)
        notices = self.truth("physical_notifications", "2024-10-27", "2024-10-28")
        self.assertEqual(set(notices["ng_unit"].tolist()), set(units["ng_unit"].tolist()))

    def test_only_some_series_know_their_holes(self) -> None:
        with self.assertRaisesRegex(KeyError, "remit"):
            self.sandbox.holes("remit", "2024-01-01", "2024-02-01")
        cells = [n for n, each in self.sandbox.answers.grid.items() if isinstance(each, CellSeries)]
        self.assertEqual(set(cells), set(GRIDS) | {"non_bm_stor"})


if __name__ == "__main__":
    unittest.main()
