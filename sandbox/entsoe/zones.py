"""The areas and borders that the sandbox's platform knows: which have data, since when and how."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from pathlib import Path

from sandbox.calendar import day_number
from sandbox.grid import HISTORY_STARTS

HOUR_S = 3_600
HALF_HOUR_S = 1_800
QUARTER_S = 900
_NEVER, _ALWAYS = day_number(date(2099, 1, 1)), 0
# The single day-ahead coupling moved to quarter hours with this market day.
QUARTER_HOUR_PRICES_FROM = day_number(date(2025, 10, 1))
# The first market day of the three intraday auctions.
INTRADAY_AUCTIONS_FROM = day_number(date(2024, 6, 14))
FIRST_DAY = HISTORY_STARTS // 86_400


@dataclass(frozen=True)
class Zone:
    """A bidding zone with data from market day `begins` until, exclusively, `ends`.

    `hours` is how far its clock is ahead of Central Europe's. `steps` are the resolutions of load
    and generation before and from market day `changes`; `seats` are the sequences of its day-ahead
    auctions in the order in which documents list them, 0 for an only one that is not named.
    `fleet` has the MW installed by type, empty where the model says more. `coupled` zones take part
    in the European auctions.
    """

    key: str
    eic: str
    begins: int
    ends: int | None = None
    steps: tuple[int, int] = (QUARTER_S, QUARTER_S)
    changes: int = 0
    seats: tuple[int, ...] = (0,)
    currency: str = "EUR"
    hours: int = 0
    place: tuple[float, float] = (0.0, 0.0)
    mean_mw: float = 0.0
    fleet: tuple[tuple[str, float], ...] = field(default=(), hash=False)
    coupled: bool = True
    #: Of a control area: the zone that it is in, and which of how many parts of that one it is.
    within: tuple[str, int, int] | None = None

    def step_s(self, day: int) -> int:
        """Return the resolution of load and generation on a market day."""
        return self.steps[day >= self.changes]

    def price_step_s(self, seat: int, day: int) -> int:
        """Return the resolution of an auction's prices for a market day."""
        if not self.coupled:
            return HALF_HOUR_S if self.key == "IE_SEM" else HOUR_S
        early = seat != 2 and day < QUARTER_HOUR_PRICES_FROM
        return HOUR_S if early else QUARTER_S

    def is_open(self, day: int) -> bool:
        """Tell whether the zone has data of a market day."""
        return day >= self.begins and (self.ends is None or day < self.ends)


@dataclass(frozen=True)
class Border:
    """A border between two areas, of which one has data; `mw` is what it carries at most.

    Physical flows come by the quarter hour from market day `quarters_from` on.
    """

    one: str
    other: str
    mw: float
    quarters_from: int

    def step_s(self, day: int) -> int:
        """Return the resolution of physical flows on a market day."""
        return QUARTER_S if day >= self.quarters_from else HOUR_S

    def is_open(self, day: int) -> bool:
        """Tell whether somebody measures flows on a market day: one side is enough."""
        return any(BY_KEY[key].is_open(day) for key in (self.one, self.other) if key in BY_KEY)

    def is_scheduled(self, day: int) -> bool:
        """Tell whether both sides publish schedules and capacities for a market day."""
        sides = (self.one, self.other)
        return all(key in BY_KEY and BY_KEY[key].is_open(day) for key in sides)


def _day(text: str) -> int:
    return {"never": _NEVER, "": _ALWAYS}.get(text) or (
        day_number(date.fromisoformat(text)) if text else _ALWAYS
    )


