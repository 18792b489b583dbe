"""The XML reader's quick way: taken for what the platform sends, and equal to the thorough one."""

import unittest

from sources import entsoe_xml


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


if __name__ == "__main__":
    unittest.main()
