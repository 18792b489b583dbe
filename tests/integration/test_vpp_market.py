"""Forecasts, trading and imbalance through the real job, against loops in Decimal over the same folder."""

from __future__ import annotations

import math
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import fetch_data
import process_data
import storage
from domain.settlement import day_window
from sandbox.vpp import Written, figures, write_folder

SHORT, LONG, SUMMER = date(2024, 3, 31), date(2024, 10, 27), date(2024, 7, 1)
DAYS = (SHORT, LONG, SUMMER)
PRODUCTS = (
    "best_of_infeed",
    "portfolio_best_of_infeed",
    "asset_forecast",
    "portfolio_forecast",
    "trading",
    "trading_daily",
    "imbalance_cost",
    "portfolio_imbalance_cost",
)
# To the clock without changes all days are alike.
CLOCKS = {"UTC": (SUMMER,), "Europe/Berlin": DAYS}
CASES = [(zone, day) for zone, days in CLOCKS.items() for day in days]
LENGTHS = {("Europe/Berlin", SHORT): 92, ("Europe/Berlin", LONG): 100}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """One folder with all its dirt and defects."""
    written = write_folder(tmp_path_factory.mktemp("vpp"), DAYS)
    (written.folder / "SYNTHETIC.txt").write_text("made by the sandbox\n")
    return written


def settings(home: Path, folder: Path, zone: str = "UTC") -> dict[str, str]:
    return {
        "STORE_URL": f"sqlite:///{home / 'grid.db'}",
        "OUTPUT_DIR": str(home / "output"),
        "VPP_DIR": str(folder),
        "VPP_DELIVERY_DAY": zone,
    }


