"""Clocks, child processes and the sandbox in a process of its own."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import platform
import re
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from utils import PROJECT

if TYPE_CHECKING:
    from sandbox import Fault

P = ParamSpec("P")
T = TypeVar("T")

# What takes less than this is measured three times.
SHORT_S = 2.0
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Row:
    """A stage as measured: seconds of ours and of its floor."""

    stage: str
    floor_s: float
    ours_s: float

    @property
    def ratio(self) -> float:
        """How many times its floor the stage costs."""
        return self.ours_s / self.floor_s


def seconds(work: Callable[[], Any]) -> float:
    """Wall seconds of ``work``; the median of three where it is short."""
    taken = [_once(work)]
    if taken[0] < SHORT_S:
        taken += [_once(work), _once(work)]
    return statistics.median(taken)


def _once(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def in_child(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of ``work`` in a fresh process, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=_SPAWN) as pool:
        return pool.submit(work, *args, **kwargs).result()


def peak_mb() -> float:
    """Peak resident memory of this process [MB]."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage starts with the peak of the parent on Linux
        lines = status.read_text().splitlines()
        peak = next(line for line in lines if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


@contextlib.contextmanager
def sandbox_settings(*faults: Fault) -> Iterator[dict[str, str]]:
    """Serve a sandbox, with faults, in a process of its own; yields the settings that point at it."""
    os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1"]))
    ours, its = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_serve, args=(its, faults), daemon=True)
    process.start()
    try:
        # The rate is politeness towards a provider; here it would be all that is measured.
        unhurried = {f"{name}_REQUESTS_PER_S": "1000" for name in ("ELEXON", "CARBON_INTENSITY")}
        yield {**ours.recv(), **unhurried}
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, faults: tuple[Fault, ...]) -> None:
    from sandbox import Sandbox

    with Sandbox(faults=faults) as api:
        pipe.send(api.settings())
        pipe.recv()  # until the parent ends this process


def printed_by(show: Callable[[], None]) -> str:
    """Let something print, and return what it printed."""
    paper = io.StringIO()
    with contextlib.redirect_stdout(paper):
        show()
    print(paper.getvalue(), end="")
    return paper.getvalue()


def record(name: str, printed: str, page: str = "performance.md") -> None:
    """Put figures between the marks of that name in a page of docs/, with day and machine."""
    path = PROJECT / "docs" / page
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    figures = f"{date.today().isoformat()}, {machine}, one run:\n\n```\n{printed}```\n"
    marked = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    text = path.read_text(encoding="utf-8")
    path.write_text(marked.sub(lambda found: found[1] + figures + found[2], text), encoding="utf-8")
