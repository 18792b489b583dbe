"""Time integrals: what turns samples, or intervals with a length of their own, into means and energies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Integrals:
    """One value per interval, as arrays of equal length.

    Means [unit of the samples] and integrals [unit x h] are NaN where coverage is below the asked
    minimum. ``coverage`` is covered time over the interval's length, 0 to 1.
    """

    mean: Floats
    mean_positive: Floats
    mean_negative: Floats
    positive: Floats
    negative: Floats
    samples: npt.NDArray[np.int64]
    coverage: Floats


@dataclass(frozen=True)
class Averages:
    """One value per series (rows) and interval (columns), as arrays of equal shape.

    All but ``coverage`` are NaN where coverage is below the asked minimum. ``integral`` is in [unit
    of the values x s]; ``deviation`` is the population's, weighted by time.
    """

    mean: Floats
    minimum: Floats
    maximum: Floats
    deviation: Floats
    integral: Floats
    coverage: Floats


def integrate(
    times_s: Any,
    values: Any,
    edges_s: Any,
    *,
    hold_s: float = 60.0,
    min_coverage: float = 0.5,
) -> Integrals:
    """Integrate samples over the intervals between consecutive edges, each sample held for a while.

    ``times_s`` [s, ascending, unique] and ``values`` describe the samples; ``edges_s`` [s,
    ascending] has one element more than there are intervals. A sample holds until the next one but
    at most ``hold_s`` seconds, also across an edge, so samples from before the first edge belong in
    the input. Only covered time enters a mean; below ``min_coverage`` nothing is claimed.

    Each interval is summed by itself, so its result does not depend on what is computed beside it.

    Worked example (grid-domain 2.2): seven irregular samples in half an hour.

    >>> t, p = [0, 15, 30, 45, 600, 1200, 1500], [2, 2, 2, 2, -1, -1, 4]
    >>> held = integrate(t, p, [0, 1800], min_coverage=0)
    >>> round(float(held.mean[0]), 6), round(float(held.coverage[0]), 4)
    (1.157895, 0.1583)
    >>> round(float(integrate(t, p, [0, 1800], hold_s=1800).mean[0]), 6)
    0.833333
    """
    import numpy as np

    times = np.asarray(times_s, dtype=np.float64)
    edges = np.asarray(edges_s, dtype=np.float64)
    held = held_pieces(times, values, edges, hold_s=hold_s)
    seconds, piece_value, bounds = held.seconds, held.value, held.bounds
    covered = sum_between(seconds, bounds)
    up = sum_between(seconds * np.maximum(piece_value, 0.0), bounds)
    down = sum_between(seconds * np.maximum(-piece_value, 0.0), bounds)
    coverage = covered / np.diff(edges)
    known = (covered > 0) & (coverage >= min_coverage)
    span = np.where(known, covered, np.nan)
    return Integrals(
        mean=(up - down) / span,
        mean_positive=up / span,
        mean_negative=down / span,
        positive=np.where(known, up / 3600.0, np.nan),
        negative=np.where(known, down / 3600.0, np.nan),
        samples=np.diff(np.searchsorted(times, edges)),
        coverage=coverage,
    )


@dataclass(frozen=True)
class Pieces:
    """Time in which a sample holds, cut at the edges: one element a piece, in order of time.

    Pieces of the interval ``i`` are ``[bounds[i]:bounds[i + 1]]``; between pieces nothing is known.
    """

    start_s: Floats
    seconds: Floats
    value: Floats
    bounds: npt.NDArray[np.intp]


def held_pieces(times_s: Any, values: Any, edges_s: Any, *, hold_s: float) -> Pieces:
    """Samples as the pieces of time they hold for; see ``integrate``.

    >>> held_pieces([0, 900], [2.0, 4.0], [0, 1000, 1800], hold_s=600).seconds.tolist()
    [600.0, 100.0, 500.0]
    """
    import numpy as np

    times = np.asarray(times_s, dtype=np.float64)
    samples = np.asarray(values, dtype=np.float64)
    edges = np.asarray(edges_s, dtype=np.float64)
    if times.size > 1 and not (np.diff(times) > 0).all():
        raise ValueError("samples must be in ascending order of time, one a moment")

    until = np.minimum(np.append(times[1:], np.inf), times + hold_s)
    first = np.searchsorted(times, edges)  # the first sample at or after each edge
    carried = np.maximum(first - 1, 0)
    reaches = (first > 0) & (until[carried] > edges) if times.size else np.zeros(edges.size, bool)

    # A sample that reaches across an edge continues beyond it as a piece of its own.
    piece_start = np.concatenate([times, edges[reaches]])
    piece_end = np.concatenate([until, until[carried[reaches]]])
    piece_value = np.concatenate([samples, samples[carried[reaches]]])
    order = np.argsort(piece_start, kind="stable")
    piece_start, piece_end, piece_value = piece_start[order], piece_end[order], piece_value[order]
    next_edge = np.append(edges, np.inf)[np.searchsorted(edges, piece_start, side="right")]
    seconds = np.minimum(piece_end, next_edge) - piece_start

    return Pieces(piece_start, seconds, piece_value, np.searchsorted(piece_start, edges))


def average_intervals(
    starts_s: Any,
    ends_s: Any,
    values: Any,
    edges_s: Any,
    *,
    series: Any = 0,
    count: int = 1,
    min_coverage: float = 0.5,
) -> Averages:
    """Average rows that each hold from a start to an end over the intervals between edges.

    ``starts_s``, ``ends_s`` [s] and ``values`` describe the rows, in any order; ``series`` is the
    number of each row's series, 0 to ``count`` - 1. ``edges_s`` [s, ascending] has one element more
    than there are intervals. A row counts where it overlaps an interval. Where rows of one series
    overlap, the one that starts later holds, and the earlier again after its end; no time counts
    twice. Only covered time enters a mean; below ``min_coverage`` nothing is claimed.

    Each interval is summed by itself, so its result does not depend on what is computed beside it.
    Two rows of one series that start together are refused with ValueError.

    An hour beside two quarter hours of its second half, on half hours:

    >>> found = average_intervals([0, 1800, 2700], [3600, 2700, 3600], [8, 2, 4], [0, 1800, 3600])
    >>> found.mean.tolist(), found.deviation.tolist(), found.integral.tolist()
    ([[8.0, 3.0]], [[0.0, 1.0]], [[14400.0, 5400.0]])
    """
    import numpy as np

    edges = np.asarray(edges_s, dtype=np.float64)
    shape = (count, edges.size - 1)
    codes, begin, end, row = _held(starts_s, ends_s, series)
    held = np.asarray(values, dtype=np.float64)[row] + 0.0

    # Every row becomes a piece for each interval that it overlaps.
    first = np.maximum(np.searchsorted(edges, begin, side="right") - 1, 0)
    after = np.minimum(np.searchsorted(edges, end, side="left"), shape[1])
    pieces = np.maximum(after - first, 0)
    whose = np.repeat(np.arange(begin.size), pieces)
    nth = np.arange(whose.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    interval = first[whose] + nth
    seconds = np.minimum(end[whose], edges[interval + 1]) - np.maximum(
        begin[whose], edges[interval]
    )
    value = held[whose]

    cells = codes[whose] * shape[1] + interval
    bounds = np.searchsorted(cells, np.arange(count * shape[1] + 1))
    covered = sum_between(seconds, bounds)
    coverage = covered / np.tile(np.diff(edges), count)
    known = (covered > 0) & (coverage >= min_coverage)
    integral = np.where(known, sum_between(seconds * value, bounds), np.nan)
    span = np.where(known, covered, np.nan)
    minimum = np.where(known, _reduce_between(np.minimum, value, bounds), np.nan)
    maximum = np.where(known, _reduce_between(np.maximum, value, bounds), np.nan)
    # What a sum rounds off must not take a mean past the values, nor give a constant a deviation.
    mean = np.clip(integral / span, minimum, maximum)
    squares = sum_between(seconds * (value - mean[cells]) ** 2, bounds)
    figures = (mean, minimum, maximum, np.sqrt(squares / span), integral, coverage)
    return Averages(*((figure + 0.0).reshape(shape) for figure in figures))


def _held(starts_s: Any, ends_s: Any, series: Any) -> tuple[Any, Floats, Floats, Any]:
    """Which row holds when: series, begin, end and row of spans in order, no two overlapping."""
    import numpy as np

    starts = np.asarray(starts_s, dtype=np.float64)
    ends = np.asarray(ends_s, dtype=np.float64)
    codes = np.broadcast_to(np.asarray(series, dtype=np.intp), starts.shape)
    row = np.lexsort((starts, codes))
    row = row[ends[row] > starts[row]]
    codes, begin, end = codes[row], starts[row], ends[row]
    same = codes[1:] == codes[:-1]
    if (same & (begin[1:] == begin[:-1])).any():
        raise ValueError("two rows of one series start together")
    # A row that ends within an earlier one leaves that one a rest, which a cut would lose.
    inside = same & (end[1:] < end[:-1])
    cut = end.copy()
    cut[:-1][same] = np.minimum(end[:-1], begin[1:])[same]
    if not inside.any():
        return codes, begin, cut, row
    nested = np.isin(codes, codes[1:][inside])
    parts = [(codes[~nested], begin[~nested], cut[~nested], row[~nested])]
    for code in np.unique(codes[nested]):
        own = slice(*np.searchsorted(codes, [code, code + 1]))
        since, until, place = _latest(begin[own], end[own])
        parts.append((np.full(place.size, code), since, until, row[own][place]))
    codes, begin, end, row = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.lexsort((begin, codes))
    return codes[order], begin[order], end[order], row[order]


def _latest(begin: Floats, end: Floats) -> tuple[Floats, Floats, npt.NDArray[np.intp]]:
    """Spans over which the same row, the latest to begin, holds; rows are in order of begin."""
    import numpy as np

    moments = np.unique(np.concatenate([begin, end]))
    first, after = np.searchsorted(moments, begin), np.searchsorted(moments, end)
    rows = np.repeat(np.arange(begin.size), after - first)
    nth = np.arange(rows.size) - np.repeat(
        np.cumsum(after - first) - (after - first), after - first
    )
    holder = np.full(moments.size, -1)
    np.maximum.at(holder, first[rows] + nth, rows)
    turns = np.flatnonzero(np.diff(holder, prepend=-1))
    until = np.append(turns[1:], moments.size - 1)
    held = holder[turns] >= 0
    return moments[turns[held]], moments[until[held]], holder[turns[held]]


def _reduce_between(figure: Any, values: Floats, bounds: npt.NDArray[np.intp]) -> Floats:
    """A ufunc over each of ``values[bounds[i]:bounds[i + 1]]``; 0 for an empty slice."""
    import numpy as np

    filled = np.diff(bounds) > 0
    results = np.zeros(bounds.size - 1)
    if filled.any():  # slices that are not empty follow each other without a gap, as reduceat wants
        results[filled] = figure.reduceat(values[: bounds[-1]], bounds[:-1][filled])
    return results


def sum_between(values: Floats, bounds: npt.NDArray[np.intp]) -> Floats:
    """Sums of ``values[bounds[i]:bounds[i + 1]]``; an empty slice sums to 0."""
    import numpy as np

    return _reduce_between(np.add, values, bounds)
