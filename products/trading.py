"""trading: what was traded for each quarter hour, at what price, and what position is left open.

Every trade whose delivery holds a quarter hour counts in it: an hourly trade of V MW is four
quarter-hour trades of V MW. Definitions: vpp reference, "Trading".
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from domain.settlement import QUARTER, QUARTER_H, day_window, days_in, quarter_hours
from domain.tables import Column, Table
from domain.windows import Window
from products.best_of_infeed import DELIVERY_DAY
from products.product import Product
from utils import Setting, choice

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

AS_LABELLED = "as_labelled"
SETTINGS = (
    DELIVERY_DAY,
    *(
        Setting(
            f"VPP_{kind.upper()}_VOLUME_UNIT",
            AS_LABELLED,
            choice(AS_LABELLED, "MW", "MWH"),
            f"Unit of the volumes of {kind} trades: as_labelled, or MW or MWH whatever the label says.",
        )
        for kind in ("private", "public")
    ),
)


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
    """Money [EUR], volumes [MWh] and prices [EUR/MWh] per quarter hour of the window; sell is +.

    ``pnl_eur`` is what a quarter hour's share of every trade earns, ``revenue_eur`` all that the
    trades earn whose delivery starts in it: over the deliveries both have the same sum. A quarter
    hour without a trade has 0 of both and no VWAP. On a delivery day without one private trade
    nothing tells none from a file that never came: its private figures are empty. The open position
    is net sold minus infeed, and empty while an asset's infeed is unknown.
    """
    import numpy as np
    import pandas as pd

    starts = quarter_hours(window)
    count = len(starts)
    own = Shares(vpp_private_trades, starts, vpp_private_volume_unit)
    public = Shares(vpp_public_trades, starts, vpp_public_volume_unit)
    known = _days_with(own.trades, window, vpp_delivery_day)

    def if_known(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.where(known, values, np.nan)

    sold = (vpp_private_trades["side"] == "SELL").to_numpy()
    sign = np.where(sold, 1.0, -1.0)
    price = vpp_private_trades["price_eur_per_mwh"].to_numpy()
    sell = own.sum(sold[own.of] * own.energy)
    buy = own.sum(~sold[own.of] * own.energy)
    first = own.begins
    earned = (sign * price * own.total)[own.of[first]]
    revenue = np.bincount(own.quarter[first], earned, minlength=count).astype("float64")
    begun = np.bincount(own.quarter[first], minlength=count)
    infeed = portfolio_best_of_infeed.set_index("period_start").reindex(starts)
    complete = (infeed["missing_assets"] == 0).to_numpy()
    fed_in = np.where(complete, infeed["power_kw"].to_numpy() / 1000 * QUARTER_H, np.nan)
    return pd.DataFrame(
        {
            "period_start": starts,
            "revenue_eur": if_known(revenue),
            "pnl_eur": if_known(own.sum((sign * price)[own.of] * own.energy)),
            "sell_mwh": if_known(sell),
            "buy_mwh": if_known(buy),
            "net_mwh": if_known(sell - buy),
            "trades": pd.Series(own.trades).where(known).astype("Int64"),
            "trades_begun": pd.Series(begun).where(known).astype("Int64"),
            "private_vwap_eur_per_mwh": own.vwap,
            "public_vwap_eur_per_mwh": public.vwap,
            "spread_eur_per_mwh": own.vwap - public.vwap,
            "public_mwh": public.volume,
            "public_trades": public.trades,
            "infeed_mwh": fed_in,
            "open_position_mwh": if_known(sell - buy) - fed_in,
        }
    )


class Shares:
    """Trades cut into quarter hours: each share knows its trade (``of``) and quarter hour.

    ``energy`` is a share's energy [MWh], ``total`` a trade's; ``begins`` marks the first share of a
    trade. ``trades``, ``volume`` [MWh] and ``vwap`` [EUR/MWh] are per quarter hour.
    """

    def __init__(self, trades: pd.DataFrame, starts: pd.DatetimeIndex, unit: str) -> None:
        import numpy as np

        self.count = len(starts)
        begin = _quarters(trades["period_start"] - starts[0])
        quarters = _quarters(trades["period_end"] - trades["period_start"])
        of = np.repeat(np.arange(len(trades)), quarters)
        nth = np.arange(len(of)) - np.repeat(np.cumsum(quarters) - quarters, quarters)
        quarter = begin[of] + nth
        inside = (quarter >= 0) & (quarter < self.count)
        self.of, self.quarter, self.begins = of[inside], quarter[inside], nth[inside] == 0
        labels = trades["volume_unit"].to_numpy() if unit == AS_LABELLED else unit
        volume = trades["volume"].to_numpy()
        hours = quarters * QUARTER_H
        self.total = np.where(np.asarray(labels == "MWH"), volume, volume * hours)
        self.energy = (self.total / np.maximum(quarters, 1))[self.of]
        price = trades["price_eur_per_mwh"].to_numpy()
        self.trades = np.bincount(self.quarter, minlength=self.count)
        self.volume = self.sum(self.energy)
        money = self.sum(self.energy * price[self.of])
        some = self.volume > 0
        self.vwap = np.where(some, money / np.where(some, self.volume, 1.0), np.nan)

    def sum(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The sum of one value a share, by quarter hour."""
        import numpy as np

        return np.bincount(self.quarter, values, minlength=self.count).astype("float64")


