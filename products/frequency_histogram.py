"""frequency_histogram: how long frequency stood in each 10 mHz of deviation, per settlement day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.quality import deviation, usable_pieces
from domain.settlement import settlement_columns
from domain.tables import Column, Table
from domain.windows import Window
from products.average_power import HOLD
from products.frequency_quality import CADENCE, each_day
from products.product import Product

if TYPE_CHECKING:
    import pandas as pd

BIN_MHZ = 10


def compute(frequency: pd.DataFrame, *, window: Window, frequency_cadence_s: int) -> pd.DataFrame:
    """Seconds per settlement day and 10 mHz bin of the deviation from 50 Hz; bins without time have no row.

    ``frequency``: ``measurement_time`` (UTC), ``frequency_hz`` [Hz], from 60 s before the window. Each
    usable sample holds at most 60 s. A bin holds its lower edge, not its upper.
    """
    import numpy as np
    import pandas as pd

    frames = []
    for span, samples in each_day(frequency, window, frequency_cadence_s):
        edges = [span.start.timestamp(), span.end.timestamp()]
        held = usable_pieces(samples, edges, HOLD.total_seconds())
        of_day = slice(held.bounds[0], held.bounds[1])
        micro = np.round(deviation(held.value[of_day]) * 1e6).astype("int64")
        bins, place = np.unique(micro // (BIN_MHZ * 1000) * BIN_MHZ, return_inverse=True)
        seconds = np.bincount(place, held.seconds[of_day], bins.size)
        covered = float(held.seconds[of_day].sum())
        start = pd.Series([span.start] * bins.size, dtype="datetime64[us, UTC]")
        frames.append(
            pd.DataFrame(
                {
                    "period_start": start,
                    "deviation_mhz": bins,
                    "seconds": seconds,
                    "share": seconds / covered if covered else seconds,
                    "coverage": covered / (edges[1] - edges[0]),
                    "settlement_date": settlement_columns(start)["settlement_date"],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


PRODUCT = Product(
    key="frequency_histogram",
    title="Frequency: time in each 10 mHz of deviation per settlement day",
    grain="settlement day",
    table=Table(
        name="frequency_histogram",
        columns=(
            Column("period_start", "time", "UTC", "Start of the settlement day"),
            Column("deviation_mhz", "int", "mHz", "Lower edge of the bin, deviation from 50 Hz"),
            Column("seconds", "float", "s", "Time in the bin"),
            Column("share", "float", "", "That over the covered time of the day"),
            Column("coverage", "float", "", "Covered share of the day, 0 to 1"),
            Column("settlement_date", "date", "", "Settlement day (Europe/London)"),
        ),
        key=("period_start", "deviation_mhz"),
        time="period_start",
    ),
    compute=compute,
    look_back={"frequency": HOLD},
    settings=(CADENCE,),
)  # fmt: skip
