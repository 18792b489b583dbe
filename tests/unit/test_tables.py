"""The gate through which rows enter tables, and the files that they leave in."""

from __future__ import annotations

import csv
import io
import itertools
import locale
import random
import unittest
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from domain.errors import SchemaError
from domain.tables import Column, Conformed, Table, conform, format_times, to_arrow, to_frame
from stores.files import csv_bytes, parquet_bytes

READINGS = Table(
    name="readings",
    columns=(
        Column("at", "time", "UTC", "Moment", "When"),
        Column("site", "text", "", "Place", "Site"),
        Column("power_mw", "float", "MW", "Power", "Quantity"),
        Column("published", "time", "UTC", "Publish time", "Published"),
        Column("day", "date", "", "Day", "Day"),
        Column("period", "int", "", "Period", "Period"),
        Column("remark", "text", "", "Remark", "Remark", optional=True),
        Column("revision", "int", "", "Revision", "Revision", optional=True),
    ),
    key=("at", "site"),
    time="at",
    version="published",
)
PLAIN = Table(
    name="plain",
    columns=(Column("at", "time", "UTC", "Moment"), Column("hz", "float", "Hz", "Frequency")),
    key=("at",),
    time="at",
)


def row(**changed: Any) -> dict[str, Any]:
    """One row as the provider spells it."""
    return {
        "When": "2024-10-27T00:30:00Z",
        "Site": "north",
        "Quantity": 1.5,
        "Published": "2024-10-27T02:00:00Z",
        "Day": "2024-10-27",
        "Period": 4,
        **changed,
    }


def columns(*rows: dict[str, Any]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for each in rows for name in each)
    return {name: [each.get(name) for each in rows] for name in names}


def read(*rows: dict[str, Any], ignored: tuple[str, ...] = ()) -> Conformed:
    return conform(READINGS, columns(*rows), "readings of a day", ignored)


def moments(texts: list[str]) -> list[datetime]:
    """What the times are, as the gate understands them."""
    frame = conform(PLAIN, {"at": texts, "hz": [50.0] * len(texts)}, "w").frame
    return [moment.to_pydatetime() for moment in frame["at"]]


class Oddities(unittest.TestCase):
    """What is possible and was never met."""

    PRICES = Table(
        name="prices",
        columns=(
            Column("at", "time", "UTC", "Moment"),
            Column("price", "float", "GBP/MWh", "Price", tick=0.01),
            Column("demand", "float", "MW", "Demand", "Demand", optional=True, sent=True),
        ),
        key=("at",),
        time="at",
    )

    def read(self, prices: list[float | None], **more: Any) -> Conformed:
        at = [f"2024-10-27T{hour:02}:00:00Z" for hour in range(len(prices))]
        return conform(self.PRICES, {"at": at, "price": prices, **more}, "a day")

    def test_values_between_the_ticks_are_told_when_there_are_many(self) -> None:
        fine = [0.0, -0.07, 105.43, 6_000.29, 33.3, 0.01, 9_999.99, 12.0, 4.44, 5.0, 81.12]
        demand = [None] * len(fine)
        self.assertEqual(self.read(fine, Demand=demand).strange, ())
        self.assertEqual(self.read([52.715, *fine[1:]], Demand=demand).strange, ())
        halved = self.read([value / 2 for value in fine], Demand=demand)
        (said,) = halved.strange
        self.assertRegex(said, r"price finer than 0.01 GBP/MWh in \d rows, such as -0.035")

    def test_what_is_always_sent_may_be_empty_but_not_absent(self) -> None:
        self.assertTrue(self.read([1.0], Demand=[None]).frame["demand"].isna().all())
        with self.assertRaisesRegex(SchemaError, "lacks the column 'Demand'; it has Load"):
            self.read([1.0], Load=[30_000.0])
        self.assertEqual(len(self.read([]).frame), 0)


