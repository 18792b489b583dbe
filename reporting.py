"""The command ``report``, and the reports that a run writes: one HTML file a settlement day.

A page carries the fingerprint of what the ledger knew of its day, so that a run leaves it alone as long
as that is the same, and makes it anew after a crash.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import console
import holes
from domain.drift import tells_of_drift
from domain.errors import GridledgerError, StoreError, UsageError
from domain.ledger import Entry, State
from domain.settlement import ONE_DAY, parse_day, settlement_date
from job import Report, read_settings
from look import examples
from utils import VERSION, log, write_whole

if TYPE_CHECKING:
    from job import Job
    from report_page import Chart, Content
    from stores.sql import SqlStore

app = typer.Typer()

FILE = "report.html"
INSTALL = "python3 run.py --install-deps plot"
# The fingerprint stands within a page's first bytes.
HEAD_BYTES = 500
NOT_COMPUTED = "not computed, though there are inputs"
# Charts: dataset or product, its columns (all where none is named), and the quantities that tell of it.
CHARTS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("frequency", (), ("Frequency",)),
    ("average_power", ("average_power_mw",), ("Average power",)),
    ("wind_solar", (), ("Generation",)),
    ("generation_outturn", (), ("Generation",)),
    ("demand_outturn", (), ("National demand", "Transmission system demand")),
    ("system_prices", ("system_buy_price_gbp_per_mwh",), ("System price",)),
    ("market_index", ("price_gbp_per_mwh",), ("Market index price",)),
    ("entsoe_day_ahead_prices", (), ("Day-ahead price",)),
    ("carbon_intensity", (), ("Carbon intensity", "Carbon intensity, forecast")),
    ("portfolio_best_of_infeed", ("power_kw",), ("Best-of-infeed",)),
)
# Charts of tables that have no figures of their own.
_SUBJECT_OF = {"frequency": "frequency_quality", "wind_solar": "wind_solar_summary"}


@app.command(epilog=examples("report", "report --date 2024-10-27 --to day.html"))
def report(
    day: Annotated[
        str | None,
        typer.Option("--date", metavar="D", help="Settlement day; the newest up to yesterday."),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="FILE.html; OUTPUT_DIR/D/report.html."),
    ] = None,
) -> int:
    """Write one settlement day as a page: figures, charts, coverage, holes, drift.

    The file has everything in it and needs no network. Exit code 3 when nothing is stored of the day.
    """
    from storage import open_store

    if to and to.suffix != ".html":
        raise UsageError(f"{to.name} does not end in .html: name the file so.")
    if not can_draw():
        raise UsageError(f"a report needs matplotlib, which is not installed: type '{INSTALL}'.")
    settings, now = read_settings(), datetime.now(UTC)
    chosen = parse_day(day) if day else None
    with open_store(settings["STORE_URL"], create=False) as store:
        chosen = chosen or newest_day(store, settlement_date(now) - ONE_DAY)
        entries = store.entries_of_days(chosen, chosen) if chosen else []
        if not chosen or not any(entry.rows for entry in entries):
            console.complain(f"nothing is stored of {chosen or 'any day'}: 'run' fetches a day.")
            return 3
        page = made(store, chosen, entries, settings, now)
        if to:
            try:
                write_whole(to, page)
            except OSError as trouble:
                raise StoreError(f"{to.name} could not be written: {trouble.strerror}.") from None
            path = to
        else:
            path = save(store, chosen, page, settings["OUTPUT_DIR"])
    console.say(f"written: {path}")
    return 0


def can_draw() -> bool:
    """Whether the plotting extra is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def newest_day(store: SqlStore, last: date) -> date | None:
    """The newest day up to ``last`` of what most datasets and products have; forecasts reach further."""
    newest = [min(one.newest, last) for one in store.standings() if one.newest]
    return max(newest, key=lambda day: (newest.count(day), day), default=None)


