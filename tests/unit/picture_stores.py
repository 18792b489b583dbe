"""Stores in memory for tests of pictures: rows as they are, the other columns as anything that fits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from domain.settlement import settlement_columns
from stores.sql import SqlStore

NIGHT = datetime(2024, 12, 31, 3, tzinfo=UTC)
_ANYTHING = {
    "float": 0.0, "int": 0, "flag": False, "text": "", "decimal": "0", "time": "2024-01-01T00:00:00Z",
    "date": "2024-01-01",
}  # fmt: skip
_DTYPES = {"time": "datetime64[us, UTC]", "date": "datetime64[s]", "decimal": "str", "text": "str"}


def fill(store: SqlStore, key: str, rows: list[dict[str, Any]]) -> None:
    """Write rows of a dataset or product."""
    table = store.tables[key]
    frame = pd.DataFrame(rows)
    for column in table.columns:
        if column.name not in frame:
            frame[column.name] = None if column.optional else _ANYTHING[column.dtype]
        if column.dtype == "time":
            frame[column.name] = pd.to_datetime(frame[column.name], utc=True)
        if column.dtype in _DTYPES and not (column.optional and frame[column.name].isna().all()):
            frame[column.name] = frame[column.name].astype(_DTYPES[column.dtype])
        if column.dtype == "float":
            frame[column.name] = frame[column.name].astype("float64")
    if "settlement_period" in table.names and "period_start" in table.names:
        for name, values in settlement_columns(frame["period_start"]).items():
            frame[name] = values.to_numpy()
    store.write(
        table,
        frame[list(table.names)].sort_values(list(table.key)),
        known_at=NIGHT,
        synthetic=True,
        entries=lambda changed: [],
    )


def times(start: str, count: int, minutes: int) -> list[str]:
    """So many starts of intervals."""
    first = datetime.fromisoformat(start.replace("Z", "+00:00"))
    return [f"{first + n * timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}" for n in range(count)]
