"""Documentation that repeats the code must say what the code says."""

import unittest

import reference
from utils import PROJECT


class Reference(unittest.TestCase):
    """Tables of pages and config.env are generated; edits by hand would drift."""

    def test_tables_are_those_of_the_code(self) -> None:
        for page in reference.PAGES:
            text = (PROJECT / page).read_text(encoding="utf-8")
            self.assertEqual(reference.filled(text), text, "run: python reference.py")

    def test_config_env_holds_every_setting_with_its_default(self) -> None:
        text = (PROJECT / "config.env").read_text(encoding="utf-8")
        self.assertEqual(reference.config_env(), text, "run: python reference.py")

    def test_there_is_a_place_for_every_table(self) -> None:
        text = "".join((PROJECT / page).read_text(encoding="utf-8") for page in reference.PAGES)
        for name in reference.TABLES:
            self.assertIn(f"<!-- {name} -->", text)

    def test_every_default_is_allowed_by_its_own_parser(self) -> None:
        from job import all_settings

        for setting in all_settings():
            with self.subTest(setting.key):
                setting.parse(setting.default)


if __name__ == "__main__":
    unittest.main()
