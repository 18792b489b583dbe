"""What is odd in an answer that fits its table: values, words, multiples, times nobody expected.

A few of them are said; when most of an answer is impossible, it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from domain.errors import SchemaError
from domain.settlement import settlement_columns

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from domain.tables import Column, Table

SETTLEMENT = ("settlement_date", "settlement_period")
# Of a multiple's fraction this much is rounding; one value in so many may be finer than it should be.
_ROUNDING, _FINER = 1e-4, 10

# What ledger notes call a change at the source; of all else they tell of a bad day of the provider.
_NOTED = re.compile(
    r"unknown columns | outside \S+ to \S+ | finer than |never met before: |"
    r"contradict their settlement period|was there the day before and is missing|"
    r"resolution of .+ changed from |has the unit changed\?|nothing of this window was stored"
)


def tells_of_drift(note: str) -> bool:
    """Whether the note of a ledger entry tells of drift.

    >>> tells_of_drift("unknown columns warningType"), tells_of_drift("no answer within 60 s")
    (True, False)
    """
    return bool(_NOTED.search(note))


def strange_values(table: Table, cast: pa.Table, frame: pd.DataFrame, where: str) -> Iterator[str]:
    """What is strange in the columns of an answer, given as Arrow table and as frame, a phrase each.

    Raises SchemaError where most values of a column are impossible or most times contradict their
    settlement period.
    """
    for column in table.columns:
        yield from _strange(table, column, cast, where)
    yield from _off_calendar(table, frame, where)


def _strange(table: Table, column: Column, cast: pa.Table, where: str) -> Iterator[str]:
    """Values outside a column's bounds or between its ticks, and new words; most outside is an error."""
    import pyarrow.compute as pc

    values = cast.column(column.name)
    if column.bounds:
        low, high = column.bounds
        beyond = values.filter(pc.or_(pc.less(values, low), pc.greater(values, high)))
        if 2 * len(beyond) > len(values) - values.null_count:
            raise SchemaError(
                f"{table.name}.{column.name}: {beyond[0].as_py()!r} and most other values in {where} "
                f"lie outside {low:g} to {high:g} {column.unit}; the provider may have changed unit or "
                "sign, and nothing of this window was stored."
            )
        if len(beyond):
            yield (
                f"{column.name} outside {low:g} to {high:g} {column.unit} in {len(beyond)} rows, such as "
                f"{beyond[0].as_py()!r}"
            )
    if column.tick:
        multiples = pc.divide(values, column.tick)
        finer = values.filter(
            pc.greater(pc.abs(pc.subtract(multiples, pc.round(multiples))), _ROUNDING)
        )
        if _FINER * len(finer) > len(values) - values.null_count:
            yield (
                f"{column.name} finer than {column.tick:g} {column.unit} in {len(finer)} rows, such as "
                f"{finer[0].as_py()!r}: has the unit changed?"
            )
    if column.known:
        new = set(pc.unique(values).to_pylist()) - {*column.known, None}
        if new:
            yield f"{column.name} never met before: {', '.join(sorted(new))}"


def _off_calendar(table: Table, frame: pd.DataFrame, where: str) -> Iterator[str]:
    """Rows whose start and settlement period contradict each other; when most do, an error."""
    if not {"period_start", *SETTLEMENT} <= set(table.names):
        return
    expected = settlement_columns(frame["period_start"])
    off = frame[_any_differ(frame, expected)]
    if not len(off):
        return
    start, day, period = off.iloc[0][["period_start", *SETTLEMENT]]
    said = f"{start:%Y-%m-%dT%H:%MZ} called period {period} of {day:%Y-%m-%d}"
    if 2 * len(off) > len(frame):
        raise SchemaError(
            f"{table.name}: in {where} most settlement periods do not belong to their times ({said}); "
            "the times may be shifted, and nothing of this window was stored."
        )
    yield f"{len(off)} times contradict their settlement period ({said})"


def _any_differ(frame: pd.DataFrame, expected: Mapping[str, pd.Series]) -> pd.Series:
    import pandas as pd

    given = frame[list(expected)]
    return ((given != pd.DataFrame(expected)) & given.notna()).any(axis=1)
