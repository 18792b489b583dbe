"""The dashboard as its visitors meet it: served by a process of its own, seen through a browser."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.ledger import Entry, State
from domain.settlement import day_window, days_in, days_window, period_grid
from domain.tables import arrow_type, to_frame
from domain.windows import Window
from sources import DATASETS
from storage import open_store
from tests.integration.conftest import PROJECT, wait_until

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from playwright.sync_api import Browser, Page, Playwright

    from stores.sql import SqlStore

# Title of a page and its path, in the order of the menu.
PAGES = {
    "Today": "",
    "Frequency & battery": "frequency",
    "Wind & solar": "wind-solar",
    "Markets": "markets",
    "Virtual power plant": "vpp",
    "Explorer": "explorer",
    "Data": "data",
}
WIDE, PHONE = (1280, 900), (390, 844)
# What the project's screenshots and tests look at; the days on which the clocks change.
DEMO_DAYS = ("2024-03-31", "2024-10-27")


# --- a browser --------------------------------------------------------------------------------


def chromium() -> str | None:
    """The system's Chromium, as Debian and others name it; None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def browser_of(playwright: Playwright) -> Browser:
    """That Chromium without a window; as root it has no sandbox, and containers have a small /dev/shm."""
    return playwright.chromium.launch(
        executable_path=chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
    )


def settled(page: Page, seconds: float = 30.0) -> None:
    """Wait until the script has run, nothing is a placeholder any more and every chart is drawn."""
    page.wait_for_function(
        """() => {
            const app = document.querySelector('[data-testid="stApp"]');
            const charts = [...document.querySelectorAll('[data-testid="stPlotlyChart"]')];
            return app?.dataset.testScriptState === 'notRunning'
                && !document.querySelector('[data-testid="stSkeleton"], [data-stale="true"]')
                && document.querySelector('h1')
                && charts.every(chart => chart.querySelector('.main-svg'));
        }""",
        timeout=seconds * 1000,
    )


# --- a server ---------------------------------------------------------------------------------


class Served:
    """A running dashboard; ``news`` is what it has printed since it was asked before."""

    def __init__(self, url: str, printed: Path) -> None:
        self.url = url
        self._printed, self._read = printed, 0

    def address(self, path: str = "", query: str = "") -> str:
        return f"{self.url}/{path}" + (f"?{query}" if query else "")

    def news(self) -> str:
        said = self._printed.read_bytes()
        fresh, self._read = said[self._read :], len(said)
        return fresh.decode("utf-8", errors="replace")


@contextlib.contextmanager
def serving(folder: Path, environment: Mapping[str, str]) -> Iterator[Served]:
    """Serve the dashboard with these variables on a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    printed = folder / "dashboard.txt"
    with printed.open("wb") as said:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "streamlit", "run", str(PROJECT / "streamlit_app.py")),
                *("--server.port", str(port)),
            ],
            cwd=PROJECT,
            env=dict(environment) | {"PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: process.poll() is not None or _answers(f"{url}/_stcore/health"), 60)
        if process.poll() is not None:
            raise AssertionError(printed.read_text(encoding="utf-8"))
        yield Served(url, printed)
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


# --- what it is served over -------------------------------------------------------------------


def start_demo(database: Path, days: int = 0) -> subprocess.Popen[bytes]:
    """Make what ``demo`` makes, around this store, in a process of its own.

    With ``days`` it is of so many days up to yesterday and not of the two days of 2024.
    """
    code = (
        "import pathlib, sys, synthetic\n"
        "from datetime import date, timedelta\n"
        "synthetic.DATABASE = pathlib.Path(sys.argv[1])\n"
        "synthetic.DEMO = synthetic.DATABASE.parent\n"
        "days = [date.today() - timedelta(n) for n in range(int(sys.argv[2]), 0, -1)]\n"
        "with synthetic.world() as world:\n"
        "    sys.exit(synthetic.run_days(world, days or synthetic.CLOCK_CHANGES))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(database), str(days)],
        cwd=PROJECT,
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


LARGE_LAST = date(2024, 12, 31)
FUELS = ("BIOMASS", "CCGT", "INTFR", "NPSHYD", "NUCLEAR", "PS", "WIND")


def write_large(url: str, years: int = 10, whole_years: int = 1) -> int:
    """Years of half hours up to 2024 and a month of 15-second samples; returns how many rows.

    Wind, solar and system prices for all of the years, demand, market prices and generation for the
    last ``whole_years``. Made of sines and noise that a seed decides, marked as synthetic.
    """
    import numpy as np

    r = np.random.default_rng(8)
    rows = 0
    with open_store(url) as store:
        for year in range(LARGE_LAST.year - years + 1, LARGE_LAST.year + 1):
            window = days_window(date(year, 1, 1), date(year, 12, 31))
            grid = period_grid(window)
            for key, columns in _half_hours(grid, r, whole=year > LARGE_LAST.year - whole_years):
                rows += _put(store, key, columns, window)
        month = days_window(date(2024, 12, 1), LARGE_LAST)
        rows += _put(store, "frequency", _samples(month, r), month)
    return rows


def _half_hours(
    grid: pd.DataFrame, r: np.random.Generator, *, whole: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Columns of a year for each dataset of half hours, under our own names."""
    import numpy as np

    size = len(grid)
    hours = np.arange(size) / 2
    season, day = np.cos(2 * np.pi * hours / 8766), np.cos(2 * np.pi * (hours - 12) / 24)
    wind = np.clip(6000 + 2500 * season + np.cumsum(r.normal(0, 120, size)) % 4000, 0, None)
    series = {
        "Wind Onshore": wind * 0.6,
        "Wind Offshore": wind,
        "Solar": np.clip((4000 - 2500 * season) * day, 0, None),
    }
    yield "wind_solar", _each(grid, "psr_type", series, "generation_mw")
    load = 30_000 + 6000 * season - 4000 * day + r.normal(0, 300, size)
    price = 60 + 25 * season + 20 * np.abs(day) + r.normal(0, 8, size)
    alone = {str(name): grid[name] for name in grid}
    yield (
        "system_prices",
        {
            **alone,
            "system_sell_price_gbp_per_mwh": price,
            "system_buy_price_gbp_per_mwh": price,
            "net_imbalance_volume_mwh": r.normal(0, 200, size),
            "created_at": _later(grid),
            "bsad_defaulted": np.zeros(size, dtype=bool),
        },
    )
    if not whole:
        return
    yield "demand_outturn", {**alone, "national_demand_mw": load, "publish_time": _later(grid)}
    providers = {"APXMIDP": price - 3, "N2EXMIDP": price + 2}
    market = _each(grid, "data_provider", providers, "price_gbp_per_mwh")
    yield "market_index", market | {"volume_mwh": np.full(2 * size, 800.0)}
    outturn = {fuel: load / len(FUELS) + r.normal(0, 100, size) for fuel in FUELS}
    yield "generation_outturn", _each(grid, "fuel_type", outturn, "generation_mw")


