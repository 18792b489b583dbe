"""Invoices against figures worked by hand, and what must hold of every invoice."""

from __future__ import annotations

import json
import unittest
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.settlement import day_window, month_window
from domain.tables import conform
from products import best_of_infeed, invoice_documents, invoices, trading
from products.asset_forecast import PRODUCT as FORECAST
from sources.vpp_files import ASSETS
from sources.vpp_market import COMPENSATION

MONTH = month_window(date(2024, 2, 1), UTC)
QUARTERS = 29 * 96
PARTS = ("net", "vat", "gross")
Cells = dict[str, Any]


def contract(**changed: Any) -> Cells:
    """A contract at a market price with a fee of 2 EUR/MWh."""
    return {
        "snapshot_at": datetime(2024, 2, 1, 5, 30, tzinfo=UTC),
        "kind": "contract",
        "asset_id": "W1",
        "contract_id": "C-1",
        "metering_point_id": "P1",
        "capacity_kw": 10_000.0,
        "technology": "wind",
        "contract_begin": "2023-01-01",
        "contract_end": "2024-12-31",
        "price_model": "market",
        "fee_model": "fixed_as_produced",
        "price_eur_per_mwh": None,
        "fee": 2.0,
        "fee_percent": None,
    } | changed


def starts() -> pd.DatetimeIndex:
    return pd.date_range(MONTH.start, MONTH.end, freq="15min", inclusive="left", unit="us")


def frame(table: Any, columns: Mapping[str, Any]) -> pd.DataFrame:
    return conform(table, pd.DataFrame(columns), "a test").frame


def infeed(
    kw: Mapping[int, float | None],
    asset: str = "W1",
    flagged: Sequence[int] = (),
    source: str = "final",
) -> pd.DataFrame:
    """Power [kW] of some quarter hours of the month, zero in the others, all from one source."""
    power = [kw.get(n, 0.0) for n in range(QUARTERS)]
    columns = {
        "asset_id": asset,
        "period_start": starts(),
        "power_kw": pd.Series(power, dtype="float64"),
        "energy_mwh": 0.0,
        "source": [source if value is not None else "missing" for value in power],
        "redispatched": [int(n in flagged) for n in range(QUARTERS)],
        "live_coverage": 0.0,
    }
    return frame(best_of_infeed.PRODUCT.table, columns)


def market(prices: Mapping[int, float], mwh: float = 1.0) -> pd.DataFrame:
    """Public VWAP [EUR/MWh] of some quarter hours."""
    columns = {
        "period_start": starts(),
        "public_vwap_eur_per_mwh": pd.Series(
            [prices.get(n) for n in range(QUARTERS)], dtype="float64"
        ),
        "public_mwh": [mwh if n in prices else 0.0 for n in range(QUARTERS)],
        "public_trades": [int(n in prices) for n in range(QUARTERS)],
    }
    return frame(trading.PRODUCT.table, columns)


def bill(
    contracts: Sequence[Cells],
    produced: pd.DataFrame,
    prices: pd.DataFrame | None = None,
    earlier: pd.DataFrame | None = None,
    *,
    told: Mapping[int, float] | None = None,
    paid: Mapping[int, float] | None = None,
    vat: float = 19.0,
    fallback: str = "none",
    issuer: str = "",
) -> pd.DataFrame:
    forecasts = {
        "asset_id": "W1",
        "period_start": [starts()[n] for n in told or {}],
        "latest_power_kw": list((told or {}).values()),
    }
    compensation = {
        "period_start": [starts()[n] for n in paid or {}],
        "price_eur_per_mwh": list((paid or {}).values()),
    }
    found = invoices.compute(
        frame(ASSETS, {name: [row.get(name) for row in contracts] for name in ASSETS.names}),
        produced,
        frame(FORECAST.table, forecasts)
        if told
        else pd.DataFrame(columns=list(FORECAST.table.names)),
        market({}) if prices is None else prices,
        frame(COMPENSATION, compensation)
        if paid
        else pd.DataFrame(columns=list(COMPENSATION.names)),
        pd.DataFrame(columns=list(invoices.PRODUCT.table.names)) if earlier is None else earlier,
        window=MONTH,
        vpp_delivery_day="UTC",
        vpp_vat_percent=vat,
        vpp_market_fallback=fallback,
        vpp_invoice_issuer=issuer,
    )
    return conform(invoices.PRODUCT.table, found, "a test").frame


