"""The sandbox's NESO and Carbon Intensity over real HTTP: envelopes, redirects, streams, faults."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from sandbox import Fault, Limit, Sandbox

NOW = "2024-11-15T10:40:00Z"
LABEL = "X-Synthetic-Data"


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox(now=NOW, seed=7, limits={"neso": None}) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox) -> Iterator[Sandbox]:
    server.clear_requests()
    yield server
    server.faults, server.now, server.limits = (), NOW, {"neso": None}


def act(sandbox: Sandbox, action: str, **params: Any) -> requests.Response:
    base = sandbox.settings()["NESO_BASE_URL"]
    answer = requests.get(f"{base}/{action}", params=params, timeout=20)
    assert LABEL in answer.headers
    return answer


def resource(sandbox: Sandbox, package: str, name: str) -> dict[str, Any]:
    listed = act(sandbox, "package_show", id=package).json()["result"]["resources"]
    found: dict[str, Any] = next(one for one in listed if one["name"] == name)
    return found


def wind(sandbox: Sandbox) -> dict[str, Any]:
    return resource(sandbox, "day-ahead-wind-forecast", "Day Ahead Wind Forecast")


def error(answer: requests.Response) -> dict[str, Any]:
    body = answer.json()
    assert (set(body), body["success"]) == ({"help", "success", "error"}, False)
    found: dict[str, Any] = body["error"]
    return found


# --- NESO: actions --------------------------------------------------------------------------


def test_packages_and_resources(sandbox: Sandbox) -> None:
    names = act(sandbox, "package_list").json()
    assert names["success"] and names["help"].endswith("help_show?name=package_list")
    found = act(sandbox, "package_search", q="historic frequency").json()["result"]
    assert (found["count"], found["results"][0]["name"]) == (1, "system-frequency-data")
    package = found["results"][0]
    newest = package["resources"][-1]
    assert newest["name"] == "October 2024 - Historic Frequency Data"
    assert newest["last_modified"].startswith("2024-11-05T10:00:00.")
    assert act(sandbox, "package_show", id=package["id"]).json()["result"] == package
    assert act(sandbox, "resource_show", id=newest["id"]).json()["result"] == newest
    assert act(sandbox, "package_search", rows=2).json()["result"]["count"] == len(names["result"])


def test_errors(sandbox: Sandbox) -> None:
    missing = act(sandbox, "package_show", id="nothing")
    assert missing.status_code == 404
    assert error(missing) == {"message": "Not found", "__type": "Not Found Error"}
    unknown = act(sandbox, "frobnicate")
    assert (unknown.status_code, unknown.json()) == (
        400,
        "Bad request - Action name not known: frobnicate",
    )
    rid = wind(sandbox)["id"]
    for action, params in (
        ("package_show", {}),
        ("datastore_search", {}),
        ("datastore_search", {"resource_id": rid, "limit": "many"}),
        ("datastore_search", {"resource_id": rid, "limit": "-1"}),
        ("datastore_search", {"resource_id": rid, "sort": "nothing desc"}),
        ("datastore_search", {"resource_id": rid, "filters": "{"}),
        ("datastore_search", {"resource_id": rid, "filters": '{"nothing": 1}'}),
        ("datastore_search_sql", {"sql": f"SELECT Capacity FROM {rid}"}),
        ("datastore_search_sql", {"sql": f'SELECT "nothing" FROM "{rid}"'}),
    ):
        refused = act(sandbox, action, **params)
        assert refused.status_code == 409, params
        assert error(refused)["__type"] == "Validation Error"
    gone = act(sandbox, "datastore_search", resource_id="0" * 36)
    assert (gone.status_code, error(gone)["__type"]) == (404, "Not Found Error")


def test_datastore(sandbox: Sandbox) -> None:
    item = resource(sandbox, "historic-demand-data", "Historic Demand Data 2023")
    rows = list(csv.DictReader(io.StringIO(requests.get(item["url"], timeout=20).text)))
    default = act(sandbox, "datastore_search", resource_id=item["id"]).json()["result"]
    assert (len(default["records"]), default["total"]) == (100, len(rows))
    assert default["records"][0]["ND"] == int(rows[0]["ND"])
    day = act(
        sandbox,
        "datastore_search",
        resource_id=item["id"],
        filters=json.dumps({"SETTLEMENT_DATE": "2023-10-29"}),
        sort="SETTLEMENT_PERIOD desc",
        offset=1,
        limit=40_000,
    ).json()["result"]
    assert (day["total"], day["limit"], len(day["records"])) == (50, 32_000, 49)
    assert [one["SETTLEMENT_PERIOD"] for one in day["records"]] == list(range(49, 0, -1))
    text = f'SELECT "SETTLEMENT_PERIOD", "ND" FROM "{item["id"]}" WHERE "SETTLEMENT_DATE" = '
    text += '\'2023-03-26\' AND "SETTLEMENT_PERIOD" > 40 ORDER BY "_id" LIMIT 9'
    found = act(sandbox, "datastore_search_sql", sql=text).json()["result"]
    wanted = [row for row in rows if row["SETTLEMENT_DATE"] == "2023-03-26"][40:]
    assert [one["ND"] for one in found["records"]] == [int(row["ND"]) for row in wanted]


def test_all_columns_of_sql(sandbox: Sandbox) -> None:
    item = resource(sandbox, "eac-auction-results", "NESO Response-Reserve Results Summary")
    text = f'SELECT * FROM "{item["id"]}" WHERE "deliveryStart" >= \'2024-10-26 22:00\' LIMIT 6'
    found = act(sandbox, "datastore_search_sql", sql=text).json()["result"]
    first = found["records"][0]
    assert (first["_id"] > 1, first["deliveryEnd"]) == (True, "2024-10-27T03:00:00")
    assert "_full_text" in first and isinstance(first["clearingPrice"], str)


# --- NESO: files ----------------------------------------------------------------------------


def test_a_link_leads_to_a_presigned_address(sandbox: Sandbox) -> None:
    url = wind(sandbox)["url"]
    hop = requests.get(url, allow_redirects=False, timeout=20)
    assert (hop.status_code, LABEL in hop.headers) == (302, True)
    address = hop.headers["Location"]
    assert urlsplit(address).path.startswith("/neso/bucket/") and "X-Amz-Expires=604800" in address
    file = requests.get(address, timeout=20)
    assert (file.status_code, file.headers["Content-Type"]) == (200, "application/octet-stream")
    assert (file.headers[LABEL], "Content-Encoding" in file.headers) == (
        "gridledger-sandbox",
        False,
    )
    assert file.content == requests.get(url, timeout=20).content
    changed = address.replace("%2F", "/")
    assert changed != address
    for wrong in (changed, address[:-1], address.partition("?")[0]):
        refused = requests.get(wrong, timeout=20)
        assert (refused.status_code, b"SignatureDoesNotMatch" in refused.content) == (403, True)
    sandbox.now = "2024-11-22T10:40:01Z"
    assert b"ExpiredRequest" in requests.get(address, timeout=20).content


def test_a_dump_numbers_its_rows(sandbox: Sandbox) -> None:
    name = "DC, DR & DM Results Summary Master Data 2021-2023"
    item = resource(sandbox, "dynamic-containment-data", name)
    assert (item["url_type"], "/datastore/dump/" in item["url"]) == ("datastore", True)
    answer = requests.get(item["url"], allow_redirects=False, timeout=20)
    assert answer.text.startswith("_id,Service,EFA Date,Delivery Start,Delivery End,EFA,")
    assert answer.content.count(b"\r\n") == answer.content.count(b"\n")


def test_a_month_of_seconds_is_streamed(sandbox: Sandbox) -> None:
    name = "February 2024 - Historic Frequency Data"
    url = resource(sandbox, "system-frequency-data", name)["url"]
    with requests.get(url, stream=True, timeout=30) as answer:
        promised = int(answer.headers["Content-Length"])
        size = lines = 0
        head = b""
        for chunk in answer.iter_content(2**20):
            head = head or chunk[:64]
            size, lines = size + len(chunk), lines + chunk.count(b"\n")
    assert size == promised
    holes = len(sandbox.holes("historic_frequency", "2024-02-01", "2024-03-01")["columns"]["time"])
    assert lines - 1 == 29 * 86_400 - holes
    first = sandbox.truth("historic_frequency", "2024-02-01", "2024-02-01T00:00:01Z")["columns"]
    value = f"{first['frequency_hz'][0]:.3f}"
    assert head.startswith(f"dtm,f\n2024-02-01T00:00:00Z,{value}\n".encode())
    sandbox.faults = [Fault("truncated", path="/bucket/")]
    with (
        pytest.raises(requests.exceptions.ChunkedEncodingError),
        requests.get(url, stream=True, timeout=30) as answer,
    ):
        for _ in answer.iter_content(2**22):
            pass


def test_faults_of_rows(sandbox: Sandbox) -> None:
    url = wind(sandbox)["url"]
    plain = requests.get(url, timeout=20).text.splitlines()

    def spoilt(kind: str, **more: Any) -> list[str]:
        sandbox.faults = [Fault(kind, path="/bucket/", **more)]
        return requests.get(url, timeout=20).text.splitlines()

    assert spoilt("empty") == plain[:1]
    assert len(spoilt("dropped", fraction=0.5)) == 25
    assert sorted(set(spoilt("duplicates"))) == sorted(plain)
    assert "Incentive_forecastValue" in spoilt("renamed")[0]
    assert spoilt("extra")[1].endswith(",SANDBOX")
    assert any(line.endswith(",n/a") for line in spoilt("wrong-type"))
    assert not set(spoilt("revised")[1:]) & set(plain)
    assert spoilt("drop-half") == plain[:25]
    assert spoilt("shift-hour")[1].startswith("2024-11-16T01:00:00Z,")
    assert spoilt("flip")[1].rpartition(",")[2].startswith("-")
    sandbox.faults = [Fault("empty", path="datastore_search")]
    rows = act(sandbox, "datastore_search", resource_id=wind(sandbox)["id"]).json()["result"]
    assert rows["records"] == []
    sandbox.faults = [Fault("500", path="/neso")]
    assert act(sandbox, "package_list").status_code == 500


def test_too_many_requests_block_the_address(sandbox: Sandbox) -> None:
    sandbox.limits = {"neso": Limit(requests_per_min=3, ban_s=60)}
    assert [act(sandbox, "package_list").status_code for _ in range(4)] == [200, 200, 200, 403]
    blocked = act(sandbox, "package_list")
    assert "Retry-After" not in blocked.headers and not blocked.text.startswith("{")


# --- Carbon Intensity -----------------------------------------------------------------------


def carbon(sandbox: Sandbox, path: str) -> requests.Response:
    base = sandbox.settings()["CARBON_INTENSITY_BASE_URL"]
    answer = requests.get(base + path, timeout=20)
    assert LABEL in answer.headers
    return answer


def test_carbon_over_http(sandbox: Sandbox) -> None:
    rows = carbon(sandbox, "/intensity/2024-11-15T00:00Z/2024-11-15T10:30Z").json()["data"]
    known = sandbox.truth("carbon_intensity", "2024-11-14T23:30Z", "2024-11-15T10:30Z")["columns"]
    told = [row["intensity"]["forecast"] for row in rows]
    assert told == known["forecast_gco2_per_kwh"].tolist()
    assert carbon(sandbox, "/generation").headers["Content-Type"] == "application/json"
    wrong = carbon(sandbox, "/intensity/yesterday")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "400 Bad Request")
    with pytest.raises(KeyError):
        sandbox.holes("carbon_regional", "2024-11-01", "2024-11-02")


def test_faults_of_carbon(sandbox: Sandbox) -> None:
    path = "/intensity/2024-11-01T00:00Z/fw24h"
    plain = carbon(sandbox, path).json()["data"]

    def spoilt(kind: str, where: str = path) -> list[dict[str, Any]]:
        sandbox.faults = [Fault(kind)]
        found: list[dict[str, Any]] = carbon(sandbox, where).json()["data"]
        return found

    assert spoilt("empty") == []
    assert len(spoilt("dropped")) == 44
    assert "forecastValue" in spoilt("renamed")[0]["intensity"]
    assert "n/a" in [row["intensity"]["forecast"] for row in spoilt("wrong-type")]
    revised = [row["intensity"]["forecast"] for row in spoilt("revised")]
    assert all(one > row["intensity"]["forecast"] for one, row in zip(revised, plain, strict=True))
    assert spoilt("shift-hour")[0]["from"] == "2024-11-01T00:30Z"
    assert spoilt("flip")[0]["intensity"]["actual"] == -plain[0]["intensity"]["actual"]
    mixes = "/generation/2024-11-01T00:00Z/2024-11-02T00:00Z"
    assert "n/a" in [row["generationmix"][0]["perc"] for row in spoilt("wrong-type", mixes)]
    assert spoilt("empty", "/regional/intensity/2024-11-01T00:00Z/fw24h") == []
    sandbox.faults = [Fault("500")]
    broken = carbon(sandbox, path)
    assert (broken.status_code, broken.json()["error"]["code"][:3]) == (500, "500")
