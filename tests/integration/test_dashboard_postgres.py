"""Every page over PostgreSQL says what it says over SQLite: the same store, copied by the command.

Pages run through Streamlit's own test harness; ``analyze`` and ``report`` are held against each other, too.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import main
from tests.integration.postgres import PASSWORD, PostgresServer, libraries_are_there
from tests.integration.test_dashboard_markets_vpp import BERLIN, DAY, the_day

pytestmark = pytest.mark.skipif(
    not libraries_are_there()
    or importlib.util.find_spec("streamlit") is None
    or importlib.util.find_spec("plotly") is None,
    reason="needs the libraries of 'python3 run.py test --all'",
)

DATASETS = (
    "frequency,wind_solar,day_ahead_wind_forecast,system_prices,market_index,carbon_intensity,"
    "entsoe_day_ahead_prices,entsoe_load,entsoe_generation,vpp"
)
PRODUCTS = (
    "average_power,wind_solar_summary,frequency_quality,frequency_events,frequency_histogram,"
    "generation_mix,best_of_infeed,portfolio_best_of_infeed,trading,trading_daily,imbalance_cost,"
    "portfolio_imbalance_cost,invoices,performance_daily,performance_report"
)
# What is chosen on a page: the state of a widget, and its values one after the other.
PARTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "today": ("", ("",)),
    "frequency": ("frequency-part", ("Series", "Distribution")),
    "wind_solar": (
        "wind-solar-part",
        ("Overview", "Profiles", "Duration", "Ramps", "Droughts", "Forecasts", "Compare"),
    ),
    "markets": ("markets", ("GB prices", "European prices", "Load", "Generation")),
    "vpp": ("vpp", ("Infeed", "Forecast", "Trading", "Imbalance", "Performance", "Invoices")),
    "explorer": ("table", ("frequency", "wind_solar", "invoices", "trades")),
    "data": ("", ("",)),
}


@pytest.fixture(scope="module")
def stores(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> Iterator[tuple[str, str]]:
    """The addresses of a store of a day in SQLite, and of its copy in PostgreSQL."""
    with the_day(tmp_path_factory.mktemp("both"), DATASETS, PRODUCTS) as world:
        pass
    one, other = f"sqlite:///{world.database}", postgres.new_database()
    done = CliRunner().invoke(main.app, ["copy", "--from", one, "--to", other])
    assert done.exit_code == 0, done.output
    yield one, other


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, clean_environment: None) -> pytest.MonkeyPatch:
    monkeypatch.setenv("VPP_DELIVERY_DAY", str(BERLIN))
    return monkeypatch


def page(url: str, name: str, state: str, value: str, settings: pytest.MonkeyPatch) -> Any:
    from streamlit.testing.v1 import AppTest

    settings.setenv("STORE_URL", url)

    def script(name: str) -> None:
        import importlib

        from dashboard.frame import standing

        standing(importlib.import_module(f"dashboard.{name}"))()

    shown = AppTest.from_function(script, default_timeout=60, kwargs={"name": name})
    if state:
        shown.session_state[state] = value
    if name == "explorer":
        shown.session_state["chart"] = value == "wind_solar"
    shown.run()
    assert not shown.exception and not shown.error, (name, value)
    return shown


def told(shown: Any) -> list[str]:
    """Words and figures of a page outside of tables and charts, but for what is each store's own."""
    kinds = ("title", "caption", "header", "metric", "markdown", "info", "warning", "code")
    texts = []
    for kind in kinds:
        for each in getattr(shown, kind):
            label = getattr(each, "label", "")
            texts.append(f"{kind} {label} {each.value}")
    own = re.compile(r"SQLite|PostgreSQL|\.db|MB|kB| ago")
    return [text for text in texts if not own.search(text)]


@pytest.mark.parametrize("name", PARTS)
def test_a_page_says_the_same(
    stores: tuple[str, str], settings: pytest.MonkeyPatch, name: str
) -> None:
    state, values = PARTS[name]
    charts = 0
    for value in values:
        one, other = (page(url, name, state, value, settings) for url in stores)
        assert told(one) == told(other), value
        assert len(told(one)) > 3
        for mine, theirs in zip(one.dataframe, other.dataframe, strict=True):
            if "size" not in " ".join(map(str, mine.value.columns)):
                pd.testing.assert_frame_equal(mine.value, theirs.value, rtol=1e-9)
        found = [len(shown.get("plotly_chart")) for shown in (one, other)]
        assert found[0] == found[1], value
        charts += found[0]
        assert PASSWORD not in repr(other.main)
    assert charts or name in ("today", "data")


def test_a_store_tells_when_it_changed(stores: tuple[str, str]) -> None:
    import storage

    with storage.open_store(stores[1], create=False) as looking:
        before = looking.moment()
        assert looking.moment() == before
        with storage.open_store(stores[1]) as writing:
            writing.execute("UPDATE meta SET value = value")
        assert looking.moment() != before


@pytest.mark.parametrize(
    "command",
    [
        ["analyze", "--start", str(DAY), "--format", "csv"],
        ["analyze", "frequency", "--start", str(DAY), "--format", "csv"],
        ["analyze", "trading", "--format", "csv"],
    ],
)
def test_analysis_says_the_same(
    stores: tuple[str, str], settings: pytest.MonkeyPatch, command: list[str]
) -> None:
    said = []
    for url in stores:
        done = CliRunner().invoke(main.app, command, env={"STORE_URL": url})
        assert done.exit_code == 0, done.output
        lines = [re.split(r",(?=[^,]*$)", line) for line in done.stdout.splitlines()]
        said.append([[_rounded(cell) for cell in line] for line in lines])
    assert said[0] == said[1]
    assert len(said[0]) > 10


def _rounded(text: str) -> str:
    return re.sub(r"-?\d+\.\d{6,}", lambda found: f"{float(found[0]):.8g}", text)


def test_the_day_as_a_report(
    stores: tuple[str, str], settings: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    sizes = []
    for n, url in enumerate(stores):
        file = tmp_path / f"{n}.html"
        done = CliRunner().invoke(
            main.app,
            ["report", "--date", str(DAY), "--to", str(file)],
            env={"STORE_URL": url, "OUTPUT_DIR": str(tmp_path)},
        )
        assert done.exit_code == 0, done.output
        text = file.read_text(encoding="utf-8")
        assert PASSWORD not in text
        sizes.append((text.count("<svg"), text.count("<tr"), text.count("data:image")))
    assert sizes[0] == sizes[1] and sum(sizes[0]) > 10
