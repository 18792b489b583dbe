"""The pages Markets and Virtual power plant: their figures are those of the products' files and of the store.

One settlement day runs through the real job: the short one of March 2024, with which a month ends, by
delivery days of Europe/Berlin. Files are read as text; pages run in Streamlit's own test harness.
"""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import math
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.settlement import days_window, parse_range
from pictures import markets, vpp
from pictures.picture import Band, Line, Panel
from read_files import SYNTHETIC_MARK
from sandbox import Sandbox
from sandbox.vpp import write_folder
from tests.integration.conftest import NOW, World, instant, read_csv, rows_of

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("streamlit") is None or importlib.util.find_spec("plotly") is None,
    reason="Streamlit is not installed",
)

DAY, BERLIN = date(2024, 3, 31), ZoneInfo("Europe/Berlin")
WINDOW, DELIVERY = parse_range("2024-03-31"), days_window(DAY, DAY, BERLIN)
DATASETS = "system_prices,market_index,entsoe_day_ahead_prices,entsoe_load,entsoe_generation,vpp"
PRODUCTS = (
    "generation_mix,best_of_infeed,portfolio_best_of_infeed,asset_forecast,portfolio_forecast,trading,"
    "trading_daily,imbalance_cost,portfolio_imbalance_cost,invoices,performance_daily,performance_report"
)
SUBJECTS = {
    "markets": ("GB prices", "European prices", "Load", "Generation"),
    "vpp": ("Infeed", "Forecast", "Trading", "Imbalance", "Performance", "Invoices"),
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with the_day(tmp_path_factory.mktemp("markets"), DATASETS, PRODUCTS) as world:
        yield world


@contextlib.contextmanager
def the_day(root: Path, datasets: str, products: str) -> Iterator[World]:
    """A store in which the daily job has run for the day, with a plant and two zones."""
    write_folder(root / "vpp", [DAY], defects=False)
    (root / "vpp" / SYNTHETIC_MARK).write_text("made by the sandbox\n")
    with Sandbox(now=NOW, seed=7, limits={"entsoe": None}) as sandbox:
        world = World(root, sandbox)
        world.overrides |= {
            "VPP_DIR": str(root / "vpp"),
            "VPP_DELIVERY_DAY": str(BERLIN),
            "ENTSOE_ZONES": "DE_LU,FR",
            "ENTSOE_REQUESTS_PER_S": "1000",
        }
        world.run(DAY.isoformat(), DATASETS=datasets, PRODUCTS=products)
        yield world


def csv_of(world: World, product: str) -> list[dict[str, str]]:
    return read_csv(world.output / f"{product}.csv")


def corners(panel: Panel, label: str, kind: type = Line) -> dict[str, float]:
    """What a mark shows at the start of each interval; where it shows nothing there is no entry."""
    (mark,) = [m for m in panel.marks if isinstance(m, kind) and m.label == label]  # type: ignore[union-attr]
    found: dict[str, float] = {}
    heights = mark.value if isinstance(mark, Band) else mark.y  # type: ignore[union-attr]
    for at, value in zip(mark.x, heights, strict=True):  # type: ignore[union-attr]
        # The later corner at a moment is the one of the interval that begins there.
        found[str(at)[:19] + "Z"] = float(value)
    last = str(mark.x[-1])[:19] + "Z"  # type: ignore[union-attr]
    return {at: value for at, value in found.items() if not math.isnan(value) and at != last}


def column(rows: list[dict[str, str]], name: str, **where: str) -> dict[str, float]:
    wanted = [row for row in rows if all(row[key] == value for key, value in where.items())]
    return {row["period_start"]: float(row[name]) for row in wanted if row[name]}


# --- pictures -------------------------------------------------------------------------------------


def test_the_picture_of_trading_is_the_file(filled: World) -> None:
    rows = csv_of(filled, "trading")
    with filled.store() as store:
        picture = vpp.trading(store, DELIVERY, BERLIN)
    assert picture is not None
    prices, energies, position, money = picture.panels
    shown = {
        "private_vwap_eur_per_mwh": (prices, "private VWAP"),
        "public_vwap_eur_per_mwh": (prices, "public VWAP"),
        "net_mwh": (energies, "net: sold − bought"),
        "open_position_mwh": (position, "open position"),
        "revenue_eur": (money, "revenue"),
    }
    for name, (panel, label) in shown.items():
        told, drawn = column(rows, name), corners(panel, label)
        assert told and len(told) <= 92
        changes = {at: told[at] for at in drawn if at in told}
        assert drawn == pytest.approx(changes), name
        assert set(told) == set(drawn), name


def test_the_infeed_of_an_asset_shows_the_source_that_the_file_names(filled: World) -> None:
    rows = csv_of(filled, "best_of_infeed")
    assets = sorted({row["asset_id"] for row in rows})
    seen = set()
    with filled.store() as store:
        for asset in assets:
            picture = vpp.infeed(store, DELIVERY, asset, BERLIN)
            assert picture is not None
            for source in ("final", "live", "forecast"):
                told = column(rows, "power_kw", asset_id=asset, source=source)
                drawn = corners(picture.panels[0], source, Band)
                assert drawn == pytest.approx(told), (asset, source)
                seen |= {source} if told else set()
    assert len(assets) == 6
    assert seen == {"final", "live", "forecast"}


def test_the_generation_mix_is_the_products_file(filled: World) -> None:
    rows = csv_of(filled, "generation_mix")
    with filled.store() as store:
        picture = markets.generation_mix(store, WINDOW, "FR")
    assert picture is not None
    for group, label in (("wind", "Wind"), ("nuclear", "Nuclear")):
        told = column(rows, "generation_mw", zone="FR", psr_group=group)
        assert len(told) > 40
        assert corners(picture.panels[0], label, Band) == pytest.approx(told)


def test_day_ahead_prices_are_those_stored_each_with_its_currency(filled: World) -> None:
    stored = rows_of(filled.database, "entsoe_day_ahead_prices")
    with filled.store() as store:
        prices = markets.day_ahead(store, WINDOW, ["DE_LU", "FR"])
        picture = markets.day_ahead_prices(store, WINDOW, prices)
    assert picture is not None
    (panel,) = picture.panels
    assert panel.y_label == "day-ahead price [EUR/MWh]"
    for zone in ("DE_LU", "FR"):
        told = {
            row["period_start"]: row["price_per_mwh"]
            for row in stored
            if row["zone"] == zone
            and row["auction_sequence"] == 1
            and WINDOW.start <= instant(row["period_start"]) < WINDOW.end
        }
        assert len(told) >= 23
        assert corners(panel, zone) == pytest.approx(told)


# --- pages ----------------------------------------------------------------------------------------


def page(name: str, database: Path, settings: pytest.MonkeyPatch, **more: str) -> Any:
    from streamlit.testing.v1 import AppTest

    for key, value in {"STORE_URL": f"sqlite:///{database}", **more}.items():
        settings.setenv(key, value)

    def script(name: str) -> None:
        import importlib

        from dashboard.frame import standing

        standing(importlib.import_module(f"dashboard.{name}"))()

    return AppTest.from_function(script, default_timeout=60, kwargs={"name": name}).run()


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, clean_environment: None) -> pytest.MonkeyPatch:
    return monkeypatch


