"""The page Wind & solar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import streamlit as st

from analysis import extremes
from analysis import wind_solar as figures
from analysis.extremes import LEAST_HOURS, RAMP_HOURS
from analysis.series import WindSolar, read_wind_solar
from dashboard.frame import (
    View,
    age,
    chosen_range,
    content_of,
    draw,
    empty,
    kept,
    plain,
    stored_days,
)
from dashboard.tables import show_section
from domain.droughts import DEFINITIONS
from domain.settlement import ONE_DAY, days_in, days_window
from domain.windows import Window

if TYPE_CHECKING:
    from analysis.sections import Section

TITLE = "Wind & solar"
ABOUT = "British wind and solar: energy, profiles, ramps, droughts, forecast errors."

HEADLINES = ("Wind", "Solar")
MOST_MW = 1_000_000.0
BEFORE, YEAR_EARLIER, OTHERS = "The days before", "A year earlier", "Other days"


def show(view: View) -> None:
    """Draw the page."""
    window = chosen_range(view, ["wind_solar"])
    if window is None:
        empty("wind and solar", f"fetch wind_solar --start {view.today - ONE_DAY}")
        return
    names = ("Overview", "Profiles", "Duration", "Ramps", "Droughts", "Forecasts", "Compare")
    parts = (_overview, _profiles, _duration, _ramps, _droughts, _forecasts, _compare)
    tabs = st.tabs(names, key="wind-solar-part", on_change="rerun")
    for tab, part in zip(tabs, parts, strict=True):
        if tab.open:
            with tab:
                part(Looking(view, window))


class Looking:
    """The range looked at, and its sections, each computed once for the content of the store."""

    def __init__(self, view: View, window: Window) -> None:
        self.view = view
        self.window = window
        # Capacities that a visitor states [MW] stay as they are on the other parts of the page.
        stated = st.session_state.setdefault("wind-solar-capacities", {})
        self.stated = {name: megawatts for name, megawatts in stated.items() if megawatts > 0}

    def kept(self, name: str, compute: Callable[[], Any], *arguments: object) -> Any:
        about = (str(self.window), sorted(self.stated.items()), *arguments)
        return kept(compute, f"wind and solar {name}", content_of(self.view.store), *about)

    @property
    def data(self) -> WindSolar:
        found: WindSolar = self.kept(
            "data", lambda: read_wind_solar(self.view.store, self.window, None, self.stated)
        )
        return found

    def section(self, make: Callable[[WindSolar], Section]) -> Section:
        """What ``make`` says of the range."""
        found: Section = self.kept(make.__name__, lambda: make(self.data))
        return found


def _nothing(looking: Looking) -> bool:
    """Say so where the range has no rows."""
    if looking.data.power_mw:
        return False
    days = days_in(looking.window)
    empty("wind and solar of these days", f"fetch wind_solar --start {days[0]} --end {days[-1]}")
    return True


# --- parts ----------------------------------------------------------------------------------------


def _overview(looking: Looking) -> None:
    from pictures.wind_solar import power

    top = st.container()
    store, window = looking.view.store, looking.window
    # The picture is made in the store and is there before the figures, which need every row.
    picture = kept(
        lambda: power(store, window), "wind and solar power", content_of(store), str(window)
    )
    if picture is None:
        _nothing(looking)
        return
    draw(picture, "wind-solar-power")
    with top:
        _metrics(looking)
    _capacities(looking)
    for make in (figures.summary, figures.monthly, figures.coverage):
        _show(looking, make)


def _metrics(looking: Looking) -> None:
    """Newest value, energy and capacity factor of each series, with what the factor is of."""
    from pictures.words import percent

    told = looking.section(figures.summary).frame.set_index("series")
    newest = looking.section(figures.coverage).frame.set_index("series")["last"]
    data = looking.data
    starts = data.periods["period_start"]
    # Offshore and onshore stand in the table.
    top = told.loc[[name for name in HEADLINES if name in told.index] or list(told.index)]
    for name, row in top.iterrows():
        series = str(name)
        last = newest[series]
        latest = data.power_mw[series][starts.searchsorted(last)]
        since = age(last.to_pydatetime(), looking.view.now)
        columns = st.columns(3)
        columns[0].metric(
            f"{series}, latest [MW]",
            f"{latest:,.0f}",
            help=f"Mean of the half hour from {last:%Y-%m-%d %H:%M} UTC, {since}.",
        )
        columns[1].metric(
            f"{series}, energy [MWh]",
            f"{row['energy_mwh']:,.0f}",
            help=f"Of the {percent(row['coverage'])} of the range that are covered.",
        )
        factor = row["capacity_factor"]
        installed = factor == factor
        columns[2].metric(
            f"{series}, capacity factor [%]" if installed else f"{series}, of maximum [%]",
            _share(factor if installed else row["relative_to_observed_maximum"]),
            help=f"Of {row['reference_mw']:,.0f} MW; {row['reference']}.",
        )
    bases = "; ".join(f"{name}: {row['reference']}" for name, row in told.iterrows())
    st.caption(f"Capacity is of: {bases}. Metered output is what was left after curtailment.")


def _share(share: float) -> str:
    return f"{100 * share:.1f}" if share == share else "unknown"


def _capacities(looking: Looking) -> None:
    """Inputs for the capacities that data do not tell."""
    capacity: Mapping[str, Any] = looking.data.capacity
    unknown = [name for name in capacity if name in looking.stated or not capacity[name].installed]
    if not unknown:
        return
    with st.expander("Installed capacity, where data have none"):
        st.caption(
            "An input, not data: output is then told as a share of it. 0 leaves the highest output "
            "observed (P99.9), a share of which is no capacity factor."
        )
        stated = st.session_state["wind-solar-capacities"]
        changed = {
            name: st.number_input(
                f"Installed capacity, {name} [MW]",
                0.0,
                MOST_MW,
                float(stated.get(name, 0.0)),
                100.0,
                key=f"capacity-{name.lower().replace(' ', '-')}",
            )
            for name in unknown
        }
        if any(stated.get(name, 0.0) != megawatts for name, megawatts in changed.items()):
            stated.update(changed)
            st.rerun()


def _profiles(looking: Looking) -> None:
    from pictures.wind_solar import diurnal, seasonal

    if _nothing(looking):
        return
    section = looking.section(figures.diurnal)
    draw(diurnal(looking.data, section), "wind-solar-diurnal")
    st.caption(plain(section.note))
    series = _one_series(looking, "wind-solar-season-of")
    draw(seasonal(looking.data, looking.section(figures.seasonal), series), "wind-solar-seasonal")


def _one_series(looking: Looking, key: str) -> str:
    found: str = st.selectbox("Series", list(looking.data.power_mw), key=key)
    return found


def _duration(looking: Looking) -> None:
    from pictures.wind_solar import duration, together

    if _nothing(looking):
        return
    draw(duration(looking.data, looking.section(figures.duration)), "wind-solar-duration")
    picture = together(looking.data)
    if picture is not None:
        draw(picture, "wind-solar-together")
    _show(looking, figures.relations)


def _ramps(looking: Looking) -> None:
    from pictures.wind_solar import ramp_histogram

    if _nothing(looking):
        return
    hours = st.selectbox(
        "Ramps over", RAMP_HOURS, 1, format_func=lambda hours: f"{hours:g} h", key="wind-solar-ramp"
    )
    section = looking.section(extremes.ramp_histogram)
    draw(ramp_histogram(looking.data, section, hours), "wind-solar-ramps")
    _show(looking, extremes.ramps)


def _droughts(looking: Looking) -> None:
    from pictures.wind_solar import droughts

    if _nothing(looking):
        return
    series = _one_series(looking, "wind-solar-drought-of")
    definition = st.selectbox(
        "Definition", list(DEFINITIONS), key="wind-solar-drought-by",
        help="CBT: every half hour is below the threshold; VMBT: the mean of the whole time is.",
    )  # fmt: skip
    events = looking.section(extremes.drought_events)
    rows = events.frame
    if not ((rows["series"] == series) & (rows["definition"] == definition)).any():
        st.info(f"No such drought of {LEAST_HOURS:g} h or longer lies in these days.")
    else:
        draw(droughts(looking.data, events, series, definition), "wind-solar-droughts")
    told = looking.kept("drought figures", lambda: extremes.drought_figures(looking.data, events))
    _show_section(told)


def _forecasts(looking: Looking) -> None:
    from analysis.forecasts import forecast_errors
    from pictures import wind_solar

    if _nothing(looking):
        return
    store = looking.view.store
    section = looking.kept("forecast errors", lambda: forecast_errors(store, looking.data))
    if section.frame.empty:
        days = days_in(looking.window)
        keys = "wind_forecasts day_ahead_wind_forecast embedded_forecasts historic_demand"
        empty("forecasts of these days", f"fetch {keys} --start {days[0]} --end {days[-1]}")
        return
    draw(wind_solar.forecast_errors(looking.data, section), "wind-solar-forecasts")
    _show_section(section)


def _compare(looking: Looking) -> None:
    from pictures.wind_solar import compared

    if _nothing(looking):
        return
    other = _other_range(looking)
    if other is None:
        return
    than = Looking(looking.view, other)
    if not than.data.power_mw:
        days = days_in(other)
        command = f"fetch wind_solar --start {days[0]} --end {days[-1]}"
        empty(f"wind and solar of {_called(other)}", command)
        return
    both = [
        (_called(each.window), each.section(figures.diurnal), each.section(figures.duration))
        for each in (looking, than)
    ]
    series = _one_series(looking, "wind-solar-compare-of")
    for n, picture in enumerate(compared(both[0], both[1], series)):
        draw(picture, f"wind-solar-compared-{n}")
    for each in (looking, than):
        _show(each, figures.summary, of=_called(each.window))


def _other_range(looking: Looking) -> Window | None:
    """The days that the range is compared with."""
    days = days_in(looking.window)
    first, last = days[0], days[-1]
    stored = stored_days(looking.view, ["wind_solar"])
    years = [str(year) for year in range(stored[1].year, stored[0].year - 1, -1)] if stored else []
    chosen = st.selectbox(
        "Compare with", [BEFORE, YEAR_EARLIER, *years, OTHERS], key="wind-solar-compare"
    )
    if chosen == BEFORE:
        return days_window(first - len(days) * ONE_DAY, first - ONE_DAY)
    if chosen == YEAR_EARLIER:
        return days_window(_year_before(first), _year_before(last))
    if chosen != OTHERS:
        return days_window(date(int(chosen), 1, 1), date(int(chosen), 12, 31))
    ends = st.date_input(
        "Days to compare with", (first - len(days) * ONE_DAY, first - ONE_DAY),
        key="wind-solar-other-days",
    )  # fmt: skip
    if not isinstance(ends, tuple) or len(ends) != 2:
        st.info("Choose the first and the last day.")
        return None
    return days_window(*ends)


def _year_before(day: date) -> date:
    """The same day of the year before; of 29 February the day before it."""
    leap = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year - 1, day=28 if leap else day.day)


def _called(window: Window) -> str:
    days = days_in(window)
    return f"{days[0]} to {days[-1]}"


def _show(looking: Looking, make: Callable[[WindSolar], Section], of: str = "") -> None:
    _show_section(looking.section(make), of)


def _show_section(section: Section, of: str = "") -> None:
    if section.frame.empty:
        return
    st.header(f"{section.title}, {of}" if of else section.title)
    show_section(section, f"wind-solar-{section.key}{'-' if of else ''}{of.replace(' ', '-')}")
