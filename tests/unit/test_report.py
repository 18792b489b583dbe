"""The daily report: its figures against ones worked by hand, and a page that nothing can break out of."""

from __future__ import annotations

import os
import unittest
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd

import report_page
import reporting
import storage
from analysis.sections import Section
from analysis.settlement_day import day_sections
from domain.errors import UsageError
from domain.ledger import Entry, State
from domain.settlement import day_window
from domain.tables import conform
from holes import Day
from stores.sql import SqlStore

DAY = date(2024, 3, 31)
START = day_window(DAY).start
SETTINGS = {"FREQUENCY_CADENCE_S": 15, "VPP_DELIVERY_DAY": "UTC"}
HOSTILE = "</td><script>alert(1)</script>\"'&<b>"
NIGHT = datetime(2024, 4, 1, 6, tzinfo=UTC)


def entry(key: str, coverage: float = 1.0, **changed: Any) -> Entry:
    known = Entry(
        key, "", DAY, day_window(DAY), State.COMPLETE, 46, 46, coverage, 1, NIGHT, NIGHT, 1
    )
    return replace(known, **changed)


def at(minutes: float) -> pd.Timestamp:
    return pd.Timestamp(START + timedelta(minutes=minutes))


def put(store: SqlStore, key: str, rows: list[dict[str, Any]], *entries: Entry) -> None:
    table = store.tables[key]
    spelt = {column.name: column.source or column.name for column in table.columns}
    full = [{spelt[name]: row.get(name) for name in spelt} for row in rows]
    frame = conform(table, pd.DataFrame(full), "a test").frame
    store.write(table, frame, known_at=NIGHT, synthetic=True, entries=lambda changed: list(entries))


