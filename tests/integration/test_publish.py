"""``publish`` as Parquet: on a disk, S3 and Google Cloud Storage, read back by readers that are not ours.

What stands in the store is read with plain ``sqlite3``, what was published with DuckDB and Arrow.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import copying
import main
import publishing
import storage
import stores.parts
from domain.errors import GridledgerError, StoreError
from domain.settlement import parse_range
from domain.tables import Column, Table, conform
from stores.objects import open_folder
from stores.parquet import ParquetWarehouse
from tests.integration.buckets import BUCKET, SECRET, gcs_server, s3_server
from tests.integration.conftest import (
    PROJECT,
    Cli,
    World,
    hashes,
    instant,
    rows_of,
    true_frequency,
)
from tests.integration.postgres import PostgresServer
from tests.integration.test_store_contract import (
    KINDS,
    METERED,
    PLAIN,
    UNITS,
    PostgresPlace,
    metered,
    write,
)
from utils import Locked

duckdb = pytest.importorskip("duckdb", reason="needs the developers' libraries")

# A row keeps its key when its time changes.
TRADES = Table(
    "trades",
    (
        Column("trade_id", "text", "", "Which trade"),
        Column("period_start", "time", "UTC", "Start of delivery"),
        Column("volume_mwh", "float", "MWh", "Volume, sold +"),
    ),
    key=("trade_id",),
    time="period_start",
)
TABLES = {table.name: table for table in (PLAIN, METERED, KINDS, UNITS, TRADES)}
LATER = instant("2024-11-20T06:00:00Z")
# October ends at midnight UTC, September an hour earlier.
TURNS = [
    ("2024-09-30T22:59:45Z", 49.8),
    ("2024-09-30T23:00:00Z", 49.9),
    ("2024-10-31T23:59:45Z", 50.0),
    ("2024-11-01T00:00:00Z", 50.1),
]


def levels(*rows: tuple[str, float]) -> Any:
    data = {"moment": [row[0] for row in rows], "level_hz": [row[1] for row in rows]}
    return conform(PLAIN, data, "by hand").frame


def frequency(*rows: tuple[str, float]) -> Any:
    table = storage.tables()["frequency"]
    data = {c.spelling: [row[n] for row in rows] for n, c in enumerate(table.columns)}
    return conform(table, data, "by hand").frame


def trades(*rows: tuple[str, str, float]) -> Any:
    data = {name: [row[n] for row in rows] for n, name in enumerate(TRADES.names)}
    return conform(TRADES, data, "by hand").frame


def kinds(*amounts: str | None) -> Any:
    """Every type of column, with these decimals."""
    several = range(len(amounts))
    data = {
        "moment": ["2024-10-05T00:00:00Z"] * len(amounts),
        "name": [f"{n}" for n in several],
        "amount_eur": list(amounts),
        "figure": [(0.1, 1e300, None, -5e-324)[n % 4] for n in several],
        "sure": [(True, False, None)[n % 3] for n in several],
        "day": [("2024-02-29", "9999-12-31", None)[n % 3] for n in several],
        "count": [(2**62, -1, None)[n % 3] for n in several],
        "word": [("é 漢 🔌\n", "", None)[n % 3] for n in several],
    }
    return conform(KINDS, data, "by hand").frame


def units(*names: str) -> Any:
    data = {"unit_id": list(names), "capacity_mw": [1.5] * len(names)}
    return conform(UNITS, data, "by hand").frame


# --- the store, the command, and eyes that are not ours ------------------------------------------------


@dataclass
class Done:
    """What the command came to."""

    code: int
    said: str


class Desk:
    """A store with tables of the tests, the command that publishes it, and what stands there then."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.database = root / "grid.db"
        self.lake = root / "lake"
        self.to = f"parquet://{self.lake}"
        self._capsys = capsys

    def store(self) -> Any:
        return storage.open_store(f"sqlite:///{self.database}")

    def write(self, table: Table, frame: Any, at: Any = LATER, **more: Any) -> None:
        with self.store() as store:
            write(store, table, frame, at, **more)

    def publish(self, *words: str, to: str = "") -> Done:
        self._capsys.readouterr()
        try:
            code = main.app(["publish", "--to", to or self.to, *words], standalone_mode=False)
        except GridledgerError as trouble:
            return Done(trouble.exit_code, str(trouble))
        told = self._capsys.readouterr()
        return Done(code, told.out + told.err)

    def published(self, *words: str, to: str = "") -> str:
        done = self.publish(*words, to=to)
        assert done.code == 0, done.said
        return done.said

    def files(self) -> dict[str, int]:
        """Every file with the moment of its last change [ns]."""
        found = self.lake.rglob("*.parquet")
        return {str(path.relative_to(self.lake)): path.stat().st_mtime_ns for path in found}

    def parts(self, table: str) -> list[str]:
        return sorted(name for name in self.files() if name.startswith(f"{table}/"))


