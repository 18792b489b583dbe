"""What the tests of whole runs share: a sandbox, a place of their own, and eyes that are not ours.

Tables are read with plain ``sqlite3`` and files with ``csv``; what they must hold comes from the
sandbox's own account of its grid or from plain loops, never from the code under test.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import fetch_data
import job
import sources.transport
import storage
from domain.settlement import parse_range
from sandbox import Sandbox
from stores.sql import SqlStore
from tests.integration import forked
from tests.integration.postgres import PostgresServer, libraries_are_there, postgres_server
from utils import Settings, load_settings

# The base installation has no hypothesis; `test --all` has, and runs these too.
collect_ignore = (
    []
    if importlib.util.find_spec("hypothesis")
    else ["test_fuzz.py", "test_identities.py", "test_ledger_machine.py", "test_vpp_fuzz.py"]
)

PROJECT = Path(__file__).resolve().parents[2]
NOW = "2024-11-25T09:00:00Z"
FREQUENCY_PATH = "/datasets/FREQ/stream"
WIND_PATH = "/generation/actual/per-type/wind-and-solar"
# What a run here consists of, whatever the project's defaults have grown to.
WHAT_RUNS = {
    "DATASETS": "frequency,wind_solar",
    "PRODUCTS": "average_power,wind_solar_summary",
    "REPORT_DAYS": "0",  # drawing takes longer than most of these runs; test_report asks for it
}
# Files that say when something was done, and so differ between two runs that did the same.
PATIENCE_S = 120.0
DIARIES = ("task_log.log", "runs.jsonl", "metrics.prom")


def instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


# --- reading what stands there, without the code under test -----------------------------------


def rows_of(
    database: Path, table: str, *, without: Sequence[str] = ("retrieved_at", "superseded_at")
) -> list[dict[str, Any]]:
    """All rows of a table as dicts in the order of their columns; none where there is no table."""
    with closing(sqlite3.connect(f"file:{database}?mode=rw", uri=True)) as db:
        names = [row[1] for row in db.execute(f"PRAGMA table_info('{table}')")]
        kept = [name for name in names if name not in without]
        if not kept:
            return []
        listed = ", ".join(f'"{name}"' for name in kept)
        found = db.execute(f'SELECT {listed} FROM "{table}" ORDER BY {listed}').fetchall()
    return [dict(zip(kept, row, strict=True)) for row in found]


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder but the diaries."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in DIARIES
    }


def csv_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.csv")}


def true_frequency(sandbox: Sandbox, start: str, end: str) -> list[tuple[str, float]]:
    """(time, Hz) of every sample published in [start, end)."""
    columns = sandbox.truth("frequency", start, end)["columns"]
    return [
        (f"{moment}Z", float(hertz))
        for moment, hertz in zip(columns["time"], columns["frequency_hz"], strict=True)
    ]


def true_wind(
    sandbox: Sandbox, start: str, end: str, *, every: bool = False
) -> list[tuple[str, str, float, str]]:
    """(start, type, MW, publish time) of every row, or publication, of [start, end), in order."""
    told = sandbox.history if every else sandbox.truth
    columns = told("wind_solar", start, end)["columns"]
    names = ("start_time", "psr_type", "quantity_mw", "publish_time")
    rows = zip(*(columns[name] for name in names), strict=True)
    return sorted((f"{start}Z", str(kind), float(mw), f"{when}Z") for start, kind, mw, when in rows)


# --- a place in which the job runs ------------------------------------------------------------


class World:
    """A sandbox, a store and an output folder; runs the job in this process at a given moment."""

    def __init__(self, root: Path, sandbox: Sandbox) -> None:
        self.root = root
        self.sandbox = sandbox
        self.output = root / "output"
        self.database = self.output / "grid.db"
        self.overrides = {
            **{setting.key: setting.default for setting in job.all_settings()},
            **sandbox.settings(),
            "OUTPUT_DIR": str(self.output),
            "STORE_URL": f"sqlite:///{self.database}",
            "ELEXON_REQUESTS_PER_S": "1000",
            **WHAT_RUNS,
        }

    def settings(self, **changed: str) -> Settings:
        # Every setting is among them: no file needs to be read for each of a thousand tests.
        return load_settings(job.all_settings(), self.overrides | changed, folder=self.root)

    def store(self) -> SqlStore:
        return storage.open_store(self.overrides["STORE_URL"])

    def run(
        self,
        start: str | None = None,
        end: str | None = None,
        *,
        now: str = NOW,
        only: Sequence[str] = (),
        **changed: str,
    ) -> job.Report:
        """The daily job at ``now``; without ``start`` the form that nobody watches."""
        self.sandbox.now = now
        settings = self.settings(**changed)
        window = parse_range(start, end) if start else None
        with self.store() as store:
            return job.run_job(job.Job("run", store, settings, instant(now)), window, list(only))

    def fetch(
        self,
        keys: Sequence[str],
        start: str,
        end: str | None = None,
        *,
        now: str = NOW,
        again: bool = False,
        **changed: str,
    ) -> job.Report:
        """Stage 1 alone."""
        self.sandbox.now = now
        window = parse_range(start, end)
        settings = self.settings(**changed)
        wanted = fetch_data.each_scope(fetch_data.find_datasets(keys), settings, lambda *_: window)
        with self.store() as store:
            fetched = fetch_data.fetch_windows(
                wanted, store, settings, instant(now), by_name=True, again=again
            )
        report = job.Report(fetched=fetched.fetched, requests=fetched.requests)
        report.list_holes(instant(now))
        return report

    def rows(self, table: str, **reading: Any) -> list[dict[str, Any]]:
        return rows_of(self.database, table, **reading) if self.database.exists() else []

    def frequency(self) -> list[tuple[str, float]]:
        return [(r["measurement_time"], r["frequency_hz"]) for r in self.rows("frequency")]

    def wind(self, table: str = "wind_solar") -> list[tuple[str, str, float, str]]:
        return sorted(
            (r["period_start"], r["psr_type"], r["generation_mw"], r["publish_time"])
            for r in self.rows(table)
        )

    def ledger(self, key: str) -> dict[str, dict[str, Any]]:
        return {row["day"]: row for row in self.rows("ledger") if row["key"] == key}

    def states(self, key: str) -> dict[str, str]:
        return {day: row["state"] for day, row in self.ledger(key).items()}

    def asked(self) -> list[tuple[str, str, str]]:
        """(end of the path, first, last) of every request so far; forgets them."""
        requests = self.sandbox.requests
        self.sandbox.clear_requests()
        return sorted(
            (r.path.rsplit("/", 1)[-1], *list(r.params.values())[:2])  # type: ignore[misc]
            for r in requests
        )


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of the tests' own; the developers' libraries bring it."""
    if not libraries_are_there():
        pytest.skip("needs the developers' libraries: type 'python3 run.py test --all'")
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def served() -> Iterator[Sandbox]:
    with Sandbox(now=NOW, seed=7) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(served: Sandbox) -> Iterator[Sandbox]:
    """A sandbox without faults, requests or a past; seed 7."""
    served.now, served.faults, served.limits = NOW, (), None
    served.clear_requests()
    yield served
    served.now, served.faults, served.limits = NOW, (), None