@pytest.fixture(scope="module")
def homes(written: Written, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """A store with every product of every day, by delivery clock."""
    found = {}
    first = settings(tmp_path_factory.mktemp("home"), written.folder)
    fetch_data.fetch(["vpp"], SHORT.isoformat(), **first)
    for zone, days in CLOCKS.items():
        home = tmp_path_factory.mktemp("home")
        shutil.copy(first["STORE_URL"].removeprefix("sqlite:///"), home / "grid.db")
        chosen = settings(home, written.folder, zone)
        for day in days:
            done = process_data.process(PRODUCTS, day.isoformat(), **chosen)
            assert [part.computed for part in done] == [1] * len(PRODUCTS)
        found[zone] = chosen
    return found


def read(chosen: dict[str, str], key: str, day: date, zone: str) -> list[Any]:
    span = day_window(day, ZoneInfo(zone))
    start, end = (f"{moment:%Y-%m-%dT%H:%MZ}" for moment in (span.start, span.end))
    with storage.open_store(chosen["STORE_URL"]) as store:
        return list(store.read(key, start, end).itertuples())


def second(moment: Any) -> int:
    return int(moment.timestamp())


def assert_equal(found: float, wanted: Decimal | None, within: float = 1e-9) -> None:
    if wanted is None:
        assert math.isnan(found)
    else:
        assert abs(found - float(wanted)) <= within, (found, wanted)


@pytest.mark.parametrize(("zone", "day"), CASES)
def test_forecasts_equal_the_truth(
    written: Written, homes: dict[str, dict[str, str]], zone: str, day: date
) -> None:
    count = LENGTHS.get((zone, day), 96)
    rows = read(homes[zone], "asset_forecast", day, zone)
    assert len(rows) == 6 * count
    for row in rows:
        for kind in ("latest", "tradeable"):
            right = figures.told(
                written.truth, row.asset_id, second(row.period_start), tradeable=kind == "tradeable"
            )
            assert right is not None
            assert second(getattr(row, f"{kind}_version")) == right.version
            assert_equal(getattr(row, f"{kind}_power_kw"), right.power_kw)
            assert_equal(getattr(row, f"{kind}_energy_mwh"), right.energy_mwh)
    sums = read(homes[zone], "portfolio_forecast", day, zone)
    assert len(sums) == count
    for row in sums:
        for kind in ("latest", "tradeable"):
            both = figures.portfolio_told(
                written.truth, second(row.period_start), tradeable=kind == "tradeable"
            )
            assert both is not None
            assert_equal(getattr(row, f"{kind}_power_kw"), both.power_kw)
            assert_equal(getattr(row, f"{kind}_energy_mwh"), both.energy_mwh)
            assert getattr(row, f"{kind}_assets") == both.assets == row.assets
            assert second(getattr(row, f"{kind}_oldest_version")) == both.oldest


@pytest.mark.parametrize(("zone", "day"), CASES)
def test_trading_equals_the_truth(
    written: Written, homes: dict[str, dict[str, str]], zone: str, day: date
) -> None:
    right = figures.trading(written.truth, day, zone)
    rows = read(homes[zone], "trading", day, zone)
    assert len(rows) == len(right) == LENGTHS.get((zone, day), 96)
    for row in rows:
        here = right[second(row.period_start)]
        assert_money(row, here)
        assert row.trades == len(here.trades)
        assert row.trades_begun == len(here.begun)
        assert row.public_trades == len(here.public_trades)
    (total,) = read(homes[zone], "trading_daily", day, zone)
    truth = figures.total(right.values())
    assert_money(total, truth)
    assert total.delivery_date.date() == day
    assert total.trades == len(truth.begun)
    assert total.quarter_hours == len(right) == total.infeed_quarter_hours
    assert total.traded_quarter_hours == sum(bool(one.trades) for one in right.values())
    assert total.public_quarter_hours == sum(bool(one.public_trades) for one in right.values())
    # The quiet hour, which nobody trades in public, has no price and no spread.
    assert total.public_quarter_hours == len(right) - 4


def assert_money(row: Any, right: figures.Traded) -> None:
    assert_equal(row.revenue_eur, right.revenue)
    assert_equal(row.pnl_eur, right.pnl)
    assert_equal(row.sell_mwh, right.sell)
    assert_equal(row.buy_mwh, right.buy)
    assert_equal(row.net_mwh, right.sell - right.buy)
    assert_equal(row.private_vwap_eur_per_mwh, right.private_vwap)
    assert_equal(row.public_vwap_eur_per_mwh, right.public_vwap)
    assert_equal(row.spread_eur_per_mwh, right.spread)
    assert_equal(row.public_mwh, right.public_mwh)
    assert_equal(row.infeed_mwh, right.infeed)
    assert_equal(row.open_position_mwh, right.open_position)


@pytest.mark.parametrize("kind", ["tradeable", "latest"])
@pytest.mark.parametrize(("zone", "day"), CASES)
def test_imbalance_equals_the_truth(
    written: Written, homes: dict[str, dict[str, str]], zone: str, day: date, kind: str
) -> None:
    chosen = homes[zone] | {"VPP_IMBALANCE_FORECAST": kind}
    process_data.process(PRODUCTS[-2:], day.isoformat(), **chosen)
    assets = figures.imbalance_costs(written.truth, day, zone, tradeable=kind == "tradeable")
    rows = read(chosen, "imbalance_cost", day, zone)
    assert len(rows) == len(assets) == 6 * LENGTHS.get((zone, day), 96)
    for row in rows:
        right = assets[row.asset_id, second(row.period_start)]
        assert_imbalance(row, right)
        assert row.unknown == ("measurement" if right.unknown_assets else "")
        assert row.forecast == kind
    sums = figures.portfolio_imbalance_costs(
        written.truth, day, zone, tradeable=kind == "tradeable"
    )
    found = read(chosen, "portfolio_imbalance_cost", day, zone)
    assert len(found) == len(sums)
    for row in found:
        right = sums[second(row.period_start)]
        assert_imbalance(row, right, within=6e-9)  # six rounded addends
        assert row.unknown_assets == right.unknown_assets
        assert row.coverage == pytest.approx(1 - right.unknown_assets / 6, abs=1e-9)
    assert {row.unknown_assets for row in found} >= {0, 1}
    assert {row.price_source for row in found} == {"final", "estimate"}
    assert {row.doubtful for row in found} == {0, 1}
    assert any(row.cost_eur < 0 for row in found)


def assert_imbalance(row: Any, right: figures.Imbalance, within: float = 1e-9) -> None:
    told = right.forecast_mwh
    assert_equal(row.forecast_mwh, told, within)
    assert_equal(row.measured_mwh, right.measured_mwh, within)
    assert_equal(row.imbalance_mwh, right.imbalance_mwh, within)
    assert_equal(row.price_eur_per_mwh, right.price)
    assert_equal(row.cost_eur, right.cost_eur, within)
    doubtful = right.price_source == "doubtful"
    assert (row.price_source, row.doubtful) == (
        "estimate" if doubtful else right.price_source,
        int(doubtful),
    )


def test_the_unit_of_trades_can_be_overridden(
    written: Written, homes: dict[str, dict[str, str]]
) -> None:
    chosen = homes["UTC"] | {"VPP_PRIVATE_VOLUME_UNIT": "MWH"}
    process_data.process(["trading_daily"], SUMMER.isoformat(), **chosen)
    (total,) = read(chosen, "trading_daily", SUMMER, "UTC")
    span = day_window(SUMMER, ZoneInfo("UTC"))
    inside = [
        trade
        for trade in written.truth.private_trades
        if span.start.timestamp() <= trade.start < span.end.timestamp()
    ]
    assert_equal(
        total.sell_mwh,
        sum((one.volume for one in inside if one.sides == ("SELL",)), Decimal(0)),
    )
    process_data.process(["trading_daily"], SUMMER.isoformat(), **homes["UTC"])


# --- what is read ------------------------------------------------------------------------------


def table(home: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(home / "grid.db")) as db:
        return db.execute(sql).fetchall()


def home_of(chosen: dict[str, str]) -> Path:
    return Path(chosen["OUTPUT_DIR"]).parent


def test_every_trade_and_price_is_stored_once(
    written: Written, homes: dict[str, dict[str, str]]
) -> None:
    home, truth = home_of(homes["UTC"]), written.truth
    # What lies before belongs to the day of defects.
    since = "WHERE period_start >= '2024-03-26'"
    for kind, trades in (("private", truth.private_trades), ("public", truth.public_trades)):
        sql = f"SELECT trade_id, price_eur_per_mwh, volume, volume_unit FROM vpp_{kind}_trades {since}"
        assert sorted(table(home, sql)) == sorted(
            (one.trade_id, float(one.price), float(one.volume), one.unit) for one in trades
        )
        assert table(home, f"SELECT count(*) FROM vpp_{kind}_trades_history") == [(0,)]
    prices = dict(
        table(home, f"SELECT period_start, price_eur_per_mwh FROM vpp_redispatch_prices {since}")
    )
    assert sorted(prices.values()) == sorted(float(one) for one in truth.compensation.values())
    final = "SELECT price_eur_per_mwh, price_long_eur_per_mwh FROM vpp_imbalance_prices"
    assert sorted(table(home, f"{final} {since} AND kind = 'final'")) == sorted(
        (float(one.final_short), float(one.final_long))
        for one in truth.imbalance.values()
        if one.final_short is not None and one.final_long is not None
    )
    estimate = "SELECT price_eur_per_mwh, status FROM vpp_imbalance_prices WHERE kind = 'estimate'"
    assert sorted(table(home, estimate)) == sorted(
        (float(one.estimate), one.status or 0)
        for one in truth.imbalance.values()
        if one.estimate is not None
    )


HEADER = "TradeId;Side;DeliveryStart;DeliveryEnd;ExecutionTime;Price;Currency;Volume;VolumeUnit"
GOOD = "1;SELL;2024-07-01T10:00:00Z;2024-07-01T11:00:00Z;2024-06-30T12:00:00.250Z;50.00;EUR;4.0;MW"
BAD_TRADES = {
    GOOD.replace("50.00", "54,20").replace("1;", "2;", 1): "54,20",
    GOOD.replace(";MW", ";GW").replace("1;", "3;", 1): "'GW' is not MW or MWH",
    GOOD: "TradeId 1 is listed twice, first in line 3: it counts once",
    GOOD.replace("SELL", "HOLD").replace("1;", "4;", 1): "'HOLD' is not SELL or BUY",
    GOOD.replace("EUR", "GBP").replace("1;", "5;", 1): "'GBP' is not EUR",
    GOOD.replace("10:00:00Z", "10:07:00Z").replace("1;", "6;", 1): "not on a quarter hour",
    GOOD.replace("11:00:00Z", "09:00:00Z").replace("1;", "7;", 1): "is no delivery",
    GOOD.replace("4.0", "4000").replace("1;", "8;", 1): "the unit label contradicts the value",
    GOOD.replace("4.0", "-4.0").replace("1;", "9;", 1): "is negative",
    GOOD.replace("2024-06-30T", "0001-01-01T").replace("1;", "10;", 1): "1 is not between 2000",
    GOOD.replace("1;", "", 1): "8 cells where the header has 9",
}
CONTRACTS = (
    "contract_id,asset_id,metering_point_id,capacity,technology,contract_begin,contract_end,"
    "price_model,price,fee_model,fee,fee_percent\n"
    "C-1,WIND_01,DE1,6.2,wind,2022-01-01,2027-12-31,fixed,58.0,fixed_as_produced,2.1,\n"
    "C-2,WIND_01,DE1,6.2,wind,2024-01-01,2024-12-31,fixed,60.0,fixed_as_produced,2.1,\n"
    "C-3,WIND_02,DE2,3.0,wind,2022-01-01,2023-12-31,fixed,60.0,fixed_as_produced,2.1,\n"
    "C-4,WIND_02,DE2,3.0,wind,2024-01-01,2024-12-31,fixed,60.0,fixed_as_produced,2.1,\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "vpp"
    for name in ("crm", "exchange", "imbalance", "distribution_system_operator"):
        (folder / name).mkdir(parents=True)
    (folder / "crm" / "asset_contracts_20240601_053000.csv").write_text(CONTRACTS)
    return folder


def fetched(home: Path, folder: Path) -> Iterator[str]:
    report = fetch_data.fetch(["vpp"], SUMMER.isoformat(), **settings(home, folder))
    for part in report.fetched:
        yield from part.rejected


def test_each_fault_of_a_trade_has_its_own_message(tmp_path: Path, folder: Path) -> None:
    lines = ["# Private trades", HEADER, GOOD, *BAD_TRADES]
    (folder / "exchange" / "Private_Trades-a.csv").write_text("\n".join(lines) + "\n")
    said = [line for line in fetched(tmp_path, folder) if "Private" in line]
    assert len(said) == len(BAD_TRADES)
    for number, (line, wanted) in enumerate(zip(said, BAD_TRADES.values(), strict=True), start=4):
        assert f"line {number}: " in line
        assert wanted in line
    stored = table(
        tmp_path,
        "SELECT trade_id, side, execution_time, volume, volume_unit FROM vpp_private_trades",
    )
    assert stored == [("1", "SELL", "2024-06-30T12:00:00Z", 4.0, "MW")]


def test_two_contracts_for_one_asset_and_day_are_said(tmp_path: Path, folder: Path) -> None:
    (said,) = fetched(tmp_path, folder)
    assert "WIND_01 has two contracts for the same days, C-1 and C-2" in said
    assert table(tmp_path, "SELECT count(*) FROM vpp_assets") == [(4,)]


def test_final_values_that_contradict_their_unit_are_refused(tmp_path: Path, folder: Path) -> None:
    path = folder / "distribution_system_operator" / "final_production_DE1_20240701.csv"
    path.write_text("delivery_start__utc_,DE1__kw_\n2024-07-01 10:00:00 UTC,6200000\n")
    said = [line for line in fetched(tmp_path, folder) if "final" in line]
    assert len(said) == 1
    assert "1000 times the capacity of WIND_01: the unit label contradicts" in said[0]


def test_public_trades_may_list_both_legs(tmp_path: Path, folder: Path) -> None:
    other = GOOD.replace("SELL", "BUY")
    lines = [
        "# Public trades", HEADER, GOOD, other, GOOD, other.replace("50.00", "51.00"),
        GOOD.replace("1;", "2;", 1),
    ]  # fmt: skip
    (folder / "exchange" / "Public_Trades-a.csv").write_text("\n".join(lines) + "\n")
    said = [line for line in fetched(tmp_path, folder) if "Public" in line]
    assert len(said) == 2
    assert "line 5: TradeId 1 is listed twice as SELL" in said[0]
    assert "line 6: TradeId 1 is listed twice as BUY" in said[1]
    assert table(tmp_path, "SELECT trade_id FROM vpp_public_trades") == [("1",), ("2",)]


IMBALANCE = "Datum;Zeitzone;von;bis;Datenkategorie;Datentyp;Einheit;AEP-Schätzer;Status"


def test_imbalance_prices_are_read_as_germans_write_them(tmp_path: Path, folder: Path) -> None:
    rows = {
        "01.07.2024;UTC;23:45;00:00;AEP;Schaetzung;EUR/MWh;1.234,50;0": "",
        "01.07.2024;CEST;02:00;02:15;AEP;Schaetzung;EUR/MWh;-7;2": "",
        "01.07.2024;UTC;10:00;10:15;AEP;Schaetzung;EUR/MWh;54.20;0": "has a decimal point where this file has commas",
        "01.07.2024;UTC;10:00;10:15;AEP;Schaetzung;ct/kWh;5,42;0": "'ct/kWh' is not EUR/MWh",
        "01.07.2024;GMT;10:00;10:15;AEP;Schaetzung;EUR/MWh;5,42;0": "'GMT' is not UTC",
        "01.07.2024;UTC;10:00;10:30;AEP;Schaetzung;EUR/MWh;5,42;0": "not a quarter hour after",
        "01.07.2024;UTC;25:00;25:15;AEP;Schaetzung;EUR/MWh;5,42;0": "is not a time",
        "01.07.2024;UTC;10:15;10:30;AEP;Schaetzung;EUR/MWh;;1": "",
    }
    path = folder / "imbalance" / "imbalance_price_estimation_20240701.csv"
    path.write_text("\n".join([IMBALANCE, *rows]) + "\n", encoding="utf-8")
    said = [line for line in fetched(tmp_path, folder) if "imbalance" in line]
    wanted = [reason for reason in rows.values() if reason]
    assert len(said) == len(wanted)
    assert all(reason in line for line, reason in zip(said, wanted, strict=True))
    assert table(tmp_path, "SELECT period_start, kind, price_eur_per_mwh, status FROM vpp_imbalance_prices") == [
        ("2024-07-01T00:00:00Z", "estimate", -7.0, 2),
        ("2024-07-01T23:45:00Z", "estimate", 1234.5, 0),
    ]  # fmt: skip


def test_json_is_read_where_csv_is(tmp_path: Path) -> None:
    """The whole folder again with every CSV file as a JSON list of objects: the same tables."""
    plain, twin = tmp_path / "csv" / "vpp", tmp_path / "json" / "vpp"
    for folder in (plain, twin):
        write_folder(folder, [SUMMER], defects=False)
        (folder / "SYNTHETIC.txt").write_text("made by the sandbox\n")
        shutil.rmtree(folder / "vpp")  # live values and forecasts, which are JSON anyway
    for path in sorted(twin.rglob("*.csv")):
        as_json(path)
    contents = []
    for folder in (plain, twin):
        assert list(fetched(folder.parent, folder)) == []
        contents.append(
            [
                table(folder.parent, f"SELECT {columns} FROM {name}")
                for name, columns in (
                    (
                        "vpp_assets",
                        "snapshot_at, asset_id, contract_id, capacity_kw, fee, fee_percent",
                    ),
                    ("vpp_final_production", "metering_point_id, period_start, power_kw"),
                    ("vpp_redispatch", "metering_point_id, period_start, period_end, redispatched"),
                    (
                        "vpp_private_trades",
                        "trade_id, side, price_eur_per_mwh, volume, volume_unit",
                    ),
                    ("vpp_public_trades", "trade_id, price_eur_per_mwh, volume, volume_unit"),
                    ("vpp_imbalance_prices", "period_start, kind, price_eur_per_mwh, status"),
                    ("vpp_redispatch_prices", "period_start, price_eur_per_mwh"),
                )
            ]
        )
    assert contents[0] == contents[1]
    assert all(rows for rows in contents[0])


def as_json(path: Path) -> None:
    """Replace a CSV file by its JSON: numbers as numbers where they have a decimal point."""
    import csv
    import json

    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    separator = ";" if ";" in lines[0] else ","
    rows = []
    for row in csv.DictReader(lines, delimiter=separator):
        cells: dict[str, object] = {}
        for name, cell in row.items():
            try:
                cells[name] = float(cell)
            except ValueError:
                cells[name] = {"": None, "True": True, "true": True, "False": False}.get(cell, cell)
            if name == "TradeId":
                cells[name] = int(cell)
        rows.append(cells)
    path.with_suffix(".json").write_text(json.dumps(rows), encoding="utf-8")
    path.unlink()


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ('{"TradeId": 1}', "not a list of objects"),
        ("[1, 2]", "not a list of objects"),
        ("[{", "it is not JSON"),
        ('[{"TradeId": 1}]', "lacks the column Side"),
        ("[]", ""),
    ],
)
def test_json_of_another_form_is_refused(
    tmp_path: Path, folder: Path, body: str, wanted: str
) -> None:
    (folder / "exchange" / "Private_Trades-a.json").write_text(body)
    said = [line for line in fetched(tmp_path, folder) if "Private" in line]
    assert len(said) == bool(wanted)
    assert all(wanted in line for line in said)


