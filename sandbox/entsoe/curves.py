"""What an item of slots is: its curves, their values, their resolution and when they are told.

An item has a scope, a zone (`DE_LU`) or a direction of a border (`FR>DE_LU`). Its curves become
TimeSeries, and rows of the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sandbox.calendar import start_of_market_day
from sandbox.entsoe.days import LAG_S, Mask
from sandbox.entsoe.exchange import border_of, ends
from sandbox.entsoe.zones import BALANCING, BORDERS, BY_KEY, CODES, ELSEWHERE, ZONES, directions
from sandbox.noise import Floats, Instants

Labels = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Curve:
    """A TimeSeries: what tells it apart, its lines before and after the curve type.

    `tail` are the lines that a Point has after its value; `sign` is what the truth multiplies by.
    """

    labels: Labels = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
    sign: int = 1


@dataclass(frozen=True)
class SlotItem:
    """An item of slots that are shorter than a day.

    `values` are made for (seed, scope, starts, step in seconds), one line a curve and field;
    `columns` name the fields in the truth. `cuts` tells which values are sent (default all), and
    with `each_run` every run of them is a TimeSeries. `told` is when a slot is told: seconds after
    its end, or before the start of its market day where negative. A `clean` item has no gaps,
    repeats or restatements of its own; a `whole` one has every position of its curves.
    """

    key: str
    columns: tuple[str, ...]
    curves: Callable[[str], list[Curve]]
    values: Callable[[int, str, Instants, int], Floats]
    step_s: Callable[[str, int], int]
    told: int = LAG_S
    border: bool = False
    cuts: Callable[[Floats], Mask] | None = None
    each_run: bool = False
    clean: bool = False
    fields: tuple[str, ...] = ("quantity",)
    is_open: Callable[[str, int], bool] = field(default=lambda scope, day: _zone_open(scope, day))
    scopes: Callable[[], list[str]] = field(default=lambda: [zone.key for zone in ZONES])

    def told_at(self, day: int, starts: Instants, step_s: int) -> Instants:
        """Return when each slot of a market day is told."""
        if self.told >= 0:
            return np.asarray(starts + step_s + self.told)
        return np.full(len(starts), start_of_market_day(day) + self.told, dtype=np.int64)


def _zone_open(scope: str, day: int) -> bool:
    return BY_KEY[scope].is_open(day)


def flow_open(scope: str, day: int) -> bool:
    """Tell whether flows of a direction are measured on a market day."""
    return border_of(scope).is_open(day)


def scheduled_open(scope: str, day: int) -> bool:
    """Tell whether schedules of a direction are published for a market day."""
    return border_of(scope).is_scheduled(day)


def scheduled_directions() -> list[str]:
    """Return the directions between two areas that both have data."""
    live = {frozenset((b.one, b.other)) for b in BORDERS if {b.one, b.other} <= set(BY_KEY)}
    return [scope for scope in directions() if frozenset(ends(scope)) in live]


def coupled_zones() -> list[str]:
    """Return the zones that take part in the European auctions."""
    return [zone.key for zone in ZONES if zone.coupled]


def control_areas() -> list[str]:
    """Return the areas that answer items by control area."""
    scopes = [key for key, zone in BY_KEY.items() if zone.coupled and "MACRO" not in key]
    return [key for key in scopes if (key, BALANCING) not in ELSEWHERE]


def area(name: str, key: str, *, indent: int = 0) -> str:
    """Return the line of a domain with the code of an area."""
    return f'{" " * indent}<{name}.mRID codingScheme="A01">{CODES[key]}</{name}.mRID>'


def tag(name: str, text: object) -> str:
    """Return an element with a text."""
    return f"<{name}>{text}</{name}>"


def load_step(zone: str, day: int) -> int:
    """Return the resolution of a zone's load and generation."""
    return BY_KEY[zone].step_s(day)


def auction_step(zone: str, day: int) -> int:
    """Return the resolution of the day-ahead auction, for zones and for directions of borders."""
    if ">" in zone:
        return max(auction_step(key, day) for key in ends(zone))
    return BY_KEY[zone].price_step_s(1, day)
