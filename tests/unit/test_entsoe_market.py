"""Prices, net positions, flows, exchanges and capacities: small documents by hand, values worked out by hand."""

import unittest
from datetime import UTC, date, datetime
from typing import Any

from domain.errors import SchemaError
from domain.ledger import Tally
from domain.settlement import day_window
from domain.tables import conform
from domain.windows import Window
from domain.zones import LIVE
from sources.dataset import Dataset
from sources.entsoe import SETTINGS, Item
from sources.entsoe_market import DATASETS
from sources.entsoe_xml import parse

BY_KEY = {dataset.key: dataset for dataset in DATASETS}
BELGIUM, NETHERLANDS = "10YBE----------2", "10YNL----------L"
QUARTER, HOUR = 900, 3600
OUT = {"in_Domain.mRID": "REGION_CODE-----", "out_Domain.mRID": BELGIUM}
IN = {"in_Domain.mRID": BELGIUM, "out_Domain.mRID": "REGION_CODE-----"}
DAILY, INTRADAY = ({"contract_MarketAgreement.type": code} for code in ("A01", "A07"))


def series(
    fields: dict[str, str], points: dict[int, float], name: str = "quantity", **period: str
) -> str:
    """A TimeSeries of A03 in one Period: four hours from 22:00Z on, unless told otherwise."""
    start, end = period.get("start", "2024-10-26T22:00Z"), period.get("end", "2024-10-27T02:00Z")
    told = "".join(f"<{tag}>{text}</{tag}>" for tag, text in fields.items())
    listed = "".join(
        f"<Point><position>{position}</position><{name}>{value}</{name}></Point>"
        for position, value in points.items()
    )
    return (
        f"<TimeSeries>{told}<curveType>A03</curveType><Period><timeInterval><start>{start}</start>"
        f"<end>{end}</end></timeInterval><resolution>{period.get('step', 'PT60M')}</resolution>"
        f"{listed}</Period></TimeSeries>"
    )


def rows(key: str, scope: str, *parts: str) -> list[dict[str, Any]]:
    """The rows that a document of these series makes in the table of a dataset, in order."""
    dataset = BY_KEY[key]
    assert isinstance(dataset.read, Item)
    body = f"<Publication_MarketDocument>{''.join(parts)}</Publication_MarketDocument>"
    columns = dataset.read.rows(parse(body.encode()), scope)
    found = conform(dataset.table, columns, key, later_wins=True)
    assert not found.unknown
    return list(found.frame.sort_values(list(dataset.table.key)).to_dict("records"))


def at(hour: int, minute: int = 0) -> datetime:
    """A time of the night of the documents."""
    return datetime(2024, 10, 26 + (hour < 12), hour, minute, tzinfo=UTC)


class Prices(unittest.TestCase):
    def test_auctions_are_told_apart_by_their_sequence(self) -> None:
        position = "classificationSequence_AttributeInstanceComponent.position"
        euro = {"currency_Unit.name": "EUR"}
        found = rows(
            "entsoe_intraday_prices",
            "BE",
            series(euro | {position: "2"}, {1: 7.5, 3: -1}, "price.amount", step="PT120M", end="2024-10-27T04:00Z"),
            series(euro | {position: "1"}, {1: 8}, "price.amount", end="2024-10-26T23:00Z"),
        )  # fmt: skip
        self.assertEqual(
            [(r["auction_sequence"], r["period_start"], r["price_per_mwh"], r["resolution_s"]) for r in found],
            [(1, at(22), 8.0, HOUR), (2, at(22), 7.5, 2 * HOUR), (2, at(0), 7.5, 2 * HOUR), (2, at(2), -1.0, 2 * HOUR)],
        )  # fmt: skip
        self.assertEqual({r["currency"] for r in found}, {"EUR"})

    def test_intraday_and_day_ahead_are_different_questions(self) -> None:
        for key, code in (("entsoe_day_ahead_prices", "A01"), ("entsoe_intraday_prices", "A07")):
            item = BY_KEY[key].read
            assert isinstance(item, Item)
            self.assertIn(("contract_MarketAgreement.type", code), item.extra)

    def test_the_third_auction_is_of_the_afternoon(self) -> None:
        completeness = BY_KEY["entsoe_intraday_prices"].completeness
        day = Tally(96, 86_400)
        for third, expected in ((Tally(48, 43_200), 1.0), (Tally(24, 21_600), 0.9)):
            tallies = {"1": day, "2": day, "3": third}
            whole = day_window(date(2024, 11, 5))
            with self.subTest(third=third):
                self.assertAlmostEqual(completeness.coverage(whole, tallies), expected)
                self.assertEqual(completeness.expected(whole, tallies), 96 + 96 + 48)
        # The long day has an hour more before noon, none after it.
        long_day = {"1": Tally(100, 90_000), "3": Tally(48, 43_200)}
        self.assertEqual(completeness.coverage(day_window(date(2024, 10, 27)), long_day), 1.0)

    def test_a_price_or_flow_in_another_unit_is_refused(self) -> None:
        odd = {"price_Measure_Unit.name": "KWH", "quantity_Measure_Unit.name": "MWH"}
        for key, scope, value in (
            ("entsoe_day_ahead_prices", "BE", "price.amount"),
            ("entsoe_flows", "BE>NL", "quantity"),
            ("entsoe_net_positions", "BE", "quantity"),
        ):
            with self.subTest(key=key), self.assertRaisesRegex(SchemaError, "came where the"):
                rows(key, scope, series(odd | OUT | DAILY, {1: 5}, value))


