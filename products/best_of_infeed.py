"""best_of_infeed: what each asset fed in per quarter hour, from the best source there is.

A priority, not a maximum: final measured, else live measured, else the latest forecast. A redispatch
flag sets only the forecast to zero, because measurements show the curtailment already. Definitions:
vpp reference, "Best-of-infeed", "Latest forecast", "Live quarter-hour mean".
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from domain.integration import integrate
from domain.settlement import QUARTER, QUARTER_H, quarter_hours
from domain.tables import Column, Table
from domain.windows import Window
from products.product import Product
from utils import Setting, choice, number

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Floats = npt.NDArray[np.float64]

QUARTER_US = QUARTER // timedelta(microseconds=1)
FINAL, LIVE, FORECAST, MISSING = "final", "live", "forecast", "missing"

DELIVERY_DAY = Setting(
    "VPP_DELIVERY_DAY",
    "UTC",
    choice("UTC", "Europe/Berlin"),
    "Clock that the delivery days of the virtual power plant follow: UTC or Europe/Berlin.",
)
SETTINGS = (
    DELIVERY_DAY,
    Setting(
        "VPP_LIVE_HOLD_MINUTES",
        "5",
        number(0, 60, "min"),
        "How long a live value is taken to last when the next one is late [min].",
    ),
    Setting(
        "VPP_LIVE_MIN_COVERAGE",
        "0.5",
        number(0, 1, "share"),
        "Share of a quarter hour that live values must cover to be used.",
    ),
)


def compute(
    vpp_assets: pd.DataFrame,
    vpp_final_production: pd.DataFrame,
    vpp_live_infeed: pd.DataFrame,
    vpp_forecasts: pd.DataFrame,
    vpp_redispatch: pd.DataFrame,
    *,
    window: Window,
    vpp_live_hold_minutes: float,
    vpp_live_min_coverage: float,
) -> pd.DataFrame:
    """Best infeed [kW] and energy [MWh] per asset and quarter hour of the window.

    Assets are those of the newest contract snapshot not later than the quarter hour. A live mean is
    weighted by time, each value held at most ``vpp_live_hold_minutes``, clipped below zero after
    averaging, and used from ``vpp_live_min_coverage`` on. The latest forecast is the newest version
    not later than the quarter hour. Energy is power times a quarter of an hour.
    """
    import numpy as np
    import pandas as pd

    starts = quarter_hours(window)
    frame = members(vpp_assets, starts)

    def power(rows: pd.DataFrame, whose: str) -> Floats:
        return frame.merge(rows, "left", [whose, "period_start"])["power_kw"].to_numpy()

    final = power(vpp_final_production, "metering_point_id")
    mean, coverage = _live(
        vpp_live_infeed, frame, starts, vpp_live_hold_minutes, vpp_live_min_coverage
    )
    forecast = power(newest_version(vpp_forecasts), "asset_id")
    flagged = _flagged(vpp_redispatch, frame)
    planned = np.where(flagged & ~np.isnan(forecast), 0.0, forecast)
    known = [~np.isnan(final), ~np.isnan(mean), ~np.isnan(planned)]
    best = np.select(known, [final, mean, planned], np.nan)
    return pd.DataFrame(
        {
            "asset_id": frame["asset_id"],
            "period_start": frame["period_start"],
            "power_kw": best,
            "energy_mwh": best / 1000 * QUARTER_H,
            "source": np.select(known, [FINAL, LIVE, FORECAST], MISSING),
            "redispatched": flagged.astype("int64"),
            "live_coverage": coverage,
        }
    )


def members(assets: pd.DataFrame, starts: pd.DatetimeIndex) -> pd.DataFrame:
    """Asset, metering point and quarter hour, in order, for all that the newest contracts then name."""
    contracts = assets.loc[
        assets["kind"] == "contract", ["asset_id", "snapshot_at", "metering_point_id"]
    ]
    one_each = contracts.drop_duplicates(["asset_id", "snapshot_at"], keep="last")
    quarters = newest_snapshots(contracts, starts)
    # The merge keeps this order, in which the quarter hours of an asset follow each other.
    ordered = one_each.sort_values(["asset_id", "snapshot_at"])
    return ordered.merge(quarters, on="snapshot_at")[
        ["asset_id", "metering_point_id", "period_start"]
    ]


def newest_snapshots(contracts: pd.DataFrame, starts: pd.DatetimeIndex) -> pd.DataFrame:
    """Of each quarter hour, in order, the newest snapshot of contracts not later than it."""
    import pandas as pd

    return pd.merge_asof(
        pd.DataFrame({"period_start": starts}),
        contracts[["snapshot_at"]].drop_duplicates().sort_values("snapshot_at"),
        left_on="period_start",
        right_on="snapshot_at",
    )


def newest_version(forecasts: pd.DataFrame, before: timedelta = timedelta(0)) -> pd.DataFrame:
    """Of each asset and quarter hour the newest forecast made ``before`` it or earlier."""
    told = forecasts[forecasts["version"] <= forecasts["period_start"] - before]
    return told.sort_values("version").drop_duplicates(["asset_id", "period_start"], keep="last")


def _live(
    samples: pd.DataFrame,
    frame: pd.DataFrame,
    starts: pd.DatetimeIndex,
    hold_minutes: float,
    min_coverage: float,
) -> tuple[Floats, Floats]:
    """Mean live power [kW] of each row of ``frame``, NaN where too little is covered, and coverage."""
    import numpy as np
    import pandas as pd

    mean, coverage = np.full(len(frame), np.nan), np.zeros(len(frame))
    edges = np.arange(len(starts) + 1) * QUARTER.total_seconds()
    quarter = starts.get_indexer(pd.Index(frame["period_start"]))
    rows_of = frame.groupby("asset_id").indices
    # Seconds since the first quarter hour: small enough for a float to hold the milliseconds exactly.
    since = (samples["measurement_time"] - starts[0]).dt.total_seconds()
    samples = samples.assign(seconds=since + samples["millisecond"] / 1000)
    for asset, own in samples.sort_values("seconds").groupby("asset_id"):
        if asset in rows_of:
            held = integrate(
                own["seconds"],
                own["power_kw"],
                edges,
                hold_s=hold_minutes * 60,
                min_coverage=min_coverage,
            )
            rows = rows_of[asset]
            mean[rows] = np.maximum(held.mean, 0.0)[quarter[rows]]
            coverage[rows] = held.coverage[quarter[rows]]
    return mean, coverage


def _flagged(flags: pd.DataFrame, frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which rows of ``frame`` a redispatch of their metering point touches."""
    import numpy as np

    found = np.zeros(len(frame), dtype=bool)
    begins = frame["period_start"].astype("int64").to_numpy()
    rows_of = frame.groupby("metering_point_id").indices
    active = flags[flags["redispatched"] == 1]
    spans = (active[name].astype("int64") for name in ("period_start", "period_end"))
    for point, begin, end in zip(active["metering_point_id"], *spans, strict=True):
        if point in rows_of:
            starts = begins[rows_of[point]]
            found[rows_of[point]] |= (starts < end) & (starts + QUARTER_US > begin)
    return found


