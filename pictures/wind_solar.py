"""Pictures of British wind and solar, from the sections of ``analysis``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.extremes import THRESHOLDS
from domain.settlement import PERIOD
from domain.windows import Window
from pictures.inks import RUST, inks_of
from pictures.picture import (
    Band,
    Bars,
    Cells,
    Line,
    Mark,
    Panel,
    Picture,
    Points,
    Rule,
    Shade,
    instants,
    runs,
    stacked,
    stairs,
)
from pictures.rows import buckets_of
from pictures.words import lasting, percent
from stores.looking import BUCKET_END, BUCKET_START, ROWS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from analysis.sections import Section
    from analysis.series import WindSolar
    from stores.sql import SqlStore

TYPES = ("Wind Offshore", "Wind Onshore", "Solar")
CLOCK = "Europe/London"
LOCAL = f"settlement period ({CLOCK})"
# Cells along an axis of the picture of wind and solar together.
CELLS = 40


def power(store: SqlStore, window: Window) -> Picture | None:
    """Power [MW] of the types, stacked and each for itself, with minima and maxima; None without rows.

    The figures are made in the store, in at most so many buckets as a page has room for.
    """
    import numpy as np

    table = store.tables["wind_solar"]
    edges, length = buckets_of(window, PERIOD)
    found = store.aggregate(table, ["generation_mw"], window, None, edges, ("psr_type",))
    if found.empty:
        return None
    left = np.unique(instants(found[BUCKET_START]))
    right = np.unique(instants(found[BUCKET_END]))
    names = [name for name in TYPES if (found["psr_type"] == name).any()]
    inks = dict(zip(names, inks_of(names), strict=True))
    figures = {
        name: [
            _at(left, found[found["psr_type"] == name], f"generation_mw_{figure}")
            for figure in ("mean", "min", "max")
        ]
        for name in names
    }
    stack: list[Mark] = []
    ends = stacked([figures[name][0] for name in names])
    for name, (low, high) in zip(names, ends, strict=True):
        x, low, high, told = stairs(left, right, low, high, figures[name][0])
        stack.append(Band(x, low, high, name, inks[name], opacity=0.85, value=told))
    lacking = np.isnan([figures[name][0] for name in names]).any(axis=0)
    for n, (first, after) in enumerate(runs(lacking)):
        stack.append(Shade(left[first], right[after - 1], "" if n else "a type is missing"))
    lines: list[Mark] = []
    for name in names:
        x, mean, low, high = stairs(left, right, *figures[name])
        if length > PERIOD:
            lines.append(Band(x, low, high, ink=inks[name]))
        lines.append(Line(x, mean, name, inks[name]))
    bounds = instants([window.start, window.end])
    due = len(names) * (window.length // PERIOD)
    drawn = f"30 min, drawn as mean, minimum and maximum of {lasting(length)}"
    return Picture(
        title="Generation of wind and solar",
        subtitle=" · ".join(
            [
                _range(window),
                drawn if length > PERIOD else "30 min",
                f"coverage {percent(found[ROWS].sum() / due)}",
                f"{store.origin} data",
            ]
        ),
        panels=[
            Panel("together [MW]", stack, height=1.2),
            Panel("each [MW]", lines),
        ],
        x_limits=(bounds[0], bounds[1]),
    )


def _at(
    left: npt.NDArray[np.datetime64], rows: pd.DataFrame, column: str
) -> npt.NDArray[np.float64]:
    """Figures of one series on all buckets; NaN where it has none."""
    import numpy as np

    values = np.full(len(left), np.nan)
    values[np.searchsorted(left, instants(rows[BUCKET_START]))] = rows[column].to_numpy(float)
    return values


def _range(window: Window) -> str:
    return f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC"


def about(data: WindSolar, series: Sequence[str], *, shares: bool = False) -> str:
    """Range, resolution, coverage; and what shares are of, where the picture has some."""
    import numpy as np

    parts = [_range(data.window), "30 min"]
    covered = [float((~np.isnan(data.power_mw[name])).mean()) for name in series]
    parts.append(
        "coverage "
        + ", ".join(f"{name} {percent(share)}" for name, share in zip(series, covered, strict=True))
    )
    if shares:
        parts += [
            f"{name} as share of: {data.capacity[name].source}"
            for name in series
            if not np.isnan(data.capacity[name].mw).all()
        ]
    return " · ".join(parts)


def _series(section: Section, wanted: Sequence[str] | None = None) -> dict[str, pd.DataFrame]:
    """The rows of each series, in the order of the section."""
    names = [
        name for name in dict.fromkeys(section.frame["series"]) if not wanted or name in wanted
    ]
    return {name: section.frame[section.frame["series"] == name] for name in names}


def diurnal(data: WindSolar, section: Section) -> Picture:
    """Mean and P10 to P90 of power [MW] by settlement period."""
    rows = _series(section)
    marks: list[Mark] = []
    for (name, own), ink in zip(rows.items(), inks_of(list(rows)), strict=True):
        period = own["settlement_period"].to_numpy(float)
        x, mean, low, high = stairs(
            period - 0.5, period + 0.5, *(own[f"{figure}_mw"] for figure in ("mean", "p10", "p90"))
        )
        marks += [
            Band(x, low, high, ink=ink, opacity=0.2),
            Line(x, mean, name, ink),
        ]
    return Picture(
        title="Diurnal profile",
        subtitle=f"mean, with P10 to P90 around it · {about(data, list(rows))}",
        panels=[Panel("power [MW]", marks, height=1.6)],
        x_label=LOCAL,
        x_is_time=False,
    )


def seasonal(data: WindSolar, section: Section, series: str) -> Picture:
    """Mean power [MW] by month of the year and settlement period."""
    import numpy as np

    own = _series(section)[series]
    table = own.pivot(index="settlement_period", columns="month", values="mean_mw")
    periods = range(1, max(48, int(table.index.max())) + 1)
    table = table.reindex(index=list(periods), columns=list(range(1, 13)))
    cells = Cells(np.arange(1.0, 13.0), np.array(periods, float), table.to_numpy(float), "mean power [MW]")  # fmt: skip
    return Picture(
        title=f"{series}: month of the year and settlement period",
        subtitle=about(data, [series]),
        panels=[Panel(f"settlement period ({CLOCK})", [cells], height=1.8)],
        x_label=f"month of the year ({CLOCK})",
        x_is_time=False,
    )


def duration(data: WindSolar, section: Section) -> Picture:
    """Power [MW], and share of the reference, over the share of time that it is reached or exceeded."""
    rows = _series(section)
    inks = inks_of(list(rows))
    panels = [
        Panel(
            label,
            [
                Line(100 * own["exceedance"].to_numpy(), scale * own[figure].to_numpy(), name, ink)
                for (name, own), ink in zip(rows.items(), inks, strict=True)
            ],
        )
        for figure, label, scale in (
            ("power_mw", "power [MW]", 1),
            ("share", "share of reference [%]", 100),
        )
    ]
    return Picture(
        title="Duration curves",
        subtitle=about(data, list(rows), shares=True),
        panels=panels,
        x_label="share of time at or above [%]",
        x_is_time=False,
        x_limits=(0.0, 100.0),
    )


def together(data: WindSolar) -> Picture | None:
    """How often wind and solar power [MW] come together; None where one of them is not known."""
    import numpy as np

    if not {"Wind", "Solar"} <= data.power_mw.keys():
        return None
    wind, solar = data.power_mw["Wind"], data.power_mw["Solar"]
    known = ~np.isnan(wind + solar)
    if not known.any():
        return None
    count, x, y = np.histogram2d(wind[known], solar[known], CELLS)
    share = np.where(count > 0, 100 * count / known.sum(), np.nan).T
    cells = Cells((x[:-1] + x[1:]) / 2, (y[:-1] + y[1:]) / 2, share, "share of half hours [%]")
    return Picture(
        title="Wind and solar together",
        subtitle=about(data, ["Wind", "Solar"]),
        panels=[Panel("solar power [MW]", [cells], y_limits=(y[0], y[-1]), height=1.6)],
        x_label="wind power [MW]",
        x_is_time=False,
    )


def ramp_histogram(data: WindSolar, section: Section, hours: float) -> Picture:
    """How many ramps over so many hours there are of each size [MW]."""
    rows = _series(section)
    marks: list[Mark] = []
    for (name, all_of), ink in zip(rows.items(), inks_of(list(rows)), strict=True):
        own = all_of[all_of["over_h"] == hours]
        many = own["ramps"].to_numpy(float)
        many[many == 0] = float("nan")  # there is no zero on a logarithmic axis
        x, y = stairs(own["from_mw"], own["to_mw"], many)
        marks.append(Line(x, y, name, ink))
    return Picture(
        title=f"Ramps over {hours:g} h",
        subtitle=about(data, list(rows)),
        panels=[Panel("ramps of that size", marks, log_y=True, height=1.4)],
        x_label=f"change of power over {hours:g} h [MW]",
        x_is_time=False,
    )


def droughts(data: WindSolar, events: Section, series: str, definition: str) -> Picture:
    """When droughts were, a panel a threshold: bars from begin to end, as high as they were deep."""
    own = events.frame[
        (events.frame["series"] == series) & (events.frame["definition"] == definition)
    ]
    panels = []
    for threshold in THRESHOLDS:
        rows = own[own["threshold"] == threshold]
        bars = Bars(
            instants(rows["start"]), instants(rows["end"]), 100 * rows["mean_share"].to_numpy(float)
        )
        panels.append(Panel(f"below {threshold}\nmean share [%]", [bars], height=0.5))
    bounds = instants([data.window.start, data.window.end])
    return Picture(
        title=f"Droughts of {series}, {definition}",
        subtitle=about(data, [series], shares=True),
        panels=panels,
        x_limits=(bounds[0], bounds[1]),
    )


def forecast_errors(data: WindSolar, section: Section) -> Picture:
    """Mean absolute error [MW] and bias [MW] of each forecast, with that of persistence."""
    import numpy as np

    marks: list[Mark] = []
    biases: list[Mark] = []
    rows = section.frame
    names = [f"{r.forecast}, {r.series}, {r.made}" for r in rows.itertuples()]
    at = np.arange(len(rows), dtype=float)
    for n, (name, ink) in enumerate(zip(names, inks_of(names), strict=True)):
        place = at[n : n + 1]
        for panel, figure in ((marks, "mae_mw"), (biases, "bias_mw")):
            height = rows[figure].to_numpy(float)[n : n + 1]
            panel.append(Bars(place - 0.4, place + 0.4, height, name, ink))
    simple = rows["persistence_mae_mw"].to_numpy(float)
    marks.append(Points(at, simple, "persistence", RUST))
    biases.append(Rule(0.0, dash="solid", ink="other"))
    return Picture(
        title="Errors of forecasts",
        subtitle=f"{_range(data.window)} · forecast − observed · of the pairs that are known",
        panels=[Panel("mean absolute error [MW]", marks), Panel("bias [MW]", biases, height=0.7)],
        x_label="forecast, in the order of the table",
        x_is_time=False,
    )


def compared(
    first: tuple[str, Section, Section], second: tuple[str, Section, Section], series: str
) -> list[Picture]:
    """Diurnal profile and duration curve [MW] of one series in two ranges: (name, diurnal, duration) each."""
    profiles: list[Mark] = []
    curves: list[Mark] = []
    for (name, diurnal_of, duration_of), ink in ((first, "first"), (second, "second")):
        own = _series(diurnal_of).get(series)
        if own is None:
            continue
        period = own["settlement_period"].to_numpy(float)
        x, mean, low, high = stairs(
            period - 0.5, period + 0.5, *(own[f"{figure}_mw"] for figure in ("mean", "p10", "p90"))
        )
        profiles += [
            Band(x, low, high, ink=ink, opacity=0.2),
            Line(x, mean, name, ink),
        ]
        curve = _series(duration_of)[series]
        share = 100 * curve["exceedance"].to_numpy()
        curves.append(Line(share, curve["power_mw"].to_numpy(), name, ink))
    subtitle = f"{first[0]} and {second[0]} · 30 min"
    return [
        Picture(
            f"{series}: diurnal profiles", f"mean, with P10 to P90 around it · {subtitle}", [Panel("power [MW]", profiles, height=1.4)],
            x_label=LOCAL, x_is_time=False,
        ),
        Picture(
            f"{series}: duration curves", subtitle, [Panel("power [MW]", curves, height=1.4)],
            x_label="share of time at or above [%]", x_is_time=False, x_limits=(0.0, 100.0),
        ),
    ]  # fmt: skip
