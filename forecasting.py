"""Forecasts on the past and on today: series from the store as of an issue time, models, honest scores.

Every value is read as it was known at the issue time: from the provider's publish time on where rows have
one, else from our retrieval. No model is stored: fitting takes seconds and gives the same bytes each time,
so nothing can go stale, and no file is ever unpickled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from domain.errors import UsageError
from domain.settlement import LONDON, days_in, settlement_date
from domain.windows import Window, format_instant
from domain.zones import ZONES
from products.forecast_models import (
    BASELINES,
    QUANTILES,
    Past,
    check_models,
    fit,
    past_at,
    seconds_of,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from stores.sql import SqlStore

    Floats = npt.NDArray[np.float64]

DAY = timedelta(days=1)
# What a prediction needs to see before its issue; what a model is trained on; when it is trained anew.
RECENT = 15 * DAY
REFIT_DAYS = 28

_GB = {
    "gb_wind": ("Wind Onshore", "Wind Offshore"),
    "gb_wind_onshore": ("Wind Onshore",),
    "gb_wind_offshore": ("Wind Offshore",),
    "gb_solar": ("Solar",),
}
_ZONE_TYPES = {"wind": ("B18", "B19"), "solar": ("B16",)}
NAMES = f"{', '.join(_GB)}, portfolio, asset:ID, zone:KEY:wind, zone:KEY:solar"


# --- series: where values, publish time and capacity come from ------------------------------------


@dataclass(frozen=True)
class Series:
    """A series that can be forecast: table, rows, step [s], local clock, what a value counts from.

    ``lag`` is an assumption that replaces publish and retrieval times: a value counts from the end of
    its period plus so much, in its newest version.
    """

    name: str
    table: str
    kind: str
    wanted: tuple[str, ...]
    step_s: int
    clock: ZoneInfo
    lag: timedelta | None = None

    @property
    def counts_from(self) -> str:
        """From when on a value counts as known, in words."""
        if self.lag is not None:
            hours = self.lag.total_seconds() / 3600
            return f"ASSUMED {hours:g} h after its period, in its newest version"
        return "its publish time" if self.kind == "gb" else "the time we received or computed it"


def find_series(name: str, lag_hours: float | None = None, clock: ZoneInfo = LONDON) -> Series:
    """The series of that name; UsageError with what there is. ``clock`` is that of VPP delivery days."""
    lag = None if lag_hours is None else timedelta(hours=lag_hours)
    if name in _GB:
        return Series(name, "wind_solar", "gb", _GB[name], 1800, LONDON, lag)
    if name == "portfolio":
        return Series(name, "portfolio_best_of_infeed", "portfolio", (), 900, clock, lag)
    if name.startswith("asset:") and name != "asset:":
        return Series(name, "best_of_infeed", "asset", (name[6:],), 900, clock, lag)
    parts = name.split(":")
    if len(parts) == 3 and parts[0] == "zone" and parts[1] in ZONES and parts[2] in _ZONE_TYPES:
        wanted = (parts[1], *_ZONE_TYPES[parts[2]])
        return Series(name, "entsoe_generation", "zone", wanted, 3600, ZONES[parts[1]].clock, lag)
    raise UsageError(f"'{name}' is no series: there are {NAMES}.")


def read_series(
    store: SqlStore, series: Series, window: Window, as_of: datetime | None
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Starts of steps [s since 1970] and mean power [MW] of a window, as known at ``as_of``.

    Infeed counts where it was measured (final or live), of the portfolio where every asset's was; a sum
    of types where each of them is known; a zone's hour where it is covered whole.
    """
    import pandas as pd

    table = store.tables[series.table]
    if series.kind == "gb":
        rows = store.read_table(table, window, {"psr_type": series.wanted}, None, None, as_of)
        from products.generation_forecast import summed

        return summed(rows, series.wanted)
    if series.kind == "zone":
        where = {"zone": series.wanted[0], "psr_type": series.wanted[1:]}
        return _hourly(store.read_table(table, window, where, None, None, as_of))
    if series.kind == "asset":
        where = {"asset_id": series.wanted[0]}
        rows = store.read_table(table, window, where, None, None, as_of)
        rows = rows[rows["source"].isin(["final", "live"])]
    else:
        rows = store.read_table(table, window, None, None, None, as_of)
        rows = rows[(rows["forecast_assets"] == 0) & (rows["missing_assets"] == 0)]
    return seconds_of(pd.DatetimeIndex(rows["period_start"])), rows["power_kw"].to_numpy(
        dtype=float
    ) / 1000


