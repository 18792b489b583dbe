"""``python -m benchmarks.detection``: lie about the data of one day, and see whether anybody notices.

Answers that are well-formed and wrong are the ones that hurt. Into one day of a clean week of each core
dataset one fault is put at a time; afterwards the table equals that of a clean fetch (``harmless``), or
the ledger says something of that very day (``detected``), or neither (``MISSED``). ``--write`` puts the
table into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import fetch_data
import job
import storage
from domain.ledger import Entry, State
from domain.settlement import ONE_DAY, day_window, days_window
from sandbox import Fault, Sandbox
from sources import PROVIDERS
from sources.dataset import Dataset, FileReading
from sources.entsoe import Item
from stores.sql import SqlStore
from utils import PROJECT, Settings, load_settings, write_whole

HARMLESS, DETECTED, MISSED = "harmless", "detected", "MISSED"
# The day of each week that is lied about lies in its middle; winter, spring, summer, autumn.
DAYS = (date(2024, 2, 28), date(2024, 4, 20), date(2024, 7, 18), date(2024, 10, 16))
NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
FAULTS: dict[str, Fault] = {
    "drop the day": Fault("empty"),
    "drop half a day": Fault("drop-half"),
    "drop rows": Fault("dropped"),
    "duplicate": Fault("duplicates", fraction=0.5),
    "shift by an hour": Fault("shift-hour"),
    "halve": Fault("halve"),
    "flip the sign": Fault("flip"),
    "stale revision": Fault("stale"),
    "new type": Fault("new-type"),
}
# Put in when a day that was restated is asked a second time: the first publication of everything.
STALE = "stale revision"
NOT_TRIED = (
    "an ENTSO-E document does not say how old its values are, so that the last answer holds."
)
MISSES = (
    "the flipped sign of day-ahead prices. A price may be negative, and no bound tells; market index and "
    "system prices are caught by the volumes beside them. What is caught has its limits: halved levels of "
    "demand, generation and carbon intensity are told by the day before, which must be there, and halved wind "
    "and prices by their decimals (`tick`), so that round values would pass."
)
# What the ledger says of days on which nothing was put in, and why it is right.
EXPLAINED = {
    "COAL was there the day before": "the last coal power station closed that day",
    "changed from 3600 s to 3200 s": "France goes over to quarter hours at its midnight, within the day",
    "rows came twice with different values": "the sandbox sends some ENTSO-E series twice, as the "
    "platform does; all days of the answer bear the note",
}
TITLE = "Data that lie"
INTRODUCTION = (
    "Answers that are well-formed and wrong: one fault in one day of a clean week, for each dataset of the "
    "core group that is asked over HTTP, by `python -m benchmarks.detection --write`."
)


@dataclass(frozen=True)
class Verdict:
    """What became of one fault in one day; ``said`` is what the ledger has of the day."""

    dataset: str
    fault: str
    day: date
    outcome: str
    said: str


@dataclass
class Score:
    """All verdicts, and the clean days of which the ledger said anything."""

    verdicts: list[Verdict] = field(default_factory=list)
    clean_days: int = 0
    false_alarms: list[str] = field(default_factory=list)

    @property
    def missed(self) -> dict[tuple[str, str], int]:
        """How many days were missed, by dataset and fault."""
        found: dict[tuple[str, str], int] = {}
        for verdict in self.verdicts:
            if verdict.outcome == MISSED:
                key = (verdict.dataset, verdict.fault)
                found[key] = found.get(key, 0) + 1
        return found


def core() -> list[Dataset]:
    """The datasets that everybody gets by request."""
    found = fetch_data.find_datasets(["core"])
    return [dataset for dataset in found if not isinstance(dataset.read, FileReading)]


# --- asking ---------------------------------------------------------------------------------------


class Place:
    """A store in memory, filled through the real transport."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        rates = {f"{p.key.upper()}_REQUESTS_PER_S": "1000" for p in PROVIDERS if p.base_url}
        own = {setting.key: setting.default for setting in job.all_settings()}
        overrides = own | sandbox.settings() | rates | {"ENTSOE_ZONES": "FR"}
        self.settings: Settings = load_settings(job.all_settings(), overrides)

    def store(self) -> SqlStore:
        """A new one."""
        return storage.open_store("sqlite:///:memory:")

    def ask(
        self, store: SqlStore, dataset: Dataset, first: date, last: date, fault: Fault | None = None
    ) -> dict[date, Entry]:
        """Ask for some days, whatever the ledger says; returns what it has of them."""
        self.sandbox.now, self.sandbox.faults = NOW, [fault] if fault else []
        asked = by_hand(dataset, fault) if fault and isinstance(dataset.read, Item) else dataset
        scope = dataset.scopes(self.settings)[0]
        wanted = [(asked, scope, days_window(first, last))]
        done = fetch_data.fetch_windows(wanted, store, self.settings, NOW, by_name=True, again=True)
        return done.fetched[0].entries


