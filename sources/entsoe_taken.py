"""What an ENTSO-E document takes back: a point without a value cancels what was published for its slots."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sources.entsoe_xml import Document, Period, Series


def taken_back(document: Document, names: Iterable[str]) -> Document | None:
    """The document with values where it has none and none where it has some; None where it takes nothing.

    So whoever makes rows of what is published makes them of what is taken back. ``names`` are fields
    that a period without any value could have held.
    """
    series = [
        Series(one.fields, [_turned(period, names) for period in one.periods])
        for one in document.series
    ]
    if not any(period.values for one in series for period in one.periods):
        return None
    return Document(document.root, document.fields, series)


def _turned(period: Period, names: Iterable[str]) -> Period:
    import numpy as np

    empty = np.ones(len(period.positions), dtype=bool)
    for column in period.values.values():
        empty &= np.isnan(column)
    if not empty.any():
        return replace(period, values={}, words={})
    turned = np.where(empty, 0.0, np.nan)
    return replace(period, values=dict.fromkeys(period.values or names, turned))
