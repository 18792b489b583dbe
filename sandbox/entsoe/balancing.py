"""Imbalances, the balancing state, activated energy and its prices, bids: items of slots."""

from __future__ import annotations

import numpy as np

from sandbox.entsoe.climates import CLIMATES
from sandbox.entsoe.curves import Curve, SlotItem, control_areas, load_step, tag
from sandbox.entsoe.days import Mask
from sandbox.entsoe.market import price_values
from sandbox.entsoe.power import MEGAWATT
from sandbox.entsoe.zones import BY_KEY
from sandbox.noise import Floats, Instants, octaves, uniform

_NET_LAYERS = ((5 * 3_600, 0.5), (3_600, 0.4), (900, 0.35))
_MEGAWATT_HOUR = "<quantity_Measure_Unit.name>MWH</quantity_Measure_Unit.name>"
_UP, _DOWN = "A01", "A02"
# Zones that select automatic reserves together, every four seconds.
PICASSO = ("AT", "BE", "CZ", "DE_50HZ", "DE_AMPRION", "FR", "NL")
_NAMES = {"A95": "fcr", "A96": "afrr", "A97": "mfrr"}


def imbalance_mw(seed: int, zone: str, starts: Instants) -> Floats:
    """Return how much too little a zone has, in MW; negative where it is too much."""
    size = 0.035 * CLIMATES[zone].demand[0]
    return np.asarray(size * octaves(seed, f"entsoe/{zone}/imbalance", _NET_LAYERS, starts))


def _quarter_hour(zone: str, day: int) -> int:
    # Slower than a quarter of an hour where load was, too.
    return 900 if zone.startswith("DE_") else min(load_step(zone, day), 1_800)


def _prices(seed: int, zone: str, starts: Instants, step_s: int) -> Floats:
    """Return what an imbalance costs: too much (A04) and too little (A05)."""
    away = imbalance_mw(seed, zone, starts) / CLIMATES[zone].demand[0]
    market = price_values(seed, zone, starts, step_s, 1)[0]
    return np.stack([np.round(market + 2_500.0 * away - part, 2) + 0.0 for part in (1.5, -1.5)])


def _price_curves(zone: str) -> list[Curve]:
    currency = tag("currency_Unit.name", BY_KEY[zone].currency)
    before = (tag("businessType", "A19"), currency, tag("price_Measure_Unit.name", "MWH"))
    return [
        Curve(
            (("category", category), ("currency", BY_KEY[zone].currency)),
            before,
            tail=(tag("imbalance_Price.category", category),),
        )
        for category in ("A04", "A05")
    ]


def _volumes(seed: int, zone: str, starts: Instants, step_s: int) -> Floats:
    net = imbalance_mw(seed, zone, starts) * step_s / 3_600.0
    return np.asarray(np.round(np.stack([np.maximum(-net, 0.0), np.maximum(net, 0.0)]), 2) + 0.0)


def _direction_curves(business: str, unit: str) -> list[Curve]:
    return [
        Curve(
            (("direction", direction),),
            (tag("businessType", business), tag("flowDirection.direction", direction), unit),
            sign=sign,
        )
        for direction, sign in ((_UP, 1), (_DOWN, 1))
    ]


def one_way(values: Floats) -> Mask:
    """Return which of two opposite curves tells a slot; exactly nothing is told by the first."""
    told = np.asarray(values > 0.0)
    told[0] |= ~told.any(axis=0)
    return told


def _state(seed: int, zone: str, starts: Instants, step_s: int) -> Floats:
    net = imbalance_mw(seed, zone, starts)
    minutes = octaves(seed, f"entsoe/{zone}/state", ((240, 1.0),), starts)
    net = np.asarray(net + 0.004 * CLIMATES[zone].demand[0] * minutes)
    return np.asarray(np.round(np.stack([np.maximum(-net, 0.0), np.maximum(net, 0.0)]), 2) + 0.0)


# --- activations --------------------------------------------------------------------------------


def _kinds() -> list[tuple[str, str]]:
    return [(business, way) for business in ("A96", "A97") for way in (_UP, _DOWN)]


def _energy_curves(zone: str) -> list[Curve]:
    return [
        Curve(
            (
                ("reserve", _NAMES[business]),
                ("businessType", business),
                ("psr_type", "A04"),
                ("direction", way),
            ),
            (
                tag("businessType", business),
                tag("mktPSRType.psrType", "A04"),
                tag("flowDirection.direction", way),
                _MEGAWATT_HOUR,
            ),
        )
        for business, way in _kinds()
    ]


def _energy(seed: int, zone: str, starts: Instants, step_s: int) -> Floats:
    """Return activated energy by reserve and direction: what the imbalance asks for."""
    mean = CLIMATES[zone].demand[0]
    need = imbalance_mw(seed, zone, starts) * step_s / 3_600.0
    found = []
    for business, way in _kinds():
        wanted = np.maximum(need if way == _UP else -need, 0.0)
        # Slow reserves follow only what is large.
        slow = np.maximum(wanted - 0.01 * mean * step_s / 3_600.0, 0.0) * 0.6
        found.append(wanted * 0.7 if business == "A96" else slow)
    return np.asarray(np.round(np.stack(found), 1) + 0.0)


