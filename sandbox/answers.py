"""From a request to an answer: routing, parameter checks, rows, bytes. No sockets, no faults."""

from __future__ import annotations

import gzip
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import msgspec
import numpy as np

from sandbox import calendar
from sandbox.endpoints import Catalogue, Endpoint, Filter, Window
from sandbox.faults import Hit
from sandbox.grid import Columns, Series, first_of_each, take
from sandbox.manners import MANNERS, PLAIN, Manners, Refusal

# Rows encoded at a time: bounds the memory of a year-long stream and costs nothing at a day.
CHUNK_ROWS = 8_192
# A year of frequency in plain JSON is 166 MB.
CACHE_BYTES = 256 * 2**20
# Shorter bodies grow under gzip.
GZIP_FROM_BYTES = 512


@dataclass(frozen=True)
class Plan:
    """A request that will be answered with rows."""

    endpoint: Endpoint
    axis: str
    first: int
    last: int
    now: int
    manners: Manners
    filters: tuple[tuple[Filter, str], ...] = ()

    def key(self, series: Series) -> tuple[Any, ...]:
        """Return what the body depends on: a window long past no longer depends on the clock."""
        known = min(self.now, self.last + series.settled_after_s)
        wanted = tuple((each.param, values) for each, values in self.filters)
        return self.endpoint.path, self.axis, self.first, self.last, known, wanted

    @property
    def content_type(self) -> str:
        """The type of the answer."""
        return self.manners.json_type

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The provider's own headers."""
        return self.manners.headers


class Document(Protocol):
    """A request that will be answered with a document of a service."""

    @property
    def content_type(self) -> str:
        """The type of the answer."""
        ...

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The answer's own headers."""
        ...

    @property
    def key(self) -> tuple[Any, ...]:
        """What the document depends on."""
        ...

    def encode(self) -> bytes:
        """Return the document."""
        ...

    def spoilt(self, hit: Hit) -> bytes | Refusal:
        """Return the document after a fault of rows."""
        ...


