"""Tasks of the dashboard without a process: what may be asked, and what files and a log say of one."""

from __future__ import annotations

import json
import os
import tempfile
import unittest
from collections.abc import Mapping
from datetime import UTC, date, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import progress
from dashboard import tasks
from dashboard.serving import is_loopback
from domain.errors import UsageError
from utils import Settings

DAY = date(2024, 10, 27)
STARTED: Mapping[str, Any] = {
    "id": "20241028T060000-0a1b2c",
    "command": "backfill",
    "words": ["frequency"],
    "first": "2024-10-01",
    "last": "2024-10-27",
    "began": "2024-10-28T06:00:00Z",
    "pid": 0,
    "born": 0.0,
}
GAUGE = {
    "key": "frequency", "done": 3, "windows": 12, "rows": 51_840, "requests": 4, "megabytes": 4.1,
    "rows_per_s": 5184.0, "left_s": 30.0,
}  # fmt: skip


class WhatMayBeAsked(unittest.TestCase):
    def test_a_command_becomes_a_list_of_arguments(self) -> None:
        asked = tasks.arguments("fetch", ["frequency", "core"], DAY, DAY)
        self.assertEqual(
            asked,
            ["fetch", "frequency", "core", "--start", "2024-10-27", "--end", "2024-10-27"],
        )
        self.assertEqual(tasks.arguments("repair", ["AGWS"], None, None), ["repair", "AGWS"])

    def test_what_no_page_may_ask_is_refused(self) -> None:
        for command, words, first, last in (
            ("test", ["frequency"], DAY, DAY),
            ("--help", ["frequency"], DAY, DAY),
            ("fetch", [], DAY, DAY),
            ("fetch", ["--again"], DAY, DAY),
            ("fetch", ["frequency; rm -rf /"], DAY, DAY),
            ("fetch", ["frequency"], DAY, None),
            ("fetch", ["frequency"], DAY, date(2024, 10, 26)),
            ("fetch", ["frequency"], DAY, date(2099, 1, 1)),
            ("backfill", ["frequency"], date(1066, 10, 14), DAY),
            ("run", ["frequency"], DAY, DAY),
        ):
            with self.subTest(command=command, words=words, first=first, last=last):
                self.assertRaises(UsageError, tasks.arguments, command, words, first, last)

    def test_only_this_machine_is_loopback(self) -> None:
        for address in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
            self.assertTrue(is_loopback(address), address)
        for strange in ("0.0.0.0", "::", "192.168.0.7", "example.org", "", None):
            self.assertFalse(is_loopback(strange), strange)


