"""What every store promises, on SQLite and on a real PostgreSQL: one suite for both.

The tables are read with plain ``sqlite3`` and ``psycopg``, never with the code under test.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import pytest

from domain.errors import StoreBusy, StoreError, StoreMismatch, UsageError
from domain.ledger import Entry, State
from domain.settlement import day_window, parse_range
from domain.tables import Column, Table, conform
from stores.ledger import InputFile
from stores.sql import SqlStore
from tests.integration.conftest import instant, rows_of
from tests.integration.postgres import PostgresServer
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
# A table of messages in several rows, with revisions that tell no time.
OUTAGES = Table(
    "outages",
    (
        Column("message", "text", "", "Which message"),
        Column("period_start", "time", "UTC", "Start of the stretch"),
        Column("left_mw", "float", "MW", "What is left"),
        Column("revision", "int", "", "Its revision"),
    ),
    key=("message", "period_start"),
    time="period_start",
    revision="revision",
    whole=("message",),
)
# A table whose rows say how long they hold.
LASTING = Table(
    "lasting",
    (
        Column("zone", "text", "", "Zone"),
        Column("period_start", "time", "UTC", "Start of the interval"),
        Column("kind", "text", "", "Kind"),
        Column("resolution_s", "int", "s", "Length of the interval"),
        Column("load_mw", "float", "MW", "Mean power"),
    ),
    key=("zone", "period_start", "kind"),
    time="period_start",
    scope="zone",
)
BY_UNIT = replace(METERED, name="by_unit", scope="unit_id")
TABLES = {table.name: table for table in (METERED, PLAIN, OUTAGES, BY_UNIT, LASTING)}


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


# --- where a store may be ----------------------------------------------------------------------


class Place(Protocol):
    """A place for one store, and a look at it that is not ours."""

    url: str

    def open(self, tables: dict[str, Table] | None = None, wait_s: float = 20.0) -> SqlStore:
        """A store object of its own; the first one makes the store."""
        ...

    def rows(
        self, table: str, *, without: tuple[str, ...] = ("retrieved_at", "superseded_at")
    ) -> list[dict[str, Any]]:
        """All rows of a table as dicts, sorted; none where there is no table."""
        ...


class SqlitePlace:
    """A file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"

    def open(self, tables: dict[str, Table] | None = None, wait_s: float = 20.0) -> SqlStore:
        from stores.sqlite import SqliteStore

        return SqliteStore(self.url, self.path, tables or TABLES, busy_wait_s=wait_s)

    def rows(
        self, table: str, *, without: tuple[str, ...] = ("retrieved_at", "superseded_at")
    ) -> list[dict[str, Any]]:
        return rows_of(self.path, table, without=without)


