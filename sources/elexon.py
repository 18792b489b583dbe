"""Elexon Insights (BMRS), the whole system: frequency, generation, demand, forecasts, warnings."""

from __future__ import annotations

from datetime import date, timedelta

from domain.ledger import Events, Grid, Rows
from domain.tables import Column, Table
from sources.dataset import Dataset
from sources.elexon_rows import ELEXON, JsonRows, fingerprint

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PERIOD = timedelta(minutes=30)
HISTORY = date(2016, 1, 1)
PUBLISHED = ("publishDateTimeFrom", "publishDateTimeTo")
SETTLED = ("settlementDateFrom", "settlementDateTo")

# Columns that many tables share.
PERIOD_START = Column("period_start", "time", "UTC", "Start of the settlement period", "startTime")
SETTLEMENT_DATE = Column(
    "settlement_date", "date", "", "Settlement day (Europe/London)", "settlementDate"
)
SETTLEMENT_PERIOD = Column(
    "settlement_period", "int", "", "Settlement period, 1 to 46, 48 or 50", "settlementPeriod"
)
PUBLISH_TIME = Column(
    "publish_time", "time", "UTC", "When this version was published", "publishTime"
)

FUELS = (
    "BIOMASS", "CCGT", "COAL", "NPSHYD", "NUCLEAR", "OCGT", "OIL", "OTHER", "PS", "WIND", "INTFR",
    "INTIRL", "INTNED", "INTEW", "INTNEM", "INTELEC", "INTIFA2", "INTNSL", "INTVKL", "INTGRNL",
)  # fmt: skip

FREQUENCY = Table(
    name="frequency",
    columns=(
        Column("measurement_time", "time", "UTC", "Moment of the measurement", "measurementTime"),
        Column("frequency_hz", "float", "Hz", "System frequency", "frequency", bounds=(45.0, 55.0)),
    ),
    key=("measurement_time",),
    time="measurement_time",
)

WIND_SOLAR = Table(
    name="wind_solar",
    columns=(
        PERIOD_START,
        Column(
            "psr_type",
            "text",
            "",
            "Solar, Wind Onshore or Wind Offshore",
            "psrType",
            known=("Solar", "Wind Onshore", "Wind Offshore"),
        ),
        Column(
            "generation_mw",
            "float",
            "MW",
            "Mean generation in the period, metered or estimated",
            "quantity",
            bounds=(0.0, 60_000.0),
            tick=0.001,  # kilowatts
        ),
        Column(
            "business_type",
            "text",
            "",
            "Wind generation or Solar generation",
            "businessType",
            optional=True,
        ),
        PUBLISH_TIME,
        SETTLEMENT_DATE,
        SETTLEMENT_PERIOD,
        Column(
            "document_id",
            "text",
            "",
            "Document that carried the row, where the answer names it",
            "documentId",
            optional=True,
        ),
        Column(
            "document_revision",
            "int",
            "",
            "Revision of that document",
            "documentRevisionNumber",
            optional=True,
        ),
    ),
    key=("period_start", "psr_type"),
    time="period_start",
    version="publish_time",
)


def _by_fuel(name: str, meaning: str) -> Table:
    return Table(
        name=name,
        columns=(
            PERIOD_START if name == "generation_outturn" else _FIVE_MINUTES,
            Column(
                "fuel_type", "text", "", "Fuel, or interconnector (INT…)", "fuelType", known=FUELS
            ),
            Column(
                "generation_mw",
                "float",
                "MW",
                f"{meaning}; imports +, exports and pumping -",
                "generation",
                bounds=(-10_000.0, 60_000.0),
                steady=1.8,
            ),
            PUBLISH_TIME,
            SETTLEMENT_DATE,
            SETTLEMENT_PERIOD,
        ),
        key=("period_start", "fuel_type"),
        time="period_start",
        version="publish_time",
    )


_FIVE_MINUTES = Column("period_start", "time", "UTC", "Start of the five minutes", "startTime")
GENERATION_OUTTURN = _by_fuel("generation_outturn", "Mean generation in the settlement period")
FUEL_INSTRUCTIONS = _by_fuel("fuel_instructions", "Mean generation in five minutes")

