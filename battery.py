"""The command ``battery``: a battery that gives a response service over a range, as table, CSV and picture."""

from __future__ import annotations

import importlib.util
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

    from products.battery_response import Plan
    from stores.sql import SqlStore

app = typer.Typer()

INSTALL = "python3 run.py --install-deps plot"


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


def plan_of(settings: Settings, service: str, **assumptions: Any) -> Plan:
    """The plan of the settings, with another service and whatever other assumptions are given."""
    from products.battery_response import PRODUCT, Plan

    values = {name: settings[name.upper()] for name in PRODUCT.assumptions}
    return Plan.of(**(values | assumptions | {"response_service": service}))


def inputs_of(store: SqlStore, window: Window) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Stored frequency and response auctions that a run over the window is made of."""
    from products.average_power import HOLD
    from products.battery_response import PRODUCT

    frequency = store.read_table(
        store.tables["frequency"],
        window.reaching_back(HOLD),
        columns=["measurement_time", "frequency_hz"],
    )
    prices = store.read_table(
        store.tables["response_auctions"],
        window.reaching_back(PRODUCT.look_back["response_auctions"]),
    )
    return frequency, prices


def run_plans(
    plans: list[Plan], window: Window, settings: Settings, to: Path | None, *, picture: bool
) -> int:
    """Simulate each plan over the window and write what came of it."""
    from pictures.battery import run_picture
    from pictures.static import png
    from products.battery_response import PRODUCT, respond
    from storage import claim_output, open_store
    from stores.files import csv_bytes

    with open_store(settings["STORE_URL"], create=False) as store:
        frequency, prices = inputs_of(store, window)
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
            lines.append(totals(plan, rows))
            name = f"battery_{plan.service}_{window.start:%Y%m%dT%H%M}Z_{window.end:%Y%m%dT%H%M}Z"
            paths.append(folder / f"{name}.csv")
            write_whole(paths[-1], csv_bytes(PRODUCT.table, _conformed(rows, window)))
            if picture:
                paths.append(folder / f"{name}.png")
                write_whole(paths[-1], png(run_picture(plan, rows, run, window, origin)))
    except OSError as trouble:
        raise StoreError(f"{folder} could not be written: {trouble.strerror}.") from None
    console.show(f"Static response, {window} ({origin})", TOTALS, lines)
    for shortfall in (words for plan in plans for words in shortfalls(plan)):
        console.say(f"! {shortfall}")
    for path in paths:
        console.say(f"written: {path}")
    return 0


def _conformed(rows: pd.DataFrame, window: Window) -> pd.DataFrame:
    from computing import rounded
    from domain.tables import conform
    from products.battery_response import PRODUCT

    return rounded(PRODUCT.table, conform(PRODUCT.table, rows, str(window)).frame)


def shortfalls(plan: Plan) -> list[str]:
    """Why a battery is too small for its contract, a sentence each."""
    found = []
    needed, rated = plan.power_needed_mw, plan.battery.discharge_mw
    if needed > rated + 1e-9:
        found.append(
            f"{plan.service}: to hold {plan.power_mw:g} MW and recover takes {needed:g} MW by NESO's rule "
            f"of November 2024; the battery has {rated:g} MW"
        )
    needed, usable = plan.energy_needed_mwh, plan.battery.ceiling_mwh - plan.battery.floor_mwh
    if needed > usable + 1e-9:
        found.append(
            f"{plan.service}: to hold {plan.power_mw:g} MW for {60 * plan.sustain_h:g} minutes takes a store "
            f"of {needed:.1f} MWh, losses included; the battery has {usable:.1f} MWh, so no EFA block begins "
            "available"
        )
    return found


TOTALS = (
    "service", "asked out MWh", "asked in MWh", "out MWh", "in MWh", "recovery MWh", "losses MWh",
    "not delivered MWh", "not delivered", "at limit h", "soc min", "soc max", "soc end", "cycles",
    "available", "revenue GBP", "coverage",
)  # fmt: skip


def totals(plan: Plan, rows: pd.DataFrame) -> list[object]:
    """The totals of a run under the heads of ``TOTALS``, as a table shows them."""
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
