"""generation_mix on inputs made by hand, against shares worked out by hand."""

from __future__ import annotations

import unittest
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from domain.psr_types import GROUPS, PSR_TYPES, group_of
from domain.settlement import day_window, days_window
from domain.tables import conform
from domain.windows import Window
from products.generation_mix import PRODUCT, compute
from sources.entsoe_power import GENERATION

SHORT, LONG, SUMMER = date(2024, 3, 31), date(2024, 10, 27), date(2024, 7, 1)
HOUR, HALF, QUARTER = 3600, 1800, 900
SOLAR, WIND_ON, WIND_OFF, GAS, PUMPED = "B16", "B19", "B18", "B04", "B10"
# zone, seconds from the start of the day, length, type, generation, consumption
Row = tuple[str, int, int, str, float | None, float | None]


def mix(window: Window, rows: Iterable[Row], start: datetime | None = None) -> pd.DataFrame:
    """The product's rows; times count from the start of the window."""
    zones, offsets, lengths, types, made, used = zip(*rows, strict=True)
    first = start or window.start
    data = {
        "zone": zones,
        "period_start": [first + timedelta(seconds=offset) for offset in offsets],
        "psr_type": types,
        "resolution_s": lengths,
        "generation": pd.Series(made, dtype="float64"),
        "consumption": pd.Series(used, dtype="float64"),
    }
    given = conform(GENERATION, pd.DataFrame(data), "a test").frame
    found = conform(PRODUCT.table, compute(given, window=window), "a test")
    assert found.unknown == () and not len(found.older)
    return found.frame


def at(frame: pd.DataFrame, group: str, period: int = 1, zone: str = "FR") -> dict[str, Any]:
    """The line of a group in a settlement period of the first day."""
    rows = frame[(frame["psr_group"] == group) & (frame["zone"] == zone)]
    (row,) = rows[rows["settlement_period"] == period].to_dict("records")
    return row