@pytest.fixture
def world(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, clean_environment: None
) -> World:
    return World(tmp_path, sandbox)


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting and no proxy of whoever runs the tests."""
    keys = _setting_keys()
    for name in list(os.environ):
        if name in keys or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses before a retry last no longer than a blink."""
    monkeypatch.setattr(sources.transport, "LONGEST_PAUSE_S", 0.01)


@cache
def _setting_keys() -> frozenset[str]:
    return frozenset({setting.key for setting in job.all_settings()} | {"BMRS_API_KEY"})


# --- processes ---------------------------------------------------------------------------------


class Cli:
    """Runs main.py as a process of its own, with nothing of the caller's settings."""

    def __init__(self, folder: Path, sandbox: Sandbox | None) -> None:
        self.folder = folder
        self.output = folder / "output"
        self.database = self.output / "grid.db"
        self._keys = keys = _setting_keys()
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if name not in keys and not name.lower().endswith("_proxy")
        }
        self.environment |= {setting.key: setting.default for setting in job.all_settings()}
        self.environment |= {
            "OUTPUT_DIR": str(self.output),
            "STORE_URL": f"sqlite:///{self.database}",
            "ELEXON_REQUESTS_PER_S": "1000",
            **WHAT_RUNS,
            # Nobody listens there: a test that did not ask for a sandbox must not reach the world.
            **{key: "http://127.0.0.1:9" for key in keys if key.endswith("_BASE_URL")},
            "PYTHONDONTWRITEBYTECODE": "1",
            **(sandbox.settings() if sandbox else {}),
        }

    def start(self, *arguments: str, cwd: Path | None = None, **settings: Any) -> Any:
        """A running process; ``stdout`` and ``stderr`` may be given, the rest are settings."""
        streams = {name: settings.pop(name, subprocess.PIPE) for name in ("stdout", "stderr")}
        return subprocess.Popen(
            [sys.executable, str(PROJECT / "main.py"), *arguments],
            cwd=cwd or self.folder,
            env=self.environment | settings,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            **streams,
        )

    def __call__(
        self, *arguments: str, cwd: Path | None = None, **settings: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; as cheaply as it goes, where no more than settings are given."""
        if forked.FORKS and settings.keys() <= self._keys:
            environment = self.environment | settings
            return forked.run(arguments, environment, cwd or self.folder, PATIENCE_S)
        return self.from_scratch(*arguments, cwd=cwd, **settings)

    def from_scratch(
        self, *arguments: str, cwd: Path | None = None, **settings: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end as a user's shell does: a Python that has loaded nothing yet."""
        process = self.start(*arguments, cwd=cwd, **settings)
        try:
            out, err = process.communicate(timeout=PATIENCE_S)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@pytest.fixture
def cli(tmp_path: Path, sandbox: Sandbox) -> Cli:
    sandbox.now = None
    return Cli(tmp_path, sandbox)


@pytest.fixture
def offline(tmp_path: Path) -> Cli:
    """A command line whose provider does not answer."""
    return Cli(tmp_path, None)


def wait_until(happened: Callable[[], bool], seconds: float = 60.0) -> None:
    """Look often until it happened; AssertionError when the time is over."""
    over = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < over, "it never happened"
        time.sleep(0.01)


# --- a provider that answers whatever a test wants ---------------------------------------------


class Scripted:
    """An HTTP server that gives prepared answers, the last for ever, and keeps what it was asked."""

    def __init__(self, answers: Sequence[tuple[int, Mapping[str, str], bytes]]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[float, str, dict[str, str]]] = []
        lock = threading.Lock()
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with lock:
                    at = len(scripted.asked)
                    scripted.asked.append((time.monotonic(), self.path, dict(self.headers)))
                    status, headers, body = scripted.answers[min(at, len(scripted.answers) - 1)]
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def scripted(*answers: tuple[int, Mapping[str, str], bytes]) -> Iterator[Scripted]:
    server = Scripted(answers)
    thread = threading.Thread(target=server.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.server.shutdown()
        thread.join()
        server.server.server_close()


# --- figures by plain loops --------------------------------------------------------------------


def droop_by_hand(samples: Sequence[tuple[str, float]], power_mw: float = 1.0) -> dict[str, Any]:
    """average_power of every half hour under a droop that is full at 0.5 Hz, one sample at a time.

    A sample holds until the next one, at most 60 s; below half coverage nothing is claimed.
    """
    found: dict[str, dict[str, float]] = {}
    times = [instant(moment) for moment, _ in samples]
    for n, (_, hertz) in enumerate(samples):
        share = min(max((50.0 - hertz) / 0.5, -1.0), 1.0) * power_mw
        until = times[n] + timedelta(seconds=60)
        if n + 1 < len(times):
            until = min(until, times[n + 1])
        at, first = times[n], True
        while at < until:
            begin = at.replace(minute=at.minute // 30 * 30, second=0)
            stop = min(until, begin + timedelta(minutes=30))
            seconds = (stop - at).total_seconds()
            key = f"{begin:%Y-%m-%dT%H:%M:%SZ}"
            half = found.setdefault(key, {"covered": 0.0, "up": 0.0, "down": 0.0, "samples": 0})
            half["covered"] += seconds
            half["up"] += max(share, 0.0) * seconds
            half["down"] += max(-share, 0.0) * seconds
            half["samples"] += first
            at, first = stop, False
    return found
