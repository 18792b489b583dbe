"""Any table: rows, coverage, energy, mean, extremes and percentiles of every column that has a unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from analysis.sections import AS_UNIT, Section
from domain import analytics
from domain.integration import average_intervals
from domain.settlement import ONE_DAY, day_window
from domain.tables import LENGTH, Column, Table
from domain.windows import SECOND, Window, parse_instant
from pictures.subjects import series_columns, unit_in
from products import PRODUCTS
from sources import DATASETS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from stores.sql import SqlStore

    Floats = npt.NDArray[np.float64]

LEVELS = (0.01, 0.05, 0.5, 0.95, 0.99)
# More different values than that are names of rows and not series.
MOST_SERIES = 50
# Without a range a larger table is read for its newest days alone.
MOST_ROWS, NEWEST = 3_000_000, timedelta(days=31)
# Of 23, 24 or 25 hours; what a month has stands on its last day.
_DAY_GRAINS = ("settlement day", "day", "month")
# So descriptions of ``coverage`` begin where it is of time; elsewhere it is a share of assets, say.
_OF_TIME = "Covered share"
_PER_MWH = {"kW": 1e-3, "MW": 1.0}
_ENERGIES = {"kWh": 1e-3, "MWh": 1.0}
_FIGURES = {
    "rows": "", "coverage": "", "energy_mwh": "MWh", "mean": AS_UNIT, "minimum": AS_UNIT,
    "minimum_at": "UTC", **{f"p{100 * level:g}": AS_UNIT for level in LEVELS}, "maximum": AS_UNIT,
    "maximum_at": "UTC",
}  # fmt: skip


def stored_range(store: SqlStore, table: Table, settings: Mapping[str, Any]) -> Window | None:
    """From the first row of a table to the end of the last, or the newest days of a large one.

    None without rows. ``settings`` name the clock of a product's days.
    """
    size = store.size(table)
    if not size.first or not size.last:
        return None
    first, last = parse_instant(size.first), parse_instant(size.last)
    large = size.rows > MOST_ROWS
    newest = Window(max(first, last - NEWEST) if large else first, last + SECOND)
    end = _end(store, table, newest, settings)
    return Window(max(first, end - NEWEST) if large else first, end)


def _end(store: SqlStore, table: Table, newest: Window, settings: Mapping[str, Any]) -> datetime:
    """When the last of these rows ends, or a second after it where nobody knows."""
    if table.length and not _issued(table):
        spans = (
            (store.extent(table, {LENGTH: seconds}, window=newest), timedelta(seconds=seconds))
            for seconds in store.distinct(table, LENGTH, window=newest)
        )
        return max(span.end - SECOND + length for span, length in spans if span)
    last = newest.end - SECOND
    product = next((p for p in PRODUCTS if p.table is table), None)
    if product and product.grain in _DAY_GRAINS:
        clock = product.clock(settings)
        return day_window(last.astimezone(clock).date(), clock).end
    return last + (interval_of(table) or SECOND)


def interval_of(table: Table) -> timedelta | None:
    """How long a row of a table holds, where all hold equally long and none overlap; else None."""
    if _issued(table):
        return None
    for dataset in DATASETS:
        if dataset.table is table:
            return getattr(dataset.completeness, "cadence", None)
    step = next((product.step for product in PRODUCTS if product.table is table), None)
    return step if step and step < ONE_DAY else None  # days may have 23 or 25 hours


def covers_time(table: Table) -> bool:
    """Whether rows say how much of their time is known."""
    return "coverage" in table.names and table.column("coverage").description.startswith(_OF_TIME)


def figure_columns(table: Table) -> list[Column]:
    """The columns that have figures: numbers with a unit."""
    return [
        column
        for column in table.columns
        if column.dtype in ("float", "int") and column.unit and column.name != LENGTH
    ]


def table_sections(
    store: SqlStore,
    table: Table,
    window: Window | None = None,
    where: Mapping[str, Any] | None = None,
) -> list[Section]:
    """One section with a line a column and series; of all rows without a window, none where there are none.

    Series are those of pictures: told apart by the labels of the key (type, zone, auction, …) and by the
    columns that a unit names. Means and coverage are weighted by time where it is known how long a row
    holds; energy is of columns in MW or kW over covered time, or the sum of energies.
    """
    import pandas as pd

    columns = figure_columns(table)
    series = series_columns(table, columns)
    helpers = [name for name in (LENGTH, "coverage") if name in table.names]
    named = [table.time] if table.time else []
    used = [*named, *series, *helpers, *(column.name for column in columns)]
    rows = store.read_table(table, window, where, list(dict.fromkeys(used)))
    if rows.empty or not columns:
        return []
    labels = [name for name in series if rows[name].nunique() <= MOST_SERIES]
    whole = set(labels) >= set(table.key) - {table.time}
    hours = _hours(table, rows)
    found = [
        {**of, **figures}
        for column in columns
        for of, figures in _by_series(table, column, rows, labels, hours, window if whole else None)
    ]
    names = list(dict.fromkeys(["column", *labels, "unit", *_FIGURES]))
    frame = pd.DataFrame(found, columns=names)
    for name, unit in _FIGURES.items():
        if unit == "UTC":
            frame[name] = pd.to_datetime(frame[name], utc=True)
    frame = frame.drop(columns=[n for n in ("coverage", "energy_mwh") if frame[n].isna().all()])
    units = {name: unit for name, unit in _FIGURES.items() if name in frame.columns}
    note = (
        "Means are weighted by the time that is covered."
        if hours is not None
        else "How long a row holds is not known: means are of rows, and power gives no energy."
    )
    return [Section("figures", table.name, frame, units, note)]


def _issued(table: Table) -> bool:
    """Whether rows of one time were told again and again, as forecasts are."""
    return any(
        table.column(name).dtype in ("time", "date") for name in table.key if name != table.time
    )


def _hours(table: Table, rows: pd.DataFrame) -> Floats | None:
    """Hours that each row covers; None where nobody knows."""
    import numpy as np

    if LENGTH in rows.columns and not _issued(table):
        hours = rows[LENGTH].to_numpy(dtype=np.float64) / 3600
    else:
        interval = interval_of(table)
        if interval is None:
            return None
        hours = np.full(len(rows), interval.total_seconds() / 3600)
    if covers_time(table):
        hours = hours * rows["coverage"].to_numpy(dtype=np.float64, na_value=0.0)
    return hours


def _by_series(
    table: Table,
    column: Column,
    rows: pd.DataFrame,
    labels: list[str],
    hours: Floats | None,
    window: Window | None,
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Labels and figures of each series that has values; ``window`` is what coverage is of, if anything."""
    import numpy as np

    values = rows[column.name].to_numpy(dtype=np.float64, na_value=np.nan)
    known = ~np.isnan(values)
    kept = rows.loc[known].reset_index(drop=True)
    values, held = values[known], None if hours is None else hours[known]
    if not values.size:
        return
    # An empty label, such as the unit of a price that nobody tells, is a label too.
    groups = kept.groupby(labels, sort=True, dropna=False).ngroup() if labels else None
    code = np.zeros(len(kept), int) if groups is None else groups.to_numpy()
    order = np.argsort(code, kind="stable")
    for own in np.split(order, np.flatnonzero(np.diff(code[order])) + 1):
        part = kept.iloc[own]
        told = part[labels].iloc[0]
        unit = unit_in(column, told.dropna().to_dict())
        of = {"column": column.name, "unit": unit, **told.to_dict()}
        figures = _figures(table, values[own], part, None if held is None else held[own])
        figures |= _integrals(table, column, values[own], part, held, own, window)
        yield of, figures