def only(found: pd.DataFrame) -> Cells:
    assert len(found) == 1, found
    return {str(name): None if value != value else value for name, value in found.iloc[0].items()}


class Worked(unittest.TestCase):
    KW: ClassVar = {40: 10_000.0, 41: 12_000.0, 42: 8_000.0, 43: 6_000.0}
    PRICES: ClassVar = {40: 60.0, 41: 70.0, 42: 50.0, 43: -10.0}

    def assert_money(self, row: Cells, **expected: str) -> None:
        for name, value in expected.items():
            self.assertEqual(row[f"{name}_eur"], value, name)

    def test_the_worked_invoice(self) -> None:
        row = only(bill([contract()], infeed(self.KW), market(self.PRICES)))
        self.assertEqual((row["status"], row["reasons"], row["version"]), ("final", "", 1))
        self.assertEqual((row["production_mwh"], row["final_quarter_hours"]), ("9", QUARTERS))
        self.assert_money(row, payout_net="445.00", fee_net="-18.00", total_net="427.00")
        self.assert_money(row, payout_vat="84.55", fee_vat="-3.42", total_vat="81.13")
        self.assert_money(row, payout_gross="529.55", fee_gross="-21.42", total_gross="508.13")
        self.assert_money(row, redispatch_net="0.00", redispatch_gross="0.00")

    def test_every_price_and_fee_model(self) -> None:
        fixed = {"price_model": "fixed", "price_eur_per_mwh": 55.5}
        for changed, payout, fee in (
            (fixed, "499.50", "-18.00"),
            ({"fee_model": "fixed_for_capacity", "fee": 3.25}, "445.00", "-32.50"),
            (
                {"fee_model": "percent_of_market", "fee": None, "fee_percent": 3.5},
                "445.00",
                "-15.58",
            ),
            (fixed | {"fee_model": "percent_of_market", "fee_percent": 100.0}, "499.50", "-445.00"),
        ):
            with self.subTest(changed=changed):
                row = only(bill([contract(**changed)], infeed(self.KW), market(self.PRICES)))
                self.assert_money(row, payout_net=payout, fee_net=fee)

    def test_a_negative_market_turns_payout_and_percentage_around(self) -> None:
        terms = contract(fee_model="percent_of_market", fee_percent=10.0)
        row = only(bill([terms], infeed({0: 4_000.0}), market({0: -33.33})))
        self.assert_money(row, payout_net="-33.33", fee_net="3.33", total_net="-30.00")

    def test_each_line_is_rounded_half_up(self) -> None:
        # 0.5 MWh at 0.01 and at 0.03: half a cent up, away from zero on both sides.
        for price, net in ((0.01, "0.01"), (0.03, "0.02"), (-0.01, "-0.01"), (-0.03, "-0.02")):
            with self.subTest(price=price):
                terms = contract(price_model="fixed", price_eur_per_mwh=price, fee=0.0)
                row = only(bill([terms], infeed({0: 2_000.0})))
                self.assert_money(row, payout_net=net, fee_net="0.00")
        # 19 % of 0.50 is 0.095, 7 % of 0.50 is 0.035.
        for vat, tax in ((19.0, "0.10"), (7.0, "0.04"), (0.0, "0.00")):
            terms = contract(price_model="fixed", price_eur_per_mwh=1.0, fee=0.0)
            self.assert_money(only(bill([terms], infeed({0: 2_000.0}), vat=vat)), payout_vat=tax)

    def test_cents_that_a_float_would_lose(self) -> None:
        # 2.675 is less than its name in binary, and 4.35 × 100 is 434.99….
        terms = contract(price_model="fixed", price_eur_per_mwh=2.675, fee=0.0)
        self.assert_money(only(bill([terms], infeed({0: 4_000.0}))), payout_net="2.68")

    def test_redispatch_is_paid_by_the_latest_forecast(self) -> None:
        fixed = contract(price_model="fixed", price_eur_per_mwh=0.0, fee=0.0)
        flagged = {5: 8_000.0, 6: 4_000.0}
        row = only(
            bill(
                [fixed],
                infeed({}, flagged=[5, 6]),
                told=flagged | {7: 9e3},
                paid={5: 80.0, 6: -20.0, 7: 1e3},
            )
        )
        self.assert_money(row, redispatch_net="140.00", total_net="140.00")
        self.assertEqual((row["compensated_mwh"], row["status"]), ("3", "final"))

    def test_redispatch_without_price_or_forecast_is_listed_not_paid(self) -> None:
        fixed = contract(price_model="fixed", price_eur_per_mwh=0.0, fee=0.0)
        row = only(
            bill(
                [fixed],
                infeed({}, flagged=[5, 6, 8]),
                told={5: 8e3, 6: 8e3},
                paid={5: 80.0, 8: 80.0},
            )
        )
        self.assert_money(row, redispatch_net="160.00")
        self.assertEqual(
            (row["status"], row["unknown_redispatch_quarter_hours"]), ("provisional", 2)
        )
        self.assertEqual(
            row["unknown_redispatch_ranges"],
            "2024-02-01T01:30:00Z/2024-02-01T01:45:00Z 2024-02-01T02:00:00Z/2024-02-01T02:15:00Z",
        )
        self.assertIn("2 redispatched quarter hours", row["reasons"])


