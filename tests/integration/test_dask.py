"""Windows and days on the workers of a real Dask cluster: the same rows, one pace, no secret, no wait."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

import asking
import computing
import executors
import fetch_data
import job
import process_data
from domain.errors import ClusterError, GridledgerError
from domain.settlement import parse_range
from executors.worker import Run, code_version
from sandbox import Fault, Sandbox
from tests.integration.clusters import DaskCluster, dask_cluster
from tests.integration.conftest import (
    NOW,
    Cli,
    World,
    csv_files,
    hashes,
    instant,
    wait_until,
)
from tests.integration.postgres import PASSWORD, PostgresServer, libraries_are_there
from tests.integration.test_postgres import PostgresWorld

pytestmark = pytest.mark.skipif(
    not libraries_are_there(), reason="needs the libraries of 'python3 run.py test --all'"
)

FIRST, LAST = "2024-10-14", "2024-10-27"
TABLES = ("meta", "columns", "ledger", "frequency", "wind_solar", "wind_solar_history",
          "average_power", "wind_solar_summary")  # fmt: skip
TOKEN = "Zq7-secret-token-9f3e1c5a"


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    """The one database that the workers know."""
    return postgres.new_database()


@pytest.fixture(scope="module")
def environment(served: Sandbox) -> dict[str, str]:
    """What a worker is started with: the token of the sandbox, and nobody's settings."""
    keys = {setting.key for setting in job.all_settings()}
    own = {
        name: value
        for name, value in os.environ.items()
        if name not in keys and not name.lower().endswith("_proxy")
    }
    return own | {"ENTSOE_API_TOKEN": served.settings()["ENTSOE_API_TOKEN"]}


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], database: str
) -> Iterator[DaskCluster]:
    folder = tmp_path_factory.mktemp("dask")
    with dask_cluster(folder, 2, environment | {"STORE_URL": database}) as running:
        yield running


@pytest.fixture
def lonely(tmp_path: Path, environment: dict[str, str]) -> Iterator[DaskCluster]:
    """A scheduler without a worker."""
    folder = tmp_path / "dask"
    folder.mkdir()
    with dask_cluster(folder, 0, environment) as running:
        yield running


@contextlib.contextmanager
def opened(world: World, cluster: DaskCluster, **changed: str) -> Iterator[tuple[job.Job, Any]]:
    """A job of the world whose work is done on the cluster."""
    world.overrides |= {"EXECUTOR": "dask", "DASK_SCHEDULER": cluster.address, **changed}
    settings = world.settings()
    with world.store() as store, executors.open_cluster(settings) as there:
        assert there is not None
        yield job.Job("run", store, settings, instant(NOW), cluster=there), there


def run_on(
    cluster: DaskCluster, world: World, *, only: Sequence[str] = (), **changed: str
) -> job.Report:
    """The daily job for the range, on the cluster."""
    with opened(world, cluster, **changed) as (work, _):
        return job.run_job(work, parse_range(FIRST, LAST), list(only))


def assert_same(one: World, two: World) -> None:
    """Rows, history, ledger and files; all happened at the same told moment, even retrieval."""
    for table in TABLES:
        assert one.rows(table, without=()) == two.rows(table, without=()), table
    assert one.rows("frequency") and one.rows("average_power")
    ours, theirs = csv_files(one.output), csv_files(two.output)
    assert ours == theirs
    assert len(ours) == 2 * (14 + 1)


@pytest.fixture
def by_threads(tmp_path: Path, world: World) -> tuple[World, job.Report]:
    """What threads make of the range; ``world`` itself is still empty."""
    other = World(tmp_path / "threads", world.sandbox)
    report = other.run(FIRST, LAST)
    world.sandbox.clear_requests()
    return other, report


# --- the same, wherever it was done -------------------------------------------------------------


def test_one_process_writes_to_sqlite(
    cluster: DaskCluster, world: World, by_threads: tuple[World, job.Report], tmp_path: Path
) -> None:
    archive = tmp_path / "raw"
    report = run_on(cluster, world, RAW_ARCHIVE=str(archive))
    assert_same(by_threads[0], world)
    # Who asks keeps what was answered: a reading a window.
    windows = sum(part.windows for part in report.fetched)
    assert len(list(archive.rglob("*.json"))) == windows > 8
    assert report.exit_code == by_threads[1].exit_code
    # Counters of several processes add up to what the provider saw.
    assert report.requests == len(world.sandbox.requests) == by_threads[1].requests
    assert [part.requests for part in report.fetched] == [
        part.requests for part in by_threads[1].fetched
    ]


