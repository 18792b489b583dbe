"""Reads `endpoints.toml`: what is served, under which path, in which shape."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from sandbox.calendar import day_texts, instant_texts, settlement_day, settlement_period
from sandbox.grid import Columns


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


class Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a provider's API lives in the sandbox and which setting points the project at it."""

    prefix: str
    setting: str
    token: Token | None = None
    limit: Limit | None = None


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pair of parameters that bounds an answer, and the column that it bounds."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    axis: str
    kind: Literal["instant", "settlement_date"] = "instant"
    period_from: str | None = None
    period_to: str | None = None


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One field of a row: a column of the series in some text form, or a constant."""

    name: str
    column: str | None = None
    form: str | None = msgspec.field(name="as", default=None)
    value: str | int | float | bool | None = None

    def values(self, columns: Columns) -> list[Any]:
        """Return the field of every row, ready for JSON."""
        if self.column is None:
            return [self.value] * len(next(iter(columns.values())))
        column = columns[self.column]
        match self.form:
            case None:
                return list(column.tolist())
            case "instant":
                return instant_texts(column)
            case "settlement_date":
                return day_texts(settlement_day(column))
            case "settlement_period":
                return list(settlement_period(column).tolist())
            case text:
                return [text.format(value) for value in column.tolist()]


class Endpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One path of one provider. The fields are explained at the top of `endpoints.toml`."""

    provider: str
    path: str
    series: str
    envelope: Literal["data", "bare", "metadata"]
    fields: tuple[Field, ...]
    windows: tuple[Window, ...]
    required: tuple[str, ...] = ()
    latest_s: int = 86_400
    cap_s: int | None = None
    cap_words: str = ""
    versions: Literal["newest", "all"] = "newest"
    datasets: tuple[str, ...] = ()

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
    provider: dict[str, Provider]
    endpoint: tuple[Endpoint, ...]


@dataclass(frozen=True)
class Catalogue:
    """All providers and endpoints, and the row type of each endpoint."""

    providers: dict[str, Provider]
    endpoints: tuple[Endpoint, ...]
    _row_types: dict[str, type[msgspec.Struct]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None = None) -> Catalogue:
        """Read a catalogue file, by default the one beside this module."""
        text = (path or Path(__file__).with_name("endpoints.toml")).read_text(encoding="utf-8")
        read = msgspec.convert(tomllib.loads(text), _File)
        return cls(read.provider, read.endpoint)

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
            if path == provider.prefix or path.startswith(provider.prefix + "/"):
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
    """Return the names of the fields that hold measured values (floats)."""
    return [
        each.name
        for each in endpoint.fields
        if each.column is not None and np.issubdtype(columns[each.column].dtype, np.floating)
    ]


def field_of(endpoint: Endpoint, column: str) -> str | None:
    """Return the name under which a column is sent as it is, if it is sent."""
    for each in endpoint.fields:
        if each.column == column and each.form in (None, "instant"):
            return each.name
    return None