class Columns(unittest.TestCase):
    def test_a_long_value_is_cited_in_short(self) -> None:
        with self.assertRaisesRegex(
            SchemaError, r"readings.at: '2024-10-05T99.*\.\.\..*' in a day"
        ) as caught:
            conform(READINGS, columns(row(When=f"2024-10-05T{'9' * 5_000}Z")), "a day")
        self.assertLess(len(str(caught.exception)), 300)

    def test_renamed_cast_and_in_declared_order(self) -> None:
        shuffled = dict(reversed(row(Quantity=2, Revision=3, Remark="ok").items()))
        rows = read(shuffled)
        self.assertEqual(list(rows.frame.columns), [c.name for c in READINGS.columns])
        self.assertEqual(
            {name: str(dtype) for name, dtype in rows.frame.dtypes.items()},
            {
                "at": "datetime64[us, UTC]",
                "site": "str",
                "power_mw": "float64",
                "published": "datetime64[us, UTC]",
                "day": "datetime64[s]",
                "period": "int64",
                "remark": "str",
                "revision": "Int64",
            },
        )
        first = rows.frame.iloc[0]
        self.assertEqual(first["at"], datetime(2024, 10, 27, 0, 30, tzinfo=UTC))
        self.assertEqual(first["day"].date(), date(2024, 10, 27))
        self.assertEqual((first["power_mw"], first["period"]), (2.0, 4))
        self.assertEqual((first["remark"], first["revision"]), ("ok", 3))

    def test_unknown_columns_are_reported_and_left_out(self) -> None:
        rows = read(row(Zeta="?", Alpha=[1, "x"]))
        self.assertEqual(rows.unknown, ("Alpha", "Zeta"))
        self.assertNotIn("Zeta", rows.frame.columns)
        self.assertEqual(len(rows.frame), 1)

    def test_ignored_columns_are_not_reported(self) -> None:
        self.assertEqual(read(row(dataset="X"), ignored=("dataset",)).unknown, ())

    def test_a_missing_optional_column_is_empty(self) -> None:
        frame = read(row()).frame
        self.assertTrue(frame["remark"].isna().all())
        self.assertTrue(frame["revision"].isna().all())

    def test_a_missing_required_column_is_named_with_its_table(self) -> None:
        for spelling in ("When", "Site", "Quantity", "Published", "Day", "Period"):
            data = row()
            del data[spelling]
            with self.subTest(column=spelling), self.assertRaises(SchemaError) as caught:
                read(data)
            self.assertIn("readings", str(caught.exception))
            self.assertIn(f"'{spelling}'", str(caught.exception))

    def test_a_renamed_column_is_named_too(self) -> None:
        data = row(quantityMW=1.5)
        del data["Quantity"]
        with self.assertRaisesRegex(SchemaError, "'Quantity'.*quantityMW"):
            read(data)

    def test_the_tables_own_name_is_no_spelling_of_the_provider(self) -> None:
        data = row(power_mw=1.5)
        del data["Quantity"]
        with self.assertRaises(SchemaError):
            read(data)

    def test_no_rows_are_an_empty_frame_with_its_dtypes(self) -> None:
        rows = conform(READINGS, {column.spelling: [] for column in READINGS.columns}, "w")
        self.assertEqual(len(rows.frame), 0)
        self.assertEqual(str(rows.frame["at"].dtype), "datetime64[us, UTC]")
        self.assertEqual(str(rows.frame["power_mw"].dtype), "float64")


