"""Elexon Insights, unit by unit: metered output, notifications, bids and offers, outages, the register."""

from __future__ import annotations

from domain.ledger import Events, Rows
from domain.tables import Column, Table
from sources.dataset import Dataset
from sources.elexon import DAY, HISTORY, HOUR, PERIOD, PUBLISHED, SETTLEMENT_DATE, SETTLEMENT_PERIOD
from sources.elexon_balancing import ELEXON_UNIT, NATIONAL_GRID_UNIT, SETTLEMENT_RUNS
from sources.elexon_rows import ELEXON, JsonRows, start_of_period

_NO_UNIT = (("nationalGridBmUnit", ""),)
LONGEST_DAY = 25 * HOUR


def _text(name: str, meaning: str, source: str) -> Column:
    return Column(name, "text", "", meaning, source, optional=True)


def _capacity(name: str, meaning: str, source: str) -> Column:
    return Column(name, "float", "MW", meaning, source, optional=True, bounds=(-10_000.0, 10_000.0))


INDIVIDUAL_GENERATION = Table(
    name="individual_generation",
    columns=(
        Column("bm_unit", "text", "", "BM unit, Elexon's name", "bmUnit"),
        Column("period_start", "time", "UTC", "Start of the settlement period"),
        Column(
            "settlement_run",
            "text",
            "",
            "Run that gave the value, where the answer names it",
            "settlementRunType",
            known=("", "II", "SF", "R1", "R2", "R3", "RF", "DF"),
        ),
        Column(
            "energy_mwh", "float", "MWh", "Metered energy; into the system +", "quantity",
            bounds=(-5_000.0, 5_000.0),
        ),
        SETTLEMENT_DATE,
        SETTLEMENT_PERIOD,
        Column(
            "half_hour_end", "time", "UTC", "End of the settlement period", "halfHourEndTime"
        ),
        _text("national_grid_bm_unit", "BM unit, NESO's name", "nationalGridBmUnitId"),
        _text("psr_type", "Generation or consumption", "psrType"),
    ),
    key=("bm_unit", "period_start", "settlement_run"),
    time="period_start",
)  # fmt: skip


def _notified(name: str, *more: Column, key: tuple[str, ...]) -> Table:
    return Table(
        name=name,
        columns=(
            NATIONAL_GRID_UNIT,
            Column("time_from", "time", "UTC", "Start of this piece", "timeFrom"),
            *more,
            Column("time_to", "time", "UTC", "End of this piece", "timeTo"),
            _capacity("level_from_mw", "Level at its start", "levelFrom"),
            _capacity("level_to_mw", "Level at its end", "levelTo"),
            ELEXON_UNIT,
            SETTLEMENT_DATE,
            SETTLEMENT_PERIOD,
        ),
        key=key,
        time="time_from",
    )


PHYSICAL_NOTIFICATIONS = _notified(
    "physical_notifications", key=("national_grid_bm_unit", "time_from")
)
BID_OFFERS = _notified(
    "bid_offers",
    Column("pair", "int", "", "Number of the pair: + offers, - bids", "pairId"),
    Column("offer_gbp_per_mwh", "float", "GBP/MWh", "Price of raising output", "offer"),
    Column("bid_gbp_per_mwh", "float", "GBP/MWh", "Price of lowering it", "bid"),
    key=("national_grid_bm_unit", "time_from", "pair"),
)

REMIT = Table(
    name="remit",
    columns=(
        Column("mrid", "text", "", "Message", "mrid"),
        Column("revision", "int", "", "Its revision", "revisionNumber"),
        Column("publish_time", "time", "UTC", "When it was published", "publishTime"),
        Column("created_at", "time", "UTC", "When it was written", "createdTime", optional=True),
        _text("message_type", "Kind of message", "messageType"),
        _text("message_heading", "Heading", "messageHeading"),
        _text("event_type", "Kind of event", "eventType"),
        _text("unavailability_type", "Planned or Unplanned", "unavailabilityType"),
        _text("participant", "Market participant", "participantId"),
        _text("registration_code", "Its registration", "registrationCode"),
        _text("asset", "Asset", "assetId"),
        _text("asset_type", "Kind of asset", "assetType"),
        _text("affected_unit", "Unit affected", "affectedUnit"),
        _text("affected_unit_eic", "Its EIC", "affectedUnitEIC"),
        _text("affected_area", "Area affected", "affectedArea"),
        _text("bidding_zone", "Bidding zone (EIC)", "biddingZone"),
        _text("fuel_type", "Fuel", "fuelType"),
        _capacity("normal_capacity_mw", "Capacity without the event", "normalCapacity"),
        _capacity("available_capacity_mw", "Capacity left", "availableCapacity"),
        _capacity("unavailable_capacity_mw", "Capacity lost", "unavailableCapacity"),
        _text("event_status", "Active, Inactive or Dismissed", "eventStatus"),
        Column(
            "event_start", "time", "UTC", "When the event begins", "eventStartTime", optional=True
        ),
        Column("event_end", "time", "UTC", "When it ends", "eventEndTime", optional=True),
        _text("duration_uncertainty", "How sure the end is", "durationUncertainty"),
        _text("cause", "Cause", "cause"),
        _text("related_information", "More", "relatedInformation"),
        _text("outage_profile", "Capacity over time, as JSON", "outageProfile"),
    ),
    key=("mrid", "revision"),
    time="publish_time",
)

