"""The layers: every import of every module points down, and a start loads nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
import unittest
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

LAYERS = {
    0: ("domain", "utils"),
    1: ("sources", "products", "stores"),
    2: ("storage", "raw_archive"),
    3: ("executors", "read_files",),
    4: ("asking", "computing"),
    5: ("fetch_data", "process_data"),
    6: (
        "main", "synthetic", "job", "metrics", "look", "doctor", "validate_schema", "check_samples", "plain_entsoe", "checks", "reference", "console",
        "analysis", "analyzing", "backfill", "battery", "copying", "holes", "forecasting", "forecast_commands", "invoicing", "pictures", "plotting", "progress", "publishing", "replaying", "report_page", "reporting", "validate_schema", "dashboard", "streamlit_app", "benchmarks", "deploy",
    ),
}  # fmt: skip
LAYER_OF = {unit: layer for layer, units in LAYERS.items() for unit in units}
ALONE = ("sandbox", "run", "console")  # these import nothing of the project
SANDBOX_USERS = ("synthetic", "doctor", "tests", "benchmarks")
UNITS = {*LAYER_OF, *ALONE, "tests"}
# The type in the signatures of stage 1 and 2; all else of stores/ they get through storage.
STORE_TYPE = "SqlStore"


def imports_of(source: str, package: tuple[str, ...] = ()) -> set[tuple[str, str]]:
    """(module, name) of every import, wherever it stands; name is empty for ``import module``."""
    found: set[tuple[str, str]] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*above, *filter(None, [node.module])))
            for alias in node.names:
                found.add((module, alias.name) if module else (alias.name, ""))
        elif isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            text = node.args[0] if node.args else None
            if name in ("import_module", "__import__") and isinstance(text, ast.Constant):
                found.add((str(text.value), ""))
    return found


def complaint(importer: str, module: str, name: str) -> str | None:
    """Why this unit may not import that, or None where it may."""
    imported = module.partition(".")[0]
    if imported == importer or imported not in UNITS:
        return None
    if importer in ALONE:
        return f"{importer} stands alone and imports {imported}"
    if imported == "sandbox":
        return None if importer in SANDBOX_USERS else f"{importer} imports the sandbox"
    if imported == "tests" and importer == "benchmarks":
        return None  # reliability is measured with the tests' own means
    if imported in ("run", "tests"):
        return f"{importer} imports {imported}"
    here, there = LAYER_OF[importer], LAYER_OF[imported]
    if here in (4, 5) and imported == "stores" and name != STORE_TYPE:
        return f"{importer} imports {module}.{name}, more of stores than {STORE_TYPE}"
    if there > here:
        return f"{importer} (layer {here}) imports {imported} (layer {there}) above it"
    if there == here and here != 6:
        return f"{importer} imports {imported} beside it (layer {here})"
    return None


def project_files(root: Path) -> list[Path]:
    """Every .py file of the project but tests, outputs, caches and virtual environments."""
    files = sorted(root.glob("*.py"))
    for folder in sorted(root.iterdir()):
        skipped = folder.name.startswith(".") or folder.name in ("output", "tests")
        if folder.is_dir() and not skipped and not (folder / "pyvenv.cfg").exists():
            files += sorted(folder.rglob("*.py"))
    return files


def unit_of(path: Path) -> str:
    """The name under which the file, or the folder it is in, has its place in a layer."""
    first = path.relative_to(PROJECT).parts[0]
    return first.removesuffix(".py")


class Layers(unittest.TestCase):
    files = project_files(PROJECT)

    def test_every_module_has_a_place(self) -> None:
        self.assertGreater(len(self.files), 30)
        strange = [str(p.relative_to(PROJECT)) for p in self.files if unit_of(p) not in UNITS]
        self.assertEqual(strange, [], "give the new module a layer in this test")

    def test_no_arrow_points_up_or_sideways(self) -> None:
        wrong = []
        for path in self.files:
            relative = path.relative_to(PROJECT)
            source = path.read_text(encoding="utf-8")
            for module, name in sorted(imports_of(source, relative.parts[:-1])):
                problem = complaint(unit_of(path), module, name)
                if problem:
                    wrong.append(f"{relative}: {problem}")
        self.assertEqual(wrong, [])

    def test_launcher_uses_only_the_standard_library(self) -> None:
        source = (PROJECT / "run.py").read_text(encoding="utf-8")
        used = {module.partition(".")[0] for module, _ in imports_of(source)}
        self.assertIn("sys", used)
        self.assertEqual(used - set(sys.stdlib_module_names), set())


class TheRulesThemselves(unittest.TestCase):
    """What the test above must refuse, so that it cannot pass by finding nothing."""

    def test_forbidden_arrows_are_seen(self) -> None:
        for importer, source in (
            ("domain", "import utils"),
            ("utils", "from domain.windows import Window"),
            ("domain", "import storage"),
            ("sources", "from products import PRODUCTS"),
            ("products", "import stores.files"),
            ("stores", "from sources.dataset import Dataset"),
            ("stores", "from storage import open_store"),
            ("storage", "def f():\n    import fetch_data"),
            ("fetch_data", "import process_data"),
            ("process_data", "from fetch_data import holes"),
            ("process_data", "from stores.files import csv_bytes"),
            ("fetch_data", "import stores.sqlite"),
            ("process_data", "import main"),
            ("fetch_data", "if TYPE_CHECKING:\n    from sandbox import Sandbox"),
            ("look", "from sandbox import Sandbox"),
            ("sandbox", "from domain.settlement import PERIOD"),
            ("console", "from utils import log"),
            ("run", "import utils"),
            ("main", "import run"),
            ("main", "from tests.unit import test_run"),
            ("utils", "import importlib\nimportlib.import_module('domain.tables')"),
        ):
            with self.subTest(importer=importer, source=source):
                self.assertTrue(any(complaint(importer, *each) for each in imports_of(source)))

    def test_allowed_arrows_pass(self) -> None:
        for importer, source in (
            ("domain", "from domain.errors import UsageError\nimport pandas as pd"),
            ("sources", "from utils import log\nfrom sources import elexon"),
            ("storage", "from sources import DATASETS\nimport products, stores.sql"),
            ("fetch_data", "from stores.sql import SqlStore\nfrom storage import open_store"),
            ("synthetic", "import job, look\nfrom sandbox import Sandbox"),
            ("main", "import job, look\nimport fetch_data"),
            ("benchmarks", "from sandbox import Sandbox\nfrom stores.files import csv_bytes"),
        ):
            for each in imports_of(source):
                with self.subTest(importer=importer, imported=each):
                    self.assertIsNone(complaint(importer, *each))

    def test_relative_imports_are_resolved(self) -> None:
        self.assertEqual(imports_of("from . import tables", ("domain",)), {("domain", "tables")})
        self.assertEqual(
            imports_of("from ..stores import sql", ("domain", "deep")),
            {("domain.stores", "sql")},
        )


class Start(unittest.TestCase):
    def test_importing_main_loads_nothing_heavy(self) -> None:
        code = "import main, sys; print(*sorted(sys.modules))"
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
        )
        loaded = set(result.stdout.split())
        self.assertIn("main", loaded)
        self.assertEqual(
            loaded & {"pandas", "pyarrow", "requests", "numpy", "prometheus_client"}, set()
        )


if __name__ == "__main__":
    unittest.main()
