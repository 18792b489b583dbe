"""The sandbox's Carbon Intensity API: paths, the extra row, what is null, what is overwritten."""

import itertools
import json
import unittest
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from sandbox.answers import Call
from sandbox.calendar import to_instant
from sandbox.carbon import CarbonIntensity
from sandbox.carbon.model import FUELS
from sandbox.grid import Columns
from sandbox.manners import Refusal

NOW = to_instant("2024-11-15T10:40:00Z")
SITE = CarbonIntensity(7)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def ask(path: str, now: int = NOW) -> Any:
    found = SITE.respond(Call(path, {}, now))
    assert not isinstance(found, Refusal), path
    return json.loads(found.encode())["data"]


def refusal(path: str) -> tuple[int, Any]:
    found = SITE.respond(Call(path, {}, NOW))
    assert isinstance(found, Refusal), path
    return found.status, json.loads(found.body)


def truth(table: str, start: str, end: str, now: int = NOW) -> Columns:
    return SITE.rows(table, at(start), at(end) - 1, now, every=False)


def froms(rows: list[dict[str, Any]]) -> list[str]:
    return [row["from"] for row in rows]


class Windows(unittest.TestCase):
    def test_the_first_row_ends_at_from(self) -> None:
        rows = ask("/intensity/2024-10-27T00:00Z/2024-10-27T03:00Z")
        self.assertEqual(rows[0]["from"], "2024-10-26T23:30Z")
        self.assertEqual(
            (rows[-1]["from"], rows[-1]["to"]), ("2024-10-27T02:30Z", "2024-10-27T03:00Z")
        )
        self.assertEqual(len(rows), 7)
        for row, after in itertools.pairwise(rows):
            self.assertEqual(row["to"], after["from"])

    def test_windows_of_a_day_or_two(self) -> None:
        for path, count, first in (
            ("/intensity/2024-11-01T00:00Z/fw24h", 49, "2024-10-31T23:30Z"),
            ("/intensity/2024-11-01T00:00Z/fw48h", 97, "2024-10-31T23:30Z"),
            ("/intensity/2024-11-01T00:00Z/pt24h", 49, "2024-10-30T23:30Z"),
            ("/generation/2024-11-01T00:00Z/pt24h", 49, "2024-10-30T23:30Z"),
            ("/intensity/date/2024-03-31", 48, "2024-03-31T00:00Z"),
            ("/intensity/date/2024-10-27/48", 1, "2024-10-27T23:30Z"),
            ("/intensity/2024-11-01T00:00Z", 1, "2024-10-31T23:30Z"),
            ("/intensity/2024-11-01T00:10Z", 1, "2024-11-01T00:00Z"),
        ):
            rows = ask(path)
            self.assertEqual((len(rows), rows[0]["from"]), (count, first), path)

    def test_fourteen_days_at_most(self) -> None:
        self.assertEqual(len(ask("/intensity/2024-10-20T00:00Z/2024-11-03T00:00Z")), 14 * 48 + 1)
        self.assertEqual(refusal("/intensity/2024-10-20T00:00Z/2024-11-03T00:01Z")[0], 400)
        self.assertEqual(refusal("/regional/intensity/2024-10-01T00:00Z/2024-11-03T00:00Z")[0], 400)

    def test_what_is_not_read(self) -> None:
        words = {
            "error": {
                "code": "400 Bad Request",
                "message": "Please enter a valid path e.g. /intensity/",
            }
        }
        for path in (
            "",
            "/",
            "/intensities",
            "/intensity/2024-11-01",
            "/intensity/2024-11-01T00:00:00Z/2024-11-01T01:00:00Z",
            "/intensity/2024-11-02T00:00Z/2024-11-01T00:00Z",
            "/intensity/2024-13-01T00:00Z/2024-13-01T01:00Z",
            "/intensity/date/2024-02-30",
            "/intensity/date/2024-02-28/49",
            "/generation/2024-11-01T00:00Z/fw24h",
            "/regional/regionid/19",
            "/regional/intensity/2024-11-01T00:00Z/fw24h/postcode/ZZ1",
        ):
            self.assertEqual(refusal(path), (400, words), path)

    def test_nothing_before_the_first_day_nor_beyond_the_forecast(self) -> None:
        self.assertEqual(ask("/intensity/2017-01-01T00:00Z/2017-01-02T00:00Z"), [])
        rows = ask("/intensity/2024-11-15T00:00Z/2024-11-28T00:00Z")
        self.assertEqual(rows[-1]["from"], "2024-11-17T10:30Z")
        mixes = ask("/generation/2024-11-15T00:00Z/2024-11-28T00:00Z")
        self.assertEqual(mixes[-1]["from"], "2024-11-15T10:30Z")


