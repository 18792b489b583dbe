"""The command line as people and schedulers meet it: real processes, exit codes, one clear sentence.

Whatever is only asked and answers runs in a fork of a process that has imported the project already;
a run, ``status``, an export and all that is interrupted or killed start as a shell starts them.
"""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import job
import main
import storage
import utils
from sandbox import Fault, Sandbox
from tests.integration.conftest import (
    PROJECT,
    Cli,
    csv_files,
    hashes,
    rows_of,
    true_frequency,
    true_wind,
    wait_until,
)

DAY = "2024-10-05"
BOUNDS = ("2024-10-04T23:00:00Z", "2024-10-05T23:00:00Z")
Answered = tuple[Cli, subprocess.CompletedProcess[str]]
posix_only = pytest.mark.skipif(os.name != "posix", reason="signals and pipes of POSIX")


def sentence(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one sentence with which a command ends that could not do its work."""
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    assert done.returncode == code, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(said) == 1, done.stderr
    assert len(said[0]) > 20
    return said[0]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A place in which one day was fetched and processed; for commands that only look."""
    with Sandbox(seed=7) as sandbox:
        cli = Cli(tmp_path_factory.mktemp("filled"), sandbox)
        done = cli.from_scratch("run", "--date", DAY)
        assert done.returncode == 0, done.stderr
    yield cli


# --- bad input ---------------------------------------------------------------------------------

BAD_INPUT: list[tuple[str, list[str]]] = [
    ("nonsense", ["nonsense"]),
    ("run --bogus", ["--bogus"]),
    ("run --only frequncy", ["'frequncy'", "did you mean frequency"]),
    ("run --only averge_power", ["'averge_power'", "average_power"]),
    ("fetch frequncy --start 2024-10-01", ["'frequncy'", "did you mean frequency"]),
    ("fetch frequency", ["--start"]),
    ("process averag_power --start 2024-10-01", ["did you mean average_power"]),
    ("run --date 27.10.2024", ["'27.10.2024'", "2024-10-27"]),
    ("run --start 2024-10-05T25:00:00Z --end 2024-10-06", ["'2024-10-05T25:00:00Z'"]),
    ("run --start 2024-10-05 --end 2024-10-01", ["reversed", "2024-10-05", "2024-10-01"]),
    ("run --date 2024-10-05 --start 2024-10-05", ["not both"]),
    ("run --end 2024-10-05", ["--start"]),
    ("run --date 1850-01-01", ["1850-01-01", "1990"]),
    ("run --date 2099-12-31", ["2099-12-31", "not begun"]),
    ("fetch-year 2099", ["2099", "not begun"]),
    ("export frequncy --to x.csv", ["did you mean frequency"]),
    ("export frequency --to x.txt", ["x.txt", ".csv", ".parquet"]),
    ("export frequency --to x.csv --where foo=1", ["foo=1", "frequency_hz"]),
    ("export frequency --to x.csv --where frequency_hz=abc", ["'abc'", "frequency_hz"]),
    ("export frequency --to x.csv --where measurement_time=soon", ["'soon'"]),
    ("export frequency --to x.csv --columns frequency,foo", ["'frequency'", "frequency_hz"]),
    ("export frequency --to x.csv --end 2024-10-05", ["--start"]),
    ("sandbox --fault foo:0.1", ["'foo:0.1'", "truncated", "429"]),
    ("sandbox --fault 429:2", ["'429:2'"]),
    ("sandbox --now yesterday", ["'yesterday'"]),
    ("sandbox --port 99999", ["99999"]),
    ("demo --date 2024-02-30", ["'2024-02-30'"]),
]
WRONG_SETTINGS = [
    ("RESPONSE_SERVICE", "dx", "droop, dc, dm, dr, fcr"),
    ("BATTERY_POWER_MW", "nan", "number above 0"),
    ("CATCH_UP_DAYS", "0", "whole number from 1"),
    ("ELEXON_BASE_URL", "ftp://example.org", "http"),
    ("DATASETS", "frequency,frequncy", "wind_solar"),
    ("STORE_URL", "mysql://db", "sqlite:///"),
    ("OUTPUT_DIR", "", "folder"),
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Answered]]:
    """What each wrong call was answered; all of them run side by side, each in its own folder."""
    root = tmp_path_factory.mktemp(
        "bad"
    )  # here: pytest's own folder is not made by several threads
    with ThreadPoolExecutor(os.cpu_count()) as pool:

        def ask(arguments: str, **settings: Any) -> Answered:
            cli = Cli(Path(tempfile.mkdtemp(dir=root)), None)
            return cli, cli(*arguments.split(), **settings)

        running: dict[tuple[str, ...], Future[Answered]] = {
            (words,): pool.submit(ask, words) for words, _ in BAD_INPUT
        }
        for key, value, _ in WRONG_SETTINGS:
            running[key, value] = pool.submit(ask, f"run --date {DAY}", **{key: value})
        yield lambda *call: running[call].result()


