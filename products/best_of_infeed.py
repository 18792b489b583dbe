"""best_of_infeed: what each asset fed in per quarter hour, from the best source there is.

A priority, not a maximum: final measured, else live measured, else the latest forecast. A redispatch
flag sets only the forecast to zero, because measurements show the curtailment already. Definitions:
vpp reference, "Best-of-infeed", "Latest forecast", "Live quarter-hour mean".
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from domain.integration import integrate
from domain.tables import Column, Table
from domain.windows import Window
from products.product import Product
from utils import Setting, choice, number

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

QUARTER_S = 900
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

    starts = pd.date_range(window.start, window.end, freq="15min", inclusive="left", unit="us")
    frames = []
    for asset, point, member in members(vpp_assets, starts):
        of_point = vpp_final_production[vpp_final_production["metering_point_id"] == point]
        final = of_point.set_index("period_start")["power_kw"].reindex(starts).to_numpy()
        samples = vpp_live_infeed[vpp_live_infeed["asset_id"] == asset]
        mean, coverage = _live(samples, starts, vpp_live_hold_minutes, vpp_live_min_coverage)
        forecast = _latest(vpp_forecasts[vpp_forecasts["asset_id"] == asset], starts)
        flagged = _flagged(vpp_redispatch[vpp_redispatch["metering_point_id"] == point], starts)
        planned = np.where(flagged & ~np.isnan(forecast), 0.0, forecast)
        known = [~np.isnan(final), ~np.isnan(mean), ~np.isnan(planned)]
        power = np.select(known, [final, mean, planned], np.nan)
        frame = pd.DataFrame(
            {
                "asset_id": asset,
                "period_start": starts,
                "power_kw": power,
                "energy_mwh": power / 1000 * (QUARTER_S / 3600),
                "source": np.select(known, [FINAL, LIVE, FORECAST], MISSING),
                "redispatched": flagged.astype("int64"),
                "live_coverage": coverage,
            }
        )
        frames.append(frame[member])
    columns = [column.name for column in PRODUCT.table.columns]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def members(
    assets: pd.DataFrame, starts: pd.DatetimeIndex
) -> list[tuple[str, str, npt.NDArray[np.bool_]]]:
    """Assets that a contract snapshot names, with metering point and the quarter hours it holds for."""
    import numpy as np

    contracts = assets[assets["kind"] == "contract"]
    snapshots = np.sort(contracts["snapshot_at"].unique())
    if not len(snapshots):
        return []
    # Which snapshot is the newest not later than each quarter hour; -1 before the first.
    newest = np.searchsorted(snapshots, starts.to_numpy(), side="right") - 1
    members: dict[str, tuple[str, npt.NDArray[np.bool_]]] = {}
    for index in np.unique(newest[newest >= 0]):
        valid = contracts[contracts["snapshot_at"] == snapshots[index]]
        for asset, point in zip(valid["asset_id"], valid["metering_point_id"], strict=True):
            _, before = members.get(asset, ("", np.zeros(len(starts), dtype=bool)))
            members[asset] = (point, before | (newest == index))
    return [(asset, point, when) for asset, (point, when) in sorted(members.items())]


def _live(
    samples: pd.DataFrame, starts: pd.DatetimeIndex, hold_minutes: float, min_coverage: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean live power [kW] of each quarter hour, NaN where too little is covered, and coverage."""
    import numpy as np

    ordered = samples.sort_values(["measurement_time", "millisecond"])
    # Seconds since the first quarter hour: small enough for a float to hold the milliseconds exactly.
    origin = starts[0]
    seconds = (ordered["measurement_time"] - origin).dt.total_seconds() + ordered[
        "millisecond"
    ] / 1000
    edges = np.arange(len(starts) + 1) * float(QUARTER_S)
    held = integrate(
        seconds, ordered["power_kw"], edges, hold_s=hold_minutes * 60, min_coverage=min_coverage
    )
    return np.maximum(held.mean, 0.0), held.coverage


def _latest(forecasts: pd.DataFrame, starts: pd.DatetimeIndex) -> npt.NDArray[np.float64]:
    """Forecast power [kW] of each quarter hour from the newest version not later than its start."""
    told = forecasts[forecasts["version"] <= forecasts["period_start"]].sort_values("version")
    newest = told.drop_duplicates("period_start", keep="last").set_index("period_start")
    return newest["power_kw"].reindex(starts).to_numpy()


def _flagged(flags: pd.DataFrame, starts: pd.DatetimeIndex) -> npt.NDArray[np.bool_]:
    """Which quarter hours a redispatch touches."""
    import numpy as np

    found = np.zeros(len(starts), dtype=bool)
    ends = starts + timedelta(seconds=QUARTER_S)
    active = flags[flags["redispatched"] == 1]
    for begin, end in zip(active["period_start"], active["period_end"], strict=True):
        found |= np.asarray((starts < end) & (ends > begin))
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
