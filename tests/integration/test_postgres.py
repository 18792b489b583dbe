"""PostgreSQL under whole runs: equal to SQLite, through restarts, and what a bad address says."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import backfill
import job
import storage
from domain.errors import StoreError, StoreLost, StoreMismatch, UsageError
from sandbox import Sandbox
from sandbox.faults import Fault
from tests.integration.conftest import Cli, World, hashes, instant, true_frequency
from tests.integration.postgres import (
    PASSWORD,
    PostgresServer,
    libraries_are_there,
    postgres_server,
)
from tests.integration.test_store_contract import (
    METERED,
    PLAIN,
    TABLES,
    metered,
    plain,
    postgres_rows,
    write,
)
from utils import Locked

DAY = "2024-10-05"
CORE = {"DATASETS": "core", "PRODUCTS": "average_power,wind_solar_summary,half_hourly_averages"}
TABLES_OF_ALL = ("meta", "columns", "ledger", "frequency", "wind_solar", "wind_solar_history",
                 "average_power", "half_hourly_averages", "half_hourly_averages_history")  # fmt: skip


class PostgresWorld(World):
    """The same place with its store in a database."""

    def __init__(self, root: Path, sandbox: Sandbox, url: str) -> None:
        super().__init__(root, sandbox)
        self.overrides["STORE_URL"] = url

    def rows(self, table: str, **reading: Any) -> list[dict[str, Any]]:
        return postgres_rows(self.overrides["STORE_URL"], table, **reading)


@pytest.fixture
def other(
    tmp_path: Path, sandbox: Sandbox, clean_environment: None, postgres: PostgresServer
) -> PostgresWorld:
    return PostgresWorld(tmp_path / "other", sandbox, postgres.new_database())


# --- equal to SQLite ---------------------------------------------------------------------------


def assert_equal(one: World, two: World, *, tables: tuple[str, ...] = TABLES_OF_ALL) -> None:
    for table in tables:
        # Everything here happened at the same told moments, so even those of retrieval are equal.
        assert one.rows(table, without=()) == two.rows(table, without=()), table
    database = f"{one.database.name}"
    ours = {k: v for k, v in hashes(one.output).items() if not k.startswith(database)}
    assert ours == hashes(two.output)
    assert ours


def test_run_backfill_repair_and_coverage_are_equal(world: World, other: PostgresWorld) -> None:
    """With a hole, a revision and an answer that came in pieces on the way."""
    import holes
    from fetch_data import find_datasets

    calendars = []
    for each in (world, other):
        each.overrides |= CORE
        each.run("2024-10-20", now="2024-10-21T06:00:00Z")
        world.sandbox.faults = [Fault("empty")]
        each.run("2024-10-21", now="2024-10-22T06:00:00Z", only=["wind_solar"])
        world.sandbox.faults = ()
        each.fetch(["frequency"], "2024-10-21T00:00:00Z", "2024-10-21T07:00:00Z")
        for work in (_backfill, _repair):
            with each.store() as store:
                work(job.Job("backfill", store, each.settings(), instant("2024-11-25T09:00:00Z")))
        each.run(now="2024-11-27T09:00:00Z", CATCH_UP_DAYS="3")
        moment = instant("2024-11-27T10:00:00Z")
        with each.store() as store:
            found = [
                holes.as_csv(holes.days_of(dataset, scope, store, None, None, moment))
                for dataset in find_datasets(["core"])
                if not dataset.lacking(each.settings())
                for scope in dataset.scopes(each.settings())
            ]
        calendars.append("".join(found))
    assert_equal(world, other)
    assert calendars[0] == calendars[1]
    assert len(calendars[0].splitlines()) > 50
    assert world.rows("wind_solar_history")


def _backfill(work: job.Job) -> None:
    backfill.backfill(work, [], date(2024, 10, 19), date(2024, 10, 22))


def _repair(work: job.Job) -> None:
    backfill.repair(work, [], None, None)


def test_commands_are_equal(cli: Cli, tmp_path: Path, postgres: PostgresServer) -> None:
    url = postgres.new_database()
    told = []
    for name, settings in (("sqlite", {}), ("postgresql", {"STORE_URL": url})):
        settings["OUTPUT_DIR"] = str(tmp_path / name)
        run = cli("backfill", "--start", DAY, "--end", "2024-10-06", **settings)
        assert run.returncode == 0, run.stdout + run.stderr
        seen = cli("coverage", "--format", "csv", "--end", "2024-10-06", **settings)
        coverage = [line.split(",")[:8] for line in seen.stdout.splitlines()]
        assert len(coverage) == 5
        file = tmp_path / f"{name}.parquet"
        exported = cli("export", "wind_solar", "--to", str(file), **settings)
        assert exported.returncode == 0, exported.stderr
        assert cli("validate-schema", **settings).returncode == 0
        told.append((coverage, file.read_bytes(), hashes(tmp_path / name)))
    assert told[0] == told[1]
    said = cli("status", STORE_URL=url).stdout
    assert f"PostgreSQL 127.0.0.1:{postgres.port}/" in said
    assert "11520" in said
    assert PASSWORD not in said


# --- restarts ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own() -> Iterator[PostgresServer]:
    """A server that tests may stop, and leave running."""
    if not libraries_are_there():
        pytest.skip("needs the developers' libraries: type 'python3 run.py test --all'")
    with postgres_server(fsync="on") as server:
        yield server


def test_restart_in_a_run_loses_and_doubles_nothing(
    tmp_path: Path, sandbox: Sandbox, own: PostgresServer
) -> None:
    """Crashed between two windows, inside a window and while products are computed."""
    there = PostgresWorld(tmp_path, sandbox, own.new_database())
    stops = iter(("immediate", "fast", "immediate", "fast"))

    def restart() -> None:
        with contextlib.suppress(StopIteration):
            own.stop(next(stops))
            own.start()

    sandbox.now = "2024-11-25T09:00:00Z"
    with there.store() as store:
        _interrupt(store, "record", restart, at=(2, 9, 17, 24))
        work = job.Job("backfill", store, there.settings(), instant("2024-11-25T09:00:00Z"))
        report = backfill.backfill(work, [], date(2024, 10, 1), date(2024, 10, 6))
    assert next(stops, None) is None
    assert (report.failures, report.holes) == ([], [])
    untouched = World(tmp_path / "untouched", sandbox)
    with untouched.store() as store:
        work = job.Job("backfill", store, untouched.settings(), instant("2024-11-25T09:00:00Z"))
        backfill.backfill(work, [], date(2024, 10, 1), date(2024, 10, 6))
    assert_equal(untouched, there, tables=("frequency", "wind_solar", "average_power", "ledger"))
    assert there.frequency() == true_frequency(
        sandbox, "2024-09-30T23:00:00Z", "2024-10-06T23:00:00Z"
    )


def _interrupt(store: Any, method: str, act: Callable[[], None], *, at: tuple[int, ...]) -> None:
    """Let something happen right before some calls of a store's method, counted from 1."""
    real, calls = getattr(store, method), iter(range(1, 10**6))

    def interrupted(*arguments: Any) -> Any:
        if next(calls) in at:
            act()
        return real(*arguments)

    setattr(store, method, interrupted)