class Values(unittest.TestCase):
    def test_a_wrong_value_is_named_with_table_column_sample_and_place(self) -> None:
        for spelling, name, value in (
            ("Quantity", "power_mw", "12.5"),
            ("Quantity", "power_mw", True),
            ("Quantity", "power_mw", {"value": 1}),
            ("When", "at", "yesterday"),
            ("When", "at", "2024-13-01T00:00:00Z"),
            ("When", "at", 1730000000),
            ("When", "at", ""),
            ("Day", "day", "27/10/2024"),
            ("Period", "period", 3.5),
            ("Period", "period", "3"),
            ("Period", "period", True),
            ("Site", "site", 7),
            ("Revision", "revision", "first"),
        ):
            with self.subTest(column=name, value=value), self.assertRaises(SchemaError) as caught:
                read(row(**{spelling: value}))
            message = str(caught.exception)
            self.assertIn(f"readings.{name}", message)
            self.assertIn(repr(value), message)
            self.assertIn("readings of a day", message)

    def test_the_sample_is_the_value_that_does_not_fit(self) -> None:
        good = row()
        for spelling, value in (("Quantity", "n/a"), ("When", "noon"), ("Period", 1.25)):
            with self.subTest(column=spelling), self.assertRaises(SchemaError) as caught:
                read(good, row(Site="south", **{spelling: value}))
            self.assertIn(repr(value), str(caught.exception))
            self.assertNotIn(repr(good[spelling]), str(caught.exception))

    def test_a_truth_value_among_numbers_is_no_number(self) -> None:
        for values in ((1.5, True), (True, 1.5), (1, True)):
            rows = [row(Site=f"{n}", Quantity=value) for n, value in enumerate(values)]
            with self.subTest(values=values), self.assertRaisesRegex(SchemaError, "True"):
                read(*rows)

    def test_the_sample_is_the_wrong_time_also_among_times_with_offsets(self) -> None:
        with self.assertRaisesRegex(SchemaError, "'noon'"):
            read(row(When="2024-10-27T01:30:00+01:00"), row(Site="south", When="noon"))

    def test_a_number_too_large_is_a_misfit_like_any_other(self) -> None:
        for spelling, name in (("Period", "period"), ("Revision", "revision"), ("Site", "site")):
            with self.subTest(column=name), self.assertRaisesRegex(SchemaError, f"readings.{name}"):
                read(row(**{spelling: 10**30}))

    def test_a_whole_number_that_no_float_holds_is_rounded_or_named(self) -> None:
        for values in ((10**30,), (1.5, 10**30), (1.5, 2**53 + 1)):
            rows = [row(Site=f"{n}", Quantity=value) for n, value in enumerate(values)]
            with self.subTest(values=values):
                try:
                    found = list(read(*rows).frame["power_mw"])
                except SchemaError as trouble:
                    self.assertIn(repr(values[-1]), str(trouble))
                else:
                    self.assertEqual(found, [float(value) for value in values])

    def test_a_number_too_large_in_an_undeclared_column_is_no_trouble(self) -> None:
        self.assertEqual(read(row(Extra=10**30)).unknown, ("Extra",))

    def test_infinity_is_not_a_whole_number(self) -> None:
        frame = pd.DataFrame(columns(row(Period=float("inf"))))
        with self.assertRaisesRegex(SchemaError, "readings.period"):
            conform(READINGS, frame, "w")

    def test_an_empty_required_value_is_counted(self) -> None:
        for spelling in ("When", "Site", "Quantity", "Published", "Day", "Period"):
            with self.subTest(column=spelling), self.assertRaisesRegex(SchemaError, "1 of 2 rows"):
                read(row(), row(**{"Site": "south", spelling: None}))

    def test_whole_numbers_may_come_as_floats(self) -> None:
        frame = read(row(Period=4.0, Revision=2.0)).frame
        self.assertEqual((frame["period"][0], frame["revision"][0]), (4, 2))

    def test_optional_whole_numbers_keep_their_gaps(self) -> None:
        frame = read(row(Revision=None), row(Site="south", Revision=2**53 + 1)).frame
        self.assertTrue(pd.isna(frame["revision"][0]))
        self.assertEqual(frame["revision"][1], 2**53 + 1)  # a float could not hold it


