"""The little SQL that `datastore_search_sql` understands here.

SELECT * or columns, FROM one resource, WHERE comparisons joined by AND, ORDER BY, LIMIT, OFFSET.
Resource and columns stand in double quotes, as PostgreSQL demands it for names like these.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.calendar import parse_datetime

_TOKEN = re.compile(
    r"""\s*("(?:[^"]|"")*"|'(?:[^']|'')*'|-?\d+(?:\.\d+)?|<=|>=|<>|!=|[<>=*,;]|\w+)"""
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "<>": operator.ne,
    "!=": operator.ne,
}


class SqlError(ValueError):
    """A statement that is not understood; its text is what the database would complain of."""


@dataclass
class Select:
    """A statement that was read."""

    resource: str
    columns: list[str] = field(default_factory=list)  # empty: all
    where: list[tuple[str, str, str]] = field(default_factory=list)
    order: list[tuple[str, bool]] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0


def read(sql: str) -> Select:
    """Read a statement. Raises SqlError."""
    return _Reader(sql).select()


def rank(kind: str, value: Any) -> Any:
    """Return what a value of a column is compared and sorted by, None for none."""
    return str(value) if kind in ("text", "timestamp", "date") and value is not None else value


def literal(kind: str, text: str) -> Any:
    """Return a literal as a value of a column's type. Raises SqlError."""
    try:
        match kind:
            case "text":
                return text
            case "timestamp":
                return parse_datetime(text.replace(" ", "T")).isoformat()[:19]
            case "date":
                return parse_datetime(text.replace(" ", "T")).isoformat()[:10]
            case _:
                return float(text)
    except ValueError:
        raise SqlError(f'invalid input syntax for type {kind}: "{text}"') from None


def compare(sign: str, kind: str, value: Any, wanted: Any) -> bool:
    """Tell whether a value compares as a condition says; no value never does."""
    return value is not None and _COMPARE[sign](rank(kind, value), wanted)


class _Reader:
    def __init__(self, sql: str) -> None:
        self._tokens: list[str] = []
        at = 0
        sql = sql.strip()
        while at < len(sql):
            found = _TOKEN.match(sql, at)
            if found is None:
                raise SqlError(f'syntax error at or near "{sql[at : at + 10].strip()}"')
            self._tokens.append(found.group(1))
            at = found.end()
        if self._tokens and self._tokens[-1] == ";":
            self._tokens.pop()
        self._at = 0

    def select(self) -> Select:
        """Read the whole statement."""
        self._word("SELECT")
        columns: list[str] = []
        if not self._take("*"):
            columns = self._listed(self._name)
        self._word("FROM")
        select = Select(self._name(), columns)
        if self._take("WHERE"):
            select.where.append(self._condition())
            while self._take("AND"):
                select.where.append(self._condition())
        if self._take("ORDER"):
            self._word("BY")
            select.order = self._listed(self._ordered)
        if self._take("LIMIT"):
            select.limit = self._count()
        if self._take("OFFSET"):
            select.offset = self._count()
        if self._at < len(self._tokens):
            raise SqlError(f'syntax error at or near "{self._tokens[self._at]}"')
        return select

    def _listed(self, read: Callable[[], Any]) -> list[Any]:
        found = [read()]
        while self._take(","):
            found.append(read())
        return found

    def _ordered(self) -> tuple[str, bool]:
        name = self._name()
        falling = self._take("DESC")
        if not falling:
            self._take("ASC")
        return name, falling

    def _condition(self) -> tuple[str, str, str]:
        name, sign, text = self._name(), self._next(), self._next()
        if sign not in _COMPARE:
            raise SqlError(f'syntax error at or near "{sign}"')
        if text.startswith("'"):
            text = text[1:-1].replace("''", "'")
        elif not re.fullmatch(r"-?\d+(\.\d+)?", text):
            raise SqlError(f"column {text.lower()} does not exist")
        return name, sign, text

    def _name(self) -> str:
        token = self._next()
        if not token.startswith('"'):
            raise SqlError(f"column {token.lower()} does not exist")
        return token[1:-1].replace('""', '"')

    def _count(self) -> int:
        token = self._next()
        if not token.isdecimal():
            raise SqlError(f'syntax error at or near "{token}"')
        return int(token)

    def _word(self, word: str) -> None:
        if not self._take(word):
            near = self._tokens[self._at] if self._at < len(self._tokens) else "end of input"
            raise SqlError(f'syntax error at or near "{near}"')

    def _take(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at].upper() == word:
            self._at += 1
            return True
        return False

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise SqlError("syntax error at end of input")
        self._at += 1
        return self._tokens[self._at - 1]
