"""What a later answer does to what an earlier one stored: nothing doubled, nothing called complete
that is not. Documents are made by hand, read by the real reader and written into a real store."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import storage
from domain.ledger import Entry, State
from domain.settlement import parse_range
from sources import BY_KEY
from sources.entsoe import Item
from tests.unit.entsoe_documents import (
    Params,
    Platform,
    acknowledgement,
    archive,
    document,
    period,
    points,
    series,
)

FIRST = datetime(2025, 11, 1, tzinfo=UTC)
DAY, MIDDAY, NEXT = "2025-01-10T00:00Z", "2025-01-10T12:00Z", "2025-01-11T00:00Z"
MW, MWH = {"quantity_Measure_Unit__name": "MAW"}, {"quantity_Measure_Unit__name": "MWH"}


def values(*told: float, name: str = "quantity") -> str:
    return points(*({"position": n, name: value} for n, value in enumerate(told, 1)))


def load(*bodies: str) -> bytes:
    return document(*bodies, root="GL_MarketDocument")


def market(*bodies: str) -> bytes:
    return document(*bodies, root="Publication_MarketDocument")


def typed(code: str, *periods: str, unit: str = "", **fields: object) -> str:
    """A series of a production type, of a unit where one is named."""
    of_unit = f"<PowerSystemResources><mRID>{unit}</mRID></PowerSystemResources>" if unit else ""
    kind = f"<MktPSRType><psrType>{code}</psrType>{of_unit}</MktPSRType>"
    told = series(*periods, inBiddingZone_Domain__mRID="X", **MW, **fields)
    return told.replace("</curveType>", f"</curveType>{kind}")


class Restated(unittest.TestCase):
    key = ""

    def setUp(self) -> None:
        self.store = storage.open_store("sqlite:///:memory:")
        self.addCleanup(self.store.close)
        self.answers = 0

    def answer(
        self, scope: str, body: bytes | Callable[[Params], bytes], first: str = "", last: str = ""
    ) -> tuple[list[Entry], int]:
        """What was asked of days, or between instants, is answered, a day later each time."""
        dataset = BY_KEY[self.key]
        assert isinstance(dataset.read, Item)
        window = parse_range(first or DAY[:10], last or None)
        platform = Platform(body if callable(body) else lambda _: body)
        came = dataset.read(dataset, scope, window, platform)
        now = FIRST + self.answers * timedelta(days=1)
        self.answers += 1
        return storage.write_answer(self.store, dataset, scope, window, came, now)

    def rows(self, *names: str) -> list[tuple[Any, ...]]:
        frame = self.store.read(self.key)
        told = frame.assign(at=frame["period_start"].dt.strftime("%m-%d %H:%M"))
        return [tuple(row) for row in told[["at", *names]].to_numpy().tolist()]

    def history(self) -> int:
        ((count,),) = self.store.execute(f"SELECT count(*) FROM {self.key}_history")
        return int(count)


class Reserves(Restated):
    key = "entsoe_contracted_reserves"

    def bids(self, *told: tuple[int, float]) -> Callable[[Params], bytes]:
        of_points = ({"position": p, "quantity": q, "procurement_Price.amount": 7} for p, q in told)
        one = series(
            period(DAY, NEXT, "PT60M", points(*of_points)),
            businessType="B95", type_MarketAgreement__type="A01",
            standard_MarketProduct__marketProductType="A01", mktPSRType__psrType="A03",
            flowDirection__direction="A01", currency_Unit__name="EUR",
            price_Measure_Unit__name="MAW", **MW,
        )  # fmt: skip
        body = archive([document(one, process__processType="A52")])

        def page(params: Params) -> bytes:
            first = params.get("Type_MarketAgreement.Type") == "A01" and params["offset"] == "0"
            return body if first else acknowledgement()

        return page

    def test_a_bid_that_held_all_day_ends_where_another_begins(self) -> None:
        self.answer("AT", self.bids((1, 100)))
        self.assertEqual(self.rows("resolution_s", "capacity_mw"), [("01-10 00:00", 86_400, 100)])
        self.answer("AT", self.bids((1, 100), (13, 90)))
        self.assertEqual(
            self.rows("resolution_s", "capacity_mw"),
            [("01-10 00:00", 43_200, 100), ("01-10 12:00", 43_200, 90)],
        )
        self.assertEqual(self.history(), 1)


class Volumes(Restated):
    key = "entsoe_imbalance_volumes"

    def volume(self, direction: str, start: str, end: str, value: float) -> str:
        told = period(start, end, "PT60M", values(value))
        return series(told, flowDirection__direction=direction, **MWH)

    def test_a_direction_that_turns_leaves_no_other_behind(self) -> None:
        up = self.volume("A01", DAY, NEXT, 5)
        self.answer("AT", document(up))
        turned = self.volume("A02", DAY, "2025-01-10T01:00Z", 3)
        rest = self.volume("A01", "2025-01-10T01:00Z", NEXT, 5)
        (entry,), changed = self.answer("AT", document(turned, rest))
        self.assertEqual((entry.state, entry.rows, entry.expected), (State.COMPLETE, 24, 24))
        self.assertEqual(changed, 2)  # one came, one went
        self.assertEqual(self.rows("direction", "imbalance_mwh")[0], ("01-10 00:00", "down", 3))
        self.assertEqual(self.history(), 1)

    def test_two_directions_of_half_a_day_are_half_a_day(self) -> None:
        both = (self.volume(direction, DAY, MIDDAY, 5) for direction in ("A01", "A02"))
        ((entry,), _) = self.answer("AT", document(*both))
        self.assertEqual((entry.state, entry.rows, entry.coverage), (State.PARTIAL, 24, 0.5))


class Prices(Restated):
    key = "entsoe_day_ahead_prices"

    def price(self, currency: str, end: str) -> str:
        told = period("2025-01-09T23:00Z", end, "PT60M", values(50, name="price.amount"))
        return series(told, currency_Unit__name=currency, price_Measure_Unit__name="MWH")

    def test_two_currencies_of_half_a_day_are_half_a_day(self) -> None:
        both = (self.price(currency, MIDDAY) for currency in ("PLN", "EUR"))
        ((entry,), _) = self.answer("PL", market(*both))
        self.assertEqual((entry.state, entry.rows, entry.coverage), (State.PARTIAL, 24, 0.5))

    def test_a_currency_that_changes_leaves_no_other_behind(self) -> None:
        for currency in ("PLN", "EUR"):
            self.answer("PL", market(self.price(currency, NEXT)))
        self.assertEqual({row[1] for row in self.rows("currency")}, {"EUR"})


class Units(Restated):
    key = "entsoe_generation_per_unit"

    def test_a_unit_whose_type_is_corrected_is_one_unit(self) -> None:
        for code in ("B20", "B04"):
            body = load(typed(code, period(DAY, NEXT, "PT60M", values(300)), unit="11W-1"))
            ((entry,), _) = self.answer("BE", body)
        self.assertEqual((entry.state, entry.rows), (State.COMPLETE, 24))
        self.assertEqual({row[1] for row in self.rows("psr_type")}, {"B04"})


class Capacities(Restated):
    key = "entsoe_installed_capacity"

    def year(self, code: str, start: str, end: str, value: float) -> str:
        return typed(code, period(start, end, "P1Y", values(value)))

    def test_a_year_that_begins_at_another_midnight_is_one_year(self) -> None:
        for start, end, value in (
            ("2025-01-01T00:00Z", "2026-01-01T00:00Z", 10),
            ("2024-12-31T23:00Z", "2025-12-31T23:00Z", 12),
        ):
            body = load(self.year("B01", start, end, value))
            ((entry,), _) = self.answer("DE_LU", body, "2025-06-10")
        self.assertEqual((entry.state, entry.rows, entry.expected), (State.COMPLETE, 1, 1))
        self.assertEqual(self.rows("capacity_mw"), [("12-31 23:00", 12)])

    def test_the_last_day_of_a_year_is_not_short_of_what_ends_or_begins_at_its_midnight(
        self,
    ) -> None:
        old = ("2023-12-31T23:00Z", "2024-12-31T23:00Z")
        new = ("2024-12-31T23:00Z", "2025-12-31T23:00Z")
        body = load(
            self.year("B05", *old, 7), self.year("B01", *old, 10),
            self.year("B01", *new, 10), self.year("B16", *new, 5),
        )  # fmt: skip
        entries, _ = self.answer("DE_LU", body, "2024-12-30", "2025-01-01")
        found = [(entry.state, entry.coverage, entry.rows) for entry in entries]
        self.assertEqual(found[0], (State.COMPLETE, 1.0, 2))
        self.assertEqual(found[1], (State.COMPLETE, 1.0, 3))  # B01 of either year, and B05
        self.assertEqual(found[2], (State.COMPLETE, 1.0, 2))


class WeeksBesideHours(Restated):
    key = "entsoe_transfer_capacity_week"

    def test_the_same_answer_for_one_of_its_days_changes_nothing(self) -> None:
        week = series(period("2025-01-05T23:00Z", "2025-01-12T23:00Z", "P7D", values(900)), **MW)
        hours = series(period("2025-01-06T12:00Z", "2025-01-12T20:00Z", "PT60M", values(400)), **MW)
        body = market(week, hours)
        entries, changed = self.answer("ES>FR", body, "2025-01-06", "2025-01-12")
        self.assertEqual(changed, 1 + 152)
        self.assertEqual({entry.state for entry in entries}, {State.COMPLETE})
        self.assertEqual({entry.coverage for entry in entries}, {1.0})
        self.assertEqual(self.answer("ES>FR", body, "2025-01-08")[1], 0)
        self.assertEqual(self.history(), 0)


class Loads(Restated):
    key = "entsoe_load"

    def hours(self, start: str, end: str, resolution: str, value: float) -> str:
        told = period(start, end, resolution, values(value))
        return series(told, outBiddingZone_Domain__mRID="X", **MW)

    def test_hours_that_become_quarters_and_hours_again(self) -> None:
        hours, quarters = (load(self.hours(DAY, NEXT, r, 1)) for r in ("PT60M", "PT15M"))
        for body, count in ((hours, 24), (quarters, 96), (hours, 24)):
            ((entry,), _) = self.answer("BE", body)
            self.assertEqual(
                (entry.state, entry.rows, entry.expected), (State.COMPLETE, count, count)
            )

    def test_an_hour_that_only_quarters_but_the_first_replace_is_not_counted_twice(self) -> None:
        self.answer("BE", load(self.hours(DAY, "2025-01-10T20:00Z", "PT60M", 1)))
        quarters = self.hours("2025-01-10T00:15Z", "2025-01-10T20:00Z", "PT15M", 1)
        ((entry,), _) = self.answer("BE", load(quarters))
        self.assertEqual((entry.state, entry.coverage), (State.PARTIAL, 20 / 24))


class TakenBack(Restated):
    key = "entsoe_generation"

    def type_of(self, code: str, *told: tuple[int, float | None]) -> str:
        """Hours of the day; a position without a value takes back what was said from there on."""
        of_points = (
            {"position": p} if value is None else {"position": p, "quantity": value}
            for p, value in told
        )
        return typed(code, period(DAY, NEXT, "PT60M", points(*of_points)))

    def counts(self) -> dict[str, int]:
        frame = self.store.read(self.key)
        return frame.groupby("psr_type").size().to_dict()

    def test_hours_without_a_value_are_no_more(self) -> None:
        self.answer("BE", load(self.type_of("B01", (1, 10)), self.type_of("B04", (1, 20))))
        taken = self.type_of("B01", (1, 10), (13, None), (20, 30))
        (entry,), changed = self.answer("BE", load(taken, self.type_of("B04", (1, 20))))
        self.assertEqual(changed, 7 + 5)  # hours 13 to 19 went, 20 to 24 are other values
        self.assertEqual(self.counts(), {"B01": 17, "B04": 24})
        self.assertEqual((entry.state, entry.coverage), (State.PARTIAL, (17 + 24) / 48))
        self.assertEqual(self.history(), 12)
        again, changed = self.answer("BE", load(taken, self.type_of("B04", (1, 20))))
        self.assertEqual((changed, again[0].version), (0, entry.version))

    def test_a_whole_day_may_be_taken_back(self) -> None:
        self.answer("BE", load(self.type_of("B01", (1, 10)), self.type_of("B04", (1, 20))))
        both = load(self.type_of("B01", (1, None)), self.type_of("B04", (1, 20)))
        self.assertEqual(self.answer("BE", both)[1], 24)
        self.assertEqual(self.counts(), {"B04": 24})
        # Also where nothing is left, and where nothing was stored.
        for changed in (24, 0):
            self.assertEqual(self.answer("BE", load(self.type_of("B04", (1, None))))[1], changed)
        self.assertEqual(self.counts(), {})

    def test_a_type_that_an_answer_lacks_may_only_be_late(self) -> None:
        self.answer("BE", load(self.type_of("B01", (1, 10)), self.type_of("B04", (1, 20))))
        self.answer("BE", load(self.type_of("B04", (1, 20))))
        self.assertEqual(self.counts(), {"B01": 24, "B04": 24})


class PartsOfADay(Restated):
    key = "entsoe_activated_energy"

    def test_events_of_two_hours_prove_no_day(self) -> None:
        hours = period("2025-01-10T10:00Z", MIDDAY, "PT15M", values(4))
        body = document(series(hours, businessType="A96", flowDirection__direction="A01", **MWH))
        (entry,), changed = self.answer("AT", body, "2025-01-10T10:00:00Z", "2025-01-10T12:00:00Z")
        self.assertEqual((entry.state, changed), (State.DUE, 8))
