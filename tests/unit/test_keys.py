"""Finding datasets and products by the words that people type."""

from __future__ import annotations

import unittest

import fetch_data
import process_data
from domain.errors import UsageError
from domain.keys import find, find_all

KNOWN = {"frequency": "F", "FREQ": "F", "wind_solar": "W", "AGWS": "W", "demand": "D"}


class Find(unittest.TestCase):
    def test_the_very_name(self) -> None:
        for name, thing in KNOWN.items():
            with self.subTest(name=name):
                self.assertEqual(find(name, KNOWN, "dataset"), thing)

    def test_case_does_not_matter(self) -> None:
        for word in ("Frequency", "FREQUENCY", "freq", "fReQ", "agws", "Wind_Solar"):
            with self.subTest(word=word):
                self.assertIn(find(word, KNOWN, "dataset"), ("F", "W"))

    def test_near_matches_are_offered(self) -> None:
        for word, near, far in (
            ("frequncy", "frequency", "demand"),
            ("FREQUNCY", "frequency", "demand"),
            ("wind-solar", "wind_solar", "demand"),
            ("demnd", "demand", "wind_solar"),
            ("agw", "AGWS", "demand"),
        ):
            with self.subTest(word=word), self.assertRaises(UsageError) as caught:
                find(word, KNOWN, "dataset")
            message = str(caught.exception)
            self.assertIn(f"no dataset '{word}'", message)
            self.assertIn(near, message)
            self.assertNotIn(far, message)

    def test_all_names_are_listed_where_none_is_near(self) -> None:
        with self.assertRaises(UsageError) as caught:
            find("zzzzzzzz", KNOWN, "product")
        for name in KNOWN:
            self.assertIn(name, str(caught.exception))
        self.assertIn("product", str(caught.exception))

    def test_a_part_of_a_name_is_not_the_name(self) -> None:
        for word in ("", "wind", "frequency2"):
            with self.subTest(word=word), self.assertRaises(UsageError):
                find(word, KNOWN, "dataset")

    def test_it_is_a_usage_error_with_that_exit_code(self) -> None:
        with self.assertRaises(UsageError) as caught:
            find("x", KNOWN, "dataset")
        self.assertEqual(caught.exception.exit_code, 2)


class FindAll(unittest.TestCase):
    def test_each_thing_once_in_the_order_asked(self) -> None:
        self.assertEqual(find_all(["AGWS", "freq", "wind_solar", "FREQ"], KNOWN, "x"), ["W", "F"])

    def test_no_words_find_nothing(self) -> None:
        self.assertEqual(find_all([], KNOWN, "x"), [])

    def test_one_unknown_word_refuses_them_all(self) -> None:
        with self.assertRaisesRegex(UsageError, "'nope'"):
            find_all(["freq", "nope"], KNOWN, "x")


class Datasets(unittest.TestCase):
    def keys(self, *words: str) -> list[str]:
        return [dataset.key for dataset in fetch_data.find_datasets(words)]

    def test_by_key_and_alias_in_any_case(self) -> None:
        for word, key in (
            ("frequency", "frequency"),
            ("FREQ", "frequency"),
            ("freq", "frequency"),
            ("AGWS", "wind_solar"),
            ("b1630", "wind_solar"),
            ("WIND_SOLAR", "wind_solar"),
        ):
            with self.subTest(word=word):
                self.assertEqual(self.keys(word), [key])

    def test_a_group_stands_for_its_members_in_any_case(self) -> None:
        for word in ("core", "Core", "CORE"):
            with self.subTest(word=word):
                found = self.keys(word)
                self.assertTrue({"frequency", "wind_solar"} <= set(found))
                self.assertEqual(len(found), len(set(found)))

    def test_a_group_and_its_members_together_are_named_once(self) -> None:
        self.assertEqual(self.keys("AGWS", "core")[0], "wind_solar")
        self.assertEqual(sorted(self.keys("AGWS", "core", "freq")), sorted(self.keys("core")))

    def test_a_misspelt_key_is_refused_with_the_right_one(self) -> None:
        with self.assertRaisesRegex(UsageError, "frequency"):
            self.keys("frequenzy")

    def test_a_misspelt_group_is_refused_with_the_right_one(self) -> None:
        with self.assertRaisesRegex(UsageError, "core"):
            self.keys("cor")


class Products(unittest.TestCase):
    def test_by_key_in_the_order_asked(self) -> None:
        found = process_data.find_products(["wind_solar_summary", "Average_Power"])
        self.assertEqual([p.key for p in found], ["wind_solar_summary", "average_power"])

    def test_a_misspelt_key_is_refused_with_the_right_one(self) -> None:
        with self.assertRaisesRegex(UsageError, "average_power"):
            process_data.find_products(["averge_power"])


if __name__ == "__main__":
    unittest.main()