class Figures(unittest.TestCase):
    """What the sections say of rows that were put there by hand."""

    def setUp(self) -> None:
        self.store = storage.open_store("sqlite:///:memory:")
        self.addCleanup(self.store.close)

    def told(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Rows of both sections by quantity and series."""
        found = []
        for section in day_sections(self.store, DAY, SETTINGS):
            rows = section.frame.to_dict("records")
            found.append({f"{r['quantity']} {r['series']}".rstrip(): r for r in rows})
        return found[0], found[1]

    def test_nothing_stored_is_no_figure(self) -> None:
        self.assertEqual(self.told(), ({}, {}))

    def test_a_market_price_is_weighted_by_volume(self) -> None:
        # 10 MWh at 50 and 5 MWh at 62 are 54.00; what nobody traded has no price.
        prices = [(0, 10.0, 50.0), (30, 5.0, 62.0), (60, 0.0, 0.0)]
        put(
            self.store,
            "market_index",
            [
                {
                    "period_start": at(minute),
                    "data_provider": "APXMIDP",
                    "volume_mwh": volume,
                    "price_gbp_per_mwh": price,
                    "settlement_date": DAY,
                    "settlement_period": minute // 30 + 1,
                }
                for minute, volume, price in prices
            ],
            entry("market_index", 0.75),
        )
        levels, _ = self.told()
        row = levels["Market index price APXMIDP"]
        self.assertEqual((row["mean"], row["lowest"], row["highest"]), (54.0, 50.0, 62.0))
        self.assertEqual((row["lowest_at"], row["highest_at"]), (at(0), at(30)))
        self.assertEqual((row["unit"], row["coverage"]), ("GBP/MWh", 0.75))

    def test_a_zone_price_is_weighted_by_time_and_has_its_currency(self) -> None:
        rows = [("FR", 0, 3600, 100.0, "EUR"), ("FR", 60, 900, 20.0, "EUR")]
        rows += [("CH", 0, 3600, 10.0, "CHF"), ("CH", 60, 3600, 30.0, "CHF")]
        put(
            self.store,
            "entsoe_day_ahead_prices",
            [
                {
                    "zone": zone,
                    "period_start": at(minute),
                    "auction_sequence": 1,
                    "resolution_s": seconds,
                    "price_per_mwh": price,
                    "currency": currency,
                }
                for zone, minute, seconds, price, currency in rows
            ],
            entry("entsoe_day_ahead_prices", 1.0, scope="FR"),
            entry("entsoe_day_ahead_prices", 0.5, scope="CH"),
        )
        levels, _ = self.told()
        french, swiss = levels["Day-ahead price FR"], levels["Day-ahead price CH"]
        self.assertAlmostEqual(french["mean"], (3600 * 100 + 900 * 20) / 4500)
        self.assertEqual((french["unit"], french["coverage"]), ("EUR/MWh", 1.0))
        self.assertEqual((swiss["mean"], swiss["unit"], swiss["coverage"]), (20.0, "CHF/MWh", 0.5))

    def test_frequency_is_judged_on_the_spot_where_the_product_is_not_made(self) -> None:
        # A quarter of an hour: 60 s at 49.7, the rest at 50.05, and an impossible sample.
        hertz = [49.7] * 4 + [50.05] * 55 + [0.0]
        rows = [
            {"measurement_time": at(n / 4), "frequency_hz": value} for n, value in enumerate(hertz)
        ]
        put(self.store, "frequency", rows, entry("frequency", 0.01))
        levels, totals = self.told()
        row = levels["Frequency"]
        # Nothing comes after the impossible sample, so the last good one holds for no longer than 60 s.
        seconds = {49.7: 60.0, 50.05: 54 * 15.0 + 60.0}
        mean = sum(value * held for value, held in seconds.items()) / sum(seconds.values())
        self.assertAlmostEqual(row["mean"], mean, places=9)
        self.assertEqual((row["lowest"], row["highest"]), (49.7, 50.05))
        outside = totals["Time outside 49.8 to 50.2 Hz"]
        self.assertEqual((outside["total"], outside["unit"]), (60.0, "s"))
        self.assertEqual((outside["coverage"], row["unit"]), (0.01, "Hz"))

    def test_only_the_day_counts(self) -> None:
        rows = [(-30, 1.0), (0, 20_000.0), (23 * 60 - 30, 30_000.0), (23 * 60, 9e4)]
        put(
            self.store,
            "demand_outturn",
            [
                {
                    "period_start": at(minute),
                    "national_demand_mw": value,
                    "transmission_system_demand_mw": value,
                    "publish_time": at(minute),
                    "settlement_date": at(minute).tz_convert("Europe/London").date(),
                    "settlement_period": 1,
                }
                for minute, value in rows
            ],
        )
        levels, _ = self.told()
        self.assertEqual(levels["National demand"]["mean"], 25_000.0)


class Tags(HTMLParser):
    """The elements of a page, with attributes, and its words."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def content(**changed: Any) -> report_page.Content:
    labels = {"subject": "Prices", "quantity": HOSTILE, "series": HOSTILE, "unit": HOSTILE}
    none = pd.Timestamp(NIGHT)
    level = {"lowest": 1.0, "lowest_at": none, "mean": 2.0, "highest": 3.0, "highest_at": none}
    levels = pd.DataFrame([{**labels, **level, "coverage": 0.5}])
    totals = pd.DataFrame([{**labels, "total": 1.5, "coverage": 1.0}])
    chart = report_page.Chart("k", "Prices", (HOSTILE,), HOSTILE, HOSTILE, b"<svg><g/></svg>")
    return replace(
        report_page.Content(
            day=DAY,
            origin="live",
            inputs="abc",
            levels=Section("l", "l", levels, {}, HOSTILE),
            totals=Section("t", "t", totals, {}),
            charts=[chart],
            days=[Day(HOSTILE, HOSTILE, DAY, State.PARTIAL, HOSTILE, 1, 2, 0.5, "", HOSTILE)],
            lacking=[HOSTILE],
            holes=[HOSTILE],
            drift=[HOSTILE],
            attribution=[HOSTILE + " https://example.org/a?b=1&c=2"],
        ),
        **changed,
    )


class Page(unittest.TestCase):
    def test_hostile_text_stays_text(self) -> None:
        page = Tags(report_page.as_page(content()))
        names = {name for name, _ in page.elements}
        self.assertFalse({"script", "b", "img", "iframe"} & names)
        allowed = {"content", "name", "value", "class", "href", "aria-label", "aria-labelledby"}
        allowed |= {"id", "scope", "role", "tabindex", "lang", "charset", "datetime"}
        self.assertEqual({key for _, of in page.elements for key in of} - allowed, set())
        self.assertGreaterEqual("".join(page.words).count(HOSTILE), 10)

    def test_nothing_comes_from_elsewhere(self) -> None:
        page = report_page.as_page(content())
        outside = [
            (name, key, value)
            for name, of in Tags(page).elements
            for key, value in of.items()
            if value and "//" in value
        ]
        self.assertEqual(outside, [("a", "href", "https://example.org/a?b=1&c=2")])
        self.assertNotIn(b"@import", page)

    def test_synthetic_data_say_so(self) -> None:
        self.assertNotIn(b"SYNTHETIC", report_page.as_page(content()))
        self.assertIn(b"SYNTHETIC DATA", report_page.as_page(content(origin="synthetic")))

    def test_length_of_the_day(self) -> None:
        for day, periods in ((DAY, 46), (date(2024, 7, 1), 48), (date(2024, 10, 27), 50)):
            said = f"{day:%A}, {periods} settlement periods ({periods / 2:g} hours".encode()
            self.assertIn(said, report_page.as_page(content(day=day)))

    def test_tables_and_charts_can_be_heard(self) -> None:
        elements = Tags(report_page.as_page(content())).elements
        heads = [of for name, of in elements if name == "th"]
        self.assertTrue(heads)
        self.assertTrue(all(of.get("scope") in ("col", "row") for of in heads))
        (drawing,) = (of for name, of in elements if name == "svg")
        self.assertEqual(drawing["role"], "img")
        said = str(drawing["aria-label"])
        self.assertIn("mean 2 ", said)
        self.assertIn("lowest 1 at 06:00, highest 3 at 06:00", said)
        levels = [int(name[1]) for name, _ in elements if name in ("h1", "h2", "h3")]
        self.assertEqual(levels[0], 1)
        self.assertTrue(all(b - a <= 1 for a, b in pairwise(levels)))

    def test_a_chart_keeps_its_names_to_itself(self) -> None:
        svg = (
            b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://w3.org/x">'
            b'<svg width="792pt" height="3pt" xmlns="http://www.w3.org/2000/svg">'
            b"<metadata>http://purl.org/dc</metadata><style>*{color: red}</style>"
            b'<g id="axes_1"><path id="m1" d="M 1.23456 2.5 \nL 3 4" style="fill: #ffffff"/>'
            b'<use href="#m1" style="stroke: #000000"/><g clip-path="url(#p1)"/></g></svg>\n'
        )
        self.assertEqual(
            report_page.inlined("key", svg, "Chart: <x>"),
            '<svg role="img" aria-label="Chart: &lt;x&gt;"><g><path id="key-m1" d="M 1.23 2.5 L 3 4" '
            'style="fill: none"/><use href="#key-m1" style="stroke: currentColor"/>'
            '<g clip-path="url(#key-p1)"/></g></svg>',
        )


class Fingerprint(unittest.TestCase):
    def test_what_a_report_is_made_from(self) -> None:
        before = reporting.fingerprint([entry("frequency"), entry("wind_solar")])
        self.assertEqual(reporting.fingerprint([entry("wind_solar"), entry("frequency")]), before)
        later = entry("frequency", asked_at=NIGHT + timedelta(days=1), published="x")
        self.assertEqual(reporting.fingerprint([later, entry("wind_solar")]), before)
        for changed in changes():
            with self.subTest(changed):
                other = entry("frequency", **changed)
                self.assertNotEqual(reporting.fingerprint([other, entry("wind_solar")]), before)

    def test_it_stands_at_the_begin_of_the_page(self) -> None:
        page = report_page.as_page(content())
        self.assertIn(report_page.marked("abc").encode(), page[: reporting.HEAD_BYTES])


def changes() -> Iterator[dict[str, Any]]:
    yield {"state": State.PARTIAL}
    yield {"version": 2}
    yield {"note": "unknown columns x"}
    yield {"inputs": "f"}
    yield {"scope": "GB"}


class Refusals(unittest.TestCase):
    def test_one_sentence_says_what_to_type(self) -> None:
        with (
            mock.patch.object(reporting, "can_draw", return_value=False),
            self.assertRaisesRegex(UsageError, "type 'python3 run.py --install-deps plot'"),
        ):
            reporting.report("2024-10-27", None)

    def test_what_cannot_be_meant(self) -> None:
        with mock.patch.object(reporting, "can_draw", return_value=True):
            with self.assertRaisesRegex(UsageError, "does not end in .html"):
                reporting.report("2024-10-27", Path("day.pdf"))
            with self.assertRaisesRegex(UsageError, "is not a day"):
                reporting.report("yesterday", None)

    def test_nothing_stored_is_a_sentence_and_a_code(self) -> None:
        with (
            mock.patch.object(reporting, "can_draw", return_value=True),
            mock.patch.dict(os.environ, {"STORE_URL": "sqlite:////nonexistent/grid.db"}),
            mock.patch.object(reporting.console, "complain") as said,
        ):
            self.assertEqual(reporting.report(None, None), 3)
            self.assertEqual(reporting.report("2024-10-27", None), 3)
        self.assertEqual(
            [call.args[0] for call in said.call_args_list],
            [
                f"nothing is stored of {what}: 'run' fetches a day."
                for what in ("any day", "2024-10-27")
            ],
        )
