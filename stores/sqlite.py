"""The default store: one SQLite file that any browser can open, also while a run writes.

Times are ISO text and tables are clustered by key (``WITHOUT ROWID``); docs/decisions.md has the
measurement that decided it.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any, ClassVar

from domain.errors import StoreBusy, StoreError, StoreMismatch
from domain.tables import Table
from stores.sql import SCHEMA_VERSION, SqlStore
from utils import file_lock

# "GRLG": tells our files from other people's SQLite files.
APPLICATION_ID = 0x47524C47
BUSY_WAIT_S = 90.0
IN_MEMORY = ":memory:"
# Each statement gives up the interpreter's lock and has to win it back; more rows gain nothing.
ROWS_A_STATEMENT = 300


class SqliteStore(SqlStore):
    """A store in one file. Writing begins with the file's write lock, waited for up to 90 s."""

    same = "IS"
    types: ClassVar[Mapping[str, str]] = {
        "time": "TEXT",
        "date": "TEXT",
        "float": "REAL",
        "int": "INTEGER",
        "flag": "INTEGER",
        "text": "TEXT",
        "decimal": "TEXT",
    }
    _table_options = " WITHOUT ROWID"

    def __init__(
        self,
        url: str,
        path: Path,
        tables: Mapping[str, Table],
        *,
        busy_wait_s: float = BUSY_WAIT_S,
    ) -> None:
        super().__init__(url, tables)
        self.path = path
        self._busy_wait_s = busy_wait_s
        with self._our_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=busy_wait_s, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        version = self._check_identity()
        self.execute("PRAGMA temp_store = MEMORY")
        self.execute(
            "PRAGMA synchronous = NORMAL"
        )  # in WAL mode: never corrupt, at worst asked again
        if version == 0:
            self._switch_to_wal()
            with self.transaction():
                if self._check_identity() == 0:  # unless another run was quicker
                    self.create_schema()
                    self.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    self.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _switch_to_wal(self) -> None:
        """Turn on the write-ahead log; SQLite's own waiting does not cover this statement."""
        give_up = time.monotonic() + self._busy_wait_s
        while True:
            try:
                self.execute("PRAGMA journal_mode = WAL")
                return
            except StoreBusy:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.02)

    def _check_identity(self) -> int:
        """The schema version of the file, 0 for an empty one; StoreMismatch for one that is not ours."""
        # In one statement: another run may be making the file at this moment.
        ((application, version, tables),) = self.execute(
            "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master) "
            "FROM pragma_application_id, pragma_user_version"
        )
        if application != APPLICATION_ID and (tables or application):
            raise StoreMismatch(
                f"{self.path.name} is a SQLite file of another program: it was left untouched. "
                "Point STORE_URL at another file."
            )
        if version > SCHEMA_VERSION:
            raise StoreMismatch(
                f"{self.path.name} was written by a newer gridledger (schema {version}, this one knows "
                f"{SCHEMA_VERSION}): update this program or point STORE_URL at another file."
            )
        return int(version)

    def epoch(self, time: str) -> str:
        return f"CAST(strftime('%s', {time}) AS INTEGER)"

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._our_errors():
            return self._db.execute(sql, parameters).fetchall()

    def columns(self, width: int, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Any]:
        import numpy as np

        with self._our_errors():
            rows = self._db.execute(sql, parameters)
            cells = np.fromiter(chain.from_iterable(rows), object)  # no list of tuples between
        return [cells[n::width] for n in range(width)]

    def in_buckets(
        self,
        edges: Sequence[str],
        time: str,
        wanted: Sequence[str],
        rows: str,
        parameters: Sequence[Any],
        groups: int,
    ) -> list[tuple[Any, ...]]:
        # A bucket is a range of an index: asked for one by one, no time is parsed and nothing is sorted.
        sql = f"SELECT {', '.join(wanted)} FROM {rows} AND {time} >= ? AND {time} < ?"
        if groups:
            sql += f" GROUP BY {', '.join(map(str, range(1, groups + 1)))}"
        found = []
        with self._our_errors():
            for number, ends in enumerate(pairwise(edges)):
                for row in self._db.execute(sql, (*parameters, *ends)):
                    if row[groups]:  # how many rows there are
                        found.append((number, *row))
        return found

    def load(self, target: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        names = ", ".join(f'"{c}"' for c in columns)
        insert = f"INSERT INTO {target} ({names}) VALUES "
        one_row = f"({', '.join('?' * len(columns))})"
        many_rows = insert + ", ".join([one_row] * ROWS_A_STATEMENT)
        remaining = iter(rows)
        with self._our_errors():
            while batch := list(islice(remaining, ROWS_A_STATEMENT)):
                if len(batch) == ROWS_A_STATEMENT:
                    self._db.execute(many_rows, list(chain.from_iterable(batch)))
                else:
                    self._db.executemany(insert + one_row, batch)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            self._ready.clear()  # tables made in this transaction are gone with it
            if self._db.in_transaction:
                self._db.rollback()
            raise

    def reserve(self, table: Table) -> None:
        """The file's write lock, with which every transaction begins, keeps all others out."""

    @contextlib.contextmanager
    def _our_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as trouble:
            raise self._translated(trouble) from trouble

    def _translated(self, trouble: Exception) -> StoreError:
        name = self.path.name
        # Of an OSError without the path, in which any word may stand.
        said = str(getattr(trouble, "strerror", None) or trouble)
        if "locked" in said or "busy" in said:
            return StoreBusy(
                f"{name} stayed locked by another program; close what holds it open and run again."
            )
        if "full" in said or getattr(trouble, "errno", None) == 28:
            return StoreError(
                f"the disk under {name} is full: nothing of this window was stored. Free some space "
                "and run again."
            )
        if "readonly" in said or "unable to open" in said or isinstance(trouble, OSError):
            return StoreError(
                f"{name} cannot be opened for writing ({said}): check the permissions of the file and "
                "its folder."
            )
        if "not a database" in said:
            return StoreMismatch(
                f"{name} is not a SQLite file: it was left untouched. Point STORE_URL at another file."
            )
        if "malformed" in said:
            return StoreError(
                f"{name} is damaged ({said}): restore a copy, or move it away and fetch again."
            )
        return StoreError(f"{name}: SQLite said '{said}'; nothing of this window was stored.")

    def columns_of(self, table: str) -> list[str]:
        return [row[0] for row in self.execute("SELECT name FROM pragma_table_info(?)", (table,))]

    def lock(self, key: str) -> contextlib.AbstractContextManager[None]:
        if self.path.name == IN_MEMORY:
            return contextlib.nullcontext()
        return self._lock_file(self.path.with_name(self.path.name + ".locks") / f"{key}.lock")

    @contextlib.contextmanager
    def _lock_file(self, path: Path) -> Iterator[None]:
        lock = file_lock(path)
        try:
            lock.__enter__()
        except OSError as trouble:
            raise self._translated(trouble) from trouble
        try:
            yield
        finally:
            lock.__exit__(None, None, None)

    def location(self) -> str:
        return "(no file yet)" if self.path.name == IN_MEMORY else self.path.name

    def moment(self) -> str:
        found = []
        for suffix in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                facts = self.path.with_name(self.path.name + suffix).stat()
                if facts.st_size:  # the log that this connection began by looking is no change
                    found.append((facts.st_size, facts.st_mtime_ns))
        return str(found)

    def size_bytes(self) -> int:
        return sum(
            file.stat().st_size
            for suffix in ("", "-wal")
            if (file := self.path.with_name(self.path.name + suffix)).exists()
        )

    def close(self) -> None:
        with closing(self._db):
            pass
