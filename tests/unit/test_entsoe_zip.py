"""Answers that are archives, and answers that come in pages: all of them or none."""

from __future__ import annotations

import struct
import unittest
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from domain.errors import BrokenAnswer, Refused, SchemaError
from domain.windows import Window
from fetch_data import find_datasets
from sources import entsoe_zip
from sources.entsoe import documents
from tests.unit.entsoe_documents import (
    Platform,
    acknowledgement,
    archive,
    document,
    period,
    points,
    series,
)

START = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = Window(START, START + timedelta(days=7))
ONE = document(type="A77")


class Archives(unittest.TestCase):
    def refused(self, kind: type[Exception], pattern: str, body: bytes) -> None:
        with self.assertRaisesRegex(kind, pattern):
            documents(body)

    def test_every_member_is_a_document(self) -> None:
        found = documents(archive([ONE, document(type="A80")]))
        self.assertEqual([each.fields["type"] for each in found], ["A77", "A80"])
        self.assertEqual([each.fields["type"] for each in documents(ONE)], ["A77"])

    def test_a_broken_member_is_named_and_worth_asking_again(self) -> None:
        stored = archive([ONE, b"<a>" + b"x" * 400])
        self.refused(BrokenAnswer, "'002-DOCUMENT.xml' of the archive: not well-formed", stored)
        garbled = bytearray(archive([ONE, bytes(range(256)) * 3]))
        begin = garbled.find(b"002-DOCUMENT.xml") + len("002-DOCUMENT.xml")
        garbled[begin : begin + 40] = b"\x55" * 40
        self.refused(BrokenAnswer, "'002-DOCUMENT.xml' of the archive is broken", bytes(garbled))

    def test_cut_anywhere_it_is_never_taken_for_whole(self) -> None:
        whole = archive([ONE] * 3)
        for size in range(2, len(whole) - 1, 7):
            with self.subTest(size=size):
                self.refused(BrokenAnswer, "zip|member", whole[:size])

    def test_what_is_no_document_is_refused_and_never_skipped(self) -> None:
        self.refused(SchemaError, "'001-read.me' .* no XML", archive([ONE], "{:03}-read.me"))
        self.refused(SchemaError, "'001/' .* no XML", archive([b""], "{:03}/"))
        self.refused(BrokenAnswer, "without a document", archive([]))
        refusal = acknowledgement("Authentication failed.")
        self.refused(Refused, "Authentication", archive([ONE, acknowledgement(), refusal]))

    def test_members_without_matching_data_take_nothing_from_the_others(self) -> None:
        for stored, count in (([ONE, acknowledgement(), ONE], 2), ([acknowledgement()] * 2, 0)):
            with self.subTest(count=count):
                self.assertEqual(len(documents(archive(stored))), count)

    def test_limits(self) -> None:
        body = archive([b"<a>" + b" " * 5000 + b"</a>"] * 3)
        for limit, value, said in (
            ("MOST_MEMBERS", 2, "more than 2 members"),
            ("LARGEST_MEMBER", 4000, "'001-DOCUMENT.xml' of the archive is larger"),
            ("LARGEST_IN_ALL", 15_000, "unpacks to more than"),
        ):
            with self.subTest(limit=limit), mock.patch.object(entsoe_zip, limit, value):
                self.refused(SchemaError, said, body)
        self.assertEqual(len(documents(body)), 3)
        self.refused(SchemaError, "300 times its size", archive([b"<a>" + b" " * 2**23 + b"</a>"]))

    def test_a_member_that_claims_to_be_small_gives_no_more_than_it_claims(self) -> None:
        body = archive([b"<a>" + b" " * 50_000 + b"</a>"])
        lying = body.replace(struct.pack("<L", 50_007), struct.pack("<L", 20))
        self.assertNotEqual(lying, body)
        self.refused(BrokenAnswer, "'001-DOCUMENT.xml' of the archive is broken", lying)

    def test_an_encrypted_member_is_refused(self) -> None:
        body = bytearray(archive([ONE]))
        body[6] |= 1
        body[body.find(b"PK\x01\x02") + 8] |= 1
        self.refused(SchemaError, "'001-DOCUMENT.xml' .* cannot be unpacked", bytes(body))

    def test_an_acknowledgement_is_no_data_only_where_it_says_so(self) -> None:
        self.assertEqual(documents(acknowledgement()), [])
        self.assertEqual(documents(archive([acknowledgement()])), [])
        self.refused(Refused, "Authentication failed", acknowledgement("Authentication failed."))


def message(number: int, start: str = "2026-03-02T10:00Z", end: str = "2026-03-02T12:00Z") -> bytes:
    """An outage."""
    inside = points({"position": 1, "quantity": number})
    stretch = period(start, end, "PT1M", inside, "Available_Period")
    return document(
        series(stretch, businessType="A53"),
        root="Unavailability_MarketDocument",
        mRID=f"message-{number}",
        revisionNumber=1,
        type="A77",
    )


