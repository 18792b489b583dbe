"""What the sandbox serves comes from its data file, and nothing in it comes from the project."""

import ast
import json
import sys
import tempfile
import unittest
from pathlib import Path

import msgspec

import sandbox
from sandbox.answers import Answers, Plan
from sandbox.calendar import to_instant
from sandbox.endpoints import Catalogue
from sandbox.grid import build_grid
from sandbox.manners import Refusal

NOW = to_instant("2024-11-15T00:00:00Z")
ANOTHER = """
[provider.carbon]
prefix = "/carbon"
setting = "CARBON_BASE_URL"

[[endpoint]]
provider = "carbon"
path = "/wind/{date}"
series = "wind_solar"
windows = [{ from = "date", to = "date", axis = "start_time", kind = "settlement_date" }]
envelope = "data"
fields = [
    { name = "date", column = "start_time", as = "settlement_date" },
    { name = "period", column = "start_time", as = "settlement_period" },
    { name = "MW", column = "quantity_mw" },
]
"""


class AnotherProvider(unittest.TestCase):
    def setUp(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "endpoints.toml")
            path.write_text(ANOTHER, encoding="utf-8")
            self.answers = Answers(Catalogue.load(path), build_grid(7))

    def test_needs_only_the_data_file(self) -> None:
        plan = self.answers.plan("/carbon/wind/2024-10-27", {}, NOW)
        assert isinstance(plan, Plan)
        rows = json.loads(self.answers.body(plan, zipped=False)[0])["data"]
        self.assertEqual(len(rows), 150)
        self.assertEqual(rows[0].keys(), {"date", "period", "MW"})
        self.assertEqual({row["date"] for row in rows}, {"2024-10-27"})
        self.assertEqual({row["period"] for row in rows}, set(range(1, 51)))

    def test_has_manners_of_its_own(self) -> None:
        refusal = self.answers.plan("/carbon/nothing", {}, NOW)
        assert isinstance(refusal, Refusal)
        self.assertEqual((refusal.status, refusal.body), (404, b'{"message":"Not found"}'))


class MoreEndpoints(unittest.TestCase):
    def test_are_taken_without_a_file(self) -> None:
        indo = Catalogue.load().find("/elexon/bmrs/api/v1/datasets/INDO")
        assert indo is not None
        copy = msgspec.structs.replace(indo[0], path="/datasets/SYNTHETIC", stream=True)
        answers = Answers(Catalogue.load(more=[copy]), build_grid(7))
        for path in ("/datasets/SYNTHETIC", "/datasets/SYNTHETIC/stream"):
            plan = answers.plan(f"/elexon/bmrs/api/v1{path}", {}, NOW)
            assert isinstance(plan, Plan)
            body = json.loads(answers.plain(plan))
            self.assertEqual(len(body if path.endswith("stream") else body["data"]), 1)


class Memory(unittest.TestCase):
    path = "/elexon/bmrs/api/v1/datasets/FREQ/stream"

    def body(self, answers: Answers, day: int, now: int = NOW) -> bytes:
        window = {
            "measurementDateTimeFrom": f"2024-10-{day:02d}T00:00Z",
            "measurementDateTimeTo": f"2024-10-{day:02d}T06:00Z",
        }
        plan = answers.plan(self.path, window, now)
        assert isinstance(plan, Plan)
        return answers.body(plan, zipped=False)[0]

    def test_a_body_is_made_once(self) -> None:
        answers = Answers(Catalogue.load(), build_grid(7))
        first = self.body(answers, 1)
        self.assertIs(self.body(answers, 1), first)
        self.assertIs(self.body(answers, 1, NOW - 3_600), first, "the window is long past")

    def test_a_window_that_is_not_over_is_not_remembered_across_time(self) -> None:
        answers = Answers(Catalogue.load(), build_grid(7))
        early = self.body(answers, 1, to_instant("2024-10-01T03:00Z"))
        late = self.body(answers, 1, to_instant("2024-10-01T04:00Z"))
        self.assertEqual(len(json.loads(late)) - len(json.loads(early)), 240)

    def test_memory_is_bounded(self) -> None:
        answers = Answers(Catalogue.load(), build_grid(7), cache_bytes=250_000)
        first = self.body(answers, 26)
        for day in (27, 28):
            self.body(answers, day)
        again = self.body(answers, 26)
        self.assertEqual(again, first)
        self.assertIsNot(again, first)


class Independence(unittest.TestCase):
    def test_imports_nothing_of_the_project(self) -> None:
        allowed = sys.stdlib_module_names | {"numpy", "msgspec", "sandbox"}
        modules = list(Path(sandbox.__file__).parent.rglob("*.py"))
        self.assertGreater(len(modules), 5)
        for module in modules:
            for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
                names: list[str] = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [node.module or ""]
                for name in names:
                    top = name.partition(".")[0]
                    self.assertIn(top, allowed, module.name)
                    self.assertNotEqual(top, "zoneinfo", module.name)


if __name__ == "__main__":
    unittest.main()
