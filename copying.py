"""``copy``: tables, history and ledger from one store into another, each piece compared when it is there.

A piece is a span of time with its rows and its history, written in one transaction. What an earlier copy
brought is compared and passed over, so that a copy that was stopped goes on where it stood. A note in the
target's ``meta`` says of which tables a copy is under way; rows without such a note are someone's own and
are never replaced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

import console
from domain.errors import StoreError, StoreMismatch, UsageError
from domain.tables import Table
from domain.windows import Window, parse_instant
from look import examples
from utils import without_password

if TYPE_CHECKING:
    import pandas as pd

    from stores.sql import SqlStore

ROWS_A_PIECE = 200_000
SHORTEST_PIECE = timedelta(minutes=30)

app = typer.Typer()


@dataclass(frozen=True)
class Copied:
    """What a copy of one table came to; ``pieces`` were written, the others were there already."""

    rows: int
    history: int
    days: int
    pieces: int
    sha256: str


@app.command(
    "copy",
    epilog=examples(
        "copy --from sqlite:///output/gridledger.db --to postgresql://grid@localhost/grid",
        "copy --from postgresql://grid@localhost/grid --to sqlite:///there.db frequency",
    ),
)
def copy(
    source_url: Annotated[str, typer.Option("--from", metavar="URL", help="Store to read.")],
    target_url: Annotated[str, typer.Option("--to", metavar="URL", help="Store to fill.")],
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY...]", help="Datasets and products; all.")
    ] = None,
) -> int:
    """Copy tables, history and ledger from one store into another, compared by counts and hashes.

    Resumable after any stop. A password need not stand in the URL: PGPASSWORD and ~/.pgpass hold it, too.
    """
    from storage import open_store

    if source_url == target_url:
        raise UsageError("--from and --to name the same store.")
    with open_store(source_url, create=False) as source:
        if not source.origin:
            raise UsageError(f"--from {without_password(source_url)} holds nothing to copy.")
        wanted = tables_of(source, keys or [])
        with open_store(target_url) as target:
            rows = []
            for table in wanted:
                done = copy_table(source, target, table)
                rows.append(
                    [table.name, done.rows, done.history, done.days, done.pieces, done.sha256[:16]]
                )
    header = ("key", "rows", "history", "ledger", "pieces written", "sha256 of both")
    console.show("Copied, and equal in both stores", header, rows)
    return 0


def tables_of(source: SqlStore, keys: list[str]) -> list[Table]:
    """The tables of these keys; without keys all that the store has, or has in its ledger."""
    from domain.keys import find_all

    if keys:
        return find_all(keys, source.tables, "dataset or product")
    known = {key for (key,) in source.execute("SELECT DISTINCT key FROM ledger")}
    every = {table.name: table for table in source.tables.values()}
    return [t for name, t in every.items() if name in known or source.columns_of(name)]


def copy_table(source: SqlStore, target: SqlStore, table: Table) -> Copied:
    """Copy a table with its history and ledger; both stores are locked for other runs meanwhile.

    Raises StoreMismatch where the target has rows of its own, StoreError where the outcome is not equal.
    """
    from stores.sql import SYNTHETIC, archived

    current, history = archived(table)
    with source.lock(table.name), target.lock(table.name):
        marked = _mark(source, target, table)
        synthetic = source.origin == SYNTHETIC
        digest = hashlib.sha256()
        written = 0
        for window in _pieces(source, (current, history)):
            ours = [source.read_table(each, window) for each in (current, history)]
            wanted = [
                _fingerprint(each, f) for each, f in zip((current, history), ours, strict=True)
            ]
            if _stored(target, (current, history), window) != wanted:
                if not marked:
                    raise _foreign(target, table)
                target.restore(table, window, ours[0], ours[1], synthetic=synthetic)
                written += 1
                if _stored(target, (current, history), window) != wanted:
                    raise _unequal(table)
            digest.update("".join(wanted).encode())
        counts = [source.size(each).rows for each in (current, history)]
        if [target.size(each).rows for each in (current, history)] != counts:
            raise _unequal(table) if marked else _foreign(target, table)
        days = _copy_ledger(source, target, table)
    return Copied(counts[0], counts[1], days, written, digest.hexdigest())


def _mark(source: SqlStore, target: SqlStore, table: Table) -> bool:
    """Note in the target that this copy is under way; False where it has rows that no copy left."""
    from stores.sql import SYNTHETIC, archived

    name, origin = f"copy of {table.name}", without_password(source.url)
    found = target.execute("SELECT value FROM meta WHERE name = ?", (name,))
    if not found and any(target.size(each).rows for each in archived(table)):
        return False

    def work() -> None:
        target.claim_origin(source.origin == SYNTHETIC)
        target.execute(
            "INSERT INTO meta (name, value) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, origin),
        )

    if found and found[0][0] != origin:
        raise StoreMismatch(
            f"{target.location()} holds part of a copy of {table.name} from {found[0][0]}: finish that "
            "one, or copy into another store."
        )
    target.atomically(work)
    return True


def _copy_ledger(source: SqlStore, target: SqlStore, table: Table) -> int:
    """The table's ledger and list of files; with them the copy is finished."""
    entries = source.entries(table.name)

    def work() -> None:
        for entry in entries.values():
            target.record(entry)
        target.note_files(
            table.name,
            source.input_files(table.name).values(),
            source.rejected_rows(table.name),
            datetime.now(UTC),
        )
        target.execute("DELETE FROM meta WHERE name = ?", (f"copy of {table.name}",))

    target.atomically(work)
    if target.entries(table.name) != entries:
        raise _unequal(table)
    return len(entries)