class NotFinal(unittest.TestCase):
    def test_a_contract_that_lacks_what_its_model_needs_gets_no_money(self) -> None:
        for changed, said in (
            ({"price_model": "fixed"}, "no price"),
            ({"fee": None}, "no fee"),
            ({"fee_model": "percent_of_market"}, "no fee_percent"),
            ({"fee_model": "fixed_for_capacity", "capacity_kw": 0.0}, "no capacity"),
            ({"price_model": "spot"}, "price_model 'spot'"),
            ({"fee_model": None}, "fee_model ''"),
            ({"contract_begin": "01.01.2023"}, "contract_begin '01.01.2023' is not a date"),
        ):
            with self.subTest(changed=changed):
                row = only(bill([contract(**changed)], infeed({0: 4e3}), market({0: 50.0})))
                self.assertEqual(row["status"], "not_billable")
                self.assertIn(said, row["reasons"])
                self.assertEqual(row["production_mwh"], "1")
                money = [row[name] for name in row if name.endswith("_eur")]
                self.assertEqual(set(money), {None})

    def test_two_contracts_for_one_asset_and_day(self) -> None:
        fixed = {"price_model": "fixed", "price_eur_per_mwh": 50.0}
        both = [
            contract(contract_end="2024-02-20", **fixed),
            contract(contract_id="C-2", contract_begin="2024-02-20", **fixed),
        ]
        found = bill(both, infeed({0: 4e3}))
        self.assertEqual(list(found["status"]), ["not_billable"] * 2)
        for reasons in found["reasons"]:
            self.assertEqual(reasons, "C-1 and C-2 both hold for W1 from 2024-02-20 to 2024-02-20")

    def test_one_contract_after_another_each_has_its_days(self) -> None:
        fixed = {"price_model": "fixed", "price_eur_per_mwh": 50.0, "fee": 0.0}
        both = [
            contract(contract_end="2024-02-19", **fixed),
            contract(contract_id="C-2", contract_begin="2024-02-20", **fixed),
            contract(contract_id="C-3", contract_begin="2024-03-01", **fixed),
        ]
        found = bill(both, infeed({0: 4e3, 19 * 96 - 1: 4e3, 19 * 96: 8e3}))
        self.assertEqual(list(found["contract_id"]), ["C-1", "C-2"])
        self.assertEqual(list(found["payout_net_eur"]), ["100.00", "100.00"])
        self.assertEqual(list(found["last_day"]), ["2024-02-19", "2024-02-29"])

    def test_without_final_production_it_is_provisional_and_says_why(self) -> None:
        produced = infeed({0: 4e3, 1: None, 2: None})
        produced.loc[[3, 4, 5], "source"] = ["live", "forecast", "forecast"]
        row = only(bill([contract()], produced, market({0: 50.0})))
        self.assertEqual(row["status"], "provisional")
        said = f"5 of {QUARTERS} quarter hours have no final production (1 live, 2 forecast, 2 missing)"
        self.assertEqual(row["reasons"], said)

    def test_days_of_which_nothing_is_stored_are_missing(self) -> None:
        row = only(bill([contract()], infeed({0: 4e3})[:96], market({0: 50.0})))
        self.assertEqual((row["final_quarter_hours"], row["missing_quarter_hours"]), (96, 28 * 96))

    def test_no_public_trade_is_no_price(self) -> None:
        produced = infeed({0: 4e3, 1: 4e3, 2: 4e3, 97: 4e3})
        row = only(bill([contract()], produced, market({0: 50.0, 7: 20.0})))
        self.assertEqual(row["payout_net_eur"], "50.00")
        self.assertEqual((row["unpriced_quarter_hours"], row["unpriced_mwh"]), (3, "3"))
        self.assertEqual(row["status"], "provisional")
        self.assertEqual(
            row["unpriced_ranges"],
            "2024-02-01T00:15:00Z/2024-02-01T00:45:00Z 2024-02-02T00:15:00Z/2024-02-02T00:30:00Z",
        )
        # The day's VWAP is (50 + 20) / 2; the second day has none.
        row = only(bill([contract()], produced, market({0: 50.0, 7: 20.0}), fallback="day"))
        self.assertEqual((row["payout_net_eur"], row["unpriced_quarter_hours"]), ("120.00", 1))

    def test_a_fixed_price_needs_no_market(self) -> None:
        terms = contract(price_model="fixed", price_eur_per_mwh=50.0)
        self.assertEqual(only(bill([terms], infeed({0: 4e3})))["status"], "final")

    def test_the_newest_snapshot_before_the_end_of_the_month_counts(self) -> None:
        fixed = {"price_model": "fixed", "fee": 0.0}
        rows = [
            contract(price_eur_per_mwh=10.0, **fixed),
            contract(
                price_eur_per_mwh=20.0, snapshot_at=datetime(2024, 2, 16, tzinfo=UTC), **fixed
            ),
            contract(contract_id="C-0", asset_id="W0"),
        ]
        row = only(bill(rows, infeed({0: 4e3})))
        self.assertEqual((row["contract_id"], row["payout_net_eur"]), ("C-1", "20.00"))


