"""generation_forecast: wind and solar of the coming two days, as each day's end knew the past.

The rows are read as they were known at the issue time, and a forecast once issued stands when a day
that it looked back on is restated. ``forecast predict`` does the same for every series at any moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from domain.settlement import LONDON, PERIOD, day_window, days_in
from domain.tables import Column, Table
from domain.windows import Window
from products.forecast_models import MODELS, QUANTILES, Fitted, Past, fit, past_at, seconds_of
from products.product import Product
from utils import Setting, choice, number

if TYPE_CHECKING:
    import pandas as pd

    from products.forecast_models import Floats, Ints

YEAR = timedelta(days=365)
WIND = ("Wind Onshore", "Wind Offshore")
PERIOD_S = int(PERIOD.total_seconds())
SETTINGS = (
    Setting(
        "FORECAST_MODEL",
        "combination",
        choice(*MODELS),
        "Model of generation_forecast and 'forecast predict'; ridge and boosting need scikit-learn.",
    ),
    Setting(
        "FORECAST_HOURS",
        "48",
        number(1, 168, "h"),
        "How far ahead generation_forecast and 'forecast predict' look [h].",
    ),
)


def compute(
    wind_solar: pd.DataFrame, *, window: Window, forecast_model: str, forecast_hours: float
) -> pd.DataFrame:
    """Forecasts [MW] of the steps after each settlement day's issue time, by series.

    ``wind_solar``: ``period_start`` and ``publish_time`` (UTC), ``psr_type``, ``generation_mw`` [MW,
    period mean], a year before the window and the window itself. The issue time of a settlement day is
    the start of its last period; a value counts where it was published by then and its period was over.
    """
    import pandas as pd

    leads = int(forecast_hours * 3600) // PERIOD_S
    frames = []
    for day in days_in(window):
        issue = day_window(day).end - PERIOD
        begin = wind_solar["period_start"] >= issue - YEAR
        known = wind_solar[begin & (wind_solar["publish_time"] <= issue)]
        for series, types in _series(known["psr_type"].unique().tolist()).items():
            times, values = summed(known, types)
            past = past_at(
                times, values, int(issue.timestamp()), int(YEAR.total_seconds()), PERIOD_S, LONDON
            )
            fitted = fit(past, leads, [forecast_model])
            frames.append(forecasts_of(series, past, fitted, [forecast_model]))
    return (
        pd.concat(frames, ignore_index=True)
        if frames
        else pd.DataFrame(columns=list(PRODUCT.table.names))
    )


def _series(types: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Series by name, with the psr types that each is the sum of; wind only where both are there."""
    found = {f"gb_{kind.lower().replace(' ', '_')}": (kind,) for kind in sorted(types)}
    return found | ({"gb_wind": WIND} if set(WIND) <= set(types) else {})


def summed(rows: pd.DataFrame, types: Sequence[str]) -> tuple[Ints, Floats]:
    """Starts [s since 1970] and sums [MW] of the periods of which every type is known."""
    import pandas as pd

    wanted = rows[rows["psr_type"].isin(types)]
    by_period = wanted.groupby("period_start", sort=True)["generation_mw"]
    sums = by_period.sum()[by_period.count() == len(types)]
    return seconds_of(pd.DatetimeIndex(sums.index)), sums.to_numpy(dtype=float)


def forecasts_of(series: str, past: Past, fitted: Fitted, models: Sequence[str]) -> pd.DataFrame:
    """Rows of the table below [MW] for what follows the end of ``past``; NaN where nothing is known."""
    import numpy as np
    import pandas as pd

    lead_s = np.arange(fitted.leads) * past.step_s
    known_until = past.issue_s - past.delay * past.step_s
    frames = []
    for model, told in fitted.predict(past, models).items():
        values = {
            "issue_time": np.full(fitted.leads, past.issue_s),
            "series": series,
            "model": model,
            "period_start": past.issue_s + lead_s,
            "lead_hours": lead_s / 3600,
            "forecast_mw": told.point,
            **{name: told.quantiles[:, n] for n, name in enumerate(QUANTILE_COLUMNS)},
            "known_until": np.full(fitted.leads, known_until),
        }
        frame = pd.DataFrame(values)
        for name in ("issue_time", "period_start", "known_until"):
            frame[name] = pd.to_datetime(frame[name], unit="s", utc=True).astype(
                "datetime64[us, UTC]"
            )
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


QUANTILE_COLUMNS = tuple(f"p{100 * level:.0f}_mw" for level in QUANTILES)

PRODUCT = Product(
    key="generation_forecast",
    title="Forecast of British wind and solar after each settlement day, with quantiles",
    grain="settlement period",
    table=Table(
        name="generation_forecast",
        columns=(
            Column("issue_time", "time", "UTC", "When it is made: nothing later is known to it"),
            Column("series", "text", "", "What is forecast"),
            Column("model", "text", "", f"{', '.join(MODELS)}"),
            Column("period_start", "time", "UTC", "Start of the period that is forecast"),
            Column("lead_hours", "float", "h", "From the issue to the start of the period"),
            Column("forecast_mw", "float", "MW", "Point forecast of the mean power", optional=True),
            Column("p10_mw", "float", "MW", "Quantile 0.1", optional=True),
            Column("p50_mw", "float", "MW", "Quantile 0.5", optional=True),
            Column("p90_mw", "float", "MW", "Quantile 0.9", optional=True),
            Column("known_until", "time", "UTC", "End of the newest period known at the issue"),
        ),
        key=("issue_time", "series", "model", "period_start"),
        time="issue_time",
    ),
    compute=compute,
    look_back={"wind_solar": YEAR + timedelta(days=1)},
    settings=SETTINGS,
    issued_before_end=PERIOD,
    daily=True,
)