def _pieces(source: SqlStore, tables: Iterable[Table]) -> Iterator[Window | None]:
    """Spans that hold all rows between them, none with many; None for a list without times."""
    tables = tuple(tables)
    if not tables[0].time:
        yield None
        return
    sizes = [source.size(table) for table in tables]
    times = [time for size in sizes for time in (size.first, size.last) if time]
    if times:
        first, last = parse_instant(min(times)), parse_instant(max(times))
        yield from _halved(source, tables, Window(first, last + timedelta(seconds=1)))


def _halved(source: SqlStore, tables: tuple[Table, ...], window: Window) -> Iterator[Window]:
    tallies = [tally for table in tables for tally in source.tally(table, window).values()]
    if sum(tally.rows for tally in tallies) <= ROWS_A_PIECE or window.length <= SHORTEST_PIECE:
        yield window
        return
    middle = (window.start + window.length / 2).replace(microsecond=0)
    yield from _halved(source, tables, Window(window.start, middle))
    yield from _halved(source, tables, Window(middle, window.end))


def _stored(store: SqlStore, tables: Iterable[Table], window: Window | None) -> list[str]:
    return [_fingerprint(table, store.read_table(table, window)) for table in tables]


def _fingerprint(table: Table, frame: pd.DataFrame) -> str:
    """A hash of rows that does not depend on the store, nor on the order of equal keys."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv

    from domain.tables import to_arrow

    columns = []
    for column, values in zip(table.columns, to_arrow(table, frame).columns, strict=True):
        if column.dtype == "float":
            values = pc.add(values, 0.0)  # SQLite has no negative zero
        elif column.dtype == "time":
            values = values.cast(pa.timestamp("s"))
        columns.append(values)
    rows = pa.table(columns, names=list(table.names))
    rows = rows.sort_by([(name, "ascending") for name in table.names])
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(rows, sink)
    return hashlib.sha256(sink.getvalue()).hexdigest()


def _foreign(target: SqlStore, table: Table) -> StoreMismatch:
    return StoreMismatch(
        f"{target.location()} has rows of {table.name} that are not the source's: nothing was replaced. "
        "Copy into an empty store."
    )


def _unequal(table: Table) -> StoreError:
    return StoreError(
        f"{table.name} is not equal in both stores after the copy: what was copied stays marked as "
        "unfinished. Copy it again; if that does not help, please report it."
    )