class Versions(unittest.TestCase):
    def test_a_new_one_only_when_the_content_differs(self) -> None:
        one = bill([contract()], infeed({0: 4e3}), market({0: 50.0}))
        self.assertEqual(list(one["version"]), [1])
        same = bill([contract()], infeed({0: 4e3}), market({0: 50.0}), one)
        pd.testing.assert_frame_equal(one, same)
        # A trade elsewhere changes nothing that is billed.
        elsewhere = bill([contract()], infeed({0: 4e3}), market({0: 50.0, 9: 70.0}), one)
        pd.testing.assert_frame_equal(one, elsewhere)
        two = bill([contract()], infeed({0: 5e3}), market({0: 50.0}), one)
        self.assertEqual(list(two["version"]), [1, 2])
        self.assertEqual(list(two["payout_net_eur"]), ["50.00", "62.50"])
        three = bill([contract()], infeed({0: 4e3}), market({0: 50.0}), two)
        self.assertEqual(list(three["payout_net_eur"]), ["50.00", "62.50", "50.00"])

    def test_status_alone_is_a_difference(self) -> None:
        live = infeed({0: 4e3}, source="live")
        one = bill([contract()], live, market({0: 50.0}))
        two = bill([contract()], infeed({0: 4e3}), market({0: 50.0}), one)
        self.assertEqual(list(two["status"]), ["provisional", "final"])
        self.assertEqual(two["total_net_eur"].nunique(), 1)

    def test_an_invoice_whose_contract_is_gone_is_withdrawn_once(self) -> None:
        other = contract(contract_id="C-2", asset_id="W2")
        one = bill([contract(), other], infeed({0: 4e3}), market({0: 50.0}))
        gone = bill([other], infeed({0: 4e3}), market({0: 50.0}), one)
        ours = gone[gone["contract_id"] == "C-1"]
        self.assertEqual(list(ours["status"]), ["final", "withdrawn"])
        self.assertEqual(list(ours["total_net_eur"].fillna("none")), ["48.00", "none"])
        again = bill([other], infeed({0: 4e3}), market({0: 50.0}), gone)
        pd.testing.assert_frame_equal(gone, again)


