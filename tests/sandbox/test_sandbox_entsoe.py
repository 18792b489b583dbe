"""The sandbox's ENTSO-E: its calendar, its series, its gate and the plans of its queries."""

import ast
import itertools
import os
import subprocess
import sys
import unittest
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

import sandbox
from sandbox import Limit, Sandbox, calendar
from sandbox.calendar import day_number, to_instant
from sandbox.endpoints import Catalogue
from sandbox.entsoe import Platform
from sandbox.entsoe.days import DIFFERING, LATE, NULLS, RESTATED, Quirks
from sandbox.entsoe.platform import Answer
from sandbox.entsoe.queries import Query, read
from sandbox.entsoe.zones import BY_KEY
from sandbox.gates import Gates
from sandbox.grid import Columns
from sandbox.manners import ENTSOE, Refusal

BERLIN = ZoneInfo("Europe/Berlin")
NOW = to_instant("2025-11-15T00:00:00Z")
DEMO_DAYS = (date(2024, 3, 31), date(2024, 10, 27))
DE_LU, FR = BY_KEY["DE_LU"].eic, BY_KEY["FR"].eic
TABLES = ("entsoe_load", "entsoe_generation", "entsoe_day_ahead_prices")
ZONES = ("DE_LU", "FR", "GB")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def of(columns: Columns, **labels: object) -> Columns:
    """The rows with these labels."""
    chosen = np.logical_and.reduce([columns[n] == v for n, v in labels.items()])
    return {name: values[chosen] for name, values in columns.items()}


def told(platform: Platform, *window: object, every: bool = False) -> Columns:
    """The truth of three zones."""
    parts = [platform.rows(*window, every=every, scope=zone) for zone in ZONES]  # type: ignore[arg-type]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def same(one: Columns, other: Columns) -> bool:
    return list(one) == list(other) and all(
        np.array_equal(one[n], other[n], equal_nan=one[n].dtype.kind == "f") for n in one
    )


def query(kind: str, start: str, end: str, zone: str = DE_LU, **more: str) -> dict[str, str]:
    """The parameters of a query in the official spelling."""
    own = {
        "A65": {"processType": "A16", "outBiddingZone_Domain": zone},
        "A75": {"processType": "A16", "in_Domain": zone},
        "A44": {"in_Domain": zone, "out_Domain": zone},
    }[kind]
    return {"documentType": kind, **own, "periodStart": start, "periodEnd": end, **more}


def text_of(refusal: Query | Refusal | Answer) -> str:
    assert isinstance(refusal, Refusal), refusal
    body = refusal.body.decode()
    return body[body.index("<text>") + 6 : body.index("</text>")]


class MarketDays(unittest.TestCase):
    def test_clock_against_the_time_zone_database(self) -> None:
        for year in range(2015, 2030):
            for month in (3, 10):
                change = calendar.last_sunday(year, month)
                noon = datetime(change.year, change.month, change.day, 12, tzinfo=UTC)
                moments = [noon + timedelta(minutes=30 * n) for n in range(-72, 72)]
                instants = np.array([int(m.timestamp()) for m in moments])
                local = [m.astimezone(BERLIN) for m in moments]
                with self.subTest(change=change):
                    self.assertEqual(
                        calendar.market_offset(instants).tolist(),
                        [round((m.utcoffset() or timedelta()).total_seconds()) for m in local],
                    )
                    days = calendar.day_texts(calendar.market_day(instants))
                    self.assertEqual(days, [m.date().isoformat() for m in local])

    def test_days_around_every_change(self) -> None:
        for year in range(2015, 2030):
            for month, hours in ((3, 23), (10, 25)):
                change = calendar.last_sunday(year, month)
                for shift in (-1, 0, 1):
                    day = change + timedelta(days=shift)
                    midnight = datetime(day.year, day.month, day.day, tzinfo=BERLIN)
                    number = day_number(day)
                    start = calendar.start_of_market_day(number)
                    with self.subTest(day=day):
                        self.assertEqual(start, midnight.timestamp())
                        self.assertEqual(calendar.market_day_of(start), number)
                        self.assertEqual(calendar.market_day_of(start - 1), number - 1)
                        length = calendar.start_of_market_day(number + 1) - start
                        self.assertEqual(length, (hours if shift == 0 else 24) * 3_600)


