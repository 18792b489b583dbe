"""The areas of ENTSO-E's transparency platform and the borders between them; the list is ``zones.csv``.

A line there is an area: its kind, EIC code, civil clock, since when it is there and until when (the
first day on which it is abolished or cut off), and from which day on it publishes nothing itself
though it is there: what crosses its borders then comes from the other side. ``neighbours`` are the
areas it has a border with, ``control_areas`` those under which its items by control area stand.
``codes`` name the area that answers a document type in its place, as in ``A44=DE_LU``. What is its own
control area was one before it became a bidding zone: of such, only auctions begin on the day ``since``.

A border is written ``FROM>TO``: power that leaves the first area for the second.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from domain.ledger import Publication

# Market days of the single day-ahead coupling run by this clock, whichever zone takes part.
MARKET_CLOCK = ZoneInfo("Europe/Brussels")

BIDDING_ZONE = "bidding zone"
# Unavailability is published of areas that send nothing else, as of Great Britain.
_OUTAGES = frozenset({"A77", "A78", "A79", "A80"})
# Prices and net positions are of bidding zones alone.
_AUCTIONS = frozenset({"A25", "A44"})
_IMBALANCES = "A85"


@dataclass(frozen=True)
class Zone:
    """An area; ``kind`` is bidding zone, interconnector, control area, country or imbalance area."""

    key: str
    kind: str
    eic: str
    time_zone: str
    title: str
    since: date = date.min
    until: date = date.max
    silent_from: date = date.max
    neighbours: tuple[str, ...] = ()
    control_areas: tuple[str, ...] = ()
    codes: Mapping[str, str] = field(default_factory=dict, hash=False)
    aliases: tuple[str, ...] = ()

    def answering(self, document_type: str) -> Zone:
        """The area that publishes a document of this one, most often itself."""
        return ZONES[self.codes.get(document_type, self.key)]

    def code(self, document_type: str) -> str:
        """The EIC code to ask a document under."""
        return self.answering(document_type).eic

    def began(self, document_type: str) -> date:
        """The first day of which it may have a document of this type."""
        own = self.control_areas == (self.key,)
        return date.min if own and document_type not in _AUCTIONS else self.since

    @property
    def clock(self) -> ZoneInfo:
        """Its civil time."""
        return ZoneInfo(self.time_zone)

    @property
    def stands(self) -> bool:
        """Whether it is there today."""
        return self.until == date.max

    @property
    def lives(self) -> bool:
        """Whether it is there today and publishes."""
        return self.stands and self.silent_from == date.max


def _read() -> dict[str, Zone]:
    with Path(__file__).with_name("zones.csv").open(encoding="utf-8", newline="") as lines:
        return {row["key"]: _zone(row) for row in csv.DictReader(lines)}


def _zone(row: Mapping[str, str]) -> Zone:
    days = ("since", "until", "silent_from")
    return Zone(
        row["key"],
        row["kind"],
        row["eic"],
        row["time_zone"],
        row["title"],
        **{name: date.fromisoformat(row[name]) for name in days if row[name]},
        neighbours=tuple(row["neighbours"].split()),
        control_areas=tuple(row["control_areas"].split()) or (row["key"],),
        codes=dict(pair.split("=") for pair in row["codes"].split()),
        aliases=tuple(row["aliases"].split()),
    )


ZONES = _read()
# The bidding zones that publish today: what ``all`` stands for.
LIVE = tuple(key for key, zone in ZONES.items() if zone.kind == BIDDING_ZONE and zone.lives)
_BY_NAME = {
    name: key for key, zone in ZONES.items() for name in (key, zone.eic, *zone.aliases)
}  # fmt: skip


def find_zones(words: Iterable[str]) -> tuple[str, ...]:
    """Areas by key, alias or EIC code, each once; ``all`` stands for the live bidding zones.

    Raises ValueError for a word that names none.
    """
    found: list[str] = []
    for word in words:
        if word != "all" and word not in _BY_NAME:
            raise ValueError(
                f"'{word}' is no area of ENTSO-E; it may hold all, or areas of domain/zones.csv such as "
                "DE_LU, FR, NO_2"
            )
        found += LIVE if word == "all" else [_BY_NAME[word]]
    return tuple(dict.fromkeys(found))


def find_border(text: str) -> str:
    """A border in its one form, ``FROM>TO`` by keys.

    Raises ValueError where it names no two neighbours.
    """
    start, arrow, end = (part.strip() for part in text.partition(">"))
    if not arrow or not start or not end:
        raise ValueError(f"'{text}' is no border; write it as FROM>TO, for instance FR>DE_LU")
    start, end = find_zones([start]) + find_zones([end])
    if end not in ZONES[start].neighbours:
        listed = ", ".join(ZONES[start].neighbours) or "no area"
        raise ValueError(f"{start} and {end} have no border; {start} has one with {listed}")
    return f"{start}>{end}"


def borders_of(zones: Iterable[str]) -> tuple[str, ...]:
    """Every border between one of the areas and a bidding zone that is there today, both directions."""
    found = [
        border
        for key in zones
        for other in ZONES[key].neighbours
        if ZONES[other].kind == BIDDING_ZONE and ZONES[other].stands
        for border in (f"{key}>{other}", f"{other}>{key}")
    ]
    return tuple(dict.fromkeys(found))


def control_areas_of(zones: Iterable[str]) -> tuple[str, ...]:
    """The control areas of some areas, each once."""
    return tuple(dict.fromkeys(area for key in zones for area in ZONES[key].control_areas))


def imbalance_areas_of(zones: Iterable[str]) -> tuple[str, ...]:
    """The areas with an imbalance price of their own, each once: mostly the bidding zones themselves."""
    return tuple(dict.fromkeys(ZONES[key].answering(_IMBALANCES).key for key in zones))


def ends_of(border: str) -> tuple[Zone, Zone]:
    """The areas that a border leads from and to."""
    start, _, end = border.partition(">")
    return ZONES[start], ZONES[end]


def published(scope: str, document_type: str) -> Publication:
    """The days of which an area or border has a document of this type at all."""
    if ">" in scope:
        # One side is enough: flows with an area that is silent are told by its neighbour.
        bounds = [(zone, zone.until) for zone in ends_of(scope)]
        since = max(zone.since for zone, _ in bounds)
    else:
        zone = ZONES[scope].answering(document_type)
        silent_from = date.max if document_type in _OUTAGES else zone.silent_from
        bounds = [(zone, min(zone.until, silent_from))]
        since = zone.began(document_type)
    last, until = min(bounds, key=lambda bound: bound[1])
    if until == date.max:
        return Publication(since)
    return Publication(since, until, f"nothing is published of {last.key} since {until}")