class Times(unittest.TestCase):
    def test_naive_times_are_utc(self) -> None:
        noon = datetime(2024, 7, 1, 12, tzinfo=UTC)
        for text in ("2024-07-01T12:00:00", "2024-07-01T12:00", "2024-07-01 12:00:00"):
            with self.subTest(text=text):
                self.assertEqual(moments([text]), [noon])

    def test_offsets_are_turned_into_utc(self) -> None:
        noon = datetime(2024, 7, 1, 12, tzinfo=UTC)
        for text in ("2024-07-01T12:00:00Z", "2024-07-01T13:00:00+01:00", "2024-07-01T13:00+0100"):
            with self.subTest(text=text):
                self.assertEqual(moments([text]), [noon])

    def test_different_offsets_in_one_column(self) -> None:
        found = moments(
            ["2024-10-27T01:30:00+01:00", "2024-10-27T01:30:00+00:00", "2024-10-27T02:00:00Z"]
        )
        self.assertEqual([f"{m:%H:%M}" for m in found], ["00:30", "01:30", "02:00"])

    def test_a_naive_time_among_zoned_ones_is_utc_or_named(self) -> None:
        texts = ["2024-07-01T12:00:00Z", "2024-07-01T12:00:15"]
        try:
            found = moments(texts)
        except SchemaError as trouble:
            self.assertIn(repr(texts[1]), str(trouble))
        else:
            self.assertEqual(found[1], datetime(2024, 7, 1, 12, 0, 15, tzinfo=UTC))

    def test_a_bare_day_in_a_time_column_is_its_midnight_or_named(self) -> None:
        try:
            found = moments(["2024-07-01"])
        except SchemaError as trouble:
            self.assertIn("'2024-07-01'", str(trouble))
        else:
            self.assertEqual(found, [datetime(2024, 7, 1, tzinfo=UTC)])

    def test_fractions_of_seconds_are_refused_in_the_key(self) -> None:
        with self.assertRaisesRegex(SchemaError, "12:00:00.25Z"):
            moments(["2024-07-01T12:00:00Z", "2024-07-01T12:00:00.25Z"])

    def test_fractions_of_seconds_are_dropped_elsewhere(self) -> None:
        frame = read(row(Published="2024-10-28T02:00:00.75Z")).frame
        self.assertEqual(frame["published"][0], datetime(2024, 10, 28, 2, tzinfo=UTC))

    def test_frames_with_aware_times_of_another_zone_are_turned_into_utc(self) -> None:
        local = pd.Series(pd.to_datetime(["2024-07-01T13:00:00"])).dt.tz_localize("Europe/London")
        frame = conform(PLAIN, pd.DataFrame({"at": local, "hz": [50.0]}), "w").frame
        self.assertEqual(frame["at"][0], datetime(2024, 7, 1, 12, tzinfo=UTC))
        self.assertEqual(str(frame["at"].dtype), "datetime64[us, UTC]")

    def test_text_form(self) -> None:
        stamps = pa.array(
            [datetime(2024, 10, 27, 0, 30, tzinfo=UTC), None], pa.timestamp("us", "UTC")
        )
        self.assertEqual(
            format_times(pa.chunked_array([stamps])).to_pylist(), ["2024-10-27T00:30:00Z", None]
        )


class Duplicates(unittest.TestCase):
    def test_equal_rows_collapse(self) -> None:
        rows = read(row(), row(), row())
        self.assertEqual((len(rows.frame), len(rows.older), rows.conflicts), (1, 0, 0))

    def test_the_newest_version_stays_and_the_others_go_to_history(self) -> None:
        rows = read(
            row(Quantity=2.0, Published="2024-10-28T02:00:00Z"),
            row(Quantity=3.0, Published="2024-11-01T02:00:00Z"),
            row(Quantity=1.0, Published="2024-10-27T02:00:00Z"),
            row(Site="south", Quantity=9.0),
        )
        self.assertEqual(list(rows.frame["power_mw"]), [3.0, 9.0])
        self.assertEqual(list(rows.older["power_mw"]), [1.0, 2.0])
        self.assertEqual(rows.conflicts, 0)

    def test_a_conflict_is_counted_and_settled_by_the_greater_row(self) -> None:
        rows = read(row(Quantity=2.0), row(Quantity=7.0), row(Quantity=5.0))
        self.assertEqual(list(rows.frame["power_mw"]), [7.0])
        self.assertEqual(list(rows.older["power_mw"]), [2.0, 5.0])
        self.assertEqual(rows.conflicts, 2)

    def test_a_table_without_versions_settles_in_the_same_way(self) -> None:
        at = "2024-10-27T00:00:00Z"
        rows = conform(PLAIN, {"at": [at] * 3, "hz": [50.1, 49.9, 50.1]}, "w")
        self.assertEqual(list(rows.frame["hz"]), [50.1])
        self.assertEqual(list(rows.older["hz"]), [49.9])
        self.assertEqual(rows.conflicts, 1)

    def test_equal_values_under_different_keys_are_not_duplicates(self) -> None:
        rows = read(row(), row(Site="south"), row(When="2024-10-27T01:00:00Z"))
        self.assertEqual((len(rows.frame), len(rows.older)), (3, 0))

    def test_the_outcome_does_not_depend_on_the_order_of_rows(self) -> None:
        rows = [
            row(Quantity=2.0, Remark="a"),
            row(Quantity=2.0, Remark=None),
            row(Quantity=7.0, Revision=1),
            row(Quantity=1.0, Published="2024-10-28T02:00:00Z"),
            row(Site="south"),
        ]
        outcomes = set()
        for order in itertools.islice(itertools.permutations(rows), 0, None, 13):
            found = read(*order)
            outcomes.add(
                (found.frame.to_csv(), found.older.to_csv(), found.conflicts, found.unknown)
            )
        self.assertEqual(len(outcomes), 1)

    def test_rows_come_out_sorted_by_key(self) -> None:
        times = [f"2024-10-27T{hour:02d}:00:00Z" for hour in range(24)]
        rows = [row(When=time, Site=site) for time in times for site in ("north", "south")]
        random.Random(3).shuffle(rows)
        frame = read(*rows).frame
        keys = list(zip(frame["at"], frame["site"], strict=True))
        self.assertEqual(keys, sorted(keys))
        self.assertEqual(list(frame.index), list(range(48)))


