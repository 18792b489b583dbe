"""Rows that hold for lengths of their own, averaged on settlement periods: what half-hourly products share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from domain.integration import Averages, average_intervals
from domain.settlement import period_grid
from domain.windows import Window

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

# How far a row of an input may hold into the next settlement day; no look-back sees it from further.
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Grid:
    """The settlement periods of a window: as a frame, their edges [s], and the days they make up."""

    periods: pd.DataFrame
    edges_s: npt.NDArray[np.int64]
    day_of_period: npt.NDArray[np.intp]
    day_edges_s: npt.NDArray[np.int64]

    @classmethod
    def of(cls, window: Window) -> Grid:
        import numpy as np
        import pandas as pd

        periods = period_grid(window)
        edges = np.append(seconds(periods["period_start"]), int(window.end.timestamp()))
        days, _ = pd.factorize(periods["settlement_date"])
        return cls(periods, edges, days, edges[np.append(np.diff(days, prepend=-1) > 0, True)])

    def present(self, starts_s: Any, codes: Any, count: int) -> npt.NDArray[np.bool_]:
        """Which of ``count`` series have a row that begins on which day."""
        import numpy as np

        day = np.searchsorted(self.day_edges_s, starts_s, side="right") - 1
        present = np.zeros((count, self.day_edges_s.size), dtype=np.bool_)
        present[codes, day] = True  # what lies before the days falls into the column behind them
        return present[:, :-1]


@dataclass(frozen=True)
class OnGrid:
    """Series on a grid: ``names`` has one row a series, ``found`` has (series, periods).

    ``present`` (series, days) says which have a row that begins on which day.
    """

    names: pd.DataFrame
    found: Averages
    present: npt.NDArray[np.bool_]


def average_rows(
    grid: Grid, labels: pd.DataFrame, starts: pd.Series, lengths: Any, values: Any, reach: timedelta
) -> OnGrid:
    """Average rows that hold for their lengths [s], but at most ``reach`` into the next settlement day.

    Rows with the same ``labels`` are one series; of rows of a series that overlap, the one that
    starts later holds.
    """
    import numpy as np

    grouped = labels.groupby(list(labels.columns), sort=True)
    codes = grouped.ngroup().to_numpy()
    names = grouped.size().index.to_frame(index=False)
    names.columns = labels.columns

    begin = seconds(starts)
    day_end = np.append(grid.day_edges_s, 2**62)[
        np.searchsorted(grid.day_edges_s, begin, side="right")
    ]
    latest = np.maximum(day_end, begin + int(reach.total_seconds()))
    end = np.minimum(begin + np.asarray(lengths, dtype=np.int64), latest)
    found = average_intervals(begin, end, values, grid.edges_s, series=codes, count=len(names))
    return OnGrid(names, found, grid.present(begin, codes, len(names)))


def sum_over(rows: Any, values: Any, count: int) -> npt.NDArray[np.float64]:
    """Sums of the rows of a matrix that have the same number, 0 to ``count`` - 1; NaN stays NaN."""
    import numpy as np

    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, np.asarray(rows, dtype=np.intp), values)
    return sums


def seconds(times: pd.Series) -> npt.NDArray[np.int64]:
    """Moments as whole seconds, which is what the times of all inputs are."""
    import numpy as np

    return np.asarray(times.astype("datetime64[s, UTC]").astype("int64"), dtype=np.int64)
