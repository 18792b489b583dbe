"""Models that forecast a series from its own past: four simple baselines and two learned ones.

A model sees nothing but a ``Past``: the values of a series as they were known at the issue time.
``fit`` learns from such a past, ``Fitted.predict`` forecasts from another (or the same) one; whoever
reads the past decides what was known, and nothing behind its end can enter. Training examples repeat
what will be done: one issue a day at the same time of day, with values hidden for as long as the newest
value is late at the issue time.

Baselines and the combination: grid-domain reference, §6 (Yang, Solar Energy 193, 2019). The learned
models need scikit-learn; they run on one thread, because the order in which threads add up would show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from domain.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

QUANTILES = (0.1, 0.5, 0.9)
BASELINES = ("persistence", "diurnal", "climatology", "combination")
LEARNED = ("ridge", "boosting")
MODELS = (*BASELINES, *LEARNED)
DAY_S = 86_400
# How many days back the diurnal persistence looks for a value that is known.
DIURNAL_DAYS = 7
# A learned model needs this many issues to learn from.
LEAST_ISSUES = 20
# A tenth cannot be told from fewer.
LEAST_RESIDUALS = 10
INSTALL = "python3 run.py --install-deps forecast"


@dataclass(frozen=True)
class Past:
    """What was known of a series at an issue time: one value a step, NaN where unknown.

    ``values[i]`` is the mean power (any unit) of the step that starts at ``start_s + i * step_s``
    (seconds since 1970, UTC); the last step ends not later than the issue time. ``clock`` is the local
    time that days and months follow.
    """

    start_s: int
    step_s: int
    values: Floats
    clock: ZoneInfo

    @property
    def issue_s(self) -> int:
        """The issue time: the end of the last step."""
        return self.start_s + len(self.values) * self.step_s

    @cached_property
    def last_known(self) -> Ints:
        """For each step the newest one up to it that has a value; -1 where there is none."""
        import numpy as np

        steps = np.where(np.isnan(self.values), -1, np.arange(len(self.values)))
        return np.maximum.accumulate(steps) if len(steps) else steps

    @property
    def delay(self) -> int:
        """How many steps before the issue time have no value yet."""
        return len(self.values) - 1 - int(self.last_known[-1]) if len(self.values) else 0

    def calendar(self, ahead: int) -> Calendar:
        """Local time of every step and of ``ahead`` more."""
        import numpy as np
        import pandas as pd

        steps = np.arange(len(self.values) + ahead, dtype=np.int64)
        times = pd.DatetimeIndex(
            (self.start_s + steps * self.step_s) * 10**6, dtype="datetime64[us, UTC]"
        )
        wall = times.tz_convert(self.clock).tz_localize(None)
        seconds = seconds_of(wall)
        a_day = DAY_S // self.step_s
        return Calendar(
            slot=seconds // self.step_s,
            of_day=(seconds % DAY_S) // self.step_s,
            month=np.asarray(wall.month, dtype=np.int64) - 1,
            day_share=(seconds % DAY_S) / DAY_S,
            year_share=np.asarray(wall.day_of_year, dtype=float) / 366,
            a_day=a_day,
        )


@dataclass(frozen=True)
class Calendar:
    """Local time of steps: running number of the wall-clock slot, slot of the day, month from 0, shares."""

    slot: Ints
    of_day: Ints
    month: Ints
    day_share: Floats
    year_share: Floats
    a_day: int

    def same_slot_before(self, targets: Ints, days: int) -> Ints:
        """The steps at the same local time so many days before; -1 where there is none.

        The hour that a spring day lacks has none; of the one that comes twice in autumn the first counts.
        """
        import numpy as np

        slots, first = np.unique(self.slot, return_index=True)
        wanted = self.slot[targets] - days * self.a_day
        at = np.minimum(np.searchsorted(slots, wanted), len(slots) - 1)
        return np.where(slots[at] == wanted, first[at], -1)


def past_at(times_s: Ints, values: Floats, issue_s: int, back_s: int, step_s: int, clock: ZoneInfo) -> Past:  # fmt: skip
    """A ``Past`` of the ``back_s`` seconds before an issue time from rows known by then.

    ``times_s`` are starts of steps; a row counts once its step has ended, one off the grid never.
    """
    import numpy as np

    count = back_s // step_s
    start = issue_s - count * step_s
    grid = np.full(count, np.nan)
    at, off = np.divmod(times_s - start, step_s)
    inside = (off == 0) & (at >= 0) & (at < count)
    grid[at[inside]] = values[inside]
    return Past(start, step_s, grid, clock)


@dataclass(frozen=True)
class Forecast:
    """Forecasts for each lead: ``point`` of shape (leads,), ``quantiles`` of (leads, QUANTILES)."""

    point: Floats
    quantiles: Floats


@dataclass(frozen=True)
class _Examples:
    """What is known at some issues of each of their targets; arrays of shape (issues, leads)."""

    last: Floats  # the newest value known
    lag: Ints  # steps from it to the target
    recent: Floats  # mean of the newest six hours known
    day: Floats  # mean of the newest day known
    diurnal: Floats  # newest known value at the same local time
    climatology: Floats  # of the target
    before: Floats  # climatology at the newest value
    clock: tuple[Floats, ...]  # harmonics of the target's local time of day and of year

    def features(self) -> Floats:
        """One column a feature, of shape (issues, leads, features).

        Where hours or a day have no value the newest one stands in, for the diurnal value climatology.
        """
        import numpy as np

        recent, day = (np.where(np.isnan(v), self.last, v) for v in (self.recent, self.day))
        diurnal = np.where(np.isnan(self.diurnal), self.climatology, self.diurnal)
        above = self.last - self.before
        columns = (self.last, recent, day, diurnal, self.climatology, self.before, above)
        return np.stack([*columns, *self.clock], axis=-1)


@dataclass(frozen=True)
class Fitted:
    """What models learnt from one past; ``predict`` forecasts from any past of the same series."""

    leads: int
    climatology: Floats  # by month and slot of the day
    correlation: Floats  # autocorrelation by lag in steps
    floor: float
    learned: Mapping[str, Any]
    residuals: Mapping[str, Floats]  # by model: quantiles of training residuals, (leads, QUANTILES)

    def predict(self, past: Past, models: Sequence[str]) -> dict[str, Forecast]:
        """Forecasts of the ``leads`` steps that follow the end of ``past``, by model.

        NaN where a model has nothing to go by. Nothing is forecast below the least value of training,
        or below zero; quantiles that cross are put in order.
        """
        import numpy as np

        at = np.array([len(past.values)], dtype=np.int64)
        known = _examples(past, at, past.delay, self.leads, self.climatology)
        found = {}
        for model in models:
            point = self.point(model, known)[0]
            fitted = self.learned.get(model)
            if isinstance(fitted, _Boosting):
                quantiles = fitted.quantiles(known)[0]
            else:
                quantiles = point[:, None] + self.residuals[model]
            quantiles = np.sort(np.maximum(quantiles, self.floor), axis=-1)
            found[model] = Forecast(np.maximum(point, self.floor), quantiles)
        return found

    def point(self, model: str, known: _Examples) -> Floats:
        """Point forecasts of shape (issues, leads)."""
        import numpy as np

        if model == "persistence":
            return known.last
        if model == "diurnal":
            return known.diurnal
        if model == "climatology":
            return known.climatology
        if model == "combination":
            share = np.append(self.correlation, 0.0)[np.minimum(known.lag, len(self.correlation))]
            return share * known.last + (1 - share) * known.climatology
        fitted: _Ridge | _Boosting = self.learned[model]
        return fitted.point(known)


def check_models(models: Sequence[str]) -> None:
    """UsageError for a name that is no model, or one whose library is not installed."""
    from importlib.util import find_spec

    for model in models:
        if model not in MODELS:
            raise UsageError(f"'{model}' is no model: there are {', '.join(MODELS)}.")
        if model in LEARNED and not (find_spec("sklearn") and find_spec("threadpoolctl")):
            raise UsageError(f"the model '{model}' needs scikit-learn; install it with: {INSTALL}")


def fit(past: Past, leads: int, models: Sequence[str]) -> Fitted:
    """Learn from a past what ``models`` need to forecast ``leads`` steps; see the module's head.

    Climatology (mean by local month and time of day), correlations, scaling and residual quantiles come
    from this past alone. Raises UsageError where a model cannot be had or has too little to learn from.
    """
    import numpy as np

    check_models(models)
    climatology = _climatology(past)
    known_values = past.values[~np.isnan(past.values)]
    floor = min(0.0, float(known_values.min())) if len(known_values) else 0.0
    a_day = DAY_S // past.step_s
    correlation = _autocorrelation(past.values, leads + past.delay + a_day)
    issues = _training_issues(past, a_day)
    known = _examples(past, issues, past.delay, leads, climatology)
    at = issues[:, None] + np.arange(leads)
    padded = np.append(past.values, np.full(leads, np.nan))
    observed = padded[np.minimum(at, len(padded) - 1)]
    learned: dict[str, Any] = {}
    for model in models:
        if model in LEARNED:
            enough = int((~np.isnan(observed[:, 0] + known.features()[:, 0].sum(axis=-1))).sum())
            if enough < LEAST_ISSUES:
                raise UsageError(
                    f"the model '{model}' has {enough} issues to learn from and needs {LEAST_ISSUES}: "
                    "fetch more days before, or take a baseline."
                )
            learned[model] = (_Ridge if model == "ridge" else _Boosting)(known, observed)
    fitted = Fitted(leads, climatology, correlation, floor, learned, {})
    residuals = {
        model: _quantiles(observed - fitted.point(model, known))
        for model in models
        if model != "boosting"
    }
    return Fitted(leads, climatology, correlation, floor, learned, residuals)


def _training_issues(past: Past, a_day: int) -> Ints:
    """Steps of the past at which a forecast could have been issued, a day apart, with a week before them."""
    import numpy as np

    issues = np.arange(len(past.values), 0, -a_day, dtype=np.int64)[::-1]
    first = int(np.argmax(~np.isnan(past.values))) if len(past.values) else 0
    # The last of them is the issue time itself, whose targets nobody knows.
    return issues[(issues >= first + a_day) & (issues < len(past.values))]


def _climatology(past: Past) -> Floats:
    """Mean by local month and slot of the day; where a month has none, that of all months, else of all."""
    import numpy as np

    calendar = past.calendar(0)
    shape = (12, calendar.a_day)
    known = ~np.isnan(past.values)
    cell = calendar.month[known] * calendar.a_day + calendar.of_day[known]
    size = shape[0] * shape[1]
    sums = np.bincount(cell, past.values[known], size).reshape(shape)
    counts = np.bincount(cell, minlength=size).reshape(shape)
    with np.errstate(invalid="ignore"):
        whole = np.float64(sums.sum()) / np.float64(counts.sum())
        of_day = sums.sum(axis=0) / counts.sum(axis=0)
        by_month = sums / counts
    of_day = np.where(np.isnan(of_day), whole, of_day)
    return np.where(np.isnan(by_month), of_day, by_month)


def _autocorrelation(values: Floats, longest: int) -> Floats:
    """Lag-h autocorrelation for h = 0 … longest steps, over pairs both known, clipped to [0, 1]."""
    import numpy as np

    known = ~np.isnan(values)
    found = np.zeros(longest + 1)
    if known.sum() < 2:
        return found
    anomaly = np.where(known, values - values[known].mean(), 0.0)
    variance = float((anomaly**2).sum() / known.sum())
    if variance == 0:
        return found
    for lag in range(min(longest, len(values) - 1) + 1):
        pairs = int((known[lag:] & known[: len(values) - lag]).sum())
        if pairs:
            products = anomaly[lag:] * anomaly[: len(values) - lag]
            found[lag] = float(products.sum()) / pairs / variance
    return np.clip(found, 0.0, 1.0)


def _examples(past: Past, issues: Ints, delay: int, leads: int, climatology: Floats) -> _Examples:
    """What is known at each issue, the newest value being ``delay`` steps old, of each target."""
    import numpy as np

    calendar = past.calendar(leads)
    shape = (len(issues), leads)
    targets = issues[:, None] + np.arange(leads)
    edge = issues - 1 - delay  # the newest step that may be seen
    newest = np.where(edge >= 0, past.last_known[np.maximum(edge, 0)], -1)
    blank = np.append(past.values, np.nan)  # index -1 is the NaN
    expected = climatology[calendar.month, calendar.of_day]

    diurnal = np.full(shape, np.nan)
    for days in range(1, DIURNAL_DAYS + 1):
        before = calendar.same_slot_before(targets, days)
        seen = np.where((before >= 0) & (before <= edge[:, None]), before, -1)
        diurnal = np.where(np.isnan(diurnal), blank[seen], diurnal)

    per_target = []
    for share, orders in ((calendar.day_share, (1, 2)), (calendar.year_share, (1,))):
        for order in orders:
            angle = 2 * np.pi * order * share[targets]
            per_target += [np.sin(angle), np.cos(angle)]

    def wide(column: Floats) -> Floats:
        return np.broadcast_to(column[:, None], shape)

    return _Examples(
        last=wide(blank[newest]),
        lag=np.where(newest[:, None] >= 0, targets - newest[:, None], 0),
        recent=wide(_mean_before(past.values, edge, max(1, 6 * 3600 // past.step_s))),
        day=wide(_mean_before(past.values, edge, calendar.a_day)),
        diurnal=diurnal,
        climatology=expected[targets],
        before=wide(np.where(newest >= 0, expected[newest], np.nan)),
        clock=tuple(per_target),
    )


def _mean_before(values: Floats, edges: Ints, count: int) -> Floats:
    """Mean of the known values among the ``count`` steps up to each edge; NaN where there is none."""
    import numpy as np

    at = edges[:, None] - np.arange(count)
    seen = np.where(at >= 0, at, -1)
    window = np.append(values, np.nan)[seen]
    known = ~np.isnan(window)
    counts = known.sum(axis=1)
    sums = np.where(known, window, 0.0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _quantiles(residuals: Floats) -> Floats:
    """Quantiles of each lead's residuals, of shape (leads, QUANTILES); NaN where there are too few."""
    import numpy as np

    enough = (~np.isnan(residuals)).sum(axis=0) >= LEAST_RESIDUALS
    found = np.full((residuals.shape[1], len(QUANTILES)), np.nan)
    if enough.any():
        found[enough] = np.nanquantile(residuals[:, enough], QUANTILES, axis=0).T
    return found