@pytest.fixture
def desk(
    tmp_path: Path,
    clean_environment: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Desk:
    made = Desk(tmp_path, capsys)
    monkeypatch.setenv("STORE_URL", f"sqlite:///{made.database}")
    monkeypatch.setattr(storage, "tables", lambda: TABLES)
    return made


@pytest.fixture
def filled(desk: Desk) -> Desk:
    """Every kind of table and of value."""
    desk.write(PLAIN, levels(*TURNS))
    desk.write(METERED, metered(("10:00", "A", 1.0, "09:00"), ("10:00", "B", -2.5, "09:00")))
    desk.write(KINDS, kinds("0.00012345678901", "-99999999999999999999.9", None, "12.30"))
    desk.write(UNITS, units("A", "B"))
    desk.write(
        TRADES, trades(("a", "2024-10-05T10:00:00Z", 1.0), ("b", "2024-11-05T10:00:00Z", 2.0))
    )
    return desk


def month(table: str, month: int, year: int = 2024) -> str:
    return f"{table}/settlement_year={year}/settlement_month={month}/{table}.parquet"


AS_TEXT: dict[str, Callable[[Any], Any]] = {
    "time": lambda value: f"{value.astimezone(ZoneInfo('UTC')):%Y-%m-%dT%H:%M:%SZ}",
    "date": date.isoformat,
    "flag": int,
    "decimal": Decimal,
}


def by_duckdb(lake: Path, table: Table) -> list[dict[str, Any]]:
    """All rows of a published table as DuckDB reads its Hive partitions, checked against their month."""
    names = ["settlement_year", "settlement_month"] if table.time else []
    quoted = ", ".join(f'"{name}"' for name in (*table.names, *names))
    with duckdb.connect() as db:
        found = db.execute(
            f"SELECT {quoted} FROM read_parquet('{lake}/{table.name}/**/*.parquet', "
            f"hive_partitioning = {bool(names)})"
        ).fetchall()
    rows = []
    for cells in found:
        row = dict(zip((*table.names, *names), cells, strict=True))
        if names:
            local = row[table.time].astimezone(ZoneInfo("Europe/London"))
            assert (row.pop(names[0]), row.pop(names[1])) == (local.year, local.month)
        rows.append(
            {
                c.name: row[c.name]
                if row[c.name] is None
                else AS_TEXT.get(c.dtype, lambda value: value)(row[c.name])
                for c in table.columns
            }
        )
    return sorted(rows, key=lambda row: str([row[name] for name in table.key]))


def stored(database: Path, table: Table) -> list[dict[str, Any]]:
    """The same rows as SQLite has them."""
    rows = rows_of(database, table.name)
    for column in table.columns:
        if column.dtype == "decimal":
            for row in rows:
                row[column.name] = row[column.name] and Decimal(row[column.name])
    return sorted(rows, key=lambda row: str([row[name] for name in table.key]))


# --- what is published --------------------------------------------------------------------------------


def test_readers_find_what_the_store_has(filled: Desk) -> None:
    filled.published()
    for table in TABLES.values():
        rows = by_duckdb(filled.lake, table)
        assert rows == stored(filled.database, table)
        assert rows
    assert filled.parts("plain") == [month("plain", n) for n in (10, 11, 9)]
    assert filled.parts("units") == ["units/units.parquet"]
    with duckdb.connect() as db:
        (total,) = db.execute(
            f"SELECT sum(amount_eur) FROM '{filled.lake}/kinds/**/*.parquet'"
        ).fetchall()[0]
    assert total == Decimal("-99999999999999999987.59987654321099")


def test_every_file_says_what_it_holds(filled: Desk) -> None:
    import pyarrow as pa
    import pyarrow.dataset
    import pyarrow.parquet as pq

    filled.published()
    every = pyarrow.dataset.dataset(filled.lake / "plain", partitioning="hive")
    assert every.count_rows() == 4
    schemas = [pq.read_schema(filled.lake / name) for name in filled.parts("plain")]
    assert all(schema.equals(schemas[0], check_metadata=True) for schema in schemas)
    schema = pq.read_schema(filled.lake / month("kinds", 10))
    assert {field.name: str(field.type) for field in schema} == {
        "moment": "timestamp[us, tz=UTC]",
        "name": "string",
        "amount_eur": "decimal128(38, 18)",
        "figure": "double",
        "sure": "bool",
        "day": "date32[day]",
        "count": "int64",
        "word": "string",
    }
    assert [field.nullable for field in schema] == [False, False, *[True] * 6]
    told = schema.field("amount_eur").metadata
    assert (told[b"unit"], told[b"description"]) == (b"EUR", b"An exact amount")
    assert schema.metadata[b"gridledger_origin"] == b"synthetic"
    assert isinstance(schema.field("moment").type, pa.TimestampType)


def test_real_tables(world: World, tmp_path: Path) -> None:
    """Over the end of a month: a large table, one with scopes, one that is revised, a product."""
    keys = ("frequency", "wind_solar", "entsoe_day_ahead_prices", "average_power")
    report = world.run("2024-10-31", "2024-11-01", DATASETS=",".join(keys[:3]))
    assert not report.failures
    lake = tmp_path / "lake"
    with world.store() as store, publishing.open_warehouse(f"parquet://{lake}") as there:
        tables = [store.tables[key] for key in keys]
        planned = publishing.plan(store, there, tables)
        publishing.write(store, there, planned, workers=4)
        assert [(one.parts, one.written, one.failures) for one in planned] == [(2, 2, [])] * 4
        assert [one.changed for one in publishing.plan(store, there, tables)] == [[]] * 4
    for table in tables:
        assert by_duckdb(lake, table) == stored(world.database, table)
    with duckdb.connect() as db:
        counted = db.execute(
            f"SELECT settlement_month, count(*) FROM '{lake}/frequency/**/*.parquet' GROUP BY 1 ORDER BY 1"
        ).fetchall()
    middle = "2024-11-01T00:00:00Z"
    days = (("2024-10-31T00:00:00Z", middle), (middle, "2024-11-02T00:00:00Z"))
    true = [len(true_frequency(world.sandbox, *day)) for day in days]
    assert counted == list(zip((10, 11), true, strict=True))


def test_no_column_is_called_like_a_partition() -> None:
    names = {name for table in storage.tables().values() for name in table.names}
    assert "settlement_date" in names
    assert not names & {"settlement_year", "settlement_month"}


def test_large_parts_are_written_in_pieces(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    begin = instant("2024-10-01T00:00:00Z")
    rows = [(f"{begin + timedelta(minutes=30 * n):%Y-%m-%dT%H:%M:%SZ}", 50.0) for n in range(1480)]
    desk.write(PLAIN, levels(*rows))
    monkeypatch.setattr(stores.parts, "ROWS_A_PIECE", 200)
    desk.published()
    file = pq.ParquetFile(desk.lake / month("plain", 10))
    groups = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert sum(groups) == 1480
    assert max(groups) <= 200
    moments = file.read().column("moment").to_pylist()
    assert moments == sorted(moments)
    assert by_duckdb(desk.lake, PLAIN) == stored(desk.database, PLAIN)


# --- only what changed --------------------------------------------------------------------------------


def test_a_second_time_writes_nothing(filled: Desk) -> None:
    filled.published()
    before = hashes(filled.lake), filled.files()
    said = filled.published()
    assert (hashes(filled.lake), filled.files()) == before
    for line in said.splitlines()[2:]:
        assert line.split()[3] == "0", line


def test_a_revised_day_replaces_its_rows_and_only_its_month(filled: Desk) -> None:
    filled.published()
    before = filled.files()
    filled.write(PLAIN, levels(("2024-10-31T23:59:45Z", 51.5), ("2024-10-07T00:00:00Z", 50.2)))
    filled.published()
    after = filled.files()
    assert {name for name in after if after[name] != before[name]} == {month("plain", 10)}
    assert [(row["moment"], row["level_hz"]) for row in by_duckdb(filled.lake, PLAIN)] == [
        ("2024-09-30T22:59:45Z", 49.8),
        ("2024-09-30T23:00:00Z", 49.9),
        ("2024-10-07T00:00:00Z", 50.2),
        ("2024-10-31T23:59:45Z", 51.5),
        ("2024-11-01T00:00:00Z", 50.1),
    ]


def test_a_change_by_a_run_that_began_earlier_is_seen(filled: Desk) -> None:
    filled.published()
    filled.write(PLAIN, levels(("2024-10-31T23:59:45Z", 51.5)), LATER - timedelta(days=9))
    filled.published()
    assert by_duckdb(filled.lake, PLAIN) == stored(filled.database, PLAIN)


def test_two_changes_in_the_same_second_are_seen(filled: Desk) -> None:
    for level in (51.5, 51.6):
        filled.write(PLAIN, levels(("2024-10-31T23:59:45Z", level)))
        filled.published()
        assert by_duckdb(filled.lake, PLAIN) == stored(filled.database, PLAIN)


def test_rows_that_go_away(filled: Desk) -> None:
    filled.published()
    filled.write(PLAIN, levels(), replace=parse_range("2024-10-01", "2024-10-01"))
    filled.write(PLAIN, levels(), replace=parse_range("2024-11-01", "2024-11-01"))
    filled.write(UNITS, units("B", "C"))
    said = filled.published()
    assert filled.parts("plain") == [month("plain", n) for n in (10, 9)]
    for table in (PLAIN, UNITS):
        assert by_duckdb(filled.lake, table) == stored(filled.database, table)
    (line,) = [line for line in said.splitlines() if line.split()[:1] == ["plain"]]
    assert line.split()[1:] == ["2", "2", "1", "1", "1"]
    noted = json.loads((filled.lake / "_gridledger/plain.json").read_text())["parts"]
    assert {name: part["rows"] for name, part in noted.items()} == {"2024-09": 1, "2024-10": 1}


def test_a_row_that_moves_to_another_month_leaves_the_old_one(filled: Desk) -> None:
    filled.published()
    filled.write(TRADES, trades(("a", "2024-11-06T10:00:00Z", 1.0)))
    filled.published()
    assert by_duckdb(filled.lake, TRADES) == stored(filled.database, TRADES)
    assert filled.parts("trades") == [month("trades", 11)]


def test_a_table_without_rows_here_is_left_alone_there(filled: Desk, tmp_path: Path) -> None:
    filled.published()
    before = hashes(filled.lake)
    filled.database.rename(tmp_path / "away.db")
    filled.write(METERED, metered(("11:00", "C", 1.0, "09:00")))
    filled.published("plain", "kinds")
    assert hashes(filled.lake) == before


def test_what_was_deleted_there_comes_back(filled: Desk) -> None:
    filled.published()
    (filled.lake / month("plain", 10)).unlink()
    filled.published()
    assert by_duckdb(filled.lake, PLAIN) == stored(filled.database, PLAIN)


def test_another_layout_is_written_anew(filled: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.published()
    before = filled.files()
    grown = Table("units", (*UNITS.columns, Column("zone", "text", "", "Zone", optional=True)),
                  UNITS.key, "")  # fmt: skip
    monkeypatch.setattr(storage, "tables", lambda: {**TABLES, "units": grown})
    filled.published()
    after = filled.files()
    assert {name for name in after if after[name] != before[name]} == {"units/units.parquet"}
    assert by_duckdb(filled.lake, grown)[0]["zone"] is None


def test_equal_rows_are_equal_bytes(filled: Desk, tmp_path: Path) -> None:
    """Also where they were written one by one, in another order."""
    other = Desk(tmp_path / "other", filled._capsys)
    other.database.parent.mkdir()
    for row in reversed(TURNS):
        other.write(PLAIN, levels(row))
    with other.store() as store, publishing.open_warehouse(other.to) as there:
        publishing.write(store, there, publishing.plan(store, there, [PLAIN]), workers=1)
    filled.published()
    for part in other.parts("plain"):
        assert (other.lake / part).read_bytes() == (filled.lake / part).read_bytes()


def test_a_copy_in_another_database_has_nothing_new(
    filled: Desk, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.write(PLAIN, levels(("2024-10-31T23:59:45Z", 51.5)))
    filled.write(TRADES, trades(("a", "2024-11-06T10:00:00Z", 1.0)))
    filled.published()
    before = hashes(filled.lake)
    there = PostgresPlace(postgres)
    with filled.store() as source, there.open(TABLES) as target:
        for table in TABLES.values():
            copying.copy_table(source, target, table)
    monkeypatch.setenv("STORE_URL", there.url)
    said = filled.published("--dry-run")
    assert [line.split()[3] for line in said.splitlines()[2:]] == ["0"] * len(TABLES)
    for name in before:
        (filled.lake / name).unlink()
    filled.published()
    assert hashes(filled.lake) == before


@pytest.mark.parametrize("from_backup", [False, True])
def test_a_store_filled_anew_or_from_a_backup(
    desk: Desk, tmp_path: Path, from_backup: bool
) -> None:
    """With as many rows and as many revisions as the one before, the last ones of another value."""
    backup = tmp_path / "backup.db"
    if from_backup:
        desk.write(PLAIN, levels(*TURNS))
        desk.write(TRADES, trades(("a", "2024-10-05T10:00:00Z", 1.0)))
        shutil.copy(desk.database, backup)
    for n, value in enumerate((51.5, 52.5)):
        if n:
            desk.database.unlink()
            if from_backup:
                shutil.copy(backup, desk.database)
        at = LATER + timedelta(days=1 + n)
        desk.write(PLAIN, levels(*TURNS[:3], (TURNS[3][0], value)), at)
        desk.write(TRADES, trades(("a", "2024-10-05T10:00:00Z", value)), at)
        desk.published()
        for table in (PLAIN, TRADES):
            assert by_duckdb(desk.lake, table) == stored(desk.database, table)


def test_dry_run_writes_nothing(filled: Desk) -> None:
    said = filled.published("--dry-run")
    assert "Nothing was written; this would be" in said
    assert not filled.lake.exists()
    filled.published()
    filled.write(PLAIN, levels(("2024-10-31T23:59:45Z", 51.5)))
    filled.write(PLAIN, levels(), replace=parse_range("2024-11-01", "2024-11-01"))
    before = hashes(filled.lake)
    said = filled.published("--dry-run", "plain")
    assert said.splitlines()[-1].split() == ["plain", "2", "3", "1", "2", "1", "1"]
    assert hashes(filled.lake) == before


# --- what goes wrong ------------------------------------------------------------------------------------

# Dies in the middle of a file, or when the file is there and nobody knows of it yet.
KILLED = {
    "in a file": """
def half(source, target, length):
    target.write(source.read()[:100]); target.flush()
    die()
shutil.copyfileobj = half
""",
    "before its note": """
real = stores.parquet.ParquetWarehouse._note
def note(self, table, origin, changed):
    die() if "2024-09" in changed else real(self, table, origin, changed)
stores.parquet.ParquetWarehouse._note = note
""",
}


@pytest.mark.parametrize("moment", KILLED)
def test_killed_and_published_again(world: World, tmp_path: Path, moment: str) -> None:
    lake, undisturbed = tmp_path / "lake", tmp_path / "undisturbed"
    table = storage.tables()["frequency"]

    def publish_to(target: Path) -> None:
        with world.store() as store, publishing.open_warehouse(f"parquet://{target}") as there:
            publishing.write(store, there, publishing.plan(store, there, [table]), workers=2)

    with world.store() as store:
        write(store, table, frequency(*TURNS))
    if moment == "in a file":  # that takes the place of another
        publish_to(lake)
        with world.store() as store:
            write(store, table, frequency(*((at, level + 1) for at, level in TURNS)), LATER)
    code = (
        "import os, shutil, signal, sys, main, stores.parquet\n"
        "def die(): os.kill(os.getpid(), signal.SIGKILL)\n"
        f"{KILLED[moment]}\nsys.argv[1:] = ['publish', '--workers', '1', '--to', {f'parquet://{lake}'!r}]\n"
        "main.main()"
    )
    environment = {**os.environ, "STORE_URL": f"sqlite:///{world.database}"}
    died = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, env=environment, capture_output=True, timeout=60
    )
    assert died.returncode == -9, died.stderr
    for target in (lake, undisturbed):
        publish_to(target)
    visible = {name: h for name, h in hashes(lake).items() if not name.endswith(".tmp")}
    assert visible == hashes(undisturbed)
    assert len(visible) == 4
    assert by_duckdb(lake, table) == stored(world.database, table)


def test_a_part_that_fails_is_one_sentence_and_the_others_go_on(filled: Desk) -> None:
    filled.write(KINDS, kinds("1" * 30))
    done = filled.publish()
    assert done.code == 3
    (error,) = [line for line in done.said.splitlines() if line.startswith("error: ")]
    assert "kinds 2024-10: kinds.amount_eur holds a number of more than 20 digits" in error
    assert filled.parts("kinds") == []
    for table in (PLAIN, METERED, UNITS, TRADES):
        assert by_duckdb(filled.lake, table) == stored(filled.database, table)
    assert filled.publish().code == 1  # nothing new, and still not all
    filled.write(KINDS, kinds("1.5"))
    filled.published()
    assert by_duckdb(filled.lake, KINDS) == stored(filled.database, KINDS)


def test_a_place_that_refuses_is_not_asked_for_ever(desk: Desk) -> None:
    rows = [
        (f"{year}-0{month}-05T00:00:00Z", 50.0) for year in range(2000, 2010) for month in (1, 6)
    ]
    desk.write(PLAIN, levels(*rows))
    desk.write(UNITS, units("A"))
    asked = []

    class Refusing(ParquetWarehouse):
        def replace(self, part: Any, file: Path, origin: str) -> None:
            asked.append(part.name)
            raise StoreError("no")

    with desk.store() as store, Refusing(open_folder(str(desk.lake))) as there:
        planned = publishing.plan(store, there, [PLAIN, UNITS])
        publishing.write(store, there, planned, workers=1)
    assert planned[0].failures[0] == "plain 2000-01: no"
    assert planned[0].failures[-1] == "8 parts in a row failed: the rest is left to the next time."
    assert 8 <= len(asked) < 12
    assert planned[1].written == 0


def test_live_and_synthetic_are_not_mixed(filled: Desk, tmp_path: Path) -> None:
    filled.published("plain")
    filled.database.rename(tmp_path / "away.db")
    filled.write(METERED, metered(("11:00", "C", 1.0, "09:00")), synthetic=False)
    before = hashes(filled.lake)
    for words in ((), ("--dry-run",)):
        done = filled.publish(*words)
        assert done.code == 2
        assert "holds synthetic data and grid.db live: the two are never mixed" in done.said
    assert hashes(filled.lake) == before


def test_files_of_others_are_left_alone(filled: Desk) -> None:
    theirs = filled.lake / "plain" / "mine.parquet"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"mine")
    (filled.lake / "notes.txt").write_text("beside the tables anything may stand")
    done = filled.publish()
    assert done.code == 2
    assert (
        "lake/plain holds files that were not published by this program (plain/mine.parquet)"
        in done.said
    )
    assert list(hashes(filled.lake)) == ["notes.txt", "plain/mine.parquet"]
    filled.published("units", "kinds")


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'{"version": 2, "parts": {}}', b'"word"', b"\xff"]
)
def test_a_note_that_is_not_ours(filled: Desk, content: bytes) -> None:
    filled.published()
    (filled.lake / "_gridledger/plain.json").write_bytes(content)
    before = hashes(filled.lake)
    done = filled.publish()
    assert (done.code, "_gridledger/plain.json was not written by this version" in done.said) == (
        2,
        True,
    )
    assert hashes(filled.lake) == before