class EveryInvoice(unittest.TestCase):
    kw = st.dictionaries(
        st.integers(0, QUARTERS - 1),
        st.floats(-50, 20_000).map(lambda value: round(value, 3)),
        max_size=8,
    )
    eur = st.dictionaries(
        st.integers(0, QUARTERS - 1),
        st.floats(-500, 4_000).map(lambda value: round(value, 2)),
        max_size=8,
    )
    terms = st.fixed_dictionaries(
        {
            "price_model": st.sampled_from(["fixed", "market"]),
            "price_eur_per_mwh": st.floats(-50, 300).map(lambda value: round(value, 2)),
            "fee_model": st.sampled_from(sorted(invoices.FEE_MODELS)),
            "fee": st.floats(0, 20).map(lambda value: round(value, 3)),
            "fee_percent": st.floats(0, 30).map(lambda value: round(value, 2)),
        }
    )

    @settings(max_examples=25, deadline=None)
    @given(terms=terms, kw=kw, eur=eur, vat=st.sampled_from([0.0, 7.0, 8.1, 19.0, 25.0]))
    def test_lines_add_up_and_restating_makes_no_version(
        self, terms: Cells, kw: dict[int, float], eur: dict[int, float], vat: float
    ) -> None:
        prices = {n: eur.get(n, 12.5) for n in kw} | eur
        args = ([contract(**terms)], infeed(kw), market(prices))
        found = bill(*args, vat=vat)
        row = only(found)
        for part in PARTS:
            lines = sum(
                Decimal(row[f"{line}_{part}_eur"]) for line in ("payout", "redispatch", "fee")
            )
            self.assertEqual(Decimal(row[f"total_{part}_eur"]), lines)
        for line in ("payout", "redispatch", "fee", "total"):
            net, tax, gross = (Decimal(row[f"{line}_{part}_eur"]) for part in PARTS)
            self.assertEqual(net + tax, gross)
        energy = {n: Decimal(str(value)) / 1000 / 4 for n, value in kw.items()}
        price = {n: Decimal(str(prices[n])) for n in kw}
        fixed = Decimal(str(terms["price_eur_per_mwh"]))
        used = price if terms["price_model"] == "market" else dict.fromkeys(kw, fixed)
        payout = sum((energy[n] * used[n] for n in kw), Decimal(0))
        cents = payout.quantize(Decimal("0.01"), ROUND_HALF_UP)
        self.assertEqual(Decimal(row["payout_net_eur"]), cents)
        self.assertEqual(Decimal(row["production_mwh"]), sum(energy.values(), Decimal(0)))
        pd.testing.assert_frame_equal(found, bill(*args, found, vat=vat))


class Documents(unittest.TestCase):
    def documents(self, origin: str = "live", **changed: Any) -> dict[str, bytes]:
        found = bill(
            [contract(**changed)], infeed({0: 4e3}), market({0: 50.0}), issuer="A | B <street>"
        )
        return invoice_documents.documents(found, origin)

    def test_one_json_and_one_page_a_version(self) -> None:
        found = self.documents()
        name = "invoices/invoice_C-1_2024-02_v1"
        self.assertEqual(sorted(found), [f"{name}.html", f"{name}.json"])
        content = json.loads(found[f"{name}.json"])
        self.assertEqual(content["total"], {"net": "48.00", "vat": "9.12", "gross": "57.12"})
        self.assertEqual([line["net"] for line in content["lines"]], ["50.00", "0.00", "-2.00"])
        page = found[f"{name}.html"].decode()
        for text in ("48.00", "9.12", "57.12", "B &lt;street&gt;", "Invoice 2024-02-C-1"):
            self.assertIn(text, page)
        self.assertNotIn("SYNTHETIC", page)
        self.assertIn("SYNTHETIC", self.documents("synthetic")[f"{name}.html"].decode())

    def test_a_contract_id_is_no_path_and_no_markup(self) -> None:
        found = self.documents(contract_id="../<b>x")
        self.assertEqual({name.count("/") for name in found}, {1})
        page = next(body for name, body in found.items() if name.endswith(".html"))
        self.assertNotIn(b"<b>", page)

    def test_not_billable_has_no_amounts(self) -> None:
        found = self.documents(fee=None)
        page = next(body.decode() for name, body in found.items() if name.endswith(".html"))
        self.assertIn("Not billable", page)
        self.assertIn("it has no fee", page)
        self.assertNotIn("Total", page)


class Days(unittest.TestCase):
    def test_it_is_made_for_the_last_day_of_a_month_from_the_whole_month(self) -> None:
        product = invoices.PRODUCT
        self.assertEqual([day for day in range(1, 30) if product.due(date(2024, 2, day))], [29])
        self.assertEqual(product.span(date(2024, 2, 29), UTC), MONTH)
        self.assertIn("invoices", product.frames)
        self.assertNotIn("invoices", product.inputs)
        row = only(bill([contract()], infeed({0: 4e3}), market({0: 50.0})))
        self.assertEqual(row["last_day_start"], day_window(date(2024, 2, 29), UTC).start)