class Purity(unittest.TestCase):
    def test_a_window_is_a_part_of_every_wider_window(self) -> None:
        first, last = at("2024-05-03T13:37:00"), at("2024-05-06T02:11:00")
        for table in TABLES:
            # Asked in other windows, in another order, of another platform.
            wide = told(Platform(11), table, first - 10**6, last + 10**6, NOW, every=True)
            platform = Platform(11)
            late = told(platform, table, last - 86_400, last, NOW, every=True)
            asked = told(platform, table, first, last, NOW, every=True)
            inside = (wide["time"] >= first) & (wide["time"] <= last)
            cut = {name: values[inside] for name, values in wide.items()}
            with self.subTest(table=table):
                self.assertGreater(len(asked["time"]), 0)
                self.assertTrue(same(asked, cut))
                inside = asked["time"] >= last - 86_400
                self.assertTrue(same(late, {n: v[inside] for n, v in asked.items()}))

    def test_seeds_differ(self) -> None:
        for table in TABLES:
            window = table, at("2024-06-01"), at("2024-06-02"), NOW
            one, other = (told(Platform(seed), *window) for seed in (1, 2))
            self.assertFalse(same(one, other))

    def test_another_process_another_zone_another_hash_seed(self) -> None:
        asked = query("A75", "202410262200", "202410272300")
        program = (
            "import hashlib; from sandbox.entsoe import Platform\n"
            f"body = Platform(7).plan({asked!r}, {NOW}).encode()\n"
            "print(hashlib.sha256(body).hexdigest())"
        )
        digests = set()
        for hash_seed, zone in (("1", "Asia/Tokyo"), ("2", "America/Lima")):
            environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": zone}
            answer = subprocess.run(
                [sys.executable, "-c", program],
                cwd=Path(__file__).parents[2],
                env=environment,
                capture_output=True,
                check=True,
            )
            digests.add(answer.stdout)
        self.assertEqual(len(digests), 1)

    def test_imports_nothing_of_the_project(self) -> None:
        allowed = sys.stdlib_module_names | {"numpy", "msgspec", "sandbox"}
        modules = list(Path(sandbox.__file__).parent.glob("entsoe/*.py"))
        self.assertGreater(len(modules), 5)
        for module in modules:
            for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
                names: list[str] = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    self.assertEqual(node.level, 0)
                    names = [node.module or ""]
                for name in names:
                    top = name.partition(".")[0]
                    self.assertIn(top, allowed, module.name)
                    self.assertNotEqual(top, "zoneinfo", module.name)


