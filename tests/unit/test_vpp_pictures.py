"""Pictures of a virtual power plant: which source counts, signs, units, delivery days, what is missing."""

from __future__ import annotations

import unittest
from zoneinfo import ZoneInfo

import numpy as np

from domain.settlement import days_window, parse_day
from pictures import vpp
from pictures.picture import Band, Bars, Shade
from storage import open_store
from tests.unit.picture_stores import fill, times
from tests.unit.test_market_pictures import at, called

UTC, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
DAY = days_window(parse_day("2024-01-15"), parse_day("2024-01-15"), UTC)
STARTS = times("2024-01-15T00:00:00Z", 96, 15)


class Vpp(unittest.TestCase):
    def setUp(self) -> None:
        self.store = self.enterContext(open_store("sqlite:///:memory:"))

    def test_nothing_stored_is_no_picture(self) -> None:
        for make in (vpp.infeed, vpp.forecast, vpp.imbalance, vpp.performance):
            for asset in (None, "A-1"):
                self.assertIsNone(make(self.store, DAY, asset, UTC))
        self.assertIsNone(vpp.trading(self.store, DAY, UTC))

    def test_each_quarter_hour_of_an_asset_shows_its_source(self) -> None:
        sources = ["final", "final", "live", "forecast", "missing", "final"]
        rows = [
            {
                "asset_id": asset,
                "period_start": start,
                "source": source,
                "power_kw": None if source == "missing" else 100.0 + n,
                "redispatched": int(n == 3),
            }
            for asset in ("A-1", "A-2")
            for n, (start, source) in enumerate(zip(STARTS, sources, strict=False))
        ]
        fill(self.store, "best_of_infeed", rows)
        picture = vpp.infeed(self.store, DAY, "A-1", UTC)
        assert picture is not None
        (panel,) = picture.panels
        self.assertEqual(panel.y_label, "infeed [kW]")
        for n, start in enumerate(STARTS[:6]):
            for source in ("final", "live", "forecast"):
                band = called(panel, source, Band)
                shown = at(band.x, band.high - band.low, start)
                with self.subTest(source=source, start=start):
                    if source == sources[n]:
                        self.assertEqual(shown, 100.0 + n)
                    else:
                        self.assertTrue(np.isnan(shown) or shown == 0)
        shades = {mark.label: str(mark.left) for mark in panel.marks if isinstance(mark, Shade)}
        self.assertEqual(
            shades,
            {
                "no source": "2024-01-15T01:00:00.000000",
                "redispatched": "2024-01-15T00:45:00.000000",
            },
        )
        self.assertIn("delivery days by UTC", picture.subtitle)
        # Five of 96 quarter hours are known.
        self.assertIn("coverage 5.2%", picture.subtitle)

    def test_a_long_range_counts_the_quarter_hours_of_each_source(self) -> None:
        starts = times("2024-01-01T00:00:00Z", 96 * 40, 15)
        fill(
            self.store,
            "best_of_infeed",
            [
                {
                    "asset_id": "A-1",
                    "period_start": start,
                    "power_kw": 10.0,
                    "source": "live" if n % 4 == 3 else "final",
                }
                for n, start in enumerate(starts)
            ],
        )
        window = days_window(parse_day("2024-01-01"), parse_day("2024-02-09"), UTC)
        picture = vpp.infeed(self.store, window, "A-1", UTC)
        assert picture is not None
        power, counted = picture.panels
        final, live = (called(counted, name, Band) for name in ("final", "live"))
        self.assertEqual(set(final.value), {3.0})
        self.assertEqual(set(live.value), {1.0})
        self.assertEqual(power.y_label, "infeed [kW]")

    def test_the_portfolio_shows_how_many_assets_each_source_has(self) -> None:
        fill(
            self.store,
            "portfolio_best_of_infeed",
            [
                {
                    "period_start": start,
                    "power_kw": 500.0,
                    "assets": 4,
                    "final_assets": 2,
                    "live_assets": 1,
                    "missing_assets": int(n == 7),
                }
                for n, start in enumerate(STARTS)
            ],
        )
        picture = vpp.infeed(self.store, DAY, None, UTC)
        assert picture is not None
        power, assets = picture.panels
        self.assertEqual(set(called(assets, "final", Band).value), {2.0})
        self.assertEqual(set(called(assets, "live", Band).low), {2.0})
        (shade,) = [mark for mark in power.marks if isinstance(mark, Shade)]
        self.assertEqual(shade.label, "assets without a source")
        self.assertEqual(str(shade.left), "2024-01-15T01:45:00.000000")

    def test_signs_and_units_of_imbalance_are_said(self) -> None:
        fill(
            self.store,
            "portfolio_imbalance_cost",
            [
                {
                    "period_start": start,
                    "imbalance_mwh": 2.0,
                    "price_eur_per_mwh": -30.0,
                    "cost_eur": None if n == 5 else -60.0,
                    "doubtful": int(n == 2),
                }
                for n, start in enumerate(STARTS)
            ],
        )
        picture = vpp.imbalance(self.store, DAY, None, UTC)
        assert picture is not None
        self.assertEqual(
            [panel.y_label for panel in picture.panels],
            [
                "imbalance [MWh]\n+ is short",
                "imbalance price [EUR/MWh]",
                "cost [EUR]\n+ is what we pay",
            ],
        )
        cost = called(picture.panels[2], "cost")
        self.assertEqual(at(cost.x, cost.y, STARTS[4]), -60.0)
        self.assertTrue(np.isnan(at(cost.x, cost.y, STARTS[5])))
        labels = [mark.label for mark in picture.panels[1].marks if isinstance(mark, Shade)]
        self.assertEqual(labels, ["doubtful estimate"])

    def test_trading_of_many_days_is_by_delivery_day(self) -> None:
        fill(
            self.store,
            "trading",
            [
                {"period_start": start, "net_mwh": 1.0, "open_position_mwh": -3.0}
                for start in STARTS
            ],
        )
        fill(
            self.store,
            "trading_daily",
            [
                {"period_start": start, "net_mwh": 96.0, "private_vwap_eur_per_mwh": 50.0}
                for start in times("2024-01-01T00:00:00Z", 15, 24 * 60)
            ],
        )
        one = vpp.trading(self.store, DAY, UTC)
        assert one is not None
        self.assertEqual(
            [panel.y_label for panel in one.panels],
            [
                "price [EUR/MWh]",
                "energy [MWh]",
                "open position [MWh]\n+ is sold and not fed in",
                "money [EUR]",
            ],
        )
        self.assertEqual(set(called(one.panels[1], "net: sold − bought").y), {1.0})
        self.assertEqual(set(called(one.panels[2], "open position").y), {-3.0})
        many = vpp.trading(
            self.store, days_window(parse_day("2024-01-01"), parse_day("2024-01-15"), UTC), UTC
        )
        assert many is not None
        self.assertIn("by delivery day", many.title)
        self.assertEqual(set(called(many.panels[1], "net: sold − bought").y), {96.0})

    def test_a_delivery_day_of_berlin_in_october_lasts_25_hours(self) -> None:
        fill(
            self.store,
            "performance_daily",
            [
                {
                    "period_start": "2024-10-26T22:00:00Z",
                    "asset_id": asset,
                    "production_mwh": mwh,
                    "revenue_eur": 7.0,
                }
                for asset, mwh in (("A-1", 3.0), ("PORTFOLIO", 9.0))
            ],
        )
        day = parse_day("2024-10-27")
        picture = vpp.performance(self.store, days_window(day, day, BERLIN), None, BERLIN)
        assert picture is not None
        (bar,) = [mark for mark in picture.panels[0].marks if isinstance(mark, Bars)]
        self.assertEqual(bar.y.tolist(), [9.0])
        self.assertEqual((bar.right - bar.left)[0], np.timedelta64(25, "h"))
        self.assertIn("delivery days by Europe/Berlin", picture.subtitle)
        self.assertEqual(picture.panels[0].y_label, "production a day [MWh]")
        self.assertEqual(set(called(picture.panels[3], "trading PnL").y), {7.0})
        alone = vpp.performance(self.store, days_window(day, day, BERLIN), "A-1", BERLIN)
        assert alone is not None
        self.assertNotIn("trading PnL", [getattr(m, "label", "") for m in alone.panels[3].marks])

    def test_forecasts_stand_beside_the_infeed(self) -> None:
        fill(
            self.store,
            "asset_forecast",
            [
                {
                    "asset_id": "A-1",
                    "period_start": start,
                    "latest_power_kw": 10.0,
                    "tradeable_power_kw": 11.0,
                }
                for start in STARTS
            ],
        )
        fill(
            self.store,
            "best_of_infeed",
            [
                {"asset_id": "A-1", "period_start": start, "power_kw": 12.0, "source": "final"}
                for start in STARTS[:48]
            ],
        )
        picture = vpp.forecast(self.store, DAY, "A-1", UTC)
        assert picture is not None
        (panel,) = picture.panels
        self.assertEqual(panel.y_label, "power [kW]")
        labels = ("latest forecast", "latest tradeable forecast", "best-of-infeed")
        self.assertEqual([set(called(panel, n).y) for n in labels], [{10.0}, {11.0}, {12.0}])
        self.assertIn("best-of-infeed: 15 min, coverage 50.0%", picture.subtitle)


if __name__ == "__main__":
    unittest.main()
