"""The floors of the frequency path, and the way most scripts take it."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

Params = dict[str, str]
RETRIEVED = "2026-01-01T00:00:00Z"
PRAGMAS = ("temp_store = MEMORY", "synchronous = NORMAL", "journal_mode = WAL")
TEXT_TABLE = (
    "CREATE TABLE frequency (measurement_time TEXT NOT NULL PRIMARY KEY, "
    "frequency_hz REAL NOT NULL, retrieved_at TEXT NOT NULL) WITHOUT ROWID"
)
ROWS_A_STATEMENT = 100


def download(url: str, params: Iterable[Params]) -> list[bytes]:
    """Bytes alone: one session, nothing parsed."""
    import requests

    with requests.Session() as session:
        return [session.get(url, params=p, timeout=60).content for p in params]


def to_arrays(bodies: Iterable[bytes]) -> list[pa.Table]:
    """JSON into typed arrays: a typed decoder and an Arrow cast."""
    import msgspec
    import pyarrow as pa

    fields = [("measurementTime", str), ("frequency", float)]
    row = msgspec.defstruct("Row", fields, gc=False)
    decode = msgspec.json.Decoder(list[row]).decode  # type: ignore[valid-type]
    tables = []
    for body in bodies:
        rows: list[Any] = decode(body)
        times = pa.array([r.measurementTime for r in rows], pa.string())
        hertz = pa.array([r.frequency for r in rows], pa.float64())
        utc = times.cast(pa.timestamp("us", "UTC"))
        tables.append(pa.table({"measurement_time": utc, "frequency_hz": hertz}))
    return tables


def iso_texts(times: pa.ChunkedArray) -> list[str]:
    """UTC timestamps as ISO text; without their zone Arrow formats them many times faster."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = times.cast(pa.timestamp("s")).cast(pa.string())
    text = pc.binary_join_element_wise(pc.binary_replace_slice(text, 10, 11, "T"), "Z", "")
    texts: list[str] = text.to_pylist()
    return texts


def connect(path: Path) -> sqlite3.Connection:
    """A file with the pragmas that the store uses."""
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in PRAGMAS:
        db.execute(f"PRAGMA {pragma}")
    return db


def insert(path: Path, tables: Iterable[pa.Table]) -> None:
    """Rows into the layout of the store, a transaction a window, many rows a statement."""
    path.unlink(missing_ok=True)
    db = connect(path)
    db.execute(TEXT_TABLE)
    for table in tables:
        times = iso_texts(table.column("measurement_time"))
        hertz = table.column("frequency_hz").to_pylist()
        load(db, "frequency", zip(times, hertz, itertools.repeat(RETRIEVED), strict=False))
    db.close()


def load(
    db: sqlite3.Connection, table: str, rows: Iterable[Sequence[Any]], after: str = ""
) -> None:
    """Insert rows in one transaction; ``after`` is what follows the values."""
    rows = iter(rows)
    db.execute("BEGIN IMMEDIATE")
    while batch := list(itertools.islice(rows, ROWS_A_STATEMENT)):
        one = f"({', '.join('?' * len(batch[0]))})"
        values = ", ".join([one] * len(batch))
        flat = list(itertools.chain.from_iterable(batch))
        db.execute(f"INSERT INTO {table} VALUES {values} {after}", flat)
    db.execute("COMMIT")


def read_back(path: Path, spans: Iterable[tuple[str, str]]) -> Iterator[pa.Table]:
    """Rows of each span of text times as Arrow columns with UTC times."""
    import numpy as np
    import pyarrow as pa

    db = connect(path)
    for span in spans:
        rows = db.execute(
            "SELECT measurement_time, frequency_hz FROM frequency "
            "WHERE measurement_time >= ? AND measurement_time < ? ORDER BY measurement_time",
            span,
        )
        cells = np.fromiter(itertools.chain.from_iterable(rows), object)
        times = pa.array(cells[0::2], pa.string()).cast(pa.timestamp("us", "UTC"))
        hertz = pa.array(cells[1::2], pa.float64())
        yield pa.table({"measurement_time": times, "frequency_hz": hertz})
    db.close()


def half_hour_means(times_us: npt.NDArray[Any], hertz: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Droop of 1 MW and its mean per half hour, on whole arrays."""
    import numpy as np

    power = np.clip((50.0 - hertz) / 0.5, -1.0, 1.0)
    periods = times_us // 1_800_000_000
    starts = np.flatnonzero(np.diff(periods, prepend=periods[0] - 1))
    counts = np.diff(starts, append=periods.size)
    means: npt.NDArray[Any] = np.add.reduceat(power, starts) / counts
    return means


def write_csv(folder: Path, days: Iterable[tuple[str, pa.Table]]) -> None:
    """A file a day, by Arrow's writer."""
    import pyarrow.csv as csv

    for name, table in days:
        (folder / name).mkdir(parents=True, exist_ok=True)
        csv.write_csv(table, folder / name / "average_power.csv")


def naive(url: str, params: Iterable[Params], folder: Path) -> int:
    """The common way: a DataFrame from dicts, to_sql, a function per row, to_csv. Returns rows."""
    import pandas as pd
    import requests

    def droop(hertz: float) -> float:
        return max(-1.0, min(1.0, (50.0 - hertz) / 0.5))

    folder.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(folder / "naive.db")
    rows = 0
    for p in params:
        frame = pd.DataFrame(requests.get(url, params=p, timeout=60).json())
        frame["measurementTime"] = pd.to_datetime(frame["measurementTime"])
        frame.to_sql("frequency", db, if_exists="append", index=False)
        rows += len(frame)
    stored = pd.read_sql("SELECT * FROM frequency", db, parse_dates=["measurementTime"])
    stored = stored.drop_duplicates("measurementTime").sort_values("measurementTime")
    stored["power"] = stored["frequency"].apply(droop)
    means = stored.set_index("measurementTime")["power"].resample("30min").mean().to_frame()
    means.to_sql("average_power", db, if_exists="replace")
    for day, of_day in means.groupby(means.index.date):  # type: ignore[attr-defined]
        of_day.to_csv(folder / f"{day}.csv")
    db.close()
    return rows
