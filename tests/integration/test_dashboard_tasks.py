"""Work that pages start, with real processes: progress, stop, kill, a second look, two at a time."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from datetime import date
from pathlib import Path

import pytest

from dashboard import tasks
from domain.errors import UsageError
from job import read_settings
from sandbox import Fault, Sandbox
from tests.integration.conftest import PROJECT, Cli, World, rows_of, wait_until
from utils import Settings

pytest.importorskip("psutil", reason="needs the libraries of the dashboard")

FIRST, LAST = date(2024, 10, 1), date(2024, 10, 26)


@pytest.fixture
def place(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a dashboard over the sandbox, in the environment that its tasks inherit."""
    cli.environment["FETCH_WORKERS"] = "2"
    for name, value in cli.environment.items():
        monkeypatch.setenv(name, value)
    return read_settings()


def newest(place: Settings) -> tasks.Task:
    return tasks.listed(place)[0]


def slow(sandbox: Sandbox) -> None:
    """Every answer takes a while, so that there is something to watch."""
    sandbox.faults = [Fault("slow", seconds=0.5)]


def test_a_backfill_is_watched_to_its_end(place: Settings, cli: Cli, sandbox: Sandbox) -> None:
    slow(sandbox)
    tasks.start(place, "backfill", ["frequency"], FIRST, LAST)
    seen: list[int] = []

    def ended() -> bool:
        task = newest(place)  # as a page that was just opened: there is nothing but the files
        seen.append(task.done)
        return not task.running

    wait_until(ended, 60)
    task = newest(place)
    assert task.exit_code in (0, 3), tasks.last_lines(task)
    assert task.done == task.total == 13, "a window is two days wide"
    assert seen == sorted(seen) and len(set(seen)) > 2, "progress was told on the way"
    stored = rows_of(cli.database, "frequency")
    (gauge,) = task.gauges
    assert gauge["rows"] == task.rows == len(stored) > 0
    asked = [r for r in sandbox.requests if r.path.endswith("/FREQ/stream")]
    assert gauge["requests"] == len(asked)
    assert tasks.last_lines(task)[-1].startswith("exit code")
    assert rows_of(cli.database, "average_power"), "products follow"


def test_a_task_that_is_stopped_ends_cleanly_and_goes_on_later(
    place: Settings, cli: Cli, sandbox: Sandbox
) -> None:
    slow(sandbox)
    tasks.start(place, "backfill", ["frequency"], FIRST, LAST)
    wait_until(lambda: newest(place).done >= 2, 60)
    tasks.stop(newest(place))
    wait_until(lambda: not newest(place).running, 20)
    task = newest(place)
    assert (task.exit_code, task.died) == (130, False)
    stored = len(rows_of(cli.database, "frequency"))
    assert task.done < task.total and stored >= task.rows > 0

    sandbox.faults = []
    again = tasks.start(place, "backfill", ["frequency"], FIRST, LAST)
    wait_until(lambda: not newest(place).running, 60)
    assert newest(place).started.id == again.started.id
    # A window of the first task may have been answered after it was last told.
    assert newest(place).total <= task.total - task.done
    assert len(rows_of(cli.database, "frequency")) > stored


def test_a_task_that_was_killed_is_seen_as_such(place: Settings, sandbox: Sandbox) -> None:
    slow(sandbox)
    task = tasks.start(place, "backfill", ["frequency"], FIRST, LAST)
    wait_until(lambda: newest(place).done >= 1, 60)
    os.kill(task.started.pid, signal.SIGKILL)
    wait_until(lambda: not newest(place).running, 10)
    assert newest(place).died
    assert 1 <= newest(place).done < 13, "what it told stays"


def test_of_two_over_the_same_data_the_second_is_told_so(place: Settings, sandbox: Sandbox) -> None:
    slow(sandbox)
    first = tasks.start(place, "backfill", ["frequency"], FIRST, LAST)
    wait_until(lambda: newest(place).done >= 1, 60)
    tasks.start(place, "fetch", ["frequency"], FIRST, FIRST)
    by_id = lambda: {task.started.id: task for task in tasks.listed(place)}  # noqa: E731
    wait_until(lambda: sum(task.running for task in by_id().values()) == 1, 20)
    (second,) = (task for id, task in by_id().items() if id != first.started.id)
    assert second.exit_code == 4 and "locked by another run" in second.state
    assert by_id()[first.started.id].running
    tasks.stop(by_id()[first.started.id])
    wait_until(lambda: not by_id()[first.started.id].running, 20)


def test_a_task_outlives_the_process_that_started_it(place: Settings, sandbox: Sandbox) -> None:
    slow(sandbox)
    code = (
        "from datetime import date; from dashboard import tasks; from job import read_settings; "
        f"tasks.start(read_settings(), 'fetch', ['wind_solar'], date({FIRST:%Y, %-m, %-d}), "
        f"date({LAST:%Y, %-m, %-d}))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True, timeout=60)
    wait_until(lambda: not newest(place).running, 60)
    assert newest(place).exit_code in (0, 3)


def test_what_cannot_be_asked_starts_nothing(place: Settings) -> None:
    with pytest.raises(UsageError):
        tasks.start(place, "fetch", ["frequency", "--again"], FIRST, LAST)
    assert tasks.listed(place) == []


def test_a_store_tells_when_it_changed(world: World) -> None:
    def moment() -> str:
        with world.store() as store:
            store.missing_days()
            return store.moment()

    world.fetch(["wind_solar"], "2024-10-01")
    before = moment()
    assert moment() == before, "who looks changes nothing"
    world.fetch(["wind_solar"], "2024-10-03")
    assert moment() != before
    with world.store() as store:
        # Of the 1st to the 3rd the 2nd was never asked for.
        assert store.missing_days() == {"wind_solar": 1}


# --- the command ------------------------------------------------------------------------------


def ask(url: str) -> int:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=10) as answer:
        return int(answer.status)


def test_the_command_serves_until_it_is_stopped_and_leaves_nothing(
    place: Settings, cli: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    pytest.importorskip("streamlit", reason="needs the libraries of the dashboard")
    psutil = pytest.importorskip("psutil")
    slow(sandbox)
    printed = tmp_path / "said.txt"
    with printed.open("w") as out:
        serving = cli.start("dashboard", "--port", "0", stdout=out, stderr=subprocess.STDOUT)
    try:
        found = re.compile(r"The dashboard is at (http://127\.0\.0\.1:(\d+)) ")
        wait_until(lambda: bool(found.search(printed.read_text())), 60)
        url, port = found.search(printed.read_text()).groups()  # type: ignore[union-attr]
        assert ask(url) == 200
        taken = cli("dashboard", "--port", port)
        assert taken.returncode == 2
        assert f"port {port} on 127.0.0.1 cannot be used" in taken.stderr
        assert "Traceback" not in taken.stderr
        task = tasks.start(place, "backfill", ["frequency"], FIRST, LAST)
        wait_until(lambda: newest(place).done >= 1, 60)
        below = psutil.Process(serving.pid).children(recursive=True)
        assert below, "the pages are served by a process of its own"
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(30) == 0, printed.read_text()
    finally:
        serving.kill()
        serving.wait()
    wait_until(lambda: not newest(place).running, 20)
    assert newest(place).started.id == task.started.id and newest(place).exit_code == 130
    assert "stopped: backfill frequency" in printed.read_text()
    assert not [process for process in below if process.is_running()]
    assert json.loads((cli.output / "runs.jsonl").read_text().splitlines()[-1])["exit_code"] == 130
