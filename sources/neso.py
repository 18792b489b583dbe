"""NESO's data portal, what was measured: demand by the year, frequency every second by the month.

The files are longer than a window, which takes its own lines of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING

from domain.ledger import Grid
from domain.settlement import ONE_DAY, days_in
from domain.tables import Column, Table
from domain.windows import Window
from sources.dataset import Dataset
from sources.neso_packages import Resource
from sources.neso_rows import (
    NESO,
    CsvFiles,
    Form,
    Listing,
    column_of,
    days,
    instants,
    settled,
    with_columns,
)

if TYPE_CHECKING:
    import pyarrow as pa

HOUR = timedelta(hours=1)
PERIOD = timedelta(minutes=30)

PERIOD_START = Column("period_start", "time", "UTC", "Start of the settlement period")
SETTLEMENT_DATE = Column(
    "settlement_date", "date", "", "Settlement day (Europe/London)", "SETTLEMENT_DATE"
)
SETTLEMENT_PERIOD = Column(
    "settlement_period", "int", "", "Settlement period, 1 to 46, 48 or 50", "SETTLEMENT_PERIOD"
)


# --- demand ---------------------------------------------------------------------------------------


def _demand(name: str, meaning: str, source: str, *, optional: bool = False) -> Column:
    bounds = (5_000.0, 80_000.0)
    return Column(name, "float", "MW", meaning, source, optional=optional, bounds=bounds)


def power(
    name: str, meaning: str, source: str, low: float, high: float, *, optional: bool = False
) -> Column:
    return Column(name, "float", "MW", meaning, source, optional=optional, bounds=(low, high))


def _flow(name: str, other_end: str, source: str, capacity_mw: float) -> Column:
    meaning = f"Flow from {other_end}; import +, export -; empty in years before it"
    return power(f"{name}_flow_mw", meaning, source, -capacity_mw, capacity_mw, optional=True)


HISTORIC_DEMAND = Table(
    name="historic_demand",
    columns=(
        PERIOD_START,
        SETTLEMENT_DATE,
        SETTLEMENT_PERIOD,
        _demand("national_demand_mw", "National demand", "ND"),
        _demand(
            "transmission_system_demand_mw",
            "Demand of the transmission system: with station load, pumping and exports",
            "TSD",
        ),
        _demand(
            "england_wales_demand_mw", "National demand without Scotland", "ENGLAND_WALES_DEMAND"
        ),
        power(
            "embedded_wind_mw", "Estimated embedded wind", "EMBEDDED_WIND_GENERATION", 0, 20_000
        ),
        power(
            "embedded_wind_capacity_mw", "Its capacity", "EMBEDDED_WIND_CAPACITY", 0, 30_000
        ),
        power(
            "embedded_solar_mw", "Estimated embedded solar", "EMBEDDED_SOLAR_GENERATION", 0, 60_000
        ),
        power(
            "embedded_solar_capacity_mw", "Its capacity", "EMBEDDED_SOLAR_CAPACITY", 0, 90_000
        ),
        power("non_bm_stor_mw", "Operating reserve outside the balancing mechanism", "NON_BM_STOR",
               -1_000, 5_000, optional=True),
        power("pump_storage_pumping_mw", "Pumping of pumped storage, counted +",
               "PUMP_STORAGE_PUMPING", -10, 5_000, optional=True),
        power("scottish_transfer_mw", "Transfer from Scotland to England, that way +",
               "SCOTTISH_TRANSFER", -10_000, 15_000, optional=True),
        _flow("ifa", "France (IFA)", "IFA_FLOW", 2_500),
        _flow("ifa2", "France (IFA2)", "IFA2_FLOW", 1_500),
        _flow("britned", "the Netherlands (BritNed)", "BRITNED_FLOW", 1_500),
        _flow("moyle", "Northern Ireland (Moyle)", "MOYLE_FLOW", 1_000),
        _flow("east_west", "Ireland (East-West)", "EAST_WEST_FLOW", 1_000),
        _flow("nemo", "Belgium (Nemo)", "NEMO_FLOW", 1_500),
        _flow("nsl", "Norway (North Sea Link)", "NSL_FLOW", 2_000),
        _flow("eleclink", "France (ElecLink)", "ELECLINK_FLOW", 1_500),
        _flow("viking", "Denmark (Viking)", "VIKING_FLOW", 2_000),
        _flow("greenlink", "Ireland (Greenlink)", "GREENLINK_FLOW", 1_000),
    ),
    key=("period_start",),
    time="period_start",
)  # fmt: skip


def _demand_files(listing: Listing, window: Window) -> Iterator[tuple[Resource, Form]]:
    package = listing("historic-demand-data")
    found = package.by(
        r"Historic Demand Data (\d{4})", lambda match: int(match[1]), "Historic Demand Data <year>"
    )
    years = sorted({day.year for day in days_in(window)})
    for resource in package.pick(found, years):
        yield resource, Form(_demand_moments, _demand_columns)


def _demand_moments(rows: pa.Table, resource: Resource, where: str) -> pa.Array:
    return settled(HISTORIC_DEMAND, rows, SETTLEMENT_DATE, SETTLEMENT_PERIOD, where)[1]


def _demand_columns(rows: pa.Table, moments: pa.Array, _: Resource, where: str) -> pa.Table:
    iso_days = days(column_of(rows, "SETTLEMENT_DATE", where), "SETTLEMENT_DATE", where)
    return with_columns(rows, {"period_start": moments, "SETTLEMENT_DATE": iso_days})


# --- frequency ------------------------------------------------------------------------------------

HISTORIC_FREQUENCY = Table(
    name="historic_frequency",
    columns=(
        Column(
            "measurement_time",
            "time",
            "UTC",
            "Moment of the measurement; NESO states GMT from 2020 on, earlier files are taken for it",
            "dtm",
        ),
        Column("frequency_hz", "float", "Hz", "System frequency", "f", bounds=(45.0, 55.0)),
    ),
    key=("measurement_time",),
    time="measurement_time",
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# "January 2024 - Historic Frequency Data" or "Historic Frequency Data Jan22", whichever way round.
_MONTH = rf"(?i)(?=.*frequency).*?\b({'|'.join(_MONTHS)})[a-z]*[ -]?((?:20)?\d\d)\b.*"


def _frequency_files(listing: Listing, window: Window) -> Iterator[tuple[Resource, Form]]:
    package = listing("system-frequency-data")
    found = package.by(_MONTH, _month, "<month> <year> - Historic Frequency Data")
    first, last = window.start, window.end - timedelta(seconds=1)
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    for resource in package.pick(found, [(n // 12, n % 12 + 1) for n in numbers]):
        yield resource, Form(_frequency_moments, _frequency_columns)


def _month(match: re.Match[str]) -> tuple[int, int]:
    return 2000 + int(match[2][-2:]), _MONTHS.index(match[1].lower()) + 1


def _frequency_moments(rows: pa.Table, resource: Resource, where: str) -> pa.Array:
    return instants(column_of(rows, "dtm", where), "dtm", where)


def _frequency_columns(rows: pa.Table, moments: pa.Array, _: Resource, where: str) -> pa.Table:
    return with_columns(rows, {"dtm": moments})


DATASETS = (
    Dataset(
        key="historic_demand",
        title="Demand, embedded generation and interconnector flows, half-hourly",
        provider=NESO,
        table=HISTORIC_DEMAND,
        read=CsvFiles(_demand_files),
        widest=366 * ONE_DAY,
        completeness=Grid(PERIOD),
        # Some years' files grew by the day, others by the month.
        lag=35 * ONE_DAY,
        revisions=(2 * ONE_DAY, 9 * ONE_DAY, 16 * ONE_DAY, 36 * ONE_DAY, 70 * ONE_DAY),
        available_from=date(2009, 1, 1),
        groups=("neso", "demand"),
        priority=40,
    ),
    Dataset(
        key="historic_frequency",
        title="System frequency, every second, published by the month",
        provider=NESO,
        table=HISTORIC_FREQUENCY,
        read=CsvFiles(_frequency_files),
        # A day each (25 hours in October): a day of seconds is what others have in a year.
        widest=ONE_DAY + HOUR,
        completeness=Grid(timedelta(seconds=1)),
        lag=45 * ONE_DAY,
        available_from=date(2014, 1, 1),
        groups=("frequency_1s",),
        rows_a_day=86_400,
        priority=90,
    ),
)