BM_UNITS = Table(
    name="bm_units",
    columns=(
        Column("bm_unit", "text", "", "Elexon's name; empty without one", "elexonBmUnit"),
        Column(
            "national_grid_bm_unit", "text", "", "NESO's name; empty without one",
            "nationalGridBmUnit",
        ),
        _text("eic", "EIC", "eic"),
        _text("fuel_type", "Fuel", "fuelType"),
        _text("lead_party", "Lead party", "leadPartyName"),
        _text("lead_party_id", "Its code", "leadPartyId"),
        _text("unit_type", "T transmission, E embedded, I interconnector …", "bmUnitType"),
        _text("name", "Name", "bmUnitName"),
        Column("notifies", "flag", "", "Sends physical notifications", "fpnFlag", optional=True),
        _capacity("demand_capacity_mw", "Most it may draw", "demandCapacity"),
        _capacity("generation_capacity_mw", "Most it may give", "generationCapacity"),
        _text("production_or_consumption", "P or C", "productionOrConsumptionFlag"),
        Column(
            "transmission_loss_factor", "float", "", "Transmission loss factor",
            "transmissionLossFactor", optional=True,
        ),
        _capacity(
            "working_day_import_mw", "Credit assessment, working days, import",
            "workingDayCreditAssessmentImportCapability",
        ),
        _capacity(
            "non_working_day_import_mw", "Credit assessment, other days, import",
            "nonWorkingDayCreditAssessmentImportCapability",
        ),
        _capacity(
            "working_day_export_mw", "Credit assessment, working days, export",
            "workingDayCreditAssessmentExportCapability",
        ),
        _capacity(
            "non_working_day_export_mw", "Credit assessment, other days, export",
            "nonWorkingDayCreditAssessmentExportCapability",
        ),
        Column(
            "credit_qualifying", "flag", "", "Credit qualifying", "creditQualifyingStatus",
            optional=True,
        ),
        Column(
            "demand_in_production", "flag", "", "Demand in production", "demandInProductionFlag",
            optional=True,
        ),
        _text("gsp_group", "GSP group", "gspGroupId"),
        _text("gsp_group_name", "Its name", "gspGroupName"),
        _text("interconnector", "Interconnector", "interconnectorId"),
    ),
    key=("bm_unit", "national_grid_bm_unit"),
    time="",
)  # fmt: skip

DATASETS = (
    Dataset(
        key="individual_generation",
        aliases=("B1610",),
        title="Metered energy of every BM unit, half-hourly, each settlement run kept",
        provider=ELEXON,
        table=INDIVIDUAL_GENERATION,
        # Asked by the end of the half hour; a day has some 450,000 rows.
        read=JsonRows(
            "/datasets/B1610/stream",
            "from",
            "to",
            offset=PERIOD,
            part=6 * HOUR,
            absent=(("settlementRunType", ""),),
            made=(("period_start", start_of_period),),
        ),
        widest=LONGEST_DAY,
        completeness=Events(),
        lag=7 * DAY,
        revisions=SETTLEMENT_RUNS[1:],
        available_from=HISTORY,
        groups=("units",),
        rows_a_day=440_000,
        priority=80,
    ),
    Dataset(
        key="physical_notifications",
        aliases=("PN",),
        title="Physical notifications of every BM unit",
        provider=ELEXON,
        table=PHYSICAL_NOTIFICATIONS,
        read=JsonRows(
            "/datasets/PN/stream", "from", "to", overlapping=True, part=12 * HOUR, absent=_NO_UNIT
        ),
        widest=LONGEST_DAY,
        completeness=Events(),
        lag=2 * HOUR,
        available_from=HISTORY,
        groups=("units",),
        rows_a_day=126_000,
        priority=80,
    ),
    Dataset(
        key="bid_offers",
        aliases=("BOD",),
        title="Bids and offers of every BM unit",
        provider=ELEXON,
        table=BID_OFFERS,
        read=JsonRows(
            "/datasets/BOD/stream", "from", "to", overlapping=True, part=12 * HOUR, absent=_NO_UNIT
        ),
        widest=LONGEST_DAY,
        completeness=Events(),
        lag=2 * HOUR,
        available_from=HISTORY,
        groups=("units",),
        rows_a_day=250_000,
        priority=80,
    ),
    Dataset(
        key="remit",
        aliases=("outages",),
        title="Outage messages (REMIT), every revision kept",
        provider=ELEXON,
        table=REMIT,
        read=JsonRows("/datasets/REMIT/stream", *PUBLISHED, nested=("outageProfile",)),
        widest=7 * DAY,
        completeness=Events(),
        lag=1 * HOUR,
        available_from=HISTORY,
        groups=("units",),
        rows_a_day=300,
        priority=60,
    ),
    Dataset(
        key="bm_units",
        aliases=("bmunits",),
        title="Register of BM units, as it stands",
        provider=ELEXON,
        table=BM_UNITS,
        read=JsonRows(
            "/reference/bmunits/all",
            absent=(("elexonBmUnit", ""), ("nationalGridBmUnit", "")),
            spelled=(
                "demandCapacity",
                "generationCapacity",
                "transmissionLossFactor",
                "workingDayCreditAssessmentImportCapability",
                "nonWorkingDayCreditAssessmentImportCapability",
                "workingDayCreditAssessmentExportCapability",
                "nonWorkingDayCreditAssessmentExportCapability",
            ),
        ),
        widest=LONGEST_DAY,
        completeness=Rows(),
        lag=0 * HOUR,
        available_from=HISTORY,
        groups=("reference",),
        rows_a_day=3000,
        priority=60,
    ),
)
