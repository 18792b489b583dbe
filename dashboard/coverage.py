"""What the ledger proves, for pages: days by dataset and scope, and a calendar that can be read aloud."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape

import streamlit as st

from dashboard.frame import View, age, content_of
from domain.ledger import State
from domain.settlement import ONE_DAY, day_window
from fetch_data import find_datasets
from holes import CELLS, Day, days_of_each
from pictures.words import percent
from sources import BY_KEY
from sources.dataset import Dataset

# Of the states that the scopes of a dataset are in, the one that deserves a look comes first.
_WORST_FIRST = (
    State.FAILED,
    State.DUE,
    State.EMPTY,
    State.PARTIAL,
    State.CONFIRMED_EMPTY,
    State.CONFIRMED_PARTIAL,
    State.NOT_DUE,
    State.COMPLETE,
    State.NOT_PUBLISHED,
)
_RANK = {state: rank for rank, state in enumerate(_WORST_FIRST)}
_NOTHING_DUE = (State.NOT_DUE, State.NOT_PUBLISHED)


@dataclass(frozen=True)
class Followed:
    """A dataset that the settings ask for, with the days of each of its scopes."""

    key: str
    scopes: Mapping[str, Sequence[Day]]

    @property
    def days(self) -> Iterable[Day]:
        """The days of all scopes."""
        return (day for days in self.scopes.values() for day in days)

    @property
    def newest(self) -> date | None:
        """The newest day with rows."""
        return max((day.day for day in self.days if day.rows), default=None)

    def worst(self) -> dict[date, Day]:
        """Of each day the scope that deserves a look first."""
        found: dict[date, Day] = {}
        for day in self.days:
            if day.day not in found or _RANK[day.state] < _RANK[found[day.day].state]:
                found[day.day] = day
        return found


def asked_for(view: View) -> list[Dataset]:
    """The datasets that DATASETS names and whose settings are there."""
    named = find_datasets(view.settings["DATASETS"])
    return [dataset for dataset in named if not dataset.lacking(view.settings)]


def followed(
    view: View, datasets: Sequence[Dataset], first: date | None, last: date
) -> list[Followed]:
    """Datasets with their days; without ``first`` from the first day that the ledger knows."""

    scopes = [(dataset.key, dataset.scopes(view.settings)) for dataset in datasets]

    def look() -> list[Followed]:
        return [
            Followed(
                dataset.key,
                days_of_each(
                    dataset, dataset.scopes(view.settings), view.store, first, last, view.now
                ),
            )
            for dataset in datasets
        ]

    # What is not due yet may be due an hour later, though nothing in the store differs.
    hour = f"{view.now:%Y-%m-%dT%H}"
    return _kept(look, content_of(view.store), scopes, str(first), str(last), hour)


@st.cache_resource(max_entries=10, show_spinner="Reading the ledger …")
def _kept(
    _look: Callable[[], list[Followed]],
    content: str,
    scopes: list[tuple[str, tuple[str, ...]]],
    *about: str,
) -> list[Followed]:
    """As ``frame.kept``, without a copy for each look at tens of thousands of days, which nobody changes."""
    return _look()


def newest_row(view: View, one: Followed) -> datetime | None:
    """The time of the newest row of the newest day that has rows."""
    table = BY_KEY[one.key].table
    day = one.newest or view.store.newest_day_with_rows(one.key)
    return view.store.newest(table, day_window(day)) if table.time and day else None


def coverage(days: Iterable[Day]) -> float | None:
    """The mean coverage of the days that are due; None where none is."""
    due = [day.coverage for day in days if day.state not in _NOTHING_DUE]
    return sum(due) / len(due) if due else None


def _share(days: Iterable[Day]) -> str:
    share = coverage(days)
    return "" if share is None else percent(share)


# --- a table for people ---------------------------------------------------------------------------

# Letters tell the states apart; ink and ground of a cell keep a contrast of 4.5 in either theme.
_STYLE = """<style>
.gl-scroll { overflow-x: auto; max-width: 100%; direction: rtl; } /* scrolled to the newest day */
.gl-scroll:focus-visible { outline: 2px solid #2a78c8; }
.gl-days { direction: ltr; border-collapse: separate; border-spacing: 2px;
  font-size: 0.8rem; }
.gl-days th { font-weight: 400; text-align: left; padding: 0 0.4rem 0 0; white-space: nowrap; }
.gl-days th.d { text-align: center; padding: 0; font-variant-numeric: tabular-nums; }
.gl-days th.k { position: sticky; left: 0; background: light-dark(#fff, #171614); }
.gl-days td { text-align: center; padding: 0 0.3rem; white-space: nowrap; }
.gl-days td.c { min-width: 1.25rem; padding: 0; border-radius: 3px; font-weight: 600; }
.gl-days td.r { text-align: right; font-variant-numeric: tabular-nums; }
.gl-green { background: #1b6e3c; color: #fff; } .gl-cyan { background: #0f6a80; color: #fff; }
.gl-yellow { background: #f2c14e; color: #1b1b1b; } .gl-red { background: #b3261e; color: #fff; }
</style>"""


@dataclass(frozen=True)
class Line:
    """A line of the calendar: its name, what stands behind its days, and the days."""

    name: str
    facts: tuple[str, ...]
    days: Mapping[date, Day]


def calendar(
    caption: str, facts: Sequence[str], lines: Iterable[Line], first: date, last: date
) -> str:
    """A table in HTML: a line a dataset or scope, a letter a day (see ``holes.LEGEND``)."""
    shown = [first + n * ONE_DAY for n in range((last - first).days + 1)]
    head = "".join(
        f'<th scope="col" class="d" title="{day}">{day:%d}</th>'
        if day.day > 1 and day != first
        else f'<th scope="col" class="d" title="{day}">{day:%d<br>%b}</th>'
        for day in shown
    )
    head += "".join(f'<th scope="col">{escape(fact)}</th>' for fact in facts)
    body = "".join(
        f'<tr><th scope="row" class="k">{escape(line.name)}</th>'
        + "".join(_cell(line.days.get(day)) for day in shown)
        + "".join(f'<td class="r">{escape(fact)}</td>' for fact in line.facts)
        + "</tr>"
        for line in lines
    )
    return (
        f'{_STYLE}<div class="gl-scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f'<table class="gl-days"><thead><tr><th scope="col" class="k">dataset</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(day: Day | None) -> str:
    if day is None:
        return '<td class="c"></td>'
    letter, colour = CELLS[day.state]
    told = f"{day.scope} {day.day}: {words(day)}".strip()
    return f'<td class="c gl-{colour}" title="{escape(told)}">{letter}</td>'


def words(day: Day) -> str:
    """What is known of a day, for people."""
    state = str(day.state).replace("_", " ")
    counted = f"{day.rows} of {day.expected} rows" if day.expected else ""
    return ", ".join(filter(None, [state, day.why, counted, day.note]))


def line_of(view: View, one: Followed) -> Line:
    """The line of a dataset, all its scopes together."""
    several = f" ({len(one.scopes)})" if len(one.scopes) > 1 else ""
    newest = newest_row(view, one)
    # A forecast may be stored, too: what lies ahead has no age.
    fresh = "never" if newest is None else age(min(newest, view.now), view.now)
    return Line(one.key + several, (_share(one.days), fresh), one.worst())


def lines_of_scopes(one: Followed) -> list[Line]:
    """A line a scope."""
    return [
        Line(scope or one.key, (_share(days),), {day.day: day for day in days})
        for scope, days in one.scopes.items()
    ]
