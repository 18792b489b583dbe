"""NESO's files: which of a package hold a window, every spelling of time, both clock changes."""

from __future__ import annotations

import io
import json
import unittest
import zipfile
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from domain.errors import BrokenAnswer, SchemaError
from domain.ledger import Tally
from domain.settlement import day_window, parse_range
from domain.tables import Conformed, Table
from domain.windows import Window
from sources import neso, neso_auctions, neso_files, neso_forecasts
from sources.neso_files import CsvFile
from sources.neso_packages import Package, Resource, read_listing
from sources.neso_rows import CsvFiles, Form

WHERE = "a window"
MODIFIED = datetime(2024, 10, 27, 9, 25, 3, tzinfo=UTC)


def resource(name: str, modified: datetime | None = MODIFIED) -> Resource:
    return Resource(name, name, f"https://example.org/{name}", modified)


def package(name: str, *files: str | Resource) -> Package:
    listed = [each if isinstance(each, Resource) else resource(each) for each in files]
    return Package(name, tuple(listed), synthetic=False)


def reader(key: str) -> tuple[Table, CsvFiles]:
    every = (*neso.DATASETS, *neso_forecasts.DATASETS, *neso_auctions.DATASETS)
    dataset = next(dataset for dataset in every if dataset.key == key)
    assert isinstance(dataset.read, CsvFiles)
    return dataset.table, dataset.read


def chosen(key: str, window: Window, *packages: Package) -> list[tuple[str, Form]]:
    """Names of the files that hold a window, with the way each is read."""
    named = {each.name: each for each in packages}
    return [(file.name, form) for file, form in reader(key)[1].choose(named.__getitem__, window)]


def rows(key: str, window: Window, *packages: Package, **bodies: str) -> Conformed:
    """Rows of a window from bodies by the name of their file, with _ for spaces."""
    table, read = reader(key)
    named = {each.name: each for each in packages}

    def files() -> Iterable[tuple[CsvFile, Resource, Form]]:
        for file, form in read.choose(named.__getitem__, window):
            body = bodies[file.name.replace(" ", "_")]
            yield CsvFile(io.BytesIO(body.encode()), file.name), file, form

    return read.rows(table, files(), window, WHERE)


def csv(header: str, *lines: Iterable[Any], end: str = "\n") -> str:
    return end.join([header, *(",".join(map(str, line)) for line in lines), ""])


# --- demand ---------------------------------------------------------------------------------------

DEMAND = (
    "SETTLEMENT_DATE,SETTLEMENT_PERIOD,ND,TSD,ENGLAND_WALES_DEMAND,EMBEDDED_WIND_GENERATION,"
    "EMBEDDED_WIND_CAPACITY,EMBEDDED_SOLAR_GENERATION,EMBEDDED_SOLAR_CAPACITY,IFA_FLOW"
)
DEMAND_PACKAGE = package(
    "historic-demand-data", *(f"Historic Demand Data {y}" for y in (2022, 2023))
)


def demand_day(day: str, periods: int, first: int = 20_000) -> list[tuple[Any, ...]]:
    return [
        (day, n, first + n, first + n + 600, 18_000, 900, 6_500, 0, 14_000, -n)
        for n in range(1, periods + 1)
    ]


def demand(day: str, *lines: tuple[Any, ...], header: str = DEMAND) -> Conformed:
    body = csv(header, *lines)
    year = f"Historic_Demand_Data_{day[:4]}"
    return rows("historic_demand", parse_range(day), DEMAND_PACKAGE, **{year: body})