def test_lost_connection_is_waited_for_and_the_window_written_again(own: PostgresServer) -> None:
    from stores.postgres import PostgresStore

    store = PostgresStore(own.new_database(), TABLES, busy_wait_s=20)
    store.prepare()
    with store, store.lock("metered"):
        write(store, METERED, metered(("10:00", "A", 1.0, "09:00")))
        own.stop("immediate")
        timer = threading.Timer(1.0, own.start)
        timer.start()
        assert store.read("metered")["output_mw"].tolist() == [1.0]  # a reader waits, too
        timer.join()
        tries: list[int] = []

        def crash_once(changed: Any) -> list[Any]:
            tries.append(len(changed))
            if len(tries) == 1:
                own.stop("immediate")
                own.start()
            return []

        assert write(store, METERED, metered(("10:00", "A", 2.0, "17:00")), entries=crash_once) == 1
        assert tries == [1, 1]
        with PostgresStore(store.url, TABLES) as second, pytest.raises(Exception, match="locked"):
            second.lock("metered").__enter__()  # the lock came back with the connection
    rows = postgres_rows(store.url, "metered_history")
    assert [row["output_mw"] for row in rows] == [1.0]


def test_server_that_stays_away_fails_the_window_and_not_the_store(own: PostgresServer) -> None:
    from stores.postgres import PostgresStore

    store = PostgresStore(own.new_database(), TABLES, busy_wait_s=0.5)
    store.prepare()
    with store:
        write(store, PLAIN, plain(3))

        def crash(changed: Any) -> list[Any]:
            own.stop("immediate")
            return []

        with pytest.raises(StoreError, match="cannot be reached") as caught:
            write(store, PLAIN, plain(5, 49.9), entries=crash)
        assert caught.value.exit_code == 1
        own.start()
        assert [row["level_hz"] for row in postgres_rows(store.url, "plain")] == [50.0] * 3
        assert write(store, PLAIN, plain(5, 49.9)) == 5


