"""The XML reader's quick way: taken for what the platform sends, and equal to the thorough one."""

import unittest
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from domain.errors import SchemaError
from sources import entsoe_xml

BRUSSELS = ZoneInfo("Europe/Brussels")


def document(head: bytes, points: bytes) -> bytes:
    return (
        head + b'<GL_MarketDocument xmlns="urn:x"><mRID>1</mRID><TimeSeries><mRID>1</mRID>'
        b"<curveType>A03</curveType><Period><timeInterval><start>2024-10-26T22:00Z</start>"
        b"<end>2024-10-27T23:00Z</end></timeInterval><resolution>PT60M</resolution>"
        + points
        + b"</Period></TimeSeries></GL_MarketDocument>"
    )


POINT = b"<Point>\n <position>%d</position>\n <quantity>%d</quantity>\n</Point>"


class QuickWay(unittest.TestCase):
    def quick(self, body: bytes) -> bool:
        points, skeleton = entsoe_xml._take_points_out(body)
        return points is not None and entsoe_xml._is_plain(skeleton)

    def test_it_is_taken_for_the_heads_that_the_platform_sends(self) -> None:
        for head in (
            b"",
            b'<?xml version="1.0" encoding="UTF-8"?>',
            b'<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n',
            b"<?xml version='1.0' encoding='UTF-8'?>\n",
        ):
            with self.subTest(head=head):
                self.assertTrue(self.quick(document(head, POINT % (1, 5))))

    def test_it_is_not_taken_for_what_is_unusual(self) -> None:
        for body in (
            document(b'<?xml version="1.0" encoding="latin-1"?>', POINT % (1, 5)),
            document(b"", b"<!-- a comment -->" + POINT % (1, 5)),
            document(b"", POINT % (1, 5) + b"text" + POINT % (2, 5)),
            document(b"", (POINT % (1, 5)).replace(b"<quantity>", b"<quantity unit='MAW'>")),
        ):
            with self.subTest(body=body):
                self.assertFalse(self.quick(body))

    def test_both_ways_find_the_same(self) -> None:
        empty = b"<Point><position>3</position></Point>"
        body = document(b"", POINT % (1, 5) + empty + POINT % (7, -2))
        quick = entsoe_xml.parse(body)
        thorough = entsoe_xml._Reader(None).read(body)
        self.assertTrue(self.quick(body))
        self.assertEqual(quick.fields, thorough.fields)
        for found in (quick, thorough):
            (period,) = found.series[0].periods
            self.assertEqual(period.positions.tolist(), [1, 3, 7])
            self.assertEqual(str(period.values["quantity"].tolist()), "[5.0, nan, -2.0]")


def period_of(body: bytes) -> entsoe_xml.Period:
    (period,) = entsoe_xml.parse(body).series[0].periods
    return period