@runtime_checkable
class Long(Document, Protocol):
    """A document that is sent piece by piece, uncompressed and not remembered."""

    @property
    def length(self) -> int:
        """The length in bytes."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """Yield the document."""
        ...


@dataclass(frozen=True)
class Call:
    """A GET as a site sees it: `path` below its root, `query` as it was sent, `now` in seconds."""

    path: str
    params: Mapping[str, str]
    now: int
    query: str = ""
    origin: str = ""


class Site(Protocol):
    """A provider with paths of its own making."""

    #: The names of the tables in which `rows` tells the truth.
    tables: Collection[str]

    def respond(self, call: Call) -> Document | Refusal:
        """Decide what a path is answered with."""
        ...

    def rows(self, table: str, first: int, last: int, now: int, *, every: bool) -> Columns:
        """Return the rows from `first` to `last` (both inclusive) published by `now`."""
        ...

    def holes(self, table: str, first: int, last: int) -> Columns | None:
        """Return the cells of a regular table that are never published, None of any other."""
        ...


class Service(Protocol):
    """A provider with one path that is asked by query and answers with documents."""

    #: The names of the tables in which `rows` tells the truth.
    tables: Collection[str]

    def plan(self, params: Mapping[str, str], now: int) -> Document | Refusal:
        """Decide what a query is answered with; `now` in epoch seconds."""
        ...

    def rows(
        self,
        table: str,
        first: int,
        last: int,
        now: int,
        *,
        every: bool,
        scope: str | None = None,
    ) -> Columns:
        """Return the rows from `first` to `last` (both inclusive) published by `now`."""
        ...


class Answers:
    """Answers requests from a grid, remembering encoded bodies up to a number of bytes."""

    def __init__(
        self,
        catalogue: Catalogue,
        grid: Mapping[str, Series],
        cache_bytes: int = CACHE_BYTES,
        services: Mapping[str, Service] | None = None,
        sites: Mapping[str, Site] | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.grid = grid
        self.services = services or {}
        self.sites = sites or {}
        self._cache_bytes = cache_bytes
        self._cache: OrderedDict[tuple[Any, ...], tuple[bytes, bool]] = OrderedDict()
        self._cached = 0
        self._lock = threading.Lock()

    def plan(
        self, path: str, params: Mapping[str, str], now: int, query: str = "", origin: str = ""
    ) -> Plan | Document | Refusal:
        """Decide what a GET is answered with; `now` in epoch seconds.

        `query` is the query as it was sent, `origin` the address that the client knows us by.
        """
        manners = self.manners_of(path)
        name = self.catalogue.provider_of(path) or ""
        if name in self.sites:
            provider = self.catalogue.providers[name]
            below = path[len(provider.root or provider.prefix) :]
            return self.sites[name].respond(Call(below, params, now, query, origin))
        if name in self.services and path == self.catalogue.providers[name].prefix:
            return self.services[name].plan(params, now)
        found = self.catalogue.find(path)
        if found is None:
            return manners.not_found()
        endpoint, in_path = found
        given = {**params, **in_path}
        if any(name not in given for name in endpoint.required):
            return manners.not_found()
        form = given.get("format", "json").lower()
        # JSON under format=csv would be kinder than the real API. A stream has no such parameter.
        if form in ("xml", "csv") and endpoint.envelope != "bare":
            return manners.not_acceptable(form)
        named = [window for window in endpoint.windows if {window.start, window.end} & set(given)]
        if endpoint.exclusive and len(named) > 1:
            return manners.combined(named[1].start, named[0].start)
        plan: Plan | Refusal
        for window in named:
            if window.start in given and window.end in given:
                plan = self._windowed(endpoint, window, given, now, manners)
                break
        else:
            # Half a window is no window (assumed): the latest rows, as for a wrong name.
            series = self.grid[endpoint.series]
            axis = endpoint.windows[0].axis if endpoint.windows else series.axes[0]
            newest = series.newest(axis, now)
            plan = Plan(endpoint, axis, newest - endpoint.latest_s, newest, now, manners)
        wanted = tuple(
            (each, given[each.param]) for each in endpoint.filters if given.get(each.param)
        )
        return replace(plan, filters=wanted) if wanted and isinstance(plan, Plan) else plan

    def manners_of(self, path: str) -> Manners:
        """Return the manners of the provider a path belongs to."""
        return MANNERS.get(self.catalogue.provider_of(path) or "", PLAIN)

    def _windowed(
        self,
        endpoint: Endpoint,
        window: Window,
        given: Mapping[str, str],
        now: int,
        manners: Manners,
    ) -> Plan | Refusal:
        bounds = []
        for name in (window.start, window.end):
            if window.kind in ("settlement_date", "date") and len(given[name]) != len("2024-10-27"):
                return manners.malformed(name, given[name])
            try:
                bounds.append(calendar.parse_datetime(given[name]).timestamp())
            except (ValueError, OverflowError):
                return manners.malformed(name, given[name])
        periods: list[int | None] = []
        for switch in (window.period_from, window.period_to):
            text = given.get(switch) if switch else None
            if text is not None and not (
                text.isascii() and text.isdigit() and 1 <= int(text) <= 50
            ):
                return manners.malformed(str(switch), text)
            periods.append(None if text is None else int(text))
        if bounds[1] < bounds[0]:
            return manners.reversed(window.start, window.end)
        # Of dates, the last one counts in full (assumed).
        width = bounds[1] - bounds[0] + (calendar.DAY_S if window.kind == "settlement_date" else 0)
        if endpoint.cap_s is not None and width > endpoint.cap_s:
            return manners.too_wide(window.start, window.end, endpoint.cap_words)
        # Rows stand on whole seconds: the window shrinks to those inside it.
        first, last = int(-(-bounds[0] // 1)), int(bounds[1] // 1)
        if window.kind == "period":
            first, last = (bound - bound % calendar.PERIOD_S for bound in (first, last))
        whole_days = window.kind == "settlement_date"
        # Only the end whose period is given is read as a settlement date.
        if whole_days or periods[0] is not None:
            first = _first_of(first // calendar.DAY_S, periods[0] or 1)
        if whole_days or periods[1] is not None:
            last = _last_of(last // calendar.DAY_S, periods[1] or calendar.PERIODS_AT_MOST)
        return Plan(endpoint, window.axis, first, last, now, manners)

    def columns(self, plan: Plan, *, stale: bool = False) -> Columns:
        """Return an answer as columns in the provider's order, repeated where it stutters.

        With `stale` every row is as it was first published, whatever is known since.
        """
        first, last = (_within_calendar(bound) for bound in (plan.first, plan.last))
        series = self.grid[plan.endpoint.series]
        every = stale or plan.endpoint.versions == "all"
        columns = series.rows(plan.axis, first, last, plan.now, every=every)
        if stale:
            columns = take(columns, first_of_each(columns, series.identity))
        for each, values in plan.filters:
            columns = take(columns, each.keep(columns, values))
        count = series.repeats(columns)
        if count.max(initial=1) > 1:
            columns = take(columns, np.repeat(np.arange(len(count)), count))
        if plan.endpoint.order == "ascending":
            return columns
        # Newest first, the order inside one instant kept.
        return take(columns, np.argsort(-columns[plan.axis], kind="stable"))

    def body(self, plan: Plan | Document, *, zipped: bool) -> tuple[bytes, bool]:
        """Return the body of an answer, remembered if it was made before, and if it is gzip."""
        if isinstance(plan, Plan):
            key: tuple[Any, ...] = (*plan.key(self.grid[plan.endpoint.series]), zipped)
        else:
            key = (*plan.key, zipped)
        with self._lock:
            body = self._cache.get(key)
            if body is not None:
                self._cache.move_to_end(key)
                return body
        plain = self.plain(plan)
        body = (
            (squeeze(plain), True) if zipped and len(plain) >= GZIP_FROM_BYTES else (plain, False)
        )
        with self._lock:
            former = self._cache.pop(key, None)
            self._cached += len(body[0]) - (len(former[0]) if former else 0)
            self._cache[key] = body
            while self._cached > self._cache_bytes:
                self._cached -= len(self._cache.popitem(last=False)[1][0])
        return body

    def plain(self, plan: Plan | Document) -> bytes:
        """Return the body of an answer, made anew and not compressed."""
        if isinstance(plan, Plan):
            return self.encode(plan, self.columns(plan))
        return plan.encode()

    def encode(self, plan: Plan, columns: Columns) -> bytes:
        """Return columns as the endpoint's JSON."""
        total = len(columns[plan.axis])
        parts = []
        for at in range(0, total, CHUNK_ROWS):
            piece = {name: values[at : at + CHUNK_ROWS] for name, values in columns.items()}
            parts.append(msgspec.json.encode(self.catalogue.rows(plan.endpoint, piece))[1:-1])
        return wrap(plan.endpoint, b",".join(parts))

    def objects(self, plan: Plan, columns: Columns) -> list[dict[str, Any]]:
        """Return columns as rows that can be changed (what a fault needs)."""
        # By way of the text: a long number is a text already.
        text = msgspec.json.encode(self.catalogue.rows(plan.endpoint, columns))
        return msgspec.json.decode(text, type=list[dict[str, Any]])