class _Ridge:
    """One linear model a lead (scikit-learn Ridge, α = 1, features scaled on training alone)."""

    def __init__(self, known: _Examples, observed: Floats) -> None:
        import numpy as np
        from sklearn.linear_model import Ridge
        from threadpoolctl import threadpool_limits

        features = known.features()
        leads = observed.shape[1]
        self._mean = np.zeros((leads, features.shape[-1]))
        self._scale = np.ones_like(self._mean)
        self._weights = np.full_like(self._mean, np.nan)
        self._offset = np.full(leads, np.nan)
        with threadpool_limits(limits=1):
            for lead in range(leads):
                usable = ~np.isnan(features[:, lead].sum(axis=-1) + observed[:, lead])
                if usable.sum() < LEAST_ISSUES // 2:
                    continue
                rows = features[usable, lead]
                self._mean[lead] = rows.mean(axis=0)
                deviation = rows.std(axis=0)
                self._scale[lead] = np.where(deviation > 1e-12, deviation, 1.0)
                ridge = Ridge(alpha=1.0, solver="cholesky")
                ridge.fit((rows - self._mean[lead]) / self._scale[lead], observed[usable, lead])
                self._weights[lead], self._offset[lead] = ridge.coef_, ridge.intercept_

    def point(self, known: _Examples) -> Floats:
        """Point forecasts of shape (issues, leads)."""
        scaled = (known.features() - self._mean) / self._scale
        result: Floats = (scaled * self._weights).sum(axis=-1) + self._offset
        return result


