"""Frames as files that people open: CSV for spreadsheets, Parquet for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from domain.errors import SchemaError
from domain.tables import Table, arrow_type, format_times, to_arrow

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# Digits in all and behind the point: the exact energy of an invoice has fourteen behind it.
DECIMAL = 38, 18

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


def arrow_schema(table: Table, names: Iterable[str] = ()) -> pa.Schema:
    """How these columns of a table (all, if none are named) stand in Parquet.

    Units and descriptions are field metadata, what must not be empty is not nullable, decimals are numbers.
    """
    import pyarrow as pa

    fields = []
    for name in names or table.names:
        column = table.column(name)
        kind = pa.decimal128(*DECIMAL) if column.dtype == "decimal" else arrow_type(column.dtype)
        told = {"unit": column.unit, "description": column.description}
        fields.append(pa.field(name, kind, nullable=column.optional, metadata=told))
    return pa.schema(fields)


def parquet_bytes(table: Table, frame: pd.DataFrame, facts: dict[str, str]) -> bytes:
    """A frame as Parquet; see ``write_parquet``."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    write_parquet(table, [frame], sink, facts, [str(name) for name in frame.columns])
    return bytes(sink.getvalue())


def write_parquet(
    table: Table,
    frames: Iterable[pd.DataFrame],
    target: Any,
    facts: dict[str, str],
    names: Iterable[str] = (),
) -> None:
    """Frames, one after the other, as one Parquet file (zstd) of ``arrow_schema``, with ``facts`` beside.

    ``target`` is a path or a sink. The same frames always give the same bytes. Raises SchemaError for a
    decimal that is too long.
    """
    import pyarrow.parquet as pq

    schema = arrow_schema(table, names)
    with pq.ParquetWriter(target, schema.with_metadata(facts), compression="zstd") as writer:
        for frame in frames:
            writer.write_table(_typed(table, frame, schema))


def _typed(table: Table, frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    arrow = to_arrow(table, frame)
    columns = []
    for field, values in zip(schema, arrow.columns, strict=True):
        try:
            columns.append(values.cast(field.type))
        except pa.ArrowInvalid:
            precision, scale = DECIMAL
            raise SchemaError(
                f"{table.name}.{field.name} holds a number of more than {precision - scale} digits before "
                f"the point or {scale} after it, which a Parquet file of ours cannot: please report it."
            ) from None
    return pa.Table.from_arrays(columns, schema=schema)