def write_reports(job: Job, report: Report) -> list[date]:
    """Write the reports of the days that a run looked at, where they lack or the ledger changed.

    Reports that lack are written for the newest REPORT_DAYS of those days; without the plotting extra
    there are none. Returns the days written. A report that cannot be written is a line of the log.
    """
    written: list[date] = []
    try:
        due = _due(job, report) if job.settings["REPORT_DAYS"] and can_draw() else {}
    except GridledgerError as trouble:
        log.warning("%s was not written: %s", FILE, trouble)
        return written
    for day, entries in due.items():
        try:
            page = made(job.store, day, entries, job.settings, job.now)
            path = save(job.store, day, page, job.settings["OUTPUT_DIR"])
        except GridledgerError as trouble:
            log.warning("%s of %s was not written: %s", FILE, day, trouble)
        except Exception:  # the run did its work, whatever becomes of the page about it
            log.exception("%s of %s was not written for an unforeseen reason", FILE, day)
        else:
            log.info("%s of %s: written as %s", FILE, day, path.name)
            written.append(day)
    return written


def _due(job: Job, report: Report) -> dict[date, list[Entry]]:
    """The days whose report lacks or is older than the ledger, with their entries."""
    days = {day for part in report.fetched for day in part.entries}
    for part in report.processed:
        days |= {day for day, entry in part.entries.items() if entry.asked_at == job.now}
    known: dict[date, list[Entry]] = {day: [] for day in sorted(days)}
    for entry in job.store.entries_of_days(min(days), max(days)) if days else ():
        if entry.day in known:
            known[entry.day].append(entry)
    stored = [day for day, entries in known.items() if any(entry.rows for entry in entries)]
    newest = stored[-job.settings["REPORT_DAYS"] :]
    found = {}
    for day in stored:
        held = _fingerprint_in(job.settings["OUTPUT_DIR"] / day.isoformat() / FILE)
        if held != fingerprint(known[day]) and (held or day in newest):
            found[day] = known[day]
    return found


def save(store: SqlStore, day: date, page: bytes, output: Path) -> Path:
    """Write a page into the day's folder; beside it where another program holds the old one open."""
    from storage import claim_output, publish_documents

    claim_output(output, store.origin)
    path = output / day.isoformat() / FILE
    held_open = publish_documents(output, day, {FILE: page})
    return path.with_suffix(".new.html") if held_open else path


def fingerprint(entries: list[Entry]) -> str:
    """Of all that a day's report is made from, as the ledger has it."""
    facts = sorted(
        (
            *(entry.key, entry.scope, str(entry.state), entry.rows, entry.expected),
            *(entry.coverage, entry.version, entry.answers, entry.inputs, entry.note),
        )
        for entry in entries
    )
    return hashlib.sha256(json.dumps([VERSION, facts]).encode()).hexdigest()[:16]