class _Boosting:
    """Gradient-boosted trees over all leads: one for the mean, one a quantile (quantile loss)."""

    def __init__(self, known: _Examples, observed: Floats) -> None:
        import numpy as np
        from sklearn.ensemble import HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits

        rows = self._rows(known).reshape(observed.size, -1)
        usable = ~np.isnan(observed.ravel()) & ~np.isnan(known.last.ravel())
        common = {
            "max_iter": 80,
            "learning_rate": 0.08,
            "max_leaf_nodes": 15,
            "min_samples_leaf": 40,
            "early_stopping": False,
            "random_state": 0,
        }
        losses: list[dict[str, Any]] = [{"loss": "squared_error"}]
        losses += [{"loss": "quantile", "quantile": level} for level in QUANTILES]
        with threadpool_limits(limits=1):
            self._trees = [
                HistGradientBoostingRegressor(**loss, **common).fit(
                    rows[usable], observed.ravel()[usable]
                )
                for loss in losses
            ]

    @staticmethod
    def _rows(known: _Examples) -> Floats:
        import numpy as np

        return np.concatenate([known.features(), known.lag[..., None].astype(float)], axis=-1)

    def _predict(self, tree: Any, known: _Examples) -> Floats:
        import numpy as np
        from threadpoolctl import threadpool_limits

        rows = self._rows(known)
        with threadpool_limits(limits=1):
            told = tree.predict(rows.reshape(-1, rows.shape[-1])).reshape(rows.shape[:2])
        return np.where(np.isnan(known.last), np.nan, told)

    def point(self, known: _Examples) -> Floats:
        """Point forecasts of shape (issues, leads)."""
        return self._predict(self._trees[0], known)

    def quantiles(self, known: _Examples) -> Floats:
        """Quantiles of shape (issues, leads, QUANTILES), as the trees tell them."""
        import numpy as np

        return np.stack([self._predict(tree, known) for tree in self._trees[1:]], axis=-1)


def seconds_of(times: pd.DatetimeIndex) -> Ints:
    """Seconds since 1970 of UTC times, or of wall-clock times as if they were."""
    import numpy as np

    plain = times.tz_localize(None)
    return np.asarray(plain.to_numpy().astype("datetime64[s]").astype(np.int64))
