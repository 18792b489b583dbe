"""What a picture shows, without any library that draws: panels of marks, their units, their words.

Times are UTC, as numpy ``datetime64[us]``; other axes are numbers. NaN is a gap: whoever draws breaks
the line there and never joins what is not joined. An ``ink`` is a name of ``pictures.inks``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

Dash = Literal["solid", "dash", "dot"]


@dataclass(frozen=True)
class Line:
    """A line through its corners; ``markers`` draws them too."""

    x: Any
    y: Any
    label: str = ""
    ink: str = "first"
    dash: Dash = "solid"
    markers: bool = False


@dataclass(frozen=True)
class Band:
    """An area between two lines; ``value`` is what is told of a corner instead of its heights."""

    x: Any
    low: Any
    high: Any
    label: str = ""
    ink: str = "first"
    opacity: float = 0.25
    value: Any = None


@dataclass(frozen=True)
class Bars:
    """Bars from ``left`` to ``right``."""

    left: Any
    right: Any
    y: Any
    label: str = ""
    ink: str = "first"


@dataclass(frozen=True)
class Points:
    """Single values."""

    x: Any
    y: Any
    label: str = ""
    ink: str = "first"


@dataclass(frozen=True)
class Cells:
    """A table of colours: ``z[row, column]`` at ``x[column]`` and ``y[row]``.

    ``hatched`` are cells that cover too little of their time; ``marks`` are words over columns.
    """

    x: Any
    y: Any
    z: Any
    label: str
    hatched: Any = None
    marks: Sequence[tuple[Any, str]] = ()
    signed: bool = False


@dataclass(frozen=True)
class Rule:
    """A limit: a line right across the panel."""

    at: float
    label: str = ""
    ink: str = "limit"
    dash: Dash = "dash"


@dataclass(frozen=True)
class Shade:
    """A stretch of the x axis of which something is to be known, such as that data lack."""

    left: Any
    right: Any
    label: str = ""
    ink: str = "gap"


Mark = Line | Band | Bars | Points | Cells | Rule | Shade


@dataclass(frozen=True)
class Panel:
    """Marks that share a y axis; ``y_label`` names quantity and unit."""

    y_label: str
    marks: Sequence[Mark]
    log_y: bool = False
    y_limits: tuple[float, float] | None = None
    height: float = 1.0


@dataclass(frozen=True)
class Picture:
    """Panels over one x axis, and the words around them.

    ``x_label`` names the unit, or the zone of times. ``x_limits`` is what was asked for, so that what is
    missing at its ends is seen to be missing. ``footer`` says whose data these are, a line each.
    """

    title: str
    subtitle: str
    panels: Sequence[Panel]
    x_label: str = "time (UTC)"
    x_is_time: bool = True
    x_limits: tuple[Any, Any] | None = None
    footer: Sequence[str] = field(default_factory=tuple)

    @property
    def known(self) -> bool:
        """Whether any mark has a value; limits and stretches alone show nothing."""
        import numpy as np

        marks = [mark for panel in self.panels for mark in panel.marks]
        values = [
            mark.z if isinstance(mark, Cells) else mark.high if isinstance(mark, Band) else mark.y
            for mark in marks
            if not isinstance(mark, Rule | Shade)
        ]
        return any(bool(np.isfinite(np.asarray(each, dtype=float)).any()) for each in values)


def instants(times: Any) -> Any:
    """Times with a zone as the ``datetime64[us]`` in UTC of a picture.

    >>> import pandas as pd
    >>> instants(pd.Series(pd.to_datetime(["2024-10-27T01:30+01:00"])))
    array(['2024-10-27T00:30:00.000000'], dtype='datetime64[us]')
    """
    import pandas as pd

    index = pd.DatetimeIndex(pd.to_datetime(times, utc=True))
    return index.tz_localize(None).to_numpy().astype("datetime64[us]")


def stairs(left: Any, right: Any, *values: Any) -> tuple[Any, ...]:
    """Corners of lines over intervals that end where the next begins; NaN breaks them at a gap.

    ``left`` and ``right`` are the ends of intervals in order (an overlap is cut off), ``values`` one or
    more arrays. Returns x and one y for each.

    >>> import numpy as np
    >>> x, y = stairs(np.array([0.0, 1.0, 5.0]), np.array([1.0, 2.0, 6.0]), np.array([7.0, 8.0, 9.0]))
    >>> x.tolist(), y.tolist()
    ([0.0, 1.0, 1.0, 2.0, 2.0, 5.0, 6.0], [7.0, 7.0, 8.0, 8.0, nan, 9.0, 9.0])
    """
    import numpy as np

    left, right = np.asarray(left), np.asarray(right)
    if not left.size:
        return (left, *(np.asarray(value, dtype=np.float64) for value in values))
    until = np.append(np.minimum(right[:-1], left[1:]), right[-1:])
    gap = np.append(until[:-1] < left[1:], False)
    kept = np.column_stack([np.ones((left.size, 2), dtype=bool), gap]).ravel()
    corners = np.column_stack([left, until, until]).ravel()[kept]
    heights = []
    for value in values:
        value = np.asarray(value, dtype=np.float64)
        broken = np.where(gap, np.nan, value)
        heights.append(np.column_stack([value, value, broken]).ravel()[kept])
    return corners, *heights


def broken(x: Any, longest: Any, *values: Any) -> tuple[Any, ...]:
    """Samples in order, with a NaN between those that are further apart than ``longest``.

    >>> import numpy as np
    >>> x, y = broken(np.array([0.0, 1.0, 9.0]), 2.0, np.array([5.0, 6.0, 7.0]))
    >>> x.tolist(), y.tolist()
    ([0.0, 1.0, 1.0, 9.0], [5.0, 6.0, nan, 7.0])
    """
    import numpy as np

    x = np.asarray(x)
    after = np.flatnonzero(np.diff(x) > longest) + 1
    return np.insert(x, after, x[after - 1]), *(
        np.insert(np.asarray(value, dtype=np.float64), after, np.nan) for value in values
    )


def stacked(values: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Low and high ends of series on top of one another; what is negative hangs below zero.

    What is not known of a series takes no room; where nothing is known there is NaN.

    >>> import numpy as np
    >>> [(low.tolist(), high.tolist()) for low, high in stacked([np.array([1.0, -1.0]), np.array([2.0, -3.0])])]
    [([0.0, 0.0], [1.0, -1.0]), ([1.0, -1.0], [3.0, -4.0])]
    """
    import numpy as np

    if not values:
        return []
    table = np.asarray(values, dtype=np.float64)
    nothing = np.isnan(table).all(axis=0)
    above = below = np.zeros(table.shape[1])
    ends = []
    for row in np.nan_to_num(table):
        base = np.where(row >= 0, above, below)
        above = above + np.maximum(row, 0)
        below = below + np.minimum(row, 0)
        ends.append((np.where(nothing, np.nan, base), np.where(nothing, np.nan, base + row)))
    return ends


def runs(known: Any) -> list[tuple[int, int]]:
    """First and one past the last position of each stretch that is known.

    >>> runs([True, True, False, True])
    [(0, 2), (3, 4)]
    """
    import numpy as np

    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(known, dtype=np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def ticks(places: Any, most: int = 8) -> Any:
    """At most so many of evenly spaced places, the first among them."""
    return places[:: -(-len(places) // most)]
