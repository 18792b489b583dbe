"""Figures of wind and solar power: energy, capacity factor, duration, profiles, ramps, correlation, errors.

Sources: grid-domain reference, §5; its worked numbers are the tests. Series stand on a regular grid of
intervals, as arrays with NaN where nothing is known (``regular``). What is unknown counts nowhere: it is
never zero, and whatever spans it has no value either. Times are seconds since 1970 (UTC).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from domain import scores

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Floats = npt.NDArray[np.float64]

YEAR_H = 8760.0


def regular(times_s: Any, values: Any, start_s: float, end_s: float, step_s: float) -> Floats:
    """Values on the grid of intervals that start from ``start_s`` [s] to before ``end_s``; NaN elsewhere.

    >>> regular([0, 3600], [5.0, 7.0], 0, 5400, 1800).tolist()
    [5.0, nan, 7.0]
    """
    import numpy as np

    place = (np.asarray(times_s, dtype=np.float64) - start_s) / step_s
    filled = np.full(max(int(-(-(end_s - start_s) // step_s)), 0), np.nan)
    fits = (place >= 0) & (place < len(filled)) & (place == np.floor(place))
    filled[place[fits].astype(np.int64)] = np.asarray(values, dtype=np.float64)[fits]
    return filled


def energy(power: npt.ArrayLike, hours: npt.ArrayLike) -> float:
    """Σ power x hours covered [unit of power x h]; NaN where nothing is known.

    ``hours`` is the length of every interval, or how much of each is covered.

    >>> energy([10.0, 20.0, 30.0, 0.0], 0.5)
    30.0
    """
    return _total(power, hours)


def capacity_factor(
    power: npt.ArrayLike, capacity: npt.ArrayLike, hours: npt.ArrayLike = 1.0
) -> float:
    """Energy over capacity x hours covered, of the intervals of which both are known; else NaN.

    ``capacity`` is installed power in the unit of ``power``, one figure or one an interval. Of metered
    output it is the factor after curtailment.

    >>> capacity_factor([10.0, 20.0, 30.0, 0.0], 40.0, 0.5)
    0.375
    """
    import numpy as np

    produced = np.asarray(power, dtype=np.float64)
    installed = np.broadcast_to(np.asarray(capacity, dtype=np.float64), produced.shape)
    known = ~np.isnan(produced) & ~np.isnan(installed)
    possible = _total(np.where(known, installed, np.nan), hours)
    return (
        _total(np.where(known, produced, np.nan), hours) / possible
        if possible > 0
        else float("nan")
    )


def full_load_hours(factor: float) -> float:
    """Hours at full load that give a year's energy at that capacity factor [h/year].

    >>> full_load_hours(0.375)
    3285.0
    """
    return factor * YEAR_H


def quantiles(values: Any, levels: Sequence[float], weights: Any = None) -> Floats:
    """Quantiles of what is known, between neighbours by a straight line; NaN where nothing is.

    ``weights`` (coverage, say) are how much each value counts: one of 3 beside others of 1 is as three.

    >>> quantiles([4.0, 1.0, 2.0], [0.5]).tolist(), quantiles([4.0, 1.0, 2.0], [0.5], [3, 1, 1]).tolist()
    ([2.0], [4.0])
    """
    import numpy as np

    found = np.asarray(values, dtype=np.float64)
    heavy = np.ones(found.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    known = ~np.isnan(found) & (heavy > 0)
    found, heavy = found[known], heavy[known]
    if not found.size:
        return np.full(len(levels), np.nan)
    order = np.argsort(found, kind="stable")
    found, heavy = found[order], heavy[order]
    # Each value stands for as many of the least weight as it weighs, side by side.
    least, after = heavy.min(), np.cumsum(heavy)
    place = np.column_stack([after - heavy, after - least]).ravel()
    return np.asarray(np.interp(np.asarray(levels) * place[-1], place, np.repeat(found, 2)))


def duration_curve(values: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Exceedance, (rank − 0.5) / n from 0 to 1, and the known values from the highest down.

    >>> [part.tolist() for part in duration_curve([10.0, 30.0, float("nan")])]
    [[0.25, 0.75], [30.0, 10.0]]
    """
    import numpy as np

    found = np.asarray(values, dtype=np.float64)
    ordered = np.sort(found[~np.isnan(found)])[::-1]
    return (np.arange(ordered.size) + 0.5) / max(ordered.size, 1), ordered


