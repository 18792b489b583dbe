"""Reports that a run writes: their numbers against the CSV files of the day, and when they are written."""

from __future__ import annotations

import math
import re
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

import reporting
from read_files import SYNTHETIC_MARK
from sandbox import Sandbox
from sandbox.vpp import write_folder
from tests.integration.conftest import NOW, Cli, World, instant, read_csv, rows_of, true_frequency
from utils import log

pytest.importorskip("matplotlib", reason="the plotting extra is not installed")

LONG, SHORT, GAPPY = "2024-10-27", "2024-03-31", "2024-10-24"
CORE = "core"
PRODUCTS = (
    "average_power,wind_solar_summary,half_hourly_averages,best_of_infeed,portfolio_best_of_infeed,"
    "asset_forecast,trading,trading_daily,imbalance_cost,portfolio_imbalance_cost"
)
MOST_BYTES = 1_500_000


class Page(HTMLParser):
    """Tables of a report as rows of cells, where a cell is its number or else its words."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str | float]]] = {}
        self.addresses: list[tuple[str, str]] = []
        self.heard: list[str] = []
        self.words = ""
        self._rows: list[list[str | float]] = []
        self._cell: str | float | None = None
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = dict(attrs)
        self.addresses += [(tag, v) for k, v in of.items() if v and k.endswith(("src", "href"))]
        if tag == "svg":
            self.heard.append(of["aria-label"] or "")
        if tag == "div" and of.get("class") == "wide":
            self._rows = self.tables.setdefault(of["aria-label"] or "", [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._cell = ""
        elif tag == "data":
            self._cell = float(of["value"] or "nan")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None:
            self._rows[-1].append(self._cell)
            self._cell = None

    def handle_data(self, data: str) -> None:
        self.words += data
        if isinstance(self._cell, str):
            self._cell += data

    def row(self, table: str, first: str) -> list[str | float]:
        (found,) = (row for row in self.tables[table] if row[0] == first)
        return found[1:]


@pytest.fixture(scope="module")
def full(served: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> World:
    """One run of everything on the long day, with a virtual power plant."""
    root = tmp_path_factory.mktemp("full")
    served.now, served.faults, served.limits = None, (), None
    write_folder(root / "vpp", [date(2024, 10, 27)], defects=False)
    (root / "vpp" / SYNTHETIC_MARK).write_text("")
    world = World(root, served)
    world.overrides |= {"VPP_DIR": str(root / "vpp"), "DATASETS": CORE, "PRODUCTS": PRODUCTS}
    report = world.run(LONG, LONG, REPORT_DAYS="1")
    assert not report.failures
    return world


@pytest.fixture(scope="module")
def page(full: World) -> Page:
    return Page(full.output / LONG / "report.html")


@pytest.fixture
def plain(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world whose reports have no charts, which take most of the time."""
    monkeypatch.setattr(reporting, "CHARTS", ())
    return world


def column(world: World, product: str, name: str, day: str = LONG) -> list[float]:
    rows = read_csv(world.output / day / f"{product}.csv")
    return [float(row[name]) for row in rows if row[name]]


# --- what it says ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "quantity", "product", "name"),
    [
        ("Battery", "Energy discharged", "average_power", "discharge_mwh"),
        ("Battery", "Energy charged", "average_power", "charge_mwh"),
        ("Virtual power plant", "Best-of-infeed", "portfolio_best_of_infeed", "energy_mwh"),
        ("Virtual power plant", "PnL", "trading_daily", "pnl_eur"),
        ("Virtual power plant", "Own trades", "trading_daily", "trades"),
        ("Virtual power plant", "Imbalance cost", "portfolio_imbalance_cost", "cost_eur"),
    ],
)
def test_totals_are_those_of_the_csv_files(
    full: World, page: Page, table: str, quantity: str, product: str, name: str
) -> None:
    total = page.row(f"{table}, totals", quantity)[0]
    values = column(full, product, name)
    assert values
    assert total == pytest.approx(math.fsum(values), rel=1e-9)