def test_lock_that_another_took_meanwhile_ends_the_run(own: PostgresServer) -> None:
    from stores.postgres import PostgresStore

    url = own.new_database()
    store = PostgresStore(url, TABLES, busy_wait_s=1)
    store.prepare()
    with contextlib.ExitStack() as held:
        held.enter_context(store)
        held.enter_context(store.lock("frequency"))
        own.stop()
        own.start()
        other = held.enter_context(PostgresStore(url, TABLES))
        held.enter_context(other.lock("frequency"))
        with pytest.raises(StoreLost, match="another run has locked frequency"):
            write(store, PLAIN, plain(1))
    assert postgres_rows(url, "plain") == []


def test_lock_is_seen_by_whoever_asks_and_asking_is_not_taken_for_one(own: PostgresServer) -> None:
    from stores.postgres import PostgresStore

    url = own.new_database()
    with contextlib.ExitStack() as held:
        run, one, two = (held.enter_context(PostgresStore(url, TABLES)) for _ in range(3))
        for store in (run, one, two):
            store.prepare()
        assert not one.is_locked("frequency")
        with run.lock("frequency"):
            assert one.is_locked("frequency")
            assert not one.is_locked("load_actual")
        # Another that is asking in this very moment.
        two.execute(
            "SELECT pg_try_advisory_lock_shared("
            "hashtextextended('gridledger ' || current_schema() || ' run frequency', 0))"
        )
        assert not one.is_locked("frequency")
        with pytest.raises(Locked), run.lock("frequency"):
            pass


# --- a bad address -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        ("postgresql://grid:{wrong}@127.0.0.1:{port}/postgres", UsageError, "password auth"),
        ("postgresql://nobody:hunter2@127.0.0.1:{port}/postgres", UsageError, "authentication"),
        ("postgresql://grid:hunter2@127.0.0.1:{port}/missing", UsageError, '"missing" does not'),
        ("postgresql://grid:hunter2@127.0.0.1:9/postgres", StoreError, "cannot be reached"),
        ("postgresql://grid:hunter2@no.such.host.invalid/db", StoreError, "cannot be reached"),
        ("postgresql://grid:hunter2@127.0.0.1:{port}", UsageError, "must look like"),
        ("postgresql://grid:hunter2@127.0.0.1:{port}/", UsageError, "must look like"),
        ("postgresql://grid:hun@ter2@127.0.0.1/db", UsageError, "must look like"),
        ("postgresql://grid:hun/hunter2@127.0.0.1/db", UsageError, "must look like"),
        ("postgresql://grid:hunter2#@127.0.0.1/db", UsageError, "must look like"),
        ("postgresql://grid:%hunter2@127.0.0.1/db", UsageError, "must look like"),
        ("postgresql://grid:hunter2@127.0.0.1:{port}/db?sslmode=hunter2", UsageError, "cannot be read|wrong"),
        ("postgresql://127.0.0.1:{port}/db?passwort=hunter2", UsageError, "cannot be read"),
        ("postgres://grid:hunter2@127.0.0.1/db", UsageError, "must look like"),
    ],
)  # fmt: skip
def test_bad_address_is_one_sentence_without_its_password(
    postgres: PostgresServer, address: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        storage.open_store(address.format(port=postgres.port, wrong="hunter2hunter2"))
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_driver_that_is_not_installed_is_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "stores.postgres", raising=False)
    with pytest.raises(UsageError, match=r"run\.py --install-deps postgres"):
        storage.open_store("postgresql://me:hunter2@host/db")