def _hourly(rows: pd.DataFrame) -> tuple[npt.NDArray[np.int64], Floats]:
    """Hourly sums [MW] over the types that the rows have, of hours covered whole by each."""
    import pandas as pd

    rows = rows.dropna(subset=["generation_mw"])
    types = rows["psr_type"].nunique()
    hour = rows["period_start"].dt.floor("h")
    energy = (rows["generation_mw"] * rows["resolution_s"] / 3600).groupby(hour).sum()
    covered = rows["resolution_s"].groupby(hour).sum()
    sums = energy[covered == 3600 * types]
    return seconds_of(pd.DatetimeIndex(sums.index)), sums.to_numpy(dtype=float)


def known_at(store: SqlStore, series: Series, issue: datetime, back: timedelta) -> Past:
    """The series as it was known at an issue time, ``back`` before it."""
    as_of, end = issue, issue
    if series.lag is not None:
        end = issue - series.lag - timedelta(seconds=series.step_s - 1)
    window = Window(issue - back, max(end, issue - back + timedelta(seconds=1)))
    times, values = read_series(store, series, window, None if series.lag is not None else as_of)
    step = series.step_s
    return past_at(times, values, int(issue.timestamp()), int(back.total_seconds()), step, series.clock)  # fmt: skip


def capacity_of(
    store: SqlStore, series: Series, stated_mw: float | None, past: Past, issue: datetime
) -> tuple[float, str]:
    """Installed capacity [MW] and where it comes from; without any, the highest value known."""
    import numpy as np

    if stated_mw is not None:
        return stated_mw, "stated with --capacity"
    if series.kind in ("asset", "portfolio"):
        rows = store.read_table(store.tables["vpp_assets"], where={"kind": "contract"})
        rows = rows[rows["snapshot_at"] <= issue]
        if series.kind == "asset":
            rows = rows[rows["asset_id"] == series.wanted[0]]
        rows = rows[rows["snapshot_at"] == rows["snapshot_at"].max()].drop_duplicates("asset_id")
        if len(rows):
            snapshot = format_instant(rows["snapshot_at"].iloc[0].to_pydatetime())
            return float(rows["capacity_kw"].sum()) / 1000, f"contracts of {snapshot}"
    return float(np.nanmax(past.values)), "highest value known at the first issue, NOT installed"


# --- backtest -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Backtest:
    """Forecasts of every model from the same issues, and what came; arrays [MW] of (issues, leads)."""

    issues: list[datetime]
    step_s: int
    observed: Floats
    point: dict[str, Floats]
    quantiles: dict[str, Floats]  # (issues, leads, QUANTILES)
    capacity_mw: float
    capacity_from: str
    fits: int


def backtest(
    store: SqlStore,
    series: Series,
    issues: Sequence[datetime],
    models: Sequence[str],
    *,
    hours: float = 48.0,
    train: timedelta = 365 * DAY,
    capacity_mw: float | None = None,
) -> Backtest:
    """Forecast from each issue with what was known then; models are fitted anew every 28 issues.

    A model fitted at one issue serves the ones after it: it only ever knows the past. Baselines are
    always among the models. Raises UsageError where nothing was known at the first issue.
    """
    import numpy as np

    names = list(dict.fromkeys((*BASELINES, *models)))
    check_models(names)
    leads = int(hours * 3600) // series.step_s
    shape = (len(issues), leads)
    point = {name: np.full(shape, np.nan) for name in names}
    quantiles = {name: np.full((*shape, len(QUANTILES)), np.nan) for name in names}
    fitted, capacity, capacity_from, fits = None, 0.0, "", 0
    for n, issue in enumerate(issues):
        if n % REFIT_DAYS == 0:
            past = known_at(store, series, issue, train)
            if np.isnan(past.values).all():
                raise nothing_known(series, issue)
            fitted = fit(past, leads, names)
            fits += 1
            if n == 0:
                capacity, capacity_from = capacity_of(store, series, capacity_mw, past, issue)
        assert fitted
        recent = known_at(store, series, issue, min(RECENT, train))
        for name, told in fitted.predict(recent, names).items():
            point[name][n], quantiles[name][n] = told.point, told.quantiles
    observed = _observed(store, series, issues, leads)
    return Backtest(
        list(issues), series.step_s, observed, point, quantiles, capacity, capacity_from, fits
    )


