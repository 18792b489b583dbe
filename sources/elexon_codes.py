"""Every other dataset of Elexon, by its code: what elexon_codes.toml says of names and types.

Nobody has looked at these datasets closely, so the declarations claim no more than the data file
does: columns under the provider's own words, without units; completeness ``Events``; a key of time
and fingerprint, with which equal rows are one and a corrected row stands beside the one it corrects.
``openapi.py`` writes the data file. A code that deserves more gets a declaration by hand and leaves
the file at the next writing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from domain.ledger import Events
from domain.tables import Column, Dtype, Table
from sources.dataset import Dataset
from sources.elexon import DAY, HISTORY, HOUR, PUBLISHED, SETTLED
from sources.elexon_rows import ELEXON, IGNORED, JsonRows, Maker, start_of_period

if TYPE_CHECKING:
    import pyarrow as pa

FILE = Path(__file__).with_name("elexon_codes.toml")
GROUP = "elexon_codes"
MADE_START, ROW_ID = "period_start", "row_id"
_LEFT_OUT = "left_out"
_SETTLEMENT = ("settlementDate", "settlementPeriod")
# Tables of single units are large: hundreds of units, many rows each.
_UNIT_FIELDS = {"bmUnit", "nationalGridBmUnit", "tradingUnitName"}


@dataclass(frozen=True)
class Family:
    """Parameters by which some datasets are asked for a window.

    ``times`` are the fields that the window may bound; the first that a row has is it. Where it is
    ``settled`` and has none, its settlement date and period are. ``by_day`` and ``fixed`` are those
    of JsonRows.
    """

    start: str
    end: str
    times: tuple[str, ...]
    settled: bool = False
    by_day: bool = False
    fixed: tuple[tuple[str, str], ...] = ()

    @property
    def parameters(self) -> set[str]:
        """The names of all that is sent."""
        return {self.start, self.end, *(name for name, _ in self.fixed)}


# The first that an endpoint takes, and that gives it all it requires, is its family.
FAMILIES = {
    "publish": Family(*PUBLISHED, ("publishTime",)),
    "submission": Family(
        "submissionDateTimeFrom", "submissionDateTimeTo", ("submissionDateTime",)
    ),
    "times": Family("from", "to", ("timeFrom", "time", "startTime"), settled=True),
    "settlement_days": Family(*SETTLED, ("startTime",), settled=True, by_day=True),
    # The periods are counted within the first and the last day; no day has more than 50.
    "settlement_periods": Family(
        *SETTLED,
        ("startTime",),
        settled=True,
        by_day=True,
        fixed=(("settlementPeriodFrom", "1"), ("settlementPeriodTo", "50")),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Code:
    """One dataset of the data file; ``columns`` maps a field to its type and whether it may be empty."""

    path: str
    asked: str
    columns: Mapping[str, tuple[str, bool]]


def read_codes(text: str) -> tuple[dict[str, Code], dict[str, str]]:
    """The datasets of a data file by code, and the codes that cannot be asked with the reason."""
    parsed = tomllib.loads(text)
    left_out = parsed.pop(_LEFT_OUT, {})
    codes = {}
    for name, entry in parsed.items():
        fields = [line.split() for line in entry["columns"].splitlines() if line]
        columns = {field: (kind.rstrip("?"), kind.endswith("?")) for field, kind in fields}
        codes[name] = Code(entry["path"], entry["asked"], columns)
    return codes, left_out


def asked_by(family: Family, columns: Mapping[str, Any]) -> str | None:
    """The field that a window bounds, empty where it is made of settlement date and period.

    None where rows have neither.
    """
    found = next((name for name in family.times if name in columns), None)
    made = family.settled and set(_SETTLEMENT) <= set(columns)
    return "" if found is None and made else found


def is_dataset_field(name: str) -> bool:
    """Whether a field only repeats which dataset was asked for."""
    return name in IGNORED


def snake_case(name: str) -> str:
    """A provider's word as our columns are spelt.

    >>> snake_case("nationalGridBmUnit"), snake_case("affectedUnitEIC")
    ('national_grid_bm_unit', 'affected_unit_eic')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def declared(name: str, code: Code) -> Dataset:
    """The dataset of one code."""
    family = FAMILIES[code.asked]
    time = asked_by(family, code.columns)
    table = _table(name.lower(), code, time)
    units = bool(_UNIT_FIELDS & set(code.columns))
    made: tuple[tuple[str, Maker], ...] = ((ROW_ID, row_id(table.columns)),)
    if not time:
        made = ((MADE_START, start_of_period), *made)
    read = JsonRows(
        code.path,
        family.start,
        family.end,
        by_day=family.by_day,
        fixed=family.fixed,
        # A row may be in force before the window begins and be sent for it.
        overlapping=code.asked == "times",
        part=6 * HOUR if units and not family.by_day else None,
        nested=tuple(field for field, (kind, _) in code.columns.items() if kind == "nested"),
        made=made,
    )
    return Dataset(
        key=name.lower(),
        title=f"Elexon dataset {name}, as published (no declaration of our own)",
        provider=ELEXON,
        table=table,
        read=read,
        widest=(2 if units else 7) * DAY,
        completeness=Events(),
        lag=DAY,
        available_from=HISTORY,
        groups=(GROUP,),
        rows_a_day=100_000 if units else 1_000,
        priority=90,
    )


