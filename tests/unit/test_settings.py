"""Settings, whole files, locks and run records."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import utils
from utils import (
    PROJECT,
    Locked,
    Setting,
    SettingError,
    choice,
    file_lock,
    folder,
    last_runs,
    load_settings,
    number,
    record_run,
    several,
    unknown_settings,
    url,
    whole_number,
    write_whole,
)

DECLARED = (
    Setting("PLACE", "default", str, "Where."),
    Setting("POWER_MW", "1.0", number(0, 100, "MW"), "How much."),
    Setting("WORKERS", "4", whole_number(1, 64), "How many."),
    Setting("SERVICE", "droop", choice("droop", "dc"), "Which."),
    Setting("DATASETS", "a,b", several(("a", "b", "c")), "Several."),
    Setting("BASE_URL", "https://example.org/api", url, "Address."),
    Setting("OUTPUT_DIR", "output", folder, "Folder."),
    Setting("TOKEN", "", str, "A key.", secret=True),
    Setting("SECRET_PORT", "80", whole_number(1, 65535), "A secret number.", secret=True),
)


class InFolder(unittest.TestCase):
    def setUp(self) -> None:
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.folder = Path(held.name).resolve()

    def write(self, name: str, content: str) -> None:
        (self.folder / name).write_text(content, encoding="utf-8")

    def load(self, environment: dict[str, str] | None = None, **overrides: str) -> utils.Settings:
        return load_settings(DECLARED, overrides, folder=self.folder, environment=environment or {})


class Precedence(InFolder):
    def test_each_place_wins_over_the_one_before(self) -> None:
        self.assertEqual(self.load()["PLACE"], "default")
        self.write("config.env", "PLACE=config\n")
        self.assertEqual(self.load()["PLACE"], "config")
        self.write("config.local.env", "PLACE=local\n")
        self.assertEqual(self.load()["PLACE"], "local")
        self.assertEqual(self.load({"PLACE": "environment"})["PLACE"], "environment")
        self.assertEqual(self.load({"PLACE": "environment"}, PLACE="override")["PLACE"], "override")

    def test_places_are_merged_key_by_key(self) -> None:
        self.write("config.env", "PLACE=config\nPOWER_MW=2\nWORKERS=3\n")
        self.write("config.local.env", "POWER_MW=5\n")
        found = self.load({"WORKERS": "7"}, SERVICE="dc")
        self.assertEqual(
            [found[key] for key in ("PLACE", "POWER_MW", "WORKERS", "SERVICE")],
            ["config", 5.0, 7, "dc"],
        )

    def test_the_environment_of_the_process_is_read_where_none_is_given(self) -> None:
        with mock.patch.dict(os.environ, {"PLACE": "process"}):
            self.assertEqual(load_settings(DECLARED, folder=self.folder)["PLACE"], "process")

    def test_comments_quotes_and_dollar_signs(self) -> None:
        self.write("config.env", '# a comment\nPLACE="two words" # why\nTOKEN=a${HOME}b\n\n')
        found = self.load()
        self.assertEqual((found["PLACE"], found["TOKEN"]), ("two words", "a${HOME}b"))

    def test_undeclared_keys_are_no_settings(self) -> None:
        self.assertNotIn("STRAY", self.load({"STRAY": "1"}))


class WrongValues(InFolder):
    def test_key_value_and_what_is_allowed_are_named(self) -> None:
        for key, value, allowed in (
            ("POWER_MW", "lots", ("above 0", "at most 100", "MW")),
            ("POWER_MW", "0", ("above 0",)),
            ("POWER_MW", "100.1", ("at most 100",)),
            ("POWER_MW", "nan", ("number",)),
            ("POWER_MW", "inf", ("number",)),
            ("POWER_MW", "", ("number",)),
            ("WORKERS", "0", ("1 to 64",)),
            ("WORKERS", "65", ("1 to 64",)),
            ("WORKERS", "2.5", ("whole number",)),
            ("WORKERS", "-1", ("1 to 64",)),
            ("SERVICE", "efr", ("droop", "dc")),
            ("DATASETS", "a,z", ("'z'", "a, b, c")),
            ("BASE_URL", "ftp://example.org", ("http",)),
            ("BASE_URL", "example.org", ("http",)),
            ("OUTPUT_DIR", "", ("folder",)),
        ):
            with self.subTest(key=key, value=value), self.assertRaises(SettingError) as caught:
                self.load(**{key: value})
            message = str(caught.exception)
            self.assertIn(f"{key}={value!r}", message)
            for word in allowed:
                self.assertIn(word, message)

    def test_all_wrong_values_are_in_one_message(self) -> None:
        with self.assertRaises(SettingError) as caught:
            self.load(POWER_MW="x", WORKERS="y", PLACE="fine")
        message = str(caught.exception)
        self.assertIn("POWER_MW='x'", message)
        self.assertIn("WORKERS='y'", message)
        self.assertNotIn("PLACE", message)

    def test_limits_themselves(self) -> None:
        found = self.load(POWER_MW="100", WORKERS="64")
        self.assertEqual((found["POWER_MW"], found["WORKERS"]), (100.0, 64))
        self.assertEqual(self.load(WORKERS="1")["WORKERS"], 1)

    def test_blanks_around_a_value_are_no_part_of_it(self) -> None:
        found = self.load(POWER_MW=" 2 ", DATASETS=" a , c ", SERVICE="dc\t")
        self.assertEqual(
            (found["POWER_MW"], found["DATASETS"], found["SERVICE"]), (2.0, ("a", "c"), "dc")
        )

    def test_an_address_loses_its_last_slash(self) -> None:
        found = self.load(BASE_URL="http://127.0.0.1:8080/api/")
        self.assertEqual(found["BASE_URL"], "http://127.0.0.1:8080/api")


class Secrets(InFolder):
    def test_shown_masks_them(self) -> None:
        found = self.load(TOKEN="hush-hush", PLACE="here")
        shown = found.shown()
        self.assertEqual(shown["TOKEN"], "***")
        self.assertNotIn("hush-hush", repr(shown))
        self.assertEqual(shown["PLACE"], "here")
        self.assertEqual(found["TOKEN"], "hush-hush")

    def test_an_empty_secret_is_shown_as_empty(self) -> None:
        self.assertEqual(self.load().shown()["TOKEN"], "")

    def test_errors_do_not_tell_them(self) -> None:
        with self.assertRaises(SettingError) as caught:
            self.load(SECRET_PORT="hush-hush")
        self.assertIn("SECRET_PORT", str(caught.exception))
        self.assertNotIn("hush-hush", str(caught.exception))

    def test_settings_do_not_tell_them_when_printed(self) -> None:
        found = self.load(TOKEN="hush-hush")
        self.assertNotIn("hush-hush", repr(found))
        self.assertNotIn("hush-hush", str(found))


class Folders(InFolder):
    def test_a_relative_folder_hangs_on_the_project(self) -> None:
        before = Path.cwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.folder)
        self.assertEqual(self.load(OUTPUT_DIR="some/where")["OUTPUT_DIR"], PROJECT / "some/where")

    def test_an_absolute_folder_stays(self) -> None:
        self.assertEqual(self.load(OUTPUT_DIR=str(self.folder))["OUTPUT_DIR"], self.folder)

    def test_the_project_is_where_main_is(self) -> None:
        self.assertTrue((PROJECT / "main.py").is_file())


class UnknownKeys(InFolder):
    def test_misspelt_keys_of_the_local_file_are_told(self) -> None:
        self.assertEqual(unknown_settings(DECLARED, folder=self.folder), [])
        self.write("config.local.env", "WORKRES=3\nPLACE=x\nALSO\n")
        self.assertEqual(unknown_settings(DECLARED, folder=self.folder), ["ALSO", "WORKRES"])


class WriteWhole(InFolder):
    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def test_a_new_file_in_a_new_folder(self) -> None:
        path = self.folder / "a" / "b" / "file.csv"
        write_whole(path, b"one\r\ntwo\n\x00")
        self.assertEqual(path.read_bytes(), b"one\r\ntwo\n\x00")
        self.assertEqual([p.name for p in path.parent.iterdir()], ["file.csv"])

    def test_an_old_file_is_replaced_in_one_step(self) -> None:
        path = self.folder / "file.csv"
        write_whole(path, b"old")
        seen = []
        replace = Path.replace

        def spy(source: Path, target: Path) -> Path:
            seen.append((path.read_bytes(), source.read_bytes()))
            return replace(source, target)

        with mock.patch.object(Path, "replace", spy):
            write_whole(path, b"new")
        self.assertEqual(seen, [(b"old", b"new")])
        self.assertEqual(path.read_bytes(), b"new")
        self.assertEqual(self.names(), ["file.csv"])

    def test_a_failure_leaves_the_old_file_and_nothing_beside_it(self) -> None:
        path = self.folder / "file.csv"
        write_whole(path, b"old")
        for name in ("os.fsync", "pathlib.Path.replace"):
            for trouble in (OSError("disk full"), KeyboardInterrupt()):
                with self.subTest(where=name, trouble=trouble):
                    with (
                        mock.patch(name, side_effect=trouble),
                        self.assertRaises(type(trouble)),
                    ):
                        write_whole(path, b"new")
                    self.assertEqual(path.read_bytes(), b"old")
                    self.assertEqual(self.names(), ["file.csv"])

    @unittest.skipUnless(os.name == "posix", "permission bits are a POSIX matter")
    def test_others_may_read_it(self) -> None:
        path = self.folder / "file.csv"
        write_whole(path, b"x")
        self.assertEqual(path.stat().st_mode & 0o777, 0o644)


class FileLock(InFolder):
    def test_a_second_holder_is_refused_at_once_and_named(self) -> None:
        path = self.folder / "locks" / "frequency.lock"
        with file_lock(path):
            with self.assertRaisesRegex(Locked, "frequency"), file_lock(path):
                self.fail("two held the lock")
            with file_lock(path.with_name("other.lock")):
                pass

    def test_it_is_free_again_after_use_and_after_trouble(self) -> None:
        path = self.folder / "frequency.lock"
        with file_lock(path):
            pass
        with self.assertRaises(ZeroDivisionError), file_lock(path):
            raise ZeroDivisionError
        with file_lock(path):
            pass

    def test_another_process_is_refused_and_a_dead_one_holds_nothing(self) -> None:
        path = self.folder / "frequency.lock"
        code = (
            "import os, sys, pathlib, utils\n"
            "held = utils.file_lock(pathlib.Path(sys.argv[1]))\n"
            "try:\n"
            "    held.__enter__()\n"
            "except utils.Locked:\n"
            "    os._exit(9)\n"
            "os._exit(0)\n"  # dies without letting go
        )
        command = [sys.executable, "-c", code, str(path)]
        with file_lock(path):
            self.assertEqual(subprocess.run(command, cwd=PROJECT, check=False).returncode, 9)
        self.assertEqual(subprocess.run(command, cwd=PROJECT, check=False).returncode, 0)
        with file_lock(path):
            pass


class LastRuns(InFolder):
    def test_no_file_means_no_runs(self) -> None:
        self.assertEqual(last_runs(self.folder, 5), [])

    def test_the_newest_in_order(self) -> None:
        for n in range(8):
            record_run(self.folder, {"command": "run", "n": n})
        self.assertEqual([run["n"] for run in last_runs(self.folder, 3)], [5, 6, 7])
        self.assertEqual([run["n"] for run in last_runs(self.folder, 100)], list(range(8)))

    def test_no_more_of_a_long_file_is_read_than_its_end(self) -> None:
        lines = [json.dumps({"n": n, "said": "x" * (n % 700)}) for n in range(2000)]
        self.write(
            "runs.jsonl", "not JSON, and never reached " * 9000 + "\n" + "\n".join(lines) + "\n"
        )
        for count in (1, 199, 1999, 2000):
            told = [run["n"] for run in last_runs(self.folder, count)]
            self.assertEqual(told, list(range(2000 - count, 2000)))

    def test_a_cut_line_is_passed_over(self) -> None:
        whole = json.dumps({"n": 1})
        for cut in range(1, len(whole)):
            self.write("runs.jsonl", f'{{"n": 0}}\n{whole[:cut]}')
            with self.subTest(line=whole[:cut]):
                self.assertEqual([run["n"] for run in last_runs(self.folder, 5)], [0])

    def test_a_run_recorded_behind_a_cut_line_is_not_lost(self) -> None:
        self.write("runs.jsonl", '{"n": 0}\n{"n": ')
        record_run(self.folder, {"n": 2})
        self.assertEqual([run["n"] for run in last_runs(self.folder, 5)], [0, 2])


if __name__ == "__main__":
    unittest.main()
