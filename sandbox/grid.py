"""The synthetic grid: what a series must offer, and the series by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Protocol, runtime_checkable

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
    #: The columns that name what is published; rows equal in them are publications of one thing.
    identity: tuple[str, ...]
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


@runtime_checkable
class Holed(Protocol):
    """A series of which it is known what should be there."""

    def holes(self, first: int, last: int) -> Columns:
        """Return the cells from `first` to `last` (both inclusive) that are never published."""
        ...


def build_grid(seed: int) -> Mapping[str, Series]:
    """Return every series of the synthetic grid for one seed."""
    from sandbox.elexon import build_elexon
    from sandbox.frequency import FrequencySeries
    from sandbox.wind_solar import WindSolarSeries

    wind = WindSolarSeries(seed)
    series: dict[str, Series] = {"frequency": FrequencySeries(seed), "wind_solar": wind}
    return series | build_elexon(seed, wind)


def first_of_each(columns: Columns, identity: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the positions of the first publication of each thing, in the order they stand."""
    if "publish_time" not in columns:
        return np.arange(len(columns[identity[0]]))
    names = [np.unique(columns[name].astype(str), return_inverse=True)[1] for name in identity]
    order = np.lexsort((columns["publish_time"], *names))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = np.any([name[order][1:] != name[order][:-1] for name in names], axis=0)
    return np.sort(order[first])


def take(columns: Columns, which: NDArray[Any]) -> Columns:
    """Return the rows picked by a mask or by positions."""
    return {name: values[which] for name, values in columns.items()}


def join(parts: list[Columns]) -> Columns:
    """Return several tables of equal columns below one another."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