class Plausible(unittest.TestCase):
    year: dict[str, Columns]

    @classmethod
    def setUpClass(cls) -> None:
        platform = Platform(7)
        window = at("2023-12-31T23:00:00"), at("2024-12-31T23:00:00") - 1, NOW
        cls.year = {table: told(platform, table, *window) for table in TABLES}

    def test_load(self) -> None:
        for zone, least, mean, most in (
            ("DE_LU", 33_000, 57_000, 78_000),
            ("FR", 25_000, 52_000, 85_000),
        ):
            load = of(self.year["entsoe_load"], zone=zone)["load_mw"]
            self.assertTrue(least < load.min() and load.max() < most, zone)
            self.assertAlmostEqual(float(load.mean()), mean, delta=2_500)

    def test_generation_is_near_load_and_never_negative(self) -> None:
        generation = self.year["entsoe_generation"]
        for zone in ("DE_LU", "FR"):
            rows = of(generation, zone=zone)
            mine, own = rows["generation_mw"], rows["consumption_mw"]
            self.assertGreaterEqual(float(np.nanmin(mine)), 0.0)
            self.assertGreaterEqual(float(np.nanmin(own)), 0.0)
            slots = len(np.unique(rows["time"]))
            total = (np.nansum(mine) - np.nansum(own)) / slots
            load = of(self.year["entsoe_load"], zone=zone)["load_mw"].mean()
            self.assertTrue(0.8 < total / load < 1.25, (zone, total, load))
        types = {zone: set(of(generation, zone=zone)["psr_type"].tolist()) for zone in ZONES}
        self.assertEqual((len(types["DE_LU"]), len(types["FR"]), len(types["GB"])), (16, 10, 0))
        drawing = of(generation, zone="DE_LU")
        drawing = {n: v[~np.isnan(drawing["consumption_mw"])] for n, v in drawing.items()}
        self.assertEqual(set(drawing["psr_type"].tolist()), {"B10", "B16", "B19"})
        for psr in ("B16", "B19"):
            own = of(drawing, psr_type=psr)["consumption_mw"]
            self.assertTrue(0.0 < own.max() < 10.0)

    def test_solar_is_zero_at_night_and_peaks_at_noon(self) -> None:
        solar = of(self.year["entsoe_generation"], zone="DE_LU", psr_type="B16")
        hour = solar["time"] % 86_400 // 3_600
        power = solar["generation_mw"]
        self.assertEqual(float(np.nanmax(power[(hour >= 21) | (hour < 2)])), 0.0)
        means = [float(np.nanmean(power[hour == n])) for n in range(24)]
        self.assertIn(int(np.argmax(means)), (10, 11))
        self.assertTrue(30_000 < np.nanmax(power) < 62_000)

    def test_prices(self) -> None:
        prices = of(self.year["entsoe_day_ahead_prices"], zone="DE_LU")
        for sequence, minutes, slots in ((1, 60, 8_784), (2, 15, 35_136)):
            mine = of(prices, sequence=sequence)
            self.assertEqual(set(mine["resolution_minutes"].tolist()), {minutes})
            self.assertEqual(len(mine["time"]), slots)
            self.assertTrue(0.005 < (mine["price"] < 0).mean() < 0.08)
            self.assertTrue(60 < mine["price"].mean() < 95)
        french = of(self.year["entsoe_day_ahead_prices"], zone="FR")
        self.assertEqual(set(french["sequence"].tolist()), {1})
        self.assertLess(float(french["price"].min()), 0.0)
        self.assertEqual(len(french["time"]), 8_784 - 1, "one Point has no price")

    def test_load_has_gaps_but_few(self) -> None:
        for zone, slots in (("DE_LU", 35_136), ("FR", 8_784)):
            count = len(of(self.year["entsoe_load"], zone=zone)["time"])
            self.assertTrue(0.98 * slots < count < slots)


