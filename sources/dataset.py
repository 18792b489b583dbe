"""What a source declares: providers, and datasets of one table each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

from domain.ledger import Completeness, Publication
from domain.tables import Conformed, Table
from domain.windows import Window
from utils import Setting, number, url

if TYPE_CHECKING:
    import pandas as pd

    from sources.transport import Body

T = TypeVar("T")


@dataclass(frozen=True)
class Provider:
    """Who publishes: its address, how politely it is asked, and how it wants to be named.

    ``key`` in capitals is the prefix of its settings. ``deadline_s`` is how long it may go without
    a good answer. A 429 means that it wants to be left alone for ``ban_s``, where it does not say
    itself. ``token_header`` carries the setting ``token_setting``.
    """

    key: str
    title: str
    base_url: str
    requests_per_s: float
    attribution: str
    accept: str = "application/json"
    deadline_s: float = 300
    ban_s: float = 0
    token_header: str = ""
    token_setting: str = ""

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Address, rate, timeout and deadline, which every provider has that is asked over HTTP."""
        if not self.base_url:
            return ()
        prefix = self.key.upper()
        return (
            Setting(f"{prefix}_BASE_URL", self.base_url, url, f"Address of the {self.title} API."),
            Setting(
                f"{prefix}_REQUESTS_PER_S",
                f"{self.requests_per_s:g}",
                number(0, 1000, "requests/s"),
                f"At most this many requests a second to {self.title}.",
            ),
            Setting(
                f"{prefix}_TIMEOUT_S",
                "60",
                number(0, 3600, "s"),
                f"How long {self.title} may stay silent within one request [s].",
            ),
            Setting(
                f"{prefix}_DEADLINE_S",
                f"{self.deadline_s:g}",
                number(0, 86_400, "s"),
                f"How long {self.title} may go without one good answer before a run gives it up [s].",
            ),
        )


class Asker(Protocol):
    """What a reader asks through: a ``transport.Client``, or what stands between the two or in its place."""

    #: the widest window that a path turned out to allow, for readers to keep to
    learnt: dict[str, timedelta]

    def get(
        self, dataset: str, path: str, params: Mapping[str, str], decode: Callable[[bytes], T]
    ) -> tuple[T, Body]:
        """Ask ``path`` on behalf of a dataset and decode the body."""
        ...

    def download(
        self, dataset: str, address: str, file: IO[bytes], check: Callable[[IO[bytes]], None]
    ) -> bool:
        """Write what stands at an address to a file; returns whether the sandbox sent it."""
        ...

    def reuse(self, address: str) -> None:
        """Say that what was downloaded from there for another window serves this one, too."""
        ...

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` gives, made once a run."""
        ...


@dataclass(frozen=True)
class Answer:
    """Rows of one window as a provider sent them.

    ``rows`` fit the table; ``stray`` counts rows outside the window beyond what inclusive ends
    explain. ``synthetic`` is set where the answer came from the sandbox. ``said`` is what the provider
    told in words. ``taken_back`` are spans of the table (``Table.spans``) whose rows it took back.
    """

    rows: Conformed
    stray: int
    bytes: int
    synthetic: bool
    said: str = ""
    taken_back: pd.DataFrame | None = None


@dataclass(frozen=True)
class FileReading:
    """How a dataset is read from files: the setting with their folder, and a reader per pattern.

    A reader takes a file's name, its bytes and what is known of the assets, and returns rows and
    rejected rows; it raises SchemaError where the whole file cannot be used. That no file is there at
    all is said where one is ``expected``.
    """

    folder_setting: str
    readings: tuple[tuple[str, Callable[[str, bytes, Any], Any]], ...]
    expected: bool = True


@dataclass(frozen=True)
class Dataset:
    """What can be fetched: one table of one provider. A declaration reads like a table row.

    ``read`` reads files, or asks for one scope and window of at most ``widest``. ``scopes_setting`` names the
    setting that lists the scopes (zones), or ``scopes_of`` tells them from the settings (borders);
    without either there is one, nameless. ``publication`` tells of which days a scope has data at all.
    ``needs`` are settings without which it is skipped. ``lag`` is how long after a day's end its last rows appear;
    ``revisions`` are spans after the day's end at which values may have been restated.
    ``reach`` is how long a row may hold, where that is longer than a day: a day has the rows that hold
    on it, from whenever (its table has ``resolution_s``).
    ``rows_a_day`` (of one scope, about) bounds how much is under way at once; what has the lower
    ``priority`` is fetched first. The group ``core`` is the default of ``DATASETS``.
    """

    key: str
    title: str
    provider: Provider
    table: Table
    read: Callable[[Dataset, str, Window, Asker], Answer] | FileReading
    widest: timedelta
    completeness: Completeness
    lag: timedelta
    available_from: date
    revisions: tuple[timedelta, ...] = ()
    reach: timedelta = timedelta()
    aliases: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    scopes_setting: str = ""
    scopes_of: Callable[[Mapping[str, Any]], tuple[str, ...]] | None = None
    publication: Callable[[str], Publication] | None = None
    needs: tuple[str, ...] = ()
    rows_a_day: int = 48
    priority: int = 50

    def scopes(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """What it is asked for one at a time."""
        if self.scopes_of:
            return self.scopes_of(settings)
        return settings[self.scopes_setting] if self.scopes_setting else ("",)

    def published(self, scope: str) -> Publication:
        """The days of which there is something to ask for."""
        told = self.publication(scope) if self.publication else Publication()
        return replace(told, since=max(told.since, self.available_from))

    def lacking(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """The settings it needs that are empty."""
        return tuple(key for key in self.needs if not settings[key])
