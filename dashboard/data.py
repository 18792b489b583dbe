"""The page Data: fetch, backfill and repair from here, what runs and ran, holes, and the run log."""

from __future__ import annotations

from datetime import date

import streamlit as st

from dashboard import tasks, work
from dashboard.coverage import asked_for, followed
from dashboard.frame import View, age, content_of, empty, kept, shown
from domain.settlement import ONE_DAY
from fetch_data import find_datasets
from holes import Stretch, stretches
from job import EXIT_CODES
from sources import DATASETS
from sources.elexon_codes import GROUP
from utils import last_runs

TITLE = "Data"
ABOUT = "Fetch, backfill and repair from here; holes, runs and their log."

_WHAT = {
    "fetch": "Fetch: what the ledger does not prove of these days, holes at once",
    "backfill": "Backfill: years; every day that the ledger does not know, and the products that follow",
    "repair": "Repair: exactly the holes and what may have been revised, and the products that follow",
}
_EARLIEST = date(1990, 1, 1)
_PAST, _RUNS, _STRETCHES = 10, 30, 500


def show(view: View) -> None:
    """Draw the page."""
    if work.may_start():
        _form(view)
    else:
        st.info(work.LOOK_ONLY, icon=":material/visibility:")
    _tasks(view)
    if view.store.origin:
        _holes(view)
    else:
        empty("data", "backfill core --start 2024-01-01")
    _runs(view)


# --- asking ---------------------------------------------------------------------------------------


def _form(view: View) -> None:
    words = _words()
    usual = [word for word in view.settings["DATASETS"] if word in words]
    yesterday = view.today - ONE_DAY
    with st.form("ask", border=True):
        command = st.radio(
            "What to do", list(_WHAT), format_func=_WHAT.__getitem__, key="ask-command"
        )
        chosen = st.multiselect(
            "Datasets and groups",
            words,
            default=usual,
            format_func=lambda word: words[word],
            key="ask-words",
        )
        left, right = st.columns(2)
        first = left.date_input(
            "First day", yesterday, min_value=_EARLIEST, max_value=view.today, key="ask-first"
        )
        last = right.date_input(
            "Last day", yesterday, min_value=_EARLIEST, max_value=view.today, key="ask-last"
        )
        asked = st.form_submit_button(
            "Start", key="ask-start", type="primary", icon=":material/play_arrow:"
        )
    if asked:
        work.start(view.settings, command, chosen, _one(first), _one(last))


def _one(day: object) -> date | None:
    """What a field for one day holds; None where it was emptied."""
    return day if isinstance(day, date) else None


@st.cache_data
def _words() -> dict[str, str]:
    """What may be asked for, groups first, each with what it is."""
    groups = dict.fromkeys(group for dataset in DATASETS for group in dataset.groups)
    named = {group: f"{group} (group of {len(find_datasets([group]))})" for group in groups}
    by_hand = [dataset for dataset in DATASETS if GROUP not in dataset.groups]
    by_code = [dataset for dataset in DATASETS if GROUP in dataset.groups]
    return named | {
        d.key: f"{d.key}: {d.title}" for d in (*by_hand, *by_code) if d.key not in named
    }


# --- tasks ----------------------------------------------------------------------------------------


def _tasks(view: View) -> None:
    st.header("Tasks")
    work.under_way(view.settings)
    past = [task for task in tasks.listed(view.settings) if not task.running]
    if not past:
        st.caption("What was started from a page is listed here, with the end of its log.")
    for task in past[:_PAST]:
        mark = ":green[done]" if task.exit_code == 0 else f":orange[{_short(task)}]"
        with st.expander(
            f"{task.started.title} · {mark} · {age(task.began, view.now)}",
            key=f"past-{task.started.id}",
        ):
            requests = sum(gauge["requests"] for gauge in task.gauges)
            st.markdown(
                f"{task.state.capitalize()}. {task.done:,} of {task.total:,} windows, "
                f"{requests:,} requests, {task.rows:,} rows new or changed."
            )
            st.code(
                "\n".join(map(shown, tasks.last_lines(task))) or "(nothing)",
                language=None,
                wrap_lines=True,
            )


def _short(task: tasks.Task) -> str:
    """How it ended, in a word or two."""
    words = {3: "with holes", 4: "locked by another run", 130: "stopped", None: "died"}
    return words.get(task.exit_code, "failed")


# --- holes ----------------------------------------------------------------------------------------


def _holes(view: View) -> None:
    st.header("Holes")
    asked = {dataset.key: dataset for dataset in asked_for(view)}
    missing = kept(view.store.missing_days, "missing days", content_of(view.store))
    counts = {key: missing[key] for key in asked if missing.get(key)}
    if not counts:
        st.success("None: every day between the first and the last that the ledger knows is there.")
        return
    chosen = st.selectbox(
        "Dataset",
        list(counts),
        format_func=lambda key: f"{key}: {counts[key]:,} days",
        key="holes-of",
        help="Days between the first and the last one that the ledger knows, over all zones.",
    )
    known = view.store.known_days(chosen)
    last = min(known[1], view.today) if known else view.today
    (one,) = followed(view, [asked[chosen]], None, last)
    found = stretches(one.days)
    if not found:
        st.caption("Of these days the provider publishes nothing.")
        return
    found.sort(key=lambda hole: hole.last, reverse=True)
    st.dataframe(
        [_row(hole) for hole in found[:_STRETCHES]],
        hide_index=True,
        key="holes",
        alt=f"Holes of {chosen}",
    )
    if len(found) > _STRETCHES:
        st.caption(f"The newest {_STRETCHES} of {len(found)}; 'coverage {chosen}' lists them all.")
    span = (min(hole.first for hole in found), max(hole.last for hole in found))
    if not work.may_start():
        st.code(
            f"python3 run.py repair {chosen} --start {span[0]} --end {span[1]}",
            language=None,
            wrap_lines=True,
        )
    elif st.button(
        f"Repair {chosen}, {span[0]} to {span[1]}", key="holes-repair", icon=":material/build:"
    ):
        work.start(view.settings, "repair", (chosen,), *span)
        st.rerun()


def _row(hole: Stretch) -> dict[str, object]:
    return {
        "from": hole.first,
        "to": hole.last,
        "days": hole.days,
        "scope": hole.scope,
        "why": hole.why,
        "rows": hole.rows,
        "of": hole.expected,
        "note": shown(hole.note),
    }


# --- runs -----------------------------------------------------------------------------------------


def _runs(view: View) -> None:
    st.header("Run log")
    runs = last_runs(view.settings["OUTPUT_DIR"], _RUNS)
    if not runs:
        st.caption("Nothing has run here yet.")
        return
    st.dataframe(
        [
            {
                "started": run["started"],
                "command": run["command"],
                "seconds": run["seconds"],
                "requests": run["requests"],
                "rows": run["rows"],
                "failures": run["failures"],
                "holes": run["holes"],
                "ended": EXIT_CODES.get(run["exit_code"], str(run["exit_code"])),
                "error": shown(run.get("error", "")),
            }
            for run in reversed(runs)
        ],
        hide_index=True,
        key="runs",
        alt="The last runs, the newest first",
    )
