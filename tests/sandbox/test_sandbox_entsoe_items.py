"""The sandbox's ENTSO-E beyond load, generation and prices: what its numbers must have in common."""

import unittest
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import numpy as np

from sandbox.entsoe import Platform
from sandbox.entsoe.items import ALL
from sandbox.entsoe.zones import BORDERS, BY_KEY, CODES, ZONES, directions
from sandbox.grid import Columns
from sandbox.manners import Refusal


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


NOW = at("2025-11-15T00:00:00")
# Half of the two days has hours, half quarter hours: the auctions' change of October 2025.
FIRST, LAST = at("2025-09-29T22:00:00"), at("2025-10-01T22:00:00") - 1


def told(table: str, scope: str, first: int = FIRST, last: int = LAST, **more: Any) -> Columns:
    options = {"every": False, "scope": scope, **more}
    return Platform(7).rows(f"entsoe_{table}", first, last, options.pop("now", NOW), **options)


class Areas(unittest.TestCase):
    def test_codes_are_sixteen_letters_and_nobody_has_two(self) -> None:
        for key, code in CODES.items():
            self.assertEqual((key, len(code)), (key, 16))
        self.assertEqual(len(set(CODES.values())), len(CODES))

    def test_borders_join_known_areas_once(self) -> None:
        pairs = [frozenset((border.one, border.other)) for border in BORDERS]
        self.assertEqual(len(set(pairs)), len(pairs))
        self.assertEqual({key for pair in pairs for key in pair} - set(CODES), set())
        joined = {key for pair in pairs for key in pair}
        self.assertEqual({zone.key for zone in ZONES} - joined, set())
        self.assertEqual(len(directions()), 2 * len(BORDERS))

    def test_a_zone_of_the_coupling_is_wherever_people_look(self) -> None:
        live = {zone.key for zone in ZONES if zone.coupled and zone.ends is None}
        self.assertLessEqual({"DE_LU", "FR", "NO_2", "SE_3", "IT_NORD", "PL", "EE"}, live)
        self.assertGreater(len(live), 35)


class Exchanges(unittest.TestCase):
    def test_the_directions_of_a_border_are_never_both_large(self) -> None:
        for border in BORDERS:
            there, back = (
                told("flows", scope)["flow_mw"]
                for scope in (f"{border.one}>{border.other}", f"{border.other}>{border.one}")
            )
            if len(there) != len(back):
                continue  # a gap in one of them
            self.assertGreaterEqual(float(min(there.min(), back.min())), 0.0)
            self.assertLess(float(np.minimum(there, back).max()), 0.05 * border.mw)
            self.assertLessEqual(float(np.maximum(there, back).max()), border.mw)

    def test_flows_are_near_schedules(self) -> None:
        scope, first, last = "FR>ES", at("2024-06-01T00:00:00"), at("2024-06-15T00:00:00") - 1
        flow = dict(
            zip(*(told("flows", scope, first, last)[n] for n in ("time", "flow_mw")), strict=True)
        )
        rows = told("scheduled_exchanges", scope, first, last)
        planned = rows["contract"] == "A01"
        apart = [
            flow[time] - mw
            for time, mw in zip(rows["time"][planned], rows["scheduled_mw"][planned], strict=True)
            if time in flow
        ]
        self.assertLess(float(np.abs(apart).mean()), 300.0)
        self.assertGreater(float(np.std(apart)), 1.0)

    def test_a_net_position_is_the_sum_of_its_schedules(self) -> None:
        for zone in ("FR", "DE_LU", "AT"):  # these also border on an uncoupled zone
            expected: dict[tuple[str, int], float] = defaultdict(float)
            rows = told("net_positions", zone)
            steps = dict(zip(rows["time"].tolist(), rows["resolution_s"].tolist(), strict=True))
            self.assertEqual(set(steps.values()), {900, 3_600})
            for scope in directions():
                if zone not in scope.split(">"):
                    continue
                exchanged = told("scheduled_exchanges", scope)
                sign = 1.0 if scope.startswith(f"{zone}>") else -1.0
                for time, lasts, contract, mw in zip(
                    *(
                        exchanged[n].tolist()
                        for n in ("time", "resolution_s", "contract", "scheduled_mw")
                    ),
                    strict=True,
                ):
                    for slot in range(time, time + lasts, 900):
                        if slot in steps:
                            expected[contract, slot] += sign * mw
            for contract in ("A01", "A05"):
                mine = rows["contract"] == contract
                found = dict(
                    zip(
                        rows["time"][mine].tolist(),
                        rows["net_position_mw"][mine].tolist(),
                        strict=True,
                    )
                )
                self.assertEqual({s: expected[contract, s] for s in found}, found)

    def test_schedules_fit_into_the_capacity(self) -> None:
        for scope in ("FR>DE_LU", "DE_LU>FR", "SE_3>SE_4"):
            rows = told("scheduled_exchanges", scope)
            self.assertLessEqual(
                float(rows["scheduled_mw"].max()),
                float(told("transfer_capacity_day", scope)["transfer_capacity_mw"].min()),
            )