class Demand(unittest.TestCase):
    def test_clock_change_days_have_46_and_50_half_hours_in_either_spelling_of_days(self) -> None:
        for day, spelled, periods in (
            ("2022-03-27", "27-MAR-2022", 46),
            ("2022-10-30", "30-Oct-2022", 50),
            ("2023-03-26", "2023-03-26", 46),
            ("2023-10-29", "2023-10-29T00:00:00", 50),
        ):
            with self.subTest(spelled):
                found = demand(day, *demand_day(spelled, periods))
                frame, window = found.frame, parse_range(day)
                starts = [window.start + timedelta(minutes=30 * n) for n in range(periods)]
                self.assertEqual(list(frame["period_start"]), starts)
                self.assertEqual(list(frame["settlement_period"]), list(range(1, periods + 1)))
                self.assertEqual(
                    list(frame["national_demand_mw"]), [20_001.0 + n for n in range(periods)]
                )
                self.assertEqual((found.unknown, found.strange), ((), ()))

    def test_only_the_window_and_a_new_interconnector_is_told(self) -> None:
        lines = [
            (*line, 77)
            for day in ("2023-06-01", "2023-06-02", "2023-06-03")
            for line in demand_day(day, 48)
        ]
        found = demand("2023-06-02", *lines, header=f"{DEMAND},NEWLINK_FLOW")
        self.assertEqual(len(found.frame), 48)
        self.assertEqual(found.unknown, ("NEWLINK_FLOW",))
        self.assertEqual(list(found.frame["ifa_flow_mw"].head(2)), [-1.0, -2.0])
        self.assertTrue(found.frame["nsl_flow_mw"].isna().all())

    def test_what_does_not_fit_is_an_error_with_a_sample(self) -> None:
        line = demand_day("2023-06-02", 1)[0]
        for wrong, said in (
            (("n/a", *line[1:]), "'n/a'"),
            ((line[0], "x", *line[2:]), "'x'"),
            ((*line[:2], "n/a", *line[3:]), "'n/a'"),
            ((*line[:2], "", *line[3:]), "empty in 1"),
            (line[:-1], "do not fit its header"),
        ):
            with self.subTest(said), self.assertRaisesRegex(SchemaError, said):
                demand("2023-06-02", line, wrong)

    def test_a_column_that_is_gone_is_an_error_also_where_the_window_has_no_lines(self) -> None:
        for lines in (demand_day("2023-06-02", 48), []):
            with self.assertRaisesRegex(SchemaError, "lacks the column 'TSD'.*TotalDemand"):
                demand("2023-06-02", *lines, header=DEMAND.replace("TSD", "TotalDemand"))

    def test_a_window_over_new_year_takes_two_files_and_what_is_not_there_yet_none(self) -> None:
        both = chosen("historic_demand", parse_range("2022-12-31", "2023-01-01"), DEMAND_PACKAGE)
        self.assertEqual([name[-4:] for name, _ in both], ["2022", "2023"])
        for year in ("2021", "2024"):
            window = parse_range(f"{year}-05-01")
            self.assertEqual(len(rows("historic_demand", window, DEMAND_PACKAGE).frame), 0)

    def test_renamed_files_are_an_error_that_names_what_there_is(self) -> None:
        gap = package(
            "historic-demand-data", "Historic Demand Data 2021", "Historic Demand Data 2023"
        )
        other = package("historic-demand-data", "Demand 2022")
        for listed, said in ((gap, "2021'.*2023'"), (other, "'Demand 2022'")):
            with self.subTest(said), self.assertRaisesRegex(SchemaError, said):
                chosen("historic_demand", parse_range("2022-05-01"), listed)


# --- forecasts ------------------------------------------------------------------------------------

EMBEDDED = (
    "DATE_GMT,TIME_GMT,SETTLEMENT_DATE,SETTLEMENT_PERIOD,EMBEDDED_WIND_FORECAST,"
    "EMBEDDED_WIND_CAPACITY,EMBEDDED_SOLAR_FORECAST,EMBEDDED_SOLAR_CAPACITY"
)
EMBEDDED_PACKAGE = package(
    "embedded-wind-and-solar-forecasts",
    "Embedded Solar and Wind Forecast",
    "Embedded Solar and Wind Forecast Archive 2023",
    "Embedded Solar and Wind Forecast Archive 2024 (Jan- Jun)",
    "Embedded Solar and Wind Forecast Archive 2024 (Jun - Dec)",
)
CURRENT = "Embedded_Solar_and_Wind_Forecast"
NO_LINES = {
    f"{CURRENT}_Archive_{year}": csv(EMBEDDED)
    for year in ("2023", "2024_(Jan-_Jun)", "2024_(Jun_-_Dec)")
}


def embedded_day(day: date) -> list[tuple[Any, ...]]:
    window = day_window(day)
    found = []
    for n in range(int(window.hours * 2)):
        end = window.start + timedelta(minutes=30 * (n + 1))
        found.append(
            (f"{end:%Y-%m-%dT00:00:00}", f"{end:%H:%M}", f"{day}T00:00:00", n + 1, n, 6_400, 0, 9)
        )
    return found


