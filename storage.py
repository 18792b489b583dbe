"""Stage 3: opening stores, what a write does to history and ledger, and publishing CSV files.

>>> import storage
>>> with storage.open_store("sqlite:///:memory:") as store:
...     print(len(store.read("wind_solar", "2024-10-27")))
0
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from domain.errors import StoreError, StoreMismatch, UsageError
from domain.ledger import Entry, Span, State, Tally, answered
from domain.settlement import ONE_DAY, day_window, days_in, days_window, settlement_columns
from domain.tables import Table
from domain.windows import Window
from products import PRODUCTS
from products.product import Product
from sources import DATASETS, PROVIDERS
from sources.dataset import Answer, Dataset
from stores.ledger import InputFile
from stores.sql import LIVE, SYNTHETIC, SqlStore
from utils import PROJECT, Setting, folder, load_settings, without_password, write_whole

if TYPE_CHECKING:
    import pandas as pd


HOUR = timedelta(hours=1)
POSTGRES = "postgresql://"
# Stricter than the driver, which takes half of a password with an @ in it for the server's name.
_POSTGRES_URL = re.compile(
    POSTGRES + r"((?:[^%/?#@:\s]|%[0-9A-Fa-f]{2})*(:(?:[^%/?#@\s]|%[0-9A-Fa-f]{2})*)?@)?"
    r"([\w.-]+|\[[0-9A-Fa-f:.]+\])?(:\d+)?/[^/?#@\s]+(\?[^#@\s]*)?"
)
# Tables of so many rows a day are kept in parts, where the database can do that.
LARGE_ROWS_A_DAY = 2000


def store_url(value: str) -> str:
    """A parser of ``STORE_URL``."""
    if value.startswith(POSTGRES):
        if not _POSTGRES_URL.fullmatch(value):
            raise ValueError(
                "it must look like postgresql://USER:PASSWORD@HOST:PORT/DATABASE, special characters "
                "of user and password as %XX"
            )
    elif not value.startswith("sqlite:///") or value == "sqlite:///":
        raise ValueError(
            "it must look like sqlite:///output/gridledger.db or postgresql://USER@HOST/DATABASE"
        )
    return value


SETTINGS = (
    Setting("OUTPUT_DIR", "output", folder, "Folder of the CSV files and the log."),
    Setting(
        "STORE_URL",
        "sqlite:///output/gridledger.db",
        store_url,
        "Where rows, history and ledger are kept: sqlite:///FILE, relative to the project, or "
        "postgresql://USER:PASSWORD@HOST:PORT/DATABASE.",
        shown=without_password,
    ),
)


@cache
def tables() -> dict[str, Table]:
    """The tables of every dataset, under key and aliases, and of every product."""
    found: dict[str, Table] = {}
    for dataset in DATASETS:
        for name in (dataset.key, *dataset.aliases):
            found[name] = dataset.table
    return found | {product.key: product.table for product in PRODUCTS}


def open_store(url: str | None = None, *, create: bool = True) -> SqlStore:
    """Open the store at ``url``, or the configured one, making it where it does not exist.

    With ``create=False`` a store that does not exist is an empty one in memory.

    ``sqlite:///FILE`` (relative to the project), ``sqlite:////absolute/FILE``,
    ``sqlite:///:memory:`` or ``postgresql://USER:PASSWORD@HOST:PORT/DATABASE``. Use it in a ``with``
    block. Raises UsageError for a URL of another kind or one that the server refuses, StoreMismatch
    for a store that is not ours or is newer than this program, StoreError where it cannot be opened.
    """
    from stores.sqlite import IN_MEMORY, SqliteStore

    url = url or str(load_settings(SETTINGS)["STORE_URL"])
    try:
        path = store_url(url).removeprefix("sqlite:///")
    except ValueError as problem:
        raise UsageError(f"STORE_URL={urlsplit(url).scheme}:… is not allowed: {problem}.") from None
    if url.startswith(POSTGRES):
        store = _open_postgres(url, create=create)
        if store:
            return store
        path = IN_MEMORY
    file = Path(path) if path == IN_MEMORY else PROJECT / path
    if not create and not file.exists():
        file = Path(IN_MEMORY)
    return SqliteStore(url, file, tables())


def _open_postgres(url: str, *, create: bool) -> SqlStore | None:
    """The store there; None where there is none and none is to be made."""
    from stores.postgres import PostgresStore

    large = {d.table.name for d in DATASETS if d.rows_a_day >= LARGE_ROWS_A_DAY}
    store = PostgresStore(url, tables(), large=large)
    try:
        if create:
            store.prepare()
    except BaseException:
        store.close()
        raise
    if store.exists:
        return store
    store.close()
    return None


# --- write policy -----------------------------------------------------------------------------

# Rows of a day or a year begin at a midnight up to so far from that of the settlement day.
EDGE = timedelta(hours=3)


def write_answer(
    store: SqlStore, dataset: Dataset, scope: str, window: Window, answer: Answer, now: datetime
) -> tuple[list[Entry], int]:
    """Store a provider's answer for a window, with the ledger entries of the days it touches.

    Returns the entries and how many rows changed. Rows, history and entries stand or fall together.
    """
    days = days_in(window)
    recorded: list[Entry] = []

    def entries(changed: pd.Series) -> list[Entry]:
        recorded.clear()
        known = store.entries(dataset.key, days[0], days[-1], scope)
        tallies_of = _tallies(store, dataset, scope, [days[0] - ONE_DAY, *days])
        before = tallies_of(days[0] - ONE_DAY)
        silent = answer.rows.frame.empty and store.silent(dataset.key, scope, days[0])
        times = changed.dropna().sort_values()
        for day in days:
            span = day_window(day)
            tallies = tallies_of(day)
            first, end = (times.searchsorted(at) for at in (span.start - dataset.reach, span.end))
            changes = int(end - first)
            entry = answered(
                dataset.key,
                scope,
                day,
                dataset.completeness,
                dataset.lag,
                tallies,
                changes if dataset.table.time else len(changed),
                known.get((scope, day)),
                now,
                whole=window.common(span) == span,
                silent=silent,
                note="; ".join(
                    [
                        *_oddities(answer),
                        *_breaks(dataset, before, tallies),
                        *_jumps(store, dataset, scope, day),
                    ]
                ),
            )
            before = tallies or before
            recorded.append(entry)
        return recorded

    changed = store.write(
        dataset.table,
        answer.rows.frame,
        older=answer.rows.older,
        known_at=now,
        synthetic=answer.synthetic,
        entries=entries,
        asked=window,
        taken_back=answer.taken_back,
    )
    return recorded, changed


def write_files(
    store: SqlStore,
    dataset: Dataset,
    answer: Answer,
    files: Iterable[InputFile],
    rejects: Mapping[str, Sequence[tuple[int | None, str]]],
    days: Iterable[date],
    now: datetime,
) -> tuple[list[Entry], int]:
    """Store the rows of files that were read, with the entries of ``days`` and of the days they touch.

    Returns the entries and how many rows changed. Rows, entries and the list of files read stand or
    fall together.
    """
    import pandas as pd

    recorded: list[Entry] = []

    def entries(changed: pd.Series) -> list[Entry]:
        recorded.clear()
        dates = settlement_columns(changed)["settlement_date"] if len(changed) else pd.Series()
        counts = dates.value_counts()
        by_day = {pd.Timestamp(str(day)).date(): int(rows) for day, rows in counts.items()}
        touched = sorted({*by_day, *days})
        known = store.entries(dataset.key, touched[0], touched[-1]) if touched else {}
        tallies_of = _tallies(store, dataset, "", touched)
        for day in touched:
            recorded.append(
                answered(
                    dataset.key,
                    "",
                    day,
                    dataset.completeness,
                    dataset.lag,
                    tallies_of(day),
                    by_day.get(day, 0),
                    known.get(("", day)),
                    now,
                    note="; ".join(_oddities(answer)) if day in by_day else "",
                )
            )
        store.note_files(dataset.key, files, rejects, now)
        return recorded

    changed = store.write(
        dataset.table,
        answer.rows.frame,
        older=answer.rows.older,
        known_at=now,
        synthetic=answer.synthetic,
        entries=entries,
    )
    return recorded, changed


def _tallies(
    store: SqlStore, dataset: Dataset, scope: str, days: Sequence[date]
) -> Callable[[date], dict[str, Tally]]:
    """What tells of each of these days how much the table has of it."""
    complete, table = dataset.completeness, dataset.table
    if dataset.reach:
        return _held(store, dataset, scope, days_window(days[0], days[-1]))
    length = table.length if isinstance(complete, Span) else ""
    return lambda day: store.tally(
        table, day_window(day), scope, complete.series, length, complete.value
    )


def _held(
    store: SqlStore, dataset: Dataset, scope: str, window: Window
) -> Callable[[date], dict[str, Tally]]:
    """What tells of a day in the window which rows hold on it, from whenever, and for how much of it."""
    import numpy as np
    import pandas as pd

    table, series = dataset.table, dataset.completeness.series
    used = [table.time, table.length, *([series] if series else [])]
    where = {table.scope: scope} if scope else None
    # Read once: years of units hold on each of a year's days.
    rows = store.read_table(table, window.reaching_back(dataset.reach), where, used)
    begin = rows[table.time].astype("int64").to_numpy() / 1e6
    until = begin + rows[table.length].to_numpy()
    labels = rows[series] if series else pd.Series([""] * len(rows), dtype="str")
    numbers, names = pd.factorize(labels, sort=True)
    # In order of time within each series, so that what rows share counts once.
    order = np.lexsort((begin, numbers))
    begin, until, numbers = begin[order], until[order], numbers[order]
    before = pd.Series(until).groupby(numbers).cummax().groupby(numbers).shift().fillna(-np.inf)
    edge = EDGE.total_seconds() if isinstance(dataset.completeness, Span) else 0.0

    def of(day: date) -> dict[str, Tally]:
        span = day_window(day)
        latest, earliest = span.end.timestamp(), span.start.timestamp()
        held = (begin < latest) & (until > earliest)
        seconds = np.minimum(until, latest) - np.maximum(np.maximum(begin, before), earliest)
        counts = np.bincount(numbers[held], minlength=len(names))
        totals = np.bincount(numbers[held], seconds[held].clip(0), len(names))
        totals[totals >= span.length.total_seconds() - edge] = span.length.total_seconds()
        own = (counts > 0) & (totals >= edge)
        kept = own if own.any() else counts > 0
        return {
            str(name): Tally(int(count), float(total))
            for name, count, total in zip(names[kept], counts[kept], totals[kept], strict=True)
        }

    return of


def _oddities(answer: Answer) -> Iterator[str]:
    """What a person should know of an answer that is otherwise fine."""
    rows = answer.rows
    if rows.unknown:
        yield f"unknown columns {', '.join(rows.unknown)}"
    if rows.conflicts:
        yield f"{rows.conflicts} rows came twice with different values"
    if answer.stray:
        yield f"{answer.stray} rows lay outside what was asked and were left out"
    yield from rows.strange
    if answer.said:
        yield f"the provider says: {answer.said}"


def _breaks(
    dataset: Dataset, before: Mapping[str, Tally], tallies: Mapping[str, Tally]
) -> Iterator[str]:
    """What changed in kind since the day before: series that are gone, another resolution."""
    gone = set(before) - set(tallies) if tallies else set()
    if gone:
        yield f"{', '.join(sorted(gone))} was there the day before and is missing"
    # Of a row that holds for longer, days have parts of any length.
    told = isinstance(dataset.completeness, Span) and not dataset.reach
    for name in before.keys() & tallies.keys() if told else ():
        then, present = (round(t.seconds / t.rows) for t in (before[name], tallies[name]))
        if then != present:
            yield f"resolution of {name or 'the rows'} changed from {then} s to {present} s"


def _jumps(store: SqlStore, dataset: Dataset, scope: str, day: date) -> Iterator[str]:
    """Quantities that are another than before by more than they ever are, over a day or at its start."""
    today, yesterday = day_window(day), day_window(day - ONE_DAY)
    first, last = Window(today.start, today.start + HOUR), Window(today.start - HOUR, today.start)
    for column in dataset.table.columns:
        for factor, now, before, called in (
            (column.steady, today, yesterday, "the day"),
            (column.smooth, first, last, "in its first hour, in the hour"),
        ):
            if factor is None:
                continue
            means = [store.mean(dataset.table, column.name, at, scope) for at in (before, now)]
            then, present = (abs(mean or 0.0) for mean in means)
            if then and present and not 1 / factor <= present / then <= factor:
                yield (
                    f"mean {column.name} {present:.4g} against {then:.4g} {called} before: has the "
                    "unit changed?"
                )


def write_product(
    store: SqlStore,
    product: Product,
    clock: tzinfo,
    frame: pd.DataFrame,
    inputs: Mapping[date, tuple[str, State]],
    now: datetime,
) -> list[Entry]:
    """Store a product's rows for whole consecutive days of ``clock``, with their entries.

    ``inputs`` gives for each day the fingerprint of what it was computed from and the state that
    its inputs allow. Rows that the new computation no longer has go to history.
    """
    recorded: list[Entry] = []

    def entries(changed: pd.Series) -> list[Entry]:
        recorded.clear()
        known = store.entries(product.key, min(inputs), max(inputs))
        times = frame[product.table.time]
        for day, (fingerprint, state) in inputs.items():
            span = day_window(day, clock)
            of_day = ((times >= span.start) & (times < span.end)).to_numpy()
            changes = int(((changed >= span.start) & (changed < span.end)).sum())
            previous = known.get(("", day))
            rows = int(of_day.sum())
            recorded.append(
                Entry(
                    key=product.key,
                    scope="",
                    day=day,
                    window=span,
                    state=state,
                    rows=rows,
                    expected=rows,
                    coverage=_mean_coverage(frame[of_day]),
                    version=(previous.version if previous else 0) + (changes > 0),
                    asked_at=now,
                    counted_at=now,
                    inputs=fingerprint,
                )
            )
        return recorded

    store.write(
        product.table,
        frame,
        known_at=now,
        synthetic=store.origin == SYNTHETIC,
        entries=entries,
        replace=days_window(min(inputs), max(inputs), clock),
    )
    return recorded


def _mean_coverage(frame: pd.DataFrame) -> float:
    if not len(frame):
        return 0.0
    return round(float(frame["coverage"].mean()), 9) if "coverage" in frame.columns else 1.0


# --- publishing -------------------------------------------------------------------------------


def claim_output(output: Path, origin: str) -> None:
    """Say in ``ATTRIBUTION.txt`` what the files are and whose data; refuse to mix live and synthetic.

    Raises StoreMismatch where the folder already holds files of the other origin.
    """
    path = output / "ATTRIBUTION.txt"
    present = path.read_text(encoding="utf-8") if path.exists() else ""
    for kind in (LIVE, SYNTHETIC):
        if kind != origin and present.startswith(f"Origin: {kind}"):
            raise StoreMismatch(
                f"the folder {output.name} holds {kind} files and the new ones are {origin}: the two "
                "are never mixed. Set OUTPUT_DIR to another folder."
            )
    text = attribution(origin)
    if present != text:
        _saved(path, text.encode())


def attribution(origin: str) -> str:
    """Origin, licences and units notice of a folder of CSV files."""
    lines = [f"Origin: {origin}"]
    if origin == SYNTHETIC:
        lines.append(
            "Every number here is SYNTHETIC: made by gridledger's sandbox for demonstration and "
            "tests. Nothing of it was measured or published by anyone."
        )
    lines += ["", "Data of these providers, under their licences:"]
    lines += [f"- {provider.title}: {provider.attribution}" for provider in PROVIDERS]
    lines += [
        "",
        "Times are UTC, intervals are labelled by their start, units are in the column names, "
        "discharge and export are positive.",
    ]
    return "\n".join(lines) + "\n"


def csv_of_days(
    table: Table, frame: pd.DataFrame, spans: Mapping[date, Window]
) -> dict[date, bytes]:
    """The CSV file of each day from the rows of them all: formatting once saves most of the time."""
    import numpy as np

    from stores.files import csv_lines

    header, *cells = csv_lines(table, frame)
    lines, times = np.array(cells, dtype=object), frame[table.time]
    return {
        day: "".join([header, *lines[(times >= span.start) & (times < span.end)]]).encode()
        for day, span in spans.items()
    }


def publish_day(
    output: Path, product: Product, day: date, content: bytes, *, newest: bool
) -> list[Path]:
    """Write one day's CSV file, and the product's own file where it is the newest day.

    Returns the files that could not take their name because another program holds them open; their
    content stands beside them as ``<product>.new.csv``. Raises StoreError where the disk refuses.
    """
    targets = [output / day.isoformat() / f"{product.key}.csv"]
    if newest:
        targets.append(output / f"{product.key}.csv")
    return [path for path in targets if not _saved(path, content)]


def publish_documents(output: Path, day: date, documents: Mapping[str, bytes]) -> list[Path]:
    """Write further files of a day; see ``publish_day``."""
    paths = {output / day.isoformat() / name: content for name, content in documents.items()}
    return [path for path, content in paths.items() if not _saved(path, content)]


def _saved(path: Path, content: bytes) -> bool:
    """Write a file whole; False where it is held open and the content went beside it."""
    beside = path.with_suffix(f".new{path.suffix}")
    try:
        try:
            write_whole(path, content)
        except PermissionError:
            if not path.exists() or not os.access(path.parent, os.W_OK):
                raise
            write_whole(beside, content)
            return False
        beside.unlink(missing_ok=True)
    except OSError as trouble:
        raise StoreError(
            f"{path.parent.name}/{path.name} could not be written ({trouble.strerror}): the rows are in "
            "the store and the file is written by the next run."
        ) from None
    return True
