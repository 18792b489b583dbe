"""Large inputs: how many days are computed at once, and that it makes no difference to a day's rows."""

from __future__ import annotations

import unittest
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd

import process_data
from domain.settlement import ONE_DAY
from domain.tables import Table, conform
from domain.windows import Window
from products import asset_forecast, best_of_infeed
from sources.vpp_files import ASSETS, FINAL, FORECASTS, LIVE, REDISPATCH

START = datetime(2024, 7, 1, tzinfo=UTC)
DAY, QUARTER = timedelta(days=1), timedelta(minutes=15)
DAYS = [START.date() + n * ONE_DAY for n in range(40)]


def frame(table: Table, rows: list[dict[str, Any]]) -> pd.DataFrame:
    names = {name for row in rows for name in row} or set(table.names)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return conform(table, columns, "the test").frame


def contract(snapshot: datetime, asset: str, point: str, contract_id: str = "C") -> dict[str, Any]:
    return {
        "snapshot_at": snapshot,
        "kind": "contract",
        "asset_id": asset,
        "contract_id": contract_id,
        "metering_point_id": point,
        "capacity_kw": 1000.0,
        "technology": "wind",
    }


class DaysAtOnce(unittest.TestCase):
    def runs(self, rows_a_day: int, days: list[date] = DAYS) -> list[int]:
        rows = Counter(dict.fromkeys(days, rows_a_day))
        return [len(run) for run in process_data._runs(days, process_data.DAYS_AT_ONCE, rows)]

    def test_small_days_go_together(self) -> None:
        self.assertEqual(self.runs(5760), [31, 9])
        self.assertEqual(self.runs(0), [31, 9])

    def test_large_days_go_in_fewer_and_the_largest_alone(self) -> None:
        self.assertEqual(self.runs(process_data.ROWS_AT_ONCE // 10), [10, 10, 10, 10])
        self.assertEqual(self.runs(process_data.ROWS_AT_ONCE * 2), [1] * 40)

    def test_a_gap_ends_a_run_and_its_rows_do_not_count_on(self) -> None:
        third = process_data.ROWS_AT_ONCE // 3
        self.assertEqual(self.runs(third, [*DAYS[:2], *DAYS[3:7]]), [2, 3, 1])


class DaysTogether(unittest.TestCase):
    """Contracts change between two days: the metering point of A, and B comes."""

    def setUp(self) -> None:
        first, second = START - DAY, START + DAY
        self.assets = frame(
            ASSETS,
            [
                contract(first, "A", "OLD"),
                contract(second, "A", "NEW"),
                contract(second, "B", "OTHER", "C1"),
                contract(second, "B", "B2", "C2"),
            ],
        )
        starts = [START + n * QUARTER for n in range(2 * 96)]
        powers = {"OLD": 1.0, "NEW": 2.0, "OTHER": 3.0, "B2": 4.0}
        self.final = frame(
            FINAL,
            [
                {"metering_point_id": point, "period_start": start, "power_kw": power}
                for point, power in powers.items()
                for start in starts
            ],
        )
        self.forecasts = frame(
            FORECASTS,
            [
                {"asset_id": asset, "version": version, "period_start": start, "power_kw": power}
                for asset in ("A", "B")
                for version, power in ((START - QUARTER, 7.0), (START + DAY, 8.0))
                for start in starts
            ],
        )

    def infeed(self, first: datetime, last: datetime) -> pd.DataFrame:
        found = best_of_infeed.compute(
            self.assets,
            self.final,
            frame(LIVE, []),
            self.forecasts,
            frame(REDISPATCH, []),
            window=Window(first, last),
            vpp_live_hold_minutes=5.0,
            vpp_live_min_coverage=0.5,
        )
        return conform(best_of_infeed.PRODUCT.table, found, "the test").frame

    def forecast(self, first: datetime, last: datetime) -> pd.DataFrame:
        found = asset_forecast.compute(self.assets, self.forecasts, window=Window(first, last))
        return conform(asset_forecast.PRODUCT.table, found, "the test").frame

    def test_a_day_is_the_same_alone_and_beside_another(self) -> None:
        for compute in (self.infeed, self.forecast):
            whole = compute(START, START + 2 * DAY)
            parts = [compute(START, START + DAY), compute(START + DAY, START + 2 * DAY)]
            alone = pd.concat(parts).sort_values(["asset_id", "period_start"], ignore_index=True)
            pd.testing.assert_frame_equal(whole, alone)

    def test_each_day_has_the_metering_point_of_its_contracts(self) -> None:
        rows = self.infeed(START, START + 2 * DAY)
        power = rows.groupby(["asset_id", rows["period_start"].dt.day])["power_kw"].unique()
        # Of two contracts for one asset the last one counts.
        self.assertEqual(
            {key: list(found) for key, found in power.items()},
            {("A", 1): [1.0], ("A", 2): [2.0], ("B", 2): [4.0]},
        )


if __name__ == "__main__":
    unittest.main()
