"""Which rows of a table make a picture: a range, a handful of series, read or in buckets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Literal

from domain.errors import UsageError
from domain.settlement import LONDON, ONE_DAY, PERIOD, day_window, days_in, days_window
from domain.tables import Column, Table
from domain.windows import SECOND, Window
from domain.zones import ZONES
from pictures.inks import FUEL_COLUMNS, label_of
from pictures.picture import instants
from pictures.subjects import (
    IDS,
    SAID,
    Subject,
    drawn_along,
    is_instant,
    numbers_of,
    series_columns,
    subject_of,
    unit_in,
    units_in,
)
from stores.filtering import Condition
from stores.looking import BUCKET_END, BUCKET_START, ROWS

if TYPE_CHECKING:
    import pandas as pd

    from stores.sql import SqlStore

# A picture has about a thousand pixels across: more points a series are put into buckets.
MOST_POINTS = 1000
MOST_READ, MOST_VERSIONS = 1_000_000, 300_000
MOST_SERIES, MOST_FUELS = 12, 24
Shape = Literal["one", "stack", "lines"]
_LENGTHS = [
    timedelta(seconds=n)
    for n in (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
]
_DAYS = (1, 2, 7, 14, 28, 56, 112)
_DAY_GRAINS = ("settlement day", "day")


@dataclass(frozen=True)
class Shown:
    """What is shown: rows of one table in a window, as numbers of series.

    ``frame`` has ``start`` and ``end`` (``datetime64[us]``, UTC; equal for instants), ``series`` (a text),
    the chosen columns, and in buckets ``<column>_min`` and ``<column>_max``. ``units`` are those of the
    columns, by series where it depends on them. ``length`` is the resolution, ``bucket`` how long a bucket
    is. ``notes`` are for the reader: what was left out, and how to see it. ``known`` is the share of the
    stored rows, 0 to 1, that conditions leave and that have a value, by column.
    """

    subject: Subject
    window: Window
    columns: tuple[Column, ...]
    frame: pd.DataFrame
    clock: tzinfo
    length: timedelta | None = None
    bucket: timedelta | None = None
    instant: bool = False
    by: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    units: Mapping[tuple[str, str], str] = field(default_factory=dict)
    fixed: Mapping[str, object] = field(default_factory=dict)
    known: Mapping[str, float] = field(default_factory=dict)

    @property
    def series(self) -> list[str]:
        """Names of the series in the order of their rows."""
        return list(self.frame["series"].unique())

    def unit(self, column: str, series: str) -> str:
        return self.units.get((column, series)) or next(
            c.unit for c in self.columns if c.name == column
        )


def default_window(
    store: SqlStore,
    subject: Subject,
    where: Mapping[str, Any],
    filters: Sequence[Condition] = (),
    *,
    longest: int,
) -> Window | None:
    """The newest range that makes a picture, at most ``longest`` days; None where nothing is stored."""
    table = subject.table
    extent = store.extent(table, where, filters)
    if extent is None:
        return None
    if drawn_along(table) != table.time:  # the newest issue
        return Window(extent.end - SECOND, extent.end)
    last = days_in(extent)[-1]
    a_day = store.count(table, day_window(last), where, filters)
    if subject.grain in ("month", *_DAY_GRAINS):
        days = longest if subject.grain == "month" else max(longest, 92)
    else:
        days = 1 if a_day >= 1000 and longest < 31 else longest
    newest = days_window(last - (days - 1) * ONE_DAY, last)
    held = store.extent(table, where, filters, newest)
    return Window(day_window(days_in(held)[0]).start, newest.end) if held else newest


def read(
    store: SqlStore,
    table: Table,
    window: Window | None,
    where: Mapping[str, Any] | None,
    columns: Sequence[str] | None,
    *,
    filters: Sequence[Condition] = (),
    longest: int = 7,
    most: int = MOST_POINTS,
    shape: Shape = "lines",
) -> Shown | None:
    """The rows of a picture that fulfil conditions; None where nothing is stored for it.

    ``longest`` days are the range where none is asked for. More than ``most`` rows a series come in
    buckets. ``shape`` says how many series there may be: one, a stack of types of one zone, or a dozen
    lines. Raises UsageError for a column or value that does not fit, or too many rows.
    """
    import pandas as pd

    subject = subject_of(table)
    chosen = numbers_of(table, columns)
    window = window or default_window(store, subject, where or {}, filters, longest=longest)
    if window is None or not store.count(table, window, where, filters):
        return None
    series = _handful(store, table, window, dict(where or {}), filters, chosen, shape)
    shown = Shown(
        subject,
        window,
        chosen,
        pd.DataFrame(),
        _clock(series.where),
        by=series.by,
        fixed=series.fixed,
        notes=(*series.notes, *_narrowed(where or {}, filters, series.fixed)),
    )
    rows = store.count(table, window, series.where, filters)
    cut = {*series.where, *(c.column for c in filters)} - series.values.keys()
    kept = min(rows / store.count(table, window, series.values), 1.0) if cut else 1.0
    # Means over versions, or over trades, would mix what does not belong together.
    single = not any(name in (*SAID, *IDS) for name in table.key) or rows > MOST_VERSIONS
    if rows / series.count > most and single and drawn_along(table) == table.time:
        shown = _in_buckets(store, shown, series.where, filters, most)
    elif rows > MOST_READ:
        raise UsageError(
            f"{rows} rows of {table.name} are too many for this picture: choose a shorter range."
        )
    else:
        shown = _as_rows(store, shown, series.where, filters)
    return replace(shown, known={name: kept * share for name, share in shown.known.items()})


def _narrowed(
    where: Mapping[str, Any], filters: Sequence[Condition], fixed: Mapping[str, object]
) -> list[str]:
    """What the reader has to know of conditions; the one series that is left stands in the title."""
    lists = {name: value if isinstance(value, list) else [value] for name, value in where.items()}
    told = [
        f"{name} = {' or '.join(map(str, values))}"
        for name, values in lists.items()
        if name not in fixed
    ]
    told += [f"{c.column} {c.operator} {c.value}".strip() for c in filters if c.column not in fixed]
    return [f"only rows with {' and '.join(told)}"] if told else []


@dataclass(frozen=True)
class _Series:
    """Conditions and columns that leave a handful of series, and what was left out for that.

    ``values`` are those of all columns that tell series apart.
    """

    where: dict[str, Any]
    by: tuple[str, ...]
    fixed: dict[str, object]
    notes: tuple[str, ...]
    count: int
    values: dict[str, list[Any]]


def _handful(
    store: SqlStore,
    table: Table,
    window: Window,
    where: dict[str, Any],
    filters: Sequence[Condition],
    columns: Sequence[Column],
    shape: Shape,
) -> _Series:
    by = series_columns(table, columns)
    if not by:
        return _Series(where, (), {}, (), 1, {})
    found = store.combinations(table, by, window, where, filters)
    most = {"one": 1, "stack": MOST_FUELS, "lines": MOST_SERIES}[shape]
    where, notes = dict(where), []
    # A zone or an area is narrowed before a type of generation.
    for name in sorted(by, key=lambda name: name in FUEL_COLUMNS):
        # The one of which there is most comes first, of equals the first by name.
        values = list(
            found[name]
            .dropna()
            .value_counts(sort=True)
            .sort_index(kind="stable")
            .sort_values(ascending=False, kind="stable")
            .index
        )
        fuel = name in FUEL_COLUMNS
        if len(values) < 2 or (len(found) <= most and (fuel or shape != "stack")):
            continue
        others = len(found.drop_duplicates([n for n in by if n != name])) if len(by) > 1 else 1
        if shape == "one" or (not fuel and (others > 1 or shape == "stack")):
            kept = values[:1]
            notes.append(f"{name} {label_of(kept[0])}, one of {len(values)}")
        elif len(values) > most:
            size = columns[0].name
            kept = _largest(store, table, window, where, filters, size, by, name, most)
            notes.append(f"the {most} largest of {len(values)} by {name}")
        else:
            continue
        where[name] = _plain(kept)
        found = found[found[name].isin(kept)]
    alone = {name: found[name].dropna().unique() for name in by}
    fixed = {name: values[0] for name, values in alone.items() if len(values) == 1}
    left = tuple(name for name in by if len(alone[name]) > 1)
    held = {name: _plain(values) for name, values in alone.items()}
    return _Series(where, left, fixed, tuple(notes), max(len(found), 1), held)


def _plain(values: Iterable[Any]) -> list[Any]:
    """Values as a database takes them."""
    return [value.item() if hasattr(value, "item") else value for value in values]


def _largest(
    store: SqlStore,
    table: Table,
    window: Window,
    where: Mapping[str, Any],
    filters: Sequence[Condition],
    column: str,
    by: tuple[str, ...],
    name: str,
    most: int,
) -> list[Any]:
    """The values of ``name`` whose series have the largest means, in order."""
    # A database groups a hundred short pieces in half the time of a long one.
    pieces = store.aggregate(table, [column], window, where, 100, by, filters)
    pieces["sum"] = pieces[f"{column}_mean"] * pieces[f"{column}_count"]
    sums = pieces.groupby(list(by), dropna=False)[["sum", f"{column}_count"]].sum()
    means = (sums["sum"] / sums[f"{column}_count"]).abs()
    return sorted(means.groupby(level=name).max().nlargest(most).index)


def _clock(where: Mapping[str, Any]) -> tzinfo:
    """The clock of the zone that is shown; else the settlement calendar's."""
    zones = where.get("zone") or where.get("area")
    zone = zones[0] if isinstance(zones, list) else zones
    return ZONES[zone].clock if zone in ZONES else LONDON