class NetPositions(unittest.TestCase):
    def net(self, *parts: str) -> list[tuple[str, datetime, float]]:
        found = rows("entsoe_net_positions", "BE", *parts)
        return [(r["contract"], r["period_start"], r["net_position_mw"]) for r in found]

    def test_exports_are_positive_and_imports_negative(self) -> None:
        found = self.net(
            series(OUT | DAILY, {1: 402.8, 2: 100}, end="2024-10-27T00:00Z"),
            series(IN | DAILY, {1: 50.5}, start="2024-10-27T00:00Z"),
        )
        self.assertEqual(
            found,
            [
                ("day_ahead", at(22), 402.8),
                ("day_ahead", at(23), 100.0),
                ("day_ahead", at(0), -50.5),
                ("day_ahead", at(1), -50.5),
            ],
        )

    def test_both_sides_of_an_hour_are_netted_and_contracts_are_not(self) -> None:
        found = self.net(
            series(IN | INTRADAY, {1: 30}, end="2024-10-26T23:00Z"),
            series(OUT | INTRADAY, {1: 80}, end="2024-10-26T23:00Z"),
            series(OUT | INTRADAY, {1: 80}, end="2024-10-26T23:00Z"),  # sent twice
            series(IN | DAILY, {1: 0}, end="2024-10-26T23:00Z"),
        )
        self.assertEqual(found, [("day_ahead", at(22), 0.0), ("intraday", at(22), 50.0)])

    def test_hours_beside_quarter_hours_are_netted_in_each_quarter(self) -> None:
        hour = {"end": "2024-10-26T23:00Z"}
        quarters = hour | {"step": "PT15M"}
        exports = series(OUT | DAILY, {1: 100, 2: 40}, end="2024-10-27T00:00Z")
        imports = series(IN | DAILY, {1: 30, 3: 50}, **quarters)
        other = series(IN | INTRADAY, {1: 7}, **hour)
        for parts in ((exports, imports, other), (other, imports, exports)):
            found = rows("entsoe_net_positions", "BE", *parts)
            self.assertEqual(
                [(r["contract"], r["period_start"], r["resolution_s"], r["net_position_mw"]) for r in found],
                [
                    ("day_ahead", at(22), QUARTER, 70.0),
                    ("intraday", at(22), HOUR, -7.0),
                    ("day_ahead", at(22, 15), QUARTER, 70.0),
                    ("day_ahead", at(22, 30), QUARTER, 50.0),
                    ("day_ahead", at(22, 45), QUARTER, 50.0),
                    ("day_ahead", at(23), HOUR, 40.0),
                ],
            )  # fmt: skip

    def test_an_unknown_direction_is_refused(self) -> None:
        between = {"in_Domain.mRID": BELGIUM, "out_Domain.mRID": NETHERLANDS}
        with self.assertRaisesRegex(SchemaError, "one of which should be REGION_CODE"):
            self.net(series(between | DAILY, {1: 5}))

    def test_a_series_without_a_contract_is_refused(self) -> None:
        with self.assertRaisesRegex(SchemaError, r"no contract_MarketAgreement\.type"):
            self.net(series(OUT, {1: 5}))