class RoundTrip(unittest.TestCase):
    def test_frame_to_arrow_and_back(self) -> None:
        frame = read(
            row(Revision=None, Remark=None),
            row(Site="south", Revision=2**53 + 1, Remark="x"),
        ).frame
        arrow = to_arrow(READINGS, frame)
        self.assertEqual(
            ", ".join(str(field.type) for field in arrow.schema),
            "timestamp[us, tz=UTC], string, double, timestamp[us, tz=UTC], "
            "date32[day], int64, string, int64",
        )
        self.assertEqual(arrow.column("revision").to_pylist(), [None, 2**53 + 1])
        self.assertEqual(arrow.column("remark").to_pylist(), [None, "x"])
        pd.testing.assert_frame_equal(to_frame(READINGS, arrow), frame)

    def test_an_empty_frame_and_all_empty_optionals(self) -> None:
        for frame in (read(row()).frame, read(row()).frame.iloc[:0]):
            with self.subTest(rows=len(frame)):
                back = to_frame(READINGS, to_arrow(READINGS, frame))
                pd.testing.assert_frame_equal(back, frame.reset_index(drop=True))


CELLS = Table(
    name="cells",
    columns=(
        Column("at", "time", "UTC", "Moment"),
        Column("name", "text", "", "Name", optional=True),
        Column("power_mw", "float", "MW", "Power, discharge +", optional=True),
        Column("count", "int", "", "Count", optional=True),
        Column("day", "date", "", "Day", optional=True),
    ),
    key=("at",),
    time="at",
)


