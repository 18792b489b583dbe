"""The list of areas: what of it can be checked against itself, and what people ask of it."""

import re
import unittest
from datetime import date

from domain.zones import (
    BIDDING_ZONE,
    LIVE,
    ZONES,
    borders_of,
    control_areas_of,
    ends_of,
    find_border,
    find_zones,
    imbalance_areas_of,
    published,
)

KINDS = {BIDDING_ZONE, "interconnector", "control area", "country", "imbalance area"}
# Weights of the EIC check character: 16 for the first, 2 for the last before it.
EIC_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-"


def check_character(eic: str) -> str:
    """The last character of an EIC code, by the rule of the EIC manual."""
    total = sum((16 - place) * EIC_LETTERS.index(sign) for place, sign in enumerate(eic[:15]))
    return EIC_LETTERS[36 - (total - 1) % 37]


class List(unittest.TestCase):
    def test_neighbours_are_neighbours_of_each_other(self) -> None:
        for zone in ZONES.values():
            for key in zone.neighbours:
                with self.subTest(zone=zone.key, neighbour=key):
                    self.assertIn(zone.key, ZONES[key].neighbours)

    def test_nobody_borders_on_itself_or_twice(self) -> None:
        for zone in ZONES.values():
            self.assertNotIn(zone.key, zone.neighbours)
            self.assertEqual(len(set(zone.neighbours)), len(zone.neighbours), zone.key)

    def test_neighbours_were_there_at_the_same_time(self) -> None:
        for zone in ZONES.values():
            for other in (ZONES[key] for key in zone.neighbours):
                with self.subTest(border=f"{zone.key}>{other.key}"):
                    self.assertLess(max(zone.since, other.since), min(zone.until, other.until))

    def test_codes_are_valid_and_each_areas_own(self) -> None:
        codes = [zone.eic for zone in ZONES.values()]
        self.assertEqual(len(set(codes)), len(codes))
        for zone in ZONES.values():
            with self.subTest(zone=zone.key):
                self.assertRegex(zone.eic, r"^\d\d[A-Z][0-9A-Z-]{13}$")
                self.assertEqual(zone.eic[-1], check_character(zone.eic))

    def test_what_it_refers_to_is_in_it(self) -> None:
        for zone in ZONES.values():
            with self.subTest(zone=zone.key):
                self.assertIn(zone.kind, KINDS)
                self.assertTrue(zone.title)
                self.assertIsNotNone(zone.clock)
                for key in (*zone.control_areas, *zone.codes.values()):
                    self.assertIn(key, ZONES)
                for document_type in zone.codes:
                    self.assertRegex(document_type, r"^[AB]\d\d$")
                for name in (zone.key, *zone.aliases):
                    self.assertTrue(re.fullmatch(r"[A-Z0-9_]+", name), name)

    def test_france_and_the_netherlands_have_no_border(self) -> None:
        self.assertNotIn("NL", ZONES["FR"].neighbours)
        with self.assertRaisesRegex(ValueError, "FR and NL have no border; FR has one with BE"):
            find_border("FR>NL")

    def test_iceland_has_its_own_code(self) -> None:
        self.assertEqual(ZONES["IS"].eic, "10Y1001A1001A958")


