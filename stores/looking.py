"""What pages and pictures ask of a store: buckets of time, pages of rows, counts, distinct values.

All of it is made in the database. Names are checked against the declaration, values travel as
parameters: nothing that somebody types reaches SQL.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from domain.errors import UsageError
from domain.tables import Table, to_frame
from domain.windows import Window, format_instant, parse_instant
from stores.filtering import Condition, fitting
from stores.selecting import check_columns, conditions, no_values, rows_known
from stores.upsert import quoted

if TYPE_CHECKING:
    import pandas as pd

NUMBERS = ("float", "int", "decimal")
MOST_BUCKETS = 100_000
MOST_ROWS = 1_000_000
BUCKET_START, BUCKET_END, ROWS = "bucket_start", "bucket_end", "rows"
FIGURES = ("count", "mean", "min", "max")


class Looking(ABC):
    """The part of a store that pages and pictures ask; see the module's head."""

    types: ClassVar[Mapping[str, str]]

    @abstractmethod
    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""

    @abstractmethod
    def arrays(self, dtypes: Sequence[str], sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Run one query and return its columns as Arrow arrays that fit these dtypes."""

    @abstractmethod
    def columns_of(self, table: str) -> list[str]:
        """Column names of an existing table; empty where there is none."""

    @abstractmethod
    def in_buckets(
        self,
        edges: Sequence[str],
        time: str,
        wanted: Sequence[str],
        rows: str,
        parameters: Sequence[Any],
        groups: int,
    ) -> list[tuple[Any, ...]]:
        """The number of a bucket and what is ``wanted`` of ``rows`` in it, the first columns grouping.

        ``edges`` are the ends of the buckets, each the start of the next; ``rows`` is a table WHERE its
        conditions hold, ``groups`` how many of the columns wanted tell series apart.
        """

    def aggregate(
        self,
        table: Table,
        columns: Sequence[str],
        window: Window | None = None,
        where: Mapping[str, Any] | None = None,
        buckets: int | timedelta | Sequence[datetime] = 1000,
        by: Sequence[str] = (),
        filters: Sequence[Condition] = (),
    ) -> pd.DataFrame:
        """Count, mean, minimum and maximum of columns in buckets of time, per series.

        ``buckets`` is how many the window is cut into, how long one is (from the window's start, the last
        one may be shorter), or their edges, so that days of 23 hours and months can be had. Without a
        window it is all that is stored. ``by`` are text or whole-number columns that tell series apart.

        Returns a row a bucket and series that has rows, in order: ``bucket_start`` and ``bucket_end``
        (UTC), the columns of ``by``, ``rows``, and of each column ``<column>_count`` (of its values) and
        ``<column>_mean``, ``_min``, ``_max``, all in the column's own unit. Every row counts alike. A
        bucket without rows is absent, one without values has NaN. Raises UsageError for an unknown or
        unfit column, a table without time, or too many buckets.
        """
        import pandas as pd

        check_columns(table, [*columns, *by, *(where or {})])
        _check_kinds(table, columns, NUMBERS, "numbers")
        _check_kinds(table, by, ("text", "int"), "names of series")
        if not table.time:
            raise UsageError(f"{table.name} has no times: it is a list as it stands.")
        stored = self.columns_of(table.name)
        window = window or self.extent(table)
        edges = edges_of(window, buckets) if window else []
        found: list[tuple[Any, ...]] = []
        if stored and edges:
            figures = [
                f"{figure}({self._number(table, name, stored)})"
                for name in columns
                for figure in ("count", "avg", "min", "max")
            ]
            parts, parameters = self._parts(table, None, where, filters, stored)
            found = self.in_buckets(
                [format_instant(edge) for edge in edges],
                quoted(table.time),
                [*(_stored(name, stored) for name in by), "count(*)", *figures],
                f"{quoted(table.name)} WHERE {' AND '.join(parts) or 'TRUE'}",
                parameters,
                len(by),
            )
        names = [f"{name}_{figure}" for name in columns for figure in FIGURES]
        frame = pd.DataFrame(found, columns=["bucket", *by, ROWS, *names])
        at = pd.to_datetime(pd.Series(edges, dtype="datetime64[us, UTC]"))
        number = frame.pop("bucket").astype("int64")
        frame.insert(0, BUCKET_START, at.reindex(number).to_numpy())
        frame.insert(1, BUCKET_END, at.reindex(number + 1).to_numpy())
        for name in (BUCKET_START, BUCKET_END):
            frame[name] = frame[name].astype("datetime64[us, UTC]")
        frame = _as_names(table, frame, by)
        for name in (ROWS, *names):
            counted = name == ROWS or name.endswith("_count")
            frame[name] = frame[name].astype("int64" if counted else "float64")
        return frame.sort_values([BUCKET_START, *by], ignore_index=True)

    def page(
        self,
        table: Table,
        window: Window | None = None,
        where: Mapping[str, Any] | None = None,
        filters: Sequence[Condition] = (),
        order: Sequence[str] = (),
        limit: int = 100,
        offset: int = 0,
        as_of: datetime | None = None,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """``limit`` rows from ``offset`` on, with the dtypes of ``domain.tables``.

        ``order`` names columns, descending with a ``-`` before the name; empty cells come last, and the
        key decides between equals, so that pages neither overlap nor leave anything out. ``as_of`` gives
        the rows as they were known at an instant, ``filters`` hold for what was known then. Raises
        UsageError for an unknown column, a value that does not fit, or a limit that is no page.
        """
        import pyarrow as pa

        names = list(columns or table.names)
        sorting = [(name.removeprefix("-"), name.startswith("-")) for name in order]
        check_columns(table, [*names, *(name for name, _ in sorting)])
        for what, number, most in (("limit", limit, MOST_ROWS), ("offset", offset, 2**62)):
            if not isinstance(number, int) or not 0 <= number <= most:
                raise UsageError(f"{what}={number}: write a whole number from 0 to {most}.")
        stored = self.columns_of(table.name)
        rows, parameters = self._rows(table, window, where, filters, stored, as_of)
        dtypes = [table.column(name).dtype for name in names]
        if not stored:
            empty = [no_values(dtype) for dtype in dtypes]
            return to_frame(table, pa.table(empty, names=names))
        # Columns of the key are never empty, and an index gives them in order as it stands.
        ordered = [
            f"{self._comparable(table, name, stored)} {'DESC' if down else 'ASC'}"
            + (" NULLS LAST" if table.column(name).optional else "")
            for name, down in sorting
        ]
        ordered += [quoted(name) for name in table.key if name not in dict(sorting)]
        arrays = self.arrays(
            dtypes,
            f"SELECT {', '.join(_stored(name, stored) for name in names)} FROM {rows} "
            f"ORDER BY {', '.join(ordered)} LIMIT {limit} OFFSET {offset}",
            parameters,
        )
        return to_frame(table, pa.table(arrays, names=names))

    def count(
        self,
        table: Table,
        window: Window | None = None,
        where: Mapping[str, Any] | None = None,
        filters: Sequence[Condition] = (),
        as_of: datetime | None = None,
    ) -> int:
        """How many rows ``page`` has in all."""
        stored = self.columns_of(table.name)
        rows, parameters = self._rows(table, window, where, filters, stored, as_of)
        return int(self.execute(f"SELECT count(*) FROM {rows}", parameters)[0][0]) if stored else 0

    def distinct(
        self,
        table: Table,
        column: str,
        limit: int = 100,
        window: Window | None = None,
        where: Mapping[str, Any] | None = None,
        filters: Sequence[Condition] = (),
    ) -> list[Any]:
        """At most ``limit`` different values of a column, in order, empty cells left out.

        Every row of the window is looked at: name one where a table is large.
        """
        check_columns(table, [column])
        stored = self.columns_of(table.name)
        rows, parameters = self._rows(table, window, where, filters, stored)
        if column not in stored:
            return []
        name = quoted(column)
        (values,) = self.arrays(
            [table.column(column).dtype],
            f"SELECT DISTINCT {name} FROM (SELECT {name} FROM {rows}) AS found "
            f"WHERE {name} IS NOT NULL ORDER BY {name} LIMIT {int(limit)}",
            parameters,
        )
        found: list[Any] = values.to_pylist()
        return found

    def combinations(
        self,
        table: Table,
        columns: Sequence[str],
        window: Window | None = None,
        where: Mapping[str, Any] | None = None,
        filters: Sequence[Condition] = (),
    ) -> pd.DataFrame:
        """The values of columns of text or whole numbers that occur together, in order.

        Every row of the window is looked at.
        """
        import pandas as pd

        check_columns(table, columns)
        _check_kinds(table, columns, ("text", "int"), "names of series")
        stored = self.columns_of(table.name)
        rows, parameters = self._rows(table, window, where, filters, stored)
        names = ", ".join(_stored(name, stored) for name in columns)
        found = self.execute(f"SELECT DISTINCT {names} FROM {rows}", parameters) if stored else []
        frame = pd.DataFrame(found, columns=list(columns))
        return _as_names(table, frame, columns).sort_values(list(columns), ignore_index=True)

    def extent(
        self,
        table: Table,
        where: Mapping[str, Any] | None = None,
        filters: Sequence[Condition] = (),
        window: Window | None = None,
    ) -> Window | None:
        """From the first stored time to a second after the last; None without rows."""
        stored = self.columns_of(table.name)
        if not stored or not table.time:
            return None
        rows, parameters = self._rows(table, window, where, filters, stored)
        # Asked for one at a time each is one look into an index.
        ((first, last),) = self.execute(
            f"SELECT (SELECT min({quoted(table.time)}) FROM {rows}), "
            f"(SELECT max({quoted(table.time)}) FROM {rows})",
            [*parameters, *parameters],
        )
        if first is None:
            return None
        return Window(parse_instant(first), parse_instant(last) + timedelta(seconds=1))

    # --- conditions ---------------------------------------------------------------------------

    def _rows(
        self,
        table: Table,
        window: Window | None,
        where: Mapping[str, Any] | None,
        filters: Sequence[Condition],
        stored: Sequence[str],
        as_of: datetime | None = None,
    ) -> tuple[str, list[Any]]:
        """What to select from, with its parameters."""
        if as_of is None:
            parts, parameters = self._parts(table, window, where, filters, stored)
            return quoted(table.name) + (
                f" WHERE {' AND '.join(parts)}" if parts else ""
            ), parameters
        # A row's older version may fulfil what the one that was known then does not.
        in_key = {name: value for name, value in (where or {}).items() if name in table.key}
        others = {name: value for name, value in (where or {}).items() if name not in table.key}
        rows, inner = rows_known(table, *conditions(table, window, in_key), as_of)
        parts, outer = self._parts(table, None, others, filters, stored)
        if not parts:
            return rows, inner
        return f"(SELECT * FROM {rows}) AS found WHERE {' AND '.join(parts)}", [*inner, *outer]

    def _parts(
        self,
        table: Table,
        window: Window | None,
        where: Mapping[str, Any] | None,
        filters: Sequence[Condition],
        stored: Sequence[str],
    ) -> tuple[list[str], list[Any]]:
        check_columns(table, [*(where or {}), *(condition.column for condition in filters)])
        parts, parameters = conditions(table, window, where)
        for condition in filters:
            value = fitting(table, condition)
            column = self._comparable(table, condition.column, stored)
            if condition.operator == "is empty":
                parts.append(f"{column} IS NULL")
                continue
            if condition.operator == "contains":
                # In both databases: letters from a to z alone are the same, great or small.
                parts.append(f"lower({column}) LIKE ? ESCAPE '!'")
            else:
                parts.append(f"{column} {condition.operator} ?")
            parameters.append(value)
        return parts, parameters

    def _comparable(self, table: Table, name: str, stored: Sequence[str]) -> str:
        """A column as it is compared and sorted: exact amounts as the numbers that they are."""
        if table.column(name).dtype == "decimal":
            return self._number(table, name, stored)
        return _stored(name, stored)

    def _number(self, table: Table, name: str, stored: Sequence[str]) -> str:
        if table.column(name).dtype == "decimal" or name not in stored:
            return f"CAST({_stored(name, stored)} AS {self.types['float']})"
        return quoted(name)


def _stored(name: str, stored: Sequence[str]) -> str:
    """A column that was declared after its table was made is added by the next write."""
    return quoted(name) if name in stored else "NULL"


def _as_names(table: Table, frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Columns that tell series apart, with their dtypes."""
    dtypes = {name: "str" if table.column(name).dtype == "text" else "Int64" for name in columns}
    return frame.astype(dtypes)


def _check_kinds(table: Table, names: Sequence[str], kinds: Sequence[str], what: str) -> None:
    for name in names:
        if table.column(name).dtype not in kinds:
            fits = [c.name for c in table.columns if c.dtype in kinds]
            raise UsageError(
                f"{table.name}.{name} holds no {what}: take {', '.join(fits) or 'another table'}."
            )


def edges_of(window: Window, buckets: int | timedelta | Sequence[datetime]) -> list[datetime]:
    """The ends of buckets, each the start of the next, to the second; see ``aggregate``.

    >>> from domain.settlement import parse_range
    >>> day = parse_range("2024-03-31")
    >>> len(edges_of(day, timedelta(minutes=30))) - 1, len(edges_of(day, 10)) - 1
    (46, 10)
    """
    if isinstance(buckets, int | timedelta):
        if isinstance(buckets, int):
            if buckets < 1:
                raise UsageError(f"{buckets} buckets: write a number from 1 to {MOST_BUCKETS}.")
            seconds = math.ceil(window.length.total_seconds() / buckets)
            length = timedelta(seconds=max(seconds, 1))
        else:
            length = buckets
        if length < timedelta(seconds=1) or window.length / length > MOST_BUCKETS:
            raise UsageError(
                f"buckets of {length} over {window} are too many: take at most {MOST_BUCKETS}."
            )
        whole = math.ceil(window.length / length)
        edges = [window.start + n * length for n in range(whole)] + [window.end]
    else:
        edges = [edge.astimezone(UTC) for edge in buckets]
        if len(edges) < 2 or any(b <= a for a, b in pairwise(edges)):
            raise UsageError("edges of buckets must be two instants or more, each after the last.")
        if len(edges) > MOST_BUCKETS:
            raise UsageError(f"{len(edges)} buckets are too many: take at most {MOST_BUCKETS}.")
    return edges