def _table(name: str) -> list[dict[str, str]]:
    with (Path(__file__).parent / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _zones() -> tuple[Zone, ...]:
    found = []
    for row in _table("zones.csv"):
        british = row["key"] == "GB"
        found.append(
            Zone(
                row["key"],
                row["eic"],
                begins=max(_day(row["begins"]), FIRST_DAY),
                ends=_day(row["ends"]) if row["ends"] else None,
                steps=(HALF_HOUR_S if british else HOUR_S, HALF_HOUR_S if british else QUARTER_S),
                changes=_day(row["quarters_from"]),
                # The second auction is listed first; only the first is the coupled market.
                seats=(2, 1) if row["key"] in ("DE_LU", "AT") else (0,),
                currency=row["currency"],
                hours=int(row["hours"]),
                place=(float(row["latitude"]), float(row["longitude"])),
                mean_mw=float(row["mean_mw"]),
                fleet=tuple(
                    (psr, float(mw))
                    for psr, _, mw in (each.partition(":") for each in row["fleet"].split())
                ),
                coupled=row["coupled"] == "1",
            )
        )
    return tuple(found)


ZONES = _zones()
BY_KEY = {zone.key: zone for zone in ZONES}
BY_EIC = {zone.eic: zone for zone in ZONES}

BORDERS = tuple(
    Border(row["one"], row["other"], float(row["mw"]), _day(row["quarters_from"]))
    for row in _table("borders.csv")
)
BY_PAIR = {frozenset((border.one, border.other)): border for border in BORDERS}

# What areas are asked for: their own units, or balancing, or all else.
UNITS, BALANCING, IMBALANCE, PRICES = "units", "balancing", "imbalance", "prices"
_BY_CONTROL_AREA = frozenset({UNITS, BALANCING, IMBALANCE})
# Control areas: code, zone, and which part of how many of it (IT_MACRO_ for imbalances only).
_CONTROL_AREAS = {
    "DE_50HZ": ("10YDE-VE-------2", "DE_LU", 0, 4),
    "DE_AMPRION": ("10YDE-RWENET---I", "DE_LU", 1, 4),
    "DE_TENNET": ("10YDE-EON------1", "DE_LU", 2, 4),
    "DE_TRANSNET": ("10YDE-ENBW-----N", "DE_LU", 3, 4),
    "DK_CA": ("10Y1001A1001A796", "DK_1", 0, 1),
    "IE": ("10YIE-1001A00010", "IE_SEM", 0, 2),
    "NIE": ("10Y1001A1001A016", "IE_SEM", 1, 2),
    "IT": ("10YIT-GRTN-----B", "IT_NORD", 0, 1),
    "IT_MACRO_NORTH": ("10Y1001A1001A84D", "IT_NORD", 0, 1),
    "IT_MACRO_SOUTH": ("10Y1001A1001A85B", "IT_CSUD", 0, 1),
    "NO": ("10YNO-0--------C", "NO_2", 0, 1),
    "SE": ("10YSE-1--------K", "SE_3", 0, 1),
    "UA_IPS": ("10Y1001C--000182", "UA", 0, 1),
}
CONTROL_AREAS = tuple(
    replace(BY_KEY[zone], key=key, eic=eic, within=(zone, part, parts))
    for key, (eic, zone, part, parts) in _CONTROL_AREAS.items()
)
BY_KEY |= {area.key: area for area in CONTROL_AREAS}

# Codes of whole countries, which answer for a zone but not with what a market makes.
_COUNTRIES = {"10Y1001A1001A83F": "DE_LU", "10Y1001A1001A92E": "GB"}
# Items that stand under another code only: of a zone and a kind, the area to be asked.
ELSEWHERE = {
    ("UA", PRICES): "UA_IPS",
    **{
        (zone, kind): area
        for zone, area in (("DE_LU", "DE_50HZ"), ("UA", "UA_IPS"), ("IE_SEM", "IE"))
        for kind in (UNITS, BALANCING)
    },
}


# Known to the platform, never with data in the sandbox.
WITHOUT_DATA = {
    "TR": "10YTR-TEIAS----W",
    "CY": "10YCY-1001A0003J",
    "MT": "10Y1001A1001A93C",
    "MD": "10Y1001A1001A990",
    "GE": "10Y1001A1001B012",
    "BY": "10Y1001A1001A51S",
    "RU": "10Y1001A1001A49F",
    "RU_KGD": "10Y1001A1001A50U",
    "DE_AT_LU": "10Y1001A1001A63L",
    "DK": "10Y1001A1001A65H",
    "GB_IFA": "10Y1001C--00098F",
    "GB_IFA2": "17Y0000009369493",
    "GB_ELECLINK": "11Y0-0000-0265-K",
    "IT_BRNN": "10Y1001A1001A699",
    "IT_FOGN": "10Y1001A1001A72K",
    "IT_PRGP": "10Y1001A1001A76C",
    "IT_ROSN": "10Y1001A1001A77A",
    "LU": "10YLU-CEGEDEL-NQ",
    "NO_2_NSL": "50Y0JVU59B4JWQCU",
    "IS": "10Y1001A1001A958",
    "UA_BEI": "10YUA-WEPS-----0",
    "UA_DOBTPP": "10Y1001A1001A869",
}
CODES = {key: zone.eic for key, zone in BY_KEY.items()} | WITHOUT_DATA
KEYS = {eic: key for key, eic in CODES.items()}


@lru_cache(maxsize=4_096)
def area_key(eic: str, kind: str) -> str | None:
    """Return the key of the area that answers an item of a kind under a code, None for no area.

    The key is empty for a code that the platform knows and that has nothing of this kind.
    """
    if eic in _COUNTRIES:
        return "" if kind in (PRICES, *_BY_CONTROL_AREA) else _COUNTRIES[eic]
    key = KEYS.get(eic)
    if key is None:
        return None
    if key not in BY_KEY or (key, kind) in ELSEWHERE:
        return ""
    within = BY_KEY[key].within
    if within is None:
        return key
    if ELSEWHERE.get((within[0], kind)) == key and kind == PRICES:
        return within[0]
    if kind not in _BY_CONTROL_AREA or ("MACRO" in key and kind != IMBALANCE):
        return ""
    return key


def scope_key(one: str, other: str) -> str:
    """Return a direction of a border as text: power from `one` to `other`."""
    return f"{one}>{other}"


def directions() -> list[str]:
    """Return both directions of every border."""
    return [
        scope_key(*pair)
        for border in BORDERS
        for pair in ((border.one, border.other), (border.other, border.one))
    ]
