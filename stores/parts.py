"""Which parts a stored table has, what stands for the rows of each, and the rows as a Parquet file.

A part's fingerprint comes from the rows themselves: how many there are, how many versions of them went to
history, when the last of these did, and when the rows at both ends of the part were received. A row that
comes, changes or goes moves one of the two counts; the moments tell a store that was filled anew, or brought
back from a backup, from the one before. A copy in another store has the same fingerprints.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.settlement import month_window, settlement_date
from domain.tables import Table
from domain.windows import Window, format_instant, parse_instant
from stores.files import DECIMAL, write_parquet
from stores.sql import SqlStore
from stores.upsert import RETRIEVED, SUPERSEDED, history_of, quoted
from stores.warehouse import Part

if TYPE_CHECKING:
    import pandas as pd

# Grows when the same rows are to be written in another way.
FORMAT = 1
ROWS_A_PIECE = 200_000
HOUR = timedelta(hours=1)


def parts_of(store: SqlStore, table: Table) -> list[Part]:
    """The parts that hold rows, in order; see the module's head."""
    if not store.columns_of(table.name):
        return []
    months = _months(store, table)
    came = [_came(store, table, month) for month in months]
    went = _went(store, table, months)
    parts = []
    for month, current, history in zip(months, came, went, strict=True):
        if not current[0]:
            continue
        day = settlement_date(month.start) if month else date.min
        text = json.dumps([_layout(table), current, history])
        fingerprint = hashlib.sha256(text.encode()).hexdigest()[:16]
        parts.append(Part(table, day.year, day.month, month, current[0], fingerprint))
    return parts


def _months(store: SqlStore, table: Table) -> list[Window] | list[None]:
    """The settlement months from the table's first row to its last; None for a list without times."""
    if not table.time:
        return [None]
    name, time = quoted(table.name), quoted(table.time)
    ((first, last),) = store.execute(  # asked at once, both would be looked for in every row
        f"SELECT (SELECT min({time}) FROM {name}), (SELECT max({time}) FROM {name})"
    )
    if first is None:
        return []
    months = [month_window(settlement_date(parse_instant(first)))]
    while months[-1].end <= parse_instant(last):
        months.append(month_window(settlement_date(months[-1].end)))
    return months


def _came(store: SqlStore, table: Table, month: Window | None) -> tuple[int, str]:
    """Rows of a month, and when the newest of those at its two ends was received.

    Of all of them would be to look at every row, where counts and ends are read from an index.
    """
    name, time = quoted(table.name), quoted(table.time)
    if month is None:
        ((rows, newest),) = store.execute(f"SELECT count(*), max({RETRIEVED}) FROM {name}")
        return rows, newest or ""
    ((rows, *ends),) = store.execute(
        f"SELECT count(*), min({time}), max({time}) FROM {name} WHERE {time} >= ? AND {time} < ?",
        (format_instant(month.start), format_instant(month.end)),
    )
    ((newest,),) = store.execute(
        f"SELECT max({RETRIEVED}) FROM {name} WHERE {time} IN (?, ?)", ends
    )
    return rows, newest or ""


def _went(
    store: SqlStore, table: Table, months: list[Window] | list[None]
) -> list[tuple[int, str]]:
    """For each month the versions in history, and when the last of them went there."""
    counted = f"count(*), max({SUPERSEDED}) FROM {quoted(history_of(table))}"
    if not table.time:
        ((versions, last),) = store.execute(f"SELECT {counted}")
        return [(versions, last or "")]
    # History need not be in the order of time: it is gone through once. A month begins with an hour.
    starts = [format_instant(month.start)[:13] for month in months if month]
    went = [(0, "")] * len(starts)
    for hour, versions, last in store.execute(
        f"SELECT substr(CAST({quoted(table.time)} AS TEXT), 1, 13), {counted} GROUP BY 1"
    ):
        n = bisect_right(starts, hour.replace(" ", "T")) - 1
        if n >= 0:  # history may be older than any row that is there
            went[n] = went[n][0] + versions, max(went[n][1], last)
    return went


def _layout(table: Table) -> list[Any]:
    columns = [(c.name, c.dtype, c.unit, c.optional) for c in table.columns]
    return [FORMAT, DECIMAL, table.key, table.time, columns]


def write_part(store: SqlStore, part: Part, file: Path) -> None:
    """Write a part's rows to a Parquet file: sorted by key, a large part in consecutive spans of time."""
    facts = {"gridledger_origin": store.origin}
    write_parquet(part.table, _rows(store, part), file, facts)


def _rows(store: SqlStore, part: Part) -> Iterator[pd.DataFrame]:
    pieces = -(-part.rows // ROWS_A_PIECE)
    if part.window is None or pieces == 1:
        yield store.read_table(part.table, part.window)
        return
    for window in part.window.pieces(part.window.length // pieces // HOUR * HOUR or HOUR):
        yield store.read_table(part.table, window)