PRODUCT = Product(
    key="best_of_infeed",
    title="Infeed of each asset from the best source: final, live or forecast",
    grain="quarter hour",
    table=Table(
        name="best_of_infeed",
        columns=(
            Column("asset_id", "text", "", "Asset"),
            Column("period_start", "time", "UTC", "Start of the quarter hour"),
            Column("power_kw", "float", "kW", "Mean power from the best source", optional=True),
            Column("energy_mwh", "float", "MWh", "That power times a quarter of an hour", optional=True),
            Column("source", "text", "", "final, live, forecast, or missing"),
            Column("redispatched", "int", "", "1 where a redispatch touches the quarter hour"),
            Column("live_coverage", "float", "", "Share that live values cover, 0 to 1"),
        ),
        key=("asset_id", "period_start"),
        time="period_start",
    ),
    compute=compute,
    look_back={
        "vpp_assets": timedelta(days=3660),
        "vpp_live_infeed": timedelta(hours=1),
        "vpp_redispatch": timedelta(days=1),
    },
    optional=frozenset(
        {"vpp_final_production", "vpp_live_infeed", "vpp_forecasts", "vpp_redispatch"}
    ),
    reference=frozenset({"vpp_assets"}),
    settings=SETTINGS,
    clock_setting=DELIVERY_DAY.key,
    daily=True,
)  # fmt: skip
