"""check-samples on answers that the test makes itself, in the recorded shapes."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

import check_samples
from domain.errors import UsageError

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


def test_a_folder_without_answers_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no recorded answers"):
        check_samples.check(tmp_path)
