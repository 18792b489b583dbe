"""Frequency: time outside the bands, extremes and faults of a range, and events counted by kind.

Sums and extremes of what the products frequency_quality and frequency_events have stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.sections import Section
from domain.settlement import period_grid
from domain.tables import Table
from domain.windows import Window

if TYPE_CHECKING:
    import pandas as pd

    from stores.sql import SqlStore

# What adds up over periods; a mean is weighted by the time that it covers.
SUMS = (
    "seconds_outside_deadband", "seconds_outside_49_8_50_2", "seconds_outside_49_5_50_5",
    "time_error_s", "samples", "implausible_samples", "spike_samples", "questionable_samples", "gaps",
    "gap_seconds", "flat_seconds",
)  # fmt: skip
EXTREMES = {"minimum_hz": "min", "maximum_hz": "max"}
MEAN = "mean_hz"
NOTE = "Times are of covered time alone. Means are weighted by the time that is covered."


def quality(store: SqlStore, window: Window) -> list[Section]:
    """Figures of the range, and of each of its settlement days; none where no rows are stored."""
    import pandas as pd

    table = store.tables["frequency_quality"]
    names = ["period_start", "settlement_date", "coverage", MEAN, *EXTREMES, *SUMS]
    rows = store.read_table(table, window, columns=names)
    if rows.empty:
        return []
    due = period_grid(window)
    units = {name: table.column(name).unit for name in (MEAN, *EXTREMES, *SUMS)}
    units["coverage"] = ""
    days = due.groupby("settlement_date").size()
    by_day = _figures(rows, rows["settlement_date"])
    by_day["coverage"] = by_day["coverage"] / days.reindex(by_day.index)
    whole = _figures(rows, pd.Series(0, index=rows.index))
    whole["coverage"] = whole["coverage"] / len(due)
    dates = days.index
    whole["days"] = f"{dates[0]:%Y-%m-%d} to {dates[-1]:%Y-%m-%d}"
    order = [*SUMS[:3], MEAN, *EXTREMES, *SUMS[3:], "coverage"]
    units = {name: units[name] for name in order}
    return [
        Section("frequency", "Frequency of the range", whole[["days", *order]], units, NOTE),
        Section(
            "frequency_days",
            "Frequency by settlement day",
            by_day[order].reset_index(),
            units,
            NOTE,
        ),
    ]


def _figures(rows: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    """Figures of each group; ``coverage`` in periods."""
    weighted = rows.assign(weighted=rows[MEAN] * rows["coverage"])
    held = rows["coverage"].where(rows[MEAN].notna())
    by = weighted.assign(held=held).groupby(groups, sort=True)
    found = by[[*SUMS, "coverage"]].sum(min_count=1)
    for name, how in EXTREMES.items():
        found[name] = by[name].agg(how)
    found[MEAN] = by["weighted"].sum(min_count=1) / by["held"].sum(min_count=1)
    return found


def event_counts(store: SqlStore, window: Window) -> Section:
    """How many events of each kind begin in the range, and how long they last."""
    table: Table = store.tables["frequency_events"]
    found = store.aggregate(table, ["duration_s"], window, None, 1, ("kind",))
    frame = found.rename(
        columns={"rows": "events", "duration_s_mean": "mean_s", "duration_s_max": "longest_s"}
    )[["kind", "events", "mean_s", "longest_s"]]
    units: dict[str, Any] = {"events": "", "mean_s": "s", "longest_s": "s"}
    return Section("frequency_events", "Events by kind", frame, units)
