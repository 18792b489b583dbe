"""From days to what a document holds: TimeSeries, their Periods and Points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.entsoe.days import Day, Mask
from sandbox.noise import Floats, Instants


@dataclass
class Period:
    """Points over equal slots from `start` on; a text of None is a Point without a value."""

    start: int
    step_s: int
    slots: int
    positions: list[int]
    texts: list[str | None]


@dataclass
class TimeSeries:
    """A TimeSeries: lines of XML before and after its curve type, and its Periods."""

    before: tuple[str, ...]
    curve_type: str
    after: tuple[str, ...]
    periods: list[Period]


@dataclass
class Stretch:
    """Slots of one resolution one after the other, with what is sent of each curve."""

    starts: Instants
    step_s: int
    values: Floats
    sent: Mask
    fresh: Mask


def stretches(days: list[Day], first: int, end: int, now: int) -> list[Stretch]:
    """Return the slots of days that begin in [first, end), one stretch for each resolution."""
    groups: list[list[Day]] = []
    for day in days:
        if not groups or groups[-1][-1].step_s != day.step_s:
            groups.append([])
        groups[-1].append(day)
    found = []
    for group in groups:
        starts = np.concatenate([day.starts for day in group])
        inside = slice(*np.searchsorted(starts, (first, end)).tolist())
        told = [day.values(now) if day.superseded is None else day.superseded for day in group]
        values = np.concatenate(told, axis=1)[:, inside]
        sent = np.concatenate([day.sent(now) for day in group], axis=1)[:, inside]
        fresh = np.concatenate([day.fresh for day in group], axis=1)[:, inside]
        found.append(Stretch(starts[inside], group[0].step_s, values, sent, fresh))
    return [each for each in found if len(each.starts)]


def again(day: Day, first: int, end: int, now: int) -> Stretch:
    """Return a day that is sent a second time, now with the values in force."""
    inside = slice(*np.searchsorted(day.starts, (first, end)).tolist())
    return Stretch(
        day.starts[inside],
        day.step_s,
        day.values(now)[:, inside],
        day.sent(now)[:, inside],
        day.fresh[:, inside],
    )


def lay_out(
    stretches: list[Stretch], curve: int, like: TimeSeries, *, step_begins: bool
) -> list[TimeSeries]:
    """Return the TimeSeries of a curve, cut where it has gaps and where TimeSeries begin.

    `like` has the lines and the curve type; with `step_begins` a change of resolution begins a
    TimeSeries, otherwise only a Period.
    """
    found: list[TimeSeries] = []
    for stretch in stretches:
        begins = not found or step_begins
        for first, after, fresh in _runs(stretch.sent[curve], stretch.fresh[curve]):
            if begins or fresh:
                found.append(TimeSeries(like.before, like.curve_type, like.after, []))
            begins = False
            values = stretch.values[curve, first:after]
            whole = like.curve_type == "A01"
            start = int(stretch.starts[first])
            found[-1].periods.append(_period(start, stretch.step_s, values, whole=whole))
    return found


def _runs(sent: Mask, fresh: Mask) -> list[tuple[int, int, bool]]:
    """Return the runs of sent slots as (first, slot after, whether a TimeSeries begins)."""
    place = np.flatnonzero(sent)
    if not len(place):
        return []
    cut = np.flatnonzero((np.diff(place) != 1) | fresh[place[1:]]) + 1
    firsts = place[np.concatenate(([0], cut))]
    lasts = place[np.concatenate((cut - 1, [len(place) - 1]))]
    return [
        (first, last + 1, bool(fresh[first]))
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)
    ]


def _period(start: int, step_s: int, values: Floats, *, whole: bool) -> Period:
    if whole:
        kept = np.arange(len(values))
    else:
        # A curve of type A03 holds its value until the next Point, the last until the end.
        same = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
        kept = np.concatenate(([0], np.flatnonzero(~same) + 1))
    return Period(start, step_s, len(values), (kept + 1).tolist(), texts(values[kept]))


def texts(values: NDArray[np.float64]) -> list[str | None]:
    """Return numbers as the platform writes them: no decimals where there are none."""
    written: list[str | None] = [
        text[:-2] if text.endswith(".0") else text for text in map(repr, values.tolist())
    ]
    if np.isnan(values).any():
        written = [None if text == "nan" else text for text in written]
    return written
