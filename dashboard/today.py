"""The page Today: the newest figures with their age, what is stored of the last weeks, what needs a hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from typing import Any

import streamlit as st

from dashboard import work
from dashboard.coverage import (
    Followed,
    asked_for,
    calendar,
    followed,
    line_of,
    lines_of_scopes,
)
from dashboard.frame import View, age, empty, plain
from dashboard.tasks import listing
from domain.drift import tells_of_drift
from domain.settlement import ONE_DAY
from fetch_data import find_datasets
from holes import LEGEND, NEVER, Day, Stretch, stretches
from job import EXIT_CODES
from sources.dataset import FileReading
from utils import last_runs

TITLE = "Today"
ABOUT = "What is there, how fresh it is, and what needs attention."

WEEKS = 4
# Of a value that is not published yet the row may be there before: so many rows back it is looked for.
_ROWS_BACK = 96
_LISTED = 8


@dataclass(frozen=True)
class Figure:
    """A key figure: the newest value of a column among some rows of a dataset."""

    label: str
    key: str
    column: str
    where: tuple[tuple[str, str], ...] = ()
    decimals: int = 0


FIGURES = (
    Figure("Frequency", "frequency", "frequency_hz", decimals=3),
    Figure("Wind offshore", "wind_solar", "generation_mw", (("psr_type", "Wind Offshore"),)),
    Figure("Wind onshore", "wind_solar", "generation_mw", (("psr_type", "Wind Onshore"),)),
    Figure("Solar", "wind_solar", "generation_mw", (("psr_type", "Solar"),)),
    Figure("Demand", "demand_outturn", "national_demand_mw"),
    Figure(
        "Market price",
        "market_index",
        "price_gbp_per_mwh",
        (("data_provider", "APXMIDP"),),
        decimals=2,
    ),
    Figure("System price", "system_prices", "system_sell_price_gbp_per_mwh", decimals=2),
    Figure("Carbon intensity", "carbon_intensity", "actual_gco2_per_kwh"),
)


def show(view: View) -> None:
    """Draw the page."""
    _refresh(view)
    if not view.store.origin:
        empty("data", "run")
        st.markdown("To look around without a network:")
        st.code("python3 run.py dashboard --demo", language=None, wrap_lines=True)
        return
    _key_figures(view)
    last = view.today
    first = last - (7 * WEEKS - 1) * ONE_DAY
    looked_at = followed(view, asked_for(view), first, last)
    _attention(view, looked_at)
    _calendar(view, looked_at, first, last)


def _refresh(view: View) -> None:
    if not work.may_start():
        st.info(work.LOOK_ONLY, icon=":material/visibility:")
        return
    asked = st.button(
        "Refresh today",
        key="refresh",
        icon=":material/refresh:",
        type="primary",
        help="Fetches the day that it is, as far as it is published, for all that DATASETS names.",
    )
    if asked:
        words = view.settings["DATASETS"]
        work.start(view.settings, "fetch", words, view.today, view.today)
    work.under_way(view.settings)
    work.last_ended(view.settings)


# --- key figures ----------------------------------------------------------------------------------


_CARDS = """<style>
.gl-figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr));
  gap: 0.75rem; margin: 0 !important;
  padding: 0 !important; }