def _observed(store: SqlStore, series: Series, issues: Sequence[datetime], leads: int) -> Floats:
    """What came, in its newest version; arrays of (issues, leads)."""
    import numpy as np

    ahead = timedelta(seconds=leads * series.step_s)
    window = Window(issues[0], issues[-1] + ahead)
    times, values = read_series(store, series, window, None)
    found = dict(zip(times.tolist(), values.tolist(), strict=True))
    starts = [int(issue.timestamp()) for issue in issues]
    return np.array(
        [[found.get(s + k * series.step_s, np.nan) for k in range(leads)] for s in starts]
    )


def nothing_known(series: Series, issue: datetime) -> UsageError:
    """What to do where no value counts as known."""
    first, last = (f"{settlement_date(issue - days * DAY)}" for days in (60, 1))
    stage = "process" if series.kind in ("asset", "portfolio") else "fetch"
    command = f"python3 run.py {stage} {series.table} --start {first} --end {last}"
    more = "" if series.kind == "gb" else "; or say --assume-lag HOURS, if it was stored later"
    return UsageError(
        f"nothing of {series.name} was known at {format_instant(issue)} (a value counts from "
        f"{series.counts_from}): type '{command}', or take another time{more}."
    )


HEADER = (
    "model", "from_h", "to_h", "pairs", "bias_mw", "mae_mw", "rmse_mw", "nmae", "mae_reference",
    "skill_mae", "rmse_reference", "skill_rmse", *(f"pinball_p{100 * q:.0f}_mw" for q in QUANTILES),
    "coverage_p10_p90",
)  # fmt: skip


def scores(done: Backtest, bounds: Sequence[float]) -> Iterator[list[object]]:
    """One row a horizon [from, to) in hours and model, under HEADER.

    All models are scored on the pairs that all of them have. Skill is against the baseline with the
    least MAE (RMSE) at that horizon; the best baseline itself has 0. Source: grid-domain reference, §5.
    """
    import numpy as np

    from domain import scores as measure

    lead_h = np.arange(done.observed.shape[1]) * done.step_s / 3600
    for begin, end in pairwise(bounds):
        at = (lead_h >= begin) & (lead_h < end)
        observed = done.observed[:, at].ravel()
        told = {name: values[:, at].ravel() for name, values in done.point.items()}
        usable = ~np.isnan(observed + sum(told.values()))
        if not usable.any():
            continue
        observed = observed[usable]
        errors = {
            name: {what: of(values[usable], observed) for what, of in measure.POINT_SCORES.items()}
            for name, values in told.items()
        }
        best = {what: min(BASELINES, key=lambda b: errors[b][what]) for what in ("mae", "rmse")}
        for name, found in errors.items():
            levels = done.quantiles[name][:, at].reshape(-1, len(QUANTILES))[usable]
            skills = [
                part
                for what in ("mae", "rmse")
                for part in (best[what], measure.skill(found[what], errors[best[what]][what]))
            ]
            yield [
                name, begin, end, int(usable.sum()), found["bias"], found["mae"], found["rmse"],
                found["mae"] / done.capacity_mw if done.capacity_mw > 0 else float("nan"), *skills,
                *(measure.pinball(levels[:, n], observed, q) for n, q in enumerate(QUANTILES)),
                measure.coverage(levels[:, 0], levels[:, -1], observed),
            ]  # fmt: skip


def issues_between(window: Window, at: str, series: Series) -> list[datetime]:
    """One issue a day at a local time, on the series' grid; a time that a day lacks is an hour on."""
    hour, minute = map(int, at.split(":"))
    found = []
    for day in days_in(window, series.clock):
        local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=series.clock)
        found.append(on_grid(local, series))
    return found


def on_grid(instant: datetime, series: Series) -> datetime:
    """The newest start of a step not later than the instant."""
    seconds = int(instant.timestamp())
    return datetime.fromtimestamp(seconds - seconds % series.step_s, UTC)
