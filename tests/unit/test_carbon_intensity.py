"""The Carbon Intensity API's bodies: shapes, the row too many, nulls, zeros that mean nothing."""

from __future__ import annotations

import json
import unittest
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from domain.errors import BrokenAnswer, SchemaError
from domain.settlement import parse_range
from domain.tables import Conformed, conform
from domain.windows import Window
from sources.carbon_intensity import DATASETS, FUELS, IGNORED, Path
from sources.dataset import Answer, Dataset
from sources.transport import Client

START = datetime(2024, 10, 26, 23, tzinfo=UTC)


def dataset(key: str) -> Dataset:
    return next(dataset for dataset in DATASETS if dataset.key == key)


def read(key: str, answer: Any) -> Conformed:
    """Read an answer: bytes as they are, anything else as JSON."""
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    asked = dataset(key)
    columns = cast(Path, asked.read).columns(asked.table, body, "a window")
    return conform(asked.table, columns, "a window", IGNORED)


@dataclass
class Fake:
    """A client that answers every path with one body."""

    body: Any
    paths: list[str] = field(default_factory=list)

    def get(self, key: str, path: str, params: Any, decode: Callable[[bytes], Any]) -> Any:
        self.paths.append(path)
        content = json.dumps(self.body).encode()
        return decode(content), SimpleNamespace(content=content, synthetic=False)


def asked(key: str, window: Window, body: Any) -> tuple[Answer, list[str]]:
    fake = Fake(body)
    one = dataset(key)
    return cast(Path, one.read)(one, "", window, cast(Client, fake)), fake.paths


def times(n: int) -> dict[str, str]:
    start = START + n * timedelta(minutes=30)
    return {
        "from": f"{start:%Y-%m-%dT%H:%MZ}",
        "to": f"{start + timedelta(minutes=30):%Y-%m-%dT%H:%MZ}",
    }


def intensity(n: int, **changed: Any) -> dict[str, Any]:
    inner = {"forecast": 100 + n, "actual": 101 + n, "index": "moderate", **changed}
    return times(n) | {"intensity": inner}


def mix(*shares: float) -> list[dict[str, Any]]:
    padded = [*shares, *[0] * (len(FUELS) - len(shares))]
    return [{"fuel": fuel, "perc": perc} for fuel, perc in zip(FUELS, padded, strict=True)]


def part(forecast: int = 50, *shares: float) -> dict[str, Any]:
    return {
        "intensity": {"forecast": forecast, "index": "low"},
        "generationmix": mix(*shares or (60, 40)),
    }


LONDON = {"regionid": 13, "dnoregion": "UKPN London", "shortname": "London"}
WALES = {"regionid": 17, "dnoregion": "Wales", "shortname": "Wales"}


class Intensity(unittest.TestCase):
    def test_a_day_of_fifty_half_hours_without_the_row_too_many(self) -> None:
        window = parse_range("2024-10-27")
        body = {"data": [intensity(n) for n in range(-1, 50)]}
        answer, paths = asked("carbon_intensity", window, body)
        self.assertEqual(paths, ["/intensity/2024-10-26T23:00Z/2024-10-28T00:00Z"])
        frame = answer.rows.frame
        self.assertEqual(list(frame["forecast_gco2_per_kwh"]), [100.0 + n for n in range(50)])
        self.assertEqual(list(frame["settlement_period"]), list(range(1, 51)))
        self.assertEqual({f"{day:%Y-%m-%d}" for day in frame["settlement_date"]}, {"2024-10-27"})
        self.assertEqual((answer.stray, answer.rows.unknown, answer.rows.strange), (0, (), ()))

    def test_rows_far_outside_are_counted_and_another_answer_refused(self) -> None:
        window = parse_range("2024-10-27")
        answer, _ = asked("carbon_intensity", window, {"data": [intensity(0), intensity(99)]})
        self.assertEqual((answer.stray, len(answer.rows.frame)), (1, 1))
        with self.assertRaisesRegex(SchemaError, "outside what was asked"):
            asked("carbon_intensity", window, {"data": [intensity(99)]})

    def test_actual_may_be_null_forecast_may_not(self) -> None:
        found = read("carbon_intensity", {"data": [intensity(0, actual=None), intensity(1)]})
        self.assertEqual(list(found.frame["actual_gco2_per_kwh"].isna()), [True, False])
        with self.assertRaisesRegex(SchemaError, "forecast_gco2_per_kwh: empty in 1"):
            read("carbon_intensity", {"data": [intensity(0, forecast=None)]})

    def test_drift(self) -> None:
        found = read("carbon_intensity", {"data": [intensity(0, marginal=3, index="extreme")]})
        self.assertEqual(found.unknown, ("marginal",))
        self.assertEqual(found.strange, ("index never met before: extreme",))
        renamed = times(0) | {"intensity": {"prediction": 1, "actual": 1, "index": "low"}}
        for answer, said in (
            ({"data": [renamed]}, "lacks the column 'forecast'.*prediction"),
            ({"data": [times(0)]}, "'intensity' is missing"),
            ({"data": [intensity(0, forecast="many")]}, "'many'"),
            ({"data": [intensity(0) | {"from": "yesterday"}]}, "'yesterday'"),
            ({"data": [{"intensity": {"forecast": 1, "index": "low"}}]}, "lacks the column 'from'"),
            ({"data": 3}, "another shape"),
            ({"data": [3]}, "another shape"),
            ([], "another shape"),
        ):
            with self.subTest(said), self.assertRaisesRegex(SchemaError, said):
                read("carbon_intensity", answer)

    def test_an_error_is_never_an_empty_answer(self) -> None:
        said = {"error": {"code": "400 Bad Request", "message": "Please enter a valid path"}}
        for one in DATASETS:
            with self.assertRaisesRegex(SchemaError, "Please enter a valid path"):
                read(one.key, said)
            with self.assertRaises(BrokenAnswer):
                read(one.key, b"<html>")
            self.assertEqual(len(read(one.key, {"data": []}).frame), 0)