class Embedded(unittest.TestCase):
    def test_stamps_are_ends_and_the_issue_is_the_files_modification(self) -> None:
        for day, periods in ((date(2024, 10, 27), 50), (date(2024, 3, 31), 46)):
            with self.subTest(day):
                body = csv(EMBEDDED, *embedded_day(day))
                found = rows(
                    "embedded_forecasts", parse_range("2024-10-27"), EMBEDDED_PACKAGE,
                    **{CURRENT: body, **NO_LINES},
                )  # fmt: skip
                frame = found.frame
                self.assertEqual(len(frame), periods)
                self.assertEqual(set(frame["published_at"]), {MODIFIED})
                self.assertEqual(frame["period_start"].min(), day_window(day).start)
                self.assertTrue(
                    (frame["period_end"] - frame["period_start"] == timedelta(minutes=30)).all()
                )
                self.assertEqual(list(frame["embedded_wind_forecast_mw"]), list(range(periods)))
                self.assertTrue(frame["issue_known"].all())
                self.assertEqual((found.unknown, found.strange), ((), ()))

    def test_the_present_file_belongs_to_the_day_of_its_issue_alone(self) -> None:
        def names(day: str) -> list[str]:
            return [
                name for name, _ in chosen("embedded_forecasts", parse_range(day), EMBEDDED_PACKAGE)
            ]

        self.assertIn("Embedded Solar and Wind Forecast", names("2024-10-27"))
        self.assertNotIn("Embedded Solar and Wind Forecast", names("2024-10-26"))
        self.assertEqual(names("2024-10-28"), [])
        self.assertEqual([name[-4:] for name in names("2023-05-01")], ["2023"])
        self.assertEqual(len(names("2023-12-31")), 3)  # its issues reach into January

    def test_an_archive_without_issues_knows_the_last_one_by_the_end_of_the_period(self) -> None:
        bodies = {
            **NO_LINES,
            f"{CURRENT}_Archive_2023": csv(EMBEDDED, *embedded_day(date(2023, 7, 1)), end="\r\n"),
        }
        window = day_window(date(2023, 7, 1))
        frame = rows("embedded_forecasts", window, EMBEDDED_PACKAGE, **bodies).frame
        self.assertEqual(len(frame), 47)  # the last one ends with the day, and belongs to the next
        self.assertTrue((frame["published_at"] == frame["period_end"]).all())
        self.assertFalse(frame["issue_known"].any())

    def test_an_archive_with_issues_gives_those_of_the_window(self) -> None:
        lines = [
            (*line, f"2023-07-01 {hour:02}:25:03")
            for hour in (3, 23)
            for line in embedded_day(date(2023, 7, 2))
        ]
        body = csv(f"{EMBEDDED},Forecast_Datetime", *lines)
        bodies = {**NO_LINES, f"{CURRENT}_Archive_2023": body}
        found = rows("embedded_forecasts", day_window(date(2023, 7, 1)), EMBEDDED_PACKAGE, **bodies)
        self.assertEqual(
            set(found.frame["published_at"]), {datetime(2023, 7, 1, 3, 25, 3, tzinfo=UTC)}
        )
        self.assertEqual((len(found.frame), found.unknown), (48, ()))
        self.assertTrue(found.frame["issue_known"].all())

    def test_a_present_file_that_was_renamed_or_has_no_time_is_an_error(self) -> None:
        timeless = package(
            EMBEDDED_PACKAGE.name, resource("Embedded Solar and Wind Forecast", None)
        )
        renamed = package(EMBEDDED_PACKAGE.name, "Embedded Forecast")
        for listed, said in ((renamed, "it has 'Embedded Forecast'"), (timeless, "last modified")):
            with self.subTest(said), self.assertRaisesRegex(SchemaError, said):
                chosen("embedded_forecasts", parse_range("2024-10-27"), listed)


