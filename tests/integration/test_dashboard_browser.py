"""The dashboard in a real browser: every page over three stores, clicked, measured, attacked.

One browser and one server per store serve all tests of the file, which look at many things each time
a page has come up. Without Chromium or Playwright they are skipped.
"""

from __future__ import annotations

import csv
import io
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from sandbox import Fault, Sandbox
from tests.integration import dashboards
from tests.integration.conftest import PROJECT, Cli, true_frequency
from tests.integration.dashboards import PAGES, PHONE, WIDE, Served, settled

pytest.importorskip("playwright", reason="needs the developers' libraries")
pytest.importorskip("streamlit", reason="needs the libraries of the dashboard")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        not dashboards.chromium(), reason="needs Chromium: apt-get install chromium"
    ),
]

TOKEN = "Zq7-secret/token+9f3e1c5a"
STORES = ("empty", "demo", "large")
PATIENCE_MS = 30_000
FORMULA = "=HYPERLINK(A1)"
# What a page may say of where it runs: nothing of this.
PRIVATE = re.compile(
    rf"Traceback|File \"|\.py\b.*line \d|{re.escape(str(PROJECT))}|{re.escape(sys.prefix)}|{re.escape(TOKEN)}"
)
ERRORS = '[data-testid="stAlertContentError"]'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = dashboards.browser_of(playwright)
        yield browser
        browser.close()


class Places:
    """The three stores, made side by side, and the dashboards over them, started when first looked at."""

    def __init__(self, folder: Path, sandbox: Sandbox, held: ExitStack) -> None:
        self.folder, self._held = folder, held
        self.databases = {name: folder / name / "gridledger.db" for name in STORES}
        self._environment = Cli(folder, sandbox).environment | {"ENTSOE_API_TOKEN": TOKEN}
        self._made: dict[str, subprocess.Popen[bytes]] = {}
        self._served: dict[str, Served] = {}

    def prepare(self, *names: str) -> None:
        """Begin to make stores, which takes seconds, in processes of their own."""
        for name in {*names} - {*self._made, "empty"}:
            start = dashboards.start_demo if name == "demo" else dashboards.start_large
            self._made[name] = start(self.databases[name])
            self._held.callback(_ended, self._made[name])

    def serve(self, name: str, **settings: str) -> Served:
        """The dashboard over a store."""
        if name not in self._served:
            self.prepare(*{name} & {*STORES})
            if name in self._made:
                assert self._made[name].wait(100) == 0
            environment = self._environment | {
                "OUTPUT_DIR": str(self.folder / name),
                "STORE_URL": f"sqlite:///{self.folder / name / 'gridledger.db'}",
                **settings,
            }
            serving = dashboards.serving(self.folder / "said" / name, environment)
            self._served[name] = self._held.enter_context(serving)
        return self._served[name]


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def places(served: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    with ExitStack() as held:
        yield Places(tmp_path_factory.mktemp("dashboards"), served, held)


class Visit:
    """A tab of the browser, what went wrong in it, and whom it asked."""

    def __init__(self, browser: Browser) -> None:
        self.page: Page = browser.new_page(viewport=_size(WIDE), accept_downloads=True)
        self.troubles: list[str] = []
        self.asked: set[str] = set()
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("dialog", lambda dialog: self.troubles.append(dialog.message))
        self.page.on("request", lambda request: self.asked.add(request.url))

    def to(self, dashboard: Served, path: str, **query: Any) -> Page:
        """Open a page and wait until it stands."""
        self.page.goto(dashboard.address(path, urlencode(query, doseq=True)))
        settled(self.page)
        return self.page

    def text(self) -> str:
        return self.page.locator('[data-testid="stApp"]').inner_text()

    def phone(self) -> None:
        """The same page on a phone at night."""
        self.page.set_viewport_size(_size(PHONE))
        self.page.emulate_media(color_scheme="dark")
        settled(self.page)

    def desk(self) -> None:
        self.page.set_viewport_size(_size(WIDE))
        self.page.emulate_media(color_scheme="light")


def _size(pair: tuple[int, int]) -> Any:
    return {"width": pair[0], "height": pair[1]}


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Visit]:
    visit = Visit(browser)
    yield visit
    visit.page.close()