@pytest.mark.parametrize(
    "to, words, sentence",
    [
        ("lake", (), "--to names no place to publish to"),
        ("parquet://", (), "--to names no place to publish to"),
        ("ftp://there/lake", (), "--to names no place to publish to"),
        ("s3://", (), "--to names no place to publish to"),
        (f"s3://me:{SECRET}@grid/lake", (), "Credentials never stand in an address"),
        ("parquet://lake", ("--staging", "gs://grid/x"), "--staging is for --to bigquery://… only"),
        ("bigquery://project/grid", (), "needs --staging gs://BUCKET/PATH"),
        ("bigquery://project", ("--staging", "gs://grid/x"), "bigquery://PROJECT/DATASET"),
        ("bigquery://project/grid", ("--staging", "s3://grid/x"), "--staging gs://BUCKET/PATH"),
        ("parquet://lake", ("frequenzy",), "there is no dataset or product 'frequenzy'"),
    ],
)
def test_wrong_words(filled: Desk, to: str, words: tuple[str, ...], sentence: str) -> None:
    done = filled.publish(*words, to=to)
    assert (done.code, sentence in done.said) == (2, True), done.said
    assert SECRET not in done.said
    assert "\n" not in done.said


def test_nothing_to_publish(desk: Desk) -> None:
    done = desk.publish()
    assert (done.code, done.said) == (
        2, "(no file yet) holds nothing to publish: fetch something first.",
    )  # fmt: skip
    assert not desk.lake.exists()


