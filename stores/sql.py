"""All that SQL stores share: tables, history, ledger, and the one way in which rows are written.

Beside every table stands ``<table>_history`` with the versions that were current once, and each
row carries ``retrieved_at``. A write puts rows, superseded versions and ledger entries into one
transaction, so that after any crash the ledger says exactly what the tables hold.
"""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from domain.errors import StoreMismatch
from domain.keys import find
from domain.ledger import Entry, Tally
from domain.settlement import parse_range
from domain.tables import Column, Table, to_frame
from domain.windows import Window, parse_instant
from stores.ledger import Ledger
from stores.looking import Looking
from stores.selecting import READ_AS, STORED_AS, check_columns, conditions, no_values
from stores.upsert import RETRIEVED, SUPERSEDED, Upsert, history_of, quoted, stored_rows

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
_NOTHING = "''"
LIVE, SYNTHETIC = "live", "synthetic"
T = TypeVar("T")


@dataclass(frozen=True)
class Size:
    """How much a table holds: rows, and its first and last time as text."""

    table: str
    rows: int
    first: str | None
    last: str | None


class SqlStore(Looking, Ledger):
    """A store of tables with history and a ledger; see the module's head.

    Open one with ``storage.open_store``; it is a context manager. One store object belongs to one
    thread.
    """

    #: how this database spells "equal, and NULL equals NULL"
    same: ClassVar[str]
    joins_by_plan: ClassVar[bool] = False
    types: ClassVar[Mapping[str, str]]

    def __init__(self, url: str, tables: Mapping[str, Table]) -> None:
        self.url = url
        self.tables = tables
        self._ready: set[str] = set()

    # --- what a database must bring -----------------------------------------------------------

    @abstractmethod
    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""

    def columns(self, width: int, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Any]:
        """Run one query and return its ``width`` columns, each a sequence of values."""
        return list(zip(*self.execute(sql, parameters), strict=True)) or [()] * width

    @abstractmethod
    def load(self, target: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert many rows, none of which is there yet."""

    def load_frame(self, target: str, table: Table, frame: pd.DataFrame, retrieved: str) -> None:
        """Insert a frame's rows, none of which is there yet, all retrieved at one instant.

        An empty instant says that the table has its own column for that.
        """
        names = (*table.names, RETRIEVED) if retrieved else table.names
        self.load(target, names, stored_rows(table, frame, retrieved))

    @abstractmethod
    def epoch(self, time: str) -> str:
        """How this database spells an instant in seconds since 1970."""

    def discard(self, condition: str) -> None:
        """Drop the rows ``i`` of the temporary table ``incoming`` that a condition holds for."""
        self.execute(f"DELETE FROM incoming AS i WHERE {condition}")

    def arrays(self, dtypes: Sequence[str], sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Run one query and return its columns as Arrow arrays that fit these dtypes."""
        import pyarrow as pa

        arrays = []
        columns = self.columns(len(dtypes), sql, parameters)
        for dtype, values in zip(dtypes, columns, strict=True):
            array = pa.array(values, STORED_AS[dtype]())
            arrays.append(array.cast(READ_AS[dtype]()) if dtype in READ_AS else array)
        return arrays

    @abstractmethod
    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """All or nothing; translates the database's errors into ours."""

    def atomically(self, work: Callable[[], T]) -> T:
        """Do work in one transaction; where a connection can be lost, again from the work's start."""
        with self.transaction():
            return work()

    @abstractmethod
    def reserve(self, table: Table) -> None:
        """Keep other writers of the table out until the transaction ends."""

    @abstractmethod
    def lock(self, key: str) -> contextlib.AbstractContextManager[None]:
        """Hold a key against other runs; raises utils.Locked where another holds it."""

    @abstractmethod
    def close(self) -> None:
        """Give the connection back."""

    @abstractmethod
    def location(self) -> str:
        """Where it is, for people; never a secret."""

    @abstractmethod
    def moment(self) -> str:
        """What differs as soon as anything in the store does, at the cost of no look at rows."""

    @abstractmethod
    def size_bytes(self) -> int:
        """Bytes on disk."""

    @abstractmethod
    def columns_of(self, table: str) -> list[str]:
        """Column names of an existing table; empty where there is none."""

    _table_options = ""

    # --- opening and the schema ---------------------------------------------------------------

    def __enter__(self) -> SqlStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create_schema(self) -> None:
        """Make the tables that every store has (schema version 1)."""
        text, number, real = (self.types[dtype] for dtype in ("text", "int", "float"))
        self.execute(f"CREATE TABLE meta (name {text} PRIMARY KEY, value {text} NOT NULL)")
        self.execute(
            f"CREATE TABLE ledger (key {text} NOT NULL, scope {text} NOT NULL, day {text} NOT NULL, "
            f"window_start {text} NOT NULL, window_end {text} NOT NULL, state {text} NOT NULL, "
            f"rows {number} NOT NULL, expected {number} NOT NULL, coverage {real} NOT NULL, "
            f"version {number} NOT NULL, asked_at {text} NOT NULL, counted_at {text} NOT NULL, "
            f"answers {number} NOT NULL, inputs {text} NOT NULL, published {text} NOT NULL, "
            f"note {text} NOT NULL, PRIMARY KEY (key, scope, day)){self._table_options}"
        )
        self.execute(
            f"CREATE TABLE columns (table_name {text} NOT NULL, position {number} NOT NULL, "
            f"column_name {text} NOT NULL, dtype {text} NOT NULL, unit {text} NOT NULL, "
            f"description {text} NOT NULL, in_key {number} NOT NULL, "
            f"PRIMARY KEY (table_name, position)){self._table_options}"
        )
        self.execute(
            f"CREATE TABLE input_files (dataset {text} NOT NULL, file {text} NOT NULL, "
            f"sha256 {text} NOT NULL, size {number} NOT NULL, modified_ns {number} NOT NULL, "
            f"rows {number} NOT NULL, PRIMARY KEY (dataset, file)){self._table_options}"
        )
        self.execute(
            f"CREATE TABLE rejected_rows (dataset {text} NOT NULL, file {text} NOT NULL, "
            f"line {number}, reason {text} NOT NULL, read_at {text} NOT NULL)"
        )

    @property
    def origin(self) -> str:
        """``live``, ``synthetic``, or empty as long as nothing was written."""
        found = self.execute("SELECT value FROM meta WHERE name = 'origin'")
        return str(found[0][0]) if found else ""

    def claim_origin(self, synthetic: bool) -> None:
        """Mark the store as live or synthetic at its first row; StoreMismatch for the other kind."""
        wanted = SYNTHETIC if synthetic else LIVE
        if not self.origin:  # another writer may be claiming it, too: who comes second waits here
            self.execute(
                "INSERT INTO meta (name, value) VALUES ('origin', ?) ON CONFLICT DO NOTHING",
                (wanted,),
            )
        origin = self.origin
        if origin != wanted:
            raise StoreMismatch(
                f"{self.location()} holds {origin} data and the answer is {wanted}: the two are never "
                "mixed. Point STORE_URL and OUTPUT_DIR at another place."
            )

    def _ensure_table(self, table: Table) -> None:
        if table.name in self._ready:
            return
        existing = self.columns_of(table.name)
        if not existing:
            self._create_table(table)
        else:
            self._grow_table(table, existing)
        described = [
            (table.name, n, c.name, c.dtype, c.unit, c.description, int(c.name in table.key))
            for n, c in enumerate((*table.columns, *_BOOKKEEPING))
        ]
        stored = self.execute(
            "SELECT * FROM columns WHERE table_name = ? ORDER BY position", (table.name,)
        )
        if stored != described:
            self.execute("DELETE FROM columns WHERE table_name = ?", (table.name,))
            names = (
                "table_name",
                "position",
                "column_name",
                "dtype",
                "unit",
                "description",
                "in_key",
            )
            self.load("columns", names, described)
        self._ready.add(table.name)

    def _create_table(self, table: Table) -> None:
        columns = [self._definition(c, required=not c.optional) for c in table.columns]
        retrieved = self._definition(_BOOKKEEPING[0], required=True)
        key = ", ".join(map(quoted, table.key))
        self.execute(
            f"CREATE TABLE {quoted(table.name)} ({', '.join([*columns, retrieved])}, "
            f"PRIMARY KEY ({key})){self._table_options}"
        )
        if table.time and table.time != table.key[0]:
            self.execute(
                f"CREATE INDEX {quoted(table.name + '_by_time')} ON {quoted(table.name)} ({quoted(table.time)})"
            )
        history = history_of(table)
        superseded = self._definition(_BOOKKEEPING[1], required=True)
        self.execute(
            f"CREATE TABLE {quoted(history)} ({', '.join([*columns, retrieved, superseded])})"
        )
        self.execute(f"CREATE INDEX {quoted(history + '_by_key')} ON {quoted(history)} ({key})")

    def _grow_table(self, table: Table, existing: list[str]) -> None:
        """Add optional columns that were declared since the table was made."""
        for column in table.columns:
            if column.name in existing:
                continue
            if not column.optional:
                raise StoreMismatch(
                    f"the table {table.name} in {self.location()} has no column {column.name}, which "
                    "this version needs: start a new store or fetch into another one."
                )
            for name in (table.name, history_of(table)):
                self.execute(
                    f"ALTER TABLE {quoted(name)} ADD COLUMN {self._definition(column, required=False)}"
                )

    def _definition(self, column: Column, *, required: bool) -> str:
        return f"{quoted(column.name)} {self.types[column.dtype]}{' NOT NULL' if required else ''}"

    # --- writing ------------------------------------------------------------------------------

    def write(
        self,
        table: Table,
        frame: pd.DataFrame,
        *,
        known_at: datetime,
        synthetic: bool,
        entries: Callable[[pd.Series], Iterable[Entry]],
        older: pd.DataFrame | None = None,
        replace: Window | None = None,
        asked: Window | None = None,
        taken_back: pd.DataFrame | None = None,
    ) -> int:
        """Write rows and what the ledger makes of them in one transaction; returns rows changed.

        A version that is newer than the stored one takes its place and the old one goes to history;
        one that is older goes to history itself. ``older`` are versions known to be superseded.
        Stored rows of ``replace`` that ``frame`` does not have go to history. ``asked`` is the window
        of which ``frame`` has every row: where rows last, stored ones that begin inside those of their
        lane, or inside spans that were ``taken_back``, go to history, too. ``entries`` is called inside
        the transaction with the times of the changed rows; again, where the connection was lost.

        Raises StoreError or StoreMismatch; then nothing of the call is stored.
        """

        def work() -> int:
            self.reserve(table)
            self.claim_origin(synthetic)
            self._ensure_table(table)
            rows = Upsert(self, table, known_at)
            changed = rows.put(frame, replace, asked, taken_back)
            if older is not None and len(older):
                rows.put_older(older)
            for entry in entries(changed):
                self.record(entry)
            return len(changed)

        return self.atomically(work)

    def restore(
        self,
        table: Table,
        window: Window | None,
        current: pd.DataFrame,
        history: pd.DataFrame,
        *,
        synthetic: bool,
    ) -> None:
        """Make rows and history of the window exactly these, which another store has, at once."""

        def work() -> None:
            self.reserve(table)
            self.claim_origin(synthetic)
            self._ensure_table(table)
            parts, parameters = conditions(table, window, None)
            where = f" WHERE {' AND '.join(parts)}" if parts else ""
            for stored, frame in zip(archived(table), (current, history), strict=True):
                self.execute(f"DELETE FROM {quoted(stored.name)}{where}", parameters)
                self.load_frame(quoted(stored.name), stored, frame, "")

        self.atomically(work)

    # --- reading ------------------------------------------------------------------------------

    def read(
        self,
        key: str,
        start: str | None = None,
        end: str | None = None,
        *,
        where: Mapping[str, Any] | None = None,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        as_of: str | None = None,
    ) -> pd.DataFrame:
        """Rows of a dataset or product, sorted by its key, times in UTC.

        ``start`` and ``end`` are settlement days (``2024-10-27``, both included) or UTC instants
        (``[start, end)``); without them everything is read. ``where`` maps a column to the value, or
        list of values, it must have. ``as_of`` (a UTC instant) gives the rows as they were known
        then: published by then where the provider says when, else received by then. An empty frame
        where nothing is stored. Raises UsageError for an unknown key or column or a malformed time.
        """
        table = find(key, self.tables, "dataset or product")
        window = parse_range(start, end) if start else None
        moment = parse_instant(as_of) if as_of else None
        return self.read_table(table, window, where, columns, limit, moment)

    def read_table(
        self,
        table: Table,
        window: Window | None = None,
        where: Mapping[str, Any] | None = None,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        as_of: datetime | None = None,
    ) -> pd.DataFrame:
        """Rows of the window sorted by key, with the dtypes of ``domain.tables``; see ``read``."""
        import pyarrow as pa

        names = list(columns or table.names)
        check_columns(table, [*names, *(where or {})])
        dtypes = [table.column(name).dtype for name in names]
        stored = self.columns_of(table.name)
        if not stored:
            return to_frame(table, pa.table([no_values(dtype) for dtype in dtypes], names=names))
        # A column that was declared after the table was made is added by the next write.
        selected = [quoted(name) if name in stored else "NULL" for name in names]
        rows, parameters = self._rows(table, window, where, (), stored, as_of)
        arrays = self.arrays(
            dtypes,
            f"SELECT {', '.join(selected)} FROM {rows} ORDER BY {', '.join(map(quoted, table.key))}"
            + (f" LIMIT {int(limit)}" if limit is not None else ""),
            parameters,
        )
        return to_frame(table, pa.table(arrays, names=names))

    def tally(
        self,
        table: Table,
        window: Window,
        scope: str = "",
        series: str = "",
        length: str = "",
        value: str = "",
    ) -> dict[str, Tally]:
        """What each series has of the window (one nameless series where ``series`` is empty).

        Rows count where ``value``, if given, is not empty. ``length`` names the column that says for how
        many seconds a row lasts; what rows of a series share of them counts once.
        """
        if not self._is_there(table):
            return {}
        parts, parameters = conditions(table, window, {table.scope: scope} if scope else None)
        name = quoted(series) if series else _NOTHING
        rows = quoted(table.name) + (f" WHERE {' AND '.join(parts)}" if parts else "")
        seconds = "0"
        if length:
            begin = self.epoch(quoted(table.time))
            until, counted = f"{begin} + {quoted(length)}", quoted(value) if value else "1"
            of_series = f"PARTITION BY {name} ORDER BY {begin}, {until}"
            earlier = f"OVER ({of_series} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
            rows = (
                f"(SELECT {name} AS of_series, {counted} AS counted, {begin} AS begin, "
                f"{until} AS until, max({until}) {earlier} AS before FROM {rows}) AS spans"
            )
            name, value = "of_series" if series else _NOTHING, "counted"
            seconds = (
                "CASE WHEN before IS NULL OR before <= begin THEN until - begin "
                "WHEN before < until THEN until - before ELSE 0 END"
            )
        found = self.execute(
            f"SELECT {name}, count({quoted(value) if value else '*'}), sum({seconds}) FROM {rows}"
            + (" GROUP BY 1 ORDER BY 1" if series else ""),
            parameters,
        )
        return {
            str(name): Tally(int(rows), float(seconds)) for name, rows, seconds in found if rows
        }

    def _is_there(self, table: Table) -> bool:
        return table.name in self._ready or bool(self.columns_of(table.name))

    def mean(self, table: Table, column: str, window: Window, scope: str = "") -> float | None:
        """The mean of a column over the window (of one scope); None without values."""
        if not self._is_there(table):
            return None
        parts, parameters = conditions(table, window, {table.scope: scope} if scope else None)
        ((mean,),) = self.execute(
            f"SELECT avg({quoted(column)}) FROM {quoted(table.name)} WHERE {' AND '.join(parts)}",
            parameters,
        )
        return None if mean is None else float(mean)

    def newest(self, table: Table, window: Window, scope: str = "") -> datetime | None:
        """The newest time among the window's rows (of one scope); None without rows."""
        if not self.columns_of(table.name):
            return None
        parts, parameters = conditions(table, window, {table.scope: scope} if scope else None)
        ((newest,),) = self.execute(
            f"SELECT max({quoted(table.time)}) FROM {quoted(table.name)} WHERE {' AND '.join(parts)}",
            parameters,
        )
        return parse_instant(newest) if newest else None

    def size(self, table: Table) -> Size:
        """Rows, first and last time of a table."""
        if not self.columns_of(table.name):
            return Size(table.name, 0, None, None)
        time = quoted(table.time) if table.time else "NULL"
        ((rows, first, last),) = self.execute(
            f"SELECT count(*), min({time}), max({time}) FROM {quoted(table.name)}"
        )
        return Size(table.name, rows, first, last)


_BOOKKEEPING = (
    Column(RETRIEVED, "time", "UTC", "When this program received or computed the row"),
    Column(SUPERSEDED, "time", "UTC", "When it learnt of a newer version (history only)"),
)


def archived(table: Table) -> tuple[Table, Table]:
    """A table and its history with the columns that stores add."""
    retrieved, _ = _BOOKKEEPING
    return (
        Table(table.name, (*table.columns, retrieved), table.key, table.time),
        Table(history_of(table), (*table.columns, *_BOOKKEEPING), table.key, table.time),
    )