@pytest.fixture
def visit(tab: Visit) -> Iterator[Visit]:
    tab.troubles.clear()
    tab.asked.clear()
    yield tab
    tab.desk()
    assert tab.troubles == []


def violations(page: Page) -> list[str]:
    """What axe finds, of any impact, with the element and the reason."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in found
        for node in violation["nodes"]
    ]


def assert_zones_named(page: Page) -> None:
    """Every chart with an axis of times says in which zone they are."""
    titles: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('.js-plotly-plot')].map(chart =>
            Object.entries(chart._fullLayout)
                .filter(([name, axis]) => /^[xy]axis\\d*$/.test(name) && axis.type === 'date')
                .map(([, axis]) => axis.title?.text || ' ').join(''))"""
    )
    assert [title for title in titles if title and not re.search("UTC|Europe/", title)] == []


def assert_good(visit: Visit, dashboard: Served, title: str) -> None:
    """What holds for every page whatever is stored."""
    page, text = visit.page, visit.text()
    assert page.locator("h1").inner_text() == title
    assert page.locator('[data-testid="stException"]').count() == 0
    assert page.locator(ERRORS).all_inner_texts() == []
    assert "Origin: " in text and "Elexon Insights: " in text and "gridledger" in text
    assert not PRIVATE.search(page.content())
    news = dashboard.news()
    assert not re.search("dashboard, .*:|Traceback|Error", news), news
    outside = [url for url in visit.asked if not url.startswith((dashboard.url, "data:", "blob:"))]
    assert outside == []


# --- every page --------------------------------------------------------------------------------


@pytest.mark.parametrize("title", PAGES)
@pytest.mark.parametrize("name", STORES)
def test_a_page_is_whole_on_a_desk_and_on_a_phone(
    places: Places, visit: Visit, name: str, title: str
) -> None:
    places.prepare(*STORES)
    dashboard = places.serve(name)
    page = visit.to(dashboard, PAGES[title])
    assert_good(visit, dashboard, title)
    if name == "empty":
        assert "python3 run.py " in visit.text()
    else:
        assert "Synthetic data" in visit.text()
    assert_zones_named(page)
    # Light and wide, dark and narrow: what is drawn anyhow is looked at in one of them.
    found = violations(page) if name != "empty" else []
    visit.phone()
    assert_good(visit, dashboard, title)
    main = page.locator('[data-testid="stMain"]')
    assert main.evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    assert found + (violations(page) if name != "large" else []) == []


# --- the Explorer, clicked ---------------------------------------------------------------------


def choose(page: Page, label: str, option: str) -> None:
    """Take an option of a box by typing it, as people do; again where the page took the list away."""
    from playwright.sync_api import TimeoutError as Late
    from playwright.sync_api import expect

    box = page.get_by_label(label, exact=True)
    expect(box).to_have_count(1, timeout=PATIENCE_MS)  # an older one goes as the newer comes
    for patience_ms in (4_000, 8_000, PATIENCE_MS):
        settled(page)
        box.click()
        box.fill(option)
        try:
            page.get_by_role("option", name=option).first.click(timeout=patience_ms)
            break
        except Late:
            page.keyboard.press("Escape")
    else:
        raise AssertionError(f"{label} did not offer {option}")
    settled(page)


def says(page: Page, text: str) -> None:
    """Wait until the Explorer says this of rows and pages: the script runs a moment after a click."""
    from playwright.sync_api import expect

    said = page.locator("p", has_text=re.compile(r"^[\d,]+ rows, "))
    expect(said).to_have_text(text, timeout=PATIENCE_MS)
    settled(page)


def saved(page: Page, button: str) -> bytes:
    """What a click on a download saves."""
    with page.expect_download() as waited:
        page.get_by_role("button", name=button).click()
    return Path(waited.value.path()).read_bytes()


