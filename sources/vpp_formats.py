"""The file formats that a virtual power plant receives: bytes in, columns and rejected rows out.

Nothing is repaired by guess: a row that cannot be read is rejected with its line and the reason, a
file whose rows cannot be told apart from nonsense is refused whole.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.errors import SchemaError

QUARTER = timedelta(minutes=15)
# Epoch values below this are seconds, from here on milliseconds (1e11 s is the year 5138).
MILLISECONDS_FROM = 1e11
_FIRST_YEAR, _LAST_YEAR = 2000, 2100


@dataclass(frozen=True)
class Reject:
    """A row that was not read: its line (from 1; None where a file has no lines), and why."""

    line: int | None
    reason: str


@dataclass
class Rows:
    """Columns of a file under the table's own names, and what was rejected."""

    columns: dict[str, list[Any]]
    rejects: list[Reject] = field(default_factory=list)


class Row(Mapping[str, str]):
    """One line of a CSV file by column name, with readers that say what is wrong."""

    def __init__(self, cells: Mapping[str, str]) -> None:
        self._cells = cells

    def __getitem__(self, name: str) -> str:
        return self._cells[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells)

    def __len__(self) -> int:
        return len(self._cells)

    def number(self, name: str) -> float:
        """A number with a decimal point; ValueError otherwise."""
        text = self[name].strip()
        try:
            value = float(text)
        except ValueError:
            comma = ", with a decimal comma" if "," in text else ""
            raise ValueError(f"{name}: '{text}' is not a number{comma}") from None
        if value != value or abs(value) == float("inf"):
            raise ValueError(f"{name}: '{text}' is not a number")
        return value

    def optional_number(self, name: str) -> float | None:
        """A number, or None for an empty cell."""
        return self.number(name) if self[name].strip() else None

    def time(self, name: str) -> datetime:
        """A time in UTC; one without an offset, or ending in `` UTC``, is UTC."""
        return instant(self[name], name)


def instant(text: str, name: str) -> datetime:
    """An instant as the files write it: ISO 8601, also with a trailing `` UTC``."""
    try:
        moment = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
    except ValueError:
        raise ValueError(f"{name}: '{text}' is not a time") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def csv_lines(
    body: bytes, required: Sequence[str], rejects: list[Reject]
) -> Iterator[tuple[int, Row]]:
    """The lines of a CSV file with its line numbers; lines of another width are rejected.

    Raises SchemaError where the file is not UTF-8 or the header lacks a required column.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as trouble:
        raise SchemaError(f"it is not UTF-8 text (byte {trouble.start})") from None
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip() for name in next(reader, [])]
    lacking = [name for name in required if name not in header]
    if lacking:
        raise SchemaError(f"its header lacks the column {lacking[0]}")
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(header):
            reason = f"{len(cells)} cells where the header has {len(header)}"
            rejects.append(Reject(reader.line_num, reason))
            continue
        yield reader.line_num, Row(dict(zip(header, cells, strict=True)))


def quarter_hour(moment: datetime, name: str) -> datetime:
    """The moment itself where it stands on a quarter hour; ValueError otherwise."""
    if moment.minute % 15 or moment.second or moment.microsecond:
        raise ValueError(f"{name}: {moment:%H:%M:%S} is not on a quarter hour")
    return moment


@dataclass(frozen=True)
class Series:
    """A columnar JSON file: whose it is, and its columns by name with their units."""

    entity: str
    columns: Mapping[str, list[Any]]
    units: Mapping[str, str]

    def column(self, name: str) -> list[Any]:
        """A column by its id; SchemaError where the file has none."""
        if name not in self.columns:
            raise SchemaError(f"it has no column '{name}' but {', '.join(self.columns)}")
        return self.columns[name]


def columnar(body: bytes) -> Series:
    """Read ``{"key": …, "column_ids": […], "units": […], "values": [[…], …]}``.

    The entity is what the key calls ``asset_id`` or ``entity_id``. Raises SchemaError for what is
    not such a file.
    """
    import msgspec

    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as trouble:
        raise SchemaError(f"it is not JSON ({trouble})") from None
    try:
        key, names, units = answer["key"], answer["column_ids"], answer["units"]
        values = answer["values"]
        entity = key.get("asset_id") or key.get("entity_id")
        lengths = {len(column) for column in values}
    except (KeyError, TypeError, AttributeError) as trouble:
        raise SchemaError(f"it lacks a part of the columnar form ({trouble})") from None
    if not isinstance(entity, str) or not entity:
        raise SchemaError("its key names no asset")
    if len(names) != len(values) or len(units) != len(names):
        raise SchemaError(
            f"it names {len(names)} columns, {len(units)} units and has {len(values)}"
        )
    if len(lengths) > 1:
        raise SchemaError(f"its columns differ in length ({min(lengths)} and {max(lengths)})")
    return Series(
        entity,
        dict(zip(names, values, strict=True)),
        dict(zip(names, units, strict=True)),
    )


def epoch_ms(values: Sequence[Any], name: str) -> list[int | None]:
    """Times in milliseconds since 1970: numbers in seconds or milliseconds by size, or ISO texts.

    None for what is no time. Raises SchemaError where numbers are neither (they would lie before
    2000 or after 2100): then the unit label and the values contradict each other.
    """
    found: list[int | None] = []
    for value in values:
        if isinstance(value, str):
            try:
                moment = instant(value, name)
            except ValueError:
                found.append(None)
                continue
            found.append(round(moment.timestamp() * 1000))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            ms = value if value >= MILLISECONDS_FROM else value * 1000
            if not _EARLIEST_MS <= ms < _LATEST_MS:
                raise SchemaError(
                    f"{name}: {value:g} is neither seconds nor milliseconds of the years "
                    f"{_FIRST_YEAR} to {_LAST_YEAR}, whatever its unit label says"
                )
            found.append(round(ms))
        else:
            found.append(None)
    return found


_EARLIEST_MS = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp() * 1000
_LATEST_MS = datetime(_LAST_YEAR, 1, 1, tzinfo=UTC).timestamp() * 1000


def powers_kw(series: Series, name: str) -> list[float | None]:
    """A power column in kW whatever its unit label (W, kW, MW); None for what is no number.

    Raises SchemaError for another unit.
    """
    factors = {"w": 0.001, "kw": 1.0, "mw": 1000.0}
    factor = factors.get(str(series.units[name]).casefold())
    if factor is None:
        raise SchemaError(f"{name} is in '{series.units[name]}', not in W, kW or MW")
    return [
        value * factor if isinstance(value, int | float) and not isinstance(value, bool) else None
        for value in series.column(name)
    ]
