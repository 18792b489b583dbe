"""Pictures of system frequency: the series with its limits and what is covered, and how often it was where."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from domain.quality import DEADBAND
from domain.response import NOMINAL_HZ
from domain.settlement import PERIOD, day_window, days_in
from domain.windows import Window
from pictures.choosing import picture_of
from pictures.picture import Bars, Panel, Picture, Rule, instants
from stores.looking import BUCKET_END, BUCKET_START

if TYPE_CHECKING:
    from stores.sql import SqlStore

# Of a longer range the half-hourly figures of frequency_quality are drawn: samples are too many.
SAMPLES = timedelta(days=62)
# Of a longer range the strip of coverage has a bar a day.
STRIP_BY_PERIOD = timedelta(days=7)


def series(store: SqlStore, window: Window) -> Picture | None:
    """Frequency [Hz] in buckets, their minima and maxima kept, with limits and a strip of coverage [%].

    None where nothing is stored that it could be drawn from.
    """
    if window.length <= SAMPLES:
        picture = picture_of(store, "frequency", window, kind="line")
    else:
        columns = ["minimum_hz", "mean_hz", "maximum_hz"]
        picture = picture_of(store, "frequency_quality", window, kind="line", columns=columns)
    if picture is None:
        return None
    band = f"deadband, {NOMINAL_HZ:g} ± {DEADBAND:g} Hz"
    limits = [
        Rule(NOMINAL_HZ - DEADBAND, band, "other", "dot"),
        Rule(NOMINAL_HZ + DEADBAND, "", "other", "dot"),
    ]
    first = picture.panels[0]
    panels = [replace(first, marks=[*first.marks, *limits], height=1.4), *_strip(store, window)]
    return replace(picture, panels=panels)


def _strip(store: SqlStore, window: Window) -> list[Panel]:
    """Coverage of settlement periods by frequency_quality; else of days, as the ledger counts samples."""
    import numpy as np
    import pandas as pd

    found = pd.DataFrame()
    if window.length <= STRIP_BY_PERIOD:
        table = store.tables["frequency_quality"]
        found = store.aggregate(table, ["coverage"], window, None, PERIOD)
    if len(found):
        left, right = instants(found[BUCKET_START]), instants(found[BUCKET_END])
        share, label = found["coverage_mean"].to_numpy(), "covered, by settlement period"
    else:
        days = days_in(window)
        entries = store.entries("frequency", days[0], days[-1]).values()
        if not entries:
            return []
        known = sorted((entry.day, entry.coverage) for entry in entries)
        ends = [day_window(day) for day, _ in known]
        left, right = instants([w.start for w in ends]), instants([w.end for w in ends])
        share, label = np.array([coverage for _, coverage in known]), "covered, by settlement day"
    bars = Bars(left, right, 100 * share, label, "wind")
    return [Panel("covered [%]", [bars], y_limits=(0, 100), height=0.35)]


def histogram(store: SqlStore, window: Window) -> Picture | None:
    """Time in each 10 mHz of deviation as the product counted it; else the share of samples [%]."""
    counted = picture_of(store, "frequency_histogram", window)
    if counted is not None or window.length > SAMPLES:
        return counted
    return picture_of(store, "frequency", window, kind="histogram")