class Mix(unittest.TestCase):
    def test_a_list_of_half_hours_or_one_alone(self) -> None:
        one = times(0) | {"generationmix": mix(7.5, 0, 92.5)}
        for data, rows in ((one, 9), ([one, times(1) | {"generationmix": mix(100)}], 18)):
            found = read("carbon_generation_mix", {"data": data})
            self.assertEqual(len(found.frame), rows)
            shares = dict(zip(found.frame["fuel"], found.frame["share_percent"], strict=True))
            self.assertEqual(shares.keys(), set(FUELS))
        self.assertEqual(found.unknown, ())

    def test_a_new_fuel_is_kept_and_told(self) -> None:
        parts = [*mix(50), {"fuel": "fusion", "perc": 50}]
        found = read("carbon_generation_mix", {"data": [times(0) | {"generationmix": parts}]})
        self.assertEqual(
            (len(found.frame), found.strange), (10, ("fuel never met before: fusion",))
        )


class Regional(unittest.TestCase):
    def test_both_shapes_give_the_same_rows(self) -> None:
        by_period = {
            "data": [
                times(n) | {"regions": [LONDON | part(50 + n), WALES | part(70 + n)]}
                for n in (0, 1)
            ]
        }
        by_region = [
            {
                "data": LONDON
                | {"postcode": "SW1", "data": [times(n) | part(50 + n) for n in (0, 1)]}
            },
            {"data": [WALES | {"data": [times(n) | part(70 + n) for n in (0, 1)]}]},
        ]
        whole = read("carbon_regional", by_period)
        self.assertEqual((len(whole.frame), whole.unknown), (4, ()))
        for answer, region in zip(by_region, (13, 17), strict=True):
            found = read("carbon_regional", answer)
            mine = whole.frame[whole.frame["region_id"] == region].reset_index(drop=True)
            self.assertTrue(found.frame.equals(mine))
            self.assertEqual(found.unknown, ())
        self.assertEqual(list(whole.frame["biomass_percent"]), [60.0] * 4)

    def test_nothing_but_zeros_is_no_data_and_clean_power_is(self) -> None:
        zeros, clean = LONDON | part(0, 0), WALES | part(0, 0, 0, 0, 0, 100)
        frame = read("carbon_regional", {"data": [times(0) | {"regions": [zeros, clean]}]}).frame
        self.assertEqual(list(frame["forecast_gco2_per_kwh"].isna()), [True, False])
        self.assertEqual(list(frame["nuclear_percent"].isna()), [True, False])

    def test_drift(self) -> None:
        fusion = part()
        fusion["generationmix"] = [*mix(1), {"fuel": "fusion", "perc": 1}]
        answer = {"data": [times(0) | {"regions": [LONDON | fusion]}]}
        self.assertEqual(read("carbon_regional", answer).unknown, ("fusion",))
        nameless = LONDON | part() | {"generationmix": [{"perc": 1}]}
        for wrong, said in (
            ({"regions": [nameless]}, "names no fuel"),
            ({"regions": [3]}, "'regions' is missing"),
            ({"areas": []}, "'data' is missing"),
            ({"regions": [LONDON]}, "'generationmix' is missing"),
        ):
            with self.subTest(said), self.assertRaisesRegex(SchemaError, said):
                read("carbon_regional", {"data": [times(0) | wrong]})


if __name__ == "__main__":
    unittest.main()
