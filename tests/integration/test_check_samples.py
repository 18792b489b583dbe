"""check-samples on answers that the test makes itself, in the recorded shapes."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import check_samples
from domain.errors import UsageError
from sources import entsoe_xml
from tests.unit.entsoe_documents import (
    acknowledgement,
    archive,
    document,
    period,
    points,
    series,
)

ROW = {
    "dataset": "AGWS",
    "documentId": "SYNTHETIC-1",
    "documentRevisionNumber": 1,
    "publishTime": "2026-05-06T02:58:21Z",
    "businessType": "Wind generation",
    "psrType": "Wind Onshore",
    "quantity": 1238.414,
    "startTime": "2026-05-06T00:30:00Z",
    "settlementDate": "2026-05-06",
    "settlementPeriod": 4,
}


def written(folder: Path, name: str, answer: object) -> None:
    (folder / "elexon").mkdir(exist_ok=True)
    (folder / "elexon" / name).write_text(json.dumps(answer), encoding="utf-8")


def outcomes(folder: Path) -> dict[str, str]:
    return {verdict.file: verdict.outcome for verdict in check_samples.check(folder)}


def test_rows_of_a_known_dataset_are_read_and_others_are_named(tmp_path: Path) -> None:
    offshore = ROW | {"psrType": "Wind Offshore", "quantity": 4153}
    written(tmp_path, "agws.json", {"data": [ROW, offshore]})
    written(tmp_path, "empty.json", {"data": []})
    written(tmp_path, "other.json", [{"dataset": "NOSUCH", "x": 1}])
    written(tmp_path, "error.json", {"status": 400, "errors": {"": ["too wide"]}})
    assert outcomes(tmp_path) == {
        "agws.json": check_samples.READ,
        "empty.json": check_samples.READ,
        "error.json": check_samples.REFUSED,
        "other.json": check_samples.UNKNOWN,
    }


@pytest.mark.parametrize(
    "row",
    [ROW | {"surprise": 1}, ROW | {"quantity": "n/a"}, {k: ROW[k] for k in ROW if k != "psrType"}],
    ids=["a field nobody declared", "a number that is none", "a field that is gone"],
)
def test_a_value_that_would_be_lost_is_called_wrong(tmp_path: Path, row: dict[str, object]) -> None:
    written(tmp_path, "agws.json", {"data": [row]})
    assert outcomes(tmp_path) == {"agws.json": check_samples.WRONG}


def test_an_hour_that_is_not_the_recorded_one_does_not_give_its_figures(tmp_path: Path) -> None:
    (tmp_path / "gb").mkdir()
    with (tmp_path / "gb" / "gb_london_1s_one_hour.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["seconds_from_start", "time_of_day", "f_hz"])
        for s in range(3600):
            clock = f"11:{s // 60:02}:{s % 60:02}"
            writer.writerow([s, clock, round(50 + 0.05 * math.sin(s / 40), 6)])
    assert set(outcomes(tmp_path).values()) == {check_samples.WRONG}


QUARTERS = points(
    {"position": 1, "quantity": 209, "secondaryQuantity": 1.67},
    {"position": 4, "quantity": 175, "secondaryQuantity": 2},
)


def bids(inside: str = QUARTERS, code: str = "A24") -> bytes:
    one = period("2026-03-02T00:00Z", "2026-03-02T01:15Z", "PT15M", inside)
    return document(series(one), type=code, process__processType="A51")


def entsoe(folder: Path, **bodies: bytes) -> None:
    (folder / "entsoe").mkdir()
    for name, body in bodies.items():
        (folder / "entsoe" / name.replace("__", ".")).write_bytes(body)


def test_entsoe_documents_are_read_or_refused_and_none_is_passed_over(tmp_path: Path) -> None:
    entsoe(
        tmp_path,
        bids__xml=bids(),
        nothing__xml=acknowledgement(),
        other__xml=bids(code="A87"),
        several__zip=archive([bids(), bids(code="A87")]),
    )
    verdicts = {verdict.file: verdict for verdict in check_samples.check(tmp_path)}
    assert {file: verdict.outcome for file, verdict in verdicts.items()} == {
        "bids.xml": check_samples.READ,
        "nothing.xml": check_samples.REFUSED,
        "other.xml": check_samples.REFUSED,
        "several.zip: 001-DOCUMENT.xml": check_samples.READ,
        "several.zip: 002-DOCUMENT.xml": check_samples.REFUSED,
    }
    # Five quarters of an hour with two values each.
    assert verdicts["bids.xml"].detail.startswith("10 values of Balancing_MarketDocument A24, all")
    assert "no dataset asks" in verdicts["other.xml"].detail


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (bids(QUARTERS.replace("secondaryQuantity", "tertiaryQuantity")), "tertiaryQuantity"),
        (bids().replace(b"</TimeSeries>", b""), "not well-formed"),
    ],
    ids=["a value that has no column", "cut"],
)
def test_what_an_entsoe_document_would_lose_is_called_wrong(
    tmp_path: Path, body: bytes, said: str
) -> None:
    entsoe(tmp_path, bids__xml=body)
    (verdict,) = check_samples.check(tmp_path)
    assert verdict.outcome == check_samples.WRONG
    assert said in verdict.detail


def slots_without_positions(period: Any, curve: str, zone: Any, **_: bool) -> entsoe_xml.Slots:
    """What another client does: the points one after the other, wherever they belong."""
    told = entsoe_xml.expand(period, "A01", zone)
    starts = told.start_s[0] + 900 * np.arange(len(told.start_s))
    return entsoe_xml.Slots(starts, starts + 900, told.values)


def test_a_reader_that_ignores_positions_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entsoe(tmp_path, bids__xml=bids())
    monkeypatch.setattr(check_samples, "expand", slots_without_positions)
    (verdict,) = check_samples.check(tmp_path)
    assert verdict.outcome == check_samples.WRONG


def test_a_folder_without_answers_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no recorded answers"):
        check_samples.check(tmp_path)
