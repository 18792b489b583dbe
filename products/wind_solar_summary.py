"""wind_solar_summary: energy, mean and extremes of wind and solar per settlement day and type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.settlement import PERIOD, day_window, days_in, periods_in
from domain.tables import Column, Table
from domain.windows import Window
from products.product import Product

if TYPE_CHECKING:
    import pandas as pd


def compute(wind_solar: pd.DataFrame, *, window: Window) -> pd.DataFrame:
    """Energy [MWh], mean, minimum and maximum [MW] per settlement day of the window and psr_type.

    ``wind_solar``: ``period_start`` (UTC), ``psr_type``, ``generation_mw`` [MW, period mean],
    ``settlement_date``. A period's energy is its mean power times half an hour; the sum is over the
    periods there are, and ``coverage`` says how many of the day's that is. Of equal extremes the
    first counts.
    """
    import pandas as pd

    days = pd.DataFrame({"day": days_in(window)})
    days["settlement_date"] = days["day"].astype("datetime64[s]")
    days["period_start"] = pd.to_datetime([day_window(day).start for day in days["day"]])
    days["periods_due"] = days["day"].map(periods_in)
    ordered = wind_solar.sort_values(["period_start", "psr_type"], ignore_index=True)
    by_type = ordered.groupby(["settlement_date", "psr_type"], sort=True)["generation_mw"]
    figures = pd.DataFrame(
        {
            "energy_mwh": by_type.sum() * (PERIOD.total_seconds() / 3600),
            "mean_mw": by_type.mean(),
            "minimum_mw": by_type.min(),
            "minimum_at": ordered.loc[by_type.idxmin(), "period_start"].array,
            "maximum_mw": by_type.max(),
            "maximum_at": ordered.loc[by_type.idxmax(), "period_start"].array,
            "periods": by_type.count(),
        }
    )
    summary = figures.reset_index().merge(days, on="settlement_date")
    summary["coverage"] = summary["periods"] / summary["periods_due"]
    return summary.drop(columns=["day", "periods_due"])


PRODUCT = Product(
    key="wind_solar_summary",
    title="Wind and solar energy, mean and extremes per settlement day and type",
    grain="settlement day",
    table=Table(
        name="wind_solar_summary",
        columns=(
            Column("period_start", "time", "UTC", "Start of the settlement day"),
            Column("psr_type", "text", "", "Solar, Wind Onshore or Wind Offshore"),
            Column("energy_mwh", "float", "MWh", "Energy of the periods there are"),
            Column("mean_mw", "float", "MW", "Mean power of the periods there are"),
            Column("minimum_mw", "float", "MW", "Lowest half-hourly mean"),
            Column("minimum_at", "time", "UTC", "Start of the period with the minimum"),
            Column("maximum_mw", "float", "MW", "Highest half-hourly mean"),
            Column("maximum_at", "time", "UTC", "Start of the period with the maximum"),
            Column("periods", "int", "", "Settlement periods there are"),
            Column("coverage", "float", "", "Those periods over the day's 46, 48 or 50"),
            Column("settlement_date", "date", "", "Settlement day (Europe/London)"),
        ),
        key=("period_start", "psr_type"),
        time="period_start",
    ),
    compute=compute,
    daily=True,
)