def databases(server: PostgresServer) -> dict[str, str]:
    """Databases in which nothing may be written, by what is wrong with them."""
    read_only, newer, foreign, forbidden = (server.new_database() for _ in range(4))
    name = read_only.rpartition("/")[2]
    server.sql(read_only, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    storage.open_store(newer).close()
    server.sql(newer, "COMMENT ON TABLE meta IS 'gridledger schema 99'")
    server.sql(foreign, "CREATE TABLE photos (name text)", "CREATE TABLE meta (cat text)")
    with contextlib.suppress(Exception):
        server.sql("postgres", "CREATE ROLE guest LOGIN PASSWORD 'hunter2'")
    guest = f"postgresql://guest:{PASSWORD}@{forbidden.partition('@')[2]}"
    return {"read-only": read_only, "newer": newer, "another program": foreign, "denied": guest}


@pytest.mark.parametrize(
    ("what", "code"), [("read-only", 1), ("newer", 2), ("another program", 2), ("denied", 1)]
)
def test_store_that_must_not_be_written(
    postgres: PostgresServer, offline: Cli, what: str, code: int
) -> None:
    url = databases(postgres)[what]
    tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
    before = postgres.sql(url, tables)
    with pytest.raises((StoreError, StoreMismatch), match=what) as caught:
        storage.open_store(url)
    assert caught.value.exit_code == code
    done = offline("run", "--date", DAY, STORE_URL=url)
    assert done.returncode == code
    said = [line for line in done.stderr.splitlines() if " INFO " not in line]
    assert len(said) == 1, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert postgres.sql(url, tables) == before


def test_looking_makes_nothing(postgres: PostgresServer, offline: Cli) -> None:
    url = postgres.new_database()
    assert offline("coverage", STORE_URL=url).returncode in (0, 3)
    assert offline("status", STORE_URL=url).returncode == 0
    assert postgres.sql(url, "SELECT count(*) FROM pg_class WHERE relname = 'meta'") == [(0,)]


def test_store_in_a_schema_of_its_own_beside_others(postgres: PostgresServer) -> None:
    """Neither is what others keep in 'public' refused, nor ours of the same name touched."""
    url = postgres.new_database()
    postgres.sql(url, "CREATE TABLE incoming (cat text)", "CREATE SCHEMA grid")
    for schema in ("grid", "gro%C3%9F"):
        if schema != "grid":
            postgres.sql(url, 'CREATE SCHEMA "groß"')
        with storage.open_store(f"{url}?options=-csearch_path%3D{schema},public") as store:
            for level in (50.0, 49.9):
                write(store, PLAIN, plain(3, level))
            assert len(store.read_table(PLAIN)) == 3
    assert postgres.sql(url, "SELECT count(*) FROM incoming") == [(0,)]


def test_password_is_nowhere(cli: Cli, tmp_path: Path, postgres: PostgresServer) -> None:
    url = postgres.new_database()
    wrong = url.replace(PASSWORD, PASSWORD * 2)
    said = ""
    run, look = ("run", "--date", DAY), ("status",)
    for address, commands in (
        (url, (run, look, ("doctor",), ("coverage",))),
        (wrong, (run, look)),
        (url.replace("@", "@@"), (run, look)),
        (url.replace("postgresql", "postgres"), (run, look)),
    ):
        for words in commands:
            done = cli(*words, STORE_URL=address)
            assert "Traceback" not in done.stderr
            said += done.stdout + done.stderr
    assert PASSWORD not in said
    assert "postgresql://grid:***@127.0.0.1" in said
    for file in cli.folder.rglob("*"):
        assert not file.is_file() or PASSWORD.encode() not in file.read_bytes(), file
    dump = postgres.sql(url, "SELECT string_agg(ledger::text, ' ') FROM ledger")
    assert PASSWORD not in str(dump)


# --- hypertables -------------------------------------------------------------------------------

# Only how it is called can be seen without the extension; `compose.yaml` has the real one.
STAND_IN = """
CREATE TABLE asked (relation text, dimension text);
CREATE FUNCTION by_range(name, interval) RETURNS text LANGUAGE sql AS 'SELECT $1::text';
CREATE FUNCTION create_hypertable(regclass, text, create_default_indexes boolean) RETURNS int
LANGUAGE sql AS 'INSERT INTO @extschema@.asked VALUES ($1::text, $2) RETURNING 1';
"""


def test_large_tables_become_hypertables_where_the_extension_is(own: PostgresServer) -> None:
    share = own.install / "pginstall" / "share"
    folder = next(share.rglob("plpgsql.control")).parent
    (folder / "timescaledb.control").write_text("default_version = '1'\nrelocatable = false\n")
    (folder / "timescaledb--1.sql").write_text(STAND_IN)
    from stores.postgres import PostgresStore

    url = own.new_database()
    own.sql(url, "CREATE SCHEMA tools", "CREATE EXTENSION timescaledb SCHEMA tools")
    with PostgresStore(url, TABLES, large={"plain"}) as store:
        store.prepare()
        write(store, PLAIN, plain(3))
        write(store, METERED, metered(("10:00", "A", 1.0, "09:00")))
        assert write(store, PLAIN, plain(3, 49.9)) == 3
    assert own.sql(url, "SELECT * FROM tools.asked") == [("plain", "moment")]
