"""cross_border_balance on flows made by hand, against sums worked out by hand.

Portugal has one border, with Spain; Spain has one more, with France.
"""

from __future__ import annotations

import unittest
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import pandas as pd

from domain.settlement import day_window, days_window
from domain.tables import Table, conform
from domain.windows import Window
from products.cross_border_balance import PRODUCT, compute
from sources.entsoe_market import FLOWS, NET_POSITIONS, SCHEDULED_EXCHANGES

SHORT, LONG, SUMMER = date(2024, 3, 31), date(2024, 10, 27), date(2024, 7, 1)
HOUR, HALF, QUARTER = 3600, 1800, 900
# border, seconds from the start of the window, length, value
Row = tuple[str, int, int, float]


def of_borders(table: Table, window: Window, rows: Iterable[Row], **more: str) -> pd.DataFrame:
    given = list(rows)
    data = {
        "border": [border for border, *_ in given],
        "from_zone": [border.partition(">")[0] for border, *_ in given],
        "to_zone": [border.partition(">")[2] for border, *_ in given],
        "period_start": pd.Series(
            [window.start + timedelta(seconds=offset) for _, offset, _, _ in given],
            dtype="datetime64[us, UTC]",
        ),
        "resolution_s": pd.Series([length for _, _, length, _ in given], dtype="int64"),
        "quantity": [float(value) for *_, value in given],
        **{name: [value] * len(given) for name, value in more.items()},
    }
    return conform(table, data, "a test").frame


def balance(
    window: Window,
    flows: Iterable[Row],
    scheduled: Iterable[Row] = (),
    ahead: Iterable[Row] = (),
    contract: str = "total",
) -> pd.DataFrame:
    positions = list(ahead)
    net = {
        "zone": [zone for zone, *_ in positions],
        "period_start": pd.Series(
            [window.start + timedelta(seconds=offset) for _, offset, _, _ in positions],
            dtype="datetime64[us, UTC]",
        ),
        "contract": ["day_ahead"] * len(positions),
        "resolution_s": pd.Series([length for _, _, length, _ in positions], dtype="int64"),
        "quantity": [float(value) for *_, value in positions],
    }
    found = compute(
        of_borders(FLOWS, window, flows),
        of_borders(SCHEDULED_EXCHANGES, window, scheduled, contract=contract),
        conform(NET_POSITIONS, net, "a test").frame,
        window=window,
    )
    rows = conform(PRODUCT.table, found, "a test")
    assert rows.unknown == () and not len(rows.older)
    return rows.frame


def at(frame: pd.DataFrame, zone: str, period: int = 1) -> dict[str, Any]:
    rows = frame[(frame["zone"] == zone) & (frame["settlement_period"] == period)]
    (row,) = rows.to_dict("records")
    return row


SPAIN_KNOWN: list[Row] = [
    ("PT>ES", 0, HOUR, 0),
    ("ES>PT", 0, HOUR, 300),
    ("ES>FR", 0, QUARTER, 0),
    ("ES>FR", QUARTER, QUARTER, 200),
    ("ES>FR", HALF, HALF, 500),
    ("FR>ES", 0, QUARTER, 100),
    ("FR>ES", QUARTER, QUARTER, 0),
    ("FR>ES", HALF, HALF, 0),
]


