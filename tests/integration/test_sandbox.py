"""The sandbox over real HTTP: every manner of the providers and every kind of fault once."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import requests

from sandbox import Fault, Sandbox

NOW = "2024-11-15T00:00:00Z"
CURATED = "/generation/actual/per-type/wind-and-solar"
HOUR = {
    "measurementDateTimeFrom": "2024-10-27T00:00Z",
    "measurementDateTimeTo": "2024-10-27T01:00Z",
}
NOT_FOUND = '{ "statusCode": 404, "message": "Resource not found" }'


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox(now=NOW, seed=7) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox) -> Iterator[Sandbox]:
    server.clear_requests()
    yield server
    server.faults = ()
    server.now = NOW


def get(sandbox: Sandbox, path: str, **params: Any) -> requests.Response:
    """Ask the sandbox's Elexon; from_ stands for the parameter from, timeout is the client's."""
    timeout = params.pop("timeout", 10)
    named = {name.rstrip("_"): value for name, value in params.items()}
    base = sandbox.settings()["ELEXON_BASE_URL"]
    return requests.get(base + path, params=named, timeout=timeout)


def windowed(path: str, start: str, end: str) -> dict[str, str]:
    """The window parameters of a path."""
    if path.startswith("/datasets/FREQ"):
        return {"measurementDateTimeFrom": start, "measurementDateTimeTo": end}
    if path.startswith("/datasets/AGWS"):
        return {"publishDateTimeFrom": start, "publishDateTimeTo": end}
    return {"from": start, "to": end}


def rows_of(response: requests.Response) -> list[dict[str, Any]]:
    """The rows of an answer in any envelope."""
    body = response.json()
    rows: list[dict[str, Any]] = body if isinstance(body, list) else body["data"]
    return rows


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


# --- answers -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "envelope", "fields"),
    [
        ("/datasets/FREQ", {"data"}, ["dataset", "measurementTime", "frequency"]),
        ("/datasets/FREQ/stream", None, ["dataset", "measurementTime", "frequency"]),
        ("/system/frequency", {"metadata", "data"}, ["measurementTime", "frequency"]),
        ("/system/frequency/stream", None, ["measurementTime", "frequency"]),
    ],
)
def test_frequency(
    sandbox: Sandbox, path: str, envelope: set[str] | None, fields: list[str]
) -> None:
    window = windowed(path, "2024-10-27T00:00Z", "2024-10-27T03:00:00Z")
    response = get(sandbox, path, **window)
    assert response.status_code == 200
    body = response.json()
    assert isinstance(body, list) if envelope is None else set(body) == envelope
    rows = rows_of(response)
    # Three hours at 15 seconds, inclusive at both ends, newest first.
    assert len(rows) == 721
    times = [moment(row["measurementTime"]) for row in rows]
    first = datetime(2024, 10, 27, tzinfo=UTC)
    assert times == [first + timedelta(seconds=15 * n) for n in reversed(range(721))]
    assert list(rows[0]) == fields
    if "dataset" in fields:
        # The length of a real row with three decimals, without its comma.
        row = next(row for row in rows if len(repr(row["frequency"])) == 6)
        assert len(json.dumps(row, separators=(",", ":"))) == 78
        assert row["dataset"] == "FREQ"
    if envelope == {"metadata", "data"}:
        assert body["metadata"] == {"datasets": ["FREQ"]}


def test_wind_and_solar_curated(sandbox: Sandbox) -> None:
    response = get(sandbox, CURATED, from_="2024-10-26T23:00Z", to="2024-10-27T23:30Z")
    body = response.json()
    assert body["metadata"] == {"datasets": ["AGWS"]}
    # The day on which the clocks go back has 50 periods.
    assert len(body["data"]) == 150
    assert {row["settlementDate"] for row in body["data"]} == {"2024-10-27"}
    assert [row["settlementPeriod"] for row in body["data"][::3]] == list(range(50, 0, -1))
    row = next(r for r in body["data"] if r["psrType"] == "Wind Onshore")
    assert list(row) == [
        "publishTime",
        "businessType",
        "psrType",
        "quantity",
        "startTime",
        "settlementDate",
        "settlementPeriod",
    ]
    kinds = {(row["psrType"], row["businessType"]) for row in body["data"]}
    assert kinds == {
        ("Solar", "Solar generation"),
        ("Wind Onshore", "Wind generation"),
        ("Wind Offshore", "Wind generation"),
    }


@pytest.mark.parametrize("path", ["/datasets/AGWS", "/datasets/AGWS/stream"])
def test_wind_and_solar_by_publication(sandbox: Sandbox, path: str) -> None:
    # Two weeks hold a day that was revised; the plain dataset is asked in two pieces for its cap.
    rows = []
    for start, end in (("2024-06-01", "2024-06-07T23:59:59Z"), ("2024-06-08", "2024-06-14")):
        rows += rows_of(get(sandbox, path, **windowed(path, start, end)))
    assert list(rows[0]) == [
        "dataset",
        "documentId",
        "documentRevisionNumber",
        "publishTime",
        "businessType",
        "psrType",
        "quantity",
        "startTime",
        "settlementDate",
        "settlementPeriod",
    ]
    keys = [(row["startTime"], row["psrType"], row["documentRevisionNumber"]) for row in rows]
    assert len(set(keys)) == len(keys)
    assert len({key[:2] for key in keys}) < len(keys), "both publications of a row are served"
    window = moment("2024-06-01T00:00:00Z"), moment("2024-06-14T00:00:00Z")
    assert all(window[0] <= moment(row["publishTime"]) <= window[1] for row in rows)


def test_newest_first(sandbox: Sandbox) -> None:
    for path, column in ((CURATED, "startTime"), ("/datasets/AGWS/stream", "publishTime")):
        rows = rows_of(get(sandbox, path, **windowed(path, "2024-06-01", "2024-06-05")))
        times = [row[column] for row in rows]
        assert times == sorted(times, reverse=True)


def test_latest_for_no_window_and_for_a_wrong_one(sandbox: Sandbox) -> None:
    for params in ({}, {"publishDateTimeFrom": "2024-01-01T00:00Z"}, {"page": "2"}):
        rows = rows_of(get(sandbox, "/datasets/FREQ", **params))
        assert len(rows) == 5_761
        # The last batch of two minutes before the sandbox's present.
        assert rows[0]["measurementTime"] == "2024-11-14T23:59:45Z"
        assert rows[-1]["measurementTime"] == "2024-11-13T23:59:45Z"


@pytest.mark.parametrize(
    ("path", "params"),
    [
        (CURATED, {}),
        (CURATED, {"from": "2024-10-27"}),
        (CURATED, {"publishDateTimeFrom": "2024-10-27", "publishDateTimeTo": "2024-10-28"}),
        ("/datasets/AGWS", {"from": "2024-10-27", "to": "2024-10-28"}),
        ("/datasets/AGWS/stream", {"publishDateTimeTo": "2024-10-28"}),
        ("/datasets/NOSUCH", {}),
        ("/datasets/FREQ/", {}),
    ],
)
def test_not_found(sandbox: Sandbox, path: str, params: dict[str, str]) -> None:
    response = get(sandbox, path, **params)
    assert (response.status_code, response.text) == (404, NOT_FOUND)


def test_other_methods_and_other_prefixes_are_not_found(sandbox: Sandbox) -> None:
    base = sandbox.settings()["ELEXON_BASE_URL"]
    response = requests.post(base + "/datasets/FREQ", data=b"x" * 100, timeout=10)
    assert (response.status_code, response.text) == (404, NOT_FOUND)
    for path in ("/", "/nobody/api", "/elexon/bmrs/api/v10/datasets/FREQ"):
        response = requests.get(sandbox.url + path, timeout=10)
        assert response.status_code == 404
        assert response.headers["X-Synthetic-Data"] == "gridledger-sandbox"


@pytest.mark.parametrize(
    ("path", "inside", "outside", "words"),
    [
        (
            "/datasets/FREQ",
            ("2024-10-27T00:00Z", "2024-10-28T00:00Z"),
            ("2024-10-27T00:00Z", "2024-10-28T00:00:01Z"),
            "MeasurementDateTimeFrom and MeasurementDateTimeTo inclusive must not exceed 1 day",
        ),
        (
            "/datasets/AGWS",
            ("2024-10-01", "2024-10-08"),
            ("2024-10-01", "2024-10-09"),
            "PublishDateTimeFrom and PublishDateTimeTo inclusive must not exceed 7 days",
        ),
        (
            CURATED,
            ("2024-10-01", "2024-10-08"),
            ("2024-10-01", "2024-10-08T00:30Z"),
            "From and To inclusive must not exceed 7 days",
        ),
    ],
)
def test_cap(
    sandbox: Sandbox, path: str, inside: tuple[str, str], outside: tuple[str, str], words: str
) -> None:
    assert get(sandbox, path, **windowed(path, *inside)).status_code == 200
    response = get(sandbox, path, **windowed(path, *outside))
    assert response.status_code == 400
    assert response.headers["Content-Type"].startswith("application/problem+json")
    body = response.json()
    trace = body.pop("traceId")
    assert len(trace) == 55
    assert body == {
        "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
        "title": "One or more validation errors occurred.",
        "status": 400,
        "errors": {"": [f"The date range between {words}"]},
    }


@pytest.mark.parametrize("path", ["/datasets/FREQ/stream", "/datasets/AGWS/stream"])
def test_a_stream_has_no_cap(sandbox: Sandbox, path: str) -> None:
    response = get(sandbox, path, **windowed(path, "2024-10-01", "2024-10-11"))
    assert response.status_code == 200
    # Ten days of samples without the ones in gaps; publications of ten days of periods.
    assert len(response.json()) > (50_000 if "FREQ" in path else 1_400)


@pytest.mark.parametrize("text", ["yesterday", "", "2024-02-30", "2024-10-27T00:00:00 01:00"])
def test_malformed_date(sandbox: Sandbox, text: str) -> None:
    response = get(sandbox, CURATED, from_=text, to="2024-10-28")
    assert response.status_code == 400
    assert response.headers["Content-Type"].startswith("application/problem+json")
    assert response.json()["errors"] == {"from": [f"The value '{text}' is not valid for From."]}


def test_reversed_window(sandbox: Sandbox) -> None:
    assert get(sandbox, CURATED, from_="2024-10-28", to="2024-10-27").status_code == 400


def test_no_rows(sandbox: Sandbox) -> None:
    for path, text in (
        ("/datasets/FREQ", '{"data":[]}'),
        ("/datasets/FREQ/stream", "[]"),
        (CURATED, '{"metadata":{"datasets":["AGWS"]},"data":[]}'),
    ):
        for start, end in (("2030-01-01", "2030-01-02"), ("1970-01-01", "1970-01-02")):
            response = get(sandbox, path, **windowed(path, start, end))
            assert (response.status_code, response.text) == (200, text)


def test_settlement_periods_switch_to_settlement_dates(sandbox: Sandbox) -> None:
    # 26 October 2024 is in summer time: its last period starts at 22:30 UTC.
    response = get(
        sandbox,
        CURATED,
        from_="2024-10-26T15:00Z",
        to="2024-10-27T03:00Z",
        settlementPeriodFrom=48,
        settlementPeriodTo=2,
    )
    starts = sorted({row["startTime"] for row in rows_of(response)})
    assert starts == ["2024-10-26T22:30:00Z", "2024-10-26T23:00:00Z", "2024-10-26T23:30:00Z"]


def test_settlement_periods_that_the_day_lacks(sandbox: Sandbox) -> None:
    day = {"from": "2024-06-05", "to": "2024-06-05"}
    for period, status, count in ((48, 200, 3), (49, 200, 0), (50, 200, 0), (51, 400, None)):
        switch = {"settlementPeriodFrom": period, "settlementPeriodTo": period}
        response = get(sandbox, CURATED, **day, **switch)
        assert response.status_code == status
        if count is not None:
            assert len(rows_of(response)) == count
    day = {"from": "2024-10-27", "to": "2024-10-27"}
    last = get(sandbox, CURATED, **day, settlementPeriodFrom=50, settlementPeriodTo=50)
    assert {row["startTime"] for row in rows_of(last)} == {"2024-10-27T23:30:00Z"}


def test_headers(sandbox: Sandbox) -> None:
    ok = get(sandbox, "/datasets/FREQ", **HOUR)
    assert ok.headers["Cache-Control"] == "no-store, must-revalidate, no-cache"
    for response in (
        ok,
        get(sandbox, "/datasets/NOSUCH"),
        get(sandbox, CURATED, from_="x", to="y"),
    ):
        assert response.headers["X-Synthetic-Data"] == "gridledger-sandbox"
        names = " ".join(response.headers).lower()
        assert "ratelimit" not in names and "retry-after" not in names


def test_gzip_only_on_request(sandbox: Sandbox) -> None:
    url = sandbox.settings()["ELEXON_BASE_URL"] + "/datasets/FREQ"
    plain = requests.get(url, params=HOUR, headers={"Accept-Encoding": "identity"}, timeout=10)
    zipped = requests.get(url, params=HOUR, headers={"Accept-Encoding": "gzip"}, timeout=10)
    assert "Content-Encoding" not in plain.headers
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert int(zipped.headers["Content-Length"]) < int(plain.headers["Content-Length"]) / 3
    assert plain.content == zipped.content


def test_formats_that_are_not_served_are_refused(sandbox: Sandbox) -> None:
    assert get(sandbox, "/datasets/FREQ", **HOUR, format="json").status_code == 200
    assert get(sandbox, "/datasets/FREQ", **HOUR, format="csv").status_code == 406


# --- the present, the truth, the record --------------------------------------


def test_rows_of_the_future_are_not_served(sandbox: Sandbox) -> None:
    day = {"from": "2024-10-27T00:00Z", "to": "2024-10-27T23:30Z"}
    full = rows_of(get(sandbox, CURATED, **day))
    sandbox.now = "2024-10-27T12:00:00Z"
    now = moment("2024-10-27T12:00:00Z")
    early = rows_of(get(sandbox, CURATED, **day))
    assert 0 < len(early) < len(full)
    assert all(moment(row["publishTime"]) <= now for row in early)
    sandbox.now = datetime(2024, 11, 15, tzinfo=UTC)
    assert rows_of(get(sandbox, CURATED, **day)) == full


def test_the_real_clock(sandbox: Sandbox) -> None:
    sandbox.now = None
    newest = moment(rows_of(get(sandbox, "/datasets/FREQ"))[0]["measurementTime"])
    assert timedelta(0) < datetime.now(UTC) - newest < timedelta(minutes=4)


def test_truth_is_what_is_served(sandbox: Sandbox) -> None:
    truth = sandbox.truth("wind_solar", "2024-06-01T00:00Z", "2024-06-06T00:00Z")["columns"]
    rows = rows_of(get(sandbox, CURATED, from_="2024-06-01", to="2024-06-05T23:30Z"))
    served = {(r["startTime"], r["psrType"]): (r["quantity"], r["publishTime"]) for r in rows}
    known = {
        (f"{start}Z", kind): (quantity, f"{published}Z")
        for start, kind, quantity, published in zip(
            np.datetime_as_string(truth["start_time"]),
            truth["psr_type"].tolist(),
            truth["quantity_mw"].tolist(),
            np.datetime_as_string(truth["publish_time"]),
            strict=True,
        )
    }
    assert served == known
    assert len(rows) == len(truth["start_time"])


def test_truth_of_frequency_has_no_row_twice(sandbox: Sandbox) -> None:
    truth = sandbox.truth("frequency", "2024-01-01T00:00Z", "2024-03-01T00:00Z")["columns"]
    path = "/datasets/FREQ/stream"
    rows = rows_of(get(sandbox, path, **windowed(path, "2024-01-01", "2024-02-29T23:59:59Z")))
    assert len(set(truth["time"].tolist())) == len(truth["time"]) < len(rows)
    served = {row["measurementTime"]: row["frequency"] for row in rows}
    times = [f"{text}Z" for text in np.datetime_as_string(truth["time"])]
    assert served == dict(zip(times, truth["frequency_hz"].tolist(), strict=True))


def test_history_holds_every_publication(sandbox: Sandbox) -> None:
    window = ("wind_solar", "2024-06-01T00:00Z", "2024-06-15T00:00Z")
    history = sandbox.history(*window)["columns"]
    truth = sandbox.truth(*window)["columns"]
    assert (np.diff(history["publish_time"]) >= np.timedelta64(0, "s")).all()
    # Played in order, the last of each row is the truth.
    last: dict[tuple[Any, str], float] = {}
    for start, kind, value in zip(
        history["start_time"], history["psr_type"], history["quantity_mw"], strict=True
    ):
        last[(start, str(kind))] = float(value)
    keys = zip(truth["start_time"], truth["psr_type"].tolist(), strict=True)
    assert [last[key] for key in keys] == truth["quantity_mw"].tolist()
    assert len(history["start_time"]) > len(truth["start_time"])


def test_requests_are_recorded(sandbox: Sandbox) -> None:
    response = get(sandbox, "/datasets/FREQ", **HOUR)
    get(sandbox, "/datasets/NOSUCH")
    first, second = sandbox.requests
    assert (first.method, first.status, first.params) == ("GET", 200, HOUR)
    assert first.path == "/elexon/bmrs/api/v1/datasets/FREQ"
    assert first.bytes == int(response.headers["Content-Length"])
    assert (second.status, second.fault) == (404, None)
    sandbox.clear_requests()
    assert sandbox.requests == []


# --- faults ------------------------------------------------------------------


def clean_and_hit(sandbox: Sandbox, fault: Fault, path: str = CURATED) -> tuple[Any, Any]:
    """The rows of a day without and with a fault."""
    window = windowed(path, "2024-06-05T00:00Z", "2024-06-05T23:30Z")
    sandbox.faults = ()
    clean = rows_of(get(sandbox, path, **window))
    sandbox.faults = [fault]
    return clean, rows_of(get(sandbox, path, **window))


def test_status_faults(sandbox: Sandbox) -> None:
    for kind, status in (("429", 429), ("429-retry-after", 429), ("500", 500), ("503", 503)):
        sandbox.faults = [Fault(kind)]
        response = get(sandbox, "/datasets/FREQ", **HOUR)
        assert response.status_code == status
        assert response.headers["X-Synthetic-Data"] == "gridledger-sandbox"
        wait = "1" if kind == "429-retry-after" else None
        assert response.headers.get("Retry-After") == wait
        if status >= 500:
            assert response.headers["Content-Type"].startswith("text/html")
    sandbox.faults = [Fault("429-retry-after", seconds=7)]
    assert get(sandbox, "/datasets/FREQ").headers["Retry-After"] == "7"


def test_html_200(sandbox: Sandbox) -> None:
    sandbox.faults = [Fault("html-200")]
    response = get(sandbox, "/datasets/FREQ", **HOUR)
    assert response.status_code == 200
    assert response.text.startswith("<!DOCTYPE html>")


def test_reset(sandbox: Sandbox) -> None:
    sandbox.faults = [Fault("reset")]
    path = "/elexon/bmrs/api/v1/datasets/FREQ/stream"
    port = int(sandbox.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            while client.recv(65_536):
                pass
    with pytest.raises(requests.exceptions.RequestException):
        get(sandbox, "/datasets/FREQ/stream")


def test_hang(sandbox: Sandbox) -> None:
    sandbox.faults = [Fault("hang")]
    with pytest.raises(requests.exceptions.ReadTimeout):
        get(sandbox, "/datasets/FREQ", timeout=0.2)
    sandbox.faults = [Fault("hang", seconds=0.1)]
    with pytest.raises(requests.exceptions.ConnectionError):
        get(sandbox, "/datasets/FREQ", timeout=5)
    assert [(r.status, r.bytes, r.fault) for r in sandbox.requests] == [(0, 0, "hang")] * 2


def test_slow(sandbox: Sandbox) -> None:
    sandbox.faults = [Fault("slow", seconds=0.4)]
    started = time.monotonic()
    assert len(rows_of(get(sandbox, "/datasets/FREQ", **HOUR))) == 241
    assert time.monotonic() - started > 0.35


def test_truncated(sandbox: Sandbox) -> None:
    sandbox.faults = [Fault("truncated")]
    with pytest.raises(requests.exceptions.RequestException):
        get(sandbox, "/datasets/FREQ", **HOUR)


def test_truncated_json_and_garbled(sandbox: Sandbox) -> None:
    for fault in (Fault("truncated-json"), Fault("garbled")):
        sandbox.faults = [fault]
        response = get(sandbox, "/datasets/FREQ", **HOUR)
        assert response.status_code == 200
        with pytest.raises(ValueError):
            json.loads(response.content)


def test_garbled_gzip(sandbox: Sandbox) -> None:
    sandbox.faults = [Fault("garbled", gzipped=True)]
    with pytest.raises(requests.exceptions.ContentDecodingError):
        get(sandbox, "/datasets/FREQ", **HOUR)
    url = sandbox.settings()["ELEXON_BASE_URL"] + "/datasets/FREQ"
    with requests.get(url, params=HOUR, timeout=10, stream=True) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        with pytest.raises((OSError, EOFError)):
            gzip.decompress(response.raw.read())


def test_empty(sandbox: Sandbox) -> None:
    clean, hit = clean_and_hit(sandbox, Fault("empty"))
    assert clean and hit == []


def test_duplicates(sandbox: Sandbox) -> None:
    clean, hit = clean_and_hit(sandbox, Fault("duplicates"))
    assert len(hit) == len(clean) + round(0.1 * len(clean))
    assert {json.dumps(row) for row in hit} == {json.dumps(row) for row in clean}
    assert hit[: len(clean)] != clean, "shuffled"


def test_dropped(sandbox: Sandbox) -> None:
    clean, hit = clean_and_hit(sandbox, Fault("dropped", fraction=0.25))
    assert len(hit) == len(clean) - round(0.25 * len(clean))
    assert [row for row in clean if row in hit] == hit


def test_renamed(sandbox: Sandbox) -> None:
    clean, hit = clean_and_hit(sandbox, Fault("renamed"))
    assert [row["quantityValue"] for row in hit] == [row["quantity"] for row in clean]
    assert all("quantity" not in row for row in hit)
    _, hit = clean_and_hit(sandbox, Fault("renamed", field="startTime", value="start"))
    assert "start" in hit[0] and "startTime" not in hit[0]


def test_extra(sandbox: Sandbox) -> None:
    clean, hit = clean_and_hit(sandbox, Fault("extra", field="note", value="new"))
    assert hit == [{**row, "note": "new"} for row in clean]


def test_wrong_type(sandbox: Sandbox) -> None:
    clean, hit = clean_and_hit(sandbox, Fault("wrong-type"))
    wrong = [row for row in hit if row["quantity"] == "n/a"]
    assert len(wrong) == round(0.01 * len(clean))
    assert len([row for row in hit if row in clean]) == len(clean) - len(wrong)


def test_revised(sandbox: Sandbox) -> None:
    clean, hit = clean_and_hit(sandbox, Fault("revised"))
    for before, after in zip(clean, hit, strict=True):
        assert after["quantity"] != before["quantity"]
        assert moment(after["publishTime"]) > moment(before["publishTime"])
        assert after["startTime"] == before["startTime"]
    clean, hit = clean_and_hit(sandbox, Fault("revised"), "/datasets/AGWS/stream")
    number = "documentRevisionNumber"
    assert [r[number] for r in hit] == [r[number] + 1 for r in clean]


def test_faults_are_limited_by_path_and_times(sandbox: Sandbox) -> None:
    sandbox.faults = [Fault("503", path="FREQ", times=2)]
    assert get(sandbox, CURATED, from_="2024-06-01", to="2024-06-02").status_code == 200
    statuses = [get(sandbox, "/datasets/FREQ", **HOUR).status_code for _ in range(4)]
    assert statuses == [503, 503, 200, 200]


def test_faults_are_the_same_in_every_run_and_in_every_order(sandbox: Sandbox) -> None:
    def run(hours: list[int]) -> dict[tuple[int, int], int]:
        sandbox.faults = [Fault("500", probability=0.3), Fault("429", probability=0.3)]
        found = {}
        for attempt in range(3):
            for hour in hours:
                start, end = f"2024-06-05T{hour:02d}:00Z", f"2024-06-05T{hour:02d}:10Z"
                params = windowed("/datasets/FREQ", start, end)
                found[hour, attempt] = get(sandbox, "/datasets/FREQ", **params).status_code
        return found

    forward = run(list(range(12)))
    assert forward == run(list(reversed(range(12))))
    assert {200, 429, 500} == set(forward.values())


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown fault"):
        Fault("flood")
    with pytest.raises(ValueError, match="probability"):
        Fault("429", probability=2)


# --- stopping ----------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault("hang"), Fault("slow", seconds=60)])
def test_stops_at_once_with_waiting_clients_and_leaves_no_thread(fault: Fault) -> None:
    before = set(threading.enumerate())
    failed = []

    def wait(sandbox: Sandbox) -> None:
        try:
            get(sandbox, "/datasets/FREQ", timeout=30)
        except requests.exceptions.RequestException as error:
            failed.append(error)

    with Sandbox(now=NOW, faults=[fault]) as sandbox:
        idle = requests.Session()
        sandbox.faults = ()
        idle.get(sandbox.url, timeout=5)
        sandbox.faults = [fault]
        clients = [threading.Thread(target=wait, args=(sandbox,)) for _ in range(3)]
        for client in clients:
            client.start()
        deadline = time.monotonic() + 5
        while len(sandbox.requests) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        started = time.monotonic()
    assert time.monotonic() - started < 10
    for client in clients:
        client.join(5)
    assert len(failed) == 3
    # What another test's sandbox was still answering may end meanwhile; nothing new may stay.
    assert set(threading.enumerate()) <= before
    idle.close()


def test_a_sandbox_that_never_served_can_be_closed() -> None:
    Sandbox(now=NOW).close()


def test_serve_forever_ends_when_closed() -> None:
    sandbox = Sandbox(now=NOW)
    thread = threading.Thread(target=sandbox.serve_forever)
    thread.start()
    assert get(sandbox, "/datasets/FREQ", **HOUR).status_code == 200
    sandbox.close()
    thread.join(5)
    assert not thread.is_alive()


def test_parallel_clients_get_what_one_client_gets(sandbox: Sandbox) -> None:
    days = [f"2024-05-{day:02d}" for day in range(1, 17)]
    found: dict[str, bytes] = {}

    def fetch(day: str) -> None:
        params = windowed("/datasets/FREQ/stream", f"{day}T00:00Z", f"{day}T23:59:45Z")
        found[day] = get(sandbox, "/datasets/FREQ/stream", **params).content

    threads = [threading.Thread(target=fetch, args=(day,)) for day in days]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    parallel = dict(found)
    with Sandbox(now=NOW, seed=7) as fresh:
        for day in days:
            params = windowed("/datasets/FREQ/stream", f"{day}T00:00Z", f"{day}T23:59:45Z")
            assert get(fresh, "/datasets/FREQ/stream", **params).content == parallel[day]
