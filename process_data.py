"""Stage 2: find what is missing or stale, load the inputs, compute, check, write, publish.

>>> import tempfile, fetch_data, process_data, storage
>>> from sandbox import Sandbox                      # stands in for the provider here
>>> with Sandbox(now="2024-11-15T00:00:00Z") as api, tempfile.TemporaryDirectory() as folder:
...     url = {"STORE_URL": f"sqlite:///{folder}/grid.db", "OUTPUT_DIR": folder}
...     _ = fetch_data.fetch(["frequency"], "2024-03-31", **url, **api.settings())
...     report = process_data.process(["average_power"], "2024-03-31", **url)
...     with storage.open_store(url["STORE_URL"]) as store:
...         print(len(store.read("average_power", "2024-03-31")))
46
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from computing import Batch, worked_through
from domain.errors import ClusterError, SchemaError
from domain.keys import find_all
from domain.ledger import Entry, State
from domain.settlement import LONDON, ONE_DAY, day_window, days_in, days_window, parse_range
from domain.windows import Window
from executors import SETTINGS as EXECUTOR_SETTINGS
from executors import Cluster, open_cluster
from products import BY_KEY, PRODUCTS
from products.product import Product
from storage import SETTINGS as STORE_SETTINGS
from storage import (
    claim_output,
    csv_of_days,
    open_store,
    publish_day,
    publish_documents,
)
from stores.sql import SqlStore
from utils import Locked, Setting, Settings, load_settings, log, several

if TYPE_CHECKING:
    pass

SETTINGS = (
    *STORE_SETTINGS,
    Setting(
        "PRODUCTS",
        ",".join(product.key for product in PRODUCTS if product.daily),
        several(product.key for product in PRODUCTS),
        "Products of the daily job.",
    ),
    *EXECUTOR_SETTINGS,
    *dict.fromkeys(setting for product in PRODUCTS for setting in product.settings),
)

# Days computed at a time: enough to spread what each pass costs, few enough to stay small; together
# they have at most so many rows, and a larger day stands alone.
DAYS_AT_ONCE = 31
ROWS_AT_ONCE = 250_000
FILES_AT_ONCE = 8
# So many days back what is issued once is caught up.
ISSUED_DAYS = 7


@dataclass
class Processed:
    """What processing did for one product; its days follow ``clock``."""

    product: Product
    window: Window
    clock: tzinfo
    entries: dict[date, Entry] = field(default_factory=dict)
    computed: int = 0
    published: int = 0
    rows: int = 0
    seconds: float = 0.0
    waiting: dict[date, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    held_open: list[Path] = field(default_factory=list)
    locked: bool = False


def find_products(words: Iterable[str]) -> list[Product]:
    """Products by key, in the order asked; UsageError with near matches."""
    return find_all(words, BY_KEY, "product")


def process(
    keys: Iterable[str],
    start: str,
    end: str | None = None,
    *,
    store: SqlStore | None = None,
    **overrides: str,
) -> list[Processed]:
    """Compute products for the settlement days of a range, as far as they are missing or stale.

    Reads from the store and asks no provider. CSV files are published as the daily job does.
    Without ``store`` the configured one is opened; ``overrides`` are settings by name. Raises
    UsageError for an unknown key or a malformed range.
    """
    settings = load_settings(SETTINGS, overrides)
    window = parse_range(start, end)
    wanted = [(product, window) for product in find_products(keys)]
    opening = contextlib.nullcontext(store) if store else open_store(settings["STORE_URL"])
    with opening as opened, open_cluster(settings) as cluster:
        return process_windows(wanted, opened, settings, datetime.now(UTC), cluster=cluster)


def datasets_behind(product: Product) -> set[str]:
    """Keys of the datasets that it is made of, also by way of other products."""
    found: set[str] = set()
    for key in product.inputs:
        found |= datasets_behind(BY_KEY[key]) if key in BY_KEY else {key}
    return found


def products_behind(product: Product) -> set[str]:
    """Keys of the products that it is made of, itself included."""
    found = {product.key}
    for key in product.inputs:
        found |= products_behind(BY_KEY[key]) if key in BY_KEY else set()
    return found


def all_days(product: Product, store: SqlStore, last: date) -> Window | None:
    """The span of days that the product's inputs or the product itself were ever asked for.

    What is issued once is issued for the newest days only: a forecast made years later is a backtest.
    """
    known = [store.known_days(key) for key in (product.key, *product.inputs)]
    first = min((days[0] for days in known if days), default=None)
    if first and product.issued_before_end is not None:
        first = max(first, last - (ISSUED_DAYS - 1) * ONE_DAY)
    return days_window(first, last) if first and first <= last else None


def process_windows(
    wanted: Iterable[tuple[Product, Window]],
    store: SqlStore,
    settings: Settings,
    now: datetime,
    stop: threading.Event | None = None,
    cluster: Cluster | None = None,
) -> list[Processed]:
    """Bring each product's days up to date; see ``process``. ``stop`` ends it between products.

    Days are computed one after the other by this process, or several at once by the workers of a
    ``cluster``, which also write them where the store takes several writers.
    """
    done = []
    for product, window in wanted:
        if stop and stop.is_set():
            break
        days = days_in(window)
        clock = product.clock(settings)
        part = Processed(product, days_window(days[0], days[-1], clock), clock)
        begin = time.perf_counter()
        try:
            with store.lock(product.key):
                _bring_up_to_date(part, store, settings, now, cluster)
        except Locked:
            part.locked = True
            log.warning("%s: locked by another run, skipped", product.key)
        part.seconds = time.perf_counter() - begin
        done.append(part)
    return done


def _bring_up_to_date(
    part: Processed, store: SqlStore, settings: Settings, now: datetime, cluster: Cluster | None
) -> None:
    product, output = part.product, settings["OUTPUT_DIR"]
    assumptions = {name: settings[name.upper()] for name in product.assumptions}
    due, part.waiting = _inputs_of_days(part, store, settings, assumptions, now)
    if not due:
        return
    known = {day: e for (_, day), e in store.entries(product.key, min(due), max(due)).items()}
    part.entries = {day: entry for day, entry in known.items() if day in due}
    stale = [day for day in due if day not in known or known[day].inputs != due[day][0]]
    longest = 1 if product.issued_before_end is not None else DAYS_AT_ONCE
    batches = [
        Batch(
            product.key,
            Window(product.span(days[0], part.clock).start, day_window(days[-1], part.clock).end),
            part.clock,
            {day: due[day] for day in days},
            assumptions,
            now,
        )
        for days in _runs(stale, longest, _rows_of(product.inputs, stale, store))
    ]
    for batch, written in worked_through(batches, store, cluster):
        try:
            entries, rows = written.result()
        except (SchemaError, ClusterError) as trouble:
            part.failures.append(str(trouble))
            log.error("%s %s: %s", product.key, batch.window, trouble)
            continue
        part.entries.update({entry.day: entry for entry in entries})
        part.computed += len(batch.inputs)
        part.rows += rows
        log.info("%s %s: %d rows computed", product.key, batch.window, rows)
    newest = store.newest_day_with_rows(product.key)
    unpublished = [
        day
        for day, entry in sorted(part.entries.items())
        if entry.published != entry.inputs or _file_missing(output, product, day, newest)
    ]
    for days in _runs(unpublished, DAYS_AT_ONCE, _rows_of([product.key], unpublished, store)):
        _publish(part, days, newest, store, output)


def _inputs_of_days(
    part: Processed,
    store: SqlStore,
    settings: Settings,
    assumptions: Mapping[str, Any],
    now: datetime,
) -> tuple[dict[date, tuple[str, State]], dict[date, str]]:
    """For each day with input rows the fingerprint of its inputs and the state they allow.

    The second dict says, of the other days that could have rows, what they wait for.
    """
    product = part.product
    inputs = {key: _Input(key, part, store, settings) for key in product.inputs}
    due: dict[date, tuple[str, State]] = {}
    waiting: dict[date, str] = {}
    asked = days_in(part.window, part.clock)
    if not any(product.due(day) for day in asked):
        last = product.span(asked[-1], part.clock).end.astimezone(part.clock).date() - ONE_DAY
        waiting[asked[-1]] = f"it is made of whole months; ask for {last}, the last day of this one"
    for day in filter(product.due, asked):
        window = product.span(day, part.clock)
        if product.monthly and window.end > now:
            waiting[day] = "the month is not over"
            continue
        of_day = {key: one.entries_of(window) for key, one in inputs.items()}
        reached = {key: one.entries_reached_by(window) for key, one in inputs.items()}
        lacking = [
            key
            for key in product.inputs
            if not any(e.rows for e in (reached if key in product.reference else of_day)[key])
        ]
        if set(lacking) - product.optional or set(product.inputs) - product.reference <= set(
            lacking
        ):
            waiting[day] = _what_to_do(lacking, window, part.clock)
            continue
        states = [entry.state for found in of_day.values() for entry in found]
        for key in set(product.inputs) - product.reference - product.optional:
            if product.monthly and len({entry.day for entry in of_day[key]}) < len(
                inputs[key].days_of(window)
            ):
                states.append(State.PARTIAL)
        facts: dict[str, Any] = {"assumptions": dict(assumptions), "states": states}
        for key, found in (of_day if product.issued_before_end is not None else reached).items():
            facts[key] = [(entry.scope, str(entry.day), entry.version) for entry in found]
        text = json.dumps(facts, sort_keys=True)
        due[day] = (hashlib.sha256(text.encode()).hexdigest()[:16], _state_from(states))
    return due, waiting


def _what_to_do(lacking: list[str], window: Window, clock: tzinfo) -> str:
    """What a day waits for, and the command that brings it."""
    datasets = [key for key in lacking if key not in BY_KEY]
    days = days_in(window, clock)
    span = f"--start {days[0]}" + (f" --end {days[-1]}" if len(days) > 1 else "")
    command = f"fetch {' '.join(datasets)}" if datasets else f"process {' '.join(lacking)}"
    return f"no {', '.join(lacking)} stored; type 'python3 run.py {command} {span}' first"


class _Input:
    """The ledger entries of one input, by the windows that a product's days look at."""

    def __init__(self, key: str, part: Processed, store: SqlStore, settings: Settings) -> None:
        self._back = part.product.look_back.get(key, timedelta())
        producer = BY_KEY.get(key)
        self._clock = producer.clock(settings) if producer else LONDON
        first = part.product.span(days_in(part.window, part.clock)[0], part.clock).start
        days = days_in(Window(first - self._back, part.window.end), self._clock)
        found = store.entries(key, days[0], days[-1]).values()
        self._entries = sorted(found, key=lambda entry: (entry.day, entry.scope))
        self._days = [entry.day for entry in self._entries]

    def days_of(self, window: Window) -> list[date]:
        """The days of the input that the window touches."""
        return days_in(window, self._clock)

    def entries_of(self, window: Window) -> list[Entry]:
        """Entries of those days, by day and scope."""
        days = self.days_of(window)
        return self._entries[bisect_left(self._days, days[0]) : bisect_right(self._days, days[-1])]

    def entries_reached_by(self, window: Window) -> list[Entry]:
        """The same with the days before that it looks back to."""
        return self.entries_of(window.reaching_back(self._back))


