"""From days to what a document holds: TimeSeries, their Periods and Points."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sandbox.entsoe.days import Day, Mask
from sandbox.noise import Floats, Instants

RESOLUTIONS = {
    seconds: text
    for text, seconds in (
        ("PT4S", 4), ("PT1M", 60), ("PT15M", 900), ("PT30M", 1_800), ("PT60M", 3_600),
    )
}  # fmt: skip


@dataclass
class Period:
    """Points over equal slots from `start` on; a text of None is a Point without a value.

    `more` are further values of the same Points, each with the name of its element.
    """

    start: int
    end: int
    resolution: str
    positions: list[int]
    texts: list[str | None]
    more: tuple[tuple[str, list[str | None]], ...] = ()


@dataclass
class TimeSeries:
    """A TimeSeries: lines of XML before and after its curve type, and its Periods.

    `tail` are lines that every Point with a value has after it.
    """

    before: tuple[str, ...]
    curve_type: str
    after: tuple[str, ...]
    periods: list[Period]
    tail: tuple[str, ...] = ()


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
    stretches: list[Stretch],
    place: int,
    like: TimeSeries,
    *,
    step_begins: bool,
    fields: tuple[str, ...] = ("",),
) -> list[TimeSeries]:
    """Return the TimeSeries of a curve, cut where it has gaps and where TimeSeries begin.

    `place` is the line of its first value, `fields` name them all. `like` has the lines and the
    curve type; with `step_begins` a change of resolution begins a TimeSeries, otherwise only a Period.
    """
    found: list[TimeSeries] = []
    for stretch in stretches:
        begins = not found or step_begins
        for first, after, fresh in _runs(stretch.sent[place], stretch.fresh[place]):
            if begins or fresh:
                found.append(replace(like, periods=[]))
            begins = False
            values = stretch.values[place : place + len(fields), first:after]
            whole = like.curve_type == "A01"
            start = int(stretch.starts[first])
            found[-1].periods.append(_period(start, stretch.step_s, values, fields, whole=whole))
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


def _period(
    start: int, step_s: int, values: Floats, fields: tuple[str, ...], *, whole: bool
) -> Period:
    count = values.shape[1]
    if whole:
        kept = np.arange(count)
    else:
        # A curve of type A03 holds its values until the next Point, the last until the end.
        now, before = values[:, 1:], values[:, :-1]
        same = ((now == before) | (np.isnan(now) & np.isnan(before))).all(axis=0)
        kept = np.concatenate(([0], np.flatnonzero(~same) + 1))
    written = [texts(line[kept]) for line in values]
    return Period(
        start,
        start + count * step_s,
        RESOLUTIONS[step_s],
        (kept + 1).tolist(),
        written[0],
        tuple(zip(fields[1:], written[1:], strict=True)),
    )


def texts(values: NDArray[np.float64]) -> list[str | None]:
    """Return numbers as the platform writes them: no decimals where there are none."""
    written: list[str | None] = [
        text[:-2] if text.endswith(".0") else text for text in map(repr, values.tolist())
    ]
    if np.isnan(values).any():
        written = [None if text == "nan" else text for text in written]
    return written
