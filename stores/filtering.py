"""Conditions as data: a column of the table, an operator of a closed set, a value that fits the column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from domain.errors import UsageError
from domain.settlement import parse_day
from domain.tables import Column, Table
from domain.windows import parse_instant
from stores.upsert import as_stored

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "contains", "is empty")
LONGEST_TEXT = 1000


@dataclass(frozen=True)
class Condition:
    """What rows must be like: a column, one of ``OPERATORS``, and a value, typed or as text.

    ``contains`` looks into text, whatever the case of its letters from a to z. An empty cell fulfils
    ``is empty`` alone, which needs no value.
    """

    column: str
    operator: str
    value: Any = None


def fitting(table: Table, condition: Condition) -> Any:
    """The value of a condition as a parameter; UsageError for one that does not fit its column."""
    column = table.column(condition.column)
    if condition.operator not in OPERATORS:
        raise UsageError(
            f"'{condition.operator}' is no condition: there are {', '.join(OPERATORS)}."
        )
    if condition.operator == "is empty":
        return None
    if condition.operator == "contains":
        if column.dtype != "text":
            raise UsageError(f"{column.name} holds no text that could contain something.")
        text = str(_typed(column, condition.value))
        for mark in "!%_":
            text = text.replace(mark, f"!{mark}")
        return f"%{text.encode().lower().decode()}%"
    return as_stored(_typed(column, condition.value))


def _typed(column: Column, value: Any) -> Any:
    """A value of the column's type, also from the text that somebody typed."""
    try:
        return _TYPES[column.dtype](value)
    except (ValueError, KeyError, TypeError, OverflowError, AttributeError, UsageError):
        shown = str(value)[:40]
        raise UsageError(
            f"'{shown}' does not fit {column.name}, which holds {column.dtype}."
        ) from None


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _whole(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError
    return number


def _text(value: Any) -> str:
    text = str(value)
    if "\0" in text or len(text) > LONGEST_TEXT:
        raise ValueError
    text.encode()
    return text


def _flag(value: Any) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    return words[str(value).strip().lower()]


def _instant(value: Any) -> datetime:
    return parse_instant(value.isoformat() if isinstance(value, datetime) else str(value).strip())


def _day(value: Any) -> date:
    return parse_day(value.isoformat()[:10] if isinstance(value, date) else str(value).strip())


_TYPES: dict[str, Any] = {
    "text": _text,
    "float": _number,
    "decimal": _number,
    "int": _whole,
    "flag": _flag,
    "time": _instant,
    "date": _day,
}