def chosen(shown: Any, name: str, subject: str) -> Any:
    return shown.segmented_control(key=name).set_value(subject).run()


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_subject_shows_its_charts(
    filled: World, settings: pytest.MonkeyPatch, name: str
) -> None:
    shown = page(name, filled.database, settings, VPP_DELIVERY_DAY=str(BERLIN))
    for subject in SUBJECTS[name]:
        chosen(shown, name, subject)
        assert not shown.exception and not shown.error, subject
        if subject == "Invoices":
            continue
        assert shown.get("plotly_chart"), subject
        ranges = [caption.value for caption in shown.caption if "UTC" in caption.value]
        assert ranges, subject
        label = "delivery day (Europe/Berlin)" if name == "vpp" else "settlement day"
        assert [each.label for each in shown.date_input] == [f"First {label}", f"Last {label}"]


def test_an_asset_is_chosen_and_its_performance_is_the_files(
    filled: World, settings: pytest.MonkeyPatch
) -> None:
    shown = page("vpp", filled.database, settings, VPP_DELIVERY_DAY=str(BERLIN))
    chosen(shown, "vpp", "Performance")
    rows = csv_of(filled, "performance_report")
    for asset in ("PORTFOLIO", "WIND_01"):
        if asset != "PORTFOLIO":
            shown.selectbox(key="asset").set_value(asset).run()
        (told,) = [row for row in rows if row["asset_id"] == asset]
        table = shown.dataframe[0].value
        assert len(table) == 1
        for figure in (
            "production_mwh",
            "capacity_factor",
            "market_value_eur",
            "imbalance_cost_eur",
        ):
            assert table[figure].iloc[0] == pytest.approx(float(told[figure])), figure
    every = shown.dataframe[1].value
    assert sorted(every["asset_id"]) == sorted(row["asset_id"] for row in rows)


