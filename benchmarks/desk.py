"""The desk: a battery's year of samples, 1,000 assets in quarter hours, 5 million trades, and what bounds each.

``bench`` runs it after the backfill; ``--write`` puts the figures into docs/desk.md. The data are synthetic
and the same every time, written through the storage layer; each product is brought up to date by the real
stage in a process of its own. What is measured on fewer days than a year is scaled to one and says so.
"""

from __future__ import annotations

import functools
import logging
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from unittest import mock

import console
from benchmarks.measure import in_child, peak_mb, printed_by, record
from domain.settlement import ONE_DAY, day_window, days_in, days_window
from domain.windows import Window
from utils import load_settings, start_log

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

P = ParamSpec("P")
T = TypeVar("T")

LAST_DAY = date(2024, 12, 31)
YEAR_DAYS = 366
# So many days tell what bounds each product; the rest of a year is more of the same.
DAYS = 14
ASSETS = 1000
# Of 100 assets 90 have a final measurement, one more is measured live; the others have forecasts only.
WITH_FINAL, WITH_LIVE = 90, 91
TRADES_A_YEAR = 5_000_000
OWN_SHARE = 0.1
HOURLY_SHARE = 0.4
# In the order in which one is made of the other.
PRODUCTS = (
    "battery_response",
    "best_of_infeed",
    "portfolio_best_of_infeed",
    "asset_forecast",
    "trading",
    "trading_daily",
    "invoices",
)
STAGES = ("read", "compute", "write", "publish")


@dataclass(frozen=True)
class Filled:
    """What was written into the store: rows by dataset, seconds, and megabytes on disk."""

    rows: dict[str, int]
    seconds: float
    store_mb: float


@dataclass(frozen=True)
class Measured:
    """One product brought up to date: rows of its inputs and its own, seconds by stage, peak memory.

    ``quarter_mb`` is the peak after a quarter of the days, None where that made no rows.
    """

    product: str
    days: int
    rows_in: int
    rows_out: int
    stages: dict[str, float]
    quarter_mb: float | None
    peak_mb: float

    @property
    def seconds(self) -> float:
        """All stages together."""
        return sum(self.stages.values())

    @property
    def bound(self) -> str:
        """The stage that takes longest, and its share."""
        longest = max(self.stages, key=lambda stage: self.stages[stage])
        return f"{longest}, {self.stages[longest] / self.seconds:.0%}"


def main(days: int, *, write: bool = False, assets: int = ASSETS) -> int:
    """Measure on ``days`` days up to the end of 2024, print, and write the page where asked."""
    window = days_window(LAST_DAY - (days - 1) * ONE_DAY, LAST_DAY)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        filled = in_child(fill, window, folder, assets)
        measured = [in_child(measure, key, window, folder) for key in PRODUCTS]
    printed = printed_by(lambda: _show(days, assets, filled, measured))
    if write:
        record("desk", printed, "desk.md")
    return 0


# --- the data -------------------------------------------------------------------------------------


def fill(window: Window, folder: Path, assets: int) -> Filled:
    """Make and write the inputs of the window, day by day."""
    import pyarrow.csv  # noqa: F401

    from domain.tables import Conformed
    from fetch_data import find_datasets
    from sources.dataset import Answer
    from storage import open_store, write_answer

    rows: Counter[str] = Counter()
    seconds = 0.0
    with open_store(_url(folder)) as store:
        for day in days_in(window):
            for key, frame in _inputs_of(day, assets, first=day == days_in(window)[0]):
                (dataset,) = find_datasets([key])
                answer = Answer(Conformed(frame, frame[:0], 0, ()), 0, 0, synthetic=True)
                begin = time.perf_counter()
                write_answer(store, dataset, "", day_window(day), answer, datetime.now(UTC))
                seconds += time.perf_counter() - begin
                rows[key] += len(frame)
        store_mb = store.size_bytes() / 1e6
    return Filled(dict(rows), seconds, store_mb)


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'grid.db'}"


def _inputs_of(day: date, assets: int, *, first: bool) -> Iterator[tuple[str, pd.DataFrame]]:
    """Dataset and rows of a day; contracts on the first one and whenever a month begins."""
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(day.toordinal())
    span = day_window(day)
    quarters = pd.date_range(span.start, span.end, freq="15min", inclusive="left", unit="us")
    names = np.array([f"ASSET_{n:04d}" for n in range(assets)])
    points = np.array([f"DE{n:031d}" for n in range(assets)])
    share = np.arange(assets) % 100
    yield "frequency", _frequency(span, random)
    if first or day.day == 1:
        yield "vpp_assets", _contracts(span.start, names, points)
    final = points[share < WITH_FINAL]
    yield "vpp_final_production", _power({"metering_point_id": final}, quarters, random)
    yield "vpp_live_infeed", _live(span, names[(share >= WITH_FINAL) & (share < WITH_LIVE)], random)
    # The noon before for the whole day, and in the morning for what is left of it.
    begin = pd.Timestamp(span.start)
    noon, morning = begin - timedelta(hours=12), begin + timedelta(hours=6)
    told = [
        _power({"asset_id": names, "version": moment}, quarters[quarters >= moment], random)
        for moment in (noon, morning)
    ]
    forecasts = pd.concat(told).sort_values(["asset_id", "version"], kind="stable")
    yield "vpp_forecasts", forecasts.reset_index(drop=True)
    yield "vpp_redispatch", _redispatch(span, points[share == day.day], random)
    prices = random.normal(60, 40, len(quarters)).round(2)
    yield (
        "vpp_redispatch_prices",
        pd.DataFrame({"period_start": quarters, "price_eur_per_mwh": prices}),
    )
    yield from _trades(day, quarters, random)


