"""Load, generation and their forecasts as items of slots."""

from __future__ import annotations

import numpy as np

from sandbox.entsoe import model
from sandbox.entsoe.climates import CONSUMERS, FLEETS
from sandbox.entsoe.curves import Curve, SlotItem, area, control_areas, load_step, tag
from sandbox.entsoe.units import unit_mw, units
from sandbox.entsoe.zones import BY_KEY, ZONES
from sandbox.noise import Floats, Instants, octaves

OUT, IN = "out", "in"
MEGAWATT = "<quantity_Measure_Unit.name>MAW</quantity_Measure_Unit.name>"
_ERROR_LAYERS = ((30 * 3_600, 0.5), (8 * 3_600, 0.3), (2 * 3_600, 0.2))
_DAY_S = 86_400
# Wind and solar are told at six in the evening before, in the morning, and as it comes.
PROCESSES = {"A01": "day_ahead", "A40": "intraday", "A18": "current"}
_TOLD = {"A01": -21_600, "A40": -1, "A18": 0}
_MISS = {"A01": 0.12, "A40": 0.07, "A18": 0.03}


def generation_curves(zone: str) -> list[tuple[str, str]]:
    """Return (side, psr type) of a zone's generation in the order of its documents."""
    out = [(OUT, psr) for psr in CONSUMERS[zone]]
    into = [(IN, psr) for psr in FLEETS[zone]]
    return out + into if zone == "DE_LU" else into + out


