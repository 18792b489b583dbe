"""Outage documents made by hand: stretches, revisions, cancelled and withdrawn messages."""

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

DAY = Window(datetime(2026, 6, 3, tzinfo=UTC), datetime(2026, 6, 4, tzinfo=UTC))
PLANT, UNIT = "production_RegisteredResource", "pSRType__powerSystemResources"
FIELDS = {
    "businessType": "A54",
    "quantity_Measure_Unit__name": "MAW",
    f"{PLANT}__mRID": "49W-PLANT",
    f"{PLANT}__name": "Plant",
    f"{PLANT}__pSRType__psrType": "B04",
    f"{PLANT}__{UNIT}__nominalP": "128.0",
}
REASONS = "<Reason><code>B18</code><text>Failure</text></Reason><Reason><code>A95</code><text> </text></Reason>"


def stretch(start: str, end: str, *steps: tuple[int, float]) -> str:
    told = [{"position": position, "quantity": power} for position, power in steps]
    return period(start, end, "PT1M", points(*told), "Available_Period")


def message(
    *stretches: str, mrid: str = "M", revision: object = 1, status: str = "", **more: Any
) -> bytes:
    head: dict[str, Any] = {"mRID": mrid, "revisionNumber": revision, "type": "A80"}
    if status:
        head["docStatus"] = f"<value>{status}</value>"
    return document(
        series(*stretches, **FIELDS, **more),
        REASONS,
        root="Unavailability_MarketDocument",
        unavailability_Time_Period__timeInterval="<start>2026-06-03T01:00Z</start>"
        "<end>2026-06-03T05:00Z</end>",
        **head,
    )


def read(
    *bodies: bytes,
    withdrawn: bytes = b"",
    key: str = "A80",
    scope: str = "NL",
    window: Window = DAY,
) -> Conformed:
    (dataset,) = find_datasets([key])

    def answer(params: Any) -> bytes:
        if "DocStatus" in params:
            return withdrawn or acknowledgement()
        return archive(bodies) if bodies else acknowledgement()

    assert callable(dataset.read)
    return dataset.read(dataset, scope, window, Platform(answer)).rows