def profile(
    values: npt.ArrayLike,
    groups: pd.DataFrame,
    levels: Sequence[float] = (),
    weights: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Mean and quantiles of each group of intervals, such as settlement periods, or months and them.

    ``groups`` has one row an interval; the frame has its columns, ``intervals`` (how many are known),
    ``mean`` and one column ``p<100 level>`` a level, in the unit of the values, in order of the groups.
    Means and quantiles are weighted by ``weights``, such as coverage.
    """
    import numpy as np
    import pandas as pd

    found = np.asarray(values, dtype=np.float64)
    heavy = np.ones(found.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    known = ~np.isnan(found) & (heavy > 0)
    found, heavy, names = found[known], heavy[known], list(groups.columns)
    kept = groups[known].reset_index(drop=True)
    by_group = kept.groupby(names, sort=True)
    code = by_group.ngroup().to_numpy()
    frame = by_group.size().rename("intervals").reset_index()
    total = np.bincount(code, heavy, len(frame))
    frame["mean"] = np.bincount(code, heavy * found, len(frame)) / total
    if levels:
        order = np.argsort(code, kind="stable")
        cuts = np.flatnonzero(np.diff(code[order])) + 1
        pieces = zip(np.split(found[order], cuts), np.split(heavy[order], cuts), strict=True)
        told = [quantiles(piece, levels, heavies) for piece, heavies in pieces if piece.size]
        for n, level in enumerate(levels):
            frame[f"p{100 * level:g}"] = pd.Series([each[n] for each in told], dtype="float64")
    return frame


def ramps(values: npt.ArrayLike, steps: int) -> Floats:
    """P(t) − P(t − ``steps``) at every interval; NaN where one of those in between is unknown.

    >>> ramps([10.0, 20.0, float("nan"), 0.0, 5.0], 1).tolist()
    [nan, 10.0, nan, nan, 5.0]
    """
    import numpy as np

    found = np.asarray(values, dtype=np.float64)
    change = np.full(found.shape, np.nan)
    change[steps:] = found[steps:] - found[: found.size - min(steps, found.size)]
    unknown = np.concatenate([[0], np.cumsum(np.isnan(found))])
    between = unknown[steps + 1 :] - unknown[: max(found.size - steps, 0)]
    change[steps:][between > 0] = np.nan
    return change


def means_of(values: npt.ArrayLike, codes: npt.ArrayLike) -> Floats:
    """Mean of each group of intervals, numbered from 0; NaN where one of its intervals is unknown."""
    import numpy as np

    numbers = np.asarray(codes, dtype=np.int64)
    sums = np.bincount(numbers, np.asarray(values, dtype=np.float64))
    return np.asarray(sums / np.maximum(np.bincount(numbers), 1))


def anomalies(values: npt.ArrayLike, codes: npt.ArrayLike) -> Floats:
    """What remains without the mean of each interval's group, numbered from 0.

    A value that is alone in its group tells nothing and has none.
    """
    import numpy as np

    found, numbers = np.asarray(values, dtype=np.float64), np.asarray(codes, dtype=np.int64)
    known = ~np.isnan(found)
    sums = np.bincount(numbers, np.where(known, found, 0.0))
    count = np.bincount(numbers, known)
    mean = np.divide(sums, count, out=np.full(sums.shape, np.nan), where=count > 1)
    return np.asarray(found - mean[numbers])


def pearson(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Correlation of two series where both are known; NaN for fewer than three pairs or a constant."""
    import numpy as np

    a, b = _pairs(one, other)
    if a.size < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def spearman(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Correlation of ranks where both are known; equal values share their mean rank."""
    import pandas as pd

    return pearson(*(pd.Series(part).rank().to_numpy() for part in _pairs(one, other)))


def complementarity(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """1 − σ(A + B) / (σA + σB): 0 where they move as one, 1 where the sum never moves.

    >>> complementarity([1.0, 2.0, 3.0], [3.0, 2.0, 1.0])
    1.0
    """
    import numpy as np

    a, b = _pairs(one, other)
    apart = float(np.std(a) + np.std(b)) if a.size else 0.0
    return 1 - float(np.std(a + b)) / apart if apart > 0 else float("nan")


def share_both_below(one: npt.ArrayLike, other: npt.ArrayLike, limit: float) -> float:
    """Share of the intervals of which both are known in which both are below a limit."""
    a, b = _pairs(one, other)
    return float(((a < limit) & (b < limit)).mean()) if a.size else float("nan")


def forecast_errors(
    forecast: Any, observed: Any, reference: Any, capacity: float = float("nan")
) -> dict[str, float]:
    """Bias, MAE and RMSE [unit of the values], nMAE over capacity and over the mean, skill.

    Errors are forecast − observed of the pairs that have both. Skill (1 − error / error of the
    ``reference`` forecast, such as persistence) is of the pairs that have the reference too. NaN where
    nothing is left.

    >>> told = forecast_errors([12, 18, 33, 35], [10, 20, 30, 40], [8, 10, 20, 30], 50)
    >>> told["mae"], told["nmae_capacity"], told["skill_mae"]
    (3.0, 0.06, 0.625)
    """
    import numpy as np

    told, came = _pairs(forecast, observed)
    three = np.vstack(
        [np.asarray(part, dtype=np.float64) for part in (forecast, observed, reference)]
    )
    told_too, came_too, simple = three[:, ~np.isnan(three).any(axis=0)]
    mean = float(came.mean()) if came.size else float("nan")
    found = {name: of(told, came) for name, of in scores.POINT_SCORES.items()}
    return {
        "pairs": float(told.size),
        **found,
        "nmae_capacity": found["mae"] / capacity if capacity > 0 else float("nan"),
        "nmae_mean": found["mae"] / mean if mean > 0 else float("nan"),
        "reference_mae": scores.mae(simple, came_too),
        "skill_mae": scores.skill(scores.mae(told_too, came_too), scores.mae(simple, came_too)),
        "skill_rmse": scores.skill(scores.rmse(told_too, came_too), scores.rmse(simple, came_too)),
    }


def _pairs(one: npt.ArrayLike, other: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The values of which both are known."""
    import numpy as np

    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    known = ~np.isnan(a) & ~np.isnan(b)
    return a[known], b[known]


def _total(values: npt.ArrayLike, hours: npt.ArrayLike) -> float:
    """Σ values x hours of the known values; NaN where there are none."""
    import numpy as np

    found = np.asarray(values, dtype=np.float64)
    held = np.broadcast_to(np.asarray(hours, dtype=np.float64), found.shape)
    known = ~np.isnan(found)
    return float((found[known] * held[known]).sum()) if known.any() else float("nan")
