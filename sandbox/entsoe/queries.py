"""Which queries the platform refuses, in its words where they are known, and what others mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sandbox.entsoe.zones import BY_EIC, WITHOUT_DATA, Zone
from sandbox.manners import ENTSOE, Refusal

PROCESS, CURVE, PSR, OFFSET = "processType", "curveType", "psrType", "offset"
CONTRACT = "contract_MarketAgreement.type"
SEQUENCE = "classificationSequence_AttributeInstanceComponent.position"
MOST_INSTANCES, LARGEST_OFFSET = 100, 4_800
_START, _END, _INTERVAL = "periodStart", "periodEnd", "timeInterval"
# Parameters of every item, beside its own.
_COMMON = ("documentType", _START, _END, _INTERVAL, "securityToken")
_PSR_TYPES = frozenset(f"B{number:02d}" for number in range(1, 26))


@dataclass(frozen=True)
class Item:
    """A data item: its names, the parameters it must and may have, and its widest window.

    `areas` name the parameters with the EIC, which must all be equal.
    """

    key: str
    document: str
    name: str
    article: str
    title: str
    areas: tuple[str, ...]
    months: int
    words: str
    process: bool = False
    optional: tuple[str, ...] = ()


ITEMS = {
    item.document: item
    for item in (
        Item(
            "load",
            "A65",
            "ACTUAL_TOTAL_LOAD_R3",
            "6.1.A",
            "Actual Total Load",
            ("outBiddingZone_Domain",),
            1,
            "P1M",
            process=True,
            # A well-known client sends both.
            optional=("out_Domain", CURVE),
        ),
        Item(
            "generation",
            "A75",
            "AGGREGATED_GENERATION_PER_TYPE_R3",
            "16.1.B&C",
            "Actual Generation per Production Type",
            ("in_Domain",),
            1,
            "P1M",
            process=True,
            optional=(PSR, CURVE),
        ),
        Item(
            "prices",
            "A44",
            "ENERGY_PRICES",
            "12.1.D",
            "Energy Prices",
            ("in_Domain", "out_Domain"),
            12,
            "P1Y",
            optional=(CONTRACT, SEQUENCE, OFFSET, CURVE),
        ),
    )
}


@dataclass(frozen=True)
class Query:
    """A query that can be met, should there be data. `zone` is None for an area without any."""

    item: Item
    eic: str
    start: datetime
    end: datetime
    zone: Zone | None
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """The start in epoch seconds."""
        return int(self.start.timestamp())

    @property
    def last(self) -> int:
        """The end, exclusive, in epoch seconds."""
        return int(self.end.timestamp())

    @property
    def file_name(self) -> str:
        """The name that the platform gives to its answer."""
        return f"{self.item.title}_{self.start:%Y%m%d%H%M}-{self.end:%Y%m%d%H%M}.xml"

    def no_data(self, now: int) -> Refusal:
        """Answer that there is nothing (yet)."""
        areas = ", ".join([self.eic] * len(self.item.areas))
        interval = f"{_second_text(self.start)}/{_second_text(self.end)}"
        name = f"{self.item.name} [{self.item.article}] ({areas})"
        text = f"No matching data found for Data item {name} and interval {interval}."
        return ENTSOE.acknowledge(200, text, now)

    def too_many_instances(self, count: int, now: int) -> Refusal:
        """Answer that more TimeSeries match than one document may hold."""
        allowed = f"exceeds the allowed maximum ({MOST_INSTANCES})"
        text = f"The number of instances ({count}) {allowed} for data item {self.item.name}."
        return ENTSOE.acknowledge(400, text, now)


def read(params: Mapping[str, str], now: int) -> Query | Refusal:
    """Read a query; names of parameters are taken in any case."""
    given = {name.lower(): value for name, value in params.items()}
    kind = given.get("documenttype", "")
    item = ITEMS.get(kind)
    if item is None:
        return _impossible(f"DocumentType={kind}", now)
    own = (*item.areas, *item.optional, *((PROCESS,) if item.process else ()))
    known = {name.lower() for name in (*_COMMON, *own)}
    for name in params:
        if name.lower() not in known:
            return _bad(f"Input parameter does not exist: {name}", now)
    if item.process and given.get(PROCESS.lower()) != "A16":
        return _impossible(f"DocumentType={kind},ProcessType={given.get(PROCESS.lower(), '')}", now)
    areas = [given.get(name.lower()) for name in item.areas]
    eic = areas[0]
    if eic is None or len(set(areas)) > 1:
        named = ",".join(f"{n}={a or ''}" for n, a in zip(item.areas, areas, strict=True))
        return _impossible(f"DocumentType={kind},{named}", now)
    if eic not in BY_EIC and eic not in WITHOUT_DATA:
        return _bad(f"Delivered Area EIC {eic} is not valid.", now)
    window = _window(given, now)
    if isinstance(window, Refusal):
        return window
    start, end = window
    if end > _months_later(start, item.months):
        interval = f"({_second_text(start)} - {_second_text(end)})"
        name = item.name.removesuffix("_R3") + "_R3:XML"
        return _bad(
            f"Provided time interval {interval} is larger than maximum allowed period "
            f"'{item.words}' for '{name}' export.",
            now,
        )
    options = {name: given[name.lower()] for name in item.optional if name.lower() in given}
    wrong = _wrong_option(item, options)
    if wrong is not None:
        return _bad(wrong, now)
    return Query(item, eic, start, end, BY_EIC.get(eic), options)


def _wrong_option(item: Item, options: Mapping[str, str]) -> str | None:
    """Return what the platform says to an option that it cannot take."""
    if CURVE in options and item.key == "prices":
        return "Providing curveType parameter is not supported for this dataItem."
    allowed = {
        CURVE: {"A01", "A03"},
        PSR: _PSR_TYPES,
        CONTRACT: {"A01", "A07"},
    }
    for name, values in allowed.items():
        if name in options and options[name] not in values:
            return f"The value {options[name]} of parameter {name} is not valid."
    for name, largest in ((OFFSET, LARGEST_OFFSET), (SEQUENCE, 10)):
        text = options.get(name, "0")
        if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= largest):
            return f"The value {text} of parameter {name} is not valid."
    return None


def _window(given: Mapping[str, str], now: int) -> tuple[datetime, datetime] | Refusal:
    texts = [given.get(_START.lower()), given.get(_END.lower())]
    form = "%Y%m%d%H%M"
    pattern = r"\d{12}"
    if _INTERVAL.lower() in given and texts == [None, None]:
        parts = given[_INTERVAL.lower()].split("/")
        texts = [*parts] if len(parts) == 2 else [given[_INTERVAL.lower()], None]
        form, pattern = "%Y-%m-%dT%H:%MZ", r"\d{4}-\d\d-\d\dT\d\d:\d\dZ"
    moments = []
    for name, text in zip((_START, _END), texts, strict=True):
        if text is None:
            return _impossible(f"{name}=", now)
        try:
            if re.fullmatch(pattern, text, re.ASCII) is None:
                raise ValueError
            moments.append(datetime.strptime(text, form).replace(tzinfo=UTC))
        except ValueError:
            return _bad(f"The value {text} of parameter {name} is not valid.", now)
    if moments[1] < moments[0]:
        return _bad(f"The value {texts[1]} of parameter {_END} is not valid.", now)
    return moments[0], moments[1]


def _months_later(start: datetime, months: int) -> datetime:
    """Return a moment some calendar months later, on the stamps of UTC."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    if year > 9999:
        return datetime.max.replace(tzinfo=UTC)
    for day in range(start.day, start.day - 4, -1):
        try:
            return start.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")


def _second_text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _bad(text: str, now: int) -> Refusal:
    return ENTSOE.acknowledge(400, text, now)


def _impossible(combination: str, now: int) -> Refusal:
    return _bad(
        f"The combination of [{combination}] is not valid, or the requested data is not allowed to "
        "be fetched via this service, check you request against dependency tables.",
        now,
    )
