"""The sandbox's own account of the British core group, and stored tables read with sqlite3 and numpy.

None of the project's readers is used here, and days and periods are counted by the sandbox's calendar.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox import Sandbox, calendar

Columns = dict[str, NDArray[Any]]

# Of each table: its columns and what the sandbox calls them.
NAMES: dict[str, dict[str, str]] = {
    "frequency": {"measurement_time": "time", "frequency_hz": "frequency_hz"},
    "wind_solar": {
        "period_start": "start_time",
        "psr_type": "psr_type",
        "generation_mw": "quantity_mw",
        "business_type": "business_type",
        "publish_time": "publish_time",
    },
    "generation_outturn": {
        "period_start": "start_time",
        "fuel_type": "fuel_type",
        "generation_mw": "generation_mw",
        "publish_time": "publish_time",
    },
    "demand_outturn": {
        "period_start": "start_time",
        "national_demand_mw": "indo_mw",
        "transmission_system_demand_mw": "itsdo_mw",
        "publish_time": "publish_time",
    },
    "market_index": {
        "period_start": "start_time",
        "data_provider": "provider",
        "price_gbp_per_mwh": "price_gbp_per_mwh",
        "volume_mwh": "volume_mwh",
    },
    "system_prices": {
        "period_start": "start_time",
        "system_sell_price_gbp_per_mwh": "sell_gbp_per_mwh",
        "system_buy_price_gbp_per_mwh": "buy_gbp_per_mwh",
        "net_imbalance_volume_mwh": "niv_mwh",
        "created_at": "publish_time",
        "bsad_defaulted": "bsad_defaulted",
        "price_derivation_code": "derivation_code",
        "reserve_scarcity_price_gbp_per_mwh": "scarcity_gbp_per_mwh",
        "sell_price_adjustment_gbp_per_mwh": "sell_adjustment_gbp_per_mwh",
        "buy_price_adjustment_gbp_per_mwh": "buy_adjustment_gbp_per_mwh",
        "replacement_price_gbp_per_mwh": "replacement_gbp_per_mwh",
        "replacement_price_volume_mwh": "replacement_mwh",
        "accepted_offers_mwh": "offer_mwh",
        "accepted_bids_mwh": "bid_mwh",
        "adjustment_sell_mwh": "adjustment_sell_mwh",
        "adjustment_buy_mwh": "adjustment_buy_mwh",
        "tagged_offers_mwh": "tagged_offer_mwh",
        "tagged_bids_mwh": "tagged_bid_mwh",
        "tagged_adjustment_sell_mwh": "tagged_adjustment_sell_mwh",
        "tagged_adjustment_buy_mwh": "tagged_adjustment_buy_mwh",
    },
    "carbon_intensity": {
        "period_start": "start_time",
        "forecast_gco2_per_kwh": "forecast_gco2_per_kwh",
        "actual_gco2_per_kwh": "actual_gco2_per_kwh",
        "index": "index",
    },
}
CORE = tuple(NAMES)
# Of frequency, every 15 seconds.
SAMPLES_A_PERIOD = 120


def stored(database: Path, table: str) -> Columns:
    """All rows of a table, or of its history, as numpy columns (times datetime64[s])."""
    names = NAMES[table.removesuffix("_history")]
    listed = ", ".join(f'"{name}"' for name in names)
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        rows = db.execute(f'SELECT {listed} FROM "{table}"').fetchall()
    columns = dict(zip(names, list(zip(*rows, strict=True)) or [()] * len(names), strict=True))
    return {name: _array(name, values) for name, values in columns.items()}


def _array(name: str, values: tuple[Any, ...]) -> NDArray[Any]:
    if name.endswith(("_time", "_start", "_at")):
        return np.array([text.rstrip("Z") for text in values], dtype="datetime64[s]")
    if any(isinstance(value, str) for value in values):
        return np.array(values, dtype=str)
    # NULL is NaN, a flag is 0 or 1.
    return np.array(values, dtype=np.float64)


def true(sandbox: Sandbox, table: str, start: str, end: str, *, every: bool = False) -> Columns:
    """What the sandbox has published by its present (`every`: each publication) in [start, end)."""
    told = (sandbox.history if every else sandbox.truth)(table, start, end)["columns"]
    return {ours: _plain(told[theirs]) for ours, theirs in NAMES[table].items()}


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    return values if values.dtype.kind in "MUO" else values.astype(np.float64)


def rows(columns: Columns) -> list[tuple[Any, ...]]:
    """Rows in order; a value that is not there is None, so that equal rows are equal."""
    lists = [
        [None if value != value else value for value in values.tolist()]
        for values in columns.values()
    ]
    return sorted(zip(*lists, strict=True), key=repr)


def differences(found: Columns, expected: Columns) -> list[str]:
    """Names of the columns that differ, after both were put in the order of all their columns."""
    one, other = _ordered(found), _ordered(expected)
    return [name for name in expected if not _equal(one[name], other[name])]


def _ordered(columns: Columns) -> Columns:
    keys = [values.astype(str) for values in list(columns.values())[:2]]
    order = np.lexsort(keys[::-1])
    return {name: values[order] for name, values in columns.items()}


def _equal(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if one.shape != other.shape:
        return False
    if one.dtype.kind == "f":
        return bool(np.array_equal(one, other, equal_nan=True))
    return bool((one == other).all())


def off_calendar(database: Path, table: str) -> int:
    """Rows whose settlement date or period is not that of their start."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        names = [row[1] for row in db.execute(f"PRAGMA table_info('{table}')")]
        if "settlement_period" not in names:
            return 0
        found = db.execute(
            f'SELECT period_start, settlement_date, settlement_period FROM "{table}"'
        ).fetchall()
    starts = np.array([row[0].rstrip("Z") for row in found], "datetime64[s]").astype(np.int64)
    days = calendar.day_texts(calendar.settlement_day(starts))
    periods = calendar.settlement_period(starts).tolist()
    return sum(
        (day, period) != row[1:] for day, period, row in zip(days, periods, found, strict=True)
    )


