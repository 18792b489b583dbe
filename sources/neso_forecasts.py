"""NESO's data portal, what was foretold: embedded wind and solar by time of issue, metered wind a day ahead.

There is one present file of each, replaced with every issue, and archives of what it held before.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING

from domain.errors import SchemaError
from domain.ledger import Grid, Rows
from domain.settlement import ONE_DAY
from domain.tables import Column, Table
from domain.windows import Window
from sources.dataset import Dataset
from sources.neso import PERIOD, SETTLEMENT_DATE, SETTLEMENT_PERIOD, power
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

# --- embedded wind and solar ----------------------------------------------------------------------

EMBEDDED_FORECASTS = Table(
    name="embedded_forecasts",
    columns=(
        Column(
            "published_at",
            "time",
            "UTC",
            "When the forecast was issued; where only the last one is known, the end of the period",
        ),
        Column("period_start", "time", "UTC", "Start of the settlement period it is for"),
        power("embedded_wind_forecast_mw", "Forecast of embedded wind", "EMBEDDED_WIND_FORECAST",
               0, 20_000, optional=True),
        power("embedded_wind_capacity_mw", "Its capacity", "EMBEDDED_WIND_CAPACITY",
               0, 30_000, optional=True),
        power("embedded_solar_forecast_mw", "Forecast of embedded solar",
               "EMBEDDED_SOLAR_FORECAST", 0, 60_000, optional=True),
        power("embedded_solar_capacity_mw", "Its capacity", "EMBEDDED_SOLAR_CAPACITY",
               0, 90_000, optional=True),
        Column(
            "issue_known",
            "flag",
            "",
            "Whether NESO says when it was issued; an archive may hold the last forecast alone",
        ),
        Column("period_end", "time", "UTC", "End of the period, as the file stamps it"),
        SETTLEMENT_DATE,
        SETTLEMENT_PERIOD,
    ),
    key=("published_at", "period_start"),
    time="published_at",
)  # fmt: skip

# How archives that hold every issue name the moment of each.
ISSUED = ("forecast_datetime", "forecast_timestamp")
CURRENT = "Embedded Solar and Wind Forecast"
_ARCHIVE = r"Embedded Solar and Wind Forecast Archive (\d{4})(?: ?\(.*\))?"


def _embedded_files(listing: Listing, window: Window) -> Iterator[tuple[Resource, Form]]:
    """The present file where the window holds its issue; archives for all that was issued before."""
    package = listing("embedded-wind-and-solar-forecasts")
    current = package.named(CURRENT)
    issued = _modified(current)
    if issued in window:
        yield current, CURRENT_FORM
    if window.start < issued:
        found = package.by(_ARCHIVE, lambda match: int(match[1]), f"{CURRENT} Archive <year>")
        # An archive is of the periods of a year; a forecast reaches two weeks into the next.
        last = min(window.end, issued) + 15 * ONE_DAY
        years = range(window.start.year, last.year + 1)
        for resource in package.pick(found, years):
            yield resource, ARCHIVE_FORM


def _modified(resource: Resource) -> datetime:
    if resource.modified is None:
        raise SchemaError(
            f"NESO does not say when '{resource.name}' was last modified, so that its forecast has no time "
            "of issue; nothing of this window was stored."
        )
    return resource.modified


def _current_moments(rows: pa.Table, resource: Resource, where: str) -> pa.Array:
    import pyarrow as pa

    return pa.array([_modified(resource)] * len(rows), pa.timestamp("us", "UTC"))


def _archive_moments(rows: pa.Table, resource: Resource, where: str) -> pa.Array:
    name = _issue_column(rows)
    if name:
        return instants(column_of(rows, name, where), name, where)
    return _period_ends(rows, where)


def _issue_column(rows: pa.Table) -> str:
    return next((name for name in rows.column_names if name.lower() in ISSUED), "")


def _period_ends(rows: pa.Table, where: str) -> pa.Array:
    import pyarrow.compute as pc

    iso_days = days(column_of(rows, "DATE_GMT", where), "DATE_GMT", where)
    clock = column_of(rows, "TIME_GMT", where)
    stamps = pc.binary_join_element_wise(iso_days, clock, "T")
    return instants(stamps, "DATE_GMT and TIME_GMT", where)


def _embedded_columns(
    rows: pa.Table, moments: pa.Array, resource: Resource, where: str
) -> pa.Table:
    import pyarrow as pa

    iso_days, starts = settled(EMBEDDED_FORECASTS, rows, SETTLEMENT_DATE, SETTLEMENT_PERIOD, where)
    known = resource.name == CURRENT or bool(_issue_column(rows))
    columns = {
        "published_at": moments,
        "period_start": starts,
        "period_end": _period_ends(rows, where),
        "issue_known": pa.array([known] * len(rows), pa.bool_()),
        "SETTLEMENT_DATE": iso_days,
    }
    used = ["DATE_GMT", "TIME_GMT", _issue_column(rows)]
    return with_columns(rows, columns).drop_columns([name for name in used if name])


CURRENT_FORM = Form(_current_moments, _embedded_columns)
ARCHIVE_FORM = Form(_archive_moments, _embedded_columns)

# --- metered wind ---------------------------------------------------------------------------------

DAY_AHEAD_WIND = Table(
    name="day_ahead_wind_forecast",
    columns=(
        Column("period_start", "time", "UTC", "Start of the settlement period", "Datetime_GMT"),
        power("wind_forecast_mw", "Forecast of metered wind, made the day before",
               "Incentive_forecast", 0, 60_000),
        power("wind_capacity_mw", "Capacity of metered wind", "Capacity", 0, 90_000, optional=True),
        Column(
            "published_at",
            "time",
            "UTC",
            "When it was issued, where NESO says it",
            "Forecast_Timestamp",
            optional=True,
        ),
        Column("settlement_date", "date", "", "Settlement day (Europe/London)", "Date"),
        Column(
            "settlement_period",
            "int",
            "",
            "Settlement period, 1 to 46, 48 or 50",
            "Settlement_period",
        ),
    ),
    key=("period_start",),
    time="period_start",
    version="published_at",
)  # fmt: skip


def _wind_files(listing: Listing, window: Window) -> Iterator[tuple[Resource, Form]]:
    """The history holds every day but that of the present file, which is tomorrow or today."""
    package = listing("day-ahead-wind-forecast")
    history = package.named("Historic Day Ahead Wind Forecasts")
    current = package.named("Day Ahead Wind Forecast")
    yield history, Form(_wind_moments, _wind_columns)
    if window.end > _modified(current):
        yield current, Form(_wind_moments, _current_wind_columns)


def _wind_moments(rows: pa.Table, resource: Resource, where: str) -> pa.Array:
    return instants(column_of(rows, "Datetime_GMT", where), "Datetime_GMT", where)


def _wind_columns(rows: pa.Table, moments: pa.Array, _: Resource, where: str) -> pa.Table:
    iso_days = days(column_of(rows, "Date", where), "Date", where)
    return with_columns(rows, {"Datetime_GMT": moments, "Date": iso_days})


def _current_wind_columns(
    rows: pa.Table, moments: pa.Array, resource: Resource, where: str
) -> pa.Table:
    import pyarrow as pa

    issued = pa.array([f"{_modified(resource):%Y-%m-%dT%H:%M:%SZ}"] * len(rows), pa.string())
    rows = _wind_columns(rows, moments, resource, where)
    return with_columns(rows, {"Forecast_Timestamp": issued})


DATASETS = (
    Dataset(
        key="embedded_forecasts",
        title="Forecasts of embedded wind and solar, 14 days ahead, by time of issue",
        provider=NESO,
        table=EMBEDDED_FORECASTS,
        read=CsvFiles(_embedded_files),
        widest=7 * ONE_DAY,
        completeness=Rows(),
        lag=ONE_DAY,
        revisions=(2 * ONE_DAY, 9 * ONE_DAY, 36 * ONE_DAY),
        available_from=date(2019, 1, 1),
        groups=("neso", "forecasts"),
        rows_a_day=16_000,
    ),
    Dataset(
        key="day_ahead_wind_forecast",
        title="Day-ahead forecast of metered wind, half-hourly",
        provider=NESO,
        table=DAY_AHEAD_WIND,
        read=CsvFiles(_wind_files),
        widest=366 * ONE_DAY,
        completeness=Grid(PERIOD),
        lag=ONE_DAY,
        revisions=(9 * ONE_DAY,),
        available_from=date(2018, 4, 1),
        groups=("neso", "forecasts"),
    ),
)
