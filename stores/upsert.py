"""How rows get into a table: what is newer takes its place, what it replaces goes to history.

Everything here is SQL that SQLite and PostgreSQL share, run inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

from domain.tables import Table, format_times, to_arrow
from domain.windows import SECOND, Window, format_instant

if TYPE_CHECKING:
    import pandas as pd

ROWS_A_PIECE = 50_000
RETRIEVED = "retrieved_at"
SUPERSEDED = "superseded_at"


class Database(Protocol):
    """What this module needs of a store."""

    @property
    def same(self) -> str:
        """How the database spells "equal, and NULL equals NULL"."""
        ...

    @property
    def joins_by_plan(self) -> bool:
        """Whether it chooses itself how to join, and gains from knowing the span of the rows."""
        ...

    def epoch(self, time: str) -> str:
        """How the database spells an instant in seconds since 1970."""
        ...

    def discard(self, condition: str) -> None:
        """Drop the rows ``i`` of ``incoming`` that a condition holds for."""
        ...

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        ...

    def load_frame(self, target: str, table: Table, frame: pd.DataFrame, retrieved: str) -> None:
        """Insert a frame's rows, none of which is there yet, all retrieved at one instant, if at any."""
        ...

    def arrays(self, dtypes: Sequence[str], sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Run one query and return its columns as Arrow arrays that fit these dtypes."""
        ...


class Upsert:
    """One write of rows, known since ``known_at``, into one table that exists."""

    def __init__(self, database: Database, table: Table, known_at: datetime) -> None:
        self._db = database
        self._table = table
        self._now = format_instant(known_at)
        self._columns = (*table.names, RETRIEVED)
        self._name = quoted(table.name)
        self._history = quoted(history_of(table))
        self._time = quoted(table.time) if table.time else "NULL"
        # Stored rows that incoming ones may meet.
        self._stored = self._name
        self._same_key = " AND ".join(f"t.{quoted(c)} = i.{quoted(c)}" for c in table.key)

    def put(
        self,
        frame: pd.DataFrame,
        replace: Window | None = None,
        asked: Window | None = None,
        taken_back: pd.DataFrame | None = None,
    ) -> pd.Series:
        """Write current versions; returns the times of the rows that changed (NaT in a list).

        A version that is newer than the stored one takes its place, one that is older goes to
        history. Stored rows of ``replace`` that ``frame`` does not have go to history too, those of a
        whole of which it has a newer version, and those of what was ``asked`` that begin inside a row
        of their lane or a span that was ``taken_back``.
        """
        meets = frame
        if taken_back is not None:
            import pandas as pd

            meets = pd.concat([frame[list(self._table.spans.names)], taken_back])
        timeless = not self._table.time  # a list as it stands: what it lacks is gone
        # A key, or a whole, without the time may stand anywhere.
        by_time = self._table.time in (self._table.whole or self._table.key)
        if by_time and not self._touches_stored(meets, replace):
            self._db.load_frame(self._name, self._table, frame, self._now)
            return frame[self._table.time]
        self._stage(frame)
        # An empty list is no news: that all of it ended is less likely than a fault.
        gone = (
            [self._retire(*self._vanished(replace))] if replace or (timeless and len(frame)) else []
        )
        if self._table.whole:
            self._set_late_ones_aside()
            gone.append(self._retire(self._replaced()))
        if asked and self._table.lasts and len(meets):
            gone += self._ended(meets, asked, taken_back)
        self._drop_equal()
        if not self._table.whole:
            self._set_late_ones_aside()
        self._supersede()
        return _joined([*gone, self._times("FROM incoming")])

    def put_older(self, older: pd.DataFrame) -> None:
        """Write versions that are known to be superseded, unless they are known already."""
        self._stage(older)
        self._keep_unknown("TRUE")

    def _touches_stored(self, frame: pd.DataFrame, replace: Window | None) -> bool:
        """Whether the table holds any row in the span of the incoming ones; mostly it does not."""
        spans = [self._span(frame)] if len(frame) else []
        spans += [(replace.start, replace.end)] if replace else []
        if not spans:
            return False
        span = min(s[0] for s in spans), max(s[1] for s in spans)
        where, parameters = self._beside(frame.iloc[:0] if replace else frame, *span)
        return bool(self._db.execute(f"SELECT 1 {where} LIMIT 1", parameters))

    def _span(self, frame: pd.DataFrame) -> tuple[Any, Any]:
        """From the first row's start to the last one's; to its last second where rows last."""
        times = frame[self._table.time]
        if not self._table.lasts:
            return times.min(), times.max()
        import pandas as pd

        ends = times + pd.to_timedelta(frame[self._table.length] - 1, unit="s")
        return times.min(), ends.max()

    def _beside(self, frame: pd.DataFrame, low: Any, high: Any) -> tuple[str, list[Any]]:
        """Stored rows between two instants that rows of this frame may meet, and the parameters."""
        where, parameters = [f"{self._time} >= ?", f"{self._time} <= ?"], [low, high]
        scope = self._table.scope
        if scope in (self._table.whole or self._table.key):
            owners = frame[scope].unique()
            if len(owners) == 1:  # another zone's rows of the same time are not met
                where.append(f"{quoted(scope)} = ?")
                parameters.append(owners[0])
        values = [as_stored(value) for value in parameters]
        return f"FROM {self._name} AS t WHERE {' AND '.join(where)}", values

    def _stage(self, frame: pd.DataFrame) -> None:
        self._db.execute("DROP TABLE IF EXISTS incoming")
        self._db.execute(
            f"CREATE TEMPORARY TABLE incoming AS SELECT {_list(self._table.names)} "
            f"FROM {self._name} WHERE FALSE"
        )
        self._db.load_frame("incoming", self._table, frame, "")
        if self._db.joins_by_plan and len(frame) and self._table.time in self._table.key:
            times = frame[self._table.time]
            span = f"BETWEEN '{as_stored(times.min())}' AND '{as_stored(times.max())}'"
            self._stored = f"(SELECT * FROM {self._name} WHERE {self._time} {span})"

    def _times(self, source: str, parameters: Sequence[Any] = ()) -> Any:
        (times,) = self._db.arrays(["time"], f"SELECT {self._time} {source}", parameters)
        return times

    def _retire(self, rows: str, parameters: Sequence[Any] = ()) -> Any:
        """Move stored rows ``t`` to history; returns their times."""
        self._into_history("t", rows, parameters)
        gone = self._times(rows, parameters)
        self._db.execute(f"DELETE {rows}", parameters)
        return gone

    def _vanished(self, window: Window | None) -> tuple[str, Sequence[Any]]:
        """Stored rows (of the window) whose key is not among the incoming ones."""
        inside = f"{self._time} >= ? AND {self._time} < ? AND " if window else ""
        span = (as_stored(window.start), as_stored(window.end)) if window else ()
        return (
            f"FROM {self._name} AS t WHERE {inside}"
            f"NOT EXISTS (SELECT 1 FROM incoming AS i WHERE {self._same_key})"
        ), span

    def _replaced(self) -> str:
        """Stored rows that are gone from the incoming version of their whole."""
        whole, key = _list(self._table.whole), _list(self._table.key)
        return (
            f"FROM {self._name} AS t WHERE ({key}) IN ("  # EXCEPT: SQLite's NOT IN tries every pair
            f"SELECT {key} FROM {self._name} WHERE ({whole}) IN (SELECT {whole} FROM incoming) "
            f"EXCEPT SELECT {key} FROM incoming)"
        )

    def _ended(
        self, meets: pd.DataFrame, asked: Window, taken_back: pd.DataFrame | None
    ) -> list[Any]:
        """Move stored rows that begin inside an incoming one of their lane, or a span, to history.

        Returns their times, if there are any; a row that is itself among the incoming ones stays.
        Only rows that hold in what was ``asked``: of others the answer may have been cut.
        """
        table, key, length = self._table, _list(self._table.key), quoted(self._table.length)
        self._listed("absent", *self._absent(meets, asked))
        if not self._db.execute("SELECT 1 FROM absent LIMIT 1"):
            return []
        # One pass over both in order of time, so that no row is compared with every other.
        begin = self._db.epoch(self._time)
        ending = (
            f"SELECT {key}, 0 AS old, {begin} AS begin, {begin} + {length} AS until FROM incoming"
        )
        if taken_back is not None:
            spans = table.spans
            self._listed("taken", f"SELECT {_list(spans.names)} FROM {self._name} WHERE FALSE")
            self._db.load_frame("taken", spans, taken_back, "")
            known = ", ".join(quoted(n) if n in spans.names else "NULL" for n in table.key)
            ending += f" UNION ALL SELECT {known}, 0, {begin}, {begin} + {length} FROM taken"
        inside = (
            f"SELECT {key} FROM (SELECT {key}, old, begin, max(until) OVER "
            f"(PARTITION BY {_list(table.lanes)} ORDER BY begin) AS until FROM ({ending} "
            f"UNION ALL SELECT {key}, 1, {begin}, NULL FROM absent) AS rows_of_both) AS spans "
            "WHERE old = 1 AND begin < until"
        )
        return [self._retire(f"FROM {self._name} AS t WHERE ({key}) IN ({inside})")]

    def _absent(self, meets: pd.DataFrame, asked: Window) -> tuple[str, Sequence[Any]]:
        """Keys of stored rows that incoming ones could end, and that are not among them."""
        key, length = _list(self._table.key), quoted(self._table.length)
        low, high = self._span(meets)
        stored, parameters = self._beside(meets, low, min(high, asked.end - SECOND))
        holds = f"{self._db.epoch(self._time)} + {length} > ?"
        return (
            f"SELECT {key} {stored} AND {holds} EXCEPT SELECT {key} FROM incoming",
            [*parameters, int(asked.start.timestamp())],
        )

    def _listed(self, name: str, query: str, parameters: Sequence[Any] = ()) -> None:
        self._db.execute(f"DROP TABLE IF EXISTS {name}")
        self._db.execute(f"CREATE TEMPORARY TABLE {name} AS {query}", parameters)

    def _drop_equal(self) -> None:
        same_values = [f"t.{quoted(c)} {self._db.same} i.{quoted(c)}" for c in self._table.values]
        same = " AND ".join([self._same_key, *same_values])
        self._db.discard(f"EXISTS (SELECT 1 FROM {self._stored} AS t WHERE {same})")

    def _set_late_ones_aside(self) -> None:
        """Versions older than the stored one were published before it: history, not the table."""
        if not self._table.newer_by:
            return
        version = quoted(self._table.newer_by)
        stored, same = self._stored, self._same_key
        if self._table.whole:
            stored = self._name
            same = " AND ".join(f"t.{quoted(c)} = i.{quoted(c)}" for c in self._table.whole)
        late = f"EXISTS (SELECT 1 FROM {stored} AS t WHERE {same} AND i.{version} < t.{version})"
        self._keep_unknown(late)
        self._db.discard(late)

    def _supersede(self) -> None:
        self._into_history("t", f"FROM {self._stored} AS t JOIN incoming AS i ON {self._same_key}")
        updates = ", ".join(
            f"{quoted(c)} = excluded.{quoted(c)}" for c in (*self._table.values, RETRIEVED)
        )
        self._db.execute(
            f"INSERT INTO {self._name} ({_list(self._columns)}) "
            f"SELECT {_list(self._table.names)}, ? FROM incoming WHERE TRUE "
            f"ON CONFLICT ({_list(self._table.key)}) DO UPDATE SET {updates}",
            (self._now,),
        )

    def _keep_unknown(self, which: str) -> None:
        """Put staged versions into history unless history or table has them."""
        key = [f"h.{quoted(c)} = i.{quoted(c)}" for c in self._table.key]
        values = [f"h.{quoted(c)} {self._db.same} i.{quoted(c)}" for c in self._table.values]
        equal = " AND ".join([*key, *values])
        absent = " AND ".join(
            f"NOT EXISTS (SELECT 1 FROM {name} AS h WHERE {equal})"
            for name in (self._history, self._stored)
        )
        self._into_history("i", f"FROM incoming AS i WHERE {which} AND {absent}")

    def _into_history(self, alias: str, source: str, parameters: Sequence[Any] = ()) -> None:
        chosen = ", ".join(f"{alias}.{quoted(c)}" for c in self._table.names)
        stored = alias == "t"  # what comes in now has no other moment than this
        self._db.execute(
            f"INSERT INTO {self._history} ({_list((*self._columns, SUPERSEDED))}) "
            f"SELECT {chosen}, {'t.' + quoted(RETRIEVED) if stored else '?'}, ? {source}",
            (*([] if stored else [self._now]), self._now, *parameters),
        )


def stored_rows(table: Table, frame: pd.DataFrame, retrieved: str) -> Iterator[tuple[Any, ...]]:
    """Rows as they are stored; in pieces, because Python objects take ten times the room."""
    starts = range(0, len(frame), ROWS_A_PIECE)
    return chain.from_iterable(
        _piece(table, frame.iloc[start : start + ROWS_A_PIECE], retrieved) for start in starts
    )


def _piece(table: Table, frame: pd.DataFrame, retrieved: str) -> Iterator[tuple[Any, ...]]:
    arrow = to_arrow(table, frame[list(table.names)])
    lists = []
    for column in table.columns:
        values = arrow.column(column.name)
        if column.dtype == "time":
            values = format_times(values)
        elif column.dtype == "date":
            values = values.cast("string")
        lists.append(values.to_pylist())
    if retrieved:
        lists.append([retrieved] * len(frame))
    return zip(*lists, strict=True)


def _joined(arrays: list[Any]) -> pd.Series:
    import pandas as pd
    import pyarrow as pa

    chunks = [chunk for array in arrays for chunk in getattr(array, "chunks", [array])]
    times = pa.chunked_array(chunks, pa.timestamp("us", "UTC"))
    return pd.Series(times.to_pandas())


def as_stored(value: Any) -> Any:
    """A parameter as it is stored: instants and days as text, the rest as it is."""
    if isinstance(value, datetime):
        return format_instant(value)
    return value.isoformat() if isinstance(value, date) else value


def history_of(table: Table) -> str:
    """The name of a table's history."""
    return f"{table.name}_history"


def quoted(name: str) -> str:
    """A quoted identifier; names come from declarations and were checked against them."""
    return '"' + name.replace('"', '""') + '"'


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names))
