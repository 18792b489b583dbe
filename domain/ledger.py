"""The ledger: what is known of one dataset, or one product, for one settlement day.

States of a day::

    not_due -> due -> complete | partial | empty | failed
                      partial, empty --(the same answer, spaced)--> confirmed_partial, confirmed_empty
    not_published

``not_due``: the day or its publication lag is not over, whatever has come so far. ``due``: the day
has not been asked for as a whole (the absence of an entry means the same). ``partial`` and ``empty``
are asked again ever more rarely; when the provider has given the same answer often enough it is
believed, and the day stays listed with its coverage but is no longer a reason for a failing exit
code. Where nothing at all has come for ``SILENT_DAYS``, of which ``SILENT_AFTER`` are confirmed, the next
empty answer is believed at once. ``complete`` days are asked again when the dataset's revision schedule says so. Of a day that is
``not_published`` the provider has nothing by its own account (``Publication``): it is never asked, is
no hole, and needs no entry.

Counts come from the table, never from one answer, so that answers in pieces add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Protocol

from domain.settlement import day_window
from domain.windows import Window


class State(StrEnum):
    """What is known of a day; see the module's head."""

    NOT_DUE = "not_due"
    DUE = "due"
    COMPLETE = "complete"
    PARTIAL = "partial"
    EMPTY = "empty"
    CONFIRMED_PARTIAL = "confirmed_partial"
    CONFIRMED_EMPTY = "confirmed_empty"
    FAILED = "failed"
    NOT_PUBLISHED = "not_published"

    @property
    def proven(self) -> bool:
        """Nothing more is expected of the day, apart from revisions."""
        return self in _PROVEN

    @property
    def hole(self) -> bool:
        """Data that was due is not there; a reason for exit code 3."""
        return self in (State.DUE, State.PARTIAL, State.EMPTY, State.FAILED)


_PROVEN = frozenset({State.COMPLETE, State.CONFIRMED_PARTIAL, State.CONFIRMED_EMPTY})
_CONFIRMED = {
    State.PARTIAL: State.CONFIRMED_PARTIAL,
    State.EMPTY: State.CONFIRMED_EMPTY,
}


@dataclass(frozen=True)
class Publication:
    """The days of which a provider has data of one scope: ``since`` until the day before ``until``.

    ``why`` is for people: what ended then.

    >>> date(2021, 6, 15) in Publication(until=date(2021, 6, 15))
    False
    """

    since: date = date.min
    until: date = date.max
    why: str = ""

    def __contains__(self, day: date) -> bool:
        return self.since <= day < self.until


# How long after an answer the same question is worth asking again, by the number of equal answers
# so far. A few minutes less than whole days, because cron does not start to the second.
RETRY_AFTER = (
    timedelta(hours=1),
    timedelta(hours=20),
    timedelta(hours=44),
    timedelta(hours=92),
)


# A scope of which nothing came for so many days, so many of them confirmed, is believed to be silent.
SILENT_DAYS, SILENT_AFTER = 30, 7


@dataclass(frozen=True)
class Entry:
    """One line of the ledger.

    ``key`` is a dataset or product; ``scope`` a zone or asset, empty where there is only one.
    ``day`` is the settlement day and ``window`` its UTC span. ``rows`` of ``expected`` are in the
    table; ``coverage`` is 0 to 1. ``version`` grows whenever rows of the day change. ``asked_at`` is the
    last time it was asked (computed, for a product); ``answers`` counts equal spaced answers, the last of
    them at ``counted_at``. For products ``inputs`` is the fingerprint of what it was computed from and
    ``published`` the one its files were written from. ``note`` is for people: what went wrong or looks odd.
    """

    key: str
    scope: str
    day: date
    window: Window
    state: State
    rows: int
    expected: int
    coverage: float
    version: int
    asked_at: datetime
    counted_at: datetime
    answers: int = 0
    inputs: str = ""
    published: str = ""
    note: str = ""


@dataclass(frozen=True)
class Tally:
    """What one series of a table holds of a day: rows, and the seconds they cover where they say."""

    rows: int
    seconds: float = 0.0


