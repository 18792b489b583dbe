"""Pictures of markets: units and currencies, gaps, signs, lengths of rows, extremes of long ranges."""

from __future__ import annotations

import unittest
from typing import Any

import numpy as np

from domain.settlement import parse_range
from domain.windows import Window, parse_instant
from pictures import markets
from pictures.picture import Band, Line, Panel, Picture, Shade
from storage import open_store
from tests.unit.picture_stores import fill, times

DAY = parse_range("2024-01-15")


def window(start: str, end: str) -> Window:
    return Window(parse_instant(start), parse_instant(end))


def called(panel: Panel, label: str, kind: type = Line) -> Any:
    (found,) = [mark for mark in panel.marks if isinstance(mark, kind) and mark.label == label]
    return found


def at(x: Any, y: Any, moment: str) -> float:
    """What a line of stairs shows just after a moment."""
    instant = np.datetime64(moment.removesuffix("Z"), "us") + np.timedelta64(1, "s")
    n = int(np.searchsorted(x, instant, side="right")) - 1
    return float(y[n]) if 0 <= n < len(x) - 1 else float("nan")


class Prices(unittest.TestCase):
    def setUp(self) -> None:
        self.store = self.enterContext(open_store("sqlite:///:memory:"))

    def made(self, picture: Picture | None) -> Picture:
        assert picture is not None
        return picture

    def test_nothing_stored_is_no_picture(self) -> None:
        for make in (markets.gb_prices, markets.gb_generation, markets.carbon):
            self.assertIsNone(make(self.store, DAY))
        self.assertIsNone(markets.load(self.store, DAY, ["FR"]))
        self.assertIsNone(markets.generation_mix(self.store, DAY, "FR"))
        self.assertIsNone(markets.flows(self.store, DAY, "FR", ["BE"]))
        self.assertIsNone(markets.balance(self.store, DAY, "FR"))
        self.assertEqual(markets.day_ahead(self.store, DAY, ["FR"]), [])
        self.assertIsNone(markets.price_duration(self.store, DAY, []))

    def test_british_prices_have_units_providers_apart_and_gaps(self) -> None:
        starts = times("2024-01-15T00:00:00Z", 6, 30)
        fill(
            self.store,
            "system_prices",
            [
                {
                    "period_start": at,
                    "system_buy_price_gbp_per_mwh": 10.0 + n,
                    "system_sell_price_gbp_per_mwh": 10.0 + n,
                    "net_imbalance_volume_mwh": -5.0,
                }
                for n, at in enumerate(starts)
                if n != 3
            ],
        )
        fill(
            self.store,
            "market_index",
            [
                {
                    "period_start": at,
                    "data_provider": name,
                    "price_gbp_per_mwh": 0.0 if n == 1 else price,
                    "volume_mwh": 0.0 if n == 1 else 8.0,
                }
                for n, at in enumerate(starts)
                for name, price in (("APXMIDP", 50.0), ("N2EXMIDP", 60.0))
            ],
        )
        picture = self.made(markets.gb_prices(self.store, DAY))
        prices, imbalance, volume = picture.panels
        self.assertEqual(prices.y_label, "price [GBP/MWh]")
        self.assertIn("[MWh]", imbalance.y_label)
        self.assertIn("+ when the system was short", imbalance.y_label)
        self.assertEqual(volume.y_label, "traded volume [MWh]")
        line = called(prices, "system price")
        self.assertEqual(at(line.x, line.y, starts[2]), 12.0)
        self.assertTrue(np.isnan(at(line.x, line.y, starts[3])))
        self.assertEqual(at(line.x, line.y, starts[4]), 14.0)
        apx, n2ex = (called(prices, f"market index {n}") for n in ("APXMIDP", "N2EXMIDP"))
        for mine, price in ((apx, 50.0), (n2ex, 60.0)):
            self.assertEqual(at(mine.x, mine.y, starts[0]), price)
            self.assertTrue(np.isnan(at(mine.x, mine.y, starts[1])))  # 0 without volume is no price
            self.assertEqual(set(mine.y[np.isfinite(mine.y)]), {price})
        self.assertEqual(set(called(volume, "market index APXMIDP").y), {0.0, 8.0})
        index = markets.british_prices(self.store, DAY)[1]
        durations = self.made(markets.price_duration(self.store, DAY, [index]))
        self.assertEqual(called(durations.panels[0], index.label).y.tolist(), [50.0] * 5)
        self.assertIn("UTC", picture.subtitle)
        self.assertIn("30 min", picture.subtitle)
        self.assertIn("SYNTHETIC", picture.footer[0])
        names = [price.label for price in markets.british_prices(self.store, DAY)]
        self.assertEqual(names, ["System price", "Market index APXMIDP", "Market index N2EXMIDP"])

    def test_two_system_prices_are_two_lines(self) -> None:
        starts = times("2015-01-15T00:00:00Z", 4, 30)
        fill(
            self.store,
            "system_prices",
            [
                {
                    "period_start": at,
                    "system_buy_price_gbp_per_mwh": 50.0,
                    "system_sell_price_gbp_per_mwh": 50.0 - (n == 2),
                    "net_imbalance_volume_mwh": 1.0,
                }
                for n, at in enumerate(starts)
            ],
        )
        window = parse_range("2015-01-15")
        prices = self.made(markets.gb_prices(self.store, window)).panels[0]
        bought, sold = (called(prices, f"system {side} price") for side in ("buy", "sell"))
        self.assertEqual((set(bought.y), set(sold.y)), ({50.0}, {50.0, 49.0}))
        self.assertEqual(sold.dash, "dash")

    def test_currencies_and_auctions_are_never_mixed(self) -> None:
        rows = [
            ("FR", 1, "EUR", 10.0), ("FR", 2, "EUR", 99.0), ("GB", 1, "GBP", 20.0), ("PL", 1, "EUR", 30.0),
            ("PL", 1, "PLN", 120.0),
        ]  # fmt: skip
        fill(
            self.store,
            "entsoe_day_ahead_prices",
            [
                {
                    "zone": zone,
                    "period_start": at,
                    "auction_sequence": auction,
                    "currency": currency,
                    "price_per_mwh": price,
                    "resolution_s": 3600,
                }
                for at in times("2024-01-15T00:00:00Z", 24, 60)
                for zone, auction, currency, price in rows
            ],
        )
        prices = markets.day_ahead(self.store, DAY, ["FR", "GB", "PL"])
        picture = self.made(markets.day_ahead_prices(self.store, DAY, prices))
        shown = {
            panel.y_label: sorted({float(v) for mark in panel.marks for v in mark.y})  # type: ignore[union-attr]
            for panel in picture.panels
        }
        self.assertEqual(
            shown,
            {
                "day-ahead price [EUR/MWh]": [10.0, 30.0],
                "day-ahead price [GBP/MWh]": [20.0],
                "day-ahead price [PLN/MWh]": [120.0],
            },
        )
        both = markets.day_ahead(self.store, DAY, ["FR"], [1, 2])
        (panel,) = self.made(markets.day_ahead_prices(self.store, DAY, both)).panels
        self.assertEqual(set(called(panel, "FR").y), {10.0})
        second = called(panel, "FR, auction 2")
        self.assertEqual((set(second.y), second.dash), ({99.0}, "dash"))
        heat = self.made(markets.price_heatmap(self.store, DAY, both[1]))
        (cells,) = heat.panels[0].marks
        self.assertIn("EUR/MWh", cells.label)
        self.assertEqual(set(np.unique(cells.z)), {99.0})  # type: ignore[union-attr]

    def test_an_hour_counts_four_quarter_hours_in_a_duration_curve(self) -> None:
        quarters = zip(times("2024-01-15T01:00:00Z", 4, 15), (10.0, 20.0, 30.0, 40.0), strict=True)
        rows = [("2024-01-15T00:00:00Z", 100.0, 3600), *((at, p, 900) for at, p in quarters)]
        fill(
            self.store,
            "entsoe_day_ahead_prices",
            [
                {
                    "zone": "FR", "period_start": at, "auction_sequence": 1, "currency": "EUR",
                    "price_per_mwh": price, "resolution_s": seconds,
                }
                for at, price, seconds in rows
            ],
        )  # fmt: skip
        prices = markets.day_ahead(self.store, DAY, ["FR"])
        picture = self.made(markets.price_duration(self.store, DAY, prices))
        line = called(picture.panels[0], "FR")
        # Half of the two hours cost 100.
        self.assertEqual(line.y.tolist(), [100.0] * 4 + [40.0, 30.0, 20.0, 10.0])
        self.assertEqual(line.x.tolist(), [6.25, 18.75, 31.25, 43.75, 56.25, 68.75, 81.25, 93.75])
        self.assertEqual(picture.panels[0].y_label, "price [EUR/MWh]")
        over_time = called(
            self.made(markets.day_ahead_prices(self.store, DAY, prices)).panels[0], "FR"
        )
        self.assertEqual(at(over_time.x, over_time.y, "2024-01-15T00:45:00Z"), 100.0)
        self.assertEqual(at(over_time.x, over_time.y, "2024-01-15T01:15:00Z"), 20.0)

    def test_long_ranges_keep_their_extremes(self) -> None:
        starts = times("2024-01-01T00:00:00Z", 48 * 60, 30)
        fill(
            self.store,
            "carbon_intensity",
            [
                {
                    "period_start": at,
                    "actual_gco2_per_kwh": 900.0 if n == 1000 else 100.0,
                    "forecast_gco2_per_kwh": 100.0,
                }
                for n, at in enumerate(starts)
                if not 48 * 30 <= n < 48 * 32
            ],
        )
        picture = self.made(markets.carbon(self.store, parse_range("2024-01-01", "2024-02-29")))
        (panel,) = picture.panels
        self.assertEqual(panel.y_label, "carbon intensity [gCO2/kWh]")
        band = panel.marks[0]
        assert isinstance(band, Band)
        self.assertEqual(np.nanmax(band.high), 900.0)
        line = called(panel, "actual")
        self.assertLess(np.nanmax(line.y), 900.0)
        self.assertTrue(np.isnan(at(line.x, line.y, starts[48 * 31])))  # two days without rows
        self.assertIn("mean, least and greatest of 2 h", picture.subtitle)


