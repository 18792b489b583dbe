"""deploy/airflow and deploy/prefect for real, each in an environment of its own, over the sandbox.

What a run must leave behind comes from the command line: the same tables and files. How often a task was
tried comes from the orchestrator's own database, or from the records of our runs.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from sandbox import Fault, Sandbox
from sources.transport import ATTEMPTS
from tests.integration.conftest import FREQUENCY_PATH, PROJECT, WIND_PATH, Cli, csv_files, rows_of

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(os.name == "nt", reason="Airflow does not run on Windows"),
]
DAY = "2024-10-27"  # 25 hours long
NEXT_MORNING, MORNING_AFTER = "2024-10-28T06:00:00+00:00", "2024-10-29T06:00:00+00:00"
TABLES = ("frequency", "wind_solar", "average_power", "wind_solar_summary")
# One dataset is not published at first, the provider of the other does not answer at first.
TROUBLE = (
    Fault("empty", path=FREQUENCY_PATH, times=1),
    Fault("503", path=WIND_PATH, times=ATTEMPTS),
)


def environment_with(folder: Path, *requirements: str) -> Path:
    """A new virtual environment; returns its folder of programs, or skips where pip cannot make it."""
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", *requirements],
    ):
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["no reason given"]
            pytest.skip(f"cannot install {' '.join(requirements)}: {said[-1]}")
    return folder / "bin"


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment_with(tmp_path_factory.mktemp("airflow"), "apache-airflow==3.3.*")


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Beside gridledger's own libraries, none of which it may move."""
    folder = tmp_path_factory.mktemp("prefect")
    environment_with(folder, "-r", "requirements.txt")
    pinned = subprocess.check_output([folder / "bin/pip", "freeze"], text=True).splitlines()
    programs = environment_with(folder, "prefect==3.8.*", "fastapi<0.150")
    assert set(pinned) <= set(
        subprocess.check_output([folder / "bin/pip", "freeze"], text=True).splitlines()
    )
    return programs


@pytest.fixture
def direct(tmp_path: Path, sandbox: Sandbox) -> Cli:
    """The command line's run of the day, without trouble."""
    sandbox.now = None
    other = Cli(tmp_path / "direct", sandbox)
    other.folder.mkdir()
    assert other("run", "--date", DAY).returncode == 0
    return other


def same(one: Cli, other: Cli) -> bool:
    tables = (rows_of(one.database, t) == rows_of(other.database, t) != [] for t in TABLES)
    return all(tables) and csv_files(one.output) == csv_files(other.output) != {}


