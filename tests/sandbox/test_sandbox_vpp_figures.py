"""The sandbox's own figures of a virtual power plant: numbers that were worked out on paper."""

from __future__ import annotations

import unittest
from datetime import date
from decimal import Decimal

from sandbox.vpp import Contract, ImbalancePrice, Snapshot, Trade, Truth, figures

EPOCH = date(1970, 1, 1)


def trade(
    name: str, side: str, start: int, end: int, price: str, volume: str, unit: str = "MW"
) -> Trade:
    return Trade(name, (side,), start, end, 0, Decimal(price), Decimal(volume), unit)


class ByHand(unittest.TestCase):
    def test_trading(self) -> None:
        own = [
            trade("1", "SELL", 0, 3_600, "50.00", "4"),  # 1 MWh a quarter hour, 200 EUR
            trade("2", "BUY", 900, 1_800, "-20.00", "1.5", "MWH"),  # we are paid 30 EUR
            trade("3", "SELL", -3_600, 900, "10.00", "8"),  # 2 MWh here, begun before
        ]
        public = [
            trade("7", "BUY", 0, 3_600, "50.00", "10", "MWH"),
            trade("8", "BUY", 0, 3_600, "62.00", "5", "MWH"),
        ]
        found = figures.traded(own, public, range(0, 3_600, 900))
        first, second, third = found[0], found[900], found[1_800]
        self.assertEqual((first.revenue, second.revenue, third.revenue), (200, 30, 0))
        self.assertEqual((first.pnl, second.pnl, third.pnl), (70, 80, 50))
        self.assertEqual((first.sell, first.buy, second.buy), (3, 0, Decimal("1.5")))
        self.assertEqual((first.trades, first.begun), ({"1", "3"}, {"1"}))
        self.assertEqual({one.public_vwap for one in found.values()}, {54})
        self.assertEqual(first.private_vwap, Decimal(70) / 3)
        self.assertEqual(second.private_vwap, 8)  # (50 - 30) / 2.5
        self.assertEqual(second.spread, -46)
        self.assertEqual(second.open_position, Decimal("-0.5"))
        day = figures.total(found.values())
        self.assertEqual((day.revenue, day.pnl, day.sell), (230, 250, 6))
        self.assertEqual((len(day.trades), len(day.begun)), (3, 2))
        self.assertEqual(figures.Traded().private_vwap, None)
        self.assertEqual(figures.Traded().spread, None)

    def test_forecast_and_imbalance(self) -> None:
        contract = Contract(
            "C", "A", "P", Decimal(1), "wind", date(1960, 1, 1), date(2030, 1, 1),
            "market", None, "fixed_as_produced", Decimal(1), None, "",
        )  # fmt: skip
        contracts = tuple(Contract(**{**vars(contract), "asset_id": name}) for name in "ABC")
        truth = Truth(
            days=(0,),
            as_of=86_400,
            snapshots=(Snapshot(0, contracts),),
            final={"A": {0: 2_000.0, 900: 2_000.0}, "B": {0: 6_000.0}},
            forecasts={
                "A": {-900: (1.0, 4_000.0, 5_000.0), 0: (4_400.0, 1.0)},
                "B": {-1_800: (1.0, 1.0, 4_000.0)},
                "C": {0: (100.0,)},
            },
            imbalance={
                0: ImbalancePrice(0, Decimal(120), Decimal(120), Decimal(7), 0),
                900: ImbalancePrice(900, None, None, Decimal(-30), 2),
            },
        )
        late, early = (figures.told(truth, "A", 0, tradeable=one) for one in (False, True))
        self.assertEqual(late, (0, 4_400, Decimal("1.1")))
        self.assertEqual(early, (-900, 4_000, 1))
        self.assertIsNone(figures.told(truth, "C", 0, tradeable=True))
        self.assertEqual(
            figures.portfolio_told(truth, 0, tradeable=True), (8_000, Decimal(2), 2, -1_800)
        )
        self.assertIsNone(figures.portfolio_told(truth, 86_000 // 900 * 900, tradeable=True))
        each = figures.imbalance_costs(truth, EPOCH)
        half = Decimal("0.5")
        self.assertEqual(each["A", 0], (1, half, 120, "final", half, 60, 0))
        self.assertEqual(each["B", 0], (1, Decimal("1.5"), 120, "final", -half, -60, 0))
        self.assertEqual(each["C", 0], (None, None, 120, "final", None, None, 1))
        # The version of 00:00 is the tradeable one of 00:15: 1 kW, and 500 kWh were fed in.
        dear = each["A", 900]
        self.assertEqual((dear.price, dear.price_source), (-30, "doubtful"))
        self.assertEqual(dear.cost_eur, (Decimal("0.00025") - half) * -30)
        both = figures.portfolio_imbalance_costs(truth, EPOCH)
        self.assertEqual(both[0], (2, 2, 120, "final", 0, 0, 1))
        self.assertEqual(both[1_800][:3], (None, None, None))


if __name__ == "__main__":
    unittest.main()
