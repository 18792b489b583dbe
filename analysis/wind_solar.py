"""British wind and solar: what a range of stored half hours says, family by family.

``read_wind_solar`` reads once; every other function makes one section of it, to print or to draw.
``wind_solar_sections`` makes them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.capacity import MEANING, Capacity, capacity_of
from analysis.sections import Section
from domain import analytics
from domain.droughts import DEFINITIONS, droughts
from domain.settlement import PERIOD, day_window, period_grid
from domain.windows import Window

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from stores.sql import SqlStore

    Floats = npt.NDArray[np.float64]

PERIOD_H = PERIOD.total_seconds() / 3600
# A series is the sum of types, where each of them is known.
SERIES: dict[str, tuple[str, ...]] = {
    "Wind": ("Wind Offshore", "Wind Onshore"),
    "Wind Offshore": ("Wind Offshore",),
    "Wind Onshore": ("Wind Onshore",),
    "Solar": ("Solar",),
}
PAIRS = (("Wind", "Solar"), ("Wind Offshore", "Wind Onshore"))
LEVELS = (0.01, 0.05, 0.1, 0.5, 0.9, 0.95, 0.99)
PROFILE_LEVELS = (0.1, 0.5, 0.9)
RAMP_HOURS = (0.5, 1.0, 4.0)
# Shares of the reference, and of the mean share of the series itself.
THRESHOLDS: dict[str, tuple[float, bool]] = {
    "5 %": (0.05, False),
    "10 %": (0.1, False),
    "20 %": (0.2, False),
    "half the mean": (0.5, True),
}
LEAST_HOURS = 24.0
LITTLE = 0.1
POINTS = 500
CURTAILED = "Metered output is what was left after curtailment."


@dataclass(frozen=True)
class WindSolar:
    """Series on the half hours that start in the window: mean power [MW], NaN where unknown.

    ``periods`` has one row a half hour: ``period_start`` (UTC), ``settlement_date``,
    ``settlement_period``.
    """

    window: Window
    periods: pd.DataFrame
    power_mw: dict[str, Floats]
    capacity: dict[str, Capacity]

    def share(self, series: str) -> Floats:
        """Output over capacity, or over the highest output observed."""
        return self.power_mw[series] / self.capacity[series].mw

    def at(self, place: int) -> pd.Timestamp:
        """The start of an interval."""
        start: pd.Timestamp = self.periods["period_start"].iloc[place]
        return start


def read_wind_solar(
    store: SqlStore,
    window: Window,
    where: Mapping[str, Any] | None = None,
    capacity_mw: Mapping[str, float] | None = None,
) -> WindSolar:
    """The series that the store has rows of; ``capacity_mw`` states capacities [MW] by series."""
    import numpy as np

    stated = dict(capacity_mw or {})
    if set(SERIES["Wind"]) <= set(stated):
        stated.setdefault("Wind", sum(stated[kind] for kind in SERIES["Wind"]))
    names = ["period_start", "psr_type", "generation_mw"]
    rows = store.read_table(store.tables["wind_solar"], window, where, names)
    periods = period_grid(window)
    periods = periods[periods["period_start"] >= window.start].reset_index(drop=True)
    power: dict[str, Floats] = {}
    if len(rows) and len(periods):
        start = periods["period_start"].iloc[0].timestamp()
        seconds = rows["period_start"].astype("int64") / 1e6
        step = PERIOD.total_seconds()
        by_type = {
            str(kind): analytics.regular(
                seconds[own.index], own["generation_mw"], start, start + len(periods) * step, step
            )
            for kind, own in rows.groupby("psr_type")
        }
        power = {
            name: np.sum([by_type[kind] for kind in kinds], axis=0)
            for name, kinds in SERIES.items()
            if by_type.keys() >= set(kinds)
        }
    capacity = {
        name: capacity_of(
            store, SERIES[name], window, periods["period_start"], values, stated.get(name)
        )
        for name, values in power.items()
    }
    return WindSolar(window, periods, power, capacity)


def wind_solar_sections(
    store: SqlStore,
    window: Window,
    where: Mapping[str, Any] | None = None,
    capacity_mw: Mapping[str, float] | None = None,
) -> list[Section]:
    """Every section of the range; none where no rows are stored."""
    from analysis.forecasts import forecast_errors

    data = read_wind_solar(store, window, where, capacity_mw)
    if not data.power_mw:
        return []
    events = drought_events(data)
    sections = [
        summary(data),
        monthly(data),
        diurnal(data),
        seasonal(data),
        duration(data),
        ramps(data),
        drought_figures(data, events),
        events,
        relations(data),
        forecast_errors(store, data),
        coverage(data),
    ]
    return [section for section in sections if len(section.frame)]


def summary(data: WindSolar) -> Section:
    """Energy, mean, extremes, percentiles, capacity factor and coverage of each series."""
    import numpy as np

    def rows() -> Iterator[dict[str, Any]]:
        for name, power in data.power_mw.items():
            known = ~np.isnan(power)
            if not known.any():
                continue
            capacity = data.capacity[name]
            factor = analytics.capacity_factor(power, capacity.mw)
            peak, least = int(np.nanargmax(power)), int(np.nanargmin(power))
            levels = analytics.quantiles(power, LEVELS)
            nothing = float("nan")
            yield {
                "series": name,
                "energy_mwh": analytics.energy(power, PERIOD_H),
                "mean_mw": float(power[known].mean()),
                "maximum_mw": power[peak],
                "maximum_at": data.at(peak),
                "minimum_mw": power[least],
                "minimum_at": data.at(least),
                **{f"p{100 * p:g}_mw": value for p, value in zip(LEVELS, levels, strict=True)},
                "capacity_factor": factor if capacity.installed else nothing,
                "full_load_h": analytics.full_load_hours(factor) if capacity.installed else nothing,
                "relative_to_observed_maximum": nothing if capacity.installed else factor,
                "reference_mw": analytics.capacity_factor(capacity.mw[known], 1.0),
                "reference": capacity.source,
                "reference_known": float((~np.isnan(capacity.mw[known])).mean()),
                "coverage": float(known.mean()),
            }

    units = {
        "energy_mwh": "MWh", "mean_mw": "MW", "maximum_mw": "MW", "maximum_at": "UTC",
        "minimum_mw": "MW", "minimum_at": "UTC", **{f"p{100 * p:g}_mw": "MW" for p in LEVELS},
        "capacity_factor": "", "full_load_h": "h/year", "relative_to_observed_maximum": "",
        "reference_mw": "MW", "reference": "", "reference_known": "", "coverage": "",
    }  # fmt: skip
    return _section(
        "summary",
        "Energy, mean, extremes and capacity factor",
        ["series"],
        rows(),
        units,
        f"{CURTAILED} Energy is of the periods there are, of Wind those with both types. reference_mw is "
        f"what shares are of, in the mean. {MEANING}",
    )


def monthly(data: WindSolar) -> Section:
    """Energy, mean, capacity factor and coverage of each series and local month."""
    import numpy as np

    def rows() -> Iterator[dict[str, Any]]:
        dates = data.periods["settlement_date"].dt
        months = (dates.year * 100 + dates.month).to_numpy()
        cuts = np.flatnonzero(np.diff(months)) + 1
        for name, power in data.power_mw.items():
            capacity = data.capacity[name]
            for own in np.split(np.arange(len(months)), cuts):
                known = ~np.isnan(power[own])
                factor = analytics.capacity_factor(power[own], capacity.mw[own])
                yield {
                    "series": name,
                    "month": f"{months[own[0]] // 100}-{months[own[0]] % 100:02}",
                    "energy_mwh": analytics.energy(power[own], PERIOD_H),
                    "mean_mw": float(power[own][known].mean()) if known.any() else float("nan"),
                    "capacity_factor": factor if capacity.installed else float("nan"),
                    "coverage": float(known.mean()),
                }

    units = {"energy_mwh": "MWh", "mean_mw": "MW", "capacity_factor": "", "coverage": ""}
    note = "Months of Europe/London; coverage is of the part of the month in the range."
    return _section("monthly", "By month", ["series", "month"], rows(), units, note)


def diurnal(data: WindSolar) -> Section:
    """Mean and quantiles of each settlement period, which follow the local clock."""
    groups = data.periods[["settlement_period"]]
    return _profile(
        data, groups, "diurnal", "Diurnal profile", PROFILE_LEVELS,
        "By settlement period of Europe/London; 49 and 50 are of October's long day alone.",
    )  # fmt: skip


def seasonal(data: WindSolar) -> Section:
    """Mean of each month of the year and settlement period."""
    groups = data.periods[["settlement_period"]].copy()
    groups.insert(0, "month", data.periods["settlement_date"].dt.month)
    note = "By month of the year and settlement period of Europe/London."
    return _profile(data, groups, "seasonal", "Seasonal profile", (), note)


def _profile(
    data: WindSolar,
    groups: pd.DataFrame,
    key: str,
    title: str,
    levels: Sequence[float],
    note: str,
) -> Section:
    import pandas as pd

    frames = []
    for name, power in data.power_mw.items():
        frame = analytics.profile(power, groups, levels)
        frame.insert(0, "series", name)
        frames.append(frame)
    figures = ["mean", *(f"p{100 * level:g}" for level in levels)]
    frame = pd.concat(frames, ignore_index=True).rename(columns={f: f"{f}_mw" for f in figures})
    frame["intervals"] = frame.pop("intervals")
    units = {**{f"{figure}_mw": "MW" for figure in figures}, "intervals": ""}
    return Section(key, title, frame, units, note)


def duration(data: WindSolar, points: int = POINTS) -> Section:
    """Duration curve of each series: power and share that are exceeded for a share of the time."""
    import numpy as np
    import pandas as pd

    frames = []
    for name, power in data.power_mw.items():
        exceeded, ordered = analytics.duration_curve(power)
        _, shares = analytics.duration_curve(data.share(name))
        # Both ends and evenly between: a picture has only so many points.
        kept = np.unique(np.linspace(0, max(ordered.size - 1, 0), points).astype(np.int64))
        kept = kept[kept < min(ordered.size, shares.size)]
        frames.append(
            pd.DataFrame(
                {
                    "series": name,
                    "exceedance": exceeded[kept],
                    "power_mw": ordered[kept],
                    "share": shares[kept] if shares.size == ordered.size else np.nan,
                }
            )
        )
    return Section(
        "duration",
        "Duration curve",
        pd.concat(frames, ignore_index=True),
        {"exceedance": "", "power_mw": "MW", "share": ""},
        f"Exceedance is (rank − 0.5) / n; at most {points} points a series. Share is of the reference "
        "in the summary.",
    )


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
    return _section("ramps", "Ramps", ["series", "over_h"], rows(), units, note)


def ramp_histogram(data: WindSolar, bins: int = 60) -> Section:
    """How many ramps of each size there are, to draw; equal bins, zero in the middle of them all."""
    import numpy as np
    import pandas as pd

    frames = []
    for name, hours, change in _ramps(data):
        known = change[~np.isnan(change)]
        widest = float(np.abs(known).max(initial=0.0)) or 1.0
        count, edges = np.histogram(known, np.linspace(-widest, widest, bins + 1))
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
    return _section(
        "droughts",
        f"Droughts of {LEAST_HOURS:g} h and longer",
        ["series", "definition", "threshold"],
        rows(),
        units,
        "CBT: every half hour below the threshold; VMBT: the mean of the whole time. Thresholds are "
        "shares of the reference in the summary, or of the mean share; deficit is what is missing to "
        "the threshold. A gap ends a drought.",
    )


def relations(data: WindSolar) -> Section:
    """Correlation and complementarity of wind and solar, offshore and onshore."""
    import numpy as np

    periods = data.periods
    day = periods.groupby("settlement_date").ngroup().to_numpy()
    dates = periods["settlement_date"].drop_duplicates()
    # Days that the range cuts are no whole days.
    whole = np.array([data.window.common(day_window(d)) == day_window(d) for d in dates.dt.date])
    slot = (periods["settlement_date"].dt.month * 50 + periods["settlement_period"]).to_numpy()

    def rows() -> Iterator[dict[str, Any]]:
        for one, other in PAIRS:
            if not {one, other} <= data.power_mw.keys():
                continue
            a, b = data.power_mw[one], data.power_mw[other]
            days = [np.where(whole, analytics.means_of(part, day), np.nan) for part in (a, b)]
            rest = [analytics.anomalies(part, slot) for part in (a, b)]
            yield {
                "one": one,
                "other": other,
                "pearson": analytics.pearson(a, b),
                "spearman": analytics.spearman(a, b),
                "pearson_daily_means": analytics.pearson(*days),
                "spearman_daily_means": analytics.spearman(*days),
                "pearson_anomalies": analytics.pearson(*rest),
                "spearman_anomalies": analytics.spearman(*rest),
                "complementarity": analytics.complementarity(a, b),
                "both_below_10_percent": analytics.share_both_below(
                    data.share(one), data.share(other), LITTLE
                ),
                "intervals": int((~np.isnan(a + b)).sum()),
                "whole_days": int((~np.isnan(days[0] + days[1])).sum()),
            }

    figures = (
        "pearson", "spearman", "pearson_daily_means", "spearman_daily_means", "pearson_anomalies",
        "spearman_anomalies", "complementarity", "both_below_10_percent", "intervals", "whole_days",
    )  # fmt: skip
    return _section(
        "relations",
        "Correlation and complementarity",
        ["one", "other"],
        rows(),
        dict.fromkeys(figures, ""),
        "Half hours of which both are known. Daily means are of whole days without a gap; anomalies are "
        "what remains without the mean of the month and settlement period. Complementarity is "
        "1 − σ(A + B) / (σA + σB). Both below 10 % of their references (see the summary).",
    )


def coverage(data: WindSolar) -> Section:
    """What there is of the range, and its gaps."""
    import numpy as np

    def rows() -> Iterator[dict[str, Any]]:
        for name, power in data.power_mw.items():
            unknown = np.isnan(power)
            turns = np.diff(np.concatenate([[False], unknown, [False]]).astype(np.int8))
            begin, end = np.flatnonzero(turns == 1), np.flatnonzero(turns == -1)
            longest = int(np.argmax(end - begin)) if begin.size else -1
            known = np.flatnonzero(~unknown)
            yield {
                "series": name,
                "periods": int(known.size),
                "periods_due": int(power.size),
                "coverage": float(known.size / power.size),
                "gaps": int(begin.size),
                "longest_gap_h": float((end - begin)[longest]) * PERIOD_H if begin.size else 0.0,
                "longest_gap_from": data.at(int(begin[longest])) if begin.size else None,
                "first": data.at(int(known[0])) if known.size else None,
                "last": data.at(int(known[-1])) if known.size else None,
            }

    units = {
        "periods": "", "periods_due": "", "coverage": "", "gaps": "", "longest_gap_h": "h",
        "longest_gap_from": "UTC", "first": "UTC", "last": "UTC",
    }  # fmt: skip
    note = "'python3 run.py coverage wind_solar' says why a day is not complete."
    return _section("coverage", "Coverage of the range", ["series"], rows(), units, note)


def _section(
    key: str,
    title: str,
    labels: Sequence[str],
    rows: Iterator[dict[str, Any]],
    units: Mapping[str, str],
    note: str,
) -> Section:
    """A section of rows, with the right columns where there are none."""
    import pandas as pd

    frame = pd.DataFrame(list(rows), columns=[*labels, *units])
    for name, unit in units.items():
        if unit == "UTC":
            frame[name] = pd.to_datetime(frame[name], utc=True)
    return Section(key, title, frame, units, note)
