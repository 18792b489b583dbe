"""Flows, schedules, capacities of a day, net positions and the auctions' prices as items of slots."""

from __future__ import annotations

import numpy as np

from sandbox.calendar import market_offset
from sandbox.entsoe import exchange, model
from sandbox.entsoe.curves import (
    Curve,
    SlotItem,
    area,
    auction_step,
    coupled_zones,
    flow_open,
    scheduled_directions,
    scheduled_open,
    tag,
)
from sandbox.entsoe.days import Mask
from sandbox.entsoe.power import MEGAWATT
from sandbox.entsoe.zones import BY_KEY, INTRADAY_AUCTIONS_FROM, QUARTER_S, directions
from sandbox.noise import Floats, Instants, octaves

SEQUENCE = "classificationSequence_AttributeInstanceComponent.position"
REGION = "REGION_CODE-----"
_RIPPLE = ((9 * 3_600, 0.5), (2 * 3_600, 0.35), (1_800, 0.25))
# The auctions' results, and schedules and capacities before them.
_AUCTION_TOLD, _NTC_TOLD = -40_500, -50_400
# When the three intraday auctions tell, in seconds before the market day; the third is on its day.
IDA_TOLD = {1: -32_400, 2: -7_200, 3: 37_800}


def border_areas(scope: str) -> tuple[str, str]:
    origin, target = exchange.ends(scope)
    return area("in_Domain", target), area("out_Domain", origin)


def _flow_curve(scope: str) -> list[Curve]:
    return [Curve((), (tag("businessType", "A66"), *border_areas(scope), MEGAWATT))]


def _schedule_curve(scope: str, contract: str) -> list[Curve]:
    agreed = tag("contract_MarketAgreement.type", contract)
    before = (tag("businessType", "A06"), *border_areas(scope), agreed, MEGAWATT)
    return [Curve((("contract", contract),), before)]


def _capacity_curve(scope: str) -> list[Curve]:
    return [Curve((), (tag("businessType", "A27"), *border_areas(scope), MEGAWATT))]


def _position_curves(zone: str, contract: str) -> list[Curve]:
    """Return exports, in which the zone is `out_Domain`, and imports, in which it is `in_Domain`."""
    found = []
    region = '<{0}.mRID codingScheme="A01">' + REGION + "</{0}.mRID>"
    for sign, own in ((1, "out_Domain"), (-1, "in_Domain")):
        areas = [
            area(name, zone) if name == own else region.format(name)
            for name in ("in_Domain", "out_Domain")
        ]
        before = (
            tag("auction.type", "A01"),
            tag("businessType", "B09"),
            *areas,
            tag("contract_MarketAgreement.type", contract),
            MEGAWATT,
        )
        found.append(Curve((("contract", contract),), before, sign=sign))
    return found


def either_way(values: Floats) -> Mask:
    """Return which of two opposite curves is sent: the one that has the value."""
    first = values[0] > 0.0
    return np.stack([first | (values[1] == 0.0), ~first & (values[1] > 0.0)])


def _position(seed: int, zone: str, starts: Instants, contract: str) -> Floats:
    net = exchange.net_position_mw(seed, zone, starts, contract)
    return np.stack([np.maximum(net, 0.0), np.maximum(-net, 0.0)]) + 0.0


def _scheduled(contract: str) -> SlotItem:
    return SlotItem(
        f"scheduled_{contract}",
        ("scheduled_mw",),
        lambda scope: _schedule_curve(scope, contract),
        lambda seed, scope, starts, step_s: exchange.scheduled_mw(
            seed, scope, starts, total=contract == "A05"
        )[None, :],
        auction_step,
        told=_AUCTION_TOLD + 5_400 if contract == "A01" else 3_600,
        border=True,
        is_open=scheduled_open,
        scopes=scheduled_directions,
        clean=contract == "A01",
    )


def _net_position(contract: str) -> SlotItem:
    return SlotItem(
        f"net_position_{contract}",
        ("net_position_mw",),
        lambda zone: _position_curves(zone, contract),
        lambda seed, zone, starts, step_s: _position(seed, zone, starts, contract),
        auction_step,
        told=_AUCTION_TOLD if contract == "A01" else 3_600,
        cuts=either_way,
        clean=True,
        scopes=coupled_zones,
        is_open=lambda zone, day: BY_KEY[zone].coupled and BY_KEY[zone].is_open(day),
    )


# --- prices -------------------------------------------------------------------------------------


def price_curve(zone: str, seat: int, contract: str) -> Curve:
    """Return the TimeSeries of an auction's prices."""
    sequence = (f"  {tag(SEQUENCE, seat)}",) if seat else ()
    before = (
        tag("auction.type", "A01"),
        tag("businessType", "A62"),
        area("in_Domain", zone),
        area("out_Domain", zone),
        tag("contract_MarketAgreement.type", contract),
        tag("currency_Unit.name", BY_KEY[zone].currency),
        tag("price_Measure_Unit.name", "MWH"),
        *sequence,
    )
    labels = (("sequence", seat or 1), ("currency", BY_KEY[zone].currency))
    return Curve(labels, before)


def price_values(seed: int, zone: str, starts: Instants, step_s: int, seat: int) -> Floats:
    """Return day-ahead prices of an auction."""
    return model.price(seed, model.hours(seed, zone, starts + step_s // 2), seat)[None, :]


def intraday_values(seed: int, zone: str, starts: Instants, step_s: int, seat: int) -> Floats:
    """Return prices of an intraday auction; the third is only about the hours from noon on."""
    amount = price_values(seed, zone, starts, step_s, 1)[0]
    label = f"entsoe/{zone}/intraday/{seat}"
    amount = np.round(amount + 12.0 * octaves(seed, label, _RIPPLE, starts), 2) + 0.0
    return np.asarray(amount[None, :])


def in_auction(seat: int, starts: Instants) -> Mask:
    """Return which slots an intraday auction is about."""
    local = (starts + market_offset(starts)) % 86_400
    return np.asarray((local >= 43_200) | (seat != 3))


def intraday_open(zone: str, day: int) -> bool:
    """Tell whether a zone has intraday auctions for a market day."""
    known = BY_KEY[zone]
    return known.coupled and known.is_open(day) and day >= INTRADAY_AUCTIONS_FROM


def _quarter(zone: str, day: int) -> int:
    return QUARTER_S


MARKET = (
    SlotItem(
        "flows",
        ("flow_mw",),
        _flow_curve,
        lambda seed, scope, starts, step_s: exchange.flow_mw(seed, scope, starts)[None, :],
        lambda scope, day: exchange.border_of(scope).step_s(day),
        border=True,
        is_open=flow_open,
        scopes=directions,
    ),
    _scheduled("A01"),
    _scheduled("A05"),
    *(_net_position(contract) for contract in ("A01", "A05", "A07")),
    SlotItem(
        "capacity_day",
        ("transfer_capacity_mw",),
        _capacity_curve,
        lambda seed, scope, starts, step_s: exchange.capacity_mw(seed, scope, starts, "day")[
            None, :
        ],
        lambda scope, day: 3_600,
        told=_NTC_TOLD,
        border=True,
        is_open=scheduled_open,
        scopes=scheduled_directions,
        clean=True,
    ),
)