class Wind(unittest.TestCase):
    def test_the_present_file_carries_on_where_the_history_ends(self) -> None:
        listed = package(
            "day-ahead-wind-forecast",
            "Day Ahead Wind Forecast",
            "Historic Day Ahead Wind Forecasts",
        )
        header = "Datetime_GMT,Date,Settlement_period,Capacity,Incentive_forecast"
        history = csv(
            f"{header},Forecast_Timestamp",
            ("2024-10-26T23:30:00", "2024-10-27", 2, 20_000, 9_000, "2024-10-26T08:40:07"),
        )
        current = csv(header, ("2024-10-28T00:00:00", "2024-10-28", 1, 20_000, 9_100))
        found = rows(
            "day_ahead_wind_forecast", parse_range("2024-10-27", "2024-10-28"), listed,
            Day_Ahead_Wind_Forecast=current, Historic_Day_Ahead_Wind_Forecasts=history,
        ).frame  # fmt: skip
        self.assertEqual(list(found["wind_forecast_mw"]), [9_000.0, 9_100.0])
        self.assertEqual(
            list(found["published_at"]), [datetime(2024, 10, 26, 8, 40, 7, tzinfo=UTC), MODIFIED]
        )


# --- frequency ------------------------------------------------------------------------------------


class Frequency(unittest.TestCase):
    def seconds(self, spelled: str) -> Conformed:
        start = datetime(2024, 3, 31, tzinfo=UTC)
        lines = [
            ((start + timedelta(seconds=n)).strftime(spelled), f"{50 + n / 1e5:.5f}")
            for n in range(-5, 23 * 3600 + 5)
        ]
        return rows(
            "historic_frequency", parse_range("2024-03-31"),
            package("system-frequency-data", "March 2024 - Historic Frequency Data"),
            **{"March_2024_-_Historic_Frequency_Data": csv("dtm,f", *lines)},
        )  # fmt: skip

    def test_every_spelling_of_time_over_several_blocks(self) -> None:
        before, neso_files.BLOCK_BYTES = neso_files.BLOCK_BYTES, 2**18
        self.addCleanup(setattr, neso_files, "BLOCK_BYTES", before)
        for spelled in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M:%S"):
            with self.subTest(spelled):
                frame = self.seconds(spelled).frame
                self.assertEqual(len(frame), 23 * 3600)
                self.assertEqual(frame["frequency_hz"].iloc[7_201], 50.07201)
                self.assertEqual(
                    frame["measurement_time"].iloc[0], datetime(2024, 3, 31, tzinfo=UTC)
                )

    def test_months_are_found_in_names_either_way_round(self) -> None:
        listed = package(
            "system-frequency-data",
            "Historic Frequency Data Jan22",
            "Feb 2022 - System Frequency",
            "Notes",
        )
        window = Window(datetime(2022, 1, 31, 12, tzinfo=UTC), datetime(2022, 2, 1, 12, tzinfo=UTC))
        self.assertEqual(len(chosen("historic_frequency", window, listed)), 2)
        self.assertEqual(chosen("historic_frequency", parse_range("2022-03-15"), listed), [])

    def test_blocks_that_do_not_hold_the_window_are_read_once(self) -> None:
        lines = csv("t", *([f"2024-01-01T00:{n:02}:00Z"] for n in range(60)))
        before, neso_files.BLOCK_BYTES = neso_files.BLOCK_BYTES, 256
        self.addCleanup(setattr, neso_files, "BLOCK_BYTES", before)
        file = CsvFile(io.BytesIO(lines.encode()), "minutes")
        window = Window(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 0, 2, tzinfo=UTC))
        read: list[int] = []

        def moments(block: Any) -> Any:
            import pyarrow as pa

            read.append(len(block))
            return block.column("t").combine_chunks().cast(pa.timestamp("us", "UTC"))

        for again in (False, True):
            held = sum(len(part) for part, _ in file.rows(moments, window))
            self.assertEqual(held, 2)
            self.assertEqual(sum(read), 60 if not again else 60 + read[0])

    def test_an_archive_with_one_csv_is_unpacked(self) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("f-2014-1.csv", "dtm,f\n2014-01-01 00:00:00,50.01\n")
        file = CsvFile(neso_files.unpacked(packed, "x"), "x")
        self.assertEqual((file.columns, file.size), (["dtm", "f"], 32))
        for content in (b"PK\x03\x04garbage", b"PK"):
            with self.assertRaisesRegex(SchemaError, "cannot be unpacked"):
                neso_files.unpacked(io.BytesIO(content), "x")


