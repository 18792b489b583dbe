"""asset_forecast: what was expected of each asset per quarter hour, at delivery and at gate closure.

Versions are never added up: each quarter hour has the newest version not later than its start
(*latest*), and the newest one not later than a quarter hour before (*tradeable*: what could still be
traded on). Definitions: vpp reference, "Latest forecast", "Latest tradeable".
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from domain.settlement import QUARTER, QUARTER_H, quarter_hours
from domain.tables import Column, Table
from domain.windows import Window
from products.best_of_infeed import DELIVERY_DAY, members, newest_version
from products.product import Product

if TYPE_CHECKING:
    import pandas as pd

LATEST, TRADEABLE = "latest", "tradeable"
# How long before delivery a version must be there.
GATES = {LATEST: timedelta(0), TRADEABLE: QUARTER}


def compute(
    vpp_assets: pd.DataFrame, vpp_forecasts: pd.DataFrame, *, window: Window
) -> pd.DataFrame:
    """Forecast power [kW], energy [MWh] and version per asset and quarter hour of the window.

    Assets are those of the newest contract snapshot not later than the quarter hour. Where no
    version is known in time, power, energy and version are empty. Infeed is positive.
    """

    starts = quarter_hours(window)
    key = ["asset_id", "period_start"]
    frame = members(vpp_assets, starts)[key]
    for kind, before in GATES.items():
        told = frame[key].merge(newest_version(vpp_forecasts, before), "left", key)
        frame[f"{kind}_version"] = told["version"]
        frame[f"{kind}_power_kw"] = told["power_kw"]
        frame[f"{kind}_energy_mwh"] = told["power_kw"] / 1000 * QUARTER_H
    return frame


def _columns(kind: str, text: str) -> tuple[Column, ...]:
    return (
        Column(f"{kind}_version", "time", "UTC", f"Newest version {text}", optional=True),
        Column(f"{kind}_power_kw", "float", "kW", "Mean power in that version", optional=True),
        Column(
            f"{kind}_energy_mwh", "float", "MWh", "That power times a quarter of an hour", optional=True
        ),
    )  # fmt: skip


PRODUCT = Product(
    key="asset_forecast",
    title="Forecast of each asset, latest and latest tradeable, with its version",
    grain="quarter hour",
    table=Table(
        name="asset_forecast",
        columns=(
            Column("asset_id", "text", "", "Asset"),
            Column("period_start", "time", "UTC", "Start of the quarter hour"),
            *_columns(LATEST, "not later than the quarter hour"),
            *_columns(TRADEABLE, "not later than gate closure, a quarter hour before"),
        ),
        key=("asset_id", "period_start"),
        time="period_start",
    ),
    compute=compute,
    look_back={"vpp_assets": timedelta(days=3660)},
    reference=frozenset({"vpp_assets"}),
    settings=(DELIVERY_DAY,),
    clock_setting=DELIVERY_DAY.key,
    daily=True,
)
