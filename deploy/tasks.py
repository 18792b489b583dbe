"""What a task of an orchestrator does: the daily job of some settlement days, cut into groups.

The work is that of ``job.py``, as ``main.py run`` does it, with its settings, log, run records and metrics.
One rule is added: a task succeeds where the command line would end with exit code 0. Anything else is raised,
so that the orchestrator tries again. That is worth its while for a provider that did not answer and for rows
that it has not published yet, and cheap, because only what the ledger does not prove is asked again. A hole
that is confirmed is no failure, but part of its dataset's line of warning.

Settings come from the environment (over config.local.env), secrets too.
"""

from __future__ import annotations

from collections import Counter

import console
import process_data
from domain.errors import GridledgerError, UsageError
from domain.ledger import Entry, State
from domain.settlement import parse_range
from job import EXIT_CODES, Report, open_job, run_job

# As many holes and failures as an orchestrator's page can show; the task's log has them all.
TOLD = 10


def fetch(group: str, first: str, last: str) -> None:
    """Fetch a group of datasets (or one) for the settlement days ``first`` to ``last``, both included.

    Raises GridledgerError where something failed or is still missing, UsageError for an unknown group or
    a day that has not begun.
    """
    window = parse_range(first, last)
    with open_job("fetch") as job:
        if window.start > job.now:
            raise UsageError(f"{first} has not begun yet: there is nothing to fetch.")
        report = run_job(job, window, [group])
        _warn_of_confirmed(report)
        code = job.finish(report)
    _raise_unless_complete(code, report)


def process(first: str, last: str) -> None:
    """Compute the products of the setting PRODUCTS for those days, as far as missing or stale.

    A product that waits for its inputs is no failure here, as in the daily job: the task that should have
    fetched them says so. Raises GridledgerError where something failed.
    """
    window = parse_range(first, last)
    with open_job("process") as job:
        wanted = [(p, window) for p in process_data.find_products(job.settings["PRODUCTS"])]
        done = process_data.process_windows(
            wanted, job.store, job.settings, job.now, cluster=job.cluster
        )
        report = Report(processed=done)
        code = job.finish(report)
    _raise_unless_complete(code, report)


def catch_up() -> None:
    """The daily job without dates: what the last CATCH_UP_DAYS lack, what was revised, and their products.

    Holes are asked again ever more rarely. Raises GridledgerError where something failed or is missing.
    """
    with open_job("run") as job:
        report = run_job(job, None, [])
        _warn_of_confirmed(report)
        code = job.finish(report)
    _raise_unless_complete(code, report)


def _warn_of_confirmed(report: Report) -> None:
    """A line for each dataset; ``coverage --strict`` lists the days."""
    found: dict[str, list[Entry]] = {}
    for part in report.fetched:
        for entry in part.entries.values():
            if entry.state.proven and entry.state is not State.COMPLETE:
                found.setdefault(part.dataset.key, []).append(entry)
    for key, entries in found.items():
        first, last = min(entry.day for entry in entries), max(entry.day for entry in entries)
        counts = Counter(entry.state for entry in entries)
        states = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
        scopes = len({entry.scope for entry in entries} - {""})
        of = f" of {scopes} areas or borders" if scopes else ""
        covered = sum(entry.coverage for entry in entries) / len(entries)
        span = f"{first} to {last}" if first < last else f"{first}"
        console.say(f"! {key}, days of {span}: {states}{of}, {covered:.1%} covered")


def _raise_unless_complete(code: int, report: Report) -> None:
    if code:
        told = [*report.failures, *report.holes]
        more = [f"and {len(told) - TOLD} more, in the log"] if len(told) > TOLD else []
        meaning = f"exit code {code} ({EXIT_CODES[code]})"
        raise GridledgerError("; ".join([meaning, *told[:TOLD], *more]))
