"""What the platform has told, as plain tables: made from the model, not from documents."""

from __future__ import annotations

from typing import Any

import numpy as np

from sandbox.entsoe import contracts, exchange, outages
from sandbox.entsoe.civil import CIVIL
from sandbox.entsoe.curves import control_areas, scheduled_directions
from sandbox.entsoe.series import Series
from sandbox.entsoe.zones import ZONES
from sandbox.grid import Columns, join, take

_SLOTS = {
    "entsoe_load": ("load",),
    "entsoe_generation": ("generation",),
    "entsoe_day_ahead_prices": ("prices",),
    "entsoe_load_forecast_day": ("load_forecast_day",),
    "entsoe_generation_per_unit": ("generation_per_unit",),
    "entsoe_generation_forecast": ("generation_forecast",),
    "entsoe_wind_solar_forecast": ("wind_solar_A01", "wind_solar_A40", "wind_solar_A18"),
    "entsoe_intraday_prices": ("intraday",),
    "entsoe_net_positions": ("net_position_A01", "net_position_A05", "net_position_A07"),
    "entsoe_flows": ("flows",),
    "entsoe_scheduled_exchanges": ("scheduled_A01", "scheduled_A05"),
    "entsoe_transfer_capacity_day": ("capacity_day",),
    "entsoe_imbalance_prices": ("imbalance_prices",),
    "entsoe_imbalance_volumes": ("imbalance_volumes",),
    "entsoe_balancing_state": ("balancing_state",),
    "entsoe_activated_energy": ("activated_energy",),
    "entsoe_activated_prices": ("activated_prices_A16", "activated_prices_A67"),
    "entsoe_aggregated_bids": ("bids_A51", "bids_A47"),
}
_CIVIL = {
    "entsoe_load_forecast_week": "load_forecast_week",
    "entsoe_load_forecast_month": "load_forecast_month",
    "entsoe_load_forecast_year": "load_forecast_year",
    "entsoe_installed_capacity": "capacity_per_type",
    "entsoe_installed_capacity_per_unit": "capacity_per_unit",
    "entsoe_reservoirs": "reservoirs",
    "entsoe_transfer_capacity_week": "capacity_week",
    "entsoe_transfer_capacity_month": "capacity_month",
    "entsoe_transfer_capacity_year": "capacity_year",
}
_CONTRACTS = {
    "entsoe_contracted_reserves": "contracted_reserves",
    "entsoe_procured_capacity": "procured_capacity",
}
_OUTAGES = {
    "entsoe_outages_generation": "outages_generation",
    "entsoe_outages_production": "outages_production",
    "entsoe_outages_transmission": "outages_transmission",
}
TABLES = (*_SLOTS, *_CIVIL, *_CONTRACTS, *_OUTAGES)


def rows(
    series: Series,
    table: str,
    first: int,
    last: int,
    now: int,
    *,
    every: bool,
    scope: str | None = None,
) -> Columns:
    """Return the rows of a table from `first` to `last` told by `now`, of one scope or of all."""
    if table in _SLOTS:
        return series.rows(_SLOTS[table], first, last, now, every=every, scope=scope)
    if table in _CIVIL:
        parts = _periods(series.seed, _CIVIL[table], first, last, now, scope)
    elif table in _CONTRACTS:
        parts = _agreed(series.seed, _CONTRACTS[table], first, last, now, scope)
    else:
        parts = _out(series.seed, _OUTAGES[table], first, last, now, scope, every=every)
    if not parts:
        return {"time": np.zeros(0, np.int64), "publish_time": np.zeros(0, np.int64)}
    columns = join(parts)
    return take(columns, np.argsort(columns["time"], kind="stable"))


def _named(scope: str, count: int) -> Columns:
    """Return the columns that say where."""
    if ">" not in scope:
        return {"zone": np.full(count, scope)}
    origin, target = exchange.ends(scope)
    return {
        "border": np.full(count, scope),
        "from_zone": np.full(count, origin),
        "to_zone": np.full(count, target),
    }


def _periods(
    seed: int, key: str, first: int, last: int, now: int, scope: str | None
) -> list[Columns]:
    item = CIVIL[key]
    return [
        _named(place, len(part["time"])) | part
        for place in (item.scopes() if scope is None else [scope])
        for part in item.rows(seed, place, first, last, now)
    ]


def _agreed(
    seed: int, key: str, first: int, last: int, now: int, scope: str | None
) -> list[Columns]:
    found = []
    for place in control_areas() if scope is None else [scope]:
        for process in contracts.PROCESSES:
            listed = contracts.contracts(key, seed, place, process, first, last + 1, now)
            counted: dict[Any, int] = {}
            for each in listed:
                # Bids for the same time are told apart by their order.
                same = each.start, each.direction
                counted[same] = counted.get(same, 0) + 1
                part = contracts.rows(key, place, each, counted[same])
                found.append(take(part, (part["time"] >= first) & (part["time"] <= last)))
    return found


def _out(
    seed: int, key: str, first: int, last: int, now: int, scope: str | None, *, every: bool
) -> list[Columns]:
    """Return a row for each step of every outage that overlaps the window, withdrawn ones too."""
    border = key == "outages_transmission"
    places = scheduled_directions() if border else [zone.key for zone in ZONES]
    found = []
    for place in places if scope is None else [scope]:
        for each in outages.revisions(seed, key, place, first, last + 1, now):
            for outage in each if every else each[-1:]:
                count = len(outage.steps)
                starts = [start for start, _ in outage.steps]
                facts = {
                    "mrid": outage.mrid,
                    "revision": outage.revision,
                    "status": outage.status,
                    "business_type": outage.business,
                    "unit_eic": outage.unit.eic,
                    "unit_name": outage.unit.name,
                    "psr_type": outage.unit.psr,
                    "nominal_mw": outage.unit.nominal_mw,
                    "start_time": outage.start,
                    "end_time": outage.end,
                }
                found.append(
                    _named(place, count)
                    | {"time": np.array(starts, dtype=np.int64)}
                    | {"until_time": np.array([*starts[1:], outage.end], dtype=np.int64)}
                    | {name: np.full(count, value) for name, value in facts.items()}
                    | {"available_mw": np.array([power for _, power in outage.steps])}
                    | {"publish_time": np.full(count, outage.created, dtype=np.int64)}
                )
    return found