def test_workers_write_to_postgresql_themselves(
    cluster: DaskCluster,
    world: World,
    by_threads: tuple[World, job.Report],
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the run itself must not write")

    monkeypatch.setattr(asking, "write_answer", refuse)
    monkeypatch.setattr(computing, "write_product", refuse)
    there = PostgresWorld(tmp_path / "postgres", world.sandbox, database)
    report = run_on(cluster, there)
    assert not report.failures
    assert_same(by_threads[0], there)
    assert [part.changed for part in report.fetched] == [
        part.changed for part in by_threads[1].fetched
    ]


def test_worker_with_another_database_writes_nothing(
    cluster: DaskCluster, world: World, tmp_path: Path, postgres: PostgresServer, database: str
) -> None:
    there = PostgresWorld(tmp_path / "postgres", world.sandbox, postgres.new_database())
    theirs = PostgresWorld(tmp_path / "theirs", world.sandbox, database)
    # Not even while a run holds the lock of the same dataset in the workers' own database.
    with theirs.store() as store, store.lock("wind_solar"):
        report = run_on(cluster, there, only=["wind_solar"])
    assert len(report.failures) == report.fetched[0].windows > 1
    assert all("has another STORE_URL than the run" in line for line in report.failures)
    assert PASSWORD not in " ".join(report.failures)
    assert there.rows("wind_solar") == []
    assert report.exit_code == 1


# --- workers that die ---------------------------------------------------------------------------


def test_killed_worker_loses_and_doubles_nothing(
    world: World,
    by_threads: tuple[World, job.Report],
    tmp_path: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed in the middle of a backfill; then the last one, and nothing waits for ever."""
    monkeypatch.setattr(executors.cluster, "ALONE_S", 2.0)
    folder = tmp_path / "dask"
    folder.mkdir()
    world.sandbox.faults = [Fault("slow", seconds=0.3)]
    with dask_cluster(folder, 2, environment) as cluster:

        def kill(done: int, total: int, part: object) -> None:
            if done == 2:
                cluster.workers[0].kill()

        window = parse_range(FIRST, LAST)
        with opened(world, cluster) as (work, there):
            datasets = fetch_data.find_datasets(["frequency", "wind_solar"])
            wanted = fetch_data.each_scope(datasets, work.settings, lambda *_: window)
            done = fetch_data.fetch_windows(
                wanted,
                work.store,
                work.settings,
                work.now,
                by_name=False,
                progress=kill,
                cluster=there,
            )
            assert [part.failures for part in done.fetched] == [[], []]
            products = process_data.find_products(work.settings["PRODUCTS"])
            process_data.process_windows(
                [(product, window) for product in products],
                work.store,
                work.settings,
                work.now,
                cluster=there,
            )
            assert cluster.workers[0].wait(10) != 0
            assert_same(by_threads[0], world)

            cluster.workers[1].kill()
            wanted = [
                (dataset, "", parse_range("2024-09-01", "2024-09-30")) for dataset in datasets
            ]
            begin = time.monotonic()
            lost = fetch_data.fetch_windows(
                wanted, work.store, work.settings, work.now, by_name=False, cluster=there
            )
        assert time.monotonic() - begin < 20
    for part in lost.fetched:
        assert part.failures and "no Dask worker was there for 2 s" in part.failures[0]
        assert len(part.failures) == 1 and part.given_up == part.windows > 1
    report = job.Report(lost.fetched)
    assert report.exit_code == 1


def test_scheduler_that_goes_away_ends_the_windows(world: World, lonely: DaskCluster) -> None:
    with opened(world, lonely) as (_, there):
        future = there.submit(code_version)
        lonely.close()
        with pytest.raises(ClusterError, match="was lost"):
            future.result(timeout=20)
        with pytest.raises(ClusterError, match="was lost"):
            there.submit(code_version).result(timeout=1)


def test_task_that_kills_its_workers_is_given_up(world: World, lonely: DaskCluster) -> None:
    import distributed

    with distributed.Client(lonely.address, set_as_default=False) as client:
        client.run_on_scheduler(_allow_no_failure)
    lonely.start_worker()
    lonely.wait_for_workers(1)
    died = pytest.raises(ClusterError, match="every worker that took the task died of it")
    with opened(world, lonely) as (_, there), died:
        there.submit(os._exit, 1).result(timeout=20)


def _allow_no_failure(dask_scheduler: Any) -> None:
    dask_scheduler.allowed_failures = 0


# --- one pace -----------------------------------------------------------------------------------


@pytest.fixture
def asked_at(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    """When each request was answered, and with which status."""
    times: list[tuple[float, int]] = []
    record = sandbox.record

    def note(request: Any) -> None:
        times.append((time.monotonic(), request.status))
        record(request)

    monkeypatch.setattr(sandbox, "record", note)
    return times


def test_rate_holds_over_all_workers(
    cluster: DaskCluster, world: World, asked_at: list[tuple[float, int]]
) -> None:
    """28 requests at ten a second, by two workers with two threads each."""
    with opened(world, cluster, ELEXON_REQUESTS_PER_S="10") as (work, there):
        wanted = [
            (dataset, "", parse_range("2024-09-01", "2024-10-26"))
            for dataset in fetch_data.find_datasets(["frequency"])
        ]
        done = fetch_data.fetch_windows(
            wanted, work.store, work.settings, work.now, by_name=True, cluster=there
        )
    assert done.requests == len(asked_at) >= 28
    times = sorted(at for at, _ in asked_at)
    in_a_second = [sum(first <= at < first + 1 for at in times) for first in times]
    assert max(in_a_second) <= 11


def test_silence_holds_over_all_workers(
    cluster: DaskCluster, world: World, asked_at: list[tuple[float, int]]
) -> None:
    world.sandbox.faults = [Fault("429-retry-after", times=1, seconds=3)]
    report = run_on(cluster, world, only=["frequency"], ELEXON_REQUESTS_PER_S="10")
    assert not report.failures
    (refused,) = (at for at, status in asked_at if status == 429)
    # What was on its way already arrives; then nobody asks until the three seconds are over.
    later = [at for at, _ in asked_at if at > refused + 0.3]
    assert later and min(later) >= refused + 2.9


# --- secrets ------------------------------------------------------------------------------------


def fetch_load(work: job.Job, there: executors.Cluster) -> fetch_data.Fetched:
    """A dataset that needs the token, on the cluster."""
    (dataset,) = fetch_data.find_datasets(["entsoe_load"])
    wanted = [(dataset, "FR", parse_range("2024-10-14"))]
    done = fetch_data.fetch_windows(
        wanted, work.store, work.settings, work.now, by_name=True, cluster=there
    )
    return done.fetched[0]


def told_by(address: str, page: str) -> bytes:
    """All that a scheduler and its workers tell whoever asks: logs, events, tasks, pages."""
    import distributed

    with distributed.Client(address, set_as_default=False) as client:
        told = [client.get_worker_logs(), client.get_scheduler_logs(), client.get_events()]
        told += [client.scheduler_info(), client.run_on_scheduler(_tasks)]
        tasks, workers = told[-1], told[-2]["workers"]
    paths = ["json/counts.json", "info/main/workers.html", "info/main/exceptions.html"]
    paths += ["info/main/logs.html", "metrics"]
    paths += [f"info/task/{quote(key, safe='')}.html" for key in tasks]
    for worker in workers:
        name = quote(worker, safe="")
        paths += [f"info/{what}/{name}.html" for what in ("worker", "call-stacks", "logs")]
    for path in paths:
        answer = requests.get(f"{page}/{path}", timeout=10)
        assert answer.status_code == 200, path
        told.append(answer.text)
    return "\n".join(map(str, told)).encode()


def test_token_and_password_are_on_no_page_and_in_no_log(
    cluster: DaskCluster, world: World, database: str, tmp_path: Path
) -> None:
    there = PostgresWorld(tmp_path / "postgres", world.sandbox, database)
    there.sandbox.faults = [Fault("500", path="documentType=A65", times=1)]
    with opened(there, cluster, ENTSOE_ZONES="FR") as (work, running):
        held = running.submit(code_version)  # so that its task is still to be seen
        part = fetch_load(work, running)
        assert not part.failures and part.changed > 0
        told = told_by(cluster.address, cluster.page) + cluster.said()
        held.result(timeout=10)
    assert b"code_version" in told and b"tcp://127.0.0.1" in told
    assert there.sandbox.settings()["ENTSOE_API_TOKEN"].encode() not in told
    assert PASSWORD.encode() not in told


@pytest.mark.nightly
def test_cluster_of_its_own_gives_the_token_to_its_workers_alone(
    world: World, postgres: PostgresServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = postgres.new_database()
    there = PostgresWorld(tmp_path / "postgres", world.sandbox, url)
    there.overrides |= {"EXECUTOR": "dask", "FETCH_WORKERS": "2", "ENTSOE_ZONES": "FR"}
    settings, pages = there.settings(), []
    with there.store() as store, executors.open_cluster(settings, pages.append) as running:
        assert running is not None
        work = job.Job("run", store, settings, instant(NOW), cluster=running)
        part = fetch_load(work, running)
        assert not part.failures and part.changed > 0
        page = pages[0].split()[1].removesuffix("/status")
        told = told_by(running._client.scheduler.address, page)
    told += caplog.text.encode()
    assert b"tcp://127.0.0.1" in told
    assert there.sandbox.settings()["ENTSOE_API_TOKEN"].encode() not in told
    assert PASSWORD.encode() not in told


def _tasks(dask_scheduler: Any) -> dict[str, str]:
    """All that the scheduler holds of each task."""
    return {
        str(key): f"{task!r} {task.run_spec!r} {task.annotations!r} {task.metadata!r}"
        for key, task in dask_scheduler.tasks.items()
    }


def test_run_that_travels_holds_no_secret(world: World) -> None:
    import pickle

    url = f"postgresql://grid:{PASSWORD}@127.0.0.1:5/grid"
    settings = world.settings(EXECUTOR="dask", ENTSOE_API_TOKEN=TOKEN, STORE_URL=url)
    with executors.open_cluster(settings) as there:
        assert there is not None
        sent = pickle.dumps(there.run)
    assert b"ELEXON_BASE_URL" in sent
    assert TOKEN.encode() not in sent and PASSWORD.encode() not in sent


def test_worker_without_the_token_says_so(world: World, lonely: DaskCluster) -> None:
    lonely.start_worker(ENTSOE_API_TOKEN="")
    lonely.wait_for_workers(1)
    with opened(world, lonely, ENTSOE_ZONES="FR") as (work, there):
        (failure,) = fetch_load(work, there).failures
    assert "lacks ENTSOE_API_TOKEN, without which entsoe_load cannot be fetched" in failure


# --- workers and schedulers of no use -----------------------------------------------------------


def test_worker_that_cannot_import_the_project(
    world: World, lonely: DaskCluster, tmp_path: Path
) -> None:
    lonely.start_worker(cwd=tmp_path)
    lonely.wait_for_workers(1)
    with opened(world, lonely) as (_, there), pytest.raises(ClusterError) as told:
        there.submit(code_version)
    assert "cannot import gridledger" in str(told.value)
    assert "\n" not in str(told.value)


def test_worker_with_other_code(
    world: World, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(world, cluster) as (_, there):
        there.run = Run(there.run.id, "older", there.run.settings)
        with pytest.raises(ClusterError, match="runs another version of gridledger"):
            there.submit(code_version)


def test_unreachable_scheduler(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors.cluster, "CONNECT_S", 0.5)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        settings = world.settings(EXECUTOR="dask", DASK_SCHEDULER=address)
        with executors.open_cluster(settings) as there, pytest.raises(GridledgerError) as told:
            assert there is not None
            there.submit(code_version)
    assert told.value.exit_code == 1
    assert f"no Dask scheduler answers at DASK_SCHEDULER={address}" in str(told.value)


@pytest.mark.parametrize("address", ["localhost", "http://localhost:8786", "tcp://localhost"])
def test_malformed_scheduler(offline: Cli, address: str) -> None:
    done = offline("fetch", "wind_solar", "--start", FIRST, DASK_SCHEDULER=address)
    assert done.returncode == 2
    assert done.stderr.startswith("error: DASK_SCHEDULER=")
    assert "tcp://HOST:PORT" in done.stderr and len(done.stderr.splitlines()) == 1


# --- a cluster of its own -----------------------------------------------------------------------


@pytest.mark.nightly
def test_cluster_of_its_own_for_a_command(cli: Cli, tmp_path: Path) -> None:
    places = {}
    for executor in ("threads", "dask"):
        output = {"OUTPUT_DIR": str(tmp_path / executor)}
        output["STORE_URL"] = f"sqlite:///{tmp_path / executor}.db"
        days = ("--start", "2024-10-26", "--end", "2024-10-27")
        done = cli("run", "--executor", executor, *days, FETCH_WORKERS="2", **output)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert ("Dask: http://127.0.0.1:" in done.stdout) == (executor == "dask")
        places[executor] = hashes(tmp_path / executor)
    assert places["threads"] == places["dask"]


@pytest.mark.nightly
@pytest.mark.parametrize("stop", ["terminate", "interrupt of the terminal"])
def test_interrupted_cluster_of_its_own_ends_at_once(
    cli: Cli, sandbox: Sandbox, stop: str, tmp_path: Path
) -> None:
    import signal

    import psutil

    sandbox.faults = [Fault("hang", probability=0.5, seconds=30)]
    process = cli.start(
        *("fetch", "frequency", "--executor", "dask", "--start", FIRST, "--end", LAST),
        FETCH_WORKERS="2",
    )
    wait_until(lambda: bool(sandbox.requests), 60)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    begin = time.monotonic()
    if stop == "terminate":
        process.terminate()
    else:  # the terminal sends it to all processes of the group
        for each in (process.pid, *(child.pid for child in children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, out + err
    assert time.monotonic() - begin < 10
    assert "interrupted: what was finished stays" in err and "Traceback" not in err
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive
