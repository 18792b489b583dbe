"""Command lines in processes that need not import the project first.

A server that has imported it forks for every call: a process of its own with its own environment,
folder and exit code, at the price of the work alone. Most of what a start of ``main.py`` costs are
imports, and they are the same each time. What is started, killed and interrupted for real is started
with ``Cli.start``; what differs in more than settings is, too.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

# What a day's run and the commands that look import on their way.
IMPORTED = (
    "main", "pandas", "pyarrow.pandas_compat", "typer._adapters", "pydantic.type_adapter",
    "filelock", "prometheus_client", "fetch_data", "process_data", "holes", "doctor",
    "sources.transport", "stores.sqlite", "stores.postgres", "stores.files",
)  # fmt: skip
FORKS = sys.platform == "linux"
# A fork runs the main module's file again, and tests of pages put a script there that is gone by then.
_MAIN = sys.modules["__main__"]


@cache
def _server() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*IMPORTED])
    return context


def _main(
    arguments: Sequence[str], environment: Mapping[str, str], folder: str, out: str, err: str
) -> None:
    for path, stream in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), stream)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.argv = ["main.py", *arguments]
    import main

    sys.exit(main.main())


def run(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run ``main.py`` with these arguments; TimeoutExpired when it takes longer."""
    with tempfile.TemporaryDirectory() as spoken:
        said = [f"{spoken}/out", f"{spoken}/err"]
        sys.modules["__main__"] = _MAIN
        process = _server().Process(
            target=_main, args=(arguments, dict(environment), str(folder), *said)
        )
        process.start()
        try:
            process.join(timeout_s)
            if process.exitcode is None:
                raise subprocess.TimeoutExpired(arguments, timeout_s)
        finally:
            process.kill()
            process.join()
        out, err = (Path(path).read_text(encoding="utf-8", errors="replace") for path in said)
        return subprocess.CompletedProcess(arguments, process.exitcode, out, err)
