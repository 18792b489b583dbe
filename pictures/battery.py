"""Pictures of a battery that gives a response service: power, charge and energy; power over frequency."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from domain.settlement import PERIOD
from domain.windows import Window
from pictures.choosing import picture_of
from pictures.inks import BLUE, GREEN, GREY, OCHRE, PINK, RUST
from pictures.kinds import response_curve
from pictures.picture import (
    Band,
    Bars,
    Line,
    Mark,
    Panel,
    Picture,
    Points,
    Rule,
    Shade,
    instants,
    stairs,
)
from pictures.words import percent
from products.battery_response import MIN_COVERAGE

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from domain.battery import Simulation
    from products.battery_response import Plan
    from stores.sql import SqlStore

    Floats = npt.NDArray[np.float64]

# A page has only so many pixels: of more pieces each settlement period shows mean, least and greatest.
MOST_PIECES = 10_000
# Longer ranges have their bars by settlement day.
BARS_BY_PERIOD = timedelta(days=7)
MOST_DOTS = 10_000
# Dots closer than that (Hz, share of power) lie on one another.
DOT_HZ, DOT_SHARE = 0.001, 0.002
_CELLS = 1 << 24
_SIGN = "discharge + / charge -"


def run_picture(
    plan: Plan, rows: pd.DataFrame, run: Simulation, window: Window, origin: str
) -> Picture:
    """Power [MW], state of charge [%] and energy [MWh] of a run; what is not covered stays empty.

    ``rows`` and ``run`` are those of ``products.battery_response.respond``.
    """
    by_sample = run.seconds.size <= MOST_PIECES
    limits = plan.battery
    ends = instants([window.start, window.end])
    return Picture(
        title=f"Static response, {plan.service} ({plan.direction}): {plan.power_mw:g} MW contracted, "
        f"{limits.discharge_mw:g} MW / {limits.energy_mwh:g} MWh",
        subtitle=" · ".join(
            [
                f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC",
                "by sample" if by_sample else "by settlement period: mean, least and greatest",
                f"recovery: {plan.recovery.strategy}",
                f"frequency covers {percent(rows['coverage'].mean())}",
                f"{origin} data",
            ]
        ),
        panels=[
            _power(rows, run, by_sample=by_sample),
            _charge(plan, rows, run, by_sample=by_sample),
            _energy(rows, by_day=window.length > BARS_BY_PERIOD),
        ],
        x_limits=(ends[0], ends[1]),
    )


def _moments(seconds: Any) -> Any:
    """Seconds since 1970 as the times of a picture."""
    import numpy as np

    return (np.asarray(seconds, dtype=np.float64) * 1e6).astype("datetime64[us]")


def _periods(rows: pd.DataFrame) -> tuple[Any, Any]:
    import numpy as np

    left = instants(rows["period_start"])
    return left, left + np.timedelta64(PERIOD)


def _power(rows: pd.DataFrame, run: Simulation, *, by_sample: bool) -> Panel:
    if by_sample:
        left, right = _moments(run.start_s), _moments(run.start_s + run.seconds)
        x, asked, given = stairs(left, right, run.requested_mw, run.delivered_mw)
        marks: list[Mark] = []
    else:
        asked, given = (rows[f"{name}_mw"].to_numpy(float) for name in ("requested", "delivered"))
        low, high = _extremes(run)
        x, asked, given, low, high = stairs(*_periods(rows), asked, given, low, high)
        marks = [Band(x, low, high, "delivered, least to greatest", BLUE)]
    marks += [
        Line(x, asked, "requested", GREY),
        Line(x, given, "delivered, recovery included", BLUE),
    ]
    return Panel(f"{'power' if by_sample else 'mean power'} [MW]\n{_SIGN}", marks)


def _extremes(run: Simulation) -> tuple[Floats, Floats]:
    """Least and greatest power delivered in each settlement period; NaN where nothing is covered."""
    import numpy as np

    some = np.diff(run.bounds) > 0
    found = []
    for figure in (np.minimum, np.maximum):
        values = np.full(some.size, np.nan)
        if some.any():
            values[some] = figure.reduceat(run.delivered_mw, run.bounds[:-1][some])
        found.append(values)
    return found[0], found[1]


def _charge(plan: Plan, rows: pd.DataFrame, run: Simulation, *, by_sample: bool) -> Panel:
    import numpy as np

    energy = plan.battery.energy_mwh
    lacking = {
        "less than half covered": rows["coverage"] < MIN_COVERAGE,
        "starts without the required energy or room": rows["available"].eq(False).fillna(False),
    }
    marks: list[Mark] = []
    for (label, flags), ink in zip(lacking.items(), (GREY, OCHRE), strict=True):
        if flags.any():
            x, top = stairs(*_periods(rows), np.where(flags.to_numpy(bool), 100.0, np.nan))
            marks.append(Band(x, 0 * top, top, label, ink))
    if by_sample and run.seconds.size:
        x, stored = _slopes(run)
        marks.append(Line(x, 100 * stored / energy, "stored", GREEN))
    else:
        known = (rows["coverage"] > 0).to_numpy()
        ends = (np.where(known, 100 * rows[f"soc_{end}"], np.nan) for end in ("min", "max"))
        x, low, high = stairs(*_periods(rows), *ends)
        marks.append(Band(x, low, high, "stored, least to greatest", GREEN, opacity=0.7))
    limits = dict.fromkeys([plan.battery.soc_min, plan.battery.soc_max])
    marks += [Rule(100 * at, "" if n else "limits") for n, at in enumerate(limits)]
    return Panel(f"state of charge\n[% of {energy:g} MWh]", marks, y_limits=(-3, 103), height=0.8)


def _slopes(run: Simulation) -> tuple[Any, Any]:
    """Corners of the energy in the store, straight within a piece and broken where a gap follows."""
    import numpy as np

    until = run.start_s + run.seconds
    before = np.append(run.first_mwh[0], run.stored_mwh[:-1])
    gap = np.append(run.start_s[1:] > until[:-1], False)
    corners = np.column_stack([run.start_s, until, until]).ravel()
    heights = np.column_stack([before, run.stored_mwh, np.where(gap, np.nan, run.stored_mwh)])
    return _moments(corners), heights.ravel()


def _energy(rows: pd.DataFrame, *, by_day: bool) -> Panel:
    """Requested and delivered energy side by side, a pair a settlement period or day."""
    import numpy as np

    columns = [
        f"{what}_{way}_mwh"
        for what in ("requested", "response")
        for way in ("discharge", "charge")
    ]  # fmt: skip
    columns.append("recovery_mwh")
    left, right = _periods(rows)
    bars = rows[columns]
    if by_day:
        groups = rows.groupby("settlement_date")
        bars = groups[columns].sum(min_count=1)
        left = instants(groups["period_start"].min())
        right = left + (groups.size().to_numpy() * np.timedelta64(PERIOD)).astype("timedelta64[us]")
    width = right - left
    marks: list[Mark] = []
    for name, what, ink, share in (
        ("requested", "requested", GREY, 0.9),
        ("delivered", "response", BLUE, 0.45),
    ):
        around = width * ((1 - share) / 2)
        for way, sign in (("discharge", 1), ("charge", -1)):
            values = sign * bars[f"{what}_{way}_mwh"].to_numpy(float)
            marks.append(Bars(left + around, right - around, values, name if sign > 0 else "", ink))
    recovered = bars["recovery_mwh"].to_numpy(float)
    if (np.nan_to_num(recovered) != 0).any():
        marks.append(Points(left + width / 2, recovered, "recovery", RUST))
    each = "settlement day" if by_day else "settlement period"
    return Panel(f"energy per {each} [MWh]\n{_SIGN}", marks)


def response_scatter(
    plan: Plan, frequency: pd.DataFrame, run: Simulation, window: Window, origin: str
) -> Picture | None:
    """Delivered power [MW] over frequency [Hz] and the service's curve; None where nothing is covered.

    ``frequency`` are the samples that the run was made of. Dots off the curve are told apart by their
    reason: recovery, or a limit of power or energy.
    """
    import numpy as np

    from products.average_power import seconds_of
    from products.battery_power import plausible

    if not run.seconds.size:
        return None
    samples = plausible(frequency)
    times = seconds_of(samples["measurement_time"]).to_numpy()
    place = np.searchsorted(times, run.start_s, side="right") - 1
    hertz = samples["frequency_hz"].to_numpy(float)[place]
    cut = np.abs(run.wanted_mw) - np.abs(run.delivered_mw) > 1e-9 * max(plan.power_mw, 1.0)
    reasons = np.where(cut, 2, np.where(run.wanted_mw != run.requested_mw, 1, 0))
    marks: list[Mark] = []
    notes = []
    step = max(DOT_SHARE * plan.power_mw, 1e-9)
    for n, (label, ink) in enumerate(
        (("as asked", BLUE), ("with recovery", OCHRE), ("cut by a limit of power or energy", PINK))
    ):
        of = reasons == n
        # One number a dot is compared much faster than two.
        cells = [
            np.rint(v).astype("int64") for v in (hertz[of] / DOT_HZ, run.delivered_mw[of] / step)
        ]
        across, up = np.divmod(np.unique(cells[0] * _CELLS + cells[1] + _CELLS // 2), _CELLS)
        dots = np.column_stack([across, up - _CELLS // 2])
        if len(dots) > MOST_DOTS:
            notes.append(f"{label}: one dot of {-(-len(dots) // MOST_DOTS)}")
            dots = dots[:: -(-len(dots) // MOST_DOTS)]
        if len(dots):
            marks.append(Points(dots[:, 0] * DOT_HZ, dots[:, 1] * step, label, ink))
    low, high = float(hertz.min()), float(hertz.max())
    marks.append(response_curve(low, high, plan.service, plan.power_mw, plan.direction))
    covered = run.seconds.sum() / window.length.total_seconds()
    parts = [
        f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC",
        f"samples, equal ones drawn once, {percent(covered)} of the time covered",
        f"{origin} data",
    ]
    return Picture(
        title=f"Power over frequency, {plan.service} ({plan.direction})",
        subtitle=" · ".join([*parts, *notes]),
        panels=[Panel(f"delivered power [MW]\n{_SIGN}", marks, height=1.8)],
        x_label="frequency [Hz]",
        x_is_time=False,
    )


def half_hours(store: SqlStore, window: Window) -> Picture | None:
    """Mean power of settlement periods as bars; of so many that they would not be seen, a line. None without."""
    picture = picture_of(store, "average_power", window, columns=["average_power_mw"])
    if picture is None or window.length > BARS_BY_PERIOD:
        return picture
    table = store.tables["average_power"]
    rows = store.read_table(table, window, columns=["period_start", "average_power_mw"])
    bars = Bars(*_periods(rows), rows["average_power_mw"].to_numpy(float))
    others = [mark for mark in picture.panels[0].marks if isinstance(mark, Shade)]
    panel = replace(picture.panels[0], marks=[*others, bars], height=1.4)
    return replace(picture, panels=[replace(panel, y_label=f"mean power [MW]\n{_SIGN}")])
