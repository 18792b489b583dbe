"""Balancing documents made by hand become rows; expected values are worked out by hand."""

from __future__ import annotations

import unittest
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from domain.errors import SchemaError
from domain.tables import Conformed
from domain.windows import Window
from fetch_data import find_datasets
from tests.unit.entsoe_documents import (
    Platform,
    acknowledgement,
    archive,
    document,
    period,
    points,
    series,
)

START, END = "2026-03-02T00:00Z", "2026-03-02T01:00Z"
DAY = Window(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))
MW, MWH = {"quantity_Measure_Unit__name": "MAW"}, {"quantity_Measure_Unit__name": "MWH"}
EUR = {"currency_Unit__name": "EUR"}
UP, DOWN = {"flowDirection__direction": "A01"}, {"flowDirection__direction": "A02"}


def read(key: str, *bodies: bytes, window: Window = DAY, process: str = "") -> Conformed:
    """The rows of a dataset that is answered with these bodies (for one process, where it has several)."""
    (dataset,) = find_datasets([key])

    def answer(params: Any) -> bytes:
        asked = params.get("processType") or params.get("Type_MarketAgreement.Type") or process
        if asked != process or not bodies:
            return acknowledgement()
        return bodies[0] if len(bodies) == 1 else archive(bodies)

    assert callable(dataset.read)
    return dataset.read(dataset, "AT", window, Platform(answer)).rows


def rows(found: Conformed, *names: str) -> list[tuple[Any, ...]]:
    """Chosen columns, the start as its minute of the day."""
    frame = found.frame.assign(minute=found.frame["period_start"].dt.strftime("%H:%M"))
    return [tuple(row) for row in frame[["minute", *names]].to_numpy().tolist()]


def quarters(*told: dict[str, object]) -> str:
    return period(START, END, "PT15M", points(*told))


class Imbalance(unittest.TestCase):
    def test_prices_with_a_series_for_each_category(self) -> None:
        def category(code: str, *prices: tuple[int, float]) -> str:
            told = [
                {"position": n, "imbalance_Price.amount": p, "imbalance_Price.category": code}
                for n, p in prices
            ]
            return series(quarters(*told), businessType="A19", **EUR)

        body = document(category("A04", (1, 10.5), (3, -2)), category("A05", (1, 20)), type="A85")
        found = read("entsoe_imbalance_prices", archive([body]))
        self.assertEqual(
            rows(found, "category", "price_per_mwh", "resolution_s", "currency"),
            [
                ("00:00", "A04", 10.5, 900, "EUR"), ("00:00", "A05", 20.0, 900, "EUR"),
                ("00:15", "A04", 10.5, 900, "EUR"), ("00:15", "A05", 20.0, 900, "EUR"),
                ("00:30", "A04", -2.0, 900, "EUR"), ("00:30", "A05", 20.0, 900, "EUR"),
                ("00:45", "A04", -2.0, 900, "EUR"), ("00:45", "A05", 20.0, 900, "EUR"),
            ],
        )  # fmt: skip

    def test_prices_with_both_categories_at_each_position_of_one_series(self) -> None:
        told = [
            {"position": n, "imbalance_Price.amount": p, "imbalance_Price.category": code}
            for n, code, p in ((1, "A04", 1), (1, "A05", 2), (3, "A04", 3), (3, "A05", 4))
        ]
        body = document(series(quarters(*told), **EUR), type="A85")
        found = read("entsoe_imbalance_prices", body)
        self.assertEqual(
            rows(found, "category", "price_per_mwh")[2:6],
            [("00:15", "A04", 1.0), ("00:15", "A05", 2.0), ("00:30", "A04", 3.0), ("00:30", "A05", 4.0)],
        )  # fmt: skip
        self.assertEqual((len(found.frame), found.conflicts), (8, 0))

    def test_one_price_without_a_category_and_a_component_nobody_declared(self) -> None:
        told = {"position": 1, "imbalance_Price.amount": 7, "Financial_Price": "<amount>3</amount>"}
        body = document(series(quarters(told), **EUR), type="A85", docStatus="<value>A01</value>")
        found = read("entsoe_imbalance_prices", body)
        self.assertEqual(rows(found, "category", "status")[0], ("00:00", "", "A01"))
        self.assertEqual(found.unknown, ("Financial_Price/amount",))

    def test_volumes_change_direction(self) -> None:
        body = document(
            series(
                period(START, "2026-03-02T00:30Z", "PT15M", points({"position": 1, "quantity": 4})),
                **UP, **MWH,
            ),
            series(
                period("2026-03-02T00:30Z", END, "PT15M", points({"position": 2, "quantity": 9})),
                **DOWN, **MWH,
            ),
            type="A86",
        )  # fmt: skip
        self.assertEqual(
            rows(read("entsoe_imbalance_volumes", archive([body])), "direction", "imbalance_mwh"),
            [("00:00", "up", 4.0), ("00:15", "up", 4.0), ("00:45", "down", 9.0)],
        )

    def test_another_unit_is_not_stored(self) -> None:
        body = document(series(quarters({"position": 1, "quantity": 4}), **UP, **MW), type="A86")
        with self.assertRaisesRegex(SchemaError, "MAW came where the platform sent MWH"):
            read("entsoe_imbalance_volumes", body)

    def test_state_by_the_minute(self) -> None:
        told = points({"position": 1, "quantity": 4}, {"position": 59, "quantity": -1})
        body = document(series(period(START, END, "PT1M", told), **UP, **MW), type="A86")
        found = rows(read("entsoe_balancing_state", body), "control_error_mw", "resolution_s")
        self.assertEqual(len(found), 60)
        self.assertEqual(found[57:], [("00:57", 4, 60), ("00:58", -1, 60), ("00:59", -1, 60)])


