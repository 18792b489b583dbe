"""What must add up whatever is traded, forecast and measured: identities over anything that may come."""

from __future__ import annotations

import math
import unittest
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.windows import Window
from products import (
    asset_forecast,
    best_of_infeed,
    portfolio_best_of_infeed,
    portfolio_forecast,
    portfolio_imbalance_cost,
    trading_daily,
)
from sources.vpp_files import FINAL, LIVE, REDISPATCH
from tests.unit.test_vpp_market import (
    DAY,
    QUARTER,
    START,
    assets,
    cost,
    expected,
    fed_in,
    forecasts,
    infeed,
    prices,
    rows,
    traded,
)

HOUR = Window(START, START + timedelta(hours=1))
NAMES = "ABC"
some = settings(max_examples=12, deadline=None, database=None)
powers = st.integers(-50, 60_000).map(lambda tenths: tenths / 10)
money = st.integers(-50_000, 300_000).map(lambda cents: cents / 100)


def spots(values: Any) -> Any:
    """Values of some quarter hours of the hour by asset."""
    places = st.tuples(st.sampled_from(NAMES), st.integers(0, 3))
    return st.dictionaries(places, values, max_size=12)


def trade_lists(quarters: int = 96) -> Any:
    """Trades that deliver within the first so many quarter hours."""

    def one(
        drawn: tuple[str, int, int, float, int, str],
    ) -> tuple[str, int, int, float, float, str]:
        side, length, first, price, tenths, unit = drawn
        return side, first % (quarters - length + 1), length, price, tenths / 10, unit

    parts = st.tuples(
        st.sampled_from(("SELL", "BUY")),
        st.sampled_from((1, 2, 4, 16)),
        st.integers(0, 95),
        money,
        st.integers(0, 900),
        st.sampled_from(("MW", "MWH")),
    )
    return st.lists(parts.map(one), max_size=20)


def total(values: pd.Series) -> float:
    return math.fsum(value for value in values if not math.isnan(value))


class Trading(unittest.TestCase):
    @some
    @given(trade_lists(), trade_lists())
    def test_pnl_adds_up_to_revenue_and_quarter_hours_to_the_day(
        self, own: list[Any], public: list[Any]
    ) -> None:
        found = traded(own, public)
        energy = [volume if unit == "MWH" else volume * n / 4 for _, _, n, _, volume, unit in own]
        sign = [1 if one[0] == "SELL" else -1 for one in own]
        by_hand = math.fsum(s * e * one[3] for s, e, one in zip(sign, energy, own, strict=True))
        near = {"delta": 1e-7}
        self.assertAlmostEqual(total(found["pnl_eur"]), by_hand, **near)
        self.assertAlmostEqual(total(found["revenue_eur"]), by_hand, **near)
        net = math.fsum(s * e for s, e in zip(sign, energy, strict=True))
        self.assertAlmostEqual(total(found["net_mwh"]), net, **near)
        (day,) = traded(own, public, compute=trading_daily.compute).to_dict("records")
        for name in ("pnl_eur", "revenue_eur", "sell_mwh", "buy_mwh", "public_mwh"):
            if own or name == "public_mwh":
                self.assertAlmostEqual(day[name], total(found[name]), **near)
        self.assertEqual(day["trades"] if own else 0, len(own))
        self.assertTrue((found["sell_mwh"].dropna() >= 0).all())
        self.assertTrue((found["buy_mwh"].dropna() >= 0).all())

    @some
    @given(trade_lists(), st.lists(powers, max_size=96))
    def test_a_mean_price_lies_among_prices_and_a_position_between_trade_and_infeed(
        self, own: list[Any], fed: list[float]
    ) -> None:
        found = traded(own, own, infeed(fed))
        for n, row in enumerate(found.to_dict("records")):
            here = [p for _, at, length, p, v, _ in own if at <= n < at + length and v > 0]
            if here:
                self.assertGreaterEqual(row["private_vwap_eur_per_mwh"], min(here) - 1e-9)
                self.assertLessEqual(row["private_vwap_eur_per_mwh"], max(here) + 1e-9)
                self.assertAlmostEqual(row["spread_eur_per_mwh"], 0.0, delta=1e-12)
            else:
                self.assertTrue(math.isnan(row["private_vwap_eur_per_mwh"]))
            if own and n < len(fed):
                position = row["net_mwh"] - fed[n] / 4000
                self.assertAlmostEqual(row["open_position_mwh"], position, delta=1e-9)
            else:
                self.assertTrue(math.isnan(row["open_position_mwh"]))

    @some
    @given(trade_lists(), st.integers(1, 95))
    def test_two_windows_have_what_one_has(self, own: list[Any], cut: int) -> None:
        middle = START + cut * QUARTER
        parts = [
            traded(own, own, window=window)
            for window in (Window(DAY.start, middle), Window(middle, DAY.end))
        ]
        whole = traded(own, own)
        for name in ("public_mwh", "public_trades"):
            both = [*parts[0][name], *parts[1][name]]
            self.assertEqual(both, list(whole[name]))


