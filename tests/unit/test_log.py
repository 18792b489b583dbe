"""The log as JSON: one object a line, whatever is said."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import tempfile
import unittest
from pathlib import Path
from typing import Any

from utils import JsonLines, log, start_log


class JsonLog(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.console = self.enterContext(contextlib.redirect_stderr(io.StringIO()))
        self.addCleanup(self.stop)

    def stop(self) -> None:
        for handler in list(log.handlers):
            log.removeHandler(handler)
            handler.close()
        log.propagate = True

    def lines(self) -> list[dict[str, Any]]:
        """What the file holds, after a look that the console says the same."""
        text = (self.folder / "task_log.log").read_text(encoding="utf-8")
        self.assertEqual(self.console.getvalue(), text)
        return [json.loads(line) for line in text.splitlines()]

    def test_each_call_is_one_object_on_one_line(self) -> None:
        start_log(self.folder, form="json")
        log.info("%s begins", "run")
        log.warning(
            'two\nlines, "quoted", täglich \u2028 and \udcff', extra={"dataset": "frequency"}
        )
        first, second = self.lines()
        self.assertEqual((first["level"], first["logger"]), ("INFO", "gridledger"))
        self.assertEqual(first["message"], "run begins")
        self.assertEqual(set(first), {"time", "level", "logger", "message"})
        self.assertEqual(second["message"], 'two\nlines, "quoted", täglich \u2028 and \udcff')
        self.assertEqual(second["dataset"], "frequency")

    def test_an_exception_stays_on_its_line(self) -> None:
        start_log(self.folder, form="json")
        try:
            raise ValueError("first\nsecond")
        except ValueError:
            log.exception("unforeseen")
        (line,) = self.lines()
        self.assertEqual((line["level"], line["message"]), ("ERROR", "unforeseen"))
        self.assertTrue(line["exception"].startswith("Traceback"))
        self.assertTrue(line["exception"].endswith("ValueError: first\nsecond"))

    def test_time_is_utc_to_the_millisecond(self) -> None:
        record = logging.makeLogRecord({"msg": "x", "created": 1730000700.25, "levelname": "INFO"})
        self.assertEqual(json.loads(JsonLines().format(record))["time"], "2024-10-27T03:45:00.250Z")

    def test_what_json_does_not_know_is_written_as_text(self) -> None:
        record = logging.makeLogRecord({"msg": "x", "folder": Path("output")})
        self.assertEqual(json.loads(JsonLines().format(record))["folder"], "output")

    def test_without_a_word_it_is_text(self) -> None:
        start_log(self.folder)
        log.info("begins", extra={"command": "run"})
        text = (self.folder / "task_log.log").read_text(encoding="utf-8")
        self.assertRegex(text, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO    begins\n$")


if __name__ == "__main__":
    unittest.main()