class Whole(unittest.TestCase):
    def test_what_is_no_csv_is_asked_for_again(self) -> None:
        for body, said in (
            (b"", "empty"),
            (b" <html>", "not a CSV"),
            (b'{"success": false}', "not a CSV"),
            (b"a,b\n1,\xb2\n", "garbled"),
        ):
            with self.subTest(body), self.assertRaisesRegex(BrokenAnswer, said):
                neso_files.WholeCsv()(io.BytesIO(body))
        for body in (b"a,b\n1,2\n", b"a,b\r\n", b"PK\x03\x04"):
            neso_files.WholeCsv()(io.BytesIO(body))

    def test_an_end_within_a_line_is_believed_the_second_time(self) -> None:
        whole = neso_files.WholeCsv()
        for body in (b"a,b\n1,2", b"a,b\n1,2\n2,3"):
            with self.assertRaisesRegex(BrokenAnswer, "ends within a line"):
                whole(io.BytesIO(body))
        whole(io.BytesIO(b"a,b\n1,2\n2,3"))


# --- auctions -------------------------------------------------------------------------------------

OLD = "DC, DR & DM Results Summary Master Data 2021-2023"
OLD_HEADER = "Service,EFA Date,Delivery Start,Delivery End,EFA,Cleared Volume,Clearing Price"
NEW = "NESO Response-Reserve Results Summary"
NEW_HEADER = (
    "auctionID,auctionProduct,serviceType,deliveryStart,deliveryEnd,clearedVolume,clearingPrice,"
    "linkedServiceWindowID"
)
AUCTIONS = (
    package("dynamic-containment-data", OLD, "Dynamic Containment Masterdata"),
    package("eac-auction-results", NEW, f"{NEW} FY2023 (Archive)", f"{NEW} FY2024 (Archive)"),
)


def old_day(day: str, eve: str, hours: Iterable[str]) -> list[tuple[Any, ...]]:
    """The six blocks of an EFA day as the old file writes them, in local time."""
    stamps = [f"{eve} 23:00:00", *(f"{day} {hour}:00:00" for hour in hours)]
    pairs = pairwise(stamps)
    return [("DCL", day, start, end, n, 100 + n, 2.5) for n, (start, end) in enumerate(pairs, 1)]


CLOCK = ("03", "07", "11", "15", "19", "23")


def old(day: str, *lines: tuple[Any, ...]) -> Conformed:
    return rows(
        "response_auctions",
        parse_range(day),
        *AUCTIONS,
        **{OLD.replace(" ", "_"): csv(OLD_HEADER, *lines)},
    )


