"""Reads `endpoints.toml`: what is served, under which path, in which shape."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from sandbox.calendar import DAY_S, day_texts, instant_texts, settlement_day, settlement_period
from sandbox.grid import Columns

# Beside the endpoints of this folder, those of a provider that has a folder of its own.
_FILES = ("endpoints.toml", "elexon/endpoints.toml")


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A synthetic token, the setting that holds it and the two ways of showing it."""

    setting: str
    value: str
    header: str
    param: str


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many requests a provider answers in any 60 seconds, and how long it then answers none."""

    requests_per_min: int
    ban_s: float


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Paths below the prefix that begin like `path` and have a limit of their own besides."""

    path: str
    limit: Limit


class Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a provider's API lives in the sandbox and which setting points the project at it.

    `root` is where all of its paths lie, if some are outside the API: files for instance.
    """

    prefix: str
    setting: str
    token: Token | None = None
    limit: Limit | None = None
    part: Part | None = None
    root: str | None = None

    def holds(self, path: str) -> bool:
        """Tell whether a path is the provider's."""
        root = self.root or self.prefix
        return path == root or path.startswith(root + "/")


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pair of parameters that bounds an answer, and the column that it bounds."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    axis: str
    kind: Literal["instant", "period", "settlement_date", "date"] = "instant"
    period_from: str | None = None
    period_to: str | None = None


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A parameter, repeatable, that leaves only rows with one of its values in one of the columns."""

    param: str
    columns: tuple[str, ...]
    form: Literal["settlement_period"] | None = msgspec.field(name="as", default=None)

    def keep(self, columns: Columns, wanted: str) -> NDArray[np.bool_]:
        """Mark the rows that are wanted; several values are joined by commas."""
        names = wanted.split(",")
        kept = np.zeros(len(columns[self.columns[0]]), dtype=np.bool_)
        for name in self.columns:
            values = columns[name]
            if self.form == "settlement_period":
                values = settlement_period(values)
                kept |= np.isin(values, [int(n) for n in names if n.isascii() and n.isdigit()])
            else:
                kept |= np.array([value in names for value in values.tolist()], dtype=np.bool_)
        return kept


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One field of a row: a column of the series in some text form, or a constant."""

    name: str
    column: str | None = None
    form: str | None = msgspec.field(name="as", default=None)
    value: str | int | float | bool | None = None
    absent: bool = False

    def values(self, columns: Columns) -> list[Any]:
        """Return the field of every row, ready for JSON."""
        if self.column is None:
            return [self.value] * len(next(iter(columns.values())))
        column = columns[self.column]
        if self.absent:
            # A key that is not sent: an instant is 0 then, anything else None.
            told: list[Any] = self._texts(column)
            return [
                msgspec.UNSET if value is None or value == 0 else text
                for value, text in zip(column.tolist(), told, strict=True)
            ]
        return self._texts(column)

    def _texts(self, column: NDArray[Any]) -> list[Any]:
        match self.form:
            case None:
                return list(column.tolist())
            case "instant":
                return instant_texts(column)
            case "naive_instant":
                return [text[:-1] for text in instant_texts(column)]
            case "date":
                return day_texts(column // DAY_S)
            case "settlement_date":
                return day_texts(settlement_day(column))
            case "settlement_period":
                return list(settlement_period(column).tolist())
            case digits if digits.startswith("number "):
                shape = digits.removeprefix("number ")
                return [msgspec.Raw(format(value, shape).encode()) for value in column.tolist()]
            case text:
                return [text.format(value) for value in column.tolist()]


class Endpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One path of one provider. The fields are explained at the top of `endpoints.toml`."""

    provider: str
    path: str
    series: str
    envelope: Literal["data", "bare", "metadata"]
    fields: tuple[Field, ...]
    windows: tuple[Window, ...] = ()
    exclusive: bool = False
    filters: tuple[Filter, ...] = ()
    required: tuple[str, ...] = ()
    latest_s: int = 86_400
    cap_s: int | None = None
    cap_words: str = ""
    versions: Literal["newest", "all"] = "newest"
    order: Literal["descending", "ascending"] = "descending"
    datasets: tuple[str, ...] = ()
    stream: bool = False

    def streamed(self) -> Endpoint:
        """Return the stream that stands beside this endpoint: a bare array without a cap."""
        path = f"{self.path}/stream"
        return msgspec.structs.replace(
            self, path=path, envelope="bare", cap_s=None, cap_words="", stream=False
        )

    def match(self, path: str) -> dict[str, str] | None:
        """Return the parameters in a path (after the prefix), or None if it is another path."""
        mine, theirs = self.path.split("/"), path.split("/")
        if len(mine) != len(theirs):
            return None
        found = {}
        for part, given in zip(mine, theirs, strict=True):
            if part.startswith("{") and given:
                found[part.strip("{}")] = given
            elif part != given:
                return None
        return found


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    endpoint: tuple[Endpoint, ...]
    provider: dict[str, Provider] = {}


@dataclass(frozen=True)
class Catalogue:
    """All providers and endpoints, and the row type of each endpoint."""

    providers: dict[str, Provider]
    endpoints: tuple[Endpoint, ...]
    _row_types: dict[str, type[msgspec.Struct]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None = None, more: Iterable[Endpoint] = ()) -> Catalogue:
        """Read a catalogue file, by default those of the sandbox, and add `more` endpoints."""
        folder = Path(__file__).parent
        providers: dict[str, Provider] = {}
        endpoints: list[Endpoint] = []
        for file in [path] if path else [folder / name for name in _FILES]:
            read = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), _File)
            providers |= read.provider
            endpoints += read.endpoint
        endpoints += more
        both = [(one, one.streamed()) if one.stream else (one,) for one in endpoints]
        return cls(providers, tuple(one for pair in both for one in pair))

    def find(self, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """Return the endpoint of a whole request path and the parameters in the path."""
        for endpoint in self.endpoints:
            prefix = self.providers[endpoint.provider].prefix
            if path.startswith(prefix):
                found = endpoint.match(path[len(prefix) :])
                if found is not None:
                    return endpoint, found
        return None

    def provider_of(self, path: str) -> str | None:
        """Return the name of the provider that a path belongs to."""
        for name, provider in self.providers.items():
            if provider.holds(path):
                return name
        return None

    def rows(self, endpoint: Endpoint, columns: Columns) -> list[msgspec.Struct]:
        """Return rows ready for JSON, as small objects that encode twice as fast as dicts."""
        make = self._row_types.get(endpoint.path)
        if make is None:
            spelled = [(f"f{n}", Any) for n in range(len(endpoint.fields))]
            names = {f"f{n}": each.name for n, each in enumerate(endpoint.fields)}
            make = msgspec.defstruct("Row", spelled, rename=names.get, gc=False)
            self._row_types[endpoint.path] = make
        return list(map(make, *(each.values(columns) for each in endpoint.fields)))


def value_fields(endpoint: Endpoint, columns: Columns) -> list[str]:
    """Return the names of the fields that hold measured values: floats, and whole megawatts."""
    return [
        each.name
        for each in endpoint.fields
        if each.column is not None
        and (np.issubdtype(columns[each.column].dtype, np.floating) or each.column.endswith("_mw"))
    ]


def time_fields(endpoint: Endpoint) -> list[str]:
    """Return the names of the fields that say when a row's values were, not when they were told."""
    told = ("publish_time", "acceptance_time", "created_time", "commencing_time")
    return [
        each.name
        for each in endpoint.fields
        if each.form in ("instant", "naive_instant") and each.column not in told
    ]


def field_of(endpoint: Endpoint, column: str) -> str | None:
    """Return the name under which a column is sent as it is, if it is sent."""
    for each in endpoint.fields:
        if each.column == column and each.form in (None, "instant"):
            return each.name
    return None
