"""Load, generation, their forecasts, capacities and reservoirs: documents by hand, and days that one row covers."""

from __future__ import annotations

import unittest
from datetime import UTC, date, datetime, timedelta
from typing import Any

import fetch_data
import storage
from domain.errors import Refused, SchemaError, UsageError
from domain.ledger import Entry, State
from domain.settlement import day_window, days_window
from domain.tables import Conformed, conform
from domain.windows import Window
from sources import entsoe_capacities, entsoe_power
from sources.dataset import Dataset
from sources.entsoe import Item, documents
from sources.entsoe_power import WIND_SOLAR_GROUP
from tests.unit.entsoe_documents import (
    Params,
    Platform,
    acknowledgement,
    document,
    period,
    points,
    series,
)

DATASETS = (*entsoe_power.DATASETS, *entsoe_capacities.DATASETS)
BY_KEY = {dataset.key: dataset for dataset in DATASETS}
A_DAY, A_WEEK = 86_400, 7 * 86_400
IN = {"inBiddingZone_Domain__mRID": "X"}
OUT = {"outBiddingZone_Domain__mRID": "X"}
WEEK_AHEAD, CAPACITY = "entsoe_load_forecast_week", "entsoe_installed_capacity"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def quantities(*values: float | None) -> str:
    """Points with these values, one slot each; None is a slot that holds the value before."""
    told = [(n, v) for n, v in enumerate(values, 1) if v is not None]
    return points(*({"position": n, "quantity": v} for n, v in told))


def answer(*inside: str) -> bytes:
    return document(*inside, root="GL_MarketDocument")


def read(key: str, zone: str, *inside: str) -> Conformed:
    """The rows that a document of these series makes in the table of a dataset."""
    dataset = BY_KEY[key]
    assert isinstance(dataset.read, Item)
    (told,) = documents(answer(*inside))
    found = conform(dataset.table, dataset.read.rows(told, zone), key, later_wins=True)
    assert not found.unknown and not found.strange
    return found


def rows(key: str, zone: str, *inside: str) -> list[tuple[Any, ...]]:
    """The same as plain tuples without the zone."""
    frame = read(key, zone, *inside).frame.drop(columns="zone").astype(object)
    return [
        tuple(None if v != v else v for v in row)
        for row in frame.itertuples(index=False, name=None)
    ]


def typed(code: str) -> dict[str, str]:
    return {"MktPSRType": f"<psrType>{code}</psrType>"}


def unit(code: str, eic: str, name: str) -> dict[str, str]:
    resource = f"<mRID codingScheme='A01'>{eic}</mRID><name>{name}</name>"
    return {
        "MktPSRType": f"<psrType>{code}</psrType>"
        f"<PowerSystemResources>{resource}</PowerSystemResources>"
    }