def wrap(endpoint: Endpoint, rows: bytes) -> bytes:
    """Return encoded rows, joined by commas, in the endpoint's envelope."""
    if endpoint.envelope == "bare":
        return b"[" + rows + b"]"
    if endpoint.envelope == "metadata":
        names = msgspec.json.encode(endpoint.datasets)
        return b'{"metadata":{"datasets":' + names + b'},"data":[' + rows + b"]}"
    return b'{"data":[' + rows + b"]}"


def squeeze(body: bytes) -> bytes:
    """Return a body compressed with gzip, without a time stamp so that it is always the same."""
    return gzip.compress(body, compresslevel=1, mtime=0)


def _first_of(day: int, period: int) -> int:
    """Return the start of a period; one that the day lacks begins with the next day."""
    known = min(period, calendar.periods_in_day(day) + 1)
    return calendar.start_of_day(day) + (known - 1) * calendar.PERIOD_S


def _last_of(day: int, period: int) -> int:
    """Return the last second of a period; one that the day lacks ends with the day."""
    known = min(period, calendar.periods_in_day(day))
    return calendar.start_of_day(day) + known * calendar.PERIOD_S - 1


def _within_calendar(instant: int) -> int:
    return min(max(instant, calendar.FIRST_INSTANT), calendar.LAST_INSTANT)
