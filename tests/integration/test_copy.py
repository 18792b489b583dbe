"""``copy``: from store to store and back, stopped in the middle, and where it must not write."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import copying
import storage
from domain.errors import StoreError, StoreMismatch
from stores.sql import SqlStore
from tests.integration.conftest import Cli, World, hashes
from tests.integration.postgres import PASSWORD, PostgresServer
from tests.integration.test_store_contract import (
    KINDS,
    METERED,
    NIGHT,
    PLAIN,
    TABLES,
    PostgresPlace,
    SqlitePlace,
    entry,
    kinds,
    metered,
    plain,
    write,
)

LISTED = {**TABLES, "kinds": KINDS}
EVERYTHING = ("frequency", "wind_solar", "wind_solar_history", "average_power", "ledger", "columns")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "ROWS_A_PIECE", 40)
    monkeypatch.setattr(copying, "SHORTEST_PIECE", timedelta(minutes=1))


@pytest.fixture
def source(tmp_path: Path) -> SqlitePlace:
    place = SqlitePlace(tmp_path / "source.db")
    with place.open(LISTED) as store:
        write(store, PLAIN, plain(300), entries=lambda _: [entry("2024-10-05", key="plain")])
        write(store, PLAIN, plain(50, 49.9), NIGHT + timedelta(days=1))
        for hour, published in (("09", "09:00"), ("10", "17:00"), ("11", "18:00")):
            write(store, METERED, metered((f"{hour}:00", "A", 1.0, published)))
            write(store, METERED, metered(("12:00", "A", float(hour), published)))
        write(store, KINDS, kinds())
        write(store, KINDS, kinds().assign(word=None), NIGHT + timedelta(days=1))
    return place


TABLE_NAMES = ("plain", "plain_history", "metered", "metered_history", "kinds", "kinds_history",
               "ledger", "columns", "meta")  # fmt: skip


def content(place: Any) -> dict[str, list[dict[str, Any]]]:
    return {name: place.rows(name, without=()) for name in TABLE_NAMES}


def copy_all(source: SqlStore, target: SqlStore) -> list[copying.Copied]:
    return [copying.copy_table(source, target, table) for table in (PLAIN, METERED, KINDS)]


def test_there_and_back_again(
    source: SqlitePlace, tmp_path: Path, postgres: PostgresServer
) -> None:
    there, back = PostgresPlace(postgres), SqlitePlace(tmp_path / "back.db")
    with source.open(LISTED) as one, there.open(LISTED) as two, back.open(LISTED) as three:
        first, second = copy_all(one, two), copy_all(two, three)
        again = copy_all(one, three)
    assert content(source) == content(there) == content(back)
    assert [(c.rows, c.history, c.days) for c in first] == [(300, 50, 1), (4, 2, 0), (9, 9, 0)]
    assert first[0].pieces > 8
    assert [c.sha256 for c in first] == [c.sha256 for c in second] == [c.sha256 for c in again]
    assert [c.pieces for c in again] == [0, 0, 0]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_copy_that_was_stopped_goes_on(
    source: SqlitePlace, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    there = (
        SqlitePlace(tmp_path / "there.db")
        if kind == "sqlite"
        else PostgresPlace(request.getfixturevalue("postgres"))
    )
    with source.open(LISTED) as one:
        with there.open(LISTED) as two:
            calls = iter(range(10**6))
            real = two.restore

            def stop_at_the_fifth(*arguments: Any, **more: Any) -> None:
                real(*arguments, **more)
                if next(calls) == 4:
                    raise KeyboardInterrupt

            two.restore = stop_at_the_fifth  # type: ignore[method-assign]
            with pytest.raises(KeyboardInterrupt):
                copying.copy_table(one, two, PLAIN)
        assert 0 < len(there.rows("plain")) < 300
        assert there.rows("ledger") == []  # rows without an entry prove nothing
        write(one, PLAIN, plain(20, 49.8), NIGHT + timedelta(days=2))  # the source goes on, too
        with there.open(LISTED) as two:
            done = copying.copy_table(one, two, PLAIN)
    whole = len(list(_pieces_of(source)))
    assert 0 < done.pieces < whole + 1
    for table in ("plain", "plain_history", "ledger"):
        assert there.rows(table, without=()) == source.rows(table, without=())
    assert [row["name"] for row in there.rows("meta")] == ["origin"]


def _pieces_of(source: SqlitePlace) -> Any:
    from stores.sql import archived

    with source.open(LISTED) as store:
        yield from copying._pieces(store, archived(PLAIN))


def test_rows_of_its_own_are_never_replaced(source: SqlitePlace, tmp_path: Path) -> None:
    there = SqlitePlace(tmp_path / "there.db")
    with source.open(LISTED) as one, there.open(LISTED) as two:
        write(two, PLAIN, plain(3, 49.0))
        before = there.rows("plain", without=())
        with pytest.raises(StoreMismatch, match="not the source's: nothing was replaced"):
            copying.copy_table(one, two, PLAIN)
        assert there.rows("plain", without=()) == before
        copying.copy_table(one, two, METERED)  # another table is free


def test_more_than_the_source_has_is_not_equal(source: SqlitePlace, tmp_path: Path) -> None:
    there = SqlitePlace(tmp_path / "there.db")
    with source.open(LISTED) as one, there.open(LISTED) as two:
        copying.copy_table(one, two, PLAIN)
        write(two, PLAIN, plain(1, first="2024-11-01T00:00:00Z"))
        with pytest.raises(StoreMismatch, match="not the source's"):
            copying.copy_table(one, two, PLAIN)


def test_target_that_spoils_a_value_is_noticed(source: SqlitePlace, tmp_path: Path) -> None:
    there = SqlitePlace(tmp_path / "there.db")
    with source.open(LISTED) as one, there.open(LISTED) as two:
        real = two.restore

        def spoilt(table: Any, window: Any, current: Any, history: Any, **more: Any) -> None:
            current.loc[len(current) - 1, "level_hz"] += 1e-9
            real(table, window, current, history, **more)

        two.restore = spoilt  # type: ignore[method-assign]
        with pytest.raises(StoreError, match="not equal in both stores"):
            copying.copy_table(one, two, PLAIN)
    assert there.rows("ledger") == []


def test_origins_are_not_mixed(source: SqlitePlace, tmp_path: Path) -> None:
    there = SqlitePlace(tmp_path / "there.db")
    with source.open(LISTED) as one, there.open(LISTED) as two:
        write(two, METERED, metered(("10:00", "A", 1.0, "09:00")), synthetic=False)
        with pytest.raises(StoreMismatch, match="live data and the answer is synthetic"):
            copying.copy_table(one, two, PLAIN)


def test_command_and_the_run_that_goes_on_there(
    world: World, cli: Cli, postgres: PostgresServer, tmp_path: Path
) -> None:
    url, back = postgres.new_database(), f"sqlite:///{tmp_path / 'back.db'}"
    ours = world.overrides["STORE_URL"]
    world.run("2024-10-20", now="2024-10-21T06:00:00Z")
    world.run("2024-10-20", now="2024-10-22T06:00:00Z")
    done = cli("copy", "--from", ours, "--to", url)
    assert done.returncode == 0, done.stderr
    assert "5760" in done.stdout
    assert cli("copy", "--from", url, "--to", back).returncode == 0
    with storage.open_store(ours) as one, storage.open_store(back) as two:
        for table in EVERYTHING:
            rows = [s.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for s in (one, two)]
            assert rows[0] == rows[1], table
    # The copy proves what it holds: nothing is asked again, nothing is computed or published anew.
    before = hashes(world.output)
    world.asked()
    world.overrides["STORE_URL"] = url
    report = world.run("2024-10-20", now="2024-10-22T06:30:00Z")
    assert world.asked() == []
    assert (report.exit_code, [part.computed for part in report.processed]) == (0, [0, 0])
    assert hashes(world.output) == before
    some = cli("copy", "--from", ours, "--to", f"sqlite:///{tmp_path / 'some.db'}", "FREQ")
    assert some.returncode == 0
    assert "wind_solar" not in some.stdout
    assert PASSWORD not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--from", "sqlite:///{0}/no.db", "--to", "sqlite:///{0}/b.db"), 2, "nothing to copy"),
        (("--from", "sqlite:///{0}/a.db", "--to", "sqlite:///{0}/a.db"), 2, "the same store"),
        (("--from", "mysql://u:hunter2@h/db", "--to", "sqlite:///{0}/b.db"), 2, "must look like"),
        (("--from", "sqlite:///{0}/a.db"), 2, "--to"),
        (("--from", "postgresql://u:hunter2@127.0.0.1:9/d", "--to", "sqlite:///{0}/b.db"), 1, "reached"),
    ],
)  # fmt: skip
def test_what_cannot_be_copied(
    offline: Cli, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    if "127.0.0.1:9" in words[1]:
        pytest.importorskip("psycopg")
    done = offline("copy", *(word.format(tmp_path) for word in words))
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "hunter2" not in done.stderr
    assert not (tmp_path / "b.db").exists()
