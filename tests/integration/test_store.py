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
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import storage
from domain.errors import StoreBusy, StoreError, StoreMismatch, UsageError
from domain.settlement import parse_range
from domain.tables import Column, Table, conform
from stores.sql import SqlStore
from stores.sqlite import SqliteStore
from tests.integration.conftest import (
    PROJECT,
    World,
    csv_files,
    instant,
    rows_of,
    true_frequency,
    wait_until,
)
from utils import Locked

DAY = "2024-10-05"
NIGHT = instant("2024-10-06T06:00:00Z")

# A table with a publish time, one without, and what each is in SQL terms.
METERED = Table(
    "metered",
    (
        Column("period_start", "time", "UTC", "Start of the period"),
        Column("unit_id", "text", "", "Which unit"),
        Column("output_mw", "float", "MW", "Mean power"),
        Column("publish_time", "time", "UTC", "When it was published"),
        Column("remark", "text", "", "What was said of it", optional=True),
    ),
    key=("period_start", "unit_id"),
    time="period_start",
    version="publish_time",
)
PLAIN = Table(
    "plain",
    (
        Column("moment", "time", "UTC", "Moment"),
        Column("level_hz", "float", "Hz", "Level"),
        Column("count", "int", "", "How many", optional=True),
        Column("day", "date", "", "Which day", optional=True),
    ),
    key=("moment",),
    time="moment",
)
TABLES = {table.name: table for table in (METERED, PLAIN)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "grid.db"


def opened(path: Path, tables: dict[str, Table] | None = None, wait_s: float = 0.3) -> SqliteStore:
    return SqliteStore(f"sqlite:///{path}", path, tables or TABLES, busy_wait_s=wait_s)


def metered(*rows: tuple[str, str, float, str], remark: str | None = None) -> Any:
    """A frame of (hour and minute, unit, MW, publish hour and minute of the next day)."""
    data = {
        "period_start": [f"{DAY}T{row[0]}:00Z" for row in rows],
        "unit_id": [row[1] for row in rows],
        "output_mw": [row[2] for row in rows],
        "publish_time": [f"2024-10-06T{row[3]}:00Z" for row in rows],
        "remark": [remark] * len(rows),
    }
    return conform(METERED, data, "by hand").frame


def plain(count: int, level: float = 50.0, first: str = f"{DAY}T00:00:00Z") -> Any:
    begin = instant(first)
    moments = [f"{begin + timedelta(seconds=15 * n):%Y-%m-%dT%H:%M:%SZ}" for n in range(count)]
    return conform(PLAIN, {"moment": moments, "level_hz": [level] * count}, "by hand").frame


def write(store: SqlStore, table: Table, frame: Any, at: datetime = NIGHT, **more: Any) -> int:
    more = {"synthetic": True, "entries": lambda changed: [], **more}
    return store.write(table, frame, known_at=at, **more)


def values(path: Path, table: str = "metered") -> list[tuple[str, str, float, str]]:
    return [
        (row["period_start"][11:16], row["unit_id"], row["output_mw"], row["publish_time"][11:16])
        for row in rows_of(path, table)
    ]


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


@pytest.mark.parametrize("url", ["grid.db", "sqlite:///", "postgresql://me:hunter2@host/db", ""])
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
    """Where a folder should be stands a file."""
    (tmp_path / "file").write_text("here", encoding="utf-8")
    with pytest.raises(StoreError, match=r"grid\.db cannot be opened"):
        storage.open_store(f"sqlite:///{tmp_path / 'file' / 'grid.db'}")


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
            assert time.monotonic() - begin < 2.0  # at once, not after a wait
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


def with_column(column: Column) -> dict[str, Table]:
    return {"plain": Table("plain", (*PLAIN.columns, column), PLAIN.key, PLAIN.time)}


def test_optional_column_declared_later_is_added(path: Path) -> None:
    with opened(path) as store:
        write(store, PLAIN, plain(2))
        write(store, PLAIN, plain(1, 49.9))
    tables = with_column(Column("quality", "text", "", "What the meter says", optional=True))
    table = tables["plain"]
    data = {
        "moment": [f"{DAY}T00:00:15Z", "2024-10-06T00:00:00Z"],
        "level_hz": [50.0, 50.1],
        "quality": ["fine", "fine"],
    }
    with opened(path, tables) as store:
        assert write(store, table, conform(table, data, "by hand").frame) == 2
        frame = store.read("plain")
    assert frame["quality"].fillna("-").tolist() == ["-", "fine", "fine"]
    assert [row["quality"] for row in rows_of(path, "plain_history")] == [None, None]
    described = [row["column_name"] for row in rows_of(path, "columns")]
    assert "quality" in described
    with opened(path) as store:  # the program of before goes on working
        assert write(store, PLAIN, plain(1, first="2024-10-07T00:00:00Z")) == 1
        assert len(store.read("plain")) == 4


def test_store_of_before_is_read_before_it_is_written(path: Path) -> None:
    """An update that declares a column must not break reading until the first write."""
    with opened(path) as store:
        write(store, PLAIN, plain(2))
    tables = with_column(Column("quality", "text", "", "What the meter says", optional=True))
    with opened(path, tables) as store:
        frame = store.read("plain")
    assert frame["level_hz"].tolist() == [50.0, 50.0]
    assert frame["quality"].isna().all()


def test_required_column_declared_later_is_refused(path: Path) -> None:
    with opened(path) as store:
        write(store, PLAIN, plain(2))
    tables = with_column(Column("quality", "text", "", "What the meter says"))
    data = {"moment": [f"{DAY}T00:00:00Z"], "level_hz": [50.0], "quality": ["fine"]}
    frame = conform(tables["plain"], data, "by hand").frame
    with opened(path, tables) as store, pytest.raises(StoreMismatch, match="no column quality"):
        write(store, tables["plain"], frame)
    assert len(rows_of(path, "plain")) == 2


# --- reading -----------------------------------------------------------------------------------


@pytest.fixture
def reading(path: Path) -> Iterator[SqlStore]:
    with opened(path) as store:
        rows = [
            (f"{hour:02}:{minute}", unit, 10.0 * hour + n, "09:00")
            for hour in range(22)
            for minute in ("00", "30")
            for n, unit in enumerate(("A", "B", "C"))
        ]
        write(store, METERED, metered(*reversed(rows)))
        yield store


def test_read_everything_sorted_by_key(reading: SqlStore) -> None:
    frame = reading.read("metered")
    assert len(frame) == 22 * 2 * 3
    keys = list(zip(frame["period_start"], frame["unit_id"], strict=True))
    assert keys == sorted(keys)
    assert list(frame.columns) == [column.name for column in METERED.columns]
    assert str(frame["period_start"].dtype) == "datetime64[us, UTC]"
    assert str(frame["output_mw"].dtype) == "float64"


def test_read_a_day_is_a_settlement_day(reading: SqlStore) -> None:
    """5 October begins at 23:00 UTC the evening before and ends at 23:00 UTC."""
    assert len(reading.read("metered", DAY)) == 22 * 2 * 3
    assert len(reading.read("metered", "2024-10-04")) == 0
    frame = reading.read("metered", f"{DAY}T10:00Z", f"{DAY}T11:30Z")
    assert [f"{t:%H:%M}" for t in frame["period_start"]] == ["10:00"] * 3 + ["10:30"] * 3 + [
        "11:00"
    ] * 3


def test_read_some_rows_and_columns(reading: SqlStore) -> None:
    frame = reading.read("metered", where={"unit_id": "B"}, columns=["output_mw"], limit=3)
    assert list(frame.columns) == ["output_mw"]
    assert frame["output_mw"].tolist() == [1.0, 1.0, 11.0]
    several = reading.read("metered", where={"unit_id": ["A", "C"], "output_mw": [0.0, 2.0]})
    assert several["unit_id"].tolist() == ["A", "C", "A", "C"]
    at = reading.read("metered", where={"period_start": instant(f"{DAY}T01:00:00Z")})
    assert at["output_mw"].tolist() == [10.0, 11.0, 12.0]
    assert len(reading.read("metered", where={"unit_id": "D"})) == 0
    assert len(reading.read("metered", where={"unit_id": []})) == 0
    assert len(reading.read("metered", limit=0)) == 0
    assert len(reading.read("metered", where={"unit_id": "A' OR '1'='1"})) == 0


@pytest.mark.parametrize("reading_with", [{"columns": ["output"]}, {"where": {"output": 1}}])
def test_unknown_column_is_named_with_those_there_are(
    reading: SqlStore, reading_with: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match=r"no column 'output'.*output_mw, publish_time"):
        reading.read("metered", **reading_with)


def test_unknown_key_is_named_with_near_ones(reading: SqlStore) -> None:
    with pytest.raises(UsageError, match=r"'metred'.*did you mean metered"):
        reading.read("metred")


def test_nothing_stored_is_an_empty_frame(path: Path) -> None:
    with opened(path) as store:
        frame = store.read("metered", DAY)
        assert len(frame) == 0
        assert list(frame.columns) == [column.name for column in METERED.columns]
        assert str(frame["period_start"].dtype) == "datetime64[us, UTC]"


def test_what_is_not_known_comes_back_unknown(path: Path) -> None:
    data = {
        "moment": [f"{DAY}T00:00:00Z", f"{DAY}T00:00:15Z"],
        "level_hz": [50.0, -0.0],
        "count": [None, 2**53 + 1],
        "day": [None, "2024-10-05"],
    }
    with opened(path) as store:
        write(store, PLAIN, conform(PLAIN, data, "by hand").frame)
        frame = store.read("plain")
    assert frame["count"].isna().tolist() == [True, False]
    assert frame["count"][1] == 2**53 + 1
    assert frame["day"].isna().tolist() == [True, False]
    assert rows_of(path, "plain")[1]["day"] == "2024-10-05"


# --- history -----------------------------------------------------------------------------------


def test_newer_version_takes_the_place_and_the_old_goes_to_history(path: Path) -> None:
    with opened(path) as store:
        assert write(store, METERED, metered(("10:00", "A", 1.0, "09:00"))) == 1
        later = NIGHT + timedelta(days=1)
        assert write(store, METERED, metered(("10:00", "A", 2.0, "17:00")), later) == 1
    assert values(path) == [("10:00", "A", 2.0, "17:00")]
    assert values(path, "metered_history") == [("10:00", "A", 1.0, "09:00")]
    (row,) = rows_of(path, "metered_history", without=())
    assert row["retrieved_at"] == "2024-10-06T06:00:00Z"
    assert row["superseded_at"] == "2024-10-07T06:00:00Z"
    (row,) = rows_of(path, "metered", without=())
    assert row["retrieved_at"] == "2024-10-07T06:00:00Z"


def test_older_version_goes_to_history_itself_and_once(path: Path) -> None:
    with opened(path) as store:
        write(store, METERED, metered(("10:00", "A", 2.0, "17:00")))
        for days in (1, 2, 3):
            later = NIGHT + timedelta(days=days)
            assert write(store, METERED, metered(("10:00", "A", 1.0, "09:00")), later) == 0
    assert values(path) == [("10:00", "A", 2.0, "17:00")]
    assert values(path, "metered_history") == [("10:00", "A", 1.0, "09:00")]


def test_equal_version_changes_nothing(path: Path) -> None:
    frame = metered(("10:00", "A", 1.0, "09:00"), ("10:30", "A", 1.5, "09:00"))
    with opened(path) as store:
        write(store, METERED, frame)
        before = rows_of(path, "metered", without=())
        assert write(store, METERED, frame, NIGHT + timedelta(days=1)) == 0
    assert rows_of(path, "metered", without=()) == before
    assert rows_of(path, "metered_history") == []


def test_tie_goes_to_the_later_arrival_and_nothing_is_lost(path: Path) -> None:
    """The same publish time with another value: the provider corrected itself in silence."""
    with opened(path) as store:
        write(store, METERED, metered(("10:00", "A", 2.0, "09:00")))
        assert write(store, METERED, metered(("10:00", "A", 1.0, "09:00"))) == 1
    assert values(path) == [("10:00", "A", 1.0, "09:00")]
    assert values(path, "metered_history") == [("10:00", "A", 2.0, "09:00")]


def test_empty_optional_value_equals_an_empty_one(path: Path) -> None:
    with opened(path) as store:
        write(store, METERED, metered(("10:00", "A", 1.0, "09:00")))
        assert write(store, METERED, metered(("10:00", "A", 1.0, "09:00"))) == 0
        said = metered(("10:00", "A", 1.0, "09:00"), remark="estimated")
        assert write(store, METERED, said) == 1
        assert write(store, METERED, said) == 0
    assert [row["remark"] for row in rows_of(path, "metered")] == ["estimated"]
    assert [row["remark"] for row in rows_of(path, "metered_history")] == [None]


def test_without_a_publish_time_the_later_arrival_is_current(path: Path) -> None:
    with opened(path) as store:
        write(store, PLAIN, plain(3, 50.0))
        assert write(store, PLAIN, plain(2, 49.9)) == 2
    assert [row["level_hz"] for row in rows_of(path, "plain")] == [49.9, 49.9, 50.0]
    assert [row["level_hz"] for row in rows_of(path, "plain_history")] == [50.0, 50.0]


def test_newer_older_equal_and_new_rows_in_one_answer(path: Path) -> None:
    first = [
        ("10:00", "A", 1.0, "09:00"),
        ("10:00", "B", 2.0, "09:00"),
        ("10:30", "A", 3.0, "17:00"),
        ("10:30", "B", 4.0, "09:00"),
    ]
    second = [
        ("10:00", "A", 1.1, "17:00"),  # newer
        ("10:00", "B", 2.0, "09:00"),  # equal
        ("10:30", "A", 2.9, "09:00"),  # older
        ("11:00", "A", 5.0, "09:00"),  # new; 10:30 B is not mentioned
    ]
    times: list[str] = []

    def note(changed: Any) -> list[Any]:
        times.extend(f"{moment:%H:%M}" for moment in changed)
        return []

    with opened(path) as store:
        write(store, METERED, metered(*first))
        assert write(store, METERED, metered(*second), entries=note) == 2
    assert sorted(times) == ["10:00", "11:00"]
    assert values(path) == sorted([second[0], second[1], first[2], first[3], second[3]])
    assert values(path, "metered_history") == sorted([first[0], second[2]])


def test_versions_known_to_be_superseded_are_kept(path: Path) -> None:
    older = metered(("10:00", "A", 1.0, "09:00"))
    with opened(path) as store:
        write(store, METERED, metered(("10:00", "A", 2.0, "17:00")), older=older)
        write(store, METERED, metered(("10:00", "A", 2.0, "17:00")), older=older)
    assert values(path) == [("10:00", "A", 2.0, "17:00")]
    assert values(path, "metered_history") == [("10:00", "A", 1.0, "09:00")]


def test_replace_moves_what_the_new_rows_do_not_have(path: Path) -> None:
    window = parse_range(f"{DAY}T10:00Z", f"{DAY}T12:00Z")
    rows = [(f"{hour}:00", "A", float(hour), "09:00") for hour in ("09", "10", "11", "12")]
    with opened(path) as store:
        write(store, METERED, metered(*rows))
        changed = write(store, METERED, metered(("10:00", "A", 7.0, "09:00")), replace=window)
        assert changed == 2
        assert values(path) == [rows[0], ("10:00", "A", 7.0, "09:00"), rows[3]]
        assert values(path, "metered_history") == [rows[1], rows[2]]
        # No rows at all for the window empties it.
        assert write(store, METERED, metered()[:0], replace=window) == 1
    assert values(path) == [rows[0], rows[3]]
    assert len(values(path, "metered_history")) == 3


# --- all or nothing ----------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [ValueError("a bug"), KeyboardInterrupt()])
def test_write_whose_ledger_fails_leaves_nothing(path: Path, trouble: BaseException) -> None:
    def fail(changed: Any) -> list[Any]:
        assert len(changed) == 1
        raise trouble

    with opened(path) as store:
        # The very first write: even the tables are gone again.
        with pytest.raises(type(trouble)):
            write(store, METERED, metered(("10:00", "A", 1.0, "09:00")), entries=fail)
        assert store.origin == ""
        assert rows_of(path, "metered") == []
        assert rows_of(path, "columns") == []
        write(store, METERED, metered(("10:00", "A", 1.0, "09:00")))
        before = rows_of(path, "metered", without=())
        with pytest.raises(type(trouble)):
            write(store, METERED, metered(("10:00", "A", 2.0, "17:00")), entries=fail)
        assert rows_of(path, "metered", without=()) == before
        assert rows_of(path, "metered_history") == []
        assert write(store, METERED, metered(("10:00", "A", 2.0, "17:00"))) == 1


def test_row_that_the_database_refuses_takes_its_window_along(path: Path) -> None:
    frame = metered(("10:00", "A", 1.0, "09:00"), ("10:30", "A", 2.0, "09:00"))
    twice = metered(("10:00", "A", 1.0, "09:00"), ("10:30", "A", 2.0, "09:00"))
    import pandas as pd

    with opened(path) as store:
        with pytest.raises(StoreError):
            write(store, METERED, pd.concat([frame, twice], ignore_index=True))
        assert rows_of(path, "metered") == []
        assert write(store, METERED, frame) == 2


def test_store_of_one_origin_refuses_the_other(path: Path) -> None:
    with opened(path) as store:
        write(store, METERED, metered(("10:00", "A", 1.0, "09:00")), synthetic=False)
        assert store.origin == "live"
        with pytest.raises(StoreMismatch, match=r"live.*synthetic"):
            write(store, METERED, metered(("10:30", "A", 1.0, "09:00")), synthetic=True)
    assert len(values(path)) == 1


def test_memory_store_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with storage.open_store("sqlite:///:memory:") as store:
        assert len(store.read("wind_solar", "2024-10-27")) == 0
    wait_until(lambda: list(tmp_path.iterdir()) == [])
