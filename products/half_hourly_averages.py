"""half_hourly_averages: frequency, generation, load, flows, prices and forecasts side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from domain.integration import Averages, average_intervals
from domain.settlement import PERIOD
from domain.tables import Column, Table
from domain.windows import Window
from products.average_power import HOLD
from products.averaging import HOUR, Grid, average_rows, seconds
from products.battery_power import plausible
from products.product import Product

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

LOOK_BACK = {
    "frequency": HOLD,
    "entsoe_load": HOUR,
    "entsoe_generation": HOUR,
    "entsoe_day_ahead_prices": HOUR,
    "entsoe_flows": HOUR,
    "entsoe_load_forecast_day": HOUR,
    "entsoe_generation_forecast": HOUR,
    "entsoe_wind_solar_forecast_day": HOUR,
    "entsoe_wind_solar_forecast_intraday": HOUR,
    "entsoe_wind_solar_forecast_current": HOUR,
}
# The band in which the system is held, and the wider statutory one.
BANDS_HZ = {
    "seconds_outside_49_8_50_2": (49.8, 50.2),
    "seconds_outside_49_5_50_5": (49.5, 50.5),
}
KEY = ("period_start", "series", "area", "quantity")
NAMES = ["series", "area", "quantity", "unit"]
FIGURES = ("mean", "minimum", "maximum", "standard_deviation", "energy_mwh", "coverage")


def compute(
    frequency: pd.DataFrame,
    wind_solar: pd.DataFrame,
    entsoe_load: pd.DataFrame,
    entsoe_generation: pd.DataFrame,
    entsoe_day_ahead_prices: pd.DataFrame,
    entsoe_flows: pd.DataFrame,
    entsoe_load_forecast_day: pd.DataFrame,
    entsoe_generation_forecast: pd.DataFrame,
    entsoe_wind_solar_forecast_day: pd.DataFrame,
    entsoe_wind_solar_forecast_intraday: pd.DataFrame,
    entsoe_wind_solar_forecast_current: pd.DataFrame,
    *,
    window: Window,
) -> pd.DataFrame:
    """Mean, extremes, deviation and energy per settlement period of the window and series.

    ``frequency``: ``measurement_time`` (UTC), ``frequency_hz`` [Hz], from 60 s before the window.
    ``wind_solar``: ``period_start``, ``psr_type``, ``generation_mw`` [MW]. The ENTSO-E inputs, from
    1 h before the window: ``zone``, ``period_start``, ``resolution_s`` [s] and ``load_mw`` [MW];
    ``psr_type``, ``generation_mw`` and ``consumption_mw`` [MW]; ``auction_sequence``,
    ``price_per_mwh`` and ``currency``; ``border`` and ``flow_mw`` [MW]. Forecasts have the columns of
    what they foretell.

    A row counts in each period that it overlaps, for as long as it does; of rows of one series that
    overlap each other the one that starts later holds, and a frequency sample lasts at most 60 s.
    Mean and standard deviation are weighted by time over covered time, energy is the integral of a
    power over it; below 50 % coverage all of them are empty. A series with a row that begins on a
    settlement day has a line for each period of that day. Where a zone has prices in two currencies
    on one day, the second bears its currency in the name of the series.
    """
    grid = Grid.of(window)
    parts = [
        *_frequency(grid, frequency),
        _wind_solar(grid, wind_solar),
        _zonal(grid, entsoe_load, "load", "load"),
        _zonal(grid, entsoe_load_forecast_day, "load", "load", ahead="forecast"),
        _prices(grid, entsoe_day_ahead_prices),
        _zonal(grid, entsoe_flows, "flow", "flow", area="border"),
        _zonal(grid, entsoe_wind_solar_forecast_day, "", "generation", ahead="forecast"),
        _zonal(
            grid, entsoe_wind_solar_forecast_intraday, "", "generation", ahead="intraday forecast"
        ),
        _zonal(
            grid, entsoe_wind_solar_forecast_current, "", "generation", ahead="current forecast"
        ),
        *(
            part
            for side in ("generation", "consumption")
            for part in (
                _zonal(grid, entsoe_generation, "", side),
                _zonal(grid, entsoe_generation_forecast, "all", side, ahead="forecast"),
            )
        ),
    ]
    return _side_by_side(grid, parts)


@dataclass(frozen=True)
class _Part:
    """Figures of some series on the grid.

    ``names`` has one row a series, ``figures`` one of shape (series, periods) for each of FIGURES,
    ``present`` says which series have rows on which day.
    """

    names: pd.DataFrame
    figures: tuple[npt.NDArray[np.float64], ...]
    present: npt.NDArray[np.bool_]


def _frequency(grid: Grid, frequency: pd.DataFrame) -> list[_Part]:
    import numpy as np
    import pandas as pd

    usable = plausible(frequency)
    hertz = usable["frequency_hz"].to_numpy()
    starts = seconds(usable["measurement_time"])
    ends = starts + int(HOLD.total_seconds())
    # A day of which every sample is implausible still has rows.
    present = grid.present(seconds(frequency["measurement_time"]), 0, 1)

    def part(quantity: str, unit: str, figures: Sequence[npt.NDArray[np.float64]]) -> _Part:
        names = pd.DataFrame([("frequency", "GB", quantity, unit)], columns=NAMES)
        return _Part(names, tuple(figures), present)

    found = average_intervals(starts, ends, hertz, grid.edges_s)
    parts = [part("frequency", "Hz", _figures(found, power=False))]
    for quantity, (low, high) in BANDS_HZ.items():
        outside = (hertz < low) | (hertz > high)
        found = average_intervals(starts, ends, outside, grid.edges_s)
        nothing = np.full(found.integral.shape, np.nan)
        figures = [found.integral, nothing, nothing, nothing, nothing, found.coverage]
        parts.append(part(quantity, "s", figures))
    return parts


def _wind_solar(grid: Grid, rows: pd.DataFrame) -> _Part:
    labels = _labels(rows["psr_type"], "GB", "generation", "MW")
    length = int(PERIOD.total_seconds())
    return _part(grid, labels, rows["period_start"], length, rows["generation_mw"], timedelta())


def _zonal(
    grid: Grid, rows: pd.DataFrame, series: str, figure: str, *, area: str = "zone", ahead: str = ""
) -> _Part:
    """A power of zones or borders; without a name of the series, of each production type."""
    values = rows[f"{figure}_mw"].dropna()
    rows = rows.loc[values.index]
    labels = _labels(series or rows["psr_type"], rows[area], f"{figure} {ahead}".rstrip(), "MW")
    return _part(grid, labels, rows["period_start"], rows["resolution_s"], values, HOUR)


def _prices(grid: Grid, rows: pd.DataFrame) -> _Part:
    auction = rows["auction_sequence"].astype("int64")
    series = ("day-ahead auction " + auction.astype(str)).where(auction != 1, "day-ahead")
    unit = rows["currency"].where(rows["currency"] != "", "currency") + "/MWh"
    labels = _labels(series, rows["zone"], "price", unit)
    values = rows["price_per_mwh"]
    return _part(grid, labels, rows["period_start"], rows["resolution_s"], values, HOUR)


def _labels(series: Any, area: Any, quantity: str, unit: Any) -> dict[str, Any]:
    """What tells the rows of an input apart, as columns or as the one text that all have."""
    return dict(zip(NAMES, (series, area, quantity, unit), strict=True))


def _part(
    grid: Grid,
    labels: dict[str, Any],
    starts: pd.Series,
    lengths: Any,
    values: Any,
    reach: timedelta,
) -> _Part:
    """Average rows that hold for their lengths [s], but at most ``reach`` into the next day."""
    import pandas as pd

    rows = pd.DataFrame(labels, index=starts.index)
    rows["series"] = rows["series"].where(rows["series"] != "", "unknown")
    on_grid = average_rows(grid, rows, starts, lengths, values, reach)
    power = bool(on_grid.names["unit"].eq("MW").all())
    return _Part(on_grid.names, _figures(on_grid.found, power=power), on_grid.present)


def _figures(found: Averages, *, power: bool) -> tuple[npt.NDArray[np.float64], ...]:
    import numpy as np

    energy = found.integral / 3600 if power else np.full(found.mean.shape, np.nan)
    return found.mean, found.minimum, found.maximum, found.deviation, energy, found.coverage


def _side_by_side(grid: Grid, parts: Sequence[_Part]) -> pd.DataFrame:
    """One line per period and series that is present on its day, in order of the key."""
    import numpy as np
    import pandas as pd

    names = pd.concat([part.names for part in parts], ignore_index=True)
    names = names.sort_values([*KEY[1:], "unit"])
    present = np.concatenate([part.present for part in parts])[names.index]
    period, series = np.nonzero(present[:, grid.day_of_period].T)
    columns = {
        **{name: names[name].take(series).array for name in NAMES},
        **{
            name: np.concatenate([part.figures[n] for part in parts])[names.index][series, period]
            for n, name in enumerate(FIGURES)
        },
    }
    lines = grid.periods.take(period).reset_index(drop=True).assign(**columns)
    lines = lines[list(PRODUCT.table.names)]
    return _currencies_apart(lines) if names.duplicated(KEY[1:]).any() else lines


def _currencies_apart(lines: pd.DataFrame) -> pd.DataFrame:
    """Name the currency in the series where it is not the first, the euro before all others."""
    lines["rank"] = lines["unit"].where(lines["unit"] != "EUR/MWh", "")
    first = lines.groupby([*KEY])["rank"].transform("min")
    currency = lines["unit"].str.removesuffix("/MWh")
    lines["series"] = lines["series"].where(
        lines["rank"] == first, lines["series"] + " " + currency
    )
    return lines.drop(columns="rank").sort_values([*KEY], ignore_index=True)


def _figure(name: str, unit: str, description: str) -> Column:
    return Column(name, "float", unit, description, optional=True)


PRODUCT = Product(
    key="half_hourly_averages",
    title="Frequency, wind and solar, load, generation, flows, prices and forecasts on settlement periods",
    grain="settlement period",
    table=Table(
        name="half_hourly_averages",
        columns=(
            Column("period_start", "time", "UTC", "Start of the settlement period"),
            Column(
                "series",
                "text",
                "",
                "`frequency`, a type such as Solar or B16, `all` of them, `load`, `flow`, `day-ahead`, "
                "`day-ahead auction 2`",
            ),
            Column("area", "text", "", "GB, a bidding zone, or a border as FROM>TO"),
            Column(
                "quantity",
                "text",
                "",
                f"`frequency`, {', '.join(f'`{q}`' for q in BANDS_HZ)}, `generation`, `consumption`, "
                "`load`, `flow` or `price`; `generation forecast`, `generation intraday forecast`, "
                "`generation current forecast`, `consumption forecast`, `load forecast`",
            ),
            Column("unit", "text", "", "Unit of the four columns that follow"),
            _figure("mean", "as `unit`", "Mean over covered time; of seconds their number"),
            _figure("minimum", "as `unit`", "Lowest value that held in the period"),
            _figure("maximum", "as `unit`", "Highest value that held in the period"),
            _figure(
                "standard_deviation",
                "as `unit`",
                "Standard deviation of the values that held, weighted by time (population)",
            ),
            _figure("energy_mwh", "MWh", "Energy of covered time; of a power only"),
            Column("coverage", "float", "", "Covered share of the period, 0 to 1"),
            Column("settlement_date", "date", "", "Settlement day (Europe/London)"),
            Column("settlement_period", "int", "", "Settlement period, 1 to 46, 48 or 50"),
        ),
        key=KEY,
        time="period_start",
    ),
    compute=compute,
    look_back=LOOK_BACK,
    optional=frozenset({"wind_solar", *LOOK_BACK}),
    daily=True,
)