.gl-figures div { border: 1px solid light-dark(#d5d3ce, #45433f); border-radius: 0.5rem;
  padding: 0.6rem 0.8rem; }
.gl-figures dt { font-size: 0.875rem; } .gl-figures dd { margin: 0; }
.gl-figures .v { font-size: 1.75rem; font-variant-numeric: tabular-nums; }
.gl-figures .v small { font-size: 0.875rem; } .gl-figures .t { font-size: 0.8rem; }
</style>"""


def _key_figures(view: View) -> None:
    cards = []
    for figure in FIGURES:
        found = newest(view, figure)
        if found:
            value, unit, then = found
            cards.append(
                f"<div><dt>{escape(figure.label)}</dt>"
                f'<dd class="v">{value:,.{figure.decimals}f} <small>{escape(unit)}</small></dd>'
                f'<dd class="t">{age(then, view.now)}<br>{then:%Y-%m-%d %H:%M} UTC</dd></div>'
            )
    if cards:
        st.header("Newest figures")
        st.html(f'{_CARDS}<dl class="gl-figures">{"".join(cards)}</dl>')


def newest(view: View, figure: Figure) -> tuple[float, str, datetime] | None:
    """The newest value of a figure, its unit and its time; None where none is stored."""
    table = view.store.tables[figure.key]
    rows = view.store.page(
        table,
        where=dict(figure.where),
        order=(f"-{table.time}",),
        limit=_ROWS_BACK,
        columns=(table.time, figure.column),
    ).dropna()
    if rows.empty:
        return None
    row: Any = rows.iloc[0]
    return float(row[figure.column]), table.column(figure.column).unit, row[table.time]


# --- what needs attention -------------------------------------------------------------------------


@dataclass(frozen=True)
class Need:
    """Something to look at, and the command that mends it for some datasets, where one does."""

    text: str
    command: str = ""
    keys: tuple[str, ...] = ()
    first: date | None = None
    last: date | None = None


def _attention(view: View, looked_at: list[Followed]) -> None:
    needs = [*_of_runs(view), *_of_files(view), *_of_days(looked_at)]
    st.header("Needs attention")
    if not needs:
        st.success(f"Nothing: all that was due in the last {WEEKS} weeks is there.")
        return
    for need in needs[:_LISTED]:
        _need(view, need)
    if needs[_LISTED:]:
        with st.expander(f"{len(needs) - _LISTED} more", key="more-needs"):
            for need in needs[_LISTED:]:
                _need(view, need)


def _need(view: View, need: Need) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(need.text, width="stretch")
        if not need.command:
            return
        what = need.keys[0] if len(need.keys) == 1 else f"{len(need.keys)} datasets"
        if not work.may_start():
            keys = " ".join(need.keys)
            st.code(
                f"python3 run.py {need.command} {keys} --start {need.first} --end {need.last}",
                language=None,
                wrap_lines=True,
            )
        elif st.button(
            f"{need.command.capitalize()} {what}", key=f"{need.command}-{need.first}-{need.keys[0]}"
        ):
            work.start(view.settings, need.command, need.keys, need.first, need.last)
            st.rerun()


def _of_runs(view: View) -> list[Need]:
    """The last run, where it failed."""
    return [
        Need(
            f":red[**Last run**] {run['command']}, {run['started']}: "
            f"{EXIT_CODES.get(run['exit_code'], run['exit_code'])}. {plain(run.get('error', ''))}",
        )
        for run in last_runs(view.settings["OUTPUT_DIR"], 1)
        if run["exit_code"] not in (0, 3, 130)
    ]


def _of_files(view: View) -> list[Need]:
    """Files of which something was rejected."""
    found = []
    for dataset in asked_for(view):
        if isinstance(dataset.read, FileReading):
            rejected = view.store.rejected_rows(dataset.key)
            if rejected:
                rows = sum(map(len, rejected.values()))
                names = ", ".join(sorted(rejected)[:3]) + (" …" if len(rejected) > 3 else "")
                found.append(
                    Need(
                        f":orange[**{dataset.key}**] {rows} rows rejected ({plain(names)}): correct the file, "
                        "which is then read again.",
                    )
                )
    return found


def _of_days(looked_at: list[Followed]) -> list[Need]:
    """Holes and drift: a dataset a line, and one for all that lack the same days entirely."""
    found, never = [], dict[tuple[date, date], list[str]]()
    for one in looked_at:
        holes = stretches(one.days)
        unasked = [hole for hole in holes if hole.why == NEVER]
        if unasked:
            span = (min(hole.first for hole in unasked), max(hole.last for hole in unasked))
            never.setdefault(span, []).append(one.key)
        answered = [hole for hole in holes if hole.why != NEVER]
        if answered:
            found.append(_of_holes(one.key, answered))
        drifting = [day for day in one.days if tells_of_drift(day.note)]
        if drifting:
            found.append(Need(_of_drift(one.key, drifting)))
    for (first, last), keys in never.items():
        text = f":orange[**{listing(keys)}**] {_span(first, last)}: never asked, as a whole or in part."
        found.append(Need(text, "backfill", tuple(keys), first, last))
    return found


def _of_holes(key: str, holes: list[Stretch]) -> Need:
    days = sum(hole.days for hole in holes)
    newest = max(holes, key=lambda hole: hole.last)
    others = len(holes) - 1
    more = f", and {others} other {'stretch' if others == 1 else 'stretches'}" if others else ""
    return Need(
        f":orange[**{key}**] {days} {'day' if days == 1 else 'days'}: "
        f"{newest.scope} {_span(newest.first, newest.last)} {newest.why}{more}.",
        "repair",
        (key,),
        min(hole.first for hole in holes),
        max(hole.last for hole in holes),
    )


def _span(first: date, last: date) -> str:
    return str(first) if first == last else f"{first} to {last}"


def _of_drift(key: str, drifting: list[Day]) -> str:
    last = max(drifting, key=lambda day: day.day)
    more = f" (and {len(drifting) - 1} days more)" if len(drifting) > 1 else ""
    return f":orange[**{key}**] the source changed, {last.day}{more}: {plain(last.note)}."


# --- calendar -------------------------------------------------------------------------------------


def _calendar(view: View, looked_at: list[Followed], first: date, last: date) -> None:
    st.header("Freshness and coverage")
    legend = LEGEND.replace("  ", " · ")
    st.caption(f"Settlement days, the newest on the right. {legend}")
    facts = ("coverage", "newest row")
    lines = [line_of(view, one) for one in looked_at]
    st.html(calendar("Coverage of each dataset, day by day", facts, lines, first, last))
    several = {one.key: one for one in looked_at if len(one.scopes) > 1}
    if several:
        chosen = st.selectbox(
            "Zone by zone",
            list(several),
            index=None,
            key="scopes-of",
            placeholder="Choose a dataset",
        )
        if chosen:
            one = several[chosen]
            st.html(calendar(f"{chosen} by scope", facts[:1], lines_of_scopes(one), first, last))
    named = find_datasets(view.settings["DATASETS"])
    lacking = {key for dataset in named for key in dataset.lacking(view.settings)}
    if lacking:
        st.caption(f"Some datasets are skipped for want of {', '.join(sorted(lacking))}.")
