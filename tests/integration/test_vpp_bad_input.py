"""What a desk's folder can hold that is wrong, through the real commands: what is said, and what still works.

One folder has every fault beside good files; each fault has a message of its own with file and line.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Cli, rows_of

DAY = "2024-07-01"
START_S = 1719792000  # 2024-07-01T00:00:00Z
HEADER = (
    "contract_id,asset_id,metering_point_id,capacity,technology,contract_begin,contract_end,"
    "price_model,price,fee_model,fee,fee_percent,email"
)
TRADES = "TradeId;Side;DeliveryStart;DeliveryEnd;ExecutionTime;Price;Currency;Volume;VolumeUnit"
FINAL_PRICES = (
    "Datum;Zeitzone;von;bis;Datenkategorie;Datentyp;Einheit;reBAP unterdeckt;reBAP ueberdeckt"
)
# Where the cells of a contract are shifted, the address stands under another column's name.
ADDRESS = "pia.privat@example.invalid"


def contract(number: int, asset: str, point: str, **changed: str) -> str:
    cells = {
        "contract_id": f"C-{number}", "asset_id": asset, "metering_point_id": point,
        "capacity": "6.2", "technology": "wind", "contract_begin": "2022-01-01",
        "contract_end": "2027-12-31", "price_model": "fixed", "price": "58.0",
        "fee_model": "fixed_as_produced", "fee": "2.1", "fee_percent": "", "email": ADDRESS,
    }  # fmt: skip
    return ",".join((cells | changed).values())


def trade(identity: int, **changed: str) -> str:
    cells = {
        "TradeId": str(identity), "Side": "SELL", "DeliveryStart": f"{DAY}T10:00:00Z",
        "DeliveryEnd": f"{DAY}T11:00:00Z", "ExecutionTime": f"{DAY}T08:00:00Z", "Price": "50.00",
        "Currency": "EUR", "Volume": "4.0", "VolumeUnit": "MW",
    }  # fmt: skip
    return ";".join((cells | changed).values())


def price(start: str, end: str, value: str, zone: str = "UTC") -> str:
    return f"01.07.2024;{zone};{start};{end};reBAP;final;EUR/MWh;{value};{value}"


def columnar(asset: str, **columns: tuple[str, list[Any]]) -> str:
    units, values = zip(*columns.values(), strict=True)
    key = {"asset_id": asset, "type_id": "x"}
    return json.dumps({"key": key, "column_ids": [*columns], "units": units, "values": values})


def live(asset: str, unit: str = "kW", scale: int = 1000) -> str:
    times = [(START_S + 60 * n) * scale for n in range(15)]
    return columnar(asset, timestamp=("ms", times), value=(unit, [3000.0] * 15))


def forecast(asset: str, unit: str = "kW", scale: int = 1000, late_s: int = 0, version_late_s: int = 0) -> str:  # fmt: skip
    starts = [(START_S + 900 * n + late_s) * scale for n in range(4)]
    versions = [(START_S + version_late_s) * scale] * 4
    return columnar(
        asset, start=("ms", starts), version=("ms", versions), power=(unit, [2500.0] * 4)
    )


def lines(*each: str) -> str:
    return "\n".join(each) + "\n"


@dataclass(frozen=True)
class Bad:
    """A file and what must be said of it: (line, words) of each fault."""

    name: str
    body: str
    said: tuple[tuple[int | None, str], ...]


def whole(words: str) -> tuple[tuple[int | None, str], ...]:
    return ((None, f"the whole file, because {words}"),)


DSO, LIVE, FORECASTS = "distribution_system_operator", "vpp/live_measured_infeed", "vpp/forecasts"
CONTRACTS = "crm/asset_contracts_20240601_053000.csv"
POINTS, COMMAS = (
    "has a decimal comma where this file has points",
    "has a decimal point where this file has commas",
)
CASES = (
    Bad(
        CONTRACTS,
        lines(
            HEADER,
            contract(1, "WIND_01", "DE1"),
            contract(2, "WIND_02", "DE2"),
            contract(3, "WIND_02", "DE2", contract_begin="2024-01-01"),
            contract(4, "WIND_04", "DE4", capacity='"4,5"'),
            contract(5, "WIND_05", "DE5", price_model="fxied"),
            contract(6, "WIND_06", "DE6", contract_begin="01.01.2022"),
            contract(7, "WIND_07", "DE7", fee_percent="", fee=ADDRESS),
            contract(8, "WIND_08", "DE8", contract_end=ADDRESS),
            contract(9, "WIND_09", "DE9") + ",north",
        ),
        (
            (4, "WIND_02 has two contracts for the same days, C-2 and C-3"),
            (5, f"capacity: '4,5' {POINTS}"),
            (6, "price_model: 'fxied' is not fixed or market; C-5 is kept and cannot be billed"),
            (7, "contract_begin: '01.01.2022' is not a day such as 2024-10-27; C-6 is kept"),
            (8, "fee: '…@…' is not a number"),
            (9, "contract_end: it holds an e-mail address, so the cells are shifted"),
            (10, "14 cells where the header has 13"),
        ),
    ),
    Bad(f"{LIVE}/WIND_77_20240701.json", live("WIND_77"), whole("no contract knows the asset WIND_77")),
    Bad(f"{FORECASTS}/WIND_77.json", forecast("WIND_77"), whole("no contract knows the asset WIND_77")),
    Bad(f"{DSO}/final_production_DE77_20240701.csv",
        lines("delivery_start__utc_,DE77__kw_", f"{DAY} 00:00:00 UTC,3000.0"),
        whole("no contract knows the metering point DE77; once one in crm/ does, this file is read")),
    Bad(f"{DSO}/redispatch_flag_DE77_20240701_0000.csv",
        lines("delivery_start,delivery_end,is_redispatched", f"{DAY} 10:00,{DAY} 10:15,true"),
        whole("no contract knows the metering point DE77")),
    Bad(f"{DSO}/redispatch_flag_DE1_20240701_0000.csv",
        lines("delivery_start,delivery_end,is_redispatched", f"{DAY} 10:00,{DAY} 10:00,true",
              f"{DAY} 10:00,{DAY} 10:15,maybe", f"{DAY} 11:00:00.500,{DAY} 11:15,true"),
        ((2, "delivery_end: 2024-07-01 10:00 is not after delivery_start"),
         (3, "is_redispatched: 'maybe' is neither true nor false"))),
    Bad(f"{LIVE}/renamed.json", live("WIND_01").replace('"value"', '"power"'),
        whole("it has no column 'value' but timestamp, power")),
    Bad(f"{FORECASTS}/WIND_01_late.json", forecast("WIND_01", version_late_s=420),
        whole("its version 00:07:00 is not on a quarter hour")),
    Bad(f"{FORECASTS}/WIND_01_off.json", forecast("WIND_01", late_s=420),
        whole("its start 00:07:00 is not on a quarter hour")),
    Bad(f"{LIVE}/WIND_02_20240701.json", live("WIND_02", unit="MW"),
        whole("3000000 kW is 484 times the capacity of WIND_02: the unit label contradicts")),
    Bad(f"{FORECASTS}/WIND_02.json", forecast("WIND_02", unit="MW"),
        whole("2500000 kW is 403 times the capacity of WIND_02: the unit label contradicts")),
    Bad(f"{LIVE}/WIND_05_20240701.json", live("WIND_05", unit="kWh"),
        whole("value is in 'kWh', not in W, kW or MW")),
    Bad(f"{LIVE}/folder.json/x", "", whole("it cannot be opened")),
    Bad(f"{DSO}/final_production_DE2_20240701.csv",
        lines("delivery_start__utc_,DE2__kw_", f"{DAY} 00:00:00 UTC,3000.0",
              f'{DAY} 00:15:00 UTC,"812,5"', f"{DAY} 00:30:00 UTC,812,5", f"{DAY} 00:45:00 UTC,"),
        ((3, f"DE2__kw_: '812,5' {POINTS}"), (4, "3 cells where the header has 2"),
         (5, "DE2__kw_: '' is not a number"))),
    Bad("exchange/Private_Trades-b.csv",
        lines("# title", TRADES, trade(11), trade(12, Price="54,20"), trade(13, VolumeUnit="GW"),
              trade(14, VolumeUnit=""), trade(11), trade(11, Price="51.00"), trade(15, Volume="4000")),
        ((4, f"Price: '54,20' {POINTS}"), (5, "VolumeUnit: 'GW' is not MW or MWH"),
         (6, "VolumeUnit: '' is not MW or MWH"),
         (7, "TradeId 11 is listed twice, first in line 3: it counts once"),
         (8, "TradeId 11 is listed twice, first in line 3: the values differ, line 3 counts"),
         (9, "Volume: 4000 MW is more than 10 times the capacity of all assets"))),
    Bad("imbalance/imbalance_price_final_20240701.csv",
        lines(FINAL_PRICES, price("00:00", "00:15", "51,20"), price("00:15", "00:30", "54.20"),
              price("00:30", "00:45", "54,20", "GMT")),
        ((3, f"reBAP unterdeckt: '54.20' {COMMAS}"), (4, "Zeitzone: 'GMT' is not UTC, CET"))),
    Bad(f"{DSO}/redispatch_compensation_2024-07-01.csv",
        lines("delivery_start__utc_,delivery_end__utc_,price__euro_per_mwh_",
              f"{DAY} 00:00:00 UTC,{DAY} 00:15:00 UTC,50.0",
              f'{DAY} 00:15:00 UTC,{DAY} 00:30:00 UTC,"50,0"'),
        ((3, f"price__euro_per_mwh_: '50,0' {POINTS}"),)),
)  # fmt: skip
# Beside them what is right, in the same folder; times of the second and third are seconds.
GOOD = {
    f"{LIVE}/WIND_01_20240701.json": live("WIND_01"),
    f"{LIVE}/WIND_06_20240701.json": live("WIND_06", scale=1),
    f"{FORECASTS}/WIND_01.json": forecast("WIND_01", scale=1),
    "exchange/Private_Trades-a.csv": lines("# title", TRADES, trade(1)),
}
STORED = {
    "vpp_assets": 5,
    "vpp_live_infeed": 30,
    "vpp_forecasts": 4,
    "vpp_final_production": 1,
    "vpp_redispatch": 1,
    "vpp_private_trades": 2,
    "vpp_imbalance_prices": 1,
    "vpp_redispatch_prices": 1,
}


def write(folder: Path, name: str, body: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(body, encoding="utf-8")


class Desk:
    """A folder, the command line that reads it, what it said so far and at the first fetch."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "desk"
        self.cli = Cli(root, None)
        self.cli.environment["VPP_DIR"] = str(self.folder)
        self.said = ""
        self.fetched = ""

    def __call__(self, *words: str) -> Any:
        done = self.cli(*words)
        assert "Traceback" not in done.stderr, done.stderr
        self.said += done.stdout + done.stderr
        return done

    def rejected(self) -> list[tuple[str, int | None, str]]:
        rows = rows_of(self.cli.database, "rejected_rows")
        return [(row["file"], row["line"], row["reason"]) for row in rows]

    def count(self, table: str) -> int:
        return len(rows_of(self.cli.database, table))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A folder with every fault, fetched once."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    for name, body in (*((bad.name, bad.body) for bad in CASES), *GOOD.items()):
        write(desk.folder, name, body)
    done = desk("fetch", "vpp", "--start", DAY)
    assert done.returncode == 3
    desk.fetched = done.stdout
    return desk


