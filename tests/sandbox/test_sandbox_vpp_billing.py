"""The sandbox's own invoices and performance figures: numbers that were worked out on paper."""

from __future__ import annotations

import unittest
from dataclasses import replace
from datetime import date
from decimal import Decimal as D

from sandbox.vpp import Contract, ImbalancePrice, Snapshot, Trade, Truth
from sandbox.vpp.billing import Line, Quarter, bill, invoices, line, month_days, vwaps
from sandbox.vpp.performance import PORTFOLIO, performance

DAY, QUARTER = 86_400, 900
FIRST, SECOND = date(1970, 1, 1), date(1970, 1, 2)
CONTRACT = Contract(
    contract_id="C-1",
    asset_id="A",
    metering_point="P",
    capacity_mw=D(8),
    technology="wind",
    begin=date(1960, 1, 1),
    end=date(2060, 12, 31),
    price_model="market",
    price=None,
    fee_model="fixed_as_produced",
    fee=D(2),
    fee_percent=None,
    email="",
)
FIXED = replace(CONTRACT, price_model="fixed", price=D("50.05"))
PERCENT = replace(CONTRACT, fee_model="percent_of_market", fee=None, fee_percent=D("3.5"))


def public(start: int, price: str, volume: str, unit: str = "MWH") -> Trade:
    return Trade("", ("BUY",), start, start + QUARTER, 0, D(price), D(volume), unit)


def final(energy: str, price: str | None = None) -> Quarter:
    return Quarter("final", D(energy), None if price is None else D(price))


# 10, 12, 8 and 6 MW for a quarter of an hour each, the last at a negative price.
WORKED = [final("2.5", "60"), final("3", "70"), final("2", "50"), final("1.5", "-10")]


