"""How good a forecast was: bias, MAE, RMSE, skill, pinball loss, coverage. Errors are forecast − observed.

Sources: grid-domain reference, §5 (error measures) and §6 (pinball loss). A pair without forecast or
observation counts nowhere; where no pair is left, a figure is NaN. Units are those of the values.

>>> round(rmse([12.0, 18.0, 33.0, 35.0], [10.0, 20.0, 30.0, 40.0]), 4)
3.2404
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def bias(forecast: npt.ArrayLike, observed: npt.ArrayLike) -> float:
    """Mean error; > 0 where the forecast is too high."""
    return _mean(_errors(forecast, observed))


def mae(forecast: npt.ArrayLike, observed: npt.ArrayLike) -> float:
    """Mean absolute error."""
    return _mean(abs(_errors(forecast, observed)))


def rmse(forecast: npt.ArrayLike, observed: npt.ArrayLike) -> float:
    """Root of the mean squared error."""
    return float(_mean(_errors(forecast, observed) ** 2) ** 0.5)


def nmae(forecast: npt.ArrayLike, observed: npt.ArrayLike, capacity: float) -> float:
    """MAE as a share of the installed capacity, which must be in the values' unit."""
    return mae(forecast, observed) / capacity


def skill(error: float, reference: float) -> float:
    """1 − error / reference error: 1 is perfect, 0 no better than the reference, < 0 worse.

    A reference without error leaves nothing to gain: NaN.
    """
    return 1 - error / reference if reference > 0 else float("nan")


def pinball(quantile: npt.ArrayLike, observed: npt.ArrayLike, level: float) -> float:
    """Mean of max(τ (y − q), (τ − 1)(y − q)) for the quantile q of level τ."""
    import numpy as np

    short = -_errors(quantile, observed)
    return _mean(np.maximum(level * short, (level - 1) * short))


def coverage(low: npt.ArrayLike, high: npt.ArrayLike, observed: npt.ArrayLike) -> float:
    """Share of observations in [low, high]; for the quantiles 0.1 and 0.9 it should be 0.8."""
    import numpy as np

    below, above = _errors(low, observed), _errors(high, observed)
    known = ~np.isnan(below) & ~np.isnan(above)
    return _mean(((below <= 0) & (above >= 0))[known].astype(float))


POINT_SCORES: dict[str, Callable[[npt.ArrayLike, npt.ArrayLike], float]] = {
    "bias": bias,
    "mae": mae,
    "rmse": rmse,
}


def _errors(forecast: npt.ArrayLike, observed: npt.ArrayLike) -> npt.NDArray[np.float64]:
    import numpy as np

    return np.asarray(np.asarray(forecast, float) - np.asarray(observed, float))


def _mean(values: npt.NDArray[np.float64]) -> float:
    import numpy as np

    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
