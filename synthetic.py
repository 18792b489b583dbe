"""Commands that need no provider: the demo, and what stands in for the world in it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import console
import look
from domain.errors import UsageError
from domain.settlement import days_window, parse_day
from domain.windows import parse_instant
from job import all_settings, open_job, refuse_future, run_job
from utils import PROJECT

if TYPE_CHECKING:
    from sandbox.vpp import Written

app = typer.Typer()


DEMO = PROJECT / "output" / "demo"
DATABASE = DEMO / "gridledger.db"
CLOCK_CHANGES = (date(2024, 3, 31), date(2024, 10, 27))
# Beside what the daily job fetches and computes by itself, what else pages have to show.
MORE_DATASETS = "day_ahead_wind_forecast,historic_demand,entsoe_flows"
MORE_PRODUCTS = "frequency_quality,frequency_events,generation_mix"
BORDERS = "DE_LU>FR,FR>DE_LU"


@app.command(epilog=look.examples("demo", "demo --date 2024-07-01"))
def demo(
    day: Annotated[
        str | None, typer.Option("--date", metavar="D", help="One settlement day.")
    ] = None,
) -> int:
    """The whole daily job, offline, on a synthetic grid; writes output/demo/.

    Without a date: the two days of 2024 on which the clocks change.
    """
    days = [parse_day(day)] if day else list(CLOCK_CHANGES)
    with world() as overrides:
        return run_days(overrides, days)


@contextlib.contextmanager
def world() -> Iterator[dict[str, str]]:
    """The demo's settings, which point at a sandbox that answers as long as the block lasts."""
    from sandbox import Sandbox

    os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1"]))
    with Sandbox() as api:
        yield {
            "OUTPUT_DIR": str(DEMO),
            "STORE_URL": f"sqlite:///{DATABASE}",
            "VPP_DIR": str(DEMO / "vpp"),
            "RAW_ARCHIVE": "",
            "DATASETS": f"core,{MORE_DATASETS}",
            "PRODUCTS": f"{_usual('PRODUCTS')},{MORE_PRODUCTS}",
            "ENTSOE_BORDERS": BORDERS,
            **api.settings(),
        }


def _usual(key: str) -> str:
    return next(setting.default for setting in all_settings() if setting.key == key)


def run_days(overrides: dict[str, str], days: Sequence[date]) -> int:
    """The daily job for each of these days in the demo's world; returns the worst exit code."""
    codes = []
    write_plants(days)
    console.say("Synthetic data: every number below is made up by the sandbox.")
    with open_job("demo", **overrides) as job:
        for one in days:
            window = days_window(one, one)
            refuse_future(window)
            console.say(f"\nSettlement day {one}")
            codes.append(job.finish(run_job(job, window, [])))
        look.say_what_was_written(DEMO, job.store, list(days))
    return max(codes)


def write_plants(days: Sequence[date]) -> None:
    """Write the demo's files of its virtual power plant for these days."""
    _write_synthetic(DEMO / "vpp", list(days), defects=False)


@app.command("vpp-sample", epilog=look.examples("vpp-sample my-vpp --date 2024-10-27"))
def vpp_sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write; made if absent.")],
    day: Annotated[
        list[str] | None, typer.Option("--date", metavar="D", help="Delivery day (repeatable).")
    ] = None,
    clean: Annotated[bool, typer.Option("--clean", help="Without the dirt of real files.")] = False,
) -> int:
    """Write a synthetic folder of virtual-power-plant files, with all the dirt that real ones have."""
    days = [parse_day(text) for text in day or ["2024-03-31", "2024-10-27"]]
    written = _write_synthetic(folder, days, dirt=not clean)
    console.say(
        f"{len(written.files)} synthetic files in {folder}, {len(written.defects)} defects:"
    )
    for defect in written.defects:
        line = f" line {defect.line}" if defect.line else ""
        console.say(f"  {defect.file}{line}: {defect.reason}")
    console.say(f"Read them with VPP_DIR={folder}")
    return 0


def _write_synthetic(folder: Path, days: list[date], **how: bool) -> Written:
    """A folder of synthetic files, marked as such; UsageError where it cannot be written."""
    from read_files import SYNTHETIC_MARK
    from sandbox.vpp import write_folder

    try:
        written = write_folder(folder, days, **how)
        (folder / SYNTHETIC_MARK).write_text("Made by gridledger's sandbox.\n")
    except OSError as trouble:
        raise UsageError(f"{folder} cannot be written: {trouble.strerror}.") from None
    return written


@app.command(
    epilog=look.examples("sandbox --port 8080", "sandbox --fault 429:0.2 --fault truncated:0.1")
)
def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    now: Annotated[
        str | None, typer.Option(help="Instant the sandbox believes it is; the clock if left out.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND[:P]", help="A fault and its probability (repeatable)."),
    ] = None,
) -> int:
    """Serve the stand-in APIs on loopback and print the settings that point at them."""
    from sandbox import Fault, Sandbox
    from sandbox.faults import DATA_KINDS, KINDS

    faults = []
    for text in fault or []:
        kind, _, probability = text.partition(":")
        try:
            faults.append(Fault(kind, probability=float(probability or 1)))
        except ValueError:
            raise UsageError(
                f"'{text}' is no fault: write KIND:PROBABILITY with one of "
                f"{', '.join(KINDS + DATA_KINDS)}."
            ) from None
    if now:
        parse_instant(now)
    try:
        api = Sandbox(now=now, port=port, faults=faults)
    except (OSError, OverflowError) as trouble:
        raise UsageError(
            f"port {port} cannot be used ({trouble}): choose a free one from 1024 to 65535."
        ) from None
    with api:
        console.say("# Synthetic data. Put these into the environment of another terminal:")
        for key, value in api.settings().items():
            console.say(f"{key}={value}")
        console.say("OUTPUT_DIR=output/sandbox")
        console.say("STORE_URL=sqlite:///output/sandbox/gridledger.db")
        console.say("RAW_ARCHIVE=")
        sys.stdout.flush()
        api.serve_forever()
    return 0
