"""Which queries the platform refuses, in its words where they are known, and what others mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sandbox.entsoe.exchange import ends
from sandbox.entsoe.items import (
    AGREEMENT,
    BY_DOCUMENT,
    CURVE,
    OFFSET,
    PSR,
    SEQUENCE,
    STATUS,
    UPDATED,
    Item,
)
from sandbox.entsoe.zones import BY_PAIR, area_key, scope_key
from sandbox.manners import ENTSOE, Refusal

LARGEST_OFFSET = 4_800
_START, _END, _INTERVAL = "periodStart", "periodEnd", "timeInterval"
# Parameters of every item, beside its own.
_COMMON = ("documentType", _START, _END, _INTERVAL, "securityToken")
_PSR_TYPES = frozenset(f"B{number:02d}" for number in range(1, 26)) | {"A03", "A04", "A05"}
_MONTHS = {"P1M": 1, "P1Y": 12}


@dataclass(frozen=True)
class Query:
    """A query that can be met, should there be data.

    `scope` is a zone or a direction of a border, None for one without any data; `eics` are the codes
    as they were asked, `parts` the keys of the series.
    """

    item: Item
    eics: tuple[str, ...]
    start: datetime
    end: datetime
    scope: str | None
    parts: tuple[str, ...] = ()
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
        form = "zip" if self.item.zipped else "xml"
        return f"{self.item.title}_{self.start:%Y%m%d%H%M}-{self.end:%Y%m%d%H%M}.{form}"

    def no_data(self, now: int) -> Refusal:
        """Answer that there is nothing (yet)."""
        interval = f"{_second_text(self.start)}/{_second_text(self.end)}"
        name = f"{self.item.name} [{self.item.article}] ({', '.join(self.eics)})"
        text = f"No matching data found for Data item {name} and interval {interval}."
        return ENTSOE.acknowledge(200, text, now)

    def too_many_instances(self, count: int, now: int) -> Refusal:
        """Answer that more TimeSeries or documents match than one answer may hold."""
        allowed = f"exceeds the allowed maximum ({self.item.most})"
        text = f"The number of instances ({count}) {allowed} for data item {self.item.name}."
        return ENTSOE.acknowledge(400, text, now)


def read(params: Mapping[str, str], now: int) -> Query | Refusal:
    """Read a query; names of parameters are taken in any case."""
    given = {name.lower(): value for name, value in params.items()}
    kind = given.get("documenttype", "")
    items = BY_DOCUMENT.get(kind, [])
    if not items:
        return _impossible(f"DocumentType={kind}", now)
    known = {name.lower() for name in _COMMON}
    for each in items:
        known |= {name.lower() for name in _own(each)}
    for name in params:
        if name.lower() not in known:
            return _bad(f"Input parameter does not exist: {name}", now)
    item = next((each for each in items if _fits(each, given)), None)
    if item is None:
        named = ",".join(f"{n}={given[n.lower()]}" for n in _telling(items) if n.lower() in given)
        return _impossible(f"DocumentType={kind},{named}", now)
    strange = [name for name in params if name.lower() not in _names(item)]
    if strange:
        return _bad(f"Input parameter does not exist: {strange[0]}", now)
    areas = [given.get(name.lower()) for name in item.areas]
    if None in areas or (len(set(areas)) > 1 and not item.border):
        named = ",".join(f"{n}={a or ''}" for n, a in zip(item.areas, areas, strict=True))
        return _impossible(f"DocumentType={kind},{named}", now)
    eics = tuple(text for text in areas if text is not None)
    for eic in eics:
        if area_key(eic, item.kind) is None:
            return _bad(f"Delivered Area EIC {eic} is not valid.", now)
    window = _window(given, now)
    if isinstance(window, Refusal):
        return window
    start, end = window
    if end > _latest(start, item.words):
        interval = f"({_second_text(start)} - {_second_text(end)})"
        name = item.name.removesuffix("_R3") + "_R3:XML"
        return _bad(
            f"Provided time interval {interval} is larger than maximum allowed period "
            f"'{item.words}' for '{name}' export.",
            now,
        )
    wanted = (*item.optional, *((item.by,) if item.by else ()))
    options = {name: given[name.lower()] for name in wanted if name.lower() in given}
    wrong = _wrong_option(item, options)
    if wrong is not None:
        return _bad(wrong, now)
    parts = item.chosen(options.get(item.by))
    if item.key == "prices":
        parts = parts[:1]
    return Query(item, eics, start, end, _scope(item, eics), tuple(filter(None, parts)), options)


def _own(item: Item) -> tuple[str, ...]:
    """Return the parameters that an item has besides those of all."""
    codes = tuple(name for name, _ in item.codes)
    return (*item.areas, *codes, *item.optional, *((item.by,) if item.by else ()))


def _names(item: Item) -> set[str]:
    return {name.lower() for name in (*_COMMON, *_own(item))}


def _telling(items: list[Item]) -> list[str]:
    """Return the parameters that tell items of one type apart."""
    named = [name for item in items for name, _ in item.codes]
    return list(dict.fromkeys([*named, *(item.by for item in items if item.by)]))


def _fits(item: Item, given: Mapping[str, str]) -> bool:
    """Tell whether a query is one for this item."""
    if any(given.get(name.lower()) != value for name, value in item.codes):
        return False
    if not item.by:
        return True
    value = given.get(item.by.lower())
    return not item.by_needed if value is None else value in dict(item.parts)


def _scope(item: Item, eics: tuple[str, ...]) -> str | None:
    """Return the zone, or the direction of a border, that has data; None if none."""
    keys = [area_key(eic, item.kind) for eic in eics]
    if not item.border:
        return keys[0] or None
    target, origin = keys
    scope = scope_key(origin or "", target or "")
    return scope if frozenset(ends(scope)) in BY_PAIR else None


def _wrong_option(item: Item, options: Mapping[str, str]) -> str | None:
    """Return what the platform says to an option that it cannot take."""
    if CURVE in options and item.key == "prices":
        return "Providing curveType parameter is not supported for this dataItem."
    allowed = {
        CURVE: {"A01", "A03"},
        PSR: _PSR_TYPES,
        STATUS: {"A05", "A09", "A13"},
        AGREEMENT: {f"A{number:02}" for number in range(1, 14)},
    }
    for name, values in allowed.items():
        if name in options and options[name] not in values:
            return f"The value {options[name]} of parameter {name} is not valid."
    for name, largest in ((OFFSET, LARGEST_OFFSET), (SEQUENCE, 10)):
        text = options.get(name, "0")
        if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= largest):
            return f"The value {text} of parameter {name} is not valid."
    for name in UPDATED:
        if name in options and _stamp(options[name]) is None:
            return f"The value {options[name]} of parameter {name} is not valid."
    return None


def updated(options: Mapping[str, str]) -> tuple[int, int] | None:
    """Return the window of updates that a query names, if it does."""
    stamps = [_stamp(options.get(name, "")) for name in UPDATED]
    if stamps[0] is None or stamps[1] is None:
        return None
    return int(stamps[0].timestamp()), int(stamps[1].timestamp())


def _stamp(text: str) -> datetime | None:
    if re.fullmatch(r"\d{12}", text, re.ASCII) is None:
        return None
    try:
        return datetime.strptime(text, "%Y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError:
        return None


def _latest(start: datetime, words: str) -> datetime:
    """Return the latest end of a window, on the stamps of UTC."""
    if words == "P1D":
        return start + min(timedelta(days=1), datetime.max.replace(tzinfo=UTC) - start)
    return _months_later(start, _MONTHS[words])


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
