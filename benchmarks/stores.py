"""Rows a second into each store: an empty table, the same rows again, every row revised.

Run as ``python -m benchmarks.stores [--rows N] [--write]``; it needs the developers' libraries and the
driver, and starts a PostgreSQL of its own with everything as it comes but a port.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import console
from benchmarks.measure import printed_by, record
from storage import open_store, tables

if TYPE_CHECKING:
    import pandas as pd

    from stores.sql import SqlStore

# What one request brings: 28 days of samples every 15 s.
WINDOW_ROWS = 28 * 5760
FIRST, NIGHT = datetime(2020, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
# Too slow for all of them.
EXECUTEMANY_ROWS = 200_000
TABLE = tables()["frequency"]
AIM = 200_000


def main() -> None:
    """Fill both stores three times over, and print rows a second."""
    from tests.integration.postgres import postgres_server

    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--write", action="store_true", help="put the figures into docs/")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, postgres_server(fsync="on") as server:
        urls = {
            "SQLite": f"sqlite:///{Path(folder) / 'grid.db'}",
            "PostgreSQL": server.new_database(),
        }
        rows: list[list[object]] = []
        for name, url in urls.items():
            rows += [[name, *line] for line in _measure(url, asked.rows)]
        floor = server.new_database()
        rows += [
            ["PostgreSQL", "COPY alone", *_alone(_copy, floor, asked.rows)],
            ["PostgreSQL", "executemany alone", *_alone(_executemany, floor, EXECUTEMANY_ROWS)],
            ["SQLite", "executemany alone", *_alone(_sqlite, str(Path(folder) / "floor.db"), asked.rows)],
        ]  # fmt: skip
    header = ("store", "what", "rows", "seconds", "rows/s")
    printed = printed_by(lambda: _show(header, rows))
    if asked.write:
        record("stores", printed)


def _show(header: tuple[str, ...], rows: list[list[object]]) -> None:
    console.show("Rows into each store, windows of 28 days", header, rows)
    again = next(row for row in rows if row[:2] == ["PostgreSQL", "the same rows again"])
    met = "met" if isinstance(again[4], int) and again[4] >= AIM else "NOT met"
    console.say(f"Aim: {AIM:,} rows/s into PostgreSQL with full overlap: {met}")


def _measure(url: str, count: int) -> Iterator[list[object]]:
    with open_store(url) as store:
        for what, revised, night in (
            ("an empty table", 0.0, NIGHT),
            ("the same rows again", 0.0, NIGHT + timedelta(days=1)),
            ("every row revised", 0.001, NIGHT + timedelta(days=2)),
        ):
            taken = sum(_write(store, frame, night) for frame in _windows(count, revised))
            yield [what, count, round(taken, 1), round(count / taken)]
        assert len(store.read_table(TABLE, columns=[TABLE.time])) == count


def _write(store: SqlStore, frame: pd.DataFrame, night: datetime) -> float:
    begin = time.perf_counter()
    store.write(TABLE, frame, known_at=night, synthetic=True, entries=lambda changed: [])
    return time.perf_counter() - begin


def _windows(count: int, revised: float = 0.0) -> Iterator[pd.DataFrame]:
    """Frames as ``conform`` leaves them."""
    import numpy as np
    import pandas as pd

    hertz = np.round(50 + 0.1 * np.random.default_rng(7).standard_normal(count), 3) + revised
    first = np.datetime64(FIRST.replace(tzinfo=None), "us")
    for at in range(0, count, WINDOW_ROWS):
        steps = np.arange(at, min(at + WINDOW_ROWS, count))
        times = pd.Series(first + steps * np.timedelta64(15_000_000, "us")).dt.tz_localize("UTC")
        yield pd.DataFrame({TABLE.names[0]: times, TABLE.names[1]: hertz[steps]})


def _alone(load: Callable[[str, list[Any]], float], place: str, count: int) -> list[object]:
    """Seconds of rows that are ready to send, into a bare table with the same key."""
    taken = load(place, list(_windows(count)))
    return [count, round(taken, 1), round(count / taken)]


_BARE = "CREATE TABLE {} (t {} PRIMARY KEY, hz DOUBLE PRECISION NOT NULL, retrieved_at {} NOT NULL)"


def _copy(url: str, frames: list[pd.DataFrame]) -> float:
    import psycopg

    from stores.copy_text import to_csv

    ready = [to_csv(TABLE, frame, "2025-01-01T00:00:00Z") for frame in frames]
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(_BARE.format("copied", "TIMESTAMPTZ", "TIMESTAMPTZ"))
        begin = time.perf_counter()
        for content in ready:
            with db.cursor().copy("COPY copied FROM STDIN (FORMAT csv)") as copy:
                copy.write(content)
        return time.perf_counter() - begin


def _executemany(url: str, frames: list[pd.DataFrame]) -> float:
    import psycopg

    with psycopg.connect(url, autocommit=True) as db:
        db.execute(_BARE.format("inserted", "TIMESTAMPTZ", "TIMESTAMPTZ"))
        ready = [_tuples(frame, text=False) for frame in frames]
        begin = time.perf_counter()
        for rows in ready:
            with db.transaction():
                db.cursor().executemany("INSERT INTO inserted VALUES (%s, %s, %s)", rows)
        return time.perf_counter() - begin


def _sqlite(path: str, frames: list[pd.DataFrame]) -> float:
    import sqlite3

    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute(_BARE.format("inserted", "TEXT", "TEXT") + " WITHOUT ROWID")
    ready = [_tuples(frame, text=True) for frame in frames]
    begin = time.perf_counter()
    for rows in ready:
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO inserted VALUES (?, ?, ?)", rows)
        db.execute("COMMIT")
    taken = time.perf_counter() - begin
    db.close()
    return taken


def _tuples(frame: pd.DataFrame, *, text: bool) -> list[tuple[Any, ...]]:
    times = frame[TABLE.names[0]]
    values = times.dt.strftime("%Y-%m-%dT%H:%M:%SZ") if text else times.dt.to_pydatetime()
    now = "2025-01-01T00:00:00Z" if text else NIGHT
    return [(t, hz, now) for t, hz in zip(values, frame[TABLE.names[1]].tolist(), strict=True)]


if __name__ == "__main__":
    main()