class Completeness(Protocol):
    """What a dataset declares about when a day is complete.

    ``series`` names the column that tells the series of one table apart, ``value`` the one without
    which a row is no news; each is empty where there is none.
    """

    @property
    def series(self) -> str: ...

    @property
    def value(self) -> str: ...

    @property
    def sure_early(self) -> bool:
        """Whether full coverage proves a day before its lag is over."""
        ...

    @property
    def counts(self) -> bool:
        """Whether rows alone prove a day, however they came; else only an answer for all of it does."""
        ...

    def expected(self, window: Window, tallies: Mapping[str, Tally]) -> int:
        """Rows that make the window complete, given the series that were seen in it."""
        ...

    def coverage(self, window: Window, tallies: Mapping[str, Tally]) -> float:
        """How much of the window is there, 0 to 1; 1 means complete."""
        ...


@dataclass(frozen=True)
class Grid:
    """An exact number of rows: one a ``cadence`` in each series that was seen that day.

    >>> Grid(timedelta(seconds=15)).expected(day_window(date(2024, 3, 31)), {})
    5520
    >>> types = {"Solar": Tally(50), "Wind Onshore": Tally(40), "Wind Offshore": Tally(50)}
    >>> Grid(timedelta(minutes=30), "psr_type").expected(day_window(date(2024, 10, 27)), types)
    150
    """

    counts: ClassVar[bool] = True
    cadence: timedelta
    series: str = ""
    value: str = ""

    @property
    def sure_early(self) -> bool:
        return not self.series  # else a series may still come that nobody has seen yet

    def expected(self, window: Window, tallies: Mapping[str, Tally]) -> int:
        return window.length // self.cadence * max(len(tallies), 1)

    def coverage(self, window: Window, tallies: Mapping[str, Tally]) -> float:
        # One series may hold more rows than the grid has moments; that fills no other's holes.
        most = window.length // self.cadence
        held = sum(min(tally.rows, most) for tally in tallies.values())
        return held / self.expected(window, tallies)


@dataclass(frozen=True)
class Span:
    """The day's time is covered by rows of whatever length the source uses that day.

    ``shorter`` are series that are not of the whole day, with how much of it they are of.

    >>> hourly = {"": Tally(rows=25, seconds=25 * 3600.0)}
    >>> Span().coverage(day_window(date(2024, 10, 27)), hourly)
    1.0
    """

    counts: ClassVar[bool] = True
    series: str = ""
    value: str = ""
    sure_early: bool = False
    shorter: tuple[tuple[str, timedelta], ...] = ()

    def expected(self, window: Window, tallies: Mapping[str, Tally]) -> int:
        """As many rows as the lengths seen would need; 0 where none was seen."""
        return sum(
            round(self._whole(window, name) * t.rows / t.seconds)
            for name, t in tallies.items()
            if t.seconds
        )

    def coverage(self, window: Window, tallies: Mapping[str, Tally]) -> float:
        whole = {name: self._whole(window, name) for name in tallies}
        held = sum(min(tally.seconds, whole[name]) for name, tally in tallies.items())
        return held / (sum(whole.values()) or window.length.total_seconds())

    def _whole(self, window: Window, series: str) -> float:
        """The seconds of a day that a series is of."""
        return dict(self.shorter).get(series, window.length).total_seconds()


@dataclass(frozen=True)
class Events:
    """Any number of rows, also none: complete at the first answer after the publication lag."""

    counts: ClassVar[bool] = False
    series: str = ""
    value: str = ""
    sure_early: bool = False

    def expected(self, window: Window, tallies: Mapping[str, Tally]) -> int:
        return sum(tally.rows for tally in tallies.values())

    def coverage(self, window: Window, tallies: Mapping[str, Tally]) -> float:
        return 1.0


@dataclass(frozen=True)
class Rows:
    """At least so many rows a settlement day, however long it is, in each series seen."""

    counts: ClassVar[bool] = False
    least: int = 1
    series: str = ""
    value: str = ""
    sure_early: bool = False

    def expected(self, window: Window, tallies: Mapping[str, Tally]) -> int:
        least = self.least * max(len(tallies), 1)
        return max(least, sum(tally.rows for tally in tallies.values()))

    def coverage(self, window: Window, tallies: Mapping[str, Tally]) -> float:
        held = sum(min(tally.rows, self.least) for tally in tallies.values())
        return held / (self.least * max(len(tallies), 1))


