"""The command ``battery``: a battery that gives a response service over a range, as table, CSV and picture."""

from __future__ import annotations

import importlib.util
import io
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import console
from domain.errors import StoreError, UsageError
from domain.settlement import PERIOD, days_in, parse_range
from domain.windows import Window
from job import read_settings
from look import examples
from utils import Settings, write_whole

if TYPE_CHECKING:
    import pandas as pd

    from domain.battery import Simulation
    from products.battery_response import Plan

app = typer.Typer()

# Longer ranges are drawn by day and by settlement period: a page has only so many pixels.
DRAWN_BY_SAMPLE = timedelta(days=7)
INSTALL = "python3 run.py --install-deps plot"
_INK = {
    "requested": "#9ecae1",
    "delivered": "#08519c",
    "stored": "#31a354",
    "recovery": "#e6550d",
    "unavailable": "#fdd0a2",
    "gap": "#eeeeee",
}


@app.command(
    "battery",
    epilog=examples(
        "battery --service dr --power 50 --energy 100 --start 2024-10-27",
        "battery --compare dc,dm,dr --power 50 --energy 100 --start 2024-10-01 --end 2024-10-31",
    ),
)
def battery(
    start: Annotated[
        str, typer.Option("--start", metavar="A", help="First settlement day, or a UTC instant.")
    ],
    end: Annotated[
        str | None, typer.Option("--end", metavar="B", help="Last day, or a UTC instant.")
    ] = None,
    service: Annotated[
        str | None, typer.Option("--service", metavar="S", help="Instead of RESPONSE_SERVICE.")
    ] = None,
    power: Annotated[
        str | None, typer.Option("--power", metavar="MW", help="Instead of BATTERY_POWER_MW.")
    ] = None,
    energy: Annotated[
        str | None, typer.Option("--energy", metavar="MWH", help="Instead of BATTERY_ENERGY_MWH.")
    ] = None,
    direction: Annotated[str | None, typer.Option("--direction", help="low, high or both.")] = None,
    recovery: Annotated[
        str | None, typer.Option("--recovery", help="none, target or next.")
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option("--compare", metavar="A,B", help="Several services, one after another."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Instead of OUTPUT_DIR/battery.")
    ] = None,
    picture: Annotated[
        bool, typer.Option(help="Also draw a picture (PNG) of each service.")
    ] = True,
) -> int:
    """Run a battery through the stored frequency: what it delivers, loses and earns.

    One run over the whole range, while the product battery_response starts every day anew. A static
    response: it says nothing of how fast a unit answers. Exit code 3 when no frequency is stored.
    """
    if service is not None and compare is not None:
        raise UsageError("say either --service or --compare, not both.")
    settings = read_settings(
        **_checked(
            RESPONSE_SERVICE=("--service", service),
            BATTERY_POWER_MW=("--power", power),
            BATTERY_ENERGY_MWH=("--energy", energy),
            RESPONSE_DIRECTION=("--direction", direction),
            BATTERY_RECOVERY=("--recovery", recovery),
        )
    )
    named = settings["RESPONSE_SERVICE"] if compare is None else compare
    services = dict.fromkeys(word.strip() for word in named.split(",") if word.strip())
    if not services:
        raise UsageError("--compare names no service: write it as --compare dc,dm,dr.")
    plans = [plan_of(settings, word) for word in services]
    window = parse_range(start, end)
    if window.start.timestamp() % PERIOD.total_seconds() or window.length % PERIOD:
        raise UsageError(f"{window} is not made of whole settlement periods: use :00 and :30.")
    if picture and importlib.util.find_spec("matplotlib") is None:
        raise UsageError(
            f"the picture needs matplotlib, which is not installed: type '{INSTALL}', or say --no-picture."
        )
    return run_plans(plans, window, settings, to, picture=picture)


def _checked(**given: tuple[str, str | None]) -> dict[str, str]:
    """Settings that were given as options; UsageError names the option that holds a wrong value."""
    from products.battery_response import SETTINGS

    found = {}
    for setting in SETTINGS:
        option, text = given.get(setting.key, ("", None))
        if text is None:
            continue
        try:
            setting.parse(text)
        except ValueError as problem:
            raise UsageError(f"{option} {text}: {problem}.") from None
        found[setting.key] = text
    return found


def plan_of(settings: Settings, service: str) -> Plan:
    """The plan of the settings, with another service."""
    from products.battery_response import PRODUCT, Plan

    values = {name: settings[name.upper()] for name in PRODUCT.assumptions}
    return Plan.of(**(values | {"response_service": service}))


def run_plans(
    plans: list[Plan], window: Window, settings: Settings, to: Path | None, *, picture: bool
) -> int:
    """Simulate each plan over the window and write what came of it."""
    from products.average_power import HOLD
    from products.battery_response import PRODUCT, respond
    from storage import claim_output, open_store, tables
    from stores.files import csv_bytes

    with open_store(settings["STORE_URL"], create=False) as store:
        frequency = store.read_table(
            tables()["frequency"],
            window.reaching_back(HOLD),
            columns=["measurement_time", "frequency_hz"],
        )
        prices = store.read_table(
            tables()["response_auctions"],
            window.reaching_back(PRODUCT.look_back["response_auctions"]),
        )
        origin = store.origin
    if not len(frequency):
        days = days_in(window)
        console.complain(
            f"no frequency is stored for {window}: type 'python3 run.py fetch frequency --start "
            f"{days[0]} --end {days[-1]}' first."
        )
        return 3
    folder = to or settings["OUTPUT_DIR"] / "battery"
    lines, paths = [], []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        claim_output(folder, origin)
        for plan in plans:
            rows, run = respond(frequency, prices, window, plan)
            lines.append(_line(plan, rows))
            name = f"battery_{plan.service}_{window.start:%Y%m%dT%H%M}Z_{window.end:%Y%m%dT%H%M}Z"
            paths.append(folder / f"{name}.csv")
            write_whole(paths[-1], csv_bytes(PRODUCT.table, _conformed(rows, window)))
            if picture:
                paths.append(folder / f"{name}.png")
                write_whole(paths[-1], drawn(plan, rows, run, window, origin))
    except OSError as trouble:
        raise StoreError(f"{folder} could not be written: {trouble.strerror}.") from None
    console.show(f"Static response, {window} ({origin})", _HEADER, lines)
    for plan in plans:
        needed, rated = plan.power_needed_mw, plan.battery.discharge_mw
        if needed > rated + 1e-9:
            console.say(
                f"! {plan.service}: to hold {plan.power_mw:g} MW and recover takes {needed:g} MW by NESO's rule "
                f"of November 2024; the battery has {rated:g} MW"
            )
        needed, usable = plan.energy_needed_mwh, plan.battery.ceiling_mwh - plan.battery.floor_mwh
        if needed > usable + 1e-9:
            console.say(
                f"! {plan.service}: to hold {plan.power_mw:g} MW for {60 * plan.sustain_h:g} minutes takes a store "
                f"of {needed:.1f} MWh, losses included; the battery has {usable:.1f} MWh, so no EFA block begins "
                "available"
            )
    for path in paths:
        console.say(f"written: {path}")
    return 0


def _conformed(rows: pd.DataFrame, window: Window) -> pd.DataFrame:
    from computing import rounded
    from domain.tables import conform
    from products.battery_response import PRODUCT

    return rounded(PRODUCT.table, conform(PRODUCT.table, rows, str(window)).frame)


_HEADER = (
    "service", "asked out MWh", "asked in MWh", "out MWh", "in MWh", "recovery MWh", "losses MWh",
    "not delivered MWh", "not delivered", "at limit h", "soc min", "soc max", "soc end", "cycles",
    "available", "revenue GBP", "coverage",
)  # fmt: skip


def _line(plan: Plan, rows: pd.DataFrame) -> list[object]:
    """The totals of a run, as the table shows them."""
    total = rows.sum(numeric_only=True)
    wanted = total["discharge_mwh"] + total["charge_mwh"] + total["non_delivery_mwh"]
    judged = rows["available"].dropna()
    priced = rows["revenue_gbp"].notna()
    return [
        plan.service,
        *(
            f"{total[name]:.2f}"
            for name in (
                "requested_discharge_mwh",
                "requested_charge_mwh",
                "discharge_mwh",
                "charge_mwh",
                "recovery_mwh",
                "losses_mwh",
                "non_delivery_mwh",
            )
        ),
        f"{total['non_delivery_mwh'] / wanted:.1%}" if wanted > 0 else "0.0%",
        f"{total['seconds_at_limit'] / 3600:.2f}",
        f"{rows['soc_min'].min():.1%}",
        f"{rows['soc_max'].max():.1%}",
        f"{rows['soc_end'].iloc[-1]:.1%}",
        f"{total['equivalent_full_cycles']:.2f}",
        f"{judged.mean():.1%}" if len(judged) else None,
        f"{total['revenue_gbp']:.2f}" + ("" if priced.all() else " (part)")
        if priced.any()
        else None,
        f"{rows['coverage'].mean():.1%}",
    ]


# --- the picture ----------------------------------------------------------------------------------


def drawn(plan: Plan, rows: pd.DataFrame, run: Simulation, window: Window, origin: str) -> bytes:
    """Power, state of charge and energy per period as PNG; what is not covered stays empty."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from products.battery_response import MIN_COVERAGE

    by_sample = window.length <= DRAWN_BY_SAMPLE
    limits = plan.battery
    image = io.BytesIO()
    with rc_context({"date.converter": "concise"}):
        figure = Figure(figsize=(12, 9.5), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        power, charge, energy = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 3))
        _draw_power(power, rows, run, by_sample=by_sample)
        _draw_charge(charge, plan, rows, run, by_sample=by_sample)
        _draw_energy(energy, rows, by_day=not by_sample)
        _shade(charge, rows, rows["available"].eq(False).fillna(False), "unavailable")
        for axes in (power, charge, energy):
            _shade(axes, rows, rows["coverage"] < MIN_COVERAGE, "gap")
            axes.grid(alpha=0.3)
            # Beside the data, which a legend among them would hide.
            axes.legend(
                loc="lower right", bbox_to_anchor=(1, 1), ncols=4, fontsize=9, frameon=False
            )
        energy.set_xlim(_moment(window.start.timestamp()), _moment(window.end.timestamp()))
        energy.set_xlabel("time (UTC)")
        figure.suptitle(
            f"Static response, {plan.service} ({plan.direction}): {plan.power_mw:g} MW contracted, "
            f"{limits.discharge_mw:g} MW / {limits.energy_mwh:g} MWh, recovery: {plan.recovery.strategy}\n"
            f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC, "
            f"{'by sample' if by_sample else 'by settlement period and day'}, "
            f"frequency covers {rows['coverage'].mean():.1%}, {origin} data",
            fontsize=11,
        )
        figure.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()


def _moment(seconds: Any) -> Any:
    """Seconds since 1970 as times that matplotlib draws."""
    import numpy as np

    return (np.asarray(seconds, dtype=np.float64) * 1e6).astype("datetime64[us]")


def _corners(run: Simulation, first: Any, last: Any) -> tuple[Any, Any]:
    """Corners of a line with a first and a last value a piece, which breaks where a gap follows."""
    import numpy as np

    until = run.start_s + run.seconds
    gap = np.append(run.start_s[1:] > until[:-1], False)
    corners = np.column_stack([run.start_s, until, until]).ravel()
    heights = np.column_stack([first, last, np.where(gap, np.nan, last)]).ravel()
    return _moment(corners), heights


def _by_period(rows: pd.DataFrame, name: str) -> tuple[Any, Any]:
    """Corners of a line over settlement periods; empty periods break it."""
    import numpy as np

    start = (rows["period_start"].astype("int64") / 1e6).to_numpy()
    values = rows[name].to_numpy(dtype=float)
    corners = np.column_stack([start, start + PERIOD.total_seconds()]).ravel()
    return _moment(corners), np.repeat(values, 2)


def _draw_power(axes: Any, rows: pd.DataFrame, run: Simulation, *, by_sample: bool) -> None:
    for name, width in (("requested", 1.6), ("delivered", 0.8)):
        if by_sample:
            held = run.requested_mw if name == "requested" else run.delivered_mw
            x, y = _corners(run, held, held)
        else:
            x, y = _by_period(rows, f"{name}_mw")
        label = name if name == "requested" else "delivered, recovery included"
        axes.plot(x, y, color=_INK[name], linewidth=width, label=label)
    axes.axhline(0, color="black", linewidth=0.6)
    what = "power" if by_sample else "mean power by period"
    axes.set_ylabel(f"{what} [MW]\ndischarge + / charge -")


def _draw_charge(
    axes: Any, plan: Plan, rows: pd.DataFrame, run: Simulation, *, by_sample: bool
) -> None:
    import numpy as np

    energy = plan.battery.energy_mwh
    if by_sample and run.seconds.size:
        before = np.append(run.first_mwh[0], run.stored_mwh[:-1])
        x, y = _corners(run, before, run.stored_mwh)
        axes.plot(x, 100 * y / energy, color=_INK["stored"], linewidth=1, label="stored")
    else:
        known = rows["coverage"] > 0
        x, low = _by_period(rows.assign(soc_min=rows["soc_min"].where(known)), "soc_min")
        _, high = _by_period(rows.assign(soc_max=rows["soc_max"].where(known)), "soc_max")
        axes.fill_between(
            x, 100 * low, 100 * high, color=_INK["stored"], linewidth=0.5, label="stored, from to"
        )
    for limit, label in ((plan.battery.soc_min, "limits"), (plan.battery.soc_max, None)):
        axes.axhline(100 * limit, color="black", linewidth=0.8, linestyle="--", label=label)
    axes.set_ylim(-3, 103)
    axes.set_ylabel(f"state of charge\n[% of {energy:g} MWh]")


def _draw_energy(axes: Any, rows: pd.DataFrame, *, by_day: bool) -> None:
    import numpy as np

    columns = [
        f"{what}_{direction}_mwh"
        for what in ("requested", "response")
        for direction in ("discharge", "charge")
    ]
    columns.append("recovery_mwh")
    if by_day:
        groups = rows.groupby("settlement_date")
        bars = groups[columns].sum(min_count=1)
        start = (groups["period_start"].min().astype("int64") / 1e6).to_numpy()
        width = groups.size().to_numpy() * PERIOD.total_seconds()
    else:
        bars = rows[columns]
        start = (rows["period_start"].astype("int64") / 1e6).to_numpy()
        width = np.full(len(rows), PERIOD.total_seconds())
    for name, what, share in (("requested", "requested", 0.9), ("delivered", "response", 0.45)):
        left = _moment(start + width * (1 - share) / 2)
        wide = (width * share * 1e6).astype("timedelta64[us]")
        for direction, sign in (("discharge", 1), ("charge", -1)):
            axes.bar(
                left,
                sign * bars[f"{what}_{direction}_mwh"].to_numpy(),
                width=wide,
                align="edge",
                color=_INK[name],
                label=name if sign > 0 else None,
            )
    if (bars["recovery_mwh"].fillna(0.0) != 0).any():
        middle = _moment(start + width / 2)
        dots = {"color": _INK["recovery"], "markersize": 3, "linestyle": "none"}
        axes.plot(middle, bars["recovery_mwh"].to_numpy(), marker="D", label="recovery", **dots)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_ylabel(
        f"energy per {'settlement day' if by_day else 'settlement period'} [MWh]\ndischarge + / charge -"
    )


def _shade(axes: Any, rows: pd.DataFrame, chosen: pd.Series, what: str) -> None:
    """Shade the stretches of chosen settlement periods, and say in the legend what they are."""
    found: list[list[float]] = []
    for start in (rows.loc[chosen, "period_start"].astype("int64") / 1e6).tolist():
        if found and found[-1][1] == start:
            found[-1][1] = start + PERIOD.total_seconds()
        else:
            found.append([start, start + PERIOD.total_seconds()])
    words = {
        "gap": "less than half covered",
        "unavailable": "starts without the required energy or room",
    }
    for n, (since, until) in enumerate(found):
        label = None if n else words[what]
        axes.axvspan(_moment(since), _moment(until), color=_INK[what], zorder=0, label=label)
