"""battery_response: what a battery of limited energy delivers of a response service, per settlement period.

Each settlement day starts at the stated state of charge, so that days do not depend on each other; the
command ``battery`` runs continuously over a range. A static response on samples of 1 s or 15 s: it says
nothing of how fast a unit answers and proves no compliance.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from domain.battery import (
    RECOVERY_SHARE,
    STRATEGIES,
    Battery,
    Recovery,
    Simulation,
    availability,
    by_period,
    power_needed,
    simulate,
)
from domain.response import DIRECTIONS, response_mw, service
from domain.settlement import efa_columns, period_grid
from domain.tables import Column, Table
from domain.windows import Window
from products.average_power import HOLD, samples_by_day, seconds_of
from products.battery_power import RESPONSE_SETTINGS, SERVICE_COLUMN, plausible
from products.product import Product
from utils import Setting, choice, number

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Floats = npt.NDArray[np.float64]

# Below this share of covered time a mean claims nothing.
MIN_COVERAGE = 0.5
# Services that NESO's auctions price, and how they call the two directions.
_PRICED = {"dc": "DC", "dm": "DM", "dr": "DR"}
_LETTER = {"low": "L", "high": "H"}


def _share(value: str) -> float:
    """A parser of shares, 0 and 1 included."""
    allowed = "it must be a number from 0 to 1"
    try:
        result = float(value)
    except ValueError:
        raise ValueError(allowed) from None
    if not 0 <= result <= 1:
        raise ValueError(allowed)
    return result


def _rated_mw(value: str) -> float | None:
    return number(0, 10_000, "MW")(value) if value else None


def _sustain_min(value: str) -> float | None:
    return number(0, 1440, "min")(value) if value else None


SETTINGS = (
    *RESPONSE_SETTINGS,
    Setting(
        "RESPONSE_DIRECTION",
        "both",
        choice(*DIRECTIONS),
        "What is contracted: low (answers low frequency), high, or both, each with BATTERY_POWER_MW.",
    ),
    Setting(
        "RESPONSE_SUSTAIN_MINUTES",
        "",
        _sustain_min,
        "How long full response must last [min]; the service's own if empty.",
    ),
    Setting(
        "BATTERY_RATED_MW",
        "",
        _rated_mw,
        "Power limit of the battery, both directions [MW]; BATTERY_POWER_MW if empty.",
    ),
    Setting(
        "BATTERY_ENERGY_MWH", "2.0", number(0, 100_000, "MWh"), "Energy of the battery's store [MWh]."
    ),
    Setting(
        "BATTERY_CHARGE_EFFICIENCY",
        "0.93",
        number(0, 1, "share"),
        "Share of the energy charged that arrives in the store.",
    ),
    Setting(
        "BATTERY_DISCHARGE_EFFICIENCY",
        "0.93",
        number(0, 1, "share"),
        "Share of the energy taken from the store that is fed in.",
    ),
    Setting("BATTERY_SOC_MIN", "0", _share, "Lowest state of charge (share of the store)."),
    Setting("BATTERY_SOC_MAX", "1", _share, "Highest state of charge (share of the store)."),
    Setting("BATTERY_SOC_START", "0.5", _share, "State of charge that each settlement day starts at."),
    Setting(
        "BATTERY_RECOVERY",
        "next",
        choice(*STRATEGIES),
        "How energy is recovered, decided at the start of a settlement period: none, target (beyond the "
        "deadband), next (back to the start, no deadband); at most 20 % of the response energy a period.",
    ),
    Setting("BATTERY_SOC_TARGET", "0.5", _share, "State of charge that 'target' returns to."),
    Setting(
        "BATTERY_SOC_DEADBAND", "0.05", _share, "Distance from it that 'target' tolerates (share)."
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """A contract and the battery that serves it: service, direction, contracted power [MW], recovery."""

    service: str
    direction: str
    power_mw: float
    battery: Battery
    recovery: Recovery
    sustain_h: float
    soc_start: float = 0.5

    @classmethod
    def of(
        cls,
        *,
        response_service: str,
        response_direction: str,
        response_sustain_minutes: float | None,
        battery_power_mw: float,
        battery_rated_mw: float | None,
        battery_energy_mwh: float,
        battery_charge_efficiency: float,
        battery_discharge_efficiency: float,
        battery_soc_min: float,
        battery_soc_max: float,
        battery_soc_start: float,
        battery_recovery: str,
        battery_soc_target: float,
        battery_soc_deadband: float,
    ) -> Plan:
        """The plan that the settings of these names describe; UsageError where they contradict."""
        rated = battery_power_mw if battery_rated_mw is None else battery_rated_mw
        own = service(response_service).sustain_h
        sustain_h = own if response_sustain_minutes is None else response_sustain_minutes / 60
        return cls(
            response_service,
            response_direction,
            battery_power_mw,
            Battery(
                rated,
                rated,
                battery_energy_mwh,
                battery_charge_efficiency,
                battery_discharge_efficiency,
                battery_soc_min,
                battery_soc_max,
            ),
            Recovery(
                battery_recovery,
                battery_soc_target,
                battery_soc_deadband,
                RECOVERY_SHARE * battery_power_mw * sustain_h,
            ),
            sustain_h,
            battery_soc_start,
        )

    def response_mwh(self, direction: str) -> float:
        """Response energy volume [MWh] of a direction; 0 where it is not contracted."""
        return self.power_mw * self.sustain_h if self.direction in (direction, "both") else 0.0

    @property
    def energy_needed_mwh(self) -> float:
        """Usable store [MWh] that holds the energy to give and the room to take, after losses."""
        battery = self.battery
        return (
            self.response_mwh("low") / battery.eta_discharge
            + self.response_mwh("high") * battery.eta_charge
        )

    @property
    def power_needed_mw(self) -> float:
        """Rated power [MW] that NESO asks of this contract; the contracted one outside its services."""
        if self.service not in _PRICED:
            return self.power_mw
        low, high = (
            self.power_mw if self.direction in (direction, "both") else 0.0 for direction in _LETTER
        )
        return power_needed(low, high, self.sustain_h)


def compute(
    frequency: pd.DataFrame,
    response_auctions: pd.DataFrame,
    *,
    window: Window,
    response_service: str,
    response_direction: str,
    response_sustain_minutes: float | None,
    battery_power_mw: float,
    battery_rated_mw: float | None,
    battery_energy_mwh: float,
    battery_charge_efficiency: float,
    battery_discharge_efficiency: float,
    battery_soc_min: float,
    battery_soc_max: float,
    battery_soc_start: float,
    battery_recovery: str,
    battery_soc_target: float,
    battery_soc_deadband: float,
) -> pd.DataFrame:
    """Response of a battery per settlement period of the window, each day from ``battery_soc_start`` on.

    The running requirement begins anew with each day too, within the EFA block that midnight cuts.

    ``frequency``: ``measurement_time`` (UTC), ``frequency_hz`` [Hz], from 60 s before the window.
    ``response_auctions``: ``delivery_start``, ``delivery_end``, ``service``, ``cleared_volume_mw`` [MW],
    ``clearing_price_gbp_per_mw_per_h`` [GBP/MW/h]; may be empty. Columns and signs: the table. Source:
    reference sections 1.3, 1.4 and 2.
    """
    import pandas as pd

    plan = Plan.of(
        response_service=response_service,
        response_direction=response_direction,
        response_sustain_minutes=response_sustain_minutes,
        battery_power_mw=battery_power_mw,
        battery_rated_mw=battery_rated_mw,
        battery_energy_mwh=battery_energy_mwh,
        battery_charge_efficiency=battery_charge_efficiency,
        battery_discharge_efficiency=battery_discharge_efficiency,
        battery_soc_min=battery_soc_min,
        battery_soc_max=battery_soc_max,
        battery_soc_start=battery_soc_start,
        battery_recovery=battery_recovery,
        battery_soc_target=battery_soc_target,
        battery_soc_deadband=battery_soc_deadband,
    )
    frames = [
        respond(near, response_auctions, span, plan)[0]
        for span, near in samples_by_day(frequency, window)
    ]
    return pd.concat(frames, ignore_index=True)


def respond(
    frequency: pd.DataFrame, response_auctions: pd.DataFrame, window: Window, plan: Plan
) -> tuple[pd.DataFrame, Simulation]:
    """The rows of a window that is run through without a break, and the simulation behind them."""
    import numpy as np
    import pandas as pd

    samples = plausible(frequency)
    periods = period_grid(window)
    starts = periods["period_start"]
    efa = efa_columns(starts)
    asked = response_mw(samples["frequency_hz"], plan.service, plan.power_mw, plan.direction)
    run = simulate(
        seconds_of(samples["measurement_time"]),
        asked,
        [*seconds_of(starts), window.end.timestamp()],
        plan.battery,
        soc_start=plan.soc_start,
        hold_s=HOLD.total_seconds(),
        recovery=plan.recovery,
    )
    found = by_period(run)
    blocks = list(zip(efa["efa_date"], efa["efa_block"], strict=True))
    low, high = plan.response_mwh("low"), plan.response_mwh("high")
    available = availability(run, found, blocks, low, high)
    known = found.coverage >= MIN_COVERAGE
    wanted = found.wanted_mwh
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(wanted > 0, found.non_delivery_mwh / wanted, 0.0)
    price = _price(response_auctions, starts, plan)
    hours = np.diff(run.edges_s) / 3600.0
    rows = periods.assign(
        requested_mw=np.where(known, found.requested_mw, np.nan),
        delivered_mw=np.where(known, found.delivered_mw, np.nan),
        requested_discharge_mwh=_covered(found.requested_discharge_mwh, found.coverage),
        requested_charge_mwh=_covered(found.requested_charge_mwh, found.coverage),
        response_discharge_mwh=_covered(found.response_discharge_mwh, found.coverage),
        response_charge_mwh=_covered(found.response_charge_mwh, found.coverage),
        discharge_mwh=_covered(found.discharge_mwh, found.coverage),
        charge_mwh=_covered(found.charge_mwh, found.coverage),
        recovery_mwh=_covered(found.recovery_mwh, found.coverage),
        losses_mwh=_covered(found.losses_mwh, found.coverage),
        non_delivery_mwh=_covered(found.non_delivery_mwh, found.coverage),
        non_delivery_share=_covered(share, found.coverage),
        power_limited_mwh=_covered(found.power_limited_mwh, found.coverage),
        energy_limited_mwh=_covered(found.energy_limited_mwh, found.coverage),
        seconds_at_limit=_covered(found.limit_s, found.coverage),
        soc_start=found.soc_start,
        soc_end=found.soc_end,
        soc_min=found.soc_min,
        soc_max=found.soc_max,
        equivalent_full_cycles=_covered(found.cycles, found.coverage),
        coverage=found.coverage,
        available=pd.array(available, dtype="boolean"),
        revenue_gbp=np.where(known, price * plan.power_mw * hours * available, np.nan),
        service=plan.service,
        direction=plan.direction,
        **efa,
    )
    rows.loc[~known, "available"] = pd.NA
    return rows, run


def _covered(figure: Floats, coverage: Floats) -> Floats:
    """Nothing is claimed of a period of which nothing is known."""
    import numpy as np

    return np.where(coverage > 0, figure, np.nan)


def _price(auctions: pd.DataFrame, starts: pd.Series, plan: Plan) -> Floats:
    """Clearing price [GBP/MW/h] of each period, over the contracted directions; NaN where one lacks."""
    import numpy as np

    total = np.zeros(len(starts))
    if plan.service not in _PRICED:
        return np.full(len(starts), np.nan)
    for direction, letter in _LETTER.items():
        if plan.direction not in (direction, "both"):
            continue
        name = _PRICED[plan.service] + letter
        cleared = (auctions["service"] == name) & (auctions["cleared_volume_mw"] > 0)
        sold = auctions[cleared].sort_values("delivery_start")
        if not len(sold):
            return np.full(len(starts), np.nan)
        begins, ends = (
            sold[column].astype("int64").to_numpy() for column in ("delivery_start", "delivery_end")
        )
        moments = starts.astype("int64").to_numpy()
        block = np.searchsorted(begins, moments, side="right") - 1
        inside = (block >= 0) & (moments < ends[np.maximum(block, 0)])
        prices = sold["clearing_price_gbp_per_mw_per_h"].to_numpy(dtype=float)
        total += np.where(inside, prices[np.maximum(block, 0)], np.nan)
    return total


PRODUCT = Product(
    key="battery_response",
    title="What a battery of limited energy delivers of a response service (static response)",
    grain="settlement period",
    table=Table(
        name="battery_response",
        columns=(
            Column("period_start", "time", "UTC", "Start of the settlement period"),
            Column("requested_mw", "float", "MW", "Mean power that the service asks for; empty below 50 % coverage", optional=True),
            Column("delivered_mw", "float", "MW", "Mean power delivered, recovery included; empty below 50 % coverage", optional=True),
            Column("requested_discharge_mwh", "float", "MWh", "Energy that the service asks for, discharging", optional=True),
            Column("requested_charge_mwh", "float", "MWh", "Energy that the service asks for, charging", optional=True),
            Column("response_discharge_mwh", "float", "MWh", "What of that was delivered, beside the recovery baseline", optional=True),
            Column("response_charge_mwh", "float", "MWh", "What of that was delivered, beside the recovery baseline", optional=True),
            Column("discharge_mwh", "float", "MWh", "Energy fed in, recovery included", optional=True),
            Column("charge_mwh", "float", "MWh", "Energy drawn, recovery included", optional=True),
            Column("recovery_mwh", "float", "MWh", "Energy of the recovery baseline, discharge + and charge -", optional=True),
            Column("losses_mwh", "float", "MWh", "Energy lost in charging and discharging, >= 0", optional=True),
            Column("non_delivery_mwh", "float", "MWh", "Wanted of service and recovery and not delivered, both directions", optional=True),
            Column("non_delivery_share", "float", "", "That over what was wanted in both directions, 0 to 1", optional=True),
            Column("power_limited_mwh", "float", "MWh", "Part of it for want of power", optional=True),
            Column("energy_limited_mwh", "float", "MWh", "Part of it for want of energy or room", optional=True),
            Column("seconds_at_limit", "float", "s", "Time in which want of energy or room reduced the power", optional=True),
            Column("soc_start", "float", "", "State of charge at the start, share of the store"),
            Column("soc_end", "float", "", "State of charge at the end, share of the store"),
            Column("soc_min", "float", "", "Lowest state of charge"),
            Column("soc_max", "float", "", "Highest state of charge"),
            Column("equivalent_full_cycles", "float", "", "(Energy fed in + energy drawn) / (2 x energy of the store)", optional=True),
            Column("coverage", "float", "", "Covered share of the period, 0 to 1"),
            Column("efa_date", "date", "", "EFA day, 23:00 to 23:00 Europe/London"),
            Column("efa_block", "int", "", "EFA block, 1 to 6, by the British wall clock"),
            Column("available", "flag", "", "Whether the period starts with the required state of energy; empty below 50 % coverage", optional=True),
            Column("revenue_gbp", "float", "GBP", "Availability payment at the auction's price; empty without one", optional=True),
            Column("settlement_date", "date", "", "Settlement day (Europe/London)"),
            Column("settlement_period", "int", "", "Settlement period, 1 to 46, 48 or 50"),
            SERVICE_COLUMN,
            Column("direction", "text", "", "What is contracted: low, high or both"),
        ),
        key=("period_start",),
        time="period_start",
    ),
    compute=compute,
    # An EFA block begins up to five hours before the settlement day that it reaches into.
    look_back={"frequency": HOLD, "response_auctions": timedelta(hours=5)},
    optional=frozenset({"response_auctions"}),
    settings=SETTINGS,
)  # fmt: skip