def test_trading_by_day_is_the_file(filled: World, settings: pytest.MonkeyPatch) -> None:
    shown = page("vpp", filled.database, settings, VPP_DELIVERY_DAY=str(BERLIN))
    table = chosen(shown, "vpp", "Trading").dataframe[0].value
    (told,) = [
        row for row in csv_of(filled, "trading_daily") if row["delivery_date"] == DAY.isoformat()
    ]
    (row,) = table[table["delivery_date"].astype("str") == DAY.isoformat()].to_dict("records")
    for name in ("revenue_eur", "pnl_eur", "spread_eur_per_mwh", "open_position_mwh"):
        assert row[name] == pytest.approx(float(told[name])), name
    assert row["quarter_hours"] == 92


def test_invoices_stand_as_the_exact_texts_of_the_file(
    filled: World, settings: pytest.MonkeyPatch
) -> None:
    rows = csv_of(filled, "invoices")
    shown = page("vpp", filled.database, settings, VPP_DELIVERY_DAY=str(BERLIN))
    table = chosen(shown, "vpp", "Invoices").dataframe[0].value
    amounts = ("production_mwh", "total_net_eur", "total_vat_eur", "total_gross_eur", "status")
    listed = {
        row["invoice_id"]: tuple("" if row[name] != row[name] else row[name] for name in amounts)
        for row in table.to_dict("records")
    }
    assert listed == {row["invoice_id"]: tuple(row[name] for name in amounts) for row in rows}
    # The one that is shown is the document as it was published.
    folder = filled.output / DAY.isoformat() / "invoices"
    (document,) = folder.glob("invoice_C-0001_2024-03_v1.html")
    (frame,) = shown.get("iframe")
    body = base64.b64decode(frame.proto.src.partition("base64,")[2])
    assert body == document.read_bytes()
    # A filter by what somebody types is text, whatever stands in it.
    for text, count in (("solar", 2), ("'; DROP TABLE invoices; --", 0), ("[", 0)):
        shown.text_input(key="invoice-text").set_value(text).run()
        assert not shown.exception and not shown.error
        assert f"**{count} invoices** of 6" in shown.markdown[0].value


def test_an_empty_store_names_the_commands_that_fill_it(
    tmp_path: Path, settings: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "none.db"
    shown = page("vpp", nowhere, settings)
    assert not shown.exception and not shown.error
    assert "VPP_DIR is not set" in shown.info[0].value
    assert shown.code[0].value == "python3 run.py dashboard --demo"
    shown = page("vpp", nowhere, settings, VPP_DIR=str(tmp_path))
    assert "python3 run.py run" in shown.code[0].value
    assert str(tmp_path) not in "".join(each.value for each in shown.info)
    shown = page("markets", nowhere, settings)
    for subject, dataset in (
        ("GB prices", "system_prices"),
        ("European prices", "entsoe_day_ahead_prices"),
        ("Load", "entsoe_load"),
        ("Generation", "generation_outturn"),
        ("Flows", "entsoe_flows"),
        ("Carbon", "carbon_intensity"),
    ):
        chosen(shown, "markets", subject)
        assert not shown.exception and not shown.error
        assert f"python3 run.py fetch {dataset}" in shown.code[0].value


def test_what_an_address_says_is_checked(filled: World, settings: pytest.MonkeyPatch) -> None:
    from streamlit.testing.v1 import AppTest

    settings.setenv("STORE_URL", f"sqlite:///{filled.database}")

    def script() -> None:
        from dashboard import vpp
        from dashboard.frame import standing

        standing(vpp)()

    shown = AppTest.from_function(script, default_timeout=60)
    for key, value in {
        "vpp": "'; DROP TABLE trading",
        "asset": "<script>alert(1)</script>",
        "start": "2024-99-99",
        "end": str(DAY + timedelta(days=9999)),
    }.items():
        shown.query_params[key] = value
    shown.run()
    assert not shown.exception and not shown.error
    assert shown.selectbox(key="asset").value == "Portfolio"
