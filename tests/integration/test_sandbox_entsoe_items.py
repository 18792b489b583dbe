"""Every item of the sandbox's ENTSO-E over real HTTP, read with ElementTree and plain loops."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import requests

from sandbox import Fault, Sandbox

NOW = "2025-11-15T00:00:00Z"
BRUSSELS = ZoneInfo("Europe/Brussels")
CODES = {
    "DE_LU": "10Y1001A1001A82H",
    "DE": "10Y1001A1001A83F",
    "DE_50HZ": "10YDE-VE-------2",
    "FR": "10YFR-RTE------C",
    "ES": "10YES-REE------0",
    "GB": "10YGB----------A",
    "NO_2": "10YNO-2--------T",
    "FI": "10YFI-1--------U",
    "AT": "10YAT-APG------L",
    "UA": "10Y1001C--00003F",
    "UA_IPS": "10Y1001C--000182",
    "IT_NORD": "10Y1001A1001A73I",
    "IT_MACRO_NORTH": "10Y1001A1001A84D",
}
# The market day of 25 hours, on which nothing goes wrong.
LONG_DAY = ("2024-10-26T22:00Z", "2024-10-27T23:00Z")
SECONDS = {"PT4S": 4, "PT1M": 60, "PT15M": 900, "PT30M": 1_800, "PT60M": 3_600}
SEQUENCE = "classificationSequence_AttributeInstanceComponent.position"
PSR, DIRECTION = "MktPSRType/psrType", "flowDirection.direction"
UNIT = "MktPSRType/PowerSystemResources/mRID"
RESERVES = {"A96": "afrr", "A97": "mfrr"}


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox(now=NOW, seed=7, limits={"entsoe": None}) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox) -> Iterator[Sandbox]:
    yield server
    server.faults, server.now = (), NOW


# --- a client that shares nothing with the sandbox ------------------------------------------


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def where(scope: str, *names: str) -> dict[str, str]:
    if ">" in scope:
        origin, target = scope.split(">")
        return {"out_Domain": CODES[origin], "in_Domain": CODES[target]}
    return dict.fromkeys(names, CODES[scope])


def ask(sandbox: Sandbox, kind: str, start: str, end: str, **more: str) -> requests.Response:
    settings = sandbox.settings()
    stamps = {
        name: moment(text).strftime("%Y%m%d%H%M")
        for name, text in (("periodStart", start), ("periodEnd", end))
    }
    return requests.get(
        settings["ENTSOE_BASE_URL"],
        params={
            "documentType": kind,
            **stamps,
            **{n.replace("__", "."): v for n, v in more.items()},
        },
        headers={"SECURITY_TOKEN": settings["ENTSOE_API_TOKEN"]},
        timeout=20,
    )


def documents(response: requests.Response) -> list[ET.Element]:
    """The roots of an answer: one, or a zip full."""
    assert response.status_code == 200, response.text[:500]
    assert response.headers["X-Synthetic-Data"] == "gridledger-sandbox"
    if response.content[:2] != b"PK":
        assert response.headers["Content-Type"] == "text/xml"
        roots = [ET.fromstring(response.content)]
    else:
        assert response.headers["Content-Type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
            names = archive.namelist()
            assert [name[:4] for name in names] == [f"{n:03}-" for n in range(1, len(names) + 1)]
            roots = [ET.fromstring(archive.read(name)) for name in names]
    assert not any(root.tag.endswith("}Acknowledgement_MarketDocument") for root in roots)
    return roots


def local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def facts(element: ET.Element, skip: tuple[str, ...] = ()) -> dict[str, str]:
    """Path of local names -> text, of everything below an element."""
    found: dict[str, str] = {}
    for child in element:
        if local(child) in skip:
            continue
        if (child.text or "").strip():
            found[local(child)] = (child.text or "").strip()
        found |= {f"{local(child)}/{name}": text for name, text in facts(child).items()}
    return found


def paths(element: ET.Element, above: str = "") -> set[str]:
    here = f"{above}/{local(element)}"
    return {here}.union(*(paths(child, here) for child in element))


def edges(start: datetime, end: datetime, resolution: str) -> list[datetime]:
    """The starts of a Period's slots, days and longer ones by the clock on the wall."""
    if resolution in SECONDS:
        count = (end - start) / timedelta(seconds=SECONDS[resolution])
        assert count == int(count) > 0
        return [start + n * timedelta(seconds=SECONDS[resolution]) for n in range(int(count))]
    found, wall = [], start.astimezone(BRUSSELS).replace(tzinfo=None)
    while (at := wall.replace(tzinfo=BRUSSELS).astimezone(UTC)) < end:
        found.append(at)
        if resolution in ("P1D", "P7D"):
            wall += timedelta(days=int(resolution[1]))
        else:
            months = wall.year * 12 + wall.month - 1 + (12 if resolution == "P1Y" else 1)
            wall = wall.replace(year=months // 12, month=months % 12 + 1)
    assert at == end
    return found


Slot = tuple[dict[str, str], datetime, int, dict[str, str]]


def slots(root: ET.Element) -> Iterator[Slot]:
    """(facts of the TimeSeries, start, seconds, facts of the Point) of every slot of a document."""
    for series in root:
        if local(series) != "TimeSeries":
            continue
        known = facts(series, skip=("Period",))
        for period in (child for child in series if local(child) == "Period"):
            told = facts(period, skip=("Point",))
            end = moment(told["timeInterval/end"])
            begins = edges(moment(told["timeInterval/start"]), end, told["resolution"])
            points = {
                int(point["position"]): point
                for point in (facts(child) for child in period if local(child) == "Point")
            }
            assert list(points) == sorted(points) and 1 in points and max(points) <= len(begins)
            holds: dict[str, str] = {}
            for number, begin in enumerate(begins, start=1):
                before, holds = holds, points.get(number, holds)
                assert (
                    number == 1
                    or number not in points
                    or known["curveType"] == "A01"
                    or (holds != before)
                )
                after = begins[number] if number < len(begins) else end
                yield known, begin, int((after - begin).total_seconds()), holds


# --- every item once ------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """How an item is asked for, where its truth stands, and what tells its series apart.

    ``labels`` are columns of the truth with what in the document holds them, ``values`` those with
    the element of a Point, ``fixed`` the rows of the table that this question is about.
    """

    table: str
    kind: str
    scope: str
    params: dict[str, str]
    values: dict[str, str] = field(default_factory=lambda: {"value": "quantity"})
    labels: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, str] = field(default_factory=dict)
    window: tuple[str, str] = LONG_DAY
    resolution: str = "PT60M"
    root: str = "GL_MarketDocument"


def _process(code: str, name: str, scope: str = "DE_LU", **more: str) -> dict[str, str]:
    return {"processType": code, **where(scope, name), **more}


_PUBLISHED, _BALANCED = "Publication_MarketDocument", "Balancing_MarketDocument"
_NTC = "contract_MarketAgreement__Type"
CASES = [
    Case(
        "load_forecast_day", "A65", "DE_LU", _process("A01", "outBiddingZone_Domain"),
        {"load_forecast_mw": "quantity"}, resolution="PT15M",
    ),
    Case(
        "generation_per_unit", "A73", "DE_50HZ", _process("A16", "in_Domain", "DE_50HZ"),
        {"generation_mw": "quantity"}, {"unit_eic": UNIT, "psr_type": PSR},
        window=("2024-10-26T22:00Z", "2024-10-27T22:00Z"),
    ),
    Case(
        "generation_forecast", "A71", "FR", _process("A01", "in_Domain", "FR"),
        {"generation_forecast_mw": "quantity"},
    ),
    *(
        Case(
            "wind_solar_forecast", "A69", "DE_LU", _process(code, "in_Domain"),
            {"forecast_mw": "quantity"}, {"psr_type": PSR}, {"process": process},
            resolution="PT15M",
        )
        for code, process in (("A01", "day_ahead"), ("A40", "intraday"), ("A18", "current"))
    ),
    Case(
        "installed_capacity", "A68", "DE_LU", _process("A33", "in_Domain"),
        {"installed_capacity_mw": "quantity"}, {"psr_type": PSR}, resolution="P1Y",
    ),
    Case(
        "installed_capacity_per_unit", "A71", "FR", _process("A33", "in_Domain", "FR"),
        {"installed_capacity_mw": "quantity"}, {"unit_eic": "registeredResource.mRID"},
        resolution="P1Y",
    ),
    Case(
        "reservoirs", "A72", "NO_2", _process("A16", "in_Domain", "NO_2"),
        {"stored_energy_mwh": "quantity"}, window=("2024-09-29T22:00Z", "2024-11-03T23:00Z"),
        resolution="P7D",
    ),
    Case(
        "intraday_prices", "A44", "DE_LU",
        {"contract_MarketAgreement__type": "A07", **where("DE_LU", "in_Domain", "out_Domain")},
        {"price": "price.amount"}, {"sequence": SEQUENCE, "currency": "currency_Unit.name"},
        resolution="PT15M", root=_PUBLISHED,
    ),
    *(
        Case(
            "net_positions", "A25", "FR",
            {
                "businessType": "B09",
                "contract_MarketAgreement__Type": code,
                **where("FR", "in_Domain", "out_Domain"),
            },
            {"net_position_mw": "quantity"}, fixed={"contract": code}, root=_PUBLISHED,
        )
        for code in ("A01", "A05", "A07")
    ),
    Case(
        "flows", "A11", "FR>DE_LU", where("FR>DE_LU"), {"flow_mw": "quantity"}, root=_PUBLISHED
    ),
    Case(
        "scheduled_exchanges", "A09", "DE_LU>AT", where("DE_LU>AT"), {"scheduled_mw": "quantity"},
        {"contract": "contract_MarketAgreement.type"}, root=_PUBLISHED,
    ),
    *(
        Case(
            f"transfer_capacity_{length}", "A61", "FR>ES", {_NTC: code, **where("FR>ES")},
            {"transfer_capacity_mw": "quantity"}, window=window, resolution=resolution,
            root=_PUBLISHED,
        )
        for length, code, resolution, window in (
            ("day", "A01", "PT60M", LONG_DAY),
            ("week", "A02", "P1D", ("2024-10-20T22:00Z", "2024-10-30T23:00Z")),
            ("month", "A03", "P7D", ("2024-10-06T22:00Z", "2024-11-03T23:00Z")),
            ("year", "A04", "P1M", ("2024-01-31T23:00Z", "2024-12-31T23:00Z")),
        )
    ),
    Case(
        "imbalance_prices", "A85", "FR", where("FR", "controlArea_Domain"),
        {"price_per_mwh": "imbalance_Price.amount"}, {"category": "imbalance_Price.category"},
        resolution="PT30M", root=_BALANCED,
    ),
    Case(
        "imbalance_volumes", "A86", "FR",
        {"businessType": "A19", **where("FR", "controlArea_Domain")},
        {"volume_mwh": "quantity"}, {"direction": DIRECTION}, resolution="PT30M", root=_BALANCED,
        window=("2024-10-24T22:00Z", "2024-10-27T23:00Z"),
    ),
    Case(
        "balancing_state", "A86", "DE_50HZ",
        {"businessType": "B33", **where("DE_50HZ", "area_Domain")},
        {"imbalance_mw": "quantity"}, {"direction": DIRECTION}, resolution="PT1M", root=_BALANCED,
    ),
    Case(
        "activated_energy", "A83", "DE_50HZ", where("DE_50HZ", "controlArea_Domain"),
        {"energy_mwh": "quantity"}, {"reserve": "businessType", "direction": DIRECTION},
        resolution="PT15M", root=_BALANCED,
    ),
    Case(
        "activated_prices", "A84", "DE_50HZ",
        _process("A16", "controlArea_Domain", "DE_50HZ"),
        {"price_per_mwh": "activation_Price.amount"},
        {"reserve": "businessType", "direction": DIRECTION}, {"psr_type": "A04"},
        resolution="PT15M", root=_BALANCED,
    ),
    Case(
        "activated_prices", "A84", "DE_50HZ",
        _process(
            "A67", "controlArea_Domain", "DE_50HZ",
            businessType="A96", Standard_MarketProduct="A01",
        ),
        {"price_per_mwh": "activation_Price.amount"},
        {"reserve": "businessType", "direction": DIRECTION}, {"psr_type": "A03"},
        window=("2024-10-27T00:00Z", "2024-10-27T02:00Z"), resolution="PT4S", root=_BALANCED,
    ),
    *(
        Case(
            "aggregated_bids", "A24", "AT", _process(code, "area_Domain", "AT"),
            {
                "offered_mw": "quantity",
                "activated_mw": "secondaryQuantity",
                "unavailable_mw": "unavailable_Quantity.quantity",
            },
            {"direction": DIRECTION}, {"process": code}, resolution="PT15M", root=_BALANCED,
        )
        for code in ("A51", "A47")
    ),
]  # fmt: skip


def true(sandbox: Sandbox, case: Case) -> dict[tuple[Any, ...], tuple[float, ...]]:
    columns = sandbox.truth(f"entsoe_{case.table}", *case.window, scope=case.scope)["columns"]
    found = {}
    for n in range(len(columns["time"])):
        row = {name: values[n] for name, values in columns.items()}
        if any(row[name] != value for name, value in case.fixed.items()):
            continue
        start = row["time"].item().replace(tzinfo=UTC)
        key = (*(str(row[name]) for name in case.labels), start, int(row["resolution_s"]))
        found[key] = tuple(float(row[name]) for name in case.values)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.table}-{case.resolution}")
def test_an_item_says_the_truth(sandbox: Sandbox, case: Case) -> None:
    found: dict[tuple[Any, ...], tuple[float, ...]] = {}
    for root in documents(ask(sandbox, case.kind, *case.window, **case.params)):
        assert local(root) == case.root
        assert facts(root)["type"] == case.kind
        for series, start, seconds, point in slots(root):
            told = series | point
            key = [told.get(path, "") for path in case.labels.values()]
            key = [RESERVES.get(text, text) for text in key]
            sign = -1 if told.get("out_Domain.mRID", "").startswith("REGION") else 1
            if next(iter(case.values.values())) not in point:
                continue  # nothing was activated
            numbers = tuple(sign * float(point[name]) + 0.0 for name in case.values.values())
            found[(*key, start, seconds)] = numbers
    assert found and found == true(sandbox, case)
    resolution = {seconds for *_, seconds in found}
    assert resolution <= {SECONDS.get(case.resolution, seconds) for seconds in resolution}


@pytest.mark.parametrize(
    ("length", "code", "seconds"), [("week", "A31", 90_000), ("month", "A32", 608_400)]
)
def test_load_far_ahead_has_a_least_and_a_most(
    sandbox: Sandbox, length: str, code: str, seconds: int
) -> None:
    params = _process(code, "outBiddingZone_Domain")
    (root,) = documents(ask(sandbox, "A65", *LONG_DAY, **params))
    read = {s["businessType"]: (at, lasts, float(p["quantity"])) for s, at, lasts, p in slots(root)}
    truth = sandbox.truth(f"entsoe_load_forecast_{length}", *LONG_DAY, scope="DE_LU")["columns"]
    (start,), (lasts,) = truth["time"], truth["resolution_s"]
    begin = start.item().replace(tzinfo=UTC)
    for business, column in (("A60", "load_forecast_min_mw"), ("A61", "load_forecast_max_mw")):
        assert read[business] == (begin, lasts, truth[column][0])
    # The day of October has 25 hours, and so has its week one more.
    assert lasts == seconds
    assert truth["load_forecast_min_mw"][0] < truth["load_forecast_max_mw"][0]


def test_a_year_ahead_is_served_by_whole_weeks(sandbox: Sandbox) -> None:
    params = _process("A33", "outBiddingZone_Domain")
    (root,) = documents(ask(sandbox, "A65", "2024-01-03T00:00Z", "2024-01-09T00:00Z", **params))
    told = facts(root, skip=("TimeSeries",))
    assert told["time_Period.timeInterval/start"] == "2023-12-31T23:00Z"
    assert told["time_Period.timeInterval/end"] == "2024-01-14T23:00Z"
    starts = {at.isoformat() for _, at, _, _ in slots(root)}
    assert starts == {"2023-12-31T23:00:00+00:00", "2024-01-07T23:00:00+00:00"}


def test_a_year_begins_where_its_zone_says(sandbox: Sandbox) -> None:
    for zone, start in (("DE_LU", "2023-12-31T23:00Z"), ("FI", "2023-12-31T22:00Z")):
        params = _process("A33", "in_Domain", zone)
        (root,) = documents(ask(sandbox, "A68", "2024-06-01T00:00Z", "2024-06-02T00:00Z", **params))
        assert facts(root, skip=("TimeSeries",))["time_Period.timeInterval/start"] == start


@pytest.mark.parametrize("process", ["A51", "A52", "A47"])
@pytest.mark.parametrize(
    ("table", "kind", "area"),
    [
        ("contracted_reserves", "A81", "controlArea_Domain"),
        ("procured_capacity", "A15", "area_Domain"),
    ],
)
def test_reserves_under_contract(
    sandbox: Sandbox, table: str, kind: str, area: str, process: str
) -> None:
    more = {"businessType": "B95", "Type_MarketAgreement__Type": "A01"} if kind == "A81" else {}
    params = _process(process, area, "FR", **more)
    (root,) = documents(ask(sandbox, kind, *LONG_DAY, **params))
    read = sorted(
        (s[DIRECTION], at, lasts, float(p["quantity"]), float(p["procurement_Price.amount"]))
        for s, at, lasts, p in slots(root)
    )
    truth = sandbox.truth(f"entsoe_{table}", *LONG_DAY, scope="FR")["columns"]
    mine = truth["process"] == process
    names = ("direction", "time", "resolution_s", "quantity_mw", "price_per_mw")
    rows = zip(*(truth[name][mine].tolist() for name in names), strict=True)
    assert read == sorted((a, b.replace(tzinfo=UTC), *rest) for a, b, *rest in rows)
    assert facts(root)["process.processType"] == process


# --- outages -----------------------------------------------------------------------------------

YEAR = ("2023-12-31T23:00Z", "2024-12-30T23:00Z")
MONTH = ("2024-03-31T22:00Z", "2024-04-30T22:00Z")


def outages(
    sandbox: Sandbox, kind: str, window: tuple[str, str], scope: str, **more: str
) -> list[Any]:
    """(mRID, revision, status, start, end, [(start, available MW)]) of each document."""
    params = where(scope, "BiddingZone_Domain")
    found = []
    for root in documents(ask(sandbox, kind, *window, **params, **more)):
        assert local(root) == "Unavailability_MarketDocument"
        told = facts(root, skip=("TimeSeries",))
        (series,) = (child for child in root if local(child) == "TimeSeries")
        (period,) = (child for child in series if local(child) == "Available_Period")
        begin = moment(facts(period, skip=("Point",))["timeInterval/start"])
        assert facts(period, skip=("Point",))["resolution"] == "PT1M"
        steps = [
            (begin + timedelta(minutes=int(point["position"]) - 1), float(point["quantity"]))
            for point in (facts(child) for child in period if local(child) == "Point")
        ]
        end = moment(told["unavailability_Time_Period.timeInterval/end"])
        status = told.get("docStatus/value", "A05")
        found.append((told["mRID"], int(told["revisionNumber"]), status, begin, end, steps))
    return found


@pytest.mark.parametrize(
    ("kind", "table", "scope"),
    [
        ("A80", "generation", "FR"),
        ("A77", "production", "DE_LU"),
        ("A78", "transmission", "FR>DE_LU"),
    ],
)
def test_outages(sandbox: Sandbox, kind: str, table: str, scope: str) -> None:
    read = outages(sandbox, kind, MONTH, scope)
    read += outages(sandbox, kind, MONTH, scope, DocStatus="A13") if kind != "A78" else []
    truth = sandbox.truth(f"entsoe_outages_{table}", *MONTH, scope=scope)["columns"]
    rows: dict[str, list[Any]] = {}
    for n, mrid in enumerate(truth["mrid"].tolist()):
        if kind == "A78" and truth["status"][n] == "A13":
            continue
        begin, end = (
            truth[name][n].item().replace(tzinfo=UTC) for name in ("start_time", "end_time")
        )
        facts_of = (mrid, int(truth["revision"][n]), str(truth["status"][n]), begin, end)
        step = truth["time"][n].item().replace(tzinfo=UTC), float(truth["available_mw"][n])
        rows.setdefault(mrid, [*facts_of, []])[5].append(step)
        assert truth["available_mw"][n] <= truth["nominal_mw"][n]
    assert {each[0]: each for each in read} == {mrid: tuple(row) for mrid, row in rows.items()}
    assert len(read) == len(rows)
    if kind == "A80":
        assert {status for _, _, status, *_ in read} == {"A05", "A09", "A13"}
        assert max(len(each[5]) for each in read) > 1


def test_an_outage_is_revised_and_its_older_revisions_are_kept(sandbox: Sandbox) -> None:
    read = {each[0]: each for each in outages(sandbox, "A80", MONTH, "FR")}
    mrid = next(each[0] for each in read.values() if each[1] == 3 and each[3] > moment(MONTH[0]))
    older = outages(sandbox, "A80", MONTH, "FR", mRID=mrid)
    assert [each[1] for each in older] == [1, 2, 3]
    assert older[0][4] < older[2][4]
    truth = sandbox.history("entsoe_outages_generation", *MONTH, scope="FR")["columns"]
    published = truth["publish_time"][(truth["mrid"] == mrid) & (truth["revision"] == 2)][0]
    sandbox.now = f"{published}Z"
    before = {each[0]: each for each in outages(sandbox, "A80", MONTH, "FR")}
    assert (before[mrid][1], before[mrid][2]) == (2, "A05")


def test_outages_by_the_two_hundred(sandbox: Sandbox) -> None:
    refused = ask(sandbox, "A80", *YEAR, **where("FR", "biddingZone_Domain"))
    assert refused.status_code == 400
    assert "exceeds the allowed maximum (200)" in refused.text
    pages = []
    for offset in range(0, 4_801, 200):
        response = ask(
            sandbox, "A80", *YEAR, **where("FR", "biddingZone_Domain"), offset=str(offset)
        )
        if b"No matching data found" in response.content:
            break
        pages.append([facts(root)["mRID"] for root in documents(response)])
    assert {len(page) for page in pages[:-1]} == {200} and len(pages) > 1
    every = [mrid for page in pages for mrid in page]
    truth = sandbox.truth("entsoe_outages_generation", *YEAR, scope="FR")["columns"]
    assert sorted(every) == sorted(set(truth["mrid"][truth["status"] != "A13"].tolist()))


def test_capacity_procured_by_the_hundred(sandbox: Sandbox) -> None:
    params = _process("A51", "area_Domain", "DE_50HZ")
    refused = ask(sandbox, "A15", *LONG_DAY, **params)
    assert refused.status_code == 400
    assert "The number of instances (420) exceeds the allowed maximum (100)" in refused.text
    found = []
    for offset in range(0, 500, 100):
        (root,) = documents(ask(sandbox, "A15", *LONG_DAY, **params, offset=str(offset)))
        found += [child for child in root if local(child) == "TimeSeries"]
    assert len(found) == 420
    empty = ask(sandbox, "A15", *LONG_DAY, **params, offset="500")
    assert empty.status_code == 200 and "No matching data" in empty.text


# --- windows, codes, silence --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "params", "window", "words"),
    [
        ("A11", where("FR>DE_LU"), ("2024-04-30T22:00Z", "2024-05-31T22:00Z"), "'P1M'"),
        ("A73", _process("A16", "in_Domain", "FR"), LONG_DAY, "'P1D'"),
        (
            "A85",
            where("FR", "controlArea_Domain"),
            ("2023-01-01T00:00Z", "2024-01-02T00:00Z"),
            "'P1Y'",
        ),
    ],
)
def test_windows_that_are_too_wide(
    sandbox: Sandbox, kind: str, params: dict[str, str], window: tuple[str, str], words: str
) -> None:
    response = ask(sandbox, kind, *window, **params)
    assert response.status_code == 400
    assert f"is larger than maximum allowed period {words} for" in response.text


DAY = ("2024-06-03T22:00Z", "2024-06-04T22:00Z")


@pytest.mark.parametrize(
    ("kind", "params", "answers"),
    [
        ("A44", where("UA", "in_Domain", "out_Domain"), False),
        ("A44", where("UA_IPS", "in_Domain", "out_Domain"), True),
        ("A65", _process("A16", "outBiddingZone_Domain", "DE"), True),
        ("A44", where("DE", "in_Domain", "out_Domain"), False),
        ("A73", _process("A16", "in_Domain", "DE_LU"), False),
        ("A73", _process("A16", "in_Domain", "DE_50HZ"), True),
        ("A85", where("IT_MACRO_NORTH", "controlArea_Domain"), True),
        ("A65", _process("A16", "outBiddingZone_Domain", "IT_MACRO_NORTH"), False),
        # Nobody publishes for Great Britain any more; what flows there is measured on the other side.
        ("A65", _process("A16", "outBiddingZone_Domain", "GB"), False),
        ("A11", where("FR>GB"), True),
        ("A09", where("FR>GB"), False),
        ("A11", where("ES>DE_LU"), False),  # no border
    ],
)  # fmt: skip
def test_who_answers_under_which_code(
    sandbox: Sandbox, kind: str, params: dict[str, str], answers: bool
) -> None:
    response = ask(sandbox, kind, *DAY, **params)
    assert response.status_code == 200
    assert (b"No matching data found" not in response.content) == answers
    if answers:
        codes = {code for code in params.values() if code.startswith("1")}
        assert all(code in response.text for code in codes) or response.content[:2] == b"PK"


def test_flows_change_their_resolution_by_border(sandbox: Sandbox) -> None:
    window = ("2023-03-25T23:00Z", "2023-03-27T22:00Z")
    for scope, found in (("ES>FR", {3_600, 900}), ("FR>DE_LU", {3_600})):
        (root,) = documents(ask(sandbox, "A11", *window, **where(scope)))
        assert {lasts for _, _, lasts, _ in slots(root)} == found
    changed = moment("2023-03-26T22:00Z")
    (root,) = documents(ask(sandbox, "A11", *window, **where("ES>FR")))
    assert {at >= changed for _, at, lasts, _ in slots(root) if lasts == 900} == {True}


def test_parameters_are_refused_where_the_item_has_none(sandbox: Sandbox) -> None:
    for kind, params, name in (
        ("A11", where("FR>DE_LU"), "psrType"),
        ("A85", where("FR", "controlArea_Domain"), "offset"),
        ("A65", _process("A31", "outBiddingZone_Domain"), "businessType"),
        ("A80", where("FR", "BiddingZone_Domain"), "processType"),
    ):
        response = ask(sandbox, kind, *DAY, **params, **{name: "A01"})
        assert response.status_code == 400
        assert f"Input parameter does not exist: {name}" in response.text
    for kind, params in (
        ("A25", where("FR", "in_Domain", "out_Domain")),
        ("A61", where("FR>ES")),
        ("A69", where("FR", "in_Domain")),
        ("A81", where("FR", "controlArea_Domain")),
        ("A24", _process("A52", "area_Domain", "FR")),
    ):
        response = ask(sandbox, kind, *DAY, **params)
        assert response.status_code == 400
        assert "check you request against dependency tables" in response.text


# --- zips that are wrong ------------------------------------------------------------------------


def test_wrong_zips(sandbox: Sandbox) -> None:
    params = where("FR", "BiddingZone_Domain")
    whole = ask(sandbox, "A80", *MONTH, **params).content
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    spoilt: dict[str, zipfile.ZipFile] = {}
    for kind in ("bad-member", "bad-checksum", "many-members"):
        sandbox.faults = (Fault(kind, path="documentType=A80", times=1),)
        response = ask(sandbox, "A80", *MONTH, **params)
        spoilt[kind] = zipfile.ZipFile(io.BytesIO(response.content))
        # Only once: the next answer is whole again.
        assert ask(sandbox, "A80", *MONTH, **params).content == whole
    odd = {name for name, body in members.items() if spoilt["bad-member"].read(name) != body}
    assert len(odd) == 1 and spoilt["bad-member"].testzip() is None
    with pytest.raises(ET.ParseError):
        ET.fromstring(spoilt["bad-member"].read(odd.pop()))
    assert spoilt["bad-checksum"].namelist() == list(members)
    with pytest.raises((zipfile.BadZipFile, zlib.error)):
        for name in members:
            spoilt["bad-checksum"].read(name)
    assert len(spoilt["many-members"].namelist()) == len(members) + 1_000


def test_a_huge_member_is_small_on_the_way(sandbox: Sandbox) -> None:
    sandbox.faults = (Fault("huge-member", path="documentType=A86"),)
    params = {"businessType": "A19", **where("FR", "controlArea_Domain")}
    response = ask(sandbox, "A86", *DAY, **params)
    assert len(response.content) < 2_000_000
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert max(info.file_size for info in archive.infolist()) == 300_000_000


@pytest.mark.parametrize(
    "kind", ["dropped", "duplicates", "revised", "extra", "wrong-type", "renamed"]
)
def test_faults_of_rows_reach_the_members_of_a_zip(sandbox: Sandbox, kind: str) -> None:
    params = where("FR", "BiddingZone_Domain")
    clean = documents(ask(sandbox, "A80", *MONTH, **params))
    sandbox.faults = (Fault(kind, path="documentType=A80"),)
    hit = documents(ask(sandbox, "A80", *MONTH, **params))

    def quantities(roots: list[ET.Element]) -> list[str]:
        return [e.text or "" for root in roots for e in root.iter() if local(e) == "quantity"]

    if kind == "dropped":
        assert len(hit) < len(clean)
    elif kind == "duplicates":
        assert len(quantities(hit)) > len(quantities(clean))
    elif kind == "revised":
        assert [facts(e)["revisionNumber"] for e in hit] == [
            str(int(facts(e)["revisionNumber"]) + 1) for e in clean
        ]
        assert quantities(hit) != quantities(clean)
    elif kind == "extra":
        assert any(path.endswith("/Point/warningType") for path in paths(hit[0]))
    elif kind == "wrong-type":
        assert "n/a" in quantities(hit)
    else:
        assert not quantities(hit)


# --- layouts -----------------------------------------------------------------------------------

_SENT = "{0} {0}/mRID {0}/revisionNumber {0}/type {0}/createdDateTime " + " ".join(
    f"{{0}}/{side}_MarketParticipant.{name}"
    for side in ("sender", "receiver")
    for name in ("mRID", "marketRole.type")
)
_INTERVAL = "{0}/{1} {0}/{1}/start {0}/{1}/end"
_PERIOD = (
    "{0} {0}/mRID {0}/businessType {0}/curveType {0}/{1} {0}/{1}/timeInterval "
    "{0}/{1}/timeInterval/start {0}/{1}/timeInterval/end {0}/{1}/resolution {0}/{1}/Point "
    "{0}/{1}/Point/position"
)


def typed(
    root: str, interval: str, series: str, head: str = "", period: str = "Period"
) -> set[str]:
    """The paths of a document: those of all, and what is typed here."""
    at = f"/{root}/TimeSeries"
    found = _SENT.format(f"/{root}").split() + _INTERVAL.format(f"/{root}", interval).split()
    found += _PERIOD.format(at, period).split()
    return {
        *found,
        *(f"/{root}/{name}" for name in head.split()),
        *(f"{at}/{n}" for n in series.split()),
    }


_GL = "quantity_Measure_Unit.name objectAggregation Period/Point/quantity"
_TYPED = "MktPSRType MktPSRType/psrType"
_PAIR = "in_Domain.mRID out_Domain.mRID quantity_Measure_Unit.name Period/Point/quantity"
_PLANT = "production_RegisteredResource"
LAYOUTS = {
    "A69": ("FR", _process("A01", "in_Domain", "FR"), typed(
        "GL_MarketDocument", "time_Period.timeInterval",
        f"{_GL} {_TYPED} inBiddingZone_Domain.mRID", "process.processType",
    )),
    "A72": ("NO_2", _process("A16", "in_Domain", "NO_2"), typed(
        "GL_MarketDocument", "time_Period.timeInterval", f"{_GL} inBiddingZone_Domain.mRID",
        "process.processType",
    )),
    "A11": ("FR>DE_LU", where("FR>DE_LU"), typed(
        "Publication_MarketDocument", "period.timeInterval", _PAIR,
    )),
    "A09": ("FR>DE_LU", where("FR>DE_LU"), typed(
        "Publication_MarketDocument", "period.timeInterval",
        f"{_PAIR} contract_MarketAgreement.type",
    )),
    "A25": (
        "FR",
        {"businessType": "B09", "contract_MarketAgreement__type": "A01",
         **where("FR", "in_Domain", "out_Domain")},
        typed(
            "Publication_MarketDocument", "period.timeInterval",
            f"{_PAIR} contract_MarketAgreement.type auction.type",
        ),
    ),
    "A85": ("FR", where("FR", "controlArea_Domain"), typed(
        "Balancing_MarketDocument", "period.timeInterval",
        "currency_Unit.name price_Measure_Unit.name Period/Point/imbalance_Price.amount "
        "Period/Point/imbalance_Price.category",
        "process.processType docStatus docStatus/value area_Domain.mRID",
    )),
    "A86": ("FR", where("FR", "controlArea_Domain"), typed(
        "Balancing_MarketDocument", "period.timeInterval",
        "flowDirection.direction quantity_Measure_Unit.name Period/Point/quantity",
        "process.processType docStatus docStatus/value controlArea_Domain.mRID",
    )),
    "A15": ("FR", _process("A51", "area_Domain", "FR"), typed(
        "Balancing_MarketDocument", "period.timeInterval",
        "type_MarketAgreement.type standard_MarketProduct.marketProductType mktPSRType.psrType "
        "flowDirection.direction currency_Unit.name quantity_Measure_Unit.name "
        "price_Measure_Unit.name Period/Point/quantity Period/Point/procurement_Price.amount",
        "process.processType area_Domain.mRID allocationDecision_DateAndOrTime.dateTime",
    )),
    "A24": ("FR", _process("A51", "area_Domain", "FR"), typed(
        "Balancing_MarketDocument", "period.timeInterval",
        "standard_MarketProduct.marketProductType flowDirection.direction "
        "quantity_Measure_Unit.name Period/Point/quantity Period/Point/secondaryQuantity "
        "Period/Point/unavailable_Quantity.quantity",
        "process.processType area_Domain.mRID",
    )),
    "A84": ("FR", _process("A67", "controlArea_Domain", "FR"), typed(
        "Balancing_MarketDocument", "period.timeInterval",
        "standard_MarketProduct.marketProductType mktPSRType.psrType flowDirection.direction "
        "currency_Unit.name price_Measure_Unit.name Period/Point/activation_Price.amount "
        "Period/Point/imbalance_Price.category",
        "process.processType area_Domain.mRID",
    )),
    "A77": ("FR", where("FR", "BiddingZone_Domain"), typed(
        "Unavailability_MarketDocument", "unavailability_Time_Period.timeInterval",
        "biddingZone_Domain.mRID start_DateAndOrTime.date start_DateAndOrTime.time "
        "end_DateAndOrTime.date end_DateAndOrTime.time quantity_Measure_Unit.name "
        f"{_PLANT}.mRID {_PLANT}.name {_PLANT}.location.name {_PLANT}.pSRType.psrType "
        f"{_PLANT}.pSRType.powerSystemResources.nominalP Available_Period/Point/quantity",
        "process.processType Reason Reason/code Reason/text", "Available_Period",
    )),
}  # fmt: skip


@pytest.mark.parametrize("kind", LAYOUTS)
def test_layouts(sandbox: Sandbox, kind: str) -> None:
    _, params, expected = LAYOUTS[kind]
    root = documents(ask(sandbox, kind, "2024-10-27T00:00Z", "2024-10-27T06:00Z", **params))[0]
    found = paths(root)
    if kind == "A77":
        found -= {
            "/Unavailability_MarketDocument/docStatus",
            "/Unavailability_MarketDocument/docStatus/value",
        }
    assert found == expected


def test_what_was_not_activated_is_a_point_without_a_price(sandbox: Sandbox) -> None:
    params = _process("A16", "controlArea_Domain", "DE_50HZ")
    (root,) = documents(ask(sandbox, "A84", *LONG_DAY, **params))
    points = [facts(point) for point in root.iter() if local(point) == "Point"]
    bare = sum(set(point) == {"position"} for point in points)
    assert 0 < bare < len(points)


def test_a_flat_capacity_is_one_point(sandbox: Sandbox) -> None:
    params = {"contract_MarketAgreement.type": "A02", **where("FR>ES")}
    counts = []
    for day in range(3, 25):
        window = f"2024-06-{day:02}T22:00Z", f"2024-06-{day + 1:02}T22:00Z"
        (root,) = documents(
            ask(sandbox, "A61", *window, **params | {"contract_MarketAgreement.type": "A01"})
        )
        counts.append(sum(local(point) == "Point" for point in root.iter()))
    assert min(counts) == 1 and max(counts) > 1
    assert np.mean(counts) < 5