@unittest.skipUnless(find_spec("psutil"), "needs the libraries of the dashboard")
class WhatFilesSay(unittest.TestCase):
    def setUp(self) -> None:
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.folder = Path(held.name) / "dashboard"
        self.folder.mkdir()
        self.settings = Settings({"OUTPUT_DIR": Path(held.name)}, [])

    def write(self, started: Mapping[str, Any], told: Mapping[str, Any] | None) -> tasks.Task:
        (self.folder / f"{started['id']}.json").write_text(json.dumps(started))
        if told is not None:
            (self.folder / f"{started['id']}.progress.json").write_text(json.dumps(told))
        return next(t for t in tasks.listed(self.settings) if t.started.id == started["id"])

    def this_process(self) -> dict[str, Any]:
        import psutil

        return {**STARTED, "pid": os.getpid(), "born": psutil.Process().create_time()}

    def test_one_that_runs(self) -> None:
        told = {"stage": "fetching", "done": 3, "total": 12, "gauges": [GAUGE], "exit_code": None}
        task = self.write(self.this_process(), told)
        self.assertEqual((task.running, task.died, task.state), (True, False, "fetching"))
        self.assertEqual((task.done, task.total, task.rows), (3, 12, 51_840))
        # 3 of 12 windows in 30 s: the other 9 take 90 s.
        self.assertEqual(task.left_s(datetime(2024, 10, 28, 6, 0, 30, tzinfo=UTC)), 90.0)

    def test_one_that_told_nothing_yet(self) -> None:
        task = self.write(self.this_process(), None)
        self.assertEqual((task.running, task.state, task.rows), (True, "starting", 0))
        self.assertIsNone(task.left_s(datetime(2024, 10, 28, 6, 0, 30, tzinfo=UTC)))

    def test_one_that_ended_says_how(self) -> None:
        for code, words in ((0, "complete"), (3, "holes"), (4, "locked by another run")):
            with self.subTest(code=code):
                task = self.write(self.this_process(), {"exit_code": code})
                self.assertFalse(task.running or task.died)
                self.assertIn(words, task.state)

    def test_one_whose_process_is_gone_died(self) -> None:
        task = self.write({**STARTED, "pid": 2**22 + 1}, {"stage": "fetching", "exit_code": None})
        self.assertEqual((task.running, task.died), (False, True))
        self.assertIn("killed", task.state)

    def test_another_process_with_its_number_is_not_it(self) -> None:
        later = self.this_process()
        task = self.write({**later, "born": later["born"] - 3600}, None)
        self.assertEqual((task.running, task.died), (False, True))
        tasks.stop(task)  # which is this very process, were it taken for the task

    def test_the_newest_comes_first_and_what_is_not_ours_is_passed_over(self) -> None:
        for id in ("20241028T060000-aaaaaa", "20241029T060000-bbbbbb"):
            self.write({**STARTED, "id": id}, {"exit_code": 0})
        for name, text in (
            ("20241030T060000-cccccc.json", "{"),
            ("20241030T060000-dddddd.json", "[]"),
            ("20241030T060000-eeeeee.json", '{"id": 1, "words": 2}'),
            ("notes.json", json.dumps(STARTED)),
        ):
            (self.folder / name).write_text(text)
        listed = [task.started.id for task in tasks.listed(self.settings)]
        self.assertEqual(listed, ["20241029T060000-bbbbbb", "20241028T060000-aaaaaa"])

    def test_a_title_names_a_few_datasets(self) -> None:
        words = ["frequency", "wind_solar", "AGWS", "core", "vpp"]
        task = self.write({**STARTED, "words": words}, None)
        self.assertEqual(
            task.started.title,
            "backfill frequency, wind_solar, AGWS and 2 more 2024-10-01 to 2024-10-27",
        )

    def test_the_end_of_a_log_has_no_traceback(self) -> None:
        task = self.write(STARTED, None)
        task.log.write_text(
            "2024-10-28T06:00:01Z INFO    fetch begins\n"
            "Traceback (most recent call last):\n"
            '  File "/srv/grid/fetch_data.py", line 7, in fetch\n'
            "    password = secret()\n"
            "\n"
            "ValueError: 'hunter2'\n"
            "exit code 1\n"
        )
        lines = tasks.last_lines(task)
        self.assertEqual(
            (lines[0][-12:], lines[-1], len(lines)), ("fetch begins", "exit code 1", 3)
        )
        self.assertNotIn("hunter2", "".join(lines))
        self.assertEqual(tasks.last_lines(task, 1), ["exit code 1"])


@unittest.skipUnless(find_spec("streamlit"), "needs the libraries of the dashboard")
class Calendar(unittest.TestCase):
    def test_of_several_scopes_the_worst_day_stands_for_all(self) -> None:
        from dashboard.coverage import Followed, coverage
        from domain.ledger import State
        from holes import Day

        days = {
            "FR": [Day("entsoe_load", "FR", DAY, State.COMPLETE, rows=24, coverage=1.0)],
            "DE_LU": [Day("entsoe_load", "DE_LU", DAY, State.PARTIAL, rows=12, coverage=0.5)],
            "NL": [Day("entsoe_load", "NL", DAY, State.NOT_DUE)],
        }
        one = Followed("entsoe_load", days)
        self.assertEqual(one.worst()[DAY].scope, "DE_LU")
        self.assertEqual(one.newest, DAY)
        self.assertEqual(coverage(one.days), 0.75)  # what is not due counts neither way
        self.assertIsNone(coverage(days["NL"]))

    def test_a_day_is_a_letter_with_its_words_and_no_markup_of_others(self) -> None:
        from dashboard.coverage import Line, calendar
        from domain.ledger import State
        from holes import Day

        note = '"><script>alert(1)</script>'
        day = Day("frequency", "", DAY, State.PARTIAL, "answered in part", 9, 10, 0.9, note=note)
        drawn = calendar("Days", ["coverage"], [Line("<b>", ("90.0%",), {DAY: day})], DAY, DAY)
        self.assertIn(">P</td>", drawn)
        self.assertIn("2024-10-27: partial, answered in part, 9 of 10 rows", drawn)
        self.assertNotIn("<script>", drawn)
        self.assertNotIn("<b>", drawn)


class WhatAProcessTells(unittest.TestCase):
    def test_a_file_is_told_the_start_and_the_end(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "progress.json"
            self.addCleanup(progress._watched.clear)
            self.assertEqual(progress.read(path)["stage"], "starting")
            progress.tell_to(path)
            self.assertIsNone(json.loads(path.read_text())["exit_code"])
            progress.ended(3)
            self.assertEqual(json.loads(path.read_text())["exit_code"], 3)

    def test_a_file_that_cannot_be_written_ends_nothing(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.addCleanup(progress._watched.clear)
            blocked = Path(folder) / "file"
            blocked.write_text("")
            with self.assertLogs("gridledger", "WARNING"):
                progress.tell_to(blocked / "progress.json")
            progress.ended(0)


if __name__ == "__main__":
    unittest.main()