DEMAND_OUTTURN = Table(
    name="demand_outturn",
    columns=(
        PERIOD_START,
        Column(
            "national_demand_mw",
            "float",
            "MW",
            "Initial national demand outturn (INDO): without station load, pumping and exports",
            "initialDemandOutturn",
            optional=True,
            sent=True,
            bounds=(5_000.0, 80_000.0),
            steady=1.8,
        ),
        Column(
            "transmission_system_demand_mw",
            "float",
            "MW",
            "Initial transmission system demand outturn (ITSDO): with them",
            "initialTransmissionSystemDemandOutturn",
            optional=True,
            sent=True,
            bounds=(5_000.0, 80_000.0),
            steady=1.8,
        ),
        Column(
            "publish_time",
            "time",
            "UTC",
            "When this version was published, where the answer says it",
            "publishTime",
            optional=True,
        ),
        SETTLEMENT_DATE,
        SETTLEMENT_PERIOD,
    ),
    key=("period_start",),
    time="period_start",
    version="publish_time",
)

SYSTEM_WARNINGS = Table(
    name="system_warnings",
    columns=(
        Column("publish_time", "time", "UTC", "When it was published", "publishTime"),
        Column("warning_type", "text", "", "Kind, where the answer names it", "warningType"),
        Column("text_id", "text", "", "Fingerprint of the text"),
        Column("warning_text", "text", "", "The message", "warningText"),
    ),
    key=("publish_time", "warning_type", "text_id"),
    time="publish_time",
)

WIND_FORECASTS = Table(
    name="wind_forecasts",
    columns=(
        Column("publish_time", "time", "UTC", "When the forecast was issued", "publishTime"),
        Column("hour_start", "time", "UTC", "Start of the hour it is for", "startTime"),
        Column(
            "generation_mw",
            "float",
            "MW",
            "Forecast of metered wind generation",
            "generation",
            optional=True,
            bounds=(0.0, 60_000.0),
        ),
    ),
    key=("publish_time", "hour_start"),
    time="publish_time",
)

LOSS_OF_LOAD = Table(
    name="loss_of_load",
    columns=(
        Column("publish_time", "time", "UTC", "When the forecast was issued", "publishTime"),
        Column("period_start", "time", "UTC", "Settlement period it is for", "startTime"),
        Column(
            "publishing_period_start",
            "time",
            "UTC",
            "Start of the period in which it was issued",
            "publishingPeriodCommencingTime",
            optional=True,
        ),
        Column(
            "loss_of_load_probability",
            "float",
            "",
            "Probability that demand is not met, 0 to 1",
            "lossOfLoadProbability",
            optional=True,
            bounds=(0.0, 1.0),
        ),
        Column(
            "derated_margin_mw",
            "float",
            "MW",
            "Derated margin",
            "deratedMargin",
            optional=True,
        ),
        SETTLEMENT_DATE,
        SETTLEMENT_PERIOD,
    ),
    key=("publish_time", "period_start"),
    time="publish_time",
)


def _temperature(name: str, meaning: str, source: str, *, optional: bool = True) -> Column:
    return Column(name, "float", "degC", meaning, source, optional=optional, bounds=(-30.0, 45.0))


TEMPERATURE = Table(
    name="temperature",
    columns=(
        Column("measurement_date", "date", "", "Day of the measurement", "measurementDate"),
        Column("publish_time", "time", "UTC", "When it was published", "publishTime"),
        _temperature("temperature_degc", "Temperature at noon, of the whole system", "temperature"),
        _temperature("reference_average_degc", "Normal for the day", "temperatureReferenceAverage"),
        _temperature("reference_high_degc", "High reference", "temperatureReferenceHigh"),
        _temperature("reference_low_degc", "Low reference", "temperatureReferenceLow"),
    ),
    key=("measurement_date",),
    time="publish_time",
)