def answered(
    key: str,
    scope: str,
    day: date,
    completeness: Completeness,
    lag: timedelta,
    tallies: Mapping[str, Tally],
    changed: int,
    previous: Entry | None,
    now: datetime,
    *,
    whole: bool = True,
    silent: bool = False,
    note: str = "",
) -> Entry:
    """The entry of a day after the provider answered for it at ``now``.

    ``tallies`` are what the table holds of the day now, ``changed`` how many rows the answer changed.
    ``whole`` is False where only part of the day was asked: silence proves nothing then, and rows only
    where they can be counted against the day. ``silent`` is set where nothing was published for weeks, so
    that one empty answer more is believed.
    """
    window = day_window(day)
    coverage = completeness.coverage(window, tallies)
    overdue = now >= window.end + lag
    sure = overdue or completeness.sure_early
    state = _state(coverage, overdue=overdue) if sure else State.NOT_DUE
    answers, counted_at = 1, now
    uncounted = state is State.COMPLETE and not completeness.counts
    if not whole and (_unproven(state) or uncounted):
        stands = previous and (not changed or (uncounted and previous.state.proven))
        if previous and previous.answers and stands:
            state, answers, counted_at = previous.state, previous.answers, previous.counted_at
        else:
            state, answers = State.DUE, 0
    elif previous and not changed and previous.answers and _unproven(state):
        spaced = now - previous.counted_at >= RETRY_AFTER[min(previous.answers, 4) - 1]
        answers = previous.answers + spaced
        counted_at = now if spaced else previous.counted_at
        if answers > len(RETRY_AFTER):
            state = _CONFIRMED[state]
    if silent and whole and state is State.EMPTY:
        state = State.CONFIRMED_EMPTY
    if state is State.NOT_DUE:
        answers = 0
    return Entry(
        key=key,
        scope=scope,
        day=day,
        window=window,
        state=state,
        rows=sum(tally.rows for tally in tallies.values()),
        expected=completeness.expected(window, tallies),
        coverage=coverage,
        version=(previous.version if previous else 0) + (changed > 0),
        asked_at=now,
        counted_at=counted_at,
        answers=answers,
        note=note,
    )


def _state(coverage: float, *, overdue: bool) -> State:
    if coverage >= 1:
        return State.COMPLETE
    if not overdue:
        return State.NOT_DUE
    return State.PARTIAL if coverage else State.EMPTY


def _unproven(state: State) -> bool:
    return state in _CONFIRMED


def failed(
    key: str, scope: str, day: date, previous: Entry | None, now: datetime, note: str
) -> Entry:
    """The entry of a day whose window failed: what was known stays known, and it is asked again."""
    if previous:
        state = previous.state if previous.state.proven else State.FAILED
        return replace(previous, state=state, note=note)
    return Entry(
        key=key,
        scope=scope,
        day=day,
        window=day_window(day),
        state=State.FAILED,
        rows=0,
        expected=0,
        coverage=0.0,
        version=0,
        asked_at=now,
        counted_at=now,
        note=note,
    )


def is_due(
    entry: Entry | None,
    day: date,
    lag: timedelta,
    revisions: Iterable[timedelta],
    now: datetime,
    *,
    by_name: bool,
) -> bool:
    """Whether a dataset's day should be asked now.

    ``by_name``: a person named the day, so a hole is asked again at once and an open day too,
    where the unattended job keeps to its schedule. ``revisions`` are spans after the day's end at
    which values may have been restated.
    """
    window = day_window(day)
    if now <= window.start:
        return False
    if entry is None or entry.state in (State.FAILED, State.DUE):
        return True
    if any(entry.asked_at < window.end + after <= now for after in revisions):
        return True
    if entry.state.proven:
        return False
    if by_name:
        return True
    if entry.state is State.NOT_DUE:
        return now >= window.end + lag
    return now - entry.counted_at >= RETRY_AFTER[min(max(entry.answers, 1), 4) - 1]
