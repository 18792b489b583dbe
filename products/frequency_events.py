"""frequency_events: excursions, gaps, flat runs and faulty samples, each with begin and end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.quality import KINDS, events
from domain.settlement import settlement_columns
from domain.tables import Column, Table
from domain.windows import Window
from products.average_power import HOLD
from products.frequency_quality import CADENCE, each_day
from products.product import Product

if TYPE_CHECKING:
    import pandas as pd


def compute(frequency: pd.DataFrame, *, window: Window, frequency_cadence_s: int) -> pd.DataFrame:
    """One row an event; what goes on over midnight is cut there and marked ``cut``.

    ``frequency``: ``measurement_time`` (UTC), ``frequency_hz`` [Hz], from 60 s before the window.
    Rules: ``domain.quality``, after reference section 3.
    """
    import pandas as pd

    found = [
        event
        for span, samples in each_day(frequency, window, frequency_cadence_s)
        for event in events(
            samples,
            span.start.timestamp(),
            span.end.timestamp(),
            cadence_s=frequency_cadence_s,
            hold_s=HOLD.total_seconds(),
        )
    ]
    starts = _times([event.start_s for event in found])
    return pd.DataFrame(
        {
            "event_start": starts,
            "kind": pd.Series([event.kind for event in found], dtype="str"),
            "event_end": _times([event.end_s for event in found]),
            "duration_s": _floats([event.end_s - event.start_s for event in found]),
            "extreme_hz": _floats([event.extreme_hz for event in found]),
            "extreme_at": _times([event.extreme_s for event in found]),
            "slope_hz_per_s": _floats([event.slope_hz_per_s for event in found]),
            "area_hz_s": _floats([event.area_hz_s for event in found]),
            "samples": pd.Series([event.samples for event in found], dtype="int64"),
            "cut": pd.Series([event.cut for event in found], dtype="bool"),
            **settlement_columns(starts),
        }
    )


def _floats(values: list[float] | list[float | None]) -> pd.Series:
    import pandas as pd

    return pd.Series(values, dtype="float64")


def _times(seconds: list[float] | list[float | None]) -> pd.Series:
    """Whole seconds since 1970 as UTC times."""
    import pandas as pd

    micros = [
        None if second is None else pd.Timestamp(round(second), unit="s") for second in seconds
    ]
    return pd.Series(pd.DatetimeIndex(micros, tz="UTC").as_unit("us"))


PRODUCT = Product(
    key="frequency_events",
    title="Frequency: excursions, gaps, flat runs and faulty samples",
    grain="event",
    table=Table(
        name="frequency_events",
        columns=(
            Column("event_start", "time", "UTC", "Begin"),
            Column("kind", "text", "", "low and high: excursions beyond 0.2 Hz; gap; flat; ramp (straight line); implausible; spike", known=KINDS),
            Column("event_end", "time", "UTC", "End"),
            Column("duration_s", "float", "s", "Length"),
            Column("extreme_hz", "float", "Hz", "Nadir or zenith; the value of a flat run or of the first faulty sample", optional=True),
            Column("extreme_at", "time", "UTC", "When nadir or zenith was first reached", optional=True),
            Column("slope_hz_per_s", "float", "Hz/s", "Steepest step between neighbouring samples, signed; the slope of a ramp", optional=True),
            Column("area_hz_s", "float", "Hz s", "Integral of |frequency - 50 Hz| over an excursion", optional=True),
            Column("samples", "int", "", "Samples in it; of a gap how many are missing"),
            Column("cut", "flag", "", "Whether it touches the day's begin or end and may go on beyond"),
            Column("settlement_date", "date", "", "Settlement day of the begin (Europe/London)"),
            Column("settlement_period", "int", "", "Settlement period of the begin"),
        ),
        key=("event_start", "kind"),
        time="event_start",
    ),
    compute=compute,
    look_back={"frequency": HOLD},
    settings=(CADENCE,),
)  # fmt: skip
