"""Elexon's other endpoints over real HTTP: windows, caps, envelopes, and data that lies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import requests

from sandbox import Fault, Sandbox
from sandbox.faults import DATA_KINDS, KINDS

NOW = "2024-11-15T00:00:00Z"
DAY = {"from": "2024-10-27T00:00Z", "to": "2024-10-28T00:00Z"}
PUBLISHED = {
    "publishDateTimeFrom": "2024-10-27T09:00Z",
    "publishDateTimeTo": "2024-10-27T12:00Z",
}
THREE_HOURS = {"from": "2024-10-27T09:00Z", "to": "2024-10-27T12:00Z"}
SETTLED = {"settlementDateFrom": "2024-10-27", "settlementDateTo": "2024-10-27"}


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox(now=NOW, seed=7) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox) -> Iterator[Sandbox]:
    yield server
    server.faults = ()
    server.now = NOW


def get(sandbox: Sandbox, path: str, params: Any = ()) -> requests.Response:
    base = sandbox.settings()["ELEXON_BASE_URL"]
    return requests.get(base + path, params=dict(params) or None, timeout=10)


def rows_of(response: requests.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    body = response.json()
    rows: list[dict[str, Any]] = body if isinstance(body, list) else body["data"]
    return rows


def problem(response: requests.Response) -> str:
    assert response.status_code == 400, response.text
    (words,) = next(iter(response.json()["errors"].values()))
    return str(words)


# --- windows -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "params", "rows"),
    [
        # Both ends are inclusive; coal is gone, hence 19 fuels.
        ("/datasets/FUELINST", PUBLISHED, 37 * 19),
        ("/datasets/FUELHH", PUBLISHED, 7 * 19),
        ("/datasets/FUELHH/stream", SETTLED, 50 * 19),
        ("/datasets/FUELINST/stream", SETTLED, 300 * 19),
        ("/datasets/INDO", PUBLISHED, 7),
        ("/demand/outturn", SETTLED, 50),
        ("/demand/outturn/stream", SETTLED, 50),
        ("/datasets/NETBSAD", THREE_HOURS, 7),
        ("/datasets/MID", THREE_HOURS, 14),
        ("/balancing/pricing/market-index", THREE_HOURS, 14),
        ("/datasets/NONBM/stream", THREE_HOURS, 6),
        ("/datasets/LOLPDRM", PUBLISHED, 7 * 5),
        ("/datasets/BOD", {**THREE_HOURS, "to": "2024-10-27T10:00Z"}, 3 * 20 * 3),
        ("/datasets/B1610/stream", DAY, 49 * 40),
        ("/datasets/B1610", {"settlementDate": "2024-10-27", "settlementPeriod": "50"}, 40),
        ("/datasets/B1610", {"settlementDate": "2024-10-26", "settlementPeriod": "50"}, 0),
        ("/balancing/settlement/system-prices/2024-10-27", {}, 50),
        ("/balancing/settlement/system-prices/2024-03-31", {}, 46),
        ("/temperature", {"from": "2024-10-01", "to": "2024-10-31"}, 31),
        ("/reference/bmunits/all", {}, 40),
    ],
)
def test_rows_of_a_window(sandbox: Sandbox, path: str, params: dict[str, str], rows: int) -> None:
    found = rows_of(get(sandbox, path, params))
    if path.startswith(("/datasets/FUELHH", "/datasets/INDO")):
        # What was restated meanwhile is told as well; it belongs to the day before, or comes twice.
        found = [r for r in found if r["settlementDate"] == "2024-10-27"]
        found = list({(r["startTime"], r.get("fuelType")): r for r in found}.values())
    assert len(found) == rows


def test_settlement_dates_are_british(sandbox: Sandbox) -> None:
    rows = rows_of(get(sandbox, "/demand/outturn", SETTLED))
    assert rows[-1]["startTime"] == "2024-10-26T23:00:00Z"
    assert rows[0]["startTime"] == "2024-10-27T23:30:00Z"
    assert [row["settlementPeriod"] for row in rows] == list(range(50, 0, -1))


def test_only_the_end_with_a_period_is_a_settlement_date(sandbox: Sandbox) -> None:
    window = {"from": "2024-10-26T22:00Z", "to": "2024-10-27T11:11Z", "settlementPeriodTo": "1"}
    rows = rows_of(get(sandbox, "/datasets/NETBSAD", window))
    assert [r["settlementPeriod"] for r in rows] == [1, 48, 47]


def test_notifications_are_asked_by_the_period(sandbox: Sandbox) -> None:
    window = {"from": "2024-10-27T10:10Z", "to": "2024-10-27T10:50Z"}
    rows = rows_of(get(sandbox, "/datasets/PN/stream", window))
    assert {row["settlementPeriod"] for row in rows} == {23, 24}
    assert {row["nationalGridBmUnit"] for row in rows} == {f"SYNTH-{n}" for n in range(1, 41)}
    assert {row["bmUnit"] for row in rows if row["nationalGridBmUnit"] == "SYNTH-8"} == {None}


def test_lists_of_values(sandbox: Sandbox) -> None:
    params = {**SETTLED, "fuelType": ["WIND", "CCGT"], "settlementPeriod": [3, 4]}
    rows = rows_of(get(sandbox, "/datasets/FUELHH/stream", params))
    assert {(r["fuelType"], r["settlementPeriod"]) for r in rows} == {
        (fuel, period) for fuel in ("WIND", "CCGT") for period in (3, 4)
    }
    rows = rows_of(get(sandbox, "/datasets/PN/stream", {**THREE_HOURS, "bmUnit": "T_SYNTH-1"}))
    assert {row["nationalGridBmUnit"] for row in rows} == {"SYNTH-1"}


# --- refusals ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/datasets/BOALF", {"from": "2024-10-27"}),
        ("/datasets/B1610", {"settlementDate": "2024-10-27"}),
        ("/datasets/LOLPDRM/stream", THREE_HOURS),
        ("/datasets/REMIT", {}),
        ("/datasets/INDO/stream", {}),
        ("/datasets/TEMP/stream", {}),
        ("/balancing/settlement/system-prices/2024-10-27/stream", {}),
    ],
)
def test_missing_or_unknown(sandbox: Sandbox, path: str, params: dict[str, str]) -> None:
    response = get(sandbox, path, params)
    assert response.status_code == 404
    assert response.text == '{ "statusCode": 404, "message": "Resource not found" }'


@pytest.mark.parametrize(
    ("path", "names", "start", "at_most", "too_late", "words"),
    [
        ("/datasets/BOALF", "from to", "2024-10-26T00:00Z", "2024-10-27T00:00Z", "2024-10-27T00:01Z", "From and To inclusive must not exceed 1 day"),
        ("/datasets/BOD", "from to", "2024-10-26T00:00Z", "2024-10-26T01:00Z", "2024-10-26T01:01Z", "1 hour"),
        ("/datasets/MID", "from to", "2024-10-01T00:00Z", "2024-10-08T00:00Z", "2024-10-09T00:00Z", "7 days"),
        ("/datasets/LOLPDRM", "publishDateTimeFrom publishDateTimeTo", "2024-10-26T00:00Z", "2024-10-26T12:00Z", "2024-10-26T12:30Z", "12 hours"),
        ("/datasets/REMIT", "publishDateTimeFrom publishDateTimeTo", "2024-10-26T00:00Z", "2024-10-27T00:00Z", "2024-10-27T01:00Z", "between PublishDateTimeFrom and PublishDateTimeTo inclusive must not exceed 1 day"),
        ("/demand/outturn", "settlementDateFrom settlementDateTo", "2024-10-01", "2024-10-28", "2024-10-29", "28 days"),
    ],
)  # fmt: skip
def test_caps(
    sandbox: Sandbox, path: str, names: str, start: str, at_most: str, too_late: str, words: str
) -> None:
    first, last = names.split()
    assert rows_of(get(sandbox, path, {first: start, last: at_most}))
    assert problem(get(sandbox, path, {first: start, last: too_late})).endswith(words)
    assert rows_of(get(sandbox, f"{path}/stream", {first: start, last: too_late}))


def test_two_families_cannot_be_combined(sandbox: Sandbox) -> None:
    for path in ("/datasets/FUELHH", "/datasets/FUELINST/stream"):
        assert "cannot be set" in problem(get(sandbox, path, {**PUBLISHED, **SETTLED}))


def test_dates_are_dates_and_periods_go_to_50(sandbox: Sandbox) -> None:
    wrong = {**SETTLED, "settlementDateTo": "2024-10-27T00:00Z"}
    assert "not valid" in problem(get(sandbox, "/demand/outturn", wrong))
    assert problem(get(sandbox, "/balancing/settlement/system-prices/27-10-2024"))
    period = {"settlementDate": "2024-10-27", "settlementPeriod": "51"}
    assert "not valid" in problem(get(sandbox, "/datasets/PN", period))


def test_unknown_parameters_bring_the_latest(sandbox: Sandbox) -> None:
    (row,) = rows_of(get(sandbox, "/datasets/INDO", SETTLED))
    assert row["publishTime"] == NOW
    assert len(rows_of(get(sandbox, "/datasets/WINDFOR", THREE_HOURS))) == 73
    days = {row["measurementDate"] for row in rows_of(get(sandbox, "/datasets/TEMP"))}
    assert len(days) in (31, 32)
    for path in ("/datasets/FUELHH", "/datasets/SYSWARN", "/datasets/NONBM"):
        assert len({row["publishTime"] for row in rows_of(get(sandbox, path))}) == 1


# --- rows --------------------------------------------------------------------


def test_system_prices(sandbox: Sandbox) -> None:
    response = get(sandbox, "/balancing/settlement/system-prices/2024-10-27")
    body = response.json()
    assert body["metadata"] == {"datasets": ["DISEBSP"]}
    assert {len(row) for row in body["data"]} == {22}
    # Eighteen decimals, which are the same float.
    digits = json.loads(response.content, parse_float=str)["data"]
    assert {len(row["netImbalanceVolume"].partition(".")[2]) for row in digits} == {18}
    truth = sandbox.truth("system_prices", "2024-10-26T23:00Z", "2024-10-28T00:00Z")["columns"]
    volumes = [row["netImbalanceVolume"] for row in body["data"]]
    assert volumes == truth["niv_mwh"][::-1].tolist()
    sandbox.now = "2024-10-28T00:00:00Z"
    fresh = rows_of(get(sandbox, "/balancing/settlement/system-prices/2024-10-27"))
    assert all(
        a["createdDateTime"] < b["createdDateTime"]
        for a, b in zip(fresh[::-1], body["data"][::-1], strict=False)
    )


def test_metered_energy(sandbox: Sandbox) -> None:
    rows = rows_of(get(sandbox, "/datasets/B1610/stream", DAY))
    ends = [row["halfHourEndTime"] for row in rows]
    assert ends == sorted(ends)
    assert (ends[0], ends[-1]) == ("2024-10-27T00:00:00", "2024-10-28T00:00:00")
    assert list(rows[0])[-3:] == ["halfHourEndTime", "settlementRunType", "quantity"]
    assert {row["settlementRunType"] for row in rows} == {"II"}


def test_remit_leaves_keys_out(sandbox: Sandbox) -> None:
    window = {"publishDateTimeFrom": "2024-10-01", "publishDateTimeTo": "2024-10-31"}
    rows = rows_of(get(sandbox, "/datasets/REMIT/stream", window))
    for name in ("eventEndTime", "durationUncertainty", "relatedInformation", "outageProfile"):
        there = [name in row for row in rows]
        assert any(there) and not all(there), name
        assert all(row[name] is not None for row in rows if name in row)
    profile = next(row["outageProfile"] for row in rows if "outageProfile" in row)
    assert profile[0].keys() == {"startTime", "endTime", "capacity"}
    assert profile[0]["endTime"] == profile[1]["startTime"]
    numbers = get(sandbox, "/datasets/REMIT/stream", window).content
    assert b'"normalCapacity":' in numbers and b".000," in numbers


def test_loss_of_load_calls_itself_by_another_name(sandbox: Sandbox) -> None:
    assert {row["dataset"] for row in rows_of(get(sandbox, "/datasets/LOLPDRM", PUBLISHED))} == {
        "LOLPDM"
    }


def test_served_is_the_truth(sandbox: Sandbox) -> None:
    window = {"settlementDateFrom": "2024-05-01", "settlementDateTo": "2024-05-28"}
    rows = rows_of(get(sandbox, "/datasets/FUELHH/stream", window))
    newest: dict[Any, Any] = {}
    for row in sorted(rows, key=lambda row: str(row["publishTime"])):
        newest[row["startTime"], row["fuelType"]] = row["generation"]
    truth = sandbox.truth("generation_outturn", "2024-04-30T23:00Z", "2024-05-28T23:00Z")["columns"]
    starts = [f"{text}Z" for text in np.datetime_as_string(truth["start_time"]).tolist()]
    keys = zip(starts, truth["fuel_type"].tolist(), strict=True)
    assert newest == dict(zip(keys, truth["generation_mw"].tolist(), strict=True))
    assert len(rows) > len(newest), "restated and repeated rows"


# --- data that lies ----------------------------------------------------------


def clean_and_hit(sandbox: Sandbox, fault: Fault, path: str, params: Any) -> tuple[Any, Any]:
    sandbox.faults = ()
    clean = rows_of(get(sandbox, path, params))
    sandbox.faults = [fault]
    return clean, rows_of(get(sandbox, path, params))


def test_shift_hour(sandbox: Sandbox) -> None:
    clean, hit = clean_and_hit(sandbox, Fault("shift-hour"), "/datasets/FUELHH", PUBLISHED)
    for before, after in zip(clean, hit, strict=True):
        assert int(after["startTime"][11:13]) == int(before["startTime"][11:13]) + 1
        assert after["publishTime"] == before["publishTime"]
        assert after["settlementPeriod"] == before["settlementPeriod"]
    clean, hit = clean_and_hit(sandbox, Fault("shift-hour"), "/datasets/B1610/stream", THREE_HOURS)
    assert (clean[0]["halfHourEndTime"], hit[0]["halfHourEndTime"]) == (
        "2024-10-27T09:00:00",
        "2024-10-27T10:00:00",
    )
    clean, hit = clean_and_hit(sandbox, Fault("shift-hour"), "/datasets/NETBSAD", THREE_HOURS)
    assert [r["settlementPeriod"] for r in hit] == [r["settlementPeriod"] + 2 for r in clean]


def test_halve_and_flip(sandbox: Sandbox) -> None:
    for kind, factor in (("halve", 0.5), ("flip", -1)):
        clean, hit = clean_and_hit(sandbox, Fault(kind), "/datasets/FUELHH", PUBLISHED)
        assert [r["generation"] for r in hit] == [int(r["generation"] * factor) for r in clean]
        clean, hit = clean_and_hit(sandbox, Fault(kind), "/datasets/MID", THREE_HOURS)
        assert [r["price"] for r in hit] == [r["price"] * factor for r in clean]


def test_stale(sandbox: Sandbox) -> None:
    path = "/balancing/settlement/system-prices/2024-10-05"
    clean, hit = clean_and_hit(sandbox, Fault("stale"), path, {})
    assert len(clean) == len(hit)
    assert all(a["createdDateTime"] > b["createdDateTime"] for a, b in zip(clean, hit, strict=True))
    clean, hit = clean_and_hit(
        sandbox,
        Fault("stale"),
        "/datasets/B1610",
        {"settlementDate": "2024-08-01", "settlementPeriod": "9"},
    )
    runs = [{row["settlementRunType"] for row in rows} for rows in (clean, hit)]
    assert runs == [{"R1"}, {"II"}]


def test_new_type_and_drop_half(sandbox: Sandbox) -> None:
    clean, hit = clean_and_hit(sandbox, Fault("new-type"), "/datasets/FUELHH", PUBLISHED)
    unknown = [row for row in hit if row["fuelType"] == "SANDBOX_TYPE"]
    assert len(unknown) == round(0.1 * len(clean))
    clean, hit = clean_and_hit(sandbox, Fault("drop-half"), "/datasets/FUELHH", PUBLISHED)
    assert hit == clean[: len(hit)] and len(hit) == (len(clean) + 1) // 2


@pytest.mark.parametrize("kind", [*KINDS, *DATA_KINDS])
def test_every_fault_can_hit_rows_without_values(sandbox: Sandbox, kind: str) -> None:
    if kind in ("hang", "slow"):
        return
    sandbox.faults = [Fault(kind)]
    for path in ("/datasets/SYSWARN", "/reference/bmunits/all"):
        try:
            get(sandbox, path)
        except requests.exceptions.RequestException:
            assert kind in ("reset", "truncated", "garbled")
    assert {request.fault for request in sandbox.requests[-2:]} == {kind}