def _quarters(spans: pd.Series) -> npt.NDArray[np.int64]:
    """Time spans in whole quarter hours."""
    import numpy as np

    seconds = np.asarray(spans.dt.total_seconds(), dtype="float64")
    return np.asarray(seconds // QUARTER.total_seconds(), dtype="int64")


def _days_with(trades: npt.NDArray[np.int64], window: Window, clock: str) -> npt.NDArray[np.bool_]:
    """Which quarter hours belong to a delivery day on which anything was traded."""
    import numpy as np

    known = np.zeros(len(trades), dtype=bool)
    zone = ZoneInfo(clock)
    for day in days_in(window, zone):
        span = day_window(day, zone)
        first, last = (max(0, (at - window.start) // QUARTER) for at in (span.start, span.end))
        known[first:last] = trades[first:last].any()
    return known


def money_columns() -> tuple[Column, ...]:
    """The columns that quarter hours and days have in common."""
    return (
        Column("sell_mwh", "float", "MWh", "Sold energy, not negative", optional=True),
        Column("buy_mwh", "float", "MWh", "Bought energy, not negative", optional=True),
        Column("net_mwh", "float", "MWh", "Sold minus bought", optional=True),
        Column(
            "private_vwap_eur_per_mwh", "float", "EUR/MWh", "Own prices weighted by volume", optional=True
        ),
        Column(
            "public_vwap_eur_per_mwh", "float", "EUR/MWh", "All prices weighted by volume", optional=True
        ),
        Column("spread_eur_per_mwh", "float", "EUR/MWh", "Private minus public VWAP", optional=True),
        Column("public_mwh", "float", "MWh", "Volume behind the public VWAP"),
    )  # fmt: skip


PRODUCT = Product(
    key="trading",
    title="Trading: revenue, PnL, volumes, VWAP, spread and open position",
    grain="quarter hour",
    table=Table(
        name="trading",
        columns=(
            Column("period_start", "time", "UTC", "Start of the quarter hour"),
            Column(
                "revenue_eur", "float", "EUR", "Sum of side × MWh × price of the trades that start here",
                optional=True,
            ),
            Column("pnl_eur", "float", "EUR", "The quarter hour's share of all trades", optional=True),
            Column("trades", "int", "", "Own trades that deliver here", optional=True),
            Column("trades_begun", "int", "", "Own trades that start here", optional=True),
            *money_columns(),
            Column("public_trades", "int", "", "Public trades that deliver here"),
            Column("infeed_mwh", "float", "MWh", "Best-of-infeed of all assets", optional=True),
            Column(
                "open_position_mwh", "float", "MWh", "Net sold minus infeed; + is sold and not fed in",
                optional=True,
            ),
        ),
        key=("period_start",),
        time="period_start",
    ),
    compute=compute,
    look_back={"vpp_private_trades": 100 * QUARTER, "vpp_public_trades": 100 * QUARTER},
    optional=frozenset({"vpp_private_trades", "vpp_public_trades", "portfolio_best_of_infeed"}),
    # Infeed alone is no reason for a day of trading.
    reference=frozenset({"portfolio_best_of_infeed"}),
    settings=SETTINGS,
    clock_setting=DELIVERY_DAY.key,
    daily=True,
)  # fmt: skip
