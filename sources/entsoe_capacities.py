"""ENTSO-E datasets of what stands in a zone: installed capacities by year, reservoirs by week.

A row begins at the midnight of the zone's clock (or the market's) and holds for its year or week.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from domain.errors import SchemaError
from domain.ledger import Span
from domain.tables import Column
from sources.entsoe import RESOLUTION_COLUMN, Item
from sources.entsoe_power import (
    IN,
    LARGEST_UNIT,
    TYPE_COLUMN,
    UNIT_COLUMNS,
    WEEKLY,
    Told,
    by_zone,
    first_of,
    power,
    process,
    rows_of,
    type_rows,
    types_of,
    unit_codes,
    unit_names,
    zone_table,
)
from sources.entsoe_xml import Document, Series

# --- documents into rows --------------------------------------------------------------------------

VOLTAGE = (
    "MktPSRType/production_PowerSystemResources.highVoltageLimit",
    "MktPSRType/voltage_PowerSystemResources.highVoltageLimit",
)


def unit_capacity_rows(document: Document, scope: str) -> dict[str, Any]:
    """Capacity, type and voltage of each unit."""
    told: Told = {
        "psr_type": types_of,
        "unit_eic": unit_codes,
        "unit_name": unit_names,
        "voltage": _voltages,
    }
    return rows_of(document.series, scope, told)


def _voltages(series: Sequence[Series]) -> list[float]:
    try:
        return [float(first_of(one, VOLTAGE) or "nan") for one in series]
    except ValueError as trouble:
        raise SchemaError(f"highVoltageLimit: {trouble}; nothing was stored.") from None


def reservoir_rows(document: Document, scope: str) -> dict[str, Any]:
    """Energy stored, week by week."""
    return rows_of(document.series, scope, {}, "MWH")


# --- tables ---------------------------------------------------------------------------------------

INSTALLED_CAPACITY = zone_table(
    "entsoe_installed_capacity",
    (
        TYPE_COLUMN,
        RESOLUTION_COLUMN,
        power("capacity_mw", "Installed net capacity", "quantity", bounds=(0.0, 500_000.0)),
    ),
    "psr_type",
)
INSTALLED_CAPACITY_PER_UNIT = zone_table(
    "entsoe_installed_capacity_per_unit",
    (
        *UNIT_COLUMNS,
        TYPE_COLUMN,
        RESOLUTION_COLUMN,
        power("capacity_mw", "Installed net capacity", "quantity", bounds=(0.0, LARGEST_UNIT)),
        Column(
            "voltage_kv", "float", "kV", "Voltage at which it is connected", "voltage",
            optional=True, bounds=(0.0, 1_500.0),
        ),
    ),
    "unit_eic",
    "psr_type",
    lane=("zone", "unit_eic"),
)  # fmt: skip
RESERVOIRS = zone_table(
    "entsoe_reservoirs",
    (
        RESOLUTION_COLUMN,
        Column(
            "stored_mwh", "float", "MWh", "Energy in reservoirs, mean of the week", "quantity",
            bounds=(0.0, 200_000_000.0),
        ),
    ),
)  # fmt: skip

# --- datasets -------------------------------------------------------------------------------------

_A_YEAR, _YEARLY = timedelta(days=365), timedelta(days=366, hours=1)

DATASETS = (
    by_zone(
        "entsoe_installed_capacity",
        "Installed capacity of each year by bidding zone and type",
        INSTALLED_CAPACITY,
        Item("A68", IN, type_rows, process("A33")),
        aliases=("A68",),
        completeness=Span("psr_type"),
        widest=_A_YEAR,
        reach=_YEARLY,
        rows_a_day=20,
    ),
    by_zone(
        "entsoe_installed_capacity_per_unit",
        "Installed capacity of each year by production unit",
        INSTALLED_CAPACITY_PER_UNIT,
        Item("A71", IN, unit_capacity_rows, process("A33")),
        completeness=Span("unit_eic"),
        widest=_A_YEAR,
        reach=_YEARLY,
        rows_a_day=500,
    ),
    by_zone(
        "entsoe_reservoirs",
        "Energy in water reservoirs and hydro storage by bidding zone and week",
        RESERVOIRS,
        Item("A72", IN, reservoir_rows, process("A16")),
        aliases=("A72",),
        widest=_A_YEAR,
        reach=WEEKLY,
        lag=timedelta(days=10),  # a Monday waits for the third working day after its week
        rows_a_day=1,
    ),
)