def _each(
    grid: pd.DataFrame, name: str, series: Mapping[str, npt.NDArray[np.float64]], value: str
) -> dict[str, Any]:
    """The grid once for each series."""
    import numpy as np
    import pandas as pd

    repeated = pd.concat([grid] * len(series), ignore_index=True)
    return {
        **{str(column): repeated[column] for column in grid},
        name: np.repeat(list(series), len(grid)),
        value: np.round(np.concatenate(list(series.values())), 3),
        "publish_time": _later(repeated),
    }


def _later(grid: pd.DataFrame) -> pd.Series:
    import pandas as pd

    return grid["period_start"] + pd.Timedelta(hours=1)


def _samples(window: Window, r: np.random.Generator) -> dict[str, Any]:
    import numpy as np
    import pandas as pd

    times = pd.date_range(window.start, window.end, freq="15s", inclusive="left", unit="us")
    noise = np.convolve(r.normal(0, 0.02, len(times) + 39), np.ones(40) / 8, "valid")
    return {"measurement_time": times, "frequency_hz": np.round(50 + noise, 3)}


def _put(store: SqlStore, key: str, columns: Mapping[str, Any], window: Window) -> int:
    """Write rows with a complete ledger entry for each day."""
    import pandas as pd
    import pyarrow as pa

    dataset = next(d for d in DATASETS if d.key == key)
    table, size = dataset.table, len(columns[dataset.table.time])
    arrays = [
        pa.array(columns[column.name]).cast(arrow_type(column.dtype))
        if column.name in columns
        else pa.nulls(size, arrow_type(column.dtype))
        for column in table.columns
    ]
    rows = pa.table(arrays, names=list(table.names)).sort_by([(n, "ascending") for n in table.key])
    asked = datetime(2025, 1, 10, tzinfo=UTC)
    frame = to_frame(table, rows).assign(retrieved_at=pd.Timestamp(asked).as_unit("us"))
    store.restore(table, window, frame, frame.iloc[:0], synthetic=True)
    with store.transaction():
        for day in days_in(window):
            count = dataset.rows_a_day
            store.record(
                Entry(
                    key,
                    "",
                    day,
                    day_window(day),
                    State.COMPLETE,
                    count,
                    count,
                    1.0,
                    1,
                    asked,
                    asked,
                    1,
                )
            )
    return size


def start_large(database: Path) -> subprocess.Popen[bytes]:
    """Make the large store in a process of its own."""
    code = (
        "import sys; from tests.integration import dashboards; dashboards.write_large(sys.argv[1])"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, f"sqlite:///{database}"],
        cwd=PROJECT,
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
    )
