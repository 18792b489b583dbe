"""The file formats that a virtual power plant receives: bytes in, columns and rejected rows out.

Nothing is repaired by guess: a row that cannot be read is rejected with its line and the reason, a
file whose rows cannot be told apart from nonsense is refused whole.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, TypedDict

from domain.errors import SchemaError
from domain.tables import Table

# Epoch values below this are seconds, from here on milliseconds (1e11 s is the year 5138).
MILLISECONDS_FROM = 1e11
_FIRST_YEAR, _LAST_YEAR = 2000, 2100
# No count or code in a file is larger.
_LARGEST = 1e9
# No power in a file is larger, in whatever unit.
_LARGEST_POWER = 1e15
# 54,2 and 1.234,56; a point without a comma could mean either and is refused.
_COMMA_NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+(?=,))(,\d+)?")
_POINT_NUMBER = re.compile(r"[+-]?\d*\.\d*")


@dataclass(frozen=True)
class Reject:
    """A row that was not read: its line (from 1; None where a file has no lines), and why."""

    line: int | None
    reason: str


@dataclass
class Rows:
    """Columns of a file under the table's own names, what was rejected, and what was odd but read."""

    columns: dict[str, list[Any]]
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, table: Table) -> Rows:
        """No rows yet, of this table."""
        return cls({column.name: [] for column in table.columns})

    def append(self, **cells: Any) -> None:
        """One row more; a column that is not named stays empty."""
        for name, column in self.columns.items():
            column.append(cells.get(name))

    @contextlib.contextmanager
    def at(self, line: int) -> Iterator[None]:
        """Reject the line where reading it raises ValueError, which says why."""
        try:
            yield
        except ValueError as problem:
            self.rejects.append(Reject(line, str(problem)))


class Row(Mapping[str, str]):
    """One line of a CSV file, or one object of a JSON file, by column name.

    Its readers say what is wrong. ``typed`` says that numbers came as numbers (JSON).
    """

    def __init__(self, cells: Mapping[str, str], *, typed: bool = False) -> None:
        self._cells = cells
        self._typed = typed

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
            raise ValueError(f"{name}: {no_number(text)}") from None
        if value != value or abs(value) == float("inf"):
            raise ValueError(f"{name}: '{text}' is not a number")
        return value

    def optional_number(self, name: str) -> float | None:
        """A number, or None for an empty cell."""
        return self.number(name) if self[name].strip() else None

    def comma_number(self, name: str) -> float:
        """A number with a decimal comma (``1.234,50``); ValueError otherwise, also for a point."""
        text = self[name].strip()
        if self._typed and "," not in text:
            return self.number(name)
        if not _COMMA_NUMBER.fullmatch(text):
            if _POINT_NUMBER.fullmatch(text):
                raise ValueError(f"{name}: '{text}' has a decimal point where this file has commas")
            raise ValueError(f"{name}: '{text}' is not a number")
        return float(text.replace(".", "").replace(",", "."))

    def whole_number(self, name: str) -> int:
        """A whole number; ValueError otherwise."""
        value = self.number(name)
        if value != int(value) or abs(value) > _LARGEST:
            raise ValueError(f"{name}: '{self[name]}' is not a whole number")
        return int(value)

    def word(self, name: str, *allowed: str) -> str:
        """One of some words, in any case, as it stands among them; ValueError otherwise."""
        text = self[name].strip()
        for one in allowed:
            if text.casefold() == one.casefold():
                return one
        raise ValueError(f"{name}: '{text}' is not {' or '.join(allowed)}")

    def day(self, name: str) -> date | None:
        """A day, or None for an empty cell; ValueError otherwise."""
        text = self[name].strip()
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            raise ValueError(f"{name}: '{text}' is not a day such as 2024-10-27") from None

    def time(self, name: str) -> datetime:
        """A time in UTC; one without an offset, or ending in `` UTC``, is UTC."""
        return instant(self[name], name)


def no_number(value: Any) -> str:
    """What is said of a cell that holds no number."""
    if value is None:
        return "it is empty"
    if isinstance(value, str) and _COMMA_NUMBER.fullmatch(value.strip()) and "," in value:
        return f"'{value}' has a decimal comma where this file has points"
    return f"'{value}' is not a number"


def instant(text: str, name: str) -> datetime:
    """An instant as the files write it: ISO 8601, also with a trailing `` UTC``."""
    try:
        moment = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
    except ValueError:
        raise ValueError(f"{name}: '{text}' is not a time") from None
    return in_utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC), name)


def in_utc(moment: datetime, name: str) -> datetime:
    """The moment in UTC; ValueError where it lies in a year that no file is about."""
    if not _FIRST_YEAR <= moment.year < _LAST_YEAR:
        raise ValueError(f"{name}: {moment.year} is not between {_FIRST_YEAR} and {_LAST_YEAR}")
    return moment.astimezone(UTC)


