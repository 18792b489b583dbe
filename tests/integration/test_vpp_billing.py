"""Invoices and performance through the real job, against loops in Decimal over the same folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import fetch_data
import process_data
from sandbox.vpp import Contract, Snapshot, Truth, Written, files, write_folder
from sandbox.vpp.billing import Invoice, Line, invoices
from sandbox.vpp.performance import PORTFOLIO, Performance, performance
from tests.integration.conftest import rows_of

# Month ends, days of either clock change, and between them days of which parts are known.
DAYS = (date(2024, 3, 30), date(2024, 3, 31), date(2024, 10, 27), date(2024, 10, 31))
MONTHS = {(2024, 3): ("2024-03-01", "2024-03-31"), (2024, 10): ("2024-10-01", "2024-10-31")}
ZONES = ("UTC", "Europe/Berlin")
# What does not depend on the clock is seen with one of them; the nightly tests take both.
EITHER = ("Europe/Berlin", pytest.param("UTC", marks=pytest.mark.nightly))
CASES = [(zone, month) for zone in ZONES for month in MONTHS]
PRODUCTS = (
    "best_of_infeed",
    "portfolio_best_of_infeed",
    "asset_forecast",
    "trading",
    "imbalance_cost",
    "portfolio_imbalance_cost",
    "invoices",
    "performance_daily",
    "performance_report",
)
NANO = Decimal("1e-9")
LINES = ("payout", "redispatch", "fee", "total")
# Figures by column; the rest of them is named as the column is.
NAMED = {
    "capture_price": "capture_price_eur_per_mwh",
    "vwap_sum": "vwap_sum_eur_per_mwh",
}
RATIOS = ("capacity_factor", "bias_mw", "mae_mw", "nmae", "capture_price", "capture_rate")
SOURCES = ("final", "live", "forecast", "missing")


class Home:
    """A folder, and a store with what the job makes of it."""

    def __init__(self, root: Path, written: Written, zone: str) -> None:
        self.root, self.zone = root, zone
        self.settings = {
            "STORE_URL": f"sqlite:///{root / 'grid.db'}",
            "OUTPUT_DIR": str(root / "output"),
            "VPP_DIR": str(written.folder),
            "VPP_DELIVERY_DAY": zone,
        }
        (written.folder / "SYNTHETIC.txt").write_text("made by the sandbox\n")

    def fetch(self) -> list[str]:
        """Read all files; what of them was refused."""
        report = fetch_data.fetch(["vpp"], DAYS[0].isoformat(), **self.settings)
        return [line for part in report.fetched for line in part.rejected]

    def process(self, month: tuple[int, int], *keys: str, **changed: str) -> None:
        """Bring the products of a month up to date."""
        settings = self.settings | changed
        done = process_data.process(keys or PRODUCTS, *MONTHS[month], **settings)
        assert [part.failures for part in done] == [[]] * len(done)

    def invoices(self, month: tuple[int, int]) -> dict[str, list[dict[str, Any]]]:
        """All versions of the invoices of a month by contract, the first one first."""
        found: dict[str, list[dict[str, Any]]] = {}
        rows = rows_of(self.root / "grid.db", "invoices")
        for row in sorted(rows, key=lambda row: int(row["version"])):
            if row["month"] == f"{month[0]}-{month[1]:02d}":
                found.setdefault(row["contract_id"], []).append(row)
        for versions in found.values():
            assert [row["version"] for row in versions] == list(range(1, len(versions) + 1))
        return found

    def performance(self, table: str, month: tuple[int, int]) -> list[dict[str, Any]]:
        rows = rows_of(self.root / "grid.db", table)
        column = "delivery_date" if table == "performance_daily" else "month"
        return [row for row in rows if row[column].startswith(f"{month[0]}-{month[1]:02d}")]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """One folder with all its dirt; what cannot be read would lie in one of the months."""
    return write_folder(tmp_path_factory.mktemp("vpp"), DAYS, defects=False)


@pytest.fixture(scope="module")
def homes(written: Written, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Home]:
    """A store with every product of both months, by delivery clock."""
    found = {}
    first = Home(tmp_path_factory.mktemp("home"), written, ZONES[0])
    assert first.fetch() == []
    for zone in ZONES:
        home = found[zone] = Home(tmp_path_factory.mktemp("home"), written, zone)
        shutil.copy(first.root / "grid.db", home.root)
        for month in MONTHS:
            home.process(month)
    return found


# --- invoices ----------------------------------------------------------------------------------


def assert_invoices(found: Iterable[dict[str, Any]], right: dict[str, Invoice], vat: int) -> None:
    rows = {row["contract_id"]: row for row in found}
    assert rows.keys() == right.keys()
    for contract_id, invoice in right.items():
        assert_invoice(rows[contract_id], invoice)
        assert Decimal(rows[contract_id]["vat_percent"]) == vat


def assert_invoice(row: dict[str, Any], right: Invoice) -> None:
    assert (row["invoice_id"], row["asset_id"]) == (right.invoice_id, right.asset_id)
    assert row["status"] == right.status
    assert bool(row["reasons"]) == (right.status != "final")
    for source in SOURCES:
        assert row[f"{source}_quarter_hours"] == getattr(right, source), source
    # A mean is published with nine decimals [kW]; the last one depends on how a sum was ordered.
    assert abs(Decimal(row["production_mwh"]) - right.production_mwh) < NANO
    assert row["unpriced_quarter_hours"] == right.unpriced
    assert abs(Decimal(row["unpriced_mwh"]) - right.unpriced_mwh) < NANO
    assert row["unknown_redispatch_quarter_hours"] == right.unknown_redispatch
    for name in LINES:
        cells = [row[f"{name}_{part}_eur"] for part in Line._fields]
        amounts = getattr(right, name)
        if amounts is None:
            assert not any(cells), name
        else:
            # To the cent and with both decimals, as it is printed.
            assert cells == [str(amount) for amount in amounts], (row["contract_id"], name)


@pytest.mark.parametrize(("zone", "month"), CASES)
def test_invoices_equal_the_truth(
    written: Written, homes: dict[str, Home], zone: str, month: tuple[int, int]
) -> None:
    home, truth = homes[zone], written.truth
    first = home.invoices(month)
    assert {len(versions) for versions in first.values()} == {1}
    right = invoices(truth, *month, zone)
    assert len(right) == 6
    assert {one.status for one in right.values()} == {"provisional", "not_billable"}
    assert any(one.unpriced for one in right.values())
    assert any(one.redispatch and one.redispatch.net for one in right.values())
    assert_invoices((row for (row,) in first.values()), right, 19)
    home.process(month, "invoices", VPP_VAT_PERCENT="7", VPP_MARKET_FALLBACK="day")
    second = home.invoices(month)
    other = invoices(truth, *month, zone, Decimal(7), "day")
    assert other != right
    assert_invoices((versions[-1] for versions in second.values()), other, 7)
    assert {name: versions[:1] for name, versions in second.items()} == first
    home.process(month, "invoices")
    third = home.invoices(month)
    assert_invoices((versions[-1] for versions in third.values()), right, 19)
    home.process(month, "invoices")
    assert home.invoices(month) == third


def test_a_snapshot_of_the_next_month_is_not_yet_true(written: Written) -> None:
    """What the test above would not see if both months ended with the newest prices."""
    for year, month in MONTHS:
        after = date(year, month + 1, 1)
        later = [one for one in written.truth.snapshots if one.instant // 86_400 >= _number(after)]
        own = [one for one in written.truth.snapshots if one not in later]
        assert later and own[-1].contracts[0].price != later[0].contracts[0].price


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


@pytest.mark.parametrize("zone", EITHER)
def test_late_production_makes_a_new_version(tmp_path: Path, zone: str) -> None:
    folder, month = tmp_path / "vpp", (2024, 3)
    written = write_folder(folder, DAYS[:2], defects=False)
    home = Home(tmp_path, written, zone)
    home.fetch()
    home.process(month)
    early = invoices(written.truth, *month, zone)
    late_truth = write_folder(folder, DAYS[:2], defects=False, late_final=True).truth
    home.fetch()
    home.process(month)
    late = invoices(late_truth, *month, zone)
    found = home.invoices(month)
    assert_invoices((versions[0] for versions in found.values()), early, 19)
    assert_invoices((versions[-1] for versions in found.values()), late, 19)
    changed = {name for name in late if late[name] != early[name]}
    assert {name for name, versions in found.items() if len(versions) == 2} == changed
    assert 0 < len(changed) < len(late)


@pytest.mark.parametrize("zone", EITHER)
def test_contracts_of_all_kinds(tmp_path: Path, zone: str) -> None:
    """Terms that begin and end within the month, and all that keeps an invoice from being written."""
    month = (2024, 3)
    written = write_folder(tmp_path / "vpp", DAYS[:2], dirt=False)
    known = list(contracts(written.truth))
    truth = with_snapshot(written.folder, written.truth, date(2024, 3, 20), known)
    home = Home(tmp_path, written, zone)
    twice, strange = home.fetch()
    assert "two contracts for the same days" in twice
    assert "'flat' is not" in strange
    home.process(month)
    right = invoices(truth, *month, zone)
    assert {name: one.status for name, one in right.items()} == {
        "WHOLE": "final",
        "PERCENT": "final",
        "BEFORE": "final",
        "AFTER": "final",
        "OPEN": "provisional",
        "TWICE-1": "not_billable",
        "TWICE-2": "not_billable",
        "STRANGE": "not_billable",
    }
    assert_invoices((versions[-1] for versions in home.invoices(month).values()), right, 19)
    # The next snapshot has one of them no longer, and another one can be billed.
    left = [one for one in known if one.contract_id not in ("WHOLE", "TWICE-2")]
    truth = with_snapshot(written.folder, truth, date(2024, 3, 25), left)
    home.fetch()
    home.process(month)
    found, right = home.invoices(month), invoices(truth, *month, zone)
    assert right["TWICE-1"].status == "provisional"
    gone = [found.pop(name) for name in ("WHOLE", "TWICE-2")]
    assert [[row["status"] for row in versions] for versions in gone] == [
        ["final", "withdrawn"],
        ["not_billable", "withdrawn"],
    ]
    assert not any(versions[1][f"{name}_net_eur"] for versions in gone for name in LINES)
    assert_invoices((versions[-1] for versions in found.values()), right, 19)
    assert {name for name, versions in found.items() if len(versions) > 1} == {"TWICE-1"}


def with_snapshot(folder: Path, truth: Truth, day: date, rows: Iterable[Contract]) -> Truth:
    """Write one more contract snapshot; the truth that knows it."""
    snapshot = Snapshot(_number(day) * 86_400, tuple(rows))
    ((name, body),) = files.contracts([snapshot], dirt=False)
    (folder / name).write_bytes(body.replace(str(date.max).encode(), b""))
    known = sorted((*truth.snapshots, snapshot), key=lambda one: one.instant)
    return replace(truth, snapshots=tuple(known))


def contracts(truth: Truth) -> Iterable[Contract]:
    """The contracts of the fleet, retold; an end on the last day that there is stands for none."""
    first, last = DAYS[:2]
    one, two, three, four, five, six = truth.assets(_number(last) * 86_400)
    one = replace(one, begin=first, end=last, price=Decimal("61.37"))
    # Half a cent: 6.2 MW at 0.075 are 0.465 EUR.
    yield replace(one, contract_id="WHOLE", fee_model="fixed_for_capacity", fee=Decimal("0.075"))
    two = replace(two, begin=last, end=date.max, fee_model="percent_of_market", fee=None)
    yield replace(two, contract_id="PERCENT", fee_percent=Decimal("12.5"))
    yield replace(three, contract_id="BEFORE", begin=first, end=first)
    yield replace(three, contract_id="AFTER", begin=last, price=Decimal("-4.125"))
    yield replace(four, contract_id="OPEN", end=date.max)
    yield replace(five, contract_id="TWICE-1", end=last)
    yield replace(five, contract_id="TWICE-2", begin=last, end=last)
    yield replace(six, contract_id="STRANGE", fee_model="flat", begin=first, end=last)
    yield replace(six, contract_id="GONE", end=date(2024, 2, 29))
    yield replace(six, contract_id="NEXT", begin=date(2024, 4, 1))


# --- performance -------------------------------------------------------------------------------


def assert_performance(row: dict[str, Any], right: Performance) -> None:
    for name in (*vars(right), *RATIOS):
        assert_equal(row, NAMED.get(name, name), getattr(right, name), within(name, right))
    for source in SOURCES:
        count = Decimal(getattr(right, f"{source}_quarter_hours"))
        assert_equal(row, f"{source}_share", count / right.quarter_hours)


def within(name: str, right: Performance) -> Decimal:
    # Kilowatts with three decimals times cents often end in a 5 behind the ninth decimal, and which
    # way a float rounds that is chance: every cost that is summed may be one billionth off.
    known = right.quarter_hours - right.unknown_cost_quarter_hours
    return NANO * known if name == "imbalance_cost_eur" else NANO


def assert_equal(
    row: dict[str, Any], name: str, wanted: Decimal | int | None, tolerance: Decimal = NANO
) -> None:
    found = row[name]
    if wanted is None:
        assert found is None, (name, found)
    else:
        assert found is not None, (name, wanted)
        # What a float adds to a decimal is far smaller than the last of nine.
        assert abs(Decimal(repr(found)) - wanted) <= tolerance, (name, found, wanted)


@pytest.mark.parametrize("kind", ["tradeable", "latest"])
@pytest.mark.parametrize(("zone", "month"), CASES)
def test_performance_equals_the_truth(
    written: Written, homes: dict[str, Home], zone: str, month: tuple[int, int], kind: str
) -> None:
    home = homes[zone]
    home.process(month, *PRODUCTS[4:6], *PRODUCTS[7:], VPP_IMBALANCE_FORECAST=kind)
    tradeable = kind == "tradeable"
    daily = home.performance("performance_daily", month)
    days = sorted({date.fromisoformat(row["delivery_date"]) for row in daily})
    # Of days between those that the folder was written for there may be parts.
    assert {day for day in DAYS if (day.year, day.month) == month} <= set(days)
    assert len(daily) == 7 * len(days)
    for day in days:
        right = performance(written.truth, [day], zone, tradeable=tradeable)
        rows = {row["asset_id"]: row for row in daily if row["delivery_date"] == str(day)}
        assert rows.keys() == right.keys()
        for asset_id, one in right.items():
            assert_performance(rows[asset_id], one)
    report = {row["asset_id"]: row for row in home.performance("performance_report", month)}
    total = performance(written.truth, days, zone, tradeable=tradeable)
    assert report.keys() == total.keys()
    for asset_id, one in total.items():
        assert_performance(report[asset_id], one)
        assert report[asset_id]["days"] == len(days)
    assert total[PORTFOLIO].redispatched_mwh and total[PORTFOLIO].unknown_cost_quarter_hours
    assert all(one.nmae and one.capture_rate for one in total.values())