def fault_names() -> list[Any]:
    return [
        pytest.param(bad, line, words, id=re.sub(r"\W+", "_", f"{bad.name} {line or ''}"))
        for bad in CASES
        for line, words in bad.said
    ]


@pytest.mark.parametrize(("bad", "line", "words"), fault_names())
def test_each_fault_is_said_with_file_line_and_reason(
    desk: Desk, bad: Bad, line: int | None, words: str
) -> None:
    name = bad.name.removesuffix("/x")
    place = f"{name} line {line}" if line else name
    log = (desk.cli.output / "task_log.log").read_text(encoding="utf-8")
    assert f"rejected {place}: {words}" in log
    kept = [reason for file, at, reason in desk.rejected() if (file, at) == (name, line)]
    assert len(kept) == 1 and kept[0].startswith(words)


def test_nothing_else_is_rejected_and_the_rest_is_stored(desk: Desk) -> None:
    assert len(desk.rejected()) == sum(len(bad.said) for bad in CASES)
    assert {table: desk.count(table) for table in STORED} == STORED
    # The good lines of broken files are among them.
    prices = rows_of(desk.cli.database, "vpp_private_trades")
    assert sorted((row["trade_id"], row["price_eur_per_mwh"]) for row in prices) == [
        ("1", 50.0),
        ("11", 50.0),
    ]


