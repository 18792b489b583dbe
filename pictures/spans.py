"""Series that are known by name, as spans of time: as they are stored, or in buckets where they are many.

Who knows which zone, price or asset to show reads it here in one pass over the rows; ``pictures.rows``
finds out by itself which series of a table make a picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from domain.settlement import (
    LONDON,
    ONE_DAY,
    PERIOD,
    day_window,
    days_in,
)
from domain.tables import Column, Table
from domain.windows import Window
from pictures.kinds import axis_label
from pictures.picture import (
    Band,
    Bars,
    Dash,
    Line,
    Mark,
    Panel,
    Picture,
    Shade,
    instants,
    runs,
    stacked,
    stairs,
)
from pictures.rows import MOST_POINTS, buckets_of
from pictures.subjects import attribution, subject_of
from pictures.words import lasting, percent, words
from stores.filtering import Condition
from stores.looking import BUCKET_END, BUCKET_START, MOST_ROWS, ROWS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from stores.sql import SqlStore

    Floats = npt.NDArray[np.float64]

# Of more series than so many the subtitle says how far their coverage goes apart.
MOST_NAMED = 4


@dataclass(frozen=True)
class Spans:
    """Rows of one table in a window.

    ``frame`` has ``start`` and ``end`` (``datetime64[us]``, UTC), the columns that tell series apart and
    the chosen ones; in buckets they are means, beside ``<column>_min``, ``<column>_max`` and ``rows``.
    ``length`` is how long a stored row holds, ``bucket`` how long a bucket is. ``scopes`` are those of the
    ledger whose coverage counts; empty is all of them. ``known`` is the share of the window, 0 to 1, of
    which the first of the chosen columns is known, where the ledger does not tell these rows from others.
    """

    key: str
    table: Table
    window: Window
    frame: pd.DataFrame
    length: timedelta
    bucket: timedelta | None
    clock: tzinfo
    scopes: tuple[str, ...]
    known: float | None

    def of(self, **values: Any) -> Spans:
        """The rows that have these values."""
        import numpy as np

        fits = np.ones(len(self.frame), dtype=bool)
        for name, value in values.items():
            fits &= (self.frame[name] == value).to_numpy()
        return replace(self, frame=self.frame[fits])

    def label(self, name: str, called: str = "", unit: str = "") -> str:
        """What stands at the axis of a column; the unit is the declared one unless rows say it."""
        column = self.table.column(name)
        return axis_label(called or words(name, column.unit), unit or column.unit)


def read_spans(
    store: SqlStore,
    key: str,
    columns: Sequence[str],
    window: Window,
    where: Mapping[str, Any] | None = None,
    by: Sequence[str] = (),
    clock: tzinfo = LONDON,
    filters: Sequence[Condition] = (),
) -> Spans | None:
    """Rows of a dataset or product whose series ``where`` and ``by`` name; None where there are none.

    More than ``MOST_POINTS`` of them a series come in buckets of hours or, by ``clock``, of days.
    """
    table = store.tables[key]
    held = store.extent(table, where, filters, window)
    if held is None:
        return None
    newest = Window(held.end - timedelta(seconds=1), held.end)
    length = _length(store, table, newest, where)
    edges, bucket = None, None
    if window.length / length > MOST_POINTS:
        edges, bucket = buckets_of(window, length, clock=clock)
    scope = (where or {}).get(table.scope) if table.scope else None
    scopes = tuple(scope) if isinstance(scope, list) else (scope,) if scope else ()
    narrowed = bool(where) and not scopes
    covered = ["coverage"] if narrowed and "coverage" in table.names else []
    names = [table.column(name) for name in dict.fromkeys([*columns, *covered])]
    if bucket:
        frame = _in_buckets(store, table, names, window, where, filters, edges, by)
    else:
        frame = _as_rows(store, table, names, window, where, filters, by, length, clock)
    known = _known(frame, columns[0], by, window, length) if narrowed else None
    return Spans(key, table, window, frame, length, bucket, clock, scopes, known)


def _length(
    store: SqlStore, table: Table, newest: Window, where: Mapping[str, Any] | None
) -> timedelta:
    """How long a row holds: as it says, or as its table is declared."""
    if "resolution_s" in table.names:
        told = store.page(table, newest, where, limit=1, columns=["resolution_s"])
        return timedelta(seconds=int(told["resolution_s"].iloc[0]))
    return subject_of(table).step or PERIOD


def _in_buckets(
    store: SqlStore,
    table: Table,
    columns: Sequence[Column],
    window: Window,
    where: Mapping[str, Any] | None,
    filters: Sequence[Condition],
    edges: Any,
    by: Sequence[str],
) -> pd.DataFrame:
    names = [column.name for column in columns]
    found = store.aggregate(table, names, window, where, edges, by, filters)
    found.insert(0, "start", instants(found[BUCKET_START]))
    found.insert(1, "end", instants(found[BUCKET_END]))
    kept = [f"{name}_{end}" for name in names for end in ("mean", "min", "max", "count")]
    return found[["start", "end", *by, ROWS, *kept]].rename(
        columns={f"{name}_mean": name for name in names}
    )


def _as_rows(
    store: SqlStore,
    table: Table,
    columns: Sequence[Column],
    window: Window,
    where: Mapping[str, Any] | None,
    filters: Sequence[Condition],
    by: Sequence[str],
    length: timedelta,
    clock: tzinfo,
) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    said = ["resolution_s"] if "resolution_s" in table.names else []
    names = [column.name for column in columns]
    kept = [table.time, *by, *names, *said]
    rows = store.page(table, window, where, filters, limit=MOST_ROWS, columns=kept)
    start = instants(rows[table.time])
    if said:
        end = start + rows["resolution_s"].to_numpy().astype("timedelta64[s]")
    elif length == ONE_DAY:  # 23, 24 or 25 hours
        ends = {at: _next_midnight(at, clock) for at in np.unique(start)}
        end = np.array([ends[at] for at in start], dtype="datetime64[us]")
    else:
        end = start + np.timedelta64(length)
    frame = pd.DataFrame({"start": start, "end": end})
    for name in by:
        frame[name] = rows[name].to_numpy()
    for column in columns:
        cells = rows[column.name]
        numeric = column.dtype in ("float", "int", "decimal")
        frame[column.name] = (
            pd.to_numeric(cells).to_numpy(dtype=float, na_value=float("nan"))
            if numeric
            else cells.to_numpy()
        )
    return frame.sort_values(["start", *by], kind="stable", ignore_index=True)


def _known(
    frame: pd.DataFrame, column: str, by: Sequence[str], window: Window, length: timedelta
) -> float:
    """The share of a window of which a column is known, of the series of which most is."""
    import numpy as np

    if ROWS in frame.columns:
        held = frame[f"{column}_count"].to_numpy() * (length / window.length)
    else:
        spans = (frame["end"] - frame["start"]).to_numpy() / np.timedelta64(window.length)
        held = np.where(frame[column].notna(), spans, 0.0)
    if "coverage" in frame.columns:
        held = held * np.nan_to_num(frame["coverage"].to_numpy(dtype=float))
    shares = frame.assign(held=held)
    return float(shares.groupby(list(by))["held"].sum().max() if by else shares["held"].sum())


def _next_midnight(at: Any, clock: tzinfo) -> Any:
    import pandas as pd

    moment = pd.Timestamp(at, tz="UTC").to_pydatetime()
    return instants([day_window(moment.astimezone(clock).date(), clock).end])[0]


# --- marks ----------------------------------------------------------------------------------------


def line(
    spans: Spans, column: str, label: str = "", ink: str = "first", dash: Dash = "solid"
) -> list[Mark]:
    """A line of stairs, in buckets with a band from the least to the greatest value; gaps stay gaps."""
    frame = spans.frame
    ends = [f"{column}_min", f"{column}_max"] if spans.bucket else []
    x, y, *band = stairs(
        frame["start"].to_numpy(),
        frame["end"].to_numpy(),
        *(frame[name].to_numpy() for name in [column, *ends]),
    )
    around: list[Mark] = [Band(x, band[0], band[1], ink=ink)] if band else []
    return [*around, Line(x, y, label, ink, dash)]


def bars(spans: Spans, column: str, label: str = "", ink: str = "first") -> list[Mark]:
    """A bar a row, from its start to its end."""
    frame = spans.frame
    return [
        Bars(
            frame["start"].to_numpy(), frame["end"].to_numpy(), frame[column].to_numpy(), label, ink
        )
    ]


Part = tuple[Spans, str, str, str]


def stack(parts: Sequence[Part], *, down: Sequence[int] = (), whole: bool = True) -> list[Mark]:
    """Parts (spans, column, label, ink) on top of one another; what is negative hangs below zero.

    So does what ``down`` has the numbers of, which keeps its own sign where one points at it. Where only
    some of the parts of a ``whole`` are known the stack is too low, and shaded.
    """
    import numpy as np

    found = [spans.frame for spans, *_ in parts]
    edges = np.unique(
        np.concatenate([one[end].to_numpy() for one in found for end in ("start", "end")])
    )
    starts, ends = edges[:-1], edges[1:]
    values = [_held_at(spans.frame, column, starts) for spans, column, *_ in parts]
    drawn = [-value if n in down else value for n, value in enumerate(values)]
    marks: list[Mark] = []
    for (_, _, label, ink), value, (low, high) in zip(parts, values, stacked(drawn), strict=True):
        x, *corners = stairs(starts, ends, low, high, value)
        marks.append(Band(x, corners[0], corners[1], label, ink, opacity=0.85, value=corners[2]))
    known = np.isfinite(np.array(values))
    lacking = known.any(axis=0) & ~known.all(axis=0)
    return [*marks, *(shades(starts, ends, lacking, "a part is missing") if whole else [])]


def _held_at(rows: pd.DataFrame, column: str, moments: Any) -> Floats:
    """What holds at each moment, of rows in order; NaN where none does."""
    import numpy as np

    if not len(rows):
        return np.full(len(moments), np.nan)
    at = np.searchsorted(rows["start"].to_numpy(), moments, side="right") - 1
    held = (at >= 0) & (moments < rows["end"].to_numpy()[at])
    return np.where(held, rows[column].to_numpy(dtype=float)[at], np.nan)


def shades(starts: Any, ends: Any, where: Any, label: str, ink: str = "gap") -> list[Mark]:
    """The stretches of which something holds, said once."""
    return [
        Shade(starts[first], ends[last - 1], "" if n else label, ink)
        for n, (first, last) in enumerate(runs(where))
    ]


# --- words ----------------------------------------------------------------------------------------


def picture(
    store: SqlStore,
    title: str,
    panels: Sequence[Panel],
    told: Mapping[str, Spans],
    notes: Sequence[str] = (),
    *,
    delivery_days: bool = False,
) -> Picture:
    """A picture over time of what was read; ``told`` names the tables, where they differ.

    Its subtitle says range, resolution, coverage by the ledger, origin and notes, and whose delivery days
    they are.
    """
    window = next(iter(told.values())).window
    ends = instants([window.start, window.end])
    return Picture(
        title=title,
        subtitle=subtitle(store, told, notes, delivery_days=delivery_days),
        panels=panels,
        x_limits=(ends[0], ends[1]),
        footer=attribution(store.origin, [subject_of(spans.table) for spans in told.values()]),
    )


def subtitle(
    store: SqlStore,
    told: Mapping[str, Spans],
    notes: Sequence[str] = (),
    *,
    delivery_days: bool = False,
) -> str:
    """Range, time zone, resolution, coverage, origin, notes; see ``picture``."""
    first = next(iter(told.values()))
    window = first.window
    parts = [f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC"]
    if delivery_days:
        parts.append(f"delivery days by {first.clock}")
    covered = coverages(store, told)
    facts = {name: _facts(spans, covered[name]) for name, spans in told.items()}
    if len(set(facts.values())) == 1:
        parts += next(iter(facts.values()))
    elif len(facts) <= MOST_NAMED:
        parts += [f"{name}: {', '.join(said)}" for name, said in facts.items()]
    else:
        known = [share for share in covered.values() if share is not None]
        parts += dict.fromkeys(said[0] for said in facts.values())
        if known:
            parts.append(f"coverage {percent(min(known))} to {percent(max(known))}")
    return " · ".join([*parts, f"{store.origin} data", *notes])


def _facts(spans: Spans, covered: float | None) -> tuple[str, ...]:
    said = lasting(spans.length)
    if spans.bucket:
        said += f", drawn as mean, least and greatest of {lasting(spans.bucket)}"
    return (said,) if covered is None else (said, f"coverage {percent(covered)}")


def coverages(store: SqlStore, told: Mapping[str, Spans]) -> dict[str, float | None]:
    """Mean coverage of each, 0 to 1: of its own rows, or by the ledger of its days and scopes."""

    def of(spans: Spans) -> float | None:
        if spans.known is not None:
            return spans.known
        days = days_in(spans.window, spans.clock)
        return store.mean_coverage(spans.key, days[0], days[-1], spans.scopes)

    return {name: of(spans) for name, spans in told.items()}
