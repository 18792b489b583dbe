"""Reading Elexon's answers: three envelopes, and every way in which a body can be wrong."""

from __future__ import annotations

import json
import unittest
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from domain.errors import BrokenAnswer, SchemaError
from domain.settlement import day_window
from domain.tables import Conformed
from domain.windows import Window
from sources import DATASETS
from sources.elexon import FREQUENCY, WIND_SOLAR
from sources.elexon_rows import JsonRows
from sources.windows import keep_window

WHERE = "a window"


def sample(**changed: Any) -> dict[str, Any]:
    return {
        "dataset": "FREQ",
        "measurementTime": "2024-10-27T00:00:00Z",
        "frequency": 50.01,
        **changed,
    }


def generation(startTime: str = "2024-10-27T00:30:00Z", **changed: Any) -> dict[str, Any]:
    known = startTime if isinstance(startTime, str) else "2024-10-27T00:30:00Z"
    start = datetime.fromisoformat(known)
    day = start.astimezone(ZoneInfo("Europe/London")).date()
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Europe/London"))
    return {
        "publishTime": "2024-10-27T04:10:00Z",
        "businessType": "Solar generation",
        "psrType": "Solar",
        "quantity": 12.5,
        "startTime": startTime,
        "settlementDate": str(day),
        "settlementPeriod": int((start.timestamp() - midnight.timestamp()) // 1800) + 1,
        **changed,
    }


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def frequency(answer: Any) -> Conformed:
    """Read an answer: bytes as they are, anything else as JSON."""
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return JsonRows("").rows(FREQUENCY, body, WHERE)


def wind_solar(*rows: dict[str, Any]) -> Conformed:
    return JsonRows("").rows(WIND_SOLAR, json.dumps({"data": rows}).encode(), WHERE)


class Envelopes(unittest.TestCase):
    def test_all_three_give_the_same_rows(self) -> None:
        rows = [sample(), sample(measurementTime="2024-10-26T23:59:45Z", frequency=49.98)]
        for answer in (
            rows,
            {"data": rows},
            {"metadata": {"datasets": ["FREQ"]}, "data": rows},
            {"data": rows, "metadata": None},
        ):
            with self.subTest(keys=isinstance(answer, dict) and list(answer)):
                found = frequency(answer)
                self.assertEqual(list(found.frame["frequency_hz"]), [49.98, 50.01])
                self.assertEqual(
                    list(found.frame["measurement_time"]),
                    [
                        datetime(2024, 10, 26, 23, 59, 45, tzinfo=UTC),
                        datetime(2024, 10, 27, tzinfo=UTC),
                    ],
                )
                self.assertEqual(found.unknown, ())

    def test_no_rows_in_any_envelope(self) -> None:
        for answer in ([], {"data": []}, {"metadata": {}, "data": []}):
            with self.subTest(answer=answer):
                found = frequency(answer)
                self.assertEqual(len(found.frame), 0)
                self.assertEqual(list(found.frame.columns), ["measurement_time", "frequency_hz"])

    def test_every_field_of_wind_and_solar(self) -> None:
        found = wind_solar(generation(documentId="NGET-1", documentRevisionNumber=2))
        row = found.frame.iloc[0]
        self.assertEqual(row["period_start"], datetime(2024, 10, 27, 0, 30, tzinfo=UTC))
        self.assertEqual(row["publish_time"], datetime(2024, 10, 27, 4, 10, tzinfo=UTC))
        self.assertEqual((row["psr_type"], row["generation_mw"]), ("Solar", 12.5))
        self.assertEqual(row["settlement_date"].date(), date(2024, 10, 27))
        self.assertEqual((row["settlement_period"], row["document_revision"]), (4, 2))
        self.assertEqual(row["document_id"], "NGET-1")

    def test_an_older_publication_goes_to_history(self) -> None:
        late = "2024-10-29T04:10:00Z"
        found = wind_solar(generation(publishTime=late, quantity=13.0), generation())
        self.assertEqual(list(found.frame["generation_mw"]), [13.0])
        self.assertEqual(list(found.older["generation_mw"]), [12.5])


class BrokenBodies(unittest.TestCase):
    def test_what_is_not_json_is_worth_asking_again(self) -> None:
        whole = json.dumps([sample()]).encode()
        for name, body in {
            "nothing": b"",
            "blank": b" \n",
            "html": b"<!DOCTYPE html><html><body>Service unavailable</body></html>",
            "cut within a row": whole[:-10],
            "cut between rows": whole[:-1] + b",",
            "two bodies": whole + whole,
            "not UTF-8 in a value": whole.replace(b"2024-10", b"\xff\xfe", 1),
            "not UTF-8 in a name": whole.replace(b"dataset", b"\xff", 1),
            "nested without end": b"[" * 200_000,
            "nested and closed": b"[" * 200_000 + b"]" * 200_000,
            "nested in a field": whole[:-2] + b',"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}]",
            "not a number": whole.replace(b"50.01", b"NaN"),
            "number out of range": whole.replace(b"50.01", b"1e999"),
            "plain text": b"OK",
        }.items():
            with self.subTest(body=name), self.assertRaises(BrokenAnswer):
                frequency(body)

    def test_cut_anywhere_it_is_never_taken_for_whole(self) -> None:
        whole = json.dumps({"metadata": {"datasets": ["FREQ"]}, "data": [sample()]}).encode()
        for length in range(len(whole)):
            with self.subTest(length=length), self.assertRaises(BrokenAnswer):
                frequency(whole[:length])


class UnexpectedRows(unittest.TestCase):
    def test_json_that_is_no_list_of_rows(self) -> None:
        for answer in (
            {}, {"data": None}, {"data": {}}, {"data": "none"}, {"rows": [sample()]}, None, "x", 1,
            [1, 2], ["a"], [None], [[sample()]], [sample(), None], {"data": [[1]]},
        ):  # fmt: skip
            with self.subTest(answer=answer), self.assertRaises(SchemaError) as caught:
                frequency(answer)
            self.assertIn(WHERE, str(caught.exception))

    def test_rows_without_any_field_are_not_an_empty_answer(self) -> None:
        for answer in ([{}], [{}, {}], {"data": [{}]}, [{"dataset": "FREQ"}]):
            with self.subTest(answer=answer), self.assertRaises(SchemaError):
                frequency(answer)

    def test_a_wrong_type_is_named_with_column_and_sample(self) -> None:
        for changed, column, value in (
            ({"frequency": "50.01"}, "frequency_hz", "'50.01'"),
            ({"frequency": True}, "frequency_hz", "True"),
            ({"frequency": [50.01]}, "frequency_hz", "[50.01]"),
            ({"measurementTime": 1730000000}, "measurement_time", "1730000000"),
            ({"measurementTime": "27 Oct"}, "measurement_time", "'27 Oct'"),
        ):
            for rows in ([sample(**changed)], [sample(), sample(**changed)]):
                with self.subTest(changed=changed, rows=len(rows)):
                    with self.assertRaises(SchemaError) as caught:
                        frequency(rows)
                    self.assertIn(f"frequency.{column}", str(caught.exception))
                    self.assertIn(value, str(caught.exception))

    def test_a_number_too_large_fails_its_window_and_nothing_else(self) -> None:
        for changed in ({"settlementPeriod": 10**30}, {"startTime": 10**30}):
            with self.subTest(changed=changed), self.assertRaises(SchemaError):
                wind_solar(generation(**changed))

    def test_a_renamed_field_is_named_in_both_spellings(self) -> None:
        row = without(sample(frequencyHz=50.01), "frequency")
        with self.assertRaisesRegex(SchemaError, "'frequency'.*frequencyHz"):
            frequency([row])

    def test_a_field_missing_everywhere_is_named(self) -> None:
        with self.assertRaisesRegex(SchemaError, "'frequency'"):
            frequency([without(sample(), "frequency")])

    def test_a_field_missing_or_empty_in_some_rows_is_counted(self) -> None:
        for second in (without(sample(), "frequency"), sample(frequency=None)):
            with self.subTest(row=second), self.assertRaisesRegex(SchemaError, "1 of 2 rows"):
                frequency([sample(), second])

    def test_optional_fields_may_be_missing_or_empty(self) -> None:
        for row in (without(generation(), "businessType"), generation(businessType=None)):
            with self.subTest(row=row):
                found = wind_solar(row, generation(psrType="Wind Onshore"))
                self.assertEqual(len(found.frame), 2)
                self.assertEqual(int(found.frame["business_type"].isna().sum()), 1)
                self.assertTrue(found.frame["document_id"].isna().all())

    def test_extra_fields_are_reported_and_the_rows_kept(self) -> None:
        for value in (1, "x", None, {"a": [1]}, [[], {}], 10**30):
            with self.subTest(value=value):
                found = frequency([sample(quality=value), sample(measurementTime="2024-10-28T00Z")])
                self.assertEqual(found.unknown, ("quality",))
                self.assertEqual(len(found.frame), 2)

    def test_the_repeated_name_of_the_dataset_is_no_news(self) -> None:
        self.assertEqual(frequency([sample(), sample(quality=1)]).unknown, ("quality",))

    def test_whole_numbers_where_fractions_are_expected(self) -> None:
        self.assertEqual(list(frequency([sample(frequency=50)]).frame["frequency_hz"]), [50.0])
        mixed = [sample(frequency=50, quality=1), sample(measurementTime="2024-10-28T00:00:00Z")]
        self.assertEqual(list(frequency(mixed).frame["frequency_hz"]), [50.0, 50.01])
        found = wind_solar(generation(quantity=0), generation(psrType="Wind Onshore", quantity=-1))
        self.assertEqual(list(found.frame["generation_mw"]), [0.0, -1.0])

    def test_a_whole_number_written_as_a_fraction(self) -> None:
        self.assertEqual(
            list(wind_solar(generation(settlementPeriod=4.0)).frame["settlement_period"]), [4]
        )


class KeepWindow(unittest.TestCase):
    DAY = day_window(date(2024, 10, 15))

    def keep(self, *times: datetime, window: Window = DAY) -> tuple[list[datetime], int]:
        rows = frequency([sample(measurementTime=f"{time:%Y-%m-%dT%H:%M:%SZ}") for time in times])
        kept, stray = keep_window(FREQUENCY, rows, window, WHERE)
        return [time.to_pydatetime() for time in kept.frame["measurement_time"]], stray

    def test_rows_inside_are_kept(self) -> None:
        times = [self.DAY.start, self.DAY.start + timedelta(hours=5)]
        times.append(self.DAY.end - timedelta(seconds=15))
        self.assertEqual(self.keep(*times), (times, 0))

    def test_the_inclusive_end_is_trimmed(self) -> None:
        times = [self.DAY.start, self.DAY.end - timedelta(seconds=15), self.DAY.end]
        self.assertEqual(self.keep(*times), (times[:2], 0))

    def test_strays_on_both_sides_are_dropped_and_counted(self) -> None:
        inside = self.DAY.start + timedelta(hours=1)
        before, after = self.DAY.start - timedelta(hours=1), self.DAY.end + timedelta(hours=1)
        self.assertEqual(self.keep(before, inside, after), ([inside], 2))

    def test_an_answer_wholly_outside_is_refused_with_its_span(self) -> None:
        first = datetime(2026, 5, 6, 10, tzinfo=UTC)
        with self.assertRaises(SchemaError) as caught:
            self.keep(first, first + timedelta(hours=2))
        message = str(caught.exception)
        self.assertIn("2026-05-06T10:00:00Z", message)
        self.assertIn("2026-05-06T12:00:00Z", message)

    def test_an_end_among_rows_outside_does_not_excuse_them(self) -> None:
        with self.assertRaises(SchemaError):
            self.keep(self.DAY.end, self.DAY.end + timedelta(seconds=15))

    def test_rows_on_the_excluded_end_alone_are_an_empty_answer(self) -> None:
        self.assertEqual(self.keep(self.DAY.end), ([], 0))

    def test_no_rows_are_no_reason_to_refuse(self) -> None:
        kept, stray = keep_window(FREQUENCY, frequency([]), self.DAY, WHERE)
        self.assertEqual((len(kept.frame), stray), (0, 0))

    def test_older_versions_are_trimmed_too(self) -> None:
        rows = []
        for start in ("2024-10-15T10:00:00Z", "2024-10-15T23:00:00Z"):  # the second is the end
            for published in ("2024-10-16T00:00:00Z", "2024-10-17T00:00:00Z"):
                rows.append(generation(startTime=start, publishTime=published))
        kept, stray = keep_window(WIND_SOLAR, wind_solar(*rows), self.DAY, WHERE)
        self.assertEqual((len(kept.frame), len(kept.older), stray), (1, 1, 0))

    def test_what_was_odd_is_still_told(self) -> None:
        rows = frequency(
            [
                sample(measurementTime="2024-10-15T10:00:00Z", quality=1),
                sample(measurementTime="2024-10-15T23:00:00Z", quality=1),
            ]
        )
        kept, _ = keep_window(FREQUENCY, rows, self.DAY, WHERE)
        self.assertEqual(kept.unknown, ("quality",))


class Declarations(unittest.TestCase):
    def test_keys_aliases_and_groups_do_not_collide(self) -> None:
        names = [name.casefold() for d in DATASETS for name in (d.key, *d.aliases)]
        groups = {group.casefold() for dataset in DATASETS for group in dataset.groups}
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual(groups & set(names), set())

    def test_every_dataset_can_be_windowed_keyed_and_counted(self) -> None:
        for dataset in DATASETS:
            table = dataset.table
            with self.subTest(dataset=dataset.key):
                if table.time:  # else a list as it stands
                    self.assertEqual(table.column(table.time).dtype, "time")
                self.assertTrue(set(table.key) <= set(table.names))
                self.assertTrue({table.version, dataset.completeness.series} <= {"", *table.names})
                self.assertFalse(any(table.column(name).optional for name in table.key))
                self.assertEqual(list(dataset.revisions), sorted(set(dataset.revisions)))
                self.assertGreaterEqual(dataset.widest, timedelta(hours=25))  # the long day fits


if __name__ == "__main__":
    unittest.main()
