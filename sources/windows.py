"""Cutting windows, and holding an answer against the window that was asked for."""

from __future__ import annotations

from datetime import timedelta

from domain.errors import SchemaError
from domain.tables import Conformed, Table
from domain.windows import Window, format_instant


def keep_window(
    table: Table, rows: Conformed, window: Window, where: str, asked: Window | None = None
) -> tuple[Conformed, int]:
    """Drop rows outside the window; returns the rest, and how many lay beyond what was asked.

    ``asked`` is the span in which rows of the answer may lie, where it is wider than the window.
    Raises SchemaError where rows came and none lies in it: the provider answered another question.
    """
    times = rows.frame[table.time]
    inside = ((times >= window.start) & (times < window.end)).to_numpy()
    if inside.all():
        return rows, 0
    asked = asked or window
    stray = int(((times < asked.start) | (times > asked.end)).sum())
    if stray and not ((times >= asked.start) & (times < asked.end)).any():
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
        rows.strange,
    ), stray


def split_window(window: Window, widest: timedelta) -> list[Window]:
    """The window in consecutive pieces of at most ``widest``."""
    starts = []
    at = window.start
    while at < window.end:
        starts.append(at)
        at += widest
    return [Window(at, min(at + widest, window.end)) for at in starts]
