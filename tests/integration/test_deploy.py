"""What is shipped for running gridledger elsewhere: tasks of orchestrators, the image, units of systemd.

Airflow, Prefect and Docker are not needed here; test_orchestrators.py has the first two for real.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, tzinfo
from pathlib import Path

import pytest

import fetch_data
import job
from deploy import tasks
from domain.errors import GridledgerError, UsageError
from domain.ledger import Entry, State
from domain.settlement import day_window, days_window
from fetch_data import Fetched, find_datasets
from job import Report
from sandbox import Fault, Sandbox
from tests.integration.conftest import (
    FREQUENCY_PATH,
    PROJECT,
    WIND_PATH,
    Cli,
    csv_files,
    instant,
    rows_of,
)
from utils import log

DAY = "2024-10-27"  # 25 hours long
ORCHESTRATED = ("airflow/gridledger_dag.py", "prefect/gridledger_flow.py")


@pytest.fixture
def settings(cli: Cli, monkeypatch: pytest.MonkeyPatch, clean_environment: None) -> Iterator[Cli]:
    """The settings of a command line, in the environment of this process as an orchestrator gives them."""
    for name, value in cli.environment.items():
        monkeypatch.setenv(name, value)
    handlers, propagate = list(log.handlers), log.propagate
    yield cli
    for handler in set(log.handlers) - set(handlers):
        log.removeHandler(handler)
        handler.close()
    log.propagate = propagate


def test_a_task_fails_until_the_command_line_would_end_with_0(
    settings: Cli, sandbox: Sandbox, impatient: None, tmp_path: Path
) -> None:
    sandbox.faults = [
        Fault("empty", path=FREQUENCY_PATH, times=1),
        Fault("503", path=WIND_PATH, times=5),
    ]
    with pytest.raises(GridledgerError, match=rf"exit code 3 .*; frequency {DAY}: empty"):
        tasks.fetch("frequency", DAY, DAY)
    with pytest.raises(GridledgerError, match=r"exit code 1 .*; wind_solar .* gave no usable"):
        tasks.fetch("wind_solar", DAY, DAY)
    tasks.fetch("frequency", DAY, DAY)
    tasks.fetch("wind_solar", DAY, DAY)
    tasks.process(DAY, DAY)
    direct = Cli(tmp_path / "direct", sandbox)
    direct.folder.mkdir()
    assert direct("run", "--date", DAY).returncode == 0
    for table in ("frequency", "wind_solar", "average_power", "wind_solar_summary"):
        assert rows_of(settings.database, table) == rows_of(direct.database, table) != []
    assert csv_files(settings.output) == csv_files(direct.output) != {}

    sandbox.clear_requests()
    tasks.fetch("frequency", DAY, DAY)
    tasks.process(DAY, DAY)
    assert sandbox.requests == []
    records = (settings.output / "runs.jsonl").read_text().splitlines()
    ends = [(r["command"], r["exit_code"]) for r in map(json.loads, records)]
    fetches = [("fetch", code) for code in (3, 1, 0, 0)]
    assert ends == [*fetches, ("process", 0), ("fetch", 0), ("process", 0)]


def test_a_confirmed_hole_is_a_warning(settings: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    tasks.fetch("frequency", DAY, DAY)
    with closing(sqlite3.connect(settings.database)) as db, db:
        db.execute("UPDATE ledger SET state = 'confirmed_partial', coverage = 0.5")
    capsys.readouterr()
    tasks.fetch("frequency", DAY, DAY)
    said = capsys.readouterr().out
    assert f"! frequency, days of {DAY}: 1 confirmed_partial, 50.0% covered" in said


def test_confirmed_holes_of_a_dataset_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    (dataset,) = find_datasets(["entsoe_flows"])
    days = [date(2024, 10, 26), date(2024, 10, 27)]
    parts = []
    for scope, coverage in (("FR>ES", 0.0), ("ES>FR", 0.0), ("ES>PT", 0.5), ("PT>ES", 1.0)):
        state = {
            0.0: State.CONFIRMED_EMPTY, 0.5: State.CONFIRMED_PARTIAL, 1.0: State.COMPLETE,
        }[coverage]  # fmt: skip
        now = instant("2024-10-29T12:00:00Z")
        entries = {
            day: Entry(dataset.key, scope, day, day_window(day), state, 0, 0, coverage, 1, now, now)
            for day in days
        }
        parts.append(Fetched(dataset, scope, days_window(*days), entries))
    tasks._warn_of_confirmed(Report(fetched=parts))
    assert capsys.readouterr().out.splitlines() == [
        "! entsoe_flows, days of 2024-10-26 to 2024-10-27: 4 confirmed_empty, 2 confirmed_partial "
        "of 3 areas or borders, 16.7% covered"
    ]


def test_catching_up_fills_what_a_task_left(
    settings: Cli, sandbox: Sandbox, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class TwoDaysLater(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return instant("2024-10-29T12:00:00Z").astimezone(tz)

    sandbox.now = "2024-10-29T12:00:00Z"
    sandbox.faults = [Fault("503", path=FREQUENCY_PATH, times=5)]
    with pytest.raises(GridledgerError, match="exit code 1"):
        tasks.fetch("frequency", DAY, DAY)
    monkeypatch.setattr(job, "datetime", TwoDaysLater)
    tasks.catch_up()
    powers = rows_of(settings.database, "average_power")
    days = Counter(row["settlement_date"] for row in powers)
    assert days == {DAY: 50, "2024-10-28": 48}


def test_days_to_come_and_unknown_groups_are_refused(settings: Cli) -> None:
    with pytest.raises(UsageError, match="has not begun"):
        tasks.fetch("frequency", "2099-01-01", "2099-01-01")
    with pytest.raises(UsageError, match="no dataset 'cores': did you mean core"):
        tasks.fetch("cores", DAY, DAY)


@pytest.mark.parametrize("name", ORCHESTRATED)
def test_an_orchestrator_refers_to_what_exists(name: str) -> None:
    tree = ast.parse((PROJECT / "deploy" / name).read_text(encoding="utf-8"))
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "tasks":
            used.add(node.attr)
            assert callable(getattr(tasks, node.attr))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("tasks."):
            inspect.signature(getattr(tasks, node.func.attr)).bind(*node.args)  # type: ignore[attr-defined]
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "os.environ.get":
            key, *default = (ast.unparse(argument).strip("'") for argument in node.args)
            assert key in {s.key for s in job.all_settings()} | {"GRIDLEDGER_PYTHON"}
            if key == "DATASETS":
                assert fetch_data.find_datasets(default)
    assert used == {"fetch", "process", "catch_up"}


def instructions(keyword: str) -> list[str]:
    """What follows a keyword in the Dockerfile, each with its continued lines."""
    text = (PROJECT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return re.findall(rf"^{keyword} +(.*)$", text, re.MULTILINE)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what .dockerignore lets into the image."""
    folder = tmp_path_factory.mktemp("image")
    rules = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    named = [rule[1:] for rule in rules if rule.startswith("!")]
    assert [rule for rule in rules if rule[:1] not in ("!", "#")] == ["*", "**/__pycache__"]
    for pattern in named:
        found = list(PROJECT.glob(pattern))
        assert found, f".dockerignore names {pattern}, which is not there"
        for path in found:
            target = folder / path.relative_to(PROJECT)
            target.parent.mkdir(exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(path, target)
    return folder


def test_what_the_image_holds_is_enough_for_a_run(image: Path, cli: Cli) -> None:
    for sources in instructions("COPY"):
        for source in sources.split()[:-1]:
            assert (image / source).exists()
    assert not (image / "config.local.env").exists()
    [entry], [command] = map(instructions, ("ENTRYPOINT", "CMD"))
    program, script = json.loads(entry)
    assert (program, json.loads(command)) == ("python", ["schedule"])
    done = subprocess.run(
        [sys.executable, script, "run", "--date", DAY],
        cwd=image,
        env=cli.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(rows_of(cli.database, "average_power")) == 50


@pytest.mark.skipif(os.name == "nt", reason="the image is Linux")
def test_the_image_is_healthy_while_its_log_grows(tmp_path: Path) -> None:
    [text] = instructions("HEALTHCHECK")
    command = json.loads(text.partition("CMD ")[2])
    diary = tmp_path / "task_log.log"

    def healthy() -> bool:
        environment = {"PATH": os.environ["PATH"], "OUTPUT_DIR": str(tmp_path)}
        return subprocess.run(command, env=environment, capture_output=True).returncode == 0

    assert not healthy()
    diary.touch()
    assert healthy()
    long_ago = diary.stat().st_mtime - 131 * 60
    os.utime(diary, (long_ago, long_ago))
    assert not healthy()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_accepts_the_units() -> None:
    units = sorted(map(str, (PROJECT / "deploy" / "systemd").iterdir()))
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    assert len(units) == 2
    assert (done.returncode, done.stderr) == (0, "")