@pytest.mark.parametrize(("arguments", "words"), BAD_INPUT)
def test_bad_input_is_answered_with_one_sentence(
    answers: Callable[..., Answered], arguments: str, words: list[str]
) -> None:
    cli, done = answers(arguments)
    said = sentence(done, 2)
    for word in words:
        assert word in said
    assert csv_files(cli.output) == {}
    assert not list(cli.folder.glob("x*"))


@pytest.mark.parametrize(("key", "value", "allowed"), WRONG_SETTINGS)
def test_wrong_setting_is_named_with_its_value_and_what_is_allowed(
    answers: Callable[..., Answered], key: str, value: str, allowed: str
) -> None:
    _, done = answers(key, value)
    said = sentence(done, 2)
    assert key in said
    assert (value.split(",")[-1] or "''") in said
    assert allowed in said


def test_every_wrong_setting_is_said_at_once(offline: Cli) -> None:
    said = sentence(offline("run", FETCH_WORKERS="x", CATCH_UP_DAYS="y", RESPONSE_SERVICE="z"), 2)
    assert all(key in said for key in ("FETCH_WORKERS", "CATCH_UP_DAYS", "RESPONSE_SERVICE"))


def test_unknown_key_of_the_local_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "config.local.env").write_text(
        "RESPONSE_SERVICE=dc\nRESPONSE_SERVIC=dm\n# A comment\nBATTERY_POWER=1\n", encoding="utf-8"
    )
    found = utils.unknown_settings(job.all_settings(), folder=tmp_path)
    assert found == ["BATTERY_POWER", "RESPONSE_SERVIC"]
    assert utils.unknown_settings(job.all_settings(), folder=tmp_path / "elsewhere") == []
    settings = utils.load_settings(job.all_settings(), folder=tmp_path, environment={})
    assert settings["RESPONSE_SERVICE"] == "dc"
    over = utils.load_settings(
        job.all_settings(), folder=tmp_path, environment={"RESPONSE_SERVICE": "dm"}
    )
    assert over["RESPONSE_SERVICE"] == "dm"  # the environment is over the file


def test_api_key_of_former_days_is_ignored_with_a_word(filled: Cli) -> None:
    done = filled("run", "--date", DAY, BMRS_API_KEY="hunter2")
    assert done.returncode == 0
    assert "BMRS_API_KEY is ignored" in done.stderr
    said = done.stderr + done.stdout + (filled.output / "task_log.log").read_text(encoding="utf-8")
    assert "hunter2" not in said


# --- stores and folders that cannot be used ----------------------------------------------------


def test_store_that_is_not_ours(offline: Cli) -> None:
    offline.output.mkdir()
    for content, words in (
        (b"\x01\x02\x03" * 5000, "not a SQLite file"),
        (None, "another program"),
    ):
        offline.database.unlink(missing_ok=True)
        if content:
            offline.database.write_bytes(content)
        else:
            with closing(sqlite3.connect(offline.database)) as db:
                db.execute("CREATE TABLE photos (name TEXT)")
        before = offline.database.read_bytes()
        for command in ("run", "status"):
            said = sentence(offline(command), 2)
            assert words in said
            assert "grid.db" in said
        assert offline.database.read_bytes() == before


def test_store_of_a_newer_program(offline: Cli) -> None:
    offline.output.mkdir()
    storage.open_store(f"sqlite:///{offline.database}").close()
    with closing(sqlite3.connect(offline.database)) as db:
        db.execute("PRAGMA user_version = 99")
    assert "newer gridledger" in sentence(offline("run"), 2)