class Plants(unittest.TestCase):
    def test_forecasts_are_near_what_happens_and_never_it(self) -> None:
        first, last = at("2024-06-03T22:00:00"), at("2024-06-05T22:00:00") - 1
        for table, column, happened, name, most in (
            ("load_forecast_day", "load_forecast_mw", "load", "load_mw", 0.03),
            ("generation_forecast", "generation_forecast_mw", "generation", "generation_mw", 0.05),
        ):
            forecast = told(table, "FR", first, last)
            real = told(happened, "FR", first, last)
            sums = defaultdict(float)
            for time, mw in zip(real["time"].tolist(), real[name].tolist(), strict=True):
                sums[time] += mw
            off = [
                mw / sums[time] - 1.0
                for time, mw in zip(
                    forecast["time"].tolist(), forecast[column].tolist(), strict=True
                )
            ]
            self.assertLess(float(np.median(np.abs(off))), most)
            self.assertGreater(float(np.std(off)), 0.001)

    def test_later_forecasts_of_the_weather_are_better(self) -> None:
        real = told("generation", "DE_LU")
        wind = real["psr_type"] == "B19"
        happened = dict(
            zip(real["time"][wind].tolist(), real["generation_mw"][wind].tolist(), strict=True)
        )
        rows, missed = told("wind_solar_forecast", "DE_LU"), {}
        for process in ("day_ahead", "intraday", "current"):
            mine = (rows["psr_type"] == "B19") & (rows["process"] == process)
            pairs = zip(
                rows["time"][mine].tolist(), rows["forecast_mw"][mine].tolist(), strict=True
            )
            missed[process] = np.mean([abs(mw - happened[t]) for t, mw in pairs if t in happened])
        self.assertTrue(missed["day_ahead"] > missed["intraday"] > missed["current"] > 0.0)

    def test_units_stay_below_what_is_installed(self) -> None:
        year = at("2025-06-01T00:00:00"), at("2025-06-02T00:00:00")
        for zone in ("FR", "PL"):
            installed = told("installed_capacity", zone, *year)
            by_type = dict(
                zip(
                    installed["psr_type"].tolist(),
                    installed["installed_capacity_mw"].tolist(),
                    strict=True,
                )
            )
            plants = told("installed_capacity_per_unit", zone, *year)
            for psr in set(plants["psr_type"].tolist()):
                whole = plants["installed_capacity_mw"][plants["psr_type"] == psr].sum()
                self.assertLessEqual(whole, by_type[psr])
            made = told("generation", zone)
            for psr in by_type:
                mine = made["psr_type"] == psr
                self.assertLessEqual(float(made["generation_mw"][mine].max()), by_type[psr])
            units = told("generation_per_unit", zone)
            for psr in set(units["psr_type"].tolist()):
                mine = (units["psr_type"] == psr) & (units["time"] == units["time"][0])
                self.assertLessEqual(float(units["generation_mw"][mine].sum()), by_type[psr])

    def test_outages_leave_less_than_there_is(self) -> None:
        year = at("2024-01-01T00:00:00"), at("2025-01-01T00:00:00")
        for table, scope in (
            ("generation", "FR"),
            ("production", "FR"),
            ("transmission", "FR>DE_LU"),
        ):
            rows = told(f"outages_{table}", scope, *year)
            self.assertGreaterEqual(float(rows["available_mw"].min()), 0.0)
            self.assertTrue((rows["available_mw"] < rows["nominal_mw"]).all())
            self.assertTrue((rows["time"] < rows["until_time"]).all())
            self.assertTrue((rows["until_time"] <= rows["end_time"]).all())
            self.assertEqual(set(rows["status"].tolist()) - {"A05", "A09", "A13"}, set())
            history = told(f"outages_{table}", scope, *year, every=True)
            self.assertGreater(len(history["time"]), len(rows["time"]))


