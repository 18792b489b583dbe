"""Ramps and droughts of British wind and solar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from analysis.sections import Section, section_of
from analysis.series import PERIOD_H, WindSolar
from domain import analytics
from domain.droughts import DEFINITIONS, droughts
from domain.settlement import PERIOD

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

RAMP_HOURS = (0.5, 1.0, 4.0)
# Shares of the reference, and of the mean share of the series itself.
THRESHOLDS: dict[str, tuple[float, bool]] = {
    "5 %": (0.05, False),
    "10 %": (0.1, False),
    "20 %": (0.2, False),
    "half the mean": (0.5, True),
}
LEAST_HOURS = 24.0


def ramps(data: WindSolar) -> Section:
    """Change of power over half an hour, one hour and four: the worst, P1 and P99, and as shares."""
    import numpy as np

    def rows() -> Iterator[dict[str, Any]]:
        for name, hours, change in _ramps(data):
            if np.isnan(change).all():
                continue
            down, up = int(np.nanargmin(change)), int(np.nanargmax(change))
            low, high = analytics.quantiles(change, (0.01, 0.99))
            reference = data.capacity[name].mw
            yield {
                "series": name,
                "over_h": hours,
                "worst_down_mw": change[down],
                "worst_down_share": change[down] / reference[down],
                "worst_down_at": data.at(down),
                "worst_up_mw": change[up],
                "worst_up_share": change[up] / reference[up],
                "worst_up_at": data.at(up),
                "p1_mw": low,
                "p99_mw": high,
                "ramps": int((~np.isnan(change)).sum()),
            }

    units = {
        "worst_down_mw": "MW", "worst_down_share": "", "worst_down_at": "UTC", "worst_up_mw": "MW",
        "worst_up_share": "", "worst_up_at": "UTC", "p1_mw": "MW", "p99_mw": "MW", "ramps": "",
    }  # fmt: skip
    note = (
        "P(t) − P(t − h), told at t, never across a gap. Share is of the reference in the summary."
    )
    return section_of("ramps", "Ramps", ["series", "over_h"], rows(), units, note)


def ramp_histogram(data: WindSolar, bins: int = 60) -> Section:
    """How many ramps of each size there are, to draw; equal bins, zero in the middle of them all.

    Series have the same bins, so that they compare on one axis.
    """
    import numpy as np
    import pandas as pd

    found = [(name, hours, change[~np.isnan(change)]) for name, hours, change in _ramps(data)]
    widest = dict.fromkeys(RAMP_HOURS, 0.0)
    for _, hours, known in found:
        widest[hours] = float(np.abs(known).max(initial=widest[hours]))
    frames = []
    for name, hours, known in found:
        reach = widest[hours] or 1.0
        count, edges = np.histogram(known, np.linspace(-reach, reach, bins + 1))
        bars = {"from_mw": edges[:-1], "to_mw": edges[1:], "ramps": count}
        frames.append(pd.DataFrame({"series": name, "over_h": hours, **bars}))
    units = {"from_mw": "MW", "to_mw": "MW", "ramps": ""}
    frame = pd.concat(frames, ignore_index=True)
    return Section("ramp_histogram", "Ramps by size", frame, units)


def _ramps(data: WindSolar) -> Iterator[tuple[str, float, Floats]]:
    for name, power in data.power_mw.items():
        for hours in RAMP_HOURS:
            yield name, hours, analytics.ramps(power, round(hours / PERIOD_H))


def drought_events(data: WindSolar, least_hours: float = LEAST_HOURS) -> Section:
    """Every drought of a day or longer, by series, definition and threshold; to draw as a timeline."""
    import numpy as np
    import pandas as pd

    labels = ["series", "definition", "threshold"]
    frames = []
    for name in data.power_mw:
        share, reference = data.share(name), data.capacity[name].mw
        if np.isnan(share).all():
            continue
        for definition in DEFINITIONS:
            for called, (level, of_mean) in THRESHOLDS.items():
                limit = level * float(np.nanmean(share)) if of_mean else level
                found = droughts(share, reference, PERIOD_H, limit, least_hours, definition)
                starts = data.periods["period_start"]
                told = dict(zip(labels, (name, definition, called), strict=True))
                found = found.assign(
                    **told,
                    start=starts.iloc[found["first"]].array,
                    end=(starts.iloc[found["after"] - 1] + PERIOD).array,
                )
                frames.append(found)
    names = [*labels, "start", "end", "hours", "mean_share", "deficit_mwh"]
    some = [frame for frame in frames if len(frame)]
    frame = pd.concat(some, ignore_index=True)[names] if some else pd.DataFrame(columns=names)
    units = {"start": "UTC", "end": "UTC", "hours": "h", "mean_share": "", "deficit_mwh": "MWh"}
    return Section("drought_events", "Droughts, one by one", frame, units)


def drought_figures(data: WindSolar, events: Section | None = None) -> Section:
    """How many droughts, how long and how deep, by series, definition and threshold."""
    import numpy as np

    found = (events or drought_events(data)).frame
    by_kind = dict(list(found.groupby(["series", "definition", "threshold"])))

    def rows() -> Iterator[dict[str, Any]]:
        for name in data.power_mw:
            share = data.share(name)
            known_h = float((~np.isnan(share)).sum()) * PERIOD_H
            for definition in DEFINITIONS if known_h else ():
                for called, (level, of_mean) in THRESHOLDS.items():
                    own = by_kind.get((name, definition, called), found.iloc[:0])
                    longest = own.iloc[int(own["hours"].argmax())] if len(own) else None
                    total = float(own["hours"].sum())
                    yield {
                        "series": name,
                        "definition": definition,
                        "threshold": called,
                        "below": level * float(np.nanmean(share)) if of_mean else level,
                        "events": len(own),
                        "hours": total,
                        "share_of_time": total / known_h,
                        "longest_h": float(longest["hours"]) if longest is not None else np.nan,
                        "longest_from": longest["start"] if longest is not None else None,
                        "deficit_mwh": float(own["deficit_mwh"].sum()),
                    }

    units = {
        "below": "", "events": "", "hours": "h", "share_of_time": "", "longest_h": "h",
        "longest_from": "UTC", "deficit_mwh": "MWh",
    }  # fmt: skip
    return section_of(
        "droughts",
        f"Droughts of {LEAST_HOURS:g} h and longer",
        ["series", "definition", "threshold"],
        rows(),
        units,
        "CBT: every half hour below the threshold; VMBT: the mean of the whole time. Thresholds are "
        "shares of the reference in the summary, or of the mean share; deficit is what is missing to "
        "the threshold. A gap ends a drought.",
    )