class PostgresPlace:
    """A database of its own on the tests' server."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.url = server.new_database()

    def open(self, tables: dict[str, Table] | None = None, wait_s: float = 20.0) -> SqlStore:
        from stores.postgres import PostgresStore

        store = PostgresStore(self.url, tables or TABLES, busy_wait_s=wait_s)
        store.prepare()
        return store

    def rows(
        self, table: str, *, without: tuple[str, ...] = ("retrieved_at", "superseded_at")
    ) -> list[dict[str, Any]]:
        return postgres_rows(self.url, table, without=without)


def postgres_rows(
    url: str, table: str, *, without: tuple[str, ...] = ("retrieved_at", "superseded_at")
) -> list[dict[str, Any]]:
    """All rows of a table as ``rows_of`` gives those of a file."""
    import psycopg

    with psycopg.connect(url, options="-c TimeZone=UTC") as db:
        found = db.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s "
            "AND table_schema = current_schema() ORDER BY ordinal_position",
            (table,),
        )
        kept = [name for (name,) in found if name not in without]
        if not kept:
            return []
        listed = ", ".join(f'"{name}"' for name in kept)
        order = ", ".join(f'"{name}" NULLS FIRST' for name in kept)
        rows = db.execute(f'SELECT {listed} FROM "{table}" ORDER BY {order}')  # type: ignore
        return [dict(zip(kept, map(_as_text, row), strict=True)) for row in rows]


def _as_text(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, bool):
        return int(value)
    return str(value) if isinstance(value, date | Decimal) else value


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return SqlitePlace(tmp_path / "grid.db")
    return PostgresPlace(request.getfixturevalue("postgres"))


def values(place: Place, table: str = "metered") -> list[tuple[str, str, float, str]]:
    return [
        (row["period_start"][11:16], row["unit_id"], row["output_mw"], row["publish_time"][11:16])
        for row in place.rows(table)
    ]


def with_column(column: Column) -> dict[str, Table]:
    return {"plain": Table("plain", (*PLAIN.columns, column), PLAIN.key, PLAIN.time)}


def test_optional_column_declared_later_is_added(place: Place) -> None:
    with place.open() as store:
        write(store, PLAIN, plain(2))
        write(store, PLAIN, plain(1, 49.9))
    tables = with_column(Column("quality", "text", "", "What the meter says", optional=True))
    table = tables["plain"]
    data = {
        "moment": [f"{DAY}T00:00:15Z", "2024-10-06T00:00:00Z"],
        "level_hz": [50.0, 50.1],
        "quality": ["fine", "fine"],
    }
    with place.open(tables) as store:
        assert write(store, table, conform(table, data, "by hand").frame) == 2
        frame = store.read("plain")
    assert frame["quality"].fillna("-").tolist() == ["-", "fine", "fine"]
    assert [row["quality"] for row in place.rows("plain_history")] == [None, None]
    described = [row["column_name"] for row in place.rows("columns")]
    assert "quality" in described
    with place.open() as store:  # the program of before goes on working
        assert write(store, PLAIN, plain(1, first="2024-10-07T00:00:00Z")) == 1
        assert len(store.read("plain")) == 4


def test_store_of_before_is_read_before_it_is_written(place: Place) -> None:
    """An update that declares a column must not break reading until the first write."""
    with place.open() as store:
        write(store, PLAIN, plain(2))
    tables = with_column(Column("quality", "text", "", "What the meter says", optional=True))
    with place.open(tables) as store:
        frame = store.read("plain")
    assert frame["level_hz"].tolist() == [50.0, 50.0]
    assert frame["quality"].isna().all()


def test_required_column_declared_later_is_refused(place: Place) -> None:
    with place.open() as store:
        write(store, PLAIN, plain(2))
    tables = with_column(Column("quality", "text", "", "What the meter says"))
    data = {"moment": [f"{DAY}T00:00:00Z"], "level_hz": [50.0], "quality": ["fine"]}
    frame = conform(tables["plain"], data, "by hand").frame
    with place.open(tables) as store, pytest.raises(StoreMismatch, match="no column quality"):
        write(store, tables["plain"], frame)
    assert len(place.rows("plain")) == 2


# --- reading -----------------------------------------------------------------------------------


@pytest.fixture
def reading(place: Place) -> Iterator[SqlStore]:
    with place.open() as store:
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


def test_nothing_stored_is_an_empty_frame(place: Place) -> None:
    with place.open() as store:
        frame = store.read("metered", DAY)
        assert len(frame) == 0
        assert list(frame.columns) == [column.name for column in METERED.columns]
        assert str(frame["period_start"].dtype) == "datetime64[us, UTC]"


def test_what_is_not_known_comes_back_unknown(place: Place) -> None:
    data = {
        "moment": [f"{DAY}T00:00:00Z", f"{DAY}T00:00:15Z"],
        "level_hz": [50.0, -0.0],
        "count": [None, 2**53 + 1],
        "day": [None, "2024-10-05"],
    }
    with place.open() as store:
        write(store, PLAIN, conform(PLAIN, data, "by hand").frame)
        frame = store.read("plain")
    assert frame["count"].isna().tolist() == [True, False]
    assert frame["count"][1] == 2**53 + 1
    assert frame["day"].isna().tolist() == [True, False]
    assert place.rows("plain")[1]["day"] == "2024-10-05"


# --- history -----------------------------------------------------------------------------------


def test_newer_version_takes_the_place_and_the_old_goes_to_history(place: Place) -> None:
    with place.open() as store:
        assert write(store, METERED, metered(("10:00", "A", 1.0, "09:00"))) == 1
        later = NIGHT + timedelta(days=1)
        assert write(store, METERED, metered(("10:00", "A", 2.0, "17:00")), later) == 1
    assert values(place) == [("10:00", "A", 2.0, "17:00")]
    assert values(place, "metered_history") == [("10:00", "A", 1.0, "09:00")]
    (row,) = place.rows("metered_history", without=())
    assert row["retrieved_at"] == "2024-10-06T06:00:00Z"
    assert row["superseded_at"] == "2024-10-07T06:00:00Z"
    (row,) = place.rows("metered", without=())
    assert row["retrieved_at"] == "2024-10-07T06:00:00Z"


def test_rows_of_one_scope_meet_its_own_and_no_others(place: Place) -> None:
    old, new = ("10:00", "A", 1.0, "08:00"), ("10:00", "A", 2.0, "09:00")
    other = ("10:00", "B", 5.0, "08:00")
    with place.open() as store:
        assert write(store, BY_UNIT, metered(old)) == 1
        assert write(store, BY_UNIT, metered(other)) == 1
        assert write(store, BY_UNIT, metered(new)) == 1
        assert write(store, BY_UNIT, metered(new, other)) == 0
    assert values(place, "by_unit") == [new, other]
    assert values(place, "by_unit_history") == [old]


def test_older_version_goes_to_history_itself_and_once(place: Place) -> None:
    with place.open() as store:
        write(store, METERED, metered(("10:00", "A", 2.0, "17:00")))
        for days in (1, 2, 3):
            later = NIGHT + timedelta(days=days)
            assert write(store, METERED, metered(("10:00", "A", 1.0, "09:00")), later) == 0
    assert values(place) == [("10:00", "A", 2.0, "17:00")]
    assert values(place, "metered_history") == [("10:00", "A", 1.0, "09:00")]


def test_equal_version_changes_nothing(place: Place) -> None:
    frame = metered(("10:00", "A", 1.0, "09:00"), ("10:30", "A", 1.5, "09:00"))
    with place.open() as store:
        write(store, METERED, frame)
        before = place.rows("metered", without=())
        assert write(store, METERED, frame, NIGHT + timedelta(days=1)) == 0
    assert place.rows("metered", without=()) == before
    assert place.rows("metered_history") == []


def test_tie_goes_to_the_later_arrival_and_nothing_is_lost(place: Place) -> None:
    """The same publish time with another value: the provider corrected itself in silence."""
    with place.open() as store:
        write(store, METERED, metered(("10:00", "A", 2.0, "09:00")))
        assert write(store, METERED, metered(("10:00", "A", 1.0, "09:00"))) == 1
    assert values(place) == [("10:00", "A", 1.0, "09:00")]
    assert values(place, "metered_history") == [("10:00", "A", 2.0, "09:00")]


def test_empty_optional_value_equals_an_empty_one(place: Place) -> None:
    with place.open() as store:
        write(store, METERED, metered(("10:00", "A", 1.0, "09:00")))
        assert write(store, METERED, metered(("10:00", "A", 1.0, "09:00"))) == 0
        said = metered(("10:00", "A", 1.0, "09:00"), remark="estimated")
        assert write(store, METERED, said) == 1
        assert write(store, METERED, said) == 0
    assert [row["remark"] for row in place.rows("metered")] == ["estimated"]
    assert [row["remark"] for row in place.rows("metered_history")] == [None]


def test_without_a_publish_time_the_later_arrival_is_current(place: Place) -> None:
    with place.open() as store:
        write(store, PLAIN, plain(3, 50.0))
        assert write(store, PLAIN, plain(2, 49.9)) == 2
    assert [row["level_hz"] for row in place.rows("plain")] == [49.9, 49.9, 50.0]
    assert [row["level_hz"] for row in place.rows("plain_history")] == [50.0, 50.0]


def test_newer_older_equal_and_new_rows_in_one_answer(place: Place) -> None:
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

    with place.open() as store:
        write(store, METERED, metered(*first))
        assert write(store, METERED, metered(*second), entries=note) == 2
    assert sorted(times) == ["10:00", "11:00"]
    assert values(place) == sorted([second[0], second[1], first[2], first[3], second[3]])
    assert values(place, "metered_history") == sorted([first[0], second[2]])


def test_versions_known_to_be_superseded_are_kept(place: Place) -> None:
    older = metered(("10:00", "A", 1.0, "09:00"))
    with place.open() as store:
        write(store, METERED, metered(("10:00", "A", 2.0, "17:00")), older=older)
        write(store, METERED, metered(("10:00", "A", 2.0, "17:00")), older=older)
    assert values(place) == [("10:00", "A", 2.0, "17:00")]
    assert values(place, "metered_history") == [("10:00", "A", 1.0, "09:00")]


def test_replace_moves_what_the_new_rows_do_not_have(place: Place) -> None:
    window = parse_range(f"{DAY}T10:00Z", f"{DAY}T12:00Z")
    rows = [(f"{hour}:00", "A", float(hour), "09:00") for hour in ("09", "10", "11", "12")]
    with place.open() as store:
        write(store, METERED, metered(*rows))
        changed = write(store, METERED, metered(("10:00", "A", 7.0, "09:00")), replace=window)
        assert changed == 2
        assert values(place) == [rows[0], ("10:00", "A", 7.0, "09:00"), rows[3]]
        assert values(place, "metered_history") == [rows[1], rows[2]]
        # No rows at all for the window empties it.
        assert write(store, METERED, metered()[:0], replace=window) == 1
    assert values(place) == [rows[0], rows[3]]
    assert len(values(place, "metered_history")) == 3


# --- messages in several rows ------------------------------------------------------------------


def outages(message: str, revision: int, **left: float) -> Any:
    """A frame of a message with what is left from which hour on, as ``h10=5.0``."""
    data = {
        "message": [message] * len(left),
        "period_start": [f"{DAY}T{hour[1:]}:00:00Z" for hour in left],
        "left_mw": list(left.values()),
        "revision": [revision] * len(left),
    }
    return conform(OUTAGES, data, "by hand").frame


def stretches(place: Place, table: str = "outages") -> list[tuple[str, str, float, int]]:
    return [
        (row["message"], row["period_start"][11:13], row["left_mw"], row["revision"])
        for row in place.rows(table)
    ]


def test_newer_message_takes_the_place_of_all_rows_of_the_one_before(place: Place) -> None:
    other = ("B", "10", 7.0, 1)
    with place.open() as store:
        write(store, OUTAGES, outages("A", 1, h09=1.0, h10=2.0, h15=3.0))
        write(store, OUTAGES, outages("B", 1, h10=7.0))
        # Of the four rows that change two are gone, at hours that the new one does not touch.
        later = NIGHT + timedelta(days=1)
        changed = write(store, OUTAGES, outages("A", 2, h10=2.0, h11=5.0), later)
        assert changed == 4
        known = store.read_table(OUTAGES, parse_range(DAY), as_of=NIGHT + timedelta(hours=1))
    assert stretches(place) == [("A", "10", 2.0, 2), ("A", "11", 5.0, 2), other]
    before = [("A", "09", 1.0, 1), ("A", "10", 2.0, 1), ("A", "15", 3.0, 1)]
    assert stretches(place, "outages_history") == before
    assert known["left_mw"].tolist() == [1.0, 2.0, 3.0, 7.0]


def test_older_message_goes_to_history_with_rows_of_its_own(place: Place) -> None:
    with place.open() as store:
        write(store, OUTAGES, outages("A", 10, h10=2.0))
        for days in (1, 2):
            later = NIGHT + timedelta(days=days)
            assert write(store, OUTAGES, outages("A", 9, h10=8.0, h12=9.0), later) == 0
    assert stretches(place) == [("A", "10", 2.0, 10)]
    assert stretches(place, "outages_history") == [("A", "10", 8.0, 9), ("A", "12", 9.0, 9)]


def test_equal_message_changes_nothing(place: Place) -> None:
    frame = outages("A", 2, h10=2.0, h11=5.0)
    with place.open() as store:
        assert write(store, OUTAGES, frame) == 2
        assert write(store, OUTAGES, frame, NIGHT + timedelta(days=1)) == 0
    assert place.rows("outages_history") == []


# --- rows that last ----------------------------------------------------------------------------


def lasting(minutes: int, *starts: str, zone: str = "DE_LU", kind: str = "A") -> Any:
    """A frame of intervals of a length, each with that length as its power."""
    data = {
        "zone": [zone] * len(starts),
        "period_start": [f"{DAY}T{start}:00Z" for start in starts],
        "kind": [kind] * len(starts),
        "resolution_s": [60 * minutes] * len(starts),
        "load_mw": [float(minutes)] * len(starts),
    }
    return conform(LASTING, data, "by hand").frame


def intervals(place: Place, table: str = "lasting") -> list[tuple[str, str, str, int]]:
    return [
        (row["zone"], row["kind"], row["period_start"][11:16], row["resolution_s"] // 60)
        for row in place.rows(table)
    ]


def of_the_zone(place: Place) -> list[tuple[str, int]]:
    return [row[2:] for row in intervals(place) if row[:2] == ("DE_LU", "A")]


def answer(store: SqlStore, frame: Any, days: int = 0, table: Table = LASTING) -> int:
    """What the whole day was answered with, some days after the first answer."""
    at = NIGHT + timedelta(days=days)
    return write(store, table, frame, at, asked=parse_range(DAY))


def test_quarter_hours_that_an_hour_replaces_are_no_more(place: Place) -> None:
    quarters = "09:45", "10:00", "10:15", "10:30", "10:45", "11:00", "11:15"
    others = [lasting(15, *quarters, zone="FR"), lasting(15, *quarters, kind="B")]
    with place.open() as store:
        for frame in (lasting(15, *quarters), *others):
            assert answer(store, frame) == 7
        # An hour came new and takes the place of one of four quarter hours; three are gone.
        assert answer(store, lasting(60, "10:00"), 1) == 4
        assert answer(store, lasting(60, "10:00"), 2) == 0
        then = store.read_table(LASTING, parse_range(DAY), {"zone": "DE_LU"}, as_of=NIGHT)
    assert of_the_zone(place) == [("09:45", 15), ("10:00", 60), ("11:00", 15), ("11:15", 15)]
    assert len(intervals(place)) == 4 + 2 * 7
    gone = [("DE_LU", "A", start, 15) for start in ("10:00", "10:15", "10:30", "10:45")]
    assert intervals(place, "lasting_history") == gone
    assert then["load_mw"].tolist() == [15.0] * 14


def test_hours_that_quarter_hours_replace_come_and_go(place: Place) -> None:
    hour, quarters = lasting(60, "10:00"), lasting(15, "10:00", "10:15", "10:30", "10:45")
    with place.open() as store:
        for days, (frame, changed) in enumerate(
            [(hour, 1), (quarters, 4), (hour, 4), (quarters, 4)]
        ):
            assert answer(store, frame, days) == changed
    assert of_the_zone(place) == [("10:00", 15), ("10:15", 15), ("10:30", 15), ("10:45", 15)]


def test_rows_inside_others_of_the_same_answer_stay(place: Place) -> None:
    import pandas as pd

    both = pd.concat([lasting(60, "10:00"), lasting(15, "10:15", "10:30")], ignore_index=True)
    with place.open() as store:
        answer(store, lasting(15, "10:15", "10:45"))
        assert answer(store, both, 1) == 3
        assert answer(store, both, 2) == 0
    assert of_the_zone(place) == [("10:00", 60), ("10:15", 15), ("10:30", 15)]


def test_rows_outside_what_was_asked_stay(place: Place) -> None:
    # A day's row came with the hours of all day; of an hour asked again come its own and the day's.
    import pandas as pd

    hours = [f"{hour:02}:00" for hour in range(1, 24)]
    asked = parse_range(f"{DAY}T10:00:00Z", f"{DAY}T11:00:00Z")
    both = pd.concat([lasting(1440, "00:00"), lasting(60, *hours)], ignore_index=True)
    cut = pd.concat([lasting(1440, "00:00"), lasting(60, "10:00")], ignore_index=True)
    with place.open() as store:
        assert answer(store, both) == 24
        assert write(store, LASTING, cut, NIGHT + timedelta(days=1), asked=asked) == 0
        # The hour asked for is no more.
        day = lasting(1440, "00:00")
        assert write(store, LASTING, day, NIGHT + timedelta(days=2), asked=asked) == 1
    assert of_the_zone(place) == [("00:00", 1440), *((h, 60) for h in hours if h != "10:00")]


def test_row_that_began_later_before_is_ended_by_one_of_its_length(place: Place) -> None:
    with place.open() as store:
        answer(store, lasting(60, "10:30"))
        assert answer(store, lasting(60, "10:00"), 1) == 2
    assert of_the_zone(place) == [("10:00", 60)]


def test_what_tells_rows_apart_within_a_lane_may_change(place: Place) -> None:
    lane = replace(LASTING, lane=("zone",))
    both = [lasting(15, "10:00", kind=kind) for kind in "AB"]
    with place.open({"lasting": lane}) as store:
        for days, (frame, changed) in enumerate([(both[0], 1), (both[1], 2), (both[1], 0)]):
            assert answer(store, frame, days, lane) == changed
    assert intervals(place) == [("DE_LU", "B", "10:00", 15)]
    assert intervals(place, "lasting_history") == [("DE_LU", "A", "10:00", 15)]


def test_what_is_taken_back_is_no_more(place: Place) -> None:
    quarters = "10:00", "10:15", "10:30", "10:45"
    taken = lasting(30, "10:15")[list(LASTING.spans.names)]
    assert list(taken.columns) == ["zone", "period_start", "kind", "resolution_s"]
    with place.open() as store:
        answer(store, lasting(15, *quarters))
        answer(store, lasting(15, *quarters, kind="B"))
        for left, changed in ((("10:00", "10:45"), 2), ((), 0)):
            frame = lasting(15, *left)
            more = {"asked": parse_range(DAY), "taken_back": taken}
            assert write(store, LASTING, frame, NIGHT + timedelta(days=1), **more) == changed
    assert of_the_zone(place) == [("10:00", 15), ("10:45", 15)]
    gone = [("DE_LU", "A", start, 15) for start in ("10:15", "10:30")]
    assert intervals(place, "lasting_history") == gone
    assert len(intervals(place)) == 6


def test_without_a_window_nothing_is_ended(place: Place) -> None:
    with place.open() as store:
        write(store, LASTING, lasting(15, "10:00", "10:15"))
        assert write(store, LASTING, lasting(60, "10:00"), NIGHT + timedelta(days=1)) == 1
    assert of_the_zone(place) == [("10:00", 60), ("10:15", 15)]


def test_seconds_that_rows_share_count_once(place: Place) -> None:
    import pandas as pd

    # Four quarters of which two lie in an hour, an hour apart from them, and two at once.
    frames = [
        lasting(60, "10:00", "12:00"),
        lasting(15, "10:15", "10:45", "11:00", "11:30"),
        lasting(15, "10:00", kind="B"),
        lasting(30, "10:00", zone="FR"),
    ]
    with place.open() as store:
        answer(store, pd.concat(frames, ignore_index=True))
        day = parse_range(DAY)
        each = store.tally(LASTING, day, "DE_LU", series="kind", length="resolution_s")
        both = store.tally(LASTING, day, "DE_LU", length="resolution_s", value="load_mw")
    minutes = {name: (tally.rows, tally.seconds / 60) for name, tally in each.items()}
    assert minutes == {"A": (6, 60 + 60 + 15 + 15), "B": (1, 15)}
    assert (both[""].rows, both[""].seconds / 60) == (7, 150)


# --- all or nothing ----------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [ValueError("a bug"), KeyboardInterrupt()])
def test_write_whose_ledger_fails_leaves_nothing(place: Place, trouble: BaseException) -> None:
    def fail(changed: Any) -> list[Any]:
        assert len(changed) == 1
        raise trouble

    with place.open() as store:
        # The very first write: even the tables are gone again.
        with pytest.raises(type(trouble)):
            write(store, METERED, metered(("10:00", "A", 1.0, "09:00")), entries=fail)
        assert store.origin == ""
        assert place.rows("metered") == []
        assert place.rows("columns") == []
        write(store, METERED, metered(("10:00", "A", 1.0, "09:00")))
        before = place.rows("metered", without=())
        with pytest.raises(type(trouble)):
            write(store, METERED, metered(("10:00", "A", 2.0, "17:00")), entries=fail)
        assert place.rows("metered", without=()) == before
        assert place.rows("metered_history") == []
        assert write(store, METERED, metered(("10:00", "A", 2.0, "17:00"))) == 1


def test_row_that_the_database_refuses_takes_its_window_along(place: Place) -> None:
    frame = metered(("10:00", "A", 1.0, "09:00"), ("10:30", "A", 2.0, "09:00"))
    twice = metered(("10:00", "A", 1.0, "09:00"), ("10:30", "A", 2.0, "09:00"))
    import pandas as pd

    with place.open() as store:
        with pytest.raises(StoreError):
            write(store, METERED, pd.concat([frame, twice], ignore_index=True))
        assert place.rows("metered") == []
        assert write(store, METERED, frame) == 2


def test_store_of_one_origin_refuses_the_other(place: Place) -> None:
    with place.open() as store:
        write(store, METERED, metered(("10:00", "A", 1.0, "09:00")), synthetic=False)
        assert store.origin == "live"
        with pytest.raises(StoreMismatch, match=r"live.*synthetic"):
            write(store, METERED, metered(("10:30", "A", 1.0, "09:00")), synthetic=True)
    assert len(values(place)) == 1


# --- several at once ---------------------------------------------------------------------------


def together(*tasks: Callable[[], Any]) -> list[Any]:
    """Do all of it at the same time; returns what came of each, an error where it was one."""
    barrier = threading.Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return task()
        except Exception as trouble:
            return trouble

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


def test_many_make_one_store_at_the_same_time(place: Place) -> None:
    assert together(*[lambda: place.open().close()] * 4) == [None] * 4
    with place.open() as store:
        assert store.origin == ""


def test_writers_of_different_tables_do_not_wait_for_long_or_lose_anything(place: Place) -> None:
    def write_some(table: Table, frames: list[Any]) -> int:
        with place.open() as store:
            return sum(write(store, table, frame) for frame in frames)

    levels = [plain(100, first=f"2024-10-{day:02}T00:00:00Z") for day in range(5, 15)]
    powers = [metered((f"{hour:02}:00", "A", float(hour), "09:00")) for hour in range(20)]
    found = together(lambda: write_some(PLAIN, levels), lambda: write_some(METERED, powers))
    assert found == [1000, 20]
    assert len(place.rows("plain")) == 1000
    assert len(values(place)) == 20
    assert [row["value"] for row in place.rows("meta") if row["name"] == "origin"] == ["synthetic"]


def test_writers_of_one_table_keep_every_version(place: Place) -> None:
    """Each of them sees what the one before made of a row, and moves it to history."""

    def write_version(level: int) -> int:
        with place.open() as store:
            return write(store, PLAIN, plain(50, 49.0 + level / 100))

    assert together(*[lambda n=n: write_version(n) for n in range(4)]) == [50] * 4
    current = {row["level_hz"] for row in place.rows("plain")}
    assert len(current) == 1
    superseded = place.rows("plain_history")
    assert len(superseded) == 150
    assert current | {row["level_hz"] for row in superseded} == {49.0, 49.01, 49.02, 49.03}


def test_first_writers_of_both_origins_cannot_both_win(place: Place) -> None:
    def first(table: Table, frame: Any, synthetic: bool) -> int:
        with place.open() as store:
            return write(store, table, frame, synthetic=synthetic)

    found = together(
        lambda: first(PLAIN, plain(3), False),
        lambda: first(METERED, metered(("10:00", "A", 1.0, "09:00")), True),
    )
    assert sorted(type(each).__name__ for each in found) == ["StoreMismatch", "int"]
    assert bool(place.rows("plain")) != bool(place.rows("metered"))


def test_reader_sees_what_was_committed_while_a_write_is_under_way(place: Place) -> None:
    with place.open() as store:
        write(store, PLAIN, plain(3))
        seen: list[int] = []

        def look(changed: Any) -> list[Any]:
            seen.append(len(place.rows("plain")))
            return []

        write(store, PLAIN, plain(5, first="2024-10-06T00:00:00Z"), entries=look)
        assert seen == [3]
    assert len(place.rows("plain")) == 8


def test_writer_that_waits_too_long_says_so(place: Place) -> None:
    with place.open() as store, place.open(wait_s=0.3) as hasty:
        write(store, PLAIN, plain(2))
        begin = time.monotonic()

        def meanwhile(changed: Any) -> list[Any]:
            with pytest.raises(StoreBusy, match="stayed locked"):
                write(hasty, PLAIN, plain(2, first="2024-10-06T00:00:00Z"))
            return []

        write(store, PLAIN, plain(2, 49.9), entries=meanwhile)
        assert 0.2 < time.monotonic() - begin < 5.0
        assert write(hasty, PLAIN, plain(2, first="2024-10-06T00:00:00Z")) == 2


def test_key_is_locked_for_others_until_it_is_given_back(place: Place) -> None:
    with place.open() as store, place.open() as other:
        with store.lock("frequency"):
            for one in (store, other):
                with pytest.raises(Locked, match="frequency is locked"), one.lock("frequency"):
                    pass
            with other.lock("wind_solar"):
                pass
        with other.lock("frequency"):
            pass


def test_lock_ends_with_the_store_that_holds_it(place: Place) -> None:
    store = place.open()
    held = store.lock("frequency")
    held.__enter__()
    held.__exit__(None, None, None)
    store.close()
    with place.open() as other, other.lock("frequency"):
        pass


# --- ledger and aggregates ---------------------------------------------------------------------


def entry(day: str, state: State = State.COMPLETE, scope: str = "", **changed: Any) -> Entry:
    at = date.fromisoformat(day)
    first = Entry(
        "metered", scope, at, day_window(at), state, 7, 9, 0.123456789, 3, NIGHT, NIGHT, 2
    )
    return replace(first, **changed)


def test_ledger_comes_back_as_it_was_written_and_in_order(place: Place) -> None:
    written = [
        entry("2024-10-06", scope="a"),
        entry("2024-10-05", State.PARTIAL, scope="B", note='it\'s "odd"\n, truly'),
        entry("2024-10-05", scope="a", inputs="x", published="y"),
    ]
    with place.open() as store:
        store.atomically(lambda: [store.record(each) for each in written])
        found = store.entries("metered")
        assert list(found) == [("B", written[1].day), ("a", written[2].day), ("a", written[0].day)]
        assert set(found.values()) == set(written)
        assert list(store.entries("metered", scope="B").values()) == [written[1]]
        assert store.entries("metered", scope="") == {}
        assert store.known_days("metered") == (date(2024, 10, 5), date(2024, 10, 6))
        assert store.known_days("metered", "B") == (date(2024, 10, 5), date(2024, 10, 5))
        assert store.known_days("plain") is None
        assert store.newest_day_with_rows("metered") == date(2024, 10, 6)
        store.mark_published("metered", {date(2024, 10, 6): "z"})
        again = store.entries("metered", date(2024, 10, 6))
        assert [each.published for each in again.values()] == ["z"]
        assert [row[:4] for row in store.day_states("metered")] == [
            ("B", "2024-10-05", "partial", 7),
            ("a", "2024-10-05", "complete", 7),
            ("a", "2024-10-06", "complete", 7),
        ]
        days = date(2024, 10, 5), date(2024, 10, 6)
        # Of two scopes and two days one is not known; a scope that is named counts, known or not.
        for scopes, shares in (((), 3 / 4), (("a",), 1), (("B",), 1 / 2), (("a", "C"), 1 / 2)):
            told = store.mean_coverage("metered", *days, scopes)
            assert told == pytest.approx(0.123456789 * shares), scopes
        assert store.mean_coverage("metered", days[0], days[0]) == pytest.approx(0.123456789)
        assert store.mean_coverage("metered", *days, ("C",)) is None
        assert store.mean_coverage("plain", *days) is None


def test_each_key_and_scope_is_summed_up(place: Place) -> None:
    later = instant("2024-10-07T06:00:00Z")
    written = [
        entry("2024-10-04", State.EMPTY, scope="a", rows=0),
        entry("2024-10-05", scope="a", inputs="x", published="y"),
        entry("2024-10-06", State.FAILED, scope="a", rows=0, asked_at=later),
        entry("2024-10-05", State.FAILED, scope="B", rows=0),
    ]
    with place.open() as store:
        assert store.standings() == []
        store.atomically(lambda: [store.record(each) for each in written])
        first, second = store.standings()
        assert store.day_states("metered", date(2024, 10, 6))[0][:3] == (
            "a",
            "2024-10-06",
            "failed",
        )
    assert (first.scope, first.rows, first.newest, first.answered_at) == ("B", 0, None, None)
    assert (second.key, second.scope, second.unpublished) == ("metered", "a", 1)
    assert (second.first, second.last) == (date(2024, 10, 4), date(2024, 10, 6))
    assert (second.rows, second.newest) == (7, date(2024, 10, 5))
    assert second.answered_at == NIGHT  # a failure is no answer
    assert {state: days for state, days in second.days.items() if days} == {
        State.EMPTY: 1,
        State.COMPLETE: 1,
        State.FAILED: 1,
    }


def test_the_newest_time_of_a_window(reading: SqlStore) -> None:
    hour = parse_range(f"{DAY}T01:00Z", f"{DAY}T02:00Z")
    assert reading.newest(METERED, hour) == instant(f"{DAY}T01:30:00Z")
    assert reading.newest(METERED, parse_range("2024-10-07")) is None
    assert reading.newest(PLAIN, hour) is None


def test_entry_takes_the_place_of_the_one_before(place: Place) -> None:
    with place.open() as store:
        store.record(entry("2024-10-05", State.PARTIAL))
        store.record(entry("2024-10-05", State.COMPLETE, answers=3))
        assert [(e.state, e.answers) for e in store.entries("metered").values()] == [
            (State.COMPLETE, 3)
        ]


def test_files_that_were_read_and_rows_that_were_rejected(place: Place) -> None:
    file = InputFile("a.csv", "f" * 64, 3_000_000_000, 1_700_000_000_123_456_789, 5)
    with place.open() as store:
        store.note_files("live", [file], {"a.csv": [(3, "no number"), (None, "odd")]}, NIGHT)
        assert store.input_files("live") == {"a.csv": file}
        assert store.rejected_rows("live") == {"a.csv": [(3, "no number"), (None, "odd")]}
        store.note_files("live", [file], {"a.csv": []}, NIGHT)
        assert store.rejected_rows("live") == {}


def test_counts_sums_and_means_of_a_window(reading: SqlStore) -> None:
    whole, hour = parse_range(DAY), parse_range(f"{DAY}T01:00Z", f"{DAY}T02:00Z")
    assert reading.tally(METERED, whole)[""].rows == 132
    by_unit = reading.tally(METERED, hour, series="unit_id", length="output_mw")
    assert {name: (t.rows, t.seconds) for name, t in by_unit.items()} == {
        "A": (2, 20.0),
        "B": (2, 22.0),
        "C": (2, 24.0),
    }
    assert reading.tally(METERED, whole, value="remark") == {}
    assert reading.mean(METERED, "output_mw", hour) == 11.0
    assert reading.mean(METERED, "output_mw", parse_range("2024-10-07")) is None
    size = reading.size(METERED)
    assert (size.rows, size.first, size.last) == (132, f"{DAY}T00:00:00Z", f"{DAY}T21:30:00Z")
    assert reading.size(PLAIN).rows == 0
    assert reading.tally(PLAIN, whole) == {}
    assert reading.mean(PLAIN, "level_hz", whole) is None
    assert reading.size_bytes() > 4096


# A list: no time, and no more in it than it says.
UNITS = Table(
    "units",
    (
        Column("unit_id", "text", "", "Which unit"),
        Column("capacity_mw", "float", "MW", "Capacity", optional=True),
    ),
    key=("unit_id",),
    time="",
)
# --- values of every kind ----------------------------------------------------------------------

KINDS = Table(
    "kinds",
    (
        Column("moment", "time", "UTC", "Moment"),
        Column("name", "text", "", "Text in the order of its bytes"),
        Column("amount_eur", "decimal", "EUR", "An exact amount", optional=True),
        Column("figure", "float", "", "A float", optional=True),
        Column("sure", "flag", "", "Yes or no", optional=True),
        Column("day", "date", "", "A day", optional=True),
        Column("count", "int", "", "A number", optional=True),
        Column("word", "text", "", "Any text", optional=True),
    ),
    key=("moment", "name"),
    time="moment",
)
WORDS = [
    "",
    " ",
    "NULL",
    "\\N",
    "\\.",
    'say "x", y',
    "a\nb\r\n\tc",
    "é 漢 🔌",
    "'; DROP TABLE kinds; --",
]


def kinds() -> Any:
    names = ["Z", "a", "B", "ä", "_", "10", "9", "é", "z"]
    data = {
        "moment": [f"{DAY}T00:00:00Z"] * 9,
        "name": names,
        "amount_eur": ["12.30", "-0.05", "0.00", "100", None, "9" * 30 + ".10", "1.000", "-7", "0"],
        "figure": [0.1, 1e300, 5e-324, -0.1, None, 2.0**53 + 1, 1 / 3, 1e-7, 123456.789],
        "sure": [True, False, None] * 3,
        "day": ["2024-10-05", None, "0001-01-01", "9999-12-31", *["2024-02-29"] * 5],
        "count": [0, -1, 2**62, None, 1, 2, 3, 4, 5],
        "word": WORDS,
    }
    return conform(KINDS, data, "by hand").frame


def test_values_of_every_kind_come_back_as_they_were(place: Place) -> None:
    import pandas as pd

    with place.open({"kinds": KINDS}) as store:
        assert write(store, KINDS, kinds()) == 9
        frame = store.read("kinds")
        pd.testing.assert_frame_equal(frame, kinds())
        assert frame["name"].tolist() == sorted(frame["name"])
        # As history, too, by way of staging and superseding.
        changed = kinds().assign(figure=7.0)
        assert write(store, KINDS, changed, NIGHT + timedelta(days=1)) == 9
        before = store.read("kinds", as_of="2024-10-06T12:00:00Z")
        pd.testing.assert_frame_equal(before, kinds())
        assert write(store, KINDS, changed, NIGHT + timedelta(days=2)) == 0
        found = store.read("kinds", where={"sure": True, "day": date(2024, 10, 5)})
        assert found["name"].tolist() == ["Z"]
        assert store.read("kinds", where={"amount_eur": "12.30"})["name"].tolist() == ["Z"]
        assert store.read("kinds", where={"word": WORDS[4]})["name"].tolist() == ["_"]


# --- as it was known ---------------------------------------------------------------------------


def test_as_of_follows_the_publish_time(place: Place) -> None:
    with place.open() as store:
        write(store, METERED, metered(("10:00", "A", 1.0, "09:00"), ("10:30", "A", 3.0, "09:00")))
        write(store, METERED, metered(("10:00", "A", 2.0, "17:00")), NIGHT + timedelta(days=9))

        def known(moment: str) -> list[float]:
            return list(store.read("metered", as_of=f"2024-10-06T{moment}:00Z")["output_mw"])

        assert known("08:59") == []
        assert known("09:00") == [1.0, 3.0]
        assert known("16:59") == [1.0, 3.0]
        assert known("17:00") == [2.0, 3.0]


def test_an_outdated_row_does_not_come_back_by_its_value(place: Place) -> None:
    """Value and time are asked of what was known at the moment, not of every version before it."""
    with place.open() as store:
        write(store, METERED, metered(("10:00", "A", 1.0, "09:00")))
        write(store, METERED, metered(("10:00", "A", 2.0, "17:00")), NIGHT + timedelta(days=1))

        def having(value: float, moment: str) -> list[float]:
            then = f"2024-10-06T{moment}:00Z"
            known = store.read("metered", where={"output_mw": value}, as_of=then)
            return list(known["output_mw"])

        assert having(1.0, "16:00") == [1.0] and having(2.0, "16:00") == []
        assert having(1.0, "18:00") == [] and having(2.0, "18:00") == [2.0]


def test_as_of_follows_the_arrival_where_nothing_is_published(place: Place) -> None:
    with place.open() as store:
        for days, level in enumerate((50.0, 49.9, 49.8)):
            write(store, PLAIN, plain(2, level), NIGHT + timedelta(days=days))

        def known(day: int) -> list[float]:
            return list(store.read("plain", as_of=f"2024-10-{day:02}T06:00:00Z")["level_hz"])

        assert known(5) == []
        assert known(6) == [50.0, 50.0]
        assert known(7) == [49.9, 49.9]
        assert known(30) == [49.8, 49.8]