def _activation_price(seed: int, zone: str, starts: Instants, step_s: int) -> Floats:
    """Return prices of what was activated; NaN where nothing was."""
    energy = _energy(seed, zone, starts, step_s)
    market = price_values(seed, zone, starts, step_s, 1)[0]
    found = []
    for (business, way), amount in zip(_kinds(), energy, strict=True):
        label = f"entsoe/{zone}/activation/{business}/{way}"
        edge = 20.0 + 60.0 * uniform(seed, label, starts // 900)
        price = market + (edge if way == _UP else -edge)
        found.append(np.where(amount > 0.0, np.round(price, 2) + 0.0, np.nan))
    return np.stack(found)


def _activation_curves(
    zone: str, kinds: list[tuple[str, str]], category: str | None
) -> list[Curve]:
    currency = BY_KEY[zone].currency
    return [
        Curve(
            (
                ("reserve", _NAMES[business]),
                ("businessType", business),
                ("psr_type", "A03" if category else "A04"),
                ("direction", way),
                ("currency", currency),
            ),
            (
                tag("businessType", business),
                *((tag("standard_MarketProduct.marketProductType", "A01"),) if category else ()),
                tag("mktPSRType.psrType", "A03" if category else "A04"),
                tag("flowDirection.direction", way),
                tag("currency_Unit.name", currency),
                tag("price_Measure_Unit.name", "MWH"),
            ),
            tail=(tag("imbalance_Price.category", category),) if category else (),
        )
        for business, way in kinds
    ]


def _marginal(seed: int, zone: str, starts: Instants, step_s: int) -> Floats:
    """Return cross-border marginal prices, which hold for some seconds; NaN between activations."""
    market = price_values(seed, zone, starts // 900 * 900, 900, 1)[0]
    found = []
    for way, sign in ((_UP, 1), (_DOWN, -1)):
        label = f"entsoe/picasso/{way}"
        edge = sign * (15.0 + 90.0 * uniform(seed, f"{label}/edge", starts // 48))
        active = uniform(seed, f"{label}/active", starts // 24) < 0.7
        found.append(np.where(active, np.round(market + edge, 2) + 0.0, np.nan))
    return np.stack(found)


# --- bids ---------------------------------------------------------------------------------------

_BID_FIELDS = ("quantity", "secondaryQuantity", "unavailable_Quantity.quantity")


def _bid_curves(zone: str, process: str) -> list[Curve]:
    return [
        Curve(
            (("process", process), ("direction", way)),
            (
                tag("businessType", "A14"),
                tag("standard_MarketProduct.marketProductType", "A01"),
                tag("flowDirection.direction", way),
                MEGAWATT,
            ),
        )
        for way in (_DOWN, _UP)
    ]


def _bids(seed: int, zone: str, starts: Instants, step_s: int, process: str) -> Floats:
    """Return offered, activated and unavailable power, a line each, for both directions."""
    mean = CLIMATES[zone].demand[0]
    need = imbalance_mw(seed, zone, starts)
    found = []
    for way in (_DOWN, _UP):
        label = f"entsoe/{zone}/bids/{process}/{way}"
        offered = np.rint(mean * (0.02 + 0.01 * uniform(seed, label, starts // 14_400)))
        wanted = np.maximum(need if way == _UP else -need, 0.0)
        found.append(offered)
        found.append(np.round(np.minimum(wanted * 0.7, offered), 2))
        held = uniform(seed, f"{label}/held", starts // 14_400) < 0.2
        found.append(np.where(held, np.rint(0.1 * offered), 0.0))
    return np.asarray(np.stack(found) + 0.0)


def _bid_item(process: str) -> SlotItem:
    return SlotItem(
        f"bids_{process}",
        ("offered_mw", "activated_mw", "unavailable_mw"),
        lambda zone: _bid_curves(zone, process),
        lambda seed, zone, starts, step_s: _bids(seed, zone, starts, step_s, process),
        lambda zone, day: 900,
        told=1_800,
        clean=True,
        fields=_BID_FIELDS,
        scopes=control_areas,
        is_open=_coupled_open,
    )


def _coupled_open(zone: str, day: int) -> bool:
    return BY_KEY[zone].coupled and BY_KEY[zone].is_open(day)


BALANCING = (
    SlotItem(
        "imbalance_prices",
        ("price_per_mwh",),
        _price_curves,
        _prices,
        _quarter_hour,
        told=1_800,
        fields=("imbalance_Price.amount",),
        scopes=control_areas,
        is_open=_coupled_open,
    ),
    SlotItem(
        "imbalance_volumes",
        ("volume_mwh",),
        lambda zone: _direction_curves("A19", _MEGAWATT_HOUR),
        _volumes,
        _quarter_hour,
        told=1_800,
        cuts=one_way,
        scopes=control_areas,
        is_open=_coupled_open,
        clean=True,
    ),
    SlotItem(
        "balancing_state",
        ("imbalance_mw",),
        lambda zone: _direction_curves("B33", MEGAWATT),
        _state,
        lambda zone, day: 60,
        told=300,
        cuts=one_way,
        each_run=True,
        scopes=control_areas,
        is_open=_coupled_open,
        clean=True,
    ),
    SlotItem(
        "activated_energy",
        ("energy_mwh",),
        _energy_curves,
        _energy,
        _quarter_hour,
        told=1_800,
        scopes=control_areas,
        is_open=_coupled_open,
    ),
    SlotItem(
        "activated_prices_A16",
        ("price_per_mwh",),
        lambda zone: _activation_curves(zone, _kinds(), None),
        _activation_price,
        _quarter_hour,
        told=1_800,
        fields=("activation_Price.amount",),
        scopes=control_areas,
        is_open=_coupled_open,
        clean=True,
    ),
    SlotItem(
        "activated_prices_A67",
        ("price_per_mwh",),
        lambda zone: _activation_curves(zone, _kinds()[:2], "A08"),
        _marginal,
        lambda zone, day: 4,
        told=1_800,
        fields=("activation_Price.amount",),
        scopes=lambda: list(PICASSO),
        is_open=lambda zone, day: zone in PICASSO and BY_KEY[zone].is_open(day),
        clean=True,
    ),
    _bid_item("A51"),
    _bid_item("A47"),
)
