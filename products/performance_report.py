"""performance_report: how each asset and the portfolio did in a month, the sum of its days."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from domain.settlement import day_window, days_in
from domain.tables import Column, Table
from domain.windows import Window
from products import performance_daily as daily
from products.best_of_infeed import DELIVERY_DAY
from products.product import Product

if TYPE_CHECKING:
    import pandas as pd


def compute(
    performance_daily: pd.DataFrame, *, window: Window, vpp_delivery_day: str
) -> pd.DataFrame:
    """Figures of a month by asset and of the portfolio; ratios are those of the sums.

    ``days`` counts the delivery days that have figures: a month of which some lack is told apart from a
    whole one. Units and meanings: ``performance_daily``.
    """
    import pandas as pd

    clock = ZoneInfo(vpp_delivery_day)
    days = days_in(window, clock)
    rows = performance_daily.assign(
        capacity_quarters=performance_daily["capacity_mw"] * _weights(performance_daily)
    )
    by_asset = rows.groupby("asset_id", sort=True)
    counts = [*daily.COUNTS, "vwap_quarter_hours", "day_quarter_hours"]
    found = by_asset[counts].sum()
    for name in (*daily.AMOUNTS, "vwap_sum_eur_per_mwh", "revenue_eur", "capacity_quarters"):
        found[name] = by_asset[name].sum(min_count=1)
    found["days"] = by_asset.size()
    month = daily.with_ratios(found.reset_index())
    month["month"], month["month_days"] = f"{days[0]:%Y-%m}", len(days)
    month["last_day_start"] = pd.Timestamp(day_window(days[-1], clock).start)
    return month[list(PRODUCT.table.names)]


def _weights(rows: pd.DataFrame) -> pd.Series:
    """Quarter hours that a day's capacity is the mean over."""
    return rows["quarter_hours"].where(
        rows["asset_id"] != daily.PORTFOLIO, rows["day_quarter_hours"]
    )


def documents(rows: pd.DataFrame, origin: str) -> dict[str, bytes]:
    """The report as JSON: the portfolio, then its assets; what is not known is null."""
    units = {column.name: column.unit for column in PRODUCT.table.columns if column.unit}
    found = [
        {name: _plain(row[name]) for name in PRODUCT.table.names if name not in _HEAD}
        for row in rows.to_dict("records")
    ]
    if not found:
        return {}
    head = {name: _plain(rows[name].iloc[0]) for name in ("month", "month_days")}
    content = {
        **head,
        "data": origin,
        "units": units,
        "portfolio": next((row for row in found if row["asset_id"] == daily.PORTFOLIO), None),
        "assets": [row for row in found if row["asset_id"] != daily.PORTFOLIO],
    }
    return {"performance_report.json": (json.dumps(content, indent=2) + "\n").encode()}


_HEAD = ("last_day_start", "month", "month_days")


def _plain(value: Any) -> Any:
    """A cell as JSON has it."""
    if value is None or value != value:
        return None
    return value.item() if hasattr(value, "item") else value


PRODUCT = Product(
    key="performance_report",
    title="Performance of each asset and of the portfolio by month",
    grain="month",
    table=Table(
        name="performance_report",
        columns=(
            Column("last_day_start", "time", "UTC", "Start of the month's last delivery day"),
            Column("month", "text", "", "Delivery month, YYYY-MM"),
            Column("month_days", "int", "", "Days of the month"),
            Column("days", "int", "", "Days that have figures"),
            *daily.columns(),
        ),
        key=("last_day_start", "asset_id"),
        time="last_day_start",
    ),
    compute=compute,
    settings=(DELIVERY_DAY,),
    clock_setting=DELIVERY_DAY.key,
    monthly=True,
    documents=documents,
    daily=True,
)
