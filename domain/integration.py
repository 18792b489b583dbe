"""Time integrals of a sampled power: what turns samples into means and energies."""

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

    bounds = np.searchsorted(piece_start, edges)
    covered = _sum_between(seconds, bounds)
    up = _sum_between(seconds * np.maximum(piece_value, 0.0), bounds)
    down = _sum_between(seconds * np.maximum(-piece_value, 0.0), bounds)
    coverage = covered / np.diff(edges)
    known = (covered > 0) & (coverage >= min_coverage)
    span = np.where(known, covered, np.nan)
    return Integrals(
        mean=(up - down) / span,
        mean_positive=up / span,
        mean_negative=down / span,
        positive=np.where(known, up / 3600.0, np.nan),
        negative=np.where(known, down / 3600.0, np.nan),
        samples=np.diff(first),
        coverage=coverage,
    )


def _sum_between(values: Floats, bounds: npt.NDArray[np.intp]) -> Floats:
    """Sums of ``values[bounds[i]:bounds[i + 1]]``; an empty slice sums to 0."""
    import numpy as np

    filled = np.diff(bounds) > 0
    sums = np.zeros(bounds.size - 1)
    if filled.any():  # slices that are not empty follow each other without a gap, as reduceat wants
        sums[filled] = np.add.reduceat(values[: bounds[-1]], bounds[:-1][filled])
    return sums