def _table(name: str, code: Code, time: str | None) -> Table:
    columns = [
        _column(field, kind, optional=nullable and field != time)
        for field, (kind, nullable) in code.columns.items()
    ]
    if not time:
        start = Column(MADE_START, "time", "UTC", "Start of the settlement period")
        columns = [
            start,
            *(_column(f, code.columns[f][0], optional=False) for f in _SETTLEMENT),
            *(column for column in columns if column.source not in _SETTLEMENT),
        ]
    columns.append(Column(ROW_ID, "text", "", "Fingerprint of all that the row says"))
    time_column = snake_case(time) if time else MADE_START
    return Table(name, tuple(columns), key=(time_column, ROW_ID), time=time_column)


def _column(field: str, kind: str, *, optional: bool) -> Column:
    dtype = cast(Dtype, "text" if kind == "nested" else kind)
    meaning = f"Elexon's field {field}, as published"
    if dtype in ("float", "int"):
        meaning += "; its unit is not stated"
    unit = "UTC" if dtype == "time" else ""
    return Column(snake_case(field), dtype, unit, meaning, field, optional=optional)


def row_id(columns: tuple[Column, ...]) -> Maker:
    """Makes a fingerprint of all values of a row; an empty value counts as one that was not sent.

    So a row keeps its fingerprint when the provider adds a field, and however numbers are spelt.
    """
    fields = sorted((c.spelling, c.dtype) for c in columns if c.source)

    def make(arrow: pa.Table) -> pa.Array:
        import hashlib

        import pyarrow as pa

        texts = [
            [None if value is None else f"{field}={value!r}" for value in values]
            for field, dtype in fields
            if field in arrow.column_names
            for values in [_comparable(arrow.column(field), dtype).to_pylist()]
        ] or [[None] * arrow.num_rows]
        digests = [
            hashlib.blake2b("\n".join(filter(None, row)).encode(), digest_size=8).hexdigest()
            for row in zip(*texts, strict=True)
        ]
        return pa.array(digests, pa.string())

    return make


def _comparable(values: pa.ChunkedArray, dtype: str) -> pa.ChunkedArray:
    """Numbers in one type: 5 and 5.0 are the same value. What is no number is left for ``conform``."""
    import pyarrow as pa

    number = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    return values.cast(pa.float64(), safe=False) if number and dtype in ("float", "int") else values


CODES, LEFT_OUT = read_codes(FILE.read_text(encoding="utf-8"))
DATASETS: tuple[Dataset, ...] = tuple(declared(name, code) for name, code in CODES.items())
