"""The service: a query becomes a document, a fault of rows becomes a spoilt one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.calendar import FIRST_INSTANT, LAST_INSTANT, market_day_of, start_of_market_day
from sandbox.entsoe import document
from sandbox.entsoe.days import Day
from sandbox.entsoe.document import Paper
from sandbox.entsoe.layout import Stretch, TimeSeries, again, lay_out, stretches
from sandbox.entsoe.queries import (
    CONTRACT,
    CURVE,
    MOST_INSTANCES,
    OFFSET,
    PSR,
    SEQUENCE,
    Query,
    read,
)
from sandbox.entsoe.series import IN, Series, generation_curves, open_days
from sandbox.entsoe.zones import Zone
from sandbox.faults import Hit
from sandbox.grid import Columns
from sandbox.manners import Refusal

# Documents say when they were made; in whole minutes, so that one can be remembered for a minute.
CREATED_STEP_S = 60
# The curves that are sent with every position.
WHOLE_CURVES = frozenset({("DE_LU", IN, "B17"), ("FR", IN, "B14"), ("FR", IN, "B16")})
_FORMS = {"load": document.LOAD, "generation": document.GENERATION, "prices": document.PRICES}


class Platform:
    """Answers queries for load, generation and day-ahead prices."""

    tables: Collection[str] = ("entsoe_load", "entsoe_generation", "entsoe_day_ahead_prices")

    def __init__(self, seed: int) -> None:
        self.series = Series(seed)

    def plan(self, params: Mapping[str, str], now: int) -> Answer | Refusal:
        """Decide what a query is answered with; `now` in epoch seconds."""
        now = now // CREATED_STEP_S * CREATED_STEP_S
        query = read(params, now)
        if isinstance(query, Refusal):
            return query
        if query.zone is None or query.options.get(CONTRACT) == "A07":
            return query.no_data(now)
        answer = Answer(self.series, query, query.zone, now)
        if query.item.key != "prices":
            found = answer.has_data()
        else:
            count = len(answer.price_days())
            if count > MOST_INSTANCES and OFFSET not in query.options:
                return query.too_many_instances(count, now)
            found = count > int(query.options.get(OFFSET, "0"))
        return answer if found else query.no_data(now)

    def rows(self, table: str, first: int, last: int, now: int, *, every: bool) -> Columns:
        """Return the truth as a table, see `Sandbox.truth`."""
        item = {"load": "load", "generation": "generation"}.get(table[7:], "prices")
        return self.series.rows(item, first, last, now, every=every)


@dataclass(frozen=True)
class Answer:
    """A query that there are data for."""

    series: Series
    query: Query
    zone: Zone
    now: int
    content_type: str = "text/xml"

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The name of the document."""
        return (("Content-Disposition", f'inline; filename="{self.query.file_name}"'),)

    @property
    def key(self) -> tuple[Any, ...]:
        """What the document depends on."""
        query = self.query
        options = tuple(sorted(query.options.items()))
        return query.item.document, query.eic, query.first, query.last, options, self.now

    @property
    def window(self) -> tuple[int, int]:
        """The half-open window of the document: for prices whole market days."""
        first, end = (
            min(max(bound, FIRST_INSTANT), LAST_INSTANT)
            for bound in (self.query.first, self.query.last)
        )
        if self.query.item.key != "prices" or end <= first:
            return first, end
        last_day = market_day_of(end - 1)
        return start_of_market_day(market_day_of(first)), start_of_market_day(last_day + 1)

    def days(self) -> list[Day]:
        """Return the market days that the window touches."""
        first, end = self.window
        return self.series.days(self.zone, self.query.item.key, first, end - 1, self.now)

    def curves(self) -> list[int]:
        """Return the places of the curves asked for, in the order of the document."""
        if self.query.item.key != "generation":
            return [0]
        wanted = self.query.options.get(PSR)
        named = enumerate(generation_curves(self.zone))
        return [place for place, (_, psr) in named if wanted in (None, psr)]

    def has_data(self) -> bool:
        """Tell whether any slot of load or generation is sent."""
        curves, window = self.curves(), self.window
        parts = (again(day, *window, self.now) for day in self.days())
        return any(part.sent[curves].any() for part in parts)

    def price_days(self) -> list[tuple[int, int]]:
        """Return (auction, market day) of every TimeSeries with prices, in their order."""
        wanted = int(self.query.options.get(SEQUENCE, "0"))
        quirks, zone = self.series.quirks, self.zone
        first, end = self.window
        found = []
        for seat in zone.seats:
            if wanted in (0, seat or 1):
                days = [
                    day
                    for day in open_days(zone, first, end - 1, self.now)
                    if quirks.told_prices(zone.key, day, seat) <= self.now
                ]
                found += [(seat, day) for day in days]
                found += [(seat, day) for day in days if quirks.twice((zone.key, "prices", day), 1)]
        return found

    def encode(self) -> bytes:
        """Return the document."""
        return self._paper(self._parts(None)).encode()

    def spoilt(self, hit: Hit) -> bytes | Refusal:
        """Return the document after a fault of rows (see `Fault`)."""
        fault, rng = hit.fault, hit.rng
        if fault.kind == "empty":
            return self.query.no_data(self.now)
        series = self._parts(hit if fault.kind in ("dropped", "revised") else None)
        if not series:
            return self.query.no_data(self.now)
        if fault.kind == "duplicates":
            count = max(1, round(len(series) * (fault.fraction or 0.1)))
            series += [series[at] for at in sorted(rng.sample(range(len(series)), count))]
        if fault.kind == "wrong-type":
            points = [(p, n) for s in series for p in s.periods for n in range(len(p.texts))]
            count = max(1, round(len(points) * (fault.fraction or 0.01)))
            for period, n in rng.sample(points, count):
                period.texts[n] = fault.value or "n/a"
        paper = self._paper(series)
        if fault.kind == "revised":
            paper.revision, paper.created = 2, paper.created + 3_600
        if fault.kind == "extra":
            paper.extra = (fault.field or "warningType", fault.value or "SANDBOX")
        body = paper.encode()
        if fault.kind == "renamed":
            name = fault.field or paper.form.value
            new = fault.value or f"{name}Value"
            for mark in ("<{}>", "<{} ", "</{}>"):
                body = body.replace(mark.format(name).encode(), mark.format(new).encode())
        return body

    def _paper(self, series: list[TimeSeries]) -> Paper:
        item = self.query.item
        mrid = hashlib.blake2b(repr(self.key).encode(), digest_size=16).hexdigest()
        return Paper(_FORMS[item.key], item.document, mrid, self.now, *self.window, series)

    def _parts(self, hit: Hit | None) -> list[TimeSeries]:
        if self.query.item.key == "prices":
            return self._prices(hit)
        days, curves = self.days(), self.curves()
        window = self.window
        main = stretches(days, *window, self.now)
        _spoil(hit, main, curves)
        load = self.query.item.key == "load"
        found = []
        for place in curves:
            found += lay_out(main, place, self._like(place), step_begins=not load)
        # What a fault changed is not told a second time as it was.
        for day in [] if hit else days:
            for place in day.twice:
                if place in curves:
                    found += lay_out(
                        [again(day, *window, self.now)],
                        place,
                        self._like(place),
                        step_begins=True,
                    )
        return found

    def _prices(self, hit: Hit | None) -> list[TimeSeries]:
        window, found = self.window, []
        page = slice(0, None)
        if OFFSET in self.query.options:
            offset = int(self.query.options[OFFSET])
            page = slice(offset, offset + MOST_INSTANCES)
        listed = self.price_days()[page]
        for seat, number in dict.fromkeys(listed) if hit else listed:
            day = self.series.day(self.zone, "prices", number, seat)
            main = stretches([day], *window, self.now)
            _spoil(hit, main, [0])
            found += lay_out(main, 0, self._like_price(seat), step_begins=True)
        return found

    def _like(self, place: int) -> TimeSeries:
        """Return a TimeSeries of load or generation without its Periods."""
        load = self.query.item.key == "load"
        side, psr = (("out", ""), *generation_curves(self.zone))[0 if load else place + 1]
        area = f"{side}BiddingZone_Domain.mRID"
        before = (
            f"<businessType>{'A04' if load else 'A01'}</businessType>",
            f"<objectAggregation>{'A01' if load else 'A08'}</objectAggregation>",
            f'{"" if load else "  "}<{area} codingScheme="A01">{self.zone.eic}</{area}>',
            "<quantity_Measure_Unit.name>MAW</quantity_Measure_Unit.name>",
        )
        after = () if load else ("<MktPSRType>", f"  <psrType>{psr}</psrType>", "</MktPSRType>")
        whole = (self.zone.key, side, psr) in WHOLE_CURVES
        curve_type = self.query.options.get(CURVE, "A01" if whole else "A03")
        return TimeSeries(before, curve_type, after, [])

    def _like_price(self, seat: int) -> TimeSeries:
        areas = [
            f'<{side}_Domain.mRID codingScheme="A01">{self.zone.eic}</{side}_Domain.mRID>'
            for side in ("in", "out")
        ]
        sequence = f"  <{SEQUENCE}>{seat}</{SEQUENCE}>"
        before = (
            "<auction.type>A01</auction.type>",
            "<businessType>A62</businessType>",
            *areas,
            "<contract_MarketAgreement.type>A01</contract_MarketAgreement.type>",
            f"<currency_Unit.name>{self.zone.currency}</currency_Unit.name>",
            "<price_Measure_Unit.name>MWH</price_Measure_Unit.name>",
            *((sequence,) if seat else ()),
        )
        return TimeSeries(before, "A03", (), [])


def _spoil(hit: Hit | None, main: list[Stretch], curves: list[int]) -> None:
    """Drop or revise a share of the slots that each stretch sends, at least one."""
    if hit is None:
        return
    for stretch in main:
        rows, columns = np.nonzero(stretch.sent[curves])
        if not len(rows):
            continue
        fraction = hit.fault.fraction or (0.1 if hit.fault.kind == "dropped" else 1.0)
        picked = hit.rng.sample(range(len(rows)), max(1, round(len(rows) * fraction)))
        chosen = np.array(curves)[rows[picked]], columns[picked]
        if hit.fault.kind == "dropped":
            stretch.sent[chosen] = False
        else:
            # A hundredth on top of one per cent: a night's zero changes as well.
            stretch.values[chosen] = np.round(stretch.values[chosen] * 1.01 + 0.01, 2)