def records(
    body: bytes, required: Sequence[str], rejects: list[Reject], separator: str = ","
) -> Iterator[tuple[int, Row]]:
    """The rows of a CSV file with their lines, or of a JSON list of objects with their numbers from 1.

    A first line that starts with ``#`` is a title. Rows of another width are rejected. Raises
    SchemaError where the file is not UTF-8, or lacks a required column.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as trouble:
        raise SchemaError(f"it is not UTF-8 text (byte {trouble.start})") from None
    if text.lstrip()[:1] in ("[", "{"):
        yield from _objects(text, required, rejects)
        return
    title, rest = text.split("\n", 1) if text.startswith("#") and "\n" in text else ("", text)
    reader = csv.reader(io.StringIO(rest, newline=""), delimiter=separator)
    before = 1 if title else 0
    header = [name.strip() for name in next(reader, [])]
    _check_header(header, required)
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(header):
            reason = (
                f"{len(cells)} cells where the header has {len(header)}: look for a separator too many "
                "or too few"
            )
            rejects.append(Reject(reader.line_num + before, reason))
            continue
        yield reader.line_num + before, Row(dict(zip(header, cells, strict=True)))


def _objects(
    text: str, required: Sequence[str], rejects: list[Reject]
) -> Iterator[tuple[int, Row]]:
    """The objects of a JSON list with their numbers; cells are texts as a CSV file has them."""
    import msgspec

    try:
        rows = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as trouble:
        raise SchemaError(f"it is not JSON ({trouble})") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SchemaError("it is JSON, but not a list of objects with the columns of the CSV file")
    header = list(dict.fromkeys(name for row in rows for name in row))
    if rows:
        _check_header(header, required)
    for number, row in enumerate(rows, start=1):
        nested = [name for name, cell in row.items() if isinstance(cell, dict | list)]
        if nested:
            rejects.append(Reject(number, f"{nested[0]} is no single value"))
            continue
        yield number, Row({name: _cell(row.get(name)) for name in header}, typed=True)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_header(header: Sequence[str], required: Sequence[str]) -> None:
    lacking = [name for name in required if name not in header]
    if lacking:
        raise SchemaError(f"its header lacks the column {lacking[0]}")


def quarter_hour(moment: datetime, name: str) -> datetime:
    """The moment itself where it stands on a quarter hour; ValueError otherwise."""
    if moment.minute % 15 or moment.second or moment.microsecond:
        raise ValueError(f"{name}: {moment:%H:%M:%S} is not on a quarter hour (:00, :15, :30, :45)")
    return moment


@dataclass(frozen=True)
class Series:
    """A columnar JSON file: whose it is, and its columns by name with their units."""

    entity: str
    columns: Mapping[str, list[Any]]
    units: Mapping[str, str | None]

    def column(self, name: str) -> list[Any]:
        """A column by its id; SchemaError where the file has none."""
        if name not in self.columns:
            raise SchemaError(f"it has no column '{name}' but {', '.join(self.columns)}")
        return self.columns[name]


class _Columnar(TypedDict):
    key: dict[str, Any]
    column_ids: list[str]
    units: list[str | None]
    values: list[list[Any]]


def columnar(body: bytes) -> Series:
    """Read ``{"key": …, "column_ids": […], "units": […], "values": [[…], …]}``.

    The entity is what the key calls ``asset_id`` or ``entity_id``. Raises SchemaError for what is
    not such a file.
    """
    import msgspec

    try:
        answer = msgspec.json.decode(body, type=_Columnar)
    except msgspec.ValidationError as trouble:
        raise SchemaError(f"it is not of the columnar form ({trouble})") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as trouble:
        raise SchemaError(f"it is not JSON ({trouble})") from None
    key, names, units = answer["key"], answer["column_ids"], answer["units"]
    values = answer["values"]
    entity = key.get("asset_id") or key.get("entity_id")
    lengths = {len(column) for column in values}
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
                    f"{name}: {value} is neither seconds nor milliseconds of the years "
                    f"{_FIRST_YEAR} to {_LAST_YEAR}, whatever its unit label says"
                )
            found.append(round(ms))
        else:
            found.append(None)
    return found


def mislabelled(series: Series, name: str) -> list[str]:
    """A note where the unit label of a time column contradicts its numbers, which count."""
    label = str(series.units[name]).casefold()
    sizes = {
        "ms" if value >= MILLISECONDS_FROM else "s"
        for value in series.column(name)
        if isinstance(value, int | float)
    }
    return [
        f"{name} is labelled {label} and was read as {size}" for size in sorted(sizes - {label})
    ]


_EARLIEST_MS = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp() * 1000
_LATEST_MS = datetime(_LAST_YEAR, 1, 1, tzinfo=UTC).timestamp() * 1000


def powers_kw(series: Series, name: str) -> list[float | None]:
    """A power column in kW whatever its unit label (W, kW, MW); None for what is no number.

    Raises SchemaError for another unit.
    """
    factors = {"w": 0.001, "kw": 1.0, "mw": 1000.0}
    values, unit = numbers(series.column(name)), series.units[name]
    factor = factors.get(str(unit).casefold())
    if factor is None:
        raise SchemaError(f"{name} is in '{unit}', not in W, kW or MW")
    return [None if value is None else value * factor for value in values]


def numbers(values: Sequence[Any]) -> list[float | None]:
    """The cells as numbers; None for what is none, or larger than anything in such a file."""
    return [
        float(value)
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= _LARGEST_POWER
        else None
        for value in values
    ]