DATASETS = (
    Dataset(
        key="frequency",
        aliases=("FREQ",),
        title="System frequency, every 15 s",
        provider=ELEXON,
        table=FREQUENCY,
        read=JsonRows("/datasets/FREQ/stream", "measurementDateTimeFrom", "measurementDateTimeTo"),
        widest=2 * DAY,
        completeness=Grid(timedelta(seconds=15)),
        lag=timedelta(minutes=10),
        available_from=HISTORY,
        groups=("core",),
        rows_a_day=5760,
        priority=10,
    ),
    Dataset(
        key="wind_solar",
        aliases=("AGWS", "B1630"),
        title="Actual or estimated wind and solar generation, half-hourly",
        provider=ELEXON,
        table=WIND_SOLAR,
        read=JsonRows("/generation/actual/per-type/wind-and-solar", "from", "to"),
        widest=7 * DAY,
        completeness=Grid(PERIOD, "psr_type"),
        lag=4 * HOUR,
        revisions=(1 * DAY, 2 * DAY, 5 * DAY, 8 * DAY),
        available_from=HISTORY,
        groups=("core",),
        rows_a_day=144,
        priority=10,
    ),
    Dataset(
        key="generation_outturn",
        aliases=("FUELHH",),
        title="Generation by fuel and interconnector, half-hourly",
        provider=ELEXON,
        table=GENERATION_OUTTURN,
        read=JsonRows("/datasets/FUELHH/stream", *SETTLED, by_day=True),
        widest=28 * DAY,
        completeness=Grid(PERIOD, "fuel_type"),
        lag=2 * HOUR,
        revisions=(1 * DAY, 5 * DAY),
        available_from=HISTORY,
        groups=("core",),
        rows_a_day=960,
        priority=20,
    ),
    Dataset(
        key="demand_outturn",
        title="Initial demand outturn, national and transmission system, half-hourly",
        provider=ELEXON,
        table=DEMAND_OUTTURN,
        read=JsonRows("/demand/outturn/stream", *SETTLED, by_day=True),
        widest=28 * DAY,
        completeness=Grid(PERIOD, value="national_demand_mw"),
        lag=2 * HOUR,
        revisions=(1 * DAY, 5 * DAY),
        available_from=HISTORY,
        groups=("core",),
        priority=20,
    ),
    Dataset(
        key="fuel_instructions",
        aliases=("FUELINST",),
        title="Generation by fuel and interconnector, every five minutes",
        provider=ELEXON,
        table=FUEL_INSTRUCTIONS,
        read=JsonRows("/datasets/FUELINST/stream", *SETTLED, by_day=True),
        widest=7 * DAY,
        completeness=Grid(timedelta(minutes=5), "fuel_type"),
        lag=2 * HOUR,
        available_from=HISTORY,
        groups=("generation",),
        rows_a_day=5760,
    ),
    Dataset(
        key="system_warnings",
        aliases=("SYSWARN",),
        title="System warnings and notices",
        provider=ELEXON,
        table=SYSTEM_WARNINGS,
        read=JsonRows(
            "/datasets/SYSWARN/stream",
            *PUBLISHED,
            absent=(("warningType", ""),),
            made=(("text_id", fingerprint("warningText")),),
        ),
        widest=28 * DAY,
        completeness=Events(),
        lag=1 * HOUR,
        available_from=HISTORY,
        groups=("balancing",),
        rows_a_day=5,
    ),
    Dataset(
        key="wind_forecasts",
        aliases=("WINDFOR",),
        title="Wind generation forecast, hourly, every issue kept",
        provider=ELEXON,
        table=WIND_FORECASTS,
        read=JsonRows("/datasets/WINDFOR/stream", *PUBLISHED),
        widest=28 * DAY,
        completeness=Events(),
        lag=1 * HOUR,
        available_from=HISTORY,
        groups=("forecasts",),
        rows_a_day=600,
    ),
    Dataset(
        key="loss_of_load",
        aliases=("LOLPDRM",),
        title="Loss of load probability and derated margin, every issue kept",
        provider=ELEXON,
        table=LOSS_OF_LOAD,
        read=JsonRows("/datasets/LOLPDRM/stream", *PUBLISHED),
        widest=7 * DAY,
        completeness=Events(),
        lag=1 * HOUR,
        available_from=HISTORY,
        groups=("forecasts",),
        rows_a_day=2400,
    ),
    Dataset(
        key="temperature",
        aliases=("TEMP",),
        title="Temperature of the system at noon and its normal, daily",
        provider=ELEXON,
        table=TEMPERATURE,
        read=JsonRows("/temperature", "from", "to", by_day=True),
        widest=28 * DAY,
        completeness=Rows(),
        lag=2 * HOUR,
        available_from=HISTORY,
        groups=("forecasts",),
        rows_a_day=1,
    ),
)
