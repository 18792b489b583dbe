"""Counting of the benchmark of all zones: requests in a span, values against values."""

import unittest

from benchmarks.entsoe_cases import compared
from benchmarks.entsoe_zones import most_in


class MostIn(unittest.TestCase):
    def test_a_span_is_half_open_and_may_begin_at_any_request(self) -> None:
        moments = [0.0, 50.0, 55.0, 60.0, 109.0, 110.0]
        self.assertEqual(most_in(moments, 60), 4)  # from 50 up to 109, without 110
        self.assertEqual(most_in(moments, 10), 2)

    def test_none(self) -> None:
        self.assertEqual(most_in([], 60), 0)


class ComparedValues(unittest.TestCase):
    RIGHT = ((0, "B01", 1.0), (900, "B01", 2.0), (1800, "B01", 3.0), (0, "B02", 4.0))

    def test_equal_in_any_order(self) -> None:
        self.assertEqual(compared(self.RIGHT, self.RIGHT[::-1]).said, "all 4 equal")

    def test_each_way_of_being_wrong_is_counted_apart(self) -> None:
        found = [
            (0, "B01", 1.0),
            (0, "B01", 9.0),  # the second of one slot: the first counts
            (900, "B01", 2.5),
            (0, "B02", 4.0),
            (2700, "B01", 3.0),
        ]
        outcome = compared(self.RIGHT, found)
        self.assertEqual(outcome[:], (4, 2, 1, 1, 1, 1))
        self.assertEqual(
            outcome.said, "of 4: 2 equal, 1 different, 1 missing, 1 where none is, 1 twice"
        )


if __name__ == "__main__":
    unittest.main()
