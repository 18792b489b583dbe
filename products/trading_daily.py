"""trading_daily: the totals of ``trading`` by delivery day."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from domain.settlement import local_dates
from domain.tables import Column, Table
from domain.windows import Window
from products import trading
from products.best_of_infeed import DELIVERY_DAY
from products.product import Product

if TYPE_CHECKING:
    import pandas as pd


def compute(
    vpp_private_trades: pd.DataFrame,
    vpp_public_trades: pd.DataFrame,
    portfolio_best_of_infeed: pd.DataFrame,
    *,
    window: Window,
    vpp_delivery_day: str,
    vpp_private_volume_unit: str,
    vpp_public_volume_unit: str,
) -> pd.DataFrame:
    """Money [EUR], volumes [MWh] and prices [EUR/MWh] per delivery day of the window; sell is +.

    Sums are those of ``trading`` before they are rounded; a VWAP is weighted over the whole day. The
    open position is summed over the quarter hours in which it is known, whose number stands beside.
    """
    import numpy as np

    quarters = trading.compute(
        vpp_private_trades,
        vpp_public_trades,
        portfolio_best_of_infeed,
        window=window,
        vpp_delivery_day=vpp_delivery_day,
        vpp_private_volume_unit=vpp_private_volume_unit,
        vpp_public_volume_unit=vpp_public_volume_unit,
    )
    private_mwh = quarters["sell_mwh"] + quarters["buy_mwh"]
    quarters = quarters.assign(
        delivery_date=local_dates(quarters["period_start"], ZoneInfo(vpp_delivery_day)),
        private_eur=(quarters["private_vwap_eur_per_mwh"] * private_mwh),
        private_mwh=private_mwh,
        public_eur=quarters["public_vwap_eur_per_mwh"] * quarters["public_mwh"],
    )
    by_day = quarters.groupby("delivery_date", sort=True)
    daily = by_day.agg(
        period_start=("period_start", "min"),
        quarter_hours=("period_start", "size"),
        traded_quarter_hours=("private_vwap_eur_per_mwh", "count"),
        public_quarter_hours=("public_vwap_eur_per_mwh", "count"),
        infeed_quarter_hours=("infeed_mwh", "count"),
        open_quarter_hours=("open_position_mwh", "count"),
        public_mwh=("public_mwh", "sum"),
    )
    for name in (*_SUMS, "private_eur", "private_mwh", "public_eur"):
        daily[name] = by_day[name].sum(min_count=1)
    daily["trades"] = by_day["trades_begun"].sum(min_count=1)
    for kind in ("private", "public"):
        volume = daily[f"{kind}_mwh"]
        daily[f"{kind}_vwap_eur_per_mwh"] = daily[f"{kind}_eur"] / volume.where(volume > 0, np.nan)
    daily["spread_eur_per_mwh"] = (
        daily["private_vwap_eur_per_mwh"] - daily["public_vwap_eur_per_mwh"]
    )
    return daily.reset_index()[list(PRODUCT.table.names)]


_SUMS = (
    "revenue_eur", "pnl_eur", "sell_mwh", "buy_mwh", "net_mwh", "infeed_mwh", "open_position_mwh",
)  # fmt: skip

PRODUCT = Product(
    key="trading_daily",
    title="Trading by delivery day: revenue, PnL, volumes, VWAP, spread and open position",
    grain="day",
    table=Table(
        name="trading_daily",
        columns=(
            Column("period_start", "time", "UTC", "Start of the delivery day"),
            Column("delivery_date", "date", "", "Delivery day"),
            Column("quarter_hours", "int", "", "Quarter hours of the day: 92, 96 or 100"),
            Column(
                "revenue_eur", "float", "EUR", "Sum of side × MWh × price of the trades that start on the day",
                optional=True,
            ),
            Column("pnl_eur", "float", "EUR", "The day's share of all trades", optional=True),
            Column("trades", "int", "", "Own trades that start on the day", optional=True),
            *trading.money_columns(),
            Column("infeed_mwh", "float", "MWh", "Infeed of the quarter hours that are known", optional=True),
            Column(
                "open_position_mwh", "float", "MWh", "Net sold minus infeed, of the quarter hours that are known",
                optional=True,
            ),
            Column("traded_quarter_hours", "int", "", "Quarter hours with an own trade"),
            Column("public_quarter_hours", "int", "", "Quarter hours with a public trade"),
            Column("infeed_quarter_hours", "int", "", "Quarter hours in which all infeed is known"),
            Column("open_quarter_hours", "int", "", "Quarter hours in which the open position is known"),
        ),
        key=("period_start",),
        time="period_start",
    ),
    compute=compute,
    look_back=trading.PRODUCT.look_back,
    optional=trading.PRODUCT.optional,
    reference=trading.PRODUCT.reference,
    settings=trading.SETTINGS,
    clock_setting=DELIVERY_DAY.key,
    daily=True,
)  # fmt: skip
