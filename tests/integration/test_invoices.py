"""Invoices through the real job: versions over re-runs and late data, files, the commands."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import backfill
import fetch_data
import process_data
import storage
from domain.settlement import month_window
from job import open_job
from sandbox.vpp import write_folder
from tests.integration.conftest import Cli

DAYS = (date(2024, 3, 30), date(2024, 3, 31))
FIRST, LAST = "2024-03-01", "2024-03-31"
PRODUCTS = [one.key for one in process_data.PRODUCTS if one.clock_setting]
Settings = dict[str, str]
Invoice = Callable[..., subprocess.CompletedProcess[str]]


def processed(chosen: Settings) -> dict[str, process_data.Processed]:
    fetch_data.fetch(["vpp"], LAST, **chosen)
    done = process_data.process(PRODUCTS, FIRST, LAST, **chosen)
    assert not [line for part in done for line in part.failures]
    return {part.product.key: part for part in done}


def versions(chosen: Settings) -> dict[str, list[str]]:
    """Statuses of the versions of each contract's invoice."""
    with storage.open_store(chosen["STORE_URL"]) as store:
        rows = store.read("invoices", FIRST, LAST).sort_values("version")
    return rows.groupby("contract_id")["status"].agg(list).to_dict()


def settings_in(home: Path) -> Settings:
    return {
        "STORE_URL": f"sqlite:///{home / 'grid.db'}",
        "OUTPUT_DIR": str(home / "output"),
        "VPP_DIR": str(home / "vpp"),
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the products of a month, from a folder as it lies there on the first of the next."""
    home = tmp_path_factory.mktemp("month")
    write_folder(home / "vpp", DAYS, dirt=False, as_of=datetime(2024, 4, 1, 4, tzinfo=UTC))
    (home / "vpp" / "SYNTHETIC.txt").write_text("made by the sandbox\n")
    processed(settings_in(home))
    return home


@pytest.fixture
def chosen(made: Path, tmp_path: Path) -> Settings:
    """A copy of it."""
    shutil.copytree(made, tmp_path / "copy")
    return settings_in(tmp_path / "copy")


@pytest.fixture
def invoice(chosen: Settings, tmp_path: Path) -> Invoice:
    """The command on that store."""
    cli = Cli(tmp_path, None)
    return lambda *words: cli("invoice", *words, **chosen)


def test_versions_follow_the_content_and_nothing_else(chosen: Settings) -> None:
    first = versions(chosen)
    assert len(first) == 6
    assert {tuple(found) for found in first.values()} == {("provisional",)}
    assert processed(chosen)["invoices"].computed == 0
    # The last day's final production arrives; and then again, with the same values under another name.
    folder = Path(chosen["VPP_DIR"])
    write_folder(folder, DAYS, dirt=False)
    processed(chosen)
    second = versions(chosen)
    assert {len(found) for found in second.values()} == {2}
    final = next((folder / "distribution_system_operator").glob("final_production_*_20240331.csv"))
    final.write_bytes(final.read_bytes() + b"\n")
    processed(chosen)
    assert versions(chosen) == second
    for vat, count in (("20", 3), ("19", 4)):
        processed(chosen | {"VPP_VAT_PERCENT": vat})
        assert {len(found) for found in versions(chosen).values()} == {count}
    output = Path(chosen["OUTPUT_DIR"]) / LAST / "invoices"
    assert len(list(output.iterdir())) == 6 * 4 * 2


def test_computed_anew_from_the_same_data_no_version_is_made(chosen: Settings) -> None:
    before = versions(chosen)
    with storage.open_store(chosen["STORE_URL"]) as store:
        window = month_window(date(2024, 3, 31), UTC)
        stored = store.read_table(storage.tables()["invoices"], window)
        store.execute("DELETE FROM ledger WHERE key = 'invoices'")
    assert processed(chosen)["invoices"].computed == 1
    assert versions(chosen) == before
    with storage.open_store(chosen["STORE_URL"]) as store:
        assert store.read_table(storage.tables()["invoices"], window).equals(stored)


def test_late_data_of_a_day_bring_the_invoices_of_its_month(chosen: Settings) -> None:
    folder = Path(chosen["VPP_DIR"]) / "distribution_system_operator"
    final = next(folder.glob("final_production_*_20240330.csv"))
    head, row, *rest = final.read_text().splitlines()
    final.write_text("\n".join([head, row.split(",")[0] + ",1.5", *rest]) + "\n")
    with open_job("repair", **chosen) as job:
        report = backfill.backfill(job, ["vpp"], DAYS[0], DAYS[0])
    done = {part.product.key: part for part in report.processed}
    assert done["portfolio_best_of_infeed"].computed == 1
    assert done["invoices"].computed == 1
    assert max(len(found) for found in versions(chosen).values()) == 2


def test_files_say_what_the_table_says(chosen: Settings) -> None:
    folder = Path(chosen["OUTPUT_DIR"]) / LAST
    with storage.open_store(chosen["STORE_URL"]) as store:
        rows = store.read("invoices", FIRST, LAST)
    for row in rows.itertuples():
        name = folder / "invoices" / f"invoice_{row.contract_id}_2024-03_v{row.version}"
        content = json.loads(name.with_suffix(".json").read_text(encoding="utf-8"))
        assert content["total"]["gross"] == row.total_gross_eur
        assert content["data"] == "synthetic"
        page = name.with_suffix(".html").read_text(encoding="utf-8")
        assert "SYNTHETIC" in page
        assert "example.invalid" not in page
    report = json.loads((folder / "performance_report.json").read_text(encoding="utf-8"))
    assert report["portfolio"]["asset_id"] == "PORTFOLIO"
    assert len(report["assets"]) == 6
    assert (report["month"], report["data"]) == ("2024-03", "synthetic")


def test_render_gives_the_published_bytes_again(
    chosen: Settings, invoice: Invoice, tmp_path: Path
) -> None:
    done = invoice("render", "2024-03-C-0001", "--to", "again")
    assert done.returncode == 0, done.stderr
    name = "invoice_C-0001_2024-03_v1"
    for ending in ("json", "html"):
        published = Path(chosen["OUTPUT_DIR"]) / LAST / "invoices" / f"{name}.{ending}"
        assert (tmp_path / "again" / f"{name}.{ending}").read_bytes() == published.read_bytes()


def test_list_and_show(chosen: Settings, invoice: Invoice) -> None:
    listed = invoice("list", "--month", "2024-03")
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.count("provisional") == 6
    assert invoice("list", "--status", "final").stdout.count("2024-03-C") == 0
    shown = invoice("show", "2024-03-C-0001")
    assert shown.returncode == 0, shown.stderr
    for text in ("no final production", "Infeed payout", "Total", "VAT EUR", "synthetic"):
        assert text in shown.stdout


def test_mistakes_are_one_sentence_each(chosen: Settings, invoice: Invoice) -> None:
    today = datetime.now(UTC).date()
    for words, said in (
        (("show", "2024-03-C-0099"), "there is no invoice '2024-03-C-0099'"),
        (("show", "2024-03-C-0001", "--version", "7"), "has no version 7: it has 1"),
        (("list", "--month", f"{today:%Y-%m}"), "is not over"),
        (("list", "--month", "March"), "write it as 2024-10"),
    ):
        done = invoice(*words)
        assert (done.returncode, done.stdout) == (2, ""), words
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
        assert said in done.stderr


def test_a_month_is_asked_for_whole_and_when_it_is_over(chosen: Settings) -> None:
    done = process_data.process(["invoices"], "2024-03-05", "2024-03-20", **chosen)[0]
    assert done.computed == 0
    assert "ask for 2024-03-31" in done.waiting[date(2024, 3, 20)]
    future = datetime.now(UTC).date() + timedelta(days=40)
    last = month_window(future, UTC).end.date() - timedelta(days=1)
    done = process_data.process(["invoices"], f"{last}", **chosen)[0]
    assert done.waiting == {last: "the month is not over"}
