"""portfolio_best_of_infeed: the sum of all assets' best infeed per quarter hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.tables import Column, Table
from domain.windows import Window
from products.best_of_infeed import DELIVERY_DAY, FINAL, FORECAST, LIVE, MISSING
from products.product import Product

if TYPE_CHECKING:
    import pandas as pd


def compute(best_of_infeed: pd.DataFrame, *, window: Window) -> pd.DataFrame:
    """Power [kW] and energy [MWh] of the portfolio per quarter hour, and where they come from.

    Sums run over the assets that have a source; ``missing`` counts those that have none, and where
    none has, power and energy are empty. Source: vpp reference, "Portfolio".
    """
    import pandas as pd

    times = best_of_infeed["period_start"]
    inside = best_of_infeed[(times >= window.start) & (times < window.end)]
    ordered = inside.sort_values(["period_start", "asset_id"])
    by_quarter = ordered.groupby("period_start", sort=True)
    portfolio = pd.DataFrame(
        {
            "power_kw": by_quarter["power_kw"].sum(min_count=1),
            "energy_mwh": by_quarter["energy_mwh"].sum(min_count=1),
            "assets": by_quarter.size(),
        }
    )
    for source in (FINAL, LIVE, FORECAST, MISSING):
        counts = (ordered["source"] == source).groupby(ordered["period_start"]).sum()
        portfolio[f"{source}_assets"] = counts.astype("int64")
    portfolio["redispatched_assets"] = by_quarter["redispatched"].sum()
    return portfolio.reset_index()


PRODUCT = Product(
    key="portfolio_best_of_infeed",
    title="Infeed of the whole portfolio from the best sources",
    grain="quarter hour",
    table=Table(
        name="portfolio_best_of_infeed",
        columns=(
            Column("period_start", "time", "UTC", "Start of the quarter hour"),
            Column("power_kw", "float", "kW", "Sum over the assets with a source", optional=True),
            Column(
                "energy_mwh", "float", "MWh", "Sum over the assets with a source", optional=True
            ),
            Column("assets", "int", "", "Assets in the portfolio"),
            Column("final_assets", "int", "", "Assets with a final measurement"),
            Column("live_assets", "int", "", "Assets with a live measurement instead"),
            Column("forecast_assets", "int", "", "Assets with only a forecast"),
            Column("missing_assets", "int", "", "Assets with no source at all"),
            Column("redispatched_assets", "int", "", "Assets that a redispatch touches"),
        ),
        key=("period_start",),
        time="period_start",
    ),
    compute=compute,
    settings=(DELIVERY_DAY,),
    clock_setting=DELIVERY_DAY.key,
    daily=True,
)
