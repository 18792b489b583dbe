"""The data items of the platform: how each is asked for, what may be asked, and how it looks."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.entsoe import document
from sandbox.entsoe.document import Form
from sandbox.entsoe.zones import BALANCING, IMBALANCE, PRICES, UNITS

PROCESS, CURVE, PSR, OFFSET = "processType", "curveType", "psrType", "offset"
BUSINESS, UNIT = "businessType", "registeredResource"
CONTRACT, AGREEMENT = "contract_MarketAgreement.type", "type_MarketAgreement.type"
SEQUENCE = "classificationSequence_AttributeInstanceComponent.position"
STATUS, MRID = "docStatus", "mRID"
UPDATED = ("periodStartUpdate", "periodEndUpdate")
_SAME, _BORDER = ("in_Domain", "out_Domain"), ("in_Domain", "out_Domain")
SLOTS, AUCTIONS, CIVIL, CONTRACTS, OUTAGES = "slots", "auctions", "civil", "contracts", "outages"


@dataclass(frozen=True)
class Item:
    """A data item: its names, the parameters it must and may have, and its widest window.

    `codes` are parameters that must have the value given: they tell items of one document type
    apart. `parts` are the series that it consists of by the value of parameter `by`; all of them
    where it is left out and may be. `areas` name the parameters with EICs, which must be equal but
    for a border, whose `in_Domain` is where power goes to. `kind` is what the area is asked for,
    `labels` are parameters that choose curves by a label. No more than `most` TimeSeries or
    documents come in one answer.
    """

    key: str
    document: str
    name: str
    article: str
    title: str
    areas: tuple[str, ...]
    form: Form
    words: str = "P1M"
    codes: tuple[tuple[str, str], ...] = ()
    manner: str = SLOTS
    parts: tuple[tuple[str, str], ...] = ()
    by: str = ""
    by_needed: bool = True
    border: bool = False
    kind: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    optional: tuple[str, ...] = ()
    zipped: bool = False
    daily: bool = False
    most: int = 0
    head_area: str = ""
    status: str | None = None
    process: str | None = None

    def chosen(self, value: str | None) -> list[str]:
        """Return the keys of the series that are asked for."""
        if not self.parts:
            return [self.key]
        return [key for code, key in self.parts if value in (None, code)]


def _gl(
    key: str, code: str, process: str, name: str, article: str, title: str, **more: object
) -> Item:
    """Return an item of the documents about load and generation."""
    side = "outBiddingZone_Domain" if code == "A65" else "in_Domain"
    facts: dict[str, object] = {
        "form": document.LOAD,
        "optional": (("out_Domain", CURVE) if code == "A65" else (CURVE,)),
        "codes": ((PROCESS, process),),
        "process": process,
    }
    return Item(key, code, name, article, title, (side,), **(facts | more))  # type: ignore[arg-type]


_BY_TYPE = {"labels": ((PSR, "psr_type"),), "optional": (PSR, CURVE)}
_BY_UNIT = {
    "labels": ((PSR, "psr_type"), (UNIT, "unit_eic")),
    "optional": (PSR, UNIT, CURVE),
    "kind": UNITS,
}
_FORECAST = ("TOTAL_LOAD_FORECAST", "6.1.C&D&E")
_POWER = (
    # A well-known client sends both.
    _gl("load", "A65", "A16", "ACTUAL_TOTAL_LOAD_R3", "6.1.A", "Actual Total Load"),
    _gl(
        "load_forecast_day",
        "A65",
        "A01",
        "DAY_AHEAD_TOTAL_LOAD_FORECAST_R3",
        "6.1.B",
        "Day-ahead Total Load Forecast",
    ),
    *(
        _gl(
            f"load_forecast_{length}",
            "A65",
            process,
            *_FORECAST,
            f"{length.capitalize()}-ahead Total Load Forecast",
            form=document.FAR_AHEAD,
            manner=CIVIL,
        )
        for length, process in (("week", "A31"), ("month", "A32"), ("year", "A33"))
    ),
    _gl(
        "generation",
        "A75",
        "A16",
        "AGGREGATED_GENERATION_PER_TYPE_R3",
        "16.1.B&C",
        "Actual Generation per Production Type",
        form=document.GENERATION,
        **_BY_TYPE,
    ),
    _gl(
        "generation_per_unit",
        "A73",
        "A16",
        "ACTUAL_GENERATION_OUTPUT_PER_UNIT_R3",
        "16.1.A",
        "Actual Generation per Generation Unit",
        form=document.GENERATION,
        words="P1D",
        **_BY_UNIT,
    ),
    _gl(
        "generation_forecast",
        "A71",
        "A01",
        "GENERATION_FORECAST_R3",
        "14.1.C",
        "Generation Forecast - Day ahead",
        form=document.TOTAL,
    ),
    Item(
        "wind_solar_forecast",
        "A69",
        "WIND_AND_SOLAR_FORECAST_R3",
        "14.1.D",
        "Generation Forecasts for Wind and Solar",
        ("in_Domain",),
        document.WEATHER,
        parts=tuple((code, f"wind_solar_{code}") for code in ("A01", "A40", "A18")),
        by=PROCESS,
        labels=((PSR, "psr_type"),),
        optional=(PSR, CURVE),
    ),
    _gl(
        "capacity_per_type",
        "A68",
        "A33",
        "INSTALLED_GENERATION_CAPACITY_AGGREGATED",
        "14.1.A",
        "Installed Capacity per Production Type",
        form=document.FAR_AHEAD,
        manner=CIVIL,
        words="P1Y",
        **_BY_TYPE,
    ),
    _gl(
        "capacity_per_unit",
        "A71",
        "A33",
        "INSTALLED_GENERATION_CAPACITY_PER_UNIT",
        "14.1.B",
        "Installed Capacity Per Production Unit",
        form=document.FAR_AHEAD,
        manner=CIVIL,
        words="P1Y",
        **(_BY_UNIT | {"kind": ""}),
    ),
    _gl(
        "reservoirs",
        "A72",
        "A16",
        "WATER_RESERVOIRS_AND_HYDRO_STORAGE_PLANTS",
        "16.1.D",
        "Water Reservoirs and Hydro Storage Plants",
        form=document.STORED,
        manner=CIVIL,
        words="P1Y",
    ),
)

_NTC = ("FORECASTED_TRANSFER_CAPACITIES", "11.1.A", "Forecasted Transfer Capacities")
_MARKET = (
    Item(
        "prices",
        "A44",
        "ENERGY_PRICES",
        "12.1.D",
        "Energy Prices",
        _SAME,
        document.PRICES,
        "P1Y",
        manner=AUCTIONS,
        by=CONTRACT,
        by_needed=False,
        # Without a contract the platform tells of the day ahead.
        parts=(("A01", "prices"), ("A07", "intraday")),
        kind=PRICES,
        optional=(SEQUENCE, OFFSET, CURVE),
        most=100,
    ),
    Item(
        "flows",
        "A11",
        "CROSS_BORDER_PHYSICAL_FLOW_R3",
        "12.1.G",
        "Cross-Border Physical Flow",
        _BORDER,
        document.FLOWS,
        border=True,
        optional=(CURVE,),
    ),
    Item(
        "scheduled",
        "A09",
        "COMMERCIAL_SCHEDULES",
        "12.1.F",
        "Commercial Schedules",
        _BORDER,
        document.SCHEDULES,
        border=True,
        by=CONTRACT,
        by_needed=False,
        parts=(("A01", "scheduled_A01"), ("A05", "scheduled_A05")),
        optional=(CURVE,),
    ),
    Item(
        "net_position",
        "A25",
        "IMPLICIT_AUCTION_NET_POSITIONS",
        "12.1.E",
        "Implicit Auction - Net Positions",
        _SAME,
        document.POSITIONS,
        codes=((BUSINESS, "B09"),),
        by=CONTRACT,
        parts=tuple((code, f"net_position_{code}") for code in ("A01", "A05", "A07")),
        optional=(CURVE,),
    ),
    Item(
        "capacity_day",
        "A61",
        *_NTC,
        _BORDER,
        document.FAR_AHEAD_FLOWS,
        "P1Y",
        codes=((CONTRACT, "A01"),),
        border=True,
        optional=(CURVE,),
    ),
    *(
        Item(
            f"capacity_{length}",
            "A61",
            *_NTC,
            _BORDER,
            document.FAR_AHEAD_FLOWS,
            "P1Y",
            codes=((CONTRACT, code),),
            manner=CIVIL,
            border=True,
            optional=(CURVE,),
        )
        for length, code in (("week", "A02"), ("month", "A03"), ("year", "A04"))
    ),
)

_RESERVES_NAME = "AMOUNT_AND_PRICES_PAID_OF_BALANCING_RESERVES_UNDER_CONTRACT_R3"
_ACTIVATED = (
    "PRICES_OF_ACTIVATED_BALANCING_ENERGY_R3",
    "17.1.F",
    "Prices of Activated Balancing Energy",
)
_PRODUCT = ("standard_MarketProduct", "original_MarketProduct")
_BALANCING = (
    Item(
        "imbalance_prices",
        "A85",
        "IMBALANCE_PRICES_R3",
        "17.1.G",
        "Imbalance Prices",
        ("controlArea_Domain",),
        document.IMBALANCE,
        "P1Y",
        kind=IMBALANCE,
        optional=(PSR,),
        zipped=True,
        head_area="area_Domain",
        status="A02",
        process="A16",
    ),
    Item(
        "balancing_state",
        "A86",
        "CURRENT_BALANCING_STATE_R3",
        "GL EB 12.3.A",
        "Current Balancing State",
        ("area_Domain",),
        document.STATE,
        codes=((BUSINESS, "B33"),),
        kind=BALANCING,
        head_area="area_Domain",
        process="A16",
    ),
    Item(
        "imbalance_volumes",
        "A86",
        "TOTAL_IMBALANCE_VOLUMES_R3",
        "17.1.H",
        "Total Imbalance Volumes",
        ("controlArea_Domain",),
        document.VOLUMES,
        kind=IMBALANCE,
        optional=(BUSINESS,),
        zipped=True,
        # A document for each market day.
        daily=True,
        head_area="controlArea_Domain",
        status="A02",
        process="A16",
    ),
    Item(
        "contracted_reserves",
        "A81",
        _RESERVES_NAME,
        "17.1.B&C",
        "Volumes and Prices of Contracted Reserves",
        ("controlArea_Domain",),
        document.RESERVES,
        codes=((BUSINESS, "B95"),),
        manner=CONTRACTS,
        by=PROCESS,
        by_needed=False,
        parts=tuple((code, code) for code in ("A51", "A52", "A47", "A46")),
        kind=BALANCING,
        optional=(AGREEMENT, PSR, OFFSET),
        zipped=True,
        most=100,
        head_area="controlArea_Domain",
    ),
    Item(
        "procured_capacity",
        "A15",
        "PROCURED_BALANCING_CAPACITY_R3",
        "GL EB 12.3.F",
        "Procured Balancing Capacity",
        ("area_Domain",),
        document.RESERVES,
        "P1Y",
        manner=CONTRACTS,
        by=PROCESS,
        parts=tuple((code, code) for code in ("A51", "A52", "A47", "A46")),
        kind=BALANCING,
        optional=(AGREEMENT, OFFSET),
        zipped=True,
        most=100,
        head_area="area_Domain",
    ),
    Item(
        "activated_energy",
        "A83",
        "ACTIVATED_BALANCING_ENERGY_R3",
        "17.1.E",
        "Activated Balancing Energy",
        ("controlArea_Domain",),
        document.ENERGY,
        "P1Y",
        kind=BALANCING,
        labels=((BUSINESS, "businessType"), (PSR, "psr_type")),
        optional=(BUSINESS, PSR),
        head_area="controlArea_Domain",
        process="A16",
    ),
    Item(
        "activated_prices",
        "A84",
        *_ACTIVATED,
        ("controlArea_Domain",),
        document.ACTIVATIONS,
        "P1Y",
        by=PROCESS,
        parts=(
            ("A16", "activated_prices_A16"),
            ("A67", "activated_prices_A67"),
            *((code, "") for code in ("A60", "A61", "A68")),
        ),
        kind=BALANCING,
        labels=((BUSINESS, "businessType"), (PSR, "psr_type")),
        optional=(BUSINESS, PSR, "ExportType", *_PRODUCT),
        head_area="area_Domain",
    ),
    Item(
        "aggregated_bids",
        "A24",
        "AGGREGATED_BALANCING_ENERGY_BIDS_R3",
        "GL EB 12.3.E",
        "Aggregated Balancing Energy Bids",
        ("area_Domain",),
        document.BIDS,
        "P1Y",
        by=PROCESS,
        parts=(
            ("A51", "bids_A51"),
            ("A47", "bids_A47"),
            *((code, "") for code in ("A46", "A60", "A61", "A67", "A68")),
        ),
        kind=BALANCING,
        head_area="area_Domain",
    ),
)

_UNAVAILABLE = "UNAVAILABILITY_OF_PRODUCTION_AND_GENERATION_UNITS"
_ASKED = (STATUS, BUSINESS, *UPDATED, MRID, OFFSET)
_OUTAGES = (
    *(
        Item(
            f"outages_{what}",
            kind,
            _UNAVAILABLE,
            "15.1.A, 15.1.B, 15.1.C, 15.1.D",
            f"Unavailability of {what.capitalize()} Units",
            ("biddingZone_Domain",),
            document.OUTAGES,
            "P1Y",
            manner=OUTAGES,
            optional=(*_ASKED, UNIT),
            zipped=True,
            most=200,
        )
        for kind, what in (("A80", "generation"), ("A77", "production"))
    ),
    Item(
        "outages_transmission",
        "A78",
        "UNAVAILABILITY_IN_TRANSMISSION_GRID",
        "10.1.A, 10.1.B",
        "Unavailability of Transmission Infrastructure",
        _BORDER,
        document.OUTAGES,
        "P1Y",
        manner=OUTAGES,
        border=True,
        optional=_ASKED,
        zipped=True,
        most=200,
    ),
)

ALL = (*_POWER, *_MARKET, *_BALANCING, *_OUTAGES)
BY_DOCUMENT: dict[str, list[Item]] = {}
for _item in ALL:
    BY_DOCUMENT.setdefault(_item.document, []).append(_item)
