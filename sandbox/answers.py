"""From a request to an answer: routing, parameter checks, rows, bytes. No sockets, no faults."""

from __future__ import annotations

import gzip
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import numpy as np

from sandbox import calendar
from sandbox.endpoints import Catalogue, Endpoint, Window
from sandbox.faults import Hit
from sandbox.grid import Columns, Series, take
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

    def key(self, series: Series) -> tuple[str, str, int, int, int]:
        """Return what the body depends on: a window long past no longer depends on the clock."""
        known = min(self.now, self.last + series.settled_after_s)
        return self.endpoint.path, self.axis, self.first, self.last, known

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


class Service(Protocol):
    """A provider with one path that is asked by query and answers with documents."""

    #: The names of the tables in which `rows` tells the truth.
    tables: Collection[str]

    def plan(self, params: Mapping[str, str], now: int) -> Document | Refusal:
        """Decide what a query is answered with; `now` in epoch seconds."""
        ...

    def rows(self, table: str, first: int, last: int, now: int, *, every: bool) -> Columns:
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
    ) -> None:
        self.catalogue = catalogue
        self.grid = grid
        self.services = services or {}
        self._cache_bytes = cache_bytes
        self._cache: OrderedDict[tuple[Any, ...], tuple[bytes, bool]] = OrderedDict()
        self._cached = 0
        self._lock = threading.Lock()

    def plan(self, path: str, params: Mapping[str, str], now: int) -> Plan | Document | Refusal:
        """Decide what a GET is answered with; `now` in epoch seconds."""
        manners = self.manners_of(path)
        name = self.catalogue.provider_of(path) or ""
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
        for window in endpoint.windows:
            if window.start in given and window.end in given:
                return self._windowed(endpoint, window, given, now, manners)
        # Half a window is no window (assumed): the latest rows are served, as for a wrong name.
        axis = endpoint.windows[0].axis
        newest = self.grid[endpoint.series].newest(axis, now)
        return Plan(endpoint, axis, newest - endpoint.latest_s, newest, now, manners)

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
        if endpoint.cap_s is not None and bounds[1] - bounds[0] > endpoint.cap_s:
            return manners.too_wide(window.start, window.end, endpoint.cap_words)
        # Rows stand on whole seconds: the window shrinks to those inside it.
        first, last = int(-(-bounds[0] // 1)), int(bounds[1] // 1)
        if window.kind == "settlement_date" or periods != [None, None]:
            first, last = _settlement_bounds(
                first // calendar.DAY_S, last // calendar.DAY_S, periods
            )
        return Plan(endpoint, window.axis, first, last, now, manners)

    def columns(self, plan: Plan) -> Columns:
        """Return an answer as columns, newest first, repeated where the provider stutters."""
        first, last = (_within_calendar(bound) for bound in (plan.first, plan.last))
        series = self.grid[plan.endpoint.series]
        every = plan.endpoint.versions == "all"
        columns = series.rows(plan.axis, first, last, plan.now, every=every)
        count = series.repeats(columns)
        if count.max(initial=1) > 1:
            columns = take(columns, np.repeat(np.arange(len(count)), count))
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
        return [msgspec.to_builtins(row) for row in self.catalogue.rows(plan.endpoint, columns)]


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


def _settlement_bounds(first_day: int, last_day: int, periods: list[int | None]) -> tuple[int, int]:
    """Return the first and last period start; a period that a day lacks selects nothing."""
    begin, end = calendar.start_of_day(first_day), calendar.start_of_day(last_day)
    if periods[0] is not None:
        begin += (min(periods[0], calendar.periods_in_day(first_day) + 1) - 1) * calendar.PERIOD_S
    last_period = calendar.periods_in_day(last_day)
    return begin, end + (min(periods[1] or last_period, last_period) - 1) * calendar.PERIOD_S


def _within_calendar(instant: int) -> int:
    return min(max(instant, calendar.FIRST_INSTANT), calendar.LAST_INSTANT)