class Infeed(unittest.TestCase):
    def table(
        self, table: Any, values: dict[tuple[str, int], float], row: Callable[[str, int], Any]
    ) -> pd.DataFrame:
        return rows(
            table,
            *(
                row(name, at) | {"power_kw": power}
                for (name, at), power in sorted(values.items(), key=lambda item: item[0])
            ),
        )

    @some
    @given(spots(powers), spots(powers), spots(powers), spots(st.just(1)))
    def test_sources_are_counted_and_assets_add_up(
        self,
        final: dict[tuple[str, int], float],
        live: dict[tuple[str, int], float],
        told: dict[tuple[str, int], float],
        flags: dict[tuple[str, int], int],
    ) -> None:
        def quarter(at: int) -> dict[str, Any]:
            return {"period_start": START + at * QUARTER}

        each = best_of_infeed.compute(
            assets(*NAMES),
            self.table(FINAL, final, lambda a, at: quarter(at) | {"metering_point_id": f"DE-{a}"}),
            self.table(
                LIVE,
                live,
                lambda a, at: {
                    "asset_id": a,
                    "measurement_time": START + at * QUARTER,
                    "millisecond": 0,
                },
            ),
            forecasts(*((a, 0, at, power) for (a, at), power in sorted(told.items()))),
            rows(
                REDISPATCH,
                *(
                    quarter(at)
                    | {
                        "metering_point_id": f"DE-{a}",
                        "period_end": START + (at + 1) * QUARTER,
                        "redispatched": 1,
                        "publish_time": START,
                    }
                    for a, at in sorted(flags)
                ),
            ),
            window=HOUR,
            vpp_live_hold_minutes=15.0,
            vpp_live_min_coverage=0.5,
        )
        self.assertEqual(len(each), 12)
        for row in each.to_dict("records"):
            spot = row["asset_id"], int((row["period_start"] - START) / QUARTER)
            source, power = next(
                (kind, value)
                for kind, value in (
                    ("final", final.get(spot)),
                    ("live", None if live.get(spot) is None else max(live[spot], 0.0)),
                    ("forecast", 0.0 if spot in told and spot in flags else told.get(spot)),
                    ("missing", math.nan),
                )
                if value is not None
            )
            self.assertEqual(row["source"], source)
            self.assertEqual(row["redispatched"], int(spot in flags))
            if source != "missing":
                self.assertAlmostEqual(row["power_kw"], power, delta=1e-9)
                self.assertAlmostEqual(row["energy_mwh"], power / 4000, delta=1e-12)
        both = portfolio_best_of_infeed.compute(each, window=HOUR)
        self.assertEqual(len(both), 4)
        for row in both.to_dict("records"):
            here = each[each["period_start"] == row["period_start"]]
            counts = [row[f"{kind}_assets"] for kind in ("final", "live", "forecast", "missing")]
            self.assertEqual(sum(counts), row["assets"])
            self.assertEqual(row["assets"], len(NAMES))
            self.assertEqual(counts[-1], here["power_kw"].isna().sum())
            if counts[-1] < row["assets"]:
                self.assertAlmostEqual(row["power_kw"], total(here["power_kw"]), delta=1e-9)
                self.assertAlmostEqual(row["energy_mwh"], total(here["energy_mwh"]), delta=1e-9)
            else:
                self.assertTrue(math.isnan(row["power_kw"]))


