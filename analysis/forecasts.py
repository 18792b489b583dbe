"""How good the published forecasts of British wind and solar were, and ours: each against what it is of.

Persistence is the value observed a whole number of days before, the newest that was known when the
forecast was made.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from analysis.sections import Section
from analysis.series import PERIOD_H, WindSolar
from domain import analytics
from domain.windows import Window

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from stores.sql import SqlStore

    Floats = npt.NDArray[np.float64]

DAY = timedelta(days=1)
# Tables of every issue are large: so many of the newest rows are read, at about so many a day.
MOST_ROWS = 1_500_000
ROWS_A_DAY = {"embedded_forecasts": 16_000, "wind_forecasts": 600, "generation_forecast": 400}
# How far ahead these are made at most.
REACH = 3 * DAY
LEADS = {"up to 24 h": (0.0, 24.0), "24 to 48 h": (24.0, 48.0)}
OURS = {
    "gb_wind": "Wind",
    "gb_wind_offshore": "Wind Offshore",
    "gb_wind_onshore": "Wind Onshore",
    "gb_solar": "Solar",
}
_FIGURES = {
    "pairs": "", "bias_mw": "MW", "mae_mw": "MW", "rmse_mw": "MW", "nmae_capacity": "",
    "nmae_mean": "", "persistence_mae_mw": "MW", "skill_mae": "", "skill_rmse": "", "first": "UTC",
    "last": "UTC",
}  # fmt: skip
NOTE = (
    "Errors are forecast − observed. Wind forecasts are held against metered wind (wind_solar, offshore "
    "+ onshore), embedded ones against NESO's estimate of the same plants (historic_demand). Persistence "
    "is the value observed 24 h before, or as many days as it takes to be known at the issue; 24 h where "
    "the issue is not told. Solar is scored by day: where forecast or observation is above zero. nMAE by "
    "capacity needs an installed one."
)


def forecast_errors(store: SqlStore, data: WindSolar) -> Section:
    """Errors and skill of every forecast that the store has rows of, in the range of ``data``."""
    import pandas as pd

    rows = [
        row
        for compare in (_day_ahead_wind, _wind, _embedded, _our_own)
        for row in compare(store, data)
        if row["pairs"]
    ]
    labels = ["forecast", "series", "made", "observed"]
    frame = pd.DataFrame(rows, columns=[*labels, *_FIGURES])
    return Section("forecast_errors", "Forecast errors", frame, _FIGURES, NOTE)


def _day_ahead_wind(store: SqlStore, data: WindSolar) -> Iterator[dict[str, Any]]:
    table = store.tables["day_ahead_wind_forecast"]
    names = ["period_start", "wind_forecast_mw", "published_at"]
    rows = store.read_table(table, data.window, columns=names)
    if len(rows) and "Wind" in data.power_mw:
        told = _on_grid(data, rows["period_start"], rows["wind_forecast_mw"])
        days = _on_grid(data, rows["period_start"], _days(_lead(rows, "published_at")).fillna(1.0))
        who = ("day_ahead_wind_forecast", "Wind", "the day before", "wind_solar")
        yield _row(data, who, told, data.power_mw["Wind"], days, _installed(data, "Wind"))


def _wind(store: SqlStore, data: WindSolar) -> Iterator[dict[str, Any]]:
    """Hours of which both halves are known."""
    import numpy as np

    table, recent = store.tables["wind_forecasts"], _recent(data, "wind_forecasts")
    rows = store.read_table(table, recent).rename(columns={"hour_start": "period_start"})
    if rows.empty or "Wind" not in data.power_mw:
        return
    first = int(data.at(0).minute == 30)
    halves = data.power_mw["Wind"][first:]
    hourly = halves[: len(halves) // 2 * 2].reshape(-1, 2).mean(axis=1)
    observed = np.full(data.power_mw["Wind"].shape, np.nan)
    observed[first : first + 2 * len(hourly) : 2] = hourly
    for called, least in (("newest before the hour", 0.0), ("24 h before or earlier", 24.0)):
        newest = _newest(rows, "publish_time", (least, np.inf), hours=1.0)
        told = _on_grid(data, newest["period_start"], newest["generation_mw"])
        days = _on_grid(data, newest["period_start"], newest["days"])
        who = ("wind_forecasts", "Wind", called, "wind_solar, hourly")
        yield _row(data, who, told, observed, days, _installed(data, "Wind"))


def _embedded(store: SqlStore, data: WindSolar) -> Iterator[dict[str, Any]]:
    import numpy as np

    came = store.read_table(store.tables["historic_demand"], data.window)
    if came.empty:
        return
    table = store.tables["embedded_forecasts"]
    rows = store.read_table(table, _recent(data, "embedded_forecasts"))
    for kind in ("wind", "solar"):
        observed, capacity = (
            _on_grid(data, came["period_start"], came[f"embedded_{kind}{what}_mw"])
            for what in ("", "_capacity")
        )
        lots = {
            "24 h before or earlier": _newest(
                rows[rows["issue_known"]], "published_at", (24.0, np.inf)
            ),
            "last one (issue not told)": rows[~rows["issue_known"]].assign(days=1.0),
        }
        for called, lot in lots.items():
            told = _on_grid(data, lot["period_start"], lot[f"embedded_{kind}_forecast_mw"])
            days = _on_grid(data, lot["period_start"], lot["days"])
            who = ("embedded_forecasts", f"Embedded {kind}", called, "historic_demand")
            yield _row(data, who, told, observed, days, capacity, by_day=kind == "solar")


def _our_own(store: SqlStore, data: WindSolar) -> Iterator[dict[str, Any]]:
    table, recent = store.tables["generation_forecast"], _recent(data, "generation_forecast")
    rows = store.read_table(table, recent)
    for (name, model), own in rows.groupby(["series", "model"]):
        series = OURS.get(str(name), "")
        for called, leads in LEADS.items() if series in data.power_mw else ():
            newest = _newest(own, "issue_time", leads)
            told = _on_grid(data, newest["period_start"], newest["forecast_mw"])
            days = _on_grid(data, newest["period_start"], newest["days"])
            who = (f"generation_forecast ({model})", series, called, "wind_solar")
            observed, capacity = data.power_mw[series], _installed(data, series)
            yield _row(data, who, told, observed, days, capacity, by_day=series == "Solar")


def _recent(data: WindSolar, key: str) -> Window:
    """The issues to read for the range, not more than fit."""
    start = data.window.end - DAY * (MOST_ROWS // ROWS_A_DAY[key])
    return Window(max(data.window.start, start) - REACH, data.window.end)


def _newest(
    rows: pd.DataFrame, issued: str, leads: tuple[float, float], hours: float = PERIOD_H
) -> pd.DataFrame:
    """The newest forecast of each period with a lead [h] in [from, to), and ``days``: how far back is known."""
    lead = _lead(rows, issued)
    within = rows[(lead >= leads[0]) & (lead < leads[1])]
    newest = within.sort_values(issued).drop_duplicates("period_start", keep="last")
    return newest.assign(days=_days(lead[newest.index], hours))


def _lead(rows: pd.DataFrame, issued: str) -> pd.Series[float]:
    """How long before its period each forecast was made [h]."""
    hours: pd.Series[float] = (rows["period_start"] - rows[issued]).dt.total_seconds() / 3600
    return hours


def _days(lead: pd.Series[float], hours: float = PERIOD_H) -> pd.Series[float]:
    """How many days back is known at the issue: the whole of an observation that lasts ``hours``."""
    import numpy as np

    return ((lead + hours) / 24).apply(np.ceil).clip(lower=1.0)


def _on_grid(data: WindSolar, times: pd.Series, values: pd.Series) -> Floats:
    start, step = data.at(0).timestamp(), PERIOD_H * 3600
    end = start + len(data.periods) * step
    return analytics.regular(times.astype("int64") / 1e6, values, start, end, step)


def _installed(data: WindSolar, series: str) -> Floats:
    import numpy as np

    capacity = data.capacity[series]
    return capacity.mw if capacity.installed else np.full(capacity.mw.shape, np.nan)


def _row(
    data: WindSolar,
    who: tuple[str, str, str, str],
    told: Floats,
    observed: Floats,
    days: Floats,
    capacity: Floats,
    *,
    by_day: bool = False,
) -> dict[str, Any]:
    """One line of the section; ``by_day`` leaves out what is zero in forecast and observation."""
    import numpy as np

    if by_day:
        told = np.where((told > 0) | (observed > 0), told, np.nan)
    place = np.arange(told.size) - np.nan_to_num(days, nan=told.size + 1) * 24 / PERIOD_H
    before = np.where(place >= 0, observed[np.maximum(place, 0).astype(np.int64)], np.nan)
    pairs = np.flatnonzero(~np.isnan(told) & ~np.isnan(observed))
    installed = capacity[pairs]
    mean = float(np.nanmean(installed)) if (~np.isnan(installed)).any() else float("nan")
    found = analytics.forecast_errors(told, observed, before, mean)
    return {
        **dict(zip(("forecast", "series", "made", "observed"), who, strict=True)),
        "pairs": int(found["pairs"]),
        **{f"{name}_mw": found[name] for name in ("bias", "mae", "rmse")},
        "nmae_capacity": found["nmae_capacity"],
        "nmae_mean": found["nmae_mean"],
        "persistence_mae_mw": found["reference_mae"],
        "skill_mae": found["skill_mae"],
        "skill_rmse": found["skill_rmse"],
        "first": data.at(int(pairs[0])) if pairs.size else None,
        "last": data.at(int(pairs[-1])) if pairs.size else None,
    }