class Mix(unittest.TestCase):
    WINDOW = day_window(SUMMER)

    def test_quarter_hours_and_hours_are_weighted_by_time(self) -> None:
        found = mix(
            self.WINDOW,
            [
                ("FR", 0, QUARTER, SOLAR, 10, None),
                ("FR", QUARTER, QUARTER, SOLAR, 30, None),
                ("FR", 0, HOUR, WIND_ON, 50, None),
                ("FR", 0, HOUR, WIND_OFF, 10, None),
            ],
        )
        # Solar 20 of 80, both winds 60 of 80.
        solar, wind = at(found, "solar"), at(found, "wind")
        self.assertEqual((solar["generation_mw"], solar["share"]), (20, 0.25))
        self.assertEqual((wind["generation_mw"], wind["share"]), (60, 0.75))
        self.assertEqual((wind["coverage"], wind["unknown_types"]), (1, 0))
        self.assertEqual(len(found), 2 * 48)

    def test_storage_is_a_group_and_what_it_takes_is_never_netted(self) -> None:
        found = mix(
            self.WINDOW,
            [
                ("FR", 0, HALF, PUMPED, 25, 100),
                ("FR", 0, HALF, GAS, 75, 5),
                ("FR", HALF, HALF, PUMPED, 0, 400),
                ("FR", HALF, HALF, GAS, 75, None),
            ],
        )
        storage, gas = at(found, "storage"), at(found, "gas")
        self.assertEqual((storage["share"], storage["consumption_mw"]), (0.25, 100))
        self.assertEqual((gas["share"], gas["consumption_mw"]), (0.75, 5))
        storage, gas = at(found, "storage", 2), at(found, "gas", 2)
        self.assertEqual((storage["share"], storage["consumption_mw"]), (0, 400))
        self.assertEqual(gas["share"], 1)
        self.assertTrue(pd.isna(gas["consumption_mw"]))  # nobody says

    def test_a_type_that_only_consumes_has_no_share_and_hides_none(self) -> None:
        found = mix(
            self.WINDOW,
            [("FR", 0, HALF, PUMPED, None, 100), ("FR", 0, HALF, GAS, 75, None)],
        )
        storage, gas = at(found, "storage"), at(found, "gas")
        self.assertTrue(pd.isna(storage["generation_mw"]) and pd.isna(storage["share"]))
        self.assertEqual((storage["consumption_mw"], storage["coverage"]), (100, 0))
        self.assertEqual((gas["share"], gas["unknown_types"]), (1, 0))

    def test_storage_published_in_one_direction_at_a_time_does_nothing_in_the_other(self) -> None:
        rows: list[Row] = [("FR", HOUR * n, HOUR, GAS, 75, None) for n in range(3)]
        rows += [
            ("FR", 0, HOUR, PUMPED, None, 400),
            ("FR", HOUR, HOUR, PUMPED, 25, None),
            ("FR", 2 * HOUR, QUARTER, PUMPED, 50, None),
            ("FR", 2 * HOUR + QUARTER, QUARTER, PUMPED, None, 80),
        ]
        found = mix(self.WINDOW, rows)
        # The last half hour makes 25 and takes 40 in the mean.
        for period, made, used, share in ((1, 0, 400, 0), (3, 25, 0, 0.25), (5, 25, 40, 0.25)):
            storage, gas = at(found, "storage", period), at(found, "gas", period)
            with self.subTest(period=period):
                self.assertEqual(
                    (storage["generation_mw"], storage["consumption_mw"]), (made, used)
                )
                self.assertEqual((storage["share"], gas["share"]), (share, 1 - share))
                self.assertEqual((storage["coverage"], storage["unknown_types"]), (1, 0))
        # Where nothing is published, nothing is known.
        self.assertEqual(at(found, "gas", 6)["unknown_types"], 1)
        self.assertTrue(pd.isna(at(found, "storage", 6)["generation_mw"]))

    def test_what_another_type_takes_does_not_say_what_it_makes(self) -> None:
        found = mix(
            self.WINDOW,
            [
                ("FR", 0, HALF, SOLAR, 25, None),
                ("FR", HALF, HALF, SOLAR, None, 1),
                ("FR", 0, HOUR, GAS, 75, None),
            ],
        )
        self.assertEqual(at(found, "solar")["share"], 0.25)
        self.assertTrue(pd.isna(at(found, "solar")["consumption_mw"]))
        self.assertTrue(pd.isna(at(found, "solar", 2)["generation_mw"]))
        self.assertEqual(at(found, "gas", 2)["unknown_types"], 1)

    def test_whether_storage_has_both_sides_is_told_day_by_day(self) -> None:
        window = days_window(SUMMER, SUMMER + timedelta(days=1))
        day = 24 * HOUR
        rows: list[Row] = [("FR", n, HOUR, GAS, 75, None) for n in (0, HOUR, day)]
        rows += [("FR", n, HOUR, PUMPED, None, 100) for n in (0, day)]
        rows += [("FR", HOUR, HOUR, PUMPED, 25, None)]
        both = mix(window, rows)
        second = day_window(SUMMER + timedelta(days=1))
        later = both[both["period_start"] >= second.start].reset_index(drop=True)
        alone = mix(second, [row for row in rows if row[1] >= day - HOUR], window.start)
        pd.testing.assert_frame_equal(later, alone, check_exact=True)
        self.assertEqual(at(both[:96], "storage")["generation_mw"], 0)
        self.assertTrue(alone[alone["psr_group"] == "storage"]["generation_mw"].isna().all())

    def test_what_draws_more_than_it_makes_has_no_share(self) -> None:
        found = mix(self.WINDOW, [("FR", 0, HALF, SOLAR, -2, None), ("FR", 0, HALF, GAS, 50, None)])
        self.assertEqual(
            (at(found, "solar")["generation_mw"], at(found, "solar")["share"]), (-2, 0)
        )
        self.assertEqual(at(found, "gas")["share"], 1)

    def test_one_unknown_type_leaves_all_shares_of_its_zone_empty(self) -> None:
        found = mix(
            self.WINDOW,
            [
                ("FR", 0, HOUR, GAS, 50, None),
                ("FR", 0, HALF, WIND_ON, 50, None),
                ("FR", 0, HOUR, WIND_OFF, 100, None),
                ("PT", 0, HOUR, GAS, 10, None),
            ],
        )
        self.assertEqual(at(found, "wind")["share"], 0.75)
        gas, wind = at(found, "gas", 2), at(found, "wind", 2)
        self.assertEqual((gas["generation_mw"], gas["unknown_types"]), (50, 1))
        self.assertTrue(pd.isna(gas["share"]) and pd.isna(wind["share"]))
        self.assertTrue(pd.isna(wind["generation_mw"]))
        self.assertEqual((wind["coverage"], gas["coverage"]), (0, 1))
        self.assertEqual(at(found, "gas", 2, "PT")["share"], 1)

    def test_half_a_period_is_enough_and_less_is_not(self) -> None:
        for length, known in ((QUARTER, True), (QUARTER - 60, False)):
            row = at(mix(self.WINDOW, [("FR", 0, length, GAS, 50, None)]), "gas")
            self.assertEqual(pd.notna(row["share"]), known)
            self.assertEqual(row["coverage"], length / HALF)

    def test_nothing_at_all_generated_is_no_share(self) -> None:
        row = at(mix(self.WINDOW, [("FR", 0, HALF, SOLAR, 0, None)]), "solar")
        self.assertEqual(row["generation_mw"], 0)
        self.assertTrue(pd.isna(row["share"]))

    def test_days_of_46_and_50_periods(self) -> None:
        for day, periods in ((SHORT, 46), (LONG, 50)):
            window = day_window(day)
            hours = range(periods // 2)
            rows = [("FR", HOUR * h, HOUR, GAS, 10.0 * (h + 1), None) for h in hours]
            rows += [("FR", HOUR * h, HOUR, SOLAR, 30.0 * (h + 1), None) for h in hours]
            found = mix(window, rows)
            self.assertEqual(found["settlement_period"].max(), periods)
            self.assertEqual(len(found), 2 * periods)
            self.assertEqual(set(found["share"]), {0.25, 0.75})
            self.assertEqual(at(found, "gas", periods)["generation_mw"], 5 * periods)

    def test_a_day_does_not_depend_on_its_neighbours(self) -> None:
        window = days_window(LONG, LONG + timedelta(days=1))
        first = int(day_window(LONG).hours * HOUR)
        # On the second day wind is gone, which leaves solar its share; on the first it has a gap.
        rows = [
            ("FR", offset, HOUR, SOLAR, 10, None) for offset in range(0, first + 4 * HOUR, HOUR)
        ]
        rows += [("FR", offset, HOUR, WIND_ON, 30, None) for offset in range(0, first - HOUR, HOUR)]
        both = mix(window, rows)
        second = day_window(LONG + timedelta(days=1))
        alone = mix(second, [r for r in rows if r[1] >= first - HOUR], window.start)
        later = both[both["period_start"] >= second.start].reset_index(drop=True)
        pd.testing.assert_frame_equal(later, alone, check_exact=True)
        self.assertEqual(alone["share"][0], 1)
        self.assertEqual(both["unknown_types"].max(), 1)

    def test_shares_of_a_zone_sum_to_one_where_known(self) -> None:
        rows = [
            (zone, HALF * n, HALF, code, float((7 * n + 13 * i + len(zone)) % 97), None)
            for zone in ("FR", "DE_LU")
            for n in range(48)
            for i, code in enumerate(PSR_TYPES)
            if (n, code) != (5, GAS)
        ]
        found = mix(self.WINDOW, rows)
        sums = found.groupby(["zone", "settlement_period"])["share"].sum(min_count=1)
        self.assertEqual(sums[sums.isna()].index.tolist(), [("DE_LU", 6), ("FR", 6)])
        self.assertTrue((abs(sums.dropna() - 1) < 1e-12).all())
        self.assertEqual(set(found["psr_group"]), set(GROUPS))

    def test_nothing_stored_is_nothing(self) -> None:
        empty = conform(GENERATION, {c.spelling: [] for c in GENERATION.columns}, "a test").frame
        self.assertEqual(len(compute(empty, window=self.WINDOW)), 0)


class Groups(unittest.TestCase):
    def test_every_production_type_of_the_code_list_has_one(self) -> None:
        generating = {f"B{n:02}" for n in (*range(1, 21), 25)}  # B21 to B24 are lines and stations
        self.assertEqual(set(PSR_TYPES), generating)
        self.assertEqual(group_of("B12"), "hydro")
        self.assertEqual(group_of(""), "other")


if __name__ == "__main__":
    unittest.main()
