"""The ledger against a plain dict: any order of answers, failures, crashes and nights.

Hypothesis makes up a provider that says everything at once, piecemeal, twice, late, wrong or not at
all, asks it through ``fetch_data.fetch_windows`` into a real SQLite file, and holds what stands there
against a model of dicts and lists that knows neither SQL nor pandas.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import fetch_data
import storage
from domain.errors import Unreachable
from domain.ledger import Grid
from domain.tables import Column, Table, conform
from domain.windows import Window
from sources.dataset import Answer, Dataset
from sources.elexon_rows import ELEXON
from stores.sqlite import SqliteStore
from tests.integration.conftest import rows_of
from utils import load_settings

HOUR = timedelta(hours=1)
# Two plain days around the one of 25 hours.
DAYS = (date(2024, 10, 26), date(2024, 10, 27), date(2024, 10, 28))
STARTS = (
    datetime(2024, 10, 25, 23, tzinfo=UTC),
    datetime(2024, 10, 26, 23, tzinfo=UTC),
    datetime(2024, 10, 28, 0, tzinfo=UTC),
    datetime(2024, 10, 29, 0, tzinfo=UTC),
)
LAG = timedelta(hours=4)
UNITS = ("east", "west")
VALUES = (1.0, 2.0, 3.0)
SPACING_H = 1 + 20 + 44 + 92

METERED = Table(
    "metered",
    (
        Column("period_start", "time", "UTC", "Start of the hour"),
        Column("unit", "text", "", "Which unit"),
        Column("output_mw", "float", "MW", "Mean power"),
        Column("publish_time", "time", "UTC", "When it was published"),
    ),
    key=("period_start", "unit"),
    time="period_start",
    version="publish_time",
)
# Without a publish time the later arrival is the newer version.
COUNTED = replace(METERED, name="counted", columns=METERED.columns[:3], version="")

Key = tuple[datetime, str]
Version = tuple[Key, float, str]


@dataclass
class Day:
    """What the model knows of a day's ledger entry."""

    version: int = 0
    known: bool = False
    steady: list[datetime] = field(default_factory=list)


def text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