def test_the_summary_is_short_and_says_what_to_do(desk: Desk) -> None:
    attention = [line for line in desk.fetched.splitlines() if line.startswith("! ")]
    assert re.fullmatch(r"! and \d+ more, in the log", attention[-1])
    assert len(attention) == 21
    assert "correct the file, which is then read again" in desk.fetched


def test_seconds_under_the_label_ms_are_read_and_said(desk: Desk) -> None:
    log = (desk.cli.output / "task_log.log").read_text(encoding="utf-8")
    assert f"timestamp is labelled ms and was read as s in 1 files, first in {LIVE}/WIND_06" in log
    assert f"start is labelled ms and was read as s in 1 files, first in {FORECASTS}/WIND_01" in log
    rows = rows_of(desk.cli.database, "vpp_live_infeed")
    times = {
        asset: [row["measurement_time"] for row in rows if row["asset_id"] == asset]
        for asset in ("WIND_01", "WIND_06")
    }
    assert times["WIND_01"] == times["WIND_06"]
    assert min(times["WIND_01"]) == f"{DAY}T00:00:00Z"


def test_files_that_are_not_there_are_said_but_not_flags(desk: Desk) -> None:
    for line in (
        "! vpp_assets: no file is named vpp/technical_data/technical_data_*.json",
        "! vpp_public_trades: no file is named exchange/Public_Trades-*.csv",
        "! vpp_imbalance_prices: no file is named imbalance/imbalance_price_estimation_*.csv",
    ):
        assert line in desk.fetched.splitlines()
    assert "no file is named exchange/Private" not in desk.fetched
    assert "redispatch_flag_*" not in desk.fetched


