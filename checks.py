"""What ``test`` runs: unit tests, integration tests and, with ``--all``, lint, types and doctests."""

from __future__ import annotations

import os
import subprocess
import sys

from utils import PROJECT

TESTS = ("tests/unit", "tests/sandbox", "tests/integration")
# Doctests of the modules whose examples need a store or a server; domain's run among the unit tests.
DOCTESTS = ("domain", "stores", "storage.py", "fetch_data.py", "process_data.py", "report_page.py")


def run(*, everything: bool, nightly: bool) -> int:
    """Run the tests this installation can run; returns the first exit code that is not 0."""
    marks = [] if nightly else ["-m", "not nightly"]
    # Three files of tests side by side: on two cores one of them mostly waits, for a server or a browser.
    workers = ["-n", "3", "--dist", "loadfile"] if everything else []
    steps: list[tuple[str, list[str]]] = []
    if everything:
        steps += [
            ("lint", ["ruff", "check", "."]),
            ("format", ["ruff", "format", "--check", "."]),
            ("types", ["mypy"]),
        ]
    steps.append(("doctests", ["pytest", "--doctest-modules", *DOCTESTS]))
    steps.append(("tests", ["pytest", *TESTS, *marks, *workers]))
    # Hundreds of processes import the project; without compiled modules each would compile it anew.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    failed = 0
    for name, command in steps:
        print(f"== {name}: python -m {' '.join(command)}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=PROJECT, env=environment, check=False
        )
        failed = failed or done.returncode
    return failed