def _figures(
    table: Table, values: Floats, rows: pd.DataFrame, hours: Floats | None
) -> dict[str, Any]:
    import numpy as np

    least, most = int(np.argmin(values)), int(np.argmax(values))
    weighted = hours is not None and hours.sum() > 0
    levels = analytics.quantiles(values, LEVELS, hours if weighted else None)
    times = rows[table.time] if table.time else None
    return {
        "rows": len(values),
        "mean": float(np.average(values, weights=hours if weighted else None)),
        "minimum": values[least],
        "minimum_at": times.iloc[least] if times is not None else None,
        **{f"p{100 * level:g}": each for level, each in zip(LEVELS, levels, strict=True)},
        "maximum": values[most],
        "maximum_at": times.iloc[most] if times is not None else None,
    }


def _integrals(
    table: Table,
    column: Column,
    values: Floats,
    rows: pd.DataFrame,
    held: Floats | None,
    own: npt.NDArray[np.intp],
    window: Window | None,
) -> dict[str, float]:
    """Energy [MWh], coverage, and the mean over covered time where rows may overlap."""
    import numpy as np

    if column.unit in _ENERGIES:
        return (
            {} if _issued(table) else {"energy_mwh": float(values.sum()) * _ENERGIES[column.unit]}
        )
    if held is None:
        return {}
    power = column.unit in _PER_MWH and "capacity" not in column.name
    factor = _PER_MWH.get(column.unit, 0.0)
    begin = rows[table.time].astype("int64").to_numpy() / 1e6
    if window is None or len(np.unique(begin)) < len(begin):
        # Several series together: their energies add up, coverage would be of none of them.
        return {"energy_mwh": float((values * held[own]).sum()) * factor} if power else {}
    edges = [window.start.timestamp(), window.end.timestamp()]
    found = average_intervals(begin, begin + held[own] * 3600, values, edges, min_coverage=0)
    told = {"mean": float(found.mean[0, 0]), "coverage": float(found.coverage[0, 0])}
    if power:
        told["energy_mwh"] = float(found.integral[0, 0]) / 3600 * factor
    return told
