"""Elexon's datasets that are known by names and types only: a few invented rows for each.

Which there are, how they are asked and what fields they have stands in the project's own data file,
which is data made from a published document and no code. Values are numbers and words without
meaning; there is a row for every half hour, and nothing is ever published again.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.calendar import LAST_INSTANT, PERIOD_S
from sandbox.endpoints import Endpoint, Field, Window
from sandbox.grid import HISTORY_STARTS, Columns, Series
from sandbox.noise import Instants, uniform

FILE = Path(__file__).parents[1] / "sources" / "elexon_codes.toml"
AXIS, LATER = "moment", "later"
# The parameters of a window in each family, and how they are read.
_WINDOWS = {
    "publish": Window("publishDateTimeFrom", "publishDateTimeTo", AXIS),
    "submission": Window("submissionDateTimeFrom", "submissionDateTimeTo", AXIS),
    "times": Window("from", "to", AXIS, "instant", "settlementPeriodFrom", "settlementPeriodTo"),
    "settlement_days": Window("settlementDateFrom", "settlementDateTo", AXIS, "settlement_date"),
    "settlement_periods": Window(
        "settlementDateFrom", "settlementDateTo", AXIS, "settlement_date",
        "settlementPeriodFrom", "settlementPeriodTo",
    ),
}  # fmt: skip
_FORMS = {"settlementDate": "settlement_date", "settlementPeriod": "settlement_period"}
_LAST_OF_SPANS = ("timeTo", "endTime")
Kinds = dict[str, str]


def read_codes(path: Path = FILE) -> dict[str, tuple[str, str, Kinds]]:
    """Return path, family and the types of the fields of each code."""
    parsed = tomllib.loads(path.read_text(encoding="utf-8"))
    parsed.pop("left_out", None)
    return {
        code: (
            entry["path"],
            entry["asked"],
            dict(line.split() for line in entry["columns"].splitlines() if line),
        )
        for code, entry in parsed.items()
    }


def build_codes(seed: int) -> tuple[list[Endpoint], Mapping[str, Series]]:
    """Return the endpoints of all codes, and the series that they serve."""
    endpoints: list[Endpoint] = []
    series: dict[str, Series] = {}
    for code, (path, asked, kinds) in read_codes().items():
        name = code.lower()
        series[name] = CodeSeries(seed, name, kinds)
        endpoints.append(_endpoint(code, path, _WINDOWS[asked], kinds))
    return endpoints, series


def _endpoint(code: str, path: str, window: Window, kinds: Kinds) -> Endpoint:
    days_and_periods = window.kind == "settlement_date" and window.period_from
    required = (window.start, window.end, window.period_from, window.period_to)
    return Endpoint(
        provider="elexon",
        path=path,
        series=code.lower(),
        envelope="bare" if path.endswith("/stream") else "data",
        fields=(Field("dataset", value=code), *(_field(*each) for each in kinds.items())),
        windows=(window,),
        required=tuple(filter(None, required)) if days_and_periods else (),
    )


def _field(name: str, kind: str) -> Field:
    moment = LATER if name in _LAST_OF_SPANS else AXIS
    match kind.rstrip("?"):
        case _ if name in _FORMS:
            return Field(name, AXIS, _FORMS[name])
        case "time":
            return Field(name, moment, "instant")
        case "date":
            return Field(name, moment, "date")
    return Field(name, name)


class CodeSeries:
    """Columns `moment`, `later` (half an hour after it) and the fields that hold no time."""

    axes: tuple[str, ...] = (AXIS,)
    identity: tuple[str, ...] = (AXIS,)
    settled_after_s = 0

    def __init__(self, seed: int, name: str, kinds: Kinds) -> None:
        self.seed = seed
        self.name = name
        self.kinds = kinds

    def newest(self, axis: str, now: int) -> int:
        """Return the last half hour that began by `now`."""
        return now // PERIOD_S * PERIOD_S

    def rows(self, axis: str, first: int, last: int, now: int, *, every: bool = False) -> Columns:
        """Return the rows from `first` to `last` (both inclusive) published by `now`."""
        begin = -(-max(first, HISTORY_STARTS) // PERIOD_S)
        end = min(last, now, LAST_INSTANT) // PERIOD_S
        slots = np.arange(begin, max(end + 1, begin), dtype=np.int64)
        columns: Columns = {AXIS: slots * PERIOD_S, LATER: (slots + 1) * PERIOD_S}
        for field, kind in self.kinds.items():
            if kind.rstrip("?") not in ("time", "date") and field not in _FORMS:
                columns[field] = self._values(field, kind, slots)
        return columns

    def repeats(self, columns: Columns) -> NDArray[np.int64]:
        """Return 1 for every row."""
        return np.ones(len(columns[AXIS]), dtype=np.int64)

    def _values(self, field: str, kind: str, slots: Instants) -> NDArray[Any]:
        drawn = uniform(self.seed, f"{self.name}/{field}", slots)
        values: NDArray[Any]
        match kind.rstrip("?"):
            case "float":
                values = np.round(1_000.0 * drawn - 200.0, 3)
            case "int":
                values = (1_000.0 * drawn).astype(np.int64)
            case "flag":
                values = drawn < 0.5
            case _:
                values = np.array([f"SYNTHETIC-{int(9 * one)}" for one in drawn], dtype=object)
        if not kind.endswith("?"):
            return values
        sparse = values.astype(object)
        sparse[slots % 7 == 0] = None
        return sparse
