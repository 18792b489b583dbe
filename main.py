"""The command line: what can be asked for, and the exit code. ``job`` holds the daily job itself."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal

try:
    import typer
    import typer.exceptions
except ModuleNotFoundError:
    sys.exit("gridledger's libraries are not installed here: type 'python3 run.py' instead.")

import analyzing
import battery
import console
import copying
import forecast_commands
import invoicing
import look
import metrics
import plotting
import progress
import publishing
import replaying
import reporting
import synthetic
from dashboard import serving
from domain.errors import GridledgerError, UsageError
from domain.settlement import ONE_DAY, days_in, parse_day, parse_range, settlement_date
from domain.windows import Window
from job import EXIT_CODES, Report, open_job, read_settings, refuse_future, run_job
from utils import Locked, SettingError, log, time_of_day

_CODES = " · ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
HELP = f"""Fetch what the power grid publishes, compute what people decide with, prove nothing is missing.

Without a command: 'run'. Days (2024-10-27) are British settlement days, both ends included;
instants (2024-10-27T00:30:00Z) are UTC, the end excluded.

Exit codes: {_CODES}.
"""

HEARTBEAT_S = 3600.0

app = typer.Typer(
    help=HELP,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_A_RANGE = "First settlement day, or a UTC instant."
_B_RANGE = "Last settlement day (included) or UTC instant (excluded); the first day if left out."
Keys = Annotated[list[str], typer.Argument(metavar="KEY...", help="Keys, aliases or groups.")]
SomeKeys = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY...]", help="Keys, aliases or groups; DATASETS if left out."),
]
Start = Annotated[str, typer.Option("--start", metavar="A", help=_A_RANGE)]
End = Annotated[str | None, typer.Option("--end", metavar="B", help=_B_RANGE)]
Again = Annotated[bool, typer.Option("--again", help="Ask even for what the ledger proves.")]
Where = Annotated[
    Literal["threads", "dask"] | None,
    typer.Option("--executor", help="Where the work is done, instead of EXECUTOR."),
]
Day = Annotated[str | None, typer.Option("--date", metavar="D", help="One settlement day.")]


@app.callback(invoke_without_command=True)
def default(
    context: typer.Context,
    log_format: Annotated[
        Literal["text", "json"] | None,
        typer.Option("--log-format", help="How the log is written, instead of LOG_FORMAT."),
    ] = None,
    told: Annotated[
        Path | None,
        typer.Option(
            "--progress",
            metavar="FILE",
            help="Also tell this file, in JSON, how far the command is.",
        ),
    ] = None,
) -> int | None:
    """Run the daily job where no command is named."""
    if told:
        progress.tell_to(told)
    if log_format:
        os.environ["LOG_FORMAT"] = log_format
    return run() if context.invoked_subcommand is None else None


@app.command(epilog=look.examples("run", "run --date 2024-10-27", "run --only average_power"))
def run(
    day: Day = None,
    start: Annotated[str | None, typer.Option("--start", metavar="A", help=_A_RANGE)] = None,
    end: End = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="KEY", help="Only this dataset or product (repeatable)."),
    ] = None,
    executor: Where = None,
) -> int:
    """The daily job: fetch, process, store, publish, once.

    Without dates: yesterday and what is missing before it, up to CATCH_UP_DAYS back.
    """
    window = _window(day, start, end) if day or start or end else None
    with open_job("run", **_given(EXECUTOR=executor)) as job:
        return job.finish(run_job(job, window, only or []))


@app.command(epilog=look.examples("schedule", "schedule --at 05:30"))
def schedule(
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="HH:MM", help="Instead of SCHEDULE_AT (Europe/London)."),
    ] = None,
    executor: Where = None,
) -> int:
    """Run the daily job now and then every day, until told to stop.

    A failing job never ends it. SIGTERM and Ctrl-C finish the windows under way and leave with 0; a
    second one leaves at once.
    """
    import schedule as clockwork

    settings = read_settings()
    at = time_of_day_or_refuse(at) if at else settings["SCHEDULE_AT"]
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _interrupt() if stop.is_set() else stop.set())
    timetable = clockwork.Scheduler()
    with metrics.served(settings) as page:
        timetable.every().day.at(at, "Europe/London").do(_one_job, stop, page, executor)
        _one_job(stop, page, executor)  # what was missed while nobody ran is caught up at once
        beat = 0.0
        while not stop.is_set():
            timetable.run_pending()
            if time.monotonic() >= beat:
                log.info("schedule: alive, next job at %s local time", timetable.next_run)
                beat = time.monotonic() + HEARTBEAT_S
            # Short waits, because the clock may jump and a laptop may sleep.
            stop.wait(min(max(timetable.idle_seconds or 0.0, 0.1), 30.0))
    log.info("schedule: stopped")
    return 0


def _one_job(stop: threading.Event, page: metrics.Page, executor: str | None) -> None:
    """One daily job of the schedule; whatever goes wrong, the next one comes."""
    try:
        with page.run(), open_job("schedule", **_given(EXECUTOR=executor)) as job:
            job.finish(run_job(job, None, [], stop))
    except (GridledgerError, SettingError) as trouble:
        log.error("schedule: the job failed: %s", trouble)
    except Exception:  # a fault of ours today must not cost tomorrow's job
        log.exception("schedule: the job failed for an unforeseen reason")


@app.command(
    epilog=look.examples(
        "fetch frequency --start 2024-10-27", "fetch AGWS --start 2024-10-01 --end 2024-10-31"
    )
)
def fetch(
    keys: Keys, start: Start, end: End = None, again: Again = False, executor: Where = None
) -> int:
    """Fetch datasets for a range, as far as the ledger does not prove it."""
    return _fetch("fetch", keys, _window(None, start, end), again, executor)


@app.command("fetch-range", epilog=look.examples("fetch-range 2024-10-01 2024-10-31"))
def fetch_range(
    first: Annotated[str, typer.Argument(metavar="A", help="First settlement day.")],
    last: Annotated[str, typer.Argument(metavar="B", help="Last settlement day, included.")],
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", metavar="KEY", help="Instead of wind_solar.")
    ] = None,
) -> int:
    """Fetch a range of days (wind and solar unless told otherwise)."""
    return _fetch("fetch-range", dataset or ["wind_solar"], _window(None, first, last), False)


@app.command("fetch-year", epilog=look.examples("fetch-year 2024 --dataset frequency"))
def fetch_year(
    year: Annotated[int, typer.Argument(metavar="YYYY", min=1990, max=2100)],
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", metavar="KEY", help="Instead of wind_solar.")
    ] = None,
) -> int:
    """Fetch a year (up to yesterday, if it is the current one)."""
    last = min(date(year, 12, 31), settlement_date(datetime.now(UTC)) - ONE_DAY)
    window = _window(None, f"{year}-01-01", max(last, date(year, 1, 1)).isoformat())
    return _fetch("fetch-year", dataset or ["wind_solar"], window, False)


@app.command(epilog=look.examples("repair", "repair core --start 2024-01-01 --end 2024-12-31"))
def repair(
    keys: SomeKeys = None,
    start: Annotated[str | None, typer.Option("--start", metavar="A", help="First day.")] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="B", help="Last day.")] = None,
    executor: Where = None,
) -> int:
    """Ask for exactly the holes and for what may have been revised; products follow.

    Without dates: between the first and the last day that the ledger knows of each dataset.
    """
    import backfill as whole_years

    first, last = (parse_day(text) if text else None for text in (start, end))
    if first and last:
        _window(None, str(first), str(last))
    with open_job("repair", **_given(EXECUTOR=executor)) as job:
        return job.finish(whole_years.repair(job, keys or [], first, last))


@app.command(
    epilog=look.examples(
        "backfill core --start 2016-01-01", "backfill frequency --start 2024-01-01 --workers 8"
    )
)
def backfill(
    start: Annotated[str, typer.Option("--start", metavar="A", help="First day.")],
    keys: SomeKeys = None,
    end: Annotated[
        str | None, typer.Option("--end", metavar="B", help="Last day; yesterday if left out.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Instead of FETCH_WORKERS.", min=1, max=64)
    ] = None,
    executor: Where = None,
) -> int:
    """Fetch years: every day that the ledger does not know, resumable after any stop; products follow.

    Holes that the provider left are not asked again here: 'repair' does that.
    """
    import backfill as whole_years

    window = _window(None, start, end or str(settlement_date(datetime.now(UTC)) - ONE_DAY))
    days = days_in(window)
    changed = _given(FETCH_WORKERS=str(workers) if workers else None, EXECUTOR=executor)
    with open_job("backfill", **changed) as job:
        return job.finish(whole_years.backfill(job, keys or [], days[0], days[-1]))


@app.command(epilog=look.examples("process battery_power --start 2024-10-27"))
def process(keys: Keys, start: Start, end: End = None, executor: Where = None) -> int:
    """Compute products from what is stored, as far as they are missing or stale."""
    import process_data

    window = _window(None, start, end)
    with open_job("process", **_given(EXECUTOR=executor)) as job:
        wanted = [(product, window) for product in process_data.find_products(keys)]
        done = process_data.process_windows(
            wanted, job.store, job.settings, job.now, cluster=job.cluster
        )
        report = Report(processed=done)
        for part in report.processed:
            for day, reason in part.waiting.items():
                report.holes.append(f"{part.product.key} {day}: {reason}")
        return job.finish(report)


@app.command(epilog=look.examples("test", "test --all"))
def test(
    everything: Annotated[
        bool, typer.Option("--all", help="Also lint, types and every real part.")
    ] = False,
    nightly: Annotated[bool, typer.Option("--nightly", help="Also what takes long.")] = False,
) -> int:
    """Run the tests that this installation can run."""
    import checks

    return checks.run(everything=everything or nightly, nightly=nightly)


@app.command(epilog=look.examples("bench", "bench --days 28"))
def bench(
    days: Annotated[int, typer.Option(help="Days to measure on.", min=1)] = 366,
    write: Annotated[
        bool, typer.Option("--write", help="Also put the figures into docs/.")
    ] = False,
) -> int:
    """Measure speed and memory of each stage beside its floor, and of pages, in one run.

    The desk's 1,000 assets are measured on a fortnight at most and scaled: a year of them takes hours and
    40 GB of disk ('python -m benchmarks.desk 366').
    """
    from benchmarks import daily_job, desk, pages, scale

    codes = [measure(days, write=write) for measure in (daily_job.main, scale.main)]
    if pages.possible():
        codes.append(pages.main(write=write))
    else:
        console.say("Pages are not measured: that takes Chromium and the developers' libraries.")
    return max(*codes, desk.main(min(days, desk.DAYS), write=write))


app.add_typer(look.app)
app.add_typer(analyzing.app)
app.add_typer(reporting.app)
app.add_typer(battery.app)
app.add_typer(plotting.app)
app.add_typer(synthetic.app)
app.add_typer(copying.app)
app.add_typer(publishing.app)
app.add_typer(replaying.app)
app.add_typer(forecast_commands.app, name="forecast")
app.add_typer(invoicing.app, name="invoice")
app.add_typer(serving.app)


def time_of_day_or_refuse(text: str) -> str:
    """A time of day; UsageError for anything else."""
    try:
        return time_of_day(text)
    except ValueError as problem:
        raise UsageError(f"--at {text}: {problem}.") from None


def _given(**options: str | None) -> dict[str, str]:
    """The settings in whose place an option was given."""
    return {key: value for key, value in options.items() if value is not None}


def _fetch(
    command: str, keys: list[str], window: Window, again: bool, executor: str | None = None
) -> int:
    import fetch_data

    with open_job(command, **_given(EXECUTOR=executor)) as job:
        datasets = fetch_data.find_datasets(keys)
        wanted = fetch_data.each_scope(datasets, job.settings, lambda *_: window)
        with progress.bar("fetch") as told:
            done = fetch_data.fetch_windows(
                wanted,
                job.store,
                job.settings,
                job.now,
                by_name=True,
                again=again,
                progress=told,
                cluster=job.cluster,
            )
        report = Report(fetched=done.fetched, requests=done.requests, retries=done.retries)
        report.list_holes(job.now)
        return job.finish(report)


def _window(day: str | None, start: str | None, end: str | None) -> Window:
    """The window that a command's dates mean; UsageError for one that contradicts itself."""
    if day and (start or end):
        raise UsageError("say either --date or --start and --end, not both.")
    if day:
        start = parse_day(day).isoformat()
    if start is None:
        raise UsageError("--end without --start: say where the range begins.")
    window = parse_range(start, end)
    refuse_future(window)
    return window


def main() -> int:
    """Run the command line; every foreseeable trouble becomes one sentence and an exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    code = _answered()
    progress.ended(code)
    if code == 130:
        # Threads may sit in a request for as long as its timeout; nothing of theirs is needed.
        sys.stdout.flush()
        os._exit(130)
    return code


def _answered() -> int:
    try:
        result = app(standalone_mode=False)
        if result == 130:  # what typer makes of an interruption
            raise KeyboardInterrupt
        return result if isinstance(result, int) else 0
    except typer.exceptions.TyperException as problem:
        console.complain(f"error: {problem.format_message()} ('--help' tells more.)")
        return 2
    except (GridledgerError, SettingError, Locked) as trouble:
        console.complain(f"error: {trouble}")
        return {SettingError: 2, Locked: 4}.get(type(trouble), getattr(trouble, "exit_code", 1))
    except BrokenPipeError:  # the reader of our output left, as 'head' does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, typer.Abort):
        console.complain("interrupted: what was finished stays, the next run goes on from there.")
        return 130


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