class Points(unittest.TestCase):
    """The day of the documents has 25 hours."""

    def test_several_numbers_and_words_of_a_point(self) -> None:
        told = (
            b"<Point><position>1</position><quantity>5</quantity>"
            b"<secondaryQuantity>2.5</secondaryQuantity></Point>"
            b"<Point><position>2</position><quantity>6</quantity><price.category>A04</price.category></Point>"
        )
        period = period_of(document(b"", told))
        self.assertEqual(period.values["quantity"].tolist(), [5, 6])
        self.assertEqual(str(period.values["secondaryQuantity"].tolist()), "[2.5, nan]")
        self.assertEqual(period.words["price.category"].tolist(), [None, "A04"])
        slots = entsoe_xml.expand(period, "A03", BRUSSELS)
        self.assertEqual(slots.words["price.category"].tolist(), [None] + ["A04"] * 24)

    def test_an_amount_that_is_no_number_is_refused(self) -> None:
        for name in (b"quantity", b"secondaryQuantity", b"imbalance_Price.amount"):
            told = b"<Point><position>1</position><%s>many</%s></Point>" % (name, name)
            with (
                self.subTest(name=name),
                self.assertRaisesRegex(SchemaError, "'many' is not a num"),
            ):
                entsoe_xml.parse(document(b"", told))

    def test_nothing_is_lost_of_what_comes_twice(self) -> None:
        price = b"<Financial_Price><amount>%d</amount><direction>%s</direction></Financial_Price>"
        told = b"<Point><position>1</position>%s%s</Point>" % (
            price % (3, b"A01"),
            price % (4, b"A02"),
        )
        body = document(b"", told).replace(
            b"<curveType>",
            b"<Reason><code>B1</code></Reason><Reason><code>B2</code></Reason><curveType>",
        )
        found = entsoe_xml.parse(body).series[0]
        self.assertEqual(
            {k: v for k, v in found.fields.items() if "Reason" in k},
            {"Reason/code": "B1", "Reason/code[2]": "B2"},
        )
        (period,) = found.periods
        values = {name: column.tolist() for name, column in period.values.items()}
        words = {name: column.tolist() for name, column in period.words.items()}
        self.assertEqual(values, {"Financial_Price/amount": [3], "Financial_Price/amount[2]": [4]})
        self.assertEqual(words["Financial_Price/direction[2]"], ["A02"])

    def test_an_element_that_comes_without_end_is_refused(self) -> None:
        body = document(b"", b"").replace(b"<curveType>", b"<a>1</a>" * 2000 + b"<curveType>")
        with self.assertRaisesRegex(SchemaError, "a comes more than 1000 times"):
            entsoe_xml.parse(body)

    def test_a_position_that_comes_twice_gives_both_values_until_the_next(self) -> None:
        body = document(b"", POINT % (1, 5) + POINT % (1, 6) + POINT % (24, 7))
        slots = entsoe_xml.expand(period_of(body), "A03", BRUSSELS)
        self.assertEqual(slots.values["quantity"].tolist(), [5.0] * 23 + [6.0] * 23 + [7.0] * 2)
        hours = ((slots.start_s - slots.start_s[0]) // 3600).tolist()
        self.assertEqual(hours, [*range(23), *range(23), 23, 24])

    def test_positions_that_come_over_and_over_are_refused(self) -> None:
        body = document(b"", (POINT % (1, 5)) * 200).replace(b"PT60M", b"PT1S")
        with self.assertRaisesRegex(SchemaError, "over and over"):
            entsoe_xml.expand(period_of(body), "A03", BRUSSELS)

    def test_a_joined_point_is_one_slot_for_as_long_as_it_holds(self) -> None:
        body = document(b"", POINT % (1, 5) + POINT % (4, 6)).replace(
            b"Period>", b"Available_Period>"
        )
        period = period_of(body)
        for curve, hours in (("A03", [3, 22]), ("A01", [1, 1])):
            slots = entsoe_xml.expand(period, curve, BRUSSELS, join=True)
            self.assertEqual(((slots.end_s - slots.start_s) // 3600).tolist(), hours)
            self.assertEqual(slots.values["quantity"].tolist(), [5, 6])

    def test_a_day_of_local_time_is_one_slot_joined_or_not(self) -> None:
        period = period_of(document(b"", POINT % (1, 5)).replace(b"PT60M", b"P1D"))
        for join in (True, False):
            slots = entsoe_xml.expand(period, "A03", BRUSSELS, join=join)
            self.assertEqual((slots.end_s - slots.start_s).tolist(), [25 * 3600])


class Months(unittest.TestCase):
    """Edges of months and years in the clock of Brussels, from the midnights of several clocks."""

    def edges(self, *told: str, step: str = "P1M") -> list[str]:
        """The edges of a period from the first to the last time of these, as they were found."""
        body = document(b"", POINT % (1, 5)).replace(b"PT60M", step.encode())
        body = body.replace(b"2024-10-26T22:00Z", told[0].encode())
        body = body.replace(b"2024-10-27T23:00Z", told[-1].encode())
        slots = entsoe_xml.expand(period_of(body), "A03", BRUSSELS)
        self.assertEqual(slots.start_s.tolist()[1:], slots.end_s.tolist()[:-1])
        moments = [*slots.start_s.tolist(), slots.end_s.tolist()[-1]]
        return [datetime.fromtimestamp(s, UTC).strftime("%Y-%m-%dT%H:%MZ") for s in moments]

    def test_a_month_is_one_slot_by_whose_midnight_it_begins(self) -> None:
        for told in (
            # January to April and December of Brussels, Helsinki, London and UTC: 31, 28 or 29, 30 days.
            ("2024-12-31T23:00Z", "2025-01-31T23:00Z"),
            ("2024-12-31T22:00Z", "2025-01-31T22:00Z"),
            ("2025-01-31T23:00Z", "2025-02-28T23:00Z"),
            ("2025-01-31T22:00Z", "2025-02-28T22:00Z"),
            ("2025-02-01T00:00Z", "2025-03-01T00:00Z"),
            ("2024-01-31T22:00Z", "2024-02-29T22:00Z"),
            ("2025-02-28T23:00Z", "2025-03-31T22:00Z"),
            ("2025-02-28T22:00Z", "2025-03-31T21:00Z"),
            ("2025-03-01T00:00Z", "2025-03-31T23:00Z"),
            ("2025-03-01T00:00Z", "2025-04-01T00:00Z"),
            ("2025-03-31T21:00Z", "2025-04-30T21:00Z"),
            ("2025-03-31T22:00Z", "2025-04-30T22:00Z"),
            ("2025-11-30T22:00Z", "2025-12-31T22:00Z"),
        ):
            with self.subTest(told=told):
                self.assertEqual(self.edges(*told), list(told))

    def test_months_that_follow_each_other_keep_their_midnight(self) -> None:
        for told in (
            ("2024-11-30T22:00Z", "2024-12-31T22:00Z", "2025-01-31T22:00Z", "2025-02-28T22:00Z",
             "2025-03-31T21:00Z", "2025-04-30T21:00Z"),
            ("2024-12-31T23:00Z", "2025-01-31T23:00Z", "2025-02-28T23:00Z", "2025-03-31T22:00Z"),
        ):  # fmt: skip
            with self.subTest(told=told):
                self.assertEqual(self.edges(*told), list(told))

    def test_a_day_that_a_month_does_not_have_is_its_last(self) -> None:
        told = ("2025-01-30T23:00Z", "2025-02-27T23:00Z", "2025-03-30T22:00Z")
        self.assertEqual(self.edges(*told), list(told))

    def test_a_month_that_its_period_cuts_ends_with_it(self) -> None:
        told = ("2025-01-31T22:00Z", "2025-02-10T22:00Z")
        self.assertEqual(self.edges(*told), list(told))

    def test_years_long_and_short(self) -> None:
        for told in (
            ("2022-12-31T23:00Z", "2023-12-31T23:00Z", "2024-12-31T23:00Z"),
            ("2022-12-31T22:00Z", "2023-12-31T22:00Z", "2024-12-31T22:00Z"),
            ("2024-02-28T23:00Z", "2025-02-27T23:00Z"),  # from 29 February
        ):
            with self.subTest(told=told):
                self.assertEqual(self.edges(*told, step="P1Y"), list(told))


if __name__ == "__main__":
    unittest.main()
