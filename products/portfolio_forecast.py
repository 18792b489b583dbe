"""portfolio_forecast: the sum of all assets' forecasts per quarter hour, latest and latest tradeable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.settlement import QUARTER_H
from domain.tables import Column, Table
from domain.windows import Window
from products.asset_forecast import GATES, LATEST, TRADEABLE
from products.best_of_infeed import DELIVERY_DAY
from products.product import Product

if TYPE_CHECKING:
    import pandas as pd


def compute(asset_forecast: pd.DataFrame, *, window: Window) -> pd.DataFrame:
    """Forecast power [kW] and energy [MWh] of the portfolio per quarter hour of the window.

    Sums run over the assets that have a version in time; their number stands beside the number of
    assets, and where none has one the sums are empty. Assets may be at different versions: the
    oldest one used stands beside. Source: vpp reference, "Portfolio".
    """
    import pandas as pd

    times = asset_forecast["period_start"]
    inside = asset_forecast[(times >= window.start) & (times < window.end)]
    ordered = inside.sort_values(["period_start", "asset_id"])
    by_quarter = ordered.groupby("period_start", sort=True)
    portfolio = pd.DataFrame({"assets": by_quarter.size()})
    for kind in GATES:
        power = by_quarter[f"{kind}_power_kw"].sum(min_count=1)
        portfolio[f"{kind}_power_kw"] = power
        portfolio[f"{kind}_energy_mwh"] = power / 1000 * QUARTER_H
        portfolio[f"{kind}_assets"] = by_quarter[f"{kind}_power_kw"].count()
        portfolio[f"{kind}_oldest_version"] = by_quarter[f"{kind}_version"].min()
    return portfolio.reset_index()


def _columns(kind: str) -> tuple[Column, ...]:
    return (
        Column(
            f"{kind}_power_kw", "float", "kW", f"Sum of the {kind} forecasts there are", optional=True
        ),
        Column(
            f"{kind}_energy_mwh", "float", "MWh", "That power times a quarter of an hour", optional=True
        ),
        Column(f"{kind}_assets", "int", "", f"Assets with a {kind} forecast"),
        Column(
            f"{kind}_oldest_version", "time", "UTC", "Oldest of the versions in the sum", optional=True
        ),
    )  # fmt: skip


PRODUCT = Product(
    key="portfolio_forecast",
    title="Forecast of the whole portfolio, latest and latest tradeable",
    grain="quarter hour",
    table=Table(
        name="portfolio_forecast",
        columns=(
            Column("period_start", "time", "UTC", "Start of the quarter hour"),
            *_columns(LATEST),
            *_columns(TRADEABLE),
            Column("assets", "int", "", "Assets in the portfolio"),
        ),
        key=("period_start",),
        time="period_start",
    ),
    compute=compute,
    settings=(DELIVERY_DAY,),
    clock_setting=DELIVERY_DAY.key,
    daily=True,
)