def _state_from(states: list[State]) -> State:
    """The state of a product day whose inputs stand like this."""
    if all(state is State.COMPLETE for state in states):
        return State.COMPLETE
    if State.NOT_DUE in states:
        return State.NOT_DUE
    return State.CONFIRMED_PARTIAL if all(s.proven for s in states) else State.PARTIAL


def _file_missing(output: Path, product: Product, day: date, newest: date | None) -> bool:
    if not (output / day.isoformat() / f"{product.key}.csv").exists():
        return True
    return day == newest and not (output / f"{product.key}.csv").exists()


def _publish(
    part: Processed, days: list[date], newest: date | None, store: SqlStore, output: Path
) -> None:
    """Write the files of these days from the store, then note that they stand."""
    product = part.product
    origin = store.origin
    claim_output(output, origin)
    rows = store.read_table(product.table, days_window(days[0], days[-1], part.clock))
    spans = {day: day_window(day, part.clock) for day in days}
    contents = csv_of_days(product.table, rows, spans)

    def publish(day: date) -> list[Path]:
        held = publish_day(output, product, day, contents[day], newest=day == newest)
        if product.documents:
            times, span = rows[product.table.time], spans[day]
            of_day = rows[(times >= span.start) & (times < span.end)]
            held += publish_documents(output, day, product.documents(of_day, origin))
        return held

    # Most of a file's time is waiting for the disk to say that it has it.
    with ThreadPoolExecutor(FILES_AT_ONCE if len(days) > 1 else 1) as pool:
        held_open = dict(zip(days, pool.map(publish, days), strict=True))
    for path in (path for paths in held_open.values() for path in paths):
        part.held_open.append(path)
        log.warning("%s: held open, wrote %s beside it", path, path.stem + ".new.csv")
    published = {day: part.entries[day].inputs for day, held in held_open.items() if not held}
    store.mark_published(product.key, published)
    part.published += len(published)


def _rows_of(keys: Iterable[str], days: list[date], store: SqlStore) -> Counter[date]:
    """How many rows the keys have between them on each day, as the ledger counted them."""
    rows: Counter[date] = Counter()
    for key in keys if days else ():
        for entry in store.entries(key, min(days), max(days)).values():
            rows[entry.day] += entry.rows
    return rows


def _runs(days: list[date], longest: int, rows: Counter[date]) -> list[list[date]]:
    """Consecutive days together, at most ``longest`` of them and, of several, ``ROWS_AT_ONCE`` rows."""
    runs: list[list[date]] = []
    held = 0
    for day in sorted(days):
        held += rows[day]
        follows = runs and runs[-1][-1] + ONE_DAY == day
        if follows and len(runs[-1]) < longest and held <= ROWS_AT_ONCE:
            runs[-1].append(day)
        else:
            runs.append([day])
            held = rows[day]
    return runs