def holes(sandbox: Sandbox, table: str, start: str, end: str) -> dict[str, str]:
    """The settlement days in [start, end) of which something is never published, and how much."""
    found = sandbox.holes(table, start, end)["columns"]
    moments = found["time" if table == "frequency" else "start_time"].astype(np.int64)
    days, missing = np.unique(calendar.settlement_day(moments), return_counts=True)
    return {
        calendar.day_text(day): (
            "answered without rows" if count == _cells(sandbox, table, day) else "answered in part"
        )
        for day, count in zip(days.tolist(), missing.tolist(), strict=True)
    }


def _cells(sandbox: Sandbox, table: str, day: int) -> int:
    """How many rows a whole settlement day has: every series at every moment."""
    periods = calendar.periods_in_day(day)
    if table == "frequency":
        return periods * SAMPLES_A_PERIOD
    source = sandbox.answers.grid.get(table)
    kinds = len(source.kinds(day)) if source and hasattr(source, "kinds") else 1  # type: ignore[attr-defined]
    return periods * kinds


def content_hash(database: Path) -> str:
    """One hash over all tables, their histories and what the ledger knows, but not over when."""
    digest = hashlib.sha256()
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        for table in CORE:
            for name in (table, f"{table}_history"):
                listed = ", ".join(
                    f'"{row[1]}"'
                    for row in db.execute(f"PRAGMA table_info('{name}')")
                    if row[1] not in ("retrieved_at", "superseded_at")
                )
                if not listed:
                    continue
                digest.update(name.encode())
                for row in db.execute(f'SELECT {listed} FROM "{name}" ORDER BY {listed}'):
                    digest.update(repr(row).encode())
        facts = "key, scope, day, state, rows, expected, coverage"
        for row in db.execute(f"SELECT {facts} FROM ledger ORDER BY {facts}"):
            digest.update(repr(row).encode())
    return digest.hexdigest()