class Money(unittest.TestCase):
    def test_the_worked_invoice(self) -> None:
        found = bill(CONTRACT, WORKED, "2024-03")
        self.assertEqual(found.invoice_id, "2024-03-C-1")
        self.assertEqual((found.status, found.final, found.production_mwh), ("final", 4, 9))
        self.assertEqual(found.payout, (445, D("84.55"), D("529.55")))
        self.assertEqual(found.fee, (-18, D("-3.42"), D("-21.42")))
        self.assertEqual(found.redispatch, (0, 0, 0))
        self.assertEqual(found.total, (427, D("81.13"), D("508.13")))

    def test_models(self) -> None:
        fixed = bill(FIXED, WORKED, "")
        self.assertEqual(fixed.payout and fixed.payout.net, D("450.45"))
        # The prices of the market are none of its business.
        self.assertEqual(bill(FIXED, [final("1")], "").status, "final")
        capacity = bill(replace(CONTRACT, fee_model="fixed_for_capacity"), WORKED, "")
        self.assertEqual(capacity.fee and capacity.fee.net, -16)
        percent = bill(replace(PERCENT, price_model="fixed", price=D(1)), WORKED, "")
        self.assertEqual(percent.payout and percent.payout.net, 9)
        self.assertEqual(percent.fee and percent.fee.net, D("-15.58"))  # 3.5 % of 445 is 15.575

    def test_half_a_cent_is_rounded_away_from_zero(self) -> None:
        for amount, net in (("0.005", "0.01"), ("0.0049", "0.00"), ("0.015", "0.02"),
                            ("0.025", "0.03"), ("-0.005", "-0.01"), ("-0.025", "-0.03"),
                            ("-0.001", "0.00")):  # fmt: skip
            self.assertEqual(str(line(D(amount), D(19)).net), net)
        # VAT is of the rounded net, and rounded again: 5 % of 2.50 is 0.125.
        self.assertEqual(line(D("2.495"), D(5)), (D("2.50"), D("0.13"), D("2.63")))
        self.assertEqual(line(D("-2.495"), D(5)), (D("-2.50"), D("-0.13"), D("-2.63")))
        # Each line for itself: 0.014 - 0.005 would be 0.01, but 0.01 - 0.01 is 0.
        found = bill(replace(CONTRACT, fee=D("0.005")), [final("1", "0.014")], "")
        self.assertEqual(
            (found.payout, found.fee), ((D("0.01"), 0, D("0.01")), (-D("0.01"), 0, -D("0.01")))
        )
        self.assertEqual(found.total, (0, 0, 0))

    def test_two_rates_of_vat(self) -> None:
        rates = {"7": (D("29.89"), D("456.89")), "19": (D("81.13"), D("508.13"))}
        for percent, (vat, gross) in rates.items():
            found = bill(CONTRACT, WORKED, "", vat_percent=D(percent))
            self.assertEqual(found.total, (427, vat, gross))
        free = bill(CONTRACT, WORKED, "", vat_percent=D(0))
        self.assertEqual(free.total, (427, 0, 427))

    def test_a_share_of_a_negative_market_value_is_given_back(self) -> None:
        found = bill(PERCENT, [final("2", "-10")], "")
        self.assertEqual(found.payout, (-20, D("-3.80"), D("-23.80")))
        self.assertEqual(found.fee, (D("0.70"), D("0.13"), D("0.83")))
        self.assertEqual(found.total, (D("-19.30"), D("-3.67"), D("-22.97")))

    def test_without_a_price(self) -> None:
        quarters = [final("1", "50"), final("2"), final("0"), Quarter("missing", None)]
        found = bill(CONTRACT, quarters, "")
        self.assertEqual((found.unpriced, found.unpriced_mwh), (1, 2))
        self.assertEqual((found.status, found.final, found.missing), ("provisional", 3, 1))
        self.assertEqual((found.payout and found.payout.net, found.production_mwh), (50, 3))
        self.assertEqual(bill(FIXED, quarters, "").unpriced, 0)
        # Its fee is a share of the market, so it lacks the price as well.
        self.assertEqual(
            bill(replace(PERCENT, price_model="fixed", price=D(1)), quarters, "").unpriced, 1
        )

    def test_redispatch(self) -> None:
        cut = Quarter("final", D(0), None, True, D("1.25"), D("40"))
        quarters = [cut, cut._replace(compensation=D("-8"))]
        found = bill(CONTRACT, quarters, "")
        self.assertEqual((found.status, found.redispatch), ("final", (40, D("7.60"), D("47.60"))))
        lacking = [cut._replace(forecast_mwh=None), cut._replace(compensation=None)]
        found = bill(CONTRACT, [*quarters, *lacking, cut._replace(redispatched=False)], "")
        self.assertEqual((found.status, found.unknown_redispatch), ("provisional", 2))
        self.assertEqual(found.redispatch and found.redispatch.net, 40)

    def test_sources(self) -> None:
        for source in ("live", "forecast"):
            found = bill(CONTRACT, [*WORKED, Quarter(source, D(0), D(1))], "")
            self.assertEqual((found.status, getattr(found, source)), ("provisional", 1))

    def test_what_is_not_billable(self) -> None:
        faults: list[Contract] = [
            replace(FIXED, price=None),
            replace(CONTRACT, fee=None),
            replace(PERCENT, fee_percent=None),
            replace(PERCENT, fee=D(2), fee_percent=None),
            replace(CONTRACT, price_model="auction"),
            replace(CONTRACT, fee_model=""),
            replace(CONTRACT, fee_model="fixed_for_capacity", capacity_mw=D(0)),
        ]
        for contract in faults:
            found = bill(contract, WORKED, "")
            self.assertEqual((found.status, found.production_mwh), ("not_billable", 9))
            self.assertEqual((found.payout, found.redispatch, found.fee, found.total), (None,) * 4)
        self.assertEqual(bill(replace(FIXED, price=D(0)), WORKED, "").status, "final")