class Balance(unittest.TestCase):
    WINDOW = day_window(SUMMER)

    def test_exports_less_imports_with_mixed_resolutions(self) -> None:
        found = balance(self.WINDOW, SPAIN_KNOWN)
        # First half hour: 300 to PT, to FR the mean of 0 and 200; from FR the mean of 100 and 0.
        spain = at(found, "ES")
        self.assertEqual((spain["exports_mw"], spain["imports_mw"]), (400, 50))
        self.assertEqual((spain["net_position_mw"], spain["both_ways_mw"]), (350, 50))
        self.assertEqual((spain["borders"], spain["unknown_borders"]), (2, 0))
        self.assertEqual(spain["coverage"], 1)
        self.assertEqual(at(found, "ES", 2)["net_position_mw"], 800)
        portugal = at(found, "PT")
        self.assertEqual((portugal["net_position_mw"], portugal["imports_mw"]), (-300, 300))
        self.assertEqual(portugal["borders"], 1)

    def test_a_zone_with_borders_unknown_has_no_net_position(self) -> None:
        france = at(balance(self.WINDOW, SPAIN_KNOWN), "FR")
        self.assertEqual((france["exports_mw"], france["imports_mw"]), (50, 100))
        self.assertTrue(pd.isna(france["net_position_mw"]))
        self.assertGreater(france["borders"], 1)
        self.assertEqual(france["unknown_borders"], france["borders"] - 1)
        self.assertAlmostEqual(france["coverage"], 1 / france["borders"])

    def test_one_direction_alone_says_nothing(self) -> None:
        found = balance(self.WINDOW, [row for row in SPAIN_KNOWN if row[0] != "FR>ES"])
        spain = at(found, "ES")
        self.assertEqual((spain["exports_mw"], spain["imports_mw"]), (300, 0))
        self.assertTrue(pd.isna(spain["net_position_mw"]))
        self.assertEqual((spain["unknown_borders"], spain["coverage"]), (1, 0.75))
        self.assertEqual(at(found, "PT")["net_position_mw"], -300)
        self.assertTrue(pd.isna(at(found, "FR")["exports_mw"]))

    def test_where_no_row_reaches_all_is_empty_and_counted(self) -> None:
        spain = at(balance(self.WINDOW, SPAIN_KNOWN), "ES", 3)
        for name in ("net_position_mw", "exports_mw", "imports_mw", "both_ways_mw"):
            self.assertTrue(pd.isna(spain[name]), name)
        self.assertEqual((spain["unknown_borders"], spain["coverage"]), (2, 0))

    def test_schedules_and_auctions_beside_it_with_the_difference(self) -> None:
        found = balance(
            self.WINDOW,
            SPAIN_KNOWN,
            [
                ("PT>ES", 0, HOUR, 10),
                ("ES>PT", 0, HOUR, 250),
                ("ES>FR", 0, HOUR, 90),
                ("FR>ES", 0, HOUR, 0),
            ],
            [("ES", 0, HOUR, 320.0), ("DE_LU", 0, HOUR, 5.0)],
        )
        spain = at(found, "ES")
        self.assertEqual((spain["scheduled_mw"], spain["scheduled_difference_mw"]), (330, 20))
        self.assertEqual((spain["day_ahead_mw"], spain["day_ahead_difference_mw"]), (320, 30))
        portugal = at(found, "PT")
        self.assertEqual(
            (portugal["scheduled_mw"], portugal["scheduled_difference_mw"]), (-240, -60)
        )
        self.assertTrue(pd.isna(portugal["day_ahead_mw"]))
        self.assertEqual(set(found["zone"]), {"ES", "FR", "PT"})  # no flows of DE_LU

    def test_great_britain_publishes_no_schedules_and_hides_no_others(self) -> None:
        def schedule(*silent: Row) -> list[Row]:
            return [
                *((f"BE>{other}", 0, HOUR, 100.0) for other in ("FR", "NL", "DE_LU")),
                *((f"{other}>BE", 0, HOUR, 0.0) for other in ("FR", "NL", "DE_LU")),
                *silent,
            ]

        flows = [
            (border, 0, HOUR, value)
            for other, out in (("GB", 500.0), ("FR", 110.0), ("NL", 90.0), ("DE_LU", 130.0))
            for border, value in ((f"BE>{other}", out), (f"{other}>BE", 0.0))
        ]
        belgium = at(balance(self.WINDOW, flows, schedule()), "BE")
        self.assertEqual(belgium["net_position_mw"], 830)
        self.assertEqual((belgium["scheduled_mw"], belgium["scheduled_difference_mw"]), (300, 30))
        known = schedule(("BE>GB", 0, HOUR, 480), ("GB>BE", 0, HOUR, 0))
        belgium = at(balance(self.WINDOW, flows, known), "BE")
        self.assertEqual((belgium["scheduled_mw"], belgium["scheduled_difference_mw"]), (780, 50))
        # While it published, a missing schedule of its was a hole.
        before = balance(day_window(date(2021, 6, 1)), flows, schedule())
        self.assertTrue(pd.isna(at(before, "BE")["scheduled_mw"]))

    def test_only_the_total_schedule_counts(self) -> None:
        both: list[Row] = [("PT>ES", 0, HOUR, 10), ("ES>PT", 0, HOUR, 250)]
        found = balance(self.WINDOW, SPAIN_KNOWN, both, contract="day_ahead")
        self.assertTrue(pd.isna(at(found, "PT")["scheduled_mw"]))

    def test_days_of_46_and_50_periods(self) -> None:
        for day, periods in ((SHORT, 46), (LONG, 50)):
            window = day_window(day)
            hours = range(periods // 2)
            flows: list[Row] = [("PT>ES", HOUR * h, HOUR, 100 + h) for h in hours]
            flows += [("ES>PT", HOUR * h, HOUR, 0) for h in hours]
            found = balance(window, flows)
            portugal = found[found["zone"] == "PT"]
            self.assertEqual(portugal["settlement_period"].tolist(), list(range(1, periods + 1)))
            self.assertEqual(portugal["net_position_mw"].iloc[-1], 99 + periods // 2)
            self.assertEqual(portugal["net_position_mw"].isna().sum(), 0)

    def test_a_day_does_not_depend_on_its_neighbours(self) -> None:
        window = days_window(LONG, LONG + timedelta(days=1))
        second = day_window(LONG + timedelta(days=1))
        first = int(day_window(LONG).hours * HOUR)
        flows = [
            (border, first + at_s, length, value) for border, at_s, length, value in SPAIN_KNOWN
        ]
        # A cable that had rows on the first day only.
        cable: list[Row] = [("ES>XX", 0, HOUR, 7), ("XX>ES", 0, HOUR, 0)]
        both = balance(window, [*SPAIN_KNOWN, *cable, *flows])
        later = both[both["period_start"] >= second.start].reset_index(drop=True)
        pd.testing.assert_frame_equal(later, balance(second, SPAIN_KNOWN), check_exact=True)
        self.assertEqual((at(both[: len(both) // 2], "ES")["borders"]), 3)
        self.assertEqual(at(both[: len(both) // 2], "ES")["net_position_mw"], 357)

    def test_borders_are_those_of_the_day(self) -> None:
        # Germany, Austria and Luxembourg were one zone until 2018-10-01.
        flows: list[Row] = [("CZ>PL", 0, HOUR, 100), ("PL>CZ", 0, HOUR, 0)]
        borders = [
            at(balance(day_window(day), flows), "CZ")["borders"]
            for day in (date(2018, 9, 30), date(2018, 10, 1))
        ]
        self.assertEqual(borders, [3, 4])  # with PL, SK and the one, or PL, SK, AT and DE_LU

    def test_no_flows_no_lines(self) -> None:
        self.assertEqual(len(balance(self.WINDOW, [], [("PT>ES", 0, HOUR, 10)])), 0)


if __name__ == "__main__":
    unittest.main()
