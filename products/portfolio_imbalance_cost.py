"""portfolio_imbalance_cost: the sum of all assets' imbalance and its cost per quarter hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.tables import Column, Table
from domain.windows import Window
from products.best_of_infeed import DELIVERY_DAY
from products.imbalance_cost import price_columns
from products.product import Product

if TYPE_CHECKING:
    import pandas as pd


def compute(imbalance_cost: pd.DataFrame, *, window: Window) -> pd.DataFrame:
    """Imbalance [MWh] and cost [EUR] of the portfolio per quarter hour of the window.

    Forecast, measurement and imbalance are summed over the assets of which both are known, the cost
    is their imbalance times the price; ``unknown_assets`` counts the others, and where none is known
    the figures are empty. Positive is short and what we pay. Source: vpp reference, "Imbalance".
    """
    import pandas as pd

    times = imbalance_cost["period_start"]
    inside = imbalance_cost[(times >= window.start) & (times < window.end)]
    ordered = inside.sort_values(["period_start", "asset_id"])
    known = ordered["imbalance_mwh"].notna()
    figures = ["forecast_mwh", "measured_mwh", "imbalance_mwh"]
    ordered[figures] = ordered[figures].where(known)
    by_quarter = ordered.groupby("period_start", sort=True)
    # The price is one for all assets of a quarter hour.
    prices = [column.name for column in price_columns()]
    portfolio = pd.DataFrame(by_quarter[["forecast", *prices]].first())
    for name in (*figures, "cost_eur"):
        portfolio[name] = by_quarter[name].sum(min_count=1)
    portfolio["assets"] = by_quarter.size()
    portfolio["known_assets"] = known.groupby(ordered["period_start"]).sum()
    portfolio["unknown_assets"] = portfolio["assets"] - portfolio["known_assets"]
    portfolio["coverage"] = portfolio["known_assets"] / portfolio["assets"]
    return portfolio.reset_index()[list(PRODUCT.table.names)]


PRODUCT = Product(
    key="portfolio_imbalance_cost",
    title="Imbalance of the whole portfolio and its cost",
    grain="quarter hour",
    table=Table(
        name="portfolio_imbalance_cost",
        columns=(
            Column("period_start", "time", "UTC", "Start of the quarter hour"),
            Column("forecast", "text", "", "Which forecast counts: latest or tradeable"),
            Column("forecast_mwh", "float", "MWh", "Forecast of the known assets", optional=True),
            Column("measured_mwh", "float", "MWh", "Infeed of the known assets", optional=True),
            Column(
                "imbalance_mwh", "float", "MWh", "Forecast minus measured; + is short", optional=True
            ),
            *price_columns(),
            Column("cost_eur", "float", "EUR", "Imbalance times price; + is what we pay", optional=True),
            Column("assets", "int", "", "Assets in the portfolio"),
            Column("known_assets", "int", "", "Assets with forecast and measurement"),
            Column("unknown_assets", "int", "", "Assets that lack one of them"),
            Column("coverage", "float", "", "Share of the assets that are known, 0 to 1"),
        ),
        key=("period_start",),
        time="period_start",
    ),
    compute=compute,
    settings=(DELIVERY_DAY,),
    clock_setting=DELIVERY_DAY.key,
    daily=True,
)  # fmt: skip
