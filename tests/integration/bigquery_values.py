"""Schemas, Parquet files and answers of the stand-in of BigQuery, and how it says no."""

from __future__ import annotations

import io
import re
from typing import Any

# BigQuery answers with these names, whatever it was told.
NAMED = {"FLOAT64": "FLOAT", "INT64": "INTEGER", "BOOL": "BOOLEAN"}
DUCKDB = {
    "TIMESTAMP": "TIMESTAMPTZ",
    "DATE": "DATE",
    "FLOAT": "DOUBLE",
    "INTEGER": "BIGINT",
    "BOOLEAN": "BOOLEAN",
    "STRING": "VARCHAR",
    "BIGNUMERIC": "DECIMAL(38, 18)",  # as wide as DuckDB's are, and ours
}
CLUSTERED = set(DUCKDB) - {"FLOAT"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,299}")
TABLE_NAME = re.compile(r"[\w -]{1,1024}")
LABEL = re.compile(r"[a-z0-9_-]{0,63}")
STATUS = {
    "notFound": 404,
    "duplicate": 409,
    "accessDenied": 403,
    "quotaExceeded": 403,
    "conditionNotMet": 412,
}

Resource = dict[str, Any]


class Refused(Exception):
    """What BigQuery says no with: a reason of its list, and its words."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    @property
    def status(self) -> int:
        return STATUS.get(self.reason, 400)


def read_fields(fields: list[Resource]) -> list[Resource]:
    """A schema's fields as BigQuery answers them; raises Refused."""
    found = []
    for field in fields:
        kind = NAMED.get(field["type"], field["type"])
        if kind not in DUCKDB:
            raise Refused("invalid", f"{field['name']}: the stand-in has no type {field['type']}")
        if not NAME.fullmatch(field["name"]) or field["name"].upper().startswith("_PARTITION"):
            raise Refused("invalid", f'Invalid field name "{field["name"]}".')
        if len(field.get("description") or "") > 1024:
            raise Refused("invalid", f"The description of {field['name']} is too long.")
        found.append({**field, "type": kind, "mode": field.get("mode") or "NULLABLE"})
    if len({field["name"].lower() for field in found}) < len(found):
        raise Refused("invalid", "Duplicate column names in the schema.")
    return found


def check_words(table: Resource) -> None:
    """Raise Refused for labels or a description that BigQuery does not take."""
    labels = table.get("labels", {})
    if not all(LABEL.fullmatch(word) for pair in labels.items() for word in pair):
        raise Refused("invalid", f"Invalid labels {labels}.")
    if len(table.get("description") or "") > 16384:
        raise Refused("invalid", "The table's description is too long.")


def shape(field: Resource) -> tuple[str, str, str]:
    """What two schemas must have in common to be one."""
    return field["name"], field["type"], field["mode"]


def column(field: Resource) -> str:
    """A field as DuckDB declares it."""
    required = " NOT NULL" if field["mode"] == "REQUIRED" else ""
    return f'"{field["name"]}" {DUCKDB[field["type"]]}{required}'


def parquet(uri: str, content: bytes, fields: list[Resource]) -> Any:
    """The rows of a file; refuses what does not fit the schema, a nullable column for a REQUIRED one too."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {
        "TIMESTAMP": lambda kind: pa.types.is_timestamp(kind) and kind.tz == "UTC",
        "DATE": pa.types.is_date32,
        "FLOAT": pa.types.is_float64,
        "INTEGER": pa.types.is_int64,
        "BOOLEAN": pa.types.is_boolean,
        "STRING": pa.types.is_string,
        "BIGNUMERIC": pa.types.is_decimal,
    }
    rows = pq.read_table(io.BytesIO(content))
    wanted = {field["name"]: field for field in fields}
    if strange := set(rows.column_names) - set(wanted):
        raise Refused("invalid", f"Provided schema is not compatible with {uri}: {strange}")
    for name, field in wanted.items():
        required = field["mode"] == "REQUIRED"
        if name not in rows.column_names:
            if required:
                raise Refused("invalid", f"{uri} lacks the required field {name}")
            continue
        there = rows.schema.field(name)
        if not kinds[field["type"]](there.type):
            raise Refused(
                "invalid", f"Field '{name}' has type {there.type} in {uri}, not {field['type']}"
            )
        if required and there.nullable:
            raise Refused("invalid", f"Field {name} has changed mode from REQUIRED to NULLABLE")
    return rows


def encoded(answer: Any) -> tuple[list[Resource], list[Resource]]:
    """Schema and rows in the form of getQueryResults; times as whole microseconds."""
    import pyarrow as pa

    if answer is None:
        return [], []
    names = {
        "timestamp[us, tz=UTC]": "TIMESTAMP", "date32[day]": "DATE", "double": "FLOAT",
        "int64": "INTEGER", "bool": "BOOLEAN", "string": "STRING", "decimal128(38, 18)": "BIGNUMERIC",
    }  # fmt: skip
    fields = [
        {"name": f.name, "type": names[str(f.type)], "mode": "NULLABLE"} for f in answer.schema
    ]
    columns = [
        [None if value is None else _text(value) for value in values]
        for values in (
            column.cast(pa.int64()).to_pylist() if pa.types.is_timestamp(column.type) else column.to_pylist()
            for column in answer.columns
        )
    ]  # fmt: skip
    rows = [{"f": [{"v": value} for value in row]} for row in zip(*columns, strict=True)]
    return fields, rows


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
