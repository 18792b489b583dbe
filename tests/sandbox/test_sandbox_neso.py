"""The sandbox's NESO: files against the time zone database, the truth, the little SQL, the limits."""

import csv
import io
import unittest
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np

from sandbox import Limit
from sandbox.calendar import day_number, to_instant
from sandbox.endpoints import Catalogue
from sandbox.frequency import FrequencySeries
from sandbox.gates import Gates
from sandbox.grid import Columns
from sandbox.manners import NESO
from sandbox.neso import Portal, seconds, sql
from sandbox.neso.tables import Table

LONDON = ZoneInfo("Europe/London")
NOW = to_instant("2024-11-15T10:40:00Z")
PORTAL = Portal(7)
SHELVES = PORTAL.shelves
HALF = timedelta(minutes=30)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def read(table: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.csv.decode())))


def truth(table: str, start: str, end: str, now: int = NOW, *, every: bool = False) -> Columns:
    return PORTAL.rows(table, at(start), at(end) - 1, now, every=every)


@cache
def year_2024() -> list[dict[str, str]]:
    return read(SHELVES.demand.table(2024, NOW))


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=LONDON).astimezone(UTC)


def spelled(day: date) -> str:
    return day.strftime("%d-%b-%Y").upper()


def named(text: str) -> date:
    return datetime.strptime(text, "%d-%b-%Y" if text[2] == "-" else "%Y-%m-%d").date()


class Demand(unittest.TestCase):
    def test_days_have_46_48_or_50_periods(self) -> None:
        rows = year_2024()
        for day, count in (
            (date(2024, 3, 31), 46),
            (date(2024, 10, 27), 50),
            (date(2024, 6, 1), 48),
        ):
            mine = [row for row in rows if row["SETTLEMENT_DATE"] == spelled(day)]
            periods = [int(row["SETTLEMENT_PERIOD"]) for row in mine]
            self.assertEqual(periods, list(range(1, count + 1)), day)

    def test_the_file_says_what_the_truth_says(self) -> None:
        rows = year_2024()
        known = truth("historic_demand", "2024-10-26T23:00", "2024-10-28T00:00")
        mine = [row for row in rows if row["SETTLEMENT_DATE"] == "27-OCT-2024"]
        starts = [
            midnight(date(2024, 10, 27)) + HALF * (int(row["SETTLEMENT_PERIOD"]) - 1)
            for row in mine
        ]
        self.assertEqual(known["start_time"].tolist(), [int(s.timestamp()) for s in starts])
        for name in ("ND", "TSD", "NSL_FLOW", "EMBEDDED_SOLAR_GENERATION"):
            wanted = [float(row[name]) for row in mine]
            self.assertEqual(known[f"{name.lower()}_mw"].tolist(), wanted)

    def test_columns_grow_and_dates_change_their_text(self) -> None:
        former = set(SHELVES.demand.table(2016, NOW).columns)
        for year in range(2017, 2025):
            names = set(SHELVES.demand.table(year, at(f"{year}-01-03")).columns)
            self.assertLessEqual(former, names)
            self.assertEqual("NEMO_FLOW" in names, year >= 2019)
            self.assertEqual("VIKING_FLOW" in names, year >= 2023)
            former = names
        texts = {
            year: read(SHELVES.demand.table(year, at(f"{year}-01-03")))[0]["SETTLEMENT_DATE"]
            for year in (2021, 2022, 2023, 2024)
        }
        self.assertEqual(texts[2022], "01-JAN-2022")
        self.assertEqual(texts[2023], "2023-01-01")
        nothing = truth("historic_demand", "2018-05-01", "2018-05-02")["nemo_flow_mw"]
        self.assertTrue(np.isnan(nothing).all())

    def test_it_reaches_to_the_end_of_the_day_before(self) -> None:
        for clock, last in (("08:14", "2024-01-13"), ("08:16", "2024-01-14")):
            rows = read(SHELVES.demand.table(2024, at(f"2024-01-15T{clock}")))
            self.assertEqual(named(rows[-1]["SETTLEMENT_DATE"]).isoformat(), last)


