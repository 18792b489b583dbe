"""The virtual power plant's files through the real job, against the folder's own truth (plain loops)."""

from __future__ import annotations

import math
import shutil
import sqlite3
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import fetch_data
import process_data
import storage
from domain.settlement import day_window
from sandbox.vpp import Written, write_folder

SHORT, LONG, SUMMER = date(2024, 3, 31), date(2024, 10, 27), date(2024, 7, 1)
DAYS = (SHORT, LONG, SUMMER)
PRODUCTS = ("best_of_infeed", "portfolio_best_of_infeed")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """One folder with all its dirt and defects, for tests that do not change it."""
    written = write_folder(tmp_path_factory.mktemp("vpp"), DAYS)
    (written.folder / "SYNTHETIC.txt").write_text("made by the sandbox\n")
    return written


@pytest.fixture(scope="module")
def fetched(written: Written, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A home with a store that read the folder once, and the report; for tests that only look."""
    home = tmp_path_factory.mktemp("home")
    return home, fetch_data.fetch(["vpp"], SHORT.isoformat(), **settings(home, written.folder))


def settings(home: Path, folder: Path, zone: str = "UTC") -> dict[str, str]:
    return {
        "STORE_URL": f"sqlite:///{home / 'grid.db'}",
        "OUTPUT_DIR": str(home / "output"),
        "VPP_DIR": str(folder),
        "VPP_DELIVERY_DAY": zone,
    }


def counted(home: Path, sql: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(home / "grid.db") as db:
        return db.execute(sql).fetchall()


@pytest.mark.parametrize(
    ("zone", "quarters"),
    [("UTC", (96, 96, 96)), ("Europe/Berlin", (92, 100, 96))],
)
def test_both_products_equal_the_truth_on_every_delivery_day(
    written: Written,
    fetched: tuple[Path, Any],
    tmp_path: Path,
    zone: str,
    quarters: tuple[int, ...],
) -> None:
    chosen = settings(tmp_path, written.folder, zone)
    shutil.copy(fetched[0] / "grid.db", tmp_path)
    for day, count in zip(DAYS, quarters, strict=True):
        done = process_data.process(PRODUCTS, day.isoformat(), **chosen)
        assert [part.computed for part in done] == [1, 1]
        span = day_window(day, ZoneInfo(zone))
        start, end = (f"{moment:%Y-%m-%dT%H:%MZ}" for moment in (span.start, span.end))
        with storage.open_store(chosen["STORE_URL"]) as store:
            assets = store.read("best_of_infeed", start, end)
            portfolio = store.read("portfolio_best_of_infeed", start, end)
        truth = {
            (row.asset_id, row.start): row for row in written.truth.best_of_infeed([day], zone=zone)
        }
        assert len(assets) == len(truth) == 6 * count
        assert {"final", "live"} <= set(assets["source"])
        for row in assets.itertuples():
            right = truth[row.asset_id, int(row.period_start.timestamp())]
            assert row.source == (right.source or "missing")
            assert bool(row.redispatched) == right.redispatched
            assert row.live_coverage == pytest.approx(right.live_coverage, abs=1e-9)
            for found, wanted in (
                (row.power_kw, right.power_kw),
                (row.energy_mwh, right.energy_mwh),
            ):
                assert math.isnan(found) if wanted is None else abs(found - wanted) <= 1e-9
        sums = {r.start: r for r in written.truth.portfolio_best_of_infeed([day], zone=zone)}
        assert len(portfolio) == len(sums) == count
        for row in portfolio.itertuples():
            right_sum = sums[int(row.period_start.timestamp())]
            assert abs(row.power_kw - right_sum.power_kw) <= 1e-8  # six rounded addends
            assert abs(row.energy_mwh - right_sum.energy_mwh) <= 1e-8
            found = (row.final_assets, row.live_assets, row.forecast_assets, row.missing_assets)
            assert found == (
                right_sum.final,
                right_sum.live,
                right_sum.forecast,
                right_sum.missing,
            )
        folder = tmp_path / "output" / day.isoformat()
        assert (folder / "best_of_infeed.csv").read_text().count("\n") == 6 * count + 1


def test_every_row_arrives_and_every_defect_is_listed(
    written: Written, fetched: tuple[Path, Any]
) -> None:
    home, report = fetched
    assert counted(home, "SELECT count(*) FROM vpp_live_infeed") == [
        (len(list(written.truth.live_rows())),)
    ]
    wanted = {
        (defect.file, defect.line if defect.line and defect.line > 1 else None)
        for defect in written.defects
    }
    listed = counted(home, "SELECT file, line FROM rejected_rows")
    assert set(listed) == wanted
    assert len(listed) == len(wanted) == sum(len(part.rejected) for part in report.fetched)


def test_a_redelivery_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "vpp"
    write_folder(folder, [SHORT])
    chosen = settings(tmp_path, folder)
    fetch_data.fetch(["vpp"], SHORT.isoformat(), **chosen)
    rows = counted(tmp_path, "SELECT * FROM vpp_forecasts")
    for path in folder.rglob("*.*"):
        path.touch()  # delivered again: a new time, the same content
    again = fetch_data.fetch(["vpp"], SHORT.isoformat(), **chosen)
    assert [(part.changed, part.rejected) for part in again.fetched] == [(0, [])] * 9
    copy = folder / "vpp" / "forecasts" / "WIND_01_again.json"
    shutil.copy(folder / "vpp" / "forecasts" / "WIND_01_20240331T000000Z.json", copy)
    again = fetch_data.fetch(["vpp"], SHORT.isoformat(), **chosen)
    assert sum(part.changed for part in again.fetched) == 0
    assert counted(tmp_path, "SELECT * FROM vpp_forecasts") == rows
    assert counted(tmp_path, "SELECT count(*) FROM vpp_forecasts_history") == [(0,)]


def test_a_final_that_comes_late_recomputes_its_day(tmp_path: Path) -> None:
    folder = tmp_path / "vpp"
    first = write_folder(folder, [SUMMER], defects=False)
    (folder / "SYNTHETIC.txt").write_text("made by the sandbox\n")
    chosen = settings(tmp_path, folder)
    fetch_data.fetch(["vpp"], SUMMER.isoformat(), **chosen)
    process_data.process(PRODUCTS, SUMMER.isoformat(), **chosen)
    later = write_folder(folder, [SUMMER], defects=False, late_final=True)
    assert set(later.files) > set(first.files)
    fetch_data.fetch(["vpp"], SUMMER.isoformat(), **chosen)
    done = process_data.process(PRODUCTS, SUMMER.isoformat(), **chosen)
    assert [part.computed for part in done] == [1, 1]
    with storage.open_store(chosen["STORE_URL"]) as store:
        found = store.read("best_of_infeed", f"{SUMMER}T00:00Z", f"{SUMMER}T23:59Z")
    truth = later.truth.best_of_infeed([SUMMER])
    assert sorted(found["source"]) == sorted(row.source or "missing" for row in truth)


def test_without_a_folder_its_datasets_are_skipped(tmp_path: Path) -> None:
    chosen = settings(tmp_path, tmp_path) | {"VPP_DIR": ""}
    report = fetch_data.fetch(["vpp"], SHORT.isoformat(), **chosen)
    assert {part.skipped for part in report.fetched} == {"VPP_DIR"}
    assert report.entries == []


def test_a_folder_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    chosen = settings(tmp_path, tmp_path / "nowhere")
    report = fetch_data.fetch(["vpp_live_infeed"], SHORT.isoformat(), **chosen)
    assert "is no folder" in report.fetched[0].failures[0]
    assert str(report.entries[0].state) == "failed"


def test_personal_data_is_nowhere(written: Written, fetched: tuple[Path, Any]) -> None:
    assert any(b"@example.invalid" in p.read_bytes() for p in written.folder.glob("crm/*.csv"))
    found = [path for path in fetched[0].rglob("*") if path.is_file()]
    assert any(path.name == "grid.db" for path in found)
    for path in found:
        assert b"@example.invalid" not in path.read_bytes()