def _frequency(span: Window, random: np.random.Generator) -> pd.DataFrame:
    """Samples every 15 s that wander about 50 Hz."""
    import numpy as np
    import pandas as pd

    times = pd.date_range(span.start, span.end, freq="15s", inclusive="left", unit="us")
    slow = np.interp(np.arange(len(times)), np.arange(0, 6001, 40), random.normal(0, 0.07, 151))
    hertz = (50 + slow + random.normal(0, 0.01, len(times))).round(3)
    return pd.DataFrame({"measurement_time": times, "frequency_hz": hertz})


def _contracts(moment: datetime, names: Any, points: Any) -> pd.DataFrame:
    """A snapshot of the contracts: half of them fixed, half at the market."""
    import numpy as np
    import pandas as pd

    from sources.vpp_files import ASSETS as TABLE

    fixed = np.arange(len(names)) % 2 == 0
    frame = pd.DataFrame(
        {
            "snapshot_at": pd.Timestamp(moment).as_unit("us"),
            "kind": "contract",
            "asset_id": names,
            "contract_id": [f"C{n:04d}" for n in range(len(names))],
            "metering_point_id": points,
            "capacity_kw": 2000.0,
            "technology": np.where(np.arange(len(names)) % 3, "wind", "solar"),
            "price_model": np.where(fixed, "fixed", "market"),
            "price_eur_per_mwh": np.where(fixed, 62.5, np.nan),
            "fee_model": np.where(fixed, "fixed_as_produced", "percent_of_market"),
            "fee": np.where(fixed, 1.5, np.nan),
            "fee_percent": np.where(fixed, np.nan, 2.0),
        }
    )
    return frame.reindex(columns=list(TABLE.names))


def _power(
    series: dict[str, Any], quarters: pd.DatetimeIndex, random: np.random.Generator
) -> pd.DataFrame:
    """A row with a power for each of the series and quarter hours, in order."""
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame(series)
    for name in frame.columns[1:]:
        frame[name] = frame[name].dt.as_unit("us")
    count = len(frame)
    frame = frame.loc[np.repeat(np.arange(count), len(quarters))].reset_index(drop=True)
    return frame.assign(
        period_start=quarters[np.tile(np.arange(len(quarters)), count)],
        power_kw=random.gamma(2, 300, len(frame)).round(3),
    )


def _live(span: Window, names: Any, random: np.random.Generator) -> pd.DataFrame:
    """A sample about once a minute."""
    import numpy as np
    import pandas as pd

    minutes = pd.date_range(span.start, span.end, freq="min", inclusive="left", unit="us")
    return pd.DataFrame(
        {
            "asset_id": np.repeat(names, len(minutes)),
            "measurement_time": minutes[np.tile(np.arange(len(minutes)), len(names))],
            "millisecond": random.integers(0, 1000, len(names) * len(minutes)),
            "power_kw": random.gamma(2, 300, len(names) * len(minutes)).round(3),
            "quality": 1.0,
        }
    )


def _redispatch(span: Window, points: Any, random: np.random.Generator) -> pd.DataFrame:
    """Two hours of curtailment each."""
    import pandas as pd

    hours = pd.to_timedelta(random.integers(0, 22, len(points)), unit="h")
    begin = (pd.Timestamp(span.start) + hours).as_unit("us")
    return pd.DataFrame(
        {
            "metering_point_id": points,
            "period_start": begin,
            "period_end": begin + timedelta(hours=2),
            "redispatched": 1,
            "publish_time": begin - timedelta(hours=1),
        }
    )


