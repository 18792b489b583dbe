"""What the ledger proves: a calendar of days to look at, and the holes with their reasons.

It reads the ledger alone and neither tables nor providers, so that ten years take no time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any, NamedTuple

from domain.ledger import State
from domain.settlement import ONE_DAY, day_window, settlement_date
from sources.dataset import Dataset
from stores.sql import SqlStore

NEVER, EARLY, IN_PIECES = "never asked", "asked too early", "asked only for part of the day"
_REASONS = {
    State.EMPTY: "answered without rows",
    State.CONFIRMED_EMPTY: "answered without rows again and again",
    State.PARTIAL: "answered in part",
    State.CONFIRMED_PARTIAL: "answered in part again and again",
    State.FAILED: "failed",
}
_HOLES = frozenset(state for state in State if state.hole)
_HOLES_STRICTLY = _HOLES | {State.CONFIRMED_PARTIAL, State.CONFIRMED_EMPTY}
_STATES = {state.value: state for state in State}
# A cell a day: letter and colour.
CELLS = {
    State.COMPLETE: ("C", "green"),
    State.CONFIRMED_PARTIAL: ("p", "cyan"),
    State.CONFIRMED_EMPTY: ("e", "cyan"),
    State.PARTIAL: ("P", "yellow"),
    State.EMPTY: ("E", "yellow"),
    State.FAILED: ("F", "red"),
    State.DUE: ("D", "red"),
    State.NOT_DUE: (".", "dim"),
    State.NOT_PUBLISHED: ("-", "dim"),
}
RULER = f"{'':19}1   5    10   15   20   25   30"
LEGEND = (
    "C complete  P partial  E empty  F failed  D due (never asked, or too early)  "
    "p, e confirmed partial, empty  . not due yet  - not published"
)


class Day(NamedTuple):
    """One dataset and scope on one settlement day; ``why`` says why it is not complete."""

    key: str
    scope: str
    day: date
    state: State
    why: str = ""
    rows: int = 0
    expected: int = 0
    coverage: float = 0.0
    asked_at: str = ""
    note: str = ""

    def hole(self, *, strict: bool) -> bool:
        """Whether data that was due is not there; ``strict`` counts what was given up too."""
        return self.state in (_HOLES_STRICTLY if strict else _HOLES)


def days_of(
    dataset: Dataset,
    scope: str,
    store: SqlStore,
    first: date | None,
    last: date | None,
    now: datetime,
) -> Iterator[Day]:
    """Every day from ``first`` to ``last``; without them from the first known day to yesterday."""
    return iter(days_of_each(dataset, (scope,), store, first, last, now)[scope])


def days_of_each(
    dataset: Dataset,
    scopes: Iterable[str],
    store: SqlStore,
    first: date | None,
    last: date | None,
    now: datetime,
) -> dict[str, list[Day]]:
    """``days_of`` for several scopes of a dataset, with one look into the ledger."""
    known: dict[str, dict[str, Any]] = {scope: {} for scope in scopes}
    for row in store.day_states(dataset.key, first, list(known)):
        known[row[0]][row[1]] = row
    return {
        scope: list(_days(dataset, scope, rows, first, last, now)) for scope, rows in known.items()
    }


def _days(
    dataset: Dataset,
    scope: str,
    known: Mapping[str, Any],
    first: date | None,
    last: date | None,
    now: datetime,
) -> Iterator[Day]:
    yesterday = settlement_date(now) - ONE_DAY
    earliest = date.fromisoformat(min(known)) if known else yesterday
    published = dataset.published(scope)
    day = max(first or earliest, published.since)
    while day <= (last or yesterday):
        row = known.get(day.isoformat())
        if day >= published.until and not (row and row[3]):
            yield Day(dataset.key, scope, day, State.NOT_PUBLISHED, published.why)
        elif row or dataset.table.time:  # a list as it stands has no past
            yield _day(dataset, scope, day, row, now)
        day += ONE_DAY


def _day(dataset: Dataset, scope: str, day: date, row: Any, now: datetime) -> Day:
    def overdue() -> bool:
        return now >= day_window(day).end + dataset.lag

    if row is None:
        state, why = (State.DUE, NEVER) if overdue() else (State.NOT_DUE, "")
        return Day(dataset.key, scope, day, state, why)
    _, _, text, rows, expected, coverage, asked_at, answers, note = row
    state = _STATES[text]
    why = _REASONS.get(state, "")
    if state is State.NOT_DUE and overdue():
        state, why = State.DUE, EARLY
    elif state is State.DUE:
        why = IN_PIECES
    elif answers > 1 and why:
        why += f" ({answers} times)"
    return Day(dataset.key, scope, day, state, why, rows, expected, coverage, asked_at, note)


@dataclass(frozen=True)
class Stretch:
    """Consecutive days of one dataset and scope with the same trouble."""

    key: str
    scope: str
    first: date
    last: date
    state: State
    why: str
    rows: int
    expected: int
    note: str

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


def stretches(days: Iterable[Day], *, strict: bool = False) -> list[Stretch]:
    """The holes among the days, neighbours joined."""
    found: list[Stretch] = []
    for day in days:
        if not day.hole(strict=strict):
            continue
        one = Stretch(
            day.key,
            day.scope,
            day.day,
            day.day,
            day.state,
            day.why,
            day.rows,
            day.expected,
            day.note,
        )
        if found and _continues(found[-1], one):
            last = found.pop()
            one = Stretch(
                one.key, one.scope, last.first, one.last, one.state, one.why,
                last.rows + one.rows, last.expected + one.expected, one.note,
            )  # fmt: skip
        found.append(one)
    return found


def _continues(before: Stretch, after: Stretch) -> bool:
    same = ("key", "scope", "state", "why", "note")
    return before.last + ONE_DAY == after.first and all(
        getattr(before, name) == getattr(after, name) for name in same
    )


def not_published(days: Mapping[str, Iterable[Day]]) -> dict[str, list[str]]:
    """Why there is nothing to ask for, and the datasets and scopes of whose days that is so."""
    found: dict[str, list[str]] = {}
    for name, listed in days.items():
        for why in dict.fromkeys(d.why for d in listed if d.state is State.NOT_PUBLISHED):
            found.setdefault(why, []).append(name)
    return found


def calendar(days: Iterable[Day]) -> Iterator[tuple[str, list[State | None]]]:
    """Lines of a calendar: a label, and the cells of the days that it shows.

    A line a month, a cell a day (None before the first day); years without a blemish take one line.
    """
    for year, of_year in groupby(days, lambda day: day.day.year):
        listed = list(of_year)
        if len(listed) > 31 and all(day.state is State.COMPLETE for day in listed):
            yield f"{year}  {len(listed)} days, all complete", []
            continue
        for month, of_month in groupby(listed, lambda day: day.day.month):
            cells = list(of_month)
            blank: list[State | None] = [None] * (cells[0].day.day - 1)
            covered = sum(cell.coverage for cell in cells) / len(cells)
            yield f"{year}-{month:02}  {covered:6.1%}", [*blank, *(cell.state for cell in cells)]


def as_csv(days: Iterable[Day]) -> str:
    """A line a day."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.DictWriter(text, Day._fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(day._asdict() for day in days)
    return text.getvalue()


def as_json(days: Mapping[str, list[Day]], *, strict: bool) -> str:
    """Days and holes by dataset and scope."""
    return json.dumps(
        {
            name: {
                "days": [day._asdict() for day in listed],
                "holes": [asdict(hole) for hole in stretches(listed, strict=strict)],
            }
            for name, listed in days.items()
        },
        default=str,
        indent=1,
    )