class Power(unittest.TestCase):
    def setUp(self) -> None:
        self.store = self.enterContext(open_store("sqlite:///:memory:"))

    def test_flows_out_stand_above_zero_and_flows_in_below(self) -> None:
        rows = [
            *(("FR>BE", at, 200.0, 3600) for at in times("2024-01-15T00:00:00Z", 2, 60)),
            # Quarter hours, of which the last hour is not there.
            *(("BE>FR", at, 50.0, 900) for at in times("2024-01-15T00:00:00Z", 4, 15)),
        ]
        fill(
            self.store,
            "entsoe_flows",
            [
                {
                    "border": border, "from_zone": border[:2], "to_zone": border[3:],
                    "period_start": start, "flow_mw": flow, "resolution_s": seconds,
                }
                for border, start, flow, seconds in rows
            ],
        )  # fmt: skip
        picture = markets.flows(self.store, DAY, "FR", ["BE"])
        assert picture is not None
        (panel,) = picture.panels
        out, into = (called(panel, label, Band) for label in ("to BE", "from BE"))
        self.assertEqual(at(out.x, out.high, "2024-01-15T00:15:00Z"), 200.0)
        self.assertEqual(at(into.x, into.high, "2024-01-15T00:15:00Z"), -50.0)
        self.assertEqual(at(into.x, into.value, "2024-01-15T00:15:00Z"), 50.0)
        self.assertEqual(panel.y_label, "flow [MW]\nout of FR +, into it −")
        (shade,) = [mark for mark in panel.marks if isinstance(mark, Shade)]
        self.assertEqual(
            (str(shade.left), str(shade.right)),
            ("2024-01-15T01:00:00.000000", "2024-01-15T02:00:00.000000"),
        )

    def test_the_mix_is_the_products_where_it_is_computed(self) -> None:
        starts = times("2024-01-15T00:00:00Z", 48, 30)
        fill(
            self.store,
            "entsoe_generation",
            [
                {
                    "zone": "FR", "period_start": at, "psr_type": code, "generation_mw": mw,
                    "resolution_s": 1800,
                }
                for at in starts
                for code, mw in (("B16", 30.0), ("B19", 70.0))
            ],
        )  # fmt: skip
        stored = markets.generation_mix(self.store, DAY, "FR")
        assert stored is not None
        labels = [mark.label for mark in stored.panels[0].marks if isinstance(mark, Band)]
        self.assertEqual(labels, ["Wind onshore", "Solar"])
        self.assertIn("as stored", stored.title)
        fill(
            self.store,
            "generation_mix",
            [
                {
                    "zone": zone, "period_start": at, "psr_group": group, "generation_mw": mw,
                    "coverage": 0.5,
                }
                for at in starts[:24]
                for zone, group, mw in (("FR", "wind", 7.0), ("FR", "storage", -2.0), ("DE_LU", "gas", 9.0))
            ],
        )  # fmt: skip
        picture = markets.generation_mix(self.store, DAY, "FR")
        assert picture is not None
        wind, storage = (called(picture.panels[0], name, Band) for name in ("Wind", "Storage"))
        self.assertEqual((wind.low[0], wind.high[0]), (0.0, 7.0))
        self.assertEqual((storage.low[0], storage.high[0]), (0.0, -2.0))
        self.assertEqual(picture.panels[0].y_label, "generation [MW]")
        # Half of half of the day.
        self.assertIn("coverage 25.0%", picture.subtitle)

    def test_a_net_position_says_which_side_is_export(self) -> None:
        fill(
            self.store,
            "cross_border_balance",
            [
                {
                    "zone": "FR", "period_start": at, "net_position_mw": 5.0, "exports_mw": 8.0,
                    "imports_mw": 3.0, "coverage": 1.0,
                }
                for at in times("2024-01-15T00:00:00Z", 48, 30)
            ],
        )  # fmt: skip
        picture = markets.balance(self.store, DAY, "FR")
        assert picture is not None
        net, sides = picture.panels
        self.assertEqual(net.y_label, "net position [MW]\nexport +")
        self.assertEqual(set(called(net, "from physical flows").y), {5.0})
        self.assertTrue(np.isnan(called(net, "total scheduled exchanges").y).all())
        self.assertEqual(set(called(sides, "imports").y), {3.0})


if __name__ == "__main__":
    unittest.main()