def _trades(
    day: date, quarters: pd.DatetimeIndex, random: np.random.Generator
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Trades of hours and quarter hours; ids ascend from day to day as those of an exchange do."""
    import numpy as np
    import pandas as pd

    count = round(TRADES_A_YEAR / YEAR_DAYS)
    hourly = random.random(count) < HOURLY_SHARE
    first = random.integers(0, len(quarters), count)
    begin = quarters[np.where(hourly, first // 4 * 4, first)]
    trades = pd.DataFrame(
        {
            "trade_id": [f"{day:%Y%m%d}{n:07d}" for n in range(count)],
            "side": np.where(random.random(count) < 0.7, "SELL", "BUY"),
            "period_start": begin,
            "period_end": begin + pd.to_timedelta(np.where(hourly, 60, 15), unit="min"),
            "execution_time": begin - pd.to_timedelta(random.integers(1, 20, count), unit="h"),
            "price_eur_per_mwh": random.normal(70, 40, count).round(2),
            "volume": random.integers(1, 200, count) / 10,
            "volume_unit": np.where(hourly, "MW", "MWH"),
        }
    )
    own = random.random(count) < OWN_SHARE
    yield "vpp_private_trades", trades[own].reset_index(drop=True)
    yield "vpp_public_trades", trades[~own].drop(columns="side").reset_index(drop=True)


# --- measuring ------------------------------------------------------------------------------------


class Clocks:
    """Seconds by stage; what one stage calls of another counts for itself."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(STAGES, 0.0)
        self._running = False

    def on(self, stage: str, work: Callable[P, T]) -> Callable[P, T]:
        """The same function, with its time taken."""

        @functools.wraps(work)
        def clocked(*args: P.args, **kwargs: P.kwargs) -> T:
            if self._running:
                return work(*args, **kwargs)
            self._running, begin = True, time.perf_counter()
            try:
                return work(*args, **kwargs)
            finally:
                self._running = False
                self.seconds[stage] += time.perf_counter() - begin

        return clocked


def measure(key: str, window: Window, folder: Path) -> Measured:
    """Bring one product up to date, the first quarter of the days before the others."""
    import pandas  # noqa: F401
    import pyarrow.compute  # noqa: F401

    import process_data
    from job import all_settings
    from storage import open_store

    start_log(folder, logging.ERROR)
    settings = load_settings(
        all_settings(), {"STORE_URL": _url(folder), "OUTPUT_DIR": str(folder / "output")}
    )
    (product,) = process_data.find_products([key])
    days = days_in(window)
    quarter = days[: max(len(days) // 4, 1)]
    clocks, done, peaks = Clocks(), [], []
    with open_store(_url(folder)) as store, ExitStack() as patched:
        for target, name, stage in (
            (store, "read_table", "read"),
            (process_data, "write_product", "write"),
            (process_data, "_publish", "publish"),
        ):
            clocked = clocks.on(stage, getattr(target, name))
            patched.enter_context(mock.patch.object(target, name, clocked))
        watched = replace(product, compute=clocks.on("compute", product.compute))
        begin = time.perf_counter()
        for part in (days_window(quarter[0], quarter[-1]), window):
            wanted = [(watched, part)]
            done += process_data.process_windows(wanted, store, settings, datetime.now(UTC))
            peaks.append(peak_mb())
        seconds = time.perf_counter() - begin
        assert not any(part.failures for part in done), done
        spans = {product.span(day, part.clock) for part in done for day in part.entries}
        covered = {day for span in spans for day in days_in(span, product.clock(settings))}
        rows_in = sum(
            entry.rows
            for name in product.inputs
            for (_, day), entry in store.entries(name).items()
            if day in covered
        )
    shutil.rmtree(folder / "output", ignore_errors=True)  # a year of files is ten gigabytes
    return Measured(
        key,
        len(covered & set(days)),
        rows_in,
        sum(part.rows for part in done),
        clocks.seconds | {"rest": seconds - sum(clocks.seconds.values())},
        peaks[0] if done[0].computed else None,
        peaks[-1],
    )


# --- telling --------------------------------------------------------------------------------------


def _show(days: int, assets: int, filled: Filled, measured: list[Measured]) -> None:
    size = f"{days} of {YEAR_DAYS} days, {assets:,} assets, {TRADES_A_YEAR / 1e6:g} million trades a year"
    cells = [
        [
            one.product, f"{one.rows_in:,}", f"{one.rows_out:,}", one.seconds,
            f"{one.rows_in / one.seconds:,.0f}", one.bound,
            one.quarter_mb and round(one.quarter_mb), round(one.peak_mb),
        ]
        for one in measured
    ]  # fmt: skip
    header = (
        "product", "rows read", "rows made", "seconds", "rows/s", "bound by", "MB after a quarter", "MB",
    )  # fmt: skip
    console.show(f"As measured: {size}", header, cells)
    stages = [
        [one.product, *(one.stages[stage] for stage in (*STAGES, "rest"))] for one in measured
    ]
    console.say()
    console.show("Seconds by stage", ("product", *STAGES, "rest"), stages)
    years = []
    for one in measured:
        scale = YEAR_DAYS / one.days
        minutes = [scale * taken / 60 for taken in (one.seconds, one.stages["compute"])]
        said = "measured" if scale == 1 else f"scaled by {scale:.1f}"
        years.append([one.product, scale * one.rows_in / 1e6, *minutes, said])
    console.say()
    a_year = ("product", "million rows read", "minutes", "compute alone", "")
    console.show("A year", a_year, years)
    filled_rows = sum(filled.rows.values())
    facts: list[list[Any]] = [
        ["rows of inputs", f"{filled_rows:,}"],
        ["rows/s, written through the storage layer", f"{filled_rows / filled.seconds:,.0f}"],
        ["store with the inputs alone [MB]", round(filled.store_mb)],
    ]  # fmt: skip
    console.say()
    console.show("The inputs", ("what", "measured"), facts)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else DAYS))
