"""Droughts of wind and sun: times of little power, by two definitions that differ in what ends one.

CBT (constantly below threshold): every interval is below it. VMBT (variable-duration mean below
threshold): the mean of the whole time is, so that a short breeze ends none; the longest such time is
taken first, then the longest in what remains, and so on. Source: Kittel & Schill, arXiv 2402.06758 and
2410.00244. Thresholds and least lengths change the outcome strongly: show several.

Shares are power over capacity (or over another reference) on a regular grid, NaN where unknown, which
ends every drought.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Spans = list[tuple[int, int]]

# What sums round off must not make a mean that equals the threshold lie below it.
_ROUNDING = 1e-9


def constantly_below(share: npt.ArrayLike, threshold: float, least: int) -> Spans:
    """CBT: the runs of at least so many intervals below the threshold, as (first, after the last).

    >>> constantly_below([0.30, 0.08, 0.05, 0.09, 0.25, 0.07, 0.40], 0.10, 2)
    [(1, 4)]
    """
    import numpy as np

    below = np.asarray(share, dtype=np.float64) < threshold  # false of NaN
    turns = np.diff(np.concatenate([[False], below, [False]]).astype(np.int8))
    spans = zip(
        np.flatnonzero(turns == 1).tolist(), np.flatnonzero(turns == -1).tolist(), strict=True
    )
    return [(first, after) for first, after in spans if after - first >= least]


def mean_below(share: npt.ArrayLike, threshold: float, least: int) -> Spans:
    """VMBT: the times of at least so many intervals whose mean is below the threshold.

    As (first, after the last), none overlapping, in order. Of two of equal length the earlier is taken.

    >>> mean_below([0.30, 0.08, 0.05, 0.09, 0.25, 0.07, 0.40], 0.12, 2)
    [(1, 6)]
    """
    import numpy as np

    found = np.asarray(share, dtype=np.float64)
    known = np.diff(np.concatenate([[False], ~np.isnan(found), [False]]).astype(np.int8))
    starts, ends = np.flatnonzero(known == 1).tolist(), np.flatnonzero(known == -1).tolist()
    pieces, spans = list(zip(starts, ends, strict=True)), []
    while pieces:
        begin, end = pieces.pop()
        if end - begin < least:
            continue
        # The mean of [i, j) is below where the sum of what exceeds the threshold falls from i to j.
        level = np.concatenate([[0.0], np.cumsum(found[begin:end] - threshold)])
        highest = np.maximum.accumulate(level)
        start = np.searchsorted(highest, level + _ROUNDING, side="right")
        length = np.arange(level.size) - start
        after = int(np.argmax(length))
        if length[after] < least:
            continue
        first = begin + int(start[after])
        spans.append((first, begin + after))
        pieces += [(begin, first), (begin + after, end)]
    return sorted(spans)


DEFINITIONS: dict[str, Callable[[npt.ArrayLike, float, int], Spans]] = {
    "CBT": constantly_below,
    "VMBT": mean_below,
}


def droughts(
    share: npt.ArrayLike,
    reference: npt.ArrayLike,
    hours: float,
    threshold: float,
    least_hours: float,
    definition: str,
) -> pd.DataFrame:
    """The droughts of a series of intervals of ``hours`` length, one row each.

    ``reference`` is what the share is of (one figure, or one an interval), in MW. Columns: ``first`` and
    ``after`` (intervals), ``hours`` [h], ``mean_share``, ``deficit_mwh``: what threshold x reference
    would have given more [MWh].
    """
    import numpy as np
    import pandas as pd

    found = np.asarray(share, dtype=np.float64)
    installed = np.broadcast_to(np.asarray(reference, dtype=np.float64), found.shape)
    lacking = (threshold - found) * installed * hours
    least = max(int(np.ceil(least_hours / hours)), 1)
    rows = [
        (
            first,
            after,
            (after - first) * hours,
            found[first:after].mean(),
            lacking[first:after].sum(),
        )
        for first, after in DEFINITIONS[definition](found, threshold, least)
    ]
    frame = pd.DataFrame(rows, columns=["first", "after", "hours", "mean_share", "deficit_mwh"])
    kinds = {"first": "int64", "after": "int64", "hours": "float64"}
    return frame.astype(kinds | {"mean_share": "float64", "deficit_mwh": "float64"})