def buckets_of(
    window: Window,
    resolution: timedelta | None,
    most: int = MOST_POINTS,
    clock: tzinfo = LONDON,
) -> tuple[Any, timedelta]:
    """At most ``most`` buckets for ``store.aggregate``, and how long one is: a usual time, or local days.

    Of many days they are whole weeks: pieces of four would show the weekend as a wave.
    """
    least = max(resolution or window.length / most, window.length / most)
    length = next((each for each in _LENGTHS if each >= least), None)
    if length:
        return length, length
    days = days_in(window, clock)
    step = next((n for n in _DAYS if len(days) / n <= most), _DAYS[-1])
    starts = [day_window(day, clock).start for day in days[::step]]
    inside = [at for at in starts if window.start < at < window.end]
    return [window.start, *inside, window.end], step * ONE_DAY


def _in_buckets(
    store: SqlStore,
    shown: Shown,
    where: Mapping[str, Any],
    filters: Sequence[Condition],
    most: int,
) -> Shown:
    table, window, by = shown.subject.table, shown.window, shown.by
    names = [column.name for column in shown.columns]
    resolution = shown.subject.step or _length(store, shown, where, filters)
    edges, length = buckets_of(window, resolution, most)
    found = store.aggregate(table, names, window, where, edges, by, filters)
    found = found.rename(columns={f"{name}_mean": name for name in names})
    frame, units = _by_series(shown, found, found, BUCKET_START)
    frame["end"] = instants(found[BUCKET_END])
    frame[ROWS] = found[ROWS].to_numpy()
    known = {name: float(found[f"{name}_count"].sum() / found[ROWS].sum()) for name in names}
    return replace(shown, frame=frame, bucket=length, length=resolution, units=units, known=known)


