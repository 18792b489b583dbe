"""schedule as a real process: it catches up at start, survives failing jobs, and stops when told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sandbox import Fault, Sandbox
from utils import PROJECT

WAIT_S = 40.0


@contextmanager
def scheduled(
    home: Path, api: Sandbox | None, *arguments: str, **more: str
) -> Iterator[subprocess.Popen[str]]:
    """A schedule process over the sandbox, killed at the end if it is still there."""
    environment = os.environ | {
        "OUTPUT_DIR": str(home),
        "STORE_URL": f"sqlite:///{home / 'grid.db'}",
        "DATASETS": "frequency,wind_solar",
        "PRODUCTS": "average_power",
        "ELEXON_BASE_URL": "http://127.0.0.1:9/",
        "ELEXON_DEADLINE_S": "2",
        "NO_PROXY": "127.0.0.1",
    }
    environment |= (api.settings() if api else {}) | more
    environment["ENTSOE_API_TOKEN"] = ""
    process = subprocess.Popen(
        [sys.executable, str(PROJECT / "main.py"), "schedule", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=home,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until(true: Callable[[], bool]) -> None:
    """Wait for something to become true; fail where it does not."""
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def log_of(home: Path) -> str:
    path = home / "task_log.log"
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_catches_up_at_start_beats_and_leaves_with_0(
    tmp_path: Path, number: signal.Signals
) -> None:
    with Sandbox() as api, scheduled(tmp_path, api) as process:
        until(lambda: "schedule: alive, next job at" in log_of(tmp_path))
        process.send_signal(number)
        out, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0
    assert "Traceback" not in out
    assert "schedule: stopped" in log_of(tmp_path)
    assert (tmp_path / "average_power.csv").exists()


def test_told_to_stop_while_fetching_it_finishes_what_is_under_way(tmp_path: Path) -> None:
    drip = [Fault("hang", seconds=3.0)]
    with Sandbox(faults=drip) as api, scheduled(tmp_path, api, ELEXON_TIMEOUT_S="5") as process:
        until(lambda: "schedule begins" in log_of(tmp_path))
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=WAIT_S)
    assert process.returncode == 0


def test_a_failing_job_does_not_end_it(tmp_path: Path) -> None:
    with scheduled(tmp_path, None) as process:
        until(lambda: "schedule: alive" in log_of(tmp_path))
        assert "ends with exit code 1" in log_of(tmp_path)
        assert process.poll() is None
        (tmp_path / "grid.db").write_bytes(b"not a database, and long enough to be read as one" * 9)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=WAIT_S)
    assert process.returncode == 0


@pytest.mark.parametrize(("at", "said"), [("25:00", "06:00"), ("6", "06:00"), ("noon", "06:00")])
def test_a_wrong_time_is_one_sentence(tmp_path: Path, at: str, said: str) -> None:
    with scheduled(tmp_path, None, "--at", at) as process:
        out, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == 2
    assert said in out and "Traceback" not in out


def test_the_job_stays_at_its_london_time_through_both_clock_changes() -> None:
    """The library, as it is used: the next run on the morning after each change."""
    clockwork = pytest.importorskip("schedule")
    time_machine = pytest.importorskip("time_machine")
    london = ZoneInfo("Europe/London")
    for noon in (datetime(2024, 3, 30, 12, tzinfo=UTC), datetime(2024, 10, 26, 12, tzinfo=UTC)):
        for day in range(3):
            with time_machine.travel(noon + timedelta(days=day), tick=False):
                timetable = clockwork.Scheduler()
                timetable.every().day.at("06:00", "Europe/London").do(print)
                seconds = timetable.idle_seconds
            local = (noon + timedelta(days=day, seconds=seconds)).astimezone(london)
            assert (local.hour, local.minute) == (6, 0)
            assert local.date() == (noon + timedelta(days=day + 1)).astimezone(london).date()


@pytest.mark.nightly
def test_the_job_runs_at_its_time(tmp_path: Path) -> None:
    soon = datetime.now(ZoneInfo("Europe/London")) + timedelta(seconds=70)
    with Sandbox() as api, scheduled(tmp_path, api, "--at", f"{soon:%H:%M}"):
        end = time.monotonic() + 180
        while log_of(tmp_path).count("schedule begins") < 2:
            assert time.monotonic() < end
            time.sleep(1)
