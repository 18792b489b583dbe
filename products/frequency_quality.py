"""frequency_quality: how long frequency was outside its bands, and how good the samples are.

Rules: ``domain.quality``. Nothing is interpolated: what is missing is uncovered time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from domain.integration import sum_between
from domain.quality import (
    DEADBAND,
    OPERATIONAL,
    STATUTORY,
    Samples,
    deviation,
    events,
    judge,
    usable_pieces,
)
from domain.settlement import period_grid
from domain.tables import Column, Table
from domain.windows import Window
from products.average_power import HOLD, samples_by_day, seconds_of
from products.product import Product
from utils import Setting, whole_number

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

CADENCE = Setting(
    "FREQUENCY_CADENCE_S",
    "15",
    whole_number(1, 60),
    "Spacing of the frequency samples [s]; a step of more than one and a half times that is a gap.",
)
BANDS = {
    "seconds_outside_49_8_50_2": OPERATIONAL,
    "seconds_outside_49_5_50_5": STATUTORY,
    "seconds_outside_deadband": DEADBAND,
}


def each_day(
    frequency: pd.DataFrame, window: Window, cadence_s: int
) -> Iterator[tuple[Window, Samples]]:
    """Each settlement day of the window with its samples and those that hold into it, judged."""
    for span, near in samples_by_day(frequency, window):
        seconds = seconds_of(near["measurement_time"])
        yield span, judge(seconds, near["frequency_hz"], cadence_s)


def compute(frequency: pd.DataFrame, *, window: Window, frequency_cadence_s: int) -> pd.DataFrame:
    """Time outside the bands [s], mean and extremes [Hz], gaps and faults per settlement period.

    ``frequency``: ``measurement_time`` (UTC), ``frequency_hz`` [Hz], from 60 s before the window. Each
    usable sample holds at most 60 s; times and means are of covered time. Source: reference section 3.
    """
    import pandas as pd

    frames = [
        _of_day(span, samples, frequency_cadence_s)
        for span, samples in each_day(frequency, window, frequency_cadence_s)
    ]
    return pd.concat(frames, ignore_index=True)


def _of_day(span: Window, samples: Samples, cadence_s: int) -> pd.DataFrame:
    import numpy as np

    hold_s = HOLD.total_seconds()
    periods = period_grid(span)
    edges = np.append(seconds_of(periods["period_start"]), span.end.timestamp())
    held = usable_pieces(samples, edges, hold_s)
    off = deviation(held.value)
    covered = sum_between(held.seconds, held.bounds)
    share = covered / np.diff(edges)
    some = covered > 0
    over = np.where(some, covered, np.nan)
    mean_off = sum_between(off * held.seconds, held.bounds) / over
    length = np.diff(held.bounds)
    whole = slice(held.bounds[0], held.bounds[-1])
    around = off[whole] - np.repeat(mean_off, length)
    squares = sum_between(around**2 * held.seconds[whole], held.bounds - held.bounds[0])
    lowest, highest = np.full(some.size, np.nan), np.full(some.size, np.nan)
    if some.any():
        begins = held.bounds[:-1][some]
        values = held.value[: held.bounds[-1]]
        lowest[some] = np.minimum.reduceat(values, begins)
        highest[some] = np.maximum.reduceat(values, begins)
    in_period = np.searchsorted(samples.times_s, edges)

    def count(flags: np.ndarray) -> np.ndarray:
        return np.diff(np.append(0, np.cumsum(flags))[in_period])

    found = events(samples, float(edges[0]), float(edges[-1]), cadence_s=cadence_s, hold_s=hold_s)
    gaps = [event for event in found if event.kind == "gap"]
    still = [event for event in found if event.kind in ("flat", "ramp")]
    figures = {
        name: np.where(
            some, sum_between(np.where(np.abs(off) > limit, held.seconds, 0.0), held.bounds), np.nan
        )
        for name, limit in BANDS.items()
    }
    return periods.assign(
        **figures,
        mean_hz=50.0 + mean_off,
        minimum_hz=lowest,
        maximum_hz=highest,
        standard_deviation_hz=np.sqrt(squares / over),
        time_error_s=mean_off * over / 50.0,
        samples=count(samples.usable),
        implausible_samples=count(samples.implausible),
        spike_samples=count(samples.spike),
        questionable_samples=count(samples.questionable),
        gaps=np.histogram([gap.start_s for gap in gaps], edges)[0],
        gap_seconds=_overlap([(gap.start_s, gap.end_s) for gap in gaps], edges),
        flat_seconds=_overlap([(run.start_s, run.end_s) for run in still], edges),
        coverage=share,
    )


def _overlap(spans: list[tuple[float, float]], edges: np.ndarray) -> np.ndarray:
    """Seconds of the spans within each interval."""
    import numpy as np

    total = np.zeros(len(edges) - 1)
    for since, until in spans:
        total += np.clip(np.minimum(until, edges[1:]) - np.maximum(since, edges[:-1]), 0.0, None)
    return total


PRODUCT = Product(
    key="frequency_quality",
    title="Frequency: time outside the bands, and the quality of the samples, per settlement period",
    grain="settlement period",
    table=Table(
        name="frequency_quality",
        columns=(
            Column("period_start", "time", "UTC", "Start of the settlement period"),
            Column("seconds_outside_49_8_50_2", "float", "s", "Time outside the operational band", optional=True),
            Column("seconds_outside_49_5_50_5", "float", "s", "Time outside the statutory band", optional=True),
            Column("seconds_outside_deadband", "float", "s", "Time further than 0.015 Hz from 50 Hz", optional=True),
            Column("mean_hz", "float", "Hz", "Mean, weighted by time", optional=True),
            Column("minimum_hz", "float", "Hz", "Lowest usable sample", optional=True),
            Column("maximum_hz", "float", "Hz", "Highest usable sample", optional=True),
            Column("standard_deviation_hz", "float", "Hz", "Weighted by time (population)", optional=True),
            Column("time_error_s", "float", "s", "Integral of (frequency - 50 Hz) / 50 Hz over covered time", optional=True),
            Column("samples", "int", "", "Usable samples"),
            Column("implausible_samples", "int", "", "Samples outside 45 to 55 Hz, taken as missing"),
            Column("spike_samples", "int", "", "Single samples far from both neighbours, taken as missing"),
            Column("questionable_samples", "int", "", "Usable samples outside 47 to 52 Hz"),
            Column("gaps", "int", "", "Gaps that begin in the period"),
            Column("gap_seconds", "float", "s", "Time in gaps, from when a sample was due"),
            Column("flat_seconds", "float", "s", "Time in flat runs and straight lines"),
            Column("coverage", "float", "", "Covered share of the period, 0 to 1"),
            Column("settlement_date", "date", "", "Settlement day (Europe/London)"),
            Column("settlement_period", "int", "", "Settlement period, 1 to 46, 48 or 50"),
        ),
        key=("period_start",),
        time="period_start",
    ),
    compute=compute,
    look_back={"frequency": HOLD},
    settings=(CADENCE,),
)  # fmt: skip