class Months(unittest.TestCase):
    def setUp(self) -> None:
        # 1 MWh in every quarter hour of the second day of 1970.
        produced = {DAY + n * QUARTER: 4_000.0 for n in range(96)}
        self.truth = Truth(
            days=(1,),
            as_of=90 * DAY,
            snapshots=(Snapshot(0, (CONTRACT,)),),
            final={"A": produced, "B": produced},
            public_trades=(public(DAY + 3_600, "40", "1"), public(DAY + 7_200, "60", "3")),
        )

    def of(self, *contracts: Contract) -> Truth:
        return replace(self.truth, snapshots=(Snapshot(0, contracts),))

    def test_a_month_of_which_one_day_is_known(self) -> None:
        found = invoices(self.truth, 1970, 1)["C-1"]
        self.assertEqual((found.final, found.missing, found.production_mwh), (96, 30 * 96, 96))
        self.assertEqual(
            (found.status, found.unpriced, found.unpriced_mwh), ("provisional", 94, 94)
        )
        self.assertEqual(found.payout and found.payout.net, 100)
        self.assertEqual(found.fee and found.fee.net, -192)

    def test_the_price_of_the_day_stands_in(self) -> None:
        found = invoices(self.truth, 1970, 1, fallback="day")["C-1"]
        self.assertEqual((found.unpriced, found.unpriced_mwh), (0, 0))
        self.assertEqual(found.payout and found.payout.net, 100 + 94 * 55)  # (40 + 3 · 60) / 4
        nobody = replace(self.truth, public_trades=())
        self.assertEqual(invoices(nobody, 1970, 1, fallback="day")["C-1"].unpriced, 96)
        # In Berlin it is already the day after: 23:00 UTC has no trade of its day.
        berlin = invoices(self.truth, 1970, 1, "Europe/Berlin", fallback="day")["C-1"]
        self.assertEqual((berlin.unpriced, berlin.payout and berlin.payout.net), (4, 100 + 90 * 55))

    def test_prices_are_taken_as_published(self) -> None:
        trades = (public(DAY, "50", "1"), public(DAY, "51", "2"))
        self.assertEqual(
            vwaps(replace(self.truth, public_trades=trades), [1]), {DAY: D("50.666666667")}
        )
        tie = (public(DAY, "0.0000000025", "1"), public(DAY + QUARTER, "0.0000000035", "1"))
        self.assertEqual(
            list(vwaps(replace(self.truth, public_trades=tie), [1]).values()),
            [D("0.000000002"), D("0.000000004")],
        )

    def test_a_contract_is_billed_for_its_days(self) -> None:
        one_day = replace(FIXED, begin=SECOND, end=SECOND)
        found = invoices(self.of(one_day), 1970, 1)["C-1"]
        self.assertEqual((found.status, found.final, found.missing), ("final", 96, 0))
        self.assertEqual(found.total and found.total.net, D("4612.80"))  # 96 · (50.05 - 2)
        # The Berlin day begins an hour before the UTC one.
        found = invoices(self.of(one_day), 1970, 1, "Europe/Berlin")["C-1"]
        self.assertEqual((found.final, found.missing), (92, 4))
        elsewhere = replace(FIXED, contract_id="C-2", begin=date(1970, 2, 1))
        self.assertEqual(list(invoices(self.of(one_day, elsewhere), 1970, 1)), ["C-1"])

    def test_two_contracts_for_an_asset(self) -> None:
        first = replace(FIXED, end=SECOND)
        after = replace(FIXED, contract_id="C-2", begin=date(1970, 1, 3))
        found = invoices(self.of(first, after), 1970, 1)
        self.assertEqual([one.status for one in found.values()], ["provisional"] * 2)
        self.assertEqual([one.production_mwh for one in found.values()], [96, 0])
        found = invoices(self.of(first, replace(after, begin=SECOND)), 1970, 1)
        self.assertEqual([one.status for one in found.values()], ["not_billable"] * 2)
        self.assertEqual([one.production_mwh for one in found.values()], [96, 96])
        # What they share lies outside the month.
        later = replace(self.of(first, replace(after, begin=SECOND)), as_of=90 * DAY)
        self.assertEqual(list(invoices(later, 1970, 2)), ["C-2"])
        self.assertEqual(invoices(later, 1970, 2)["C-2"].status, "provisional")

    def test_the_newest_snapshot_of_the_month_counts(self) -> None:
        prices = {0: 10, 31 * DAY - 3_600: 20, 31 * DAY: 30, 31 * DAY + 1: 40}
        of_prices = tuple(
            Snapshot(at, (replace(FIXED, price=D(price)),)) for at, price in prices.items()
        )
        truth = replace(self.truth, snapshots=of_prices)
        for zone, price in (("UTC", 30), ("Europe/Berlin", 20)):
            found = invoices(truth, 1970, 1, zone)["C-1"]
            self.assertEqual(found.payout and found.payout.net, 96 * price)
        early = replace(truth, as_of=31 * DAY - 3_601)
        self.assertEqual(invoices(early, 1970, 1)["C-1"].payout, line(D(960), D(19)))

    def test_before_the_first_snapshot_nothing_is_known_of_an_asset(self) -> None:
        noon = replace(self.truth, snapshots=(Snapshot(DAY + DAY // 2, (FIXED,)),))
        found = invoices(noon, 1970, 1)["C-1"]
        self.assertEqual((found.final, found.missing), (48, 30 * 96 + 48))

    def test_redispatch_is_paid_by_the_latest_forecast(self) -> None:
        truth = replace(
            self.truth,
            forecasts={
                "A": {DAY - QUARTER: (1.0, 9_000.0, 9_000.0, 9_000.0), DAY: (2_000.0, 6_000.0)}
            },
            redispatch={"A": {DAY + n * QUARTER: 0 for n in range(4)}},
            compensation={DAY + n * QUARTER: D(n) for n in range(2)} | {DAY + 3 * QUARTER: D(9)},
        )
        found = invoices(truth, 1970, 1)["C-1"]
        # 1.5 MWh at 1 EUR; of the third the price lacks, of the fourth the forecast.
        self.assertEqual(
            (found.unknown_redispatch, found.redispatch), (2, Line(D("1.50"), D("0.29"), D("1.79")))
        )

    def test_months_of_all_lengths(self) -> None:
        empty = Truth(days=(), as_of=30_000 * DAY, snapshots=(Snapshot(0, (CONTRACT,)),))
        for year, month, zone, count in (
            (2024, 3, "UTC", 2_976), (2024, 3, "Europe/Berlin", 2_972),
            (2024, 10, "Europe/Berlin", 2_980), (2024, 2, "Europe/Berlin", 2_784),
            (2024, 12, "UTC", 2_976),
        ):  # fmt: skip
            found = invoices(empty, year, month, zone)["C-1"]
            self.assertEqual((found.missing, found.production_mwh), (count, 0))
            self.assertEqual(found.total, (0, 0, 0))
        self.assertEqual(month_days(1970, 12), range(334, 365))


class ByHand(unittest.TestCase):
    """Two plants of 8 and 24 MW, of which three and two quarter hours are known."""

    def setUp(self) -> None:
        small, large = (
            CONTRACT,
            replace(CONTRACT, contract_id="C-2", asset_id="B", capacity_mw=D(24)),
        )
        # On the second day the first plant has 16 MW, from noon on 24 MW.
        grown, more = replace(small, capacity_mw=D(16)), replace(small, capacity_mw=D(24))
        self.truth = Truth(
            days=(0,),
            as_of=3 * DAY,
            snapshots=(
                Snapshot(0, (small, large)),
                Snapshot(DAY, (grown, large)),
                Snapshot(DAY + DAY // 2, (more, large)),
            ),
            final={
                "A": {0: 2_000.0, 900: 2_000.0, 1_800: 4_000.0, DAY: 4_000.0},
                "B": {0: 6_000.0, 900: 2_000.0},
            },
            forecasts={
                "A": {-900: (1.0, 4_000.0, 1_000.0, 4_000.0), 0: (3_000.0, 1_000.0, 4_000.0)},
                "B": {-900: (1.0, 4_000.0)},
            },
            redispatch={"A": {900: 0, 7_200: 0}},
            imbalance={
                0: ImbalancePrice(0, D(120), D(120), None, None),
                900: ImbalancePrice(900, None, None, D(-30), 0),
            },
            public_trades=(
                public(0, "50", "1"), public(900, "-10", "2"), public(DAY - 900, "80", "3"),
            ),
            private_trades=(Trade("1", ("SELL",), 0, 3_600, 0, D(10), D(2), "MW"),),
        )  # fmt: skip

    def test_coverage_and_production(self) -> None:
        day = performance(self.truth, [FIRST])
        self.assertEqual(set(day), {"A", "B", PORTFOLIO})
        a, b, both = day["A"], day["B"], day[PORTFOLIO]
        self.assertEqual([one.quarter_hours for one in (a, b, both)], [96, 96, 192])
        self.assertEqual({one.day_quarter_hours for one in (a, b, both)}, {96})
        self.assertEqual([one.final_quarter_hours for one in (a, b, both)], [3, 2, 5])
        self.assertEqual([one.missing_quarter_hours for one in (a, b, both)], [93, 94, 187])
        self.assertEqual([one.production_mwh for one in (a, b, both)], [2, 2, 4])
        self.assertEqual([one.capacity_mw for one in (a, b, both)], [8, 24, 32])
        self.assertEqual([one.covered_capacity_mwh for one in (a, b, both)], [6, 12, 18])
        self.assertEqual(
            [one.capacity_factor for one in (a, b, both)], [D(1) / 3, D(1) / 6, D(2) / 9]
        )
        self.assertEqual([one.redispatched_quarter_hours for one in (a, b, both)], [2, 0, 2])
        self.assertEqual((a.redispatched_mwh, both.redispatched_mwh), (D("0.25"), D("0.25")))

    def test_errors_of_the_portfolio_are_errors_of_the_sum(self) -> None:
        day = performance(self.truth, [FIRST])
        a, b, both = day["A"], day["B"], day[PORTFOLIO]
        self.assertEqual(
            (a.compared_quarter_hours, a.error_mwh, a.absolute_error_mwh), (3, D("0.25"), D("0.75"))
        )
        self.assertEqual((a.bias_mw, a.mae_mw, a.nmae), (D(1) / 3, 1, D("0.125")))
        self.assertEqual((b.bias_mw, b.mae_mw, b.nmae), (-2, 2, D(1) / 12))
        self.assertEqual((both.compared_quarter_hours, both.error_mwh, both.mae_mw), (1, 0, 0))
        # With the latest forecast 3 MW were expected of A at 00:00, not 4.
        latest = performance(self.truth, [FIRST], tradeable=False)
        self.assertEqual((latest["A"].error_mwh, latest[PORTFOLIO].error_mwh), (0, D("-0.25")))

    def test_money(self) -> None:
        day = performance(self.truth, [FIRST])
        a, b, both = day["A"], day["B"], day[PORTFOLIO]
        self.assertEqual([one.market_value_eur for one in (a, b, both)], [20, 70, 90])
        self.assertEqual([one.priced_mwh for one in (a, b, both)], [1, 2, 3])
        self.assertEqual([one.capture_price for one in (a, b, both)], [20, 35, 30])
        self.assertEqual(
            {(one.vwap_sum, one.vwap_quarter_hours) for one in (a, b, both)}, {(120, 3)}
        )
        self.assertEqual(
            [one.capture_rate for one in (a, b, both)], [D("0.5"), D("0.875"), D("0.75")]
        )
        self.assertEqual([one.revenue_eur for one in (a, b, both)], [None, None, 20])
        self.assertEqual(
            [one.imbalance_cost_eur for one in (a, b, both)], [D("67.5"), -60, D("7.5")]
        )
        self.assertEqual([one.unknown_cost_quarter_hours for one in (a, b, both)], [94, 95, 189])

    def test_what_is_not_known_is_not_0(self) -> None:
        b = performance(self.truth, [SECOND])["B"]
        self.assertEqual((b.quarter_hours, b.missing_quarter_hours), (96, 96))
        self.assertEqual((b.capacity_mw, b.covered_capacity_mwh, b.vwap_quarter_hours), (24, 0, 0))
        for name in ("production_mwh", "capacity_factor", "error_mwh", "mae_mw", "nmae", "capture_rate",
                     "market_value_eur", "vwap_sum", "imbalance_cost_eur"):  # fmt: skip
            self.assertIsNone(getattr(b, name), name)
        self.assertIsNone(performance(self.truth, [SECOND])[PORTFOLIO].revenue_eur)
        self.assertEqual(performance(replace(self.truth, snapshots=()), [FIRST]), {})

    def test_a_month_is_the_sum_of_its_days(self) -> None:
        month = performance(self.truth, [FIRST, SECOND])
        a, both = month["A"], month[PORTFOLIO]
        self.assertEqual((a.quarter_hours, a.final_quarter_hours, a.production_mwh), (192, 4, 3))
        self.assertEqual(a.capacity_mw, 14)  # 8 on the first day, 20 on average on the second
        self.assertEqual((a.covered_capacity_mwh, a.capacity_factor), (10, D("0.3")))
        self.assertEqual((a.mae_mw, a.nmae), (1, D(1) / 14))
        self.assertEqual((a.capture_price, a.capture_rate), (20, D("0.5")))
        self.assertEqual((both.quarter_hours, both.capacity_mw, both.revenue_eur), (384, 38, 20))
        self.assertEqual((both.production_mwh, both.market_value_eur), (5, 90))

    def test_an_asset_that_joins(self) -> None:
        late = self.truth.snapshots[1]
        truth = replace(
            self.truth, snapshots=(Snapshot(0, self.truth.snapshots[0].contracts[:1]), late)
        )
        month = performance(truth, [FIRST, SECOND])
        self.assertEqual((month["B"].quarter_hours, month["B"].capacity_mw), (96, 24))
        both = month[PORTFOLIO]
        self.assertEqual((both.quarter_hours, both.day_quarter_hours), (288, 192))
        self.assertEqual(both.capacity_mw, 24)  # 8, then 16 + 24
        noon = (Snapshot(0, late.contracts[:1]), replace(late, instant=DAY // 2))
        day = performance(replace(truth, snapshots=noon), [FIRST])
        self.assertEqual([one.quarter_hours for one in day.values()], [96, 48, 144])
        self.assertEqual([one.capacity_mw for one in day.values()], [16, 24, 28])


if __name__ == "__main__":
    unittest.main()