class Energy(unittest.TestCase):
    def test_bids_stand_where_their_position_says(self) -> None:
        told = [
            {"position": 1, "quantity": 209, "secondaryQuantity": 1.67, "unavailable_Quantity.quantity": 0},
            {"position": 4, "quantity": 175, "secondaryQuantity": 2},
        ]  # fmt: skip
        body = document(
            series(quarters(*told), standard_MarketProduct__marketProductType="A01", **DOWN, **MW),
            type="A24",
            process__processType="A51",
        )
        found = read("entsoe_aggregated_bids", body, process="A51")
        names = ("reserve", "direction", "offered_mw", "activated_mw")
        same = ("aFRR", "down", 209.0, 1.67)
        self.assertEqual(
            rows(found, *names),
            [("00:00", *same), ("00:15", *same), ("00:30", *same), ("00:45", "aFRR", "down", 175.0, 2.0)],
        )  # fmt: skip
        self.assertEqual(found.frame["unavailable_mw"].isna().tolist(), [False] * 3 + [True])

    def test_prices_every_four_seconds(self) -> None:
        told = points(
            {"position": 1},
            {"position": 2, "activation_Price.amount": 93.25, "imbalance_Price.category": "A08"},
            {"position": 4},
        )
        body = document(
            series(
                period(START, "2026-03-02T00:01Z", "PT4S", told),
                businessType="A96", mktPSRType__psrType="A03", **UP, **EUR,
            ),
            type="A84",
            process__processType="A67",
        )  # fmt: skip
        frame = read("entsoe_activated_prices", body, process="A67").frame
        starts = frame["period_start"].dt.strftime("%H:%M:%S").tolist()
        self.assertEqual(starts, ["00:00:04", "00:00:08"])
        self.assertEqual(
            frame[["process", "reserve", "psr_type", "category", "resolution_s"]].to_numpy().tolist(),
            [["A67", "aFRR", "A03", "A08", 4]] * 2,
        )  # fmt: skip

    def test_activated_energy_of_each_reserve(self) -> None:
        body = document(
            *(
                series(quarters({"position": 1, "quantity": n}), businessType=code, **UP, **MWH)
                for n, code in enumerate(("A95", "A96", "A97", "A98"), 1)
            ),
            type="A83",
        )
        found = read("entsoe_activated_energy", body).frame.head(4)
        self.assertEqual(
            dict(zip(found["reserve"], found["activated_mwh"], strict=True)),
            {"FCR": 1, "aFRR": 2, "mFRR": 3, "RR": 4},
        )


def bid(quantity: float, price: float, **more: object) -> str:
    block = period(
        "2026-03-01T23:00Z", "2026-03-02T03:00Z", "PT15M",
        points({"position": 1, "quantity": quantity, "procurement_Price.amount": price}),
    )  # fmt: skip
    told = {"type_MarketAgreement__type": "A01", "price_Measure_Unit__name": "MAW"}
    return series(block, businessType="B95", **told, **UP, **MW, **EUR, **more)


def bids(*told: str) -> bytes:
    return document(*told, type="A15", process__processType="A51")


class Capacity(unittest.TestCase):
    def test_bids_are_numbered_by_price_whatever_their_order(self) -> None:
        cheap, dear, twin = bid(5, 1.5), bid(1, 9), bid(1, 9)
        for order in ((cheap, dear, twin), (dear, cheap, twin), (twin, dear, cheap)):
            found = read("entsoe_procured_capacity", bids(*order), process="A51").frame
            self.assertEqual(
                found[["bid", "capacity_mw", "price", "resolution_s"]].to_numpy().tolist(),
                [[1, 5, 1.5, 14_400], [2, 1, 9, 14_400], [3, 1, 9, 14_400]],
            )

    def test_a_bid_that_is_sent_again_under_its_number_is_one(self) -> None:
        told = bids(bid(5, 1, mRID=1), bid(5, 1, mRID=2), bid(5, 1, mRID=1))
        found = read("entsoe_procured_capacity", told, process="A51").frame
        self.assertEqual(found["bid"].tolist(), [1, 2])

    def test_a_block_that_began_the_day_before_belongs_to_what_was_asked(self) -> None:
        found = read("entsoe_procured_capacity", bids(bid(5, 1)), process="A51").frame
        self.assertEqual(found["period_start"].tolist(), [pd.Timestamp("2026-03-01T23:00Z")])
        later = Window(DAY.end, DAY.end + timedelta(days=1))
        with self.assertRaisesRegex(SchemaError, "outside what was asked"):
            read("entsoe_procured_capacity", bids(bid(5, 1)), process="A51", window=later)

    def test_a_position_of_its_own_for_each_price(self) -> None:
        block = period(
            START, END, "PT15M",
            points(
                {"position": 1, "quantity": 10, "procurement_Price.amount": 3},
                {"position": 3, "quantity": 20, "procurement_Price.amount": 4},
            ),
        )  # fmt: skip
        told = series(block, type_MarketAgreement__type="A13", **DOWN, **MW, **EUR)
        body = document(told, type="A81", process__processType="A47")
        found = read("entsoe_contracted_reserves", archive([body]), process="A13")
        self.assertEqual(
            rows(found, "reserve", "agreement", "bid", "capacity_mw", "price", "resolution_s"),
            [("00:00", "mFRR", "A13", 1, 10.0, 3.0, 1800), ("00:30", "mFRR", "A13", 1, 20.0, 4.0, 1800)],
        )  # fmt: skip


if __name__ == "__main__":
    unittest.main()
