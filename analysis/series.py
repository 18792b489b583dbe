"""British wind and solar as series on half hours, read once for every figure and picture of a range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.capacity import Capacity, capacity_of
from domain import analytics
from domain.settlement import PERIOD, period_grid
from domain.windows import Window

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from stores.sql import SqlStore

    Floats = npt.NDArray[np.float64]

PERIOD_H = PERIOD.total_seconds() / 3600
# A series is the sum of types, where each of them is known.
SERIES: dict[str, tuple[str, ...]] = {
    "Wind": ("Wind Offshore", "Wind Onshore"),
    "Wind Offshore": ("Wind Offshore",),
    "Wind Onshore": ("Wind Onshore",),
    "Solar": ("Solar",),
}


@dataclass(frozen=True)
class WindSolar:
    """Series on the half hours that start in the window: mean power [MW], NaN where unknown.

    ``periods`` has one row a half hour: ``period_start`` (UTC), ``settlement_date``,
    ``settlement_period``.
    """

    window: Window
    periods: pd.DataFrame
    power_mw: dict[str, Floats]
    capacity: dict[str, Capacity]

    def share(self, series: str) -> Floats:
        """Output over capacity, or over the highest output observed."""
        return self.power_mw[series] / self.capacity[series].mw

    def at(self, place: int) -> pd.Timestamp:
        """The start of an interval."""
        start: pd.Timestamp = self.periods["period_start"].iloc[place]
        return start


def read_wind_solar(
    store: SqlStore,
    window: Window,
    where: Mapping[str, Any] | None = None,
    capacity_mw: Mapping[str, float] | None = None,
) -> WindSolar:
    """The series that the store has rows of; ``capacity_mw`` states capacities [MW] by series."""
    import numpy as np

    stated = dict(capacity_mw or {})
    if set(SERIES["Wind"]) <= set(stated):
        stated.setdefault("Wind", sum(stated[kind] for kind in SERIES["Wind"]))
    names = ["period_start", "psr_type", "generation_mw"]
    rows = store.read_table(store.tables["wind_solar"], window, where, names)
    periods = period_grid(window)
    periods = periods[periods["period_start"] >= window.start].reset_index(drop=True)
    power: dict[str, Floats] = {}
    if len(rows) and len(periods):
        start = periods["period_start"].iloc[0].timestamp()
        seconds = rows["period_start"].astype("int64") / 1e6
        step = PERIOD.total_seconds()
        by_type = {
            str(kind): analytics.regular(
                seconds[own.index], own["generation_mw"], start, start + len(periods) * step, step
            )
            for kind, own in rows.groupby("psr_type")
        }
        power = {
            name: np.sum([by_type[kind] for kind in kinds], axis=0)
            for name, kinds in SERIES.items()
            if by_type.keys() >= set(kinds)
        }
    capacity = {
        name: capacity_of(
            store, SERIES[name], window, periods["period_start"], values, stated.get(name)
        )
        for name, values in power.items()
    }
    return WindSolar(window, periods, power, capacity)
