"""Holding an answer against the window that was asked for."""

from __future__ import annotations

from typing import Any

from domain.errors import SchemaError
from domain.tables import Conformed, Table
from domain.windows import Window, format_instant


def keep_window(table: Table, rows: Conformed, window: Window, where: str) -> tuple[Conformed, int]:
    """Drop rows outside the window; returns the rest and how many were dropped.

    Raises SchemaError where rows came and none lies inside: the provider answered another question.
    """
    times = rows.frame[table.time]
    inside = ((times >= window.start) & (times < window.end)).to_numpy()
    stray = int((~inside).sum())
    if not stray:
        return rows, 0
    if not inside.any() and not _touches_ends(times, window):
        raise SchemaError(
            f"{where}: the {stray} rows that came lie between {format_instant(times.min())} and "
            f"{format_instant(times.max())}, outside what was asked; the provider may have renamed "
            "a parameter, and nothing was stored."
        )
    older = rows.older[table.time]
    return Conformed(
        rows.frame[inside].reset_index(drop=True),
        rows.older[((older >= window.start) & (older < window.end)).to_numpy()],
        rows.conflicts,
        rows.unknown,
    ), stray


def _touches_ends(times: Any, window: Window) -> bool:
    """Whether all rows lie exactly on the window's ends, which inclusive ends explain."""
    return bool(times.isin([window.start, window.end]).all())
