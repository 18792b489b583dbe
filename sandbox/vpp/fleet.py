"""The synthetic fleet: its plants, their contracts as of each snapshot, their technical data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from sandbox.calendar import DAY_S
from sandbox.vpp.clock import day_date

# A snapshot of all contracts leaves the CRM on the 1st and the 16th of a month at 05:30 UTC.
SNAPSHOT_DAYS = (1, 16)
SNAPSHOT_TIME_S = 5 * 3_600 + 30 * 60
AGAIN_AFTER_S = 257
LOOK_BACK_DAYS = 50

# The plant whose fixed price is missing in every snapshot of a folder with dirt.
PRICELESS = 2

_CAPACITY_MW = ("6.2", "4.5", "12.6", "3.05", "9.75", "24.0")
_PLACES = ("Nordsand", "Suedhang", "Ostfeld", "Westhoehe", "Mittelau", "Kuestenblick")


@dataclass(frozen=True)
class Plant:
    """One asset of the fleet; `index` counts from 0."""

    index: int
    asset_id: str
    metering_point: str
    technology: str
    capacity_mw: Decimal

    @property
    def capacity_kw(self) -> float:
        """The installed capacity in kW."""
        return float(self.capacity_mw * 1_000)


@dataclass(frozen=True)
class Contract:
    """One row of a contract snapshot; money in EUR/MWh (`fee_for_capacity`: EUR per MW)."""

    contract_id: str
    asset_id: str
    metering_point: str
    capacity_mw: Decimal
    technology: str
    begin: date
    end: date
    price_model: str
    price: Decimal | None
    fee_model: str
    fee: Decimal | None
    fee_percent: Decimal | None
    email: str

    @property
    def billable(self) -> bool:
        """Whether the row has the price and the fee that its models need."""
        fee = self.fee_percent if self.fee_model == "percent_of_market" else self.fee
        return fee is not None and (self.price_model == "market" or self.price is not None)


@dataclass(frozen=True)
class Snapshot:
    """All contracts as the CRM knew them at an instant."""

    instant: int
    contracts: tuple[Contract, ...]


def build_fleet(count: int) -> tuple[Plant, ...]:
    """Return the first `count` plants: every second of three is solar, the others are wind."""
    if not 3 <= count <= 99:
        raise ValueError(f"a fleet has 3 to 99 assets, not {count}")
    plants = []
    for index in range(count):
        solar = index % 3 == 1
        plants.append(
            Plant(
                index=index,
                asset_id=f"{'SOLAR' if solar else 'WIND'}_{index + 1:02d}",
                metering_point=f"DE00099{index + 1:026d}",
                technology="solar" if solar else "wind",
                capacity_mw=Decimal(_CAPACITY_MW[index % len(_CAPACITY_MW)]),
            )
        )
    return tuple(plants)


def snapshots(
    plants: tuple[Plant, ...], first_day: int, as_of: int, *, dirt: bool
) -> tuple[Snapshot, ...]:
    """Return the contract snapshots from some weeks before `first_day` to `as_of`, oldest first."""
    found = []
    for day in range(first_day - LOOK_BACK_DAYS, as_of // DAY_S + 1):
        instant = day * DAY_S + SNAPSHOT_TIME_S
        if day_date(day).day in SNAPSHOT_DAYS and instant <= as_of:
            found.append(Snapshot(instant, _contracts(plants, day_date(day), dirt=dirt)))
    if dirt and found:
        # A plant whose contract has ended since: whoever unites snapshots still has it.
        gone = replace(
            found[0].contracts[0],
            contract_id="C-0090",
            asset_id="WIND_90",
            metering_point=f"DE00099{90:026d}",
            end=day_date(found[0].instant // DAY_S + 5),
            email="owner90@example.invalid",
        )
        found[0] = Snapshot(found[0].instant, (*found[0].contracts, gone))
    return tuple(found)


def _contracts(plants: tuple[Plant, ...], day: date, *, dirt: bool) -> tuple[Contract, ...]:
    # Prices of fixed contracts rise by 25 cents a month, so that an old snapshot is seen.
    months = (day.year - 2020) * 12 + day.month
    rows = []
    for plant in plants:
        fixed = plant.index % 2 == 0
        fee_model = ("fixed_as_produced", "percent_of_market", "fixed_for_capacity")[
            plant.index // 2 % 3
        ]
        percent = fee_model == "percent_of_market"
        price = Decimal("58.00") + Decimal("0.25") * months + plant.index
        priced = fixed and not (dirt and plant.index == PRICELESS)
        rows.append(
            Contract(
                contract_id=f"C-{plant.index + 1:04d}",
                asset_id=plant.asset_id,
                metering_point=plant.metering_point,
                capacity_mw=plant.capacity_mw,
                technology=plant.technology,
                begin=date(day.year - 2, 1, 1),
                end=date(day.year + 3, 12, 31),
                price_model="fixed" if fixed else "market",
                price=price if priced else None,
                fee_model=fee_model,
                fee=None if percent else Decimal("2.10") + Decimal("0.15") * plant.index,
                fee_percent=Decimal("3.5") if percent else None,
                email=f"owner{plant.index + 1}@example.invalid",
            )
        )
    return tuple(rows)


def technical_data(plants: tuple[Plant, ...]) -> dict[str, Any]:
    """Return the technical data as the asset register publishes them."""
    assets = []
    for plant in plants:
        capacity = plant.capacity_kw
        solar = plant.technology == "solar"
        place = _PLACES[plant.index % len(_PLACES)]
        attributes: dict[str, Any] = {
            "capacity_kw": int(capacity) if plant.index % 2 else capacity,
        }
        if solar:
            attributes |= {"tilt_deg": 25, "azimuth_deg": 180.0}
        else:
            attributes |= {"hub_height_m": 137.5, "turbines": 1 + plant.index}
        assets.append(
            {
                "asset_id": plant.asset_id,
                "name": f"{'Solarpark' if solar else 'Windpark'} {place} (synthetic)",
                "type": plant.technology,
                "location": {
                    "latitude": round(52.1 + 0.17 * plant.index, 2),
                    "longitude": round(9.3 + 0.41 * plant.index, 2),
                    "timezone": "Europe/Berlin",
                },
                "technical_attributes": attributes,
                "status": "active",
                "owner": {"name": f"Owner {plant.index + 1} (synthetic)"},
            }
        )
    return {"assets": assets}
