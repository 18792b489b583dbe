"""Rows as the text that PostgreSQL's COPY takes and gives, by way of Arrow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from domain.tables import Table, to_arrow
from stores.selecting import READ_AS, STORED_AS, no_values
from stores.upsert import RETRIEVED

if TYPE_CHECKING:
    import pandas as pd


def to_csv(table: Table, frame: pd.DataFrame, retrieved: str) -> Any:
    """Rows of a frame, with the instant of retrieval where one is given; times without their zone, UTC."""
    import pyarrow as pa
    import pyarrow.csv as pc

    arrow = to_arrow(table, frame[list(table.names)])
    # Without the zone, which the session has: Arrow formats times with one twenty times slower.
    columns = [
        column.cast(pa.timestamp("s")) if pa.types.is_timestamp(column.type) else column
        for column in arrow.columns
    ]
    names = [*table.names]
    if retrieved:
        columns.append(pa.repeat(pa.scalar(retrieved), len(frame)))
        names.append(RETRIEVED)
    sink = pa.BufferOutputStream()
    pc.write_csv(pa.table(columns, names=names), sink, pc.WriteOptions(include_header=False))
    return sink.getvalue().to_pybytes()


def from_csv(dtypes: Sequence[str], content: bytes) -> list[Any]:
    """Columns as Arrow arrays that fit these dtypes."""
    if not content:
        return [no_values(dtype) for dtype in dtypes]
    import pyarrow as pa
    import pyarrow.csv as pc

    names = [str(n) for n in range(len(dtypes))]
    types = [READ_AS.get(dtype, STORED_AS[dtype])() for dtype in dtypes]
    text = any(pa.types.is_string(kind) for kind in types)
    return pc.read_csv(  # type: ignore[no-any-return]
        pa.BufferReader(content),
        pc.ReadOptions(column_names=names, use_threads=False),
        # A single column without a value is an empty line.
        pc.ParseOptions(newlines_in_values=text, ignore_empty_lines=False),
        pc.ConvertOptions(
            column_types=dict(zip(names, types, strict=True)),
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    ).columns