def runs(cli: Cli) -> list[tuple[str, int]]:
    """(command, exit code) of every task, in order."""
    lines = (cli.output / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    return [(record["command"], record["exit_code"]) for record in map(json.loads, lines)]


class Airflow:
    """Runs Airflow's programs with the settings of a command line, whose store the tasks fill."""

    def __init__(self, programs: Path, cli: Cli) -> None:
        self.programs = programs
        self.home = cli.folder / "airflow"
        self.environment = cli.environment | {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "deploy" / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
            "GRIDLEDGER_PYTHON": sys.executable,
            "NO_PROXY": "127.0.0.1",
        }

    def __call__(self, program: str, *arguments: str, ends_with: int = 0, **more: str) -> str:
        done = subprocess.run(
            [self.programs / program, *arguments],
            env=self.environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == ends_with, done.stdout[-4000:]
        return done.stdout

    def tries(self) -> dict[str, tuple[str, int]]:
        """State and number of tries of every task of the latest run."""
        with closing(sqlite3.connect(self.home / "airflow.db")) as db:
            found = db.execute(
                "SELECT task_id, state, try_number FROM task_instance WHERE run_id = "
                "(SELECT run_id FROM dag_run ORDER BY id DESC LIMIT 1)"
            ).fetchall()
        return {task: (state, number) for task, state, number in found}


def test_airflow_tries_again_and_ends_like_the_command_line(
    airflow: Path, cli: Cli, direct: Cli, sandbox: Sandbox
) -> None:
    run = Airflow(airflow, cli)
    run("airflow", "db", "migrate")
    sandbox.faults = TROUBLE
    run("airflow", "dags", "test", "gridledger", NEXT_MORNING)
    assert run.tries() == {
        "fetch_frequency": ("success", 2),
        "fetch_wind_solar": ("success", 2),
        "process": ("success", 1),
        "complete": ("success", 1),
    }
    assert same(cli, direct)

    sandbox.clear_requests()
    run("airflow", "dags", "test", "gridledger", NEXT_MORNING)
    assert sandbox.requests == []
    assert same(cli, direct)

    sandbox.faults = [Fault("empty", path=WIND_PATH)]
    run("airflow", "dags", "test", "gridledger", MORNING_AFTER, ends_with=1)
    assert run.tries() == {
        "fetch_frequency": ("success", 1),
        "fetch_wind_solar": ("failed", 6),
        "process": ("success", 1),
        "complete": ("upstream_failed", 0),
    }
    assert (cli.output / "2024-10-28" / "average_power.csv").exists()


EVERY_INTERVAL = """
import json, pendulum
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.timetables.base import TimeRestriction
from jinja2 import Template
import gridledger_dag

first, last = (pendulum.datetime(year, 1, 1, tz="Europe/London") for year in (2024, 2025))
timetable = coerce_to_core_timetable(gridledger_dag.daily().schedule)
within, interval, days = TimeRestriction(first, last, catchup=True), None, []
while info := timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=within):
    interval = info.data_interval
    texts = gridledger_dag.FIRST, gridledger_dag.LAST
    named = dict(data_interval_start=interval.start, data_interval_end=interval.end)
    days.append([Template(text).render(**named) for text in texts])
print(json.dumps(days))
"""


def test_airflow_gives_every_settlement_day_to_one_run(airflow: Path, cli: Cli) -> None:
    run = Airflow(airflow, cli)
    told = run("python", "-c", EVERY_INTERVAL, PYTHONPATH=str(PROJECT / "deploy" / "airflow"))
    days = [str(date(2024, 1, 1) + timedelta(days=n)) for n in range(366)]
    assert json.loads(told.splitlines()[-1]) == [[day, day] for day in days]


FLOW = """
import sys, gridledger_flow
from datetime import date
gridledger_flow.fetch = gridledger_flow.fetch.with_options(retry_delay_seconds=0.1)
ended = gridledger_flow.daily(first=date.fromisoformat(sys.argv[1]), return_state=True)
sys.exit(not ended.is_completed())
"""


def test_prefect_tries_again_and_ends_like_the_command_line(
    prefect: Path, cli: Cli, direct: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    environment = cli.environment | {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
        "DO_NOT_TRACK": "1",
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": str(PROJECT / "deploy" / "prefect"),
    }

    def run(day: str) -> subprocess.CompletedProcess[str]:
        command = [prefect / "python", "-c", FLOW, day]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    sandbox.faults = TROUBLE
    done = run(DAY)
    assert done.returncode == 0, done.stderr[-4000:]
    fetches = [("fetch", code) for code in (3, 0, 1, 0)]
    assert runs(cli) == [*fetches, ("process", 0)]
    assert same(cli, direct)

    sandbox.clear_requests()
    assert run(DAY).returncode == 0
    assert sandbox.requests == []
    assert same(cli, direct)

    sandbox.faults = [Fault("empty", path=WIND_PATH)]
    done = run("2024-10-28")
    assert done.returncode == 1
    assert "wind_solar 2024-10-28: empty" in done.stderr
    assert runs(cli)[-8:] == [("fetch", 0), *[("fetch", 3)] * 6, ("process", 0)]
    assert (cli.output / "2024-10-28" / "average_power.csv").exists()