class Intensity(unittest.TestCase):
    def test_actual_comes_a_quarter_of_an_hour_after_the_period(self) -> None:
        def actual(clock: str) -> Any:
            now = at(f"2024-10-27T{clock}")
            return ask("/intensity/2024-10-27T09:00Z", now)[0]["intensity"]["actual"]

        self.assertIsNone(actual("08:59"))
        self.assertIsNone(actual("09:14"))
        self.assertIsInstance(actual("09:15"), int)

    def test_some_actuals_never_come(self) -> None:
        start, end = "2024-06-01T00:00", "2024-08-01T00:00"
        known = truth("carbon_intensity", start, end)
        missing = known["start_time"][np.isnan(known["actual_gco2_per_kwh"])].tolist()
        holes = SITE.holes("carbon_intensity", at(start), at(end) - 1)
        assert holes is not None
        self.assertEqual(missing, holes["start_time"].tolist())
        self.assertTrue(0 < len(missing) < 60)
        moment = datetime.fromtimestamp(missing[0], UTC)
        path = f"/intensity/{moment + timedelta(minutes=30):%Y-%m-%dT%H:%MZ}"
        self.assertIsNone(ask(path)[0]["intensity"]["actual"])

    def test_forecasts_are_overwritten_until_the_period_starts(self) -> None:
        path = "/intensity/2024-11-10T12:30Z"
        told = [
            ask(path, at("2024-11-10T12:00") + shift * 1_800)[0]["intensity"]["forecast"]
            for shift in range(-90, 8)
        ]
        self.assertGreater(len(set(told[:90])), 10)
        self.assertEqual(len(set(told[90:])), 1)

    def test_the_answer_is_the_truth(self) -> None:
        rows = ask("/intensity/2024-10-27T00:30Z/2024-10-28T00:00Z")
        known = truth("carbon_intensity", "2024-10-27T00:00", "2024-10-28T00:00")
        self.assertEqual([at(f[:-1]) for f in froms(rows)], known["start_time"].tolist())
        self.assertEqual(
            [row["intensity"]["forecast"] for row in rows], known["forecast_gco2_per_kwh"].tolist()
        )
        self.assertEqual(
            [row["intensity"]["actual"] for row in rows], known["actual_gco2_per_kwh"].tolist()
        )
        self.assertEqual([row["intensity"]["index"] for row in rows], known["index"].tolist())


class Regions(unittest.TestCase):
    window = "2024-10-27T00:30Z/2024-10-28T00:00Z"

    def test_both_shapes_say_the_same(self) -> None:
        periods = ask(f"/regional/intensity/{self.window}")
        region = ask(f"/regional/intensity/{self.window}/regionid/13")
        self.assertEqual((region["regionid"], region["shortname"]), (13, "London"))
        self.assertEqual(len(periods), 48)
        for period, mine in zip(periods, region["data"], strict=True):
            self.assertEqual([one["regionid"] for one in period["regions"]], list(range(1, 19)))
            theirs = period["regions"][12]
            self.assertEqual(set(mine), {"from", "to", "intensity", "generationmix"})
            self.assertEqual(set(mine["intensity"]), {"forecast", "index"}, "no actual")
            self.assertEqual(mine["generationmix"], theirs["generationmix"])
            self.assertEqual(mine["intensity"], theirs["intensity"])
        by_postcode = ask(f"/regional/intensity/{self.window}/postcode/SW1")
        self.assertEqual((by_postcode["postcode"], by_postcode["data"]), ("SW1", region["data"]))

    def test_the_present_half_hour_is_a_list(self) -> None:
        self.assertEqual(ask("/regional/regionid/3")[0]["data"][0]["from"], "2024-11-15T10:30Z")
        self.assertEqual(ask("/regional/wales")[0]["shortname"], "Wales")
        self.assertEqual(len(ask("/regional")[0]["regions"]), 18)

    def test_truth_with_rows_of_zeros(self) -> None:
        known = truth("carbon_regional", "2024-06-01T00:00", "2024-06-15T00:00")
        self.assertEqual(len(known["start_time"]), 14 * 48 * 18)
        total = sum(known[f"{fuel}_percent"] for fuel in FUELS)
        zeros = total == 0.0
        self.assertTrue(10 < zeros.sum() < 200)
        self.assertTrue((known["forecast_gco2_per_kwh"][zeros] == 0.0).all())
        self.assertTrue((abs(total[~zeros] - 100.0) < 0.5).all())
        quiet = truth("carbon_regional", "2024-10-27T00:00", "2024-10-28T00:00")
        self.assertTrue((sum(quiet[f"{fuel}_percent"] for fuel in FUELS) > 0.0).all())
        day = ask("/regional/intensity/2024-06-03T00:30Z/2024-06-04T00:00Z")
        place = 2 * 48 * 18
        told = [one["generationmix"][8]["perc"] for row in day for one in row["regions"]]
        self.assertEqual(told, known["wind_percent"][place : place + 48 * 18].tolist())


class Mix(unittest.TestCase):
    def test_an_object_for_now_and_a_list_for_windows(self) -> None:
        self.assertEqual(ask("/generation")["from"], "2024-11-15T10:30Z")
        rows = ask("/generation/2024-10-27T00:30Z/2024-10-28T00:00Z")
        known = truth("carbon_generation_mix", "2024-10-27T00:00", "2024-10-28T00:00")
        told = [(one["fuel"], one["perc"]) for row in rows for one in row["generationmix"]]
        self.assertEqual(told, list(zip(known["fuel"], known["percent"], strict=True)))

    def test_statistics_and_factors(self) -> None:
        blocks = ask("/intensity/stats/2024-10-27T00:00Z/2024-10-28T00:00Z/12")
        self.assertEqual(len(blocks), 3)
        rows = ask("/intensity/2024-10-27T00:00Z/2024-10-28T00:00Z")
        values = [row["intensity"]["forecast"] for row in rows]
        self.assertEqual(blocks[0]["intensity"]["max"], max(values[:24]))
        self.assertIn("Coal", ask("/intensity/factors")[0])


class Purity(unittest.TestCase):
    def test_a_window_is_a_part_of_every_wider_window(self) -> None:
        for table in CarbonIntensity.tables:
            wide = CarbonIntensity(5).rows(
                table, at("2024-11-01"), at("2024-11-20"), NOW, every=False
            )
            low, high = at("2024-11-14T05:17"), at("2024-11-16T01:00")
            asked = CarbonIntensity(5).rows(table, low, high, NOW, every=False)
            inside = (wide["start_time"] >= low) & (wide["start_time"] <= high)
            self.assertGreater(inside.sum(), 50)
            for name, values in wide.items():
                np.testing.assert_array_equal(values[inside], asked[name], f"{table} {name}")


if __name__ == "__main__":
    unittest.main()