def test_one_at_a_time(filled: Desk) -> None:
    entered = []

    class Waiting(ParquetWarehouse):
        def replace(self, part: Any, file: Path, origin: str) -> None:
            with pytest.raises(Locked, match=r"publish to parquet-.*is locked by another run"):
                filled.publish("--workers", "1")
            entered.append(part.name)

    real = publishing.open_warehouse
    publishing.open_warehouse = lambda *_: Waiting(open_folder(str(filled.lake)))  # type: ignore
    try:
        filled.published("units")
    finally:
        publishing.open_warehouse = real
    assert entered == [""]


# --- buckets --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    pytest.importorskip("moto", reason="needs the developers' libraries")
    with s3_server() as settings:
        yield settings


@pytest.fixture(scope="module")
def gcs() -> Iterator[dict[str, str]]:
    pytest.importorskip("gcp_storage_emulator", reason="needs the developers' libraries")
    with gcs_server() as settings:
        yield settings


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_bucket_holds_the_same_files(
    filled: Desk,
    scheme: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    for name, value in request.getfixturevalue({"s3": "s3", "gs": "gcs"}[scheme]).items():
        monkeypatch.setenv(name, value)
    to = f"{scheme}://{BUCKET}/lake"
    there = open_folder(to)

    def hashes_there() -> dict[str, str]:
        return {n: sha256(there.read(n) or b"").hexdigest() for n in there.names()}

    filled.published()
    filled.published(to=to)
    assert hashes_there() == hashes(filled.lake)
    filled.write(PLAIN, levels(("2024-10-31T23:59:45Z", 51.5)))
    filled.write(PLAIN, levels(), replace=parse_range("2024-11-01", "2024-11-01"))
    for target in ("", to):
        filled.published(to=target)
    assert hashes_there() == hashes(filled.lake)
    before = there.names()
    sent = []
    driver = {"s3": "s3fs.S3FileSystem", "gs": "gcsfs.GCSFileSystem"}[scheme]
    for method in ("_put_file", "_pipe_file", "_rm_file"):
        monkeypatch.setattr(f"{driver}.{method}", lambda *a, **_: sent.append(a))
    filled.published(to=to)
    assert (there.names(), sent) == (before, [])


def test_a_bucket_that_cannot_be_used(cli: Cli, s3: dict[str, str]) -> None:
    """By processes of their own: what they print, and that no secret is in it."""
    with storage.open_store(cli.environment["STORE_URL"]) as store:
        write(store, storage.tables()["frequency"], frequency(*TURNS))
    for to, changed, code, sentence in (
        ("s3://nowhere/x", {}, 2, "there is no bucket for s3://nowhere/x: make it"),
        ("s3://grid/x", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, 1, "no server answered"),
    ):
        done = cli("publish", "--to", to, **{**s3, **changed})
        assert (done.returncode, done.stdout) == (code, "")
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert SECRET not in done.stderr
