"""How times are kept in SQLite: ISO text keys against integer keys with an ISO view.

Run as ``python -m benchmarks.sqlite_layout``; docs/decisions.md holds the outcome.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import console
from benchmarks import floors

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ROWS, WINDOW_ROWS, REPEATS = 2_102_400, 11_520, 3
FIRST_S, CADENCE_S = 1_704_067_200, 15  # 2024-01-01T00:00:00Z, in steps of 15 s
# The last row, as somebody who looks for the end of the table would.
LAST_ROW = "SELECT * FROM {} ORDER BY 1 DESC LIMIT 1"


@dataclass(frozen=True)
class Layout:
    """A way of keeping instants: the table, how they go in, how they come out, where people look."""

    name: str
    create: str
    stored: Callable[[pa.ChunkedArray], list[Any]]
    retrieved: Any
    arrow_type: str
    looked_at: str


def _seconds(times: pa.ChunkedArray) -> list[int]:
    import pyarrow as pa

    seconds: list[int] = times.cast(pa.timestamp("s")).cast(pa.int64()).to_pylist()
    return seconds


_INTEGER = (
    "CREATE TABLE frequency (measurement_time INTEGER PRIMARY KEY, frequency_hz REAL NOT NULL, "
    "retrieved_at INTEGER NOT NULL)"
)
_VIEW = (
    "CREATE VIEW frequency_iso AS SELECT "
    "strftime('%Y-%m-%dT%H:%M:%SZ', measurement_time, 'unixepoch') AS measurement_time, "
    "frequency_hz, strftime('%Y-%m-%dT%H:%M:%SZ', retrieved_at, 'unixepoch') AS retrieved_at "
    "FROM frequency"
)
LAYOUTS = (
    Layout(
        "text, WITHOUT ROWID",
        floors.TEXT_TABLE,
        floors.iso_texts,
        floors.RETRIEVED,
        "string",
        "frequency",
    ),
    Layout(
        "text, with rowid",
        floors.TEXT_TABLE.removesuffix(" WITHOUT ROWID"),
        floors.iso_texts,
        floors.RETRIEVED,
        "string",
        "frequency",
    ),
    Layout("integer and view", _INTEGER, _seconds, 1_767_225_600, "int64", "frequency_iso"),
)


def main() -> None:
    """Measure each layout in turn, three times over, and print the medians."""
    windows = list(_windows())
    measured: dict[str, list[list[float]]] = {layout.name: [] for layout in LAYOUTS}
    looks: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(REPEATS):
            for layout in LAYOUTS:
                path = Path(folder) / "layout.db"
                measured[layout.name].append(_measure(layout, path, windows))
                looks += _looks(layout, path) if len(measured[layout.name]) == 1 else []
                path.unlink()
    header = ("layout", "insert [s]", "upsert [s]", "read back [s]", "size [MB]")
    medians = [
        [name, *map(statistics.median, zip(*runs, strict=True))] for name, runs in measured.items()
    ]
    console.show(f"{ROWS:,} rows, median of {REPEATS}", header, medians)
    console.say()
    console.show("What a person sees, last row", ("layout", "in", "row"), looks)


def _windows() -> Iterator[pa.Table]:
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(7)
    for at in range(0, ROWS, WINDOW_ROWS):
        steps = np.arange(at, min(at + WINDOW_ROWS, ROWS))
        times = pa.array((FIRST_S + steps * CADENCE_S) * 1_000_000).cast(pa.timestamp("us", "UTC"))
        hertz = np.round(50 + 0.1 * random.standard_normal(steps.size), 3)
        yield pa.table({"measurement_time": times, "frequency_hz": hertz})


def _measure(layout: Layout, path: Path, windows: list[pa.Table]) -> list[float]:
    db = floors.connect(path)
    db.execute(layout.create)
    db.execute(_VIEW)  # of use to the integer layout alone, and free for the others
    upsert = (
        "ON CONFLICT (measurement_time) DO UPDATE SET frequency_hz = excluded.frequency_hz, "
        "retrieved_at = excluded.retrieved_at"
    )
    marks = [time.perf_counter()]
    for after in ("", upsert):
        for window in windows:
            times = layout.stored(window.column("measurement_time"))
            hertz = window.column("frequency_hz").to_pylist()
            retrieved = itertools.repeat(layout.retrieved, len(times))
            floors.load(db, "frequency", zip(times, hertz, retrieved, strict=True), after)
        marks.append(time.perf_counter())
    frame = _read(layout, db)
    marks.append(time.perf_counter())
    assert len(frame) == ROWS and str(frame["measurement_time"].dt.tz) == "UTC"
    db.close()
    took = [after - before for before, after in itertools.pairwise(marks)]
    return [*took, path.stat().st_size / 1e6]


def _read(layout: Layout, db: Any) -> pd.DataFrame:
    import numpy as np
    import pyarrow as pa

    rows = db.execute("SELECT measurement_time, frequency_hz FROM frequency ORDER BY 1")
    cells = np.fromiter(itertools.chain.from_iterable(rows), object)
    times = pa.array(cells[0::2], getattr(pa, layout.arrow_type)())
    if layout.arrow_type == "int64":
        times = times.cast(pa.timestamp("s"))
    hertz = pa.array(cells[1::2], pa.float64())
    utc = times.cast(pa.timestamp("us", "UTC"))
    frame: pd.DataFrame = pa.table({"measurement_time": utc, "frequency_hz": hertz}).to_pandas()
    return frame


def _looks(layout: Layout, path: Path) -> list[list[object]]:
    db = floors.connect(path)
    places = dict.fromkeys(("frequency", layout.looked_at))
    found = [[layout.name, p, str(db.execute(LAST_ROW.format(p)).fetchone())] for p in places]
    db.close()
    return [list(row) for row in found]


if __name__ == "__main__":
    main()