class Borders(unittest.TestCase):
    def test_a_flow_has_a_direction(self) -> None:
        found = rows(
            "entsoe_flows", "BE>NL", series({}, {1: 0, 3: 12.5}, step="PT15M", end="2024-10-26T23:00Z")
        )  # fmt: skip
        self.assertEqual(
            [(r["period_start"], r["flow_mw"]) for r in found],
            [(at(22), 0.0), (at(22, 15), 0.0), (at(22, 30), 12.5), (at(22, 45), 12.5)],
        )
        self.assertEqual(
            {(r["border"], r["from_zone"], r["to_zone"], r["resolution_s"]) for r in found},
            {("BE>NL", "BE", "NL", QUARTER)},
        )

    def test_resolution_may_change_within_a_document(self) -> None:
        found = rows(
            "entsoe_flows",
            "BE>NL",
            series({}, {1: 9}, end="2024-10-26T23:00Z"),
            series({}, {1: 4}, start="2024-10-26T23:00Z", end="2024-10-26T23:30Z", step="PT15M"),
        )
        self.assertEqual([r["resolution_s"] for r in found], [HOUR, QUARTER, QUARTER])

    def test_exchanges_of_both_contracts_stand_side_by_side(self) -> None:
        found = rows(
            "entsoe_scheduled_exchanges",
            "BE>NL",
            series({"contract_MarketAgreement.type": "A05"}, {1: 700}, end="2024-10-26T23:00Z"),
            series({"contract_MarketAgreement.type": "A01"}, {1: 650}, end="2024-10-26T23:00Z"),
        )
        self.assertEqual(
            [(r["contract"], r["exchange_mw"]) for r in found],
            [("day_ahead", 650.0), ("total", 700.0)],
        )

    def test_a_capacity_of_a_year_is_one_row_from_midnight_to_midnight(self) -> None:
        (found,) = rows(
            "entsoe_transfer_capacity_year",
            "BE>NL",
            series({}, {1: 950}, start="2023-12-31T23:00Z", end="2024-12-31T23:00Z", step="P1Y"),
        )
        self.assertEqual(found["period_start"], datetime(2023, 12, 31, 23, tzinfo=UTC))
        self.assertEqual(found["resolution_s"], 366 * 86_400)
        self.assertEqual(found["capacity_mw"], 950.0)

    def test_days_of_a_week_step_by_the_clock(self) -> None:
        week = {"start": "2024-10-20T22:00Z", "end": "2024-10-27T23:00Z", "step": "P1D"}
        found = rows("entsoe_transfer_capacity_week", "BE>NL", series({}, {1: 900, 7: 800}, **week))
        self.assertEqual([r["capacity_mw"] for r in found], [900.0] * 6 + [800.0])
        self.assertEqual([r["resolution_s"] for r in found], [86_400] * 6 + [90_000])


class Questions(unittest.TestCase):
    def test_the_platforms_out_domain_is_where_the_power_comes_from(self) -> None:
        for key in ("entsoe_flows", "entsoe_scheduled_exchanges", "entsoe_transfer_capacity_day"):
            item = BY_KEY[key].read
            assert isinstance(item, Item)
            self.assertEqual(
                item.address("BE>NL"), {"out_Domain": BELGIUM, "in_Domain": NETHERLANDS}
            )

    def test_names_are_written_as_the_platform_writes_them(self) -> None:
        # By its own collection of requests; they differ from item to item.
        for key, name in (
            ("entsoe_day_ahead_prices", "contract_MarketAgreement.type"),
            ("entsoe_net_positions", "contract_MarketAgreement.Type"),
            ("entsoe_transfer_capacity_week", "contract_MarketAgreement.Type"),
        ):
            item = BY_KEY[key].read
            assert isinstance(item, Item)
            named = {given for variant in item.variants for given, _ in (*item.extra, *variant)}
            self.assertIn(name, named)

    def test_a_zone_is_on_both_sides_of_its_prices(self) -> None:
        item = BY_KEY["entsoe_day_ahead_prices"].read
        assert isinstance(item, Item)
        ips = "10Y1001C--000182"  # Ukraine's prices stand under another code
        self.assertEqual(item.address("UA"), {"in_Domain": ips, "out_Domain": ips})

    def test_scopes_follow_from_the_zones_unless_borders_are_named(self) -> None:
        flows = BY_KEY["entsoe_flows"]
        zones = {"ENTSOE_ZONES": ("PT",), "ENTSOE_BORDERS": ()}
        self.assertEqual(flows.scopes(zones), ("PT>ES", "ES>PT"))
        named = zones | {"ENTSOE_BORDERS": ("FR>BE",)}
        self.assertEqual(flows.scopes(named), ("FR>BE",))
        self.assertEqual(BY_KEY["entsoe_net_positions"].scopes(named), ("PT",))

    def test_the_settings_take_words_that_people_know(self) -> None:
        parse_zones, parse_borders = (
            next(s.parse for s in SETTINGS if s.key == key)
            for key in ("ENTSOE_ZONES", "ENTSOE_BORDERS")
        )
        self.assertEqual(parse_zones("all"), LIVE)
        self.assertEqual(parse_zones("FR, 10YFR-RTE------C,AT"), ("FR", "AT"))
        self.assertEqual(parse_borders(""), ())
        self.assertEqual(parse_borders("FR>BE, FR>BE"), ("FR>BE",))

    def test_windows_of_a_month_fit_any_calendar_month(self) -> None:
        limited = ("entsoe_flows", "entsoe_scheduled_exchanges", "entsoe_net_positions")
        for dataset in (BY_KEY[key] for key in limited):
            start = datetime(2025, 2, 1, tzinfo=UTC)
            window = Window(start, start + dataset.widest)
            self.assertLessEqual(window.end, datetime(2025, 3, 1, tzinfo=UTC))

    def test_what_is_published_bounds_every_dataset(self) -> None:
        def known(dataset: Dataset, scope: str, day: date) -> bool:
            return day in dataset.published(scope)

        for dataset in DATASETS:
            scope = "GB>FR" if dataset.table.scope == "border" else "GB"
            with self.subTest(dataset=dataset.key):
                self.assertFalse(known(dataset, scope, date(2015, 1, 4)))
                self.assertEqual(known(dataset, scope, date(2026, 5, 1)), scope == "GB>FR")


if __name__ == "__main__":
    unittest.main()
