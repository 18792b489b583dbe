"""A sensible picture of any dataset or product, with no question asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

from domain.errors import UsageError
from domain.keys import find
from domain.settlement import PERIOD, days_in
from domain.tables import Column, Table
from domain.windows import Window
from pictures import kinds
from pictures.inks import FUEL_COLUMNS, label_of
from pictures.picture import Panel, Picture, instants
from pictures.rows import Shown, read
from pictures.subjects import attribution, drawn_along, numbers_of, series_columns
from pictures.words import lasting, percent, words
from stores.filtering import Condition

if TYPE_CHECKING:
    from stores.sql import SqlStore

Kind = Literal["line", "area", "heatmap", "histogram", "duration", "profile", "scatter"]
KINDS: tuple[str, ...] = get_args(Kind)
# Days that are shown where no range is asked for.
_LONGEST = {"heatmap": 92, "histogram": 31, "duration": 366, "profile": 92, "scatter": 7}
# For pictures of how often values occur their rows are read one by one.
_EVERY_ROW = ("histogram", "duration", "scatter")
_BATTERY = ("average_power", "battery_power")
_OF_A_DAY = ("heatmap", "profile")
SHORTEST_DAY = timedelta(hours=23)
MOST_NAMED = 4


def picture_of(
    store: SqlStore,
    key: str,
    window: Window | None = None,
    where: Mapping[str, Any] | None = None,
    kind: str | None = None,
    columns: Sequence[str] | None = None,
    power_mw: float | None = None,
    filters: Sequence[Condition] = (),
) -> Picture | None:
    """A picture of a dataset or product; None where nothing is stored for it.

    ``where`` names values of columns, ``filters`` are conditions of any kind. Without a window the newest
    range that makes one, without a kind the one that suits the table, without columns every quantity, a
    panel a unit. ``power_mw`` is the contracted power of the battery whose curve a scatter of power over
    frequency shows. Raises UsageError for an unknown key, column or kind, a table without times or numbers,
    and a range with too many rows for its kind.
    """
    table = find(key, store.tables, "dataset or product")
    if not table.time:
        raise UsageError(f"{table.name} has no times to draw along: 'export' shows its rows.")
    if kind is not None and kind not in KINDS:
        raise UsageError(f"there is no kind of picture '{kind}': there are {', '.join(KINDS)}.")
    kind = kind or usual_kind(table, columns)
    if kind == "scatter" and table.name in _BATTERY and not columns:
        shown = _frequency_and_power(store, table, window, where, filters)
    else:
        shown = _rows_for(store, table, window, where, filters, kind, columns)
    if shown is None:
        return None
    if kind in _OF_A_DAY and _lasting(shown) >= SHORTEST_DAY:
        raise UsageError(
            f"rows of {table.name} last a day or longer: a {kind} would show no time of day; "
            "draw them as a line."
        )
    panels, more = _panels(shown, kind, power_mw)
    kept = {name: more.pop(name) for name in ("x_label", "x_is_time", "x_limits") if name in more}
    return Picture(
        title=_title(shown, kind),
        subtitle=_subtitle(store, shown, kind, **more),
        panels=panels,
        footer=attribution(store.origin, [shown.subject]),
        **kept,
    )


def usual_kind(table: Table, columns: Sequence[str] | None = None) -> str:
    """The kind that suits a table.

    A stack where the rows are one quantity by types of generation, a histogram where they are bins.
    """
    if table.name == "frequency_histogram":
        return "histogram"
    chosen = numbers_of(table, columns)
    by_fuel = [name for name in series_columns(table, chosen) if name in FUEL_COLUMNS[:4]]
    adds_up = chosen[0].name in ("generation_mw", "share_percent")
    return "area" if by_fuel and adds_up and "unit_eic" not in table.key else "line"


def _rows_for(
    store: SqlStore,
    table: Table,
    window: Window | None,
    where: Mapping[str, Any] | None,
    filters: Sequence[Condition],
    kind: str,
    columns: Sequence[str] | None,
) -> Shown | None:
    if kind not in ("line", "scatter") and not columns:
        columns = [numbers_of(table)[0].name]
    longest = _LONGEST.get(kind, 7)
    if kind == "heatmap":
        days = len(days_in(window)) if window else longest
        one = partial(
            read, store, table, where=where, columns=columns, filters=filters, shape="one"
        )
        shown = one(window, longest=longest, most=1 << 30)
        if shown and (shown.length or PERIOD) < PERIOD:  # finer than its cells
            return one(shown.window, most=days * 50)
        return shown
    most = 1 << 30 if kind in _EVERY_ROW else 20_000 if kind == "profile" else None
    shape: Any = "stack" if kind == "area" else "lines"
    more = {"most": most} if most else {}
    return read(
        store, table, window, where, columns, filters=filters, longest=longest, shape=shape, **more
    )


def _lasting(shown: Shown) -> timedelta:
    """How long rows usually last; instants last for no time."""
    import pandas as pd

    return pd.Timedelta((shown.frame["end"] - shown.frame["start"]).median()).to_pytimedelta()


def _panels(shown: Shown, kind: str, power_mw: float | None) -> tuple[list[Panel], dict[str, Any]]:
    """Panels, and what else a picture of this kind says: its x axis, notes, the columns drawn."""
    ends = instants([shown.window.start, shown.window.end])
    over_time = {"x_limits": (ends[0], ends[1])}
    if kind == "line":
        panels, notes, drawn = kinds.lines(shown)
        return panels, {**over_time, "notes": notes, "drawn": drawn}
    if kind == "area":
        return kinds.area(shown), over_time
    if kind == "heatmap":
        panels, notes = kinds.heatmap(shown)
        return panels, {"x_label": "settlement day (Europe/London)", "notes": notes}
    if kind == "histogram":
        stored = "deviation_mhz" in shown.frame.columns
        panels, label = kinds.stored_histogram(shown) if stored else kinds.histogram(shown)
        return panels, {"x_label": label, "x_is_time": False}
    if kind == "duration":
        label = "share of time at or above [%]"
        return kinds.duration(shown), {
            "x_label": label,
            "x_is_time": False,
            "x_limits": (0.0, 100.0),
        }
    if kind == "profile":
        label = f"local time of day, {shown.clock} [h]"
        return kinds.diurnal(shown), {"x_label": label, "x_is_time": False, "x_limits": (0.0, 24.0)}
    panels, label, notes = kinds.scatter(shown)
    if "service" in shown.frame.columns and shown.columns[0].unit == "Hz" and power_mw:
        hertz = shown.frame[shown.columns[0].name]
        services = shown.frame["service"].dropna().unique()
        curves = [
            kinds.response_curve(float(hertz.min()), float(hertz.max()), service, power_mw)
            for service in services
        ]
        panels = [replace(panels[0], marks=[*curves, *panels[0].marks])]
    told = {"notes": notes, "drawn": shown.columns[:2]}
    return panels, {"x_label": label, "x_is_time": False, **told}


def _frequency_and_power(
    store: SqlStore,
    table: Table,
    window: Window | None,
    where: Mapping[str, Any] | None,
    filters: Sequence[Condition],
) -> Shown | None:
    """Power over frequency: of samples, or of the means of settlement periods."""
    import pandas as pd

    every = partial(read, store, table, window, where, filters=filters, most=1 << 30)
    if table.name == "battery_power":
        return every(["frequency_hz", "battery_power_mw"], longest=1)
    shown = every(["average_power_mw"])
    if shown is None:
        return None
    frequency = store.tables["frequency"]
    means = store.aggregate(frequency, ["frequency_hz"], shown.window, buckets=PERIOD)
    held = pd.DataFrame(
        {"start": instants(means["bucket_start"]), "frequency_hz": means["frequency_hz_mean"]}
    )
    frame = shown.frame.merge(held, on="start")
    if frame.empty:
        raise UsageError(
            "power over frequency needs the frequency of these days: type 'python3 run.py fetch "
            f"frequency --start {days_in(shown.window)[0]} --end {days_in(shown.window)[-1]}' first."
        )
    notes = (
        *shown.notes,
        "means of settlement periods, which lie on the curve only where it is straight",
    )
    columns = (frequency.column("frequency_hz"), *shown.columns)
    return replace(shown, frame=frame, columns=columns, notes=notes)


# --- words ----------------------------------------------------------------------------------------

_CALLED = {
    "heatmap": "by day and settlement period",
    "histogram": "how often",
    "duration": "duration curve",
    "profile": "by time of day",
    "scatter": "scatter",
}


def _title(shown: Shown, kind: str) -> str:
    about = ", ".join(label_of(value) for value in shown.fixed.values() if str(value))
    parts = [shown.subject.title, about, _CALLED.get(kind, "")]
    return ": ".join(part for part in parts if part)


def _subtitle(
    store: SqlStore,
    shown: Shown,
    kind: str,
    notes: Sequence[str] = (),
    drawn: Sequence[Column] = (),
) -> str:
    """Range, zone, resolution, coverage, origin, and what the reader should know."""
    start, end = shown.window.start, shown.window.end
    parts = [f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"]
    if shown.length:
        resolution = lasting(shown.length)
        if shown.bucket:
            figures = "mean, minimum and maximum" if kind == "line" else "mean"
            resolution += f", drawn as {figures} of {lasting(shown.bucket)}"
        parts.append(resolution)
    parts += _covered(store, shown, drawn or shown.columns[:1])
    parts.append(f"{store.origin} data")
    return " · ".join([*parts, *shown.notes, *notes])


def _covered(store: SqlStore, shown: Shown, drawn: Sequence[Column]) -> list[str]:
    """How much is known of what is drawn; the columns of which it is less are named."""
    by_ledger = coverage(store, shown)
    if by_ledger is None:
        return []
    shares = [by_ledger * shown.known.get(column.name, 1.0) for column in drawn]
    most = max(shares)
    less = [
        f", of {words(column.name, column.unit)} {percent(share)}"
        for column, share in zip(drawn, shares, strict=True)
        if share < most
    ]
    if len(less) > MOST_NAMED:
        return [f"coverage {percent(min(shares))} to {percent(most)}"]
    return [f"coverage {percent(most)}{''.join(less)}"]


def coverage(store: SqlStore, shown: Shown) -> float | None:
    """Mean coverage of the days shown by the ledger, of the scopes shown; None where it knows nothing."""
    table = shown.subject.table
    if drawn_along(table) != table.time or shown.subject.events:
        return None
    days = days_in(shown.window)
    wanted = shown.fixed.get(table.scope) if table.scope else None
    return store.mean_coverage(
        shown.subject.key, days[0], days[-1], () if wanted is None else (str(wanted),)
    )
