"""British wind and solar: energy, profiles, relations and coverage of a range of stored half hours.

``analysis.series`` reads once; every function makes one section of it, to print or to draw.
``wind_solar_sections`` makes them all, those of ``analysis.extremes`` among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.capacity import MEANING
from analysis.extremes import drought_events, drought_figures, ramps
from analysis.sections import Section, section_of
from analysis.series import PERIOD_H, WindSolar, read_wind_solar
from domain import analytics
from domain.settlement import day_window
from domain.windows import Window

if TYPE_CHECKING:
    import pandas as pd

    from stores.sql import SqlStore

PAIRS = (("Wind", "Solar"), ("Wind Offshore", "Wind Onshore"))
LEVELS = (0.01, 0.05, 0.1, 0.5, 0.9, 0.95, 0.99)
PROFILE_LEVELS = (0.1, 0.5, 0.9)
LITTLE = 0.1
POINTS = 500
CURTAILED = "Metered output is what was left after curtailment."


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
    return section_of(
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
    return section_of("monthly", "By month", ["series", "month"], rows(), units, note)


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
    return section_of(
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
    return section_of("coverage", "Coverage of the range", ["series"], rows(), units, note)