def test_wind_and_solar_are_those_of_the_csv_file(full: World, page: Page) -> None:
    rows = read_csv(full.output / LONG / "wind_solar_summary.csv")
    assert len(rows) == 3
    for row in rows:
        kind = row["psr_type"].capitalize()
        energy, covered = page.row("Wind and solar, totals", kind)
        assert energy == float(row["energy_mwh"])
        assert covered == "100%"
        lowest, mean, highest, _ = page.row("Wind and solar, lowest, mean and highest", kind)
        assert [lowest, mean, highest] == [
            float(row[name]) for name in ("minimum_mw", "mean_mw", "maximum_mw")
        ]


def test_frequency_is_that_of_the_provider(page: Page, served: Sandbox) -> None:
    samples = true_frequency(served, "2024-10-26T23:00:00Z", "2024-10-28T00:00:00Z")
    hertz = [value for _, value in samples]
    assert len(hertz) == 6000
    told = page.row("Frequency, lowest, mean and highest", "Frequency")
    assert told[0] == min(hertz)
    assert told[2] == max(hertz)
    assert told[1] == pytest.approx(math.fsum(hertz) / len(hertz), rel=1e-9)
    outside = sum(15 for value in hertz if abs(value - 50) > 0.2)
    assert page.row("Frequency, totals", "Time outside 49.8 to 50.2 Hz")[0] == outside


def test_levels_are_those_of_the_store(full: World, page: Page) -> None:
    window = ("2024-10-26T23:00:00Z", "2024-10-28T00:00:00Z")
    for table, quantity, stored, name in (
        ("Demand", "National demand", "demand_outturn", "national_demand_mw"),
        ("Prices", "System price", "system_prices", "system_buy_price_gbp_per_mwh"),
        ("Carbon intensity", "Carbon intensity", "carbon_intensity", "actual_gco2_per_kwh"),
    ):
        rows = rows_of(full.database, stored)
        values = [row[name] for row in rows if window[0] <= row["period_start"] < window[1]]
        assert len(values) == 50
        lowest, mean, highest, covered = page.row(f"{table}, lowest, mean and highest", quantity)
        assert (lowest, highest, covered) == (min(values), max(values), "100%")
        assert mean == pytest.approx(math.fsum(values) / 50)


def test_every_dataset_and_product_of_the_day_is_listed(full: World, page: Page) -> None:
    listed = {str(row[0]): row[1:] for row in page.tables["Coverage of datasets and products"][1:]}
    ledger = [row for row in rows_of(full.database, "ledger") if row["day"] == LONG]
    assert len(ledger) > 25
    for row in ledger:
        state, rows, *_ = listed[f"{row['key']} {row['scope']}".rstrip()]
        assert (state, rows) == (row["state"], f"{row['rows']:,} of {row['expected']:,}")


def test_it_is_one_file_with_everything_in_it(page: Page) -> None:
    assert len(page.text.encode()) < MOST_BYTES
    assert "<script" not in page.text
    assert not re.search(r"@import|url\((?!#)", page.text)
    inside = [value for _, value in page.addresses if value.startswith("#")]
    outside = [(tag, value) for tag, value in page.addresses if not value.startswith("#")]
    assert all(f'id="{value[1:]}"' in page.text for value in inside)
    assert {tag for tag, _ in outside} == {"a"}
    named = re.findall(r' id="([^"]+)"', page.text)
    assert len(set(named)) == len(named) or _only_clips_repeat(named)
    assert len(page.heard) == 10
    assert all(re.search(r"mean -?\d", said) for said in page.heard)


def _only_clips_repeat(named: list[str]) -> bool:
    """Matplotlib may define the same shape twice within one drawing, under one name of its content."""
    return all(named.count(name) == 1 or re.search(r"-[mp][0-9a-f]{10}$", name) for name in named)


# --- when it is written ---------------------------------------------------------------------------


def test_a_run_with_nothing_new_leaves_it_alone_and_a_change_makes_it_anew(plain: World) -> None:
    path = plain.output / LONG / "report.html"
    plain.run(LONG, LONG, REPORT_DAYS="1")
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    plain.run(LONG, LONG, REPORT_DAYS="1")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    plain.run(LONG, LONG, REPORT_DAYS="1", only=["frequency_quality"])
    assert path.read_bytes() != before[0]
    told = Page(path).row("Frequency, totals", "Time outside 49.8 to 50.2 Hz")[0]
    assert told == math.fsum(column(plain, "frequency_quality", "seconds_outside_49_8_50_2"))
    path.unlink()
    plain.run(LONG, LONG, REPORT_DAYS="0")
    assert not path.exists()