class Ledger(RuleBasedStateMachine):
    """One dataset of hourly rows in two series, three days, and everything that can happen."""

    table = METERED

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "grid.db"
        self.now = STARTS[0] + 2 * HOUR
        self.current: dict[Key, tuple[float, str]] = {}
        self.history: Counter[Version] = Counter()
        self.days = {day: Day() for day in DAYS}
        self.said: tuple[Window, list[Version]] | None = None
        self.trouble: Exception | None = None
        defaults = {setting.key: setting.default for setting in fetch_data.SETTINGS}
        self.settings = load_settings(fetch_data.SETTINGS, defaults)
        self.dataset = Dataset(
            key=self.table.name,
            title="made up",
            provider=ELEXON,
            table=self.table,
            read=self._read,
            widest=timedelta(days=7),
            completeness=Grid(HOUR, "unit"),
            lag=LAG,
            available_from=date(2016, 1, 1),
        )
        self.store = self._open()

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def _open(self) -> SqliteStore:
        return SqliteStore(f"sqlite:///{self.path}", self.path, {self.table.name: self.table})

    # --- the provider ------------------------------------------------------------------------

    def _read(self, dataset: Dataset, scope: str, window: Window, client: Any) -> Answer:
        if self.trouble:
            raise self.trouble
        assert self.said is not None
        rows = [v for v in self.said[1] if window.start <= v[0][0] < window.end]
        data: dict[str, list[Any]] = {
            "period_start": [text(key[0]) for key, _, _ in rows],
            "unit": [key[1] for key, _, _ in rows],
            "output_mw": [value for _, value, _ in rows],
            "publish_time": [published for _, _, published in rows],
        }
        kept = {name: data[name] for name in self.table.names}
        return Answer(conform(self.table, kept, "by hand"), 0, 1, True)

    def _ask(self, window: Window, *, again: bool = True) -> Any:
        return fetch_data.fetch_windows(
            [(self.dataset, "", window)],
            self.store,
            self.settings,
            self.now,
            by_name=again,
            again=again,
        )

    def _tell(self, window: Window, rows: Sequence[Version]) -> None:
        """The provider says ``rows`` when asked for the window; model and store take them."""
        self.said, self.trouble = (window, list(rows)), None
        if window.start >= self.now:
            return
        report = self._ask(window)
        assert not report.fetched[0].failures, report.fetched[0].failures
        # Of days that have not begun nothing is asked.
        asked = [day for day, begins in zip(DAYS, STARTS, strict=False) if begins < self.now]
        self._take(window, [v for v in rows if self._day(v[0][0]) in asked], asked)

    def _take(self, window: Window, rows: Sequence[Version], asked: Sequence[date]) -> None:
        """What an answer must do, told with a dict."""
        changed: Counter[date] = Counter()
        by_key: dict[Key, list[tuple[str, float]]] = {}
        for key, value, published in rows:
            by_key.setdefault(key, []).append((published, value))
        for key, versions in by_key.items():
            published, value = max(versions)
            stored = self.current.get(key)
            if stored is None:
                self.current[key] = (value, published)
                changed[self._day(key[0])] += 1
            elif stored == (value, published):
                pass
            elif published < stored[1]:
                self._remember((key, value, published))
            else:
                self.history[(key, *stored)] += 1
                self.current[key] = (value, published)
                changed[self._day(key[0])] += 1
        for key, versions in by_key.items():
            for published, value in sorted(set(versions))[:-1]:
                self._remember((key, value, published))
        for number, day in enumerate(DAYS):
            span = Window(STARTS[number], STARTS[number + 1])
            common = window.common(span)
            if common is None or day not in asked:
                continue
            model = self.days[day]
            model.known = True
            model.version += changed[day] > 0
            if common == span:
                if changed[day]:
                    model.steady = []
                if self.now >= span.end + LAG:
                    model.steady.append(self.now)
            elif changed[day]:
                model.steady = []

    def _remember(self, version: Version) -> None:
        key, value, published = version
        if not self.history[version] and self.current.get(key) != (value, published):
            self.history[version] += 1

    @staticmethod
    def _day(moment: datetime) -> date:
        return DAYS[max(n for n in range(3) if STARTS[n] <= moment)]

    def _published(self, hours: int) -> str:
        return text(STARTS[0] + timedelta(days=4, hours=hours)) if self.table.version else ""

    # --- what may happen ---------------------------------------------------------------------

    _spans = st.tuples(st.integers(0, 2), st.integers(0, 2)).map(sorted)

    def _window(self, span: Sequence[int]) -> Window:
        return Window(STARTS[span[0]], STARTS[span[1] + 1])

    def _grid(self, window: Window, units: Sequence[str] = UNITS) -> list[Key]:
        hours = int(window.length / HOUR)
        return [(window.start + n * HOUR, unit) for n in range(hours) for unit in units]

    @initialize(span=_spans)
    def begin(self, span: list[int]) -> None:
        self._tell(self._window(span), [])

    @rule(span=_spans, value=st.sampled_from(VALUES), published=st.integers(0, 3))
    def full_answer(self, span: list[int], value: float, published: int) -> None:
        window = self._window(span)
        # One publication has one value: else a tie would say which arrived first, see below.
        value = value if not self.table.version else VALUES[published % 3]
        at = self._published(published)
        self._tell(window, [(key, value, at) for key in self._grid(window)])

    @rule(span=_spans, seed=st.integers(0, 99), share=st.sampled_from([0.1, 0.5, 0.9, 0.98]))
    def partial_answer(self, span: list[int], seed: int, share: float) -> None:
        window, rng = self._window(span), random.Random(seed)
        rows = [(key, 1.0, self._published(0)) for key in self._grid(window)]
        self._tell(window, [row for row in rows if rng.random() < share])

    @rule(span=_spans, unit=st.sampled_from(UNITS))
    def one_series_only(self, span: list[int], unit: str) -> None:
        window = self._window(span)
        self._tell(window, [(key, 1.0, self._published(0)) for key in self._grid(window, [unit])])

    @rule(span=_spans)
    def empty_answer(self, span: list[int]) -> None:
        self._tell(self._window(span), [])

    @rule(span=_spans, seed=st.integers(0, 99), published=st.integers(0, 3))
    def duplicated_and_shuffled(self, span: list[int], seed: int, published: int) -> None:
        """Rows twice, and of some an older or newer publication in the same answer."""
        window, rng = self._window(span), random.Random(seed)
        rows = []
        for key in self._grid(window):
            for n in [*rng.sample(range(4), rng.randint(0, 2)), published]:
                rows += [(key, VALUES[n % 3], self._published(n))] * rng.randint(1, 2)
        rng.shuffle(rows)
        self._tell(window, rows)

    @rule(span=_spans, seed=st.integers(0, 99), published=st.integers(0, 3))
    def some_revised(self, span: list[int], seed: int, published: int) -> None:
        """A publication of a few rows, newer or (late) older than what is there."""
        window, rng = self._window(span), random.Random(seed)
        keys = rng.sample(self._grid(window), 5)
        self._tell(window, [(k, VALUES[published % 3], self._published(published)) for k in keys])

    @rule(seed=st.integers(0, 99), first=st.integers(0, 70), hours=st.integers(1, 30))
    def part_of_days(self, seed: int, first: int, hours: int) -> None:
        begin = STARTS[0] + first * HOUR
        window = Window(begin, min(begin + hours * HOUR, STARTS[3]))
        rng = random.Random(seed)
        rows = [(key, 1.0, self._published(0)) for key in self._grid(window) if rng.random() < 0.7]
        self._tell(window, rows)

    @rule(span=_spans)
    def failed_window(self, span: list[int]) -> None:
        window = self._window(span)
        if window.start >= self.now:
            return
        self.trouble = Unreachable("the provider gave no usable answer; the next run asks again.")
        report = self._ask(window)
        assert len(report.fetched[0].failures) == 1
        for number in range(span[0], span[1] + 1):
            if STARTS[number] < self.now:
                self.days[DAYS[number]].known = True

    @rule(span=_spans, value=st.sampled_from(VALUES), reopen=st.booleans(), after=st.integers(0, 2))
    def crash(self, span: list[int], value: float, reopen: bool, after: int) -> None:
        """An exception inside the transaction, after rows and some entries were written."""
        window = self._window(span)
        if window.start >= self.now:
            return
        self.trouble, self.said = None, (window, [])
        value = value if not self.table.version else VALUES[0]
        rows = [(key, value, self._published(3)) for key in self._grid(window)]
        self.said = (window, rows)
        with failing_after(after), contextlib.suppress(Crash):
            report = self._ask(window)
            # Fewer days than it would have survived: the answer was taken.
            asked = [day for day, begins in zip(DAYS, STARTS, strict=False) if begins < self.now]
            assert report.fetched[0].windows == 1
            self._take(window, [v for v in rows if self._day(v[0][0]) in asked], asked)
        if reopen:
            self.store.close()
            self.store = self._open()

    @rule(hours=st.sampled_from([1, 3, 12, 24, 50, 100]))
    def time_passes(self, hours: int) -> None:
        self.now += hours * HOUR

    @precondition(lambda self: self.said is not None)
    @rule()
    def the_same_again(self) -> None:
        assert self.said is not None
        self._tell(*self.said)

    @rule()
    def a_night_that_asks_what_is_due(self) -> None:
        """The unattended form: what it asks is answered with what is there already."""
        before = {day: entry.version for (_, day), entry in self._entries().items()}
        self.trouble = None
        at = self.current.items()
        self.said = (self._window([0, 2]), [(key, *version) for key, version in at])
        proven = {d for (_, d), e in self._entries().items() if e.state.proven}
        asked: list[Window] = []
        read = self.dataset.read

        def listening(dataset: Dataset, scope: str, window: Window, client: Any) -> Answer:
            asked.append(window)
            return read(dataset, scope, window, client)

        heard = replace(self.dataset, read=listening)
        fetch_data.fetch_windows(
            [(heard, "", self._window([0, 2]))], self.store, self.settings, self.now, by_name=False
        )
        for number, day in enumerate(DAYS):
            span = Window(STARTS[number], STARTS[number + 1])
            if not any(window.common(span) == span for window in asked):
                continue
            assert day not in proven, f"{day} was proven and asked again"
            self.days[day].known = True
            if self.now >= span.end + LAG:
                self.days[day].steady.append(self.now)
        after = {day: entry.version for (_, day), entry in self._entries().items()}
        assert {day: after[day] for day in before} == before

    # --- what must hold ----------------------------------------------------------------------

    def _entries(self) -> dict[Any, Any]:
        return self.store.entries(self.table.name)

    @invariant()
    def no_row_is_lost_or_doubled_and_the_newest_is_current(self) -> None:
        stored = self._stored(self.table.name)
        assert Counter(stored) == Counter((key, *v) for key, v in self.current.items())

    @invariant()
    def every_other_version_is_in_history(self) -> None:
        stored = Counter(self._stored(f"{self.table.name}_history"))
        assert stored == +self.history
        if self.table.version:
            assert set(stored.values()) <= {1}
            assert not set(stored) & {(key, *v) for key, v in self.current.items()}

    def _stored(self, table: str) -> list[Version]:
        found = []
        for row in rows_of(self.path, table):
            moment = datetime.fromisoformat(row["period_start"])
            found.append(((moment, row["unit"]), row["output_mw"], row.get("publish_time", "")))
        return found

    @invariant()
    def the_ledger_says_what_the_tables_hold(self) -> None:
        entries = {day: entry for (_, day), entry in self._entries().items()}
        assert set(entries) == {day for day, model in self.days.items() if model.known}
        for number, day in enumerate(DAYS):
            if day not in entries:
                continue
            entry, span = entries[day], Window(STARTS[number], STARTS[number + 1])
            counts = Counter(
                unit for moment, unit in self.current if span.start <= moment < span.end
            )
            hours = int(span.length / HOUR)
            most = hours * max(len(counts), 1)
            assert entry.window == span
            assert entry.rows == sum(counts.values())
            assert entry.coverage == pytest.approx(sum(counts.values()) / most)
            assert entry.version == self.days[day].version
            full = entry.rows == most
            if str(entry.state) == "complete":
                assert full
            if str(entry.state).startswith("confirmed"):
                steady = self.days[day].steady
                assert not full
                assert len(steady) >= 5
                assert steady[-1] - steady[0] >= timedelta(hours=SPACING_H)
            if str(entry.state) in ("empty", "confirmed_empty"):
                assert entry.rows == 0
            if str(entry.state) in ("partial", "confirmed_partial"):
                assert 0 < entry.coverage < 1
            if full and self.days[day].steady and not entry.note:
                assert str(entry.state) == "complete"

    @invariant()
    def the_file_is_whole(self) -> None:
        assert self.store.execute("PRAGMA quick_check") == [("ok",)]