def in_pages(count: int, page: int = 200) -> Callable[[Any], bytes]:
    """A platform with so many outages, and none withdrawn."""

    def answer(params: Any) -> bytes:
        first = int(params["offset"])
        left = 0 if "DocStatus" in params else max(count - first, 0)
        bodies = [message(first + n) for n in range(min(left, page))]
        return archive(bodies) if bodies else acknowledgement()

    return answer


class Pages(unittest.TestCase):
    def ask(self, answer: Callable[[Any], bytes], window: Window = WEEK) -> tuple[Any, Platform]:
        (dataset,) = find_datasets(["entsoe_outages_production"])
        platform = Platform(answer)
        assert callable(dataset.read)
        return dataset.read(dataset, "NL", window, platform), platform

    def test_pages_are_asked_until_one_is_not_full(self) -> None:
        for count, offsets in ((0, [0]), (199, [0]), (200, [0, 200]), (450, [0, 200, 400])):
            with self.subTest(count=count):
                answer, platform = self.ask(in_pages(count))
                self.assertEqual(len(answer.rows.frame), count)
                active = [each for each in platform.asked if "DocStatus" not in each]
                self.assertEqual([int(each["offset"]) for each in active], offsets)
                self.assertEqual(len(platform.asked), len(offsets) + 1)

    def test_a_page_that_cannot_be_had_fails_the_window(self) -> None:
        full = in_pages(600)

        def answer(params: Any) -> bytes:
            return b"<html" if params["offset"] == "400" else full(params)

        with self.assertRaises(BrokenAnswer):
            self.ask(answer)

    def test_a_full_page_stays_when_the_next_has_no_data_however_that_is_said(self) -> None:
        full = in_pages(200)

        def old(params: Any) -> bytes:
            if params["offset"] == "200":
                raise Refused("HTTP 400", 400, acknowledgement())
            return full(params)

        for answer in (full, old):
            with self.subTest(answer=answer):
                self.assertEqual(len(self.ask(answer)[0].rows.frame), 200)

    def test_a_page_that_is_refused_otherwise_fails_the_window(self) -> None:
        full = in_pages(200)
        for said in ("Data item X is not valid for this area", "Authentication failed."):

            def answer(params: Any, said: str = said) -> bytes:
                if params["offset"] == "200":
                    raise Refused("HTTP 400", 400, acknowledgement(said))
                return full(params)

            with self.subTest(said=said), self.assertRaisesRegex(Refused, said):
                self.ask(answer)

    def test_more_than_the_pages_hold_is_asked_for_in_halves(self) -> None:
        plenty = in_pages(10**6)

        def answer(params: Any) -> bytes:
            wide = params["periodStart"] == "202603020000" and params["periodEnd"] > "202603050000"
            return (plenty if wide else in_pages(3))(params)

        found, platform = self.ask(answer)
        self.assertEqual(len(found.rows.frame), 3)  # the same outages in both halves
        self.assertEqual(max(int(each["offset"]) for each in platform.asked), 4800)

    def test_an_offset_that_is_not_heeded_is_noticed(self) -> None:
        page = in_pages(200)

        def answer(params: Any) -> bytes:
            return page({**params, "offset": "0"})

        with self.assertRaisesRegex(Refused, "NL for .* repeats the one before"):
            self.ask(answer, Window(START, START + timedelta(hours=1)))

    def test_a_window_that_is_refused_as_too_wide_is_halved(self) -> None:
        for said in (
            "The number of instances (365) exceeds the allowed maximum (200) for data item X.",
            "is larger than maximum allowed period 'P1D' for 'X_R3:XML' export.",
            "The amount of requested data exceeds allowed limit",
        ):

            def answer(params: Any, said: str = said) -> bytes:
                ends = (
                    datetime.strptime(params[f"period{e}"], "%Y%m%d%H%M") for e in ("Start", "End")
                )
                start, end = ends
                if end - start > timedelta(days=1):
                    raise Refused("refused", 400, acknowledgement(said))
                return in_pages(5)(params)

            with self.subTest(said=said):
                found, platform = self.ask(answer)
                self.assertEqual(len(found.rows.frame), 5)
                spans = {(each["periodStart"], each["periodEnd"]) for each in platform.asked}
                self.assertEqual(len(spans), 8 + 7)  # a week in eighths, and what was refused

    def test_another_refusal_is_not_asked_again(self) -> None:
        def answer(params: Any) -> bytes:
            raise Refused("refused", 400, acknowledgement("Delivered Area EIC X is not valid."))

        with self.assertRaisesRegex(Refused, "entsoe_outages_production of NL .* is not valid"):
            self.ask(answer)

    def test_a_document_of_another_type_is_not_stored(self) -> None:
        with self.assertRaisesRegex(SchemaError, "type A80 came where A77 was asked"):
            self.ask(lambda _: archive([message(1).replace(b"A77", b"A80")]))


if __name__ == "__main__":
    unittest.main()
