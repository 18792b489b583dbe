"""The page Frequency & battery."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

import battery
from dashboard.frame import View, chosen_range, content_of, draw, empty, kept, plain
from dashboard.tables import show_rows, show_section
from domain.battery import STRATEGIES
from domain.errors import UsageError
from domain.response import DIRECTIONS, SERVICES
from domain.settlement import ONE_DAY, days_in, days_window
from domain.windows import Window

if TYPE_CHECKING:
    from pictures.picture import Picture
    from products.battery_response import Plan

TITLE = "Frequency & battery"
ABOUT = "System frequency, what response services ask of a battery, and what the battery gives."

# So long a range is run through a battery: sliders shall answer at once.
LONGEST_RUN = timedelta(days=31)
MOST_EVENTS = 500


def show(view: View) -> None:
    """Draw the page."""
    yesterday = view.today - ONE_DAY
    window = chosen_range(view, ["frequency"])
    if window is None:
        empty("frequency", f"fetch frequency --start {yesterday}")
        return
    names = ("Series", "Distribution", "Quality and events", "Half-hourly power", "Battery")
    tabs = st.tabs(names, key="frequency-part", on_change="rerun")
    parts = (_series, _distribution, _quality, _half_hours, _battery)
    for tab, part in zip(tabs, parts, strict=True):
        if tab.open:
            with tab:
                part(view, window)


def _kept(view: View, name: str, compute: Any, *arguments: Any) -> Any:
    return kept(compute, f"frequency {name}", content_of(view.store), *arguments)


def _days(window: Window) -> str:
    days = days_in(window)
    return f"--start {days[0]} --end {days[-1]}"


def _series(view: View, window: Window) -> None:
    from pictures.frequency import SAMPLES, series

    picture = _kept(view, "series", lambda: series(view.store, window), str(window))
    if window.length <= SAMPLES:
        command = f"fetch frequency {_days(window)}"
        _draw_or(picture, "frequency-series", "frequency of these days", command)
    else:
        command = f"process frequency_quality {_days(window)}"
        what = f"half-hourly frequency, which is drawn beyond {SAMPLES.days} days,"
        _draw_or(picture, "frequency-series", what, command)
    _figures(view, window)


def _draw_or(picture: Picture | None, key: str, what: str, command: str) -> None:
    if picture is None:
        empty(what, command)
    else:
        draw(picture, key)


def _figures(view: View, window: Window) -> None:
    """The figures of the range, from frequency_quality."""
    from analysis.frequency import quality
    from pictures.words import percent

    sections = _kept(view, "quality", lambda: quality(view.store, window), str(window))
    if not sections:
        empty("figures of quality of these days", f"process frequency_quality {_days(window)}")
        return
    figures = sections[0].frame.iloc[0]
    left, *others = st.columns(4)
    told = {
        "Lowest [Hz]": f"{figures['minimum_hz']:.3f}",
        "Highest [Hz]": f"{figures['maximum_hz']:.3f}",
        "Outside ±0.2 Hz [s]": f"{figures['seconds_outside_49_8_50_2']:g}",
        "Covered": percent(figures["coverage"]),
    }
    for column, (label, value) in zip((left, *others), told.items(), strict=True):
        column.metric(label, value)


def _distribution(view: View, window: Window) -> None:
    from pictures.frequency import histogram

    picture = _kept(view, "histogram", lambda: histogram(view.store, window), str(window))
    command = f"process frequency_histogram {_days(window)}"
    _draw_or(picture, "frequency-histogram", "distribution of these days", command)


def _quality(view: View, window: Window) -> None:
    from analysis.frequency import event_counts, quality

    for section in _kept(view, "quality", lambda: quality(view.store, window), str(window)):
        st.header(section.title)
        show_section(section, section.key)
    table = view.store.tables["frequency_events"]
    counts = _kept(view, "events", lambda: event_counts(view.store, window), str(window))
    if counts.frame.empty:
        command = f"process frequency_quality frequency_events {_days(window)}"
        empty("events of these days", command)
        return
    st.header(counts.title)
    show_section(counts, counts.key)
    kinds = st.multiselect(
        "Kinds of events", counts.frame["kind"].tolist(), key="frequency-kinds",
        help="low and high are excursions beyond 0.2 Hz; none chosen: all of them.",
    )  # fmt: skip
    where = {"kind": kinds} if kinds else None
    rows = view.store.page(table, window, where, order=("-event_start",), limit=MOST_EVENTS)
    count = view.store.count(table, window, where)
    if count > MOST_EVENTS:
        st.caption(f"The newest {MOST_EVENTS} of {count}.")
    units = {column.name: column.unit for column in table.columns if column.dtype == "float"}
    show_rows(rows, units, "Events", "frequency-event-rows")


def _half_hours(view: View, window: Window) -> None:
    from pictures.battery import half_hours

    picture = _kept(view, "half hours", lambda: half_hours(view.store, window), str(window))
    command = f"process average_power {_days(window)}"
    _draw_or(picture, "frequency-half-hours", "mean battery power of these days", command)


# --- the battery ----------------------------------------------------------------------------------


def _battery(view: View, window: Window) -> None:
    if window.length > LONGEST_RUN:
        days = days_in(window)
        window = days_window(days[-1] - LONGEST_RUN + ONE_DAY, days[-1])
        st.info(f"The last {LONGEST_RUN.days} days of the range are run through: a longer run takes "
                "the command 'battery'.")  # fmt: skip
    st.caption(
        "A static response, run without a break from the stored samples: it says nothing of how fast a "
        "unit answers and proves no compliance."
    )
    try:
        service, compared, assumptions = _contract(view)
        plan = battery.plan_of(view.settings, service, **assumptions)
        plans = [battery.plan_of(view.settings, each, **assumptions) for each in compared]
    except UsageError as trouble:
        st.error(plain(trouble))
        return
    run = _run(view, window, plan)
    if run is None:
        empty("frequency of these days", f"fetch frequency {_days(window)}")
        return
    totals, picture, scatter = run
    for words in battery.shortfalls(plan):
        st.warning(words)
    draw(picture, "battery-run")
    if scatter is not None:
        draw(scatter, "battery-scatter")
    _compare(view, window, [totals], [each for each in plans if each != plan])


def _contract(view: View) -> tuple[str, list[str], dict[str, Any]]:
    """Service, services to compare, and the assumptions that are not those of the settings."""
    settings = view.settings
    left, right = st.columns(2)
    service = left.selectbox(
        "Service", list(SERVICES), list(SERVICES).index(settings["RESPONSE_SERVICE"]),
        format_func=lambda key: f"{key}: {SERVICES[key].title}", key="battery-service",
    )  # fmt: skip
    compared = right.multiselect(
        "Compare with", [key for key in SERVICES if key != service],
        [key for key in ("dc", "dm", "dr") if key != service], key="battery-compare",
    )  # fmt: skip
    power = settings["BATTERY_POWER_MW"]
    energy = settings["BATTERY_ENERGY_MWH"]
    rated = settings["BATTERY_RATED_MW"] or power
    assumptions: dict[str, Any] = {}
    left, right = st.columns(2)
    for column, name, label, value in (
        (left, "battery_power_mw", "Contracted power [MW]", power),
        (right, "battery_rated_mw", "Rated power [MW]", rated),
        (left, "battery_energy_mwh", "Energy of the store [MWh]", energy),
    ):
        most = max(10.0, 4.0 * value)
        assumptions[name] = column.slider(
            label,
            most / 200,
            most,
            float(value),
            most / 200,
            "%g",
            key=name.replace("_", "-"),
        )
    for column, name, label in (
        (right, "battery_charge_efficiency", "Efficiency of charging [%]"),
        (left, "battery_discharge_efficiency", "Efficiency of discharging [%]"),
    ):
        held = 100 * settings[name.upper()]
        share = column.slider(
            label,
            min(50.0, held),
            100.0,
            held,
            0.5,
            "%g",
            key=name.replace("_", "-"),
        )
        assumptions[name] = share / 100
    left, right = st.columns(2)
    assumptions["response_direction"] = left.selectbox(
        "Direction", DIRECTIONS, DIRECTIONS.index(settings["RESPONSE_DIRECTION"]),
        key="battery-direction", help="low answers low frequency only, high high frequency only.",
    )  # fmt: skip
    assumptions["battery_recovery"] = right.selectbox(
        "Recovery", STRATEGIES, STRATEGIES.index(settings["BATTERY_RECOVERY"]),
        key="battery-recovery", help="How energy is brought back between periods.",
    )  # fmt: skip
    return service, compared, assumptions


def _run(
    view: View, window: Window, plan: Plan
) -> tuple[list[object], Picture, Picture | None] | None:
    """Totals and pictures of one run; None where no frequency is stored."""
    from pictures.battery import response_scatter, run_picture
    from products.battery_response import respond

    def compute() -> Any:
        frequency, prices = _inputs(view, window)
        if frequency.empty:
            return None
        rows, run = respond(frequency, prices, window, plan)
        origin = view.store.origin
        return (
            battery.totals(plan, rows),
            run_picture(plan, rows, run, window, origin),
            response_scatter(plan, frequency, run, window, origin),
        )

    found: tuple[list[object], Picture, Picture | None] | None
    found = _kept(view, "run", compute, str(window), repr(plan))
    return found


def _inputs(view: View, window: Window) -> Any:
    return _kept(view, "inputs", lambda: battery.inputs_of(view.store, window), str(window))


def _compare(view: View, window: Window, lines: list[list[object]], plans: list[Plan]) -> None:
    """The totals of the run and of other plans, a column each."""
    import pandas as pd

    from products.battery_response import respond

    def compute(plan: Plan) -> list[object]:
        frequency, prices = _inputs(view, window)
        return battery.totals(plan, respond(frequency, prices, window, plan)[0])

    for plan in plans:
        lines.append(_kept(view, "totals", partial(compute, plan), str(window), repr(plan)))
    cells = {str(line[0]): ["" if c is None else str(c) for c in line[1:]] for line in lines}
    frame = pd.DataFrame({"figure": list(battery.TOTALS[1:]), **cells})
    st.header("Services compared")
    st.dataframe(frame, hide_index=True, key="battery-totals", alt="Services compared")
