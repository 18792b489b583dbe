"""Time to the first chart of each page of the dashboard, on years of data, through a real browser.

A server of its own over a synthetic store of ten years of half hours and a month of samples. Somebody who
has a page open over the newest days asks for all of them: how long until the chart shows them, for who asks
first and for who asks after. *By a link* is the same range in a browser without cookies or cache, from the
address to the chart; what that takes over the newest days alone is the browser's and its libraries' start.
Medians of three, the links once.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

import console
from benchmarks.measure import in_child, printed_by, record
from job import all_settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.integration.dashboards import Served

AIM_S = 2.0
TIMES = 3
LAST_DAY = "2024-12-31"
# Pages, what else their address says, and the day from which on they are asked for.
LOOKED_AT: tuple[tuple[str, dict[str, str], str], ...] = (
    ("Frequency & battery", {}, "2024-12-01"),
    ("Wind & solar", {}, "2015-01-01"),
    ("Markets", {}, "2015-01-01"),
    ("Explorer", {"table": "wind_solar", "chart": "true"}, "2015-01-01"),
    ("Explorer", {"table": "frequency", "chart": "true"}, "2024-12-01"),
)
WITHOUT_CHART = ("Today", "Data")
# Where the time axis of the first chart begins; nothing before it is drawn.
_BEGINS = """document.querySelector('[data-testid="stPlotlyChart"] .js-plotly-plot')
    ?._fullLayout?.xaxis?.range?.[0]"""


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
            arrive(
                browser, dashboard, "Data", {}, chart=False
            )  # whoever comes first waits for imports
            measured = [
                Measured(
                    title,
                    query,
                    start,
                    first=statistics.median(
                        ask(browser, dashboard, title, query, day) for day in _days(start)
                    ),
                    again=statistics.median(
                        ask(browser, dashboard, title, query, day) for day in _days(start)
                    ),
                    link=arrive(
                        browser, dashboard, title, {**query, "start": start, "end": LAST_DAY}
                    ),
                    newest=arrive(browser, dashboard, title, query),
                )
                for title, query, start in LOOKED_AT
            ]
            plain = [
                (title, arrive(browser, dashboard, title, {}, chart=False))
                for title in WITHOUT_CHART
            ]
            browser.close()
    printed = printed_by(lambda: _show(rows, measured, plain))
    if write:
        record("pages", printed)
    return 0


class Measured(NamedTuple):
    """Seconds until the chart of a range stands; see the module's head."""

    title: str
    query: dict[str, str]
    start: str
    first: float
    again: float
    link: float
    newest: float


def _days(start: str) -> list[str]:
    """A few first days, each of a range that nobody has asked for yet."""
    return [str(date.fromisoformat(start) + timedelta(n)) for n in range(TIMES)]


def ask(
    browser: Browser, dashboard: Served, title: str, query: dict[str, str], start: str
) -> float:
    """Seconds from another first day on an open page until the first chart begins there."""
    with _opened(browser, dashboard, title, query) as page:
        page.wait_for_function(_BEGINS, timeout=120_000)
        _settle(page)
        page.locator('[data-testid="stDateInput"] [role="spinbutton"]').first.focus()
        page.keyboard.type(start.replace("-", ""))
        begin = time.perf_counter()
        page.locator("h1").click()  # a day counts when its field is left
        # The settlement day begins in London, which is that of UTC in winter.
        page.wait_for_function(f"({_BEGINS} ?? '').startsWith('{start}')", timeout=120_000)
        return time.perf_counter() - begin


def arrive(
    browser: Browser, dashboard: Served, title: str, query: dict[str, str], *, chart: bool = True
) -> float:
    """Seconds from an address until its first chart stands, or the page where it has none."""
    begin = time.perf_counter()
    with _opened(browser, dashboard, title, query) as page:
        if chart:
            page.wait_for_function(_BEGINS, timeout=120_000)
        else:
            _settle(page)
        return time.perf_counter() - begin


@contextlib.contextmanager
def _opened(
    browser: Browser, dashboard: Served, title: str, query: dict[str, str]
) -> Iterator[Page]:
    """A page in a window of its own, without cookies or cache."""
    from tests.integration.dashboards import PAGES, WIDE

    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
    try:
        page = context.new_page()
        page.goto(dashboard.address(PAGES[title], urlencode(query)))
        yield page
    finally:
        context.close()


def _settle(page: Page) -> None:
    from tests.integration.dashboards import settled

    settled(page, 120)


def _show(rows: int, measured: list[Measured], plain: list[tuple[str, float]]) -> None:
    header = (
        "page", "range", "first to ask [s]", "asked again [s]", "by a link [s]", "link, newest days [s]",
    )  # fmt: skip
    cells = [
        [
            f"{each.title} {each.query.get('table', '')}".strip(),
            f"{each.start} to {LAST_DAY}",
            *(round(took, 2) for took in (each.first, each.again, each.link, each.newest)),
        ]
        for each in measured
    ]
    console.show(f"First chart of pages over {rows:,} rows", header, cells)
    told = ", ".join(f"{title} {took:.2f} s" for title, took in plain)
    console.say(f"Pages without a chart, by a link: {told}")
    slow = [cell[0] for cell in cells if float(str(cell[2])) > AIM_S]
    console.say(
        f"Aim: the chart of a range in {AIM_S:g} s for who asks first: "
        f"{f'missed by {slow}' if slow else 'met'}"
    )


if __name__ == "__main__":
    sys.exit(main(write="--write" in sys.argv))