def test_damaged_store(offline: Cli, filled: Cli) -> None:
    offline.output.mkdir()
    content = filled.database.read_bytes()
    offline.database.write_bytes(content[: len(content) // 3])
    assert "damaged" in sentence(offline("export", "frequency", "--to", "x.csv"), 1)
    assert "damaged" in sentence(offline("status"), 1)


def test_folders_that_cannot_be_written(offline: Cli, filled: Cli) -> None:
    (offline.folder / "file").write_text("here", encoding="utf-8")
    inside = str(offline.folder / "file" / "folder")
    said = sentence(offline("run", "--date", DAY, OUTPUT_DIR=inside), 1)
    assert "OUTPUT_DIR" in said
    said = sentence(offline("run", "--date", DAY, STORE_URL=f"sqlite:///{inside}/grid.db"), 1)
    assert "grid.db" in said
    said = sentence(filled("export", "frequency", "--to", f"{inside}/x.csv"), 1)
    assert "x.csv" in said


def test_port_that_is_taken(offline: Cli) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = offline("sandbox", "--port", port)
    assert done.returncode in (1, 2)
    assert port in sentence(done, done.returncode)


# --- a provider that is not there --------------------------------------------------------------


def test_unreachable_provider(offline: Cli) -> None:
    done = offline("run", "--date", DAY, ELEXON_DEADLINE_S="1")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Elexon Insights" in done.stdout
    assert f"! frequency {DAY}: failed" in done.stdout
    assert f"! wind_solar {DAY}: failed" in done.stdout
    assert "exit code 1: failed, nothing new" in done.stdout
    assert "demo" in done.stdout  # a way to look around without a network
    (record,) = (offline.output / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    told = json.loads(record)
    assert (told["command"], told["exit_code"], told["holes"], told["rows"]) == ("run", 1, 2, 0)


# --- help and looking around -------------------------------------------------------------------


def commands() -> list[str]:
    """Every command that the help lists."""
    done = subprocess.run(
        [sys.executable, str(PROJECT / "main.py"), "--help"], capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0
    listed = done.stdout.partition("Commands:")[2]
    return re.findall(r"^  ([a-z][a-z-]+)  ", listed, re.MULTILINE)


def test_help_shows_every_command_and_each_one_an_example() -> None:
    known = commands()
    assert {"run", "fetch", "process", "demo", "sandbox", "status", "export"} <= set(known)
    for name in known:
        done = CliRunner().invoke(main.app, [name, "--help"])
        assert (done.exit_code, done.stderr) == (0, ""), name
        assert "Usage: " in done.stdout
        if name not in ("datasets", "products", "status"):  # nothing can be said beside the name
            assert f"python3 run.py {name}" in done.stdout, name


def test_exit_codes_are_in_the_help(offline: Cli) -> None:
    done = offline("--help")
    for code in ("0 complete", "1 failed", "2 usage", "3 partial", "4 all", "130 interrupted"):
        assert code in " ".join(done.stdout.split())


def test_datasets_and_products(filled: Cli) -> None:
    done = filled("datasets")
    assert done.returncode == 0
    for word in ("frequency", "FREQ", "wind_solar", "AGWS", "Elexon Insights", "2016-01-01"):
        assert word in done.stdout
    done = filled("products")
    assert done.returncode == 0
    for word in ("average_power", "wind_solar_summary", "RESPONSE_SERVICE", "settlement period"):
        assert word in done.stdout


def test_status_says_what_is_stored_and_how_runs_ended(filled: Cli) -> None:
    before = {k: v for k, v in hashes(filled.output).items() if not k.startswith("grid.db-")}
    done = filled.from_scratch("status")
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.split()}
    assert "synthetic" in done.stdout.splitlines()[0]
    assert lines["frequency"][1:] == ["5760", "2024-10-04T23:00:00Z", "2024-10-05T22:59:45Z"]
    assert lines["wind_solar"][1:] == ["144", "2024-10-04T23:00:00Z", "2024-10-05T22:30:00Z"]
    assert lines["average_power"][1] == "48"
    assert lines["ELEXON_REQUESTS_PER_S"][1] == "1000.0"
    assert re.search(r"^\s+20\S+Z\s+run\s.*\s0$", done.stdout, re.MULTILINE)
    after = {k: v for k, v in hashes(filled.output).items() if not k.startswith("grid.db-")}
    assert after == before


def test_status_of_nothing(offline: Cli) -> None:
    done = offline("status")
    assert done.returncode == 0
    assert "empty" in done.stdout.splitlines()[0]


# --- export ------------------------------------------------------------------------------------


def test_export_csv(filled: Cli, sandbox: Sandbox) -> None:
    done = filled.from_scratch("export", "frequency", "--to", "f.csv")
    assert done.returncode == 0, done.stderr
    path = filled.folder / "f.csv"  # a file that a person names hangs on the working directory
    with path.open(encoding="utf-8", newline="") as file:
        rows = [
            (row["measurement_time"], float(row["frequency_hz"])) for row in csv.DictReader(file)
        ]
    assert rows == true_frequency(sandbox, *BOUNDS)
    assert "5760 rows of frequency (synthetic)" in done.stdout


def test_export_some_rows_and_columns(filled: Cli, sandbox: Sandbox) -> None:
    arguments = "export AGWS --start 2024-10-05T10:00Z --end 2024-10-05T12:00Z"
    choice = "--where psr_type=Solar --columns psr_type,generation_mw,period_start --to s.csv"
    done = filled(*arguments.split(), *choice.split())
    assert done.returncode == 0, done.stderr
    with (filled.folder / "s.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    truth = true_wind(sandbox, "2024-10-05T10:00:00Z", "2024-10-05T12:00:00Z")
    assert lines[0] == ["psr_type", "generation_mw", "period_start"]
    assert [(start, kind, float(mw)) for kind, mw, start in lines[1:]] == [
        row[:3] for row in truth if row[1] == "Solar"
    ]
    two = filled(
        *[
            "export",
            "wind_solar",
            "--where",
            "psr_type=Solar",
            "--where",
            "settlement_period=7",
            "--to",
            "t.csv",
        ]
    )
    assert "1 rows" in two.stdout
    either = filled(
        *[
            "export",
            "wind_solar",
            "--where",
            "settlement_period=6",
            "--where",
            "settlement_period=7",
            "--to",
            "t.csv",
        ]
    )
    assert "6 rows" in either.stdout


def test_export_parquet_carries_units_and_origin(filled: Cli, sandbox: Sandbox) -> None:
    import pyarrow.parquet as pq

    done = filled("export", "frequency", "--to", "f.parquet")
    assert done.returncode == 0, done.stderr
    table = pq.read_table(filled.folder / "f.parquet")
    assert table["frequency_hz"].to_pylist() == [hz for _, hz in true_frequency(sandbox, *BOUNDS)]
    assert table.schema.metadata[b"gridledger_origin"] == b"synthetic"
    assert table.schema.field("frequency_hz").metadata[b"unit"] == b"Hz"
    assert str(table.schema.field("measurement_time").type) == "timestamp[us, tz=UTC]"


def test_export_is_safe_for_spreadsheets(filled: Cli, tmp_path: Path) -> None:
    """Text that a spreadsheet would run as a formula, and text with every special character."""
    hostile = ['=HYPERLINK("x")', "+1", "-1", "@sum", "\tx", 'a "b", c', "line\nbreak", "Größe"]
    copied = tmp_path / "copy.db"
    with (
        closing(sqlite3.connect(filled.database)) as source,
        closing(sqlite3.connect(copied)) as to,
    ):
        source.backup(to)
        keys = to.execute("SELECT period_start, psr_type FROM wind_solar LIMIT 8").fetchall()
        for text, key in zip(hostile, keys, strict=True):
            to.execute(
                "UPDATE wind_solar SET business_type = ? WHERE period_start = ? AND psr_type = ?",
                (text, *key),
            )
        to.commit()
    arguments = ["export", "wind_solar", "--columns", "business_type", "--to"]
    done = filled(*arguments, str(tmp_path / "w.csv"), STORE_URL=f"sqlite:///{copied}")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "w.csv").open(encoding="utf-8", newline="") as file:
        cells = [row[0] for row in csv.reader(file)][1:9]
    assert cells == [f"'{text}" if text[0] in "=+-@\t" else text for text in hostile]


def test_export_of_nothing_writes_nothing(filled: Cli) -> None:
    done = filled(*["export", "frequency", "--start", "2020-01-01", "--to", "none.csv"])
    assert done.returncode == 3
    assert "no rows of frequency" in done.stderr
    assert not (filled.folder / "none.csv").exists()


# --- two at a time, and interruptions ----------------------------------------------------------


def test_run_while_another_holds_the_locks(cli: Cli) -> None:
    keys = ("frequency", "wind_solar", "average_power", "wind_solar_summary")
    with storage.open_store(f"sqlite:///{cli.database}") as store, ExitStack() as held:
        for key in keys:
            held.enter_context(store.lock(key))
        done = cli("run", "--date", DAY)
        assert done.returncode == 4, done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout.count("locked") >= len(keys)
        assert rows_of(cli.database, "ledger") == []
    assert cli("run", "--date", DAY).returncode == 0


def test_run_while_another_holds_one_lock(cli: Cli, sandbox: Sandbox) -> None:
    with storage.open_store(f"sqlite:///{cli.database}") as store, store.lock("frequency"):
        done = cli("run", "--date", DAY)
        assert done.returncode == 3
        assert "frequency: locked by another run" in done.stderr
    assert {request.path.rsplit("/", 1)[-1] for request in sandbox.requests} == {"wind-and-solar"}
    assert len(rows_of(cli.database, "wind_solar")) == 144


@posix_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_is_prompt_and_keeps_what_was_finished(
    cli: Cli, sandbox: Sandbox, number: signal.Signals
) -> None:
    sandbox.faults = [Fault("hang", path="FREQ")]
    process = cli.start("run", "--date", DAY)
    try:
        wait_until(
            lambda: (
                any(request.fault == "hang" for request in sandbox.requests)
                and cli.database.exists()
                and len(rows_of(cli.database, "wind_solar")) == 144
            )
        )
        begin = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        took = time.monotonic() - begin
    finally:
        process.kill()
        process.communicate()
    assert took < 15.0  # a request that hangs takes longer
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "interrupted: what was finished stays" in err
    entries = {row["key"]: row["state"] for row in rows_of(cli.database, "ledger")}
    assert entries == {"wind_solar": "complete"}
    last = (cli.output / "runs.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    assert json.loads(last)["exit_code"] == 130

    sandbox.faults = []
    sandbox.clear_requests()
    assert cli("run", "--date", DAY).returncode == 0
    assert len(sandbox.requests) == 1  # only what had not come


@posix_only
def test_killed_run_is_taken_up_by_the_next(cli: Cli, sandbox: Sandbox) -> None:
    sandbox.faults = [Fault("hang", path="FREQ")]
    process = cli.start("run", "--date", DAY)
    wait_until(lambda: any(request.fault == "hang" for request in sandbox.requests))
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    sandbox.faults = []
    done = cli("run", "--date", DAY)  # no lock is left
    assert done.returncode == 0, done.stderr
    assert len(csv_files(cli.output)) == 4


@posix_only
def test_sandbox_stops_at_ctrl_c(offline: Cli) -> None:
    process = offline.start("sandbox", "--now", "2024-11-15T00:00:00Z")
    try:
        lines = [process.stdout.readline() for _ in range(4)]
        assert any(line.startswith("ELEXON_BASE_URL=http://127.0.0.1:") for line in lines)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert time.monotonic() - begin < 15.0
    assert "Traceback" not in err
    assert process.returncode in (0, 130)


@posix_only
@pytest.mark.parametrize("command", ["datasets", "--help", f"run --date {DAY}"])
def test_reader_that_leaves_causes_no_traceback(filled: Cli, command: str) -> None:
    """What ``| head`` does to a command, made certain: the pipe is closed before a word is said."""
    read, write = os.pipe()
    os.close(read)
    try:
        process = filled.start(*command.split(), stdout=write)
    finally:
        os.close(write)
    _, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    assert "BrokenPipe" not in err
    assert "Exception ignored" not in err


# --- wherever it is called from ----------------------------------------------------------------


def test_another_working_directory_and_odd_names(cli: Cli, tmp_path: Path) -> None:
    elsewhere = tmp_path / "somewhere else" / "täglich"
    elsewhere.mkdir(parents=True)
    folder = cli.folder / "Über 50 % & mehr"
    url = f"sqlite:///{folder / 'größe 1.db'}"
    done = cli("run", "--date", DAY, cwd=elsewhere, OUTPUT_DIR=str(folder), STORE_URL=url)
    assert done.returncode == 0, done.stderr
    assert list(elsewhere.iterdir()) == []
    assert len(csv_files(folder)) == 4


def test_run_record_and_log(filled: Cli) -> None:
    records = [
        json.loads(line)
        for line in (filled.output / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert records[0]["command"] == "run"
    assert records[0]["exit_code"] == 0
    assert records[0]["rows"] == 5760 + 144
    assert records[0]["requests"] == 2
    log = (filled.output / "task_log.log").read_text(encoding="utf-8").splitlines()
    stamped = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|WARNING|ERROR) +\S")
    assert log
    assert all(stamped.match(line) for line in log)
    assert any("frequency" in line and "5760 rows" in line for line in log)


def test_full_output_folder_gives_a_sentence(cli: Cli) -> None:
    """Nothing can be written any more, the log included; the limit stands in for a full disk."""
    code = (
        "import resource, signal, sys, runpy\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))\n"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    if os.name != "posix":
        pytest.skip("limits of POSIX")
    main = str(PROJECT / "main.py")
    process = subprocess.run(
        [sys.executable, "-c", code, main, "run", "--date", DAY],
        cwd=cli.folder,
        env=cli.environment | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert process.returncode in (1, 3)
    assert "Traceback" not in process.stderr
    assert csv_files(cli.output) == {}
