"""The service: a query becomes a document or a zip of them, a fault of rows becomes a spoilt one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from sandbox.calendar import FIRST_INSTANT, LAST_INSTANT, market_day_of, start_of_market_day
from sandbox.entsoe import archive, contracts, outages, truth
from sandbox.entsoe.civil import CIVIL
from sandbox.entsoe.curves import Curve
from sandbox.entsoe.days import Day
from sandbox.entsoe.document import Paper
from sandbox.entsoe.items import (
    AGREEMENT,
    AUCTIONS,
    BUSINESS,
    CONTRACTS,
    CURVE,
    MRID,
    OFFSET,
    OUTAGES,
    PROCESS,
    SEQUENCE,
    SLOTS,
    STATUS,
    UNIT,
)
from sandbox.entsoe.items import CIVIL as BY_PERIOD
from sandbox.entsoe.layout import Stretch, TimeSeries, again, lay_out, stretches
from sandbox.entsoe.market import price_curve
from sandbox.entsoe.queries import Query, read, updated
from sandbox.entsoe.series import ITEMS, Series, open_days, seats_of
from sandbox.entsoe.zones import CODES
from sandbox.faults import ZIP_KINDS, Hit
from sandbox.grid import Columns
from sandbox.manners import Refusal

# Documents say when they were made; in whole minutes, so that one can be remembered for a minute.
CREATED_STEP_S = 60
# The curves that are sent with every position.
WHOLE_CURVES = frozenset(
    {("DE_LU", "in", "B17"), ("FR", "in", "B14"), ("FR", "in", "B16"), ("ES", "in", "B12")}
)


class Platform:
    """Answers queries for the items of `items.ALL`."""

    tables: Collection[str] = truth.TABLES

    def __init__(self, seed: int) -> None:
        self.series = Series(seed)

    def plan(self, params: Mapping[str, str], now: int) -> Answer | Refusal:
        """Decide what a query is answered with; `now` in epoch seconds."""
        now = now // CREATED_STEP_S * CREATED_STEP_S
        query = read(params, now)
        if isinstance(query, Refusal):
            return query
        if query.scope is None or not query.parts:
            return query.no_data(now)
        answer = Answer(self.series, query, query.scope, now)
        count, most = answer.instances(), query.item.most
        if most and count > most and OFFSET not in query.options:
            return query.too_many_instances(count, now)
        found = count > (answer.offset or 0)
        return answer if found else query.no_data(now)

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
        """Return the truth as a table, see `Sandbox.truth`."""
        return truth.rows(self.series, table, first, last, now, every=every, scope=scope)


@dataclass(frozen=True)
class Answer:
    """A query that there are data for."""

    series: Series
    query: Query
    scope: str
    now: int

    @property
    def content_type(self) -> str:
        """The type of the answer."""
        return "application/zip" if self.query.item.zipped else "text/xml"

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The name of the document."""
        return (("Content-Disposition", f'inline; filename="{self.query.file_name}"'),)

    @property
    def key(self) -> tuple[Any, ...]:
        """What the document depends on."""
        query = self.query
        options = tuple(sorted(query.options.items()))
        return query.item.key, query.eics, query.first, query.last, options, self.now

    @property
    def offset(self) -> int | None:
        """How many instances are passed over, None where the query does not say."""
        text = self.query.options.get(OFFSET)
        return None if text is None else int(text)

    @cached_property
    def window(self) -> tuple[int, int]:
        """The half-open window of the document: for prices whole market days."""
        first, end = (
            min(max(bound, FIRST_INSTANT), LAST_INSTANT)
            for bound in (self.query.first, self.query.last)
        )
        if end <= first:
            return first, end
        if self.query.item.manner == BY_PERIOD:
            spans = CIVIL[self.query.parts[0]].spans(self.scope, first, end, self.now)
            return (spans[0].start, spans[-1].end) if spans else (first, end)
        if self.query.item.manner not in (AUCTIONS, CONTRACTS):
            return first, end
        last_day = market_day_of(end - 1)
        return start_of_market_day(market_day_of(first)), start_of_market_day(last_day + 1)

    def instances(self) -> int:
        """Return how many instances there are, of slots only whether there is any."""
        match self.query.item.manner:
            case manner if manner == AUCTIONS:
                return len(self._auctions())
            case manner if manner == CONTRACTS:
                return len(self._contracts())
            case manner if manner == OUTAGES:
                return len(self._outages())
            case manner if manner == SLOTS:
                return int(any(self._is_sent(part) for part in self.query.parts))
        return len(self._far(self.query.parts[0]))

    def encode(self) -> bytes:
        """Return the document, or the zip of documents."""
        return self._bound(self.papers(None))

    def papers(self, hit: Hit | None) -> list[Paper]:
        """Return the documents; the slots of one that a fault hits are spoilt."""
        match self.query.item.manner:
            case manner if manner == CONTRACTS:
                return self._contract_papers()
            case manner if manner == OUTAGES:
                return self._outage_papers()
            case manner if manner == AUCTIONS:
                return self._wrap(self._prices(hit), self.window)
        if self.query.item.daily:
            return [
                paper
                for bounds in self._market_days()
                for paper in self._wrap(self._slots(hit, bounds), bounds)
            ]
        if self.query.item.manner == SLOTS:
            return self._wrap(self._slots(hit, self.window), self.window)
        return self._wrap(self._far(self.query.parts[0]), self.window)

    def spoilt(self, hit: Hit) -> bytes | Refusal:
        """Return the answer after a fault of rows or of zips (see `Fault`)."""
        fault, rng = hit.fault, hit.rng
        if fault.kind == "empty":
            return self.query.no_data(self.now)
        hurt = hit if fault.kind in ("dropped", "revised") else None
        papers = self.papers(hurt)
        if fault.kind == "dropped" and self.query.item.manner in (OUTAGES, CONTRACTS, BY_PERIOD):
            papers = archive.fewer(papers, hit)
        if not any(paper.series for paper in papers):
            return self.query.no_data(self.now)
        series = [each for paper in papers for each in paper.series]
        if fault.kind == "duplicates":
            for paper in papers:
                count = max(1, round(len(paper.series) * (fault.fraction or 0.1)))
                picked = sorted(rng.sample(range(len(paper.series)), count))
                paper.series = [*paper.series, *(paper.series[at] for at in picked)]
        if fault.kind == "wrong-type":
            points = [(p, n) for s in series for p in s.periods for n in range(len(p.texts))]
            count = max(1, round(len(points) * (fault.fraction or 0.01)))
            for period, n in rng.sample(points, count):
                period.texts[n] = fault.value or "n/a"
        for paper in papers:
            if fault.kind == "revised":
                archive.revise(paper, slots=self.query.item.manner in (SLOTS, AUCTIONS))
            if fault.kind == "extra":
                paper.extra = (fault.field or "warningType", fault.value or "SANDBOX")
        bodies = [paper.encode() for paper in papers]
        if fault.kind == "renamed":
            bodies = [archive.renamed(body, hit, papers[0].form.value) for body in bodies]
        if not self.query.item.zipped:
            return bodies[0]
        names = self._names(papers)
        if fault.kind in ZIP_KINDS:
            return archive.bad_zip(hit, names, bodies)
        return archive.zipped(names, bodies)

    # --- slots ------------------------------------------------------------------

    def _days(self, part: str, window: tuple[int, int]) -> list[Day]:
        first, end = window
        return self.series.days(self.scope, part, first, end - 1, self.now)

    def _curves(self, curves: list[Curve]) -> list[int]:
        """Return the numbers of the curves asked for, in the order of the document."""
        asked = [
            (label, self.query.options[name])
            for name, label in self.query.item.labels
            if name in self.query.options
        ]
        return [
            number
            for number, curve in enumerate(curves)
            if all(dict(curve.labels).get(label) == value for label, value in asked)
        ]

    def _is_sent(self, part: str) -> bool:
        item, window = ITEMS[part], self.window
        places = [n * len(item.fields) for n in self._curves(item.curves(self.scope))]
        parts = (again(day, *window, self.now) for day in self._days(part, window))
        return any(each.sent[places].any() for each in parts)

    def _market_days(self) -> list[tuple[int, int]]:
        first, end = self.window
        starts = [
            start_of_market_day(n) for n in range(market_day_of(first), market_day_of(end) + 2)
        ]
        cut = [(max(start, first), min(until, end)) for start, until in pairwise(starts)]
        return [bounds for bounds in cut if bounds[0] < bounds[1]]

    def _slots(self, hit: Hit | None, window: tuple[int, int]) -> list[TimeSeries]:
        found = []
        for part in self.query.parts:
            item, days = ITEMS[part], self._days(part, window)
            curves, width = item.curves(self.scope), len(item.fields)
            wanted = self._curves(curves)
            main = stretches(days, *window, self.now)
            _spoil(hit, main, [n * width + at for n in wanted for at in range(width)], width)
            begins = part != "load"
            for number in wanted:
                like = self._like(curves[number])
                place = number * width
                found += lay_out(main, place, like, step_begins=begins, fields=item.fields)
            # What a fault changed is not told a second time as it was.
            for day in [] if hit else days:
                for number in sorted(set(day.twice) & set(wanted)):
                    like, repeated = self._like(curves[number]), [again(day, *window, self.now)]
                    found += lay_out(
                        repeated, number * width, like, step_begins=True, fields=item.fields
                    )
        return found

    def _like(self, curve: Curve) -> TimeSeries:
        """Return a TimeSeries without its Periods, under the code that was asked."""
        labels = dict(curve.labels)
        whole = (self.scope, labels.get("side"), labels.get("psr_type")) in WHOLE_CURVES
        curve_type = self.query.options.get(CURVE, "A01" if whole else "A03")
        before = curve.before
        if not self.query.item.border:
            before = tuple(
                line.replace(f">{CODES[self.scope]}<", f">{self.query.eics[0]}<") for line in before
            )
        return TimeSeries(before, curve_type, curve.after, [], curve.tail)

    def _far(self, part: str) -> list[TimeSeries]:
        item = CIVIL[part]
        spans = item.spans(self.scope, *self.window, self.now)
        wanted = self._curves(item.curves(self.scope))
        found = item.series(self.series.seed, self.scope, spans, wanted)
        own, asked = f">{CODES.get(self.scope, '')}<", f">{self.query.eics[0]}<"
        return [
            replace(each, before=tuple(line.replace(own, asked) for line in each.before))
            for each in found
        ]

    # --- auctions ----------------------------------------------------------------

    def _auctions(self) -> list[tuple[int, int]]:
        """Return (auction, market day) of every TimeSeries with prices, in their order."""
        (part,), scope = self.query.parts, self.scope
        wanted = int(self.query.options.get(SEQUENCE, "0"))
        first, end = self.window
        found = []
        for seat in seats_of(part, scope):
            if wanted in (0, seat or 1):
                days = [
                    day
                    for day in open_days(ITEMS[part], scope, first, end - 1, self.now)
                    if self.series.told_auction(scope, part, day, seat) <= self.now
                ]
                found += [(seat, day) for day in days]
                if part == "prices":
                    quirks = self.series.quirks
                    found += [(seat, d) for d in days if quirks.twice((scope, "prices", d), 1)]
        return found

    def _page(self) -> slice:
        start = self.offset or 0
        return slice(start, start + self.query.item.most)

    def _prices(self, hit: Hit | None) -> list[TimeSeries]:
        (part,), found = self.query.parts, []
        listed = self._auctions()[self._page()]
        for seat, number in dict.fromkeys(listed) if hit else listed:
            day = self.series.day(self.scope, part, number, seat)
            main = stretches([day], *self.window, self.now)
            _spoil(hit, main, [0], 1)
            like = self._like(price_curve(self.scope, seat, "A01" if part == "prices" else "A07"))
            found += lay_out(main, 0, like, step_begins=True)
        return found

    # --- documents about contracts and outages --------------------------------------

    def _contracts(self) -> list[contracts.Contract]:
        if self.query.options.get(AGREEMENT, contracts.DAILY) != contracts.DAILY:
            return []
        key, (first, end) = self.query.item.key, self.window
        if key == "procured_capacity":
            first, end = self.query.first, self.query.last
        return [
            each
            for process in self.query.parts
            if process in contracts.PROCESSES
            for each in contracts.contracts(
                key, self.series.seed, self.scope, process, first, end, self.now
            )
            if self.query.options.get("psrType", each.psr) == each.psr
        ]

    def _contract_papers(self) -> list[Paper]:
        listed = self._contracts()[self._page()]
        found = []
        for process in dict.fromkeys(each.process for each in listed):
            mine = [each for each in listed if each.process == process]
            series = [contracts.series(self.scope, each) for each in mine]
            span = min(each.start for each in mine), max(each.end for each in mine)
            paper = self._paper(series, span)
            paper.process, paper.decided = process, contracts.told(mine[0])
            found.append(paper)
        return found

    def _outages(self) -> list[outages.Outage]:
        options = self.query.options
        first, end = self.window
        asked = (self.series.seed, self.query.item.key, self.scope, first, end, self.now)
        if MRID in options:
            every = [one for each in outages.revisions(*asked) for one in each]
            found = [one for one in every if one.mrid == options[MRID]]
        else:
            withdrawn = options.get(STATUS) == outages.WITHDRAWN
            found = outages.current(*asked, withdrawn=withdrawn)
            if STATUS in options:
                found = [one for one in found if one.status == options[STATUS]]
        bounds = updated(options)
        return [
            one
            for one in found
            if options.get(BUSINESS, one.business) == one.business
            if options.get(UNIT, one.unit.eic) == one.unit.eic
            if bounds is None or bounds[0] <= one.created < bounds[1]
        ]

    def _outage_papers(self) -> list[Paper]:
        return [
            archive.outage_paper(self.query, outage, self._paper([], (outage.start, outage.end)))
            for outage in self._outages()[self._page()]
        ]

    # --- papers ---------------------------------------------------------------------

    def _wrap(self, series: list[TimeSeries], window: tuple[int, int]) -> list[Paper]:
        return [self._paper(series, window)] if series else []

    def _paper(self, series: list[TimeSeries], window: tuple[int, int]) -> Paper:
        query, item = self.query, self.query.item
        mrid = hashlib.blake2b(repr((self.key, window)).encode(), digest_size=16).hexdigest()
        areas: tuple[str, ...] = ()
        if item.head_area:
            name = f"{item.head_area}.mRID"
            areas = (f'<{name} codingScheme="A01">{query.eics[0]}</{name}>',)
        process = item.process or (query.options.get(item.by) if item.by == PROCESS else None)
        return Paper(
            item.form,
            item.document,
            mrid,
            self.now,
            *window,
            series,
            process=process,
            areas=areas,
            status=item.status,
        )

    def _names(self, papers: list[Paper]) -> list[str]:
        return [
            archive.member_name(number, self.query.item.name, paper)
            for number, paper in enumerate(papers, start=1)
        ]

    def _bound(self, papers: list[Paper]) -> bytes:
        bodies = [paper.encode() for paper in papers]
        return archive.zipped(self._names(papers), bodies) if self.query.item.zipped else bodies[0]


def _spoil(hit: Hit | None, main: list[Stretch], places: list[int], width: int) -> None:
    """Drop or revise a share of the slots that each stretch sends, at least one."""
    if hit is None:
        return
    for stretch in main:
        rows, columns = np.nonzero(stretch.sent[places[::width]])
        if not len(rows):
            continue
        fraction = hit.fault.fraction or (0.1 if hit.fault.kind == "dropped" else 1.0)
        picked = hit.rng.sample(range(len(rows)), max(1, round(len(rows) * fraction)))
        chosen = np.array(places[::width])[rows[picked]], columns[picked]
        if hit.fault.kind == "dropped":
            stretch.sent[chosen] = False
        else:
            # A hundredth on top of one per cent: a night's zero changes as well.
            stretch.values[chosen] = np.round(stretch.values[chosen] * 1.01 + 0.01, 2)