class Outages(unittest.TestCase):
    def test_a_row_for_each_stretch_of_available_power(self) -> None:
        body = message(
            stretch("2026-06-03T01:00Z", "2026-06-03T05:00Z", (1, 100), (61, 0), (181, 40))
        )
        frame = read(body).frame
        hours = frame["period_start"].dt.strftime("%H:%M").tolist()
        self.assertEqual(hours, ["01:00", "02:00", "04:00"])
        self.assertEqual(frame["resolution_s"].tolist(), [3600, 7200, 3600])
        self.assertEqual(frame["available_mw"].tolist(), [100, 0, 40])
        (first, *_) = frame.to_dict("records")
        for name, value in {
            "installed_mw": 128.0, "unit_eic": "49W-PLANT", "psr_type": "B04", "status": "active",
            "outage_type": "forced", "reason_code": "B18; A95", "reason": "Failure",
            "outage_end": pd.Timestamp("2026-06-03T05:00Z"),
        }.items():  # fmt: skip
            self.assertEqual(first[name], value, name)

    def test_a_generation_unit_stands_beside_its_plant(self) -> None:
        told = {f"{PLANT}__{UNIT}__mRID": "49W-UNIT", f"{PLANT}__{UNIT}__name": "Unit 1"}
        body = message(stretch("2026-06-03T01:00Z", "2026-06-03T05:00Z", (1, 0)), **told)
        row = read(body).frame.iloc[0]
        names = ["unit_eic", "unit_name", "plant_eic", "plant_name"]
        self.assertEqual(row[names].tolist(), ["49W-UNIT", "Unit 1", "49W-PLANT", "Plant"])

    def test_an_outage_of_years_is_one_row_on_every_day_that_it_touches(self) -> None:
        body = message(stretch("2024-12-31T23:00Z", "2027-02-02T11:00Z", (1, 0)))
        frame = read(body).frame
        self.assertEqual(frame["period_start"].tolist(), [pd.Timestamp("2024-12-31T23:00Z")])
        self.assertEqual(frame["resolution_s"].tolist(), [762 * 86_400 + 12 * 3600])

    def test_a_message_comes_with_its_stretches_outside_the_day(self) -> None:
        body = message(
            stretch("2026-06-03T12:00Z", "2026-06-05T12:00Z", (1, 9), (1441, 5), (2161, 1))
        )
        self.assertEqual(read(body).frame["available_mw"].tolist(), [9, 5, 1])

    def test_of_several_revisions_the_newest_is_current(self) -> None:
        span = ("2026-06-03T01:00Z", "2026-06-03T05:00Z")
        old = message(stretch(*span, (1, 100), (61, 0)), revision=9)
        new = message(stretch(*span, (1, 50)), revision=10)
        for order in ((old, new), (new, old)):
            found = read(*order)
            self.assertEqual(
                found.frame[["revision", "available_mw"]].to_numpy().tolist(), [[10, 50]]
            )
            self.assertEqual(found.older["available_mw"].tolist(), [100, 0])

    def test_a_series_that_is_sent_twice_is_one(self) -> None:
        body = message(stretch(*_SPAN, (1, 0)), mRID=1)
        begin, end = body.index(b"<TimeSeries>"), body.index(b"<Reason>")
        twice = body[:end] + body[begin:end] + body[end:]
        self.assertEqual(len(read(twice).frame), 1)
        renumbered = twice.replace(b"<mRID>1<", b"<mRID>2<", 1)
        self.assertEqual(len(read(renumbered).frame), 1)
        self.assertEqual(len(read(renumbered.replace(b">A54<", b">A53<", 1)).frame), 2)

    def test_long_series_that_differ_in_the_middle_are_two(self) -> None:
        from sources.entsoe_outages import unit_rows
        from sources.entsoe_xml import parse

        def long(middle: float) -> str:
            steps = [(n, 10.0 + n % 2) for n in range(1, 1_201)]
            steps[600] = (601, middle)
            told = stretch("2026-06-03T01:00Z", "2026-06-03T21:00Z", *steps)
            return series(told, mRID=str(middle), **FIELDS)

        body = message(stretch("2026-06-03T01:00Z", "2026-06-03T05:00Z", (1, 5.0)))
        first, _, rest = body.partition(b"<TimeSeries")
        tail = rest.rpartition(b"</TimeSeries>")[2]
        both = first + (long(3.0) + long(4.0)).encode() + tail
        quantities = unit_rows(parse(both), "FR")["quantity"]
        self.assertLessEqual({3.0, 4.0}, set(quantities))

    def test_cancelled_and_withdrawn_messages_are_rows_with_that_status(self) -> None:
        span = stretch("2026-06-03T01:00Z", "2026-06-03T05:00Z", (1, 0))
        cancelled = message(span, mrid="C", revision=2, status="A09")
        withdrawn = message(span, mrid="W", revision=3, status="A13")
        frame = read(message(span), cancelled, withdrawn=withdrawn).frame
        self.assertEqual(
            dict(zip(frame["mrid"], frame["status"], strict=True)),
            {"M": "active", "C": "cancelled", "W": "withdrawn"},
        )

    def test_a_message_without_power_keeps_its_time(self) -> None:
        date = {"start_DateAndOrTime__date": "2026-06-03", "start_DateAndOrTime__time": "02:00:00Z"}
        for more, hour in (({}, 1), (date, 2)):
            for inside in ((), (period(*_SPAN, "PT1M", "<Point><position>1</position></Point>"),)):
                (row,) = read(message(*inside, status="A09", **more)).frame.to_dict("records")
                self.assertEqual(row["period_start"], pd.Timestamp(f"2026-06-03T0{hour}:00Z"))
                self.assertEqual(row["resolution_s"], (5 - hour) * 3600)
                self.assertTrue(pd.isna(row["available_mw"]))

    def test_grid_outages_are_of_a_border_and_name_every_asset(self) -> None:
        asset = (
            "<Asset_RegisteredResource><mRID>{}</mRID><name>{}</name></Asset_RegisteredResource>"
        )
        assets = asset.format("10T-A", "Line A") + asset.format("10T-B", "Line B")
        body = message(
            stretch("2026-06-03T01:00Z", "2026-06-03T05:00Z", (1, 1500)), assets
        ).replace(b"A80", b"A78")
        (row,) = read(body, key="A78", scope="FR>BE").frame.to_dict("records")
        for name, value in {
            "border": "FR>BE", "from_zone": "FR", "to_zone": "BE", "available_mw": 1500.0,
            "asset_eic": "10T-A; 10T-B", "asset_name": "Line A; Line B",
        }.items():  # fmt: skip
            self.assertEqual(row[name], value, name)

    def test_what_cannot_be_understood_is_refused(self) -> None:
        span = stretch("2026-06-03T01:00Z", "2026-06-03T05:00Z", (1, 0))
        for body, said in (
            (message(span, revision="two"), "revisionNumber: 'two'"),
            (message(span).replace(b">128.0<", b">many<"), "nominalP: 'many'"),
            (message(span).replace(b">MAW<", b">MWH<"), "MWH came where"),
            (message().replace(b"2026-06-03T05:00Z", b"soon"), "no end"),
        ):
            with self.subTest(said=said), self.assertRaisesRegex(SchemaError, said):
                read(body)


_SPAN = ("2026-06-03T01:00Z", "2026-06-03T05:00Z")


class Asking(unittest.TestCase):
    def test_borders_and_zones_are_named_as_the_platform_wants_it(self) -> None:
        for key, scope, told in (
            ("A77", "NL", {"BiddingZone_Domain": "10YNL----------L"}),
            ("A78", "FR>BE", {"Out_Domain": "10YFR-RTE------C", "In_Domain": "10YBE----------2"}),
        ):
            (dataset,) = find_datasets([key])
            platform = Platform(lambda _: acknowledgement())
            assert callable(dataset.read)
            dataset.read(dataset, scope, Window(DAY.start, DAY.start + timedelta(days=1)), platform)
            self.assertEqual([each.get("DocStatus") for each in platform.asked], [None, "A13"])
            self.assertLessEqual(told.items(), platform.asked[0].items())


if __name__ == "__main__":
    unittest.main()