def test_missing_files_leave_the_rest(tmp_path: Path) -> None:
    """No trades of ours, no imbalance prices: public prices and volumes stand, money is unknown."""
    folder = tmp_path / "vpp"
    write_folder(folder, [SUMMER], defects=False)
    (folder / "SYNTHETIC.txt").write_text("made by the sandbox\n")
    for path in [*folder.glob("exchange/Private*"), *folder.glob("imbalance/*")]:
        path.unlink()
    chosen = settings(tmp_path, folder)
    fetch_data.fetch(["vpp"], SUMMER.isoformat(), **chosen)
    process_data.process(PRODUCTS, SUMMER.isoformat(), **chosen)
    rows = read(chosen, "trading", SUMMER, "UTC")
    assert len(rows) == 96
    assert all(math.isnan(row.revenue_eur) and math.isnan(row.net_mwh) for row in rows)
    assert sum(not math.isnan(row.public_vwap_eur_per_mwh) for row in rows) == 92
    (total,) = read(chosen, "trading_daily", SUMMER, "UTC")
    assert math.isnan(total.revenue_eur) and total.open_quarter_hours == 0
    costs = read(chosen, "imbalance_cost", SUMMER, "UTC")
    assert {row.price_source for row in costs} == {"missing"}
    assert {row.unknown for row in costs} == {"price", "measurement"}
    assert all(math.isnan(row.cost_eur) for row in costs)
    assert all(not math.isnan(r.imbalance_mwh) for r in costs if r.unknown == "price")


