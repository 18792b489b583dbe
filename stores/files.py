"""Frames as files that people open: CSV for spreadsheets, Parquet for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from domain.tables import Table, format_times, to_arrow

if TYPE_CHECKING:
    import pandas as pd

# A spreadsheet runs a cell that begins with one of these as a formula.
_FORMULA = r"^[=+\-@\t\r]"


def csv_bytes(table: Table, frame: pd.DataFrame) -> bytes:
    """A frame as CSV; see ``csv_lines``."""
    return "".join(csv_lines(table, frame)).encode()


def csv_lines(table: Table, frame: pd.DataFrame) -> list[str]:
    """The lines of a frame as CSV, header first: UTF-8, ``\\n``, ISO times, empty cells for no value.

    Cells are quoted only where they must be; text that a spreadsheet would run as a formula gets an
    apostrophe in front. The same frame always gives the same bytes.
    """
    import pyarrow.compute as pc

    names = [str(name) for name in frame.columns]
    cells = [
        _cells(table.column(name).dtype, column)
        for name, column in zip(names, to_arrow(table, frame).columns, strict=True)
    ]
    header = ",".join(names) + "\n"
    if not len(frame):
        return [header]
    ended = pc.binary_join_element_wise(pc.binary_join_element_wise(*cells, ","), "\n", "")
    return [header, *ended.to_pylist()]


def _cells(dtype: str, values: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if dtype == "time":
        values = format_times(values)
    elif dtype == "float":
        values = pc.add(values, 0.0)  # -0.0 would look like a sign
    text = values.cast(pa.string())
    if dtype == "text":
        formula = pc.match_substring_regex(text, _FORMULA)
        text = pc.if_else(formula, pc.binary_join_element_wise("'", text, ""), text)
        special = pc.match_substring_regex(text, '[",\r\n]')
        doubled = pc.replace_substring(text, '"', '""')
        text = pc.if_else(special, pc.binary_join_element_wise('"', doubled, '"', ""), text)
    return pc.fill_null(text, "")


def parquet_bytes(table: Table, frame: pd.DataFrame, facts: dict[str, str]) -> bytes:
    """A frame as Parquet (zstd), with units and descriptions as field metadata and ``facts`` beside."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = to_arrow(table, frame)
    fields = [
        field.with_metadata(
            {
                "unit": table.column(field.name).unit,
                "description": table.column(field.name).description,
            }
        )
        for field in arrow.schema
    ]
    arrow = pa.Table.from_arrays(arrow.columns, schema=pa.schema(fields, metadata=facts))
    sink = pa.BufferOutputStream()
    pq.write_table(arrow, sink, compression="zstd")
    return bytes(sink.getvalue())
