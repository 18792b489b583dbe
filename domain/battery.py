"""A battery that answers frequency: power, energy, losses, state of charge, availability.

Discharge is +, charge is -. Power [MW] and energy [MWh] are those at the connection point (AC); what
is in the store [MWh] is less by the losses. A piece of time of h hours at power P moves the store by
-P h / eta_discharge where it discharges and by -P h eta_charge where it charges (reference section 2,
zero-order hold). In time that no sample covers nothing is requested and the store keeps its energy.

The requested power is what the service asks plus a recovery baseline, constant over a settlement
period and decided from the store at its start. What is not delivered is blamed on the power limit
first, then on the energy limit.

Availability follows the rules for units with limited energy (reference section 1.3): a period that
starts with less deliverable energy, or less headroom, than the running requirement is unavailable.
This is a static computation on samples, never proof of compliance.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.errors import UsageError
from domain.integration import held_pieces, sum_between

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

STRATEGIES = ("none", "target", "next")
# Share of the response energy volume that may be recovered in a settlement period.
RECOVERY_SHARE = 0.2
# Periods after which a shortfall may be made good, counted from the one that starts with it.
_RECOVERED_AFTER = 3
# Energies that differ by less than this [MWh] are equal: a thousandth of a watt hour.
_SAME_MWH = 1e-9


@dataclass(frozen=True)
class Battery:
    """Limits of a battery: power [MW, AC], store [MWh], efficiencies and state of charge (shares).

    Raises UsageError for limits that no battery has.
    """

    discharge_mw: float
    charge_mw: float
    energy_mwh: float
    eta_charge: float = 1.0
    eta_discharge: float = 1.0
    soc_min: float = 0.0
    soc_max: float = 1.0

    def __post_init__(self) -> None:
        if not (self.discharge_mw >= 0 and self.charge_mw >= 0 and self.energy_mwh > 0):
            raise UsageError("a battery's power is not negative and its energy [MWh] is above 0.")
        if not (0 < self.eta_charge <= 1 and 0 < self.eta_discharge <= 1):
            raise UsageError("an efficiency lies above 0 and is at most 1.")
        if not 0 <= self.soc_min < self.soc_max <= 1:
            raise UsageError(
                f"the state of charge must range upwards within 0 to 1, not from {self.soc_min:g} to "
                f"{self.soc_max:g}."
            )

    @property
    def floor_mwh(self) -> float:
        """Energy in the store at the lowest state of charge [MWh]."""
        return self.soc_min * self.energy_mwh

    @property
    def ceiling_mwh(self) -> float:
        """Energy in the store at the highest state of charge [MWh]."""
        return self.soc_max * self.energy_mwh


@dataclass(frozen=True)
class Recovery:
    """How the state of energy is looked after.

    ``none``: not at all. ``target``: when the state of charge at the start of a settlement period is
    further than ``deadband`` from ``target``, back to ``target``. ``next``: each period takes back what
    the ones before it left, down to nothing: the same without a deadband, towards the state of charge
    of the start. Both at constant power over the period and with at most ``most_mwh`` [MWh, AC] a period.
    """

    strategy: str = "none"
    target: float = 0.5
    deadband: float = 0.0
    most_mwh: float = 0.0

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise UsageError(
                f"'{self.strategy}' is no strategy: choose from {', '.join(STRATEGIES)}."
            )

    def power_mw(
        self, stored_mwh: float, soc_start: float, battery: Battery, hours: float
    ) -> float:
        """Baseline power [MW] of a period of so many hours that starts with this energy in the store."""
        if self.strategy == "none":
            return 0.0
        target, deadband = self.target, self.deadband
        if self.strategy == "next":
            target, deadband = soc_start, 0.0
        above = stored_mwh - target * battery.energy_mwh
        if abs(above) <= max(deadband * battery.energy_mwh, _SAME_MWH):
            return 0.0
        if above > 0:
            return min(
                min(above * battery.eta_discharge, self.most_mwh) / hours, battery.discharge_mw
            )
        return -min(min(-above / battery.eta_charge, self.most_mwh) / hours, battery.charge_mw)


@dataclass(frozen=True)
class Simulation:
    """What a battery did, piece by piece (see ``held_pieces``) and by settlement period.

    By piece: ``start_s``, ``seconds``, ``requested_mw`` (of the service), ``wanted_mw`` (with recovery),
    ``delivered_mw``, ``stored_mwh`` (at its end), ``energy_limited`` (reduced for want of energy or
    room). Pieces of period i are ``[bounds[i]:bounds[i + 1]]``. By period: ``recovery_mw`` (baseline)
    and ``first_mwh``; ``first_mwh`` has one element more, the store at the end of all.
    """

    battery: Battery
    edges_s: Floats
    start_s: Floats
    seconds: Floats
    requested_mw: Floats
    wanted_mw: Floats
    delivered_mw: Floats
    stored_mwh: Floats
    energy_limited: npt.NDArray[np.bool_]
    bounds: npt.NDArray[np.intp]
    recovery_mw: Floats
    first_mwh: Floats


@dataclass(frozen=True)
class Periods:
    """Figures of each settlement period; energies [MWh] are of covered time and >= 0.

    ``requested_mw`` and ``delivered_mw`` are means over covered time, NaN where nothing is covered;
    ``delivered_mw`` contains the recovery, whose energy ``recovery_mwh`` is signed, discharge +.
    ``response_*`` is the part of the service that was delivered. ``non_delivery_*`` is what was wanted
    and not delivered, of which ``power_limited_mwh`` and ``energy_limited_mwh`` are the two causes.
    ``losses_mwh`` is what the conversion took. ``limit_s``: seconds of pieces that want of energy, or of
    room, reduced. ``cycles``: equivalent full cycles, (energy in + energy out) / (2 x store), AC.
    """

    coverage: Floats
    requested_mw: Floats
    delivered_mw: Floats
    requested_discharge_mwh: Floats
    requested_charge_mwh: Floats
    discharge_mwh: Floats
    charge_mwh: Floats
    response_discharge_mwh: Floats
    response_charge_mwh: Floats
    recovery_mwh: Floats
    losses_mwh: Floats
    non_delivery_discharge_mwh: Floats
    non_delivery_charge_mwh: Floats
    power_limited_mwh: Floats
    energy_limited_mwh: Floats
    limit_s: Floats
    soc_start: Floats
    soc_end: Floats
    soc_min: Floats
    soc_max: Floats
    cycles: Floats

    @property
    def non_delivery_mwh(self) -> Floats:
        """What was wanted in either direction and not delivered [MWh]."""
        return self.non_delivery_discharge_mwh + self.non_delivery_charge_mwh

    @property
    def wanted_mwh(self) -> Floats:
        """Gross energy that service and recovery wanted, discharge and charge added [MWh]."""
        return self.discharge_mwh + self.charge_mwh + self.non_delivery_mwh


def simulate(
    times_s: Any,
    requested_mw: Any,
    edges_s: Any,
    battery: Battery,
    *,
    soc_start: float = 0.5,
    hold_s: float = 60.0,
    recovery: Recovery | None = None,
) -> Simulation:
    """Run requested power through a battery, over the periods between consecutive edges.

    ``times_s`` [s, ascending, unique] and ``requested_mw`` [MW] are samples of any spacing, each held
    until the next but at most ``hold_s``; ``edges_s`` [s] bound the settlement periods. UsageError where
    the start or the target lies outside the battery's limits. Source: reference section 2.

    >>> cell = Battery(10, 10, 10, 0.9, 0.9, 0.05, 0.95)
    >>> run = simulate([0, 900], [10, 5], [0, 1800], cell, hold_s=900)
    >>> [round(float(mwh), 6) for mwh in run.stored_mwh]
    [2.222222, 0.833333]
    """
    import numpy as np

    if not battery.soc_min <= soc_start <= battery.soc_max:
        raise UsageError(
            f"the state of charge cannot start at {soc_start:g}, outside {battery.soc_min:g} to "
            f"{battery.soc_max:g}."
        )
    recovery = recovery or Recovery()
    if recovery.strategy == "target" and not (
        battery.soc_min <= recovery.target <= battery.soc_max
    ):
        raise UsageError(
            f"the target of the state of charge, {recovery.target:g}, lies outside {battery.soc_min:g} to "
            f"{battery.soc_max:g}."
        )
    edges = np.asarray(edges_s, dtype=np.float64)
    held = held_pieces(times_s, requested_mw, edges, hold_s=hold_s)
    inside = slice(held.bounds[0], held.bounds[-1])
    start, seconds, requested = held.start_s[inside], held.seconds[inside], held.value[inside]
    bounds = held.bounds - held.bounds[0]
    hours = seconds / 3600.0

    wanted = requested + 0.0
    change = _change(_within_power(wanted, battery), hours, battery)
    stored, before = np.empty(seconds.size), np.empty(seconds.size)
    first = np.empty(edges.size)
    baseline = np.zeros(edges.size - 1)
    level = first[0] = soc_start * battery.energy_mwh
    floor, ceiling = battery.floor_mwh, battery.ceiling_mwh
    path = np.empty(int(np.diff(bounds).max(initial=0)) + 1)
    limits, lengths = bounds.tolist(), (np.diff(edges) / 3600.0).tolist()
    for period, length_h in enumerate(lengths):
        a, b = limits[period], limits[period + 1]
        base = recovery.power_mw(level, soc_start, battery, length_h)
        baseline[period] = base
        if b > a:
            if base:
                wanted[a:b] += base
                change[a:b] = _change(_within_power(wanted[a:b], battery), hours[a:b], battery)
            steps = path[: b - a + 1]
            steps[0], steps[1:] = level, change[a:b]
            np.add.accumulate(steps, out=steps)
            if steps.min() < floor or steps.max() > ceiling:
                steps[:] = _clamped(level, change[a:b].tolist(), floor, ceiling)
            before[a:b], stored[a:b] = steps[:-1], steps[1:]
            level = float(steps[-1])
        first[period + 1] = level

    allowed = _within_power(wanted, battery)
    short = stored != before + change  # the same sum as above, so equal where no limit bound
    moved = before - stored
    factor = np.where(allowed > 0, battery.eta_discharge, 1.0 / battery.eta_charge)
    delivered = np.where(short, moved * factor / np.where(hours > 0, hours, 1.0), allowed)
    # A quotient may round past the limit that it was cut from.
    delivered = np.clip(delivered, np.minimum(allowed, 0.0), np.maximum(allowed, 0.0)) + 0.0
    return Simulation(
        battery, edges, start, seconds, requested, wanted, delivered, stored, short, bounds,
        baseline, first,
    )  # fmt: skip


def _within_power(wanted_mw: Floats, battery: Battery) -> Floats:
    import numpy as np

    return np.clip(wanted_mw, -battery.charge_mw, battery.discharge_mw)


def _change(power_mw: Floats, hours: Floats, battery: Battery) -> Floats:
    """What each piece would add to the store [MWh] if nothing but power limited it."""
    import numpy as np

    factor = np.where(power_mw > 0, 1.0 / battery.eta_discharge, battery.eta_charge)
    return -power_mw * hours * factor


def _clamped(level: float, changes: list[float], floor: float, ceiling: float) -> list[float]:
    """The running sum that stays within two limits: what is over is lost at each step."""
    path = [level]
    for change in changes:
        level += change
        if level < floor:
            level = floor
        elif level > ceiling:
            level = ceiling
        path.append(level)
    return path


def by_period(run: Simulation) -> Periods:
    """The figures of each settlement period of a simulation."""
    import numpy as np

    battery, hours = run.battery, run.seconds / 3600.0

    def total(power_mw: Floats) -> Floats:
        return sum_between(power_mw * hours, run.bounds)

    up, down = np.maximum(run.delivered_mw, 0.0), np.maximum(-run.delivered_mw, 0.0)
    asked_up, asked_down = np.maximum(run.requested_mw, 0.0), np.maximum(-run.requested_mw, 0.0)
    base = np.repeat(run.recovery_mw, np.diff(run.bounds))
    answered = run.delivered_mw - base
    missing = np.abs(run.wanted_mw) - np.abs(run.delivered_mw)
    allowed = _within_power(run.wanted_mw, battery)
    discharge, charge = total(up), total(down)
    covered = sum_between(run.seconds, run.bounds)
    with np.errstate(invalid="ignore"):
        covered_h = np.where(covered > 0, covered / 3600.0, np.nan)
    requested_up, requested_down = total(asked_up), total(asked_down)
    return Periods(
        coverage=covered / np.diff(run.edges_s),
        requested_mw=(requested_up - requested_down) / covered_h,
        delivered_mw=(discharge - charge) / covered_h,
        requested_discharge_mwh=requested_up,
        requested_charge_mwh=requested_down,
        discharge_mwh=discharge,
        charge_mwh=charge,
        response_discharge_mwh=total(np.clip(answered, 0.0, asked_up)),
        response_charge_mwh=total(np.clip(-answered, 0.0, asked_down)),
        recovery_mwh=total(base) + 0.0,
        losses_mwh=discharge * (1.0 / battery.eta_discharge - 1.0)
        + charge * (1.0 - battery.eta_charge),
        non_delivery_discharge_mwh=total(np.where(run.wanted_mw > 0, missing, 0.0)),
        non_delivery_charge_mwh=total(np.where(run.wanted_mw < 0, missing, 0.0)),
        power_limited_mwh=total(np.abs(run.wanted_mw) - np.abs(allowed)),
        energy_limited_mwh=total(np.abs(allowed) - np.abs(run.delivered_mw)),
        limit_s=sum_between(np.where(run.energy_limited, run.seconds, 0.0), run.bounds),
        soc_start=run.first_mwh[:-1] / battery.energy_mwh,
        soc_end=run.first_mwh[1:] / battery.energy_mwh,
        soc_min=_extreme(np.minimum, run) / battery.energy_mwh,
        soc_max=_extreme(np.maximum, run) / battery.energy_mwh,
        cycles=(discharge + charge) / (2.0 * battery.energy_mwh),
    )


def _extreme(figure: Any, run: Simulation) -> Floats:
    """Least or greatest energy in the store over each period, its start included [MWh]."""
    import numpy as np

    found = run.first_mwh[:-1].copy()
    some = np.diff(run.bounds) > 0
    if some.any():
        ends = figure.reduceat(run.stored_mwh, run.bounds[:-1][some])
        found[some] = figure(found[some], ends)
    return found


# --- the state-of-energy rules --------------------------------------------------------------------


def running_requirement(
    delivered_mwh: Sequence[float],
    response_energy_mwh: float,
    recovery_share: float = RECOVERY_SHARE,
) -> list[float]:
    """Energy [MWh] that each settlement period of one EFA block must start with (Service Terms 6.11).

    ``delivered_mwh``: response energy delivered in each period, >= 0. It starts at the full response
    energy volume, falls by what is delivered and rises by at most ``recovery_share`` of the volume a
    period, three periods after the shortfall.

    NESO's example: 2 MWh of 50 delivered in the first period.

    >>> running_requirement([2, 0, 0, 0, 0, 0, 0, 0], 50)
    [50.0, 48.0, 48.0, 48.0, 48.0, 50.0, 50.0, 50.0]
    """
    needed = [float(response_energy_mwh)]
    adjusted: list[float] = []
    for period, delivered in enumerate(delivered_mwh):
        added = 0.0
        if period >= _RECOVERED_AFTER:
            earlier = period - _RECOVERED_AFTER
            shortfall = response_energy_mwh - needed[earlier]
            added = min(recovery_share * response_energy_mwh, shortfall - sum(adjusted[earlier:]))
        adjusted.append(max(added, 0.0))
        needed.append(max(needed[-1] - delivered, 0.0) + adjusted[-1])
    return needed[: len(delivered_mwh)]


def energy_window(battery_mwh: float, low_mwh: float, high_mwh: float) -> tuple[float, float]:
    """Least and greatest energy [MWh] in a lossless store that can give both response volumes.

    ``low_mwh``: response energy volume against low frequency, kept in store; ``high_mwh``: against high
    frequency, kept as room. The least is above the greatest where the store is too small.

    >>> energy_window(100, 40, 40)
    (40, 60)
    """
    return low_mwh, battery_mwh - high_mwh


def power_needed(low_mw: float, high_mw: float, sustain_h: float) -> float:
    """Rated power [MW] that holds both contracts and the power to recover from them.

    Each direction needs its contract plus ``sustain_h`` x 20 % x 2 of the other one's (reference 1.3:
    10 % for DC, 20 % for DM, 40 % for DR).

    >>> [round(power_needed(mw, mw, 0.5), 6) for mw in (41, 42)]
    [49.2, 50.4]
    """
    reserve = sustain_h * RECOVERY_SHARE * 2
    return max(low_mw + reserve * high_mw, high_mw + reserve * low_mw)


def availability(
    run: Simulation,
    figures: Periods,
    blocks: Sequence[Hashable],
    low_mwh: float,
    high_mwh: float,
) -> npt.NDArray[np.bool_]:
    """Whether each period starts with the deliverable energy and the room that its block requires.

    ``blocks`` names the EFA block of each period, ``low_mwh`` and ``high_mwh`` are the response energy
    volumes [MWh, AC] (0 where a direction is not contracted). Deliverable energy and room are those
    within the limits of the state of charge, after losses. Each block begins anew.
    """
    import numpy as np

    battery = run.battery
    stored = run.first_mwh[:-1]
    deliverable = (stored - battery.floor_mwh) * battery.eta_discharge
    room = (battery.ceiling_mwh - stored) / battery.eta_charge
    found = np.ones(stored.size, dtype=bool)
    begin = 0
    for end in range(1, stored.size + 1):
        if end < stored.size and blocks[end] == blocks[begin]:
            continue
        block = slice(begin, end)
        low = running_requirement(figures.response_discharge_mwh[block].tolist(), low_mwh)
        high = running_requirement(figures.response_charge_mwh[block].tolist(), high_mwh)
        found[block] = (deliverable[block] >= np.array(low) - _SAME_MWH) & (
            room[block] >= np.array(high) - _SAME_MWH
        )
        begin = end
    return found