class Days(unittest.TestCase):
    def test_demo_days_and_their_neighbours_are_whole(self) -> None:
        for seed in range(40):
            quirks = Quirks(seed)
            for zone in ("DE_LU", "FR"):
                for item in ("load", "generation", "prices"):
                    for day in DEMO_DAYS:
                        for shift in (-1, 0, 1):
                            name = (zone, item, day_number(day) + shift)
                            self.assertEqual(quirks.gaps(name, 9, 96), [])
                            self.assertIsNone(quirks.nulls(name, 9))
                            self.assertEqual(quirks.twice(name, 9), ())
                            self.assertNotEqual(name, DIFFERING)
        platform = Platform(7)
        for day, hours in zip(DEMO_DAYS, (23, 25), strict=True):
            first = calendar.start_of_market_day(day_number(day) - 1)
            last = calendar.start_of_market_day(day_number(day) + 2) - 1
            slots = 4 * (48 + hours)
            load = platform.rows("entsoe_load", first, last, NOW, every=False)
            self.assertEqual(len(of(load, zone="DE_LU")["time"]), slots)
            self.assertEqual(len(of(load, zone="FR")["time"]), slots // 4)
            made = platform.rows("entsoe_generation", first, last, NOW, every=False)
            self.assertEqual(len(of(made, zone="DE_LU")["time"]), 16 * slots)
            self.assertEqual(len(of(made, zone="FR")["time"]), 10 * slots // 4)
            prices = platform.rows("entsoe_day_ahead_prices", first, last, NOW, every=False)
            self.assertEqual(len(of(prices, zone="DE_LU", sequence=1)["time"]), slots // 4)
            self.assertEqual(len(of(prices, zone="DE_LU", sequence=2)["time"]), slots)

    def test_slots_are_told_an_hour_after_their_end(self) -> None:
        platform = Platform(7)
        noon = at("2024-03-31T12:00:00")
        for later, newest in ((0, -3_600 - 900), (899, -3_600 - 900), (900, -3_600)):
            for table in ("entsoe_load", "entsoe_generation"):
                rows = platform.rows(table, noon - 9_000, noon, noon + later, every=False)
                self.assertEqual(int(of(rows, zone="DE_LU")["time"].max()), noon + newest)

    def test_prices_are_told_the_day_before(self) -> None:
        platform = Platform(7)
        for told, start in (
            ("2024-03-30T11:45:00", "2024-03-30T23:00:00"),
            ("2024-03-31T10:45:00", "2024-03-31T22:00:00"),
        ):
            window = "entsoe_day_ahead_prices", at(start), at(start) + 86_400 - 7_201
            for now, rows in ((at(told) - 1, 0), (at(told), 22 + 22 + 88)):
                found = [
                    platform.rows(*window, now, every=False, scope=zone) for zone in ("DE_LU", "FR")
                ]
                self.assertEqual(sum(len(each["time"]) for each in found), rows)
        midnight = calendar.start_of_market_day(LATE[2])
        late = "entsoe_day_ahead_prices", midnight, midnight + 86_399
        before = platform.rows(*late, at("2024-06-26T13:59:59"), every=False)
        after = platform.rows(*late, at("2024-06-26T14:00:00"), every=False)
        self.assertEqual(set(of(before, zone="DE_LU")["sequence"].tolist()), {2})
        self.assertEqual(set(of(after, zone="DE_LU")["sequence"].tolist()), {1, 2})

    def test_restated_days_change_twice(self) -> None:
        self.assertIn(("DE_LU", "load", day_number(date(2024, 6, 5))), RESTATED)
        platform = Platform(7)
        first, last = at("2024-06-04T22:00:00"), at("2024-06-05T22:00:00") - 1
        for table, column in (("entsoe_load", "load_mw"), ("entsoe_generation", "generation_mw")):
            values, published = [], []
            for now in ("2024-06-06T09:59:59", "2024-06-06T10:00:00", "2024-06-08T10:00:00"):
                rows = of(platform.rows(table, first, last, at(now), every=False), zone="DE_LU")
                values.append(rows[column])
                published.append(int(rows["publish_time"].max()))
            self.assertEqual(published[1:], [at("2024-06-06T10:00:00"), at("2024-06-08T10:00:00")])
            for one, other in itertools.pairwise(values):
                self.assertTrue(0.2 < (one != other).mean() < 0.5)
            history = of(platform.rows(table, first, last, NOW, every=True), zone="DE_LU")
            changes = sum(int((a != b).sum()) for a, b in itertools.pairwise(values))
            if column == "load_mw":
                self.assertEqual(len(history["time"]), len(values[0]) + changes)

    def test_a_share_of_all_days_is_restated_and_some_have_gaps(self) -> None:
        quirks = Quirks(7)
        days = range(day_number(date(2022, 1, 1)), day_number(date(2024, 1, 1)))
        restated = [quirks.restated(("FR", "load", day)) for day in days]
        self.assertTrue(0.1 < sum(map(bool, restated)) / len(restated) < 0.3)
        self.assertEqual({each[-1] for each in restated if each}, {1, 3})
        gaps = [quirks.gaps(("FR", "load", day), 1, 24) for day in days]
        self.assertTrue(0.05 < sum(map(bool, gaps)) / len(gaps) < 0.2)
        self.assertEqual({gap[3] for found in gaps for gap in found}, {False, True})

    def test_points_without_a_value_are_not_in_the_truth(self) -> None:
        self.assertIn(("DE_LU", "load", day_number(date(2024, 5, 15))), NULLS)
        window = at("2024-05-15T09:00:00"), at("2024-05-15T12:00:00") - 1
        rows = of(Platform(7).rows("entsoe_load", *window, NOW, every=False), zone="DE_LU")
        hours = (rows["time"] % 86_400 // 3_600).tolist()
        self.assertEqual(hours, [9] * 4 + [11] * 4)


class Queries(unittest.TestCase):
    def refused(self, params: dict[str, str], status: int = 400) -> str:
        found = Platform(7).plan(params, NOW)
        assert isinstance(found, Refusal), found
        self.assertEqual((found.status, found.content_type), (status, "text/xml"))
        return text_of(found)

    def test_one_calendar_month_on_the_stamps_of_utc(self) -> None:
        for start, end, allowed in (
            ("202405010000", "202406010000", True),
            ("202405010000", "202406010001", False),
            ("202404302200", "202405302200", True),
            ("202404302200", "202405312200", False),
            ("202401310000", "202402290000", True),
            ("202401310000", "202402290001", False),
            ("202402010000", "202403010000", True),
            ("202312312300", "202401312300", True),
            ("999911300000", "999912310000", False),
        ):
            for kind in ("A65", "A75"):
                with self.subTest(start=start, end=end, kind=kind):
                    found = read(query(kind, start, end), NOW)
                    self.assertEqual(isinstance(found, Query), allowed)
        self.assertEqual(
            text_of(read(query("A65", "202404302200", "202405312200"), NOW)),
            "Provided time interval (2024-04-30T22:00:00Z - 2024-05-31T22:00:00Z) is larger than "
            "maximum allowed period 'P1M' for 'ACTUAL_TOTAL_LOAD_R3:XML' export.",
        )

    def test_one_year_of_prices(self) -> None:
        self.assertIsInstance(read(query("A44", "202402290000", "202502280000"), NOW), Query)
        refusal = read(query("A44", "202402290000", "202502280001"), NOW)
        self.assertIn("'P1Y' for 'ENERGY_PRICES_R3:XML' export.", text_of(refusal))

    def test_wrong_queries(self) -> None:
        day = ("202406010000", "202406020000")
        load, prices = query("A65", *day), query("A44", *day)
        tables = "check you request against dependency tables"
        for params, words in (
            ({}, tables),
            ({"documentType": "A99"}, tables),
            ({**load, "processType": "A77"}, tables),
            ({n: v for n, v in load.items() if n != "processType"}, tables),
            ({n: v for n, v in load.items() if n != "outBiddingZone_Domain"}, tables),
            ({n: v for n, v in load.items() if n != "periodEnd"}, tables),
            ({**prices, "out_Domain": FR}, tables),
            ({**load, "page": "2"}, "Input parameter does not exist: page"),
            ({**load, "psrType": "B16"}, "Input parameter does not exist: psrType"),
            (query("A65", *day, zone="10YNOWHERE-----X"), "10YNOWHERE-----X is not valid"),
            (query("A75", *day, psrType="B77"), "is not valid"),
            ({**load, "periodStart": "2024-06-01"}, "2024-06-01 of parameter periodStart"),
            ({**load, "periodStart": "202413010000"}, "periodStart is not valid"),
            ({**load, "periodEnd": "202405010000"}, "periodEnd is not valid"),
            ({**prices, "offset": "4801"}, "offset is not valid"),
            ({**prices, "offset": "-1"}, "offset is not valid"),
            ({**prices, "curveType": "A01"}, "curveType parameter is not supported"),
        ):
            with self.subTest(words=words, params=params):
                self.assertIn(words, self.refused(params))

    def test_nothing_to_tell(self) -> None:
        for params in (
            query("A65", "203006010000", "203006020000"),
            query("A65", "201506010000", "201506020000"),
            query("A75", "201506010000", "201506020000", zone=FR),
            query("A44", "201501010000", "201506020000", zone=FR),
            query("A65", "202406010000", "202406010000"),
            query("A65", "202406010000", "202406020000", zone="10YCY-1001A0003J"),
        ):
            with self.subTest(params=params):
                self.assertTrue(self.refused(params, 200).startswith("No matching data found for"))
        intraday = {
            **query("A44", "202406010000", "202406020000"),
            "contract_MarketAgreement.type": "A07",
        }
        self.assertIn("ENERGY_PRICES", self.refused(intraday, 200))
        self.assertEqual(
            self.refused(query("A75", "203006010000", "203006020000"), 200),
            "No matching data found for Data item AGGREGATED_GENERATION_PER_TYPE_R3 "
            "[16.1.B&amp;C] (10Y1001A1001A82H) and interval "
            "2030-06-01T00:00:00Z/2030-06-02T00:00:00Z.",
        )

    def test_britain_is_silent_from_june_2021(self) -> None:
        platform, britain = Platform(7), BY_KEY["GB"].eic
        for kind in ("A65", "A75", "A44"):
            before = platform.plan(query(kind, "202106100000", "202106110000", britain), NOW)
            self.assertIsInstance(before, Answer)
            for year in (2021, 2024):
                window = f"{year}06150000", f"{year}06160000"
                after = platform.plan(query(kind, *window, britain), NOW)
                self.assertIn("No matching data", text_of(after))


class Gate(unittest.TestCase):
    def setUp(self) -> None:
        self.seconds = 0.0
        providers = Catalogue.load().providers
        limits = {"entsoe": Limit(requests_per_min=5, ban_s=600)}
        self.gates = Gates(providers, limits, clock=lambda: self.seconds)

    def ask(self, token: str | None = "synthetic-token-0000", provider: str = "entsoe") -> int:
        headers = {} if token is None else {"SECURITY_TOKEN": token}
        refusal = self.gates.refuse(provider, headers, {}, ENTSOE, NOW)
        return 200 if refusal is None else refusal.status

    def test_the_limit_and_the_ban(self) -> None:
        self.assertEqual([self.ask() for _ in range(6)], [200] * 5 + [429])
        # Asking during the ban does not make it longer.
        for self.seconds in (1.0, 60.0, 300.0, 599.9):
            self.assertEqual(self.ask(), 429)
        self.seconds = 600.1
        self.assertEqual([self.ask() for _ in range(6)], [200] * 5 + [429])

    def test_any_sixty_seconds(self) -> None:
        for self.seconds in np.arange(0.0, 300.0, 12.5).tolist():
            self.assertEqual(self.ask(), 200)
        self.assertEqual([self.ask() for _ in range(2)], [429, 429])

    def test_requests_without_the_token_are_not_counted(self) -> None:
        self.assertEqual([self.ask(token) for token in (None, "", "other") * 4], [401] * 12)
        self.assertEqual(self.ask(), 200)

    def test_others_have_neither_token_nor_limit(self) -> None:
        self.assertEqual({self.ask(None, "elexon") for _ in range(1_000)}, {200})

    def test_the_default_is_the_real_limit(self) -> None:
        box = Sandbox(now="2024-11-15T00:00:00Z")
        try:
            self.assertEqual(box.limits["entsoe"], Limit(requests_per_min=400, ban_s=600))
            box.limits = {"entsoe": None}
            self.assertIsNone(box.limits["entsoe"])
            with self.assertRaisesRegex(ValueError, "no provider 'nobody'"):
                box.limits = {"nobody": None}
        finally:
            box.close()


if __name__ == "__main__":
    unittest.main()
