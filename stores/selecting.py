"""What to select: the conditions of a read, the rows known at a moment, and the types of columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from domain.errors import UsageError
from domain.tables import Table
from domain.windows import Window, format_instant
from stores.upsert import RETRIEVED, SUPERSEDED, as_stored, history_of, quoted


def _arrow(name: str, *arguments: Any) -> Callable[[], Any]:
    def build() -> Any:
        import pyarrow as pa

        return getattr(pa, name)(*arguments)

    return build


STORED_AS = {
    "time": _arrow("string"),
    "date": _arrow("string"),
    "float": _arrow("float64"),
    "int": _arrow("int64"),
    "flag": _arrow("int64"),
    "text": _arrow("string"),
    "decimal": _arrow("string"),
}
READ_AS = {
    "time": _arrow("timestamp", "us", "UTC"),
    "date": _arrow("date32"),
    "flag": _arrow("bool_"),
}


def no_values(dtype: str) -> Any:
    """An empty Arrow array that fits a dtype."""
    import pyarrow as pa

    return pa.array([], READ_AS.get(dtype, STORED_AS[dtype])())


def conditions(
    table: Table, window: Window | None, where: Mapping[str, Any] | None
) -> tuple[list[str], list[Any]]:
    """The conditions of a window and of wanted values, with their parameters."""
    parts: list[str] = []
    parameters: list[Any] = []
    if window and table.time:
        parts += [f"{quoted(table.time)} >= ?", f"{quoted(table.time)} < ?"]
        parameters += [format_instant(window.start), format_instant(window.end)]
    for name, value in (where or {}).items():
        values = list(value) if isinstance(value, list | tuple | set) else [value]
        parts.append(f"{quoted(name)} IN ({', '.join('?' * len(values)) or 'NULL'})")
        parameters += [as_stored(v) for v in values]
    return parts, parameters


def check_columns(table: Table, names: Iterable[str]) -> None:
    """UsageError for a column that the table does not have."""
    for name in names:
        if name not in table.names:
            raise UsageError(
                f"{table.name} has no column '{name}': it has {', '.join(table.names)}."
            )


def rows_known(
    table: Table, parts: list[str], parameters: list[Any], as_of: datetime | None
) -> tuple[str, list[Any]]:
    """What to select from, and its parameters: the table, or table and history as of a moment."""
    where = f" WHERE {' AND '.join(parts)}" if parts else ""
    if as_of is None:
        return quoted(table.name) + where, parameters
    moment, current, history = format_instant(as_of), quoted(table.name), quoted(history_of(table))
    key = ", ".join(map(quoted, table.key))
    if table.version:
        published = " AND ".join([*parts, f"{quoted(table.version)} <= ?"])
        rows = " UNION ALL ".join(
            f"SELECT {', '.join(map(quoted, (*table.names, RETRIEVED)))} FROM {name} WHERE {published}"
            for name in (current, history)
        )
        newest = (
            f"(SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY {quoted(table.version)} DESC, "
            f"{RETRIEVED} DESC) AS age FROM ({rows}) AS versions) AS known WHERE age = 1"
        )
        return newest, [*parameters, moment, *parameters, moment]
    names = ", ".join(map(quoted, table.names))
    received = " AND ".join([*parts, f"{RETRIEVED} <= ?"])
    rows = (
        f"(SELECT {names} FROM {current} WHERE {received} UNION ALL SELECT {names} FROM {history} "
        f"WHERE {received} AND {SUPERSEDED} > ?) AS known"
    )
    return rows, [*parameters, moment, *parameters, moment, moment]
