"""performance_daily: how each asset and the portfolio did on a delivery day.

Sums stand beside the ratios made of them, so that a month is the sum of its days. Definitions: vpp
reference, "Performance report"; grid-domain reference, §5 (errors) and §7 (capture price and rate).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from domain.settlement import QUARTER, QUARTER_H, day_window, days_in, local_dates, quarter_hours
from domain.tables import Column, Table
from domain.windows import Window
from products.asset_forecast import LATEST
from products.best_of_infeed import (
    DELIVERY_DAY,
    FINAL,
    FORECAST,
    LIVE,
    MISSING,
    newest_snapshots,
)
from products.product import Product

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

PORTFOLIO = "PORTFOLIO"
SOURCES = (FINAL, LIVE, FORECAST, MISSING)
# What adds up, over days and, but for the errors, over assets; ``with_ratios`` makes the rest of it.
COUNTS = (
    "quarter_hours", *(f"{source}_quarter_hours" for source in SOURCES), "compared_quarter_hours",
    "unknown_cost_quarter_hours", "redispatched_quarter_hours",
)  # fmt: skip
AMOUNTS = (
    "production_mwh", "covered_capacity_mwh", "error_mwh", "absolute_error_mwh", "market_value_eur",
    "priced_mwh", "imbalance_cost_eur", "redispatched_mwh",
)  # fmt: skip
ERRORS = ("compared_quarter_hours", "error_mwh", "absolute_error_mwh")


def compute(
    vpp_assets: pd.DataFrame,
    best_of_infeed: pd.DataFrame,
    asset_forecast: pd.DataFrame,
    trading: pd.DataFrame,
    imbalance_cost: pd.DataFrame,
    portfolio_imbalance_cost: pd.DataFrame,
    *,
    window: Window,
    vpp_delivery_day: str,
) -> pd.DataFrame:
    """Figures by delivery day and asset, and of the portfolio, whose ``asset_id`` is PORTFOLIO.

    Energy [MWh] and capacity factor come from best-of-infeed; errors [MW] are forecast − measured where
    both are known, of the portfolio where both are known of every asset (the error of the sum). Market
    value [EUR] is infeed at the public VWAP, revenue [EUR] what the portfolio's trades earn.
    """
    import pandas as pd

    clock = ZoneInfo(vpp_delivery_day)
    quarters = _quarters(
        best_of_infeed, vpp_assets, asset_forecast, trading, imbalance_cost, window=window
    )
    quarters["delivery_date"] = local_dates(quarters["period_start"], clock)
    assets = _sums(quarters)
    whole = _sums(quarters.assign(asset_id=PORTFOLIO))
    costs = portfolio_imbalance_cost
    of_sum = costs.assign(
        asset_id=PORTFOLIO,
        delivery_date=local_dates(costs["period_start"], clock),
        imbalance_mwh=costs["imbalance_mwh"].where(costs["unknown_assets"] == 0),
    )
    whole[list(ERRORS)] = _errors(of_sum).reindex(whole.index)
    prices = trading.assign(delivery_date=local_dates(trading["period_start"], clock)).groupby(
        "delivery_date"
    )
    vwap = prices["public_vwap_eur_per_mwh"]
    market = pd.DataFrame(
        {"vwap_quarter_hours": vwap.count(), "vwap_sum_eur_per_mwh": vwap.sum(min_count=1)}
    )
    whole["revenue_eur"] = (
        prices["pnl_eur"].sum(min_count=1).reindex(whole.index.get_level_values(0)).to_numpy()
    )
    rows = pd.concat([assets, whole]).join(market, on="delivery_date").reset_index()
    days = {
        pd.Timestamp(day).as_unit("s"): day_window(day, clock) for day in days_in(window, clock)
    }
    rows["period_start"] = rows["delivery_date"].map(
        {day: span.start for day, span in days.items()}
    )
    rows["day_quarter_hours"] = rows["delivery_date"].map(
        {day: span.length // QUARTER for day, span in days.items()}
    )
    return with_ratios(rows)[list(PRODUCT.table.names)]


def _quarters(
    infeed: pd.DataFrame,
    assets: pd.DataFrame,
    forecast: pd.DataFrame,
    trading: pd.DataFrame,
    costs: pd.DataFrame,
    *,
    window: Window,
) -> pd.DataFrame:
    """Everything that is known of each asset and quarter hour, side by side."""
    key = ["asset_id", "period_start"]
    inside = infeed[infeed["period_start"].between(window.start, window.end, "left")]
    told = forecast[[*key, f"{LATEST}_energy_mwh"]]
    priced = trading[["period_start", "public_vwap_eur_per_mwh"]]
    return (
        inside.merge(told, "left", key)
        .merge(priced, "left", "period_start")
        .merge(costs[[*key, "imbalance_mwh", "cost_eur"]], "left", key)
        .assign(capacity_mw=lambda rows: _capacities(assets, rows, window))
    )


def _capacities(
    assets: pd.DataFrame, rows: pd.DataFrame, window: Window
) -> npt.NDArray[np.float64]:
    """Contracted capacity [MW] of each row's asset, in the newest snapshot not later than the row."""
    contracts = assets[assets["kind"] == "contract"]
    of_snapshot = contracts.groupby(["snapshot_at", "asset_id"], as_index=False)[
        "capacity_kw"
    ].max()
    found = (
        rows[["asset_id", "period_start"]]
        .merge(newest_snapshots(contracts, quarter_hours(window)), "left", "period_start")
        .merge(of_snapshot, "left", ["snapshot_at", "asset_id"])
    )
    return found["capacity_kw"].to_numpy() / 1000