def by_hand(dataset: Dataset, fault: Fault) -> Dataset:
    """The dataset with its columns spoilt as they are read: the sandbox's XML cannot lie like that."""
    item = dataset.read
    assert isinstance(item, Item)
    spoil = _SPOIL.get(fault.kind)
    if spoil is None:
        return dataset
    read = item.rows
    return replace(dataset, read=replace(item, rows=lambda *given: spoil(read(*given))))


Columns = dict[str, Any]


def _scaled(factor: float) -> Callable[[Columns], Columns]:
    def spoil(columns: Columns) -> Columns:
        measured = ("quantity", "generation", "consumption", "price.amount")
        return {n: v * factor if n in measured else v for n, v in columns.items()}

    return spoil


def _an_hour_later(columns: Columns) -> Columns:
    import numpy as np

    return columns | {"period_start": columns["period_start"] + np.timedelta64(1, "h")}


def _half(columns: Columns) -> Columns:
    return {name: list(values)[: len(values) // 2] for name, values in columns.items()}


def _new_type(columns: Columns) -> Columns:
    if "psr_type" not in columns:
        return columns
    kinds = [*columns["psr_type"]]
    kinds[:10] = ["B99"] * 10
    return columns | {"psr_type": kinds}


_SPOIL: dict[str, Callable[[Columns], Columns]] = {
    "halve": _scaled(0.5),
    "flip": _scaled(-1.0),
    "shift-hour": _an_hour_later,
    "drop-half": _half,
    "new-type": _new_type,
}


def contents(store: SqlStore, dataset: Dataset) -> list[tuple[Any, ...]]:
    """All rows of the table, without bookkeeping."""
    names = ", ".join(f'"{name}"' for name in dataset.table.names)
    return store.execute(f'SELECT {names} FROM "{dataset.table.name}" ORDER BY {names}')


# --- judging --------------------------------------------------------------------------------------


def judge(place: Place, dataset: Dataset, day: date) -> Iterator[Verdict]:
    """One verdict a fault: a week around ``day`` with the fault in its middle."""
    before, after = day - 3 * ONE_DAY, day + 3 * ONE_DAY
    with closing(place.store()) as store:
        clean = place.ask(store, dataset, before, after)[day]
        truth = contents(store, dataset)
    if clean.state is not State.COMPLETE or clean.note:
        raise SystemExit(f"{dataset.key} {day} is no clean day: {clean.state} {clean.note}")
    for name, fault in FAULTS.items():
        if name == STALE:
            continue
        with closing(place.store()) as store:
            place.ask(store, dataset, before, day - ONE_DAY)
            entry = place.ask(store, dataset, day, day, fault)[day]
            place.ask(store, dataset, day + ONE_DAY, after)
            same = contents(store, dataset) == truth
        yield _verdict(dataset, name, day, entry, same=same)


def judge_stale(place: Place, dataset: Dataset, day: date) -> Verdict:
    """Whether the first publication, sent when a restated day is asked again, stays where it belongs."""
    day = restated(place.sandbox, dataset, day)
    with closing(place.store()) as store:
        place.ask(store, dataset, day, day)
        truth = contents(store, dataset)
        entry = place.ask(store, dataset, day, day, FAULTS[STALE])[day]
        same = contents(store, dataset) == truth
    return _verdict(dataset, STALE, day, entry, same=same)


def restated(sandbox: Sandbox, dataset: Dataset, day: date) -> date:
    """The first day from ``day`` on of which something was published twice; ``day`` where nothing ever is."""
    sandbox.now = NOW
    for later in range(60):
        window = day_window(day + later * ONE_DAY)
        told = [
            each(dataset.key, window.start, window.end) for each in (sandbox.truth, sandbox.history)
        ]
        first, every = (len(next(iter(one["columns"].values()))) for one in told)
        if every > first:
            return day + later * ONE_DAY
    return day


def _verdict(dataset: Dataset, fault: str, day: date, entry: Entry, *, same: bool) -> Verdict:
    said = entry.note or (str(entry.state) if entry.state is not State.COMPLETE else "")
    outcome = HARMLESS if same else DETECTED if said else MISSED
    return Verdict(dataset.key, fault, day, outcome, said)


def measure(days: Sequence[date], datasets: Sequence[Dataset]) -> Score:
    """All verdicts over some days."""
    score = Score()
    with Sandbox(now=NOW) as sandbox:
        sandbox.limits = dict.fromkeys(sandbox.answers.catalogue.providers)
        place = Place(sandbox)
        for dataset in datasets:
            for day in days:
                score.verdicts += judge(place, dataset, day)
                if not isinstance(dataset.read, Item):
                    score.verdicts.append(judge_stale(place, dataset, day))
    return score


def watch(first: date, last: date, datasets: Sequence[Dataset]) -> Score:
    """Fetch clean days, and list all that the ledger notes of them."""
    score = Score()
    with Sandbox(now=NOW) as sandbox:
        sandbox.limits = dict.fromkeys(sandbox.answers.catalogue.providers)
        place = Place(sandbox)
        for dataset in datasets:
            with closing(place.store()) as store:
                for day, entry in place.ask(store, dataset, first, last).items():
                    score.clean_days += 1
                    if entry.note:
                        score.false_alarms.append(f"{dataset.key} {day}: {entry.note}")
    return score


# --- the report -----------------------------------------------------------------------------------


def table(score: Score) -> str:
    """Datasets by faults; a cell says what most days came to, and how many were missed."""
    datasets = dict.fromkeys(verdict.dataset for verdict in score.verdicts)
    lines = ["| dataset | " + " | ".join(FAULTS) + " |", "| --- |" + " --- |" * len(FAULTS)]
    for dataset in datasets:
        cells = [_cell(score, dataset, fault) for fault in FAULTS]
        lines.append(f"| `{dataset}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(score: Score, dataset: str, fault: str) -> str:
    found = [v.outcome for v in score.verdicts if (v.dataset, v.fault) == (dataset, fault)]
    if not found:
        return "–"
    missed = found.count(MISSED)
    if missed:
        return f"**MISSED** {missed} of {len(found)}"
    return DETECTED if DETECTED in found else HARMLESS


def report(score: Score, calm: Score) -> str:
    """What goes between the marks."""
    caught = len(score.verdicts) - sum(score.missed.values())
    alarms = Counter(_reason(line) for line in calm.false_alarms)
    said = [
        f'- {count} times "{reason}": {EXPLAINED.get(reason, "NOT EXPLAINED")}'
        for reason, count in sorted(alarms.items())
    ]
    return f"""
{datetime.now(UTC):%Y-%m-%d}: **{caught} of {len(score.verdicts)}** faults were detected or did no harm, in
{len(DAYS)} days ({", ".join(map(str, DAYS))}).

{table(score)}
`harmless`: the table is what it would have been, also where there was nothing for the fault to change.
`detected`: the ledger, and so the summary and `coverage`, says something of that day. "Drop the day" is an
answer without rows; the stale revision comes when a day that was restated is asked again. –: {NOT_TRIED}

What is missed: {MISSES}

Of {calm.clean_days:,} days of a year without faults (366 of each dataset) the ledger noted:

{chr(10).join(said) or "- nothing"}
"""


def _reason(line: str) -> str:
    return next((reason for reason in EXPLAINED if reason in line), line)


def put(text: str) -> None:
    """Into docs/reliability.md, between the marks."""
    path = PROJECT / "docs" / "reliability.md"
    marked = re.compile(r"(<!-- detection -->\n).*?(<!-- /detection -->)", re.DOTALL)
    page = path.read_text(encoding="utf-8")
    if not marked.search(page):
        page += f"\n## {TITLE}\n\n{INTRODUCTION}\n\n<!-- detection -->\n<!-- /detection -->\n"
    page = marked.sub(lambda found: found[1] + text.lstrip("\n") + found[2], page)
    write_whole(path, page.encode())


def main() -> int:
    """Measure, print, and put it into the page if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--write", action="store_true", help="put it into docs/reliability.md")
    wanted = parser.parse_args()
    os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1"]))
    text = report(measure(DAYS, core()), watch(date(2024, 1, 1), date(2024, 12, 31), core()))
    print(text)
    if wanted.write:
        put(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