class Auctions(unittest.TestCase):
    def test_the_old_file_is_in_local_time_also_when_the_clock_changes(self) -> None:
        for day, eve, hours in (
            ("2022-07-15", "2022-07-14", 4),
            ("2022-03-27", "2022-03-26", 3),
            ("2022-10-30", "2022-10-29", 5),
        ):
            with self.subTest(day):
                window = Window(
                    day_window(date.fromisoformat(eve)).start,
                    day_window(date.fromisoformat(day)).end,
                )
                found = rows(
                    "response_auctions", window, *AUCTIONS,
                    **{OLD.replace(" ", "_"): csv(OLD_HEADER, *old_day(day, eve, CLOCK))},
                )  # fmt: skip
                frame = found.frame
                start, end = frame["delivery_start"], frame["delivery_end"]
                self.assertEqual(list((end - start) / timedelta(hours=1)), [hours, 4, 4, 4, 4, 4])
                self.assertEqual(list(frame["efa_block"]), [1, 2, 3, 4, 5, 6])
                self.assertEqual({f"{d:%Y-%m-%d}" for d in frame["efa_date"]}, {day})
                self.assertEqual(set(frame["auction"]), {"DFR"})
                self.assertEqual((found.unknown, found.strange), ((), ()))
        self.assertEqual(f"{start.iloc[0]}", "2022-10-29 22:00:00+00:00")

    def test_blocks_that_contradict_their_times(self) -> None:
        lines = old_day("2022-07-15", "2022-07-14", CLOCK)
        one = [(*line[:4], 6, *line[5:]) if n == 2 else line for n, line in enumerate(lines)]
        found = old("2022-07-15", *one)
        self.assertEqual(len(found.strange), 1)
        self.assertIn("called block 6", found.strange[0])
        self.assertEqual(list(found.frame["efa_block"]), [2, 3, 4, 5, 6])
        shifted = [(*line[:4], line[4] % 6 + 1, *line[5:]) for line in lines]
        with self.assertRaisesRegex(SchemaError, "changed the clock"):
            old("2022-07-15", *shifted)
        with self.assertRaisesRegex(SchemaError, "'n/a'"):
            old("2022-07-15", *((*line[:4], "n/a", *line[5:]) for line in lines))

    def test_the_new_files_are_in_utc_and_hold_reserve_too(self) -> None:
        lines = [
            (1, "DCL", "Response", "2024-07-14T22:00:00", "2024-07-15T02:00:00", 800, -0.5, ""),
            (1, "NQR", "Reserve", "2024-07-14T22:00:00", "2024-07-14T22:30:00", 300, 4, 7),
            (1, "XYZ", "Response", "2024-07-14T22:00:00", "2024-07-15T02:00:00", 1, 1, 3),
        ]
        name = f"{NEW} FY2024 (Archive)".replace(" ", "_")
        found = rows(
            "response_auctions",
            parse_range("2024-07-14"),
            *AUCTIONS,
            **{name: csv(NEW_HEADER, *lines)},
        )
        self.assertEqual(list(found.frame["service"]), ["DCL", "XYZ"])
        self.assertEqual(found.strange, ("service never met before: XYZ",))
        first = found.frame.iloc[0]
        self.assertEqual(
            (first["efa_block"], f"{first['efa_date']:%d}", first["auction"]), (1, "15", "EAC")
        )
        self.assertEqual(first["clearing_price_gbp_per_mw_per_h"], -0.5)
        self.assertEqual(found.unknown, ())

    def test_which_files_hold_a_day(self) -> None:
        for day, names in (
            ("2022-05-01", [OLD]),
            ("2023-11-02", [OLD, f"{NEW} FY2023 (Archive)"]),
            ("2023-11-10", [f"{NEW} FY2023 (Archive)"]),
            ("2024-04-01", [f"{NEW} FY2023 (Archive)", f"{NEW} FY2024 (Archive)"]),
            ("2025-03-31", [f"{NEW} FY2024 (Archive)", NEW]),
            ("2025-06-01", [NEW]),
        ):
            found = [name for name, _ in chosen("response_auctions", parse_range(day), *AUCTIONS)]
            self.assertEqual(found, names, day)

    def test_a_block_that_is_missing_in_one_service_leaves_the_day_partial(self) -> None:
        blocks, day = neso_auctions.DATASETS[0].completeness, day_window(date(2024, 3, 31))
        whole = {"DCL": Tally(6), "DCH": Tally(6)}
        self.assertEqual((blocks.coverage(day, whole), blocks.expected(day, whole)), (1.0, 12))
        self.assertLess(blocks.coverage(day, {"DCL": Tally(7), "DCH": Tally(5)}), 1.0)


# --- listings and what is no CSV ------------------------------------------------------------------


class Listing(unittest.TestCase):
    def test_only_csv_files_with_utc_times_to_the_second(self) -> None:
        files = [
            {
                "id": "1",
                "name": "A",
                "url": "u",
                "format": "CSV",
                "last_modified": "2026-08-16T18:25:03.877001",
            },
            {"id": "2", "name": "B", "url": "u", "format": "DOC", "last_modified": None},
            {
                "id": "3",
                "name": "C",
                "url": "u",
                "format": "csv",
                "last_modified": None,
                "created": None,
            },
        ]
        body = json.dumps({"success": True, "result": {"resources": files}}).encode()
        found = read_listing(body, "p")
        self.assertEqual([each.name for each in found], ["A", "C"])
        self.assertEqual(found[0].modified, datetime(2026, 8, 16, 18, 25, 3, tzinfo=UTC))
        self.assertIsNone(found[1].modified)

    def test_what_is_no_listing_is_an_error(self) -> None:
        for body, kind in (
            (b"<html>", BrokenAnswer),
            (b'"Bad request - Action name not known: x"', SchemaError),
            (b'{"success": false, "error": {"message": "Not found"}}', SchemaError),
            (b'{"success": true, "result": {"resources": [{"id": 1}]}}', SchemaError),
            (
                b'{"success": true, "result": {"resources": [{"id":"1","name":"a","url":"u","last_modified":"x"}]}}',
                SchemaError,
            ),
        ):
            with self.subTest(body), self.assertRaises(kind):
                read_listing(body, "p")


if __name__ == "__main__":
    unittest.main()
