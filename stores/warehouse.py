"""What a warehouse is: a copy of a store's tables, brought up to date part by part.

``stores.parts`` says which parts a table has, ``stores.files`` makes a Parquet file of one, and a
warehouse puts that file in its place.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from domain.tables import Table
from domain.windows import Window


@dataclass(frozen=True)
class Part:
    """What is copied at once: a settlement month of a table, or all of a table that has no time.

    ``window`` is the month as Great Britain's clocks have it. ``fingerprint`` stands for its ``rows``: as
    long as it is the same, they are.
    """

    table: Table
    year: int
    month: int
    window: Window | None
    rows: int
    fingerprint: str

    @property
    def name(self) -> str:
        """2024-10; empty where the table has no time."""
        return f"{self.year:04}-{self.month:02}" if self.window else ""


class Warehouse(ABC):
    """A copy in one place, which itself knows what stands there; a context manager.

    ``replace`` is called from several threads at once, never twice for one part; everything else from
    one. Every method raises StoreError where the place cannot be used.
    """

    def __enter__(self) -> Warehouse:
        return self

    @abstractmethod
    def __exit__(self, *_: object) -> None:
        """Give connections back."""

    @abstractmethod
    def origin(self) -> str:
        """``live``, ``synthetic``, or empty as long as nothing was published."""

    @abstractmethod
    def check(self, table: Table) -> None:
        """Raise StoreMismatch where something stands under the table's name that parts cannot join.

        Writes nothing; called before the table's first part, and in a dry run.
        """

    @abstractmethod
    def known(self, table: Table) -> dict[str, str]:
        """The fingerprints of the table's parts that stand there, by part name."""

    @abstractmethod
    def replace(self, part: Part, file: Path, origin: str) -> None:
        """Make the part exactly the rows of a Parquet file, then keep its fingerprint.

        The file has the columns of ``stores.files.arrow_schema(part.table)`` and is the caller's to remove.
        After any crash the part is either as it was, or new, and is published again where unsure.
        """

    @abstractmethod
    def drop(self, table: Table, name: str) -> None:
        """Remove a part that the store no longer has."""
