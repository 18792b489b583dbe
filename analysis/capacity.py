"""Installed capacity of British wind and solar: where a store has it, and what it is a capacity of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from domain.windows import Window

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from stores.sql import SqlStore

    Floats = npt.NDArray[np.float64]

# A figure of every half hour stands for its neighbours so long, one of a year for a year.
NEAR, A_YEAR = timedelta(days=31), timedelta(days=366)
# A source that knows less of the time is none; nor is one that output exceeds, which is of other plants.
LEAST_SHARE = 0.5
# Every issue of the embedded forecast repeats the capacity; the newest ones are enough.
NEWEST_ISSUES = timedelta(days=2)
# Of an output without capacity the share of this quantile is told.
HIGHEST = 0.999
MEANING = (
    "Capacity, from data: of metered wind by NESO (day_ahead_wind_forecast), of embedded solar by NESO, "
    "nearly all there is (historic_demand, embedded_forecasts), by type and year (igca by Elexon, "
    "entsoe_installed_capacity of GB until 2021), which may count plants that are not metered. A share of "
    "the observed maximum is no capacity factor."
)
_ENTSOE = {"Solar": "B16", "Wind Offshore": "B18", "Wind Onshore": "B19"}


@dataclass(frozen=True)
class Capacity:
    """What output is a share of: one figure an interval [MW], NaN where unknown, and where it is from.

    Not ``installed`` is the highest output observed (P99.9): a share of that is no capacity factor.
    """

    mw: Floats
    installed: bool
    source: str


def capacity_of(
    store: SqlStore,
    types: tuple[str, ...],
    window: Window,
    starts: pd.Series,
    power_mw: Floats,
    stated_mw: float | None,
) -> Capacity:
    """Capacity of the types' sum at each interval start: as stated, else from data, else as observed."""
    import numpy as np

    from domain.analytics import quantiles

    if stated_mw is not None:
        return Capacity(np.full(power_mw.shape, stated_mw), True, "input: --capacity")
    known, refused = ~np.isnan(power_mw), []
    for source, read in _sources(types).items():
        parts = [_held(figures, starts, hold) for figures, hold in read(store, window)]
        if not parts:
            continue
        installed = np.sum(parts, axis=0)  # unknown where one part is
        installed[~(installed > 0)] = np.nan
        if not known.any() or (~np.isnan(installed[known])).mean() < LEAST_SHARE:
            continue
        if quantiles(power_mw / installed, [HIGHEST])[0] <= 1:
            return Capacity(installed, True, f"data: {source}")
        refused.append(source)
    highest = np.full(power_mw.shape, quantiles(power_mw, [HIGHEST])[0] or np.nan)
    why = f" (output exceeds the capacity of {', '.join(refused)})" if refused else ""
    return Capacity(highest, False, f"observed maximum (P99.9){why}")


# Figures (``at``, ``mw``), and how long one of them holds.
_Read = Callable[["SqlStore", Window], Iterator[tuple["pd.DataFrame", timedelta]]]


def _sources(types: tuple[str, ...]) -> Mapping[str, _Read]:
    """What may tell the capacity of the types' sum, the closest to what is metered first."""
    found: dict[str, _Read] = {}
    if len(types) > 1:
        found["day_ahead_wind_forecast"] = _metered_wind
    if types == ("Solar",):
        found["historic_demand"] = _embedded_solar
        found["embedded_forecasts"] = _embedded_solar_newest
    found["igca"] = lambda *of: _by_year(types, *of)
    found["entsoe_installed_capacity"] = lambda *of: _entsoe(types, *of)
    return found


def _metered_wind(store: SqlStore, window: Window) -> Iterator[tuple[pd.DataFrame, timedelta]]:
    yield _read(store, "day_ahead_wind_forecast", window, "wind_capacity_mw"), NEAR


def _embedded_solar(store: SqlStore, window: Window) -> Iterator[tuple[pd.DataFrame, timedelta]]:
    yield _read(store, "historic_demand", window, "embedded_solar_capacity_mw"), NEAR


def _read(store: SqlStore, key: str, window: Window, column: str) -> pd.DataFrame:
    around = Window(window.start - NEAR, window.end + NEAR)
    rows = store.read_table(store.tables[key], around, columns=["period_start", column])
    return rows.set_axis(["at", "mw"], axis=1)


def _embedded_solar_newest(
    store: SqlStore, window: Window
) -> Iterator[tuple[pd.DataFrame, timedelta]]:
    names = ["published_at", "period_start", "embedded_solar_capacity_mw"]
    issued = Window(window.end - NEWEST_ISSUES, window.end)
    rows = store.read_table(store.tables["embedded_forecasts"], issued, columns=names)
    newest = rows.sort_values("published_at").drop_duplicates("period_start", keep="last")
    yield newest[names[1:]].set_axis(["at", "mw"], axis=1), NEAR


def _by_year(
    types: tuple[str, ...], store: SqlStore, window: Window
) -> Iterator[tuple[pd.DataFrame, timedelta]]:
    import pandas as pd

    names = ["publish_time", "document_revision_number", "psr_type", "year", "quantity"]
    rows = store.read_table(store.tables["igca"], None, {"psr_type": list(types)}, names)
    rows = rows.sort_values(names[:2]).drop_duplicates(["psr_type", "year"], keep="last")
    for kind in types:
        one = rows[rows["psr_type"] == kind]
        begin = pd.to_datetime(one["year"].astype("str") + "-01-01", utc=True)
        yield pd.DataFrame({"at": begin, "mw": one["quantity"]}), A_YEAR


def _entsoe(
    types: tuple[str, ...], store: SqlStore, window: Window
) -> Iterator[tuple[pd.DataFrame, timedelta]]:
    for kind in types:
        rows = store.read_table(
            store.tables["entsoe_installed_capacity"],
            window.reaching_back(A_YEAR),
            {"zone": "GB", "psr_type": _ENTSOE[kind]},
            ["period_start", "capacity_mw"],
        )
        yield rows.set_axis(["at", "mw"], axis=1), A_YEAR


def _held(figures: pd.DataFrame, starts: pd.Series, hold: timedelta) -> Floats:
    """The figure that stands for each start: the nearest, of a year's the one of that year."""
    import numpy as np
    import pandas as pd

    known = figures.dropna().sort_values("at")
    if known.empty:
        return np.full(len(starts), np.nan)
    known["at"] = known["at"].astype(starts.dtype)
    found = pd.merge_asof(
        pd.DataFrame({"at": starts}),
        known,
        on="at",
        direction="backward" if hold == A_YEAR else "nearest",
        tolerance=pd.Timedelta(hold),
    )
    return found["mw"].to_numpy(dtype=np.float64)