class Forecasts(unittest.TestCase):
    def test_lowest_and_highest_load_stand_side_by_side_and_days_step_by_the_clock(self) -> None:
        # The night of 27 October has an hour more.
        span = ("2024-10-26T22:00Z", "2024-10-28T23:00Z", "P1D")
        found = rows(
            WEEK_AHEAD,
            "NL",
            series(period(*span, quantities(15_000, 16_000)), businessType="A61"),
            series(period(*span, quantities(9_000, None)), businessType="A60"),
        )
        self.assertEqual(
            found,
            [
                (at("2024-10-26T22:00"), 90_000, 9_000, 15_000),
                (at("2024-10-27T23:00"), A_DAY, 9_000, 16_000),
            ],
        )

    def test_weeks_of_a_year(self) -> None:
        span = ("2024-10-20T22:00Z", "2024-11-03T23:00Z", "P7D")
        found = rows(
            "entsoe_load_forecast_year",
            "NL",
            series(period(*span, quantities(7, 8)), businessType="A60"),
        )
        self.assertEqual(
            found,
            [
                (at("2024-10-20T22:00"), A_WEEK + 3600, 7, None),
                (at("2024-10-27T23:00"), A_WEEK, 8, None),
            ],
        )

    def test_a_load_that_is_neither_lowest_nor_highest_is_refused(self) -> None:
        span = ("2024-10-26T22:00Z", "2024-10-27T23:00Z", "P1D")
        with self.assertRaisesRegex(SchemaError, "businessType: 'A04' is none of A60, A61"):
            read(WEEK_AHEAD, "NL", series(period(*span, quantities(1)), businessType="A04"))

    def test_days_of_a_zone_without_summer_time(self) -> None:
        # Midnight in Istanbul, where nothing happens on 31 March.
        span = ("2024-03-30T21:00Z", "2024-04-01T21:00Z", "P1D")
        found = rows(WEEK_AHEAD, "TR", series(period(*span, quantities(1, 2)), businessType="A60"))
        self.assertEqual([row[1] for row in found], [A_DAY, A_DAY])

    def test_periods_that_begin_at_the_markets_midnight_step_by_its_clock(self) -> None:
        # 23:00 on 31 January in Lisbon: a month later by that clock there is no such day.
        span = ("2024-01-31T23:00Z", "2024-03-31T22:00Z", "P1M")
        found = rows("entsoe_reservoirs", "PT", series(period(*span, quantities(1, 2))))
        self.assertEqual([row[1] // A_DAY for row in found], [29, 30])
        self.assertEqual(found[1][0], at("2024-02-29T23:00"))

    def test_generation_and_consumption_of_a_zone(self) -> None:
        span = ("2024-06-30T22:00Z", "2024-07-01T00:00Z", "PT60M")
        found = rows(
            "entsoe_generation_forecast",
            "NL",
            series(period(*span, quantities(5_000, 5_100)), **IN),
            series(period(*span, quantities(70, None)), **OUT),
        )
        self.assertEqual(
            found,
            [(at("2024-06-30T22:00"), 3600, 5_000, 70), (at("2024-06-30T23:00"), 3600, 5_100, 70)],
        )


class Generation(unittest.TestCase):
    SPAN = ("2024-06-30T22:00Z", "2024-06-30T22:30Z", "PT15M")

    def test_both_sides_of_a_type_are_one_row(self) -> None:
        found = rows(
            "entsoe_generation",
            "FR",
            series(period(*self.SPAN, quantities(3, None)), **OUT, **typed("B10")),
            series(period(*self.SPAN, quantities(50, 60)), **IN, **typed("B10")),
            series(period(*self.SPAN, quantities(20, None)), **IN, **typed("B04")),
        )
        first, second = at("2024-06-30T22:00"), at("2024-06-30T22:15")
        self.assertEqual(
            found,
            [
                (first, "B04", 900, 20, None),
                (first, "B10", 900, 50, 3),
                (second, "B04", 900, 20, None),
                (second, "B10", 900, 60, 3),
            ],
        )

    def test_of_two_values_the_later_holds_and_the_other_is_kept_and_counted(self) -> None:
        found = read(
            "entsoe_generation",
            "FR",
            series(period(*self.SPAN, quantities(50, 60)), **IN, **typed("B10")),
            series(period(*self.SPAN, quantities(50, 61)), **IN, **typed("B10")),
        )
        self.assertEqual(found.frame["generation_mw"].tolist(), [50, 61])
        self.assertEqual((found.conflicts, found.older["generation_mw"].tolist()), (1, [60]))

    def test_hours_beside_quarter_hours_lose_neither(self) -> None:
        quarters = ("2024-06-30T22:00Z", "2024-07-01T00:00Z", "PT15M")
        hours = ("2024-06-30T22:00Z", "2024-07-01T01:00Z", "PT60M")
        told = [
            series(period(*quarters, quantities(1, 2, 3, 4, 5, None)), **IN, **typed("B10")),
            series(period(*hours, quantities(70, 80, 90)), **OUT, **typed("B10")),
            series(period(*hours, quantities(7, 8, 9)), **IN, **typed("B04")),
        ]
        for order in (told, told[::-1]):
            found = read("entsoe_generation", "FR", *order)
            self.assertEqual((found.conflicts, len(found.older)), (0, 0))
            of = found.frame.set_index("psr_type").loc
            self.assertEqual(of["B04"]["resolution_s"].tolist(), [3600] * 3)
            pumped = of["B10"]
            self.assertEqual(pumped["resolution_s"].tolist(), [900] * 8 + [3600])
            self.assertEqual(pumped["consumption_mw"].tolist(), [70] * 4 + [80] * 4 + [90])
            self.assertEqual(pumped["generation_mw"][:8].tolist(), [1, 2, 3, 4, 5, 5, 5, 5])
            self.assertEqual(pumped["period_start"].iloc[7], at("2024-06-30T23:45"))

    def test_a_series_of_neither_side_is_refused(self) -> None:
        for sides in ({}, IN | OUT):
            with self.assertRaisesRegex(SchemaError, "inBiddingZone_Domain.mRID"):
                one = series(period(*self.SPAN, quantities(1, 2)), **sides, **typed("B10"))
                read("entsoe_generation", "FR", one)

    def test_units_have_their_code_and_name(self) -> None:
        found = rows(
            "entsoe_generation_per_unit",
            "FR",
            series(period(*self.SPAN, quantities(900, 910)), **IN, **unit("B14", "17W-B", "Été 2")),
            series(period(*self.SPAN, quantities(30, None)), **OUT, **unit("B10", "17W-A", "Lac")),
            series(period(*self.SPAN, quantities(0, 40)), **IN, **unit("B10", "17W-A", "Lac 1")),
        )
        first, second = at("2024-06-30T22:00"), at("2024-06-30T22:15")
        self.assertEqual(
            found,
            [
                (first, "17W-A", "Lac 1", "B10", 900, 0, 30),
                (first, "17W-B", "Été 2", "B14", 900, 900, None),
                (second, "17W-A", "Lac 1", "B10", 900, 40, 30),
                (second, "17W-B", "Été 2", "B14", 900, 910, None),
            ],
        )

    def test_a_unit_without_a_code_is_refused(self) -> None:
        with self.assertRaisesRegex(SchemaError, "names no unit"):
            one = series(period(*self.SPAN, quantities(1, 2)), **IN, **typed("B14"))
            read("entsoe_generation_per_unit", "FR", one)


class Units(unittest.TestCase):
    """The platform gives units by control area, for a day of 24 hours at most."""

    UNITS = BY_KEY["entsoe_generation_per_unit"]
    LONG_DAY = date(2024, 10, 27)

    def test_they_are_asked_for_by_control_area(self) -> None:
        zones = {"ENTSOE_ZONES": ("DE_LU", "NO_1", "NO_2", "FR")}
        german = ("DE_50HZ", "DE_AMPRION", "DE_TENNET", "DE_TRANSNET")
        self.assertEqual(self.UNITS.scopes(zones), (*german, "NO", "FR"))
        assert isinstance(self.UNITS.read, Item)
        self.assertEqual(self.UNITS.read.address("NO"), {"in_Domain": "10YNO-0--------C"})

    def test_no_window_is_longer_than_a_settlement_day(self) -> None:
        for first in (date(2024, 3, 29), date(2024, 10, 25)):
            days = [first + timedelta(days=n) for n in range(5)]
            span = days_window(days[0], days[-1])
            now = at("2025-01-01T00:00")
            planned = fetch_data.plan(
                self.UNITS, "FR", span, {}, now, by_name=False, again=False
            )  # fmt: skip
            self.assertEqual(planned, [day_window(day) for day in days])

    def test_the_long_day_comes_in_two_halves(self) -> None:
        window = day_window(self.LONG_DAY)

        def platform(params: Params) -> bytes:
            start, end = (
                datetime.strptime(params[name], "%Y%m%d%H%M").replace(tzinfo=UTC)
                for name in ("periodStart", "periodEnd")
            )
            if end - start > timedelta(days=1):
                text = (
                    "Provided time interval is larger than maximum allowed period 'P1D' for "
                    "'ACTUAL_GENERATION_OUTPUT_PER_UNIT_R3:XML' export."
                )
                raise Refused("HTTP 400", 400, acknowledgement(text))
            span = (f"{start:%Y-%m-%dT%H:%MZ}", f"{end:%Y-%m-%dT%H:%MZ}", "PT60M")
            return answer(series(period(*span, quantities(900)), **IN, **unit("B14", "U", "Unit")))

        asked = Platform(platform)
        assert isinstance(self.UNITS.read, Item)
        found = self.UNITS.read(self.UNITS, "FR", window, asked).rows
        starts = found.frame["period_start"].tolist()
        self.assertEqual(starts, [window.start + timedelta(hours=n) for n in range(25)])
        self.assertEqual(len(asked.asked), 3)
        self.assertFalse(found.conflicts)


class Refusals(unittest.TestCase):
    def test_quantities_in_another_unit_are_refused(self) -> None:
        span = ("2024-06-30T22:00Z", "2024-07-01T00:00Z", "PT60M")
        for key, unit_told, said in (
            ("entsoe_load", "MWH", "a quantity in MWH came where the platform sent MAW before"),
            ("entsoe_generation", "KWT", "a quantity in KWT"),
            ("entsoe_reservoirs", "MAW", "a quantity in MAW came where the platform sent MWH"),
        ):
            told = {"quantity_Measure_Unit__name": unit_told}
            with self.subTest(key=key), self.assertRaisesRegex(SchemaError, said):
                read(key, "FR", series(period(*span, quantities(1, 2)), **IN, **told))

    def test_no_data_is_none_however_it_is_said(self) -> None:
        def platform(_: Params) -> bytes:
            raise Refused("HTTP 400", 400, acknowledgement())

        load = BY_KEY["entsoe_load"]
        assert isinstance(load.read, Item)
        came = load.read(load, "FR", day_window(date(2024, 6, 1)), Platform(platform))
        self.assertEqual((len(came.rows.frame), came.said), (0, ""))

    def test_an_item_that_an_area_does_not_have_is_no_row_and_a_word(self) -> None:
        said = "Data item ACTUAL_TOTAL_LOAD is not valid for this area"

        def platform(_: Params) -> bytes:
            raise Refused("HTTP 400", 400, acknowledgement(said))

        load = BY_KEY["entsoe_load"]
        assert isinstance(load.read, Item)
        came = load.read(load, "FR", day_window(date(2024, 6, 1)), Platform(platform))
        self.assertEqual((len(came.rows.frame), came.said), (0, said))

    def test_any_other_refusal_is_a_failure(self) -> None:
        for said in ("Delivered Area EIC 10YXX is not valid.", "Input parameter does not exist: X"):

            def platform(_: Params, said: str = said) -> bytes:
                raise Refused("HTTP 400", 400, acknowledgement(said))

            load = BY_KEY["entsoe_load"]
            assert isinstance(load.read, Item)
            with self.subTest(said=said), self.assertRaisesRegex(Refused, said):
                load.read(load, "FR", day_window(date(2024, 6, 1)), Platform(platform))


class Capacities(unittest.TestCase):
    YEAR = ("2023-12-31T23:00Z", "2024-12-31T23:00Z", "P1Y")

    def test_a_year_is_one_row_from_its_own_midnight(self) -> None:
        found = rows(CAPACITY, "NL", series(period(*self.YEAR, quantities(418)), **typed("B01")))
        self.assertEqual(found, [(at("2023-12-31T23:00"), "B01", 366 * A_DAY, 418)])

    def test_a_unit_with_its_voltage(self) -> None:
        voltage = "production_PowerSystemResources.highVoltageLimit"
        told = {
            "registeredResource__mRID": "17W-A",
            "registeredResource__name": "Lac",
            "MktPSRType": f"<psrType>B10</psrType><{voltage} unit='KVT'>380</{voltage}>",
        }
        bare = {"registeredResource__mRID": "17W-B", "registeredResource__name": "Été"}
        found = rows(
            "entsoe_installed_capacity_per_unit",
            "FR",
            series(period(*self.YEAR, quantities(240)), **IN, **told),
            series(period(*self.YEAR, quantities(99)), **IN, **bare, **typed("B14")),
        )
        start = at("2023-12-31T23:00")
        self.assertEqual(
            found,
            [
                (start, "17W-A", "Lac", "B10", 366 * A_DAY, 240, 380),
                (start, "17W-B", "Été", "B14", 366 * A_DAY, 99, None),
            ],
        )


def year_of(first: int, **megawatts: float) -> list[str]:
    span = (f"{first - 1}-12-31T23:00Z", f"{first}-12-31T23:00Z", "P1Y")
    return [series(period(*span, quantities(mw)), **typed(code)) for code, mw in megawatts.items()]


class DaysOfALongRow(unittest.TestCase):
    """What the ledger says of settlement days that a row of a year, or a week, covers."""

    def setUp(self) -> None:
        self.store = storage.open_store("sqlite:///:memory:")
        self.addCleanup(self.store.close)

    def ask(self, key: str, window: Window, *inside: str) -> dict[date, Entry]:
        """The entries after the platform answered with these series."""
        body = answer(*inside) if inside else acknowledgement()

        def platform(params: Params) -> bytes:
            return body

        dataset: Dataset = BY_KEY[key]
        assert isinstance(dataset.read, Item)
        came = dataset.read(dataset, "NL", window, Platform(platform))
        now = window.end + timedelta(days=20)
        entries, _ = storage.write_answer(self.store, dataset, "NL", window, came, now)
        return {entry.day: entry for entry in entries}

    def stored(self, key: str) -> list[tuple[Any, ...]]:
        return self.store.execute(f'SELECT period_start FROM "{key}" ORDER BY 1')

    def test_any_day_of_the_year_is_proven_by_its_row(self) -> None:
        day = date(2024, 6, 1)
        entry = self.ask(CAPACITY, day_window(day), *year_of(2024, B01=418, B16=25_000))[day]
        self.assertEqual((entry.state, entry.rows, entry.coverage), (State.COMPLETE, 2, 1))
        self.assertEqual(self.stored(CAPACITY), [("2023-12-31T23:00:00Z",)] * 2)
        self.assertEqual(entry.note, "")

    def test_the_last_day_is_proven_by_the_year_that_it_lies_in_but_for_an_hour(self) -> None:
        day = date(2024, 12, 31)  # its last hour belongs to the year of Amsterdam that follows
        window = day_window(day)
        entry = self.ask(CAPACITY, window, *year_of(2024, B01=418))[day]
        self.assertEqual((entry.state, entry.rows, entry.coverage), (State.COMPLETE, 1, 1))
        both = [*year_of(2024, B01=418), *year_of(2025, B01=400)]
        entry = self.ask(CAPACITY, window, *both)[day]
        self.assertEqual((entry.state, entry.rows, entry.coverage), (State.COMPLETE, 2, 1))

    def test_no_data_is_no_year(self) -> None:
        day = date(2024, 6, 1)
        entry = self.ask(CAPACITY, day_window(day))[day]
        self.assertEqual((entry.state, entry.rows), (State.EMPTY, 0))

    def test_a_revised_year_is_a_new_version_of_the_day_that_was_asked(self) -> None:
        day = date(2024, 6, 1)
        versions = [
            self.ask(CAPACITY, day_window(day), *year_of(2024, B01=mw))[day].version
            for mw in (418, 418, 420)
        ]
        self.assertEqual(versions, [1, 1, 2])
        self.assertEqual(len(self.store.execute(f'SELECT * FROM "{CAPACITY}_history"')), 1)

    def test_weeks_that_were_not_asked_for_stay_out(self) -> None:
        weeks = period("2024-09-29T22:00Z", "2024-10-27T23:00Z", "P7D", quantities(1, 2, 3, 4))
        day = date(2024, 10, 13)  # a Sunday: its last hour is the next week's Monday in Amsterdam
        entry = self.ask("entsoe_reservoirs", day_window(day), series(weeks))[day]
        self.assertEqual(
            self.stored("entsoe_reservoirs"), [("2024-10-06T22:00:00Z",), ("2024-10-13T22:00:00Z",)]
        )
        self.assertEqual((entry.state, entry.rows, entry.coverage), (State.COMPLETE, 2, 1))

    def test_another_year_is_the_answer_to_another_question(self) -> None:
        with self.assertRaisesRegex(SchemaError, "outside what was asked"):
            self.ask(CAPACITY, day_window(date(2024, 6, 1)), *year_of(2022, B01=418))


class Names(unittest.TestCase):
    def test_a_document_type_is_a_name_where_it_means_one_dataset(self) -> None:
        for word, key in (("A73", "entsoe_generation_per_unit"), ("a68", CAPACITY)):
            self.assertEqual([d.key for d in fetch_data.find_datasets([word])], [key])
        for word in ("A65", "A69", "A71"):
            with self.assertRaises(UsageError):
                fetch_data.find_datasets([word])

    def test_the_three_forecasts_of_wind_and_solar_are_a_group(self) -> None:
        found = [dataset.key for dataset in fetch_data.find_datasets([WIND_SOLAR_GROUP])]
        self.assertEqual(
            found, [f"{WIND_SOLAR_GROUP}_{when}" for when in ("day", "intraday", "current")]
        )

    def test_only_load_and_generation_are_of_the_daily_default(self) -> None:
        core = {dataset.key for dataset in DATASETS if "core" in dataset.groups}
        self.assertEqual(core, {"entsoe_load", "entsoe_generation"})


if __name__ == "__main__":
    unittest.main()
