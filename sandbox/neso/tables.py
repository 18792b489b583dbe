"""A table as a resource holds it: columns of texts with the datastore's types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

# Types of the datastore: how a text of the file becomes a value of its JSON.
_READ = {"int4": int, "numeric": float}
# Rows joined at a time: bounds what a long file holds in memory besides itself.
_ROWS = 20_000


@dataclass(frozen=True)
class Table:
    """Columns in the portal's order; an empty text is no value.

    `kinds` holds the datastore's type of each column, `value` the name of the first measured one.
    """

    columns: dict[str, list[str]]
    kinds: dict[str, str]
    value: str

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def lines(self, newline: str = "\n", *, numbered: bool = False) -> Iterator[bytes]:
        """Yield the CSV in pieces, the header first; a dump numbers its rows."""
        names = (["_id"] if numbered else []) + list(self.columns)
        yield (",".join(names) + newline).encode()
        columns = list(self.columns.values())
        for first in range(0, len(self), _ROWS):
            parts = [column[first : first + _ROWS] for column in columns]
            if numbered:
                parts.insert(0, list(map(str, range(first + 1, first + len(parts[0]) + 1))))
            rows = newline.join(map(",".join, zip(*parts, strict=True)))
            yield (rows + newline).encode()

    @cached_property
    def csv(self) -> bytes:
        """The whole file as it was uploaded."""
        return b"".join(self.lines())

    @cached_property
    def dump(self) -> bytes:
        """The whole table as the datastore writes it: numbered, with Windows line ends."""
        return b"".join(self.lines("\r\n", numbered=True))

    @cached_property
    def values(self) -> dict[str, list[Any]]:
        """The columns as the datastore holds them, its own number first."""
        found: dict[str, list[Any]] = {"_id": list(range(1, len(self) + 1))}
        for name, texts in self.columns.items():
            read = _READ.get(self.kinds[name], str)
            found[name] = [read(text) if text else None for text in texts]
        return found

    @property
    def fields(self) -> list[dict[str, str]]:
        """The fields of an answer of the datastore."""
        return [{"id": "_id", "type": "int"}] + [
            {"id": name, "type": kind} for name, kind in self.kinds.items()
        ]