def cells(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """A frame of CELLS; the times count up from midnight by themselves."""
    times = [f"2024-10-27T00:{n:02d}:00Z" for n in range(len(rows))]
    lists: list[list[Any]] = [list(each) for each in zip(*rows, strict=True)] or [[], [], [], []]
    data = dict(zip(("at", "name", "power_mw", "count", "day"), [times, *lists], strict=True))
    return conform(CELLS, data, "w").frame


def parsed(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8"), newline="")))


def named(*texts: str) -> pd.DataFrame:
    return cells(*((text, 1.0, 1, "2024-10-27") for text in texts))


class Csv(unittest.TestCase):
    def test_the_very_bytes(self) -> None:
        frame = cells(("north", 1.5, 3, "2024-10-27"), (None, None, None, None))
        self.assertEqual(
            csv_bytes(CELLS, frame),
            b"at,name,power_mw,count,day\n"
            b"2024-10-27T00:00:00Z,north,1.5,3,2024-10-27\n"
            b"2024-10-27T00:01:00Z,,,,\n",
        )

    def test_an_empty_frame_has_its_header(self) -> None:
        self.assertEqual(csv_bytes(CELLS, cells()), b"at,name,power_mw,count,day\n")

    def test_what_a_spreadsheet_would_run_gets_an_apostrophe(self) -> None:
        for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "=", '=HYPERLINK("a","b")'):
            with self.subTest(text=text):
                self.assertEqual(parsed(csv_bytes(CELLS, named(text)))[1][1], "'" + text)

    def test_other_texts_come_back_as_they_are(self) -> None:
        texts = (
            "plain", 'says "no"', '"', '""', "a,b", "two\nlines", "two\r\nlines", "a=b", "1-2",
            " =x", "'quoted'", "naïve ¼ 東京", ",", "ends with\n", "NaN", "null",
        )  # fmt: skip
        content = csv_bytes(CELLS, named(*texts))
        self.assertEqual([line[1] for line in parsed(content)[1:]], list(texts))

    def test_cells_are_quoted_only_where_they_must_be(self) -> None:
        content = csv_bytes(CELLS, named("plain", "a,b", 'a"b')).decode()
        lines = content.splitlines()
        self.assertIn(",plain,", lines[1])
        self.assertIn(',"a,b",', lines[2])
        self.assertIn(',"a""b",', lines[3])

    def test_lines_end_in_a_line_feed(self) -> None:
        content = csv_bytes(CELLS, named("a", "b"))
        self.assertNotIn(b"\r", content)
        self.assertEqual(content.count(b"\n"), 3)
        self.assertTrue(content.endswith(b"\n"))

    def test_numbers_come_back_exactly_and_negative_zero_does_not(self) -> None:
        numbers = [0.1 + 0.2, 1 / 3, -2.5, 1e-9, 1234567.5, 1e22, -0.0, 0.0, 100.0]
        content = csv_bytes(CELLS, cells(*(("n", n, 1, None) for n in numbers)))
        texts = [line[2] for line in parsed(content)[1:]]
        self.assertEqual([float(text) for text in texts], numbers)
        self.assertFalse(texts[6].startswith("-"))
        self.assertEqual(texts[6], texts[7])
        self.assertEqual(texts[4], "1234567.5")

    def test_large_whole_numbers_keep_every_digit(self) -> None:
        content = csv_bytes(CELLS, cells(("n", 1.0, 2**53 + 1, None), ("n", 1.0, None, None)))
        self.assertEqual([line[3] for line in parsed(content)[1:]], ["9007199254740993", ""])

    def test_the_locale_has_no_say(self) -> None:
        frame = cells(("n", 1234567.25, 1234567, "2024-10-27"))
        expected = b"2024-10-27T00:00:00Z,n,1234567.25,1234567,2024-10-27\n"
        before = locale.setlocale(locale.LC_ALL)
        self.addCleanup(locale.setlocale, locale.LC_ALL, before)
        for name in ("C", "de_DE.UTF-8", "fr_FR.UTF-8", "German_Germany.1252"):
            try:
                locale.setlocale(locale.LC_ALL, name)
            except locale.Error:
                continue  # not installed here
            with self.subTest(locale=name):
                self.assertTrue(csv_bytes(CELLS, frame).endswith(b"\n" + expected))

    def test_only_the_columns_of_the_frame_are_written(self) -> None:
        frame = named("a")[["power_mw", "at"]]
        self.assertEqual(csv_bytes(CELLS, frame), b"power_mw,at\n1,2024-10-27T00:00:00Z\n")


class Parquet(unittest.TestCase):
    def test_units_descriptions_and_facts_travel_with_the_rows(self) -> None:
        frame = cells(("north", 1.5, 3, "2024-10-27"), (None, None, None, None))
        content = parquet_bytes(CELLS, frame, {"origin": "synthetic"})
        back = pq.read_table(pa.BufferReader(content))
        self.assertEqual((back.schema.metadata or {})[b"origin"], b"synthetic")
        metadata = back.schema.field("power_mw").metadata
        self.assertEqual(metadata[b"unit"], b"MW")
        self.assertEqual(metadata[b"description"], b"Power, discharge +")
        self.assertEqual(back.column("count").to_pylist(), [3, None])
        pd.testing.assert_frame_equal(to_frame(CELLS, back), frame)

    def test_the_same_frame_gives_the_same_bytes(self) -> None:
        frame = named("a", "b")
        self.assertEqual(
            parquet_bytes(CELLS, frame, {"origin": "live"}),
            parquet_bytes(CELLS, frame.copy(), {"origin": "live"}),
        )


if __name__ == "__main__":
    unittest.main()
