"""``forecast train|backtest|predict``: what ``forecasting`` does, for people."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

import console
from domain.errors import StoreError, UsageError
from domain.settlement import parse_range
from domain.windows import format_instant, parse_instant
from forecasting import (
    DAY,
    HEADER,
    NAMES,
    Series,
    backtest,
    find_series,
    issues_between,
    known_at,
    nothing_known,
    on_grid,
    scores,
)
from job import read_settings
from look import examples
from products.forecast_models import MODELS, Past, check_models, fit
from utils import Settings, time_of_day, write_whole

if TYPE_CHECKING:
    from stores.sql import SqlStore

app = typer.Typer(
    help="Forecast wind, solar and portfolio; test forecasts on the past.",
    epilog=examples(
        "forecast predict --series gb_wind",
        "forecast backtest --series gb_solar --start 2024-07-01 --end 2024-07-31",
    ),
)

SHOWN_HOURS = (0, 3, 6, 12, 24, 36, 48, 72, 96, 120, 144, 168)

Name = Annotated[str, typer.Option("--series", metavar="S", help=f"One of: {NAMES}.")]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", metavar="M", help=f"One of {', '.join(MODELS)} (repeatable)."),
]
Hours = Annotated[float | None, typer.Option("--hours", help="How far ahead.", min=1, max=168)]
Train = Annotated[int, typer.Option("--train-days", help="Days to learn from.", min=15, max=3660)]
Lag = Annotated[
    float | None,
    typer.Option(
        "--assume-lag",
        metavar="HOURS",
        help="Count values from the end of their period plus HOURS, not from publish or retrieval.",
        min=0,
    ),
]
At = Annotated[str | None, typer.Option("--issue", metavar="TIME", help="Issue time; now.")]
To = Annotated[Path | None, typer.Option("--to", metavar="FILE.csv", help="Instead of OUTPUT_DIR.")]


@app.command(epilog=examples("forecast train --series gb_wind --model ridge"))
def train(
    series: Name = "gb_wind",
    model: Models = None,
    issue: At = None,
    hours: Hours = None,
    train_days: Train = 365,
    assume_lag: Lag = None,
) -> int:
    """Fit models to what was known and say what they had to learn from; nothing is stored.

    'predict' fits anew in the same way: a stored model would only grow stale.
    """
    from storage import open_store

    settings = read_settings()
    one, moment, leads = _wanted(settings, series, issue, hours, assume_lag)
    names = model or [settings["FORECAST_MODEL"]]
    check_models(names)
    rows: list[list[object]] = []
    with open_store(settings["STORE_URL"], create=False) as store:
        past = _past_or_refuse(store, one, moment, train_days)
        for name in names:
            begin = time.perf_counter()
            fitted = fit(past, leads, [name])
            seconds = time.perf_counter() - begin
            known = int((past.last_known == range(len(past.values))).sum())
            hour = 3600 // one.step_s
            rows.append([
                name, known, len(past.values) - known, format_instant(_until(past)), round(seconds, 2),
                *(float(fitted.correlation[min(n * hour, len(fitted.correlation) - 1)]) for n in (1, 6, 24)),
            ])  # fmt: skip
        kind = store.origin or "empty"
    header = ("model", "values", "unknown", "known until", "seconds", "r(1 h)", "r(6 h)", "r(24 h)")
    console.show(f"Trained on {one.name} ({kind}), issue {format_instant(moment)}", header, rows)
    console.say(f"A value counts from {one.counts_from}. No model is stored.")
    return 0


@app.command(
    epilog=examples(
        "forecast predict --series gb_wind", "forecast predict --series portfolio --model ridge"
    )
)
def predict(
    series: Name = "gb_wind",
    model: Models = None,
    issue: At = None,
    hours: Hours = None,
    train_days: Train = 365,
    assume_lag: Lag = None,
    to: To = None,
) -> int:
    """Forecast a series from what is known now, or was known at an issue time; writes a CSV."""
    from computing import rounded
    from products.generation_forecast import PRODUCT, forecasts_of
    from storage import open_store
    from stores.files import csv_bytes

    settings = read_settings()
    one, moment, leads = _wanted(settings, series, issue, hours, assume_lag)
    names = model or [settings["FORECAST_MODEL"]]
    check_models(names)
    with open_store(settings["STORE_URL"], create=False) as store:
        past = _past_or_refuse(store, one, moment, train_days)
        frame = forecasts_of(one.name, past, fit(past, leads, names), names)
        kind = store.origin or "empty"
    frame = rounded(PRODUCT.table, frame)
    path = to or settings["OUTPUT_DIR"] / f"forecast_{_slug(one.name)}.csv"
    _write(path, csv_bytes(PRODUCT.table, frame), None if to else kind)
    hourly = frame[(frame["lead_hours"] % 1 == 0) & (frame["lead_hours"] < 24)]
    shown = ("model", "period_start", "forecast_mw", "p10_mw", "p50_mw", "p90_mw")
    rows = [
        [None if v != v else f"{v:%Y-%m-%dT%H:%MZ}" if hasattr(v, "year") else v for v in row]
        for row in hourly[list(shown)].itertuples(index=False)
    ]
    title = f"Forecast of {one.name} ({kind}), issue {format_instant(moment)}"
    console.show(title, shown, rows)
    console.say(
        f"Known until {format_instant(_until(past))}; a value counts from {one.counts_from}."
    )
    console.say(f"{len(frame)} rows to {path}")
    return 0


@app.command(
    "backtest",
    epilog=examples(
        "forecast backtest --series gb_wind --start 2024-07-01 --end 2024-12-31 --model ridge",
        "forecast backtest --series zone:DE_LU:solar --start 2024-10-01 --end 2024-10-31 --assume-lag 5",
    ),
)
def run_backtest(
    start: Annotated[str, typer.Option("--start", metavar="A", help="First day of issues.")],
    end: Annotated[str, typer.Option("--end", metavar="B", help="Last day of issues.")],
    series: Name = "gb_wind",
    model: Models = None,
    at: Annotated[str, typer.Option("--at", metavar="HH:MM", help="Local issue time.")] = "09:00",
    hours: Hours = None,
    train_days: Train = 365,
    capacity: Annotated[
        float | None, typer.Option("--capacity", metavar="MW", help="Installed.", min=1e-6)
    ] = None,
    assume_lag: Lag = None,
    to: To = None,
) -> int:
    """Issue a forecast a day over a range, knowing only what was known, and score every horizon.

    Baselines are always scored; skill is against the best of them and printed as it is, negative too.
    """
    from storage import open_store

    settings = read_settings()
    one = find_series(series, assume_lag, ZoneInfo(settings["VPP_DELIVERY_DAY"]))
    check_models(model or [])
    try:
        time_of_day(at)
    except ValueError as problem:
        raise UsageError(f"--at {at}: {problem}.") from None
    issues = issues_between(parse_range(start, end), at, one)
    span = hours or settings["FORECAST_HOURS"]
    begin = time.perf_counter()
    with open_store(settings["STORE_URL"], create=False) as store:
        done = backtest(
            store, one, issues, model or [], hours=span, train=train_days * DAY, capacity_mw=capacity
        )  # fmt: skip
        kind = store.origin or "empty"
    seconds = time.perf_counter() - begin
    bounds = [float(h) for h in SHOWN_HOURS if h < span] + [float(span)]
    shown = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 15]
    rows = [[row[n] for n in shown] for row in scores(done, bounds)]
    if not rows:
        console.complain(f"no forecast of {one.name} has an observation beside it in that range.")
        return 3
    title = f"Backtest of {one.name} ({kind}): {len(issues)} issues at {at}, {done.fits} fits, {seconds:.1f} s"
    console.show(title, [HEADER[n] for n in shown], rows)
    console.say(f"A value counts from {one.counts_from}; scored against its newest version.")
    console.say(f"nMAE: MAE over {done.capacity_mw:g} MW ({done.capacity_from}).")
    console.say("All hours are scored, nights of solar included; output is as metered, curtailed.")
    path = to or settings["OUTPUT_DIR"] / f"forecast_backtest_{_slug(one.name)}.csv"
    steps = [n * one.step_s / 3600 for n in range(done.observed.shape[1] + 1)]
    _write(path, _csv(scores(done, steps)), None if to else kind)
    console.say(f"Every horizon by itself: {path}")
    return 0


def _wanted(
    settings: Settings, name: str, issue: str | None, hours: float | None, lag_hours: float | None
) -> tuple[Series, datetime, int]:
    """The series, its issue time, and how many of its steps to look ahead."""
    series = find_series(name, lag_hours, ZoneInfo(settings["VPP_DELIVERY_DAY"]))
    ahead_s = (hours or settings["FORECAST_HOURS"]) * 3600
    return series, _issue_time(issue, series), int(ahead_s) // series.step_s


def _issue_time(text: str | None, series: Series) -> datetime:
    """The issue time that was asked for, or now, on the series' grid; UsageError for one to come."""
    now = datetime.now(UTC)
    asked = parse_instant(text) if text else now
    if asked > now:
        raise UsageError(f"--issue {text} has not come yet: it is {format_instant(now)}.")
    return on_grid(asked, series)


def _past_or_refuse(store: SqlStore, series: Series, issue: datetime, days: int) -> Past:
    import numpy as np

    past = known_at(store, series, issue, days * DAY)
    if np.isnan(past.values).all():
        raise nothing_known(series, issue)
    return past


def _until(past: Past) -> datetime:
    return datetime.fromtimestamp(past.issue_s - past.delay * past.step_s, UTC)


def _csv(rows: Iterator[list[object]]) -> bytes:
    """Rows under HEADER as CSV; figures that cannot be had are empty."""
    lines = [",".join(HEADER)]
    for row in rows:
        lines.append(",".join(_cell(cell) for cell in row))
    return ("\n".join(lines) + "\n").encode()


def _cell(cell: object) -> str:
    if isinstance(cell, float):
        return "" if cell != cell else f"{round(cell, 9):.12g}"
    return str(cell)


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name)


def _write(path: Path, content: bytes, origin: str | None) -> None:
    """Write a file; with ``origin`` into the folder of the job's files, where kinds never mix."""
    from storage import claim_output

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if origin:
            claim_output(path.parent, origin)
        write_whole(path, content)
    except OSError as trouble:
        raise StoreError(f"{path.name} could not be written: {trouble.strerror}.") from None
