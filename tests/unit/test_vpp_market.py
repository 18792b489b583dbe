"""Forecasts, trading and imbalance as pure functions: worked numbers and identities."""

from __future__ import annotations

import math
import random
import unittest
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from domain.tables import Table, conform
from domain.windows import Window
from products import (
    asset_forecast,
    best_of_infeed,
    imbalance_cost,
    portfolio_best_of_infeed,
    portfolio_forecast,
    portfolio_imbalance_cost,
    trading,
    trading_daily,
)
from sources.vpp_files import ASSETS, FORECASTS
from sources.vpp_market import IMBALANCE, PRIVATE, PUBLIC

START = datetime(2024, 7, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
DAY = Window(START, START + timedelta(days=1))

Trade = tuple[str, int, int, float, float, str]


def rows(table: Table, *cells: dict[str, Any]) -> pd.DataFrame:
    """Rows as a store hands them out."""
    names = {name for one in cells for name in one} or set(table.names)
    columns = {name: [one.get(name) for one in cells] for name in names}
    return conform(table, columns, "the test").frame


def trades(table: Table, ones: Iterable[Trade]) -> pd.DataFrame:
    """Trades as (side, first quarter hour, quarter hours, price, volume, unit)."""
    return rows(
        table,
        *(
            {
                "trade_id": f"{n:04d}",
                "period_start": START + first * QUARTER,
                "period_end": START + (first + length) * QUARTER,
                "execution_time": START,
                "price_eur_per_mwh": price,
                "volume": volume,
                "volume_unit": unit,
            }
            | ({"side": side} if table is PRIVATE else {})
            for n, (side, first, length, price, volume, unit) in enumerate(ones)
        ),
    )


def infeed(power_kw: Sequence[float], missing: int = 0) -> pd.DataFrame:
    """Best-of-infeed of the portfolio from the first quarter hour on."""
    counts = ("assets", "final_assets", "live_assets", "forecast_assets", "redispatched_assets")
    return rows(
        portfolio_best_of_infeed.PRODUCT.table,
        *(
            {
                "period_start": START + n * QUARTER,
                "power_kw": power,
                "energy_mwh": power / 4000,
                "missing_assets": missing,
                **dict.fromkeys(counts, 1),
            }
            for n, power in enumerate(power_kw)
        ),
    )


def traded(
    own: Iterable[Trade] = (),
    public: Iterable[Trade] = (),
    fed_in: pd.DataFrame | None = None,
    window: Window = DAY,
    *,
    compute: Any = trading.compute,
    unit: str = "as_labelled",
) -> Any:
    return compute(
        trades(PRIVATE, own),
        trades(PUBLIC, public),
        infeed([]) if fed_in is None else fed_in,
        window=window,
        vpp_delivery_day="UTC",
        vpp_private_volume_unit=unit,
        vpp_public_volume_unit="as_labelled",
    )


def some_trades(seed: int, count: int = 60) -> list[Trade]:
    draw = random.Random(seed)
    found: list[Trade] = []
    for _ in range(count):
        length = draw.choice((1, 4, 4, 16))
        first = draw.randrange(0, 96 - length + 1)
        price = round(draw.uniform(-100, 300), 2)
        volume = draw.randrange(1, 90) / 10
        found.append(
            (draw.choice(("SELL", "BUY")), first, length, price, volume, draw.choice(("MW", "MWH")))
        )
    return found


class Trading(unittest.TestCase):
    def test_worked_vwap(self) -> None:
        both = (("SELL", 0, 4, 50.0, 10.0, "MWH"), ("SELL", 0, 4, 62.0, 5.0, "MWH"))
        quarter = traded(both, both).iloc[0]
        self.assertEqual(quarter["private_vwap_eur_per_mwh"], 54.0)
        self.assertEqual(quarter["public_vwap_eur_per_mwh"], 54.0)
        self.assertEqual(quarter["spread_eur_per_mwh"], 0.0)
        day = traded(both, both, compute=trading_daily.compute).iloc[0]
        self.assertEqual(day["private_vwap_eur_per_mwh"], 54.0)
        self.assertEqual((day["sell_mwh"], day["revenue_eur"]), (15.0, 810.0))

    def test_worked_market_value(self) -> None:
        """The same mean by which a technology's market value is told: 1 MWh at 100, 4 at 20."""
        hours = [("SELL", 0, 1, 100.0, 1.0, "MWH"), ("SELL", 1, 1, 20.0, 4.0, "MWH")]
        day = traded(hours, compute=trading_daily.compute).iloc[0]
        self.assertAlmostEqual(day["private_vwap_eur_per_mwh"], 36.0, delta=1e-6)

    def test_the_sum_of_pnl_is_the_revenue(self) -> None:
        for seed in range(6):
            with self.subTest(seed=seed):
                own = some_trades(seed)
                found = traded(own)
                by_hand = math.fsum(
                    (1 if side == "SELL" else -1)
                    * price
                    * (volume if unit == "MWH" else volume * length / 4)
                    for side, _, length, price, volume, unit in own
                )
                self.assertAlmostEqual(found["pnl_eur"].sum(), by_hand, delta=1e-8)
                self.assertAlmostEqual(found["revenue_eur"].sum(), by_hand, delta=1e-8)
                day = traded(own, compute=trading_daily.compute).iloc[0]
                self.assertAlmostEqual(day["pnl_eur"], by_hand, delta=1e-8)
                self.assertEqual(day["trades"], len(own))
                self.assertEqual(found["trades"].sum(), sum(one[2] for one in own))

    def test_an_hour_is_four_quarter_hours(self) -> None:
        for seed in range(5):
            draw = random.Random(seed)
            side, first = draw.choice(("SELL", "BUY")), draw.randrange(93)
            price, volume = round(draw.uniform(-100, 300), 2), draw.randrange(1, 90) / 10
            hour = [(side, first, 4, price, volume, "MW")]
            energy = [(side, first, 4, price, volume, "MWH")]
            quarters = [(side, first + n, 1, price, volume, "MW") for n in range(4)]
            fourths = [(side, first + n, 1, price, volume / 4, "MWH") for n in range(4)]
            same = ["pnl_eur", "sell_mwh", "buy_mwh", "net_mwh", "private_vwap_eur_per_mwh"]
            for whole, parts in ((hour, quarters), (energy, fourths), (hour, energy)):
                with self.subTest(seed=seed, whole=whole):
                    one, four = traded(whole)[same], traded(parts)[same]
                    pd.testing.assert_frame_equal(one, four, rtol=0, atol=1e-9)

    def test_worked_units(self) -> None:
        quarter = traded([("BUY", 8, 1, -20.0, 6.0, "MW")]).iloc[8]
        self.assertEqual((quarter["buy_mwh"], quarter["net_mwh"]), (1.5, -1.5))
        self.assertEqual((quarter["pnl_eur"], quarter["revenue_eur"]), (30.0, 30.0))
        same = traded([("BUY", 8, 1, -20.0, 6.0, "MW")], unit="MWH").iloc[8]
        self.assertEqual((same["buy_mwh"], same["pnl_eur"]), (6.0, 120.0))

    def test_fills_of_one_order_both_count(self) -> None:
        fill = ("SELL", 0, 1, 40.0, 2.0, "MW")
        self.assertEqual(traded([fill, fill]).iloc[0]["sell_mwh"], 1.0)

    def test_a_delivery_over_midnight_counts_where_it_delivers(self) -> None:
        block = ("SELL", -2, 4, 100.0, 4.0, "MW")
        found = traded([block])
        self.assertEqual(list(found["pnl_eur"][:3]), [100.0, 100.0, 0.0])
        self.assertEqual(found["revenue_eur"].sum(), 0.0)
        self.assertEqual((found["trades"].sum(), found["trades_begun"].sum()), (2, 0))

    def test_days_do_not_depend_on_their_neighbours(self) -> None:
        two = Window(DAY.start, DAY.end + timedelta(days=1))
        second = Window(DAY.end, two.end)
        own = [*some_trades(1), ("SELL", 100, 4, 50.0, 2.0, "MW")]
        public = [*some_trades(2), ("SELL", 150, 1, 55.0, 2.0, "MW")]
        for compute in (trading.compute, trading_daily.compute):
            both = traded(own, public, infeed([900.0] * 192), two, compute=compute)
            parts = [
                traded(own, public, infeed([900.0] * 192), one, compute=compute)
                for one in (DAY, second)
            ]
            pd.testing.assert_frame_equal(both, pd.concat(parts, ignore_index=True))

    def test_no_trade_is_no_zero_price_and_no_file_is_no_zero_revenue(self) -> None:
        public = [("SELL", 0, 1, 50.0, 1.0, "MW")]
        found = traded([("SELL", 3, 1, 50.0, 1.0, "MW")], public)
        self.assertEqual((found["revenue_eur"][0], found["trades"][0]), (0.0, 0))
        self.assertTrue(math.isnan(found["private_vwap_eur_per_mwh"][0]))
        self.assertTrue(math.isnan(found["public_vwap_eur_per_mwh"][3]))
        self.assertTrue(found["spread_eur_per_mwh"].isna().all())
        silent = traded([], public)
        for name in ("revenue_eur", "pnl_eur", "sell_mwh", "net_mwh", "trades", "trades_begun"):
            self.assertTrue(silent[name].isna().all(), name)
        self.assertEqual(silent["public_vwap_eur_per_mwh"][0], 50.0)

    def test_open_position(self) -> None:
        own = [("SELL", 0, 2, 50.0, 6.0, "MW"), ("BUY", 1, 1, 50.0, 2.0, "MW")]
        found = traded(own, fed_in=infeed([4000.0, 6000.0]))
        self.assertEqual(list(found["open_position_mwh"][:2]), [0.5, -0.5])
        self.assertTrue(found["open_position_mwh"][2:].isna().all())
        half = traded(own, fed_in=infeed([4000.0, 6000.0], missing=1))
        self.assertTrue(half["open_position_mwh"].isna().all(), "an asset's infeed is unknown")


def forecasts(*told: tuple[str, int, int, float]) -> pd.DataFrame:
    """Forecasts as (asset, version, quarter hour, kW), both times counted in quarter hours."""
    return rows(
        FORECASTS,
        *(
            {
                "asset_id": asset,
                "version": START + version * QUARTER,
                "period_start": START + at * QUARTER,
                "power_kw": power,
            }
            for asset, version, at, power in told
        ),
    )


def assets(*names: str) -> pd.DataFrame:
    return rows(
        ASSETS,
        *(
            {
                "snapshot_at": START - timedelta(days=9),
                "kind": "contract",
                "asset_id": name,
                "contract_id": f"C-{name}",
                "metering_point_id": f"DE-{name}",
                "capacity_kw": 5000.0,
                "technology": "wind",
            }
            for name in names
        ),
    )


class Forecasts(unittest.TestCase):
    hour = Window(START + 4 * QUARTER, START + 8 * QUARTER)

    def test_latest_and_tradeable(self) -> None:
        told = forecasts(
            ("A", 0, 4, 100.0), ("A", 3, 4, 200.0), ("A", 4, 4, 300.0), ("A", 5, 4, 400.0),
            ("A", 6, 6, 50.0), ("A", 7, 6, 60.0), ("B", 0, 4, 1.0),
        )  # fmt: skip
        found = asset_forecast.compute(assets("A"), told, window=self.hour)
        self.assertEqual(len(found), 4)
        first, second, third = (found.iloc[n] for n in range(3))
        self.assertEqual((first["latest_power_kw"], first["tradeable_power_kw"]), (300.0, 200.0))
        self.assertEqual(first["latest_version"], START + 4 * QUARTER)
        self.assertEqual(first["tradeable_version"], START + 3 * QUARTER)
        self.assertEqual(first["latest_energy_mwh"], 0.075)
        self.assertTrue(pd.isna(second["latest_version"]) and math.isnan(second["latest_power_kw"]))
        # Made at the quarter hour itself: the latest, and too late to trade on.
        self.assertEqual(third["latest_power_kw"], 50.0)
        self.assertTrue(math.isnan(third["tradeable_power_kw"]))

    def test_assets_sum_to_the_portfolio(self) -> None:
        for seed in range(5):
            draw = random.Random(seed)
            told = [
                (name, draw.randrange(0, 8), at, draw.uniform(0, 5000))
                for name in "ABCDE"
                for at in range(4, 8)
            ]
            table = forecasts(*told)
            each = asset_forecast.compute(assets(*"ABCDE"), table, window=self.hour)
            both = portfolio_forecast.compute(each, window=self.hour)
            for kind in ("latest", "tradeable"):
                for _, row in both.iterrows():
                    here = each[each["period_start"] == row["period_start"]]
                    powers = [p for p in here[f"{kind}_power_kw"] if not math.isnan(p)]
                    self.assertEqual(row[f"{kind}_assets"], len(powers))
                    self.assertEqual(row["assets"], 5)
                    if powers:
                        self.assertAlmostEqual(
                            row[f"{kind}_power_kw"], math.fsum(powers), delta=1e-9
                        )
                    else:
                        self.assertTrue(math.isnan(row[f"{kind}_power_kw"]))


def fed_in(*ones: tuple[str, int, float | None, str]) -> pd.DataFrame:
    """Best-of-infeed as (asset, quarter hour, kW, source)."""
    return rows(
        best_of_infeed.PRODUCT.table,
        *(
            {
                "asset_id": asset,
                "period_start": START + at * QUARTER,
                "power_kw": power,
                "source": source,
                "redispatched": 0,
                "live_coverage": 1.0,
            }
            for asset, at, power, source in ones
        ),
    )


def prices(*ones: tuple[int, str, float, float | None, int | None]) -> pd.DataFrame:
    """Imbalance prices as (quarter hour, kind, price, price of the long side, status)."""
    return rows(
        IMBALANCE,
        *(
            {
                "period_start": START + at * QUARTER,
                "kind": kind,
                "price_eur_per_mwh": price,
                "price_long_eur_per_mwh": long,
                "status": status,
            }
            for at, kind, price, long, status in ones
        ),
    )


def expected(*ones: tuple[str, int, float | None]) -> pd.DataFrame:
    """Forecasts of assets as (asset, quarter hour, kW at gate closure); the latest says nothing."""
    return rows(
        asset_forecast.PRODUCT.table,
        *(
            {
                "asset_id": asset,
                "period_start": START + at * QUARTER,
                "tradeable_version": None if power is None else START,
                "tradeable_power_kw": power,
            }
            for asset, at, power in ones
        ),
    )


def cost(told: pd.DataFrame, measured: pd.DataFrame, priced: pd.DataFrame) -> pd.DataFrame:
    return imbalance_cost.compute(
        told, measured, priced, window=DAY, vpp_imbalance_forecast="tradeable"
    )


class Imbalance(unittest.TestCase):
    def test_sign_and_price(self) -> None:
        found = cost(
            expected(("A", 0, 4000.0), ("A", 1, 4000.0), ("A", 2, 4000.0), ("A", 3, 4000.0)),
            fed_in(
                ("A", 0, 2000.0, "final"), ("A", 1, 6000.0, "live"), ("A", 2, 2000.0, "final"),
                ("A", 3, 2000.0, "final"),
            ),
            prices(
                (0, "estimate", 7.0, None, 0), (0, "final", 120.0, 120.0, None),
                (1, "estimate", 80.0, None, 2), (2, "final", -30.0, -37.25, None),
            ),
        )  # fmt: skip
        self.assertEqual(list(found["imbalance_mwh"]), [0.5, -0.5, 0.5, 0.5])
        self.assertEqual(list(found["cost_eur"][:3]), [60.0, -40.0, -15.0])
        self.assertEqual(list(found["price_source"]), ["final", "estimate", "final", "missing"])
        self.assertEqual(list(found["doubtful"]), [0, 1, 0, 0])
        self.assertEqual(list(found["two_prices"]), [0, 0, 1, 0])
        self.assertEqual(list(found["unknown"]), ["", "", "", "price"])
        self.assertTrue(math.isnan(found["cost_eur"][3]))

    def test_unknown_is_no_zero(self) -> None:
        told = expected(("A", 0, 4000.0), ("B", 0, None), ("C", 0, 1000.0), ("D", 0, 1000.0))
        measured = fed_in(
            ("A", 0, 3000.0, "forecast"), ("B", 0, 500.0, "final"), ("C", 0, None, "missing"),
            ("D", 0, 600.0, "final"),
        )  # fmt: skip
        found = cost(told, measured, prices((0, "final", 100.0, 100.0, None)))
        self.assertEqual(list(found["unknown"]), ["measurement", "forecast", "measurement", ""])
        self.assertEqual(list(found["cost_eur"].isna()), [True, True, True, False])
        (row,) = portfolio_imbalance_cost.compute(found, window=DAY).to_dict("records")
        self.assertEqual((row["known_assets"], row["unknown_assets"], row["assets"]), (1, 3, 4))
        self.assertEqual(
            (row["coverage"], row["forecast_mwh"], row["cost_eur"]), (0.25, 0.25, 10.0)
        )
        none = portfolio_imbalance_cost.compute(found[found["unknown"] != ""], window=DAY)
        self.assertTrue(none[["forecast_mwh", "imbalance_mwh", "cost_eur"]].isna().all(axis=None))

    def test_assets_sum_to_the_portfolio(self) -> None:
        for seed in range(5):
            draw = random.Random(seed)
            spots = [(name, at) for name in "ABCDE" for at in range(8)]
            told = expected(*((*spot, draw.uniform(0, 5000)) for spot in spots))
            sources = ("final", "live", "forecast")
            measured = fed_in(*((*s, draw.uniform(0, 5000), draw.choice(sources)) for s in spots))
            priced = prices(
                *((at, "final", draw.uniform(-200, 400), None, None) for at in range(0, 8, 2)),
                *((at, "estimate", draw.uniform(-200, 400), None, 1) for at in range(6)),
            )
            each = cost(told, measured, priced)
            both = portfolio_imbalance_cost.compute(each, window=DAY)
            self.assertEqual(len(both), 8)
            for _, row in both.iterrows():
                here = each[each["period_start"] == row["period_start"]]
                known = [one for one in here["imbalance_mwh"] if not math.isnan(one)]
                if not known:
                    continue
                self.assertAlmostEqual(row["imbalance_mwh"], math.fsum(known), delta=1e-9)
                self.assertAlmostEqual(
                    row["forecast_mwh"] - row["measured_mwh"], row["imbalance_mwh"], delta=1e-9
                )
                price = row["price_eur_per_mwh"]
                if math.isnan(price):
                    self.assertTrue(math.isnan(row["cost_eur"]))
                else:
                    self.assertAlmostEqual(row["cost_eur"], math.fsum(known) * price, delta=1e-9)

    def test_worked_attribution(self) -> None:
        """Sold 10 MWh day-ahead at 80, 0.5 bought back at 100, 9 fed in, imbalance at 120."""
        own = [("SELL", 0, 1, 80.0, 10.0, "MWH"), ("BUY", 0, 1, 100.0, 0.5, "MWH")]
        day = traded(own, fed_in=infeed([36_000.0])).iloc[0]
        self.assertEqual((day["revenue_eur"], day["net_mwh"]), (750.0, 9.5))
        found = cost(
            expected(("A", 0, 38_000.0)),
            fed_in(("A", 0, 36_000.0, "final")),
            prices((0, "final", 120.0, 120.0, None)),
        )
        self.assertEqual(found["imbalance_mwh"][0], day["open_position_mwh"])
        result = day["revenue_eur"] - found["cost_eur"][0]
        self.assertEqual(result, 690.0)
        benchmark = 9 * 80.0
        terms = [-0.5 * (100 - 80), -0.5 * (120 - 80)]
        self.assertEqual(result - benchmark, math.fsum(terms))
        self.assertEqual(result - benchmark, -30.0)


if __name__ == "__main__":
    unittest.main()
