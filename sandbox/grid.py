"""The synthetic grid: what a series must offer, and the series by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sandbox.calendar import day_number

Columns = dict[str, NDArray[Any]]

# The demonstration shows both clock changes; a hole there would look like an error of the project.
QUIET_DAYS = frozenset(
    day_number(date(2024, month, day)) + shift
    for month, day in ((3, 31), (10, 27))
    for shift in (-1, 0, 1)
)

# No series reaches further back; an earlier window is empty, as it is with the real providers.
HISTORY_STARTS = day_number(date(2016, 1, 1)) * 86_400


class Series(Protocol):
    """One published quantity. Instants are epoch seconds; windows are inclusive at both ends."""

    #: The columns a window can be asked by; the first is the natural time axis.
    axes: tuple[str, ...]
    #: Seconds after the end of a window from which its answer no longer changes.
    settled_after_s: int

    def newest(self, axis: str, now: int) -> int:
        """Return the newest instant on an axis that is published at `now`."""
        ...

    def rows(self, axis: str, first: int, last: int, now: int, *, every: bool = False) -> Columns:
        """Return the rows with `first <= axis <= last` published by `now`, oldest first.

        With `every` all publications are returned, otherwise the newest of each row.
        """
        ...

    def repeats(self, columns: Columns) -> NDArray[np.int64]:
        """Return how often each row is sent in an answer: 1, or more where it stutters."""
        ...


def build_grid(seed: int) -> Mapping[str, Series]:
    """Return every series of the synthetic grid for one seed."""
    from sandbox.frequency import FrequencySeries
    from sandbox.wind_solar import WindSolarSeries

    return {"frequency": FrequencySeries(seed), "wind_solar": WindSolarSeries(seed)}


def take(columns: Columns, which: NDArray[Any]) -> Columns:
    """Return the rows picked by a mask or by positions."""
    return {name: values[which] for name, values in columns.items()}


def join(parts: list[Columns]) -> Columns:
    """Return several tables of equal columns below one another."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
