"""Work that pages start, as a visitor sees it: buttons, progress, and the sentence where none is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import streamlit as st

import progress
from dashboard import tasks
from dashboard.frame import age, plain
from dashboard.serving import is_loopback
from domain.errors import GridledgerError
from job import read_settings
from utils import Settings

LOOK_ONLY = (
    "This dashboard can be reached from other machines: its pages look and start nothing. "
    "Start it on loopback to fetch from here."
)
EVERY_S = 1.0


def may_start() -> bool:
    """Whether pages may start work: only where nobody but this machine can reach them."""
    return is_loopback(st.get_option("server.address"))


def start(
    settings: Settings,
    command: str,
    words: Sequence[str],
    first: date | None = None,
    last: date | None = None,
) -> None:
    """Start a task, or say why not."""
    if not may_start():  # no page shows a button then; this is for whoever adds one
        st.error(LOOK_ONLY)
        return
    try:
        task = tasks.start(settings, command, words, first, last)
    except GridledgerError as trouble:
        st.error(plain(trouble))
        return
    st.toast(f"Started: {task.started.title}", icon=":material/play_arrow:")


def under_way(settings: Settings) -> None:
    """The tasks that run, told anew every second; when one ends, the whole page is drawn anew."""
    running = [task.started.id for task in tasks.listed(settings) if task.running]
    if running:
        st.fragment(_running, run_every=EVERY_S)(running)


def last_ended(settings: Settings) -> None:
    """A line about the task that was started last, where it has ended."""
    for task in tasks.listed(settings)[:1]:
        if not task.running:
            began = age(task.began, datetime.now(UTC))
            st.caption(f"Last task, {began}: {task.started.title}. {task.state.capitalize()}.")


def _running(before: list[str]) -> None:
    """Draws what runs; a fragment has no store, because that of the page is closed by then."""
    now = [task for task in tasks.listed(read_settings()) if task.running]
    if [task.started.id for task in now] != before:
        st.rerun()
    for task in now:
        with st.container(border=True, key=f"task-{task.started.id}"):
            draw(task)
            if may_start() and st.button(
                "Stop", key=f"stop-{task.started.id}", icon=":material/stop:"
            ):
                tasks.stop(task)


def draw(task: tasks.Task) -> None:
    """Title, bar, and the gauges of each dataset."""
    st.markdown(f"**{task.started.title}**")
    share = task.done / task.total if task.total else 0.0
    st.progress(min(share, 1.0), text=_said(task))
    if task.gauges:
        st.dataframe(
            [_figures(gauge) for gauge in task.gauges],
            hide_index=True,
            height=min(38 + 35 * len(task.gauges), 220),
            alt="Progress of each dataset",
        )


def _said(task: tasks.Task) -> str:
    if task.stage == progress.STARTING:
        return "reading files and planning …"
    if task.stage == progress.COMPUTING:
        return f"{task.rows:,} rows new or changed; computing what follows from them …"
    left = task.left_s(datetime.now(UTC))
    about = f", about {duration(left)} left" if left is not None else ""
    return f"{task.done:,} of {task.total:,} windows, {task.rows:,} rows new or changed{about}"


def _figures(gauge: Mapping[str, Any]) -> dict[str, object]:
    """A line of the table of progress."""
    return {
        "dataset": gauge["key"],
        "windows": f"{gauge['done']:,} of {gauge['windows']:,}",
        "rows": f"{gauge['rows']:,}",
        "requests": f"{gauge['requests']:,}",
        "rows/s": f"{gauge['rows_per_s']:,.0f}",
        "time left": duration(gauge["left_s"]),
    }


def duration(seconds: float) -> str:
    """How long, as one says it.

    >>> duration(45.2), duration(600), duration(7500)
    ('45 s', '10 min', '2 h 5 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