class Telling(unittest.TestCase):
    def scope(self, table: str) -> str:
        border = "transfer_capacity" in table or table in (
            "entsoe_flows",
            "entsoe_scheduled_exchanges",
            "entsoe_outages_transmission",
        )
        return "FR>DE_LU" if border else "FR"

    def test_a_window_is_a_part_of_every_wider_window(self) -> None:
        first, last = at("2024-07-10T13:37:00"), at("2024-07-11T02:11:00")
        for table in Platform.tables:
            if "outages" in table:
                continue
            scope = self.scope(table)
            wide = Platform(11).rows(
                table, first - 90_000, last + 90_000, NOW, every=True, scope=scope
            )
            asked = Platform(11).rows(table, first, last, NOW, every=True, scope=scope)
            inside = (wide["time"] >= first) & (wide["time"] <= last)
            lasts = wide.get("resolution_s", np.zeros(1))
            if lasts.max() > 3_600:
                # Long periods are told where they touch a window.
                inside = (wide["time"] <= last) & (wide["time"] + lasts > first)
            with self.subTest(table=table):
                self.assertGreater(len(asked["time"]), 0)
                for name, values in asked.items():
                    kind = values.dtype.kind == "f"
                    self.assertTrue(
                        np.array_equal(values, wide[name][inside], equal_nan=kind), name
                    )

    def test_an_outage_stands_in_every_window_that_it_touches(self) -> None:
        first, last = at("2024-07-10T00:00:00"), at("2024-08-12T00:00:00") - 1
        for table in ("generation", "production", "transmission"):
            scope = self.scope(f"entsoe_outages_{table}")
            year = told(f"outages_{table}", scope, first - 2 * 10**7, last + 10**7)
            touches = (year["start_time"] <= last) & (year["end_time"] > first)
            asked = told(f"outages_{table}", scope, first, last)
            self.assertGreater(touches.sum(), 0)
            self.assertEqual(sorted(asked["mrid"].tolist()), sorted(year["mrid"][touches].tolist()))

    def test_nothing_is_told_before_its_time(self) -> None:
        now = at("2024-05-05T09:00:00")
        first, last = at("2024-05-01T00:00:00"), at("2024-05-08T00:00:00")
        for table in Platform.tables:
            scope = self.scope(table)
            rows = Platform(7).rows(table, first, last, now, every=True, scope=scope)
            with self.subTest(table=table):
                if len(rows["time"]):
                    self.assertLessEqual(int(rows["publish_time"].max()), now)

    def test_nobody_tells_of_britain(self) -> None:
        first, last = at("2024-05-01T00:00:00"), at("2024-05-03T00:00:00")
        for table in Platform.tables:
            scope = self.scope(table)
            if table == "entsoe_flows":
                continue
            silent = "FR>GB" if ">" in scope else "GB"
            rows = Platform(7).rows(table, first, last, NOW, every=False, scope=silent)
            self.assertEqual((table, len(rows["time"])), (table, 0))
        self.assertGreater(len(told("flows", "FR>GB", first, last)["time"]), 0)
        self.assertIsNotNone(BY_KEY["GB"].ends)


class Every(unittest.TestCase):
    def test_every_item_answers_somewhere(self) -> None:
        platform = Platform(7)
        for item in ALL:
            code = item.parts[0][0] if item.parts else ""
            query = dict(item.codes) | ({item.by: code} if item.by else {})
            if item.border:
                query |= {"in_Domain": CODES["DE_LU"], "out_Domain": CODES["FR"]}
            else:
                query |= dict.fromkeys(item.areas, CODES["FR"])
            query |= {"documentType": item.document}
            query |= {"periodStart": "202410262200", "periodEnd": "202410272200"}
            if item.most:
                query["offset"] = "0"
            # Names of parameters are taken in any case.
            found = platform.plan({name.upper(): value for name, value in query.items()}, NOW)
            self.assertFalse(isinstance(found, Refusal), item.key)

    def test_every_zone_answers_the_core(self) -> None:
        platform = Platform(7)
        for zone in ZONES:
            if zone.ends is not None:
                continue
            code = CODES["UA_IPS"] if zone.key == "UA" else zone.eic
            stamps = {"periodStart": "202406010000", "periodEnd": "202406010200"}
            for query in (
                {"documentType": "A65", "processType": "A16", "outBiddingZone_Domain": zone.eic},
                {"documentType": "A75", "processType": "A16", "in_Domain": zone.eic},
                {"documentType": "A44", "in_Domain": code, "out_Domain": code},
            ):
                found = platform.plan(query | stamps, NOW)
                self.assertFalse(isinstance(found, Refusal), (zone.key, query))


if __name__ == "__main__":
    unittest.main()
