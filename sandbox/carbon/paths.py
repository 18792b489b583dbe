"""What a path asks for: everything is in it, and nothing of it may be spelled otherwise."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.calendar import DAY_S, PERIOD_S, parse_datetime
from sandbox.carbon.model import GB, HOUR_S

WIDEST_S = 14 * DAY_S
_STATS_WIDEST_S = 30 * DAY_S
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_RELATIVE = {"fw24h": (0, 24), "fw48h": (0, 48), "pt24h": (-24, 0)}
_NATIONS = {"england": 15, "scotland": 16, "wales": 17}
# The first letters of some postcodes and the region they lie in.
_POSTCODES = {
    **{"AB": 1, "EH": 2, "M": 3, "NE": 4, "LS": 5, "LL": 6, "CF": 7, "B": 8, "NG": 9},
    **{"CB": 10, "BS": 11, "RG": 12, "SW": 13, "BN": 14},
}


class Unreadable(ValueError):
    """A path that the API does not read."""


@dataclass(frozen=True)
class Asked:
    """What a path asks for: the half hours that start in [first, end).

    `topic` is intensity, generation, regional, factors or stats. `region` keys the answer by that
    region, `single` tells a question about one half hour, `block_s` the length of a statistic.
    """

    topic: str
    first: int = 0
    end: int = 0
    region: int | None = None
    postcode: str = ""
    single: bool = False
    block_s: int = 0


def read(path: str, now: int) -> Asked:
    """Read a path below the API's address at `now`. Raises Unreadable."""
    parts = path.split("/")[1:]
    current = now // PERIOD_S * PERIOD_S
    match parts:
        case ["intensity"] | ["generation"] | ["regional"]:
            return Asked(parts[0], current, current + PERIOD_S, single=True)
        case ["intensity", "factors"]:
            return Asked("factors")
        case ["intensity", "date"]:
            return _day(current // DAY_S * DAY_S)
        case ["intensity", "date", day]:
            return _day(_read(_DAY, day))
        case ["intensity", "date", day, period] if period.isdecimal():
            if not 1 <= int(period) <= 48:
                raise Unreadable(path)
            first = _read(_DAY, day) + (int(period) - 1) * PERIOD_S
            return Asked("intensity", first, first + PERIOD_S, single=True)
        case ["intensity", "stats", start, end]:
            return _stats(start, end, None)
        case ["intensity", "stats", start, end, block] if block.isdecimal():
            return _stats(start, end, int(block))
        case ["intensity", start]:
            # One half hour: by the rule of all windows the one that ends there.
            first, _ = _window(_read(_MOMENT, start), _read(_MOMENT, start))
            return Asked("intensity", first, first + PERIOD_S, single=True)
        case ["intensity" | "generation", start, end]:
            if parts[0] == "generation" and end in ("fw24h", "fw48h"):
                raise Unreadable(path)
            return Asked(parts[0], *_bounds(start, end))
        case ["regional", "intensity", start, end]:
            return Asked("regional", *_bounds(start, end))
        case ["regional", "intensity", start, end, kind, name]:
            return Asked("regional", *_bounds(start, end), *_region(kind, name))
        case ["regional", nation] if nation in _NATIONS:
            region = _NATIONS[nation]
            return Asked("regional", current, current + PERIOD_S, region, single=True)
        case ["regional", kind, name]:
            return Asked("regional", current, current + PERIOD_S, *_region(kind, name), single=True)
    raise Unreadable(path)


def _day(first: int) -> Asked:
    # A date has no `from`, so no half hour ends at it.
    return Asked("intensity", first, first + DAY_S)


def _bounds(start: str, end: str) -> tuple[int, int]:
    low = _read(_MOMENT, start)
    if end in _RELATIVE:
        before, after = _RELATIVE[end]
        return _window(low + before * HOUR_S, low + after * HOUR_S)
    high = _read(_MOMENT, end)
    if not 0 <= high - low <= WIDEST_S:
        raise Unreadable(end)
    return _window(low, high)


def _window(low: int, high: int) -> tuple[int, int]:
    """Return the starts of the half hours from the one that ends at `low` or holds it."""
    first = -(-low // PERIOD_S) * PERIOD_S - PERIOD_S
    return first, max(-(-high // PERIOD_S) * PERIOD_S, first + PERIOD_S)


def _stats(start: str, end: str, block: int | None) -> Asked:
    low, high = _read(_MOMENT, start), _read(_MOMENT, end)
    if not 0 < high - low <= _STATS_WIDEST_S or (block is not None and not 1 <= block <= 24):
        raise Unreadable(end)
    first, last = _window(low, high)
    return Asked("stats", first, last, block_s=(block or 0) * HOUR_S)


def _region(kind: str, name: str) -> tuple[int, str]:
    if kind == "regionid" and name.isdecimal() and 1 <= int(name) <= GB:
        return int(name), ""
    letters = re.match(r"[A-Z]{1,2}(?=\d)", name.upper(), re.ASCII)
    if kind == "postcode" and letters and letters.group() in _POSTCODES:
        return _POSTCODES[letters.group()], name.upper()
    raise Unreadable(name)


def _read(form: re.Pattern[str], text: str) -> int:
    if not form.fullmatch(text):
        raise Unreadable(text)
    try:
        return int(parse_datetime(text).timestamp())
    except (ValueError, OverflowError):
        raise Unreadable(text) from None