def _length(
    store: SqlStore, shown: Shown, where: Mapping[str, Any], filters: Sequence[Condition]
) -> timedelta | None:
    """The resolution of what is in the buckets, from its newest rows."""
    table = shown.subject.table
    names = list(dict.fromkeys([table.time, *shown.by]))
    newest = store.page(
        table, shown.window, where, filters, [f"-{table.time}"], limit=500, columns=names
    )
    newest = newest.sort_values(table.time)
    return usual_step(instants(newest[table.time]))


def _as_rows(
    store: SqlStore, shown: Shown, where: Mapping[str, Any], filters: Sequence[Condition]
) -> Shown:
    import pandas as pd

    table, along = shown.subject.table, drawn_along(shown.subject.table)
    frame = store.page(table, shown.window, where, filters, limit=MOST_READ)
    said = [n for n in table.key if n != along and table.column(n).dtype == "time"]
    if said:  # of what was said more than once about the same time the newest
        frame = frame.sort_values(said, kind="stable").drop_duplicates(
            [along, *shown.by], keep="last"
        )
    frame = frame.sort_values([along, *shown.by], ignore_index=True)
    rows, units = _by_series(shown, frame, frame, along)
    instant = is_instant(shown.subject)
    length = shown.subject.step or usual_step(rows["start"].to_numpy())
    if "resolution_s" in frame.columns:
        usual = frame["resolution_s"].mode()
        length = timedelta(seconds=int(usual.iloc[0])) if len(usual) else length
    if shown.subject.grain == "event" or any(name in IDS for name in table.key):
        length = None
    if not instant:
        rows["end"] = _ends(shown.subject, frame, rows["start"], length)
    for name in ("coverage", "deviation_mhz", "service"):
        if name in frame.columns and name not in rows.columns:
            rows[name] = frame[name].to_numpy()
    notes = shown.notes
    if along != table.time:
        issued = frame[table.time].max()
        notes = (f"issued {pd.Timestamp(issued):%Y-%m-%d %H:%M} UTC", *notes)
        last = pd.to_datetime(rows["end"].max(), utc=True).to_pydatetime()
        first = pd.to_datetime(rows["start"].min(), utc=True).to_pydatetime()
        shown = replace(shown, window=Window(first, last + SECOND if last == first else last))
    known = {column.name: float(rows[column.name].notna().mean()) for column in shown.columns}
    return replace(
        shown, frame=rows, length=length, instant=instant, notes=notes, units=units, known=known
    )