def _sums(quarters: pd.DataFrame) -> pd.DataFrame:
    """What adds up, by delivery day and asset."""
    known = quarters["source"] != MISSING
    flagged = quarters["redispatched"] == 1
    value = quarters["energy_mwh"] * quarters["public_vwap_eur_per_mwh"]
    parts = quarters.assign(
        **{f"{source}_quarter_hours": quarters["source"] == source for source in SOURCES},
        production_mwh=quarters["energy_mwh"],
        covered_capacity_mwh=quarters["capacity_mw"].where(known, 0.0) * QUARTER_H,
        market_value_eur=value,
        priced_mwh=quarters["energy_mwh"].where(value.notna()),
        imbalance_cost_eur=quarters["cost_eur"],
        unknown_cost_quarter_hours=quarters["cost_eur"].isna(),
        redispatched_quarter_hours=flagged,
        redispatched_mwh=quarters[f"{LATEST}_energy_mwh"].where(flagged),
        capacity_quarters=quarters["capacity_mw"],
    )
    by_day = parts.groupby(["delivery_date", "asset_id"], sort=True)
    found = by_day[[name for name in COUNTS if name in parts]].sum()
    found["quarter_hours"] = by_day.size()
    for name in (*AMOUNTS, "capacity_quarters"):
        if name in parts:
            found[name] = by_day[name].sum(min_count=1)
    return found.join(_errors(quarters))


def _errors(rows: pd.DataFrame) -> pd.DataFrame:
    """Number and sums of the deviations from the forecast [MWh], by delivery day and asset."""
    import pandas as pd

    by_day = rows.assign(size=rows["imbalance_mwh"].abs()).groupby(["delivery_date", "asset_id"])
    found = (
        by_day["size"].count(),
        *(by_day[name].sum(min_count=1) for name in ("imbalance_mwh", "size")),
    )
    return pd.DataFrame(dict(zip(ERRORS, found, strict=True)))


def with_ratios(rows: pd.DataFrame) -> pd.DataFrame:
    """The sums with what is made of them; a ratio without a denominator is empty."""
    import numpy as np

    def over(what: pd.Series, of: pd.Series) -> pd.Series:
        return what / of.where(of > 0, np.nan)

    portfolio = rows["asset_id"] == PORTFOLIO
    # Each asset counts with its share of the day, so that a portfolio has the sum of them.
    share_of = rows["quarter_hours"].where(~portfolio, rows["day_quarter_hours"])
    hours = rows["compared_quarter_hours"] * QUARTER_H
    rows["capacity_mw"] = over(rows["capacity_quarters"], share_of)
    rows["capacity_factor"] = over(rows["production_mwh"], rows["covered_capacity_mwh"])
    rows["bias_mw"] = over(rows["error_mwh"], hours)
    rows["mae_mw"] = over(rows["absolute_error_mwh"], hours)
    rows["nmae"] = over(rows["mae_mw"], rows["capacity_mw"])
    rows["capture_price_eur_per_mwh"] = over(rows["market_value_eur"], rows["priced_mwh"])
    mean = over(rows["vwap_sum_eur_per_mwh"], rows["vwap_quarter_hours"])
    rows["mean_vwap_eur_per_mwh"] = mean
    rows["capture_rate"] = over(rows["capture_price_eur_per_mwh"], mean)
    for source in SOURCES:
        rows[f"{source}_share"] = over(rows[f"{source}_quarter_hours"], rows["quarter_hours"])
    for name in (*COUNTS, "vwap_quarter_hours", "day_quarter_hours"):
        rows[name] = rows[name].fillna(0).astype("int64")
    return rows


