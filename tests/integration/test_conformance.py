"""One suite for every dataset that is asked over HTTP; a new declaration gets it for nothing.

What is checked follows from the declaration alone (completeness, lag, key, optional columns), and the
sandbox plays the provider. Tables are read with plain SQL.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import fetch_data
import job
import storage
from domain.ledger import Entry, Events, Grid, State
from domain.settlement import day_window
from domain.tables import Column
from domain.windows import Window
from fetch_data import Fetched
from sandbox import Fault, Sandbox
from sources import DATASETS, PROVIDERS
from sources.dataset import Dataset, FileReading
from sources.elexon_codes import GROUP as GENERATED
from utils import load_settings

HOUR = timedelta(hours=1)
# In March an hour is missing, in October there is one more. Nothing is withheld round these days.
SHORT_DAY, LONG_DAY = date(2024, 3, 31), date(2024, 10, 27)
PLAIN_DAY = SHORT_DAY
# Of datasets that begin between the two.
LATER_SHORT_DAY = date(2025, 3, 30)
PERIODS = {SHORT_DAY: 46, LATER_SHORT_DAY: 46, LONG_DAY: 50}
# A day of so many rows takes seconds to serve, and so do prices every four seconds of five kinds.
MANY_ROWS = 50_000
SLOW = {"entsoe_activated_prices"}
NEW = "sandboxNew"

# --- exceptions, with their reasons ----------------------------------------------------------------

# Where a fault cannot be told our column: the fields that "renamed" and "wrong-type" get (None: the
# sandbox's own choice, the first measured value) and the word by which the error has to name it.
FAULTED: dict[str, tuple[str | None, str | None, str]] = {
    "carbon_intensity": (None, None, "forecast"),  # stands one level deeper than rows do
    "carbon_generation_mix": ("from", "from", "from"),  # the shares are a list in each row
    "carbon_regional": ("from", None, "from"),  # so are the regions
    "response_auctions": (None, None, "clearedVolume"),  # its older files spell it otherwise
    "entsoe_load": (None, None, "quantity"),  # elements of XML, some made into two columns
    "entsoe_generation": (None, None, "quantity"),
    "entsoe_generation_forecast": (None, None, "quantity"),
    "entsoe_generation_per_unit": (None, None, "quantity"),
    "entsoe_load_forecast_week": (None, None, "quantity"),
    "entsoe_load_forecast_month": (None, None, "quantity"),
    "entsoe_load_forecast_year": (None, None, "quantity"),
    "entsoe_day_ahead_prices": (None, None, "price.amount"),
}
# Any field of the register may be empty, and nobody needs one of them.
NOTHING_REQUIRED = {"bm_units"}

# --- which ----------------------------------------------------------------------------------------

ASKED = [dataset for dataset in DATASETS if not isinstance(dataset.read, FileReading)]


def _manner(dataset: Dataset) -> object:
    """What tells one way of asking from another among the generated datasets."""
    if GENERATED not in dataset.groups:
        return dataset.key
    return getattr(dataset.read, "start", ""), getattr(dataset.read, "part", None)


def _sampled() -> Iterator[Any]:
    """Every declaration by hand, and the first generated one of each manner."""
    for _, alike in itertools.groupby(sorted(ASKED, key=_order), key=_manner):
        dataset = next(alike)
        day = day_window(PLAIN_DAY)
        many = isinstance(dataset.completeness, Grid) and (
            dataset.completeness.expected(day, {}) > MANY_ROWS
        )
        slow = many or dataset.key in SLOW
        yield pytest.param(dataset, id=dataset.key, marks=[pytest.mark.nightly] if slow else [])


def _order(dataset: Dataset) -> str:
    return str(_manner(dataset))


every_declaration = pytest.mark.parametrize("dataset", ASKED, ids=lambda dataset: dataset.key)
each = pytest.mark.parametrize("dataset", list(_sampled()))

# --- asking ---------------------------------------------------------------------------------------


def plain_day_of(dataset: Dataset) -> date:
    return PLAIN_DAY if dataset.available_from <= PLAIN_DAY else LATER_SHORT_DAY


class Asking:
    """One dataset in a store of its own in memory, asked through the real transport."""

    def __init__(self, sandbox: Sandbox, dataset: Dataset, place: str) -> None:
        self.sandbox = sandbox
        self.dataset = dataset
        self.plain_day = plain_day_of(dataset)
        rates = {f"{p.key.upper()}_REQUESTS_PER_S": "1000" for p in PROVIDERS if p.base_url}
        own = {setting.key: setting.default for setting in job.all_settings()}
        self.settings = load_settings(
            job.all_settings(),
            own | sandbox.settings() | rates | {"OUTPUT_DIR": place},
            folder=Path(place),  # where no file is that would have to be read
        )
        self.store = storage.open_store("sqlite:///:memory:")

    def ask(self, day: date, *faults: Fault, now: datetime | None = None) -> Fetched:
        """Ask for a day, whatever the ledger says; by default an hour after its last rows are due."""
        window = day_window(day)
        moment = now or window.end + self.dataset.lag + HOUR
        self.sandbox.now, self.sandbox.faults = moment, faults
        wanted = [(self.dataset, self.dataset.scopes(self.settings)[0], window)]
        done = fetch_data.fetch_windows(
            wanted, self.store, self.settings, moment, by_name=True, again=True
        )
        return done.fetched[0]

    def entry(self, day: date, *faults: Fault, now: datetime | None = None) -> Entry:
        """What the ledger has of the day after it was asked; asserts that nothing failed."""
        done = self.ask(day, *faults, now=now)
        assert not done.failures
        return done.entries[day]

    def rows(self, suffix: str = "") -> list[tuple[Any, ...]]:
        """All rows of the table, or of its history, as they are stored; without bookkeeping."""
        names = ", ".join(f'"{name}"' for name in self.dataset.table.names)
        table = f"{self.dataset.table.name}{suffix}"
        if not self.store.columns_of(table):
            return []
        return self.store.execute(f'SELECT {names} FROM "{table}" ORDER BY {names}')

    def column(self, name: str) -> list[Any]:
        place = self.dataset.table.names.index(name)
        return [row[place] for row in self.rows()]


@pytest.fixture(scope="module")
def provider() -> Iterator[Sandbox]:
    with Sandbox(seed=7) as sandbox:
        sandbox.limits = dict.fromkeys(sandbox.answers.catalogue.providers)
        yield sandbox


@pytest.fixture
def asking(
    provider: Sandbox, tmp_path: Any, clean_environment: None
) -> Iterator[Callable[[Dataset], Asking]]:
    opened: list[Asking] = []

    def make(dataset: Dataset) -> Asking:
        opened.append(Asking(provider, dataset, str(tmp_path)))
        return opened[-1]

    yield make
    for each_one in opened:
        each_one.store.close()


def proven(dataset: Dataset, entry: Entry) -> bool:
    """Whether a day with rows counts as whole; messages older than their reach count on no day."""
    rows = entry.rows or dataset.table.revision
    return bool(entry.state is State.COMPLETE and entry.coverage == 1 and rows)


# --- declarations ----------------------------------------------------------------------------------

# What a column of that unit is called at its end.
UNITS = {
    "Hz": "_hz",
    "MW": "_mw",
    "MWh": "_mwh",
    "GBP": "_gbp",
    "GBP/MWh": "_gbp_per_mwh",
    "GBP/MW/h": "_gbp_per_mw_per_h",
    "currency/MWh": "_per_mwh",
    "currency/price_unit": "price",  # both stand beside it, row by row
    "gCO2/kWh": "_gco2_per_kwh",
    "degC": "_degc",
    "kV": "_kv",
    "%": "_percent",
    "s": "_s",
}
# A float without a unit says in its name that it is a pure number.
PURE_NUMBER = re.compile(r"probability|factor|share|fraction")


@every_declaration
def test_key_and_columns_are_declared_soundly(dataset: Dataset) -> None:
    table = dataset.table
    assert len(set(table.names)) == len(table.names)
    spellings = Counter(column.spelling for column in table.columns)
    assert max(spellings.values()) == 1
    assert table.key and set(table.key) <= set(table.names)
    assert not any(table.column(name).optional for name in table.key)
    for name in filter(None, (table.time, table.version, table.scope)):
        assert name in table.names
    for name in filter(None, (table.time, table.version)):
        assert table.column(name).dtype == "time"
    defaults = {setting.key: setting.default for setting in job.all_settings()}
    scopes = dataset.scopes(load_settings(job.all_settings(), defaults))
    assert bool(table.scope) == (scopes != ("",))
    counted = dataset.completeness
    assert {counted.series, counted.value} - {""} <= set(table.names)
    assert dataset.lag >= timedelta(0) < dataset.widest
    assert list(dataset.revisions) == sorted(set(dataset.revisions))
    assert dataset.groups and dataset.title and dataset.provider.attribution


@every_declaration
def test_every_column_has_a_description_and_a_unit(dataset: Dataset) -> None:
    for column in dataset.table.columns:
        assert column.description.strip(), column.name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column.name)
        if column.dtype == "time":
            assert column.unit == "UTC", column.name
        elif column.unit:
            assert column.name.endswith(UNITS[column.unit]), column.name
        elif GENERATED not in dataset.groups:  # of those nobody knows the units
            assert column.dtype != "float" or PURE_NUMBER.search(column.name), column.name
            assert not column.name.endswith(tuple(UNITS.values())), column.name
        if column.bounds:
            assert column.bounds[0] < column.bounds[1], column.name
            assert column.dtype in ("float", "int"), column.name


# --- days ------------------------------------------------------------------------------------------


@each
@pytest.mark.parametrize("day", [SHORT_DAY, LONG_DAY], ids=["46 periods", "50 periods"])
def test_both_clock_changes_are_exact(
    dataset: Dataset, day: date, asking: Callable[[Dataset], Asking]
) -> None:
    """Complete, nothing noted, every row inside the settlement day, and as many as there must be."""
    one = asking(dataset)
    day = max(day, one.plain_day) if day == SHORT_DAY else day
    entry = one.entry(day)
    assert proven(dataset, entry) and not entry.note
    rows = one.rows()
    if dataset.table.whole and dataset.table.time not in dataset.table.whole:
        assert rows and len(rows) >= entry.rows  # messages come with their rows of other days
        return
    assert len(rows) == entry.rows or dataset.completeness.value
    if not dataset.table.time:
        return
    window = day_window(day).reaching_back(dataset.reach)
    assert_inside(one.column(dataset.table.time), dataset.table.column(dataset.table.time), window)
    if "settlement_date" in dataset.table.names and dataset.table.time == "period_start":
        assert set(one.column("settlement_date")) == {day.isoformat()}
        assert set(one.column("settlement_period")) <= set(range(1, PERIODS[day] + 1))
    if isinstance(dataset.completeness, Grid):
        moments = window.length // dataset.completeness.cadence
        series = dataset.completeness.series
        counts = Counter(one.column(series) if series else [""] * len(rows))
        assert set(counts.values()) == {moments}
        assert len(set(one.column(dataset.table.time))) == moments


def assert_inside(times: list[str], column: Column, window: Window) -> None:
    """Stored times are UTC, to the second, and lie in the half-open window."""
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text) for text in times), column
    moments = [datetime.strptime(t, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) for t in times]
    assert window.start <= min(moments) and max(moments) < window.end


@each
def test_rows_that_come_twice_or_for_two_days_are_stored_once(
    dataset: Dataset, asking: Callable[[Dataset], Asking]
) -> None:
    """Duplicates in disorder, the day in peace again, and the day before it, which ends where it begins."""
    if "bid" in dataset.table.key:
        pytest.skip("equal bids are several bids: nothing tells that one was sent twice")
    one = asking(dataset)
    now = day_window(LONG_DAY).end + dataset.lag + HOUR
    entry = one.entry(LONG_DAY, Fault("duplicates", fraction=0.5), now=now)
    assert proven(dataset, entry) and not entry.note
    rows, history = one.rows(), one.rows("_history")
    again = one.ask(LONG_DAY, now=now)
    assert again.changed == 0
    assert one.rows() == rows and one.rows("_history") == history
    if dataset.table.time:
        one.entry(LONG_DAY - timedelta(days=1), now=now)
        assert set(rows) <= set(one.rows())
    assert_keys_unique(one)


def assert_keys_unique(one: Asking) -> None:
    places = [one.dataset.table.names.index(name) for name in one.dataset.table.key]
    counted = Counter(tuple(row[at] for at in places) for row in one.rows())
    assert max(counted.values()) == 1


@each
def test_no_rows_are_neither_zero_nor_an_error(
    dataset: Dataset, asking: Callable[[Dataset], Asking]
) -> None:
    one = asking(dataset)
    entry = one.entry(one.plain_day, Fault("empty"))
    expected = State.COMPLETE if isinstance(dataset.completeness, Events) else State.EMPTY
    assert entry.state is expected and entry.rows == 0
    assert one.rows() == []
    assert proven(dataset, one.entry(one.plain_day))


@each
def test_what_is_asked_too_early_is_not_called_complete(
    dataset: Dataset, asking: Callable[[Dataset], Asking]
) -> None:
    early = asking(dataset)
    window = day_window(early.plain_day)
    before = window.end + dataset.lag / 2 if dataset.lag else window.start + 12 * HOUR
    entry = early.entry(early.plain_day, now=before)
    # Where nothing is left to come, the lag need not be waited for.
    whole = dataset.completeness.sure_early and entry.coverage == 1
    assert entry.state is (State.COMPLETE if whole else State.NOT_DUE)
    assert proven(dataset, early.entry(early.plain_day))
    assert_keys_unique(early)


@each
def test_a_revision_moves_the_old_version_to_history(
    dataset: Dataset, asking: Callable[[Dataset], Asking]
) -> None:
    """Every version that ever came is in table or history, once; keys stay unique."""
    one = asking(dataset)
    one.entry(one.plain_day)
    before, known = set(one.rows()), set(one.rows("_history"))
    done = one.ask(one.plain_day, revision_of(dataset), now=_later(dataset))
    assert not done.failures
    after, history = one.rows(), one.rows("_history")
    assert done.changed and set(after) != before
    assert before <= set(after) | set(history)
    assert len(set(after)) == len(after)
    gone = Counter(history) - Counter(known)
    assert set(gone) <= before | set(after) and set(gone).isdisjoint(after)
    assert max(gone.values(), default=1) == 1
    assert_keys_unique(one)
    # The same answer again is no news.
    assert one.ask(one.plain_day, revision_of(dataset), now=_later(dataset)).changed == 0


def _later(dataset: Dataset) -> datetime:
    return day_window(plain_day_of(dataset)).end + dataset.lag + 2 * HOUR


def revision_of(dataset: Dataset) -> Fault:
    """Other numbers; where a table has none, other words."""
    table = dataset.table
    spelled = getattr(dataset.read, "spelled", ())
    numbers = [
        c for c in table.columns if c.dtype == "float" and c.source and c.source not in spelled
    ]
    if numbers or dataset.key in FAULTED:
        return Fault("revised")
    words = [c for c in table.columns if c.dtype == "text" and c.source and c.name not in table.key]
    return Fault("wrong-type", field=words[0].spelling, value="other words", fraction=0.5)


# --- columns ---------------------------------------------------------------------------------------


@each
def test_an_unknown_column_is_told_and_nothing_else_changes(
    dataset: Dataset, asking: Callable[[Dataset], Asking]
) -> None:
    one = asking(dataset)
    entry = one.entry(one.plain_day, Fault("extra", field=NEW))
    assert proven(dataset, entry) and NEW in entry.note
    assert one.ask(one.plain_day).changed == 0


def touched(dataset: Dataset, kind: str) -> tuple[str | None, str]:
    """The field that a fault spoils, and the word by which an error has to name it."""
    if dataset.key in FAULTED:
        renamed, wrong, word = FAULTED[dataset.key]
        return (renamed if kind == "renamed" else wrong), word
    table, absent = dataset.table, dict(getattr(dataset.read, "absent", ()))
    sent = [c for c in table.columns if c.source and c.spelling not in absent]

    def rank(column: Column) -> tuple[bool, bool, bool]:
        return column.optional, column.dtype == "text", column.name in table.key

    spelling = min(sent, key=rank).spelling
    return spelling, spelling


@each
@pytest.mark.parametrize("kind", ["renamed", "wrong-type"])
def test_what_does_not_fit_fails_its_day_and_stores_nothing(
    dataset: Dataset, kind: str, asking: Callable[[Dataset], Asking]
) -> None:
    if kind == "renamed" and dataset.key in NOTHING_REQUIRED:
        pytest.skip("no column is required")
    one = asking(dataset)
    field, name = touched(dataset, kind)
    value = NEW if kind == "renamed" else "n/a"
    done = one.ask(one.plain_day, Fault(kind, field=field, value=value, fraction=1.0))
    entry = done.entries[one.plain_day]
    assert entry.state is State.FAILED and entry.rows == 0
    assert one.rows() == []
    (said,) = done.failures
    assert entry.note in said and "unforeseen" not in said
    table = dataset.table
    # Of a value that does not fit, our name of the column or of one that is made from it will do.
    named = [f"{table.name}.{c.name}" for c in table.columns] if kind == "wrong-type" else []
    assert any(word in said for word in (name, *named))
    assert kind == "renamed" or "n/a" in said