class Arrivals(Ledger):
    """The same without publish times: what arrives later is current."""

    table = COUNTED


class Crash(BaseException):
    """No error of anybody's: the process as good as died here."""


@contextlib.contextmanager
def failing_after(count: int) -> Iterator[None]:
    """``storage.answered`` dies after ``count`` calls."""
    real, left = storage.answered, [count]

    def dying(*arguments: Any, **more: Any) -> Any:
        if not left[0]:
            raise Crash
        left[0] -= 1
        return real(*arguments, **more)

    storage.answered = dying
    try:
        yield
    finally:
        storage.answered = real


COMMON: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
}


@pytest.mark.parametrize("machine", [Ledger, Arrivals])
def test_ledger_and_tables_agree_with_a_dict(machine: type[Ledger]) -> None:
    # A failure is told with all its steps; the nightly run makes them fewer.
    quick = {"derandomize": True, "phases": [Phase.generate]}
    chosen = settings(**COMMON, **quick, max_examples=12, stateful_step_count=25)
    run_state_machine_as_test(machine, settings=chosen)


@pytest.mark.nightly
@pytest.mark.parametrize("machine", [Ledger, Arrivals])
def test_ledger_and_tables_agree_with_a_dict_all_night(machine: type[Ledger]) -> None:
    chosen = settings(**COMMON, max_examples=250, stateful_step_count=50)
    run_state_machine_as_test(machine, settings=chosen)
