"""The kinds of pictures: panels from rows. No formula lives here; they come from ``domain``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from domain.analytics import duration_curve, profile
from domain.errors import UsageError
from domain.quality import OPERATIONAL, STATUTORY
from domain.response import NOMINAL_HZ, response_mw
from domain.settlement import PERIOD, days_in, periods_in, settlement_columns
from domain.tables import Column
from pictures.inks import CYCLE, ink_of, inks_of
from pictures.picture import (
    Band,
    Bars,
    Cells,
    Dash,
    Line,
    Mark,
    Panel,
    Points,
    Rule,
    Shade,
    broken,
    runs,
    stacked,
    stairs,
)
from pictures.rows import Shown
from pictures.subjects import units_in
from pictures.words import words
from products.frequency_histogram import BIN_MHZ

MOST_PANELS, MOST_LINES, MOST_BANDS, FEW_POINTS, MOST_DOTS = 4, 12, 4, 200, 20_000
LOW_COVERAGE = 0.9
# Samples that lie further apart than so many of their usual steps have a gap between them.
GAP_STEPS = 4
_DASHES: tuple[Dash, ...] = ("solid", "dash", "dot")
P10, P90 = 0.1, 0.9


def axis_label(words: str, unit: str) -> str:
    """What stands at an axis.

    >>> axis_label("generation", "MW"), axis_label("share", "")
    ('generation [MW]', 'share [-]')
    """
    return f"{words} [{unit or '-'}]"


def one_unit(shown: Shown, column: Column) -> str:
    """The unit of a column that all series share an axis for; UsageError where they have several."""
    found = list(dict.fromkeys(shown.unit(column.name, series) for series in shown.series))
    if len(found) > 1:
        parted = [name for name in units_in(shown.subject.table, column) if name in shown.by]
        raise UsageError(
            f"{column.name} is in {' and '.join(found)} here, which no axis holds together: choose one "
            f"with {' '.join(f'--where {name}=VALUE' for name in parted)}."
        )
    return found[0]


def lines(shown: Shown) -> tuple[list[Panel], list[str], list[Column]]:
    """A panel a unit, a line a series and column; what was left out, and the columns that are drawn."""
    groups: dict[str, list[tuple[Column, str]]] = {}
    ends = [name for pair in _around(shown).values() for name in pair]
    for column in shown.columns:
        if column.name in ends:
            continue
        for series in shown.series:
            groups.setdefault(shown.unit(column.name, series), []).append((column, series))
    notes = []
    if len(groups) > MOST_PANELS:
        left_out = list(groups)[MOST_PANELS:]
        notes.append(f"not shown: columns in {', '.join(unit or 'no unit' for unit in left_out)}")
    panels: list[Panel] = []
    drawn: list[Column] = []
    lines_before = 0
    inks = dict(zip(shown.series, _inks(shown), strict=True))
    for unit, members in list(groups.items())[:MOST_PANELS]:
        names = list(dict.fromkeys(column.name for column, _ in members))
        if len(members) > MOST_LINES and len(names) > 1:
            kept = names[: max(1, MOST_LINES * len(names) // len(members))]
            notes.append(f"{len(kept)} of {len(names)} columns in {unit or 'no unit'}")
            members = [(column, name) for column, name in members if column.name in kept]
        panels.append(_panel_of_lines(shown, unit, members, inks, lines_before))
        lines_before += len(members)
        drawn += dict.fromkeys(column for column, _ in members)
    return panels, notes, drawn


def _panel_of_lines(
    shown: Shown,
    unit: str,
    members: Sequence[tuple[Column, str]],
    inks: dict[str, str],
    lines_before: int,
) -> Panel:
    columns = list(dict.fromkeys(column.name for column, _ in members))
    series = list(dict.fromkeys(name for _, name in members))
    own_ink = len(columns) == 1 and len(series) > 1
    marks: list[Mark] = _uncovered(shown)
    for n, (column, name) in enumerate(members):
        label = " ".join(
            part
            for part, many in (
                (name, len(shown.series) > 1),
                (words(column.name, column.unit), len(columns) > 1),
            )
            if many
        )
        # Panels that are pointed at share one legend, so each line has an ink of its own.
        ink = inks[name] if own_ink else CYCLE[(lines_before + n) % len(CYCLE)]
        dash = _DASHES[n // 6 % 3] if len(members) > 6 else "solid"
        marks += _line(shown, column.name, name, label, ink, dash, bands=len(members) <= MOST_BANDS)
    if unit == "Hz":
        marks += _limits(shown, columns)
    quantity = words(columns[0], members[0][0].unit) if len(columns) == 1 else _quantity(unit)
    return Panel(axis_label(quantity, unit), marks)


def _around(shown: Shown) -> dict[str, tuple[str, str]]:
    """Columns that have a lowest and a highest one around them, which are drawn as a band."""
    names = {column.name for column in shown.columns}
    found = {}
    for name in names:
        for middle, low, high in (("mean", "minimum", "maximum"), ("p50", "p10", "p90")):
            ends = (name.replace(middle, low, 1), name.replace(middle, high, 1))
            if name.startswith(middle) and names.issuperset(ends):
                found[name] = ends
    return found


def _quantity(unit: str) -> str:
    """What a panel of several columns is about."""
    known = {
        "MW": "power",
        "kW": "power",
        "MWh": "energy",
        "Hz": "frequency",
        "s": "time",
        "": "value",
    }
    return known.get(unit, "price" if unit.endswith("MWh") else "value")


def _inks(shown: Shown) -> list[str]:
    raw = shown.frame.drop_duplicates("series")["raw"]
    return inks_of([value if ink_of(value) else value.split(" ")[-1] for value in raw])


def _line(
    shown: Shown, column: str, series: str, label: str, ink: str, dash: Dash, *, bands: bool
) -> list[Mark]:
    import numpy as np

    rows = shown.frame[shown.frame["series"] == series]
    x, y = rows["start"].to_numpy(), rows[column].to_numpy()
    ends = _around(shown).get(column, (column, column) if shown.bucket else ())
    if ends:
        names = (f"{ends[0]}_min", f"{ends[1]}_max") if shown.bucket else ends
        low, high = (rows[name].to_numpy() for name in names)
        x, y, low, high = stairs(x, rows["end"].to_numpy(), y, low, high)
        band = [Band(x, low, high, ink=ink)] if bands else []
        return [*band, Line(x, y, label, ink, dash)]
    if shown.instant:
        steady = shown.length and np.mean(np.diff(x) == np.timedelta64(shown.length)) > 0.5
        if not steady:
            return [Points(x, y, label, ink)]
        x, y = broken(x, GAP_STEPS * np.timedelta64(shown.length), y)
        return [Line(x, y, label, ink, dash, markers=len(rows) <= FEW_POINTS)]
    x, y = stairs(x, rows["end"].to_numpy(), y)
    return [Line(x, y, label, ink, dash)]


def _limits(shown: Shown, columns: Sequence[str]) -> list[Mark]:
    """The operational limits of frequency; the statutory ones where it comes near."""
    low = min(float(shown.frame.get(f"{name}_min", shown.frame[name]).min()) for name in columns)
    high = max(float(shown.frame.get(f"{name}_max", shown.frame[name]).max()) for name in columns)
    marks: list[Mark] = []
    if not 45 < low <= high < 55:  # a deviation, a spread
        return marks
    for n, limit in enumerate((OPERATIONAL, STATUTORY)):
        if n and low > NOMINAL_HZ - 0.3 and high < NOMINAL_HZ + 0.3:
            continue
        marks += [
            Rule(NOMINAL_HZ - limit, f"{NOMINAL_HZ:g} ± {limit:g} Hz", dash=_DASHES[1 + n]),
            Rule(NOMINAL_HZ + limit, dash=_DASHES[1 + n]),
        ]
    return marks


def _uncovered(shown: Shown) -> list[Mark]:
    """Stretches that a product computed from less than most of their time."""
    if "coverage" not in shown.frame.columns or shown.instant:
        return []
    rows = shown.frame.groupby("start", sort=True).agg(
        end=("end", "max"), coverage=("coverage", "min")
    )
    marks: list[Mark] = []
    starts, ends = rows.index.to_numpy(), rows["end"].to_numpy()
    for first, last in runs((rows["coverage"] < LOW_COVERAGE).to_numpy()):
        label = "" if marks else f"coverage below {LOW_COVERAGE:.0%}"
        marks.append(Shade(starts[first], ends[last - 1], label))
    return marks


def area(shown: Shown) -> list[Panel]:
    """Series on top of one another; what is negative hangs below zero."""
    import numpy as np

    column = shown.columns[0]
    table = shown.frame.pivot_table(
        index="start",
        columns="series",
        values=column.name,
        sort=False,
        aggfunc="first",
        dropna=False,
    ).sort_index()
    ends = shown.frame.groupby("start")["end"].max().reindex(table.index).to_numpy()
    starts = table.index.to_numpy()
    inks = dict(zip(shown.series, _inks(shown), strict=True))
    ordered = table.mean().sort_values(ascending=False).index
    values = [table[name].to_numpy(dtype=float) for name in ordered]
    marks: list[Mark] = []
    ends_of = dict(zip(ordered, stacked(values), strict=True))
    for name, value in zip(ordered, values, strict=True):
        x, low, high, told = stairs(starts, ends, *ends_of[name], value)
        marks.append(Band(x, low, high, name, inks[name], opacity=0.85, value=told))
    lacking = np.isnan(np.array(values)).any(axis=0)
    for first, last in runs(lacking):
        label = "" if any(isinstance(mark, Shade) for mark in marks) else "a part is missing"
        marks.append(Shade(starts[first], ends[last - 1], label))
    unit = one_unit(shown, column)
    return [Panel(axis_label(words(column.name, column.unit), unit), marks, height=1.6)]


def heatmap(shown: Shown) -> tuple[list[Panel], list[str]]:
    """Days across, settlement periods down; cells that cover little of their time are hatched."""
    import numpy as np
    import pandas as pd

    column = shown.columns[0]
    rows = shown.frame
    starts = pd.Series(pd.to_datetime(rows["start"], utc=True))
    lasting = (rows["end"] - rows["start"]).to_numpy()
    spans = lasting / np.timedelta64(PERIOD)
    each = (
        np.maximum(np.round(spans), 1).astype(int) if not shown.instant else np.ones(len(rows), int)
    )
    # An hour fills two periods, a quarter hour is one of two values of its.
    at = np.repeat(np.arange(len(rows)), each)
    step = np.concatenate([np.arange(n) for n in each]) if len(each) else at
    times = starts.iloc[at].reset_index(drop=True) + pd.to_timedelta(step * 30, unit="min")
    calendar = settlement_columns(times)
    filled = pd.DataFrame(
        {
            "day": calendar["settlement_date"],
            "period": calendar["settlement_period"],
            "value": rows[column.name].to_numpy()[at],
            "coverage": rows["coverage"].to_numpy()[at]
            if "coverage" in rows
            else np.minimum(spans, 1)[at],
        }
    )
    if "rows" in rows and shown.length:
        filled["coverage"] = (rows["rows"].to_numpy() * shown.length / PERIOD)[at]
    days = pd.Series(days_in(shown.window))
    periods = range(1, max(max(periods_in(day) for day in days), 48) + 1)
    index = pd.to_datetime(days).astype("datetime64[s]")

    def cells(name: str, how: Any) -> Any:
        table = filled.pivot_table(index="period", columns="day", values=name, aggfunc=how)
        return table.reindex(index=list(periods), columns=list(index)).to_numpy(dtype=float)

    z, covered = cells("value", "mean"), np.minimum(cells("coverage", "sum"), 1)
    if "coverage" in rows:
        covered = cells("coverage", "mean")
    marks = [
        (np.datetime64(day, "us"), f"{periods_in(day)} periods")
        for day in days
        if periods_in(day) != 48
    ]
    unit = one_unit(shown, column)
    label = axis_label(words(column.name, column.unit), unit)
    signed = bool(np.nanmin(z) < 0 < np.nanmax(z)) if np.isfinite(z).any() else False
    hatched = np.isfinite(z) & (covered < LOW_COVERAGE)
    heat = Cells(
        index.to_numpy().astype("datetime64[us]"),
        np.array(periods),
        z,
        label,
        hatched,
        marks,
        signed,
    )
    notes = ["hatched: less than 90 % covered"] if hatched.any() else []
    return [Panel("settlement period", [heat], height=1.8)], notes


def histogram(shown: Shown) -> tuple[list[Panel], str]:
    """How often values occur, and the label of their axis; frequency on a logarithmic scale."""
    import numpy as np

    column = shown.columns[0]
    unit = one_unit(shown, column)
    values = {
        name: shown.frame.loc[shown.frame["series"] == name, column.name].dropna().to_numpy()
        for name in shown.series[:6]
    }
    every = np.concatenate(list(values.values()))
    label = axis_label(words(column.name, column.unit), unit)
    if not every.size:
        return [Panel("share of rows [%]", [])], label
    if unit == "Hz":  # the bins of frequency_histogram
        edges = np.arange(np.floor(every.min() * 100), np.floor(every.max() * 100) + 2) / 100
    else:
        edges = np.histogram_bin_edges(every, bins=min(100, max(10, int(np.sqrt(every.size)))))
    marks: list[Mark] = []
    for n, (name, found) in enumerate(values.items()):
        # Half a millionth lets a value on an edge fall into the bin that begins there.
        share = 100 * np.histogram(found + 1e-9, edges)[0] / max(found.size, 1)
        if len(values) == 1:
            marks.append(Bars(edges[:-1], edges[1:], share, "", CYCLE[0]))
        else:
            x, y = stairs(edges[:-1], edges[1:], np.where(share > 0, share, np.nan))
            marks.append(Line(x, y, name, _inks(shown)[n], _DASHES[n // 3 % 3]))
    return [Panel("share of rows [%]", marks, log_y=unit == "Hz", height=1.6)], label


def stored_histogram(shown: Shown) -> tuple[list[Panel], str]:
    """Time in each bin of deviation over the days shown, as the product counted it."""
    seconds = shown.frame.groupby("deviation_mhz")["seconds"].sum()
    left = seconds.index.to_numpy(dtype=float)
    bars = Bars(left, left + BIN_MHZ, seconds.to_numpy(dtype=float), "", CYCLE[0])
    return [Panel("time in bin [s]", [bars], log_y=True, height=1.6)], "deviation from 50 Hz [mHz]"


def duration(shown: Shown) -> list[Panel]:
    """Values from the highest down over the share of time that they are exceeded."""
    import numpy as np

    column = shown.columns[0]
    marks: list[Mark] = []
    for n, (name, ink) in enumerate(zip(shown.series, _inks(shown), strict=True)):
        rows = shown.frame.loc[shown.frame["series"] == name, column.name]
        share, values = duration_curve(rows.to_numpy())
        if values.size > 2000:  # by rank, so that neither end is lost
            kept = np.unique(np.linspace(0, values.size - 1, 2000).round().astype(int))
            share, values = share[kept], values[kept]
        label = name if len(shown.series) > 1 else ""
        marks.append(Line(100 * share, values, label, ink, _DASHES[n // 6 % 3]))
    unit = one_unit(shown, column)
    return [Panel(axis_label(words(column.name, column.unit), unit), marks, height=1.6)]


def diurnal(shown: Shown) -> list[Panel]:
    """Mean, and the tenth and ninetieth percentile, by local time of day."""
    import pandas as pd

    column = shown.columns[0]
    length = max(shown.length or PERIOD, timedelta(minutes=15))
    minutes = min(int(length.total_seconds() // 60), 60)
    lasting = minutes / 60 if shown.instant else length / timedelta(hours=1)
    wall = pd.to_datetime(shown.frame["start"], utc=True).dt.tz_convert(shown.clock)
    of_day = (wall.dt.hour * 60 + wall.dt.minute) // minutes * minutes
    marks: list[Mark] = []
    for name, ink in zip(shown.series, _inks(shown), strict=True):
        mine = (shown.frame["series"] == name).to_numpy()
        weights = shown.frame["coverage"].to_numpy()[mine] if "coverage" in shown.frame else None
        found = profile(
            shown.frame[column.name].to_numpy()[mine],
            pd.DataFrame({"minute": of_day[mine].to_numpy()}),
            (P10, P90),
            weights,
        )
        hours = found["minute"].to_numpy(dtype=float) / 60
        x, mean, low, high = stairs(
            hours, hours + lasting, *(found[c].to_numpy() for c in ("mean", "p10", "p90"))
        )
        label = f"{name} mean" if len(shown.series) > 1 else "mean"
        if len(shown.series) <= MOST_BANDS:
            band = f"{name} P10 to P90" if len(shown.series) > 1 else "P10 to P90"
            marks.append(Band(x, low, high, band, ink, opacity=0.2))
        marks.append(Line(x, mean, label, ink))
    unit = one_unit(shown, column)
    return [Panel(axis_label(words(column.name, column.unit), unit), marks, height=1.6)]


def scatter(shown: Shown) -> tuple[list[Panel], str, list[str]]:
    """The second column over the first; of very many rows every so manieth."""
    if len(shown.columns) < 2:
        raise UsageError(
            f"a scatter needs two columns: say --columns A,B of {shown.subject.table.name}."
        )
    across, up = shown.columns[:2]
    notes = []
    step = -(-len(shown.frame) // MOST_DOTS)
    if step > 1:
        notes.append(f"one row of {step}")
    marks: list[Mark] = []
    for name, ink in zip(shown.series, _inks(shown), strict=True):
        rows = (
            shown.frame[shown.frame["series"] == name]
            .iloc[::step]
            .dropna(subset=[across.name, up.name])
        )
        label = name if len(shown.series) > 1 else ""
        marks.append(Points(rows[across.name].to_numpy(), rows[up.name].to_numpy(), label, ink))
    panel = Panel(axis_label(words(up.name, up.unit), one_unit(shown, up)), marks, height=1.8)
    return [panel], axis_label(words(across.name, across.unit), one_unit(shown, across)), notes


def response_curve(
    low_hz: float, high_hz: float, service: str, power_mw: float, direction: str = "both"
) -> Line:
    """What a service asks of a battery, from the least to the greatest frequency shown."""
    import numpy as np

    hertz = np.unique(np.append(np.linspace(low_hz, high_hz, 400), NOMINAL_HZ))
    asked = response_mw(hertz, service, power_mw, direction)
    return Line(hertz, asked, f"{service} for {power_mw:g} MW", "curve")