def _fingerprint_in(path: Path) -> str:
    """The one that a page was made from; empty where there is no page."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES).decode(errors="replace")
    except OSError:
        return ""
    found = re.search(r'name="gridledger-inputs" content="(\w+)"', head)
    return found[1] if found else "unknown"


# --- what a report says ---------------------------------------------------------------------------


def made(
    store: SqlStore, day: date, entries: list[Entry], settings: Mapping[str, Any], now: datetime
) -> bytes:
    """The page of a day. UsageError where matplotlib is not installed."""
    from report_page import as_page

    return as_page(content_of(store, day, entries, settings, now))


def content_of(
    store: SqlStore, day: date, entries: list[Entry], settings: Mapping[str, Any], now: datetime
) -> Content:
    """All that the report of a day says; ``entries`` are those of the day."""
    from analysis.settlement_day import day_sections
    from report_page import Content

    levels, totals = day_sections(store, day, settings)
    lacking: dict[str, list[str]] = {}
    days = list(_days(store, day, entries, settings, now, lacking))
    return Content(
        day=day,
        origin=store.origin,
        inputs=fingerprint(entries),
        levels=levels,
        totals=totals,
        charts=list(_charts(store, day, settings)),
        days=days,
        lacking=[
            f"Skipped for want of {what}: {', '.join(keys)}." for what, keys in lacking.items()
        ],
        holes=[_hole(one) for one in days if one.hole(strict=False)],
        drift=[
            f"{entry.key} {entry.scope}".rstrip() + f": {entry.note}"
            for entry in entries
            if tells_of_drift(entry.note)
        ],
        attribution=list(_attribution(store, entries)),
    )


def _days(
    store: SqlStore,
    day: date,
    entries: list[Entry],
    settings: Mapping[str, Any],
    now: datetime,
    lacking: dict[str, list[str]],
) -> Iterator[holes.Day]:
    """How every dataset and product stands: those of the settings, and what else the ledger knows.

    Datasets that miss a setting and have nothing go to ``lacking``.
    """
    from fetch_data import find_datasets
    from process_data import datasets_behind
    from products import PRODUCTS
    from sources import DATASETS

    scopes: dict[str, set[str]] = {}
    for entry in entries:
        scopes.setdefault(entry.key, set()).add(entry.scope)
    daily = find_datasets(settings["DATASETS"])
    there: set[str] = set()
    for dataset in DATASETS:
        wanted = scopes.get(dataset.key, set())
        missing = dataset.lacking(settings)
        if dataset in daily and not missing:
            wanted |= set(dataset.scopes(settings))
        elif dataset in daily and not wanted:
            lacking.setdefault(", ".join(missing), []).append(dataset.key)
        found = holes.days_of_each(dataset, sorted(wanted), store, day, day, now)
        yield from (one for listed in found.values() for one in listed)
        there |= (
            {dataset.key} if any(one.rows for listed in found.values() for one in listed) else set()
        )
    computed = {entry.key: entry for entry in entries}
    for product in PRODUCTS:
        known = computed.get(product.key)
        if known:
            yield holes.Day(
                product.key, "", day, known.state, "", known.rows, known.expected, known.coverage,
                note=known.note,
            )  # fmt: skip
        elif (
            product.key in settings["PRODUCTS"]
            and product.due(day)
            and datasets_behind(product) <= there
        ):
            yield holes.Day(product.key, "", day, State.DUE, NOT_COMPUTED)


def _hole(day: holes.Day) -> str:
    rows = f", {day.rows:,} of {day.expected:,} rows" if day.expected else ""
    why = f": {day.why}" if day.why else ""
    note = f" ({day.note})" if day.note else ""
    return f"{day.key} {day.scope}".rstrip() + f", {day.state}{rows}{why}{note}"


def _charts(store: SqlStore, day: date, settings: Mapping[str, Any]) -> Iterator[Chart]:
    """A chart of each table that has rows of the day, without the words that the page says itself."""
    from analysis.settlement_day import LEVELS, span_of
    from pictures.choosing import picture_of
    from pictures.static import svg
    from report_page import Chart

    subjects = {level.key: level.subject for level in LEVELS}
    for key, columns, quantities in CHARTS:
        span = span_of(key, day, settings)
        picture = picture_of(store, key, span, columns=columns or None)
        if picture is None:
            continue
        bare = replace(picture, title="", subtitle="", footer=())
        subject = subjects[_SUBJECT_OF.get(key, key)]
        yield Chart(key, subject, quantities, picture.title, picture.subtitle, svg(bare))


def _attribution(store: SqlStore, entries: list[Entry]) -> Iterator[str]:
    """Whose data the day is made of."""
    from sources import DATASETS
    from stores.sql import SYNTHETIC

    if store.origin == SYNTHETIC:
        yield "SYNTHETIC: made by gridledger's sandbox; nothing of it was measured by anyone."
    stored = {entry.key for entry in entries if entry.rows}
    providers = {d.provider.title: d.provider for d in DATASETS if d.key in stored}
    yield from (f"{title}: {provider.attribution}" for title, provider in providers.items())