def test_what_stands_is_not_said_again_but_counted(desk: Desk) -> None:
    again = desk("fetch", "vpp", "--start", DAY)
    assert again.returncode == 0
    assert "rejected" not in again.stdout
    assert len(desk.rejected()) == sum(len(bad.said) for bad in CASES)
    assert (
        "rejected and not corrected yet: vpp_assets 7, vpp_live_infeed 5" in desk("status").stdout
    )


def test_products_go_on_with_what_there_is(desk: Desk) -> None:
    keys = ("best_of_infeed", "asset_forecast", "portfolio_best_of_infeed", "trading")
    assert desk("process", *keys, "--start", DAY).returncode == 0
    rows = rows_of(desk.cli.database, "best_of_infeed")
    first = {r["asset_id"]: r for r in rows if r["period_start"] == f"{DAY}T00:00:00Z"}
    assert (first["WIND_01"]["source"], first["WIND_01"]["power_kw"]) == ("live", 3000)
    assert (first["WIND_02"]["source"], first["WIND_02"]["power_kw"]) == ("final", 3000)
    assert first["WIND_05"]["source"] == "missing"


@pytest.fixture
def own(desk: Desk, tmp_path: Path) -> Desk:
    """A desk whose folder and store may be changed."""
    own = Desk(tmp_path)
    shutil.copytree(desk.folder, own.folder)
    own("fetch", "vpp", "--start", DAY)
    return own


