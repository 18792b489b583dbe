"""The SQLite store: whose file it is, what a write does to history, and what a bad disk does."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import storage
from domain.errors import StoreBusy, StoreError, StoreMismatch
from domain.tables import Table
from stores.sql import SqlStore
from stores.sqlite import SqliteStore
from tests.integration.conftest import (
    PROJECT,
    World,
    csv_files,
    rows_of,
    true_frequency,
    wait_until,
)
from tests.integration.test_store_contract import PLAIN, TABLES, plain, write
from utils import Locked

DAY = "2024-10-05"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "grid.db"


def opened(path: Path, tables: dict[str, Table] | None = None, wait_s: float = 0.3) -> SqliteStore:
    return SqliteStore(f"sqlite:///{path}", path, tables or TABLES, busy_wait_s=wait_s)


# --- whose file it is --------------------------------------------------------------------------


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE photos (name TEXT)")
        db.execute("INSERT INTO photos VALUES ('cat')")
        db.commit()


def newer(path: Path) -> None:
    opened(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")


def named_by_another(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA application_id = 1234")
        db.execute("PRAGMA user_version = 1")


def noise(path: Path) -> None:
    path.write_bytes(bytes((n * 7919 + n // 256) % 256 for n in range(20_000)))


def text(path: Path) -> None:
    path.write_text("period_start,output_mw\n" * 200, encoding="utf-8")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (foreign, "another program"),
        (newer, "newer gridledger"),
        (named_by_another, "another program"),
        (noise, "not a SQLite file"),
        (text, "not a SQLite file"),
    ],
)
def test_what_is_not_ours_is_left_untouched(
    path: Path, make: Callable[[Path], None], words: str
) -> None:
    make(path)
    before = path.read_bytes()
    with pytest.raises(StoreMismatch, match=words) as caught:
        storage.open_store(f"sqlite:///{path}")
    assert caught.value.exit_code == 2
    assert path.name in str(caught.value)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("made", ["missing", "empty", "in a folder to be made"])
def test_new_store_says_whose_it_is(tmp_path: Path, made: str) -> None:
    path = tmp_path / ("deep/er/grid.db" if "folder" in made else "grid.db")
    if made == "empty":
        path.touch()
    with storage.open_store(f"sqlite:///{path}") as store:
        assert store.origin == ""
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA application_id").fetchone()[0].to_bytes(4, "big") == b"GRLG"
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("url", ["grid.db", "sqlite:///", "mysql://me:hunter2@host/db", ""])
def test_url_of_another_kind_is_refused_without_its_secrets(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not url:
        monkeypatch.setenv("STORE_URL", "")
    with pytest.raises(Exception, match="sqlite:///") as caught:
        storage.open_store(url)
    assert type(caught.value).__name__ in ("UsageError", "SettingError")
    assert "hunter2" not in str(caught.value)


def test_truncated_file_is_called_damaged(world: World) -> None:
    world.run(DAY)
    whole = world.database.read_bytes()
    world.database.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match="damaged") as caught:
        world.run(DAY)
        with world.store() as store:
            store.read("frequency")
            store.read("wind_solar")
    assert "restore" in str(caught.value)


def test_file_cut_inside_its_first_page(world: World) -> None:
    world.run(DAY, only=["wind_solar"])
    world.database.write_bytes(world.database.read_bytes()[:600])
    with pytest.raises(StoreError):
        world.run(DAY)


def test_overwritten_page_is_called_damaged(world: World) -> None:
    world.run(DAY)
    content = bytearray(world.database.read_bytes())
    content[8192 : len(content) - 4096] = b"\xa5" * (len(content) - 12288)
    world.database.write_bytes(bytes(content))
    with pytest.raises(StoreError) as caught, world.store() as store:
        store.read("frequency")
    assert "damaged" in str(caught.value)


# --- a disk that refuses -----------------------------------------------------------------------


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Without the superuser's way around permissions; does nothing for other users."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that another user may enter, made where every parent lets him."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="gridledger-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


posix_only = pytest.mark.skipif(os.name != "posix", reason="permissions and users of POSIX")


@posix_only
def test_read_only_folder(public: Path) -> None:
    public.chmod(0o555)
    with as_nobody(), pytest.raises(StoreError, match=r"grid\.db cannot be opened.*permissions"):
        storage.open_store(f"sqlite:///{public / 'grid.db'}")
    assert list(public.iterdir()) == []


@posix_only
def test_read_only_file_refuses_rows_and_keeps_its_own(public: Path) -> None:
    path = public / "grid.db"
    with opened(path) as store:
        write(store, PLAIN, plain(4))
    public.chmod(0o777)
    path.chmod(0o444)
    before = path.read_bytes()

    def try_to_write() -> None:
        with opened(path) as store:
            write(store, PLAIN, plain(4, first="2024-10-06T00:00:00Z"))

    with as_nobody(), pytest.raises(StoreError, match=r"grid\.db cannot be opened.*permissions"):
        try_to_write()
    assert path.read_bytes() == before


def test_folder_that_cannot_be(tmp_path: Path) -> None:
    """Where a folder should be stands a file; its name must not be taken for what went wrong."""
    (tmp_path / "full and locked").write_text("here", encoding="utf-8")
    with pytest.raises(StoreError, match=r"grid\.db cannot be opened"):
        storage.open_store(f"sqlite:///{tmp_path / 'full and locked' / 'grid.db'}")


def test_folder_instead_of_a_file(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreError, match=r"grid\.db cannot be opened"):
        storage.open_store(f"sqlite:///{path}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB of its own, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("needs the right to mount a small file system")
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def assert_full_disk(store: SqlStore, path: Path, free: Callable[[], None]) -> None:
    write(store, PLAIN, plain(100))
    with pytest.raises(StoreError, match=r"disk under grid\.db is full"):
        write(store, PLAIN, plain(40_000, first="2024-10-06T00:00:00Z"))
    assert len(store.read("plain")) == 100
    free()
    assert write(store, PLAIN, plain(40_000, first="2024-10-06T00:00:00Z")) == 40_000
    store.close()
    assert len(rows_of(path, "plain")) == 40_100
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_full_disk_stores_nothing_of_the_window(small_disk: Path) -> None:
    path = small_disk / "grid.db"

    def enlarge() -> None:
        options = "remount,size=64m"
        subprocess.run(["mount", "-o", options, str(small_disk)], check=True)

    assert_full_disk(opened(path), path, enlarge)


def test_full_file_stores_nothing_of_the_window(path: Path) -> None:
    """The same without a disk of its own: SQLite may take no more than 40 pages."""
    store = opened(path)

    def allow(pages: int) -> None:
        store.execute(f"PRAGMA max_page_count = {pages}")

    allow(40)
    assert_full_disk(store, path, lambda: allow(100_000))


def test_full_disk_under_the_published_files(world: World, small_disk: Path) -> None:
    """The rows are stored; the files follow when there is room."""
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"\0" * 4096):
            pass
    with pytest.raises(StoreError, match=r"No space left.*rows are in\s+the store"):
        world.run(DAY, OUTPUT_DIR=str(small_disk))
    assert list(csv_files(small_disk)) == []
    assert [file.name for file in small_disk.rglob("*.tmp")] == []
    filler.unlink()
    report = world.run(DAY, OUTPUT_DIR=str(small_disk))
    assert report.exit_code == 0
    assert len(csv_files(small_disk)) == 4
    assert world.frequency() == true_frequency(
        world.sandbox, "2024-10-04T23:00:00Z", "2024-10-05T23:00:00Z"
    )


# --- several programs at one file --------------------------------------------------------------


def test_locked_database_is_waited_for_and_then_given_up(path: Path) -> None:
    with opened(path, wait_s=0.4) as store, closing(sqlite3.connect(path)) as other:
        write(store, PLAIN, plain(2))
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        begin = time.monotonic()
        with pytest.raises(StoreBusy, match=r"grid\.db stayed locked"):
            write(store, PLAIN, plain(2, first="2024-10-06T00:00:00Z"))
        assert 0.3 < time.monotonic() - begin < 5.0
        assert len(store.read("plain")) == 2  # reading goes on
        other.execute("ROLLBACK")
        assert write(store, PLAIN, plain(2, first="2024-10-06T00:00:00Z")) == 2


def test_lock_that_ends_in_time_costs_only_the_wait(path: Path) -> None:
    with opened(path, wait_s=10) as store:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, lambda: other.execute("COMMIT"))
        timer.start()
        begin = time.monotonic()
        assert write(store, PLAIN, plain(2)) == 2
        assert time.monotonic() - begin >= 0.2
        timer.join()
        other.close()


def test_reader_sees_what_was_committed_while_a_write_is_under_way(path: Path) -> None:
    with opened(path) as store:
        write(store, PLAIN, plain(3))
        seen: list[int] = []

        def look(changed: Any) -> list[Any]:
            with closing(sqlite3.connect(path, timeout=0)) as reader:
                seen.extend(reader.execute("SELECT count(*) FROM plain").fetchone())
            return []

        write(store, PLAIN, plain(5, first="2024-10-06T00:00:00Z"), entries=look)
        assert seen == [3]
        with closing(sqlite3.connect(path, timeout=0)) as reader:
            assert reader.execute("SELECT count(*) FROM plain").fetchone() == (8,)


def test_many_make_one_store_at_the_same_time(tmp_path: Path) -> None:
    """Whoever comes second finds a store half made, or just made, and must not take it for another's."""
    troubles: list[str] = []

    def make(path: Path, together: threading.Barrier) -> None:
        together.wait()
        try:
            opened(path, wait_s=20).close()
        except StoreError as trouble:
            troubles.append(str(trouble))

    for attempt in range(40):
        path, together = tmp_path / f"{attempt}.db", threading.Barrier(4)
        threads = [threading.Thread(target=make, args=(path, together)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA user_version").fetchone() == (1,)
    assert troubles == []


def test_new_store_waits_for_whoever_writes_the_file(path: Path) -> None:
    """SQLite gives up at once where a file is to change its journal under another's write lock."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.4, lambda: other.execute("ROLLBACK"))
    timer.start()
    try:
        opened(path, wait_s=10).close()
    finally:
        timer.join()
        other.close()


def test_lock_of_a_live_process_holds_and_of_a_killed_one_is_free(path: Path) -> None:
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); import storage\n"
        "with storage.open_store(sys.argv[2]) as store, store.lock('frequency'):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    url = f"sqlite:///{path}"
    command = [sys.executable, "-c", code, str(PROJECT), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with storage.open_store(url) as store:
            begin = time.monotonic()
            with pytest.raises(Locked, match="frequency"), store.lock("frequency"):
                pass
            assert time.monotonic() - begin < 10.0  # at once, not after the wait for a writer
            with store.lock("wind_solar"):
                pass  # another key is free
            process.kill()
            process.wait()
            with store.lock("frequency"):
                pass
    assert process.returncode == -signal.SIGKILL


def test_killed_in_the_middle_of_a_write_leaves_the_last_whole_one(path: Path) -> None:
    with opened(path) as store:
        write(store, PLAIN, plain(3))
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from tests.integration import test_store as t\n"
        "def wait(changed):\n"
        "    print('inside', flush=True); time.sleep(60)\n"
        "store = t.opened(Path(sys.argv[2]))\n"
        "t.write(store, t.PLAIN, t.plain(5000, first='2024-10-06T00:00:00Z'), entries=wait)"
    )
    command = [sys.executable, "-c", code, str(PROJECT), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "inside\n"
        process.kill()
        process.wait()
    with opened(path) as store:
        assert len(store.read("plain")) == 3
        assert write(store, PLAIN, plain(5, first="2024-10-06T00:00:00Z")) == 5


# --- what the file says of itself --------------------------------------------------------------


def test_columns_table_describes_every_column_with_its_unit(world: World) -> None:
    world.run(DAY)
    described = {
        (row["table_name"], row["column_name"]): row for row in world.rows("columns", without=())
    }
    with closing(sqlite3.connect(world.database)) as db:
        for table in ("frequency", "wind_solar", "average_power", "wind_solar_summary"):
            info = db.execute(f"PRAGMA table_info('{table}')").fetchall()
            assert info
            assert [row[1] for row in info if row[5]] == [
                name for (of, name), row in described.items() if of == table and row["in_key"]
            ]
            for _, name, kind, *_ in info:
                row = described[table, name]
                assert len(row["description"]) > 5, name
                types = {"TEXT": {"text", "time", "date"}, "REAL": {"float"}, "INTEGER": {"int"}}
                assert row["dtype"] in types[kind]
                if row["dtype"] == "time":
                    assert row["unit"] == "UTC"
                for ending, unit in (("_hz", "Hz"), ("_mw", "MW"), ("_mwh", "MWh")):
                    if name.endswith(ending):
                        assert row["unit"] == unit, name
            history = [row[1] for row in db.execute(f"PRAGMA table_info('{table}_history')")]
            assert history == [row[1] for row in info] + ["superseded_at"]
            assert (table, "superseded_at") in described


def test_memory_store_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with storage.open_store("sqlite:///:memory:") as store:
        assert len(store.read("wind_solar", "2024-10-27")) == 0
    wait_until(lambda: list(tmp_path.iterdir()) == [])