class Embedded(unittest.TestCase):
    def test_the_stamp_is_the_end_of_the_period(self) -> None:
        for now in ("2024-03-25T10:40", "2024-10-20T10:40", "2024-08-16T18:26"):
            rows = read(SHELVES.embedded.current(at(now)))
            self.assertEqual(len(rows), 14 * 48)
            for row in rows:
                day = date.fromisoformat(row["SETTLEMENT_DATE"][:10])
                end = midnight(day) + HALF * int(row["SETTLEMENT_PERIOD"])
                stamp = row["DATE_GMT"][:10] + "T" + row["TIME_GMT"]
                self.assertEqual(stamp, end.strftime("%Y-%m-%dT%H:%M"))
        self.assertEqual((rows[0]["TIME_GMT"], rows[0]["SETTLEMENT_PERIOD"]), ("18:30", "39"))

    def test_archive_and_current_file_join(self) -> None:
        first, end = day_number(date(2024, 1, 1)), day_number(date(2025, 1, 1))
        archive = read(SHELVES.embedded.archive(first, end, NOW))
        current = read(SHELVES.embedded.current(NOW))
        stamps = [row["DATE_GMT"][:10] + row["TIME_GMT"] for row in archive + current]
        moments = [datetime.strptime(text, "%Y-%m-%d%H:%M") for text in stamps]
        self.assertEqual(set(np.diff(np.array(moments))), {HALF})
        self.assertEqual(current[0]["TIME_GMT"], "10:30")
        known = truth("embedded_forecasts", "2024-11-14", "2024-11-16")
        told = [int(row["EMBEDDED_SOLAR_FORECAST"]) for row in archive + current]
        place = stamps.index("2024-11-1400:30")
        self.assertEqual(
            known["embedded_solar_forecast_mw"].tolist(),
            [float(v) for v in told[place : place + 96]],
        )

    def test_every_hour_is_told(self) -> None:
        window = "embedded_forecasts", "2024-11-10T12:00", "2024-11-10T12:30"
        every = truth(*window, every=True)
        hours = (every["publish_time"] // 3_600).tolist()
        noon = at("2024-11-10T12:00") // 3_600
        self.assertEqual(hours, list(range(noon - 14 * 24 + 1, noon + 1)))
        self.assertGreater(len(set(every["embedded_wind_forecast_mw"].tolist())), 50)
        newest = truth(*window, now=at("2024-11-08T06:30"))
        self.assertEqual(newest["publish_time"].tolist(), [at("2024-11-08T06:25:03")])
        self.assertIn(
            newest["embedded_wind_forecast_mw"][0], every["embedded_wind_forecast_mw"].tolist()
        )


class Wind(unittest.TestCase):
    def test_clock_changes(self) -> None:
        for now, count in (("2024-03-30T09:00", 46), ("2024-10-26T09:00", 50)):
            rows = read(SHELVES.wind.current(at(now)))
            self.assertEqual(len(rows), count)
            for row in rows:
                start = midnight(date.fromisoformat(row["Date"]))
                start += HALF * (int(row["Settlement_period"]) - 1)
                self.assertEqual(row["Datetime_GMT"], start.strftime("%Y-%m-%dT%H:%M:%SZ"))

    def test_history_ends_where_the_current_file_begins(self) -> None:
        now = at("2018-04-20T09:00")
        history, current = read(SHELVES.wind.history(now)), read(SHELVES.wind.current(now))
        self.assertEqual((history[-1]["Date"], current[0]["Date"]), ("2018-04-20", "2018-04-21"))
        self.assertEqual(history[0]["Forecast_Timestamp"], "2018-03-31T08:30:00")


class Auctions(unittest.TestCase):
    def test_old_times_are_local(self) -> None:
        rows = read(SHELVES.auctions.old(NOW))
        for row in rows[::97]:
            start = datetime.fromisoformat(row["Delivery Start"])
            self.assertEqual(start.hour, (23, 3, 7, 11, 15, 19)[int(row["EFA"]) - 1])
            self.assertEqual((start + timedelta(hours=1)).date().isoformat(), row["EFA Date"])
        self.assertEqual((rows[0]["EFA Date"], rows[-1]["EFA Date"]), ("2021-09-16", "2023-11-02"))

    def test_blocks_of_three_and_five_hours(self) -> None:
        for day, hours in (
            ("2022-03-27", 3),
            ("2022-10-30", 5),
            ("2024-03-31", 3),
            ("2024-10-27", 5),
        ):
            noon = datetime.fromisoformat(day).date()
            start = datetime(noon.year, noon.month, noon.day, 23, tzinfo=LONDON) - timedelta(days=1)
            low = start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")
            known = truth("response_auctions", low, f"{day}T22:00")
            first = known["efa_block"] == 1
            self.assertEqual(set(known["start_time"][first].tolist()), {int(start.timestamp())})
            length = (known["end_time"] - known["start_time"])[first]
            self.assertEqual(set(length.tolist()), {hours * 3_600}, day)
            self.assertEqual({str(d) for d in known["efa_date"]}, {day})
            self.assertEqual(set(known["efa_block"].tolist()), set(range(1, 7)))

    def test_new_times_are_utc_with_reserve_among_them(self) -> None:
        day = day_number(date(2024, 12, 31))
        rows = read(SHELVES.auctions.new(day, day, at("2025-01-15")))
        response = [row for row in rows if row["serviceType"] == "Response"]
        self.assertEqual((len(response), len(rows) - len(response)), (36, 96))
        self.assertEqual(response[0]["deliveryStart"], "2024-12-30T23:00:00")
        summer = day_number(date(2024, 7, 1))
        rows = read(SHELVES.auctions.new(summer, summer, NOW))
        self.assertEqual(rows[0]["deliveryStart"], "2024-06-30T22:00:00")
        self.assertEqual(len(rows), 36)
        year = SHELVES.auctions.new(day_number(date(2024, 4, 1)), day, NOW)
        self.assertTrue(any(text.startswith("-") for text in year.columns["clearingPrice"]))


class Seconds(unittest.TestCase):
    def test_agrees_with_the_coarse_series(self) -> None:
        fine = truth("historic_frequency", "2024-08-09", "2024-08-12")
        coarse = FrequencySeries(7).rows("time", at("2024-08-09"), at("2024-08-12") - 1, NOW)
        of_time = dict(zip(fine["time"].tolist(), fine["frequency_hz"].tolist(), strict=True))
        both = [
            (of_time[t], f)
            for t, f in zip(coarse["time"].tolist(), coarse["frequency_hz"].tolist(), strict=True)
            if t in of_time
        ]
        self.assertGreater(len(both), 15_000)
        self.assertTrue(all(one == other for one, other in both))

    def test_holes_are_what_is_missing(self) -> None:
        day = next(
            d for d in range(day_number(date(2024, 5, 1)), 20_000) if SHELVES.seconds.gaps(d)
        )
        first, end = day * 86_400, (day + 1) * 86_400
        known = PORTAL.rows("historic_frequency", first, end - 1, NOW, every=False)["time"]
        holes = PORTAL.holes("historic_frequency", first, end - 1)
        assert holes is not None
        self.assertEqual(
            sorted([*known.tolist(), *holes["time"].tolist()]), list(range(first, end))
        )

    def test_a_month_comes_on_the_fifth_of_the_next(self) -> None:
        for text, newest in (("2024-11-05T09:59", 9), ("2024-11-05T10:00", 10)):
            self.assertEqual(seconds.months(at(text))[-1] % 12 + 1, newest)

    def test_the_text_of_a_day(self) -> None:
        day = day_number(date(2019, 12, 31))
        for number, form in ((day, "%Y-%m-%d %H:%M:%S"), (day + 1, "%Y-%m-%dT%H:%M:%SZ")):
            lines = SHELVES.seconds._encode(number).decode().splitlines()
            known = PORTAL.rows(
                "historic_frequency", number * 86_400, number * 86_400 + 86_399, NOW, every=False
            )
            self.assertEqual(len(lines), len(known["time"]))
            for at_row in (0, 12_345, -1):
                stamp, value = lines[at_row].split(",")
                moment = datetime.strptime(stamp, form).replace(tzinfo=UTC)
                self.assertEqual(int(moment.timestamp()), known["time"][at_row])
                self.assertEqual(float(value), known["frequency_hz"][at_row])


class Purity(unittest.TestCase):
    def test_a_window_is_a_part_of_every_wider_window(self) -> None:
        for table in Portal.tables:
            wide = Portal(11).rows(table, at("2024-09-01"), at("2024-09-04"), NOW, every=False)
            low, high = at("2024-09-02T05:17"), at("2024-09-03T01:00")
            asked = Portal(11).rows(table, low, high, NOW, every=False)
            axis = next(iter(wide))
            inside = (wide[axis] >= low) & (wide[axis] <= high)
            self.assertGreater(inside.sum(), 20)
            for name, values in wide.items():
                np.testing.assert_array_equal(values[inside], asked[name], f"{table} {name}")

    def test_seeds_differ_also_in_their_ids(self) -> None:
        one, other = (Portal(seed).shelves.packages(NOW) for seed in (1, 2))
        for mine, theirs in zip(one, other, strict=True):
            self.assertEqual([r.name for r in mine.resources], [r.name for r in theirs.resources])
            self.assertNotEqual([r.id for r in mine.resources], [r.id for r in theirs.resources])

    def test_a_young_portal_lists_little(self) -> None:
        listed = {p.name: p.resources for p in Portal(7).shelves.packages(at("2016-03-01"))}
        self.assertEqual(len(listed["historic-demand-data"]), 1)
        self.assertEqual(listed["eac-auction-results"], [])


class Sql(unittest.TestCase):
    def test_reads_what_the_portal_shows_in_its_examples(self) -> None:
        text = (
            'SELECT "A b", "c" FROM "id" WHERE "A b" >= \'2024-01-01\' AND "c" < 5 '
            'ORDER BY "_id" DESC, "c" LIMIT 7 OFFSET 2'
        )
        select = sql.read(text)
        self.assertEqual((select.resource, select.columns), ("id", ["A b", "c"]))
        self.assertEqual(select.where, [("A b", ">=", "2024-01-01"), ("c", "<", "5")])
        self.assertEqual((select.order, select.limit), ([("_id", True), ("c", False)], 7))

    def test_refuses_the_rest(self) -> None:
        for text in (
            "",
            'DELETE FROM "id"',
            'SELECT ND FROM "id"',
            'SELECT * FROM "id" WHERE "ND" = PRICE',
            'SELECT * FROM "id" LIMIT x',
            'SELECT * FROM "id" GROUP BY "ND"',
            'SELECT * FROM "id" WHERE "a" LIKE \'x\'',
        ):
            with self.subTest(text=text), self.assertRaises(sql.SqlError):
                sql.read(text)


class Limits(unittest.TestCase):
    def setUp(self) -> None:
        self.seconds = 0.0
        self.gates = self.made()

    def made(self, **limits: Limit | None) -> Gates:
        return Gates(Catalogue.load().providers, limits, clock=lambda: self.seconds)

    def refused(self, path: str) -> bool:
        refusal = self.gates.refuse("neso", {}, {}, NESO, 0, path)
        self.assertIn(refusal and refusal.status, (None, 403))
        return refusal is not None

    def test_searches_of_the_datastore_block_the_address(self) -> None:
        search = "/neso/api/3/action/datastore_search_sql"
        self.assertEqual([self.refused(search) for _ in range(5)], [False] * 4 + [True])
        for path in ("/neso/api/3/action/package_list", "/neso/bucket/resources/a/b"):
            self.assertTrue(self.refused(path))
        self.seconds = 601.0
        self.assertFalse(self.refused(search))

    def test_files_are_not_counted(self) -> None:
        self.assertFalse(any(self.refused("/neso/dataset/a/resource/b") for _ in range(500)))
        asked = [self.refused("/neso/api/3/action/package_list") for _ in range(121)]
        self.assertEqual(asked.count(True), 1)

    def test_can_be_switched_off(self) -> None:
        self.gates = self.made(neso=None)
        self.assertFalse(
            any(self.refused("/neso/api/3/action/datastore_search") for _ in range(200))
        )


if __name__ == "__main__":
    unittest.main()