def generation_values(seed: int, zone: str, starts: Instants, step_s: int) -> Floats:
    """Return generation and consumption by curve and slot."""
    state = model.hours(seed, zone, starts + step_s // 2)
    makers = {IN: model.generation_mw, OUT: model.consumption_mw}
    return np.stack([makers[side](seed, state, psr) for side, psr in generation_curves(zone)])


def load_values(seed: int, zone: str, starts: Instants, step_s: int) -> Floats:
    """Return the load."""
    return model.load_mw(model.hours(seed, zone, starts + step_s // 2))[None, :]


def load_forecast(seed: int, zone: str, starts: Instants, step_s: int, share: float) -> Floats:
    """Return a forecast of the load that is off by about a share of it."""
    miss = 1.0 + share * octaves(seed, f"entsoe/{zone}/forecast/load", _ERROR_LAYERS, starts)
    return np.asarray(np.round(load_values(seed, zone, starts, step_s)[0] * miss) + 0.0)


def _total_forecast(seed: int, zone: str, starts: Instants, step_s: int) -> Floats:
    state = model.hours(seed, zone, starts + step_s // 2)
    total = np.zeros(len(starts))
    for psr in FLEETS[zone]:
        total = total + model.generation_mw(seed, state, psr)
    miss = 1.0 + 0.03 * octaves(seed, f"entsoe/{zone}/forecast/all", _ERROR_LAYERS, starts)
    return np.round(total * miss, 2)[None, :] + 0.0


def weather_types(zone: str) -> list[str]:
    """Return the types of a zone that are forecast by the weather."""
    return [psr for psr in ("B16", "B18", "B19") if psr in FLEETS[zone]]


def _weather_forecast(seed: int, zone: str, starts: Instants, step_s: int, process: str) -> Floats:
    state = model.hours(seed, zone, starts + step_s // 2)
    found = []
    for psr in weather_types(zone):
        label = f"entsoe/{zone}/forecast/{psr}"
        miss = 1.0 + _MISS[process] * octaves(seed, label, _ERROR_LAYERS, starts)
        found.append(np.round(model.generation_mw(seed, state, psr) * miss, 1) + 0.0)
    return np.stack(found) if found else np.zeros((0, len(starts)))


# --- how they look ------------------------------------------------------------------------------


def _load_curve(zone: str) -> list[Curve]:
    areas = area("outBiddingZone_Domain", zone)
    return [
        Curve((), (tag("businessType", "A04"), tag("objectAggregation", "A01"), areas, MEGAWATT))
    ]


def psr_lines(psr: str) -> tuple[str, ...]:
    """Return the lines that name a production type."""
    return ("<MktPSRType>", f"  <psrType>{psr}</psrType>", "</MktPSRType>")


def unit_lines(psr: str, eic: str, name: str) -> tuple[str, ...]:
    """Return the lines that name a type and its unit."""
    return (
        "<MktPSRType>",
        f"  <psrType>{psr}</psrType>",
        "  <PowerSystemResources>",
        f'    <mRID codingScheme="A01">{eic}</mRID>',
        f"    <name>{name}</name>",
        "  </PowerSystemResources>",
        "</MktPSRType>",
    )


def _generation_curve(zone: str) -> list[Curve]:
    return [
        Curve(
            (("side", side), ("psr_type", psr)),
            (
                tag("businessType", "A01"),
                tag("objectAggregation", "A08"),
                area(f"{side}BiddingZone_Domain", zone, indent=2),
                MEGAWATT,
            ),
            psr_lines(psr),
        )
        for side, psr in generation_curves(zone)
    ]


def _total_curve(zone: str) -> list[Curve]:
    areas = area("inBiddingZone_Domain", zone, indent=4)
    return [
        Curve((), (tag("businessType", "A01"), tag("objectAggregation", "A01"), areas, MEGAWATT))
    ]


def _weather_curves(zone: str, process: str) -> list[Curve]:
    return [
        Curve(
            (("psr_type", psr), ("process", PROCESSES[process])),
            (
                tag("businessType", "A94" if psr == "B16" else "A93"),
                tag("objectAggregation", "A08"),
                area("inBiddingZone_Domain", zone),
                MEGAWATT,
            ),
            psr_lines(psr),
        )
        for psr in weather_types(zone)
    ]


def _unit_curves(zone: str) -> list[Curve]:
    return [
        Curve(
            (("psr_type", unit.psr), ("unit_eic", unit.eic), ("unit_name", unit.name)),
            (
                tag("businessType", "A01"),
                tag("objectAggregation", "A06"),
                area("inBiddingZone_Domain", zone),
                f'<registeredResource.mRID codingScheme="A01">{unit.eic}</registeredResource.mRID>',
                MEGAWATT,
            ),
            unit_lines(unit.psr, unit.eic, unit.name),
        )
        for unit in units(zone)
    ]


def _hour(zone: str, day: int) -> int:
    return 3_600


def _weather(process: str) -> SlotItem:
    return SlotItem(
        f"wind_solar_{process}",
        ("forecast_mw",),
        lambda zone: _weather_curves(zone, process),
        lambda seed, zone, starts, step_s: _weather_forecast(seed, zone, starts, step_s, process),
        load_step,
        told=_TOLD[process],
        is_open=lambda zone, day: bool(weather_types(zone)) and BY_KEY[zone].is_open(day),
        scopes=lambda: [zone.key for zone in ZONES if weather_types(zone.key)],
    )


POWER = (
    SlotItem("load", ("load_mw",), _load_curve, load_values, load_step),
    SlotItem(
        "generation",
        ("generation_mw", "consumption_mw"),
        _generation_curve,
        generation_values,
        load_step,
    ),
    SlotItem(
        "load_forecast_day",
        ("load_forecast_mw",),
        _load_curve,
        lambda seed, zone, starts, step_s: load_forecast(seed, zone, starts, step_s, 0.03)[None, :],
        load_step,
        told=-50_400,
    ),
    SlotItem(
        "generation_forecast",
        ("generation_forecast_mw",),
        _total_curve,
        _total_forecast,
        _hour,
        told=-21_600,
    ),
    *(_weather(process) for process in PROCESSES),
    SlotItem(
        "generation_per_unit",
        ("generation_mw",),
        _unit_curves,
        unit_mw,
        _hour,
        told=5 * _DAY_S,
        clean=True,
        scopes=control_areas,
    ),
)
