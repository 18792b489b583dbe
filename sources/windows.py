"""Cutting windows, and holding an answer against the window that was asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from domain.errors import SchemaError
from domain.tables import Conformed, Table
from domain.windows import Window, format_instant

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

NOTHING = timedelta()


def keep_window(
    table: Table,
    rows: Conformed,
    window: Window,
    where: str,
    asked: Window | None = None,
    reach: timedelta = NOTHING,
) -> tuple[Conformed, int]:
    """Drop rows outside the window; returns the rest, and how many lay beyond what was asked.

    ``asked`` is the span in which rows of the answer may lie, where it is wider than the window. With
    a ``reach`` rows are in the window as long as they hold (``resolution_s``), and what else came with
    them is of the same answer. Raises SchemaError where rows came and none lies in it: the provider
    answered another question.
    """
    if table.whole and table.time not in table.whole:
        # A message is kept with all its rows, or those outside would seem to be gone from it.
        return rows, 0
    times = rows.frame[table.time]
    inside = _inside(rows.frame, window, table.time, reach)
    if inside.all():
        return rows, 0
    asked = asked or window
    stray = int(((times < asked.start) | (times > asked.end)).sum())
    if reach:
        stray = 0 if inside.any() else len(times)
    if stray and not ((times >= asked.start) & (times < asked.end)).any():
        raise SchemaError(
            f"{where}: the {stray} rows that came lie between {format_instant(times.min())} and "
            f"{format_instant(times.max())}, outside what was asked; the provider may have renamed "
            "a parameter, and nothing was stored."
        )
    return Conformed(
        rows.frame[inside].reset_index(drop=True),
        rows.older[_inside(rows.older, window, table.time, reach)],
        rows.conflicts,
        rows.unknown,
        rows.strange,
    ), stray


def _inside(
    frame: pd.DataFrame, window: Window, time: str, reach: timedelta
) -> npt.NDArray[np.bool_]:
    """Which rows begin in the window or, with a ``reach``, hold at some moment of it."""
    import pandas as pd

    begin = frame[time]
    if reach:
        end = begin + pd.to_timedelta(frame["resolution_s"], unit="s")
        return ((begin < window.end) & (end > window.start)).to_numpy()
    return ((begin >= window.start) & (begin < window.end)).to_numpy()


def split_window(window: Window, widest: timedelta) -> list[Window]:
    """The window in consecutive pieces of at most ``widest``."""
    starts = []
    at = window.start
    while at < window.end:
        starts.append(at)
        at += widest
    return [Window(at, min(at + widest, window.end)) for at in starts]
