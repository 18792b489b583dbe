"""Power between zones: what is scheduled, what flows, what a border can carry, net positions.

A border has one net exchange, so its two directions are never both large; a net position is the sum
of the schedules that stand in the same row of time.
"""

from __future__ import annotations

import numpy as np

from sandbox.calendar import DAY_S, market_day
from sandbox.entsoe.zones import BORDERS, BY_KEY, BY_PAIR, Border
from sandbox.noise import Floats, Instants, octaves, uniform

HOUR_S = 3_600
_ZONE_LAYERS = ((90 * HOUR_S, 0.7), (26 * HOUR_S, 0.5), (7 * HOUR_S, 0.3))
_BORDER_LAYERS = ((50 * HOUR_S, 0.4), (9 * HOUR_S, 0.25))
_FAST_LAYERS = ((6 * HOUR_S, 0.1), (HOUR_S, 0.06))
# What both directions are measured at when hardly anything flows, as a share of the border.
_LEAK = 0.004


def ends(scope: str) -> tuple[str, str]:
    """Return the zones of a direction, from and to."""
    origin, _, target = scope.partition(">")
    return origin, target


def border_of(scope: str) -> Border:
    """Return the border of a direction."""
    return BY_PAIR[frozenset(ends(scope))]


def scheduled_mw(seed: int, scope: str, starts: Instants, *, total: bool) -> Floats:
    """Return what is scheduled in a direction, day-ahead or in total; one direction at a time."""
    border, sign = border_of(scope), _sign(scope)
    net = _day_ahead(seed, border, starts)
    if total:
        net = net + border.mw * octaves(seed, f"{_name(border)}/intraday", _FAST_LAYERS, starts)
        net = np.clip(np.rint(net), -0.75 * border.mw, 0.75 * border.mw)
    return np.maximum(sign * net, 0.0) + 0.0


def flow_mw(seed: int, scope: str, starts: Instants) -> Floats:
    """Return what flows in a direction: near the schedule, with loops and a trickle both ways."""
    border, sign = border_of(scope), _sign(scope)
    loop = 0.12 * border.mw * octaves(seed, f"{_name(border)}/loop", _FAST_LAYERS, starts)
    net = 0.9 * _day_ahead(seed, border, starts) + loop
    leak = _LEAK * border.mw * uniform(seed, f"{_name(border)}/leak/{sign}", starts)
    leak = np.where(np.abs(net) < 0.03 * border.mw, leak, 0.0)
    return np.asarray(np.round(np.maximum(sign * net, 0.0) + leak, 1) + 0.0)


def net_position_mw(seed: int, zone: str, starts: Instants, contract: str) -> Floats:
    """Return exports less imports of a zone: day-ahead (A01), in total (A05) or the rest (A07)."""
    sums = {total: np.zeros(len(starts)) for total in (False, True)}
    days = market_day(starts)
    for border in BORDERS:
        if zone not in (border.one, border.other):
            continue
        other = border.other if zone == border.one else border.one
        numbers = np.unique(days).tolist()
        # A border to an uncoupled zone is scheduled by the hour.
        coupled = all(key in BY_KEY and BY_KEY[key].coupled for key in (zone, other))
        own = starts if coupled else starts - starts % HOUR_S
        live = np.isin(days, [day for day in numbers if border.is_scheduled(day)])
        for total in sums:
            out = scheduled_mw(seed, f"{zone}>{other}", own, total=total)
            back = scheduled_mw(seed, f"{other}>{zone}", own, total=total)
            sums[total] += np.where(live, out - back, 0.0)
    if contract == "A07":
        return sums[True] - sums[False] + 0.0
    return sums[contract == "A05"] + 0.0


def capacity_mw(seed: int, scope: str, starts: Instants, kind: str) -> Floats:
    """Return the net transfer capacity of a direction, in steps of 50 MW; flat for hours."""
    border = border_of(scope)
    cell = starts // (6 * HOUR_S) if kind == "day" else starts // DAY_S
    drawn = uniform(seed, f"{_name(border)}/ntc/{scope}/{kind}", cell)
    # In one quarter of all cells something is out of service.
    share = np.where(drawn < 0.25, 0.75 + drawn, 1.0)
    return np.asarray(np.rint(border.mw * share / 50.0) * 50.0 + 0.0)


def _day_ahead(seed: int, border: Border, starts: Instants) -> Floats:
    """Return the day-ahead net exchange from `one` to `other` in whole MW."""
    push = octaves(seed, f"entsoe/{border.one}/surplus", _ZONE_LAYERS, starts)
    push = push - octaves(seed, f"entsoe/{border.other}/surplus", _ZONE_LAYERS, starts)
    push += octaves(seed, f"{_name(border)}/own", _BORDER_LAYERS, starts)
    # Never more than the least transfer capacity.
    most = 0.75 * border.mw
    return np.asarray(np.rint(most * push / np.sqrt(1.0 + push * push)) + 0.0)


def _sign(scope: str) -> int:
    return 1 if ends(scope)[0] == border_of(scope).one else -1


def _name(border: Border) -> str:
    return f"entsoe/{border.one}-{border.other}"