def test_a_contract_that_comes_later_lets_its_files_in(own: Desk) -> None:
    body = lines(HEADER, contract(1, "WIND_01", "DE1"), contract(77, "WIND_77", "DE77"))
    write(own.folder, "crm/asset_contracts_20240602_053000.csv", body)
    done = own("fetch", "vpp", "--start", DAY)
    assert done.returncode == 0, done.stdout
    waited = ("vpp_live_infeed", "vpp_forecasts", "vpp_final_production", "vpp_redispatch")
    assert [own.count(table) - STORED[table] for table in waited] == [15, 4, 1, 1]
    assert not any("77" in file for file, _, _ in own.rejected())


CORRECTIONS: dict[str, Callable[[str], str]] = {
    f"{LIVE}/WIND_02_20240701.json": lambda text: text.replace('"MW"', '"kW"'),
    "imbalance/imbalance_price_final_20240701.csv": lambda text: text.replace("54.20", "54,20"),
}


def test_a_corrected_file_is_read_again(own: Desk) -> None:
    for name, correct in CORRECTIONS.items():
        path = own.folder / name
        path.write_text(correct(path.read_text(encoding="utf-8")), encoding="utf-8")
    done = own("fetch", "vpp", "--start", DAY)
    assert done.returncode == 3
    assert "Zeitzone: 'GMT'" in done.stdout, "what is still wrong in a changed file is said"
    assert own.count("vpp_live_infeed") == STORED["vpp_live_infeed"] + 15
    assert own.count("vpp_imbalance_prices") == 2
    left = [(file, line) for file, line, _ in own.rejected() if file in CORRECTIONS]
    assert left == [("imbalance/imbalance_price_final_20240701.csv", 4)]


def test_an_address_of_a_person_is_written_nowhere(own: Desk, tmp_path: Path) -> None:
    """Not in what is said, logs, run records, store, history, exports or the products' files."""
    # A contract restated with another address, and addresses where no reader expects one.
    changed = lines(HEADER, contract(1, "WIND_01", "DE1", price="60.0", email=f"2{ADDRESS}"))
    write(own.folder, CONTRACTS, changed)
    write(own.folder, f"{LIVE}/x.json", live(ADDRESS))
    write(own.folder, f"{FORECASTS}/x.json", forecast("WIND_01", unit=ADDRESS))
    odd = lines("# title", TRADES, trade(21, Side=ADDRESS), trade(22, DeliveryStart=ADDRESS))
    write(own.folder, "exchange/Private_Trades-x.csv", odd)
    write(own.folder, f"{DSO}/final_production_x_20240701.csv",
          lines(f"delivery_start__utc_,{ADDRESS}__kw_", f"{DAY} 00:00:00 UTC,1"))  # fmt: skip
    assert own("fetch", "vpp", "--start", DAY).returncode == 3
    assert own.count("vpp_assets_history") == 1
    for words in (
        ("process", "best_of_infeed", "asset_forecast", "trading", "--start", DAY),
        ("export", "vpp_assets", "--to", "assets.csv"),
        ("export", "vpp_assets", "--to", "then.csv", "--as-of", "2024-07-02T00:00:00Z"),
        ("coverage", "vpp", "--start", DAY),
        ("status",),
    ):
        own(*words)
    written = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and not path.is_relative_to(own.folder)
    ]
    names = {path.name for path in written}
    assert {"grid.db", "task_log.log", "runs.jsonl", "assets.csv", "best_of_infeed.csv"} <= names
    for path in written:
        for form in (ADDRESS.encode(), b"pia.privat", b"@example", ADDRESS.encode("utf-16-le")):
            assert form not in path.read_bytes(), path.name
    assert "pia.privat" not in own.said and "@example" not in own.said
