"""A PostgreSQL database as a store, for several machines and writers; hypertables where it has them.

Rows travel by COPY, as text that Arrow writes and reads. Times are TIMESTAMPTZ in a session whose zone
is UTC, text is in byte order, so that both databases sort alike. Locks are advisory and end with the
connection that holds them. When a connection is lost, the transaction is done again on a new one.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from domain.errors import StoreBusy, StoreError, StoreLost, StoreMismatch, UsageError
from domain.tables import Table
from stores.copy_text import from_csv, to_csv
from stores.sql import SCHEMA_VERSION, SqlStore
from stores.upsert import RETRIEVED, quoted
from utils import Locked, log

try:
    import psycopg
    from psycopg.adapt import Loader
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.pq import ExecStatus
except ModuleNotFoundError:
    raise UsageError(
        "STORE_URL names PostgreSQL, whose driver is not installed: type "
        "'python3 run.py --install-deps postgres' first."
    ) from None

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

BUSY_WAIT_S = 90.0
# A statement that loses its connection this often in a row is itself the reason.
ATTEMPTS = 3
ROWS_A_PIECE = 200_000
CHUNK = "90 days"
# What a URL may say otherwise. A peer that vanished is noticed after a minute, not after hours.
CONNECTION = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
    "application_name": "gridledger",
}
# The driver's own words quote parts of the address.
UNREADABLE = (
    "STORE_URL=postgresql:… cannot be read: write postgresql://USER:PASSWORD@HOST/DATABASE, special "
    "characters as %XX, and only options that libpq knows."
)
SESSION = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "extra_float_digits": "1",
    "client_encoding": "UTF8",
    # A window is compared in memory.
    "work_mem": "64MB",
    "temp_buffers": "64MB",
}
_MARK = re.compile(r"gridledger schema (\d+)")
# What a server says that will let us in later.
_LATER = ("starting up", "shutting down", "recovery", "too many", "connection slots")
_ANSWER = re.compile(r"FATAL:\s*(.+)")

logging.getLogger("psycopg").addHandler(logging.NullHandler())  # what matters comes as an error


class _Moment(Loader):
    """Times and days as the text that every store speaks."""

    def load(self, data: Any) -> str:
        """2024-10-27 00:30:00+00 as 2024-10-27T00:30:00Z."""
        return bytes(data).decode().replace(" ", "T").replace("+00", "Z")


class PostgresStore(SqlStore):
    """A store in one schema of a database: the first of the connection's search path.

    ``large`` names the tables that become hypertables where the TimescaleDB extension is installed.
    """

    same = "IS NOT DISTINCT FROM"
    joins_by_plan = True
    types: ClassVar[Mapping[str, str]] = {
        "time": "TIMESTAMPTZ",
        "date": "DATE",
        "float": "DOUBLE PRECISION",
        "int": "BIGINT",
        "flag": "BOOLEAN",
        "text": 'TEXT COLLATE "C"',
        "decimal": "NUMERIC",
    }

    def __init__(
        self,
        url: str,
        tables: Mapping[str, Table],
        *,
        large: Collection[str] = (),
        busy_wait_s: float = BUSY_WAIT_S,
    ) -> None:
        super().__init__(url, tables)
        self._large = large
        self._busy_wait_s = busy_wait_s
        self._held: list[str] = []
        self._inside = False
        self._connect()
        try:
            self.exists = self._check_identity() > 0
        except BaseException:
            self._db.close()
            raise

    def prepare(self) -> None:
        """Make the schema where there is none; StoreError where nothing can be written."""
        ((read_only,),) = self.execute("SHOW transaction_read_only")
        if read_only == "on":
            raise StoreError(
                f"{self.location()} is read-only: nothing can be stored there. Point STORE_URL at a "
                "server and a user that may write."
            )
        if self.exists:
            return
        with self.transaction():
            self._wait_for("schema")
            if not self._check_identity():  # unless another run was quicker
                self.create_schema()
                self.execute(f"COMMENT ON TABLE meta IS 'gridledger schema {SCHEMA_VERSION}'")
        self.exists = True

    # --- the connection -----------------------------------------------------------------------

    def _connect(self) -> None:
        try:
            facts: dict[str, Any] = {**CONNECTION, **conninfo_to_dict(self.url)}
        except psycopg.Error:
            raise UsageError(UNREADABLE) from None
        try:
            # Prepared statements would outlive the temporary tables that they were made for.
            self._db = psycopg.connect(**facts, autocommit=True, prepare_threshold=None)
        except psycopg.Error as trouble:
            raise self._refused(trouble, facts) from None
        db = self._db
        with self._our_errors():
            for name in ("timestamptz", "date"):
                db.adapters.register_loader(name, _Moment)
            for name, value in SESSION.items():
                db.execute("SELECT set_config(%s, %s, false)", (name, value))
            wait = str(int(self._busy_wait_s * 1000))
            db.execute("SELECT set_config('lock_timeout', %s, false)", (wait,))
            # Nothing of ours, temporary tables least of all, is looked for beyond our schema.
            db.execute(
                "SELECT set_config('search_path', quote_ident(current_schema()), false) "
                "WHERE current_schema() IS NOT NULL"
            )

    def _refused(self, trouble: psycopg.Error, facts: Mapping[str, Any]) -> Exception:
        """Why there is no connection: the address is wrong, or the server is not there now."""
        said = str(trouble)
        if "connection is bad: invalid" in said:
            return UsageError(UNREADABLE)
        place = f"{facts.get('host', 'localhost')}/{facts.get('dbname', '')}"
        answer = _ANSWER.search(said)
        if answer and not any(word in said for word in _LATER):
            return UsageError(
                f"STORE_URL is wrong: PostgreSQL at {place} said '{answer[1].strip()}'."
            )
        reason = answer[1].strip() if answer else said.splitlines()[0].rpartition("failed: ")[2]
        return StoreError(
            f"PostgreSQL at {place} cannot be reached ({reason}): start it, or correct STORE_URL."
        )

    def _connect_again(self) -> None:
        """A new connection with the locks of the old one, waited for while the server restarts."""
        log.warning(
            "%s: the connection was lost, what was under way is done again", self.location()
        )
        give_up = time.monotonic() + self._busy_wait_s
        self._db.close()
        while True:
            try:
                self._connect()
                with self._our_errors():
                    lost = [key for key in self._held if not self._try_lock(key)]
                if not lost:
                    return
                trouble: Exception = StoreLost(
                    f"{self.location()} was lost for a moment and another run has locked {lost[0]} since."
                )
                self._db.close()
            except (StoreError, UsageError) as refused:
                trouble = refused
            if time.monotonic() > give_up:
                raise trouble
            time.sleep(0.1)

    def _check_identity(self) -> int:
        """The schema version, 0 for an empty schema; StoreMismatch for one that is not ours."""
        ((mark, schema, others),) = self.execute(
            "SELECT obj_description(to_regclass('meta'), 'pg_class'), current_schema(), "
            "(SELECT string_agg(relname, ', ' ORDER BY relname) FROM (SELECT relname FROM pg_class "
            "WHERE relnamespace = to_regnamespace(quote_ident(current_schema())) "
            "AND relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT EXISTS (SELECT 1 FROM pg_depend "
            "WHERE objid = pg_class.oid AND deptype = 'e') ORDER BY relname LIMIT 3) AS named)"
        )
        if schema is None:
            raise StoreMismatch(
                f"{self.location()} has no schema on its search path: make one, or name another database."
            )
        ours = _MARK.fullmatch(mark or "")
        if not ours and others:
            raise StoreMismatch(
                f"{self.location()} holds tables of another program ({others}): it was left untouched. "
                "Point STORE_URL at a database of its own."
            )
        version = int(ours[1]) if ours else 0
        if version > SCHEMA_VERSION:
            raise StoreMismatch(
                f"{self.location()} was written by a newer gridledger (schema {version}, this one knows "
                f"{SCHEMA_VERSION}): update this program or point STORE_URL at another database."
            )
        return version

    # --- statements ---------------------------------------------------------------------------

    def epoch(self, time: str) -> str:
        return f"EXTRACT(EPOCH FROM {time})::BIGINT"

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        def run() -> list[tuple[Any, ...]]:
            cursor = self._db.execute(_spelled(sql), tuple(parameters))
            return cursor.fetchall() if cursor.description else []

        return self._patiently(run)

    def arrays(self, dtypes: Sequence[str], sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        command = f"COPY ({_spelled(sql)}) TO STDOUT (FORMAT csv)"
        return from_csv(dtypes, self._patiently(lambda: self._copied_out(command, parameters)))

    def _copied_out(self, command: str, parameters: Sequence[Any]) -> bytes:
        """All that a COPY sends, straight from libpq: row by row the driver takes three times as long."""
        text = psycopg.ClientCursor(self._db).mogrify(command, tuple(parameters))
        connection = self._db.pgconn
        try:
            result = connection.exec_(text.encode())
            rows = []
            if result.status == ExecStatus.COPY_OUT:
                while (got := connection.get_copy_data(0))[0] > 0:
                    rows.append(bytes(got[1]))
                result = connection.get_result() or result
            while connection.get_result():
                pass
        except BaseException:  # interrupted: nobody could tell what comes next on this connection
            self._db.close()
            raise
        if result.status != ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(result)
        return b"".join(rows)

    def in_buckets(
        self,
        edges: Sequence[str],
        time: str,
        wanted: Sequence[str],
        rows: str,
        parameters: Sequence[Any],
        groups: int,
    ) -> list[tuple[Any, ...]]:
        number = f"width_bucket({time}, ?::timestamptz[]) - 1"
        grouping = ", ".join(map(str, range(1, groups + 2)))
        return self.execute(
            f"SELECT {', '.join([number, *wanted])} FROM {rows} AND {time} >= ? AND {time} < ? "
            f"GROUP BY {grouping}",
            (f"{{{','.join(edges)}}}", *parameters, edges[0], edges[-1]),
        )

    def discard(self, condition: str) -> None:
        # What stays is mostly nothing, and writing it is quicker than deleting the rest.
        self.execute(
            f"CREATE TEMPORARY TABLE kept AS SELECT * FROM incoming AS i WHERE NOT {condition}"
        )
        self.execute("DROP TABLE incoming")
        self.execute("ALTER TABLE kept RENAME TO incoming")

    def load(self, target: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        with self._copy_into(target, columns, "text") as copy:
            for row in rows:
                copy.write_row(row)

    def load_frame(self, target: str, table: Table, frame: pd.DataFrame, retrieved: str) -> None:
        names = (*table.names, RETRIEVED) if retrieved else table.names
        with self._copy_into(target, names, "csv") as copy:
            for start in range(0, len(frame), ROWS_A_PIECE):
                piece = frame.iloc[start : start + ROWS_A_PIECE]
                copy.write(to_csv(table, piece, retrieved))

    @contextlib.contextmanager
    def _copy_into(self, target: str, columns: Sequence[str], form: str) -> Iterator[psycopg.Copy]:
        command = f"COPY {target} ({', '.join(map(quoted, columns))}) FROM STDIN (FORMAT {form})"
        with self._our_errors(), self._db.cursor() as cursor, cursor.copy(command) as copy:
            yield copy

    def _patiently(self, run: Callable[[], T]) -> T:
        """Run a statement; on a new connection where one was lost outside of a transaction."""
        try:
            with self._our_errors():
                return run()
        except StoreLost:
            if self._inside:
                raise  # the whole transaction is lost
        self._connect_again()
        with self._our_errors():
            return run()

    # --- transactions and locks ---------------------------------------------------------------

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self._inside = True
        try:
            with self._our_errors(), self._db.transaction():
                yield
        except BaseException:
            self._ready.clear()  # tables made in this transaction are gone with it
            raise
        finally:
            self._inside = False

    def atomically(self, work: Callable[[], T]) -> T:
        for _ in range(ATTEMPTS - 1):
            try:
                return super().atomically(work)
            except StoreLost:
                self._connect_again()
        return super().atomically(work)

    def reserve(self, table: Table) -> None:
        self._wait_for(f"table {table.name}")

    def _wait_for(self, what: str) -> None:
        """Hold something against other writers until the transaction ends."""
        self.execute("SELECT pg_advisory_xact_lock(" + _LOCK + ")", (f"writing {what}",))

    def _try_lock(self, key: str) -> bool:
        sql = _spelled("SELECT pg_try_advisory_lock(" + _LOCK + ")")
        row = self._db.execute(sql, (f"run {key}",)).fetchone()
        return bool(row and row[0])

    @contextlib.contextmanager
    def lock(self, key: str) -> Iterator[None]:
        # To PostgreSQL a lock that this connection holds is free.
        if key in self._held or not self._patiently(lambda: self._try_lock(key)):
            raise Locked(f"{key} is locked by another run")
        self._held.append(key)
        try:
            yield
        finally:
            self._held.remove(key)
            with contextlib.suppress(psycopg.Error):  # with the connection the lock is gone, too
                self._db.execute(
                    _spelled("SELECT pg_advisory_unlock(" + _LOCK + ")"), (f"run {key}",)
                )

    def is_locked(self, key: str) -> bool:
        """Whether another connection holds a key; who asks at the same time does not count."""
        ((free,),) = self.execute(
            "SELECT pg_try_advisory_lock_shared(" + _LOCK + ")", (f"run {key}",)
        )
        if free:
            self.execute("SELECT pg_advisory_unlock_shared(" + _LOCK + ")", (f"run {key}",))
        return not free

    # --- errors -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _our_errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as trouble:
            raise self._translated(trouble) from trouble

    def _translated(self, trouble: psycopg.Error) -> StoreError:
        place, errors = self.location(), psycopg.errors
        if self._db.closed or self._db.broken:
            return StoreLost(
                f"the connection to {place} was lost: nothing of this window was stored. The next run "
                "asks for it again."
            )
        if isinstance(trouble, errors.LockNotAvailable | errors.DeadlockDetected):
            return StoreBusy(f"{place} stayed locked by another program; run again.")
        if isinstance(trouble, errors.DiskFull):
            return StoreError(
                f"the disk under {place} is full: nothing of this window was stored. Free some space "
                "and run again."
            )
        said = trouble.diag.message_primary or str(trouble).splitlines()[0]
        if isinstance(trouble, errors.ReadOnlySqlTransaction | errors.InsufficientPrivilege):
            return StoreError(
                f"{place} cannot be written ({said}): grant the user its schema, or name another one."
            )
        return StoreError(f"{place}: PostgreSQL said '{said}'; nothing of this window was stored.")

    # --- tables -------------------------------------------------------------------------------

    def _create_table(self, table: Table) -> None:
        super()._create_table(table)
        # A unique key of a hypertable must hold its time.
        if table.name in self._large and table.time in table.key:
            for (schema,) in self.execute(
                "SELECT quote_ident(nspname) FROM pg_extension "
                "JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'timescaledb'"
            ):
                self.execute(
                    f"SELECT {schema}.create_hypertable(?, {schema}.by_range(?, INTERVAL '{CHUNK}'), "
                    "create_default_indexes => false)",
                    (quoted(table.name), table.time),
                )

    def columns_of(self, table: str) -> list[str]:
        found = self.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(?) "
            "AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            (quoted(table),),
        )
        return [name for (name,) in found]

    def location(self) -> str:
        facts = conninfo_to_dict(self.url)
        host, port = facts.get("host", "localhost"), facts.get("port", 5432)
        return f"PostgreSQL {host}:{port}/{facts.get('dbname', '')}"

    def moment(self) -> str:
        # Which transactions are over: another one in this server may change it, too.
        ((snapshot,),) = self.execute("SELECT CAST(pg_current_snapshot() AS text)")
        return str(snapshot)

    def size_bytes(self) -> int:
        ((size,),) = self.execute("SELECT pg_database_size(current_database())")
        return int(size)

    def close(self) -> None:
        self._db.close()


# A lock is for one schema, and not for other programs that lock the same word.
_LOCK = "hashtextextended('gridledger ' || current_schema() || ' ' || ?, 0)"


@cache
def _spelled(sql: str) -> Any:
    """Placeholders as the driver spells them."""
    return sql.replace("%", "%%").replace("?", "%s")
