"""Conditions as text, what a chart takes of them, the command for more, and text that stays text."""

from __future__ import annotations

import unittest
from datetime import UTC, datetime
from importlib.util import find_spec

from domain.errors import UsageError
from domain.settlement import parse_range
from storage import tables
from stores.filtering import Condition

WIND = tables()["wind_solar"]


@unittest.skipUnless(find_spec("streamlit"), "needs the libraries of the dashboard")
class Conditions(unittest.TestCase):
    def test_every_operator_is_read_as_it_is_written(self) -> None:
        from dashboard.explorer import read_condition

        for text, condition in (
            ("psr_type = Wind Onshore", Condition("psr_type", "=", "Wind Onshore")),
            ("psr_type != Solar", Condition("psr_type", "!=", "Solar")),
            ("generation_mw <= 100.5", Condition("generation_mw", "<=", "100.5")),
            ("generation_mw < -3", Condition("generation_mw", "<", "-3")),
            ("psr_type contains wind = x", Condition("psr_type", "contains", "wind = x")),
            ("business_type is empty", Condition("business_type", "is empty", "")),
            ("psr_type = ", Condition("psr_type", "=", "")),
        ):
            with self.subTest(text):
                self.assertEqual(read_condition(WIND, text), condition)

    def test_what_is_none_is_refused_with_the_reason(self) -> None:
        from dashboard.explorer import read_condition

        for text, reason in (
            ("", "is no column"),
            ("nothing > 1", "is no column of wind_solar"),
            ("generation_mw", "holds no operator"),
            ("generation_mw >> 1", "holds no operator"),
            ("generation_mw > much", "'much' does not fit generation_mw"),
            ("generation_mw contains 1", "holds no text"),
            ("generation_mw = 1; DROP TABLE wind_solar", "does not fit"),
        ):
            with self.subTest(text), self.assertRaisesRegex(UsageError, reason):
                read_condition(WIND, text)

    def test_the_command_for_more_is_safe_to_paste(self) -> None:
        from dashboard.explorer import Chosen, export_command

        chosen = Chosen(
            key="wind_solar",
            table=WIND,
            window=parse_range("2024-10-26", "2024-10-27"),
            columns=("period_start", "generation_mw"),
            filters=(Condition("psr_type", "=", "$(rm -rf x)"), Condition("psr_type", "!=", "y")),
            as_of=datetime(2024, 10, 28, 6, tzinfo=UTC),
        )
        self.assertEqual(
            export_command(chosen),
            "export wind_solar --start 2024-10-26 --end 2024-10-27 --where "
            "'psr_type=$(rm -rf x)' --columns period_start,generation_mw "
            "--as-of 2024-10-28T06:00:00Z --to wind_solar.parquet",
        )


@unittest.skipUnless(find_spec("streamlit"), "needs the libraries of the dashboard")
class Text(unittest.TestCase):
    def test_text_from_elsewhere_has_no_marks_links_or_folders_left(self) -> None:
        from dashboard.frame import plain

        for text, expected in (
            ("a_b", r"a\_b"),
            ("[x](y)", r"\[x\]\(y\)"),
            ("http://e.x", "http\\:\u2060//e.x"),
            ("www.e.x", "www\u2060.e.x"),
            ("/home/ann/store.db is broken", "…/store.db is broken"),
        ):
            with self.subTest(text):
                self.assertEqual(plain(text), expected)


if __name__ == "__main__":
    unittest.main()