def rows(database: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        return opened.execute(sql, parameters).fetchall()


def test_the_explorer_filters_pages_and_downloads(places: Places, visit: Visit) -> None:
    dashboard = places.serve("demo")
    page = visit.to(dashboard, "explorer", start="2024-10-27", end="2024-10-27")
    choose(page, "Table", "generation_outturn")
    says(page, "950 rows, 1 to 50 on page 1 of 19")
    page.get_by_text("Add a condition", exact=True).click()
    choose(page, "Column", "generation_mw")
    choose(page, "Operator", ">")
    page.get_by_label("Value [MW]").fill("400.5")
    page.get_by_label("Value [MW]").press("Enter")
    settled(page)
    page.get_by_role("button", name="Add the condition").click()
    settled(page)
    wanted = rows(
        places.databases["demo"],
        "SELECT period_start, fuel_type, generation_mw FROM generation_outturn WHERE generation_mw > 400.5 "
        "AND period_start >= '2024-10-26T23' AND period_start < '2024-10-28' ORDER BY 1, 2",
    )
    pages = -(-len(wanted) // 50)
    assert 50 < len(wanted) < 950
    says(page, f"{len(wanted)} rows, 1 to 50 on page 1 of {pages}")
    page.get_by_role("button", name="Next page").click()
    second = f"{len(wanted)} rows, 51 to {min(100, len(wanted))} on page 2 of {pages}"
    says(page, second)
    table = list(csv.DictReader(io.StringIO(saved(page, "CSV").decode())))
    assert [
        (row["period_start"], row["fuel_type"], float(row["generation_mw"])) for row in table
    ] == wanted
    # A link shows the same to somebody else.
    page.goto(page.url)
    says(page, second)
    assert "page=2" in page.url and "table=generation_outturn" in page.url
    assert_good(visit, dashboard, "Explorer")


def test_the_explorer_shows_what_was_known_then(places: Places, visit: Visit) -> None:
    """Rows of the demo were published one after the other, so an earlier moment has fewer."""
    import pyarrow.parquet as pq

    database, moment = places.databases["demo"], "2024-10-27T09:00:00Z"
    dashboard = places.serve("demo")
    ((known,),) = rows(
        database,
        "SELECT count(DISTINCT period_start || psr_type) FROM (SELECT period_start, psr_type, publish_time FROM "
        "wind_solar UNION ALL SELECT period_start, psr_type, publish_time FROM wind_solar_history) "
        "WHERE period_start >= '2024-10-26T23' AND period_start < '2024-10-28' AND publish_time <= ?",
        moment,
    )
    assert 0 < known < 150
    query = {"table": "wind_solar", "start": "2024-10-27", "end": "2024-10-27", "as_of": moment}
    page = visit.to(dashboard, "explorer", **query, columns=["period_start", "generation_mw"])
    says(page, f"{known} rows, 1 to {min(known, 50)} on page 1 of {-(-known // 50)}")
    table = pq.read_table(io.BytesIO(saved(page, "Parquet")))
    assert (table.num_rows, table.column_names) == (known, ["period_start", "generation_mw"])
    assert table.schema.field("generation_mw").metadata[b"unit"] == b"MW"
    assert_good(visit, dashboard, "Explorer")


def test_a_download_is_bounded_and_says_so(places: Places, visit: Visit) -> None:
    from playwright.sync_api import expect

    dashboard = places.serve("large")
    query = {"table": "wind_solar", "start": "2015-01-01", "end": "2024-12-31"}
    page = visit.to(dashboard, "explorer", **query, where=["psr_type != Solar"])
    says(page, "350,688 rows, 1 to 50 on page 1 of 7,014")
    expect(page.get_by_role("button", name="CSV")).to_be_disabled()
    assert (
        "python3 run.py export wind_solar --start 2015-01-01 --end 2024-12-31 --to wind_solar.parquet"
        in page.locator('[data-testid="stCode"]').inner_text()
    )


def test_cells_that_a_spreadsheet_would_run_get_an_apostrophe(places: Places, visit: Visit) -> None:
    dashboard = places.serve("large")
    at = "2024-12-31T12:00:00Z"
    with closing(sqlite3.connect(places.databases["large"])) as opened, opened:
        opened.execute(
            "UPDATE system_prices SET price_derivation_code = ? WHERE period_start = ?",
            (FORMULA, at),
        )
    page = visit.to(
        dashboard,
        "explorer",
        table="system_prices",
        columns=["period_start", "price_derivation_code"],
        where=[f"price_derivation_code = {FORMULA}"],
    )
    says(page, "1 rows, 1 to 1 on page 1 of 1")
    assert saved(page, "CSV").decode().splitlines()[1] == f"{at},'{FORMULA}"
    # The table's own export knows no apostrophe, so there is none.
    page.locator('[data-testid="stDataFrame"]').hover()
    assert page.get_by_role("button", name="Download as CSV").count() == 0


# --- attacked ----------------------------------------------------------------------------------

OUTSIDE = "https://evil.example/x.png"
NONSENSE = {
    "start": "'; DROP TABLE wind_solar; --",
    "end": "9999-99-99",
    "table": "<script>alert(1)</script>",
    "columns": ["generation_mw; DROP TABLE wind_solar", "period_start"],
    "where": [f"![x]({OUTSIDE})", "psr_type = ' OR 1=1; DROP TABLE wind_solar; --"],
    "sort": "1; DROP TABLE wind_solar",
    "page": "-99999999999999999999",
    "as_of": f"<img src={OUTSIDE} onerror=alert(1)> \x00 \ud83d",
    "kind": "../../../etc/passwd",
    "chart": "maybe",
}
TEXTS = {key: value for key, value in NONSENSE.items() if isinstance(value, str)}


@pytest.mark.parametrize("title", PAGES)
def test_an_address_of_nonsense_harms_nobody(places: Places, visit: Visit, title: str) -> None:
    dashboard = places.serve("demo")
    tables = "SELECT count(*) FROM sqlite_master UNION ALL SELECT count(*) FROM wind_solar"
    before = rows(places.databases["demo"], tables)
    page = dashboard.address(PAGES[title], urlencode(NONSENSE, doseq=True, errors="replace"))
    visit.page.goto(page)
    settled(visit.page)
    errors = visit.page.locator(ERRORS).all_inner_texts()
    assert not any("unforeseen" in error for error in errors), errors
    assert (title == "Explorer") == bool(errors), errors
    assert visit.page.locator("script", has_text="alert(1)").count() == 0
    assert visit.page.locator('[src*="evil"], [href*="evil"]').count() == 0
    assert not any("evil" in url.partition("?")[0] for url in visit.asked)
    assert "unforeseen" not in dashboard.news()
    assert rows(places.databases["demo"], tables) == before
    assert not PRIVATE.search(visit.page.content())


def test_a_condition_reaches_the_store_as_a_value(places: Places, visit: Visit) -> None:
    dashboard = places.serve("demo")
    query = {"table": "wind_solar", "where": "psr_type = ' OR 1=1; DROP TABLE wind_solar; --"}
    page = visit.to(dashboard, "explorer", **query)
    assert "No rows fit these choices." in visit.text()
    assert page.locator(ERRORS).count() == 0


@pytest.mark.parametrize("what", ("broken", "elsewhere"))
def test_a_store_that_cannot_be_read_is_said_in_a_sentence(
    places: Places, visit: Visit, what: str
) -> None:
    """A file of something else, and a server that nobody runs, with a password in its address."""
    if what == "broken":
        dashboard = places.serve("empty")
        places.databases["empty"].parent.mkdir(exist_ok=True)
        places.databases["empty"].write_bytes(b"no database at all " * 400)
    else:
        url = f"postgresql://grid:{TOKEN.partition('/')[0]}@127.0.0.1:9/grid"
        dashboard = places.serve("elsewhere", STORE_URL=url)
    titles = list(PAGES) if what == "broken" else ["Today", "Explorer"]
    try:
        for title in titles:
            page = visit.to(dashboard, PAGES[title])
            (error,) = page.locator(ERRORS).all_inner_texts()
            assert error.endswith(".") and "unforeseen" not in error, error
            assert not PRIVATE.search(page.content())
            assert "Zq7-secret" not in page.content()
            assert str(places.folder) not in page.content()
        said = dashboard.news()
        assert said.count("dashboard, ") >= len(titles) and "Traceback" not in said
        assert "Zq7-secret" not in said
    finally:
        if what == "broken":
            places.databases["empty"].unlink()


# --- parts, sliders, a fetch -------------------------------------------------------------------

PARTS = '[role="tab"], [data-testid="stButtonGroup"] button'


@pytest.mark.nightly
@pytest.mark.parametrize("title", PAGES)
def test_every_part_of_a_page_is_whole(places: Places, visit: Visit, title: str) -> None:
    """What stands behind tabs and buttons, which pages draw once somebody asks for it."""
    dashboard = places.serve("demo")
    page = visit.to(dashboard, PAGES[title])
    for number in range(1, page.locator(PARTS).count()):
        page.locator(PARTS).nth(number).click()
        page.wait_for_timeout(150)  # until the script has begun to run
        settled(page)
        assert_good(visit, dashboard, title)
        assert_zones_named(page)


def test_sliders_of_the_battery_change_its_run(places: Places, visit: Visit) -> None:
    """Ten times the contracted power is never less power, and more of it."""
    dashboard = places.serve("demo")
    page = visit.to(dashboard, "frequency", start="2024-10-27", end="2024-10-27")
    page.get_by_role("tab", name="Battery").click()
    slider = page.get_by_role("slider", name="Contracted power [MW]")
    slider.wait_for(timeout=PATIENCE_MS)
    settled(page)
    before = peak(page)
    rated = page.get_by_role("slider", name="Rated power [MW]")
    for each in (rated, slider):
        each.press("End")
    page.wait_for_function(f"() => ({PEAK})() > {before}", timeout=PATIENCE_MS)
    settled(page)
    assert 0 < before <= 1 < peak(page) <= 10
    assert_good(visit, dashboard, "Frequency & battery")


@pytest.mark.nightly
def test_the_keyboard_alone_is_enough(places: Places, visit: Visit) -> None:
    """From the menu to another page, its days and its parts; where one is can be seen on the way."""
    from playwright.sync_api import expect

    dashboard = places.serve("demo")
    page = visit.to(dashboard, "frequency")

    def go_to(name: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if re.search(name, page.evaluate(FOCUSED)):
                return
        raise AssertionError(f"the keyboard never reaches {name}")

    go_to("Wind & solar")
    assert page.evaluate("() => parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Wind & solar", timeout=PATIENCE_MS)
    settled(page)
    go_to("year, First settlement day")
    page.keyboard.type("20240331")
    go_to("tab: Overview")
    expect(page.get_by_text("2024-03-31 00:00 to").first).to_be_visible(timeout=PATIENCE_MS)
    settled(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Diurnal profile")).to_be_visible(timeout=PATIENCE_MS)
    settled(page)
    assert_good(visit, dashboard, "Wind & solar")


FOCUSED = """() => { const at = document.activeElement;
    return `${at.getAttribute('role')}: ${at.getAttribute('aria-label') ?? at.innerText}`; }"""


# The greatest power, either way, of the first chart with an axis in MW.
PEAK = """() => Math.max(0, ...[...document.querySelectorAll('.js-plotly-plot')].slice(0, 1).flatMap(
    chart => chart._fullData.filter(t => /\\[MW\\]/.test(
        chart._fullLayout[(t.yaxis ?? 'y').replace('y', 'yaxis')].title?.text ?? ''))
    .flatMap(t => [...t.y].filter(Number.isFinite).map(Math.abs))))"""


def peak(page: Page) -> float:
    return float(page.evaluate(PEAK))


def test_a_fetch_from_the_page_shows_its_progress_and_survives_a_reload(
    places: Places, visit: Visit, served: Sandbox
) -> None:
    from playwright.sync_api import expect

    dashboard = places.serve("fetched")
    served.now, served.faults = "2024-11-25T09:00:00Z", [Fault("slow", seconds=3.0)]
    try:
        page = visit.to(dashboard, "data")
        for label, day in (("First day", "01"), ("Last day", "20")):
            for part, typed in (("year", "2024"), ("month", "10"), ("day", day)):
                page.get_by_role("spinbutton", name=re.compile(f"{part}.*{label}")).fill(typed)
        page.get_by_role("button", name="Start").click()
        told = page.get_by_text(re.compile(r"\d of \d+ windows, .* rows new or changed($|, about)"))
        told.wait_for(timeout=PATIENCE_MS)
        page.reload()
        told.wait_for(timeout=PATIENCE_MS)
        served.faults = []
        done = page.get_by_text(re.compile("2024-10-01 to 2024-10-20 · with holes"))
        expect(done).to_be_visible(timeout=PATIENCE_MS)
    finally:
        served.faults = []
    published = true_frequency(served, "2024-09-30T23:00:00Z", "2024-10-20T23:00:00Z")
    database = places.folder / "fetched" / "gridledger.db"
    stored = "SELECT measurement_time, frequency_hz FROM frequency ORDER BY 1"
    assert rows(database, stored) == published
    assert_good(visit, dashboard, "Data")
