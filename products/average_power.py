"""average_power: mean battery power and energy of each settlement period under a response service."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from domain.integration import integrate
from domain.response import response_mw
from domain.settlement import day_window, days_in, period_grid
from domain.tables import Column, Table
from domain.windows import Window
from products.battery_power import RESPONSE_SETTINGS, SERVICE_COLUMN, plausible
from products.product import Product

if TYPE_CHECKING:
    import pandas as pd

HOLD = timedelta(seconds=60)


def compute(
    frequency: pd.DataFrame, *, window: Window, response_service: str, battery_power_mw: float
) -> pd.DataFrame:
    """Mean battery power [MW] and energy [MWh] per settlement period of the window.

    ``frequency``: ``measurement_time`` (UTC), ``frequency_hz`` [Hz], from 60 s before the window.
    Every sample becomes power first and is averaged after, because the curves bend. Means are
    weighted by time over covered time, each sample held at most 60 s; energies are the integral
    over covered time; below 50 % coverage both are empty. ``average_activity_mw`` is the mean of
    |P|. Source: grid-domain 0.2 and 2.2.
    """
    samples = plausible(frequency)
    periods = period_grid(window)
    edges = [*seconds_of(periods["period_start"]), window.end.timestamp()]
    held = integrate(
        seconds_of(samples["measurement_time"]),
        response_mw(samples["frequency_hz"], response_service, battery_power_mw),
        edges,
        hold_s=HOLD.total_seconds(),
    )
    return periods.assign(
        average_power_mw=held.mean,
        average_discharge_mw=held.mean_positive,
        average_charge_mw=held.mean_negative,
        average_activity_mw=held.mean_positive + held.mean_negative,
        discharge_mwh=held.positive,
        charge_mwh=held.negative,
        samples=held.samples,
        coverage=held.coverage,
        service=response_service,
    )


def samples_by_day(
    frequency: pd.DataFrame, window: Window
) -> Iterator[tuple[Window, pd.DataFrame]]:
    """Each settlement day of the window with its samples and those that hold into it."""
    times = frequency["measurement_time"]
    for day in days_in(window):
        span = day_window(day)
        yield span, frequency[(times >= span.start - HOLD) & (times < span.end)]


def seconds_of(times: pd.Series) -> pd.Series:
    """UTC times as seconds since 1970."""
    return times.astype("int64") / 1e6


PRODUCT = Product(
    key="average_power",
    title="Mean battery power and energy per settlement period (static response)",
    grain="settlement period",
    table=Table(
        name="average_power",
        columns=(
            Column("period_start", "time", "UTC", "Start of the settlement period"),
            Column(
                "average_power_mw",
                "float",
                "MW",
                "Mean power, discharge + and charge -",
                optional=True,
            ),
            Column(
                "average_discharge_mw",
                "float",
                "MW",
                "Mean of the discharging part, >= 0",
                optional=True,
            ),
            Column(
                "average_charge_mw", "float", "MW", "Mean of the charging part, >= 0", optional=True
            ),
            Column("average_activity_mw", "float", "MW", "Mean of |power|", optional=True),
            Column(
                "discharge_mwh", "float", "MWh", "Energy discharged in covered time", optional=True
            ),
            Column("charge_mwh", "float", "MWh", "Energy charged in covered time", optional=True),
            Column("samples", "int", "", "Frequency samples in the period"),
            Column("coverage", "float", "", "Covered share of the period, 0 to 1"),
            Column("settlement_date", "date", "", "Settlement day (Europe/London)"),
            Column("settlement_period", "int", "", "Settlement period, 1 to 46, 48 or 50"),
            SERVICE_COLUMN,
        ),
        key=("period_start",),
        time="period_start",
    ),
    compute=compute,
    look_back={"frequency": HOLD},
    settings=RESPONSE_SETTINGS,
    daily=True,
)