def columns() -> tuple[Column, ...]:
    """The figures, which days and months have in common."""
    return (
        Column("asset_id", "text", "", f"Asset, or {PORTFOLIO}"),
        Column("capacity_mw", "float", "MW", "Contracted capacity, mean over the time", optional=True),
        Column("day_quarter_hours", "int", "", "Quarter hours of the time"),
        Column("quarter_hours", "int", "", "Quarter hours under contract; of the portfolio, over all assets"),
        *(
            Column(f"{source}_quarter_hours", "int", "", f"Of these from source {source}")
            for source in SOURCES
        ),
        *(Column(f"{source}_share", "float", "", f"Share of source {source}", optional=True) for source in SOURCES),
        Column("production_mwh", "float", "MWh", "Best-of-infeed", optional=True),
        Column("covered_capacity_mwh", "float", "MWh", "Capacity × time with a source", optional=True),
        Column("capacity_factor", "float", "", "Production over it", optional=True),
        Column("compared_quarter_hours", "int", "", "Quarter hours with forecast and measurement"),
        Column("error_mwh", "float", "MWh", "Sum of forecast − measured", optional=True),
        Column("absolute_error_mwh", "float", "MWh", "Sum of |forecast − measured|", optional=True),
        Column("bias_mw", "float", "MW", "Mean error; > 0 where the forecast is too high", optional=True),
        Column("mae_mw", "float", "MW", "Mean absolute error", optional=True),
        Column("nmae", "float", "", "MAE over capacity", optional=True),
        Column("market_value_eur", "float", "EUR", "Infeed at the public VWAP", optional=True),
        Column("priced_mwh", "float", "MWh", "Infeed of quarter hours with a public VWAP", optional=True),
        Column("capture_price_eur_per_mwh", "float", "EUR/MWh", "Market value per priced MWh", optional=True),
        Column("vwap_quarter_hours", "int", "", "Quarter hours with a public VWAP"),
        Column("vwap_sum_eur_per_mwh", "float", "EUR/MWh", "Sum of these VWAPs", optional=True),
        Column("mean_vwap_eur_per_mwh", "float", "EUR/MWh", "Mean public VWAP over time", optional=True),
        Column("capture_rate", "float", "", "Capture price over it; empty where it is not positive", optional=True),
        Column("revenue_eur", "float", "EUR", "PnL of the portfolio's trades", optional=True),
        Column("imbalance_cost_eur", "float", "EUR", "Known imbalance cost; + is what we pay", optional=True),
        Column("unknown_cost_quarter_hours", "int", "", "Quarter hours whose cost is not known"),
        Column("redispatched_quarter_hours", "int", "", "Quarter hours that a redispatch touches"),
        Column("redispatched_mwh", "float", "MWh", "Latest forecast of these", optional=True),
    )  # fmt: skip


PRODUCT = Product(
    key="performance_daily",
    title="Performance of each asset and of the portfolio by delivery day",
    grain="day",
    table=Table(
        name="performance_daily",
        columns=(
            Column("period_start", "time", "UTC", "Start of the delivery day"),
            Column("delivery_date", "date", "", "Delivery day"),
            *columns(),
        ),
        key=("period_start", "asset_id"),
        time="period_start",
    ),
    compute=compute,
    look_back={"vpp_assets": timedelta(days=3660)},
    optional=frozenset({"trading", "portfolio_imbalance_cost", "imbalance_cost"}),
    reference=frozenset({"vpp_assets"}),
    settings=(DELIVERY_DAY,),
    clock_setting=DELIVERY_DAY.key,
    daily=True,
)