def _by_series(
    shown: Shown, frame: pd.DataFrame, found: pd.DataFrame, along: str
) -> tuple[pd.DataFrame, dict[tuple[str, str], str]]:
    """Rows with a name of their series, and the units where they depend on it."""
    import pandas as pd

    table = shown.subject.table
    rows = pd.DataFrame({"start": instants(frame[along])})
    rows["end"] = rows["start"]
    inside = {name for column in shown.columns for name in units_in(table, column)}
    named = [name for name in shown.by if name not in inside]

    def combinations(names: Sequence[str]) -> int:
        return len(frame.drop_duplicates(names)) if names else 1

    # Series of one name would mix units.
    if len(named) < len(shown.by) and combinations(named) < combinations(shown.by):
        named = list(shown.by)
    labels = [{value: label_of(value) for value in frame[name].unique()} for name in named]
    rows["series"] = _joined(
        [frame[name].map(label) for name, label in zip(named, labels, strict=True)]
    )
    rows["raw"] = _joined([frame[name] for name in named])
    for column in shown.columns:
        rows[column.name] = pd.to_numeric(found[column.name]).to_numpy(
            dtype=float, na_value=float("nan")
        )
        for end in ("_min", "_max"):
            if f"{column.name}{end}" in found.columns and f"{column.name}{end}" not in table.names:
                rows[column.name + end] = found[column.name + end].to_numpy(dtype=float)
    units: dict[tuple[str, str], str] = {}
    for column in shown.columns:
        of_unit = units_in(table, column)
        if not of_unit:
            continue
        known = {name: value for name, value in shown.fixed.items() if name in of_unit}
        varying = [name for name in of_unit if name in frame.columns and name not in known]
        told = frame[varying].assign(series=rows["series"].to_numpy()).drop_duplicates()
        for each in told.to_dict("records"):
            values = {**known, **{str(k): v for k, v in each.items() if k != "series"}}
            units[column.name, str(each["series"])] = unit_in(column, values)
    return rows, units


def _joined(parts: Sequence[pd.Series]) -> Any:
    """Words of several columns side by side; one empty word where there are none."""
    joined: Any = ""
    for n, part in enumerate(parts):
        text = part.astype("str")
        joined = joined + " " + text if n else text
    return joined if len(parts) < 1 else joined.to_numpy()


def _ends(subject: Subject, frame: pd.DataFrame, start: Any, length: timedelta | None) -> Any:
    """Where the interval of each row ends."""
    import numpy as np
    import pandas as pd

    for name in ("time_to", "period_end"):
        if name in frame.columns:
            return instants(frame[name])
    if "resolution_s" in frame.columns:
        return start + pd.to_timedelta(frame["resolution_s"].astype("int64").to_numpy(), unit="s")
    if subject.grain == "settlement day":  # 23, 24 or 25 hours
        midnights = {
            at: instants([day_window(days_in(Window(at, at + SECOND))[0]).end])[0]
            for at in (pd.Timestamp(one, tz="UTC").to_pydatetime() for one in np.unique(start))
        }
        return np.array([midnights[pd.Timestamp(one, tz="UTC").to_pydatetime()] for one in start])
    if subject.grain == "day":  # of another clock, of which the rows know only when they begin
        unique = np.unique(start)
        after = np.append(unique[1:], unique[-1:] + np.timedelta64(24, "h"))
        long = after - unique > np.timedelta64(25, "h")
        ends = np.where(long, unique + np.timedelta64(24, "h"), after)
        return ends[np.searchsorted(unique, start)]
    return start + pd.Timedelta(length or PERIOD)


def usual_step(times: Any) -> timedelta | None:
    """The commonest distance of neighbours; None for a single time."""
    import numpy as np

    apart = np.diff(np.unique(np.asarray(times, dtype="datetime64[s]"))).astype("int64")
    if not apart.size:
        return None
    steps, counts = np.unique(apart, return_counts=True)
    return timedelta(seconds=int(steps[counts.argmax()]))
