"""Time to the first chart of each page of the dashboard, on years of data, through a real browser.

A server of its own over a synthetic store of ten years of half hours and a month of samples. Each page is
opened by somebody who was never there: in a browser without cookies or cache, from the address to the first
chart, and to the last. *Again* is the same for the next visitor, who finds what the server kept.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import console
from benchmarks.measure import in_child, printed_by, record
from job import all_settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.integration.dashboards import Served

AIM_S = 2.0
TEN_YEARS = {"start": "2015-01-01", "end": "2024-12-31"}
MONTH = {"start": "2024-12-01", "end": "2024-12-31"}
# Pages and the ranges over which they are asked for.
LOOKED_AT: tuple[tuple[str, dict[str, str]], ...] = (
    ("Today", {}),
    ("Frequency & battery", MONTH),
    ("Wind & solar", TEN_YEARS),
    ("Markets", TEN_YEARS),
    ("Explorer", {"table": "wind_solar", "chart": "true", **TEN_YEARS}),
    ("Explorer", {"table": "frequency", "chart": "true", **MONTH}),
    ("Data", {}),
)


def possible() -> bool:
    """Whether there is a browser and what drives it."""
    from tests.integration.dashboards import chromium

    return bool(chromium() and find_spec("playwright") and find_spec("streamlit"))


def main(*, write: bool = False) -> int:
    """Measure, print, and put the figures into docs/performance.md where wanted."""
    from playwright.sync_api import sync_playwright

    from tests.integration import dashboards

    with tempfile.TemporaryDirectory() as place:
        url = f"sqlite:///{Path(place) / 'large.db'}"
        rows = in_child(dashboards.write_large, url, 10, 10)
        environment = {setting.key: setting.default for setting in all_settings()}
        environment = {**os.environ, **environment, "STORE_URL": url, "OUTPUT_DIR": place}
        with (
            dashboards.serving(Path(place) / "said", environment) as dashboard,
            sync_playwright() as playwright,
        ):
            browser = dashboards.browser_of(playwright)
            visit(
                browser, dashboard, "Virtual power plant", {}
            )  # whoever comes first waits for imports
            measured = [
                (
                    title,
                    query,
                    visit(browser, dashboard, title, query),
                    visit(browser, dashboard, title, query),
                )
                for title, query in LOOKED_AT
            ]
            browser.close()
    printed = printed_by(lambda: _show(rows, measured))
    if write:
        record("pages", printed)
    return 0


def visit(
    browser: Browser, dashboard: Served, title: str, query: dict[str, str]
) -> tuple[float | None, float]:
    """Seconds until the first chart stands (None without one), and until the whole page does."""
    from tests.integration.dashboards import PAGES, WIDE, settled

    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
    page = context.new_page()
    begin = time.perf_counter()
    page.goto(dashboard.address(PAGES[title], urlencode(query)))
    page.wait_for_function(
        """() => document.querySelector('[data-testid="stPlotlyChart"] .main-svg')
            || document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === 'notRunning'
            && document.querySelector('h1')""",
        timeout=120_000,
    )
    first = time.perf_counter() - begin
    settled(page, 120)
    whole = time.perf_counter() - begin
    charts = page.locator('[data-testid="stPlotlyChart"]').count()
    context.close()
    return (first if charts else None), whole


def _show(rows: int, measured: list[Any]) -> None:
    cells: list[list[object]] = []
    for title, query, (first, whole), (again, _) in measured:
        about = query.get("table", "")
        days = f"{query['start']} to {query['end']}" if "start" in query else "as it opens"
        told = ["no chart" if taken is None else round(taken, 2) for taken in (first, again)]
        cells.append([f"{title} {about}".strip(), days, *told, round(whole, 2)])
    header = ("page", "range", "first chart [s]", "again [s]", "whole page [s]")
    console.show(f"Pages over {rows:,} rows", header, cells)
    slow = [cell[0] for cell in cells if isinstance(cell[2], float) and cell[2] > AIM_S]
    console.say(f"Aim: the first chart in {AIM_S:g} s: {f'missed by {slow}' if slow else 'met'}")


if __name__ == "__main__":
    sys.exit(main(write="--write" in sys.argv))