def test_only_the_newest_days_get_one(plain: World) -> None:
    for _ in range(2):  # and the others not the next time
        plain.run("2024-10-25", LONG, REPORT_DAYS="2")
        written = sorted(path.parent.name for path in plain.output.glob("*/report.html"))
        assert written == ["2024-10-26", LONG]
    assert "48 settlement periods" in (plain.output / "2024-10-26" / "report.html").read_text()


def test_holes_of_a_day_are_told(plain: World) -> None:
    plain.run(GAPPY, GAPPY, REPORT_DAYS="1")
    entry = plain.ledger("frequency")[GAPPY]
    assert entry["state"] == "partial"
    page = Page(plain.output / GAPPY / "report.html")
    told = f"frequency, partial, {entry['rows']:,} of {entry['expected']:,} rows: answered in part"
    assert told in page.words
    state, _, covered, _ = page.row("Coverage of datasets and products", "frequency")
    assert (state, covered) == ("partial", f"{entry['coverage']:.1%}")
    assert page.row("Frequency, totals", "Time outside 49.8 to 50.2 Hz")[1] == covered


def test_the_short_day(plain: World) -> None:
    plain.run(SHORT, SHORT, REPORT_DAYS="1")
    page = Page(plain.output / SHORT / "report.html")
    assert "Sunday, 46 settlement periods (23 hours" in page.words
    total = page.row("Battery, totals", "Energy discharged")[0]
    values = column(plain, "average_power", "discharge_mwh", SHORT)
    assert len(values) == 46
    assert total == pytest.approx(math.fsum(values), rel=1e-9)


def test_a_day_of_which_nothing_came_has_none(world: World, impatient: None) -> None:
    report = world.run(LONG, LONG, REPORT_DAYS="1", ELEXON_BASE_URL="http://127.0.0.1:9")
    assert report.failures
    assert not list(world.output.rglob("report.html"))


def test_what_was_never_asked_or_not_made_is_a_hole(world: World) -> None:
    world.fetch(["wind_solar"], SHORT)
    day = date.fromisoformat(SHORT)
    with world.store() as store:
        entries = store.entries_of_days(day, day)
        content = reporting.content_of(store, day, entries, world.settings(), instant(NOW))
    assert content.holes == [
        "frequency, due: never asked",
        "wind_solar_summary, due: not computed, though there are inputs",
    ]
    assert [chart.key for chart in content.charts] == ["wind_solar"]


def test_a_failing_report_fails_no_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(reporting, "made", lambda *_: 1 / 0)
    monkeypatch.setattr(log, "exception", lambda text, *of: said.append(text % of))
    report = world.run(LONG, LONG, REPORT_DAYS="1")
    assert report.exit_code == 0
    assert said == [f"report.html of {LONG} was not written for an unforeseen reason"]
    assert not (world.output / LONG / "report.html").exists()


def test_without_the_extra_there_is_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "can_draw", lambda: False)
    assert world.run(LONG, LONG, REPORT_DAYS="1").exit_code == 0
    assert not list(world.output.rglob("report.html"))


# --- the command ----------------------------------------------------------------------------------


def test_the_command_and_the_same_bytes_everywhere(cli: Cli) -> None:
    assert cli("run", "--date", LONG).returncode == 0
    assert not (cli.output / LONG / "report.html").exists()  # REPORT_DAYS is 0 here
    done = cli("report")
    written = cli.output / LONG / "report.html"
    assert (done.returncode, done.stdout) == (0, f"written: {written}\n"), done.stderr
    elsewhere = {"TZ": "Pacific/Apia", "PYTHONHASHSEED": "7", "LC_ALL": "C", "PYTHONUTF8": "0"}
    done = cli("report", "--date", LONG, "--to", "day.html", **elsewhere)
    assert done.returncode == 0, done.stderr
    assert (cli.folder / "day.html").read_bytes() == written.read_bytes()
