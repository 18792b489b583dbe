"""All that SQL stores share: tables, history, ledger, and the one way in which rows are written.

Beside every table stands ``<table>_history`` with the versions that were current once, and each
row carries ``retrieved_at``. A write puts rows, superseded versions and ledger entries into one
transaction, so that after any crash the ledger says exactly what the tables hold.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from domain.errors import StoreMismatch
from domain.keys import find
from domain.ledger import Entry, State, Tally
from domain.settlement import parse_range
from domain.tables import Column, Table, to_frame
from domain.windows import Window, format_instant, parse_instant
from stores.selecting import READ_AS, STORED_AS, check_columns, conditions, rows_known
from stores.upsert import RETRIEVED, SUPERSEDED, Upsert, history_of, quoted

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
_NOTHING = "''"
LIVE, SYNTHETIC = "live", "synthetic"

_LEDGER_COLUMNS = (
    "key", "scope", "day", "window_start", "window_end", "state", "rows", "expected", "coverage",
    "version", "asked_at", "counted_at", "answers", "inputs", "published", "note",
)  # fmt: skip


@dataclass(frozen=True)
class InputFile:
    """A file that was read: its name below the folder, its hash, and how many rows it gave."""

    name: str
    sha256: str
    size: int
    modified_ns: int
    rows: int


@dataclass(frozen=True)
class Size:
    """How much a table holds: rows, and its first and last time as text."""

    table: str
    rows: int
    first: str | None
    last: str | None


class SqlStore(ABC):
    """A store of tables with history and a ledger; see the module's head.

    Open one with ``storage.open_store``; it is a context manager. One store object belongs to one
    thread.
    """

    #: how this database spells "equal, and NULL equals NULL"
    same: ClassVar[str]
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

    @abstractmethod
    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """All or nothing; translates the database's errors into ours."""

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
        self.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        self.execute(
            "CREATE TABLE ledger (key TEXT NOT NULL, scope TEXT NOT NULL, day TEXT NOT NULL, "
            "window_start TEXT NOT NULL, window_end TEXT NOT NULL, state TEXT NOT NULL, "
            "rows INTEGER NOT NULL, expected INTEGER NOT NULL, coverage REAL NOT NULL, "
            "version INTEGER NOT NULL, asked_at TEXT NOT NULL, counted_at TEXT NOT NULL, "
            "answers INTEGER NOT NULL, inputs TEXT NOT NULL, published TEXT NOT NULL, "
            "note TEXT NOT NULL, PRIMARY KEY (key, scope, day))" + self._table_options
        )
        self.execute(
            "CREATE TABLE columns (table_name TEXT NOT NULL, position INTEGER NOT NULL, "
            "column_name TEXT NOT NULL, dtype TEXT NOT NULL, unit TEXT NOT NULL, "
            "description TEXT NOT NULL, in_key INTEGER NOT NULL, "
            "PRIMARY KEY (table_name, position))" + self._table_options
        )

        self.execute(
            "CREATE TABLE input_files (dataset TEXT NOT NULL, file TEXT NOT NULL, "
            "sha256 TEXT NOT NULL, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL, "
            "rows INTEGER NOT NULL, PRIMARY KEY (dataset, file))" + self._table_options
        )
        self.execute(
            "CREATE TABLE rejected_rows (dataset TEXT NOT NULL, file TEXT NOT NULL, line INTEGER, "
            "reason TEXT NOT NULL, read_at TEXT NOT NULL)"
        )

    @property
    def origin(self) -> str:
        """``live``, ``synthetic``, or empty as long as nothing was written."""
        found = self.execute("SELECT value FROM meta WHERE name = 'origin'")
        return str(found[0][0]) if found else ""

    def claim_origin(self, synthetic: bool) -> None:
        """Mark the store as live or synthetic at its first row; StoreMismatch for the other kind."""
        wanted = SYNTHETIC if synthetic else LIVE
        origin = self.origin
        if not origin:
            self.execute("INSERT INTO meta (name, value) VALUES ('origin', ?)", (wanted,))
        elif origin != wanted:
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
    ) -> int:
        """Write rows and what the ledger makes of them in one transaction; returns rows changed.

        A version that is newer than the stored one takes its place and the old one goes to history;
        one that is older goes to history itself. ``older`` are versions known to be superseded.
        Stored rows of ``replace`` that ``frame`` does not have go to history. ``entries`` is called
        inside the transaction with the times of the changed rows.

        Raises StoreError or StoreMismatch; then nothing of the call is stored.
        """
        with self.transaction():
            self.claim_origin(synthetic)
            self._ensure_table(table)
            rows = Upsert(self, table, known_at)
            changed = rows.put(frame, replace)
            if older is not None and len(older):
                rows.put_older(older)
            for entry in entries(changed):
                self.record(entry)
        return len(changed)

    def record(self, entry: Entry) -> None:
        """Write one ledger entry over the one that was there."""
        self.execute(
            f"INSERT INTO ledger ({', '.join(_LEDGER_COLUMNS)}) "
            f"VALUES ({', '.join('?' * len(_LEDGER_COLUMNS))}) "
            "ON CONFLICT (key, scope, day) DO UPDATE SET "
            + ", ".join(f"{c} = excluded.{c}" for c in _LEDGER_COLUMNS[3:]),
            (
                entry.key, entry.scope, entry.day.isoformat(),
                format_instant(entry.window.start), format_instant(entry.window.end),
                str(entry.state), entry.rows, entry.expected, entry.coverage, entry.version,
                format_instant(entry.asked_at), format_instant(entry.counted_at), entry.answers,
                entry.inputs, entry.published, entry.note,
            ),
        )  # fmt: skip

    def note_files(
        self,
        dataset: str,
        files: Iterable[InputFile],
        rejects: Mapping[str, Sequence[tuple[int | None, str]]],
        known_at: datetime,
    ) -> None:
        """Note files and, of those read anew, what was rejected (line, reason); inside a transaction."""
        for file in files:
            self.execute(
                "INSERT INTO input_files (dataset, file, sha256, size, modified_ns, rows) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (dataset, file) DO UPDATE SET "
                "sha256 = excluded.sha256, size = excluded.size, "
                "modified_ns = excluded.modified_ns, rows = excluded.rows",
                (dataset, file.name, file.sha256, file.size, file.modified_ns, file.rows),
            )
        for name, found in rejects.items():
            self.execute(
                "DELETE FROM rejected_rows WHERE dataset = ? AND file = ?", (dataset, name)
            )
            for line, reason in found:
                self.execute(
                    "INSERT INTO rejected_rows (dataset, file, line, reason, read_at) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (dataset, name, line, reason, format_instant(known_at)),
                )

    def input_files(self, dataset: str) -> dict[str, InputFile]:
        """The files that were read for a dataset, by name."""
        found = self.execute(
            "SELECT file, sha256, size, modified_ns, rows FROM input_files WHERE dataset = ?",
            (dataset,),
        )
        return {row[0]: InputFile(*row) for row in found}

    def rejected_rows(self, dataset: str) -> dict[str, list[tuple[int | None, str]]]:
        """Line and reason of what was rejected when a file was last read, by file."""
        found: dict[str, list[tuple[int | None, str]]] = {}
        for file, line, reason in self.execute(
            "SELECT file, line, reason FROM rejected_rows WHERE dataset = ?", (dataset,)
        ):
            found.setdefault(file, []).append((line, reason))
        return found

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
        parts, parameters = conditions(table, window, where)
        lists: Sequence[Any] = [()] * len(names)
        stored = self.columns_of(table.name)
        if stored:
            # A column that was declared after the table was made is added by the next write.
            selected = [quoted(name) if name in stored else "NULL" for name in names]
            rows, parameters = rows_known(table, parts, parameters, as_of)
            lists = self.columns(
                len(names),
                f"SELECT {', '.join(selected)} FROM {rows} ORDER BY {', '.join(map(quoted, table.key))}"
                + (f" LIMIT {int(limit)}" if limit is not None else ""),
                parameters,
            )
        arrays = []
        for name, values in zip(names, lists, strict=True):
            dtype = table.column(name).dtype
            arrow = pa.array(values, STORED_AS[dtype]())
            arrays.append(arrow.cast(READ_AS[dtype]()) if dtype in READ_AS else arrow)
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

        Rows count where ``value``, if given, is not empty.
        """
        if not self.columns_of(table.name):
            return {}
        parts, parameters = conditions(table, window, {table.scope: scope} if scope else None)
        found = self.execute(
            f"SELECT {quoted(series) if series else _NOTHING}, "
            f"count({quoted(value) if value else '*'}), "
            f"sum({quoted(length) if length else '0'}) FROM {quoted(table.name)}"
            + (f" WHERE {' AND '.join(parts)}" if parts else "")
            + (" GROUP BY 1 ORDER BY 1" if series else ""),
            parameters,
        )
        return {
            str(name): Tally(int(rows), float(seconds)) for name, rows, seconds in found if rows
        }

    def mean(self, table: Table, column: str, window: Window, scope: str = "") -> float | None:
        """The mean of a column over the window (of one scope); None without values."""
        if not self.columns_of(table.name):
            return None
        parts, parameters = conditions(table, window, {table.scope: scope} if scope else None)
        ((mean,),) = self.execute(
            f"SELECT avg({quoted(column)}) FROM {quoted(table.name)} WHERE {' AND '.join(parts)}",
            parameters,
        )
        return None if mean is None else float(mean)

    def entries(
        self, key: str, first: date | None = None, last: date | None = None
    ) -> dict[tuple[str, date], Entry]:
        """Ledger entries of a key by scope and day, in order."""
        found = self.execute(
            f"SELECT {', '.join(_LEDGER_COLUMNS)} FROM ledger WHERE key = ? AND day >= ? AND day <= ? "
            "ORDER BY scope, day",
            (key, (first or date.min).isoformat(), (last or date.max).isoformat()),
        )
        entries = map(_entry, found)
        return {(entry.scope, entry.day): entry for entry in entries}

    def day_states(self, key: str) -> list[tuple[str, str, str, int, int, float, str, int, str]]:
        """Scope, day, state, rows, expected, coverage, asked_at, answers and note of a key's entries.

        As texts and in order: what a calendar of ten years needs, without making entries of it.
        """
        return self.execute(
            "SELECT scope, day, state, rows, expected, coverage, asked_at, answers, note "
            "FROM ledger WHERE key = ? ORDER BY scope, day",
            (key,),
        )

    def known_days(self, key: str, scope: str | None = None) -> tuple[date, date] | None:
        """The first and last settlement day that the ledger has of a key (and scope)."""
        ((first, last),) = self.execute(
            "SELECT min(day), max(day) FROM ledger WHERE key = ? AND scope = coalesce(?, scope)",
            (key, scope),
        )
        return (date.fromisoformat(first), date.fromisoformat(last)) if first else None

    def newest_day_with_rows(self, key: str) -> date | None:
        """The newest settlement day of which rows of the key are stored."""
        ((day,),) = self.execute("SELECT max(day) FROM ledger WHERE key = ? AND rows > 0", (key,))
        return date.fromisoformat(day) if day else None

    def mark_published(self, key: str, days: Mapping[date, str]) -> None:
        """Note from which inputs the files of these days were written."""
        with self.transaction():
            for day, inputs in days.items():
                self.execute(
                    "UPDATE ledger SET published = ? WHERE key = ? AND day = ?",
                    (inputs, key, day.isoformat()),
                )

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


def _entry(row: tuple[Any, ...]) -> Entry:
    fields = dict(zip(_LEDGER_COLUMNS, row, strict=True))
    window = Window(
        parse_instant(fields.pop("window_start")), parse_instant(fields.pop("window_end"))
    )
    fields["day"] = date.fromisoformat(fields["day"])
    fields["state"] = State(fields["state"])
    for name in ("asked_at", "counted_at"):
        fields[name] = parse_instant(fields[name])
    return Entry(window=window, **fields)