class Words(unittest.TestCase):
    def test_all_are_the_bidding_zones_that_publish_today(self) -> None:
        found = find_zones(["all"])
        self.assertEqual(found, LIVE)
        for key in ("DE_LU", "IT_CALA", "NO_5", "XK"):
            self.assertIn(key, found)
        for key in ("DE_AT_LU", "IT_BRNN", "GB", "RU", "DE_50HZ", "DE", "GB_IFA"):
            self.assertNotIn(key, found)

    def test_an_area_has_a_key_a_code_and_other_names(self) -> None:
        self.assertEqual(
            find_zones(["FR", "10YFR-RTE------C", "LU_BZN", "GB_NIR"]), ("FR", "DE_LU", "NIE")
        )

    def test_an_unknown_word_is_told(self) -> None:
        with self.assertRaisesRegex(ValueError, "^'XX' is no area of ENTSO-E; it may hold all,"):
            find_zones(["FR", "XX"])

    def test_a_border_is_written_with_an_arrow(self) -> None:
        self.assertEqual(find_border("FR > LU_BZN"), "FR>DE_LU")
        for text in ("FR", "FR-BE", "FR>", ">FR"):
            with self.subTest(text=text), self.assertRaisesRegex(ValueError, "FROM>TO"):
                find_border(text)

    def test_borders_of_areas_are_both_directions_once_each(self) -> None:
        self.assertEqual(
            borders_of(["ES", "PT"]), ("ES>FR", "FR>ES", "ES>PT", "PT>ES")
        )  # fmt: skip

    def test_borders_lead_to_bidding_zones_that_are_there(self) -> None:
        found = borders_of(["FR"])
        self.assertIn("GB>FR", found)
        self.assertIn("FR>IT_NORD", found)
        for other in ("DE_AT_LU", "IT", "IT_NORD_FR"):
            self.assertNotIn(f"FR>{other}", found)

    def test_control_areas_stand_for_a_zone_that_has_several(self) -> None:
        self.assertEqual(
            control_areas_of(["DE_LU", "FR", "NO_1", "NO_2"]),
            ("DE_50HZ", "DE_AMPRION", "DE_TENNET", "DE_TRANSNET", "FR", "NO"),
        )

    def test_an_imbalance_has_one_price_in_a_bidding_zone_or_an_italian_macrozone(self) -> None:
        self.assertEqual(
            imbalance_areas_of(["DE_LU", "SE_3", "IT_NORD", "IT_SICI", "IT_CSUD", "DE"]),
            ("DE_LU", "SE_3", "IT_MACRO_NORTH", "IT_MACRO_SOUTH"),
        )

    def test_an_area_answers_under_its_own_code_or_anothers(self) -> None:
        ukraine = ZONES["UA"]
        self.assertEqual(ukraine.code("A65"), "10Y1001C--00003F")
        self.assertEqual(ukraine.code("A44"), "10Y1001C--000182")
        self.assertEqual([zone.key for zone in ends_of("FR>DE_LU")], ["FR", "DE_LU"])


class Published(unittest.TestCase):
    def test_great_britain_publishes_nothing_but_outages_since_the_summer_of_2021(self) -> None:
        load = published("GB", "A65")
        self.assertIn(date(2021, 6, 14), load)
        self.assertNotIn(date(2021, 6, 15), load)
        self.assertEqual(load.why, "nothing is published of GB since 2021-06-15")
        self.assertIn(date(2026, 5, 1), published("GB", "A80"))

    def test_the_other_side_tells_the_flows_of_a_silent_area(self) -> None:
        self.assertIn(date(2026, 5, 1), published("GB>NL", "A11"))

    def test_a_border_is_there_while_both_areas_are(self) -> None:
        ended = published("FR>DE_AT_LU", "A11")
        self.assertIn(date(2018, 9, 30), ended)
        self.assertNotIn(date(2018, 10, 1), ended)
        begun = published("DE_LU>CH", "A11")
        self.assertNotIn(date(2018, 9, 30), begun)
        self.assertIn(date(2018, 10, 1), begun)
        self.assertEqual(begun.why, "")

    def test_a_control_area_was_there_before_it_was_a_bidding_zone(self) -> None:
        before = date(2018, 9, 30)
        for document_type, told in (("A65", True), ("A75", True), ("A44", False), ("A25", False)):
            with self.subTest(document_type=document_type):
                self.assertEqual(before in published("AT", document_type), told)
                self.assertNotIn(before, published("DE_LU", document_type))
        self.assertNotIn(before, published("AT>CH", "A11"))  # it was a part of DE_AT_LU>CH then

    def test_who_answers_for_an_area_decides(self) -> None:
        self.assertNotIn(date(2018, 9, 30), published("DE", "A44"))  # DE_LU does
        self.assertIn(date(2018, 9, 30), published("DE", "A65"))


if __name__ == "__main__":
    unittest.main()