class Portfolio(unittest.TestCase):
    @some
    @given(spots(st.tuples(st.integers(-4, 3), powers)))
    def test_forecasts_of_assets_add_up(
        self, told: dict[tuple[str, int], tuple[int, float]]
    ) -> None:
        table = forecasts(*((a, at + back, at, p) for (a, at), (back, p) in sorted(told.items())))
        each = asset_forecast.compute(assets(*NAMES), table, window=HOUR)
        both = portfolio_forecast.compute(each, window=HOUR)
        self.assertEqual(len(both), 4)
        for kind, gate in (("latest", 0), ("tradeable", -1)):
            for n, row in enumerate(both.to_dict("records")):
                known = [p for (_, at), (back, p) in told.items() if at == n and back <= gate]
                self.assertEqual(row[f"{kind}_assets"], len(known))
                if known:
                    self.assertAlmostEqual(row[f"{kind}_power_kw"], math.fsum(known), delta=1e-9)
                else:
                    self.assertTrue(math.isnan(row[f"{kind}_power_kw"]))

    @some
    @given(
        spots(powers),
        spots(st.tuples(powers, st.sampled_from(("final", "live", "forecast")))),
        st.dictionaries(st.integers(0, 3), money),
        st.dictionaries(st.integers(0, 3), money),
    )
    def test_imbalance_of_assets_adds_up(
        self,
        told: dict[tuple[str, int], float],
        measured: dict[tuple[str, int], tuple[float, str]],
        final: dict[int, float],
        estimate: dict[int, float],
    ) -> None:
        infeeds = fed_in(*((a, at, p, source) for (a, at), (p, source) in sorted(measured.items())))
        priced = prices(
            *((at, "final", p, None, None) for at, p in sorted(final.items())),
            *((at, "estimate", p, None, 0) for at, p in sorted(estimate.items())),
        )
        each = cost(expected(*((*spot, p) for spot, p in sorted(told.items()))), infeeds, priced)
        self.assertEqual(len(each), len(measured))
        both = portfolio_imbalance_cost.compute(each, window=DAY)
        self.assertEqual(set(both["period_start"]), set(each["period_start"]))
        for row in both.to_dict("records"):
            at = int((row["period_start"] - START) / QUARTER)
            here = [spot for spot in measured if spot[1] == at]
            known = [s for s in here if s in told and measured[s][1] != "forecast"]
            self.assertEqual((row["assets"], row["known_assets"]), (len(here), len(known)))
            self.assertEqual(row["known_assets"] + row["unknown_assets"], row["assets"])
            if not known:
                self.assertTrue(math.isnan(row["imbalance_mwh"]))
                continue
            imbalance = math.fsum((told[s] - measured[s][0]) / 4000 for s in known)
            self.assertAlmostEqual(row["imbalance_mwh"], imbalance, delta=1e-9)
            price = final.get(at, estimate.get(at))
            if price is None:
                self.assertTrue(math.isnan(row["cost_eur"]))
            else:
                self.assertAlmostEqual(row["cost_eur"], imbalance * price, delta=1e-9)
            costs = each.loc[each["period_start"] == row["period_start"], "cost_eur"]
            self.assertAlmostEqual(total(costs), (price or 0) * imbalance, delta=1e-9)


if __name__ == "__main__":
    unittest.main()
