"""imbalance_cost: what each asset's deviation from its forecast costs per quarter hour.

The final price where there is one, else the estimate. Price and volume are signed, and what is not
known is no zero. Definitions: vpp reference, "Imbalance".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.settlement import QUARTER_H
from domain.tables import Column, Table
from domain.windows import Window
from products.asset_forecast import LATEST, TRADEABLE
from products.best_of_infeed import DELIVERY_DAY, FINAL, LIVE, MISSING
from products.product import Product
from utils import Setting, choice

if TYPE_CHECKING:
    import pandas as pd

ESTIMATE = "estimate"
SETTINGS = (
    DELIVERY_DAY,
    Setting(
        "VPP_IMBALANCE_FORECAST",
        TRADEABLE,
        choice(LATEST, TRADEABLE),
        "Forecast that imbalance is counted against: latest, or tradeable (at gate closure).",
    ),
)


def compute(
    asset_forecast: pd.DataFrame,
    best_of_infeed: pd.DataFrame,
    vpp_imbalance_prices: pd.DataFrame,
    *,
    window: Window,
    vpp_imbalance_forecast: str,
) -> pd.DataFrame:
    """Imbalance [MWh], price [EUR/MWh] and cost [EUR] per asset and quarter hour of the window.

    ``cost = (forecast − measured) × price``; positive is what we pay. Measured is final, else live;
    best-of-infeed from a forecast is no measurement. ``unknown`` names the first thing that lacks
    (measurement, forecast or price), and then the cost is empty. The price is that of the short side
    for both directions, so that assets add up to the portfolio; where the final price of the long
    side is another, ``two_prices`` is 1.
    """
    import numpy as np

    key = ["asset_id", "period_start"]
    infeed = best_of_infeed[
        best_of_infeed["period_start"].between(window.start, window.end, "left")
    ]
    names = {
        f"{vpp_imbalance_forecast}_version": "forecast_version",
        f"{vpp_imbalance_forecast}_power_kw": "forecast_kw",
    }
    told = asset_forecast[[*key, *names]].rename(columns=names)
    frame = infeed[[*key, "power_kw", "source", "redispatched"]].merge(told, "left", key)
    frame = frame.merge(_prices(vpp_imbalance_prices), "left", "period_start").sort_values(key)
    measured = frame["source"].isin([FINAL, LIVE])
    frame["measured_source"] = frame["source"].where(measured, MISSING)
    frame["measured_mwh"] = frame["power_kw"].where(measured) / 1000 * QUARTER_H
    frame["forecast"] = vpp_imbalance_forecast
    frame["forecast_mwh"] = frame["forecast_kw"] / 1000 * QUARTER_H
    frame["imbalance_mwh"] = frame["forecast_mwh"] - frame["measured_mwh"]
    frame["cost_eur"] = frame["imbalance_mwh"] * frame["price_eur_per_mwh"]
    frame["price_source"] = frame["price_source"].fillna(MISSING)
    for flag in ("doubtful", "two_prices"):
        frame[flag] = frame[flag].fillna(0).astype("int64")
    lacks = [~measured, frame["forecast_mwh"].isna(), frame["price_eur_per_mwh"].isna()]
    frame["unknown"] = np.select(lacks, ["measurement", "forecast", "price"], "")
    return frame[list(PRODUCT.table.names)]


def _prices(prices: pd.DataFrame) -> pd.DataFrame:
    """The price that counts per quarter hour, where it is from, and what is to be known of it."""
    # final sorts behind estimate: the last of a quarter hour counts.
    ordered = prices.sort_values(["period_start", "kind"])
    counts = ordered.drop_duplicates("period_start", keep="last").copy()
    final = counts["kind"] == FINAL
    long = counts["price_long_eur_per_mwh"]
    counts["price_source"] = counts["kind"]
    counts["doubtful"] = (~final & (counts["status"] != 0).fillna(True)).astype("int64")
    counts["two_prices"] = (final & long.notna() & (long != counts["price_eur_per_mwh"])).astype(
        "int64"
    )
    return counts[["period_start", "price_eur_per_mwh", "price_source", "doubtful", "two_prices"]]


def price_columns() -> tuple[Column, ...]:
    """What is said of the price, by asset and for the portfolio."""
    return (
        Column(
            "price_eur_per_mwh", "float", "EUR/MWh", "Imbalance price that counts", optional=True
        ),
        Column("price_source", "text", "", "final, estimate, or missing"),
        Column("doubtful", "int", "", "1 where the estimate is marked as doubtful"),
        Column("two_prices", "int", "", "1 where the final price of the long side is another"),
    )


PRODUCT = Product(
    key="imbalance_cost",
    title="Imbalance of each asset and its cost",
    grain="quarter hour",
    table=Table(
        name="imbalance_cost",
        columns=(
            Column("asset_id", "text", "", "Asset"),
            Column("period_start", "time", "UTC", "Start of the quarter hour"),
            Column("forecast", "text", "", "Which forecast counts: latest or tradeable"),
            Column("forecast_version", "time", "UTC", "Version of that forecast", optional=True),
            Column("forecast_mwh", "float", "MWh", "Forecast infeed", optional=True),
            Column("measured_mwh", "float", "MWh", "Measured infeed", optional=True),
            Column("measured_source", "text", "", "final, live, or missing"),
            Column("redispatched", "int", "", "1 where a redispatch touches the quarter hour"),
            Column(
                "imbalance_mwh", "float", "MWh", "Forecast minus measured; + is short", optional=True
            ),
            *price_columns(),
            Column("cost_eur", "float", "EUR", "Imbalance times price; + is what we pay", optional=True),
            Column("unknown", "text", "", "What the cost lacks: measurement, forecast, price; or empty"),
        ),
        key=("asset_id", "period_start"),
        time="period_start",
    ),
    compute=compute,
    optional=frozenset({"vpp_imbalance_prices"}),
    settings=SETTINGS,
    clock_setting=DELIVERY_DAY.key,
    daily=True,
)  # fmt: skip