def test_without_any_trade_there_is_no_day_of_trading(tmp_path: Path) -> None:
    folder = tmp_path / "vpp"
    write_folder(folder, [SUMMER], defects=False)
    (folder / "SYNTHETIC.txt").write_text("made by the sandbox\n")
    shutil.rmtree(folder / "vpp")  # has no part in it
    for path in folder.glob("exchange/*"):
        path.unlink()
    chosen = settings(tmp_path, folder)
    fetch_data.fetch(["vpp"], SUMMER.isoformat(), **chosen)
    done = process_data.process(PRODUCTS, SUMMER.isoformat(), **chosen)
    trading = next(part for part in done if part.product.key == "trading")
    assert trading.computed == 0
    assert "vpp_private_trades" in trading.waiting[SUMMER]


def test_a_final_price_that_comes_later_restates_the_cost(tmp_path: Path) -> None:
    folder = tmp_path / "vpp"
    write_folder(folder, [SUMMER], defects=False)
    (folder / "SYNTHETIC.txt").write_text("made by the sandbox\n")
    held_back = {path: path.read_bytes() for path in folder.glob("imbalance/*_final_*")}
    for path in held_back:
        path.unlink()
    chosen = settings(tmp_path, folder)
    fetch_data.fetch(["vpp"], SUMMER.isoformat(), **chosen)
    process_data.process(PRODUCTS, SUMMER.isoformat(), **chosen)
    first = read(chosen, "imbalance_cost", SUMMER, "UTC")
    assert {row.price_source for row in first} == {"estimate"}
    for path, body in held_back.items():
        path.write_bytes(body)
    fetch_data.fetch(["vpp"], SUMMER.isoformat(), **chosen)
    done = process_data.process(PRODUCTS, SUMMER.isoformat(), **chosen)
    assert [part.computed for part in done] == [0, 0, 0, 0, 0, 0, 1, 1]
    again = read(chosen, "imbalance_cost", SUMMER, "UTC")
    assert {row.price_source for row in again} == {"final", "estimate"}
    with closing(sqlite3.connect(tmp_path / "grid.db")) as db:
        (kept,) = db.execute("SELECT count(*) FROM imbalance_cost_history").fetchone()
    assert kept > 400
